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
use super::{detached, html, log, warn};
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
/// A file is there when it is complete, and not before. Directories on the way to it are made.
///
/// Parameters
/// ----------
/// source : Source, inputs or Arrow data
///     A ``Source``, inputs as ``scan`` takes them, or anything with ``__arrow_c_stream__``. Read options go with inputs.
/// path : path
///     One file; or a directory that gets a file for each input, with the names and the subdirectories of the inputs. It is a
///     directory if it exists as one, ends in ``/`` or has no extension.
/// progress : bool or callable, optional
///     True shows a bar on the terminal, and in notebooks one of ``tqdm.auto`` where that is installed. A callable gets the bytes
///     done, the bytes in all (or None) and the rows.
#[doc = write_parameters!()]
#[doc = read_parameters!()]
/// Returns
/// -------
/// Report
///     What was read and written.
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
    let (total, files) = match &from {
        From::Source(source) => (detached(py, || source.size())?, source.inputs().len()),
        From::Reader(_) => (None, 0),
    };
    let rejects = match &from {
        From::Source(source) => Some({
            let source = source.clone();
            move || source.rejects()
        }),
        From::Reader(_) => None,
    };
    let follower = Follower::new(py, progress, total, files)?;
    let report = detached(py, || {
        let mut tell = |progress| follower.tell(progress);
        let watch = Watch { progress: Some(&mut tell), cancel };
        match from {
            From::Source(source) => crate::parquet::to_parquet(&source, &path, &write, watch),
            From::Reader(mut reader) => crate::parquet::write_parquet(&mut *reader, &path, &write, watch),
        }
    });
    follower.finish()?;
    let report = report?;
    log::info(py, &report.to_string().replace('\n', "; "))?;
    if let Some(rejects) = rejects {
        let rejects = rejects();
        log::rejected(py, &rejects)?;
        warn(py, rejects.warning(report.rows + report.rows_before))?;
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
    /// A bar of a notebook, which is called as a function is.
    Notebook(Py<PyAny>, Option<u64>),
    Function(Py<PyAny>, Option<u64>),
}

impl Follower {
    fn new(
        py: Python<'_>,
        progress: Option<Bound<'_, PyAny>>,
        total: Option<u64>,
        files: usize,
    ) -> PyResult<Self> {
        match progress {
            None => Ok(Self::Nobody),
            Some(function) if function.is_callable() => Ok(Self::Function(function.unbind(), total)),
            Some(flag) if flag.extract::<bool>()? => {
                let bar = py.import("vecpack._progress")?.call_method1("notebook_bar", (total,))?;
                match bar.is_none() {
                    true => Ok(Self::Bar(ProgressBar::new(total, files, false))),
                    false => Ok(Self::Notebook(bar.unbind(), total)),
                }
            }
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
            Self::Function(function, total) | Self::Notebook(function, total) => {
                let called = Python::try_attach(|py| {
                    function.call1(py, (progress.bytes, *total, progress.rows)).map(|_| ())
                });
                called.unwrap_or(Ok(())).map_err(|error| std::io::Error::other(error).into())
            }
        }
    }

    fn finish(self) -> PyResult<()> {
        match self {
            Self::Bar(bar) => bar.finish(),
            Self::Notebook(bar, _) => {
                Python::try_attach(|py| bar.call_method0(py, "close").map(drop)).unwrap_or(Ok(()))?;
            }
            Self::Nobody | Self::Function(..) => {}
        }
        Ok(())
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

    fn _repr_html_(&self) -> String {
        html::text(&self.0.to_string())
    }
}

#[doc = concat!("inspect(inputs, *, full=False", read_signature!(), ")\n--\n")]
/// Finds out what is in the inputs, and what a conversion with the same options makes of them.
///
/// Reads the first ``infer_records`` records of each input. Records that cannot become rows are counted under every policy.
///
/// Parameters
/// ----------
#[doc = inputs_parameter!()]
/// full : bool, default False
///     Read the inputs to their end.
#[doc = read_parameters!()]
/// Returns
/// -------
/// Inspection
///     Its text is a few lines for a person; the attributes have all of it.
#[pyfunction]
#[pyo3(signature = (inputs, *, full = false, **options), text_signature = None)]
pub(super) fn inspect(
    py: Python<'_>,
    inputs: &Bound<'_, PyAny>,
    full: bool,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyInspection> {
    let options = read_options("inspect", options)?;
    let inputs = self::inputs(inputs)?;
    let cancel = cancel(py)?;
    detached(py, || {
        let watch = Watch { progress: None, cancel };
        crate::inspect::inspect(inputs, options, full, watch)
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

    /// Bytes of the inputs; None where that is not known without reading.
    #[getter]
    fn size(&self) -> Option<u64> {
        self.0.size
    }

    /// Bytes read.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// True if the inputs were read to their end, and not only the first records of each.
    #[getter]
    fn complete(&self) -> bool {
        self.0.complete
    }

    /// Records read that are rows.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// How many rows there are in all, as far as the first records tell; None where that is not known.
    #[getter]
    fn rows_estimate(&self) -> Option<u64> {
        self.0.rows_estimate
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

    /// How many inputs have vectors of each length, as dictionaries: field, dim, files.
    #[getter]
    fn dims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.0.dims)
    }

    /// Fields of the records that fill no column, as dictionaries: field, files, why.
    #[getter]
    fn left_out<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.0.left_out)
    }

    /// Records read that are no rows.
    #[getter]
    fn rejects(&self) -> u64 {
        self.0.rejects
    }

    /// How many of each kind.
    #[getter]
    fn reject_kinds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.0.reject_kinds)
    }

    /// The first of them, in words.
    #[getter]
    fn first_rejects(&self) -> Vec<String> {
        self.0.first_rejects.clone()
    }

    /// The error that a conversion with the same options ends with; None if it does not fail.
    #[getter]
    fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// Each input, as a dictionary: file, size, rows, rejects, and what it holds where that differs from the others.
    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.0.inputs)
    }

    /// All of it as a dictionary.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_json(py, &self.0)
    }

    fn __repr__(&self) -> String {
        in_python(&self.0.to_string())
    }

    fn _repr_html_(&self) -> String {
        html::text(&in_python(&self.0.to_string()))
    }
}

/// Options as keywords: ``option `full` `` is `full=True`.
fn in_python(text: &str) -> String {
    text.replace("option `full`", "full=True")
}

fn from_json<'py>(py: Python<'py>, value: &impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value).map_err(std::io::Error::from)?;
    py.import("json")?.call_method1("loads", (text,))
}
