//! How a command ends: what it says last, and its exit code.

use std::io;

use super::output;
use super::signals::Signals;
use crate::error::{Error, ErrorKind};

/// Exit code of a command that failed.
pub(super) const FAILED: u8 = 1;
/// Exit code of a command that was used wrongly. The same as clap's.
pub(super) const USAGE: u8 = 2;
/// Exit code of a command that a signal ended.
pub(super) const INTERRUPTED: u8 = 130;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(super) enum Failure {
    /// The core's verdict.
    Core(Error),
    /// Arguments that do not make sense together, or here.
    Usage(String),
    /// Standard output takes no more.
    Stdout(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.into_kind() {
            // Of an output that has no name. Inputs and files are always named.
            ErrorKind::Io { path: None, source } => Self::Stdout(source),
            kind => Self::Core(kind.into()),
        }
    }
}

/// Says what is to be said about a failure and gives the exit code.
pub(super) fn conclude(outcome: Result<(), Failure>, signals: &Signals) -> u8 {
    match outcome {
        Ok(()) => 0,
        // Whatever error comes after a signal comes from it.
        Err(_) if signals.interrupted() => {
            output::message("interrupted");
            INTERRUPTED
        }
        Err(Failure::Core(error)) => {
            output::message(&error.to_string());
            match error.kind() {
                ErrorKind::Option(_) => USAGE,
                ErrorKind::Interrupted => INTERRUPTED,
                _ => FAILED,
            }
        }
        Err(Failure::Usage(text)) => {
            output::message(&text);
            USAGE
        }
        // Whoever reads has had enough, as `head` does: no failure.
        Err(Failure::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(Failure::Stdout(error)) => {
            output::message(&format!("<stdout>: {error}"));
            FAILED
        }
    }
}
