"""What people expect of Python objects: slices, arrays, notebooks, logging, and errors in the words of Python."""

import logging
import os
import pickle
import sys
import types

import msgpack
import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, vectors

EXPECTED = vectors(1000, 8)
DATA = pack(EXPECTED)


@pytest.fixture
def table():
    return vecpack.read(DATA, batch_rows=300)


@pytest.mark.parametrize(
    "rows",
    [
        slice(3),
        slice(250, 350),
        slice(-5, None),
        slice(None),
        slice(5, 2),
        slice(900, 5000),
        slice(300, 600),
        slice(0, 0),
    ],
)
def test_a_slice_of_a_table_is_a_table(table, rows):
    assert isinstance(table[rows], vecpack.Table)
    assert_same_bits(matrix(table[rows]), EXPECTED[rows])


def test_a_table_gives_columns_by_name():
    records = [{"id": number, "v": row.tolist()} for number, row in enumerate(EXPECTED[:10])]
    table = vecpack.read(pack(records), vector="v")
    assert table["id"].schema.names == table[["id"]].schema.names == ["id"]
    assert table[["v", "id"]].schema.names == ["v", "id"]
    assert pa.table(table["id"])["id"].to_pylist() == list(range(10))
    assert_same_bits(np.asarray(table["v"]), EXPECTED[:10])
    with pytest.raises(KeyError, match="missing"):
        table["missing"]
    for wrong in (3, 1.5, None):
        with pytest.raises(TypeError, match="a slice of its rows"):
            table[wrong]
    with pytest.raises(ValueError, match="no step"):
        table[::2]


def test_head_gives_the_first_rows(table, tmp_path):
    source = vecpack.scan(DATA)
    for exportable in (table, source):
        assert_same_bits(matrix(exportable.head()), EXPECTED[:5])
        assert_same_bits(matrix(exportable.head(350)), EXPECTED[:350])
        assert (len(exportable.head(0)), len(exportable.head(5000))) == (0, 1000)
        for wrong in (-1, 1 << 64):
            with pytest.raises(vecpack.OptionError, match=f"^rows: {wrong} is out of range"):
                exportable.head(wrong)
        with pytest.raises(TypeError, match="^rows: "):
            exportable.head(1.5)
    # The second file is not opened.
    (tmp_path / "0.msgpack").write_bytes(DATA)
    os.mkfifo(tmp_path / "1.msgpack")
    assert len(vecpack.scan([tmp_path / "0.msgpack", tmp_path / "1.msgpack"]).head(10)) == 10


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("limit", [0, 1, 299, 300, 301, 1000, 1300, 5000])
def test_a_limit_gives_the_first_rows_of_all_inputs(limit, threads):
    options = {"batch_rows": 100, "threads": threads}
    for source in (
        vecpack.scan([DATA, DATA], limit=limit, **options),
        vecpack.scan([DATA, DATA], **options).with_options(limit=limit),
    ):
        expected = np.concatenate([EXPECTED, EXPECTED])[:limit]
        assert_same_bits(matrix(source), expected)
        assert source.count_rows() == len(expected)
        assert_same_bits(matrix(pickle.loads(pickle.dumps(source))), expected)
        with pytest.raises(vecpack.OptionError, match="cannot be split"):
            source.split(2)


def test_a_limit_goes_with_files_and_directories(tmp_path):
    for name in ("a/x.msgpack", "b/x.msgpack"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(DATA)
    source = vecpack.scan(tmp_path, limit=1200)
    assert vecpack.to_parquet(source, tmp_path / "one.parquet").rows == 1200
    report = vecpack.to_parquet(source, tmp_path / "out")
    assert (report.rows, sorted(report.outputs)) == (
        1200,
        [f"{tmp_path}/out/a/x.parquet", f"{tmp_path}/out/b/x.parquet"],
    )


def test_a_pickled_source_keeps_the_tree_of_its_files(tmp_path):
    for name in ("in/a/x.msgpack", "in/b/x.msgpack"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(DATA)
    source = pickle.loads(pickle.dumps(vecpack.scan(tmp_path / "in")))
    for part in source.split_inputs():
        vecpack.to_parquet(part, tmp_path / "out", overwrite=True)
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/?/*")) == [
        "a/x.parquet",
        "b/x.parquet",
    ]


def test_numpy_takes_the_vectors(table):
    source = vecpack.scan(DATA)
    (batch,) = vecpack.read(DATA).batches
    for exportable in (table, source, batch):
        assert_same_bits(np.asarray(exportable), EXPECTED)
        assert_same_bits(np.asarray(exportable, dtype=np.float64), EXPECTED.astype(np.float64))
        assert_same_bits(np.array(exportable), EXPECTED)
        assert np.array(exportable).flags.writeable
    assert not np.asarray(batch).flags.writeable
    with pytest.raises(ValueError, match="several batches"):
        table.__array__(copy=False)


def test_a_schema_is_a_sequence_of_fields():
    schema = vecpack.scan(pack([{"id": 1, "v": [1.0, 2.0]}]), vector="v").schema
    assert [field.name for field in schema] == schema.names == ["id", "v"]
    assert [(field.type, field.nullable, field.dim) for field in schema] == [
        ("Int64", True, None),
        ("FixedSizeList<float32, 2>", False, 2),
    ]
    assert schema.field("v") == schema.field(1) == schema["v"] == schema[-1] != schema[0]
    assert ("v" in schema, "w" in schema, 1 in schema) == (True, False, False)
    assert pa.field(schema["v"]) == pa.schema(schema).field("v")
    with pytest.raises(KeyError, match="w"):
        schema.field("w")
    for position in (2, -3):
        with pytest.raises(IndexError, match="there are 2"):
            schema[position]


def test_notebooks_show_tables_of_html(tmp_path):
    records = [{"<id>": number, "v": EXPECTED[number].tolist()} for number in range(20)]
    source = vecpack.scan(pack(records), vector="v")
    table = vecpack.read(pack(records), vector="v")
    for shown in (source, table, table.batches[0], source.schema):
        html = shown._repr_html_()
        assert html.count("<table>") == html.count("</table>") == 1
        assert "<th>&lt;id&gt;</th>" in html or "<td>&lt;id&gt;</td>" in html
        assert "<id>" not in html
    assert table._repr_html_().count("<tr>") == 1 + 10
    assert "... 8 elements]" in table._repr_html_()
    report = vecpack.to_parquet(source, tmp_path / "out.parquet")
    for shown in (report, vecpack.inspect(pack(records), vector="v")):
        assert shown._repr_html_().startswith('<pre style="font-family: monospace">')
        assert "20" in shown._repr_html_()


def test_what_is_done_is_logged(tmp_path, caplog):
    bad = pack([*EXPECTED[:3], None])
    with caplog.at_level(logging.INFO, "vecpack"):
        vecpack.to_parquet(bad, tmp_path / "out.parquet", on_error="skip")
        vecpack.read(bad, on_error="skip")
        list(vecpack.scan(bad, on_error="skip"))
    records = [record for record in caplog.records if record.name == "vecpack"]
    assert [record.levelname for record in records] == ["INFO", "WARNING", "WARNING", "WARNING"]
    assert "out.parquet" in records[0].message and "\n" not in records[0].message
    for record in records[1:]:
        assert record.message.startswith("1 record rejected: 1 type; the first one: <bytes>: record 3")


def test_nothing_is_printed_where_no_handler_is(tmp_path, capfd):
    vecpack.read(pack([*EXPECTED[:3], None]), on_error="skip")
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def notebook(monkeypatch):
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))


def test_a_notebook_gets_a_bar_of_tqdm(notebook, monkeypatch, tmp_path):
    bars = []

    class Bar:
        def __init__(self, **given):
            self.given, self.n, self.closed = given, 0, False
            bars.append(self)

        def update(self, more):
            self.n += more

        def set_postfix_str(self, text, refresh):
            self.text = text

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    vecpack.to_parquet(DATA, tmp_path / "out.parquet", progress=True)
    (bar,) = bars
    assert (bar.given["total"], bar.n, bar.text, bar.closed) == (len(DATA), len(DATA), "1,000 rows", True)


def test_a_notebook_without_tqdm_gets_a_line(notebook, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    vecpack.to_parquet(DATA, tmp_path / "out.parquet", progress=True)
    assert capsys.readouterr().out.endswith("\r100 %, 1,000 rows\n")


def test_a_missing_file_is_named_once_in_plain_words(tmp_path):
    path = tmp_path / "missing.msgpack"
    for inputs in (path, str(path), [path]):
        with pytest.raises(FileNotFoundError) as raised:
            vecpack.scan(inputs)
        assert str(raised.value) == f"[Errno 2] No such file or directory: {str(path)!r}"


def test_inspect_reads_the_first_records_and_all_with_full(tmp_path):
    data = pack([*EXPECTED, *EXPECTED, None])
    found = vecpack.inspect(data)
    assert (found.complete, found.rows, found.rows_estimate, found.rejects, found.error) == (False, 1000, 2000, 0, None)
    assert found.size == len(data) > found.bytes
    assert "full=True" in str(found)
    full = vecpack.inspect(data, full=True)
    assert (full.complete, full.rows, full.rejects, full.reject_kinds) == (True, 2000, 1, {"type": 1})
    with pytest.raises(vecpack.DecodeError) as raised:
        vecpack.read(data)
    assert full.error == str(raised.value)
    assert vecpack.inspect(data, full=True, on_error="skip").error is None
    assert vecpack.inspect(data, full=True, on_error="null").rows == 2001
    assert (full.dims, full.left_out) == ([{"field": "vector", "dim": 8, "files": 1}], [])
    assert [(each["rows"], each["rejects"]) for each in full.inputs] == [(2000, 1)]


def test_inspect_keeps_to_the_limit_of_a_conversion(tmp_path):
    (tmp_path / "1.msgpack").write_bytes(pack([*EXPECTED, *EXPECTED[:500]]))
    (tmp_path / "2.msgpack").write_bytes(pack([None] * 10))
    for full in (False, True):
        found = vecpack.inspect(tmp_path, limit=1100, full=full)
        assert (found.error, found.rows_estimate, found.complete) == (None, 1100, full)
        found = vecpack.inspect(tmp_path, limit=5, full=full)
        assert (found.rows, found.rows_estimate, found.complete) == (5, 5, True)
    assert vecpack.inspect(tmp_path, limit=1600).error is not None


def test_inspect_knows_a_share_of_rejects_from_all_records_only(tmp_path):
    (tmp_path / "1.msgpack").write_bytes(pack([*EXPECTED] * 5))
    (tmp_path / "2.msgpack").write_bytes(pack([*[None] * 40, *EXPECTED, *EXPECTED]))
    options = {"on_error": "skip", "fail_after": "1%"}
    assert vecpack.to_parquet(tmp_path, tmp_path / "out.parquet", **options).rejects == 40
    for full in (False, True):
        assert vecpack.inspect(tmp_path, **options, full=full).error is None
    options["fail_after"] = "0.1%"
    assert vecpack.inspect(tmp_path, **options).error is None
    assert "allows 0.1%" in vecpack.inspect(tmp_path, **options, full=True).error


@pytest.mark.parametrize("framing", ["sequence", "map"])
def test_inspect_lists_fields_that_come_late_wherever_they_are(framing):
    vector = EXPECTED[0].tobytes()
    records = [{"v": vector, "d": {"a": 1}, "l": [{"x": 1}]}] * 1500
    records += [{"v": vector, "d": {"a": 1, "z": 5}, "l": [{"x": 1, "y": 2}], "late": 1}] * 10
    if framing == "map":
        data = msgpack.packb({f"key{number}": record for number, record in enumerate(records)})
    else:
        data = b"".join(map(msgpack.packb, records))
    assert vecpack.inspect(data).left_out == []
    assert [each["field"] for each in vecpack.inspect(data, full=True).left_out] == ["d.z", "l.y", "late"]
    assert vecpack.inspect(data, full=True, infer_records=0).left_out == []


def test_norms_of_a_wrong_type_have_few_digits():
    lines = [line for line in str(vecpack.inspect(DATA, raw_dtype=">f4")).splitlines() if "norms" in line]
    assert lines and all(len(line) < 70 for line in lines), lines
