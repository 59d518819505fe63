//! The Python extension: newtypes over the library. Every function extracts its arguments, detaches from the interpreter, calls,
//! and maps the error. The only room that says `pyo3`.

mod array;
mod errors;
mod export;
mod fill;
mod inputs;
mod items;
mod options;
mod others;
mod parquet;
mod signals;
mod source;
mod table;

use std::ffi::OsString;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use self::errors::to_python;
use self::inputs::inputs;
use self::options::read_options;

/// The native half of the package `vecpack`.
#[pymodule]
mod _vecpack {
    #[pymodule_export]
    use super::items::{Stream, from_iter, take_iter};
    #[pymodule_export]
    use super::parquet::{PyInspection, PyReport, inspect, to_parquet};
    #[pymodule_export]
    use super::source::{Batches, PySource, restore_source};
    #[pymodule_export]
    use super::table::{PyBatch, PySchema, PyTable, restore_schema};
    #[pymodule_export]
    use super::{read, run_command, scan};

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// Opens a source: files, globs, directories, ``-`` for standard input, bytes-like objects, binary file objects, or a list of these.
///
/// Reads only what it takes to find out what is in them.
#[pyfunction]
#[pyo3(
    signature = (inputs, **options),
    text_signature = "(inputs, *, vector=None, dim=None, dtype='float32', raw_dtype='<f4', framing='auto', columns=None, \
                      schema=None, infer_records=1000, on_error='raise', max_rejects=10000, fail_after=None, batch_rows=None, \
                      batch_bytes=2097152, threads=None, include_path=False, include_record=False, \
                      max_record_bytes=268435456, max_expansion=1000, max_depth=128)"
)]
fn scan(
    py: Python<'_>,
    inputs: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<source::PySource> {
    let options = read_options("scan", options)?;
    source::PySource::open(py, self::inputs(inputs)?, options)
}

/// Reads everything into memory.
#[pyfunction]
#[pyo3(
    signature = (inputs, **options),
    text_signature = "(inputs, *, vector=None, dim=None, dtype='float32', raw_dtype='<f4', framing='auto', columns=None, \
                      schema=None, infer_records=1000, on_error='raise', max_rejects=10000, fail_after=None, batch_rows=None, \
                      batch_bytes=2097152, threads=None, include_path=False, include_record=False, \
                      max_record_bytes=268435456, max_expansion=1000, max_depth=128)"
)]
fn read(
    py: Python<'_>,
    inputs: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<table::PyTable> {
    let options = read_options("read", options)?;
    source::PySource::open(py, self::inputs(inputs)?, options)?.read(py)
}

/// Runs the ``vecpack`` command; ``arguments`` begin with the name of the program. Returns the exit code.
#[pyfunction]
fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| crate::cli::run(arguments))
}

/// Runs `work` detached from the interpreter; an error, or a panic, becomes an exception.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> crate::Result<T> + Send) -> PyResult<T> {
    py.detach(|| crate::pool::catch(work)).map_err(to_python)
}
