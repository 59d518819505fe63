"""PyTorch: tensors without a copy, and a dataset of which every row comes once, whatever the workers."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, pack, vectors

torch = pytest.importorskip("torch", reason="make test-torch installs it")

from torch.utils.data import DataLoader  # noqa: E402
from vecpack.torch import VectorDataset  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
ROWS, DIM = 3000, 8
EXPECTED = vectors(ROWS, DIM)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint8"])
@pytest.mark.parametrize("batch_rows", [None, 700])
def test_tensors_of_every_type(dtype, batch_rows):
    expected = np.random.default_rng(1).integers(0, 100, (ROWS, DIM)).astype(dtype)
    options = {"raw_dtype": dtype, "dtype": dtype, "batch_rows": batch_rows}
    for read in (vecpack.scan, vecpack.read):
        found = read(pack(expected), **options).to_torch()
        assert found.dtype == getattr(torch, dtype)
        assert_same_bits(found.numpy(), expected)


def test_tensors_of_an_iterable():
    assert_same_bits(vecpack.from_iter(EXPECTED).to_torch().numpy(), EXPECTED)


@pytest.mark.filterwarnings("error")
def test_a_tensor_is_over_the_memory_of_a_table_and_of_a_batch():
    table = vecpack.read(pack(EXPECTED))
    (batch,) = table.batches
    address = pa.record_batch(batch).column(0).values.buffers()[1].address
    assert table.to_torch().data_ptr() == batch.to_torch().data_ptr() == batch.to_numpy().ctypes.data == address


def test_a_tensor_of_a_source_is_the_callers_own():
    source = vecpack.scan(pack(EXPECTED))
    source.to_torch().zero_()
    assert_same_bits(source.to_torch().numpy(), EXPECTED)


@pytest.fixture(params=["one file", "many files", "bytes"])
def source(request, write_file):
    """Vectors, of which the first element is the number of the row."""
    numbered = EXPECTED.copy()
    numbered[:, 0] = np.arange(ROWS)
    if request.param == "bytes":
        return vecpack.scan(pack(numbered))
    if request.param == "one file":
        return vecpack.scan(write_file("v.msgpack", numbered))
    cuts = [0, 1, 700, 710, 1500, 2900, ROWS]
    files = [write_file(f"{n}.msgpack", numbered[start:end]) for n, (start, end) in enumerate(itertools.pairwise(cuts))]
    return vecpack.scan(files)


def numbers(loader):
    return sorted(int(n) for batch in loader for n in batch.reshape(-1, DIM)[:, 0])


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("batch_rows", [None, 128])
def test_every_row_comes_once_an_epoch(source, workers, batch_rows):
    dataset = VectorDataset(source, batch_rows=batch_rows)
    loader = DataLoader(
        dataset,
        batch_size=256 if batch_rows is None else None,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    for _epoch in range(3):
        assert numbers(loader) == list(range(ROWS))


def test_workers_that_are_spawned(source):
    loader = DataLoader(VectorDataset(source), batch_size=100, num_workers=2, multiprocessing_context="spawn")
    assert numbers(loader) == list(range(ROWS))


def test_more_workers_than_rows(write_file):
    source = vecpack.scan(write_file("v.msgpack", EXPECTED[:2]))
    assert len(list(DataLoader(VectorDataset(source), batch_size=None, num_workers=4))) == 2


def test_workers_and_machines_together(source):
    parts = source.split(2)
    found = [numbers(DataLoader(VectorDataset(part), batch_size=64, num_workers=2)) for part in parts]
    assert sorted(found[0] + found[1]) == list(range(ROWS))
    assert all(found)


def records(rows=20):
    return [{"id": n, "score": n / 2, "url": f"u{n}", "vector": EXPECTED[n].tobytes() * 2} for n in range(rows)]


def test_batches_of_records_have_tensors_and_lists():
    dataset = VectorDataset(vecpack.scan(pack(records()), vector="vector"), batch_rows=8)
    batches = list(DataLoader(dataset, batch_size=None))
    assert [len(batch["url"]) for batch in batches] == [8, 8, 4]
    assert batches[1]["id"].tolist() == list(range(8, 16)) and batches[1]["id"].dtype == torch.int64
    assert batches[1]["score"].tolist() == [n / 2 for n in range(8, 16)]
    assert batches[1]["url"] == [f"u{n}" for n in range(8, 16)]
    assert batches[1]["vector"].shape == (8, 2 * DIM)


def test_rows_of_records_are_put_together_by_the_loader():
    dataset = VectorDataset(vecpack.scan(pack(records()), vector="vector"), columns=["vector", "id", "url"])
    batches = list(DataLoader(dataset, batch_size=16, num_workers=2))
    assert sorted(n for batch in batches for n in batch["id"].tolist()) == list(range(20))
    assert list(batches[0]) == ["vector", "id", "url"]
    assert batches[0]["vector"].shape[1] == 2 * DIM


def test_a_row_does_not_keep_its_batch():
    row = next(iter(VectorDataset(vecpack.scan(pack(EXPECTED)))))
    assert row.untyped_storage().nbytes() == DIM * 4


def test_nulls_have_no_place_in_tensors():
    broken = [*records(3), {"id": None, "score": 1.0, "url": "", "vector": bytes(8 * DIM)}]
    dataset = VectorDataset(vecpack.scan(pack(broken), vector="vector"), batch_rows=8)
    with pytest.raises(ValueError, match="`id` has nulls"):
        list(dataset)
    assert len(list(VectorDataset(dataset.source, columns=["vector", "url"]))) == 4


def test_an_error_in_a_worker_names_the_record(write_file):
    source = vecpack.scan(write_file("v.msgpack", [*EXPECTED, None]))
    with pytest.raises(vecpack.DecodeError, match=f"record {ROWS} "):
        list(DataLoader(VectorDataset(source), batch_size=64, num_workers=2))
