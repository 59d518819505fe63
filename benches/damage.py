"""What damage costs: records lost, rows that are wrong, and rejects, for ten kinds of damage and four kinds of records.

    python benches/damage.py                 # 150 files of 200 records for each cell, 1,200 legal files
    python benches/damage.py --files 20      # a quick look

A record is intact if none of its bytes were touched. A lost one is inside of an object if a plain loop of msgpack, from the
last row in front of it on, passes it as a part of a whole object: then the file is one of whole objects there, and by the law no row
may come from it. The goals are for the other ones. A row is wrong if it is none of the intact records, or one of them
for the second time; the row of a touched record whose bytes are still one whole object is not counted as wrong, since
nobody can know it from a good one. Needs vecpack, msgpack and numpy; the files are the same for the same `--seed`.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgpack
import numpy as np
import vecpack

RECORDS = 200
DIMS = (16, 64, 128, 384)
LOG_LINE = b"2024-05-01 12:00:12,123 WARNING writer: retrying batch 17 of 77 now\n"

Row = tuple[Any, ...]


# --- Records --------------------------------------------------------------------------------------


@dataclass
class Kind:
    """How records are written, and which columns tell one from another."""

    name: str
    write: Callable[[int, np.ndarray], Any]
    columns: tuple[str, ...]

    def row(self, number: int, vector: np.ndarray) -> Row:
        key = vector.tobytes()
        return (key,) if len(self.columns) == 1 else (number, key)


def _text(number: int) -> str:
    return f"https://example.org/{number * 7919 % 100_003}"


KINDS = (
    Kind("bare vectors", lambda n, v: v.tobytes(), ("vector",)),
    Kind("lists of floats", lambda n, v: v.tolist(), ("vector",)),
    Kind(
        "map records",
        lambda n, v: {"id": n, "url": _text(n), "score": n / 7, "vector": v.tobytes()},
        ("id", "vector"),
    ),
    Kind("positional records", lambda n, v: [n, v.tobytes(), _text(n), n / 7], ("column_0", "column_1")),
)


@dataclass
class File:
    """The records of a file before the damage: their bytes, and the rows that they are."""

    packed: list[bytes]
    rows: list[Row]

    @classmethod
    def make(cls, kind: Kind, random: Random) -> File:
        dim = random.choice(DIMS)
        rng = np.random.default_rng(random.getrandbits(32))
        vectors = rng.standard_normal((RECORDS, dim)).astype(np.float32)
        first = random.randrange(10_000)
        packed = [msgpack.packb(kind.write(first + n, v)) for n, v in enumerate(vectors)]
        return cls(packed, [kind.row(first + n, v) for n, v in enumerate(vectors)])

    def start(self, record: int) -> int:
        return sum(map(len, self.packed[:record]))

    def touched(self, start: int, end: int) -> set[int]:
        """The records that have a byte in this range; a place between two bytes touches the record around it."""
        found, at = set(), 0
        for number, record in enumerate(self.packed):
            if (at < end and start < at + len(record)) or (start == end and at < start < at + len(record)):
                found.add(number)
            at += len(record)
        return found


def _head_bytes(record: bytes) -> list[int]:
    """The bytes of the record's own head, and those of the head of the bytes or the list in it that is the vector."""
    own = {0xC4: 2, 0xC5: 3, 0xDC: 3, 0xDE: 3}.get(record[0], 1)
    heads = list(range(own))
    if 0x80 <= record[0] <= 0x9F and len(record) > 40:
        # The vector's head is the only bin8 or bin16 whose length reaches less far than the end.
        for at in range(1, 80):
            size = {0xC4: 2, 0xC5: 3}.get(record[at])
            if size and int.from_bytes(record[at + 1 : at + size], "big") in {4 * dim for dim in DIMS}:
                heads += range(at, at + size)
                break
    return heads


# --- Damages: the bytes of the file, and the records that were touched -----------------------------

Damaged = tuple[bytes, set[int]]


def cut_off_and_begun_again(file: File, random: Random) -> Damaged:
    """A writer dies inside of a record; the next one goes on with the record behind it."""
    record = random.randrange(1, RECORDS - 1)
    kept = random.randrange(1, len(file.packed[record]))
    packed = [*file.packed[:record], file.packed[record][:kept], *file.packed[record + 1 :]]
    return b"".join(packed), {record}


def _overwrite(file: File, at: int, block: bytes) -> Damaged:
    data = bytearray(b"".join(file.packed))
    block = block[: len(data) - at]
    data[at : at + len(block)] = block
    return bytes(data), file.touched(at, at + len(block))


def zeroed_block(file: File, random: Random) -> Damaged:
    size = random.choice((512, 1024, 4096))
    at = random.randrange(max(1, sum(map(len, file.packed)) // size)) * size
    return _overwrite(file, at, bytes(size))


def lost_bytes(file: File, random: Random) -> Damaged:
    data = b"".join(file.packed)
    size = int(2 ** random.uniform(0, 12))
    at = random.randrange(len(data) - size)
    return data[:at] + data[at + size :], file.touched(at, at + size)


def noise(file: File, random: Random) -> Damaged:
    size = int(2 ** random.uniform(3, 12))
    at = random.randrange(len(b"".join(file.packed)) - size)
    return _overwrite(file, at, random.randbytes(size))


def log_line(file: File, random: Random) -> Damaged:
    """Between two records, or where a buffer was flushed."""
    data = b"".join(file.packed)
    at = file.start(random.randrange(1, RECORDS)) if random.random() < 0.5 else random.randrange(len(data))
    return data[:at] + LOG_LINE + data[at:], file.touched(at, at)


def interleaved_writers(file: File, random: Random) -> Damaged:
    """Two writers whose buffers were written in turn: the first half of the records, and the second."""
    half = RECORDS // 2
    one, two = b"".join(file.packed[:half]), b"".join(file.packed[half:])
    x, y = random.randrange(1, len(one)), random.randrange(1, len(two))
    return one[:x] + two[:y] + one[x:] + two[y:], file.touched(x, x) | file.touched(len(one) + y, len(one) + y)


def _flip(file: File, places: list[int], random: Random) -> Damaged:
    data, touched = bytearray(b"".join(file.packed)), set[int]()
    for at in places:
        data[at] ^= 1 << random.randrange(8)
        touched |= file.touched(at, at + 1)
    return bytes(data), touched


def flipped_bit_anywhere(file: File, random: Random) -> Damaged:
    return _flip(file, [random.randrange(sum(map(len, file.packed)))], random)


def _in_head(file: File, record: int, random: Random) -> int:
    return file.start(record) + random.choice(_head_bytes(file.packed[record]))


def flipped_bit_in_a_head(file: File, random: Random) -> Damaged:
    return _flip(file, [_in_head(file, random.randrange(RECORDS), random)], random)


def in_every_tenth_head(file: File, random: Random) -> Damaged:
    first = random.randrange(1, 11)
    return _flip(file, [_in_head(file, record, random) for record in range(first, RECORDS, 10)], random)


def one_reserved_byte(file: File, random: Random) -> Damaged:
    """0xc1 between two records, or in the place of a byte of a head."""
    record = random.randrange(1, RECORDS)
    if random.random() < 0.5:
        return _overwrite(file, _in_head(file, record, random), b"\xc1")
    data, at = b"".join(file.packed), file.start(record)
    return data[:at] + b"\xc1" + data[at:], set()


DAMAGES: dict[str, tuple[Callable[[File, Random], Damaged], float, float]] = {
    # How to do it; the most records that may be lost of bare vectors, and of lists and records.
    "cut off, begun again": (cut_off_and_begun_again, 1.6, 8),
    "zeroed block": (zeroed_block, 0.3, 8),
    "lost bytes": (lost_bytes, 1.2, 8),
    "noise": (noise, 0.3, 8),
    "log line": (log_line, 0.3, 8),
    "interleaved writers": (interleaved_writers, 2, 8),
    "flipped bit anywhere": (flipped_bit_anywhere, 0.3, 8),
    "flipped bit in a head": (flipped_bit_in_a_head, 0.3, 8),
    "in every tenth head": (in_every_tenth_head, 0.3, 30),
    "one 0xc1": (one_reserved_byte, 0.3, 8),
}


# --- Reading --------------------------------------------------------------------------------------


def rows_of(source: vecpack.Source, columns: tuple[str, ...]) -> list[Row]:
    """The rows as tuples; an empty tuple for each where the columns are others."""
    table = source.to_pyarrow()
    if not set(columns) <= set(table.column_names):
        return [()] * table.num_rows
    values = []
    for name in columns:
        column = table[name].combine_chunks()
        if hasattr(column.type, "list_size"):
            dim = column.type.list_size
            flat = column.values.to_numpy(zero_copy_only=False).reshape(-1, dim)
            flat = flat[column.offset : column.offset + len(column)]
            nulls = column.is_null().to_pylist()
            values.append([None if null else v.tobytes() for null, v in zip(nulls, flat)])
        else:
            values.append(column.to_pylist())
    return list(zip(*values))


def rows_still_whole(kind: Kind, file: File, data: bytes, touched: set[int]) -> Counter[Row]:
    """The rows of touched records that stand where they stood, as one whole object of the same length."""
    if len(data) != sum(map(len, file.packed)):
        return Counter()
    found: Counter[Row] = Counter()
    for number in touched:
        at = file.start(number)
        try:
            value = msgpack.unpackb(data[at : at + len(file.packed[number])], strict_map_key=False)
            if isinstance(value, dict):
                found[value.get("id"), value["vector"]] += 1
            elif len(kind.columns) == 2:
                found[value[0], value[1]] += 1
            elif isinstance(value, bytes):
                found[(value,)] += 1
            else:
                with np.errstate(over="ignore"):
                    found[(np.array(value, np.float32).tobytes(),)] += 1
        except Exception:
            pass  # it is no whole record any more
    return found


def is_inside_of_an_object(file: File, data: bytes, record: int, read: set[int]) -> bool:
    """True if a plain loop, from the last row in front of an intact record on, passes it as a part of a whole object."""
    start = max((data.find(file.packed[n]) for n in range(record) if n in read), default=0)
    place = data.find(file.packed[record]) - start
    unpacker = msgpack.Unpacker(max_buffer_size=len(data) + 1)
    unpacker.feed(data[start:])
    try:
        while unpacker.tell() < place:
            unpacker.skip()
    except (msgpack.UnpackException, ValueError):
        return False
    return unpacker.tell() > place


@dataclass
class Cost:
    lost: float = 0
    inside: float = 0
    """Those of the lost records that are inside of an object."""
    wrong: float = 0
    rejects: float = 0
    unseen: int = 0
    """Files in which records were lost and nothing was rejected."""


def damaged_files(kind: Kind, damage: Callable[[File, Random], Damaged], files: int, seed: str) -> Cost:
    cost = Cost()
    for number in range(files):
        random = Random(f"{seed} {kind.name} {damage.__name__} {number}")
        file = File.make(kind, random)
        data, touched = damage(file, random)
        source = vecpack.scan(data, on_error="skip")
        rows = Counter(rows_of(source, kind.columns))
        intact = Counter(row for n, row in enumerate(file.rows) if n not in touched)
        missing = [n for n, row in enumerate(file.rows) if n not in touched and not rows[row]]
        read = {n for n, row in enumerate(file.rows) if n not in touched and rows[row]}
        cost.inside += sum(is_inside_of_an_object(file, data, n, read) for n in missing) / files
        lost = sum((intact - rows).values())
        wrong = rows - intact - rows_still_whole(kind, file, data, touched)
        cost.lost += lost / files
        cost.wrong += sum(wrong.values()) / files
        cost.rejects += source.reject_count / files
        cost.unseen += bool(lost) and source.reject_count == 0
    return cost


def damage_table(files: int, seed: str) -> bool:
    print(f"{files} files of {RECORDS} records for each kind and damage, on_error=skip, a file on average")
    print(f"{'damage':24}{'records':20}{'lost':>8}{'inside':>8}{'goal':>6}{'wrong':>8}{'rejects':>9}  ")
    good = True
    for name, (damage, bare, other) in DAMAGES.items():
        for kind in KINDS:
            cost = damaged_files(kind, damage, files, seed)
            goal = bare if kind is KINDS[0] else other
            over = cost.lost - cost.inside > goal or cost.unseen > 0
            good &= not over
            marks = "  over" * (cost.lost - cost.inside > goal) + f"  lost without a reject in {cost.unseen}" * (
                cost.unseen > 0
            )
            print(
                f"{name:24}{kind.name:20}{cost.lost:8.2f}{cost.inside:8.2f}{goal:6.1f}{cost.wrong:8.2f}{cost.rejects:9.1f}{marks}"
            )
            sys.stdout.flush()
    return good


# --- Runs of objects that are no records ------------------------------------------------------------


def runs_of_no_records() -> bool:
    vectors = [np.full(512, n, np.float32).tobytes() for n in range(2000)]
    packed = [msgpack.packb(vector) for vector in vectors]
    data, length = b"".join(packed), len(packed[0])
    inputs = {
        "1 MB of zeros behind the data": (data + bytes(1 << 20), 2000),
        "a log line between two records": (data[: 1000 * length] + LOG_LINE + data[1000 * length :], 2000),
        "two records zeroed": (data[: 1000 * length] + bytes(2 * length) + data[1002 * length :], 1998),
    }
    print(f"\n{'bare vectors, on_error=null':34}{'rows':>10}{'expected':>10}{'nulls':>10}{'rejects':>10}")
    good = True
    for name, (given, expected) in inputs.items():
        source = vecpack.scan(given, on_error="null")
        column = source.to_pyarrow()["vector"]
        over = (len(column), column.null_count, source.reject_count) != (expected, 0, 1)
        good &= not over
        print(f"{name:34}{len(column):10}{expected:10}{column.null_count:10}{source.reject_count:10}{'  over' * over}")
    return good


# --- Legal files ------------------------------------------------------------------------------------


def _typed(vector: np.ndarray) -> dict[bytes, Any]:
    """As msgpack-numpy writes it."""
    return {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": vector.shape, b"data": vector.tobytes()}


LEGAL = (
    *KINDS[:2],
    Kind("typed arrays", lambda n, v: _typed(v), ("vector",)),
    Kind("map records", lambda n, v: {"id": n, "vector": v.tolist(), "text": _text(n)}, ("id", "vector")),
    Kind("positional records", lambda n, v: [n, v.tolist(), _text(n)], ("column_0", "column_1")),
)


def legal_objects(kind: Kind, random: Random) -> Iterator[tuple[Any, Row | None]]:
    """Objects, each with the row that it is, or `None`."""
    dim = 16
    rng = np.random.default_rng(random.getrandbits(32))
    numbers = iter(range(10**9))
    share = random.uniform(0, 0.4)

    def record() -> tuple[Any, Row]:
        number, vector = next(numbers), rng.standard_normal(dim).astype(np.float32)
        value, row = kind.write(number, vector), kind.row(number, vector)
        if isinstance(value, dict) and "id" in value and random.random() < 0.1:
            value["history"] = some(random.randrange(1, 4))
        return value, row

    def some(count: int) -> list[Any]:
        return [record()[0] for _ in range(count)]

    def no_record() -> Any:
        return random.choice(
            (
                lambda: None,
                lambda: random.choice((7, -1, 0.5, True, 10**12)),
                lambda: {"doc": next(numbers), "chunks": some(random.randrange(1, 6))},
                lambda: {"id": next(numbers), "vector": None, "history": some(random.randrange(1, 6))},
                lambda: {"wal": b"".join(map(msgpack.packb, some(random.randrange(1, 5))))},
                lambda: kind.write(next(numbers), rng.standard_normal(dim + 1).astype(np.float32)),
                lambda: "a text",
                lambda: [],
                lambda: ["batch", some(random.randrange(1, 5))],
            )
        )()

    for at in range(random.randrange(20, 120)):
        yield record() if at < 3 or random.random() >= share else (no_record(), None)


def legal_files(files: int, seed: str) -> bool:
    print(f"\n{files} legal files, 0 to 40 % of their objects are no records, on_error=skip, in all")
    print(f"{'records':20}{'files':>8}{'rows':>10}{'made up':>10}{'lost':>8}")
    good = True
    for kind in LEGAL:
        expected, made_up, lost = 0, 0, 0
        for number in range(files // len(LEGAL)):
            random = Random(f"{seed} legal {kind.name} {number}")
            objects = list(legal_objects(kind, random))
            data = b"".join(msgpack.packb(value) for value, _ in objects)
            rows = Counter(row for _, row in objects if row is not None)
            source = vecpack.scan(data, on_error="skip", columns=kind.columns)
            found = Counter(rows_of(source, kind.columns))
            expected += sum(rows.values())
            made_up += sum((found - rows).values())
            lost += sum((rows - found).values())
        over = made_up + lost > 0
        good &= not over
        print(f"{kind.name:20}{files // len(LEGAL):8}{expected:10}{made_up:10}{lost:8}{'  over' * over}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=150, help="damaged files for each kind and damage")
    parser.add_argument("--legal", type=int, default=1200, help="legal files")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # damage at the start of a file changes what its fields look like
    good = damage_table(options.files, options.seed)
    good &= runs_of_no_records()
    good &= legal_files(options.legal, options.seed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
