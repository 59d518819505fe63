"""Records in any mix of encodings, layouts and framings, written with msgpack, read back equal."""

import io
import warnings

import msgpack
import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, rejects, vectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DIM = 17
PACKER = msgpack.Packer(autoreset=True)
OLD_PACKER = msgpack.Packer(use_bin_type=False)
SINGLE_PACKER = msgpack.Packer(use_single_float=True)


def numpy_map(vector, keys=bytes, kind=True):
    """As msgpack-numpy writes an array."""
    fields = {"nd": True, "type": vector.dtype.str, "kind": b"", "shape": vector.shape, "data": vector.tobytes()}
    if not kind:
        del fields["kind"]
    return PACKER.pack({key.encode() if keys is bytes else key: value for key, value in fields.items()})


def flax_extension(vector):
    return PACKER.pack(msgpack.ExtType(1, msgpack.packb((vector.shape, vector.dtype.name, vector.tobytes()))))


def numbers(vector):
    """Whole numbers as integers, as JavaScript writes them."""
    return [int(x) if abs(x) < 2**53 and x == int(x) and (x != 0 or not np.signbit(x)) else float(x) for x in vector]


ENCODINGS = {
    "bytes": lambda v: PACKER.pack(v.tobytes()),
    "raw": lambda v: OLD_PACKER.pack(v.tobytes()),
    "float64": lambda v: PACKER.pack(v.tolist()),
    "float32": lambda v: SINGLE_PACKER.pack(v.tolist()),
    "mixed": lambda v: PACKER.pack(numbers(v)),
    "msgpack-numpy": numpy_map,
    "msgpack-numpy, str keys": lambda v: numpy_map(v, keys=str),
    "msgpack-numpy, no kind": lambda v: numpy_map(v, kind=False),
    "msgpack-numpy, one row": lambda v: numpy_map(v.reshape(1, -1)),
    "msgpack-numpy, big-endian": lambda v: numpy_map(v.astype(">f4")),
    "msgpack-numpy, float64": lambda v: numpy_map(v.astype("<f8")),
    "__ndarray__": lambda v: PACKER.pack(
        {b"__ndarray__": True, b"data": v.tobytes(), b"dtype": "<f4", b"shape": v.shape}
    ),
    "flax": flax_extension,
    "tuple": lambda v: PACKER.pack(("<f4", v.shape, msgpack.ExtType(3, v.tobytes()))),
    "typed array": lambda v: PACKER.pack(msgpack.ExtType(ord("t"), b"\x07" + v.tobytes())),
    "blit": lambda v: PACKER.pack(msgpack.ExtType(38, msgpack.packb(v.nbytes) + b"\xc3" + v.tobytes())),
    "blit, big-endian": lambda v: PACKER.pack(
        msgpack.ExtType(38, msgpack.packb(v.nbytes) + b"\xc2" + v.astype(">f4").tobytes())
    ),
    "aligned": lambda v: PACKER.pack(msgpack.ExtType(0, b"\x03\0\0" + v.tobytes())),
    "Rust ndarray": lambda v: SINGLE_PACKER.pack((1, v.shape, v.tolist())),
    "numcodecs": lambda v: PACKER.pack([*v.tolist(), "<f4", v.shape]),
}

floats = st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 3.0, float("nan"), float("inf")])
vector = st.lists(floats, min_size=DIM, max_size=DIM).map(lambda values: np.array(values, np.float32))


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("threads", [1, 4])
def test_an_encoding(write_file, name, threads):
    expected = vectors(3000, DIM)
    expected[7, :7] = [0, -0.0, 1, -1, np.inf, np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal]
    data = b"".join(ENCODINGS[name](row) for row in expected)
    source = vecpack.scan(write_file("v.msgpack", data), threads=threads, batch_rows=64)
    assert source.framing == "sequence"
    assert_same_bits(matrix(source), expected)


@pytest.mark.filterwarnings("ignore:.*these bytes look like")
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(st.sampled_from(list(ENCODINGS)), vector, st.integers(1, 30)), min_size=1, max_size=12),
    threads=st.sampled_from([1, 2, 5]),
    batch_rows=st.sampled_from([None, 1, 3, 64]),
)
def test_any_mix_of_encodings(rows, threads, batch_rows):
    data = b"".join(ENCODINGS[name](row) * times for name, row, times in rows)
    expected = np.stack([row for _, row, times in rows for _ in range(times)])
    assert_same_bits(matrix(vecpack.scan(data, threads=threads, batch_rows=batch_rows)), expected)


class ShortReads(io.RawIOBase):
    """A file object that gives as many bytes at a time as it likes."""

    def __init__(self, data, random):
        self.rest, self.random = io.BytesIO(data), random

    def read(self, size=-1):
        return self.rest.read(min(size, self.random.randint(1, 300)))


timestamps = st.builds(msgpack.Timestamp, st.integers(-(2**33), 2**33), st.integers(0, 999_999_999))
VALUES = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "uint": st.integers(0, 2**64 - 1),
    "float": st.floats(allow_nan=False) | st.integers(-(2**53), 2**53),
    "bool": st.booleans(),
    "text": st.text(max_size=40),
    "bytes": st.binary(max_size=40),
    "timestamp": timestamps,
    "list": st.lists(st.none() | st.integers(-100, 2**40), max_size=5),
    "lists": st.lists(st.lists(st.text(max_size=3), max_size=3), max_size=3),
    "map": st.fixed_dictionaries({}, optional={"a": st.none() | st.integers(0, 9), "b": st.text(max_size=5)}),
}


@st.composite
def tables(draw):
    """Rows of one kind: their fields, with what each field is."""
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), max_size=5))
    fields = {f"f{n} {kind}": st.none() | VALUES[kind] for n, kind in enumerate(kinds)}
    return draw(st.lists(st.fixed_dictionaries({**fields, "vector": vector}), min_size=1, max_size=25))


def as_arrow(value):
    """A value as pyarrow gives it."""
    if isinstance(value, msgpack.Timestamp):
        return value.seconds * 10**9 + value.nanoseconds
    return value


def columns_of(table):
    """The columns of a table as lists, without vectors; timestamps in nanoseconds, structs without their nulls."""
    found = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        values = column.to_pylist()
        if pa.types.is_struct(column.type):
            values = [value and {key: item for key, item in value.items() if item is not None} for value in values]
        if name != "vector":
            found[name] = values
    return found


def expect(rows, name):
    """The values of a field as `columns_of` gives them."""
    values = [as_arrow(row.get(name)) for row in rows]
    if any(isinstance(value, float) for value in values):
        values = [None if value is None else float(value) for value in values]
    without_nulls = lambda value: {k: v for k, v in value.items() if v is not None}  # noqa: E731
    return [without_nulls(value) if isinstance(value, dict) else value for value in values]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=tables(),
    layout=st.sampled_from(["map", "positional"]),
    framing=st.sampled_from(["sequence", "array", "map"]),
    key_type=st.sampled_from([str, bytes]),
    random=st.randoms(use_true_random=False),
    encoding=st.sampled_from([name for name in ENCODINGS if name != "raw"]),
    threads=st.sampled_from([1, 3]),
    batch_rows=st.sampled_from([None, 1, 7]),
    as_stream=st.booleans(),
)
def test_any_mix_of_layouts_and_framings(
    rows, layout, framing, key_type, random, encoding, threads, batch_rows, as_stream
):
    def value(item):
        return ENCODINGS[encoding](item) if isinstance(item, np.ndarray) else msgpack.packb(item)

    def record(row):
        names = list(rows[0])
        if layout == "positional":
            return PACKER.pack_array_header(len(names)) + b"".join(value(row[name]) for name in names)
        random.shuffle(names)
        names = [name for name in names if row[name] is not None or random.random() < 0.5]
        pairs = (msgpack.packb(key_type(name, *["utf-8"][: key_type is bytes])) + value(row[name]) for name in names)
        return PACKER.pack_map_header(len(names)) + b"".join(pairs)

    records = [record(row) for row in rows]
    if framing == "array":
        data = PACKER.pack_array_header(len(rows)) + b"".join(records)
    elif framing == "map":
        data = PACKER.pack_map_header(len(rows)) + b"".join(
            msgpack.packb(f"k{n}") + one for n, one in enumerate(records)
        )
    else:
        data = b"".join(records)
    position = list(rows[0]).index("vector")
    column = f"column_{position}" if layout == "positional" else "vector"
    options = {"vector": position if layout == "positional" else "vector", "framing": framing, "infer_records": 0}
    inputs = ShortReads(data, random) if as_stream else data
    source = vecpack.scan(inputs, **options, threads=threads, batch_rows=batch_rows)
    table = pa.table(source)
    assert source.framing == framing
    found = np.stack(table[column].combine_chunks().flatten().to_numpy().reshape(-1, DIM))
    assert_same_bits(found, np.stack([row["vector"] for row in rows]))
    found = columns_of(table.rename_columns(["vector" if name == column else name for name in table.column_names]))
    if framing == "map":
        assert found.pop("key") == [f"k{n}" for n in range(len(rows))]
    names = list(rows[0])
    for n, name in enumerate(names):
        if name == "vector":
            continue
        # A key that no record has is no column.
        stored = found.pop(f"column_{n}" if layout == "positional" else name, [None] * len(rows))
        assert stored == expect(rows, name), name
    assert not found


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(rows=tables(), parts=st.integers(1, 5), framing=st.sampled_from(["sequence", "array", "map"]))
def test_any_split_of_records_is_the_whole(rows, parts, framing):
    rows = [{**row, "vector": row["vector"].tobytes()} for row in rows]
    data = {
        "sequence": lambda: b"".join(map(msgpack.packb, rows)),
        "array": lambda: msgpack.packb(rows),
        "map": lambda: msgpack.packb({f"k{n}": row for n, row in enumerate(rows)}),
    }[framing]()
    source = vecpack.scan(data, framing=framing, vector="vector", include_record=True)
    split = source.split(parts)
    assert len(split) == parts
    whole = pa.table(source)
    together = pa.concat_tables([pa.table(part) for part in split])
    assert together.schema == whole.schema
    assert columns_of(together) == columns_of(whole)
    assert_same_bits(matrix(together), matrix(whole))
    assert whole["record"].to_pylist() == list(range(len(rows)))


@settings(deadline=None, max_examples=200)
@given(value=st.integers(0, 255).flatmap(lambda first: st.binary(max_size=24).map(lambda rest: bytes([first]) + rest)))
def test_any_object_in_a_field_is_what_msgpack_takes_it_for(value):
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, timestamp=1)
    unpacker.feed(value)
    try:
        expected = unpacker.unpack()
    except Exception:  # what msgpack does not read is tested elsewhere
        return
    length = unpacker.tell()
    good = msgpack.packb({"v": bytes(64)})
    data = good + b"\x82\xa1x" + value[:length] + msgpack.packb("v") + msgpack.packb(bytes(64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lists that no column holds
        source = vecpack.scan(data, vector="v", on_error="null")
    table = pa.table(source)
    if rejects(source, "field") or isinstance(expected, (list, dict, msgpack.ExtType)):
        return
    column = table["x"]
    found = column.to_pylist()[1]
    if isinstance(found, str):
        found = found.encode()
    if isinstance(expected, float) and np.isnan(expected):
        assert np.isnan(found)
    elif pa.types.is_timestamp(column.type):
        assert column.cast(pa.int64()).to_pylist()[1] == round(expected * 1e9) or abs(expected) > 1e6
    else:
        assert found == expected
        assert type(found) is type(expected)


def records(**columns):
    return b"".join(
        msgpack.packb({**dict(zip(columns, row, strict=True)), "vector": bytes(64)})
        for row in zip(*columns.values(), strict=True)
    )


@pytest.mark.parametrize(
    ("first", "odd", "kind"),
    [
        (1, 2**63, "value"),
        (1, 0.5, "value"),
        (1, "x", "type"),
        (2**64 - 1, -1, "value"),
        (0.5, 2**53 + 1, "value"),
        ("x", b"x", "type"),
        (True, 1, "type"),
        ([1], ["x"], "type"),
        ({"a": {"b": 1}}, {"a": {"b": "x"}}, "type"),
        (msgpack.Timestamp(1, 0), 1, "type"),
        (msgpack.Timestamp(1, 0), msgpack.Timestamp(2**40, 0), "value"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_a_reject(first, odd, kind):
    data = records(x=[first, odd, first])
    source = vecpack.scan(data, infer_records=1, on_error="skip")
    assert pa.table(source).num_rows == 2
    field, found = rejects(source, "field", "kind")[0]
    assert (field.split(".")[0].split("[")[0], found) == ("x", kind)
    if isinstance(first, dict):
        assert field == "x.a.b"
    if isinstance(first, list):
        assert field == "x[0]"
    with pytest.raises(vecpack.DecodeError) as caught:
        list(vecpack.scan(data, infer_records=1))
    assert (caught.value.record, caught.value.field) == (1, field)
    column = pa.table(vecpack.scan(data, infer_records=1, on_error="null"))["x"]
    assert column.is_valid().to_pylist() == [True, False, True]


def test_the_columns_that_are_asked_for_are_the_only_ones_and_others_may_hold_anything():
    data = records(a=[1, 2], b=["x", "y"], c=[[1], {"no": "list"}])
    table = pa.table(vecpack.scan(data, columns=["b", "a"]))
    assert table.column_names == ["b", "a"]
    assert table.to_pylist() == [{"b": "x", "a": 1}, {"b": "y", "a": 2}]
    with pytest.raises(vecpack.SchemaError, match="`d`.*`a`, `b`, `c`, `vector`"):
        vecpack.scan(data, columns=["d"])


def test_a_schema_overrides_what_is_inferred():
    data = records(a=[1, 2], b=["x", "y"])
    schema = {"a": "uint8", "b": pa.large_string(), "late": "timestamp[ms]", "vector": "float16[16]"}
    for overrides in (
        schema,
        pa.schema(
            {**schema, "a": pa.uint8(), "late": pa.timestamp("ms", "UTC")} | {"vector": pa.list_(pa.float16(), 16)}
        ),
    ):
        found = pa.table(vecpack.scan(data, schema=overrides)).schema
        assert found.field("a").type == pa.uint8()
        assert found.field("b").type == pa.large_string()
        assert found.field("late").type == pa.timestamp("ms", "UTC")
        assert found.field("vector").type.value_type == pa.float16()
    for wrong in ({"a": "no type"}, {"a": "decimal128(3, 1)"}, {"vector": pa.list_(pa.string(), 16)}):
        with pytest.raises((vecpack.OptionError, vecpack.SchemaError), match="schema"):
            vecpack.scan(data, schema=wrong)


def test_text_that_is_not_utf8_and_keys_that_come_twice_are_rejects():
    good = records(x=["good"])
    bad = b"\x82\xa1x\xa2\xff\xfe" + msgpack.packb("vector") + msgpack.packb(bytes(64))
    twice = b"\x83\xa1x\xa1a\xa1x\xa1b" + msgpack.packb("vector") + msgpack.packb(bytes(64))
    source = vecpack.scan(good + bad + twice + good, infer_records=1, on_error="skip")
    assert pa.table(source)["x"].to_pylist() == ["good", "good"]
    assert rejects(source, "record", "kind", "field") == [(1, "value", "x"), (2, "type", "x")]


def test_a_missing_vector_is_a_reject_and_a_missing_value_is_null():
    data = msgpack.packb({"id": 1, "vector": bytes(64)}) + msgpack.packb({"id": 2})
    data += msgpack.packb({"id": 3, "vector": None}) + msgpack.packb({"vector": bytes(64)})
    source = vecpack.scan(data, on_error="skip")
    assert pa.table(source)["id"].to_pylist() == [1, None]
    assert rejects(source, "record", "field", "kind") == [(1, "vector", "type"), (2, "vector", "type")]
    assert pa.table(vecpack.scan(data, on_error="null"))["id"].to_pylist() == [1, 2, 3, None]


def test_a_field_that_few_records_have_is_no_vector_column():
    few = [{"id": n, "vector": bytes(64), **({"other": bytes(64)} if n % 4 == 0 else {})} for n in range(40)]
    table = pa.table(vecpack.scan(b"".join(map(msgpack.packb, few))))
    assert (len(table), table["other"].null_count) == (40, 30)
    assert table.schema.field("other").type == pa.binary()
    half = [{**record, "other": bytes(64)} for record in few[:20]] + few[20:]
    schema = vecpack.scan(b"".join(map(msgpack.packb, half))).schema
    assert pa.schema(schema).field("other").type == pa.list_(pa.field("element", pa.float32(), False), 16)


def test_matrices_are_many_rows_in_batches_of_any_size():
    expected = vectors(1000, DIM)
    data = numpy_map(expected[:400]) + ENCODINGS["bytes"](expected[400]) + flax_extension(expected[401:])
    for batch_rows in (None, 1, 7, 400, 401):
        source = vecpack.scan(data, batch_rows=batch_rows, include_record=True)
        assert_same_bits(matrix(source), expected)
        assert pa.table(source)["record"].to_pylist() == [0] * 400 + [1] + [2] * 599
        assert max(len(batch) for batch in source) <= (batch_rows or 1000)


def with_keys(values):
    """A map of records: each value with a key of its own."""
    return msgpack.Packer().pack_map_header(len(values)) + b"".join(
        msgpack.packb(f"key {number}") + value for number, value in enumerate(values)
    )


@pytest.mark.parametrize("encoding", [numpy_map, flax_extension])
def test_each_row_of_a_matrix_has_its_key(encoding):
    expected = vectors(1000, DIM)
    sizes = [400, 1, 2, 3, 594]
    ends = np.cumsum(sizes)
    data = with_keys([encoding(expected[end - size : end]) for end, size in zip(ends, sizes, strict=True)])
    keys = [f"key {number}" for number, size in enumerate(sizes) for _ in range(size)]
    records = [number for number, size in enumerate(sizes) for _ in range(size)]
    # The last bounds batches by the bytes of their keys.
    for options in ({}, {"batch_rows": 1}, {"batch_rows": 7}, {"batch_rows": 400}, {"batch_bytes": 64}):
        for on_error in ("raise", "skip", "null"):
            source = vecpack.scan(data, framing="map", include_record=True, on_error=on_error, **options)
            table = pa.table(source)
            assert_same_bits(matrix(table), expected)
            assert (table["key"].to_pylist(), table["record"].to_pylist()) == (keys, records)
            assert source.count_rows() == 1000
            assert pa.concat_tables([pa.table(part) for part in source.split(3)]).equals(table)
            # The rows do not depend on the columns.
            for columns in (["key"], ["vector"], ["vector", "key"]):
                chosen = vecpack.scan(data, framing="map", columns=columns, on_error=on_error, **options)
                assert pa.table(chosen).equals(table.select(columns)), columns


def test_keys_of_a_matrix_whose_rows_do_not_all_fit():
    matrix_of = np.ones((5, DIM))
    matrix_of[[0, 3, 4], 2] = 1e300
    data = with_keys([numpy_map(matrix_of), numpy_map(np.ones((2, DIM)))])
    for batch_rows in (None, 1, 2):
        source = vecpack.scan(data, framing="map", on_error="skip", batch_rows=batch_rows)
        assert pa.table(source)["key"].to_pylist() == ["key 0"] * 2 + ["key 1"] * 2
        assert [field for (field,) in rejects(source, "field")] == ["vector[0]", "vector[3]", "vector[4]"]
        source = vecpack.scan(data, framing="map", on_error="null", batch_rows=batch_rows)
        table = pa.table(source)
        assert table["key"].to_pylist() == ["key 0"] * 5 + ["key 1"] * 2
        assert [row is None for row in table["vector"].to_pylist()] == [True, False, False, True, True, False, False]


def test_a_key_of_a_matrix_that_is_none_is_noted_once():
    data = msgpack.Packer().pack_map_header(2) + msgpack.packb("good") + numpy_map(np.ones((2, DIM)))
    data += msgpack.packb([]) + numpy_map(np.ones((5, DIM)))
    for batch_rows in (None, 1, 2):
        source = vecpack.scan(data, framing="map", on_error="null", batch_rows=batch_rows)
        assert pa.table(source)["key"].to_pylist() == ["good"] * 2 + [None] * 5
        assert rejects(source, "record", "field") == [(1, "key")]
        source = vecpack.scan(data, framing="map", on_error="skip", batch_rows=batch_rows)
        assert pa.table(source)["key"].to_pylist() == ["good"] * 2
        assert rejects(source, "record", "field") == [(1, "key")]


@pytest.mark.parametrize("on_error", ["raise", "skip", "null"])
def test_keys_alone_of_records_of_any_layout(on_error):
    vector = vectors(30, DIM)
    layouts = {
        "vector": [msgpack.packb(row.tobytes()) for row in vector],
        "positional": [msgpack.packb([number, row.tobytes()]) for number, row in enumerate(vector)],
        "map": [msgpack.packb({"id": number, "v": row.tobytes()}) for number, row in enumerate(vector)],
    }
    for layout, values in layouts.items():
        data = with_keys(values)
        whole = vecpack.scan(data, framing="map", on_error=on_error)
        keys = vecpack.scan(data, framing="map", on_error=on_error, columns=["key"])
        assert vecpack.inspect(data, framing="map").layout == layout
        assert pa.table(keys).equals(pa.table(whole).select(["key"])), layout
        assert (keys.count_rows(), keys.reject_count) == (30, 0)


def test_a_row_of_a_matrix_that_does_not_fit_costs_no_other_row():
    matrix_of = np.ones((5, DIM))
    matrix_of[3, 2] = 1e300
    source = vecpack.scan(numpy_map(matrix_of), on_error="skip")
    assert matrix(source).shape == (4, DIM)
    assert rejects(source, "record", "field", "kind") == [(0, "vector[3]", "value")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({b"nd": True, b"type": b"|O", b"kind": b"O", b"shape": [2], b"data": b"pickle"}, "pickle"),
        ({b"nd": True, b"type": "<c8", b"kind": b"", b"shape": [1], b"data": bytes(8)}, "complex"),
        ({b"complex": True, b"data": "(1+2j)"}, "complex"),
        ({b"nd": True, b"type": [["a", "<f4"]], b"kind": b"V", b"shape": [1], b"data": bytes(4)}, "structured"),
        ({b"nd": True, b"type": "<U4", b"kind": b"", b"shape": [1], b"data": bytes(16)}, "<U4"),
        ({b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [3], b"data": bytes(16)}, "16 bytes of data"),
        ({b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [2, 2, 1], b"data": bytes(16)}, r"\(2, 2, 1\)"),
        (("<f4", [4], 7), "another buffer"),
        (msgpack.ExtType(99, b"\xd2\0\0\0\x10" + bytes(16)), "LZ4"),
        ([msgpack.ExtType(98, b"\xd2\0\0\0\x10"), b"block"], "LZ4"),
        ([msgpack.ExtType(98, b"\xcd\x80\0"), b"block"], "LZ4"),
        (msgpack.ExtType(38, b"\x10\xc3" + bytes(15)), "15 bytes of data"),
        (msgpack.ExtType(ord("r"), b"\x40"), "msgpackr"),
    ],
)
def test_what_is_known_and_cannot_be_read_is_refused_by_name(value, words):
    data = msgpack.packb(value)
    with pytest.raises(vecpack.SchemaError, match=words):
        vecpack.scan(data)
    with pytest.raises(vecpack.DecodeError, match=words):
        list(vecpack.scan(msgpack.packb(bytes(16)) + data))
    source = vecpack.scan(msgpack.packb(bytes(16)) + data, on_error="skip")
    assert (source.count_rows(), source.reject_count) == (1, 1)


def test_records_in_arrays_end_where_the_array_says():
    items = [bytes(64)] * 20
    whole = msgpack.packb(items)
    assert vecpack.scan(whole * 2).count_rows() == 40
    # Fewer than announced.
    source = vecpack.scan(whole[: -2 * 66], on_error="skip")
    assert (source.count_rows(), rejects(source, "record", "kind")) == (18, [(18, "truncated")])
    # Something behind it.
    source = vecpack.scan(whole + b"\x07" + whole, on_error="skip")
    assert (source.count_rows(), rejects(source, "record", "kind")) == (40, [(20, "type")])


def test_untyped_bytes_that_rust_writes_as_an_array_of_numbers():
    expected = vectors(5, DIM)
    data = b"".join(msgpack.packb(list(row.tobytes())) for row in expected)
    assert_same_bits(matrix(vecpack.scan(data, dim=DIM)), expected)


def test_numbers_as_scalars_of_numpy_are_numbers():
    def scalar(value):
        return {b"nd": False, b"type": value.dtype.str, b"data": value.tobytes()}

    rows = [{"f": scalar(np.float64(0.5)), "i": scalar(np.int16(-3)), "vector": bytes(64)}] * 2
    table = pa.table(vecpack.scan(b"".join(map(msgpack.packb, rows))))
    assert table.select(["f", "i"]).to_pylist() == [{"f": 0.5, "i": -3}] * 2


def test_a_deep_value_has_no_type_and_is_refused_where_it_is_wanted():
    deep = []
    for _ in range(500):
        deep = [deep]
    source = vecpack.scan(records(x=[deep]), on_error="skip", columns=["vector"])
    assert source.count_rows() == 1
    with pytest.raises(vecpack.OptionError, match="max_depth"):
        vecpack.scan(records(x=[1]), max_depth=300)
    nested = 1
    for _ in range(70):
        nested = [nested]
    with pytest.warns(UserWarning, match="`x`: left out: values deeper than option `max_depth` allows"):
        assert (
            pa.table(vecpack.scan(records(x=[nested], y=[[nested[0][0][0][0][0][0][0][0][0][0][0][0]]]))).num_rows == 1
        )
    deep = records(x=[{"a": {"b": 1}, "c": 1}], y=[[[[1, "z"]]]])
    with pytest.warns(UserWarning, match="left out: values deeper than option `max_depth` allows"):
        source = vecpack.scan(deep, max_depth=2)
    assert [str(type) for type in pa.schema(source.schema).field("x").type] == ["pyarrow.Field<c: int64>"]
    assert (source.count_rows(), "y" in source.schema.names) == (1, False)


def test_empty_maps_in_a_list_cannot_fill_the_memory():
    fields = {"vector": bytes(64), "maps": [{f"key{n}": 1 for n in range(4000)}]}
    hostile = msgpack.packb({"vector": bytes(64), "maps": [{}] * 100_000})
    source = vecpack.scan(msgpack.packb(fields) + hostile + msgpack.packb(fields), on_error="skip")
    assert source.count_rows() == 2
    (reject,) = source.rejects.to_pyarrow().to_pylist()
    assert (reject["kind"], reject["field"], reject["record"]) == ("too_large", "maps", 1)


def test_keys_without_end_are_told_of_or_left_out():
    wide = msgpack.packb({f"key{n}": 1 for n in range(5000)} | {"vector": bytes(64)})
    with pytest.raises(vecpack.SchemaError, match="more keys than a table has columns"):
        vecpack.read(msgpack.packb({"vector": bytes(64)}) + wide)
    inside = {f"map{n}": {f"key{m}": 1 for m in range(1000)} for n in range(100)}
    record = msgpack.packb(inside | {"vector": bytes(64)})
    with pytest.warns(UserWarning, match=r"`map\d+`: keys of maps beyond the first 4096 are left out"):
        table = vecpack.read(record, framing="sequence").to_pyarrow()
    assert table.column_names[-1] == "vector"
    assert sum(len(column.type) for column in table.columns[:-1]) <= 2**16


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_letters_of_the_given_length_are_elements_and_no_base64(policy):
    letters = [b"Koat" * 12, b"Abcd" * 12]
    data = b"".join(msgpack.packb(text, use_bin_type=False) for text in letters)
    expected = np.stack([np.frombuffer(text, "<f4") for text in letters])
    assert_same_bits(matrix(vecpack.scan(data, dim=12, on_error=policy)), expected)
    # Without a dimension they are base64 of nine elements.
    assert vecpack.scan(data, on_error=policy).dim == 9
