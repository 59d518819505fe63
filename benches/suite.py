"""The tables: who does which job on which files."""

from __future__ import annotations

import filecmp
import gzip
import mmap
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import deflate
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import vecpack
import zstandard
from isal import isal_zlib
from zlib_ng import zlib_ng

import peers
from contents import Fingerprint, expect_equal, expect_same, fingerprint
from goals import RUST_LOOP
from measure import Contestant, Kind, Table
from pool import WORKERS, read_in_pool
from samples import (
    CACHE,
    DIM,
    FIELD_NAMES,
    FIELDS,
    FRAMINGS,
    SMALL_DIM,
    Sample,
    make_compressed,
    make_framed,
    make_halves,
    make_like,
    make_numbers,
    make_records,
)

GZIP = 31
"""What zlib's interface calls the gzip format."""
COMMAND = Path(sys.executable).with_name("vecpack")


# --- One file into memory -------------------------------------------------------------------------


def read(samples: list[Sample]) -> Table:
    sample = samples[0]
    expected = fingerprint([peers.python_loop(sample)])

    def reads(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
        return Contestant(name, kind, run, check=lambda: expect_same([run()], expected))

    contestants = [
        reads("Python loop", "peer", lambda: peers.python_loop(sample)),
        reads("NumPy dtype, fromfile", "peer", lambda: peers.numpy_fromfile(sample)),
        reads("NumPy dtype, memmap", "peer", lambda: peers.numpy_memmap(sample)),
        reads("vecpack.read, 1 thread", "vecpack", lambda: vecpack.read(sample.path, threads=1)),
        reads("vecpack.read", "vecpack", lambda: vecpack.read(sample.path)),
        _read_and_forget(sample),
    ]
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux
        contestants += [
            _fills_memory("preadv into fresh 2 MiB pages", peers.read_into_huge_pages, sample),
            _fills_memory("preadv into fresh 4 KiB pages", peers.read_into_small_pages, sample),
        ]
    title = "One file into memory"
    return Table("read", title, _shape([sample]), sample.size, 1, 15, contestants, sample.rows)


def _read_and_forget(sample: Sample) -> Contestant:
    def run() -> int:
        return peers.read_and_forget(sample)

    return Contestant("preadv into a re-used buffer", "floor", run, check=lambda: expect_equal(run(), sample.size))


def _fills_memory(name: str, fill: Callable[[Sample], mmap.mmap], sample: Sample) -> Contestant:
    def check() -> None:
        # Not with `==` on the whole, which would print 100 MB when it fails.
        expect_equal(fill(sample)[:] == sample.path.read_bytes(), True)

    return Contestant(name, "floor", lambda: fill(sample), check)


# --- One file, batch after batch ------------------------------------------------------------------


def stream(samples: list[Sample]) -> Table:
    sample = samples[0]
    expected = fingerprint([peers.python_loop(sample)])
    contestants = [
        _drops("Python loop", "peer", lambda: peers.stream_vectors(sample), expected),
        _drops("msgpack.Unpacker alone", "peer", lambda: peers.stream_payloads(sample), expected),
        _drops("vecpack.scan, 1 thread", "vecpack", lambda: vecpack.scan(sample.path, threads=1), expected),
        _drops("vecpack.scan", "vecpack", lambda: vecpack.scan(sample.path), expected),
        _read_and_forget(sample),
    ]
    return Table("stream", "One file, every batch dropped", _shape([sample]), sample.size, 1, 15, contestants)


def count(samples: list[Sample]) -> Table:
    sample = samples[0]

    def counts(name: str, kind: Kind, run: Callable[[], int]) -> Contestant:
        return Contestant(name, kind, run, check=lambda: expect_equal(run(), sample.rows))

    contestants = [
        counts("msgpack.Unpacker.skip", "peer", lambda: peers.count_by_skipping(sample)),
        counts("vecpack.scan(...).count_rows", "vecpack", lambda: vecpack.scan(sample.path).count_rows()),
        _read_and_forget(sample),
    ]
    return Table("count", "Counting the rows of one file", _shape([sample]), sample.size, 1, 15, contestants)


def _drops(name: str, kind: Kind, results: Callable[[], Iterable[object]], expected: Fingerprint) -> Contestant:
    """Takes one result after another and keeps none; to free them is part of the job."""
    return Contestant(name, kind, lambda: _drain(results()), check=lambda: expect_same(results(), expected))


def _drain(results: Iterable[object]) -> None:
    deque(results, maxlen=0)  # the fastest way to exhaust an iterator


# --- Iterators of Python objects --------------------------------------------------------------------


def iterators(samples: list[Sample]) -> Table:
    sample = samples[0]
    expected = fingerprint([peers.python_loop(sample)])
    out = np.empty((sample.rows, DIM), np.float32)

    def takes(name: str, kind: Kind, run: Callable[[Iterator[bytes]], object]) -> Contestant:
        def run_all() -> object:
            return run(peers.stream_payloads(sample))

        return Contestant(name, kind, run_all, check=lambda: expect_same([run_all()], expected))

    def take(items: Iterator[bytes]) -> object:
        vecpack.take_iter(items, out)
        return out

    contestants = [
        takes(RUST_LOOP, "peer", lambda items: peers.take_iter(items, sample.rows, DIM)),
        takes("vecpack.from_iter", "vecpack", lambda items: pa.table(vecpack.from_iter(items))),
        takes("vecpack.take_iter", "vecpack", take),
        takes("the iterator alone", "floor", _drain),
    ]
    contestants[-1] = replace(contestants[-1], check=lambda: None)
    title = "bytes that msgpack.Unpacker yields"
    return Table("iterators", title, _shape([sample]), sample.size, 1, 7, contestants)


# --- Arrays of numbers, and records with other fields -----------------------------------------------


def floats(samples: list[Sample]) -> Table:
    return _arrays(make_like(samples[0], "floats"), ">f4", "float32")


def doubles(samples: list[Sample]) -> Table:
    return _arrays(make_like(samples[0], "doubles"), ">f8", "float64")


def numbers(like: str) -> Callable[[list[Sample]], Table]:
    """Arrays of numbers of which no NumPy dtype knows the size."""

    def table(samples: list[Sample]) -> Table:
        sample = make_numbers(samples[0], like)
        expected = fingerprint([peers.unpacker_loop(sample)])

        def reads(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
            return Contestant(name, kind, run, check=lambda: expect_same([run()], expected))

        contestants = [
            reads("Unpacker loop", "peer", lambda: peers.unpacker_loop(sample)),
            reads("vecpack.read, 1 thread", "vecpack", lambda: vecpack.read(sample.path, threads=1)),
            reads("vecpack.read", "vecpack", lambda: vecpack.read(sample.path)),
            _read_and_forget(sample),
        ]
        title = f"Arrays of numbers: {like}"
        return Table(like, title, _shape([sample]), sample.size, 1, 5, contestants, sample.rows)

    return table


def _arrays(sample: Sample, number: str, dtype: str) -> Table:
    expected = fingerprint([peers.unpacker_loop(sample)])

    def reads(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
        return Contestant(name, kind, run, check=lambda: expect_same([run()], expected))

    contestants = [
        reads("Unpacker loop", "peer", lambda: peers.unpacker_loop(sample)),
        reads("NumPy dtype, memmap, astype", "peer", lambda: peers.numpy_tagged(sample, number)),
        reads("vecpack.read, 1 thread", "vecpack", lambda: vecpack.read(sample.path, threads=1)),
        reads("vecpack.read", "vecpack", lambda: vecpack.read(sample.path)),
        _read_and_forget(sample),
    ]
    title = f"Arrays of {dtype} into float32"
    return Table(sample.like, title, _shape([sample]), sample.size, 1, 5, contestants, sample.rows)


def halves(samples: list[Sample]) -> Table:
    sample = make_halves(samples[0])
    expected = fingerprint([peers.halves_loop(sample)])

    def reads(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
        return Contestant(name, kind, run, check=lambda: expect_same([run()], expected))

    def read(threads: int | None = None) -> object:
        return vecpack.read(sample.path, raw_dtype="<f2", threads=threads)

    contestants = [
        reads("Python loop", "peer", lambda: peers.halves_loop(sample)),
        reads("vecpack.read, 1 thread", "vecpack", lambda: read(1)),
        reads("vecpack.read", "vecpack", read),
        _read_and_forget(sample),
    ]
    title = "Bytes of float16 into float32"
    return Table("halves", title, _shape([sample]), sample.size, 1, 5, contestants, sample.rows)


def compressed(codec: str) -> Callable[[list[Sample]], Table]:
    """A compressed file of vectors: the size is that of the content."""

    def table(samples: list[Sample]) -> Table:
        sample, loop = make_compressed(samples[0], codec), peers.gzip_loop if codec == "gz" else peers.zstd_loop
        expected = fingerprint([peers.python_loop(samples[0])])

        def reads(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
            return Contestant(name, kind, run, check=lambda: expect_same([run()], expected))

        def expand() -> int:
            packed = sample.path.read_bytes()
            content = gzip.decompress(packed) if codec == "gz" else zstandard.ZstdDecompressor().decompress(packed)
            return len(content)

        expands = lambda: expect_equal(expand(), samples[0].size)  # noqa: E731
        contestants = [
            reads("Python loop", "peer", lambda: loop(sample)),
            reads("vecpack.read", "vecpack", lambda: vecpack.read(sample.path)),
            Contestant("Python expands it in one call", "floor", expand, check=expands),
            *(_expansions(sample, samples[0].size) if codec == "gz" else []),
        ]
        name = "gzip" if codec == "gz" else "zstd"
        return Table(name, f"A {name} file", _shape(samples[:1]), samples[0].size, 1, 5, contestants, sample.rows)

    return table


def _expansions(sample: Sample, size: int) -> Iterable[Contestant]:
    """The libraries that are known to inflate fast, in one call."""
    calls: dict[str, Callable[[bytes], bytes | bytearray]] = {
        "libdeflate": deflate.gzip_decompress,
        "ISA-L": lambda packed: isal_zlib.decompress(packed, GZIP),
        "zlib-ng": lambda packed: zlib_ng.decompress(packed, GZIP),
    }

    def expands(name: str) -> Contestant:
        def run() -> int:
            return len(calls[name](sample.path.read_bytes()))

        return Contestant(f"{name} expands it in one call", "floor", run, check=lambda: expect_equal(run(), size))

    return map(expands, calls)


def short(like: str) -> Callable[[list[Sample]], Table]:
    """Records that are short, or have many fields."""

    def table(samples: list[Sample]) -> Table:
        sample = make_records(samples[0], like)
        expected = peers.columns_loop(sample)
        columns = {"columns": FIELD_NAMES} if like == "fields" else {}

        def reads(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
            return Contestant(name, kind, run, check=lambda: _expect_table(run(), expected))

        contestants = [
            reads("Unpacker loop, pa.table", "peer", lambda: peers.columns_loop(sample)),
            reads("vecpack.read, 1 thread", "vecpack", lambda: vecpack.read(sample.path, threads=1, **columns)),
            reads("vecpack.read", "vecpack", lambda: vecpack.read(sample.path, **columns)),
            _read_and_forget(sample),
        ]
        data = f"{sample.rows:,} records, {sample.size / 1e6:.2f} MB"
        return Table(like, RECORD_TITLES[like], data, sample.size, 1, 5, contestants, sample.rows)

    return table


RECORD_TITLES = {
    "small-records": f"Records with an id and {SMALL_DIM} float32",
    "fields": f"Records with {FIELDS} integers",
}


def records(samples: list[Sample]) -> Table:
    sample = make_like(samples[0], "records")
    expected = peers.records_loop(sample)

    def reads(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
        return Contestant(name, kind, run, check=lambda: _expect_table(run(), expected))

    contestants = [
        reads("Unpacker loop, join, pa.table", "peer", lambda: peers.records_loop(sample)),
        reads("vecpack.read, 1 thread", "vecpack", lambda: vecpack.read(sample.path, threads=1)),
        reads("vecpack.read", "vecpack", lambda: vecpack.read(sample.path)),
        _read_and_forget(sample),
    ]
    title = "Records with id, url, score and vector"
    return Table("records", title, _shape([sample]), sample.size, 1, 7, contestants, sample.rows)


def framings(samples: list[Sample]) -> Table:
    array = make_framed(samples[0], "array")
    expected = peers.records_loop(make_like(samples[0], "records"))

    def reads(framing: str) -> Contestant:
        sample, options = make_framed(samples[0], framing), {"records": "data"} if framing == "records" else {}

        def run() -> object:
            return vecpack.read(sample.path, **options)

        return Contestant(framing, "vecpack", run, check=lambda: _expect_table(run(), expected))

    title = "The same records in each framing"
    return Table("framings", title, _shape([array]), array.size, 1, 7, [reads(framing) for framing in FRAMINGS])


def _expect_table(found: object, expected: pa.Table) -> None:
    # What may be null is a matter of taste; values are not.
    expect_equal(pa.table(found).cast(expected.schema).equals(expected), True)


# --- One file to Parquet --------------------------------------------------------------------------


def parquet(samples: list[Sample]) -> Table:
    sample = samples[0]
    vectors = peers.python_loop(sample)
    arrow, frame = _arrow_table(vectors), _polars_frame(vectors)
    copy, out = CACHE / "copy.msgpack", CACHE / "vectors.parquet"

    def copies() -> None:
        subprocess.run(["cp", str(sample.path), str(copy)], check=True)

    def copies_exactly() -> None:
        copies()
        expect_equal(filecmp.cmp(sample.path, copy, shallow=False), True)

    ways: dict[str, tuple[Kind, Callable[[], object]]] = {
        "Python loop, then pyarrow": ("peer", lambda: _by_pyarrow(_arrow_table(peers.python_loop(sample)), out)),
        "NumPy dtype, memmap, then polars": (
            "peer",
            lambda: _by_polars(_polars_frame(peers.numpy_memmap(sample)), out),
        ),
        "pyarrow, from a table in memory": ("peer", lambda: _by_pyarrow(arrow, out)),
        "polars, from a frame in memory": ("peer", lambda: _by_polars(frame, out)),
        "vecpack.to_parquet": (
            "vecpack",
            lambda: vecpack.to_parquet(sample.path, out, compression="none", sync=False),
        ),
        "vecpack.to_parquet, as it chooses": ("vecpack", lambda: vecpack.to_parquet(sample.path, out, sync=False)),
        "vecpack to-parquet (a process)": ("vecpack", lambda: _by_command(sample.path, out)),
    }
    contestants = [
        *_writers(ways, out, arrow),
        Contestant("cp (a process)", "floor", copies, copies_exactly, clean_up=lambda: copy.unlink(missing_ok=True)),
    ]
    title = "One file to Parquet, uncompressed, without fsync"
    return Table("parquet", title, _shape([sample]), sample.size, 1, 9, contestants)


def parquet_zstd(samples: list[Sample]) -> Table:
    sample = samples[0]
    arrow = _arrow_table(peers.python_loop(sample))
    out, other = CACHE / "vectors.parquet", CACHE / "other.parquet"
    zstd = {"compression": "zstd", "encoding": "byte-stream-split", "sync": False}

    def by_vecpack() -> None:
        vecpack.to_parquet(sample.path, out, **zstd)

    ways: dict[str, tuple[Kind, Callable[[], object]]] = {
        "NumPy dtype, memmap, then pyarrow": (
            "peer",
            lambda: _by_pyarrow(_arrow_table(peers.numpy_memmap(sample)), out, zstd=True),
        ),
        "vecpack.to_parquet, 1 thread": ("vecpack", lambda: vecpack.to_parquet(sample.path, out, threads=1, **zstd)),
        "vecpack.to_parquet": ("vecpack", by_vecpack),
    }
    by_vecpack()
    _by_pyarrow(arrow, other, zstd=True)
    sizes = f"vecpack's file is {out.stat().st_size / other.stat().st_size:.3f} of pyarrow's"
    out.unlink()
    other.unlink()
    title = "One file to Parquet, zstd and BYTE_STREAM_SPLIT, without fsync"
    return Table("parquet-zstd", title, f"{_shape([sample])}; {sizes}", sample.size, 1, 5, _writers(ways, out, arrow))


def parquet_records(samples: list[Sample]) -> Table:
    sample = make_like(samples[0], "records")
    out = CACHE / "vectors.parquet"
    ways: dict[str, tuple[Kind, Callable[[], object]]] = {
        "msgpack, then pyarrow": ("peer", lambda: pq.write_table(peers.records_loop(sample), out)),
        "msgpack, then pyarrow without compression or dictionary": (
            "peer",
            lambda: _by_pyarrow(peers.records_loop(sample), out),
        ),
        "vecpack.to_parquet": ("vecpack", lambda: vecpack.to_parquet(sample.path, out, sync=False)),
    }
    title = "Records with id, url, score and vector to Parquet, defaults, without fsync"
    contestants = _writers(ways, out, peers.records_loop(sample))
    return Table("parquet-records", title, _shape([sample]), sample.size, 1, 5, contestants)


def _writers(ways: dict[str, tuple[Kind, Callable[[], object]]], out: Path, expected: pa.Table) -> Iterable[Contestant]:
    """Those that write `out`, which is removed after every run, before the kernel begins to write it to the disk."""

    def writes(name: str, kind: Kind, run: Callable[[], object]) -> Contestant:
        def check() -> None:
            run()
            _expect_table(pq.read_table(out), expected)

        return Contestant(name, kind, run, check, clean_up=lambda: out.unlink(missing_ok=True))

    return [writes(name, kind, run) for name, (kind, run) in ways.items()]


# --- Opening Parquet ------------------------------------------------------------------------------


def opened(samples: list[Sample]) -> Table:
    return _opened(samples[0], "open", "Reading a Parquet file, uncompressed", zstd=False)


def opened_zstd(samples: list[Sample]) -> Table:
    return _opened(samples[0], "open-zstd", "Reading a Parquet file, zstd and BYTE_STREAM_SPLIT", zstd=True)


def _opened(sample: Sample, name: str, title: str, zstd: bool) -> Table:
    table = _arrow_table(peers.python_loop(sample))
    expected = fingerprint([table])
    files = {writer: CACHE / f"{name}-{writer}.parquet" for writer in ("pyarrow", "vecpack")}
    _by_pyarrow(table, files["pyarrow"], zstd)
    compression, encoding = ("zstd", "byte-stream-split") if zstd else ("none", "plain")
    options = {"compression": compression, "encoding": encoding, "overwrite": True}
    vecpack.to_parquet(sample.path, files["vecpack"], **options)
    readers: dict[str, Callable[[Path], object]] = {
        "pyarrow": pq.read_table,
        "polars": pl.read_parquet,
        "DuckDB, sum(vector[1]),": _sum_of_firsts,
        "DuckDB, to Arrow,": lambda path: pa.table(duckdb.sql(f"SELECT * FROM '{path}'")),
    }
    sum_of_firsts = _sum_of_firsts(files["pyarrow"])

    def reads(reader: str, writer: str) -> Contestant:
        def run() -> object:
            return readers[reader](files[writer])

        def check() -> None:
            if readers[reader] is _sum_of_firsts:
                expect_equal(run(), sum_of_firsts)
            else:
                expect_same([run()], expected)

        kind: Kind = "vecpack" if writer == "vecpack" else "peer"
        # As in a program that reads file after file: what the other readers left of the caches and of the allocators' memory would
        # say nothing about the files.
        return Contestant(f"{reader} reads what {writer} writes", kind, run, check, prepare=run)

    contestants = [reads(reader, writer) for reader in readers for writer in files]
    return Table(name, title, _shape([sample]), sample.size, 1, 7, contestants)


def _sum_of_firsts(path: Path) -> float:
    """Reads all vectors and hands over one number, rounded, since threads add in any order."""
    ((total,),) = duckdb.sql(f"SELECT sum(vector[1]::DOUBLE) FROM '{path}'").fetchall()
    return round(total, 6)


def _arrow_table(vectors: peers.Vectors) -> pa.Table:
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIM)
    return pa.table({"vector": column})


def _polars_frame(vectors: peers.Vectors) -> pl.DataFrame:
    return pl.DataFrame({"vector": vectors})


def _by_pyarrow(table: pa.Table, out: Path, zstd: bool = False) -> None:
    # Random floats neither repeat nor compress: pyarrow is faster without trying.
    compression = "zstd" if zstd else "none"
    pq.write_table(table, out, compression=compression, use_dictionary=False, use_byte_stream_split=zstd)


def _by_polars(frame: pl.DataFrame, out: Path) -> None:
    frame.write_parquet(out, compression="uncompressed")


def _by_command(path: Path, out: Path) -> None:
    command = [str(COMMAND), "to-parquet", str(path), "-o", str(out)]
    subprocess.run([*command, "--compression=none", "--no-sync", "--quiet"], check=True)


# --- Many files in a thread pool ------------------------------------------------------------------


def pooled(samples: list[Sample]) -> Table:
    paths = [sample.path for sample in samples]
    expected = fingerprint(map(peers.python_loop, samples))

    def read_one(sample: Sample) -> Any:
        return vecpack.read(sample.path)

    def read_one_alone(sample: Sample) -> Any:
        return vecpack.read(sample.path, threads=1)

    contestants = [
        _drops("Python loop", "peer", lambda: read_in_pool(peers.python_loop, samples), expected),
        _drops(RUST_LOOP, "peer", lambda: read_in_pool(peers.rust_loop, samples), expected),
        _drops("NumPy dtype, fromfile", "peer", lambda: read_in_pool(peers.numpy_fromfile, samples), expected),
        _drops("NumPy dtype, memmap", "peer", lambda: read_in_pool(peers.numpy_memmap, samples), expected),
        _drops("vecpack.read, 1 thread", "vecpack", lambda: read_in_pool(read_one_alone, samples), expected),
        _drops("vecpack.read", "vecpack", lambda: read_in_pool(read_one, samples), expected),
        _drops("vecpack.scan, no pool", "vecpack", lambda: vecpack.scan(paths), expected),
    ]
    title = f"Many files, read by a pool of {WORKERS} threads, results in order, each dropped"
    return Table("pool", title, _shape(samples), sum(sample.size for sample in samples), len(samples), 5, contestants)


def ten_times(samples: list[Sample]) -> Table:
    paths = [sample.path for sample in samples]

    def scans(name: str, paths: list[Path], times: int) -> Contestant:
        def check() -> None:
            rows = times * sum(sample.rows for sample in samples)
            expect_equal(vecpack.scan(paths).count_rows(), rows)

        return Contestant(name, "vecpack", lambda: _drain(vecpack.scan(paths)), check)

    contestants = [scans("vecpack.scan", paths, 1), scans("vecpack.scan, ten times the files", 10 * paths, 10)]
    size = sum(sample.size for sample in samples)
    return Table("ten-times", "Ten times the files", _shape(samples), size, len(samples), 5, contestants)


# --- Starting -------------------------------------------------------------------------------------


def start(samples: list[Sample]) -> Table:
    def runs(name: str, kind: Kind, command: list[str]) -> Contestant:
        def run() -> None:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        return Contestant(name, kind, run, check=run)

    contestants = [
        runs("python -c pass", "floor", [sys.executable, "-c", "pass"]),
        runs("python -c 'import vecpack'", "vecpack", [sys.executable, "-c", "import vecpack"]),
        runs("vecpack --version", "vecpack", [str(COMMAND), "--version"]),
    ]
    return Table("start", "Starting a process", "no data", 0, 0, 15, contestants)


def _shape(samples: list[Sample]) -> str:
    one = f"{samples[0].rows:,} x {DIM} float32, {samples[0].size / 1e6:.2f} MB"
    return one if len(samples) == 1 else f"{len(samples)} files, each {one}"


TABLES: dict[str, Callable[[list[Sample]], Table]] = {
    "read": read,
    "stream": stream,
    "count": count,
    "iterators": iterators,
    "floats": floats,
    "doubles": doubles,
    "small-integers": numbers("small-integers"),
    "integers": numbers("integers"),
    "mixed": numbers("mixed"),
    "halves": halves,
    "records": records,
    "small-records": short("small-records"),
    "fields": short("fields"),
    "gzip": compressed("gz"),
    "zstd": compressed("zst"),
    "framings": framings,
    "parquet": parquet,
    "parquet-zstd": parquet_zstd,
    "parquet-records": parquet_records,
    "open": opened,
    "open-zstd": opened_zstd,
    "pool": pooled,
    "ten-times": ten_times,
    "start": start,
}
