//! Ctrl-C, and being asked to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::outcome::INTERRUPTED;
use crate::reader::Interrupt;

/// What a signal does: ends the process at once as long as nothing is to be cleaned up, else asks for an end, and then the
/// next one ends it at once.
#[derive(Debug)]
pub(super) struct Signals {
    interrupted: Arc<AtomicBool>,
    at_once: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn register() -> io::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let at_once = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGTERM] {
            // In this order: a signal must not find the flag that it sets itself.
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), at_once.clone())?;
            flag::register(signal, at_once.clone())?;
            flag::register(signal, interrupted.clone())?;
        }
        // A file larger than the limit of the process is an error of the write, not the end of the process.
        #[cfg(unix)]
        flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(Self { interrupted, at_once })
    }

    /// From here on there is a temporary file to be cleaned up: the first signal only asks for an end.
    pub(super) fn defer(&self) {
        self.at_once.store(false, Ordering::SeqCst);
    }

    /// True when a signal asked for an end.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// The same question, for those who work.
    pub(super) fn interrupt(&self) -> Interrupt {
        let interrupted = self.interrupted.clone();
        Arc::new(move || interrupted.load(Ordering::SeqCst))
    }
}
