"""Puts what the engines read into readers.md: `python docs/readers.py`, after `make test-engines` with VECPACK_UPDATE=1."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COLUMNS = {
    "`fixed`": ["fixed"],
    "`list`": ["list"],
    "null vectors, `fixed`": ["null fixed"],
    "null vectors, `list`": ["null list"],
    "float16": ["float16"],
    "float64, int8, uint8": ["float64", "int8", "uint8"],
    "times, ns": ["nanoseconds"],
    "times, us": ["microseconds"],
    "split bytes": ["byte-stream-split"],
    "split bytes, float16": ["float16 byte-stream-split"],
    "zstd": ["zstd"],
    "LZ4_RAW": ["lz4"],
    "snappy": ["snappy"],
    "text, bytes, maps, lists": ["records"],
    "maps and lists that are null": ["null nested"],
    "uint64": ["uint64"],
    "file of rejects": ["rejects"],
    "rows by a filter": ["filters"],
    "page index": ["page index"],
}
"""The columns of the table, and what must be read for a yes."""
HOW = {"read": "yes", "refused": "no", "wrong": "other values", "used": "used", "not used": "not used"}

LISTS = 'Write `list_type="list"`.'
PLAIN = 'Write `encoding="plain"`.'
MICROSECONDS = 'Write `coerce_timestamps="us"`.'
FLOAT32 = 'There is no float16: write `dtype="float32"`.'
NEVER_NULL = (
    "Arrays and tuples are never null in ClickHouse: they are empty, or what they hold is null. "
    '`on_error="skip"` leaves out records without a vector.'
)
NO_UINT64 = "There is no uint64: numbers from 2^63 on are refused."
NOTES = {
    "awswrangler": {
        "fixed": LISTS,
        "null fixed": LISTS,
        "float16": FLOAT32,
        "float16 byte-stream-split": FLOAT32,
        "uint64": 'There is no uint64: write `schema={"number": "int64"}` where the numbers are smaller.',
        "rejects": "There is no uint64: write rejects to a `.jsonl`.",
    },
    "ClickHouse": {"null fixed": NEVER_NULL, "null list": NEVER_NULL, "null nested": NEVER_NULL},
    "delta-rs": {
        "null fixed": LISTS,
        "float16": FLOAT32,
        "float16 byte-stream-split": FLOAT32,
        "nanoseconds": f"Digits below a microsecond are cut off. {MICROSECONDS}",
        "uint64": NO_UINT64,
    },
    "DuckDB": {"float16 byte-stream-split": PLAIN},
    "fastparquet": {
        "byte-stream-split": PLAIN,
        "float16": f"Numbers come as two bytes each. {FLOAT32}",
        "float16 byte-stream-split": PLAIN,
        "null nested": "A map is a column for each field, which has no null of its own.",
        "filters": "`row_filter` fails beside columns of lists, in files of any writer: name other `columns`, or filter the frame.",
    },
    "pyarrow": {
        "null fixed": f"{LISTS} It is the default where vectors may be null.",
        "float16 byte-stream-split": PLAIN,
    },
    "pyiceberg": {"nanoseconds": MICROSECONDS, "uint64": NO_UINT64},
    "Spark": {"float16": FLOAT32, "float16 byte-stream-split": FLOAT32, "nanoseconds": MICROSECONDS},
}
"""What to do where an engine does not read something, by its name and the feature."""


def table(results: dict[str, Any]) -> str:
    """Two tables, so that they fit on a page, and what to do where a reader does not read something."""
    texts: list[str] = []
    names = sorted(results, key=str.lower)

    def cell(name: str, features: list[str]) -> str:
        found = [feature for feature in features if results[name].get(feature) not in ("read", "used", "not used")]
        if not found:
            return HOW[results[name][features[0]]]
        if results[name].get(found[0]) is None:
            return "-"
        text = NOTES[name.split()[0]][found[0]]
        if text not in texts:
            texts.append(text)
        return f"{HOW[results[name][found[0]]]} ({texts.index(text) + 1})"

    parts = list(COLUMNS)
    lines = []
    for some in (parts[:8], parts[8:]):
        lines += ["| reader | " + " | ".join(some) + " |", "|---" * (len(some) + 1) + "|"]
        for name in names:
            cells = [cell(name, COLUMNS[part]) for part in some]
            package = name.split()[0] if name.startswith("pyarrow") else name
            lines.append(f"| {package} {results[name]['version']} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines + [f"{number}. {text}" for number, text in enumerate(texts, 1)])


def rendered(page: str, results: dict[str, Any]) -> str:
    """The page with the tables of these results between its two marks."""
    start, end = "<!-- tables -->", "<!-- end of tables -->"
    return re.sub(
        f"{re.escape(start)}.*?{re.escape(end)}",
        lambda _: f"{start}\n\n{table(results)}\n\n{end}",
        page,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    page = ROOT / "docs/readers.md"
    results = json.loads((ROOT / "tests/data/readers.json").read_text(encoding="utf-8"))
    page.write_text(rendered(page.read_text(encoding="utf-8"), results), encoding="utf-8")
