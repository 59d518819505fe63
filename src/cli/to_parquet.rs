//! `vecpack to-parquet`

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::ProgressBar;
use super::args::{InputArgs, PolicyArgs, names};
use super::outcome::Failure;
use super::signals::Signals;
use super::size::ByteSize;
use super::{inputs, output};
use crate::parquet::{
    Compression, Encoding, ListType, Report, TimestampUnit, WriteOptions, check_outputs, to_parquet,
};
use crate::source::Source;

/// Convert MessagePack files to Parquet.
#[derive(Debug, Args)]
#[command(after_help = "\
A file is written under a temporary name and renamed when it is complete: OUT is either what it was \
before, or the complete new file. A directory run that was interrupted goes on with --resume; what is done \
stands in OUT/_vecpack.

Examples:
  vecpack to-parquet vectors.msgpack -o vectors.parquet
  vecpack to-parquet 'vectors/*.msgpack' -o parquet/ --compression zstd --encoding byte-stream-split
  vecpack to-parquet 'vectors/*.msgpack' -o parquet/ --resume
  vecpack to-parquet s3://bucket/vectors/ -o s3://bucket/parquet/
  vecpack to-parquet broken.msgpack -o good.parquet --on-error skip --json
  zcat vectors.msgpack.gz | vecpack to-parquet - -o vectors.parquet")]
pub(super) struct ToParquetArgs {
    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    write: WriteArgs,

    /// The file to write; or a directory (it exists, ends in `/` or has no extension), which gets a file for each input.
    /// Either may be in an object store, as s3://bucket/out.parquet.
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::AnyPath, help_heading = "Output")]
    out: PathBuf,

    /// Replace files that exist.
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Finish what an earlier run into the directory OUT has left to do: inputs that are not done yet, that changed, or whose
    /// files are gone.
    #[arg(long, conflicts_with = "overwrite", help_heading = "Output")]
    resume: bool,

    /// Write what was rejected to this file, JSON lines or Parquet by its extension (.jsonl, .parquet), whether the conversion
    /// succeeds or fails; with --resume, what this run rejects, and not what earlier ones did.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    rejects: Option<PathBuf>,

    /// Do not wait until the files are on the disk: faster, but a power failure may leave them incomplete.
    #[arg(long, help_heading = "Output")]
    no_sync: bool,

    /// Print what was done to standard output as one JSON object, instead of text to standard error.
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Say nothing but errors.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,

    /// Show progress also where standard error is no terminal, as a line a second.
    #[arg(long, conflicts_with = "quiet", help_heading = "Output")]
    progress: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
struct WriteArgs {
    /// How pages are compressed; `auto` compresses vectors where that saves a quarter.
    #[arg(
        long,
        value_name = "CODEC",
        default_value = WriteOptions::default().compression.as_str(),
        value_parser = names(Compression::ALL.iter().map(|value| value.as_str()), str::parse::<Compression>),
    )]
    compression: Compression,

    /// How the elements of vectors are encoded; `auto` is whatever gets smaller under the compression.
    #[arg(
        long,
        value_name = "ENCODING",
        default_value = WriteOptions::default().encoding.as_str(),
        value_parser = names(Encoding::ALL.iter().map(|value| value.as_str()), str::parse::<Encoding>),
    )]
    encoding: Encoding,

    /// The most data in a row group, of all columns before encoding, as 8MiB, 64MB or a number of
    /// bytes.
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(WriteOptions::default().row_group_bytes as u64))]
    row_group_bytes: ByteSize,

    /// The most data in a file, about, as 512MB or 1GiB: OUT is then a directory, whose files hold the rows of all inputs.
    #[arg(long, value_name = "SIZE")]
    max_file_bytes: Option<ByteSize>,

    /// The type of the vector column for readers that know Arrow's types; `list` is for those that stumble over `fixed`
    /// [default: fixed, but list with --on-error null].
    #[arg(
        long,
        value_name = "TYPE",
        value_parser = names(ListType::ALL.iter().map(|value| value.as_str()), str::parse::<ListType>),
    )]
    list_type: Option<ListType>,

    /// Write timestamps in this unit, for readers that do not know all: Spark and Iceberg want `us`
    /// [default: the unit that they have].
    #[arg(
        long,
        value_name = "UNIT",
        value_parser = names(TimestampUnit::ALL.iter().map(|value| value.as_str()), str::parse::<TimestampUnit>),
    )]
    coerce_timestamps: Option<TimestampUnit>,

    /// Cut off digits of timestamps that the unit of --coerce-timestamps does not have; otherwise
    /// they are an error.
    #[arg(long, requires = "coerce_timestamps")]
    allow_truncated_timestamps: bool,

    /// Add this to the metadata of each file; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    metadata: Vec<(String, String)>,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is expected".to_owned()),
    }
}

impl ToParquetArgs {
    fn options(&self) -> WriteOptions {
        let mut options = WriteOptions::new()
            .with_compression(self.write.compression)
            .with_encoding(self.write.encoding)
            .with_row_group_bytes(self.write.row_group_bytes.as_usize())
            .with_overwrite(self.overwrite)
            .with_resume(self.resume)
            .with_sync(!self.no_sync);
        options.list_type = self.write.list_type;
        options.coerce_timestamps = self.write.coerce_timestamps;
        options.allow_truncated_timestamps = self.write.allow_truncated_timestamps;
        options.metadata = self.write.metadata.iter().cloned().collect();
        options.rejects.clone_from(&self.rejects);
        options.max_file_bytes = self.write.max_file_bytes.map(|size| size.0);
        options
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct JsonReport<'a> {
    #[serde(flatten)]
    report: &'a Report,
    first_rejects: Vec<String>,
}

pub(super) fn run(args: &ToParquetArgs, signals: &Signals) -> Result<(), Failure> {
    if args.json && ["/dev/stdout", "/dev/fd/1"].iter().any(|name| args.out == Path::new(name)) {
        return Err(Failure::Usage("--json goes to standard output, and so would the data".to_owned()));
    }
    let inputs = inputs::inputs(&args.input.inputs, signals)?;
    check_outputs(&inputs, &args.out, &args.options())?;
    let source = Source::new(inputs, args.policy.apply(args.input.read.options()))?;
    if !args.quiet {
        output::warnings(source.warnings());
    }
    let bar = if args.quiet { ProgressBar::none() } else { ProgressBar::new(source.size()?, args.progress) };
    signals.defer();
    let report = bar.show(signals, |watch| to_parquet(&source, &args.out, &args.options(), watch));
    let report = report.map_err(|error| Failure::of_output(error, &args.out))?;
    let rejects = source.rejects();
    // Nobody is to take the empty files for what was asked for.
    output::warnings(rejects.warning(report.rows + report.rows_before));
    if args.json {
        return output::json(&JsonReport { report: &report, first_rejects: output::first_rejects(&rejects) });
    }
    if !args.quiet {
        output::report(&format!("{}{report}", output::reject_lines(&rejects)));
    }
    Ok(())
}
