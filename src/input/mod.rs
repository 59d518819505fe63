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
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
use crate::error::{Error, Result};
use crate::pool::lock;
use crate::store::{Kind, Stat, Url};

/// One input of a [`Source`](crate::Source): a file, a buffer, a stream, or an object at a URL.
#[derive(Clone)]
pub struct Input {
    name: Arc<str>,
    place: Place,
    span: Option<Span>,
    /// Its place among the inputs of the source that it was opened in.
    pub(crate) number: u64,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) size: Option<u64>,
    /// When it was modified, in nanoseconds since 1970.
    pub(crate) modified_ns: Option<i64>,
    /// The tag that a store gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
}

/// Opens a stream from its start, at every call. A stream that can be read only once fails the second
/// time.
pub trait OpenStream: Send + Sync {
    /// A reader of the stream from its start.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

type BoxedRead = Box<dyn Read + Send>;

/// Bytes that were read from a stream, and the rest of it.
pub(crate) type Ahead = (Vec<u8>, BoxedRead);

struct Stream {
    /// Opens it from its start.
    open: Box<dyn Fn() -> io::Result<BoxedRead> + Send + Sync>,
    /// The part that inference read.
    ahead: Mutex<Option<Ahead>>,
}

impl Input {
    /// A file. A FIFO or a device is a stream.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match std::fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                let name = path.display().to_string();
                Self::opened_by(&name, move || Ok(Box::new(File::open(&path)?)))
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
        Self::opened_by(name, move || opener.open())
    }

    fn opened_by(name: &str, open: impl Fn() -> io::Result<BoxedRead> + Send + Sync + 'static) -> Self {
        let stream = Stream { open: Box::new(open), ahead: Mutex::default() };
        Self::new(name.into(), Place::Stream(Arc::new(stream)))
    }

    /// The object at a URL: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`, `https://host/path`.
    /// No request is made before the object is read. Its name is the URL without the query, which may
    /// hold a signature.
    pub fn url(url: &str) -> Result<Self> {
        let url = Url::parse(url)
            .ok_or_else(|| Error::option(format!("{url}: not a URL: use for example s3://bucket/key")))??;
        if url.is_prefix() && url.kind != Kind::Http {
            return Err(Error::option(format!("{}: the URL names no object", url.name)));
        }
        Ok(Self::remote(url, None))
    }

    /// An object, with the version that a list gave.
    fn remote(url: Url, stat: Option<Stat>) -> Self {
        let name = url.name.clone();
        Self::new(name, Place::Remote(Arc::new(Remote::new(url, stat))))
    }

    /// Standard input, which can be read once.
    pub fn stdin() -> Self {
        Self::opened_by("<stdin>", open_stdin)
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
            Place::Remote(remote) => Some(&remote.url.text),
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
            (None, Place::Remote(remote)) => discover::stem(Path::new(remote.url.key()).file_name()?),
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
        let stat = match &self.place {
            Place::Path(path) => {
                let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
                Some(file::stat(&metadata))
            }
            Place::Remote(remote) => remote.stat(&self.cancel).map_err(|error| self.error(error))?,
            Place::Bytes(_) | Place::Stream(_) => None,
        };
        let version = |Stat { size, modified_ns, tag }| Version { size: Some(size), modified_ns, tag };
        Ok(stat.map_or_else(Version::default, version))
    }

    /// The same input, and the number of its first bytes that are being fetched. `cancel` ends the wait for a server, unless the
    /// input has a way to cancel of its own.
    pub(crate) fn begin(&self, cancel: &Cancel) -> (Self, u64) {
        let mut begun = self.clone();
        let Place::Remote(remote) = &self.place else { return (begun, 0) };
        let (remote, bytes) = remote.begin(self.span);
        begun.place = Place::Remote(Arc::new(remote));
        if begun.cancel.is_never() {
            begun.cancel = cancel.clone();
        }
        (begun, bytes)
    }

    /// An error of this input, or the error that it passes on.
    pub(crate) fn error(&self, source: io::Error) -> Error {
        source.downcast::<Error>().unwrap_or_else(|source| Error::io(Path::new(&*self.name), source))
    }

    /// Opens the input. Compressed data may expand to `max_expansion` times its size. 0 is no limit.
    pub(crate) fn open(&self, max_expansion: u64) -> Result<Opened> {
        self.try_open(max_expansion).map_err(|error| self.error(error))
    }

    fn try_open(&self, max_expansion: u64) -> io::Result<Opened> {
        let file = match &self.place {
            Place::Path(path) => OpenFile::open(path)?,
            Place::Bytes(bytes) => OpenFile::Memory(bytes.clone()),
            Place::Remote(remote) => match remote.open(self.span, self.cancel.clone())? {
                Ok(object) => OpenFile::Remote(object),
                Err(whole) => return Ok(Opened::Compressed(recognise(whole, max_expansion)?, None)),
            },
            Place::Stream(stream) => {
                if let Some(ahead) = lock(&stream.ahead).take() {
                    return Ok(Opened::Stream(ahead));
                }
                let stream = stream.clone();
                let open = move || (stream.open)();
                let read = match self.cancel.is_never() {
                    true => open()?,
                    false => Box::new(Feed::start(open, self.cancel.clone())?),
                };
                return Ok(Opened::Stream((Vec::new(), Box::new(recognise(read, max_expansion)?))));
            }
        };
        let (end, file) = (file.length(), Arc::new(file));
        // Only plain files have parts.
        if let Some(span) = self.span {
            return Ok(Opened::Random(file, span));
        }
        let mut start = [0; MAGIC];
        let start = &mut start[..end.min(MAGIC as u64) as usize];
        file.read_exact_at(start, 0)?;
        Ok(match Codec::of(start) {
            Some(codec) => {
                let read = FileReader { file: file.clone(), position: 0 };
                Opened::Compressed(Decompressed::new(Some(codec), read, max_expansion)?, Some(file))
            }
            None => Opened::Random(file, Span { start: 0, end, record: 0, inside: false }),
        })
    }

    /// Puts back a stream whose first bytes have been read. The next [`open`](Self::open) begins with them.
    pub(crate) fn put_back(&self, ahead: Ahead) {
        if let Place::Stream(stream) = &self.place {
            *lock(&stream.ahead) = Some(ahead);
        }
    }
}

fn open_stdin() -> io::Result<BoxedRead> {
    static USED: AtomicBool = AtomicBool::new(false);
    if USED.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("standard input can be read only once"));
    }
    Ok(Box::new(io::stdin()))
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("span", &self.span).finish_non_exhaustive()
    }
}

/// An input that is ready to be read.
pub(crate) enum Opened {
    /// Bytes that can be read at any offset, by several threads at once.
    Random(Arc<OpenFile>, Span),
    /// Data that is read from start to end, on any thread, and can be opened again: compressed data, or
    /// an object without ranges. With the file that it comes from, if there is one.
    Compressed(Decompressed, Option<Arc<OpenFile>>),
    /// A stream: it can be read once, and may have to be waited for.
    Stream(Ahead),
}

impl Opened {
    /// A second handle, if the input need not be opened again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Random(file, span) => Some(Self::Random(file.clone(), *span)),
            Self::Compressed(..) | Self::Stream(_) => None,
        }
    }
}

/// The content of a reader, whose first bytes tell whether it is compressed.
fn recognise(mut read: impl Read + Send + 'static, max_expansion: u64) -> io::Result<Decompressed> {
    let (mut start, mut length) = (vec![0; 16 << 10], 0);
    while length < MAGIC {
        match read.read(&mut start[length..]) {
            Ok(0) => break,
            Ok(bytes) => length += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    start.truncate(length);
    Decompressed::new(Codec::of(&start), io::Cursor::new(start).chain(read), max_expansion)
}
