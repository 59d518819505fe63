"""What vecpack is compared with, written the way anyone would write it."""

from __future__ import annotations

import gzip
import mmap
import os
from collections.abc import Iterator
from typing import IO

import msgpack
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import zstandard

from samples import DIM, HEAD_BYTES, SMALL_DIM, Sample
from take_iter import take_iter

Vectors = npt.NDArray[np.float32]


# --- Decoding in Python ---------------------------------------------------------------------------


def python_loop(sample: Sample) -> Vectors:
    """The loop that everybody writes first. It is told the number of rows, which vecpack has to find out."""
    with sample.path.open("rb") as file:
        return _loop(file, sample.rows)


def rust_loop(sample: Sample) -> Vectors:
    """The same loop in an extension with PyO3 and rust-numpy, `benches/take_iter`; msgpack makes the objects."""
    with sample.path.open("rb") as file:
        return take_iter(msgpack.Unpacker(file), sample.rows, DIM)


# The expert's trick, no MessagePack at all: every record must have the same head, which nobody checks.
RECORD = np.dtype([("head", f"V{HEAD_BYTES}"), ("vector", "<f4", DIM)])


def numpy_fromfile(sample: Sample) -> Vectors:
    """The trick the way it is usually written."""
    return np.ascontiguousarray(np.fromfile(sample.path, RECORD)["vector"])


def numpy_memmap(sample: Sample) -> Vectors:
    """The trick with one copy less, which makes it the fastest way that we know without leaving NumPy."""
    return np.ascontiguousarray(np.memmap(sample.path, RECORD, mode="r")["vector"])


# The same trick for arrays of numbers, each of which has a tag in front and is big-endian.
ARRAY_HEAD_BYTES = 3  # `array16`


def numpy_tagged(sample: Sample, number: str) -> Vectors:
    """Arrays of `number`, `>f4` or `>f8`, as float32."""
    tagged = np.dtype([("tag", "V1"), ("number", number)])
    record = np.dtype([("head", f"V{ARRAY_HEAD_BYTES}"), ("numbers", tagged, DIM)])
    return np.memmap(sample.path, record, mode="r")["numbers"]["number"].astype(np.float32)


def unpacker_loop(sample: Sample) -> Vectors:
    """Arrays of numbers, which msgpack makes lists of floats."""
    vectors = np.empty((sample.rows, DIM), np.float32)
    with sample.path.open("rb") as file:
        for row, numbers in enumerate(msgpack.Unpacker(file)):
            vectors[row] = numbers
    return vectors


def halves_loop(sample: Sample) -> Vectors:
    """Bytes of float16, which NumPy widens."""
    with sample.path.open("rb") as file:
        return _loop(file, sample.rows, np.float16)


def gzip_loop(sample: Sample) -> Vectors:
    """The loop over a file that Python's `gzip` opens."""
    with gzip.open(sample.path, "rb") as file:
        return _loop(file, sample.rows)


def zstd_loop(sample: Sample) -> Vectors:
    """The loop over a file that `zstandard` opens."""
    with zstandard.open(sample.path, "rb") as file:
        return _loop(file, sample.rows)


def _loop(file: IO[bytes], rows: int, dtype: npt.DTypeLike = np.float32) -> Vectors:
    vectors = np.empty((rows, DIM), np.float32)
    for row, payload in enumerate(msgpack.Unpacker(file)):
        vectors[row] = np.frombuffer(payload, dtype)
    return vectors


def columns_loop(sample: Sample) -> pa.Table:
    """Records of integers and short vectors, column by column."""
    with sample.path.open("rb") as file:
        records = list(msgpack.Unpacker(file))
    columns = {name: [record[name] for record in records] for name in records[0]}
    if "vector" in columns:
        elements = np.frombuffer(b"".join(columns["vector"]), np.float32)
        columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(elements), SMALL_DIM)
    return pa.table(columns)


def records_loop(sample: Sample) -> pa.Table:
    """Records with other fields, column by column, with one join for all vectors."""
    ids, urls, scores, payloads = [], [], [], []
    with sample.path.open("rb") as file:
        for record in msgpack.Unpacker(file):
            ids.append(record["id"])
            urls.append(record["url"])
            scores.append(record["score"])
            payloads.append(record["vector"])
    elements = pa.Array.from_buffers(pa.float32(), len(ids) * DIM, [None, pa.py_buffer(b"".join(payloads))])
    vectors = pa.FixedSizeListArray.from_arrays(elements, DIM)
    return pa.table({"id": ids, "url": urls, "score": scores, "vector": vectors})


def stream_vectors(sample: Sample) -> Iterator[Vectors]:
    """The Python loop for those who need one vector at a time and keep none."""
    for payload in stream_payloads(sample):
        yield np.frombuffer(payload, np.float32)


def stream_payloads(sample: Sample) -> Iterator[bytes]:
    """The least that Python can do with MessagePack: make the objects."""
    with sample.path.open("rb") as file:
        yield from msgpack.Unpacker(file)


def count_by_skipping(sample: Sample) -> int:
    """The fastest way to count with msgpack: skip every object instead of making it."""
    rows = 0
    with sample.path.open("rb") as file:
        unpacker = msgpack.Unpacker(file)
        while True:
            try:
                unpacker.skip()
            except msgpack.OutOfData:
                return rows
            rows += 1


# --- Floors: moving the bytes of the file, decoding nothing ---------------------------------------


def read_and_forget(sample: Sample) -> int:
    """Every byte once through a buffer that stays in the L2 cache: the least that reading a file takes."""
    # Not a bytearray: that begins 16 bytes after a page boundary, where some CPUs copy at a quarter of the speed.
    buffer = _fresh_memory(256 * 1024)
    done = 0
    with sample.path.open("rb", buffering=0) as file:
        while count := os.preadv(file.fileno(), [buffer], done):
            done += count
    return done


def read_into_huge_pages(sample: Sample) -> mmap.mmap:
    """The whole file into memory that nobody has touched before, 2 MiB a page fault."""
    return _read_into_fresh_memory(sample, mmap.MADV_HUGEPAGE)


def read_into_small_pages(sample: Sample) -> mmap.mmap:
    """The same with the page size that memory has by default, 4 KiB a page fault."""
    return _read_into_fresh_memory(sample, mmap.MADV_NOHUGEPAGE)


def _read_into_fresh_memory(sample: Sample, advice: int) -> mmap.mmap:
    memory = _fresh_memory(sample.size)
    memory.madvise(advice)
    done = 0
    with sample.path.open("rb", buffering=0) as file, memoryview(memory) as view:
        while done < sample.size:
            with view[done:] as rest:
                done += os.preadv(file.fileno(), [rest], done)
    return memory


def _fresh_memory(size: int) -> mmap.mmap:
    # Private, because shared memory has its own setting for huge pages, which is off nearly everywhere.
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
