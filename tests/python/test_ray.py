"""Ray: sources as datasets and conversions on a cluster, on a local one of several worker processes, one of which dies."""

import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import duckdb
import msgpack
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import assert_same_bits, matrix, vectors

ray = pytest.importorskip("ray", reason="make test-engines installs it")

import vecpack.ray  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
DIM = 16
PROCESSORS = 3


@pytest.fixture(scope="module", autouse=True)
def cluster():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=PROCESSORS, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


@pytest.fixture
def files(write_file):
    """Records with an id each, in files of several sizes."""
    written, start = [], 0
    for number, rows in enumerate([3000, 10, 2000, 4000, 1000, 500]):
        found = vectors(rows, DIM, seed=number)
        records = [{"id": start + row, "vector": found[row].tobytes()} for row in range(rows)]
        written.append(write_file(f"in/{number}.msgpack", records))
        start += rows
    return written


@pytest.fixture
def expected(files):
    return vecpack.read([str(file) for file in files]).to_pyarrow()


def ids(dataset):
    return sorted(int(n) for batch in dataset.iter_batches(batch_format="numpy") for n in batch["id"])


@pytest.mark.parametrize("blocks", [1, 4, 9])
def test_every_row_is_in_the_dataset_once(files, expected, blocks):
    source = vecpack.scan([str(file) for file in files])
    dataset = vecpack.ray.read(source, override_num_blocks=blocks)
    assert ids(dataset) == expected["id"].to_pylist()
    found = np.concatenate([b["vector"] for b in dataset.sort("id").iter_batches(batch_format="numpy")])
    assert_same_bits(found, matrix(expected))


def test_options_are_those_of_scan(files):
    dataset = vecpack.ray.read(str(files[0].parent), columns=["vector"], dtype="float16", include_record=True)
    assert dataset.schema().names == ["vector", "record"]
    assert dataset.take_batch(5)["vector"].dtype == np.float16
    assert dataset.count() == 10_510
    with pytest.raises(TypeError, match="scan"):
        vecpack.ray.read(vecpack.scan(str(files[0])), dim=DIM)


def packed(kind, rows, start):
    """Records with an id each, written so that an option must say how they are read."""
    found = vectors(rows, DIM, seed=start)
    records = [{"id": start + row, "vector": found[row].tolist()} for row in range(rows)]
    if kind == "records":
        return msgpack.packb({"model": "m", "data": records, "n": rows})
    if kind == "columns":
        lists = [
            {key: [record[key] for record in records[at : at + 50]] for key in records[0]} for at in range(0, rows, 50)
        ]
        return b"".join(msgpack.packb(table) for table in lists)
    if kind == "length-prefixed":
        written = [msgpack.packb(record) for record in records]
        return b"".join(struct.pack(">I", len(record)) + record for record in written)
    if kind == "extensions":
        values = [msgpack.ExtType(42, found[row].tobytes()) for row in range(rows)]
    else:
        values = [found[row].astype("<f8").tobytes() for row in range(rows)]
    return b"".join(msgpack.packb({"id": start + row, "vector": value}) for row, value in enumerate(values))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("records", {"records": "data"}),
        ("columns", {"framing": "columns"}),
        ("length-prefixed", {"framing": "length-prefixed"}),
        ("extensions", {"extensions": {42: "<f4"}}),
        ("raw_dtype", {"raw_dtype": {"vector": "<f8"}}),
    ],
)
def test_what_options_say_of_the_bytes_travels_to_the_workers(tmp_path, kind, options):
    rows = [4000, 100, 900]
    for number, count in enumerate(rows):
        (tmp_path / f"{number}.msgpack").write_bytes(packed(kind, count, sum(rows[:number])))
    expected = vecpack.read(str(tmp_path), **options).to_pyarrow()
    assert expected["id"].to_pylist() == [*range(5000)]
    # More blocks than files, so that files are cut.
    dataset = vecpack.ray.read(str(tmp_path), override_num_blocks=8, **options)
    assert ids(dataset) == [*range(5000)]
    found = np.concatenate([b["vector"] for b in dataset.sort("id").iter_batches(batch_format="numpy")])
    assert_same_bits(found, matrix(expected))


def test_vectors_can_stay_lists(files):
    kind = vecpack.ray.read(str(files[1]), tensors=False).schema().base_schema.field("vector").type
    assert pa.types.is_fixed_size_list(kind) and kind.list_size == DIM
    may_be_null = vecpack.ray.read(str(files[1]), on_error="null").schema().base_schema
    assert pa.types.is_fixed_size_list(may_be_null.field("vector").type)


def test_what_nobody_asks_for_is_not_decoded(write_file):
    # The vector of the last record is broken: who reads it knows.
    records = [{"id": n, "vector": bytes(64)} for n in range(2000)] + [{"id": 2000, "vector": bytes(63)}]
    path = str(write_file("broken.msgpack", records))
    assert ids(vecpack.ray.read(path).select_columns(["id"])) == list(range(2001))
    with pytest.raises(Exception, match="record 2000"):
        vecpack.ray.read(path).materialize()


def test_tasks_know_their_limits_sizes_and_columns(files):
    source = vecpack.scan([str(file) for file in files])
    datasource = vecpack.ray.VecpackDatasource(source)
    assert datasource.estimate_inmemory_data_size() == sum(file.stat().st_size for file in files)
    tasks = datasource.get_read_tasks(3, per_task_row_limit=7, of_a_later_version=True)
    assert sum(task.metadata.size_bytes for task in tasks) == source.size()
    assert [name for task in tasks for name in task.metadata.input_files] == source.files
    assert [[table.num_rows for table in task()] for task in tasks] == [[7]] * len(tasks)
    (task,) = datasource.apply_projection({"id": "id"}).get_read_tasks(1)
    assert next(table.column_names for table in task()) == ["id"]
    assert vecpack.ray.read(source).limit(11).count() == 11


def workers(name):
    """The processes in which tasks of this name run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::" + name.encode()):
                found.append(int(process.name))
        except OSError:
            pass
    return found


class Killer(threading.Thread):
    """Kills one worker that runs a task of this name."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.task, self.killed, self.stop = name, None, threading.Event()

    def run(self):
        while self.killed is None and not self.stop.is_set():
            for process in workers(self.task)[:1]:
                os.kill(process, signal.SIGKILL)
                self.killed = process
            time.sleep(0.005)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()


@pytest.fixture
def many(write_file):
    for number in range(12):
        found = vectors(20_000, DIM, seed=number)
        write_file(
            f"many/{number:02}.msgpack", [{"n": number * 20_000 + n, "v": found[n].tolist()} for n in range(20_000)]
        )
    return write_file("many/99.msgpack", [{"n": -1, "v": found[0].tolist()}]).parent


def test_a_worker_that_dies_in_a_read_loses_and_doubles_nothing(many):
    dataset = vecpack.ray.read(str(many), override_num_blocks=12)
    with Killer("ReadVecpack") as killer:
        found = np.concatenate([batch["n"] for batch in dataset.iter_batches(batch_format="numpy")])
    assert killer.killed
    assert sorted(found.tolist()) == list(range(-1, 240_000))


def test_a_worker_that_dies_in_a_conversion_loses_and_doubles_nothing(many, tmp_path):
    with Killer("_convert") as killer:
        reports = vecpack.ray.to_parquet(str(many), tmp_path / "out")
    assert killer.killed
    assert sum(report["rows"] for report in reports) == 240_001
    names = sorted(file.name for file in (tmp_path / "out").glob("*.parquet"))
    assert names == [*(f"{number:02}.parquet" for number in range(12)), "99.parquet"]
    rows = f"'{tmp_path}/out/*.parquet'"
    counted = duckdb.sql(f"SELECT count(*), count(DISTINCT n), min(n), max(n) FROM {rows}").fetchall()
    assert counted == [(240_001, 240_001, -1, 239_999)]


def test_a_driver_that_dies_loses_and_doubles_nothing(many, tmp_path):
    code = """
        import sys, ray, vecpack.ray
        ray.init(address=sys.argv[1], log_to_driver=False)
        vecpack.ray.to_parquet(sys.argv[2], sys.argv[3], concurrency=1)
    """
    address = ray.get_runtime_context().gcs_address
    out = tmp_path / "out"
    command = [sys.executable, "-c", textwrap.dedent(code), address, str(many), str(out)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(out.glob("*.parquet"))) < 4:
        assert driver.poll() is None
        time.sleep(0.005)
    driver.kill()
    driver.wait()
    reports = vecpack.ray.to_parquet(str(many), out, resume=True)
    assert 3 <= reports.count(None) < 13
    counted = duckdb.sql(f"SELECT count(*), count(DISTINCT n) FROM '{out}/*.parquet'").fetchall()
    assert counted == [(240_001, 240_001)]
    assert done(vecpack.ray.to_parquet(str(many), out, resume=True)) == []


def test_files_are_those_of_a_conversion_in_one_process(files, tmp_path):
    options = {"compression": "zstd", "columns": ["vector", "id"]}
    vecpack.to_parquet(str(files[0].parent), f"{tmp_path}/one/", **options)
    vecpack.ray.to_parquet(str(files[0].parent), tmp_path / "cluster", **options)
    one = sorted(file.name for file in (tmp_path / "one").glob("*.parquet"))
    assert one == sorted(file.name for file in (tmp_path / "cluster").glob("*.parquet"))
    for name in one:
        assert pq.read_table(tmp_path / "one" / name).equals(pq.read_table(tmp_path / "cluster" / name))


def done(reports):
    return [number for number, report in enumerate(reports) if report is not None]


def test_a_run_is_resumed_and_what_changed_is_done_again(files, tmp_path):
    out = tmp_path / "out"
    everything = range(len(files))
    assert done(vecpack.ray.to_parquet(files, out)) == [*everything]
    with pytest.raises(FileExistsError, match="resume"):
        vecpack.ray.to_parquet(files, out)
    assert done(vecpack.ray.to_parquet(files, out, resume=True, threads=2)) == []
    # One file is gone, one input is another, and one file is another.
    (out / "0.parquet").unlink()
    files[1].write_bytes(files[1].read_bytes() * 2)
    (out / "2.parquet").write_bytes(b"")
    assert done(vecpack.ray.to_parquet(files, out, resume=True)) == [0, 1, 2]
    assert done(vecpack.ray.to_parquet(files, out, resume=True)) == []
    assert pq.read_table(out, columns=["id"]).num_rows == 10_520
    with pytest.raises(vecpack.OptionError, match="option `compression` was .* in the earlier run"):
        vecpack.ray.to_parquet(files, out, resume=True, compression="lz4")
    with pytest.raises(vecpack.OptionError, match=r"holds rows of .*0\.msgpack, which is not among the inputs"):
        vecpack.ray.to_parquet(files[1:], out, resume=True)
    assert done(vecpack.ray.to_parquet(files, out, overwrite=True, compression="lz4")) == [*everything]


def test_columns_have_other_names_on_a_cluster(files, expected, tmp_path):
    out, names = tmp_path / "out", {"embedding": "vector", "n": "id"}
    renamed = vecpack.scan([str(file) for file in files]).rename({"vector": "embedding", "id": "n"})
    for dataset in (vecpack.ray.read(files, columns=names), vecpack.ray.read(renamed)):
        assert sorted(dataset.schema().names) == ["embedding", "n"]
        assert sorted(row["n"] for row in dataset.select_columns(["n"]).take_all()) == expected["id"].to_pylist()
    vecpack.ray.to_parquet(files, out, columns=names)
    found = pq.read_table(out).sort_by("n")
    assert found["n"].to_pylist() == expected["id"].to_pylist()
    assert done(vecpack.ray.to_parquet(files, out, columns=names, resume=True)) == []
    with pytest.raises(vecpack.OptionError, match="resume with the same options"):
        vecpack.ray.to_parquet(files, out, columns={"embedding": "vector", "m": "id"}, resume=True)
    with pytest.raises(vecpack.OptionError, match="resume with the same options"):
        swapped = renamed.rename({"n": "embedding", "embedding": "n"})
        vecpack.ray.to_parquet(swapped, out, resume=True)


def test_what_the_manifest_does_not_have_is_done_again(files, tmp_path):
    out = tmp_path / "out"
    vecpack.ray.to_parquet(files[:2], out)
    manifest = (out / "_vecpack" / "manifest.parquet").read_bytes()
    vecpack.ray.to_parquet(files, out, resume=True)
    # As if the process had died in the middle of the third line.
    whole = (out / "_vecpack" / "manifest.parquet").read_bytes()
    lines = whole.split(b"\n")
    assert manifest.split(b"\n")[:4] == lines[:4]
    (out / "_vecpack" / "manifest.parquet").write_bytes(b"\n".join(lines[:4]) + b"\n" + lines[4][:40])
    assert done(vecpack.ray.to_parquet(files, out, resume=True)) == [2, 3, 4, 5]
    assert pq.read_table(out, columns=["id"]).num_rows == 10_510


@pytest.mark.parametrize("list_type", ["fixed", "list"])
def test_readers_of_whole_directories_do_not_stumble_over_the_manifest(files, tmp_path, list_type):
    out = tmp_path / "out"
    vecpack.ray.to_parquet(files, out, list_type=list_type)
    assert (out / "_vecpack" / "manifest.parquet").exists()
    assert pl.read_parquet(out).height == 10_510
    assert pq.read_table(out).num_rows == 10_510
    assert duckdb.sql(f"SELECT count(*) FROM '{out}/**/*.parquet'").fetchall() == [(10_510,)]


def test_a_cluster_goes_on_with_the_run_of_one_process_and_the_other_way_round(files, tmp_path):
    out = tmp_path / "out"
    vecpack.to_parquet(files[:2], f"{out}/")
    assert done(vecpack.ray.to_parquet(files[:4], out, resume=True)) == [2, 3]
    report = vecpack.to_parquet(files, f"{out}/", resume=True)
    assert (report.files, report.files_before) == (2, 4)
    assert done(vecpack.ray.to_parquet(files, out, resume=True)) == []
    assert pq.read_table(out, columns=["id"]).num_rows == 10_510


def test_two_runs_into_a_directory_are_refused(files, tmp_path):
    source = vecpack.scan([str(file) for file in files])
    first = vecpack._vecpack._Run(source, tmp_path / "out")
    with pytest.raises(OSError, match="another run writes to this directory"):
        vecpack.ray.to_parquet(source, tmp_path / "out", overwrite=True)
    del first


def test_rejects_are_a_table_and_the_limit_is_one_of_the_run(files, tmp_path, write_file):
    bad = [write_file(f"in/bad{n}.msgpack", [{"id": -n, "vector": bytes(63)}] * 10) for n in range(3)]
    link = tmp_path / "in" / "gone.msgpack"
    link.symlink_to(tmp_path / "nowhere")
    inputs, rejects = str(tmp_path / "in" / "*.msgpack"), tmp_path / "rejects.parquet"
    reports = vecpack.ray.to_parquet(inputs, tmp_path / "out", on_error="skip", rejects=rejects, fail_after="1%")
    assert [report and report["rejects"] for report in reports] == [0] * 6 + [10] * 3 + [None]
    table = pq.read_table(rejects).to_pylist()
    places = sorted((reject["file"], reject["record"]) for reject in table)
    assert places == sorted([(str(file), n) for file in bad for n in range(10)] + [(str(link), 0)])
    (unreadable,) = [reject for reject in table if reject["kind"] == "unreadable"]
    assert unreadable["file"] == str(link) and "No such file" in unreadable["found"]
    # As one process writes it.
    vecpack.to_parquet([*files, *bad], f"{tmp_path}/one/", on_error="skip", rejects=tmp_path / "one.parquet")
    assert pq.read_schema(tmp_path / "one.parquet").equals(pq.read_schema(rejects))
    # What could not be read is tried again.
    link.unlink()
    write_file("in/gone.msgpack", [{"id": 1, "vector": bytes(64)}])
    assert done(vecpack.ray.to_parquet(inputs, tmp_path / "out", on_error="skip", resume=True)) == [9]

    # Alone, each of the three is within the limit.
    with pytest.raises(vecpack.DecodeError, match="rejected, option `fail_after` allows 25; the first one: .*bad"):
        options = {"fail_after": 25, "rejects": tmp_path / "some.jsonl"}
        vecpack.ray.to_parquet(inputs, tmp_path / "limited", on_error="skip", **options)
    assert len((tmp_path / "some.jsonl").read_text().splitlines()) == 30


def part_ids(out):
    return sorted(pq.read_table(out, columns=["id"])["id"].to_pylist())


def test_a_file_has_the_rows_of_several_inputs(files, expected, tmp_path, write_file):
    out, options = tmp_path / "out", {"max_file_bytes": 350_000}
    reports = vecpack.ray.to_parquet(files, out, **options)
    # Of 3000 + 10, 2000, 4000, and 1000 + 500 rows of about 80 bytes.
    assert [report and report["rows"] for report in reports] == [3010, None, 2000, 4000, 1500, None]
    assert sorted(file.name for file in out.glob("*.parquet")) == [f"part-0000{n}.parquet" for n in range(4)]
    assert part_ids(out) == expected["id"].to_pylist()
    assert done(vecpack.ray.to_parquet(files, out, resume=True, **options)) == []
    # A file that is gone, and a new input; one process may do the rest.
    (out / "part-00003.parquet").unlink()
    more = write_file("in/6.msgpack", [{"id": 10_510, "vector": bytes(64)}])
    assert done(vecpack.ray.to_parquet([*files, more], out, resume=True, **options)) == [4]
    last = write_file("in/7.msgpack", [{"id": 10_511, "vector": bytes(64)}])
    assert vecpack.to_parquet([*files, more, last], f"{out}/", resume=True, **options).files_before == 7
    assert part_ids(out) == [*range(10_512)]
    # Of an earlier run nothing stays.
    vecpack.ray.to_parquet(files, out, overwrite=True, max_file_bytes=1 << 30)
    assert [file.name for file in out.glob("*.parquet")] == ["part-00000.parquet"]
    assert part_ids(out) == expected["id"].to_pylist()


def test_a_file_of_several_inputs_leaves_out_those_that_cannot_be_read(files, tmp_path):
    source, out = vecpack.scan([str(file) for file in files], on_error="skip"), tmp_path / "out"
    for number in (1, 4, 5):
        files[number].unlink()
    options = {"max_file_bytes": 350_000, "rejects": tmp_path / "rejects.parquet"}
    reports = vecpack.ray.to_parquet(source, out, **options)
    assert [report and report["rows"] for report in reports] == [3000, None, 2000, 4000, None, None]
    unreadable = pq.read_table(tmp_path / "rejects.parquet").to_pylist()
    assert sorted(reject["file"] for reject in unreadable) == [str(files[number]) for number in (1, 4, 5)]
    assert len(part_ids(out)) == 9000


def test_an_input_that_cannot_be_read_ends_a_run_that_skips_nothing(files, tmp_path):
    source = vecpack.scan([str(file) for file in files])
    files[3].unlink()
    with pytest.raises(FileNotFoundError, match=r"3\.msgpack"):
        vecpack.ray.to_parquet(source, tmp_path / "out")


def test_an_error_ends_the_run_and_names_the_record_and_a_repaired_run_goes_on(files, tmp_path, write_file):
    broken = write_file("in/9.msgpack", [{"id": 1, "vector": bytes(63)}])
    with pytest.raises(vecpack.DecodeError, match="9.msgpack: record 0"):
        vecpack.ray.to_parquet([*files, broken], tmp_path / "out")
    assert not (tmp_path / "out" / "9.parquet").exists()
    broken.unlink()
    write_file("in/9.msgpack", [{"id": 1, "vector": bytes(64)}])
    vecpack.ray.to_parquet([*files, broken], tmp_path / "out", resume=True)
    assert pq.read_table(tmp_path / "out", columns=["id"]).num_rows == 10_511


def test_what_cannot_be_converted_is_refused_before_any_work(files, tmp_path):
    for wrong, options in (
        ([files[0], files[0]], {}),
        (bytes(files[0].read_bytes()), {}),
        (files, {"limit": 9}),
    ):
        with pytest.raises(vecpack.OptionError):
            vecpack.ray.to_parquet(wrong, tmp_path / "out", **options)
        assert not list((tmp_path / "out").glob("*.parquet"))


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a store, and the environment in which workers find it."""
    stores = pytest.importorskip("stores", reason="the store of the tests is not installed")
    with stores.object_store() as port, stores.serving(stores.Proxy, port=port, fault=lambda request: None) as proxy:
        environment = {
            "AWS_ENDPOINT": f"http://127.0.0.1:{proxy.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": stores.KEY_ID,
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield stores.Bucket(proxy, "ray"), {"ray_remote_args": {"runtime_env": {"env_vars": environment}}}


def test_urls_are_read_and_written(files, expected, bucket, tmp_path, monkeypatch):
    bucket, on_workers = bucket
    monkeypatch.chdir(tmp_path)
    for file in files:
        bucket.put(f"in/{file.name}", file.read_bytes())
    inputs, out = bucket.url("in/"), bucket.url("out")
    assert ids(vecpack.ray.read(inputs, **on_workers)) == expected["id"].to_pylist()

    source = vecpack.scan(inputs)
    content = bucket.get("in/3.msgpack")
    bucket.put("in/3.msgpack", content + b"\xc1")
    with pytest.raises(vecpack.DecodeError, match="3.msgpack"):
        vecpack.ray.to_parquet(source, out, concurrency=1, **on_workers)
    assert bucket.keys(notes=True) and "out/3.parquet" not in bucket.keys()
    bucket.put("in/3.msgpack", content)
    with pytest.raises(FileExistsError, match="resume"):
        vecpack.ray.to_parquet(inputs, out, **on_workers)
    reports = vecpack.ray.to_parquet(inputs, out, resume=True, **on_workers)
    assert done(reports) == [3, 4, 5]
    assert reports[3]["outputs"] == [f"{out}/3.parquet"]
    tables = [pq.read_table(pa.BufferReader(bucket.get(f"out/{file.stem}.parquet"))) for file in files]
    assert pa.concat_tables(tables)["id"].to_pylist() == expected["id"].to_pylist()
    # One object has all that was done, also for a run of one process.
    assert bucket.keys(notes=True) == ["out/_vecpack/manifest.parquet"]
    assert vecpack.to_parquet(inputs, f"{out}/", resume=True).files_before == 6
    # Nothing went to the local disk.
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_small_inputs_are_joined_and_large_ones_cut(write_file):
    for number in range(300):
        write_file(f"in/{number:03}.msgpack", [{"id": number * 10 + row, "vector": bytes(64)} for row in range(10)])
    large = [{"id": 3000 + row, "vector": bytes(64)} for row in range(30_000)]
    directory = str(write_file("in/300.msgpack", large).parent)
    source = vecpack.scan(directory)
    datasource = vecpack.ray.VecpackDatasource(source)
    tasks = datasource.get_read_tasks(8)
    assert 8 <= len(tasks) <= 10
    tables = [list(task()) for task in tasks]
    # What works on a block works chunk by chunk.
    assert {table["id"].num_chunks for block in tables for table in block} == {1}
    blocks = [[table["id"].to_pylist() for table in block] for block in tables]
    assert [n for task in blocks for block in task for n in block] == list(range(33_000))
    # Batches reach over inputs.
    assert [len(task) for task in blocks] == [1] * len(tasks)
    # Planned once.
    assert [task.metadata.input_files for task in datasource.get_read_tasks(len(tasks))] == [
        task.metadata.input_files for task in tasks
    ]
    # By default there are no more tasks than the bytes are worth.
    assert vecpack.ray.read(source).materialize().num_blocks() <= 2
    assert ids(vecpack.ray.read(source, override_num_blocks=20)) == list(range(33_000))


def test_the_planner_reads_nothing(write_file):
    paths = [write_file(f"in/{n}.msgpack", [{"id": n, "vector": bytes(64)}] * 50) for n in range(20)]
    source = vecpack.scan([str(path) for path in paths])
    sizes = [path.stat().st_size for path in paths]
    for path in paths:
        # Whoever reads it knows.
        path.write_bytes(b"\xc1" * path.stat().st_size)
    tasks = source._tasks(3 * sizes[0])
    assert [(len(part.files), pieces) for part, pieces in tasks][:6] == [(3, 1)] * 6
    assert [name for part, _ in tasks for name in part.files] == source.files
    assert [pieces for _, pieces in source._tasks(sizes[0] // 4)] == [4] * 20


def lance_keys(out):
    lance = pytest.importorskip("lance", reason="make test-engines installs it")
    return sorted(lance.dataset(str(out)).to_table(columns=["id"])["id"].to_pylist())


def test_fragments_of_workers_are_one_dataset(files, expected, tmp_path):
    lance = pytest.importorskip("lance", reason="make test-engines installs it")
    out = tmp_path / "out.lance"
    paths = [str(file) for file in files]
    report = vecpack.ray.to_lance(paths[:4], out, fragment_bytes=1)
    assert (report.rows, report.files, report.rejects) == (9010, 4, 0)
    assert (lance.dataset(str(out)).version, len(lance.dataset(str(out)).get_fragments())) == (1, 4)
    # One process goes on with what a cluster began, and a cluster with that.
    assert vecpack.to_lance(paths[:5], out, resume=True).rows == 1000
    report = vecpack.ray.to_lance(paths, out, resume=True)
    assert (report.rows, report.rows_before) == (500, 10_010)
    assert lance_keys(out) == expected["id"].to_pylist()


def test_a_dataset_without_inputs_that_cannot_be_read(files, tmp_path, write_file):
    paths = [str(file) for file in files[:3]]
    gone = tmp_path / "in" / "gone.msgpack"
    source = vecpack.scan(
        [*paths[:2], str(write_file("in/gone.msgpack", [])), paths[2]], on_error="skip", dim=DIM, vector="vector"
    )
    gone.unlink()
    out, listing = tmp_path / "out.lance", tmp_path / "rejects.jsonl"
    report = vecpack.ray.to_lance(source, out, fragment_bytes=1 << 30, rejects=listing)
    assert (report.rows, report.files, report.rejects) == (5010, 3, 1)
    assert "unreadable" in listing.read_text() and str(gone) in report.first_rejects[0]
    assert len(lance_keys(out)) == 5010
