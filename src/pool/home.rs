//! The process that work belongs to.
//!
//! A child that was forked has a copy of all work that was under way and none of the threads that do it: to wait for them, or for a
//! lock that one of them held, would be to wait for ever. So whoever may wait asks first where the work was begun, and a child
//! leaves what it inherited alone: it neither goes on with it nor drops it.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// No process has this number.
const NOBODY: u32 = 0;

/// Where a piece of work was begun.
#[derive(Debug, Default)]
pub(crate) struct Home(AtomicU32);

impl Home {
    /// Begins the work here.
    pub(crate) fn here() -> Self {
        Self(AtomicU32::new(std::process::id()))
    }

    /// Begins the work here if nobody has. True if it is this process that did, now or before.
    pub(crate) fn enter(&self) -> bool {
        let here = std::process::id();
        let begun = self.0.compare_exchange(NOBODY, here, Ordering::Relaxed, Ordering::Relaxed);
        begun.map_or_else(|home| home == here, |_| true)
    }

    /// True in the process where the work was begun, and anywhere before it is.
    pub(crate) fn is_here(&self) -> bool {
        let home = self.0.load(Ordering::Relaxed);
        home == NOBODY || home == std::process::id()
    }

    /// Fails in a process that inherited the work.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_here() { Ok(()) } else { Err(ErrorKind::OtherProcess.into()) }
    }

    /// The same, for those who read and write.
    pub(crate) fn check_io(&self) -> io::Result<()> {
        if self.is_here() { Ok(()) } else { Err(elsewhere()) }
    }
}

/// What a child that was forked is told by what it inherited.
pub(crate) fn elsewhere() -> io::Error {
    io::Error::other(Error::from(ErrorKind::OtherProcess))
}

/// What a child that was forked does not drop: threads that it does not have may hold its locks.
#[derive(Debug)]
pub(crate) struct Kept<T: Default> {
    value: T,
    home: Home,
}

impl<T: Default> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value, home: Home::here() }
    }

    /// True in the process where it was made.
    pub(crate) fn is_here(&self) -> bool {
        self.home.is_here()
    }
}

impl<T: Default> Default for Kept<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Default> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Default> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Default> Drop for Kept<T> {
    fn drop(&mut self) {
        if !self.is_here() {
            std::mem::forget(std::mem::take(&mut self.value));
        }
    }
}

#[cfg(test)]
#[path = "home_tests.rs"]
mod tests;
