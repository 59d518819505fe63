//! Another place at which inference may begin, and how well the inputs can be decoded by what it
//! finds there.

use std::sync::Arc;

use super::Start;
use super::sample::Sample;
use crate::decode::{Decoder, Position};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Findings, Inference, Inferred, Plan, RecordStart};

/// Objects that begin alike must follow one another where inference may begin.
const ALIKE: usize = 3;
/// Bytes that are read for each byte of a sample, to find such a place.
const COST: usize = 8;

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
        let position = Position::start(plan.framing);
        let size = sample.bytes.len() as u64;
        let mut decoder = Decoder::with_plan(plan.clone())?.at(&sample.name, position, Some(size));
        let mut at = 0;
        loop {
            let taken = decoder.decode_within(&sample.bytes[at..], sample.is_whole)?;
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
/// inference finds a plan.
pub(super) fn place(samples: &[Sample], options: &ReadOptions) -> Option<Start> {
    samples.iter().find_map(|sample| {
        let framing = match options.framing {
            Framing::Auto => Framing::Sequence,
            // A key of a map may begin anywhere.
            Framing::Map => return None,
            told => told,
        };
        let mut cost = COST * sample.bytes.len();
        (1..sample.bytes.len()).find_map(|offset| {
            let start = Start { input: sample.input, offset, inside: Some(framing) };
            let is_place = begins_alike(&sample.bytes[offset..], &mut cost)
                && finds_plan(sample, start, options, &mut cost);
            is_place.then_some(start)
        })
    })
}

fn begins_alike(bytes: &[u8], cost: &mut usize) -> bool {
    let Ok(Some(start)) = RecordStart::of(bytes) else { return false };
    let mut cursor = Cursor::new(bytes);
    (0..ALIKE).all(|_| {
        let begin = cursor.at();
        if *cost == 0 || !start.matches(cursor.rest()) {
            return false;
        }
        let is_whole = cursor.skip().is_ok();
        // The payload of one object is passed in one step.
        let is_plain = Head::read(&bytes[begin..]).is_ok_and(|(head, _)| head.children() == 0);
        let passed = if !is_whole {
            bytes.len() - begin
        } else if is_plain {
            1
        } else {
            cursor.at() - begin
        };
        *cost = cost.saturating_sub(passed);
        is_whole
    })
}

fn finds_plan(sample: &Sample, start: Start, options: &ReadOptions, cost: &mut usize) -> bool {
    let few = ReadOptions { infer_records: ALIKE as u64, ..options.clone() };
    let mut inference = start.inference(&few);
    let mut at = start.offset;
    while let Inferred::Consumed(taken @ 1.., _) = inference.infer(&sample.bytes[at..], sample.is_whole) {
        at += taken;
    }
    *cost = cost.saturating_sub(at - start.offset);
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
