//! The places of records, as far as the first record of an input shows them.

use super::{Left, Position, record};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::record::{Framed, Plan, RecordStart};
use crate::vector::Template;

/// The places of the records behind the first one.
pub(crate) enum Stride {
    /// Records of this form may follow one another from this position on, or others that begin alike.
    Uniform(Position, Template, Option<RecordStart>),
    /// Records of any length may begin like this. The first one has this length, if all of it is at
    /// hand.
    Varied(RecordStart, u64),
    Unknown,
}

impl Stride {
    /// Looks at the record at the start of `bytes`, which is at `position`. The error asks for more
    /// bytes.
    pub(crate) fn of(plan: &Plan, mut position: Position, bytes: &[u8]) -> Result<Self, u64> {
        let mut cursor = Cursor::new(bytes);
        let short = |broken| match broken {
            Broken::Short(needed) if needed <= plan.max_record_bytes => Err(needed),
            _ => Ok(Self::Unknown),
        };
        // Any byte of a map of records may begin a key, which is the start of a record.
        if plan.framing == Framing::Map || position.left == Left::Known(0) && !plan.way.is_empty() {
            return Ok(Self::Unknown);
        }
        if position.left == Left::Known(0) {
            match cursor.head() {
                Ok(Head::Array(records)) => position.left = Left::Known(records.into()),
                Err(broken) => return short(broken),
                _ => return Ok(Self::Unknown),
            }
            position.offset += cursor.at() as u64;
        }
        match plan.prefix.map(|prefix| prefix.frame(bytes, plan.max_record_bytes)) {
            None => {}
            Some(Framed::Record(record, size)) => cursor = Cursor::starting_at(record, size),
            Some(Framed::Short(needed)) => return Err(needed),
            Some(Framed::TooLong(_) | Framed::NoLength) => return Ok(Self::Unknown),
        }
        let record = cursor.rest();
        let template = match record::template(plan, &mut cursor) {
            Ok(template) => template,
            Err(broken) => return short(broken),
        };
        let start = match RecordStart::of(record) {
            Ok(start) => start.or(plan.start.clone()),
            Err(broken) => return short(broken),
        };
        Ok(match (template, start) {
            (Some(template), start) => Self::Uniform(position, template, start),
            (None, Some(start)) => {
                let mut cursor = Cursor::new(record);
                let length = cursor.skip().map_or(u64::MAX, |()| cursor.at() as u64);
                Self::Varied(start, length)
            }
            (None, None) => Self::Unknown,
        })
    }
}
