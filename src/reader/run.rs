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
use std::sync::atomic::AtomicBool;

use super::lane::{End, Lane, Mode, Step};
use super::slot::Slot;
use crate::decode::{Decoder, Left, Position, Stride};
use crate::error::{Error, ErrorKind, Result};
use crate::input::{Blocks, Input, OpenFile, Opened, Span, StepBuffers};
use crate::msgpack::MAX_HEAD;
use crate::options::Framing;
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
    opened: Place,
    plan: Arc<Plan>,
    buffers: Arc<StepBuffers>,
    lanes: VecDeque<Arc<Slot>>,
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

enum Place {
    /// Can be entered anywhere, again and again.
    Random(Opened, Span),
    /// One walk; taken by the lane that does it.
    Stream(Option<Opened>),
    /// One walk as well, which any thread may do. The file it comes from, if it is one.
    Compressed(Option<Opened>, Option<Arc<OpenFile>>),
}

impl Place {
    /// True where the input goes on behind the bytes that are read of it.
    fn is_part(&self) -> bool {
        match self {
            Self::Random(Opened::File(file, span), _) => span.end < file.length(),
            Self::Random(Opened::Bytes(bytes, span), _) => span.end < bytes.len() as u64,
            _ => false,
        }
    }
}

/// The plan of the next lane.
enum Next {
    Uniform(Position, Template),
    Walk(Position),
    /// A walk over a stretch of the input, behind which others may begin at once.
    Stretch(Position),
    /// A walk that begins behind the first run of good records from this offset on.
    Find(u64),
    /// To be known when the lane that walks has ended.
    Unknown,
    Nothing,
}

impl Run {
    pub(super) fn open(input: Input, plan: &Arc<Plan>, buffers: &Arc<StepBuffers>) -> Result<Self> {
        let opened = match input.open(plan.max_expansion)? {
            opened @ Opened::Stream(_) => Place::Stream(Some(opened)),
            Opened::Compressed(content, file) => {
                Place::Compressed(Some(Opened::Compressed(content, None)), file)
            }
            Opened::File(file, span) => Place::Random(Opened::File(file, span), span),
            Opened::Bytes(bytes, span) => Place::Random(Opened::Bytes(bytes, span), span),
        };
        let start = Position::start(plan);
        let mut run = Self {
            input,
            opened,
            plan: plan.clone(),
            buffers: buffers.clone(),
            lanes: VecDeque::new(),
            next: Next::Walk(start),
            // Of records that lie under keys the first one is not looked at before it is decoded.
            start: plan.start.clone().filter(|_| !plan.way.is_empty() && plan.framing != Framing::Map),
            stretch: (plan.batch_bytes as u64).max(SHORTEST),
            is_uniform: true,
            at: start,
            base: None,
            walk: 1,
            begun: 0,
        };
        if let Some(file) = run.file() {
            file.want_all(run.plan.store_window);
        }
        if let Place::Random(_, span) = run.opened {
            // Inside of an array or map one record follows another.
            let left = if span.inside { Left::Unbounded } else { start.left };
            run.at = Position { offset: span.start, record: span.record, left, ..start };
            run.next = Next::Walk(run.at);
            run.begun = span.start;
            match run.stride(span)? {
                Stride::Uniform(position, template, start) => {
                    run.stretch = run.batch_of(template.stride() as u64);
                    run.next = Next::Uniform(position, template);
                    run.start = start;
                }
                Stride::Varied(start, length) => {
                    run.stretch = run.batch_of(length);
                    run.next = Next::Stretch(run.at);
                    run.start = Some(start);
                }
                Stride::Unknown => {}
            }
        }
        Ok(run)
    }

    /// Bytes of the input that make a batch, if records have this length.
    fn batch_of(&self, length: u64) -> u64 {
        let rows = length.saturating_mul(self.plan.batch_rows as u64);
        rows.max(SHORT).min(self.plan.batch_bytes as u64).max(SHORTEST)
    }

    /// The places of the records behind the first one.
    fn stride(&self, span: Span) -> Result<Stride> {
        let Some(mut blocks) = self.blocks(span.start, span.end) else { return Ok(Stride::Unknown) };
        let mut needed = MAX_HEAD;
        loop {
            let bytes = blocks.fill(needed).map_err(|error| self.input.error(error))?;
            match Stride::of(&self.plan, self.at, bytes) {
                Ok(stride) => return Ok(stride),
                Err(more) if bytes.len() >= needed && more < LONGEST_LOOK => {
                    needed = (more as usize).max(needed + MAX_HEAD);
                }
                Err(_) => return Ok(Stride::Unknown),
            }
        }
    }

    fn blocks(&self, start: u64, end: u64) -> Option<Blocks> {
        match &self.opened {
            Place::Random(Opened::File(file, _), _) => {
                Some(Blocks::of_file(file.clone(), start, end, &self.buffers))
            }
            Place::Random(Opened::Bytes(bytes, _), _) => Some(Blocks::of_bytes(bytes.clone(), start, end)),
            _ => None,
        }
    }

    /// The file that is read, if it is one.
    fn file(&self) -> Option<&OpenFile> {
        match &self.opened {
            Place::Random(Opened::File(file, _), _) | Place::Compressed(_, Some(file)) => Some(file),
            _ => None,
        }
    }

    /// How many lanes wait or run.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// All lanes, in order.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.lanes.iter()
    }

    /// The lane whose batches come next.
    pub(super) fn front(&self) -> Option<&Arc<Slot>> {
        self.lanes.front()
    }

    /// Adds the next lane behind the others; `None` where there is none, or it is not known yet what it will be.
    pub(super) fn plan_lane(&mut self) -> Result<Option<&Arc<Slot>>> {
        let (blocks, position, mode, stop, inline) = match &mut self.opened {
            Place::Stream(opened) | Place::Compressed(opened, _) => {
                let Some(opened) = opened.take() else { return Ok(None) };
                self.next = Next::Nothing;
                // Only the calling thread waits for a stream.
                let inline = matches!(opened, Opened::Stream(_));
                let position = Position::start(&self.plan);
                (Blocks::new(opened, &self.buffers), position, Mode::Walk(u32::MAX), None, inline)
            }
            Place::Random(_, span) => {
                let file_end = span.end;
                let stretch = self.stretch;
                let (position, end, mode, stop) = match std::mem::replace(&mut self.next, Next::Unknown) {
                    Next::Unknown => return Ok(None),
                    Next::Nothing => {
                        self.next = Next::Nothing;
                        return Ok(None);
                    }
                    Next::Walk(position) => (position, file_end, Mode::Walk(self.walk), None),
                    Next::Stretch(position) => {
                        let stop = position.offset.saturating_add(stretch);
                        self.next = if stop < file_end { Next::Find(stop) } else { Next::Nothing };
                        (position, file_end, Mode::Walk(u32::MAX), Some(stop))
                    }
                    Next::Find(offset) => {
                        let stop = offset.saturating_add(stretch);
                        let is_last = stop >= file_end;
                        // The lane in front alone knows how many records an array still has at its end.
                        let is_array = self.at.left != Left::Unbounded;
                        let Some(start) = self.start.clone().filter(|_| !is_last || !is_array) else {
                            return Ok(None);
                        };
                        self.next = if is_last { Next::Nothing } else { Next::Find(stop) };
                        let left = if is_array { Left::Elsewhere(0) } else { Left::Unbounded };
                        let position = Position { offset, record: 0, left, tail: 0, rows: 0 };
                        (position, file_end, Mode::Find(start), Some(stop).filter(|_| !is_last))
                    }
                    Next::Uniform(position, template) => {
                        let rows = self.plan.batch_rows as u64;
                        let after = position.after(rows, template.stride());
                        let is_more = !matches!(position.left, Left::Known(left) if left <= rows);
                        if after.offset < file_end && is_more {
                            self.next = Next::Uniform(after, template.clone());
                            (position, after.offset, Mode::Uniform(template), None)
                        } else {
                            // The last lane sees the end of the file, and whatever is cut off there.
                            self.next = Next::Nothing;
                            (position, file_end, Mode::Walk(u32::MAX), None)
                        }
                    }
                };
                let Some(blocks) = self.blocks(position.offset, end) else { return Ok(None) };
                (blocks, position, mode, stop, false)
            }
        };
        let cancelled = Arc::new(AtomicBool::new(false));
        let decoder = Decoder::with_plan(self.plan.clone())?;
        let known =
            blocks.known_left().map(|left| stop.map_or(left, |stop| left.min(stop - position.offset)));
        let mut decoder = decoder.at(self.input.name(), position, known);
        stop.into_iter().for_each(|stop| decoder.set_stop(stop));
        let decoder = if self.opened.is_part() { decoder.in_part() } else { decoder };
        let lane = Lane::new(blocks, decoder, mode, cancelled.clone());
        self.lanes.push_back(Slot::new(lane, cancelled, inline));
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
                return Err(self.name_error(ErrorKind::Decode(reject).into()));
            }
            Err(kind) => return Err(self.name_error(kind.into())),
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
            decoded.renumber(&self.plan, first, self.input.number())?;
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
                    self.next = Next::Stretch(self.at);
                }
            }
            // `taken` has seen to that.
            End::Lost => {}
            End::Verified => self.walk = 1,
            End::Input => {
                self.drop_lanes();
                self.next = Next::Nothing;
            }
            End::Limit(position, Some(template)) if position.rows == 0 && self.is_uniform => {
                self.next = Next::Uniform(position, template)
            }
            End::Limit(position, _) if self.start.is_some() && position.left != Left::Unknown => {
                self.next = Next::Stretch(position)
            }
            End::Limit(position, _) => self.next = Next::Walk(position),
            End::Diverged if !found && self.start.is_some() => {
                self.drop_lanes();
                self.is_uniform = false;
                self.next = Next::Stretch(self.at);
            }
            End::Diverged => self.guess_again(),
        }
    }

    /// Gives up the lanes that wait, and walks for a while.
    fn guess_again(&mut self) {
        self.drop_lanes();
        self.base = None;
        self.next = Next::Walk(self.at);
        self.walk = self.walk.saturating_mul(2).min(LONGEST_WALK);
    }

    fn drop_lanes(&mut self) {
        for slot in self.lanes.drain(..) {
            slot.cancel();
        }
    }

    /// Fails if the input is a file that was written to while it was read.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        match self.file() {
            Some(file) => file.check_unchanged().map_err(|error| self.input.error(error)),
            None => Ok(()),
        }
    }

    /// Says in which input an error occurred.
    fn name_error(&self, error: Error) -> Error {
        match error.into_kind() {
            ErrorKind::Decode(mut reject) => {
                reject.file = self.input.name().clone();
                ErrorKind::Decode(reject).into()
            }
            ErrorKind::Io { path: None, source } => self.input.error(source),
            kind => kind.into(),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.drop_lanes();
        // Lanes that wait for a server would go on waiting.
        if let Some(file) = self.file() {
            file.close();
        }
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
