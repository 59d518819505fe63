//! Bytes that are a `.npy` file, as `numpy.save` writes it: what the elements are and how many, in the notation of Python, and then the
//! elements.

use super::{Encoded, Encoding, Found, Shape, dtype};
use crate::msgpack::{Broken, Cursor};

/// What such a file begins with. As numbers these bytes are none that a vector has.
const MAGIC: &[u8] = b"\x93NUMPY";

const REFUSED: &str = "a .npy file, of which the header cannot be read";

/// True where bytes are no elements, but such a file.
pub(crate) fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The same of the bin or str at `cursor`, of which not all need be there.
pub(crate) fn comes_next(mut cursor: Cursor<'_>) -> Result<bool, Broken> {
    let length = cursor.head()?.payload();
    let rest = cursor.rest();
    let known = rest.len().min(MAGIC.len());
    if length < MAGIC.len() as u64 || rest.get(..known) != MAGIC.get(..known) {
        return Ok(false);
    }
    if known == MAGIC.len() { Ok(true) } else { Err(Broken::Short((cursor.at() + MAGIC.len()) as u64)) }
}

/// Reads such a file; `None` where the bytes are something else.
pub(super) fn read(bytes: &[u8]) -> Found<'_> {
    let Some(file) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
    let Some((header, elements)) = split(file) else { return Err(REFUSED.into()) };
    let name = value(header, "descr").unwrap_or_default();
    if name.starts_with('[') {
        return Err("a structured NumPy array in a .npy file: write its fields one by one".into());
    }
    let fields = || Some((quoted(name)?, value(header, "fortran_order")?, shape(value(header, "shape")?)?));
    let Some((name, is_fortran, shape)) = fields() else { return Err(REFUSED.into()) };
    let raw = dtype(name.as_bytes())?;
    if is_fortran.starts_with("True") && !shape.is_flat() {
        return Err("a .npy file of a matrix in Fortran order: write it in C order".into());
    }
    Encoded::shaped(Encoding::Npy, raw, &shape, elements).map(Some)
}

/// The header and the elements; what is in front of them depends on the version.
fn split(file: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = match file {
        [1, _, low, high, rest @ ..] => (u16::from_le_bytes([*low, *high]).into(), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        _ => return None,
    };
    let (header, elements) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((std::str::from_utf8(header).ok()?, elements))
}

/// What stands behind a key, to the end of the header.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, behind) = header.split_once(key)?;
    Some(behind.strip_prefix(['\'', '"'])?.trim_start().strip_prefix(':')?.trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    text.get(1..)?.split_once(quote).map(|(inside, _)| inside)
}

/// A tuple of lengths, which Python 2 wrote with an `L`.
fn shape(text: &str) -> Option<Shape> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let lengths = inside.split(',').map(str::trim).filter(|length| !length.is_empty());
    let dims: Vec<usize> = lengths
        .take(Shape::MOST as usize + 1)
        .map(|length| length.trim_end_matches('L').parse().ok())
        .collect::<Option<_>>()?;
    (dims.len() <= Shape::MOST as usize).then_some(Shape { dims })
}
