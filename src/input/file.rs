//! Bytes that can be read at any place, by several threads at once.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use crate::store::{Object, Stat};

/// A regular file, an object of a store or a buffer, as it was when it was opened.
pub(crate) enum OpenFile {
    Local(File, Stat),
    Remote(Object),
    Memory(Bytes),
}

/// The version of a file.
pub(super) fn stat(metadata: &Metadata) -> Stat {
    let modified_ns = metadata.modified().ok().and_then(|time| match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|before| -before),
    });
    Stat { size: metadata.len(), tag: None, modified_ns }
}

impl OpenFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self::Local(file, stat(&metadata)))
    }

    /// Where its bytes end; of an object of which a part was opened, that part's.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Local(_, stat) => stat.size,
            Self::Remote(object) => object.end(),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Fails if the file was written to since it was opened: rows of two versions must not be mixed. Of an object every request
    /// asks for one version.
    pub(crate) fn check_unchanged(&self) -> io::Result<()> {
        match self {
            Self::Local(file, opened) if stat(&file.metadata()?) != *opened => Err(changed()),
            _ => Ok(()),
        }
    }

    /// Has bytes that must be fetched asked for before they are needed, at most `window` of them, since all will be.
    pub(crate) fn want_all(&self, window: u64) {
        if let Self::Remote(object) = self {
            object.want_all(window);
        }
    }

    /// Ends the wait of whoever still waits for bytes of it.
    pub(crate) fn close(&self) {
        if let Self::Remote(object) = self {
            object.close();
        }
    }

    /// Reads until `buffer` is full; that it cannot be filled means that the file was cut.
    pub(crate) fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        let file = match self {
            Self::Local(file, _) => file,
            Self::Remote(object) => return object.read_exact_at(buffer, offset),
            Self::Memory(bytes) => {
                return bytes.get(offset as usize..).unwrap_or_default().read_exact(buffer);
            }
        };
        while !buffer.is_empty() {
            match read_at(file, buffer, offset) {
                Ok(0) => return Err(changed()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}

/// Reads a file from its start to where its end was.
pub(super) struct FileReader {
    pub(super) file: Arc<OpenFile>,
    pub(super) position: u64,
}

impl Read for FileReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.file.length() - self.position;
        let bytes = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.file.read_exact_at(&mut out[..bytes], self.position)?;
        self.position += bytes as u64;
        Ok(bytes)
    }
}
