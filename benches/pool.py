"""The set-up that vecpack was made for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from samples import Sample

WORKERS = 8


def read_in_pool(read: Callable[[Sample], object], samples: list[Sample]) -> Iterator[object]:
    """One call a file, eight at a time, results in the order of the files."""
    with ThreadPoolExecutor(WORKERS) as executor:
        yield from executor.map(read, samples)
