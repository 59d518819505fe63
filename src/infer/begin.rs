//! Another place at which inference may begin, and how well the inputs can be decoded by what it
//! finds there.

use std::sync::Arc;

use super::Start;
use super::sample::Sample;
use crate::decode::{Decoder, Position};
use crate::error::Result;
use crate::msgpack::Head;
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Findings, Inference, Inferred, Plan, RecordStart};

/// Objects that begin alike must follow one another where inference may begin.
const ALIKE: usize = 3;
/// Heads that may be read for each byte of a sample, to find such a place.
const HEADS: usize = 8;

/// Rows and rejects of samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) rejects: u64,
}

impl Tally {
    /// True where the samples are what was found: there are rows, and no more rejects than rows.
    /// Records may also be longer than the samples.
    pub(super) fn is_enough(&self) -> bool {
        self.rejects <= self.rows
    }
}

/// Decodes `samples` by these findings.
pub(super) fn tally(findings: &Findings, samples: &[Sample], options: &ReadOptions) -> Result<Tally> {
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
            // The decoder must not wait for bytes behind the sample. A record that is cut off there is
            // no reject.
            let taken = decoder.decode_within(&sample.bytes[at..], true)?;
            at += taken;
            let is_full = decoder.is_full();
            if !is_full && taken == 0 && sample.is_whole {
                decoder.finish((sample.bytes.len() - at) as u64)?;
            }
            if let Some(decoded) = decoder.flush()? {
                tally.rows += decoded.batch.num_rows() as u64;
                tally.rejects += decoded.rejects.count();
            }
            if !is_full && taken == 0 {
                break;
            }
        }
    }
    Ok(tally)
}

/// The first place in the samples at which objects that begin alike follow one another, and by which
/// inference finds a plan. The first object, which ends at `first_end` if it is a whole record, has no
/// records in it.
pub(super) fn place(samples: &[Sample], first_end: usize, options: &ReadOptions) -> Option<Start> {
    if options.records.is_some() {
        return None;
    }
    samples.iter().find_map(|sample| {
        let framing = match options.framing {
            Framing::Auto => Framing::Sequence,
            // A key of a map may begin anywhere.
            Framing::Map => return None,
            given => given,
        };
        let mut heads = HEADS * sample.bytes.len();
        let begin = if sample.input == 0 { first_end.max(1) } else { 1 };
        (begin..sample.bytes.len()).find_map(|offset| {
            let start = Start { input: sample.input, offset, inside: Some(framing) };
            let is_place = begins_alike(&sample.bytes[offset..], &mut heads)
                && finds_plan(sample, start, options, &mut heads);
            is_place.then_some(start)
        })
    })
}

fn begins_alike(bytes: &[u8], heads: &mut usize) -> bool {
    let Ok(Some(start)) = RecordStart::of(bytes) else { return false };
    let mut at = 0;
    (0..ALIKE).all(|_| {
        let is_alike = start.matches(&bytes[at..]);
        match is_alike.then(|| end_of_object(bytes, at, heads)).flatten() {
            Some(end) => {
                at = end;
                true
            }
            None => false,
        }
    })
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

fn finds_plan(sample: &Sample, start: Start, options: &ReadOptions, heads: &mut usize) -> bool {
    let few = ReadOptions { infer_records: ALIKE as u64, ..options.clone() };
    let mut inference = start.inference(&few);
    let mut at = start.offset;
    while let Inferred::Consumed(taken @ 1.., _) = inference.infer(&sample.bytes[at..], sample.is_whole) {
        at += taken;
    }
    *heads = heads.saturating_sub(at - start.offset);
    inference.findings().and_then(|findings| Plan::new(&findings, options)).is_ok()
}

impl Start {
    pub(super) fn inference(self, options: &ReadOptions) -> Inference<'_> {
        match self.inside {
            None => Inference::new(options),
            Some(framing) => Inference::inside(framing, options),
        }
    }
}
