"""Arrow data of other libraries, cut out of larger data as they do it, in Parquet."""

import datetime

import duckdb
import msgpack
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack

ROWS = 40


def nulls(values, step, first):
    return [None if at % step == first else value for at, value in enumerate(values)]


def inner(count):
    return nulls([{"y": None if at % 5 == 4 else at} for at in range(count)], 3, 1)


def deep(count):
    return nulls([{"x": value} for value in inner(count)], 4, 2)


def lists(values, step=5, first=3):
    size = len(values) // ROWS
    return nulls([values[at : at + size] for at in range(0, len(values), size)], step, first)


Y = pa.struct([("y", pa.int32())])
X = pa.struct([("x", Y)])
WORDS = pa.dictionary(pa.int32(), pa.string())

COLUMNS = {
    "struct": (inner(ROWS), Y),
    "struct in struct": (deep(ROWS), X),
    "struct in struct without nulls": ([{"x": {"y": at}} for at in range(ROWS)], X),
    "struct in three": (nulls([{"w": value} for value in deep(ROWS)], 7, 0), pa.struct([("w", X)])),
    "struct in fixed list": (lists(inner(2 * ROWS)), pa.list_(Y, 2)),
    "struct in struct in fixed list": (lists(deep(2 * ROWS)), pa.list_(X, 2)),
    "fixed list in struct": ([{"v": value} for value in lists(deep(2 * ROWS))], pa.struct([("v", pa.list_(X, 2))])),
    "struct in list": ([(value or [])[: at % 4] for at, value in enumerate(lists(deep(3 * ROWS)))], pa.list_(X)),
    "struct in large list": (lists(deep(3 * ROWS)), pa.large_list(X)),
    "list in struct": (
        nulls([{"a": {"l": value}} for value in lists(deep(2 * ROWS))], 6, 2),
        pa.struct([("a", pa.struct([("l", pa.list_(X))]))]),
    ),
    "struct in map": (
        nulls([[(f"k{at}", value)] for at, value in enumerate(deep(ROWS))], 5, 1),
        pa.map_(pa.string(), X),
    ),
    "dictionary in struct": (
        nulls(
            [{"a": None if at % 3 == 1 else {"d": None if at % 5 == 0 else "abc"[at % 3]}} for at in range(ROWS)], 7, 4
        ),
        pa.struct([("a", pa.struct([("d", WORDS)]))]),
    ),
}


def table(name):
    values, data_type = COLUMNS[name]
    if name != "dictionary in struct":
        return pa.table({"c": pa.array(values, data_type), "id": range(ROWS)})
    # pyarrow makes no dictionaries from Python's values inside of structs.
    words = [None if value is None or value["a"] is None else value["a"]["d"] for value in values]
    none = pa.array([value is None or value["a"] is None for value in values])
    within = pa.StructArray.from_arrays([pa.array(words).dictionary_encode()], ["d"], mask=none)
    outer = pa.StructArray.from_arrays([within], ["a"], mask=pa.array([value is None for value in values]))
    assert outer.type == data_type and outer.to_pylist() == values
    return pa.table({"c": outer, "id": range(ROWS)})


@pytest.mark.parametrize("name", COLUMNS)
def test_slices_of_nested_columns_are_those_rows(tmp_path, name):
    out = tmp_path / "slice.parquet"
    for start, count in [(0, ROWS), (0, 5), (1, 1), (1, ROWS - 1), (3, 5), (3, ROWS - 3), (ROWS - 1, 1), (4, 0)]:
        part = table(name).slice(start, count)
        vecpack.to_parquet(part, out, overwrite=True)
        assert pq.read_table(out).to_pylist() == part.to_pylist(), (start, count)


@pytest.mark.parametrize("name", COLUMNS)
def test_streams_of_slices_of_nested_columns_are_those_rows(tmp_path, name):
    whole, out = table(name), tmp_path / "stream.parquet"
    batches = [
        batch for start, count in [(3, 5), (8, 0), (9, 20), (1, 1)] for batch in whole.slice(start, count).to_batches()
    ]
    stream = pa.RecordBatchReader.from_batches(whole.schema, batches)
    vecpack.to_parquet(stream, out, row_group_bytes=500)
    assert pq.read_table(out).to_pylist() == pa.Table.from_batches(batches, whole.schema).to_pylist()


@pytest.mark.parametrize("name", [name for name in COLUMNS if "map" not in name and "dictionary" not in name])
def test_slices_of_nested_columns_of_polars(tmp_path, name):
    frame, out = pl.DataFrame(table(name)), tmp_path / "polars.parquet"
    for start, count in [(0, 5), (1, 7), (3, 5)]:
        part = frame.slice(start, count)
        vecpack.to_parquet(part, out, overwrite=True)
        assert pl.read_parquet(out).to_dicts() == part.to_dicts()


def test_a_stream_that_fails_is_an_error_that_says_why(tmp_path):
    def batches():
        yield from table("struct in struct").slice(3, 5).to_batches()
        raise ValueError("no more of it")

    stream = pa.RecordBatchReader.from_batches(table("struct in struct").schema, batches())
    with pytest.raises(vecpack.VecpackError, match="no more of it"):
        vecpack.to_parquet(stream, tmp_path / "fails.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_stream_can_be_read_once(tmp_path):
    class Again:
        def __init__(self):
            self.capsule = table("struct").__arrow_c_stream__()

        def __arrow_c_stream__(self, requested_schema=None):
            return self.capsule

    again = Again()
    assert vecpack.to_parquet(again, tmp_path / "once.parquet").rows == ROWS
    with pytest.raises(ValueError, match="read before"):
        vecpack.to_parquet(again, tmp_path / "twice.parquet")


def times():
    numbers = [0, None, -1, 86_399, 1_000_000_000]
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC"):
            yield pa.array(numbers, pa.timestamp(unit, zone))
    yield pa.array([0, None, 1, 86_399], pa.time32("s"))
    yield pa.array([0, None, -86_400_000, 864_000_000], pa.date64())


@pytest.mark.parametrize("values", list(times()), ids=lambda values: str(values.type))
def test_times_of_any_unit_are_times_for_every_reader(tmp_path, values):
    out = tmp_path / "times.parquet"
    offsets = pa.array(range(len(values) + 1), pa.int32())
    words = pa.DictionaryArray.from_arrays(pa.array(range(len(values)), pa.int32()), values)
    columns = {
        "flat": values,
        "struct": pa.StructArray.from_arrays([values], ["t"]),
        "list": pa.ListArray.from_arrays(offsets, values),
        "fixed": pa.FixedSizeListArray.from_arrays(values, 1),
        "dictionary": words,
        "dictionary in struct": pa.StructArray.from_arrays([words], ["t"]),
        "views": pa.ListViewArray.from_arrays(offsets[:-1], pa.array([1] * len(values), pa.int32()), values),
    }
    given = pa.table(columns)
    for start, count in [(0, len(values)), (1, 2), (3, 1)]:
        part = given.slice(start, count)
        vecpack.to_parquet(part, out, overwrite=True)
        found = pq.read_table(out)
        assert found.to_pylist() == part.to_pylist()
        flat = part["flat"].cast(pa.date32()) if values.type == pa.date64() else part["flat"]
        assert pl.read_parquet(out)["flat"].to_list() == pl.from_arrow(flat).to_list()
        for column in ("flat", "struct.t", "list[1]", "dictionary", '"dictionary in struct".t', "views[1]"):
            kind = duckdb.sql(f"SELECT typeof({column}) FROM '{out}'").fetchall()[0][0]
            assert kind.startswith(("TIMESTAMP", "TIME", "DATE")), (column, kind)


def test_seconds_of_records_are_times_for_every_reader(tmp_path):
    out = tmp_path / "seconds.parquet"
    when = datetime.datetime(2001, 9, 9, 1, 46, 40, tzinfo=datetime.UTC)
    vector = np.ones(4, "f4").tobytes()
    records = b"".join(msgpack.packb({"t": when, "v": vector}, datetime=True) for _ in range(3))
    report = vecpack.to_parquet(records, out, schema={"t": "timestamp[s]"})
    assert (report.rows, report.rejects) == (3, 0)
    assert pa.types.is_timestamp(pq.read_schema(out).field("t").type)
    assert pq.read_table(out)["t"].to_pylist() == pl.read_parquet(out)["t"].to_list() == [when] * 3


def test_a_time_that_does_not_fit_is_an_error_that_names_the_column(tmp_path):
    for values, data_type in (([2**62], pa.timestamp("s")), ([86_400_001], pa.date64())):
        column = pa.array(values, pa.int64()).view(data_type)
        with pytest.raises(vecpack.SchemaError, match="column `when`"):
            vecpack.to_parquet(pa.table({"when": column}), tmp_path / "when.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_time_that_is_in_no_row_or_in_one_that_is_null_need_not_fit(tmp_path):
    out = tmp_path / "rows.parquet"
    values = pa.array([86_400_001, 0, 1, 86_400_000], pa.int64()).view(pa.date64())
    none = pa.array([False, False, True, False])
    columns = {
        "list": pa.ListArray.from_arrays(pa.array([0, 1, 2, 3, 4], pa.int32()), values, mask=none),
        "struct": pa.StructArray.from_arrays([values], ["t"], mask=none),
    }
    part = pa.table(columns).slice(1, 3)
    vecpack.to_parquet(part, out)
    assert pq.read_table(out).to_pylist() == part.to_pylist()


def test_pieces_of_a_large_list_are_written_for_what_they_are(tmp_path):
    rows, out = 100_000, tmp_path / "pieces.parquet"
    times = pa.array(range(3 * rows), pa.timestamp("s"))
    lists = pa.ListArray.from_arrays(pa.array(range(0, 3 * rows + 1, 3), pa.int32()), times)
    given = pa.table({"t": lists})
    assert vecpack.to_parquet(given.to_reader(max_chunksize=100), out).rows == rows
    assert pq.read_table(out)["t"].combine_chunks().flatten().cast(times.type).equals(times)


def test_of_a_row_that_is_null_as_a_whole_all_columns_are(tmp_path):
    out = tmp_path / "rows.parquet"
    numbers, vectors = pa.array([1, 2, None, 4]), pa.FixedSizeListArray.from_arrays(pa.array(range(8), pa.float32()), 2)
    mask = pa.array([False, True, False, False])
    rows = pa.StructArray.from_arrays([numbers, vectors], ["n", "v"], mask=mask)
    for part in (rows, rows.slice(1, 2), rows.slice(2)):
        vecpack.to_parquet(pa.chunked_array([part]), out, overwrite=True)
        expected = [row or {"n": None, "v": None} for row in part.to_pylist()]
        assert pq.read_table(out).to_pylist() == expected
    fields = [pa.field("n", pa.int64(), nullable=False)]
    never = pa.StructArray.from_arrays([pa.array([1, 2, 3, 4])], fields=fields, mask=mask)
    with pytest.raises(vecpack.SchemaError, match="column `n` is said never to be"):
        vecpack.to_parquet(pa.chunked_array([never]), tmp_path / "never.parquet")
    assert list(tmp_path.iterdir()) == [out]


def test_categories_of_polars_come_back(tmp_path):
    out = tmp_path / "categories.parquet"
    frame = pl.DataFrame({"c": pl.Series(["a", None, "a longer one than views hold", "a"], dtype=pl.Categorical)})
    vecpack.to_parquet(frame.slice(1, 3), out)
    assert pl.read_parquet(out)["c"].cast(pl.String).to_list() == frame["c"].cast(pl.String).to_list()[1:]
