"""Puts the figures of the recorded run into comparison.md: `python docs/comparison.py`, after `make bench`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
RUN = DOCS / "benchmarks/latest.json"
TABLES = ("read", "pool", "parquet", "open")
"""The tables of the run that the page shows, each between marks of its own."""


def table(recorded: dict[str, Any]) -> str:
    """Contestants with their times and ratios; the first one is what the others are compared with."""
    rows = [row for row in recorded["rows"] if row["kind"] != "floor"]
    lines = ["| contestant | ms | times as fast |", "|---|---:|---:|"]
    lines += [f"| {row['name']} | {row['median']:,.0f} | {row['ratio']:.1f} |" for row in rows]
    return "\n".join(lines)


def rendered(page: str, run: dict[str, Any]) -> str:
    """The page with the figures of this run between its marks."""
    recorded = {each["name"]: each for each in run["tables"]}
    machine = run["machine"]
    parts = {name: table(recorded[name]) for name in TABLES}
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
