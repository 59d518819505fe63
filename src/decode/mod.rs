//! Bytes and a plan become record batches and rejects. No input, no threads.

mod columns;
mod damage;
mod fault;
mod position;
mod record;
mod skip;
mod start;
mod table;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_schema::SchemaRef;

use self::columns::Columns;
use self::damage::Damage;
use self::fault::Fault;
pub(crate) use self::position::{Left, Position, Stride};
use self::record::{Pushed, Stop, within_length};
use self::start::{Looker, View};
use self::table::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::msgpack::{Broken, Cursor, MAX_HEAD, Skipper};
use crate::options::{OnError, ReadOptions};
use crate::record::{Column, Framed, Plan, RECORD_BITS, Role, Way};
use crate::reject::{Reject, RejectKind, Rejects};
use crate::text;
use crate::vector::Template;

/// A push decoder: takes MessagePack bytes as they come and gives record batches.
///
/// [`decode`](Self::decode) takes whole records only. The bytes that it leaves must be given again, with more
/// bytes behind them. The last call is [`finish`](Self::finish). [`Reader`](crate::Reader) does all this for files
/// and streams.
///
/// A decoder by itself follows the heads of objects. Only a [`Reader`](crate::Reader) finds records behind damage.
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
    columns: Columns,
    /// For records that are only looked at.
    looker: Looker,
    /// Where the next record begins.
    pub(crate) position: Position,
    /// Where the input ends, if that is known. It bounds the rows of a batch.
    end: Option<u64>,
    /// The first records that begin here or later are the last ones for this decoder.
    stop: Option<u64>,
    /// The map of lists at the position, of which some rows were taken.
    table: Option<Table>,
    /// Bytes that the next map of lists most likely takes: about as many as the one before.
    usual: usize,
    /// The form of the last record, which the next ones most likely have as well.
    pub(crate) template: Option<Template>,
    state: State,
    needed: usize,
    /// The rejects since the batch before.
    rejects: Rejects,
    /// The latest one that was kept. Most bad records resemble the one before, and share its texts.
    latest: Option<(Fault, Reject)>,
    /// Numbers and booleans where records should stand, right in front of the position.
    run: Option<Run>,
    /// Records since the last call of `take_records`.
    records: u64,
    /// Records without a fault since the last reject. Where there is a stop, those behind it.
    good: u64,
    /// `None` where no records are looked for behind damage.
    damage: Option<Damage>,
}

enum State {
    /// At the start of a record, of which at least this many bytes are needed as far as is known.
    Start { least: u64 },
    /// On the way to the records of a document, which begins at `start`.
    Way { way: Way, start: u64 },
    /// Inside of a bad record. Without a fault, behind the records of a document.
    Skip { fault: Option<Fault>, skipper: Skipper, start: u64 },
    /// Behind bytes that cannot be read, on the way to the next good record. Without a search for
    /// damage the rest of the input is given up.
    Lost { fault: Fault, start: u64 },
    /// At a bad record in an array of which another decoder knows the count.
    Diverged,
}

impl State {
    const START: Self = Self::Start { least: 0 };
}

/// A run of numbers and booleans where records should stand.
struct Run {
    /// Of the first one.
    fault: Fault,
    record: u64,
    start: u64,
    end: u64,
}

/// The rows and the rejects of a [`Decoder`] since the batch before.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The rows.
    pub batch: RecordBatch,
    /// The records since the batch before that became no row, or a null.
    pub rejects: Rejects,
}

impl Decoder {
    /// A decoder of bare vectors of `dim` elements, one after another.
    pub fn new(dim: u32, options: &ReadOptions) -> Result<Self> {
        let decoder = Self::with_plan(Arc::new(Plan::of_vectors(dim, options)?))?;
        Ok(Self { damage: None, ..decoder })
    }

    /// A decoder that finds records behind damage. [`decode_within`](Self::decode_within) must be
    /// called instead of [`decode`](Self::decode).
    pub(crate) fn with_plan(plan: Arc<Plan>) -> Result<Self> {
        Ok(Self {
            columns: Columns::new(&plan)?,
            looker: Looker::new(&plan)?,
            position: Position::start(&plan),
            end: None,
            stop: None,
            table: None,
            usual: 0,
            template: None,
            state: State::START,
            needed: MAX_HEAD,
            rejects: Rejects::new(plan.options.max_rejects),
            latest: None,
            run: None,
            records: 0,
            good: u64::MAX,
            damage: Damage::new(&plan),
            plan,
        })
    }

    /// Begins at a position of the input with this name. `remaining` is how many bytes the input
    /// holds from there, if that is known.
    pub(crate) fn at(mut self, name: &Arc<str>, position: Position, remaining: Option<u64>) -> Self {
        self.end = remaining.map(|bytes| position.offset.saturating_add(bytes));
        self.columns.set_name(&self.plan, name);
        self.position = position;
        self
    }

    /// Ends behind the first run of good records that begins at `stop` or later. There the decoder
    /// begins that [finds](Self::find) its first records behind `stop`.
    pub(crate) fn set_stop(&mut self, stop: u64) {
        (self.stop, self.good) = (Some(stop), 0);
    }

    /// True where another decoder can go on from the position: between records, behind a run of good
    /// ones, with nothing known of the bytes ahead that matters.
    pub(crate) fn is_settled(&self) -> bool {
        let offset = self.position.offset;
        let is_over = |damage: &Damage| damage.right <= offset && self.looker.budget.debt_at(offset) == 0;
        self.good >= self.run()
            && self.position.rows == 0
            && matches!(self.state, State::Start { .. })
            && self.damage.as_ref().is_none_or(is_over)
    }

    /// True when all records in front of the stop have been decoded, and the run of good ones behind it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| self.position.offset >= stop) && self.is_settled()
    }

    /// True at a bad record that only the decoder in front of this one can deal with.
    pub(crate) fn is_diverged(&self) -> bool {
        matches!(self.state, State::Diverged)
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema.clone()
    }

    /// True when [`flush`](Self::flush) must be called before more is decoded.
    pub fn is_full(&self) -> bool {
        self.columns.is_full()
    }

    /// True when nothing further of this input can be read: its bytes are not MessagePack. [`finish`](Self::finish)
    /// comes next.
    pub fn is_invalid(&self) -> bool {
        matches!(self.state, State::Lost { .. }) && self.damage.is_none()
    }

    /// How many bytes the next call of [`decode`](Self::decode) should be given at least.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Decodes the whole records at the start of `bytes` until the batch is full. The result is how many bytes they
    /// took.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<usize> {
        self.decode_within(bytes, false)
    }

    /// The same, where it is known whether the input `ended` with these bytes.
    pub(crate) fn decode_within(&mut self, bytes: &[u8], ended: bool) -> Result<usize> {
        let begin = self.position.offset;
        let mut left = bytes;
        self.needed = MAX_HEAD;
        while !left.is_empty() && !self.is_full() && !self.is_stopped() {
            let taken = self.decode_some(View { bytes: left, ended })?;
            if taken == 0 {
                break;
            }
            self.position.offset += taken as u64;
            left = &left[taken..];
        }
        Ok((self.position.offset - begin) as usize)
    }

    /// Decodes the records at the start of `bytes` that are of this `template` and whose elements
    /// fit. The result is how many bytes they took.
    pub(crate) fn decode_uniform(&mut self, template: &Template, bytes: &[u8]) -> Result<usize> {
        let taken = self.decode_run(template, bytes)?;
        self.position.offset += taken as u64;
        Ok(taken)
    }

    fn decode_run(&mut self, template: &Template, bytes: &[u8]) -> Result<usize> {
        self.reserve(bytes);
        let stride = template.stride();
        let stop = self.stop.unwrap_or(u64::MAX);
        let in_front = stop.saturating_sub(self.position.offset).div_ceil(stride as u64);
        let left = if let Left::Known(left) = self.position.left { left } else { u64::MAX };
        let most = usize::try_from(left.min(in_front)).unwrap_or(usize::MAX);
        let rows = (bytes.len() / stride).min(self.columns.room()).min(most);
        let records = bytes[..rows * stride].chunks_exact(stride);
        let added = self.columns.push_uniform(records, template, self.position.record)?;
        if added > 0 {
            self.settle(added as u64)?;
        }
        Ok(added * stride)
    }

    /// Tells the columns how many rows may come. `bytes` of the input are at hand.
    fn reserve(&mut self, bytes: &[u8]) {
        let left = self.end.map(|end| end.saturating_sub(self.position.offset).max(bytes.len() as u64));
        self.columns.reserve(&self.plan, left);
    }

    /// Counts one record, of which this is the number.
    fn next_number(&mut self) -> u64 {
        self.records += 1;
        self.position.record += 1;
        self.position.record - 1
    }

    /// Counts records that are done with.
    fn count(&mut self, records: u64) {
        self.position.record += records;
        self.records += records;
        self.position.rows = 0;
        self.position.left = self.position.left.minus(records);
        self.state = State::START;
    }

    /// Counts records that became rows without a fault.
    fn settle(&mut self, records: u64) -> Result<()> {
        self.end_run()?;
        self.count(records);
        if self.stop.is_none_or(|stop| self.position.offset >= stop) {
            self.good = self.good.saturating_add(records);
        }
        Ok(())
    }

    /// Decodes one record, or a run of records of one form, or some more of a record that is
    /// skipped. 0: more bytes are needed, or a flush.
    fn decode_some(&mut self, view: View<'_>) -> Result<usize> {
        let bytes = view.bytes;
        // A bad record is tried on the columns as well.
        self.reserve(bytes);
        match self.state {
            State::Start { .. } if self.position.left == Left::Known(0) && self.position.tail > 0 => {
                let (skipper, start) = (Skipper::of(self.position.tail), self.position.offset);
                self.state = State::Skip { fault: None, skipper, start };
                self.skip_on(view)
            }
            State::Start { .. } if self.position.left == Left::Known(0) => self.walk_on(view),
            State::Way { .. } => self.walk_on(view),
            State::Start { .. } => {
                let is_run = |template: &mut Template| bytes.len() >= 2 * template.stride();
                if let Some(template) = self.template.take_if(is_run) {
                    let taken = self.decode_run(&template, bytes)?;
                    self.template = Some(template);
                    if taken > 0 {
                        return Ok(taken);
                    }
                }
                self.decode_record(view)
            }
            State::Skip { .. } => self.skip_on(view),
            State::Lost { .. } => self.find_next(view),
            State::Diverged => Ok(0),
        }
    }

    fn decode_record(&mut self, view: View<'_>) -> Result<usize> {
        let framed =
            self.plan.prefix.map(|prefix| prefix.frame(view.bytes, self.plan.options.max_record_bytes));
        let (bytes, lead) = match framed {
            None => (view.bytes, 0),
            Some(Framed::Record(record, lead)) => (record, lead),
            Some(Framed::Short(least)) => {
                self.state = State::Start { least };
                return Ok(self.ask(least));
            }
            Some(Framed::TooLong(length)) => return self.bad(Fault::too_large(length), view),
            Some(Framed::NoLength) => return self.give_up(0, "bytes that are no length"),
        };
        let mut cursor = Cursor::starting_at(bytes, lead);
        let mut pushed = self.push_record(&mut cursor);
        if self.plan.prefix.is_some() {
            pushed = within_length(pushed, &cursor);
        }
        let length = cursor.at() as u64;
        if pushed.is_err() || length > self.plan.options.max_record_bytes {
            self.columns.roll_back();
        }
        match pushed {
            Ok(Pushed::Rows) => Ok(cursor.at()),
            Ok(_) if length > self.plan.options.max_record_bytes => self.bad(Fault::too_large(length), view),
            Ok(Pushed::Partly) => Ok(self.ask(length)),
            Ok(Pushed::Whole(template)) => {
                let faults = std::mem::take(&mut self.columns.faults);
                if !faults.is_empty()
                    && let Some(taken) = self.leave_damage(view)
                {
                    self.columns.roll_back();
                    return taken;
                }
                self.columns.commit();
                if faults.is_empty() {
                    self.template = template.or_else(|| self.template.take());
                    self.settle(1)?;
                } else {
                    for fault in faults {
                        self.reject(&fault, self.position.offset, length)?;
                    }
                    self.count(1);
                }
                Ok(cursor.at())
            }
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Broken(Broken::Short(least))) => self.wait_for_record(least, view),
            Err(Stop::Broken(Broken::Reserved(at))) => self.leave_reserved(at, view),
            Err(Stop::NotMessagePack(found)) => self.leave_messagepack(found, view),
            Err(Stop::Fault(fault)) => self.bad(fault, view),
        }
    }

    /// Asks for the rest of the record at the start of `bytes`, which takes at least this many bytes.
    fn wait_for_record(&mut self, least: u64, view: View<'_>) -> Result<usize> {
        let bytes = view.bytes;
        let mut cursor = Cursor::new(bytes);
        let skipped = (0..self.plan.objects()).try_for_each(|_| cursor.skip());
        let least = match skipped {
            Err(Broken::Reserved(at)) => return self.leave_reserved(at, view),
            Err(Broken::Short(more)) => more.max(least),
            Ok(()) => least,
        };
        if least > self.plan.options.max_record_bytes {
            return self.bad(Fault::too_large(least), view);
        }
        if view.ended
            && let Some(taken) = self.leave_damage(view)
        {
            return taken;
        }
        let has_waited = matches!(self.state, State::Start { least: 1.. });
        self.state = State::Start { least };
        // Twice as many bytes where the end is not known, so that looking again costs little.
        let length = bytes.len() as u64;
        let is_open = has_waited || least <= length + MAX_HEAD as u64;
        Ok(self.ask(if is_open { least.max(2 * length) } else { least }.max(self.usual as u64)))
    }

    /// Where the record or the document at hand begins, of which bytes may have been taken.
    fn start(&self) -> u64 {
        match self.state {
            State::Skip { fault: Some(_), start, .. } => start,
            State::Way { start, .. } | State::Lost { start, .. } => start,
            State::Start { .. } | State::Skip { .. } | State::Diverged => self.position.offset,
        }
    }

    /// Asks for this many bytes.
    fn ask(&mut self, needed: u64) -> usize {
        self.needed = usize::try_from(needed).unwrap_or(usize::MAX);
        0
    }

    /// Ends the input. `rest` bytes at its end were not taken by [`decode`](Self::decode): they are part of a record
    /// that is cut off, or cannot be read. Record 0 of another input comes next.
    pub fn finish(&mut self, rest: u64) -> Result<()> {
        let end = self.position.offset + rest;
        self.end_run()?;
        let start = self.start();
        let truncated = |expected: &str, found| Some(Fault::of_input(RejectKind::Truncated, expected, found));
        let bytes = text::bytes(end - start);
        let fault = match std::mem::replace(&mut self.state, State::START) {
            State::Start { .. } | State::Diverged if rest == 0 && self.position.tail == 0 => {
                match self.position.left {
                    Left::Known(left @ 1..) => {
                        let framing = self.plan.framing.as_str();
                        let expected = format!("{left} more of the records that the {framing} announces");
                        truncated(&expected, "none".to_owned())
                    }
                    _ => None,
                }
            }
            State::Start { least: 0 } | State::Diverged | State::Skip { fault: Some(_), .. } => {
                truncated("a whole record", bytes)
            }
            State::Start { least } => truncated(&format!("at least {}", text::bytes(least)), bytes),
            State::Way { .. } => truncated("the records", bytes),
            State::Skip { .. } => truncated("the object that holds the records", "a part of it".to_owned()),
            State::Lost { fault, .. } => {
                let is_cut = fault.kind == RejectKind::Truncated;
                let found = if is_cut { bytes } else { fault.found.to_string() };
                Some(Fault::of_input(fault.kind, fault.expected(&self.plan), found))
            }
        };
        if let Some(fault) = fault {
            self.reject(&fault, start, end - start)?;
            self.records += 1;
        }
        self.position = Position::start(&self.plan);
        (self.end, self.needed, self.good, self.table) = (None, MAX_HEAD, u64::MAX, None);
        self.damage = None;
        Ok(())
    }

    /// Ends the input, of which the rest cannot be read for this reason. `rest` bytes are at hand and
    /// not taken.
    pub(crate) fn finish_damaged(&mut self, rest: u64, reason: std::io::Error) -> Result<()> {
        let fault = Fault::of_input(RejectKind::Invalid, "the rest of the input", reason.to_string());
        self.state = State::Lost { fault, start: self.start() };
        self.finish(rest)
    }

    /// How many records there were since the last call, good or bad.
    pub(crate) fn take_records(&mut self) -> u64 {
        std::mem::take(&mut self.records)
    }

    /// The rejects since the batch before, without the rows.
    pub(crate) fn take_rejects(&mut self) -> Rejects {
        std::mem::replace(&mut self.rejects, Rejects::new(self.plan.options.max_rejects))
    }

    /// The rows so far, with the rejects; `None` where there is neither.
    pub fn flush(&mut self) -> Result<Option<Decoded>> {
        let rejects = self.take_rejects();
        if self.columns.rows == 0 && rejects.count() == 0 {
            return Ok(None);
        }
        let batch = self.columns.finish(&self.plan)?;
        Ok(Some(Decoded { batch, rejects }))
    }

    /// Rejects the run of numbers in front of the position, if there is one.
    fn end_run(&mut self) -> Result<()> {
        // Asked for each record: nothing is moved where there is no run.
        if self.run.is_some()
            && let Some(run) = self.run.take()
        {
            self.reject_at(&run.fault, run.record, run.start, run.end - run.start)?;
        }
        Ok(())
    }

    /// Rejects the current record: an error, or a reject.
    fn reject(&mut self, fault: &Fault, offset: u64, length: u64) -> Result<()> {
        self.end_run()?;
        self.reject_at(fault, self.position.record, offset, length)
    }

    fn reject_at(&mut self, fault: &Fault, record: u64, offset: u64, length: u64) -> Result<()> {
        let (plan, file) = (&self.plan, &self.columns.name);
        let latest = &mut self.latest;
        let mut reject = || {
            latest.take_if(|(of, _)| of != fault);
            let (_, texts) = latest.get_or_insert_with(|| (fault.clone(), fault.reject(plan)));
            Reject { file: file.clone(), record, offset, length, ..texts.clone() }
        };
        if plan.options.on_error == OnError::Raise {
            let mut reject = reject();
            if let Some(hint) = fault.hint(plan) {
                reject.found = format!("{} ({hint})", reject.found).into();
            }
            return Err(ErrorKind::Decode(reject).into());
        }
        self.rejects.push(fault.kind, reject);
        self.good = 0;
        Ok(())
    }
}

impl Decoded {
    /// Numbers the records from `first` on instead of from 0, and makes ids of the numbers: they are in the
    /// input with this number.
    pub(crate) fn renumber(&mut self, plan: &Plan, first: u64, input: u64) -> Result<()> {
        self.rejects.renumber(first);
        let high = i64::try_from(input << RECORD_BITS).unwrap_or_default();
        let id = |record: i64| {
            let record = record.checked_add_unsigned(first).filter(|record| record >> RECORD_BITS == 0);
            record.map(|record| high | record).ok_or_else(|| {
                Error::option(format!(
                    "option `include_id`: an id has {RECORD_BITS} bits for the number of a record"
                ))
            })
        };
        let is_numbered = |column: &Column| match column.role {
            Role::Record => first > 0,
            Role::Id => true,
            _ => false,
        };
        if !plan.columns.iter().any(is_numbered) {
            return Ok(());
        }
        let mut arrays = self.batch.columns().to_vec();
        for (column, array) in plan.columns.iter().zip(&mut arrays) {
            match column.role {
                Role::Record => {
                    let records = array.as_primitive::<UInt64Type>();
                    *array = Arc::new(records.unary::<_, UInt64Type>(|record| record + first));
                }
                Role::Id => {
                    let records = array.as_primitive::<Int64Type>();
                    *array = Arc::new(records.try_unary::<_, Int64Type, _>(id)?);
                }
                _ => {}
            }
        }
        self.batch = RecordBatch::try_new(self.batch.schema(), arrays)?;
        Ok(())
    }
}
