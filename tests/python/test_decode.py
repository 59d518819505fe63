"""Elements: every way they are stored, into every type of column, with numpy as the judge."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
import vecpack
from conftest import assert_same_bits, matrix, pack, rejects, vectors

DTYPES = ["float32", "float64", "float16", "int8", "uint8"]
NUMBERS = ["f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]
RAW_DTYPES = [order + number for order in "<>" for number in NUMBERS] + ["<bf16", ">bf16", "bf16"]


@pytest.mark.parametrize("use_bin_type", [True, False], ids=["bin", "raw"])
@pytest.mark.parametrize("dim", [1, 2, 3, 7, 8, 16, 63, 64, 65, 512, 4096, 20_000])
def test_vectors_of_any_length_with_any_head(dim, use_bin_type):
    expected = vectors(5, dim)
    data = pack(expected, use_bin_type)
    assert_same_bits(matrix(vecpack.scan(data)), expected)


@pytest.mark.parametrize(
    "head",
    [b"\xac", b"\xd9\x0c", b"\xda\0\x0c", b"\xdb\0\0\0\x0c", b"\xc4\x0c", b"\xc5\0\x0c", b"\xc6\0\0\0\x0c"],
)
def test_heads_that_are_longer_than_need_be(head):
    expected = vectors(50, 3)
    assert_same_bits(matrix(vecpack.scan(b"".join(head + row.tobytes() for row in expected))), expected)


def specials(dtype):
    """Floats of every class: zeros, subnormals, the largest, infinities, quiet and signalling NaNs."""
    bits, exponent = {"f2": (16, 5), "f4": (32, 8), "f8": (64, 11)}[dtype]
    mantissa = bits - exponent - 1
    top = (1 << exponent) - 1
    fields = itertools.product(
        [0, 1],
        [0, 1, top // 2, top - 1, top],
        [0, 1, 1 << (mantissa - 1), (1 << (mantissa - 1)) + 5, (1 << mantissa) - 1],
    )
    return np.array([sign << (bits - 1) | exp << mantissa | man for sign, exp, man in fields], f"u{bits // 8}")


@pytest.mark.filterwarnings("ignore:.*these bytes look like")
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_the_same_type_is_moved_bit_for_bit(dtype, order):
    patterns = specials(dtype)
    rows = np.stack([np.roll(patterns, n) for n in range(100)])
    source = vecpack.scan(
        pack(rows.astype(f"{order}{rows.dtype.str[1:]}")), raw_dtype=order + dtype, dtype=np.dtype(dtype)
    )
    assert_same_bits(matrix(source).view(rows.dtype), rows)


@pytest.mark.filterwarnings("ignore:.*these bytes look like")
def test_random_bits_are_moved_bit_for_bit():
    rows = np.random.default_rng(5).integers(0, 1 << 32, (2000, 129), np.uint32)
    assert_same_bits(matrix(vecpack.scan(pack(rows))).view(np.uint32), rows)
    assert_same_bits(matrix(vecpack.scan(pack(rows.byteswap()), raw_dtype=">f4")).view(np.uint32), rows)


def numbers(raw):
    """Numbers of a type that try the borders of all types, and their bytes as `raw_dtype` has them."""
    kind = raw.lstrip("<>")
    order = ">" if raw[0] == ">" else "<"
    if kind in ("bf16", "f2", "f4", "f8"):
        values = np.array(
            [
                0.0,
                -0.0,
                1,
                -1,
                0.5,
                127,
                128,
                -128,
                -129,
                255,
                256,
                65504,
                65519.99,
                65520,
                -65520,
                1e-8,
                1e-40,
                1e-46,
                1 + 2**-11,
                1 + 2**-11 + 2**-40,
                1 + 3 * 2**-11,
                1 + 2**-24,
                1 + 2**-24 + 2**-50,
                65519.9999999,
                2**24 + 1,
                3.4028235e38,
                3.5e38,
                1e300,
                5e-324,
                np.inf,
                -np.inf,
                np.nan,
                0.1,
                -2.7,
                6e-8,
                2.98e-8,
                2.99e-8,
            ]
        )
        with np.errstate(over="ignore"):
            if kind == "bf16":
                bits = (values.astype("f4").view("u4") >> 16).astype("u2")
                return (bits.astype("u4") << 16).view("f4"), bits.astype(order + "u2")
            values = values.astype(kind)
    else:
        info = np.iinfo(kind)
        borders = [
            0,
            1,
            -1,
            127,
            128,
            -128,
            -129,
            255,
            256,
            2048,
            2049,
            4096,
            65504,
            65520,
            2**24,
            2**24 + 1,
            -(2**24) - 1,
            2**31 - 1,
            2**53,
            2**53 + 1,
            -(2**53) - 1,
            2**62 + 1,
            info.min,
            info.max,
            info.max - 1,
        ]
        values = np.array([border for border in borders if info.min <= border <= info.max], kind)
    return values, values.astype(order + kind)


def convert(values, dtype):
    """What numpy makes of the values, and which of them do not fit.

    Between floats, finite ones that become infinite do not fit; to and from integers, all that change.
    """
    with np.errstate(all="ignore"):
        converted = values.astype(dtype)
    if values.dtype.kind == converted.dtype.kind == "f":
        return converted, np.isinf(converted) & ~np.isinf(values)
    # Python compares an int and a float exactly.
    return converted, np.array([a != b for a, b in zip(values.tolist(), converted.tolist(), strict=True)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("raw", RAW_DTYPES)
def test_every_conversion_is_that_of_numpy(raw, dtype):
    values, stored = numbers(raw)
    converted, unfit = convert(values, dtype)
    source = vecpack.scan(pack(stored.reshape(-1, 1)), raw_dtype=raw, dtype=dtype, dim=1, on_error="null")
    column = pa.table(source)["vector"].combine_chunks()
    assert column.type.value_type == pa.from_numpy_dtype(np.dtype(dtype))
    null = column.is_null().to_numpy(zero_copy_only=False)
    assert values[null & ~unfit].tolist() == [], "rejected though they fit"
    assert values[~null & unfit].tolist() == [], "taken though they do not fit"
    found = column.flatten().to_numpy()
    np.testing.assert_array_equal(found, converted[~unfit])
    np.testing.assert_array_equal(np.signbit(found), np.signbit(converted[~unfit]))
    assert rejects(source, "record", "kind") == [(n, "value") for n in np.flatnonzero(unfit)]


@pytest.mark.filterwarnings("ignore:.*these bytes look like")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("raw", RAW_DTYPES)
def test_long_vectors_are_converted_like_single_numbers(raw, dtype):
    values, stored = numbers(raw)
    converted, unfit = convert(values, dtype)
    fit = np.resize(np.flatnonzero(~unfit), 67)
    rows = [np.roll(fit, n) for n in range(30)]
    expected = np.stack([converted[row] for row in rows])
    found = matrix(vecpack.scan(pack([stored[row] for row in rows]), raw_dtype=raw, dtype=dtype))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    for bad in np.flatnonzero(unfit):
        row = fit.copy()
        row[45] = bad
        source = vecpack.scan(
            pack([stored[fit], stored[row], stored[fit]]), raw_dtype=raw, dtype=dtype, on_error="skip"
        )
        np.testing.assert_array_equal(matrix(source), expected[[0, 0]])
        assert rejects(source, "record", "kind") == [(1, "value")]
        assert "element 45" in rejects(source, "found")[0][0]


def test_the_element_that_does_not_fit_is_named():
    with pytest.raises(vecpack.DecodeError, match=r"float32.*1e300 in element 2") as caught:
        vecpack.read(pack([np.zeros(3), np.array([0, 1, 1e300])]), raw_dtype="<f8")
    assert (caught.value.record, caught.value.offset) == (1, 26)


@pytest.mark.parametrize("code", ["f4", "=f4", "|f4", "<f4", "float32"])
def test_names_of_native_float32(code):
    assert_same_bits(matrix(vecpack.scan(pack(vectors(3, 4)), raw_dtype=code)), vectors(3, 4))


def test_values_of_every_alignment():
    expected = vectors(30, 5)
    data = pack(expected)
    for shift in range(16):
        assert_same_bits(matrix(vecpack.scan(memoryview(bytes(shift) + data)[shift:])), expected)
        source = vecpack.scan(memoryview(bytes(shift) + data)[shift:], dtype="float64")
        assert_same_bits(matrix(source), expected.astype("f8"))
