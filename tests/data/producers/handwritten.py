"""Writes the fixtures that are made by hand, from descriptions of what MessagePack-CSharp writes: no library was run."""

import json
import struct
from pathlib import Path

HERE = Path(__file__).parent
TINY = 2.0**-149
FLOATS = [
    [float("nan"), -0.0, TINY, -(2.0**-127), float("inf"), float("-inf"), (2 - 2.0**-23) * 2.0**127, 0.1],
    [0.5, -1.25, 1 / 3, 1e-30, -1e30, 3.0, 65504.0, 1 / 7],
    [float(n) for n in range(8)],
]
DOUBLES = [
    *FLOATS[:2],
    [1 + 2.0**-24, 1 + 2.0**-24 + 2.0**-50, 2.0**128 - 2.0**103 - 2.0**75, 2.0**-150, 1e30, -1e-46, 0.1, -0.1],
]
INTEGERS = [
    [-(2**31), 2**31 - 2**7, 0, 1, -1, 2**24 - 1, -(2**24), 100],
    [1, 2, 3, 4, 5, 6, 7, 8],
    [-9, 8, -7, 6, -5, 4, -3, 2],
]


def blit(code, letter, row, little):
    """UnityBlitWithPrimitiveArrayResolver: the length in bytes, whether it is little-endian, and the elements."""
    data = struct.pack(f"{'<' if little else '>'}{len(row)}{letter}", *row)
    inside = struct.pack(">BHB", 0xCD, len(data), 0xC3 if little else 0xC2) + data
    return struct.pack(">BHb", 0xC8, len(inside), code) + inside


def literals(data):
    """An LZ4 block of nothing but literals."""
    head = bytes([min(len(data), 15) << 4])
    if len(data) >= 15:
        head += bytes([255] * ((len(data) - 15) // 255)) + bytes([(len(data) - 15) % 255])
    return head + data


def floats(row):
    """A float[] as it is without a resolver: an array of float 32."""
    return struct.pack(">BH", 0xDC, len(row)) + b"".join(struct.pack(">Bf", 0xCA, value) for value in row)


def lz4_block(data):
    inside = struct.pack(">Bi", 0xD2, len(data)) + literals(data)
    return struct.pack(">BHb", 0xC8, len(inside), 99) + inside


def lz4_block_array(data):
    parts = [data[: len(data) // 2], data[len(data) // 2 :]]
    lengths = b"".join(struct.pack(">Bi", 0xD2, len(part)) for part in parts)
    blocks = [literals(part) for part in parts]
    head = bytes([0x90 + 1 + len(parts)]) + struct.pack(">BBb", 0xC7, len(lengths), 98) + lengths
    return head + b"".join(struct.pack(">BH", 0xC5, len(block)) + block for block in blocks)


def stream(pack, objects):
    return b"".join(map(pack, objects))


manifest = {}


def write(file, how, refused=None):
    """Writes the file that the expression `how` gives. The manifest has `how` word for word."""
    (HERE / file).write_bytes(eval(how))
    manifest[file] = {
        "file": file,
        "producer": "MessagePack-CSharp",
        "version": "handwritten by handwritten.py",
        "how": how,
        "read": {},
        "refused": refused,
    }


for order, little in [("little", True), ("big", False)]:
    write(f"csharp-blit-f4-{order}.msgpack", f"stream(lambda row: blit(38, 'f', row, {little}), FLOATS)")
    write(f"csharp-blit-f8-{order}.msgpack", f"stream(lambda row: blit(39, 'd', row, {little}), DOUBLES)")
    write(f"csharp-blit-i4-{order}.msgpack", f"stream(lambda row: blit(37, 'i', row, {little}), INTEGERS)")
write(
    "csharp-blit-positional.msgpack",
    "stream(lambda row: b'\\x92\\xa2id' + blit(38, 'f', row, True), FLOATS)",
)
write("csharp-blit-unity.msgpack", "blit(31, 'f', FLOATS[2][:6], True)", "Unity structs")
write("csharp-floats.msgpack", "stream(floats, FLOATS)")
write("csharp-lz4-block.msgpack", "lz4_block(stream(floats, FLOATS))", "LZ4")
write("csharp-lz4-block-array.msgpack", "lz4_block_array(floats(FLOATS[0] * 4))", "LZ4")

path = HERE / "manifest.json"
entries = {entry["file"]: entry for entry in json.loads(path.read_text())} if path.exists() else {}
entries |= manifest
path.write_text(json.dumps([entries[file] for file in sorted(entries)], indent=2, ensure_ascii=False) + "\n")
