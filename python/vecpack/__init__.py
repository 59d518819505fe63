"""MessagePack vectors to Arrow and Parquet, at the speed of a file copy."""

from vecpack._duckdb import to_duckdb
from vecpack._errors import DecodeError, OptionError, SchemaError, VecpackError
from vecpack._lance import to_lance
from vecpack._load import LoadReport
from vecpack._vecpack import (
    Field,
    Inspection,
    RecordBatch,
    Report,
    Schema,
    Source,
    Stream,
    Table,
    __version__,
    from_iter,
    inspect,
    read,
    scan,
    take_iter,
    to_parquet,
)

__all__ = [
    "DecodeError",
    "Field",
    "Inspection",
    "LoadReport",
    "OptionError",
    "RecordBatch",
    "Report",
    "Schema",
    "SchemaError",
    "Source",
    "Stream",
    "Table",
    "VecpackError",
    "__version__",
    "from_iter",
    "inspect",
    "read",
    "scan",
    "take_iter",
    "to_duckdb",
    "to_lance",
    "to_parquet",
]
