//! Vectors that come one by one, from a caller's own loop, without MessagePack around them.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::error::{Error, ErrorKind, Result};
use crate::options::ReadOptions;
use crate::record::{Plan, VECTOR};
use crate::reject::{Reject, RejectKind};
use crate::text::bytes;
use crate::vector::encoding::{Elements, is_npy};
use crate::vector::{Converter, Dtype, Format, RawDtype, VectorBuilder};

/// Puts vectors into record batches.
///
/// ```
/// use vecpack::{BatchBuilder, RawDtype, ReadOptions};
///
/// let mut builder = BatchBuilder::new(2, &ReadOptions::new())?;
/// builder.push(RawDtype::default(), &[0, 0, 128, 63, 0, 0, 0, 64])?; // [1.0, 2.0]
/// assert!(builder.push(RawDtype::default(), &[0; 4]).is_err());
/// assert_eq!(builder.flush()?.map(|batch| batch.num_rows()), Some(1));
/// # Ok::<(), vecpack::Error>(())
/// ```
pub struct BatchBuilder {
    plan: Plan,
    dtype: Dtype,
    builder: VectorBuilder,
    count: u64,
}

impl BatchBuilder {
    /// For vectors of `dim` elements; of the options, `dtype` and those of batches count.
    pub fn new(dim: u32, options: &ReadOptions) -> Result<Self> {
        let plan = Plan::of_vectors(dim, options)?;
        let dtype = options.dtype;
        Ok(Self { builder: VectorBuilder::new(dim as usize, dtype), plan, dtype, count: 0 })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema.clone()
    }

    /// Adds a vector, given as the bytes of its elements. An error while the batch [is full](Self::is_full).
    pub fn push(&mut self, raw: RawDtype, elements: &[u8]) -> Result<()> {
        if self.is_full() {
            return Err(Error::option("the batch is full: flush it before the next vector is added"));
        }
        let number = self.count;
        self.count += 1;
        check_length(number, self.builder.dim(), raw, elements)?;
        self.builder.reserve(self.plan.batch_rows)?;
        let vector = Elements::new(Format::Packed(raw), elements);
        self.builder.push(&vector).map_err(|index| unfit(number, raw, self.dtype, elements, index))
    }

    /// True when [`flush`](Self::flush) must be called before the next vector.
    pub fn is_full(&self) -> bool {
        self.builder.rows() > 0 && self.builder.room() == 0
    }

    /// The vectors since the last call; `None` where there are none.
    pub fn flush(&mut self) -> Result<Option<RecordBatch>> {
        if self.builder.rows() == 0 {
            return Ok(None);
        }
        Ok(Some(RecordBatch::try_new(self.schema(), vec![self.builder.finish()?])?))
    }
}

/// Puts vectors into memory of the caller.
pub struct RowConverter {
    converter: Converter,
    dim: usize,
    dtype: Dtype,
}

impl RowConverter {
    /// For vectors of `dim` elements, which become `dtype`.
    pub fn new(dim: usize, dtype: Dtype) -> Self {
        Self { converter: Converter::new(Format::Packed(RawDtype::default()), dtype), dim, dtype }
    }

    /// Converts vector `number`, given as the bytes of its elements, into `row`, which has room for one.
    pub fn convert(&mut self, number: u64, raw: RawDtype, elements: &[u8], row: &mut [u8]) -> Result<()> {
        check_length(number, self.dim, raw, elements)?;
        if row.len() != self.dim * self.dtype.size() {
            return Err(Error::option(format!(
                "a row of {} bytes cannot hold {} {}",
                row.len(),
                self.dim,
                self.dtype
            )));
        }
        self.converter.set_format(Format::Packed(raw));
        self.converter.convert(elements, row).map_err(|index| unfit(number, raw, self.dtype, elements, index))
    }
}

/// The error for a vector that comes when there are `rows` already, and no place for more.
#[cfg_attr(not(feature = "python"), allow(dead_code))]
pub(crate) fn too_many(rows: u64) -> Error {
    let expected = format!("no more than {rows} items, one for each row of the array");
    reject(rows, RejectKind::Dimension, &[], expected, "another one".to_owned())
}

fn check_length(number: u64, dim: usize, raw: RawDtype, elements: &[u8]) -> Result<()> {
    let (kind, found) = if is_npy(elements) {
        (RejectKind::Unsupported, "a .npy file: load it with `numpy.load`".to_owned())
    } else if elements.len() != dim * raw.size() {
        (RejectKind::Dimension, bytes(elements.len()))
    } else {
        return Ok(());
    };
    let expected = format!("{} ({dim} x {raw})", bytes(dim * raw.size()));
    Err(reject(number, kind, elements, expected, found))
}

fn unfit(number: u64, raw: RawDtype, dtype: Dtype, elements: &[u8], index: usize) -> Error {
    let found = Elements::new(Format::Packed(raw), elements).show(index);
    reject(number, RejectKind::Value, elements, format!("numbers that fit {dtype}"), found)
}

fn reject(record: u64, kind: RejectKind, elements: &[u8], expected: String, found: String) -> Error {
    let (file, field, length) = ("".into(), Some(VECTOR.into()), elements.len() as u64);
    let (expected, found) = (expected.into(), found.into());
    ErrorKind::Item(Reject { file, record, offset: 0, length, field, kind, expected, found }).into()
}
