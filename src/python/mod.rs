//! The Python extension: newtypes over the library. Every function extracts its arguments, detaches from the interpreter, calls,
//! and maps the error. The only room that says `pyo3`.

/// The parameter of what gives vectors, for docstrings.
macro_rules! column_parameter {
    () => {
        concat!("\n", include_str!("docs/column.txt"))
    };
}

// First: its macros are for those behind it.
#[macro_use]
mod options;

mod array;
mod cluster;
mod errors;
mod export;
mod fill;
mod html;
mod inputs;
mod items;
mod log;
mod others;
mod parquet;
mod signals;
mod source;
mod table;

use std::ffi::OsString;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use self::inputs::inputs;
use self::options::read_options;
use crate::reject::Rejects;
use crate::text::printable;

/// The native half of the package `vecpack`. It runs without the GIL: docs/design/free-threading.md
/// has the reasons.
#[pymodule(gil_used = false)]
mod _vecpack {
    #[pymodule_export]
    use super::cluster::{Bar, Run};
    #[pymodule_export]
    use super::items::{Stream, from_iter, take_iter};
    #[pymodule_export]
    use super::parquet::{PyInspection, PyReport, inspect, to_parquet};
    #[pymodule_export]
    use super::source::{Batches, PySource, restore_source};
    #[pymodule_export]
    use super::table::{PyBatch, PyField, PySchema, PyTable, restore_schema};
    #[pymodule_export]
    use super::{read, run_command, scan};

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

#[doc = concat!("scan(inputs, *", read_signature!(), ")\n--\n")]
/// Opens a source: inputs, and the options to read them with.
///
/// Reads only what it takes to find out what the inputs hold.
///
/// Parameters
/// ----------
#[doc = concat!(include_str!("docs/inputs.txt"), include_str!("docs/read.txt"))]
/// Returns
/// -------
/// Source
///     Lazy: every scan reads the inputs anew.
///
/// Examples
/// --------
/// >>> source = vecpack.scan("vectors/*.msgpack")
/// >>> table = pyarrow.table(source)
#[pyfunction]
#[pyo3(signature = (inputs, **options), text_signature = None)]
fn scan(
    py: Python<'_>,
    inputs: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<source::PySource> {
    let options = read_options("scan", options)?;
    source::PySource::open(py, self::inputs(inputs)?, options)
}

#[doc = concat!("read(inputs, *", read_signature!(), ")\n--\n")]
/// Reads all inputs into memory.
///
/// Parameters
/// ----------
#[doc = concat!(include_str!("docs/inputs.txt"), include_str!("docs/read.txt"))]
/// Returns
/// -------
/// Table
///     The rows of all inputs, in their order.
#[pyfunction]
#[pyo3(signature = (inputs, **options), text_signature = None)]
fn read(
    py: Python<'_>,
    inputs: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<table::PyTable> {
    let options = read_options("read", options)?;
    let inputs = self::inputs(inputs)?;
    let _turn = source::turn(py, &inputs)?;
    let source = source::PySource::open(py, inputs, options)?;
    let table = source.read(py)?;
    log::rejected(py, source.0.of_rejects(Rejects::line))?;
    Ok(table)
}

/// Runs the ``vecpack`` command.
///
/// Parameters
/// ----------
/// arguments : list of str
///     The arguments. The first one is the name of the program.
///
/// Returns
/// -------
/// int
///     The exit code.
#[pyfunction]
fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| crate::cli::run_with(arguments, Some(&cluster::load)))
}

/// Warns whoever called the function that runs.
fn warn<T: AsRef<str>>(py: Python<'_>, warnings: impl IntoIterator<Item = T>) -> PyResult<()> {
    let category = py.get_type::<pyo3::exceptions::PyUserWarning>();
    warnings.into_iter().try_for_each(|warning| {
        let text = std::ffi::CString::new(printable(warning.as_ref())).unwrap_or_default();
        PyErr::warn(py, &category, &text, 1)
    })
}

/// Runs `work` detached from the interpreter; an error, or a panic, becomes an exception.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> crate::Result<T> + Send) -> PyResult<T> {
    Ok(py.detach(|| crate::pool::catch(work))?)
}
