"""Draws the charts of `docs/benchmarks` from a recorded run. As a program it draws the latest one again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from record import DOCS, LATEST

# Every colour can be seen on white and on nearly black alike, so that one picture serves light and dark mode.
TEXT = "#7a7f87"
COLOURS = {"vecpack": "#e8590c", "peer": "#5c85c7", "floor": "#a3a8b0"}
MEANINGS = {"vecpack": "vecpack", "peer": "Python", "floor": "moves the bytes, decodes nothing"}

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "vecpack",  # the same run gives the same file,
    "svg.fonttype": "path",  # and every reader sees the same picture
    "font.size": 11,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def draw_all(run: dict[str, Any]) -> list[Path]:
    """Draws the charts that the documentation shows, and returns their files."""
    return [
        _draw(run, "read", "gigabytes_per_second", "GB/s"),
        _draw(run, "pool", "files_per_second", "files/s"),
        _draw_dialects(run),
    ]


def _draw_dialects(run: dict[str, Any]) -> Path:
    """Two bars for each kind of file, vecpack's and Python's, and how many rows a second vecpack reads."""
    tables = [table for table in run["tables"] if table["rows_of_data"]]
    pairs = [(table, *(_row(table, name) for name in (None, "vecpack.read"))) for table in tables]
    pairs.sort(key=lambda pair: float(pair[2]["gigabytes_per_second"]))
    path = DOCS / "dialects.svg"
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 2 + 0.5 * len(pairs)), layout=ConstrainedLayoutEngine(h_pad=0.1))
        axes = figure.subplots()
        for position, (table, peer, own) in enumerate(pairs):
            axes.barh(position + 0.18, own["gigabytes_per_second"], height=0.4, color=COLOURS["vecpack"])
            axes.barh(position - 0.2, peer["gigabytes_per_second"], height=0.3, color=COLOURS["peer"])
            rows = 1e-6 * table["rows_of_data"] / (own["median"] / 1e3)
            axes.annotate(
                f"{own['gigabytes_per_second']:.2f} GB/s, {rows:.1f} million rows/s",
                (own["gigabytes_per_second"], position + 0.18),
                xytext=(6, 0),
                textcoords="offset points",
                verticalalignment="center",
            )
        axes.set_yticks(range(len(pairs)), [DIALECTS[table["name"]] for table, _, _ in pairs])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.margins(x=0.8, y=0.01)
        handles = [Patch(color=COLOURS[kind], label=label) for kind, label in DIALECT_KINDS.items()]
        title = "How fast each kind of file is read"
        figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=12, fontweight="bold")
        figure.legend(handles=handles, loc="outside lower right", frameon=False, fontsize=9)
        caption = f"GB/s of input, more is better; medians\n{run['machine']['cores']} cores of {run['machine']['cpu']}"
        figure.supxlabel(caption, x=0.01, horizontalalignment="left", fontsize=9)
        figure.savefig(path, transparent=True, metadata={"Date": None})
    return path


DIALECTS = {
    "read": "Bare vectors, bytes of float32",
    "halves": "Bare vectors, bytes of float16",
    "floats": "Lists of float32",
    "doubles": "Lists of float64",
    "small-integers": "Lists of small integers",
    "integers": "Lists of larger integers",
    "mixed": "Lists of floats and integers",
    "records": "Records: id, url, score, 512 float32",
    "small-records": "Records: id, 16 float32",
    "fields": "Records: 31 integers",
    "gzip": "Bare vectors in gzip",
    "zstd": "Bare vectors in zstd",
}
DIALECT_KINDS = {"vecpack": "vecpack.read", "peer": "the loop in Python"}


def _row(table: dict[str, Any], name: str | None) -> dict[str, Any]:
    """The row of this name, or the first one."""
    return next(row for row in table["rows"] if name in (None, row["name"]))


def _draw(run: dict[str, Any], name: str, quantity: str, unit: str) -> Path:
    """A bar for each contestant, the fastest on top; a thin line spans its slowest and fastest round."""
    (table,) = (table for table in run["tables"] if table["name"] == name)
    rows = sorted(table["rows"], key=lambda row: float(row[quantity]))
    path = DOCS / f"{name}.svg"

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 2 + 0.38 * len(rows)), layout=ConstrainedLayoutEngine(h_pad=0.1))
        axes = figure.subplots()
        for position, row in enumerate(rows):
            speed = row[quantity]
            slowest, fastest = (speed * row["median"] / pick(row["milliseconds"]) for pick in (max, min))
            axes.barh(position, speed, height=0.66, color=COLOURS[row["kind"]])
            axes.plot([slowest, fastest], [position, position], color=TEXT, linewidth=1)
            axes.annotate(
                f"{speed:.1f}",
                (max(speed, fastest), position),
                xytext=(6, 0),
                textcoords="offset points",
                verticalalignment="center",
                fontweight=_weight(row),
            )

        axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_fontweight(_weight(row))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.margins(x=0.1, y=0.01)
        kinds = [kind for kind in COLOURS if any(row["kind"] == kind for row in rows)]
        handles = [Patch(color=COLOURS[kind], label=MEANINGS[kind]) for kind in kinds]
        figure.suptitle(table["title"], x=0.01, horizontalalignment="left", fontsize=12, fontweight="bold")
        figure.legend(handles=handles, loc="outside lower right", frameon=False, fontsize=9)
        figure.supxlabel(_caption(run, table, unit), x=0.01, horizontalalignment="left", fontsize=9)

        DOCS.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, transparent=True, metadata={"Date": None})
    return path


def _weight(row: dict[str, Any]) -> str:
    return "bold" if row["kind"] == "vecpack" else "normal"


def _caption(run: dict[str, Any], table: dict[str, Any], unit: str) -> str:
    return "\n".join(
        [
            f"{unit}, more is better; median of {table['rounds']} rounds",
            f"{table['data']}, in the page cache",
            f"{run['machine']['cores']} cores of {run['machine']['cpu']}",
        ]
    )


if __name__ == "__main__":
    for drawn in draw_all(json.loads(LATEST.read_text())):
        print(drawn.name)
