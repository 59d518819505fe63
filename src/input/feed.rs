//! Streams that may never deliver, read so that whoever waits can be told to stop.
//!
//! `open` and `read` on a pipe wait in the system for as long as it takes, and go on waiting after a signal. So they happen on a
//! thread of their own, which is left behind when it is no longer wanted, and the reader waits with an eye on the clock.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use crate::cancel::Cancel;
use crate::error::Error;
use crate::pool::{OwnerProcess, PATIENCE, PerProcess};

/// How much is read at once.
const PIECE: usize = 256 << 10;
/// How many pieces may wait.
const PIECES: usize = 4;

/// A stream that another thread reads.
pub(super) struct Feed {
    /// Never `None` in between.
    pieces: PerProcess<Option<Receiver<io::Result<Vec<u8>>>>>,
    /// Where the thread is.
    owner: OwnerProcess,
    piece: Vec<u8>,
    start: usize,
    ended: bool,
    cancel: Cancel,
}

impl Feed {
    pub(super) fn start(
        open: impl FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + 'static,
        cancel: Cancel,
    ) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES);
        thread::Builder::new().name("vecpack-stream".to_owned()).spawn(move || match open() {
            Ok(read) => deliver(read, &sender),
            Err(error) => drop(sender.send(Err(error))),
        })?;
        let (pieces, owner) = (PerProcess::new(Some(pieces)), OwnerProcess::current());
        Ok(Self { pieces, owner, piece: Vec::new(), start: 0, ended: false, cancel })
    }
}

/// Reads until the end, which is an empty piece, or an error; or until nobody wants more.
fn deliver(mut read: Box<dyn Read + Send>, pieces: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let bytes = match read.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes,
        };
        let last = bytes.as_ref().map_or(true, |&bytes| bytes == 0);
        let piece = bytes.map(|bytes| {
            piece.truncate(bytes);
            piece
        });
        if pieces.send(piece).is_err() || last {
            return;
        }
    }
}

impl Read for Feed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.start == self.piece.len() && !self.ended {
            self.cancel.check_io()?;
            self.owner.check_io()?;
            let Some(pieces) = self.pieces.as_ref() else {
                // Never; but it would be no end of the data.
                return Err(io::Error::other(Error::internal("a stream that nobody delivers is read")));
            };
            match pieces.recv_timeout(PATIENCE) {
                Ok(piece) => {
                    (self.piece, self.start) = (piece?, 0);
                    self.ended = self.piece.is_empty();
                }
                Err(RecvTimeoutError::Timeout) => {}
                // It says when it ends, so this is no end of the data.
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that reads it died"));
                }
            }
        }
        let left = &self.piece[self.start..];
        let bytes = left.len().min(out.len());
        out[..bytes].copy_from_slice(&left[..bytes]);
        self.start += bytes;
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
