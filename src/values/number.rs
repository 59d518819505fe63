//! Columns of nothing, booleans, integers and floats.

use std::sync::Arc;

use arrow_array::ArrowPrimitiveType;
use arrow_array::types;
use arrow_array::{ArrayRef, BooleanArray, NullArray, PrimitiveArray};
use arrow_buffer::BooleanBufferBuilder;
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use super::{Failure, Kind};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::reject::RejectKind;
use crate::vector::Scalar;

/// A column that has only ever held nil.
#[derive(Default)]
pub(super) struct Nothing {
    rows: usize,
}

impl Kind for Nothing {
    fn push(&mut self, head: Head, _cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        Err(Failure::of_type(&DataType::Null, head))
    }

    fn push_empty(&mut self) {
        self.rows += 1;
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
    }

    fn finish(&mut self, _nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        Ok(Arc::new(NullArray::new(std::mem::take(&mut self.rows))))
    }
}

pub(super) struct Booleans {
    values: BooleanBufferBuilder,
}

impl Default for Booleans {
    fn default() -> Self {
        Self { values: BooleanBufferBuilder::new(0) }
    }
}

impl Kind for Booleans {
    fn push(&mut self, head: Head, _cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        let Head::Bool(value) = head else { return Err(Failure::of_type(&DataType::Boolean, head)) };
        self.values.append(value);
        Ok(())
    }

    fn push_scalar(&mut self, scalar: Scalar, is_bool: bool) -> bool {
        if is_bool {
            self.values.append(scalar != Scalar::UInt(0));
        }
        is_bool
    }

    fn push_empty(&mut self) {
        self.values.append(false);
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows.min(self.values.len()));
    }

    fn size(&self) -> usize {
        self.values.len().div_ceil(8)
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        Ok(Arc::new(BooleanArray::new(self.values.finish(), nulls)))
    }
}

/// A column of numbers of one type, and how another number becomes one of them, exactly or by rounding of floats.
struct Numbers<T: ArrowPrimitiveType, F> {
    values: Vec<T::Native>,
    convert: F,
}

/// A column of `data_type`, if that is an integer or a float type.
pub(super) fn numbers(data_type: &DataType) -> Option<Box<dyn Kind>> {
    fn boxed<T: ArrowPrimitiveType>(
        convert: impl Fn(Scalar) -> Option<T::Native> + Send + 'static,
    ) -> Option<Box<dyn Kind>> {
        Some(Box::new(Numbers::<T, _> { values: Vec::new(), convert }))
    }
    match data_type {
        DataType::Int8 => boxed::<types::Int8Type>(Scalar::to_integer),
        DataType::Int16 => boxed::<types::Int16Type>(Scalar::to_integer),
        DataType::Int32 => boxed::<types::Int32Type>(Scalar::to_integer),
        DataType::Int64 => boxed::<types::Int64Type>(Scalar::to_integer),
        DataType::UInt8 => boxed::<types::UInt8Type>(Scalar::to_integer),
        DataType::UInt16 => boxed::<types::UInt16Type>(Scalar::to_integer),
        DataType::UInt32 => boxed::<types::UInt32Type>(Scalar::to_integer),
        DataType::UInt64 => boxed::<types::UInt64Type>(Scalar::to_integer),
        DataType::Float16 => boxed::<types::Float16Type>(Scalar::to),
        DataType::Float32 => boxed::<types::Float32Type>(Scalar::to),
        DataType::Float64 => boxed::<types::Float64Type>(Scalar::to),
        _ => None,
    }
}

impl<T: ArrowPrimitiveType, F: Fn(Scalar) -> Option<T::Native> + Send> Kind for Numbers<T, F> {
    fn push(&mut self, head: Head, _cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        let Some(scalar) = Scalar::of(head) else { return Err(Failure::of_type(&T::DATA_TYPE, head)) };
        if self.push_scalar(scalar, false) {
            return Ok(());
        }
        Err(Failure::unfit(RejectKind::Value, &T::DATA_TYPE, head))
    }

    fn push_common(&mut self, bytes: &[u8]) -> Option<usize> {
        let (scalar, size) = Scalar::read(bytes)?;
        self.values.push((self.convert)(scalar)?);
        Some(size)
    }

    fn push_scalar(&mut self, scalar: Scalar, _is_bool: bool) -> bool {
        let value = (self.convert)(scalar);
        self.values.extend(value);
        value.is_some()
    }

    fn push_empty(&mut self) {
        self.values.push(T::Native::default());
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn size(&self) -> usize {
        size_of_val(&*self.values)
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = std::mem::take(&mut self.values);
        Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), nulls)))
    }
}
