"""Lance: a source goes into a table as a stream, and its vectors get an index."""

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, vectors

lance = pytest.importorskip("lance", reason="make test-engines installs it")
lancedb = pytest.importorskip("lancedb", reason="make test-engines installs it")

pytestmark = pytest.mark.filterwarnings("default")
ROWS, DIM = 6000, 32


@pytest.fixture
def expected():
    return vectors(ROWS, DIM)


@pytest.fixture
def source(write_file, expected):
    records = [{"id": n, "vector": expected[n].tobytes()} for n in range(ROWS)]
    files = [write_file(f"{n}.msgpack", records[n * 2000 : (n + 1) * 2000]) for n in range(3)]
    return vecpack.scan(files, batch_rows=700)


def nearest_of_all(expected, query, count):
    return np.argsort(((expected - query) ** 2).sum(axis=1))[:count].tolist()


def test_a_dataset_with_an_index(source, expected, tmp_path):
    stream = pa.RecordBatchReader.from_stream(source)
    dataset = lance.write_dataset(stream, tmp_path / "vectors.lance")
    assert dataset.count_rows() == source.count_rows() == ROWS
    assert dataset.schema.field("vector").type == pa.list_(pa.float32(), DIM)
    found = dataset.to_table().sort_by("id")
    assert_same_bits(found["vector"].combine_chunks().flatten().to_numpy().reshape(-1, DIM), expected)
    dataset.create_index("vector", "IVF_FLAT", num_partitions=4)
    search = {"column": "vector", "q": expected[77], "k": 5, "nprobes": 4}
    assert dataset.to_table(nearest=search)["id"].to_pylist() == nearest_of_all(expected, expected[77], 5)


def test_fragments_that_were_written_apart_are_one_dataset(source, tmp_path):
    fragments = []
    for part in source.split_inputs():
        stream = pa.RecordBatchReader.from_stream(part)
        fragments += lance.fragment.write_fragments(stream, tmp_path / "parts.lance", schema=stream.schema)
    commit = lance.LanceOperation.Overwrite(pa.schema(source.schema), fragments)
    dataset = lance.LanceDataset.commit(tmp_path / "parts.lance", commit)
    assert (dataset.count_rows(), len(dataset.get_fragments())) == (ROWS, 3)
    assert sorted(dataset.to_table(columns=["id"])["id"].to_pylist()) == list(range(ROWS))


def test_a_nested_vector_under_a_name_that_lance_takes(write_file, expected, tmp_path):
    records = [{"id": n, "meta": {"embedding": expected[n].tobytes(), "lang": "de"}} for n in range(ROWS)]
    path = write_file("nested.msgpack", records)
    with pytest.raises(Exception, match=r"meta\.embedding"):
        lance.write_dataset(pa.RecordBatchReader.from_stream(vecpack.scan(path)), tmp_path / "dotted.lance")
    by_mapping = vecpack.scan(path, columns={"embedding": "meta.embedding", "id": "id"})
    by_rename = vecpack.scan(path).rename({"meta.embedding": "embedding"}).select(["embedding", "id"])
    for number, source in enumerate([by_mapping, by_rename]):
        dataset = lance.write_dataset(pa.RecordBatchReader.from_stream(source), tmp_path / f"{number}.lance")
        found = dataset.to_table().sort_by("id")
        assert_same_bits(found["embedding"].combine_chunks().flatten().to_numpy().reshape(-1, DIM), expected)
        database = lancedb.connect(tmp_path / "db")
        table = database.create_table(f"v{number}", data=pa.RecordBatchReader.from_stream(source))
        assert table.search(expected[5]).limit(1).to_arrow()["id"].to_pylist() == [5]


def test_a_table_of_lancedb(source, expected, tmp_path):
    table = lancedb.connect(tmp_path / "db").create_table("vectors", data=pa.RecordBatchReader.from_stream(source))
    assert table.count_rows() == source.count_rows() == ROWS
    table.add(pa.RecordBatchReader.from_stream(source.select(["id", "vector"])))
    assert table.count_rows() == 2 * ROWS
    found = table.search(expected[5]).limit(2).to_arrow()
    assert found["id"].to_pylist() == [5, 5]
