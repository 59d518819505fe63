import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, final, overload, type_check_only

# None of these need be installed: what is missing is Any.
import numpy as np  # type: ignore[import-not-found, unused-ignore]
import pandas as pd  # type: ignore[import-not-found, import-untyped, unused-ignore]
import polars as pl  # type: ignore[import-not-found, unused-ignore]
import pyarrow as pa  # type: ignore[import-not-found, import-untyped, unused-ignore]
import torch  # type: ignore[import-not-found, unused-ignore]
from typing_extensions import Buffer, CapsuleType

__all__ = [
    "Field",
    "Inspection",
    "RecordBatch",
    "Report",
    "Schema",
    "Source",
    "Stream",
    "Table",
    "_Bar",
    "_Batches",
    "_Run",
    "__version__",
    "_restore_schema",
    "_restore_source",
    "from_iter",
    "inspect",
    "read",
    "run_command",
    "scan",
    "take_iter",
    "to_parquet",
]

__version__: str

@type_check_only
class _ArrowStreamExportable(Protocol):
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...

@type_check_only
class _ArrowSchemaExportable(Protocol):
    def __arrow_c_schema__(self) -> Any: ...

@type_check_only
class _BinaryReader(Protocol):
    def read(self, size: int, /) -> bytes: ...

@type_check_only
class _NumpyDtype(Protocol):
    @property
    def str(self) -> builtins.str: ...

# NumPy tells type checkers of its buffers only from Python 3.12 on.
_Array: TypeAlias = Buffer | np.ndarray[Any, Any]
_Input: TypeAlias = str | PathLike[str] | PathLike[bytes] | _Array | _BinaryReader
_Path: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes]
_Inputs: TypeAlias = _Input | Iterable[_Input]
_Dtype: TypeAlias = Literal["float32", "float64", "float16", "int8", "uint8"] | type[Any] | _NumpyDtype
_RawDtype: TypeAlias = str | type[Any] | _NumpyDtype
_Vector: TypeAlias = str | int | Iterable[str | int]
_Framing: TypeAlias = Literal["auto", "sequence", "array", "map", "columns", "length-prefixed"]
_Columns: TypeAlias = Iterable[str] | Mapping[str, str]
_Schema: TypeAlias = _ArrowSchemaExportable | dict[str, str | _ArrowSchemaExportable]
_OnError: TypeAlias = Literal["raise", "skip", "null"]
_Progress: TypeAlias = bool | Callable[[int, int | None, int], object] | None

def scan(
    inputs: _Inputs,
    *,
    vector: _Vector | None = None,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] | None = None,
    extensions: Mapping[int, str] | None = None,
    records: str | None = None,
    framing: _Framing = "auto",
    columns: _Columns | None = None,
    schema: _Schema | None = None,
    infer_records: int = 1000,
    on_error: _OnError = "raise",
    max_rejects: int = 10000,
    fail_after: int | str | None = None,
    batch_rows: int | None = None,
    batch_bytes: int = 2097152,
    threads: int | None = None,
    include_path: bool = False,
    include_record: bool = False,
    include_id: bool = False,
    limit: int | None = None,
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 60,
    store_window: int = 134217728,
) -> Source:
    """Opens a source: inputs, and the options to read them with.

    Reads only what it takes to find out what the inputs hold.

    Parameters
    ----------
    inputs : path, bytes, file object or list of them
        A path, a directory, a pattern such as ``'vectors/*.msgpack'``, a URL (``s3://``, ``gs://``, ``az://``, ``https://``,
        ``file://``), ``'-'`` for standard input, a bytes-like object, a binary file object, or a list of these. ``~`` is the home
        directory. gzip, zstd and lz4 are known by their first bytes and decompressed.
    vector : str, int or list of them, optional
        The fields that hold vectors: a key, a dotted path such as ``meta.embedding``, or a position. Found out by default.
    dim : int, optional
        Elements a vector. By default the most frequent number; of bare vectors that of the first. Other lengths are rejects.
    dtype : str or NumPy type, default 'float32'
        Element type of the vector columns: ``float32``, ``float64``, ``float16``, ``int8`` or ``uint8``.
    raw_dtype : str, NumPy type or dict, optional
        How to read vectors stored as untyped bytes, in NumPy's notation: ``<f4``, ``>f4``, ``<f2``, ``<f8``, ``bf16``, ``|i1``, ...
        By default what fields beside the bytes name, and else ``<f4``. A dictionary gives a type for each column.
    extensions : dict, optional
        What the payload of an extension type is, by its code: ``{42: '<f4'}``. Those of known producers need not be given.
    records : str, optional
        A key or a dotted path under which the records lie in each top-level object: a list, a map, or a matrix whose rows they are.
    framing : str, default 'auto'
        How records lie in a file: ``sequence`` (one after another), ``array`` (in one list), ``map`` (the values of one map),
        ``columns`` (maps of parallel lists), or ``length-prefixed`` (a length in front of each).
    columns : list of str or dict, optional
        The columns to produce: names of fields, or a dictionary of new names and fields. All by default. Other fields are skipped.
    schema : Arrow schema or dict, optional
        Types that override those that are inferred: an Arrow schema of any library, or a dictionary of names and types.
    infer_records : int, default 1000
        How many records are read to find out what they hold; 0 reads all.
    on_error : str, default 'raise'
        What to do with a record that cannot become a row: ``raise`` an error, ``skip`` the record, or put a ``null`` in its place.
        The last two note a reject.
    max_rejects : int, default 10000
        How many rejects keep their details. All are counted.
    fail_after : int or str, optional
        Raise an error when more records are rejected: a number, or a share such as ``'1%'``. No limit by default.
    batch_rows : int, optional
        The most rows in a batch. By default as many as ``batch_bytes`` allows.
    batch_bytes : int, default 2097152
        About the most bytes in a batch, which has one row at least.
    threads : int, optional
        How many threads decode. By default one for each core.
    include_path : bool, default False
        Add a column ``path`` with the name of the input.
    include_record : bool, default False
        Add a column ``record`` with the number of the record in its input.
    include_id : bool, default False
        Add a column ``id`` with a number that no other record of the source has: ``input << 40 | record``, as a signed integer.
    limit : int, optional
        The most rows to read, which are the first ones. All by default.
    max_record_bytes : int, default 268435456
        The largest record that is read. A larger one is rejected.
    max_expansion : int, default 1000
        How many times its size a compressed input may expand to, beyond 64 MiB; 0 is no limit.
    max_depth : int, default 60
        How deep the types of columns may be nested.
    store_window : int, default 134217728
        The most bytes of an object at a URL that are asked for before they are needed. Few are at first, and more where the server
        makes the reader wait.

    Returns
    -------
    Source
        Lazy: every scan reads the inputs anew.

    Examples
    --------
    >>> source = vecpack.scan("vectors/*.msgpack")
    >>> table = pyarrow.table(source)
    """

def read(
    inputs: _Inputs,
    *,
    vector: _Vector | None = None,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] | None = None,
    extensions: Mapping[int, str] | None = None,
    records: str | None = None,
    framing: _Framing = "auto",
    columns: _Columns | None = None,
    schema: _Schema | None = None,
    infer_records: int = 1000,
    on_error: _OnError = "raise",
    max_rejects: int = 10000,
    fail_after: int | str | None = None,
    batch_rows: int | None = None,
    batch_bytes: int = 2097152,
    threads: int | None = None,
    include_path: bool = False,
    include_record: bool = False,
    include_id: bool = False,
    limit: int | None = None,
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 60,
    store_window: int = 134217728,
) -> Table:
    """Reads all inputs into memory.

    Parameters
    ----------
    inputs : path, bytes, file object or list of them
        A path, a directory, a pattern such as ``'vectors/*.msgpack'``, a URL (``s3://``, ``gs://``, ``az://``, ``https://``,
        ``file://``), ``'-'`` for standard input, a bytes-like object, a binary file object, or a list of these. ``~`` is the home
        directory. gzip, zstd and lz4 are known by their first bytes and decompressed.
    vector : str, int or list of them, optional
        The fields that hold vectors: a key, a dotted path such as ``meta.embedding``, or a position. Found out by default.
    dim : int, optional
        Elements a vector. By default the most frequent number; of bare vectors that of the first. Other lengths are rejects.
    dtype : str or NumPy type, default 'float32'
        Element type of the vector columns: ``float32``, ``float64``, ``float16``, ``int8`` or ``uint8``.
    raw_dtype : str, NumPy type or dict, optional
        How to read vectors stored as untyped bytes, in NumPy's notation: ``<f4``, ``>f4``, ``<f2``, ``<f8``, ``bf16``, ``|i1``, ...
        By default what fields beside the bytes name, and else ``<f4``. A dictionary gives a type for each column.
    extensions : dict, optional
        What the payload of an extension type is, by its code: ``{42: '<f4'}``. Those of known producers need not be given.
    records : str, optional
        A key or a dotted path under which the records lie in each top-level object: a list, a map, or a matrix whose rows they are.
    framing : str, default 'auto'
        How records lie in a file: ``sequence`` (one after another), ``array`` (in one list), ``map`` (the values of one map),
        ``columns`` (maps of parallel lists), or ``length-prefixed`` (a length in front of each).
    columns : list of str or dict, optional
        The columns to produce: names of fields, or a dictionary of new names and fields. All by default. Other fields are skipped.
    schema : Arrow schema or dict, optional
        Types that override those that are inferred: an Arrow schema of any library, or a dictionary of names and types.
    infer_records : int, default 1000
        How many records are read to find out what they hold; 0 reads all.
    on_error : str, default 'raise'
        What to do with a record that cannot become a row: ``raise`` an error, ``skip`` the record, or put a ``null`` in its place.
        The last two note a reject.
    max_rejects : int, default 10000
        How many rejects keep their details. All are counted.
    fail_after : int or str, optional
        Raise an error when more records are rejected: a number, or a share such as ``'1%'``. No limit by default.
    batch_rows : int, optional
        The most rows in a batch. By default as many as ``batch_bytes`` allows.
    batch_bytes : int, default 2097152
        About the most bytes in a batch, which has one row at least.
    threads : int, optional
        How many threads decode. By default one for each core.
    include_path : bool, default False
        Add a column ``path`` with the name of the input.
    include_record : bool, default False
        Add a column ``record`` with the number of the record in its input.
    include_id : bool, default False
        Add a column ``id`` with a number that no other record of the source has: ``input << 40 | record``, as a signed integer.
    limit : int, optional
        The most rows to read, which are the first ones. All by default.
    max_record_bytes : int, default 268435456
        The largest record that is read. A larger one is rejected.
    max_expansion : int, default 1000
        How many times its size a compressed input may expand to, beyond 64 MiB; 0 is no limit.
    max_depth : int, default 60
        How deep the types of columns may be nested.
    store_window : int, default 134217728
        The most bytes of an object at a URL that are asked for before they are needed. Few are at first, and more where the server
        makes the reader wait.

    Returns
    -------
    Table
        The rows of all inputs, in their order.
    """

def inspect(
    inputs: _Inputs,
    *,
    full: bool = False,
    vector: _Vector | None = None,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] | None = None,
    extensions: Mapping[int, str] | None = None,
    records: str | None = None,
    framing: _Framing = "auto",
    columns: _Columns | None = None,
    schema: _Schema | None = None,
    infer_records: int = 1000,
    on_error: _OnError = "raise",
    max_rejects: int = 10000,
    fail_after: int | str | None = None,
    batch_rows: int | None = None,
    batch_bytes: int = 2097152,
    threads: int | None = None,
    include_path: bool = False,
    include_record: bool = False,
    include_id: bool = False,
    limit: int | None = None,
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 60,
    store_window: int = 134217728,
) -> Inspection:
    """Finds out what is in the inputs, and what a conversion with the same options makes of them.

    Reads the first ``infer_records`` records of each input. Records that cannot become rows are counted under every policy.

    Parameters
    ----------
    inputs : path, bytes, file object or list of them
        A path, a directory, a pattern such as ``'vectors/*.msgpack'``, a URL (``s3://``, ``gs://``, ``az://``, ``https://``,
        ``file://``), ``'-'`` for standard input, a bytes-like object, a binary file object, or a list of these. ``~`` is the home
        directory. gzip, zstd and lz4 are known by their first bytes and decompressed.
    full : bool, default False
        Read the inputs to their end.
    vector : str, int or list of them, optional
        The fields that hold vectors: a key, a dotted path such as ``meta.embedding``, or a position. Found out by default.
    dim : int, optional
        Elements a vector. By default the most frequent number; of bare vectors that of the first. Other lengths are rejects.
    dtype : str or NumPy type, default 'float32'
        Element type of the vector columns: ``float32``, ``float64``, ``float16``, ``int8`` or ``uint8``.
    raw_dtype : str, NumPy type or dict, optional
        How to read vectors stored as untyped bytes, in NumPy's notation: ``<f4``, ``>f4``, ``<f2``, ``<f8``, ``bf16``, ``|i1``, ...
        By default what fields beside the bytes name, and else ``<f4``. A dictionary gives a type for each column.
    extensions : dict, optional
        What the payload of an extension type is, by its code: ``{42: '<f4'}``. Those of known producers need not be given.
    records : str, optional
        A key or a dotted path under which the records lie in each top-level object: a list, a map, or a matrix whose rows they are.
    framing : str, default 'auto'
        How records lie in a file: ``sequence`` (one after another), ``array`` (in one list), ``map`` (the values of one map),
        ``columns`` (maps of parallel lists), or ``length-prefixed`` (a length in front of each).
    columns : list of str or dict, optional
        The columns to produce: names of fields, or a dictionary of new names and fields. All by default. Other fields are skipped.
    schema : Arrow schema or dict, optional
        Types that override those that are inferred: an Arrow schema of any library, or a dictionary of names and types.
    infer_records : int, default 1000
        How many records are read to find out what they hold; 0 reads all.
    on_error : str, default 'raise'
        What to do with a record that cannot become a row: ``raise`` an error, ``skip`` the record, or put a ``null`` in its place.
        The last two note a reject.
    max_rejects : int, default 10000
        How many rejects keep their details. All are counted.
    fail_after : int or str, optional
        Raise an error when more records are rejected: a number, or a share such as ``'1%'``. No limit by default.
    batch_rows : int, optional
        The most rows in a batch. By default as many as ``batch_bytes`` allows.
    batch_bytes : int, default 2097152
        About the most bytes in a batch, which has one row at least.
    threads : int, optional
        How many threads decode. By default one for each core.
    include_path : bool, default False
        Add a column ``path`` with the name of the input.
    include_record : bool, default False
        Add a column ``record`` with the number of the record in its input.
    include_id : bool, default False
        Add a column ``id`` with a number that no other record of the source has: ``input << 40 | record``, as a signed integer.
    limit : int, optional
        The most rows to read, which are the first ones. All by default.
    max_record_bytes : int, default 268435456
        The largest record that is read. A larger one is rejected.
    max_expansion : int, default 1000
        How many times its size a compressed input may expand to, beyond 64 MiB; 0 is no limit.
    max_depth : int, default 60
        How deep the types of columns may be nested.
    store_window : int, default 134217728
        The most bytes of an object at a URL that are asked for before they are needed. Few are at first, and more where the server
        makes the reader wait.

    Returns
    -------
    Inspection
        Its text is a few lines for a person; the attributes have all of it.
    """

def to_parquet(
    source: Source | Table | Stream | _ArrowStreamExportable | _Inputs,
    path: _Path,
    *,
    progress: _Progress = None,
    compression: Literal["auto", "none", "zstd", "lz4", "snappy"] = "auto",
    encoding: Literal["auto", "plain", "byte-stream-split"] = "auto",
    row_group_bytes: int = 4194304,
    max_file_bytes: int | None = None,
    list_type: Literal["fixed", "list"] | None = None,
    coerce_timestamps: Literal["us", "ms"] | None = None,
    allow_truncated_timestamps: bool = False,
    metadata: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
    rejects: _Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    sync: bool = True,
    vector: _Vector | None = None,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] | None = None,
    extensions: Mapping[int, str] | None = None,
    records: str | None = None,
    framing: _Framing = "auto",
    columns: _Columns | None = None,
    schema: _Schema | None = None,
    infer_records: int = 1000,
    on_error: _OnError = "raise",
    max_rejects: int = 10000,
    fail_after: int | str | None = None,
    batch_rows: int | None = None,
    batch_bytes: int = 2097152,
    threads: int | None = None,
    include_path: bool = False,
    include_record: bool = False,
    include_id: bool = False,
    limit: int | None = None,
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 60,
    store_window: int = 134217728,
) -> Report:
    """Converts to Parquet.

    A file is there when it is complete, and not before. Directories on the way to it are made.

    Parameters
    ----------
    source : Source, inputs or Arrow data
        A ``Source``, inputs as ``scan`` takes them, or anything with ``__arrow_c_stream__``. Read options go with inputs.
    path : path
        One file; or a directory that gets a file for each input, with the names and the subdirectories of the inputs. It is a
        directory if it exists as one, ends in ``/`` or has no extension. Arrow data become one file, unless ``max_file_bytes`` is given.
    progress : bool or callable, optional
        True shows a bar on the terminal, and in notebooks one of ``tqdm.auto`` where that is installed. A callable gets the bytes
        done, the bytes in all (or None) and the rows.
    compression : str, default 'auto'
        How pages are compressed: ``auto``, ``none``, ``zstd``, ``lz4`` or ``snappy``. ``auto`` compresses vectors where that saves a
        quarter.
    encoding : str, default 'auto'
        How the elements of vectors are encoded: ``auto``, ``plain`` or ``byte-stream-split``. ``auto`` is whatever gets smaller.
    row_group_bytes : int, default 4194304
        The most bytes in a row group, of all columns before they are encoded.
    max_file_bytes : int, optional
        About the most bytes in a file. ``path`` is then a directory, whose files hold the rows of all inputs.
    list_type : str, optional
        The type of vector columns: ``fixed``, or ``list`` for readers that do not know lists of a fixed size. By default ``fixed``,
        but ``list`` with ``on_error='null'``.
    coerce_timestamps : str, optional
        Write timestamps in this unit, ``us`` or ``ms``. By default in the unit that they have.
    allow_truncated_timestamps : bool, default False
        Cut off digits of timestamps that the unit of ``coerce_timestamps`` does not have. Otherwise they are an error.
    metadata : dict, optional
        Added to the metadata of each file.
    rejects : path, optional
        A file for what was rejected, ``.jsonl`` or ``.parquet``. With ``resume`` it has what this run rejected.
    overwrite : bool, default False
        Replace files that exist. In a directory, files of other names stay, but for parts of the earlier run.
    resume : bool, default False
        Finish an earlier run into the directory ``path``: inputs are read that are not done, or that have changed.
    sync : bool, default True
        Wait until the files are on the disk. Without it a power failure may leave them incomplete.
    vector : str, int or list of them, optional
        The fields that hold vectors: a key, a dotted path such as ``meta.embedding``, or a position. Found out by default.
    dim : int, optional
        Elements a vector. By default the most frequent number; of bare vectors that of the first. Other lengths are rejects.
    dtype : str or NumPy type, default 'float32'
        Element type of the vector columns: ``float32``, ``float64``, ``float16``, ``int8`` or ``uint8``.
    raw_dtype : str, NumPy type or dict, optional
        How to read vectors stored as untyped bytes, in NumPy's notation: ``<f4``, ``>f4``, ``<f2``, ``<f8``, ``bf16``, ``|i1``, ...
        By default what fields beside the bytes name, and else ``<f4``. A dictionary gives a type for each column.
    extensions : dict, optional
        What the payload of an extension type is, by its code: ``{42: '<f4'}``. Those of known producers need not be given.
    records : str, optional
        A key or a dotted path under which the records lie in each top-level object: a list, a map, or a matrix whose rows they are.
    framing : str, default 'auto'
        How records lie in a file: ``sequence`` (one after another), ``array`` (in one list), ``map`` (the values of one map),
        ``columns`` (maps of parallel lists), or ``length-prefixed`` (a length in front of each).
    columns : list of str or dict, optional
        The columns to produce: names of fields, or a dictionary of new names and fields. All by default. Other fields are skipped.
    schema : Arrow schema or dict, optional
        Types that override those that are inferred: an Arrow schema of any library, or a dictionary of names and types.
    infer_records : int, default 1000
        How many records are read to find out what they hold; 0 reads all.
    on_error : str, default 'raise'
        What to do with a record that cannot become a row: ``raise`` an error, ``skip`` the record, or put a ``null`` in its place.
        The last two note a reject.
    max_rejects : int, default 10000
        How many rejects keep their details. All are counted.
    fail_after : int or str, optional
        Raise an error when more records are rejected: a number, or a share such as ``'1%'``. No limit by default.
    batch_rows : int, optional
        The most rows in a batch. By default as many as ``batch_bytes`` allows.
    batch_bytes : int, default 2097152
        About the most bytes in a batch, which has one row at least.
    threads : int, optional
        How many threads decode. By default one for each core.
    include_path : bool, default False
        Add a column ``path`` with the name of the input.
    include_record : bool, default False
        Add a column ``record`` with the number of the record in its input.
    include_id : bool, default False
        Add a column ``id`` with a number that no other record of the source has: ``input << 40 | record``, as a signed integer.
    limit : int, optional
        The most rows to read, which are the first ones. All by default.
    max_record_bytes : int, default 268435456
        The largest record that is read. A larger one is rejected.
    max_expansion : int, default 1000
        How many times its size a compressed input may expand to, beyond 64 MiB; 0 is no limit.
    max_depth : int, default 60
        How deep the types of columns may be nested.
    store_window : int, default 134217728
        The most bytes of an object at a URL that are asked for before they are needed. Few are at first, and more where the server
        makes the reader wait.

    Returns
    -------
    Report
        What was read and written.
    """

def from_iter(
    iterable: Iterable[_Array],
    *,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype = "<f4",
    batch_rows: int | None = None,
    batch_bytes: int = 2097152,
) -> Stream:
    """Makes record batches of vectors in memory.

    Parameters
    ----------
    iterable : iterable of arrays or bytes
        One-dimensional arrays with the buffer protocol (NumPy's, the standard library's), whose own element type counts; or bytes,
        bytearrays and memoryviews of bytes, which are read as ``raw_dtype``. A NumPy array of shape (rows, dim) is one as well.
    dim : int, optional
        Elements a vector. By default those of the first item.
    dtype : str or NumPy type, default 'float32'
        Element type of the vector column: ``float32``, ``float64``, ``float16``, ``int8`` or ``uint8``.
    raw_dtype : str or NumPy type, default '<f4'
        How to read items that are bytes, in NumPy's notation.
    batch_rows : int, optional
        The most rows in a batch. By default as many as ``batch_bytes`` allows.
    batch_bytes : int, default 2097152
        About the most bytes in a batch, which has one row at least.

    Returns
    -------
    Stream
        Record batches with a column ``vector``. It can be read once.
    """

def take_iter(iterable: Iterable[_Array], out: _Array, *, raw_dtype: _RawDtype = "<f4") -> int:
    """Fills an array with vectors in memory.

    Rows are there when it returns or raises: another thread copies them while the iterator goes on.

    Parameters
    ----------
    iterable : iterable of arrays or bytes
        Vectors as ``from_iter`` takes them. More of them than rows are an error.
    out : array
        A writable float32 array of shape (rows, dim).
    raw_dtype : str or NumPy type, default '<f4'
        How to read items that are bytes, in NumPy's notation.

    Returns
    -------
    int
        How many rows were filled.
    """

def run_command(arguments: Sequence[str]) -> int:
    """Runs the ``vecpack`` command.

    Parameters
    ----------
    arguments : list of str
        The arguments. The first one is the name of the program.

    Returns
    -------
    int
        The exit code.
    """

def _restore_schema(state: str) -> Schema:
    """The other half of pickling a schema."""

def _restore_source(
    inputs: Sequence[tuple[str | bytes, tuple[int, int, int, bool] | None, str | None, int]],
    read_as: str,
) -> Source:
    """The other half of pickling."""

@final
class Field:
    """A column's name and type."""

    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def name(self) -> str:
        """The name."""
    @property
    def type(self) -> str:
        """The Arrow type, as text."""
    @property
    def nullable(self) -> bool:
        """True if there may be nulls."""
    @property
    def dim(self) -> int | None:
        """Elements a vector, of a vector column; None of another one."""
    def __eq__(self, other: object, /) -> bool: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...

@final
class Schema:
    """The columns' names and types."""

    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def names(self) -> list[str]:
        """The columns' names."""
    def field(self, key: str | int) -> Field:
        """The field of a column.

        Parameters
        ----------
        key : str or int
            The name or the position of the column.
        """
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Field]: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __getitem__(self, key: str | int, /) -> Field: ...
    def _repr_html_(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...

@final
class RecordBatch:
    """Rows in memory, one piece of it a column."""

    @property
    def schema(self) -> Schema:
        """The columns' names and types."""
    @property
    def num_rows(self) -> int:
        """The number of rows."""
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[tuple[int, int], Any]:
        """The vectors of the first vector column, for ``numpy.asarray``.

        Parameters
        ----------
        dtype : NumPy type, optional
            The type of the elements. By default that of the column.
        copy : bool, optional
            True for a copy in any case; False for an error where one is needed.
        """
    def _repr_html_(self) -> str: ...
    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[CapsuleType, CapsuleType]: ...
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]:
        """The vectors of a column, the first one if none is named, as a NumPy array of shape (rows, dim): a read-only view.

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """
    def to_torch(self, column: str | None = None) -> torch.Tensor:
        """The same as a ``torch.Tensor`` over the same memory, which is not to be written to.

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """

@final
class Table:
    """Record batches of one schema, in memory."""

    @property
    def schema(self) -> Schema:
        """The columns' names and types."""
    @property
    def num_rows(self) -> int:
        """The number of rows."""
    @property
    def num_columns(self) -> int:
        """The number of columns."""
    @property
    def batches(self) -> list[RecordBatch]:
        """The record batches."""
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[RecordBatch]: ...
    def __getitem__(self, key: slice | str | Sequence[str], /) -> Table: ...
    def head(self, rows: int = 5) -> Table:
        """The first rows.

        Parameters
        ----------
        rows : int, default 5
            How many.
        """
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[tuple[int, int], Any]:
        """The vectors of the first vector column, for ``numpy.asarray``.

        Parameters
        ----------
        dtype : NumPy type, optional
            The type of the elements. By default that of the column.
        copy : bool, optional
            True for a copy in any case; False for an error where one is needed.
        """
    def _repr_html_(self) -> str: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> CapsuleType: ...
    def to_pyarrow(self) -> pa.Table:
        """As a ``pyarrow.Table``, without a copy."""
    def to_polars(self) -> pl.DataFrame:
        """As a ``polars.DataFrame``."""
    def to_pandas(self) -> pd.DataFrame:
        """As a ``pandas.DataFrame``; every vector is a NumPy array."""
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]:
        """The vectors of a column, the first one if none is named, as a NumPy array of shape (rows, dim): of one batch a read-only
        view, of several a copy.

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """
    def to_torch(self, column: str | None = None) -> torch.Tensor:
        """The same as a ``torch.Tensor``. Of one batch it is over the same memory, which is not to be written to.

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """

@final
class Source:
    """Paths or buffers plus read options. Lazy: every scan reads the inputs anew."""

    @property
    def schema(self) -> Schema:
        """The columns' names and types."""
    @property
    def files(self) -> list[str]:
        """The names of the inputs, in the order of their rows."""
    @property
    def options(self) -> dict[str, Any]:
        """The read options, with the dimension that was found."""
    @property
    def dim(self) -> int | None:
        """Elements a vector, in the first vector column; ``None`` if there is none."""
    @property
    def framing(self) -> str:
        """How records lie in the inputs: ``sequence``, ``array``, ``map``, ``columns`` or ``length-prefixed``."""
    @property
    def rejects(self) -> Table:
        """What the latest scan rejected so far, as a table."""
    @property
    def reject_count(self) -> int:
        """How many records the latest scan rejected so far; exact, also where `rejects` no longer has the details."""
    def count_rows(self) -> int:
        """The number of rows. Costs a scan."""
    def size(self) -> int | None:
        """How many bytes a scan reads; ``None`` if that cannot be known without reading."""
    @property
    def columns(self) -> dict[str, str]:
        """The columns' names, each with the field that fills it: ``{"embedding": "meta.embedding", "id": "id"}``."""
    def head(self, rows: int = 5) -> Table:
        """The first rows, in memory.

        Parameters
        ----------
        rows : int, default 5
            How many.
        """
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[tuple[int, int], Any]:
        """The vectors of the first vector column, for ``numpy.asarray``. Reads everything.

        Parameters
        ----------
        dtype : NumPy type, optional
            The type of the elements. By default that of the column.
        copy : bool, optional
            True for a copy in any case; False for an error where one is needed.
        """
    def _repr_html_(self) -> str: ...
    def select(self, columns: Iterable[str]) -> Source:
        """The same rows with some of the columns, in this order.

        Nothing is found out anew, and fields that no column needs are skipped, unless ``on_error`` is ``skip`` or ``null``,
        which check every value.

        Parameters
        ----------
        columns : list of str
            The names of the columns.
        """
    def rename(self, names: Mapping[str, str]) -> Source:
        """The same rows with other names for some of the columns.

        Nothing is found out anew, and rejects keep the paths that fields have in the input.

        Parameters
        ----------
        names : dict
            Old names and new names.
        """
    def with_options(
        self,
        *,
        batch_rows: int | None = None,
        batch_bytes: int | None = None,
        threads: int | None = None,
        limit: int | None = None,
    ) -> Source:
        """The same rows in batches of other sizes, decoded by another number of threads, or only the first of them.

        Parameters
        ----------
        batch_rows : int, optional
            The most rows in a batch.
        batch_bytes : int, optional
            About the most bytes in a batch, which has one row at least.
        threads : int, optional
            How many threads decode.
        limit : int, optional
            The most rows to read, which are the first ones.
        """
    def split(self, parts: int) -> list[Source]:
        """Sources that together are this one, in its order. Some may be empty.

        Parameters
        ----------
        parts : int
            How many.
        """
    def split_inputs(self) -> list[Source]:
        """A source for each input, in their order."""
    def _tasks(self, bytes: int) -> list[tuple[Source, int]]:
        """Sources of about so many bytes, each with the number of parts into which to split it."""
    def _rejects(self) -> str:
        """What the latest scan rejected, for another process."""
    def _first_rejects(self, rows: int) -> tuple[int, list[str], str | None]:
        """How many records the latest scan rejected, the first of them in words, and a warning if it gave no rows."""
    def __iter__(self) -> _Batches: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> CapsuleType: ...
    def to_pyarrow(self) -> pa.Table:
        """Reads everything into a ``pyarrow.Table``, without a copy."""
    @overload
    def to_polars(self, *, lazy: Literal[False] = False) -> pl.DataFrame:
        """Reads everything into a ``polars.DataFrame``.

        Parameters
        ----------
        lazy : bool, default False
            True for a ``polars.LazyFrame``, which reads what a query needs when it is collected.
        """
    @overload
    def to_polars(self, *, lazy: Literal[True]) -> pl.LazyFrame:
        """Reads everything into a ``polars.DataFrame``.

        Parameters
        ----------
        lazy : bool, default False
            True for a ``polars.LazyFrame``, which reads what a query needs when it is collected.
        """
    def to_pandas(self) -> pd.DataFrame:
        """Reads everything into a ``pandas.DataFrame``; every vector is a NumPy array."""
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]:
        """Reads the vectors of a column, the first one if none is named, into a NumPy array of shape (rows, dim).

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """
    def to_torch(self, column: str | None = None) -> torch.Tensor:
        """Reads the vectors of a column, the first one if none is named, into a ``torch.Tensor`` of shape (rows, dim).

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """

@final
class _Run:
    """A run into a directory whose files are made by other processes."""

    def __new__(cls, source: Source, path: str | bytes | PathLike[Any], **options: Any) -> _Run: ...
    @staticmethod
    def load(
        source: Source,
        path: str | bytes | PathLike[Any],
        database: str,
        commits: Sequence[str] | None,
        *,
        cluster: bool = False,
        **options: Any,
    ) -> _Run:
        """A run into a database of this kind. `commits` name a file of each commit, if it is there. Other processes read for a
        `cluster`."""
    def groups(self, bytes: int | None = None) -> list[list[int]]:
        """The numbers of the inputs that are left, in groups that become a file or a fragment each, of about so many bytes."""
    def group(self, group: int, numbers: Sequence[int]) -> tuple[Source, str]:
        """A group as a source, and the file that it becomes."""
    def loaded(
        self,
        numbers: Sequence[int],
        rows: int,
        files: Sequence[tuple[str, int, int]],
        fragments: str,
        rejects: str,
    ) -> None:
        """Notes that the rows of these inputs are in files of the database: names, sizes and rows, and what it commits them by."""
    def pending(self) -> tuple[str, bool]:
        """What the database has to commit, and whether it has committed something of the run before."""
    def committed(self) -> None:
        """Notes that the database has committed all of that."""
    @property
    def rows_before(self) -> int:
        """The rows of earlier runs."""
    def _first_rejects(self, rows: int) -> tuple[int, list[str], str | None]:
        """How many records were rejected, the first of them in words, and a warning if there are no rows."""
    def judge(self) -> None:
        """Fails where more was rejected than the run may have."""
    def done(self, group: int, numbers: Sequence[int], rows: int, bytes: int, rejects: str) -> None:
        """Notes that the file of a group is complete."""
    def unreadable(self, number: int, error: str) -> None:
        """Notes that an input cannot be read."""
    def finish(self, complete: bool) -> None:
        """Ends the run, complete or not."""

@final
class _Bar:
    """How far Python code is, where standard error is a terminal; lines elsewhere with `force`."""

    def __new__(cls, total: int | None, files: int, force: bool) -> _Bar: ...
    def __call__(self, bytes: int, _total: int | None, rows: int, files: int) -> None:
        """Shows how far the work is."""
    def close(self) -> None:
        """Ends the bar."""

@final
class _Batches:
    """A scan under way: an iterator of record batches."""

    def __iter__(self) -> _Batches: ...
    def __next__(self) -> RecordBatch: ...

@final
class Stream:
    """Record batches made of a Python iterable. Can be read once."""

    @property
    def schema(self) -> Schema:
        """The columns' names and types. Reads the first item if ``dim`` was not given."""
    def __iter__(self) -> Iterator[RecordBatch]: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> CapsuleType: ...
    def to_pyarrow(self) -> pa.Table:
        """Reads everything into a ``pyarrow.Table``, without a copy."""
    def to_polars(self) -> pl.DataFrame:
        """Reads everything into a ``polars.DataFrame``."""
    def to_pandas(self) -> pd.DataFrame:
        """Reads everything into a ``pandas.DataFrame``; every vector is a NumPy array."""
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]:
        """Reads everything into a NumPy array of shape (rows, dim).

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """
    def to_torch(self, column: str | None = None) -> torch.Tensor:
        """Reads everything into a ``torch.Tensor`` of shape (rows, dim).

        Parameters
        ----------
        column : str, optional
            The vector column. By default the first one.
        """

@final
class Report:
    """What a conversion did."""

    @property
    def rows(self) -> int:
        """Rows written."""
    @property
    def rejects(self) -> int:
        """Records that became no row, or a null."""
    @property
    def reject_kinds(self) -> dict[str, int]:
        """How many rejects of each kind."""
    @property
    def rejects_listed(self) -> int:
        """How many rejects kept their details."""
    @property
    def rejects_file(self) -> str | None:
        """The file that has the details, if one was asked for."""
    @property
    def files(self) -> int:
        """Inputs read."""
    @property
    def bytes_in(self) -> int:
        """Bytes read."""
    @property
    def bytes_out(self) -> int:
        """Bytes written."""
    @property
    def seconds(self) -> float:
        """Wall time in seconds."""
    @property
    def row_groups(self) -> int:
        """Row groups written."""
    @property
    def files_before(self) -> int:
        """Inputs that an earlier run had done, which this one left as they were."""
    @property
    def rows_before(self) -> int:
        """Rows of the inputs that an earlier run had done."""
    @property
    def rejects_before(self) -> int:
        """Rejects of the inputs that an earlier run had done."""
    @property
    def outputs(self) -> list[str]:
        """The files written."""
    @property
    def encodings(self) -> list[tuple[str, str, str]]:
        """How vector columns are encoded: name, encoding and compression."""
    def to_dict(self) -> dict[str, Any]:
        """All of it as a dictionary."""
    def _repr_html_(self) -> str: ...

@final
class Inspection:
    """What `inspect` found."""

    @property
    def files(self) -> int:
        """Inputs read."""
    @property
    def size(self) -> int | None:
        """Bytes of the inputs; None where that is not known without reading."""
    @property
    def bytes(self) -> int:
        """Bytes read."""
    @property
    def complete(self) -> bool:
        """True if the inputs were read to their end, and not only the first records of each."""
    @property
    def rows(self) -> int:
        """Records read that are rows."""
    @property
    def rows_estimate(self) -> int | None:
        """How many rows there are in all, as far as the first records tell; None where that is not known."""
    @property
    def framing(self) -> str:
        """How records lie in the inputs."""
    @property
    def framing_from(self) -> str:
        """How the framing was found out."""
    @property
    def notes(self) -> list[str]:
        """What looks wrong, what is left out and why: a sentence each."""
    @property
    def layout(self) -> str:
        """What a record is: ``vector``, ``positional`` or ``map``."""
    @property
    def layout_from(self) -> str:
        """How the layout was found out."""
    @property
    def columns(self) -> list[dict[str, Any]]:
        """The columns, each a dictionary: name, type, nulls, null_share, and of vectors dim, dtype, stored, norms, nan, infinite."""
    @property
    def dims(self) -> list[dict[str, Any]]:
        """How many inputs have vectors of each length, as dictionaries: field, dim, files."""
    @property
    def left_out(self) -> list[dict[str, Any]]:
        """Fields of the records that fill no column, as dictionaries: field, files, why."""
    @property
    def rejects(self) -> int:
        """Records read that are no rows."""
    @property
    def reject_kinds(self) -> dict[str, int]:
        """How many rejects of each kind."""
    @property
    def first_rejects(self) -> list[str]:
        """The first rejects, in words."""
    @property
    def error(self) -> str | None:
        """The error that a conversion with the same options ends with; None if it does not fail."""
    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Each input, as a dictionary: file, size, rows, rejects, and what it holds where that differs from the others."""
    def to_dict(self) -> dict[str, Any]:
        """All of it as a dictionary."""
    def _repr_html_(self) -> str: ...
