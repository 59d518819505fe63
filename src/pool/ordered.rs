//! Work for threads, whose results come in the order in which it was given.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rayon::ThreadPool;

use super::{OwnerProcess, PerProcess, catch, lock, with_threads};
use crate::error::{Error, Result};

type Work<T> = Box<dyn FnOnce() -> Result<T> + Send>;

/// Pieces of work on their way. The thread that takes their results is one of those that do them.
pub(crate) struct Ordered<T> {
    /// `None` where that thread does all the work.
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
    /// For so many threads.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let pool = if threads > 1 { Some(with_threads(threads - 1)?) } else { None };
        Ok(Self {
            pool: PerProcess::new(pool),
            most: threads + 1,
            pieces: PerProcess::default(),
            owner: OwnerProcess::current(),
        })
    }

    /// True while one more is on its way than there are threads: a result should be taken before more work is given.
    pub(crate) fn is_full(&self) -> bool {
        self.pieces.len() >= self.most
    }

    /// Lets a thread do `work` when it comes to it. Fails in a child that was forked, as what gives results does.
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

    /// The first result, if it is there already.
    pub(crate) fn take_done(&mut self) -> Option<Result<T>> {
        if let Err(error) = self.owner.check() {
            return Some(Err(error));
        }
        let is_done = matches!(*lock(&self.pieces.front()?.state), State::Done(_));
        if is_done { self.take() } else { None }
    }

    /// The first result; `None` where there is no work. The calling thread does what nobody has begun, and waits for the rest.
    pub(crate) fn take(&mut self) -> Option<Result<T>> {
        if let Err(error) = self.owner.check() {
            return Some(Err(error));
        }
        let first = self.pieces.pop_front()?;
        if !first.run() {
            // Another thread is at it.
            self.pieces.iter().find(|piece| piece.run());
        }
        Some(first.wait())
    }
}

impl<T> Piece<T> {
    /// Does the work, if nobody has begun it.
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
        // What nobody has begun need not be done.
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
