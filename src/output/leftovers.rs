//! Temporary files, those that died with their process, and the space that a file gets on the disk before it is written to.
//!
//! Whoever writes a temporary file holds a lock on it, which the system takes away however the process ends: a file that nobody
//! holds is dead. There are file systems on which a lock is not seen from another machine, so the name says on which one the
//! file was made, and a file of another machine is left alone for a day after it was last written to.
//!
//! A file system that finds room for 16 MiB at once has less to do at every write: on ext4 100 MB are written in 11 instead of
//! 18 ms. It is an offer only. Where the system has no such call, or no space, writing itself tells what is wrong.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::directory;
use crate::pool::OwnerProcess;

pub(super) const SUFFIX: &str = ".vecpack-tmp";

/// How long a file of another machine is left alone.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many names of a directory are looked at for the sake of one file: more would take longer than a small conversion.
const NAMES: usize = 10_000;
/// The most bytes of a target's name in that of its temporary file: names of files have a limit.
const LONGEST: usize = 200;

/// The name of a temporary file for `name`, up to what is random.
pub(super) fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    if name.len() > LONGEST {
        prefix.push(name.to_string_lossy().chars().take(LONGEST / 4).collect::<String>());
    } else {
        prefix.push(name);
    }
    prefix.push(format!(".{}-", machine()));
    prefix
}

/// A few digits that tell this machine from others.
fn machine() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_bytes().to_vec();
    #[cfg(not(unix))]
    let name: Vec<u8> = Vec::new();
    // FNV-1a: the same in every build.
    let hash =
        name.iter().fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

/// A file that this process holds, as far as the file system has locks.
#[derive(Debug)]
pub(crate) struct Held {
    file: File,
    /// Whether there is a lock.
    locked: bool,
    pub(super) ahead: Ahead,
    #[cfg_attr(not(unix), allow(dead_code))]
    owner: OwnerProcess,
}

/// Holds `file`; `None` if another process, or another part of this one, does.
pub(crate) fn hold(file: File) -> Option<Held> {
    #[cfg(unix)]
    let locked = match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => true,
        Err(rustix::io::Errno::WOULDBLOCK) => return None,
        Err(_) => false,
    };
    #[cfg(not(unix))]
    let locked = false;
    Some(Held { file, locked, ahead: Ahead::default(), owner: OwnerProcess::current() })
}

impl Held {
    /// Whether it is the file that `path` names.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let here = self.file.metadata().map(|file| (file.dev(), file.ino()));
            let there = fs::metadata(path).map(|file| (file.dev(), file.ino()));
            matches!((here, there), (Ok(here), Ok(there)) if here == there)
        }
        #[cfg(not(unix))]
        path.exists()
    }
}

impl Deref for Held {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A forked child has the file open as well, and would hold it for as long as it lives. It shares the lock, and must not
        // take that from its parent.
        #[cfg(unix)]
        if self.locked && self.owner.is_current() {
            let _ = rustix::fs::flock(&self.file, rustix::fs::FlockOperation::Unlock);
        }
    }
}

/// Closes a file and says whether that succeeded.
pub(super) fn close(file: File) -> io::Result<()> {
    #[cfg(unix)]
    return nix::unistd::close(file).map_err(io::Error::from);
    #[cfg(not(unix))]
    {
        drop(file);
        Ok(())
    }
}

/// Removes temporary files in `directory` that no process writes any more.
pub(crate) fn sweep(directory: &Path) {
    sweep_some(directory, usize::MAX);
}

/// The same in the directory of the file `path`, if that is no large one.
pub(crate) fn sweep_beside(path: &Path) {
    sweep_some(directory(path), NAMES);
}

/// Whether anything could be removed must not decide about the work, so there are no errors.
fn sweep_some(directory: &Path, most: usize) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.take(most).flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(b".") && name.ends_with(SUFFIX.as_bytes()) {
            remove_if_dead(&entry.path(), name);
        }
    }
}

fn remove_if_dead(path: &Path, name: &[u8]) {
    // Only a file: to open anything else may wait, or do something.
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return;
    }
    let Some(held) = OpenOptions::new().write(true).open(path).ok().and_then(hold) else { return };
    let stem = &name[..name.len() - SUFFIX.len()];
    let is_ours = stem.rsplit(|&byte| byte == b'.').next().is_some_and(|tag| {
        tag.strip_prefix(machine().as_bytes()).is_some_and(|random| random.starts_with(b"-"))
    });
    let modified = held.metadata().and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    if held.locked && (is_ours || age.is_some_and(|age| age > DAY)) {
        // While it is held: whoever has just made it and not yet locked it sees that it has no name any more.
        let _ = fs::remove_file(path);
    }
}

/// How much is asked for at once.
const STEP: u64 = 16 << 20;
/// A file of fewer bytes is not worth the call.
const SMALL: u64 = 2 << 20;

/// How far a file that is written from its start to its end has got.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    written: AtomicU64,
    /// The end of the space that was asked for: the largest number where there is none.
    reserved: AtomicU64,
}

impl Ahead {
    /// Asks for space if the next `bytes` need it.
    pub(super) fn prepare(&self, file: &File, bytes: usize) {
        let end = self.written.load(Ordering::Relaxed).saturating_add(bytes as u64);
        let reserved = self.reserved.load(Ordering::Relaxed);
        if end > reserved && end > SMALL {
            let more = end.saturating_add(STEP);
            let next = if reserve(file, reserved, more - reserved).is_ok() { more } else { u64::MAX };
            self.reserved.store(next, Ordering::Relaxed);
        }
    }

    /// Counts what was written.
    pub(super) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, start: u64, bytes: u64) -> io::Result<()> {
    // The size stays what was written, whatever happens.
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, start, bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[path = "leftovers_tests.rs"]
mod tests;
