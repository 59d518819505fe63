//! Work that gives one result after another.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rayon::ThreadPool;

use super::{PATIENCE, catch, lock};
use crate::error::Result;

/// Results of one job that may wait to be taken.
const DEPTH: usize = 2;

/// Gives the next result, and tells whether others follow it.
type Work<T> = Box<dyn FnMut() -> Result<(T, bool)> + Send>;

/// Work that gives one result after another. A pool runs it ahead, and so does the thread that waits for the results.
pub(crate) struct Job<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// Only the thread that takes the results may do the work.
    inline: bool,
}

struct State<T> {
    ready: VecDeque<Result<T>>,
    /// `None` while a thread does it, and when it has ended.
    work: Option<Work<T>>,
}

impl<T: Send + 'static> Job<T> {
    pub(crate) fn new(work: impl FnMut() -> Result<(T, bool)> + Send + 'static, inline: bool) -> Arc<Self> {
        let state = State { ready: VecDeque::new(), work: Some(Box::new(work)) };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), inline })
    }

    /// Lets `pool` do the work ahead.
    pub(crate) fn start(self: &Arc<Self>, pool: &ThreadPool) {
        if !self.inline {
            let job = self.clone();
            pool.spawn(move || while job.run_once() {});
        }
    }

    /// The next result, if there is one or this thread can make it now.
    pub(crate) fn next(self: &Arc<Self>, pool: Option<&ThreadPool>) -> Option<Result<T>> {
        if !self.is_ready() {
            self.run_once();
        }
        let mut state = lock(&self.state);
        let result = state.ready.pop_front();
        let goes_on = result.is_some() && state.work.is_some();
        drop(state);
        if let Some(pool) = pool.filter(|_| goes_on) {
            self.start(pool);
        }
        result
    }

    /// True if the next result waits to be taken.
    pub(super) fn is_ready(&self) -> bool {
        !lock(&self.state).ready.is_empty()
    }

    /// Makes a result that is not due yet. False if there is none to make.
    pub(crate) fn help(&self) -> bool {
        let state = lock(&self.state);
        let idle = !self.inline && state.work.is_some() && state.ready.len() < DEPTH;
        drop(state);
        if idle {
            self.run_once();
        }
        idle
    }

    /// Waits a little while for the next result.
    pub(crate) fn wait(&self) {
        let state = lock(&self.state);
        if state.ready.is_empty() {
            drop(self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Drops the work, unless a thread is at it.
    pub(super) fn abandon(&self) {
        drop(lock(&self.state).work.take());
    }

    /// Makes one result, unless another thread is at it. True when there is more to do at once.
    fn run_once(&self) -> bool {
        let mut state = lock(&self.state);
        if state.ready.len() >= DEPTH {
            return false;
        }
        let Some(mut work) = state.work.take() else { return false };
        drop(state);
        let (result, goes_on) = match catch(&mut work) {
            Ok((result, goes_on)) => (Ok(result), goes_on),
            Err(error) => (Err(error), false),
        };
        let mut state = lock(&self.state);
        state.ready.push_back(result);
        if goes_on {
            state.work = Some(work);
        }
        self.changed.notify_one();
        goes_on && state.ready.len() < DEPTH
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
