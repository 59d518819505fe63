//! Vectors as a NumPy array.

use arrow::array::{Array, AsArray, FixedSizeListArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::errors::to_python;
use super::export::import;
use crate::error::Error;
use crate::vector::Slab;

/// Memory that NumPy looks at through `__array_interface__`, and keeps alive.
#[pyclass(frozen, module = "vecpack._vecpack", name = "_Vectors")]
struct Vectors {
    values: Buffer,
    rows: usize,
    dim: usize,
    type_text: &'static str,
    /// True where other libraries may look at the same memory.
    read_only: bool,
}

#[pymethods]
impl Vectors {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("shape", (self.rows, self.dim))?;
        interface.set_item("typestr", self.type_text)?;
        interface.set_item("data", (self.values.as_ptr() as usize, self.read_only))?;
        Ok(interface)
    }
}

/// The vector column of `batches` as an array of shape (rows, dim). Of one batch it is a view, of several a copy.
pub(super) fn to_numpy<'py>(
    py: Python<'py>,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> PyResult<Bound<'py, PyAny>> {
    let numpy = import(py, "numpy", "to_numpy()")?;
    let column =
        schema.fields().iter().position(|field| matches!(field.data_type(), DataType::FixedSizeList(..)));
    let Some((column, DataType::FixedSizeList(element, dim))) =
        column.map(|at| (at, schema.field(at).data_type()))
    else {
        return Err(PyValueError::new_err("there is no vector column"));
    };
    let type_text = match element.data_type() {
        DataType::Float32 => "<f4",
        DataType::Float64 => "<f8",
        DataType::Float16 => "<f2",
        DataType::Int8 => "|i1",
        DataType::UInt8 => "|u1",
        other => return Err(PyValueError::new_err(format!("vectors of {other} have no NumPy form"))),
    };
    let lists: Vec<&FixedSizeListArray> =
        batches.iter().filter_map(|batch| batch.column(column).as_fixed_size_list_opt()).collect();
    let nulls: usize = lists.iter().map(|list| list.null_count()).sum();
    if nulls > 0 {
        return Err(PyValueError::new_err(format!(
            "{nulls} vectors are null, which a NumPy array cannot hold"
        )));
    }
    let rows = lists.iter().map(|list| list.len()).sum();
    let (values, read_only) = match lists.as_slice() {
        [list] => (bytes_of(list), true),
        lists => (py.detach(|| concatenate(lists)).map_err(to_python)?, false),
    };
    let dim = usize::try_from(*dim).unwrap_or(0);
    let vectors = Bound::new(py, Vectors { values, rows, dim, type_text, read_only })?;
    numpy.call_method1("asarray", (vectors,))
}

/// The bytes of a column that is all of its values.
fn bytes_of(list: &FixedSizeListArray) -> Buffer {
    let data = list.values().to_data();
    let width = data.data_type().primitive_width().unwrap_or(1);
    data.buffers()
        .first()
        .map(|buffer| buffer.slice_with_length(data.offset() * width, data.len() * width))
        .unwrap_or_default()
}

fn concatenate(lists: &[&FixedSizeListArray]) -> Result<Buffer, Error> {
    let parts: Vec<Buffer> = lists.iter().map(|list| bytes_of(list)).collect();
    let length = parts.iter().map(Buffer::len).sum();
    let mut slab = Slab::with_capacity(length)?;
    let mut out = slab.as_mut_slice();
    for part in &parts {
        let (here, rest) = out.split_at_mut(part.len());
        here.copy_from_slice(part);
        out = rest;
    }
    Ok(slab.into_buffer(length))
}
