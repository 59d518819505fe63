"""Puts the figures of the recorded run into comparison.md: `python docs/comparison.py`, after `make bench`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
RUN = DOCS / "benchmarks/latest.json"


def table(recorded: dict[str, Any]) -> str:
    """Contestants with their times and ratios; the first one is what the others are compared with."""
    rows = [row for row in recorded["rows"] if row["kind"] != "floor"]
    lines = ["| contestant | ms | times as fast |", "|---|---:|---:|"]
    lines += [f"| {row['name']} | {row['median']:,.0f} | {row['ratio']:.1f} |" for row in rows]
    return "\n".join(lines)


def readers(recorded: dict[str, Any]) -> str:
    """A line for each reader, with its times for the files of two writers."""
    times: dict[str, dict[str, float]] = {}
    for row in recorded["rows"]:
        if found := re.fullmatch(r"(?P<reader>.*?),? reads what (?P<writer>pyarrow|vecpack) writes", row["name"]):
            times.setdefault(found["reader"], {})[found["writer"]] = row["median"]
    lines = ["| reader | pyarrow's file, ms | vecpack's file, ms |", "|---|---:|---:|"]
    lines += [f"| {name} | {of['pyarrow']:,.0f} | {of['vecpack']:,.0f} |" for name, of in times.items()]
    return "\n".join(lines)


TABLES = {"read": table, "pool": table, "parquet": table, "open": readers}
"""The tables of the run that the page shows, each between marks of its own."""


def rendered(page: str, run: dict[str, Any]) -> str:
    """The page with the figures of this run between its marks."""
    recorded = {each["name"]: each for each in run["tables"]}
    machine = run["machine"]
    parts = {name: form(recorded[name]) for name, form in TABLES.items()}
    parts["run"] = (
        f"`{run['command']}`, {run['date'][:10]}, commit `{run['commit']}`, {machine['cores']} cores of an {machine['cpu']}"
    )
    for name, text in parts.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = f"{start}\n\n{text}\n\n{end}".replace("\\", r"\\")
        page, found = re.subn(f"{start}.*?{end}", text, page, flags=re.DOTALL)
        assert found == 1, f"{found} places for the table {name}"
    return page


if __name__ == "__main__":
    place = DOCS / "comparison.md"
    place.write_text(
        rendered(place.read_text(encoding="utf-8"), json.loads(RUN.read_text(encoding="utf-8"))), encoding="utf-8"
    )
