//! `vecpack to-lance` and `vecpack to-duckdb`. The libraries of databases are Python packages, so the command of the Python
//! package passes a function that calls them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueHint};
use serde_json::{Value, json};

use super::args::{ByteSize, InputArgs, local_path};
use super::outcome::{FAILED, Failure, Signals};
use super::output;
use crate::error::Error;
use crate::parquet::RejectsFile;
use crate::source::Source;
use crate::text::{count, grouped, size};

/// The outcome of a load: its report as JSON and its warnings, or an exit code and the message of the error.
pub(crate) type Loaded = Result<(String, Vec<String>), (u8, String)>;

/// Loads a source into a database: calls this function of the Python package with the source, the output and the keywords.
pub(super) type Loader<'a> = &'a dyn Fn(&str, &Arc<Source>, &Path, &Value) -> Loaded;

/// Write MessagePack files into a Lance dataset, with an index if asked for.
///
/// Fragments are written one after another and committed together: readers see all rows or none. A run that was interrupted goes
/// on with --resume; OUT/_vecpack lists what is done. The Python package `vecpack` has this command, with the package `pylance`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vecpack to-lance 'vectors/*.msgpack' -o vectors.lance
  vecpack to-lance 'vectors/*.msgpack' -o vectors.lance --index ivf-pq --resume")]
pub(super) struct ToLanceArgs {
    #[command(flatten)]
    input: InputArgs,

    /// The directory of the dataset, or its URL in an object store.
    #[arg(short, long, value_name = "OUT", value_parser = local_path(), value_hint = ValueHint::DirPath, help_heading = "Output")]
    out: PathBuf,

    /// Make an index of the first vector column when all rows are there.
    #[arg(long, value_name = "TYPE", value_parser = ["ivf-pq"], help_heading = "Output")]
    index: Option<String>,

    /// About the most data in a fragment, as 512MiB or 1GB, counted in the inputs.
    #[arg(long, hide_short_help = true, value_name = "SIZE", default_value_t = ByteSize(1 << 30), help_heading = "Output")]
    fragment_bytes: ByteSize,

    /// Replace a dataset that exists.
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Finish an earlier run into the dataset OUT, or add inputs to it.
    #[arg(long, conflicts_with = "overwrite", help_heading = "Output")]
    resume: bool,

    #[command(flatten)]
    report: ReportArgs,

    /// Show progress also where standard error is no terminal: a line a second.
    #[arg(long, conflicts_with = "quiet", help_heading = "Output")]
    progress: bool,
}

/// Write MessagePack files into a table of a DuckDB database.
///
/// The table appears with all rows or not at all. Vectors are arrays, as FLOAT[512]. The Python package `vecpack` has this
/// command, with the package `duckdb`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vecpack to-duckdb 'vectors/*.msgpack' -o vectors.duckdb --table vectors")]
pub(super) struct ToDuckdbArgs {
    #[command(flatten)]
    input: InputArgs,

    /// The file of the database. It is made if it is missing.
    #[arg(short, long, value_name = "FILE", value_parser = local_path(), value_hint = ValueHint::FilePath, help_heading = "Output")]
    out: PathBuf,

    /// The table, which may have a schema as in main.vectors.
    #[arg(long, value_name = "TABLE", help_heading = "Output")]
    table: String,

    /// Replace a table that exists.
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct ReportArgs {
    /// Write what was rejected to this file, .jsonl or .parquet.
    #[arg(long, value_name = "FILE", value_parser = local_path(), value_hint = ValueHint::FilePath)]
    rejects: Option<PathBuf>,

    /// Print the report as one JSON object on standard output.
    #[arg(long)]
    json: bool,

    /// Say nothing but errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn to_lance(
    args: &ToLanceArgs,
    signals: &Signals,
    loader: Option<Loader<'_>>,
) -> Result<(), Failure> {
    let rejects = args.report.rejects.as_deref().map(text).transpose()?;
    let keywords = json!({
        "index": args.index,
        "fragment_bytes": args.fragment_bytes.0,
        "overwrite": args.overwrite,
        "resume": args.resume,
        "rejects": rejects,
        "progress": if args.report.quiet { Value::Null } else if args.progress { json!("lines") } else { json!(true) },
    });
    let loader = known(loader, "to-lance", "pylance")?;
    let source = source(&args.input, &args.report, signals)?;
    report(loader("to_lance", &source, &args.out, &keywords), &args.out, &args.report)
}

pub(super) fn to_duckdb(
    args: &ToDuckdbArgs,
    signals: &Signals,
    loader: Option<Loader<'_>>,
) -> Result<(), Failure> {
    let loader = known(loader, "to-duckdb", "duckdb")?;
    let listing = RejectsFile::new(args.report.rejects.as_deref(), &args.out, args.overwrite, true)?;
    let source = source(&args.input, &args.report, signals)?;
    let keywords = json!({ "table": args.table, "overwrite": args.overwrite });
    let loaded = loader("to_duckdb", &source, &args.out, &keywords);
    if let Some(listing) = listing {
        listing.write(&source.rejects())?;
    }
    report(loaded, &args.out, &args.report)
}

fn known<'a>(loader: Option<Loader<'a>>, command: &str, package: &str) -> Result<Loader<'a>, Failure> {
    loader.ok_or_else(|| {
        let text = format!("{command} is a command of the Python package: pip install vecpack {package}");
        Failure::Library(text, FAILED)
    })
}

/// A path as Python gets it.
fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::option(format!("{}: the name is not UTF-8", path.display())))
}

fn source(input: &InputArgs, report: &ReportArgs, signals: &Signals) -> Result<Arc<Source>, Failure> {
    let source = Arc::new(Source::new(input.inputs(signals)?, input.options())?);
    if !report.quiet {
        output::warnings(source.warnings());
    }
    Ok(source)
}

/// Says what was done.
fn report(loaded: Loaded, out: &Path, args: &ReportArgs) -> Result<(), Failure> {
    let (text, warnings) = loaded.map_err(|(code, text)| Failure::Library(text, code))?;
    output::warnings(warnings);
    let report: Value =
        serde_json::from_str(&text).map_err(|error| Failure::Library(error.to_string(), FAILED))?;
    if args.json {
        return output::json(&report);
    }
    if args.quiet {
        return Ok(());
    }
    let number = |name: &str| report[name].as_u64().unwrap_or_default();
    let (rows, seconds) = (number("rows"), report["seconds"].as_f64().unwrap_or_default());
    let mut lines = String::new();
    for reject in report["first_rejects"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        lines += &format!("rejected {reject}\n");
    }
    if number("rejects") > 0 {
        lines += &format!("rejects  {}\n", grouped(number("rejects")));
    }
    if number("rows_before") > 0 {
        lines += &format!("before   {}\n", count(number("rows_before"), "row"));
    }
    let rate = (number("bytes_in") as f64 / seconds.max(1e-9)) as u64;
    lines += &format!("read     {}, {}\n", count(rows, "row"), size(number("bytes_in")));
    lines += &format!("wrote    {}\n", out.display());
    lines += &format!("took     {seconds:.2} s, {}/s", size(rate));
    output::report(&lines);
    Ok(())
}
