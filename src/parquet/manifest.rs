//! What a directory of outputs holds: which inputs, in which files, made how.
//!
//! `OUT/_vecpack/manifest.parquet` is a log, a JSON object a line, each with a checksum. A line is added when files are under
//! their names; whatever stands behind the last line that is whole was never said. Behind the lines stands the end of a Parquet
//! file without rows, written anew with each line: there are readers that take every file of a directory for Parquet, and to
//! them it is some, of the right columns. See docs/design/resume.md.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::options::WriteOptions;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::output::{Held, Target, hold, sweep, sync_directory};

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
    pub(super) outputs: Vec<DoneOutput>,
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
    /// Bytes; not known of what is no file.
    pub(super) size: Option<u64>,
    /// When it was modified, in nanoseconds since 1970.
    pub(super) modified_ns: Option<i64>,
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
enum Line {
    Run {
        format: u64,
        vecpack: String,
        options: Map<String, Value>,
    },
    Done(Done),
    /// Lines of this kind, by their number among those that say `done`, that hold no more.
    Dropped(HashSet<usize>),
}

/// The manifest of a run under way, which no other run writes meanwhile.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    file: Arc<Held>,
    /// Bytes of the lines, and of the whole file.
    length: u64,
    size: u64,
    /// What stands behind the lines.
    end: Vec<u8>,
}

impl Manifest {
    /// Whether `directory` holds a run. Something else under that name is an error: to read a FIFO would be to wait for a writer.
    pub(super) fn exists(directory: &Path) -> Result<bool> {
        let path = path(directory);
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

    /// Refuses to begin in a directory that holds a run.
    pub(super) fn refuse(directory: &Path) -> Error {
        let text = "holds an earlier run; option `resume` finishes it, option `overwrite` makes it anew";
        Error::io(directory, io::Error::new(io::ErrorKind::AlreadyExists, text))
    }

    /// Begins the manifest of a new run, in place of that of an earlier one if it may be overwritten.
    pub(super) fn create(
        directory: &Path,
        options: Map<String, Value>,
        end: Vec<u8>,
        write: &WriteOptions,
        cancel: Cancel,
    ) -> Result<Self> {
        let (overwrite, sync) = (write.overwrite, write.sync);
        let path = path(directory);
        let failure = |error| Error::io(&path, error);
        let place = directory.join(DIRECTORY);
        match fs::create_dir(&place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io(&place, error));
            }
            _ => {}
        }
        sweep(&place);
        // Held until the new one is in its place.
        let _earlier =
            if overwrite && Self::exists(directory)? { Some(open(directory, &path)?) } else { None };
        let vecpack = env!("CARGO_PKG_VERSION").to_owned();
        let line = line(&Line::Run { format: FORMAT, vecpack, options })?;
        let bytes = [HEAD, &line, &end].concat();
        let target = Target::create(&path, overwrite, cancel)?;
        let mut sink = target.sink();
        sink.write_all(&bytes).map_err(failure)?;
        let file = match target.commit_open(sync) {
            Ok((_, crate::output::Sink::Aside(file))) => file,
            Ok(_) => return Err(Error::internal("a manifest that is no file")),
            // Another run came first.
            Err(error) => {
                return Err(if !overwrite && Self::exists(directory)? {
                    Self::refuse(directory)
                } else {
                    error
                });
            }
        };
        let size = bytes.len() as u64;
        Ok(Self { path, file, length: size - end.len() as u64, size, end })
    }

    /// Takes the manifest of an earlier run up again, which must have had these options. Gives what it did.
    pub(super) fn resume(
        directory: &Path,
        options: &Map<String, Value>,
        end: Vec<u8>,
    ) -> Result<(Self, Vec<(usize, Done)>)> {
        let path = path(directory);
        let failure = |error| Error::io(&path, error);
        let file = open(directory, &path)?;
        let bytes = fs::read(&path).map_err(failure)?;
        let unreadable = |text: &str| {
            let text = format!("{text}: nothing can be resumed, option `overwrite` makes all anew");
            failure(io::Error::new(io::ErrorKind::InvalidData, text))
        };
        let Some(mut rest) = bytes.strip_prefix(HEAD) else { return Err(unreadable("no manifest of a run")) };
        let mut length = HEAD.len();
        let mut next = || {
            let end = memchr::memchr(b'\n', rest)?;
            let (line, behind) = rest.split_at(end + 1);
            let line = parse(&line[..end])?;
            rest = behind;
            length += end + 1;
            Some(line)
        };
        match next() {
            Some(Value::Object(mut head)) => match head.remove("run") {
                Some(Value::Object(run)) if run.get("format") == Some(&FORMAT.into()) => {
                    check_options(directory, run.get("options"), options)?;
                }
                _ => return Err(unreadable("the manifest of another version of vecpack")),
            },
            _ => return Err(unreadable("no manifest of a run")),
        }
        let (mut all, mut dropped) = (Vec::new(), HashSet::new());
        while let Some(line) = next() {
            match serde_json::from_value(line) {
                Ok(Line::Done(done)) => all.push(done),
                Ok(Line::Dropped(numbers)) => dropped.extend(numbers),
                Ok(Line::Run { .. }) | Err(_) => {
                    return Err(unreadable("the manifest of another version of vecpack"));
                }
            }
        }
        sweep(&directory.join(DIRECTORY));
        let (length, size) = (length as u64, bytes.len() as u64);
        let done = all.into_iter().enumerate().filter(|(number, _)| !dropped.contains(number)).collect();
        let mut manifest = Self { path, file: Arc::new(file), length, size, end };
        if bytes[length as usize..] != manifest.end {
            manifest.append(&[])?;
        }
        Ok((manifest, done))
    }

    /// Removes the manifest of an earlier run of which nothing will be left.
    pub(super) fn remove(directory: &Path) -> Result<()> {
        let path = path(directory);
        let _earlier = open(directory, &path)?;
        fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        // Not if anybody has put something there.
        let _ = fs::remove_dir(directory.join(DIRECTORY));
        Ok(())
    }

    /// Notes what is done.
    pub(super) fn done(&mut self, done: Done) -> Result<()> {
        self.append(&line(&Line::Done(done))?)
    }

    /// Notes that lines hold no more, before what they name is touched.
    pub(super) fn dropped(&mut self, numbers: HashSet<usize>) -> Result<()> {
        if numbers.is_empty() { Ok(()) } else { self.append(&line(&Line::Dropped(numbers))?) }
    }

    fn append(&mut self, line: &[u8]) -> Result<()> {
        let bytes = [line, &self.end].concat();
        let size = self.length + bytes.len() as u64;
        let mut file: &fs::File = &self.file;
        let mut write = || {
            file.seek(SeekFrom::Start(self.length))?;
            file.write_all(&bytes)?;
            if self.size > size { file.set_len(size) } else { Ok(()) }
        };
        let written = write();
        if written.is_err() {
            // Half of a line would do no harm, but what was there is better.
            let _ = file.set_len(self.length);
            let _ = file.seek(SeekFrom::Start(self.length)).and_then(|_| file.write_all(&self.end));
        }
        written.map_err(|error| Error::io(&self.path, error))?;
        self.length += line.len() as u64;
        self.size = size;
        Ok(())
    }

    /// Waits until it is on the disk, and the names in its directory.
    pub(super) fn sync(&self, directory: &Path, cancel: &Cancel) -> Result<()> {
        let file = crate::output::Sink::Aside(self.file.clone());
        file.sync(cancel).map_err(|error| crate::output::error(&self.path, error))?;
        sync_directory(&directory.join(DIRECTORY), cancel)?;
        sync_directory(directory, cancel)
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join(DIRECTORY).join(NAME)
}

/// Opens the manifest of a run that is over.
fn open(directory: &Path, path: &Path) -> Result<Held> {
    let failure = |error| Error::io(path, error);
    loop {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failure)?;
        let Some(held) = hold(file) else {
            let error = io::Error::new(io::ErrorKind::ResourceBusy, "another run writes to this directory");
            return Err(Error::io(directory, error));
        };
        // Between the two, another run may have put a new one there.
        if held.is_at(path) {
            return Ok(held);
        }
    }
}

/// A line with its checksum, which stands in the object as its last field.
fn line(line: &Line) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line).map_err(io::Error::from)?;
    text.pop();
    let check = format!(",\"check\":\"{:08x}\"}}\n", checksum(&text));
    text.extend(check.as_bytes());
    Ok(text)
}

/// The object in a line, if it is whole.
fn parse(line: &[u8]) -> Option<Value> {
    let (text, check) = line.split_at_checked(line.len().checked_sub(",\"check\":\"01234567\"}".len())?)?;
    let check = check.strip_prefix(b",\"check\":\"")?.strip_suffix(b"\"}")?;
    if format!("{:08x}", checksum(text)).as_bytes() != check {
        return None;
    }
    let mut object = text.to_vec();
    object.push(b'}');
    serde_json::from_slice(&object).ok()
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Refuses options that would make something else than the earlier run made.
fn check_options(directory: &Path, before: Option<&Value>, now: &Map<String, Value>) -> Result<()> {
    let empty = Map::new();
    let before = before.and_then(Value::as_object).unwrap_or(&empty);
    for name in before.keys().chain(now.keys()) {
        let (old, new) = (before.get(name), now.get(name));
        if old != new {
            let show = |value: Option<&Value>| match value {
                None | Some(Value::Null) => "not given".to_owned(),
                Some(Value::String(text)) => format!("`{text}`"),
                Some(value) => format!("`{value}`"),
            };
            return Err(Error::option(format!(
                "{}: option `{name}` was {} in the earlier run and is {} now; resume with the same options, or pass option `overwrite`",
                directory.display(),
                show(old),
                show(new)
            )));
        }
    }
    Ok(())
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
