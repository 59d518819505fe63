//! The `vecpack` command. The only room that prints.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command; `args` begin with the name of the program.
pub fn run(_args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::FAILURE
}
