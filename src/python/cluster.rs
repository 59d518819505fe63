//! A run of several processes, or into a database, for the adapters that are written in Python.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;

use super::detached;
use super::inputs::local_path;
use super::options::read_and_write_options;
use super::signals::cancel;
use super::source::PySource;
use super::table::{from_json, to_json};
use crate::cli::{Loaded, ProgressBar};
use crate::parquet::ClusterRun;
use crate::pool::lock;
use crate::reader::Progress;
use crate::source::Source;

/// A run into a directory whose files are made by other processes.
// Its methods are those of `ClusterRun`, where they are described.
#[pyclass(frozen, module = "vecpack._vecpack", name = "_Run")]
pub(super) struct Run(Mutex<ClusterRun>);

#[pymethods]
impl Run {
    #[new]
    #[pyo3(signature = (source, path, **options))]
    fn new(
        py: Python<'_>,
        source: &Bound<'_, PySource>,
        #[pyo3(from_py_with = local_path)] path: PathBuf,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let (_, _, write) = read_and_write_options("to_parquet", options)?;
        let (source, cancel) = (source.get().0.clone(), cancel(py)?);
        let run = detached(py, || ClusterRun::begin(source, &path, None, &write, true, &cancel))?;
        Ok(Self(Mutex::new(run)))
    }

    #[staticmethod]
    #[pyo3(signature = (source, path, database, commits, *, cluster=false, **options))]
    fn load(
        py: Python<'_>,
        source: &Bound<'_, PySource>,
        #[pyo3(from_py_with = local_path)] path: PathBuf,
        database: &str,
        commits: Option<Vec<String>>,
        cluster: bool,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let (_, _, write) = read_and_write_options(&format!("to_{database}"), options)?;
        let (source, cancel) = (source.get().0.clone(), cancel(py)?);
        let database = Some((database, commits.as_deref()));
        let begin = || ClusterRun::begin(source, &path, database, &write, cluster, &cancel);
        Ok(Self(Mutex::new(detached(py, begin)?)))
    }

    #[pyo3(signature = (bytes=None))]
    fn groups(&self, py: Python<'_>, bytes: Option<u64>) -> Vec<Vec<usize>> {
        py.detach(|| lock(&self.0).groups(bytes))
    }

    fn group(&self, py: Python<'_>, group: usize, numbers: Vec<usize>) -> PyResult<(PySource, OsString)> {
        let (part, target) = detached(py, || lock(&self.0).group(group, &numbers))?;
        Ok((part.into(), target.into()))
    }

    fn loaded(
        &self,
        py: Python<'_>,
        numbers: Vec<usize>,
        rows: u64,
        files: Vec<(String, u64, u64)>,
        fragments: &str,
        rejects: &str,
    ) -> PyResult<()> {
        let (fragments, rejects) = (from_json(fragments)?, from_json(rejects)?);
        detached(py, || lock(&self.0).loaded(&numbers, rows, files, Some(fragments), rejects))
    }

    fn pending(&self) -> PyResult<(String, bool)> {
        let run = lock(&self.0);
        let (fragments, has_more) = run.pending();
        Ok((to_json(&fragments)?, has_more))
    }

    fn committed(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || lock(&self.0).committed())
    }

    #[getter]
    fn rows_before(&self) -> u64 {
        lock(&self.0).rows_before()
    }

    fn _first_rejects(&self, rows: u64) -> (u64, Vec<String>, Option<String>) {
        lock(&self.0).rejects.told(rows)
    }

    fn judge(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || lock(&self.0).judge())
    }

    fn done(
        &self,
        py: Python<'_>,
        group: usize,
        numbers: Vec<usize>,
        rows: u64,
        bytes: u64,
        rejects: &str,
    ) -> PyResult<()> {
        let rejects = from_json(rejects)?;
        detached(py, || lock(&self.0).done(group, &numbers, rows, bytes, rejects))
    }

    fn unreadable(&self, py: Python<'_>, number: usize, error: &str) -> PyResult<()> {
        detached(py, || lock(&self.0).unreadable(number, error))
    }

    fn finish(&self, py: Python<'_>, complete: bool) -> PyResult<()> {
        detached(py, || lock(&self.0).finish(complete))
    }
}

/// How far Python code is, where standard error is a terminal; lines elsewhere with `force`.
#[pyclass(frozen, module = "vecpack._vecpack", name = "_Bar")]
pub(super) struct Bar(ProgressBar);

#[pymethods]
impl Bar {
    #[new]
    fn new(total: Option<u64>, files: usize, force: bool) -> Self {
        Self(ProgressBar::new(total, files, force))
    }

    /// Shows how far the work is.
    fn __call__(&self, py: Python<'_>, bytes: u64, _total: Option<u64>, rows: u64, files: u64) {
        py.detach(|| self.0.update(Progress { bytes, rows, files }));
    }

    /// Ends the bar.
    fn close(&self) {
        self.0.finish();
    }
}

/// A database is written by its own library, which Python has.
pub(super) fn load(function: &str, source: &Arc<Source>, out: &Path, keywords: &Value) -> Loaded {
    let called = Python::attach(|py| {
        let arguments = (function, PySource(source.clone()), out.as_os_str(), keywords.to_string());
        py.import("vecpack._load")?.call_method1("run", arguments)?.extract()
    });
    let (code, text, warnings) = called.map_err(|error: PyErr| (1, error.to_string()))?;
    if code == 0 { Ok((text, warnings)) } else { Err((code, text)) }
}
