"""A source as a `polars.LazyFrame`: polars says what a query needs of it, and no more than that is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import polars as pl  # type: ignore[import-not-found, unused-ignore]
from polars.io.plugins import register_io_source  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from vecpack import Source

FEW = 8192
"""So many rows are read by one thread, which opens no file before it needs it."""


def scan(source: Source) -> pl.LazyFrame:
    """A lazy frame of the rows of `source`. Every collection is a new scan."""
    return register_io_source(partial(read, source), schema=pl.Schema(source.schema), is_pure=True)


def read(
    source: Source, columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, batch_rows: int | None
) -> Iterator[pl.DataFrame]:
    """What polars calls: the first `rows` rows, those of them that `predicate` lets through, of `columns`."""
    if columns is not None:  # with those that the predicate asks for
        source = source.select(columns)
    if batch_rows:
        source = source.with_options(batch_rows=min(batch_rows, source.options["batch_rows"] or batch_rows))
    if rows == 0:
        return
    if rows is not None and rows <= FEW:
        source = source.with_options(batch_rows=rows, threads=1)
    for batch in source:
        frame = pl.DataFrame(batch) if source.schema.names else pl.DataFrame(height=len(batch))
        if rows is not None:
            frame = frame.head(rows)
            rows -= frame.height
        if predicate is not None:
            frame = frame.filter(predicate)
        yield frame if columns is None else frame.select(columns)
        if rows == 0:
            return
