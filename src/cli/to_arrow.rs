//! `vecpack to-arrow`

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueHint};

use super::args::{InputArgs, OutputArgs, local_path};
use super::outcome::{Failure, Signals};
use super::output;
use super::progress::ProgressBar;
use crate::cancel::Cancel;
use crate::ipc::{write_arrow, write_arrow_stream};
use crate::output::check_target;
use crate::parquet::RejectsFile;
use crate::reject::listed;
use crate::source::Source;
use crate::text::{count, size};

/// Convert MessagePack files to an Arrow IPC file or stream.
///
/// A file is written under a temporary name and renamed when it is complete: OUT is either what it was before, or the complete
/// new file. Standard output gets a stream; a reader that closes it early is no failure.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vecpack to-arrow vectors.msgpack -o vectors.arrow
  vecpack to-arrow 'vectors/*.msgpack' -o - | python consume.py")]
pub(super) struct ToArrowArgs {
    #[command(flatten)]
    input: InputArgs,

    /// The file to write, or `-` for a stream to standard output.
    ///
    /// A name that ends in `.arrows` gets a stream, and another one an IPC file.
    #[arg(short, long, value_name = "OUT", value_parser = local_path(), value_hint = ValueHint::FilePath, help_heading = "Output")]
    out: PathBuf,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &ToArrowArgs, signals: &Signals) -> Result<(), Failure> {
    let begin = Instant::now();
    output::check_extension(&args.out, "Arrow IPC", &["arrow", "arrows", "feather", "ipc"])?;
    let stdout = (args.out == Path::new("-")).then(output::binary_stdout).transpose()?;
    if stdout.is_none() {
        // Refused before any work is done.
        check_target(&args.out, args.output.overwrite, &Cancel::never())?;
    }
    let file = args.output.rejects.as_deref();
    let listing = RejectsFile::new(file, &args.out, args.output.overwrite, !args.output.no_sync)?;
    let source = Source::new(args.input.inputs(signals)?, args.input.options())?;
    let bar = ProgressBar::of(&source, &args.output.talk)?;
    if stdout.is_none() || listing.is_some() {
        signals.defer();
    }
    let written = bar.show(signals, |watch| match stdout {
        Some(out) => write_arrow_stream(&source, out, watch).map(|read| (read, None)),
        None => write_arrow(&source, &args.out, args.output.overwrite, !args.output.no_sync, watch)
            .map(|(read, bytes)| (read, Some(bytes))),
    });
    let written = RejectsFile::conclude(listing, written, &source);
    let ((read, bytes), rejects) = written.map_err(|error| Failure::of_output(error, &args.out))?;
    let mut lines = Vec::new();
    if let Some(bytes) = bytes {
        lines.push(format!("read     {}, {}", count(read.rows, "row"), size(read.bytes)));
        let seconds = begin.elapsed().as_secs_f64();
        lines.push(format!("wrote    {} to {}", size(bytes), args.out.display()));
        lines.push(format!("took     {seconds:.2} s, {}/s", size((bytes as f64 / seconds.max(1e-9)) as u64)));
    }
    output::warnings(rejects.warning(read.rows));
    if rejects.count() > 0 {
        let listed = listed(rejects.count(), rejects.details().len() as u64, file);
        lines.push(format!("{}{listed}", rejects.summary()));
    }
    if !args.output.talk.quiet && !lines.is_empty() {
        output::report(&format!("{}{}", output::reject_lines(&rejects), lines.join("\n")));
    }
    Ok(())
}
