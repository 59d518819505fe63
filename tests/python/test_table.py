"""Tables, which `read` gives, and `inspect`."""

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, vectors


def test_read_gives_a_table_in_memory(write_file):
    expected = vectors(1000, 3)
    path = write_file("v.msgpack", expected)
    table = vecpack.read(path, batch_rows=300)
    path.unlink()
    assert (len(table), table.num_rows, table.num_columns) == (1000, 1000, 1)
    assert table.schema.names == ["vector"]
    assert_same_bits(matrix(table), expected)


def test_a_table_gives_its_batches_again_and_again():
    table = vecpack.read(pack(vectors(1000, 3)), batch_rows=300)
    for batches in (table.batches, list(table), list(table)):
        assert [batch.num_rows for batch in batches] == [300, 300, 300, 100]
        assert_same_bits(np.concatenate([matrix(batch) for batch in batches]), vectors(1000, 3))


def test_a_table_without_rows_keeps_its_schema():
    table = vecpack.read(b"", dim=3, dtype="int8")
    assert (len(table), table.num_columns, list(table)) == (0, 1, [])
    assert pa.table(table).schema.field("vector").type.value_type == pa.int8()
    assert table.to_numpy().shape == (0, 3)
    assert table.to_numpy().dtype == np.int8


def test_read_takes_the_options_of_scan():
    table = vecpack.read(pack([*vectors(2, 3), None]), on_error="null", dtype="float64", threads=1)
    assert pa.table(table)["vector"].to_pylist() == [*vectors(2, 3).astype("f8").tolist(), None]


def test_rejects_are_a_table_of_named_columns():
    source = vecpack.scan(pack([*vectors(2, 3), None]), on_error="skip")
    assert len(source.rejects) == source.reject_count == 0
    source.count_rows()
    expected = ["file", "record", "offset", "length", "field", "kind", "expected", "found", "message"]
    assert source.rejects.schema.names == expected
    assert len(source.rejects) == source.reject_count == 1


def test_inspect_tells_what_is_in_there(write_file):
    path = write_file("v.msgpack", [*vectors(100, 3), None, b"x"])
    found = vecpack.inspect([path, pack(vectors(5, 3))])
    assert found.files == 2
    assert found.bytes == path.stat().st_size + 5 * 14
    assert found.rows == 105
    assert found.rejects == 2
    assert (found.framing, found.layout) == ("sequence", "vector")
    (column,) = found.columns
    assert (column["name"], column["dim"], column["dtype"]) == ("vector", 3, "float32")
    assert "3" in column["type"]
    as_dict = found.to_dict()
    assert {name: as_dict[name] for name in ("files", "rows", "rejects", "framing", "layout")} == {
        "files": 2,
        "rows": 105,
        "rejects": 2,
        "framing": "sequence",
        "layout": "vector",
    }
    for part in ("105", "vector", "nil"):
        assert part in str(found)


def test_inspect_counts_bad_records_whatever_the_policy():
    for policy in ("raise", "skip", "null"):
        found = vecpack.inspect(pack([*vectors(3, 2), None]), on_error=policy)
        assert (found.rows, found.rejects) == (4 if policy == "null" else 3, 1)
        assert (found.error is not None) == (policy == "raise")


def test_inspect_of_nothing_says_what_a_conversion_would_say():
    with pytest.raises(vecpack.SchemaError) as raised:
        vecpack.scan(b"")
    assert vecpack.inspect(b"").error == str(raised.value)
