//! Records inside of a value of another: the head of a map, a list or bytes may say too much, and then the records behind are taken
//! for what is in there. People put records into others as well, so these are believed wherever somebody could have put them.

use memchr::memmem;

use super::shifted::has_taken_next;
use super::swallowed::are_alike;
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::RawDtype;
use crate::vector::encoding::{self, Encoding, Seen};

/// How many fields of two records are compared.
const FIELDS: usize = 8;
/// Of fewer elements, anything may be a vector.
const SHORTEST: usize = 4;
/// Maps and lists inside of one another that are looked through.
const DEPTH: usize = 128;
/// What looking for records may cost: bytes of fields that are stepped over, a byte of the value.
const COST: usize = 4;

/// What a value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// No record like the one that it is a value of, or one that somebody put there.
    Nothing,
    /// The records behind.
    Swallowed,
    /// A record, or the start of one, within bytes.
    Packed,
}

/// True where the values of the record at `cursor` hold the records behind.
pub(crate) fn swallows_behind(mut cursor: Cursor<'_>, raw: RawDtype) -> Result<bool, Broken> {
    let record = cursor;
    let (items, is_map) = match cursor.head()? {
        Head::Array(items) => (items, false),
        Head::Map(pairs) => (pairs, true),
        _ => return Ok(false),
    };
    let mut passed = Passed::new(record, is_map, items);
    for _ in 0..items {
        let key = cursor.at();
        if is_map {
            cursor.skip()?;
        }
        let start = cursor.at();
        cursor.skip()?;
        if passed.held_by(key, cursor.since(start), raw) == Held::Swallowed {
            return Ok(true);
        }
        passed.pass(key, start);
    }
    Ok(false)
}

/// Whether the good record at `place` inside of another one, and all that is behind it up to the end of that, can be the records behind:
/// they have the fields of the one that they are in, as far as the one where they are.
pub(crate) fn can_be_behind(record: &[u8], place: usize) -> bool {
    let same = same_fields(record, &record[place..], place).unwrap_or(0);
    let mark = &record[place..place + same];
    let mut cursor = Cursor::new(&record[place..]);
    while same > 0 && cursor.rest().starts_with(mark) && cursor.skip().is_ok() {}
    same > 0 && cursor.rest().is_empty()
}

/// True where the object at `place` is a key in the one that `bytes` begin with, or stands behind a key that is a map or an array.
pub(crate) fn is_for_key(bytes: &[u8], place: usize) -> bool {
    Head::read(bytes)
        .is_ok_and(|(head, size)| matches!(Walk::new(head, size).place(bytes, place), Some(Place::AsKey)))
}

/// Bytes of the head of another record, and of its first key, if it has the fields that a record has up to one with this `place` in it;
/// else 0.
pub(crate) fn same_fields(record: &[u8], other: &[u8], place: usize) -> Result<usize, Broken> {
    let (mut one, mut other) = (Cursor::new(record), Cursor::new(other));
    let (head, other_head) = (one.head()?, other.head()?);
    let Head::Map(pairs) = head else { return Ok(if head == other_head { other.at() } else { 0 }) };
    if !matches!(other_head, Head::Map(_)) {
        return Ok(0);
    }
    let mut begin = 0;
    for pair in 0..pairs {
        let (key, other_key) = (one.at(), other.at());
        one.skip()?;
        other.skip()?;
        if one.since(key) != other.since(other_key) {
            return Ok(0);
        }
        if pair == 0 {
            begin = other.at();
        }
        one.skip()?;
        if one.at() > place {
            break;
        }
        other.skip()?;
    }
    Ok(begin)
}

/// The fields of a record that have been passed: by the first ones another record is told.
pub(crate) struct Passed<'a> {
    record: Cursor<'a>,
    is_map: bool,
    /// How many are still to come.
    left: u32,
    /// Where the first keys and their values begin, which is one in an array.
    places: [(usize, usize); FIELDS],
    count: usize,
    /// How many came behind these.
    more: usize,
    /// The first ones, as far as they had to be looked at.
    fields: Vec<Field<'a>>,
}

impl<'a> Passed<'a> {
    /// None of the `items` of the record at the cursor.
    pub(crate) fn new(record: Cursor<'a>, is_map: bool, items: u32) -> Self {
        let fields = Vec::new();
        Self { record, is_map, left: items, places: [(0, 0); FIELDS], count: 0, more: 0, fields }
    }

    /// Another one, of which the cursor has seen key and value begin at these places.
    pub(crate) fn pass(&mut self, key: usize, value: usize) {
        self.left = self.left.saturating_sub(1);
        if let Some(place) = self.places.get_mut(self.count) {
            *place = (key, value);
            self.count += 1;
        } else {
            self.more += 1;
        }
    }

    /// What the next `value` holds, of which the key begins at this place.
    pub(crate) fn held_by(&mut self, key: usize, value: &[u8], raw: RawDtype) -> Held {
        let Ok((head, size)) = Head::read(value) else { return Held::Nothing };
        let is_bytes = matches!(head, Head::Str(_) | Head::Bin(_));
        // What a list or map swallows is at its end, and so at that of its record.
        if !is_bytes && (head.children() == 0 || self.left != 1) {
            return Held::Nothing;
        }
        let (record, is_map) = (self.record, self.is_map);
        let Some(mut others) = self.others(key, &value[size..], raw) else { return Held::Nothing };
        if is_bytes {
            return others.find(|other| other.has_own).map_or(Held::Nothing, |_| Held::Packed);
        }
        if is_map && has_taken_next(record, value).unwrap_or(false) {
            return Held::Swallowed;
        }
        let mut walk = Walk::new(head, size);
        while let Some(Other { at, has_own }) = others.next() {
            let is_swallowed = match walk.place(value, size + at) {
                Some(Place::AsKey) => true,
                Some(Place::Odd) => has_own,
                _ => false,
            };
            if is_swallowed && others.fill_from(at) {
                return Held::Swallowed;
            }
        }
        Held::Nothing
    }

    /// What begins like the record in some bytes of the value with a key at this place; `None` where nothing does, which is soon seen.
    fn others<'b>(&'b mut self, key: usize, value: &'b [u8], raw: RawDtype) -> Option<Others<'b>> {
        let (begin, bytes) = (self.record.at(), self.record.rest());
        let (first_key, first) = self.places[..self.count].first()?;
        let mark =
            if self.is_map { &bytes[first_key - begin..first - begin] } else { &bytes[..first_key - begin] };
        if value.len() < mark.len() {
            return None;
        }
        memmem::find(value, mark)?;
        while self.fields.len() < self.count {
            let (key, start) = self.places[self.fields.len()];
            self.fields.push(Field::new(&bytes[key - begin..start - begin], &bytes[start - begin..], raw));
        }
        let fields = &self.fields[..];
        let tells = fields.iter().any(|field| field.is_vector) || self.is_map && fields.len() > 1;
        if !tells || fields.iter().any(|field| field.least > value.len()) {
            return None;
        }
        let mut own = Cursor::new(&bytes[key - begin..]);
        let own_key = if self.is_map { own.skip().map(|()| own.since(0)).ok()? } else { &[] };
        let (is_map, more, left) = (self.is_map, self.more, COST * value.len());
        Some(Others { mark: memmem::Finder::new(mark), is_map, fields, more, own_key, value, at: 0, left })
    }
}

/// A field of a record, as far as another record has the same.
struct Field<'a> {
    /// Its key, with its head; empty in an array.
    key: &'a [u8],
    head: Head,
    is_vector: bool,
    /// So many bytes it takes at the least in another record.
    least: usize,
}

impl<'a> Field<'a> {
    /// The one with this `key` and a value at the start of `bytes`, which was read before.
    fn new(key: &'a [u8], bytes: &[u8], raw: RawDtype) -> Self {
        let mut value = Cursor::new(bytes);
        let head = value.peek().unwrap_or(Head::Nil);
        let is_vector = match encoding::read(&mut value, raw) {
            Ok(Seen::Vector(encoded)) if encoded.encoding == Encoding::Raw => {
                std::str::from_utf8(encoded.bytes()).is_err()
            }
            Ok(Seen::Vector(encoded)) => encoded.dim >= SHORTEST,
            _ => false,
        };
        let least = if let (true, Head::Array(items)) = (is_vector, head) { items as usize } else { 0 };
        Self { key, head, is_vector, least }
    }

    /// Whether the value of such a field may begin so. Vectors are as long as one another, other lists and bytes of any length.
    fn may_be(&self, head: Head) -> bool {
        match (self.head, head) {
            (Head::Array(_), Head::Array(_)) | (Head::Bin(_), Head::Bin(_)) if !self.is_vector => true,
            (one, other) => are_alike(one, other),
        }
    }
}

/// What begins like a record, in one of its values.
struct Other {
    at: usize,
    /// It has the fields of the record, and the one that it is in as well, as far as it goes. Smaller ones of their own, such as parts of a
    /// text, have not.
    has_own: bool,
}

/// Finds what begins like a record in the bytes of one of its values.
struct Others<'a> {
    /// Finds the first key of the record or, where it has no keys, its head.
    mark: memmem::Finder<'a>,
    is_map: bool,
    /// The first fields in front of the value, how many there are between these and it, and its key.
    fields: &'a [Field<'a>],
    more: usize,
    own_key: &'a [u8],
    value: &'a [u8],
    at: usize,
    /// Bytes that may still be looked at, of marks and of fields that are stepped over.
    left: usize,
}

impl Others<'_> {
    /// Where the one at `start` would begin that has the mark at this place.
    fn starts(&self, mark: usize) -> impl Iterator<Item = usize> + use<> {
        let heads = if self.is_map { [Some(1), Some(3)] } else { [Some(0), None] };
        heads.into_iter().flatten().filter_map(move |head| mark.checked_sub(head))
    }

    fn other(&mut self, start: usize) -> Option<Other> {
        let mut cursor = Cursor::new(&self.value[start..]);
        let items = match cursor.head() {
            Ok(Head::Map(pairs)) if self.is_map => pairs as usize,
            Ok(Head::Array(items)) if !self.is_map => items as usize,
            _ => return None,
        };
        let (fields, mut same, mut is_cut) = (self.fields, 0, false);
        // Behind damage the fields of the record that it is in are none.
        let mut is_other = self.is_map && items <= fields.len();
        for field in fields.iter().take(items) {
            if !cursor.rest().starts_with(field.key) {
                is_other = true;
                break;
            }
            let mut value = cursor;
            let head = value.take(field.key.len()).and_then(|_| value.peek());
            if head.is_ok_and(|head| !field.may_be(head)) {
                return None;
            }
            same += usize::from(head.is_ok());
            is_cut = !self.step_over(&mut cursor)?;
            if is_cut {
                break;
            }
        }
        for _ in 0..self.more {
            is_cut = is_cut || is_other || !self.step_over(&mut cursor)?;
        }
        let has_more = items > fields.len() + self.more;
        let has_own = !is_other && (is_cut || has_more && is_start(cursor.rest(), self.own_key));
        let same = &fields[..same];
        let tells = same.iter().any(|field| field.is_vector) || self.is_map && same.len() > 1;
        tells.then_some(Other { at: start, has_own })
    }

    /// Steps over a field. False where the bytes end inside of it; `None` where looking has cost too much.
    fn step_over(&mut self, cursor: &mut Cursor<'_>) -> Option<bool> {
        let at = cursor.at();
        let key = if self.is_map { cursor.skip() } else { Ok(()) };
        let is_whole = key.and_then(|()| cursor.skip()).is_ok();
        self.left = self.left.checked_sub(cursor.at() - at)?;
        Some(is_whole)
    }

    /// True where one begins as far as its mark tells.
    fn begins(&self, mut cursor: Cursor<'_>) -> bool {
        (!self.is_map || matches!(cursor.head(), Ok(Head::Map(_))))
            && cursor.rest().starts_with(self.mark.needle())
    }

    /// True where nothing but such records, and arrays of them, follow from here to the end of the value.
    fn fill_from(&mut self, start: usize) -> bool {
        let mut cursor = Cursor::new(&self.value[start..]);
        while !cursor.rest().is_empty() {
            // Or the head of an array of them.
            let is_one =
                self.begins(cursor) || matches!(cursor.head(), Ok(Head::Array(_))) && self.begins(cursor);
            if !is_one {
                return false;
            }
            let at = cursor.at();
            if self.left == 0 || cursor.skip().is_err() {
                return false;
            }
            self.left = self.left.saturating_sub(cursor.at() - at);
        }
        true
    }
}

/// True where `bytes` begin with others, as far as they go.
fn is_start(bytes: &[u8], others: &[u8]) -> bool {
    let length = bytes.len().min(others.len());
    bytes[..length] == others[..length]
}

impl Iterator for Others<'_> {
    type Item = Other;

    fn next(&mut self) -> Option<Other> {
        loop {
            let found = self.at + self.mark.find(&self.value[self.at..])?;
            self.at = found + 1;
            self.left = self.left.checked_sub(self.mark.needle().len())?;
            if let Some(other) = self.starts(found).find_map(|start| self.other(start)) {
                return Some(other);
            }
        }
    }
}

/// Where a record stands in a value.
enum Place {
    /// Where people put them: the value of a key, or the first item of a list.
    Theirs,
    /// Where hardly anybody does: behind other items, in a list of lists, or behind text that is none.
    Odd,
    /// Where nobody does: for a key, or behind a key that is a map or an array.
    AsKey,
}

/// A container that the next object is in.
struct Open {
    is_map: bool,
    /// Objects that are still to come, and that were passed.
    left: u64,
    passed: u64,
    /// What stands in it so far, or in front of it in what it is in: a map or an array for a key, and text that is none.
    has_odd_key: bool,
    has_odd_text: bool,
}

impl Open {
    fn new(head: Head) -> Self {
        let is_map = matches!(head, Head::Map(_));
        Self { is_map, left: head.children(), passed: 0, has_odd_key: false, has_odd_text: false }
    }

    fn is_at_key(&self) -> bool {
        self.is_map && self.passed.is_multiple_of(2)
    }
}

/// A way through a value, from object to object.
struct Walk {
    at: usize,
    open: Vec<Open>,
}

impl Walk {
    /// Behind the head of a container, which takes `size` bytes.
    fn new(head: Head, size: usize) -> Self {
        Self { at: size, open: vec![Open::new(head)] }
    }

    /// What kind of place a record at `target` has, which is not in front of those that were asked for before. `None` where no object
    /// begins there.
    fn place(&mut self, value: &[u8], target: usize) -> Option<Place> {
        while self.at < target {
            self.step(value)?;
        }
        let open = self.open.last().filter(|_| self.at == target)?;
        let is_in_lists = self.open.iter().rev().take(2).filter(|open| !open.is_map).count() == 2;
        Some(match open {
            _ if open.has_odd_key || open.is_at_key() => Place::AsKey,
            _ if open.has_odd_text || is_in_lists || !open.is_map && open.passed > 0 => Place::Odd,
            _ => Place::Theirs,
        })
    }

    fn step(&mut self, value: &[u8]) -> Option<()> {
        let (head, size) = Head::read(value.get(self.at..)?).ok()?;
        let open = self.open.last_mut()?;
        let start = self.at + size;
        self.at = start.checked_add(usize::try_from(head.payload()).ok()?)?;
        if matches!(head, Head::Str(_)) {
            open.has_odd_text |= std::str::from_utf8(value.get(start..self.at)?).is_err();
        }
        open.has_odd_key |= open.is_at_key() && matches!(head, Head::Array(_) | Head::Map(_));
        let (has_odd_key, has_odd_text) = (open.has_odd_key, open.has_odd_text);
        (open.left, open.passed) = (open.left - 1, open.passed + 1);
        if head.children() > 0 {
            if self.open.len() == DEPTH {
                return None;
            }
            self.open.push(Open { has_odd_key, has_odd_text, ..Open::new(head) });
        }
        while self.open.pop_if(|open| open.left == 0).is_some() {}
        Some(())
    }
}
