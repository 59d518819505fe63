//! Records that could not become rows, kept as data.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// Why a record could not become a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectKind {
    /// The input ends inside the record.
    Truncated,
    /// The vector has another length than the column.
    Dimension,
    /// The record holds another MessagePack type than a vector is written with.
    Type,
    /// A number does not fit the element type of the column.
    Value,
    /// The bytes are not MessagePack; the rest of their file cannot be read.
    Invalid,
    /// The record is larger than `max_record_bytes`, or a value than its column can hold.
    TooLarge,
    /// The record is written in a way that is known and cannot be read.
    Unsupported,
}

impl RejectKind {
    /// The word that stands in the `kind` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Dimension => "dimension",
            Self::Type => "type",
            Self::Value => "value",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One record that could not become a row: where it lies, what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The file or buffer, as the user named it.
    pub file: Arc<str>,
    /// Number of the record in its file, from 0.
    pub record: u64,
    /// Offset of the record's first byte in its file, from 0.
    pub offset: u64,
    /// How many bytes the record takes.
    pub length: u64,
    /// The field at fault.
    pub field: Option<Arc<str>>,
    /// Why it was rejected.
    pub kind: RejectKind,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub found: String,
}

impl Reject {
    /// The reason alone, without the position.
    pub fn reason(&self) -> String {
        let Self { expected, found, .. } = self;
        match self.kind {
            RejectKind::Truncated => {
                format!("the input ends inside the record: expected {expected}, found {found}")
            }
            RejectKind::Invalid => {
                format!(
                    "not MessagePack, the rest of the file cannot be read: expected {expected}, found {found}"
                )
            }
            _ => format!("expected {expected}, found {found}"),
        }
    }
}

/// `file: record 4187 (byte 51412990, field `vector`): expected 2048 bytes, found 2047 bytes`
impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}: ", self.file)?;
        }
        write!(f, "record {} (byte {}", self.record, self.offset)?;
        if let Some(field) = &self.field {
            write!(f, ", field `{field}`")?;
        }
        write!(f, "): {}", self.reason())
    }
}

/// What was rejected during a scan: an exact count, and the details of the first ones.
#[derive(Debug, Clone, Default)]
pub struct Rejects {
    details: Vec<Reject>,
    count: u64,
    keep: usize,
}

impl Rejects {
    /// An empty list that will keep the details of the first `keep` rejects.
    pub fn new(keep: usize) -> Self {
        Self { details: Vec::new(), count: 0, keep }
    }

    /// How many records were rejected. Exact, also beyond the details.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first rejects, in the order of their files and records.
    pub fn details(&self) -> &[Reject] {
        &self.details
    }

    /// The schema of [`to_record_batch`](Self::to_record_batch).
    pub fn schema() -> SchemaRef {
        let text = |name| Field::new(name, DataType::Utf8, false);
        let number = |name| Field::new(name, DataType::UInt64, false);
        Arc::new(Schema::new(vec![
            text("file"),
            number("record"),
            number("offset"),
            number("length"),
            Field::new("field", DataType::Utf8, true),
            text("kind"),
            text("expected"),
            text("found"),
            text("message"),
        ]))
    }

    /// The details as an Arrow record batch, one row a reject.
    pub fn to_record_batch(&self) -> RecordBatch {
        let rows = &self.details;
        let text = |of: fn(&Reject) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
        };
        let number = |of: fn(&Reject) -> u64| -> ArrayRef {
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(of)))
        };
        let columns: Vec<ArrayRef> = vec![
            text(|r| &r.file),
            number(|r| r.record),
            number(|r| r.offset),
            number(|r| r.length),
            Arc::new(StringArray::from_iter(rows.iter().map(|r| r.field.as_deref()))),
            text(|r| r.kind.as_str()),
            text(|r| &r.expected),
            text(|r| &r.found),
            Arc::new(StringArray::from_iter_values(rows.iter().map(Reject::reason))),
        ];
        // The columns are built from this very schema: a mismatch cannot come from input.
        RecordBatch::try_new(Self::schema(), columns)
            .unwrap_or_else(|_| RecordBatch::new_empty(Self::schema()))
    }

    /// True while the details of a further reject would be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.details.len() < self.keep
    }

    pub(crate) fn push(&mut self, reject: impl FnOnce() -> Reject) {
        self.count += 1;
        if self.has_room() {
            self.details.push(reject());
        }
    }

    /// Numbers the records from `first` on instead of from 0.
    pub(crate) fn renumber(&mut self, first: u64) {
        self.details.iter_mut().for_each(|reject| reject.record += first);
    }

    /// Adds what was rejected later in the input, in `file`.
    pub(crate) fn append(&mut self, later: Rejects, file: &Arc<str>) {
        self.count += later.count;
        let room = self.keep.saturating_sub(self.details.len());
        self.details.extend(
            later.details.into_iter().take(room).map(|reject| Reject { file: file.clone(), ..reject }),
        );
    }
}
