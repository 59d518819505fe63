"""What vecpack writes is what other people's readers read, in every combination of how it can be written.

Pages have a power of two of rows and at most 512 KiB, row groups here two of them: every file has a page that is full, one that is
not, and two row groups at least.
"""

import os
import subprocess
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from digest import digest

DIMS = [1, 3, 8, 9, 15, 16, 384, 512, 768, 1536, 4096]
ENCODINGS = ["plain", "byte-stream-split"]
COMPRESSIONS = ["none", "zstd", "lz4", "snappy"]
NULLS = ["no", "vectors", "elements"]
GROUP_BYTES = 1 << 20

# A Python with pyarrow 15, the oldest that is known to read these files; `make test` has one.
OLD_PYTHON = os.environ.get("VECPACK_OLD_PYARROW")


def table(dim, nulls):
    """Random bits, infinities and NaN with any payload among them."""
    rows = GROUP_BYTES * 5 // 4 // (4 * dim) + 3
    random = np.random.default_rng(dim)
    bits = random.integers(0, 2**32, rows * dim, np.uint32)
    bits[:3] = [0x7F800001, 0x80000000, 1]  # a signalling NaN, -0.0, a subnormal
    mask = random.random(rows * dim) < 0.1 if nulls == "elements" else None
    elements = pa.array(bits.view(np.float32), mask=mask, from_pandas=False)
    null_rows = random.random(rows) < 0.1 if nulls == "vectors" else np.zeros(rows, bool)
    field = pa.field("element", pa.float32(), nullable=nulls == "elements")
    vectors = pa.FixedSizeListArray.from_arrays(elements, type=pa.list_(field, dim), mask=pa.array(null_rows))
    schema = pa.schema([pa.field("id", pa.int64()), pa.field("vector", vectors.type, nullable=nulls == "vectors")])
    return pa.table([pa.array(range(rows)), vectors], schema)


def by_pyarrow(path):
    return digest(pq.read_table(path)["vector"])


def by_polars(path):
    return digest(pl.read_parquet(path, columns=["vector"])["vector"].to_arrow())


def by_duckdb(path):
    return digest(pa.table(duckdb.sql(f"SELECT vector FROM '{path}'"))["vector"])


READERS = {"pyarrow": by_pyarrow, "polars": by_polars, "duckdb": by_duckdb}


@pytest.fixture(scope="module")
def old_pyarrow():
    if OLD_PYTHON is None:
        yield None
        return
    command = [OLD_PYTHON, str(Path(__file__).with_name("digest.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:

        def read(path):
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            return process.stdout.readline().rstrip("\n")

        yield read
        process.stdin.close()


@pytest.mark.parametrize("nulls", NULLS)
@pytest.mark.parametrize("dim", DIMS)
def test_every_combination_is_read_bit_for_bit(tmp_path, old_pyarrow, dim, nulls):
    vectors = table(dim, nulls)
    expected = digest(vectors["vector"])
    assert digest(vectors.slice(1)["vector"]) != expected  # so it can tell
    readers = dict(READERS, **({"pyarrow 15": old_pyarrow} if old_pyarrow else {}))
    for encoding in ENCODINGS:
        for compression in COMPRESSIONS:
            path = tmp_path / f"{encoding}-{compression}.parquet"
            options = {"encoding": encoding, "compression": compression, "row_group_bytes": GROUP_BYTES}
            report = vecpack.to_parquet(vectors, path, sync=False, **options)
            assert report.row_groups >= 2
            found = {name: read(path) for name, read in readers.items()}
            assert found == dict.fromkeys(readers, expected), (encoding, compression)
            path.unlink()


@pytest.mark.parametrize("reader", ["pyarrow", "polars"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_rows_in_the_middle_are_found_by_the_offset_index(tmp_path, encoding, reader):
    path = tmp_path / "vectors.parquet"
    vectors = table(64, "no")
    vecpack.to_parquet(vectors, path, encoding=encoding, row_group_bytes=GROUP_BYTES)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert chunk.has_offset_index
    assert not chunk.has_column_index
    for start in (1, 4095, 4096, 5000, 9000):
        if reader == "polars":
            found = pl.scan_parquet(path).slice(start, 10).collect()["vector"].to_arrow()
        else:
            found = pq.read_table(path, filters=[("id", ">=", start), ("id", "<", start + 10)])["vector"]
        assert digest(found) == digest(vectors.slice(start, 10)["vector"])


def test_the_old_pyarrow_is_the_reason_why_null_vectors_are_in_plain_lists(tmp_path, old_pyarrow):
    if old_pyarrow is None:
        pytest.skip("there is no pyarrow 15 for this Python")
    path = tmp_path / "vectors.parquet"
    vecpack.to_parquet(table(8, "vectors"), path, list_type="fixed")
    assert old_pyarrow(path).startswith("ArrowInvalid")
