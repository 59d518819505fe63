//! Builds a vector column: vectors in, a `FixedSizeList` array out. Records that differ in their elements only have a template.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, make_array};
use arrow_buffer::{MutableBuffer, NullBufferBuilder};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field};

use super::convert::{Converter, Format};
use super::encoding::{Elements, Encoded, Encoding, is_npy};
use super::{Dtype, Slab};
use crate::error::{Error, Result};
use crate::msgpack::starts_with;

/// What stands before and behind the elements of a vector record, and what the elements are.
///
/// Records of one template have one length. So where one of them is followed by others like it, their places are known
/// without walking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    before: Arc<[u8]>,
    elements: usize,
    behind: Arc<[u8]>,
    pub(super) format: Format,
    /// The elements are any bytes: in another record they may be a file.
    is_untyped: bool,
}

impl Template {
    /// The template of `record`, which is the vector `encoded` and nothing else; `None` where other records cannot be like it.
    pub(crate) fn of(record: &[u8], encoded: &Encoded<'_>) -> Option<Self> {
        let Elements { format, bytes: elements } = &encoded.elements;
        if encoded.rows != 1 || *format == Format::Numbers {
            return None;
        }
        // Elements that were put together from pieces lie nowhere in the record.
        let start = (elements.as_ptr() as usize).checked_sub(record.as_ptr() as usize)?;
        let behind = record.get(start.checked_add(elements.len())?..)?;
        let before = record.get(..start)?;
        let template = Self {
            before: before.into(),
            elements: elements.len(),
            behind: behind.into(),
            format: *format,
            is_untyped: matches!(encoded.encoding, Encoding::Bytes | Encoding::Raw),
        };
        std::ptr::eq(template.elements_of(record)?, &**elements).then_some(template)
    }

    /// Bytes from the start of one record to the start of the next.
    pub(crate) fn stride(&self) -> usize {
        self.before.len() + self.elements + self.behind.len()
    }

    /// The elements of `record`, which has the length of the template, if it is like it.
    #[inline(always)]
    pub(crate) fn elements_of<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        let (before, rest) = record.split_at_checked(self.before.len())?;
        let (elements, behind) = rest.split_at_checked(rest.len().checked_sub(self.behind.len())?)?;
        if !starts_with(before, &self.before) || !starts_with(behind, &self.behind) {
            return None;
        }
        (!self.is_untyped || !is_npy(elements)).then_some(elements)
    }
}

/// Collects the vectors of one batch.
pub(crate) struct VectorBuilder {
    dim: usize,
    dtype: Dtype,
    converter: Converter,
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
    pub(crate) fn new(dim: usize, dtype: Dtype) -> Self {
        Self {
            dim,
            dtype,
            converter: Converter::new(Format::Packed(Default::default()), dtype),
            template: None,
            slab: None,
            capacity: 0,
            rows: 0,
            nulls: NullBufferBuilder::new(0),
        }
    }

    /// The type of a vector column of `dim` elements. Parquet calls the items of a list `element`.
    pub(crate) fn data_type(dim: i32, dtype: Dtype) -> DataType {
        DataType::FixedSizeList(Arc::new(Field::new("element", dtype.data_type(), false)), dim)
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Elements of a vector.
    pub(crate) fn dim(&self) -> usize {
        self.dim
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
    fn next_rows(&mut self, rows: usize) -> &mut [u8] {
        let (start, length) = (self.rows * self.row_bytes(), rows * self.row_bytes());
        self.slab
            .as_mut()
            .and_then(|slab| slab.as_mut_slice().get_mut(start..)?.get_mut(..length))
            .unwrap_or_default()
    }

    /// The memory of the next row, if there is room, and what fills it.
    fn next_row(&mut self) -> Option<(Converter, &mut [u8])> {
        let converter = self.converter;
        Some((converter, self.next_rows(1))).filter(|(_, out)| !out.is_empty())
    }

    /// Adds one vector of `dim` elements. The error is the index of the element that does not fit.
    pub(crate) fn push(&mut self, elements: &Elements<'_>) -> Result<(), usize> {
        self.converter.set_format(elements.format);
        let converter = self.converter;
        converter.convert(&elements.bytes, self.next_rows(1))?;
        self.rows += 1;
        Ok(())
    }

    /// Adds the vector of which the elements are the numbers at the start of `bytes`, of any types. The
    /// result is how many bytes they take; `None` where they are no `dim` numbers that fit, and nothing
    /// was added.
    pub(crate) fn push_numbers(&mut self, bytes: &[u8]) -> Option<usize> {
        let (converter, out) = self.next_row()?;
        let taken = converter.convert_numbers(bytes, out)?;
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
        let stride = template.stride();
        self.converter.set_format(template.format);
        let (converter, out) = self.next_row()?;
        converter.convert(elements, out).ok()?;
        self.rows += 1;
        Some(stride)
    }

    /// Adds a vector from each record as long as the records are like `template` and their elements fit.
    /// Every item of `records` has the length of such a record. Gives how many were added.
    pub(crate) fn push_uniform(
        &mut self,
        records: std::slice::ChunksExact<'_, u8>,
        template: &Template,
    ) -> usize {
        self.converter.set_format(template.format);
        let (converter, row_bytes) = (self.converter, self.row_bytes());
        let out = self.next_rows(records.len());
        let added = records
            .zip(out.chunks_exact_mut(row_bytes))
            .map_while(|(record, out)| Some((template.elements_of(record)?, out)))
            .map_while(|(elements, out)| converter.convert(elements, out).ok())
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
        self.next_rows(1).fill(0);
        self.nulls.append_n_non_nulls(self.rows - self.nulls.len());
        self.nulls.append_null();
        self.rows += 1;
    }

    /// The batch's column; the builder is then empty.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let rows = std::mem::take(&mut self.rows);
        self.capacity = 0;
        self.nulls.append_n_non_nulls(rows - self.nulls.len());
        let nulls = self.nulls.finish();
        let bytes = rows * self.row_bytes();
        let slab = self.slab.take();
        let values = slab.map_or_else(|| MutableBuffer::new(0).into(), |slab| slab.into_buffer(bytes));
        let values = ArrayData::builder(self.dtype.data_type()).len(rows * self.dim).add_buffer(values);
        let dim =
            i32::try_from(self.dim).map_err(|_| Error::option("option `dim` is larger than 2^31 - 1"))?;
        // Not by way of its data, of which arrow checks element by element that no null is among them.
        let element = Field::new("element", self.dtype.data_type(), false).into();
        Ok(Arc::new(FixedSizeListArray::try_new(element, dim, make_array(values.build()?), nulls)?))
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
