//! First objects that hold others than their own: what was found of them is not what the inputs are.

use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, ReadOptions};
use crate::record::{Findings, Layout, swallows_another};

/// Shorter keys may well be as long as the values.
const LONG: u64 = 64;

/// True where the first object of an input that begins with `bytes` holds records that are not its own, whatever can be decoded of
/// them. The error says that this many bytes do not tell.
pub(super) fn is_contradicted(
    findings: &Findings,
    bytes: &[u8],
    options: &ReadOptions,
) -> Result<bool, Broken> {
    let cursor = Cursor::new(bytes);
    let is_guess = options.framing == Framing::Auto;
    match findings.framing {
        Framing::Map if is_guess => has_records_for_keys(cursor),
        Framing::Array if is_guess && goes_on_behind(cursor)? => Ok(true),
        Framing::Map => Ok(false),
        _ if findings.layout == Layout::Positional => takes_another(cursor, findings),
        _ => Ok(false),
    }
}

/// True for a map whose first key begins like its value: so begin two records.
fn has_records_for_keys(mut cursor: Cursor<'_>) -> Result<bool, Broken> {
    cursor.head()?;
    let key = cursor.peek()?;
    cursor.skip()?;
    let is_record = match key {
        Head::Array(_) | Head::Map(_) => true,
        Head::Bin(length) => u64::from(length) >= LONG,
        _ => false,
    };
    Ok(is_record && cursor.peek()? == key)
}

/// True for an array behind which an object follows that begins like the first one in it, and not like another array of such.
fn goes_on_behind(mut cursor: Cursor<'_>) -> Result<bool, Broken> {
    let Head::Array(items @ 1..) = cursor.head()? else { return Ok(false) };
    cursor.require(items.into())?;
    let first = cursor;
    for _ in 0..items {
        cursor.skip()?;
    }
    let (mut first, mut next) = (first, cursor);
    if next.rest().is_empty() || first.head()? != next.head()? {
        return Ok(false);
    }
    let is_alike = |one: Head, other: Head| std::mem::discriminant(&one) == std::mem::discriminant(&other);
    Ok(first.rest().is_empty() || next.rest().is_empty() || is_alike(first.peek()?, next.peek()?))
}

/// True for an array of fields that holds the next record, which then has fewer fields.
fn takes_another(mut cursor: Cursor<'_>, findings: &Findings) -> Result<bool, Broken> {
    if findings.framing == Framing::Array {
        cursor.head()?;
    }
    let first = cursor;
    if first.peek()? != Head::Array(findings.items) {
        return Ok(false);
    }
    cursor.skip()?;
    match cursor.peek()? {
        Head::Array(next) if next < findings.items => swallows_another(first, next),
        _ => Ok(false),
    }
}
