//! Builds a vector column: vectors in, a `FixedSizeList` array out.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, make_array};
use arrow_buffer::NullBufferBuilder;
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, FieldRef};

use super::convert::{Converter, Format, Scalar};
use super::encoding::Elements;
use super::numbers;
use super::template::Template;
use super::{Dtype, Slab};
use crate::error::{Error, Result};
use crate::msgpack::Cursor;

/// Collects the vectors of one batch.
pub(crate) struct VectorBuilder {
    dim: usize,
    dtype: Dtype,
    converter: Converter,
    nullable: bool,
    /// How the last vector was written, where others can be like it.
    template: Option<Template>,
    /// Taken with the first vector, so that a batch without any costs nothing.
    slab: Option<Slab>,
    /// Rows that the slab holds.
    capacity: usize,
    rows: usize,
    /// The validity of the rows up to the last null.
    nulls: NullBufferBuilder,
}

impl VectorBuilder {
    pub(crate) fn new(dim: usize, dtype: Dtype, nullable: bool) -> Self {
        Self {
            dim,
            dtype,
            converter: Converter::new(Format::Packed(Default::default()), dtype),
            nullable,
            template: None,
            slab: None,
            capacity: 0,
            rows: 0,
            nulls: NullBufferBuilder::new(0),
        }
    }

    /// The type of a vector column of `dim` elements.
    pub(crate) fn data_type(dim: i32, dtype: Dtype) -> DataType {
        DataType::FixedSizeList(Self::element(dtype), dim)
    }

    /// Parquet calls the items of a list `element`.
    fn element(dtype: Dtype) -> FieldRef {
        Arc::new(Field::new("element", dtype.data_type(), false))
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that still fit. None do before [`reserve`](Self::reserve).
    pub(crate) fn room(&self) -> usize {
        self.capacity - self.rows
    }

    fn row_bytes(&self) -> usize {
        self.dim * self.dtype.size()
    }

    /// Makes the memory for a batch of `rows`, if there is none yet.
    pub(crate) fn reserve(&mut self, rows: usize) -> Result<()> {
        if self.slab.is_none() {
            let bytes = rows.checked_mul(self.row_bytes());
            let bytes = bytes
                .ok_or_else(|| Error::option("option `batch_rows`: such a batch does not fit into memory"))?;
            self.slab = Some(Slab::with_capacity(bytes)?);
            self.capacity = rows;
        }
        Ok(())
    }

    /// The memory of the next `rows` rows; empty where [`reserve`](Self::reserve) did not make it.
    fn next_rows(slab: &mut Option<Slab>, start: usize, length: usize) -> &mut [u8] {
        slab.as_mut()
            .and_then(|slab| slab.as_mut_slice().get_mut(start..)?.get_mut(..length))
            .unwrap_or_default()
    }

    /// Adds one vector of `dim` elements. The error is the index of the element that does not fit.
    pub(crate) fn push(&mut self, elements: &Elements<'_>) -> Result<(), usize> {
        let row_bytes = self.row_bytes();
        let out = Self::next_rows(&mut self.slab, self.rows * row_bytes, row_bytes);
        match elements {
            Elements::Alike(format, bytes) => {
                self.converter.set_format(*format);
                self.converter.convert(bytes, out)?;
            }
            Elements::Mixed(bytes) => {
                let mut cursor = Cursor::new(bytes);
                for (index, out) in out.chunks_exact_mut(self.dtype.size()).enumerate() {
                    let scalar = cursor.head().ok().and_then(Scalar::of);
                    if !scalar.is_some_and(|scalar| scalar.write(self.dtype, out)) {
                        return Err(index);
                    }
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Adds the vector of which the elements are the numbers at the start of `bytes`, of any types. The
    /// result is how many bytes they take; `None` where they are no `dim` numbers that fit, and nothing
    /// was added.
    pub(crate) fn push_numbers(&mut self, bytes: &[u8]) -> Option<usize> {
        let row_bytes = self.row_bytes();
        let out = Self::next_rows(&mut self.slab, self.rows * row_bytes, row_bytes);
        if out.len() < row_bytes {
            return None;
        }
        let taken = numbers::convert(bytes, self.dtype, out)?;
        self.rows += 1;
        Some(taken)
    }

    /// Notes how the last vector was written.
    pub(crate) fn set_template(&mut self, template: Option<Template>) {
        self.template = template;
    }

    /// Adds the vector at the start of `bytes`, if it differs from the last one in its elements only, and
    /// they fit. The result is how many bytes it takes; `None` where nothing was added.
    pub(crate) fn push_like_last(&mut self, bytes: &[u8]) -> Option<usize> {
        let template = self.template.as_ref()?;
        let elements = template.elements_of(bytes.get(..template.stride())?)?;
        let row_bytes = self.row_bytes();
        let out = Self::next_rows(&mut self.slab, self.rows * row_bytes, row_bytes);
        if out.len() < row_bytes {
            return None;
        }
        self.converter.set_format(template.format());
        self.converter.convert(elements, out).ok()?;
        self.rows += 1;
        Some(template.stride())
    }

    /// Adds a vector from each record as long as the records are like `template` and their elements fit.
    /// Every item of `records` has the length of such a record. Gives how many were added.
    pub(crate) fn push_uniform(
        &mut self,
        records: std::slice::ChunksExact<'_, u8>,
        template: &Template,
    ) -> usize {
        self.converter.set_format(template.format());
        let row_bytes = self.row_bytes();
        let out = Self::next_rows(&mut self.slab, self.rows * row_bytes, records.len() * row_bytes);
        let added = records
            .zip(out.chunks_exact_mut(row_bytes))
            .map_while(|(record, out)| Some((template.elements_of(record)?, out)))
            .map_while(|(elements, out)| self.converter.convert(elements, out).ok())
            .count();
        self.rows += added;
        added
    }

    /// Drops the rows behind the first `rows`.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if rows < self.rows {
            self.nulls.truncate(rows);
            self.rows = rows;
        }
    }

    /// Adds a null. Its elements are zero: nothing of an earlier batch may show.
    pub(crate) fn push_null(&mut self) {
        let row_bytes = self.row_bytes();
        Self::next_rows(&mut self.slab, self.rows * row_bytes, row_bytes).fill(0);
        self.nulls.append_n_non_nulls(self.rows - self.nulls.len());
        self.nulls.append_null();
        self.rows += 1;
    }

    /// The batch's column; the builder is then empty.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let rows = std::mem::take(&mut self.rows);
        self.capacity = 0;
        self.nulls.append_n_non_nulls(rows - self.nulls.len());
        let nulls = self.nulls.finish().filter(|_| self.nullable);
        let bytes = rows * self.row_bytes();
        let values = match self.slab.take() {
            Some(slab) => slab.into_buffer(bytes),
            None => Slab::with_capacity(0)?.into_buffer(0),
        };
        let values =
            ArrayData::builder(self.dtype.data_type()).len(rows * self.dim).add_buffer(values).build()?;
        let dim =
            i32::try_from(self.dim).map_err(|_| Error::option("option `dim` is larger than 2^31 - 1"))?;
        let list = FixedSizeListArray::try_new(Self::element(self.dtype), dim, make_array(values), nulls)?;
        Ok(Arc::new(list))
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
