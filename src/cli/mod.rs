//! The `vecpack` command. The only room that prints.
//!
//! The same function serves the binary and the command that the Python wheel installs. Data goes to standard output, everything
//! else to standard error.

mod args;
mod completions;
mod inputs;
mod inspect;
mod outcome;
mod output;
mod progress;
mod sample;
mod signals;
mod size;
mod to_arrow;
mod to_parquet;

use std::ffi::OsString;

use clap::Parser;

pub(crate) use self::progress::ProgressBar;

use self::args::{Cli, Command};
use self::outcome::{FAILED, Failure, USAGE, conclude};
use self::signals::Signals;

/// Runs the command and gives its exit code: 0 done, 1 failed, 2 wrong usage, 130, 143 or 129 ended by a signal. `args` begin
/// with the name of the program.
///
/// Signals that ask for an end (`SIGINT`, `SIGTERM`, and `SIGHUP` unless it is ignored) are this function's from here on, for the
/// life of the process.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(message) => {
            // Help goes to standard output, usage errors to standard error. Nobody is left to be told that this failed.
            let _ = message.print();
            return if message.use_stderr() { USAGE } else { 0 };
        }
    };
    let signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => {
            output::message(&format!("signals cannot be caught: {error}"));
            return FAILED;
        }
    };
    conclude(run_command(&cli.command, &signals), &signals)
}

fn run_command(command: &Command, signals: &Signals) -> Result<(), Failure> {
    match command {
        Command::ToParquet(args) => to_parquet::run(args, signals),
        Command::ToArrow(args) => to_arrow::run(args, signals),
        Command::Inspect(args) => inspect::run(args, signals),
        Command::Sample(args) => sample::run(args, signals),
        Command::Completions(args) => completions::run(args),
    }
}
