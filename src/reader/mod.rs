//! Threads, order and bounded memory: inputs become an iterator of record batches.
//!
//! An input is decoded in *lanes*: stretches that one thread decodes from start to end. Where records look alike, their places
//! are known without walking and a file is cut into lanes of one batch each; a lane verifies every record, and at the first
//! that differs the lanes behind it are thrown away and a walking lane takes over (see [`run`]). Lanes wait in input order, a
//! bounded number of them, and the caller's own thread decodes when the batch it asks for has not been begun.

mod lane;
mod projection;
mod run;

use std::collections::VecDeque;
use std::ops::Add;
use std::sync::{Arc, Mutex};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::ArrowError;
use arrow_schema::SchemaRef;

use self::lane::Step;
pub(crate) use self::projection::Projection;
use self::run::Run;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::input::{Input, StepBuffers};
use crate::pool::{self, OwnerProcess, PerProcess, lock};
use crate::record::Plan;
use crate::reject::Rejects;

/// The most bytes, and the most inputs, that are fetched before they are opened.
const BYTES_AHEAD: u64 = 32 << 20;
const INPUTS_AHEAD: usize = 16;

/// How far a scan has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the inputs that the rows so far were made of.
    pub bytes: u64,
    /// Rows so far.
    pub rows: u64,
    /// Inputs that have ended, with the one in which option `limit` ended the scan.
    pub files: u64,
}

impl Add for Progress {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { bytes: self.bytes + more.bytes, rows: self.rows + more.rows, files: self.files + more.files }
    }
}

/// The counts of an input that has ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ended {
    pub(crate) rows: u64,
    pub(crate) rejects: u64,
}

/// A scan of a [`Source`](crate::Source): gives its record batches in input order.
///
/// Dropping it ends the scan. An error ends it too: what follows is the end. In a child that is forked after the first batch was
/// asked for, the next one is [`ErrorKind::OtherProcess`](crate::ErrorKind::OtherProcess).
pub struct Reader {
    plan: Arc<Plan>,
    projection: Projection,
    inputs: Arc<[Input]>,
    /// How many inputs have been opened.
    opened: usize,
    /// The next inputs, whose first bytes are being fetched, with the number of these bytes.
    ahead: PerProcess<VecDeque<(Input, u64)>>,
    runs: PerProcess<VecDeque<Run>>,
    /// `None` if the calling thread does all the work, and before the first batch.
    pool: PerProcess<Option<Arc<rayon::ThreadPool>>>,
    threads: usize,
    /// The process that asked for the first batch.
    owner: Arc<OwnerProcess>,
    buffers: Arc<StepBuffers>,
    rejects: Arc<Mutex<Rejects>>,
    progress: Progress,
    /// The counts of the input whose batches come now.
    current: Ended,
    ended: Vec<Ended>,
    cancel: Cancel,
    /// How many more rows are wanted, and about how many more records, rows or not; `None` for all.
    left: Option<u64>,
    records_left: Option<u64>,
    /// True once the final check of `fail_after` is done, or an error has ended the scan.
    is_judged: bool,
}

impl Reader {
    pub(crate) fn new(
        plan: Arc<Plan>,
        projection: Projection,
        inputs: Arc<[Input]>,
        threads: usize,
        rejects: Arc<Mutex<Rejects>>,
    ) -> Self {
        Self {
            plan,
            projection,
            inputs,
            opened: 0,
            ahead: PerProcess::default(),
            runs: PerProcess::default(),
            pool: PerProcess::default(),
            threads,
            owner: Arc::default(),
            buffers: Arc::default(),
            rejects,
            progress: Progress::default(),
            current: Ended::default(),
            ended: Vec::new(),
            cancel: Cancel::never(),
            left: None,
            records_left: None,
            is_judged: false,
        }
    }

    /// Leaves the final check of `fail_after` to a later reader.
    pub(crate) fn going_on(self) -> Self {
        Self { is_judged: true, ..self }
    }

    /// Ends behind the first `limit` rows.
    pub(crate) fn limited(self, limit: Option<u64>) -> Self {
        Self { left: limit, ..self }
    }

    /// Ends with the batch that has record number `records`, or the next one where records are rejected.
    pub(crate) fn sampling(self, records: Option<u64>) -> Self {
        Self { records_left: records, ..self }
    }

    /// Ends the scan when `cancel` says so.
    pub fn with_cancel(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.projection.schema.clone()
    }

    /// How far the scan has come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The inputs that ended since the last call, in their order: all but the one that the latest batch is of.
    pub(crate) fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// The counts of the input that the latest batch is of; none if it has ended.
    pub(crate) fn current(&self) -> Ended {
        self.current
    }

    /// The rejects so far.
    pub fn rejects(&self) -> Rejects {
        self.of_rejects(Rejects::clone)
    }

    /// Makes something of the rejects so far, without a copy of them.
    pub(crate) fn of_rejects<T>(&self, make: impl FnOnce(&Rejects) -> T) -> T {
        make(&lock(&self.rejects))
    }

    /// The [warning](Rejects::warning) about the rows so far.
    #[cfg(feature = "python")]
    pub(crate) fn warning(&self) -> Option<String> {
        let rows = self.progress().rows;
        self.of_rejects(|rejects| rejects.warning(rows))
    }

    /// The next batch, which has at least one row; `None` at the end.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let result = self
            .begin()
            .and_then(|()| self.try_next())
            .and_then(|batch| batch.map(|batch| self.projection.of_batch(batch)).transpose());
        if result.is_err() {
            self.end();
            // An error ends the scan.
            self.is_judged = true;
        }
        result
    }

    /// Leaves out what was not read so far.
    fn end(&mut self) {
        self.opened = self.inputs.len();
        // In a forked child these are not dropped.
        self.ahead = PerProcess::default();
        self.runs = PerProcess::default();
    }

    /// Finds the threads at the first batch, in the process that takes it.
    fn begin(&mut self) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let is_first = self.opened == 0 && self.ahead.is_empty();
        self.owner.claim();
        self.owner.check()?;
        if is_first {
            // The calling thread works as well.
            let pool = if self.threads > 1 { Some(pool::with_threads(self.threads - 1)?) } else { None };
            self.pool = PerProcess::new(pool);
            (self.ahead, self.runs) = Default::default();
        }
        Ok(())
    }

    /// The owner, for checks before the reader is locked.
    #[cfg(feature = "python")]
    pub(crate) fn owner(&self) -> Arc<OwnerProcess> {
        self.owner.clone()
    }

    fn is_over(&self) -> bool {
        self.runs.is_empty() && self.opened == self.inputs.len()
    }

    fn try_next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.left == Some(0) || self.records_left == Some(0) {
                let is_cut = self.left == Some(0) && self.current.rows > 0 && !self.runs.is_empty();
                self.progress.files += u64::from(is_cut);
                self.end();
            }
            if self.is_over() {
                if !std::mem::replace(&mut self.is_judged, true) {
                    self.plan.check_rejects(&lock(&self.rejects), true)?;
                }
                return Ok(None);
            }
            self.cancel.check()?;
            // The check may fork, so this can run in the child process.
            self.owner.check()?;
            self.plan_lanes()?;
            let Some(run) = self.runs.front_mut() else { return Ok(None) };
            let Some(lane) = run.lanes.front() else {
                run.check_unchanged()?;
                self.runs.pop_front();
                self.progress.files += 1;
                self.ended.push(std::mem::take(&mut self.current));
                continue;
            };
            let Some(step) = lane.next(self.pool.as_deref()) else {
                // Another thread decodes this lane. The calling thread decodes one that has not begun.
                let waiting = lane.clone();
                if !self.runs.iter().flat_map(|run| &run.lanes).any(|lane| lane.help()) {
                    waiting.wait();
                }
                continue;
            };
            let Some(step) = run.taken(step)? else { continue };
            let Step { decoded, rejects, records, bytes, end, .. } = step;
            self.progress.bytes += bytes;
            if let Some(end) = end {
                run.lane_ended(end);
            }
            let (batch, found) = decoded.map(|decoded| (decoded.batch, decoded.rejects)).unzip();
            let mut known = lock(&self.rejects);
            known.saw(records);
            self.records_left = self.records_left.map(|left| left.saturating_sub(records));
            if let Some(rejects) = found.or(rejects) {
                self.current.rejects += rejects.count();
                known.merge(rejects);
                self.plan.check_rejects(&known, false)?;
            }
            drop(known);
            let Some(mut batch) = batch else { continue };
            if let Some(left) = &mut self.left {
                let rows = usize::try_from(*left).map_or(batch.num_rows(), |left| left.min(batch.num_rows()));
                batch = batch.slice(0, rows);
                *left -= rows as u64;
            }
            self.current.rows += batch.num_rows() as u64;
            if batch.num_rows() > 0 {
                self.progress.rows += batch.num_rows() as u64;
                return Ok(Some(batch));
            }
        }
    }

    /// Plans lanes in input order, up to the limit.
    fn plan_lanes(&mut self) -> Result<()> {
        let most = if self.threads > 1 { self.threads + 1 } else { 1 };
        let mut lanes: usize = self.runs.iter().map(|run| run.lanes.len()).sum();
        for at in 0.. {
            if at == self.runs.len() {
                if lanes >= most {
                    break;
                }
                let Some(input) = self.next_input() else { break };
                self.runs.push_back(Run::open(input, &self.plan, &self.buffers)?);
            }
            let run = &mut self.runs[at];
            // The run whose batches come next always has a lane.
            while lanes < most || (at == 0 && run.lanes.is_empty()) {
                let Some(lane) = run.plan_lane()? else { break };
                if let Some(pool) = self.pool.as_ref() {
                    lane.start(pool);
                }
                lanes += 1;
            }
        }
        Ok(())
    }

    /// The next input. Begins to fetch some of those behind it.
    fn next_input(&mut self) -> Option<Input> {
        let mut bytes: u64 = self.ahead.iter().map(|(_, bytes)| bytes).sum();
        while let Some(input) = self.inputs.get(self.opened + self.ahead.len())
            && (self.ahead.is_empty() || (bytes < BYTES_AHEAD && self.ahead.len() < INPUTS_AHEAD))
        {
            let (input, fetched) = input.begin(&self.cancel);
            self.ahead.push_back((input, fetched));
            bytes = bytes.saturating_add(fetched);
        }
        let (input, _) = self.ahead.pop_front()?;
        self.opened += 1;
        Some(input)
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().map_err(ArrowError::from).transpose()
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.projection.schema.clone()
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("plan", &self.plan)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// How a piece of work reports its progress, and how it is cancelled.
#[derive(Default)]
pub struct Watch<'a> {
    /// Called after every batch with the progress so far. An error ends the work.
    pub progress: Option<&'a mut dyn FnMut(Progress) -> Result<()>>,
    /// Ends the work early.
    pub cancel: Cancel,
}

impl Watch<'_> {
    /// Reads all of `reader` and reports the progress on top of `before`. Returns the sum.
    pub(crate) fn follow(
        &mut self,
        reader: Reader,
        before: Progress,
        mut take: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<Progress> {
        let mut reader = reader.with_cancel(self.cancel.clone());
        while let Some(batch) = reader.next_batch()? {
            take(batch)?;
            self.tell(before + reader.progress())?;
        }
        Ok(before + reader.progress())
    }

    pub(crate) fn tell(&mut self, progress: Progress) -> Result<()> {
        self.progress.as_mut().map_or(Ok(()), |tell| tell(progress))
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
