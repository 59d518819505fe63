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


def within(times: float) -> float:
    """For a goal that allows to take `times` as long."""
    return 1 / times


NUMPY = "NumPy dtype, memmap"
RUST_LOOP = "PyO3 and rust-numpy take_iter"

GOALS = [
    Goal("read", "vecpack.read, 1 thread", 1.25, NUMPY),
    Goal("read", "vecpack.read, 1 thread", within(1.25), "preadv into fresh 2 MiB pages"),
    Goal("read", "vecpack.read", 2.0, NUMPY),
    Goal("read", "vecpack.read", 6.0, "Python loop"),
    Goal("stream", "vecpack.scan, 1 thread", within(1.3), "preadv into a re-used buffer"),
    Goal("floats", "vecpack.read", 1.5, "NumPy dtype, memmap, astype"),
    Goal("floats", "vecpack.read", 20.0, "Unpacker loop"),
    Goal("doubles", "vecpack.read", 1.5, "NumPy dtype, memmap, astype"),
    Goal("doubles", "vecpack.read", 20.0, "Unpacker loop"),
    Goal("records", "vecpack.read", 5.0, "Unpacker loop, join, pa.table"),
    Goal("iterators", "vecpack.from_iter", 2.5, RUST_LOOP),
    Goal("iterators", "vecpack.take_iter", 2.5, RUST_LOOP),
    Goal("pool", "vecpack.read", 9.0, "Python loop"),
    Goal("pool", "vecpack.read", 3.5, RUST_LOOP),
    Goal("pool", "vecpack.scan, no pool", 14.0, "Python loop"),
    Goal("pool", "vecpack.scan, no pool", 6.0, RUST_LOOP),
    Goal("parquet", "vecpack.to_parquet", 10.0, "Python loop, then pyarrow"),
    Goal("parquet", "vecpack.to_parquet", 3.0, "NumPy dtype, memmap, then polars"),
    Goal("parquet", "vecpack.to_parquet", 1.0, "cp (a process)"),
    Goal("parquet-zstd", "vecpack.to_parquet", 6.0, "NumPy dtype, memmap, then pyarrow"),
    Goal("parquet-records", "vecpack.to_parquet", 8.0, "msgpack, then pyarrow"),
    *(
        Goal("open", f"{reader} reads what vecpack writes", ratio, f"{reader} reads what pyarrow writes")
        for reader, ratio in {"pyarrow": 2.5, "polars": 2.5, "DuckDB": 2.0}.items()
    ),
    *(
        Goal("open-zstd", f"{reader} reads what vecpack writes", ratio, f"{reader} reads what pyarrow writes")
        for reader, ratio in {"pyarrow": 3.0, "polars": 1.8, "DuckDB": 1.5}.items()
    ),
]


@dataclass(frozen=True)
class Verdict:
    """How a goal fared."""

    at_least: float
    against: str
    ratio: float
    met: bool


def judge(table: Table, contestant: str, timings: dict[str, Timing]) -> list[Verdict]:
    """The verdicts on all goals of one contestant."""
    verdicts = []
    for goal in GOALS:
        if (goal.table, goal.contestant) == (table.name, contestant):
            ratio = timings[contestant].times_as_fast_as(timings[goal.against])
            verdicts.append(Verdict(goal.at_least, goal.against, round(ratio, 3), met=ratio >= goal.at_least))
    return verdicts
