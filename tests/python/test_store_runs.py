"""Runs into directories of an object store: they are resumed, also after kills in the middle, and leave nothing half done."""

import io
import os
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stores
import vecpack
from conftest import WATCHDOG, pack, vectors
from test_stores import LARGE, azure_store, environment, google_store, port, s3  # noqa: F401

ROWS = [300, 10, 200, 0, 400]
PARTS = {"max_file_bytes": 4_000, "row_group_bytes": 800}


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    if not stores.AZURITE:
        pytest.skip("AZURITE names no command `azurite-blob`, of npm's package `azurite`, and there is none in PATH")
    with stores.azurite(tmp_path_factory.mktemp("azurite")) as azurite:
        yield azurite


@pytest.fixture(params=["s3", "google", "azure"])
def bucket(request, environment, monkeypatch, tmp_path_factory):  # noqa: F811
    """A bucket of each store."""
    match request.param:
        case "s3":
            store = s3(request.getfixturevalue("port"), monkeypatch)
        case "google":
            store = google_store(request.getfixturevalue("port"), monkeypatch, tmp_path_factory.mktemp("google"))
        case "azure":
            store = azure_store(request.getfixturevalue("azurite"), monkeypatch)
    with store as bucket:
        yield bucket


def records(start, rows):
    return pack([{"id": start + row, "v": vectors(1, 4)[0].tobytes()} for row in range(rows)])


@pytest.fixture
def inputs(bucket):
    """Inputs in the store; gives what to scan."""
    for number, rows in enumerate(ROWS):
        bucket.put(f"in/{number}.msgpack", records(1000 * number, rows))
    return bucket.url("in/")


def expected(rows):
    return [1000 * number + row for number, count in enumerate(rows) for row in range(count)]


def ids(bucket, directory="out/"):
    keys = [key for key in bucket.keys() if key.startswith(directory)]
    tables = [pq.read_table(io.BytesIO(bucket.get(key)), columns=["id"]) for key in keys]
    return sorted(pa.concat_tables(tables)["id"].to_pylist())


def enough(done, total, rows):
    """Ends a run when it has read more rows than four inputs have."""
    if rows > sum(ROWS[:4]):
        raise RuntimeError("enough")


@pytest.mark.parametrize("options", [{}, PARTS], ids=["an object for each input", "parts"])
def test_a_run_that_failed_goes_on(bucket, inputs, options):
    source, out = vecpack.scan(inputs), bucket.url("out/")
    with pytest.raises(RuntimeError, match="enough"):
        vecpack.to_parquet(source, out, progress=enough, **options)
    lines = [key for key in bucket.keys(notes=True) if "/lines/" in key]
    assert lines and all(len(part) <= 255 for key in lines for part in key.split("/"))
    # Each is a Parquet file without rows, for readers that take every object.
    for key in bucket.keys(notes=True):
        assert pq.read_table(io.BytesIO(bucket.get(key))).num_rows == 0

    with pytest.raises(FileExistsError, match="holds an earlier run"):
        vecpack.to_parquet(source, out, **options)
    bucket.proxy.log.clear()
    report = vecpack.to_parquet(source, out, resume=True, **options)
    # Of what is done, a list tells.
    fetched = [path for method, path in bucket.requests() if method == "GET" and "/lines/" in path]
    assert fetched == []
    assert report.rows_before > 0
    assert (report.files + report.files_before, report.rows + report.rows_before) == (5, sum(ROWS))
    assert ids(bucket) == expected(ROWS)
    # The lines have become one object, and no reader of the directory has to open many.
    assert bucket.keys(notes=True) == ["out/_vecpack/manifest.parquet"]
    assert vecpack.to_parquet(source, out, resume=True, **options).files == 0
    assert ids(bucket) == expected(ROWS)


@pytest.mark.parametrize("options", [{}, PARTS], ids=["an object for each input", "parts"])
def test_what_changed_is_done_again(bucket, inputs, options):
    vecpack.to_parquet(inputs, bucket.url("out/"), **options)
    bucket.put("in/1.msgpack", records(1000, 50))
    bucket.put("in/5.msgpack", records(5000, 20))
    for _ in range(2):
        vecpack.to_parquet(inputs, bucket.url("out/"), resume=True, **options)
        assert ids(bucket) == expected([300, 50, 200, 0, 400, 20])
    # An output that is gone is made again.
    bucket.direct("DELETE", next(key for key in bucket.keys() if key.startswith("out/")))
    assert vecpack.to_parquet(inputs, bucket.url("out/"), resume=True, **options).rows > 0
    assert ids(bucket) == expected([300, 50, 200, 0, 400, 20])
    bucket.direct("DELETE", "in/0.msgpack")
    with pytest.raises(vecpack.OptionError, match=r"holds rows of .*/in/0\.msgpack, which is not among the inputs"):
        vecpack.to_parquet(inputs, bucket.url("out/"), resume=True, **options)
    vecpack.to_parquet(inputs, bucket.url("out/"), overwrite=True, **options)
    assert ids(bucket) == ([*range(300)] if not options else []) + expected([0, 50, 200, 0, 400, 20])


def test_a_run_from_a_store_into_a_directory_goes_on(bucket, inputs, tmp_path):
    source, out = vecpack.scan(inputs), f"{tmp_path}/out/"
    with pytest.raises(RuntimeError, match="enough"):
        vecpack.to_parquet(source, out, progress=enough)
    report = vecpack.to_parquet(source, out, resume=True)
    assert (report.files_before, report.files) == (4, 1)
    bucket.put("in/1.msgpack", records(1000, 11))
    assert vecpack.to_parquet(inputs, out, resume=True).rows == 11
    assert sorted(pq.read_table(out)["id"].to_pylist()) == expected([300, 11, 200, 0, 400])


def test_a_line_that_is_too_long_for_a_key_is_in_its_object(bucket, tmp_path, write_file):
    place = "/".join(["a-long-name-of-a-directory-that-takes-many-bytes"] * 14)
    files = [write_file(f"in/{place}/{n}.msgpack", [{"id": 1000 * n, "v": bytes(16)}]) for n in range(4)]

    def last(done, total, rows):
        if rows == 4:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        vecpack.to_parquet(files, bucket.url("out/"), progress=last)
    lines = [key for key in bucket.keys(notes=True) if "/lines/" in key]
    assert len(lines) == 3 and all("/lines/long-" in key for key in lines)
    assert vecpack.to_parquet(files, bucket.url("out/"), resume=True).files_before == 3
    assert ids(bucket) == [0, 1000, 2000, 3000]


def test_an_input_that_is_named_twice_is_there_twice(bucket):
    """Lines that are equal count once. Only inputs without rows have such, and these lose nothing when they are read again."""
    for number, rows in enumerate([0, 300, 250]):
        bucket.put(f"in/{number}.msgpack", records(1000 * number, rows))
    empty, first, second = (bucket.url(f"in/{number}.msgpack") for number in range(3))
    source = vecpack.scan([first, empty, empty, first, empty, second, second])

    def enough(done, total, rows):
        if rows > 850:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        vecpack.to_parquet(source, bucket.url("out/"), progress=enough, **PARTS)
    report = vecpack.to_parquet(source, bucket.url("out/"), resume=True, **PARTS)
    assert report.rows_before >= 600 and report.rows + report.rows_before == 1100
    assert ids(bucket) == sorted(2 * [*range(1000, 1300), *range(2000, 2250)])


def test_killed_again_and_again_a_run_comes_to_its_end(bucket, tmp_path):
    for number in range(8):
        bucket.put(f"in/{number}.msgpack", records(1000 * number, 100))
    code = "import sys, vecpack; vecpack.to_parquet(sys.argv[1], sys.argv[2], resume=True)"
    command = [sys.executable, "-c", code, bucket.url("in/"), bucket.url("out/")]
    kills, running = 0, []
    for last in range(1, 15):
        seen = [0]

        def fault(request, last=last, seen=seen):
            # The run is killed in the middle of a request.
            if request.command in ("PUT", "POST", "DELETE"):
                seen[0] += 1
                if seen[0] == last:
                    os.kill(running[-1].pid, 9)

        bucket.proxy.fault = fault
        child = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
        running.append(child)
        _, errors = child.communicate(timeout=WATCHDOG)
        kills += child.returncode == -9
        assert child.returncode in (0, -9), errors.decode()
        if child.returncode == 0:
            break
    assert kills >= 3
    assert child.returncode == 0
    assert ids(bucket) == expected([100] * 8)
    assert bucket.keys(notes=True) == ["out/_vecpack/manifest.parquet"]


def test_an_upload_that_a_killed_run_left_is_ended_by_the_next(bucket, write_file, tmp_path):
    write_file("in/a.msgpack", pack(LARGE[:10]))
    write_file("in/b.msgpack", pack(LARGE))
    first, second = threading.Event(), threading.Event()

    def fault(request):
        if "partNumber=" in request.path or "comp=block&" in request.path:
            if first.is_set() and not second.is_set():
                second.set()
                time.sleep(WATCHDOG)
            first.set()

    bucket.proxy.fault = fault
    bucket.begin_upload("other/x.parquet")
    code = "import sys, vecpack; vecpack.to_parquet(sys.argv[1], sys.argv[2], compression='none')"
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "in"), bucket.url("out/")], cwd=tmp_path)
    assert second.wait(WATCHDOG)
    child.kill()
    child.wait()
    # The first part may be on its way.
    while bucket.uploads() < 2:
        time.sleep(0.01)
    report = vecpack.to_parquet(tmp_path / "in", bucket.url("out/"), compression="none", resume=True)
    assert (report.files_before, report.files) == (1, 1)
    # That of somebody else, in another directory, goes on.
    assert bucket.uploads() == 1
    assert pq.read_table(io.BytesIO(bucket.get("out/b.parquet"))).num_rows == len(LARGE)


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
@pytest.mark.parametrize("answer", [412, 501, None])
def test_an_upload_in_parts_is_completed_only_where_no_object_is(bucket, write_file, answer):
    conditions = []

    def fault(request):
        if request.command == "POST" and "uploadId=" in request.path:
            conditions.append(request.headers.get("If-None-Match"))
            if conditions[-1] == "*" and answer:
                return {"status": answer, "code": "PreconditionFailed" if answer == 412 else "NotImplemented"}

    bucket.proxy.fault = fault
    path, url = write_file("a.msgpack", pack(LARGE)), bucket.url("a.parquet")
    if answer == 412:
        with pytest.raises(FileExistsError, match="exists already"):
            vecpack.to_parquet(path, url)
        assert (bucket.keys(), bucket.uploads()) == ([], 0)
    else:
        vecpack.to_parquet(path, url)
        # A store that does not know the condition is asked without it.
        assert conditions == (["*", None] if answer else ["*"])
        assert pq.read_table(io.BytesIO(bucket.get("a.parquet"))).num_rows == len(LARGE)
        conditions.clear()
        vecpack.to_parquet(path, url, overwrite=True)
        assert conditions == [None]


@pytest.mark.parametrize("bucket", ["s3", "azure"], indirect=True)
def test_an_object_that_appears_while_parts_go_up_is_not_replaced(bucket, write_file):
    def meanwhile(request):
        if ("uploadId=" in request.path and request.command == "POST") or "comp=blocklist" in request.path:
            bucket.put("a.parquet", b"somebody else's")

    bucket.proxy.fault = meanwhile
    path, url = write_file("a.msgpack", pack(LARGE)), bucket.url("a.parquet")
    with pytest.raises(FileExistsError, match="exists already"):
        vecpack.to_parquet(path, url)
    assert bucket.get("a.parquet") == b"somebody else's"
    vecpack.to_parquet(path, url, overwrite=True)
    assert pq.read_table(io.BytesIO(bucket.get("a.parquet"))).num_rows == len(LARGE)


def test_two_new_runs_into_a_directory_are_not_mixed(bucket, inputs):
    def meanwhile(request):
        if request.command == "PUT" and request.path.endswith("manifest.parquet"):
            bucket.put("out/_vecpack/manifest.parquet", b"somebody else's")

    bucket.proxy.fault = meanwhile
    with pytest.raises(FileExistsError, match="holds an earlier run"):
        vecpack.to_parquet(inputs, bucket.url("out/"))
    assert ("out/_vecpack/manifest.parquet", []) == (
        bucket.keys(notes=True)[0],
        [k for k in bucket.keys() if "out/" in k],
    )
    with pytest.raises(OSError, match="no manifest of a run"):
        vecpack.to_parquet(inputs, bucket.url("out/"), resume=True)


def test_lines_of_a_run_whose_manifest_was_removed_count_no_more(bucket, inputs):
    source, out = vecpack.scan(inputs), bucket.url("out/")
    for compression in ("none", "zstd"):
        with pytest.raises(RuntimeError, match="enough"):
            vecpack.to_parquet(source, out, progress=enough, compression=compression)
        assert len([key for key in bucket.keys(notes=True) if "/lines/" in key]) == 4
        if compression == "none":
            for key in [key for key in bucket.keys() if key.startswith("out/")]:
                bucket.direct("DELETE", key)
            bucket.direct("DELETE", "out/_vecpack/manifest.parquet")
    assert vecpack.to_parquet(source, out, compression="zstd", resume=True).files_before == 4
    assert ids(bucket) == expected(ROWS)
