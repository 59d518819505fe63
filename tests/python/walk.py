"""Walks a Parquet file page by page and compares every number in its footer and its page index with the pages themselves.

The standard library reads the Thrift, the levels and the values; pyarrow is asked for nothing but to uncompress a page.
"""

import itertools
import struct
from collections import Counter

BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED = range(8)
DATA_PAGE, DICTIONARY_PAGE = 0, 2
PLAIN, RLE, DICTIONARY, BYTE_STREAM_SPLIT = 0, 3, 8, 9


class Untrue(AssertionError):
    """A number in a file is not true."""


def check(is_true, *what):
    if not is_true:
        raise Untrue(": ".join(map(str, what)))


def same(found, expected, *what):
    check(found == expected, *what, f"{found!r}, and not {expected!r}")


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def zigzag(data, at):
    value, at = varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def thrift(data, at, kind=12):
    """A value in Thrift's compact protocol: structs as dictionaries by field number."""
    if kind in (1, 2):
        return kind == 1, at
    if kind == 3:
        return struct.unpack_from("b", data, at)[0], at + 1
    if kind in (4, 5, 6):
        return zigzag(data, at)
    if kind == 7:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == 8:
        length, at = varint(data, at)
        return bytes(data[at : at + length]), at + length
    if kind in (9, 10):
        count, item, at = data[at] >> 4, data[at] & 15, at + 1
        if count == 15:
            count, at = varint(data, at)
        items = []
        for _ in range(count):
            if item in (1, 2):  # a byte of its own
                value, at = data[at] == 1, at + 1
            else:
                value, at = thrift(data, at, item)
            items.append(value)
        return items, at
    check(kind == 12, f"no type of Thrift: {kind}")
    fields, number = {}, 0
    while data[at]:
        step, item, at = data[at] >> 4, data[at] & 15, at + 1
        if step:
            number += step
        else:
            number, at = zigzag(data, at)
        fields[number], at = thrift(data, at, item)
    return fields, at + 1


def hybrid(data, width, count):
    """Parquet's hybrid of runs and packed bits, of which the first `count` numbers count."""
    numbers, at = [], 0
    while len(numbers) < count:
        head, at = varint(data, at)
        if head & 1:
            size = (head >> 1) * width
            packed, at = int.from_bytes(data[at : at + size], "little"), at + size
            mask = (1 << width) - 1
            # Some hundred numbers at a time: shifts of long integers are slow.
            take = min((head >> 1) * 8, count - len(numbers))
            for first in range(0, take, 64):
                part = (packed >> (first * width)) & ((1 << (64 * width)) - 1)
                numbers.extend((part >> (at_bit * width)) & mask for at_bit in range(min(64, take - first)))
        else:
            size = (width + 7) // 8
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
            numbers.extend(itertools.repeat(value, head >> 1))
    return numbers[:count]


def uncompress(codec, page, size):
    if codec == 0:
        out = page
    else:
        import pyarrow as pa

        name = {1: "snappy", 6: "zstd", 7: "lz4_raw"}[codec]
        out = pa.decompress(page, size, codec=name, asbytes=True) if size else b""
    same(len(out), size, "uncompressed_page_size")
    return bytes(out)


class Leaf:
    """A leaf column of the schema."""

    def __init__(self, element, path, max_def, max_rep):
        self.path, self.max_def, self.max_rep = path, max_def, max_rep
        self.physical, self.length = element[1], element.get(2, 0)
        logical = next(iter(element.get(10, {}).items()), (None, {}))
        # INTEGER { bit_width, is_signed }
        self.is_unsigned = logical[0] == 10 and not logical[1][2]
        # Text, enums, JSON, BSON, or no logical type; half floats and decimals are not compared.
        self.is_bytes = logical[0] in (None, 1, 4, 12, 13) and element.get(6, 0) < 4
        self.width = {INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8, FIXED: self.length}.get(self.physical, 0)

    def plain(self, data, count):
        """Values as they lie, which must take all of `data`."""
        if self.physical == BOOLEAN:
            same(len(data), (count + 7) // 8, "bytes of values")
            return [bool(data[at // 8] >> (at % 8) & 1) for at in range(count)]
        if self.physical == BYTE_ARRAY:
            values, at = [], 0
            for _ in range(count):
                (length,) = struct.unpack_from("<I", data, at)
                values.append(data[at + 4 : at + 4 + length])
                at += 4 + length
            same(at, len(data), "bytes of values")
            return values
        same(len(data), count * self.width, "bytes of values")
        if self.physical == FIXED:
            return [data[at : at + self.width] for at in range(0, len(data), self.width or 1)]
        return list(struct.unpack(f"<{count}{self.format}", data))

    @property
    def format(self):
        letter = {INT32: "i", INT64: "q", FLOAT: "f", DOUBLE: "d"}[self.physical]
        return letter.upper() if self.is_unsigned else letter

    def bound(self, data):
        """A bound as a value that can be compared."""
        if self.physical == BOOLEAN:
            return data != b"\0"
        return data if self.physical in (BYTE_ARRAY, FIXED) else struct.unpack("<" + self.format, data)[0]

    @property
    def is_ordered(self):
        return self.physical not in (BYTE_ARRAY, FIXED) or self.is_bytes

    def check_bounds(self, values, low, high, exact, what):
        """Bounds that are written must be those of the values; where they are not exact, values lie between them."""
        values = [value for value in values if value == value]
        if not values or not self.is_ordered:
            return
        least, most, low, high = min(values), max(values), self.bound(low), self.bound(high)
        check(low <= least and most <= high, what, f"{least!r} to {most!r} is not in {low!r} to {high!r}")
        check(not exact[0] or low == least, what, f"the minimum is {least!r}, not {low!r}")
        check(not exact[1] or high == most, what, f"the maximum is {most!r}, not {high!r}")


def leaves(elements):
    found, elements = [], iter(elements)
    next(elements)

    def descend(path, max_def, max_rep):
        element = next(elements)
        path = (*path, element[4])
        max_def, max_rep = max_def + (element[3] > 0), max_rep + (element[3] == 2)
        for _ in range(element.get(5, 0)):
            descend(path, max_def, max_rep)
        if 1 in element and not element.get(5):
            found.append(Leaf(element, path, max_def, max_rep))

    try:
        while True:
            descend((), 0, 0)
    except StopIteration:
        return found


class Page:
    def __init__(self, leaf, header, data, dictionary):
        self.values = header[1]
        levels = []
        for limit, encoding in ((leaf.max_rep, header[4]), (leaf.max_def, header[3])):
            if limit:
                same(encoding, RLE, "the encoding of levels")
                (length,) = struct.unpack_from("<I", data)
                levels.append(hybrid(data[4 : 4 + length], limit.bit_length(), self.values))
                data = data[4 + length :]
            else:
                levels.append([0] * self.values)
        check(not levels[0] or levels[0][0] == 0, "a page begins in the middle of a row")
        limits = (leaf.max_rep, leaf.max_def)
        self.histograms = [
            [Counter(each).get(level, 0) for level in range(limit + 1)]
            for each, limit in zip(levels, limits, strict=True)
        ]
        self.rows, there = self.histograms[0][0], self.histograms[1][-1]
        self.nulls = self.values - there
        if header[2] == PLAIN:
            self.data = leaf.plain(data, there)
        elif header[2] == BYTE_STREAM_SPLIT:
            same(len(data), there * leaf.width, "bytes of values")
            self.data = leaf.plain(b"".join(data[at::there] for at in range(there)), there)
        else:
            same(header[2], DICTIONARY, "the encoding of values")
            self.data = [dictionary[word] for word in hybrid(data[1:], data[0], there)] if there else []
        self.text_bytes = sum(map(len, self.data)) if leaf.physical == BYTE_ARRAY else 0


def walk(path):
    """Walks a file; raises `Untrue` at the first number that is not true. Returns how many pages each chunk has."""
    data = path.read_bytes()
    check(data[:4] == data[-4:] == b"PAR1", path, "not a whole Parquet file")
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer, end = thrift(data, start)
    same(end, len(data) - 8, path, "the footer's length")
    columns = leaves(footer[2])
    same(len(footer[7]), len(columns), path, "column orders")
    ranges, rows, counts = [(0, 4, "magic"), (start, len(data), "footer")], 0, []
    for ordinal, group in enumerate(footer[4]):
        what = f"{path}, row group {ordinal}"
        same(len(group[1]), len(columns), what, "columns")
        firsts = []
        for chunk, leaf in zip(group[1], columns, strict=True):
            firsts.append(len(ranges))
            name = b".".join(leaf.path).decode()
            counts.append((name, _walk_chunk(data, chunk, leaf, group[3], ranges, f"{what}, column {name}")))
        same(group[2], sum(chunk[3][6] for chunk in group[1]), what, "total_byte_size")
        first = min((ranges[at][0] for at in firsts), default=group.get(5))
        expected = {5: first, 6: sum(chunk[3][7] for chunk in group[1]), 7: ordinal}
        for field in expected.keys() & group.keys():
            same(group[field], expected[field], what, f"field {field}")
        rows += group[3]
    same(footer[3], rows, path, "rows")
    for one, other in itertools.pairwise(sorted(ranges)):
        check(one[1] <= other[0], path, f"{one} and {other} overlap")
    return counts


def _walk_chunk(data, chunk, leaf, rows, ranges, what):
    meta = chunk[3]
    same((meta[1], tuple(meta[3])), (leaf.physical, leaf.path), what, "type and path")
    check(10 not in meta and 14 not in meta, what, "an index page or a bloom filter")
    start = meta.get(11, meta[9])
    end = start + meta[7]
    check(4 <= start and end <= len(data), what, f"{start} to {end} is not in the file")
    ranges.append((start, end, what))

    def index(field):
        if field not in chunk:
            return None
        found, read = thrift(data, chunk[field])
        same(read - chunk[field], chunk[field + 1], what, "the length of an index")
        ranges.append((chunk[field], read, f"index of {what}"))
        return found

    offsets, column_index = index(4), index(6)
    check(offsets, what, "no offset index")
    at, row, dictionary, pages = start, 0, None, []
    uncompressed, encodings, kinds = 0, set(), Counter()
    while at < end:
        header, body = thrift(data, at)
        after = body + header[3]
        check(after <= end, what, f"the page at {at} ends behind the chunk")
        page = uncompress(meta[4], data[body:after], header[2])
        uncompressed += body - at + len(page)
        if header[1] == DICTIONARY_PAGE:
            same((meta.get(11), at), (at, start), what, "the dictionary's offset")
            dictionary = leaf.plain(page, header[7][1])
            encodings.add(header[7][2])
            kinds[DICTIONARY_PAGE, header[7][2]] += 1
        else:
            same(header[1], DATA_PAGE, what, "the type of a page")
            if not pages:
                same(meta[9], at, what, "data_page_offset")
            number = len(pages)
            check(number < len(offsets[1]), what, f"page {number} has no location")
            location = offsets[1][number]
            same((location[1], location[2], location[3]), (at, after - at, row), what, f"location of page {number}")
            pages.append(Page(leaf, header[5], page, dictionary))
            # The encodings of levels are listed even where there are no levels.
            encodings |= {header[5][2], header[5][3], header[5][4]}
            kinds[DATA_PAGE, header[5][2]] += 1
            row += pages[-1].rows
        at = after
    same(row, rows, what, "rows")
    same(len(offsets[1]), len(pages), what, "pages in the offset index")
    text_bytes = sum(page.text_bytes for page in pages)
    if 2 in offsets:
        same(sum(offsets[2]), text_bytes, what, "bytes of text in the offset index")
    same(11 in meta, dictionary is not None, what, "dictionary_page_offset")
    same(meta[5], sum(page.values for page in pages), what, "num_values")
    same(meta[6], uncompressed, what, "total_uncompressed_size")
    same(set(meta[2]), encodings, what, "encodings")
    if 13 in meta:
        listed = Counter()
        for stat in meta[13]:
            listed[stat[1], stat[2]] += stat[3]
        same(listed, kinds, what, "page encoding stats")
    sums = [[sum(level) for level in zip(*(page.histograms[kind] for page in pages), strict=True)] for kind in (0, 1)]
    sizes = meta.get(16, {})
    for field, expected in ((1, text_bytes), (2, sums[0]), (3, sums[1])):
        if sizes.get(field) not in (None, []) and pages:
            same(sizes[field], expected, what, f"size statistics {field}")
    statistics = meta.get(12, {})
    if 3 in statistics:
        same(statistics[3], sum(page.nulls for page in pages), what, "null_count")
    if 5 in statistics and 6 in statistics:
        values = [value for page in pages for value in page.data]
        exact = (statistics.get(8, True), statistics.get(7, True))
        leaf.check_bounds(values, statistics[6], statistics[5], exact, f"{what}, statistics")
    if column_index:
        _check_column_index(column_index, leaf, pages, what)
    return len(pages)


def _check_column_index(index, leaf, pages, what):
    same([len(index[field]) for field in (1, 2, 3)], [len(pages)] * 3, what, "pages in the column index")
    for number, page in enumerate(pages):
        where = f"{what}, page {number}"
        is_null = page.nulls == page.values
        same(index[1][number], is_null, where, "null_pages")
        if 5 in index:
            same(index[5][number], page.nulls, where, "null_counts")
        low, high = index[2][number], index[3][number]
        if is_null:
            same((low, high), (b"", b""), where, "bounds of nulls")
        else:
            # Long texts are cut off in the index, which says nothing of it.
            leaf.check_bounds(page.data, low, high, (len(low) < 64, len(high) < 64), where)
        for field, histogram in zip((6, 7), page.histograms, strict=True):
            if field in index:
                size = len(histogram)
                same(index[field][number * size : (number + 1) * size], histogram, where, "histogram")
    for field in (2, 3):
        pairs = zip(index[field], index[1], strict=True)
        bounds = [leaf.bound(bound) for bound, is_null in pairs if not is_null and leaf.is_ordered]
        order = {0: bounds, 1: sorted(bounds), 2: sorted(bounds, reverse=True)}[index[4]]
        same(bounds, order, what, "boundary_order")
