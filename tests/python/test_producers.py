"""Files that other libraries wrote (tests/data/producers), read by vecpack and by a decoder that knows nothing of it."""

import json
import math
from pathlib import Path

import independent
import numpy as np
import pyarrow as pa
import pytest
import vecpack

FOLDER = Path(__file__).parents[1] / "data" / "producers"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
READ = [entry for entry in MANIFEST if entry["refused"] is None]
REFUSED = [entry for entry in MANIFEST if entry["refused"] is not None]
THREADS = pytest.mark.parametrize("threads", [{"threads": 1}, {}], ids=["one", "all"])


def each(entries):
    return pytest.mark.parametrize("entry", entries, ids=[entry["file"] for entry in entries])


def bits(vector, like):
    """The bits of a vector; with one NaN for all where it was converted, which may change those."""
    if like.dtype == np.float32:
        vector = np.where(np.isnan(vector), np.float32(np.nan), vector)
    return vector.view(np.uint32).tolist()


def type_of(values):
    """The Arrow type of a column of these values."""
    values = [value for value in values if value is not None]
    kinds = {type(value) for value in values}
    if not kinds:
        return pa.null()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.uint64() if max(values) > 2**63 - 1 else pa.int64()
    if kinds <= {int, float}:
        return pa.float64()
    if kinds == {list}:
        return pa.list_(pa.field("element", type_of(sum(values, []))))
    if kinds == {dict}:
        return pa.struct([pa.field(key, type_of([value[key] for value in values])) for key in values[0]])
    return {str: pa.string(), bytes: pa.binary(), independent.Time: pa.timestamp("ns", "UTC")}[kinds.pop()]


def same(found, expected):
    """Equal, and of one type; a NaN equals a NaN, and zeros have signs."""
    if isinstance(expected, float):
        found, expected = float(found), float(expected)
        return math.isnan(expected) == math.isnan(found) and (
            math.isnan(expected) or (found, math.copysign(1, found)) == (expected, math.copysign(1, expected))
        )
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[key], expected[key]) for key in expected)
    return type(found) is type(expected) and found == expected


@THREADS
@each(READ)
def test_what_libraries_write_is_read(entry, threads):
    expected = independent.decode(FOLDER / entry["file"], entry["read"])
    table = vecpack.read(FOLDER / entry["file"], **entry["read"], **threads).to_pyarrow()
    assert sorted(table.column_names) == sorted(expected)
    for name, values in expected.items():
        column = table[name]
        if any(isinstance(value, np.ndarray) for value in values):
            dim = next(len(value) for value in values if value is not None)
            assert (column.type.value_type, column.type.list_size) == (pa.float32(), dim), name
            found = [
                None if not vector.is_valid else vector.values.to_numpy(zero_copy_only=False)
                for chunk in column.chunks
                for vector in chunk
            ]
            assert len(found) == len(values)
            for n, (vector, value) in enumerate(zip(found, values)):
                assert (vector is None) == (value is None), (name, n)
                assert vector is None or bits(vector, value) == bits(value, value), (name, n)
            continue
        assert column.type == type_of(values), name
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
            values = [value if value is None else int(value) for value in values]
        if column.type == pa.float64():
            values = [value if value is None else float(value) for value in values]
        found = column.to_pylist()
        assert len(found) == len(values) and all(map(same, found, values)), (name, found, values)


@THREADS
@each(REFUSED)
def test_what_no_column_can_hold_is_refused(entry, threads):
    with pytest.raises((vecpack.DecodeError, vecpack.SchemaError)) as error:
        vecpack.read(FOLDER / entry["file"], **entry["read"], **threads)
    assert entry["refused"] in str(error.value)


def test_every_fixture_is_in_the_manifest():
    files = [entry["file"] for entry in MANIFEST]
    assert files == sorted(path.name for path in FOLDER.glob("*.msgpack"))
    assert all(set(entry) == {"file", "producer", "version", "how", "read", "refused"} for entry in MANIFEST)


def test_every_producer_has_its_lines_on_the_page():
    page = (FOLDER.parents[2] / "docs" / "producers.md").read_text(encoding="utf-8").lower()
    lines = [line.strip("|").split("|")[0] for line in page.splitlines() if line.startswith("|")]
    named = {name.strip() for cell in lines for name in cell.split(",")}
    assert {entry["producer"].split()[0].lower() for entry in MANIFEST} <= named
