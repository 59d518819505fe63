//! Arrow data in memory: schema, record batch, table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyIterator, PyList, PyTuple};

use super::array::{self, Vectors};
use super::export::{array_capsules, import, schema_capsule, stream_capsule};
use crate::text::{count, grouped};

/// The columns' names and types.
#[pyclass(frozen, eq, module = "vecpack", name = "Schema")]
#[derive(PartialEq)]
pub(super) struct PySchema(pub(super) SchemaRef);

#[pymethods]
impl PySchema {
    /// The columns' names.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.0.fields().iter().map(|field| field.name().as_str()).collect()
    }

    fn __len__(&self) -> usize {
        self.0.fields().len()
    }

    fn __repr__(&self) -> String {
        let fields = self.0.fields().iter().map(|field| {
            format!(
                "{}: {}{}",
                field.name(),
                field.data_type(),
                if field.is_nullable() { "" } else { " not null" }
            )
        });
        format!("vecpack.Schema({})", fields.collect::<Vec<_>>().join(", "))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = py.import("vecpack._vecpack")?.getattr("_restore_schema")?;
        Ok((restore, (to_json(&*self.0)?,)))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.0)
    }
}

/// The other half of pickling a schema.
#[pyfunction(name = "_restore_schema")]
pub(super) fn restore_schema(state: &str) -> PyResult<PySchema> {
    from_json(state).map(|schema: Schema| PySchema(Arc::new(schema)))
}

pub(super) fn to_json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(state: &str) -> PyResult<T> {
    serde_json::from_str(state).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Rows in memory, one piece of it a column.
#[pyclass(frozen, module = "vecpack", name = "RecordBatch")]
pub(super) struct PyBatch(pub(super) RecordBatch);

#[pymethods]
impl PyBatch {
    /// The columns' names and types.
    #[getter]
    fn schema(&self) -> PySchema {
        PySchema(self.0.schema())
    }

    /// The number of rows.
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __repr__(&self) -> String {
        format!("vecpack.RecordBatch({})", count(self.0.num_rows() as u64, "row"))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.0.schema())
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        array_capsules(py, &self.0, requested_schema)
    }

    /// The vectors of a column, the first one if none is named, as a NumPy array of shape (rows, dim): a read-only view.
    #[pyo3(signature = (column=None))]
    fn to_numpy<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        array::to_numpy(py, Vectors::of_batches(py, &self.0.schema(), std::slice::from_ref(&self.0), column)?)
    }

    /// The same as a ``torch.Tensor`` over the same memory, which is not to be written to.
    #[pyo3(signature = (column=None))]
    fn to_torch<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        array::to_torch(py, Vectors::of_batches(py, &self.0.schema(), std::slice::from_ref(&self.0), column)?)
    }
}

/// Record batches of one schema, in memory.
#[pyclass(frozen, module = "vecpack", name = "Table")]
pub(super) struct PyTable {
    pub(super) schema: SchemaRef,
    pub(super) batches: Vec<RecordBatch>,
}

impl PyTable {
    pub(super) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

#[pymethods]
impl PyTable {
    /// The columns' names and types.
    #[getter]
    fn schema(&self) -> PySchema {
        PySchema(self.schema.clone())
    }

    /// The number of rows.
    #[getter]
    fn num_rows(&self) -> usize {
        self.rows()
    }

    /// The number of columns.
    #[getter]
    fn num_columns(&self) -> usize {
        self.schema.fields().len()
    }

    /// The record batches.
    #[getter]
    fn batches(&self) -> Vec<PyBatch> {
        self.batches.iter().cloned().map(PyBatch).collect()
    }

    fn __len__(&self) -> usize {
        self.rows()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.batches())?.try_iter()
    }

    fn __repr__(&self) -> String {
        format!(
            "vecpack.Table({} rows, {}, {})",
            grouped(self.rows() as u64),
            count(self.num_columns() as u64, "column"),
            count(self.batches.len() as u64, "batch").replace("batchs", "batches"),
        )
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.schema)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let mut batches = self.batches.clone().into_iter();
        stream_capsule(py, &self.schema, move || Ok(batches.next()), requested_schema)
    }

    /// As a ``pyarrow.Table``, without a copy.
    pub(super) fn to_pyarrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        import(slf.py(), "pyarrow", "to_pyarrow()")?.call_method1("table", (slf,))
    }

    /// As a ``polars.DataFrame``.
    pub(super) fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        import(slf.py(), "polars", "to_polars()")?.call_method1("DataFrame", (slf,))
    }

    /// As a ``pandas.DataFrame``; every vector is a NumPy array.
    pub(super) fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        import(slf.py(), "pandas", "to_pandas()")?;
        import(slf.py(), "pyarrow", "to_pandas()")?.call_method1("table", (slf,))?.call_method0("to_pandas")
    }

    /// The vectors of a column, the first one if none is named, as a NumPy array of shape (rows, dim): of one batch a read-only
    /// view, of several a copy.
    #[pyo3(signature = (column=None))]
    pub(super) fn to_numpy<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        array::to_numpy(py, Vectors::of_batches(py, &self.schema, &self.batches, column)?)
    }

    /// The same as a ``torch.Tensor``. Of one batch it is over the same memory, which is not to be written to.
    #[pyo3(signature = (column=None))]
    pub(super) fn to_torch<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        array::to_torch(py, Vectors::of_batches(py, &self.schema, &self.batches, column)?)
    }
}
