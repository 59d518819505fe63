//! A document around records: the array or map that holds them, and the object in which that lies.

use super::fault::{Fault, Found};
use super::record::{Pushed, Stop};
use super::{Decoder, Left, State};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head, Skipped, Skipper};
use crate::options::Framing;
use crate::record::{Arrival, Way};
use crate::reject::RejectKind;

/// The bytes of one record.
pub(super) enum Framed<'a> {
    /// The record, behind so many bytes of its length.
    Record(&'a [u8], usize),
    /// At least this many bytes are needed to see.
    Short(usize),
    /// A record of so many bytes with its length, which is more than one may have.
    TooLong(u64),
    NoLength,
}

/// What became of a record in the bytes that its length gives it: nothing may be missing or left.
pub(super) fn within_length(pushed: Result<Pushed, Stop>, cursor: &Cursor<'_>) -> Result<Pushed, Stop> {
    let found = match pushed {
        Ok(_) if !cursor.rest().is_empty() => format!("{} bytes behind it", cursor.rest().len()),
        Err(Stop::Broken(Broken::Short(_))) => "an object that is longer".to_owned(),
        Err(Stop::Broken(Broken::Reserved(_))) => "the byte 0xc1".to_owned(),
        Err(Stop::NotMessagePack(what)) => what.to_owned(),
        pushed => return pushed,
    };
    Err(Stop::Fault(Fault::of_input(RejectKind::Invalid, "an object of the length in front of it", found)))
}

impl Decoder {
    /// The record at the start of `bytes`: all of them, or those that its length gives it.
    pub(super) fn frame<'a>(&self, bytes: &'a [u8]) -> Framed<'a> {
        let Some(prefix) = self.plan.prefix else { return Framed::Record(bytes, 0) };
        match prefix.read(bytes) {
            Err(_) => Framed::Short(bytes.len() + 1),
            Ok(None) => Framed::NoLength,
            Ok(Some((lead, length))) if length as u64 > self.plan.max_record_bytes => {
                Framed::TooLong((lead + length) as u64)
            }
            Ok(Some((lead, length))) => match bytes.get(..lead + length) {
                Some(record) => Framed::Record(record, lead),
                None => Framed::Short(lead + length),
            },
        }
    }

    /// Begins the next document, behind what is left of the one before.
    pub(super) fn begin_document(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        if self.position.tail > 0 {
            self.state = State::Tail(Skipper::of(self.position.tail));
            return self.skip_tail(bytes, ended);
        }
        if self.plan.way.is_empty() {
            return self.decode_head(bytes, ended);
        }
        self.state = State::Way { way: Way::new(), start: self.position.offset };
        self.walk_on(bytes, ended)
    }

    /// Walks on to the records of the document.
    pub(super) fn walk_on(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        let plan = self.plan.clone();
        let State::Way { way, start } = &mut self.state else { return Ok(0) };
        let start = *start;
        let (taken, left, fault) = match way.walk(&plan.way, bytes) {
            Arrival::More(taken, needed) => {
                self.needed = usize::try_from(needed).unwrap_or(usize::MAX).max(self.needed);
                return Ok(taken);
            }
            Arrival::Reserved(taken) => return self.leave_reserved(taken, bytes, ended),
            Arrival::Here(taken, tail) => {
                let mut cursor = Cursor::starting_at(bytes, taken);
                let records = match (plan.framing, cursor.head()) {
                    (Framing::Array, Ok(Head::Array(records))) | (Framing::Map, Ok(Head::Map(records))) => {
                        Ok((records, cursor.at()))
                    }
                    (Framing::Array | Framing::Map, Ok(head)) => Err(head),
                    (_, Ok(_)) => Ok((1, taken)),
                    (_, Err(Broken::Short(_))) => return Ok(taken),
                    (_, Err(Broken::Reserved(place))) => return self.leave_reserved(place, bytes, ended),
                };
                match records {
                    Ok((records, taken)) => {
                        self.state = State::START;
                        self.position.left = Left::Known(records.into());
                        self.position.tail = tail;
                        return Ok(taken);
                    }
                    Err(head) => (taken, tail + 1, Fault::of_framing(plan.framing, head)),
                }
            }
            Arrival::Nowhere { taken, left, expected, found } => {
                (taken, left, Fault::of_type(None, Found::Text(found)).expecting(&expected))
            }
        };
        // The document is one bad record.
        let mut skipper = Skipper::of(left);
        let skipped = match skipper.skip(&bytes[taken..]) {
            Skipped::Done(more) => Skipped::Done(taken + more),
            Skipped::More(more) => Skipped::More(taken + more),
            Skipped::Reserved(more) => Skipped::Reserved(taken + more),
        };
        self.state = State::Skip { fault, skipper, start };
        self.skipped(skipped, bytes, ended)
    }

    /// Skips what is left of the document behind its records.
    pub(super) fn skip_tail(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        let State::Tail(skipper) = &mut self.state else { return Ok(0) };
        match skipper.skip(bytes) {
            Skipped::Done(taken) => {
                self.state = State::START;
                self.position.tail = 0;
                Ok(taken)
            }
            Skipped::More(taken) => Ok(taken),
            Skipped::Reserved(taken) => self.leave_reserved(taken, bytes, ended),
        }
    }

    /// The head of the array or map that holds the records.
    fn decode_head(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        let mut cursor = Cursor::new(bytes);
        match (self.plan.framing, cursor.head()) {
            (Framing::Array, Ok(Head::Array(records))) | (Framing::Map, Ok(Head::Map(records))) => {
                self.position.left = Left::Known(records.into());
                Ok(cursor.at())
            }
            (framing, Ok(head)) => {
                let fault = Fault::of_framing(framing, head);
                match self.leave_damage(bytes, ended) {
                    Some(taken) => taken,
                    None => self.skip(fault, Skipper::of(1), bytes, ended),
                }
            }
            (_, Err(Broken::Short(least))) => {
                self.state = State::Start { least };
                Ok(0)
            }
            (_, Err(Broken::Reserved(at))) => self.leave_reserved(at, bytes, ended),
        }
    }
}
