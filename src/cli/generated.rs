//! `vecpack completions` and `vecpack man`: what is made of the definition of the command.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Cli;
use super::outcome::Failure;
use super::output;
use crate::error::Error;

/// Print a script that completes this command's arguments in a shell.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vecpack", &mut script);
    output::raw(&script)
}

/// Print a page of the manual.
///
/// Prints the page of vecpack, or of one of its commands, in the format that man reads.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vecpack man to-parquet | man -l -
  vecpack man > vecpack.1")]
pub(super) struct ManArgs {
    /// The command [default: all of vecpack].
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    let mut all = Cli::command();
    all.build();
    let page = match &args.command {
        None => all,
        Some(name) => {
            let command = all.find_subcommand(name).cloned();
            command.ok_or_else(|| Error::option(format!("there is no command `{name}`")))?
        }
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text).map_err(Error::from)?;
    // The text behind the options, which the page calls EXTRA, is examples.
    output::raw(String::from_utf8_lossy(&text).replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n").as_bytes())
}
