"""MessagePack vectors to Arrow and Parquet, at the speed of a file copy."""

from vecpack._errors import DecodeError, OptionError, SchemaError, VecpackError
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

# A literal would tell jedi, which goes by values, that the imports below are never made.
TYPE_CHECKING = bool()  # noqa: UP018
if TYPE_CHECKING:
    from vecpack._duckdb import to_duckdb
    from vecpack._lance import to_lance
    from vecpack._load import LoadReport
else:
    # With the first use: these modules would double the time of an import.
    _LATER = {"LoadReport": "_load", "to_duckdb": "_duckdb", "to_lance": "_lance"}

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        globals()[name] = value = getattr(import_module(f"vecpack.{_LATER[name]}"), name)
        return value

    def __dir__():
        return sorted({*globals(), *_LATER})


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
