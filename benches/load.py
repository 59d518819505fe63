"""Loads vectors into databases, and tells the rate of each: docs/databases.md, lance.md, duckdb.md and spark.md show the table.

    .venv/bin/python benches/load.py            # all for which there is a package
    .venv/bin/python benches/load.py lance duckdb

Four files of 50,000 x 512 float32 in --folder, which should be in memory. Each way is a process of its own, and the best of --rounds counts. PostgreSQL with
pgvector is loaded where VECPACK_POSTGRES names a database, as 'dbname=test host=/run/postgresql'.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

FILES, ROWS, DIM = 4, 50_000, 512

BEFORE = """
    import glob, os, sys, time
    folder = sys.argv[1]
    files, out = sorted(glob.glob(folder + "/*.msgpack")), folder + "/out"

    def loop():
        # What a user writes without vecpack.
        import msgpack, numpy as np, pyarrow as pa
        for file in files:
            with open(file, "rb") as opened:
                rows = [np.frombuffer(row, "<f4") for row in msgpack.Unpacker(opened)]
            for start in range(0, len(rows), 10_000):
                flat = np.concatenate(rows[start : start + 10_000])
                yield pa.record_batch([pa.FixedSizeListArray.from_arrays(pa.array(flat), 512)], names=["vector"])

    def loop_reader():
        import pyarrow as pa
        batches = loop()
        first = next(batches)
        def all():
            yield first
            yield from batches
        return pa.RecordBatchReader.from_batches(first.schema, all())
"""
SPARK = """
os.environ["PYSPARK_PYTHON"] = sys.executable
import vecpack.spark
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", False).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
vecpack.spark.register(spark)
spark.read.format("vecpack").option("limit", 1).load(files[0]).collect()
"""
PGVECTOR = """
import numpy as np, psycopg, pyarrow as pa, vecpack

def copy(files):
    # As docs/databases.md has it.
    source, rows = vecpack.scan(files, include_id=True), 0
    fields = [("fields", ">i2"), ("id_bytes", ">i4"), ("id", ">i8"), ("vector_bytes", ">i4"), ("dim", ">i2"), ("unused", ">i2")]
    row = np.dtype([*fields, ("vector", ">f4", source.dim)])
    with psycopg.connect(os.environ["VECPACK_POSTGRES"]) as connection:
        connection.execute("DROP TABLE IF EXISTS vectors")
        connection.execute("CREATE TABLE vectors (id bigint, vector vector(512))")
        with connection.cursor().copy("COPY vectors FROM STDIN (FORMAT binary)") as copy:
            copy.write(b"PGCOPY\\n\\xff\\r\\n\\0" + bytes(8))
            for batch in map(pa.record_batch, source):
                table = np.zeros(batch.num_rows, row)
                table["fields"], table["id_bytes"], table["dim"] = 2, 8, source.dim
                table["vector_bytes"] = 4 + 4 * source.dim
                table["id"] = batch["id"]
                table["vector"] = batch["vector"].flatten().to_numpy().reshape(-1, source.dim)
                copy.write(table.tobytes())
                rows += batch.num_rows
            copy.write(b"\\xff\\xff")
    return rows

def index(kind):
    with psycopg.connect(os.environ["VECPACK_POSTGRES"]) as connection:
        connection.execute("SET maintenance_work_mem = '2GB'")
        connection.execute("CREATE INDEX ON vectors USING " + kind)

"""
WAYS = {
    "lance: `vecpack.to_lance`": ("lance", "import lance, vecpack", "rows = vecpack.to_lance(files, out).rows"),
    "lance: `lance.write_dataset` of a source": (
        "lance",
        "import lance, vecpack, pyarrow as pa",
        "rows = lance.write_dataset(pa.RecordBatchReader.from_stream(vecpack.scan(files)), out).count_rows()",
    ),
    "lance: `lance.write_dataset` of a msgpack loop": (
        "lance",
        "import lance, msgpack, numpy, pyarrow",
        "rows = lance.write_dataset(loop_reader(), out).count_rows()",
    ),
    "duckdb: `vecpack.to_duckdb`": (
        "duckdb",
        "import duckdb, vecpack",
        "rows = vecpack.to_duckdb(files, out, 'vectors').rows",
    ),
    "duckdb: `CREATE TABLE` of a msgpack loop": (
        "duckdb",
        "import duckdb, msgpack, numpy, pyarrow",
        """
        reader = loop_reader()
        rows = duckdb.connect(out).execute("CREATE TABLE vectors AS SELECT * FROM reader").fetchone()[0]
        """,
    ),
    "spark: count": (
        "pyspark",
        SPARK,
        "rows = spark.read.format('vecpack').load(folder + '/*.msgpack').count()",
    ),
    "spark: to Parquet": (
        "pyspark",
        SPARK + f"rows = {FILES * ROWS}",
        "spark.read.format('vecpack').load(folder + '/*.msgpack').write.parquet(out)",
    ),
    "lance: index ivf-pq": (
        "lance",
        """
        import lance, vecpack
        vecpack.to_lance(files, out)
        """,
        "rows = vecpack.to_lance(files, out, resume=True, index='ivf-pq').rows_before",
    ),
    "pgvector: COPY BINARY": ("psycopg", PGVECTOR, "rows = copy(files)"),
    "pgvector: ADBC, and a cast": (
        "adbc_driver_postgresql",
        "import adbc_driver_postgresql.dbapi, vecpack, os",
        """
        rows = 200_000
        with adbc_driver_postgresql.dbapi.connect(os.environ["VECPACK_POSTGRES"]) as connection:
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS arrays")
                cursor.execute("DROP TABLE IF EXISTS vectors")
                cursor.adbc_ingest("arrays", vecpack.scan(files, include_id=True), mode="create")
                cursor.execute("CREATE TABLE vectors AS SELECT id, vector::vector(512) AS vector FROM arrays")
                cursor.execute("DROP TABLE arrays")
            connection.commit()
        """,
    ),
    "pgvector: index ivfflat": (
        "psycopg",
        PGVECTOR + "rows = copy(files)",
        "index('ivfflat (vector vector_l2_ops) WITH (lists = 447)')",
    ),
    "pgvector: index hnsw, of 50,000 rows": (
        "psycopg",
        PGVECTOR + "rows = copy(files[:1])",
        "index('hnsw (vector vector_l2_ops)')",
    ),
    "milvus-lite: `insert`": (
        "milvus_lite",
        "import pymilvus, vecpack, pyarrow as pa",
        """
        client = pymilvus.MilvusClient(out + ".db")
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", pymilvus.DataType.INT64, is_primary=True)
        schema.add_field("vector", pymilvus.DataType.FLOAT_VECTOR, dim=512)
        client.create_collection("vectors", schema=schema)
        rows = 0
        for batch in map(pa.record_batch, vecpack.scan(files[:1], include_id=True, batch_rows=1000)):
            vectors = batch["vector"].flatten().to_numpy().reshape(-1, 512)
            pairs = zip(batch["id"].to_pylist(), vectors)
            client.insert("vectors", [{"id": number, "vector": vector} for number, vector in pairs])
            rows += batch.num_rows
        """,
    ),
    "qdrant: local mode": (
        "qdrant_client",
        "import pyarrow as pa, qdrant_client, vecpack, warnings; warnings.simplefilter('ignore'); from qdrant_client import models",
        """
        client = qdrant_client.QdrantClient(":memory:")
        client.create_collection("v", models.VectorParams(size=512, distance=models.Distance.COSINE))
        rows = 0
        for batch in map(pa.record_batch, vecpack.scan(files[:1], include_id=True, batch_rows=1000)):
            points = models.Batch(ids=batch["id"].to_pylist(), vectors=batch["vector"].to_pylist())
            client.upsert("v", points)
            rows += batch.num_rows
        """,
    ),
    "delta: `write_deltalake`": (
        "deltalake",
        "import deltalake, vecpack",
        "deltalake.write_deltalake(out, vecpack.scan(files)); rows = 200_000",
    ),
    "delta: `convert_to_deltalake` of Parquet": (
        "deltalake",
        "import deltalake, shutil, vecpack",
        "rows = vecpack.to_parquet(files, out + '/').rows; shutil.rmtree(out + '/_vecpack'); deltalake.convert_to_deltalake(out)",
    ),
    "iceberg: `append`": (
        "pyiceberg",
        """
        import pyarrow as pa, vecpack
        from pyiceberg.catalog.sql import SqlCatalog
        os.makedirs(out)
        catalog = SqlCatalog("c", uri="sqlite:///" + out + "/catalog.db", warehouse="file://" + out)
        catalog.create_namespace("db")
        """,
        """
        source = vecpack.scan(files)
        table = catalog.create_table("db.vectors", pa.schema(source.schema))
        table.append(pa.RecordBatchReader.from_stream(source))
        rows = 200_000
        """,
    ),
    "iceberg: `to_parquet` and `add_files`": (
        "pyiceberg",
        """
        import glob, pyarrow as pa, vecpack
        from pyiceberg.catalog.sql import SqlCatalog
        os.makedirs(out)
        catalog = SqlCatalog("c", uri="sqlite:///" + out + "/catalog.db", warehouse="file://" + out)
        catalog.create_namespace("db")
        """,
        """
        rows = vecpack.to_parquet(files, out + "/parquet/").rows
        table = catalog.create_table("db.vectors", pa.schema(vecpack.scan(files).schema))
        table.add_files(sorted(glob.glob(out + "/parquet/*.parquet")))
        """,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("only", nargs="*")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for number in range(FILES):
            sample = [sys.executable, "-m", "vecpack", "sample", f"{folder}/{number}.msgpack", "--quiet"]
            subprocess.run([*sample, "--rows", str(ROWS), "--dim", str(DIM), "--seed", str(number)], check=True)
        print(f"{os.cpu_count()} cores, {os.getloadavg()[0]:.1f} of them busy before\n\n| what | rows/s |\n|---|---|")
        for way, (package, before, code) in WAYS.items():
            if not options.only or any(way.startswith(name) for name in options.only):
                print(f"| {way} | {measured(folder, package, before, code, options.rounds)} |", flush=True)


def measured(folder: str, package: str, before: str, code: str, rounds: int) -> str:
    parts = [BEFORE, before, "begun = time.monotonic()", code, "print(rows / (time.monotonic() - begun))"]
    program = "\n".join(textwrap.dedent(part) for part in parts)
    best = 0.0
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, folder], capture_output=True, text=True)
        out = Path(folder) / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.unlink(missing_ok=True)
        shutil.rmtree(f"{out}.db", ignore_errors=True)
        if done.returncode != 0:
            return "not run: " + (done.stderr.strip().splitlines() or ["?"])[-1]
        best = max(best, float(done.stdout.split()[-1]))
    return f"{best:,.0f}"


if __name__ == "__main__":
    main()
