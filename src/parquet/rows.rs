//! Rows on their way into a row group, and how many bytes each of them holds.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;

/// Row groups of a multiple of this many rows fill the vectors of the engines that read them.
const ROUND_ROWS: usize = 2048;
/// What the length of a text or of a list takes beside its contents.
const LENGTH_BYTES: usize = 4;

/// The rows of the next row group.
#[derive(Default)]
pub(super) struct Pending {
    batches: Vec<RecordBatch>,
    pub(super) rows: usize,
    bytes: usize,
    pub(super) is_full: bool,
}

impl Pending {
    /// Takes rows of `batch` from `start` on until the row group is full, and gives how many.
    ///
    /// A row group is full where the next row would make it larger than `most` bytes, and before
    /// that at a round number of rows, where as many again would.
    pub(super) fn take(&mut self, batch: &RecordBatch, bytes: &RowBytes, start: usize, most: usize) -> usize {
        let mut row = start;
        while row < batch.num_rows() && !self.is_full {
            let more = bytes.of(row);
            if self.rows > 0 && self.bytes.saturating_add(more) > most {
                self.is_full = true;
                break;
            }
            self.rows += 1;
            self.bytes = self.bytes.saturating_add(more);
            row += 1;
            let is_round = self.rows.is_multiple_of(ROUND_ROWS);
            let next = if is_round { self.bytes / (self.rows / ROUND_ROWS) } else { bytes.least() };
            self.is_full = self.bytes.saturating_add(next) > most;
        }
        if row > start {
            self.batches.push(batch.slice(start, row - start));
        }
        row - start
    }

    /// The batches of the row group; the next one is empty.
    pub(super) fn finish(&mut self) -> Vec<RecordBatch> {
        std::mem::take(self).batches
    }
}

/// The bytes of each row of an array or of a batch.
#[derive(Debug, PartialEq)]
pub(super) enum RowBytes {
    /// All rows are as large.
    Same(usize),
    Each(Vec<usize>),
}

impl RowBytes {
    pub(super) fn of_batch(batch: &RecordBatch) -> Self {
        match Self::sum(batch.columns()) {
            // A row without columns counts as well.
            Self::Same(bytes) => Self::Same(bytes.max(1)),
            each => each,
        }
    }

    fn of(&self, row: usize) -> usize {
        match self {
            Self::Same(bytes) => *bytes,
            Self::Each(bytes) => bytes[row],
        }
    }

    /// The fewest bytes of a further row.
    fn least(&self) -> usize {
        match self {
            Self::Same(bytes) => *bytes,
            Self::Each(_) => 1,
        }
    }

    fn sum(columns: &[ArrayRef]) -> Self {
        columns.iter().map(|column| Self::of_array(column)).fold(Self::Same(0), |sum, column| {
            match (sum, column) {
                (Self::Same(one), Self::Same(other)) => Self::Same(one.saturating_add(other)),
                (Self::Same(same), Self::Each(mut each)) | (Self::Each(mut each), Self::Same(same)) => {
                    each.iter_mut().for_each(|bytes| *bytes += same);
                    Self::Each(each)
                }
                (Self::Each(mut one), Self::Each(other)) => {
                    one.iter_mut().zip(other).for_each(|(bytes, more)| *bytes += more);
                    Self::Each(one)
                }
            }
        })
    }

    fn of_array(array: &dyn Array) -> Self {
        match array.data_type() {
            DataType::Null => Self::Same(0),
            DataType::Boolean => Self::Same(1),
            DataType::FixedSizeBinary(size) => Self::Same(usize::try_from(*size).unwrap_or(0)),
            DataType::Utf8 => Self::of_offsets(array.as_string::<i32>().offsets(), &Self::Same(1)),
            DataType::LargeUtf8 => Self::of_offsets(array.as_string::<i64>().offsets(), &Self::Same(1)),
            DataType::Binary => Self::of_offsets(array.as_binary::<i32>().offsets(), &Self::Same(1)),
            DataType::LargeBinary => Self::of_offsets(array.as_binary::<i64>().offsets(), &Self::Same(1)),
            DataType::Utf8View => Self::Each(array.as_string_view().lengths().map(of_view).collect()),
            DataType::BinaryView => Self::Each(array.as_binary_view().lengths().map(of_view).collect()),
            DataType::List(_) => {
                Self::of_list(array.as_list::<i32>().offsets(), array.as_list::<i32>().values())
            }
            DataType::LargeList(_) => {
                Self::of_list(array.as_list::<i64>().offsets(), array.as_list::<i64>().values())
            }
            DataType::Map(..) => Self::of_list(array.as_map().offsets(), array.as_map().entries()),
            DataType::FixedSizeList(_, size) => {
                let size = usize::try_from(*size).unwrap_or(0);
                match Self::of_array(array.as_fixed_size_list().values()) {
                    Self::Same(bytes) => Self::Same(bytes.saturating_mul(size)),
                    Self::Each(bytes) if size > 0 => {
                        Self::Each(bytes.chunks_exact(size).map(|row| row.iter().sum()).collect())
                    }
                    Self::Each(_) => Self::Same(0),
                }
            }
            DataType::Struct(_) => Self::sum(array.as_struct().columns()),
            DataType::Dictionary(..) => match array.as_any_dictionary_opt() {
                Some(words) if !words.values().is_empty() => match Self::of_array(words.values()) {
                    Self::Each(bytes) => {
                        Self::Each(words.normalized_keys().into_iter().map(|key| bytes[key]).collect())
                    }
                    same => same,
                },
                _ => Self::Same(0),
            },
            other => Self::Same(other.primitive_width().unwrap_or(size_of::<u64>())),
        }
    }

    /// Rows that hold the values between two offsets.
    fn of_offsets<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, values: &Self) -> Self {
        let first = offsets.first().copied().unwrap_or_default().as_usize();
        let bytes = |pair: &[O]| match values {
            Self::Same(bytes) => (pair[1].as_usize() - pair[0].as_usize()).saturating_mul(*bytes),
            Self::Each(bytes) => bytes[pair[0].as_usize() - first..pair[1].as_usize() - first].iter().sum(),
        };
        Self::Each(offsets.windows(2).map(|pair| LENGTH_BYTES.saturating_add(bytes(pair))).collect())
    }

    fn of_list<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, values: &dyn Array) -> Self {
        let first = offsets.first().copied().unwrap_or_default().as_usize();
        // A batch may be a small piece of a large one: only values that are in a row are looked at.
        let values = Self::of_array(&values.slice(first, offsets.lengths().sum()));
        Self::of_offsets(offsets, &values)
    }
}

fn of_view(length: u32) -> usize {
    LENGTH_BYTES + length as usize
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
