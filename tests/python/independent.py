"""A second opinion on the fixtures of tests/data/producers: what they hold, found out without vecpack.

It knows what each library writes and what columns are to become of it, and nothing of how vecpack does that. How records lie
in a file, the end of its name tells: `x.array.msgpack`, `x.map.msgpack`; else one follows another.
"""

import io
import struct
from pathlib import Path

import msgpack
import numpy as np


class Time(int):
    """Nanoseconds since 1970."""


class Vector:
    """What a library wrote as an array that knows its type: one row or several. A scalar has no dimension."""

    def __init__(self, array):
        self.array = array


LEAST = 16
"""So many elements make a vector of floats, or of bytes, where a record has more than that."""


def typed(name, data, shape):
    """An array of the type and shape that the data names."""
    name = name.decode() if isinstance(name, bytes) else name
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    if name in ("bfloat16", "bf16"):  # which is the upper half of a float32
        wide = np.frombuffer(data, "<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape)
    return np.frombuffer(data, np.dtype(name)).reshape(shape)


def flax(data):
    shape, name, elements = msgpack.unpackb(data)
    return Vector(typed(name, elements, shape))


MSGPACKR = "i1 u1 u1 <i2 <u2 <i4 <u4 <f4 <f8 <i8 <u8".split()


def extension(code, data):
    """flax, msgpackr, the aligned codec and MessagePack-CSharp."""
    if code == 1:
        return flax(data)
    if code == ord("t"):
        return Vector(np.frombuffer(data[1:], MSGPACKR[data[0]]))
    if code == 0 and data == b"\0":
        return None  # msgpackr's `undefined`
    if code == 0:
        return Vector(np.frombuffer(data[data[0] :], "<f4"))
    if code in (37, 38, 39):
        head, length, little = struct.unpack(">BHB", data[:4])
        assert (head, length) == (0xCD, len(data) - 4)
        order = {0xC3: "<", 0xC2: ">"}[little]
        return Vector(np.frombuffer(data[4:], order + {37: "i4", 38: "f4", 39: "f8"}[code]))
    return msgpack.ExtType(code, data)


def name_of(key):
    return key.decode() if isinstance(key, bytes) else key


def mapping(pairs):
    """msgpack-numpy, its copies, and what flax cuts in pieces; or a map."""
    found = {name_of(key): value for key, value in pairs}
    if found.get("nd") is True:
        return Vector(typed(found["type"], found["data"], found["shape"]))
    if found.get("nd") is False:
        return Vector(typed(found["type"], found["data"], ()))
    if "__ndarray__" in found:
        return Vector(typed(found["dtype"], found["data"], found["shape"]))
    if "__npgeneric__" in found:
        return Vector(np.asarray(found["data"], np.dtype(found["dtype"])))
    if "__msgpack_chunked_array__" in found:
        shape = [found["shape"][str(n)] for n in range(len(found["shape"]))]
        chunks = [found["chunks"][str(n)].array for n in range(len(found["chunks"]))]
        return Vector(np.concatenate(chunks).reshape(shape))
    return found


def sequence(items):
    """vLLM, Rust's ndarray, numcodecs; or an array."""
    if len(items) == 3 and isinstance(items[0], str) and isinstance(items[2], msgpack.ExtType):
        name, shape, data = items
        return Vector(typed(name, data.data, shape))
    items = [resolve(item) for item in items]
    if len(items) == 3 and items[0] == 1 and isinstance(items[1], list) and isinstance(items[2], list):
        return Vector(narrow(items[2]).reshape(items[1]))
    if (
        len(items) > 2
        and isinstance(items[-2], str)
        and items[-2][:1] in ("<", ">", "|")
        and items[-1] == [len(items) - 2]
    ):
        return Vector(narrow(items[:-2]))
    return items


def resolve(value):
    """The value with everything in it that is an array as a `Vector`."""
    if isinstance(value, list):
        return sequence(value)
    if isinstance(value, msgpack.Timestamp):
        return Time(value.to_unix_nano())
    if isinstance(value, msgpack.ExtType) and value.code == 3:
        return flax(value.data)
    if (file := raw_bytes(value)) and file.startswith(b"\x93NUMPY"):
        return Vector(np.load(io.BytesIO(file)))
    return value


def number(value):
    """The float32 nearest to a number of MessagePack: not by way of a double if it is an integer."""
    if isinstance(value, int):
        return np.float32(np.uint64(value) if value > 2**63 - 1 else np.int64(value))
    return np.float32(value)


def narrow(values):
    """Numbers as float32."""
    if isinstance(values, np.ndarray):
        return values.astype(np.float32)
    return np.array([number(value) for value in values], np.float32)


def elements(array):
    """The bits of elements that are float32 already, in a way that no conversion can touch; else as float32."""
    if array.dtype.str[1:] == "f4":
        return array.view(array.dtype.str.replace("f", "u")).astype(np.uint32)
    return narrow(array)


def is_numbers(value):
    return isinstance(value, list) and all(
        isinstance(item, int | float) and not isinstance(item, bool) for item in value
    )


def raw_bytes(value):
    """Bytes of a bin, or of a str that is no text."""
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
        try:
            data.decode()
        except UnicodeDecodeError:
            return data
        return None
    return value if isinstance(value, bytes) else None


def rows_of(value, read):
    """The vectors that a value has if it is to be read as such; `None` if it cannot be."""
    if isinstance(value, Vector):
        array = np.atleast_1d(value.array)
        return list(elements(array).reshape(-1, array.shape[-1]))
    data = raw_bytes(value)
    if is_numbers(value) and "dim" in read and len(value) == 4 * read["dim"]:
        data = bytes(value)
    if is_numbers(value) and read.get("raw_dtype") in ("<f2", "bf16"):
        data = b"".join(bits.to_bytes(2, "little") for bits in value)  # as Rust's half writes them
    if data is not None:
        return [elements(typed(read.get("raw_dtype", "<f4"), data, -1))]
    if is_numbers(value):
        return [narrow(value)]
    return None


def looks_like_vector(value):
    """Whether a field is told to be a vector by this value."""
    if isinstance(value, Vector):
        return value.array.ndim > 0 and value.array.size == value.array.shape[-1]
    data = raw_bytes(value)
    if data is not None:
        return len(data) >= 4 * LEAST and len(data) % 4 == 0
    return is_numbers(value) and len(value) >= LEAST and any(isinstance(item, float) for item in value)


def plain(value):
    """A value that is no vector, as a column has it."""
    if isinstance(value, Vector):
        return value.array.item() if value.array.ndim == 0 else value.array.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def paths(value, before=()):
    """The ways to what is in a record, through its maps."""
    for key, item in value.items():
        yield (*before, key), item
        if isinstance(item, dict):
            yield from paths(item, (*before, key))


def at(record, path):
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def fill(values):
    """Structs have all keys that any of them has."""
    dicts = [value for value in values if isinstance(value, dict)]
    if not dicts:
        return values
    keys = dict.fromkeys(key for value in dicts for key in value)
    columns = {key: fill([value.get(key) for value in dicts]) for key in keys}
    filled = iter([dict(zip(keys, row)) for row in zip(*columns.values())])
    return [next(filled) if isinstance(value, dict) else None for value in values]


def columns_of(records, read):
    """Columns of records that are maps."""
    wanted = read.get("vector")
    if wanted is None:
        vectors = dict.fromkeys(path for record in records for path, item in paths(record) if looks_like_vector(item))
    else:
        vectors = dict.fromkeys(tuple(name.split(".")) for name in ([wanted] if isinstance(wanted, str) else wanted))
    columns = {}
    for key in dict.fromkeys(key for record in records for key in record):
        if (key,) in vectors:
            continue
        columns[key] = [record.get(key) for record in records]
    for path in vectors:
        # What else is in the map stays there; if that is nothing, the map is no column.
        found = [rows_of(at(record, path), read) for record in records]
        columns[".".join(path)] = [rows and rows[0] for rows in found]
        if len(path) > 1:
            within = [at(record, path[:-1]) for record in records]
            columns[path[0]] = [record.get(path[0]) for record in records]
            for value in within:
                value.pop(path[-1], None)
            if not any(columns[path[0]]):
                del columns[path[0]]
    return {
        name: values if tuple(name.split(".")) in vectors else fill([plain(value) for value in values])
        for name, values in columns.items()
    }


def decode(path, read):
    """The columns of a fixture: vectors as arrays of float32, or of their bits (uint32) where the file has those; everything
    else as Python has it.
    """
    unpacker = msgpack.Unpacker(
        raw=False,
        unicode_errors="surrogateescape",
        strict_map_key=False,
        ext_hook=extension,
        object_pairs_hook=lambda pairs: mapping([(key, resolve(value)) for key, value in pairs]),
    )
    unpacker.feed(Path(path).read_bytes())
    kind = Path(path).suffixes[-2:-1]
    objects = list(unpacker)
    keys = None
    if kind == [".array"]:
        objects = [record for array in objects for record in array]
    if kind == [".map"]:
        keys = [key for found in objects for key in found]
        objects = [record for found in objects for record in found.values()]
    records = [resolve(record) for record in objects]

    if all(isinstance(record, dict) for record in records):
        columns = columns_of(records, read)
    elif all(isinstance(record, list) and not is_numbers(record) for record in records):
        named = [{f"column_{n}": value for n, value in enumerate(record)} for record in records]
        columns = columns_of(named, read)
    else:
        columns = {"vector": [row for record in records for row in rows_of(record, read)]}
    return columns if keys is None else {"key": keys, **columns}
