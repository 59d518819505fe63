"""Parquet: what its readers get, and what happens to the files when something goes wrong."""

import io
import os
import stat
import sys

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, vectors

ROWS, DIM = 10_000, 8
EXPECTED = vectors(ROWS, DIM)
EXPECTED[5] = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, np.finfo("f4").max]
EXPECTED.view("u4")[6] = 0x7F800001 + np.arange(DIM)  # signalling NaNs

COMPRESSIONS = {"none": "UNCOMPRESSED", "zstd": "ZSTD", "lz4": "LZ4", "snappy": "SNAPPY"}
ENCODINGS = {"plain": "PLAIN", "byte-stream-split": "BYTE_STREAM_SPLIT"}


@pytest.fixture
def path(write_file):
    return write_file("in/v.msgpack", EXPECTED)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "v.parquet"


def leaf(path, group=0):
    return pq.ParquetFile(path).metadata.row_group(group).column(0)


def names(directory):
    return sorted(entry.name for entry in directory.iterdir())


def read_by_duckdb(path, dim, dtype="f4"):
    found = duckdb.sql(f"SELECT vector FROM read_parquet('{path}')").fetchnumpy()["vector"]
    return np.stack([np.asarray(row, dtype) for row in found]).reshape(-1, dim)


@pytest.mark.parametrize("list_type", ["fixed", "list"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_reader_gets_every_bit_back(path, out, compression, encoding, list_type):
    report = vecpack.to_parquet(path, out, compression=compression, encoding=encoding, list_type=list_type)
    assert report.encodings == [("vector", encoding, compression)]
    column = pq.read_table(out)["vector"].combine_chunks()
    assert column.null_count == 0
    assert_same_bits(column.flatten().to_numpy().reshape(-1, DIM), EXPECTED)
    assert_same_bits(pl.read_parquet(out)["vector"].explode().to_numpy().reshape(-1, DIM), EXPECTED)
    assert_same_bits(read_by_duckdb(out, DIM)[7:], EXPECTED[7:])
    np.testing.assert_array_equal(read_by_duckdb(out, DIM)[:7], EXPECTED[:7])
    assert leaf(out).compression == COMPRESSIONS[compression]
    assert ENCODINGS[encoding] in leaf(out).encodings


def test_the_size_of_the_lists_is_kept(path, out):
    vecpack.to_parquet(path, out)
    assert pq.read_schema(out) == pa.schema(vecpack.scan(path))
    assert pl.read_parquet_schema(out) == {"vector": pl.Array(pl.Float32, DIM)}
    assert duckdb.sql(f"SELECT sum(list_sum(vector::FLOAT[{DIM}])) IS NULL FROM '{out}'").fetchall() == [(False,)]


def test_the_size_of_the_lists_is_given_up_on_request(path, out):
    vecpack.to_parquet(path, out, list_type="list")
    assert pq.read_schema(out).field("vector").type == pa.list_(pa.field("element", pa.float32(), nullable=False))
    assert pl.read_parquet_schema(out) == {"vector": pl.List(pl.Float32)}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_floats_have_neither_dictionary_nor_statistics(path, out, encoding):
    vecpack.to_parquet(path, out, encoding=encoding)
    chunk = leaf(out)
    assert not chunk.has_dictionary_page
    assert not chunk.is_stats_set
    assert not {"RLE_DICTIONARY", "PLAIN_DICTIONARY"} & set(chunk.encodings)
    assert chunk.path_in_schema == "vector.list.element"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint8"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_element_type(out, dtype, encoding):
    expected = np.random.default_rng(1).integers(0, 100, (500, 3)).astype(dtype)
    vecpack.to_parquet(pack(expected), out, raw_dtype=dtype, dtype=dtype, encoding=encoding)
    assert_same_bits(matrix(pq.read_table(out)), expected)
    if dtype != "float16":
        assert_same_bits(pl.read_parquet(out)["vector"].to_numpy(), expected)
    # DuckDB reads BYTE_STREAM_SPLIT of floats and doubles only.
    if (encoding, dtype) != ("byte-stream-split", "float16"):
        assert_same_bits(read_by_duckdb(out, 3, dtype), expected)


@pytest.mark.parametrize("dim", [1, 2, 513, 20_000])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_vectors_of_any_length(out, dim, compression):
    expected = vectors(70, dim)
    vecpack.to_parquet(pack(expected), out, compression=compression)
    assert_same_bits(matrix(pq.read_table(out)), expected)
    assert_same_bits(read_by_duckdb(out, dim), expected)


@pytest.mark.parametrize("list_type", ["fixed", "list"])
def test_nulls_are_nulls_for_every_reader(out, list_type):
    rows = [None, *EXPECTED[100:3000], None, None, *EXPECTED[3000:3010], None]
    report = vecpack.to_parquet(pack(rows), out, on_error="null", list_type=list_type, row_group_bytes=40_000)
    assert (report.rows, report.rejects) == (len(rows), 4)
    expected = [None if row is None else row.tolist() for row in rows]
    assert pq.read_table(out)["vector"].to_pylist() == expected
    assert pl.read_parquet(out)["vector"].to_list() == expected
    found = duckdb.sql(f"SELECT vector FROM '{out}'").fetchall()
    assert [None if row is None else list(row) for (row,) in found] == expected


def test_skipped_records_are_counted(out):
    report = vecpack.to_parquet(pack([*EXPECTED[:10], None, b"x", *EXPECTED[10:20]]), out, on_error="skip")
    assert (report.rows, report.rejects) == (20, 2)
    assert_same_bits(matrix(pq.read_table(out)), EXPECTED[:20])


@pytest.mark.parametrize("row_group_bytes", [1, 32, 10_000, 65_536, 1 << 20])
def test_row_groups_are_bounded(path, out, row_group_bytes):
    rows = 200 if row_group_bytes < 100 else ROWS
    report = vecpack.to_parquet(pack(EXPECTED[:rows]), out, row_group_bytes=row_group_bytes)
    metadata = pq.ParquetFile(out).metadata
    sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert report.row_groups == metadata.num_row_groups
    assert sum(sizes) == rows
    assert max(sizes) <= max(row_group_bytes // (4 * DIM), 1)
    # No smaller than need be: all but the last are alike, and at least half as large as allowed.
    assert set(sizes[:-1]) <= {max(sizes)}
    assert len(sizes) == 1 or max(sizes) * 4 * DIM * 2 > row_group_bytes
    assert_same_bits(matrix(pq.read_table(out)), EXPECTED[:rows])


def test_a_large_file_has_several_row_groups_by_default(out):
    expected = vectors(20_000, 512)
    report = vecpack.to_parquet(pack(expected), out)
    assert report.row_groups == pq.ParquetFile(out).num_row_groups > 1
    assert_same_bits(matrix(pq.read_table(out)), expected)


def test_no_rows_make_a_file_with_a_schema(out):
    report = vecpack.to_parquet(b"", out, dim=3)
    assert (report.rows, pq.read_table(out).num_rows) == (0, 0)
    assert pq.read_schema(out).field("vector").type.list_size == 3


def test_a_target_that_exists_is_refused(path, out):
    out.write_bytes(b"old")
    asked = []
    with pytest.raises(FileExistsError) as caught:
        vecpack.to_parquet(path, out, progress=lambda *progress: asked.append(progress))
    assert "v.parquet" in str(caught.value)
    assert out.read_bytes() == b"old"
    assert (asked, names(out.parent)) == ([], ["v.parquet"])


def test_a_target_that_exists_is_overwritten_on_request(path, out):
    out.write_bytes(b"old")
    vecpack.to_parquet(path, out, overwrite=True)
    assert_same_bits(matrix(pq.read_table(out)), EXPECTED)
    vecpack.to_parquet(pack(EXPECTED[:3]), out, overwrite=True, sync=False)
    assert_same_bits(matrix(pq.read_table(out)), EXPECTED[:3])
    assert names(out.parent) == ["v.parquet"]


class MineError(Exception):
    """An exception of the user's own."""


def fail(*progress):
    raise MineError


def broken_stream():
    yield from EXPECTED[:5000]
    raise MineError


FAILURES = {
    "a bad record": (
        vecpack.DecodeError,
        lambda out, **options: vecpack.to_parquet(pack([*EXPECTED, None]), out, **options),
    ),
    "a callback": (
        MineError,
        lambda out, **options: vecpack.to_parquet(pack(EXPECTED), out, progress=fail, **options),
    ),
    "an iterator": (
        MineError,
        lambda out, **options: vecpack.to_parquet(vecpack.from_iter(broken_stream(), batch_rows=100), out, **options),
    ),
    "an option": (
        vecpack.OptionError,
        lambda out, **options: vecpack.to_parquet(pack(EXPECTED), out, compression="x", **options),
    ),
    "the schema": (vecpack.SchemaError, lambda out, **options: vecpack.to_parquet(b"", out, **options)),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_leaves_nothing_behind(out, failure):
    raised, run = FAILURES[failure]
    with pytest.raises(raised):
        run(out, row_group_bytes=10_000)
    assert names(out.parent) == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_leaves_the_old_file_as_it_was(path, out, failure):
    vecpack.to_parquet(path, out)
    before, status = out.read_bytes(), out.stat()
    raised, run = FAILURES[failure]
    with pytest.raises(raised):
        run(out, row_group_bytes=10_000, overwrite=True)
    assert out.read_bytes() == before
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert names(out.parent) == ["v.parquet"]


def test_while_a_file_is_written_the_old_one_stands_under_its_name(path, out):
    out.write_bytes(b"old")
    seen = set()
    vecpack.to_parquet(
        path,
        out,
        overwrite=True,
        row_group_bytes=10_000,
        batch_rows=100,
        progress=lambda done, total, rows: seen.add(out.read_bytes() if rows < ROWS else b"end"),
    )
    assert seen == {b"old", b"end"}


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_file_mode_is_that_of_any_new_file(path, tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        vecpack.to_parquet(path, tmp_path / "out.parquet")
        vecpack.to_parquet(path, tmp_path / "directory/")
    finally:
        os.umask(before)
    for written in (tmp_path / "out.parquet", tmp_path / "directory" / "v.parquet"):
        assert stat.S_IMODE(written.stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix", reason="symbolic links are POSIX")
def test_a_link_is_followed_and_stays_a_link(path, out, tmp_path):
    out.write_bytes(b"old")
    link = tmp_path / "link.parquet"
    link.symlink_to(out)
    vecpack.to_parquet(path, link, overwrite=True)
    assert link.is_symlink()
    assert_same_bits(matrix(pq.read_table(out)), EXPECTED)


def test_a_directory_that_is_not_there_is_made(path, tmp_path):
    for name in ("missing/more/v.parquet", "missing/other/"):
        vecpack.to_parquet(path, f"{tmp_path}/{name}")
    assert (tmp_path / "missing/more/v.parquet").is_file()
    assert (tmp_path / "missing/other" / f"{path.stem}.parquet").is_file()
    with pytest.raises(NotADirectoryError):
        vecpack.to_parquet(path, path / "v.parquet")


def test_the_output_may_be_the_input(write_file):
    path = write_file("v.parquet", EXPECTED)
    with pytest.raises(FileExistsError):
        vecpack.to_parquet(path, path)
    vecpack.to_parquet(path, path, overwrite=True)
    assert_same_bits(matrix(pq.read_table(path)), EXPECTED)


def test_a_parquet_file_may_be_rewritten_in_place(path, out):
    vecpack.to_parquet(path, out, row_group_bytes=10_000)
    file = pq.ParquetFile(out)
    reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(batch_size=100))
    vecpack.to_parquet(reader, out, overwrite=True, compression="zstd")
    assert leaf(out).compression == "ZSTD"
    assert_same_bits(matrix(pq.read_table(out)), EXPECTED)


@pytest.mark.parametrize("form", ["existing", "slash", "no extension"])
def test_a_directory_gets_a_file_for_each_input(write_file, tmp_path, form):
    paths = [write_file(f"{name}.msgpack", vectors(100, 3, seed=ord(name))) for name in "ba"]
    target = tmp_path / "many"
    if form == "existing":
        target.mkdir()
    report = vecpack.to_parquet(paths, f"{target}/" if form == "slash" else target)
    assert names(target) == ["_vecpack", "a.parquet", "b.parquet"]
    assert sorted(report.outputs) == [str(target / "a.parquet"), str(target / "b.parquet")]
    assert (report.files, report.rows) == (2, 200)
    for name in "ab":
        assert_same_bits(matrix(pq.read_table(target / f"{name}.parquet")), vectors(100, 3, seed=ord(name)))
    assert_same_bits(
        matrix(pl.read_parquet(target / "*.parquet").to_arrow()),
        np.concatenate([vectors(100, 3, seed=ord(n)) for n in "ab"]),
    )


def test_a_directory_with_one_of_the_targets_is_refused_before_any_work(write_file, tmp_path):
    paths = [write_file(f"{name}.msgpack", EXPECTED) for name in "ab"]
    target = tmp_path / "many"
    target.mkdir()
    (target / "b.parquet").write_bytes(b"old")
    with pytest.raises(FileExistsError, match=r"b\.parquet"):
        vecpack.to_parquet(paths, target)
    assert names(target) == ["b.parquet"]
    vecpack.to_parquet(paths, target, overwrite=True)
    assert names(target) == ["_vecpack", "a.parquet", "b.parquet"]


def test_inputs_of_the_same_name_do_not_overwrite_each_other(write_file, tmp_path):
    paths = [write_file(f"{name}/v.msgpack", vectors(10, 3)) for name in "ab"]
    try:
        vecpack.to_parquet(paths, tmp_path / "many")
    except vecpack.OptionError:
        assert list(tmp_path.glob("many/*")) == []
    else:
        assert pq.read_table(tmp_path / "many").num_rows == 20


def test_the_report_tells_what_was_done(path, out):
    paths = [path, path]
    report = vecpack.to_parquet(paths, out, row_group_bytes=65_536, compression="zstd", encoding="byte-stream-split")
    as_dict = report.to_dict()
    assert 0 <= as_dict.pop("seconds") == report.seconds < 60
    expected = {
        "rows": 2 * ROWS,
        "rejects": 0,
        "reject_kinds": {},
        "rejects_listed": 0,
        "rejects_file": None,
        "files": 2,
        "bytes_in": 2 * path.stat().st_size,
        "bytes_out": out.stat().st_size,
        "row_groups": pq.ParquetFile(out).num_row_groups,
        "files_before": 0,
        "rows_before": 0,
        "rejects_before": 0,
        "outputs": [str(out)],
        "encodings": [{"column": "vector", "encoding": "byte-stream-split", "compression": "zstd"}],
    }
    assert as_dict == expected
    assert report.encodings == [tuple(vector.values()) for vector in expected.pop("encodings")]
    for name, value in expected.items():
        assert getattr(report, name) == value
    text = str(report)
    for part in ("20", "v.parquet", "zstd", "byte-stream-split"):
        assert part in text
    assert 1 < len(text.splitlines()) < 10
    assert "20" in repr(report)


def test_progress_is_told_by_bytes_and_rows(path, out):
    told = []
    vecpack.to_parquet([path, path], out, batch_rows=1000, progress=lambda *progress: told.append(progress))
    size = 2 * path.stat().st_size
    _, total, rows = zip(*told, strict=True)
    assert len(told) >= 10
    assert set(total) == {size}
    assert told == sorted(told)
    assert told[-1] == (size, size, 2 * ROWS)
    assert 0 < rows[len(rows) // 2] < 2 * ROWS


def test_progress_of_a_stream_has_no_total(out):
    told = []
    vecpack.to_parquet(
        io.BytesIO(pack(EXPECTED)), out, batch_rows=1000, progress=lambda *progress: told.append(progress)
    )
    assert {total for _, total, _ in told} == {None}
    assert told[-1][2] == ROWS
    vecpack.to_parquet(
        pa.table(vecpack.read(pack(EXPECTED))),
        out,
        overwrite=True,
        progress=lambda *progress: told.append(progress),
    )
    assert told[-1][2] == ROWS


def test_an_exception_in_the_callback_comes_through_unchanged(path, out):
    raised = MineError("of the callback")
    calls = []

    def callback(done, total, rows):
        calls.append(rows)
        if len(calls) == 3:
            raise raised

    with pytest.raises(MineError) as caught:
        vecpack.to_parquet(path, out, batch_rows=100, progress=callback)
    assert caught.value is raised
    assert len(calls) == 3
    assert names(out.parent) == []


def test_a_progress_bar_goes_to_stderr_and_only_to_a_terminal(path, out, capfd):
    for progress in (True, None, False):
        vecpack.to_parquet(path, out, overwrite=True, progress=progress)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_progress_is_a_type_error(path, out):
    with pytest.raises(TypeError):
        vecpack.to_parquet(path, out, progress="bar")
    assert names(out.parent) == []


SOURCES = {
    "path": lambda path: path,
    "str": str,
    "list": lambda path: [path],
    "bytes": lambda path: path.read_bytes(),
    "file": lambda path: io.BytesIO(path.read_bytes()),
    "source": lambda path: vecpack.scan(path),
    "table": lambda path: vecpack.read(path, batch_rows=300),
    "stream": lambda path: vecpack.from_iter(EXPECTED),
    "pyarrow table": lambda path: vecpack.read(path).to_pyarrow(),
    "pyarrow reader": lambda path: pa.RecordBatchReader.from_stream(vecpack.scan(path)),
    "polars": lambda path: vecpack.read(path).to_polars(),
    "duckdb": lambda path: duckdb.from_arrow(vecpack.read(path).to_pyarrow()),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources_of_every_kind(path, out, kind):
    source = SOURCES[kind](path)
    report = vecpack.to_parquet(source, out)
    assert report.rows == ROWS
    assert_same_bits(matrix(pq.read_table(out)) if kind != "duckdb" else read_by_duckdb(out, DIM), EXPECTED)


def test_a_source_keeps_its_options(path, out):
    source = vecpack.scan(pack([*EXPECTED[:10], None]), dtype="float64", on_error="skip")
    report = vecpack.to_parquet(source, out)
    assert (report.rows, report.rejects, source.reject_count) == (10, 1, 1)
    assert pq.read_schema(out).field("vector").type.value_type == pa.float64()


def test_a_table_of_other_columns_too(out):
    table = vecpack.read(pack(EXPECTED[100:200])).to_pyarrow()
    table = table.append_column("id", pa.array(range(100))).append_column(
        "text", pa.array([f"text {n}" for n in range(100)])
    )
    table = table.append_column("tags", pa.array([["a"] * (n % 3) for n in range(100)]))
    for list_type in ("fixed", "list"):
        vecpack.to_parquet(table, out, list_type=list_type, row_group_bytes=3000, overwrite=True)
        found = pq.read_table(out)
        assert found.column_names == ["vector", "id", "text", "tags"]
        assert found.select(["id", "text", "tags"]).equals(table.select(["id", "text", "tags"]))
        assert found["vector"].to_pylist() == table["vector"].to_pylist()


@pytest.mark.parametrize("list_type", ["fixed", "list"])
def test_a_slice_of_a_table_with_nulls(out, list_type):
    values = [None if n % 5 == 0 else [float(n), float(-n)] for n in range(1000)]
    table = pa.table({"vector": pa.array(values, pa.list_(pa.float32(), 2))})
    vecpack.to_parquet(table.slice(333, 444), out, list_type=list_type)
    assert pq.read_table(out)["vector"].to_pylist() == values[333:777]
    assert pl.read_parquet(out)["vector"].to_list() == values[333:777]


def test_null_elements_of_a_foreign_table(out):
    values = [[1.0, None], [None, None], None, [2.0, 3.0]]
    for list_type in ("fixed", "list"):
        vecpack.to_parquet(
            pa.table({"v": pa.array(values, pa.list_(pa.float32(), 2))}),
            out,
            list_type=list_type,
            overwrite=True,
        )
        assert pq.read_table(out)["v"].to_pylist() == values


def test_two_vector_columns(out):
    columns = {name: vecpack.read(pack(vectors(50, dim))).to_pyarrow()["vector"] for name, dim in (("a", 3), ("b", 5))}
    vecpack.to_parquet(pa.table(columns), out)
    for number, (name, column) in enumerate(columns.items()):
        assert pq.read_table(out)[name].combine_chunks().equals(column.combine_chunks())
        assert not pq.ParquetFile(out).metadata.row_group(0).column(number).is_stats_set


class BytesPath:
    """What stands for a path in bytes, as an entry of `os.scandir(b"...")` does."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


@pytest.mark.parametrize("kind", [os.fsencode, lambda path: BytesPath(os.fsencode(path))], ids=["bytes", "PathLike"])
def test_paths_may_be_bytes(tmp_path, write_file, kind):
    path, rejects = tmp_path / "out-ä.parquet", tmp_path / "rejects-ä.jsonl"
    source = BytesPath(os.fsencode(write_file("v.msgpack", vectors(10, 4))))
    assert vecpack.to_parquet(source, kind(path), rejects=kind(rejects)).outputs == [str(path)]
    assert pq.read_table(path).num_rows == 10
    assert rejects.exists()
    for wrong in (0, None, ["x"]):
        with pytest.raises(TypeError, match="str, bytes or os.PathLike"):
            vecpack.to_parquet(source, wrong)


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are bytes on POSIX only")
def test_a_target_whose_name_is_not_utf8(path, tmp_path):
    target = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"v\xff.parquet"))
    report = vecpack.to_parquet(path, target)
    assert report.to_dict()["rows"] == ROWS
    with open(target, "rb") as file:
        assert_same_bits(matrix(pq.read_table(file)), EXPECTED)


def test_a_target_in_the_current_directory(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vecpack.to_parquet(path, "here.parquet")
    assert_same_bits(matrix(pq.read_table("here.parquet")), EXPECTED)
    assert "here.parquet" in names(tmp_path)
