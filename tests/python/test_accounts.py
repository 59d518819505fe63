"""Every record of every fixture is a row's or a reject's: none is lost in silence, and none made up.

The records are counted by msgpack.Unpacker, which walks the bytes that no reject names.
"""

import io
import json
from pathlib import Path

import msgpack
import pyarrow.parquet as pq
import pytest
import vecpack
from law import UNLIMITED

ARRAYS = {*range(0x90, 0xA0), 0xDC, 0xDD}
DATA = Path(__file__).parents[1] / "data"


def fixtures():
    """Path, options and framing of each file that is not compressed."""
    for entry in json.loads((DATA / "producers" / "manifest.json").read_text(encoding="utf-8")):
        framing = next((kind for kind in ("array", "map") if f".{kind}." in entry["file"]), "sequence")
        yield DATA / "producers" / entry["file"], entry["read"], framing
    for name, entry in json.loads((DATA / "bad" / "manifest.json").read_text(encoding="utf-8")).items():
        if name.endswith(".msgpack"):
            options = {key: entry[key] for key in ("framing", "dim") if key in entry}
            yield DATA / "bad" / name, options, entry["framing"].replace("auto", "sequence")


FIXTURES = [pytest.param(*fixture, id=fixture[0].name) for fixture in fixtures()]


def end_of_object(data, at):
    """Where the object at this place ends."""
    unpacker = msgpack.Unpacker(io.BytesIO(data[at:]), raw=True, strict_map_key=False, **UNLIMITED)
    unpacker.skip()
    return at + unpacker.tell()


def head_of_array(data, at):
    """How many items the array or map at this place has, and where the first one begins."""
    unpacker = msgpack.Unpacker(io.BytesIO(data[at:]), raw=True, strict_map_key=False, **UNLIMITED)
    is_map = data[at] >> 4 == 8 or data[at] in (0xDE, 0xDF)
    count = unpacker.read_map_header() if is_map else unpacker.read_array_header()
    return count, at + unpacker.tell()


def records_outside(rejects, data, framing):
    """How many records there are besides those that rejects name. Fails where bytes are no record's."""
    ends = {reject["offset"]: reject["offset"] + reject["length"] for reject in rejects}
    at, count = 0, 0
    left = None if framing == "sequence" else 0
    while at < len(data):
        if ends.get(at, at) > at:
            is_gap = next(reject for reject in rejects if reject["offset"] == at)["kind"] == "invalid"
            at = ends[at]
            # A gap has swallowed an unknown number of the array's records. None of them is an array.
            left = None if is_gap or left is None else left - 1
        elif left == 0 or (framing == "array" and left is None and data[at] in ARRAYS):
            left, at = head_of_array(data, at)
        else:
            for _ in range(2 if framing == "map" else 1):
                at = end_of_object(data, at)
            count, left = count + 1, left if left is None else left - 1
    assert at == len(data)
    return count


@pytest.mark.filterwarnings("ignore:no record became a row")
@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("path, options, framing", FIXTURES)
def test_every_record_is_a_row_or_a_reject(path, options, framing, threads, tmp_path):
    options = {"on_error": "skip", "include_record": True, "threads": threads, **options}
    try:
        source = vecpack.scan(path, **options)
        report = vecpack.to_parquet(source, tmp_path / "out.parquet")
    except vecpack.VecpackError as error:
        assert path.name in str(error)  # nothing was converted
        return
    numbers = pq.read_table(tmp_path / "out.parquet")["record"].to_pylist()
    assert report.rows == len(numbers)
    rejects = source.rejects.to_pyarrow().to_pylist()
    rejected = {reject["record"] for reject in rejects}
    assert len(rejects) == report.rejects
    assert len(set(numbers)) == records_outside(rejects, path.read_bytes(), framing), rejects
    assert not set(numbers) & rejected
    assert set(numbers) | rejected == set(range(len(set(numbers)) + len(rejected)))


def test_a_record_that_nobody_names_is_noticed():
    data = b"".join(map(msgpack.packb, range(3)))
    assert records_outside([], data, "sequence") == 3
    assert records_outside([{"offset": 1, "length": 1, "kind": "type"}], data, "sequence") == 2
