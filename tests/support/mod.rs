//! What the integration tests share: making records, and taking scans apart.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod walk;

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::Deref;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use vecpack::{Error, ErrorKind, Input, OpenStream, Reader, Reject, RejectKind};

pub(crate) use self::walk::{WalkedChunk, walk};

/// A directory for a test. When the test ends well, every Parquet file in it is walked.
pub(crate) struct Directory(tempfile::TempDir, Cell<bool>);

pub(crate) fn directory() -> Directory {
    Directory(tempfile::tempdir().unwrap(), Cell::new(true))
}

impl Directory {
    /// For a test that leaves files which it has damaged itself.
    pub(crate) fn is_damaged(&self) {
        self.1.set(false);
    }
}

impl Deref for Directory {
    type Target = tempfile::TempDir;

    fn deref(&self) -> &tempfile::TempDir {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.1.get() && !std::thread::panicking() {
            walk::walk_directory(self.0.path());
        }
    }
}

/// The bytes of a row's elements; `None` for a null.
pub(crate) type Row = Option<Vec<u8>>;

/// How the head of a vector can be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Head {
    Bin8,
    Bin16,
    Bin32,
    FixStr,
    Str8,
    Str16,
    Str32,
}

impl Head {
    pub(crate) const ALL: [Self; 7] =
        [Self::Bin8, Self::Bin16, Self::Bin32, Self::Str8, Self::Str16, Self::Str32, Self::FixStr];

    /// A record of `payload`, which must be short enough for the head.
    pub(crate) fn record(self, payload: &[u8]) -> Vec<u8> {
        let length = payload.len() as u32;
        let short = |marker: u8| {
            assert!(length < 256);
            vec![marker, length as u8]
        };
        let medium = |marker: u8| [vec![marker], (length as u16).to_be_bytes().to_vec()].concat();
        let long = |marker: u8| [vec![marker], length.to_be_bytes().to_vec()].concat();
        let mut record = match self {
            Self::Bin8 => short(0xc4),
            Self::Bin16 => medium(0xc5),
            Self::Bin32 => long(0xc6),
            Self::FixStr => {
                assert!(length < 32);
                vec![0xa0 | length as u8]
            }
            Self::Str8 => short(0xd9),
            Self::Str16 => medium(0xda),
            Self::Str32 => long(0xdb),
        };
        record.extend(payload);
        record
    }
}

/// A record as Python's `msgpack.pack(vector.tobytes())` writes it.
pub(crate) fn record(vector: &[f32]) -> Vec<u8> {
    let payload = floats(vector);
    let head = match payload.len() {
        0..=255 => Head::Bin8,
        256..=65535 => Head::Bin16,
        _ => Head::Bin32,
    };
    head.record(&payload)
}

/// The bytes of these numbers.
pub(crate) fn floats(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// `count` records of `dim` numbers, all different.
pub(crate) fn records(count: usize, dim: usize) -> Vec<u8> {
    (0..count).flat_map(|row| record(&vector(row, dim))).collect()
}

/// The vectors that [`records`] writes.
pub(crate) fn vector(row: usize, dim: usize) -> Vec<f32> {
    (0..dim).map(|at| (row * dim + at) as f32).collect()
}

pub(crate) fn input(bytes: impl Into<Bytes>) -> Input {
    Input::bytes("records", bytes)
}

/// The rows of a batch.
pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let vectors = batch.column(0).as_fixed_size_list();
    let values = vectors.values().to_data();
    let size = values.data_type().primitive_width().unwrap();
    let row_bytes = size * vectors.value_length() as usize;
    let bytes = &values.buffers()[0].as_slice()[values.offset() * size..][..values.len() * size];
    let row = |at: usize| (!vectors.is_null(at)).then(|| bytes[at * row_bytes..][..row_bytes].to_vec());
    (0..vectors.len()).map(row).collect()
}

/// A row of float32.
pub(crate) fn row(vector: &[f32]) -> Row {
    Some(vector.iter().flat_map(|x| x.to_ne_bytes()).collect())
}

/// Where and why something was rejected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Note {
    pub(crate) file: String,
    pub(crate) record: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) kind: RejectKind,
}

impl From<&Reject> for Note {
    fn from(reject: &Reject) -> Self {
        let Reject { record, offset, length, kind, .. } = *reject;
        Self { file: reject.file.to_string(), record, offset, length, kind }
    }
}

/// All that a scan gave.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) rows: Vec<Row>,
    /// Rows of each batch.
    pub(crate) batches: Vec<usize>,
    pub(crate) notes: Vec<Note>,
    pub(crate) error: Option<Error>,
}

/// Reads to the end, or to the error.
pub(crate) fn drain(mut reader: Reader) -> Scan {
    let (mut rows, mut batches, mut error) = (Vec::new(), Vec::new(), None);
    loop {
        match reader.next_batch() {
            Ok(None) => break,
            Ok(Some(batch)) => {
                assert_eq!(batch.schema(), reader.schema());
                batches.push(batch.num_rows());
                rows.extend(rows_of(&batch));
            }
            Err(failure) => {
                error = Some(failure);
                break;
            }
        }
    }
    assert_eq!(reader.progress().rows, rows.len() as u64);
    let rejects = reader.rejects();
    assert_eq!(rejects.count(), rejects.details().len() as u64, "raise max_rejects for this test");
    Scan { rows, batches, notes: rejects.details().iter().map(Note::from).collect(), error }
}

/// The record that an error is about.
pub(crate) fn rejected(error: &Error) -> &Reject {
    match error.kind() {
        ErrorKind::Decode(reject) | ErrorKind::Item(reject) => reject,
        other => unreachable!("{other:?}"),
    }
}

/// A stream that can be opened again and gives its bytes in pieces of at most these sizes, in turn.
pub(crate) struct Pieces {
    pub(crate) bytes: Bytes,
    pub(crate) sizes: Vec<usize>,
}

impl OpenStream for Pieces {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let sizes = self.sizes.clone().into_iter().cycle();
        Ok(Box::new(Piecewise { left: self.bytes.clone(), sizes: Box::new(sizes) }))
    }
}

struct Piecewise {
    left: Bytes,
    sizes: Box<dyn Iterator<Item = usize> + Send>,
}

impl Read for Piecewise {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.next().unwrap().min(out.len()).min(self.left.len());
        out[..size].copy_from_slice(&self.left.split_to(size));
        Ok(size)
    }
}
