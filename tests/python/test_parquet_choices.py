"""Choices that are made when Parquet is written: how vectors are encoded, and how rows are cut into files."""

import os

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import assert_same_bits, matrix, vectors

ROWS, DIM = 4096, 64
UNIT = vectors(ROWS, DIM) / np.linalg.norm(vectors(ROWS, DIM), axis=1, keepdims=True)
RANDOM = np.random.default_rng(0)

PLAIN, PLAIN_ZSTD, PLANES_ZSTD = ("plain", "none"), ("plain", "zstd"), ("byte-stream-split", "zstd")

KINDS = {
    "of length one": (UNIT, PLAIN),
    "random bytes": (RANDOM.integers(0, 2**32, (ROWS, DIM), np.uint32).view("f4"), PLAIN),
    "from float16": (UNIT.astype("f2").astype("f4"), PLANES_ZSTD),
    "from bfloat16": ((UNIT.view("u4") & 0xFFFF0000).view("f4"), PLANES_ZSTD),
    "int8 times a scale": (RANDOM.integers(-127, 128, (ROWS, DIM)).astype("f4") * np.float32(0.0123), PLAIN_ZSTD),
    "constant": (np.full((ROWS, DIM), 0.125, "f4"), PLAIN_ZSTD),
    "the same again and again": (np.tile(UNIT[:4], (ROWS // 4, 1)), PLAIN_ZSTD),
    "float64": (RANDOM.standard_normal((ROWS, DIM)), PLAIN),
    "float64 from float32": (UNIT.astype("f8"), PLANES_ZSTD),
    "float16": (UNIT.astype("f2"), PLAIN),
    "no rows": (np.empty((0, DIM), "f4"), PLAIN),
}


def table(values):
    element = pa.field("element", pa.from_numpy_dtype(values.dtype), nullable=False)
    kind = pa.list_(element, values.shape[1])
    array = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=kind)
    return pa.table([array], pa.schema([pa.field("vector", kind, nullable=False)]))


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_written_as_it_suits_them(tmp_path, kind):
    values, expected = KINDS[kind]
    path = tmp_path / "vectors.parquet"
    report = vecpack.to_parquet(table(values.astype(values.dtype.newbyteorder("="))), path)
    assert report.encodings == [("vector", *expected)]
    assert_same_bits(matrix(pq.read_table(path)), values)
    column = pq.ParquetFile(path).metadata
    if len(values):
        column = column.row_group(0).column(0)
        assert column.compression == {"none": "UNCOMPRESSED", "zstd": "ZSTD"}[expected[1]]
        assert expected[0].replace("-", "_").upper() in column.encodings
    # Every reader reads what was chosen.
    assert duckdb.sql(f"SELECT count(vector) FROM '{path}'").fetchall() == [(len(values),)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compression", ["zstd", "lz4", "snappy"])
def test_what_is_chosen_is_not_larger_than_what_is_not(tmp_path, kind, compression):
    values, _ = KINDS[kind]
    sizes = {}
    for encoding in ("auto", "plain", "byte-stream-split"):
        path = tmp_path / f"{encoding}.parquet"
        sizes[encoding] = vecpack.to_parquet(table(values), path, compression=compression, encoding=encoding).bytes_out
    least = sizes["plain"] if values.dtype == "f2" else min(sizes.values())
    assert sizes["auto"] <= least * 1.06 + 1000


def test_each_column_gets_what_suits_it(tmp_path):
    columns = {name: table(KINDS[name][0].astype("f4"))["vector"] for name in ("of length one", "from float16")}
    report = vecpack.to_parquet(pa.table(columns), tmp_path / "vectors.parquet")
    assert report.encodings == [("of length one", *PLAIN), ("from float16", *PLANES_ZSTD)]


def test_without_compression_there_are_no_planes(tmp_path):
    report = vecpack.to_parquet(table(KINDS["from float16"][0]), tmp_path / "vectors.parquet", compression="none")
    assert report.encodings == [("vector", *PLAIN)]


@pytest.mark.parametrize("compression", ["auto", "none", "zstd"])
def test_a_file_is_the_same_for_any_number_of_threads(tmp_path, compression):
    values = KINDS["from float16"][0]
    records = pa.table(
        {"id": range(ROWS), "text": [f"row {n}" for n in range(ROWS)], "vector": table(values)["vector"]}
    )
    files = []
    for threads in (1, 2, 3, 8):
        path = tmp_path / f"{threads}.parquet"
        vecpack.to_parquet(records, path, compression=compression, threads=threads, row_group_bytes=40_000)
        files.append(path.read_bytes())
    assert len(set(files)) == 1


def parts(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("most", [1, 150_000, 400_000, 10**9])
def test_files_of_a_size_hold_all_rows_in_order(tmp_path, most, compression):
    inputs = []
    for number in range(3):
        inputs.append(tmp_path / f"{number}.msgpack")
        inputs[-1].write_bytes(b"".join(b"\xc5\x01\x00" + row.tobytes() for row in vectors(ROWS, DIM, seed=number)))
    out = tmp_path / "out"
    options = {"compression": compression, "encoding": "plain", "row_group_bytes": 100_000, "max_file_bytes": most}
    report = vecpack.to_parquet(inputs, out, **options)
    assert report.outputs == [str(out / f"part-{n:05}.parquet") for n in range(len(report.outputs))]
    assert parts(out) == ["_vecpack", *(name.rsplit("/", 1)[1] for name in report.outputs)]
    expected = np.concatenate([vectors(ROWS, DIM, seed=number) for number in range(3)])
    assert_same_bits(matrix(pa.concat_tables([pq.read_table(name) for name in report.outputs])), expected)
    sizes = [os.stat(name).st_size for name in report.outputs]
    groups = [pq.ParquetFile(name).num_row_groups for name in report.outputs]
    # A file has one row group at least; metadata makes a file a little larger than its pages.
    assert all(size <= most + 5000 or count == 1 for size, count in zip(sizes, groups, strict=True))
    assert len(sizes) <= max(2 * sum(sizes) // most, 1) or set(groups[:-1]) == {1}


def test_parts_of_an_earlier_run_do_not_stay_among_the_new(tmp_path):
    out = tmp_path / "out"
    vecpack.to_parquet(table(UNIT), out, max_file_bytes=100_000, row_group_bytes=100_000)
    before = parts(out)
    assert len(before) > 2
    (out / "other.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="part-00000"):
        vecpack.to_parquet(table(UNIT[:10]), out, max_file_bytes=100_000)
    assert parts(out) == sorted([*before, "other.txt"])
    vecpack.to_parquet(table(UNIT[:10]), out, max_file_bytes=100_000, overwrite=True)
    assert parts(out) == ["other.txt", "part-00000.parquet"]
    assert pq.read_table(out / "part-00000.parquet").num_rows == 10


def test_a_size_of_files_needs_a_directory(tmp_path):
    with pytest.raises(vecpack.OptionError, match="directory"):
        vecpack.to_parquet(table(UNIT), tmp_path / "one.parquet", max_file_bytes=100_000)
    assert parts(tmp_path) == []


def test_vectors_that_become_null_only_later(tmp_path):
    """The first row group has no nulls, the second has: what is written before is not known to have none."""
    element = pa.field("element", pa.float32(), nullable=False)
    rows = [*UNIT.tolist(), None, *UNIT[:5].tolist()]
    nullable = pa.table({"vector": pa.array(rows, pa.list_(element, DIM))})
    path = tmp_path / "vectors.parquet"
    vecpack.to_parquet(nullable, path, row_group_bytes=100_000)
    found = pq.read_table(path)["vector"]
    assert found.type == pa.list_(element)
    assert found.to_pylist() == rows


def test_array_functions_and_conditions_of_duckdb(tmp_path):
    path = tmp_path / "vectors.parquet"
    records = pa.table({"id": range(ROWS), "vector": table(UNIT)["vector"]})
    vecpack.to_parquet(records, path, row_group_bytes=100_000)
    query = f"""
        SELECT a.id, array_cosine_similarity(a.vector::FLOAT[{DIM}], b.vector::FLOAT[{DIM}]) AS similarity
        FROM '{path}' AS a, '{path}' AS b
        WHERE b.id = 4000
        ORDER BY similarity DESC LIMIT 3
    """
    expected = np.argsort(-(UNIT @ UNIT[4000]))[:3]
    assert [row for row, _ in duckdb.sql(query).fetchall()] == expected.tolist()
    statistics = pq.ParquetFile(path).metadata.row_group(1).column(0).statistics
    assert statistics.has_min_max
    assert 0 < statistics.min < statistics.max < ROWS - 1


def test_null_elements_that_the_schema_rules_out_are_an_error(tmp_path):
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False), 2)
    elements = pa.array([1.0, None, 3.0, 4.0], pa.float32())
    broken = pa.table({"vector": pa.FixedSizeListArray.from_arrays(elements, type=kind)})
    with pytest.raises(vecpack.VecpackError, match=r"vector\.list\.element: a null"):
        vecpack.to_parquet(broken, tmp_path / "vectors.parquet")
    assert parts(tmp_path) == []


def test_tables_without_columns_are_cut_into_files_too(tmp_path):
    rows = pa.table({"n": range(100)}).select([])
    report = vecpack.to_parquet(rows, tmp_path / "out", max_file_bytes=50, row_group_bytes=1)
    assert sum(pq.ParquetFile(name).metadata.num_rows for name in report.outputs) == 100
