//! Where records begin: the bytes by which one is found in the middle of an input, and the lengths in front of objects under
//! `length-prefixed` framing.

use memchr::memmem::find_iter;
use serde::{Deserialize, Serialize};

use crate::msgpack::{Broken, Cursor, Head};

/// Bytes that a record has at or near its start.
///
/// Of a map these are its first key, so that maps with more or fewer fields begin alike. Of any
/// other object they are its head, which holds the length of bytes and the count of an array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordStart {
    /// Bytes of the record in front of the others: the head of a map.
    lead: usize,
    bytes: Box<[u8]>,
}

impl RecordStart {
    /// The start of the record at the start of `bytes`; `None` for an empty map or array, and for a
    /// number, a boolean or nil.
    pub(crate) fn of(bytes: &[u8]) -> Result<Option<Self>, Broken> {
        let mut cursor = Cursor::new(bytes);
        let lead = match cursor.head()? {
            Head::Map(1..) => {
                let lead = cursor.at();
                cursor.skip()?;
                lead
            }
            Head::Array(1..) | Head::Bin(_) | Head::Str(_) | Head::Ext(..) => 0,
            _ => return Ok(None),
        };
        Ok(Some(Self { lead, bytes: cursor.since(lead).into() }))
    }

    /// How many bytes it takes to see whether a record begins at a place.
    pub(crate) fn len(&self) -> usize {
        self.lead + self.bytes.len()
    }

    /// True if a record with this start may begin at the start of `bytes`.
    pub(crate) fn matches(&self, bytes: &[u8]) -> bool {
        bytes.get(self.lead..).is_some_and(|behind| behind.starts_with(&self.bytes))
    }

    /// The places in `bytes` at which a record with this start may begin.
    pub(crate) fn places<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let places = find_iter(bytes, &*self.bytes);
        places.filter_map(|place| place.checked_sub(self.lead)).filter(|&place| {
            let head = Head::read(&bytes[place..]);
            self.lead == 0 || matches!(head, Ok((Head::Map(1..), size)) if size == self.lead)
        })
    }
}

/// How the length of an object is written in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Prefix {
    /// Four bytes, the lowest one first.
    Le32,
    /// Four bytes, the highest one first.
    Be32,
    /// Seven bits a byte, the lowest ones first, as Protocol Buffers write it.
    Varint,
}

/// The record that a length stands in front of.
pub(crate) enum Framed<'a> {
    /// The length and the record, which begins behind so many bytes.
    Record(&'a [u8], usize),
    /// At least this many bytes are needed to see.
    Short(u64),
    /// A record of so many bytes with its length, which is more than one may have.
    TooLong(u64),
    NoLength,
}

/// This many objects, each as long as the bytes in front of it say, show that lengths stand there.
const ENOUGH: usize = 3;

impl Prefix {
    const ALL: [Self; 3] = [Self::Le32, Self::Be32, Self::Varint];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Le32 => "4 bytes, little-endian",
            Self::Be32 => "4 bytes, big-endian",
            Self::Varint => "a varint",
        }
    }

    /// The size of the prefix at the start of `bytes`, and the length that it gives; `None` where it is
    /// no length of 32 bits.
    pub(crate) fn read(self, bytes: &[u8]) -> Result<Option<(usize, usize)>, Broken> {
        let short = Broken::Short(bytes.len() as u64 + 1);
        if self != Self::Varint {
            let four = *bytes.first_chunk::<4>().ok_or(Broken::Short(4))?;
            let length = if self == Self::Le32 { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) };
            return Ok(Some((4, length as usize)));
        }
        let mut length = 0u64;
        for index in 0..*self.sizes().end() {
            let byte = *bytes.get(index).ok_or(short)?;
            length |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(u32::try_from(length).ok().map(|length| (index + 1, length as usize)));
            }
        }
        Ok(None)
    }

    /// The record at the start of `bytes`, which may have at most `most` bytes.
    pub(crate) fn frame(self, bytes: &[u8], most: u64) -> Framed<'_> {
        match self.read(bytes) {
            Err(_) => Framed::Short(bytes.len() as u64 + 1),
            Ok(None) => Framed::NoLength,
            Ok(Some((lead, length))) if length as u64 > most => Framed::TooLong((lead + length) as u64),
            Ok(Some((lead, length))) => match bytes.get(..lead + length) {
                Some(record) => Framed::Record(record, lead),
                None => Framed::Short((lead + length) as u64),
            },
        }
    }

    /// The bytes that a length may take.
    pub(crate) fn sizes(self) -> std::ops::RangeInclusive<usize> {
        if self == Self::Varint { 1..=5 } else { 4..=4 }
    }

    /// The lengths by which an input is framed that begins with `bytes`, of which records have at most
    /// `most`. The error asks for more bytes. Where no option says so, the first objects are no numbers and no nils: short
    /// ones are common in files that are framed in another way.
    pub(super) fn detect(
        bytes: &[u8],
        ended: bool,
        most: u64,
        is_given: bool,
    ) -> Result<Option<Self>, Broken> {
        let mut needed = None;
        for prefix in Self::ALL {
            match prefix.frames(bytes, ended, most, is_given) {
                Ok(true) => return Ok(Some(prefix)),
                Err(broken @ Broken::Short(_)) if !ended => needed = needed.or(Some(broken)),
                _ => {}
            }
        }
        needed.map_or(Ok(None), Err)
    }

    /// True where such lengths stand in front of the first objects, or of all up to the end.
    fn frames(self, bytes: &[u8], ended: bool, most: u64, is_given: bool) -> Result<bool, Broken> {
        let mut at = 0;
        for objects in 0..ENOUGH {
            if objects > 0 && at == bytes.len() {
                return if ended { Ok(true) } else { Err(Broken::Short(at as u64 + 1)) };
            }
            let read = self.read(&bytes[at..]).map_err(|_| Broken::Short(bytes.len() as u64 + 1))?;
            let Some((size, length)) = read else { return Ok(false) };
            if length as u64 > most {
                return Ok(false);
            }
            let mut cursor = Cursor::starting_at(bytes, at + size);
            if let Head::Nil
            | Head::Bool(_)
            | Head::UInt(_)
            | Head::Int(_)
            | Head::Float32(_)
            | Head::Float64(_) = cursor.peek()?
                && !is_given
            {
                return Ok(false);
            }
            let end = at + size + length;
            match cursor.skip() {
                Ok(()) if cursor.at() == end => at = end,
                Err(Broken::Short(needed)) if needed <= end as u64 => return Err(Broken::Short(end as u64)),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
