"""Who takes the batches: pyarrow, polars, DuckDB, pandas and numpy, without copies, in any order of events."""

import gc
import io
import threading

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, vectors

ROWS, DIM = 10_000, 8
EXPECTED = vectors(ROWS, DIM)


@pytest.fixture
def source(write_file):
    return vecpack.scan(write_file("v.msgpack", EXPECTED), batch_rows=700)


@pytest.fixture(params=["source", "table"])
def exportable(request, source):
    return source if request.param == "source" else vecpack.read(source.files[0], batch_rows=700)


def address(batch):
    """Where the elements of a batch lie."""
    column = pa.record_batch(batch).column(0)
    return column.values.buffers()[1].address + column.values.offset * column.values.type.bit_width // 8


def test_pyarrow(exportable):
    for _ in range(2):
        table = pa.table(exportable)
        table.validate(full=True)
        assert table["vector"].num_chunks == 15
        assert_same_bits(matrix(table), EXPECTED)
    assert exportable.to_pyarrow().equals(table)
    assert isinstance(exportable.to_pyarrow(), pa.Table)
    with pa.RecordBatchReader.from_stream(exportable) as reader:
        assert reader.schema == table.schema
        assert reader.read_all().equals(table)


def test_polars(exportable):
    for frame in (pl.DataFrame(exportable), exportable.to_polars()):
        assert isinstance(frame, pl.DataFrame)
        assert frame.schema == {"vector": pl.Array(pl.Float32, DIM)}
        assert_same_bits(frame["vector"].to_numpy(), EXPECTED)


def test_duckdb_twice_in_a_row(exportable):
    for _ in range(2):
        assert duckdb.sql("SELECT count(*) FROM exportable").fetchall() == [(ROWS,)]
        ((total,),) = duckdb.sql("SELECT sum(list_sum(vector)) FROM exportable").fetchall()
        assert total == pytest.approx(EXPECTED.sum(dtype="f8"), abs=1e-3)
        found = duckdb.sql("SELECT vector FROM exportable").fetchnumpy()["vector"]
        assert_same_bits(np.stack(found).astype("f4"), EXPECTED)


def test_duckdb_on_many_threads(source):
    connection = duckdb.connect(config={"threads": 8})
    connection.register("vectors", source)
    for _ in range(3):
        query = "SELECT count(*), min(vector[1]), max(vector[8]) FROM vectors WHERE vector[2] > 0"
        chosen = EXPECTED[EXPECTED[:, 1] > 0]
        assert connection.sql(query).fetchall() == [(len(chosen), chosen[:, 0].min(), chosen[:, 7].max())]


def test_duckdb_joins_a_source_with_itself_and_with_others(write_file):
    records = [{"id": n, "vector": EXPECTED[n].tolist()} for n in range(1000)]
    source = vecpack.scan(write_file("r.msgpack", records), batch_rows=300)
    others = pd.DataFrame({"id": [3, 5, 5], "name": ["a", "b", "c"]})
    for _ in range(2):
        pairs = duckdb.sql("SELECT count(*), sum(a.id) FROM source a JOIN source b ON b.id = a.id + 1").fetchall()
        assert pairs == [(999, sum(range(999)))]
        named = duckdb.sql(
            "SELECT name, array_inner_product(vector, vector) FROM others JOIN source USING (id)"
        ).fetchall()
        assert sorted(name for name, _ in named) == ["a", "b", "c"]
        assert len(others) == 3
    columns = source.select(["id"])
    assert columns.schema.names == ["id"]
    assert duckdb.sql("SELECT * FROM columns ORDER BY id DESC LIMIT 1").fetchall() == [(999,)]
    assert duckdb.sql("SELECT column_name FROM (DESCRIBE columns)").fetchall() == [("id",)]


def test_duckdb_reads_of_a_lazy_frame_what_a_query_needs():
    broken = [*({"id": n, "vector": EXPECTED[n].tolist()} for n in range(2000)), {"id": 2000, "vector": [1.0]}]
    lazy = vecpack.scan(pack(broken)).to_polars(lazy=True)
    assert duckdb.sql("SELECT max(id), count(*) FROM lazy").fetchall() == [(2000, 2001)]
    assert lazy is not None
    with pytest.raises(duckdb.Error, match="record 2000"):
        duckdb.sql("SELECT max(vector[1]) FROM lazy").fetchall()


def test_pandas(exportable):
    frame = exportable.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["vector"]
    assert_same_bits(np.stack(frame["vector"]), EXPECTED)


def test_numpy(exportable):
    found = exportable.to_numpy()
    assert_same_bits(found, EXPECTED)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint8"])
def test_numpy_in_every_type(dtype):
    expected = np.random.default_rng(1).integers(0, 100, (50, 3)).astype(dtype)
    source = vecpack.scan(pack(expected), raw_dtype=dtype, dtype=dtype)
    assert_same_bits(source.to_numpy(), expected)
    assert_same_bits(matrix(source.to_pyarrow()), expected)
    if dtype != "float16":
        assert_same_bits(source.to_polars()["vector"].to_numpy(), expected)


def test_nulls_reach_every_consumer():
    source = vecpack.scan(pack([*EXPECTED[:2], None, *EXPECTED[2:4]]), on_error="null")
    expected = [*EXPECTED[:2].tolist(), None, *EXPECTED[2:4].tolist()]
    assert source.to_pyarrow()["vector"].to_pylist() == expected
    assert source.to_polars()["vector"].to_list() == expected
    found = duckdb.sql("SELECT vector FROM source").fetchall()
    assert [None if row is None else list(row) for (row,) in found] == expected
    assert [None if row is None else list(row) for row in source.to_pandas()["vector"]] == expected


def test_numpy_has_no_place_for_nulls():
    source = vecpack.scan(pack([*EXPECTED[:2], None]), on_error="null")
    with pytest.raises(ValueError, match="null"):
        source.to_numpy()


def test_two_consumers_of_one_batch_see_the_same_memory(source):
    for batch in source:
        first, second = pa.record_batch(batch), pa.record_batch(batch)
        assert address(first) == address(second) == address(batch)
        polars = pl.DataFrame(batch)["vector"].arr.explode().to_numpy()
        assert polars.ctypes.data == address(batch)


def test_a_table_is_exported_without_a_copy():
    table = vecpack.read(pack(EXPECTED), batch_rows=700)
    addresses = [address(batch) for batch in table.batches]
    assert len(set(addresses)) == 15
    for _ in range(2):
        assert [address(batch) for batch in pa.table(table).to_batches()] == addresses
        assert [address(batch) for batch in table.to_pyarrow().to_batches()] == addresses
        assert [address(batch) for batch in table] == addresses


def test_numpy_shares_the_memory_of_a_table_of_one_batch():
    table = vecpack.read(pack(EXPECTED))
    (batch,) = table.batches
    found = table.to_numpy()
    assert found.ctypes.data == address(batch)
    assert not found.flags.writeable
    assert_same_bits(found, EXPECTED)


def test_numpy_of_several_batches_is_the_callers_own():
    table = vecpack.read(pack(EXPECTED), batch_rows=700)
    found = table.to_numpy()
    found[:] = 0
    assert_same_bits(table.to_numpy(), EXPECTED)


@pytest.mark.parametrize("as_array", ["numpy", "pyarrow", "polars"])
def test_buffers_outlive_everything_else(as_array):
    def make():
        data = pack(EXPECTED)
        table = vecpack.read(data)
        if as_array == "numpy":
            return table.to_numpy()
        return table.to_pyarrow() if as_array == "pyarrow" else table.to_polars()

    found = make()
    for _ in range(3):
        gc.collect()
        vecpack.read(pack(-EXPECTED))  # would be written over memory that was given back too early
    assert_same_bits(
        found if as_array == "numpy" else matrix(found.to_arrow() if as_array == "polars" else found),
        EXPECTED,
    )


def test_batches_that_are_kept_are_not_written_over(source):
    kept = [pa.record_batch(batch) for batch in source]
    for _ in range(3):
        assert_same_bits(matrix(source), EXPECTED)
    assert_same_bits(np.concatenate([matrix(batch) for batch in kept]), EXPECTED)


def test_batches_that_are_dropped_at_once_do_not_disturb_the_others(source):
    for _ in range(3):
        start = 0
        for number, batch in enumerate(source):
            expected = EXPECTED[start : start + batch.num_rows]
            start += batch.num_rows
            if number % 3 == 0:
                assert_same_bits(matrix(batch), expected)
            del batch
        assert start == ROWS


def test_a_stream_that_is_dropped_in_the_middle(source):
    for taken in range(4):
        reader = pa.RecordBatchReader.from_stream(source)
        for _ in range(taken):
            reader.read_next_batch()
        del reader
        batches = iter(source)
        for _ in range(taken):
            next(batches)
        del batches
        gc.collect()
    assert_same_bits(matrix(source), EXPECTED)


def test_a_capsule_that_nobody_takes(source):
    for _ in range(10):
        source.__arrow_c_stream__()
        source.__arrow_c_schema__()
        next(iter(source)).__arrow_c_array__()
    gc.collect()
    assert source.count_rows() == ROWS


def test_a_stream_outlives_its_source(source):
    reader = pa.RecordBatchReader.from_stream(vecpack.scan(source.files[0], batch_rows=700))
    batches = iter(vecpack.scan(source.files[0], batch_rows=700))
    gc.collect()
    assert_same_bits(matrix(reader.read_all()), EXPECTED)
    assert sum(batch.num_rows for batch in batches) == ROWS


@pytest.mark.parametrize("threads", [1, 4])
def test_a_stream_is_consumed_on_another_thread(source, threads):
    reader = pa.RecordBatchReader.from_stream(vecpack.scan(source.files[0], batch_rows=700, threads=threads))
    batches = iter(vecpack.scan(source.files[0], batch_rows=700, threads=threads))
    first, also_first = reader.read_next_batch(), next(batches)
    found = []

    def consume():
        found.append(matrix(pa.Table.from_batches([first, *reader])))
        found.append(np.concatenate([matrix(batch) for batch in (also_first, *batches)]))

    thread = threading.Thread(target=consume)
    thread.start()
    thread.join(30)
    for result in found:
        assert_same_bits(result, EXPECTED)
    assert len(found) == 2


def test_streams_are_independent_of_each_other(source):
    readers = [pa.RecordBatchReader.from_stream(source) for _ in range(3)]
    batches = [[reader.read_next_batch() for reader in readers] for _ in range(15)]
    for column in zip(*batches, strict=True):
        assert_same_bits(matrix(pa.Table.from_batches(column)), EXPECTED)


def test_the_schema_that_is_asked_for_may_be_the_own_one(source):
    schema = pa.schema(source)
    capsule = source.__arrow_c_stream__(schema.__arrow_c_schema__())
    assert capsule is not None
    reader = pa.RecordBatchReader.from_stream(source, schema=schema)
    assert_same_bits(matrix(reader.read_all()), EXPECTED)
    batch = next(iter(source))
    assert len(batch.__arrow_c_array__(requested_schema=schema.__arrow_c_schema__())) == 2


def test_an_error_reaches_consumers_with_its_text(write_file):
    path = write_file("bad.msgpack", [*EXPECTED, None])
    source = vecpack.scan(path, batch_rows=700)
    text = f"bad.msgpack: record {ROWS} .*found nil"
    with pytest.raises((pa.ArrowException, ValueError, OSError), match=text):
        pa.table(source)
    with pytest.raises(duckdb.Error, match=text):
        duckdb.sql("SELECT sum(vector[1]) FROM source").fetchall()
    for own in (source.to_pyarrow, source.to_numpy, lambda: list(source)):
        with pytest.raises(vecpack.DecodeError, match=text):
            own()


@pytest.mark.parametrize("name", ["a\0b", "a\nb\x1b[31m", "\udcff", "ä" * 5000])
def test_a_strange_name_in_an_error_does_no_harm(name):
    class Named(io.BytesIO):
        pass

    file = Named(pack([*EXPECTED[:2], None]))
    file.name = name
    source = vecpack.scan(file)
    with pytest.raises((pa.ArrowException, ValueError, OSError), match="record 2"):
        pa.table(source)
    with pytest.raises(vecpack.DecodeError, match="record 2") as caught:
        source.count_rows()
    assert str(caught.value).isprintable()


def test_a_split_is_consumed_part_by_part_in_threads(source):
    parts = source.split(4)
    found = [None] * 4

    def consume(number):
        found[number] = matrix(parts[number])

    threads = [threading.Thread(target=consume, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert_same_bits(np.concatenate(found), EXPECTED)
