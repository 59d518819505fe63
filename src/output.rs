//! Output files that are either what was there before, or complete.
//!
//! What is written goes to a temporary file in the target's directory, which is flushed, synced and renamed. Whoever dies in
//! between leaves at most a file named `.NAME.*.vecpack-tmp`, and a later run takes it away. What is no file, such as a FIFO,
//! cannot be replaced: it is written to as it is. An object of a store appears when all of it has been sent.

mod direct;
pub(crate) mod directory;
mod leftovers;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::NamedTempFile;

use self::direct::Direct;
pub(crate) use self::leftovers::{Held, hold, sweep, sweep_beside};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::pool::{PerProcess, interruptible, lock};
use crate::store::{Upload, Url, is_there};

/// A file on its way. Dropped without [`commit`](Self::commit), it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    sink: Sink,
    /// The temporary file of [`Sink::Aside`]. A child that was forked leaves its parent's file where it is.
    aside: PerProcess<Option<NamedTempFile<Arc<Held>>>>,
    overwrite: bool,
    cancel: Cancel,
}

/// Where the bytes of a [`Target`] go.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    /// A file under another name until it is complete.
    Aside(Arc<Held>),
    Direct(Direct),
    /// On its way into a store. `None` when it is complete.
    Remote(Arc<Mutex<Option<Upload>>>),
}

impl Target {
    /// Begins to write what will be `path`. A symbolic link is followed: what it points to is replaced. `cancel` ends every
    /// wait: for a FIFO to be read, for bytes to be on the disk.
    pub(crate) fn create(path: &Path, overwrite: bool, cancel: Cancel) -> Result<Self> {
        let failure = |error| self::error(path, error);
        let (mut place, mut aside) = (path.to_owned(), None);
        let sink = match as_url(path) {
            Some(url) => {
                let upload = Upload::begin(&url?, overwrite, cancel.clone()).map_err(failure)?;
                Sink::Remote(Arc::new(Mutex::new(Some(upload))))
            }
            None => match check(path, overwrite).map_err(failure)? {
                Existing::Direct => Sink::Direct(Direct::open(path, cancel.clone()).map_err(failure)?),
                Existing::Replaceable(permissions) => {
                    let file;
                    (place, file) = begin_aside(path, permissions)?;
                    let held = file.as_file().clone();
                    aside = Some(file);
                    Sink::Aside(held)
                }
            },
        };
        Ok(Self { path: place, sink, aside: PerProcess::new(aside), overwrite, cancel })
    }

    /// Where to write. All sinks of a target are one file.
    pub(crate) fn sink(&self) -> Sink {
        self.sink.clone()
    }

    /// An error that occurred while this target was written.
    pub(crate) fn error(&self, error: io::Error) -> Error {
        self::error(&self.path, error)
    }

    /// Puts the file in its place and gives its size in bytes. With `sync` it is there after a power failure as well.
    pub(crate) fn commit(self, sync: bool) -> Result<u64> {
        let (path, cancel) = (self.path.clone(), self.cancel.clone());
        let bytes = self.commit_file(sync)?;
        if sync {
            sync_name(&path, &cancel)?;
        }
        Ok(bytes)
    }

    /// The same, but a power failure may take its name away again until [`sync_directory`] is called.
    pub(crate) fn commit_file(mut self, sync: bool) -> Result<u64> {
        self.try_commit(sync).map_err(|error| self.error(error))
    }

    fn try_commit(&mut self, sync: bool) -> io::Result<u64> {
        self.aside.owner.check_io()?;
        let held = match &self.sink {
            Sink::Aside(held) => held,
            Sink::Direct(direct) => return Ok(direct.bytes()),
            Sink::Remote(upload) => {
                let whole = lock(upload).take();
                return whole.map_or_else(|| Err(gone()), Upload::finish);
            }
        };
        let file = self.aside.take().ok_or_else(gone)?;
        let bytes = held.metadata()?.len();
        // Space that was asked for and is not needed goes back.
        held.set_len(bytes)?;
        if sync {
            // An error is final: what could not be written is gone, and a second call would say that all is well. When the
            // wait is cancelled, the file is cut: the system would not let the process end before all of it is on the disk.
            sync_all(held, &self.cancel, |file| drop(file.set_len(0)))?;
        }
        // Some file systems tell only now that there was no space. The file itself stays open: it holds the lock.
        leftovers::close(held.try_clone()?)?;
        let persisted = match self.overwrite {
            true => file.persist(&self.path),
            false => file.persist_noclobber(&self.path),
        };
        persisted.map_err(|error| error.error)?;
        Ok(bytes)
    }
}

/// Waits until the name of the file `path` is on the disk.
pub(crate) fn sync_name(path: &Path, cancel: &Cancel) -> Result<()> {
    sync_directory(directory(path), cancel)
}

/// Waits until the names in `directory` are on the disk. A store has no such thing.
pub(crate) fn sync_directory(directory: &Path, cancel: &Cancel) -> Result<()> {
    if as_url(directory).is_some() {
        return Ok(());
    }
    #[cfg(unix)]
    let synced = File::open(directory).and_then(|file| sync_all(&file, cancel, |_| {}));
    #[cfg(not(unix))]
    let (synced, _) = (Ok(()), cancel);
    synced.map_err(|error| self::error(directory, error))
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Aside(held) => {
                held.ahead.prepare(held, bytes.len());
                let mut file: &File = held;
                file.write(bytes).inspect(|&written| held.ahead.wrote(written))
            }
            Self::Direct(direct) => direct.write(bytes),
            Self::Remote(upload) => match &mut *lock(upload) {
                Some(upload) => upload.write(bytes),
                None => Err(gone()),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until what was written to `file` is on the disk. When the wait is cancelled, `give_up` is called, and the work goes on
/// without a caller.
pub(crate) fn sync_all(file: &File, cancel: &Cancel, give_up: fn(&File)) -> io::Result<()> {
    if cancel.is_never() {
        return file.sync_all();
    }
    let theirs = file.try_clone()?;
    interruptible(move || theirs.sync_all(), cancel).unwrap_or_else(|cancelled| {
        give_up(file);
        Err(cancelled)
    })
}

/// What never happens. It is no broken pipe: that is a reader who has had enough, and no failure.
fn gone() -> io::Error {
    io::Error::other(Error::internal("a file is written that is complete, or was never begun"))
}

/// An error of `path`, or the error that it passes on.
pub(crate) fn error(path: &Path, error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(|error| Error::io(path, error))
}

/// Where `path` leads to, and a new temporary file beside that. Directories that are not there are made.
fn begin_aside(path: &Path, permissions: Option<Permissions>) -> Result<(PathBuf, NamedTempFile<Arc<Held>>)> {
    let path = match path.is_symlink() {
        true => fs::canonicalize(path).map_err(|error| self::error(path, error))?,
        false => path.to_owned(),
    };
    fs::create_dir_all(directory(&path)).map_err(|error| self::error(directory(&path), error))?;
    let file = aside(&path, permissions).map_err(|error| match error.kind() {
        // It is the directory that refuses.
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            self::error(directory(&path), error)
        }
        _ => self::error(&path, error),
    })?;
    Ok((path, file))
}

/// A new temporary file for `path`.
fn aside(path: &Path, permissions: Option<Permissions>) -> io::Result<NamedTempFile<Arc<Held>>> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let prefix = leftovers::prefix(name);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(leftovers::SUFFIX);
    // A name is taken from us only by a sweep that came between making and locking it.
    for _ in 0..100 {
        let made = builder.make_in(directory(path), |path| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            // The system takes the umask off.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o666);
            Ok(hold(options.open(path)?).map(Arc::new))
        });
        let (held, path) = made.map_err(without_path)?.into_parts();
        let Some(held) = held.filter(|held| held.is_at(&path)) else { continue };
        if let Some(permissions) = permissions {
            held.set_permissions(permissions)?;
        }
        return Ok(NamedTempFile::from_parts(held, path));
    }
    Err(io::Error::other("no temporary file stays"))
}

/// What there is under the name of a target.
enum Existing {
    /// Nothing, or a file that will be replaced; the new one gets its permissions.
    Replaceable(Option<Permissions>),
    /// What is written to as it is.
    Direct,
}

/// The URL that `path` is, if it is one.
fn as_url(path: &Path) -> Option<Result<Url>> {
    path.to_str().and_then(Url::parse)
}

/// Refuses a target that cannot or must not be replaced.
fn check(path: &Path, overwrite: bool) -> io::Result<Existing> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory::ends_in_separator(path) => {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(Existing::Replaceable(None));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(io::Error::new(error.kind(), "a symbolic link to a file that does not exist"));
        }
        Err(error) => return Err(error),
    };
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if direct::is_direct(path, &metadata) {
        return Ok(Existing::Direct);
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file, cannot be replaced"));
    }
    if !overwrite {
        return Err(refused());
    }
    Ok(Existing::Replaceable(Some(metadata.permissions())))
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "exists already; option `overwrite` replaces it")
}

/// Like [`check`], to find out before any work is done. `cancel` ends the wait for a store.
pub(crate) fn check_target(path: &Path, overwrite: bool, cancel: &Cancel) -> Result<()> {
    let checked = match as_url(path) {
        Some(url) => {
            let is_taken = is_there(&url?, cancel).map(|is_there| is_there && !overwrite);
            is_taken.and_then(|is_taken| if is_taken { Err(refused()) } else { Ok(()) })
        }
        None => check(path, overwrite).map(drop),
    };
    checked.map_err(|error| self::error(path, error))
}

/// The same for a target that is written when all work is done: its directory must take a file now.
pub(crate) fn check_late_target(path: &Path, overwrite: bool) -> Result<()> {
    if as_url(path).is_some() {
        return check_target(path, overwrite, &Cancel::never());
    }
    match check(path, overwrite).map_err(|error| self::error(path, error))? {
        // A reader need not be there yet.
        Existing::Direct => Ok(()),
        Existing::Replaceable(_) => begin_aside(path, None).map(drop),
    }
}

/// The system's own error, out of one that names the temporary file.
fn without_path(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|error| error.source()?.downcast_ref::<io::Error>());
    match inner.and_then(io::Error::raw_os_error) {
        Some(number) => io::Error::from_raw_os_error(number),
        None => error,
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
