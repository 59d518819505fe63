"""`to_lance`: a dataset that has every row once, whatever dies on the way, and is there as a whole or not at all."""

import datetime
import json
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, run_python, vectors
from test_stores import bucket, environment, port  # noqa: F401

lance = pytest.importorskip("lance", reason="make test-engines installs it")

pytestmark = pytest.mark.filterwarnings("default")
DIM = 32
SIZES = [700, 10, 500, 900, 300, 400]
ROWS = sum(SIZES)


@pytest.fixture
def files(write_file):
    written, start = [], 0
    for number, rows in enumerate(SIZES):
        found = vectors(rows, DIM, seed=number)
        records = [{"key": start + row, "vector": found[row].tobytes()} for row in range(rows)]
        written.append(str(write_file(f"in/{number}.msgpack", records)))
        start += rows
    return written


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.lance"


def keys(out):
    return sorted(lance.dataset(str(out)).to_table(columns=["key"])["key"].to_pylist())


def assert_rows(dataset, files):
    """The rows of the files, in their order, bit by bit."""
    found, expected = dataset.to_table(), pa.table(vecpack.scan(files))
    assert found["key"].to_pylist() == expected["key"].to_pylist()
    assert_same_bits(matrix(found), matrix(expected))


def die(code, *arguments):
    """Runs `code`, which kills itself."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("fragment_bytes", [1, 100_000, 1 << 30])
def test_a_dataset_has_the_rows_of_the_source(files, out, fragment_bytes):
    source = vecpack.scan(files)
    seen = []
    report = vecpack.to_lance(
        source, out, fragment_bytes=fragment_bytes, progress=lambda done, total, rows: seen.append((done, total, rows))
    )
    dataset = lance.dataset(str(out))
    assert (report.rows, report.rows_before, report.files, report.rejects) == (ROWS, 0, len(SIZES), 0)
    assert report.bytes_in == source.size() and seen[-1] == (source.size(), source.size(), ROWS)
    assert len(dataset.get_fragments()) == len(seen) == {1: 6, 100_000: 5, 1 << 30: 1}[fragment_bytes]
    assert_rows(dataset, files)
    assert dataset.version == 1


def test_an_index_finds_what_is_nearest(files, out):
    expected = np.concatenate([vectors(rows, DIM, seed=number) for number, rows in enumerate(SIZES)])
    options = {"num_partitions": 2, "num_sub_vectors": 16}
    vecpack.to_lance(files, out, index="ivf-pq", index_options=options)
    dataset = lance.dataset(str(out))
    assert [each.field_names for each in dataset.describe_indices()] == [["vector"]]
    search = {"column": "vector", "q": expected[77], "k": 3, "nprobes": 2, "refine_factor": 20}
    best = np.argsort(((expected - expected[77]) ** 2).sum(axis=1))[:3].tolist()
    assert dataset.to_table(nearest=search)["key"].to_pylist() == best
    # A second run has nothing to do, and does not train again.
    before = dataset.version
    assert vecpack.to_lance(files, out, index="ivf-pq", resume=True).rows == 0
    assert lance.dataset(str(out)).version == before


def test_what_exists_is_refused_or_replaced(files, out, tmp_path):
    vecpack.to_lance(files[:2], out)
    with pytest.raises(FileExistsError, match="holds an earlier run"):
        vecpack.to_lance(files, out)
    vecpack.to_lance(files[2:3], out, overwrite=True)
    assert len(keys(out)) == SIZES[2]
    foreign = tmp_path / "foreign.lance"
    lance.write_dataset(pa.table({"a": [1]}), foreign)
    for options in ({}, {"resume": True}):
        with pytest.raises(FileExistsError, match="did not write"):
            vecpack.to_lance(files, foreign, **options)
    assert lance.dataset(str(foreign)).count_rows() == 1
    vecpack.to_lance(files, foreign, overwrite=True)
    assert keys(foreign) == list(range(ROWS))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(FileExistsError, match="no Lance dataset"):
        vecpack.to_lance(files, tmp_path / "other", overwrite=True)


KILLED = """
    import os, signal, sys, vecpack
    out, *files = sys.argv[1:]
    fragments = []

    def progress(done, total, rows):
        fragments.append(rows)
        if len(fragments) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    vecpack.to_lance(files, out, fragment_bytes=1, progress=progress)
"""


def test_a_run_that_was_killed_is_resumed(files, out):
    die(KILLED, out, *files)
    with pytest.raises(ValueError, match="not found"):
        lance.dataset(str(out))
    with pytest.raises(FileExistsError, match="holds an earlier run"):
        vecpack.to_lance(files, out)
    report = vecpack.to_lance(files, out, resume=True)
    assert (report.rows, report.rows_before, report.files) == (ROWS - 1210, 1210, 3)
    assert_rows(lance.dataset(str(out)), files)


def test_a_fragment_that_is_gone_is_written_again(files, out):
    die(KILLED, out, *files)
    data = out / "data"
    largest = max(data.iterdir(), key=lambda path: path.stat().st_size)
    largest.unlink()
    assert vecpack.to_lance(files, out, resume=True).rows == ROWS - 510
    assert keys(out) == list(range(ROWS))


@pytest.mark.parametrize("earlier", [0, 2])
def test_a_run_that_died_right_behind_its_commit_does_not_commit_again(files, out, earlier):
    if earlier:
        vecpack.to_lance(files[:earlier], out)
    code = """
        import os, signal, sys, lance, vecpack
        commit = lance.LanceDataset.commit

        def commit_and_die(*arguments, **options):
            commit(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        lance.LanceDataset.commit = commit_and_die
        out, *files = sys.argv[1:]
        vecpack.to_lance(files, out, fragment_bytes=1, resume=True)
    """
    die(code, out, *files)
    assert keys(out) == list(range(ROWS))
    report = vecpack.to_lance(files, out, resume=True)
    assert (report.rows, report.rows_before) == (0, ROWS)
    assert keys(out) == list(range(ROWS))


def test_inputs_are_added_to_a_dataset_that_was_changed_meanwhile(files, out):
    vecpack.to_lance(files[:3], out, fragment_bytes=1)
    dataset = lance.dataset(str(out))
    dataset.optimize.compact_files()
    dataset.cleanup_old_versions(older_than=datetime.timedelta(0), delete_unverified=True)
    assert len(dataset.get_fragments()) == 1
    report = vecpack.to_lance(files, out, resume=True)
    assert (report.rows, report.rows_before) == (1600, 1210)
    assert keys(out) == list(range(ROWS))


def test_a_run_over_a_dataset_is_resumed_as_one_that_replaces_it(files, out):
    vecpack.to_lance(files[:1], out)
    die(KILLED.replace("fragment_bytes=1", "fragment_bytes=1, overwrite=True"), out, *files)
    assert len(keys(out)) == SIZES[0]
    vecpack.to_lance(files, out, resume=True)
    assert keys(out) == list(range(ROWS))


def test_an_input_that_has_changed_is_refused_once_it_is_in_the_dataset(files, out, write_file):
    vecpack.to_lance(files, out)
    write_file("in/1.msgpack", [{"key": 1, "vector": bytes(4 * DIM)}])
    with pytest.raises(vecpack.OptionError, match=r"1\.msgpack.*has changed"):
        vecpack.to_lance(files, out, resume=True)
    assert keys(out) == list(range(ROWS))


def test_ids_that_would_move_are_refused(files, out):
    vecpack.to_lance(files[1:], out, include_id=True, columns=["vector"])
    with pytest.raises(vecpack.OptionError, match="has changed"):
        vecpack.to_lance(files, out, include_id=True, columns=["vector"], resume=True)
    vecpack.to_lance([*files[1:], files[0]], out, include_id=True, columns=["vector"], resume=True)
    ids = lance.dataset(str(out)).to_table(columns=["id"])["id"].to_pylist()
    assert ids == [number << 40 | row for number, file in enumerate([1, 2, 3, 4, 5, 0]) for row in range(SIZES[file])]


def test_other_options_and_other_kinds_of_run_are_refused(files, out):
    die(KILLED, out, *files)
    with pytest.raises(vecpack.OptionError, match="option `dtype`"):
        vecpack.to_lance(files, out, dtype="float16", resume=True)
    with pytest.raises(vecpack.OptionError, match="option `database`"):
        vecpack.to_parquet(files, f"{out}/", resume=True)


def test_rejects_are_counted_listed_and_limited(files, out, tmp_path, write_file):
    bad = str(write_file("in/bad.msgpack", [{"key": 1, "vector": b"123"}, {"key": ROWS, "vector": bytes(4 * DIM)}]))
    listing = tmp_path / "rejects.jsonl"
    options = {"on_error": "skip", "fragment_bytes": 1, "vector": "vector"}
    report = vecpack.to_lance([*files, bad], out, rejects=listing, **options)
    assert (report.rows, report.rejects) == (ROWS + 1, 1)
    assert [json.loads(line)["file"] for line in listing.read_text().splitlines()] == [bad]
    assert bad in report.first_rejects[0]
    limited = tmp_path / "limited.lance"
    with pytest.raises(vecpack.VecpackError, match="rejected"):
        vecpack.to_lance([*files, bad], limited, fail_after=0, **options)
    assert not (limited / "_versions").exists()


def test_an_error_is_what_a_scan_raises(files, out, write_file):
    bad = str(write_file("in/bad.msgpack", [{"key": 1, "vector": bytes(4 * DIM)}, {"key": 2, "vector": b"1"}]))
    with pytest.raises(vecpack.DecodeError) as raised:
        vecpack.to_lance([*files, bad], out)
    assert (raised.value.path, raised.value.record) == (bad, 1)
    assert not (out / "_versions").exists()


def test_what_lance_cannot_take_is_refused_before_anything_is_written(write_file, out):
    nested = write_file("nested.msgpack", [{"meta": {"vector": bytes(4 * DIM)}}])
    with pytest.raises(vecpack.SchemaError, match=r"`meta\.vector`"):
        vecpack.to_lance(nested, out, vector="meta.vector")
    with pytest.raises(vecpack.OptionError, match="index"):
        vecpack.to_lance(nested, out, columns={"v": "meta.vector"}, index="hnsw")
    assert not out.exists()


def test_a_source_without_rows_is_an_empty_dataset(out):
    vecpack.to_lance(b"", out, dim=DIM)
    dataset = lance.dataset(str(out))
    assert (dataset.count_rows(), dataset.schema.names) == (0, ["vector"])


def test_the_first_rows(files, out):
    vecpack.to_lance(files, out, limit=705)
    assert keys(out) == list(range(705))


def test_without_the_package_the_message_names_it(files):
    code = """
        import sys
        sys.modules["lance"] = None
        import vecpack
        try:
            vecpack.to_lance(sys.argv[1], "out.lance")
        except ImportError as error:
            print(error)
    """
    assert run_python(code, files[0]) == "to_lance() needs the package `pylance`: pip install pylance"


def test_the_command(files, out):
    command = [sys.executable, "-m", "vecpack", "to-lance", *files[:3], "-o", out, "--index", "ivf-pq"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 1210
    assert len(lance.dataset(str(out)).describe_indices()) == 1
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "--resume finishes it" in refused.stderr
    again = subprocess.run([*command, *files[3:], "--resume"], capture_output=True, text=True, timeout=60)
    assert again.returncode == 0 and "1,600 rows" in again.stderr, again.stderr
    # The index has taken in what was added.
    assert lance.dataset(str(out)).stats.index_stats("vector_idx")["num_unindexed_rows"] == 0
    assert keys(out) == list(range(ROWS))


STORED = """
    import os, signal, sys, vecpack

    def progress(done, total, rows):
        if rows > 1000:
            os.kill(os.getpid(), signal.SIGKILL)

    out, *files = sys.argv[1:]
    vecpack.to_lance(files, out, fragment_bytes=1, progress=progress)
"""


def test_a_dataset_in_a_store_is_resumed(files, bucket):  # noqa: F811
    out = bucket.url("out.lance")
    die(STORED, out, *files)
    report = vecpack.to_lance(files, out, resume=True)
    assert (report.rows, report.rows_before) == (ROWS - 1210, 1210)
    assert_rows(lance.dataset(out), files)
    assert bucket.keys(notes=True) == ["out.lance/_vecpack/manifest.parquet"]
    assert vecpack.to_lance(files, out, resume=True).rows == 0
    with pytest.raises(FileExistsError, match="holds an earlier run"):
        vecpack.to_lance(files, out)
