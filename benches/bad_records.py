"""Speed of a scan against the share of records that are bad, beside a loop in Python that leaves them out.

    python benches/bad_records.py            # 64 MiB a file, median of five
    python benches/bad_records.py --mib 16 --rounds 3

The contestants of a table are run in turn, round after round. `of good` is the speed in records a second as a share of that
on the file without a bad record, `in bytes` the same in bytes a second: a nil is a single byte, but under `null` as long a row
as any other. `of loop` is the speed as a multiple of that of `msgpack.Unpacker` with `np.frombuffer` on the same bytes. Needs
vecpack, msgpack and numpy.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

import msgpack
import numpy as np
import vecpack

DIM = 512
SHARES = (0, 1, 10, 30, 60)

Make = Callable[[int, bytes], Any]


def _record(number: int, vector: bytes | None, score: Any = 0.5) -> dict[str, Any]:
    return {"id": number, "url": f"https://example.org/{number}", "score": score, "vector": vector}


LAYOUTS: dict[str, tuple[Make, dict[str, Make]]] = {
    # A good record, and bad ones by what is wrong with them.
    "bare vectors": (
        lambda n, v: v,
        {"nil": lambda n, v: None, "another dimension": lambda n, v: v[:-4], "text": lambda n, v: "not a vector"},
    ),
    "records": (
        lambda n, v: _record(n, v),
        {
            "nil": lambda n, v: _record(n, None),
            "another dimension": lambda n, v: _record(n, v[:-4]),
            "text for a number": lambda n, v: _record(n, v, "n/a"),
        },
    ),
}


def make_file(good: Make, bad: Make, share: int, size: int) -> tuple[bytes, int]:
    """A file of about `size` bytes, and how many of its records are bad. The first three are good."""
    random, packer = Random(share), msgpack.Packer()
    vectors = [np.random.default_rng(n).standard_normal(DIM).astype(np.float32).tobytes() for n in range(64)]
    parts, length, count = [], 0, 0
    while length < size:
        number = len(parts)
        is_bad = number >= 3 and random.random() * 100 < share
        count += is_bad
        parts.append(packer.pack((bad if is_bad else good)(number, vectors[number % 64])))
        length += len(parts[-1])
    return b"".join(parts), count


def loop_over_vectors(data: bytes) -> Iterator[np.ndarray]:
    for item in msgpack.Unpacker(io.BytesIO(data), max_buffer_size=0):
        if isinstance(item, bytes) and len(item) == 4 * DIM:
            yield np.frombuffer(item, np.float32)


def loop_over_records(data: bytes) -> Iterator[tuple[int, str, float, np.ndarray]]:
    for item in msgpack.Unpacker(io.BytesIO(data), max_buffer_size=0):
        number, url, score, vector = item["id"], item["url"], item["score"], item["vector"]
        if isinstance(vector, bytes) and len(vector) == 4 * DIM and isinstance(score, float):
            yield number, url, score, np.frombuffer(vector, np.float32)


def median_times(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def count_rows(data: bytes, policy: str, threads: int | None, schema: dict[str, str] | None) -> tuple[int, int]:
    # What the options say need not be found: where most records are bad, these would decide what a good one is.
    source = vecpack.scan(data, on_error=policy, threads=threads, dim=DIM, schema=schema)
    return sum(len(batch) for batch in source), source.reject_count


def count_kept(loop: Callable[[bytes], Iterator[object]], data: bytes) -> int:
    return sum(1 for _ in loop(data))


def shares_table(size: int, rounds: int, threads: int | None) -> bool:
    print(
        f"{'records':14}{'bad ones':20}{'share':>6}{'policy':>8}{'MB/s':>9}{'of good':>9}{'in bytes':>9}{'of loop':>9}   goals: 0.5 of good, 3"
    )
    fine = True
    for layout, (good, kinds) in LAYOUTS.items():
        is_bare = layout == "bare vectors"
        loop = loop_over_vectors if is_bare else loop_over_records
        schema = None if is_bare else {"score": "float64"}
        for kind, bad in kinds.items():
            contestants: dict[str, Callable[[], object]] = {}
            sizes, numbers = {}, {}
            for share in SHARES:
                data, count = make_file(good, bad, share, size)
                sizes[share] = len(data)
                numbers[share] = records = sum(1 for _ in msgpack.Unpacker(io.BytesIO(data), max_buffer_size=0))
                rows = {"skip": records - count, "null": records}
                for policy in rows:
                    expected = (rows[policy], count)
                    found = count_rows(data, policy, threads, schema)
                    if found != expected:
                        print(f"{layout}, {kind}, {share} %: {policy} gave rows, rejects {found} for {expected}")
                        fine = False
                    contestants[f"{policy} {share}"] = partial(count_rows, data, policy, threads, schema)
                kept = count_kept(loop, data)
                if kept != records - count:
                    raise AssertionError(f"the loop kept {kept} records of {records - count}")
                contestants[f"loop {share}"] = partial(count_kept, loop, data)
            times = median_times(contestants, rounds)
            for policy in ("skip", "null"):
                good_time = times[f"{policy} 0"]
                for share in SHARES:
                    bad_time = times[f"{policy} {share}"]
                    of_good = numbers[share] / bad_time / (numbers[0] / good_time)
                    in_bytes = sizes[share] / bad_time / (sizes[0] / good_time)
                    of_loop = times[f"loop {share}"] / bad_time
                    over = share == 30 and (of_good < 0.5 or of_loop < 3)
                    fine &= not over
                    print(
                        f"{layout:14}{kind:20}{share:5}%{policy:>8}{sizes[share] / bad_time / 1e6:9.0f}{of_good:9.2f}"
                        f"{in_bytes:9.2f}{of_loop:9.1f}"
                        f"{'  over' * over}"
                    )
            sys.stdout.flush()
    return fine


def empty_lists(mib: int) -> bool:
    data = bytes([0x90]) * (mib << 20)
    fine = True
    print(f"\n{mib} MiB of 0x90, a bad record for each byte (goal: 10 s for 256 MiB)")
    for policy in ("skip", "null"):
        start = time.perf_counter()
        rows, rejects = count_rows_of_none(data, policy)
        seconds = time.perf_counter() - start
        over = seconds > 10 * mib / 256 or rejects != len(data)
        fine &= not over
        print(f"{policy}: {seconds:.2f} s, {rows:,} rows, {rejects:,} rejects{'  over' * over}")
        sys.stdout.flush()
    return fine


def count_rows_of_none(data: bytes, policy: str) -> tuple[int, int]:
    # A short dimension: under `null` there is a row of it for each byte.
    source = vecpack.scan(data, on_error=policy, dim=2, vector="vector", framing="sequence")
    return sum(len(batch) for batch in source), source.reject_count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=64, help="size of a file")
    parser.add_argument("--empty-mib", type=int, default=256, help="how much of 0x90; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    fine = shares_table(options.mib << 20, options.rounds, options.threads)
    if options.empty_mib:
        fine &= empty_lists(options.empty_mib)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
