//! How well samples can be decoded by what was found.

use std::sync::Arc;

use super::MARGIN;
use super::sample::{SIZE, SIZES, Sample};
use crate::decode::{Decoder, Position};
use crate::error::Result;
use crate::options::{OnError, ReadOptions};
use crate::record::{Column, Content, Findings, Plan, Role};
use crate::reject::{Reject, RejectKind, Rejects};

/// Bytes of a batch: nobody keeps them.
const BATCH: usize = 64 << 10;

/// Rejects that are looked at one by one, of each batch.
const KEPT: usize = 1 << 13;
/// A record of more columns than these is tried with care: each place where one may begin costs all of them.
const WIDE: usize = 256;
/// And one of more than these is none, behind the first one.
const TOO_WIDE: usize = 1024;

/// What came of samples.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Records that are rows, and their bytes.
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) rejects: u64,
    /// Rejects that are whole records of fields, without a vector or with one of another length, and their bytes.
    odd: u64,
    odd_bytes: u64,
    /// All bytes that were decoded, good or bad.
    passed: u64,
}

impl Tally {
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            rows: self.rows + more.rows,
            bytes: self.bytes + more.bytes,
            rejects: self.rejects + more.rejects,
            odd: self.odd + more.odd,
            odd_bytes: self.odd_bytes + more.odd_bytes,
            passed: self.passed + more.passed,
        }
    }

    /// True where so many are rows that the rest says nothing about them.
    pub(super) fn is_most(&self) -> bool {
        self.rows >= self.rejects + MARGIN && 2 * self.bytes >= self.passed
    }

    /// True where records are what was found, though some, or even most, have no vector where others have one. That is no damage.
    pub(super) fn is_kind(&self) -> bool {
        self.rows >= MARGIN
            && self.rows + 2 * self.odd >= self.rejects + MARGIN
            && 2 * (self.bytes + self.odd_bytes) >= self.passed
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

    /// True where few bytes are no rows.
    pub(super) fn is_nearly_all(&self) -> bool {
        self.rows >= MARGIN && 4 * self.bytes >= 3 * self.passed
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
        max_rejects: KEPT,
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
    if is_too_wide(findings) {
        return None;
    }
    let plan = plan(findings, options).ok()?;
    samples.into_iter().try_fold(Tally::default(), |tally, sample| {
        let mut trial = Trial::new(&plan, &sample.name).ok()?;
        trial.decode(&sample.bytes, true).ok()?;
        let more = trial.finish(sample).ok()?;
        Some(if more.rows > 0 { tally.and(more) } else { tally })
    })
}

/// True where each record has very many columns.
pub(super) fn is_wide(findings: &Findings) -> bool {
    findings.columns.len() > WIDE
}

/// True where each record has so many columns that they are records themselves, or what is behind damage.
pub(super) fn is_too_wide(findings: &Findings) -> bool {
    findings.columns.len() > TOO_WIDE
}

/// True where several good records follow one another from the start of `bytes` on, which is at `position`.
pub(super) fn begins_well(plan: &Arc<Plan>, bytes: &[u8], position: Position) -> bool {
    let decoder = Decoder::with_plan(plan.clone()).map(|decoder| decoder.at(&"".into(), position, None));
    let Ok(mut trial) = decoder.map(|decoder| Trial::of(decoder, plan)) else { return false };
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
    plan: Arc<Plan>,
    decoder: Decoder,
    at: usize,
    rejects: u64,
    odd: u64,
    odd_bytes: u64,
    /// Where the first ones begin.
    rejected: Vec<u64>,
}

impl Trial {
    pub(super) fn new(plan: &Arc<Plan>, name: &Arc<str>) -> Result<Self> {
        Self::at(plan, name, Position::start(plan.framing))
    }

    /// The same from another place on, at which its bytes then begin.
    pub(super) fn at(plan: &Arc<Plan>, name: &Arc<str>, position: Position) -> Result<Self> {
        let decoder = Decoder::with_plan(plan.clone())?.salvaging().at(name, position, Some(SIZE as u64));
        Ok(Self::of(decoder, plan))
    }

    /// The same from the start on, where nothing is searched behind bad records.
    pub(super) fn careful(plan: &Arc<Plan>, name: &Arc<str>) -> Result<Self> {
        let position = Position::start(plan.framing);
        let decoder = Decoder::with_plan(plan.clone())?.at(name, position, Some(SIZE as u64));
        Ok(Self::of(decoder, plan))
    }

    fn of(decoder: Decoder, plan: &Arc<Plan>) -> Self {
        Self { plan: plan.clone(), decoder, at: 0, rejects: 0, odd: 0, odd_bytes: 0, rejected: Vec::new() }
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
        for reject in rejects.details() {
            if self.rejected.len() < KEPT {
                self.rejected.push(reject.offset);
            }
            let is_odd = self.is_odd(reject);
            self.odd += u64::from(is_odd);
            self.odd_bytes += if is_odd { reject.length } else { 0 };
        }
    }

    /// True for a record that has fields, but no vector in one of them, or one of another length.
    fn is_odd(&self, reject: &Reject) -> bool {
        let is_missing = || matches!(reject.found.as_str(), "nil" | "no such field");
        let is_of_vector =
            |column: &Column| column.role == Role::Vector && reject.field.as_deref() == Some(column.name());
        let is_misfit = match reject.kind {
            RejectKind::Dimension => true,
            RejectKind::Type => is_missing(),
            _ => false,
        };
        is_misfit
            && matches!(self.plan.content, Content::Items(_))
            && self.plan.columns.iter().any(is_of_vector)
    }

    /// True where the first record is no row, or there is none in an input that `ended`.
    pub(super) fn begins_badly(&self, ended: bool) -> bool {
        self.rejected.first() == Some(&0) || ended && self.decoder.good_so_far().records == 0
    }

    /// True where a reject begins before `offset`.
    pub(super) fn has_reject_before(&self, offset: u64) -> bool {
        self.rejected.first().is_some_and(|&first| first < offset)
    }

    /// Where the first rejects begin.
    pub(super) fn rejected(&self) -> impl Iterator<Item = usize> + '_ {
        self.rejected.iter().filter_map(|&at| usize::try_from(at).ok())
    }

    /// How many bytes were decoded.
    pub(super) fn taken(&self) -> usize {
        self.at
    }

    /// True where the head of an array was read.
    pub(super) fn saw_head(&self) -> bool {
        self.decoder.saw_head()
    }

    pub(super) fn tally(&mut self) -> Tally {
        let rejects = self.decoder.take_rejects();
        self.saw(&rejects);
        let good = self.decoder.good_so_far();
        Tally {
            rows: good.records,
            bytes: good.bytes,
            rejects: self.rejects,
            odd: self.odd,
            odd_bytes: self.odd_bytes,
            passed: self.at as u64,
        }
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
