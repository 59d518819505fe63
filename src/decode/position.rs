//! Places in an input.

use crate::options::Framing;
use crate::record::Plan;

/// A place between two records, or between two rows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    /// Number of the record that comes next.
    pub(crate) record: u64,
    /// How many records the array or map that holds them still has.
    pub(crate) left: Left,
    /// Objects of the document that stand behind its records.
    pub(crate) tail: u64,
    /// Rows of the next record that were taken already: a matrix may be spread over batches.
    pub(crate) rows: usize,
}

/// How many records are left of the array or map that holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// No array holds the records: they follow one another up to the end of the input.
    Unbounded,
    /// The array has this many more. At 0 the next array begins.
    Known(u64),
    /// A gap has swallowed an unknown number of the array's records.
    Unknown,
    /// The decoder began in the middle of an array, this many objects in front. The decoder of the bytes in
    /// front of them knows how many the array has.
    Elsewhere(u64),
}

impl Left {
    /// The count behind this many more objects of the array.
    pub(crate) fn minus(self, objects: u64) -> Self {
        match self {
            Self::Known(left) => Self::Known(left.saturating_sub(objects)),
            Self::Elsewhere(passed) => Self::Elsewhere(passed.saturating_add(objects)),
            other => other,
        }
    }
}

impl Position {
    /// The start of an input.
    pub(crate) fn start(plan: &Plan) -> Self {
        let is_held = matches!(plan.framing, Framing::Array | Framing::Map) || !plan.way.is_empty();
        let left = if is_held { Left::Known(0) } else { Left::Unbounded };
        Self { offset: 0, record: 0, left, tail: 0, rows: 0 }
    }

    /// How many objects of an array were passed by a decoder that began in the middle of it.
    pub(crate) fn passed(self) -> u64 {
        if let Left::Elsewhere(passed) = self.left { passed } else { 0 }
    }

    /// This place counted from the start of the input, where `self` was counted from `base`.
    pub(crate) fn from(self, base: Self) -> Self {
        let left = base.left.minus(self.passed());
        Self { record: base.record + self.record, left, tail: base.tail, ..self }
    }

    /// The place `records` records of `stride` bytes further on.
    pub(crate) fn after(self, records: u64, stride: usize) -> Self {
        Self {
            offset: self.offset.saturating_add(records.saturating_mul(stride as u64)),
            record: self.record + records,
            left: self.left.minus(records),
            rows: 0,
            ..self
        }
    }
}
