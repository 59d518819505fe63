"""The README and the pages of docs/ do what they say.

The blocks of a page run in their order, in one directory and one Python namespace: ```python blocks, and of
```console and ```sh blocks the lines that begin with `$ vecpack `. A block that is not meant to run says so:
```python no-run.
"""

import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
ENGINES = ("daft", "deltalake", "lance", "lancedb", "pyiceberg", "pyspark", "qdrant_client", "ray", "torch")
"""Libraries that are not there in every environment: `make test-engines` and `make test-torch` install them."""
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)


def blocks(page):
    """The blocks of a page that are to run: language, code, and the number of the line before the code."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        language, *flags = found["info"].split() or [""]
        if language in ("python", "console", "sh") and "no-run" not in flags:
            yield language, textwrap.dedent(found["code"]), text.count("\n", 0, found.start()) + 1


def commands(code):
    """The commands of a console block; a backslash at the end of a line continues it."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ vecpack ")]


def run_command(command, line):
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"line {line}: {command}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"


def run(page):
    """Runs the blocks of a page, in this directory, and gives the names that they made."""
    namespace = {"__name__": "__main__"}
    for language, code, line in blocks(page):
        if language == "python":
            # Empty lines in front make the lines of a traceback those of the page.
            program = compile("\n" * line + code, str(page), "exec")
            with redirect_stdout(io.StringIO()):
                exec(program, namespace)
        else:
            for command in commands(code):
                run_command(command, line)
    return namespace


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = "".join(code for language, code, _ in blocks(page) if language == "python")
    engines = [name for name in re.findall(r"^(?:import|from) (\w+)", shown, re.MULTILINE) if name in ENGINES]
    if not engines:
        run(page)
        return
    for engine in engines:
        if importlib.util.find_spec(engine) is None:
            pytest.skip(f"{engine} is not installed")
    # Engines leave threads and hooks behind: such a page has a process of its own.
    done = subprocess.run([sys.executable, __file__, str(page)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_python_and_the_command():
    shown = list(blocks(ROOT / "README.md"))
    assert any(language == "python" for language, _, _ in shown)
    assert any(commands(code) for language, code, _ in shown if language != "python")


def test_blocks_are_found_and_the_command_lines_in_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "text\n```python\na = 1\n```\n```python no-run\nraise\n```\n```rust\nlet b;\n```\n"
        "1. item\n   ```console\n   $ vecpack a \\\n     b\n   output\n   $ other\n   ```\n"
        "```python\nb\n```\n"
    )
    found = list(blocks(page))
    assert [(language, line) for language, _, line in found] == [
        ("python", 2),
        ("console", 12),
        ("python", 18),
    ]
    assert commands(found[1][1]) == ["vecpack a    b"]


def test_the_plan_for_billions_is_what_its_formula_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs/planning.md"
    names = run(page)
    lines = page.read_text(encoding="utf-8").splitlines()
    for name, rows, unit in (("table", 4, " MB/s | "), ("loads", 6, " rows/s | ")):
        assert len(names[name]) == rows
        assert [line for line in lines if line.startswith("| ") and unit in line] == names[name]


def test_figures_of_the_recorded_run_are_its_own():
    """Run docs/comparison.py to write the tables anew."""
    run = json.loads((ROOT / "docs/benchmarks/latest.json").read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location("comparison", ROOT / "docs/comparison.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs/comparison.md").read_text(encoding="utf-8")
    assert page == module.rendered(page, run)

    speeds = {row["name"]: row for table in run["tables"] if table["name"] == "parquet" for row in table["rows"]}
    planned = re.findall(
        r'row\("[^"]*: the recorded run", (\d+)\)', (ROOT / "docs/planning.md").read_text(encoding="utf-8")
    )
    contestants = ("vecpack.to_parquet", "Python loop, then pyarrow")
    assert planned == [str(round(1000 * speeds[name]["gigabytes_per_second"])) for name in contestants]


def test_messages_that_troubleshooting_explains_are_messages():
    sources = [path for top in ("src", "python") for path in (ROOT / top).rglob("*") if path.suffix in (".rs", ".py")]
    text = " ".join(path.read_text(encoding="utf-8") for path in sources)
    text = re.sub(r"\\\n\s*", "", text)  # a literal that goes on in the next line
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8").split("## No message")[0]
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(messages) > 40
    for message in messages:
        for part in message.split("…"):
            assert part.strip() in text, message


def test_every_test_that_the_table_of_faults_names_exists():
    page = (ROOT / "docs/design/faults.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if "`tests/" in line and line.startswith("| ")]
    assert len(rows) > 30
    named = re.findall(r"`((?:tests|src)/[^`]*::[^`]*)`", page)
    assert len(named) >= len(rows)
    for name in named:
        path, function = name.split("::")
        definition = rf"^\s*(?:def|fn) {re.escape(function)}\("
        assert re.search(definition, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name
    for target in re.findall(
        r"^path = \"libfuzzer/(\w+)\.rs\"", (ROOT / "tests/fuzz/Cargo.toml").read_text(), re.MULTILINE
    ):
        assert f"| `{target}` |" in page


if __name__ == "__main__":
    run(Path(sys.argv[1]))


def test_the_packages_get_the_addresses_of_the_repository(tmp_path):
    for name in ("pyproject.toml", "Cargo.toml", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    script = [sys.executable, ROOT / "tests" / "project_urls.py"]
    subprocess.run([*script, "https://forge.example/someone/vecpack", tmp_path], check=True)
    urls = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Issues"] == "https://forge.example/someone/vecpack/issues" and len(urls) == 4
    crate = tomllib.loads((tmp_path / "Cargo.toml").read_text())["package"]
    assert crate["repository"] == urls["Repository"]
    assert f"repository-code: {urls['Repository']}\n" in (tmp_path / "CITATION.cff").read_text()
