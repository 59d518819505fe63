//! `vecpack inspect` and `vecpack head`.

use std::fmt::Write;

use clap::Args;

use super::args::{InputArgs, TalkArgs};
use super::outcome::{Failure, Signals};
use super::output;
use super::progress::ProgressBar;
use crate::preview;
use crate::source::{Source, size};

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

pub(super) fn inspect(args: &InspectArgs, signals: &Signals) -> Result<(), Failure> {
    let inputs = args.input.inputs(signals)?;
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

/// How many rows are shown where nothing else is asked for.
const ROWS: u64 = 5;

/// Show the first rows.
///
/// Shows the first 5 rows, or as many as --limit says: a line for each value, and of a vector its first elements.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vecpack head vectors.msgpack
  vecpack head -n 20 'vectors/*.msgpack' --columns id,score")]
pub(super) struct HeadArgs {
    #[command(flatten)]
    input: InputArgs,
}

pub(super) fn head(args: &HeadArgs, signals: &Signals) -> Result<(), Failure> {
    let inputs = args.input.inputs(signals)?;
    let options = args.input.options();
    let limit = options.limit.unwrap_or(ROWS);
    let source = Source::new(inputs, options.with_limit(limit))?;
    let mut text = String::new();
    let mut number = 0u64;
    let mut reader = source.reader()?;
    while let Some(batch) = reader.next_batch()? {
        for row in preview::rows(&batch)? {
            let _ = writeln!(text, "row      {number}");
            for (field, value) in batch.schema_ref().fields().iter().zip(row) {
                let _ = writeln!(text, "         {}: {value}", field.name());
            }
            number += 1;
        }
    }
    let rejects = source.rejects();
    output::warnings(rejects.warning(number));
    if rejects.count() > 0 {
        output::report(&format!("{}{}", output::reject_lines(&rejects), rejects.summary()));
    }
    output::text(if number == 0 { "no rows" } else { text.trim_end() })
}
