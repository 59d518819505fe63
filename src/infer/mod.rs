//! The content of the inputs: the plan comes from the first record, under every policy.
//!
//! The first record may be damaged where bad records are left out. So the start of the first input is
//! decoded by the plan. If there is damage in it, and there are more rejects than rows, inference is tried
//! from other places, and the plan that reads the most rows is taken.

mod sample;

use std::io;

use self::sample::{Peek, Sample};
use crate::error::Result;
use crate::input::{Blocks, Input};
use crate::msgpack::Head;
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Findings, Inference, Inferred, Plan};
use crate::text::printable;

/// How much more of an input a look at its first record has at least.
const MORE: usize = 64 << 10;
/// How many inputs that are not empty are looked at, and how many are opened to find them.
const MOST: usize = 16;
const OPENED: usize = 256;

/// Where inference begins.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Start {
    input: usize,
    offset: usize,
    /// How records lie there, where this is a place among them.
    inside: Option<Framing>,
}

impl Start {
    fn inference(self, options: &ReadOptions) -> Inference<'_> {
        match self.inside {
            None => Inference::new(options),
            Some(framing) => Inference::inside(framing, options),
        }
    }

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
    let mut peek = Peek::new(inputs, options);
    let (found, first_end, holds_records) = infer_from(Start::default(), &mut peek, options)?;
    let found = found.and_then(|findings| Plan::new(&findings, options).map(|_| findings));
    // Where lengths show that there is no damage, nothing is searched for.
    if options.on_error == OnError::Raise || holds_records && found.is_err() {
        return found;
    }
    let mut samples = Vec::new();
    // A part of an input may begin anywhere.
    let wholes = inputs.iter().take(OPENED).take_while(|input| input.span().is_none());
    for (index, _) in wholes.enumerate() {
        let sample = Sample::take(&mut peek, index)?;
        // The program that writes to a stream may have to end before it writes to another.
        let is_last = sample.is_stream && !sample.is_whole;
        if !sample.bytes.is_empty() {
            samples.push(sample);
            if samples.len() == 1
                && let Ok(findings) = &found
                && sample::tally(findings, &samples, options)?.is_enough()
            {
                return found;
            }
        }
        if is_last || samples.len() == MOST {
            break;
        }
    }
    let rows = |findings: &Findings| sample::tally(findings, &samples, options).unwrap_or_default().rows;
    let (mut best, mut best_rows) = (None, found.as_ref().map_or(0, rows));
    let Some(start) = sample::place(&samples, first_end, best_rows, options) else { return found };
    // The place may be inside of the array that the first input begins with.
    let is_array =
        matches!(samples.first().map(|first| Head::read(&first.bytes)), Some(Ok((Head::Array(_), _))));
    let framings: &[Framing] = match options.framing {
        Framing::Auto if is_array => &[Framing::Array, Framing::Sequence],
        Framing::Auto => &[Framing::Sequence],
        ref given => std::slice::from_ref(given),
    };
    for &framing in framings {
        let start = Start { inside: Some(framing), ..start };
        if let Ok(findings) = infer_from(start, &mut peek, options)?.0 {
            let rows = rows(&findings);
            if rows > best_rows {
                (best, best_rows) = (Some(start.name(findings, inputs)), rows);
            }
        }
    }
    best.map_or(found, Ok)
}

/// The findings of inference from a place on, the end of the first object if that is a whole record, and whether lengths show
/// that there are records with fields and no damage.
fn infer_from(
    start: Start,
    peek: &mut Peek<'_>,
    options: &ReadOptions,
) -> Result<(Result<Findings>, usize, bool)> {
    let mut inference = start.inference(options);
    for (index, input) in peek.inputs.iter().enumerate().skip(start.input) {
        let offset = if index == start.input { start.offset } else { 0 };
        inference.begin(input.name(), offset == 0);
        let rest = peek.look(index, |blocks, is_stream| {
            // The bytes that are read of a stream are held in memory.
            let most = is_stream.then(|| options.max_record_bytes.saturating_add(1 << 20));
            infer_input(&mut inference, input, blocks, offset, most)
        });
        match rest? {
            Some(rest) => inference.next_input(rest),
            None => break,
        }
    }
    let (first_end, holds_records) = (inference.first_end(), inference.holds_records());
    Ok((inference.findings(), first_end, holds_records))
}

/// Looks at one input from `offset` on; of a stream not many more than `most` bytes are read. The result is how
/// many bytes at its end were not read, or `None` if inference is done.
fn infer_input(
    inference: &mut Inference<'_>,
    input: &Input,
    blocks: &mut Blocks,
    offset: usize,
    most: Option<u64>,
) -> io::Result<Option<u64>> {
    let passed = blocks.fill(offset)?.len().min(offset);
    blocks.consume(passed);
    let mut needed = 1;
    loop {
        input.cancel().check_io()?;
        let begin = blocks.position();
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
            Inferred::Consumed(0, least) => {
                // Every look begins at the start of the record, so each has a good part more to see. A stream may be
                // slow: little more is asked for than is known to come.
                let more = if most.is_some() { length / 8 } else { length.max(MORE) };
                needed = usize::try_from(least).unwrap_or(usize::MAX).max(length + more);
            }
            Inferred::Consumed(taken, _) => {
                blocks.consume(taken);
                needed = 1;
            }
        }
        if most.is_some_and(|most| begin + length as u64 > most) {
            return Ok(None);
        }
    }
}
