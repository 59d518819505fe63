"""Spark reads sources: a Python data source, for Spark 4."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vecpack import OptionError, Source, scan
from vecpack._load import TASK_BYTES, parts
from vecpack._missing import missing

try:
    import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from pyspark.sql import SparkSession  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from pyspark.sql.datasource import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        DataSource,
        DataSourceReader,
        InputPartition,
    )
    from pyspark.sql.pandas.types import from_arrow_schema  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from pyspark.sql.types import StructType  # type: ignore[import-not-found, import-untyped, unused-ignore]
except ImportError as error:
    raise missing("vecpack.spark", "pyspark>=4") from error

__all__ = ["VecpackDataSource", "register"]


def register(spark: SparkSession) -> None:
    """Makes `spark.read.format("vecpack").load(path)` read what `scan` reads.

    Options are the read options of `scan`, as text: numbers, `true` and `false`, and lists and mappings as JSON. `task_bytes` is about
    how many bytes of the inputs make a partition. The workers need vecpack, and must find the inputs under the same paths.
    """
    spark.dataSource.register(VecpackDataSource)


class VecpackDataSource(DataSource):  # type: ignore[misc, unused-ignore]
    """The format `vecpack`."""

    @classmethod
    def name(cls) -> str:
        """What `format` takes."""
        return "vecpack"

    def _source(self) -> Source:
        """The source that the options describe. It is opened where Spark asks for it: in processes of its own."""
        options = {name: _value(value) for name, value in self.options.items()}
        options.pop("task_bytes", None)
        paths = options.pop("paths", None) or options.pop("path", None)
        if paths is None:
            raise OptionError('the format `vecpack` reads paths: load("vectors/*.msgpack")')
        return scan(paths, **options)

    def schema(self) -> StructType:
        """The columns, of types that Spark has."""
        return from_arrow_schema(_spark_schema(pa.schema(self._source().schema)))

    def reader(self, schema: StructType) -> _Reader:
        """Reads the partitions."""
        return _Reader(self._source(), int(self.options.get("task_bytes", TASK_BYTES)))


class _Partition(InputPartition):  # type: ignore[misc, unused-ignore]
    def __init__(self, part: Source) -> None:
        super().__init__(part)


class _Reader(DataSourceReader):  # type: ignore[misc, unused-ignore]
    def __init__(self, source: Source, task_bytes: int) -> None:
        self._source, self._task_bytes = source, task_bytes

    def partitions(self) -> list[_Partition]:
        """The tasks that the planner makes."""
        return [_Partition(part) for part in parts(self._source, self._task_bytes)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of a partition. Spark runs one task on each processor."""
        part: Source = partition.value
        part = part.with_options(threads=part.options["threads"] or 1)
        schema = _spark_schema(pa.schema(part.schema))
        for batch in part:
            yield pa.record_batch(batch).cast(schema)


def _value(text: str) -> Any:
    """The value that an option's text stands for: JSON where it is some, else itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _spark_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(_spark_type(field.type)) for field in schema])


def _spark_type(type: pa.DataType) -> pa.DataType:
    """The type that Spark has for an Arrow type: it has no unsigned numbers, no halves, no lists of fixed size, and no
    nanoseconds."""
    wider = {
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.uint64(): pa.decimal128(20, 0),
        pa.float16(): pa.float32(),
        pa.null(): pa.string(),
    }
    if type in wider:
        return wider[type]
    if pa.types.is_timestamp(type):
        return pa.timestamp("us", type.tz)
    if pa.types.is_struct(type):
        return pa.struct([field.with_type(_spark_type(field.type)) for field in type])
    if pa.types.is_list(type) or pa.types.is_fixed_size_list(type) or pa.types.is_large_list(type):
        return pa.list_(type.value_field.with_type(_spark_type(type.value_type)))
    return type
