//! Bytes and a plan become record batches and rejects. No input, no threads.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::{ErrorKind, Result};
use crate::msgpack::{HeadError, MAX_HEAD, Skipped, Skipper};
use crate::options::{OnError, ReadOptions};
use crate::record::{Lead, Plan, Record, VECTOR};
use crate::reject::{Reject, RejectKind, Rejects};
use crate::vector::VectorBuilder;

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
/// let decoded = decoder.flush()?.expect("a row");
/// assert_eq!((decoded.batch.num_rows(), decoder.decode(&bytes[10..])?), (1, 0));
/// # Ok::<(), vecpack::Error>(())
/// ```
pub struct Decoder {
    plan: Arc<Plan>,
    builder: VectorBuilder,
    /// Number and offset of the record that the next byte belongs to.
    record: u64,
    offset: u64,
    /// How many bytes the input may still hold, to size the batches.
    remaining: Option<u64>,
    /// The lead of the record before, which the next ones most likely share.
    lead: Option<Lead>,
    state: State,
    needed: usize,
    rejects: Rejects,
}

enum State {
    /// At the start of a record.
    Start,
    /// Inside a record that is no row.
    Skip { kind: RejectKind, record: Record, skipper: Skipper, start: u64 },
    /// Behind bytes that are not MessagePack.
    Invalid { start: u64, at: u64 },
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
    /// A decoder of vectors of `dim` elements.
    pub fn new(dim: u32, options: &ReadOptions) -> Result<Self> {
        Ok(Self::with_plan(Arc::new(Plan::new(dim, options)?)))
    }

    pub(crate) fn with_plan(plan: Arc<Plan>) -> Self {
        Self {
            builder: plan.builder(),
            record: 0,
            offset: 0,
            remaining: None,
            lead: None,
            state: State::Start,
            needed: MAX_HEAD,
            rejects: Rejects::new(plan.max_rejects),
            plan,
        }
    }

    /// Begins at another place: the first byte to come is at `offset` of its file and begins record number `record`.
    /// `remaining` is how many bytes the input holds from there, if that is known.
    pub(crate) fn at(mut self, offset: u64, record: u64, remaining: Option<u64>) -> Self {
        (self.offset, self.record, self.remaining) = (offset, record, remaining);
        self
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema.clone()
    }

    /// Number of the record that comes next.
    pub(crate) fn record(&self) -> u64 {
        self.record
    }

    /// The lead of the last good record.
    pub(crate) fn lead(&self) -> Option<Lead> {
        self.lead
    }

    /// Offset of the first byte that is not done with.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// True when [`flush`](Self::flush) must be called before more is decoded.
    pub fn is_full(&self) -> bool {
        self.builder.rows() > 0 && self.builder.room() == 0
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
        let begin = self.offset;
        let mut left = bytes;
        self.needed = MAX_HEAD;
        while !left.is_empty() && !self.is_full() {
            let taken = self.decode_some(left)?;
            if taken == 0 {
                break;
            }
            self.offset += taken as u64;
            left = &left[taken..];
        }
        Ok((self.offset - begin) as usize)
    }

    /// Decodes records as long as they begin with `lead` and their elements fit, and gives how many bytes they took.
    pub(crate) fn decode_uniform(&mut self, lead: &Lead, bytes: &[u8]) -> Result<usize> {
        let taken = self.decode_run(lead, bytes)?;
        self.offset += taken as u64;
        Ok(taken)
    }

    fn decode_run(&mut self, lead: &Lead, bytes: &[u8]) -> Result<usize> {
        self.reserve(bytes.len())?;
        let stride = lead.stride();
        let rows = (bytes.len() / stride).min(self.builder.room());
        let added = self.builder.push_uniform(bytes[..rows * stride].chunks_exact(stride), lead.as_slice());
        self.record += added as u64;
        Ok(added * stride)
    }

    /// One record, or a run of equal ones, or some more of a record that is no row. 0: more bytes are needed.
    fn decode_some(&mut self, bytes: &[u8]) -> Result<usize> {
        match &mut self.state {
            State::Start => {
                if let Some(lead) = self.lead.filter(|lead| bytes.len() >= 2 * lead.stride()) {
                    let taken = self.decode_run(&lead, bytes)?;
                    if taken > 0 {
                        return Ok(taken);
                    }
                }
                self.decode_record(bytes)
            }
            State::Skip { skipper, .. } => {
                let skipped = skipper.skip(bytes);
                self.skipped(skipped, bytes)
            }
            State::Invalid { .. } => Ok(0),
        }
    }

    fn decode_record(&mut self, bytes: &[u8]) -> Result<usize> {
        let record = match Record::read(bytes) {
            Ok(record) => record,
            Err(HeadError::Incomplete) => return Ok(0),
            Err(HeadError::Reserved) => return self.invalid(0, bytes),
        };
        let lead = match (self.plan.fault(&record), &record) {
            (None, Record::Vector(lead)) => *lead,
            (kind, _) => {
                let kind = kind.unwrap_or(RejectKind::Type);
                let mut skipper = Skipper::new();
                let skipped = skipper.skip(bytes);
                self.state = State::Skip { kind, record, skipper, start: self.offset };
                return self.skipped(skipped, bytes);
            }
        };
        let Some(whole) = bytes.get(..lead.stride()) else {
            self.needed = lead.stride();
            return Ok(0);
        };
        self.reserve(bytes.len())?;
        let payload = &whole[lead.as_slice().len()..];
        match self.builder.push(payload) {
            Ok(()) => {
                self.lead = Some(lead);
                self.record += 1;
            }
            Err(index) => {
                let plan = self.plan.clone();
                let describe = || plan.describe_element(payload, index);
                self.reject(RejectKind::Value, self.offset, whole.len() as u64, describe)?;
                self.push_null()?;
            }
        }
        Ok(whole.len())
    }

    /// Goes on after some bytes of a record that is no row.
    fn skipped(&mut self, skipped: Skipped, bytes: &[u8]) -> Result<usize> {
        match skipped {
            Skipped::More(taken) => Ok(taken),
            Skipped::Reserved(taken) => self.invalid(taken, bytes),
            Skipped::Done(taken) => {
                if let State::Skip { kind, record, start, .. } =
                    std::mem::replace(&mut self.state, State::Start)
                {
                    let plan = self.plan.clone();
                    let length = self.offset + taken as u64 - start;
                    self.reject(kind, start, length, || plan.describe(kind, &record))?;
                    self.push_null()?;
                }
                Ok(taken)
            }
        }
    }

    /// Notes that the current record is not MessagePack after `taken` of the `bytes`.
    fn invalid(&mut self, taken: usize, bytes: &[u8]) -> Result<usize> {
        let start = match self.state {
            State::Skip { start, .. } => start,
            _ => self.offset,
        };
        self.state = State::Invalid { start, at: self.offset + taken as u64 };
        if self.plan.on_error == OnError::Raise {
            self.finish(bytes.len() as u64)?;
        }
        Ok(taken)
    }

    /// Ends the input. `rest` is how many of its bytes [`decode`](Self::decode) did not take: they are part of a record that
    /// is cut off, or of what could not be read. What comes next is record 0 of another input.
    pub fn finish(&mut self, rest: u64) -> Result<()> {
        let end = self.offset + rest;
        match std::mem::replace(&mut self.state, State::Start) {
            State::Start if rest == 0 => {}
            State::Start => {
                // Only a record whose length is known asks for more than a head.
                let expected = if self.needed > MAX_HEAD {
                    format!("{} bytes", self.needed)
                } else {
                    "a whole record".to_owned()
                };
                self.reject(RejectKind::Truncated, self.offset, rest, || {
                    (expected, format!("{rest} bytes"))
                })?;
            }
            State::Skip { start, .. } => {
                let found = || ("a whole record".to_owned(), format!("{} bytes", end - start));
                self.reject(RejectKind::Truncated, start, end - start, found)?;
            }
            State::Invalid { start, at } => {
                let found = || ("a MessagePack object".to_owned(), format!("the byte 0xc1 at byte {at}"));
                self.reject(RejectKind::Invalid, start, end - start, found)?;
            }
        }
        (self.offset, self.record, self.remaining, self.needed) = (0, 0, None, MAX_HEAD);
        Ok(())
    }

    /// The rows so far, with what was rejected; `None` where there is neither.
    pub fn flush(&mut self) -> Result<Option<Decoded>> {
        let rejects = std::mem::replace(&mut self.rejects, Rejects::new(self.plan.max_rejects));
        if self.builder.rows() == 0 && rejects.count() == 0 {
            return Ok(None);
        }
        let batch = RecordBatch::try_new(self.schema(), vec![self.builder.finish()?])?;
        Ok(Some(Decoded { batch, rejects }))
    }

    /// Deals with the current record, which is no row: an error, or a reject.
    fn reject(
        &mut self,
        kind: RejectKind,
        offset: u64,
        length: u64,
        describe: impl FnOnce() -> (String, String),
    ) -> Result<()> {
        let record = self.record;
        self.record += 1;
        let reject = || {
            let (expected, found) = describe();
            let field = match kind {
                RejectKind::Truncated | RejectKind::Invalid => None,
                _ => Some(VECTOR.into()),
            };
            Reject { file: "".into(), record, offset, length, field, kind, expected, found }
        };
        if self.plan.on_error == OnError::Raise {
            return Err(ErrorKind::Decode(reject()).into());
        }
        self.rejects.push(reject);
        Ok(())
    }

    /// Under [`OnError::Null`], a row in the place of the record.
    fn push_null(&mut self) -> Result<()> {
        if self.plan.on_error == OnError::Null {
            self.reserve(0)?;
            self.builder.push_null();
        }
        Ok(())
    }

    /// Memory for the batch, no more than the rows that the input can still hold.
    fn reserve(&mut self, at_hand: usize) -> Result<()> {
        let smallest = match self.plan.on_error {
            // Anything can become a row.
            OnError::Null => 1,
            _ => self.plan.payload() as u64 + 1,
        };
        let hold = self.remaining.map_or(u64::MAX, |bytes| bytes.max(at_hand as u64) / smallest + 1);
        let rows = usize::try_from(hold).unwrap_or(usize::MAX).min(self.plan.batch_rows);
        self.builder.reserve(rows)
    }
}
