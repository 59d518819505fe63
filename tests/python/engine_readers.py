"""The engines that read Parquet: one small function each, from a file to its columns.

A function takes the file, the names and types of the columns, and perhaps the first and last `id` of the rows that are
wanted. It gives a pyarrow table or lists of Python's values by column; rows may come in any order.
"""

import functools
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

HYPARQUET = Path(sys.prefix) / "hyparquet"
"""Where `make test-engines` puts hyparquet."""
OLD_PYARROWS = {
    path.parent.parent.name.replace("-", " "): path
    for path in sorted(Path(sys.prefix).glob("pyarrow-*/bin/python"))
    if (path.parent.parent / "installed").exists()
}
"""Pythons with other versions of pyarrow, by their names."""


def where(between):
    return f" WHERE id BETWEEN {between[0]} AND {between[1]}" if between else ""


def names(types):
    return ", ".join(f'"{name}"' for name in types)


def pyarrow(path, types, between=None):
    import pyarrow.parquet as pq

    filters = [("id", ">=", between[0]), ("id", "<=", between[1])] if between else None
    return pq.read_table(path, columns=list(types), filters=filters)


def old_pyarrow(path, types, between=None, *, python):
    code = """if True:
        import sys, pyarrow as pa, pyarrow.parquet as pq
        path, out, columns, between = sys.argv[1], sys.argv[2], sys.argv[3].split(","), eval(sys.argv[4])
        filters = [("id", ">=", between[0]), ("id", "<=", between[1])] if between else None
        table = pq.read_table(path, columns=columns, filters=filters)
        with pa.OSFile(out, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write(table)
    """
    with tempfile.NamedTemporaryFile(suffix=".arrow") as out:
        command = [python, "-c", code, path, out.name, ",".join(types), repr(between)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return pa.ipc.open_file(out.name).read_all()


def awswrangler(path, types, between=None, *, python):
    """Read by pyarrow, if Athena has a type for each column."""
    code = """if True:
        import sys, awswrangler._data_types, pyarrow.parquet as pq
        for field in pq.read_schema(sys.argv[1]):
            awswrangler._data_types.pyarrow2athena(field.type)
    """
    done = subprocess.run([str(python), "-c", code, str(path)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return old_pyarrow(path, types, between, python=python)


def polars(path, types, between=None):
    import polars as pl

    frame = pl.scan_parquet(path).select(list(types))
    return (frame.filter(pl.col("id").is_between(*between)) if between else frame).collect().to_arrow()


def duckdb(path, types, between=None):
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(f"SELECT {names(types)} FROM '{path}'{where(between)}").to_arrow_table()


def datafusion(path, types, between=None, **settings):
    from datafusion import SessionConfig, SessionContext

    config = SessionConfig()
    for name, value in settings.items():
        config = config.set(f"datafusion.execution.parquet.{name}", value)
    context = SessionContext(config)
    context.register_parquet("file", str(path))
    return context.sql(f"SELECT {names(types)} FROM file{where(between)}").to_arrow_table()


def clickhouse(path, types, between=None):
    import chdb

    query = f"SELECT {names(types)} FROM file('{path}', Parquet){where(between)}"
    return pa.ipc.open_file(pa.py_buffer(chdb.query(query, "Arrow").bytes())).read_all()


def delta(path, types, between=None):
    from deltalake import DeltaTable, QueryBuilder, convert_to_deltalake

    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(path, directory)
        convert_to_deltalake(directory)
        builder = QueryBuilder().register("file", DeltaTable(directory))
        return pa.table(builder.execute(f"SELECT {names(types)} FROM file{where(between)}").read_all())


@functools.cache
def spark_session():
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.memory", "2g")
    session = builder.config("spark.log.level", "OFF").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def spark(path, types, between=None):
    frame = spark_session().read.parquet(str(path)).select(*(f"`{name}`" for name in types))
    return (frame.where(f"id BETWEEN {between[0]} AND {between[1]}") if between else frame).toArrow()


def fastparquet(path, types, between=None):
    import fastparquet

    filters = [[("id", ">=", between[0]), ("id", "<=", between[1])]] if between else []
    options = {"filters": filters, "row_filter": True} if between else {}
    file = fastparquet.ParquetFile(str(path))
    frame = file.to_pandas(index=False, **options)

    def column(name, data_type):
        if pa.types.is_struct(data_type):  # a column for each of its fields
            fields = [column(f"{name}.{field.name}", field.type) for field in data_type]
            return [dict(zip([field.name for field in data_type], row)) for row in zip(*fields)]
        values = frame[name]
        if values.dtype.kind == "M":
            values = values.dt.as_unit("ns").astype("int64")
        return [value.tolist() if hasattr(value, "tolist") else value for value in values]

    return {name: column(name, data_type) for name, data_type in types.items()}


def hyparquet(path, types, between=None):
    command = ["node", str(Path(__file__).with_name("hyparquet.mjs")), str(HYPARQUET), str(path)]
    wanted = json.dumps({"columns": list(types), "between": between})
    done = subprocess.run([*command, wanted], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(next(line for line in done.stderr.splitlines() if "Error" in line))

    def untagged(value):
        match value:
            case {"$int": text}:
                return int(text)
            case {"$bytes": text}:
                return bytes.fromhex(text)
            case {"$float": text}:
                return float(text)
        return value

    rows = [json.loads(line, object_hook=untagged) for line in done.stdout.splitlines()]
    return {name: [row[number] for row in rows] for number, name in enumerate(types)}


def iceberg(path, types, between=None):
    import pyarrow.parquet as pq
    from pyiceberg.catalog.sql import SqlCatalog

    with tempfile.TemporaryDirectory() as directory:
        catalog = SqlCatalog("c", uri=f"sqlite:///{directory}/catalog.db", warehouse=f"file://{directory}")
        catalog.create_namespace("n")
        table = catalog.create_table("n.t", schema=pq.read_schema(path))
        table.add_files([str(path)])
        rows = f"id >= {between[0]} and id <= {between[1]}" if between else "true"
        found = table.scan(row_filter=rows, selected_fields=tuple(types)).to_arrow()
        catalog.close()
        return found


def datasets(path, types, between=None):
    os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")
    from datasets import load_dataset

    filters = [("id", ">=", between[0]), ("id", "<=", between[1])] if between else None
    with tempfile.TemporaryDirectory() as cache:
        found = load_dataset(
            "parquet", data_files=str(path), split="train", cache_dir=cache, columns=list(types), filters=filters
        )
        return pa.table({name: found.data.table[name] for name in types}).combine_chunks()


@dataclass(frozen=True)
class Engine:
    name: str
    read: Any
    package: str
    needs: Any = None
    """Says what is missing besides the package, or nothing."""
    settings: tuple = ()
    """Other ways to read rows that are filtered."""
    is_cheap: bool = False
    """True for those that read every file in `make test` as well."""

    def version(self):
        if self.package == "hyparquet":
            return json.loads((HYPARQUET / "node_modules/hyparquet/package.json").read_text())["version"]
        if self.package in OLD_PYARROWS:
            packages = OLD_PYARROWS[self.package].parents[1].glob("lib/*/site-packages")
            found = importlib.metadata.distributions(name=self.name.split()[0], path=list(map(str, packages)))
            return next(iter(found)).version
        return importlib.metadata.version(self.package)

    def skip_if_missing(self):
        if self.needs and (missing := self.needs()):
            pytest.skip(missing)
        try:
            self.version()
        except (importlib.metadata.PackageNotFoundError, FileNotFoundError):
            pytest.skip(f"there is no {self.package}: make test-engines installs it")


def no_java():
    java = shutil.which("java") or os.environ.get("JAVA_HOME")
    return None if java else "there is no Java, which PySpark runs on"


def no_node():
    return None if shutil.which("node") else "there is no Node, which hyparquet runs on"


ENGINES = {
    engine.name: engine
    for engine in [
        Engine("pyarrow", pyarrow, "pyarrow"),
        *(Engine(name, functools.partial(old_pyarrow, python=path), name) for name, path in OLD_PYARROWS.items()),
        Engine("polars", polars, "polars"),
        Engine("DuckDB", duckdb, "duckdb"),
        Engine(
            "DataFusion",
            datafusion,
            "datafusion",
            settings=(
                {"pushdown_filters": "true", "reorder_filters": "true"},
                {"enable_page_index": "false"},
                {"enable_page_index": "false", "pushdown_filters": "true"},
            ),
            is_cheap=True,
        ),
        Engine("ClickHouse", clickhouse, "chdb"),
        Engine("delta-rs", delta, "deltalake"),
        Engine("Spark", spark, "pyspark", needs=no_java),
        Engine("pyiceberg", iceberg, "pyiceberg"),
        Engine("fastparquet", fastparquet, "fastparquet"),
        *(
            Engine("awswrangler", functools.partial(awswrangler, python=python), name)
            for name, python in OLD_PYARROWS.items()
            if any(python.parents[1].glob("lib/*/site-packages/awswrangler"))
        ),
        Engine("hyparquet", hyparquet, "hyparquet", needs=no_node),
        Engine("Hugging Face datasets", datasets, "datasets"),
    ]
}
