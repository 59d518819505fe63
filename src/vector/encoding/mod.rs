//! How producers write vectors in MessagePack. [`read`] tells, for the object at a cursor, whether it is a vector in one of
//! the encodings that are known, and where its elements lie. Nothing is copied and nothing is allocated for a length that
//! the bytes do not back.
//!
//! | room | what it knows |
//! |---|---|
//! | this file | bytes, old raw, arrays of numbers |
//! | [`base64`] | text, where options or the layout say that it is a vector |
//! | [`ndarray`] | maps of a NumPy array's dtype, shape and data |
//! | [`extension`] | extension types |
//! | [`tuple`] | arrays of dtype, shape and data |
//! | [`wrapped`] | vectors in a list of one, and maps of indices, in vector columns |
//! | [`npy`] | bytes that are a `.npy` file |

mod base64;
mod extension;
mod ndarray;
mod npy;
mod tuple;
mod wrapped;

use std::borrow::Cow;
use std::fmt;

pub(crate) use self::base64::{is_hex, read as read_base64};
pub(crate) use self::extension::leaves_messagepack;
pub(crate) use self::npy::{comes_next as is_npy_next, is_npy};
pub(crate) use self::wrapped::read as read_wrapped;

use super::convert::Format;
use super::dtype::RawDtype;
use super::extensions::{Extensions, NO_EXTENSIONS};
use crate::msgpack::{Broken, Cursor, Head};
use crate::text::bytes;

/// The library, or the manner, by which a vector was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Encoding {
    Bytes,
    Raw,
    Base64,
    Numbers,
    MsgpackNumpy,
    Ndarray,
    Flax,
    TypedArray,
    Blit,
    Aligned,
    Tuple,
    RustNdarray,
    Numcodecs,
    Npy,
    Extension,
}

impl Encoding {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Raw => "raw bytes (str)",
            Self::Base64 => "base64 text",
            Self::Numbers => "array of numbers",
            Self::MsgpackNumpy => "msgpack-numpy",
            Self::Ndarray => "map with __ndarray__",
            Self::Flax => "flax (extension 1)",
            Self::TypedArray => "JavaScript typed array (extension 116)",
            Self::Blit => "C# blit (extension 30 to 39)",
            Self::Aligned => "aligned bytes (extension 0)",
            Self::Tuple => "[dtype, shape, data]",
            Self::RustNdarray => "Rust ndarray",
            Self::Numcodecs => "numcodecs",
            Self::Npy => ".npy file",
            Self::Extension => "extension as given",
        }
    }

    /// True where the data says itself what its elements are.
    pub(crate) fn is_typed(self) -> bool {
        !matches!(self, Self::Bytes | Self::Raw | Self::Base64 | Self::Numbers | Self::Aligned)
    }
}

/// The elements of a vector, where they lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Elements<'a> {
    /// All in the same format.
    Alike(Format, Cow<'a, [u8]>),
    /// MessagePack numbers of more than one type: floats of either size and integers.
    Mixed(Cow<'a, [u8]>),
}

/// A vector, or rows of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Encoded<'a> {
    pub(crate) encoding: Encoding,
    pub(crate) elements: Elements<'a>,
    /// 1 for a vector; a matrix has more.
    pub(crate) rows: usize,
    /// The lengths of all dimensions but the last one, of an array of more rows than one.
    pub(crate) outer: Vec<usize>,
    /// Elements a row.
    pub(crate) dim: usize,
    /// A single number, which a library wrote as an array without dimensions.
    pub(crate) is_scalar: bool,
}

/// What an object is, as far as vectors go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen<'a> {
    Vector(Encoded<'a>),
    /// An array in which the item with this index is no number.
    NotNumbers {
        index: usize,
        head: Head,
    },
    /// Written as a vector, but not one that can be read: what it is, and perhaps what to do.
    Refused(String),
    /// No vector.
    Other(Head),
}

/// Why a vector could not be looked at, or what is wrong with it.
pub(crate) enum Trouble {
    Broken(Broken),
    Refused(String),
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// The types that options give to what does not name one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Types<'t> {
    /// The type of untyped bytes.
    pub(crate) raw: RawDtype,
    /// The payloads of extension types.
    pub(crate) extensions: &'t Extensions,
}

impl From<RawDtype> for Types<'static> {
    fn from(raw: RawDtype) -> Self {
        Self { raw, extensions: &NO_EXTENSIONS }
    }
}

/// Looks at the next object, and skips it if it is a vector. Otherwise the cursor stays.
pub(crate) fn read<'a>(cursor: &mut Cursor<'a>, types: Types<'_>) -> Result<Seen<'a>, Broken> {
    let raw = types.raw;
    let mut ahead = *cursor;
    let head = ahead.head()?;
    let found = match head {
        Head::Bin(length) | Head::Str(length) => {
            let encoding = if matches!(head, Head::Bin(_)) { Encoding::Bytes } else { Encoding::Raw };
            let bytes = ahead.take(length as usize)?;
            npy::read(bytes).map(|found| found.or_else(|| untyped(encoding, bytes, raw)))
        }
        Head::Array(items) => return array(cursor, ahead, items, types),
        Head::Map(pairs) => ndarray::read(&mut ahead, pairs, raw),
        Head::Ext(code, length) => extension::read(&mut ahead, code, length, types),
        _ => Ok(None),
    };
    match found {
        Ok(Some(encoded)) => {
            *cursor = ahead;
            Ok(Seen::Vector(encoded))
        }
        Ok(None) => Ok(Seen::Other(head)),
        Err(Trouble::Refused(what)) => Ok(Seen::Refused(what)),
        Err(Trouble::Broken(broken)) => Err(broken),
    }
}

fn array<'a>(
    cursor: &mut Cursor<'a>,
    ahead: Cursor<'a>,
    items: u32,
    types: Types<'_>,
) -> Result<Seen<'a>, Broken> {
    ahead.require(items.into())?;
    if let Some(found) = tuple::read(ahead, items)? {
        return Ok(match found {
            Ok((encoded, end)) => {
                *cursor = end;
                Seen::Vector(encoded)
            }
            Err(what) => Seen::Refused(what),
        });
    }
    let (mut end, start) = (ahead, ahead.at());
    match numbers(&mut end, items)? {
        Ok(elements) => {
            *cursor = end;
            Ok(Seen::Vector(Encoded::vector(Encoding::Numbers, elements, items as usize)))
        }
        Err((index, head)) => {
            // numcodecs puts dtype and shape behind the elements.
            if index + 2 == items as usize
                && let Head::Str(_) = head
                && let Some(tail) = tuple::numcodecs_tail(&mut end)?
            {
                let length = index as u64;
                let mut numbers_only = Cursor::new(&ahead.rest()[..end.at() - start]);
                if tail.is_one_row_of(length)
                    && let Ok(elements) = numbers(&mut numbers_only, index as u32)?
                {
                    *cursor = end;
                    return Ok(Seen::Vector(Encoded::vector(Encoding::Numcodecs, elements, index)));
                }
                return Ok(Seen::Refused(tail.refusal()));
            }
            if index == 0
                && let Some((encoded, behind)) = scalars(ahead, items, types)?
            {
                *cursor = behind;
                return Ok(Seen::Vector(encoded));
            }
            Ok(Seen::NotNumbers { index, head })
        }
    }
}

/// An array of NumPy's scalars, each as a library writes one by itself, and the cursor behind them;
/// `None` where they are not all of one type.
fn scalars<'a>(
    mut cursor: Cursor<'a>,
    items: u32,
    types: Types<'_>,
) -> Result<Option<(Encoded<'a>, Cursor<'a>)>, Broken> {
    let mut whole: Option<(Format, Vec<u8>)> = None;
    for _ in 0..items {
        let (Head::Map(_) | Head::Ext(..)) = cursor.peek()? else { return Ok(None) };
        let Seen::Vector(Encoded { is_scalar: true, elements: Elements::Alike(format, bytes), .. }) =
            read(&mut cursor, types)?
        else {
            return Ok(None);
        };
        let (first, joined) = whole.get_or_insert_with(|| (format, Vec::new()));
        if *first != format {
            return Ok(None);
        }
        joined.extend_from_slice(&bytes);
    }
    Ok(whole.map(|(format, bytes)| {
        let elements = Elements::Alike(format, bytes.into());
        (Encoded::vector(Encoding::Numbers, elements, items as usize), cursor)
    }))
}

/// The elements of an array of `count` floats of one type, of which the head has been read.
fn floats<'a>(cursor: &mut Cursor<'a>, count: usize) -> Option<Elements<'a>> {
    let marker = *cursor.rest().first()?;
    let format = match marker {
        0xca => Format::Float32,
        0xcb => Format::Float64,
        _ => return None,
    };
    let bytes = cursor.rest().get(..count.checked_mul(format.size())?)?;
    if !bytes.chunks_exact(format.size()).all(|item| item[0] == marker) {
        return None;
    }
    cursor.take(bytes.len()).ok().map(|bytes| Elements::Alike(format, bytes.into()))
}

/// True for `count` floats of one type.
pub(crate) fn are_floats(mut cursor: Cursor<'_>, count: usize) -> bool {
    floats(&mut cursor, count).is_some()
}

/// Steps over `count` numbers. The inner error is the index and the head of an item that is none.
fn numbers<'a>(cursor: &mut Cursor<'a>, count: u32) -> Result<Result<Elements<'a>, (usize, Head)>, Broken> {
    let count = count as usize;
    match floats(cursor, count) {
        Some(elements) => Ok(Ok(elements)),
        None => mixed(cursor, count),
    }
}

fn mixed<'a>(cursor: &mut Cursor<'a>, count: usize) -> Result<Result<Elements<'a>, (usize, Head)>, Broken> {
    let start = cursor.at();
    for index in 0..count {
        let before = *cursor;
        let head = cursor.head().map_err(|broken| match broken {
            Broken::Short(least) => Broken::Short(least.max((before.at() + (count - index)) as u64)),
            reserved => reserved,
        })?;
        if !matches!(head, Head::UInt(_) | Head::Int(_) | Head::Float32(_) | Head::Float64(_)) {
            *cursor = before;
            return Ok(Err((index, head)));
        }
    }
    Ok(Ok(Elements::Mixed(cursor.since(start).into())))
}

/// Bytes without a type, as elements of the type `raw`. Bytes that are no multiple of an element are no vector of any
/// dimension: they have `dim` elements and some bytes over, which shows in their length.
fn untyped(encoding: Encoding, bytes: &[u8], raw: RawDtype) -> Option<Encoded<'_>> {
    let elements = Elements::Alike(Format::Packed(raw), bytes.into());
    Some(Encoded::vector(encoding, elements, bytes.len() / raw.size()))
}

impl<'a> Encoded<'a> {
    pub(crate) fn vector(encoding: Encoding, elements: Elements<'a>, dim: usize) -> Self {
        Self { encoding, elements, rows: 1, outer: Vec::new(), dim, is_scalar: false }
    }

    /// Elements of a type and shape that the data names.
    fn shaped(
        encoding: Encoding,
        raw: RawDtype,
        shape: &Shape,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, Trouble> {
        let bytes = bytes.into();
        let (rows, outer, dim) = shape.rows()?;
        let expected = (rows as u64).checked_mul(dim as u64).and_then(|n| n.checked_mul(raw.size() as u64));
        if expected != Some(bytes.len() as u64) {
            let found = format!("{} bytes of data for an array of {shape} {raw}", bytes.len());
            return Err(Trouble::Refused(found));
        }
        let elements = Elements::Alike(Format::Packed(raw), bytes);
        Ok(Self { encoding, elements, rows, outer, dim, is_scalar: shape.dims.is_empty() })
    }

    /// The elements of the rows from `first` on, row by row.
    pub(crate) fn rows_from(&self, first: usize) -> impl Iterator<Item = Elements<'_>> {
        self.pieces(first, 1)
    }

    /// The arrays of which one of more dimensions consists: those along its first one.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Encoded<'_>> {
        let (&count, inner) = self.outer.split_first().unwrap_or((&1, &[]));
        let rows = self.rows / count.max(1);
        let part = Self {
            rows,
            outer: inner.to_vec(),
            ..Self::vector(self.encoding, Elements::Mixed(b"".into()), self.dim)
        };
        self.pieces(0, rows.max(1)).map(move |elements| Encoded { elements, ..part.clone() })
    }

    /// The elements from the row `first` on, `step` rows at a time.
    fn pieces(&self, first: usize, step: usize) -> impl Iterator<Item = Elements<'_>> {
        let mut ends = Ends { cursor: Cursor::new(self.bytes()), dim: self.dim, format: self.format() };
        let mut start = ends.after(first);
        (first..self.rows).step_by(step).map(move |_| {
            let end = ends.after(step);
            let bytes = &self.bytes()[start..end];
            start = end;
            match self.format() {
                Some(format) => Elements::Alike(format, bytes.into()),
                None => Elements::Mixed(bytes.into()),
            }
        })
    }

    /// The type of the elements, where all have one.
    pub(crate) fn format(&self) -> Option<Format> {
        match self.elements {
            Elements::Alike(format, _) => Some(format),
            Elements::Mixed(_) => None,
        }
    }

    /// Bytes of the elements.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.elements {
            Elements::Alike(_, bytes) => bytes,
            Elements::Mixed(bytes) => bytes,
        }
    }

    /// True where the bytes are whole elements.
    pub(crate) fn is_whole(&self) -> bool {
        match self.format() {
            Some(format) => self.bytes().len() == self.rows * self.dim * format.size(),
            None => true,
        }
    }

    /// Numbers that are each a byte of something, as Rust writes a `Vec<u8>`: those bytes.
    pub(crate) fn as_byte_values(&self) -> Option<Vec<u8>> {
        let Elements::Mixed(bytes) = &self.elements else { return None };
        let mut cursor = Cursor::new(bytes);
        let byte = |_| match cursor.head() {
            Ok(Head::UInt(value)) => u8::try_from(value).ok(),
            Ok(Head::Int(value)) => u8::try_from(value).ok(),
            _ => None,
        };
        (0..self.dim).map(byte).collect()
    }

    /// Integers that are the bits of halves, as Rust's `half` writes them: those halves, of the type
    /// `raw`. `None` where one is no integer of 16 bits.
    pub(crate) fn halves(&self, raw: RawDtype) -> Option<Self> {
        let Elements::Mixed(bytes) = &self.elements else { return None };
        let mut cursor = Cursor::new(bytes);
        let mut halves = Vec::with_capacity(2 * self.rows * self.dim);
        while !cursor.rest().is_empty() {
            let Ok(Head::UInt(bits)) = cursor.head() else { return None };
            let bits = u16::try_from(bits).ok()?;
            halves.extend(if raw.big_endian { bits.to_be_bytes() } else { bits.to_le_bytes() });
        }
        let elements = Elements::Alike(Format::Packed(raw), halves.into());
        Some(Self { elements, outer: self.outer.clone(), ..*self })
    }

    /// What it is, for a message that says why it does not fit.
    pub(crate) fn describe(&self) -> String {
        match (self.encoding, self.format()) {
            (Encoding::Bytes | Encoding::Raw | Encoding::Base64 | Encoding::Aligned, _) => {
                bytes(self.bytes().len())
            }
            (_, Some(Format::Packed(raw))) if self.rows == 1 => format!("{} x {raw}", self.dim),
            _ if self.outer.len() > 1 => {
                let dims = self.outer.iter().chain([&self.dim]).map(|&length| length as u64).collect();
                format!("an array of shape {}", Shape { dims })
            }
            (_, Some(Format::Packed(raw))) => format!("{} rows of {} x {raw}", self.rows, self.dim),
            _ => format!("an array of {}", self.dim),
        }
    }
}

/// Finds where rows end, one after another.
struct Ends<'a> {
    cursor: Cursor<'a>,
    dim: usize,
    format: Option<Format>,
}

impl Ends<'_> {
    /// Where the next `rows` rows end. Their elements have all been seen: none can be missing.
    fn after(&mut self, rows: usize) -> usize {
        let elements = rows * self.dim;
        let _seen = match self.format {
            Some(format) => self.cursor.take(elements * format.size()).map(drop),
            None => (0..elements).try_for_each(|_| self.cursor.head().map(drop)),
        };
        self.cursor.at()
    }
}

/// The shape of an array.
#[derive(Debug, PartialEq)]
struct Shape {
    dims: Vec<u64>,
}

impl Shape {
    /// More dimensions than any library writes.
    const MOST: u32 = 64;

    /// Reads a shape; `None` where there is something else.
    fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, Broken> {
        let mut ahead = *cursor;
        let dims = match ahead.head()? {
            Head::Array(count) if count <= Self::MOST => {
                let mut dims = Vec::new();
                for _ in 0..count {
                    let Head::UInt(dim) = ahead.head()? else { return Ok(None) };
                    dims.push(dim);
                }
                dims
            }
            _ => return Ok(None),
        };
        *cursor = ahead;
        Ok(Some(Self { dims }))
    }

    /// The number of rows, the lengths of their dimensions if they are more than one, and the elements a
    /// row.
    fn rows(&self) -> Result<(usize, Vec<usize>, usize), Trouble> {
        let (&dim, outer) = self.dims.split_last().unwrap_or((&1, &[]));
        let lengths = || outer.iter().map(|&length| usize::try_from(length).ok()).collect::<Option<Vec<_>>>();
        let lengths = if outer.iter().all(|&length| length == 1) { Some(Vec::new()) } else { lengths() };
        let rows =
            |outer: &Vec<usize>| outer.iter().try_fold(1usize, |rows, &length| rows.checked_mul(length));
        match (lengths.as_ref().and_then(rows), lengths, usize::try_from(dim)) {
            (Some(rows), Some(outer), Ok(dim)) if rows > 0 => Ok((rows, outer, dim)),
            _ => Err(Trouble::Refused(format!("an array of shape {self}"))),
        }
    }

    /// True where C order and Fortran order are the same.
    fn is_flat(&self) -> bool {
        self.dims.iter().filter(|&&length| length != 1).count() <= 1
    }

    fn is_one_row_of(&self, length: u64) -> bool {
        let (last, outer) = self.dims.split_last().unwrap_or((&0, &[]));
        *last == length && outer.iter().all(|&length| length == 1)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (index, dim) in self.dims.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{dim}")?;
        }
        f.write_str(if self.dims.len() == 1 { ",)" } else { ")" })
    }
}

/// The element type that `name` stands for, or why there is none.
fn dtype(name: &[u8]) -> Result<RawDtype, Trouble> {
    let name = String::from_utf8_lossy(name);
    RawDtype::named(&name).ok_or_else(|| {
        let plain = name.trim_start_matches(['<', '>', '|', '=']);
        Trouble::Refused(match plain {
            "O" | "object" => PICKLE.to_owned(),
            "c8" | "c16" | "c32" | "complex64" | "complex128" => COMPLEX.to_owned(),
            _ => format!("an array with elements of type `{name}`, which no vector column can hold"),
        })
    })
}

const PICKLE: &str = "a NumPy array of Python objects (kind O), which is a pickle: it is never loaded, since loading it would \
                      run whatever it contains";
const COMPLEX: &str = "complex numbers: write their real and imaginary parts as floats";
const FORTRAN: &str = "a matrix in Fortran order: write it in C order";
const CHUNKS: &str = "an array in chunks that do not make up its shape";
const SIDE_BUFFER: &str =
    "an array whose data lies in another buffer, outside of the input: write it with its data in line";

/// The bytes of a str or bin, if that comes next.
fn text<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, Broken> {
    let mut ahead = *cursor;
    Ok(match ahead.head()? {
        Head::Str(length) | Head::Bin(length) => {
            let text = ahead.take(length as usize)?;
            *cursor = ahead;
            Some(text)
        }
        _ => None,
    })
}

#[cfg(test)]
#[path = "../encoding_tests.rs"]
mod tests;
