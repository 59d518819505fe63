//! The content of the inputs: the plan comes from the first record, under every policy.
//!
//! The first record may be damaged where bad records are left out. So the start of the first input is
//! decoded by the plan. If there is damage in it, and there are more rejects than rows, inference is tried
//! from other places in it, and the plan that reads the most rows is taken.

mod sample;

use std::io;

use self::sample::{Peek, Sample};
use crate::error::Result;
use crate::input::{Blocks, Input};
use crate::msgpack::MAX_HEAD;
use crate::options::{OnError, ReadOptions};
use crate::record::{Findings, Inference, Inferred, Plan};

/// How much of a stream inference reads at once.
const GLANCE: usize = 64 << 10;
/// How many inputs that are not empty are looked at, and how many are opened to find them.
const MOST: usize = 16;
const OPENED: usize = 256;

/// The content of the inputs.
pub(crate) fn infer(inputs: &[Input], options: &ReadOptions) -> Result<Findings> {
    let mut peek = Peek::new(inputs, options);
    let inference = infer_from_start(&mut peek, options)?;
    let (first_end, holds_records) = (inference.first_end, inference.holds_records());
    let found = inference.findings().and_then(|findings| Plan::new(&findings, options).map(|_| findings));
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
                && let tally = sample::tally(findings, &samples, options)?
                && (!tally.is_damaged || tally.rejects <= tally.rows)
            {
                return found;
            }
        }
        if is_last || samples.len() == MOST {
            break;
        }
    }
    let rows = match &found {
        Ok(findings) => sample::tally(findings, &samples, options)?.rows,
        Err(_) => 0,
    };
    sample::search(&samples, first_end, rows, options).map_or(found, Ok)
}

/// Looks at the inputs until enough is known.
fn infer_from_start<'a>(peek: &mut Peek<'_>, options: &'a ReadOptions) -> Result<Inference<'a>> {
    let mut inference = Inference::new(options);
    for (index, input) in peek.inputs.iter().enumerate() {
        inference.begin(input.name());
        let rest = peek.look(index, |blocks, is_stream| {
            // The bytes that are read of a stream are held in memory.
            let most = if is_stream { options.max_record_bytes.saturating_add(1 << 20) } else { u64::MAX };
            infer_input(&mut inference, input, blocks, most)
        });
        match rest? {
            Some(rest) => inference.next_input(rest),
            None => break,
        }
    }
    Ok(inference)
}

/// Looks at one input, of which not many more than `most` bytes are read. The result is how many bytes at its end were not
/// read, or `None` if inference is done.
fn infer_input(
    inference: &mut Inference<'_>,
    input: &Input,
    mut blocks: Blocks,
    most: u64,
) -> io::Result<Option<u64>> {
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
                // Where the end of a record is not known, so many more bytes that looking again costs little.
                let least = usize::try_from(least).unwrap_or(usize::MAX);
                let is_open = least <= length + MAX_HEAD;
                needed = if is_open { length + length / 8 + 1 } else { least };
            }
            Inferred::Consumed(taken, _) => {
                blocks.consume(taken);
                needed = 1;
            }
        }
        if begin + length as u64 > most {
            return Ok(None);
        }
    }
}
