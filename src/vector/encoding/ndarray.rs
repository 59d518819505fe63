//! Maps that hold a NumPy array: its dtype, its shape and its data, under keys that differ from library to library, in any
//! order. The data may come before what says how to read it.

use std::borrow::Cow;

use super::{CHUNKS, COMPLEX, Elements, Encoded, Encoding, FORTRAN, PICKLE, Shape, Trouble, dtype, text};
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::convert::Format;
use crate::vector::dtype::{Number, RawDtype};

/// No library writes more keys.
const MOST_KEYS: u32 = 8;

/// What the pairs of such a map say.
#[derive(Default)]
struct Pairs<'a> {
    /// msgpack-numpy's `nd`: true for arrays, false for scalars.
    nd: Option<bool>,
    /// `__ndarray__`, `__npgeneric__`.
    is_array: bool,
    is_generic: bool,
    is_complex: bool,
    dtype: Option<Type<'a>>,
    /// The type stands at the key `dtype`, where nothing but one does.
    is_dtype: bool,
    kind: Option<&'a [u8]>,
    shape: Option<Shape>,
    data: Option<Data<'a>>,
    /// A key beside the others says so.
    is_fortran: bool,
    is_big_endian: bool,
    strides: Option<Shape>,
    /// Other keys of arrays stand beside.
    has_others: bool,
}

enum Type<'a> {
    Name(&'a [u8]),
    /// The fields of a structured dtype.
    Fields,
}

enum Data<'a> {
    Bytes(&'a [u8]),
    /// A number, from its head on.
    Number(Head),
    Other,
}

/// Reads a map of which the head has been read; `None` where it is no array.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    pairs: u32,
    raw: RawDtype,
) -> Result<Option<Encoded<'a>>, Trouble> {
    if !(2..=MOST_KEYS).contains(&pairs) {
        return Ok(None);
    }
    let mut found = Pairs::default();
    for pair in 0..pairs {
        let Some(key) = text(cursor)? else { return Ok(None) };
        if pair == 0 && key == b"__msgpack_chunked_array__" {
            return chunked(cursor, pairs, raw);
        }
        if !found.take(key, cursor)? {
            return Ok(None);
        }
    }
    found.encoded()
}

/// The map in an extension of type 1, as some write it: `dtype`, `shape` and `data` without a key that says what it is.
pub(super) fn read_unmarked<'a>(cursor: &mut Cursor<'a>, pairs: u32) -> Result<Option<Encoded<'a>>, Trouble> {
    let mut found = Pairs { is_array: true, ..Pairs::default() };
    for _ in 0..pairs {
        match text(cursor)? {
            Some(key) if found.take(key, cursor)? => {}
            _ => return Ok(None),
        }
    }
    found.encoded()
}

impl<'a> Pairs<'a> {
    /// Takes the value of `key`; false where such an array has no such key.
    fn take(&mut self, key: &[u8], cursor: &mut Cursor<'a>) -> Result<bool, Broken> {
        match key {
            b"nd" => match cursor.head()? {
                Head::Bool(nd) => self.nd = Some(nd),
                _ => return Ok(false),
            },
            b"__ndarray__" | b"__nd__" | b"__type__" | b"numpy" => {
                cursor.skip()?;
                self.is_array = true;
            }
            b"__npgeneric__" => {
                cursor.skip()?;
                self.is_generic = true;
            }
            b"complex" => {
                cursor.skip()?;
                self.is_complex = true;
            }
            b"type" | b"dtype" if !self.is_dtype => {
                match text(cursor)?.inspect(|_| self.is_dtype = key == b"dtype") {
                    Some(name) => self.dtype = Some(Type::Name(name)),
                    None => {
                        cursor.skip()?;
                        self.dtype = Some(Type::Fields);
                    }
                }
            }
            b"kind" => match text(cursor)? {
                Some(kind) => self.kind = Some(kind),
                None => return Ok(false),
            },
            b"shape" | b"dims" if key == b"shape" || self.shape.is_none() => {
                self.shape = match cursor.peek()? {
                    Head::UInt(dim) => cursor.head().map(|_| Some(Shape { dims: vec![dim] }))?,
                    _ => Shape::read(cursor)?,
                };
                return Ok(self.shape.is_some());
            }
            b"data" | b"buffer" | b"bytes" | b"value" | b"raw" | b"payload" if self.data.is_none() => {
                self.data = Some(match text(cursor)? {
                    Some(bytes) => Data::Bytes(bytes),
                    None => match cursor.peek()? {
                        head @ (Head::UInt(_)
                        | Head::Int(_)
                        | Head::Float32(_)
                        | Head::Float64(_)
                        | Head::Bool(_)) => {
                            cursor.head()?;
                            Data::Number(head)
                        }
                        _ => {
                            cursor.skip()?;
                            Data::Other
                        }
                    },
                });
            }
            _ => {
                self.has_others = true;
                match (key, cursor.peek()?) {
                    (b"strides", Head::Array(_)) => {
                        self.strides = Shape::read(cursor)?;
                        return Ok(self.strides.is_some());
                    }
                    (b"fortran_order", Head::Bool(is_fortran)) => self.is_fortran |= is_fortran,
                    (b"order", Head::Str(_)) => {
                        self.is_fortran |= text(cursor)? == Some(b"F");
                        return Ok(true);
                    }
                    (b"byteorder" | b"byte_order" | b"endian" | b"endianness", Head::Str(_)) => {
                        self.is_big_endian |= matches!(text(cursor)?, Some([b'>' | b'b' | b'B', ..]));
                        return Ok(true);
                    }
                    (
                        b"type" | b"dims" | b"strides" | b"order" | b"version" | b"ndim" | b"size"
                        | b"itemsize" | b"nbytes" | b"device",
                        Head::Nil | Head::Bool(_) | Head::UInt(_) | Head::Int(_) | Head::Str(_),
                    ) => {}
                    (key, Head::Nil | Head::Bool(_) | Head::UInt(_) | Head::Int(_) | Head::Str(_))
                        if key.starts_with(b"__") => {}
                    // A field of a record.
                    _ => return Ok(false),
                }
                cursor.skip()?;
            }
        }
        Ok(true)
    }

    fn encoded(self) -> Result<Option<Encoded<'a>>, Trouble> {
        let refused = |what: &str| Err(Trouble::Refused(what.to_owned()));
        if self.has_others {
            return self.unmarked();
        }
        if self.is_complex {
            return if self.data.is_some() { refused(COMPLEX) } else { Ok(None) };
        }
        let encoding = match (self.nd, self.is_array || self.is_generic) {
            (Some(_), _) => Encoding::MsgpackNumpy,
            (None, true) => Encoding::Ndarray,
            (None, false) => return self.unmarked(),
        };
        let (Some(dtype_found), Some(data)) = (self.dtype, self.data) else { return Ok(None) };
        match self.kind {
            Some(b"O") => return refused(PICKLE),
            Some(b"V") => return refused("a structured NumPy array: write its fields one by one"),
            _ => {}
        }
        let Type::Name(name) = dtype_found else {
            return refused("a structured NumPy array: write its fields one by one");
        };
        let raw = dtype(name)?;
        let is_scalar = self.nd == Some(false) || self.is_generic;
        match (data, self.shape) {
            (Data::Bytes(bytes), None) if is_scalar => {
                Encoded::shaped(encoding, raw, &Shape { dims: Vec::new() }, bytes).map(Some)
            }
            (Data::Bytes(bytes), Some(shape)) if !is_scalar => {
                Encoded::shaped(encoding, raw, &shape, bytes).map(Some)
            }
            (Data::Number(head), _) if is_scalar => Ok(Some(number(encoding, head))),
            _ => Ok(None),
        }
    }
}

impl<'a> Pairs<'a> {
    /// A map that has the name of a dtype, a shape and bytes, and no key that says what it is.
    fn unmarked(self) -> Result<Option<Encoded<'a>>, Trouble> {
        match (self.dtype, self.shape, self.data) {
            (Some(Type::Name(name)), Some(shape), Some(Data::Bytes(bytes))) => {
                match RawDtype::named(&String::from_utf8_lossy(name)) {
                    Some(raw) => {
                        let follow = |strides: Shape| {
                            let mut steps = strides.dims.windows(2).zip(shape.dims.iter().skip(1));
                            strides.dims.len() == shape.dims.len()
                                && steps.all(|(two, dim)| two[1].checked_mul(*dim) == Some(two[0]))
                        };
                        if !shape.is_flat() && (self.is_fortran || !self.strides.is_none_or(follow)) {
                            return Err(Trouble::Refused(FORTRAN.to_owned()));
                        }
                        let raw = RawDtype { big_endian: raw.big_endian || self.is_big_endian, ..raw };
                        Encoded::shaped(Encoding::Ndarray, raw, &shape, bytes).map(Some)
                    }
                    None if self.is_dtype => dtype(name).map(|_| None),
                    None => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }
}

/// A number that stands as such.
fn number(encoding: Encoding, head: Head) -> Encoded<'static> {
    let (number, bytes) = match head {
        Head::Int(value) => (Number::I64, value.to_le_bytes().to_vec()),
        Head::UInt(value) => (Number::U64, value.to_le_bytes().to_vec()),
        Head::Float32(value) => (Number::F32, value.to_le_bytes().to_vec()),
        Head::Float64(value) => (Number::F64, value.to_le_bytes().to_vec()),
        other => (Number::Bool, vec![u8::from(other == Head::Bool(true))]),
    };
    let elements = Elements::Alike(Format::Packed(RawDtype::of(number)), bytes.into());
    Encoded { is_scalar: true, ..Encoded::vector(encoding, elements, 1) }
}

/// flax cuts an array of more than 2^30 bytes into `chunks`, flat arrays under the keys "0", "1", ..., with its `shape` under
/// such keys as well. The marker's key has been read.
fn chunked<'a>(cursor: &mut Cursor<'a>, pairs: u32, raw: RawDtype) -> Result<Option<Encoded<'a>>, Trouble> {
    cursor.skip()?;
    let (mut shape, mut chunks) = (None, None);
    for _ in 1..pairs {
        match text(cursor)? {
            Some(b"shape") => {
                let mut dims = Vec::new();
                for _ in 0..numbered(cursor, Shape::MOST)? {
                    text(cursor)?;
                    match cursor.head()? {
                        Head::UInt(dim) => dims.push(dim),
                        _ => return Err(Trouble::Refused(CHUNKS.to_owned())),
                    }
                }
                shape = Some(Shape { dims });
            }
            Some(b"chunks") => {
                let mut whole: Option<(Format, Vec<u8>)> = None;
                for _ in 0..numbered(cursor, u32::MAX)? {
                    text(cursor)?;
                    // flax has no chunks in chunks, and here they would be a recursion of any depth.
                    let Head::Ext(..) = cursor.peek()? else {
                        return Err(Trouble::Refused(CHUNKS.to_owned()));
                    };
                    let super::Seen::Vector(chunk) = super::read(cursor, raw.into())? else {
                        return Err(Trouble::Refused(CHUNKS.to_owned()));
                    };
                    let Elements::Alike(format, bytes) = chunk.elements else {
                        return Err(Trouble::Refused(CHUNKS.to_owned()));
                    };
                    let (first, joined) = whole.get_or_insert((format, Vec::new()));
                    if *first != format {
                        return Err(Trouble::Refused(CHUNKS.to_owned()));
                    }
                    joined.extend_from_slice(&bytes);
                }
                chunks = whole;
            }
            _ => return Ok(None),
        }
    }
    match (shape, chunks) {
        (Some(shape), Some((Format::Packed(raw), bytes))) => {
            Encoded::shaped(Encoding::Flax, raw, &shape, Cow::Owned(bytes)).map(Some)
        }
        _ => Err(Trouble::Refused(CHUNKS.to_owned())),
    }
}

/// The number of pairs of the map that comes next.
fn numbered(cursor: &mut Cursor<'_>, most: u32) -> Result<u32, Trouble> {
    match cursor.head()? {
        Head::Map(pairs) if pairs <= most => {
            cursor.require(2 * u64::from(pairs))?;
            Ok(pairs)
        }
        _ => Err(Trouble::Refused(CHUNKS.to_owned())),
    }
}
