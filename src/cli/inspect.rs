//! `vecpack inspect`

use clap::Args;

use super::args::InputArgs;
use super::outcome::Failure;
use super::signals::Signals;
use super::{output, stream};

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
}

pub(super) fn run(args: &InspectArgs, signals: &Signals) -> Result<(), Failure> {
    let inputs = stream::inputs(&args.input.inputs, signals)?;
    // Nothing is written, so a signal ends the process at once.
    let (inspection, _) = crate::inspect(inputs, args.input.read.options(), None)?;
    if args.json { output::json(&inspection) } else { output::text(&inspection.to_string()) }
}
