"""What can go wrong around a scan in a process: signals, forks, threads that end early, no memory, C code that calls back.

Everything that could hang or end the process runs in one of its own, under a watchdog.
"""

import gzip
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import WATCHDOG, pack, rejects, run_python, vectors

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and rlimits of Linux")

# Work over regular files and over iterators in C, which never come back to Python on their own and never end.
ENDLESS = {
    "count_rows": "vecpack.scan(files).count_rows()",
    "iteration": "for batch in vecpack.scan(files): del batch",
    "one thread": "vecpack.scan(files, threads=1).count_rows()",
    "to_parquet": "vecpack.to_parquet(files, 'out.parquet', compression='zstd')",
    "to_parquet, files": "vecpack.to_parquet(files, 'out/', max_file_bytes=1 << 40)",
    "inspect": "vecpack.inspect(files, full=True)",
    "rejects": "vecpack.scan(sparse, dim=4, framing='sequence', on_error='skip').count_rows()",
    "scan": "vecpack.scan(sparse, infer_records=0, framing='sequence')",
    "too large": "vecpack.scan(large, dim=4, framing='sequence', on_error='skip').count_rows()",
    "split": "vecpack.scan(sparse, dim=4, framing='sequence').split(2)",
    "from_iter": "for batch in vecpack.from_iter(items, dim=4): del batch",
    "from_iter to Parquet": "vecpack.to_parquet(vecpack.from_iter(items, dim=4), 'out.parquet')",
    "take_iter": "vecpack.take_iter(items, numpy.empty((1 << 28, 4), 'f4'))",
    "generator": "for batch in vecpack.from_iter((item for item in items), dim=4): del batch",
}


@posix
@pytest.mark.parametrize("work", ENDLESS)
def test_ctrl_c_ends_work_on_files_and_iterators(tmp_path, write_file, work):
    path = write_file("input/v.msgpack", vectors(80_000, 64))  # 100,000 of them take minutes
    sparse = write_file("input/sparse.msgpack", b"")
    os.truncate(sparse, 1 << 40)  # integers without end
    large = write_file("input/large.msgpack", b"\xdd\xff\xff\xff\xff")
    os.truncate(large, 1 << 40)  # one record without end
    code = f"""
        import itertools, numpy, os, signal, sys, time, vecpack
        path, sparse, large, out = sys.argv[1:]
        os.mkdir(out)
        os.chdir(out)
        files, items = [path] * 100_000, itertools.repeat(bytes(16))
        # To look at so many names takes a while, and behind it Python itself looks for signals: that must be over.
        begin = time.monotonic()
        vecpack.scan(files)
        delay = 0.3 + 2 * (time.monotonic() - begin)
        # A timer, and no thread: nothing else of Python need run.
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, delay)
        sent = time.monotonic() + delay
        try:
            {ENDLESS[work]}
        except KeyboardInterrupt:
            print(time.monotonic() - sent)
            print([name for _, _, names in os.walk(".") for name in names])
    """
    seconds, left = run_python(code, path, sparse, large, tmp_path / "out").splitlines()
    assert float(seconds) < WATCHDOG
    # A run into a directory can be resumed.
    assert left == str(["manifest.parquet"] if work == "to_parquet, files" else [])


@posix
def test_ctrl_c_between_batches_ends_the_loop_and_nothing_else(write_file):
    path = write_file("v.msgpack", vectors(20_000, 64))
    code = """
        import os, signal, sys, vecpack
        batches = iter(vecpack.scan([sys.argv[1]] * 2000))
        def loop():
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            for batch in batches:
                del batch
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        try:
            loop()
        except KeyboardInterrupt:
            print(vecpack.scan(sys.argv[1]).count_rows())
    """
    assert run_python(code, path) == "20000"


FORKED = {
    "scan": "source.count_rows() == rows",
    "read": "vecpack.read(paths, threads=4).num_rows == rows",
    "read records": "vecpack.read(records, threads=4).num_rows == 60_000",
    "to_parquet": "vecpack.to_parquet(source, out, compression='zstd', encoding='byte-stream-split').rows == rows",
    "to_parquet of a table": "vecpack.to_parquet(table, out, compression='lz4').rows == rows",
    "inspect": "vecpack.inspect(paths, full=True).rows == rows",
    "from_iter": "sum(map(len, vecpack.from_iter([bytes(256)] * 100_000, dim=64))) == 100_000",
    "split": "sum(part.count_rows() for part in source.split(5)) == rows",
    "pyarrow": "pyarrow.table(source).num_rows == rows",
    "file object": "vecpack.scan(open(paths[0], 'rb')).count_rows() == 40_000",
    "an iterator that was not begun": "sum(map(len, fresh)) == rows",
}


@posix
@pytest.mark.parametrize(("busy", "end"), [(False, "sys.exit(0)"), (True, "os._exit(0)")], ids=["idle", "busy"])
def test_a_forked_child_does_large_work_of_every_kind(tmp_path, write_file, busy, end):
    # The parent has used every pool of threads, and may be using them. A child that hangs is ended by its alarm.
    paths = [write_file(f"{n}.msgpack", vectors(40_000, 64, seed=n)) for n in range(3)]
    records = [{"id": n, "vector": bytes(64), "text": "text" * (n % 9)} for n in range(60_000)]
    code = f"""
        import os, pyarrow, signal, sys, threading, vecpack, warnings
        warnings.simplefilter("ignore")
        out, records, *paths = sys.argv[1:]
        rows = 120_000
        source = vecpack.scan(paths, threads=3, batch_bytes=1 << 20)
        table = vecpack.read(paths, threads=3)
        vecpack.to_parquet(table, out)
        batches, fresh = iter(source), iter(source)
        next(batches)
        stop = threading.Event()
        def work():
            while not stop.is_set():
                source.count_rows()
                vecpack.to_parquet(table, f"{{out}}.{{threading.get_ident()}}", overwrite=True, sync=False)
        threads = [threading.Thread(target=work) for _ in range(2 if {busy} else 0)]
        for thread in threads:
            thread.start()
        for number, work in enumerate({list(FORKED.values())!r}):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                out = f"{{out}}.child{{number}}"
                assert eval(work), work
                {end}
            _, status = os.waitpid(child, 0)
            if status != 0:
                print(f"{{work}}: ended with {{status}}")
        stop.set()
        for thread in threads:
            thread.join()
        print("done")
    """
    assert run_python(code, tmp_path / "out.parquet", write_file("records.msgpack", records), *paths) == "done"


# What a parent begins; `next(begun)` goes on with it.
BEGUN = {
    "iteration": "iter(vecpack.scan(paths, threads=4))",
    "two threads": "iter(vecpack.scan(paths, threads=2))",
    "one thread": "iter(vecpack.scan(paths, threads=1))",
    "small batches": "iter(vecpack.scan(paths, threads=4, batch_rows=100))",
    "records": "iter(vecpack.scan(records, threads=4, batch_rows=1000))",
    "compressed": "iter(vecpack.scan(compressed, threads=4))",
    "file object": "iter(vecpack.scan(open(paths[0], 'rb'), batch_rows=1000))",
    "Arrow stream": "pyarrow.RecordBatchReader.from_stream(vecpack.scan(paths, threads=4))",
    "in use by another thread": "iter(vecpack.scan(paths * 400, threads=4))",
}


@posix
@pytest.mark.parametrize("end", ["del begun, first; sys.exit(0)", "sys.exit(0)", "os._exit(0)"])
@pytest.mark.parametrize("begun", BEGUN)
def test_a_child_is_told_that_a_scan_was_begun_in_its_parent(write_file, begun, end):
    paths = [write_file(f"{n}.msgpack", vectors(20_000, 64, seed=n)) for n in range(2)]
    records = write_file("r.msgpack", [{"id": n, "vector": bytes(64), "text": "text" * (n % 9)} for n in range(20_000)])
    compressed = write_file("c.msgpack.gz", gzip.compress(paths[0].read_bytes(), 1))
    code = f"""
        import os, pyarrow, signal, sys, threading, vecpack, warnings
        warnings.simplefilter("ignore")
        records, compressed, *paths = sys.argv[1:]
        def use(batches, done):
            while not done.is_set():
                next(batches, None)
        for round in range(8):
            begun = {BEGUN[begun]}
            first, done = next(begun), threading.Event()
            if {begun.startswith("in use")}:
                threading.Thread(target=use, args=(begun, done)).start()
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # the watchdog: ends a child that hangs
                if {end.startswith("del")}:
                    {end}
                told = False
                try:
                    sum(map(len, begun))
                except (vecpack.VecpackError, pyarrow.ArrowInvalid) as error:
                    told = "begun in another process" in str(error)
                if not told:
                    os._exit(1)
                {end}
            _, status = os.waitpid(child, 0)
            done.set()
            assert status == 0, f"child {{round}} ended with {{status}}"
            if {begun.startswith("in use")}:
                assert len(first) > 0 and len(next(begun, first)) > 0
            else:
                assert len(first) + sum(map(len, begun)) == {40_000 if "paths," in BEGUN[begun] else 20_000}
        print("done")
    """
    assert run_python(code, records, compressed, *paths) == "done"


@posix
def test_a_child_is_told_that_a_pipe_is_read_in_its_parent(tmp_path):
    code = """
        import os, signal, sys, threading, vecpack, warnings
        warnings.simplefilter("ignore")
        fifo = sys.argv[1]
        os.mkfifo(fifo)
        data = (b"\\xc4\\x40" + bytes(64)) * 100_000
        threading.Thread(target=lambda: open(fifo, "wb").write(data)).start()
        source = vecpack.scan(fifo)  # its beginning has been read
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                source.count_rows()
            except vecpack.VecpackError as error:
                os._exit(0 if "begun in another process" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert source.count_rows() == 100_000
        print("done")
    """
    assert run_python(code, tmp_path / "fifo") == "done"


# Work that asks an iterator for vectors, or a file object for bytes, which forks in the middle of it.
ASKING = {
    "take_iter": "vecpack.take_iter(items(), numpy.empty((200_000, 64), 'f4'))",
    "to_parquet": "vecpack.to_parquet(vecpack.from_iter(items(), dim=64), 'out.parquet', compression='zstd')",
    "to_parquet, files": "vecpack.to_parquet(vecpack.from_iter(items(), dim=64), 'out/', max_file_bytes=8 << 20)",
    "to_parquet, rejects": "vecpack.to_parquet(File(), 'out.parquet', dim=64, on_error='skip', rejects='rej.jsonl')",
}


@posix
@pytest.mark.parametrize("then", ["on", "raise"])
@pytest.mark.parametrize("work", ASKING)
def test_an_iterator_that_forks_leaves_the_work_to_the_parent(tmp_path, work, then):
    code = f"""
        import itertools, numpy, os, signal, sys, vecpack, warnings
        warnings.simplefilter("ignore")
        os.chdir(sys.argv[1])
        parent, rows = os.getpid(), 200_000
        def items():
            for number in range(rows):
                if number in (70_000, 140_000) and os.getpid() == parent:
                    child = os.fork()
                    if child == 0:
                        signal.alarm(20)
                        if {then == "raise"}:
                            raise KeyError("of the child")
                    else:
                        ended.append(os.waitpid(child, 0)[1])
                yield numpy.full(64, number, 'f4')
        class File:
            def __init__(self):
                self.items, self.left = items(), b""
            def read(self, size):
                if not self.left:
                    some = list(itertools.islice(self.items, 1000))
                    self.left = b"".join(b"\\xc5\\x01\\x00" + vector.tobytes() for vector in some)
                    if some and some[0][0] % 50_000 == 0:
                        self.left += b"\\xc0"  # is rejected
                piece, self.left = self.left[:size], self.left[size:]
                return piece
        ended, told = [], 0
        try:
            {ASKING[work]}
        except (KeyError, vecpack.VecpackError) as error:
            told = "of the child" in str(error) if {then == "raise"} else "begun in another process" in str(error)
        if os.getpid() != parent:
            os._exit(0 if told else 1)
        assert ended == [0, 0] and not told, (ended, told)
        if {work != "take_iter"}:
            assert vecpack.__version__ and not [name for name in os.listdir(".") if name.startswith(".")]
            import pyarrow.dataset
            path = "out" if os.path.isdir("out") else "out.parquet"
            found = pyarrow.dataset.dataset(path, format="parquet", exclude_invalid_files=True).to_table()
            assert [vector[0] for vector in found.column(0).to_pylist()[::999]] == list(range(rows))[::999]
        if {work == "to_parquet, rejects"}:
            assert len(open("rej.jsonl").readlines()) == 4
        print("done")
    """
    assert run_python(code, tmp_path) == "done"


@posix
def test_a_child_of_a_thread_ends_as_any_other(write_file):
    path = write_file("v.msgpack", vectors(30_000, 16))
    code = """
        import multiprocessing, sys, threading, vecpack, warnings
        warnings.simplefilter("ignore")
        source = vecpack.scan(sys.argv[1], threads=4)
        source.count_rows()
        def child(queue):
            queue.put(source.count_rows())
        counts = []
        def work():
            context = multiprocessing.get_context("fork")
            queue = context.SimpleQueue()
            process = context.Process(target=child, args=(queue,))
            process.start()
            process.join(20)
            counts.append((process.exitcode, queue.get()))
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(set(counts))
    """
    assert run_python(code, path) == "{(0, 30000)}"


def test_sixteen_threads_do_everything_with_one_source(write_file):
    path = write_file("v.msgpack", [*vectors(20_000, 16), None, *vectors(100, 16)])
    code = """
        import pickle, pyarrow, sys, threading, vecpack
        source = vecpack.scan(sys.argv[1], on_error="skip", threads=3, batch_rows=300)
        batches = iter(source)
        expected = 20_100
        work = [
            lambda: source.count_rows(),
            lambda: sum(map(len, source)),
            lambda: len(source.to_numpy()),
            lambda: pyarrow.table(source).num_rows,
            lambda: sum(part.count_rows() for part in source.split(3)),
            lambda: pickle.loads(pickle.dumps(source)).count_rows(),
            lambda: vecpack.inspect(sys.argv[1], full=True).rows,
            lambda: expected if len(source.rejects) <= 1 and source.schema is not None else 0,
        ]
        found, begin = [], threading.Barrier(16)
        def run(number):
            begin.wait()
            for turn in range(8):
                found.append(work[(number + turn) % 8]())
                next(batches, None)
        threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(found), set(found))
    """
    assert run_python(code, path) == "128 {20100}"


def test_a_stream_is_dropped_on_another_thread(write_file):
    source = vecpack.scan(write_file("v.msgpack", vectors(20_000, 16)), batch_rows=100, threads=4)
    for make in (lambda: iter(source), lambda: pa.RecordBatchReader.from_stream(source)):
        for taken in range(4):
            held = [make()]
            for _ in range(taken):
                next(held[0])
            # The last reference goes on a thread that did not make it, while lanes are at work.
            thread = threading.Thread(target=held.clear)
            thread.start()
            thread.join(WATCHDOG)
            assert not thread.is_alive()
    assert source.count_rows() == 20_000


def test_a_consumer_that_raises_ends_its_scan_and_no_other(write_file):
    source = vecpack.scan(write_file("v.msgpack", vectors(20_000, 16)), batch_rows=100, threads=4)

    class Full(Exception):
        pass

    class Sink:
        closed = False

        def __init__(self):
            self.room = 50_000

        def write(self, data):
            self.room -= len(data)
            if self.room < 0:
                raise Full
            return len(data)

        def flush(self):
            pass

        def close(self):
            self.closed = True

    other = iter(source)
    next(other)
    for _ in range(3):
        with pytest.raises(Full):
            for number, _ in enumerate(source):
                if number == 7:
                    raise Full
        with pytest.raises(Full):
            reader = pa.RecordBatchReader.from_stream(source)
            with pa.ipc.new_stream(pa.PythonFile(Sink(), mode="w"), reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
    assert sum(map(len, other)) == 19_900
    assert source.count_rows() == 20_000


@pytest.mark.parametrize("held", ["an iterator", "a stream", "a capsule", "batches", "a generator's stream"])
def test_what_is_held_when_the_interpreter_ends(write_file, held):
    path = write_file("v.msgpack", vectors(50_000, 16))
    code = f"""
        import atexit, pyarrow, sys, vecpack
        source = vecpack.scan(sys.argv[1], threads=4, batch_rows=100)
        def items():
            while True:
                yield bytes(64)
        if {held!r} == "an iterator":
            held = iter(source)
            next(held)
        elif {held!r} == "a stream":
            held = pyarrow.RecordBatchReader.from_stream(source)
            held.read_next_batch()
        elif {held!r} == "a capsule":
            held = source.__arrow_c_stream__()
        elif {held!r} == "batches":
            held = [batch for batch in source]
        else:
            held = iter(vecpack.from_iter(items(), dim=16))
            next(held)
        # Kept beyond the end of the module, and dropped by nobody.
        sys.modules["held"], sys.held = held, held
        cycle = [held]
        cycle.append(cycle)
        atexit.register(lambda: print("last", source.count_rows()))
    """
    assert run_python(code, path) == "last 50000"


def test_daemon_threads_in_the_middle_of_scans_when_the_interpreter_ends(write_file):
    path = write_file("v.msgpack", vectors(50_000, 16))
    code = """
        import sys, threading, vecpack
        source = vecpack.scan(sys.argv[1], threads=2, batch_bytes=1 << 20)
        started = threading.Barrier(3)
        def work(run):
            started.wait()
            while True:
                run()
        for run in (source.count_rows, lambda: vecpack.read(sys.argv[1])):
            threading.Thread(target=work, args=(run,), daemon=True).start()
        started.wait()
        source.count_rows()
        print("done", flush=True)
    """
    assert run_python(code, path) == "done"


def test_a_subinterpreter_works_or_says_that_it_does_not():
    code = """
        import vecpack
        try:
            from concurrent import interpreters
            create = lambda: interpreters.create().exec
        except ImportError:
            try:
                import _interpreters as interpreters
            except ImportError:
                import _xxsubinterpreters as interpreters
            create = lambda: (lambda code, number=interpreters.create(): interpreters.run_string(number, code))
        run = create()
        program = '''
        try:
            import vecpack
            print(vecpack.read(bytes.fromhex("c404000080bf")).num_rows)
        except ImportError as error:
            print("subinterpreters" in str(error))
        '''
        run(program.replace("\\n        ", "\\n"))
        print(vecpack.read(bytes.fromhex("c404000080bf")).num_rows)
    """
    assert run_python(code).split() in (["True", "1"], ["1", "1"])


RELEASED = {
    "stream": "vecpack.scan(path, batch_rows=100, threads=4).__arrow_c_stream__()",
    "stream of bytes": "vecpack.scan(open(path, 'rb').read()).__arrow_c_stream__()",
    "stream of a file object": "vecpack.scan(open(path, 'rb')).__arrow_c_stream__()",
    "stream of an iterator": "vecpack.from_iter((bytes(64) for _ in range(10**6)), dim=16).__arrow_c_stream__()",
    "array": "next(iter(vecpack.scan(path, batch_rows=100))).__arrow_c_array__()[1]",
    "schema": "vecpack.scan(path).__arrow_c_schema__()",
}


@linux
@pytest.mark.parametrize("what", RELEASED)
def test_release_is_called_on_a_thread_that_python_does_not_know(write_file, what):
    # C code owns what a capsule holds from the moment it moves it out, and may let go of it on any thread.
    path = write_file("v.msgpack", vectors(20_000, 16))
    code = f"""
        import ctypes, gc, sys, vecpack
        path = sys.argv[1]
        capsule = {RELEASED[what]}
        name = {{"schema": b"arrow_schema", "array": b"arrow_array"}}.get({what!r}, b"arrow_array_stream")
        size, place = {{"schema": (72, 56), "array": (80, 64)}}.get({what!r}, (40, 24))
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        at = pointer(capsule, name)
        moved = ctypes.create_string_buffer(ctypes.string_at(at, size), size)
        release = ctypes.c_void_p.from_buffer(moved, place).value
        ctypes.memset(at + place, 0, 8)
        del capsule
        gc.collect()
        libc = ctypes.CDLL(None)
        if size == 40:
            array = ctypes.create_string_buffer(80)
            get_next = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
            get_next = get_next(ctypes.c_void_p.from_buffer(moved, 8).value)
            assert get_next(ctypes.addressof(moved), ctypes.addressof(array)) == 0
            array_release = ctypes.c_void_p.from_buffer(array, 64).value
        def on_a_foreign_thread(function, argument):
            thread = ctypes.c_ulong()
            assert libc.pthread_create(ctypes.byref(thread), None, ctypes.c_void_p(function), argument) == 0
            assert libc.pthread_join(thread, None) == 0
        on_a_foreign_thread(release, moved)
        if size == 40:
            # The batch outlives its stream.
            on_a_foreign_thread(array_release, array)
            assert ctypes.c_void_p.from_buffer(array, 64).value is None
        assert ctypes.c_void_p.from_buffer(moved, place).value is None
        gc.collect()
        print(vecpack.scan(path).count_rows())
    """
    assert run_python(code, path) == "20000"


def test_a_nul_in_a_key_does_not_end_the_process():
    # An error text and a column's name are C strings at the interface: a NUL in one of them must not get there.
    code = """
        import msgpack, pyarrow, vecpack
        nul, vector = "a\\0b", bytes(8)
        good = {"v": vector, nul: 1, "inner": {nul: 1, "n": 1}}
        bad = [{"v": bytes(7), nul: nul}, {"v": nul}, {nul: vector}, {"v": vector, "inner": {"n": nul}}]
        for records in ([good, record] for record in [good, *bad]):
            data = b"".join(map(msgpack.packb, records))
            for options in ({}, {"vector": nul}, {"columns": [nul]}, {"schema": {nul: "int64"}}, {"columns": ["v"]}):
                for consume in (pyarrow.RecordBatchReader.from_stream, vecpack.Source.to_pyarrow, list):
                    try:
                        source = vecpack.scan(data, **options)
                        assert nul not in pyarrow.schema(source).names
                        consumed = consume(source)
                        rows = getattr(consumed, "read_all", lambda: consumed)()
                        print(len(rows))
                    except (ValueError, OSError, pyarrow.ArrowException) as error:
                        assert str(error) and "\\0" not in str(error)
                        print("error")
    """
    lines = run_python(code).splitlines()
    assert len(lines) == 5 * 5 * 3
    assert "error" in lines and "2" in lines


MEMORY = {
    "a batch": "vecpack.read([path] * 10, batch_bytes=1 << 30)",
    "batches": "vecpack.read([path] * 100)",
    # Batches of whole files: what is left when one does not fit is enough for all else that eight threads allocate.
    "threads": "vecpack.read([path] * 100, threads=8, batch_bytes=1 << 25)",
    "a record": "vecpack.read(large, dim=1 << 26)",
    "a record in a stream": "vecpack.read(open(large, 'rb'), dim=1 << 26)",
    "a null": "vecpack.read(bytes([0xc0]), dim=1 << 28, on_error='null')",
    "to_parquet": "vecpack.to_parquet([path] * 10, out, row_group_bytes=1 << 30)",
    "from_iter": "list(vecpack.from_iter([bytes(1 << 20)] * 1000, batch_bytes=1 << 30))",
}


@linux
@pytest.mark.parametrize("room", [100, 125])
@pytest.mark.parametrize("work", MEMORY)
def test_no_memory_is_a_memory_error(tmp_path, write_file, work, room):
    path = write_file("v.msgpack", np.zeros((100_000, 64), np.float32))
    large = write_file("large.msgpack", b"\xc6\x10\x00\x00\x00")
    os.truncate(large, 5 + (1 << 28))
    code = f"""
        import resource, sys, vecpack
        path, large, out = sys.argv[1:]
        vecpack.read(path)
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ({room} << 20),) * 2)
        try:
            {MEMORY[work]}
        except MemoryError as error:
            print(error)
        print(vecpack.read(bytes.fromhex("c404000080bf")).num_rows)
    """
    assert run_python(code, path, large, tmp_path / "out.parquet").endswith("\n1")
    assert not [name for name in os.listdir(tmp_path) if "out" in name]


@pytest.mark.parametrize("rows", [5000, 100_000], ids=["heap", "mapping"])
def test_nothing_of_an_earlier_batch_is_in_nulls_and_padding(rows):
    # Memory is used again: fill it with something that would show.
    noise = pack(np.full((rows, 15), -1.5, np.float32))
    for _ in range(3):
        assert vecpack.read(noise, threads=1).num_rows == rows
    data = pack([*np.ones((3, 15), np.float32), None] * (rows // 4) + [np.ones(15, np.float32)])
    table = vecpack.read(data, on_error="null", threads=1)
    assert table.to_pyarrow().column(0).null_count == rows // 4
    paddings = set()
    for batch in table.batches:
        column = pa.record_batch(batch).column(0)
        values = np.frombuffer(column.values.buffers()[1], np.float32)
        assert set(np.unique(values)) <= {0, 1}
        assert not values[: 15 * len(column)].reshape(-1, 15)[~column.is_valid().to_numpy(False)].any()
        # Arrow pads buffers to 64 bytes, and consumers may read and write that.
        address, size = column.values.buffers()[1].address, column.values.buffers()[1].size
        padded = pa.foreign_buffer(address, -(-size // 64) * 64)
        assert bytes(padded)[size:] == bytes(-size % 64)
        paddings.add(-size % 64)
        validity = column.buffers()[0]
        if validity is None:  # a last batch without nulls
            continue
        behind = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[len(column) :]
        assert not behind.any()
    assert paddings != {0}


def test_an_error_that_is_raised_in_a_child_comes_back_with_its_place(write_file):
    path = write_file("bad.msgpack", [*vectors(10, 4), None])
    code = """
        import concurrent.futures, multiprocessing, sys, vecpack
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                context = multiprocessing.get_context(method)
                with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                    try:
                        pool.submit(vecpack.read, sys.argv[1]).result(25)
                    except vecpack.DecodeError as error:
                        print(error.path == sys.argv[1], error.record, error.offset, error.field)
    """
    assert run_python(code, path).splitlines() == ["True 10 180 vector"] * 2


@posix
def test_a_signal_ends_the_process_as_ever_while_threads_work(write_file):
    path = write_file("v.msgpack", vectors(20_000, 64))
    code = """
        import sys, vecpack
        source = vecpack.scan([sys.argv[1]] * 100_000, threads=4)
        next(iter(source))
        print("ready", flush=True)
        source.count_rows()
    """
    for sent in (signal.SIGTERM, signal.SIGKILL):
        command = [sys.executable, "-c", textwrap.dedent(code), path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout.readline() == b"ready\n"
            child.send_signal(sent)
            assert child.wait(WATCHDOG) == -sent


def test_places_beyond_four_gibibytes(tmp_path):
    """A sparse file: records of 64 MiB of zeros each, of which only the heads are written. The last but one is another type."""
    dim, count = 16 << 20, 66
    stride = 5 + 4 * dim
    path = tmp_path / "large.msgpack"
    with path.open("wb") as file:
        for number in range(count):
            file.seek(number * stride)
            head = b"\xc9" if number == count - 2 else b"\xc6"
            file.write(head + (4 * dim - (head == b"\xc9")).to_bytes(4, "big"))
        file.truncate(count * stride)
    if path.stat().st_blocks * 512 > 1 << 30:
        pytest.skip("the file system has no sparse files")
    assert path.stat().st_size > 1 << 32
    source = vecpack.scan(path, on_error="skip", include_record=True, columns=["vector"], threads=2)
    records = []
    for batch in source:
        records += pa.record_batch(batch)["record"].to_pylist()
    assert records == [*range(count - 2), count - 1]
    assert rejects(source, "record", "offset", "length") == [(count - 2, (count - 2) * stride, stride)]
