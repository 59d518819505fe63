"""What a result holds, whatever its type, so that results can be compared exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from measure import WrongResultError

Fingerprint = tuple[int, str]
"""How many floats there are, and the SHA-256 of their bytes."""


def fingerprint(results: Iterable[object]) -> Fingerprint:
    """Of all floats in `results`, one after another, however they are cut into results."""
    count, digest = 0, hashlib.sha256()
    for result in results:
        for floats in _floats(result):
            count += floats.size
            digest.update(floats.data)
    return count, digest.hexdigest()


def expect_same(results: Iterable[object], expected: Fingerprint) -> None:
    """Raises `WrongResultError` unless `results` hold the expected floats, bit for bit."""
    found = fingerprint(results)
    if found[0] != expected[0]:
        raise WrongResultError(f"{found[0]:,} floats instead of {expected[0]:,}")
    if found != expected:
        raise WrongResultError("the number of floats is right, but not all of them are")


def expect_equal(found: object, expected: object) -> None:
    """Raises `WrongResultError` unless both are equal."""
    if found != expected:
        raise WrongResultError(f"{found!r} instead of {expected!r}")


def _floats(result: Any) -> Iterator[npt.NDArray[np.float32]]:
    """The floats of an array, of the bytes of a vector, or of the only column of what speaks Arrow."""
    if isinstance(result, np.ndarray):
        yield np.ascontiguousarray(result).reshape(-1)
    elif isinstance(result, bytes):
        yield np.frombuffer(result, np.float32)
    else:
        (column,) = pa.table(result).columns
        for chunk in column.chunks:
            yield chunk.flatten().to_numpy()
