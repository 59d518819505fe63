//! Turns of the callers that read whole inputs into memory.
//!
//! Eight callers on two cores finish no earlier if all of them begin at once: each only holds its
//! memory for longer. So as many callers work at a time as there are cores, in the order in which
//! they came.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{PATIENCE, PerProcess, lock, lock_soon};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::options::cores;

/// A caller begins after this time even if it is not its turn. So a caller that works within the
/// turn of another one, as a signal handler may, goes on.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

static TURNS: Mutex<Option<PerProcess<Arc<Turns>>>> = Mutex::new(None);

#[derive(Default)]
struct Turns {
    callers: Mutex<Callers>,
    changed: Condvar,
}

/// Callers are numbered in the order in which they came.
#[derive(Default)]
struct Callers {
    came: u64,
    ended: u64,
}

/// The time in which a caller works. It ends when it is dropped.
pub(crate) struct Turn(PerProcess<Arc<Turns>>);

impl Turn {
    /// Waits for the caller's turn.
    pub(crate) fn wait(cancel: &Cancel) -> Result<Self> {
        let Some(mut turns) = lock_soon(&TURNS) else { return Ok(Self(PerProcess::default())) };
        // A forked child begins with turns of its own.
        drop(turns.take_if(|inherited| !inherited.is_current()));
        let turns: Arc<Turns> = Arc::clone(turns.get_or_insert_default());
        turns.wait(cores() as u64, cancel)
    }
}

impl Turns {
    /// Waits until fewer than `most` callers are at work.
    fn wait(self: Arc<Self>, most: u64, cancel: &Cancel) -> Result<Turn> {
        let begin = Instant::now();
        let mut callers = lock(&self.callers);
        let number = callers.came;
        callers.came += 1;
        let turn = Turn(PerProcess::new(self.clone()));
        while number >= callers.ended + most && begin.elapsed() < LONGEST_WAIT {
            callers = self.changed.wait_timeout(callers, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
            drop(callers);
            // The check may run code of the caller.
            cancel.check()?;
            callers = lock(&self.callers);
        }
        drop(callers);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // In a forked child the lock may be held for ever.
        if self.0.is_current() {
            lock(&self.0.callers).ended += 1;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
