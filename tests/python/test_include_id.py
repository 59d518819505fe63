"""`include_id`: a number for each record that no other record of the source has, however it is read."""

import pickle

import msgpack
import msgpack_numpy
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import pack, vectors

RECORD_BITS = 40
DIM = 8


@pytest.fixture
def files(write_file):
    """Alike records, records that differ, and some that are rejected."""
    written = []
    for number, rows in enumerate([3000, 1, 800, 2000]):
        found = vectors(rows, DIM, seed=number)
        records = [{"key": f"{number}-" * (row % 7), "vector": found[row].tobytes()} for row in range(rows)]
        if number == 2:
            records[5] = records[700] = {"key": "bad", "vector": b"123"}
        written.append(str(write_file(f"in/{number}.msgpack", records)))
    return written


def ids(stream):
    return pa.table(stream)["id"].to_pylist()


def numbered(files, **options):
    """The same from the columns that `include_path` and `include_record` add."""
    table = pa.table(vecpack.scan(files, include_path=True, include_record=True, **options))
    pairs = zip(table["path"].to_pylist(), table["record"].to_pylist())
    return [files.index(path) << RECORD_BITS | record for path, record in pairs]


@pytest.mark.parametrize("columns", [None, ["vector"], ["key"]])
@pytest.mark.parametrize("threads", [1, 4])
def test_ids_are_the_numbers_of_the_input_and_of_the_record(files, threads, columns):
    options = {"on_error": "skip", "vector": "vector", "columns": columns}
    source = vecpack.scan(files, include_id=True, threads=threads, batch_rows=300, **options)
    assert pa.schema(source.schema).field("id") == pa.field("id", pa.int64(), nullable=False)
    assert ids(source) == numbered(files, **options)


def test_ids_are_the_same_in_every_part(files):
    source = vecpack.scan(files, include_id=True, on_error="skip", vector="vector")
    expected = ids(source)
    ways = {
        "split": source.split(7),
        "inputs": source.split_inputs(),
        "tasks": [part for part, _ in source._tasks(20_000)],
        "cut tasks": [part for task, pieces in source._tasks(20_000) for part in task.split(pieces)],
        "pickled": pickle.loads(pickle.dumps(source.split(7))),
        "the column alone": [part.select(["id"]) for part in source.split(3)],
    }
    for way, parts in ways.items():
        assert [id for part in parts for id in ids(part)] == expected, way


def test_ids_in_files(files, tmp_path):
    options = {"on_error": "skip", "vector": "vector"}
    for name, more in (("mirrored/", {}), ("parts/", {"max_file_bytes": 50_000}), ("one.parquet", {})):
        vecpack.to_parquet(files, tmp_path / name, include_id=True, **options, **more)
        assert sorted(pq.read_table(tmp_path / name)["id"].to_pylist()) == numbered(files, **options), name


def test_a_run_that_goes_on_makes_files_anew_whose_ids_would_move(files, tmp_path):
    out = tmp_path / "out"
    options = {"on_error": "skip", "vector": "vector", "include_id": True}
    vecpack.to_parquet(files[1:], f"{out}/", **options)
    # The numbers of all inputs change with one in front of them.
    assert vecpack.to_parquet(files, f"{out}/", resume=True, **options).files == len(files)
    assert vecpack.to_parquet(files, f"{out}/", resume=True, **options).files == 0


@pytest.mark.parametrize("framing", ["array", "map", "columns"])
def test_ids_of_other_framings(framing):
    rows = [row.tobytes() for row in vectors(500, DIM)]
    data = {"array": rows, "map": {str(n): row for n, row in enumerate(rows)}, "columns": {"vector": rows}}[framing]
    source = vecpack.scan(
        [pack([data])] * 2, framing=framing, vector="vector" if framing == "columns" else None, include_id=True
    )
    assert ids(source) == [number << RECORD_BITS | row for number in range(2) for row in range(500)]


def test_rows_of_a_matrix_under_a_key_are_records():
    matrix = [vectors(1, DIM)[0].tolist() for _ in range(6)]
    source = vecpack.scan(pack([{"data": matrix}]), records="data", include_id=True)
    assert ids(source) == list(range(6))


def test_rows_that_would_share_an_id_are_refused():
    matrices = b"".join(msgpack.packb(vectors(3, DIM), default=msgpack_numpy.encode) for _ in range(2))
    source = vecpack.scan(matrices, include_id=True)
    with pytest.raises(vecpack.OptionError, match="include_id"):
        source.count_rows()


def test_a_field_of_that_name_is_refused():
    with pytest.raises(vecpack.SchemaError, match="two columns have the name `id`"):
        vecpack.scan(pack([{"id": 1, "vector": bytes(8)}]), include_id=True)
