//! Ctrl-C while the interpreter runs no code.

use std::fmt;
use std::io;
use std::sync::Mutex;
use std::time::Instant;

use pyo3::prelude::*;

use crate::cancel::Cancel;
use crate::error::ErrorKind;
use crate::pool::{PATIENCE, lock};

/// The exception that a signal handler raised, on its way through the library.
#[derive(Debug)]
pub(super) struct Raised(pub(super) PyErr);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Raised {}

/// Ends a piece of work when a signal handler raises an exception.
///
/// Python runs signal handlers on its main thread only, so work for another thread is never
/// cancelled. Only the main thread can attach here without waiting for itself.
pub(super) fn cancel(py: Python<'_>) -> PyResult<Cancel> {
    let threading = py.import("threading")?;
    if !threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?) {
        return Ok(Cancel::never());
    }
    let main = std::thread::current().id();
    let last = Mutex::new(Instant::now());
    Ok(Cancel::new(move || {
        if main != std::thread::current().id() {
            return Ok(());
        }
        let mut last = lock(&last);
        // Every check attaches to the interpreter, which other threads may be using.
        if last.elapsed() < PATIENCE {
            return Ok(());
        }
        *last = Instant::now();
        match Python::try_attach(|py| py.check_signals()) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(io::Error::other(Raised(error)).into()),
            // An interpreter that shuts down waits for nothing.
            None => Err(ErrorKind::Interrupted.into()),
        }
    }))
}
