//! Columns of nothing, booleans, integers and floats.

use std::sync::Arc;

use arrow_array::ArrowPrimitiveType;
use arrow_array::types;
use arrow_array::{Array, ArrayRef, BooleanArray, NullArray, PrimitiveArray};
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

/// A type of numbers, and the numbers of it that others are exactly, or by rounding of floats.
trait Number: ArrowPrimitiveType {
    fn of(scalar: Scalar) -> Option<Self::Native>;
}

macro_rules! integers {
    ($($type:ident)*) => {$(
        impl Number for types::$type {
            #[inline]
            fn of(scalar: Scalar) -> Option<Self::Native> {
                match scalar {
                    Scalar::UInt(value) => value.try_into().ok(),
                    Scalar::Int(value) => value.try_into().ok(),
                    float => float.to_integer()?.try_into().ok(),
                }
            }
        }
    )*};
}

macro_rules! floats {
    ($($type:ident $convert:ident)*) => {$(
        impl Number for types::$type {
            #[inline]
            fn of(scalar: Scalar) -> Option<Self::Native> {
                scalar.$convert()
            }
        }
    )*};
}

integers!(Int8Type Int16Type Int32Type Int64Type UInt8Type UInt16Type UInt32Type UInt64Type);
floats!(Float16Type to_f16 Float32Type to_f32 Float64Type to_f64);

/// A column of numbers of one type.
struct Numbers<T: Number>(Vec<T::Native>);

/// A column of `data_type`, if that is an integer or a float type.
pub(super) fn numbers(data_type: &DataType) -> Option<Box<dyn Kind>> {
    fn boxed<T: Number>() -> Option<Box<dyn Kind>> {
        Some(Box::new(Numbers::<T>(Vec::new())))
    }
    match data_type {
        DataType::Int8 => boxed::<types::Int8Type>(),
        DataType::Int16 => boxed::<types::Int16Type>(),
        DataType::Int32 => boxed::<types::Int32Type>(),
        DataType::Int64 => boxed::<types::Int64Type>(),
        DataType::UInt8 => boxed::<types::UInt8Type>(),
        DataType::UInt16 => boxed::<types::UInt16Type>(),
        DataType::UInt32 => boxed::<types::UInt32Type>(),
        DataType::UInt64 => boxed::<types::UInt64Type>(),
        DataType::Float16 => boxed::<types::Float16Type>(),
        DataType::Float32 => boxed::<types::Float32Type>(),
        DataType::Float64 => boxed::<types::Float64Type>(),
        _ => None,
    }
}

impl<T: Number> Kind for Numbers<T> {
    fn push(&mut self, head: Head, _cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        let Some(scalar) = Scalar::of(head) else { return Err(Failure::of_type(&T::DATA_TYPE, head)) };
        if self.push_scalar(scalar, false) {
            return Ok(());
        }
        Err(Failure::unfit(RejectKind::Value, &T::DATA_TYPE, head))
    }

    fn push_common(&mut self, bytes: &[u8]) -> Option<usize> {
        let (scalar, size) = Scalar::read(bytes)?;
        self.0.push(T::of(scalar)?);
        Some(size)
    }

    fn push_scalar(&mut self, scalar: Scalar, _is_bool: bool) -> bool {
        let value = T::of(scalar);
        self.0.extend(value);
        value.is_some()
    }

    fn push_empty(&mut self) {
        self.0.push(T::Native::default());
    }

    fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }

    fn size(&self) -> usize {
        size_of_val(&*self.0)
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let values = std::mem::take(&mut self.0);
        let array = PrimitiveArray::<T>::new(values.into(), nulls);
        debug_assert_eq!(array.data_type(), &T::DATA_TYPE);
        Ok(Arc::new(array))
    }
}
