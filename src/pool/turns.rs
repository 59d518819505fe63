//! Turns of the callers that read whole inputs into memory.
//!
//! Eight callers on two cores finish no earlier if all of them begin at once: each only holds its
//! memory for longer. So as many callers work at a time as there are cores, in the order in which
//! they came. None begins far behind one that has not ended: whoever wants the results in order keeps
//! all that are done before their turn.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{PATIENCE, PerProcess, lock, lock_soon};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::options::cores;

/// A caller begins after this time even if it is not its turn. So callers go on behind those that a
/// disk keeps waiting, and so does one that works within the turn of another, as a signal handler may.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

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
    /// The callers that wait or work.
    here: BTreeSet<u64>,
}

impl Callers {
    fn may_begin(&self, number: u64, most: usize) -> bool {
        let is_near = self.here.first().is_none_or(|first| number < first + 2 * most as u64);
        is_near && self.here.range(..number).count() < most
    }
}

/// The time in which a caller works. It ends when it is dropped.
pub(crate) struct Turn {
    turns: PerProcess<Arc<Turns>>,
    number: u64,
}

impl Turn {
    /// Waits for the caller's turn.
    pub(crate) fn wait(cancel: &Cancel) -> Result<Self> {
        let Some(mut turns) = lock_soon(&TURNS) else {
            return Ok(Self { turns: PerProcess::default(), number: 0 });
        };
        // A forked child begins with turns of its own.
        drop(turns.take_if(|inherited| !inherited.owner.is_current()));
        let shared: Arc<Turns> = Arc::clone(turns.get_or_insert_default());
        // The lock must be free while this caller waits: without it the next caller takes no turn.
        drop(turns);
        shared.wait(cores(), Instant::now() + LONGEST_WAIT, cancel)
    }
}

impl Turns {
    /// Waits until fewer than `most` callers are in front, or until `last`.
    fn wait(self: Arc<Self>, most: usize, last: Instant, cancel: &Cancel) -> Result<Turn> {
        let mut callers = lock(&self.callers);
        let number = callers.came;
        callers.came += 1;
        callers.here.insert(number);
        let turn = Turn { turns: PerProcess::new(self.clone()), number };
        while !callers.may_begin(number, most) && Instant::now() < last {
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
        if self.turns.owner.is_current() {
            lock(&self.turns.callers).here.remove(&self.number);
            self.turns.changed.notify_all();
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
