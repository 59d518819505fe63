"""What the tests share: vectors, files of them, and a Python process to try things in."""

import functools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import msgpack
import numpy as np
import pyarrow as pa
import pytest
import vecpack
from walk import walk

# Spark's workers run this Python, whichever test begins the session that all of them share.
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

WATCHDOG = 30
"""Seconds after which a child process counts as hanging. Nothing takes that long."""


def vectors(rows, dim, seed=0, dtype=np.float32):
    """Random vectors, the same for the same seed."""
    return np.random.default_rng(seed).standard_normal((rows, dim)).astype(dtype)


def pack(rows, use_bin_type=True):
    """MessagePack as `msgpack.pack(row.tobytes(), file)` writes it; what is no array is packed as it is."""
    packer = msgpack.Packer(use_bin_type=use_bin_type)
    return b"".join(packer.pack(row.tobytes() if hasattr(row, "tobytes") else row) for row in rows)


def matrix(exportable):
    """The vectors of anything that exports Arrow, by way of pyarrow. There must be no null among them."""
    column = pa.table(exportable)["vector"]
    assert column.null_count == 0
    dim = column.type.list_size
    parts = [chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.empty((0, dim), column.type.value_type.to_pandas_dtype())


def assert_same_bits(found, expected):
    """Equal in type, shape and every bit: NaN payloads and signs of zeros too."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if found.tobytes() != expected.tobytes():
        row = next(n for n in range(len(found)) if found[n].tobytes() != expected[n].tobytes())
        pytest.fail(f"row {row} is {found[row]}, expected {expected[row]}")


def rejects(source, *columns):
    """The rejects of a source's latest scan as tuples of some of their columns."""
    table = pa.table(source.rejects)
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


def run_python(code, *arguments, **options):
    """Runs `code` in a Python of its own, which must end well and in time. Returns what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=WATCHDOG, **options)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr.decode(errors='replace')}"
    return done.stdout.decode().strip()


@pytest.fixture
def write_file(tmp_path):
    """Writes a file of MessagePack: from bytes, or from vectors and other objects to be packed."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else pack(content))
        return path

    return write


@pytest.fixture(autouse=True)
def walked(request, monkeypatch):
    """Walks every Parquet file that a test writes: each that a conversion reports, and what the test leaves in `tmp_path`.

    Files of other writers, which say so, are left out, and tests that damage files themselves are marked `damages`.
    """
    convert = vecpack.to_parquet
    # Asked for here, so that it is torn down later than this.
    place = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None

    @functools.wraps(convert)
    def to_parquet(*arguments, **options):
        report = convert(*arguments, **options)
        for path in map(Path, report.outputs):
            if path.is_file():
                walk(path)
        return report

    monkeypatch.setattr(vecpack, "to_parquet", to_parquet)
    yield
    if place is None or request.node.get_closest_marker("damages"):
        return
    for path in place.rglob("*.parquet"):
        if not path.name.startswith(".") and path.is_file() and b"vecpack version" in path.read_bytes():
            walk(path)
