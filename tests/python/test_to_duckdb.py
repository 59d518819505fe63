"""`to_duckdb`: a table that has all rows or is not there."""

import json
import subprocess
import sys

import duckdb
import numpy as np
import pytest
import vecpack
from conftest import assert_same_bits, run_python, vectors

DIM, ROWS = 16, 1500


@pytest.fixture
def files(write_file):
    found = vectors(ROWS, DIM)
    records = [{"key": row, "vector": found[row].tobytes()} for row in range(ROWS)]
    return [str(write_file(f"in/{n}.msgpack", records[n * 500 : n * 500 + 500])) for n in range(3)]


def fetch(path, query):
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("table", ["vectors", "main.vectors", 'odd "name"'])
def test_a_table_has_the_rows_of_the_source(files, tmp_path, table):
    path = tmp_path / "out.duckdb"
    source = vecpack.scan(files)
    report = vecpack.to_duckdb(source, path, table)
    assert (report.rows, report.rejects, report.files, report.bytes_in) == (ROWS, 0, 3, source.size())
    name = ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
    with duckdb.connect(path) as connection:
        assert connection.execute(f"SELECT typeof(vector) FROM {name} LIMIT 1").fetchone() == (f"FLOAT[{DIM}]",)
        found = connection.execute(f"SELECT * FROM {name} ORDER BY key").fetchnumpy()
    assert found["key"].tolist() == list(range(ROWS))
    assert_same_bits(np.stack(found["vector"]), vectors(ROWS, DIM))


def test_a_table_that_exists_is_refused_or_replaced(files, tmp_path):
    path = tmp_path / "out.duckdb"
    vecpack.to_duckdb(files[:1], path, "vectors")
    with pytest.raises(FileExistsError, match=r"the table vectors exists") as raised:
        vecpack.to_duckdb(files, path, "vectors")
    assert raised.value.filename == str(path)
    assert fetch(path, "SELECT count(*) FROM vectors") == [(500,)]
    vecpack.to_duckdb(files, path, "vectors", overwrite=True)
    assert fetch(path, "SELECT count(*), sum(key) FROM vectors") == [(ROWS, ROWS * (ROWS - 1) // 2)]


@pytest.mark.parametrize("inputs", ["paths", "source"])
def test_an_unknown_option_is_refused_by_the_function_that_was_called(files, tmp_path, inputs):
    source = files if inputs == "paths" else vecpack.scan(files)
    with pytest.raises(TypeError, match=r"^to_duckdb\(\) got an unexpected keyword argument 'dims'$"):
        vecpack.to_duckdb(source, tmp_path / "out.duckdb", "vectors", dims=DIM)
    with pytest.raises(TypeError, match=r"pass them to scan\(\) instead"):
        vecpack.to_duckdb(vecpack.scan(files), tmp_path / "out.duckdb", "vectors", dim=DIM)
    assert not (tmp_path / "out.duckdb").exists()


def test_a_report_is_a_table_in_a_notebook(write_file):
    found = vectors(2, DIM)
    path = write_file("<b>.msgpack", [found[0].tobytes(), b"1", found[1].tobytes()])
    with duckdb.connect() as connection:
        report = vecpack.to_duckdb(path, connection, "vectors", on_error="skip")
    html = report._repr_html_()
    assert "<tr><td>rows</td><td>2</td></tr>" in html
    assert "&lt;b&gt;.msgpack: record 1" in html and "<b>" not in html


def test_an_open_connection_is_used(files):
    with duckdb.connect() as connection:
        assert vecpack.to_duckdb(files, connection, "vectors", include_id=True).rows == ROWS
        assert connection.execute("SELECT count(DISTINCT id) FROM vectors").fetchone() == (ROWS,)


def test_an_error_is_what_a_scan_raises_and_leaves_what_was_there(files, tmp_path, write_file):
    bad = str(write_file("in/bad.msgpack", [{"key": 1, "vector": bytes(4 * DIM)}, {"key": 2, "vector": b"1"}]))
    new, path = tmp_path / "new.duckdb", tmp_path / "out.duckdb"
    vecpack.to_duckdb(files[:1], path, "vectors")
    for target, options in ((new, {}), (path, {"overwrite": True})):
        with pytest.raises(vecpack.DecodeError) as raised:
            vecpack.to_duckdb([*files, bad], target, "vectors", **options)
        assert (raised.value.path, raised.value.record) == (bad, 1)
    assert not new.exists()
    assert fetch(path, "SELECT count(*) FROM vectors") == [(500,)]


def test_a_file_of_another_format_stays(files, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("id,a\n1,2\n")
    with pytest.raises(FileExistsError, match="no DuckDB database"):
        vecpack.to_duckdb(files, path, "t")
    assert path.read_text() == "id,a\n1,2\n"


def test_the_directory_of_a_new_database_is_made(files, tmp_path):
    assert vecpack.to_duckdb(files, tmp_path / "new" / "out.duckdb", "t").rows == ROWS


def test_rejects_are_counted(files, tmp_path, write_file):
    bad = str(write_file("in/bad.msgpack", [{"key": 1, "vector": b"123"}]))
    report = vecpack.to_duckdb([*files, bad], tmp_path / "out.duckdb", "v", on_error="skip")
    assert (report.rows, report.rejects) == (ROWS, 1)
    assert bad in report.first_rejects[0]


def test_without_the_package_the_message_names_it(files):
    code = """
        import sys
        sys.modules["duckdb"] = None
        import vecpack
        try:
            vecpack.to_duckdb(sys.argv[1], "out.duckdb", "vectors")
        except ImportError as error:
            print(error)
    """
    assert run_python(code, files[0]) == "to_duckdb() needs the package `duckdb`: pip install duckdb"


def test_the_command(files, tmp_path, write_file):
    bad = str(write_file("in/bad.msgpack", [{"key": 1, "vector": b"123"}]))
    path, listing = tmp_path / "out.duckdb", tmp_path / "rejects.jsonl"
    command = [
        sys.executable,
        "-m",
        "vecpack",
        "to-duckdb",
        *files,
        bad,
        "-o",
        path,
        "--table",
        "v",
        "--on-error",
        "skip",
    ]
    done = subprocess.run([*command, "--json", "--rejects", listing], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == ROWS
    assert [json.loads(line)["file"] for line in listing.read_text().splitlines()] == [bad]
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"vecpack: {path}: the table v exists; --overwrite replaces it\n"
    replaced = subprocess.run([*command, "--overwrite"], capture_output=True, text=True, timeout=60)
    assert replaced.returncode == 0 and "1,500 rows" in replaced.stderr and "rejected " in replaced.stderr
