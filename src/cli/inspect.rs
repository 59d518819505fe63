//! `vecpack inspect`

use clap::Args;

use super::args::{InputArgs, TalkArgs};
use super::outcome::Failure;
use super::progress::ProgressBar;
use super::signals::Signals;
use super::{inputs, output};
use crate::source::size;

/// Show what is in MessagePack files, and what a conversion would make of it.
///
/// Shows columns, rows, records that cannot become rows, fields and files that are left out, and the error that a conversion with
/// the same options would end with. Reads the first --infer-records records of each input.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vecpack inspect vectors.msgpack
  vecpack inspect vectors/ --full
  vecpack inspect 'vectors/*.msgpack' --json | jq .rows
  zcat vectors.msgpack.gz | vecpack inspect -")]
pub(super) struct InspectArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Read the inputs to their end, and not only the first records of each.
    #[arg(long, help_heading = "Inspect")]
    full: bool,

    /// Print one JSON object instead of text.
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    talk: TalkArgs,
}

pub(super) fn run(args: &InspectArgs, signals: &Signals) -> Result<(), Failure> {
    let inputs = inputs::inputs(&args.input, signals)?;
    // Nothing is written, so a signal ends the process at once.
    let total = if args.full { size(&inputs)? } else { None };
    let bar = match args.talk.quiet {
        true => ProgressBar::none(),
        false => ProgressBar::new(total, inputs.len(), args.talk.progress),
    };
    let options = args.input.options();
    let inspection = bar.show(signals, |watch| crate::inspect(inputs, options, args.full, watch))?;
    if args.json { output::json(&inspection) } else { output::text(&inspection.to_string()) }?;
    // No conversion of these inputs can begin.
    if inspection.columns.is_empty() && inspection.error.is_some() { Err(Failure::Shown) } else { Ok(()) }
}
