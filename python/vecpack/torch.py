"""A dataset for PyTorch's `DataLoader`. All vectors at once are `Source.to_torch()`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from vecpack._missing import missing

try:
    import torch  # type: ignore[import-not-found, unused-ignore]
    from torch.utils.data import IterableDataset, get_worker_info  # type: ignore[import-not-found, unused-ignore]
except ImportError as error:
    raise missing("vecpack.torch", "torch") from error

if TYPE_CHECKING:
    from vecpack import RecordBatch, Source

__all__ = ["VectorDataset"]


class VectorDataset(IterableDataset[Any]):  # type: ignore[misc, unused-ignore]
    """The rows of a source. Among the workers of a `DataLoader` each of them comes once an epoch.

    An item is a row, and the loader makes batches of them: ``DataLoader(dataset, batch_size=256, num_workers=4)``. With
    `batch_rows` an item is a batch of at most so many rows, for ``DataLoader(dataset, batch_size=None, num_workers=4)``:
    faster by far, as no row is touched.

    Of a source that has one column, of vectors, items are tensors. Otherwise they are dictionaries by name of the column, in
    which numbers are tensors and anything else is as Python has it; this takes pyarrow. `columns` chooses among them.

    Workers split the source by files, or where there are fewer files than workers, by records: each then walks a file once to
    find them. Among several machines, give each its part: ``source.split(world_size)[rank]``.
    """

    source: Source
    _parts: list[Source]

    def __init__(self, source: Source, *, columns: Iterable[str] | None = None, batch_rows: int | None = None) -> None:
        super().__init__()
        source = source if columns is None else source.select(columns)
        self.source = source.with_options(batch_rows=batch_rows)
        self.batch_rows = batch_rows
        self._is_bare = len(source.schema) == 1 and source.dim is not None
        self._parts = []

    def __iter__(self) -> Iterator[Any]:
        for batch in self._part():
            items = batch.to_torch() if self._is_bare else _tensors(batch)
            if self.batch_rows is not None:
                yield items
            elif isinstance(items, dict):
                for row in range(len(batch)):
                    yield {name: _row(values, row) for name, values in items.items()}
            else:
                for row in range(len(batch)):
                    yield _row(items, row)

    def _part(self) -> Source:
        """What this worker reads; without workers all."""
        worker = get_worker_info()
        if worker is None:
            return self.source
        # Once a worker, and not once an epoch.
        if len(self._parts) != worker.num_workers:
            one_thread = {} if self.source.options["threads"] else {"threads": 1}
            self._parts = self.source.with_options(**one_thread).split(worker.num_workers)
        return self._parts[int(worker.id)]


def _row(values: Any, row: int) -> Any:
    value = values[row]
    # A view would keep, and take along to another process, the whole batch.
    return value.clone() if isinstance(value, torch.Tensor) else value


def _tensors(batch: RecordBatch) -> dict[str, Any]:
    """The columns of a batch: vectors and numbers as tensors, others as lists."""
    try:
        import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise missing("vecpack.torch, for columns other than vectors,", "pyarrow") from error

    def tensor(name: str, column: Any) -> Any:
        kind = column.type
        if pa.types.is_fixed_size_list(kind):
            return batch.to_torch(name)
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            return column.to_pylist()
        if column.null_count:
            raise ValueError(f"the column `{name}` has nulls, which a tensor cannot hold: choose others with `columns`")
        return torch.tensor(column.to_numpy(zero_copy_only=False))

    arrow = pa.record_batch(batch)
    return {name: tensor(name, column) for name, column in zip(arrow.schema.names, arrow.columns, strict=True)}
