//! The one way to end work early.

use std::io;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// Ends work early, on behalf of a user who no longer wants it.
///
/// Work checks it between batches, and several times a second while it waits for a stream, a
/// server or a disk. The default never ends any work.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use vecpack::{Cancel, ErrorKind};
///
/// let stop = Arc::new(AtomicBool::new(false));
/// let cancel = Cancel::when({
///     let stop = stop.clone();
///     move || stop.load(Ordering::Relaxed)
/// });
/// assert!(cancel.check().is_ok());
/// stop.store(true, Ordering::Relaxed);
/// assert!(matches!(cancel.check().unwrap_err().kind(), ErrorKind::Interrupted));
/// ```
#[derive(Clone, Default)]
pub struct Cancel(Option<Arc<dyn Fn() -> Result<()> + Send + Sync>>);

impl Cancel {
    /// Ends the work with the error of `check`. It is called often and on any thread of the work,
    /// so it must be quick.
    pub fn new(check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(check)))
    }

    /// Ends the work with [`ErrorKind::Interrupted`] once `stop` returns true.
    pub fn when(stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self::new(move || if stop() { Err(ErrorKind::Interrupted.into()) } else { Ok(()) })
    }

    /// Never ends the work.
    pub fn never() -> Self {
        Self::default()
    }

    /// The error that ends the work, if it is to end.
    pub fn check(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |check| check())
    }

    /// The same check, for readers and writers.
    pub(crate) fn check_io(&self) -> io::Result<()> {
        self.check().map_err(|error| match error.into_kind() {
            ErrorKind::Io { path: None, source } => source,
            kind => io::Error::other(Error::from(kind)),
        })
    }

    pub(crate) fn is_never(&self) -> bool {
        self.0.is_none()
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cancel").field(&!self.is_never()).finish()
    }
}
