//! Where a record begins, in the middle of an input: a guess, which whoever decodes the bytes in front of it can confirm.

use super::Decoder;
use super::record::read_vector;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::record::{Content, Plan};

/// Records that must follow one another where one is believed to begin.
const CHAIN: usize = 3;
/// Places that are looked at. More would let an input be searched for longer than it takes to decode.
const TRIES: usize = 256;

/// Bytes that records have near their start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Landmark {
    /// Bytes in front of them that belong to the record: the head of a map.
    lead: usize,
    bytes: Box<[u8]>,
}

impl Landmark {
    /// What the record at the start of `bytes` can be told by: the head of an array, the first key of a map. `None` where it
    /// cannot.
    pub(crate) fn of(plan: &Plan, bytes: &[u8]) -> Result<Option<Self>, Broken> {
        // A record of a map begins with a key, and so could every byte of one.
        if plan.framing == Framing::Map {
            return Ok(None);
        }
        let mut cursor = Cursor::new(bytes);
        let head = cursor.head()?;
        let lead = match (head, &plan.content) {
            (Head::Map(pairs), Content::Items(slots)) if slots.is_map && pairs > 0 => {
                let lead = cursor.at();
                cursor.skip()?;
                lead
            }
            (Head::Array(_), Content::Items(slots)) if !slots.is_map => 0,
            (Head::Array(_), Content::Vector(Some(_))) => 0,
            _ => return Ok(None),
        };
        Ok(Some(Self { lead, bytes: cursor.since(lead).into() }))
    }

    /// Places in `bytes` where a record may begin.
    fn places<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        memchr::memmem::find_iter(bytes, &self.bytes).filter_map(|at| at.checked_sub(self.lead))
    }
}

impl Decoder {
    /// The first place in `bytes` from which on good records seem to follow one another.
    pub(crate) fn find(&mut self, landmark: &Landmark, bytes: &[u8]) -> Option<usize> {
        self.reserve(bytes);
        landmark.places(bytes).take(TRIES).find(|&place| {
            let mut cursor = Cursor::new(&bytes[place..]);
            (0..CHAIN).all(|_| self.steps_over_good(&mut cursor))
        })
    }

    /// Steps over the record at `cursor` if it could become a row as it is.
    fn steps_over_good(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let plan = self.plan.clone();
        match &plan.content {
            Content::Vector(Some(column)) => {
                read_vector(&plan, *column, cursor).is_ok_and(|vector| vector.rows == 1)
            }
            Content::Vector(None) => false,
            Content::Items(slots) => {
                let good = self.columns.push_fields(&plan, slots, cursor).is_ok()
                    && self.columns.holds_some()
                    && self.columns.push_missing(&plan).is_ok()
                    && self.columns.take_faults().is_empty();
                self.columns.roll_back();
                good
            }
        }
    }
}

#[cfg(test)]
#[path = "landmark_tests.rs"]
mod tests;
