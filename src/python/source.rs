//! `vecpack.Source`: lazy, can be scanned again, counted, split and pickled.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyTuple};
use pyo3_arrow::ffi::to_schema_pycapsule;

use super::array::{Gathered, VectorColumn, Vectors, as_array, to_numpy, to_torch};
use super::errors::is_interrupt;
use super::export::{import, stream_capsule};
use super::options::{column_names, fields, number, renames, row_count};
use super::others::do_soon;
use super::signals::cancel;
use super::table::{PyBatch, PySchema, PyTable, from_json, to_json};
use super::{detached, html, log, options, warn};
use crate::error::{Error, ErrorKind};
use crate::input::{Input, Span};
use crate::options::ReadOptions;
use crate::pool::{OwnerProcess, Turn, lock, lock_soon};
use crate::reader::Reader;
use crate::reject::Rejects;
use crate::source::Source;
use crate::text::count;

/// Paths or buffers plus read options. Lazy: every scan reads the inputs anew.
#[pyclass(frozen, module = "vecpack", name = "Source")]
pub(super) struct PySource(pub(super) Arc<Source>);

/// Waits until it is the caller's turn to read these inputs into memory. No turn is taken for
/// streams and servers, which keep a caller waiting.
pub(super) fn turn(py: Python<'_>, inputs: &[Input]) -> PyResult<Option<Turn>> {
    if !inputs.iter().all(Input::is_local) {
        return Ok(None);
    }
    let cancel = cancel(py)?;
    detached(py, || Turn::wait(&cancel)).map(Some)
}

impl From<Source> for PySource {
    fn from(source: Source) -> Self {
        Self(Arc::new(source))
    }
}

impl PySource {
    pub(super) fn open(py: Python<'_>, inputs: Vec<Input>, options: ReadOptions) -> PyResult<Self> {
        let source = detached(py, || Source::new(inputs, options))?;
        warn(py, source.warnings())?;
        Ok(source.into())
    }

    fn reader(&self, py: Python<'_>) -> PyResult<Reader> {
        Ok(detached(py, || self.0.reader())?.with_cancel(cancel(py)?))
    }

    /// All batches. The caller has its [`turn`].
    pub(super) fn read(&self, py: Python<'_>) -> PyResult<PyTable> {
        let mut reader = self.reader(py)?;
        let batches = detached(py, || Ok(reader.by_ref().collect::<Result<_, _>>()?))?;
        warn(py, reader.warning())?;
        Ok(PyTable { schema: self.0.schema(), batches })
    }

    fn read_bound<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTable>> {
        let _turn = turn(py, self.0.inputs())?;
        Bound::new(py, self.read(py)?)
    }

    /// The vectors of a column, in memory that nobody else looks at. No other column is kept.
    fn vectors(&self, py: Python<'_>, column: Option<&str>) -> PyResult<Vectors> {
        let column = VectorColumn::find(&self.0.schema(), column)?;
        let source = Self::from(self.0.select([&column.name])?);
        let _turn = turn(py, self.0.inputs())?;
        let mut reader = source.reader(py)?;
        let gathered = detached(py, || {
            let total = source.0.size()?;
            let mut gathered = Gathered::default();
            while let Some(batch) = reader.next_batch()? {
                gathered.add(batch.column(0), reader.progress(), total)?;
            }
            Ok(gathered)
        })?;
        warn(py, reader.warning())?;
        py.detach(|| gathered.finish(&column))
    }
}

#[pymethods]
impl PySource {
    /// The columns' names and types.
    #[getter]
    fn schema(&self) -> PySchema {
        PySchema(self.0.schema())
    }

    /// The names of the inputs, in the order of their rows.
    #[getter]
    fn files(&self) -> Vec<&str> {
        self.0.inputs().iter().map(|input| &**input.name()).collect()
    }

    /// The read options, with the dimension that was found.
    #[getter]
    fn options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        options::to_dict(py, self.0.options())
    }

    /// The columns' names, each with the field that fills it: ``{"embedding": "meta.embedding", "id": "id"}``.
    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        fields(py, self.0.columns())
    }

    /// Elements a vector, in the first vector column; ``None`` if there is none.
    #[getter]
    fn dim(&self) -> Option<usize> {
        self.0.dim()
    }

    /// How records lie in the inputs: ``sequence``, ``array``, ``map``, ``columns`` or ``length-prefixed``.
    #[getter]
    fn framing(&self) -> &'static str {
        self.0.framing().as_str()
    }

    /// What the latest scan rejected so far, as a table.
    #[getter]
    fn rejects(&self) -> PyTable {
        PyTable { schema: Rejects::schema(), batches: vec![self.0.of_rejects(Rejects::to_record_batch)] }
    }

    /// How many records the latest scan rejected so far; exact, also where `rejects` no longer has the details.
    #[getter]
    fn reject_count(&self) -> u64 {
        self.0.reject_count()
    }

    /// The number of rows. Costs a scan.
    fn count_rows(&self, py: Python<'_>) -> PyResult<u64> {
        let mut reader = self.reader(py)?;
        detached(py, || {
            while reader.next_batch()?.is_some() {}
            Ok(reader.progress().rows)
        })
    }

    /// How many bytes a scan reads; ``None`` if that cannot be known without reading.
    fn size(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        detached(py, || self.0.size())
    }

    /// The first rows, in memory.
    ///
    /// Parameters
    /// ----------
    /// rows : int, default 5
    ///     How many.
    #[pyo3(signature = (rows=5))]
    fn head(&self, py: Python<'_>, #[pyo3(from_py_with = row_count)] rows: u64) -> PyResult<PyTable> {
        let limit = self.0.options().limit.map_or(rows, |limit| limit.min(rows));
        // One thread opens no file before it needs it.
        let mut options = self.0.options().clone().with_limit(limit).with_threads(1);
        options.batch_rows = usize::try_from(limit.max(1)).ok().or(options.batch_rows);
        Self::from(self.0.rebuilt(options)?).read(py)
    }

    /// The vectors of the first vector column, for ``numpy.asarray``. Reads everything.
    ///
    #[doc = include_str!("docs/array.txt")]
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__(slf: &Bound<'_, Self>, dtype: Option<Py<PyAny>>, copy: Option<bool>) -> PyResult<Py<PyAny>> {
        as_array(slf, dtype, copy)
    }

    fn _repr_html_(&self) -> String {
        let fields = self.0.columns().iter().map(|column| column.field.clone());
        html::columns(&self.__repr__(), &self.0.schema(), "field", fields)
    }

    /// The same rows with some of the columns, in this order.
    ///
    /// Nothing is found out anew, and fields that no column needs are skipped, unless ``on_error`` is ``skip`` or ``null``,
    /// which check every value.
    ///
    /// Parameters
    /// ----------
    /// columns : list of str
    ///     The names of the columns.
    fn select(&self, columns: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(self.0.select(column_names(columns, "")?)?.into())
    }

    /// The same rows with other names for some of the columns.
    ///
    /// Nothing is found out anew, and rejects keep the paths that fields have in the input.
    ///
    /// Parameters
    /// ----------
    /// names : dict
    ///     Old names and new names.
    fn rename(&self, names: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(self.0.rename(renames("rename", names)?)?.into())
    }

    /// The same rows in batches of other sizes, decoded by another number of threads, or only the first of them.
    ///
    /// Parameters
    /// ----------
    /// batch_rows : int, optional
    ///     The most rows in a batch.
    /// batch_bytes : int, optional
    ///     About the most bytes in a batch, which has one row at least.
    /// threads : int, optional
    ///     How many threads decode.
    /// limit : int, optional
    ///     The most rows to read, which are the first ones.
    #[pyo3(signature = (*, batch_rows=None, batch_bytes=None, threads=None, limit=None))]
    fn with_options(
        &self,
        batch_rows: Option<usize>,
        batch_bytes: Option<usize>,
        threads: Option<usize>,
        limit: Option<u64>,
    ) -> PyResult<Self> {
        let mut options = self.0.options().clone();
        options.batch_rows = batch_rows.or(options.batch_rows);
        options.batch_bytes = batch_bytes.unwrap_or(options.batch_bytes);
        options.threads = threads.or(options.threads);
        options.limit = limit.or(options.limit);
        Ok(self.0.rebuilt(options)?.into())
    }

    /// Sources that together are this one, in its order. Some may be empty.
    ///
    /// Parameters
    /// ----------
    /// parts : int
    ///     How many.
    fn split(&self, py: Python<'_>, parts: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> {
        let parts = number("parts", parts)?;
        Ok(detached(py, || self.0.split(parts))?.into_iter().map(Self::from).collect())
    }

    /// Sources of about so many bytes, each with the number of parts into which to split it.
    fn _tasks(&self, py: Python<'_>, bytes: u64) -> PyResult<Vec<(Self, usize)>> {
        let tasks = detached(py, || self.0.tasks(bytes))?;
        Ok(tasks.into_iter().map(|(part, parts)| (part.into(), parts)).collect())
    }

    /// A source for each input, in their order.
    fn split_inputs(&self) -> PyResult<Vec<Self>> {
        Ok(self.0.split_inputs()?.into_iter().map(Self::from).collect())
    }

    /// What the latest scan rejected, for another process.
    fn _rejects(&self) -> PyResult<String> {
        to_json(&self.0.rejects())
    }

    /// How many records the latest scan rejected, the first of them in words, and a warning if it gave no rows.
    fn _first_rejects(&self, rows: u64) -> (u64, Vec<String>, Option<String>) {
        self.0.of_rejects(|rejects| rejects.told(rows))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Batches> {
        let reader = self.reader(py)?;
        Ok(Batches { owner: reader.owner(), reader: Mutex::new(reader) })
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, &*self.0.schema())?)
    }

    /// A new scan, for any library that takes Arrow streams.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let interrupted = |error| {
            let error = Error::from(error);
            if !is_interrupt(&error) {
                return error.into();
            }
            // The consumer will raise an exception of its own. Python gets the signal once more, to raise the right one.
            let again = |py: Python<'_>| py.import("_thread")?.call_method0("interrupt_main").map(drop);
            Python::try_attach(again);
            Error::from(ErrorKind::Interrupted).into()
        };
        let mut reader = self.reader(py)?;
        let batches = std::iter::from_fn(move || {
            let next = reader.next();
            if next.is_none()
                && let Some(warning) = reader.warning()
            {
                do_soon(Box::new(move |py| warn(py, [warning])));
            }
            next.map(|batch| batch.map_err(interrupted))
        });
        stream_capsule(py, &self.0.schema(), batches, requested_schema)
    }

    /// Reads everything into a ``pyarrow.Table``, without a copy.
    fn to_pyarrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        PyTable::to_pyarrow(&self.read_bound(py)?)
    }

    /// Reads everything into a ``polars.DataFrame``.
    ///
    /// Parameters
    /// ----------
    /// lazy : bool, default False
    ///     True for a ``polars.LazyFrame``, which reads what a query needs when it is collected.
    #[pyo3(signature = (*, lazy=false))]
    fn to_polars<'py>(slf: &Bound<'py, Self>, lazy: bool) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if !lazy {
            return PyTable::to_polars(&slf.get().read_bound(py)?);
        }
        import(py, "polars", "to_polars()")?;
        py.import("vecpack._polars")?.call_method1("scan", (slf,))
    }

    /// Reads everything into a ``pandas.DataFrame``; every vector is a NumPy array.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        PyTable::to_pandas(&self.read_bound(py)?)
    }

    /// Reads the vectors of a column, the first one if none is named, into a NumPy array of shape (rows, dim).
    #[doc = column_parameter!()]
    #[pyo3(signature = (column=None))]
    fn to_numpy<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        import(py, "numpy", "to_numpy()")?;
        to_numpy(py, self.vectors(py, column)?)
    }

    /// Reads the vectors of a column, the first one if none is named, into a ``torch.Tensor`` of shape (rows, dim).
    #[doc = column_parameter!()]
    #[pyo3(signature = (column=None))]
    fn to_torch<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        import(py, "torch", "to_torch()")?;
        to_torch(py, self.vectors(py, column)?)
    }

    fn __repr__(&self) -> String {
        let inputs = count(self.0.inputs().len() as u64, "input");
        match self.0.dim() {
            Some(dim) => format!("vecpack.Source({inputs}, vectors of {dim} {})", self.0.options().dtype),
            None => format!("vecpack.Source({inputs}, no vectors)"),
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let restore = py.import("vecpack._vecpack")?.getattr("_restore_source")?;
        let inputs = self.0.inputs().iter().map(|input| pickled(py, input)).collect::<PyResult<Vec<_>>>()?;
        let read_as = to_json(&(self.0.options(), &self.0.findings, self.0.columns()))?;
        Ok((restore, (inputs, read_as).into_pyobject(py)?))
    }
}

/// An input as pickle takes it: a path, a URL or bytes, and the span.
fn pickled<'py>(py: Python<'py>, input: &Input) -> PyResult<Bound<'py, PyTuple>> {
    let what = match (input.as_path(), input.as_bytes(), input.as_url()) {
        (Some(path), ..) => path.as_os_str().into_pyobject(py)?.into_any(),
        (_, Some(bytes), _) => PyBytes::new(py, bytes).into_any(),
        (.., Some(url)) => PyTuple::new(py, [url])?.into_any(),
        _ => {
            let text = format!("a source that reads {} cannot be pickled", input.name());
            return Err(PyTypeError::new_err(text));
        }
    };
    let span = input.span().map(|span| (span.start, span.end, span.record, span.inside));
    (what, span, input.stem().map(PathBuf::into_os_string), input.number).into_pyobject(py)
}

/// A path or bytes; start, end and first record of the span, and whether it lies inside of an array or map; the place in a
/// directory of outputs; the number among the inputs.
type Pickled<'py> = (Bound<'py, PyAny>, Option<(u64, u64, u64, bool)>, Option<PathBuf>, u64);

/// The other half of pickling.
#[pyfunction(name = "_restore_source")]
pub(super) fn restore_source(py: Python<'_>, inputs: Vec<Pickled<'_>>, read_as: &str) -> PyResult<PySource> {
    let cancel = cancel(py)?;
    let inputs = inputs.into_iter().map(|(what, span, stem, number)| {
        let mut input = match what.cast::<PyBytes>() {
            Ok(bytes) => Input::bytes("<bytes>", Bytes::from_owner(PyBackedBytes::from(bytes.clone()))),
            Err(_) => match what.extract::<(String,)>() {
                Ok((url,)) => Input::url(&url)?,
                Err(_) => Input::path(what.extract::<PathBuf>()?),
            }
            .with_cancel(cancel.clone()),
        };
        if let Some(stem) = stem {
            input = input.with_stem(&stem);
        }
        if let Some((start, end, record, inside)) = span {
            input = input.with_span(Span { start, end, record, inside });
        }
        Ok(input.with_number(number))
    });
    let (options, findings, columns) = from_json(read_as)?;
    let restored = Source::with_findings(inputs.collect::<PyResult<_>>()?, options, findings)?;
    Ok(restored.with_outputs(restored.options().clone(), columns)?.into())
}

/// A scan under way: an iterator of record batches.
#[pyclass(frozen, module = "vecpack._vecpack", name = "_Batches")]
pub(super) struct Batches {
    reader: Mutex<Reader>,
    owner: Arc<OwnerProcess>,
}

#[pymethods]
impl Batches {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PyBatch>> {
        let next: Option<RecordBatch> = detached(py, || self.next_batch())?;
        if next.is_none() && self.owner.is_current() {
            let reader = lock(&self.reader);
            let (line, warning) = (reader.of_rejects(Rejects::line), reader.warning());
            drop(reader);
            log::rejected(py, line)?;
            warn(py, warning)?;
        }
        Ok(next.map(PyBatch))
    }
}

impl Batches {
    fn next_batch(&self) -> crate::Result<Option<RecordBatch>> {
        // Begun before the lock is held: a child that is forked in between must not take it for one of its own.
        if self.owner.claim() {
            return lock(&self.reader).next_batch();
        }
        // A thread of the other process may have held the lock when this one was forked.
        let reader = lock_soon(&self.reader).ok_or(ErrorKind::OtherProcess);
        reader?.next_batch()
    }
}
