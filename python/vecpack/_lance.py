"""Sources become Lance datasets: fragments are written, noted in the manifest of the run, and committed together."""

from __future__ import annotations

import errno
import json
import os
import time
from math import isqrt
from typing import Any

from vecpack._errors import OptionError, SchemaError
from vecpack._load import LoadReport, as_source, finished, local_or_url, show_progress
from vecpack._missing import missing
from vecpack._vecpack import Source, _Run

FRAGMENT_BYTES = 1 << 30
PROPERTY = "vecpack"
"""The property of a transaction that names the first file of a commit."""


def to_lance(
    source: Any,
    path: str | os.PathLike[str],
    *,
    index: str | None = None,
    index_options: dict[str, Any] | None = None,
    fragment_bytes: int = FRAGMENT_BYTES,
    overwrite: bool = False,
    resume: bool = False,
    rejects: str | os.PathLike[str] | None = None,
    storage_options: dict[str, str] | None = None,
    progress: Any = None,
    **options: Any,
) -> LoadReport:
    """Writes a source into a Lance dataset, which has all rows or none of them.

    Needs the package `pylance`. A run that was interrupted goes on with `resume`; the manifest of the run is in
    `path`, below `_vecpack`.

    Parameters
    ----------
    source : Source or inputs
        A `Source`, or what `scan` takes, with read options among `options`.
    path : path
        The directory of the dataset, or its URL.
    index : str, optional
        `"ivf-pq"` makes an index of the first vector column when all rows are there.
    index_options : dict, optional
        Passed to Lance's `create_index`. By default there are as many partitions as the square root of the rows, and a sub-vector
        for 16 dimensions (8, or all of them, where that does not divide).
    fragment_bytes : int, default 1 GiB
        About how many bytes of the inputs go into a fragment. An input is not divided.
    overwrite : bool, default False
        Replace a dataset that exists. Lance keeps the version before.
    resume : bool, default False
        Finish an earlier run into `path`, or add inputs to it.
    rejects : path, optional
        A file for what was rejected, `.jsonl` or `.parquet`. With `resume` it has what this run rejected.
    storage_options : dict, optional
        Passed to Lance. vecpack itself takes credentials from the environment.
    progress : bool or callable, optional
        True for a bar, or a function that is called with bytes done, bytes in all, and rows, after each fragment.
    **options
        Read options.

    Returns
    -------
    LoadReport
        What this run did.
    """
    load = Load(
        as_source("to_lance", source, options),
        local_or_url(path),
        index=index,
        index_options=index_options,
        storage_options=storage_options,
        overwrite=overwrite,
        resume=resume,
        rejects=rejects,
    )
    groups = load.groups(fragment_bytes)
    with load, show_progress(progress, load.size(), len(load.source.files)) as tell:
        for numbers in groups:
            part = load.part(numbers)
            load.loaded(numbers, part.size(), write(part, *load.target))
            tell(load.bytes_in or 0, load.rows, load.files)
        load.commit()
    return load.report()


class Load:
    """A run into a dataset. `options` are those of `_Run.load`."""

    def __init__(
        self,
        source: Source,
        uri: str,
        *,
        index: str | None,
        index_options: dict[str, Any] | None,
        storage_options: dict[str, str] | None,
        **options: Any,
    ) -> None:
        try:
            import lance  # type: ignore[import-not-found, import-untyped, unused-ignore]
            import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError as error:
            raise missing("to_lance()", "pylance") from error
        self._begun = time.monotonic()
        self._lance: Any = lance
        self.source, self._uri, self._storage = source, uri, storage_options
        self._schema = pa.schema(source.schema)
        self._index, self._index_options = index, index_options or {}
        if index not in (None, "ivf-pq"):
            raise OptionError(f"option `index`: `{index}` is not known; there is `ivf-pq`")
        if index is not None and source.dim is None:
            raise OptionError("option `index`: there is no vector column")
        if dotted := [name for name in source.schema.names if "." in name]:
            raise SchemaError(f"Lance takes no dots in names of columns: rename `{dotted[0]}` with option `columns`")
        self._dataset = self._open()
        self._run = _Run.load(source, uri, "lance", self._commits(), **options)
        self.rows, self.files = 0, 0
        self.bytes_in: int | None = 0

    def _open(self) -> Any:
        """The dataset, if there is one."""
        if "://" not in self._uri:
            names = os.listdir(self._uri) if os.path.isdir(self._uri) else []
            if names and not {"_versions", "_vecpack"} & {*names}:
                raise FileExistsError(errno.EEXIST, "the directory holds files that are no Lance dataset", self._uri)
            if "_versions" not in names:
                return None
        try:
            return self._lance.dataset(self._uri, storage_options=self._storage)
        except ValueError as error:
            if "not found" in str(error).lower():
                return None
            raise

    def _commits(self) -> list[str] | None:
        """The first file of each commit that a run has made, if there is a dataset."""
        if self._dataset is None:
            return None
        transactions = self._dataset.get_transactions(self._dataset.version)
        properties = [each.transaction_properties or {} for each in transactions if each is not None]
        return [each[PROPERTY] for each in properties if PROPERTY in each]

    @property
    def target(self) -> tuple[str, str, dict[str, str] | None]:
        """Where fragments go, how, and the options of the store."""
        new = "create" if self._dataset is None else "overwrite"
        return self._uri, "append" if self._run.pending()[1] else new, self._storage

    def size(self) -> int | None:
        """Bytes of the inputs, if each of them has a size."""
        try:
            return self.source.size()
        except OSError:
            return None

    def groups(self, bytes: int) -> list[list[int]]:
        """What is left to read: the numbers of the inputs of each fragment."""
        return self._run.groups(bytes)

    def part(self, numbers: list[int]) -> Source:
        """These inputs."""
        return self._run.group(0, numbers)[0]

    def loaded(self, numbers: list[int], size: int | None, written: Written) -> None:
        """Notes that a fragment is written."""
        rows, files, fragments, rejected = written
        self._run.loaded(numbers, rows, files, fragments, rejected)
        self.rows, self.files = self.rows + rows, self.files + len(numbers)
        self.bytes_in = None if size is None or self.bytes_in is None else self.bytes_in + size

    def unreadable(self, number: int, error: str) -> None:
        """Notes that an input cannot be read."""
        self._run.unreadable(number, error)

    def commit(self) -> None:
        """Commits all fragments at once, and makes the index."""
        self._run.judge()
        lance = self._lance
        text, has_more = self._run.pending()
        fragments = [lance.FragmentMetadata.from_json(json.dumps(each)) for group in json.loads(text) for each in group]
        if fragments or not has_more:
            operation = lance.LanceOperation
            change = operation.Append(fragments) if has_more else operation.Overwrite(self._schema, fragments)
            transaction = lance.Transaction(
                read_version=self._dataset.version if self._dataset is not None else 0,
                operation=change,
                transaction_properties={PROPERTY: _name(fragments[0])} if fragments else {},
            )
            self._dataset = lance.LanceDataset.commit(self._uri, transaction, storage_options=self._storage)
            self._run.committed()
        if self._index is not None:
            self._make_index()

    def _make_index(self) -> None:
        dataset = self._dataset
        column = next(name for name, field in zip(self._schema.names, self._schema) if _dim(field.type))
        if known := [each.name for each in dataset.describe_indices() if column in each.field_names]:
            if dataset.stats.index_stats(known[0])["num_unindexed_rows"] > 0:
                dataset.optimize.optimize_indices()
            return
        dim = _dim(self._schema.field(column).type)
        step = next(step for step in (16, 8, dim) if dim % step == 0)
        defaults = {"num_partitions": max(isqrt(dataset.count_rows()), 1), "num_sub_vectors": dim // step}
        dataset.create_index(column, index_type="IVF_PQ", **{**defaults, **self._index_options})

    def __enter__(self) -> Load:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._run.finish(kind is None)

    def report(self) -> LoadReport:
        """What the run did."""
        return finished(
            self._run,
            rows=self.rows,
            rows_before=self._run.rows_before,
            files=self.files,
            bytes_in=self.bytes_in,
            seconds=time.monotonic() - self._begun,
        )


Written = tuple[int, list[tuple[str, int, int]], str, str]
"""Rows, the files with their sizes and rows, the fragments as JSON, and what was rejected."""


def write(part: Source, uri: str, mode: str, storage_options: dict[str, str] | None) -> Written:
    """Writes a part of a source as a fragment, which belongs to no version yet."""
    import lance
    import pyarrow as pa

    # Lance takes batches from the decoder itself: no Python runs in between.
    reader = pa.RecordBatchReader.from_stream(part)
    try:
        fragments = lance.fragment.write_fragments(
            reader, uri, schema=reader.schema, mode=mode, storage_options=storage_options
        )
    except Exception:
        # Lance passes on the text of an error and not its type. A scan of the part alone raises it as it is.
        part.count_rows()
        raise
    files = [(_name(each), each.files[0].file_size_bytes or 0, each.physical_rows) for each in fragments]
    described = json.dumps([each.to_json() for each in fragments])
    return sum(each.physical_rows for each in fragments), files, described, part._rejects()


def _name(fragment: Any) -> str:
    return f"data/{fragment.files[0].path}"


def _dim(data_type: Any) -> int:
    return getattr(data_type, "list_size", 0)
