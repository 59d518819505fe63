"""Peak memory of whole processes. Started as a program it is one of them: `memory.py TASK FILE...`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pool import WORKERS, read_in_pool
from samples import CACHE, RECORD_BYTES, Sample


@dataclass(frozen=True)
class Peak:
    """The most memory that a process held at any one time."""

    name: str
    bytes: int
    goal: int | None
    """The most that is promised."""


MIB = 1 << 20

# Every task imports for itself, so that no process pays for what only another one needs.


def _import(samples: list[Sample]) -> None:
    import vecpack  # noqa: F401


def _scan(samples: list[Sample]) -> None:
    import vecpack

    for _ in vecpack.scan([sample.path for sample in samples]):
        pass


def _scan_ten_times(samples: list[Sample]) -> None:
    _scan(samples * 10)


def _parquet(samples: list[Sample]) -> None:
    import vecpack

    out = CACHE / "memory.parquet"
    vecpack.to_parquet([sample.path for sample in samples], out, overwrite=True, sync=False)
    out.unlink()


def _parquet_of_ten(samples: list[Sample]) -> None:
    _parquet(samples[:10])


def _parquet_of_hundred(samples: list[Sample]) -> None:
    _parquet((samples * 13)[:100])


def _vecpack_pool(samples: list[Sample]) -> None:
    import vecpack

    for _ in read_in_pool(lambda sample: vecpack.read(sample.path), samples):
        pass


def _python_pool(samples: list[Sample]) -> None:
    import peers

    for _ in read_in_pool(peers.python_loop, samples):
        pass


TASKS: dict[str, tuple[str, Callable[[list[Sample]], None], int | None]] = {
    "import": ("import vecpack", _import, None),
    "scan": ("vecpack.scan, batches dropped", _scan, 200 * MIB),
    "scan-ten-times": ("the same, ten times the files", _scan_ten_times, 200 * MIB),
    "parquet-ten": ("vecpack.to_parquet, 10 files into one", _parquet_of_ten, 256 * MIB),
    "parquet-hundred": ("vecpack.to_parquet, 100 files into one", _parquet_of_hundred, 256 * MIB),
    "vecpack-pool": (f"vecpack.read, pool of {WORKERS}", _vecpack_pool, None),
    "python-pool": (f"Python loop, pool of {WORKERS}", _python_pool, None),
}


def measure(samples: list[Sample]) -> list[Peak]:
    """The peak of every task, each in a process of its own that reads all of `samples`."""
    return [Peak(name, _peak_of_child(task, samples), goal) for task, (name, _, goal) in TASKS.items()]


def _peak_of_child(task: str, samples: list[Sample]) -> int:
    command = [sys.executable, __file__, task, *(str(sample.path) for sample in samples)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def own_peak() -> int:
    # On Linux `ru_maxrss` of a new process begins at what its parent held, which here is a benchmark with
    # arrays of 100 MB; so neither RUSAGE_CHILDREN nor RUSAGE_SELF will do. VmHWM begins with the program.
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: in bytes


def main() -> None:
    task, *names = sys.argv[1:]
    paths = [Path(name) for name in names]
    _, run, _ = TASKS[task]
    run([Sample(path, path.stat().st_size // RECORD_BYTES) for path in paths])
    print(own_peak())


if __name__ == "__main__":
    main()
