//! Columns of text and of bytes.

use std::sync::Arc;

use arrow_array::types::ByteArrayType;
use arrow_array::{ArrayRef, BinaryArray, GenericByteArray, LargeBinaryArray};
use arrow_array::{LargeStringArray, OffsetSizeTrait, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::{Failure, Kind};
use crate::error::{Error, Result};
use crate::msgpack::{Cursor, Head};
use crate::reject::RejectKind;

pub(super) struct Strings {
    data_type: DataType,
    offsets: Vec<i64>,
    bytes: Vec<u8>,
}

impl Strings {
    pub(super) fn new(data_type: &DataType) -> Self {
        Self { data_type: data_type.clone(), offsets: vec![0], bytes: Vec::new() }
    }

    fn is_text(&self) -> bool {
        matches!(self.data_type, DataType::Utf8 | DataType::LargeUtf8)
    }

    fn is_large(&self) -> bool {
        matches!(self.data_type, DataType::LargeUtf8 | DataType::LargeBinary)
    }

    fn array<T: ByteArrayType>(&mut self, nulls: Option<NullBuffer>) -> Result<GenericByteArray<T>> {
        let offsets = offsets::<T::Offset>(&std::mem::replace(&mut self.offsets, vec![0]))?;
        let bytes = Buffer::from_vec(std::mem::take(&mut self.bytes));
        Ok(GenericByteArray::try_new(offsets, bytes, nulls)?)
    }
}

/// Offsets of the width that an array has. That they fit was seen to when values were added.
pub(super) fn offsets<O: OffsetSizeTrait>(offsets: &[i64]) -> Result<OffsetBuffer<O>> {
    let narrow = |&offset: &i64| {
        let offset = usize::try_from(offset).ok().and_then(O::from_usize);
        offset.ok_or_else(|| Error::internal("a batch with more than 2 GiB in a column"))
    };
    let offsets: Vec<O> = offsets.iter().map(narrow).collect::<Result<_>>()?;
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

/// The most bytes or items that a column with 32-bit offsets holds; few where tests want to come there.
pub(crate) const MOST: usize = if cfg!(test) { 1 << 20 } else { i32::MAX as usize };

impl Kind for Strings {
    fn push(&mut self, head: Head, cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        let bytes = match head {
            Head::Str(length) => cursor.take(length as usize)?,
            // The payload stands for an extension that no column understands.
            Head::Bin(length) | Head::Ext(_, length) if !self.is_text() => cursor.take(length as usize)?,
            _ => return Err(Failure::of_type(&self.data_type, head)),
        };
        if self.is_text()
            && let Err(error) = std::str::from_utf8(bytes)
        {
            let at = error.valid_up_to();
            let found = format!("{head} that is not UTF-8 at its byte {at}");
            return Err(Failure::unfit(RejectKind::Value, "text in UTF-8", found));
        }
        if !self.is_large() && self.bytes.len() + bytes.len() > MOST {
            let expected = "less than 2 GiB of text or bytes (a large type in option `schema` takes more)";
            return Err(Failure::unfit(RejectKind::TooLarge, expected, head));
        }
        self.bytes.extend_from_slice(bytes);
        self.offsets.push(self.bytes.len() as i64);
        Ok(())
    }

    fn push_common(&mut self, bytes: &[u8]) -> Option<usize> {
        let (start, length) = match *bytes {
            [marker @ 0xa0..=0xbf, ..] => (1, usize::from(marker & 0x1f)),
            [0xd9, length, ..] => (2, length.into()),
            _ => return None,
        };
        let text = bytes.get(start..start + length)?;
        if self.bytes.len() + length > MOST || self.is_text() && std::str::from_utf8(text).is_err() {
            return None;
        }
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i64);
        Some(start + length)
    }

    fn push_empty(&mut self) {
        self.offsets.push(self.bytes.len() as i64);
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        let end = self.offsets.last().copied().unwrap_or(0);
        self.bytes.truncate(end as usize);
    }

    fn size(&self) -> usize {
        self.bytes.len() + 8 * self.offsets.len()
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        Ok(match self.data_type {
            DataType::Utf8 => Arc::new(self.array(nulls)?) as Arc<StringArray>,
            DataType::LargeUtf8 => Arc::new(self.array(nulls)?) as Arc<LargeStringArray>,
            DataType::LargeBinary => Arc::new(self.array(nulls)?) as Arc<LargeBinaryArray>,
            _ => Arc::new(self.array(nulls)?) as Arc<BinaryArray>,
        })
    }
}
