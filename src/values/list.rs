//! Columns of lists: MessagePack's arrays, and the typed arrays of those who have such. Columns of tensors: typed arrays that
//! all have one shape, by Arrow's canonical extension type `arrow.fixed_shape_tensor`.

use std::sync::Arc;

use arrow_array::Array;
use arrow_data::ArrayDataBuilder;
use arrow_schema::{DataType, Field};
use serde_json::{Value, json};

use super::bytes::{MOST, take_offsets};
use super::{Failure, Kind, ValueBuilder};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::reject::RejectKind;
use crate::vector::encoding::Encoded;
use crate::vector::{Extensions, Format, Scalar};

/// The most bytes that the structs in the lists of a batch take.
const MOST_OF_STRUCTS: usize = 1 << 28;

pub(super) struct Lists {
    is_large: bool,
    offsets: Vec<i64>,
    items: ValueBuilder,
}

impl Lists {
    pub(super) fn new(item: &Field, is_large: bool, extensions: &Arc<Extensions>) -> Result<Self> {
        Ok(Self { is_large, offsets: vec![0], items: ValueBuilder::of_field(item, extensions)? })
    }

    fn check_room(&self, more: usize) -> Result<(), Failure> {
        if !self.is_large && self.items.rows() + more > MOST {
            let expected = "less than 2^31 items (a large type in option `schema` takes more)";
            return Err(Failure::unfit(RejectKind::TooLarge, expected, format!("{more} more")));
        }
        Ok(())
    }
}

impl Kind for Lists {
    fn push(&mut self, head: Head, cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
        let Head::Array(count) = head else { return Ok(false) };
        cursor.require(count.into())?;
        self.check_room(count as usize)?;
        for index in 0..count {
            self.items.push(cursor).map_err(|failure| failure.within(format_args!("[{index}]")))?;
            // An empty map takes a byte, and a value in the column of every field.
            if matches!(self.items.data_type, DataType::Struct(_)) && self.items.size() > MOST_OF_STRUCTS {
                let expected = "lists of maps that take less than 256 MiB as columns";
                return Err(Failure::unfit(RejectKind::TooLarge, expected, format!("{count} maps")));
            }
        }
        self.push_empty();
        Ok(true)
    }

    fn push_elements(&mut self, encoded: &Encoded<'_>) -> Result<bool, Failure> {
        if encoded.elements.format == Format::Numbers || !encoded.is_whole() {
            return Ok(false);
        }
        // A matrix of one row has no more dimensions than a vector.
        if !encoded.outer.is_empty()
            || matches!(self.items.data_type, DataType::List(_) | DataType::LargeList(_))
        {
            self.check_room(encoded.outer.first().copied().unwrap_or(1))?;
            for part in encoded.parts() {
                if !self.items.push_encoded(&part)? {
                    return Ok(false);
                }
            }
        } else {
            self.check_room(encoded.dim)?;
            let pushed = self.items.push_scalars(&encoded.elements);
            pushed.map_err(|(index, failure)| failure.within(format_args!("[{index}]")))?;
        }
        self.push_empty();
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

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        let offsets = take_offsets(&mut self.offsets, self.is_large)?;
        Ok(array.add_buffer(offsets).add_child_data(self.items.finish()?.to_data()))
    }
}

const NAME: (&str, &str) = ("ARROW:extension:name", "arrow.fixed_shape_tensor");
const METADATA: &str = "ARROW:extension:metadata";

/// The field of a column of tensors; `None` where a tensor has more elements than a column can hold.
pub(crate) fn tensor_field(name: &str, shape: &[usize], element: DataType) -> Option<Field> {
    let size = shape.iter().try_fold(1usize, |size, &length| size.checked_mul(length))?;
    // pyarrow reads the type from Parquet only where the elements may be null.
    let element = Field::new("element", element, true);
    let data_type =
        DataType::FixedSizeList(element.into(), i32::try_from(size).ok().filter(|&size| size > 0)?);
    let metadata = [
        (NAME.0.to_owned(), NAME.1.to_owned()),
        (METADATA.to_owned(), json!({ "shape": shape }).to_string()),
    ];
    Some(Field::new(name, data_type, true).with_metadata(metadata.into()))
}

/// The shape of the tensors in a column, if it is one of them.
pub(crate) fn tensor_shape(field: &Field) -> Option<Vec<usize>> {
    let metadata = field.metadata();
    let text = metadata.get(METADATA).filter(|_| metadata.get(NAME.0).is_some_and(|name| name == NAME.1))?;
    let shape = serde_json::from_str::<Value>(text).ok()?;
    let length = |length: &Value| usize::try_from(length.as_u64()?).ok();
    shape.get("shape")?.as_array()?.iter().map(length).collect()
}

pub(super) struct Tensors {
    size: usize,
    shape: Vec<usize>,
    items: ValueBuilder,
}

impl Tensors {
    pub(super) fn new(item: &Field, size: i32, shape: Vec<usize>) -> Result<Self> {
        Ok(Self { size: size as usize, shape, items: ValueBuilder::new(item.data_type())? })
    }
}

impl Kind for Tensors {
    fn push_elements(&mut self, encoded: &Encoded<'_>) -> Result<bool, Failure> {
        if encoded.elements.format == Format::Numbers {
            return Ok(false);
        }
        if !encoded.outer.iter().chain([&encoded.dim]).eq(&self.shape) || !encoded.is_whole() {
            let expected = format!("an array of shape {:?}", self.shape);
            return Err(Failure::unfit(RejectKind::Dimension, expected, encoded.describe()));
        }
        self.items.push_scalars(&encoded.elements).map_err(|(_, failure)| failure)?;
        Ok(true)
    }

    fn push_empty(&mut self) {
        for _ in 0..self.size {
            let _fits = self.items.push_scalar(Scalar::UInt(0), false);
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.items.truncate(rows * self.size);
    }

    fn size(&self) -> usize {
        8 * self.items.rows()
    }

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        Ok(array.add_child_data(self.items.finish()?.to_data()))
    }
}
