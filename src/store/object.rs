//! One object, read in ranges by several threads at once.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt};
use tokio::task::JoinSet;

use super::client::{Client, Target, client};
use super::failure::{explain, is_changed, is_unsatisfiable};
use super::pieces::{PIECE, Pieces};
use super::url::{Kind, Url};
use super::{Begun, Stat};
use crate::cancel::Cancel;
use crate::pool::{PerProcess, lock};

/// How often a range is asked for whose bytes end too early, beyond what the crate does.
const TRIES: u32 = 4;
/// How long to wait before the second time.
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
    tasks: Mutex<PerProcess<JoinSet<()>>>,
    cancel: Cancel,
    /// Whether all of it will be read.
    wanted: AtomicBool,
    closed: AtomicBool,
}

/// What the first request found.
enum Found {
    /// An object, and its first piece.
    Ranged(Target, Stat, Bytes),
    /// All of an object whose server gives no parts.
    Whole(GetResult),
}

/// An object that can only be read from its start to its end.
struct Whole {
    client: &'static Client,
    url: Url,
    /// `None` after an error.
    rest: Option<Rest>,
    bytes: Bytes,
    cancel: Cancel,
}

/// What is left of a stream. It has no bytes behind its end.
type Rest = BoxStream<'static, object_store::Result<Bytes>>;

/// Begins to open the bytes from `start` to `end` of the object at `url`: asks for the first of them.
pub(crate) fn begin(url: &Url, start: u64, end: Option<u64>) -> io::Result<Begun> {
    let (client, url) = (client()?, url.clone());
    let first = start..end.map_or(u64::MAX, |end| end.max(start + 1)).min(start + PIECE);
    let target = url.clone();
    let request = client.begin(async move { open(client, &target, first).await })?;
    Ok(Box::new(move |cancel| {
        let (target, version, first) = match request.wait(&cancel)? {
            Found::Ranged(target, version, first) => (target, version, first),
            Found::Whole(whole) => {
                let rest = Some(whole.into_stream().fuse().boxed());
                return Ok(Err(Box::new(Whole { client, url, rest, bytes: Bytes::new(), cancel })));
            }
        };
        let end = end.unwrap_or(version.size).min(version.size).max(start);
        let (target, pieces) = (Arc::new(target), Arc::new(Pieces::default()));
        if !first.is_empty() {
            pieces.put(0, Ok(first));
        }
        let (tasks, wanted, closed) = Default::default();
        Ok(Ok(Object { client, target, version, start, end, pieces, tasks, cancel, wanted, closed }))
    }))
}

impl Object {
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
            self.client.owner.check_io()?;
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
        let work = async move {
            let work = AssertUnwindSafe(piece(&target, &version, range)).catch_unwind();
            let bytes = work.await.unwrap_or_else(|_| Err(io::Error::other("a request died")));
            pieces.put(number, bytes);
        };
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(work, self.client.runtime.handle());
    }
}

impl Read for Whole {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            let rest = self.rest.take().ok_or_else(|| io::Error::other("it could not be read"))?;
            let (rest, bytes) = self.client.wait(&self.cancel, gulp(rest, self.url.clone()))?;
            (self.rest, self.bytes) = (Some(rest), bytes);
        }
        let bytes = self.bytes.split_to(self.bytes.len().min(out.len()));
        out[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// Some bytes, and the rest of the stream.
async fn gulp(mut rest: Rest, url: Url) -> io::Result<(Rest, Bytes)> {
    let mut gulp = Vec::new();
    while gulp.len() < GULP
        && let Some(bytes) = rest.next().await
    {
        gulp.extend_from_slice(&bytes.map_err(|error| explain(&url, &error))?);
    }
    Ok((rest, gulp.into()))
}

/// Asks for the first bytes of an object, and finds out what it is by that.
async fn open(client: &Client, url: &Url, range: Range<u64>) -> io::Result<Found> {
    let target = client.find(url).await?;
    let explained = |error| explain(url, &error);
    let options = GetOptions::new().with_range(Some(GetRange::Bounded(range)));
    match get(&target, options).await {
        Ok((version, bytes)) => Ok(Found::Ranged(target, version, bytes)),
        Err(object_store::Error::NotSupported { .. }) if url.kind == Kind::Http => {
            target.store.get(&target.path).await.map(Found::Whole).map_err(explained)
        }
        Err(error) if is_unsatisfiable(&error) => {
            let head = target.store.head(&target.path).await.map_err(explained)?;
            Ok(Found::Ranged(target, Stat::of(&head), Bytes::new()))
        }
        Err(error) => Err(explained(error)),
    }
}

/// The bytes in `range` of an object, if it still is the one of `version`.
async fn piece(target: &Target, version: &Stat, range: Range<u64>) -> io::Result<Bytes> {
    // A weak tag may stand for other bytes.
    let tag = version.tag.clone().filter(|tag| !tag.starts_with("W/"));
    let options = GetOptions::new().with_range(Some(GetRange::Bounded(range))).with_if_match(tag);
    match get(target, options).await {
        Ok((found, bytes)) if found == *version => Ok(bytes),
        Ok(_) | Err(object_store::Error::NotFound { .. }) => Err(changed()),
        Err(error) if is_changed(&error) || is_unsatisfiable(&error) => Err(changed()),
        Err(error) => Err(explain(&target.url, &error)),
    }
}

/// The bytes that `options` ask for, and the version of their object.
async fn get(target: &Target, options: GetOptions) -> object_store::Result<(Stat, Bytes)> {
    let mut pause = PAUSE;
    for tries_left in (0..TRIES).rev() {
        let result = target.store.get_opts(&target.path, options.clone()).await?;
        let (version, length) = (Stat::of(&result.meta), result.range.end - result.range.start);
        match result.bytes().await {
            Ok(bytes) if bytes.len() as u64 == length => return Ok((version, bytes)),
            Err(error) if tries_left == 0 => return Err(error),
            _ => tokio::time::sleep(pause).await,
        }
        pause *= 4;
    }
    let source = Box::new(io::Error::from(ErrorKind::UnexpectedEof));
    Err(object_store::Error::Generic { store: "object", source })
}

fn changed() -> io::Error {
    io::Error::other("the object changed while it was read")
}
