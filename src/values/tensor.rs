//! Columns of tensors: typed arrays that all have one shape, by Arrow's canonical extension type
//! `arrow.fixed_shape_tensor`.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, FieldRef};
use serde_json::{Value, json};

use super::{Failure, Kind, ValueBuilder};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::reject::RejectKind;
use crate::vector::encoding::Encoded;
use crate::vector::{Format, Scalar};

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
    data_type: DataType,
    item: FieldRef,
    size: i32,
    shape: Vec<usize>,
    items: ValueBuilder,
}

impl Tensors {
    pub(super) fn new(field: &Field, shape: Vec<usize>) -> Result<Option<Self>> {
        let DataType::FixedSizeList(item, size) = field.data_type() else { return Ok(None) };
        let (items, data_type) = (ValueBuilder::new(item.data_type())?, field.data_type().clone());
        Ok(Some(Self { data_type, item: item.clone(), size: *size, shape, items }))
    }
}

impl Kind for Tensors {
    fn push(&mut self, head: Head, _: &mut Cursor<'_>) -> Result<(), Failure> {
        Err(Failure::of_type(&self.data_type, head))
    }

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
        self.items.truncate(rows * self.size as usize);
    }

    fn size(&self) -> usize {
        8 * self.items.rows()
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let items = self.items.finish()?;
        Ok(Arc::new(FixedSizeListArray::try_new(self.item.clone(), self.size, items, nulls)?))
    }
}
