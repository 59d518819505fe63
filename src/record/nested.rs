//! Records inside of a value of another: the head of a map, a list or bytes may say too much, and then the records behind are taken
//! for what is in there. People put records into others as well, so these are believed wherever somebody could have put them.

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

/// What the values of the record at `cursor` hold.
pub(crate) fn held(mut cursor: Cursor<'_>, raw: RawDtype) -> Result<Held, Broken> {
    let record = cursor;
    let (items, is_map) = match cursor.head()? {
        Head::Array(items) => (items, false),
        Head::Map(pairs) => (pairs, true),
        _ => return Ok(Held::Nothing),
    };
    let mut passed = Passed::new(record, is_map, items);
    for _ in 0..items {
        let key = cursor.at();
        if is_map {
            cursor.skip()?;
        }
        let start = cursor.at();
        cursor.skip()?;
        let held = passed.held_by(key, cursor.since(start), raw);
        if held != Held::Nothing {
            return Ok(held);
        }
        passed.pass(key, start);
    }
    Ok(Held::Nothing)
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
}

impl<'a> Passed<'a> {
    /// None of the `items` of the record at the cursor.
    pub(crate) fn new(record: Cursor<'a>, is_map: bool, items: u32) -> Self {
        Self { record, is_map, left: items, places: [(0, 0); FIELDS], count: 0 }
    }

    /// Another one, of which the cursor has seen key and value begin at these places.
    pub(crate) fn pass(&mut self, key: usize, value: usize) {
        self.left = self.left.saturating_sub(1);
        if let Some(place) = self.places.get_mut(self.count) {
            *place = (key, value);
            self.count += 1;
        }
    }

    /// What the next `value` holds, of which the key begins at this place.
    pub(crate) fn held_by(&self, key: usize, value: &[u8], raw: RawDtype) -> Held {
        let Ok((head, size)) = Head::read(value) else { return Held::Nothing };
        let is_bytes = matches!(head, Head::Str(_) | Head::Bin(_));
        // What a list or map swallows is at its end, and so at that of its record.
        if !is_bytes && (head.children() == 0 || self.left != 1) {
            return Held::Nothing;
        }
        let Some(mut others) = self.others(key, &value[size..], raw) else { return Held::Nothing };
        if is_bytes {
            return others.next().map_or(Held::Nothing, |_| Held::Packed);
        }
        let mut walk = Walk::new(head, size);
        while let Some(at) = others.next() {
            if walk.is_odd(value, size + at) == Some(true) && others.fill_from(at) {
                return Held::Swallowed;
            }
        }
        Held::Nothing
    }

    /// What begins like the record in some bytes of the value with a key at this place; `None` where nothing does, which is soon seen.
    fn others<'b>(&self, key: usize, value: &'b [u8], raw: RawDtype) -> Option<Others<'b>>
    where
        'a: 'b,
    {
        let (begin, bytes) = (self.record.at(), self.record.rest());
        let (first_key, first) = self.places[..self.count].first()?;
        let mark =
            if self.is_map { &bytes[first_key - begin..first - begin] } else { &bytes[..first_key - begin] };
        memchr::memmem::find(value, mark)?;
        let field = |&(key, start): &(usize, usize)| {
            let cursor = Cursor::new(&bytes[start - begin..]);
            Field::new(&bytes[key - begin..start - begin], cursor, value.len(), raw)
        };
        let fields = self.places[..self.count].iter().map(field).collect::<Option<Vec<_>>>()?;
        let tells = fields.iter().any(|field| field.is_vector) || self.is_map && fields.len() > 1;
        let mut own = Cursor::new(&bytes[key - begin..]);
        let own_key = if self.is_map { own.skip().map(|()| own.since(0)).ok()? } else { &[] };
        let (is_map, left) = (self.is_map, COST * value.len());
        tells.then_some(Others { mark, is_map, fields, own_key, value, at: 0, left })
    }
}

/// A field of a record, as far as another record has the same.
struct Field<'a> {
    /// Its key, with its head; empty in an array.
    key: &'a [u8],
    head: Head,
    is_vector: bool,
}

impl<'a> Field<'a> {
    /// The one with this `key` and the value at the cursor; `None` if as many bytes as there are hold no value like that.
    fn new(key: &'a [u8], mut value: Cursor<'_>, most: usize, raw: RawDtype) -> Option<Self> {
        let head = value.peek().ok()?;
        let is_vector = match encoding::read(&mut value, raw).ok()? {
            Seen::Vector(_) if matches!(head, Head::Array(items) if items as usize > most) => return None,
            Seen::Vector(encoded) if encoded.encoding == Encoding::Raw => {
                std::str::from_utf8(encoded.bytes()).is_err()
            }
            Seen::Vector(encoded) => encoded.dim >= SHORTEST,
            _ => false,
        };
        Some(Self { key, head, is_vector })
    }

    /// Whether the value of such a field may begin so. Vectors are as long as one another, other lists and bytes of any length.
    fn may_be(&self, head: Head) -> bool {
        match (self.head, head) {
            (Head::Array(_), Head::Array(_)) | (Head::Bin(_), Head::Bin(_)) if !self.is_vector => true,
            (one, other) => are_alike(one, other),
        }
    }
}

/// Finds what begins like a record in the bytes of one of its values.
struct Others<'a> {
    /// The first key of the record or, where it has no keys, its head.
    mark: &'a [u8],
    is_map: bool,
    /// The fields in front of the value, if they are not too many, and its key.
    fields: Vec<Field<'a>>,
    own_key: &'a [u8],
    value: &'a [u8],
    at: usize,
    /// Bytes of fields that may still be stepped over.
    left: usize,
}

impl Others<'_> {
    /// Where the one at `start` would begin that has the mark at this place.
    fn starts(&self, mark: usize) -> impl Iterator<Item = usize> + use<> {
        let heads = if self.is_map { [Some(1), Some(3)] } else { [Some(0), None] };
        heads.into_iter().flatten().filter_map(move |head| mark.checked_sub(head))
    }

    fn is_other(&mut self, start: usize) -> bool {
        let mut cursor = Cursor::new(&self.value[start..]);
        match cursor.head() {
            Ok(Head::Map(pairs)) if self.is_map && pairs as usize > self.fields.len() => {}
            Ok(Head::Array(_)) if !self.is_map => {}
            _ => return false,
        }
        let mut same = 0;
        for field in &self.fields {
            let at = cursor.at();
            if self.left == 0 || !cursor.rest().starts_with(field.key) {
                return false;
            }
            let value = cursor.take(field.key.len()).and_then(|_| cursor.peek());
            if value.is_ok_and(|head| !field.may_be(head)) {
                return false;
            }
            same += usize::from(value.is_ok());
            let skipped = cursor.skip();
            self.left = self.left.saturating_sub(cursor.at() - at);
            if skipped.is_err() {
                break;
            }
        }
        // Smaller ones of their own, such as parts of a text, have not the field that they are in.
        if same == self.fields.len() && same < FIELDS && !is_start(cursor.rest(), self.own_key) {
            return false;
        }
        let same = &self.fields[..same];
        same.iter().any(|field| field.is_vector) || self.is_map && same.len() > 1
    }

    /// True where nothing but such records follow from here to the end of the value.
    fn fill_from(&mut self, start: usize) -> bool {
        let mut cursor = Cursor::new(&self.value[start..]);
        while !cursor.rest().is_empty() {
            let mut ahead = cursor;
            if self.is_map && !matches!(ahead.head(), Ok(Head::Map(_)))
                || !ahead.rest().starts_with(self.mark)
            {
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
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let found = self.at + memchr::memmem::find(&self.value[self.at..], self.mark)?;
            self.at = found + 1;
            if let Some(start) = self.starts(found).find(|&start| self.is_other(start)) {
                return Some(start);
            }
        }
    }
}

/// A container that the next object is in.
struct Open {
    is_map: bool,
    /// Objects that are still to come, and that were passed.
    left: u64,
    passed: u64,
    /// It has a map or an array for a key, or text that is none: nobody writes that.
    is_odd: bool,
}

impl Open {
    fn new(head: Head, is_odd: bool) -> Self {
        Self { is_map: matches!(head, Head::Map(_)), left: head.children(), passed: 0, is_odd }
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
        Self { at: size, open: vec![Open::new(head, false)] }
    }

    /// Whether nobody puts a record where the object at `target` is, which is not in front of those that were asked for before: a key,
    /// or an item behind others. `None` where no object begins there.
    fn is_odd(&mut self, value: &[u8], target: usize) -> Option<bool> {
        while self.at < target {
            self.step(value)?;
        }
        let open = self.open.last().filter(|_| self.at == target)?;
        Some(open.is_odd || open.is_at_key() || !open.is_map && open.passed > 0)
    }

    fn step(&mut self, value: &[u8]) -> Option<()> {
        let (head, size) = Head::read(value.get(self.at..)?).ok()?;
        let open = self.open.last_mut()?;
        let start = self.at + size;
        self.at = start.checked_add(usize::try_from(head.payload()).ok()?)?;
        if matches!(head, Head::Str(_)) {
            open.is_odd |= std::str::from_utf8(value.get(start..self.at)?).is_err();
        }
        open.is_odd |= open.is_at_key() && matches!(head, Head::Array(_) | Head::Map(_));
        let is_odd = open.is_odd;
        (open.left, open.passed) = (open.left - 1, open.passed + 1);
        if head.children() > 0 {
            if self.open.len() == DEPTH {
                return None;
            }
            self.open.push(Open::new(head, is_odd));
        }
        while self.open.pop_if(|open| open.left == 0).is_some() {}
        Some(())
    }
}
