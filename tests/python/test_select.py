"""Sources made of sources: other columns and batches, and never other rows."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, rejects, vectors

EXPECTED = vectors(3000, 16)


def records(rows=3000):
    return [{"id": n, "url": f"u{n}", "vector": EXPECTED[n].tobytes()} for n in range(rows)]


@pytest.mark.parametrize(
    "names", [["vector"], ["id"], ["vector", "id"], ["url", "vector", "id"], ["record"], ["path", "url"]]
)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_selection_gives_its_columns_in_its_order(names, threads, write_file):
    path = write_file("v.msgpack", records())
    source = vecpack.scan(path, include_path=True, include_record=True, threads=threads, batch_rows=500)
    whole = source.to_pyarrow()
    chosen = source.select(names)
    assert chosen.schema.names == names
    assert pa.table(chosen).equals(whole.select(names))
    assert pa.table(pickle.loads(pickle.dumps(chosen))).equals(whole.select(names))
    assert pa.concat_tables(pa.table(part) for part in chosen.split(3)).equals(whole.select(names))
    assert chosen.dim == (16 if "vector" in names else None)
    assert source.schema.names == ["id", "url", "vector", "path", "record"]


@pytest.mark.parametrize("framing", ["sequence", "array", "map"])
@pytest.mark.parametrize("shape", ["bare", "positional", "map"])
def test_no_columns_are_as_many_rows(framing, shape):
    items = {
        "bare": [row.tobytes() for row in EXPECTED[:40]],
        "positional": [[n, EXPECTED[n].tobytes()] for n in range(40)],
        "map": records(40),
    }[shape]
    packed = {"sequence": items, "array": [items], "map": [{f"k{n}": item for n, item in enumerate(items)}]}[framing]
    source = vecpack.scan(pack(packed), framing=framing)
    nothing = source.select([])
    assert (nothing.schema.names, nothing.count_rows(), pa.table(nothing).num_rows) == ([], 40, 40)
    assert len(pickle.loads(pickle.dumps(nothing)).to_pyarrow()) == 40
    if framing == "map":
        assert pa.table(source.select(["key"]))["key"].to_pylist() == [f"k{n}" for n in range(40)]


def test_the_rows_of_matrices_are_counted_without_the_vectors():
    flat = {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [3, 2], b"data": np.arange(6, dtype="<f4").tobytes()}
    source = vecpack.scan(pack([flat, flat]), include_record=True)
    assert source.count_rows() == 6
    assert pa.table(source.select(["record"]))["record"].to_pylist() == [0, 0, 0, 1, 1, 1]
    assert source.select([]).count_rows() == 6


def test_what_is_not_selected_is_stepped_over():
    source = vecpack.scan(pack([*records(10), {"id": 10, "url": "u10", "vector": b"?"}]))
    assert pa.table(source.select(["id"]))["id"].to_pylist() == list(range(11))
    assert source.select([]).count_rows() == 11
    with pytest.raises(vecpack.DecodeError, match="vector"):
        source.select(["vector"]).count_rows()


@pytest.mark.parametrize("policy", ["skip", "null"])
def test_a_selection_has_the_rows_and_rejects_of_the_whole(policy):
    source = vecpack.scan(pack([*records(10), {"id": 10, "url": "u10", "vector": b"?"}, 7]), on_error=policy)
    whole = source.to_pyarrow()
    noted = rejects(source, "record", "field")
    for names in (["id"], ["url", "id"], []):
        chosen = source.select(names)
        assert pa.table(chosen).num_rows == whole.num_rows
        assert rejects(chosen, "record", "field") == rejects(source, "record", "field") == noted
        assert not names or pa.table(chosen).equals(whole.select(names))


def test_names_that_are_not_there_are_refused():
    source = vecpack.scan(pack(records(3)))
    with pytest.raises(vecpack.SchemaError, match="no column `score`; there are `id`, `url`, `vector`"):
        source.select(["id", "score"])
    with pytest.raises(vecpack.SchemaError, match="twice"):
        source.select(["id", "id"])
    with pytest.raises(vecpack.SchemaError, match="no column `url`; there are `id`"):
        source.select(["id"]).select(["url"])
    with pytest.raises(TypeError, match="list of names"):
        source.select("id")


def test_a_selection_is_made_without_reading(write_file):
    path = write_file("v.msgpack", records())
    source = vecpack.scan(path)
    path.unlink()
    chosen = source.select(["id"]).with_options(batch_rows=7)
    assert chosen.schema.names == ["id"]
    with pytest.raises(FileNotFoundError):
        chosen.count_rows()


def test_a_stream_that_was_looked_into_is_read_by_its_selection():
    import io

    class Unseekable(io.BytesIO):
        def seekable(self):
            return False

    chosen = vecpack.scan(Unseekable(pack(records(50)))).select(["id"])
    assert pa.table(chosen)["id"].to_pylist() == list(range(50))


def test_batches_of_other_sizes():
    source = vecpack.scan(pack(EXPECTED), threads=2)
    assert [len(batch) for batch in source.with_options(batch_rows=1000)] == [1000] * 3
    assert {len(batch) for batch in source.with_options(batch_bytes=64 * 10, threads=1)} == {10}
    small = source.with_options(batch_rows=1000)
    assert (small.options["batch_rows"], small.options["threads"]) == (1000, 2)
    assert small.select(["vector"]).options["batch_rows"] == 1000
    with pytest.raises(vecpack.OptionError, match="batch_rows"):
        source.with_options(batch_rows=0)


def test_each_input_is_a_source(write_file):
    files = [write_file(f"{n}.msgpack", EXPECTED[n : n + n + 1]) for n in range(4)]
    parts = vecpack.scan(files).split_inputs()
    assert [part.files for part in parts] == [[str(file)] for file in files]
    assert [part.count_rows() for part in parts] == [1, 2, 3, 4]
    assert [part.size() for part in parts] == [file.stat().st_size for file in files]


@pytest.mark.parametrize("batch_rows", [None, 100, 2999])
@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_gathered_from_batches(batch_rows, compressed, write_file):
    import gzip

    # Long records first: what the first batch takes of the input tells too little of the rest.
    data = pack([{"url": "x" * 5000 * (n < 100), "v": EXPECTED[n].tobytes()} for n in range(3000)])
    path = write_file("v.msgpack", gzip.compress(data) if compressed else data)
    source = vecpack.scan(path, vector="v", batch_rows=batch_rows)
    found = source.to_numpy()
    assert_same_bits(found, EXPECTED)
    found[:] = 0
    assert_same_bits(matrix(source.to_pyarrow().rename_columns(["url", "vector"])), EXPECTED)


def test_arrays_of_a_column_that_is_named():
    items = [{"a": EXPECTED[n].tobytes(), "b": EXPECTED[n + 1, :8].tolist(), "n": n} for n in range(300)]
    source = vecpack.scan(pack(items), vector=["a", "b"])
    for exportable in (source, source.with_options(batch_rows=90), vecpack.read(pack(items), vector=["a", "b"])):
        assert_same_bits(exportable.to_numpy(), EXPECTED[:300])
        assert_same_bits(exportable.to_numpy("b"), EXPECTED[1:301, :8])
        for wrong in ("n", "c"):
            with pytest.raises(ValueError, match=f"no vector column `{wrong}`"):
                exportable.to_numpy(wrong)
    (batch,) = source
    assert_same_bits(batch.to_numpy("b"), EXPECTED[1:301, :8])
