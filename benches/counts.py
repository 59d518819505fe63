"""What the work behind a missed goal consists of: instructions, page faults, and CPU time in the process and in the kernel.

    python benches/counts.py            # all works
    python benches/counts.py mixed      # some

Instructions are those of the process on one thread, counted by valgrind's callgrind: the difference between five runs and one,
so that Python's start is left out; they are exact to about 100 a row. Faults and times are of runs without valgrind, of a file
that is in the page cache. The counts do not change with the load of the machine; the times do. Needs valgrind, a package of Debian.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import vecpack

import peers
import samples
from samples import Sample

SCALE = samples.Scale(rows=10_000, files=1)
ROUNDS = 5
RUNS = 4
"""That are counted, besides the first one."""


def _out(sample: Sample) -> Path:
    return sample.path.with_suffix(".counted.parquet")


def _scan(sample: Sample) -> None:
    deque(vecpack.scan(sample.path, threads=1), maxlen=0)


def _take(sample: Sample) -> None:
    vecpack.take_iter(peers.stream_payloads(sample), np.empty((sample.rows, samples.DIM), np.float32))


def _convert(sample: Sample) -> None:
    vecpack.to_parquet(sample.path, _out(sample), overwrite=True, threads=1, sync=False)


def _first(first: Sample) -> Sample:
    return first


# The sample of each work, and the work.
WORKS: dict[str, tuple[Callable[[Sample], Sample], Callable[[Sample], object]]] = {
    "preadv": (_first, peers.read_and_forget),
    "stream": (_first, _scan),
    "read": (_first, lambda sample: vecpack.read(sample.path, threads=1)),
    "mixed": (lambda first: samples.make_numbers(first, "mixed"), _scan),
    "gzip": (lambda first: samples.make_compressed(first, "gz"), _scan),
    "iterator": (_first, lambda sample: deque(peers.stream_payloads(sample), maxlen=0)),
    "from_iter": (_first, lambda sample: deque(vecpack.from_iter(peers.stream_payloads(sample)), maxlen=0)),
    "take_iter": (_first, _take),
    "parquet-records": (lambda first: samples.make_like(first, "records"), _convert),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/counts.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(WORKS)} (default: all)")
    parser.add_argument("--runs", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.works) - set(WORKS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    [first] = samples.make(SCALE)
    if options.runs:
        [name] = options.works
        run = _work(name, first)
        for _ in range(options.runs):
            run()
        return 0
    print(f"{'work':<16} {'instructions a row':>19} {'a byte':>7} {'faults':>7} {'user ms':>8} {'kernel ms':>10}")
    for name in options.works or WORKS:
        size = WORKS[name][0](first).size
        instructions = (_count(name, RUNS + 1) - _count(name, 1)) / RUNS
        faults, user, kernel = _measure(_work(name, first))
        each = f"{instructions / first.rows:>19,.0f} {instructions / size:>7.2f}"
        print(f"{name:<16} {each} {faults:>7,.0f} {user:>8.1f} {kernel:>10.1f}", flush=True)
        _out(first).unlink(missing_ok=True)
    return 0


def _work(name: str, first: Sample) -> Callable[[], object]:
    make, work = WORKS[name]
    return partial(work, make(first))


def _count(name: str, runs: int) -> int:
    """Instructions of a process that does the work this many times."""
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counts"]
        command = [*valgrind, sys.executable, __file__, name, f"--runs={runs}"]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        raise RuntimeError(f"callgrind printed no count:\n{done.stderr}")
    return int(found[1])


def _measure(run: Callable[[], object]) -> tuple[float, float, float]:
    """Medians of page faults, and of milliseconds in the process and in the kernel."""
    run()
    rounds = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_SELF)
        run()
        after = resource.getrusage(resource.RUSAGE_SELF)
        rounds.append(
            (
                after.ru_minflt - before.ru_minflt,
                1000 * (after.ru_utime - before.ru_utime),
                1000 * (after.ru_stime - before.ru_stime),
            )
        )
    faults, user, kernel = (statistics.median(values) for values in zip(*rounds, strict=True))
    return faults, user, kernel


if __name__ == "__main__":
    sys.exit(main())
