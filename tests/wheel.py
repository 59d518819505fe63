"""Installs a wheel in a new environment and runs it there: `python tests/wheel.py WHEEL`.

Nothing else is installed, so this also shows that the wheel needs no other package. `make wheel` and
the release workflow run it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROWS, DIM = 1000, 8

USE = f"""
import vecpack

source = vecpack.scan("vectors.msgpack")
assert source.count_rows() == {ROWS} and source.dim == {DIM}, source
assert len(vecpack.read("vectors.msgpack")) == {ROWS}
assert vecpack.to_parquet(source, "python.parquet").rows == {ROWS}
try:
    vecpack.scan("https://127.0.0.1:9/vectors.msgpack")
except OSError:
    pass  # a URL is understood, and nothing listens there
"""


def main(wheel: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        venv.create(home / "venv", with_pip=True)
        scripts = home / "venv" / ("Scripts" if os.name == "nt" else "bin")

        def run(*command: object) -> str:
            done = subprocess.run([str(part) for part in command], cwd=home, text=True, stdout=subprocess.PIPE)
            if done.returncode:
                sys.exit(f"{wheel.name}: failed with {done.returncode}: {command}")
            return done.stdout

        run(scripts / "python", "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel)
        version = run(scripts / "vecpack", "--version").strip()
        run(scripts / "vecpack", "sample", "vectors.msgpack", "--rows", ROWS, "--dim", DIM)
        run(scripts / "vecpack", "to-parquet", "vectors.msgpack", "-o", "command.parquet", "--quiet")
        inspection = json.loads(run(scripts / "vecpack", "inspect", "vectors.msgpack", "--json"))
        assert inspection["rows"] == ROWS, inspection
        run(scripts / "python", "-W", "error", "-c", USE)
    print(f"{wheel.name}: {version} is installed and runs")


main(Path(sys.argv[1]).resolve())
