//! Arrays of fields that say they are longer than they are: the records behind them are then some fields more.

use crate::msgpack::{Broken, Cursor, Head};

/// How many items beyond those that are known are looked at: the first ones are the next records, if they are any.
const LOOKED_AT: u32 = 64;

/// True where the array at `cursor`, of more than the `known` items that records have, holds another one of them: an item
/// further on that is an array of so many items, each like the one of the record in the same place.
///
/// Fields that come later are what they are otherwise: more of them are allowed.
pub(crate) fn swallows_another(mut cursor: Cursor<'_>, known: u32) -> Result<bool, Broken> {
    match cursor.head()? {
        Head::Array(items) if known > 0 && items > known => {
            cursor.require(items.into())?;
            let mut heads = Vec::new();
            for _ in 0..known {
                heads.push(cursor.peek()?);
                cursor.skip()?;
            }
            for _ in known..items.min(known.saturating_add(LOOKED_AT)) {
                if is_record(cursor, &heads)? {
                    return Ok(true);
                }
                cursor.skip()?;
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

fn is_record(mut cursor: Cursor<'_>, heads: &[Head]) -> Result<bool, Broken> {
    if cursor.head()? != Head::Array(heads.len() as u32) {
        return Ok(false);
    }
    for head in heads {
        if !are_alike(*head, cursor.peek()?) {
            return Ok(false);
        }
        cursor.skip()?;
    }
    Ok(true)
}

/// Whether two values of a field may begin so.
pub(super) fn are_alike(one: Head, other: Head) -> bool {
    let is_number =
        |head| matches!(head, Head::UInt(_) | Head::Int(_) | Head::Float32(_) | Head::Float64(_) | Head::Nil);
    match (one, other) {
        (Head::Bool(_), Head::Bool(_)) | (Head::Str(_), Head::Str(_)) | (Head::Map(_), Head::Map(_)) => true,
        (Head::Ext(code, length), Head::Ext(other, more)) => code == other && length == more,
        // One vector, packed or not.
        (Head::Bin(bytes), Head::Array(items)) | (Head::Array(items), Head::Bin(bytes)) => {
            [1, 2, 4, 8].iter().any(|size| items.checked_mul(*size) == Some(bytes))
        }
        (Head::Bin(_) | Head::Array(_), _) => one == other,
        _ => is_number(one) && is_number(other),
    }
}
