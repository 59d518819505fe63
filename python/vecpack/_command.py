"""The command `vecpack`: the same Rust function that the binary of that name calls."""

from __future__ import annotations

import signal
import sys

from vecpack._vecpack import run_command


def main() -> None:
    """Runs the command with the arguments of this process, and ends the process."""
    # The Rust side deals with Ctrl-C; Python's handler would only take note of it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run_command(["vecpack", *sys.argv[1:]]))
