"""Reads files into Ray Datasets, against what a user writes without vecpack: docs/ray.md shows the table.

    .venv/bin/python benches/ray_read.py [--rounds 3] [--processors 2]

Three shapes of the same vectors, of 512 float32: 10 files of 102 MB, 40 of 5 MB, 10,000 of 8 kB, on a file system in memory. The
ways take turns in one cluster that has read before, and the best of the rounds counts. "one process" reads without Ray, with one
thread; "blocks in memory" are as many bytes for which nothing is read: what Ray itself takes.
"""

from __future__ import annotations

import argparse
import glob
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import msgpack
import numpy as np
import pyarrow as pa
import ray
import vecpack
import vecpack.ray
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

DIM = 512
SHAPES = {"10 x 102 MB": (10, 50_000), "40 x 5 MB": (40, 2_500), "10,000 x 8 kB": (10_000, 4)}


def unpacked(data: bytes) -> np.ndarray:
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data)
    return np.stack([np.frombuffer(row, "<f4") for row in unpacker])


def of_bytes(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for data in batch["bytes"]:
        yield {"vector": unpacked(data)}


def of_paths(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in batch["item"]:
        yield {"vector": unpacked(Path(path).read_bytes())}


class InMemory(Datasource):  # type: ignore[misc]
    """Blocks that are there already, of so many rows in all."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def estimate_inmemory_data_size(self) -> int:
        return 4 * DIM * self.rows

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        share = -(-self.rows // parallelism)
        starts = range(0, self.rows, share)
        return [self.task(min(share, self.rows - start)) for start in starts]

    def task(self, rows: int) -> ReadTask:
        def read() -> Iterator[pa.Table]:
            # Memory that was written to: a page of zeros that is only read is one for all.
            numbers = pa.array(np.ones(DIM * min(16_384, rows), "<f4"))
            for start in range(0, rows, 16_384):
                vectors = pa.FixedSizeListArray.from_arrays(numbers[: DIM * min(16_384, rows - start)], DIM)
                yield pa.table({"vector": vectors})

        return ReadTask(read, BlockMetadata(None, 4 * DIM * rows, None, None))


def rows_of(dataset: Any) -> int:
    return int(dataset.materialize().count())


def ways(paths: list[str], folder: str, rows: int) -> dict[str, Callable[[], int]]:
    return {
        "vecpack.ray.read": lambda: rows_of(vecpack.ray.read(folder)),
        "read_binary_files, msgpack": lambda: rows_of(ray.data.read_binary_files(paths).map_batches(of_bytes)),
        "from_items of paths, msgpack": lambda: rows_of(ray.data.from_items(paths).map_batches(of_paths)),
        "blocks in memory": lambda: rows_of(ray.data.read_datasource(InMemory(rows), override_num_blocks=8)),
        "one process: vecpack": lambda: sum(batch.num_rows for batch in vecpack.scan(folder, threads=1)),
        "one process: msgpack": lambda: sum(len(unpacked(Path(path).read_bytes())) for path in paths),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processors", type=int, default=os.cpu_count())
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    options = parser.parse_args()
    ray.init(num_cpus=options.processors, include_dashboard=False, log_to_driver=False, object_store_memory=4 << 30)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    print(f"{options.processors} processors, {os.getloadavg()[0]:.1f} of them busy before\n")
    print("| what | " + " | ".join(SHAPES) + " |\n|---|" + "---|" * len(SHAPES))
    table: dict[str, list[str]] = {}
    for files, rows in SHAPES.values():
        folder = tempfile.mkdtemp(dir=options.folder)
        try:
            content = b"".join(msgpack.packb(v.tobytes()) for v in np.random.default_rng(0).random((rows, DIM), "f4"))
            for number in range(files):
                Path(folder, f"{number:05}.msgpack").write_bytes(content)
            del content
            paths = sorted(glob.glob(folder + "/*"))
            best: dict[str, float] = {}
            for _ in range(options.rounds):
                for name, way in ways(paths, folder, files * rows).items():
                    begun = time.perf_counter()
                    assert way() == files * rows, name
                    best[name] = min(best.get(name, 1e9), time.perf_counter() - begun)
        finally:
            shutil.rmtree(folder)
        for name, seconds in best.items():
            table.setdefault(name, []).append(f"{seconds:.2f} s")
    for name, cells in table.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
