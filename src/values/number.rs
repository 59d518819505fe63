//! Columns of nothing, booleans, integers and floats.

use arrow_buffer::{ArrowNativeType, BooleanBufferBuilder, Buffer};
use arrow_data::ArrayDataBuilder;

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

/// A column of numbers of the type `N`.
pub(super) fn numbers<N: ArrowNativeType>(
    convert: impl Fn(Scalar) -> Option<N> + Send + 'static,
) -> Box<dyn Kind> {
    Box::new(Numbers { values: Vec::new(), convert })
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
