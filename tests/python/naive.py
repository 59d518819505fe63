"""A decoder of bare vectors in Python, slow and simple: what any bytes must give, damaged ones too.

Its rules for damage are those of docs/design/salvage.md. It has the whole file at hand, and tries every byte.
"""

import functools

import msgpack
import numpy as np

DIM = 2
SIZE = 4 * DIM
LOOK = 128 << 10
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
    """True for booleans as well, but not inside of vectors."""
    return marker <= 0x7F or marker in (0xC2, 0xC3) or 0xCA <= marker <= 0xD3 or marker >= 0xE0


def naive(data):
    """The vectors of `data`, None for what is none, and the rejects: record, offset, length, kind.

    Every object is what it says, and behind bytes that are none there is nothing.
    """
    file, rows, bad, at = File(data), [], [], 0
    while at < len(data):
        row, end, kind = file.record(at)
        if kind:
            bad.append((len(rows), at, end - at, kind))
        if kind not in (CUT, RESERVED):
            rows.append(row)
        at = end
    return rows, bad


def salvage(data):
    """The same for files whose damage is left out."""
    file, rows, bad, at, record, sure = File(data), [], [], 0, 0, 0
    while at < len(data):
        row, end, kind = file.record(at)
        if kind:
            found, sure = file.gap(at, sure)
            if found is not None:
                end, kind = found, RESERVED
            bad.append((record, at, end - at, kind))
        else:
            sure = 0
        if kind not in (CUT, RESERVED):
            rows.append(row)
        at, record = end, record + 1
    return rows, bad


class File:
    def __init__(self, data):
        self.data = data
        # Every place is looked at again and again.
        self.object_at = functools.cache(self.object_at)
        self.good_at = functools.cache(self.good_at)
        self.chain_at = functools.cache(self.chain_at)

    def head(self, at):
        """Where the payload begins, its length, and how many objects follow; CUT or RESERVED."""
        data = self.data
        if at >= len(data):
            return CUT
        marker = data[at]
        if marker == 0xC1:
            return RESERVED
        size, payload, objects = 1, 0, 0

        def number(length):
            return int.from_bytes(data[at + 1 : at + 1 + length], "big")

        if marker <= 0x7F or marker >= 0xE0 or marker in (0xC0, 0xC2, 0xC3):
            pass
        elif marker <= 0x8F:
            objects = 2 * (marker - 0x80)
        elif marker <= 0x9F:
            objects = marker - 0x90
        elif marker <= 0xBF:
            payload = marker - 0xA0
        elif marker in (0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB):
            length = 1 << (marker - (0xC4 if marker < 0xD0 else 0xD9))
            size, payload = 1 + length, number(length)
        elif marker in (0xC7, 0xC8, 0xC9):
            length = 1 << (marker - 0xC7)
            size, payload = 2 + length, number(length)
        elif 0xD4 <= marker <= 0xD8:
            size, payload = 2, 1 << (marker - 0xD4)
        elif marker in (0xDC, 0xDD):
            length = 2 << (marker - 0xDC)
            size, objects = 1 + length, number(length)
        elif marker in (0xDE, 0xDF):
            length = 2 << (marker - 0xDE)
            size, objects = 1 + length, 2 * number(length)
        elif marker in (0xCA, 0xCB):
            size = 1 + (4 << (marker - 0xCA))
        else:
            size = 1 + (1 << ((marker - 0xCC) % 4))
        return (at + size, payload, objects) if at + size <= len(data) else CUT

    def object_at(self, at):
        """Where the object at this place ends, and None; or why it does not, and where."""
        left = 1
        while left:
            head = self.head(at)
            if not isinstance(head, tuple):
                return (head, at)
            start, payload, objects = head
            at, left = start + payload, left - 1 + objects
            if at > len(self.data):
                return (CUT, at)
        return (None, at)

    def end(self, at, limit):
        """The same, where nothing is known of what is behind `limit`: where it ends, and why not."""
        why, place = self.object_at(at)
        if why is None and place <= limit:
            return place, None
        if why == RESERVED and place < limit:
            return place, RESERVED
        return limit, CUT

    def record(self, at):
        """The row, where it ends, and why it is none."""
        end, why = self.end(at, len(self.data))
        if why:
            return None, len(self.data), why
        found, kind = self.vector(at, end)
        return found, end, kind

    def vector(self, at, end):
        marker = self.data[at]
        if is_string(marker) or marker in (0xC4, 0xC5, 0xC6):
            found = self.data[self.head(at)[0] : end]
        else:
            found = array(self.data[at:end])
        if isinstance(found, bytes) and len(found) == SIZE:
            return found, None
        return None, "type" if found is None else "value" if found is False else "dimension"

    def good_at(self, at):
        """Where the vector at this place ends, and how many of its bytes are the same in all; None for anything else."""
        end, why = self.end(at, len(self.data))
        if why or self.vector(at, end)[1] not in (None, "value"):
            return None
        marker, (start, payload, objects) = self.data[at], self.head(at)
        if not is_array(marker):
            return end, min(end - at - payload, 8)
        if objects != DIM:
            return end, min(end - at - SIZE, 8)
        markers, item = set(), start
        while item < end:
            markers.add(self.data[item])
            item = self.object_at(item)[1]
        return end, start - at + (DIM if markers in ({0xCA}, {0xCB}) else 0)

    def good(self, at, view):
        found = self.good_at(at) if at < len(self.data) else None
        return found if found and found[0] <= view else None

    def kind(self, at):
        marker, (_, payload, objects) = self.data[at], self.head(at)
        return payload, objects, is_string(marker), marker in (0xC4, 0xC5, 0xC6)

    def chain_at(self, start):
        """Good records in a row: the length of each, if they have one, and how many items; None if there are none."""
        view = min(len(self.data), start + LOOK)
        at, evidence, stride, count, misses, length = start, 0, None, 0, 0, 0
        while True:
            if count >= 3 and evidence >= 6:
                return stride, items
            if count and at == view:
                ends = at == len(self.data) and (evidence >= 3 or (evidence >= 2 and length >= 64))
                return (stride, items) if ends else None
            good = self.good(at, view)
            if good is None or self.kind(at) != self.kind(start):
                # A bad one, as long as the others?
                misses += 1
                if stride is None or misses > 5 or at + stride > view:
                    return None
                at += stride
                continue
            length = good[0] - at
            items = self.head(start)[2]
            if count == 0:
                stride = length
            elif stride != length:
                stride = None
                if items < 8:
                    return None
            count, evidence, at = count + 1, evidence + good[1], good[0]

    def first_chain(self, start, end):
        """The first place from `start` on, and before `end`, where good records follow one another."""
        return next((at for at in range(start, min(end, len(self.data))) if self.chain_at(at)), None)

    def tidy(self, start, to):
        """Where the object at `start` ends, or what is in it up to `to`; None where text in it is none, or it cannot be read."""
        at, left = start, 1
        while at < to and left:
            head = self.head(at)
            if head == RESERVED:
                return None
            if head == CUT or head[0] > to:
                break
            first, payload, objects = head
            is_text = 0xA0 <= self.data[at] <= 0xBF or 0xD9 <= self.data[at] <= 0xDB
            at, left = first + payload, left - 1 + objects
            if is_text and at <= to:
                try:
                    self.data[first:at].decode()
                except UnicodeDecodeError:
                    return None
        return at

    def holds(self, at, chain, limit, is_first):
        """Whether the object at this place is what it says though good records lie inside of it."""
        (start, payload, objects), (stride, items) = self.head(at), self.chain_at(chain)
        length = len(self.data)

        def is_followed(end):
            return end == length or (end < length and self.good(end, min(length, end + LOOK)) is not None)

        if objects == 0:
            return start + payload - at <= 4 << 20 and is_followed(start + payload)
        if stride == chain - at:
            return False
        both = is_array(self.data[at]) and is_array(self.data[chain])
        if both:
            item = start
            for _ in range(items):
                item, why = self.end(item, chain)
                if why:
                    break
            else:
                if item == chain:
                    return False
        if chain == start:
            end, why = self.end(at, min(length, at + (4 << 20)))
            claim = objects * (self.good_at(chain)[0] - chain)
            return not why and claim <= 4 << 20 and (is_array(self.data[at]) or is_followed(end))
        end, why = self.end(at, limit)
        is_long = why == CUT and limit < length and objects <= limit - at
        if is_first and is_long and self.tidy(at, chain) == chain:
            return True  # too long to tell
        return not why and is_followed(end)

    def first_in_gap(self, start, first, chain):
        """The first good record between `first` and the chain, where the bad one at `start` is damage up to there; or the chain."""
        length = self.good_at(chain)[0] - chain
        for place in range(first, chain):
            at, told = place, 0
            while told < 6:
                good = self.good(at, chain)
                if good is None or self.kind(at) != self.kind(chain):
                    break
                if good[0] - place == length and ((place - start) % length == 0 or (chain - place) % length == 0):
                    return place
                at, told = good[0], told + good[1]
            if told >= 6:
                return place
        return chain

    def gap(self, start, sure):
        """Where the good records begin behind the damage that the bad record at `start` is, None if it is none, or nothing is;
        and before which place all is what it says."""
        if start < sure:
            return None, sure
        length, step = len(self.data), LOOK // 2
        limit = min(((start + LOOK) // step + 1) * step, length)
        end, why = self.end(start, length)
        chain = self.first_chain(start + 1, limit)
        if chain is None:
            _, payload, objects = self.head(start) if isinstance(self.head(start), tuple) else (0, 0, 1)
            may_hold_others = self.tidy(start, limit) is None if objects else payload > 4 << 20
            if not why and not may_hold_others:
                return None, sure
            return self.first_chain(limit, length if why else end), sure
        at, objects, numbers = start, 0, False
        while at < chain:
            numbers |= is_number(self.data[at]) and isinstance(self.head(at), tuple)
            behind, stop = self.end(at, chain)
            if stop == RESERVED:
                return self.first_in_gap(start, start + 1, chain), sure
            if stop:
                break
            at, objects = behind, objects + 1
        stride = self.chain_at(chain)[0]
        if at == chain:
            gap = chain - start
            fills = stride and (gap == stride or (stride >= 64 and gap % stride == 0))
            is_gap = objects > 1 and numbers and fills
            return (self.first_in_gap(start, start + 1, chain), sure) if is_gap else (None, chain)
        head = self.head(start)
        if at == start and max(head[1:]) > 256 << 20:
            return self.first_in_gap(start, start + 1, chain), sure
        if not self.holds(at, chain, limit, at == start):
            return self.first_in_gap(start, start + 1, chain), sure
        if why and at == start:
            behind = (end if why == RESERVED else length) + 1
            chain = self.first_chain(behind, length)
            if chain is not None and chain < limit:
                chain = self.first_in_gap(start, behind, chain)
            return chain, sure
        return None, sure
