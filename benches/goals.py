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


GOALS = [
    Goal("read", "vecpack.read", 2.5, "Python loop"),
    Goal("pool", "vecpack.read", 6.0, "Python loop"),
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
