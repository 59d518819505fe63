"""A run as data: what `docs/benchmarks/latest.json` holds, and all that the terminal and the charts show."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from goals import Verdict, judge
from measure import Kind, Table, Timing
from memory import Peak
from samples import DIM, ROOT, Scale

DOCS = ROOT / "docs" / "benchmarks"
LATEST = DOCS / "latest.json"

PACKAGES = ["numpy", "msgpack", "pyarrow", "polars", "vecpack"]


@dataclass(frozen=True)
class Row:
    """What one contestant achieved; `ratio` says how many times as fast as the baseline it was."""

    name: str
    kind: Kind
    milliseconds: list[float]
    median: float
    busy_milliseconds: float
    """The median of the time of processors."""
    gigabytes_per_second: float
    files_per_second: float
    ratio: float
    verdicts: list[Verdict]


@dataclass(frozen=True)
class TableRecord:
    """One table; the first row is the baseline."""

    name: str
    title: str
    data: str
    bytes: int
    files: int
    rounds: int
    rows_of_data: int
    """Rows that come of the input; 0 where they are not counted."""
    busy_elsewhere: float | None
    """Cores that were busy with other processes in the meantime."""
    rows: list[Row]


@dataclass(frozen=True)
class Machine:
    """Where it ran."""

    cpu: str
    cores: int
    memory_gb: float
    kernel: str
    transparent_huge_pages: str


@dataclass(frozen=True)
class Run:
    """Everything that someone needs to run it again, and what came of it."""

    command: str
    date: str
    commit: str
    versions: dict[str, str]
    machine: Machine
    rows_a_file: int
    dim: int
    tables: list[TableRecord]
    memory: list[Peak]


def table_record(table: Table, timings: dict[str, Timing], busy_elsewhere: float | None) -> TableRecord:
    baseline = timings[table.baseline]
    rows = []
    for contestant in table.contestants:
        timing = timings[contestant.name]
        row = Row(
            name=contestant.name,
            kind=contestant.kind,
            milliseconds=[round(1e3 * seconds, 3) for seconds in timing.seconds],
            median=round(1e3 * timing.median, 3),
            busy_milliseconds=round(1e3 * statistics.median(timing.busy), 3),
            gigabytes_per_second=round(table.size / timing.median / 1e9, 3),
            files_per_second=round(table.files / timing.median, 3),
            ratio=round(timing.times_as_fast_as(baseline), 3),
            verdicts=judge(table, contestant.name, timings),
        )
        rows.append(row)
    return TableRecord(
        name=table.name,
        title=table.title,
        data=table.data,
        bytes=table.size,
        files=table.files,
        rounds=len(baseline.seconds),
        rows_of_data=table.rows,
        busy_elsewhere=busy_elsewhere,
        rows=rows,
    )


def machine() -> Machine:
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        kernel=f"{platform.system()} {platform.release()}",
        transparent_huge_pages=_transparent_huge_pages(),
    )


def run_record(commit: str, machine: Machine, scale: Scale, tables: list[TableRecord], memory: list[Peak]) -> Run:
    return Run(
        command=shlex.join(["python", "benches/run.py", *sys.argv[1:]]),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        commit=commit,
        versions=versions(),
        machine=machine,
        rows_a_file=scale.rows,
        dim=DIM,
        tables=tables,
        memory=memory,
    )


def write(run: Run) -> None:
    DOCS.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(asdict(run), indent=2) + "\n")


def versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def commit() -> str:
    """The commit, with `-dirty` if a file of it was changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return result.stdout.strip() or "unknown"


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _transparent_huge_pages() -> str:
    """`always`, `madvise` or `never`: the one in brackets."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists():
        return "unknown"
    return setting.read_text().split("[")[1].split("]")[0]
