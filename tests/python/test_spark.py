"""Spark: the format `vecpack`, in a real session of local workers."""

import json
import os

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import vectors

pytest.importorskip("pyspark", "4", reason="make test-engines installs it")

import vecpack.spark
from pyspark.sql import SparkSession

pytestmark = pytest.mark.filterwarnings("default")
DIM = 16


@pytest.fixture(scope="module")
def spark():
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", False)
    session = builder.config("spark.sql.shuffle.partitions", 2).getOrCreate()
    vecpack.spark.register(session)
    yield session
    session.stop()


@pytest.fixture
def files(write_file):
    written, start = [], 0
    for number, rows in enumerate([300, 10, 2000, 400]):
        found = vectors(rows, DIM, seed=number)
        records = [
            {"key": start + row, "vector": found[row].tobytes(), "tags": ["a", str(row)], "meta": {"n": row, "x": 0.5}}
            for row in range(rows)
        ]
        written.append(str(write_file(f"in/{number}.msgpack", records)))
        start += rows
    return written


@pytest.mark.parametrize("task_bytes", [None, 20_000])
def test_a_frame_has_every_row_once(spark, files, tmp_path, task_bytes):
    reader = spark.read.format("vecpack")
    reader = reader if task_bytes is None else reader.option("task_bytes", task_bytes)
    frame = reader.load(str(tmp_path / "in"))
    assert frame.rdd.getNumPartitions() == (1 if task_bytes is None else len(frame_parts(files, task_bytes)))
    found = frame.orderBy("key").toArrow()
    expected = pa.table(vecpack.scan(files))
    assert found["key"].to_pylist() == expected["key"].to_pylist()
    assert np.array_equal(np.array(found["vector"].to_pylist(), "f4"), expected["vector"].to_numpy().tolist())
    assert found["tags"].to_pylist() == expected["tags"].to_pylist()
    assert found["meta"].to_pylist() == expected["meta"].to_pylist()
    assert (frame.count(), frame.selectExpr("size(vector)").distinct().collect()) == (2710, [(DIM,)])


def frame_parts(files, task_bytes):
    tasks = vecpack.scan(files)._tasks(task_bytes)
    return [part for task, pieces in tasks for part in (task.split(pieces) if pieces > 1 else [task]) if part.files]


def test_options_are_those_of_scan(spark, files):
    reader = spark.read.format("vecpack").option("columns", json.dumps({"v": "vector"})).option("include_id", True)
    frame = reader.option("dtype", "float16").option("schema", json.dumps({"key": "uint64"})).load(files[0])
    assert frame.dtypes == [("v", "array<float>"), ("id", "bigint")]
    assert sorted(row.id for row in frame.select("id").collect()) == list(range(300))
    wide = spark.read.format("vecpack").option("schema", json.dumps({"key": "uint64"})).option("columns", '["key"]')
    assert wide.load(files[0]).dtypes == [("key", "decimal(20,0)")]
    assert wide.load(files[0]).count() == 300


def test_several_paths(spark, files):
    assert spark.read.format("vecpack").option("paths", json.dumps(files[:2])).load().count() == 310


def test_the_first_rows(spark, files):
    assert spark.read.format("vecpack").option("limit", 305).load(os.path.dirname(files[0])).count() == 305


def test_rejected_records_are_left_out(spark, files, write_file):
    write_file("in/bad.msgpack", [{"key": 1, "vector": b"1"}])
    reader = spark.read.format("vecpack").option("on_error", "skip").option("vector", "vector")
    assert reader.load(os.path.dirname(files[0])).count() == 2710


def test_errors_name_the_record(spark, files, write_file):
    bad = write_file("in/bad.msgpack", [{"key": 1, "vector": b"1"}])
    with pytest.raises(Exception, match=r"bad\.msgpack"):
        spark.read.format("vecpack").option("vector", "vector").option("dim", DIM).load(str(bad)).count()
    with pytest.raises(Exception, match="reads paths"):
        spark.read.format("vecpack").load().count()
