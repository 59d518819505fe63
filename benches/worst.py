"""A search for the input that costs the most time a byte under on_error=skip, and whether twice the bytes cost twice the time.

    python benches/worst.py                     # a search of five minutes
    python benches/worst.py --seconds 60 --seed 7

An input is a few good records, so that it is known what a record is, and then a pattern of hostile pieces, repeated to fill
the size: heads of containers that hold all that follows, lengths around what is there, beginnings of records, text that is
not UTF-8, runs of one byte, whole records between them. The search changes the worst patterns and keeps what is worse. Each
input is read in a process of its own, on one thread, and one that takes too long ends the process and counts as worst.
Needs vecpack, msgpack and numpy.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import struct
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import msgpack
import numpy as np
import vecpack

DIM = 16
SMALL = 1 << 17
SIZE = 1 << 20
LIMIT = 10.0
"""Seconds after which an input counts as one without an end."""

LAYOUTS = ("vectors", "lists", "maps", "positional", "nested")


def record(layout: str, number: int, dim: int = DIM) -> bytes:
    vector = np.random.default_rng(number).standard_normal(dim).astype(np.float32)
    value: Any = {
        "vectors": vector.tobytes(),
        "lists": vector.tolist(),
        "maps": {"id": number, "text": "some text", "vector": vector.tobytes()},
        "positional": [number, vector.tobytes(), "some text"],
        "nested": {"id": number, "meta": {"vector": vector.tolist()}, "of": []},
    }[layout]
    return msgpack.packb(value)


# --- Patterns -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """Bytes, and how often they come one after another."""

    data: bytes
    times: int = 1


@dataclass(frozen=True)
class Pattern:
    layout: str
    framing: str
    pieces: tuple[Piece, ...]
    head: bytes = b""
    """What stands once, in front of the pieces."""

    def input(self, size: int) -> bytes:
        good = b"".join(record(self.layout, n) for n in range(8))
        once = b"".join(piece.data * piece.times for piece in self.pieces) or b"\x90"
        body = self.head + once * (size // len(once) + 1)
        if self.framing == "array":
            good = b"\xdc\x00\x08" + good
        return (good + body)[:size]

    def show(self) -> str:
        pieces = [
            f"{piece.data[:24].hex()}{'...' if len(piece.data) > 24 else ''} x{piece.times}" for piece in self.pieces
        ]
        return f"{self.layout}, {self.framing}: {self.head.hex()} [{', '.join(pieces)}]"


def _head(marker: int, number: int) -> bytes:
    """This marker with this length or count, cut to what it can say."""
    if marker in (0xC4, 0xD9):
        return bytes([marker, number & 0xFF])
    if marker in (0xC5, 0xDA, 0xDC, 0xDE):
        return bytes([marker]) + struct.pack(">H", number & 0xFFFF)
    if marker in (0xC7,):
        return bytes([marker, number & 0xFF, 5])
    return bytes([marker]) + struct.pack(">I", number & 0xFFFFFFFF)


HEADS = (0xC4, 0xC5, 0xC6, 0xC7, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF)


def random_number(random: Random) -> int:
    return random.choice(
        (
            lambda: random.randrange(20),
            lambda: random.randrange(300),
            lambda: int(2 ** random.uniform(0, 22)),
            lambda: 2 ** random.randrange(33) - random.randrange(2),
            lambda: (1 << random.choice((14, 15, 16, 17, 18, 20))) + random.randrange(-200, 200),
        )
    )()


def random_piece(layout: str, random: Random) -> Piece:
    good = record(layout, random.randrange(8))
    once = random.choice((1, 1, 1, 2, 3, 16, 300, 5000))

    def lure() -> bytes:
        return good[: random.randrange(1, min(len(good), 40))]

    def changed() -> bytes:
        data = bytearray(good)
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        return bytes(data)

    def container_of_records() -> bytes:
        count = random.randrange(1, 20)
        held = b"".join(record(layout, n) for n in range(max(0, count - random.randrange(2))))
        return _head(random.choice((0xDC, 0xDD, 0xDE, 0xDF)), count) + held

    def around() -> bytes:
        """Bytes or text that end in, before or behind the record they hold."""
        marker = random.choice((0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB))
        return _head(marker, len(good) + random.randrange(-3, 4)) + good

    makers = (
        lambda: bytes([random.randrange(256)]),
        lambda: bytes([random.choice((0x80, 0x81, 0x8F, 0x90, 0x91, 0x92, 0x9F, 0xA0, 0xC0, 0xC1, 0x00, 0xFF))]),
        lambda: bytes([random.randrange(0x80, 0xA0)]),
        lambda: _head(random.choice(HEADS), random_number(random)),
        lambda: _head(random.choice(HEADS), random_number(random)) + lure(),
        lambda: good,
        lambda: record(layout, random.randrange(8), DIM + random.choice((-1, 1))),
        lure,
        changed,
        container_of_records,
        around,
        lambda: good[random.randrange(len(good)) :],
        lambda: good + bytes([random.randrange(256)]),
        lambda: b"\x81\xa2id" + bytes([random.randrange(256)]),
        lambda: bytes([0xA0 + random.randrange(1, 8)]) + random.randbytes(random.randrange(1, 8)),
        lambda: random.randbytes(random.randrange(1, 60)),
        lambda: record(random.choice(LAYOUTS), random.randrange(8)),
    )
    return Piece(random.choice(makers)(), once)


def random_pattern(random: Random) -> Pattern:
    layout = random.choice(LAYOUTS)
    pieces = tuple(random_piece(layout, random) for _ in range(random.randrange(1, 5)))
    head = _head(random.choice(HEADS), random_number(random)) if random.random() < 0.3 else b""
    return Pattern(layout, random.choice(("sequence", "sequence", "array")), pieces, head)


def changed_pattern(pattern: Pattern, random: Random) -> Pattern:
    pieces = list(pattern.pieces)
    head, framing = pattern.head, pattern.framing
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(pieces)) if pieces else 0
        way = random.randrange(7)
        if way == 0 or not pieces:
            pieces.insert(at, random_piece(pattern.layout, random))
        elif way == 1:
            pieces[at] = random_piece(pattern.layout, random)
        elif way == 2 and len(pieces) > 1:
            del pieces[at]
        elif way == 3:
            times = max(1, random.choice((pieces[at].times * 2, pieces[at].times // 2, pieces[at].times + 1, 1, 1000)))
            pieces[at] = Piece(pieces[at].data, min(times, 20_000))
        elif way == 4:
            data = bytearray(pieces[at].data)
            data[random.randrange(len(data))] = random.randrange(256)
            pieces[at] = Piece(bytes(data), pieces[at].times)
        elif way == 5:
            head = _head(random.choice(HEADS), random_number(random)) if random.random() < 0.7 else b""
        else:
            framing = "array" if framing == "sequence" else "sequence"
    return Pattern(pattern.layout, framing, tuple(pieces[:8]), head)


FIXED = [
    *(Pattern("vectors", "sequence", (Piece(bytes([marker])),)) for marker in range(0x80, 0xA0)),
    *(Pattern("maps", "sequence", (Piece(bytes([marker])),)) for marker in range(0x80, 0xA0)),
    *(
        Pattern(layout, "sequence", (Piece(_head(marker, number)),))
        for layout in ("vectors", "maps", "lists")
        for marker in HEADS
        for number in (1, 15, 255, 65_535, 1 << 17, SIZE, 2**32 - 1)
    ),
    *(
        Pattern(layout, "sequence", (Piece(record(layout, 1)), Piece(_head(marker, number))))
        for layout in LAYOUTS
        for marker in HEADS
        for number in (3, 100, 65_535, 1 << 17, SIZE)
    ),
    *(Pattern(layout, "sequence", (Piece(record(layout, 1)), Piece(b"\xc1"))) for layout in LAYOUTS),
    *(Pattern(layout, "sequence", (Piece(record(layout, 1)[:cut]),)) for layout in LAYOUTS for cut in (1, 2, 4, 9, 30)),
]


# --- Measuring ------------------------------------------------------------------------------------


def _reader(connection: Connection) -> None:
    """Reads what comes through the connection, and answers with seconds."""
    while True:
        framing, data = connection.recv()
        options: dict[str, Any] = {"framing": framing, "on_error": "skip", "threads": 1, "max_rejects": 10}
        start = time.perf_counter()
        try:
            source = vecpack.scan(data, **options)
            for _ in source:
                pass
            answer: float | str = time.perf_counter() - start
        except vecpack.VecpackError as error:
            answer = str(error)
        connection.send(answer)


@dataclass
class Measure:
    process: Any = None
    connection: Any = None
    errors: dict[str, int] = field(default_factory=dict)

    def seconds(self, pattern: Pattern, size: int) -> float:
        if self.process is None or not self.process.is_alive():
            self.connection, other = multiprocessing.Pipe()
            self.process = multiprocessing.Process(target=_reader, args=(other,), daemon=True)
            self.process.start()
            other.close()
        try:
            self.connection.send((pattern.framing, pattern.input(size)))
            if not self.connection.poll(LIMIT):
                self.process.kill()
                self.process.join()
                return LIMIT
            answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            print(f"the process ended ({self.process.exitcode}): {pattern.show()}")
            return LIMIT
        if isinstance(answer, str):
            self.errors[answer[:60]] = self.errors.get(answer[:60], 0) + 1
            return 0.0
        return answer

    def a_byte(self, pattern: Pattern, size: int, rounds: int = 1) -> float:
        """Nanoseconds a byte, the median."""
        return statistics.median(self.seconds(pattern, size) for _ in range(rounds)) / size * 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--keep", help="a file for the patterns that were worst, as JSON")
    options = parser.parse_args()
    random, measure = Random(options.seed), Measure()

    print("good files, 1 MiB: ", end="")
    good = [
        (layout, Pattern(layout, "sequence", tuple(Piece(record(layout, n)) for n in range(8)))) for layout in LAYOUTS
    ]
    print(", ".join(f"{layout} {measure.a_byte(pattern, SIZE, 5):.2f} ns a byte" for layout, pattern in good))

    end, tried = time.monotonic() + options.seconds, 0
    worst: list[tuple[float, Pattern]] = []
    queue = list(FIXED)
    while time.monotonic() < end:
        if queue:
            pattern = queue.pop()
        elif random.random() < 0.3 or not worst:
            pattern = random_pattern(random)
        else:
            pattern = changed_pattern(worst[int(len(worst) * random.random() ** 2)][1], random)
        # A short look first: most are cheap.
        cost = measure.a_byte(pattern, SMALL)
        if len(worst) < 40 or cost * 3 > worst[-1][0]:
            cost = measure.a_byte(pattern, SIZE)
        tried += 1
        if all(pattern != other for _, other in worst):
            worst = sorted([*worst, (cost, pattern)], key=lambda found: -found[0])[:40]

    print(f"{tried} patterns tried on one thread; the worst, with the time for 1, 2 and 4 MiB (linear: x2, x2)")
    fine = True
    for _, pattern in worst[:12]:
        costs: list[float] = []
        for times in (1, 2, 4):
            if not costs or costs[-1] < LIMIT:
                costs.append(min(measure.seconds(pattern, SIZE * times) for _ in range(2 if len(costs) else 3)))
        growth = [after / max(before, 1e-9) for before, after in pairwise(costs)]
        over = costs[-1] >= LIMIT or (costs[0] > 0.005 and max(growth) > 2.6)
        fine &= not over
        found = ", ".join(f"{cost * 1e3:.1f} ms" for cost in costs)
        print(
            f"{costs[0] / SIZE * 1e9:9.1f} ns a byte  {found}  {', '.join(f'x{times:.2f}' for times in growth)}"
            f"{'  over' * over}  {pattern.show()}"
        )
        sys.stdout.flush()
    if measure.errors:
        print("ended with an error:", json.dumps(measure.errors))
    if options.keep:
        with open(options.keep, "w") as file:
            for cost, pattern in worst:
                pieces = [[piece.data.hex(), piece.times] for piece in pattern.pieces]
                kept = {"ns": cost, "layout": pattern.layout, "framing": pattern.framing, "head": pattern.head.hex()}
                file.write(json.dumps({**kept, "pieces": pieces}) + "\n")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
