//! Other places where inference may begin, and which of them is the best.

use std::io;

use super::sample::Sample;
use super::trial::{self, Tally, Trial};
use super::{MARGIN, Start};
use crate::decode::{Position, UNKNOWN, may_begin};
use crate::input::Asking;
use crate::msgpack::{Cursor, Head};
use crate::options::{Framing, ReadOptions};
use crate::record::{Findings, Inferred};

/// So many objects that begin alike must follow one another where inference may begin.
const ALIKE: usize = 3;
/// How many records inference looks at if it finds nothing by as many as it was told: some of them may be damaged as well.
const FEWER: [u64; 2] = [64, 4];
/// In a sample, at how many places of one first byte it may begin in vain, and how many of them are good enough.
const FAILURES: u8 = 8;
const ENOUGH: usize = 4;
/// Heads of objects that are read to find such places, a byte of a sample.
const HEADS: usize = 8;
/// Bits in which heads of one kind of record differ where one of them is damaged.
const FLIPPED: u32 = 2;

/// A guess what the inputs hold.
pub(super) struct Candidate {
    pub(super) start: Start,
    pub(super) findings: Findings,
    pub(super) tally: Tally,
}

/// Looks for guesses in samples.
pub(super) struct Candidates<'a> {
    samples: &'a [Sample],
    /// What inference found from the first byte on.
    found: Option<&'a Findings>,
    options: &'a ReadOptions,
    best: Option<Candidate>,
    tried: Vec<Findings>,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(samples: &'a [Sample], found: Option<&'a Findings>, options: &'a ReadOptions) -> Self {
        Self { samples, found, options, best: None, tried: found.into_iter().cloned().collect() }
    }

    /// The guess by which the samples can be decoded best: most of their bytes are rows. The first of several.
    pub(super) fn best(mut self, asking: &mut Asking<'_>) -> io::Result<Option<Candidate>> {
        for sample in self.samples {
            self.look_at(sample, asking)?;
            if self.is_sure() {
                break;
            }
        }
        Ok(self.best)
    }

    fn is_sure(&self) -> bool {
        self.best.as_ref().is_some_and(|best| best.tally.is_most())
    }

    /// Tries the places of a sample where inference may begin.
    fn look_at(&mut self, sample: &Sample, asking: &mut Asking<'_>) -> io::Result<()> {
        let bytes = &sample.bytes;
        let start = Start { input: sample.input, offset: 0, inside: None };
        self.attempt(sample, start);
        if let Some(place) = self.second_of_map(bytes) {
            self.attempt(sample, Start { offset: place, inside: Some(Framing::Map), ..start });
        }
        let mut places = Places::new(bytes);
        let (mut failures, mut good) = ([0; 256], 0);
        while good < ENOUGH && !self.is_sure() {
            asking.ask()?;
            let Some(place) = places.next() else { break };
            let mut is_good = false;
            for &framing in self.framings(bytes) {
                is_good |= self.attempt(sample, Start { offset: place, inside: Some(framing), ..start });
            }
            if is_good {
                good += 1;
                places.pass(place);
            } else {
                let failures: &mut u8 = &mut failures[usize::from(bytes[place])];
                *failures += 1;
                if *failures == FAILURES {
                    places.leave_out(bytes[place]);
                }
            }
        }
        Ok(())
    }

    /// How records may lie at a place further on in an input that begins with `bytes`.
    fn framings(&self, bytes: &[u8]) -> &'static [Framing] {
        match (self.options.framing, Head::read(bytes)) {
            (Framing::Auto, Ok((Head::Array(_), _))) => &[Framing::Array, Framing::Sequence],
            (Framing::Auto | Framing::Sequence, _) => &[Framing::Sequence],
            (Framing::Array, _) => &[Framing::Array],
            // Where a key begins nobody knows.
            (Framing::Map, _) => &[],
        }
    }

    /// Where the second pair of a map of records begins.
    fn second_of_map(&self, bytes: &[u8]) -> Option<usize> {
        let found = self.found.map_or(self.options.framing, |found| found.framing);
        let mut cursor = Cursor::new(bytes);
        match (found, cursor.head()) {
            (Framing::Map, Ok(Head::Map(2..))) => {
                cursor.skip().and_then(|()| cursor.skip()).ok()?;
                Some(cursor.at())
            }
            _ => None,
        }
    }

    /// Tries one place; true where it is one.
    fn attempt(&mut self, sample: &Sample, start: Start) -> bool {
        let told = self.options.infer_records;
        let fewer = FEWER.into_iter().filter(|&records| told == 0 || records < told);
        for records in [told].into_iter().chain(fewer) {
            let Some(findings) = self.infer(sample, start, records) else { continue };
            if !self.is_good(&findings, sample, start) {
                continue;
            }
            let is_known =
                |known: &Findings| {
                    known.framing == findings.framing
                        && known.layout == findings.layout
                        && known.items == findings.items
                        && known.columns.iter().map(|column| (&column.path, &column.field, column.role)).eq(
                            findings.columns.iter().map(|column| (&column.path, &column.field, column.role)),
                        )
                };
            if self.tried.iter().any(is_known) {
                return true;
            }
            self.tried.push(findings.clone());
            if let Some(tally) = trial::tally(&findings, self.samples, self.options)
                && self.best.as_ref().is_none_or(|best| tally.bytes > best.tally.bytes)
            {
                self.best = Some(Candidate { start, findings, tally });
            }
            return true;
        }
        false
    }

    /// What inference finds in a sample from `start` on, by so many records.
    fn infer(&self, sample: &Sample, start: Start, records: u64) -> Option<Findings> {
        let options = ReadOptions { infer_records: records, ..self.options.clone() };
        let mut inference = start.inference(&options);
        let mut at = start.offset;
        while let Inferred::Consumed(taken @ 1.., _) = inference.infer(&sample.bytes[at..], sample.is_whole) {
            at += taken;
        }
        inference.findings().ok()
    }

    /// True where these findings read the records they come from.
    fn is_good(&self, findings: &Findings, sample: &Sample, start: Start) -> bool {
        let Ok(plan) = trial::plan(findings, self.options) else { return false };
        let left = start.inside.filter(|&inside| inside != Framing::Sequence).map(|_| UNKNOWN);
        let position = match start.inside {
            None => Position::start(plan.framing),
            Some(_) => Position { offset: 0, record: 0, left, rows: 0 },
        };
        let bytes = &sample.bytes[start.offset..];
        let Ok(mut trial) = Trial::at(&plan, &sample.name, position) else { return false };
        if trial.decode(bytes, true).is_err() {
            return false;
        }
        let (rows, saw_head) = (trial.tally().rows, trial.saw_head());
        match start.inside {
            None => rows > 0,
            Some(Framing::Array) if self.options.framing == Framing::Auto => {
                rows >= MARGIN && holds_records(&sample.bytes, start.offset, rows, saw_head)
            }
            Some(_) => rows >= MARGIN,
        }
    }
}

/// True where `bytes` begin with the head of an array that the records at `place` may be in, and not with one of these records, of which
/// the head is damaged. So many of them follow, up to the end of the sample or, if it `saw_head`, the next array.
fn holds_records(bytes: &[u8], place: usize, rows: u64, saw_head: bool) -> bool {
    let Ok((Head::Array(items), size)) = Head::read(bytes) else { return false };
    let Ok((head, length)) = Head::read(&bytes[place..]) else { return false };
    if rows > items.into() && !saw_head {
        return false;
    }
    let record = &bytes[place..place + length];
    let differ: u32 = record.iter().zip(bytes).map(|(one, other)| (one ^ other).count_ones()).sum();
    let is_record = matches!(head, Head::Array(_)) && length == size && differ <= FLIPPED;
    bytes[size..].starts_with(record) || !is_record
}

/// Places from which on objects that begin alike follow one another.
struct Places<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many heads may still be read.
    heads: usize,
    left_out: [bool; 256],
}

impl<'a> Places<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, heads: HEADS * bytes.len(), left_out: [false; 256] }
    }

    /// Leaves out what begins with this byte.
    fn leave_out(&mut self, byte: u8) {
        self.left_out[usize::from(byte)] = true;
    }

    /// Goes on behind the objects from `place` on that begin alike.
    fn pass(&mut self, place: usize) {
        self.at = place;
        while let Some(end) = self.end(self.at) {
            let is_alike = self.bytes.get(end) == Some(&self.bytes[place]);
            self.at = end;
            if !is_alike {
                return;
            }
        }
        self.at += 1;
    }

    fn is_followed(&mut self, place: usize) -> bool {
        let mut at = place;
        (1..ALIKE).all(|_| match self.end(at) {
            Some(end) if self.bytes.get(end) == Some(&self.bytes[place]) => {
                at = end;
                true
            }
            _ => false,
        })
    }

    /// Where the object at `at` ends.
    fn end(&mut self, mut at: usize) -> Option<usize> {
        let mut objects = 1u64;
        while objects > 0 {
            self.heads = self.heads.checked_sub(1)?;
            let rest = self.bytes.get(at..)?;
            let (head, size) = Head::read(rest).ok()?;
            objects = objects - 1 + head.children();
            let length = size as u64 + head.payload();
            if length + objects > rest.len() as u64 {
                return None;
            }
            at += length as usize;
        }
        Some(at)
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.heads > 0
            && let Some(&byte) = self.bytes.get(self.at)
        {
            let place = self.at;
            self.at += 1;
            if may_begin(byte) && !self.left_out[usize::from(byte)] && self.is_followed(place) {
                return Some(place);
            }
        }
        None
    }
}
