//! Extension types that hold vectors. A code belongs to whoever uses it, so what is inside must fit as well.

use super::{COMPLEX, Encoded, Encoding, Found, Shape, Trouble, Types, dtype, find, ndarray, npy, text};
use crate::msgpack::{Cursor, Head};
use crate::vector::dtype::{Number, RawDtype};
use crate::vector::extensions::Payload;

const ALIGNED: i8 = 0;
const FLAX_ARRAY: i8 = 1;
const FLAX_COMPLEX: i8 = 2;
const FLAX_SCALAR: i8 = 3;
const MSGPACKR_TYPED_ARRAY: i8 = b't' as i8;
const MSGPACKR_RECORD: i8 = b'r' as i8;
const MSGPACKR_STRINGS: i8 = b'b' as i8;
pub(super) const LZ4_BLOCKS: i8 = 98;
const LZ4_BLOCK: i8 = 99;

/// Why a stream in which msgpackr defines a record cannot be read.
const RECORDS: &str = "a record definition of msgpackr, behind which bytes mean something else than in MessagePack: \
                                  write with `useRecords: false`";

pub(super) const LZ4: &str = "MessagePack-CSharp's LZ4 compression, which is not plain MessagePack: write without \
                   `WithCompression(...)`, or compress the whole file instead";

/// Why a stream in which msgpackr bundles strings cannot be read.
const STRINGS: &str = "msgpackr's bundled strings, behind which bytes mean something else than in MessagePack: write with \
                       `bundleStrings: false`";

/// What stands there, for the extensions by which msgpackr leaves MessagePack.
pub(crate) fn leaves_messagepack(head: Head) -> Option<&'static str> {
    match head {
        Head::Ext(MSGPACKR_RECORD, 1 | 2) => Some(RECORDS),
        Head::Ext(MSGPACKR_STRINGS, 4) => Some(STRINGS),
        _ => None,
    }
}

/// Reads an extension of which the head has been read; `None` where it is no vector.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, code: i8, length: u32, types: Types<'_>) -> Found<'a> {
    if let Some(what) = leaves_messagepack(Head::Ext(code, length)) {
        return Err(what.into());
    }
    let inside = cursor.take(length as usize)?;
    if let Some(payload) = types.extensions.get(code) {
        return given(inside, payload, types.raw);
    }
    match code {
        ALIGNED => Ok(aligned(inside, types.raw)),
        FLAX_ARRAY | FLAX_SCALAR => whole(inside, flax),
        FLAX_COMPLEX => match Cursor::new(inside).peek() {
            Ok(Head::Array(2)) => Err(COMPLEX.into()),
            _ => Ok(None),
        },
        MSGPACKR_TYPED_ARRAY => Ok(typed_array(inside)),
        30..=39 => whole(inside, |cursor| blit(code, cursor)),
        // The length of what was compressed, as an int32.
        LZ4_BLOCK if inside.first() == Some(&0xd2) => Err(LZ4.into()),
        _ => Ok(None),
    }
}

/// True for the lengths of compressed blocks, and nothing else.
pub(super) fn are_lengths(inside: &[u8]) -> bool {
    let mut cursor = Cursor::new(inside);
    while !cursor.rest().is_empty() {
        if !matches!(cursor.head(), Ok(Head::UInt(_) | Head::Int(_))) {
            return false;
        }
    }
    !inside.is_empty()
}

/// Reads a payload that options describe.
fn given(inside: &[u8], payload: Payload, raw: RawDtype) -> Found<'_> {
    match payload {
        Payload::Elements(raw) => Ok(Some(Encoded::packed(Encoding::Extension, raw, inside))),
        Payload::Npy => npy::read(inside),
        // An extension inside of the payload is not one of those that options describe, so this ends.
        Payload::MessagePack => whole(inside, |cursor| {
            let head = cursor.head()?;
            find(cursor, head, raw.into())
        }),
        Payload::Time(_) => Ok(None),
    }
}

/// Reads a payload. It is all there: if it is cut off, or more stands behind, it is no vector.
fn whole<'a>(inside: &'a [u8], read: impl FnOnce(&mut Cursor<'a>) -> Found<'a>) -> Found<'a> {
    let mut cursor = Cursor::new(inside);
    match read(&mut cursor) {
        Ok(Some(encoded)) if cursor.rest().is_empty() => Ok(Some(encoded)),
        Err(Trouble::Refused(what)) => Err(Trouble::Refused(what)),
        _ => Ok(None),
    }
}

/// No element is aligned to more bytes.
const MOST_PADDING: usize = 8;

/// The first byte tells how many bytes of padding there are, itself included; the others are zeros. Whole elements follow.
fn aligned(inside: &[u8], raw: RawDtype) -> Option<Encoded<'_>> {
    let padding = usize::from(*inside.first()?);
    let (padding, elements) =
        inside.split_at_checked(padding).filter(|_| (1..=MOST_PADDING).contains(&padding))?;
    let is_aligned = padding[1..].iter().all(|&byte| byte == 0) && elements.len().is_multiple_of(raw.size());
    is_aligned.then(|| Encoded::packed(Encoding::Aligned, raw, elements))
}

/// `[shape, name of the dtype, data]`, or a map of the three.
fn flax<'a>(cursor: &mut Cursor<'a>) -> Found<'a> {
    match cursor.head()? {
        Head::Array(3) => {}
        Head::Map(pairs) => {
            return ndarray::read(cursor, pairs, RawDtype::default(), Some(Encoding::Ndarray));
        }
        _ => return Ok(None),
    }
    let Some(shape) = Shape::read(cursor)? else { return Ok(None) };
    let Some(name) = text(cursor)? else { return Ok(None) };
    let Some(data) = text(cursor)? else { return Ok(None) };
    Encoded::shaped(Encoding::Flax, dtype(name)?, &shape, data).map(Some)
}

/// The types of msgpackr's typed arrays, by their codes.
const TYPED_ARRAYS: [Number; 11] = {
    use Number::*;
    [I8, U8, U8, I16, U16, I32, U32, F32, F64, I64, U64]
};

/// A typed array of msgpackr: a byte for the type of its elements in front of them.
fn typed_array(inside: &[u8]) -> Option<Encoded<'_>> {
    let (&code, elements) = inside.split_first()?;
    let number = *TYPED_ARRAYS.get(usize::from(code))?;
    Some(Encoded::packed(Encoding::TypedArray, RawDtype::of(number), elements))
}

/// The length in bytes, whether it is little-endian, and the elements: those of Unity's vectors, or numbers.
fn blit<'a>(code: i8, cursor: &mut Cursor<'a>) -> Found<'a> {
    let Head::UInt(length) = cursor.head()? else { return Ok(None) };
    let Head::Bool(little_endian) = cursor.head()? else { return Ok(None) };
    let number = match code {
        37 => Number::I32,
        38 => Number::F32,
        39 => Number::F64,
        _ => {
            let what = format!("an array of Unity structs (extension {code}): write them as float arrays");
            return Err(Trouble::Refused(what));
        }
    };
    let elements = cursor.take(cursor.rest().len())?;
    if elements.len() as u64 != length {
        let found = format!("{} bytes of data where {length} are announced", elements.len());
        return Err(Trouble::Refused(found));
    }
    let raw = RawDtype { number, big_endian: !little_endian };
    Ok(Some(Encoded::packed(Encoding::Blit, raw, elements)))
}
