"""Daft reads sources: a data source whose tasks come from the planner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from vecpack import Source
from vecpack._load import TASK_BYTES, as_source, parts
from vecpack._missing import missing

try:
    import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
    from daft import DataFrame, Schema  # type: ignore[import-not-found, unused-ignore]
    from daft.io.source import DataSource, DataSourceTask  # type: ignore[import-not-found, unused-ignore]
    from daft.recordbatch import RecordBatch  # type: ignore[import-not-found, unused-ignore]
except ImportError as error:
    raise missing("vecpack.daft", "daft") from error

__all__ = ["read"]


def read(source: Any, *, task_bytes: int = TASK_BYTES, **options: Any) -> DataFrame:
    """A Daft `DataFrame` of the rows of `source`: a `Source`, or what `scan` takes, with its `options`.

    A task reads up to `task_bytes` of the inputs. Columns that are not asked for are not decoded."""
    return _Source(as_source("read", source, options), task_bytes).read()


def _schema(self: Any) -> Schema:
    return Schema.from_pyarrow_schema(pa.schema(self.source.schema))


@dataclass
class _Task(DataSourceTask):  # type: ignore[misc, unused-ignore]
    source: Source
    schema = property(_schema)

    async def read(self) -> AsyncIterator[RecordBatch]:
        for batch in self.source.with_options(threads=self.source.options["threads"] or 1):
            yield RecordBatch.from_arrow_record_batches([pa.record_batch(batch)], pa.schema(batch.schema))


@dataclass
class _Source(DataSource):  # type: ignore[misc, unused-ignore]
    source: Source
    task_bytes: int
    name = "vecpack"
    schema = property(_schema)

    async def get_tasks(self, pushdowns: Any) -> AsyncIterator[DataSourceTask]:
        source = self.source
        if pushdowns.columns is not None:
            # Daft filters what the tasks give.
            wanted = {*pushdowns.columns, *pushdowns.filter_required_column_names()}
            source = source.select([name for name in source.schema.names if name in wanted])
        for part in parts(source, self.task_bytes):
            yield _Task(part)
