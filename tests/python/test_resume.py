"""Runs into a directory from Python: readers of the directory, `resume`, Ctrl-C at any moment."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import zlib

import duckdb
import numpy as np
import polars as pl
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import WATCHDOG, vectors

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
MODES = {"a file for each input": {}, "parts": {"max_file_bytes": 20_000, "row_group_bytes": 5_000}}


@pytest.fixture(params=MODES.values(), ids=MODES)
def mode(request):
    return request.param


@pytest.fixture
def inputs(write_file, tmp_path):
    for n in range(5):
        write_file(f"in/{n}.msgpack", vectors(200 + n, 4, seed=n))
    return tmp_path / "in"


def test_every_reader_takes_the_directory_as_it_is(inputs, tmp_path, mode):
    out = tmp_path / "out"
    report = vecpack.to_parquet(inputs, out, **mode)
    assert (report.rows, report.files, report.files_before) == (1010, 5, 0)
    assert pl.scan_parquet(f"{out}/").collect().height == 1010
    assert pl.read_parquet(out).schema["vector"] == pl.Array(pl.Float32, 4)
    assert pl.scan_parquet(out / "*.parquet").collect().height == 1010
    assert pyarrow.dataset.dataset(out).count_rows() == 1010
    assert pq.read_table(out).num_rows == 1010
    for pattern in ("*.parquet", "**", "**/*.parquet"):
        assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{out}/{pattern}')").fetchall() == [(1010,)]
    assert len(list(out.glob("*.parquet"))) == len(report.outputs)
    # What the directory holds, for people; and a Parquet file without rows, for readers that want everything.
    manifest = out / "_vecpack" / "manifest.parquet"
    assert manifest.read_bytes().count(b'{"done":') == (5 if not mode else report_groups(manifest))
    assert pq.read_table(manifest).num_rows == 0


def report_groups(manifest):
    groups = manifest.read_bytes().count(b'{"done":')
    assert 0 < groups <= 5
    return groups


def test_directories_with_null_vectors_are_read_too(write_file, tmp_path):
    write_file("in/0.msgpack", [*vectors(10, 4), None])
    out = tmp_path / "out"
    vecpack.to_parquet(tmp_path / "in", out, on_error="null")
    assert pl.read_parquet(out).height == 11


def test_resume_does_what_is_missing(inputs, tmp_path, mode):
    out = tmp_path / "out"
    vecpack.to_parquet(inputs, out, **mode)
    with pytest.raises(FileExistsError, match="earlier run"):
        vecpack.to_parquet(inputs, out, **mode)
    again = vecpack.to_parquet(str(inputs), out, resume=True, **mode)
    assert (again.rows, again.rows_before, again.files, again.files_before) == (0, 1010, 0, 5)
    assert again.outputs == [] and again.rejects_before == 0
    assert again.to_dict()["rows_before"] == 1010
    assert "1,010 rows from 5 inputs" in repr(again)
    next(out.glob("*.parquet")).unlink()
    report = vecpack.to_parquet(inputs, out, resume=True, **mode)
    assert report.rows > 0 and report.rows + report.rows_before == 1010
    assert pq.read_table(out).num_rows == 1010
    with pytest.raises(
        vecpack.OptionError, match=r"option `dtype` was `float32` in the earlier run and is `float16` now"
    ):
        vecpack.to_parquet(inputs, out, resume=True, dtype="float16", **mode)
    with pytest.raises(vecpack.OptionError, match="one file"):
        vecpack.to_parquet(inputs, tmp_path / "one.parquet", resume=True)
    with pytest.raises(vecpack.OptionError, match="stream"):
        vecpack.to_parquet(pl.DataFrame({"n": [1]}), out, resume=True)


@posix
def test_ctrl_c_leaves_nothing_half_written_and_resume_goes_on(inputs, tmp_path, mode):
    code = f"""
        import sys, vecpack
        print("ready", flush=True)
        try:
            vecpack.to_parquet({str(inputs)!r}, {str(tmp_path / "out")!r}, resume=True, **{mode!r})
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"
        time.sleep(random.random() * 0.02)
        child.send_signal(signal.SIGINT)
        child.wait(WATCHDOG)
        child.stdout.close()
        assert list(tmp_path.rglob("*.vecpack-tmp")) == []
        for path in tmp_path.glob("out/*.parquet"):
            pq.read_metadata(path)
    report = vecpack.to_parquet(inputs, tmp_path / "out", resume=True, **mode)
    assert report.rows + report.rows_before == 1010
    found = np.sort(pl.read_parquet(tmp_path / "out")["vector"].to_numpy(), axis=0)
    expected = np.sort(np.concatenate([vectors(200 + n, 4, seed=n) for n in range(5)]), axis=0)
    assert np.array_equal(found, expected)


@posix
@pytest.mark.parametrize("reader", ["nobody reads", "somebody does not read"])
def test_ctrl_c_ends_the_wait_for_the_reader_of_a_fifo(write_file, tmp_path, reader):
    path = write_file("v.msgpack", vectors(20_000, 16))
    os.mkfifo(tmp_path / "fifo")
    code = f"""
        import sys, vecpack
        print("ready", flush=True)
        try:
            vecpack.to_parquet({str(path)!r}, {str(tmp_path / "fifo")!r})
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    held = os.open(tmp_path / "fifo", os.O_RDONLY) if reader != "nobody reads" else None
    time.sleep(0.3)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    child.wait(WATCHDOG)
    assert child.stdout.read() == b"interrupted\n"
    child.stdout.close()
    if held is not None:
        os.close(held)


def rows_below(out):
    return duckdb.sql(f"SELECT count(*) FROM read_parquet('{out}/**/*.parquet')").fetchall()[0][0]


def test_a_changed_input_whose_file_gets_another_name_is_there_once(inputs, write_file, tmp_path):
    out, other = tmp_path / "out", write_file("other/b.msgpack", vectors(50, 4))
    vecpack.to_parquet(inputs, out)
    write_file("in/0.msgpack", vectors(30, 4, seed=9))
    # With an input elsewhere, names have the directory of each.
    report = vecpack.to_parquet([inputs, other], out, resume=True)
    assert (report.rows, report.files_before) == (80, 4)
    assert not (out / "0.parquet").exists() and (out / "in" / "0.parquet").exists()
    assert rows_below(out) == 1010 - 200 + 30 + 50
    assert vecpack.to_parquet([inputs, other], out, resume=True).rows == 0


def test_a_manifest_removes_no_file_outside_of_its_directory(inputs, tmp_path):
    out, outside = tmp_path / "out", tmp_path / "outside.parquet"
    vecpack.to_parquet(inputs, out)
    outside.write_bytes(b"mine")
    manifest = out / "_vecpack" / "manifest.parquet"
    lines = manifest.read_bytes().split(b"\n")
    at = next(at for at, line in enumerate(lines) if b"0.parquet" in line)
    changed = lines[at].replace(b'"0.parquet"', b'"../outside.parquet"')
    body = changed[: changed.rindex(b',"check"')]
    lines[at] = body + b',"check":"%08x"}' % zlib.crc32(body)
    manifest.write_bytes(b"\n".join(lines))
    vecpack.to_parquet(inputs, out, resume=True)
    assert outside.read_bytes() == b"mine"
