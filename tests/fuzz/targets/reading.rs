//! Reading with options that the input chooses, and what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use tempfile::TempDir;
use vecpack::{Dtype, Error, ErrorKind, Framing, Input, OnError, ReadOptions, Reject, Source, parse_type};

use super::choices::Choices;
use crate::support::Pieces;

/// The name of inputs that are no files.
pub const NAME: &str = "input";

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

/// A file of this process.
pub fn scratch(name: &str) -> PathBuf {
    DIRECTORY.path().join(name)
}

/// Options that are honoured, whatever the choices are.
pub fn options(choices: &mut Choices<'_>) -> ReadOptions {
    let raws = ["<f4", "<f8", "<f2", ">f4", "bf16", "|i1", "|u1", ">i2", "<u8", "|b1"];
    let names = ["", "v", "vector", "0", "1", "meta.embedding", "key"];
    let lists: [&[&str]; 6] = [&[], &["vector"], &["id"], &["key", "id", "v"], &["column_0"], &["record"]];
    let types = ["", "int64", "string", "list<string>", "float32[2]", "timestamp[ms]", "bool"];
    let mut options = ReadOptions::new()
        .with_framing(choices.one(&Framing::ALL))
        .with_on_error(choices.one(&[OnError::Skip, OnError::Null, OnError::Raise]))
        .with_dtype(choices.one(&Dtype::ALL))
        .with_raw_dtype(choices.one(&raws).parse::<vecpack::RawDtype>().expect("a type"))
        .with_infer_records(choices.one(&[1000, 1, 2, 0]))
        .with_batch_bytes(choices.one(&[8 << 20, 1, 64, 1000]))
        .with_threads(choices.one(&[1, 2, 3, 5]))
        .with_max_record_bytes(choices.one(&[1 << 28, 1, 9, 60, 1000]))
        .with_max_rejects(choices.one(&[usize::MAX, 0, 1, 3]))
        .with_max_depth(choices.one(&[128, 1, 2, 3, 256]));
    let dim = choices.one(&[None, None, Some(1), Some(2), Some(3), Some(16), Some(300)]);
    if let Some(dim) = dim {
        options = options.with_dim(dim);
    }
    let name = choices.one(&names);
    if !name.is_empty() {
        options = options.with_vector(name);
    }
    let columns = choices.one(&lists);
    if !columns.is_empty() {
        options = options.with_columns(columns.iter().copied());
    }
    let typed = choices.one(&types);
    if !typed.is_empty() {
        let data_type: DataType = parse_type(typed).expect("a type");
        options = options.with_schema(Schema::new(vec![Field::new("id", data_type, true)]));
    }
    if let rows @ 1.. = choices.one(&[0, 1, 2, 7]) {
        options = options.with_batch_rows(rows);
    }
    let columns = choices.byte();
    options.with_include_record(columns & 1 != 0).with_include_path(columns & 2 != 0)
}

/// How bytes become an input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Bytes,
    File,
    /// A stream that gives so many bytes at once.
    Stream(usize),
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Bytes, Self::File, Self::Stream(1), Self::Stream(37), Self::Stream(1 << 20)];

    pub fn input(self, bytes: &[u8]) -> Input {
        match self {
            Self::Bytes => Input::bytes(NAME, bytes.to_vec()),
            Self::File => {
                let path = scratch(NAME);
                fs::write(&path, bytes).expect("a file");
                Input::path(path)
            }
            Self::Stream(size) => {
                Input::stream(NAME, Pieces { bytes: bytes.to_vec().into(), sizes: vec![size] })
            }
        }
    }
}

/// All that a scan gave.
#[derive(Debug)]
pub struct Scan {
    pub rows: RecordBatch,
    pub rejects: Vec<Reject>,
    pub rejected: u64,
    pub error: Option<String>,
}

/// Reads to the end, or to the error, and checks what can be checked of any scan.
pub fn scan(source: &Source) -> Scan {
    let mut reader = source.reader().expect("a reader");
    let (mut batches, mut error) = (Vec::new(), None);
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => {
                check_batch(&batch);
                assert!(batch.num_rows() > 0, "a batch without rows");
                let most = source.options().batch_rows.unwrap_or(usize::MAX);
                assert!(batch.num_rows() <= most, "{} rows", batch.num_rows());
                assert_eq!(batch.schema(), source.schema());
                batches.push(batch);
            }
            Ok(None) => break,
            Err(failure) => {
                error = Some(text(&failure));
                break;
            }
        }
    }
    let rejects = reader.rejects();
    let kept = (rejects.count() as usize).min(source.options().max_rejects);
    assert_eq!(rejects.details().len(), kept);
    check_batch(&rejects.to_record_batch());
    let rows = concat_batches(&source.schema(), &batches).expect("one table");
    let rename = |reject: &Reject| Reject { file: plain(&reject.file).into(), ..reject.clone() };
    Scan { rows, rejects: rejects.details().iter().map(rename).collect(), rejected: rejects.count(), error }
}

/// The text of an error, which must do no harm where it is shown.
pub fn text(error: &Error) -> String {
    let text = error.to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(!matches!(error.kind(), ErrorKind::Internal(_)), "{text}");
    plain(&text)
}

/// Takes the directory of files out of a text.
fn plain(text: &str) -> String {
    let directory: &Path = DIRECTORY.path();
    text.replace(&format!("{}/", directory.display()), "")
}

/// That the arrays are what their types promise.
fn check_batch(batch: &RecordBatch) {
    for column in batch.columns() {
        column.to_data().validate_full().expect("valid arrays");
    }
}

impl Scan {
    /// That `other` gave the same: all of it, or the same error behind rows of which one may have more.
    pub fn check(&self, other: &Self, what: &str) {
        assert_eq!(other.error, self.error, "{what}: error");
        let (rows, other_rows) = (self.rows.num_rows(), other.rows.num_rows());
        let common = if self.error.is_some() { rows.min(other_rows) } else { rows.max(other_rows) };
        assert!(common <= rows && common <= other_rows, "{what}: {other_rows} rows, not {rows}");
        assert!(self.rows.slice(0, common) == other.rows.slice(0, common), "{what}: other rows");
        if self.error.is_none() {
            assert_eq!(other.rejects, self.rejects, "{what}: rejects");
            assert_eq!(other.rejected, self.rejected, "{what}: rejects");
        }
    }
}

/// The same file with the same options but another way to read it, or an error.
pub fn source(kind: Kind, bytes: &[u8], options: &ReadOptions) -> Result<Arc<Source>, String> {
    Source::new(vec![kind.input(bytes)], options.clone()).map(Arc::new).map_err(|error| text(&error))
}
