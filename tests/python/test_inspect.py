"""What inspect says of a conversion is what the conversion does."""

import gzip
import io
import struct

import msgpack
import pytest
import vecpack

VECTOR = struct.pack("<16f", *range(16))


def record(number):
    return {"id": number, "v": VECTOR, "text": "x" * (number % 5)}


def pack(values):
    return b"".join(msgpack.packb(value) for value in values)


def prefixed(values):
    return b"".join(struct.pack(">I", len(data)) + data for data in map(msgpack.packb, values))


RECORDS = [record(number) for number in range(40)]
INPUTS = {
    "bare": (pack([VECTOR] * 40), {}),
    "lists": (pack([list(map(float, range(16)))] * 40), {}),
    "maps": (pack(RECORDS), {}),
    "arrays": (pack([[number, VECTOR, "x"] for number in range(40)]), {}),
    "array": (pack([RECORDS]), {}),
    "map": (pack([{f"key {number}": each for number, each in enumerate(RECORDS)}]), {}),
    "below": (pack([{"meta": 1, "rows": RECORDS[:20]}, {"meta": 2, "rows": RECORDS[20:]}]), {"records": "rows"}),
    "columns": (pack([{"id": list(range(40)), "v": [VECTOR] * 40}]), {}),
    "prefixed": (prefixed(RECORDS), {}),
    "extension": (pack([{"id": number, "v": msgpack.ExtType(42, VECTOR)} for number in range(40)]), {}),
    "one value of another type": (pack([*RECORDS, {**RECORDS[0], "id": "a"}, record(41)]), {}),
    "no vector": (pack([{"a": number} for number in range(40)]), {}),
    "texts": (pack(["abc"] * 40), {}),
    "nothing": (b"", {}),
}


def damaged(data):
    """The same bytes, and ways in which files are damaged."""
    middle = len(data) // 2
    yield "whole", data
    yield "cut", data[: middle + 3]
    yield "foreign bytes", data[:middle] + b"\xdd\xe0\x41\x00\x0e\xc1 noise" + data[middle:]
    yield "a changed byte", data[:middle] + b"\xda" + data[middle + 1 :]
    yield "zeros", data + bytes(50)
    yield "cut gzip", gzip.compress(data)[:-9]


POLICIES = [
    {"on_error": "raise"},
    {"on_error": "skip"},
    {"on_error": "null"},
    {"on_error": "skip", "fail_after": 0},
    {"on_error": "skip", "fail_after": "1%"},
]


def converted(inputs, options):
    """What a conversion ends with: an error, or rows, rejects and columns."""
    try:
        source = vecpack.scan(inputs, **options)
        return source.count_rows(), source.reject_count, source.schema.names
    except vecpack.VecpackError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize("kind", INPUTS)
def test_the_verdict_is_that_of_the_conversion(kind, policy, full):
    whole, options = INPUTS[kind]
    for damage, data in damaged(whole):
        for inputs in (data, [data, pack(RECORDS), data]):
            found = vecpack.inspect(inputs, full=full, **options, **policy)
            said = found.error or (found.rows, found.rejects, [column["name"] for column in found.columns])
            assert said == converted(inputs, options | policy), damage


def test_too_many_rejects_at_the_start_are_an_error_whatever_follows():
    data = pack([*RECORDS, *([None] * 1000), *(RECORDS * 200)])
    policy = {"on_error": "skip", "fail_after": "50%", "batch_rows": 100}
    assert "1,000 of" in converted(data, policy)
    assert vecpack.inspect(data, full=True, **policy).error == converted(data, policy)


class Stream(io.RawIOBase):
    """A stream that is read once."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self.data.read(size)


def test_a_stream_is_read_once_and_has_a_verdict():
    data = pack([*RECORDS, None])
    for policy in POLICIES:
        found = vecpack.inspect(Stream(data), full=True, **policy)
        assert (found.rows, found.rejects) == (41 if policy["on_error"] == "null" else 40, 1)
        expected = converted(Stream(data), policy)
        assert found.error == (expected if isinstance(expected, str) else None)
