//! One input on its way through the lanes.
//!
//! Where the records of a file look like its first one, lane `k` can begin at `k` times their length, before the lanes in front
//! of it have been decoded. Whether that was right is known only when all of those have verified every record: batches are
//! taken in order, so it is known in time. At the first record that differs the lanes behind are dropped. From there on, and where
//! records have fields, a lane finds the first run of good records behind a place, by what records have in common, and begins behind
//! it; that was right if the lane in front of it ends there. If it does not, the lanes behind are dropped and a lane walks
//! from there; after some batches the guess is tried again, after ever more where it keeps failing. So the rows are those of a
//! walk from the first byte, always.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lane::{End, Lane, Mode, Step};
use crate::decode::{Decoder, Left, Position, Stride};
use crate::error::{Error, ErrorKind, Result};
use crate::input::{Blocks, Input, OpenFile, Opened, Span, StepBuffers};
use crate::msgpack::MAX_HEAD;
use crate::options::Framing;
use crate::pool::Job;
use crate::record::{Plan, RecordStart};
use crate::vector::Template;

/// Records that are longer than so many bytes are walked.
const LONGEST_LOOK: u64 = 1 << 20;

/// The shortest stretch of a file that is a lane of its own, and the shortest one where batches may
/// be larger than that.
const SHORTEST: u64 = 4 << 10;
const SHORT: u64 = 512 << 10;

/// The longest walk before the records are again guessed to be uniform, in batches.
const LONGEST_WALK: u32 = 64;

pub(super) struct Run {
    input: Input,
    /// The file that is read, if it is one.
    file: Option<Arc<OpenFile>>,
    /// The part of it that is read, if it can be entered anywhere.
    span: Option<Span>,
    plan: Arc<Plan>,
    buffers: Arc<StepBuffers>,
    /// The lanes that wait or run, in order.
    pub(super) lanes: VecDeque<Arc<Job<Step>>>,
    /// Ends the lanes soon that threads run.
    cancelled: Arc<AtomicBool>,
    next: Next,
    /// How records begin.
    start: Option<RecordStart>,
    /// Bytes of a stretch: about as many as make a batch, if the records are like the first one.
    stretch: u64,
    /// No record so far differs from the first one's form.
    is_uniform: bool,
    /// Where what was taken so far ends.
    at: Position,
    /// Where the first lane began, if it had to find that out.
    base: Option<Position>,
    /// How many batches the next walk takes.
    walk: u32,
    /// Where the first lane began.
    begun: u64,
}

/// The plan of the next lane.
#[derive(Default)]
enum Next {
    /// There is none, or it is not known before the lane that walks has ended.
    #[default]
    Nothing,
    /// All of an input that is read from its start to its end.
    Whole(Opened),
    Uniform(Position, Template),
    Walk,
    /// A walk over a stretch of the input, behind which others may begin at once.
    Stretch,
    /// A walk that begins behind the first run of good records from this offset on.
    Find(u64),
}

impl Run {
    pub(super) fn open(input: Input, plan: &Arc<Plan>, buffers: &Arc<StepBuffers>) -> Result<Self> {
        let opened = input.open(plan.options.max_expansion)?;
        let (file, span) = match &opened {
            Opened::Random(file, span) => (Some(file.clone()), Some(*span)),
            Opened::Compressed(_, file) => (file.clone(), None),
            Opened::Stream(_) => (None, None),
        };
        if let Some(file) = &file {
            file.want_all(plan.options.store_window);
        }
        let start = Position::start(plan);
        let mut run = Self {
            input,
            file,
            span,
            plan: plan.clone(),
            buffers: buffers.clone(),
            lanes: VecDeque::new(),
            cancelled: Arc::default(),
            next: Next::Whole(opened),
            // Of records that lie under keys the first one is not looked at before it is decoded.
            start: plan.start.clone().filter(|_| !plan.way.is_empty() && plan.framing != Framing::Map),
            stretch: (plan.options.batch_bytes as u64).max(SHORTEST),
            is_uniform: true,
            at: start,
            base: None,
            walk: 1,
            begun: 0,
        };
        if let Some(span) = span {
            // Inside of an array or map one record follows another.
            let left = if span.inside { Left::Unbounded } else { start.left };
            run.at = Position { offset: span.start, record: span.record, left, ..start };
            run.next = Next::Walk;
            run.begun = span.start;
            let Stride { uniform, start, length } = run.stride(span)?;
            if start.is_some() {
                run.stretch = run.batch_of(length);
                run.next = Next::Stretch;
                run.start = start;
            }
            if let Some((position, template)) = uniform {
                run.stretch = run.batch_of(template.stride() as u64);
                run.next = Next::Uniform(position, template);
            }
        }
        Ok(run)
    }

    /// Bytes of the input that make a batch, if records have this length.
    fn batch_of(&self, length: u64) -> u64 {
        let rows = length.saturating_mul(self.plan.batch_rows as u64);
        rows.max(SHORT).min(self.plan.options.batch_bytes as u64).max(SHORTEST)
    }

    /// The places of the records behind the first one.
    fn stride(&self, span: Span) -> Result<Stride> {
        let Some(mut blocks) = self.blocks(span.start, span.end) else { return Ok(Stride::default()) };
        let mut needed = MAX_HEAD;
        loop {
            let bytes = blocks.fill(needed).map_err(|error| self.input.error(error))?;
            match Stride::of(&self.plan, self.at, bytes) {
                Ok(stride) => return Ok(stride),
                Err(more) if bytes.len() >= needed && more < LONGEST_LOOK => {
                    needed = (more as usize).max(needed + MAX_HEAD);
                }
                Err(_) => return Ok(Stride::default()),
            }
        }
    }

    fn blocks(&self, start: u64, end: u64) -> Option<Blocks> {
        let file = self.span.and(self.file.as_ref())?;
        Some(Blocks::of_file(file, start, end, &self.buffers))
    }

    /// Adds the next lane behind the others; `None` where there is none, or it is not known yet what it will be.
    pub(super) fn plan_lane(&mut self) -> Result<Option<&Arc<Job<Step>>>> {
        let file_end = self.span.map_or(0, |span| span.end);
        let (mut end, mut stop, mut whole) = (file_end, None, None);
        let (position, mode) = match std::mem::take(&mut self.next) {
            Next::Nothing => return Ok(None),
            Next::Whole(opened) => {
                whole = Some(opened);
                (self.at, Mode::Walk(u32::MAX))
            }
            Next::Walk => (self.at, Mode::Walk(self.walk)),
            Next::Stretch => {
                let stretch_end = self.at.offset.saturating_add(self.stretch);
                stop = Some(stretch_end);
                if stretch_end < file_end {
                    self.next = Next::Find(stretch_end);
                }
                (self.at, Mode::Walk(u32::MAX))
            }
            Next::Find(offset) => {
                let stretch_end = offset.saturating_add(self.stretch);
                let is_last = stretch_end >= file_end;
                // The lane in front alone knows how many records an array still has at its end.
                let is_array = self.at.left != Left::Unbounded;
                let Some(start) = self.start.clone().filter(|_| !is_last || !is_array) else {
                    return Ok(None);
                };
                if !is_last {
                    stop = Some(stretch_end);
                    self.next = Next::Find(stretch_end);
                }
                let left = if is_array { Left::Elsewhere(0) } else { Left::Unbounded };
                (Position { offset, record: 0, left, tail: 0, rows: 0 }, Mode::Find(start))
            }
            Next::Uniform(position, template) => {
                let rows = self.plan.batch_rows as u64;
                let after = position.after(rows, template.stride());
                let is_more = !matches!(position.left, Left::Known(left) if left <= rows);
                if after.offset < file_end && is_more {
                    end = after.offset;
                    self.next = Next::Uniform(after, template.clone());
                    (position, Mode::Uniform(template))
                } else {
                    // The last lane sees the end of the file, and whatever is cut off there.
                    (position, Mode::Walk(u32::MAX))
                }
            }
        };
        // Only the calling thread waits for a stream.
        let inline = matches!(whole, Some(Opened::Stream(_)));
        let blocks = match whole {
            Some(opened) => Some(Blocks::new(opened, &self.buffers)),
            None => self.blocks(position.offset, end),
        };
        let Some(blocks) = blocks else { return Ok(None) };
        let decoder = Decoder::with_plan(self.plan.clone())?;
        let known =
            blocks.known_left().map(|left| stop.map_or(left, |stop| left.min(stop - position.offset)));
        let mut decoder = decoder.at(self.input.name(), position, known);
        stop.into_iter().for_each(|stop| decoder.set_stop(stop));
        let mut lane = Lane::new(blocks, decoder, mode, self.cancelled.clone());
        let step = move || {
            let step = lane.step()?;
            let goes_on = step.end.is_none();
            Ok((step, goes_on))
        };
        self.lanes.push_back(Job::new(step, inline));
        Ok(self.lanes.back())
    }

    /// What a step of the first lane comes to, now that all lanes in front of it are known to be right. `None` if the lane began
    /// or went on where no record does.
    pub(super) fn taken(&mut self, step: Result<Step>) -> Result<Option<Step>> {
        let mut step = match step.map_err(Error::into_kind) {
            Ok(step) => step,
            Err(ErrorKind::Decode(mut reject)) => {
                if let Some(base) = self.base {
                    if matches!(base.left, Left::Known(left) if reject.record >= left) {
                        self.guess_again();
                        return Ok(None);
                    }
                    reject.record += base.record;
                }
                return Err(ErrorKind::Decode(reject).into());
            }
            Err(ErrorKind::Io { path: None, source }) => return Err(self.input.error(source)),
            Err(kind) => return Err(kind.into()),
        };
        if step.end == Some(End::Lost) || step.found.is_some_and(|found| found != self.at.offset) {
            self.guess_again();
            return Ok(None);
        }
        if step.found.is_some() {
            self.base = Some(self.at);
        }
        if let Some(base) = self.base {
            // Behind the last record of an array may stand anything.
            let ended = step.end == Some(End::Input);
            let is_past_array = match base.left {
                Left::Unbounded => false,
                Left::Known(left) => ended || step.position.passed() > left,
                Left::Unknown | Left::Elsewhere(_) => true,
            };
            if is_past_array {
                self.guess_again();
                return Ok(None);
            }
            if let Some(rejects) = &mut step.rejects {
                rejects.renumber(base.record);
            }
            step.position = step.position.from(base);
        }
        if let Some(decoded) = &mut step.decoded {
            let first = self.base.map_or(0, |base| base.record);
            decoded.renumber(&self.plan, first, self.input.number)?;
        }
        self.at = step.position;
        Ok(Some(step))
    }

    /// Takes the first lane away, which ended so, and plans accordingly.
    pub(super) fn lane_ended(&mut self, end: End) {
        self.lanes.pop_front();
        let found = self.base.take().is_some();
        let begun = std::mem::replace(&mut self.begun, self.at.offset);
        match end {
            End::Reached => {
                // Stretches in which no record begins make no lanes.
                let length = self.at.offset - begun;
                if length > 2 * self.stretch {
                    self.stretch = length;
                }
                if found {
                    self.walk = 1;
                }
                // Without a lane behind it, the next one need not search.
                if self.lanes.is_empty() {
                    self.next = Next::Stretch;
                }
            }
            // `taken` has seen to that.
            End::Lost => {}
            End::Verified => self.walk = 1,
            End::Input => self.drop_lanes(),
            End::Limit(template) => {
                self.next = match template {
                    Some(template) if self.at.rows == 0 && self.is_uniform => {
                        Next::Uniform(self.at, template)
                    }
                    _ if self.start.is_some() && self.at.left != Left::Unknown => Next::Stretch,
                    _ => Next::Walk,
                }
            }
            End::Diverged if !found && self.start.is_some() => {
                self.drop_lanes();
                self.is_uniform = false;
                self.next = Next::Stretch;
            }
            End::Diverged => self.guess_again(),
        }
    }

    /// Gives up the lanes that wait, and walks for a while.
    fn guess_again(&mut self) {
        self.drop_lanes();
        self.base = None;
        self.next = Next::Walk;
        self.walk = self.walk.saturating_mul(2).min(LONGEST_WALK);
    }

    fn drop_lanes(&mut self) {
        self.next = Next::Nothing;
        self.lanes.clear();
        std::mem::take(&mut self.cancelled).store(true, Ordering::Relaxed);
    }

    /// Fails if the input is a file that was written to while it was read.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        match &self.file {
            Some(file) => file.check_unchanged().map_err(|error| self.input.error(error)),
            None => Ok(()),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.drop_lanes();
        // Lanes that wait for a server would go on waiting.
        if let Some(file) = &self.file {
            file.close();
        }
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
