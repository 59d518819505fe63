//! A run of several processes, for `vecpack.ray`.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::detached;
use super::inputs::PyPath;
use super::options::read_and_write_options;
use super::signals::cancel;
use super::source::PySource;
use super::table::from_json;
use crate::parquet::ClusterRun;
use crate::pool::lock;

/// A run into a directory whose files are made by other processes.
#[pyclass(frozen, module = "vecpack._vecpack", name = "_Run")]
pub(super) struct Run(Mutex<ClusterRun>);

#[pymethods]
impl Run {
    #[new]
    #[pyo3(signature = (source, path, **options))]
    fn new(
        py: Python<'_>,
        source: &Bound<'_, PySource>,
        path: PyPath,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let (_, _, write) = read_and_write_options("to_parquet", options)?;
        let (source, PyPath(path), cancel) = (source.get().0.clone(), path, cancel(py)?);
        let run = detached(py, || ClusterRun::begin(source, &path, &write, cancel))?;
        Ok(Self(Mutex::new(run)))
    }

    /// The numbers of the inputs that are left.
    #[getter]
    fn todo(&self) -> Vec<usize> {
        lock(&self.0).todo().to_vec()
    }

    /// The input with this number, as a source, and the file that it becomes.
    fn task(&self, py: Python<'_>, number: usize) -> PyResult<(PySource, OsString)> {
        let (part, target) = detached(py, || lock(&self.0).task(number))?;
        Ok((PySource(Arc::new(part)), target.into()))
    }

    /// Notes that the file of an input is complete.
    fn done(&self, py: Python<'_>, number: usize, rows: u64, bytes: u64, rejects: &str) -> PyResult<()> {
        let rejects = from_json(rejects)?;
        detached(py, || lock(&self.0).done(number, rows, bytes, rejects))
    }

    /// Notes that an input cannot be read.
    fn unreadable(&self, py: Python<'_>, number: usize, error: &str) -> PyResult<()> {
        detached(py, || lock(&self.0).unreadable(number, error))
    }

    /// Ends the run, complete or not.
    fn finish(&self, py: Python<'_>, complete: bool) -> PyResult<()> {
        detached(py, || lock(&self.0).finish(complete))
    }
}
