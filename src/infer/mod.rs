//! The content of the inputs: the plan comes from the first record, under every policy.
//!
//! The first record may be damaged where bad records are left out. So the start of the first input is
//! decoded by the plan. If there is damage in it, and there are more rejects than rows, inference is tried
//! from other places, and the plan that reads the most rows is taken.

mod begin;
mod sample;

use std::io;
use std::sync::Arc;

use self::begin::Tally;
use self::sample::Samples;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::input::{Blocks, Damaged, Input, Opened};
use crate::msgpack::{Head, MAX_HEAD};
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Findings, Inference, Inferred, Plan};
use crate::text::printable;

/// How much of an input inference reads at once.
const GLANCE: usize = 64 << 10;

/// Where inference begins.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Start {
    input: usize,
    offset: usize,
    /// How records lie there, where this is a place among them.
    inside: Option<Framing>,
}

impl Start {
    /// Adds to the findings that they come from here.
    fn name(self, findings: Findings, inputs: &[Input]) -> Findings {
        let name = inputs.get(self.input).map_or("", |input| input.name());
        let place = format!("byte {} of {}", self.offset, printable(name));
        let from =
            |how: &str| format!("{how}, from {place} on, as most records in front of it cannot be read");
        let layout_from = from(&findings.layout_from);
        let framing_from = format!("records were found from {place} on");
        Findings { framing_from, layout_from, ..findings }
    }
}

/// The content of the inputs.
pub(crate) fn infer(inputs: &[Input], options: &ReadOptions) -> Result<Findings> {
    let (found, first_end, opened) = infer_from(Start::default(), inputs, options)?;
    if options.on_error == OnError::Raise {
        return found;
    }
    let found = found.and_then(|findings| Plan::new(&findings, options).map(|_| findings));
    let mut samples = Samples::new(inputs, opened, options);
    let mut taken = Vec::from_iter(samples.next()?);
    if let Ok(findings) = &found
        && begin::tally(findings, &taken, options)?.is_enough()
    {
        return found;
    }
    while let Some(sample) = samples.next()? {
        taken.push(sample);
    }
    let tally = |findings: &Findings| begin::tally(findings, &taken, options).unwrap_or_default();
    let (mut best, mut best_rows) = (None, found.as_ref().map_or(Tally::default(), tally).rows);
    let Some(start) = begin::place(&taken, first_end, best_rows, options) else { return found };
    // The place may be inside of the array that the first input begins with.
    let is_array =
        matches!(taken.first().map(|first| Head::read(&first.bytes)), Some(Ok((Head::Array(_), _))));
    let framings: &[Framing] = match options.framing {
        Framing::Auto if is_array => &[Framing::Array, Framing::Sequence],
        Framing::Auto => &[Framing::Sequence],
        ref given => std::slice::from_ref(given),
    };
    for &framing in framings {
        let start = Start { inside: Some(framing), ..start };
        if let Ok(findings) = infer_from(start, inputs, options)?.0 {
            let rows = tally(&findings).rows;
            if rows > best_rows {
                (best, best_rows) = (Some(start.name(findings, inputs)), rows);
            }
        }
    }
    best.map_or(found, Ok)
}

/// The findings of inference from a place on, the end of the first object if that is a whole record, and
/// the first input, if that can be read again.
fn infer_from(
    start: Start,
    inputs: &[Input],
    options: &ReadOptions,
) -> Result<(Result<Findings>, usize, Option<Opened>)> {
    let mut inference = start.inference(options);
    let mut first = None;
    let buffers = Arc::default();
    for (index, input) in inputs.iter().enumerate().skip(start.input) {
        let offset = if index == start.input { start.offset } else { 0 };
        inference.begin(input.name(), offset == 0);
        // A stream with the bytes that were read of it before, or an input of another kind.
        let opened = match input.take_back() {
            Some((read, stream)) => Err((read, stream)),
            None => match input.open(options.max_expansion)? {
                Opened::Stream(stream) => Err((Vec::new(), stream)),
                opened => Ok(opened),
            },
        };
        let rest = match opened {
            Err((mut read, mut stream)) => {
                // A stream may not open twice: the bytes that are read here go back.
                let most = usize::try_from(options.max_record_bytes).unwrap_or(usize::MAX);
                let bounds = (offset, most.saturating_add(1 << 20));
                let rest = infer_stream(&mut inference, &mut stream, &mut read, bounds);
                input.put_back(read, stream);
                rest
            }
            Ok(opened) => {
                if index == start.input {
                    first = opened.again();
                }
                let blocks = Blocks::new(opened, &buffers);
                infer_blocks(&mut inference, blocks, offset, input.cancel())
            }
        };
        match rest.map_err(|error| input.error(error))? {
            Some(rest) => inference.next_input(rest),
            None => break,
        }
    }
    let first_end = inference.first_end();
    Ok((inference.findings(), first_end, first))
}

/// Looks at one input from `offset` on. The result is how many bytes at its end were not read, or
/// `None` if inference is done.
fn infer_blocks(
    inference: &mut Inference<'_>,
    mut blocks: Blocks,
    offset: usize,
    cancel: &Cancel,
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
                // The scan comes to the damage as well.
                blocks.take_damage().iter().for_each(|damage| inference.saw_damage(damage));
                return Ok(Some(length as u64));
            }
            Inferred::Consumed(taken, more) => {
                blocks.consume(taken);
                // The rest of a record.
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
) -> io::Result<Option<u64>> {
    let (mut done, mut ended) = (offset, false);
    let mut needed = 1;
    loop {
        if let Some(rest) = read.get(done..).filter(|rest| ended || rest.len() >= needed) {
            match inference.infer(rest, ended) {
                Inferred::Done => return Ok(None),
                Inferred::Unreadable => return Ok(Some(0)),
                Inferred::Consumed(0, _) if ended => return Ok(Some(rest.len() as u64)),
                Inferred::Consumed(0, least) => {
                    // Where the end of a record is not known, so many more bytes that looking again costs little.
                    let least = usize::try_from(least).unwrap_or(usize::MAX);
                    let is_open = least <= rest.len() + MAX_HEAD;
                    needed = if is_open { rest.len() + rest.len() / 8 + 1 } else { least };
                }
                Inferred::Consumed(taken, _) => (done, needed) = (done + taken, 1),
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
                // The scan comes to the damage as well.
                Err(error) if Damaged::of(&error).is_some() => {
                    inference.saw_damage(&error);
                    ended = true;
                }
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}
