"""The user's own iterators: `from_iter` and `take_iter`."""

import array
import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, vectors

ROWS, DIM = 1000, 6
EXPECTED = vectors(ROWS, DIM)

FORMS = {
    "bytes": lambda row: row.tobytes(),
    "bytearray": lambda row: bytearray(row.tobytes()),
    "memoryview": lambda row: memoryview(row.tobytes()),
    "numpy row": lambda row: row,
    "memoryview of floats": lambda row: memoryview(row),
    "array of floats": lambda row: array.array("f", row),
}


@pytest.mark.parametrize("form", FORMS)
def test_items_of_any_form_make_a_stream(form):
    stream = vecpack.from_iter(map(FORMS[form], EXPECTED), batch_rows=300)
    assert stream.schema.names == ["vector"]
    assert_same_bits(matrix(stream), EXPECTED)


@pytest.mark.parametrize("form", FORMS)
def test_items_of_any_form_fill_an_array(form):
    out = np.full((ROWS + 10, DIM), 7, np.float32)
    assert vecpack.take_iter(map(FORMS[form], EXPECTED), out) == ROWS
    assert_same_bits(out[:ROWS], EXPECTED)
    assert (out[ROWS:] == 7).all()


def test_items_of_several_forms_in_one_iterator():
    forms = list(FORMS.values())
    items = (forms[n % len(forms)](row) for n, row in enumerate(EXPECTED))
    assert_same_bits(matrix(vecpack.from_iter(items)), EXPECTED)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_the_element_type_of_an_array_counts(dtype):
    rows = np.random.default_rng(2).integers(0, 100, (50, 4)).astype(dtype)
    assert_same_bits(matrix(vecpack.from_iter(rows, dim=4)), rows.astype("f4"))
    assert_same_bits(matrix(vecpack.from_iter(iter(rows), dim=4, dtype="float64")), rows.astype("f8"))
    out = np.zeros((50, 4), np.float32)
    assert vecpack.take_iter(rows, out) == 50
    assert_same_bits(out, rows.astype("f4"))


def test_a_big_endian_array_counts_as_what_it_is():
    rows = EXPECTED.astype(">f4")
    try:
        found = matrix(vecpack.from_iter(rows))
    except TypeError:
        return  # refused is right as well, swapped is not
    assert_same_bits(found, EXPECTED)


def test_floats_are_rounded_and_what_does_not_fit_is_an_error():
    rows = vectors(10, 3, dtype="f8") / 3
    assert_same_bits(matrix(vecpack.from_iter(rows)), rows.astype("f4"))
    rows[7, 1] = 1e300
    with pytest.raises(vecpack.DecodeError, match="1e300") as caught:
        vecpack.from_iter(rows).to_pyarrow()
    assert caught.value.record == 7
    with pytest.raises(vecpack.DecodeError) as caught:
        vecpack.from_iter(np.array([[1, 2], [3, 2**24 + 1]])).to_pyarrow()
    assert caught.value.record == 1


def test_every_bit_of_an_item_is_kept():
    bits = np.random.default_rng(3).integers(0, 1 << 32, (200, 5), np.uint32)
    out = np.zeros((200, 5), np.float32)
    for items in (bits.view("f4"), [row.tobytes() for row in bits]):
        assert_same_bits(matrix(vecpack.from_iter(items)).view("u4"), bits)
        assert vecpack.take_iter(items, out) == 200
        assert_same_bits(out.view("u4"), bits)


@pytest.mark.parametrize("raw", [">f4", "<f8", "<f2", "bf16"])
def test_bytes_are_read_as_raw_dtype(raw):
    rows = np.random.default_rng(2).integers(0, 100, (50, 4)).astype("f4")
    stored = (rows.view("u4") >> 16).astype("u2") if raw == "bf16" else rows.astype(raw)
    items = [row.tobytes() for row in stored]
    assert_same_bits(matrix(vecpack.from_iter(items, raw_dtype=raw)), rows)
    out = np.zeros((50, 4), np.float32)
    assert vecpack.take_iter(items, out, raw_dtype=raw) == 50
    assert_same_bits(out, rows)


def test_items_with_gaps_are_copied_right_or_refused():
    backwards = np.ascontiguousarray(EXPECTED[:, ::-1])[:, ::-1]
    for rows in (np.repeat(EXPECTED, 2, axis=1)[:, ::2], np.asfortranarray(EXPECTED), backwards):
        assert not rows[0].flags.c_contiguous
        out = np.zeros((ROWS, DIM), np.float32)
        try:
            found = matrix(vecpack.from_iter(rows))
            vecpack.take_iter(rows, out)
        except (TypeError, BufferError):
            continue
        assert_same_bits(found, EXPECTED)
        assert_same_bits(out, EXPECTED)


@pytest.mark.parametrize(
    "item",
    [None, 1, 1.5, "text", [1.0, 2.0], object(), np.zeros((2, 3), "f4"), np.array(["a"]), np.zeros(6, "c8")],
)
def test_an_item_of_another_kind_is_a_type_error(item):
    with pytest.raises(TypeError):
        vecpack.from_iter([EXPECTED[0], item]).to_pyarrow()
    with pytest.raises(TypeError):
        vecpack.from_iter([item], dim=DIM).to_pyarrow()
    with pytest.raises(TypeError):
        vecpack.take_iter([EXPECTED[0], item], np.zeros((4, DIM), np.float32))


@pytest.mark.parametrize(
    "item", [b"", bytes(4 * DIM - 1), bytes(4 * DIM + 4), EXPECTED[0, :-1], np.zeros(2 * DIM, "f4")]
)
def test_an_item_of_another_length_is_an_error_that_tells_its_number(item):
    items = [*EXPECTED[:700], item, *EXPECTED[:10]]
    for consume in (lambda stream: stream.to_pyarrow(), list, lambda stream: stream.to_numpy()):
        with pytest.raises(vecpack.DecodeError, match="700") as caught:
            consume(vecpack.from_iter(items, batch_rows=100))
        assert caught.value.record == 700
    with pytest.raises(vecpack.DecodeError, match="700") as caught:
        vecpack.take_iter(items, np.zeros((2000, DIM), np.float32))
    assert caught.value.record == 700
    with pytest.raises(Exception, match="700"):
        pa.table(vecpack.from_iter(items))


def test_the_dimension_is_the_first_items_or_the_one_given():
    assert pa.table(vecpack.from_iter(EXPECTED)).schema.field("vector").type.list_size == DIM
    with pytest.raises(vecpack.DecodeError) as caught:
        vecpack.from_iter(EXPECTED, dim=DIM + 1).to_pyarrow()
    assert caught.value.record == 0


def test_an_empty_iterable():
    stream = vecpack.from_iter([], dim=3)
    assert pa.schema(stream.schema).field("vector").type.list_size == 3
    assert pa.table(stream).num_rows == 0
    assert vecpack.take_iter(iter(()), np.zeros((3, 2), np.float32)) == 0
    assert vecpack.take_iter([], np.zeros((0, 2), np.float32)) == 0
    with pytest.raises(vecpack.SchemaError, match="dim"):
        vecpack.from_iter([]).to_pyarrow()


@pytest.mark.parametrize("iterable", [None, 5, object()])
def test_what_is_not_iterable_is_a_type_error(iterable):
    with pytest.raises(TypeError):
        vecpack.from_iter(iterable, dim=3)
    with pytest.raises(TypeError):
        vecpack.take_iter(iterable, np.zeros((3, 2), np.float32))


class MineError(Exception):
    """An exception of the user's own."""


def broken(raised, after=500):
    yield from EXPECTED[:after]
    raise raised


def stream_of(items):
    return vecpack.from_iter(items, dim=DIM, batch_rows=100)


CONSUMERS = {
    "iteration": lambda items, out: list(stream_of(items)),
    "to_pyarrow": lambda items, out: stream_of(items).to_pyarrow(),
    "to_polars": lambda items, out: stream_of(items).to_polars(),
    "to_numpy": lambda items, out: stream_of(items).to_numpy(),
    "to_parquet": lambda items, out: vecpack.to_parquet(stream_of(items), out),
    "take_iter": lambda items, out: vecpack.take_iter(items, np.zeros((ROWS, DIM), np.float32)),
}


@pytest.mark.parametrize("after", [0, 1, 99, 100, 500])
@pytest.mark.parametrize("kind", [MineError, KeyError, StopAsyncIteration, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_an_exception_of_the_iterator_comes_through_unchanged(tmp_path, consumer, kind, after):
    raised = kind("of the iterator")
    with pytest.raises(kind) as caught:
        CONSUMERS[consumer](broken(raised, after), tmp_path / "out.parquet")
    assert caught.value is raised
    assert list(tmp_path.iterdir()) == []


def test_the_text_of_an_exception_of_the_iterator_reaches_foreign_consumers():
    with pytest.raises(Exception, match="of the iterator"):
        pa.table(vecpack.from_iter(broken(MineError("of the iterator")), batch_rows=100))


def test_an_exception_without_the_dimension():
    raised = MineError("at once")
    with pytest.raises(MineError) as caught:
        vecpack.from_iter(broken(raised, 0)).to_pyarrow()
    assert caught.value is raised


def test_rows_in_front_of_an_exception_come_first():
    batches = iter(vecpack.from_iter(broken(MineError(), 250), batch_rows=100))
    assert [next(batches).num_rows, next(batches).num_rows] == [100, 100]
    with pytest.raises(MineError):
        list(batches)


def test_the_iterator_is_asked_for_a_batch_at_a_time():
    asked = 0

    def items():
        nonlocal asked
        for row in EXPECTED:
            asked += 1
            yield row

    batches = iter(vecpack.from_iter(items(), dim=DIM, batch_rows=100))
    next(batches)
    assert asked <= 201
    assert sum(batch.num_rows for batch in batches) == ROWS - 100
    assert asked == ROWS


def test_an_endless_iterator_streams():
    def endless():
        while True:
            yield EXPECTED[0]

    batches = iter(vecpack.from_iter(endless(), batch_rows=10))
    for _ in range(5):
        assert next(batches).num_rows == 10
    reader = pa.RecordBatchReader.from_stream(vecpack.from_iter(endless(), batch_rows=10))
    assert reader.read_next_batch().num_rows == 10


def test_a_stream_is_consumed_once():
    stream = vecpack.from_iter(EXPECTED)
    assert pa.table(stream).num_rows == ROWS
    with pytest.raises(Exception, match="once"):
        pa.table(stream)


def test_a_generator_that_is_dropped_in_the_middle_is_closed():
    closed = []

    def items():
        try:
            yield from EXPECTED
        finally:
            closed.append(True)

    batches = iter(vecpack.from_iter(items(), batch_rows=10))
    next(batches)
    assert not closed
    del batches
    gc.collect()
    assert closed == [True]


def test_a_generator_that_uses_vecpack_itself():
    def items():
        for row in EXPECTED[:50]:
            yield vecpack.read(pack([row])).to_numpy()[0]

    assert_same_bits(matrix(vecpack.from_iter(items(), batch_rows=7)), EXPECTED[:50])


def test_items_that_change_after_they_were_given_are_copied_in_time():
    row = np.zeros(3, np.float32)

    def items():
        for n in range(20):
            row[:] = n
            yield row

    expected = np.repeat(np.arange(20, dtype="f4"), 3).reshape(20, 3)
    assert_same_bits(matrix(vecpack.from_iter(items(), batch_rows=7)), expected)


def test_a_stream_in_other_types_and_to_other_consumers():
    stream = vecpack.from_iter(np.arange(6, dtype="i2").reshape(3, 2), dtype="int8")
    assert stream.to_polars().schema == {"vector": pl.Array(pl.Int8, 2)}
    assert_same_bits(np.stack(vecpack.from_iter(EXPECTED[:5]).to_pandas()["vector"]), EXPECTED[:5])
    for options in (
        {"dtype": "float31"},
        {"raw_dtype": "f3"},
        {"batch_rows": 0},
        {"batch_bytes": 0},
        {"dim": 0},
    ):
        with pytest.raises(vecpack.OptionError):
            vecpack.from_iter(EXPECTED, **options)


def test_batch_bytes_bounds_the_batches_of_a_stream():
    sizes = [batch.num_rows for batch in vecpack.from_iter(EXPECTED, batch_bytes=10 * 4 * DIM + 1)]
    assert sizes == [10] * 100


def test_too_many_items_are_an_error_that_tells_the_item():
    out = np.zeros((10, DIM), np.float32)
    with pytest.raises(vecpack.DecodeError, match="10") as caught:
        vecpack.take_iter(EXPECTED, out)
    assert isinstance(caught.value, ValueError)
    assert caught.value.record == 10
    assert vecpack.take_iter(EXPECTED[:10], out) == 10
    assert_same_bits(out, EXPECTED[:10])


def unwritable():
    out = np.zeros((4, DIM), np.float32)
    out.flags.writeable = False
    return out


WRONG = {
    "float64": np.zeros((4, DIM)),
    "int32": np.zeros((4, DIM), np.int32),
    "one dimension": np.zeros(4 * DIM, np.float32),
    "three dimensions": np.zeros((4, DIM, 1), np.float32),
    "read-only": unwritable(),
    "bytes": bytes(4 * DIM),
    "columns with gaps": np.zeros((4, 2 * DIM), np.float32)[:, ::2],
    "rows with gaps": np.zeros((8, DIM), np.float32)[::2],
    "in Fortran's order": np.zeros((4, DIM), np.float32, order="F"),
    "backwards": np.zeros((4, DIM), np.float32)[::-1],
    "other byte order": np.zeros((4, DIM), ">f4"),
    "list": [[0.0] * DIM] * 4,
    "None": None,
}


@pytest.mark.parametrize("name", WRONG)
def test_an_array_that_cannot_be_filled_is_a_type_error(name):
    asked = []
    with pytest.raises(TypeError):
        vecpack.take_iter((asked.append(row) or row for row in EXPECTED[:4]), WRONG[name])
    assert asked == []


def test_part_of_an_array_is_filled_and_nothing_around_it():
    out = np.full((20, DIM), 7, np.float32)
    assert vecpack.take_iter(EXPECTED[:10], out[5:15]) == 10
    assert_same_bits(out[5:15], EXPECTED[:10])
    assert (out[[*range(5), *range(15, 20)]] == 7).all()


def test_rows_of_the_array_itself_as_items():
    out = EXPECTED[:4].copy()
    assert vecpack.take_iter((out[n] for n in (3, 2, 1, 0)), out) == 4
    assert_same_bits(out, EXPECTED[[3, 2, 2, 3]])
    assert vecpack.take_iter((out[n] for n in range(4)), out) == 4
    assert_same_bits(out, EXPECTED[[3, 2, 2, 3]])


def test_a_stream_that_was_read_still_has_its_schema():
    stream = vecpack.from_iter(EXPECTED)
    table = stream.to_pyarrow()
    assert pa.schema(stream.schema) == table.schema


# More than a few parts of what is copied at a time.
LARGE = np.random.default_rng(5).standard_normal((3000, 700), np.float32)


def test_a_large_array_is_filled_and_what_has_no_items_stays_as_it_is():
    for count in (3000, 2999, 1500, 375, 374, 1, 0):
        out = np.full((3000, 700), 7, np.float32)
        assert vecpack.take_iter((row.tobytes() for row in LARGE[:count]), out) == count
        assert_same_bits(out[:count], LARGE[:count])
        assert (out[count:] == 7).all()


def test_behind_an_error_the_rows_of_a_large_array_before_it_are_filled():
    def items(error):
        yield from LARGE[:2500]
        if error:
            raise KeyError("no more")
        yield bytes(3)

    for error, expected in ((True, KeyError), (False, vecpack.DecodeError)):
        out = np.zeros((3000, 700), np.float32)
        with pytest.raises(expected):
            vecpack.take_iter(items(error), out)
        assert_same_bits(out[:2500], LARGE[:2500])
        assert (out[2500:] == 0).all()
    out = np.zeros((2000, 700), np.float32)
    with pytest.raises(vecpack.DecodeError, match="2000"):
        vecpack.take_iter(LARGE, out)
    assert_same_bits(out, LARGE[:2000])


def test_rows_of_a_large_array_as_items_are_what_was_written_to_them():
    out = np.zeros((3000, 700), np.float32)

    def items():
        yield LARGE[0]
        for row in range(1, 3000):
            yield out[row - 1]

    assert vecpack.take_iter(items(), out) == 3000
    assert_same_bits(out, np.broadcast_to(LARGE[0], out.shape))


def test_large_arrays_are_filled_by_many_threads_at_once():
    def fill(seed):
        out = np.empty((3000, 700), np.float32)
        vecpack.take_iter(np.roll(LARGE, seed, axis=0), out)
        return out

    with ThreadPoolExecutor(8) as pool:
        for seed, out in enumerate(pool.map(fill, range(16))):
            assert_same_bits(out, np.roll(LARGE, seed, axis=0))


def test_rows_longer_than_a_part():
    vectors = np.random.default_rng(6).standard_normal((5, 300_001), np.float32)
    out = np.zeros_like(vectors)
    assert vecpack.take_iter(vectors, out) == 5
    assert_same_bits(out, vectors)
