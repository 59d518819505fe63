"""Reads and converts many gigabytes, and tells what that took: time, and the most memory. docs/planning.md reckons with it.

    .venv/bin/python benches/at_size.py 2 20

Its input is one file of 102.55 MB that a list names as often as it takes, so reading is from memory; its output is Parquet of
that size in data/at_size, which is on the disk when the time stops, and is removed then. A stream is what `cat` makes of the list.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path("data/at_size")
INPUT, OUTPUT = FOLDER / "vectors.msgpack", FOLDER / "parquet"
ROWS, DIM = 50_000, 512
WAYS = {
    "scan": "rows = sum(len(batch) for batch in vecpack.scan([path] * count))",
    "to_parquet": "rows = vecpack.to_parquet([path] * count, f'{out}/', max_file_bytes=1 << 30).rows",
    "to_parquet, one file": "rows = vecpack.to_parquet([path] * count, f'{out}/one.parquet').rows",
    "scan of a stream": "rows = sum(len(batch) for batch in vecpack.scan('-'))",
}


def main() -> int:
    options = _options()
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "vecpack", "sample", str(INPUT), "--overwrite", "--quiet"]
    subprocess.run([*command, "--rows", str(ROWS), "--dim", str(DIM)], check=True)
    free, wanted = shutil.disk_usage(FOLDER).free, max(options.gigabytes) * 1e9 * 1.3
    if free < wanted:
        print(f"not enough space in {FOLDER}: {free / 1e9:.0f} GB free, {wanted / 1e9:.0f} GB wanted", file=sys.stderr)
        return 1
    cores = os.cpu_count()
    print(f"{cores} cores, {os.getloadavg()[0]:.1f} of them busy before; {ROWS:,} x {DIM} float32 a file\n")
    print("| what | input | vectors | seconds | GB/s | most memory |")
    print("|---|---|---|---|---|---|")
    try:
        for way in options.only or WAYS:
            for gigabytes in options.gigabytes:
                print(measured(way, gigabytes), flush=True)
    finally:
        shutil.rmtree(FOLDER)
    return 0


def measured(way: str, gigabytes: float) -> str:
    """A row of the table, of a process of its own."""
    size = INPUT.stat().st_size
    count = math.ceil(gigabytes * 1e9 / size)
    code = (
        f"import sys, vecpack; path, count, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]; {WAYS[way]}; print(rows)"
    )
    cat = subprocess.Popen(["cat", *[INPUT] * count], stdout=subprocess.PIPE) if way.endswith("stream") else None
    OUTPUT.mkdir()
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(INPUT), str(count), str(OUTPUT)],
        stdin=cat.stdout if cat else None,
        stdout=subprocess.PIPE,
        text=True,
    )
    if cat:
        cat.stdout.close()
    rows = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if cat:
        cat.wait()
    assert child.returncode == 0 and int(rows) == count * ROWS, (way, child.returncode, rows)
    shutil.rmtree(OUTPUT)
    memory = usage.ru_maxrss * 1024
    done = count * size
    return (
        f"| {way} | {done / 1e9:.2f} GB | {count * ROWS:,} | {seconds:.1f} | {done / seconds / 1e9:.2f} | "
        f"{memory / 1e6:.0f} MB |"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "gigabytes", type=float, nargs="+", help="how much to read, in 10^9 bytes; several times one after another"
    )
    parser.add_argument("--only", nargs="+", choices=WAYS, help="measure some of the ways")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
