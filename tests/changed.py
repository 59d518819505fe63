"""Runs the tests that belong to the files that differ from a commit. `make check` runs this.

The rule: a changed Rust file runs all unit tests, and the integration tests of the same name
(`src/parquet/...` runs `tests/parquet.rs`). A changed integration test runs itself. A changed file of
the Python face runs the tests in FACE. A changed Python test runs itself. `make test` runs them all.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# The tests of the Python face that need no server, no process of their own, and no generated input.
FACE = ["consumers", "errors", "face", "import", "iter", "options", "scan", "select", "stub", "table", "threads"]

TESTS = Path("tests/python")


def main(base: str) -> bool:
    changed = lines("git", "diff", "--name-only", base) + lines("git", "ls-files", "--others", "--exclude-standard")
    rust, pytest = os.environ["RUST_TESTS"].split(), os.environ["PYTEST"].split()
    commands = []
    if any(is_rust(path) for path in changed):
        commands.append([*rust, "--lib"])
    if modules := sorted({module for path in changed if (module := integration(path))}):
        commands.append([*rust, "--test", "main", "--", *(f"{module}::" for module in modules)])
    if files := python_tests(changed):
        commands.append(["make", "--no-print-directory", ".venv/dev"])
        commands.append([*pytest, "-m", "not slow", *files])
    if not commands:
        print("==> No changed file has tests of its own.")
    return any(run(command) for command in commands)


def is_rust(path: str) -> bool:
    return path.endswith(".rs") or path in ("Cargo.toml", "Cargo.lock")


def integration(path: str) -> str | None:
    """The module of tests/main.rs that belongs to a file."""
    folder, _, rest = path.partition("/")
    module = rest.split("/")[0].removesuffix(".rs")
    has_tests = folder in ("src", "tests") and path.endswith(".rs") and Path(f"tests/{module}.rs").exists()
    return module if has_tests and module not in ("main", "memory", "lib") else None


def python_tests(changed: list[str]) -> list[str]:
    paths = [Path(path) for path in changed]
    tests = {path for path in paths if path.parent == TESTS and path.name.startswith("test_") and path.exists()}
    if any(path.parts[:2] in (("src", "python"), ("python", "vecpack")) for path in paths):
        tests |= {TESTS / f"test_{name}.py" for name in FACE}
    return sorted(map(str, tests))


def lines(*command: str) -> list[str]:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()


def run(command: list[str]) -> bool:
    """Runs a command, and gives whether it failed."""
    print("==>", *command, flush=True)
    return subprocess.run(command, check=False).returncode != 0


sys.exit(main(sys.argv[1]))
