//! Vectors in a list of one, as encoders of batches give them for a batch of one, and maps of indices to
//! numbers, as languages write arrays that are tables. Other data looks like that as well, so only
//! vector columns read it.

use super::{Elements, Encoded, Encoding, Seen, Types};
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::convert::{Format, Scalar};

/// Looks at the next object, and skips it if it is such a vector.
pub(crate) fn read<'a>(cursor: &mut Cursor<'a>, types: Types<'_>) -> Result<Option<Encoded<'a>>, Broken> {
    let mut ahead = *cursor;
    let found = match ahead.head()? {
        Head::Array(1) => match super::read(&mut ahead, types)? {
            Seen::Vector(encoded) if encoded.rows == 1 && !encoded.is_scalar => Some(encoded),
            _ => None,
        },
        Head::Map(pairs) => indices(&mut ahead, pairs)?,
        _ => None,
    };
    if found.is_some() {
        *cursor = ahead;
    }
    Ok(found)
}

/// Reads a map of indices from 0 or 1 on, integers or text, in any order.
fn indices(cursor: &mut Cursor<'_>, pairs: u32) -> Result<Option<Encoded<'static>>, Broken> {
    cursor.require(2 * u64::from(pairs))?;
    let mut numbers = Vec::new();
    for _ in 0..pairs {
        let index = match cursor.head()? {
            Head::UInt(index) => Some(index),
            Head::Str(length) | Head::Bin(length) => {
                std::str::from_utf8(cursor.take(length as usize)?).ok().and_then(|text| text.parse().ok())
            }
            _ => None,
        };
        let Some(index) = index else { return Ok(None) };
        let start = cursor.at();
        if Scalar::of(cursor.head()?).is_none() {
            return Ok(None);
        }
        numbers.push((index, cursor.since(start)));
    }
    numbers.sort_unstable_by_key(|(index, _)| *index);
    let first = numbers.first().map_or(0, |(index, _)| *index);
    if first > 1 || numbers.iter().zip(first..).any(|((index, _), place)| *index != place) {
        return Ok(None);
    }
    let bytes: Vec<u8> = numbers.iter().flat_map(|(_, number)| number.iter().copied()).collect();
    Ok(Some(Encoded::vector(Encoding::Numbers, Elements::new(Format::Numbers, bytes), numbers.len())))
}
