"""What vecpack raises. Errors of the operating system are Python's own."""

from __future__ import annotations


class VecpackError(Exception):
    """The base of vecpack's errors."""


class DecodeError(VecpackError, ValueError):
    """A record could not become a row.

    Attributes
    ----------
    path : str or None
        The file or buffer.
    record : int or None
        The number of the record in its file, from 0.
    offset : int or None
        The offset in bytes of the record in its file, from 0.
    field : str or None
        The field at fault.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        record: int | None = None,
        offset: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.record = record
        self.offset = offset
        self.field = field


class SchemaError(VecpackError, ValueError):
    """The columns cannot be known, or do not fit together."""


class OptionError(VecpackError, ValueError):
    """An option has a value that cannot be used."""


for _error in (VecpackError, DecodeError, SchemaError, OptionError):
    _error.__module__ = "vecpack"
