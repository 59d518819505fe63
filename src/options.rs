//! The read options: one struct, the same in Rust, Python and on the command line.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::vector::{Dtype, RawDtype};

/// What to do with a record that cannot become a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// End the scan with an error that names the record.
    #[default]
    Raise,
    /// Leave the record out and note a reject.
    Skip,
    /// Put a null in its place and note a reject. Bytes that are no whole record (a cut-off last record, bytes that are not
    /// MessagePack) are noted and give no row.
    Null,
}

impl OnError {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Raise, Self::Skip, Self::Null];

    /// The name that options use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raise => "raise",
            Self::Skip => "skip",
            Self::Null => "null",
        }
    }
}

impl FromStr for OnError {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.as_str() == name)
            .ok_or_else(|| Error::option(format!("on_error `{name}` is not known: use raise, skip or null")))
    }
}

/// How to read a source.
///
/// ```
/// use vecpack::{Dtype, OnError, ReadOptions};
///
/// let options = ReadOptions::new().with_dim(512).with_dtype(Dtype::Float16).with_on_error(OnError::Skip);
/// assert_eq!(options.dim, Some(512));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Elements a vector; taken from the first good record if not given, and then enforced on every record.
    pub dim: Option<u32>,
    /// Element type of the vector column.
    pub dtype: Dtype,
    /// How vectors stored as untyped bytes are to be read.
    pub raw_dtype: RawDtype,
    /// How many records inference may read to find the first good one; 0 reads all.
    pub infer_records: u64,
    /// What to do with a record that cannot become a row.
    pub on_error: OnError,
    /// How many rejects keep their details; the count is always exact.
    pub max_rejects: usize,
    /// The most rows in a batch; no bound if not given.
    pub batch_rows: Option<usize>,
    /// The most bytes of vectors in a batch (one row at least).
    pub batch_bytes: usize,
    /// How many threads decode, the caller's included; one a core if not given.
    pub threads: Option<usize>,
    /// The largest record that is read; a larger one is a reject, and is not held in memory.
    pub max_record_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            dim: None,
            dtype: Dtype::default(),
            raw_dtype: RawDtype::default(),
            infer_records: 1000,
            on_error: OnError::default(),
            max_rejects: 10_000,
            batch_rows: None,
            batch_bytes: 8 << 20,
            threads: None,
            max_record_bytes: 256 << 20,
        }
    }
}

impl ReadOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`dim`](Self::dim).
    pub fn with_dim(self, dim: u32) -> Self {
        Self { dim: Some(dim), ..self }
    }

    /// Sets [`dtype`](Self::dtype).
    pub fn with_dtype(self, dtype: Dtype) -> Self {
        Self { dtype, ..self }
    }

    /// Sets [`raw_dtype`](Self::raw_dtype).
    pub fn with_raw_dtype(self, raw_dtype: RawDtype) -> Self {
        Self { raw_dtype, ..self }
    }

    /// Sets [`infer_records`](Self::infer_records).
    pub fn with_infer_records(self, infer_records: u64) -> Self {
        Self { infer_records, ..self }
    }

    /// Sets [`on_error`](Self::on_error).
    pub fn with_on_error(self, on_error: OnError) -> Self {
        Self { on_error, ..self }
    }

    /// Sets [`max_rejects`](Self::max_rejects).
    pub fn with_max_rejects(self, max_rejects: usize) -> Self {
        Self { max_rejects, ..self }
    }

    /// Sets [`batch_rows`](Self::batch_rows).
    pub fn with_batch_rows(self, batch_rows: usize) -> Self {
        Self { batch_rows: Some(batch_rows), ..self }
    }

    /// Sets [`batch_bytes`](Self::batch_bytes).
    pub fn with_batch_bytes(self, batch_bytes: usize) -> Self {
        Self { batch_bytes, ..self }
    }

    /// Sets [`threads`](Self::threads).
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Sets [`max_record_bytes`](Self::max_record_bytes).
    pub fn with_max_record_bytes(self, max_record_bytes: u64) -> Self {
        Self { max_record_bytes, ..self }
    }

    /// Refuses values that no scan could honour.
    pub(crate) fn check(&self) -> Result<()> {
        let zero = |name: &str| Err(Error::option(format!("{name} must be at least 1")));
        match self {
            Self { dim: Some(0), .. } => zero("dim"),
            Self { dim: Some(dim), .. } if i32::try_from(*dim).is_err() => {
                Err(Error::option(format!("dim {dim} is larger than 2^31 - 1")))
            }
            Self { batch_rows: Some(0), .. } => zero("batch_rows"),
            Self { batch_bytes: 0, .. } => zero("batch_bytes"),
            Self { threads: Some(0), .. } => zero("threads"),
            Self { max_record_bytes: 0, .. } => zero("max_record_bytes"),
            _ => Ok(()),
        }
    }

    /// Threads that may decode at once, the caller's included.
    pub(crate) fn thread_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores)
    }
}
