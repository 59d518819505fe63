"""What the site has besides the pages of this directory: the README and its neighbours, and the crate's own documentation.

Pages are written to be read where they lie. So links that lead out of this directory, to sources, are text on the site.
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent
ROOT = DOCS.parent
RUSTDOC = ROOT / "target/doc"
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md"}
"""Files above this directory that are pages, and how they are called."""
ELSEWHERE = {"docs/design": "how-it-works.md#decisions", "docs/cli/help.txt": "command.md"}
"""What has another form on the site."""
FLAGS = re.compile(r"^(?P<fence> *```\w+) no-run$", re.MULTILINE)
"""What tells the tests, and nobody else, that a block is not to be run."""
HELP = re.compile(r"^<!-- help: (?P<command>[\w-]+) (?P<group>\w+) -->$", re.MULTILINE)
"""Where a page shows a group of options: from the checked text of `--help`, as a table."""
OPTION = re.compile(r"^ {2,6}(?P<flags>(?:-\w, |    )?--[\w-]+(?: <[^>]+>)?)(?P<text>  .*)?$")
FRONT = "crate/vecpack/index.html"
FROM_FRONT = re.compile(r'(?P<what>href|src)="(?P<target>docs/[^"#]*|[A-Z]+\.md)(?P<anchor>#[^"]*)?"')
TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
LINK = re.compile(r"(?P<text>\[[^][]*\])\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages and the crate's documentation."""
    for name, page in PAGES.items():
        text = LINK.sub(_from_root, (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    if not (RUSTDOC / "vecpack/index.html").is_file():
        raise PluginError("no documentation of the crate: `make docs` builds it first")
    for path in sorted(RUSTDOC.rglob("*")):
        below = path.relative_to(RUSTDOC)
        is_shared = len(below.parts) == 1 or below.parts[0] in ("search.index", "static.files")
        if path.is_file() and path.name[0] != "." and (is_shared or "vecpack" in below.parts[:2]):
            name = f"crate/{below.as_posix()}"
            # The licence of a font: as a page it would be in the index.
            name = f"{name}.txt" if name.endswith(".md") else name
            files.append(File.generated(config, name, abs_src_path=str(path)))
    files.remove(files.src_uris[FRONT])
    front = FROM_FRONT.sub(_from_front, (RUSTDOC / "vecpack/index.html").read_text(encoding="utf-8"))
    files.append(File.generated(config, FRONT, content=front))
    return files


def _on_the_site(target: str) -> str:
    """The page for a file that is named from above this directory."""
    target = target.rstrip("/")
    return PAGES.get(target) or ELSEWHERE.get(target) or os.path.relpath(target, "docs")


def _from_root(link: re.Match[str]) -> str:
    """A link of a file above this directory, as one of a page in it."""
    return f"{link['text']}({_on_the_site(link['target'])}{link['anchor'] or ''})"


def _from_front(link: re.Match[str]) -> str:
    """A link of the README where it is the front page of the crate's documentation."""
    page = _on_the_site(link["target"]).replace(".md", ".html")
    return f'{link["what"]}="../../{page}{link["anchor"] or ""}"'


def _options() -> dict[tuple[str, str], dict[str, str]]:
    """What `--help` says: the options of each group of each command, and their texts."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    command, group, flags = "", "", ""
    for line in (DOCS / "cli/help.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("$ vecpack"):
            command, group = line.split()[-2], ""
        elif line and line[0] != " ":
            group, flags = line.rstrip(":"), ""
        elif option := OPTION.match(line):
            flags = option["flags"].strip()
            groups.setdefault((command, group), {})[flags] = (option["text"] or "").strip()
        elif flags and line:
            is_item = line.strip().startswith("- ")
            groups[command, group][flags] += ("\n" if is_item else " ") + line.strip()
    return groups


def _cell(text: str) -> str:
    """Text of a terminal as a cell of a table; items of a list have lines of their own."""
    return "<br>".join(_marked(" ".join(line.split())) for line in text.split("\n"))


def _marked(text: str) -> str:
    """Text in which nothing is markup but code between backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"[<>*_\[\]|]", lambda found: f"&#{ord(found[0])};", part) for part in parts[::2]]
    return "`".join(parts)


def _flags(flags: str) -> str:
    """The names of an option, which stay in one line, and its value, which may stand in the next one."""
    names, _, value = flags.partition(" <")
    return f"`{names}`{{ .flag }}" + (f" `{value.rstrip('>')}`" if value else "")


def _with_options(markdown: str) -> str:
    """The page of the command, with tables of its options. An option that no group on the page has is an error."""
    groups = _options()
    shown: set[str] = set()

    def table(place: re.Match[str]) -> str:
        options = groups.get((place["command"], place["group"]))
        if options is None:
            raise PluginError(f"command.md: {place['command']} has no options under {place['group']}")
        shown.update(f"{flags} {text}" for flags, text in options.items())
        rows = [f"| {_flags(flags)} | {_cell(text)} |" for flags, text in options.items()]
        return "\n".join(["| option | meaning |", "|---|---|", *rows])

    page = HELP.sub(table, markdown)
    for (command, group), options in groups.items():
        missing = [flags for flags, text in options.items() if f"{flags} {text}" not in shown]
        if missing and group != "Options":
            raise PluginError(f"command.md: {missing[0]} of {command} is in no table: <!-- help: {command} {group} -->")
    return page


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Makes text of the links that lead out of this directory, if there is something where they lead, and plain blocks of all."""

    def plain(link: re.Match[str]) -> str:
        path = (DOCS / page.file.src_uri).parent / link["target"]
        if path.resolve().is_relative_to(DOCS):
            return link[0]
        if not path.exists():
            raise PluginError(f"{page.file.src_uri}: {link['target']} is not there")
        return link["text"][1:-1]

    if page.file.src_uri == "command.md":
        markdown = _with_options(markdown)
    return LINK.sub(plain, FLAGS.sub(r"\g<fence>", markdown))


def on_page_content(html: str, **_: Any) -> str:
    """Gives each cell of a table of three or four columns the head of its column, which a phone shows in front of it."""
    return TABLE.sub(_with_heads, html)


def _with_heads(table: re.Match[str]) -> str:
    heads = [
        re.sub(r"<[^>]*>", "", head).replace('"', "&quot;") for head in re.findall(r"<th[^>]*>(.*?)</th>", table[0])
    ]
    if len(heads) not in (3, 4):
        return table[0]
    of_cell = itertools.cycle(heads)
    return re.sub(r"<td(?=[ >])", lambda _: f'<td data-head="{next(of_cell)}"', table[0])
