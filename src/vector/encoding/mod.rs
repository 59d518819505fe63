//! How producers write vectors in MessagePack. [`read`] tells, for the object at a cursor, whether it is a vector in one of
//! the encodings that are known, and where its elements lie. Nothing is copied and nothing is allocated for a length that
//! the bytes do not back.

mod extension;
mod ndarray;
mod npy;
mod tuple;

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub(crate) use self::extension::leaves_messagepack;
pub(crate) use self::npy::{comes_next as is_npy_next, is_npy};

use super::convert::{Format, Scalar};
use super::dtype::RawDtype;
use super::extensions::{Extensions, NO_EXTENSIONS};
use crate::msgpack::{self, Broken, Cursor, FLOAT32, FLOAT64, Head};
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
pub(crate) struct Elements<'a> {
    pub(crate) format: Format,
    pub(crate) bytes: Cow<'a, [u8]>,
}

impl<'a> Elements<'a> {
    pub(crate) fn new(format: Format, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { format, bytes: bytes.into() }
    }

    /// The elements, one by one.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = Scalar> {
        self.format.scalars(&self.bytes)
    }

    /// The element with this index, for a message.
    pub(crate) fn show(&self, index: usize) -> String {
        let shown = self.scalars().nth(index).map(|number| number.to_string());
        format!("{} in element {index}", shown.unwrap_or_default())
    }

    /// Puts the elements behind others, which may be none yet; false where those are of another format.
    fn append_to(&self, whole: &mut Option<Elements<'_>>) -> bool {
        let whole = whole.get_or_insert_with(|| Elements::new(self.format, Vec::new()));
        whole.bytes.to_mut().extend_from_slice(&self.bytes);
        whole.format == self.format
    }
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

/// Why an object is not read as a vector.
enum Trouble {
    Broken(Broken),
    NotNumbers { index: usize, head: Head },
    Refused(String),
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<&str> for Trouble {
    fn from(what: &str) -> Self {
        Self::Refused(what.to_owned())
    }
}

/// A vector; `None` where there is something else.
type Found<'a> = Result<Option<Encoded<'a>>, Trouble>;

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
    let mut ahead = *cursor;
    let head = ahead.head()?;
    match find(&mut ahead, head, types) {
        Ok(Some(encoded)) => {
            *cursor = ahead;
            Ok(Seen::Vector(encoded))
        }
        Ok(None) => Ok(Seen::Other(head)),
        Err(Trouble::NotNumbers { index, head }) => Ok(Seen::NotNumbers { index, head }),
        Err(Trouble::Refused(what)) => Ok(Seen::Refused(what)),
        Err(Trouble::Broken(broken)) => Err(broken),
    }
}

/// Reads an object of which the head has been read.
fn find<'a>(cursor: &mut Cursor<'a>, head: Head, types: Types<'_>) -> Found<'a> {
    match head {
        Head::Bin(length) | Head::Str(length) => {
            let encoding = if matches!(head, Head::Bin(_)) { Encoding::Bytes } else { Encoding::Raw };
            let bytes = cursor.take(length as usize)?;
            Ok(npy::read(bytes)?.or_else(|| Some(Encoded::packed(encoding, types.raw, bytes))))
        }
        Head::Array(items) => array(cursor, items, types),
        Head::Map(pairs) => ndarray::read(cursor, pairs, types.raw, None),
        Head::Ext(code, length) => extension::read(cursor, code, length, types),
        _ => Ok(None),
    }
}

fn array<'a>(cursor: &mut Cursor<'a>, items: u32, types: Types<'_>) -> Found<'a> {
    cursor.require(items.into())?;
    if let Some(encoded) = tuple::read(cursor, items)? {
        return Ok(Some(encoded));
    }
    let start = *cursor;
    let trouble = match numbers(cursor, items as usize) {
        Ok(elements) => {
            return Ok(Some(Encoded::vector(Encoding::Numbers, elements, items as usize)));
        }
        Err(trouble) => trouble,
    };
    let found = match trouble {
        // numcodecs puts dtype and shape behind the elements.
        Trouble::NotNumbers { index, head: Head::Str(_) } if index + 2 == items as usize => {
            tuple::numcodecs(start, cursor, index)?
        }
        Trouble::NotNumbers { index: 0, .. } => {
            *cursor = start;
            scalars(cursor, items, types)?
        }
        _ => None,
    };
    if found.is_some() { Ok(found) } else { Err(trouble) }
}

/// An array of NumPy's scalars, each as a library writes one by itself; `None` where they are not all of one type.
fn scalars<'a>(cursor: &mut Cursor<'a>, items: u32, types: Types<'_>) -> Result<Option<Encoded<'a>>, Broken> {
    let mut whole = None;
    for _ in 0..items {
        let (Head::Map(_) | Head::Ext(..)) = cursor.peek()? else { return Ok(None) };
        match read(cursor, types)? {
            Seen::Vector(scalar) if scalar.is_scalar && scalar.elements.append_to(&mut whole) => {}
            _ => return Ok(None),
        }
    }
    Ok(whole.map(|elements| Encoded::vector(Encoding::Numbers, elements, items as usize)))
}

/// Looks at the next object in a vector column, and skips it if it is a vector in a list of one, as encoders of batches give
/// it for a batch of one, or a map of indices to numbers, as languages write arrays that are tables. Other data looks like
/// that as well.
pub(crate) fn read_wrapped<'a>(
    cursor: &mut Cursor<'a>,
    types: Types<'_>,
) -> Result<Option<Encoded<'a>>, Broken> {
    let mut ahead = *cursor;
    let found = match ahead.head()? {
        Head::Array(1) => match read(&mut ahead, types)? {
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

/// Padding is optional, and bits behind the last byte are ignored.
const BASE64: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64);

/// Words of fewer letters are often base64 as well.
const SHORTEST_BASE64: usize = 16;

/// True for text of hexadecimal digits, all of which base64 has as well.
pub(crate) fn is_hex(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit) && text.iter().any(u8::is_ascii_digit)
}

/// The elements of the type `raw` in a text, as embedding servers send it; `None` where it is no base64.
pub(crate) fn read_base64(text: &[u8], raw: RawDtype) -> Option<Encoded<'static>> {
    if text.len() < SHORTEST_BASE64 {
        return None;
    }
    // Many encoders break the text into lines.
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let text: Cow<'_, [u8]> = match text.iter().any(is_break) {
        true => text.iter().copied().filter(|byte| !is_break(byte)).collect(),
        false => text.into(),
    };
    let bytes = STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text)).ok()?;
    Some(Encoded::packed(Encoding::Base64, raw, bytes))
}

/// The elements of an array of `count` floats of one type, of which the head has been read.
fn floats<'a>(cursor: &mut Cursor<'a>, count: usize) -> Option<Elements<'a>> {
    let marker = *cursor.rest().first()?;
    let (format, size) = match marker {
        FLOAT32 => (Format::Float32, 5),
        FLOAT64 => (Format::Float64, 9),
        _ => return None,
    };
    if msgpack::floats(cursor.rest(), marker, count as u64) < count {
        return None;
    }
    cursor.take(count * size).ok().map(|bytes| Elements::new(format, bytes))
}

/// True for `count` floats of one type.
pub(crate) fn are_floats(mut cursor: Cursor<'_>, count: usize) -> bool {
    floats(&mut cursor, count).is_some()
}

/// Steps over `count` numbers, or as far as they are numbers.
fn numbers<'a>(cursor: &mut Cursor<'a>, count: usize) -> Result<Elements<'a>, Trouble> {
    if let Some(elements) = floats(cursor, count) {
        return Ok(elements);
    }
    let start = cursor.at();
    for index in 0..count {
        let before = *cursor;
        let head = cursor.head().map_err(|broken| match broken {
            Broken::Short(least) => Broken::Short(least.max((before.at() + (count - index)) as u64)),
            reserved => reserved,
        })?;
        if Scalar::of(head).is_none() {
            *cursor = before;
            return Err(Trouble::NotNumbers { index, head });
        }
    }
    Ok(Elements::new(Format::Numbers, cursor.since(start)))
}

impl<'a> Encoded<'a> {
    pub(crate) fn vector(encoding: Encoding, elements: Elements<'a>, dim: usize) -> Self {
        Self { encoding, elements, rows: 1, outer: Vec::new(), dim, is_scalar: false }
    }

    /// Bytes as elements of the type `raw`. Bytes that are no multiple of an element are no vector of any dimension: they
    /// have `dim` elements and some bytes over, which shows in their length.
    fn packed(encoding: Encoding, raw: RawDtype, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        let elements = Elements::new(Format::Packed(raw), bytes);
        let dim = elements.bytes.len() / raw.size();
        Self::vector(encoding, elements, dim)
    }

    /// Elements of a type and shape that the data names.
    fn shaped(
        encoding: Encoding,
        raw: RawDtype,
        shape: &Shape,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, Trouble> {
        let elements = Elements::new(Format::Packed(raw), bytes);
        let (rows, outer, dim) = shape.rows()?;
        let (expected, found) =
            (rows.checked_mul(dim).and_then(|n| n.checked_mul(raw.size())), elements.bytes.len());
        if expected != Some(found) {
            let found = format!("{found} bytes of data for an array of {shape} {raw}");
            return Err(Trouble::Refused(found));
        }
        Ok(Self { encoding, elements, rows, outer, dim, is_scalar: shape.dims.is_empty() })
    }

    /// The arrays of which one of more dimensions consists: those along its first one.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Encoded<'_>> {
        let (&count, inner) = self.outer.split_first().unwrap_or((&1, &[]));
        let rows = self.rows / count.max(1);
        self.rows_from(0, rows.max(1)).map(move |elements| Encoded {
            rows,
            outer: inner.to_vec(),
            ..Encoded::vector(self.encoding, elements, self.dim)
        })
    }

    /// The elements from the row `first` on, `step` rows at a time.
    pub(crate) fn rows_from(&self, first: usize, step: usize) -> impl Iterator<Item = Elements<'_>> {
        let format = self.elements.format;
        let mut cursor = Cursor::new(self.bytes());
        // The elements have all been seen: none can be missing.
        let mut take = move |rows: usize| {
            let (start, elements) = (cursor.at(), rows * self.dim);
            let _seen = match format.size() {
                Some(size) => cursor.take(elements * size).map(drop),
                None => (0..elements).try_for_each(|_| cursor.head().map(drop)),
            };
            cursor.since(start)
        };
        take(first);
        (first..self.rows).step_by(step).map(move |_| Elements::new(format, take(step)))
    }

    /// Bytes of the elements.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.elements.bytes
    }

    /// True where the bytes are whole elements.
    pub(crate) fn is_whole(&self) -> bool {
        let size = self.elements.format.size();
        size.is_none_or(|size| self.bytes().len() == self.rows * self.dim * size)
    }

    /// The elements of an array of numbers of any types.
    fn numbers(&self) -> Option<impl Iterator<Item = Scalar>> {
        (self.elements.format == Format::Numbers).then(|| self.elements.scalars())
    }

    /// Numbers that are each a byte of something, as Rust writes a `Vec<u8>`: those bytes.
    pub(crate) fn as_byte_values(&self) -> Option<Vec<u8>> {
        let byte = |number: Scalar| if number.is_float() { None } else { number.to_integer() };
        self.numbers()?.map(byte).collect()
    }

    /// Integers that are the bits of halves, as Rust's `half` writes them: those halves, of the type
    /// `raw`. `None` where one is no integer of 16 bits.
    pub(crate) fn halves(&self, raw: RawDtype) -> Option<Self> {
        let half = |number| match number {
            Scalar::UInt(bits) => u16::try_from(bits).ok(),
            _ => None,
        };
        let order = if raw.big_endian { u16::to_be_bytes } else { u16::to_le_bytes };
        let halves: Option<Vec<_>> = self.numbers()?.map(|number| half(number).map(order)).collect();
        let elements = Elements::new(Format::Packed(raw), halves?.into_flattened());
        Some(Self { elements, outer: self.outer.clone(), ..*self })
    }

    /// What it is, for a message that says why it does not fit.
    pub(crate) fn describe(&self) -> String {
        match (self.encoding, self.elements.format) {
            (Encoding::Bytes | Encoding::Raw | Encoding::Base64 | Encoding::Aligned, _) => {
                bytes(self.bytes().len())
            }
            (_, Format::Packed(raw)) if self.rows == 1 => format!("{} x {raw}", self.dim),
            _ if self.outer.len() > 1 => {
                format!("an array of shape {}", Shape { dims: [&*self.outer, &[self.dim]].concat() })
            }
            (_, Format::Packed(raw)) => format!("{} rows of {} x {raw}", self.rows, self.dim),
            _ => format!("an array of {}", self.dim),
        }
    }
}

/// The shape of an array.
#[derive(Debug, PartialEq)]
struct Shape {
    dims: Vec<usize>,
}

impl Shape {
    /// More dimensions than any library writes.
    const MOST: u32 = 64;

    /// Reads a shape; `None` where there is something else.
    fn read(cursor: &mut Cursor<'_>) -> Result<Option<Self>, Broken> {
        let mut ahead = *cursor;
        let Head::Array(count @ ..=Self::MOST) = ahead.head()? else { return Ok(None) };
        let mut dims = Vec::new();
        for _ in 0..count {
            let Some(dim) = length(ahead.head()?) else { return Ok(None) };
            dims.push(dim);
        }
        *cursor = ahead;
        Ok(Some(Self { dims }))
    }

    /// The number of rows, the lengths of their dimensions if they are more than one, and the elements a
    /// row.
    fn rows(&self) -> Result<(usize, Vec<usize>, usize), Trouble> {
        let (&dim, outer) = self.dims.split_last().unwrap_or((&1, &[]));
        let outer = if outer.iter().all(|&length| length == 1) { &[] } else { outer };
        match outer.iter().try_fold(1usize, |rows, &length| rows.checked_mul(length)) {
            Some(rows @ 1..) => Ok((rows, outer.to_vec(), dim)),
            _ => Err(Trouble::Refused(format!("an array of shape {self}"))),
        }
    }

    /// True where C order and Fortran order are the same.
    fn is_flat(&self) -> bool {
        self.dims.iter().filter(|&&length| length != 1).count() <= 1
    }
}

/// The length of a dimension.
fn length(head: Head) -> Option<usize> {
    if let Head::UInt(length) = head { usize::try_from(length).ok() } else { None }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.dims.iter().map(usize::to_string).collect();
        write!(f, "({}{})", dims.join(", "), if dims.len() == 1 { "," } else { "" })
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
    let (Head::Str(length) | Head::Bin(length)) = ahead.head()? else { return Ok(None) };
    let text = ahead.take(length as usize)?;
    *cursor = ahead;
    Ok(Some(text))
}

#[cfg(test)]
#[path = "../encoding_tests.rs"]
mod tests;
