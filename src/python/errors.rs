//! vecpack's errors as Python exceptions. Their classes are written in Python: they pickle and have attributes.

use std::path::PathBuf;

use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::signals::Raised;
use crate::error::{Error, ErrorKind};
use crate::reject::Reject;
use crate::text::cause;

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        // Without an interpreter there is nobody to raise it to.
        Python::try_attach(|py| exception(py, error))
            .unwrap_or_else(|| PyRuntimeError::new_err("the interpreter is gone"))
    }
}

fn exception(py: Python<'_>, error: Error) -> PyErr {
    let text = error.to_string();
    let of = |name| class(py, name).map(|class| PyErr::from_type(class, text.clone()));
    let raised = match error.into_kind() {
        ErrorKind::Decode(reject) | ErrorKind::Item(reject) => decode_error(py, &text, &reject),
        ErrorKind::TooManyRejects { first, .. } => decode_error(py, &text, &first),
        ErrorKind::Schema(_) => of("SchemaError"),
        ErrorKind::Option(_) => of("OptionError"),
        ErrorKind::Io { path, source } => Ok(os_error(py, path, source)),
        ErrorKind::Interrupted => Ok(PyKeyboardInterrupt::new_err(())),
        ErrorKind::OtherProcess | ErrorKind::Internal(_) => of("VecpackError"),
    };
    raised.unwrap_or_else(|error| error)
}

/// True for the exception of a signal handler, and for a `KeyboardInterrupt` of a Python object that
/// was read when Ctrl-C came.
pub(super) fn is_interrupt(error: &Error) -> bool {
    let source = match error.kind() {
        ErrorKind::Io { source, .. } => source.get_ref(),
        ErrorKind::Interrupted => return true,
        _ => return false,
    };
    let is_keyboard = |raised: &PyErr| {
        Python::try_attach(|py| raised.is_instance_of::<PyKeyboardInterrupt>(py)).unwrap_or(false)
    };
    source.is_some_and(|source| {
        source.is::<Raised>() || source.downcast_ref::<PyErr>().is_some_and(is_keyboard)
    })
}

fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    Ok(py.import("vecpack._errors")?.getattr(name)?.cast_into()?)
}

fn decode_error(py: Python<'_>, text: &str, reject: &Reject) -> PyResult<PyErr> {
    let keywords = PyDict::new(py);
    keywords.set_item("path", Some(&*reject.file).filter(|file| !file.is_empty()))?;
    keywords.set_item("record", reject.record)?;
    keywords.set_item("offset", reject.offset)?;
    keywords.set_item("field", reject.field.as_deref())?;
    Ok(PyErr::from_value(class(py, "DecodeError")?.call((text,), Some(&keywords))?))
}

/// Python's own exception for an error of the system, or the exception that a Python object raised while it was read.
fn os_error(py: Python<'_>, path: Option<PathBuf>, source: std::io::Error) -> PyErr {
    let number = source.raw_os_error();
    let kind = source.kind();
    let text = cause(&source);
    let raised = source.into_inner().and_then(|inner| match inner.downcast::<Raised>() {
        Ok(raised) => Some(raised.0),
        Err(inner) => inner.downcast::<PyErr>().ok().map(|raised| *raised),
    });
    if let Some(raised) = raised {
        return raised;
    }
    if kind == std::io::ErrorKind::OutOfMemory {
        let place = path.map(|path| format!("{}: ", path.display())).unwrap_or_default();
        return PyMemoryError::new_err(format!("{place}{text}"));
    }
    match (number.or_else(|| errno(py, kind)), path) {
        // With a number, OSError picks the subclass: FileNotFoundError and so on.
        (Some(number), Some(path)) => PyOSError::new_err((number, text, path.into_os_string())),
        (None, Some(path)) => PyOSError::new_err(format!("{}: {text}", path.display())),
        (_, None) => PyOSError::new_err(text),
    }
}

fn errno(py: Python<'_>, kind: std::io::ErrorKind) -> Option<i32> {
    let name = match kind {
        std::io::ErrorKind::NotFound => "ENOENT",
        std::io::ErrorKind::AlreadyExists => "EEXIST",
        std::io::ErrorKind::IsADirectory => "EISDIR",
        std::io::ErrorKind::PermissionDenied => "EACCES",
        std::io::ErrorKind::InvalidInput => "EINVAL",
        _ => return None,
    };
    py.import("errno").and_then(|errno| errno.getattr(name)?.extract()).ok()
}
