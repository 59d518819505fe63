//! The process that owns a piece of work.
//!
//! A forked child inherits the memory of all running work, but not the threads that do it. Waiting
//! for such a thread, or for a lock that it held, would never end. Code that may wait therefore
//! checks its owner first. Inherited work is neither continued nor dropped.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// No process has this number.
const UNOWNED: u32 = 0;

/// The process that began a piece of work.
#[derive(Debug, Default)]
pub(crate) struct OwnerProcess(AtomicU32);

impl OwnerProcess {
    /// Work that the current process owns.
    pub(crate) fn current() -> Self {
        Self(AtomicU32::new(std::process::id()))
    }

    /// Makes the current process the owner, unless there is one. True if the current process owns
    /// the work now.
    pub(crate) fn claim(&self) -> bool {
        let here = std::process::id();
        let begun = self.0.compare_exchange(UNOWNED, here, Ordering::Relaxed, Ordering::Relaxed);
        begun.map_or_else(|owner| owner == here, |_| true)
    }

    /// True in the owner. Also true while the work has no owner.
    pub(crate) fn is_current(&self) -> bool {
        let owner = self.0.load(Ordering::Relaxed);
        owner == UNOWNED || owner == std::process::id()
    }

    /// Fails in a forked child.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_current() { Ok(()) } else { Err(ErrorKind::OtherProcess.into()) }
    }

    /// The same check, for readers and writers.
    pub(crate) fn check_io(&self) -> io::Result<()> {
        if self.is_current() { Ok(()) } else { Err(other_process()) }
    }
}

/// The error of inherited work in a forked child.
pub(crate) fn other_process() -> io::Error {
    io::Error::other(Error::from(ErrorKind::OtherProcess))
}

/// A value that only its owner drops. In a forked child, threads that do not exist there may hold
/// locks of the value.
#[derive(Debug)]
pub(crate) struct PerProcess<T: Default> {
    value: T,
    /// The process that made the value.
    pub(crate) owner: OwnerProcess,
}

impl<T: Default> PerProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value, owner: OwnerProcess::current() }
    }
}

impl<T: Default> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Default> Deref for PerProcess<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Default> DerefMut for PerProcess<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Default> Drop for PerProcess<T> {
    fn drop(&mut self) {
        if !self.owner.is_current() {
            std::mem::forget(std::mem::take(&mut self.value));
        }
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
