//! The content of a record, field by field, for the messages of inference.

use super::Step;
use super::looks::inside;
use crate::msgpack::{Broken, Cursor, Head};
use crate::text::{bytes, printable};
use crate::values::key;
use crate::vector::Scalar;

/// How many fields a message lists.
const SHOWN: u32 = 12;

/// The fields of the record at `cursor` and what each holds: ``"`v`: extension 42 of 256 bytes"``.
pub(super) fn fields(mut cursor: Cursor<'_>) -> Result<String, Broken> {
    let head = cursor.head()?;
    let (Head::Map(items) | Head::Array(items)) = head else { return Ok(head.to_string()) };
    let mut fields = Vec::new();
    for position in 0..items.min(SHOWN) {
        let name = match head {
            Head::Map(_) => name(&mut cursor)?.unwrap_or_else(|| "a key that is no text".to_owned()),
            _ => Step::Position(position).to_string(),
        };
        fields.push(format!("`{}`: {}", printable(&name), value(cursor)?));
        cursor.skip()?;
    }
    if items > SHOWN {
        fields.push("...".to_owned());
    }
    Ok(if fields.is_empty() { "no fields".to_owned() } else { fields.join(", ") })
}

/// The next key, where it is one that a column can have: Arrow's names are text, and end at a NUL where they cross to
/// another language.
pub(super) fn name(cursor: &mut Cursor<'_>) -> Result<Option<String>, Broken> {
    let mut digits = Default::default();
    let name = key(cursor, &mut digits)?.and_then(|key| std::str::from_utf8(key).ok());
    Ok(name.filter(|name| !name.contains('\0')).map(str::to_owned))
}

/// How deep records are looked for in the first object.
const DEEPEST: usize = 4;

/// A place at which records seem to lie.
pub(super) struct Inside {
    pub(super) path: String,
    /// They are lists of numbers, and maps otherwise.
    pub(super) is_matrix: bool,
}

/// Where in the map at `cursor` the records seem to lie: the path to a list of maps or of vectors.
pub(super) fn records_in(mut cursor: Cursor<'_>, depth: usize) -> Result<Option<Inside>, Broken> {
    let Head::Map(pairs) = cursor.head()? else { return Ok(None) };
    for _ in 0..pairs {
        let name = name(&mut cursor)?;
        let value = cursor;
        cursor.skip()?;
        let Some(name) = name.map(|name| printable(&name)) else { continue };
        let mut inside = value;
        let found = match inside.head()? {
            Head::Array(1..) if is_record(inside)? => {
                let is_matrix = matches!(inside.peek()?, Head::Array(_));
                Some(Inside { path: name, is_matrix })
            }
            Head::Map(_) if depth < DEEPEST => records_in(value, depth + 1)?
                .map(|inside| Inside { path: format!("{name}.{}", inside.path), ..inside }),
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// True for a map that is not empty, and for a list of numbers.
fn is_record(mut cursor: Cursor<'_>) -> Result<bool, Broken> {
    Ok(match cursor.head()? {
        Head::Map(pairs) => pairs > 0,
        Head::Array(1..) => Scalar::of(cursor.peek()?).is_some(),
        _ => false,
    })
}

/// The value at `cursor`, in words.
pub(super) fn value(mut cursor: Cursor<'_>) -> Result<String, Broken> {
    let start = cursor;
    Ok(match cursor.head()? {
        Head::Array(items @ 1..) => match cursor.head()? {
            Head::Array(0) => "lists of 0 items".to_owned(),
            Head::Array(inner) => format!("lists of {inner} {}", plural(cursor.peek()?)),
            head => format!("a list of {items} {}", plural(head)),
        },
        Head::Map(pairs @ 1..=4) => {
            let mut names = Vec::new();
            for _ in 0..pairs {
                names.push(name(&mut cursor)?.map_or("...".to_owned(), |name| printable(&name)));
                cursor.skip()?;
            }
            format!("a map of {}", names.join(", "))
        }
        Head::Ext(code, length) => format!("extension {code} of {} (see option `extensions`)", bytes(length)),
        head => match format(start) {
            Some(format) => format!("{head}: {format}"),
            None => head.to_string(),
        },
    })
}

/// The format of the file that the bytes at `cursor` are.
pub(super) fn format(mut cursor: Cursor<'_>) -> Option<&'static str> {
    let (Head::Bin(length) | Head::Str(length)) = cursor.head().ok()? else { return None };
    inside(cursor.take(length as usize).ok()?)
}

fn plural(head: Head) -> &'static str {
    match head {
        Head::Nil => "nils",
        Head::Bool(_) => "booleans",
        Head::UInt(_) | Head::Int(_) | Head::Float32(_) | Head::Float64(_) => "numbers",
        Head::Str(_) => "strings",
        Head::Bin(_) => "byte strings",
        Head::Array(_) => "lists",
        Head::Map(_) => "maps",
        Head::Ext(..) => "extensions",
    }
}
