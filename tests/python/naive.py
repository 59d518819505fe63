"""A decoder of bare vectors in Python, slow and simple: what files of whole objects must give."""

import msgpack
import numpy as np

DIM = 2
SIZE = 4 * DIM
LIMITS = ("buffer_size", "array_len", "map_len", "str_len", "bin_len", "ext_len")
UNLIMITED = {f"max_{name}": 2**32 - 1 for name in LIMITS}
CUT, RESERVED = "truncated", "invalid"


def array(data):
    """The vector that an array of numbers is, as bytes; None for anything else, False for numbers that do not fit."""
    if not is_array(data[0]):
        return None
    try:
        numbers = msgpack.unpackb(data, raw=True, strict_map_key=False)
    except (ValueError, TypeError):
        return None  # a timestamp that is none, a key that is a map
    if not all(type(number) in (int, float) for number in numbers):
        return None
    if len(numbers) == SIZE and all(type(number) is int and 0 <= number < 256 for number in numbers):
        return bytes(numbers)
    if len(numbers) != DIM:
        return bytes(4 * len(numbers))
    for number in numbers:
        with np.errstate(over="ignore"):
            narrow = np.float32(number)
        if not (int(narrow) == number if type(number) is int else np.isinf(number) or not np.isinf(narrow)):
            return False
    return np.array(numbers, np.float32).tobytes()


def is_array(marker):
    return 0x90 <= marker <= 0x9F or marker in (0xDC, 0xDD)


def is_string(marker):
    return 0xA0 <= marker <= 0xBF or marker in (0xD9, 0xDA, 0xDB)


def is_number(marker):
    """True for numbers and booleans."""
    return marker <= 0x7F or marker in (0xC2, 0xC3) or 0xCA <= marker <= 0xD3 or marker >= 0xE0


def ends(data):
    """Where each object ends, and why the last one cannot be read, if it cannot."""
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False, **UNLIMITED)
    unpacker.feed(data)
    found = []
    try:
        while not found or found[-1] < len(data):
            unpacker.skip()
            found.append(unpacker.tell())
    except msgpack.OutOfData:
        return found, CUT if (found or [0])[-1] < len(data) else None
    except (msgpack.FormatError, msgpack.StackError):
        return found, RESERVED
    return found, None


def vector(record):
    """The row of a record, and why it is none."""
    marker = record[0]
    if is_string(marker) or marker in (0xC4, 0xC5, 0xC6):
        head = 1 if 0xA0 <= marker <= 0xBF else {0xC4: 2, 0xC5: 3, 0xC6: 5, 0xD9: 2, 0xDA: 3, 0xDB: 5}[marker]
        found = record[head:]
    else:
        found = array(record)
    if isinstance(found, bytes) and len(found) == SIZE:
        return found, None
    return None, "type" if found is None else "value" if found is False else "dimension"


def naive(data):
    """The vectors of `data`, None for each bad record, and the rejects: record, offset, length, kind.

    A run of numbers is one reject and no row. Bytes that cannot be read end the file with a reject.
    """
    rows, bad, at, record, in_run = [], [], 0, 0, False
    found, why = ends(data)
    for end in found:
        row, kind = vector(data[at:end])
        if kind and is_number(data[at]):
            if in_run:
                number, start, length, first = bad[-1]
                bad[-1] = (number, start, length + end - at, first)
            else:
                bad.append((record, at, end - at, kind))
                record += 1
            in_run = True
        else:
            if kind:
                bad.append((record, at, end - at, kind))
            rows.append(row)
            record, in_run = record + 1, False
        at = end
    if why:
        bad.append((record, at, len(data) - at, why))
    return rows, bad


def is_legal(data):
    """True for a file of whole objects."""
    return ends(data)[1] is None
