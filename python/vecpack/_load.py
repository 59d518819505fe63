"""What loads into databases share: the report, the progress, and how the command `vecpack` calls them."""

from __future__ import annotations

import html
import inspect
import json
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from vecpack._errors import OptionError
from vecpack._progress import notebook_bar
from vecpack._vecpack import Source, _Bar, scan


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes
    ----------
    rows : int
        Rows that this run put into the database.
    rows_before : int
        Rows that were there from earlier runs.
    rejects : int
        Records that became no row, or a null.
    first_rejects : list of str
        The first of them.
    files : int
        Inputs that this run read.
    bytes_in : int or None
        Bytes of the inputs that this run read; ``None`` where that cannot be known.
    seconds : float
        How long it took, with the index.
    """

    rows: int
    rows_before: int
    rejects: int
    first_rejects: list[str]
    files: int
    bytes_in: int | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The report as a dictionary."""
        return asdict(self)

    def _repr_html_(self) -> str:
        rows = (f"<tr><td>{name}</td><td>{html.escape(str(value))}</td></tr>" for name, value in asdict(self).items())
        return "<div>vecpack.LoadReport</div>\n<table>\n" + "\n".join(rows) + "\n</table>"


def as_source(function: str, source: Any, options: dict[str, Any]) -> Source:
    """`source`, or what `scan` makes of inputs. Errors name the function that was called."""
    known = inspect.signature(scan).parameters
    if unknown := [name for name in options if name not in known]:
        raise TypeError(f"{function}() got an unexpected keyword argument '{unknown[0]}'")
    if not isinstance(source, Source):
        return scan(source, **options)
    if options:
        raise TypeError("read options go with inputs; pass them to scan() instead")
    return source


TASK_BYTES = 128 << 20
"""About how many bytes of the inputs a task of an engine reads."""


def parts(source: Source, task_bytes: int) -> list[Source]:
    """Small inputs together; inputs that are larger than a task are cut, and walked once for that."""
    if source.options["limit"] is not None:
        # Where the first rows end is known when they are read.
        return [source]
    tasks = source._tasks(task_bytes)
    cut = [part for task, pieces in tasks for part in (task.split(pieces) if pieces > 1 else [task])]
    return [part for part in cut if part.files]


def local_or_url(path: str | os.PathLike[str]) -> str:
    """The path of what is written to, with the home directory in the place of `~`."""
    text = os.fspath(path)
    if text == "-":
        raise OptionError("a database is not written to standard output: name a file or a directory")
    return text if "://" in text else os.path.expanduser(text)


@contextmanager
def show_progress(progress: Any, total: int | None, files: int) -> Iterator[Callable[[int, int, int], object]]:
    """A function of bytes done, rows and files done, which passes them on to a bar or to the function `progress`."""
    if callable(progress):
        yield lambda done, rows, files: progress(done, total, rows)
    elif not progress:
        yield lambda done, rows, files: None
    elif (notebook := notebook_bar(total)) is not None:
        with closing(notebook):
            yield lambda done, rows, files: notebook(done, total, rows)
    else:
        with closing(_Bar(total, files, progress == "lines")) as bar:
            yield lambda done, rows, files: bar(done, total, rows, files)


def finished(run: Any, *, rows: int, rows_before: int, **fields: Any) -> LoadReport:
    """The report of a run, whose source or `_Run` knows the rejects. Warns where no record became a row."""
    count, first, warning = run._first_rejects(rows + rows_before)
    if warning is not None:
        warnings.warn(warning, stacklevel=4)
    return LoadReport(rows=rows, rows_before=rows_before, rejects=count, first_rejects=first, **fields)


def run(function: str, source: Source, out: str, keywords: str) -> tuple[int, str, list[str]]:
    """Runs `to_lance` or `to_duckdb` for the command: an exit code, the report as JSON or why it failed, and warnings."""
    # On a thread of its own: Rust has called this function with the GIL. If a database releases the GIL and then asks for a batch on this
    # thread, Rust would still take the thread for one that has the GIL.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(_run, function, source, out, keywords).result()


def _run(function: str, source: Source, out: str, keywords: str) -> tuple[int, str, list[str]]:
    import vecpack

    try:
        with warnings.catch_warnings(record=True) as warned:
            report: LoadReport = getattr(vecpack, function)(source, out, **json.loads(keywords))
    except OptionError as error:
        return 2, str(error), []
    except OSError as error:
        return 1, f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error), []
    except Exception as error:
        return 1, str(error), []
    return 0, json.dumps(report.to_dict()), [str(each.message) for each in warned]
