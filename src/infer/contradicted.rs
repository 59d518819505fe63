//! First objects that hold others than their own: what was found of them is not what the inputs are.

use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, ReadOptions};
use crate::record::{Findings, Layout, swallows_another};

/// Shorter keys may well be as long as the values.
const LONG: u64 = 64;

/// Where something begins that speaks against the first object of an input that begins with `bytes`, whatever can be decoded of it: it
/// holds records that are not its own, or its own go on behind it. Damage before that place may be the reason as well. The error says
/// that this many bytes do not tell.
pub(super) fn contradicted_at(
    findings: &Findings,
    bytes: &[u8],
    options: &ReadOptions,
) -> Result<Option<u64>, Broken> {
    let cursor = Cursor::new(bytes);
    let is_guess = options.framing == Framing::Auto;
    if findings.framing == Framing::Map {
        return Ok((is_guess && has_records_for_keys(cursor)?).then_some(0));
    }
    if findings.framing == Framing::Array
        && is_guess
        && let Some(end) = end_where_items_go_on(cursor)?
    {
        return Ok(Some(end as u64));
    }
    let takes_another = findings.layout == Layout::Positional && takes_another(cursor, findings)?;
    Ok(takes_another.then_some(0))
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

/// The end of an array behind which an object follows that begins like the first one in it, and not like another array of such.
fn end_where_items_go_on(mut cursor: Cursor<'_>) -> Result<Option<usize>, Broken> {
    let Head::Array(items @ 1..) = cursor.head()? else { return Ok(None) };
    cursor.require(items.into())?;
    let first = cursor;
    for _ in 0..items {
        cursor.skip()?;
    }
    let end = cursor.at();
    let (mut first, mut next) = (first, cursor);
    if next.rest().is_empty() || first.head()? != next.head()? {
        return Ok(None);
    }
    let are_alike = |one: Head, other: Head| std::mem::discriminant(&one) == std::mem::discriminant(&other);
    let goes_on = first.rest().is_empty() || next.rest().is_empty() || are_alike(first.peek()?, next.peek()?);
    Ok(goes_on.then_some(end))
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
