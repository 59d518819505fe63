//! Targets that are no files and cannot be replaced: FIFOs, devices, and what `/dev/stdout` stands for.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cancel::Cancel;

/// A pipe that says it is ready takes as much without waiting. POSIX wants at least 512, Linux has a page.
#[cfg(unix)]
const PIPE: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// Something that is written to as it is.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    file: Arc<File>,
    bytes: Arc<AtomicU64>,
    #[cfg_attr(not(unix), allow(dead_code))]
    is_pipe: bool,
    cancel: Cancel,
}

/// True for what is written to as it is.
pub(super) fn is_direct(path: &Path, metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_char_device() || is_open(path)
    }
    #[cfg(not(unix))]
    {
        let _ = (path, metadata);
        false
    }
}

/// True for a name of something that this process has open, a file perhaps. To replace that file would be a surprise.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    let parents = ["/dev/fd", "/proc/self/fd"];
    ["/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name))
        || path.parent().is_some_and(|parent| parents.iter().any(|name| parent == Path::new(name)))
}

impl Direct {
    pub(super) fn open(path: &Path, cancel: Cancel) -> io::Result<Self> {
        let file = open(path, &cancel)?;
        if file.is_terminal() {
            let text = "binary data is not written to a terminal";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        #[cfg(unix)]
        let is_pipe = std::os::unix::fs::FileTypeExt::is_fifo(&file.metadata()?.file_type());
        #[cfg(not(unix))]
        let is_pipe = false;
        Ok(Self { file: Arc::new(file), bytes: Arc::default(), is_pipe, cancel })
    }

    /// How many bytes were written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Writes. The wait for a reader can be cancelled.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.cancel.check_io()?;
            #[cfg(unix)]
            let bytes = {
                if !is_ready(&self.file)? {
                    continue;
                }
                if self.is_pipe { &bytes[..bytes.len().min(PIPE)] } else { bytes }
            };
            let mut file: &File = &self.file;
            match file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(written) => {
                    self.bytes.fetch_add(written as u64, Ordering::Relaxed);
                    return Ok(written);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Opens `path`, a FIFO only when somebody reads it.
#[cfg(unix)]
fn open(path: &Path, cancel: &Cancel) -> io::Result<File> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::OpenOptionsExt;

    if is_open(path) {
        // The descriptor itself: to open it again would begin at the start of a file.
        let name = path.file_name().and_then(|name| name.to_str());
        match name {
            Some("1" | "stdout") => return Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            Some("2" | "stderr") => return Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
            _ => {}
        }
    }
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    loop {
        match OpenOptions::new().write(true).custom_flags(nonblocking).open(path) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                cancel.check_io()?;
                std::thread::sleep(crate::pool::PATIENCE / 5);
            }
            opened => return opened,
        }
    }
}

#[cfg(not(unix))]
fn open(path: &Path, _cancel: &Cancel) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// Waits a moment until a write would not have to wait.
#[cfg(unix)]
fn is_ready(file: &File) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(crate::pool::PATIENCE.subsec_nanos()) as _ };
    match poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&patience)) {
        // An error is for the write to tell.
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
