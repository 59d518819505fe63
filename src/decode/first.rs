//! What the first record of a stretch tells of those that follow.

use super::{Landmark, Position, record};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::record::Plan;
use crate::vector::Template;

/// What the first record of a stretch tells of those that follow.
pub(crate) enum First {
    /// They may all be like it, from this place on.
    Template(Position, Template),
    /// They may be told by this.
    Landmark(Landmark),
    Nothing,
}

/// Looks at the record at the start of `bytes`, which is at `position`. The error asks for more bytes.
pub(crate) fn look(plan: &Plan, mut position: Position, bytes: &[u8]) -> Result<First, u64> {
    let mut cursor = Cursor::new(bytes);
    let short = |broken| match broken {
        Broken::Short(needed) if needed <= plan.max_record_bytes => Err(needed),
        _ => Ok(First::Nothing),
    };
    if position.left == Some(0) {
        match (plan.framing, cursor.head()) {
            (Framing::Array, Ok(Head::Array(records))) => position.left = Some(records.into()),
            (_, Err(broken)) => return short(broken),
            _ => return Ok(First::Nothing),
        }
        position.offset += cursor.at() as u64;
    }
    let record = cursor.rest();
    match record::template(plan, &mut cursor) {
        Ok(Some(template)) => return Ok(First::Template(position, template)),
        Ok(None) => {}
        Err(broken) => return short(broken),
    }
    match Landmark::of(plan, record) {
        Ok(landmark) => Ok(landmark.map_or(First::Nothing, First::Landmark)),
        Err(broken) => short(broken),
    }
}
