//! Whether a good record stands at a place, and whether others follow it. Lanes and damage both
//! find records by this.

use super::Decoder;
use super::columns::Columns;
use super::record::{Stop, read_vector};
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::record::{Content, Framed, Plan, Prefix, RecordStart};

/// Good records that must follow one another where a record begins in the middle of an input.
pub(super) const RUN: u64 = 3;

/// Places that a lane looks at. More would let it search for longer than it takes to decode.
const TRIES: usize = 256;

/// How far a lane searches for a map of lists.
const LONGEST: usize = 16 << 20;

/// The cost of a look at a place, besides the bytes that are read and the columns.
const LOOK_COST: u64 = 8;

/// The content of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// A good record, or a run of them, that ends here.
    Good(usize),
    Other,
    /// The bytes at hand end first. At least this many are needed to see.
    Short(u64),
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

impl Columns {
    /// Whether a good record stands at `at`: one that becomes a row as it is. Adds the bytes that
    /// were read to `cost`.
    pub(super) fn look(&mut self, plan: &Plan, bytes: &[u8], at: usize, cost: &mut u64) -> Place {
        if bytes.get(at).is_some_and(|&byte| !may_begin(byte)) {
            *cost += LOOK_COST;
            return Place::Other;
        }
        let mut cursor = Cursor::starting_at(bytes, at);
        let result = match &plan.content {
            Content::Vector(Some(column)) => {
                read_vector(plan, *column, &mut cursor).map(|encoded| encoded.rows > 0)
            }
            Content::Vector(None) => cursor.skip().map(|()| true).map_err(Stop::from),
            Content::Items(slots) => self.look_at_fields(plan, slots, &mut cursor),
        };
        let seen = match result {
            Err(Stop::Broken(Broken::Short(_))) => bytes.len(),
            Err(Stop::Broken(Broken::Reserved(place))) => place,
            _ => cursor.at(),
        };
        *cost += (seen.saturating_sub(at) + plan.columns.len()) as u64 + LOOK_COST;
        match result {
            Ok(true) if (cursor.at() - at) as u64 <= plan.max_record_bytes => Place::Good(cursor.at()),
            Err(Stop::Broken(Broken::Short(needed))) if needed - at as u64 <= plan.max_record_bytes => {
                Place::Short(needed)
            }
            _ => Place::Other,
        }
    }

    /// Whether [`RUN`] good records that begin alike follow one another from `at` on, or fewer if the
    /// input `ended` behind them. The whole run lies within `bytes`.
    pub(super) fn look_for_run(
        &mut self,
        plan: &Plan,
        bytes: &[u8],
        at: usize,
        ended: bool,
        cost: &mut u64,
    ) -> Place {
        let mut end = at;
        let first = if plan.start.is_none() { RecordStart::of(&bytes[at..]).ok().flatten() } else { None };
        let start = plan.start.as_ref().or(first.as_ref());
        for _ in 0..RUN {
            if end == bytes.len() && end > at {
                return if ended { Place::Good(end) } else { Place::Short(end as u64 + 1) };
            }
            if let Some(start) = start
                && bytes.len() - end >= start.len()
                && !start.matches(&bytes[end..])
            {
                return Place::Other;
            }
            match self.look(plan, bytes, end, cost) {
                Place::Good(next) => end = next,
                Place::Short(_) if ended => return Place::Other,
                other => return other,
            }
        }
        Place::Good(end)
    }
}

impl Columns {
    /// Whether a good record stands at `at`, or behind the length that stands there.
    fn look_framed(&mut self, plan: &Plan, bytes: &[u8], at: usize) -> Place {
        match plan.prefix.map(|prefix| prefix.frame(&bytes[at..], plan.max_record_bytes)) {
            None => self.look(plan, bytes, at, &mut 0),
            Some(Framed::Record(record, lead)) => {
                let end = at + record.len();
                let found = self.look(plan, &bytes[..end], at + lead, &mut 0);
                if found == Place::Good(end) { found } else { Place::Other }
            }
            Some(_) => Place::Other,
        }
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
        let (plan, columns) = (&*self.plan, &mut self.looker);
        // A length may stand in front of the record.
        let leads = plan.prefix.map_or(0..=0, Prefix::sizes);
        let places = start
            .places(bytes)
            .flat_map(|place| leads.clone().filter_map(move |lead| place.checked_sub(lead)));
        places.take(TRIES).find_map(|place| {
            (0..run).try_fold(place, |at, _| match columns.look_framed(plan, bytes, at) {
                Place::Good(end) => Some(end),
                _ => None,
            })
        })
    }

    /// True where a place may lie further on than `size` bytes.
    pub(crate) fn finds_beyond(&self, size: usize) -> bool {
        self.plan.framing == Framing::Columns && size < LONGEST
    }

    /// Whether good records go on at `at`: with a record, or with the head of the next array.
    pub(super) fn goes_on(&mut self, bytes: &[u8], at: usize, left: super::Left, cost: &mut u64) -> Place {
        let (plan, columns) = (&*self.plan, &mut self.looker);
        // Most records are like the last good one.
        if left != super::Left::Known(0)
            && let Some(template) = &self.template
            && let Some(record) = bytes[at..].get(..template.stride())
            && template.elements_of(record).is_some()
        {
            *cost += (record.len() + plan.columns.len()) as u64 + LOOK_COST;
            return Place::Good(at + record.len());
        }
        let is_between_arrays = plan.framing == Framing::Array && left == super::Left::Known(0);
        if !is_between_arrays {
            let place = columns.look(plan, bytes, at, cost);
            if place != Place::Other || left != super::Left::Unknown {
                return place;
            }
        }
        match Head::read(&bytes[at..]) {
            Ok((Head::Array(0), size)) if is_between_arrays => Place::Good(at + size),
            Ok((Head::Array(1..), size)) => columns.look(plan, bytes, at + size, cost),
            Ok(_) | Err(crate::msgpack::HeadError::Reserved) => Place::Other,
            Err(crate::msgpack::HeadError::Incomplete) => Place::Short(bytes.len() as u64 + 1),
        }
    }
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
