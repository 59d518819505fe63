"""URLs: objects of a store, and files of an HTTP server."""

import datetime
import gzip
import io
import itertools
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stores
import vecpack
from conftest import WATCHDOG, assert_same_bits, matrix, pack, run_python, vectors

PIECE = 4 << 20
"""How much of an object one request asks for."""

NUMBERS = itertools.count()
SMALL = vectors(100, 8)
LARGE = vectors(5500, 512)
"""A little more than ten MiB: three pieces, two parts."""


@pytest.fixture(scope="module")
def port():
    with stores.object_store() as port:
        yield port


@pytest.fixture
def environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def bucket(port, environment, monkeypatch):
    with s3(port, monkeypatch) as bucket:
        yield bucket


@contextmanager
def s3(port, monkeypatch):
    with stores.serving(stores.Proxy, port=port, fault=lambda request: None) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", stores.KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield stores.Bucket(proxy, f"bucket-{next(NUMBERS)}")


@contextmanager
def google_store(port, monkeypatch, folder):
    with stores.serving(stores.Google, port=port, fault=lambda request: None) as proxy:
        google_account(f"http://127.0.0.1:{proxy.server_port}", monkeypatch, folder)
        yield stores.Bucket(proxy, f"bucket-{next(NUMBERS)}", "gs")


@contextmanager
def azure_store(port, monkeypatch):
    with stores.serving(stores.Azure, port=port, fault=lambda request: None) as proxy:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", stores.ACCOUNT)
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", stores.ACCOUNT_KEY)
        endpoint = f"http://127.0.0.1:{proxy.server_port}/{stores.ACCOUNT}"
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", endpoint)
        monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
        yield stores.Container(proxy, f"container-{next(NUMBERS)}")


@pytest.fixture
def server(environment):
    with stores.serving(
        stores.Files, files={}, ranges=True, tags=None, modified=1_700_000_000, fault=lambda request: None
    ) as server:
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server


def failing(times, **fault):
    """A fault of the first requests for bytes of an object."""
    left = [times]

    def choose(request):
        if request.command != "GET" or "?" in request.path or left[0] == 0:
            return None
        left[0] -= 1
        return fault

    return choose


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "vecpack", *arguments], capture_output=True, text=True, timeout=WATCHDOG
    )


# Inputs


def test_an_object_is_read_in_ranges_and_no_more_is_asked_than_that(bucket):
    url = bucket.put("dir/large.msgpack", pack(LARGE))
    source = vecpack.scan(url)
    assert (source.files, source.dim) == ([url], 512)
    assert bucket.requests() == [("GET", "dir/large.msgpack")]
    assert_same_bits(matrix(source), LARGE)
    assert bucket.requests() == [("GET", "dir/large.msgpack")] * (1 + 3)
    ends = [PIECE, 2 * PIECE, len(pack(LARGE))]
    assert {wanted for _, _, wanted in bucket.proxy.log[1:]} == {
        f"bytes={start}-{end - 1}" for start, end in zip((0, *ends), ends, strict=False)
    }


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_rows_are_those_of_the_file_for_any_number_of_threads(bucket, write_file, threads):
    rows = [{"id": n, "text": "x" * (n % 1000), "vector": LARGE[n % 5500].tobytes()} for n in range(8000)]
    path = write_file("records.msgpack", rows)
    url = bucket.put("records.msgpack", path.read_bytes())
    expected = pa.table(vecpack.scan(path))
    assert pa.table(vecpack.scan(url, threads=threads)).equals(expected)


def test_directories_patterns_and_lists(bucket):
    names = ["a.msgpack", "b.mp.gz", "sub/c.msg", "sub/.d.msgpack", "sub/e.txt", ".hidden/f.mp"]
    for n, name in enumerate(names):
        content = pack(SMALL[n : n + 1])
        bucket.put(f"dir/{name}", gzip.compress(content) if name.endswith(".gz") else content)
    bucket.put("directory.mp", pack(SMALL))

    def found(*inputs):
        source = vecpack.scan(list(inputs))
        assert source.count_rows() == len(source.files)
        return [name.removeprefix(bucket.url("dir/")) for name in source.files]

    assert found(bucket.url("dir/")) == ["a.msgpack", "b.mp.gz", "sub/c.msg"]
    assert found(bucket.url("dir/*")) == ["a.msgpack", "b.mp.gz"]
    assert found(bucket.url("dir/**/*.m[ps]*")) == [
        ".hidden/f.mp",
        "a.msgpack",
        "b.mp.gz",
        "sub/.d.msgpack",
        "sub/c.msg",
    ]
    assert found(bucket.url("dir/sub/?.txt"), bucket.url("dir/a.msgpack")) == ["sub/e.txt", "a.msgpack"]
    assert not bucket.requests("HEAD"), "a list tells the sizes"
    for none in ["none/", "dir/*.none", "di/"]:
        with pytest.raises(FileNotFoundError, match="is below it|matches this pattern") as raised:
            vecpack.scan(bucket.url(none))
        assert raised.value.filename == bucket.url(none)


def test_a_list_may_have_many_pages(bucket):
    for n in range(1005):
        bucket.put(f"many/{n:04}.mp", pack(SMALL[:1]) if n < 3 else b"")
    source = vecpack.scan(bucket.url("many/"))
    assert len(source.files) == 1005
    assert source.files == sorted(source.files)


def test_a_key_may_look_like_a_pattern(bucket):
    for name in ["a[1].mp", "a1.mp"]:
        bucket.put(name.replace("[", "%5B").replace("]", "%5D"), pack(SMALL))
    assert vecpack.scan(bucket.url("a[1].mp")).files == [bucket.url("a[1].mp")]
    assert vecpack.scan(bucket.url("a[12].mp")).files == [bucket.url("a1.mp")]


def test_many_small_objects_are_fetched_ahead(bucket):
    lock, at_once, most = threading.Lock(), 0, 0

    def slow(request):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1

    for n in range(20):
        bucket.put(f"{n:02}.mp", pack(SMALL[n : n + 1]))
    source = vecpack.scan(bucket.url(), threads=1)
    bucket.proxy.fault = slow
    bucket.proxy.log.clear()
    assert_same_bits(matrix(source), SMALL[:20])
    assert most > 4
    assert len(bucket.requests()) == 20


@pytest.mark.parametrize("content", [b"", gzip.compress(pack(SMALL)), gzip.compress(pack(LARGE))])
def test_empty_and_compressed_objects(bucket, content):
    url = bucket.put("object", content)
    rows = len(vecpack.read(content, dim=8 if len(content) < 10_000 else 512)) if content else 0
    assert vecpack.scan([url, bucket.put("other", pack(SMALL))], framing="sequence").files == [url, bucket.url("other")]
    assert vecpack.scan(url, dim=8 if rows < 5500 else 512, vector="vector").count_rows() == rows


def test_sources_are_split_and_pickled(bucket):
    url = bucket.put("large.msgpack", pack(LARGE))
    source = pickle.loads(pickle.dumps(vecpack.scan(url)))
    parts = [pickle.loads(pickle.dumps(part)) for part in source.split(3)]
    assert [part.count_rows() > 1000 for part in parts] == [True] * 3
    assert_same_bits(np.concatenate([matrix(part) for part in parts]), LARGE)


def test_inspect_and_the_command(bucket, tmp_path):
    bucket.put("dir/small.msgpack", pack(SMALL))
    assert vecpack.inspect(bucket.url("dir/")).rows == 100
    done = run_command("inspect", bucket.url("dir/*"), "--json")
    assert json.loads(done.stdout)["rows"] == 100, done.stderr
    done = run_command("to-arrow", bucket.url("dir/small.msgpack"), "-o", bucket.url("small.arrow"))
    assert done.returncode == 0, done.stderr
    with pa.ipc.open_file(io.BytesIO(bucket.get("small.arrow"))) as file:
        assert_same_bits(matrix(file.read_all()), SMALL)
    assert run_command("sample", bucket.url("sample.mp"), "--rows", "3", "--dim", "2").returncode == 0
    assert vecpack.scan(bucket.url("sample.mp")).count_rows() == 3


# Faults of servers


@pytest.mark.parametrize(
    "fault", [{"status": 503, "code": "SlowDown"}, {"status": 500}, {"status": 429}, {"cut": 1000}]
)
def test_requests_that_fail_for_now_are_tried_again(bucket, fault):
    url = bucket.put("large.msgpack", pack(LARGE))
    bucket.proxy.fault = failing(3, **fault)
    assert_same_bits(matrix(vecpack.scan(url)), LARGE)
    assert len(bucket.requests("GET")) == 3 + 1 + 3


def test_a_body_that_is_cut_is_fetched_again_without_a_tag(server):
    server.files["/large.msgpack"] = pack(LARGE)
    server.fault = failing(3, cut=1000)
    assert_same_bits(matrix(vecpack.scan(f"{server.url}/large.msgpack")), LARGE)


def change(bucket, after):
    """Replaces the object when so many ranges of it have been asked for."""
    asked = [0]

    def choose(request):
        if request.headers.get("Range"):
            asked[0] += 1
            if asked[0] == after:
                bucket.put("large.msgpack", pack(LARGE[::-1]))

    return choose


def test_an_object_that_changes_while_it_is_read_is_an_error(bucket):
    url = bucket.put("large.msgpack", pack(LARGE))
    source = vecpack.scan(url)
    bucket.proxy.fault = change(bucket, 3)
    with pytest.raises(OSError, match=r"large\.msgpack: the object changed while it was read"):
        source.count_rows()
    bucket.proxy.fault = lambda request: None
    assert_same_bits(matrix(source), LARGE[::-1])


@pytest.mark.parametrize("tags", [None, "W/"])
def test_a_file_of_a_server_that_changes_is_an_error(server, tags):
    server.files["/a"], server.tags = pack(LARGE), tags
    source = vecpack.scan(f"{server.url}/a")

    def choose(request):
        if request.headers.get("Range", "").startswith(f"bytes={PIECE}-"):
            server.files["/a"] = pack(LARGE[::-1])
            server.modified += 1

    server.fault = choose
    with pytest.raises(OSError, match="the object changed while it was read"):
        source.count_rows()


SLOW = {
    "scan": "vecpack.scan(url)",
    "count_rows": "vecpack.scan(url, dim=8, infer_records=1).count_rows()",
    "directory": "vecpack.scan(url.rsplit('/', 1)[0] + '/')",
    "to_parquet": "vecpack.to_parquet(url, 'out.parquet')",
    "parts": "vecpack.to_parquet(vecpack.read(b'\\xc4\\x04aaaa'), url.rsplit('/', 1)[0] + '/', max_file_bytes=1 << 20)",
    "upload": "vecpack.to_parquet(vecpack.read(b'\\xc4\\x04aaaa'), url + '.parquet')",
}


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("work", SLOW)
def test_ctrl_c_ends_the_wait_for_a_server(bucket, tmp_path, work):
    url, asked, free = bucket.put("dir/a.mp", pack(SMALL)), threading.Event(), threading.Event()
    first = [work in ("count_rows", "to_parquet")]

    def stall(request):
        if first[0]:
            first[0] = False
            return
        asked.set()
        free.wait(WATCHDOG)

    bucket.proxy.fault = stall
    code = f"""
        import sys, vecpack
        url = sys.argv[1]
        try:
            {SLOW[work]}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), url]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    try:
        assert asked.wait(WATCHDOG), child.stderr.read().decode()
        time.sleep(0.2)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        out, error = child.communicate(timeout=WATCHDOG / 2)
        assert (out, error) == (b"interrupted\n", b"")
        assert list(tmp_path.iterdir()) == []
    finally:
        free.set()
        child.kill()
        child.communicate()


def test_what_is_not_there_is_not_found(bucket):
    for missing, said in [(bucket.url("none.mp"), "NoSuchKey"), ("s3://no-such-bucket-at-all/a.mp", "NoSuchBucket")]:
        with pytest.raises(FileNotFoundError, match=rf"404 Not Found.*{said}.*\(GET\)") as raised:
            vecpack.scan(missing)
        assert raised.value.filename == missing
        done = run_command("inspect", missing, "--quiet")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"vecpack: {missing}: 404 Not Found"), done.stderr


def test_who_must_not_read_is_told_so(bucket, monkeypatch):
    url = bucket.put("a.mp", pack(SMALL))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    for name in [url, bucket.url()]:
        with pytest.raises(PermissionError, match="403 Forbidden, InvalidAccessKeyId: not known") as raised:
            vecpack.scan(name)
        assert raised.value.filename == name
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", stores.KEY_ID)
    assert vecpack.scan(url).count_rows() == 100


def test_other_errors_tell_what_was_tried(bucket):
    url = bucket.put("a.mp", pack(SMALL))
    bucket.proxy.fault = failing(1, status=400, code="Odd")
    with pytest.raises(OSError, match=r"a\.mp: 400 Bad Request, Odd: as told \(GET\)"):
        vecpack.scan(url)


def test_without_credentials_the_variables_are_named(bucket, server, monkeypatch):
    url = bucket.put("a.mp", pack(SMALL))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", server.url)
    with pytest.raises(PermissionError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE"):
        vecpack.scan(url)
    assert not bucket.requests()
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert vecpack.scan(url).count_rows() == 100


def test_an_account_of_azure_must_be_named(environment):
    with pytest.raises(OSError, match="Account must be specified.*AZURE_STORAGE_ACCOUNT_NAME.*az://container/a.mp"):
        vecpack.scan("az://container/a.mp")


# Outputs


def test_parquet_goes_to_an_object(bucket, write_file):
    path, url = write_file("small.msgpack", SMALL), bucket.url("out/small.parquet")
    report = vecpack.to_parquet(path, url)
    assert (report.rows, report.outputs) == (100, [url])
    assert_same_bits(matrix(pq.read_table(io.BytesIO(bucket.get("out/small.parquet")))), SMALL)
    before = bucket.get("out/small.parquet")
    for _ in range(2):
        with pytest.raises(FileExistsError, match="exists already"):
            vecpack.to_parquet(path, url)
    assert bucket.get("out/small.parquet") == before
    vecpack.to_parquet(write_file("one.msgpack", SMALL[:1]), url, overwrite=True)
    assert pq.read_table(io.BytesIO(bucket.get("out/small.parquet"))).num_rows == 1


def test_a_large_object_goes_up_in_parts(bucket, write_file):
    url = bucket.url("large.parquet")
    bucket.proxy.fault = lambda request: (
        {"status": 503} if request.command == "PUT" and len(bucket.requests("PUT")) == 1 else None
    )
    report = vecpack.to_parquet(write_file("large.msgpack", LARGE), url)
    content = bucket.get("large.parquet")
    assert len(content) == report.bytes_out > 8 << 20
    assert_same_bits(matrix(pq.read_table(io.BytesIO(content))), LARGE)
    assert (len(bucket.requests("PUT")), bucket.uploads()) == (3, 0)


def test_an_object_that_appears_meanwhile_is_not_replaced(bucket, write_file):
    def meanwhile(request):
        if request.command == "PUT":
            bucket.put("a.parquet", b"somebody else's")

    bucket.proxy.fault = meanwhile
    for rows in [SMALL, LARGE]:
        bucket.direct("DELETE", "a.parquet")
        with pytest.raises(FileExistsError, match="exists already"):
            vecpack.to_parquet(write_file("a.msgpack", rows), bucket.url("a.parquet"))
        assert (bucket.get("a.parquet"), bucket.uploads()) == (b"somebody else's", 0)


@pytest.mark.parametrize("failing", ["partNumber=2", "uploadId"])
def test_what_fails_leaves_nothing_behind(bucket, write_file, failing):
    def fail(request):
        if failing in request.path and request.command in ("PUT", "POST"):
            return {"status": 403, "code": "AccessDenied"}

    bucket.proxy.fault = fail
    with pytest.raises(PermissionError, match=r"403 Forbidden, AccessDenied: as told \((PUT|POST)\)") as raised:
        vecpack.to_parquet(write_file("large.msgpack", LARGE), bucket.url("large.parquet"))
    assert raised.value.filename == bucket.url("large.parquet")
    assert (bucket.keys(), bucket.uploads()) == ([], 0)


def test_a_source_that_fails_leaves_nothing_behind(bucket, write_file):
    path = write_file("bad.msgpack", pack(LARGE) + b"\xc1")
    with pytest.raises(vecpack.DecodeError):
        vecpack.to_parquet(path, bucket.url("bad.parquet"))
    assert (bucket.keys(), bucket.uploads()) == ([], 0)


def test_a_directory_gets_an_object_for_each_input(bucket):
    for name in "ab":
        bucket.put(f"in/{name}.msgpack", pack(SMALL))
    out = bucket.url("out/")
    report = vecpack.to_parquet(bucket.url("in/"), out)
    assert report.outputs == [f"{out}a.parquet", f"{out}b.parquet"]
    assert_same_bits(matrix(pq.read_table(io.BytesIO(bucket.get("out/b.parquet")))), SMALL)
    bucket.direct("DELETE", "out/a.parquet")
    with pytest.raises(FileExistsError, match="holds an earlier run; option `resume` finishes it"):
        vecpack.to_parquet(bucket.url("in/"), bucket.url("out"))
    assert bucket.keys(notes=True) == ["out/_vecpack/manifest.parquet"]
    bucket.direct("DELETE", "out/_vecpack/manifest.parquet")
    with pytest.raises(FileExistsError) as raised:
        vecpack.to_parquet(bucket.url("in/"), bucket.url("out"))
    assert raised.value.filename == f"{out}b.parquet"
    assert "out/a.parquet" not in bucket.keys()
    assert vecpack.to_parquet(bucket.url("in/"), bucket.url("out"), overwrite=True).outputs == report.outputs


def test_parts_of_an_earlier_run_are_removed(bucket, write_file):
    path = write_file("large.msgpack", LARGE)
    options = {"max_file_bytes": 4 << 20, "row_group_bytes": 1 << 20, "compression": "none"}
    vecpack.to_parquet(path, bucket.url("parts/"), **options)
    assert bucket.keys() == [f"parts/part-0000{n}.parquet" for n in range(4)]
    with pytest.raises(FileExistsError):
        vecpack.to_parquet(path, bucket.url("parts/"), **options)
    bucket.put("parts/other.parquet", b"")
    done = run_command("to-parquet", str(path), "-o", bucket.url("parts/"), "--max-file-bytes", "1GiB", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert bucket.keys() == ["parts/other.parquet", "parts/part-00000.parquet"]


LIMITED = {
    "one object": ("out.parquet", {}, 0),
    "an object for each input": ("out/", {}, 3000),
    "parts": ("out/", {"max_file_bytes": 4 << 20, "row_group_bytes": 1 << 20}, 2000),
}
"""Targets, options, and rows that are there at the least, as what they are in was complete."""


@pytest.mark.parametrize("limit", [50, "10%"])
@pytest.mark.parametrize("shape", LIMITED)
def test_a_run_with_too_many_rejects_leaves_nothing_half_written(bucket, write_file, tmp_path, limit, shape):
    write_file("in/a.msgpack", LARGE[:3000])
    # The worst comes when parts of an object are on their way.
    bad = write_file("in/b.msgpack", pack(LARGE) + pack([None] * 1500))
    write_file("in/c.msgpack", LARGE[:10])
    out, options, complete = LIMITED[shape]
    options = {"on_error": "skip", "fail_after": limit, "compression": "none", **options}
    with pytest.raises(vecpack.DecodeError, match=f"records rejected, option `fail_after` allows {limit}") as raised:
        vecpack.to_parquet(tmp_path / "in", bucket.url(out), rejects=tmp_path / "bad.jsonl", **options)
    assert (raised.value.path, raised.value.record) == (str(bad), 5500)
    assert bucket.uploads() == 0
    # What is there was complete before.
    files = [matrix(pq.read_table(io.BytesIO(bucket.get(key)))) for key in bucket.keys()]
    rows = np.concatenate([LARGE[:0], *files])
    assert_same_bits(rows, np.concatenate([LARGE[:3000], LARGE])[: len(rows)])
    assert complete <= len(rows) < 8500
    lines = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert (lines[0]["file"], lines[0]["record"]) == (str(bad), 5500)
    assert len(lines) > 50


def test_rejects_of_a_run_that_fails_go_to_an_object(bucket, write_file):
    path, rejects = write_file("bad.msgpack", pack(SMALL) + pack([None] * 20)), bucket.url("bad.jsonl")
    with pytest.raises(vecpack.DecodeError, match="option `fail_after` allows 10%"):
        vecpack.to_parquet(path, bucket.url("out/"), on_error="skip", fail_after="10%", rejects=rejects)
    # The input was read to its end, so its file is there.
    assert bucket.keys() == ["bad.jsonl", "out/bad.parquet"]
    assert len(bucket.get("bad.jsonl").splitlines()) == 20


# Other stores


def google_account(url, monkeypatch, folder):
    """The account of a store of Google's that wants no credentials."""
    account = {"gcs_base_url": url, "disable_oauth": True} | dict.fromkeys(
        ["client_email", "private_key", "private_key_id"], ""
    )
    (folder / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(folder / "account.json"))
    monkeypatch.setenv("GOOGLE_BASE_URL", url)


@pytest.fixture
def google(server, monkeypatch, tmp_path):
    google_account(server.url, monkeypatch, tmp_path)
    return "gs://bucket/dir/", "/bucket/dir%2F{}%2E{}"


@pytest.fixture
def azure(server, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", server.url)
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
    monkeypatch.setenv("AZURE_SKIP_SIGNATURE", "true")
    return "az://bucket/dir/", "/bucket/dir/{}.{}"


@pytest.mark.parametrize("store", ["google", "azure"])
def test_objects_of_other_stores_are_read_and_written(server, store, request):
    directory, path = request.getfixturevalue(store)
    server.tags, server.files[path.format("large", "mp")] = "", pack(LARGE)
    assert_same_bits(matrix(vecpack.scan(f"{directory}large.mp")), LARGE)
    assert {wanted for *_, wanted in server.log if wanted} >= {f"bytes={PIECE}-{2 * PIECE - 1}"}
    small = f"{directory}small.parquet"
    assert vecpack.to_parquet(pack(SMALL), small).outputs == [small]
    assert_same_bits(matrix(pq.read_table(io.BytesIO(server.files[path.format("small", "parquet")]))), SMALL)
    with pytest.raises(FileExistsError, match="exists already"):
        vecpack.to_parquet(pack(SMALL), small)
    with pytest.raises(FileNotFoundError) as raised:
        vecpack.scan(f"{directory}none.mp")
    assert raised.value.filename == f"{directory}none.mp"


# Plain HTTP


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", ["/a b/large.msgpack", "/large.msgpack.gz", "/empty"])
def test_files_of_an_http_server(server, ranges, name):
    server.ranges = ranges
    content = {"/a b/large.msgpack": pack(LARGE), "/large.msgpack.gz": gzip.compress(pack(LARGE)), "/empty": b""}[name]
    server.files[name.replace(" ", "%20")] = content
    url = server.url + name.replace(" ", "%20")
    source = vecpack.scan(url, dim=512, vector="vector")
    assert len(vecpack.scan(url, dim=512, vector="vector").split(3)) == 3
    assert source.count_rows() == (5500 if content else 0)
    if content:
        assert_same_bits(matrix(pickle.loads(pickle.dumps(source))), LARGE)
    assert {method for method, *_ in server.log} <= {"GET", "HEAD"}


def test_a_query_is_sent_and_not_shown(server):
    server.files["/a"] = pack(SMALL)
    url = f"{server.url}/a?X-Signature=secret"
    source = vecpack.scan(url, include_path=True)
    assert source.files == [f"{server.url}/a"]
    assert pa.table(source)["path"].unique().to_pylist() == source.files
    assert {path for _, path, _ in server.log} == {"/a?X-Signature=secret"}
    for fault in [{"status": 403}, {"status": 404}, {"status": 400}]:
        server.fault = lambda request, fault=fault: fault
        with pytest.raises(OSError, match=str(fault["status"])) as raised:
            source.count_rows()
        assert "secret" not in str(raised.value)


def test_an_http_server_has_no_lists_and_takes_no_files(server, write_file):
    with pytest.raises(OSError, match="does not tell which files it has"):
        vecpack.scan(f"{server.url}/dir/")
    with pytest.raises(OSError, match="can be read, and not written"):
        vecpack.to_parquet(write_file("a.mp", SMALL), f"{server.url}/a.parquet")
    assert server.log == []


@pytest.fixture
def tls(server, tmp_path, monkeypatch):
    """Makes the server speak TLS, with a certificate that is like this."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    def begin(**certificate):
        path = stores.certificate(tmp_path / "certificate.pem", **certificate)
        stores.speak_tls(server, path)
        return path

    server.url = server.url.replace("http", "https")
    server.files["/a.mp"] = server.files["/bucket/a.mp"] = pack(SMALL)
    return begin


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the system alone says what is trusted")
def test_a_certificate_of_nobody_known_is_refused_until_it_is_trusted(server, tls, monkeypatch):
    certificate = tls()
    for _ in range(2):
        with pytest.raises(
            OSError, match=r"/a.mp: the server's certificate is of a CA that is not trusted: SSL_CERT_FILE"
        ):
            vecpack.scan(f"{server.url}/a.mp")
    assert server.greetings == 2, "it was tried again"
    # A program may set it once it has read the message.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert_same_bits(matrix(vecpack.scan(f"{server.url}/a.mp")), SMALL)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the system alone says what is trusted")
def test_an_object_store_with_a_certificate_of_its_own(server, tls, monkeypatch):
    certificate = tls()
    server.tags = ""
    monkeypatch.setenv("AWS_ENDPOINT", server.url)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(OSError, match=r"certificate is of a CA that is not trusted: SSL_CERT_FILE.*\(GET\)"):
        vecpack.scan("s3://bucket/a.mp")
    with pytest.raises(OSError, match=r"certificate is of a CA that is not trusted: SSL_CERT_FILE.*\(HEAD\)"):
        vecpack.to_parquet(pack(SMALL), "s3://bucket/a.parquet")
    assert server.greetings == 2
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert_same_bits(matrix(vecpack.scan("s3://bucket/a.mp")), SMALL)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the system alone says what is trusted")
@pytest.mark.parametrize(
    "certificate, said",
    [
        ({"ends": datetime.timedelta(days=-1)}, "certificate is refused: certificate expired"),
        ({"name": "127.0.0.2"}, "certificate is refused: certificate not valid for name"),
        ({"is_ca": True}, "certificate is refused: it is that of a CA"),
    ],
)
def test_a_certificate_that_is_no_good_is_refused_whoever_is_trusted(server, tls, monkeypatch, certificate, said):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls(**certificate)))
    with pytest.raises(OSError, match=said):
        vecpack.scan(f"{server.url}/a.mp")
    assert server.greetings == 1


def test_a_server_that_speaks_no_tls_is_told_from_others(server):
    server.files["/a.mp"] = pack(SMALL)
    with pytest.raises(OSError, match="does not answer in TLS: is it one for http://"):
        vecpack.scan(f"{server.url.replace('http', 'https')}/a.mp")


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the system alone says what is trusted")
def test_without_any_certificates_that_is_said(server, monkeypatch, tmp_path):
    (tmp_path / "none.pem").touch()
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(OSError, match="there are no CAs to trust: SSL_CERT_FILE may name"):
        vecpack.scan(f"{server.url}/a.mp")


def test_a_server_that_is_not_there_is_told(environment):
    # Both at once: what may pass is tried again, for some seconds.
    with stores.serving(stores.Files) as gone:
        urls = [f"http://127.0.0.1:{gone.server_port}/a", "http://no-such-host.invalid/a"]
    said = {}

    def scan(url):
        with pytest.raises(OSError) as raised:
            vecpack.scan(url)
        said[url] = str(raised.value)

    threads = [threading.Thread(target=scan, args=(url,)) for url in urls]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert re.fullmatch(r".*/a: Connection refused.* \(GET, tried 10 times more\)", said[urls[0]])
    assert re.fullmatch(r".*/a: .*(lookup|resolve|known).* \(GET, tried 10 times more\)", said[urls[1]])


def test_a_server_that_is_not_there_is_an_error(environment, monkeypatch):
    # Nobody listens; the tries that follow would take their time.
    with stores.serving(stores.Files) as gone:
        url = f"http://127.0.0.1:{gone.server_port}/a"
    code = """
        import signal, sys, vecpack
        signal.setitimer(signal.ITIMER_REAL, 1)
        signal.signal(signal.SIGALRM, lambda *_: sys.exit("waited"))
        vecpack.scan(sys.argv[1])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), url], capture_output=True, timeout=WATCHDOG)
    assert done.returncode == 1


# Processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_connections_of_its_own(bucket):
    url = bucket.put("a.mp", pack(SMALL))
    code = """
        import os, sys, warnings, vecpack
        warnings.simplefilter("ignore")
        source = vecpack.scan(sys.argv[1])
        batches = iter(source)
        assert source.count_rows() == 100
        for _ in range(3):
            child = os.fork()
            if child == 0:
                del batches
                os._exit(0 if source.count_rows() == 100 and vecpack.scan(sys.argv[1]).count_rows() == 100 else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert source.count_rows() == 100
        print("done")
    """
    assert run_python(code, url) == "done"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_forked_child_is_told_that_its_parent_reads_a_url(bucket, suffix):
    data = pack(vectors(40_000, 64))
    urls = [bucket.put(f"{n}.mp{suffix}", gzip.compress(data, 1) if suffix else data) for n in range(4)]
    code = """
        import os, signal, sys, warnings, vecpack
        warnings.simplefilter("ignore")
        for round in range(8):
            batches = iter(vecpack.scan(sys.argv[1:], threads=3))
            next(batches)
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                try:
                    sum(map(len, batches))
                except vecpack.VecpackError as error:
                    assert "begun in another process" in str(error)
                    sys.exit(0)
                os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
        print(len(next(batches)) > 0)
    """
    assert run_python(code, *urls) == "True"


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")
def test_nothing_is_started_before_a_url_is_used(bucket, write_file):
    code = """
        import pathlib, sys, vecpack
        def threads():
            return sum("store" in (task / "comm").read_text() for task in pathlib.Path("/proc/self/task").iterdir())
        assert vecpack.scan(sys.argv[1]).count_rows() == 100
        before = threads()
        assert vecpack.scan(sys.argv[2]).count_rows() == 100
        print(before, threads() > 0)
    """
    assert run_python(code, write_file("a.mp", SMALL), bucket.put("a.mp", pack(SMALL))) == "0 True"
