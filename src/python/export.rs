//! Arrow data leaves for other libraries: capsules of the Arrow C Data Interface, and the adapters over them.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::ArrowError;
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};

use crate::error::Error;
use crate::pool::catch;

/// What `__arrow_c_stream__` returns. `batches` runs on whatever thread the consumer uses.
pub(super) fn stream_capsule<'py>(
    py: Python<'py>,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'static,
    requested_schema: Option<Bound<'py, PyCapsule>>,
) -> PyResult<Bound<'py, PyCapsule>> {
    // `None` after the end, and after an error.
    let mut batches = Some(batches);
    let arrays = std::iter::from_fn(move || {
        // A panic that reached C would end the process.
        let next = catch(|| Ok(batches.as_mut().and_then(Iterator::next).transpose()?));
        if !matches!(next, Ok(Some(_))) {
            batches = None;
        }
        let array = |batch| Arc::new(StructArray::from(batch)) as ArrayRef;
        next.map(|batch| batch.map(array)).map_err(as_arrow_error).transpose()
    });
    let arrays = ArrayIterator::new(arrays, struct_field(schema));
    Ok(to_stream_pycapsule(py, Box::new(arrays), requested_schema)?)
}

/// Record batches cross the C interface as arrays of structs.
pub(super) fn struct_field(schema: &Schema) -> FieldRef {
    Arc::new(Field::new_struct("", schema.fields().clone(), false).with_metadata(schema.metadata().clone()))
}

/// The error as text: the interface carries nothing else. [`Error`]'s text has no NUL, which would end the process.
fn as_arrow_error(error: Error) -> ArrowError {
    let text = error.to_string();
    match error.into_kind() {
        crate::ErrorKind::Io { source, .. } => {
            ArrowError::IoError(text, std::io::Error::new(source.kind(), ""))
        }
        _ => ArrowError::InvalidArgumentError(text),
    }
}

/// Imports the library that an adapter hands data to.
pub(super) fn import<'py>(py: Python<'py>, module: &str, adapter: &str) -> PyResult<Bound<'py, PyModule>> {
    py.import(module).map_err(|error| {
        if !error.is_instance_of::<PyImportError>(py) {
            return error;
        }
        let missing =
            PyImportError::new_err(format!("{adapter} needs the package `{module}`: pip install {module}"));
        missing.set_cause(py, Some(error));
        missing
    })
}
