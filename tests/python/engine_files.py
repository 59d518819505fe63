"""Parquet files of every kind that vecpack writes, each with the values that went into it.

The values are Python's and NumPy's: no reader of MessagePack or Parquet takes part in them.
"""

import functools
import random
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import msgpack
import numpy as np
import pyarrow as pa
import vecpack

VECTORS, DIM = 5000, 64
GROUP_BYTES = 1_300_000
"""A row group has 4,096 of these vectors, in two pages, and the file two row groups."""
RECORDS, RECORD_BYTES = 56_000, 100
"""A page of small values has 20,000 to 40,000 rows. The first row group has more, so that all its columns have two pages."""
SOME_ROWS = [(30, 40), (19_000, 41_000), (45_000, 45_010), (RECORDS - 10, RECORDS)]
"""Rows at the start of a row group, on both sides of where a page begins, in a page behind it, and at the end of the file."""

VECTOR = pa.list_(pa.float64())
TYPES = {
    "id": pa.int64(),
    "vector": VECTOR,
    "text": pa.string(),
    "when": pa.timestamp("ns"),
    "meta": pa.struct([("lang", pa.string()), ("score", pa.struct([("deep", pa.float64())]))]),
    "tags": pa.list_(pa.string()),
    "raw": pa.binary(),
    "number": pa.uint64(),
}
"""The types in which values are compared. Each holds the values of the narrower types without loss."""


@dataclass
class Made:
    """A file, what it takes to read it, and its columns as lists of Python's values."""

    path: Path
    features: set[str]
    columns: dict[str, list]
    types: dict[str, pa.DataType] = field(default_factory=lambda: TYPES)

    @functools.cached_property
    def expected(self):
        return pa.table({name: pa.array(values, self.types[name]) for name, values in self.columns.items()})


def pack(columns):
    """The rows of `columns` as MessagePack, one map after another. Absent values are nil."""
    packer = msgpack.Packer()
    names = list(columns)
    return b"".join(packer.pack(dict(zip(names, row))) for row in zip(*columns.values()))


def convert(path, packed, values, features, **options):
    """Writes the records `packed`, of which `values` are to be read."""
    report = vecpack.to_parquet(packed, path, sync=False, **options)
    for _, encoding, compression in report.encodings:
        # What `auto` has chosen.
        features = features | {name for name in (encoding, compression) if name in FEATURES}
    return Made(path, features, values)


def vector_files(directory, compression, encoding, list_type, has_nulls):
    """Vectors of float32: ordinary ones, and any that bits can say."""
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((VECTORS, DIM)).astype(np.float32)
    vectors[7, :4] = [np.nan, -0.0, np.inf, 1e-45]
    nulls = set(range(3, VECTORS, 11)) if has_nulls else set()
    rows = [None if n in nulls else vectors[n] for n in range(VECTORS)]
    packed = {"id": list(range(VECTORS)), "vector": [None if row is None else row.tobytes() for row in rows]}
    columns = {**packed, "vector": [None if row is None else row.tolist() for row in rows]}
    features = {list_type} | {name for name in (compression, encoding) if name in FEATURES}
    features |= {f"null {list_type}"} if has_nulls else set()
    name = "-".join([compression, encoding, list_type] + ["nulls"] * has_nulls)
    options = {"compression": compression, "encoding": encoding, "list_type": list_type}
    policy = {"on_error": "null"} if has_nulls else {}
    return convert(
        directory / f"{name}.parquet", pack(packed), columns, features, row_group_bytes=GROUP_BYTES, **options, **policy
    )


def typed_file(directory, dtype, encoding):
    """Vectors of another element type."""
    rng = np.random.default_rng(2)
    vectors = rng.integers(0, 120, (VECTORS, DIM)).astype(dtype)
    if vectors.dtype.kind == "f":
        vectors = (rng.standard_normal((VECTORS, DIM))).astype(dtype)
    packed = {"id": list(range(VECTORS)), "vector": [row.tolist() for row in vectors]}
    columns = {**packed, "vector": vectors.astype(np.float64).tolist()}
    return convert(
        directory / f"{dtype}-{encoding}.parquet",
        pack(packed),
        columns,
        {"list", dtype} | ({encoding, f"{dtype} {encoding}"} & FEATURES.keys()),
        dtype=dtype,
        vector="vector",
        encoding=encoding,
        list_type="list",
        compression="none",
        row_group_bytes=GROUP_BYTES,
    )


def record_columns():
    rng = np.random.default_rng(3)
    rows = range(RECORDS)
    return {
        "id": list(rows),
        "text": [None if n % 7 == 3 else f"text {n} é" for n in rows],
        "when": [1_700_000_000_000_000_000 + n * 1_000_007_000 for n in rows],
        "meta": [{"lang": "de" if n % 3 else None, "score": {"deep": n / 4}} for n in rows],
        "tags": [[f"t{k}" for k in range(n % 4)] for n in rows],
        "raw": [n.to_bytes(3, "big") for n in rows],
        "vector": rng.standard_normal((RECORDS, 8)).astype(np.float32),
    }


def record_file(directory, compression):
    """Records with values of every kind that most engines have, in pages of some thousands of rows and two row groups."""
    values = record_columns()
    when = [msgpack.Timestamp(ns // 10**9, ns % 10**9) for ns in values["when"]]
    packed = pack({**values, "when": when, "vector": [row.tobytes() for row in values["vector"]]})
    return convert(
        directory / f"records-{compression}.parquet",
        packed,
        {**values, "vector": values["vector"].tolist()},
        {"list", "records", "microseconds"} | ({compression} & FEATURES.keys()),
        schema={"when": "timestamp[us]"},
        vector="vector",
        list_type="list",
        encoding="plain",
        compression=compression,
        row_group_bytes=48_000 * RECORD_BYTES,
    )


def one_column_file(directory, feature, name, values, packed=None, **options):
    """A column that few engines have, beside the number of the row."""
    columns = {"id": list(range(len(values))), name: values}
    bytes_of = pack({**columns, name: packed or values})
    return convert(
        directory / f"{feature}.parquet",
        bytes_of,
        columns,
        {feature},
        columns=["id", name],
        compression="none",
        **options,
    )


def times_file(directory, feature, **options):
    """Times with digits down to nanoseconds, or cut to microseconds."""
    times = [1_700_000_000_123_456_789 + n * 999_999_937 for n in range(3000)]
    packed = [msgpack.Timestamp(ns // 10**9, ns % 10**9) for ns in times]
    unit = 1000 if options else 1
    values = [ns // unit * unit for ns in times]
    return one_column_file(directory, feature, "when", values, packed, **options)


def null_nested_file(directory):
    """Maps and lists of which some are not there."""
    rows = range(3000)
    columns = {
        "id": list(rows),
        "meta": [None if n % 7 == 1 else {"lang": "de" if n % 3 else None, "score": {"deep": n / 4}} for n in rows],
        "tags": [None if n % 5 == 2 else [f"t{k}" for k in range(n % 4)] for n in rows],
    }
    path = directory / "null-nested.parquet"
    return convert(path, pack(columns), columns, {"null nested"}, columns=list(columns), compression="none")


def rejects_file(directory):
    """What a run could not read, as a file."""
    count, shape = 2500, random.Random(4)
    bad = sorted(shape.sample(range(2 * count), count))
    items = [b"\xc0" if n in set(bad) else b"\xc4\x04\0\0\x80\x3f" for n in range(2 * count)]
    source = directory / "rejects.msgpack"
    source.write_bytes(b"".join(items))
    path = directory / "rejects.parquet"
    options = {"on_error": "skip", "dim": 1, "rejects": path, "sync": False}
    vecpack.to_parquet(source, directory / "good.parquet", **options)
    offsets = np.cumsum([0, *map(len, items)]).tolist()
    columns = {
        "file": [str(source)] * count,
        "record": bad,
        "offset": [offsets[n] for n in bad],
        "length": [1] * count,
        "field": ["vector"] * count,
        "kind": ["type"] * count,
        "found": ["nil"] * count,
    }
    types = {name: pa.uint64() if isinstance(values[0], int) else pa.string() for name, values in columns.items()}
    return Made(path, {"rejects"}, columns, types)


FEATURES = {
    "list": "none-plain-list",
    "fixed": "none-plain-fixed",
    "null list": "none-plain-list-nulls",
    "null fixed": "none-plain-fixed-nulls",
    "byte-stream-split": "none-byte-stream-split-list",
    "zstd": "zstd-plain-list",
    "lz4": "lz4-plain-list",
    "snappy": "snappy-plain-list",
    "float16": "float16-plain",
    "float16 byte-stream-split": "float16-byte-stream-split",
    "float64": "float64-plain",
    "int8": "int8-plain",
    "uint8": "uint8-plain",
    "records": "records-none",
    "microseconds": "microseconds",
    "nanoseconds": "nanoseconds",
    "null nested": "null-nested",
    "uint64": "uint64",
    "rejects": "rejects",
    "filters": "records-none",
}
"""What a reader needs for some files, each with the file that needs nothing else of this list but lists."""

MAKERS = {
    **{
        "-".join([compression, encoding, list_type] + ["nulls"] * nulls): partial(
            vector_files, compression=compression, encoding=encoding, list_type=list_type, has_nulls=nulls
        )
        for compression, encoding, list_type, nulls in product(
            ["none", "zstd", "lz4", "snappy"], ["plain", "byte-stream-split", "auto"], ["list", "fixed"], [False, True]
        )
    },
    **{
        f"{dtype}-{encoding}": partial(typed_file, dtype=dtype, encoding=encoding)
        for dtype, encoding in [
            ("float16", "plain"),
            ("float16", "byte-stream-split"),
            ("float64", "plain"),
            ("float64", "byte-stream-split"),
            ("int8", "plain"),
            ("uint8", "plain"),
        ]
    },
    **{f"records-{codec}": partial(record_file, compression=codec) for codec in ["none", "zstd", "lz4", "snappy"]},
    "nanoseconds": partial(times_file, feature="nanoseconds"),
    "microseconds": partial(
        times_file, feature="microseconds", coerce_timestamps="us", allow_truncated_timestamps=True
    ),
    "uint64": partial(
        one_column_file, feature="uint64", name="number", values=[2**64 - 1 - n * n for n in range(3000)]
    ),
    "null-nested": null_nested_file,
    "rejects": rejects_file,
}


def make(name, directory):
    """Writes the file of this name."""
    return MAKERS[name](directory)
