//! A document around records: the array or map that holds them, and the object in which that lies.

use super::fault::Fault;
use super::record::{Pushed, Stop};
use super::start::View;
use super::{Decoder, Left, State};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Skipped, Skipper};
use crate::record::{Arrival, Way};
use crate::reject::RejectKind;
use crate::text::bytes;

/// What became of a record in the bytes that its length gives it: nothing may be missing or left.
pub(super) fn within_length(pushed: Result<Pushed, Stop>, cursor: &Cursor<'_>) -> Result<Pushed, Stop> {
    let found = match pushed {
        Ok(_) if !cursor.rest().is_empty() => format!("{} behind it", bytes(cursor.rest().len())),
        Err(Stop::Broken(Broken::Short(_))) => "an object that is longer".to_owned(),
        Err(Stop::Broken(Broken::Reserved(_))) => "the byte 0xc1".to_owned(),
        Err(Stop::NotMessagePack(what)) => what.to_owned(),
        pushed => return pushed,
    };
    Err(Stop::Fault(Fault::of_input(RejectKind::Invalid, "an object of the length in front of it", found)))
}

impl Decoder {
    /// Begins the next document, behind what is left of the one before.
    pub(super) fn begin_document(&mut self, view: View<'_>) -> Result<usize> {
        if self.position.tail > 0 {
            self.state = State::Tail(Skipper::of(self.position.tail));
            return self.skip_tail(view);
        }
        self.walk_on(view)
    }

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
                let skipper = Skipper::of(left);
                if taken == 0 && start == self.position.offset {
                    return self.skip(fault, skipper, view);
                }
                self.state = State::Skip { fault, skipper, start };
                if taken == 0 { self.skip_on(view) } else { Ok(taken) }
            }
        }
    }

    /// Skips what is left of the document behind its records.
    pub(super) fn skip_tail(&mut self, view: View<'_>) -> Result<usize> {
        let State::Tail(skipper) = &mut self.state else { return Ok(0) };
        match skipper.skip(view.bytes) {
            Skipped::Done(taken) => {
                self.state = State::START;
                self.position.tail = 0;
                Ok(taken)
            }
            Skipped::More(taken) => Ok(taken),
            Skipped::Reserved(taken) => self.leave_reserved(taken, view),
        }
    }
}
