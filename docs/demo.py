"""The main job, from end to end: sample vectors, Parquet, a nearest-neighbour query in DuckDB.

`make demo` runs this. Everything it makes lies in data/demo, and is made anew each time.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb

FILES, ROWS, DIM = 3, 50_000, 512
QUERY_ROW = 31_416
FOLDER = Path("data/demo")
PARQUET = FOLDER / "vectors.parquet"

NEAREST = f"""
    WITH query AS (
        SELECT vector::FLOAT[{DIM}] AS vector
        FROM read_parquet('{PARQUET}', file_row_number = true)
        WHERE file_row_number = {QUERY_ROW}
    )
    SELECT data.file_row_number AS row,
           round(array_cosine_similarity(data.vector::FLOAT[{DIM}], query.vector), 4) AS similarity
    FROM read_parquet('{PARQUET}', file_row_number = true) AS data, query
    ORDER BY similarity DESC
    LIMIT 5
"""


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)

    headline(
        f"1. {FILES} files of {ROWS:,} vectors of {DIM} float32, as msgpack.pack(vector.tobytes(), file) writes them"
    )
    for number in range(FILES):
        vecpack("sample", FOLDER / f"vectors-{number}.msgpack", "--rows", ROWS, "--dim", DIM, "--seed", number)

    headline("2. What is in there?")
    vecpack("inspect", FOLDER)

    headline("3. To Parquet")
    seconds = vecpack("to-parquet", FOLDER, "-o", PARQUET)
    in_bytes = sum(path.stat().st_size for path in FOLDER.glob("*.msgpack"))
    out_bytes = PARQUET.stat().st_size

    headline(f"4. The five nearest neighbours of row {QUERY_ROW:,}, in DuckDB {duckdb.__version__}, no server")
    print(NEAREST.strip("\n"))
    begin = time.perf_counter()
    nearest = duckdb.sql(NEAREST).fetchall()
    query_seconds = time.perf_counter() - begin
    rows = duckdb.sql(f"SELECT count(*) FROM '{PARQUET}'").fetchall()[0][0]
    print("        row   similarity")
    for row, similarity in nearest:
        print(f"    {row:>7,}   {similarity:>10.4f}")
    if rows != FILES * ROWS or nearest[0] != (QUERY_ROW, 1.0):
        sys.exit(f"the demo is wrong: {rows} rows, nearest {nearest[0]}")

    headline("What that was")
    print(f"    {rows:,} rows   {in_bytes / 1e6:,.1f} MB of MessagePack -> {out_bytes / 1e6:,.1f} MB of Parquet")
    print(f"    converted in {seconds:.2f} s, the whole command ({in_bytes / 1e6 / seconds:,.0f} MB/s)")
    print(f"    searched in {query_seconds:.2f} s, every row compared")


def headline(text: str) -> None:
    print(f"\n{text}", flush=True)


def vecpack(*arguments: object) -> float:
    """Runs the command as a person would, shows it, and gives the seconds it took."""
    command = [str(argument) for argument in arguments]
    print("    $ vecpack " + " ".join(command), flush=True)
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "vecpack", *command],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    seconds = time.perf_counter() - begin
    for line in done.stdout.splitlines():
        print("      " + line, flush=True)
    return seconds


main()
