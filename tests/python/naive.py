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


def kind_of(marker):
    if marker <= 0x7F or marker >= 0xE0 or marker in (0xC0, 0xC2, 0xC3) or 0xCA <= marker <= 0xD3:
        return "number"
    if 0x80 <= marker <= 0x8F or marker in (0xDE, 0xDF):
        return "map"
    if is_array(marker):
        return "array"
    if is_string(marker):
        return "string"
    return "bytes" if marker in (0xC4, 0xC5, 0xC6) else "ext"


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
    file, rows, bad, at, record = File(data), [], [], 0, 0
    while at < len(data):
        row, end, kind = file.record(at)
        if kind:
            found = file.gap(at)
            if found is not None:
                end, kind = found, RESERVED
            bad.append((record, at, end - at, kind))
        else:
            file.sure, file.is_astray = 0, False
        if kind not in (CUT, RESERVED):
            rows.append(row)
        at, record = end, record + 1
    return rows, bad


class File:
    def __init__(self, data):
        self.data = data
        # Of what follows a bad record: what begins before this is what it says; and whether nothing speaks for what begins there.
        self.sure, self.is_astray = 0, False
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

    def alike(self, at, start, view):
        """The good record at a place, if it begins as the one at `start` does."""
        good = self.good(at, view)
        return good if good and self.kind(at) == self.kind(start) else None

    def chain_at(self, start):
        """Good records in a row: the length of each, if they have one, and how many items; None if there are none."""
        view = min(len(self.data), start + LOOK)
        at, evidence, stride, count, misses, junk, length, first, is_miss = start, 0, None, 0, 0, 0, 0, 0, False
        items = self.head(start)[2] if isinstance(self.head(start), tuple) else 0
        while True:
            if count >= 3 and evidence >= (8 if misses or junk else 6):
                return stride, items
            if misses:
                is_enough = evidence >= 6 and not is_miss
            else:
                is_enough = evidence >= 3 or (evidence >= 2 and length >= 64)
            if count and at == view:
                return (stride, items) if at == len(self.data) and is_enough else None
            good = self.alike(at, start, view)
            if good is None:
                # Something short in between, or behind the last one?
                if count and misses + junk < 5:
                    behind = (place for place in range(at + 1, at + 9) if place < view)
                    place = next((place for place in behind if self.alike(place, start, view)), None)
                    if place is not None:
                        junk, stride, at = junk + 1, None, place
                        continue
                    if is_enough and view == len(self.data) and view - at <= 8:
                        return stride, items
                # A bad one, as long as the others?
                misses, is_miss = misses + 1, True
                if stride is None or misses > 5 or at + stride > view:
                    return None
                at += stride
                continue
            length = good[0] - at
            if count == 0:
                stride = first = length
            elif length != first:
                stride = None
                if items < 8:
                    return None
            count, evidence, at, is_miss = count + 1, evidence + good[1], good[0], False

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

    def has_odd_text(self, at, to):
        """Whether text in the object from `at` to `to` is neither text nor a vector."""
        while at < to:
            start, payload, _ = self.head(at)
            if is_string(self.data[at]) and payload != SIZE:
                try:
                    self.data[start : start + payload].decode()
                except UnicodeDecodeError:
                    return True
            at = start + payload
        return False

    def is_alike(self, at, end):
        """Whether another object of the same kind follows one."""
        return isinstance(self.head(end), tuple) and kind_of(self.data[at]) == kind_of(self.data[end])

    def is_written(self, at, to, mixed):
        """Whether an object begins at `to` in the container at this place, and somebody wrote what comes before it."""
        containers = []  # how many objects each has, how many are left, the kinds of its keys and values
        while at <= to:
            head = self.head(at)
            if not isinstance(head, tuple):
                return False
            first, payload, objects = head
            if containers:
                count, left, kinds, is_map = containers[-1]
                containers[-1][1] -= 1
                place = is_map and left % 2
                if count > mixed and kinds.setdefault(place, kind_of(self.data[at])) != kind_of(self.data[at]):
                    return False
            if at == to:
                return left * (self.good_at(to)[0] - to) <= 4 << 20
            if is_string(self.data[at]) and first + payload <= to:
                try:
                    self.data[first : first + payload].decode()
                except UnicodeDecodeError:
                    return False
            if objects:
                containers.append([objects, objects, {}, kind_of(self.data[at]) == "map"])
            while containers and containers[-1][1] == 0:
                containers.pop()
            if not containers:
                return False
            at = first + payload
        return False

    def is_for_key(self, at, place):
        """Whether the object at `place` is a key in the one at `at`, or behind a key that holds others."""
        containers = []  # whether they are maps, how many objects are left, how many were passed, whether a key held others
        while True:
            head = self.head(at)
            if not isinstance(head, tuple):
                return False
            first, payload, objects = head
            odd = False
            if containers:
                is_map, _, passed, _ = top = containers[-1]
                is_key = is_map and passed % 2 == 0
                if at == place:
                    return top[3] or is_key
                top[3] = odd = top[3] or (is_key and objects > 0)
                top[1], top[2] = top[1] - 1, passed + 1
            if objects:
                if len(containers) == 128:
                    return False
                containers.append([kind_of(self.data[at]) == "map", objects, 0, odd])
            while containers and containers[-1][1] == 0:
                containers.pop()
            at = first + payload
            if at > place or not containers:
                return False

    def holds(self, at, chain, is_astray):
        """Whether the object at this place is what it says though good records lie inside of it."""
        (start, payload, objects), (stride, items) = self.head(at), self.chain_at(chain)
        length = len(self.data)

        def is_followed(end):
            return end == length or (end < length and self.good(end, min(length, end + LOOK)) is not None)

        if objects == 0:
            end, begins = start + payload, chain == start
            head = self.head(end)
            content = head[0] if isinstance(head, tuple) else length
            is_another = content < length and self.is_alike(at, end) and is_followed(content)
            follows = is_followed(end) or (begins and is_another)
            is_near = end - at <= 4 << 20
            return is_near and follows and (begins or not (is_astray or self.has_odd_text(at, end)))
        # Nobody's keys are vectors, but short bytes may be a name.
        following = self.good_at(chain)[0]
        is_next = following < length and is_followed(following)
        is_key = self.is_for_key(at, chain) or (is_next and self.is_for_key(at, following))
        if following - chain >= 64 and is_key:
            return False
        if stride == chain - at:
            return False
        if is_array(self.data[at]) and is_array(self.data[chain]):
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
            if why or objects * (self.good_at(chain)[0] - chain) > 4 << 20:
                return False
            # A list behind others is followed by another.
            return not is_astray or not is_followed(end)
        if not self.is_written(at, chain, 4 if is_astray else 16):
            return False
        end, why = self.end(at, min(length, at + (4 << 20)))
        return objects <= 4 << 20 and not why and (is_followed(end) or self.is_alike(at, end))

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

    def gap(self, start):
        """Where the good records begin behind the damage that the bad record at `start` is; None if it is none, or nothing is."""
        if start < self.sure:
            return None
        length, step = len(self.data), LOOK // 2
        limit = min(((start + LOOK) // step + 1) * step, length)
        end, why = self.end(start, length)
        chain = self.first_chain(start + 1, limit)
        if chain is None:
            self.is_astray |= is_number(self.data[start]) and isinstance(self.head(start), tuple)
            _, payload, objects = self.head(start) if isinstance(self.head(start), tuple) else (0, 0, 1)
            may_hold_others = self.tidy(start, limit) is None if objects else payload > 4 << 20
            if not why and not may_hold_others:
                return None
            return self.first_chain(limit, length if why else end)
        at, objects, numbers, odd = start, 0, False, False
        reached, stride = chain, self.chain_at(chain)[0]
        while at < chain:
            good = self.good(at, chain) if at > start else None
            if good:
                reached, stride = at, good[0] - at
                break
            numbers |= is_number(self.data[at]) and isinstance(self.head(at), tuple)
            behind, stop = self.end(at, chain)
            if stop == RESERVED:
                return self.first_in_gap(start, start + 1, chain)
            if stop:
                break
            odd |= self.has_odd_text(at, behind)
            at, objects = behind, objects + 1
        if at == reached:
            gap = at - start
            fills = stride and (gap == stride or (stride >= 64 and gap % stride == 0))
            if objects > 1 and ((numbers and fills) or (odd and not is_string(self.data[at]))):
                return self.first_in_gap(start, start + 1, at)
            self.sure = at
            self.is_astray |= numbers or odd
            return None
        is_endless = at == start and max(self.head(start)[1:]) > 256 << 20
        if is_endless or not self.holds(at, chain, self.is_astray or numbers or odd):
            return self.first_in_gap(start, start + 1, chain)
        self.sure = at if self.end(at, length)[1] else self.end(at, length)[0]
        self.is_astray |= numbers or odd
        if why and at == start:
            behind = (end if why == RESERVED else length) + 1
            chain = self.first_chain(behind, length)
            if chain is not None and chain < limit:
                chain = self.first_in_gap(start, behind, chain)
            return chain
        return None
