//! Records that could not become rows, kept as data.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::text::{count, grouped};

/// Why a record could not become a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectKind {
    /// The vector has another length than the column.
    Dimension,
    /// The record holds another MessagePack type than a vector is written with.
    Type,
    /// A number does not fit the element type of the column.
    Value,
    /// The input ends inside the record.
    Truncated,
    /// The bytes are not MessagePack, or not as they stand: up to the next record that was found, or the end of the file.
    Invalid,
    /// The record is larger than `max_record_bytes`, or a value than its column can hold.
    TooLarge,
    /// The record is written in a way that is known and cannot be read.
    Unsupported,
    /// The input cannot be opened or read. Only a run of several processes goes on without it.
    Unreadable,
}

impl RejectKind {
    /// All of them, in the order in which they are declared and told.
    pub const ALL: [Self; 8] = [
        Self::Dimension,
        Self::Type,
        Self::Value,
        Self::Truncated,
        Self::Invalid,
        Self::TooLarge,
        Self::Unsupported,
        Self::Unreadable,
    ];

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
            Self::Unreadable => "unreadable",
        }
    }
}

/// One record that could not become a row: where it lies, what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub expected: Arc<str>,
    /// What was there.
    pub found: Arc<str>,
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
                format!("not MessagePack: expected {expected}, found {found}")
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

/// What was rejected during a scan: exact counts, and the details of the first ones.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Rejects {
    /// The first ones, and one at least.
    known: Vec<Reject>,
    /// Of each kind, in the order of [`RejectKind::ALL`].
    counts: [u64; RejectKind::ALL.len()],
    keep: usize,
    /// Records that were looked at.
    records: u64,
}

impl Rejects {
    /// An empty list that will keep the details of the first `keep` rejects.
    pub fn new(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    /// How many records were rejected. Exact, also beyond the details.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many were rejected of each kind that came. Exact, also beyond the details.
    pub fn kinds(&self) -> impl Iterator<Item = (RejectKind, u64)> + '_ {
        RejectKind::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// The first one. There whenever one was rejected, also where `max_rejects` keeps no details.
    pub fn first(&self) -> Option<&Reject> {
        self.known.first()
    }

    /// The first rejects, in the order of their files and records.
    pub fn details(&self) -> &[Reject] {
        &self.known[..self.keep.min(self.known.len())]
    }

    /// The first five in words, for a person.
    #[cfg(feature = "cli")]
    pub(crate) fn in_words(&self) -> Vec<String> {
        self.details().iter().take(5).map(Reject::to_string).collect()
    }

    /// How many records were looked at, good or bad. What is left out as damage counts as one.
    pub fn records(&self) -> u64 {
        self.records
    }

    pub(crate) fn saw(&mut self, records: u64) {
        self.records += records;
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

    /// How many details there are not, because more records were rejected than keep theirs.
    pub fn omitted(&self) -> u64 {
        self.count() - self.details().len() as u64
    }

    /// Number and kinds in a few words: `3 records rejected: 2 dimension, 1 truncated`.
    pub fn summary(&self) -> String {
        summary(self.count(), self.kinds().map(|(kind, count)| (kind.as_str(), count)))
    }

    /// The details as an Arrow record batch, one row a reject.
    pub fn to_record_batch(&self) -> RecordBatch {
        let rows = self.details();
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

    /// A sentence that says that no record became one of the `rows`, or that there are as many rejects as records, as where all
    /// rows hold nulls; `None` where neither is so.
    pub fn warning(&self, rows: u64) -> Option<String> {
        let line = self.line()?;
        let what = match rows {
            0 => "no record became a row",
            _ if self.count() >= self.records.max(rows) => "there are as many rejects as records",
            _ => return None,
        };
        Some(format!("{what}: {line}"))
    }

    /// How many records were rejected, and the first of them in words.
    pub(crate) fn line(&self) -> Option<String> {
        let first = self.first()?;
        Some(format!("{}; the first one: {first}", self.summary()))
    }

    /// The parts of a report: the number of rejects, the first of them in words, and [`warning`](Self::warning).
    #[cfg(feature = "python")]
    pub(crate) fn told(&self, rows: u64) -> (u64, Vec<String>, Option<String>) {
        (self.count(), self.in_words(), self.warning(rows))
    }

    /// How many more rejects are kept.
    fn room(&self) -> usize {
        self.keep.max(1).saturating_sub(self.known.len())
    }

    pub(crate) fn push(&mut self, kind: RejectKind, reject: impl FnOnce() -> Reject) {
        self.counts[kind as usize] += 1;
        if self.room() > 0 {
            self.known.push(reject());
        }
    }

    /// Numbers the records from `first` on instead of from 0.
    pub(crate) fn renumber(&mut self, first: u64) {
        self.known.iter_mut().for_each(|reject| reject.record += first);
    }

    /// Adds what was rejected elsewhere.
    pub(crate) fn merge(&mut self, other: Rejects) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.records += other.records;
        self.known.extend(other.known.into_iter().take(self.room()));
    }
}

/// `3 records rejected: 2 dimension, 1 truncated`.
pub(crate) fn summary<'a>(rejects: u64, kinds: impl Iterator<Item = (&'a str, u64)>) -> String {
    let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{} {kind}", grouped(count))).collect();
    let colon = if kinds.is_empty() { "" } else { ": " };
    format!("{} rejected{colon}{}", count(rejects, "record"), kinds.join(", "))
}

/// What to add to that: where the details are, and whether all of them.
pub(crate) fn listed(rejects: u64, listed: u64, file: Option<&Path>) -> String {
    let Some(file) = file.map(Path::display) else { return String::new() };
    if listed < rejects {
        return format!("; the first {} are in {file} (option `max_rejects`)", grouped(listed));
    }
    format!("; they are in {file}")
}

/// The limit of rejects, beyond which a scan fails: a number of records, or a share of them.
///
/// Its text is `1000` or `1%`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum FailAfter {
    /// A number of records.
    Rejects(u64),
    /// A share of all records, from 0 to 1. It is checked from [`FailAfter::SOON`] records on, and at
    /// the end.
    Share(f64),
}

impl FailAfter {
    /// The number of records from which on a share is checked. A share of fewer says little about all.
    pub const SOON: u64 = 1000;

    pub(crate) fn is_exceeded(self, rejects: u64, records: u64, end: bool) -> bool {
        match self {
            Self::Rejects(most) => rejects > most,
            Self::Share(share) => {
                (end || records >= Self::SOON) && rejects as f64 > share * records.max(rejects) as f64
            }
        }
    }
}

impl fmt::Display for FailAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejects(most) => write!(f, "{most}"),
            // As it was written: 0.07 is not quite 7 / 100.
            Self::Share(share) => write!(f, "{}%", (share * 1e10).round() / 1e8),
        }
    }
}

impl From<FailAfter> for String {
    fn from(limit: FailAfter) -> Self {
        limit.to_string()
    }
}
