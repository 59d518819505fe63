//! A lane's place in the queue: where its batches wait, and where it waits itself when it must not run ahead.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::lane::{Lane, Step};
use crate::error::Result;
use crate::pool::{PATIENCE, catch, lock};

/// Batches of one lane that may wait to be taken.
const DEPTH: usize = 2;

pub(super) struct Slot {
    state: Mutex<State>,
    changed: Condvar,
    cancelled: Arc<AtomicBool>,
    /// Only the thread that takes the batches may run the lane.
    inline: bool,
}

struct State {
    ready: VecDeque<Result<Step>>,
    /// `None` while a thread runs it, and when it has ended.
    lane: Option<Box<Lane>>,
}

impl Slot {
    pub(super) fn new(lane: Lane, cancelled: Arc<AtomicBool>, inline: bool) -> Arc<Self> {
        let state = State { ready: VecDeque::new(), lane: Some(Box::new(lane)) };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), cancelled, inline })
    }

    /// Lets `pool` run the lane ahead.
    pub(super) fn start(self: &Arc<Self>, pool: &rayon::ThreadPool) {
        if !self.inline {
            let slot = self.clone();
            pool.spawn(move || while slot.run_once() {});
        }
    }

    /// The lane's next step, if there is one or this thread can take it now.
    pub(super) fn next(self: &Arc<Self>, pool: Option<&rayon::ThreadPool>) -> Option<Result<Step>> {
        let mut state = lock(&self.state);
        if state.ready.is_empty() && state.lane.is_some() {
            drop(state);
            self.run_once();
            state = lock(&self.state);
        }
        let step = state.ready.pop_front();
        if step.is_some() && state.lane.is_some() {
            drop(state);
            if let Some(pool) = pool {
                self.start(pool);
            }
        }
        step
    }

    /// Takes a step of a lane whose batches are not due yet. False if there is none to take.
    pub(super) fn help(&self) -> bool {
        let state = lock(&self.state);
        let idle = !self.inline && state.lane.is_some() && state.ready.len() < DEPTH;
        drop(state);
        if idle {
            self.run_once();
        }
        idle
    }

    /// Waits a little while for the lane's next step.
    pub(super) fn wait(&self) {
        let state = lock(&self.state);
        if state.ready.is_empty() {
            drop(self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Takes one step of the lane, unless another thread is at it. True when there is more to do at once.
    fn run_once(&self) -> bool {
        let mut state = lock(&self.state);
        if state.ready.len() >= DEPTH {
            return false;
        }
        let Some(mut lane) = state.lane.take() else { return false };
        drop(state);
        let step = catch(|| lane.step());
        let ended = step.as_ref().map_or(true, |step| step.end.is_some());
        let mut state = lock(&self.state);
        state.ready.push_back(step);
        if !ended {
            state.lane = Some(lane);
        }
        self.changed.notify_one();
        !ended && state.ready.len() < DEPTH
    }
}

impl Slot {
    /// Stops the lane soon, if a thread runs it.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
