//! The one place that makes threads, and work for them that keeps its order.
//!
//! All scans of a process with the same number of threads share a pool, so that eight callers on two cores do not start
//! sixteen threads. Rayon's global pool is not used: a forked child would inherit a pool without threads and wait for ever. Here
//! a child makes a pool of its own, and the one it inherited is leaked, since to drop it would mean to wait for its threads.

mod ordered;
mod process;

use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

pub(crate) use self::ordered::Ordered;
pub(crate) use self::process::{OwnerProcess, PerProcess, other_process};

use crate::cancel::Cancel;
use crate::error::{Error, Result};

static POOLS: Mutex<Option<PerProcess<Vec<Arc<ThreadPool>>>>> = Mutex::new(None);

/// A pool of this many threads.
pub(crate) fn with_threads(threads: usize) -> Result<Arc<ThreadPool>> {
    let mut pools = match POOLS.try_lock() {
        Ok(pools) => pools,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Held by another thread for a moment, or, in a child that was forked in that moment, for ever.
        Err(TryLockError::WouldBlock) => return new(threads),
    };
    drop(pools.take_if(|inherited| !inherited.is_current()));
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

/// Does `work` on a thread of its own while the caller does `meanwhile`, and waits for both. Where the system has no thread to
/// give, `work` is dropped undone. A child that was forked `meanwhile` has no thread to wait for.
#[cfg(feature = "python")]
pub(crate) fn beside<T>(work: impl FnOnce() + Send + 'static, meanwhile: impl FnOnce() -> T) -> T {
    let owner = OwnerProcess::current();
    let thread = std::thread::Builder::new().name("vecpack-beside".to_owned()).spawn(work);
    let result = meanwhile();
    match thread {
        // Its panic has been told.
        Ok(thread) if owner.is_current() => drop(thread.join()),
        left => std::mem::forget(left),
    }
    result
}

/// A lock that a panic elsewhere does not spoil: what it guards is valid between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to wait for what others do, a system, a server or a thread, before asking whether to go on.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// Does `work`, which the system may keep waiting and no signal ends, on a thread of its own. The
/// outer error is that of `cancel`; the work then goes on without a caller.
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
    loop {
        match done.recv_timeout(PATIENCE) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Err(io::Error::other("the thread that waits died")));
            }
            Err(RecvTimeoutError::Timeout) => cancel.check_io()?,
        }
        // The check may fork, so this can run in the child process.
        if !owner.is_current() {
            std::mem::forget(done);
            return Ok(Err(other_process()));
        }
    }
}

/// Runs `work`; a panic becomes an error instead of passing through threads and languages.
pub(crate) fn catch<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::panicked(&*panic)))
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
