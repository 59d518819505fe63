"""Measures vecpack against its peers on this machine. `make bench` runs it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import asdict

import memory
import record
import samples
import terminal
from measure import WrongResultError, check, measure
from noise import Noise
from suite import TABLES


def main() -> int:
    options = _options()
    scale = samples.QUICK if options.quick else samples.FULL
    names = options.only or [*TABLES, "memory"]
    records = not (options.no_record or options.quick or options.only)
    if records and not importlib.util.find_spec("matplotlib"):
        print(
            "To draw the charts: pip install -r benches/requirements.txt (or use --no-record)",
            file=sys.stderr,
        )
        return 1

    # Now, because someone may go on working while this runs.
    commit, machine = record.commit(), record.machine()
    print(terminal.heading(machine, record.versions()))
    terminal.progress("making the files")
    files = samples.make(scale)

    tables = []
    for name, build in TABLES.items():
        if name in names:
            terminal.progress(f"{name}: checking that all results are the same")
            table = build(files)
            try:
                check(table)
            except WrongResultError as error:
                terminal.progress("")
                print(error, file=sys.stderr)
                return 1
            rounds = options.rounds or (1 if options.quick else table.rounds)
            with Noise() as noise:
                timings = measure(table, rounds, terminal.progress)
            tables.append(record.table_record(table, timings, noise.cores))
            print(terminal.table_text(tables[-1], judged=not options.quick))
            del table  # and with it the arrays that its contestants hold

    peaks = []
    if "memory" in names:
        terminal.progress("memory")
        peaks = memory.measure(files)
        terminal.progress("")
        print(terminal.memory_text(peaks, len(files)))

    if not options.quick:
        verdicts = [verdict for table in tables for row in table.rows for verdict in row.verdicts]
        print(f"Goals met: {sum(verdict.met for verdict in verdicts)} of {len(verdicts)}")

    if records:
        import chart  # only here, because only here matplotlib is needed

        run = record.run_record(commit, machine, scale, tables, peaks)
        record.write(run)
        written = [record.LATEST, *chart.draw_all(asdict(run))]
        print("Recorded:", *(path.relative_to(samples.ROOT) for path in written))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/run.py", description=__doc__)
    parser.add_argument("--rounds", type=_at_least_one, help="counted rounds (default: 5 or more, by table)")
    names = [*TABLES, "memory"]
    only = f"only these, recording nothing: {', '.join(names)}"
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help=only)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: one round on small files, recording nothing"
    )
    parser.add_argument("--no-record", action="store_true", help="leave docs/benchmarks alone")
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
