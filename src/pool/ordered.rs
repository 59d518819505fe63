//! Work for threads. Its results come in the order in which the work was given.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rayon::ThreadPool;

use super::{OwnerProcess, PerProcess, catch, lock, with_threads};
use crate::error::{Error, Result};

type Work<T> = Box<dyn FnOnce() -> Result<T> + Send>;

/// A queue of work. The thread that takes the results does work as well.
pub(crate) struct Ordered<T> {
    /// `None` if the taking thread does all the work.
    pool: PerProcess<Option<Arc<ThreadPool>>>,
    most: usize,
    pieces: PerProcess<VecDeque<Arc<Piece<T>>>>,
    owner: OwnerProcess,
}

struct Piece<T> {
    state: Mutex<State<T>>,
    done: Condvar,
}

enum State<T> {
    Waiting(Work<T>),
    Running,
    Done(Result<T>),
}

impl<T: Send + 'static> Ordered<T> {
    /// A queue for this number of threads.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let pool = if threads > 1 { Some(with_threads(threads - 1)?) } else { None };
        Ok(Self {
            pool: PerProcess::new(pool),
            most: threads + 1,
            pieces: PerProcess::default(),
            owner: OwnerProcess::current(),
        })
    }

    /// True if the queue holds more work than there are threads. A result should be taken first.
    pub(crate) fn is_full(&self) -> bool {
        self.pieces.len() >= self.most
    }

    /// Adds `work`. Fails in a forked child, and so do the functions that take results.
    pub(crate) fn give(&mut self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<()> {
        self.owner.check()?;
        let state = Mutex::new(State::Waiting(Box::new(work)));
        let piece = Arc::new(Piece { state, done: Condvar::new() });
        self.pieces.push_back(piece.clone());
        if let Some(pool) = self.pool.as_ref() {
            pool.spawn(move || {
                piece.run();
            });
        }
        Ok(())
    }

    /// The first result, if it is done.
    pub(crate) fn take_done(&mut self) -> Option<Result<T>> {
        if let Err(error) = self.owner.check() {
            return Some(Err(error));
        }
        let is_done = matches!(*lock(&self.pieces.front()?.state), State::Done(_));
        if is_done { self.take() } else { None }
    }

    /// The first result, or `None` without work. The calling thread does work that has not begun, and
    /// waits for the rest.
    pub(crate) fn take(&mut self) -> Option<Result<T>> {
        if let Err(error) = self.owner.check() {
            return Some(Err(error));
        }
        let first = self.pieces.pop_front()?;
        if !first.run() {
            // Another thread does it.
            self.pieces.iter().find(|piece| piece.run());
        }
        Some(first.wait())
    }
}

impl<T> Piece<T> {
    /// Does the work, unless it has begun.
    fn run(&self) -> bool {
        let mut state = lock(&self.state);
        let work = match std::mem::replace(&mut *state, State::Running) {
            State::Waiting(work) => work,
            other => {
                *state = other;
                return false;
            }
        };
        drop(state);
        let result = catch(work);
        *lock(&self.state) = State::Done(result);
        self.done.notify_one();
        true
    }

    fn wait(&self) -> Result<T> {
        let mut state = lock(&self.state);
        while matches!(*state, State::Running) {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match std::mem::replace(&mut *state, State::Running) {
            State::Done(result) => result,
            _ => Err(Error::internal("work that nobody did")),
        }
    }
}

impl<T> Drop for Ordered<T> {
    fn drop(&mut self) {
        if !self.owner.is_current() {
            return;
        }
        // Work that has not begun is dropped.
        for piece in self.pieces.iter() {
            let mut state = lock(&piece.state);
            if matches!(*state, State::Waiting(_)) {
                *state = State::Running;
            }
        }
    }
}

#[cfg(test)]
#[path = "ordered_tests.rs"]
mod tests;
