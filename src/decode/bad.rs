//! What a decoder does at a record that is no row: it is stepped over, or left out with the damage it turns out to be.

use super::chain::Chain;
use super::position::less;
use super::record::{Fault, Found};
use super::salvage::{Bad, Verdict, is_container};
use super::{Decoder, Position, State, UNKNOWN};
use crate::error::Result;
use crate::msgpack::{Broken, Head, Skipped, Skipper};
use crate::options::{Framing, OnError};
use crate::reject::RejectKind;

impl Decoder {
    /// Deals with a record that is no row: it is stepped over, unless it turns out to be damage.
    pub(super) fn bad(&mut self, fault: Fault, bytes: &[u8], ended: bool) -> Result<usize> {
        let objects = self.plan.objects();
        if self.look.is_none() {
            return self.skip(fault, objects, bytes, false, ended);
        }
        if let Some(taken) = self.ends_early(bytes, ended) {
            return taken;
        }
        let search = match self.believed(bytes, ended) {
            Ok(search) => search,
            Err(taken) => return taken,
        };
        if self.plan.framing == Framing::Array && !self.position.is_doubtful {
            match self.holds_another(bytes, ended) {
                Ok(holds) => self.position.is_doubtful = holds,
                Err(needed) => return Ok(self.ask(needed)),
            }
        }
        self.skip(fault, objects, bytes, search, ended)
    }

    /// Believes the whole object at the start of `bytes`, which is no row, and tells whether records are to be looked for behind it. If it
    /// is damage, or more bytes are needed to know, the error is how that was dealt with.
    fn believed(&mut self, bytes: &[u8], ended: bool) -> std::result::Result<bool, Result<usize>> {
        let search = match self.judge(bytes, ended, self.bad_by_head(bytes, Bad::Whole)) {
            Verdict::More(needed) => return Err(Ok(self.ask(needed))),
            Verdict::Gap(chain) => return Err(self.leave_gap(chain, bytes)),
            Verdict::Sound => false,
            Verdict::Nothing(search) => search,
        };
        self.believe();
        Ok(search)
    }

    /// Deals with an object that is no array of records where one should begin.
    pub(super) fn no_head(&mut self, head: Head, bytes: &[u8], ended: bool) -> Result<usize> {
        let search = match self.believed(bytes, ended) {
            Ok(search) => search,
            Err(taken) => return taken,
        };
        // Not a record of any array; it is counted as one.
        self.position.left = Some(1);
        self.skip(Fault::of_framing(self.plan.framing, head), 1, bytes, search, ended)
    }

    /// Deals with a record of at least so many bytes that the input ends inside of.
    pub(super) fn cut_off(&mut self, least: u64, bytes: &[u8]) -> Result<usize> {
        self.least = least;
        let mut broken = bytes.len();
        let mut fault =
            Fault::input(RejectKind::Truncated, format!("{least} bytes"), "other records in it".to_owned());
        let near = self.look.map_or(bytes.len(), |look| bytes.len().min(3 * look));
        if let Err(Broken::Reserved(at)) = self.skip_record(&bytes[..near]) {
            (broken, fault) = (at, self.not_messagepack(at));
        }
        match self.judge(bytes, true, self.bad_by_head(bytes, Bad::Broken(broken))) {
            Verdict::Gap(chain) => self.leave_gap(chain, bytes),
            _ => self.lose(fault, bytes, true),
        }
    }

    fn not_messagepack(&self, at: usize) -> Fault {
        let at = self.position.offset + at as u64;
        let found = format!("the byte 0xc1 at byte {at}");
        Fault::input(RejectKind::Invalid, "a MessagePack object".to_owned(), found)
    }

    /// Begins to look for records behind what cannot be read, from the current record on.
    fn lose(&mut self, fault: Fault, bytes: &[u8], ended: bool) -> Result<usize> {
        self.state = State::Lost { fault, start: self.position.offset, head: head_of(bytes) };
        self.search_behind(bytes, ended)
    }

    pub(super) fn search_behind(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        if let Some(chain) = self.search_on(bytes, ended)
            && let State::Lost { fault, start, head } = std::mem::replace(&mut self.state, State::Start)
        {
            let fault = if fault.kind == RejectKind::Invalid { fault } else { self.contradicted(head) };
            return self.close_gap(chain, &fault, start);
        }
        Ok(self.pass(bytes, ended))
    }

    /// How many of `bytes` hold no record, after a search.
    fn pass(&mut self, bytes: &[u8], ended: bool) -> usize {
        let passed =
            if ended { u64::MAX } else { self.searched_until().saturating_sub(self.position.offset) };
        if passed == 0 {
            self.needed = 3 * self.look.unwrap_or(0);
        }
        bytes.len().min(usize::try_from(passed).unwrap_or(usize::MAX))
    }

    /// Goes on with a long record that is no row, and looks for records in it.
    pub(super) fn skip_and_search(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        let found = self.search_on(bytes, ended);
        let known = match found {
            Some(chain) => (chain.at - self.position.offset) as usize,
            None => self.pass(bytes, ended),
        };
        let State::Skip { skipper, .. } = &mut self.state else { return Ok(0) };
        let skipped = skipper.skip(&bytes[..known]);
        match (skipped, found) {
            (Skipped::More(_), Some(chain)) => {
                let state = std::mem::replace(&mut self.state, State::Start);
                let State::Skip { start, head, .. } = state else { return Ok(0) };
                let fault = self.contradicted(head);
                self.close_gap(chain, &fault, start)
            }
            _ => {
                let taken = self.skipped(skipped, bytes, ended)?;
                // A head that reaches behind what is known: that is for the search to go over first.
                Ok(if taken == 0 { self.ask(3 * self.look.unwrap_or(0)) } else { taken })
            }
        }
    }

    /// Leaves out the bytes from the current record up to others. What is told of them is in them, so that it is the same
    /// wherever the input ends.
    pub(super) fn leave_gap(&mut self, chain: Chain, bytes: &[u8]) -> Result<usize> {
        let gap = (chain.at - self.position.offset) as usize;
        let fault = match self.skip_record(&bytes[..gap]) {
            Err(Broken::Reserved(at)) => self.not_messagepack(at),
            Err(Broken::Short(_)) if is_container(bytes[0]) => {
                self.lied = Some(self.position.offset);
                self.contradicted(head_of(bytes))
            }
            _ => self.contradicted(head_of(bytes)),
        };
        self.close_gap(chain, &fault, self.position.offset)
    }

    /// What is wrong with a record that is not what its head says.
    fn contradicted(&self, head: Option<Head>) -> Fault {
        let found = head.map_or_else(|| "bytes".to_owned(), |head| head.to_string());
        let expected = Fault::of_type(None, Found::Words(String::new())).expected(&self.plan);
        Fault::input(RejectKind::Invalid, expected, format!("{found} that the records behind contradict"))
    }

    /// Leaves out the bytes from `start` up to `chain`: one reject, and no row.
    pub(super) fn close_gap(&mut self, chain: Chain, fault: &Fault, start: u64) -> Result<usize> {
        let length = chain.at - start;
        let found = format!("{}; the next record begins at byte {}", fault.found, chain.at);
        let expected = fault.expected(&self.plan);
        self.reject(Fault::input(RejectKind::Invalid, expected, found), start, length)?;
        // An array knows how many records it has: how many were these?
        let records =
            chain.stride.filter(|stride| length.is_multiple_of(*stride)).map(|stride| length / stride);
        let left = match (self.position.left, records) {
            (None, _) if self.plan.framing == Framing::Sequence => None,
            (Some(left), Some(records)) if records <= left => Some(less(left, records)),
            _ => Some(UNKNOWN),
        };
        self.position = Position { record: self.position.record + 1, rows: 0, left, ..self.position };
        self.records += 1;
        self.gap_end = Some(chain.at);
        Ok((chain.at - self.position.offset) as usize)
    }

    /// Begins to step over a record that is no row, of so many objects. A long one is searched for others.
    pub(super) fn skip(
        &mut self,
        fault: Fault,
        objects: u64,
        bytes: &[u8],
        search: bool,
        ended: bool,
    ) -> Result<usize> {
        let mut skipper = Skipper::of(objects);
        let known = if search { self.pass(bytes, false) } else { bytes.len() };
        let skipped = skipper.skip(&bytes[..known]);
        self.state =
            State::Skip { fault, skipper, start: self.position.offset, head: head_of(bytes), search };
        self.skipped(skipped, bytes, ended)
    }

    /// Goes on after some bytes of a record that is no row.
    pub(super) fn skipped(&mut self, skipped: Skipped, bytes: &[u8], ended: bool) -> Result<usize> {
        match skipped {
            Skipped::More(taken) => Ok(taken),
            Skipped::Reserved(taken) => self.invalid_byte(taken, bytes, ended),
            Skipped::Done(taken) => {
                if let State::Skip { fault, start, .. } = std::mem::replace(&mut self.state, State::Start) {
                    let length = self.position.offset + taken as u64 - start;
                    let is_too_large = length > self.plan.max_record_bytes;
                    let fault = if is_too_large { Fault::too_large(length) } else { fault };
                    self.reject(fault, start, length)?;
                    if self.plan.on_error == OnError::Null {
                        self.reserve(&[]);
                        self.columns.push_nulls(self.position.record)?;
                        self.columns.commit();
                    }
                    self.count(1);
                }
                Ok(taken)
            }
        }
    }

    /// Deals with 0xc1, behind `taken` bytes of the current record or of what is left of it.
    pub(super) fn invalid_byte(&mut self, taken: usize, bytes: &[u8], ended: bool) -> Result<usize> {
        let fault = self.not_messagepack(taken);
        if self.look.is_none() {
            return self.invalid(taken, fault.found.to_string());
        }
        if let State::Skip { start, head, .. } = self.state {
            self.search_from(self.position.offset + taken as u64 + 1);
            self.state = State::Lost { fault, start, head };
            return self.search_behind(bytes, ended);
        }
        match self.judge(bytes, ended, self.bad_by_head(bytes, Bad::Broken(taken))) {
            Verdict::More(needed) => Ok(self.ask(needed)),
            Verdict::Gap(chain) => self.leave_gap(chain, bytes),
            _ => self.lose(fault, bytes, ended),
        }
    }

    /// Deals with what only the library reads that wrote it. Behind it everything means something else, unless there are
    /// records.
    pub(super) fn leave_messagepack(
        &mut self,
        found: &'static str,
        bytes: &[u8],
        ended: bool,
    ) -> Result<usize> {
        match self.judge(bytes, ended, Bad::Whole) {
            Verdict::More(needed) => Ok(self.ask(needed)),
            Verdict::Gap(chain) => self.leave_gap(chain, bytes),
            Verdict::Sound => {
                let expected = "a MessagePack object".to_owned();
                let fault = Fault::input(RejectKind::Unsupported, expected, found.to_owned());
                self.skip(fault, self.plan.objects(), bytes, false, ended)
            }
            Verdict::Nothing(_) => self.invalid(0, found.to_owned()),
        }
    }

    /// Notes that nothing behind `taken` bytes of the current record can be read.
    fn invalid(&mut self, taken: usize, found: String) -> Result<usize> {
        let start = match self.state {
            State::Skip { start, .. } => start,
            _ => self.position.offset,
        };
        self.state = State::Invalid { start, found };
        if self.plan.on_error == OnError::Raise {
            self.finish(taken as u64)?;
        }
        Ok(taken)
    }
}

/// The head of the object at the start of `bytes`.
fn head_of(bytes: &[u8]) -> Option<Head> {
    Head::read(bytes).ok().map(|(head, _)| head)
}
