"""Writes the files of this folder: `python tests/data/bad/make.py`, with nothing but Python's own library.

What must come out of each is in manifest.json, which tests/bad.rs compares with the folder, both ways.
"""

import gzip
import struct
from pathlib import Path

HERE = Path(__file__).parent
DIM = 4


def vector(number):
    return struct.pack(f"<{DIM}f", *(number + at / 4 for at in range(DIM)))


def good(*numbers):
    """Bare vectors: 18 bytes each."""
    return b"".join(b"\xc4\x10" + vector(number) for number in numbers)


def fields(*numbers):
    """Maps of an id, a text and a vector."""
    return b"".join(
        b"\x83\xa2id" + bytes([number]) + b"\xa4text\xa3abc\xa6vector\xc4\x10" + vector(number) for number in numbers
    )


def around(middle, record=good):
    """Four good records, something, and five good ones."""
    return record(0, 1, 2, 3) + middle + record(5, 6, 7, 8, 9)


def doubles(*numbers):
    return bytes([0x90 + len(numbers)]) + b"".join(b"\xcb" + struct.pack(">d", number) for number in numbers)


BARE = {
    "c1-first": b"\xc1" + good(1, 2, 3, 4, 5),
    "c1-between": around(b"\xc1"),
    "c1-for-a-head": around(b"\xc1\x10" + vector(4)),
    "c1-in-an-array": around(b"\x93\x01\xc1\x02"),
    "c1-and-nothing-behind": good(0, 1, 2) + b"\xc1" + b"\x55" * 100,
    "cut-in-a-head": good(0, 1, 2) + b"\xc4",
    "cut-in-a-vector": good(0, 1, 2) + good(3)[:-1],
    "length-too-large": around(b"\xc4\x14" + vector(4)),
    "length-of-two": around(b"\xc4\x22" + vector(4)),
    "length-much-too-large": around(b"\xc5\x10\x10" + vector(4)),
    "length-too-small": around(b"\xc4\x08" + vector(4)),
    "length-zero": around(b"\xc4\x00" + vector(4)),
    "bytes-lost": around(good(4)[:7]),
    "bytes-added": around(good(4)[:2] + b"\xde\xad\xbe" + good(4)[2:]),
    "zeroes": around(bytes(18)),
    "bomb-array": around(b"\xdd\xff\xff\xff\xff"),
    "bomb-map": around(b"\xdf\xff\xff\xff\xff"),
    "bomb-bin": around(b"\xc6\xff\xff\xff\xff"),
    "bomb-str": around(b"\xdb\xff\xff\xff\xff"),
    "bomb-ext": around(b"\xc9\xff\xff\xff\xff\x05"),
    "bomb-deep": good(0, 1, 2) + b"\x91" * 5000,
    "bomb-deep-maps": good(0, 1, 2) + b"\x81" * 5000,
    "dimension": around(b"\xc4\x0c" + vector(4)[:12]),
    "dimension-of-floats": around(doubles(1.0, 2.0, 3.0)),
    "empty-vector": around(b"\xc4\x00"),
    "odd-bytes": around(b"\xc4\x0f" + vector(4)[:15]),
    "nil": around(b"\xc0"),
    "boolean": around(b"\xc3"),
    "number": around(b"\xcb" + bytes(8)),
    "text": around(b"\xa5hello"),
    "map": around(b"\x81\xa1a\x01"),
    "list-of-text": around(b"\x94\xa1a\xa1b\xa1c\xa1d"),
    "nil-in-a-vector": around(b"\x94\xca" + bytes(4) + b"\xc0\x01\x02"),
    "list-of-vectors": around(b"\x93" + good(20, 21, 22)),
    "bytes-that-hold-records": around(b"\xc4\x48" + good(20, 21, 22, 23)),
    "double-too-large": around(doubles(1.0, 1e39, 2.0, 3.0)),
    "integer-not-exact": around(b"\x94\x01\x02\x03\xce\x01\x00\x00\x01"),
    "unknown-extension": around(b"\xd6\x05abcd"),
    "timestamp": around(b"\xd6\xff" + bytes(4)),
    "pickle": around(
        b"\x85\xc4\x02nd\xc3\xc4\x04type\xa2|O\xc4\x04kind\xc4\x01O\xc4\x05shape\x91\x01\xc4\x04data\xc4\x02..",
    ),
    "msgpackr-record": good(0, 1, 2, 3) + b"\xd4\x72\x40\x91\xa1v" + b"\x40" + b"\xc4\x10" + vector(4),
    "nothing-but-nil": b"\xc0" * 10,
}
ARRAY = {
    "array-of-more": b"\xdc\x00\x0c" + good(*range(10)),
    "array-of-less": b"\xdc\x00\x08" + good(*range(10)),
    "array-c1": b"\x9a" + around(b"\xc1\x10" + vector(4)) + b"\x94" + good(10, 11, 12, 13),
    "array-cut": b"\x9a" + good(*range(9)),
}
MAPS = {
    "fields-c1": around(b"\xc1" + fields(4)[1:], fields),
    "fields-length": around(fields(4).replace(b"\xc4\x10", b"\xc4\x20"), fields),
    "fields-more-pairs": around(b"\x87" + fields(4)[1:], fields),
    "fields-dimension": around(fields(4).replace(b"\xc4\x10" + vector(4), b"\xc4\x08" + vector(4)[:8]), fields),
    "fields-twice": around(fields(4).replace(b"\xa4text", b"\xa2id"), fields),
    "fields-missing": around(b"\x82" + fields(4)[1:14], fields),
    "fields-no-text": around(fields(4).replace(b"\xa3abc", b"\xa3a\xff\xfe"), fields),
    "fields-another-type": around(fields(4).replace(b"\xa3abc", b"\xc3"), fields),
    "fields-bad-keys": around(b"\x85\xc0\x01\xa1\xff\x02" + fields(4)[1:], fields),
}


def lz4(content):
    """An LZ4 frame of one block that is not compressed, and its end."""
    return bytes.fromhex("04224d186040c0".replace("c0", "82")) + struct.pack("<I", len(content) | 1 << 31) + content


def main():
    plain = good(*range(200))
    packed = gzip.compress(plain, mtime=0)
    files = {f"{name}.msgpack": content for name, content in (BARE | ARRAY | MAPS).items()}
    files |= {
        "empty.msgpack": b"",
        "cut.msgpack.gz": packed[: len(packed) * 3 // 4],
        "no-checksum.msgpack.gz": packed[:-8],
        "cut.msgpack.lz4": lz4(plain)[:-1],
    }
    for name, content in files.items():
        (HERE / name).write_bytes(content)


if __name__ == "__main__":
    main()
