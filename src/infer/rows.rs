//! Columns told by the records that are rows, where bad ones kept inference from looking at them.

use std::sync::Arc;

use super::sample::{SIZE, Samples};
use crate::decode::{Decoder, Position};
use crate::error::Result;
use crate::input::Input;
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Findings, Inference, Inferred, Layout, Plan, Role};

/// How many times [`SIZE`] of an input is decoded at the most. In between is asked whether to go on.
const STEPS: usize = 16;

/// What the rows of the inputs tell of their columns, if they are more than the records that did by what was `found`. A byte that is no
/// MessagePack ends inference, and a head that says too much hides what is behind it; to decode is to go on behind both.
pub(super) fn told_by_rows(found: Findings, inputs: &[Input], options: &ReadOptions) -> Result<Findings> {
    let limit = if options.infer_records == 0 { u64::MAX } else { options.infer_records };
    let Some(witnesses) = found.witnesses.filter(|&witnesses| witnesses < limit) else { return Ok(found) };
    let has_fields = found.layout != Layout::Vector && found.framing != Framing::Map;
    if options.on_error == OnError::Raise || !has_fields {
        return Ok(found);
    }
    let told = look(&found, inputs, options)?;
    if told.witnesses() <= witnesses {
        return Ok(found);
    }
    Ok(match told.findings() {
        Ok(told) if Plan::new(&told, options).is_ok() => Findings { columns: told.columns, ..found },
        _ => found,
    })
}

/// Looks at the records of the inputs that have the vectors that were `found`. What else was found may come of too few of them.
fn look<'a>(found: &Findings, inputs: &[Input], options: &'a ReadOptions) -> Result<Inference<'a>> {
    let inference = Inference::inside(found.framing, options);
    let mut inference = if found.is_nested { inference.nested() } else { inference };
    let mut columns = found.columns.clone();
    if columns.iter().any(|column| column.role == Role::Vector) {
        columns.retain(|column| column.role == Role::Vector);
    }
    let found = Findings { columns, ..found.clone() };
    // A batch for each of them.
    let row_by_row =
        ReadOptions { on_error: OnError::Skip, max_rejects: 0, batch_rows: Some(1), ..options.clone() };
    let Ok(plan) = Plan::new(&found, &row_by_row).map(Arc::new) else { return Ok(inference) };
    let mut samples = Samples::new(inputs, None, options);
    while let Some((input, mut beginning)) = samples.begin()? {
        let decoder = Decoder::with_plan(plan.clone())?.salvaging();
        let mut decoder = decoder.at(input.name(), Position::start(plan.framing), None);
        let (mut at, cancel) = (0, input.cancel());
        for step in 1..=STEPS {
            cancel.check_io().map_err(|error| input.error(error))?;
            let (bytes, ended) = beginning.fill(step * SIZE).map_err(|error| input.error(error))?;
            while at < bytes.len() {
                let before = decoder.good_so_far();
                let taken = decoder.decode_within(&bytes[at..], ended)?;
                at += taken;
                // It is the last that was read.
                let length = (decoder.good_so_far().bytes - before.bytes) as usize;
                if length > 0 && matches!(inference.infer(&bytes[at - length..at], false), Inferred::Done) {
                    return Ok(inference);
                }
                if decoder.is_full() {
                    decoder.flush()?;
                } else if taken == 0 {
                    break;
                }
            }
            if ended {
                break;
            }
        }
        samples.take(beginning)?;
    }
    Ok(inference)
}
