"""What options say of bytes and extensions that do not say it themselves, and what becomes of values that no column understands."""

import datetime
import io
import struct

import msgpack
import msgpack_numpy
import numpy as np
import pyarrow as pa
import pytest
import vecpack

RNG = np.random.default_rng(22)
FLOATS = RNG.standard_normal((40, 64)).astype(np.float32)
INTEGERS = RNG.integers(-128, 128, (40, 64)).astype(np.int8)


def records(make):
    return b"".join(msgpack.packb(make(number), default=msgpack_numpy.encode) for number in range(40))


def column(data, name, **options):
    """The vectors of a column."""
    return np.stack(pa.table(vecpack.scan(data, **options))[name].to_numpy())


TWO = records(lambda n: {"id": n, "v": FLOATS[n].tobytes(), "meta": {"q": INTEGERS[n].tobytes()}})


@pytest.mark.parametrize(
    "options",
    [
        {"raw_dtype": {"meta.q": "|i1"}, "vector": ["v", "meta.q"]},
        {"raw_dtype": {"meta.q": np.int8}, "vector": ["v", "meta.q"]},
        {"raw_dtype": {"v": "<f4", "meta.q": "int8"}, "vector": ["v", "meta.q"]},
    ],
)
def test_each_column_has_a_raw_dtype_of_its_own(options):
    np.testing.assert_array_equal(column(TWO, "v", **options), FLOATS)
    np.testing.assert_array_equal(column(TWO, "meta.q", **options), INTEGERS.astype("f4"))


def test_a_vector_type_in_schema_tells_the_type_of_as_many_bytes():
    flat = records(lambda n: {"id": n, "v": FLOATS[n].tobytes(), "q": INTEGERS[n].tobytes()})
    options = {"schema": {"q": "int8[64]"}, "vector": ["v", "q"]}
    np.testing.assert_array_equal(column(flat, "q", **options), INTEGERS)
    np.testing.assert_array_equal(column(flat, "v", **options), FLOATS)
    doubles = records(lambda n: {"id": n, "v": FLOATS[n].astype("f8").tobytes()})
    np.testing.assert_array_equal(column(doubles, "v", schema={"v": "float64[64]"}), FLOATS.astype("f8"))
    bare = b"".join(msgpack.packb(row.tobytes()) for row in INTEGERS)
    np.testing.assert_array_equal(column(bare, "vector", schema={"vector": "int8[64]"}), INTEGERS)
    np.testing.assert_array_equal(column(bare, "vector", raw_dtype={"vector": "|i1"}), INTEGERS.astype("f4"))
    # Bytes that are a vector of both types keep the type that raw_dtype gives.
    assert column(bare, "vector", schema={"vector": "float64[16]"}).shape == (40, 16)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


EXTENSIONS = {
    "elements": (lambda v: v.astype(">f8").tobytes(), ">f8"),
    "npy": (npy, "npy"),
    "langgraph": (lambda v: msgpack.packb([v.dtype.str, v.shape, "C", v.tobytes()]), "msgpack"),
    "list": (lambda v: msgpack.packb([v.dtype.str, v.shape, v.tobytes()]), "msgpack"),
    "numpy": (lambda v: msgpack.packb(v, default=msgpack_numpy.encode), "msgpack"),
    "numbers": (lambda v: msgpack.packb(v.tolist()), "msgpack"),
}


@pytest.mark.parametrize("code", [0, 1, 42, 116, 127])
@pytest.mark.parametrize("kind", EXTENSIONS)
def test_the_payload_of_an_extension_is_what_extensions_says(kind, code):
    write, payload = EXTENSIONS[kind]
    data = records(lambda n: {"id": n, "v": msgpack.ExtType(code, write(FLOATS[n]))})
    bare = records(lambda n: msgpack.ExtType(code, write(FLOATS[n])))
    for threads in (1, 3):
        options = {"extensions": {code: payload}, "threads": threads}
        np.testing.assert_array_equal(column(data, "v", **options), FLOATS)
        np.testing.assert_array_equal(column(bare, "vector", **options), FLOATS)
    cut = records(lambda n: {"id": n, "v": msgpack.ExtType(code, write(FLOATS[n])[: -1 if n == 7 else None])})
    source = vecpack.scan(cut, extensions={code: payload}, on_error="skip")
    assert pa.table(source)["id"].to_pylist() == [n for n in range(40) if n != 7]


AT = datetime.datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=datetime.UTC)
SECONDS, NANOSECONDS = int(AT.timestamp()), 250_000_000


@pytest.mark.parametrize(
    ("code", "payload", "written"),
    [
        (0, "timestamp-fluentd", struct.pack(">II", SECONDS, NANOSECONDS)),
        (5, "timestamp-tinylib", struct.pack(">qI", SECONDS, NANOSECONDS)),
        (13, "timestamp-msgpack-lite", msgpack.packb(SECONDS * 1000 + 250)),
        (13, "timestamp-msgpack-lite", msgpack.packb(float(SECONDS * 1000 + 250))),
        (9, "timestamp", msgpack.Timestamp(SECONDS, NANOSECONDS).to_bytes()),
    ],
)
def test_times_of_known_libraries_are_timestamps(code, payload, written):
    data = records(lambda n: {"at": msgpack.ExtType(code, written), "v": FLOATS[n].tobytes()})
    table = pa.table(vecpack.scan(data, extensions={code: payload}))
    assert table.schema.field("at").type == pa.timestamp("ns", "UTC")
    assert table["at"].to_pylist() == [AT] * 40
    # Without the option the payload is kept.
    table = pa.table(vecpack.scan(data))
    assert table["at"].to_pylist() == [written] * 40


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_a_field_that_no_column_understands_costs_nothing_else(policy):
    def record(n):
        matrix = FLOATS[n][: 4 * (n % 3 + 1)].reshape(-1, 4)
        return {
            "id": n,
            "own": msgpack.ExtType(42, b"payload"),
            "complex": np.complex64(1j),
            "matrix": matrix,
            "v": FLOATS[n].tobytes(),
        }

    with pytest.warns(UserWarning, match="`complex`: left out: complex numbers"):
        source = vecpack.scan(records(record), on_error=policy)
    table = pa.table(source)
    assert (table.num_rows, source.reject_count) == (40, 0)
    assert table["own"].to_pylist() == [b"payload"] * 40
    assert table["matrix"].to_pylist() == [record(n)["matrix"].tolist() for n in range(40)]
    assert "complex" not in table.column_names


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"extensions": {-1: "timestamp"}}, vecpack.OptionError),
        ({"extensions": {200: "<f4"}}, vecpack.OptionError),
        ({"extensions": {42: "<f3"}}, vecpack.OptionError),
        ({"extensions": {42: 4}}, TypeError),
        ({"extensions": [42]}, TypeError),
        ({"raw_dtype": {"v": "<f3"}}, vecpack.OptionError),
        ({"raw_dtype": {1: "<f4"}}, TypeError),
    ],
)
def test_what_such_options_cannot_be_is_an_error(options, error):
    with pytest.raises(error):
        vecpack.scan(TWO, **options)


def test_times_too_far_for_nanoseconds_are_microseconds():
    far = [datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC), datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)]

    def read(at):
        data = b"".join(
            msgpack.packb({"at": time, "v": FLOATS[n].tobytes()}, datetime=True) for n, time in enumerate(at)
        )
        return vecpack.scan(data, on_error="skip")

    for at in (far, [*far, AT], [None, *far]):
        table = pa.table(read(at))
        assert table.schema.field("at").type == pa.timestamp("us", "UTC")
        assert table["at"].to_pylist() == at
    # Times with nanoseconds keep them.
    source = read([msgpack.Timestamp(SECONDS, 1), *far])
    table = pa.table(source)
    assert (table["at"].cast(pa.int64()).to_pylist(), source.reject_count) == ([SECONDS * 10**9 + 1], 2)
