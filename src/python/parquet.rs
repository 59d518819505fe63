//! `to_parquet` and `inspect`.

use std::ffi::OsStr;
use std::sync::Arc;

use arrow::array::RecordBatchReader;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::inputs::{PyPath, inputs};
use super::items::Stream;
use super::options::{read_and_write_options, read_options};
use super::others::Imported;
use super::signals::cancel;
use super::source::PySource;
use super::{detached, warn};
use crate::cli::ProgressBar;
use crate::error::Result;
use crate::inspect::Inspection;
use crate::parquet::Report;
use crate::reader::{Progress, Watch};
use crate::source::Source;

#[doc = concat!(
    "to_parquet(source, path, *, progress=None, compression='auto', encoding='auto', row_group_bytes=4194304, \
     max_file_bytes=None, list_type=None, coerce_timestamps=None, allow_truncated_timestamps=False, \
     metadata=None, rejects=None, overwrite=False, resume=False, sync=True",
    read_signature!(),
    ")\n--\n"
)]
/// Converts to Parquet.
///
/// ``source`` is a ``Source``, inputs as ``scan`` takes them (read options may follow), or anything with
/// ``__arrow_c_stream__``. ``path`` is one file, or a directory that gets a file for each input, or, with ``max_file_bytes``,
/// files of about that size: the latter if it is a directory, ends in ``/`` or has no extension. With ``resume`` a run into
/// a directory does what an earlier one has left to do. ``progress`` is true for a bar on the terminal, or is called with
/// (bytes done, bytes in total or None, rows). ``rejects`` is a file for what was rejected, ``.jsonl`` or ``.parquet``; with
/// ``resume``, for what this run rejected, and not what earlier ones did.
#[pyfunction]
#[pyo3(signature = (source, path, *, progress = None, **options), text_signature = None)]
pub(super) fn to_parquet(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    path: PyPath,
    progress: Option<Bound<'_, PyAny>>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyReport> {
    let PyPath(path) = path;
    let (read, any_read, write) = read_and_write_options("to_parquet", options)?;
    let cancel = cancel(py)?;
    let from = From::new(py, source, read, any_read)?;
    let total = match &from {
        From::Source(source) => detached(py, || source.size())?,
        From::Reader(_) => None,
    };
    let source_read = match &from {
        From::Source(source) => Some(source.clone()),
        From::Reader(_) => None,
    };
    let follower = Follower::new(progress, total)?;
    let report = detached(py, || {
        let mut tell = |progress| follower.tell(progress);
        let watch = Watch { progress: Some(&mut tell), cancel };
        match from {
            From::Source(source) => crate::parquet::to_parquet(&source, &path, &write, watch),
            From::Reader(mut reader) => crate::parquet::write_parquet(&mut *reader, &path, &write, watch),
        }
    });
    follower.finish();
    let report = report?;
    if report.rows + report.rows_before == 0 {
        warn(py, source_read.and_then(|source| source.rejects().warning(0)))?;
    }
    Ok(PyReport(report))
}

/// What is converted.
enum From {
    Source(Arc<Source>),
    Reader(Box<dyn RecordBatchReader + Send>),
}

impl From {
    fn new(
        py: Python<'_>,
        source: &Bound<'_, PyAny>,
        read: crate::ReadOptions,
        any_read: bool,
    ) -> PyResult<Self> {
        let options_without_inputs = || {
            PyTypeError::new_err("read options go with inputs; pass them to scan() or from_iter() instead")
        };
        if let Ok(source) = source.cast::<PySource>() {
            if any_read {
                return Err(options_without_inputs());
            }
            return Ok(Self::Source(source.get().0.clone()));
        }
        // Strings and files are inputs, whatever else they may be.
        let is_stream = !source.is_instance_of::<PyString>() && source.hasattr("__arrow_c_stream__")?;
        if is_stream && any_read {
            return Err(options_without_inputs());
        }
        if let Ok(stream) = source.cast::<Stream>() {
            let (schema, next) = stream.get().reader(py)?;
            return Ok(Self::Reader(Box::new(Batches { schema, next })));
        }
        if is_stream {
            return Ok(Self::Reader(Box::new(Imported::new(source)?)));
        }
        PySource::open(py, inputs(source)?, read).map(|source| Self::Source(source.0))
    }
}

/// A function that gives batches, as a reader.
struct Batches<F> {
    schema: SchemaRef,
    next: F,
}

impl<F: FnMut() -> Result<Option<arrow::array::RecordBatch>>> Iterator for Batches<F> {
    type Item = std::result::Result<arrow::array::RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.next)().map_err(ArrowError::from).transpose()
    }
}

impl<F: FnMut() -> Result<Option<arrow::array::RecordBatch>>> RecordBatchReader for Batches<F> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// Who is told how far the conversion is.
enum Follower {
    Nobody,
    Bar(ProgressBar),
    Function(Py<PyAny>, Option<u64>),
}

impl Follower {
    fn new(progress: Option<Bound<'_, PyAny>>, total: Option<u64>) -> PyResult<Self> {
        match progress {
            None => Ok(Self::Nobody),
            Some(function) if function.is_callable() => Ok(Self::Function(function.unbind(), total)),
            Some(flag) if flag.extract::<bool>()? => Ok(Self::Bar(ProgressBar::new(total, false))),
            Some(_) => Ok(Self::Nobody),
        }
    }

    fn tell(&self, progress: Progress) -> Result<()> {
        match self {
            Self::Nobody => Ok(()),
            Self::Bar(bar) => {
                bar.update(progress);
                Ok(())
            }
            Self::Function(function, total) => {
                let called = Python::try_attach(|py| {
                    function.call1(py, (progress.bytes, *total, progress.rows)).map(|_| ())
                });
                called.unwrap_or(Ok(())).map_err(|error| std::io::Error::other(error).into())
            }
        }
    }

    fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish();
        }
    }
}

/// What a conversion did.
#[pyclass(frozen, module = "vecpack", name = "Report")]
pub(super) struct PyReport(Report);

#[pymethods]
impl PyReport {
    /// Rows written.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Records that became no row, or a null.
    #[getter]
    fn rejects(&self) -> u64 {
        self.0.rejects
    }

    /// How many of each kind.
    #[getter]
    fn reject_kinds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let kinds = PyDict::new(py);
        self.0.reject_kinds.iter().try_for_each(|(kind, count)| kinds.set_item(kind, count))?;
        Ok(kinds)
    }

    /// How many rejects kept their details.
    #[getter]
    fn rejects_listed(&self) -> u64 {
        self.0.rejects_listed
    }

    /// The file that has the details, if one was asked for.
    #[getter]
    fn rejects_file(&self) -> Option<&OsStr> {
        self.0.rejects_file.as_ref().map(|path| path.as_os_str())
    }

    /// Inputs read.
    #[getter]
    fn files(&self) -> u64 {
        self.0.files
    }

    /// Bytes read.
    #[getter]
    fn bytes_in(&self) -> u64 {
        self.0.bytes_in
    }

    /// Bytes written.
    #[getter]
    fn bytes_out(&self) -> u64 {
        self.0.bytes_out
    }

    /// Wall time in seconds.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.seconds
    }

    /// Row groups written.
    #[getter]
    fn row_groups(&self) -> u64 {
        self.0.row_groups
    }

    /// Inputs that an earlier run had done, which this one left as they were.
    #[getter]
    fn files_before(&self) -> u64 {
        self.0.files_before
    }

    /// Rows of those inputs.
    #[getter]
    fn rows_before(&self) -> u64 {
        self.0.rows_before
    }

    /// Rejects of those inputs.
    #[getter]
    fn rejects_before(&self) -> u64 {
        self.0.rejects_before
    }

    /// The files written.
    #[getter]
    fn outputs(&self) -> Vec<&OsStr> {
        self.0.outputs.iter().map(|path| path.as_os_str()).collect()
    }

    /// How vector columns are encoded: name, encoding and compression.
    #[getter]
    fn encodings(&self) -> Vec<(&str, &str, &str)> {
        let encodings = self.0.encodings.iter();
        encodings.map(|each| (&*each.column, each.encoding, each.compression)).collect()
    }

    /// All of it as a dictionary.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let report = from_json(py, &self.0)?;
        report.set_item("outputs", self.outputs())?;
        report.set_item("rejects_file", self.rejects_file())?;
        Ok(report)
    }

    fn __repr__(&self) -> String {
        self.0.to_string()
    }
}

#[doc = concat!("inspect(inputs, *", read_signature!(), ")\n--\n")]
/// Tells what is in the inputs: framing, layout, columns, dimensions, types, counts and rejects.
#[pyfunction]
#[pyo3(signature = (inputs, **options), text_signature = None)]
pub(super) fn inspect(
    py: Python<'_>,
    inputs: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyInspection> {
    let options = read_options("inspect", options)?;
    let inputs = self::inputs(inputs)?;
    let cancel = cancel(py)?;
    detached(py, || {
        let watch = Watch { progress: None, cancel };
        crate::inspect::inspect(inputs, options, watch)
    })
    .map(PyInspection)
}

/// What `inspect` found.
#[pyclass(frozen, module = "vecpack", name = "Inspection")]
pub(super) struct PyInspection(Inspection);

#[pymethods]
impl PyInspection {
    /// Inputs read.
    #[getter]
    fn files(&self) -> u64 {
        self.0.files
    }

    /// Bytes read.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Records that are rows.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// How records lie in the inputs.
    #[getter]
    fn framing(&self) -> &str {
        self.0.framing
    }

    /// How the framing was found out.
    #[getter]
    fn framing_from(&self) -> &str {
        &self.0.framing_from
    }

    /// What a record is: ``vector``, ``positional`` or ``map``.
    #[getter]
    fn layout(&self) -> &str {
        self.0.layout
    }

    /// How the layout was found out.
    #[getter]
    fn layout_from(&self) -> &str {
        &self.0.layout_from
    }

    /// The columns, each a dictionary: name, type, nulls, null_share, and of vectors dim, dtype, stored, norms, nan, infinite.
    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.0.columns)
    }

    /// What looks wrong, what is left out and why: a sentence each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.0.notes.clone()
    }

    /// Records that are no rows.
    #[getter]
    fn rejects(&self) -> u64 {
        self.0.rejects
    }

    /// All of it as a dictionary.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.0)
    }

    fn __repr__(&self) -> String {
        self.0.to_string()
    }
}

fn from_json<'py>(py: Python<'py>, value: &impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value).map_err(std::io::Error::from)?;
    py.import("json")?.call_method1("loads", (text,))
}
