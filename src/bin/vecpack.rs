//! The `vecpack` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vecpack::cli::run(std::env::args_os()).into()
}
