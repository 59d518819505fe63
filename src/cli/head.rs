//! `vecpack head`

use std::fmt::Write;

use clap::Args;

use super::args::InputArgs;
use super::outcome::Failure;
use super::signals::Signals;
use super::{inputs, output};
use crate::preview;
use crate::source::Source;

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

pub(super) fn run(args: &HeadArgs, signals: &Signals) -> Result<(), Failure> {
    let inputs = inputs::inputs(&args.input, signals)?;
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
