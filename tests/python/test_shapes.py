"""Vectors in shapes that other data has too, and arrays of more dimensions than one."""

import itertools

import msgpack
import msgpack_numpy
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import assert_same_bits

RNG = np.random.default_rng(7)


def matrix(column):
    """The vectors of a column, none of which is null."""
    assert column.null_count == 0
    column = column.combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)


def packed(objects, **options):
    return b"".join(msgpack.packb(value, **options) for value in objects)


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_number_a_shape_and_data_are_fields_where_the_number_differs(first, policy):
    rows = [[i, [32], RNG.random(32).tolist()] for i in range(first, first + 40)]
    for data in (packed(rows), msgpack.packb(rows), msgpack.packb(rows[:3])):
        table = vecpack.read(data, on_error=policy).to_pyarrow()
        assert table.column_names == ["column_0", "column_1", "column_2"]
        assert table["column_0"].to_pylist() == [row[0] for row in rows[: len(table)]]
        assert_same_bits(matrix(table["column_2"]), np.array([row[2] for row in rows[: len(table)]], "f4"))


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
@pytest.mark.parametrize("count", [1, 40, 1200])
def test_arrays_of_rusts_ndarray_are_vectors(count, policy):
    rows = RNG.random((count, 8))
    data = packed([1, [8], row.tolist()] for row in rows)
    source = vecpack.scan(data, on_error=policy)
    assert_same_bits(source.to_numpy(), rows.astype("f4"))
    assert vecpack.inspect(data, on_error=policy).layout == "vector"
    whole = msgpack.packb([[1, [8], row.tolist()] for row in rows])
    assert_same_bits(vecpack.read(whole, on_error=policy).to_numpy(), rows.astype("f4"))
    assert vecpack.read(packed([[1, [2, 4], row.tolist()] for row in rows])).num_rows == 2 * count
    assert vecpack.read(data, vector="column_2").to_pyarrow().column_names == ["column_0", "column_1", "column_2"]


def test_a_bad_record_does_not_make_fields_of_ndarrays():
    rows = [[1, [2], [0.5, 1.5]], ["x", 1], None, {"a": 1}, [1, [2], [2.5, 3.5]]]
    source = vecpack.scan(packed(rows), on_error="skip")
    assert source.to_numpy().tolist() == [[0.5, 1.5], [2.5, 3.5]]


def test_a_map_of_old_raw_vectors_of_which_the_first_is_zero():
    vectors = RNG.random((3000, 16)).astype("f4")
    vectors[0] = 0
    data = msgpack.packb({f"w{i}": v.tobytes() for i, v in enumerate(vectors)}, use_bin_type=False)
    table = vecpack.read(data).to_pyarrow()
    assert table["key"].to_pylist() == [f"w{i}" for i in range(3000)]
    assert_same_bits(matrix(table["vector"]), vectors)


@pytest.mark.parametrize("raw", ["<f2", "bf16"])
@pytest.mark.parametrize("layout", ["bare", "ndarray", "map", "positional"])
def test_integers_are_the_bits_of_halves_where_the_type_says_so(layout, raw):
    floats = RNG.standard_normal((50, 24)).astype("f4")
    floats[3], floats[4, :3] = 0, [np.inf, -np.inf, np.nan]
    halves = floats.astype("<f2").view("<u2") if raw == "<f2" else (floats.view("<u4") >> 16).astype("<u2")
    expected = halves.view("<f2").astype("f4") if raw == "<f2" else (halves.astype("<u4") << 16).view("<f4")
    make = {
        "bare": lambda i, v: v,
        "ndarray": lambda i, v: [1, [24], v],
        "map": lambda i, v: {"id": i, "tokens": [7] * 24, "v": v},
        "positional": lambda i, v: [i + 5, v],
    }[layout]
    name = {"map": "v", "positional": "column_1"}.get(layout, "vector")
    data = packed(make(i, half.tolist()) for i, half in enumerate(halves))
    options = {"raw_dtype": raw} if layout == "bare" else {"raw_dtype": {name: raw}}
    if layout == "ndarray":
        options = {"raw_dtype": raw}
    table = vecpack.read(data, **options).to_pyarrow()
    np.testing.assert_array_equal(matrix(table[name]), expected)
    if layout == "map":
        assert table["tokens"].to_pylist() == [[7] * 24] * 50
    if layout != "bare":
        return
    exact = vecpack.read(data, dtype="float16", **options).to_pyarrow()
    if raw == "<f2":
        assert matrix(exact["vector"]).view("u2").tolist() == halves.tolist()
    odd = data + packed([[70_000] + [0] * 23, [-1] + [0] * 23, [0.5] * 24])
    source = vecpack.scan(odd, on_error="skip", **options)
    assert source.to_numpy()[50:].tolist() == [[0.5] * 24]
    assert source.reject_count == 2


def test_numbers_stay_numbers_where_a_column_has_other_numbers_as_well():
    rows = [[0.5, 1.5], [1, 0], [0, 1]]
    data = packed({"id": i, "v": v} for i, v in enumerate(rows))
    assert vecpack.read(data, vector="v", raw_dtype="<f2").to_numpy().tolist() == rows


@pytest.mark.parametrize("dtype", ["f4", "f2", "i4", "u1"])
@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_lists_of_numpy_scalars_are_vectors(dtype, policy):
    vectors = (RNG.random((40, 20)) * 100).astype(dtype)
    bare = packed((list(v) for v in vectors), default=msgpack_numpy.encode)
    source = vecpack.scan(bare, on_error=policy)
    assert_same_bits(source.to_numpy(), vectors.astype("f4"))
    nested = packed(
        ({"id": i, "v": list(v), "deep": {"w": [list(v[:3])]}} for i, v in enumerate(vectors)),
        default=msgpack_numpy.encode,
    )
    table = vecpack.read(nested, vector="v", on_error=policy).to_pyarrow()
    assert_same_bits(matrix(table["v"]), vectors.astype("f4"))
    assert table["deep"].to_pylist() == [{"w": [v[:3].tolist()]} for v in vectors]
    if dtype[0] == "f":
        assert vecpack.read(nested, on_error=policy).to_pyarrow().schema.field("v").type.list_size == 20


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_a_list_of_one_vector_is_that_vector_where_options_say_so(policy):
    vectors = RNG.random((30, 20)).astype("f4")
    for wrap in (lambda v: [v.tolist()], lambda v: [v.tobytes()], lambda v: [v]):
        data = packed(({"id": i, "v": wrap(v)} for i, v in enumerate(vectors)), default=msgpack_numpy.encode)
        table = vecpack.read(data, vector="v", on_error=policy).to_pyarrow()
        assert_same_bits(matrix(table["v"]), vectors)
    lists = packed({"id": i, "v": [v.tolist()], "w": v.tobytes()} for i, v in enumerate(vectors))
    assert pa.types.is_list(vecpack.read(lists).to_pyarrow().schema.field("v").type)
    mixed = packed([{"v": [[0.5, 1]]}, {"v": [0.25, 2]}, {"v": [[1.5]]}])
    source = vecpack.scan(mixed, vector="v", on_error="skip")
    assert source.to_numpy().tolist() == [[0.5, 1], [0.25, 2]] and source.reject_count == 1


@pytest.mark.parametrize("policy", ["raise", "skip", "null"])
def test_maps_of_indices_are_vectors_where_options_say_so(policy):
    vectors = RNG.random((30, 20)).round(2)
    keys = {
        "text": lambda i: str(i),
        "from 0": lambda i: i,
        "from 1": lambda i: i + 1,
    }
    for key, shuffled in itertools.product(keys.values(), [False, True]):
        order = RNG.permutation(20) if shuffled else np.arange(20)
        data = packed({"id": i, "v": {key(int(k)): float(v[k]) for k in order}} for i, v in enumerate(vectors))
        table = vecpack.read(data, vector="v", on_error=policy).to_pyarrow()
        assert table.column_names == ["id", "v"]
        assert_same_bits(matrix(table["v"]), vectors.astype("f4"))
    for odd in ({0: 1.0, 2: 1.0}, {2: 1.0, 3: 1.0}, {0: 1.0, "a": 1.0}, {0: "x", 1: 1.0}):
        source = vecpack.scan(packed([{"v": {0: 1.0, 1: 2.0}}, {"v": odd}]), vector="v", on_error="skip")
        assert source.to_numpy().tolist() == [[1, 2]] and source.reject_count == 1


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u1", "i8"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (1, 3, 4), (2, 1, 2, 2)])
def test_arrays_of_one_shape_are_tensors(shape, dtype, tmp_path):
    arrays = (RNG.random((20, *shape)) * 100).astype(dtype)
    vectors = RNG.random((20, 16)).astype("f4")
    rows = [{"id": i, "image": a, "v": v, "in": {"m": a}} for i, (a, v) in enumerate(zip(arrays, vectors))]
    data = packed(rows, default=msgpack_numpy.encode)
    element = pa.from_numpy_dtype(np.dtype(dtype))
    for table in (
        vecpack.read(data).to_pyarrow(),
        pq.read_table(vecpack.to_parquet(data, tmp_path / "t.parquet").outputs[0]),
    ):
        column = table["image"].combine_chunks()
        assert isinstance(column.type, pa.FixedShapeTensorType)
        assert (column.type.value_type, list(column.type.shape)) == (element, list(shape))
        np.testing.assert_array_equal(column.to_numpy_ndarray(), arrays)
        assert_same_bits(matrix(table["v"]), vectors)
        inner = table["in"].combine_chunks().field("m")
        inner = inner.storage if isinstance(inner, pa.ExtensionArray) else inner
        assert inner.to_pylist() == [a.ravel().tolist() for a in arrays]
    alone = packed([{"id": i, "image": a} for i, a in enumerate(arrays)], default=msgpack_numpy.encode)
    assert vecpack.read(alone).num_rows == 20


def test_arrays_of_changing_shape_are_lists():
    arrays = [RNG.random((1 + i % 3, 2, 2)) for i in range(9)]
    rows = [{"v": np.ones(16, "f4"), "m": a} for a in arrays]
    table = vecpack.read(packed(rows, default=msgpack_numpy.encode)).to_pyarrow()
    assert table["m"].to_pylist() == [a.tolist() for a in arrays]


@pytest.mark.parametrize("dtype", ["f4", "i8", "f2"])
@pytest.mark.parametrize("single", [{0}, {0, 3, 5}, {2}])
@pytest.mark.parametrize("other", [{}, {"v": np.ones(16, "f4")}])
def test_a_matrix_of_one_row_does_not_make_vectors_of_the_others(single, dtype, other):
    arrays = [(100 * RNG.random((1 if i in single else 2 + i % 3, 64))).astype(dtype) for i in range(9)]
    rows = [{"id": i, "m": a, **other} for i, a in enumerate(arrays)]
    table = vecpack.read(packed(rows, default=msgpack_numpy.encode)).to_pyarrow()
    assert table["m"].to_pylist() == [a.tolist() for a in arrays]


def test_a_field_of_which_most_arrays_have_one_row_is_a_vector():
    rows = [{"id": i, "m": RNG.random((1 + i // 7, 64))} for i in range(9)]
    source = vecpack.scan(packed(rows, default=msgpack_numpy.encode), on_error="skip")
    assert source.to_pyarrow()["m"].type.list_size == 64 and source.reject_count == 2
    named = vecpack.scan(packed(rows[::-1], default=msgpack_numpy.encode), vector="m", on_error="skip")
    assert named.to_pyarrow().num_rows == 7


def test_a_late_array_of_another_shape_costs_one_record():
    arrays = [np.full((2, 3), i, "f4") for i in range(12)]
    arrays[11] = np.ones((3, 2), "f4")
    rows = [{"v": np.ones(16, "f4"), "m": a} for a in arrays]
    data = packed(rows, default=msgpack_numpy.encode)
    source = vecpack.scan(data, infer_records=10, on_error="skip")
    assert source.to_pyarrow().num_rows == 11 and source.reject_count == 1
    assert "shape" in source.rejects.to_pyarrow()["message"][0].as_py()
    nulls = vecpack.read(
        data + packed([{"v": np.ones(16, "f4")}], default=msgpack_numpy.encode), infer_records=10, on_error="null"
    ).to_pyarrow()
    assert nulls["m"].is_null().to_pylist() == [False] * 11 + [True, True]


def test_a_bare_array_of_three_dimensions_is_refused_by_name():
    data = msgpack.packb(np.ones((2, 3, 4), "f4"), default=msgpack_numpy.encode)
    with pytest.raises(vecpack.SchemaError, match=r"an array of shape \(2, 3, 4\)"):
        vecpack.read(data)
    good = msgpack.packb(np.ones(4, "f4"), default=msgpack_numpy.encode)
    source = vecpack.scan(good + data + good, on_error="skip")
    assert source.to_numpy().tolist() == [[1] * 4] * 2 and source.reject_count == 1


def test_bare_vectors_of_a_tensor_type_are_all_read():
    vectors = RNG.random((20, 16)).astype("f4")
    schema = pa.schema([pa.field("vector", pa.fixed_shape_tensor(pa.float32(), [4, 4]))])
    assert_same_bits(matrix(vecpack.read(packed(map(bytes, vectors)), schema=schema).to_pyarrow()["vector"]), vectors)


def test_a_vector_behind_a_number_and_a_shape_is_read_where_options_name_its_position():
    rows = [[1, [2, 2, 4], RNG.random(16).tolist()] for _ in range(3)]
    table = vecpack.read(packed(rows), vector="column_2").to_pyarrow()
    assert_same_bits(matrix(table["column_2"]), np.array([row[2] for row in rows], "f4"))
