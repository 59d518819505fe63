//! Ctrl-C, and being asked to end: by a batch system, or as the terminal was closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::outcome::{HUNG_UP, INTERRUPTED, TERMINATED};
use crate::cancel::Cancel;

/// What a signal does: ends the process at once as long as nothing is to be cleaned up, else asks for an end, and then the
/// next one ends it at once. `SIGHUP` only asks: a closed terminal sends it, and its shell does so again.
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
