"""Records that cannot become rows: raised, skipped or null, and always told where and why."""

import json
import os

import msgpack
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, rejects, run_python, vectors

OTHERS = {
    "nil": (None, "nil"),
    "true": (True, "true"),
    "false": (False, "false"),
    "fixint": (7, "7"),
    "negative": (-7, "-7"),
    "uint64": (2**64 - 1, str(2**64 - 1)),
    "int64": (-(2**63), str(-(2**63))),
    "float": (0.5, "0.5"),
    "list": ([0.5, 0.25], "array"),
    "empty list": ([], "array"),
    "nested": ([[[{"a": [None, b"x"]}]]], "array"),
    "long list": (list(range(70_000)), "array"),
    "map": ({"vector": b"\0" * 12}, "map"),
    "long map": ({str(n): n for n in range(70_000)}, "map"),
    "ext": (msgpack.ExtType(5, b"\0" * 12), "type 5"),
    "fixext": (msgpack.ExtType(5, b"\0" * 16), "type 5"),
    "timestamp": (msgpack.Timestamp(1, 2), "type -1"),
}
LENGTHS = [0, 1, 11, 13, 16, 24, 31, 32, 255, 256, 65_535, 65_536]


def check(data, good, bad, **options):
    """Reads `data` under each policy.

    `good` are its vectors, with None where a record is bad; `bad` are the rejects: record, offset, length, kind.
    """
    expected = np.stack([row for row in good if row is not None])
    source = vecpack.scan(data, dim=expected.shape[1], on_error="skip", **options)
    assert_same_bits(matrix(source), expected)
    assert rejects(source, "record", "offset", "length", "kind") == bad
    assert source.reject_count == len(bad)

    source = vecpack.scan(data, dim=expected.shape[1], on_error="null", **options)
    column = pa.table(source)["vector"].combine_chunks()
    assert pa.schema(source.schema).field("vector").nullable
    assert column.is_null().to_pylist() == [row is None for row in good]
    assert_same_bits(column.flatten().to_numpy().reshape(expected.shape), expected)
    assert not column.values.to_numpy().reshape(len(good), -1)[column.is_null().to_numpy(zero_copy_only=False)].any()
    assert rejects(source, "record", "offset", "length", "kind") == bad

    with pytest.raises(vecpack.DecodeError) as caught:
        vecpack.scan(data, dim=expected.shape[1], **options).count_rows()
    assert (caught.value.record, caught.value.offset) == bad[0][:2]


@pytest.mark.parametrize("name", OTHERS)
def test_a_record_of_another_type(name):
    item, found = OTHERS[name]
    before, after = vectors(3, 3, seed=1), vectors(4, 3, seed=2)
    data = pack([*before, item, *after])
    kind = "dimension" if name in ("list", "empty list", "long list") else "type"
    # A number or a boolean is no record: it gives no row.
    row = [] if isinstance(item, bool | int | float) else [None]
    check(data, [*before, *row, *after], [(3, 42, len(msgpack.packb(item)), kind)])
    source = vecpack.scan(data, dim=3, on_error="skip")
    source.count_rows()
    assert found in rejects(source, "found")[0][0]
    assert found in rejects(source, "message")[0][0]


@pytest.mark.parametrize("use_bin_type", [True, False], ids=["bin", "raw"])
@pytest.mark.parametrize("length", LENGTHS)
def test_a_vector_of_another_length(length, use_bin_type):
    before, after = vectors(3, 3, seed=1), vectors(4, 3, seed=2)
    bad = msgpack.packb(bytes(length), use_bin_type=use_bin_type)
    data = pack(before) + bad + pack(after)
    check(data, [*before, None, *after], [(3, 42, len(bad), "dimension")])
    source = vecpack.scan(data, on_error="skip")
    source.count_rows()
    ((expected, found),) = rejects(source, "expected", "found")
    assert "12 bytes" in expected
    assert ("1 byte" if length == 1 else f"{length} bytes") in found


def test_several_bad_records_in_a_row_at_the_start_and_at_the_end():
    good = vectors(4, 3)
    records = [None, b"", good[0], good[1], "abc", {}, [], good[2], good[3], None, {}]
    expected = [None, None, good[0], good[1], None, None, None, good[2], good[3], None, None]
    kinds = ["type", "dimension", "dimension", "type", "dimension", "type", "type"]
    numbers = [n for n, row in enumerate(expected) if row is None]
    offsets = [len(pack(records[:n])) for n in numbers]
    lengths = [len(pack([records[n]])) for n in numbers]
    check(pack(records), expected, list(zip(numbers, offsets, lengths, kinds, strict=True)))


def test_a_file_of_bad_records_only():
    data = pack([None, b"x", {}])
    source = vecpack.scan(data, dim=3, on_error="skip")
    assert (list(source), source.reject_count) == ([], 3)
    source = vecpack.scan(data, dim=3, on_error="null")
    assert pa.table(source)["vector"].to_pylist() == [None, None, None]


@pytest.mark.parametrize("use_bin_type", [True, False], ids=["bin", "raw"])
@pytest.mark.parametrize("dim", [2, 20, 100])
def test_a_file_that_is_cut_at_any_byte(dim, use_bin_type):
    expected = vectors(3, dim)
    data = pack(expected, use_bin_type)
    size = len(data) // 3
    for end in range(len(data) + 1):
        whole, rest = divmod(end, size)
        bad = [(whole, whole * size, rest, "truncated")] if rest else []
        for policy in ("skip", "null"):
            source = vecpack.scan(data[:end], dim=dim, on_error=policy)
            assert_same_bits(matrix(source), expected[:whole])
            assert rejects(source, "record", "offset", "length", "kind") == bad
        source = vecpack.scan(data[:end], dim=dim)
        if not rest:
            assert source.count_rows() == whole
            continue
        with pytest.raises(vecpack.DecodeError, match="ends inside") as caught:
            source.count_rows()
        assert (caught.value.record, caught.value.offset) == (whole, whole * size)


def test_another_object_that_is_cut_at_any_byte():
    expected = vectors(2, 2)
    item = msgpack.packb({"a": [1.5, None, "text" * 20], "b": [b"x" * 300, 2**40], "c": msgpack.ExtType(1, b"abc")})
    data = pack(expected) + item
    for end in range(21, len(data)):
        source = vecpack.scan(data[:end], on_error="skip")
        assert_same_bits(matrix(source), expected)
        assert rejects(source, "record", "offset", "length", "kind") == [(2, 20, end - 20, "truncated")]


def test_the_rows_in_front_of_a_bad_record_come_before_it_is_raised():
    batches = iter(vecpack.scan(pack([*vectors(10, 2), None]), batch_rows=5))
    assert [next(batches).num_rows, next(batches).num_rows] == [5, 5]
    with pytest.raises(vecpack.DecodeError):
        next(batches)


@pytest.mark.parametrize(
    "inside", [b"", b"\x92\x01", b"\x81\xa1a", b"\xdc\0\x05\xc0"], ids=["alone", "array", "map", "array16"]
)
def test_a_byte_that_is_not_messagepack_costs_what_it_stands_in(inside):
    first, second = vectors(3, 2, seed=1), vectors(4, 2, seed=2)
    behind = vectors(5, 2, seed=3)
    broken = pack(first) + inside + b"\xc1" + pack(behind)
    source = vecpack.scan([broken, pack(second)], on_error="null")
    assert_same_bits(matrix(source), np.concatenate([first, behind, second]))
    assert rejects(source, "record", "offset", "length", "kind") == [(3, 30, len(inside) + 1, "invalid")]
    assert "0xc1" in rejects(source, "found")[0][0]
    with pytest.raises(vecpack.DecodeError, match="not MessagePack") as caught:
        vecpack.scan([broken, pack(second)]).count_rows()
    assert (caught.value.record, caught.value.offset) == (3, 30)


@pytest.mark.parametrize("marker", range(256))
def test_every_first_byte_behind_a_vector(marker):
    good = vectors(1, 1)
    body = b"\0" * 20
    source = vecpack.scan(pack(good) + bytes([marker]) + body, on_error="skip")
    found = matrix(source)
    assert_same_bits(found[:1], good)
    # What the msgpack library takes the bytes for, object by object.
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False)
    unpacker.feed(bytes([marker]) + body)
    lengths, end, in_run = [], 0, False
    try:
        while end < 21:
            start = end
            unpacker.skip()
            end = unpacker.tell()
            # A run of numbers is one reject. All bytes behind the first object are zeros.
            is_number = (
                start > 0 or marker <= 0x7F or marker in (0xC2, 0xC3) or 0xCA <= marker <= 0xD3 or marker >= 0xE0
            )
            if in_run and is_number:
                lengths[-1] += end - start
            else:
                lengths.append(end - start)
            in_run = is_number
    except (msgpack.OutOfData, msgpack.FormatError):
        lengths.append(21 - end)
    # A string of four bytes, an array of one number, or of four that are bytes; a zero behind any other marker is a number.
    is_vector = marker in (0xA4, 0x91, 0x94)
    assert len(found) == 1 + is_vector
    assert [length for (length,) in rejects(source, "length")] == lengths[is_vector:]


def test_a_record_that_is_too_large_is_not_read():
    first, second = vectors(3, 4, seed=1), vectors(4, 4, seed=2)
    large = msgpack.packb(bytes(100))
    check(
        pack(first) + large + pack(second),
        [*first, None, *second],
        [(3, 54, 102, "too_large")],
        max_record_bytes=100,
    )
    source = vecpack.scan(pack(first) + large, on_error="skip", max_record_bytes=102)
    source.count_rows()
    assert rejects(source, "kind") == [("dimension",)]


def test_a_good_vector_that_is_too_large_is_a_reject():
    data = pack(vectors(3, 4))
    with pytest.raises(vecpack.DecodeError, match="max_record_bytes"):
        vecpack.scan(data, dim=4, max_record_bytes=17).count_rows()
    assert vecpack.scan(data, dim=4, max_record_bytes=18).count_rows() == 3


BOMBS = {
    "bin32": b"\xc6\xff\xff\xff\xff",
    "str32": b"\xdb\xff\xff\xff\xff",
    "ext32": b"\xc9\xff\xff\xff\xff\x01",
    "array32": b"\xdd\xff\xff\xff\xff",
    "map32": b"\xdf\xff\xff\xff\xff",
    "arrays": b"\xdd\xff\xff\xff\xff" * 1000,
    "maps": b"\xdf\xff\xff\xff\xff" * 1000,
    "bin32 below the limit": b"\xc6\x0f\xff\xff\xf0",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_length_is_a_claim_and_nothing_is_allocated_for_it(tmp_path, bomb):
    expected = vectors(3, 2)
    (tmp_path / "bomb.msgpack").write_bytes(pack(expected) + BOMBS[bomb] + b"\0" * 10)
    source = vecpack.scan([tmp_path / "bomb.msgpack", pack(expected) + BOMBS[bomb]], on_error="null")
    assert_same_bits(matrix(source), np.concatenate([expected, expected]))
    size = len(BOMBS[bomb])
    assert rejects(source, "record", "offset", "length", "kind") == [
        (3, 30, size + 10, "truncated"),
        (3, 30, size, "truncated"),
    ]
    with pytest.raises(vecpack.SchemaError):
        vecpack.scan(BOMBS[bomb])


@pytest.mark.skipif(os.name != "posix", reason="limits on memory are POSIX")
def test_bombs_are_harmless_in_little_memory(tmp_path):
    path = tmp_path / "bombs"
    path.mkdir()
    for number, bomb in enumerate(BOMBS.values()):
        (path / f"{number}.msgpack").write_bytes(pack(vectors(2, 2)) + bomb + bytes(100))
    code = """
        import resource, sys, vecpack
        gibibyte = 1 << 30
        resource.setrlimit(resource.RLIMIT_AS, (gibibyte, gibibyte))
        source = vecpack.scan(sys.argv[1], on_error="skip", threads=2)
        print(source.count_rows(), source.reject_count)
        print(vecpack.read(sys.argv[1], on_error="null", threads=1).num_rows)
        print(vecpack.scan(b"", dim=2**31 - 1).count_rows())
    """
    assert run_python(code, path).split() == [str(2 * len(BOMBS)), str(len(BOMBS)), str(2 * len(BOMBS)), "0"]


@pytest.mark.parametrize(
    "nest",
    [b"\x91", b"\x81", b"\x92\xc0", b"\x81\xa1a", b"\xdc\0\x01"],
    ids=["91", "81", "92c0", "81a161", "dc"],
)
def test_any_depth_is_stepped_over(nest):
    depth = (1 << 20) // len(nest)
    good = vectors(2, 2)
    open_end = vecpack.scan(pack(good) + nest * depth, on_error="skip")
    assert_same_bits(matrix(open_end), good)
    assert rejects(open_end, "offset", "length", "kind") == [(20, depth * len(nest), "truncated")]
    # A map at an even depth is a key, and lacks its value: arrays and pairs with keys can be closed.
    if nest != b"\x81":
        closed = vecpack.scan(pack(good) + nest * depth + b"\xc0" + pack(good), on_error="skip")
        assert_same_bits(matrix(closed), np.concatenate([good, good]))
        assert rejects(closed, "offset", "length", "kind") == [(20, depth * len(nest) + 1, "type")]


@pytest.mark.parametrize("max_rejects", [0, 1, 7, 10_000])
def test_a_flood_of_rejects_is_counted_but_not_kept(max_rejects):
    flood = b"\x90" * (1 << 20)
    source = vecpack.scan([flood, pack(vectors(2, 1)), flood], dim=1, on_error="skip", max_rejects=max_rejects)
    assert source.count_rows() == 2
    assert source.reject_count == 2 << 20
    assert rejects(source, "record", "offset") == [(n, n) for n in range(max_rejects)]


def test_a_flood_of_nulls():
    source = vecpack.scan(b"\x90" * (1 << 20) + pack(vectors(1, 1)), dim=1, on_error="null")
    column = pa.table(source)["vector"]
    assert (len(column), column.null_count, source.reject_count) == ((1 << 20) + 1, 1 << 20, 1 << 20)
    assert column[-1].is_valid
    assert len(source.rejects) == 10_000


def test_the_error_tells_file_record_byte_field_and_what_was_expected_and_found(write_file):
    path = write_file("v.msgpack", [*vectors(7, 512), bytes(2047)])
    with pytest.raises(vecpack.DecodeError) as caught:
        vecpack.read(path)
    error, text = caught.value, str(caught.value)
    assert (error.path, error.record, error.offset, error.field) == (str(path), 7, 7 * 2051, "vector")
    for part in (str(path), "record 7", "byte 14357", "`vector`", "2048 bytes", "512", "<f4", "2047 bytes"):
        assert part in text
    assert text.index("v.msgpack") < text.index("record 7") < text.index("expected") < text.index("found")


def test_a_reject_tells_the_same_in_columns(write_file):
    path = write_file("v.msgpack", [*vectors(7, 512), bytes(2047), None])
    good = write_file("good.msgpack", vectors(3, 512))
    source = vecpack.scan([good, path], on_error="skip")
    source.count_rows()
    first, second = pa.table(source.rejects).to_pylist()
    position = {
        "file": str(path),
        "record": 7,
        "offset": 7 * 2051,
        "length": 2050,
        "field": "vector",
        "kind": "dimension",
    }
    assert {name: first[name] for name in position} == position
    assert "2048 bytes" in first["expected"]
    assert "2047 bytes" in first["found"]
    assert first["expected"] in first["message"]
    assert first["found"] in first["message"]
    position = {
        "file": str(path),
        "record": 8,
        "offset": 7 * 2051 + 2050,
        "length": 1,
        "field": "vector",
        "kind": "type",
    }
    assert {name: second[name] for name in position} == position
    types = {"record": pa.uint64(), "offset": pa.uint64(), "length": pa.uint64()}
    assert {name: pa.table(source.rejects).schema.field(name).type for name in types} == types


def test_records_are_numbered_from_zero_in_every_file(write_file):
    paths = [write_file(f"{n}.msgpack", [*vectors(n, 2), None]) for n in range(5)]
    source = vecpack.scan(paths, dim=2, on_error="skip", threads=3)
    source.count_rows()
    assert rejects(source, "file", "record", "offset") == [(str(path), n, 10 * n) for n, path in enumerate(paths)]


def test_rejects_are_those_of_the_latest_scan():
    source = vecpack.scan(pack([*vectors(2, 2), None]), on_error="skip")
    for _ in range(3):
        source.count_rows()
        assert source.reject_count == 1
        assert rejects(source, "record") == [(2,)]


ROWS, DIM = 20_000, 16
STRIDE = 2 + 4 * DIM


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("place", [0, 1, 127, 128, 2047, 2048, 9_999, ROWS - 1])
@pytest.mark.parametrize(
    "bad", [None, b"short", bytes(STRIDE), bytes(3 * STRIDE + 5)], ids=["nil", "short", "long", "longer"]
)
def test_a_bad_record_among_many_good_ones(write_file, place, bad, threads):
    good = vectors(ROWS, DIM)
    data = pack(good[:place]) + pack([bad]) + pack(good[place:])
    source = vecpack.scan(write_file("v.msgpack", data), dim=DIM, on_error="skip", threads=threads, batch_rows=128)
    assert_same_bits(matrix(source), good)
    assert rejects(source, "record", "offset") == [(place, place * STRIDE)]
    with pytest.raises(vecpack.DecodeError) as caught:
        vecpack.scan(write_file("v.msgpack", data), dim=DIM, threads=threads, batch_rows=128).count_rows()
    assert (caught.value.record, caught.value.offset) == (place, place * STRIDE)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("shift", [-1, 0, 1, 5])
def test_what_looks_like_records_inside_of_a_bad_record_is_none(write_file, threads, shift):
    good = vectors(5000, DIM)
    # One long bad record. Inside of it lie vectors, from where a file of good records alone would have them.
    inside = pack(vectors(3000, DIM, seed=1))
    head = b"\xc6" + (STRIDE - 5 + shift + len(inside)).to_bytes(4, "big")
    bad = head + b"\xc4\x40" * ((STRIDE - 5 + shift) // 2) + bytes((STRIDE - 5 + shift) % 2) + inside
    data = pack(good[:2500]) + bad + pack(good[2500:])
    for batch_rows in (64, 1000, None):
        source = vecpack.scan(write_file("v.msgpack", data), on_error="skip", threads=threads, batch_rows=batch_rows)
        assert_same_bits(matrix(source), good)
        assert rejects(source, "record", "offset", "length", "kind") == [(2500, 2500 * STRIDE, len(bad), "dimension")]


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_bad_record_as_long_as_a_good_one(write_file, threads):
    good = vectors(3000, DIM)
    impostors = [
        b"\xd9\x40" + bytes(64),
        b"\xc7\x3f\x05" + bytes(63),
        b"\xdc\x00\x3f" + bytes(63),
        b"\xc4\x3f" + bytes(63) + b"\xc0",
    ]
    expected, data, kinds = [], b"", []
    for n, row in enumerate(good):
        expected.append(row)
        data += pack([row])
        if n % 500 == 499:
            impostor = impostors[n // 500 % 4]
            data += impostor
            if impostor[0] == 0xD9:  # a vector, in an old head
                expected.append(np.zeros(DIM, np.float32))
            else:
                kinds += {0xC4: ["dimension", "type"], 0xC7: ["type"], 0xDC: ["dimension"]}[impostor[0]]
    source = vecpack.scan(write_file("v.msgpack", data), on_error="skip", threads=threads, batch_rows=64)
    assert_same_bits(matrix(source), np.stack(expected))
    assert [kind for (kind,) in rejects(source, "kind")] == kinds


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("dim", [1, 7, 100])
def test_heads_that_change_in_the_middle_of_a_file(write_file, threads, dim):
    expected = vectors(20_000, dim)
    quarter = [expected[n : n + 5000] for n in range(0, 20_000, 5000)]
    wide = b"".join(b"\xc6" + (4 * dim).to_bytes(4, "big") + row.tobytes() for row in quarter[2])
    mixed = b"".join(pack([row], use_bin_type=bool(n % 3)) for n, row in enumerate(quarter[3]))
    path = write_file("v.msgpack", pack(quarter[0]) + pack(quarter[1], use_bin_type=False) + wide + mixed)
    for batch_rows in (100, None):
        assert_same_bits(matrix(vecpack.scan(path, threads=threads, batch_rows=batch_rows)), expected)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("policy", ["skip", "null"])
def test_a_ragged_file(write_file, threads, policy):
    lengths = np.random.default_rng(1).integers(1, 6, 20_000)
    lengths[0] = 3
    rows = [vectors(1, length, seed=n)[0] for n, length in enumerate(lengths)]
    source = vecpack.scan(
        write_file("v.msgpack", rows), on_error=policy, threads=threads, batch_rows=64, max_rejects=20_000
    )
    column = pa.table(source)["vector"].combine_chunks()
    good = np.flatnonzero(lengths == 3)
    bad = np.flatnonzero(lengths != 3)
    assert_same_bits(column.flatten().to_numpy().reshape(-1, 3), np.stack([rows[n] for n in good]))
    if policy == "null":
        assert np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist() == bad.tolist()
    offsets = np.cumsum([0, *(4 * lengths + 2)])
    assert rejects(source, "record", "offset") == list(zip(bad.tolist(), offsets[bad].tolist(), strict=True))


def test_every_other_record_bad_in_many_files(write_file):
    good = vectors(2000, 3)
    paths = [write_file(f"{n}.msgpack", [item for row in good for item in (row, None)]) for n in range(4)]
    for threads in (1, 2, 8):
        source = vecpack.scan(paths, on_error="skip", threads=threads, batch_rows=10, max_rejects=100_000)
        assert_same_bits(matrix(source), np.concatenate([good] * 4))
        assert rejects(source, "file", "record") == [(str(path), 2 * n + 1) for path in paths for n in range(2000)]


def test_the_first_bad_record_is_raised_not_the_one_that_is_found_first(write_file):
    # The later ones are near the start of their batches, the first at the end of its batch.
    data = pack(vectors(1000, DIM)) + b"\xc0" + pack(vectors(100, DIM)) + b"\xc0" * 10 + pack(vectors(10_000, DIM))
    paths = [write_file("a.msgpack", data), write_file("b.msgpack", b"\xc0")]
    for threads in (1, 2, 8):
        for _ in range(5):
            with pytest.raises(vecpack.DecodeError) as caught:
                vecpack.scan(paths, threads=threads, batch_rows=1001).count_rows()
            assert (caught.value.path, caught.value.record) == (str(paths[0]), 1000)


def test_what_is_lost_behind_damage_is_one_reject_and_the_next_file_is_read():
    first, second = vectors(3, 2, seed=1), vectors(4, 2, seed=2)
    broken = pack(first) + b"\xc1" + b"U" * 50
    source = vecpack.scan([broken, pack(second)], on_error="skip")
    assert_same_bits(matrix(source), np.concatenate([first, second]))
    assert rejects(source, "record", "offset", "length", "kind") == [(3, 30, 51, "invalid")]


@pytest.mark.parametrize("limit", [2, "2", "5%"])
def test_a_run_with_too_many_rejects_ends_with_an_error_that_names_the_first(tmp_path, limit):
    data = pack([*vectors(50, 3), None, *vectors(5, 3), None, None])
    with pytest.raises(vecpack.DecodeError, match="3 of 58 records rejected, option `fail_after` allows") as caught:
        vecpack.to_parquet(
            data, tmp_path / "out.parquet", on_error="skip", fail_after=limit, rejects=tmp_path / "bad.jsonl"
        )
    assert (caught.value.record, caught.value.offset) == (50, 700)
    lines = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [line["record"] for line in lines] == [50, 56, 57]
    assert os.listdir(tmp_path) == ["bad.jsonl"]
    source = vecpack.scan(data, on_error="skip", fail_after="6%")
    assert source.count_rows() == 55
    assert source.options["fail_after"] == "6%"


@pytest.mark.parametrize("limit", ["x", "101%", -1, 1 << 70])
def test_a_limit_that_makes_no_sense(limit):
    with pytest.raises((vecpack.OptionError, OverflowError)):
        vecpack.scan(pack(vectors(1, 3)), fail_after=limit)


def test_rejects_as_a_file(tmp_path):
    data = pack([*vectors(5, 3), None, b"abc"])
    report = vecpack.to_parquet(data, tmp_path / "1.parquet", on_error="skip", rejects=tmp_path / "bad.parquet")
    assert (report.rejects, report.reject_kinds, report.rejects_listed) == (2, {"dimension": 1, "type": 1}, 2)
    assert report.rejects_file == str(tmp_path / "bad.parquet")
    assert repr(report).splitlines()[-1].startswith("2 records rejected: 1 dimension, 1 type; they are in ")
    listed = pq.read_table(tmp_path / "bad.parquet")
    source = vecpack.scan(data, on_error="skip")
    source.count_rows()
    assert listed.to_pylist() == pa.table(source.rejects).to_pylist()
    # None, and a file that can be read.
    vecpack.to_parquet(pack(vectors(5, 3)), tmp_path / "2.parquet", rejects=tmp_path / "none.parquet")
    assert pq.read_table(tmp_path / "none.parquet").schema.names == listed.schema.names
    with pytest.raises(FileExistsError):
        vecpack.to_parquet(data, tmp_path / "3.parquet", on_error="skip", rejects=tmp_path / "none.parquet")
    for wrong in ("bad.csv", "bad"):
        with pytest.raises(vecpack.OptionError, match="rejects"):
            vecpack.to_parquet(data, tmp_path / "3.parquet", rejects=tmp_path / wrong)
    with pytest.raises(vecpack.OptionError, match="rejects"):
        vecpack.to_parquet(
            pa.table(vecpack.read(pack(vectors(5, 3)))), tmp_path / "3.parquet", rejects=tmp_path / "x.jsonl"
        )
    assert not (tmp_path / "3.parquet").exists()


def test_a_map_that_takes_records_for_keys_is_damage():
    vectors = np.random.default_rng(5).standard_normal((31, 4)).astype("f4")
    records = [b"\x82\xa3vec\xc4\x10%b\xa2id%c" % (vectors[n].tobytes(), n) for n in range(1, 31)]
    data = bytearray(b"".join(records))
    # The bytes of record 9 take a record; the next one is a key, and the one behind it its value.
    data[9 * len(records[0]) + 6] += 4 + len(records[0])
    table = pa.table(vecpack.scan(bytes(data), on_error="skip", vector="vec"))
    assert table["id"].to_pylist() == [number for number in range(1, 31) if number != 10]


def test_a_damaged_head_of_many_bytes_costs_its_record_alone():
    record = b"\xc5\x0c\x00" + bytes(3072)
    data = bytearray(record * 34_000)
    data[500 * len(record)] = 0xDD
    source = vecpack.scan(bytes(data), on_error="skip", dim=768)
    assert source.count_rows() == 33_999 and source.to_numpy().shape == (33_999, 768)
