"""What is said when the library that an adapter hands data to is not there."""

from __future__ import annotations


def missing(adapter: str, package: str) -> ImportError:
    """The error of an `adapter` that needs a `package`: the same words as where data leaves by a method."""
    return ImportError(f"{adapter} needs the package `{package}`: pip install {package}")
