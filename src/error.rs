//! The one error type: what went wrong, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use arrow_schema::ArrowError;

use crate::reject::{FailAfter, Reject};
use crate::text::{cause, count, grouped, printable, without_middle};

/// `Result` with vecpack's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Its text names the file, record and byte where there is one, and never holds a control character.
pub struct Error(Box<ErrorKind>);

/// The kinds of [`Error`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A record could not become a row and the policy is [`OnError::Raise`](crate::OnError::Raise).
    Decode(Reject),
    /// A vector that the caller gave could not become a row.
    Item(Reject),
    /// More records were rejected than [`fail_after`](crate::ReadOptions::fail_after) allows.
    TooManyRejects {
        /// How many were rejected so far.
        rejects: u64,
        /// How many records were looked at so far.
        records: u64,
        /// What was allowed.
        limit: FailAfter,
        /// The first one.
        first: Reject,
    },
    /// The columns cannot be known, or do not fit together.
    Schema(String),
    /// An option has a value that cannot be used.
    Option(String),
    /// The operating system refused, or a reader given by the caller did.
    Io {
        /// The file, where there is one.
        path: Option<PathBuf>,
        /// The cause.
        source: io::Error,
    },
    /// The caller asked the work to stop.
    Interrupted,
    /// The work was begun before this process was forked, and the threads that do it are in the other one.
    OtherProcess,
    /// A fault in vecpack or in a library under it.
    Internal(String),
}

impl Error {
    /// The kind, to match on.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// The kind, by value.
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }

    pub(crate) fn schema(message: impl Into<String>) -> Self {
        ErrorKind::Schema(without_middle(message.into())).into()
    }

    pub(crate) fn option(message: impl Into<String>) -> Self {
        ErrorKind::Option(without_middle(message.into())).into()
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        ErrorKind::Internal(message.into()).into()
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        ErrorKind::Io { path: Some(path.to_owned()), source }.into()
    }

    /// What a panic that was caught becomes.
    pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Self::internal(format!("a fault in vecpack, please report it: {text}"))
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        ErrorKind::Io { path: None, source }.into()
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::ExternalError(source) => match source.downcast::<Error>() {
                Ok(error) => *error,
                Err(source) => io::Error::other(source).into(),
            },
            ArrowError::IoError(_, source) => source.into(),
            ArrowError::SchemaError(message) => Self::schema(message),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<Error> for ArrowError {
    fn from(error: Error) -> Self {
        ArrowError::ExternalError(Box::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A NUL in an error text aborts the process at the Arrow C boundary.
        f.write_str(&printable(&self.0.to_string()))
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(reject) => {
                write!(f, "{reject} (option `on_error=skip` leaves such records out and lists them)")
            }
            Self::Item(reject) => write!(f, "{reject}"),
            Self::TooManyRejects { rejects, records, limit, first } => {
                let (rejects, records) = (grouped(*rejects), count(*records, "record"));
                write!(
                    f,
                    "{rejects} of {records} rejected, option `fail_after` allows {limit}; the first one: {first}"
                )
            }
            Self::Schema(message) | Self::Option(message) | Self::Internal(message) => f.write_str(message),
            Self::Io { path: Some(path), source } => write!(f, "{}: {}", path.display(), cause(source)),
            Self::Io { path: None, source } => f.write_str(&cause(source)),
            Self::Interrupted => f.write_str("interrupted"),
            Self::OtherProcess => f.write_str(
                "this was begun in another process, and its threads are there: begin it again in this one",
            ),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind() {
            ErrorKind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
