//! What a record is: today a bare vector, stored as `bin` or as the old raw type (`str`). From the records comes the plan
//! "this goes into that column", and from the plan the schema.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::msgpack::{Head, HeadError, MAX_HEAD, Skipped, Skipper};
use crate::options::{OnError, ReadOptions};
use crate::reject::RejectKind;
use crate::vector::{Dtype, RawDtype, VectorBuilder};

/// The name of a bare vector's column.
pub(crate) const VECTOR: &str = "vector";

/// Which columns a scan produces, and how records fill them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) dim: usize,
    pub(crate) raw: RawDtype,
    pub(crate) dtype: Dtype,
    pub(crate) on_error: OnError,
    pub(crate) max_rejects: usize,
    pub(crate) max_record_bytes: u64,
    /// Upper bound for the rows of a batch.
    pub(crate) batch_rows: usize,
    pub(crate) schema: SchemaRef,
}

/// A batch of this many rows, or a multiple, fills whole pages and whole vectors of the engines that read it.
const ROUND_ROWS: usize = 2048;

impl Plan {
    pub(crate) fn new(dim: u32, options: &ReadOptions) -> Result<Self> {
        options.check()?;
        if dim == 0 {
            return Err(Error::option("dim must be at least 1"));
        }
        let length =
            i32::try_from(dim).map_err(|_| Error::option(format!("dim {dim} is larger than 2^31 - 1")))?;
        let nullable = options.on_error == OnError::Null;
        let field = Field::new(VECTOR, VectorBuilder::data_type(length, options.dtype), nullable);
        let dim = dim as usize;
        let by_bytes = (options.batch_bytes / (dim * options.dtype.size()).max(1)).max(1);
        let rows = by_bytes.min(options.batch_rows.unwrap_or(usize::MAX));
        let batch_rows = if rows > ROUND_ROWS { rows - rows % ROUND_ROWS } else { rows };
        Ok(Self {
            dim,
            raw: options.raw_dtype,
            dtype: options.dtype,
            on_error: options.on_error,
            max_rejects: options.max_rejects,
            max_record_bytes: options.max_record_bytes,
            batch_rows,
            schema: Arc::new(Schema::new(vec![field])),
        })
    }

    /// Bytes a vector takes in the input.
    pub(crate) fn payload(&self) -> usize {
        self.dim * self.raw.size()
    }

    pub(crate) fn builder(&self) -> VectorBuilder {
        VectorBuilder::new(self.dim, self.raw, self.dtype, self.on_error == OnError::Null)
    }

    /// Says what a record should have been.
    pub(crate) fn expected(&self) -> String {
        format!("{} bytes ({} x {})", self.payload(), self.dim, self.raw)
    }
}

/// The bytes that stand before the payload of a vector record.
///
/// Records that begin with the same `Lead` have the same length, so where one of them is followed by others like it, their
/// places are known without walking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lead {
    bytes: [u8; MAX_HEAD],
    length: u8,
    payload: u32,
}

impl Lead {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length.into()]
    }

    /// Bytes from the start of one record to the start of the next.
    pub(crate) fn stride(&self) -> usize {
        usize::from(self.length) + self.payload as usize
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x?} + {}", self.as_slice(), self.payload)
    }
}

/// What a record that begins at some byte turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    /// A vector: `lead`, then its payload. Whether all of the payload is there is for the caller to see.
    Vector(Lead),
    /// Something else, to be stepped over.
    Other(Head),
}

impl Record {
    /// Reads what the record at the start of `bytes` is. Only the head need be there.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, HeadError> {
        let (head, size) = Head::read(bytes)?;
        let (Head::Bin(payload) | Head::Str(payload)) = head else {
            return Ok(Self::Other(head));
        };
        let mut lead = Lead { bytes: [0; MAX_HEAD], length: size as u8, payload };
        lead.bytes[..size].copy_from_slice(&bytes[..size]);
        Ok(Self::Vector(lead))
    }
}

/// Finds the dimension: that of the first record that could be a vector. Push, as the decoder is.
pub(crate) struct Inference {
    raw: RawDtype,
    max_record_bytes: u64,
    skipper: Option<Skipper>,
    /// Records looked at that were no vectors.
    passed: u64,
    limit: u64,
    /// What stood where the first vector should be, for the error message.
    first: Option<String>,
}

/// How far [`Inference::infer`] came.
pub(crate) enum Inferred {
    Dim(u32),
    /// So many bytes are done with; more are needed.
    Consumed(usize),
    /// Nothing further can be learned from this input.
    Unreadable,
    /// `infer_records` records were looked at.
    Exhausted,
}

impl Inference {
    pub(crate) fn new(options: &ReadOptions) -> Self {
        Self {
            raw: options.raw_dtype,
            max_record_bytes: options.max_record_bytes,
            skipper: None,
            passed: 0,
            limit: options.infer_records,
            first: None,
        }
    }

    /// Looks at the next bytes of an input.
    pub(crate) fn infer(&mut self, bytes: &[u8]) -> Inferred {
        let mut at = 0;
        loop {
            if self.skipper.is_none() {
                if self.limit != 0 && self.passed == self.limit {
                    return Inferred::Exhausted;
                }
                match Record::read(&bytes[at..]) {
                    Err(HeadError::Incomplete) => return Inferred::Consumed(at),
                    Err(HeadError::Reserved) => {
                        self.pass("the byte 0xc1, which no MessagePack encoder writes");
                        return Inferred::Unreadable;
                    }
                    Ok(Record::Vector(lead)) if self.is_good(&lead) => {
                        // Only a record that is there in full: a length is a claim.
                        if bytes.len() - at < lead.stride() {
                            return Inferred::Consumed(at);
                        }
                        return Inferred::Dim(lead.payload / self.raw.size() as u32);
                    }
                    Ok(Record::Vector(lead)) if lead.stride() as u64 > self.max_record_bytes => {
                        self.pass(&format!("{} bytes, which is more than max_record_bytes", lead.payload));
                    }
                    Ok(Record::Vector(lead)) => self.pass(&format!("{} bytes", lead.payload)),
                    Ok(Record::Other(head)) => self.pass(&head.to_string()),
                }
                self.skipper = Some(Skipper::new());
            }
            let Some(skipper) = &mut self.skipper else { continue };
            match skipper.skip(&bytes[at..]) {
                Skipped::Done(bytes) => {
                    at += bytes;
                    self.skipper = None;
                }
                Skipped::More(bytes) => return Inferred::Consumed(at + bytes),
                Skipped::Reserved(_) => return Inferred::Unreadable,
            }
        }
    }

    /// Begins with another input. `rest` bytes at the end of the one before were not consumed: a record that is cut off.
    pub(crate) fn next_input(&mut self, rest: u64) {
        // A record that is being stepped over has been noted.
        if self.skipper.take().is_none() && rest > 0 {
            self.pass("cut off");
        }
    }

    fn is_good(&self, lead: &Lead) -> bool {
        let size = self.raw.size();
        lead.payload > 0
            && (lead.payload as usize).is_multiple_of(size)
            && i32::try_from(lead.payload as usize / size).is_ok()
            && lead.stride() as u64 <= self.max_record_bytes
    }

    fn pass(&mut self, found: &str) {
        self.passed += 1;
        if self.first.is_none() {
            self.first = Some(found.to_owned());
        }
    }

    /// True while so many bytes of a stream may be held to find the dimension.
    pub(crate) fn may_hold(&self, bytes: usize) -> bool {
        bytes as u64 <= self.max_record_bytes.saturating_add(1 << 20)
    }

    /// Why the dimension is not known.
    pub(crate) fn failure(&self) -> Error {
        match &self.first {
            None => Error::schema("the inputs hold no record, so the dimension is not known: pass `dim`"),
            Some(first) => Error::schema(format!(
                "none of the first {} records is a vector stored as a multiple of {} bytes ({}); the first one is {first}: \
                 pass `dim`, or check `raw_dtype`",
                self.passed,
                self.raw.size(),
                self.raw,
            )),
        }
    }
}

impl Plan {
    /// Why a record with this head is no row, if that shows in its head.
    pub(crate) fn fault(&self, record: &Record) -> Option<RejectKind> {
        match record {
            Record::Vector(lead) if lead.stride() as u64 > self.max_record_bytes => {
                Some(RejectKind::TooLarge)
            }
            Record::Vector(lead) if lead.payload as usize == self.payload() => None,
            Record::Vector(_) => Some(RejectKind::Dimension),
            Record::Other(_) => Some(RejectKind::Type),
        }
    }

    /// What was expected and what was found where [`fault`](Self::fault) found a fault.
    pub(crate) fn describe(&self, kind: RejectKind, record: &Record) -> (String, String) {
        let expected = match kind {
            RejectKind::TooLarge => format!("at most {} bytes (max_record_bytes)", self.max_record_bytes),
            RejectKind::Type => format!("a vector of {}", self.expected()),
            _ => self.expected(),
        };
        let found = match record {
            Record::Vector(lead) if kind == RejectKind::TooLarge => {
                format!("a record of {} bytes", lead.stride())
            }
            Record::Vector(lead) => format!("{} bytes", lead.payload),
            Record::Other(head) => head.to_string(),
        };
        (expected, found)
    }

    /// What was expected and found where element `index` of `payload` does not fit.
    pub(crate) fn describe_element(&self, payload: &[u8], index: usize) -> (String, String) {
        let found = payload.chunks_exact(self.raw.size()).nth(index).map(|bytes| self.raw.show(bytes));
        let found = format!("{} in element {index}", found.unwrap_or_default());
        (format!("numbers that fit {}", self.dtype), found)
    }
}
