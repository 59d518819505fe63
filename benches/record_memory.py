"""Peak memory of `to_parquet` for records of many kinds and sizes, each run a process of its own.

    .venv/bin/python benches/record_memory.py

Each input holds about 1.8 GB of records of one kind, with one vector of 16 float32 and one large value. Row groups have the default
size of 4 MiB. The goal is 300 MiB for records of up to 1 MB, whatever they hold and however many threads there are.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack
import numpy as np

import memory

FOLDER = Path("data/record_memory")
TOTAL = 1_800_000_000
GOAL = 300
THREADS = (1, 2, 8)
KINDS = ("text", "bytes", "integers", "texts", "maps")
SIZES = (300_000, 1_000_000, 2000)


def value(kind: str, size: int, random: np.random.Generator) -> object:
    """A value of about `size` bytes."""
    match kind:
        case "text":
            return random.bytes(size // 2).hex()
        case "bytes":
            return random.bytes(size)
        case "integers":
            return random.integers(0, 1 << 40, size // 9).tolist()
        case "texts":
            return [random.bytes(16).hex() for _ in range(size // 34)]
        case _:
            return [{"page": n, "text": random.bytes(40).hex()} for n in range(size // 100)]


def records(kind: str, size: int) -> Iterator[bytes]:
    """A few different records, again and again: making random ones takes longer than reading them."""
    random = np.random.default_rng(7)
    values = [msgpack.packb(value(kind, size, random)) for _ in range(16)]
    packer = msgpack.Packer()
    for n, held in zip(itertools.count(), itertools.cycle(values)):
        yield b"\x83" + b"".join(map(packer.pack, ("id", n, "vector", bytes(64), "value"))) + held


def write(path: Path, kind: str, size: int) -> int:
    written = 0
    with path.open("wb") as file:
        for record in records(kind, size):
            written += file.write(record)
            if written >= TOTAL:
                return written
    raise AssertionError("records do not end")


def convert(path: str, threads: str) -> None:
    import vecpack

    vecpack.to_parquet(path, FOLDER / "out.parquet", threads=int(threads), overwrite=True, sync=False)
    print(memory.own_peak())


def main() -> int:
    if sys.argv[1:]:
        convert(*sys.argv[1:])
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    print("| record | " + " | ".join(f"{threads} threads" for threads in THREADS) + " |")
    print("|---|" + "---|" * len(THREADS))
    worst = 0
    for size, kind in itertools.product(SIZES, KINDS):
        path = FOLDER / "records.msgpack"
        write(path, kind, size)
        peaks = []
        for threads in THREADS:
            command = [sys.executable, __file__, str(path), str(threads)]
            peaks.append(int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) >> 20)
        worst = max(worst, *peaks)
        print(f"| {kind}, {size:,} bytes | " + " | ".join(f"{peak} MiB" for peak in peaks) + " |", flush=True)
        path.unlink()
    (FOLDER / "out.parquet").unlink()
    print(f"The most: {worst} MiB; the goal is {GOAL} MiB.")
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
