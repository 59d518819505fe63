//! Threads. No other room makes any.
//!
//! Scans with the same number of threads share a pool, so that eight callers on two cores do not
//! start sixteen threads. Rayon's global pool is not used: a forked child would inherit it without
//! threads and wait for ever. A forked child makes a pool of its own and leaks the inherited one,
//! since dropping a pool waits for its threads.

mod job;
mod ordered;
mod process;
#[cfg(feature = "python")]
mod turns;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

pub(crate) use self::job::Job;
pub(crate) use self::ordered::Ordered;
pub(crate) use self::process::{OwnerProcess, PerProcess, other_process};
#[cfg(feature = "python")]
pub(crate) use self::turns::Turn;

use crate::cancel::Cancel;
use crate::error::{Error, Result};

static POOLS: Mutex<Option<PerProcess<Vec<Arc<ThreadPool>>>>> = Mutex::new(None);

/// A pool of this many threads.
pub(crate) fn with_threads(threads: usize) -> Result<Arc<ThreadPool>> {
    let Some(mut pools) = lock_soon(&POOLS) else { return new(threads) };
    drop(pools.take_if(|inherited| !inherited.owner.is_current()));
    let pools = pools.get_or_insert_default();
    if let Some(pool) = pools.iter().find(|pool| pool.current_num_threads() == threads) {
        return Ok(pool.clone());
    }
    let pool = new(threads)?;
    pools.push(pool.clone());
    Ok(pool)
}

fn new(threads: usize) -> Result<Arc<ThreadPool>> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|number| format!("vecpack-{number}"))
        .build()
        .map(Arc::new)
        .map_err(|error| Error::internal(format!("no threads: {error}")))
}

/// Does `work` on a new thread and `meanwhile` on the calling one, and waits for both. Without a
/// thread from the system, `work` is dropped. A child that is forked by `meanwhile` does not wait.
#[cfg(feature = "python")]
pub(crate) fn beside<T>(work: impl FnOnce() + Send + 'static, meanwhile: impl FnOnce() -> T) -> T {
    let owner = OwnerProcess::current();
    let thread = std::thread::Builder::new().name("vecpack-beside".to_owned()).spawn(work);
    let result = meanwhile();
    match thread {
        // The panic hook has reported a panic of the thread.
        Ok(thread) if owner.is_current() => drop(thread.join()),
        left => std::mem::forget(left),
    }
    result
}

/// Does `work` on a thread of its own and does not wait for it. False without a thread from the system.
pub(crate) fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).is_ok()
}

/// Locks a mutex, also after a panic of another holder: the guarded values are valid between any two
/// statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks a mutex that is never held for long. `None` if it stays locked: in a child that was forked
/// while another thread held it, it is locked for ever.
pub(crate) fn lock_soon<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    (0..100).find_map(|_| match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => {
            std::thread::yield_now();
            None
        }
    })
}

/// The time between two checks of a [`Cancel`] during a wait.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// Does `work`, which the system may keep waiting and no signal ends, on a thread of its own. The
/// outer error is that of the wait, which `cancel` ends; the work then goes on without a caller.
pub(crate) fn interruptible<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
    cancel: &Cancel,
) -> io::Result<io::Result<T>> {
    let (owner, (sender, done)) = (OwnerProcess::current(), sync_channel(1));
    let spawned =
        std::thread::Builder::new().name("vecpack-wait".to_owned()).spawn(move || drop(sender.send(work())));
    if let Err(error) = spawned {
        return Ok(Err(error));
    }
    let received = receive(&done, &owner, cancel, "the thread that waits died");
    if owner.is_current() {
        return received;
    }
    // The check of `cancel` may fork, so this can run in the child process.
    std::mem::forget(done);
    Ok(Err(other_process()))
}

/// Waits for what another thread sends. `cancel` ends the wait, and a forked child does not wait.
pub(crate) fn receive<T>(
    receiver: &Receiver<T>,
    owner: &OwnerProcess,
    cancel: &Cancel,
    died: &str,
) -> io::Result<T> {
    loop {
        owner.check_io()?;
        match receiver.recv_timeout(PATIENCE) {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => cancel.check_io()?,
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other(died)),
        }
    }
}

/// Runs `work` and turns a panic into an error.
pub(crate) fn catch<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::panicked(&*panic)))
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
