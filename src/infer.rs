//! What the inputs hold: inference over their first records and, where bad ones are left out, whether these are like the others.
//!
//! The first record of the first input may be damaged, or all of that input be something else. So the start of the inputs is decoded by
//! what was found. If most of it can be, that is all. Otherwise inference begins at other places as well, and what can be decoded best
//! wins.

mod arrays;
mod candidates;
mod contradicted;
mod rows;
mod sample;
mod trial;
mod walk;

use std::io;
use std::sync::Arc;

use self::candidates::{Candidate, Candidates};
use self::contradicted::contradicted_at;
use self::sample::{Sample, Samples};
use self::trial::{Tally, Trial};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::input::{Blocks, Damaged, Input, Opened};
use crate::msgpack::{Cursor, Head, MAX_HEAD};
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{FEW, Findings, Inference, Inferred, Layout, Plan, is_array_of_records};
use crate::text::printable;

/// How much of an input inference reads at once.
const GLANCE: usize = 64 << 10;

/// So many rows more make another guess the better one: a few odd records in front of a file are no damage.
const MARGIN: u64 = 3;

/// Where inference begins.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Start {
    input: usize,
    offset: usize,
    /// How records lie there, where this is a place among them: behind the head of what holds them.
    inside: Option<Framing>,
}

impl Start {
    fn inference(self, options: &ReadOptions) -> Inference<'_> {
        match self.inside {
            None => Inference::new(options),
            Some(framing) => Inference::inside(framing, options),
        }
    }

    /// What was found from here on, which then says so.
    fn told(self, findings: Findings, inputs: &[Input], options: &ReadOptions) -> Findings {
        let name = inputs.get(self.input).map_or("", |input| input.name());
        let place = format!("byte {} of {}", self.offset, printable(name));
        let framing_from = match (options.framing, self.inside) {
            (Framing::Auto, None) => format!("{}, in {}", findings.framing_from, printable(name)),
            (Framing::Auto, Some(Framing::Sequence)) => {
                format!("records follow one another from {place} on")
            }
            (Framing::Auto, Some(framing)) => {
                format!(
                    "the first object is of the kind {}, and its records begin at {place}",
                    framing.as_str()
                )
            }
            _ => findings.framing_from,
        };
        let layout_from = format!(
            "{}, counted from {place} on: what comes before is not like most of the rest",
            findings.layout_from
        );
        Findings { framing_from, layout_from, ..findings }
    }
}

/// What the inputs hold.
pub(crate) fn infer(inputs: &[Input], options: &ReadOptions) -> Result<Findings> {
    rows::told_by_rows(found_in(inputs, options)?, inputs, options)
}

fn found_in(inputs: &[Input], options: &ReadOptions) -> Result<Findings> {
    let (found, is_confirmed) = decide(inputs, options)?;
    let mut findings = found?;
    if options.framing != Framing::Auto || is_confirmed {
        return Ok(findings);
    }
    // Once the framing is known, all else is what it would have been if it had been told.
    let told = |findings: &Findings| decide(inputs, &options.clone().with_framing(findings.framing));
    let (mut known, _) = told(&findings)?;
    // Records do not follow one another where arrays of many of them are records then.
    let is_other = |known: &Findings| {
        known.items > FEW && (known.layout, known.items) != (findings.layout, findings.items)
    };
    if findings.framing == Framing::Sequence && known.as_ref().is_ok_and(is_other) {
        match infer_from(Start::default(), inputs, options)?.0 {
            Ok(first) if first.framing == Framing::Array => {
                findings = first;
                known = told(&findings)?.0;
            }
            _ => return Ok(findings),
        }
    }
    let framing_from = findings.framing_from.clone();
    Ok(known.map_or(findings, |known| Findings { framing_from, ..known }))
}

/// What the inputs hold, and whether that is what inference finds from the first byte on, without doubt.
fn decide(inputs: &[Input], options: &ReadOptions) -> Result<(Result<Findings>, bool)> {
    let (found, opened) = infer_from(Start::default(), inputs, options)?;
    let (false, Some(first)) = (options.on_error == OnError::Raise, inputs.first()) else {
        return Ok((found, true));
    };
    let found = found.and_then(|findings| Plan::new(&findings, options).map(|_| findings));
    let mut samples = Samples::new(inputs, opened, options);
    let mut tally = Tally::default();
    match &found {
        Ok(findings) if is_confirmed(findings, &mut samples, &mut tally, options)? => {
            return Ok((found, true));
        }
        Ok(_) => {}
        Err(_) => samples.take_all()?,
    }
    let samples = samples.into_taken();
    let candidates = Candidates::new(&samples, found.as_ref().ok(), options);
    let cancel = first.cancel();
    let best = candidates.best(cancel).map_err(|error| first.error(error))?;
    let is_better = |best: &Candidate| match &found {
        // An array of records whose first one is damaged reads as well as a bad record in front of others, but in other inputs.
        Ok(findings) if findings.framing == Framing::Sequence && best.findings.framing == Framing::Array => {
            let is_close = best.tally.rows >= MARGIN && best.tally.is_close_to(&tally);
            // One record of many fields, an id and vectors, is one where all of it can be read.
            let is_array = !tally.is_all() || samples.iter().any(|sample| begins_with(sample, best.start));
            let is_lost = |sample| {
                let tally = |findings| trial::tally(findings, [sample], options).unwrap_or_default();
                tally(findings).is_all() && tally(&best.findings).rows < tally(findings).rows
            };
            is_close && is_array && !samples.iter().any(is_lost)
        }
        // What is contradicted may read nearly all: several arrays, of which the first one has a damaged count.
        Ok(findings) => {
            let is_found = |found: Tally| found.is_nearly_all() && found.rows > best.tally.rows;
            best.tally.rows >= tally.rows + MARGIN
                && !(tally.rows == 0 && trial::tally(findings, &samples, options).is_some_and(is_found))
        }
        Err(_) => best.tally.is_convincing(),
    };
    let best = best.filter(is_better);
    // What was found may be what is left of an array, in front of others.
    let chosen = best.as_ref().map(|best| &best.findings).or(found.as_ref().ok());
    let array = chosen.and_then(|chosen| arrays::better(chosen, &samples, inputs.len(), options));
    let Some(best) = array.or(best) else { return Ok((found, false)) };
    // From there on, the same as it would have been from the first byte.
    let (whole, _) = infer_from(best.start, inputs, options)?;
    let is_as_good = |whole: &Findings| {
        trial::tally(whole, &samples, options).is_some_and(|tally| tally.bytes >= best.tally.bytes)
    };
    let findings = whole.ok().filter(is_as_good).unwrap_or(best.findings);
    Ok((Ok(best.start.told(findings, inputs, options)), false))
}

/// Decodes the start of the inputs, as many as it takes, and tells whether they are what was found. What can be decoded is in `tally`
/// if they are not.
fn is_confirmed(
    findings: &Findings,
    samples: &mut Samples<'_>,
    tally: &mut Tally,
    options: &ReadOptions,
) -> Result<bool> {
    let plan = trial::plan(findings, options)?;
    let is_told = options.framing != Framing::Auto;
    let is_wide = trial::is_wide(findings);
    // An array or map that is none of records may end soon.
    let may_end = !is_told && findings.framing != Framing::Sequence;
    let mut is_doubtful = false;
    // An array of records may have been taken for one record, as one of the first few is damaged.
    let mut is_single = false;
    // And what comes first may be the end of one, before others.
    let mut is_bad = false;
    // Then what was read of it is not enough.
    let mut is_left = false;
    let mut first_rows = None;
    while let Some((input, mut start)) = samples.begin()? {
        let mut trial =
            if is_wide { Trial::careful(&plan, input.name())? } else { Trial::new(&plan, input.name())? };
        for size in sample::SIZES {
            let (bytes, _) = start.fill(size).map_err(|error| input.error(error))?;
            is_single |= !is_told && samples.is_first() && !may_end && holds_many(bytes);
            let contradicted =
                if samples.is_first() { contradicted_at(findings, bytes, options) } else { Ok(None) };
            // Whether that comes of damage, all of the sample tells.
            let size = if let Ok(Some(_)) = contradicted { sample::SIZE } else { size };
            let (bytes, ended) = start.fill(size).map_err(|error| input.error(error))?;
            let is_last = ended || size == sample::SIZE;
            trial.decode(bytes, is_last)?;
            let sum = tally.and(trial.tally());
            let is_most = sum.is_most() || sum.is_kind();
            if let Ok(Some(place)) = contradicted
                && !trial.has_reject_before(place)
            {
                samples.take(start)?;
                samples.take_all()?;
                return Ok(false);
            }
            is_bad |= !is_told && samples.is_first() && trial.begins_badly(ended);
            // The first record may as well be an array of records.
            is_doubtful |= is_bad && samples.is_first() && is_array(bytes);
            if is_bad
                && is_last
                && findings.framing == Framing::Sequence
                && arrays::behind_others(&plan, bytes, &trial, first_rows).is_some()
            {
                let sample = samples.take(start)?;
                *tally = tally.and(trial.finish(sample)?);
                samples.take_all()?;
                return Ok(false);
            }
            if is_bad && is_last && has_array_of_records(findings, bytes, options) {
                samples.take(start)?;
                samples.take_all()?;
                return Ok(false);
            }
            if is_last || is_wide && sum.rejects > 0 {
                break;
            }
            if is_most && !may_end && !is_bad && !is_single && contradicted.is_ok() {
                return Ok(true);
            }
        }
        let sample = samples.take(start)?;
        let more = trial.finish(sample)?;
        is_single &= more.rows <= 1;
        *tally = tally.and(more);
        first_rows = first_rows.or(Some(more.rows));
        is_left |= (tally.is_most() || tally.is_kind()) && !is_doubtful && !is_single;
        if is_left
            && (!is_bad || findings.framing != Framing::Sequence || samples.count() >= arrays::LOOKED_AT)
        {
            return Ok(true);
        }
    }
    Ok(is_left || tally.is_all() && !is_single)
}

fn is_array(bytes: &[u8]) -> bool {
    matches!(Head::read(bytes), Ok((Head::Array(_), _)))
}

/// True where records that are arrays of fields begin behind something else, and are arrays of records by the rules of framing.
fn has_array_of_records(findings: &Findings, bytes: &[u8], options: &ReadOptions) -> bool {
    if (findings.framing, findings.layout) != (Framing::Sequence, Layout::Positional) || is_array(bytes) {
        return false;
    }
    let mut cursor = Cursor::new(bytes);
    while !is_array(cursor.rest()) {
        if cursor.skip().is_err() {
            return false;
        }
    }
    is_array_of_records(cursor.rest(), options.raw_dtype)
}

/// True for an array of more items than records have fields, mostly.
fn holds_many(bytes: &[u8]) -> bool {
    matches!(Head::read(bytes), Ok((Head::Array(items), _)) if items > FEW)
}

/// True where the first item of a sample, which is an array, begins as the record at `start` does.
fn begins_with(sample: &Sample, start: Start) -> bool {
    let bytes = &sample.bytes;
    let head = |at: usize| Head::read(bytes.get(at..).unwrap_or_default());
    match (head(0), head(start.offset)) {
        (Ok((_, size)), Ok((record, _))) if sample.input == start.input => {
            // Maps may have more fields or fewer.
            head(size).is_ok_and(|(first, _)| match (first, record) {
                (Head::Map(_), Head::Map(_)) => true,
                _ => first == record,
            })
        }
        _ => false,
    }
}

/// What inference finds from a place on, and what it opened first, if that can be read again.
fn infer_from(
    start: Start,
    inputs: &[Input],
    options: &ReadOptions,
) -> Result<(Result<Findings>, Option<Opened>)> {
    let (inference, opened) = look(start.inference(options), start, inputs, options)?;
    if !inference.is_misled() {
        return Ok((inference.findings(), opened));
    }
    let (inference, opened) = look(start.inference(options).nested(), start, inputs, options)?;
    Ok((inference.findings(), opened))
}

/// Lets `inference` look at the inputs from a place on.
fn look<'a>(
    mut inference: Inference<'a>,
    start: Start,
    inputs: &[Input],
    options: &ReadOptions,
) -> Result<(Inference<'a>, Option<Opened>)> {
    let mut first = None;
    let buffers = Arc::default();
    let raise = options.on_error == OnError::Raise;
    for (index, input) in inputs.iter().enumerate().skip(start.input) {
        let offset = if index == start.input { start.offset } else { 0 };
        inference.begin(input.name());
        // A stream, with what was read of it before, or anything else.
        let opened = match input.take_back() {
            Some((read, stream)) => Err((read, stream)),
            None => match input.open(options.max_expansion)? {
                Opened::Stream(stream) => Err((Vec::new(), stream)),
                opened => Ok(opened),
            },
        };
        let rest = match opened {
            Err((mut read, mut stream)) => {
                // A stream may not open twice: what is read here goes back.
                let most = usize::try_from(options.max_record_bytes).unwrap_or(usize::MAX);
                let bounds = (offset, most.saturating_add(1 << 20));
                let rest = infer_stream(&mut inference, &mut stream, &mut read, bounds, raise);
                input.put_back(read, stream);
                rest
            }
            Ok(opened) => {
                if index == start.input {
                    first = opened.again();
                }
                let blocks = Blocks::new(opened, &buffers);
                infer_blocks(&mut inference, blocks, offset, (input.cancel(), raise))
            }
        };
        match rest.map_err(|error| input.error(error))? {
            Some(rest) => inference.next_input(rest),
            None => break,
        }
    }
    Ok((inference, first))
}

/// Looks at one input from `offset` on; gives how many of its bytes are left and tell nothing, `None` if no other input need be
/// looked at.
fn infer_blocks(
    inference: &mut Inference<'_>,
    mut blocks: Blocks,
    offset: usize,
    (cancel, raise): (&Cancel, bool),
) -> io::Result<Option<u64>> {
    let passed = blocks.fill(offset)?.len().min(offset);
    blocks.consume(passed);
    let mut needed = MAX_HEAD;
    loop {
        cancel.check_io()?;
        let bytes = blocks.fill(needed)?;
        let (length, ended) = (bytes.len(), bytes.len() < needed);
        match inference.infer(bytes, ended) {
            Inferred::Done => return Ok(None),
            Inferred::Unreadable => return Ok(Some(0)),
            Inferred::Consumed(0, _) if ended => {
                return match blocks.take_damage() {
                    Some(damage) if raise => Err(damage),
                    damage => {
                        damage.iter().for_each(|damage| inference.saw_damage(damage));
                        Ok(Some(length as u64))
                    }
                };
            }
            Inferred::Consumed(taken, more) => {
                blocks.consume(taken);
                // A record that is not there in full: more of it.
                let more = usize::try_from(more).unwrap_or(usize::MAX);
                needed = if taken == 0 { more.max(2 * length).max(GLANCE) } else { MAX_HEAD };
            }
        }
    }
}

/// The same for a stream of which no more than `most` bytes may be held.
fn infer_stream(
    inference: &mut Inference<'_>,
    stream: &mut dyn io::Read,
    read: &mut Vec<u8>,
    (offset, most): (usize, usize),
    raise: bool,
) -> io::Result<Option<u64>> {
    let (mut done, mut ended) = (offset, false);
    loop {
        if let Some(rest) = read.get(done..) {
            match inference.infer(rest, ended) {
                Inferred::Done => return Ok(None),
                Inferred::Unreadable => return Ok(Some(0)),
                Inferred::Consumed(0, _) if ended => return Ok(Some(rest.len() as u64)),
                Inferred::Consumed(taken, _) => done += taken,
            }
        } else if ended {
            return Ok(Some(0));
        }
        let length = read.len();
        if length > most {
            return Ok(None);
        }
        if !ended {
            read.try_reserve(GLANCE).map_err(|_| io::ErrorKind::OutOfMemory)?;
            read.resize(length + GLANCE, 0);
            let more = stream.read(&mut read[length..]);
            read.truncate(length + more.as_ref().unwrap_or(&0));
            match more {
                Ok(0) => ended = true,
                // The scan will come to it as well.
                Err(error) if !raise && Damaged::of(&error).is_some() => {
                    inference.saw_damage(&error);
                    ended = true;
                }
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}
