"""Threads of Python that share the objects of the package, with the GIL and without it."""

import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, vectors

THREADS, ROWS, DIM = 8, 3000, 16


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "vectors.msgpack"
    path.write_bytes(pack(vectors(ROWS, DIM)))
    return path


def together(work):
    """What `work` gives in each of the threads, which begin at the same moment."""
    barrier = Barrier(THREADS)

    def begin(number):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has a GIL")
def test_the_import_leaves_the_gil_off():
    assert not sys._is_gil_enabled()


def test_each_thread_scans_the_source_for_itself(path):
    source = vecpack.scan(path, batch_rows=100)
    for found in together(lambda _: matrix(source)):
        assert_same_bits(found, vectors(ROWS, DIM))


def test_a_scan_gives_each_batch_to_one_of_the_threads(path):
    batches = iter(vecpack.scan(path, batch_rows=7, include_record=True))
    records = together(
        lambda _: [record for batch in batches for record in pa.record_batch(batch)["record"].to_pylist()]
    )
    assert sorted(record for found in records for record in found) == list(range(ROWS))


def test_a_stream_gives_each_batch_to_one_of_the_threads():
    rows = np.arange(ROWS * DIM, dtype=np.float32).reshape(ROWS, DIM)
    batches = iter(vecpack.from_iter(iter(rows), dim=DIM, batch_rows=7))
    firsts = together(lambda _: [row for batch in batches for row in batch.to_numpy()[:, 0].tolist()])
    assert sorted(row for found in firsts for row in found) == rows[:, 0].tolist()


def test_threads_read_and_drop_tables(path):
    def read(_):
        for _ in range(5):
            assert len(vecpack.read(path)) == ROWS
        return vecpack.read(path).to_numpy()

    for found in together(read):
        assert_same_bits(found, vectors(ROWS, DIM))


def test_a_rejecting_source_is_counted_while_it_is_scanned(tmp_path):
    path = tmp_path / "short.msgpack"
    path.write_bytes(pack([*vectors(ROWS, DIM), *vectors(10, DIM - 1)]))
    source = vecpack.scan(path, on_error="skip")
    counts = together(lambda number: source.count_rows() if number % 2 else len(source.rejects))
    assert all(count == ROWS if number % 2 else count <= 10 for number, count in enumerate(counts))
    assert source.count_rows() == ROWS and source.reject_count == 10
