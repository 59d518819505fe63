"""How much the rest of the machine did while we measured: what tells a bad time from a bad moment."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType


class Noise:
    """A context; afterwards `cores` says how many cores were busy with other processes, `None` if not known."""

    cores: float | None = None

    def __enter__(self) -> Noise:
        self._start = time.monotonic(), _all_busy_seconds(), _own_busy_seconds()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        start, all_before, own_before = self._start
        all_after = _all_busy_seconds()
        if all_before is not None and all_after is not None:
            others = (all_after - all_before) - (_own_busy_seconds() - own_before)
            self.cores = round(max(others, 0.0) / (time.monotonic() - start), 2)


def _all_busy_seconds() -> float | None:
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    fields = stat.read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _waiting, hard_irq, soft_irq, steal = map(int, fields)
    ticks = user + nice + system + hard_irq + soft_irq + steal
    return ticks / os.sysconf("SC_CLK_TCK")


def _own_busy_seconds() -> float:
    own = os.times()  # with the children that have ended
    return own.user + own.system + own.children_user + own.children_system
