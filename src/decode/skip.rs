//! A bad record is skipped, or left out with the damage that it is part of.

use super::damage::Gap;
use super::fault::Fault;
use super::start::{View, is_number};
use super::{Decoder, Left, Run, State};
use crate::error::Result;
use crate::msgpack::{Cursor, Head, Skipped, Skipper};
use crate::options::{Framing, OnError};
use crate::record::{Framed, Plan};
use crate::reject::RejectKind;

impl Decoder {
    /// Skips the bad record at the start of `view`, unless it is damage.
    pub(super) fn bad(&mut self, fault: Fault, view: View<'_>) -> Result<usize> {
        if let Some(taken) = self.leave_damage(view) {
            return taken;
        }
        let length = self.plan.prefix.and_then(|prefix| prefix.read(view.bytes).ok()?);
        let skipper = match length {
            Some((lead, length)) => Skipper::of_bytes((lead + length) as u64),
            None => Skipper::of(self.plan.objects()),
        };
        self.skip(fault, skipper, view)
    }

    /// Leaves out the damage at the start of `view`. `None` if the bad record there is what its
    /// head says.
    pub(super) fn leave_damage(&mut self, view: View<'_>) -> Option<Result<usize>> {
        let window = self.damage?.window as u64;
        if matches!(self.position.left, Left::Elsewhere(_)) {
            // Only the decoder in front knows whether this is the head of the next array.
            self.state = State::Diverged;
            return Some(Ok(0));
        }
        let budget = self.looker.budget;
        self.try_to_leave(view).unwrap_or_else(|needed| {
            // Bytes that are looked at again do not count twice. There are more of them each time, as input may come
            // byte by byte.
            self.looker.budget = budget;
            let more = (2 * view.bytes.len() as u64).min(2 * window);
            Some(Ok(self.ask(needed.max(more))))
        })
    }

    /// The same; the error is the number of bytes that are needed to tell.
    fn try_to_leave(&mut self, view: View<'_>) -> Result<Option<Result<usize>>, u64> {
        // Behind a gap the head of an array begins the next array, if a good record follows it.
        if self.position.left == Left::Unknown
            && let Ok((Head::Array(items @ 1..), size)) = Head::read(view.bytes)
            && self.looker.look(&self.plan, view, size)?.is_some()
        {
            self.position.left = Left::Known(items.into());
            return Ok(Some(Ok(size)));
        }
        let start = self.position.offset;
        let Some(mut damage) = self.damage.filter(|damage| damage.right <= start) else { return Ok(None) };
        let followed = match self.looker.budget.unseen_at(start) {
            0 => self.follow_heads(&damage, view)?,
            _ => Ok(1),
        };
        match followed {
            Ok(right) => {
                damage.right = start + right as u64;
                self.damage = Some(damage);
                Ok(None)
            }
            Err(Gap { fault, run }) => {
                self.state = State::Lost { fault, start };
                Ok(Some(run.map_or_else(Ok, |place| self.close_gap(place))))
            }
        }
    }

    /// Leaves out the bytes that cannot be read, up to the good record `end` bytes behind the current
    /// position: one reject, and no row.
    pub(super) fn close_gap(&mut self, end: usize) -> Result<usize> {
        let State::Lost { fault, start } = std::mem::replace(&mut self.state, State::START) else {
            return Ok(0);
        };
        let offset = self.position.offset + end as u64;
        let found = format!("{}; the next record begins at byte {offset}", fault.found);
        let fault = Fault::of_input(RejectKind::Invalid, fault.expected(&self.plan), found);
        // Numbers right in front of the damage are part of it.
        let (start, record) = match self.run.take_if(|run| run.end == start) {
            Some(run) => (run.start, run.record),
            None => {
                self.end_run()?;
                (start, self.next_number())
            }
        };
        self.reject_at(&fault, record, start, offset - start)?;
        self.position.rows = 0;
        if self.plan.framing != Framing::Sequence {
            self.position.left = Left::Unknown;
        }
        Ok(end)
    }

    /// Skips the bad record at the start of `view`, with a `skipper` that has not begun.
    pub(super) fn skip(&mut self, fault: Fault, skipper: Skipper, view: View<'_>) -> Result<usize> {
        // The values of a map have keys between them.
        let is_alone = self.plan.framing != Framing::Map || self.position.left == Left::Known(0);
        let is_run = is_alone && self.plan.options.on_error != OnError::Raise;
        if is_run && let Some(size) = number(&self.plan, view.bytes) {
            return Ok(self.add_to_run(fault, view.bytes, size));
        }
        self.state = State::Skip { fault: Some(fault), skipper, start: self.position.offset };
        self.skip_on(view)
    }

    /// Skips some more of a bad record, or of a document behind its records.
    pub(super) fn skip_on(&mut self, view: View<'_>) -> Result<usize> {
        let State::Skip { skipper, .. } = &mut self.state else { return Ok(0) };
        match skipper.skip(view.bytes) {
            Skipped::More(taken) => Ok(taken),
            Skipped::Reserved(taken) => self.leave_reserved(taken, view),
            Skipped::Done(taken) => {
                let State::Skip { fault: Some(fault), start, .. } =
                    std::mem::replace(&mut self.state, State::START)
                else {
                    self.position.tail = 0;
                    return Ok(taken);
                };
                let length = self.position.offset + taken as u64 - start;
                let times = if length == taken as u64 { self.repeats(view.bytes, taken) } else { 1 };
                self.leave_out(&fault, start, length, times as u64)?;
                Ok(taken * times)
            }
        }
    }

    /// How many times the bad record of this `length` stands at the start of `bytes`: records that repeat it byte for byte are
    /// as bad, where their heads are known to be right and a row of nulls has room.
    fn repeats(&self, bytes: &[u8], length: usize) -> usize {
        let right = self.damage.as_ref().map_or(u64::MAX, |damage| damage.right);
        let in_front = right.saturating_sub(self.position.offset).div_ceil(length.max(1) as u64);
        let left = if let Left::Known(left) = self.position.left { left } else { u64::MAX };
        let room = if self.plan.options.on_error == OnError::Null { self.columns.room() } else { usize::MAX };
        let most = usize::try_from(in_front.min(left)).unwrap_or(usize::MAX).min(room);
        let (record, behind) = bytes.split_at(length);
        let next = behind.chunks_exact(length.max(1)).take(most.saturating_sub(1));
        1 + next.take_while(|next| *next == record).count()
    }

    /// Counts bad records, each as long as the first one at `start`: rejects, and under `null` rows of nulls.
    pub(super) fn leave_out(&mut self, fault: &Fault, start: u64, length: u64, times: u64) -> Result<()> {
        let too_large = (length > self.plan.options.max_record_bytes).then(|| Fault::too_large(length));
        let fault = too_large.as_ref().unwrap_or(fault);
        self.end_run()?;
        for time in 0..times {
            let record = self.position.record + time;
            self.reject_at(fault, record, start + time * length, length)?;
            if self.plan.options.on_error == OnError::Null {
                self.reserve(&[]);
                self.columns.push_nulls(record)?;
                self.columns.commit();
            }
        }
        self.count(times);
        Ok(())
    }

    /// Adds the number at the start of `bytes`, of this many bytes, and those right behind it to the
    /// run of numbers.
    fn add_to_run(&mut self, fault: Fault, bytes: &[u8], size: usize) -> usize {
        let start = self.position.offset;
        let right = self.damage.as_ref().map_or(u64::MAX, |damage| damage.right);
        let most = if let Left::Known(left) = self.position.left { left.max(1) } else { u64::MAX };
        let (mut taken, mut objects) = (size, 1);
        while objects < most
            && start + (taken as u64) < right
            && let Some(size) = number(&self.plan, &bytes[taken..])
        {
            (taken, objects) = (taken + size, objects + 1);
        }
        let end = start + taken as u64;
        match &mut self.run {
            Some(run) => run.end = end,
            None => self.run = Some(Run { fault, record: self.next_number(), start, end }),
        }
        self.position.left = self.position.left.minus(objects);
        self.good = 0;
        taken
    }

    /// Leaves the record at hand, which has the byte 0xc1 behind `taken` bytes.
    pub(super) fn leave_reserved(&mut self, taken: usize, view: View<'_>) -> Result<usize> {
        let place = self.position.offset + taken as u64;
        let fault = Fault::reserved_byte(place);
        if self.damage.is_none() {
            return self.give_up(taken, &fault.found.to_string());
        }
        if let State::Skip { start, .. } = self.state {
            self.state = State::Lost { fault, start };
            return Ok(taken + 1);
        }
        self.bad(fault, view)
    }

    /// Leaves an object that changes the meaning of the bytes behind it. They are given up, unless
    /// good records stand there.
    pub(super) fn leave_messagepack(&mut self, found: &str, view: View<'_>) -> Result<usize> {
        if let Some(taken) = self.leave_damage(view) {
            return taken;
        }
        let mut cursor = Cursor::new(view.bytes);
        if self.damage.is_some()
            && cursor.skip().is_ok()
            && let Ok(Some(_)) = self.next_record(view, cursor.at(), self.position.left.minus(1))
        {
            let fault = Fault::of_input(RejectKind::Unsupported, "a MessagePack object", found);
            return self.bad(fault, view);
        }
        self.give_up(0, found)
    }

    /// Gives up the input behind `taken` bytes of the current record.
    pub(crate) fn give_up(&mut self, taken: usize, found: &str) -> Result<usize> {
        let fault = Fault::of_input(RejectKind::Invalid, "a MessagePack object", found);
        self.state = State::Lost { fault, start: self.start() };
        self.damage = None;
        if self.plan.options.on_error == OnError::Raise {
            self.finish(taken as u64)?;
        }
        Ok(taken)
    }
}

/// The size of the number or boolean at the start of `bytes`. With the length in front of it, where lengths stand there; then an
/// object of no bytes is as good as a number.
fn number(plan: &Plan, bytes: &[u8]) -> Option<usize> {
    let (record, lead) = match plan.prefix.map(|prefix| prefix.frame(bytes, plan.options.max_record_bytes)) {
        None => (bytes, 0),
        Some(Framed::Record(record, lead)) if record.len() == lead => return Some(lead),
        Some(Framed::Record(record, lead)) => (record, lead),
        Some(_) => return None,
    };
    let (head, size) = Head::read(&record[lead..]).ok()?;
    let is_whole = plan.prefix.is_none() || lead + size == record.len();
    (is_whole && is_number(head)).then_some(lead + size)
}
