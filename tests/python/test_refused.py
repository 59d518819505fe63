"""Bytes that say themselves what they are: a type beside the bytes, base64 text, files of other formats."""

import base64
import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import tarfile
import warnings
import zipfile
import zlib

import msgpack
import msgpack_numpy
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import pack

RNG = np.random.default_rng(21)
FLOATS = RNG.standard_normal((40, 64)).astype(np.float32)


def file_of(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def records(make):
    return b"".join(msgpack.packb(make(number, vector)) for number, vector in enumerate(FLOATS))


def vectors_of(data, **options):
    table = pa.table(vecpack.scan(data, **options))
    (name,) = (field.name for field in table.schema if pa.types.is_fixed_size_list(field.type))
    return np.stack(table[name].combine_chunks().to_numpy(zero_copy_only=False))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int16", ">f4"])
@pytest.mark.parametrize(
    "keys",
    [("dtype", "shape", "data"), ("type", "dims", "buffer"), ("dtype", "shape", "bytes"), ("dtype", "shape", "value")],
)
def test_the_type_and_the_shape_beside_the_bytes_say_what_they_are(dtype, keys):
    expected = (FLOATS * 100).astype(dtype)

    def tensor(vector):
        return dict(zip(keys, (np.dtype(dtype).str, list(vector.shape), vector.tobytes()), strict=True))

    bare = b"".join(msgpack.packb(tensor(vector)) for vector in expected)
    field = b"".join(msgpack.packb({"id": n, "v": tensor(vector)}) for n, vector in enumerate(expected))
    marked = b"".join(
        msgpack.packb({"id": n, "v": {"__type__": "ndarray", **tensor(v)}}) for n, v in enumerate(expected)
    )
    for data in (bare, field, marked):
        np.testing.assert_array_equal(vectors_of(data), expected.astype(np.float32))


def test_a_shape_that_the_bytes_do_not_have_is_a_reject():
    tensors = [{"dtype": "float64", "shape": [64], "data": vector.astype("f8").tobytes()} for vector in FLOATS]
    tensors[7]["shape"] = [65]
    source = vecpack.scan(pack(tensors), on_error="skip")
    assert len(pa.table(source)) == 39
    (reject,) = source.rejects.to_pyarrow().to_pylist()
    assert (reject["record"], reject["kind"]) == (7, "unsupported")


def test_a_map_with_such_keys_and_other_values_is_a_record():
    data = records(lambda n, v: {"type": "cat", "shape": [n], "data": v.tobytes()})
    assert vecpack.read(data).to_pyarrow().column_names == ["type", "shape", "data"]


BESIDE = [
    {"order": "C"},
    {"version": 1},
    {"__ndarray__": True},
    {"strides": [2]},
    {"strides": None, "order": "C", "size": 64, "ndim": 1},
    {"type": "ndarray"},
    {"dims": 1},
]


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "bfloat16"])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("beside", BESIDE)
def test_other_keys_beside_a_type_and_a_shape_do_not_hide_the_vector(beside, is_first, dtype):
    numbers = np.arange(64)
    parts = {"bfloat16": numbers.astype("f4").tobytes()} if dtype == "bfloat16" else {}
    data = parts.get(dtype) or numbers.astype(dtype).tobytes()
    if dtype == "bfloat16":
        data = b"".join(data[at + 2 : at + 4] for at in range(0, 256, 4))
    for shape, key in (([64], "data"), (64, "data"), ([64], "raw"), ([1, 64], "payload")):
        array = {"dtype": dtype, "shape": shape, key: data}
        value = {**beside, **array} if is_first else {**array, **beside}
        source = vecpack.scan(pack([{"id": 1, "v": value}] * 5))
        assert source.schema.names == ["id", "v"]
        np.testing.assert_array_equal(vectors_of(pack([{"id": 1, "v": value}] * 5)), [numbers] * 5)
        bad = {"id": 1, "v": {**value, key: data[:-8]}}
        rejected = vecpack.scan(pack([{"id": 1, "v": value}] * 5 + [bad]), on_error="skip")
        assert (pa.table(rejected).num_rows, rejected.reject_count) == (5, 1)


def test_an_order_beside_the_bytes_is_not_ignored():
    matrix = {"dtype": "float32", "shape": [2, 32], "data": bytes(256)}
    good = [{"v": {**matrix, "shape": [64]}}] * 3
    orders = ("F", "f", b"F", "fortran", "column-major", "F_CONTIGUOUS")
    for beside in (
        *({"order": order} for order in orders),
        {"fortran_order": True},
        {"fortran": 1},
        {"strides": [4, 8]},
    ):
        source = vecpack.scan(pack([*good, {"v": {**matrix, **beside}}]), on_error="skip")
        assert pa.table(source).num_rows == 3
        assert "Fortran order" in source.rejects.to_pyarrow()["found"][0].as_py()
    for beside in ({"order": "C"}, {"order": "row-major"}, {"order": "C_CONTIGUOUS"}, {"fortran_order": False}):
        rows = vectors_of(pack([{"v": {**matrix, "shape": [1, 64], **beside}}] * 3))
        np.testing.assert_array_equal(rows, np.zeros((3, 64)))
    for order in ("big", "network", ">"):
        big = {"dtype": "float32", "shape": [64], "data": FLOATS[0].astype(">f4").tobytes(), "byteorder": order}
        np.testing.assert_array_equal(vectors_of(pack([{"v": big}] * 3)), [FLOATS[0]] * 3)


def test_fields_beside_an_array_are_not_lost():
    value = {"id": 7, "dtype": "float16", "shape": [64], "data": FLOATS[0].astype("f2").tobytes()}
    table = vecpack.read(pack([{"v": value}] * 3), vector="v.data", raw_dtype={"v.data": "<f2"}).to_pyarrow()
    assert table["v"].to_pylist() == [{"id": 7, "dtype": "float16", "shape": [64]}] * 3
    np.testing.assert_array_equal(np.stack(table["v.data"].to_numpy()), [FLOATS[0].astype("f2")] * 3)


def test_a_type_in_a_field_of_the_record_is_not_ignored():
    data = records(lambda n, v: {"id": n, "vector": v.astype("f2").tobytes(), "dtype": "float16"})
    for policy in ("raise", "skip", "null"):
        with pytest.raises(vecpack.SchemaError, match=r"`dtype` of the first record says <f2.*`vector`.*raw_dtype"):
            vecpack.scan(data, on_error=policy)
    np.testing.assert_array_equal(vectors_of(data, raw_dtype="float16"), FLOATS.astype("f2").astype("f4"))
    same = records(lambda n, v: {"id": n, "vector": v.tobytes(), "dtype": "float32"})
    np.testing.assert_array_equal(vectors_of(same), FLOATS)


@pytest.mark.parametrize(
    ("name", "dtype"), [("float64", "f8"), ("int8", "i1"), ("double", "f8"), ("F64", "f8"), ("half", "f2")]
)
def test_a_type_and_a_shape_among_other_fields_tell_what_the_bytes_are(name, dtype):
    numbers = (10 * FLOATS).astype(dtype)
    data = records(lambda n, v: {"id": n, "dtype": name, "shape": [64], "data": (10 * v).astype(dtype).tobytes()})
    assert vecpack.scan(data).schema.names == ["id", "dtype", "shape", "data"]
    np.testing.assert_array_equal(vectors_of(data), numbers.astype("f4"))


@pytest.mark.parametrize("shape", [True, False])
@pytest.mark.parametrize("other", [">f4", "float16", "int32"])
def test_a_record_that_names_another_type_than_the_first_one_is_a_reject(other, shape):
    def record(number, vector):
        dtype = other if number in (3, 20) else ("float32" if number % 2 else "<f4")
        elements = np.zeros(256 // np.dtype(dtype).itemsize, dtype).tobytes() if dtype == other else vector.tobytes()
        shown = {"shape": [len(elements) // np.dtype(dtype).itemsize]} if shape else {}
        return {"id": number, "v": elements, "dtype": dtype, **shown}

    data = records(record)
    good = np.delete(FLOATS, [3, 20], axis=0)
    np.testing.assert_array_equal(vectors_of(data, on_error="skip"), good)
    np.testing.assert_array_equal(vectors_of(data, on_error="skip", columns=["v"]), good)
    with pytest.raises(vecpack.DecodeError, match=r"record 3 .*bytes of the type `<f4`.*raw_dtype"):
        vecpack.read(data)
    # Unless an option says what all of them are.
    assert len(vectors_of(data, raw_dtype={"v": "<f4"})) == 40


def test_a_shape_beside_bytes_is_never_the_vector():
    data = records(lambda n, v: {"e": {"data": v.astype("i1").tobytes(), "shape": [64], "dtype": "int8", "name": "x"}})
    for policy in ("raise", "skip", "null"):
        with pytest.raises(vecpack.SchemaError, match="`e`: a map of data, shape, dtype, name"):
            vecpack.scan(data, on_error=policy)
    half = records(lambda n, v: {"e": {"data": v.astype("f2").tobytes(), "shape": [64], "dtype": "halffloat"}})
    np.testing.assert_array_equal(vectors_of(half), FLOATS.astype("f2").astype("f4"))


def test_a_type_and_a_shape_are_those_of_the_bytes_that_have_them():
    data = records(lambda n, v: {"v": v.tobytes(), "image": bytes(range(64)), "dtype": "uint8", "shape": [8, 8]})
    np.testing.assert_array_equal(vectors_of(data, columns=["v"]), FLOATS)
    double = records(lambda n, v: {"v": v.astype("f8").tobytes(), "dtype": "float64", "shape": [64]})
    for options in ({}, {"vector": "v"}, {"schema": {"v": "float32[64]"}}):
        np.testing.assert_array_equal(vectors_of(double, **options), FLOATS)


@pytest.mark.parametrize("name", ["complex64", "M8[ns]"])
def test_a_type_that_no_vector_has_is_refused_by_name(name):
    values = {"dtype": name, "shape": [32], "data": bytes(256)}
    for record in (values, {"id": 1, **values}):
        for policy in ("raise", "skip", "null"):
            with pytest.raises(vecpack.SchemaError, match="complex numbers|M8|complex64"):
                vecpack.scan(msgpack.packb(record), on_error=policy)
    data = records(lambda n, v: {"id": n, **values, "v": v.tobytes()})
    np.testing.assert_array_equal(vectors_of(data, columns=["v"]), FLOATS)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
@pytest.mark.parametrize("padding", [True, False])
def test_base64_is_decoded_where_a_vector_is_asked_for(encode, padding):
    def text(vector):
        return encode(vector.tobytes()).decode().rstrip("=\n" if not padding else " ")

    data = records(lambda n, v: {"id": n, "embedding": text(v)})
    np.testing.assert_array_equal(vectors_of(data, vector="embedding"), FLOATS)
    np.testing.assert_array_equal(vectors_of(data, vector="embedding", dim=64), FLOATS)
    doubles = b"".join(msgpack.packb({"id": 1, "e": text(v.astype("f8"))}) for v in FLOATS)
    np.testing.assert_array_equal(vectors_of(doubles, vector="e", raw_dtype="<f8"), FLOATS)


def test_base64_of_another_type_is_noted():
    texts = [base64.b64encode(v.astype("f8").tobytes()).decode() for v in FLOATS]
    for data, options in ((pack(texts), {}), (pack([{"e": text} for text in texts]), {"vector": "e"})):
        with pytest.warns(UserWarning, match="these bytes look like float64: option `raw_dtype=<f8`"):
            vecpack.scan(data, **options)


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_hexadecimal_text_is_not_base64(policy):
    texts = [v.tobytes().hex() for v in FLOATS]
    with pytest.raises(vecpack.SchemaError, match="the records hold hexadecimal text and no vectors"):
        vecpack.scan(pack(texts), on_error=policy)
    with pytest.raises(vecpack.SchemaError, match="`e` holds hexadecimal text and no vector"):
        vecpack.scan(pack([{"e": text} for text in texts]), vector="e", on_error=policy)


def test_base64_in_bytes_is_decoded_as_well():
    data = records(lambda n, v: {"id": n, "embedding": base64.b64encode(v.tobytes())})
    np.testing.assert_array_equal(vectors_of(data, vector="embedding"), FLOATS)
    bare = records(lambda n, v: base64.b64encode(v.tobytes()))
    np.testing.assert_array_equal(vectors_of(bare, vector="vector"), FLOATS)


def test_bytes_that_are_letters_are_elements():
    letters = np.frombuffer(b"w" * 256, np.float32)
    for data in (pack([letters.tobytes()] * 5), pack([{"v": letters.tobytes()}] * 5)):
        np.testing.assert_array_equal(vectors_of(data, dim=64), [letters] * 5)


def test_base64_of_another_length_is_a_reject():
    # As many letters as the elements have bytes.
    texts = [base64.b64encode(v.tobytes()[: 192 if n == 7 else 256]).decode() for n, v in enumerate(FLOATS)]
    source = vecpack.scan(pack([{"e": text} for text in texts]), vector="e", on_error="skip")
    assert len(pa.table(source)) == len(FLOATS) - 1
    (reject,) = source.rejects.to_pyarrow().to_pylist()
    assert reject["record"] == 7
    assert reject["message"] == "expected base64 of 256 bytes (64 x <f4), found a text of 256 bytes"


@pytest.mark.parametrize(
    "write",
    [
        lambda vector: " ".join(f"{number:+.5f}" for number in vector) + " ",
        lambda vector: base64.b85encode(vector.tobytes()).decode(),
        lambda vector: "prose " * 32,
    ],
)
def test_text_is_no_vector_where_one_is_asked_for(write):
    data = records(lambda n, v: {"id": n, "v": write(np.roll(v, n))})
    for policy in ("raise", "skip", "null"):
        with pytest.raises(vecpack.SchemaError, match="`v` holds text and no vector"):
            vecpack.scan(data, vector="v", on_error=policy)


def test_text_stays_text_without_that():
    data = records(lambda n, v: {"v": v.tobytes(), "name": base64.b64encode(v.tobytes()).decode()})
    assert vecpack.read(data).to_pyarrow().schema.field("name").type == pa.string()


def database():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (n)")
    return connection.serialize()


HEADER = json.dumps({"w": {"dtype": "F32", "shape": [40, 64], "data_offsets": [0, FLOATS.nbytes]}}).encode()
SAFETENSORS = len(HEADER).to_bytes(8, "little") + HEADER + FLOATS.tobytes()


def tar(data):
    member = tarfile.TarInfo("vectors.msgpack")
    member.size = len(data)
    return file_of(lambda out: tarfile.open(fileobj=out, mode="w").addfile(member, io.BytesIO(data)))


FOREIGN = {
    "a Parquet file": file_of(lambda out: pq.write_table(pa.table({"v": FLOATS[:, 0]}), out)),
    "an Arrow file": file_of(lambda out: pa.ipc.new_file(out, pa.schema([("a", pa.int64())])).close()),
    "a .npy file": file_of(lambda out: np.save(out, FLOATS)),
    "a zip archive": file_of(lambda out: zipfile.ZipFile(out, "w").writestr("a", "b")),
    "bzip2 data": bz2.compress(pack(FLOATS)),
    "xz data": lzma.compress(pack(FLOATS)),
    "lzma data": lzma.compress(pack(FLOATS), lzma.FORMAT_ALONE),
    "an Arrow stream": file_of(lambda out: pa.ipc.new_stream(out, pa.schema([("a", pa.int64())])).close()),
    # The first page of a file, as `lmdb.open` writes it, and a record in the next one.
    "an LMDB database": bytes(10) + b"\x08" + bytes(5) + b"\xde\xc0\xef\xbe\x01" + bytes(4075) + pack(FLOATS),
    "an SQLite database": database(),
    "zlib data": zlib.compress(pack(FLOATS)),
    "a safetensors file": SAFETENSORS,
    # The first bytes, as the formats' own pages tell them, and a record behind them.
    "an Avro file": b"Obj\x01\x04\x14avro.codec\x08null" + pack(FLOATS),
    "a GGUF file": b"GGUF\x03" + bytes(3) + (1).to_bytes(8, "little") + bytes(8) + pack(FLOATS),
    "a tar archive": tar(pack(FLOATS)),
    "a MATLAB file": b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x01IM" + pack(FLOATS),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_files_of_other_formats_are_named_and_give_no_rows(name, policy, tmp_path):
    data = FOREIGN[name]
    for given in (data, io.BytesIO(data)):
        with pytest.raises(vecpack.SchemaError, match=f"the input is {name}.* and no MessagePack"):
            vecpack.read(given, on_error=policy)
    path = tmp_path / "b.msgpack"
    path.write_bytes(data)
    inputs = [pack(FLOATS), path]
    if policy == "raise":
        with pytest.raises(
            vecpack.DecodeError, match=rf"b\.msgpack: record 0 \(byte 0\): not MessagePack.*found {name}"
        ):
            vecpack.read(inputs, on_error=policy)
        return
    source = vecpack.scan(inputs, on_error=policy)
    assert len(pa.table(source)) == len(FLOATS)
    (reject,) = source.rejects.to_pyarrow().to_pylist()
    assert (reject["offset"], reject["length"], reject["kind"]) == (0, len(data), "invalid")
    parts = vecpack.scan(path, on_error=policy, dim=64).split(3)
    assert sum(len(pa.table(part)) for part in parts) == 0


@pytest.mark.parametrize(
    "name, data",
    [
        ("JSON", json.dumps([{"id": 1, "v": FLOATS[0].tolist()}]).encode()),
        ("JSON", b'{"id": 1, "v": [0.1, 0.2]}\n' * 40),
        ("JSON", json.dumps([[{"v": FLOATS[0].tolist()}]], indent=2).encode()),
        ("JSON", b"\n  " + json.dumps({"v": FLOATS[0].tolist()}).encode()),
        ("text", b"id,vector\r\n1,0.5 0.25\r\n"),
    ],
)
def test_what_an_input_without_a_vector_looks_like_is_said(name, data):
    for policy in ("raise", "skip"):
        with pytest.raises(vecpack.SchemaError, match=f"the input looks like {name}"):
            vecpack.read(data, on_error=policy)


@pytest.mark.parametrize("second", [0x01, 0x5E, 0x9C, 0xDA])
def test_a_record_behind_a_number_is_no_zlib(second):
    # The number 120, and what begins with the other byte of zlib's head.
    behind = {0x01: b"", 0x5E: b"", 0x9C: bytes(12), 0xDA: (700).to_bytes(2, "big") + b"w" * 700}[second]
    source = vecpack.scan(bytes([0x78, second]) + behind + pack(FLOATS), on_error="skip", dim=64)
    assert len(pa.table(source)) == 40


def test_numbers_that_begin_like_a_format_are_numbers():
    data = b"PAR" + pack(FLOATS)
    source = vecpack.scan(data, on_error="skip", dim=64)
    assert len(pa.table(source)) == 40
    assert source.reject_count == 1


def test_numbers_of_lists_of_numpy_scalars_of_several_types_are_no_vectors_under_any_policy():
    scalars = [
        [{"nd": False, "type": f"<f{4 + 4 * (i % 2)}", "data": bytes(4 + 4 * (i % 2))} for i in range(len(vector))]
        for vector in FLOATS
    ]
    data = pack(scalars)
    for policy in ("raise", "skip", "null"):
        with pytest.raises(vecpack.SchemaError):
            vecpack.read(data, on_error=policy)


def test_zeros_behind_the_members_of_a_gzip_file_are_padding():
    member = gzip.compress(pack(FLOATS))
    for data in (member + bytes(1000), member + bytes(7) + member, member + member + bytes(70_000)):
        assert len(vecpack.read(data).to_pyarrow()) == 40 * data.count(member)
    with pytest.raises(vecpack.DecodeError, match="record 40 .*cut off or damaged") as raised:
        vecpack.read(member + bytes(10) + b"\x01")
    assert raised.value.record == 40


@pytest.mark.parametrize("values", [[1, "a"], [[1, "a"]], ["a", None, 1], [msgpack.ExtType(77, b"x"), 1]])
def test_lists_that_no_column_holds_are_left_out_with_a_word(values):
    data = records(lambda n, v: {"x": values, "v": v.tobytes()})
    with pytest.warns(UserWarning, match="`x`: left out: lists of values of several types"):
        source = vecpack.scan(data)
    assert source.schema.names == ["v"]
    with pytest.warns(UserWarning, match="left out"):
        np.testing.assert_array_equal(vectors_of(data, on_error="skip"), FLOATS)


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_lists_of_maps_that_no_column_holds_cost_no_record(policy):
    data = records(lambda n, v: {"x": [{"a": 1, "b": n}, {"a": "one", "b": n}], "v": v.tobytes()})
    with pytest.warns(UserWarning, match="`x`: left out: lists of values of several types"):
        source = vecpack.scan(data, on_error=policy)
    assert source.schema.names == ["v"]
    np.testing.assert_array_equal(vectors_of(data, columns=["v"], on_error=policy), FLOATS)
    few = records(lambda n, v: {"x": [{"a": 1 if n else "one"}], "v": v.tobytes()})
    source = vecpack.scan(few, on_error="skip")
    assert (source.schema.names, len(pa.table(source)), source.reject_count) == (["x", "v"], 39, 1)


def test_a_type_of_bytes_for_a_field_that_is_not_there_is_an_error():
    data = records(lambda n, v: {"id": n, "v": v.tobytes()})
    with pytest.raises(vecpack.SchemaError, match="option `raw_dtype`: none of the first 40 records has a field `w`"):
        vecpack.scan(data, raw_dtype={"w": "<f4"})
    with pytest.raises(
        vecpack.SchemaError, match="option `raw_dtype`: the records are bare vectors and have no field `v`"
    ):
        vecpack.scan(pack(FLOATS), raw_dtype={"v": "<f4"})


@pytest.mark.parametrize("format", ["xz data", "bzip2 data", "a pickle", "gzip data"])
def test_records_that_are_files_are_refused_by_name(format):
    encode = {
        "xz data": lzma.compress,
        "bzip2 data": bz2.compress,
        "a pickle": pickle.dumps,
        "gzip data": gzip.compress,
    }

    def file(vector):
        found = encode[format](vector.tobytes())
        return found + bytes(1024 - len(found))  # all of one length, which a vector can have

    data = records(lambda n, v: file(v))
    for policy in ("raise", "skip", "null"):
        with pytest.raises(vecpack.SchemaError, match=f"the records hold {format}"):
            vecpack.scan(data, on_error=policy)


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a pickle", lambda values: pickle.dumps(values, 2)),
        ("a pickle", lambda values: pickle.dumps(values.tolist(), 4)),
        ("zlib", lambda values: zlib.compress(values.tobytes())),
        ("gzip", lambda values: gzip.compress(values.tobytes())),
        ("JSON", lambda values: json.dumps(values.tolist()).encode()),
    ],
)
def test_records_that_are_files_of_many_lengths_are_refused_by_name(name, write, policy):
    data = b"".join(msgpack.packb(write(FLOATS[n % 40, : 20 + n % 43].astype("f8"))) for n in range(400))
    with pytest.raises(vecpack.SchemaError, match=f"the records hold {name}"):
        vecpack.scan(data, on_error=policy)


def test_the_first_vector_may_have_the_zeros_of_safetensors():
    first = FLOATS[0].copy()
    first[:2] = np.frombuffer(b'\0\0\0\0\0{"=', np.float32)
    data = pack([first.tobytes(), FLOATS[1].tobytes()])
    assert data[5:10] == b'\0\0\0{"'
    np.testing.assert_array_equal(vectors_of(data), [first, FLOATS[1]])


def test_a_vector_may_begin_as_a_file_does():
    vector = np.frombuffer(b"[[" + bytes(2) + FLOATS[0].tobytes()[4:], np.float32)
    for data in (pack([vector.tobytes()]), pack([b"[[" * 128] * 3)):
        options = {} if len(data) < 300 else {"dim": 64}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert vecpack.read(data, **options).num_rows == data.count(b"\xc5\x01\x00")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("value", [FLOATS, [1.0] * 64, [{"v": FLOATS[0]}], {"v": [0.5] * 64}])
def test_a_pickle_gives_no_rows_under_any_policy(value, protocol):
    for policy in ("raise", "skip", "null"):
        with pytest.raises(vecpack.SchemaError, match="the input is a pickle"):
            vecpack.scan(pickle.dumps(value, protocol), on_error=policy)


@pytest.mark.parametrize(("letter", "dtype"), [("e", "float16"), ("f", "float32"), ("d", "float64")])
def test_the_letters_of_numpy_name_a_type(letter, dtype):
    expected = FLOATS.astype(dtype)
    assert np.dtype(letter) == expected.dtype

    def fields(vector):
        return {"dtype": letter, "shape": list(vector.shape), "data": vector.tobytes()}

    for data in (
        b"".join(msgpack.packb({"id": 1, "v": fields(vector)}) for vector in expected),
        b"".join(msgpack.packb({"id": 1} | fields(vector)) for vector in expected),
    ):
        np.testing.assert_array_equal(vectors_of(data, dtype=dtype), expected)
    complex_ = msgpack.packb({"id": 1, "dtype": letter.upper(), "shape": [64], "data": expected[0].tobytes()})
    with pytest.raises(vecpack.SchemaError, match=f"names the type `{letter.upper()}`"):
        vecpack.scan(complex_)


@pytest.mark.parametrize("bare", [True, False])
def test_the_error_names_the_file_that_the_bytes_are(bare):
    dumped = [pickle.dumps((vector, "odd")) for vector in FLOATS]
    assert all(len(file) % 4 for file in dumped)
    data = b"".join(msgpack.packb(file if bare else {"id": 1, "v": file}) for file in dumped)
    with pytest.raises(vecpack.SchemaError, match=rf"{len(dumped[0])} bytes: a pickle"):
        vecpack.scan(data)


def test_a_dimension_beside_the_bytes_of_several_vectors_warns():
    batch = {"ids": b"abc", "vectors": FLOATS[:3].tobytes(), "dim": 64}
    with pytest.warns(UserWarning, match="`vectors`: these bytes are 3 vectors of 64 elements"):
        vecpack.scan(msgpack.packb(batch))
    # The vectors of several records are of that dimension: elements are then larger than the default type.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vecpack.scan(records(lambda number, vector: {"id": number, "v": vector.tobytes(), "dim": 32}))


def test_float64_of_few_values_is_not_taken_for_float32():
    ratings = np.random.default_rng(4).integers(2, 11, (40, 64)) / 2
    data = b"".join(msgpack.packb({"id": n, "v": row.tobytes()}) for n, row in enumerate(ratings))
    with pytest.warns(UserWarning, match="`v`: these bytes look like float64: option `raw_dtype=<f8`"):
        assert pa.table(vecpack.scan(data)).schema.field("v").type == pa.binary()
    np.testing.assert_array_equal(vectors_of(data, raw_dtype="<f8", dtype="float64"), ratings)
    # One of several numbers is a vector of float32 as before.
    units = np.eye(64, dtype="f4")
    assert (vectors_of(b"".join(msgpack.packb({"id": 1, "v": row.tobytes()}) for row in units)) == units).all()


def test_base64_beside_another_type_is_refused():
    data = records(lambda n, v: {"dtype": "int8", "v": base64.b64encode((v * 9).astype("i1").tobytes()).decode()})
    with pytest.raises(vecpack.SchemaError, match=r"says \|i1, and the bytes of `v` would be read as <f4"):
        vecpack.scan(data, vector="v")
    assert (vectors_of(data, vector="v", raw_dtype="|i1") == (FLOATS * 9).astype("i1")).all()


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_records_that_are_text_in_bytes_are_no_vectors(policy):
    data = b"".join(msgpack.packb(base64.b64encode(vector.tobytes())) for vector in FLOATS)
    with pytest.raises(vecpack.SchemaError, match="the records hold text and no vectors"):
        vecpack.scan(data, on_error=policy)


def test_a_named_file_brings_no_advice_about_types():
    data = b"".join(msgpack.packb(pickle.dumps((vector, "odd"))) for vector in FLOATS)
    with pytest.raises(vecpack.SchemaError, match=r"a pickle$"):
        vecpack.scan(data)


def test_wide_integers_beside_a_vector_are_a_list():
    values = [{"v": vector, "near": np.array([10, 2**24 + number])} for number, vector in enumerate(FLOATS)]
    data = b"".join(msgpack_numpy.packb(value) for value in values)
    table = pa.table(vecpack.scan(data))
    assert table["near"].to_pylist() == [value["near"].tolist() for value in values]
    np.testing.assert_array_equal(vectors_of(data), FLOATS)
    alone = b"".join(msgpack_numpy.packb({"near": np.arange(20) + number}) for number in range(9))
    assert vectors_of(alone).shape == (9, 20)


def test_records_of_another_type_than_the_first_tell_no_dimension():
    def record(number, vector):
        typed = vector.astype("f8" if number > 3 else "f4")
        return {"dtype": typed.dtype.name, "shape": [64], "data": typed.tobytes()}

    source = vecpack.scan(records(lambda n, v: {"id": n, **record(n, v)}), on_error="skip")
    assert pa.table(source)["id"].to_pylist() == [0, 1, 2, 3]


def test_what_cannot_be_read_is_named_where_nothing_else_is_a_vector():
    fortran = {"dtype": "<f4", "shape": [8, 8], "order": "F"}
    data = records(lambda n, v: {"id": n, "v": {**fortran, "data": v.tobytes()}})
    for options in ({}, {"vector": "v"}, {"columns": ["id", "v"]}):
        with pytest.raises(vecpack.SchemaError, match="`v`.*a matrix in Fortran order: write it in C order"):
            vecpack.scan(data, **options)
    extension = records(lambda n, v: {"id": n, "v": msgpack.ExtType(23, v.tobytes())})
    with pytest.raises(vecpack.SchemaError, match=r"`v`: extension 23 of 256 bytes \(see option `extensions`\)"):
        vecpack.scan(extension, vector="v")


def test_an_aligned_payload_is_kept():
    keys = [bytes([4]) + RNG.bytes(19) for _ in FLOATS]
    data = records(lambda n, v: {"key": msgpack.ExtType(0, keys[n]), "v": v.tobytes()})
    assert pa.table(vecpack.scan(data))["key"].to_pylist() == keys


def test_records_that_name_the_type_otherwise_are_looked_at():
    def record(number, vector):
        name = "<f4" if number == 0 else "float32"
        return {"dtype": name, "shape": [64], "v": vector.tobytes()} | ({"label": "x"} if number else {})

    assert pa.table(vecpack.scan(records(record)))["label"].to_pylist() == [None] + ["x"] * 39
    texts = records(lambda n, v: {"dtype": f"kind {n}", "v": v.tolist()} | ({"tag": n} if n else {}))
    assert pa.table(vecpack.scan(texts))["tag"].to_pylist() == [None, *range(1, 40)]


@pytest.mark.parametrize("odd", [[70000] * 3, [70000] * 64, [-1] * 64])
@pytest.mark.parametrize("raw", ["<f2", {"v": "<f2"}])
def test_one_odd_list_makes_no_integers_of_half_bits(odd, raw):
    halves = FLOATS.astype("f2")
    data = b"".join(msgpack.packb({"v": half.view("u2").tolist()}) for half in halves)
    table = pa.table(vecpack.scan(data + msgpack.packb({"v": odd}), raw_dtype=raw, on_error="skip"))
    np.testing.assert_array_equal(np.stack(table["v"].to_numpy())[:40], halves)


@pytest.mark.parametrize("bare", [True, False])
def test_aligned_elements_are_judged_by_their_looks(bare):
    def aligned(padding, vectors):
        values = [msgpack.ExtType(0, bytes([padding]) + bytes(padding - 1) + v.tobytes()) for v in vectors]
        return pack(values if bare else [{"id": n, "v": value} for n, value in enumerate(values)])

    np.testing.assert_array_equal(vectors_of(aligned(3, FLOATS)), FLOATS)
    wide = aligned(8, FLOATS.astype("f8"))
    with pytest.warns(UserWarning, match="these bytes look like float64: option `raw_dtype=<f8`"):
        vecpack.scan(wide).schema  # noqa: B018
    np.testing.assert_array_equal(vectors_of(wide, raw_dtype="<f8"), FLOATS)


@pytest.mark.parametrize(
    "options", [{"raw_dtype": "<f4"}, {"raw_dtype": {"v": "<f4"}}, {"schema": {"v": "float32[64]"}}]
)
def test_a_type_that_is_given_ends_the_question(options):
    # The type of the model that made the vectors, say.
    data = records(lambda n, v: {"id": n, "v": v.tobytes(), "dtype": "float16"})
    np.testing.assert_array_equal(vectors_of(data, **options), FLOATS)


def test_a_dimension_beside_the_bytes_of_columns_is_that_of_their_rows():
    for beside in ({}, {"name": "a"}, {"id": list(range(40))}):
        data = msgpack.packb({**beside, "vectors": FLOATS.tobytes(), "dim": 64})
        np.testing.assert_array_equal(vectors_of(data, framing="columns"), FLOATS)


def test_a_type_may_be_named_in_bytes():
    def record(number, vector):
        vector = vector[:32].astype("f8") if number == 7 else vector
        return {"v": vector.tobytes(), "dtype": vector.dtype.str.encode()}

    source = vecpack.scan(records(record), on_error="skip")
    assert (pa.table(source).num_rows, source.rejects.to_pyarrow()["record"].to_pylist()) == (39, [7])


def test_integers_that_are_the_vector_of_the_only_record_warn():
    batch = {"ids": list(range(20)), "vectors": FLOATS[:20].tolist()}
    for value, path in (({"batch": batch}, "batch.vectors"), ({**batch, "ids": list(range(19))}, "vectors")):
        with pytest.warns(UserWarning, match=f"the records seem to lie in `{path}`: option `records={path}`"):
            vecpack.scan(msgpack.packb(value)).schema  # noqa: B018
        np.testing.assert_array_equal(vectors_of(msgpack.packb(value), records=path), FLOATS[:20])


def test_places_of_records_are_named_only_where_records_reads_them():
    with pytest.raises(vecpack.SchemaError) as many:
        vecpack.scan(records(lambda n, v: {"id": n, "v": [v.tolist()]}))
    with pytest.raises(vecpack.SchemaError) as array:
        vecpack.scan(msgpack.packb([{"data": [{"v": v.tolist()} for v in FLOATS]}] * 2))
    assert "option `records" not in str(many.value) + str(array.value)
