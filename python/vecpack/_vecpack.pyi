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
    "Inspection",
    "RecordBatch",
    "Report",
    "Schema",
    "Source",
    "Stream",
    "Table",
    "_Batches",
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
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] = "<f4",
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
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 128,
) -> Source: ...
def read(
    inputs: _Inputs,
    *,
    vector: _Vector | None = None,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] = "<f4",
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
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 128,
) -> Table: ...
def inspect(
    inputs: _Inputs,
    *,
    vector: _Vector | None = None,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] = "<f4",
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
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 128,
) -> Inspection: ...
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
    raw_dtype: _RawDtype | Mapping[str, _RawDtype] = "<f4",
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
    max_record_bytes: int = 268435456,
    max_expansion: int = 1000,
    max_depth: int = 128,
) -> Report: ...
def from_iter(
    iterable: Iterable[_Array],
    *,
    dim: int | None = None,
    dtype: _Dtype = "float32",
    raw_dtype: _RawDtype = "<f4",
    batch_rows: int | None = None,
    batch_bytes: int = 2097152,
) -> Stream: ...
def take_iter(iterable: Iterable[_Array], out: _Array, *, raw_dtype: _RawDtype = "<f4") -> int: ...
def run_command(arguments: Sequence[str]) -> int: ...
def _restore_schema(state: str) -> Schema: ...
def _restore_source(
    inputs: Sequence[tuple[str | bytes, tuple[int, int, int, bool] | None]],
    options: dict[str, Any],
    findings: str,
    columns: Mapping[str, str],
) -> Source: ...

@final
class Schema:
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def names(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...

@final
class RecordBatch:
    @property
    def schema(self) -> Schema: ...
    @property
    def num_rows(self) -> int: ...
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_array__(self, requested_schema: Any = None) -> tuple[CapsuleType, CapsuleType]: ...
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]: ...
    def to_torch(self, column: str | None = None) -> torch.Tensor: ...

@final
class Table:
    @property
    def schema(self) -> Schema: ...
    @property
    def num_rows(self) -> int: ...
    @property
    def num_columns(self) -> int: ...
    @property
    def batches(self) -> list[RecordBatch]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[RecordBatch]: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> CapsuleType: ...
    def to_pyarrow(self) -> pa.Table: ...
    def to_polars(self) -> pl.DataFrame: ...
    def to_pandas(self) -> pd.DataFrame: ...
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]: ...
    def to_torch(self, column: str | None = None) -> torch.Tensor: ...

@final
class Source:
    @property
    def schema(self) -> Schema: ...
    @property
    def files(self) -> list[str]: ...
    @property
    def options(self) -> dict[str, Any]: ...
    @property
    def dim(self) -> int | None: ...
    @property
    def framing(self) -> str: ...
    @property
    def rejects(self) -> Table: ...
    @property
    def reject_count(self) -> int: ...
    def count_rows(self) -> int: ...
    def size(self) -> int | None: ...
    @property
    def columns(self) -> dict[str, str]: ...
    def select(self, columns: Iterable[str]) -> Source: ...
    def rename(self, names: Mapping[str, str]) -> Source: ...
    def with_options(
        self, *, batch_rows: int | None = None, batch_bytes: int | None = None, threads: int | None = None
    ) -> Source: ...
    def split(self, parts: int) -> list[Source]: ...
    def split_inputs(self) -> list[Source]: ...
    def __iter__(self) -> _Batches: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> CapsuleType: ...
    def to_pyarrow(self) -> pa.Table: ...
    @overload
    def to_polars(self, *, lazy: Literal[False] = False) -> pl.DataFrame: ...
    @overload
    def to_polars(self, *, lazy: Literal[True]) -> pl.LazyFrame: ...
    def to_pandas(self) -> pd.DataFrame: ...
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]: ...
    def to_torch(self, column: str | None = None) -> torch.Tensor: ...

@final
class _Batches:
    def __iter__(self) -> _Batches: ...
    def __next__(self) -> RecordBatch: ...

@final
class Stream:
    @property
    def schema(self) -> Schema: ...
    def __iter__(self) -> Iterator[RecordBatch]: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> CapsuleType: ...
    def to_pyarrow(self) -> pa.Table: ...
    def to_polars(self) -> pl.DataFrame: ...
    def to_pandas(self) -> pd.DataFrame: ...
    def to_numpy(self, column: str | None = None) -> np.ndarray[tuple[int, int], Any]: ...
    def to_torch(self, column: str | None = None) -> torch.Tensor: ...

@final
class Report:
    @property
    def rows(self) -> int: ...
    @property
    def rejects(self) -> int: ...
    @property
    def reject_kinds(self) -> dict[str, int]: ...
    @property
    def rejects_listed(self) -> int: ...
    @property
    def rejects_file(self) -> str | None: ...
    @property
    def files(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def row_groups(self) -> int: ...
    @property
    def files_before(self) -> int: ...
    @property
    def rows_before(self) -> int: ...
    @property
    def rejects_before(self) -> int: ...
    @property
    def outputs(self) -> list[str]: ...
    @property
    def encodings(self) -> list[tuple[str, str, str]]: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Inspection:
    @property
    def files(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def framing(self) -> str: ...
    @property
    def framing_from(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def layout_from(self) -> str: ...
    @property
    def columns(self) -> list[dict[str, Any]]: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def rejects(self) -> int: ...
    def to_dict(self) -> dict[str, Any]: ...
