//! Arrow data in memory: schema, record batch, table.

use std::sync::Arc;

use arrow_array::{RecordBatch, StructArray};
use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use pyo3::exceptions::{PyIndexError, PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyInt, PyIterator, PyList, PySlice, PyString, PyTuple};
use pyo3_arrow::ffi::{to_array_pycapsules, to_schema_pycapsule};

use super::array::{self, Vectors};
use super::export::{import, stream_capsule, struct_field};
use super::html;
use super::options::row_count;
use crate::error::Error;
use crate::inspect::type_name;
use crate::record::vector_type;
use crate::text::count;

/// A column's name and type.
#[pyclass(frozen, eq, module = "vecpack", name = "Field")]
#[derive(PartialEq)]
pub(super) struct PyField(FieldRef);

#[pymethods]
impl PyField {
    /// The name.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// The Arrow type, as text.
    #[getter]
    fn r#type(&self) -> String {
        type_name(self.0.data_type())
    }

    /// True if there may be nulls.
    #[getter]
    fn nullable(&self) -> bool {
        self.0.is_nullable()
    }

    /// Elements a vector, of a vector column; None of another one.
    #[getter]
    fn dim(&self) -> Option<usize> {
        vector_type(self.0.data_type()).map(|(dim, _)| dim)
    }

    fn __repr__(&self) -> String {
        format!("vecpack.Field({})", name_and_type(&self.0))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, &*self.0)?)
    }
}

fn name_and_type(field: &Field) -> String {
    let nullable = if field.is_nullable() { "" } else { " not null" };
    format!("{}: {}{nullable}", field.name(), type_name(field.data_type()))
}

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

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let fields: Vec<PyField> = self.0.fields().iter().cloned().map(PyField).collect();
        PyList::new(py, fields)?.try_iter()
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<&str>().is_ok_and(|name| self.0.index_of(name).is_ok())
    }

    fn __getitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<PyField> {
        self.field(key)
    }

    /// The field of a column.
    ///
    /// Parameters
    /// ----------
    /// key : str or int
    ///     The name or the position of the column.
    fn field(&self, key: &Bound<'_, PyAny>) -> PyResult<PyField> {
        let fields = self.0.fields();
        let found = match key.extract::<isize>() {
            Ok(position) => {
                let from_end = if position < 0 { fields.len() } else { 0 };
                from_end.checked_add_signed(position).and_then(|at| fields.get(at))
            }
            Err(_) => {
                fields.iter().find(|field| key.extract::<&str>().is_ok_and(|name| name == field.name()))
            }
        };
        found.cloned().map(PyField).ok_or_else(|| match key.is_instance_of::<PyInt>() {
            true => PyIndexError::new_err(format!("there is no column {key}; there are {}", fields.len())),
            false => PyKeyError::new_err(key.clone().unbind()),
        })
    }

    fn _repr_html_(&self) -> String {
        let nullable = self.0.fields().iter().map(|field| field.is_nullable().to_string());
        html::columns("vecpack.Schema", &self.0, "nullable", nullable)
    }

    fn __repr__(&self) -> String {
        let fields: Vec<String> = self.0.fields().iter().map(|field| name_and_type(field)).collect();
        format!("vecpack.Schema({})", fields.join(", "))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = py.import("vecpack._vecpack")?.getattr("_restore_schema")?;
        Ok((restore, (to_json(&*self.0)?,)))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, &*self.0)?)
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

/// The value as dictionaries, lists, strings and numbers of Python.
pub(super) fn to_objects<'py>(py: Python<'py>, value: &impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (to_json(value)?,))
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

    fn _repr_html_(&self) -> PyResult<String> {
        html::first_rows(&self.__repr__(), &self.0.schema(), std::slice::from_ref(&self.0))
    }

    /// The vectors of the first vector column, for ``numpy.asarray``.
    ///
    #[doc = include_str!("docs/array.txt")]
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__(slf: &Bound<'_, Self>, dtype: Option<Py<PyAny>>, copy: Option<bool>) -> PyResult<Py<PyAny>> {
        array::as_array(slf, dtype, copy)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, &*self.0.schema())?)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let array = StructArray::from(self.0.clone());
        Ok(to_array_pycapsules(py, struct_field(&self.0.schema()), &array, requested_schema)?)
    }

    /// The vectors of a column, the first one if none is named, as a NumPy array of shape (rows, dim): a read-only view.
    #[doc = column_parameter!()]
    #[pyo3(signature = (column=None))]
    fn to_numpy<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        array::to_numpy(py, Vectors::of_batches(py, &self.0.schema(), std::slice::from_ref(&self.0), column)?)
    }

    /// The same as a ``torch.Tensor`` over the same memory, which is not to be written to.
    #[doc = column_parameter!()]
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
    /// The rows from `start` up to `end`, where they lie.
    fn slice(&self, start: usize, end: usize) -> Self {
        let mut batches = Vec::new();
        let mut before = 0;
        for batch in &self.batches {
            let behind = before + batch.num_rows();
            let (first, last) = (start.clamp(before, behind), end.clamp(before, behind));
            if first < last {
                batches.push(batch.slice(first - before, last - first));
            }
            before = behind;
        }
        Self { schema: self.schema.clone(), batches }
    }

    fn select(&self, names: &[String]) -> PyResult<Self> {
        let index = |name: &String| self.schema.index_of(name).map_err(|_| PyKeyError::new_err(name.clone()));
        let columns: Vec<usize> = names.iter().map(index).collect::<PyResult<_>>()?;
        let project = |batch: &RecordBatch| batch.project(&columns).map_err(Error::from);
        let schema = self.schema.project(&columns).map_err(Error::from)?;
        Ok(Self {
            schema: schema.into(),
            batches: self.batches.iter().map(project).collect::<Result<_, _>>()?,
        })
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
        self.batches.iter().map(RecordBatch::num_rows).sum()
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
        self.num_rows()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.batches())?.try_iter()
    }

    /// Some of the rows, as ``table[10:20]``, or some of the columns, as ``table["id"]`` and ``table[["id", "vector"]]``. Nothing
    /// is copied.
    fn __getitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(slice) = key.cast::<PySlice>() {
            let indices = slice.indices(isize::try_from(self.num_rows()).unwrap_or(isize::MAX))?;
            if indices.step != 1 {
                return Err(PyValueError::new_err("a slice of a table has no step"));
            }
            let start = indices.start.unsigned_abs();
            return Ok(self.slice(start, indices.stop.unsigned_abs().max(start)));
        }
        if let Ok(name) = key.cast::<PyString>() {
            return self.select(&[name.extract()?]);
        }
        let names = key.extract::<Vec<String>>();
        let names = names.map_err(|_| {
            PyTypeError::new_err(
                "a table takes a slice of its rows, the name of a column, or a list of names",
            )
        })?;
        self.select(&names)
    }

    /// The first rows.
    ///
    /// Parameters
    /// ----------
    /// rows : int, default 5
    ///     How many.
    #[pyo3(signature = (rows=5))]
    fn head(&self, #[pyo3(from_py_with = row_count)] rows: usize) -> Self {
        self.slice(0, rows)
    }

    /// The vectors of the first vector column, for ``numpy.asarray``.
    ///
    #[doc = include_str!("docs/array.txt")]
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__(slf: &Bound<'_, Self>, dtype: Option<Py<PyAny>>, copy: Option<bool>) -> PyResult<Py<PyAny>> {
        if copy == Some(false) && slf.get().batches.len() > 1 {
            return Err(PyValueError::new_err("the vectors lie in several batches: they must be copied"));
        }
        array::as_array(slf, dtype, copy)
    }

    fn _repr_html_(&self) -> PyResult<String> {
        html::first_rows(&self.__repr__(), &self.schema, &self.batches)
    }

    fn __repr__(&self) -> String {
        format!(
            "vecpack.Table({}, {}, {})",
            count(self.num_rows() as u64, "row"),
            count(self.num_columns() as u64, "column"),
            count(self.batches.len() as u64, "batch").replace("batchs", "batches"),
        )
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, &*self.schema)?)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        stream_capsule(py, &self.schema, self.batches.clone().into_iter().map(Ok), requested_schema)
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
    #[doc = column_parameter!()]
    #[pyo3(signature = (column=None))]
    pub(super) fn to_numpy<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        array::to_numpy(py, Vectors::of_batches(py, &self.schema, &self.batches, column)?)
    }

    /// The same as a ``torch.Tensor``. Of one batch it is over the same memory, which is not to be written to.
    #[doc = column_parameter!()]
    #[pyo3(signature = (column=None))]
    pub(super) fn to_torch<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        array::to_torch(py, Vectors::of_batches(py, &self.schema, &self.batches, column)?)
    }
}
