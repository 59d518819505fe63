//! `vecpack completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::outcome::Failure;
use super::output;

/// Print a script that completes this command's arguments in a shell.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vecpack", &mut script);
    output::raw(&script)
}
