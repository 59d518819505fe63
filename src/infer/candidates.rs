//! Other places where inference may begin, and which of them is the best.

use std::io;

use arrow::datatypes::Field;

use super::Start;
use super::sample::Sample;
use super::trial::{self, Tally, Trial};
use super::walk::Walk;
use crate::cancel::Cancel;
use crate::decode::{Position, UNKNOWN, may_begin};
use crate::msgpack::{Cursor, Head};
use crate::options::{Framing, ReadOptions};
use crate::record::{Column, Findings, Inference, Inferred, Role, Step, is_array_of_records};

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
/// How many records more than there seem to be an array may claim, besides an eighth of them.
const SLACK: u64 = 16;

/// A guess what the inputs hold.
pub(super) struct Candidate {
    pub(super) start: Start,
    pub(super) findings: Findings,
    pub(super) tally: Tally,
}

impl Candidate {
    fn is_better(&self, best: &Self) -> bool {
        let other = Start { inside: self.start.inside, ..best.start };
        if self.start == other && best.start.inside == Some(Framing::Array) {
            return !best.tally.is_close_to(&self.tally);
        }
        self.tally.bytes > best.tally.bytes
    }
}

/// Looks for guesses in samples.
pub(super) struct Candidates<'a> {
    samples: &'a [Sample],
    /// What inference found from the first byte on.
    found: Option<&'a Findings>,
    options: &'a ReadOptions,
    best: Option<Candidate>,
    tried: Vec<Findings>,
    /// Set where the sample at hand is no damage: none of its first records need to be left out.
    is_walked: bool,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(samples: &'a [Sample], found: Option<&'a Findings>, options: &'a ReadOptions) -> Self {
        Self {
            samples,
            found,
            options,
            best: None,
            tried: found.into_iter().cloned().collect(),
            is_walked: false,
        }
    }

    /// The guess that begins at one place.
    pub(super) fn at(mut self, start: Start) -> Option<Candidate> {
        let sample = self.samples.iter().find(|sample| sample.input == start.input)?;
        self.attempt(sample, start);
        self.best
    }

    /// The guess by which the samples can be decoded best: most of their bytes are rows. The first of several.
    pub(super) fn best(mut self, cancel: &Cancel) -> io::Result<Option<Candidate>> {
        for sample in self.samples {
            self.look_at(sample, cancel)?;
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
    fn look_at(&mut self, sample: &Sample, cancel: &Cancel) -> io::Result<()> {
        let bytes = &sample.bytes;
        let start = Start { input: sample.input, offset: 0, inside: None };
        self.is_walked = false;
        self.attempt(sample, start);
        if let Some(place) = self.second_of_map(bytes) {
            self.attempt(sample, Start { offset: place, inside: Some(Framing::Map), ..start });
        }
        // What is inside of records says nothing where all of them can be read through.
        let walk = Walk::through(sample, self.framing(bytes));
        self.is_walked = walk.is_some();
        let mut places = Places::new(bytes, walk.as_ref().map(|walk| &walk.places[..]));
        let (mut failures, mut good) = ([0; 256], 0);
        while good < ENOUGH && !self.is_sure() {
            cancel.check_io()?;
            let Some(place) = places.next() else { break };
            let mut is_good = false;
            let framings = walk.as_ref().map_or_else(|| self.framings(bytes), |walk| walk.framings());
            for &framing in framings {
                let inside = Start { offset: place, inside: Some(framing), ..start };
                is_good |= self.attempt(sample, self.at_head(bytes, inside).unwrap_or(inside));
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

    /// How records lie in an input that begins with `bytes`, from the first one on.
    fn framing(&self, bytes: &[u8]) -> Framing {
        match (self.options.framing, self.found) {
            (Framing::Auto, Some(found)) => found.framing,
            (Framing::Auto, None) if is_array_of_records(bytes, self.options.raw_dtype) => Framing::Array,
            (Framing::Auto, None) => Framing::Sequence,
            (told, _) => told,
        }
    }

    /// The same place as the start of an array of records, where one of several begins there: its items are no fields.
    fn at_head(&self, bytes: &[u8], start: Start) -> Option<Start> {
        let may_begin = match (self.options.framing, start.inside) {
            (Framing::Auto, Some(Framing::Sequence)) => true,
            (Framing::Array, _) => !matches!(Head::read(bytes), Ok((Head::Array(_), _))),
            _ => false,
        };
        let is_head = || is_array_of_records(&bytes[start.offset..], self.options.raw_dtype);
        (may_begin && is_head()).then_some(Start { inside: None, ..start })
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
        let is_fewer = |records: &u64| !self.is_walked && (told == 0 || *records < told);
        let fewer: Vec<u64> = FEWER.into_iter().filter(is_fewer).collect();
        let mut before: Option<Findings> = None;
        for records in [told].into_iter().chain(fewer) {
            let Some(findings) = self.infer(sample, start, records) else { continue };
            let is_known = self.tried.iter().any(|tried| are_alike(tried, &findings));
            // The start of an input tells nothing new then.
            if is_known && start.inside.is_none() && start.offset == 0 {
                return true;
            }
            if before.as_ref().is_some_and(|before| are_alike(before, &findings)) {
                continue;
            }
            if !self.is_good(&findings, sample, start) {
                before = Some(findings);
                continue;
            }
            if is_known {
                return true;
            }
            self.tried.push(findings.clone());
            let tally = trial::tally(&findings, self.samples, self.options).unwrap_or_default();
            if tally.rows > 0 {
                let candidate = Candidate { start, findings, tally };
                if self.best.as_ref().is_none_or(|best| candidate.is_better(best)) {
                    self.best = Some(candidate);
                }
            }
            return tally.rows > 0;
        }
        false
    }

    /// What inference finds in a sample from `start` on, by so many records.
    fn infer(&self, sample: &Sample, start: Start, records: u64) -> Option<Findings> {
        let options = ReadOptions { infer_records: records, ..self.options.clone() };
        let look = |mut inference: Inference<'_>| {
            let mut at = start.offset;
            while let Inferred::Consumed(taken @ 1.., _) =
                inference.infer(&sample.bytes[at..], sample.is_whole)
            {
                at += taken;
            }
            if inference.is_misled() { None } else { Some(inference.findings().ok()) }
        };
        look(start.inference(&options)).or_else(|| look(start.inference(&options).nested())).flatten()
    }

    /// True where these findings read the records they come from.
    fn is_good(&self, findings: &Findings, sample: &Sample, start: Start) -> bool {
        if trial::is_too_wide(findings) {
            return false;
        }
        let Ok(plan) = trial::plan(findings, self.options) else { return false };
        let bytes = &sample.bytes[start.offset..];
        let Some(inside) = start.inside else {
            if start.offset > 0 {
                return trial::begins_well(&plan, bytes, Position::start(plan.framing));
            }
            return Trial::new(&plan, &sample.name)
                .is_ok_and(|mut trial| trial.decode(bytes, true).is_ok() && trial.tally().rows > 0);
        };
        let left = (inside != Framing::Sequence).then_some(UNKNOWN);
        let position = Position { offset: 0, record: 0, left, is_doubtful: false, rows: 0 };
        if !trial::begins_well(&plan, bytes, position) {
            return false;
        }
        if inside != Framing::Array || self.options.framing != Framing::Auto {
            return true;
        }
        let Ok(mut trial) = Trial::at(&plan, &sample.name, position) else { return false };
        trial.decode(bytes, true).is_ok()
            && holds_records(sample, start.offset, trial.tally().rows, trial.saw_head())
    }
}

/// True for the same findings, however they were found.
fn are_alike(one: &Findings, other: &Findings) -> bool {
    fn what(column: &Column) -> (&[Step], &Field, Role) {
        (&column.path, &column.field, column.role)
    }
    (one.framing, one.layout, one.items) == (other.framing, other.layout, other.items)
        && one.columns.iter().map(what).eq(other.columns.iter().map(what))
}

/// True where a sample begins with the head of an array that the records at `place` may be in, and not with one of these records, of
/// which the head is damaged. So many of them follow, up to the end of the sample or, if it `saw_head`, the next array.
fn holds_records(sample: &Sample, place: usize, rows: u64, saw_head: bool) -> bool {
    let bytes = &sample.bytes;
    let Ok((Head::Array(items), size)) = Head::read(bytes) else { return false };
    let Ok((head, length)) = Head::read(&bytes[place..]) else { return false };
    if !saw_head {
        // About as many as there can be: any byte may look like a head.
        let (seen, all) = ((bytes.len() - place) as u64, sample.size.map(|size| size - place as u64));
        let most = all.map_or(u64::MAX, |all| rows.saturating_mul(all) / seen.max(1) / 8 * 9 + SLACK);
        if u64::from(items) < rows || u64::from(items) > most {
            return false;
        }
    }
    let record = &bytes[place..place + length];
    let differ: u32 = record.iter().zip(&bytes[..]).map(|(one, other)| (one ^ other).count_ones()).sum();
    let is_record = matches!(head, Head::Array(_)) && length == size && differ <= FLIPPED;
    bytes[size..].starts_with(record) || !is_record
}

/// True for text, which vectors hardly ever are.
fn is_text(bytes: &[u8]) -> bool {
    let Ok((Head::Str(length), size)) = Head::read(bytes) else { return false };
    bytes.get(size..size + length as usize).is_some_and(|text| std::str::from_utf8(text).is_ok())
}

/// Places from which on objects that begin alike follow one another.
struct Places<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many heads may still be read.
    heads: usize,
    left_out: [bool; 256],
    /// Those that may be places, where not all may; in ascending order.
    only: Option<&'a [usize]>,
}

impl<'a> Places<'a> {
    fn new(bytes: &'a [u8], only: Option<&'a [usize]>) -> Self {
        Self { bytes, at: 0, heads: HEADS * bytes.len(), left_out: [false; 256], only }
    }

    /// Leaves out what begins with this byte.
    fn leave_out(&mut self, byte: u8) {
        self.left_out[usize::from(byte)] = true;
    }

    /// Goes on behind the objects from `place` on that begin alike.
    fn pass(&mut self, place: usize) {
        self.at = place;
        while let Some(end) = self.end(self.at) {
            let is_alike = self.begin_alike(place, end) && self.is_as_long(place, end);
            self.at = end;
            if !is_alike {
                return;
            }
        }
        self.at += 1;
    }

    /// True for arrays of as many items, and for anything else: an array of records is none of them.
    fn is_as_long(&self, one: usize, other: usize) -> bool {
        match (Head::read(&self.bytes[one..]), Head::read(&self.bytes[other..])) {
            (Ok((Head::Array(one), _)), Ok((Head::Array(other), _))) => one == other,
            _ => true,
        }
    }

    /// Goes to the next place that may be one; false if there is none.
    fn skip_to_one(&mut self) -> bool {
        let Some(only) = self.only else { return true };
        let next = only.get(only.partition_point(|&place| place < self.at));
        self.at = next.copied().unwrap_or(self.at);
        next.is_some()
    }

    /// True for objects of one first byte, and for maps with the same first key: optional fields make their heads differ.
    fn begin_alike(&self, one: usize, other: usize) -> bool {
        let (Some(byte), Some(other_byte)) = (self.bytes.get(one), self.bytes.get(other)) else {
            return false;
        };
        byte == other_byte || self.first_key(one).is_some_and(|key| self.first_key(other) == Some(key))
    }

    /// The first key of the map at this place.
    fn first_key(&self, place: usize) -> Option<&'a [u8]> {
        let mut cursor = Cursor::starting_at(self.bytes, place);
        let Ok(Head::Map(1..)) = cursor.head() else { return None };
        let start = cursor.at();
        let length = usize::try_from(cursor.head().ok()?.payload()).ok()?;
        cursor.take(length).ok()?;
        Some(cursor.since(start))
    }

    fn is_followed(&mut self, place: usize) -> bool {
        let mut at = place;
        (1..ALIKE).all(|_| match self.end(at) {
            Some(end) if self.begin_alike(place, end) => {
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
            && self.skip_to_one()
            && let Some(&byte) = self.bytes.get(self.at)
        {
            let place = self.at;
            self.at += 1;
            let may_begin = may_begin(byte) && !self.left_out[usize::from(byte)];
            if may_begin && self.is_followed(place) && !is_text(&self.bytes[place..]) {
                return Some(place);
            }
        }
        None
    }
}
