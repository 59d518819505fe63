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
from random import Random

import msgpack
import numpy as np
import pyarrow as pa
import pytest
import vecpack
from law import CORE, Bad, Case, Object, cells, comparable, objects, plain_loop, unpacker_of

CASES = int(os.environ.get("VECPACK_LAW_CASES", "8"))
LAYOUTS = ("bytes", "lists", "typed", "maps", "nested", "positional")
FRAMINGS = ("sequence", "array")
POLICIES = ("raise", "skip", "null")


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
                found.rows += comparable(pa.record_batch(batch).to_pylist())
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


class Pipe(io.RawIOBase):
    """A file object that cannot seek, and gives as much at a time as it likes."""

    def __init__(self, data, random):
        self.rest, self.random = io.BytesIO(data), random

    def readable(self):
        return True

    def read(self, size=-1):
        return self.rest.read(min(size, self.random.choice((1, 10, 1000, 100_000))))


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


@pytest.mark.filterwarnings("ignore:.*left out. lists")
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
    "logs cut off": (
        "maps",
        [
            item
            for cut in (1, 2, 3, 5, 6, 9, 40)
            for item in (
                *map(rec, range(3)),
                rec(3, vector=None, wal=b"".join(msgpack.packb(rec(100 + n)) for n in range(4))[:-cut]),
            )
        ]
        + [rec(9)] * 3,
    ),
    "a packed record cut off in front of an object of a byte": (
        "bytes",
        [item for n in range(9) for item in (*[bytes(64)] * 3, msgpack.packb(bytes(64))[:-1], (None, 7, False)[n % 3])],
    ),
    "a log that begins and ends inside of records": (
        "maps",
        [
            item
            for n in range(9)
            for item in (
                *map(rec, range(3)),
                {"raw": (3 * msgpack.packb(rec(100, last=1)))[5:-1]},
                None,
            )
        ],
    ),
    "as many records in a list as a vector of bytes has elements, behind a number": (
        "maps",
        [
            *(rec(n, vector=bytes([n]) * 64) for n in range(3)),
            rec(3, vector=None, old=[2, *[rec(100, vector=bytes(64))] * 15]),
            *(rec(n, vector=bytes([n]) * 64) for n in range(4, 7)),
        ],
    ),
    "texts as long as the vectors for keys": (
        "bytes",
        [*[bytes(64)] * 10, {f"{n:064}": bytes([n]) * 64 for n in range(9)}, {"of": {"x" * 64: [bytes(64)] * 4}}]
        + [bytes(64)] * 10,
    ),
    "more records of another kind, and a long one": (
        "maps",
        [item for n in range(250) for item in (rec(n), rec(n), *[[0.5] * 20] * 4)]
        + [rec(1, history=[rec(n) for n in range(500)]), rec(0)],
    ),
    "runs of nil": ("bytes", [*[bytes(64)] * 20, *[None] * 500, *[bytes(64)] * 20, *[None] * 3]),
}


@pytest.mark.filterwarnings("ignore:.*these bytes look like")
@pytest.mark.filterwarnings("ignore:.*left out. lists")
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
    unpacker, found = unpacker_of(data), []
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
    vector = "column_1" if case.layout == "positional" else "vector"
    explicit = {"dim": case.dim, "columns": CORE[case.layout], "vector": vector} | case.options()
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
    if case.framing == "array":
        return  # behind a gap the heads of arrays and the records cannot be told apart without the rule itself
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


@pytest.mark.parametrize("policy", ["skip", "null"])
def test_a_column_beside_the_vector_is_not_found_in_its_bytes(policy):
    for seed in range(200):
        random = np.random.default_rng(seed)
        records = [[n, random.standard_normal(384).astype("f4").tobytes()] for n in range(40)]
        for n in range(5, 40, 7):
            records[n][0] = "n/a"
        source = vecpack.scan(b"".join(map(msgpack.packb, records)), columns=["column_0"], on_error=policy)
        kept = [n if isinstance(n, int) else None for n, _ in records]
        expected = [n for n in kept if policy == "null" or n is not None]
        assert pa.table(source)["column_0"].to_pylist() == expected, seed
