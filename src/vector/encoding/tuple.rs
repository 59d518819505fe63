//! Arrays that hold a vector with its type and shape beside it.

use super::{Encoded, Encoding, FORTRAN, SIDE_BUFFER, Shape, Trouble, dtype, numbers, text};
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::dtype::RawDtype;

/// The extension type of vLLM's raw data.
const RAW_VIEW: i8 = 3;

/// A vector and the cursor behind it, or why it is refused.
type Found<'a> = Result<(Encoded<'a>, Cursor<'a>), String>;

/// Reads an array of which the head has been read; `None` where it is none of these.
pub(super) fn read<'a>(cursor: Cursor<'a>, items: u32) -> Result<Option<Found<'a>>, Broken> {
    if !matches!(items, 3 | 4) {
        return Ok(lz4(cursor, items)?.map(Err));
    }
    let mut end = cursor;
    let found = match end.peek()? {
        Head::Str(_) => typed(&mut end, items == 4),
        Head::UInt(1) if items == 3 => rust_ndarray(&mut end),
        _ => return Ok(lz4(cursor, items)?.map(Err)),
    };
    match found {
        Ok(found) => Ok(found.map(|encoded| Ok((encoded, end)))),
        Err(Trouble::Refused(what)) => Ok(Some(Err(what))),
        Err(Trouble::Broken(broken)) => Err(broken),
    }
}

/// MessagePack-CSharp's compressed arrays begin with an extension that tells the blocks' lengths.
fn lz4(mut cursor: Cursor<'_>, items: u32) -> Result<Option<String>, Broken> {
    if items == 0 {
        return Ok(None);
    }
    let Head::Ext(code @ 98, length) = cursor.peek()? else { return Ok(None) };
    cursor.head()?;
    match super::extension::read(&mut cursor, code, length, RawDtype::default().into()) {
        Err(Trouble::Refused(what)) => Ok(Some(what)),
        Err(Trouble::Broken(broken)) => Err(broken),
        Ok(_) => Ok(None),
    }
}

/// `[dtype, shape, data]`, as vLLM writes it, or `[dtype, shape, order, data]`, as LangGraph does.
fn typed<'a>(cursor: &mut Cursor<'a>, has_order: bool) -> Result<Option<Encoded<'a>>, Trouble> {
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
            Some(b"F") => return Err(Trouble::Refused(FORTRAN.to_owned())),
            _ => return Ok(None),
        }
    }
    let data = match cursor.head()? {
        Head::Ext(RAW_VIEW, length) | Head::Bin(length) => cursor.take(length as usize)?,
        Head::UInt(_) => return Err(Trouble::Refused(SIDE_BUFFER.to_owned())),
        _ => return Ok(None),
    };
    Encoded::shaped(Encoding::Tuple, dtype(name)?, &shape, data).map(Some)
}

/// True for names of types that no vector column can hold, as NumPy writes them.
fn is_foreign_dtype(name: &[u8]) -> bool {
    matches!(name, [b'<' | b'>' | b'|', b'O' | b'c' | b'V' | b'S' | b'U' | b'M' | b'm' | b'f', ..])
}

/// `[1, shape, elements]`, as Rust's ndarray writes itself: 1 is the version of its format.
fn rust_ndarray<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Encoded<'a>>, Trouble> {
    cursor.head()?;
    let Some(shape) = Shape::read(cursor)? else { return Ok(None) };
    let Head::Array(items) = cursor.head()? else { return Ok(None) };
    cursor.require(items.into())?;
    let product = shape.dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
    if product != Some(items.into()) || shape.dims.is_empty() {
        return Ok(None);
    }
    let Ok(elements) = numbers(cursor, items)? else { return Ok(None) };
    let (rows, outer, dim) = shape.rows()?;
    Ok(Some(Encoded { rows, outer, ..Encoded::vector(Encoding::RustNdarray, elements, dim) }))
}

/// What numcodecs puts behind the elements.
pub(super) struct Tail {
    shape: Shape,
    name: String,
}

impl Tail {
    pub(super) fn is_one_row_of(&self, length: u64) -> bool {
        RawDtype::named(&self.name).is_some() && self.shape.is_one_row_of(length)
    }

    pub(super) fn refusal(&self) -> String {
        match dtype(self.name.as_bytes()) {
            Err(Trouble::Refused(what)) => what,
            _ => format!("a numcodecs array of shape {}", self.shape),
        }
    }
}

/// `dtype, shape`: the end of an array by numcodecs.
pub(super) fn numcodecs_tail(cursor: &mut Cursor<'_>) -> Result<Option<Tail>, Broken> {
    let mut ahead = *cursor;
    let Some(name) = text(&mut ahead)? else { return Ok(None) };
    let name = String::from_utf8_lossy(name).into_owned();
    let Some(shape) = Shape::read(&mut ahead)? else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(Tail { shape, name }))
}
