//! Arrays of records behind what was found to be records one after another: these may be what is left of such an array, the head of
//! which is damaged.

use std::sync::Arc;

use super::candidates::{Candidate, Candidates};
use super::sample::Sample;
use super::trial::{self, Trial};
use super::{MARGIN, Start};
use crate::decode::Position;
use crate::msgpack::{Cursor, Head};
use crate::options::{Framing, ReadOptions};
use crate::record::{Content, FEW, Findings, Plan, is_array_of_records};

/// How many inputs are looked at for them where the first one can be read, but for its start.
pub(super) const LOOKED_AT: usize = 4;
/// How many places of one input, and how many records of each.
const PLACES: usize = 16;
const RECORDS: u32 = 3;

/// Where an array of records begins in `bytes`, the start of an input, which `plan` takes for a record of many fields, or for none
/// though these are its records. What else is no record stands in `trial`, and so many `rows` are in the first input, if this is
/// another one.
pub(super) fn behind_others(
    plan: &Arc<Plan>,
    bytes: &[u8],
    trial: &Trial,
    rows: Option<u64>,
) -> Option<usize> {
    let head = |at: usize| Head::read(bytes.get(at..).unwrap_or_default());
    let is_array = |at: &usize| matches!(head(*at), Ok((Head::Array(_), _)));
    let is_one = |items: u32| matches!(&plan.content, Content::Items(slots) if slots.items == items);
    // A few vectors may be fields as well, if there are such records in the first input.
    if let (Some(rows), Ok((Head::Array(items), size))) = (rows, head(0))
        && is_one(items)
        && (rows == 0 || items > FEW || matches!(head(size), Ok((Head::Map(_), _))))
        && is_array_of_records(bytes, plan.raw)
    {
        return Some(0);
    }
    let places = trial.rejected().chain([trial.taken()]).filter(|&at| at > 0 || rows.is_some());
    places.filter(is_array).take(PLACES).find(|&at| holds_these(plan, &bytes[at..]))
}

/// True for such an array at the start of `bytes`.
fn holds_these(plan: &Arc<Plan>, bytes: &[u8]) -> bool {
    if !is_array_of_records(bytes, plan.raw) {
        return false;
    }
    let mut cursor = Cursor::new(bytes);
    let Ok(Head::Array(items)) = cursor.head() else { return false };
    let (start, records) = (cursor.at(), items.min(RECORDS));
    if (0..records).any(|_| cursor.skip().is_err()) {
        return false;
    }
    let Ok(mut trial) = Trial::at(plan, &"".into(), Position::start(plan.framing)) else { return false };
    if trial.decode(&bytes[start..cursor.at()], true).is_err() {
        return false;
    }
    let tally = trial.tally();
    tally.rejects == 0 && tally.rows == u64::from(records)
}

/// The guess that the inputs, so many, are arrays of the records that were `found` to follow one another, if that reads more.
pub(super) fn better(
    found: &Findings,
    samples: &[Sample],
    inputs: usize,
    options: &ReadOptions,
) -> Option<Candidate> {
    if (options.framing, found.framing) != (Framing::Auto, Framing::Sequence) {
        return None;
    }
    let plan = trial::plan(found, options).ok()?;
    let trial_of = |sample: &Sample| {
        let trial = if trial::is_wide(found) { Trial::careful } else { Trial::new };
        let mut trial = trial(&plan, &sample.name).ok()?;
        trial.decode(&sample.bytes, true).ok()?;
        let tally = trial.tally();
        Some((trial, tally))
    };
    // Where the first one of each begins.
    let (mut places, mut first_rows) = (Vec::new(), None);
    for sample in samples {
        let (trial, tally) = trial_of(sample)?;
        if first_rows.is_none() && !trial.begins_badly(sample.is_whole) {
            return None;
        }
        places.push(behind_others(&plan, &sample.bytes, &trial, first_rows));
        first_rows = first_rows.or(Some(tally.rows));
    }
    let first = places.iter().position(Option::is_some)?;
    let start = Start { input: samples[first].input, offset: places[first]?, inside: None };
    let array = Candidates::new(samples, Some(found), options).at(start)?;
    // That one is cut off by the end of a sample does not make records of what is in it.
    let is_cut =
        |sample: &Sample, at: usize| !sample.is_whole && Cursor::new(&sample.bytes[at..]).skip().is_err();
    let before = samples.iter().zip(&places).map(|(sample, place)| match *place {
        Some(at) if is_cut(sample, at) => &sample.bytes[..at],
        _ => &sample.bytes[..],
    });
    let rows = estimate(&plan, before, (samples, inputs))?;
    let plan = trial::plan(&array.findings, options).ok()?;
    let all = estimate(&plan, samples.iter().map(|sample| &sample.bytes[..]), (samples, inputs))?;
    // And then it goes on.
    let goes_on = samples.len() == 1 && is_cut(&samples[0], start.offset);
    let is_better = array.findings.framing == Framing::Array && all >= MARGIN && (goes_on || all >= rows);
    is_better.then_some(array)
}

/// About how many rows all inputs have, of which these are the starts.
fn estimate<'a>(
    plan: &Arc<Plan>,
    starts: impl Iterator<Item = &'a [u8]>,
    (samples, inputs): (&[Sample], usize),
) -> Option<u64> {
    let mut rows = [0, 0];
    for (index, bytes) in starts.enumerate() {
        let mut trial = Trial::new(plan, &"".into()).ok()?;
        trial.decode(bytes, true).ok()?;
        rows[index.min(1)] += trial.tally().rows;
    }
    let others = samples.len().saturating_sub(1).max(1) as u64;
    Some(rows[0] + rows[1].saturating_mul(inputs.saturating_sub(1) as u64) / others)
}
