//! How a command ends: by itself or by a signal, what it says last, and its exit code.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::output;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind};
use crate::output::directory::is_remote;

/// Exit code of a command that failed.
pub(super) const FAILED: u8 = 1;
/// Exit code of a command that was used wrongly. The same as clap's.
pub(super) const USAGE: u8 = 2;
/// Exit codes of a command that a signal ended: 128 and the signal's number, as shells have it.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;
const HUNG_UP: u8 = 129;

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

/// The handling of signals. A signal ends the process at once while nothing needs to be cleaned up. Otherwise the first one
/// asks for an end, and the next one ends the process at once. `SIGHUP` only asks: a closed terminal sends it, and its shell does so again.
#[derive(Debug)]
pub(super) struct Signals {
    /// The exit code that the signal asks for, or 0 before there is one.
    code: Arc<AtomicUsize>,
    at_once: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn register() -> io::Result<Self> {
        let code = Arc::new(AtomicUsize::new(0));
        let at_once = Arc::new(AtomicBool::new(true));
        let signals = [(SIGINT, INTERRUPTED), (SIGTERM, TERMINATED)];
        #[cfg(unix)]
        let hung_up = Some(signal_hook::consts::SIGHUP).filter(|&signal| !is_ignored(signal));
        #[cfg(not(unix))]
        let hung_up = None;
        for (signal, exit) in signals.into_iter().chain(hung_up.map(|signal| (signal, HUNG_UP))) {
            // In this order: a signal must not find the flag that it sets itself.
            flag::register_conditional_shutdown(signal, exit.into(), at_once.clone())?;
            if exit != HUNG_UP {
                flag::register(signal, at_once.clone())?;
            }
            flag::register_usize(signal, code.clone(), exit.into())?;
        }
        // A file larger than the limit of the process is an error of the write, not the end of the process.
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(Self { code, at_once })
    }

    /// From here on there is a temporary file to be cleaned up: the first signal only asks for an end.
    pub(super) fn defer(&self) {
        self.at_once.store(false, Ordering::SeqCst);
    }

    /// The exit code that a signal asked for, if one came.
    pub(super) fn exit_code(&self) -> Option<u8> {
        u8::try_from(self.code.load(Ordering::SeqCst)).ok().filter(|&code| code != 0)
    }

    /// Ends work once a signal came.
    pub(super) fn cancel(&self) -> Cancel {
        let code = self.code.clone();
        Cancel::when(move || code.load(Ordering::SeqCst) != 0)
    }
}

/// True for a signal that this process was started to ignore, as by `nohup`, or where that is not known: there it does what it
/// did. To ask the system itself takes `unsafe`.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}
