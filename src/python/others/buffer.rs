//! Memory of Python objects.

use std::ops::Range;

use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;

/// Gives `read` the bytes of an object with the buffer protocol. The object must be contiguous. Another thread may write to it
/// meanwhile where there is no GIL, so `read` may only copy and convert numbers, whose values decide nothing else.
pub(in crate::python) fn with_bytes<T>(
    _py: Python<'_>,
    buffer: &PyUntypedBuffer,
    read: impl FnOnce(&[u8]) -> T,
) -> PyResult<T> {
    if !buffer.is_c_contiguous() {
        return Err(PyBufferError::new_err("the buffer is not contiguous"));
    }
    let length = buffer.len_bytes();
    if length == 0 {
        return Ok(read(&[]));
    }
    // SAFETY: the exporter keeps the memory of `buffer` in place until it is released, which needs more than the borrow of it
    // that is held here. It is contiguous, so `length` bytes are there. `_py` shows that the interpreter is attached, and
    // `read` cannot run Python code in between that writes to it (it gets no token, and attached is where it already is).
    // Without a GIL other threads run Python code. One that writes to an object while it is read breaks the rules of the
    // buffer protocol, as with NumPy's functions: the numbers it writes are old, new or half of each.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), length) };
    Ok(read(bytes))
}

/// A writable, contiguous float32 array of two dimensions that the caller owns.
pub(in crate::python) struct Rows {
    buffer: PyBuffer<f32>,
    rows: usize,
    dim: usize,
}

impl Rows {
    pub(in crate::python) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let wrong = |what: &str| {
            PyTypeError::new_err(format!(
                "out must be a writable, C-contiguous float32 array of shape (rows, dim), {what}"
            ))
        };
        let buffer = PyBuffer::<f32>::get(object).map_err(|_| wrong("and it is no float32 array"))?;
        let native = if cfg!(target_endian = "big") { ">" } else { "<" };
        let format = buffer.format().to_string_lossy();
        if format.trim_start_matches(['@', '=']).trim_start_matches(native) != "f" {
            return Err(wrong("and its elements have another byte order"));
        }
        let &[rows, dim] = buffer.shape() else {
            return Err(wrong(&format!("and it has {} dimensions", buffer.dimensions())));
        };
        if buffer.readonly() {
            return Err(wrong("and it is read-only"));
        }
        if !buffer.is_c_contiguous() {
            return Err(wrong("and it is not contiguous"));
        }
        Ok(Self { buffer, rows, dim })
    }

    pub(in crate::python) fn rows(&self) -> usize {
        self.rows
    }

    pub(in crate::python) fn dim(&self) -> usize {
        self.dim
    }

    /// The addresses of the array.
    pub(in crate::python) fn place(&self) -> Range<usize> {
        addresses(&self.buffer)
    }

    /// Writes `rows` rows, which are in `bytes`, from row `first` on; those that the array does not have, or `bytes`, are left out.
    /// Needs no interpreter.
    pub(in crate::python) fn write_rows(&mut self, first: usize, rows: usize, bytes: &[u8]) {
        let row = self.dim * size_of::<f32>();
        let length = (self.rows.saturating_sub(first).min(rows) * row).min(bytes.len());
        if length == 0 {
            return;
        }
        // SAFETY: `new` saw that the buffer is writable and contiguous and has `rows` rows of `dim` float32, and its exporter
        // keeps it in place until it is released, which needs more than the borrow held here. The `length` bytes from row `first`
        // on are inside of it. `&mut self` keeps others of this module away; Python code that reads or writes an array while it is
        // being filled breaks the rules of the buffer protocol, as with NumPy's functions that release the GIL.
        let place = unsafe {
            let start = self.buffer.buf_ptr().cast::<u8>().add(first * row);
            std::slice::from_raw_parts_mut(start, length)
        };
        place.copy_from_slice(&bytes[..length]);
    }
}

/// The addresses of a buffer's bytes, if it is contiguous.
pub(in crate::python) fn addresses(buffer: &PyUntypedBuffer) -> Range<usize> {
    let start = buffer.buf_ptr() as usize;
    start..start + buffer.len_bytes()
}
