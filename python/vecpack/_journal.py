"""What a run on a cluster has done so far, in its output directory: another run can go on where it ended.

One process alone writes it, a line for each file that is complete. Whatever is not in it is done again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

NAME = "_vecpack_ray.jsonl"


class Journal:
    """The journal of `directory`, for a run that reads `files`, as they are now, with `options`."""

    def __init__(self, directory: Path, files: list[str], options: dict[str, Any]) -> None:
        self.path = directory / NAME
        options = json.loads(json.dumps(options, default=repr))
        self._inputs: dict[str, dict[str, Any]] = {}
        for file in files:
            stat = os.stat(file)
            read = {"input": file, "size": stat.st_size, "modified": stat.st_mtime_ns, "options": options}
            self._inputs[file] = read
        self._done: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            for line in self._whole_lines().splitlines():
                entry = json.loads(line)
                self._done[entry["input"]] = entry

    def is_done(self, file: str, target: Path) -> bool:
        """True where the journal has the file, and neither it, its options nor its output are others now."""
        entry = self._done.get(file)
        return entry is not None and target.exists() and entry == self._entry(file, target, entry["rows"])

    def add(self, file: str, target: Path, rows: int) -> None:
        """Notes that `target` is complete."""
        line = json.dumps(self._entry(file, target, rows)).encode() + b"\n"
        with open(self.path, "ab") as journal:
            journal.truncate(len(self._whole_lines()))
            journal.write(line)
            journal.flush()
            os.fsync(journal.fileno())

    def _whole_lines(self) -> bytes:
        """The lines without one that a process did not live to finish."""
        content = self.path.read_bytes()
        return content[: content.rfind(b"\n") + 1]

    def _entry(self, file: str, target: Path, rows: int) -> dict[str, Any]:
        return {**self._inputs[file], "output": target.name, "bytes": target.stat().st_size, "rows": rows}
