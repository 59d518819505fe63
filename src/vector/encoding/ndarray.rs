//! Maps that hold a NumPy array: its dtype, its shape and its data, under keys that differ from library to library, in any
//! order. The data may come before what says how to read it.

use super::{
    CHUNKS, COMPLEX, Elements, Encoded, Encoding, FORTRAN, Found, PICKLE, Seen, Shape, Trouble, dtype,
    length, text,
};
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::convert::Format;
use crate::vector::dtype::{Number, RawDtype};

/// No library writes more keys.
const MOST_KEYS: u32 = 8;

/// Keys whose values change nothing.
const BESIDE: [&[u8]; 10] =
    [b"type", b"dims", b"strides", b"order", b"version", b"ndim", b"size", b"itemsize", b"nbytes", b"device"];

const STRUCTURED: &str = "a structured NumPy array: write its fields one by one";

/// What the pairs of such a map say.
#[derive(Default)]
struct Pairs<'a> {
    /// A key says that the map is an array, as this library writes them, or a scalar.
    marked: Option<Encoding>,
    is_scalar: bool,
    is_complex: bool,
    /// The value is the name of a type, or the fields of a structured one.
    dtype: Option<Cursor<'a>>,
    /// The type stands at the key `dtype`, where nothing but one does.
    is_dtype: bool,
    kind: Option<&'a [u8]>,
    shape: Option<Shape>,
    data: Option<Cursor<'a>>,
    /// A key beside the others says so.
    is_fortran: bool,
    is_big_endian: bool,
    strides: Option<Shape>,
    /// Other keys of arrays stand beside.
    has_others: bool,
}

/// Reads a map of which the head has been read; `None` where it is no array. Something else may have `marked` it as one.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    pairs: u32,
    raw: RawDtype,
    marked: Option<Encoding>,
) -> Found<'a> {
    if !(2..=MOST_KEYS).contains(&pairs) {
        return Ok(None);
    }
    let mut found = Pairs { marked, ..Pairs::default() };
    for pair in 0..pairs {
        let Some(key) = text(cursor)? else { return Ok(None) };
        if pair == 0 && key == b"__msgpack_chunked_array__" && marked.is_none() {
            return chunked(cursor, pairs, raw);
        }
        if !found.take(key, cursor)? {
            return Ok(None);
        }
    }
    found.encoded()
}

impl<'a> Pairs<'a> {
    /// Takes the value of `key`; false where such an array has no such key.
    fn take(&mut self, key: &[u8], cursor: &mut Cursor<'a>) -> Result<bool, Broken> {
        let mut value = *cursor;
        match key {
            b"nd" => {
                let Head::Bool(is_array) = value.head()? else { return Ok(false) };
                (self.marked, self.is_scalar) = (Some(Encoding::MsgpackNumpy), !is_array);
            }
            b"__ndarray__" | b"__nd__" | b"__type__" | b"numpy" | b"__npgeneric__" => {
                self.marked.get_or_insert(Encoding::Ndarray);
                self.is_scalar |= key == b"__npgeneric__";
            }
            b"complex" => self.is_complex = true,
            b"type" | b"dtype" if !self.is_dtype => {
                self.dtype = Some(value);
                self.is_dtype = key == b"dtype" && text(&mut value)?.is_some();
            }
            b"kind" => {
                self.kind = text(&mut value)?;
                if self.kind.is_none() {
                    return Ok(false);
                }
            }
            b"shape" | b"dims" if key == b"shape" || self.shape.is_none() => {
                self.shape = match length(value.peek()?) {
                    Some(dim) => Some(Shape { dims: vec![dim] }),
                    None => Shape::read(&mut value)?,
                };
                if self.shape.is_none() {
                    return Ok(false);
                }
            }
            b"data" | b"buffer" | b"bytes" | b"value" | b"raw" | b"payload" if self.data.is_none() => {
                self.data = Some(value);
            }
            _ => {
                self.has_others = true;
                match (key, value.peek()?) {
                    (b"strides", Head::Array(_)) => {
                        self.strides = Shape::read(&mut value)?;
                        if self.strides.is_none() {
                            return Ok(false);
                        }
                    }
                    (b"fortran_order" | b"fortran", is_fortran @ (Head::Bool(_) | Head::UInt(_))) => {
                        self.is_fortran |= !matches!(is_fortran, Head::Bool(false) | Head::UInt(0));
                    }
                    // Row-major by any of its names; "column-major" begins with a C as well.
                    (b"order", Head::Str(_) | Head::Bin(_)) => {
                        let order = text(&mut value)?.unwrap_or_default().to_ascii_lowercase();
                        let is_c = order == b"c" || order.starts_with(b"c_") || order.starts_with(b"c-");
                        self.is_fortran |= !is_c && !order.starts_with(b"r");
                    }
                    (b"byteorder" | b"byte_order" | b"endian" | b"endianness", Head::Str(_)) => {
                        let order = text(&mut value)?;
                        self.is_big_endian |=
                            matches!(order, Some([b'>' | b'!' | b'b' | b'B', ..] | b"network"));
                    }
                    (_, Head::Nil | Head::Bool(_) | Head::UInt(_) | Head::Int(_) | Head::Str(_))
                        if BESIDE.contains(&key) || key.starts_with(b"__") => {}
                    // A field of a record.
                    _ => return Ok(false),
                }
            }
        }
        cursor.skip()?;
        Ok(true)
    }

    fn encoded(self) -> Found<'a> {
        if self.has_others {
            return self.unmarked();
        }
        if self.is_complex {
            return if self.data.is_some() { Err(COMPLEX.into()) } else { Ok(None) };
        }
        let Some(encoding) = self.marked else { return self.unmarked() };
        let (Some(mut dtype_at), Some(mut data)) = (self.dtype, self.data) else { return Ok(None) };
        let name = match (self.kind, text(&mut dtype_at)?) {
            (Some(b"O"), _) => return Err(PICKLE.into()),
            (Some(b"V"), _) | (_, None) => return Err(STRUCTURED.into()),
            (_, Some(name)) => name,
        };
        let raw = dtype(name)?;
        match (text(&mut data)?, self.shape) {
            (Some(bytes), Some(shape)) if !self.is_scalar => {
                Encoded::shaped(encoding, raw, &shape, bytes).map(Some)
            }
            (Some(bytes), None) if self.is_scalar => {
                Encoded::shaped(encoding, raw, &Shape { dims: Vec::new() }, bytes).map(Some)
            }
            (None, _) if self.is_scalar => Ok(number(encoding, data.head()?)),
            _ => Ok(None),
        }
    }

    /// A map that has the name of a dtype, a shape and bytes, and no key that says what it is.
    fn unmarked(self) -> Found<'a> {
        let (Some(mut name), Some(shape), Some(mut data)) = (self.dtype, self.shape, self.data) else {
            return Ok(None);
        };
        let (Some(name), Some(bytes)) = (text(&mut name)?, text(&mut data)?) else { return Ok(None) };
        let raw = match dtype(name) {
            Ok(raw) => RawDtype { big_endian: raw.big_endian || self.is_big_endian, ..raw },
            Err(refused) => return if self.is_dtype { Err(refused) } else { Ok(None) },
        };
        let is_in_c_order = |strides: Shape| {
            let mut steps = strides.dims.windows(2).zip(shape.dims.iter().skip(1));
            strides.dims.len() == shape.dims.len()
                && steps.all(|(two, dim)| two[1].checked_mul(*dim) == Some(two[0]))
        };
        if !shape.is_flat() && (self.is_fortran || !self.strides.is_none_or(is_in_c_order)) {
            return Err(FORTRAN.into());
        }
        Encoded::shaped(Encoding::Ndarray, raw, &shape, bytes).map(Some)
    }
}

/// A number that stands as such.
fn number(encoding: Encoding, head: Head) -> Option<Encoded<'static>> {
    let (number, bytes) = match head {
        Head::Int(value) => (Number::I64, value.to_le_bytes().to_vec()),
        Head::UInt(value) => (Number::U64, value.to_le_bytes().to_vec()),
        Head::Float32(value) => (Number::F32, value.to_le_bytes().to_vec()),
        Head::Float64(value) => (Number::F64, value.to_le_bytes().to_vec()),
        Head::Bool(value) => (Number::Bool, vec![value.into()]),
        _ => return None,
    };
    Some(Encoded { is_scalar: true, ..Encoded::packed(encoding, RawDtype::of(number), bytes) })
}

/// flax cuts an array of more than 2^30 bytes into `chunks`, flat arrays under the keys "0", "1", ..., with its `shape` under
/// such keys as well. The marker's key has been read.
fn chunked<'a>(cursor: &mut Cursor<'a>, pairs: u32, raw: RawDtype) -> Found<'a> {
    cursor.skip()?;
    let (mut shape, mut chunks) = (None, None);
    for _ in 1..pairs {
        match text(cursor)? {
            Some(b"shape") => {
                let mut dims = Vec::new();
                for _ in 0..numbered(cursor, Shape::MOST)? {
                    text(cursor)?;
                    dims.push(length(cursor.head()?).ok_or(CHUNKS)?);
                }
                shape = Some(Shape { dims });
            }
            Some(b"chunks") => {
                chunks = None;
                for _ in 0..numbered(cursor, u32::MAX)? {
                    text(cursor)?;
                    // flax has no chunks in chunks, and here they would be a recursion of any depth.
                    let Head::Ext(..) = cursor.peek()? else { return Err(CHUNKS.into()) };
                    match super::read(cursor, raw.into())? {
                        Seen::Vector(chunk) if chunk.elements.append_to(&mut chunks) => {}
                        _ => return Err(CHUNKS.into()),
                    }
                }
            }
            _ => return Ok(None),
        }
    }
    match (shape, chunks) {
        (Some(shape), Some(Elements { format: Format::Packed(raw), bytes })) => {
            Encoded::shaped(Encoding::Flax, raw, &shape, bytes).map(Some)
        }
        _ => Err(CHUNKS.into()),
    }
}

/// The number of pairs of the map that comes next.
fn numbered(cursor: &mut Cursor<'_>, most: u32) -> Result<u32, Trouble> {
    match cursor.head()? {
        Head::Map(pairs) if pairs <= most => {
            cursor.require(2 * u64::from(pairs))?;
            Ok(pairs)
        }
        _ => Err(CHUNKS.into()),
    }
}
