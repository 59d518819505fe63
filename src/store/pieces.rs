//! Pieces of an object on their way: asked for, here, or done with.
//!
//! Who reads an object waits for the piece that it needs, and the pieces behind it are asked for meanwhile. Several threads read one
//! object at several places.
//!
//! The window, which is how many pieces are asked for before they are needed, begins small. It doubles each time a reader waits
//! although a whole window is on its way: so it grows with the latency and the bandwidth of the server, up to the bound that
//! options give. A piece that a reader waits for is never refused, so more threads than pieces hold more.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};

use bytes::Bytes;

use crate::pool::{PATIENCE, lock};

/// How much of an object is asked for at once.
pub(super) const PIECE: u64 = super::FIRST;
/// The pieces of a window at first.
const AHEAD: usize = 8;
/// Pieces that are held besides those of the window: readers are at several places.
const BEHIND: usize = 8;

/// What is known of the pieces of one object.
#[derive(Default)]
pub(super) struct Pieces {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    pieces: BTreeMap<u64, Piece>,
    /// The pieces of the window, and the most that it may have.
    ahead: usize,
    most: usize,
    /// The window does not grow again before this piece: the ones in front were asked for by a smaller one.
    grows_from: u64,
    /// Counts reads, to know which piece was read last.
    clock: u64,
}

impl Default for State {
    fn default() -> Self {
        Self { pieces: BTreeMap::new(), ahead: AHEAD, most: AHEAD, grows_from: AHEAD as u64, clock: 0 }
    }
}

struct Piece {
    /// `None` while it is on its way.
    content: Option<io::Result<Bytes>>,
    /// How many of its bytes were read, and when that was.
    read: u64,
    last: u64,
}

impl Pieces {
    /// Bounds the window: so many bytes may be on their way or wait to be read.
    pub(super) fn set_window(&self, bytes: u64) {
        let mut state = lock(&self.state);
        state.most = usize::try_from(bytes / PIECE).unwrap_or(usize::MAX).max(1);
        state.ahead = state.ahead.min(state.most);
    }

    /// What there is of piece `number`, from `start` of it on; and which pieces are to be asked for now, of those before `until` that
    /// come next.
    pub(super) fn read(
        &self,
        number: u64,
        start: usize,
        out: &mut [u8],
        until: u64,
    ) -> (Option<io::Result<usize>>, Vec<u64>) {
        let mut state = lock(&self.state);
        state.clock += 1;
        let now = state.clock;
        let read = match state.pieces.get_mut(&number) {
            None => None,
            Some(piece) => match &piece.content {
                None => {
                    state.grow(number);
                    None
                }
                Some(Err(error)) => Some(Err(io::Error::new(error.kind(), error.to_string()))),
                Some(Ok(bytes)) => {
                    let there = bytes.get(start..).unwrap_or_default();
                    let taken = there.len().min(out.len());
                    out[..taken].copy_from_slice(&there[..taken]);
                    piece.read += taken as u64;
                    piece.last = now;
                    Some(Ok(taken))
                }
            },
        };
        (read, state.plan(number, until))
    }

    /// Waits a little while for a piece.
    pub(super) fn wait(&self, number: u64) {
        let state = lock(&self.state);
        if state.pieces.get(&number).is_some_and(|piece| piece.content.is_none()) {
            drop(self.arrived.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// A piece is there, or never will be.
    pub(super) fn put(&self, number: u64, bytes: io::Result<Bytes>) {
        let mut state = lock(&self.state);
        let last = state.clock;
        state.pieces.insert(number, Piece { content: Some(bytes), read: 0, last });
        self.arrived.notify_all();
    }
}

impl State {
    /// Doubles the window, as a reader has to wait for piece `number`.
    fn grow(&mut self, number: u64) {
        if number >= self.grows_from && self.ahead < self.most {
            self.ahead = (2 * self.ahead).min(self.most);
            self.grows_from = number + self.ahead as u64;
        }
    }

    /// Notes `number` and those behind it as asked for, as far as there is room, and gives those that were not before.
    fn plan(&mut self, number: u64, until: u64) -> Vec<u64> {
        let mut new = Vec::new();
        for ahead in number..until.min(number + 1 + self.ahead as u64) {
            if self.pieces.contains_key(&ahead) {
                continue;
            }
            let awaited = self.pieces.values().filter(|piece| piece.content.is_none());
            let is_needed = ahead == number;
            if !is_needed && awaited.count() >= self.ahead {
                break;
            }
            if self.pieces.len() >= self.ahead + BEHIND && !self.drop_one(is_needed) && !is_needed {
                break;
            }
            self.pieces.insert(ahead, Piece { content: None, read: 0, last: self.clock });
            new.push(ahead);
        }
        new
    }

    /// Drops the piece that was read through the longest time ago. Where there is none and room is needed, the one that was not read
    /// for the longest time.
    fn drop_one(&mut self, is_needed: bool) -> bool {
        let oldest = |is_wanted: &dyn Fn(&Piece, usize) -> bool| {
            let here = self.pieces.iter().filter(|(_, piece)| match &piece.content {
                Some(Ok(bytes)) => is_wanted(piece, bytes.len()),
                _ => false,
            });
            here.min_by_key(|(_, piece)| piece.last).map(|(number, _)| *number)
        };
        let done = oldest(&|piece, length| piece.read >= length as u64);
        let dropped = done.or_else(|| if is_needed { oldest(&|_, _| true) } else { None });
        dropped.is_some_and(|number| self.pieces.remove(&number).is_some())
    }
}

#[cfg(test)]
#[path = "pieces_tests.rs"]
mod tests;
