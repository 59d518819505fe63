"""Writes the addresses of the project into the metadata of the packages: `python tests/project_urls.py REPOSITORY [FOLDER]`.

The files name no address themselves, so that a copy of the repository releases with its own. The release workflow runs this in its
checkout, before it builds.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(repository: str, folder: Path) -> None:
    pages = {
        "Repository": "",
        "Documentation": "/tree/main/docs",
        "Changelog": "/blob/main/CHANGELOG.md",
        "Issues": "/issues",
    }
    urls = "".join(f'{name} = "{repository}{path}"\n' for name, path in pages.items())
    insert(folder / "pyproject.toml", "[project.scripts]\n", f"[project.urls]\n{urls}\n")
    insert(folder / "Cargo.toml", 'readme = "README.md"\n', f'repository = "{repository}"\n')
    insert(folder / "CITATION.cff", "license:\n", f"repository-code: {repository}\n")


def insert(path: Path, line: str, text: str) -> None:
    """Puts the text in front of the line."""
    before, found, after = path.read_text().partition(line)
    assert found, f"{path} has no line {line!r}"
    path.write_text(before + text + found + after)


if __name__ == "__main__":
    main(sys.argv[1].removesuffix("/"), Path(sys.argv[2] if len(sys.argv) > 2 else "."))
