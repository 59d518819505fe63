"""Sources: what they read, how lazily, and into how many batches and parts."""

import array
import io
import os
import pickle
import tempfile
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, rejects, run_python, vectors


class Unseekable(io.RawIOBase):
    """A binary stream that can only be read, and that counts what was read of it."""

    def __init__(self, data):
        self.rest = io.BytesIO(data)
        self.read_bytes = 0

    def readable(self):
        return True

    def read(self, size=-1):
        data = self.rest.read(size)
        self.read_bytes += len(data)
        return data


def test_the_schema_is_a_column_of_fixed_size_lists_without_nulls():
    source = vecpack.scan(pack(vectors(2, 3)))
    element = pa.field("element", pa.float32(), nullable=False)
    expected = pa.schema([pa.field("vector", pa.list_(element, 3), nullable=False)])
    assert pa.schema(source.schema) == pa.schema(source) == pa.table(source).schema == expected
    assert source.schema.names == ["vector"]
    assert len(source.schema) == 1
    assert source.dim == 3


def test_schemas_are_equal_when_dimension_and_type_are():
    schema = vecpack.scan(pack(vectors(1, 3))).schema
    assert schema == vecpack.scan(pack(vectors(9, 3, seed=1))).schema
    assert schema != vecpack.scan(pack(vectors(1, 4))).schema
    assert schema != vecpack.scan(pack(vectors(1, 3)), dtype="float64").schema
    assert "vector" in repr(schema)


def test_a_file_by_name_and_by_path_object(write_file):
    expected = vectors(5, 3)
    path = write_file("v.msgpack", expected)
    for name in (path, str(path)):
        source = vecpack.scan(name)
        assert source.files == [str(path)]
        assert_same_bits(matrix(source), expected)


def test_a_glob_gives_its_files_sorted_by_name(write_file):
    for name in ("b.msgpack", "a.msgpack", "c.other"):
        path = write_file(name, vectors(1, 2, seed=ord(name[0])))
    source = vecpack.scan(str(path.parent / "*.msgpack"))
    assert source.files == [str(path.parent / "a.msgpack"), str(path.parent / "b.msgpack")]
    assert_same_bits(matrix(source), np.concatenate([vectors(1, 2, seed=ord("a")), vectors(1, 2, seed=ord("b"))]))


def test_a_directory_gives_its_messagepack_files_sorted_and_with_those_below(write_file, tmp_path):
    names = ["d/b.msgpack", "d/a.mpack", "d/sub/c.MSGPACK", "d/.hidden.msgpack", "d/notes.txt"]
    for name in names:
        write_file(name, vectors(1, 2))
    found = vecpack.scan(tmp_path / "d").files
    assert found == [str(tmp_path / name) for name in ("d/a.mpack", "d/b.msgpack", "d/sub/c.MSGPACK")]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(write_file):
    write_file("v1.msgpack", vectors(1, 2))
    path = write_file("v[1].msgpack", vectors(3, 2))
    assert vecpack.scan(path).files == [str(path)]
    assert vecpack.scan(path).count_rows() == 3


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_a_file_whose_name_is_not_utf8(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"v\xff.msgpack")
    with open(path, "wb") as file:
        file.write(pack(vectors(3, 2)))
    source = vecpack.scan(os.fsdecode(path))
    assert source.count_rows() == 3
    assert pickle.loads(pickle.dumps(source)).count_rows() == 3


def test_a_list_of_all_kinds_keeps_its_order(write_file):
    parts = [vectors(3, 2, seed=n) for n in range(5)]
    inputs = [
        write_file("0.msgpack", parts[0]),
        pack(parts[1]),
        bytearray(pack(parts[2])),
        io.BytesIO(pack(parts[3])),
    ]
    source = vecpack.scan((*inputs, str(write_file("4.msgpack", parts[4]))))
    assert_same_bits(matrix(source), np.concatenate(parts))


@pytest.mark.parametrize(
    "kind",
    [
        bytes,
        bytearray,
        memoryview,
        lambda data: memoryview(np.frombuffer(data, np.uint8)),
        lambda data: array.array("B", data),
    ],
)
def test_anything_bytes_like(kind):
    expected = vectors(100, 3)
    assert_same_bits(matrix(vecpack.scan(kind(pack(expected)))), expected)


@pytest.mark.parametrize(
    "array",
    [
        np.ones((4, 3), np.float32),
        np.frombuffer(pack(vectors(4, 3)), np.uint8),
        array.array("f", [1, 2]),
        memoryview(np.ones(4, np.int16)),
        [np.ones(3, np.float32)],
        [[1.0, 2.0]],
        [1.0],
    ],
)
@pytest.mark.parametrize("function", [vecpack.scan, vecpack.read, vecpack.inspect])
def test_arrays_are_no_messagepack(function, array):
    with pytest.raises(TypeError, match=r"from_iter\(\) takes vectors in memory"):
        function(array)


def test_arrow_data_is_no_messagepack():
    table = vecpack.read(pack(vectors(4, 3)))
    for data in (table, pa.table(table), table.to_pandas()):
        with pytest.raises(TypeError, match=r"is Arrow data: to_parquet\(\) takes that"):
            vecpack.scan(data)


@pytest.mark.parametrize("files", ["v.msgpack", b"v.msgpack", Path("v.msgpack")])
def test_files_are_for_scan(files):
    with pytest.raises(TypeError, match=r"scan\(\) reads files"):
        vecpack.from_iter(files)


def test_paths_may_begin_with_the_home_directory_or_be_file_urls(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = vectors(5, 3)
    (tmp_path / "a b.msgpack").write_bytes(pack(expected))
    for path in ("~/a b.msgpack", Path("~/a b.msgpack"), f"file://{tmp_path}/a%20b.msgpack", "~/*.msgpack"):
        assert_same_bits(matrix(vecpack.scan(path)), expected)
    for out in ("~/out.parquet", f"file://{tmp_path}/o%75t.parquet"):
        assert vecpack.to_parquet("~/a b.msgpack", out, overwrite=True).outputs == [f"{tmp_path}/out.parquet"]
    monkeypatch.chdir(tmp_path)
    for data in ("~/a b.msgpack", vecpack.read("~/a b.msgpack")):
        with pytest.raises(vecpack.OptionError, match="not written to standard output: name a file or a directory"):
            vecpack.to_parquet(data, "-")
    with pytest.raises(vecpack.OptionError, match="another-host/out.parquet: a path of another host"):
        vecpack.to_parquet("~/a b.msgpack", "file://another-host/out.parquet")
    with pytest.raises(vecpack.OptionError, match="a path of another host"):
        vecpack.scan("file://another-host/a b.msgpack")
    assert sorted(os.listdir()) == ["a b.msgpack", "out.parquet"]
    with pytest.raises(vecpack.OptionError, match="hf:// is not supported; use s3://"):
        vecpack.scan("hf://datasets/a")


def test_a_buffer_with_gaps_is_read_right():
    expected = vectors(10, 3)
    gaps = memoryview(np.repeat(np.frombuffer(pack(expected), np.uint8), 2)[::2])
    assert not gaps.c_contiguous
    assert_same_bits(matrix(vecpack.scan(gaps)), expected)


def test_a_bytearray_that_is_changed_later_does_not_change_the_source():
    expected = vectors(100, 3)
    data = bytearray(pack(expected))
    source = vecpack.scan(data)
    data[:] = b"\xc1" * len(data)
    data.clear()
    assert_same_bits(matrix(source), expected)


@pytest.mark.parametrize("buffering", [0, -1])
def test_an_open_file_again_and_again_from_the_place_it_was_at(write_file, buffering):
    expected = vectors(1000, 3)
    path = write_file("v.msgpack", expected)
    with open(path, "rb", buffering) as file:
        file.seek(14 * 10)
        source = vecpack.scan(file)
        for _ in range(3):
            assert_same_bits(matrix(source), expected[10:])


def test_a_temporary_file_that_is_still_in_memory():
    expected = vectors(10, 3)
    with tempfile.SpooledTemporaryFile() as file:
        file.write(pack(expected))
        file.seek(0)
        assert_same_bits(matrix(vecpack.scan(file)), expected)


@pytest.mark.parametrize("dim", [None, 3])
def test_a_file_object_that_cannot_seek_is_read_once(dim):
    expected = vectors(20_000, 3)
    source = vecpack.scan(Unseekable(pack(expected)), dim=dim)
    assert_same_bits(matrix(source), expected)
    with pytest.raises(OSError, match="once"):
        source.count_rows()


def test_a_pipe():
    expected = vectors(20_000, 3)
    read_end, write_end = os.pipe()

    def feed():
        with open(write_end, "wb") as pipe:
            pipe.write(pack(expected))

    writer = threading.Thread(target=feed)
    writer.start()
    with open(read_end, "rb") as pipe:
        assert_same_bits(matrix(vecpack.scan(pipe)), expected)
    writer.join()


@pytest.mark.parametrize("dim", [None, 3])
def test_standard_input(dim):
    expected = vectors(20_000, 3)
    code = """
        import sys, numpy, vecpack
        table = vecpack.read("-", dim=eval(sys.argv[1]))
        print(table.num_rows, table.to_numpy().tobytes().hex()[-64:])
    """
    assert run_python(code, dim, input=pack(expected)) == f"20000 {expected.tobytes().hex()[-64:]}"


@pytest.mark.skipif(os.name != "posix", reason="named pipes are POSIX")
@pytest.mark.parametrize("dim", [None, 3])
def test_a_named_pipe(tmp_path, dim):
    expected = vectors(20_000, 3)
    (tmp_path / "vectors").write_bytes(pack(expected))
    os.mkfifo(tmp_path / "pipe")
    code = """
        import shutil, sys, threading, vecpack
        def feed():
            with open("vectors", "rb") as vectors, open("pipe", "wb") as pipe:
                shutil.copyfileobj(vectors, pipe)
        threading.Thread(target=feed).start()
        table = vecpack.read("pipe", dim=eval(sys.argv[1]))
        print(table.num_rows, table.to_numpy().tobytes().hex()[:64])
    """
    assert run_python(code, dim, cwd=tmp_path) == f"20000 {expected.tobytes().hex()[:64]}"


def test_a_text_file_is_refused(write_file):
    path = write_file("v.msgpack", b"abc")
    with open(path, encoding="ascii") as file, pytest.raises(TypeError, match="binary"):
        vecpack.scan(file, dim=1).count_rows()


def test_a_file_object_that_returns_too_much_is_an_error():
    class TooMuch:
        def read(self, size):
            return bytes(size + 1)

    with pytest.raises(TypeError, match="more than"):
        vecpack.scan(TooMuch(), dim=1).count_rows()


@pytest.mark.parametrize("scan", [lambda source: source.count_rows(), lambda source: source.to_pyarrow(), list])
def test_an_exception_of_a_file_object_comes_through_unchanged(scan):
    class MineError(Exception):
        pass

    raised = MineError("of the file object")

    class Broken(Unseekable):
        def read(self, size=-1):
            data = super().read(size)
            if not data:
                raise raised
            return data

    with pytest.raises(MineError) as caught:
        scan(vecpack.scan(Broken(pack(vectors(1000, 3)))))
    assert caught.value is raised


def test_scanning_again_gives_the_same(write_file):
    source = vecpack.scan(write_file("v.msgpack", vectors(10_000, 4)), batch_rows=1000)
    first, second = iter(source), iter(source)
    next(first)
    assert sum(batch.num_rows for batch in second) == 10_000
    assert sum(batch.num_rows for batch in first) == 9_000
    assert_same_bits(matrix(source), vectors(10_000, 4))


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_counting_counts_what_a_scan_gives(write_file, threads):
    good, bad = vectors(5000, 4), [b"no vector"]
    paths = [write_file("a.msgpack", [*good, *bad, *good]), write_file("b.msgpack", good)]
    source = vecpack.scan(paths, on_error="skip", threads=threads)
    assert source.count_rows() == pa.table(source).num_rows == 15_000


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("batch_rows", [None, 1, 100, 3000])
def test_rows_keep_their_order_whatever_the_threads(write_file, threads, batch_rows):
    rows = 300 if batch_rows == 1 else 20_000
    parts = [vectors(rows, 4, seed=1), vectors(7, 4, seed=2), vectors(rows, 4, seed=3)]
    paths = [write_file(f"{n}.msgpack", part) for n, part in enumerate(parts)]
    source = vecpack.scan(paths, threads=threads, batch_rows=batch_rows)
    assert_same_bits(matrix(source), np.concatenate(parts))
    assert all(0 < batch.num_rows <= (batch_rows or 50_000) for batch in source)


@pytest.mark.parametrize("batch_bytes", [1, 16, 47, 1000, 64 << 10])
def test_batches_keep_below_batch_bytes_but_have_one_row_at_least(batch_bytes):
    source = vecpack.scan(pack(vectors(500, 4)), batch_bytes=batch_bytes)
    sizes = [batch.num_rows for batch in source]
    assert sum(sizes) == 500
    assert max(sizes) * 16 <= max(batch_bytes, 16)
    assert min(sizes) >= 1


def test_batches_have_a_schema_and_a_length():
    source = vecpack.scan(pack(vectors(5, 4)))
    (batch,) = source
    assert (len(batch), batch.num_rows) == (5, 5)
    assert batch.schema == source.schema


def test_scanning_reads_only_what_it_takes_to_know_the_dimension():
    data = pack(vectors(300_000, 8))
    file = Unseekable(data)
    source = vecpack.scan(file)
    assert file.read_bytes < 1_000_000 < len(data)
    assert source.count_rows() == 300_000


def test_scanning_does_not_see_what_is_wrong_further_on(write_file):
    path = write_file("v.msgpack", [*vectors(10, 3), None])
    source = vecpack.scan(path)
    with pytest.raises(vecpack.DecodeError):
        source.count_rows()


def test_a_file_is_read_when_it_is_scanned_and_not_before(write_file):
    path = write_file("v.msgpack", vectors(10, 3))
    source = vecpack.scan(path)
    path.write_bytes(pack(vectors(20, 3)))
    assert source.count_rows() == 20
    path.unlink()
    with pytest.raises(FileNotFoundError):
        source.count_rows()


@pytest.mark.parametrize("change", ["grow", "cut"])
def test_a_file_that_changes_while_it_is_read_is_an_error(write_file, change):
    path = write_file("v.msgpack", vectors(100_000, 16))
    batches = iter(vecpack.scan(path, threads=1, batch_rows=1000))
    next(batches)
    with open(path, "r+b") as file:
        if change == "grow":
            file.seek(0, io.SEEK_END)
            file.write(pack(vectors(10, 16)))
        else:
            file.truncate(200_000)
    with pytest.raises(OSError, match="changed"):
        list(batches)


def test_an_empty_input_has_no_rows(write_file):
    path = write_file("empty.msgpack", b"")
    source = vecpack.scan([path, b""], dim=3)
    assert pa.table(source).num_rows == source.count_rows() == 0
    assert pa.table(source).schema.field("vector").type.list_size == 3
    assert list(source) == []
    assert vecpack.scan([path, pack(vectors(2, 4)), b""]).count_rows() == 2


@pytest.mark.parametrize("inputs", [b"", [b"", b""], []])
def test_without_any_record_the_dimension_must_be_given(inputs):
    with pytest.raises(vecpack.SchemaError, match="dim"):
        vecpack.scan(inputs)


def test_the_dimension_is_that_of_the_first_good_record():
    data = pack([None, "abc", 1, *vectors(3, 5), *vectors(2, 4)])
    source = vecpack.scan(data, on_error="skip")
    assert (source.dim, source.count_rows()) == (5, 3)


def test_infer_records_bounds_the_search_for_the_first_good_record():
    data = pack([*[None] * 2000, *vectors(1, 5)])
    assert vecpack.scan(data, infer_records=0).dim == 5
    assert vecpack.scan(data, infer_records=2001).dim == 5
    for limit in ({}, {"infer_records": 2000}):
        with pytest.raises(vecpack.SchemaError, match="nil"):
            vecpack.scan(data, **limit)


def test_the_options_of_a_source_make_the_same_source_again():
    given = {
        "dtype": "float64",
        "raw_dtype": ">f4",
        "infer_records": 7,
        "on_error": "skip",
        "max_rejects": 8,
        "fail_after": "10%",
        "batch_rows": 9,
        "batch_bytes": 10_000,
        "threads": 2,
        "max_record_bytes": 11_000,
        "vector": ["vector"],
        "framing": "sequence",
        "columns": ["vector"],
        "include_path": True,
        "include_record": True,
        "include_id": True,
        "max_depth": 12,
        "max_expansion": 13,
        "store_window": 14_000_000,
    }
    data = pack(vectors(3, 2))
    source = vecpack.scan(data, **given)
    assert source.options == {"dim": 2, "schema": None, "extensions": None, "records": None, "limit": None, **given}
    assert vecpack.scan(data, **source.options).options == source.options
    renamed = vecpack.scan(data, **{**given, "columns": {"v": "vector"}})
    assert renamed.options == {
        "dim": 2,
        "schema": None,
        "extensions": None,
        "records": None,
        "limit": None,
        **given,
        "columns": {"v": "vector"},
    }
    assert vecpack.scan(data, **renamed.options).schema.names == ["v", "path", "record", "id"]


def test_the_repr_of_a_source_tells_what_it_gives():
    text = repr(vecpack.scan(pack(vectors(3, 200)), dtype="float64"))
    for part in ("Source", "200", "float64"):
        assert part in text


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 32])
def test_parts_of_a_source_are_together_the_source(write_file, parts):
    expected = [vectors(n, 3, seed=n) for n in (2000, 1, 500, 3000, 50)]
    source = vecpack.scan([write_file(f"{n}.msgpack", part) for n, part in enumerate(expected)], batch_rows=100)
    split = source.split(parts)
    assert len(split) == parts
    assert all(part.schema == source.schema for part in split)
    assert_same_bits(np.concatenate([matrix(part) for part in split]), np.concatenate(expected))


@pytest.mark.parametrize("as_bytes", [False, True])
def test_one_file_splits_between_records(write_file, as_bytes):
    expected = vectors(10_000, 3)
    path = write_file("v.msgpack", expected)
    parts = vecpack.scan(path.read_bytes() if as_bytes else path).split(3)
    counts = [part.count_rows() for part in parts]
    assert sum(counts) == 10_000
    assert min(counts) > 3000
    assert_same_bits(np.concatenate([matrix(part) for part in parts]), expected)


def test_records_of_any_kind_split_and_keep_their_numbers(write_file):
    records = [b"x" * n if n % 7 else {"a": [n, None]} for n in range(500)]
    records[::3] = vectors(len(records[::3]), 3)
    whole = vecpack.scan(write_file("v.msgpack", records), dim=3, on_error="skip")
    expected = matrix(whole)
    parts = whole.split(4)
    assert_same_bits(np.concatenate([matrix(part) for part in parts]), expected)
    columns = ("file", "record", "offset", "length", "kind")
    assert [reject for part in parts for reject in rejects(part, *columns)] == rejects(whole, *columns) != []


def test_a_cut_off_record_is_in_one_part_only(write_file):
    path = write_file("v.msgpack", pack(vectors(1000, 3))[:-1])
    parts = vecpack.scan(path, on_error="skip").split(3)
    assert sum(part.count_rows() for part in parts) == 999
    assert sum(part.reject_count for part in parts) == 1


def test_splitting_into_more_parts_than_rows_gives_empty_parts():
    parts = vecpack.scan(pack(vectors(2, 3))).split(10)
    assert len(parts) == 10
    assert_same_bits(np.concatenate([matrix(part) for part in parts]), vectors(2, 3))


def test_a_part_splits_again():
    parts = [inner for outer in vecpack.scan(pack(vectors(100, 3))).split(2) for inner in outer.split(2)]
    assert_same_bits(np.concatenate([matrix(part) for part in parts]), vectors(100, 3))
    assert len([part for part in parts if part.count_rows()]) == 4


def test_a_source_is_not_split_into_nothing():
    with pytest.raises(vecpack.OptionError):
        vecpack.scan(pack(vectors(2, 3))).split(0)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_source_and_its_pickled_parts_read_the_same(write_file, protocol):
    path = write_file("v.msgpack", vectors(1000, 3))
    source = vecpack.scan([path, pack(vectors(10, 3, seed=1))], batch_rows=64, dtype="float64")
    expected = matrix(source)
    assert expected.dtype == np.float64
    again = pickle.loads(pickle.dumps(source, protocol))
    assert (again.files, again.options, again.schema) == (source.files, source.options, source.schema)
    assert_same_bits(matrix(again), expected)
    parts = pickle.loads(pickle.dumps(source.split(3), protocol))
    assert_same_bits(np.concatenate([matrix(part) for part in parts]), expected)


def test_a_source_is_unpickled_in_another_process(write_file, tmp_path):
    source = vecpack.scan(write_file("v.msgpack", vectors(1000, 3)))
    (tmp_path / "parts").write_bytes(pickle.dumps(source.split(2)))
    code = """
        import pickle, sys
        print(sum(part.count_rows() for part in pickle.load(open(sys.argv[1], "rb"))))
    """
    assert run_python(code, tmp_path / "parts") == "1000"


def test_a_source_of_a_file_object_does_not_pickle():
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(vecpack.scan(io.BytesIO(pack(vectors(2, 3)))))


def test_element_types_are_named_as_numpy_names_them():
    data = pack(vectors(2, 3).astype(">f4"))
    for raw in (">f4", np.dtype(">f4")):
        for dtype in ("float64", np.float64, np.dtype("f8")):
            assert_same_bits(matrix(vecpack.scan(data, raw_dtype=raw, dtype=dtype)), vectors(2, 3).astype("f8"))
    assert vecpack.scan(pack(vectors(2, 3)), raw_dtype=np.float32).dim == 3
    assert vecpack.scan(pack(vectors(2, 3)), raw_dtype="float32").dim == 3
    assert vecpack.scan(pack(vectors(2, 3)), raw_dtype=np.uint8).dim == 12
