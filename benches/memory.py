"""Peak memory of whole processes. Started as a program it is one of them: `memory.py TASK FILE...`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pool import WORKERS, read_in_pool
from samples import RECORD_BYTES, Sample


@dataclass(frozen=True)
class Peak:
    """The most memory that a process held at any one time."""

    name: str
    bytes: int


# Every task imports for itself, so that no process pays for what only another one needs.


def _import(samples: list[Sample]) -> None:
    import vecpack  # noqa: F401


def _scan(samples: list[Sample]) -> None:
    import vecpack

    for _ in vecpack.scan([sample.path for sample in samples]):
        pass


def _vecpack_pool(samples: list[Sample]) -> None:
    import vecpack

    for _ in read_in_pool(lambda sample: vecpack.read(sample.path), samples):
        pass


def _python_pool(samples: list[Sample]) -> None:
    import peers

    for _ in read_in_pool(peers.python_loop, samples):
        pass


TASKS: dict[str, tuple[str, Callable[[list[Sample]], None]]] = {
    "import": ("import vecpack", _import),
    "scan": ("vecpack.scan, batches dropped", _scan),
    "vecpack-pool": (f"vecpack.read, pool of {WORKERS}", _vecpack_pool),
    "python-pool": (f"Python loop, pool of {WORKERS}", _python_pool),
}


def measure(samples: list[Sample]) -> list[Peak]:
    """The peak of every task, each in a process of its own that reads all of `samples`."""
    return [Peak(name, _peak_of_child(task, samples)) for task, (name, _) in TASKS.items()]


def _peak_of_child(task: str, samples: list[Sample]) -> int:
    command = [sys.executable, __file__, task, *(str(sample.path) for sample in samples)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _own_peak() -> int:
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
    _, run = TASKS[task]
    run([Sample(path, path.stat().st_size // RECORD_BYTES) for path in paths])
    print(_own_peak())


if __name__ == "__main__":
    main()
