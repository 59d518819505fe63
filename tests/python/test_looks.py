"""Bytes without a type are a vector only where they look like numbers, and users hear where a type looks wrong."""

import base64
import gzip
import hashlib
import json
import pickle
import subprocess
import sys
import uuid
from functools import partial

import msgpack
import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits

RNG = np.random.default_rng(21)
DIM = 64


def matrix(column):
    """The vectors of a column, none of which is null."""
    assert column.null_count == 0
    column = column.combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)


def normal(_=0, dim=DIM):
    return RNG.standard_normal(dim).astype("f4")


def unit(_):
    vector = normal()
    return vector / np.linalg.norm(vector)


# What models, optimisers and people put into float32 vectors.
REAL = {
    "normal": normal,
    "unit": unit,
    "uniform": lambda i: RNG.random(DIM).astype("f4"),
    "zeros": lambda i: np.zeros(DIM, "f4"),
    "minus zeros": lambda i: -np.zeros(DIM, "f4"),
    "zeros at first": lambda i: np.zeros(DIM, "f4") if i < 20 else normal(),
    "sparse": lambda i: np.where(RNG.random(DIM) < 0.03, normal(), 0).astype("f4"),
    "one-hot": lambda i: np.eye(DIM, dtype="f4")[i % DIM],
    "constant": lambda i: np.full(DIM, 0.1, "f4"),
    "gradients": lambda i: (normal() * 1e-12 * np.exp(3 * RNG.standard_normal(DIM))).astype("f4"),
    "of all sizes": lambda i: np.exp(10 * RNG.standard_normal(DIM)).astype("f4"),
    "counts": lambda i: RNG.integers(0, 1000, DIM).astype("f4"),
    "large integers": lambda i: RNG.integers(0, 1 << 24, DIM).astype("f4"),
    "NaN rows": lambda i: np.full(DIM, np.nan, "f4") if i % 3 == 0 else normal(),
    "only NaN": lambda i: np.full(DIM, np.nan, "f4"),
    "infinities": lambda i: np.where(RNG.random(DIM) < 0.2, np.inf, normal()).astype("f4"),
    "rounded to float16": lambda i: normal().astype("f2").astype("f4"),
    "rounded to bfloat16": lambda i: (normal().view("u4") & 0xFFFF0000).astype("u4").view("f4"),
    "dequantised": lambda i: np.float32(0.0123) * np.round(normal() * 40),
    "after ReLU": lambda i: np.maximum(normal(), 0),
    "few values": lambda i: RNG.choice([0.1, 0.2, 0.3], DIM).astype("f4"),
    "steps": lambda i: np.arange(i, i + DIM, dtype="f4") / 10,
    "softmax": lambda i: (lambda e: e / e.sum())(np.exp(5 * normal())).astype("f4"),
}
TYPES = {
    "<f4": lambda v: v,
    ">f4": lambda v: v.astype(">f4"),
    "<f8": lambda v: v.astype("<f8"),
    "<f2": lambda v: v.astype("<f2"),
    "bf16": lambda v: (v.view("u4") >> 16).astype("<u2"),
}

# What else is bytes of one length.
OTHER = {
    "md5": lambda i: hashlib.md5(b"%d" % i).digest(),
    "sha256": lambda i: hashlib.sha256(b"%d" % i).digest(),
    "sha512": lambda i: hashlib.sha512(b"%d" % i).digest(),
    "uuid4": lambda i: uuid.UUID(bytes=RNG.bytes(16), version=4).bytes,
    "uuid1": lambda i: uuid.uuid1(node=0x1234567890AB, clock_seq=i).bytes,
    "random": lambda i: RNG.bytes(256),
    "text": lambda i: hashlib.sha512(b"%d" % i).hexdigest().encode(),
    "quantised": lambda i: np.clip(np.round(normal() * 40), -127, 127).astype("i1").tobytes(),
    "pixels": lambda i: RNG.integers(0, 256, 64).astype("u1").tobytes(),
    "tokens": lambda i: RNG.integers(0, 50_000, 64).astype("<i4").tobytes(),
    "ids": lambda i: RNG.integers(0, 50_000, 64).astype("<i8").tobytes(),
    "bits": lambda i: np.packbits(RNG.random(512) < 0.5).tobytes(),
    "few bits": lambda i: np.packbits(RNG.random(512) < 0.03).tobytes(),
}


def records(make, count=40, **more):
    return b"".join(msgpack.packb({"id": i, "v": make(i), **{k: f(i) for k, f in more.items()}}) for i in range(count))


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("kind", REAL)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_real_vectors_are_vectors_without_a_word(kind, count):
    vectors = [REAL[kind](i) for i in range(count)]
    for data in (records(lambda i: vectors[i].tobytes(), count), b"".join(msgpack.packb(v.tobytes()) for v in vectors)):
        table = vecpack.read(data).to_pyarrow()
        assert_same_bits(matrix(table[table.column_names[-1]]), np.array(vectors))
        assert vecpack.inspect(data).notes == []


@pytest.mark.parametrize("raw", TYPES)
@pytest.mark.parametrize("kind", sorted(set(REAL) - {"of all sizes", "gradients", "large integers"}))
@pytest.mark.filterwarnings("ignore:overflow")
def test_vectors_of_a_given_type_are_vectors_without_a_word(kind, raw):
    data = records(lambda i: TYPES[raw](REAL[kind](i)).tobytes())
    assert vecpack.scan(data, raw_dtype=raw).dim == DIM


@pytest.mark.parametrize("raw", sorted(set(TYPES) - {"<f4"}))
@pytest.mark.parametrize("kind", ["normal", "unit", "uniform", "dequantised", "NaN rows"])
def test_users_hear_where_the_default_type_looks_wrong(kind, raw, tmp_path):
    name = {"<f8": "float64", "<f2": "float16", ">f4": "big-endian float32", "bf16": "bfloat16"}[raw]
    make = [TYPES[raw](REAL[kind](i)).tobytes() for i in range(40)]
    for data, field in ((records(lambda i: make[i]), "v"), (b"".join(map(msgpack.packb, make)), "vector")):
        text = f"`{field}`: these bytes look like {name}: option `raw_dtype={raw}`"
        assert vecpack.inspect(data).notes == [text]
        assert text in str(vecpack.inspect(data))
        out = tmp_path / f"{field}.parquet"
        for read in (vecpack.scan, vecpack.read, partial(vecpack.to_parquet, path=out)):
            with pytest.warns(UserWarning) as caught:
                read(data)
            assert [str(warning.message) for warning in caught] == [text]
        assert vecpack.inspect(data, raw_dtype=raw).notes == []


def test_base64_as_bare_records_is_read_without_a_word():
    vectors = [normal() for _ in range(40)]
    data = b"".join(msgpack.packb(base64.b64encode(vector.tobytes()).decode()) for vector in vectors)
    assert_same_bits(matrix(vecpack.read(data).to_pyarrow()["vector"]), np.array(vectors))
    assert vecpack.inspect(data).notes == []


def test_a_given_type_that_looks_wrong_is_said_as_well():
    with pytest.warns(UserWarning, match="look like float32: option `raw_dtype=<f4`"):
        vecpack.scan(records(lambda i: normal().tobytes()), raw_dtype="<f8")
    with pytest.warns(UserWarning, match="look like float64: option `raw_dtype=<f8`"):
        assert vecpack.scan(records(lambda i: normal().astype("f8").tobytes()), vector="v").dim == 2 * DIM


def test_a_given_type_by_which_nothing_is_a_vector_is_an_error():
    data = records(lambda i: normal().tobytes())
    with pytest.raises(vecpack.SchemaError, match="`v`: these bytes look like float32: option `raw_dtype=<f4`"):
        vecpack.scan(data, raw_dtype="<f2")


@pytest.mark.parametrize("kind", OTHER)
def test_other_bytes_beside_a_vector_are_binary(kind):
    values = [OTHER[kind](i) for i in range(40)]
    data = records(lambda i: normal().tobytes(), h=lambda i: values[i])
    table = vecpack.read(data).to_pyarrow()
    assert table.schema.field("h").type == pa.binary()
    assert table["h"].to_pylist() == values
    with pytest.raises(vecpack.SchemaError, match="no field of the first 40 records is a vector"):
        vecpack.read(records(lambda i: values[i]))


@pytest.mark.parametrize(
    "options",
    [{"vector": "v"}, {"dim": 16}, {"raw_dtype": {"v": "<f4"}}, {"schema": {"v": "float32[16]"}}],
    ids=lambda options: next(iter(options)),
)
def test_options_have_the_last_word(options):
    values = [hashlib.sha512(b"%d" % i).digest() for i in range(40)]
    table = vecpack.read(records(lambda i: values[i]), **options).to_pyarrow()
    assert matrix(table["v"]).tobytes() == b"".join(values)


def test_random_bytes_as_bare_records_are_read_with_a_warning():
    values = [hashlib.sha512(b"%d" % i).digest() for i in range(40)]
    with pytest.warns(UserWarning, match="`vector`: these bytes look like no numbers of the type <f4"):
        table = vecpack.read(b"".join(map(msgpack.packb, values))).to_pyarrow()
    assert matrix(table["vector"]).tobytes() == b"".join(values)


FILES = {
    "gzip": lambda i: gzip.compress(bytes([i]) * 64, mtime=0),
    "zstd": lambda i: b"\x28\xb5\x2f\xfd\x20\x40" + bytes(58),
    "a pickle": lambda i: pickle.dumps(list(map(float, range(i, i + 30))), protocol=4),
    "a safetensors file": lambda i: (56).to_bytes(8, "little") + b'{"v":{}}'.ljust(56) + normal().tobytes(),
    "JSON": lambda i: json.dumps({"a": [i] * 20}).encode(),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_in_a_field_are_no_vector(kind):
    values = [FILES[kind](i).ljust(512, b"\0") for i in range(10)]
    data = records(lambda i: normal().tobytes(), 10, f=lambda i: values[i])
    assert vecpack.read(data).to_pyarrow()["f"].to_pylist() == values
    with pytest.raises(vecpack.SchemaError, match=f"`f` holds {kind}"):
        vecpack.scan(data, vector="f")


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "vecpack", *arguments], capture_output=True, text=True, timeout=60)


def test_the_command_says_so(tmp_path):
    path = tmp_path / "v.msgpack"
    path.write_bytes(records(lambda i: normal().astype("f8").tobytes()))
    text = "`v`: these bytes look like float64: --raw-dtype '<f8'"
    assert f"note     {text}" in command("inspect", path).stdout
    assert json.loads(command("inspect", path, "--json").stdout)["notes"] == [text]
    done = command("to-parquet", path, "-o", tmp_path / "v.parquet")
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, f"vecpack: warning: {text}")
    assert "warning" not in command("to-parquet", path, "-o", tmp_path / "w.parquet", "--raw-dtype", "<f8").stderr
    assert "look like float64" in command("to-arrow", path, "-o", tmp_path / "v.arrow").stderr


def test_what_is_left_out_is_said():
    row = {
        "v": normal().tobytes(),
        "when": msgpack.ExtType(42, b"12345"),
        "objects": msgpack.ExtType(1, msgpack.packb([[2], "O", b"pickle"])),
        b"\xff": 1,
        "many": {str(i): 1 for i in range(5000)},
    }
    data = msgpack.packb(row) * 3
    notes = vecpack.inspect(data).notes
    assert len(notes) == 4, notes
    for note, (name, word) in zip(
        sorted(notes), [("`many`", "4096"), ("`objects`", "pickle"), ("`when`", "extension 42"), ("records", "NUL")]
    ):
        assert note.startswith(name) and word in note
    # Values that are lost are said by a scan as well.
    with pytest.warns(UserWarning) as said:
        table = vecpack.read(data).to_pyarrow()
    assert sorted(str(warning.message).split(":")[0] for warning in said) == ["`many`", "`objects`"]
    assert table.column_names == ["v", "when", "many"] and table["when"][0].as_py() == b"12345"


def test_a_run_without_rows_ends_with_a_warning(tmp_path):
    path = tmp_path / "bad.msgpack"
    path.write_bytes(msgpack.packb({"id": 1, "v": [0.5, 1.5]}) * 3)
    options = {"vector": "v", "dim": 3, "on_error": "skip"}
    text = "no record became a row: 3 records rejected"
    with pytest.warns(UserWarning, match=text):
        assert vecpack.read(path, **options).num_rows == 0
    source = vecpack.scan(path, **options)
    consumers = (
        source.to_pyarrow,
        source.to_numpy,
        lambda: vecpack.to_parquet(source, tmp_path / "a.parquet"),
        lambda: list(source),
        lambda: pa.table(source),
    )
    for consume in consumers:
        with pytest.warns(UserWarning, match=text):
            consume()
    nulls = vecpack.scan(path, **options | {"on_error": "null"})
    with pytest.warns(UserWarning, match="there are as many rejects as records: 3 records rejected"):
        assert pa.table(nulls)["v"].null_count == 3
    arguments = ["--vector", "v", "--dim", "3", "--on-error", "skip", "--quiet"]
    for name, out in (("to-parquet", "b.parquet"), ("to-arrow", "b.arrow")):
        assert "warning: no record became a row" in command(name, path, "-o", tmp_path / out, *arguments).stderr
    assert "warning: no record became a row" in command("head", path, *arguments[:-1]).stderr
    assert "no record became a row" in command("inspect", path, *arguments).stdout


@pytest.mark.parametrize(("name", "package"), [("lance", "lance"), ("duckdb", "duckdb")])
def test_a_load_without_rows_ends_with_a_warning(tmp_path, name, package):
    pytest.importorskip(package)
    path = tmp_path / "bad.msgpack"
    path.write_bytes(msgpack.packb({"id": 1, "v": [0.5, 1.5]}) * 3)
    into = {"lance": ("a.lance",), "duckdb": ("a.duckdb", "t")}[name]
    options = {"vector": "v", "dim": 3, "on_error": "skip"}
    with pytest.warns(UserWarning, match="no record became a row: 3 records rejected"):
        assert getattr(vecpack, f"to_{name}")(path, tmp_path / into[0], *into[1:], **options).rows == 0
    arguments = ["-o", tmp_path / "b", "--vector", "v", "--dim", "3", "--on-error", "skip", "--quiet"]
    table = ["--table", "t"] if name == "duckdb" else []
    assert "warning: no record became a row" in command(f"to-{name}", path, *arguments, *table).stderr


def test_the_object_in_an_extension_has_the_type_that_inference_saw():
    inside = ["text", [1, 2, 3], b"bytes", 7, {"a": 1}]
    for value in inside:
        payload = msgpack.ExtType(6, msgpack.packb(value))
        data = b"".join(msgpack.packb({"v": [0.5] * 20, "x": payload}) for _ in range(5))
        table = pa.table(vecpack.scan(data, extensions={6: "msgpack"}))
        expected = value if isinstance(value, (str, list)) else payload.data
        assert table["x"].to_pylist() == [expected] * 5
        notes = vecpack.inspect(data, extensions={6: "msgpack"}).notes
        assert not any("extensions" in note for note in notes)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 30, 38, 98, 99, 116])
def test_bytes_keep_any_payload_of_an_extension(code):
    random = np.random.default_rng(code)
    keys = [random.bytes(16) for _ in range(600)]
    data = b"".join(msgpack.packb({"key": msgpack.ExtType(code, key), "v": [0.5] * 20}) for key in keys)
    options = {"schema": {"key": "binary"}}
    assert pa.table(vecpack.scan(data, **options))["key"].to_pylist() == keys
    texts = b"".join(msgpack.packb({"v": [0.5] * 20, "key": msgpack.ExtType(code, b"hello world")}) for _ in keys)
    assert pa.table(vecpack.scan(texts))["key"].to_pylist() == [b"hello world"] * 600
