"""Writes the fixtures that Python libraries make, each with the library itself. README.md tells how to run this."""

import importlib.metadata
import io
import json
import sys
from pathlib import Path

import msgpack
import msgpack_numpy
import numpy as np

HERE = Path(__file__).parent
DIM = 16


def numbers(dtype, rows=3, dim=DIM, seed=7):
    """Vectors of which the first has the values that tell mistakes from luck, and the others are random."""
    random = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return random.random((rows, dim)) < 0.5
    if dtype.kind in "iu":
        # A float32 has 24 bits, and integers have to fit.
        limits = np.iinfo(dtype)
        low, high = max(limits.min, -(2**24)), min(limits.max, 2**24)
        array = random.integers(low, high, (rows, dim), dtype.newbyteorder("="), endpoint=True)
        array[0, :5] = [limits.min, high, low, 1, limits.max - (limits.max & (2 ** max(limits.bits - 24, 0) - 1))]
        return array.astype(dtype)
    limits = np.finfo(dtype.newbyteorder("="))
    array = random.standard_normal((rows, dim)).astype(dtype)
    array[0, :8] = [
        np.nan,
        -0.0,
        limits.smallest_subnormal,
        -limits.smallest_normal / 2,
        np.inf,
        -np.inf,
        limits.max,
        0.1,
    ]
    if dtype.itemsize == 4:
        # A signalling NaN, a negative one, one that carries something.
        array.view(dtype.str.replace("f", "u"))[0, 8:11] = [0x7F800001, 0xFFC00000, 0x7FC12345][: dim - 8]
    return array


def doubles(rows=3, dim=DIM):
    """Doubles that are no float32, at the borders of rounding as well."""
    array = numbers("f8", rows, dim)
    # Half a step above 1, a little more than that, the largest float32, what just rounds to it, half of the smallest
    # subnormal and a little more than that.
    array[0, 6] = 2.0**128 - 2.0**104
    array[1, :6] = [
        1 + 2**-24,
        1 + 2**-24 + 2**-50,
        -1e-46,
        2.0**128 - 2.0**103 - 2.0**75,
        2.0**-150,
        2.0**-150 + 2.0**-200,
    ]
    return array


rows = numbers("f4")
wide = doubles()
mixed = [[0, 1, -1, 0.5, 2**24 - 1, -(2**40), 2**64 - 2**40, -(2**63), 127, -33, *row[10:].tolist()] for row in wide]


# Records with fields, as different as they may be in one file.
TIMES = [
    msgpack.Timestamp(1_700_000_000),
    msgpack.Timestamp(1_700_000_000, 123_456_789),
    msgpack.Timestamp(-1, 999_999_999),
]
records = [
    {
        "id": 2**64 - 1 - n,
        "url": f"https://example.org/ü/{n}",
        "score": 0.1 * n,
        "mixed": n if n % 2 else n + 0.5,
        "good": n == 1,
        "tags": ["a", "ß"][:n],
        "blob": b"\x00\xff",
        "time": time,
        "vector": row.tobytes(),
        "meta": {"embedding": row[::-1].tolist(), "lang": "de", "page": -n},
    }
    for n, (row, time) in enumerate(zip(rows, TIMES))
]
sparse = [
    {"id": 1, "vector": rows[0].tobytes(), "score": None, "text": "first"},
    {"id": None, "vector": rows[1].tobytes(), "score": 1.5},
    {"vector": rows[2].tobytes(), "text": None, "late": -1},
]
positional = [[n, row.tobytes(), f"text {n}"] for n, row in enumerate(rows)]
words = {f"word{n:02}": row.tobytes() for n, row in enumerate(numbers("f4", 20, DIM, 8))}
words_of_floats = {f"word{n:02}": row.tolist() for n, row in enumerate(numbers("f4", 20, DIM, 9))}


def stream(pack, objects):
    """One object after another."""
    return b"".join(map(pack, objects))


def packb(**options):
    return lambda obj: msgpack.packb(obj, **options)


def numpy_packb(**options):
    return packb(default=msgpack_numpy.encode, **options)


manifest = {}


def write(file, producer, how, read=None, refused=None, version=None):
    """Writes the file that the expression `how` gives. The manifest has `how` word for word."""
    (HERE / file).write_bytes(eval(how))
    manifest[file] = {
        "file": file,
        "producer": producer,
        "version": version or importlib.metadata.version(producer),
        "how": how,
        "read": read or {},
        "refused": refused,
    }


def write_msgpack():
    def fixture(file, how, read=None, refused=None):
        write(f"msgpack-{file}.msgpack", "msgpack", how, read, refused)

    fixture("bytes", "stream(packb(), [row.tobytes() for row in rows])")
    fixture("raw", "stream(packb(use_bin_type=False), [row.tobytes() for row in rows])")
    fixture("bytes-f8", "stream(packb(), [row.tobytes() for row in wide])", {"raw_dtype": "<f8"})
    fixture("bytes-f2", "stream(packb(), [row.tobytes() for row in numbers('<f2')])", {"raw_dtype": "<f2"})
    fixture("bytes-big-endian", "stream(packb(), [row.tobytes() for row in numbers('>f4')])", {"raw_dtype": ">f4"})
    fixture("bytes-i1", "stream(packb(), [row.tobytes() for row in numbers('i1')])", {"raw_dtype": "|i1"})
    fixture("doubles", "stream(packb(), wide.tolist())")
    fixture("single-float", "stream(packb(use_single_float=True), rows.tolist())")
    fixture("mixed", "stream(packb(), mixed)")
    fixture("mixed-single-float", "stream(packb(use_single_float=True), mixed)")
    fixture("doubles-too-large", "packb()([2.0**128 - 2.0**103, *range(15)])", refused="fit float32")
    fixture("mixed-too-precise", "packb()([0.5, 2**24 + 1, *range(14)])", refused="fit float32")
    fixture("maps", "stream(packb(), records)", {"vector": ["vector", "meta.embedding"]})
    fixture("maps-found", "stream(packb(), records)")
    fixture("maps-bytes-keys", "stream(packb(), [{k.encode(): v for k, v in record.items()} for record in sparse])")
    fixture("maps-sparse", "stream(packb(), sparse)")
    fixture(
        "maps-short",
        "stream(packb(), [{'id': n, 'v': row[:8].tolist()} for n, row in enumerate(rows)])",
        {"vector": "v"},
    )
    fixture("positional", "stream(packb(), positional)")
    fixture("positional-raw", "stream(packb(use_bin_type=False), positional)")
    fixture("maps.array", "packb()(sparse)")
    fixture("positional.array", "packb()(positional)")
    fixture("bytes.array", "packb()([row.tobytes() for row in rows])")
    fixture("bytes-many.array", "packb()(list(words.values()))")
    fixture("doubles.array", "packb()(wide.tolist())")
    fixture("bytes.map", "packb()(words)")
    fixture("raw.map", "packb(use_bin_type=False)(words)")
    fixture("doubles.map", "packb()(words_of_floats)")
    fixture("maps.map", "packb()({f'key{n}': record for n, record in enumerate(sparse)})")


def npy(array, version=None, **options):
    """What `numpy.save` puts into a file."""
    file = io.BytesIO()
    if version is None:
        np.save(file, array, **options)
    else:
        np.lib.format.write_array(file, array, version)
    return file.getvalue()


def write_numpy():
    def fixture(file, how, read=None, refused=None):
        write(f"numpy-{file}.msgpack", "numpy", how, read, refused)

    for dtype in ["<f2", "<f4", ">f4", "i1", "u1"]:
        name = dtype.replace("<", "").replace(">", "big-")
        fixture(f"npy-{name}", f"stream(packb(), map(npy, numbers({dtype!r})))")
    fixture("npy-f8", "stream(packb(), map(npy, wide))")
    fixture("npy-big-f8", "stream(packb(), map(npy, wide.astype('>f8')))")
    fixture("npy-version-2", "stream(packb(), [npy(row, (2, 0)) for row in rows])")
    fixture("npy-version-3", "stream(packb(), [npy(row, (3, 0)) for row in rows])")
    fixture("npy-raw", "stream(packb(use_bin_type=False), map(npy, rows))")
    fixture("npy-one-row", "stream(packb(), [npy(row[None]) for row in rows])")
    fixture("npy-matrix", "stream(packb(), [npy(rows), npy(rows[::-1])])")
    fixture("npy-maps", "stream(packb(), [{'id': n, 'vector': npy(row[:8])} for n, row in enumerate(rows)])")
    fixture("npy-positional", "stream(packb(), [[n, npy(row)] for n, row in enumerate(rows)])")
    fixture("npy.array", "packb()(list(map(npy, rows)))")
    fixture("npy.map", "packb()({f'word{n}': npy(row) for n, row in enumerate(numbers('f4', 17))})")
    fixture("npy-fortran", "packb()(npy(np.asfortranarray(rows)))", refused="Fortran")
    fixture("npy-object", "packb()(npy(np.array([1.5, None], object)))", refused="pickle")
    fixture("npy-structured", "packb()(npy(np.ones(4, [('x', 'f4'), ('y', 'f4')])))", refused="structured")


def write_msgpack_numpy():
    def fixture(file, how, read=None, refused=None):
        write(f"msgpack-numpy-{file}.msgpack", "msgpack-numpy", how, read, refused)

    for dtype in ["<f2", "<f4", ">f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "bool"]:
        name = dtype.replace("<", "").replace(">", "big-")
        fixture(name, f"stream(numpy_packb(), numbers({dtype!r}))")
    fixture("f8", "stream(numpy_packb(), wide)")
    fixture("i8-too-precise", "numpy_packb()(np.full(8, 2**63 - 1))", refused="fit float32")
    fixture("f8-too-large", "numpy_packb()(np.full(8, 1e39))", refused="fit float32")
    fixture("raw", "stream(numpy_packb(use_bin_type=False), rows)")
    fixture("raw-f8", "stream(numpy_packb(use_bin_type=False), wide)")
    fixture("one-row", "stream(numpy_packb(), [row[None] for row in rows])")
    fixture("matrix", "stream(numpy_packb(), [rows, rows[::-1]])")
    fixture("scalars", "stream(numpy_packb(), [np.float32(0.1), np.float32(-0.0), np.float32(3)])")
    fixture("scalars-int", "stream(numpy_packb(), [np.int64(1), np.int64(2**40), np.int64(-7)])")
    fixture(
        "maps",
        "stream(numpy_packb(), [{'id': np.int64(n), 'big': np.uint64(2**64 - 1), 'score': np.float32(0.1),"
        " 'good': np.bool_(n == 1), 'vector': row, 'meta': {'embedding': row[:8].astype('<f8'), 'lang': 'de'}}"
        " for n, row in enumerate(rows)])",
    )
    fixture("maps-one-row", "stream(numpy_packb(), [{'id': n, 'vector': row[None]} for n, row in enumerate(rows)])")
    fixture("positional", "stream(numpy_packb(), [[n, row] for n, row in enumerate(rows)])")
    fixture("vectors.array", "numpy_packb()(list(rows))")
    fixture("maps.array", "numpy_packb()([{'id': n, 'vector': row} for n, row in enumerate(rows)])")
    fixture("vectors.map", "numpy_packb()({f'word{n}': row for n, row in enumerate(numbers('f4', 17, 8))})")
    fixture("object", "numpy_packb()(np.array([1.5, None], object))", refused="pickle")
    fixture("complex", "numpy_packb()(np.ones(8, 'c8'))", refused="complex")
    fixture("complex-number", "numpy_packb()(1 + 2j)", refused="complex")
    fixture("structured", "numpy_packb()(np.ones(4, [('x', 'f4'), ('y', 'f4')]))", refused="structured")


def write_old_msgpack_numpy():
    """With a msgpack-numpy that does not know `kind`."""
    assert importlib.metadata.version("msgpack-numpy") == "0.3.8"
    write("msgpack-numpy-old.msgpack", "msgpack-numpy", "stream(numpy_packb(use_bin_type=False), rows)")
    write("msgpack-numpy-old-bin.msgpack", "msgpack-numpy", "stream(numpy_packb(use_bin_type=True), rows)")
    write(
        "msgpack-numpy-old-maps.msgpack",
        "msgpack-numpy",
        "stream(numpy_packb(use_bin_type=False), [{'id': n, 'score': np.float64(0.1), 'vector': row} for n, row in enumerate(wide)])",
    )


def write_ormsgpack():
    for dtype, vectors in {"f8": "wide", "f4": "rows", "f2": "numbers('f2')"}.items():
        how = f"stream(lambda row: ormsgpack.packb(row, option=ormsgpack.OPT_SERIALIZE_NUMPY), {vectors})"
        write(f"ormsgpack-{dtype}.msgpack", "ormsgpack", how)
    how = (
        "ormsgpack.packb([{'id': n, 'score': np.float32(0.1), 'vector': row} for n, row in enumerate(rows)],"
        " option=ormsgpack.OPT_SERIALIZE_NUMPY)"
    )
    write("ormsgpack-maps.array.msgpack", "ormsgpack", how)


def write_msgspec():
    write("msgspec-lists.msgpack", "msgspec", "stream(msgspec.msgpack.encode, wide.tolist())")
    how = "stream(msgspec.msgpack.encode, [{}(n, None if n else 0.5, row.{}()) for n, row in enumerate(rows)])"
    write("msgspec-struct.msgpack", "msgspec", how.format("Record", "tolist"))
    write("msgspec-struct-bytes.msgpack", "msgspec", how.format("Record", "tobytes"))
    write("msgspec-array-like.msgpack", "msgspec", how.format("ArrayLike", "tolist"))


def write_flax():
    def fixture(file, how, refused=None):
        write(f"flax-{file}.msgpack", "flax", how, None, refused)

    global serialize, narrow
    serialize = flax.serialization.msgpack_serialize
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = rows.astype(ml_dtypes.bfloat16)
    fixture("f4", "stream(serialize, rows)")
    fixture("f2", "stream(serialize, numbers('f2'))")
    fixture("bf16", "stream(serialize, narrow)")
    fixture("i1", "stream(serialize, numbers('i1'))")
    fixture("f8", "stream(serialize, wide)")
    fixture("matrix", "serialize(rows)")
    fixture("jax", "serialize(jax.numpy.asarray(rows[1]))")
    fixture(
        "nested",
        "stream(serialize, [{'params': {'kernel': row, 'bias': row[:8]}, 'step': np.int32(n)} for n, row in enumerate(rows)])",
    )
    fixture("scalars", "stream(serialize, [{'loss': np.float32(0.1), 'vector': row} for row in rows])")
    fixture("complex", "serialize(1 + 2j)", "complex")
    fixture("complex-array", "serialize(np.ones(8, 'c8'))", "complex")
    limit, flax.serialization.MAX_CHUNK_SIZE = flax.serialization.MAX_CHUNK_SIZE, 20
    fixture("chunked", "stream(serialize, rows)")
    fixture("chunked-matrix", "serialize(rows)")
    fixture("chunked-maps", "stream(serialize, [{'id': n, 'vector': row} for n, row in enumerate(rows)])")
    flax.serialization.MAX_CHUNK_SIZE = limit


def openpi(obj):
    """The encoder that is copied from project to project: the data comes before what tells its type and shape."""
    if isinstance(obj, np.ndarray):
        return {b"__ndarray__": True, b"data": obj.tobytes(), b"dtype": obj.dtype.str, b"shape": obj.shape}
    if isinstance(obj, np.generic):
        return {b"__npgeneric__": True, b"data": obj.item(), b"dtype": obj.dtype.str}
    return obj


def write_openpi():
    def fixture(file, how):
        version = "msgpack " + importlib.metadata.version("msgpack") + ", encoder in python.py"
        write(f"openpi-{file}.msgpack", "openpi", how, version=version)

    fixture("f4", "stream(packb(default=openpi), rows)")
    fixture("f8", "stream(packb(default=openpi), wide)")
    fixture("matrix", "packb(default=openpi)(rows)")
    fixture(
        "maps",
        "stream(packb(default=openpi), [{'id': np.int64(n), 'score': np.float32(0.1), 'good': np.bool_(n == 1), 'vector': row}"
        " for n, row in enumerate(rows)])",
    )


def tuple_of(array, index=None):
    """vLLM's way: type, shape and data, or the number of the buffer that has the data."""
    data = msgspec.msgpack.Ext(3, array.tobytes()) if index is None else index
    return array.dtype.str, array.shape, data


def write_vllm():
    def fixture(file, how, refused=None):
        version = "msgspec " + importlib.metadata.version("msgspec") + ", encoder in python.py"
        write(f"vllm-{file}.msgpack", "vllm", how, None, refused, version)

    fixture("f4", "stream(msgspec.msgpack.encode, map(tuple_of, rows))")
    fixture("f2", "stream(msgspec.msgpack.encode, map(tuple_of, numbers('f2')))")
    fixture("matrix", "msgspec.msgpack.encode(tuple_of(rows))")
    fixture(
        "tensor",
        "stream(msgspec.msgpack.encode, [('bfloat16', *tuple_of(row)[1:]) for row in narrow])",
    )
    fixture(
        "maps", "stream(msgspec.msgpack.encode, [{'id': n, 'vector': tuple_of(row)} for n, row in enumerate(rows)])"
    )
    fixture("side-buffer", "msgspec.msgpack.encode(tuple_of(rows[0], 1))", "another buffer")


def write_numcodecs():
    how = "stream(numcodecs.MsgPack({}).encode, {})"
    write("numcodecs-f8.msgpack", "numcodecs", how.format("", "wide"))
    write("numcodecs-f4.msgpack", "numcodecs", how.format("use_single_float=True", "rows"))
    write("numcodecs-i4.msgpack", "numcodecs", how.format("", "numbers('i4')"))


def save():
    """Puts what was written into the manifest, beside what the other scripts wrote."""
    path = HERE / "manifest.json"
    entries = {entry["file"]: entry for entry in json.loads(path.read_text())} if path.exists() else {}
    entries |= manifest
    ordered = [entries[file] for file in sorted(entries)]
    path.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n")


if sys.argv[1:] == ["old"]:
    write_old_msgpack_numpy()
else:
    import flax.serialization
    import jax.numpy  # noqa: F401 - in what is evaluated, as the others
    import ml_dtypes
    import msgspec
    import numcodecs  # noqa: F401
    import ormsgpack  # noqa: F401

    class Record(msgspec.Struct):
        id: int
        score: float | None
        vector: list[float] | bytes

    class ArrayLike(msgspec.Struct, array_like=True):
        id: int
        score: float | None
        vector: list[float] | bytes

    write_msgpack()
    write_numpy()
    write_msgpack_numpy()
    write_ormsgpack()
    write_msgspec()
    write_flax()
    write_openpi()
    write_vllm()
    write_numcodecs()
save()
