"""Columns under other names than their fields: `columns` as a mapping, and `Source.rename`."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import pack, rejects, vectors

EXPECTED = vectors(200, 8)


def records(rows=200):
    return [{"id": n, "meta": {"embedding": EXPECTED[n].tobytes(), "lang": f"l{n}"}, "t": f"t{n}"} for n in range(rows)]


def renamed(table, names):
    """What pyarrow makes of the columns of `names`, a mapping of new names to old ones."""
    return pa.table({new: table[old] for new, old in names.items()}).cast(
        pa.schema([table.schema.field(old).with_name(new) for new, old in names.items()])
    )


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "names",
    [
        {"embedding": "meta.embedding", "id": "id"},
        {"id": "t", "t": "id"},
        {"meta": "meta.embedding", "meta.embedding": "meta"},
        {"a": "meta.lang", "b": "meta.lang", "c": "meta.embedding"},
    ],
)
def test_columns_have_the_names_of_the_mapping(names, threads, write_file):
    path = write_file("r.msgpack", records())
    whole = vecpack.read(path, columns=list(dict.fromkeys(names.values()))).to_pyarrow()
    source = vecpack.scan(path, columns=names, threads=threads, batch_rows=30)
    expected = renamed(whole, names)
    for made in (source, pickle.loads(pickle.dumps(source)), source.select(list(names))):
        assert (made.schema.names, made.columns) == (list(names), names)
        assert pa.table(made).equals(expected)
        assert pa.schema(made).equals(expected.schema)
    assert pa.concat_tables(pa.table(part) for part in source.split(3)).equals(expected)
    assert pa.table(vecpack.read(path, columns=names)).equals(expected)
    assert [column["name"] for column in vecpack.inspect(path, columns=names).columns] == list(names)
    assert source.to_polars(lazy=True).select(next(iter(names))).collect().columns == list(names)[:1]
    vecpack.to_parquet(path, path.with_name("columns.parquet"), columns=names)
    vecpack.to_parquet(source, path.with_name("source.parquet"))
    for name in ("columns", "source"):
        assert pq.read_table(path.with_name(f"{name}.parquet")).equals(expected)


def test_a_source_is_renamed_without_reading(write_file):
    path = write_file("r.msgpack", records())
    source = vecpack.scan(path, include_record=True)
    whole = pa.table(source)
    content = path.read_bytes()
    path.unlink()
    made = source.rename({"meta.embedding": "embedding", "meta": "m", "record": "n"}).rename({"m": "id", "id": "m"})
    made = made.select(["id", "embedding", "n"]).rename({}).with_options(threads=2)
    fields = {"id": "meta", "embedding": "meta.embedding", "n": "record"}
    assert (made.schema.names, made.columns) == (list(fields), fields)
    assert (made.dim, source.schema.names) == (8, whole.column_names)
    path.write_bytes(content)
    for same in (made, pickle.loads(pickle.dumps(made))):
        assert pa.table(same).equals(renamed(whole, fields))
    np.testing.assert_array_equal(made.to_numpy("embedding"), EXPECTED)


def test_options_and_rejects_name_the_field_and_not_its_column(tmp_path):
    items = [*records(5), {"id": -1, "meta": {"embedding": EXPECTED[0].tobytes()[:-1]}}]
    names = {"id": "meta.embedding", "number": "id"}
    options = {"columns": names, "schema": {"id": "uint8"}, "vector": "meta.embedding", "raw_dtype": "<f4"}
    with pytest.raises(vecpack.DecodeError) as caught:
        vecpack.read(pack(items), **options)
    assert caught.value.field == "id"
    source = vecpack.scan(pack(items), on_error="null", **options)
    found = pa.table(source)
    assert found["number"].to_pylist() == [0, 1, 2, 3, 4, None]
    assert found.schema.field("number").type == pa.uint8()
    assert found["id"].to_pylist()[:5] == EXPECTED[:5].tolist()
    assert set(rejects(source, "record", "field")) == {(5, "id"), (5, "meta.embedding")}
    again = source.rename({"number": "x", "id": "y"})
    vecpack.to_parquet(again, tmp_path / "out.parquet", rejects=tmp_path / "rejects.parquet")
    assert pq.read_schema(tmp_path / "out.parquet").names == ["y", "x"]
    assert set(pq.read_table(tmp_path / "rejects.parquet")["field"].to_pylist()) == {"id", "meta.embedding"}
    # A new name is no field.
    with pytest.raises(vecpack.SchemaError, match="has a field `embedding`"):
        vecpack.scan(pack(records(5)), columns={"embedding": "meta.embedding"}, vector="embedding")


def test_a_resumed_run_must_have_the_same_names(write_file, tmp_path):
    path, out = write_file("r.msgpack", records()), tmp_path / "out"
    names = {"embedding": "meta.embedding", "a": "id", "b": "t"}
    vecpack.to_parquet(path, f"{out}/", columns=names)
    assert vecpack.to_parquet(path, f"{out}/", columns=names, resume=True).files == 0
    source = vecpack.scan(path, columns=names)
    for other in (
        {"columns": {**names, "a": "t", "b": "id"}},
        {"columns": {"x": "meta.embedding", "a": "id", "b": "t"}},
        {"columns": list(names.values())},
    ):
        with pytest.raises(vecpack.OptionError, match="columns` was"):
            vecpack.to_parquet(path, f"{out}/", resume=True, **other)
    with pytest.raises(vecpack.OptionError, match="had `a: nullable Int64 from id`; now there are `c: .* from id`"):
        vecpack.to_parquet(source.rename({"a": "c"}), f"{out}/", resume=True)
    # The same names and types, but each from the field of the other one.
    twice = tmp_path / "twice"
    meta = vecpack.scan(path, columns={"a": "t", "b": "meta.lang"})
    vecpack.to_parquet(meta, f"{twice}/")
    with pytest.raises(vecpack.OptionError, match="the columns are others"):
        vecpack.to_parquet(meta.rename({"a": "b", "b": "a"}).select(["a", "b"]), f"{twice}/", resume=True)


def test_names_that_cannot_be_are_refused():
    data = pack(records(3))
    source = vecpack.scan(data)
    for names in (["id", "id"], {"record": "id"}):
        with pytest.raises(vecpack.OptionError, match="option `columns`: two columns have the name"):
            vecpack.scan(data, columns=names, include_record=True)
    with pytest.raises(vecpack.OptionError, match="rename: two columns have the name `t`"):
        source.rename({"id": "t"})
    for error, option in ((vecpack.OptionError, {"a\0": "id"}), (vecpack.SchemaError, {"a": "nope"})):
        with pytest.raises(error, match="columns"):
            vecpack.scan(data, columns=option)
    with pytest.raises(vecpack.SchemaError, match="rename: there is no column `nope`; there are `id`"):
        source.rename({"nope": "a"})
    for wrong in ("id", [1], {"a": 1}, {1: "id"}, 7):
        with pytest.raises(TypeError, match="columns must be"):
            vecpack.scan(data, columns=wrong)
    for wrong in ("id", ["id"], {"id": 1}, 7):
        with pytest.raises(TypeError, match="rename must be a mapping of names to names"):
            source.rename(wrong)
    # Two spellings of one field.
    with pytest.raises(vecpack.SchemaError, match="two columns are the field `column_0`"):
        vecpack.scan(pack([[1, EXPECTED[0].tobytes()]] * 5), columns=["0", "column_0"])
