"""Sources become tables of a DuckDB database."""

from __future__ import annotations

import errno
import os
import time
from typing import Any

from vecpack._load import LoadReport, as_source, finished, local_or_url
from vecpack._missing import missing


def to_duckdb(
    source: Any,
    path: Any,
    table: str,
    *,
    overwrite: bool = False,
    **options: Any,
) -> LoadReport:
    """Writes a source into a table of a DuckDB database, which then has all rows or is not there.

    Needs the package `duckdb`. Vectors become arrays, as `FLOAT[512]`.

    Parameters
    ----------
    source : Source or inputs
        A `Source`, or what `scan` takes, with read options among `options`.
    path : path or connection
        The file of the database, which is made if it is missing, or an open `duckdb` connection.
    table : str
        The name of the table, which may have a schema as in `main.vectors`.
    overwrite : bool, default False
        Replace a table that exists.
    **options
        Read options.

    Returns
    -------
    LoadReport
        What was done.
    """
    try:
        import duckdb
    except ImportError as error:
        raise missing("to_duckdb()", "duckdb") from error
    begun = time.monotonic()
    source = as_source("to_duckdb", source, options)
    if isinstance(path, duckdb.DuckDBPyConnection):
        rows = _load(duckdb, path, "connection", source, table, overwrite)
    else:
        file = local_or_url(path)
        is_new = not os.path.exists(file)
        if is_new:
            os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
        elif not _is_database(file):
            # DuckDB would open other formats as views in memory, and write nothing.
            raise FileExistsError(errno.EEXIST, "the file is no DuckDB database", file)
        try:
            with duckdb.connect(file) as connection:
                rows = _load(duckdb, connection, file, source, table, overwrite)
        except BaseException:
            if is_new and os.path.exists(file):
                os.remove(file)
            raise
    return finished(
        source,
        rows=rows,
        rows_before=0,
        files=len(source.files),
        bytes_in=source.size(),
        seconds=time.monotonic() - begun,
    )


def _load(duckdb: Any, connection: Any, file: str, source: Any, table: str, overwrite: bool) -> int:
    name = ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
    verb = "CREATE OR REPLACE TABLE" if overwrite else "CREATE TABLE"
    # One statement is one transaction.
    try:
        return int(connection.execute(f"{verb} {name} AS SELECT * FROM source").fetchone()[0])
    except duckdb.CatalogException as error:
        if "already exists" not in str(error):
            raise
        text = f"the table {table} exists; option `overwrite` replaces it"
        raise FileExistsError(errno.EEXIST, text, file) from None
    except duckdb.InvalidInputException:
        # DuckDB passes on the text of an error and not its type. A scan alone raises it as it is.
        source.count_rows()
        raise


def _is_database(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(12)[8:] in (b"DUCK", b"")
