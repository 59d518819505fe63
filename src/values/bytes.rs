//! Columns of text and of bytes.

use arrow_buffer::Buffer;
use arrow_data::ArrayDataBuilder;

use super::{Failure, Kind};
use crate::error::{Error, Result};
use crate::msgpack::{Cursor, Head};
use crate::reject::RejectKind;

pub(super) struct Strings {
    is_text: bool,
    is_large: bool,
    offsets: Vec<i64>,
    bytes: Vec<u8>,
}

impl Strings {
    pub(super) fn new(is_text: bool, is_large: bool) -> Self {
        Self { is_text, is_large, offsets: vec![0], bytes: Vec::new() }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.offsets.push(self.bytes.len() as i64);
    }
}

/// Offsets of the width that an array has. That they fit was seen to when values were added.
pub(super) fn take_offsets(offsets: &mut Vec<i64>, is_large: bool) -> Result<Buffer> {
    let offsets = std::mem::replace(offsets, vec![0]);
    if is_large {
        return Ok(Buffer::from_vec(offsets));
    }
    let narrow = offsets.into_iter().map(i32::try_from).collect::<std::result::Result<Vec<_>, _>>();
    narrow.map(Buffer::from_vec).map_err(|_| Error::internal("a batch with more than 2 GiB in a column"))
}

/// The most bytes or items that a column with 32-bit offsets holds; few where tests want to come there.
pub(crate) const MOST: usize = if cfg!(test) { 1 << 20 } else { i32::MAX as usize };

impl Kind for Strings {
    fn push(&mut self, head: Head, cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
        let bytes = match head {
            Head::Str(length) => cursor.take(length as usize)?,
            // The payload stands for an extension that no column understands.
            Head::Bin(length) | Head::Ext(_, length) if !self.is_text => cursor.take(length as usize)?,
            _ => return Ok(false),
        };
        if self.is_text
            && let Err(error) = std::str::from_utf8(bytes)
        {
            let at = error.valid_up_to();
            let found = format!("{head} that is not UTF-8 at its byte {at}");
            return Err(Failure::unfit(RejectKind::Value, "text in UTF-8", found));
        }
        if !self.is_large && self.bytes.len() + bytes.len() > MOST {
            let expected = "less than 2 GiB of text or bytes (a large type in option `schema` takes more)";
            return Err(Failure::unfit(RejectKind::TooLarge, expected, head));
        }
        self.add(bytes);
        Ok(true)
    }

    fn push_common(&mut self, bytes: &[u8]) -> Option<usize> {
        let (start, length) = match *bytes {
            [marker @ 0xa0..=0xbf, ..] => (1, usize::from(marker & 0x1f)),
            [0xd9, length, ..] => (2, length.into()),
            _ => return None,
        };
        let text = bytes.get(start..start + length)?;
        if self.bytes.len() + length > MOST || self.is_text && std::str::from_utf8(text).is_err() {
            return None;
        }
        self.add(text);
        Some(start + length)
    }

    fn push_empty(&mut self) {
        self.add(b"");
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        let end = self.offsets.last().copied().unwrap_or(0);
        self.bytes.truncate(end as usize);
    }

    fn size(&self) -> usize {
        self.bytes.len() + 8 * self.offsets.len()
    }

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        let bytes = Buffer::from_vec(std::mem::take(&mut self.bytes));
        Ok(array.add_buffer(take_offsets(&mut self.offsets, self.is_large)?).add_buffer(bytes))
    }
}
