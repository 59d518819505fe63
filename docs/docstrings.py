"""Gives the reference of Python the docstrings that the stub does not have: those of methods with several signatures."""

from __future__ import annotations

import inspect
from typing import Any

import griffe
import vecpack._vecpack


class Docstrings(griffe.Extension):
    """Looks up what the module says of itself."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Called when all of the package has been read."""
        module = pkg.members.get("_vecpack")
        if isinstance(module, griffe.Module):
            for name, member in module.members.items():
                self._add(member, getattr(vecpack._vecpack, name, None))

    def _add(self, member: griffe.Object | griffe.Alias, found: object) -> None:
        text = inspect.getdoc(found) if found is not None else None
        if member.is_alias or not text:
            return
        if member.docstring is None:
            member.docstring = griffe.Docstring(text, parent=member)  # type: ignore[arg-type]
        if isinstance(member, griffe.Class):
            # Of what has several signatures the stub shows no function: it is the one with the last of them.
            for name, signatures in member.overloads.items():
                if signatures:
                    *others, last = signatures
                    last.overloads = others
                    member.set_member(name, last)
            for name, inner in member.members.items():
                if not name.startswith("_"):
                    self._add(inner, getattr(found, name, None))
