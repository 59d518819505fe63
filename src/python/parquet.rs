//! `to_parquet` and `inspect`.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatchReader;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::inputs::{inputs, local_path};
use super::items::Stream;
use super::options::{read_and_write_options, read_options};
use super::others::Imported;
use super::signals::cancel;
use super::source::PySource;
use super::table::to_objects;
use super::{detached, html, log, warn};
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
///     directory if it exists as one, ends in ``/`` or has no extension. Arrow data become one file, unless ``max_file_bytes`` is given.
/// progress : bool or callable, optional
///     True shows a bar on the terminal, and in notebooks one of ``tqdm.auto`` where that is installed. A callable gets the bytes
///     done, the bytes in all (or None) and the rows.
#[doc = concat!(include_str!("docs/write.txt"), include_str!("docs/read.txt"))]
/// Returns
/// -------
/// Report
///     What was read and written.
#[pyfunction]
#[pyo3(signature = (source, path, *, progress = None, **options), text_signature = None)]
pub(super) fn to_parquet(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    #[pyo3(from_py_with = local_path)] path: PathBuf,
    progress: Option<&Bound<'_, PyAny>>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyReport> {
    let (read, any_read, write) = read_and_write_options("to_parquet", options)?;
    let cancel = cancel(py)?;
    let from = From::new(py, source, read, any_read)?;
    let scanned = if let From::Source(source) = &from { Some(source.clone()) } else { None };
    let (total, files) = match &scanned {
        Some(source) => (detached(py, || source.size())?, source.inputs().len()),
        None => (None, 0),
    };
    let shown = shown(progress, total, files)?;
    let show = shown.as_ref().map(|shown| shown.call_method0("__enter__")).transpose()?.map(Bound::unbind);
    let report = detached(py, || {
        let mut tell = |Progress { bytes, rows, files }| {
            let Some(show) = &show else { return Ok(()) };
            let tell = |py: Python<'_>| show.call1(py, (bytes, rows, files)).map(drop);
            Ok(Python::try_attach(tell).unwrap_or(Ok(())).map_err(io::Error::other)?)
        };
        let watch = Watch { progress: Some(&mut tell), cancel };
        match from {
            From::Source(source) => crate::parquet::to_parquet(&source, &path, &write, watch),
            From::Reader(mut reader) => crate::parquet::write_parquet(&mut *reader, &path, &write, watch),
        }
    });
    let closed = shown.map(|shown| shown.call_method1("__exit__", (py.None(), py.None(), py.None())));
    let report = report?;
    closed.transpose()?;
    log::info(py, &report.to_string().replace('\n', "; "))?;
    if let Some(source) = scanned {
        let rows = report.rows + report.rows_before;
        let (line, warning) = source.of_rejects(|rejects| (rejects.line(), rejects.warning(rows)));
        log::rejected(py, line)?;
        warn(py, warning)?;
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
        // Strings and files are inputs, whatever else they may be.
        if source.is_instance_of::<PyString>() || !source.hasattr("__arrow_c_stream__")? {
            return PySource::open(py, inputs(source)?, read).map(|source| Self::Source(source.0));
        }
        if any_read {
            let text = "read options go with inputs; pass them to scan() or from_iter() instead";
            return Err(PyTypeError::new_err(text));
        }
        if let Ok(source) = source.cast::<PySource>() {
            return Ok(Self::Source(source.get().0.clone()));
        }
        match source.cast::<Stream>() {
            Ok(stream) => Ok(Self::Reader(stream.get().take(py)?)),
            Err(_) => Ok(Self::Reader(Box::new(Imported::new(source)?))),
        }
    }
}

/// The manager of `vecpack._load` that shows the progress, where the caller wants to see it.
fn shown<'py>(
    progress: Option<&Bound<'py, PyAny>>,
    total: Option<u64>,
    files: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(progress) = progress else { return Ok(None) };
    let wrong = |_| PyTypeError::new_err("progress: expected True, False or a function");
    if !progress.is_callable() && !progress.extract::<bool>().map_err(wrong)? {
        return Ok(None);
    }
    let load = progress.py().import("vecpack._load")?;
    load.call_method1("show_progress", (progress, total, files)).map(Some)
}

/// A class of figures of the library: an attribute for each, and all of them as a dictionary and as text. The dictionary is that of
/// the command's `--json`, except for the attributes that are taken as they are.
macro_rules! figures {
    (
        #[doc = $class_doc:tt]
        class $class:ident($core:ty) as $python:tt, with ($($exact:ident),*) as they are;
        |$it:ident, $py:ident|
        $(#[doc = $doc:tt] $name:ident: $type:ty = $value:expr;)*
    ) => {
        #[doc = $class_doc]
        #[pyclass(frozen, module = "vecpack", name = $python)]
        pub(super) struct $class($core);

        #[pymethods]
        impl $class {
            $(
                #[doc = $doc]
                #[getter]
                fn $name<'py>(&self, $py: Python<'py>) -> PyResult<$type> {
                    let ($it, _) = (&self.0, $py);
                    Ok($value)
                }
            )*

            /// All of it as a dictionary.
            fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                let figures = to_objects(py, &self.0)?;
                $(figures.set_item(stringify!($exact), self.$exact(py)?)?;)*
                Ok(figures)
            }

            /// Options as keywords: ``option `full` `` is `full=True`.
            fn __repr__(&self) -> String {
                self.0.to_string().replace("option `full`", "full=True")
            }

            fn _repr_html_(&self) -> String {
                html::text(&self.__repr__())
            }
        }
    };
}

figures! {
    /// What a conversion did.
    class PyReport(Report) as "Report", with (outputs, rejects_file) as they are;
    |it, py|
    /// Rows written.
    rows: u64 = it.rows;
    /// Records that became no row, or a null.
    rejects: u64 = it.rejects;
    /// How many rejects of each kind.
    reject_kinds: Bound<'py, PyAny> = to_objects(py, &it.reject_kinds)?;
    /// How many rejects kept their details.
    rejects_listed: u64 = it.rejects_listed;
    /// The file that has the details, if one was asked for.
    rejects_file: Option<&OsStr> = it.rejects_file.as_ref().map(|path| path.as_os_str());
    /// Inputs read.
    files: u64 = it.files;
    /// Bytes read.
    bytes_in: u64 = it.bytes_in;
    /// Bytes written.
    bytes_out: u64 = it.bytes_out;
    /// Wall time in seconds.
    seconds: f64 = it.seconds;
    /// Row groups written.
    row_groups: u64 = it.row_groups;
    /// Inputs that an earlier run had done, which this one left as they were.
    files_before: u64 = it.files_before;
    /// Rows of the inputs that an earlier run had done.
    rows_before: u64 = it.rows_before;
    /// Rejects of the inputs that an earlier run had done.
    rejects_before: u64 = it.rejects_before;
    /// The files written.
    outputs: Vec<&OsStr> = it.outputs.iter().map(|path| path.as_os_str()).collect();
    /// How vector columns are encoded: name, encoding and compression.
    encodings: Vec<(&str, &str, &str)> = it.encodings.iter().map(|each| (&*each.column, each.encoding, each.compression)).collect();
}

#[doc = concat!("inspect(inputs, *, full=False", read_signature!(), ")\n--\n")]
/// Finds out what is in the inputs, and what a conversion with the same options makes of them.
///
/// Reads the first ``infer_records`` records of each input. Records that cannot become rows are counted under every policy.
///
/// Parameters
/// ----------
#[doc = concat!(
    include_str!("docs/inputs.txt"),
    "full : bool, default False\n    Read the inputs to their end.\n",
    include_str!("docs/read.txt")
)]
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

figures! {
    /// What `inspect` found.
    class PyInspection(Inspection) as "Inspection", with () as they are;
    |it, py|
    /// Inputs read.
    files: u64 = it.files;
    /// Bytes of the inputs; None where that is not known without reading.
    size: Option<u64> = it.size;
    /// Bytes read.
    bytes: u64 = it.bytes;
    /// True if the inputs were read to their end, and not only the first records of each.
    complete: bool = it.complete;
    /// Records read that are rows.
    rows: u64 = it.rows;
    /// How many rows there are in all, as far as the first records tell; None where that is not known.
    rows_estimate: Option<u64> = it.rows_estimate;
    /// How records lie in the inputs.
    framing: &str = it.framing;
    /// How the framing was found out.
    framing_from: &str = &it.framing_from;
    /// What a record is: ``vector``, ``positional`` or ``map``.
    layout: &str = it.layout;
    /// How the layout was found out.
    layout_from: &str = &it.layout_from;
    /// The columns, each a dictionary: name, type, nulls, null_share, and of vectors dim, dtype, stored, norms, nan, infinite.
    columns: Bound<'py, PyAny> = to_objects(py, &it.columns)?;
    /// What looks wrong, what is left out and why: a sentence each.
    notes: Vec<String> = it.notes.clone();
    /// How many inputs have vectors of each length, as dictionaries: field, dim, files.
    dims: Bound<'py, PyAny> = to_objects(py, &it.dims)?;
    /// Fields of the records that fill no column, as dictionaries: field, files, why.
    left_out: Bound<'py, PyAny> = to_objects(py, &it.left_out)?;
    /// Records read that are no rows.
    rejects: u64 = it.rejects;
    /// How many rejects of each kind.
    reject_kinds: Bound<'py, PyAny> = to_objects(py, &it.reject_kinds)?;
    /// The first rejects, in words.
    first_rejects: Vec<String> = it.first_rejects.clone();
    /// The error that a conversion with the same options ends with; None if it does not fail.
    error: Option<&str> = it.error.as_deref();
    /// Each input, as a dictionary: file, size, rows, rejects, and what it holds where that differs from the others.
    inputs: Bound<'py, PyAny> = to_objects(py, &it.inputs)?;
}
