//! What a Python user passes as inputs.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};

use super::others::with_bytes;
use super::signals;
use super::source::PySource;
use crate::input::{Input, OpenStream, discover_until, local, mirrored};
use crate::pool::catch;

/// Inputs: a path, a glob, a directory, a URL, `-`, something bytes-like, a binary file object, or an iterable of these.
pub(super) fn inputs(object: &Bound<'_, PyAny>) -> PyResult<Vec<Input>> {
    if let Some(inputs) = one(object)? {
        return Ok(mirrored(inputs));
    }
    // To take its keys for inputs would be a guess.
    if object.is_instance_of::<PyDict>() {
        return Err(unknown(object));
    }
    let mut all = Vec::new();
    for item in object.try_iter().map_err(|_| unknown(object))? {
        let item = item?;
        all.extend(one(&item)?.ok_or_else(|| unknown(&item))?);
    }
    Ok(mirrored(all))
}

/// A path as Python's own functions take it: a string, bytes, or an object that stands for one of them.
pub(super) fn local_path(object: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let path: PathBuf = object.py().import("os")?.call_method1("fsdecode", (object,))?.extract()?;
    Ok(local(&path))
}

fn unknown(object: &Bound<'_, PyAny>) -> PyErr {
    let name = object.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    // A vector, or one of its elements.
    let is_vector = object.is_instance_of::<PyFloat>() || object.is_instance_of::<PyList>();
    let hint = if is_vector || object.is_instance_of::<PyTuple>() { VECTORS } else { "" };
    PyTypeError::new_err(format!(
        "inputs must be paths, bytes-like objects, binary file objects, or a list of these, not {name}{hint}"
    ))
}

const NOT_BINARY: &str = "read() of a file object must return bytes: open it in binary mode";

/// Where vectors in memory go.
const VECTORS: &str = ": from_iter() takes vectors in memory, as an iterable of arrays or bytes";

/// Refuses what has rows already: a table of Arrow data, or an array of numbers. The bytes of an array are no MessagePack.
fn refuse_rows(object: &Bound<'_, PyAny>) -> PyResult<()> {
    let name = object.get_type().name()?;
    if object.hasattr("__arrow_c_stream__")? && (object.hasattr("schema")? || object.hasattr("columns")?) {
        let hint = match object.is_instance_of::<PySource>() {
            true => "opened already: its methods read it, such as to_pyarrow()",
            false => {
                "Arrow data: to_parquet() takes that, a list of batches as pyarrow.Table.from_batches(list)"
            }
        };
        return Err(PyTypeError::new_err(format!("inputs must be MessagePack, and {name} is {hint}")));
    }
    if object.hasattr("__array_interface__")? {
        return Err(PyTypeError::new_err(format!(
            "inputs must be MessagePack, and {name} is an array{VECTORS}; memoryview(array) reads its bytes as MessagePack"
        )));
    }
    Ok(())
}

fn one(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<Input>>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        // Bytes never change: no copy.
        let bytes = Bytes::from_owner(PyBackedBytes::from(bytes.clone()));
        return Ok(Some(vec![Input::bytes("<bytes>", bytes)]));
    }
    if object.is_instance_of::<PyString>() || object.hasattr("__fspath__")? {
        let path = local_path(object)?;
        let cancel = signals::cancel(object.py())?;
        let inputs = object.py().detach(|| catch(|| discover_until(&path, &cancel)));
        return Ok(Some(inputs?));
    }
    if object.is_instance(&object.py().import("io")?.getattr("TextIOBase")?)? {
        return Err(PyTypeError::new_err(NOT_BINARY));
    }
    if object.hasattr("read")? {
        return PyFile::new(object).map(|(name, file)| Some(vec![Input::stream(&name, file)]));
    }
    if let Ok(buffer) = PyUntypedBuffer::get(object) {
        let format = buffer.format().to_string_lossy();
        // Its bytes would be addresses. Between colons are names of fields.
        if format.split(':').step_by(2).any(|types| types.contains('O')) {
            return Err(PyTypeError::new_err(
                "an array of Python objects holds no bytes to read: pass a list of inputs",
            ));
        }
        refuse_rows(object)?;
        if !matches!(format.trim_start_matches(['@', '=', '<', '>', '!']), "B" | "b" | "c") {
            return Err(PyTypeError::new_err(format!(
                "inputs must be MessagePack, and the items of this buffer are `{format}` and no bytes{VECTORS}"
            )));
        }
        // Anything else may be written to while the interpreter is not held: a copy.
        let copy = if buffer.is_c_contiguous() {
            with_bytes(object.py(), &buffer, <[u8]>::to_vec)?
        } else {
            pyo3::types::PyMemoryView::from(object)?.call_method0("tobytes")?.extract()?
        };
        return Ok(Some(vec![Input::bytes("<bytes>", copy)]));
    }
    refuse_rows(object)?;
    Ok(None)
}

/// A Python file object.
struct PyFile {
    object: Py<PyAny>,
    /// Where the first scan began, if the object can go back there.
    start: Option<u64>,
    used: AtomicBool,
}

impl PyFile {
    fn new(object: &Bound<'_, PyAny>) -> PyResult<(String, Self)> {
        let name =
            object.getattr("name").and_then(|name| name.extract()).unwrap_or_else(|_| "<stream>".to_owned());
        let seekable =
            object.call_method0("seekable").and_then(|seekable| seekable.is_truthy()).unwrap_or(false);
        let start = if seekable { Some(object.call_method0("tell")?.extract()?) } else { None };
        Ok((name, Self { object: object.clone().unbind(), start, used: AtomicBool::new(false) }))
    }
}

impl OpenStream for PyFile {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let again = self.used.swap(true, Ordering::Relaxed);
        attached(|py| {
            match self.start {
                Some(start) => drop(self.object.call_method1(py, "seek", (start,))?),
                None if again => {
                    let text = "this file object cannot seek, so it can be read only once";
                    return Err(io::Error::other(text).into());
                }
                None => {}
            }
            Ok(Box::new(PyRead(self.object.clone_ref(py))) as Box<dyn Read + Send>)
        })
    }
}

struct PyRead(Py<PyAny>);

impl Read for PyRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        attached(|py| {
            let read = self.0.bind(py).call_method1("read", (buffer.len(),))?;
            let bytes = read.cast::<PyBytes>().map_err(|_| PyTypeError::new_err(NOT_BINARY))?;
            let bytes = bytes.as_bytes();
            let out = buffer.get_mut(..bytes.len());
            out.ok_or_else(|| PyTypeError::new_err("read(n) of a file object returned more than n bytes"))?
                .copy_from_slice(bytes);
            Ok(bytes.len())
        })
    }
}

/// Attaches to the interpreter; an exception travels inside of the error and comes out unchanged.
fn attached<T>(work: impl FnOnce(Python<'_>) -> PyResult<T>) -> io::Result<T> {
    Python::try_attach(work)
        .unwrap_or_else(|| Err(PyTypeError::new_err("the interpreter is gone")))
        .map_err(io::Error::other)
}
