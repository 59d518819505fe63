//! Places in an input: those of records as far as the first one shows them, and the way to the records of a
//! document.

use super::fault::Fault;
use super::record::{Stop, read_vector};
use super::start::View;
use super::{Decoder, State};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head, Skipper};
use crate::options::Framing;
use crate::record::{Arrival, Content, Framed, Plan, RecordStart, Way};
use crate::vector::Template;

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

/// The places of the records behind the first one, as far as it shows them.
#[derive(Default)]
pub(crate) struct Stride {
    /// Records of this form may follow one another from this position on.
    pub(crate) uniform: Option<(Position, Template)>,
    /// The start of records behind the first one, whatever their length.
    pub(crate) start: Option<RecordStart>,
    /// The length of the first record; `u64::MAX` if not all of it is at hand. It counts only with a `start`.
    pub(crate) length: u64,
}

impl Stride {
    /// Looks at the record at the start of `bytes`, which is at `position`. The error asks for more
    /// bytes.
    pub(crate) fn of(plan: &Plan, position: Position, bytes: &[u8]) -> Result<Self, u64> {
        match Self::try_of(plan, position, bytes) {
            Ok(stride) => Ok(stride),
            Err(Broken::Short(needed)) if needed <= plan.options.max_record_bytes => Err(needed),
            Err(_) => Ok(Self::default()),
        }
    }

    fn try_of(plan: &Plan, mut position: Position, bytes: &[u8]) -> Result<Self, Broken> {
        let mut cursor = Cursor::new(bytes);
        // Any byte of a map of records may begin a key, which is the start of a record.
        if plan.framing == Framing::Map || position.left == Left::Known(0) && !plan.way.is_empty() {
            return Ok(Self::default());
        }
        if position.left == Left::Known(0) {
            let Head::Array(records) = cursor.head()? else { return Ok(Self::default()) };
            position.left = Left::Known(records.into());
            position.offset += cursor.at() as u64;
        }
        match plan.prefix.map(|prefix| prefix.frame(bytes, plan.options.max_record_bytes)) {
            None => {}
            Some(Framed::Record(record, size)) => cursor = Cursor::starting_at(record, size),
            Some(Framed::Short(needed)) => return Err(Broken::Short(needed)),
            Some(Framed::TooLong(_) | Framed::NoLength) => return Ok(Self::default()),
        }
        let record = cursor.rest();
        let uniform = template(plan, &mut cursor)?.map(|template| (position, template));
        let start = RecordStart::of(record)?.or(plan.start.clone());
        let mut cursor = Cursor::new(record);
        let length = cursor.skip().map_or(u64::MAX, |()| cursor.at() as u64);
        Ok(Self { uniform, start, length })
    }
}

/// The template of the record at `cursor`, if it is a good vector and others can be like it.
fn template(plan: &Plan, cursor: &mut Cursor<'_>) -> Result<Option<Template>, Broken> {
    // Rows of maps of lists have vectors among them only if they are bad.
    let (Content::Vector(Some(column)), true) = (&plan.content, plan.framing != Framing::Columns) else {
        return Ok(None);
    };
    // A length in front of the record is the same in records like it.
    let start = if plan.prefix.is_some() { 0 } else { cursor.at() };
    match read_vector(plan, *column, cursor) {
        Ok(encoded) => {
            let record = cursor.since(start);
            let fits = record.len() as u64 <= plan.options.max_record_bytes;
            Ok(if fits { Template::of(record, &encoded) } else { None })
        }
        Err(Stop::Broken(broken)) => Err(broken),
        Err(_) => Ok(None),
    }
}

impl Decoder {
    /// Walks on to the records of the document.
    pub(super) fn walk_on(&mut self, view: View<'_>) -> Result<usize> {
        let plan = self.plan.clone();
        let (mut way, start) = match std::mem::replace(&mut self.state, State::START) {
            State::Way { way, start } => (way, start),
            _ => (Way::default(), self.position.offset),
        };
        match way.walk(&plan.way, |_| Ok(plan.framing), view.bytes) {
            Arrival::More(0, least) if plan.way.is_empty() => {
                self.state = State::Start { least };
                Ok(0)
            }
            Arrival::More(taken, needed) => {
                self.state = State::Way { way, start };
                self.needed = usize::try_from(needed).unwrap_or(usize::MAX).max(self.needed);
                Ok(taken)
            }
            Arrival::Reserved(taken) => {
                if !plan.way.is_empty() {
                    self.state = State::Way { way, start };
                }
                self.leave_reserved(taken, view)
            }
            Arrival::Records { taken, records, tail, .. } => {
                self.position.left = Left::Known(records);
                self.position.tail = tail;
                Ok(taken)
            }
            // The document is one bad record.
            Arrival::Nowhere { taken, left, expected, found } => {
                if let Some(taken) = self.leave_damage(view) {
                    return taken;
                }
                let fault = Fault::of_type(None, found).expecting(expected);
                if left == 0 {
                    self.leave_out(&fault, start, self.position.offset + taken as u64 - start, 1)?;
                    return Ok(taken);
                }
                let skipper = Skipper::of(left);
                if taken == 0 && start == self.position.offset {
                    return self.skip(fault, skipper, view);
                }
                self.state = State::Skip { fault: Some(fault), skipper, start };
                if taken == 0 { self.skip_on(view) } else { Ok(taken) }
            }
        }
    }
}
