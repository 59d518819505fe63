"""Progress in a notebook, whose cells do not show what is written to the terminal."""

from __future__ import annotations

import sys
from typing import Any


def notebook_bar(total: int | None) -> Bar | None:
    """A bar for `total` bytes where this process runs a notebook's cells, and `None` elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return Bar(total) if getattr(shell, "kernel", None) is not None else None


class Bar:
    """A bar of tqdm where that is installed, and lines of text elsewhere."""

    def __init__(self, total: int | None) -> None:
        self._bar: Any = None
        try:
            from tqdm.auto import tqdm  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError:
            self._shown = -1
        else:
            self._bar = tqdm(total=total, unit="B", unit_scale=True)

    def __call__(self, done: int, total: int | None, rows: int) -> None:
        """Shows how far the work is."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"{rows:,} rows", refresh=False)
            self._bar.update(done - self._bar.n)
            return
        percent = 100 * done // max(total, 1) if total is not None else 0
        if percent != self._shown:
            self._shown = percent
            print(f"\r{percent} %, {rows:,} rows", end="", flush=True)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()
        else:
            print()
