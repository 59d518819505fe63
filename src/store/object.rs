//! One object, read in ranges by several threads at once.

use std::io::{self, ErrorKind, Read};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult};
use tokio::task::AbortHandle;

use super::Stat;
use super::client::{Client, Store, client};
use super::failure::{explain, is_changed, is_unsatisfiable};
use super::pieces::{PIECE, Pieces};
use super::url::{Kind, Url};
use crate::cancel::Cancel;
use crate::pool::{PATIENCE, lock};

/// How often a range is asked for again whose bytes ended too early, beyond what the crate does.
const TRIES: u32 = 4;
/// How long to wait before that the first time.
const PAUSE: Duration = Duration::from_millis(100);
/// How much of an object without ranges is fetched at once.
const GULP: usize = 1 << 20;

/// The bytes from `start` to `end` of an object, as it was when it was opened.
pub(crate) struct Object {
    client: &'static Client,
    target: Arc<Target>,
    version: Stat,
    start: u64,
    end: u64,
    pieces: Arc<Pieces>,
    /// Requests under way.
    tasks: Mutex<Vec<AbortHandle>>,
    cancel: Cancel,
    /// Whether all of it will be read.
    wanted: AtomicBool,
    closed: AtomicBool,
}

/// What requests are about.
struct Target {
    url: Url,
    store: Store,
    path: Path,
}

/// What the first request found.
enum Found {
    /// An object, and its first piece.
    Ranged(Arc<Target>, Stat, Bytes),
    /// All of an object whose server gives no parts.
    Whole(GetResult),
}

/// An object that is being opened.
pub(crate) struct Begun {
    client: &'static Client,
    url: Url,
    start: u64,
    end: Option<u64>,
    found: Receiver<io::Result<Found>>,
    task: AbortHandle,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.client.is_alive() {
            self.task.abort();
        }
    }
}

/// An object that can only be read from its start to its end.
pub(crate) struct Whole {
    client: &'static Client,
    url: Url,
    rest: Rest,
    bytes: Bytes,
    cancel: Cancel,
}

/// What is left of a stream.
enum Rest {
    There(BoxStream<'static, object_store::Result<Bytes>>),
    Ended,
    Failed,
}

impl Object {
    /// Begins to open the bytes from `start` to `end` of the object at `url`: asks for the first of them.
    pub(crate) fn begin(url: &Url, start: u64, end: Option<u64>) -> io::Result<Begun> {
        let client = client()?;
        let (sender, found) = sync_channel(1);
        let first = start..end.map_or(u64::MAX, |end| end.max(start + 1)).min(start + PIECE);
        let target = url.clone();
        let task = client.spawn(async move {
            drop(sender.send(open(client, target, first).await));
        });
        Ok(Begun { client, url: url.clone(), start, end, found, task: task.abort_handle() })
    }

    /// The size of the object in bytes, all of it.
    pub(crate) fn size(&self) -> u64 {
        self.version.size
    }

    /// Where the bytes end that can be read.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// All of it will be read: what comes next is asked for from the start, at most so many bytes at once.
    pub(crate) fn want_all(&self, window: u64) {
        self.pieces.set_window(window);
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Nobody wants bytes of it any longer: ends the wait of whoever still waits for some.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Reads until `out` is full. `cancel` ends the wait.
    pub(crate) fn read_exact_at(&self, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
        let count = (self.end - self.start).div_ceil(PIECE);
        while !out.is_empty() {
            self.client.check()?;
            if offset < self.start || offset >= self.end {
                return Err(changed());
            }
            let (number, start) = ((offset - self.start) / PIECE, (offset - self.start) % PIECE);
            // Who looks at the beginning may be content with that.
            let is_sequel = number > 0 || self.wanted.load(Ordering::Relaxed);
            let until = if is_sequel { count } else { 1 };
            let (read, new) = self.pieces.read(number, start as usize, out, until);
            new.into_iter().for_each(|number| self.fetch(number));
            match read {
                Some(read) => {
                    let bytes = read?;
                    out = &mut out[bytes..];
                    offset += bytes as u64;
                }
                None => {
                    if self.closed.load(Ordering::Relaxed) {
                        return Err(io::Error::other("the scan has ended"));
                    }
                    self.cancel.check_io()?;
                    self.pieces.wait(number);
                }
            }
        }
        Ok(())
    }

    /// Asks for a piece.
    fn fetch(&self, number: u64) {
        let start = self.start + number * PIECE;
        let range = start..(start + PIECE).min(self.end);
        let (target, version, pieces) = (self.target.clone(), self.version.clone(), self.pieces.clone());
        let task = self.client.spawn(async move {
            let work = AssertUnwindSafe(piece(&target, &version, range)).catch_unwind();
            let bytes = work.await.unwrap_or_else(|_| Err(io::Error::other("a request died")));
            pieces.put(number, bytes);
        });
        let mut tasks = lock(&self.tasks);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if self.client.is_alive() {
            lock(&self.tasks).iter().for_each(AbortHandle::abort);
        }
    }
}

impl Begun {
    /// Waits for the object.
    pub(crate) fn finish(self, cancel: Cancel) -> io::Result<Result<Object, Whole>> {
        let found = loop {
            self.client.check()?;
            match self.found.recv_timeout(PATIENCE) {
                Ok(found) => break found?,
                Err(RecvTimeoutError::Timeout) => cancel.check_io()?,
                Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("a request died")),
            }
        };
        let (target, version, first) = match found {
            Found::Ranged(target, version, first) => (target, version, first),
            Found::Whole(whole) => {
                let rest = Rest::There(whole.into_stream());
                let (client, url) = (self.client, self.url.clone());
                return Ok(Err(Whole { client, url, rest, bytes: Bytes::new(), cancel }));
            }
        };
        let end = self.end.unwrap_or(version.size).min(version.size).max(self.start);
        let pieces = Arc::new(Pieces::default());
        if !first.is_empty() {
            pieces.put(0, Ok(first));
        }
        let (client, start) = (self.client, self.start);
        let (tasks, wanted, closed) = Default::default();
        Ok(Ok(Object { client, target, version, start, end, pieces, tasks, cancel, wanted, closed }))
    }
}

impl Read for Whole {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            match std::mem::replace(&mut self.rest, Rest::Failed) {
                Rest::There(stream) => {
                    let work = gulp(stream, self.url.clone());
                    (self.rest, self.bytes) = self.client.wait(&self.cancel, work)?;
                }
                Rest::Ended => self.rest = Rest::Ended,
                Rest::Failed => return Err(io::Error::other("it could not be read")),
            }
        }
        let bytes = self.bytes.split_to(self.bytes.len().min(out.len()));
        out[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// Some bytes, and the rest of the stream.
async fn gulp(
    mut stream: BoxStream<'static, object_store::Result<Bytes>>,
    url: Url,
) -> io::Result<(Rest, Bytes)> {
    let mut gulp = Vec::new();
    while gulp.len() < GULP {
        match stream.next().await {
            Some(Ok(bytes)) => gulp.extend_from_slice(&bytes),
            Some(Err(error)) => return Err(explain(&url, &error)),
            None => return Ok((Rest::Ended, gulp.into())),
        }
    }
    Ok((Rest::There(stream), gulp.into()))
}

/// Asks for the first bytes of an object, and finds out what it is by that.
async fn open(client: &Client, url: Url, range: std::ops::Range<u64>) -> io::Result<Found> {
    let (store, path) = client.find(&url).await?;
    let target = Arc::new(Target { url, store, path });
    let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
    let mut pause = PAUSE;
    for tries_left in (0..TRIES).rev() {
        let result = match target.store.get_opts(&target.path, options.clone()).await {
            Ok(result) => result,
            Err(object_store::Error::NotSupported { .. }) if target.url.kind() == Kind::Http => {
                let whole = target.store.get_opts(&target.path, GetOptions::default()).await;
                return whole.map(Found::Whole).map_err(|error| explain(&target.url, &error));
            }
            Err(error) if is_unsatisfiable(&error) => {
                let options = GetOptions { head: true, ..GetOptions::default() };
                let head = target.store.get_opts(&target.path, options).await;
                let head = head.map_err(|error| explain(&target.url, &error))?;
                return Ok(Found::Ranged(target, Stat::of(&head.meta), Bytes::new()));
            }
            Err(error) => return Err(explain(&target.url, &error)),
        };
        let version = Stat::of(&result.meta);
        match result.bytes().await {
            Ok(bytes) => return Ok(Found::Ranged(target, version, bytes)),
            Err(error) if tries_left == 0 => return Err(explain(&target.url, &error)),
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause *= 4;
    }
    Err(ErrorKind::UnexpectedEof.into())
}

/// The bytes in `range` of an object, if it still is the one of `version`.
async fn piece(target: &Target, version: &Stat, range: std::ops::Range<u64>) -> io::Result<Bytes> {
    let options = GetOptions {
        range: Some(GetRange::Bounded(range.clone())),
        // A weak tag may stand for other bytes.
        if_match: version.tag.clone().filter(|tag| !tag.starts_with("W/")),
        ..GetOptions::default()
    };
    let mut pause = PAUSE;
    for tries_left in (0..TRIES).rev() {
        let result = match target.store.get_opts(&target.path, options.clone()).await {
            Ok(result) => result,
            Err(error) if is_changed(&error) || is_unsatisfiable(&error) => return Err(changed()),
            Err(object_store::Error::NotFound { .. }) => return Err(changed()),
            Err(error) => return Err(explain(&target.url, &error)),
        };
        if Stat::of(&result.meta) != *version {
            return Err(changed());
        }
        match result.bytes().await {
            Ok(bytes) if bytes.len() as u64 == range.end - range.start => return Ok(bytes),
            Ok(_) => {}
            Err(error) if is_changed(&error) => return Err(changed()),
            Err(error) if tries_left == 0 => return Err(explain(&target.url, &error)),
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    Err(ErrorKind::UnexpectedEof.into())
}

fn changed() -> io::Error {
    io::Error::other("the object changed while it was read")
}
