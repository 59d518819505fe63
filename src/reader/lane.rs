//! A stretch of one input that is decoded from its start to its end, by one thread at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::decode::{Decoded, Decoder, Position};
use crate::error::{ErrorKind, Result};
use crate::input::Blocks;
use crate::record::{RecordStart, foreign};
use crate::reject::Rejects;
use crate::vector::Template;

pub(super) struct Lane {
    blocks: Blocks,
    decoder: Decoder,
    mode: Mode,
    cancelled: Arc<AtomicBool>,
    /// How much of the input the steps so far told that they are done with.
    told: u64,
}

/// How a lane finds its records.
#[derive(Debug, Clone)]
pub(super) enum Mode {
    /// All of them are like this; the lane ends where one is not.
    Uniform(Template),
    /// One after another. Ends with the input, where the decoder stops, or after so many batches.
    Walk(u32),
    /// The lane first finds a place where records begin like this, and walks from there.
    Find(RecordStart),
}

/// The result of one step of a lane.
pub(super) struct Step {
    pub(super) decoded: Option<Decoded>,
    /// The rejects, where the batch is not full yet.
    pub(super) rejects: Option<Rejects>,
    /// Records that were looked at, good or bad.
    pub(super) records: u64,
    /// Bytes of the input done with.
    pub(super) bytes: u64,
    /// Where the lane begins, if it had to find that out: nothing was decoded yet.
    pub(super) found: Option<u64>,
    /// Where it is now. Records are counted from the start of a lane that had to find its beginning.
    pub(super) position: Position,
    /// Set when the lane has ended.
    pub(super) end: Option<End>,
}

/// A step that fills no batch ends after so many bytes, so that whoever waits can be told to stop, and how far it is.
const LONGEST_STEP: u64 = 8 << 20;

/// How many bytes are searched for a record at first.
const SEARCH: usize = 256 << 10;

/// Where a lane ended, and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// With its input.
    Input,
    /// All its records were uniform: the next lane is right about where it begins.
    Verified,
    /// In front of a record that the lane cannot decode. The lanes behind it began at places that may
    /// mean nothing.
    Diverged,
    /// Where the next lane begins.
    Reached,
    /// Before it began: it found no place to.
    Lost,
    /// After the batches it was to decode. Some record before was like this.
    Limit(Option<Template>),
}

impl Lane {
    /// A lane over `blocks`, for a decoder that stands at their beginning.
    pub(super) fn new(blocks: Blocks, decoder: Decoder, mode: Mode, cancelled: Arc<AtomicBool>) -> Self {
        Self { told: blocks.position(), blocks, decoder, mode, cancelled }
    }

    /// Decodes the next batch, or some part of it.
    pub(super) fn step(&mut self) -> Result<Step> {
        let mut found = None;
        let end = match self.mode.clone() {
            Mode::Uniform(template) => Some(self.verify(&template)?),
            Mode::Walk(batches) => self.walk(batches)?,
            Mode::Find(start) => {
                found = self.find(&start)?;
                if found.is_none() { Some(End::Lost) } else { None }
            }
        };
        let progress = self.blocks.progress();
        let bytes = progress - std::mem::replace(&mut self.told, progress);
        let (decoded, rejects) = match end.is_some() || self.decoder.is_full() {
            true => (self.decoder.flush()?, None),
            false => (None, Some(self.decoder.take_rejects())),
        };
        let records = self.decoder.take_records();
        Ok(Step { decoded, rejects, records, bytes, found, position: self.decoder.position, end })
    }

    /// Finds the place to begin at.
    fn find(&mut self, start: &RecordStart) -> Result<Option<u64>> {
        let mut size = SEARCH;
        let found = loop {
            let bytes = self.blocks.fill(size)?;
            let found = self.decoder.find(start, bytes);
            if found.is_some() || bytes.len() < size || !self.decoder.finds_beyond(size) {
                break found.map(|place| self.blocks.position() + place as u64);
            }
            size *= 2;
        };
        if let Some(offset) = found {
            self.blocks.consume((offset - self.blocks.position()) as usize);
            self.decoder.position.offset = offset;
            self.told = self.blocks.progress();
            self.mode = Mode::Walk(u32::MAX);
        }
        Ok(found)
    }

    fn check_cancelled(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Decodes all records of the lane, as long as they are uniform.
    fn verify(&mut self, template: &Template) -> Result<End> {
        let stride = template.stride();
        loop {
            self.check_cancelled()?;
            let bytes = self.blocks.fill(stride)?;
            if bytes.is_empty() {
                return Ok(End::Verified);
            }
            let whole = bytes.len() - bytes.len() % stride;
            let taken = self.decoder.decode_uniform(template, &bytes[..whole])?;
            self.blocks.consume(taken);
            if taken < whole || whole == 0 {
                return Ok(End::Diverged);
            }
        }
    }

    /// Decodes records one after another until a batch is full or the lane ends, or for a while.
    fn walk(&mut self, batches: u32) -> Result<Option<End>> {
        let begin = self.blocks.position();
        let mut needed = 0;
        while self.blocks.position() - begin < LONGEST_STEP {
            self.check_cancelled()?;
            let is_at_start = self.blocks.position() == 0;
            let (bytes, last) = self.blocks.fill_to_end(needed.max(self.decoder.needed()))?;
            if is_at_start {
                match foreign(bytes, last) {
                    Err(more) => {
                        needed = more;
                        continue;
                    }
                    Ok(Some(name)) => drop(self.decoder.give_up(0, name)?),
                    Ok(None) => {}
                }
            }
            let taken = self.decoder.decode_within(bytes, last)?;
            self.blocks.consume(taken);
            if self.decoder.is_stopped() {
                return Ok(Some(End::Reached));
            }
            if self.decoder.is_full() {
                // A lane ends behind a good record only.
                if batches > 1 || !self.decoder.is_settled() {
                    let batches = batches.max(2);
                    self.mode = Mode::Walk(batches - 1);
                    return Ok(None);
                }
                return Ok(Some(End::Limit(self.decoder.template.clone())));
            }
            if self.decoder.is_diverged() {
                return Ok(Some(End::Diverged));
            }
            if self.decoder.is_invalid() || (last && taken == 0) {
                let rest = self.blocks.discard()?;
                match self.blocks.take_damage() {
                    Some(damage) => self.decoder.finish_damaged(rest, damage)?,
                    None => self.decoder.finish(rest)?,
                }
                return Ok(Some(End::Input));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
