//! Inputs that may never deliver: standard input, FIFOs and devices, read so that a signal is answered all the same.
//!
//! `open` and `read` on a pipe wait in the system for as long as it takes, and go on waiting after a signal. So they happen on a
//! thread of their own, which is left behind when the process ends, and whoever needs the bytes waits with an eye on the clock.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::signals::Signals;
use crate::error::{Error, Result};
use crate::input::{Input, OpenStream, discover};
use crate::reader::Interrupt;

/// How long to wait for bytes before looking whether a signal came.
const PATIENCE: Duration = Duration::from_millis(100);
/// How much is read at once.
const PIECE: usize = 256 << 10;
/// How many pieces may wait.
const PIECES: usize = 4;

/// The inputs that the arguments name.
pub(super) fn inputs(names: &[PathBuf], signals: &Signals) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    let is_stdin = |name: &&PathBuf| *name == Path::new("-");
    if names.iter().filter(is_stdin).count() > 1 {
        return Err(Error::option("standard input can be read only once, and `-` is named twice"));
    }
    for name in names {
        if is_stdin(&name) {
            inputs.push(input("<stdin>", signals, || Ok(Box::new(io::stdin()))));
            continue;
        }
        inputs.extend(discover(name)?.into_iter().map(|found| match found.as_path() {
            Some(path) if delivers_slowly(path) => {
                let path = path.to_owned();
                input(found.name(), signals, move || Ok(Box::new(File::open(path)?)))
            }
            _ => found,
        }));
    }
    Ok(inputs)
}

fn delivers_slowly(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn input(name: &str, signals: &Signals, open: impl FnOnce() -> Opened + Send + 'static) -> Input {
    let opener = Once { open: Mutex::new(Some(Box::new(open))), interrupt: signals.interrupt() };
    Input::stream(name, opener)
}

type Opened = io::Result<Box<dyn Read + Send>>;

/// Something that can be opened once.
struct Once {
    open: Mutex<Option<Box<dyn FnOnce() -> Opened + Send>>>,
    interrupt: Interrupt,
}

impl OpenStream for Once {
    fn open(&self) -> Opened {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let open = open.ok_or_else(|| io::Error::other("can be read only once"))?;
        let (sender, pieces) = sync_channel(PIECES);
        thread::Builder::new().name("vecpack-stream".to_owned()).spawn(move || deliver(open, &sender))?;
        Ok(Box::new(Pieces {
            pieces,
            piece: Vec::new(),
            start: 0,
            ended: false,
            interrupt: self.interrupt.clone(),
        }))
    }
}

/// Reads until the end, which is an empty piece, or an error; or until nobody wants more.
fn deliver(open: impl FnOnce() -> Opened, pieces: &SyncSender<io::Result<Vec<u8>>>) {
    let mut read = match open() {
        Ok(read) => read,
        Err(error) => {
            let _ = pieces.send(Err(error));
            return;
        }
    };
    loop {
        let mut piece = vec![0; PIECE];
        let last = match read.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
            Ok(bytes) => {
                piece.truncate(bytes);
                Ok(bytes == 0)
            }
        };
        let ended = last.as_ref().map_or(true, |&last| last);
        if pieces.send(last.map(|_| piece)).is_err() || ended {
            return;
        }
    }
}

/// The pieces, as one stream.
struct Pieces {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    start: usize,
    ended: bool,
    interrupt: Interrupt,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.start == self.piece.len() && !self.ended {
            if (self.interrupt)() {
                // Not of the kind `Interrupted`, which asks to try again.
                return Err(io::Error::other("interrupted"));
            }
            match self.pieces.recv_timeout(PATIENCE) {
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
