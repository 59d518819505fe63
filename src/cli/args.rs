//! The sub-commands, and the arguments that several of them have.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use arrow_schema::{Field, Schema};
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueHint};

use super::generated::{CompletionsArgs, ManArgs};
use super::load::{ToDuckdbArgs, ToLanceArgs};
use super::outcome::Signals;
use super::sample::SampleArgs;
use super::show::{HeadArgs, InspectArgs};
use super::to_arrow::ToArrowArgs;
use super::to_parquet::ToParquetArgs;
use crate::error::{Error, Result};
use crate::input::{Input, discover_until, local, mirrored};
use crate::options::{Framing, OnError, OutputColumn, ReadOptions, parse_type};
use crate::reject::FailAfter;
use crate::vector::{Dtype, Payload, RawDtype, RawDtypes};

#[derive(Debug, Parser)]
#[command(
    name = "vecpack",
    bin_name = "vecpack",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Examples:
  vecpack sample vectors.msgpack
  vecpack inspect vectors.msgpack
  vecpack to-parquet vectors.msgpack -o vectors.parquet

Exit codes: 0 done, 1 failed, 2 wrong usage; 130, 143, 129 ended by Ctrl-C, SIGTERM, SIGHUP."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    ToParquet(ToParquetArgs),
    ToArrow(ToArrowArgs),
    ToLance(ToLanceArgs),
    ToDuckdb(ToDuckdbArgs),
    Inspect(InspectArgs),
    Head(HeadArgs),
    Sample(SampleArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// What is read, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(super) struct InputArgs {
    /// Files, directories, patterns, URLs, or `-` for standard input.
    ///
    /// A directory stands for the MessagePack files in it and below. A pattern such as 'vectors/*.msgpack' stands for the
    /// files that match. URLs begin with s3://, gs://, az://, https:// or file://.
    #[arg(value_name = "INPUT", required_unless_present = "files_from", value_hint = ValueHint::AnyPath, help_heading = None)]
    inputs: Vec<PathBuf>,

    /// Read more inputs from a list, one a line; `-` is standard input.
    #[arg(long, value_name = "LIST", value_parser = local_path(), value_hint = ValueHint::FilePath)]
    files_from: Option<PathBuf>,

    /// A field that holds vectors; may be given several times [default: found out].
    ///
    /// A key, a dotted path as in meta.embedding, or a position.
    #[arg(long, value_name = "FIELD")]
    vector: Vec<String>,

    /// Elements a vector [default: the most frequent number; of bare vectors that of the first].
    #[arg(long, value_name = "N")]
    dim: Option<u32>,

    /// Element type of the vector column.
    #[arg(long, value_name = "TYPE", default_value = ReadOptions::default().dtype.as_str())]
    #[arg(value_parser = names(&Dtype::ALL, Dtype::as_str))]
    dtype: Dtype,

    /// How to read vectors stored as untyped bytes, '<f4' if not given; for one column as COLUMN=TYPE; separated by commas.
    ///
    /// In NumPy's notation: '<f4', '>f4', '<f2', '<f8', bf16, '|i1', '|u1', ...
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = raw_dtype)]
    raw_dtype: Vec<(Option<String>, RawDtype)>,

    /// What the payload of an extension type is, as CODE=PAYLOAD; may be given several times.
    ///
    /// A type in NumPy's notation, msgpack, npy, or a timestamp: '42=<f4', '0=timestamp-fluentd'.
    #[arg(long = "extensions", alias = "extension", value_name = "CODE=PAYLOAD", value_delimiter = ',', value_parser = extension)]
    extension: Vec<(i8, Payload)>,

    /// How records lie in an input.
    #[arg(long, value_name = "FRAMING", default_value = ReadOptions::default().framing.as_str())]
    #[arg(value_parser = names(&Framing::ALL, Framing::as_str))]
    framing: Framing,

    /// Where the records lie in each top-level object: a key or a dotted path to a list, a map or a matrix of them.
    #[arg(long, value_name = "PATH")]
    records: Option<String>,

    /// The columns to produce, separated by commas [default: all].
    ///
    /// Each is FIELD or NAME=FIELD, as in 'id,embedding=meta.embedding'. Other fields are skipped.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', value_parser = output_column)]
    columns: Vec<OutputColumn>,

    /// Types of fields, separated by commas: 'id=uint64,score=float32'.
    ///
    /// They override the types that are inferred.
    #[arg(long, value_name = "NAME=TYPE", value_delimiter = ',', value_parser = field)]
    schema: Vec<Field>,

    /// Read the first N rows and no more.
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<u64>,

    /// How many records are read to find out what they hold; 0 reads all.
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = ReadOptions::default().infer_records)]
    infer_records: u64,

    /// How many rejected records keep their details; all are counted.
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = ReadOptions::default().max_rejects)]
    max_rejects: usize,

    /// The most rows in a batch [default: as many as --batch-bytes allows].
    #[arg(long, hide_short_help = true, value_name = "N")]
    batch_rows: Option<usize>,

    /// The most data in a batch, as 8MiB, 64MB or a number of bytes.
    #[arg(long, hide_short_help = true, value_name = "SIZE", default_value_t = ByteSize(ReadOptions::default().batch_bytes as u64))]
    batch_bytes: ByteSize,

    /// How many threads decode [default: one a core].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Add a column `path` with the name of the input.
    #[arg(long)]
    include_path: bool,

    /// Add a column `record` with the number of the record in its input.
    #[arg(long)]
    include_record: bool,

    /// Add a column `id` with a number that no other record has.
    ///
    /// A signed integer of 64 bits: the number of the input times 2^40, and the number of the record in it. Both count from 0.
    #[arg(long)]
    include_id: bool,

    /// How many times its size a compressed input may expand to, beyond 64 MiB; 0 is no limit.
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = ReadOptions::default().max_expansion)]
    max_expansion: u64,

    /// How deep types of columns may be nested.
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = ReadOptions::default().max_depth)]
    max_depth: u32,

    /// The most bytes of an object at a URL that are asked for before they are needed, as 64MiB; few are at first, and more where
    /// the server makes the reader wait.
    #[arg(long, hide_short_help = true, value_name = "SIZE", default_value_t = ByteSize(ReadOptions::default().store_window))]
    store_window: ByteSize,

    /// The largest record that is read, as 8MiB, 64MB or a number of bytes; a larger one is rejected.
    #[arg(long, hide_short_help = true, value_name = "SIZE", default_value_t = ByteSize(ReadOptions::default().max_record_bytes))]
    max_record_bytes: ByteSize,

    /// What to do with a record that cannot become a row.
    ///
    /// `raise` ends with an error, `skip` leaves the record out, and `null` puts a null in its place.
    #[arg(long, value_name = "POLICY", default_value = ReadOptions::default().on_error.as_str())]
    #[arg(value_parser = names(&OnError::ALL, OnError::as_str))]
    on_error: OnError,

    /// End with an error when more records are rejected, as 1000 or 1% [default: no limit].
    #[arg(long, value_name = "LIMIT")]
    fail_after: Option<FailAfter>,
}

impl InputArgs {
    /// The inputs that the arguments name. A signal ends the wait for one that does not deliver.
    pub(super) fn inputs(&self, signals: &Signals) -> Result<Vec<Input>> {
        let mut names = self.inputs.clone();
        if let Some(list) = &self.files_from {
            names.extend(listed(list)?);
        }
        let is_stdin = |name: &&PathBuf| *name == Path::new("-");
        if names.iter().chain(&self.files_from).filter(is_stdin).count() > 1 {
            return Err(Error::option("standard input can be read only once, and `-` is named twice"));
        }
        let cancel = signals.cancel();
        let mut inputs = Vec::new();
        for name in &names {
            inputs.extend(discover_until(name, &cancel)?);
        }
        if inputs.is_empty() {
            return Err(Error::option("option `files_from`: the list names no input"));
        }
        Ok(mirrored(inputs))
    }

    /// The core's options. What values make sense is for the core to say.
    pub(super) fn options(&self) -> ReadOptions {
        let mut raw_dtypes = RawDtypes::default();
        for (column, raw) in &self.raw_dtype {
            match column {
                Some(column) => raw_dtypes = raw_dtypes.with_column(column, *raw),
                None => raw_dtypes.default = Some(*raw),
            }
        }
        ReadOptions {
            vector: self.vector.clone(),
            dim: self.dim,
            dtype: self.dtype,
            raw_dtype: raw_dtypes,
            extensions: self.extension.iter().copied().collect(),
            framing: self.framing,
            records: self.records.clone(),
            columns: Some(self.columns.clone()).filter(|columns| !columns.is_empty()),
            schema: Schema::new(self.schema.clone()),
            infer_records: self.infer_records,
            max_rejects: self.max_rejects,
            batch_rows: self.batch_rows,
            batch_bytes: self.batch_bytes.as_usize(),
            threads: self.threads,
            include_path: self.include_path,
            include_record: self.include_record,
            include_id: self.include_id,
            limit: self.limit,
            max_record_bytes: self.max_record_bytes.0,
            max_expansion: self.max_expansion,
            max_depth: self.max_depth,
            store_window: self.store_window.0,
            on_error: self.on_error,
            fail_after: self.fail_after,
        }
    }
}

/// The names in a list, one a line.
fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    let read = match list == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(list).map(|read| bytes = read),
    };
    read.map_err(|error| Error::io(list, error))?;
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    Ok(lines.filter(|line| !line.is_empty()).map(name).collect())
}

#[cfg(unix)]
fn name(line: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(line))
}

#[cfg(not(unix))]
fn name(line: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(line).into_owned())
}

/// A column, as `field` or as `name=field`. The field is all that follows the first `=`.
fn output_column(text: &str) -> Result<OutputColumn> {
    Ok(match text.split_once('=') {
        Some((name, field)) => (name, field).into(),
        None => text.into(),
    })
}

/// The type of untyped bytes, in all columns or as `column=type` in one.
fn raw_dtype(text: &str) -> Result<(Option<String>, RawDtype)> {
    Ok(match text.rsplit_once('=') {
        // NumPy writes the machine's own byte order as `=f4`.
        Some((column, raw)) if !column.is_empty() => (Some(column.to_owned()), raw.parse()?),
        _ => (None, text.parse()?),
    })
}

/// An extension type, as `code=payload`.
fn extension(text: &str) -> Result<(i8, Payload)> {
    let (code, payload) = text.split_once('=').ok_or_else(|| {
        Error::option("write the code of the extension, `=`, and its payload, as in 42=<f4")
    })?;
    let code = code.trim().parse().map_err(|_| {
        Error::option(format!("`{code}` is no code of an extension type: codes are numbers from 0 to 127"))
    })?;
    Ok((code, payload.parse()?))
}

/// A field of a schema, as `name=type`.
fn field(text: &str) -> Result<Field> {
    let (name, data_type) = text
        .rsplit_once('=')
        .ok_or_else(|| Error::option("write the name of the column, `=`, and its type, as in id=uint64"))?;
    Ok(Field::new(name, parse_type(data_type)?, true))
}

/// Options for the messages on standard error.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct TalkArgs {
    /// Say nothing but errors.
    #[arg(long, short)]
    pub(super) quiet: bool,

    /// Show progress also where standard error is no terminal: a line a second.
    #[arg(long, conflicts_with = "quiet")]
    pub(super) progress: bool,
}

/// Options for the outputs of conversions.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Replace files that exist.
    #[arg(long)]
    pub(super) overwrite: bool,

    /// Write what was rejected to this file, .jsonl or .parquet.
    ///
    /// The file is written whether the conversion succeeds or fails. It has what this run rejects, and not what earlier ones did.
    #[arg(long, value_name = "FILE", value_parser = local_path(), value_hint = ValueHint::FilePath)]
    pub(super) rejects: Option<PathBuf>,

    /// Do not wait until the files are on the disk.
    ///
    /// Faster, but a power failure may leave them incomplete.
    #[arg(long, hide_short_help = true)]
    pub(super) no_sync: bool,

    #[command(flatten)]
    pub(super) talk: TalkArgs,
}

/// A path of this system, which may be a `file://` URL or begin with `~/`.
pub(super) fn local_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| local(&path))
}

/// Takes one of the core's names, which help then lists.
pub(super) fn names<T>(all: &[T], name: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + FromStr<Err = Error> + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().map(|value| name(*value))).try_map(|name| name.parse())
}

/// Units of size, each with its number of bytes. The upper or lower case of their letters means nothing.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// A number of bytes as people write it: `8MiB`, `64MB`, `1048576`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

impl ByteSize {
    /// As a length in memory. What does not fit is as good as no bound.
    pub(super) fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let known = |&(name, _): &(&str, u64)| name.eq_ignore_ascii_case(unit.trim_start());
        let worth = match unit {
            "" => Some(1),
            _ => UNITS.iter().find(|unit| known(unit)).map(|&(_, worth)| worth),
        };
        match (digits.parse::<u64>(), worth) {
            (Ok(number), Some(worth)) => {
                number.checked_mul(worth).map(Self).ok_or_else(|| "too large".to_owned())
            }
            _ => Err("not a number of bytes: use 8MiB, 64MB or 1048576".to_owned()),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |&&(_, worth): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(worth);
        match UNITS.iter().find(whole) {
            Some((unit, worth)) if *worth > 1 => write!(f, "{}{unit}", self.0 / worth),
            _ => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
