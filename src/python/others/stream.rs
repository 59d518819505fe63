//! Streams of Arrow data that other libraries hand over, through the C interface. Readers that are there, of `arrow` and `pyo3-arrow`,
//! make arrays of the data before anybody can put it in order.

use std::ffi::CStr;
use std::io;
use std::sync::Arc;

use arrow_array::ffi::from_ffi_and_data_type;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ArrowError;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Schema, SchemaRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::PyCapsule;

use crate::foreign::batch_of;

/// A stream of record batches. Needs no interpreter.
pub(in crate::python) struct Imported {
    stream: FFI_ArrowArrayStream,
    schema: SchemaRef,
}

impl Imported {
    /// The stream of an object with `__arrow_c_stream__`.
    pub(in crate::python) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
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
