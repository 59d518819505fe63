"""The tables as people read them in a terminal."""

from __future__ import annotations

import sys

from goals import Verdict
from memory import Peak
from record import Machine, TableRecord

NOISY = 0.1
"""So many cores busy with something else are worth a note."""


def table_text(table: TableRecord, judged: bool) -> str:
    many = table.files > 1
    header = ["", "ms", "min - max", "CPU ms", *(["files/s"] if many else []), "GB/s", "ratio", "goal", ""]
    lines = [header]
    for row in table.rows:
        fastest, slowest = min(row.milliseconds), max(row.milliseconds)
        verdicts = row.verdicts if judged else []
        lines.append(
            [
                row.name,
                _milliseconds(row.median),
                f"{_milliseconds(fastest)} - {_milliseconds(slowest)}",
                _milliseconds(row.busy_milliseconds),
                *([f"{row.files_per_second:.1f}"] if many else []),
                f"{row.gigabytes_per_second:.2f}",
                f"{row.ratio:.2f}x",
                ", ".join(verdict.goal for verdict in verdicts),
                ", ".join(_word(verdict, baseline=table.rows[0].name) for verdict in verdicts),
            ]
        )
    rounds = "one round" if table.rounds == 1 else f"median of {table.rounds} interleaved rounds"
    words = {0, len(header) - 2, len(header) - 1}
    note = ""
    if table.busy_elsewhere is not None and table.busy_elsewhere > NOISY:
        note = f"NOTE: meanwhile {table.busy_elsewhere:g} cores were busy with other processes\n"
    return f"{table.name}: {table.title}\n{table.data}; {rounds}\n\n{_align(lines, left=words)}\n{note}"


def memory_text(peaks: list[Peak], files: int) -> str:
    lines = [["", "MB", "goal", ""]]
    for peak in peaks:
        goal = word = ""
        if peak.goal is not None:
            goal, word = f"<= {peak.goal / 1e6:.0f}", "met" if peak.bytes <= peak.goal else "MISSED"
        lines.append([peak.name, f"{peak.bytes / 1e6:.0f}", goal, word])
    return f"memory: Peak of a process that reads {files} files, or as many as it says\n\n{_align(lines, left={0, 2, 3})}\n"


def heading(machine: Machine, versions: dict[str, str]) -> str:
    hardware = f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB"
    system = f"{machine.kernel}, transparent huge pages: {machine.transparent_huge_pages}"
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{software}\n{hardware}, {system}\n"


def progress(text: str) -> None:
    """Replaces the line that says what is going on, if anyone is watching."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _milliseconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def _word(verdict: Verdict, baseline: str) -> str:
    word = "met" if verdict.met else "MISSED"
    # Against the baseline the ratio stands in its own column already.
    return word if verdict.measured.endswith("x") and verdict.against == baseline else f"{word} ({verdict.measured})"


def _align(lines: list[list[str]], left: set[int]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
