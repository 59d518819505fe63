//! Bytes and a plan become record batches and rejects. No input, no threads.

mod arrays;
mod bad;
mod chain;
mod columns;
mod first;
mod gap;
mod landmark;
mod position;
mod record;
mod salvage;
mod swallow;

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};

use self::columns::Columns;
pub(crate) use self::first::{First, look};
pub(crate) use self::landmark::Landmark;
use self::position::less;
pub(crate) use self::position::{Position, UNKNOWN};
use self::record::{Fault, Pushed, Stop};
pub(crate) use self::salvage::may_begin;
use self::salvage::{Bad, Search, Searched, Verdict};
use crate::error::{ErrorKind, Result};
use crate::msgpack::{Broken, Cursor, Head, MAX_HEAD, Skipper};
use crate::options::{Framing, OnError, ReadOptions};
use crate::record::{Plan, Role, same_fields};
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
    good: Good,
    /// How many bytes are looked at to find records behind damage; `None` where it is not looked for.
    look: Option<usize>,
    /// Set behind a bad record.
    search: Option<Search>,
    /// What is known of the bytes ahead from searches before.
    searched: Option<Searched>,
    /// How many bytes were looked at to find records, each as often as it was.
    looked: u64,
    /// Where the last container began that was not what its head says.
    lied: Option<u64>,
    /// Where the last gap ended: at a good record.
    gap_end: Option<u64>,
    /// Where the last search ended, and what it cost more than the bytes up to there paid for.
    owed: (u64, u64),
    /// Number of the last record that was bad.
    troubled: Option<u64>,
    saw_head: bool,
}

/// What became rows, without faults, since a decoder was made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Good {
    pub(crate) records: u64,
    /// The bytes that these records took.
    pub(crate) bytes: u64,
}

/// Good records that tell by themselves that they are.
const CALM: u64 = 8;

enum State {
    /// At the start of a record.
    Start,
    /// Inside a record that is no row.
    Skip { fault: Fault, skipper: Skipper, start: u64, head: Option<Head>, search: bool },
    /// Behind bytes that cannot be read, on the way to some that can.
    Lost { fault: Fault, start: u64, head: Option<Head> },
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
            good: Good::default(),
            look: None,
            search: None,
            searched: None,
            looked: 0,
            lied: None,
            gap_end: None,
            owed: (0, 0),
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
        self.columns.set_name(name);
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

    /// True once the head of an array or map of records was read, or what stands in its place.
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
        self.saw_good(added as u64, added * stride);
        Ok(added * stride)
    }

    fn saw_good(&mut self, records: u64, bytes: usize) {
        let Good { records: before, bytes: taken } = self.good;
        self.good = Good { records: before + records, bytes: taken + bytes as u64 };
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
        // Whatever comes, records are tried on the columns.
        self.reserve(bytes);
        match &mut self.state {
            State::Start if self.position.left == Some(0) => self.decode_head(bytes, ended),
            State::Start => {
                if let Some(template) = self.template.take_if(|template| bytes.len() >= 2 * template.stride())
                {
                    let taken = self.decode_run(&template, bytes)?;
                    self.template = Some(template);
                    if taken > 0 {
                        self.leave_search();
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
        if let Some(taken) = self.behind_count(bytes, ended) {
            return taken;
        }
        let mut cursor = Cursor::new(bytes);
        match (self.plan.framing, cursor.head()) {
            (Framing::Array, Ok(Head::Array(records))) | (Framing::Map, Ok(Head::Map(records))) => {
                self.position.left = Some(records.into());
                self.saw_head = true;
                Ok(cursor.at())
            }
            (framing, Ok(head)) => {
                // Not a record of any array; it is counted as one.
                (self.position.left, self.saw_head) = (Some(1), true);
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
        let most = self.most_believed(bytes);
        let mut cursor = Cursor::new(&bytes[..bytes.len().min(most)]);
        let pushed = self.push_record(&mut cursor);
        let length = cursor.at() as u64;
        match pushed {
            Err(Stop::Broken(Broken::Short(least))) if least > most as u64 => {
                self.columns.roll_back();
                self.decode_if_believed(bytes, ended, Bad::Endless)
            }
            Ok(_) if length > self.plan.max_record_bytes => {
                self.columns.roll_back();
                self.bad(Fault::too_large(length), bytes, ended)
            }
            Ok(Pushed::Partly) => {
                self.needed = cursor.at();
                Ok(0)
            }
            Ok(Pushed::Whole(template)) => {
                if self.columns.take_doubt() && self.look.is_some() && !self.is_sure() {
                    self.columns.roll_back();
                    return self.decode_if_followed(bytes, cursor.at(), ended);
                }
                let faults = self.columns.take_faults();
                if !faults.is_empty() && self.look.is_some() && !self.is_sure() {
                    self.columns.roll_back();
                    if let Some(taken) = self.ends_early(bytes, ended) {
                        return taken;
                    }
                    return self.decode_if_believed(bytes, ended, self.bad_by_head(bytes, Bad::Whole));
                }
                if faults.is_empty() {
                    self.leave_search();
                    self.saw_good(1, cursor.at());
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

    /// Decodes the record at the start of `bytes` if a good one follows at its `end`, or one with the same fields, or if others do not
    /// speak against it.
    fn decode_if_followed(&mut self, bytes: &[u8], end: usize, ended: bool) -> Result<usize> {
        let needed = end.saturating_add(self.look.unwrap_or(0));
        if bytes.len() < needed && !ended {
            return Ok(self.ask(needed));
        }
        let is_like = same_fields(&bytes[..end], &bytes[end..], end).is_ok_and(|same| same > 0);
        if self.position.left == Some(1) || is_like || self.is_good(&bytes[end..], ended) {
            self.believe();
            return self.decode_record(bytes, ended);
        }
        self.decode_if_believed(bytes, ended, Bad::Whole)
    }

    /// Decodes the record at the start of `bytes`, of which something speaks against it, unless the records behind do so too.
    fn decode_if_believed(&mut self, bytes: &[u8], ended: bool, bad: Bad) -> Result<usize> {
        match self.judge(bytes, ended, bad) {
            Verdict::More(needed) => Ok(self.ask(needed)),
            Verdict::Gap(chain) => self.leave_gap(chain, bytes),
            Verdict::Sound | Verdict::Nothing(_) => {
                self.believe();
                self.decode_record(bytes, ended)
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
                let known = self.position.left.filter(|&left| left != UNKNOWN && !self.position.is_doubtful);
                if let Some(left @ 1..) = known {
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
            State::Lost { fault, start, .. } => {
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
        (self.search, self.searched, self.troubled) = (None, None, None);
        (self.lied, self.gap_end, self.owed) = (None, None, (0, 0));
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

    /// What became rows so far.
    pub(crate) fn good_so_far(&self) -> Good {
        self.good
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
