//! Inference: walks from record to record until enough is known. Push, as the decoder is.

use std::io;
use std::sync::Arc;

use super::evidence::{Evidence, Instead};
use super::framing::{End, detect, differ_in_kind};
use super::{Arrival, Findings, Framed, Prefix, Step, VECTOR, Way, foreign};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head, Skipped, Skipper};
use crate::options::{Framing, ReadOptions};
use crate::vector::encoding::{self, Seen};

/// Looks at records until it knows enough.
pub(crate) struct Inference<'a> {
    options: &'a ReadOptions,
    /// The way to the records of a document, and the walk along it.
    steps: Vec<Step>,
    way: Way,
    /// Records of the current document that are still to come; `None` where there is none.
    left: Option<u64>,
    /// Objects of the current document behind its records.
    tail: u64,
    skipper: Option<Skipper>,
    /// No byte of the current input has been looked at.
    is_at_start: bool,
    /// Where the first object ends, if that is a record and whole.
    pub(crate) first_end: usize,
    /// Not all bytes were whole objects behind their lengths.
    is_damaged: bool,
    evidence: Evidence<'a>,
}

/// How far [`Inference::infer`] came.
pub(crate) enum Inferred {
    /// All is known, from this many more bytes.
    Done(usize),
    /// This many bytes are done with; more are needed, this many at the least.
    Consumed(usize, u64),
    /// Nothing further can be learned from this input.
    Unreadable,
}

impl<'a> Inference<'a> {
    pub(crate) fn new(options: &'a ReadOptions) -> Self {
        Self {
            options,
            steps: options.records.as_deref().map(Step::parse).unwrap_or_default(),
            way: Way::default(),
            left: None,
            tail: 0,
            skipper: None,
            is_at_start: false,
            first_end: 0,
            is_damaged: false,
            evidence: Evidence::new(options),
        }
    }

    /// Begins among the records, behind the head of the array or map that holds them, if one does.
    pub(crate) fn inside(framing: Framing, options: &'a ReadOptions) -> Self {
        let left = if framing == Framing::Sequence { None } else { Some(u64::MAX) };
        let mut inference = Self { left, ..Self::new(options) };
        (inference.evidence.framing, inference.evidence.is_inside) = (framing, true);
        inference
    }

    /// Looks at the next bytes of an input, which `ended` with them or did not.
    pub(crate) fn infer(&mut self, bytes: &[u8], ended: bool) -> Inferred {
        if self.is_at_start {
            let found = match foreign(bytes, ended) {
                Ok(found) => found,
                Err(needed) => return Inferred::Consumed(0, needed as u64),
            };
            self.is_at_start = false;
            if let Some(name) = found {
                self.evidence.pass(name, Instead::Foreign);
                return Inferred::Unreadable;
            }
            self.evidence.looks_like(bytes);
        }
        let mut at = 0;
        loop {
            if let Some(skipper) = &mut self.skipper {
                match skipper.skip(&bytes[at..]) {
                    Skipped::Done(bytes) => {
                        at += bytes;
                        self.skipper = None;
                    }
                    Skipped::More(bytes) => return Inferred::Consumed(at + bytes, 0),
                    Skipped::Reserved(_) => return Inferred::Unreadable,
                }
            }
            if self.evidence.is_enough() {
                return Inferred::Done(at);
            }
            match self.next(&bytes[at..], ended) {
                Ok(taken) => at += taken,
                Err(Broken::Short(needed)) if needed > self.most() => {
                    self.pass_too_large(Skipper::of(self.objects()));
                }
                Err(Broken::Short(needed)) => return Inferred::Consumed(at, needed),
                Err(Broken::Reserved(_)) => {
                    self.is_damaged = true;
                    let found = "the byte 0xc1, which no MessagePack encoder writes";
                    self.evidence.pass(found, Instead::Other);
                    return Inferred::Unreadable;
                }
            }
        }
    }

    /// How many bytes may be asked for at the most.
    fn most(&self) -> u64 {
        self.options.max_record_bytes.saturating_add(1 << 10)
    }

    /// Looks at what stands around records or at one record, and gives its length.
    fn next(&mut self, bytes: &[u8], ended: bool) -> Result<usize, Broken> {
        if self.evidence.framing == Framing::Auto && self.steps.is_empty() {
            self.detect(bytes, ended)?;
        }
        if self.evidence.framing == Framing::LengthPrefixed {
            return self.next_prefixed(bytes, ended);
        }
        let is_held =
            !self.steps.is_empty() || matches!(self.evidence.framing, Framing::Array | Framing::Map);
        if is_held && self.left.is_none_or(|left| left == 0) {
            return self.walk(bytes);
        }
        // All of the record first: what is observed of it cannot be taken back.
        let mut end = Cursor::new(bytes);
        (0..self.objects()).try_for_each(|_| end.skip())?;
        if end.at() as u64 > self.options.max_record_bytes {
            self.pass_too_large(Skipper::of_bytes(end.at() as u64));
            return Ok(0);
        }
        if self.evidence.records == 0 && self.evidence.framing == Framing::Sequence {
            self.first_end = end.at();
        }
        self.evidence.record(Cursor::new(bytes))?;
        self.left = self.left.map(|left| left - 1);
        Ok(end.at())
    }

    /// Objects that a record takes: under `map` framing a key as well.
    fn objects(&self) -> u64 {
        if self.evidence.framing == Framing::Map { 2 } else { 1 }
    }

    /// Finds out how records lie in an input that begins with `bytes`.
    fn detect(&mut self, bytes: &[u8], ended: bool) -> Result<(), Broken> {
        if let Some(prefix) = Prefix::detect(bytes, ended, self.options.max_record_bytes, false)? {
            let from = format!("in front of each object stands its length ({})", prefix.as_str());
            (self.evidence.framing, self.evidence.framing_from, self.evidence.prefix) =
                (Framing::LengthPrefixed, from, Some(prefix));
            return Ok(());
        }
        // Of so many bytes, however many there are: what is found must not depend on how they come.
        let most = usize::try_from(self.most()).unwrap_or(usize::MAX);
        let types = self.evidence.rules.types(self.options.raw_dtype.of(VECTOR));
        let found = match bytes.get(..most) {
            Some(bytes) => detect(bytes, End::OfLooking, types),
            None => detect(bytes, if ended { End::OfInput } else { End::Open }, types),
        };
        let (framing, why) = found.map_err(|broken| match broken {
            Broken::Short(needed) if bytes.len() < most => Broken::Short(needed.min(self.most())),
            other => other,
        })?;
        (self.evidence.framing, self.evidence.framing_from) = (framing, why.to_owned());
        Ok(())
    }

    /// Looks at the record at the start of `bytes`, in front of which its length stands.
    fn next_prefixed(&mut self, bytes: &[u8], ended: bool) -> Result<usize, Broken> {
        let most = self.options.max_record_bytes;
        if self.evidence.prefix.is_none() {
            self.evidence.prefix = Prefix::detect(bytes, ended, most, true)?;
        }
        match self.evidence.prefix.map(|prefix| prefix.frame(bytes, most)) {
            Some(Framed::Record(record, lead)) => {
                let mut cursor = Cursor::starting_at(record, lead);
                match cursor.skip() {
                    Ok(()) if cursor.rest().is_empty() => {
                        self.evidence.record(Cursor::new(&record[lead..]))?;
                    }
                    _ => {
                        self.is_damaged = true;
                        let found = format!("{} bytes that are no whole object", record.len() - lead);
                        self.evidence.pass(&found, Instead::Other);
                    }
                }
                Ok(record.len())
            }
            Some(Framed::Short(needed)) => Err(Broken::Short(needed)),
            Some(Framed::TooLong(length)) => {
                self.pass_too_large(Skipper::of_bytes(length));
                Ok(0)
            }
            Some(Framed::NoLength) | None => {
                self.evidence.note("bytes without a length in front of an object", Instead::Other);
                Err(Broken::Reserved(0))
            }
        }
    }

    /// Walks on to the records of the next document.
    fn walk(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        if self.tail > 0 {
            self.skipper = Some(Skipper::of(std::mem::take(&mut self.tail)));
            return Ok(0);
        }
        let types = self.evidence.rules.types(self.options.raw_dtype.of(VECTOR));
        let framing = |start: Cursor<'_>| match (self.evidence.framing, start.peek()?) {
            (Framing::Auto, Head::Array(_)) => Ok(Framing::Array),
            (Framing::Auto, Head::Map(_)) => match encoding::read(&mut start.clone(), types)? {
                Seen::Other(_) if !differ_in_kind(start, types)? => Ok(Framing::Map),
                _ => Ok(Framing::Sequence),
            },
            (Framing::Auto, _) => Ok(Framing::Sequence),
            (given, _) => Ok(given),
        };
        match self.way.walk(&self.steps, framing, bytes) {
            Arrival::More(0, needed) => Err(Broken::Short(needed.max(bytes.len() as u64 + 1))),
            Arrival::More(taken, _) => Ok(taken),
            Arrival::Reserved(place) => Err(Broken::Reserved(place)),
            Arrival::Nowhere { taken, left, expected, found } => {
                self.way = Way::default();
                self.skipper = Some(Skipper::of(left));
                self.evidence.pass(&format!("{found}, where {expected} was expected"), Instead::Named);
                Ok(taken)
            }
            Arrival::Records { taken, framing, records, tail } => {
                if self.evidence.framing == Framing::Auto {
                    self.evidence.framing_from = "from what lies where option `records` says".to_owned();
                }
                (self.evidence.framing, self.way, self.left, self.tail) =
                    (framing, Way::default(), Some(records), tail);
                Ok(taken)
            }
        }
    }

    /// A record that the decoder will not read either.
    fn pass_too_large(&mut self, skipper: Skipper) {
        self.evidence.pass("a record that is larger than option `max_record_bytes`", Instead::Named);
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.skipper = Some(skipper);
    }

    /// Begins with the input of this name.
    pub(crate) fn begin(&mut self, input: &Arc<str>) {
        self.evidence.input = input.clone();
        self.is_at_start = true;
    }

    /// The input ends here, as what comes behind cannot be read.
    pub(crate) fn saw_damage(&mut self, damage: &io::Error) {
        self.is_damaged = true;
        self.evidence.saw_damage(damage);
    }

    /// Ends with an input. `rest` bytes at the end of the one before were not consumed: a record that is cut off.
    pub(crate) fn next_input(&mut self, rest: u64) {
        // A record that is being stepped over has been noted.
        self.is_damaged |= rest > 0;
        if self.skipper.take().is_none() && rest > 0 {
            self.evidence.pass("cut off", Instead::Other);
        }
        (self.left, self.way, self.tail) = (None, Way::default(), 0);
    }

    /// True if the lengths in front of objects show that all of them are whole, and records with fields are among them.
    pub(crate) fn holds_records(&self) -> bool {
        self.evidence.framing == Framing::LengthPrefixed
            && !self.is_damaged
            && !self.evidence.contents.is_empty()
    }

    /// The findings.
    pub(crate) fn findings(self) -> Result<Findings> {
        self.evidence.findings()
    }
}
