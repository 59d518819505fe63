//! Columns of nothing, booleans, integers and floats.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, NullArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{self as types, ArrowPrimitiveType, DataType};

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

/// A column of numbers of one type.
struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    convert: fn(Scalar) -> Option<T::Native>,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn boxed(convert: fn(Scalar) -> Option<T::Native>) -> Box<dyn Kind> {
        Box::new(Self { values: Vec::new(), convert })
    }
}

/// A column of `data_type`, which is an integer type.
pub(super) fn integers(data_type: &DataType) -> Box<dyn Kind> {
    fn exact<T: TryFrom<i128>>(scalar: Scalar) -> Option<T> {
        T::try_from(scalar.to_integer()?).ok()
    }
    match data_type {
        DataType::Int8 => Numbers::<types::Int8Type>::boxed(exact),
        DataType::Int16 => Numbers::<types::Int16Type>::boxed(exact),
        DataType::Int32 => Numbers::<types::Int32Type>::boxed(exact),
        DataType::UInt8 => Numbers::<types::UInt8Type>::boxed(exact),
        DataType::UInt16 => Numbers::<types::UInt16Type>::boxed(exact),
        DataType::UInt32 => Numbers::<types::UInt32Type>::boxed(exact),
        DataType::UInt64 => Numbers::<types::UInt64Type>::boxed(exact),
        _ => Numbers::<types::Int64Type>::boxed(exact),
    }
}

/// A column of `data_type`, which is a float type.
pub(super) fn floats(data_type: &DataType) -> Box<dyn Kind> {
    match data_type {
        DataType::Float16 => Numbers::<types::Float16Type>::boxed(Scalar::to_f16),
        DataType::Float32 => Numbers::<types::Float32Type>::boxed(Scalar::to_f32),
        _ => Numbers::<types::Float64Type>::boxed(Scalar::to_f64),
    }
}

impl<T: ArrowPrimitiveType> Kind for Numbers<T> {
    fn push(&mut self, head: Head, _cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        let Some(scalar) = Scalar::of(head) else { return Err(Failure::of_type(&T::DATA_TYPE, head)) };
        if self.push_scalar(scalar, false) {
            return Ok(());
        }
        Err(Failure::unfit(RejectKind::Value, &T::DATA_TYPE, head))
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
        let array = PrimitiveArray::<T>::new(values.into(), nulls);
        debug_assert_eq!(array.data_type(), &T::DATA_TYPE);
        Ok(Arc::new(array))
    }
}
