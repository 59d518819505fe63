//! Whether a good record stands at a place, and whether others follow it. Lanes and damage both
//! find records by this.

use super::Decoder;
use super::columns::Columns;
use super::damage::Budget;
use super::record::{Stop, read_vector};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::record::{Content, Framed, Plan, Prefix, RecordStart};

/// Good records that must follow one another where a record begins in the middle of an input.
pub(super) const RUN: u64 = 3;

/// Places that a lane looks at. More would let it search for longer than it takes to decode.
const TRIES: usize = 256;

/// How far a lane searches for a map of lists.
const LONGEST: usize = 16 << 20;

/// The end of a good record, or of a run of them; `None` for anything else. The error is how many bytes
/// are needed to see.
pub(super) type Look = Result<Option<usize>, u64>;

/// The bytes at hand, and whether the input ended with them.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ended: bool,
}

impl View<'_> {
    /// Asks for this many bytes, unless there are no more.
    pub(super) fn short(self, needed: u64) -> Look {
        if self.ended { Ok(None) } else { Err(needed) }
    }
}

/// The first byte of a good record may be this one. Numbers, booleans, nil and the maps, arrays and
/// texts that are empty never are good records.
pub(super) fn may_begin(byte: u8) -> bool {
    matches!(byte, 0x81..=0x8f | 0x91..=0x9f | 0xa1..=0xbf | 0xc4..=0xc9 | 0xd4..=0xdf)
}

/// True for an object of one byte, which never is a good record.
pub(super) fn is_single(byte: u8) -> bool {
    matches!(byte, 0x00..=0x80 | 0x90 | 0xa0 | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff)
}

/// True for a number or a boolean, which is no record.
pub(super) fn is_number(head: Head) -> bool {
    matches!(head, Head::UInt(_) | Head::Int(_) | Head::Float32(_) | Head::Float64(_) | Head::Bool(_))
}

/// Looks at records without keeping them.
pub(super) struct Looker {
    columns: Columns,
    /// Counts the bytes that were read and the columns that were tried.
    pub(super) budget: Budget,
}

impl Looker {
    pub(super) fn new(plan: &Plan) -> Result<Self> {
        let mut columns = Columns::new(plan)?;
        columns.capacity = 1;
        Ok(Self { columns, budget: Budget::default() })
    }

    /// Whether a good record stands at `at`, or behind the length that stands there: one that becomes a
    /// row as it is.
    pub(super) fn look(&mut self, plan: &Plan, view: View<'_>, at: usize) -> Look {
        let (bytes, start) =
            match plan.prefix.map(|prefix| prefix.frame(&view.bytes[at..], plan.options.max_record_bytes)) {
                None => (view.bytes, at),
                Some(Framed::Record(record, lead)) => (&view.bytes[..at + record.len()], at + lead),
                Some(_) => return Ok(None),
            };
        if bytes.get(start).is_some_and(|&byte| !may_begin(byte)) {
            return Ok(None);
        }
        let mut cursor = Cursor::starting_at(bytes, start);
        let result = match &plan.content {
            Content::Vector(Some(column)) => {
                read_vector(plan, *column, &mut cursor).map(|encoded| encoded.rows > 0)
            }
            Content::Vector(None) => cursor.skip().map(|()| true).map_err(Stop::from),
            Content::Items(slots) => self.columns.look_at_fields(plan, slots, &mut cursor),
        };
        let seen = match result {
            Err(Stop::Broken(Broken::Short(_))) => bytes.len(),
            Err(Stop::Broken(Broken::Reserved(place))) => place,
            _ => cursor.at(),
        };
        self.budget.spend(seen.saturating_sub(start) + plan.columns.len());
        let fits = |end: u64| end - start as u64 <= plan.options.max_record_bytes;
        match result {
            Ok(true) if plan.prefix.is_some() && !cursor.rest().is_empty() => Ok(None),
            Ok(true) if fits(cursor.at() as u64) => Ok(Some(cursor.at())),
            Err(Stop::Broken(Broken::Short(needed))) if fits(needed) => view.short(needed),
            _ => Ok(None),
        }
    }

    /// The same for a record that begins like this, where that is known.
    pub(super) fn look_alike(
        &mut self,
        plan: &Plan,
        start: Option<&RecordStart>,
        view: View<'_>,
        at: usize,
    ) -> Look {
        let end = self.look(plan, view, at)?;
        Ok(end.filter(|_| start.is_none_or(|start| start.matches(&view.bytes[at..]))))
    }

    /// Whether so many good records that begin like this follow one another from `at` on, or fewer if the
    /// input ended behind them.
    pub(super) fn look_for_run(
        &mut self,
        plan: &Plan,
        start: Option<&RecordStart>,
        view: View<'_>,
        at: usize,
        records: u64,
    ) -> Look {
        let mut end = at;
        for _ in 0..records {
            if view.ended && end > at && end == view.bytes.len() {
                break;
            }
            let Some(next) = self.look_alike(plan, start, view, end)? else { return Ok(None) };
            end = next;
        }
        Ok(Some(end))
    }
}

impl Decoder {
    /// Good records that must follow one another where a record begins in the middle of an input. Maps
    /// of lists are long, so they are found by their first key alone: the decoder in front of them sees
    /// whether that is right, as it does for all records.
    pub(crate) fn run(&self) -> u64 {
        if self.plan.framing == Framing::Columns { 0 } else { RUN }
    }

    /// The end of the first run of good records with this `start` in `bytes`.
    pub(crate) fn find(&mut self, start: &RecordStart, bytes: &[u8]) -> Option<usize> {
        let run = self.run();
        let (plan, looker, view) = (&*self.plan, &mut self.looker, View { bytes, ended: false });
        // A length may stand in front of the record.
        let leads = plan.prefix.map_or(0..=0, Prefix::sizes);
        let places = start
            .places(bytes)
            .flat_map(|place| leads.clone().filter_map(move |lead| place.checked_sub(lead)));
        let found = places
            .take(TRIES)
            .find_map(|place| looker.look_for_run(plan, None, view, place, run).ok().flatten());
        // The search for the first record leaves the budget of the damage behind it as it was.
        looker.budget = Budget::default();
        found
    }

    /// True where a place may lie further on than `size` bytes.
    pub(crate) fn finds_beyond(&self, size: usize) -> bool {
        self.plan.framing == Framing::Columns && size < LONGEST
    }
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
