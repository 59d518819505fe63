"""What a run on a cluster has done so far, in its output directory: another run can go on where it ended.

One process alone writes it. Whatever is not in it is done again, so it may lag behind. It is a Parquet file without rows and with
the columns of the others, since there are readers that take every file of a directory; what it tells is in its metadata.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-not-found, import-untyped, unused-ignore]

from vecpack import OptionError

KEY = b"vecpack.ray"
FORMAT = 2
"""What files the journal names. Those of earlier versions, whose journals say no number, have wrong page locations."""
INTERVAL = 1.0
"""Seconds between two writes at the least."""


class Journal:
    """The journal in `directory` of a run that reads `files`, as they are now, with `options`."""

    def __init__(self, directory: Path, files: list[str], options: dict[str, Any]) -> None:
        self.path = directory / "_vecpack" / "ray.parquet"
        if self.path.with_name("manifest.parquet").exists():
            raise OptionError(f"{directory} holds a run of one process: resume it there, or give another directory")
        self._options = json.loads(json.dumps({"format": FORMAT, **options}, default=repr))
        self._inputs: dict[str, dict[str, Any]] = {}
        for file in files:
            stat = os.stat(file)
            self._inputs[file] = {"input": os.path.abspath(file), "size": stat.st_size, "modified": stat.st_mtime_ns}
        self._done: dict[str, dict[str, Any]] = {}
        self._schema: Any = None
        self._written = float("-inf")

    def resume(self) -> None:
        """Takes over what an earlier run has done. It must have had the same options, and no other inputs."""
        if not self.path.exists():
            return
        self._schema = pq.read_schema(self.path)
        earlier = json.loads(self._schema.metadata[KEY])
        if earlier["options"] != self._options:
            raise OptionError(f"resume: the earlier run had other options: {earlier['options']}")
        self._done = {entry["input"]: entry for entry in earlier["done"]}
        for file in self._done.keys() - {entry["input"] for entry in self._inputs.values()}:
            raise OptionError(f"resume: {file} was an input of the earlier run and is none of this one")

    def is_done(self, file: str, target: Path) -> bool:
        """True where the journal has the file, and neither it nor its output are others now."""
        entry = self._done.get(self._inputs[file]["input"])
        return entry is not None and target.exists() and entry == self._entry(file, target, entry["rows"])

    def add(self, file: str, target: Path, rows: int) -> None:
        """Notes that `target` is complete."""
        entry = self._entry(file, target, rows)
        self._done[entry["input"]] = entry
        if self._schema is None:
            self._schema = pq.read_schema(target)
        if time.monotonic() - self._written >= INTERVAL:
            self.write()

    def write(self) -> None:
        """Puts what is known into the file, whole or not at all."""
        if self._schema is None:
            return
        text = json.dumps({"options": self._options, "done": list(self._done.values())})
        schema = self._schema.with_metadata({**(self._schema.metadata or {}), KEY: text.encode()})
        self.path.parent.mkdir(exist_ok=True)
        temporary = self.path.with_name(".ray.parquet.vecpack-tmp")
        with open(temporary, "wb") as file:
            pq.write_table(schema.empty_table(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)
        self._written = time.monotonic()

    def _entry(self, file: str, target: Path, rows: int) -> dict[str, Any]:
        return {
            **self._inputs[file],
            "output": str(target.relative_to(self.path.parent.parent)),
            "bytes": target.stat().st_size,
            "rows": rows,
        }
