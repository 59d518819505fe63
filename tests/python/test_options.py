"""The read options are the same in the library, in Python, on the command line and in the documentation."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import vecpack
from conftest import pack

ROOT = Path(__file__).parents[2]


def keywords(function):
    """The keywords of a function that have a default."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


OPTIONS = keywords(vecpack.scan)


def test_the_library_has_the_same_options_and_defaults():
    found = vecpack.scan(pack([np.float32([1])])).options
    assert found.pop("dim") == 1, "the dimension is that of the first record"
    assert found.pop("vector") == [], "no field is named"
    assert found == {name: default for name, default in OPTIONS.items() if name not in ("dim", "vector")}


@pytest.mark.parametrize("function", [vecpack.read, vecpack.inspect, vecpack.to_parquet])
def test_every_function_has_the_same_options_and_defaults(function):
    assert OPTIONS.items() <= keywords(function).items()


def test_the_command_has_the_same_options():
    usage = (ROOT / "docs/cli/help.txt").read_text(encoding="utf-8")
    usage = usage[usage.index("Usage: vecpack to-parquet") :]
    assert set(OPTIONS) <= {name.replace("-", "_") for name in re.findall(r"--([a-z-]+)", usage)}


def test_the_documentation_has_the_same_options():
    page = (ROOT / "docs/reading.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([`\w, ]+) \|", page, re.MULTILINE)
    assert set(OPTIONS) <= {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
