"""Puts what the engines read into readers.md: `python docs/readers.py`, after `make test-engines` with VECPACK_UPDATE=1."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FEATURES = {
    "fixed": "`fixed`",
    "list": "`list`",
    "null fixed": "null vectors as `fixed`",
    "null list": "null vectors as `list`",
    "float16": "float16",
    "float64": "float64",
    "int8": "int8",
    "uint8": "uint8",
    "nanoseconds": "times in ns",
    "microseconds": "times in us",
    "byte-stream-split": "split bytes",
    "float16 byte-stream-split": "split float16",
    "zstd": "zstd",
    "lz4": "LZ4_RAW",
    "snappy": "snappy",
    "records": "text, bytes, maps, lists",
    "null nested": "null maps and lists",
    "uint64": "uint64",
    "rejects": "a file of rejects",
    "filters": "rows by a filter",
}
"""What a file may hold, and how the page calls it."""

LISTS = 'Write `list_type="list"`.'
PLAIN = 'Write `encoding="plain"`.'
MICROSECONDS = 'Write `coerce_timestamps="us"`.'
FLOAT32 = 'Write `dtype="float32"`.'
NEVER_NULL = 'Arrays and tuples are never null: use `on_error="skip"`.'
NO_UINT64 = "Numbers from 2^63 on are refused."
NOTES = {
    "awswrangler": {
        "fixed": LISTS,
        "null fixed": LISTS,
        "float16": FLOAT32,
        "float16 byte-stream-split": FLOAT32,
        "uint64": 'Write `schema={"number": "int64"}` if the numbers fit.',
        "rejects": "Write rejects to a `.jsonl`.",
    },
    "ClickHouse": {"null fixed": NEVER_NULL, "null list": NEVER_NULL, "null nested": NEVER_NULL},
    "delta-rs": {
        "null fixed": LISTS,
        "float16": FLOAT32,
        "float16 byte-stream-split": FLOAT32,
        "nanoseconds": f"Digits are cut off. {MICROSECONDS}",
        "uint64": NO_UINT64,
    },
    "DuckDB": {"float16 byte-stream-split": PLAIN},
    "fastparquet": {
        "byte-stream-split": PLAIN,
        "float16": f"Each number is two bytes. {FLOAT32}",
        "float16 byte-stream-split": PLAIN,
        "null nested": "A map is a column for each field, without a null of its own.",
        "filters": "`row_filter` fails beside columns of lists: name other `columns`, or filter the frame.",
    },
    "pyarrow": {
        "null fixed": f"{LISTS} It is the default if vectors may be null.",
        "float16 byte-stream-split": PLAIN,
    },
    "pyiceberg": {"nanoseconds": MICROSECONDS, "uint64": NO_UINT64},
    "Spark": {"float16": FLOAT32, "float16 byte-stream-split": FLOAT32, "nanoseconds": MICROSECONDS},
}
"""What to do where an engine does not read something, by its name and the feature."""


def table(results: dict[str, Any]) -> str:
    """A line for each reader with what it does not read, and what to do about that."""
    texts: list[str] = []

    def exceptions(name: str, outcome: str) -> str:
        found: dict[str, list[str]] = {}
        for feature, words in FEATURES.items():
            if results[name][feature] == outcome:
                found.setdefault(NOTES[name.split()[0]][feature], []).append(words)
        texts.extend(text for text in found if text not in texts)
        return "; ".join(f"{', '.join(words)} ({texts.index(text) + 1})" for text, words in found.items()) or "-"

    lines = ["| reader | refuses | reads as other values | page index |", "|---|---|---|---|"]
    for name in sorted(results, key=str.lower):
        package = name.split()[0] if name.startswith("pyarrow") else name
        index = results[name].get("page index") or "-"
        cells = [f"{package} {results[name]['version']}", exceptions(name, "refused"), exceptions(name, "wrong"), index]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {text}" for number, text in enumerate(texts, 1))])


def rendered(page: str, results: dict[str, Any]) -> str:
    """The page with the table of these results between its two marks."""
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
