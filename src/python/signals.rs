//! Ctrl-C while the interpreter is not looking.

use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Instant;

use pyo3::prelude::*;

use crate::input::Check;
use crate::pool::{PATIENCE, lock};
use crate::reader::Interrupt;

/// For an input that may not deliver, to be asked while somebody waits for it.
pub(super) fn check(py: Python<'_>) -> PyResult<Check> {
    let main = main_thread(py)?;
    Ok(Arc::new(move || {
        if main != Some(std::thread::current().id()) {
            return Ok(());
        }
        Python::try_attach(|py| py.check_signals()).unwrap_or(Ok(())).map_err(std::io::Error::other)
    }))
}

/// The calling thread, if it is Python's main one.
fn main_thread(py: Python<'_>) -> PyResult<Option<ThreadId>> {
    let threading = py.import("threading")?;
    let is_main = threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?);
    Ok(is_main.then(|| std::thread::current().id()))
}

/// Looks for signals on behalf of one piece of work. Python runs signal handlers on its main thread only, so work that any other
/// thread waits for is not interrupted; and only the main thread can attach here without waiting for itself.
#[derive(Clone)]
pub(super) struct Signals(Arc<State>);

struct State {
    main: Option<ThreadId>,
    last: Mutex<Instant>,
    raised: Mutex<Option<PyErr>>,
}

impl Signals {
    pub(super) fn new(py: Python<'_>) -> PyResult<Self> {
        Ok(Self(Arc::new(State {
            main: main_thread(py)?,
            last: Mutex::new(Instant::now()),
            raised: Mutex::new(None),
        })))
    }

    /// For a reader: true once a signal handler raised an exception.
    pub(super) fn interrupt(&self) -> Interrupt {
        let signals = self.clone();
        Arc::new(move || signals.check())
    }

    fn check(&self) -> bool {
        if self.0.main != Some(std::thread::current().id()) {
            return false;
        }
        let mut last = lock(&self.0.last);
        // Every look attaches to the interpreter, which other threads may be using.
        if last.elapsed() < PATIENCE {
            return false;
        }
        *last = Instant::now();
        match Python::try_attach(|py| py.check_signals()) {
            Some(Err(error)) => {
                *lock(&self.0.raised) = Some(error);
                true
            }
            // An interpreter that shuts down waits for nothing.
            None => true,
            Some(Ok(())) => false,
        }
    }

    /// The exception that the signal handler raised.
    pub(super) fn take_raised(&self) -> Option<PyErr> {
        lock(&self.0.raised).take()
    }
}
