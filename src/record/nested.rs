//! Records inside of a value of another: the head of a map, a list or bytes may say too much, and then the records behind are taken
//! for what is in there.

use super::swallowed::are_alike;
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::RawDtype;
use crate::vector::encoding::{self, Encoding, Seen};

/// How many fields of two records are compared.
const FIELDS: u32 = 16;
/// Of fewer elements, anything may be a vector.
const SHORTEST: usize = 4;
/// Maps and lists inside of one another that are looked through.
const DEPTH: usize = 128;
/// What looking for records may cost: bytes of fields that are stepped over, a byte of the value.
const COST: usize = 4;

/// What a value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// No record like the one that it is a value of.
    Nothing,
    /// A record where people put them: under a key, or in a list that begins with it.
    Nested,
    /// A record where only damage can have put it: in a key, in a list that begins with something else, behind text that is none.
    Swallowed,
    /// A record, or the start of one, within bytes.
    Packed,
}

/// What the values of the record at `cursor` hold.
pub(crate) fn held(cursor: Cursor<'_>, raw: RawDtype) -> Result<Held, Broken> {
    let mut fields = cursor;
    let (items, is_map) = match fields.head()? {
        Head::Array(items) => (items, false),
        Head::Map(pairs) => (pairs, true),
        _ => return Ok(Held::Nothing),
    };
    for before in 0..items {
        if is_map {
            fields.skip()?;
        }
        let start = fields.at();
        fields.skip()?;
        match held_by(cursor, before, fields.since(start), raw) {
            Held::Nothing => {}
            held => return Ok(held),
        }
    }
    Ok(Held::Nothing)
}

/// What a `value` of the `record` holds, which has so many fields `before` it: by these another one is told.
pub(crate) fn held_by(record: Cursor<'_>, before: u32, value: &[u8], raw: RawDtype) -> Held {
    let Ok((head, size)) = Head::read(value) else { return Held::Nothing };
    if head.children() == 0 && !matches!(head, Head::Str(_) | Head::Bin(_)) {
        return Held::Nothing;
    }
    let Some(mut others) = Others::new(record, before, &value[size..], raw) else { return Held::Nothing };
    if head.children() == 0 {
        return others.next().map_or(Held::Nothing, |_| Held::Packed);
    }
    let mut walk = Walk::new(head, size);
    others.find_map(|other| walk.held(value, size + other)).unwrap_or(Held::Nothing)
}

/// A field of a record, as far as another record has the same.
struct Field<'a> {
    /// Its key, with its head; empty in an array.
    key: &'a [u8],
    head: Head,
    is_vector: bool,
}

/// Finds what begins like a record in the bytes of one of its values.
struct Others<'a> {
    /// The first key of the record or, where it has no keys, its head.
    mark: &'a [u8],
    is_map: bool,
    /// The fields in front of the value.
    fields: Vec<Field<'a>>,
    value: &'a [u8],
    at: usize,
    /// Bytes of fields that may still be stepped over.
    left: usize,
}

impl<'a> Others<'a> {
    /// `None` where there are none, which is soon seen.
    fn new(record: Cursor<'a>, before: u32, value: &'a [u8], raw: RawDtype) -> Option<Self> {
        let mut cursor = record;
        let start = cursor.at();
        let is_map = matches!(cursor.head().ok()?, Head::Map(_));
        let mark = if is_map {
            let key = cursor.at();
            cursor.skip().ok()?;
            cursor.since(key)
        } else {
            cursor.since(start)
        };
        memchr::memmem::find(value, mark).filter(|_| before > 0)?;
        let fields = fields(record, before.min(FIELDS), raw).ok()?;
        let tells = fields.iter().any(|field| field.is_vector) || is_map && fields.len() > 1;
        tells.then_some(Self { mark, is_map, fields, value, at: 0, left: COST * value.len() })
    }

    /// Where the one at `start` would begin that has the mark at this place.
    fn starts(&self, mark: usize) -> impl Iterator<Item = usize> + use<> {
        let heads = if self.is_map { [Some(1), Some(3)] } else { [Some(0), None] };
        heads.into_iter().flatten().filter_map(move |head| mark.checked_sub(head))
    }

    fn is_other(&mut self, start: usize) -> bool {
        let mut cursor = Cursor::new(&self.value[start..]);
        match cursor.head() {
            Ok(Head::Map(pairs)) if self.is_map && pairs as usize >= self.fields.len() => {}
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
            if value.is_ok_and(|head| !are_alike(field.head, head)) {
                return false;
            }
            same += usize::from(value.is_ok());
            let skipped = cursor.skip();
            self.left = self.left.saturating_sub(cursor.at() - at);
            if skipped.is_err() {
                break;
            }
        }
        let same = &self.fields[..same];
        same.iter().any(|field| field.is_vector) || self.is_map && same.len() > 1
    }
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

/// The first fields of a record.
fn fields(mut record: Cursor<'_>, count: u32, raw: RawDtype) -> Result<Vec<Field<'_>>, Broken> {
    let is_map = matches!(record.head()?, Head::Map(_));
    let field = |_| {
        let start = record.at();
        if is_map {
            record.skip()?;
        }
        let (key, head) = (record.since(start), record.peek()?);
        let is_vector = match encoding::read(&mut record.clone(), raw)? {
            Seen::Vector(encoded) if encoded.encoding == Encoding::Raw => {
                std::str::from_utf8(encoded.bytes()).is_err()
            }
            Seen::Vector(encoded) => encoded.dim >= SHORTEST,
            _ => false,
        };
        record.skip()?;
        Ok(Field { key, head, is_vector })
    };
    (0..count).map(field).collect()
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

    /// What it means that an object like the record is at `target`, which is not in front of those that were asked for before; `None`
    /// where no object begins there.
    fn held(&mut self, value: &[u8], target: usize) -> Option<Held> {
        while self.at < target {
            self.step(value)?;
        }
        let open = self.open.last().filter(|_| self.at == target)?;
        let is_behind_others = !open.is_map && open.passed > 0;
        Some(if open.is_odd || open.is_at_key() || is_behind_others { Held::Swallowed } else { Held::Nested })
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
