//! Columns of nothing, booleans, integers and floats.

use arrow_buffer::{ArrowNativeType, BooleanBufferBuilder, Buffer};
use arrow_data::ArrayDataBuilder;
use arrow_schema::DataType;
use half::f16;

use super::{Failure, Kind};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::vector::Scalar;

/// A column that has only ever held nil.
pub(super) struct Nothing;

impl Kind for Nothing {
    fn push_empty(&mut self) {}

    fn truncate(&mut self, _rows: usize) {}

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        Ok(array)
    }
}

pub(super) struct Booleans(pub(super) BooleanBufferBuilder);

impl Kind for Booleans {
    fn push(&mut self, head: Head, _cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
        let Head::Bool(value) = head else { return Ok(false) };
        self.0.append(value);
        Ok(true)
    }

    fn push_scalar(&mut self, scalar: Scalar, is_bool: bool) -> bool {
        if is_bool {
            self.0.append(scalar != Scalar::UInt(0));
        }
        is_bool
    }

    fn push_empty(&mut self) {
        self.0.append(false);
    }

    fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows.min(self.0.len()));
    }

    fn size(&self) -> usize {
        self.0.len().div_ceil(8)
    }

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        Ok(array.add_buffer(self.0.finish().into_inner()))
    }
}

/// A column of numbers of one type, and how another number becomes one of them, exactly or by rounding of floats.
struct Numbers<N, F> {
    values: Vec<N>,
    convert: F,
}

/// A column of `data_type`, if that is an integer or a float type.
pub(super) fn numbers(data_type: &DataType) -> Option<Box<dyn Kind>> {
    fn boxed<N: ArrowNativeType>(
        convert: impl Fn(Scalar) -> Option<N> + Send + 'static,
    ) -> Option<Box<dyn Kind>> {
        Some(Box::new(Numbers { values: Vec::new(), convert }))
    }
    match data_type {
        DataType::Int8 => boxed::<i8>(Scalar::to_integer),
        DataType::Int16 => boxed::<i16>(Scalar::to_integer),
        DataType::Int32 => boxed::<i32>(Scalar::to_integer),
        DataType::Int64 => boxed::<i64>(Scalar::to_integer),
        DataType::UInt8 => boxed::<u8>(Scalar::to_integer),
        DataType::UInt16 => boxed::<u16>(Scalar::to_integer),
        DataType::UInt32 => boxed::<u32>(Scalar::to_integer),
        DataType::UInt64 => boxed::<u64>(Scalar::to_integer),
        DataType::Float16 => boxed::<f16>(Scalar::to),
        DataType::Float32 => boxed::<f32>(Scalar::to),
        DataType::Float64 => boxed::<f64>(Scalar::to),
        _ => None,
    }
}

impl<N: ArrowNativeType, F: Fn(Scalar) -> Option<N> + Send> Kind for Numbers<N, F> {
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
        self.values.push(N::default());
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn size(&self) -> usize {
        size_of_val(&*self.values)
    }

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        Ok(array.add_buffer(Buffer::from_vec(std::mem::take(&mut self.values))))
    }
}
