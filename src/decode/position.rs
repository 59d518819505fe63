//! Places in an input.

use crate::options::Framing;

/// So many records are left in an array that nobody knows how many.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// A place between two records, or between two rows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    /// Number of the record that comes next.
    pub(crate) record: u64,
    /// How many records the array or map that holds them still has; `None` where records simply follow one another, and
    /// [`UNKNOWN`] behind damage.
    pub(crate) left: Option<u64>,
    /// True where that may be wrong: behind pieces of a record, which were counted like records.
    pub(crate) is_doubtful: bool,
    /// How many rows of the next record have been taken already: a matrix may be spread over batches.
    pub(crate) rows: usize,
}

impl Position {
    /// The start of an input.
    pub(crate) fn start(framing: Framing) -> Self {
        let left = if framing == Framing::Sequence { None } else { Some(0) };
        Self { offset: 0, record: 0, left, is_doubtful: false, rows: 0 }
    }

    /// This place, as counted from the start of the input, where `self` was counted from `base`.
    pub(crate) fn from(self, base: Self) -> Self {
        Self {
            record: base.record + self.record,
            left: base.left.map(|left| less(left, self.record)),
            ..self
        }
    }

    /// The place `records` records of `stride` bytes further on.
    pub(crate) fn after(self, records: u64, stride: usize) -> Self {
        Self {
            offset: self.offset.saturating_add(records.saturating_mul(stride as u64)),
            record: self.record + records,
            left: self.left.map(|left| less(left, records)),
            rows: 0,
            ..self
        }
    }
}

/// Records that are left of so many, if that is known.
pub(super) fn less(left: u64, records: u64) -> u64 {
    if left == UNKNOWN { UNKNOWN } else { left.saturating_sub(records) }
}
