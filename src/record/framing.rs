//! Tells a sequence of records from one array or one map that holds all of them, by the first object of the first input that
//! has one. `docs/reading.md` has the rule as a table; [`detect`] names the case that it found.

use super::lists::{List, Lists};
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::vector::encoding::{self, Encoding, Seen, Types};

/// How many items are looked at, and so many are too many for fields of one record.
pub(super) const FEW: u32 = 16;

/// The kind of an item, as far as framing goes.
#[derive(PartialEq, Clone, Copy)]
enum Item {
    Vector,
    /// Rust's ndarray, or an array of fields that begins with the number 1.
    Ndarray,
    Map,
    Array,
    Other,
}

/// The bytes behind those at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// More bytes, perhaps.
    Open,
    /// Nothing.
    OfInput,
    /// Bytes that will not be looked at: those at hand must do.
    OfLooking,
}

/// The framing of an input that begins with `bytes`, and the reason. The error asks for more bytes, or tells that they are not
/// MessagePack.
pub(super) fn detect(bytes: &[u8], end: End, types: Types<'_>) -> Result<(Framing, &'static str), Broken> {
    let ended = end != End::Open;
    let mut cursor = Cursor::new(bytes);
    // Of empty objects in front nothing can be learned.
    for _ in 0..FEW {
        let mut behind = cursor;
        match behind.head()? {
            Head::Array(0) | Head::Map(0) if following(&behind, ended)?.is_some() => cursor = behind,
            _ => break,
        }
    }
    let (framing, items, values) = match cursor.peek()? {
        Head::Array(items) => (Framing::Array, items, 1),
        Head::Map(pairs) => {
            if !matches!(encoding::read(&mut cursor.clone(), types)?, Seen::Other(_)) {
                return Ok((Framing::Sequence, "the first object is a vector"));
            }
            match is_table(cursor, types) {
                Ok(true) => return Ok((Framing::Columns, "the first object is a map of parallel lists")),
                Err(Broken::Short(needed)) if !ended => return Err(Broken::Short(needed)),
                _ => (Framing::Map, pairs, 2),
            }
        }
        _ => return Ok((Framing::Sequence, "the first object is neither an array nor a map")),
    };
    let mut inside = cursor;
    inside.head()?;
    if !ended || inside.rest().is_empty() {
        inside.require(u64::from(items.min(FEW + 1)) * values)?;
    }
    if items == 0 {
        return Ok(match (framing, following(&inside, ended)?) {
            (Framing::Array, None) => (Framing::Array, "there are only empty arrays"),
            _ => (Framing::Sequence, "the first objects are empty"),
        });
    }
    let mut first = None;
    // Items that are larger than all that may be looked at are as good as many.
    let mut is_many = items > FEW;
    let may_be_cut = framing == Framing::Array && items as usize <= bytes.len().max(usize::from(u16::MAX));
    for _ in 0..items.min(FEW + 1) {
        // A nil in a long array is a record as well.
        if framing == Framing::Array && is_many && inside.peek() == Ok(Head::Nil) {
            inside.skip()?;
            continue;
        }
        let key = if framing == Framing::Map { inside.skip() } else { Ok(()) };
        let item = match key.and_then(|()| item(&mut inside, types)) {
            // So are those of an array that is cut off, unless they are more than there can have been.
            Err(Broken::Short(_))
                if first.is_some() && (end == End::OfLooking || ended && is_many && may_be_cut) =>
            {
                is_many = true;
                break;
            }
            found => found?,
        };
        // A number that differs is that of a record.
        let item = match (first, item) {
            (Some(Item::Ndarray), Item::Array) => *first.insert(Item::Array),
            (Some(Item::Array), Item::Ndarray) => Item::Array,
            (_, item) => item,
        };
        if item == Item::Other || *first.get_or_insert(item) != item {
            return Ok((Framing::Sequence, "the first object is a record: its values differ in kind"));
        }
    }
    Ok(match (framing, first) {
        (Framing::Array, Some(Item::Map)) => (Framing::Array, "the first object is an array of maps"),
        (Framing::Array, Some(Item::Array)) => (Framing::Array, "the first object is an array of arrays"),
        (Framing::Array, _) if is_many => (Framing::Array, "the first object is an array of vectors"),
        (Framing::Array, _) => match following(&inside, ended)? {
            Some(Head::Array(next)) if next == items && items > 1 => {
                (Framing::Sequence, "arrays of as many vectors follow one another")
            }
            _ => (Framing::Array, "the first object is an array of vectors, and none with as many follows"),
        },
        (_, Some(Item::Array)) => (Framing::Sequence, "the first object is a record"),
        _ if is_many => (Framing::Map, "the first object is a map of many values of one kind"),
        _ if items > 1 && following(&inside, ended)?.is_none() => {
            (Framing::Map, "the only object is a map of values of one kind")
        }
        _ => (Framing::Sequence, "the first object is a record"),
    })
}

/// True for a map of lists of one length, some of vectors and some of other values. Nils may stand beside them, and bytes
/// of as many vectors with their shape.
fn is_table(cursor: Cursor<'_>, types: Types<'_>) -> Result<bool, Broken> {
    let mut values = cursor;
    let Head::Map(pairs @ ..=FEW) = values.head()? else { return Ok(false) };
    // A value of another kind shows that it is none, before all of them are at hand.
    for _ in 0..pairs {
        values.skip()?;
        let head = values.peek()?;
        if !matches!(head, Head::Array(_) | Head::Map(_) | Head::Ext(..) | Head::Bin(_) | Head::Nil) {
            return Ok(false);
        }
        values.skip()?;
    }
    let lists = Lists::read(cursor, types)?;
    let (mut has_vectors, mut has_others) = (false, false);
    for (name, list) in &lists.lists {
        let (items, is_vectors) = match list {
            List::Array(array) if array.rows > 1 => (*array.outer.first().unwrap_or(&array.rows), true),
            List::Array(array) => (array.dim, false),
            List::Items(items @ 1.., first) => {
                (*items, matches!(item(&mut first.clone(), types)?, Item::Vector | Item::Ndarray))
            }
            List::Value(value) if value.peek()? == Head::Nil => continue,
            _ => match lists.beside.packed().find(|packed| Some(packed.name) == name.as_deref()) {
                Some(packed) => (packed.rows, true),
                None => return Ok(false),
            },
        };
        if items == 0 || items != lists.rows {
            return Ok(false);
        }
        (has_vectors, has_others) = (has_vectors | is_vectors, has_others | !is_vectors);
    }
    Ok(has_vectors && has_others)
}

/// True for a map whose first values differ in kind: a record, and no map of records or vectors.
pub(super) fn differ_in_kind(mut cursor: Cursor<'_>, types: Types<'_>) -> Result<bool, Broken> {
    let Head::Map(pairs) = cursor.head()? else { return Ok(false) };
    let mut first = None;
    for _ in 0..pairs.min(FEW + 1) {
        cursor.skip()?;
        let item = item(&mut cursor, types)?;
        if item == Item::Other || *first.get_or_insert(item) != item {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The head of what follows; `None` at the end of the input.
fn following(cursor: &Cursor<'_>, ended: bool) -> Result<Option<Head>, Broken> {
    match cursor.peek() {
        Ok(head) => Ok(Some(head)),
        Err(Broken::Short(_)) if ended && cursor.rest().is_empty() => Ok(None),
        // The start of something that is cut off, or bytes that are not MessagePack: something follows.
        Err(Broken::Short(needed)) if !ended => Err(Broken::Short(needed)),
        Err(_) => Ok(Some(Head::Nil)),
    }
}

fn item(cursor: &mut Cursor<'_>, types: Types<'_>) -> Result<Item, Broken> {
    let start = *cursor;
    let item = match encoding::read(cursor, types)? {
        Seen::Vector(encoded) if encoded.is_scalar || encoded.dim == 0 => Item::Other,
        Seen::Vector(encoded) if encoded.encoding == Encoding::Raw => {
            // A vector of zeros is UTF-8 as well, but texts hold no NUL.
            let bytes = encoded.bytes();
            let is_text = std::str::from_utf8(bytes).is_ok() && !bytes.contains(&0);
            if is_text { Item::Other } else { Item::Vector }
        }
        Seen::Vector(encoded) if encoded.encoding == Encoding::RustNdarray => Item::Ndarray,
        Seen::Vector(_) | Seen::Refused(_) => Item::Vector,
        Seen::Other(Head::Map(_)) => Item::Map,
        Seen::NotNumbers { .. } => Item::Array,
        Seen::Other(_) => Item::Other,
    };
    *cursor = start;
    cursor.skip()?;
    Ok(item)
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
