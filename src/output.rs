//! Output files that are either what was there before, or complete.
//!
//! What is written goes to a temporary file in the target's directory, which is flushed, synced and renamed. Whoever dies in
//! between leaves at most a file named `.NAME.*.vecpack-tmp`.

use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file on its way. Dropped without [`commit`](Self::commit), it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Target {
    path: PathBuf,
    file: NamedTempFile,
    overwrite: bool,
}

impl Target {
    /// Begins to write what will be `path`. A symbolic link is followed: what it points to is replaced.
    pub(crate) fn create(path: &Path, overwrite: bool) -> Result<Self> {
        Self::try_create(path, overwrite).map_err(|error| Error::io(path, error))
    }

    fn try_create(path: &Path, overwrite: bool) -> io::Result<Self> {
        let existing = check(path, overwrite)?;
        let path = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() };
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".vecpack-tmp");
        // A temporary file is private unless told otherwise; the system takes the umask off again.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(directory(&path)).map_err(without_path)?;
        if let Some(permissions) = existing {
            file.as_file().set_permissions(permissions)?;
        }
        Ok(Self { path, file, overwrite })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Puts the file in its place and gives its size in bytes. With `sync` it is there after a power failure as well.
    pub(crate) fn commit(self, sync: bool) -> Result<u64> {
        let path = self.path.clone();
        self.try_commit(sync).map_err(|error| Error::io(&path, error))
    }

    fn try_commit(self, sync: bool) -> io::Result<u64> {
        let bytes = self.file.as_file().metadata()?.len();
        if sync {
            self.file.as_file().sync_all()?;
        }
        let persisted = match self.overwrite {
            true => self.file.persist(&self.path),
            false => self.file.persist_noclobber(&self.path),
        };
        persisted.map_err(|error| error.error)?;
        #[cfg(unix)]
        if sync {
            File::open(directory(&self.path))?.sync_all()?;
        }
        Ok(bytes)
    }
}

/// Refuses a target that cannot or must not be replaced. Gives the permissions of one that will be.
fn check(path: &Path, overwrite: bool) -> io::Result<Option<Permissions>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file, cannot be replaced"));
    }
    if !overwrite {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "exists already; `overwrite` replaces it"));
    }
    Ok(Some(metadata.permissions()))
}

/// Like [`check`], to find out before any work is done.
pub(crate) fn check_target(path: &Path, overwrite: bool) -> Result<()> {
    check(path, overwrite).map(|_| ()).map_err(|error| Error::io(path, error))
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
