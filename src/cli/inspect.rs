//! `vecpack inspect`

use clap::Args;

use super::args::InputArgs;
use super::outcome::Failure;
use super::progress::ProgressBar;
use super::signals::Signals;
use super::{inputs, output};
use crate::source::size;

/// Tell what is in MessagePack files: columns, rows, and records that cannot become rows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vecpack inspect vectors.msgpack
  vecpack inspect 'vectors/*.msgpack' --json | jq .rows
  zcat vectors.msgpack.gz | vecpack inspect -")]
pub(super) struct InspectArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Print one JSON object instead of text.
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Say nothing but errors.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,

    /// Show progress also where standard error is no terminal, as a line a second.
    #[arg(long, help_heading = "Output", conflicts_with = "quiet")]
    progress: bool,
}

pub(super) fn run(args: &InspectArgs, signals: &Signals) -> Result<(), Failure> {
    let inputs = inputs::inputs(&args.input.inputs, signals)?;
    // Nothing is written, so a signal ends the process at once.
    let bar = if args.quiet { ProgressBar::none() } else { ProgressBar::new(size(&inputs)?, args.progress) };
    let inspection = bar.show(signals, |watch| crate::inspect(inputs, args.input.read.options(), watch))?;
    if args.json { output::json(&inspection) } else { output::text(&inspection.to_string()) }
}
