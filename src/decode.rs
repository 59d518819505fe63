//! Bytes and a plan become record batches and rejects. No input, no threads.

mod columns;
mod landmark;
mod record;

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};

use self::columns::Columns;
pub(crate) use self::landmark::Landmark;
use self::record::{Fault, Pushed, Stop};
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
}

/// A place between two records, or between two rows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: u64,
    /// Number of the record that comes next.
    pub(crate) record: u64,
    /// How many records the array or map that holds them still has; `None` where records simply follow one another.
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
            left: base.left.map(|left| left.saturating_sub(self.record)),
            ..self
        }
    }

    /// The place `records` records of `stride` bytes further on.
    pub(crate) fn after(self, records: u64, stride: usize) -> Self {
        Self {
            offset: self.offset.saturating_add(records.saturating_mul(stride as u64)),
            record: self.record + records,
            left: self.left.map(|left| left.saturating_sub(records)),
            rows: 0,
        }
    }
}

enum State {
    /// At the start of a record.
    Start,
    /// Inside a record that is no row.
    Skip { fault: Fault, skipper: Skipper, start: u64 },
    /// Behind bytes that cannot be read.
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
            plan,
        })
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

    /// True when all records in front of the place to stop at have been decoded.
    pub(crate) fn is_stopped(&self) -> bool {
        self.position.offset >= self.stop && matches!(self.state, State::Start)
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
        let begin = self.position.offset;
        let mut left = bytes;
        self.needed = MAX_HEAD;
        while !left.is_empty() && !self.is_full() && !self.is_stopped() {
            let taken = self.decode_some(left)?;
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
        self.position.rows = 0;
        self.least = 0;
        self.position.left = self.position.left.map(|left| left.saturating_sub(records));
    }

    /// One record, or a run of equal ones, or some more of a record that is no row. 0: more bytes are needed, or a flush.
    fn decode_some(&mut self, bytes: &[u8]) -> Result<usize> {
        match &mut self.state {
            State::Start if self.position.left == Some(0) => self.decode_head(bytes),
            State::Start => {
                if let Some(template) = self.template.take_if(|template| bytes.len() >= 2 * template.stride())
                {
                    let taken = self.decode_run(&template, bytes)?;
                    self.template = Some(template);
                    if taken > 0 {
                        return Ok(taken);
                    }
                }
                self.decode_record(bytes)
            }
            State::Skip { skipper, .. } => {
                let skipped = skipper.skip(bytes);
                self.skipped(skipped)
            }
            State::Invalid { .. } => Ok(0),
        }
    }

    /// The head of the array or map that holds the records.
    fn decode_head(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut cursor = Cursor::new(bytes);
        match (self.plan.framing, cursor.head()) {
            (Framing::Array, Ok(Head::Array(records))) | (Framing::Map, Ok(Head::Map(records))) => {
                self.position.left = Some(records.into());
                Ok(cursor.at())
            }
            (framing, Ok(head)) => {
                // Not a record of any array; it is counted as one.
                self.position.left = Some(1);
                self.skip(Fault::of_framing(framing, head), 1, bytes)
            }
            (_, Err(Broken::Short(least))) => {
                self.least = least;
                Ok(0)
            }
            (_, Err(Broken::Reserved(at))) => self.invalid_byte(at),
        }
    }

    fn decode_record(&mut self, bytes: &[u8]) -> Result<usize> {
        self.reserve(bytes);
        let mut cursor = Cursor::new(bytes);
        let pushed = self.push_record(&mut cursor);
        let length = cursor.at() as u64;
        match pushed {
            Ok(_) if length > self.plan.max_record_bytes => {
                self.columns.roll_back();
                Ok(self.too_large(length, bytes)?)
            }
            Ok(Pushed::Partly) => {
                self.needed = cursor.at();
                Ok(0)
            }
            Ok(Pushed::Whole(template)) => {
                if template.is_some() {
                    self.template = template;
                }
                for fault in self.columns.take_faults() {
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
                        self.too_large(least, bytes)
                    }
                    Stop::Broken(Broken::Short(least)) => {
                        // What is there may not be MessagePack, or tell more about the length.
                        let least = match self.skip_record(bytes) {
                            Err(Broken::Reserved(at)) => return self.invalid_byte(at),
                            Err(Broken::Short(more)) => more.max(least),
                            Ok(()) => least,
                        };
                        self.least = least;
                        let least = usize::try_from(least).unwrap_or(usize::MAX);
                        // Where the end is not known, enough is asked for that looking again costs little.
                        self.needed = if least <= bytes.len() + MAX_HEAD { 2 * bytes.len() } else { least };
                        Ok(0)
                    }
                    Stop::Broken(Broken::Reserved(at)) => self.invalid_byte(at),
                    Stop::NotMessagePack(found) => self.invalid(0, found.to_owned()),
                    Stop::Fault(fault) => {
                        let objects = self.plan.objects();
                        self.skip(fault, objects, bytes)
                    }
                }
            }
        }
    }

    /// Steps over the record at the start of `bytes`.
    fn skip_record(&self, bytes: &[u8]) -> Result<(), Broken> {
        let mut cursor = Cursor::new(bytes);
        (0..self.plan.objects()).try_for_each(|_| cursor.skip())
    }

    fn too_large(&mut self, length: u64, bytes: &[u8]) -> Result<usize> {
        let objects = self.plan.objects();
        self.skip(Fault::too_large(length), objects, bytes)
    }

    /// Begins to step over a record that is no row, of so many objects.
    fn skip(&mut self, fault: Fault, objects: u64, bytes: &[u8]) -> Result<usize> {
        let mut skipper = Skipper::of(objects);
        let skipped = skipper.skip(bytes);
        self.state = State::Skip { fault, skipper, start: self.position.offset };
        self.skipped(skipped)
    }

    /// Goes on after some bytes of a record that is no row.
    fn skipped(&mut self, skipped: Skipped) -> Result<usize> {
        match skipped {
            Skipped::More(taken) => Ok(taken),
            Skipped::Reserved(taken) => self.invalid_byte(taken),
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

    fn invalid_byte(&mut self, taken: usize) -> Result<usize> {
        let at = self.position.offset + taken as u64;
        self.invalid(taken, format!("the byte 0xc1 at byte {at}"))
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
        match std::mem::replace(&mut self.state, State::Start) {
            State::Start if rest == 0 => {
                if let Some(left) = self.position.left.filter(|&left| left > 0) {
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
            State::Invalid { start, found } => {
                let fault = Fault::input(RejectKind::Invalid, "a MessagePack object".to_owned(), found);
                self.reject(fault, start, end - start)?;
            }
        }
        self.position = Position::start(self.plan.framing);
        (self.end, self.needed, self.least) = (None, MAX_HEAD, 0);
        Ok(())
    }

    /// The rows so far, with what was rejected; `None` where there is neither.
    pub fn flush(&mut self) -> Result<Option<Decoded>> {
        let rejects = std::mem::replace(&mut self.rejects, Rejects::new(self.plan.max_rejects));
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
        self.rejects.push(reject);
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
