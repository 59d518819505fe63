"""The files that every benchmark reads: written once by `vecpack sample`, then kept in `data/bench`."""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgpack
import numpy as np
import zstandard

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "data" / "bench"

DIM = 512
HEAD_BYTES = 3  # `bin16`: a marker and two bytes of length
RECORD_BYTES = HEAD_BYTES + 4 * DIM
DISTINCT_FILES = 4


@dataclass(frozen=True)
class Sample:
    """One file of `rows` vectors, each `msgpack.pack(vector.tobytes(), file)` unless `like` says otherwise."""

    path: Path
    rows: int
    like: str = "bytes"

    @cached_property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Scale:
    """How much data a run takes."""

    rows: int
    files: int


FULL = Scale(rows=50_000, files=32)  # 102.55 MB a file, 3.3 GB together
QUICK = Scale(rows=2_000, files=8)


def make(scale: Scale) -> list[Sample]:
    """Returns the files of `scale`, all of them in the page cache; writes those that are missing."""
    CACHE.mkdir(parents=True, exist_ok=True)
    samples = [Sample(CACHE / f"{scale.rows}x{DIM}-{n:02}.msgpack", scale.rows) for n in range(scale.files)]
    for number, sample in enumerate(samples):
        if not _is_complete(sample):
            if number < DISTINCT_FILES:
                _write(sample, seed=number)
            else:
                _link(samples[number % DISTINCT_FILES].path, sample.path)
        if not _is_complete(sample):
            raise RuntimeError(f"{sample.path.name} should have {sample.rows * RECORD_BYTES} bytes")
    for sample in samples[:DISTINCT_FILES]:
        _warm(sample)
    return samples


def make_like(first: Sample, like: str) -> Sample:
    """As many vectors as in `first`, written as `vecpack sample --like` does; in the page cache."""
    sample = Sample(CACHE / f"{first.rows}x{DIM}-{like}.msgpack", first.rows, like)
    if not sample.path.exists():
        _write(sample, seed=0)
    _warm(sample)
    return sample


NUMBERS: dict[str, Callable[[np.random.Generator, int], list[list[float]]]] = {
    "small-integers": lambda rng, rows: rng.integers(-128, 128, (rows, DIM)).tolist(),
    "integers": lambda rng, rows: rng.integers(-100_000, 100_000, (rows, DIM)).tolist(),
    "mixed": lambda rng, rows: [
        [round(number) if whole else number for number, whole in zip(numbers, is_whole, strict=True)]
        for numbers, is_whole in zip(
            (10 * rng.standard_normal((rows, DIM))).tolist(), (rng.random((rows, DIM)) < 0.2).tolist(), strict=True
        )
    ],
}
"""Vectors as arrays of numbers: quantised ones, larger integers, and what JavaScript makes of floats of which some are whole."""


def make_numbers(first: Sample, like: str) -> Sample:
    """As many vectors as in `first`, as arrays of these numbers; in the page cache."""
    sample = Sample(CACHE / f"{first.rows}x{DIM}-{like}.msgpack", first.rows, like)
    if not sample.path.exists():
        partial, rng = sample.path.with_suffix(".partial"), np.random.default_rng(0)
        with partial.open("wb") as file:
            for start in range(0, sample.rows, 1000):
                for numbers in NUMBERS[like](rng, min(1000, sample.rows - start)):
                    file.write(msgpack.packb(numbers))
        partial.replace(sample.path)
    _warm(sample)
    return sample


def make_records(first: Sample, like: str) -> Sample:
    """Records of about the size of `first` in all; in the page cache."""
    record, rows = RECORDS[like](first.rows)
    sample = Sample(CACHE / f"{rows}-{like}.msgpack", rows, like)
    if not sample.path.exists():
        partial, packer = sample.path.with_suffix(".partial"), msgpack.Packer()
        with partial.open("wb") as file:
            file.writelines(packer.pack(record(number)) for number in range(rows))
        partial.replace(sample.path)
    _warm(sample)
    return sample


SMALL_DIM = 16
FIELDS = 31
FIELD_NAMES = [f"field_{number}" for number in range(FIELDS)]


def _small_records(rows: int) -> tuple[Callable[[int], dict[str, object]], int]:
    vectors = np.random.default_rng(0).standard_normal((1000, SMALL_DIM)).astype(np.float32)
    return lambda number: {"id": number, "vector": vectors[number % 1000].tobytes()}, 10 * rows


def _fields(rows: int) -> tuple[Callable[[int], dict[str, object]], int]:
    numbers = np.random.default_rng(0).integers(0, 1_000_000, (1000, FIELDS)).tolist()
    return lambda number: dict(zip(FIELD_NAMES, numbers[number % 1000], strict=True)), 4 * rows


RECORDS = {"small-records": _small_records, "fields": _fields}
"""An id and a short vector, and records of many integers. Each gives the record of a number, and how many there are."""


def make_compressed(sample: Sample, codec: str) -> Sample:
    """The file of `sample` as the codec's own library writes it by default; in the page cache."""
    path = sample.path.with_name(f"{sample.path.name}.{codec}")
    if not path.exists():
        content = sample.path.read_bytes()
        packed = gzip.compress(content, 6) if codec == "gz" else zstandard.ZstdCompressor().compress(content)
        partial = path.with_suffix(".partial")
        partial.write_bytes(packed)
        partial.replace(path)
    compressed = replace(sample, path=path, like=codec)
    _warm(compressed)
    return compressed


def make_halves(first: Sample) -> Sample:
    """The vectors of `first` as the bytes of float16; in the page cache."""
    sample = Sample(CACHE / f"{first.rows}x{DIM}-halves.msgpack", first.rows, "halves")
    if not sample.path.exists():
        partial, packer = sample.path.with_suffix(".partial"), msgpack.Packer()
        with first.path.open("rb") as source, partial.open("wb") as file:
            vectors = (np.frombuffer(payload, np.float32) for payload in msgpack.Unpacker(source))
            file.writelines(packer.pack(vector.astype(np.float16).tobytes()) for vector in vectors)
        partial.replace(sample.path)
    _warm(sample)
    return sample


FRAMINGS = ("array", "records", "columns", "length-prefixed")
"""The same records as one array, as an array under a key, as maps of parallel lists, and behind their lengths."""
BATCH = 500


def make_framed(first: Sample, framing: str) -> Sample:
    """The records of `make_like(first, "records")` in this framing; in the page cache."""
    sample = Sample(CACHE / f"{first.rows}x{DIM}-records-in-{framing}.msgpack", first.rows, framing)
    if not sample.path.exists():
        partial = sample.path.with_suffix(".partial")
        packer = msgpack.Packer()
        with make_like(first, "records").path.open("rb") as source, partial.open("wb") as file:
            records = msgpack.Unpacker(source)
            if framing == "records":
                file.write(packer.pack_map_header(2) + packer.pack("data"))
            if framing in ("array", "records"):
                file.write(packer.pack_array_header(first.rows))
            while batch := list(itertools.islice(records, BATCH)):
                if framing == "columns":
                    file.write(packer.pack({name: [record[name] for record in batch] for name in batch[0]}))
                    continue
                for record in map(packer.pack, batch):
                    if framing == "length-prefixed":
                        file.write(struct.pack("<I", len(record)))
                    file.write(record)
            if framing == "records":
                file.write(packer.pack("model") + packer.pack("m"))
        partial.replace(sample.path)
    _warm(sample)
    return sample


def _is_complete(sample: Sample) -> bool:
    return sample.path.exists() and sample.path.stat().st_size == sample.rows * RECORD_BYTES


def _write(sample: Sample, seed: int) -> None:
    # Under another name first, so that an interrupted run leaves no half file behind.
    partial = sample.path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    command = [sys.executable, "-m", "vecpack", "sample", "--quiet", str(partial)]
    shape = [f"--rows={sample.rows}", f"--dim={DIM}", f"--like={sample.like}", f"--seed={seed}"]
    subprocess.run([*command, *shape], check=True)
    partial.replace(sample.path)


def _link(original: Path, path: Path) -> None:
    # A name is enough: four distinct files are already an order of magnitude larger than the caches of a CPU.
    path.unlink(missing_ok=True)
    try:
        os.link(original, path)
    except OSError:  # a file system without hard links
        shutil.copyfile(original, path)


def _warm(sample: Sample) -> None:
    with sample.path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
