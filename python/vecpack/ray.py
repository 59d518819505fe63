"""Ray Data reads sources, and a Ray cluster converts them.

Inputs are opened by the workers: their paths must mean the same on every node.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import vecpack
from vecpack import LoadReport, Source
from vecpack._lance import FRAGMENT_BYTES, Load, Written, write
from vecpack._load import TASK_BYTES, as_source, local_or_url
from vecpack._missing import missing
from vecpack._vecpack import _Run

try:
    import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
    import ray  # type: ignore[import-not-found, unused-ignore]
    import ray.data  # type: ignore[import-not-found, unused-ignore]
    from ray.data.block import BlockMetadata  # type: ignore[import-not-found, unused-ignore]
    from ray.data.datasource import Datasource, ReadTask  # type: ignore[import-not-found, unused-ignore]
except ImportError as error:
    raise missing("vecpack.ray", "ray[data]") from error

__all__ = ["VecpackDatasource", "read", "to_lance", "to_parquet"]


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

    Each read task reads a part of the source, and no row comes twice. Small inputs are joined to tasks of up to 128 MiB, and larger ones
    are cut, by tasks of their own; `override_num_blocks` is about how many tasks there are instead. Vectors are tensors, of
    shape (rows, dim) in batches of NumPy and PyTorch; without `tensors`, or where they may be null, they are lists of a fixed size.
    """
    datasource = VecpackDatasource(as_source("read", source, options), tensors=tensors, ray_remote_args=ray_remote_args)
    blocks = override_num_blocks or datasource._blocks()
    dataset: ray.data.Dataset = ray.data.read_datasource(
        datasource,
        concurrency=concurrency,
        # More of them would be cut out of the tasks' batches.
        override_num_blocks=len(datasource._plan(blocks)),
        ray_remote_args=ray_remote_args,
    )
    return dataset


class VecpackDatasource(Datasource):  # type: ignore[misc, unused-ignore]
    """The parts of a source as read tasks, for `ray.data.read_datasource`."""

    def __init__(self, source: Source, *, tensors: bool = True, ray_remote_args: dict[str, Any] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.source = source
        self.tensors = tensors
        self._projection_map: dict[str, str] | None = None
        self._remote_args = ray_remote_args or {}
        self._size: int | None = None
        self._parts: dict[int, list[Source]] = {}

    def supports_projection_pushdown(self) -> bool:
        """Columns that nobody asks for are not decoded."""
        return True

    def estimate_inmemory_data_size(self) -> int | None:
        """What the inputs hold, which is about what it is in memory."""
        if self._size is None:
            self._size = self.source.size()
        return self._size

    def _blocks(self) -> int:
        """How many tasks: of 128 MiB each, but some for every processor as long as they are not tiny."""
        size = self.estimate_inmemory_data_size() or 0
        return max(-(-size // TASK_BYTES), min(4 * _processors(), size // _SMALL_TASK_BYTES), 1)

    def _plan(self, blocks: int) -> list[Source]:
        """About `blocks` parts of the source, planned once: Ray asks several times. Inputs are cut where the workers are."""
        # Ray asks for as many as there are.
        for parts in self._parts.values():
            if len(parts) == blocks:
                return parts
        if blocks not in self._parts:
            tasks = self.source._tasks(-(-(self.estimate_inmemory_data_size() or 0) // blocks))
            cut = ray.remote(_cut).options(**self._remote_args)
            large = [cut.remote(part, pieces) for part, pieces in tasks if pieces > 1]
            cuts = iter(ray.get(large))
            planned = [next(cuts) if pieces > 1 else [part] for part, pieces in tasks]
            self._parts[blocks] = [part for parts in planned for part in parts if part.files]
        return self._parts[blocks]

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, *_: Any, **__: Any
    ) -> list[ReadTask]:
        """A task for each part that is not empty. Versions of Ray differ in what else they pass."""
        parts = self._plan(max(parallelism, 1))
        columns = None
        if self._projection_map is not None:
            # Ray takes blocks without columns for blocks without rows.
            columns = list(self._projection_map) or [_narrowest(pa.schema(self.source.schema))]
        selected = self.source if columns is None else self.source.select(columns)
        schema = pa.schema(selected.schema)
        schema = _with_tensors(schema) if self.tensors else schema
        rows = per_task_row_limit and min(self.source.options["batch_rows"] or per_task_row_limit, per_task_row_limit)
        read = partial(_tables, columns=columns, schema=schema, batch_rows=rows or None, rows=per_task_row_limit)
        return [
            _accepted(
                ReadTask,
                read_fn=partial(read, part),
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
            for part in parts
        ]


def to_parquet(
    source: Any,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    resume: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    concurrency: int | None = None,
    ray_remote_args: dict[str, Any] | None = None,
    **options: Any,
) -> list[dict[str, Any] | None]:
    """Converts each input of `source` to a file in the directory `path`, as `vecpack.to_parquet` does, on all of a cluster. With
    `max_file_bytes` a file has the rows of several inputs of about so many bytes together; an input is not divided.

    `source` is a `Source`, or what `scan` takes, with its options among `options`; the others are write options. Inputs and `path` may
    be URLs of object stores. A file is there when it is complete, and not before. A task whose worker dies is done again, and
    replaces what it had written. Targets that exist are refused, unless `overwrite` replaces them or `resume` goes on with an earlier
    run in the same directory, of a cluster or of one process, which had the same options: then inputs are left out that it
    has done, if neither they nor the files made of them have changed.

    `rejects` is a file for what was rejected, `.jsonl` or `.parquet`, and `fail_after` is a limit for the whole run. An input that
    cannot be read ends the run; with `on_error` "skip" or "null" it is listed among the rejects, and the run goes on.

    Returns the reports, as dictionaries, in the order of the inputs; `None` for those that were left out, for those that cannot
    be read, and for those whose rows are in the file of an input in front. At most `concurrency` tasks run at once, a file each; `ray_remote_args` are those of Ray's tasks.
    """
    write = {"max_file_bytes": None, **{name: options.pop(name) for name in _WRITE_OPTIONS & options.keys()}}
    source = as_source("to_parquet", source, options)
    run = _Run(source, _absolute(path), overwrite=overwrite, resume=resume, rejects=rejects, **write)
    task = ray.remote(_convert).options(**{"max_retries": 3, **(ray_remote_args or {})})
    reports: list[dict[str, Any] | None] = [None] * len(source.files)

    del write["max_file_bytes"]

    def start(group: _Group) -> Any:
        return task.remote(*run.group(*group), write)

    def note(group: _Group, result: tuple[dict[str, Any], str] | _Unreadable) -> list[_Group]:
        number, inputs = group
        if isinstance(result, _Unreadable):
            run.unreadable(inputs[result.place], result.error)
            return result.rest(group)
        report, rejected = result
        run.done(number, inputs, report["rows"], report["bytes_out"], rejected)
        reports[inputs[0]] = report
        return []

    complete = False
    try:
        _work(list(enumerate(run.groups())), start, note, concurrency)
        complete = True
    finally:
        run.finish(complete)
    return reports


def to_lance(
    source: Any,
    path: str | os.PathLike[str],
    *,
    index: str | None = None,
    index_options: dict[str, Any] | None = None,
    fragment_bytes: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    storage_options: dict[str, str] | None = None,
    concurrency: int | None = None,
    ray_remote_args: dict[str, Any] | None = None,
    **options: Any,
) -> LoadReport:
    """Writes a source into a Lance dataset, as `vecpack.to_lance` does, on all of a cluster.

    Workers write the fragments, and the calling process commits all of them at once and makes the index. Rows lie in the order in which
    the fragments were finished. A task whose worker dies is done again; what it had written belongs to no version of the dataset, and
    Lance's `cleanup_old_versions` removes it. A run of one process and a run of a cluster go on with each other by `resume`.

    A fragment has up to 1 GiB of the inputs, but there are two for every processor as long as they are not tiny; `fragment_bytes` sets
    the size. Other parameters are those of `vecpack.to_lance` and of `to_parquet`.
    """
    load = Load(
        as_source("to_lance", source, options),
        _absolute(local_or_url(path)),
        index=index,
        index_options=index_options,
        storage_options=storage_options,
        overwrite=overwrite,
        resume=resume,
        rejects=rejects,
        cluster=True,
    )
    share = (load.size() or 0) // (2 * _processors())
    groups = load.groups(fragment_bytes or min(FRAGMENT_BYTES, max(share, _SMALL_TASK_BYTES)))
    target = load.target
    task = ray.remote(_load).options(**{"max_retries": 3, **(ray_remote_args or {})})

    def note(group: _Group, result: tuple[int | None, Written] | _Unreadable) -> list[_Group]:
        if isinstance(result, _Unreadable):
            load.unreadable(group[1][result.place], result.error)
            return result.rest(group)
        load.loaded(group[1], *result)
        return []

    with load:
        _work(list(enumerate(groups)), lambda group: task.remote(load.part(group[1]), target), note, concurrency)
        load.commit()
    return load.report()


_SMALL_TASK_BYTES = 8 << 20
_BLOCK_BYTES = 32 << 20
"""Batches are joined until a block has so many bytes: an input of a few kilobytes makes no block of its own."""
_SMALL_BATCH_BYTES = 1 << 20
_WRITE_OPTIONS = {
    "compression",
    "encoding",
    "row_group_bytes",
    "max_file_bytes",
    "list_type",
    "coerce_timestamps",
    "allow_truncated_timestamps",
    "metadata",
    "sync",
}


def _cut(part: Source, pieces: int) -> list[Source]:
    """The parts of one large input, in a worker: it is walked once, over its objects."""
    return part.split(pieces)


_Group = tuple[int, list[int]]
"""The number of a task, and those of its inputs."""


@dataclass(frozen=True)
class _Unreadable:
    """The place in its group of an input that cannot be read, and why."""

    place: int
    error: str

    @classmethod
    def among(cls, part: Source, error: OSError) -> _Unreadable:
        """Raises the error where it ends the run."""
        name = os.fspath(error.filename or "")
        if part.options["on_error"] == "raise" or name not in part.files:
            raise error
        return cls(part.files.index(name), str(error))

    def rest(self, group: _Group) -> list[_Group]:
        """The task without that input, if any is left."""
        inputs = group[1][: self.place] + group[1][self.place + 1 :]
        return [(group[0], inputs)] if inputs else []


def _convert(part: Source, target: str, write: dict[str, Any]) -> tuple[dict[str, Any], str] | _Unreadable:
    """One file, in a worker: its report, and what was rejected. Whether an older file may be replaced has been decided, and a dead
    worker may have written it."""
    part = _one_thread(part)
    try:
        return vecpack.to_parquet(part, target, overwrite=True, **write).to_dict(), part._rejects()
    except OSError as error:
        return _Unreadable.among(part, error)


def _load(part: Source, target: tuple[str, str, dict[str, str] | None]) -> tuple[int | None, Written] | _Unreadable:
    """A fragment, in a worker: the bytes of its inputs, and what was written."""
    part = _one_thread(part)
    try:
        return part.size(), write(part, *target)
    except OSError as error:
        return _Unreadable.among(part, error)


def _one_thread(part: Source) -> Source:
    """The part as a task reads it. Ray runs one task on each processor."""
    return part.with_options(threads=part.options["threads"] or 1)


def _work(
    tasks: list[_Group],
    start: Callable[[_Group], Any],
    note: Callable[[_Group, Any], list[_Group]],
    concurrency: int | None,
) -> None:
    """Starts the tasks, at most `concurrency` at once, and passes each with its result to `note`, which may give more tasks."""
    waiting = tasks[::-1]
    running: dict[Any, Any] = {}
    try:
        while waiting or running:
            while waiting and len(running) < (concurrency or 2 * _processors()):
                task = waiting.pop()
                running[start(task)] = task
            done, _ = ray.wait(list(running))
            for reference in done:
                result = ray.get(reference)
                waiting += note(running.pop(reference), result)
    except Exception:
        # Running tasks end first: a task that went on would write files after the error is raised. They are not cancelled, as
        # Ray 2.60 at times ends the whole driver when a task is cancelled that is about to end.
        if running:
            ray.wait(list(running), num_returns=len(running))
        raise
    except BaseException:
        for reference in running:
            ray.cancel(reference)
        raise


def _absolute(path: str | os.PathLike[str]) -> str:
    """The path as all workers know it."""
    text = os.fspath(path)
    return text if "://" in text else os.path.abspath(text)


def _processors() -> int:
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
    return max(int(resources.get("CPU", 1)), 1)


def _tables(
    part: Source, *, columns: list[str] | None, schema: pa.Schema, batch_rows: int | None, rows: int | None
) -> Iterator[pa.Table]:
    """The rows of a part, in a worker, in blocks of some megabytes; no more than `rows` of them."""
    part = part if columns is None else part.select(columns)
    # A batch is a block, if the inputs are large enough: each chunk of a block costs Ray some work of its own.
    part = _one_thread(part).with_options(batch_rows=batch_rows, batch_bytes=_BLOCK_BYTES)
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in part if rows != 0 else ():
        batch = pa.record_batch(batch)[:rows]
        waiting.append(batch)
        size += batch.nbytes
        if rows is not None:
            rows -= batch.num_rows
        if rows == 0 or size >= _BLOCK_BYTES:
            yield _table(waiting, schema)
            waiting, size = [], 0
        if rows == 0:
            return
    if waiting:
        yield _table(waiting, schema)


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """A block. What works on it works chunk by chunk, so the batches of many small inputs become one."""
    table = pa.Table.from_batches(batches)
    if table.nbytes < _SMALL_BATCH_BYTES * len(batches):
        table = table.combine_chunks()
    return table.cast(schema)


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
