"""Files of whole objects, and what must come of them: a plain loop over what msgpack.Unpacker gives.

It knows the columns that a source tells of, and which values they hold; nothing of damage.
"""

import io
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import msgpack
import numpy as np
import pyarrow as pa

LIMITS = ("buffer_size", "array_len", "map_len", "str_len", "bin_len", "ext_len")
UNLIMITED = {f"max_{name}": 2**32 - 1 for name in LIMITS}

# --- The plain loop -------------------------------------------------------------------------------


class Pairs(tuple):
    """A map: its pairs, in order, keys that come twice included. Arrays are plain tuples."""

    def value(self, name):
        """What stands at this key, None where it is missing."""
        return next((value for key, value in self if text(key) == name), None)


class Bad(Exception):
    """A value does not fit its column."""


@dataclass
class Object:
    """An object of a file where a record should stand."""

    start: int
    end: int
    value: object

    @property
    def is_number(self):
        """A number or a boolean is no record."""
        return type(self.value) in (int, float, bool)


def text(key):
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def unpacker_of(data):
    return msgpack.Unpacker(
        io.BytesIO(data),
        use_list=False,
        strict_map_key=False,
        object_pairs_hook=Pairs,
        ext_hook=lambda code, data: (code, data),
        unicode_errors="surrogateescape",
        **UNLIMITED,
    )


def objects(data, framing):
    """The objects of a file, one after another; of arrays, their items."""
    unpacker, found = unpacker_of(data), []
    while unpacker.tell() < len(data):
        for _ in range(unpacker.read_array_header() if framing == "array" else 1):
            start = unpacker.tell()
            value = unpacker.unpack()
            found.append(Object(start, unpacker.tell(), value))
    return found


def vector(value, dim):
    """The numbers of a vector of float32, however it is written."""
    if isinstance(value, Pairs):
        if not (value.value("nd") is True and value.value("type") == "<f4" and value.value("shape") == (dim,)):
            raise Bad
        value = value.value("data")
    if isinstance(value, str):
        value = value.encode(errors="surrogateescape")
    if type(value) is tuple and len(value) == 4 * dim and all(type(item) is int and 0 <= item < 256 for item in value):
        value = bytes(value)
    if isinstance(value, bytes) and len(value) == 4 * dim:
        return np.frombuffer(value, np.float32).tolist()
    if type(value) is tuple and len(value) == dim and all(type(item) in (int, float) for item in value):
        return [number(item, np.float32) for item in value]
    raise Bad


def number(value, kind):
    with np.errstate(over="ignore"):
        found = kind(value)
    if int(found) != value if type(value) is int else np.isinf(found) and not np.isinf(value):
        raise Bad
    return float(found)


def cell(value, kind):
    """The value of a column of this Arrow type, as pyarrow gives it."""
    if value is None:
        return None
    if pa.types.is_fixed_size_list(kind):
        return vector(value, kind.list_size)
    if pa.types.is_list(kind) and type(value) is tuple:
        return [cell(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind) and isinstance(value, Pairs):
        return {field.name: cell(value.value(field.name), field.type) for field in kind}
    if pa.types.is_int64(kind) and type(value) is int and -(2**63) <= value < 2**63:
        return value
    if pa.types.is_boolean(kind) and type(value) is bool:
        return value
    if pa.types.is_float64(kind) and type(value) in (int, float):
        return number(value, np.float64)
    if pa.types.is_binary(kind) and isinstance(value, str | bytes):
        return value.encode(errors="surrogateescape") if isinstance(value, str) else value
    # Bytes that are not UTF-8 are surrogates here.
    if pa.types.is_string(kind) and isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value):
        return value
    raise Bad


def value_of(record, layout, name):
    """What the record has in the place of this column."""
    if layout in ("bytes", "lists", "typed"):
        return record
    if layout == "positional":
        at = int(name.removeprefix("column_"))
        return record[at] if at < len(record) else None
    for key in name.split("."):
        if isinstance(record, Pairs) and [text(known) for known, _ in record].count(key) > 1:
            raise Bad
        record = record.value(key) if isinstance(record, Pairs) else None
    return record


def is_record(value, layout):
    """Whether it is written as a record is; what is in its columns is another question."""
    if layout == "positional":
        return type(value) is tuple
    if layout in ("maps", "nested"):
        keys = [key for key, _ in value] if isinstance(value, Pairs) else [()]
        return not any(isinstance(key, tuple) for key in keys)
    return True


def cells(value, layout, schema):
    """The row of a record, with Bad in the columns at fault; only Bad where it is no record."""
    row = {}
    for field in schema:
        row[field.name] = Bad
        if is_record(value, layout):
            try:
                found = value_of(value, layout, field.name)
                row[field.name] = comparable(cell(found, field.type))
            except Bad:
                continue
            if found is None and pa.types.is_fixed_size_list(field.type):
                row[field.name] = Bad
    return row


def comparable(value):
    """The value with a text in the place of NaN, which is not equal to itself."""
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return value


@dataclass
class Expected:
    """What must come of a file: an entry for each row that `null` gives, and the rejects as offset and length."""

    rows: list
    rejects: list
    stop: tuple | None
    """The number of the object at which `raise` stops, and its offset."""

    @property
    def good(self):
        return [row for row in self.rows if Bad not in row.values()]


def plain_loop(data, layout, framing, schema):
    rows, rejects, stop, run = [], [], None, False
    for count, found in enumerate(objects(data, framing)):
        row = cells(found.value, layout, schema)
        is_bad = found.is_number or Bad in row.values()
        if is_bad and stop is None:
            stop = (count, found.start)
        if found.is_number and run:
            rejects[-1] = (rejects[-1][0], found.end - rejects[-1][0])
        elif is_bad:
            rejects.append((found.start, found.end - found.start))
        if not found.is_number:
            rows.append(row)
        run = found.is_number
    return Expected(rows, rejects, stop)


# --- Files ----------------------------------------------------------------------------------------


@dataclass
class Files:
    """Makes objects of a layout."""

    layout: str
    random: Random
    dim: int
    families: tuple
    old: bool
    """Bytes are written as text, as old writers did."""
    numbers: int = 0

    def pack(self, value):
        return value if isinstance(value, bytearray) else msgpack.packb(value, use_bin_type=not self.old)

    def vector(self, dim=None):
        numbers = np.array([self.random.gauss(0, 1) for _ in range(dim or self.dim)], np.float32)
        if self.layout in ("bytes", "maps"):
            return numbers.tobytes()
        if self.layout == "typed":
            return {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": (len(numbers),), b"data": numbers.tobytes()}
        return numbers.tolist()

    def next(self):
        self.numbers += 1
        return self.numbers

    def record(self, depth=0, **changes):
        """A good record; the families say what it holds besides."""
        if self.layout in ("bytes", "lists", "typed"):
            return self.vector()
        number = self.next()
        extras = {
            name: FAMILIES[name](self, depth) for name in self.families if depth < 3 and self.random.random() < 0.4
        }
        if self.layout == "positional":
            record = [number, self.vector(), "text", *extras.values()]
            for at, value in changes.items():
                record[int(at.removeprefix("column_"))] = value
            return record
        vector = {"vector": self.vector(), (0, 1): 3} if self.layout == "nested" else self.vector()
        record = {"id": number, "meta" if self.layout == "nested" else "vector": vector, "text": "text"} | changes
        pairs = list((record | extras).items())
        if self.random.random() < 0.2:
            self.random.shuffle(pairs)
        return dict(pairs)

    def some(self, depth=0, most=4):
        return [self.record(depth + 1) for _ in range(self.random.randrange(most + 1))]

    def without_vector(self, **more):
        """A record that has everything but its vector."""
        if self.layout in ("bytes", "lists", "typed"):
            return {"id": self.next(), "vector": None} | more
        if self.layout == "positional":
            return [*self.record(column_1=None)[:3], *more.values()]
        return self.record(**{"meta" if self.layout == "nested" else "vector": None}) | more

    def no_record(self):
        """An object that is no good record, or none at all."""
        makers = [
            lambda: None,
            lambda: self.random.choice((0, 7, -3, 2**40, 0.5, True, False)),
            lambda: self.without_vector(),
            lambda: self.without_vector(chunks=self.some()),
            lambda: self.without_vector(wal=b"".join(map(self.pack, self.some()))),
            lambda: {"doc": self.next(), "chunks": self.some()},
            lambda: {"summary": True, "samples": self.some(), "n": 20},
            lambda: ["batch", self.some()],
            lambda: [self.record() for _ in range(self.random.randrange(1, 5))],
            lambda: {"words": {f"word {n}": self.record() for n in range(3)}},
            lambda: b"".join(self.pack(self.record()) for _ in range(self.random.randrange(1, 4))),
            lambda: b"".join(self.pack(self.record()) for _ in range(4))[
                self.random.choice((0, 0, 1, 8)) : -self.random.randrange(1, 99)
            ],
            lambda: b"".join(self.pack(self.record()) for _ in range(4)) + self.random.randbytes(30),
            lambda: self.random.choice(("", "a text", "text " * 30, [], {}, b"", [[]], {"a": {}}, [None])),
            lambda: msgpack.ExtType(5, self.pack(self.record())),
            lambda: self.with_vector(self.vector(self.dim + self.random.choice((-1, 1, self.dim)))),
            lambda: replace(self, layout=self.random.choice(("lists", "typed", "maps", "positional"))).without_vector(),
        ]
        if self.layout in ("maps", "nested"):
            makers += [
                lambda: self.record(id="text for a number"),
                lambda: self.record(id="x", history=self.some()),
                self.key_twice,
            ]
        if self.layout == "positional":
            makers += [lambda: self.record(column_0="text for a number"), lambda: [self.next()], lambda: self.vector()]
        return self.random.choice(makers)()

    def with_vector(self, vector):
        if self.layout in ("bytes", "lists", "typed"):
            return vector
        if self.layout == "positional":
            return self.record(column_1=vector)
        return self.record(**({"meta": {"vector": vector}} if self.layout == "nested" else {"vector": vector}))

    def key_twice(self):
        packer = msgpack.Packer(use_bin_type=not self.old)
        pairs = list(self.record().items())
        return bytearray(packer.pack_map_pairs([*pairs, pairs[0]]))

    def items(self, count, share):
        """So many objects, of which a share are no records; the first three are good, and tell what the columns are."""
        items, runs = [], 0
        while len(items) < count:
            if len(items) >= 3 and self.random.random() < share:
                is_run = self.random.random() < 0.15
                some = (
                    [self.random.choice((None, 7, True))] * self.random.randrange(1, 9)
                    if is_run
                    else [self.no_record()]
                )
                items += [bytes(self.pack(item)) for item in some]
                runs += is_run
            else:
                items.append(bytes(self.pack(self.record())))
        return items


FAMILIES = {
    "children": lambda files, depth: files.some(depth, 3),
    "parent": lambda files, depth: files.record(depth + 1) if files.random.random() < 0.5 else None,
    "chunks": lambda files, depth: {"of": files.some(depth, 3), "kind": "text"},
    "history": lambda files, depth: [files.record(depth + 1) for _ in range(2)],
    "next_text": lambda files, depth: files.record(3),
    "pairs": lambda files, depth: {(0, 1): 3, 5: "x", b"k": None},
    "of_anything": lambda files, depth: {(1, (2,)): [{}], "deep": [[[files.record(3)]]]},
    "wal": lambda files, depth: b"".join(files.pack(files.record(3)) for _ in range(files.random.randrange(3))),
    "tag": lambda files, depth: "tag",
    "list": lambda files, depth: [1, 2, 3][: files.random.randrange(4)],
    "nil": lambda files, depth: None,
    "flag": lambda files, depth: files.random.random() < 0.5,
}

CORE = {
    "bytes": ["vector"],
    "lists": ["vector"],
    "typed": ["vector"],
    "maps": ["id", "vector", "text"],
    "nested": ["id", "meta.vector", "text"],
    "positional": ["column_0", "column_1", "column_2"],
}


@dataclass
class Case:
    layout: str
    framing: str
    items: list
    """The objects, packed."""
    columns: list | None
    dim: int
    random: Random

    @classmethod
    def make(cls, layout, framing, seed):
        random = Random(f"{layout} {framing} {seed}")
        families = tuple(random.sample(sorted(FAMILIES), random.randrange(len(FAMILIES) // 2)))
        files = Files(layout, random, random.choice((16, 20, 33)), families, random.random() < 0.15)
        items = files.items(random.choice((5, 20, 60, 150)), random.choice((0, 0, 0.05, 0.2, 0.4)))
        grown = replace(files, families=(*families, *random.sample(sorted(FAMILIES), 2)), numbers=1000)
        items += grown.items(random.choice((0, 3, 40)), 0.05)
        return cls(layout, framing, items, random.choice((None, CORE[layout])), files.dim, random)

    def data(self):
        """The file. A run of numbers does not go from one array to the next."""
        if self.framing == "sequence":
            return b"".join(self.items)
        random, count = Random(len(self.items)), len(self.items)
        cuts = [0, count]
        for cut in random.sample(range(3, count + 1), min(2, count - 2)):
            while cut < count and is_number(self.items[cut - 1]) and is_number(self.items[cut]):
                cut += 1
            cuts.append(cut)
        parts = [self.items[start:end] for start, end in pairwise(sorted(cuts))]
        head = msgpack.Packer().pack_array_header
        # An array may be empty.
        return b"".join(head(len(part)) + b"".join(part) for part in parts if part or random.random() < 0.3)

    def options(self):
        options = {"max_rejects": 10**6, "include_record": True, "columns": self.columns, "framing": self.framing}
        if self.columns is None or self.layout == "nested":
            # What is inside of extras may look like vectors as well.
            options["vector"] = {"nested": "meta.vector", "maps": "vector", "positional": 1}.get(self.layout)
        return {name: value for name, value in options.items() if value is not None}


def is_number(item):
    (found,) = objects(item, "sequence")
    return found.is_number
