//! How well samples can be decoded by what was found.

use std::sync::Arc;

use super::MARGIN;
use super::sample::{SIZE, SIZES, Sample};
use crate::decode::{Decoder, Position};
use crate::error::Result;
use crate::options::{OnError, ReadOptions};
use crate::record::{Findings, Plan};
use crate::reject::Rejects;

/// Bytes of a batch: nobody keeps them.
const BATCH: usize = 64 << 10;

/// What came of samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Records that are rows, and their bytes.
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) rejects: u64,
    /// All bytes that were decoded, good or bad.
    passed: u64,
}

impl Tally {
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            rows: self.rows + more.rows,
            bytes: self.bytes + more.bytes,
            rejects: self.rejects + more.rejects,
            passed: self.passed + more.passed,
        }
    }

    /// True where so many are rows that the rest says nothing about them.
    pub(super) fn is_most(&self) -> bool {
        self.rows >= self.rejects + MARGIN && 2 * self.bytes >= self.passed
    }

    /// True where the rows can be no chance, though there are few of them.
    pub(super) fn is_convincing(&self) -> bool {
        self.rows >= MARGIN && (2 * self.bytes >= self.passed || self.rows >= self.rejects + MARGIN)
    }

    /// True where these rows are not much less than those of another guess. An array counts: a record that fell to pieces costs some
    /// at its end.
    pub(super) fn is_close_to(&self, other: &Self) -> bool {
        self.bytes >= other.bytes.div_ceil(9).saturating_mul(8)
    }

    /// True where all are rows.
    pub(super) fn is_all(&self) -> bool {
        self.rows > 0 && self.rejects == 0 && 2 * self.bytes >= self.passed
    }
}

/// A plan to decode samples by, which leaves out what is bad.
pub(super) fn plan(findings: &Findings, options: &ReadOptions) -> Result<Arc<Plan>> {
    let options = ReadOptions {
        on_error: OnError::Skip,
        max_rejects: 0,
        batch_rows: None,
        batch_bytes: BATCH,
        ..options.clone()
    };
    Ok(Arc::new(Plan::new(findings, &options)?))
}

/// What the samples are by these findings; `None` if they cannot be decoded by them. One without any row is something else, and says
/// nothing about the rest.
pub(super) fn tally<'a>(
    findings: &Findings,
    samples: impl IntoIterator<Item = &'a Sample>,
    options: &ReadOptions,
) -> Option<Tally> {
    let plan = plan(findings, options).ok()?;
    samples.into_iter().try_fold(Tally::default(), |tally, sample| {
        let mut trial = Trial::new(&plan, &sample.name).ok()?;
        trial.decode(&sample.bytes, true).ok()?;
        let more = trial.finish(sample).ok()?;
        Some(if more.rows > 0 { tally.and(more) } else { tally })
    })
}

/// True where several good records follow one another from the start of `bytes` on, which is at `position`.
pub(super) fn begins_well(plan: &Arc<Plan>, bytes: &[u8], position: Position) -> bool {
    let decoder = Decoder::with_plan(plan.clone()).map(|decoder| decoder.at(&"".into(), position, None));
    let Ok(mut trial) = decoder.map(Trial::of) else { return false };
    for size in SIZES {
        let bytes = &bytes[..bytes.len().min(size)];
        if trial.decode(bytes, false).is_err() {
            return false;
        }
        let Tally { rows, rejects, .. } = trial.tally();
        if rows >= MARGIN || rejects > 0 {
            return rows >= MARGIN;
        }
    }
    false
}

/// A sample that is being decoded.
pub(super) struct Trial {
    decoder: Decoder,
    at: usize,
    rejects: u64,
    /// Where the first one begins.
    first_reject: Option<u64>,
}

impl Trial {
    pub(super) fn new(plan: &Arc<Plan>, name: &Arc<str>) -> Result<Self> {
        Self::at(plan, name, Position::start(plan.framing))
    }

    /// The same from another place on, at which its bytes then begin.
    pub(super) fn at(plan: &Arc<Plan>, name: &Arc<str>, position: Position) -> Result<Self> {
        let decoder = Decoder::with_plan(plan.clone())?.salvaging().at(name, position, Some(SIZE as u64));
        Ok(Self::of(decoder))
    }

    fn of(decoder: Decoder) -> Self {
        Self { decoder, at: 0, rejects: 0, first_reject: None }
    }

    /// Decodes what it can of `bytes`, which are longer every time. A sample is decoded as if it `ended` with its last byte: then
    /// whether a record is damage does not depend on what comes behind.
    pub(super) fn decode(&mut self, bytes: &[u8], ended: bool) -> Result<()> {
        loop {
            let taken = self.decoder.decode_within(&bytes[self.at..], ended)?;
            self.at += taken;
            if self.decoder.is_full() {
                if let Some(decoded) = self.decoder.flush()? {
                    self.saw(&decoded.rejects);
                }
            } else if taken == 0 {
                return Ok(());
            }
        }
    }

    fn saw(&mut self, rejects: &Rejects) {
        self.rejects += rejects.count();
        self.first_reject = self.first_reject.or(rejects.first().map(|reject| reject.offset));
    }

    /// True where the first record is no row.
    pub(super) fn begins_badly(&self) -> bool {
        self.first_reject == Some(0)
    }

    /// True where a reject begins before `offset`.
    pub(super) fn has_reject_before(&self, offset: u64) -> bool {
        self.first_reject.is_some_and(|first| first < offset)
    }

    /// True where the head of an array was read.
    pub(super) fn saw_head(&self) -> bool {
        self.decoder.saw_head()
    }

    pub(super) fn tally(&mut self) -> Tally {
        let rejects = self.decoder.take_rejects();
        self.saw(&rejects);
        let good = self.decoder.good_so_far();
        Tally { rows: good.records, bytes: good.bytes, rejects: self.rejects, passed: self.at as u64 }
    }

    /// What came of `sample`. A record that is cut by its end is none, unless the input ends there.
    pub(super) fn finish(mut self, sample: &Sample) -> Result<Tally> {
        if sample.is_whole {
            self.decoder.finish((sample.bytes.len() - self.at) as u64)?;
            self.at = sample.bytes.len();
        }
        Ok(self.tally())
    }
}
