//! Where bytes come from: paths, globs, directories, URLs, standard input, buffers and streams. The only room that opens inputs.

mod blocks;
mod compressed;
mod discover;
mod feed;
mod file;
mod remote;
mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::Bytes;

pub(crate) use blocks::{Blocks, StepBuffers};
use compressed::Damaged;
pub(crate) use compressed::Decompressed;
use compressed::{Codec, MAGIC};
#[cfg(feature = "cli")]
pub(crate) use discover::discover_until;
#[cfg(feature = "cli")]
pub(crate) use discover::local;
pub(crate) use discover::mirrored;
pub use discover::{EXTENSIONS, discover};
use feed::Feed;
use file::FileReader;
pub(crate) use file::OpenFile;
use remote::Remote;
pub(crate) use remote::learn_sizes;

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Kind, Stat, Url};

/// One input of a [`Source`](crate::Source): a file, a buffer, a stream, or an object at a URL.
#[derive(Clone)]
pub struct Input {
    name: Arc<str>,
    place: Place,
    span: Option<Span>,
    /// Its place among the inputs of the source.
    number: u64,
    /// How many components of its path were found by a search: below a directory, or by a pattern.
    found: usize,
    /// The path of its file in a directory of outputs, without the extension.
    stem: Option<Arc<Path>>,
    cancel: Cancel,
}

#[derive(Clone)]
enum Place {
    Path(PathBuf),
    Bytes(Bytes),
    Stream(Arc<Stream>),
    Remote(Arc<Remote>),
}

/// Part of an input: the bytes from `start` up to `end`, which begin with record number `record`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset behind the last byte.
    pub end: u64,
    /// Number of the first record.
    pub record: u64,
    /// True if the span lies inside of the array or map that holds the records.
    pub inside: bool,
}

/// What tells one version of an input from another; empty for a buffer or a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) size: Option<u64>,
    /// When it was modified, in nanoseconds since 1970.
    pub(crate) modified_ns: Option<i64>,
    /// The tag that a store gave it.
    pub(crate) tag: Option<String>,
}

/// Opens a stream from its start, at every call. A stream that can be read only once fails the second
/// time.
pub trait OpenStream: Send + Sync {
    /// A reader of the stream from its start.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

/// Bytes that were read from a stream, and the rest of it.
pub(crate) type Ahead = (Vec<u8>, Box<dyn Read + Send>);

struct Stream {
    opener: Box<dyn OpenStream>,
    /// The part that inference read.
    ahead: Mutex<Option<Ahead>>,
}

impl Input {
    /// A file. A FIFO or a device is a stream.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match std::fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                Self::stream(&path.display().to_string(), Device(path))
            }
            _ => Self::file(path),
        }
    }

    fn new(name: Arc<str>, place: Place) -> Self {
        Self { name, place, span: None, number: 0, found: 1, stem: None, cancel: Cancel::never() }
    }

    /// A path of a file.
    fn file(path: PathBuf) -> Self {
        Self::new(path.display().to_string().into(), Place::Path(path))
    }

    /// A buffer in memory; `name` stands in messages and rejects.
    pub fn bytes(name: &str, bytes: impl Into<Bytes>) -> Self {
        Self::new(name.into(), Place::Bytes(bytes.into()))
    }

    /// A stream; `name` stands in messages and rejects.
    pub fn stream(name: &str, opener: impl OpenStream + 'static) -> Self {
        let stream = Stream { opener: Box::new(opener), ahead: Mutex::new(None) };
        Self::new(name.into(), Place::Stream(Arc::new(stream)))
    }

    /// The object at a URL: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`, `https://host/path`.
    /// No request is made before the object is read. Its name is the URL without the query, which may
    /// hold a signature.
    pub fn url(url: &str) -> Result<Self> {
        let url = Url::parse(url)
            .ok_or_else(|| Error::option(format!("{url}: not a URL: use for example s3://bucket/key")))??;
        if url.is_prefix() && url.kind() != Kind::Http {
            return Err(Error::option(format!("{}: the URL names no object", url.name())));
        }
        Ok(Self::remote(url, None))
    }

    /// An object, with the version that a list gave.
    fn remote(url: Url, stat: Option<Stat>) -> Self {
        let name = url.name().clone();
        Self::new(name, Place::Remote(Arc::new(Remote::new(url, stat))))
    }

    /// Standard input, which can be read once.
    pub fn stdin() -> Self {
        Self::stream("<stdin>", Stdin)
    }

    /// Ends every wait for this input when `cancel` says so: for a pipe, a FIFO, a device or a server,
    /// and for what inference and splitting read. A pipe, a FIFO or a device is then read on a thread
    /// of its own.
    pub fn with_cancel(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Only a part of the input.
    pub fn with_span(self, span: Span) -> Self {
        Self { span: Some(span), ..self }
    }

    /// The same input with another place among the inputs of a source.
    pub(crate) fn with_number(self, number: u64) -> Self {
        Self { number, ..self }
    }

    /// Its place among the inputs of the source that it was opened in.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Lets `cancel` end the wait for a server, unless the input has a way to cancel of its own.
    pub(crate) fn or_cancel(self, cancel: &Cancel) -> Self {
        match &self.place {
            Place::Remote(_) if self.cancel.is_never() => self.with_cancel(cancel.clone()),
            _ => self,
        }
    }

    /// The name in messages and rejects: for a file, its path.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The path, if the input is a file.
    pub fn as_path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The URL of the input, if it has one, with its query.
    pub fn as_url(&self) -> Option<&str> {
        match &self.place {
            Place::Remote(remote) => Some(remote.url().as_str()),
            _ => None,
        }
    }

    /// True for a file and an object: another process can open it as well.
    pub(crate) fn has_name(&self) -> bool {
        self.as_path().is_some() || self.as_url().is_some()
    }

    /// True for a stream, which may open only once.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.place, Place::Stream(_))
    }

    /// True for a file and a buffer: no server and no other program keeps their readers waiting.
    #[cfg(feature = "python")]
    pub(crate) fn is_local(&self) -> bool {
        match &self.place {
            Place::Path(path) => path.metadata().is_ok_and(|metadata| metadata.is_file()),
            Place::Bytes(_) => true,
            Place::Stream(_) | Place::Remote(_) => false,
        }
    }

    /// The path of its file in a directory of outputs, without the extension: the name of the file or the object, or what
    /// [`mirrored`] found. The extensions `.gz`, `.zst` and `.lz4` count as part of the one in front of them.
    pub(crate) fn stem(&self) -> Option<PathBuf> {
        match (&self.stem, &self.place) {
            (Some(stem), _) => Some(stem.to_path_buf()),
            (None, Place::Path(path)) => discover::stem(path.file_name()?),
            (None, Place::Remote(remote)) => discover::stem(Path::new(remote.url().key()).file_name()?),
            _ => None,
        }
    }

    /// The same input, found by a search in `directory`.
    fn found_in(self, directory: &Path) -> Self {
        let below = self.as_path().and_then(|path| path.strip_prefix(directory).ok());
        let found = below.map_or(1, |below| below.components().count());
        Self { found, ..self }
    }

    /// The same input with another place in a directory of outputs.
    pub(crate) fn with_stem(self, stem: &Path) -> Self {
        Self { stem: Some(stem.into()), ..self }
    }

    /// The buffer, if the input is one.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.place {
            Place::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The part of the input that is read, if it is not all of it.
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// How many bytes will be read, if that is known without reading. A compressed input counts with its
    /// compressed size. A request is made for the size of an object.
    pub fn size(&self) -> Result<Option<u64>> {
        if let Some(span) = self.span {
            return Ok(Some(span.end - span.start));
        }
        match &self.place {
            Place::Path(path) => {
                let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
                Ok(metadata.is_file().then_some(metadata.len()))
            }
            Place::Bytes(bytes) => Ok(Some(bytes.len() as u64)),
            Place::Stream(_) => Ok(None),
            Place::Remote(remote) => remote.size(&self.cancel).map_err(|error| self.error(error)),
        }
    }

    /// What identifies the version of a file or an object. Of an object whose version is not known it is requested.
    pub(crate) fn version(&self) -> Result<Version> {
        match &self.place {
            Place::Path(path) => {
                let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
                let modified_ns = metadata.modified().ok().and_then(|time| {
                    let since = match time.duration_since(UNIX_EPOCH) {
                        Ok(after) => i64::try_from(after.as_nanos()),
                        Err(before) => i64::try_from(before.duration().as_nanos()).map(std::ops::Neg::neg),
                    };
                    since.ok()
                });
                Ok(Version { size: Some(metadata.len()), modified_ns, tag: None })
            }
            Place::Remote(remote) => {
                let stat = remote.stat(&self.cancel).map_err(|error| self.error(error))?;
                Ok(stat.map_or_else(Version::default, |Stat { size, tag, modified_ns }| Version {
                    size: Some(size),
                    // A tag says more than a time, and a copy of an object keeps it.
                    modified_ns: if tag.is_none() { modified_ns } else { None },
                    tag,
                }))
            }
            Place::Bytes(_) | Place::Stream(_) => Ok(Version::default()),
        }
    }

    /// The same input, and the number of its first bytes that are being fetched.
    pub(crate) fn begin(&self) -> (Self, u64) {
        match &self.place {
            Place::Remote(remote) => {
                let (remote, bytes) = remote.begin(self.span);
                (Self { place: Place::Remote(Arc::new(remote)), ..self.clone() }, bytes)
            }
            _ => (self.clone(), 0),
        }
    }

    /// An error of this input, or the error that it passes on.
    pub(crate) fn error(&self, source: io::Error) -> Error {
        let source = match source.downcast::<Error>() {
            Ok(error) => return error,
            Err(source) => source,
        };
        ErrorKind::Io { path: Some(PathBuf::from(&*self.name)), source }.into()
    }

    /// Opens the input. Compressed data may expand to `max_expansion` times its size. 0 is no limit.
    pub(crate) fn open(&self, max_expansion: u64) -> Result<Opened> {
        self.try_open(max_expansion).map_err(|error| self.error(error))
    }

    fn try_open(&self, max_expansion: u64) -> io::Result<Opened> {
        let whole = |end| Span { start: 0, end, record: 0, inside: false };
        match &self.place {
            Place::Path(path) => self.opened(OpenFile::open(path)?, max_expansion),
            Place::Remote(remote) => match remote.open(self.span, self.cancel.clone())? {
                Ok(object) => self.opened(object, max_expansion),
                Err(mut read) => {
                    let start = read_start(&mut read)?;
                    let codec = Codec::of(&start);
                    let read = io::Cursor::new(start).chain(read);
                    Ok(Opened::Compressed(Decompressed::new(codec, read, max_expansion)?, None))
                }
            },
            Place::Bytes(bytes) => {
                if let (None, Some(codec)) = (self.span, Codec::of(bytes)) {
                    let read = io::Cursor::new(bytes.clone());
                    return Ok(Opened::Compressed(
                        Decompressed::new(Some(codec), read, max_expansion)?,
                        None,
                    ));
                }
                let span = self.span.unwrap_or(whole(bytes.len() as u64));
                Ok(Opened::Bytes(bytes.clone(), span))
            }
            Place::Stream(stream) => {
                if let Some((read, rest)) = self.take_back() {
                    return Ok(Opened::Stream(Box::new(io::Cursor::new(read).chain(rest))));
                }
                let stream = stream.clone();
                let mut read = self.open_stream(move || stream.opener.open())?;
                let start = read_start(&mut read)?;
                let codec = Codec::of(&start);
                let read = io::Cursor::new(start).chain(read);
                Ok(Opened::Stream(match codec {
                    Some(_) => Box::new(Decompressed::new(codec, read, max_expansion)?),
                    None => Box::new(read),
                }))
            }
        }
    }

    /// The content of a file, or a part of it.
    fn opened(&self, file: OpenFile, max_expansion: u64) -> io::Result<Opened> {
        let length = file.length();
        let file = Arc::new(file);
        // Only plain files have parts.
        if let Some(span) = self.span {
            return Ok(Opened::File(file, span));
        }
        let mut start = [0; MAGIC];
        let start = &mut start[..length.min(MAGIC as u64) as usize];
        file.read_exact_at(start, 0)?;
        Ok(match Codec::of(start) {
            Some(codec) => {
                let read = FileReader::new(file.clone(), length);
                Opened::Compressed(Decompressed::new(Some(codec), read, max_expansion)?, Some(file))
            }
            None => Opened::File(file, Span { start: 0, end: length, record: 0, inside: false }),
        })
    }

    fn open_stream(
        &self,
        open: impl FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + 'static,
    ) -> io::Result<Box<dyn Read + Send>> {
        if self.cancel.is_never() {
            return open();
        }
        Ok(Box::new(Feed::start(open, self.cancel.clone())?))
    }

    /// Takes the stream that was [put back](Self::put_back).
    fn take_back(&self) -> Option<Ahead> {
        match &self.place {
            Place::Stream(stream) => stream.ahead.lock().unwrap_or_else(PoisonError::into_inner).take(),
            _ => None,
        }
    }

    /// Puts back a stream whose first bytes have been read. The next [`open`](Self::open) begins with them.
    pub(crate) fn put_back(&self, read: Vec<u8>, rest: Box<dyn Read + Send>) {
        if let Place::Stream(stream) = &self.place {
            *stream.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some((read, rest));
        }
    }
}

/// Standard input.
struct Stdin;

impl OpenStream for Stdin {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        static USED: AtomicBool = AtomicBool::new(false);
        if USED.swap(true, Ordering::Relaxed) {
            return Err(io::Error::other("standard input can be read only once"));
        }
        Ok(Box::new(io::stdin()))
    }
}

/// A FIFO or a device.
struct Device(PathBuf);

impl OpenStream for Device {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(&self.0)?))
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("span", &self.span).finish_non_exhaustive()
    }
}

/// An input that is ready to be read.
pub(crate) enum Opened {
    /// A file, readable at any offset, by several threads at once.
    File(Arc<OpenFile>, Span),
    Bytes(Bytes, Span),
    /// Data that is read from start to end, on any thread, and can be opened again: compressed data, or
    /// an object without ranges. With the file that it comes from, if there is one.
    Compressed(Decompressed, Option<Arc<OpenFile>>),
    /// A stream: it can be read once, and may have to be waited for.
    Stream(Box<dyn Read + Send>),
}

impl Opened {
    /// A second handle, if the input need not be opened again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::File(file, span) => Some(Self::File(file.clone(), *span)),
            Self::Bytes(bytes, span) => Some(Self::Bytes(bytes.clone(), *span)),
            Self::Compressed(..) | Self::Stream(_) => None,
        }
    }
}

/// The first bytes of a stream: enough to recognise a compressed format, unless the stream is shorter.
fn read_start(read: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = vec![0; 16 << 10];
    let mut length = 0;
    while length < MAGIC {
        match read.read(&mut start[length..]) {
            Ok(0) => break,
            Ok(bytes) => length += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    start.truncate(length);
    Ok(start)
}
