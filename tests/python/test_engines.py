"""Every engine reads every kind of file that vecpack writes: the values that went in, one by one.

`tests/data/readers.json` holds what each engine reads, feature by feature; these tests fail where an engine reads less than
that, or more. With `VECPACK_UPDATE=1` they write it anew, and docs/readers.py puts it into the documentation.
With `VECPACK_ENGINES=1` (`make test-engines`) all engines read all files; without, the cheap ones read one file a feature.
"""

import importlib.util
import json
import os
from pathlib import Path

import engine_files
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from engine_files import FEATURES, MAKERS, SOME_ROWS
from engine_readers import ENGINES
from walk import thrift, walk

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests/data/readers.json"
UPDATES, IS_FULL = "VECPACK_UPDATE" in os.environ, "VECPACK_ENGINES" in os.environ
FILES = list(MAKERS) if IS_FULL else list(dict.fromkeys(FEATURES.values()))
TRIED = [name for name, engine in ENGINES.items() if IS_FULL or engine.is_cheap]

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Makes a file when it is first asked for. Whoever reads it may rely on what the walker says."""
    directory, files = tmp_path_factory.mktemp("engines"), {}

    def make(name):
        if name not in files:
            files[name] = engine_files.make(name, directory)
            walk(files[name].path)
        return files[name]

    return make


@pytest.fixture(scope="module")
def results():
    """What each engine reads, as was noted; an update writes it back."""
    noted = json.loads(RESULTS.read_text())
    yield noted
    if UPDATES:
        RESULTS.write_text(json.dumps(noted, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def same_type(column, data_type):
    """The column in the type of the expected one, whichever of Arrow's types for it an engine chose."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_struct(data_type):
        children = [same_type(pc.struct_field(column, field.name), field.type) for field in data_type]
        return pa.StructArray.from_arrays(children, fields=list(data_type), mask=column.is_null())
    if pa.types.is_decimal(column.type):
        return pa.array([None if value is None else int(value) for value in column.to_pylist()], data_type)
    return column.cast(data_type)


def assert_same(found, expected):
    """Equal in every value: the null ones, the lengths of lists, NaN and the signs of zeros too."""
    assert len(found) == len(expected), f"{len(found)} rows, and not {len(expected)}"
    assert found.is_null().equals(expected.is_null()), "other nulls"
    if not pa.types.is_list(expected.type) or not pa.types.is_floating(expected.type.value_type):
        assert found.equals(expected), "other values"
        return
    assert pc.list_value_length(found).equals(pc.list_value_length(expected)), "other lengths"
    one, other = found.flatten().to_numpy(), expected.flatten().to_numpy()
    np.testing.assert_array_equal(one, other)
    numbers = ~np.isnan(other)
    np.testing.assert_array_equal(np.signbit(one[numbers]), np.signbit(other[numbers]))


def read(engine, file, between=None, path=None, **settings):
    """Reads a file and compares it with what is in it. Columns that a reader may not have come as Python's values."""
    expected = file.expected
    key = expected.column_names[0] if "id" not in expected.column_names else "id"
    key = "record" if key == "file" else key
    if between:
        expected = expected.filter(pc.is_in(expected["id"], pa.array(range(between[0], between[1] + 1))))
    found = engine.read(path or file.path, {name: file.types[name] for name in file.columns}, between, **settings)
    try:
        if isinstance(found, dict):
            found = {name: pa.array(values, file.types[name]) for name, values in found.items()}
        found = {name: same_type(found[name], file.types[name]) for name in file.columns}
    except pa.ArrowException as error:
        raise AssertionError(f"values of another type: {error}") from error
    order = pc.sort_indices(found[key])
    for name, column in found.items():
        assert_same(column.take(order), expected[name].combine_chunks())


def outcome(function, *arguments, **settings):
    """How it went: `read`, or in which way not, and why."""
    try:
        function(*arguments, **settings)
    except (KeyboardInterrupt, SystemExit):
        raise
    except AssertionError as error:
        return "wrong", str(error)
    except BaseException as error:  # a panic in Rust is no Exception
        return "refused", f"{type(error).__name__}: {str(error)[:500]}"
    return "read", ""


def note(results, engine, feature, found):
    """Compares with what was noted, or notes it."""
    name, (how, why) = engine.name, found
    if UPDATES:
        results.setdefault(name, {})["version"] = engine.version()
        results[name][feature] = how
    assert results.get(name, {}).get(feature) == how, f"{name}, {feature}: {how} {why}"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("engine", TRIED)
def test_every_value_of_every_file(engine, name, made, results):
    engine = ENGINES[engine]
    engine.skip_if_missing()
    file = made(name)
    found = outcome(read, engine, file)
    own = [feature for feature, first in FEATURES.items() if first == name and feature != "filters"]
    for feature in own:
        note(results, engine, feature, found)
    if not own and not UPDATES:
        # Of other files an engine reads what it needs no other feature for.
        lacking = {feature for feature in file.features if results[engine.name][feature] != "read"}
        assert (found[0] == "read") == (not lacking), f"{found} in spite of {lacking or 'nothing lacking'}"


def read_some(engine, file, path=None):
    """Reads rows by a filter, in each way that the engine has for it."""
    for between in SOME_ROWS:
        for settings in ({}, *engine.settings):
            read(engine, file, between, path, **settings)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("records-")])
@pytest.mark.parametrize("engine", TRIED)
def test_some_rows_of_a_file_of_several_pages(engine, name, made, results):
    """Readers that skip pages find the others by the page index."""
    engine = ENGINES[engine]
    engine.skip_if_missing()
    note(results, engine, "filters", outcome(read_some, engine, made(name)))


@pytest.mark.parametrize("engine", TRIED)
def test_whether_the_page_index_is_used(engine, made, results, tmp_path):
    """Readers that use the page index do not find what is in a file where it points beside each page."""
    engine = ENGINES[engine]
    engine.skip_if_missing()
    file = made("records-none")
    if results[engine.name]["filters"] != "read":
        pytest.skip("the rows are not read in any case")
    path = tmp_path / "damaged.parquet"
    path.write_bytes(with_other_offsets(file.path.read_bytes()))
    is_used = outcome(read_some, engine, file, path)[0] != "read"
    path.unlink()
    note(results, engine, "page index", ("used" if is_used else "not used", ""))


def with_other_offsets(data):
    """The file with an offset index that is Thrift as before, but says of each page that it lies 32 bytes beside its place."""
    footer, _ = thrift(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    damaged = bytearray(data)
    for chunk in (chunk for group in footer[4] for chunk in group[1]):
        at = chunk[4] + 2  # behind the head of the list, which is short
        assert data[chunk[4]] == 0x19 and data[at - 1] & 0xF == 12 and data[at - 1] < 0xF0
        for _ in range(data[at - 1] >> 4):
            damaged[at + 1] ^= 0x40  # of the offset, which has the number 1 in its struct
            _, at = thrift(data, at)
    return bytes(damaged)


def test_a_file_of_records_has_several_pages_and_row_groups(made):
    counts = {}
    for name, pages in walk(made("records-none").path):
        counts.setdefault(name, []).append(pages)
    assert all(len(groups) >= 2 for groups in counts.values()), counts
    assert all(max(groups) >= 2 for groups in counts.values()), counts


def test_the_page_shows_what_was_noted():
    """Run docs/readers.py to write the page anew."""
    place = ROOT / "docs/readers.py"
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("readers", place))
    module.__spec__.loader.exec_module(module)
    page = (ROOT / "docs/readers.md").read_text()
    assert page == module.rendered(page, json.loads(RESULTS.read_text()))
