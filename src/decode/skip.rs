//! A bad record is skipped, or left out with the damage that it is part of.

use super::damage::{Damage, Verdict};
use super::fault::{Fault, Found, expected_record};
use super::start::{Place, is_number};
use super::{Decoder, Left, Run, State};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head, Skipped, Skipper};
use crate::options::{Framing, OnError};
use crate::record::{Framed, Plan};
use crate::reject::RejectKind;
use crate::text;

impl Decoder {
    /// Skips the bad record at the start of `bytes`, unless it is damage.
    pub(super) fn bad(&mut self, fault: Fault, bytes: &[u8], ended: bool) -> Result<usize> {
        match self.leave_damage(bytes, ended) {
            Some(taken) => taken,
            None => self.skip(fault, Skipper::of(self.plan.objects()), bytes, ended),
        }
    }

    /// Leaves out the damage at the start of `bytes`. `None` if the bad record there is what its
    /// head says.
    pub(super) fn leave_damage(&mut self, bytes: &[u8], ended: bool) -> Option<Result<usize>> {
        self.damage.as_ref()?;
        if matches!(self.position.left, Left::Elsewhere(_)) {
            // Only the decoder in front knows whether this is the head of the next array.
            self.state = State::Diverged;
            return Some(Ok(0));
        }
        if let Some(taken) = self.enter_array(bytes, ended) {
            return Some(taken);
        }
        match self.classify(bytes, ended) {
            Verdict::More(needed) => Some(Ok(self.ask(needed))),
            Verdict::Right | Verdict::Alone => None,
            Verdict::Gap { end, at } => {
                let start = self.position.offset;
                let mut cursor = Cursor::new(&bytes[..end]);
                let fault = loop {
                    match cursor.skip() {
                        Ok(()) => {}
                        Err(Broken::Reserved(at)) => break Fault::reserved_byte(start + at as u64),
                        Err(Broken::Short(_)) => {
                            let object = describe_head(&bytes[at..]);
                            let offset = start + at as u64;
                            let found =
                                format!("{object} at byte {offset} that the records behind contradict");
                            break Fault::of_input(RejectKind::Invalid, expected_record(&self.plan), found);
                        }
                    }
                };
                Some(self.close_gap(&fault, start, end))
            }
            Verdict::Lost => {
                let mut cursor = Cursor::new(bytes);
                let fault = match cursor.skip() {
                    Err(Broken::Reserved(at)) => Fault::reserved_byte(self.position.offset + at as u64),
                    Err(Broken::Short(least)) => {
                        let found = describe_head(bytes);
                        let expected = format!("at least {}", text::bytes(least));
                        Fault::of_input(RejectKind::Truncated, &expected, found)
                    }
                    Ok(()) => Fault::of_type(None, Found::Text(describe_head(bytes))),
                };
                Some(self.lose(fault, bytes, ended))
            }
        }
    }

    /// Begins the next array behind a gap, of which the head is at the start of `bytes` if a good
    /// record follows it.
    fn enter_array(&mut self, bytes: &[u8], ended: bool) -> Option<Result<usize>> {
        if self.position.left != Left::Unknown {
            return None;
        }
        let mut cursor = Cursor::new(bytes);
        let Ok(Head::Array(items @ 1..)) = cursor.head() else { return None };
        match self.looker.look(&self.plan, bytes, cursor.at(), &mut 0) {
            Place::Good(_) => {
                self.position.left = Left::Known(items.into());
                Some(Ok(cursor.at()))
            }
            Place::Short(needed) if !ended => Some(Ok(self.ask(needed as usize))),
            _ => None,
        }
    }

    /// Searches for good records behind bytes that cannot be read.
    fn lose(&mut self, fault: Fault, bytes: &[u8], ended: bool) -> Result<usize> {
        self.state = State::Lost { fault, start: self.position.offset };
        self.find_next(bytes, ended)
    }

    pub(super) fn find_next(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        match self.search_on(bytes, ended) {
            Ok(place) => match std::mem::replace(&mut self.state, State::START) {
                State::Lost { fault, start } => self.close_gap(&fault, start, place),
                _ => Ok(0),
            },
            Err(seen) => Ok(if ended { bytes.len() } else { seen }),
        }
    }

    /// Leaves out the bytes from `start` up to the good record `end` bytes behind the current
    /// position: one reject, and no row.
    fn close_gap(&mut self, fault: &Fault, start: u64, end: usize) -> Result<usize> {
        let offset = self.position.offset + end as u64;
        let found = format!("{}; the next record begins at byte {offset}", fault.found);
        let fault = Fault::of_input(RejectKind::Invalid, &fault.expected(&self.plan), found);
        // Numbers right in front of the damage are part of it.
        let (start, record) = match self.rejected.run.take_if(|run| run.end == start) {
            Some(run) => (run.start, run.record),
            None => {
                self.end_run()?;
                self.position.record += 1;
                self.records += 1;
                (start, self.position.record - 1)
            }
        };
        self.reject_at(&fault, record, start, offset - start)?;
        self.position.rows = 0;
        if self.plan.framing != Framing::Sequence {
            self.position.left = Left::Unknown;
        }
        Ok(end)
    }

    /// Skips the bad record at the start of `bytes`, with a `skipper` that has not begun.
    pub(super) fn skip(
        &mut self,
        fault: Fault,
        mut skipper: Skipper,
        bytes: &[u8],
        ended: bool,
    ) -> Result<usize> {
        // The values of a map have keys between them.
        let is_alone = self.plan.framing != Framing::Map || self.position.left == Left::Known(0);
        let is_run = is_alone && self.plan.on_error != OnError::Raise;
        if is_run && let Some(size) = number(&self.plan, bytes) {
            return Ok(self.add_to_run(fault, bytes, size));
        }
        let (skipped, start) = (skipper.skip(bytes), self.position.offset);
        if let Skipped::Done(length) = skipped {
            let mut taken = 0;
            // A record that repeats the one before byte for byte is as bad, if its head is right.
            loop {
                self.leave_out(&fault, start + taken as u64, length as u64)?;
                taken += length;
                let is_repeated = bytes[taken..].starts_with(&bytes[..length]);
                let is_right = |damage: &Damage| damage.is_right(start + taken as u64);
                if !is_repeated
                    || self.position.left == Left::Known(0)
                    || self.is_full()
                    || !self.damage.as_ref().is_none_or(is_right)
                {
                    return Ok(taken);
                }
            }
        }
        self.state = State::Skip { fault, skipper, start };
        self.skipped(skipped, bytes, ended)
    }

    /// Counts a bad record: a reject, and under `null` a row of nulls.
    fn leave_out(&mut self, fault: &Fault, start: u64, length: u64) -> Result<()> {
        if length > self.plan.max_record_bytes {
            self.reject(&Fault::too_large(length), start, length)?;
        } else {
            self.reject(fault, start, length)?;
        }
        if self.plan.on_error == OnError::Null {
            self.reserve(&[]);
            self.columns.push_nulls(self.position.record)?;
            self.columns.commit();
        }
        self.count(1);
        Ok(())
    }

    /// Adds the number at the start of `bytes`, of this many bytes, and those right behind it to the
    /// run of numbers.
    fn add_to_run(&mut self, fault: Fault, bytes: &[u8], size: usize) -> usize {
        let start = self.position.offset;
        let right = self.damage.as_ref().map_or(u64::MAX, |damage| damage.right());
        let most = if let Left::Known(left) = self.position.left { left.max(1) } else { u64::MAX };
        let (mut taken, mut objects) = (size, 1);
        while objects < most
            && start + (taken as u64) < right
            && let Some(size) = number(&self.plan, &bytes[taken..])
        {
            (taken, objects) = (taken + size, objects + 1);
        }
        let end = start + taken as u64;
        match &mut self.rejected.run {
            Some(run) => run.end = end,
            None => {
                self.rejected.run = Some(Run { fault, record: self.position.record, start, end });
                self.position.record += 1;
                self.records += 1;
            }
        }
        self.position.left = self.position.left.minus(objects);
        self.good = 0;
        taken
    }

    /// Goes on after some bytes of a record that is skipped.
    pub(super) fn skipped(&mut self, skipped: Skipped, bytes: &[u8], ended: bool) -> Result<usize> {
        match skipped {
            Skipped::More(taken) => Ok(taken),
            Skipped::Reserved(taken) => self.leave_reserved(taken, bytes, ended),
            Skipped::Done(taken) => {
                if let State::Skip { fault, start, .. } = std::mem::replace(&mut self.state, State::START) {
                    self.leave_out(&fault, start, self.position.offset + taken as u64 - start)?;
                }
                Ok(taken)
            }
        }
    }

    /// Leaves the record at hand, which has the byte 0xc1 behind `taken` bytes.
    pub(super) fn leave_reserved(&mut self, taken: usize, bytes: &[u8], ended: bool) -> Result<usize> {
        let fault = Fault::reserved_byte(self.position.offset + taken as u64);
        let Some(damage) = &mut self.damage else {
            return self.give_up(taken, fault.found.to_string());
        };
        if let State::Skip { start, .. } = self.state {
            damage.set_searched(self.position.offset + taken as u64 + 1);
            self.state = State::Lost { fault, start };
            return self.find_next(bytes, ended);
        }
        self.bad(fault, bytes, ended)
    }

    /// Leaves an object that changes the meaning of the bytes behind it. They are given up, unless
    /// good records stand there.
    pub(super) fn leave_messagepack(
        &mut self,
        found: &'static str,
        bytes: &[u8],
        ended: bool,
    ) -> Result<usize> {
        if let Some(taken) = self.leave_damage(bytes, ended) {
            return taken;
        }
        let mut cursor = Cursor::new(bytes);
        if self.damage.is_some()
            && cursor.skip().is_ok()
            && let Place::Good(_) = self.goes_on(bytes, cursor.at(), self.position.left.minus(1), &mut 0)
        {
            let fault = Fault::of_input(RejectKind::Unsupported, "a MessagePack object", found.to_owned());
            return self.skip(fault, Skipper::of(self.plan.objects()), bytes, ended);
        }
        self.give_up(0, found.to_owned())
    }

    /// Gives up an input of another format.
    pub(crate) fn refuse(&mut self, format: &str) -> Result<()> {
        self.give_up(0, format.to_owned()).map(|_| ())
    }

    /// Gives up the input behind `taken` bytes of the current record.
    pub(super) fn give_up(&mut self, taken: usize, found: String) -> Result<usize> {
        let start = self.start();
        self.state = State::Invalid { start, found };
        if self.plan.on_error == OnError::Raise {
            self.finish(taken as u64)?;
        }
        Ok(taken)
    }
}

/// The size of the number or boolean at the start of `bytes`. With the length in front of it, where lengths stand there; then an
/// object of no bytes is as good as a number.
fn number(plan: &Plan, bytes: &[u8]) -> Option<usize> {
    let (record, lead) = match plan.prefix.map(|prefix| prefix.frame(bytes, plan.max_record_bytes)) {
        None => (bytes, 0),
        Some(Framed::Record(record, lead)) if record.len() == lead => return Some(lead),
        Some(Framed::Record(record, lead)) => (record, lead),
        Some(_) => return None,
    };
    let (head, size) = Head::read(&record[lead..]).ok()?;
    let is_whole = plan.prefix.is_none() || lead + size == record.len();
    (is_whole && is_number(head)).then_some(lead + size)
}

fn describe_head(bytes: &[u8]) -> String {
    Head::read(bytes).map_or_else(|_| "a part of a head".to_owned(), |(head, _)| head.to_string())
}
