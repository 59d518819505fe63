//! How a command ends: what it says last, and its exit code.

use std::io;
use std::path::Path;

use super::output;
use super::signals::Signals;
use crate::error::{Error, ErrorKind};
use crate::output::directory::is_remote;

/// Exit code of a command that failed.
pub(super) const FAILED: u8 = 1;
/// Exit code of a command that was used wrongly. The same as clap's.
pub(super) const USAGE: u8 = 2;
/// Exit codes of a command that a signal ended: 128 and the signal's number, as shells have it.
pub(super) const INTERRUPTED: u8 = 130;
pub(super) const TERMINATED: u8 = 143;
pub(super) const HUNG_UP: u8 = 129;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(super) enum Failure {
    /// The core's verdict, and what to know where another run can go on with the work.
    Core(Error, Option<String>),
    /// The verdict of the library that writes to a database, and the exit code.
    Library(String, u8),
    /// The failure that the output of the command explains already.
    Shown,
    /// Whoever reads what is written has had enough, as `head` does: no failure.
    Enough,
}

impl Failure {
    /// Of work that writes to `out`, which may be a pipe under some name. No file breaks like one, but the way to a store may.
    pub(super) fn of_output(error: Error, out: &Path) -> Self {
        match error.kind() {
            ErrorKind::Io { path: Some(path), source }
                if path == out && source.kind() == io::ErrorKind::BrokenPipe && !is_remote(out) =>
            {
                Self::Enough
            }
            _ => error.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.into_kind() {
            // Of an output that has no name. Inputs and files are always named.
            ErrorKind::Io { path: None, source } if source.kind() == io::ErrorKind::BrokenPipe => {
                Self::Enough
            }
            ErrorKind::Io { path: None, source } => {
                Self::Core(Error::io(Path::new("<stdout>"), source), None)
            }
            kind => Self::Core(kind.into(), None),
        }
    }
}

/// Says what is to be said about a failure and gives the exit code.
pub(super) fn conclude(outcome: Result<(), Failure>, signals: &Signals) -> u8 {
    let Err(failure) = outcome else { return 0 };
    // Whatever error comes after a signal comes from it.
    if let Some(code) = signals.exit_code() {
        let what = match code {
            TERMINATED => "terminated",
            HUNG_UP => "hung up",
            _ => "interrupted",
        };
        match failure {
            Failure::Core(_, Some(hint)) => output::message(&format!("{what}: {hint}")),
            _ => output::message(what),
        }
        return code;
    }
    match failure {
        Failure::Core(error, hint) => {
            output::message(&error.to_string());
            hint.iter().for_each(|hint| output::message(hint));
            match error.kind() {
                ErrorKind::Option(_) => USAGE,
                ErrorKind::Interrupted => INTERRUPTED,
                _ => FAILED,
            }
        }
        Failure::Library(text, code) => {
            output::message(&text);
            code
        }
        Failure::Shown => FAILED,
        Failure::Enough => 0,
    }
}
