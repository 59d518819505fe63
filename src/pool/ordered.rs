//! Work for threads. Its results come in the order in which the work was given.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::ThreadPool;

use super::{Job, PerProcess, with_threads};
use crate::error::{Error, Result};

/// A queue of jobs with one result each. The thread that takes the results does work as well.
pub(crate) struct Ordered<T: Send + 'static> {
    most: usize,
    queue: PerProcess<Queue<T>>,
}

struct Queue<T> {
    /// `None` if the taking thread does all the work.
    pool: Option<Arc<ThreadPool>>,
    jobs: VecDeque<Arc<Job<T>>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { pool: None, jobs: VecDeque::new() }
    }
}

impl<T: Send + 'static> Ordered<T> {
    /// A queue for this number of threads.
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let pool = if threads > 1 { Some(with_threads(threads - 1)?) } else { None };
        Ok(Self { most: threads + 1, queue: PerProcess::new(Queue { pool, jobs: VecDeque::new() }) })
    }

    /// True if the queue holds more work than there are threads.
    fn is_full(&self) -> bool {
        self.queue.jobs.len() >= self.most
    }

    /// Adds `work`. Fails in a forked child, and so do the functions that take results.
    pub(crate) fn give(&mut self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<()> {
        self.queue.owner.check()?;
        let mut work = Some(work);
        let once = move || match work.take() {
            Some(work) => Ok((work()?, false)),
            None => Err(Error::internal("work that was done before")),
        };
        let job = Job::new(once, false);
        if let Some(pool) = &self.queue.pool {
            job.start(pool);
        }
        self.queue.jobs.push_back(job);
        Ok(())
    }

    /// The first result, if it is done or the queue is full.
    pub(crate) fn take_due(&mut self) -> Option<Result<T>> {
        if let Err(error) = self.queue.owner.check() {
            return Some(Err(error));
        }
        if self.queue.jobs.front()?.is_ready() || self.is_full() { self.take() } else { None }
    }

    /// The first result, or `None` without work. The calling thread does work that has not begun, and
    /// waits for the rest.
    pub(crate) fn take(&mut self) -> Option<Result<T>> {
        if let Err(error) = self.queue.owner.check() {
            return Some(Err(error));
        }
        let first = self.queue.jobs.pop_front()?;
        loop {
            if let Some(result) = first.next(None) {
                return Some(result);
            }
            // Another thread does it.
            if !self.queue.jobs.iter().any(|job| job.help()) {
                first.wait();
            }
        }
    }
}

impl<T: Send + 'static> Drop for Ordered<T> {
    fn drop(&mut self) {
        if self.queue.owner.is_current() {
            // Work that has not begun is dropped.
            self.queue.jobs.iter().for_each(|job| job.abandon());
        }
    }
}

#[cfg(test)]
#[path = "ordered_tests.rs"]
mod tests;
