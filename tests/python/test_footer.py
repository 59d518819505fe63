"""What a run promises of all its files: one schema, timestamps in one unit, metadata in the footer, bounded row groups."""

import datetime

import duckdb
import msgpack
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import pack, run_python, vectors

NANOSECONDS = [1_700_000_000_123_456_789, -1, 0, None, -1_000_000_001, 1_999_999_999]


def fields(path):
    return [(field.name, field.type, field.nullable) for field in pq.read_schema(path)]


@pytest.mark.parametrize("policy", ["null", "skip"])
def test_a_directory_has_one_schema_whatever_its_files_hold(tmp_path, policy):
    rows = vectors(300, 8)
    for number in range(3):
        bad = [None] if number == 1 else []
        (tmp_path / f"{number}.msgpack").write_bytes(pack([*rows, *bad]))
    found = set()
    for name, options in (("each", {}), ("parts", {"max_file_bytes": 4000, "row_group_bytes": 2000})):
        out = tmp_path / name
        vecpack.to_parquet(str(tmp_path / "*.msgpack"), out, on_error=policy, **options)
        found |= {tuple(fields(path)) for path in out.rglob("*.parquet")}
        assert pl.read_parquet(out / "*.parquet").height == 900 + (policy == "null")
    # Parts that are converted alone, as a cluster does it.
    for number, part in enumerate(vecpack.scan(tmp_path / "*.msgpack", on_error=policy).split_inputs()):
        vecpack.to_parquet(part, tmp_path / f"part-{number}.parquet")
        found.add(tuple(fields(tmp_path / f"part-{number}.parquet")))
    element = pa.field("element", pa.float32(), nullable=False)
    expected = pa.list_(element) if policy == "null" else pa.list_(element, 8)
    assert found == {(("vector", expected, policy == "null"),)}


def test_a_resumed_run_has_the_schema_of_the_run(tmp_path):
    rows = vectors(100, 4)
    inputs = [tmp_path / "a.msgpack", tmp_path / "b.msgpack"]
    inputs[0].write_bytes(pack(rows))
    vecpack.to_parquet(inputs[:1], tmp_path / "out/", on_error="null")
    inputs[1].write_bytes(pack([*rows, None]))
    vecpack.to_parquet(inputs, tmp_path / "out/", on_error="null", resume=True)
    a, b = (fields(tmp_path / "out" / f"{name}.parquet") for name in "ab")
    assert a == b


@pytest.mark.parametrize("unit", ["us", "ms"])
def test_timestamps_are_coerced_as_pyarrow_does(tmp_path, unit):
    times = pa.array(NANOSECONDS, pa.timestamp("ns", "UTC"))
    deep = pa.array([[at] for at in NANOSECONDS], pa.list_(pa.timestamp("ns")))
    seconds = pa.array([1, -2, 0, None, 5, 6], pa.timestamp("s"))
    table = pa.table({"when": times, "deep": deep, "seconds": seconds})
    ours, theirs = tmp_path / "ours.parquet", tmp_path / "pyarrow.parquet"
    for allow in (False, True):
        options = {"coerce_timestamps": unit, "allow_truncated_timestamps": allow}
        if not allow:
            with pytest.raises(pa.ArrowInvalid, match="would lose data"):
                pq.write_table(table, theirs, **options)
            with pytest.raises(vecpack.SchemaError, match="column `when`.* 1700000000123456789 ns.*allow_truncated"):
                vecpack.to_parquet(table, ours, **options)
            assert not ours.exists()
            continue
        pq.write_table(table, theirs, **options)
        vecpack.to_parquet(table, ours, **options)
    assert pq.read_table(ours).to_pydict() == pq.read_table(theirs).to_pydict()
    kinds = [column.logical_type.to_json() for column in map(pq.read_metadata(ours).schema.column, range(3))]
    assert kinds == [column.logical_type.to_json() for column in map(pq.read_metadata(theirs).schema.column, range(3))]
    vecpack.to_parquet(table, ours, overwrite=True)
    assert pq.read_table(ours)["when"].cast(pa.int64()).to_pylist() == NANOSECONDS


def test_types_of_timestamps_in_every_spelling():
    at = msgpack.Timestamp(1_700_000_000, 123_456_000)
    records = b"".join(msgpack.packb({"when": at, "vector": bytes(16)}) for _ in range(3))
    for name in ("timestamp[us]", "timestamp[us, UTC]", "timestamp[us, tz=UTC]", 'Timestamp(Microsecond, Some("UTC"))'):
        table = pa.table(vecpack.scan(records, schema={"when": name}))
        assert table.schema.field("when").type == pa.timestamp("us", "UTC"), name
        assert table["when"][0].as_py() == datetime.datetime.fromtimestamp(1_700_000_000.123456, datetime.UTC)
    for name in ("timestamp[ps]", "timestamp[us,]", "timestamp[us, tz=]"):
        with pytest.raises(vecpack.OptionError, match="is not known"):
            vecpack.scan(records, schema={"when": name})
    with pytest.raises(vecpack.DecodeError, match="allow_truncated_timestamps"):
        list(vecpack.scan(records, schema={"when": "timestamp[ms]"}))


def test_metadata_is_where_readers_look_for_it(tmp_path):
    frame = pa.table({"n": [1, 2]}).replace_schema_metadata({"pandas": "{}", "model": "e5"})
    path = tmp_path / "one.parquet"
    vecpack.to_parquet(frame, path, metadata={"model": "e6", b"run": b"7"})
    expected = {"pandas": "{}", "model": "e6", "run": "7"}
    as_bytes = {key.encode(): value.encode() for key, value in expected.items()}
    keys = {**as_bytes, b"ARROW:schema": pq.read_metadata(path).metadata[b"ARROW:schema"]}
    assert pq.read_metadata(path).metadata == keys
    assert pq.read_schema(path).metadata == as_bytes
    assert dict(duckdb.sql(f"SELECT key, value FROM parquet_kv_metadata('{path}')").fetchall()) == keys
    assert {key: pl.read_parquet_metadata(path)[key] for key in expected} == expected
    run_python(
        """
        import sys, vecpack
        out = sys.argv[1] + "/command.parquet"
        convert = ["to-parquet", "-", "-o", out, "--dim", "4", "--metadata", "model=e5", "--metadata", "note=a=b"]
        sys.exit(vecpack._vecpack.run_command(["vecpack", *convert]))
        """,
        tmp_path,
        input=pack(vectors(3, 4)),
    )
    assert pq.read_schema(tmp_path / "command.parquet").metadata == {b"model": b"e5", b"note": b"a=b"}


@pytest.mark.parametrize(
    "options, error",
    [
        ({"allow_truncated_timestamps": True}, vecpack.OptionError),
        ({"coerce_timestamps": "ns"}, vecpack.OptionError),
        ({"metadata": {"ARROW:schema": "x"}}, vecpack.OptionError),
        ({"metadata": {"n": 1}}, TypeError),
        ({"metadata": "n=1"}, TypeError),
        ({"metadata": {b"\xff": b""}}, TypeError),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, error):
    with pytest.raises(error):
        vecpack.to_parquet(pa.table({"n": [1]}), tmp_path / "no.parquet", **options)
    assert not (tmp_path / "no.parquet").exists()


@pytest.mark.parametrize("threads", [1, 3])
def test_row_groups_are_bounded_by_their_bytes(tmp_path, threads):
    random = np.random.default_rng(1)
    for size, rows in ((200_000, 60), (2000, 3000), (20, 100_000)):
        records = ({"id": n, "image": random.bytes(size + n % 3), "vector": bytes(64)} for n in range(rows))
        path = tmp_path / f"{size}.parquet"
        vecpack.to_parquet(b"".join(map(msgpack.packb, records)), path, row_group_bytes=1_000_000, threads=threads)
        groups = pq.read_metadata(path)
        sizes = [groups.row_group(at).total_byte_size for at in range(groups.num_row_groups)]
        assert 500_000 < max(sizes) < 1_100_000, size
