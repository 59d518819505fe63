//! The content of the inputs: the plan comes from the first record, under every policy.
//!
//! The first record may be damaged where bad records are left out. So the first bytes of the first input, a sample, are
//! decoded by the plan. If there is damage in it, and there are more rejects than rows, inference is tried
//! from other places in the samples of the inputs, and the plan that reads the most rows is taken.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::decode::{Decoder, Position};
use crate::error::Result;
use crate::input::{Blocks, Input, Opened, StepBuffers};
use crate::msgpack::Head;
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Findings, Inference, Inferred, Plan, RecordStart, foreign};
use crate::reject::RejectKind;
use crate::text::printable;

/// How much more of an input a look at its first record has at least.
const MORE: usize = 64 << 10;
/// How many inputs that are not empty are looked at, and how many are opened to find them.
const MOST: usize = 16;
const OPENED: usize = 256;
/// How many bytes of an input are decoded to try what was found.
const SIZE: usize = 128 << 10;
/// Objects that begin alike must follow one another where inference may begin.
const ALIKE: usize = 3;
/// Heads that may be read for each byte of a sample, to find such a place.
const HEADS: usize = 8;

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
                && let tally = tally(findings, &samples, options)?
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
        Ok(findings) => tally(findings, &samples, options)?.rows,
        Err(_) => 0,
    };
    search(&samples, first_end, rows, options).map_or(found, Ok)
}

/// Looks at the inputs until enough is known.
fn infer_from_start<'a>(peek: &mut Peek<'_>, options: &'a ReadOptions) -> Result<Inference<'a>> {
    let mut inference = Inference::new(options);
    for (index, input) in peek.inputs.iter().enumerate() {
        inference.begin(input.name());
        let rest = peek.look(index, |blocks, is_stream| {
            // The bytes that are read of a stream are held in memory.
            let most = is_stream.then(|| options.max_record_bytes.saturating_add(1 << 20));
            infer_input(&mut inference, input, blocks, most)
        });
        match rest? {
            Some(rest) => inference.next_input(rest),
            None => break,
        }
    }
    Ok(inference)
}

/// Looks at one input; of a stream not many more than `most` bytes are read. The result is how many bytes at its end were not
/// read, or `None` if inference is done.
fn infer_input(
    inference: &mut Inference<'_>,
    input: &Input,
    blocks: &mut Blocks,
    most: Option<u64>,
) -> io::Result<Option<u64>> {
    let mut needed = 1;
    loop {
        input.cancel().check_io()?;
        let begin = blocks.position();
        let bytes = blocks.fill(needed)?;
        let (length, ended) = (bytes.len(), bytes.len() < needed);
        match inference.infer(bytes, ended) {
            Inferred::Done(_) => return Ok(None),
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
                needed = usize::try_from(least).unwrap_or(usize::MAX).max(length + more + 1);
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

/// Bytes at the start of the inputs, which are read again by the scan.
struct Peek<'a> {
    inputs: &'a [Input],
    /// The first input, which need not be opened again.
    first: Option<Opened>,
    max_expansion: u64,
    buffers: Arc<StepBuffers>,
}

impl<'a> Peek<'a> {
    fn new(inputs: &'a [Input], options: &ReadOptions) -> Self {
        Self { inputs, first: None, max_expansion: options.max_expansion, buffers: Arc::default() }
    }

    /// Calls `look` with the blocks of an input, from its start, and whether it is a stream. A stream may not open
    /// twice, so the bytes that are read of it go back.
    fn look<T>(&mut self, index: usize, look: impl FnOnce(&mut Blocks, bool) -> io::Result<T>) -> Result<T> {
        let input = &self.inputs[index];
        let opened = match self.first.take_if(|_| index == 0) {
            Some(opened) => opened,
            None => input.open(self.max_expansion)?,
        };
        let result = match opened {
            Opened::Stream(ahead) => {
                let mut blocks = Blocks::of_start(ahead);
                let result = look(&mut blocks, true);
                blocks.into_ahead().into_iter().for_each(|ahead| input.put_back(ahead));
                result
            }
            opened => {
                self.first = self.first.take().or_else(|| opened.again().filter(|_| index == 0));
                look(&mut Blocks::new(opened, &self.buffers), false)
            }
        };
        result.map_err(|error| input.error(error))
    }
}

/// The first bytes of an input.
struct Sample {
    input: usize,
    name: Arc<str>,
    bytes: Bytes,
    /// True where the input has no more bytes.
    is_whole: bool,
    is_stream: bool,
}

impl Sample {
    fn take(peek: &mut Peek<'_>, input: usize) -> Result<Self> {
        let name = peek.inputs[input].name().clone();
        peek.look(input, |blocks, is_stream| {
            let bytes = blocks.fill(SIZE)?;
            let bytes = Bytes::copy_from_slice(&bytes[..bytes.len().min(SIZE)]);
            Ok(Self { input, name, is_whole: bytes.len() < SIZE, bytes, is_stream })
        })
    }
}

/// Rows and rejects of samples.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    rows: u64,
    rejects: u64,
    /// Some of the rejects are bytes that are no whole objects.
    is_damaged: bool,
}

/// Decodes `samples` by these findings.
fn tally(findings: &Findings, samples: &[Sample], options: &ReadOptions) -> Result<Tally> {
    let options =
        ReadOptions { on_error: OnError::Skip, max_rejects: 0, fail_after: None, ..options.clone() };
    let plan = Arc::new(Plan::new(findings, &options)?);
    let mut tally = Tally::default();
    for sample in samples {
        let position = Position::start(&plan);
        let size = sample.bytes.len() as u64;
        let mut decoder = Decoder::with_plan(plan.clone())?.at(&sample.name, position, Some(size));
        let mut at = 0;
        loop {
            // A record that the end of a sample cuts off is neither a row nor a reject.
            let taken = decoder.decode_within(&sample.bytes[at..], sample.is_whole)?;
            at += taken;
            let is_over = taken == 0 && !decoder.is_full();
            if is_over && sample.is_whole {
                decoder.finish((sample.bytes.len() - at) as u64)?;
            }
            if let Some(decoded) = decoder.flush()? {
                tally.rows += decoded.batch.num_rows() as u64;
                tally.rejects += decoded.rejects.count();
                tally.is_damaged |= decoded
                    .rejects
                    .kinds()
                    .any(|(kind, _)| matches!(kind, RejectKind::Invalid | RejectKind::Truncated));
            }
            if is_over {
                break;
            }
        }
    }
    Ok(tally)
}

/// The findings by which the most rows of the samples are read, if these are more than `rows`: those of inference from another
/// place, from which objects that begin alike follow one another. The first object, which ends at `first_end` if it is a whole
/// record, has no records in it.
fn search(samples: &[Sample], first_end: usize, mut rows: u64, options: &ReadOptions) -> Option<Findings> {
    let framing = match options.framing {
        _ if options.records.is_some() => return None,
        // A key of a map may begin anywhere.
        Framing::Map => return None,
        Framing::Auto => Framing::Sequence,
        given => given,
    };
    let rows_by = |findings: &Findings| tally(findings, samples, options).unwrap_or_default().rows;
    let mut best = None;
    // Files of other formats hold no records.
    let is_messagepack = |sample: &&Sample| foreign(&sample.bytes, sample.is_whole) == Ok(None);
    for sample in samples.iter().filter(is_messagepack) {
        let mut heads = HEADS * sample.bytes.len();
        let begin = if sample.input == 0 { first_end.max(1) } else { 1 };
        for offset in begin..sample.bytes.len() {
            if begins_alike(&sample.bytes[offset..], &mut heads)
                && let Some(findings) = infer_from(sample, offset, framing, options, &mut heads)
                && let found = rows_by(&findings)
                && found > rows
            {
                (best, rows) = (Some(findings), found);
            }
        }
        if best.is_some() {
            break;
        }
    }
    // The place may be inside of the array that the first input begins with.
    let is_array =
        matches!(samples.first().map(|first| Head::read(&first.bytes)), Some(Ok((Head::Array(_), _))));
    let of_array = best.clone().filter(|_| is_array && options.framing == Framing::Auto);
    let of_array = of_array.map(|findings| Findings { framing: Framing::Array, ..findings });
    of_array.filter(|findings| rows_by(findings) >= rows).or(best)
}

/// The findings of inference from `offset` on, to the end of the sample.
fn infer_from(
    sample: &Sample,
    offset: usize,
    framing: Framing,
    options: &ReadOptions,
    heads: &mut usize,
) -> Option<Findings> {
    let mut inference = Inference::inside(framing, options);
    let mut at = offset;
    loop {
        match inference.infer(&sample.bytes[at..], sample.is_whole) {
            Inferred::Consumed(taken @ 1.., _) => at += taken,
            Inferred::Done(taken) => {
                at += taken;
                break;
            }
            // All of the rest may have been looked at.
            Inferred::Consumed(..) | Inferred::Unreadable => {
                at = sample.bytes.len();
                break;
            }
        }
    }
    *heads = heads.saturating_sub(at - offset);
    let findings = inference.findings().ok()?;
    // The samples are decoded by the findings.
    *heads = heads.saturating_sub(sample.bytes.len());
    let place = format!("byte {offset} of {}", printable(&sample.name));
    let layout_from =
        format!("{}, from {place} on, as most records in front of it cannot be read", findings.layout_from);
    let framing_from = format!("records were found from {place} on");
    Some(Findings { framing_from, layout_from, ..findings })
}

fn begins_alike(bytes: &[u8], heads: &mut usize) -> bool {
    // The end of the object first: it counts the heads that its start takes.
    let Some(first_end) = end_of_object(bytes, 0, heads) else { return false };
    let Ok(Some(start)) = RecordStart::of(bytes) else { return false };
    let next =
        |at: usize, _| if start.matches(&bytes[at..]) { end_of_object(bytes, at, heads) } else { None };
    (1..ALIKE).try_fold(first_end, next).is_some()
}

/// Where the object at `at` ends, if that takes no more heads than are left.
fn end_of_object(bytes: &[u8], mut at: usize, heads: &mut usize) -> Option<usize> {
    let mut objects = 1u64;
    while objects > 0 {
        *heads = heads.checked_sub(1)?;
        let rest = bytes.get(at..)?;
        let (head, size) = Head::read(rest).ok()?;
        objects = objects - 1 + head.children();
        let length = size as u64 + head.payload();
        if length.saturating_add(objects) > rest.len() as u64 {
            return None;
        }
        at += length as usize;
    }
    Some(at)
}
