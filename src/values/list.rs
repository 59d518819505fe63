//! Columns of lists: MessagePack's arrays, and the typed arrays of those who have such.

use std::sync::Arc;

use arrow_array::{ArrayRef, LargeListArray, ListArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, FieldRef};

use super::bytes::{MOST, offsets};
use super::{Failure, Kind, ValueBuilder};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::reject::RejectKind;
use crate::vector::encoding::Encoded;
use crate::vector::{Extensions, Format};

/// The most bytes that the structs in the lists of a batch take.
const MOST_OF_STRUCTS: usize = 1 << 28;

pub(super) struct Lists {
    data_type: DataType,
    item: FieldRef,
    offsets: Vec<i64>,
    items: ValueBuilder,
}

impl Lists {
    pub(super) fn new(data_type: &DataType, item: &FieldRef, extensions: &Arc<Extensions>) -> Result<Self> {
        let items = ValueBuilder::of_field(item, extensions)?;
        Ok(Self { data_type: data_type.clone(), item: item.clone(), offsets: vec![0], items })
    }

    fn check_room(&self, more: usize) -> Result<(), Failure> {
        if matches!(self.data_type, DataType::List(_)) && self.items.rows() + more > MOST {
            let expected = "less than 2^31 items (a large type in option `schema` takes more)";
            return Err(Failure::unfit(RejectKind::TooLarge, expected, format!("{more} more")));
        }
        Ok(())
    }
}

impl Kind for Lists {
    fn push(&mut self, head: Head, cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        let Head::Array(count) = head else { return Err(Failure::of_type(&self.data_type, head)) };
        cursor.require(count.into())?;
        self.check_room(count as usize)?;
        for index in 0..count {
            self.items.push(cursor).map_err(|failure| failure.within(format_args!("[{index}]")))?;
            // An empty map takes a byte, and a value in the column of every field.
            if matches!(self.item.data_type(), DataType::Struct(_)) && self.items.size() > MOST_OF_STRUCTS {
                let expected = "lists of maps that take less than 256 MiB as columns";
                return Err(Failure::unfit(RejectKind::TooLarge, expected, format!("{count} maps")));
            }
        }
        self.offsets.push(self.items.rows() as i64);
        Ok(())
    }

    fn push_elements(&mut self, encoded: &Encoded<'_>) -> Result<bool, Failure> {
        if encoded.elements.format == Format::Numbers || !encoded.is_whole() {
            return Ok(false);
        }
        // A matrix of one row has no more dimensions than a vector.
        if !encoded.outer.is_empty()
            || matches!(self.item.data_type(), DataType::List(_) | DataType::LargeList(_))
        {
            self.check_room(encoded.outer.first().copied().unwrap_or(1))?;
            for part in encoded.parts() {
                if !self.items.push_elements(&part)? {
                    return Ok(false);
                }
            }
            self.offsets.push(self.items.rows() as i64);
            return Ok(true);
        }
        self.check_room(encoded.dim)?;
        self.items
            .push_scalars(&encoded.elements)
            .map_err(|(index, failure)| failure.within(format_args!("[{index}]")))?;
        self.offsets.push(self.items.rows() as i64);
        Ok(true)
    }

    fn push_empty(&mut self) {
        self.offsets.push(self.items.rows() as i64);
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        let end = self.offsets.last().copied().unwrap_or(0);
        self.items.truncate(end as usize);
    }

    fn size(&self) -> usize {
        self.items.size() + 8 * self.offsets.len()
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let ends = std::mem::replace(&mut self.offsets, vec![0]);
        let (item, items) = (self.item.clone(), self.items.finish()?);
        Ok(match self.data_type {
            DataType::LargeList(_) => Arc::new(LargeListArray::try_new(item, offsets(&ends)?, items, nulls)?),
            _ => Arc::new(ListArray::try_new(item, offsets(&ends)?, items, nulls)?),
        })
    }
}
