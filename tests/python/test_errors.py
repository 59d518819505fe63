"""Exceptions: which class when, with which attributes, and that they travel."""

import copy
import errno
import io
import multiprocessing
import os
import pickle

import msgpack
import numpy as np
import pytest
import vecpack
from conftest import pack, vectors

GOOD = pack(vectors(3, 2))


def test_the_classes_are_what_they_are_in_python():
    assert issubclass(vecpack.VecpackError, Exception)
    for error in (vecpack.DecodeError, vecpack.SchemaError, vecpack.OptionError):
        assert issubclass(error, vecpack.VecpackError)
        assert issubclass(error, ValueError)
        assert error.__module__ == "vecpack"


def raised_by(work):
    with pytest.raises(vecpack.VecpackError) as caught:
        work()
    return caught.value


RAISED = {
    "decode": lambda: vecpack.read(GOOD + b"\xc0"),
    "truncated": lambda: vecpack.read(GOOD[:-1]),
    "item": lambda: vecpack.from_iter([b"1234", b"123"]).to_pyarrow(),
    "schema": lambda: vecpack.scan(b""),
    "option": lambda: vecpack.scan(GOOD, dim=0),
}


@pytest.mark.parametrize("way", ["pickle 2", "pickle 5", "copy", "deepcopy"])
@pytest.mark.parametrize("name", RAISED)
def test_errors_travel_with_their_text_and_attributes(name, way):
    error = raised_by(RAISED[name])
    ways = {
        "pickle 2": lambda: pickle.loads(pickle.dumps(error, 2)),
        "pickle 5": lambda: pickle.loads(pickle.dumps(error, 5)),
        "copy": lambda: copy.copy(error),
        "deepcopy": lambda: copy.deepcopy(error),
    }
    again = ways[way]()
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)
    assert str(error)
    if isinstance(error, vecpack.DecodeError):
        attributes = [(e.path, e.record, e.offset, e.field) for e in (error, again)]
        assert attributes[0] == attributes[1]
        assert error.record is not None


def test_a_decode_error_has_the_place():
    error = raised_by(RAISED["decode"])
    assert (error.record, error.offset, error.field) == (3, 30, "vector")
    error = raised_by(RAISED["truncated"])
    assert (error.record, error.offset, error.field) == (2, 20, None)
    error = raised_by(RAISED["item"])
    assert (error.record, error.field) == (1, "vector")


def test_errors_can_be_made_by_hand():
    error = vecpack.DecodeError("text", path="file", record=1, offset=2, field="vector")
    assert (str(error), error.path, error.record, error.offset, error.field) == (
        "text",
        "file",
        1,
        2,
        "vector",
    )
    error = vecpack.DecodeError("text")
    assert (error.path, error.record, error.offset, error.field) == (None, None, None, None)
    assert str(vecpack.SchemaError("text")) == str(vecpack.VecpackError("text")) == "text"


def decode(data):
    return vecpack.read(data).num_rows


def test_an_error_comes_back_from_a_process_pool():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(decode, (GOOD,)) == 3
        with pytest.raises(vecpack.DecodeError) as caught:
            pool.apply(decode, (GOOD + b"\xc0",))
    assert caught.value.record == 3


@pytest.mark.parametrize("dim", [None, 3])
@pytest.mark.parametrize("function", [vecpack.scan, vecpack.read, vecpack.inspect])
def test_a_file_that_is_not_there(tmp_path, function, dim):
    path = tmp_path / "missing.msgpack"
    for inputs in (path, str(path), [path]):
        with pytest.raises(FileNotFoundError) as caught:
            function(inputs, dim=dim)
        assert caught.value.errno == errno.ENOENT
        assert "missing.msgpack" in str(caught.value)
        assert os.fspath(caught.value.filename) == str(path)


def test_a_file_that_is_not_there_is_not_turned_into_parquet(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.msgpack"):
        vecpack.to_parquet(tmp_path / "missing.msgpack", tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_pattern_that_nothing_matches_and_an_empty_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"\*\.msgpack"):
        vecpack.scan(str(tmp_path / "*.msgpack"))
    (tmp_path / "notes.txt").write_text("no vectors")
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        vecpack.scan(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(write_file):
    path = write_file("v.msgpack", GOOD)
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"v\.msgpack"):
        vecpack.scan(path)


BAD_READ_OPTIONS = [
    {"dim": 0},
    {"dim": -1},
    {"dim": 2**31},
    {"dim": 2**70},
    {"dtype": "float31"},
    {"dtype": ""},
    {"dtype": np.int64},
    {"dtype": np.dtype("c8")},
    {"raw_dtype": "<f3"},
    {"raw_dtype": ""},
    {"raw_dtype": "<"},
    {"raw_dtype": np.complex64},
    {"infer_records": -1},
    {"on_error": "ignore"},
    {"on_error": "Raise"},
    {"max_rejects": -1},
    {"batch_rows": 0},
    {"batch_rows": -1},
    {"batch_bytes": 0},
    {"batch_bytes": -1},
    {"threads": 0},
    {"threads": -1},
    {"threads": 1025},
    {"threads": 2**31},
    {"threads": 2**63},
    {"max_record_bytes": 0},
    {"max_record_bytes": 2**64},
]


@pytest.mark.parametrize("options", BAD_READ_OPTIONS, ids=str)
def test_a_value_that_a_read_option_cannot_have(tmp_path, options):
    (name,) = options
    for function in (vecpack.scan, vecpack.read, vecpack.inspect):
        with pytest.raises(vecpack.OptionError) as caught:
            function(GOOD, **options)
        assert name in str(caught.value)
    with pytest.raises(vecpack.OptionError, match=name):
        vecpack.to_parquet(GOOD, tmp_path / "out.parquet", **options)
    assert list(tmp_path.iterdir()) == []


BAD_WRITE_OPTIONS = [
    {"compression": "gzip"},
    {"compression": ""},
    {"encoding": "delta"},
    {"list_type": "large"},
    {"row_group_bytes": 0},
    {"row_group_bytes": -1},
]


@pytest.mark.parametrize("options", BAD_WRITE_OPTIONS, ids=str)
def test_a_value_that_a_write_option_cannot_have(tmp_path, options):
    (name,) = options
    for source in (GOOD, vecpack.scan(GOOD), vecpack.read(GOOD)):
        with pytest.raises(vecpack.OptionError, match=name):
            vecpack.to_parquet(source, tmp_path / "out.parquet", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"dim": "3"},
        {"dim": 1.5},
        {"threads": "many"},
        {"on_error": None},
        {"batch_rows": [1]},
        {"unknown": 1},
        {"Dim": 3},
    ],
    ids=str,
)
def test_an_option_of_another_type_or_name_is_a_type_error(tmp_path, options):
    (name,) = options
    for function in (vecpack.scan, vecpack.read, vecpack.inspect):
        with pytest.raises(TypeError, match=name):
            function(GOOD, **options)
    with pytest.raises(TypeError, match=name):
        vecpack.to_parquet(GOOD, tmp_path / "out.parquet", **options)


@pytest.mark.parametrize("inputs", [{}, {"v.msgpack": 1}], ids=str)
def test_a_dictionary_is_no_list_of_inputs(tmp_path, inputs):
    for function in (vecpack.scan, vecpack.read, vecpack.inspect):
        with pytest.raises(TypeError, match="inputs must be .*, not dict"):
            function(inputs, dim=3)
    with pytest.raises(TypeError, match="inputs must be .*, not dict"):
        vecpack.to_parquet(inputs, tmp_path / "out.parquet", dim=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [{"on_error": "x" * 50_000}, {"dim": 10**4000}, {"dtype": "x" * 50_000}, {"columns": ["x" * 50_000]}],
    ids=lambda options: next(iter(options)),
)
def test_an_error_does_not_repeat_all_of_a_long_value(options):
    with pytest.raises(vecpack.VecpackError, match="|".join(options)) as caught:
        vecpack.scan(msgpack.packb({"id": 1, "e": [0.5] * 16}), **options)
    assert len(str(caught.value)) <= 1000


def test_options_are_keywords():
    with pytest.raises(TypeError):
        vecpack.scan(GOOD, 3)
    with pytest.raises(TypeError):
        vecpack.to_parquet(GOOD, "out.parquet", "none")
    with pytest.raises(TypeError):
        vecpack.take_iter([], np.zeros((1, 1), np.float32), "<f4")


@pytest.mark.parametrize("inputs", [None, 5, 1.5, object(), [None], [GOOD, 5], {}.items])
def test_what_is_no_input_is_a_type_error(inputs):
    for function in (vecpack.scan, vecpack.read, vecpack.inspect):
        with pytest.raises(TypeError):
            function(inputs, dim=2)


def test_a_file_in_text_mode_is_a_type_error(tmp_path):
    (tmp_path / "v.msgpack").write_bytes(GOOD)
    with open(tmp_path / "v.msgpack") as file, pytest.raises(TypeError, match="open it in binary mode"):
        vecpack.scan(file)


def test_read_options_do_not_go_with_what_has_been_read(tmp_path):
    for source in (vecpack.scan(GOOD), vecpack.read(GOOD), vecpack.from_iter(vectors(2, 2))):
        with pytest.raises(TypeError, match="options"):
            vecpack.to_parquet(source, tmp_path / "out.parquet", dim=2)
    assert list(tmp_path.iterdir()) == []


def test_why_the_dimension_is_not_known_is_told():
    with pytest.raises(vecpack.SchemaError, match=r"(?s)<f4.*5 bytes"):
        vecpack.scan(pack([b"12345", b"123"]))
    with pytest.raises(vecpack.SchemaError, match="the first one holds `id`: the integer 1"):
        vecpack.scan(pack([{"id": 1}]))
    data = pack([{"id": 1, "meta": {"embedding": vectors(1, 16)[0].tobytes()}}])
    for option in ({"vector": "embedding"}, {"raw_dtype": {"embedding": "<f8"}}, {"columns": ["embedding"]}):
        with pytest.raises(vecpack.SchemaError, match=r"; is `meta\.embedding` meant\?"):
            vecpack.scan(data, **option)
    packed = {"dtype": "float32", "shape": [2], "data": b"123"}
    with pytest.raises(vecpack.SchemaError, match="holds `v`: a map of dtype, shape, data; "):
        vecpack.scan(pack([{"v": packed}]))


def test_a_cut_off_only_record_is_not_called_an_empty_input():
    with pytest.raises(vecpack.VecpackError) as caught:
        vecpack.scan(pack(vectors(1, 100))[:-1])
    assert "hold no record" not in str(caught.value)


@pytest.mark.parametrize(
    "work, error, words",
    [
        (lambda: vecpack.scan(GOOD, vector=-1), vecpack.OptionError, "vector: there is no position -1"),
        (lambda: vecpack.scan(GOOD, vector=["a", 2**70]), vecpack.OptionError, "vector: there is no position"),
        (lambda: vecpack.scan(GOOD, vector=1.5), TypeError, "vector must be names or positions of fields"),
        (lambda: vecpack.scan(GOOD, vector=True), TypeError, "vector must be names or positions of fields"),
        (lambda: vecpack.scan(GOOD).split(-1), vecpack.OptionError, "parts: -1 is out of range"),
        (lambda: vecpack.scan(GOOD).split(2**70), vecpack.OptionError, "out of range"),
        (lambda: vecpack.scan(GOOD).split("2"), TypeError, "parts: "),
        (lambda: vecpack.scan(GOOD, schema={"vector": None}), TypeError, "schema: the type of `vector` must be"),
        (lambda: vecpack.scan(GOOD, schema={1: "int8"}), TypeError, "schema: the names of columns must be strings"),
        (lambda: vecpack.scan(GOOD, fail_after=True), TypeError, "fail_after must be a number of records"),
        (lambda: vecpack.scan(np.array([b"x", None], object)), TypeError, "an array of Python objects"),
        (lambda: vecpack.scan([np.array([(1, None)], [("a", "i4"), ("b", "O")])]), TypeError, "of Python objects"),
        (lambda: vecpack.scan(""), FileNotFoundError, "No such file or directory.*: ''$"),
    ],
)
def test_what_is_wrong_with_an_argument_is_said_in_its_own_words(work, error, words):
    with pytest.raises(error, match=words):
        work()


def test_an_array_with_fields_of_any_name_is_an_array():
    data = np.frombuffer(GOOD, [("Offset", "u1")])
    with pytest.raises(TypeError, match="ndarray is an array: from_iter"):
        vecpack.scan(data)


def test_a_npy_file_among_vectors_in_memory_is_refused():
    file = io.BytesIO()
    np.save(file, np.ones(32, np.float32))
    with pytest.raises(vecpack.DecodeError, match=r"a \.npy file: load it with `numpy.load`"):
        vecpack.from_iter([file.getvalue()]).to_pyarrow()
