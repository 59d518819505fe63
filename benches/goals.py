"""What vecpack promises. A new promise is one more line here."""

from __future__ import annotations

from dataclasses import dataclass

from measure import Table, Timing


@dataclass(frozen=True)
class Goal:
    """`contestant` is at least `at_least` times as fast as `against`, round by round."""

    table: str
    contestant: str
    at_least: float
    against: str

    def judge(self, mine: Timing, other: Timing) -> Verdict:
        ratio = mine.times_as_fast_as(other)
        return Verdict(f">= {self.at_least:.3g}x {self.against}", self.against, f"{ratio:.2f}x", ratio >= self.at_least)


@dataclass(frozen=True)
class Extra:
    """`contestant` takes at most `milliseconds` more than `against`, round by round."""

    table: str
    contestant: str
    milliseconds: float
    against: str

    def judge(self, mine: Timing, other: Timing) -> Verdict:
        more = 1e3 * mine.seconds_more_than(other)
        goal = f"<= {self.milliseconds:g} ms more than {self.against}"
        return Verdict(goal, self.against, f"{more:.1f} ms", more <= self.milliseconds)


def within(times: float) -> float:
    """For a goal that allows to take `times` as long."""
    return 1 / times


NUMPY = "NumPy dtype, memmap"
RUST_LOOP = "PyO3 and rust-numpy take_iter"

GOALS: list[Goal | Extra] = [
    Goal("read", "vecpack.read, 1 thread", 1.25, NUMPY),
    Goal("read", "vecpack.read, 1 thread", within(1.25), "preadv into fresh 2 MiB pages"),
    Goal("read", "vecpack.read", 2.0, NUMPY),
    Goal("read", "vecpack.read", 6.0, "Python loop"),
    Goal("stream", "vecpack.scan, 1 thread", within(1.25), "preadv into a re-used buffer"),
    Goal("floats", "vecpack.read", 1.5, "NumPy dtype, memmap, astype"),
    Goal("floats", "vecpack.read", 20.0, "Unpacker loop"),
    Goal("doubles", "vecpack.read", 1.5, "NumPy dtype, memmap, astype"),
    Goal("doubles", "vecpack.read", 20.0, "Unpacker loop"),
    Goal("small-integers", "vecpack.read", 30.0, "Unpacker loop"),
    Goal("integers", "vecpack.read", 20.0, "Unpacker loop"),
    Goal("mixed", "vecpack.read", 15.0, "Unpacker loop"),
    Goal("records", "vecpack.read", 8.0, "Unpacker loop, join, pa.table"),
    Goal("small-records", "vecpack.read", 8.0, "Unpacker loop, pa.table"),
    Goal("fields", "vecpack.read", 8.0, "Unpacker loop, pa.table"),
    Goal("halves", "vecpack.read", 6.0, "Python loop"),
    Goal("gzip", "vecpack.read", 3.0, "Python loop"),
    Goal("zstd", "vecpack.read", 1.5, "Python loop"),
    *(Goal("framings", framing, within(1.15), "array") for framing in ("records", "columns", "length-prefixed")),
    Goal("iterators", "vecpack.from_iter", 3.0, RUST_LOOP),
    Goal("iterators", "vecpack.take_iter", 2.8, RUST_LOOP),
    Goal("pool", "vecpack.read", 10.0, "Python loop"),
    Goal("pool", "vecpack.read", 4.0, RUST_LOOP),
    Goal("pool", "vecpack.scan, no pool", 14.0, "Python loop"),
    Goal("pool", "vecpack.scan, no pool", 6.0, RUST_LOOP),
    Goal("ten-times", "vecpack.scan, ten times the files", within(10.5), "vecpack.scan"),
    Extra("start", "python -c 'import vecpack'", 15, "python -c pass"),
    Extra("start", "vecpack --version", 30, "python -c pass"),
    Goal("parquet", "vecpack.to_parquet", 10.0, "Python loop, then pyarrow"),
    Goal("parquet", "vecpack.to_parquet", 3.0, "NumPy dtype, memmap, then polars"),
    Goal("parquet", "vecpack.to_parquet", 1.0, "cp (a process)"),
    Goal("parquet-zstd", "vecpack.to_parquet", 6.0, "NumPy dtype, memmap, then pyarrow"),
    Goal("parquet-records", "vecpack.to_parquet", 8.0, "msgpack, then pyarrow"),
    *(
        Goal("open", f"{reader} reads what vecpack writes", ratio, f"{reader} reads what pyarrow writes")
        for reader, ratio in {"pyarrow": 2.5, "polars": 2.5, "DuckDB, sum(vector[1]),": 2.0}.items()
    ),
    *(
        Goal("open-zstd", f"{reader} reads what vecpack writes", ratio, f"{reader} reads what pyarrow writes")
        for reader, ratio in {"pyarrow": 3.0, "polars": 1.8, "DuckDB, sum(vector[1]),": 1.5}.items()
    ),
]


@dataclass(frozen=True)
class Verdict:
    """How a goal fared."""

    goal: str
    against: str
    measured: str
    met: bool


def judge(table: Table, contestant: str, timings: dict[str, Timing]) -> list[Verdict]:
    """The verdicts on all goals of one contestant."""
    return [
        goal.judge(timings[contestant], timings[goal.against])
        for goal in GOALS
        if (goal.table, goal.contestant) == (table.name, contestant)
    ]
