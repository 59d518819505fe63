//! Memory of other libraries: the buffers of Python objects, and streams of Arrow data; and work that the interpreter does
//! later. The only module with `unsafe`.
//!
//! Streams are read through the C interface itself: the readers of `arrow` and `pyo3-arrow` make arrays of the data before
//! anybody can put it in order.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ffi::from_ffi_and_data_type;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyBufferError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::PyCapsule;

use crate::foreign::batch_of;
use crate::pool::catch;

/// Gives `read` the bytes of an object with the buffer protocol. The object must be contiguous. Another thread may write to it
/// meanwhile where there is no GIL, so `read` may only copy and convert numbers, whose values decide nothing else.
pub(super) fn with_bytes<T>(
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
pub(super) struct Rows {
    buffer: PyBuffer<f32>,
    rows: usize,
    dim: usize,
}

impl Rows {
    pub(super) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
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

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// The addresses of the array.
    pub(super) fn place(&self) -> Range<usize> {
        addresses(&self.buffer)
    }

    /// Writes `rows` rows, which are in `bytes`, from row `first` on; those that the array does not have, or `bytes`, are left out.
    /// Needs no interpreter.
    pub(super) fn write_rows(&mut self, first: usize, rows: usize, bytes: &[u8]) {
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
pub(super) fn addresses(buffer: &PyUntypedBuffer) -> Range<usize> {
    let start = buffer.buf_ptr() as usize;
    start..start + buffer.len_bytes()
}

/// A stream of record batches. Needs no interpreter.
pub(super) struct Imported {
    stream: FFI_ArrowArrayStream,
    schema: SchemaRef,
}

impl Imported {
    /// The stream of an object with `__arrow_c_stream__`.
    pub(super) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let capsule = object.call_method0("__arrow_c_stream__")?.cast_into::<PyCapsule>()?;
        let place = capsule.pointer_checked(Some(c"arrow_array_stream"))?.cast::<FFI_ArrowArrayStream>();
        let mut stream = with_critical_section(capsule.as_any(), || {
            // SAFETY: a capsule of this name holds a stream, as the interface of capsules says, and keeps it in place while it is
            // borrowed here. The stream is moved out of it and marked as released, so it has one owner, who releases it when
            // dropped. The critical section keeps other threads that import the same capsule here away, where there is no GIL.
            unsafe { FFI_ArrowArrayStream::from_raw(place.as_ptr()) }
        });
        let schema = schema_of(&mut stream).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { stream, schema })
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let get_next = self.stream.get_next.ok_or_else(released)?;
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: the stream has not been released: then it would have no function. It is borrowed by nobody else, and `array` is
        // a place for what it gives.
        let code = unsafe { get_next(&mut self.stream, &mut array) };
        if code != 0 {
            return Err(failed(&mut self.stream, code));
        }
        if array.is_released() {
            return Ok(None);
        }
        // SAFETY: who made the stream promises arrays of the type that it told, as the interface demands. Their memory is held by
        // what is made of them.
        let data = unsafe { from_ffi_and_data_type(array, DataType::Struct(self.schema.fields().clone())) }?;
        batch_of(self.schema.clone(), &data).map(Some)
    }
}

impl Iterator for Imported {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

impl RecordBatchReader for Imported {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

fn schema_of(stream: &mut FFI_ArrowArrayStream) -> Result<SchemaRef, ArrowError> {
    let get_schema = stream.get_schema.ok_or_else(released)?;
    let mut schema = FFI_ArrowSchema::empty();
    // SAFETY: as for the batches.
    match unsafe { get_schema(stream, &mut schema) } {
        0 => Ok(Arc::new(Schema::try_from(&schema)?)),
        code => Err(failed(stream, code)),
    }
}

fn released() -> ArrowError {
    ArrowError::CDataInterface("the stream was read before".to_owned())
}

/// What the stream says of a call that failed.
fn failed(stream: &mut FFI_ArrowArrayStream, code: i32) -> ArrowError {
    let text = stream.get_last_error.map(|get_last_error| {
        // SAFETY: the stream has not been released, and a call of it has failed.
        unsafe { get_last_error(stream) }
    });
    let message = match text {
        Some(text) if !text.is_null() => {
            // SAFETY: a text that ends in a zero byte and stays until the next call of the stream.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        }
        _ => io::Error::from_raw_os_error(code).to_string(),
    };
    ArrowError::CDataInterface(message)
}

type Work = Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>;

/// Lets Python's main thread do `work` soon, between two of its instructions. A thread that gives batches to another library
/// must not wait for the interpreter: the library may hold it while it waits for that thread.
pub(super) fn do_soon(work: Work) {
    // SAFETY: this function only looks at a flag.
    if unsafe { pyo3::ffi::Py_IsInitialized() } == 0 {
        return;
    }
    let argument = Box::into_raw(Box::new(work)).cast();
    // SAFETY: any thread may call this function while there is an interpreter. `run_work` gets the argument that goes with it,
    // once at most.
    if unsafe { pyo3::ffi::Py_AddPendingCall(Some(run_work), argument) } != 0 {
        // SAFETY: the queue is full, so `run_work` does not get the box, which was made above.
        drop(unsafe { Box::<Work>::from_raw(argument.cast()) });
    }
}

/// Neither a panic nor an exception may reach the code that the interpreter runs at this moment.
extern "C" fn run_work(argument: *mut c_void) -> c_int {
    let done = catch(|| {
        // SAFETY: `do_soon` made the box and gave it away.
        let work = unsafe { Box::<Work>::from_raw(argument.cast()) };
        Python::attach(|py| work(py).unwrap_or_else(|error| error.write_unraisable(py, None)));
        Ok(())
    });
    drop(done);
    0
}
