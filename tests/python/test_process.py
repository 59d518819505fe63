"""vecpack in a process: signals, forks, threads, the interpreter's lock and its end.

What could hang runs in a process of its own, under a watchdog that is far more patient than the work takes.
"""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
import vecpack
from conftest import WATCHDOG, assert_same_bits, matrix, pack, run_python, vectors

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")

WORK = {
    "scan": "vecpack.scan('-', infer_records=0)",
    "iteration": "for batch in vecpack.scan('-', dim=4, on_error='skip'): del batch",
    "count_rows": "vecpack.scan('-', dim=4, on_error='skip').count_rows()",
    "read": "vecpack.read('-', dim=4, on_error='skip')",
    "to_pyarrow": "vecpack.scan('-', dim=4, on_error='skip').to_pyarrow()",
    "inspect": "vecpack.inspect('-', dim=4, full=True)",
    "to_parquet": "vecpack.to_parquet('-', 'out.parquet', dim=4, on_error='skip')",
    "file object": "vecpack.scan(sys.stdin.buffer, dim=4, on_error='skip').count_rows()",
    "pyarrow": "pyarrow.RecordBatchReader.from_stream(vecpack.scan('-', dim=4, on_error='skip')).read_all()",
}
# Consumers in C raise an error of their own; the KeyboardInterrupt comes when they are back in Python.
AFTERWARDS = {"pyarrow": "except (pyarrow.ArrowException, OSError): list(map(str, range(1000)))"}
FEEDS = {
    "vectors": pack(np.ones((50_000, 4), np.float32)),
    "rejects": b"\x90" * 1_000_000,
    "nothing more": None,
}


# A scan with an unknown dimension ends at the first vector.
ENDLESS = [(work, feed) for work in WORK for feed in FEEDS if (work, feed) != ("scan", "vectors")]


@posix
@pytest.mark.parametrize(("work", "feed"), ENDLESS)
def test_ctrl_c_ends_work_that_would_never_end(tmp_path, work, feed):
    code = f"""
        import sys, vecpack
        if {work == "pyarrow"}:
            import pyarrow
        print("ready", flush=True)
        try:
            try:
                {WORK[work]}
            {AFTERWARDS.get(work, "finally: pass")}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    under_way, stop = threading.Event(), threading.Event()

    def write():
        # The child must have taken all that the pipe cannot hold, so it is at work.
        first = FEEDS[feed] or FEEDS["rejects" if work == "scan" else "vectors"]
        with suppress(OSError):
            for _ in range(4):
                child.stdin.write(first)
                child.stdin.flush()
            under_way.set()
            while FEEDS[feed] and not stop.wait(0.005):
                child.stdin.write(FEEDS[feed])

    try:
        assert child.stdout.readline() == b"ready\n"
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        assert under_way.wait(WATCHDOG)
        time.sleep(0.2)
        assert child.poll() is None, child.stderr.read().decode()
        child.send_signal(signal.SIGINT)
        # Standard input stays open: only the signal can end the child.
        child.wait(WATCHDOG)
        assert child.stdout.read() == b"interrupted\n", child.stderr.read().decode()
        assert child.returncode == 0
        assert list(tmp_path.iterdir()) == []
    finally:
        stop.set()
        child.kill()
        child.wait()
        with suppress(OSError):
            child.stdin.close()
        child.stdout.close()
        child.stderr.close()


@posix
def test_a_handler_of_the_users_own_is_what_is_raised(tmp_path):
    code = """
        import os, signal, sys, threading, vecpack
        class Mine(Exception):
            pass
        def handler(number, frame):
            raise Mine
        signal.signal(signal.SIGALRM, handler)
        read_end, write_end = os.pipe()
        os.write(write_end, bytes.fromhex("c404000080bf") * 100)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            vecpack.scan(f"/dev/fd/{read_end}", dim=1).count_rows()
        except Mine:
            print("mine")
    """
    assert run_python(code) == "mine"


@posix
def test_a_signal_whose_handler_returns_does_not_end_the_work():
    code = """
        import os, signal, sys, threading, time, vecpack
        seen = []
        signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        record = bytes.fromhex("c404000080bf")
        read_end, write_end = os.pipe()
        def feed():
            with open(write_end, "wb") as pipe:
                while len(seen) < 5:
                    pipe.write(record * 1000)
                    pipe.flush()
                    fed.append(1000)
                    time.sleep(0.001)
        fed = []
        threading.Thread(target=feed).start()
        rows = vecpack.scan(f"/dev/fd/{read_end}", dim=1).count_rows()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert rows == sum(fed) and len(seen) >= 5
        print("done")
    """
    assert run_python(code) == "done"


@posix
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("start", ["idle", "in the middle of a scan", "from a thread while others scan"])
def test_a_forked_child_scans_again(write_file, start):
    paths = [write_file(f"{n}.msgpack", vectors(30_000, 16, seed=n)) for n in range(3)]
    code = """
        import os, signal, sys, threading, vecpack, warnings
        warnings.simplefilter("ignore")
        start, *paths = sys.argv[1:]
        source = vecpack.scan(paths, threads=3, batch_rows=500)
        assert source.count_rows() == 90_000
        batches = iter(source)
        if start != "idle":
            next(batches)
        stop = threading.Event()
        def scan():
            while not stop.is_set():
                source.count_rows()
        if start == "from a thread while others scan":
            threads = [threading.Thread(target=scan) for _ in range(2)]
            for thread in threads:
                thread.start()
        for round in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # the watchdog: ends a child that hangs
                try:
                    ok = source.count_rows() == 90_000
                    ok = ok and vecpack.read(paths[round % 3], threads=2).num_rows == 30_000
                    ok = ok and vecpack.to_parquet(source, f"{paths[0]}.{round}.parquet").rows == 90_000
                finally:
                    os._exit(0 if ok else 1)
            _, status = os.waitpid(child, 0)
            assert status == 0, f"child ended with {status}"
        stop.set()
        assert source.count_rows() == 90_000
        assert sum(map(len, batches)) in (90_000, 89_500)
        print("done")
    """
    assert run_python(code, start, *paths) == "done"


@posix
def test_forked_pools_take_the_parts_of_a_source(write_file):
    path = write_file("v.msgpack", vectors(30_000, 16))
    code = """
        import multiprocessing, sys, vecpack, warnings
        warnings.simplefilter("ignore")
        def count(part):
            return part.count_rows()
        source = vecpack.scan(sys.argv[1])
        assert source.count_rows() == 30_000
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(sum(pool.map_async(count, source.split(4)).get(timeout=25)))
    """
    assert run_python(code, path) == "30000"


def in_threads(number, work):
    """Runs `work(n)` in threads that begin together; gives the results."""
    results = [None] * number
    begin = threading.Barrier(number)

    def run(n):
        begin.wait(WATCHDOG)
        try:
            results[n] = work(n)
        except BaseException as error:
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG)
    assert not any(thread.is_alive() for thread in threads)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@pytest.mark.parametrize("threads", [1, 2, None])
def test_many_threads_scan_one_source(write_file, threads):
    expected = vectors(20_000, 8)
    source = vecpack.scan(write_file("v.msgpack", expected), threads=threads, batch_rows=500)
    for found in in_threads(8, lambda n: matrix(source) if n % 2 else source.to_numpy()):
        assert_same_bits(found, expected)


def test_many_threads_scan_many_files_in_order(write_file):
    parts = [vectors(100 + 50 * n, 8, seed=n) for n in range(32)]
    paths = [write_file(f"{n:02}.msgpack", part) for n, part in enumerate(parts)]
    expected = np.concatenate(parts)
    source = vecpack.scan(paths, batch_rows=64, threads=3)
    for found in in_threads(8, lambda n: np.concatenate([matrix(batch) for batch in source])):
        assert_same_bits(found, expected)
    for n, found in enumerate(in_threads(32, lambda n: vecpack.read(paths[n]).to_numpy())):
        assert_same_bits(found, parts[n])


def test_many_threads_share_one_iterator(write_file):
    expected = vectors(20_000, 8)
    batches = iter(vecpack.scan(write_file("v.msgpack", expected), batch_rows=100))
    found = [part for parts in in_threads(8, lambda n: [matrix(batch) for batch in batches]) for part in parts]
    assert len(found) == 200
    order = {part.tobytes(): n for n, part in enumerate(expected.reshape(200, 100, 8))}
    assert sorted(order[part.tobytes()] for part in found) == list(range(200))


def test_many_threads_consume_one_table():
    expected = vectors(20_000, 8)
    table = vecpack.read(pack(expected), batch_rows=500)
    for found in in_threads(8, lambda n: matrix(table) if n % 2 else table.to_numpy()):
        assert_same_bits(found, expected)


def test_many_threads_write_files_of_one_source(tmp_path, write_file):
    source = vecpack.scan(write_file("v.msgpack", vectors(5000, 8)))
    reports = in_threads(8, lambda n: vecpack.to_parquet(source, tmp_path / f"{n}.parquet", sync=False))
    assert [report.rows for report in reports] == [5000] * 8
    assert len({(tmp_path / f"{n}.parquet").read_bytes() for n in range(8)}) == 1


LOCK_WORK = {
    "read": "vecpack.read(fifo, dim=4).num_rows",
    "read without dim": "vecpack.read(fifo).num_rows",
    "count_rows": "vecpack.scan(fifo, dim=4).count_rows()",
    "iteration": "sum(map(len, vecpack.scan(fifo, dim=4)))",
    "to_parquet": "vecpack.to_parquet(fifo, fifo + '.parquet', dim=4).rows",
    "inspect": "vecpack.inspect(fifo, dim=4, full=True).rows",
    "pyarrow": "pyarrow.table(vecpack.scan(fifo, dim=4)).num_rows",
    "polars": "len(polars.DataFrame(vecpack.scan(fifo, dim=4)))",
    "file object": "vecpack.scan(open(fifo, 'rb'), dim=4).count_rows()",
}


@posix
@pytest.mark.parametrize("work", LOCK_WORK)
def test_other_python_threads_run_while_vecpack_works(tmp_path, work):
    # A thread of the same interpreter writes what is read: that works only if reading does not hold the lock.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    code = f"""
        import sys, threading, vecpack
        if {work in ("pyarrow", "polars")}:
            import {work if work in ("pyarrow", "polars") else "vecpack"}
        fifo = sys.argv[1]
        data = (bytes.fromhex("c410") + bytes(16)) * 1000
        def feed():
            with open(fifo, "wb", 0) as pipe:
                for _ in range(100):
                    pipe.write(data)
        writer = threading.Thread(target=feed)
        writer.start()
        print({LOCK_WORK[work]})
        writer.join()
    """
    assert run_python(code, fifo) == "100000"


def test_a_generator_may_wait_for_another_thread_that_uses_the_stream():
    # One thread is inside of the generator, which lets go of the lock; another asks for the next batch.
    code = """
        import threading, vecpack
        inside, go_on = threading.Event(), threading.Event()
        def items():
            for number in range(20):
                if number == 10:
                    inside.set()
                    go_on.wait(20)
                yield bytes(8)
        batches = iter(vecpack.from_iter(items(), dim=2, batch_rows=10))
        next(batches)
        counts = []
        def work():
            try:
                counts.extend(len(batch) for batch in batches)
            except ValueError:
                counts.append(0)  # refused is as right as waiting
        first = threading.Thread(target=work, daemon=True)
        first.start()
        inside.wait(20)
        second = threading.Thread(target=work, daemon=True)
        second.start()
        second.join(0.2)
        go_on.set()
        first.join(20)
        second.join(20)
        assert not first.is_alive() and not second.is_alive(), "deadlock"
        print(sum(counts))
    """
    assert run_python(code) == "10"


@pytest.mark.parametrize("ask", ["next(batches)", "list(stream)", "stream.to_numpy()"])
def test_a_generator_that_asks_its_own_stream_gets_an_error(ask):
    code = f"""
        import vecpack
        def items():
            yield bytes(8)
            try:
                {ask}
            except ValueError as error:
                print(type(error).__name__)
            yield bytes(8)
        stream = vecpack.from_iter(items(), dim=2)
        batches = iter(stream)
        print(sum(map(len, batches)))
    """
    assert run_python(code).split() == ["ValueError", "2"]


@pytest.mark.parametrize("end", ["sys.exit()", "raise SystemExit", "os.kill(os.getpid(), signal.SIGTERM)", "pass"])
def test_the_interpreter_ends_while_scans_are_under_way(write_file, end):
    path = write_file("v.msgpack", vectors(50_000, 16))
    code = f"""
        import os, signal, sys, threading, vecpack
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        source = vecpack.scan(sys.argv[1], threads=4, batch_rows=100)
        batches = iter(source)
        kept = [next(batches) for _ in range(3)]
        capsule = source.__arrow_c_stream__()
        def scan():
            while True:
                for batch in source:
                    pass
                source.count_rows()
        # Before 3.14, Python kills daemon threads that come back from any native code, and aborts now and then.
        for _ in range(2 if sys.version_info >= (3, 14) else 0):
            threading.Thread(target=scan, daemon=True).start()
        source.count_rows()
        print("done", flush=True)
        {end}
    """
    assert run_python(code, path) == "done"


def test_arrays_are_used_to_the_end_of_the_interpreter():
    code = """
        import atexit, numpy, vecpack
        array = vecpack.read(bytes.fromhex("c404000080bf")).to_numpy()
        atexit.register(lambda: print(array.sum()))
        class Late:
            def __del__(self):
                assert array is None or array.sum() == -1
        late = Late()
    """
    assert run_python(code) == "-1.0"


def test_memory_does_not_grow_from_scan_to_scan(write_file):
    pytest.importorskip("resource")
    path = write_file("v.msgpack", vectors(20_000, 128))
    code = """
        import resource, sys, vecpack
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        def work():
            source = vecpack.scan(sys.argv[1], batch_rows=1000, threads=2)
            source.count_rows()
            next(iter(source))
            vecpack.read(sys.argv[1]).to_numpy()
            list(vecpack.from_iter(bytes(512) for _ in range(2000)))
            vecpack.scan(sys.argv[1]).__arrow_c_stream__()
        for _ in range(5):
            work()
        before = peak()
        for _ in range(120):
            work()
        print(peak() - before)
    """
    # A leak of the smallest thing that is made in a round, a batch of half a MiB, would show as 60 MiB.
    assert int(run_python(code, path)) < 40 * 1024 * (1024 if sys.platform == "darwin" else 1)


@posix
@pytest.mark.parametrize("arguments", ["to-arrow v.msgpack -o -", "inspect v.msgpack", "sample -", "completions bash"])
def test_a_closed_standard_output_is_an_error(write_file, arguments):
    path = write_file("v.msgpack", pack(vectors(100, 4)))
    command = f'"$0" -m vecpack {arguments} >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=path.parent, stderr=subprocess.PIPE, text=True, timeout=WATCHDOG
    )
    assert done.returncode == 1
    assert "Bad file descriptor" in done.stderr


@posix
def test_nothing_that_is_said_gets_into_a_file_where_standard_streams_are_closed(write_file):
    path = write_file("v.msgpack", pack(vectors(100, 4)))
    # The input ends late: a line of progress is said while the file is open.
    for out, closed in [("open.parquet", ""), ("closed.parquet", "2>&-")]:
        command = f'(cat v.msgpack; sleep 2) | "$0" -m vecpack to-parquet - -o {out} --progress {closed}'
        subprocess.run(["sh", "-c", command, sys.executable], cwd=path.parent, timeout=WATCHDOG, check=True)
    assert (path.parent / "open.parquet").read_bytes() == (path.parent / "closed.parquet").read_bytes()
