//! How a record begins: the bytes by which a record is found in the middle of an input.

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

    /// True if records with this start are arrays.
    pub(crate) fn is_array(&self) -> bool {
        self.lead == 0 && matches!(Head::read(&self.bytes), Ok((Head::Array(_), _)))
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
