//! Bytes and a plan become record batches and rejects. No input, no threads.

mod columns;
mod landmark;
mod record;
mod salvage;

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};

use self::columns::Columns;
pub(crate) use self::landmark::Landmark;
use self::record::{Fault, Pushed, Stop};
pub(crate) use self::salvage::UNKNOWN;
use self::salvage::{Bad, Chain, Search, Verdict};
use crate::error::{ErrorKind, Result};
use crate::msgpack::{Broken, Cursor, Head, MAX_HEAD, Skipped, Skipper};
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Plan, Role};
use crate::reject::{Reject, RejectKind, Rejects};
use crate::vector::Template;

/// A push decoder: takes MessagePack bytes as they come and gives record batches.
///
/// [`decode`](Self::decode) takes whole records only. What it leaves must come again, with more bytes behind it; the last
/// call is [`finish`](Self::finish). [`Reader`](crate::Reader) does all this for files and streams.
///
/// It does not look ahead: what a [`Reader`](crate::Reader) finds behind damaged bytes, a decoder by itself does not.
///
/// ```
/// use vecpack::{Decoder, ReadOptions};
///
/// let mut decoder = Decoder::new(2, &ReadOptions::new())?; // 2 float32 a vector
/// let bytes = [0xc4, 8, 0, 0, 128, 63, 0, 0, 0, 64, 0xc4, 8, 0, 0]; // one record and the start of another
/// assert_eq!(decoder.decode(&bytes)?, 10);
/// if let Some(decoded) = decoder.flush()? {
///     assert_eq!(decoded.batch.num_rows(), 1);
/// }
/// assert_eq!(decoder.decode(&bytes[10..])?, 0);
/// # Ok::<(), vecpack::Error>(())
/// ```
pub struct Decoder {
    plan: Arc<Plan>,
    /// The input's name, for the column that holds it.
    name: Arc<str>,
    columns: Columns,
    /// Where the next record begins.
    position: Position,
    /// Where the input ends, if that is known, to size the batches.
    end: Option<u64>,
    /// Records that begin here or later are for another decoder.
    stop: u64,
    /// What the record before was like, which the next ones most likely are like as well.
    template: Option<Template>,
    state: State,
    needed: usize,
    /// Bytes that the record at hand takes at the least, as far as is known.
    least: u64,
    rejects: Rejects,
    /// Records since somebody asked.
    records: u64,
    /// How many bytes are looked at to find records behind damage; `None` where it is not looked for.
    look: Option<usize>,
    /// Set behind a bad record.
    search: Option<Search>,
    /// Where the record begins that was not there in full, and how many bytes it takes at the least.
    waited: (u64, u64),
    /// A record that had to be waited for, and begins before this, is not looked into: that costs too much to do it often.
    patience: u64,
    /// Number of the last record that was bad.
    troubled: Option<u64>,
    saw_head: bool,
}

/// Good records that tell by themselves that they are.
const CALM: u64 = 8;

/// A place between two records, or between two rows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    /// Number of the record that comes next.
    pub(crate) record: u64,
    /// How many records the array or map that holds them still has; `None` where records simply follow one another, and
    /// [`UNKNOWN`] behind damage.
    pub(crate) left: Option<u64>,
    /// How many rows of the next record have been taken already: a matrix may be spread over batches.
    pub(crate) rows: usize,
}

impl Position {
    /// The start of an input.
    pub(crate) fn start(framing: Framing) -> Self {
        let left = if framing == Framing::Sequence { None } else { Some(0) };
        Self { offset: 0, record: 0, left, rows: 0 }
    }

    /// This place, as counted from the start of the input, where `self` was counted from `base`.
    pub(crate) fn from(self, base: Self) -> Self {
        Self {
            record: base.record + self.record,
            left: base.left.map(|left| less(left, self.record)),
            ..self
        }
    }

    /// The place `records` records of `stride` bytes further on.
    pub(crate) fn after(self, records: u64, stride: usize) -> Self {
        Self {
            offset: self.offset.saturating_add(records.saturating_mul(stride as u64)),
            record: self.record + records,
            left: self.left.map(|left| less(left, records)),
            rows: 0,
        }
    }
}

/// Records that are left of so many, if that is known.
fn less(left: u64, records: u64) -> u64 {
    if left == UNKNOWN { UNKNOWN } else { left.saturating_sub(records) }
}

enum State {
    /// At the start of a record.
    Start,
    /// Inside a record that is no row.
    Skip { fault: Fault, skipper: Skipper, start: u64, search: bool },
    /// Behind bytes that cannot be read, on the way to some that can.
    Lost { fault: Fault, start: u64 },
    /// Behind bytes that cannot be read, and all that follows neither.
    Invalid { start: u64, found: String },
}

/// What a [`Decoder`] made of the bytes so far.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The rows.
    pub batch: RecordBatch,
    /// What became no row, or a null, since the batch before.
    pub rejects: Rejects,
}

impl Decoder {
    /// A decoder of bare vectors of `dim` elements, one after another.
    pub fn new(dim: u32, options: &ReadOptions) -> Result<Self> {
        Self::with_plan(Arc::new(Plan::of_vectors(dim, options)?))
    }

    pub(crate) fn with_plan(plan: Arc<Plan>) -> Result<Self> {
        Ok(Self {
            name: "".into(),
            columns: Columns::new(&plan)?,
            position: Position::start(plan.framing),
            end: None,
            stop: u64::MAX,
            template: None,
            state: State::Start,
            needed: MAX_HEAD,
            least: 0,
            rejects: Rejects::new(plan.max_rejects),
            records: 0,
            look: None,
            search: None,
            waited: (0, 0),
            patience: 0,
            troubled: None,
            saw_head: false,
            plan,
        })
    }

    /// Looks for records behind damage. [`decode_within`](Self::decode_within) is then what is to be called.
    pub(crate) fn salvaging(self) -> Self {
        Self { look: salvage::look(&self.plan), ..self }
    }

    /// Begins at another place of an input with this name. `remaining` is how many bytes it holds from there, if that is known.
    pub(crate) fn at(mut self, name: &Arc<str>, position: Position, remaining: Option<u64>) -> Self {
        self.end = remaining.map(|bytes| position.offset.saturating_add(bytes));
        (self.name, self.position) = (name.clone(), position);
        self
    }

    /// Leaves records that begin at `stop` or later to others. Those that are decoded seem to take so many bytes.
    pub(crate) fn until(self, stop: u64) -> Self {
        Self { stop, end: self.end.map(|end| end.min(stop)), ..self }
    }

    /// Leaves records that begin at `stop` or later to others from now on.
    pub(crate) fn set_stop(&mut self, stop: u64) {
        self.stop = stop;
    }

    /// True where the last records were all good, enough of them to tell so by themselves.
    pub(crate) fn is_calm(&self) -> bool {
        self.troubled.is_none_or(|troubled| self.position.record > troubled + CALM)
    }

    /// True once the head of an array or map of records was read.
    pub(crate) fn saw_head(&self) -> bool {
        self.saw_head
    }

    /// True when all records in front of the place to stop at have been decoded.
    pub(crate) fn is_stopped(&self) -> bool {
        self.position.offset >= self.stop && matches!(self.state, State::Start) && !self.is_searching()
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema.clone()
    }

    /// Where the next record begins.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Begins further on, with the record at `offset`.
    pub(crate) fn skip_to(&mut self, offset: u64) {
        self.position.offset = offset;
    }

    /// What the last good record was like.
    pub(crate) fn template(&self) -> Option<Template> {
        self.template.clone()
    }

    /// True when [`flush`](Self::flush) must be called before more is decoded.
    pub fn is_full(&self) -> bool {
        self.columns.is_full()
    }

    /// True when nothing further of this input can be read: its bytes are not MessagePack. [`finish`](Self::finish) comes next.
    pub fn is_invalid(&self) -> bool {
        matches!(self.state, State::Invalid { .. })
    }

    /// How many bytes the next call of [`decode`](Self::decode) should be given at the least.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Decodes the whole records at the start of `bytes` until the batch is full, and gives how many bytes are done with.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<usize> {
        self.decode_within(bytes, false)
    }

    /// The same, where it is known whether the input `ended` with these bytes.
    pub(crate) fn decode_within(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        let begin = self.position.offset;
        let mut left = bytes;
        self.needed = MAX_HEAD;
        while !left.is_empty() && !self.is_full() && !self.is_stopped() {
            let taken = self.decode_some(left, ended)?;
            if taken == 0 {
                break;
            }
            self.position.offset += taken as u64;
            left = &left[taken..];
        }
        Ok((self.position.offset - begin) as usize)
    }

    /// Decodes records as long as they are like `template` and their elements fit, and gives how many bytes they took.
    pub(crate) fn decode_uniform(&mut self, template: &Template, bytes: &[u8]) -> Result<usize> {
        let taken = self.decode_run(template, bytes)?;
        self.position.offset += taken as u64;
        Ok(taken)
    }

    fn decode_run(&mut self, template: &Template, bytes: &[u8]) -> Result<usize> {
        self.reserve(bytes);
        let stride = template.stride();
        let in_front = self.stop.saturating_sub(self.position.offset).div_ceil(stride as u64);
        let left = self.position.left.unwrap_or(u64::MAX).min(in_front);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let rows = (bytes.len() / stride).min(self.columns.room()).min(left);
        let records = bytes[..rows * stride].chunks_exact(stride);
        let added = self.columns.push_uniform(records, template, self.position.record)?;
        self.count(added as u64);
        Ok(added * stride)
    }

    /// Tells the columns how many rows may come, the input being what it is; `bytes` of it are at hand.
    fn reserve(&mut self, bytes: &[u8]) {
        let left = self.end.map(|end| end.saturating_sub(self.position.offset).max(bytes.len() as u64));
        self.columns.reserve(&self.plan, left);
    }

    /// Counts records that are done with.
    fn count(&mut self, records: u64) {
        self.position.record += records;
        self.records += records;
        self.position.rows = 0;
        self.least = 0;
        self.position.left = self.position.left.map(|left| less(left, records));
    }

    /// One record, or a run of equal ones, or some more of a record that is no row. 0: more bytes are needed, or a flush.
    fn decode_some(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        match &mut self.state {
            State::Start if self.position.left == Some(0) => self.decode_head(bytes, ended),
            State::Start => {
                if let Some(template) = self.template.take_if(|template| bytes.len() >= 2 * template.stride())
                {
                    let taken = self.decode_run(&template, bytes)?;
                    self.template = Some(template);
                    if taken > 0 {
                        self.search = None;
                        return Ok(taken);
                    }
                }
                self.decode_record(bytes, ended)
            }
            State::Skip { skipper, search: false, .. } => {
                let skipped = skipper.skip(bytes);
                self.skipped(skipped, bytes, ended)
            }
            State::Skip { .. } => self.skip_and_search(bytes, ended),
            State::Lost { .. } => self.search_behind(bytes, ended),
            State::Invalid { .. } => Ok(0),
        }
    }

    /// The head of the array or map that holds the records.
    fn decode_head(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        let mut cursor = Cursor::new(bytes);
        match (self.plan.framing, cursor.head()) {
            (Framing::Array, Ok(Head::Array(records))) | (Framing::Map, Ok(Head::Map(records))) => {
                self.position.left = Some(records.into());
                self.saw_head = true;
                Ok(cursor.at())
            }
            (framing, Ok(head)) => {
                // Not a record of any array; it is counted as one.
                self.position.left = Some(1);
                self.skip(Fault::of_framing(framing, head), 1, bytes, false, ended)
            }
            (_, Err(Broken::Short(least))) => {
                self.least = least;
                Ok(0)
            }
            (_, Err(Broken::Reserved(at))) => self.invalid_byte(at, bytes, ended),
        }
    }

    fn decode_record(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        self.reserve(bytes);
        let mut cursor = Cursor::new(bytes);
        let pushed = self.push_record(&mut cursor);
        let length = cursor.at() as u64;
        match pushed {
            Ok(_) if length > self.plan.max_record_bytes => {
                self.columns.roll_back();
                self.bad(Fault::too_large(length), bytes, ended)
            }
            Ok(Pushed::Partly) => {
                self.needed = cursor.at();
                Ok(0)
            }
            Ok(Pushed::Whole(template)) => {
                let mut faults = self.columns.take_faults();
                if !faults.is_empty() && self.look.is_some() && !self.is_sure() {
                    self.columns.roll_back();
                    match self.judge(bytes, ended, self.bad_by_head(bytes, Bad::Whole)) {
                        Verdict::More(needed) => return Ok(self.ask(needed)),
                        Verdict::Gap(chain) => return self.leave_gap(chain, faults.swap_remove(0), bytes),
                        Verdict::Sound | Verdict::Nothing => self.believe(),
                    }
                    return self.decode_record(bytes, ended);
                }
                if faults.is_empty() {
                    self.search = None;
                }
                if template.is_some() {
                    self.template = template;
                }
                for fault in faults {
                    self.reject(fault, self.position.offset, length)?;
                }
                self.columns.commit();
                self.count(1);
                Ok(cursor.at())
            }
            Err(stop) => {
                self.columns.roll_back();
                match stop {
                    Stop::Error(error) => Err(error),
                    Stop::Broken(Broken::Short(least)) if least > self.plan.max_record_bytes => {
                        self.bad(Fault::too_large(least), bytes, ended)
                    }
                    Stop::Broken(Broken::Short(least)) if self.look.is_some() && ended => {
                        self.cut_off(least, bytes)
                    }
                    Stop::Broken(Broken::Short(least)) => {
                        let near = self.look.map_or(bytes.len(), |look| bytes.len().min(3 * look));
                        // What is there may not be MessagePack, or tell more about the length.
                        let least = match self.skip_record(&bytes[..near]) {
                            Err(Broken::Reserved(at)) => return self.invalid_byte(at, bytes, ended),
                            Err(Broken::Short(more)) => more.max(least),
                            Ok(()) => least,
                        };
                        self.least = least;
                        self.waited = (self.position.offset, least);
                        let least = usize::try_from(least).unwrap_or(usize::MAX);
                        // Where the end is not known, enough is asked for that looking again costs little.
                        self.needed = if least <= bytes.len() + MAX_HEAD { 2 * bytes.len() } else { least };
                        Ok(0)
                    }
                    Stop::Broken(Broken::Reserved(at)) => self.invalid_byte(at, bytes, ended),
                    Stop::NotMessagePack(found) => self.leave_messagepack(found, bytes, ended),
                    Stop::Fault(fault) => self.bad(fault, bytes, ended),
                }
            }
        }
    }

    /// Steps over the record at the start of `bytes`.
    fn skip_record(&self, bytes: &[u8]) -> Result<(), Broken> {
        let mut cursor = Cursor::new(bytes);
        (0..self.plan.objects()).try_for_each(|_| cursor.skip())
    }

    /// Asks for so many bytes.
    fn ask(&mut self, needed: usize) -> usize {
        self.needed = needed;
        0
    }

    /// Deals with a record that is no row: it is stepped over, unless it turns out to be damage.
    fn bad(&mut self, fault: Fault, bytes: &[u8], ended: bool) -> Result<usize> {
        let objects = self.plan.objects();
        if self.look.is_none() {
            return self.skip(fault, objects, bytes, false, ended);
        }
        if self.position.left == Some(UNKNOWN) && self.plan.framing == Framing::Array {
            match self.next_array(bytes, ended) {
                Some(0) => return Ok(self.ask(3 * self.look.unwrap_or(0))),
                Some(taken) => return Ok(taken),
                None => {}
            }
        }
        if self.is_long() && self.position.offset < self.patience {
            return self.skip(fault, objects, bytes, false, ended);
        }
        match self.judge(bytes, ended, self.bad_by_head(bytes, Bad::Whole)) {
            Verdict::More(needed) => Ok(self.ask(needed)),
            Verdict::Gap(chain) => self.leave_gap(chain, fault, bytes),
            Verdict::Sound => {
                self.believe();
                self.skip(fault, objects, bytes, false, ended)
            }
            Verdict::Nothing => {
                self.believe();
                self.skip(fault, objects, bytes, true, ended)
            }
        }
    }

    /// Deals with a record of at least so many bytes that the input ends inside of.
    fn cut_off(&mut self, least: u64, bytes: &[u8]) -> Result<usize> {
        self.least = least;
        let mut broken = bytes.len();
        let mut fault =
            Fault::input(RejectKind::Truncated, format!("{least} bytes"), "other records in it".to_owned());
        let near = self.look.map_or(bytes.len(), |look| bytes.len().min(3 * look));
        if let Err(Broken::Reserved(at)) = self.skip_record(&bytes[..near]) {
            (broken, fault) = (at, self.not_messagepack(at));
        }
        match self.judge(bytes, true, self.bad_by_head(bytes, Bad::Broken(broken))) {
            Verdict::Gap(chain) => self.leave_gap(chain, fault, bytes),
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
        self.state = State::Lost { fault, start: self.position.offset };
        self.search_behind(bytes, ended)
    }

    fn search_behind(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        if let Some(chain) = self.search_on(bytes, ended)
            && let State::Lost { fault, start } = std::mem::replace(&mut self.state, State::Start)
        {
            return self.close_gap(chain, fault, start);
        }
        Ok(self.pass(bytes, ended))
    }

    /// How many of `bytes` hold no record, after a search.
    fn pass(&mut self, bytes: &[u8], ended: bool) -> usize {
        let passed = if ended { u64::MAX } else { self.searched().saturating_sub(self.position.offset) };
        if passed == 0 {
            self.needed = 3 * self.look.unwrap_or(0);
        }
        bytes.len().min(usize::try_from(passed).unwrap_or(usize::MAX))
    }

    /// Goes on with a long record that is no row, and looks for records in it.
    fn skip_and_search(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
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
                let State::Skip { fault, start, .. } = state else { return Ok(0) };
                self.close_gap(chain, fault, start)
            }
            _ => {
                let taken = self.skipped(skipped, bytes, ended)?;
                // A head that reaches behind what is known: that is for the search to go over first.
                Ok(if taken == 0 { self.ask(3 * self.look.unwrap_or(0)) } else { taken })
            }
        }
    }

    /// Leaves out the bytes from the current record up to others.
    fn leave_gap(&mut self, chain: Chain, mut fault: Fault, bytes: &[u8]) -> Result<usize> {
        let gap = (chain.at - self.position.offset) as usize;
        if let Err(Broken::Reserved(at)) = self.skip_record(&bytes[..gap]) {
            fault = self.not_messagepack(at);
        }
        if self.is_long() {
            self.patience = self.position.offset + self.waited.1 / 8;
        }
        self.close_gap(chain, fault, self.position.offset)
    }

    /// True where all of the current record was waited for, and it took more than is looked at.
    fn is_long(&self) -> bool {
        let (offset, least) = self.waited;
        offset == self.position.offset && self.look.is_some_and(|look| least > 3 * look as u64)
    }

    /// Leaves out the bytes from `start` up to `chain`: one reject, and no row.
    fn close_gap(&mut self, chain: Chain, fault: Fault, start: u64) -> Result<usize> {
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
        Ok((chain.at - self.position.offset) as usize)
    }

    /// Where nobody knows how many records an array has left: the head of the next one, if there is one at the start of
    /// `bytes`. 0 asks for more bytes.
    fn next_array(&mut self, bytes: &[u8], ended: bool) -> Option<usize> {
        let mut cursor = Cursor::new(bytes);
        let Ok(Head::Array(records)) = cursor.head() else { return None };
        match self.begins_chain(cursor.rest(), ended) {
            Some(true) => {}
            Some(false) => return None,
            None => return Some(0),
        }
        self.position.left = Some(records.into());
        (self.saw_head, self.search) = (true, None);
        Some(cursor.at())
    }

    /// Begins to step over a record that is no row, of so many objects. A long one is searched for others.
    fn skip(&mut self, fault: Fault, objects: u64, bytes: &[u8], search: bool, ended: bool) -> Result<usize> {
        let mut skipper = Skipper::of(objects);
        let known = if search { self.pass(bytes, false) } else { bytes.len() };
        let skipped = skipper.skip(&bytes[..known]);
        self.state = State::Skip { fault, skipper, start: self.position.offset, search };
        self.skipped(skipped, bytes, ended)
    }

    /// Goes on after some bytes of a record that is no row.
    fn skipped(&mut self, skipped: Skipped, bytes: &[u8], ended: bool) -> Result<usize> {
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
    fn invalid_byte(&mut self, taken: usize, bytes: &[u8], ended: bool) -> Result<usize> {
        let fault = self.not_messagepack(taken);
        if self.look.is_none() {
            return self.invalid(taken, fault.found.to_string());
        }
        if let State::Skip { start, .. } = self.state {
            self.search_from(self.position.offset + taken as u64 + 1);
            self.state = State::Lost { fault, start };
            return self.search_behind(bytes, ended);
        }
        match self.judge(bytes, ended, self.bad_by_head(bytes, Bad::Broken(taken))) {
            Verdict::More(needed) => Ok(self.ask(needed)),
            Verdict::Gap(chain) => self.leave_gap(chain, fault, bytes),
            _ => self.lose(fault, bytes, ended),
        }
    }

    /// Deals with what only the library reads that wrote it. Behind it everything means something else, unless there are
    /// records.
    fn leave_messagepack(&mut self, found: &'static str, bytes: &[u8], ended: bool) -> Result<usize> {
        let verdict = self.judge(bytes, ended, Bad::Whole);
        let fault =
            || Fault::input(RejectKind::Unsupported, "a MessagePack object".to_owned(), found.to_owned());
        match verdict {
            Verdict::More(needed) => Ok(self.ask(needed)),
            Verdict::Gap(chain) => self.leave_gap(chain, fault(), bytes),
            Verdict::Sound => self.skip(fault(), self.plan.objects(), bytes, false, ended),
            Verdict::Nothing => self.invalid(0, found.to_owned()),
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

    /// Ends the input. `rest` is how many of its bytes [`decode`](Self::decode) did not take: they are part of a record that
    /// is cut off, or of what could not be read. What comes next is record 0 of another input.
    pub fn finish(&mut self, rest: u64) -> Result<()> {
        let offset = self.position.offset;
        let end = offset + rest;
        let truncated =
            |expected: String, found: String| Fault::input(RejectKind::Truncated, expected, found);
        let before = self.rejects.count();
        match std::mem::replace(&mut self.state, State::Start) {
            State::Start if rest == 0 => {
                if let Some(left) = self.position.left.filter(|&left| left > 0 && left != UNKNOWN) {
                    let expected = format!(
                        "{left} more of the records that the {} announces",
                        self.plan.framing.as_str()
                    );
                    self.reject(truncated(expected, "none".to_owned()), offset, 0)?;
                }
            }
            State::Start => {
                let expected = match self.least {
                    0 => "a whole record".to_owned(),
                    least => format!("{least} bytes"),
                };
                self.reject(truncated(expected, format!("{rest} bytes")), offset, rest)?;
            }
            State::Skip { start, .. } => {
                let found = format!("{} bytes", end - start);
                self.reject(truncated("a whole record".to_owned(), found), start, end - start)?;
            }
            State::Lost { fault, start } => {
                let found = match fault.kind {
                    RejectKind::Truncated => format!("{} bytes", end - start),
                    _ => fault.found.to_string(),
                };
                self.reject(Fault::input(fault.kind, fault.expected(&self.plan), found), start, end - start)?;
            }
            State::Invalid { start, found } => {
                let fault = Fault::input(RejectKind::Invalid, "a MessagePack object".to_owned(), found);
                self.reject(fault, start, end - start)?;
            }
        }
        self.records += self.rejects.count() - before;
        self.position = Position::start(self.plan.framing);
        (self.end, self.needed, self.least) = (None, MAX_HEAD, 0);
        (self.search, self.waited, self.patience, self.troubled) = (None, (0, 0), 0, None);
        Ok(())
    }

    /// Ends the input, of which the rest cannot be read for this reason; `rest` bytes of it are there and not taken.
    pub(crate) fn finish_damaged(&mut self, rest: u64, reason: std::io::Error) -> Result<()> {
        if self.plan.on_error == OnError::Raise {
            return Err(reason.into());
        }
        let start = match self.state {
            State::Skip { start, .. } | State::Lost { start, .. } | State::Invalid { start, .. } => start,
            State::Start => self.position.offset,
        };
        let fault = Fault::input(RejectKind::Invalid, "the rest of the input".to_owned(), reason.to_string());
        self.reject(fault, start, self.position.offset + rest - start)?;
        self.records += 1;
        // Nothing is left to be cut off.
        self.position.left = self.position.left.map(|_| UNKNOWN);
        self.state = State::Start;
        self.finish(0)
    }

    /// How many records there were since the last call, good or bad.
    pub(crate) fn take_records(&mut self) -> u64 {
        std::mem::take(&mut self.records)
    }

    /// What was rejected since the batch before, without the rows.
    pub(crate) fn take_rejects(&mut self) -> Rejects {
        std::mem::replace(&mut self.rejects, Rejects::new(self.plan.max_rejects))
    }

    /// The rows so far, with what was rejected; `None` where there is neither.
    pub fn flush(&mut self) -> Result<Option<Decoded>> {
        let rejects = self.take_rejects();
        if self.columns.rows() == 0 && rejects.count() == 0 {
            return Ok(None);
        }
        let batch = self.columns.finish(&self.schema(), &self.name)?;
        Ok(Some(Decoded { batch, rejects }))
    }

    /// Deals with what is wrong with the current record: an error, or a reject.
    fn reject(&mut self, fault: Fault, offset: u64, length: u64) -> Result<()> {
        let (plan, record) = (&self.plan, self.position.record);
        let reject = || {
            let (kind, field) = (fault.kind, fault.field(plan));
            let (expected, found) = (fault.expected(plan), fault.found.to_string());
            Reject { file: "".into(), record, offset, length, field, kind, expected, found }
        };
        if self.plan.on_error == OnError::Raise {
            return Err(ErrorKind::Decode(reject()).into());
        }
        self.rejects.push(fault.kind, reject);
        self.troubled = Some(record);
        Ok(())
    }
}

impl Decoded {
    /// Numbers the records from `first` on instead of from 0.
    pub(crate) fn renumber(&mut self, plan: &Plan, first: u64) -> Result<()> {
        self.rejects.renumber(first);
        if let Some(column) = plan.columns.iter().position(|column| column.role == Role::Record) {
            let mut columns = self.batch.columns().to_vec();
            let records = columns[column].as_primitive::<UInt64Type>();
            columns[column] = Arc::new(records.unary::<_, UInt64Type>(|record| record + first));
            self.batch = RecordBatch::try_new(self.batch.schema(), columns)?;
        }
        Ok(())
    }
}

/// What the first record of a stretch tells of those that follow.
pub(crate) enum First {
    /// They may all be like it, from this place on.
    Template(Position, Template),
    /// They may be told by this.
    Landmark(Landmark),
    Nothing,
}

/// Looks at the record at the start of `bytes`, which is at `position`. The error asks for more bytes.
pub(crate) fn look(plan: &Plan, mut position: Position, bytes: &[u8]) -> Result<First, u64> {
    let mut cursor = Cursor::new(bytes);
    let short = |broken| match broken {
        Broken::Short(needed) if needed <= plan.max_record_bytes => Err(needed),
        _ => Ok(First::Nothing),
    };
    if position.left == Some(0) {
        match (plan.framing, cursor.head()) {
            (Framing::Array, Ok(Head::Array(records))) => position.left = Some(records.into()),
            (_, Err(broken)) => return short(broken),
            _ => return Ok(First::Nothing),
        }
        position.offset += cursor.at() as u64;
    }
    let record = cursor.rest();
    match record::template(plan, &mut cursor) {
        Ok(Some(template)) => return Ok(First::Template(position, template)),
        Ok(None) => {}
        Err(broken) => return short(broken),
    }
    match Landmark::of(plan, record) {
        Ok(landmark) => Ok(landmark.map_or(First::Nothing, First::Landmark)),
        Err(broken) => short(broken),
    }
}
