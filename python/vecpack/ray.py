"""Ray Data reads sources, and a Ray cluster converts them.

Inputs are opened by the workers: their paths must mean the same on every node.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import vecpack
from vecpack import OptionError, Source, scan
from vecpack._missing import missing

try:
    import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
    import ray  # type: ignore[import-not-found, unused-ignore]
    import ray.data  # type: ignore[import-not-found, unused-ignore]
    from ray.data.block import BlockMetadata  # type: ignore[import-not-found, unused-ignore]
    from ray.data.datasource import Datasource, ReadTask  # type: ignore[import-not-found, unused-ignore]
except ImportError as error:
    raise missing("vecpack.ray", "ray[data]") from error

from vecpack._journal import Journal  # of pyarrow's as well

__all__ = ["VecpackDatasource", "read", "to_parquet"]


def read(
    source: Any,
    *,
    tensors: bool = True,
    concurrency: int | None = None,
    override_num_blocks: int | None = None,
    ray_remote_args: dict[str, Any] | None = None,
    **options: Any,
) -> ray.data.Dataset:
    """A Ray `Dataset` of the rows of `source`: a `Source`, or what `scan` takes, with its `options`.

    Each read task reads a part of the source, and no row comes twice. Vectors are tensors, of shape (rows, dim) in batches of
    NumPy and PyTorch; without `tensors`, or where they may be null, they are lists of a fixed size.
    """
    dataset: ray.data.Dataset = ray.data.read_datasource(
        VecpackDatasource(_source(source, options), tensors=tensors),
        concurrency=concurrency,
        override_num_blocks=override_num_blocks,
        ray_remote_args=ray_remote_args,
    )
    return dataset


class VecpackDatasource(Datasource):  # type: ignore[misc, unused-ignore]
    """The parts of a source as read tasks, for `ray.data.read_datasource`."""

    def __init__(self, source: Source, *, tensors: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.source = source
        self.tensors = tensors
        self._projection_map: dict[str, str] | None = None

    def supports_projection_pushdown(self) -> bool:
        """Columns that nobody asks for are not decoded."""
        return True

    def estimate_inmemory_data_size(self) -> int | None:
        """What the inputs hold, which is about what it is in memory."""
        return self.source.size()

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, *_: Any, **__: Any
    ) -> list[ReadTask]:
        """A task for each part that is not empty. Versions of Ray differ in what else they pass."""
        source = self.source
        if self._projection_map is not None:
            # Ray takes blocks without columns for blocks without rows.
            source = source.select(self._projection_map or [_narrowest(pa.schema(source.schema))])
        schema = _with_tensors(pa.schema(source.schema)) if self.tensors else pa.schema(source.schema)
        if per_task_row_limit:
            rows = source.options["batch_rows"] or per_task_row_limit
            source = source.with_options(batch_rows=min(rows, per_task_row_limit))
        return [
            _accepted(
                ReadTask,
                read_fn=partial(_tables, part, schema, per_task_row_limit),
                metadata=_accepted(
                    BlockMetadata,
                    num_rows=None,
                    size_bytes=part.size(),
                    input_files=part.files,
                    exec_stats=None,
                    schema=schema,
                ),
                schema=schema,
                per_task_row_limit=per_task_row_limit,
            )
            for part in source.split(max(parallelism, 1))
            if part.files
        ]


def to_parquet(
    source: Any,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    resume: bool = False,
    concurrency: int | None = None,
    ray_remote_args: dict[str, Any] | None = None,
    **options: Any,
) -> list[dict[str, Any] | None]:
    """Converts each file of `source` to one in the directory `path`, as `vecpack.to_parquet` does, on all of a cluster.

    `source` is a `Source`, or what `scan` takes, with its options among `options`; the others are write options. A file is
    there when it is complete, and not before. A task whose worker dies is done again, and replaces what it had written. Targets
    that exist are refused, unless `overwrite` replaces them or `resume` goes on with an earlier run in the same directory, which
    had the same options: then inputs are left out that it has done, if neither they nor the files made of them have changed.

    Returns the reports, as dictionaries, in the order of the inputs; `None` for those that were left out. At most `concurrency` tasks run at
    once, a file each; `ray_remote_args` are those of Ray's tasks.
    """
    if "max_file_bytes" in options:
        raise OptionError("max_file_bytes: on a cluster each input becomes one file")
    write = {name: options.pop(name) for name in _WRITE_OPTIONS & options.keys()}
    source = _source(source, options)
    directory = Path(path).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    targets = _targets(source, directory)
    read = {name: value for name, value in source.options.items() if name not in _MANNERS}
    made = {"schema": repr(source.schema), "columns": source.columns, "read": read, "write": write}
    journal = Journal(directory, source.files, made)
    for target in targets if not (overwrite or resume) else ():
        if target.exists():
            raise FileExistsError(
                f"{target}: exists already; `overwrite` replaces it, `resume` goes on with an earlier run"
            )

    if resume:
        journal.resume()
    else:
        journal.path.unlink(missing_ok=True)
    pairs = list(enumerate(zip(source.files, targets, strict=True)))
    waiting = [number for number, pair in reversed(pairs) if not (resume and journal.is_done(*pair))]
    parts = source.split_inputs()
    task = ray.remote(_convert).options(**{"max_retries": 3, **(ray_remote_args or {})})
    reports: list[dict[str, Any] | None] = [None] * len(parts)
    running: dict[Any, int] = {}
    try:
        while waiting or running:
            while waiting and len(running) < (concurrency or 2 * _processors()):
                number = waiting.pop()
                running[task.remote(parts[number], str(targets[number]), write)] = number
            done, _ = ray.wait(list(running))
            for reference in done:
                number = running[reference]
                report: dict[str, Any] = ray.get(reference)
                del running[reference]
                journal.add(source.files[number], targets[number], report["rows"])
                reports[number] = report
    except Exception:
        # What runs ends first, so that nothing is written behind the caller's back. Ray 2.60 at times ends the whole driver where a
        # task is cancelled that is about to end.
        if running:
            ray.wait(list(running), num_returns=len(running))
        raise
    except BaseException:
        for reference in running:
            ray.cancel(reference)
        raise
    finally:
        journal.write()
    return reports


_MANNERS = {"batch_rows", "batch_bytes", "threads", "max_rejects", "schema"}
"""Options that do not change what is written, and the schema, of which there is more to say than what was told."""
_WRITE_OPTIONS = {
    "compression",
    "encoding",
    "row_group_bytes",
    "list_type",
    "coerce_timestamps",
    "allow_truncated_timestamps",
    "metadata",
    "sync",
}


def _convert(part: Source, target: str, write: dict[str, Any]) -> dict[str, Any]:
    """One file, in a worker. Whether an older one may be replaced has been decided, and a dead worker may have written it."""
    return vecpack.to_parquet(_alone(part), target, overwrite=True, **write).to_dict()


def _targets(source: Source, directory: Path) -> list[Path]:
    """The file for each input, which must be another for each."""
    targets: dict[Path, str] = {}
    for file, stem in zip(source.files, source._stems(), strict=True):
        if not os.path.isfile(file):
            raise OptionError(f"{file} is no file, which is what a cluster can convert")
        target = directory / f"{stem}.parquet"
        if target in targets:
            raise OptionError(f"{target}: two inputs would be written to this file, one of them {file}")
        targets[target] = file
    return list(targets)


def _processors() -> int:
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
    return max(int(resources.get("CPU", 1)), 1)


def _source(source: Any, options: dict[str, Any]) -> Source:
    if isinstance(source, Source):
        if options:
            raise TypeError("read options go with inputs; pass them to scan() instead")
        return source
    return scan(source, **options)


def _alone(part: Source) -> Source:
    """Ray runs one task on each processor, so a task has one thread, if nothing else was told."""
    return part if part.options["threads"] else part.with_options(threads=1)


def _tables(part: Source, schema: pa.Schema, rows: int | None) -> Iterator[pa.Table]:
    """The batches of a part, in a worker; no more than so many rows of it."""
    for batch in _alone(part) if rows != 0 else ():
        table = pa.Table.from_batches([pa.record_batch(batch)]).slice(0, rows)
        yield table.cast(schema)
        if rows is not None:
            rows -= table.num_rows
            if rows == 0:
                return


def _with_tensors(schema: pa.Schema) -> pa.Schema:
    """The schema with vectors as tensors, which can be cast to without a copy. Those that may be null are left as they are."""

    def field(field: pa.Field) -> pa.Field:
        if field.nullable or not pa.types.is_fixed_size_list(field.type):
            return field
        return field.with_type(pa.fixed_shape_tensor(field.type.value_type, [field.type.list_size]))

    return pa.schema([field(each) for each in schema])


def _narrowest(schema: pa.Schema) -> str:
    is_vector = [pa.types.is_fixed_size_list(field.type) for field in schema]
    return str(schema.names[is_vector.index(min(is_vector))])


def _accepted(function: Callable[..., Any], **arguments: Any) -> Any:
    """Calls `function` with those of the arguments that it has in the version of Ray that is there."""
    known = inspect.signature(function).parameters
    return function(**{name: value for name, value in arguments.items() if name in known})
