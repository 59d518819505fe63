"""Records under keys, maps of parallel lists and lengths in front of objects, against the records that were written.

Each file is read as a file, as bytes, as a stream and in parts, by one thread and by several, in batches of a few rows and of many:
the rows and the rejects are those of a plain loop over the records.
"""

import contextlib
import io
import itertools
import struct
from random import Random

import msgpack
import msgpack_numpy
import numpy as np
import pyarrow as pa
import pytest
import vecpack

DIM = 16
POLICIES = ("raise", "skip", "null")


def pack(value):
    return msgpack.packb(value, default=msgpack_numpy.encode)


def varint(length):
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*out, length])


PREFIXES = {"<I": lambda n: struct.pack("<I", n), ">I": lambda n: struct.pack(">I", n), "varint": varint}


class Pipe(io.RawIOBase):
    """A stream that gives a few bytes at a time."""

    def __init__(self, data, random):
        self.rest, self.random = io.BytesIO(data), random

    def readable(self):
        return True

    def read(self, size=-1):
        return self.rest.read(min(size, self.random.choice((1, 7, 1000, 100_000))))


def records_of(random, rows, share_bad, written=("bytes", "list")):
    """Records as (what is written, the row or None)."""
    numbers, kind = np.random.default_rng(random.randrange(2**32)), random.choice(written)
    found = []
    for number in range(rows):
        vector = numbers.standard_normal(DIM).astype("f4")
        value = {"bytes": vector.tobytes(), "list": vector.tolist(), "array": vector}[kind]
        row = {"id": number, "text": random.choice(("", "some text", "x" * 40)), "vector": vector.tolist()}
        if number > 0 and random.random() < share_bad:
            bad = random.choice((None, vector.tolist()[1:], "text where numbers should stand", {"nested": row["id"]}))
            found.append(({**row, "vector": bad}, None))
        else:
            found.append(({**row, "vector": value}, row))
    return found


def read(source):
    """The rows, the numbers of the rejected records, and the number of the record at which `raise` stopped."""
    rows, stopped = [], None
    try:
        for batch in source:
            rows += pa.record_batch(batch).to_pylist()
    except vecpack.DecodeError as error:
        stopped = error.record
    return rows, pa.table(source.rejects)["record"].to_pylist(), stopped


def check(data, expected, tmp_path, random, **options):
    """Reads `data` in some ways. `expected` is the row of each record, None for a bad one."""
    path = tmp_path / "data.msgpack"
    path.write_bytes(data)
    bad = [number for number, row in enumerate(expected) if row is None]
    nothing = dict.fromkeys(("id", "text", "vector"))
    for policy in POLICIES:
        rows = [row or nothing for row in expected if row or policy == "null"]
        if policy == "raise":
            rows = expected[: bad[0]] if bad else expected
        ways = [
            (path, {"threads": 1}),
            (data, {"threads": 4, "batch_rows": random.randrange(1, 30)}),
            (path, {"threads": 3, "batch_bytes": random.choice((1, 500, 5000))}),
            (Pipe(data, random), {}),
        ]
        for source, way in ways:
            scan = vecpack.scan(source, on_error=policy, **way, **options)
            found, rejects, stopped = read(scan)
            if policy == "raise":
                # Rows in front of the error may be in a batch that is never given out.
                assert stopped == (bad[0] if bad else None)
                assert found == rows[: len(found)] and (bad or len(found) == len(rows))
                continue
            assert found == [
                # A record whose vector alone is bad keeps its other values.
                {**row, "id": there["id"], "text": there["text"]} if row == nothing else row
                for row, there in zip(rows, found, strict=True)
            ]
            assert rejects == bad
        parts = vecpack.scan(path, on_error=policy, **options).split(3)
        if policy != "raise":
            rows_of_parts = list(itertools.chain.from_iterable(read(part)[0] for part in parts))
            assert [row["vector"] for row in rows_of_parts] == [row["vector"] for row in rows]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_length_in_front_of_each_record_is_found_and_read(tmp_path, prefix, seed):
    random = Random(f"{prefix} {seed}")
    found = records_of(
        random, random.choice((1, 2, 3, 40, 900)), random.choice((0, 0, 0.1)), ("bytes", "list", "array")
    )
    data = b"".join(PREFIXES[prefix](len(pack(value))) + pack(value) for value, _ in found)
    check(data, [row for _, row in found], tmp_path, random)
    given = vecpack.scan(data, framing="length-prefixed", on_error="skip")
    assert given.framing == "length-prefixed"
    assert read(given)[0] == [row for _, row in found if row]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_bare_vectors_behind_their_lengths_are_read_by_several_threads(tmp_path, prefix):
    vectors = np.random.default_rng(1).standard_normal((3000, 64)).astype("f4")
    for rows in (vectors.tobytes, None):
        packed = [msgpack.packb(row.tobytes() if rows else row.tolist(), use_single_float=True) for row in vectors]
        data = b"".join(PREFIXES[prefix](len(record)) + record for record in packed)
        for threads in (1, 4):
            table = pa.table(vecpack.scan(data, threads=threads, batch_bytes=1 << 14))
            np.testing.assert_array_equal(np.stack(table["vector"].to_numpy()), vectors)


def test_an_object_that_is_not_as_long_as_its_length_is_one_reject():
    record = msgpack.packb(np.zeros(DIM, "f4").tobytes())
    good = struct.pack("<I", len(record)) + record
    for bad in (
        struct.pack("<I", len(record) + 2) + record + b"\xc0\xc0",
        struct.pack("<I", len(record) - 2) + record[:-2],
        struct.pack("<I", 3) + b"\xc1\xc1\xc1",
        struct.pack("<I", 0),
    ):
        source = vecpack.scan(good * 5 + bad + good * 5, on_error="skip")
        assert pa.table(source).num_rows == 10
        assert pa.table(source.rejects).select(["record", "offset", "length"]).to_pylist() == [
            {"record": 5, "offset": 5 * len(good), "length": len(bad)}
        ]
    cut = vecpack.scan(good * 5 + good[:-1], on_error="skip")
    assert pa.table(cut).num_rows == 5
    assert pa.table(cut.rejects)["kind"].to_pylist() == ["truncated"]


@pytest.mark.parametrize("bad", [None, 7, 2.5, True])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_an_early_object_that_is_no_record_is_one_reject_where_lengths_are_told(tmp_path, prefix, at, bad):
    random = Random(3)
    found = records_of(random, 20, 0)
    found.insert(at, (bad, None))
    data = b"".join(PREFIXES[prefix](len(pack(value))) + pack(value) for value, _ in found)
    for policy in ("skip", "null"):
        for threads in (1, 4):
            source = vecpack.scan(data, framing="length-prefixed", on_error=policy, threads=threads)
            rows, rejects, _ = read(source)
            assert [row["vector"] for row in rows if row["vector"]] == [row["vector"] for _, row in found if row]
            # A nil is a record, and a number is none.
            assert (len(rows), rejects) == (20 + (policy == "null" and bad is None), [at])
    # Without that option they are numbers that follow one another.
    with contextlib.suppress(vecpack.SchemaError):
        assert vecpack.scan(data, on_error="skip").framing == "sequence"


def envelope(random, path, records):
    """An object that holds `records` at the end of `path`, among other values."""
    value = records
    for key in reversed(path):
        beside = {f"a{n}": random.choice((1, "x", [1, 2], {"data": [{"vector": []}]}, b"\0" * 50)) for n in range(3)}
        pairs = [*beside.items(), (key, value)]
        random.shuffle(pairs)
        value = dict(pairs)
    return value


@pytest.mark.parametrize("seed", range(24))
def test_records_lie_where_records_says(tmp_path, seed):
    random = Random(seed)
    found = records_of(
        random, random.choice((0, 1, 5, 300, 2000)), random.choice((0, 0, 0.1)), ("bytes", "list", "array")
    )
    path = random.choice((["data"], ["a", "b"], ["params", "embed", "embedding"]))
    documents = random.choice((1, 1, 3))
    cuts = sorted(random.randrange(len(found) + 1) for _ in range(documents - 1))
    parts = [found[start:end] for start, end in itertools.pairwise([0, *cuts, len(found)])]
    values = [[value for value, _ in part] for part in parts]
    data = b"".join(pack(envelope(random, path, part)) for part in values)
    options = {
        "schema": {"id": "int64", "text": "string", "vector": f"float32[{DIM}]"},
        "columns": ["id", "text", "vector"],
    }
    if found:
        check(data, [row for _, row in found], tmp_path, random, records=".".join(path), **options)


def test_records_may_be_the_values_of_a_map_or_the_rows_of_a_matrix(tmp_path):
    vectors = np.random.default_rng(2).standard_normal((50, 32)).astype("f4")
    for value in (
        vectors.tolist(),
        vectors,
        [row.tobytes() for row in vectors],
        [{"v": row.tolist()} for row in vectors],
    ):
        data = pack({"model": "m", "vectors": value, "usage": {"tokens": 3}})
        table = pa.table(vecpack.scan(data, records="vectors"))
        np.testing.assert_array_equal(np.stack(table.column(0).to_numpy()), vectors)
    keyed = pack({"model": "m", "vectors": {f"k{n}": row.tolist() for n, row in enumerate(vectors)}, "n": 50})
    table = pa.table(vecpack.scan(keyed, records="vectors"))
    assert table["key"].to_pylist() == [f"k{n}" for n in range(50)]
    np.testing.assert_array_equal(np.stack(table["vector"].to_numpy()), vectors)


def test_an_object_without_the_records_is_a_reject_that_says_what_is_missing():
    good = pack({"data": [{"id": 1, "vector": [1.0] * DIM}], "n": 1})
    for bad, expected in (
        (pack({"n": 1, "dat": []}), "the key `data`"),
        (pack([1, 2]), "a map with the key `data`"),
        (pack({"data": 5, "n": 1}), "array of records"),
    ):
        source = vecpack.scan(good + bad + good, records="data", on_error="skip")
        assert pa.table(source).num_rows == 2
        (reject,) = pa.table(source.rejects).to_pylist()
        assert (reject["record"], reject["offset"], reject["length"]) == (1, len(good), len(bad))
        assert expected in reject["expected"]
        with pytest.raises(vecpack.DecodeError, match="record 1"):
            pa.table(vecpack.read(good + bad + good, records="data"))
    for cut in range(1, len(good)):
        source = vecpack.scan(good + good[:cut], records="data", on_error="skip")
        rows = pa.table(source).num_rows
        assert rows in (1, 2) and source.reject_count == 1


@pytest.mark.parametrize("rows", [1, 2, 20, 1000])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_file_whose_records_lie_under_a_key_says_so(rows, policy):
    vector = np.random.default_rng(3).standard_normal(32).tolist()
    data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(rows)]
    response = pack({"object": "list", "data": data, "model": "m", "usage": {"total_tokens": 3}})
    with pytest.raises(vecpack.SchemaError, match=r"the records seem to lie in `data`: pass option `records=data`"):
        vecpack.scan(response, on_error=policy)
    assert pa.table(vecpack.scan(response, on_error=policy, records="data")).num_rows == rows
    with pytest.raises(
        vecpack.SchemaError,
        match="a map without the key `date`, where the key `date` was expected: check option `records` or",
    ):
        vecpack.scan(response, on_error=policy, records="date")
    nested = pack({"params": {"embed": {"embedding": [vector] * rows}}})
    with pytest.raises(vecpack.SchemaError, match=r"the records seem to lie in `params\.embed\.embedding`"):
        vecpack.scan(nested, on_error=policy)


def table_of(random, values, names):
    """A map of lists of these records, which may be typed arrays."""
    lists = {name: [value[name] for value in values] for name in names}
    if random.random() < 0.3 and all(isinstance(value["vector"], list) for value in values):
        lists["vector"] = np.array(lists["vector"], "f4")
    if random.random() < 0.3:
        lists["id"] = np.array(lists["id"])
    pairs = list(lists.items())
    random.shuffle(pairs)
    return dict(pairs)


@pytest.mark.parametrize("seed", range(24))
def test_parallel_lists_are_columns(tmp_path, seed):
    random = Random(seed)
    found = records_of(random, random.choice((1, 2, 40, 1500)), random.choice((0, 0, 0.1)))
    documents = random.choice((1, 1, 3, 10))
    cuts = sorted({random.randrange(1, len(found)) for _ in range(documents - 1)} if len(found) > 1 else [])
    parts = [found[start:end] for start, end in itertools.pairwise([0, *cuts, len(found)])]
    expected, data = [], b""
    names = ("id", "text", "vector")
    for number, part in enumerate(parts):
        table = table_of(random, [value for value, _ in part], names)
        if number > 0 and random.random() < 0.2:
            # Lists of another length: the whole map is one reject.
            table["text"] = [*table["text"], "one more"]
            expected.append(None)
        else:
            expected += [row for _, row in part]
        data += pack(table)
    check(data, expected, tmp_path, random, framing="columns", columns=names)
    if len(parts[0]) > 1 and not any(row is None for row in expected):
        assert vecpack.scan(data).framing == "columns"


def test_values_beside_the_lists_are_repeated():
    vectors = np.random.default_rng(4).standard_normal((30, DIM)).astype("f4")
    batch = {"model": "m", "ids": list(range(30)), "vectors": vectors.tolist(), "at": None}
    data = pack(batch) + pack({**batch, "model": "n"})
    table = pa.table(vecpack.scan(data, framing="columns"))
    assert table["model"].to_pylist() == ["m"] * 30 + ["n"] * 30
    assert table["ids"].to_pylist() == [*range(30)] * 2
    np.testing.assert_array_equal(np.stack(table["vectors"].to_numpy()), np.concatenate([vectors] * 2))
    whole = pack({"ids": list(range(30)), "vectors": vectors.tobytes()})
    table = pa.table(vecpack.scan(whole, framing="columns"))
    np.testing.assert_array_equal(np.stack(table["vectors"].to_numpy()), vectors)


@pytest.mark.parametrize("sizes", [(8, 8, 5), (1, 1), (40,)])
def test_bytes_of_several_vectors_beside_their_shape_are_rows(sizes):
    vectors = np.random.default_rng(9).standard_normal((sum(sizes), 32)).astype("f4")
    starts = np.cumsum([0, *sizes])
    parts = [vectors[start : start + rows] for start, rows in zip(starts, sizes, strict=False)]
    for shape in ("shape", "dims"):
        batches = [
            {"ids": [f"k{n}" for n in range(len(part))], "vectors": part.tobytes(), shape: list(part.shape)}
            for part in parts
        ]
        data = b"".join(pack(batch) for batch in batches)
        for policy in POLICIES:
            source = vecpack.scan(data, on_error=policy)
            table = pa.table(source)
            assert (source.framing, table.column_names) == ("columns", ["ids", "vectors"])
            np.testing.assert_array_equal(np.stack(table["vectors"].to_numpy()), vectors)
            assert table["ids"].to_pylist() == [key for batch in batches for key in batch["ids"]]
        alone = b"".join(pack({"vectors": part.tobytes(), shape: list(part.shape)}) for part in parts)
        table = pa.table(vecpack.scan(alone, framing="columns"))
        np.testing.assert_array_equal(np.stack(table["vectors"].to_numpy()), vectors)


@pytest.mark.parametrize("dtype", ["f2", "f8", "u1"])
@pytest.mark.parametrize("framing", ["auto", "columns"])
@pytest.mark.parametrize("rows", [8, 1])
def test_bytes_that_their_shape_gives_another_size_are_refused_by_name(dtype, framing, rows):
    vectors = (10 * np.random.default_rng(9).random((rows, 64))).astype(dtype)
    data = pack({"ids": list(range(rows)), "vectors": vectors.tobytes(), "shape": [rows, 64]}) * 3
    if rows == 1 and framing == "auto":
        return
    for policy in POLICIES:
        with pytest.raises(vecpack.SchemaError, match=f"`vectors` are {rows} vectors of 64 elements.*raw_dtype"):
            vecpack.scan(data, framing=framing, on_error=policy)
    table = pa.table(vecpack.scan(data, framing=framing, raw_dtype=vectors.dtype.str))
    np.testing.assert_array_equal(np.stack(table["vectors"].to_numpy()), np.concatenate([vectors] * 3).astype("f4"))


def test_later_bytes_that_have_not_as_many_rows_as_their_shape_says_are_rejects():
    vectors = np.random.default_rng(9).random((8, 64)).astype("f4")
    good = {"vectors": vectors.tobytes(), "shape": [8, 64]}
    for bad in (vectors.astype("f2").tobytes(), vectors[:7].tobytes()):
        data = pack(good) + pack({**good, "vectors": bad}) + pack(good)
        source = vecpack.scan(data, framing="columns", on_error="skip")
        np.testing.assert_array_equal(np.stack(pa.table(source)["vectors"].to_numpy()), np.concatenate([vectors] * 2))
        (message,) = source.rejects.to_pyarrow()["message"].to_pylist()
        assert "8 vectors of 64 elements" in message and "raw_dtype" in message


def test_bytes_beside_another_shape_are_no_rows():
    vector = np.random.default_rng(9).standard_normal(32).astype("f4")
    # The shape is not that of the bytes, or a list has another length.
    for more in ({"shape": [3, 5]}, {"shape": [32], "ids": [1, 2]}, {"shape": [1, 32], "id": 5}):
        source = vecpack.scan(pack({"vector": vector.tobytes(), **more}) * 5)
        assert source.framing == "sequence"
        np.testing.assert_array_equal(np.stack(pa.table(source)["vector"].to_numpy()), [vector] * 5)
    # The shape may be that of one vector in two dimensions.
    for more in ({"shape": [2, 16]}, {"shape": [2, 16], "ids": [1, 2, 3]}):
        data = pack({"vector": vector.tobytes(), **more}) * 5
        with pytest.warns(match="`vector`: these bytes are 2 vectors of 16 elements .*framing=columns"):
            source = vecpack.scan(data)
        assert source.framing == "sequence"
        np.testing.assert_array_equal(np.stack(pa.table(source)["vector"].to_numpy()), [vector] * 5)


def test_a_key_that_comes_twice_makes_a_reject_of_the_map():
    vectors = np.random.default_rng(8).standard_normal((5, DIM)).tolist()
    good = pack({"ids": list(range(5)), "v": vectors})
    twice = b"\x83" + pack("ids") + pack([0] * 5) + good[1:]
    source = vecpack.scan(good + twice + good, on_error="skip")
    assert pa.table(source)["ids"].to_pylist() == [*range(5)] * 2
    assert pa.table(source.rejects).select(["record", "offset", "length", "found"]).to_pylist() == [
        {"record": 5, "offset": len(good), "length": len(twice), "found": "a key that comes twice"}
    ]


def framed(kind, values):
    """Records in a framing, and the options by which they are read."""
    if kind == "records":
        return pack({"model": "m", "data": values, "n": len(values)}), {"records": "data"}
    if kind == "columns":
        starts = range(0, len(values), 30)
        tables = [{key: [value[key] for value in values[at : at + 30]] for key in values[0]} for at in starts]
        return b"".join(pack(table) for table in tables), {}
    return b"".join(PREFIXES[kind](len(pack(value))) + pack(value) for value in values), {}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("share_bad", [0, 0.05])
@pytest.mark.parametrize("kind", ["records", "columns", *PREFIXES])
def test_parts_are_cut_between_records_and_are_the_whole(tmp_path, kind, share_bad, policy):
    random = Random(f"{kind} {share_bad}")
    found = records_of(random, 3000, share_bad, ("list",))
    data, options = framed(kind, [value for value, _ in found])
    path = tmp_path / "data.msgpack"
    path.write_bytes(data)
    source = vecpack.scan(path, on_error=policy, include_record=True, **options)
    parts = [read(part) for part in source.split(5)]
    if policy == "raise":
        # Each part ends at its first bad record.
        assert [stopped is not None for *_, stopped in parts] == [share_bad > 0] * 5
        return
    rows = [row for part, *_ in parts for row in part]
    assert rows == read(source)[0]
    assert all(0.5 * len(rows) < 5 * len(part) < 2 * len(rows) for part, *_ in parts)
    rejects = [record for _, part, _ in parts for record in part]
    assert rejects == [number for number, (_, row) in enumerate(found) if row is None]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_runs_of_numbers_behind_lengths_count_as_one_record_in_every_part(prefix):
    values = [value for value, _ in records_of(Random(prefix), 300, 0, ("list",))]
    frames = [PREFIXES[prefix](len(pack(value))) + pack(value) for value in values]
    for place in range(300, 0, -20):
        frames.insert(place, 3 * (PREFIXES[prefix](1) + b"\x05"))
    source = vecpack.scan(b"".join(frames), on_error="skip", include_record=True)
    whole, parts = source.to_pyarrow(), [part.to_pyarrow() for part in source.split(4)]
    assert [record for part in parts for record in part["record"].to_pylist()] == whole["record"].to_pylist()
    assert all(part.num_rows > 20 for part in parts) and whole["record"][-1].as_py() == 314 - 1


@pytest.mark.parametrize("kind", ["records", "columns", *PREFIXES])
def test_lanes_begin_where_records_do(kind):
    """Keys of records that stand inside of others, and records of many lengths, mislead no lane."""
    random = Random(kind)
    found = [value for value, _ in records_of(random, 4000, 0, ("list",))]
    inner = (
        pack({key: [value[key] for value in found[:2]] for key in found[0]}) if kind == "columns" else pack(found[0])
    )
    for value in random.sample(found, 40):
        value["text"] = str(random.randbytes(random.randrange(50)).hex())
    for value in random.sample(found, 400):
        value["more"] = inner * random.randrange(1, 40)
    values = [{"id": v["id"], "text": v["text"], "vector": v["vector"], "more": v.get("more", b"")} for v in found]
    data, options = framed(kind, values)
    expected = pa.table(vecpack.read(data, threads=1, include_record=True, **options))
    assert expected["record"].to_pylist() == [*range(4000)]
    for threads, batch_bytes in ((2, 1 << 14), (4, 1 << 16), (3, None)):
        more = {"batch_bytes": batch_bytes} if batch_bytes else {}
        table = pa.table(vecpack.read(data, threads=threads, include_record=True, **more, **options))
        assert table.equals(expected)


@pytest.mark.parametrize("batch_rows", [None, 1, 7, 100])
def test_columns_are_numbered_by_their_rows(batch_rows):
    vectors = np.random.default_rng(5).standard_normal((25, DIM)).astype("f4").tolist()
    data = b"".join(pack({"ids": list(range(n)), "v": vectors[:n]}) for n in (10, 25, 1, 7))
    for threads in (1, 4):
        source = vecpack.scan(data, include_record=True, batch_rows=batch_rows, threads=threads)
        table = pa.table(source)
        assert table["record"].to_pylist() == list(range(43))
        assert table["ids"].to_pylist() == [*range(10), *range(25), 0, *range(7)]


@pytest.mark.parametrize(
    "value",
    [
        {"id": 7, "tokens": ["a", "b"], "vectors": [[1.0] * 32, [2.0] * 32]},
        {"a": [1.0] * 32, "b": [2.0] * 32},
        {"a": [[1.0] * 32, [2.0] * 32], "b": [[1.0] * 32, [2.0] * 32]},
        {"id": [1, 2, 3], "v": [1.0] * 32},
        {"ids": [1, 2, 3], "v": [[1.0] * 32, [2.0] * 32]},
    ],
)
def test_other_maps_are_not_taken_for_columns(value):
    with contextlib.suppress(vecpack.SchemaError):
        assert vecpack.scan(pack(value) * 3).framing != "columns"


def test_options_of_framing_travel(tmp_path):
    import pickle

    vectors = np.random.default_rng(6).standard_normal((30, DIM)).astype("f4")
    data = pack({"a": {"b": [{"v": row.tolist()} for row in vectors]}})
    path = tmp_path / "data.msgpack"
    path.write_bytes(data)
    source = pickle.loads(pickle.dumps(vecpack.scan(path, records="a.b", extensions={42: "<f4"})))
    assert source.options["records"] == "a.b"
    assert source.options["extensions"] == {42: "<f4"}
    assert source.options["framing"] == "auto" and source.framing == "array"
    assert pa.table(source).num_rows == 30


def test_a_message_counts_bytes_without_a_length_once():
    text = "no record is a vector.*the first one is bytes without a length in front of an object"
    with pytest.raises(vecpack.SchemaError, match=text):
        vecpack.read(pack(["text"] * 3), framing="length-prefixed")


def test_under_null_a_reject_has_the_place_of_its_item():
    vectors = [[0.5, 1.5], None, [2.5, 3.5]]
    data = msgpack.packb({"id": [1, 2, 3], "v": vectors})
    source = vecpack.scan(data, framing="columns", vector="v", on_error="null")
    assert len(source.to_pyarrow()) == 3
    (reject,) = source.rejects.to_pyarrow().to_pylist()
    assert (reject["record"], data[reject["offset"]], reject["length"]) == (1, 0xC0, 1)


def test_lists_that_seem_to_be_columns_say_so_and_which_one_is_none():
    vectors = np.random.default_rng(7).standard_normal((30, DIM))
    # As Chroma's `Collection.get` gives it.
    answer = {
        "ids": [str(n) for n in range(30)],
        "embeddings": vectors.tolist(),
        "included": ["embeddings", "documents"],
        "documents": [f"text {n}" for n in range(30)],
        "uris": None,
    }
    for policy in POLICIES:
        with pytest.raises(vecpack.SchemaError, match="its lists seem to be columns: pass option `framing=columns`"):
            vecpack.scan(pack(answer), on_error=policy)
    with pytest.raises(
        vecpack.DecodeError, match="field `included`.* as `ids` has .option `columns` leaves a list out"
    ):
        vecpack.read(pack(answer), framing="columns")
    table = vecpack.read(pack(answer), framing="columns", columns=["ids", "embeddings"]).to_pyarrow()
    assert table["ids"].to_pylist() == answer["ids"]
    np.testing.assert_array_equal(np.stack(table["embeddings"].to_numpy()), vectors.astype(np.float32))


def test_lists_beside_a_scalar_are_noted():
    vectors = np.random.default_rng(9).standard_normal((40, DIM))
    lists = {"ids": list(range(40)), "emb": vectors.tolist(), "model": "m"}
    with pytest.warns(UserWarning, match="`ids`: a list beside others of as many items: option `framing=columns`"):
        vecpack.scan(pack(lists))
    table = vecpack.read(pack(lists), framing="columns").to_pyarrow()
    assert (table.num_rows, table["model"].to_pylist()) == (40, ["m"] * 40)


@pytest.mark.parametrize("place", range(20))
@pytest.mark.parametrize("make", [lambda v: v.tobytes(), lambda v: v.tolist(), lambda v: {"id": 7, "v": v.tobytes()}])
def test_a_nil_in_a_long_array_is_one_bad_record(make, place):
    vectors = np.random.default_rng(10).standard_normal((40, DIM)).astype(np.float32)
    items = [make(vector) for vector in vectors]
    items.insert(place, None)
    for policy, rows in (("skip", 40), ("null", 41)):
        source = vecpack.scan(pack(items), on_error=policy)
        assert (source.framing, len(pa.table(source)), source.reject_count) == ("array", rows, 1)


@pytest.mark.parametrize("numbers", [[5], [5, 6], [1, 2, 3, 4, 5]])
@pytest.mark.parametrize("behind", [{}, {"model": "m", "usage": 3}])
def test_numbers_among_the_records_of_a_key_are_counted_where_lanes_meet(numbers, behind):
    records = [{"id": n, "v": [n + 0.5] * DIM} for n in range(100)]
    records[50:50] = numbers
    data = pack({"data": records, **behind}) * 2
    for policy in ("skip", "null"):
        for threads, batch_bytes in itertools.product((1, 2, 4), (100, 300, 1000)):
            options = {"threads": threads, "batch_bytes": batch_bytes, "on_error": policy}
            source = vecpack.scan(data, records="data", vector="v", **options)
            assert pa.table(source)["id"].to_pylist() == [*range(100), *range(100)]
            assert source.reject_count == 2


@pytest.mark.parametrize("policy", ["skip", "null"])
def test_zeros_behind_records_are_one_reject_and_no_row(policy):
    records = [{"id": n, "v": [n + 0.5] * DIM} for n in range(20)]
    for data, options in (
        (pack({"data": records}), {"records": "data", "vector": "v"}),
        (pack({f"k{n}": record for n, record in enumerate(records)}), {"framing": "map"}),
    ):
        source = vecpack.scan(data + bytes(1000), on_error=policy, **options)
        assert (len(pa.table(source)), source.reject_count) == (20, 1)


@pytest.mark.parametrize("policy", ["skip", "null"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_zeros_behind_lengths_and_records_are_one_reject_and_no_row(tmp_path, prefix, policy):
    records = [pack({"id": n, "v": [n + 0.5] * DIM}) for n in range(300)]
    data = b"".join(PREFIXES[prefix](len(record)) + record for record in records)
    (tmp_path / "x.msgpack").write_bytes(data + bytes(100_000) + data)
    for threads in (1, 4):
        source = vecpack.scan(tmp_path, framing="length-prefixed", on_error=policy, threads=threads, batch_bytes=5000)
        assert (len(pa.table(source)), source.reject_count) == (600, 1)
        assert pa.table(source.rejects)["length"].to_pylist() == [100_000]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("write", [lambda vector: vector.tobytes(), lambda vector: vector.tolist()])
def test_vectors_inside_of_the_maps_of_a_list_are_columns(write, policy):
    vectors = np.random.default_rng(5).standard_normal((9, DIM)).astype("f4")
    items = [{"v": write(vector), "t": "a"} for vector in vectors]
    data = pack({"ids": list(range(9)), "items": items}) * 3
    table = pa.table(vecpack.scan(data, framing="columns", vector="items.v", on_error=policy, batch_rows=5))
    np.testing.assert_array_equal(np.stack(table["items.v"].to_numpy()), np.tile(vectors, (3, 1)))
    assert table["ids"].to_pylist() == [*range(9)] * 3
    assert table["items"].to_pylist() == [{"t": "a"}] * 27
    items[4] = {"v": "none", "t": "b"}
    source = vecpack.scan(data + pack({"ids": list(range(9)), "items": items}), framing="columns", on_error="skip")
    assert (len(pa.table(source)), source.reject_count) == (35, 1)


@pytest.mark.parametrize("policy", ["skip", "null"])
def test_a_batch_with_another_type_or_shape_than_its_bytes_is_a_reject(policy):
    def batch(dtype="f4", shape=(7, 8)):
        vectors = np.full((7, 8 if dtype == "f4" else 16), 1.5, dtype)
        named = {"shape": list(shape), "dtype": str(vectors.dtype)}
        return pack({"ids": list(range(7)), "v": vectors.tobytes(), **named})

    bad = [batch("f2"), batch(shape=(6, 8)), batch(shape=(14, 4))]
    source = vecpack.scan(batch() + b"".join(bad) + batch(), framing="columns", on_error=policy)
    rows = pa.table(source)["v"].to_pylist()
    assert [row for row in rows if row] == [[1.5] * 8] * 14
    assert source.reject_count == 3


@pytest.mark.parametrize("write", [lambda vector: vector.tobytes(), lambda vector: vector.tolist()])
def test_many_vectors_in_a_field_of_the_only_record_are_noted(write):
    vectors = np.random.default_rng(8).standard_normal((30, DIM)).astype(np.float32)
    data = pack({"model": "m", "vectors": {f"k{n}": write(vector) for n, vector in enumerate(vectors)}})
    with pytest.warns(UserWarning, match="`vectors`: the records seem to lie in it: option `records=vectors`"):
        vecpack.scan(data)
    found = vecpack.read(data, records="vectors").to_pyarrow()
    np.testing.assert_array_equal(np.stack(found["vector"].to_numpy()), vectors)


@pytest.mark.parametrize("policy", POLICIES)
def test_empty_batches_in_front_tell_nothing_about_the_framing(policy):
    batches = [[{"id": 20 * b + n, "v": [0.5] * 20} for n in range(20)] for b in range(9)]
    for empty in ([], [[]], [[]] * 3):
        source = vecpack.scan(b"".join(map(pack, empty + batches)), on_error=policy)
        assert pa.table(source)["id"].to_pylist() == list(range(180))


@pytest.mark.parametrize("policy", POLICIES)
def test_one_record_under_a_key_is_a_record(policy):
    data = b"".join(pack({"model": "m", "data": {"id": n, "v": [0.5] * 20}}) for n in range(5))
    table = pa.table(vecpack.scan(data, records="data", on_error=policy))
    assert table["id"].to_pylist() == list(range(5)) and table.column_names == ["id", "v"]


@pytest.mark.parametrize("policy", POLICIES)
def test_documents_behind_lengths_are_not_searched_for_records(policy):
    wrapped = [{"m": "x", "data": [{"id": n, "v": [0.25] * 20} for n in range(9)]} for _ in range(60)]
    data = b"".join(struct.pack(">I", len(packed)) + packed for packed in map(msgpack.packb, wrapped))
    with pytest.raises(vecpack.SchemaError) as error:
        vecpack.scan(data, on_error=policy)
    assert "`data`: a list of 9 maps" in str(error.value) and "records=" not in str(error.value)
    with pytest.raises(vecpack.OptionError, match="`records` does not go together with"):
        vecpack.scan(data, framing="length-prefixed", records="data", on_error=policy)


@pytest.mark.parametrize("rest", [[], [1, {"a": 2}]])
def test_a_last_document_without_the_records_is_one_bad_record(rest):
    good = pack({"data": [{"id": n, "v": [0.5] * 20} for n in range(3)]})
    bad = pack({"n": 1, "dat": rest})
    with pytest.raises(vecpack.DecodeError, match="the key `data`"):
        vecpack.read(good + bad, records="data")
    for policy, ids in (("skip", [0, 1, 2]), ("null", [0, 1, 2, None])):
        source = vecpack.scan(good + bad, records="data", on_error=policy)
        assert pa.table(source)["id"].to_pylist() == ids
        (reject,) = pa.table(source.rejects).to_pylist()
        assert (reject["kind"], reject["offset"], reject["length"]) == ("type", len(good), len(bad))
