//! One input on its way through the lanes.
//!
//! Where the records of a file look like its first one, lane `k` can begin at `k` times their length, before the lanes in front
//! of it have been decoded. Whether that was right is known only when all of those have verified every record: batches are
//! taken in order, so it is known in time. At the first record that differs, the lanes behind it are dropped and a lane walks
//! from there; after some batches the guess is tried again, after ever more where it keeps failing. So the rows are those of a
//! walk from the first byte, always.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::lane::{End, Lane, Mode};
use super::slot::Slot;
use crate::decode::{Decoder, Position, first_template};
use crate::error::{Error, ErrorKind, Result};
use crate::input::{Blocks, Input, OpenFile, Opened, Span, StepBuffers};
use crate::msgpack::MAX_HEAD;
use crate::record::Plan;
use crate::vector::Template;

/// Records that are longer than so many bytes are walked.
const LONGEST_LOOK: u64 = 1 << 20;

/// The longest walk before the records are again guessed to be uniform, in batches.
const LONGEST_WALK: u32 = 64;

pub(super) struct Run {
    input: Input,
    opened: Place,
    plan: Arc<Plan>,
    buffers: Arc<StepBuffers>,
    lanes: VecDeque<Arc<Slot>>,
    next: Next,
    /// How many batches the next walk takes.
    walk: u32,
}

enum Place {
    /// Can be entered anywhere, again and again.
    Random(Opened, Span),
    /// One walk; taken by the lane that does it.
    Stream(Option<Opened>),
    /// One walk as well, which any thread may do. The file it comes from, if it is one.
    Compressed(Option<Opened>, Option<Arc<OpenFile>>),
}

/// What the next lane will be.
enum Next {
    Uniform(Position, Template),
    Walk(Position),
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
        let mut run = Self {
            input,
            opened,
            plan: plan.clone(),
            buffers: buffers.clone(),
            lanes: VecDeque::new(),
            next: Next::Walk(Position::start(plan.framing)),
            walk: 1,
        };
        if let Place::Random(_, span) = run.opened {
            run.next = run.first(span)?;
        }
        Ok(run)
    }

    /// What the first lane will be, by the look of the first record.
    fn first(&self, span: Span) -> Result<Next> {
        let start = Position::start(self.plan.framing);
        // Inside of an array or map one record follows another.
        let left = if span.inside { None } else { start.left };
        let start = Position { offset: span.start, record: span.record, left, rows: 0 };
        let Some(mut blocks) = self.blocks(span.start, span.end) else { return Ok(Next::Walk(start)) };
        let mut needed = MAX_HEAD;
        loop {
            let bytes = blocks.fill(needed).map_err(|error| self.input.error(error))?;
            match first_template(&self.plan, start, bytes) {
                Ok(Some((position, template))) => return Ok(Next::Uniform(position, template)),
                Err(more) if bytes.len() >= needed && more < LONGEST_LOOK => {
                    needed = (more as usize).max(needed + MAX_HEAD);
                }
                _ => return Ok(Next::Walk(start)),
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

    pub(super) fn name(&self) -> &Arc<str> {
        self.input.name()
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
        let (blocks, position, mode, inline) = match &mut self.opened {
            Place::Stream(opened) | Place::Compressed(opened, _) => {
                let Some(opened) = opened.take() else { return Ok(None) };
                self.next = Next::Nothing;
                // Nobody but the caller waits for what may never come.
                let inline = matches!(opened, Opened::Stream(_));
                let position = Position::start(self.plan.framing);
                (Blocks::new(opened, &self.buffers), position, Mode::Walk(u32::MAX), inline)
            }
            Place::Random(_, span) => {
                let file_end = span.end;
                let (position, end, mode) = match std::mem::replace(&mut self.next, Next::Unknown) {
                    Next::Unknown => return Ok(None),
                    Next::Nothing => {
                        self.next = Next::Nothing;
                        return Ok(None);
                    }
                    Next::Walk(position) => (position, file_end, Mode::Walk(self.walk)),
                    Next::Uniform(position, template) => {
                        let rows = self.plan.batch_rows as u64;
                        let after = position.after(rows, template.stride());
                        if after.offset < file_end && position.left.is_none_or(|left| left > rows) {
                            self.next = Next::Uniform(after, template.clone());
                            (position, after.offset, Mode::Uniform(template))
                        } else {
                            // The last lane sees the end of the file, and whatever is cut off there.
                            self.next = Next::Nothing;
                            (position, file_end, Mode::Walk(u32::MAX))
                        }
                    }
                };
                let Some(blocks) = self.blocks(position.offset, end) else { return Ok(None) };
                (blocks, position, mode, false)
            }
        };
        let cancelled = Arc::new(AtomicBool::new(false));
        let decoder = Decoder::with_plan(self.plan.clone())?;
        let decoder = decoder.at(self.input.name(), position, blocks.known_left());
        let lane = Lane::new(blocks, decoder, mode, cancelled.clone());
        self.lanes.push_back(Slot::new(lane, cancelled, inline));
        Ok(self.lanes.back())
    }

    /// Takes the first lane away, which ended so, and plans accordingly.
    pub(super) fn lane_ended(&mut self, end: End) {
        self.lanes.pop_front();
        match end {
            End::Verified => self.walk = 1,
            End::Input => self.next = Next::Nothing,
            End::Limit(position, Some(template)) if position.rows == 0 => {
                self.next = Next::Uniform(position, template)
            }
            End::Limit(position, _) => self.next = Next::Walk(position),
            End::Diverged(position) => {
                self.drop_lanes();
                self.next = Next::Walk(position);
                self.walk = (2 * self.walk).min(LONGEST_WALK);
            }
        }
    }

    fn drop_lanes(&mut self) {
        for slot in self.lanes.drain(..) {
            slot.cancel();
        }
    }

    /// Fails if the input is a file that was written to while it was read.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        match &self.opened {
            Place::Random(Opened::File(file, _), _) | Place::Compressed(_, Some(file)) => {
                file.check_unchanged().map_err(|error| self.input.error(error))
            }
            _ => Ok(()),
        }
    }

    /// Says in which input an error occurred.
    pub(super) fn name_error(&self, error: Error) -> Error {
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
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
