//! Streams that may never deliver, with a wait that can be cancelled.
//!
//! `open` and `read` of a pipe wait in the system, and a signal does not end the wait. A thread of
//! its own calls them, and the reader waits for that thread with a timeout. The thread is left behind
//! when the reader is cancelled.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::BoxedRead;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::pool::{PerProcess, receive};

/// Bytes of one read.
const PIECE: usize = 256 << 10;
/// The most pieces that wait for the reader.
const PIECES: usize = 4;

/// A stream that another thread reads.
pub(super) struct Feed {
    /// `None` only while the stream is dropped.
    pieces: PerProcess<Option<Receiver<io::Result<Vec<u8>>>>>,
    piece: Vec<u8>,
    start: usize,
    ended: bool,
    cancel: Cancel,
}

impl Feed {
    pub(super) fn start(
        open: impl FnOnce() -> io::Result<BoxedRead> + Send + 'static,
        cancel: Cancel,
    ) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES);
        thread::Builder::new().name("vecpack-stream".to_owned()).spawn(move || match open() {
            Ok(read) => deliver(read, &sender),
            Err(error) => drop(sender.send(Err(error))),
        })?;
        let pieces = PerProcess::new(Some(pieces));
        Ok(Self { pieces, piece: Vec::new(), start: 0, ended: false, cancel })
    }
}

/// Sends pieces until the stream ends, which is an empty piece, or fails, or the reader is gone.
fn deliver(mut read: BoxedRead, pieces: &SyncSender<io::Result<Vec<u8>>>) {
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
            let Some(pieces) = self.pieces.as_ref() else {
                // Unreachable. Taken for the end, it would lose data.
                return Err(io::Error::other(Error::internal("a stream that nobody delivers is read")));
            };
            // An empty piece marks the end.
            let piece = receive(pieces, &self.pieces.owner, &self.cancel, "the thread that reads it died")?;
            (self.piece, self.start) = (piece?, 0);
            self.ended = self.piece.is_empty();
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
