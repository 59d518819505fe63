"""Any bytes, in any pieces, by any number of threads: whole objects give what a naive decoder in Python makes of
them, and damaged ones what one thread makes of them."""

import io
from random import Random

import msgpack
import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import matrix, rejects
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from naive import DIM, UNLIMITED, is_legal, naive


class ShortReads(io.RawIOBase):
    """A file object that gives as many bytes at a time as it likes."""

    def __init__(self, data, random):
        self.rest, self.random = io.BytesIO(data), random

    def read(self, size=-1):
        return self.rest.read(min(size, self.random.randint(1, 40)))


def vector_bytes(head):
    return st.binary(min_size=4 * DIM, max_size=4 * DIM).map(lambda data: head + data)


heads = st.sampled_from([b"\xc4\x08", b"\xa8", b"\xd9\x08", b"\xc5\0\x08", b"\xdb\0\0\0\x08", b"\xc6\0\0\0\x08"])
vector = heads.flatmap(vector_bytes)
plain = vector_bytes(b"\xc4\x08")
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.binary(max_size=40)
    | st.text(max_size=40)
)
# Of types that nobody writes vectors with.
extensions = st.builds(msgpack.ExtType, st.integers(40, 97), st.binary(max_size=20))
objects = st.recursive(
    scalars | extensions,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)
other = objects.map(msgpack.packb)
# Long runs of equal records take other ways through the decoder than single ones.
run = st.tuples(plain | vector | other, st.integers(1, 200)).map(lambda run: run[0] * run[1])
records = st.lists(run | vector | other, max_size=12).map(b"".join)


FIRST = b"\xc4\x08" + bytes(8)
"""What records are shows in the first of them that tells: here a bare vector."""


@st.composite
def damaged(draw):
    """Records, of which some bytes are something else, and of which the end may be missing."""
    data = bytearray(draw(records))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@st.composite
def pieces(draw, whole):
    """The bytes, cut anywhere into a list of inputs."""
    data = draw(whole)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


# The bytes of each input, and whether they are records as they were written.
inputs_of_any_kind = st.tuples(st.tuples(records), st.just(True)) | st.tuples(
    pieces(records | damaged()), st.just(False)
)


def as_inputs(parts, kinds, random, tmp_path):
    """Each part as an input of some kind."""
    for number, (part, kind) in enumerate(zip(parts, kinds, strict=False)):
        if kind == "file":
            path = tmp_path / f"{number}.msgpack"
            path.write_bytes(part)
            yield path
        else:
            yield part if kind == "bytes" else ShortReads(part, random)


def assert_same_numbers(found, expected):
    """The same bits, but for NaN, whose bits a list of Python's floats does not keep."""
    np.testing.assert_array_equal(found, expected)


def alone(parts, policy="skip"):
    """What one thread makes of inputs that may be damaged: rows and rejects, as the naive decoder gives them."""
    source = vecpack.scan(parts, dim=DIM, vector="vector", on_error=policy, threads=1, max_rejects=10**6)
    column = pa.table(source)["vector"]
    values = column.combine_chunks()
    rows = [None if row is None else np.array(row, np.float32).tobytes() for row in column.to_pylist()]
    if not values.null_count:
        flat = values.flatten().to_numpy().tobytes()
        rows = [flat[at : at + 4 * DIM] for at in range(0, len(flat), 4 * DIM)]
    return rows, rejects(source, "record", "offset", "length", "kind")


@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    parts=inputs_of_any_kind,
    kinds=st.lists(st.sampled_from(["bytes", "file", "stream"]), min_size=4, max_size=4),
    random=st.randoms(use_true_random=False),
    threads=st.sampled_from([1, 2, 3, 8]),
    batch_rows=st.sampled_from([None, 1, 2, 3, 7, 64]),
    policy=st.sampled_from(["raise", "skip", "null"]),
)
@example(
    parts=([b"\xc4\x08" + bytes(8) + b"\xc1" + bytes(1000)], False),
    kinds=["stream"],
    random=Random(0),
    threads=1,
    batch_rows=None,
    policy="skip",
)
@example(
    parts=([b"", b"\x93" + bytes(9) + FIRST + b"\xc0" + 3 * FIRST], False),
    kinds=["bytes", "bytes"],
    random=Random(0),
    threads=1,
    batch_rows=None,
    policy="skip",
)
@example(
    parts=([b"\x91\x92\xc2" + FIRST], True),
    kinds=["bytes"],
    random=Random(0),
    threads=1,
    batch_rows=None,
    policy="skip",
)
@example(
    parts=([b"\x91\x92\xca" + bytes(4) + FIRST], True),
    kinds=["bytes"],
    random=Random(0),
    threads=1,
    batch_rows=None,
    policy="null",
)
def test_the_rows_and_the_rejects_are_those_of_a_naive_decoder(
    tmp_path, parts, kinds, random, threads, batch_rows, policy
):
    parts, is_written = parts
    parts = [FIRST + parts[0], *parts[1:]]
    is_naive = policy == "raise" or (is_written and all(map(is_legal, parts)))
    expected = [naive(part) for part in parts] if is_naive else [alone(parts, policy)]
    inputs = list(as_inputs(parts, kinds, random, tmp_path))
    # Bare vectors, whatever else there is more of.
    options = {"dim": DIM, "vector": "vector", "on_error": policy, "threads": threads, "batch_rows": batch_rows}
    source = vecpack.scan(inputs, **options, max_rejects=10**6)
    bad = [reject for _, found in expected for reject in found]
    if policy == "raise" and bad:
        with pytest.raises(vecpack.DecodeError) as caught:
            source.to_pyarrow()
        assert (caught.value.record, caught.value.offset) == bad[0][:2]
        return
    column = pa.table(source)["vector"]
    rows = [row for found, _ in expected for row in found if row is not None or policy == "null"]
    assert column.is_valid().to_pylist() == [row is not None for row in rows]
    values = column.combine_chunks().flatten().to_numpy()
    assert_same_numbers(values, np.frombuffer(b"".join(row for row in rows if row is not None), np.float32))
    assert rejects(source, "record", "offset", "length", "kind") == bad
    assert source.reject_count == len(bad)


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    parts=inputs_of_any_kind,
    number=st.integers(1, 9),
    kinds=st.lists(st.sampled_from(["bytes", "file"]), min_size=4, max_size=4),
)
def test_any_split_is_the_whole(tmp_path, parts, number, kinds):
    parts, is_written = parts
    parts = [FIRST + parts[0], *parts[1:]]
    is_naive = is_written and all(map(is_legal, parts))
    expected = [naive(part) for part in parts] if is_naive else [alone(parts)]
    inputs = list(as_inputs(parts, kinds, None, tmp_path))
    source = vecpack.scan(inputs, dim=DIM, vector="vector", on_error="skip", max_rejects=10**6)
    split = source.split(number)
    assert len(split) == number
    found = b"".join(matrix(part).tobytes() for part in split)
    assert found == b"".join(row for rows, _ in expected for row in rows if row is not None)
    columns = ("record", "offset", "length", "kind")
    assert [reject for part in split for reject in rejects(part, *columns)] == [
        reject for _, bad in expected for reject in bad
    ]


@settings(deadline=None, max_examples=100)
@given(data=st.lists(vector | (scalars | extensions).map(msgpack.packb), max_size=12).map(b"".join))
def test_the_dimension_is_inferred_from_the_first_whole_vector(data):
    def is_vector(head, end, start):
        return head is not None and end - start > head and (end - start - head) % 4 == 0

    expected, at = None, 0
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, **UNLIMITED)
    unpacker.feed(data)
    try:
        while expected is None and at < len(data):
            unpacker.skip()
            end, marker = unpacker.tell(), data[at]
            head = 1 if 0xA0 <= marker <= 0xBF else {0xC4: 2, 0xC5: 3, 0xC6: 5, 0xD9: 2, 0xDA: 3, 0xDB: 5}.get(marker)
            if is_vector(head, end, at):
                expected = (end - at - head) // 4
            at = end
    except (msgpack.OutOfData, msgpack.FormatError):
        pass
    for inputs in (data, io.BytesIO(data)):
        if expected is None:
            with pytest.raises(vecpack.SchemaError):
                vecpack.scan(inputs, infer_records=0)
        else:
            assert vecpack.scan(inputs, infer_records=0).dim == expected


@settings(deadline=None, max_examples=100)
@given(
    items=st.lists(st.binary(min_size=8, max_size=8) | st.binary(max_size=12), max_size=40),
    batch_rows=st.integers(1, 10),
    room=st.integers(0, 40),
)
def test_iterators_are_taken_item_by_item(items, batch_rows, room):
    wrong = next((n for n, item in enumerate(items) if len(item) != 8), None)
    good = b"".join(items if wrong is None else items[:wrong])
    stream = vecpack.from_iter(iter(items), dim=DIM, batch_rows=batch_rows)
    if wrong is None:
        assert matrix(stream.to_pyarrow()).tobytes() == good
    else:
        with pytest.raises(vecpack.DecodeError) as caught:
            stream.to_pyarrow()
        assert caught.value.record == wrong

    out = np.full((room, DIM), 7, np.float32)
    count = min(len(items) if wrong is None else wrong, room)
    if wrong is None and len(items) <= room:
        assert vecpack.take_iter(items, out) == count
    else:
        with pytest.raises(vecpack.DecodeError) as caught:
            vecpack.take_iter(items, out)
        assert caught.value.record == count
    assert out[:count].tobytes() == good[: 8 * count]
    assert (out[count:] == 7).all()
