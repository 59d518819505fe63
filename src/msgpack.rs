//! MessagePack itself: heads of objects and how to step over an object. Bytes only; nothing here knows what a vector is.
//!
//! A length in a head is a claim of the producer. Nothing here allocates, and nothing recurses: [`Skipper`] counts the
//! objects that are still to come, which bounds nested arrays and maps of any depth.

use std::fmt;

use rmp::Marker;

use crate::text::bytes;

/// The largest head: a marker, four bytes of length and the type of an extension.
pub(crate) const MAX_HEAD: usize = 9;

/// What an object is, from its marker and the length or value right behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Head {
    Nil,
    Bool(bool),
    UInt(u64),
    Int(i64),
    Float32(f32),
    Float64(f64),
    /// Text, or in old files any bytes.
    Str(u32),
    Bin(u32),
    /// Number of items.
    Array(u32),
    /// Number of pairs.
    Map(u32),
    Ext(i8, u32),
}

/// Why no head could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// The bytes end too early.
    Incomplete,
    /// 0xc1, which no encoder may write.
    Reserved,
}

impl Head {
    /// Reads the head at the start of `bytes`; gives it and its size in bytes.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize), HeadError> {
        let (&marker, rest) = bytes.split_first().ok_or(HeadError::Incomplete)?;
        let head = match Marker::from_u8(marker) {
            Marker::Null => (Self::Nil, 1),
            Marker::False => (Self::Bool(false), 1),
            Marker::True => (Self::Bool(true), 1),
            Marker::FixPos(value) => (Self::UInt(value.into()), 1),
            Marker::FixNeg(value) => (Self::Int(value.into()), 1),
            Marker::U8 => (Self::UInt(be::<1>(rest)?), 2),
            Marker::U16 => (Self::UInt(be::<2>(rest)?), 3),
            Marker::U32 => (Self::UInt(be::<4>(rest)?), 5),
            Marker::U64 => (Self::UInt(be::<8>(rest)?), 9),
            Marker::I8 => (Self::Int((be::<1>(rest)? as i8).into()), 2),
            Marker::I16 => (Self::Int((be::<2>(rest)? as i16).into()), 3),
            Marker::I32 => (Self::Int((be::<4>(rest)? as i32).into()), 5),
            Marker::I64 => (Self::Int(be::<8>(rest)? as i64), 9),
            Marker::F32 => (Self::Float32(f32::from_bits(be::<4>(rest)? as u32)), 5),
            Marker::F64 => (Self::Float64(f64::from_bits(be::<8>(rest)?)), 9),
            Marker::FixStr(length) => (Self::Str(length.into()), 1),
            Marker::Str8 => (Self::Str(be::<1>(rest)? as u32), 2),
            Marker::Str16 => (Self::Str(be::<2>(rest)? as u32), 3),
            Marker::Str32 => (Self::Str(be::<4>(rest)? as u32), 5),
            Marker::Bin8 => (Self::Bin(be::<1>(rest)? as u32), 2),
            Marker::Bin16 => (Self::Bin(be::<2>(rest)? as u32), 3),
            Marker::Bin32 => (Self::Bin(be::<4>(rest)? as u32), 5),
            Marker::FixArray(items) => (Self::Array(items.into()), 1),
            Marker::Array16 => (Self::Array(be::<2>(rest)? as u32), 3),
            Marker::Array32 => (Self::Array(be::<4>(rest)? as u32), 5),
            Marker::FixMap(pairs) => (Self::Map(pairs.into()), 1),
            Marker::Map16 => (Self::Map(be::<2>(rest)? as u32), 3),
            Marker::Map32 => (Self::Map(be::<4>(rest)? as u32), 5),
            Marker::FixExt1 => (Self::Ext(be::<1>(rest)? as i8, 1), 2),
            Marker::FixExt2 => (Self::Ext(be::<1>(rest)? as i8, 2), 2),
            Marker::FixExt4 => (Self::Ext(be::<1>(rest)? as i8, 4), 2),
            Marker::FixExt8 => (Self::Ext(be::<1>(rest)? as i8, 8), 2),
            Marker::FixExt16 => (Self::Ext(be::<1>(rest)? as i8, 16), 2),
            Marker::Ext8 => ext::<1>(rest)?,
            Marker::Ext16 => ext::<2>(rest)?,
            Marker::Ext32 => ext::<4>(rest)?,
            Marker::Reserved => return Err(HeadError::Reserved),
        };
        Ok(head)
    }

    /// Bytes that follow the head and belong to this object alone (not to its items).
    pub(crate) fn payload(self) -> u64 {
        match self {
            Self::Str(length) | Self::Bin(length) | Self::Ext(_, length) => length.into(),
            _ => 0,
        }
    }

    /// Objects that follow and belong to this one.
    pub(crate) fn children(self) -> u64 {
        match self {
            Self::Array(items) => items.into(),
            Self::Map(pairs) => 2 * u64::from(pairs),
            _ => 0,
        }
    }
}

/// How an error message names what it found.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => write!(f, "the boolean {value}"),
            Self::UInt(value) => write!(f, "the integer {value}"),
            Self::Int(value) => write!(f, "the integer {value}"),
            Self::Float32(value) => write!(f, "the float32 {value:?}"),
            Self::Float64(value) => write!(f, "the float64 {value:?}"),
            Self::Str(length) => write!(f, "a string of {}", bytes(*length)),
            Self::Bin(length) => f.write_str(&bytes(*length)),
            Self::Array(items) => write!(f, "an array of {items}"),
            Self::Map(pairs) => write!(f, "a map of {pairs}"),
            Self::Ext(code, length) => write!(f, "an extension of type {code}, {}", bytes(*length)),
        }
    }
}

fn be<const N: usize>(bytes: &[u8]) -> Result<u64, HeadError> {
    let bytes = bytes.first_chunk::<N>().ok_or(HeadError::Incomplete)?;
    Ok(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn ext<const N: usize>(bytes: &[u8]) -> Result<(Head, usize), HeadError> {
    let length = be::<N>(bytes)? as u32;
    let code = *bytes.get(N).ok_or(HeadError::Incomplete)? as i8;
    Ok((Head::Ext(code, length), 2 + N))
}

/// Steps over one object, in as many pieces as its bytes come in, without holding any of them.
#[derive(Debug, Clone)]
pub(crate) struct Skipper {
    /// Objects still to come, this one included.
    objects: u64,
    /// Bytes of the current object's payload still to come.
    payload: u64,
}

/// The markers of floats, of which vectors are long runs.
pub(crate) const FLOAT32: u8 = 0xca;
pub(crate) const FLOAT64: u8 = 0xcb;

/// How many floats with this marker stand one after another at the start of `bytes`, at most `most`.
pub(crate) fn floats(bytes: &[u8], marker: u8, most: u64) -> usize {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    // Sizes that the compiler knows make the loops a few times faster.
    if marker == FLOAT32 {
        bytes.chunks_exact(5).take(most).take_while(|float| float[0] == FLOAT32).count()
    } else {
        bytes.chunks_exact(9).take(most).take_while(|float| float[0] == FLOAT64).count()
    }
}

/// The bytes of an object without children whose marker tells its size, the marker included; else 0.
static SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut marker = 0;
    while marker < 256 {
        sizes[marker] = match marker as u8 {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 1,
            text @ 0xa0..=0xbf => text - 0xa0 + 1,
            0xcc | 0xd0 => 2,
            0xcd | 0xd1 | 0xd4 => 3,
            0xca | 0xce | 0xd2 => 5,
            0xcb | 0xcf | 0xd3 => 9,
            0xd5 => 4,
            0xd6 => 6,
            0xd7 => 10,
            0xd8 => 18,
            _ => 0,
        };
        marker += 1;
    }
    sizes
};

/// How far a [`Skipper`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// The object ends after so many bytes.
    Done(usize),
    /// So many bytes belong to the object, and more will.
    More(usize),
    /// After so many bytes of the object stands 0xc1.
    Reserved(usize),
}

impl Skipper {
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    /// Steps over so many objects.
    pub(crate) fn of(objects: u64) -> Self {
        Self { objects, payload: 0 }
    }

    /// Steps over so many bytes, whatever they are.
    pub(crate) fn of_bytes(bytes: u64) -> Self {
        Self { objects: 0, payload: bytes }
    }

    /// Takes the next bytes. A head that is cut off at the end of `bytes` is left for the next call.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> Skipped {
        let mut at = 0;
        loop {
            let left = bytes.len() - at;
            if self.payload > left as u64 {
                self.payload -= left as u64;
                return Skipped::More(bytes.len());
            }
            at += self.payload as usize;
            self.payload = 0;
            if self.objects == 0 {
                return Skipped::Done(at);
            }
            if let Some(marker @ (FLOAT32 | FLOAT64)) = bytes.get(at).copied() {
                let floats = floats(&bytes[at..], marker, self.objects);
                self.objects -= floats as u64;
                at += floats * if marker == FLOAT32 { 5 } else { 9 };
                if floats > 0 {
                    continue;
                }
            }
            let size = bytes.get(at).map_or(0, |&marker| usize::from(SIZES[usize::from(marker)]));
            if size > 0 && size <= bytes.len() - at {
                at += size;
                self.objects -= 1;
                continue;
            }
            match Head::read(&bytes[at..]) {
                Ok((head, size)) => {
                    at += size;
                    self.objects = (self.objects - 1).saturating_add(head.children());
                    self.payload = head.payload();
                }
                Err(HeadError::Incomplete) => return Skipped::More(at),
                Err(HeadError::Reserved) => return Skipped::Reserved(at),
            }
        }
    }
}

/// Whether `bytes` start with `prefix`. Keys and heads are a few bytes, which are compared faster than the
/// library's comparison is called.
#[inline(always)]
pub(crate) fn starts_with(bytes: &[u8], prefix: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..prefix.len()) else { return false };
    match prefix.len() {
        0..4 => bytes.iter().eq(prefix),
        4..=8 => {
            bytes.first_chunk::<4>() == prefix.first_chunk() && bytes.last_chunk::<4>() == prefix.last_chunk()
        }
        9..=16 => {
            bytes.first_chunk::<8>() == prefix.first_chunk() && bytes.last_chunk::<8>() == prefix.last_chunk()
        }
        _ => bytes == prefix,
    }
}

/// Why an object could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The bytes end too early: at least so many are needed, counted from where the cursor began.
    Short(u64),
    /// At this place stands 0xc1.
    Reserved(usize),
}

/// Reads objects one after another from bytes that may end too early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The same, where so many bytes have been read.
    pub(crate) fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    /// How many bytes have been read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The bytes read since `start`, which is where the cursor was.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    #[inline]
    pub(crate) fn head(&mut self) -> Result<Head, Broken> {
        match Head::read(self.rest()) {
            Ok((head, size)) => {
                self.at += size;
                Ok(head)
            }
            Err(HeadError::Incomplete) => Err(Broken::Short(self.bytes.len() as u64 + 1)),
            Err(HeadError::Reserved) => Err(Broken::Reserved(self.at)),
        }
    }

    /// The next head, which stays unread.
    pub(crate) fn peek(&self) -> Result<Head, Broken> {
        let mut ahead = *self;
        ahead.head()
    }

    /// Steps over `bytes` if they come next.
    #[inline]
    pub(crate) fn take_if_next(&mut self, bytes: &[u8]) -> bool {
        let is_next = starts_with(self.rest(), bytes);
        if is_next {
            self.at += bytes.len();
        }
        is_next
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        self.require(length as u64)?;
        self.at += length;
        Ok(self.since(self.at - length))
    }

    /// Fails unless so many bytes are at hand.
    pub(crate) fn require(&self, bytes: u64) -> Result<(), Broken> {
        let needed = (self.at as u64).saturating_add(bytes);
        if needed > self.bytes.len() as u64 { Err(Broken::Short(needed)) } else { Ok(()) }
    }

    /// Steps over one object, with all that is in it.
    pub(crate) fn skip(&mut self) -> Result<(), Broken> {
        let mut skipper = Skipper::new();
        match skipper.skip(self.rest()) {
            Skipped::Done(bytes) => {
                self.at += bytes;
                Ok(())
            }
            Skipped::More(bytes) => {
                // Any object that is still to come takes a byte at least.
                let least = (self.at + bytes) as u64;
                let least = least.saturating_add(skipper.payload).saturating_add(skipper.objects);
                Err(Broken::Short(least.max(self.bytes.len() as u64 + 1)))
            }
            Skipped::Reserved(bytes) => Err(Broken::Reserved(self.at + bytes)),
        }
    }
}

#[cfg(test)]
#[path = "msgpack_tests.rs"]
mod tests;
