//! Arrays that hold a vector with its type and shape beside it.

use super::extension::{LZ4, LZ4_BLOCKS, are_lengths};
use super::{Encoded, Encoding, FORTRAN, Found, SIDE_BUFFER, Shape, Trouble, dtype, numbers, text};
use crate::msgpack::{Cursor, Head};
use crate::vector::dtype::RawDtype;

/// The extension type of vLLM's raw data.
const RAW_VIEW: i8 = 3;

/// Reads an array of which the head has been read. The cursor stays where it is none of these.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, items: u32) -> Found<'a> {
    if items == 0 {
        return Ok(None);
    }
    let mut ahead = *cursor;
    let found = match (items, ahead.peek()?) {
        (3 | 4, Head::Str(_)) => typed(&mut ahead, items == 4)?,
        (3, Head::UInt(1)) => rust_ndarray(&mut ahead)?,
        // MessagePack-CSharp's compressed arrays begin with an extension that tells the blocks' lengths.
        (2.., Head::Ext(LZ4_BLOCKS, length)) => {
            ahead.head()?;
            let lengths = ahead.take(length as usize)?;
            if are_lengths(lengths) && matches!(ahead.peek()?, Head::Bin(_)) {
                return Err(LZ4.into());
            }
            None
        }
        _ => None,
    };
    if found.is_some() {
        *cursor = ahead;
    }
    Ok(found)
}

/// `[dtype, shape, data]`, as vLLM writes it, or `[dtype, shape, order, data]`, as LangGraph does.
fn typed<'a>(cursor: &mut Cursor<'a>, has_order: bool) -> Found<'a> {
    let Some(name) = text(cursor)? else { return Ok(None) };
    // Any text can stand in front of a list: only the name of a type is one.
    if RawDtype::named(&String::from_utf8_lossy(name)).is_none() && !is_foreign_dtype(name) {
        return Ok(None);
    }
    let Some(shape) = Shape::read(cursor)? else { return Ok(None) };
    if has_order {
        match text(cursor)? {
            Some(b"C") => {}
            Some(b"F") if shape.is_flat() => {}
            Some(b"F") => return Err(FORTRAN.into()),
            _ => return Ok(None),
        }
    }
    let data = match cursor.head()? {
        Head::Ext(RAW_VIEW, length) | Head::Bin(length) => cursor.take(length as usize)?,
        Head::UInt(_) => return Err(SIDE_BUFFER.into()),
        _ => return Ok(None),
    };
    Encoded::shaped(Encoding::Tuple, dtype(name)?, &shape, data).map(Some)
}

/// True for names of types that no vector column can hold, as NumPy writes them.
fn is_foreign_dtype(name: &[u8]) -> bool {
    matches!(name, [b'<' | b'>' | b'|', b'O' | b'c' | b'V' | b'S' | b'U' | b'M' | b'm' | b'f', ..])
}

/// `[1, shape, elements]`, as Rust's ndarray writes itself: 1 is the version of its format.
fn rust_ndarray<'a>(cursor: &mut Cursor<'a>) -> Found<'a> {
    cursor.head()?;
    let Some(shape) = Shape::read(cursor)? else { return Ok(None) };
    let Head::Array(items) = cursor.head()? else { return Ok(None) };
    cursor.require(items.into())?;
    let items = items as usize;
    let product = shape.dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
    if product != Some(items) || shape.dims.is_empty() {
        return Ok(None);
    }
    let elements = match numbers(cursor, items) {
        Err(Trouble::NotNumbers { .. }) => return Ok(None),
        found => found?,
    };
    let (rows, outer, dim) = shape.rows()?;
    Ok(Some(Encoded { rows, outer, ..Encoded::vector(Encoding::RustNdarray, elements, dim) }))
}

/// The array from `start` on, of which the first `count` items are numbers: `dtype, shape`, which numcodecs puts behind
/// them, stand at `cursor`.
pub(super) fn numcodecs<'a>(mut start: Cursor<'a>, cursor: &mut Cursor<'a>, count: usize) -> Found<'a> {
    let Some(name) = text(cursor)? else { return Ok(None) };
    let Some(shape) = Shape::read(cursor)? else { return Ok(None) };
    dtype(name)?;
    match shape.dims.split_last() {
        Some((last, outer)) if *last == count && outer.iter().all(|&length| length == 1) => {
            let elements = numbers(&mut start, count)?;
            Ok(Some(Encoded::vector(Encoding::Numcodecs, elements, count)))
        }
        _ => Err(Trouble::Refused(format!("a numcodecs array of shape {shape}"))),
    }
}
