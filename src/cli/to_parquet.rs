//! `vecpack to-parquet`

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use serde::Serialize;

use super::ProgressBar;
use super::args::{ByteSize, InputArgs, OutputArgs, local_path, names};
use super::outcome::{Failure, Signals};
use super::output;
use crate::error::Error;
use crate::output::directory::is_directory;
use crate::parquet::{
    Compression, Encoding, ListType, Report, TimestampUnit, WriteOptions, check_outputs, to_parquet,
};
use crate::source::Source;
use crate::text::grouped;

/// Convert MessagePack files to Parquet.
///
/// A file is written under a temporary name and renamed when it is complete: OUT is either what it was before, or the complete
/// new file. A run into a directory that was interrupted goes on with --resume; OUT/_vecpack lists what is done.
#[derive(Debug, Args)]
#[command(after_long_help = "\
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
    write: WriteArgs,

    /// The file to write, or a directory that gets a file for each input.
    ///
    /// A name that ends in .parquet is a file. OUT is a directory if it exists as one, ends in `/` or has no extension. The files
    /// in it have the names and the subdirectories of the inputs: x.msgpack.gz becomes x.parquet. Directories that are missing
    /// are made. OUT may be in an object store, as s3://bucket/out.parquet.
    #[arg(short, long, value_name = "OUT", value_parser = local_path(), value_hint = ValueHint::AnyPath, help_heading = "Output")]
    out: PathBuf,

    /// Finish an earlier run into the directory OUT.
    ///
    /// Inputs are read that are not done yet, that have changed, or whose files are gone.
    #[arg(long, conflicts_with = "overwrite", help_heading = "Output")]
    resume: bool,

    #[command(flatten)]
    output: OutputArgs,

    /// Print the report as one JSON object on standard output.
    #[arg(long, help_heading = "Output")]
    json: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
struct WriteArgs {
    /// How pages are compressed.
    ///
    /// `auto` compresses vectors where that saves a quarter.
    #[arg(long, value_name = "CODEC", default_value = WriteOptions::default().compression.as_str())]
    #[arg(value_parser = names(Compression::ALL, Compression::as_str))]
    compression: Compression,

    /// How the elements of vectors are encoded.
    ///
    /// `auto` is whatever gets smaller under the compression.
    #[arg(long, value_name = "ENCODING", default_value = WriteOptions::default().encoding.as_str())]
    #[arg(value_parser = names(Encoding::ALL, Encoding::as_str))]
    encoding: Encoding,

    /// The most data in a row group, as 8MiB, 64MB or a number of bytes.
    ///
    /// Of all columns, before they are encoded.
    #[arg(long, hide_short_help = true, value_name = "SIZE", default_value_t = ByteSize(WriteOptions::default().row_group_bytes as u64))]
    row_group_bytes: ByteSize,

    /// About the most data in a file, as 512MB or 1GiB.
    ///
    /// OUT is then a directory, whose files part-00000.parquet and so on hold the rows of all inputs.
    #[arg(long, value_name = "SIZE")]
    max_file_bytes: Option<ByteSize>,

    /// The type of vector columns [default: fixed, but list with --on-error null].
    ///
    /// `list` is for readers that do not know lists of a fixed size.
    #[arg(long, hide_short_help = true, value_name = "TYPE")]
    #[arg(value_parser = names(ListType::ALL, ListType::as_str))]
    list_type: Option<ListType>,

    /// Write timestamps in this unit [default: the unit that they have].
    ///
    /// Spark and Iceberg read `us`, and no nanoseconds.
    #[arg(long, hide_short_help = true, value_name = "UNIT")]
    #[arg(value_parser = names(TimestampUnit::ALL, TimestampUnit::as_str))]
    coerce_timestamps: Option<TimestampUnit>,

    /// Cut off digits of timestamps that the unit of --coerce-timestamps does not have.
    ///
    /// Otherwise they are an error.
    #[arg(long, hide_short_help = true, requires = "coerce_timestamps")]
    allow_truncated_timestamps: bool,

    /// Add this to the metadata of each file; may be given several times.
    #[arg(long, hide_short_help = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
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
            .with_overwrite(self.output.overwrite)
            .with_resume(self.resume)
            .with_sync(!self.output.no_sync);
        options.list_type = self.write.list_type;
        options.coerce_timestamps = self.write.coerce_timestamps;
        options.allow_truncated_timestamps = self.write.allow_truncated_timestamps;
        options.metadata = self.write.metadata.iter().cloned().collect();
        options.rejects.clone_from(&self.output.rejects);
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
        return Err(Error::option("--json goes to standard output, and so would the data").into());
    }
    output::check_extension(&args.out, "Parquet", &["parquet", "parq", "pq"])?;
    let inputs = args.input.inputs(signals)?;
    check_outputs(&inputs, &args.out, &args.options())?;
    let source = Source::new(inputs, args.input.options())?;
    let bar = ProgressBar::of(&source, &args.output.talk)?;
    signals.defer();
    let report = bar.show(signals, |watch| to_parquet(&source, &args.out, &args.options(), watch));
    let report = report.map_err(|error| match Failure::of_output(error, &args.out) {
        Failure::Core(error, _) => Failure::Core(error, unfinished(&source, &args.out, &bar)),
        other => other,
    })?;
    let rejects = source.rejects();
    // Also with --quiet: empty files look like a run that went well.
    output::warnings(rejects.warning(report.rows + report.rows_before));
    if args.json {
        return output::json(&JsonReport { report: &report, first_rejects: rejects.in_words() });
    }
    if !args.output.talk.quiet {
        output::report(&format!("{}{report}", output::reject_lines(&rejects)));
    }
    Ok(())
}

/// How much of the run is done, where another run can go on with it.
fn unfinished(source: &Source, out: &Path, bar: &ProgressBar) -> Option<String> {
    let can_resume = is_directory(out) && source.inputs().iter().all(crate::Input::has_name);
    let done = bar.latest().filter(|_| can_resume)?.files;
    let (files, are) = (grouped(source.inputs().len() as u64), if done == 1 { "is" } else { "are" });
    Some(format!("{} of {files} files {are} done; --resume goes on", grouped(done)))
}
