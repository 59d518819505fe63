"""Daft: a frame has the rows of the source, from tasks of the planner."""

import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, vectors

daft = pytest.importorskip("daft", reason="not installed")

import vecpack.daft  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def files(write_file):
    written, start = [], 0
    for number, rows in enumerate([3000, 10, 2000]):
        found = vectors(rows, 16, seed=number)
        records = [{"id": start + row, "vector": found[row].tobytes()} for row in range(rows)]
        written.append(str(write_file(f"in/{number}.msgpack", records)))
        start += rows
    return written


@pytest.mark.parametrize("task_bytes", [10_000, 128 << 20])
def test_a_frame_has_every_row_once(files, task_bytes):
    expected = vecpack.read(files).to_pyarrow()
    frame = vecpack.daft.read(files, task_bytes=task_bytes)
    found = frame.to_arrow().sort_by("id")
    assert found["id"].to_pylist() == expected["id"].to_pylist()
    assert_same_bits(matrix(found), matrix(expected))
    assert pa.types.is_fixed_size_list(found.schema.field("vector").type)


def test_what_nobody_asks_for_is_not_decoded(write_file):
    # The vector of the last record is broken: who reads it knows.
    records = [{"id": n, "vector": bytes(64)} for n in range(200)] + [{"id": 200, "vector": bytes(63)}]
    frame = vecpack.daft.read(str(write_file("broken.msgpack", records)))
    assert frame.select("id").sum("id").to_pydict() == {"id": [sum(range(201))]}
    with pytest.raises(Exception, match="record 200"):
        frame.collect()


def test_filters_limits_and_options(files):
    both = vecpack.daft.read(files)
    assert both.where(both["id"] > 5000).select("vector").count_rows() == 9
    frame = vecpack.daft.read(vecpack.scan(files, columns=["id"]))
    assert frame.column_names == ["id"]
    assert frame.where(frame["id"] > 5000).count_rows() == 9
    assert len(frame.limit(7).to_pydict()["id"]) == 7
    assert vecpack.daft.read(files, limit=11).count_rows() == 11
