"""The law of reading, on generated files, against a plain loop over the objects that msgpack.Unpacker gives.

- A file of whole objects reads the same under every policy: `skip` leaves out the records at which `raise` stops, `null` puts
  a null row in their place, and no row comes from the inside of another object.
- What a record holds besides its columns does not matter.
- Every byte of an input is a row's, a reject's or the framing's.
- Threads, batches, streams and splits change nothing.

`VECPACK_LAW_CASES` sets how many files of each kind are made. A failure shows the fewest objects that fail.
"""

import io
import os
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import msgpack
import numpy as np
import pyarrow as pa
import pytest
import vecpack
from naive import UNLIMITED

CASES = int(os.environ.get("VECPACK_LAW_CASES", "12"))
LAYOUTS = ("bytes", "lists", "typed", "maps", "nested", "positional")
FRAMINGS = ("sequence", "array")
POLICIES = ("raise", "skip", "null")


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


def objects(data, framing):
    """The objects of a file, one after another; of arrays, their items."""
    unpacker = msgpack.Unpacker(
        io.BytesIO(data),
        use_list=False,
        strict_map_key=False,
        object_pairs_hook=Pairs,
        unicode_errors="surrogateescape",
        **UNLIMITED,
    )
    found = []
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
    if pa.types.is_string(kind) and isinstance(value, str) and value.isprintable():
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
        record = record.value(key) if isinstance(record, Pairs) else None
    return record


def is_record(value, layout):
    """Whether it is written as a record is; what is in its columns is another question."""
    if layout == "positional":
        return type(value) is tuple
    if layout in ("maps", "nested"):
        keys = [key for key, _ in value] if isinstance(value, Pairs) else [()]
        return len(set(map(text, keys))) == len(keys) and not any(isinstance(key, tuple) for key in keys)
    return True


def cells(value, layout, schema):
    """The row of a record, with Bad in the columns at fault; only Bad where it is no record."""
    row = {}
    for field in schema:
        row[field.name] = Bad
        if is_record(value, layout):
            found = value_of(value, layout, field.name)
            try:
                row[field.name] = cell(found, field.type)
            except Bad:
                continue
            if found is None and pa.types.is_fixed_size_list(field.type):
                row[field.name] = Bad
    return row


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
                self.random.randrange(9) : -self.random.randrange(1, 99)
            ],
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


class Pipe(io.RawIOBase):
    """A file object that cannot seek, and gives as much at a time as it likes."""

    def __init__(self, data, random):
        self.rest, self.random = io.BytesIO(data), random

    def readable(self):
        return True

    def read(self, size=-1):
        return self.rest.read(min(size, self.random.choice((1, 10, 1000, 100_000))))


# --- Reading --------------------------------------------------------------------------------------


@dataclass
class Read:
    """What a scan gave."""

    schema: pa.Schema
    rows: list
    numbers: list
    rejects: list
    error: Exception | None = None


def read(source, parts=1):
    schema = pa.schema(source.schema)
    found = Read(schema.remove(schema.get_field_index("record")), [], [], [])
    for part in source.split(parts) if parts > 1 else [source]:
        try:
            for batch in part:
                found.rows += pa.record_batch(batch).to_pylist()
        except vecpack.DecodeError as error:
            found.error = error
        columns = ("record", "offset", "length", "kind")
        table = pa.table(part.rejects)
        assert part.reject_count == table.num_rows
        for reject in zip(*(table[name].to_pylist() for name in columns), strict=True):
            # Under `null` a record has a reject for each of its columns at fault.
            if not (found.rejects and reject[:3] == found.rejects[-1][:3] and source.options["on_error"] == "null"):
                found.rejects.append(reject)
        if found.error:
            break
    found.numbers = [row.pop("record") for row in found.rows]
    return found


def ways(data, random, tmp_path):
    """Some ways to cut the bytes: input, options and parts."""
    path = tmp_path / "data.msgpack"
    path.write_bytes(data)
    inputs = (lambda: data, lambda: path, lambda: io.BytesIO(data), lambda: Pipe(data, Random(1)))
    yield inputs[0], {"threads": 1}, 1
    for _ in range(3):
        at = random.randrange(4)
        options = {
            "threads": random.choice((1, 2, 4)),
            "batch_rows": random.choice((None, 1, 7, 100)),
            "batch_bytes": random.choice((1, 2000, 9000, 1 << 21)),
        }
        yield inputs[at], options, random.randrange(1, 6) if at < 2 else 1


def matches(row, expected):
    """A row that stands for a bad record has nulls where it is at fault, and else nothing but its own values."""
    return all(
        row[name] is None if value is Bad else row[name] == value or (row[name] is None and Bad in expected.values())
        for name, value in expected.items()
    )


def check(case, tmp_path):
    """Reads the file of the case in several ways under every policy; an AssertionError says what is wrong."""
    data = case.data()
    schema = None
    for policy in POLICIES:
        random = Random(len(data))
        first = None
        for make_input, options, parts in ways(data, random, tmp_path):
            found = read(vecpack.scan(make_input(), on_error=policy, **options, **case.options()), parts)
            if schema is None:
                schema = found.schema
                expected = plain_loop(data, case.layout, case.framing, schema)
                if case.columns:
                    assert schema.names == case.columns
            what = f"{policy}, {options}, {parts} parts"
            assert found.schema.names == schema.names and found.schema.types == schema.types, f"{what}: other columns"
            if policy == "raise":
                check_raise(found, expected, what)
                continue
            rejects = [(offset, length) for _, offset, length, _ in found.rejects]
            assert rejects == expected.rejects, f"{what}: rejects {difference(rejects, expected.rejects)}"
            kinds = {kind for *_, kind in found.rejects}
            assert not kinds & {"invalid", "truncated"}, f"{what}: rejects of kind {kinds}, but nothing is damaged"
            rows = expected.good if policy == "skip" else expected.rows
            assert len(found.rows) == len(rows), f"{what}: {len(found.rows)} rows, not {len(rows)}"
            for at, (row, right) in enumerate(zip(found.rows, rows)):
                assert matches(row, right), f"{what}: row {at} is {row}, not {right}"
            bad = [number for number, *_ in found.rejects]
            good = found.numbers if policy == "skip" else [n for n in found.numbers if n not in set(bad)]
            assert len(good) == len(expected.good), f"{what}: numbers of records {found.numbers}"
            both = sorted([*good, *bad])
            assert both == list(range(len(both))), f"{what}: numbers of records {both}"
            first = first or found
            assert (found.rows, found.numbers, found.rejects) == (first.rows, first.numbers, first.rejects), what


def check_raise(found, expected, what):
    assert found.rejects == []
    if expected.stop is None:
        assert found.error is None, f"{what}: {found.error}"
        assert found.rows == expected.good, f"{what}: {difference(found.rows, expected.good)}"
        return
    assert found.error is not None, f"{what}: no error, but {expected.stop}"
    assert (found.error.record, found.error.offset) == expected.stop, f"{what}: {found.error}, not {expected.stop}"
    assert found.rows == expected.rows[: len(found.rows)] and len(found.rows) <= expected.stop[0], f"{what}: other rows"


def difference(found, expected):
    at = next((n for n, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]), min(len(found), len(expected)))
    return f"{len(found)}, not {len(expected)}; from {at} on {found[at : at + 3]}, not {expected[at : at + 3]}"


def fewest(case, fails, tries=300):
    """The case with as few objects as still fail; the first three tell what the columns are."""
    step = len(case.items) // 2
    while step and tries:
        for at in range(3, len(case.items), step):
            tries -= 1
            fewer = replace(case, items=case.items[:at] + case.items[at + step :])
            if fails(fewer):
                case = fewer
                break
            if not tries:
                break
        else:
            step //= 2
    return case


def must_hold(case, tmp_path, check):
    def failure(case):
        try:
            check(case, tmp_path)
        except (AssertionError, vecpack.VecpackError) as error:
            return error
        return None

    error = failure(case)
    if error is not None:
        case = fewest(case, failure)
        data = case.data()
        pytest.fail(
            f"{failure(case) or error}\n{case.layout}, {case.framing}, options {case.options()}\n{len(case.items)} objects:"
            f" {data.hex() if len(data) < 3000 else f'{len(data)} bytes'}"
        )


# --- Whole objects --------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(CASES))
def test_whole_objects_read_the_same_under_every_policy(layout, framing, seed, tmp_path):
    must_hold(Case.make(layout, framing, seed), tmp_path, check)


def vec(n, dim=16):
    return [n + 0.5] * dim


def rec(n, **more):
    return {"id": n, "vector": vec(n), "text": "t"} | more


def node(n, *children):
    return {"id": n, "vector": vec(n), "children": list(children)}


NAMED = {
    "a deleted record with its history": (
        "maps",
        [rec(0), rec(1), rec(2, vector=None, history=[rec(100), rec(101)]), rec(3), rec(4), rec(5)],
    ),
    "a summary at the end": ("maps", [*map(rec, range(20)), {"summary": True, "samples": [rec(0), rec(1)], "n": 20}]),
    "a document with chunks among chunks": (
        "maps",
        [*map(rec, range(3)), {"doc": 7, "chunks": [rec(50), rec(51), rec(52)]}, *map(rec, range(3, 6))],
    ),
    "a rare node with branches": (
        "maps",
        [*map(node, range(300)), node(300, node(9001), node(9002)), *map(node, range(301, 600))],
    ),
    "leaves first": (
        "maps",
        [*map(node, range(1100)), *(node(2000 + n, *map(node, range(5 * n, 5 * n + 5))) for n in range(10))],
    ),
    "a tuple for a key beside the vector": (
        "nested",
        [{"id": n, "meta": {"vector": vec(n), (0, 1): 3}, "text": "t"} for n in range(20)],
    ),
    "a link to the record before": (
        "positional",
        [[n, vec(n), "t"] + [[n - 1, vec(n - 1)]] * (n >= 10) for n in range(20)],
    ),
    "the version before": (
        "positional",
        [[n, vec(n), "t"] + [[n, vec(n + 1000), "t"]] * (n >= 53) for n in range(60)],
    ),
    "a key that begins as another one": (
        "maps",
        [{"id": n, "vector": vec(n), "next": "x"} for n in range(30)]
        + [{"id": 30, "vector": vec(30), "next_chunk": {"id": 31, "vector": vec(31), "next": "x"}}]
        + [{"id": n, "vector": vec(n), "next": "x"} for n in range(31, 60)],
    ),
    "a value that is a key": (
        "maps",
        [*map(rec, range(30)), {"id": 30, "vector": vec(30), "kind": "text", "of": rec(7)}, *map(rec, range(31, 60))],
    ),
    "numbers behind the records": ("bytes", [*(bytes([n]) * 64 for n in range(9)), *[0] * 5000]),
    "a log line": ("bytes", [*[bytes(64)] * 20, *b"2024-05-01 12:00:12,123 WARNING retrying\n", *[bytes(64)] * 20]),
    "a parent in some": (
        "positional",
        [[n, vec(n), "t", [9000, vec(9000), "t", None] if n in (100, 150) else None] for n in range(200)],
    ),
    "packed records in a bad record": (
        "maps",
        [
            *map(rec, range(3)),
            rec(3, vector=None, wal=b"".join(msgpack.packb(rec(100 + n)) for n in range(3))),
            *map(rec, range(4, 7)),
        ],
    ),
    "a bad field and children": (
        "maps",
        [*map(node, range(10)), node(10, *map(node, range(100, 103))) | {"id": "n/a"}, *map(node, range(11, 30))],
    ),
    "a bad last record with a number before its last field": (
        "maps",
        [{"id": n, "page": 12, "vector": vec(n)} for n in range(39)] + [{"id": "x39", "page": 129, "vector": vec(1)}],
    ),
    "updates in a log": (
        "maps",
        [{"op": "insert", "id": n, "vector": vec(n)} for n in range(40)]
        + [{"op": "update", "at": 5, "new": {"id": 7, "vector": vec(7)}}] * 3,
    ),
    "a map with an array for a key of its own": (
        "maps",
        [*map(rec, range(20)), rec(20) | {(0, 1): 3}, *map(rec, range(21, 30))],
    ),
    "runs of nil": ("bytes", [*[bytes(64)] * 20, *[None] * 500, *[bytes(64)] * 20, *[None] * 3]),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", NAMED)
def test_files_that_people_write(name, framing, tmp_path):
    layout, values = NAMED[name]
    for columns in (None, CORE[layout]):
        if columns and layout == "maps" and not any("text" in value for value in values if type(value) is dict):
            columns = ["id", "vector"]
        must_hold(Case(layout, framing, list(map(msgpack.packb, values)), columns, 16, Random(1)), tmp_path, check)


def test_files_of_several_kinds_one_after_another(tmp_path):
    """Numbers of records and offsets begin anew in each file."""
    cases = [Case.make("maps", "sequence", seed) for seed in range(6)]
    cases = [replace(case, columns=CORE["maps"]) for case in cases]
    schema = read(vecpack.scan(cases[0].data(), **cases[0].options())).schema
    for dim in {case.dim for case in cases}:
        same = [case.data() for case in cases if case.dim == dim]
        expected = [plain_loop(data, "maps", "sequence", schema_of(schema, dim)) for data in same]
        for threads in (1, 4):
            found = read(vecpack.scan(same, on_error="skip", threads=threads, **cases[0].options()))
            assert found.rows == [row for file in expected for row in file.good]
            rejects = [(offset, length) for _, offset, length, _ in found.rejects]
            assert rejects == [reject for file in expected for reject in file.rejects]


def schema_of(schema, dim):
    at = schema.get_field_index("vector")
    return schema.set(at, pa.field("vector", pa.list_(pa.float32(), dim), nullable=False))


# --- Damage ---------------------------------------------------------------------------------------


def damage(data, random, whole):
    """The bytes after one of the things that happen to files, behind the first `whole` bytes."""
    data = bytearray(data)
    at = random.randrange(whole, len(data))
    size = int(2 ** random.uniform(0, 9))
    way = random.randrange(8)
    if way == 0:
        data[at] ^= 1 << random.randrange(8)
    elif way == 1:
        data[at : at + size] = bytes(len(data[at : at + size]))
    elif way == 2:
        del data[at : at + size]
    elif way == 3:
        data[at : at + size] = random.randbytes(size)
    elif way == 4:
        data[at:at] = b"2024-05-01 12:00:12 WARNING retrying\n"
    elif way == 5:
        data[at:at] = b"\xc1" * random.randrange(1, 3)
    elif way == 6:
        # The head of a container that holds what follows.
        data[at:at] = random.choice(
            (b"\xdc\x00\x07", b"\xde\x00\x03", b"\xdd\x00\x00\x01\x00", b"\x92", b"\x83", b"\xc5\x01\x00")
        )
    else:
        other = random.randrange(len(data))
        data[at:at] = data[other : other + size]
    return bytes(data)


def whole_records(data, case):
    """The objects of what is left of a damaged file; an array's head counts as framing wherever it stands."""
    if case.framing == "sequence":
        return objects(data, "sequence")
    unpacker = msgpack.Unpacker(
        io.BytesIO(data),
        use_list=False,
        strict_map_key=False,
        object_pairs_hook=Pairs,
        unicode_errors="surrogateescape",
        **UNLIMITED,
    )
    found = []
    while (start := unpacker.tell()) < len(data):
        if 0x90 <= data[start] <= 0x9F or data[start] in (0xDC, 0xDD):
            unpacker.read_array_header()
        else:
            found.append(Object(start, unpacker.tell(), unpacker.unpack()))
    return found


def check_damage(case, tmp_path):
    data = case.data()
    random = Random(len(data))
    # The first three records tell what the columns are; an array's head in front of them takes up to three bytes.
    whole = sum(map(len, case.items[:3])) + 3 * (case.framing == "array")
    for _ in range(random.choice((1, 1, 2, 5))):
        if whole < len(data):
            data = damage(data, random, whole)
    # What the options say need not be found in bytes that may be damaged.
    explicit = {"dim": case.dim, "columns": CORE[case.layout], "vector": "vector"} | case.options()
    if case.layout == "maps":
        explicit["schema"] = {"id": "int64", "text": "string"}
    if case.layout == "positional":
        explicit["schema"] = {"column_0": "int64", "column_2": "string"}
    explicit["columns"] = CORE[case.layout]
    first = {}
    for policy in ("skip", "null"):
        for make_input, options, parts in ways(data, Random(len(data)), tmp_path):
            found = read(vecpack.scan(make_input(), on_error=policy, **options, **explicit), parts)
            what = f"{policy}, {options}, {parts} parts, file {data.hex() if len(data) < 1500 else len(data)}"
            reference = first.setdefault(policy, found)
            assert found.rejects == reference.rejects, f"{what}: rejects {difference(found.rejects, reference.rejects)}"
            assert found.rows == reference.rows, f"{what}: rows {difference(found.rows, reference.rows)}"
            assert found.numbers == reference.numbers, f"{what}: numbers"
    # What no reject tells of is a file of good records, and these are the rows.
    left, at = [], 0
    for _, offset, length, _ in first["skip"].rejects:
        assert offset >= at, f"{what}: rejects that overlap"
        left.append(data[at:offset])
        at = offset + length
    assert at <= len(data)
    left = b"".join([*left, data[at:]])
    rows = [cells(found.value, case.layout, first["skip"].schema) for found in whole_records(left, case)]
    assert first["skip"].rows == rows, f"{what}: {difference(first['skip'].rows, rows)}"
    # Under `null` there are rows for some rejects, and no others.
    assert first["null"].rejects == first["skip"].rejects, what
    bad = {number for number, *_ in first["skip"].rejects}
    rows = [(number, row) for number, row in zip(first["null"].numbers, first["null"].rows) if number not in bad]
    assert rows == list(zip(first["skip"].numbers, first["skip"].rows)), what


@pytest.mark.parametrize(
    "layout, framing", [(layout, "sequence") for layout in LAYOUTS] + [("bytes", "array"), ("maps", "array")]
)
@pytest.mark.parametrize("seed", range(2 * CASES))
def test_no_byte_of_a_damaged_file_is_lost_in_silence(layout, framing, seed, tmp_path):
    must_hold(Case.make(layout, framing, f"damage {seed}"), tmp_path, check_damage)
