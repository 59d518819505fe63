//! What a directory of outputs holds: which inputs, in which files, made how.
//!
//! `OUT/_vecpack/manifest.parquet` is a log, a JSON object a line, each with a checksum. A line is added when files are under
//! their names; whatever stands behind the last line that is whole was never said. Behind the lines stands the end of a Parquet
//! file without rows, written anew with each line: there are readers that take every file of a directory for Parquet, and to
//! them it is some, of the right columns. In a store each line of a run under way is such a
//! file of its own; they become one when the run ends or is resumed. See docs/design/resume.md.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::options::WriteOptions;
use crate::error::{Error, Result};
use crate::input::Version;
use crate::output::directory::Directory;
use crate::output::{self, Held, Sink, Target, hold, sweep, sync_all, sync_directory};
use crate::store::{Notes, Url, is_there};
use crate::text::listed;

const DIRECTORY: &str = "_vecpack";
const NAME: &str = "manifest.parquet";
/// What the lines mean, and the files that they name. Another number is not read: files of format 1
/// have wrong page locations, and may have vectors of two types.
const FORMAT: u64 = 2;
/// What a Parquet file begins with, as a line.
const HEAD: &[u8] = b"PAR1\n";

/// Inputs, and the files that hold all of their rows and nothing else.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) inputs: Vec<DoneInput>,
    /// Empty where a database has committed them: they are its own from then on.
    pub(super) outputs: Vec<DoneOutput>,
    /// The description of the outputs by which a database commits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fragments: Option<Value>,
}

impl Done {
    pub(super) fn rows(&self) -> u64 {
        self.inputs.iter().map(|input| input.rows).sum()
    }

    /// True where the rows are in a database.
    #[cfg(feature = "python")]
    pub(super) fn is_committed(&self) -> bool {
        self.outputs.is_empty() && self.rows() > 0
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DoneInput {
    #[serde(flatten)]
    pub(super) input: InputVersion,
    pub(super) rows: u64,
    pub(super) rejects: u64,
}

/// An input as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InputVersion {
    /// Its absolute path, see [`to_text`]; for what is no file, its name.
    pub(super) path: String,
    /// The part of it, where it is not all: offsets of the first byte and behind the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) span: Option<(u64, u64)>,
    #[serde(flatten)]
    pub(super) version: Version,
    /// Its number, where that is in the ids of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DoneOutput {
    /// Its name in the directory, see [`to_text`].
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) rows: u64,
}

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Run { format: u64, vecpack: String, options: Map<String, Value> },
    Done(Cow<'a, Done>),
}

/// The manifest of a run under way. In a directory of files no other run writes to it meanwhile.
#[derive(Debug)]
pub(super) struct Manifest {
    directory: Directory,
    path: PathBuf,
    place: Place,
    /// The lines that it begins with, and what stands behind all of them.
    head: Vec<u8>,
    end: Vec<u8>,
    sync: bool,
    /// True where lines do not stand in the manifest itself.
    is_scattered: bool,
}

#[derive(Debug)]
enum Place {
    /// A file with so many bytes of lines.
    File { file: Arc<Held>, length: u64 },
    /// An object, and the lines that are not in it yet.
    Store(Url, Notes),
}

impl Manifest {
    /// Whether `directory` holds an earlier run. Refuses one that is neither to be resumed nor replaced.
    pub(super) fn find(directory: &Directory, write: &WriteOptions) -> Result<bool> {
        match exists(directory)? {
            true if !write.resume && !write.overwrite => Err(taken(directory)),
            exists => Ok(exists),
        }
    }

    /// Begins the manifest of a new run, in place of that of an earlier one if it may be overwritten.
    pub(super) fn create(
        directory: &Directory,
        options: Map<String, Value>,
        end: Vec<u8>,
        write: &WriteOptions,
    ) -> Result<Self> {
        let (path, head) = (path(directory), head(options)?);
        let mut _earlier = None;
        match in_store(directory) {
            // The lines of an earlier run go first. Without one, they may be those of a run that came first.
            Some((_, notes)) if write.overwrite => clear(&notes, &path)?,
            Some(_) => {}
            None => {
                let place = Directory::new(&directory.file(DIRECTORY), &directory.cancel)?;
                place.create()?;
                place.sweep()?;
                if write.overwrite && exists(directory)? {
                    // Held until the new one is in its place.
                    _earlier = Some(open(directory, &path)?);
                }
            }
        }
        let place = write_all(directory, (&head, &end), &[], write).or_else(|error| {
            // Another run may have come first.
            let is_taken = !write.overwrite && exists(directory)?;
            Err(if is_taken { taken(directory) } else { error })
        })?;
        if let (Place::Store(_, notes), false) = (&place, write.overwrite) {
            // Of a run whose manifest was removed.
            clear(notes, &path)?;
        }
        let (directory, sync) = (directory.clone(), write.sync);
        Ok(Self { directory, path, place, head, end, sync, is_scattered: false })
    }

    /// Takes the manifest of an earlier run up again, which must have had these options. Gives what it did.
    pub(super) fn resume(
        directory: &Directory,
        options: Map<String, Value>,
        end: Vec<u8>,
        write: &WriteOptions,
    ) -> Result<(Self, Vec<Done>)> {
        let path = path(directory);
        let failure = |error| output::error(&path, error);
        let (found, place, is_whole) = match in_store(directory) {
            Some((url, notes)) => {
                let found = Found::in_store(&url, &notes).map_err(failure)?;
                (found, Place::Store(url, notes), true)
            }
            None => {
                let held = open(directory, &path)?;
                let file: &fs::File = &held;
                let found = Found::read(BufReader::with_capacity(1 << 20, file)).map_err(failure)?;
                sweep(&directory.file(DIRECTORY));
                let (length, is_whole) = (found.length, found.rest == end);
                (found, Place::File { file: Arc::new(held), length }, is_whole)
            }
        };
        check_options(directory, &found.options, &options)?;
        let (head, directory, sync) = (head(options)?, directory.clone(), write.sync);
        let mut manifest = Self { directory, path, place, head, end, sync, is_scattered: found.is_scattered };
        if !is_whole {
            manifest.append(&[])?;
        }
        Ok((manifest, found.done))
    }

    /// Removes the manifest of an earlier run of which nothing will be left.
    pub(super) fn remove(directory: &Directory) -> Result<()> {
        let path = path(directory);
        if let Some((_, notes)) = in_store(directory) {
            clear(&notes, &path)?;
            return directory.remove(name());
        }
        let _earlier = open(directory, &path)?;
        directory.remove(name())?;
        // Not if anybody has put something there.
        let _ = fs::remove_dir(directory.file(DIRECTORY));
        Ok(())
    }

    /// Notes what is done.
    pub(super) fn done(&mut self, done: &Done) -> Result<()> {
        self.append(&line(&Line::Done(Cow::Borrowed(done)))?)
    }

    /// Keeps the lines that still hold. The manifest is written anew before what the stale ones name is replaced.
    pub(super) fn keep(&mut self, kept: &[Done], stale: &[Done]) -> Result<()> {
        if self.is_scattered || !stale.is_empty() { self.rewrite(kept) } else { Ok(()) }
    }

    /// Notes that the outputs of all lines are committed.
    pub(super) fn commit(&mut self, done: &mut [Done]) -> Result<()> {
        for done in &mut *done {
            (done.outputs, done.fragments) = (Vec::new(), None);
        }
        self.rewrite(done)
    }

    /// Writes the manifest anew, with these lines and no other.
    fn rewrite(&mut self, done: &[Done]) -> Result<()> {
        let write = WriteOptions::new().with_overwrite(true).with_sync(self.sync);
        let failure = |error| output::error(&self.path, error);
        let urls = match &self.place {
            Place::Store(_, notes) => notes.find().map_err(failure)?,
            Place::File { .. } => Vec::new(),
        };
        self.place = write_all(&self.directory, (&self.head, &self.end), done, &write)?;
        if let Place::Store(_, notes) = &self.place {
            notes.remove(urls).map_err(|error| output::error(&self.path, error))?;
        }
        self.is_scattered = false;
        Ok(())
    }

    fn append(&mut self, line: &[u8]) -> Result<()> {
        let (file, length) = match &mut self.place {
            Place::Store(_, notes) => {
                let content = [HEAD, line, &self.end].concat();
                return notes.add(line, &content).map_err(|error| output::error(&self.path, error));
            }
            Place::File { file, length } => (file, length),
        };
        let bytes = [line, &self.end].concat();
        let mut file: &fs::File = file;
        let mut write = || {
            file.seek(SeekFrom::Start(*length))?;
            file.write_all(&bytes)?;
            file.set_len(*length + bytes.len() as u64)
        };
        let written = write();
        if written.is_err() {
            // Half of a line would do no harm, but what was there is better.
            let _ = file.set_len(*length);
            let _ = file.seek(SeekFrom::Start(*length)).and_then(|_| file.write_all(&self.end));
        }
        written.map_err(|error| Error::io(&self.path, error))?;
        *length += line.len() as u64;
        Ok(())
    }

    /// Ends a run that has done everything. In a store the lines become one object; elsewhere they are on the disk.
    pub(super) fn finish(&mut self) -> Result<()> {
        let failure = |error| output::error(&self.path, error);
        let cancel = &self.directory.cancel;
        match &self.place {
            Place::File { file, .. } if self.sync => {
                sync_all(file, cancel, |_| {}).map_err(failure)?;
                sync_directory(&self.directory.file(DIRECTORY), cancel)?;
                self.directory.sync()
            }
            Place::File { .. } => Ok(()),
            Place::Store(url, notes) => {
                let found = Found::in_store(url, notes).map_err(failure)?;
                if found.is_scattered { self.rewrite(&found.done) } else { Ok(()) }
            }
        }
    }
}

/// Whether `directory` holds a run. Something else under that name is an error: to read a FIFO would be to wait for a writer.
fn exists(directory: &Directory) -> Result<bool> {
    let path = path(directory);
    if let Some((url, _)) = in_store(directory) {
        return is_there(&url, &directory.cancel).map_err(|error| output::error(&path, error));
    }
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => {
            let text = "not a regular file, and so no manifest of a run";
            Err(Error::io(&path, io::Error::new(io::ErrorKind::InvalidData, text)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(&path, error)),
    }
}

/// The error of a directory that holds a run already.
fn taken(directory: &Directory) -> Error {
    let text = "holds an earlier run; option `resume` finishes it, option `overwrite` begins anew and replaces files of the same names";
    Error::io(&directory.path, io::Error::new(io::ErrorKind::AlreadyExists, text))
}

/// Removes all lines that stand beside the manifest at `path`.
fn clear(notes: &Notes, path: &Path) -> Result<()> {
    notes.find().and_then(|urls| notes.remove(urls)).map_err(|error| output::error(path, error))
}

/// What a manifest says.
#[derive(Default)]
struct Found {
    options: Map<String, Value>,
    done: Vec<Done>,
    /// Bytes of the lines, and what stands behind them, if it is short.
    length: u64,
    rest: Vec<u8>,
    is_scattered: bool,
}

impl Found {
    fn read(mut file: impl BufRead) -> io::Result<Self> {
        let mut found = Self::default();
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line)?;
        if line != HEAD {
            return Err(unreadable("no manifest of a run"));
        }
        found.length = HEAD.len() as u64;
        loop {
            line.clear();
            let bytes = file.read_until(b'\n', &mut line)? as u64;
            found.rest.extend(&line);
            let is_first = found.length == HEAD.len() as u64;
            let Some(text) = text(&mut line) else {
                if is_first {
                    return Err(unreadable("no manifest of a run"));
                }
                break;
            };
            match serde_json::from_slice(text) {
                Ok(Line::Run { format: FORMAT, options, .. }) if is_first => found.options = options,
                Ok(Line::Done(done)) if !is_first => found.done.push(compact(done)),
                _ => return Err(unreadable(OTHER)),
            }
            found.length += bytes;
            found.rest.clear();
        }
        file.read_to_end(&mut found.rest)?;
        Ok(found)
    }

    /// What the manifest in a store says, and the lines beside it.
    fn in_store(url: &Url, notes: &Notes) -> io::Result<Self> {
        let content = notes.get(url)?;
        let mut found = Self::read(&*content)?;
        let (mut lines, long) = notes.lines(&notes.find()?)?;
        let line = |content: &Bytes| lines_of(content.strip_prefix(HEAD)?).next().map(<[u8]>::to_vec);
        lines.extend(long.iter().filter_map(line));
        found.is_scattered = !lines.is_empty();
        // A run that died may have left a line in two places.
        let known: HashSet<&[u8]> = lines_of(&content).collect();
        lines.retain(|line| !known.contains(&**line));
        for text in lines.iter_mut().filter_map(text) {
            match serde_json::from_slice(text) {
                Ok(Line::Done(done)) => found.done.push(compact(done)),
                _ => return Err(unreadable(OTHER)),
            }
        }
        Ok(found)
    }
}

fn lines_of(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split_inclusive(|&byte| byte == b'\n')
}

const OTHER: &str = "the manifest of another version of vecpack";

fn unreadable(text: &str) -> io::Error {
    let text = format!("{text}: nothing can be resumed, option `overwrite` makes all anew");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A line in as little memory as it takes: there may be a million of them.
fn compact(line: Cow<'_, Done>) -> Done {
    let mut done = line.into_owned();
    done.inputs.shrink_to_fit();
    done.outputs.shrink_to_fit();
    done
}

/// Writes all of a manifest at once.
fn write_all(
    directory: &Directory,
    (head, end): (&[u8], &[u8]),
    done: &[Done],
    write: &WriteOptions,
) -> Result<Place> {
    let target = Target::create(&path(directory), write.overwrite, directory.cancel.clone())?;
    let sink = target.sink();
    let mut out = BufWriter::with_capacity(1 << 20, sink.clone());
    let failure = |error| target.error(error);
    let mut length = head.len() as u64;
    out.write_all(head).map_err(failure)?;
    for done in done {
        let line = line(&Line::Done(Cow::Borrowed(done)))?;
        out.write_all(&line).map_err(failure)?;
        length += line.len() as u64;
    }
    out.write_all(end).and_then(|()| out.flush()).map_err(failure)?;
    target.commit_file(write.sync)?;
    match (sink, in_store(directory)) {
        (Sink::Aside(file), _) => Ok(Place::File { file, length }),
        (_, Some((url, notes))) => Ok(Place::Store(url, notes)),
        _ => Err(Error::internal("a manifest that is no file")),
    }
}

/// The manifest in a directory of a store, and the lines beside it.
fn in_store(directory: &Directory) -> Option<(Url, Notes)> {
    let url = directory.store.as_ref()?;
    let below = |name: &str| url.with_key(&format!("{}{DIRECTORY}/{name}", url.key()));
    Some((below(NAME), Notes::new(below("lines/"), ".parquet", &directory.cancel)))
}

/// The lines that a manifest begins with.
fn head(options: Map<String, Value>) -> Result<Vec<u8>> {
    let vecpack = env!("CARGO_PKG_VERSION").to_owned();
    Ok([HEAD, &line(&Line::Run { format: FORMAT, vecpack, options })?].concat())
}

fn path(directory: &Directory) -> PathBuf {
    directory.file(name())
}

fn name() -> PathBuf {
    [DIRECTORY, NAME].iter().collect()
}

/// Opens the manifest of a run that is over.
fn open(directory: &Directory, path: &Path) -> Result<Held> {
    let failure = |error| Error::io(path, error);
    loop {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failure)?;
        let Some(held) = hold(file) else {
            let error = io::Error::new(io::ErrorKind::ResourceBusy, "another run writes to this directory");
            return Err(Error::io(&directory.path, error));
        };
        // Between the two, another run may have put a new one there.
        if held.is_at(path) {
            return Ok(held);
        }
    }
}

/// A line with its checksum, which stands in the object as its last field.
fn line(line: &Line<'_>) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line).map_err(io::Error::from)?;
    text.pop();
    let check = format!(",\"check\":\"{:08x}\"}}\n", checksum(&text));
    text.extend(check.as_bytes());
    Ok(text)
}

/// The object in a line, if it is whole.
fn text(line: &mut Vec<u8>) -> Option<&[u8]> {
    let rest = line.strip_suffix(b"\n")?;
    let (text, check) = rest.split_at_checked(rest.len().checked_sub(",\"check\":\"01234567\"}".len())?)?;
    let check = check.strip_prefix(b",\"check\":\"")?.strip_suffix(b"\"}")?;
    if format!("{:08x}", checksum(text)).as_bytes() != check {
        return None;
    }
    let length = text.len();
    line.truncate(length);
    line.push(b'}');
    Some(line)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Refuses options that would make something else than the earlier run made.
fn check_options(directory: &Directory, before: &Map<String, Value>, now: &Map<String, Value>) -> Result<()> {
    let differs = |name: &&String| before.get(*name) != now.get(*name);
    let Some(name) = before.keys().chain(now.keys()).find(differs) else { return Ok(()) };
    let what = match (&**name, before.get(name), now.get(name)) {
        // The columns follow from the inputs as well.
        ("output_columns", Some(Value::Array(old)), Some(Value::Array(new))) => {
            let only = |of: &[Value], others: &[Value]| {
                let fields = of.iter().filter(|field| !others.contains(field)).filter_map(Value::as_str);
                // Arrow writes `Field { "id": Int64 }`.
                let plain = |field: &str| {
                    let field = field.replace(['"', '{', '}'], "");
                    field.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
                };
                let fields = listed(fields.map(plain));
                if fields.is_empty() { "no others".to_owned() } else { fields }
            };
            let (old, new) = (only(old, new), only(new, old));
            format!("the columns are others than in the earlier run, which had {old}; now there are {new}")
        }
        (_, old, new) => {
            let show = |value: Option<&Value>| match value {
                None | Some(Value::Null) => "not given".to_owned(),
                Some(Value::String(text)) => format!("`{text}`"),
                Some(value) => format!("`{value}`"),
            };
            format!("option `{name}` was {} in the earlier run and is {} now", show(old), show(new))
        }
    };
    Err(Error::option(format!(
        "{}: {what}; resume with the same options, or pass option `overwrite`",
        directory.path.display()
    )))
}

/// A path as JSON can have it, different for different paths: one that is no UTF-8 has each of its bytes as a character, behind a
/// NUL, which is in no path.
pub(super) fn to_text(path: &OsStr) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => {
            std::iter::once('\0').chain(path.as_encoded_bytes().iter().map(|&byte| byte.into())).collect()
        }
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
