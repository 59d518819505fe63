//! The `vecpack` command. The only room that prints.
//!
//! The same function serves the binary and the command that the Python wheel installs. Data goes to standard output, everything
//! else to standard error.

mod args;
mod generated;
mod load;
mod outcome;
mod output;
mod progress;
mod sample;
mod show;
mod to_arrow;
mod to_parquet;

use std::ffi::OsString;

use clap::Parser;

#[cfg(feature = "python")]
pub(crate) use self::load::Loaded;
pub(crate) use self::progress::ProgressBar;

use self::args::{Cli, Command};
use self::outcome::{FAILED, Signals, USAGE, conclude};
use crate::error::Error;

/// Runs the command and gives its exit code: 0 done, 1 failed, 2 wrong usage, 130, 143 or 129 ended by a signal. `args` begin
/// with the name of the program.
///
/// Signals that ask for an end (`SIGINT`, `SIGTERM`, and `SIGHUP` unless it is ignored) are this function's from here on, for the
/// life of the process.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    run_with(args, None)
}

/// The same, where `loader` writes to databases.
pub(crate) fn run_with(args: impl IntoIterator<Item = OsString>, loader: Option<load::Loader<'_>>) -> u8 {
    output::fill_standard_streams();
    let cli = Cli::try_parse_from(args);
    let signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => {
            output::message(&format!("signals cannot be caught: {error}"));
            return FAILED;
        }
    };
    let outcome = match cli {
        Ok(Cli { command }) => match command {
            Command::ToParquet(args) => to_parquet::run(&args, &signals),
            Command::ToArrow(args) => to_arrow::run(&args, &signals),
            Command::ToLance(args) => load::to_lance(&args, &signals, loader),
            Command::ToDuckdb(args) => load::to_duckdb(&args, &signals, loader),
            Command::Inspect(args) => show::inspect(&args, &signals),
            Command::Head(args) => show::head(&args, &signals),
            Command::Sample(args) => sample::run(&args, &signals),
            Command::Completions(args) => generated::completions(&args),
            Command::Man(args) => generated::man(&args),
        },
        // Usage errors go to standard error, in the style of all messages. Help that was not asked for has no such prefix.
        Err(message) if message.use_stderr() => {
            match message.render().to_string().strip_prefix("error: ") {
                Some(text) => output::message(text.trim_end()),
                None => drop(message.print()),
            }
            return USAGE;
        }
        Err(help) => help.print().map_err(|error| Error::from(error).into()),
    };
    conclude(outcome, &signals)
}
