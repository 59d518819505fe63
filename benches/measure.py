"""Times contestants against each other: interleaved, after a warm-up, with ratios taken round by round."""

from __future__ import annotations

import gc
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["vecpack", "peer", "floor"]


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contestant:
    """One way to do the job of a table."""

    name: str
    kind: Kind
    run: Callable[[], object]
    """The timed part. What it returns is freed after the clock has stopped."""
    check: Callable[[], None]
    """Does the same once, untimed, and raises `WrongResultError` unless the outcome is exactly right."""
    clean_up: Callable[[], None] = _nothing
    """Comes before and after every run, untimed: removes what it writes, or an interrupted one left."""
    prepare: Callable[[], object] = _nothing
    """Comes right before every run, untimed. What it returns is freed before the clock starts."""


@dataclass(frozen=True)
class Table:
    """Contestants that do the same job on the same bytes."""

    name: str
    title: str
    data: str
    """What the input is, in words."""
    size: int
    """Bytes of input that one run handles."""
    files: int
    rounds: int
    contestants: list[Contestant]
    """The first one is the baseline."""
    rows: int = 0
    """Rows that come of the input, where a figure of rows a second says more than one of bytes."""

    @property
    def baseline(self) -> str:
        return self.contestants[0].name


class WrongResultError(Exception):
    """A contestant that does not do the job is not in the race."""


@dataclass(frozen=True)
class Timing:
    """The seconds a contestant took, one entry a counted round."""

    seconds: list[float]
    busy: list[float]
    """Those of processors, of all threads and of the processes that it started."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def times_as_fast_as(self, other: Timing) -> float:
        # Round by round, because what slows the machine down for a while slows down both.
        return statistics.median(b / a for a, b in zip(self.seconds, other.seconds, strict=True))

    def seconds_more_than(self, other: Timing) -> float:
        return statistics.median(a - b for a, b in zip(self.seconds, other.seconds, strict=True))


def check(table: Table) -> None:
    """Makes sure that every contestant delivers what it should."""
    for contestant in table.contestants:
        contestant.clean_up()
        try:
            contestant.check()
        except WrongResultError as error:
            raise WrongResultError(f"{table.name}: {contestant.name}: {error}") from None
        finally:
            contestant.clean_up()


def measure(table: Table, rounds: int, progress: Callable[[str], None]) -> dict[str, Timing]:
    """Runs all contestants in turn, `rounds` times after one round that does not count."""
    timings = {contestant.name: Timing([], []) for contestant in table.contestants}
    for number in range(rounds + 1):
        progress(f"{table.name}: round {number} of {rounds}" if number else f"{table.name}: warming up")
        for contestant in table.contestants:
            contestant.clean_up()
            contestant.prepare()
            gc.collect()  # the garbage of the others is not this one's to collect
            seconds, busy = _time(contestant.run)
            contestant.clean_up()
            if number:
                timings[contestant.name].seconds.append(seconds)
                timings[contestant.name].busy.append(busy)
    progress("")
    return timings


def _time(run: Callable[[], object]) -> tuple[float, float]:
    start, busy_before = time.perf_counter(), _busy_seconds()
    result = run()
    seconds, busy = time.perf_counter() - start, _busy_seconds() - busy_before
    del result
    return seconds, busy


def _busy_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
