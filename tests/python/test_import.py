"""What importing vecpack brings along, and what is said when a library is missing."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import vecpack
from conftest import pack, run_python, vectors


def test_importing_vecpack_imports_no_other_library():
    code = """
        import sys
        before = set(sys.modules)
        import vecpack
        vecpack.read(bytes.fromhex("c404000080bf")).schema
        brought = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
        print(sorted(brought))
    """
    assert run_python(code) == "['vecpack']"


def test_importing_vecpack_is_quick():
    code = """
        import sys
        import vecpack
        print(sorted({"concurrent.futures", "dataclasses", "inspect", "json", "logging", "typing"} & set(sys.modules)))
        print(vecpack.to_lance.__name__, "to_duckdb" in dir(vecpack))
    """
    assert run_python(code).splitlines() == ["[]", "to_lance True"]


def test_everything_works_without_any_other_library(tmp_path):
    (tmp_path / "v.msgpack").write_bytes(pack(vectors(1000, 3)))
    code = """
        import array, pickle, sys
        for name in ("numpy", "pyarrow", "polars", "pandas", "duckdb", "torch", "msgpack"):
            sys.modules[name] = None
        import vecpack
        source = pickle.loads(pickle.dumps(vecpack.scan("v.msgpack")))
        assert source.count_rows() == len(vecpack.read("v.msgpack")) == sum(map(len, source)) == 1000
        assert vecpack.to_parquet(source, "v.parquet").rows == 1000
        assert vecpack.inspect("v.msgpack").rows == 1000
        stream = vecpack.from_iter(array.array("f", [n, n]) for n in range(7))
        assert vecpack.to_parquet(stream, "a.parquet").rows == 7
        out = memoryview(array.array("f", bytes(32))).cast("B").cast("f", (4, 2))
        assert vecpack.take_iter([bytes(8), array.array("f", [1, 2])], out) == 2
        assert out.tolist() == [[0, 0], [1, 2], [0, 0], [0, 0]]
        print("done")
    """
    assert run_python(code, cwd=tmp_path) == "done"


@pytest.mark.parametrize("library", ["pyarrow", "polars", "pandas", "numpy", "torch"])
def test_a_missing_library_is_named(library):
    code = """
        import sys
        sys.modules[sys.argv[1]] = None
        import vecpack
        data = bytes.fromhex("c404000080bf")
        for source in (vecpack.scan(data), vecpack.read(data), vecpack.from_iter([data[2:]])):
            try:
                getattr(source, "to_" + sys.argv[1])()
            except ImportError as error:
                assert sys.argv[1] in str(error) and "install" in str(error), str(error)
                print(type(source).__name__)
    """
    assert run_python(code, library).split() == ["Source", "Table", "Stream"]


@pytest.mark.parametrize(
    ("code", "library"),
    [
        ("import vecpack.torch", "torch"),
        ("import vecpack.ray", "ray"),
        ("import vecpack; vecpack.scan(b'\\xc4\\x04\\0\\0\\x80\\x3f').to_polars(lazy=True)", "polars"),
    ],
)
def test_an_adapter_names_the_library_that_is_missing(code, library):
    sentence = run_python(
        """
        import sys
        sys.modules[sys.argv[2]] = None
        try:
            exec(sys.argv[1])
        except ImportError as error:
            print(error)
        """,
        code,
        library,
    )
    assert f"needs the package `{library}" in sentence
    assert f": pip install {library}" in sentence
    assert len(sentence.splitlines()) == 1


def test_all_public_names_are_there_and_documented():
    assert {"scan", "read", "from_iter", "take_iter", "to_parquet", "inspect"} <= set(vecpack.__all__)
    for name in vecpack.__all__:
        assert name.startswith("__") or getattr(vecpack, name).__doc__, name
        assert name.startswith("__") or getattr(vecpack, name).__module__.startswith("vecpack"), name


def test_the_command_is_of_the_same_version():
    command = Path(sysconfig.get_path("scripts"), "vecpack")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["vecpack", vecpack.__version__]
    module = subprocess.run(
        [sys.executable, "-m", "vecpack", "--version"], capture_output=True, text=True, timeout=30, check=True
    )
    assert module.stdout == done.stdout
