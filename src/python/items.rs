//! Vectors from the user's own Python iterator.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyByteArray, PyBytes, PyCapsule, PyDict, PyIterator, PyMemoryView, PyString};
use pyo3_arrow::ffi::to_schema_pycapsule;

use super::export::stream_capsule;
use super::fill::fill;
use super::options::{raw_dtypes, some_read_options};
use super::others::{Rows, addresses, with_bytes};
use super::table::{PyBatch, PySchema, PyTable};
use crate::error::Error;
use crate::item::BatchBuilder;
use crate::options::ReadOptions;
use crate::pool::{OwnerProcess, lock};
use crate::record::VECTOR;
use crate::vector::{RawDtype, RawDtypes};

/// Makes record batches of vectors in memory.
///
/// Parameters
/// ----------
/// iterable : iterable of arrays or bytes
///     One-dimensional arrays with the buffer protocol (NumPy's, the standard library's), whose own element type counts; or bytes,
///     bytearrays and memoryviews of bytes, which are read as ``raw_dtype``. A NumPy array of shape (rows, dim) is one as well.
/// dim : int, optional
///     Elements a vector. By default those of the first item.
/// dtype : str or NumPy type, default 'float32'
///     Element type of the vector column: ``float32``, ``float64``, ``float16``, ``int8`` or ``uint8``.
/// raw_dtype : str or NumPy type, default '<f4'
///     How to read items that are bytes, in NumPy's notation.
/// batch_rows : int, optional
///     The most rows in a batch. By default as many as ``batch_bytes`` allows.
/// batch_bytes : int, default 2097152
///     About the most bytes in a batch, which has one row at least.
///
/// Returns
/// -------
/// Stream
///     Record batches with a column ``vector``. It can be read once.
#[pyfunction]
#[pyo3(
    signature = (iterable, **options),
    text_signature = "(iterable, *, dim=None, dtype='float32', raw_dtype='<f4', batch_rows=None, batch_bytes=2097152)"
)]
pub(super) fn from_iter(
    iterable: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Stream> {
    if iterable.is_instance_of::<PyString>()
        || iterable.is_instance_of::<PyBytes>()
        || iterable.hasattr("__fspath__")?
    {
        return Err(PyTypeError::new_err(
            "from_iter() takes an iterable of vectors; scan() reads files and MessagePack bytes",
        ));
    }
    let known = ["dim", "dtype", "raw_dtype", "batch_rows", "batch_bytes"];
    let options = some_read_options("from_iter", options, |name| known.contains(&name))?;
    let items =
        Items { iterator: iterable.try_iter()?.unbind(), raw: options.raw_dtype.of(VECTOR), count: 0 };
    let state = match options.dim {
        Some(dim) => State::Open(Batcher::new(items, dim, &options)?),
        None => State::Unread(items, Box::new(options)),
    };
    Ok(Stream { state: Mutex::new(state), schema: OnceLock::new() })
}

/// Fills an array with vectors in memory.
///
/// Rows are there when it returns or raises: another thread copies them while the iterator goes on.
///
/// Parameters
/// ----------
/// iterable : iterable of arrays or bytes
///     Vectors as ``from_iter`` takes them. More of them than rows are an error.
/// out : array
///     A writable float32 array of shape (rows, dim).
/// raw_dtype : str or NumPy type, default '<f4'
///     How to read items that are bytes, in NumPy's notation.
///
/// Returns
/// -------
/// int
///     How many rows were filled.
#[pyfunction]
#[pyo3(signature = (iterable, out, *, raw_dtype = None), text_signature = "(iterable, out, *, raw_dtype='<f4')")]
pub(super) fn take_iter(
    py: Python<'_>,
    iterable: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
    raw_dtype: Option<&Bound<'_, PyAny>>,
) -> PyResult<usize> {
    let out = Rows::new(out)?;
    let raw = raw_dtype.map_or_else(|| Ok(RawDtypes::default()), |value| raw_dtypes("raw_dtype", value))?;
    let iterator = iterable.try_iter()?.unbind();
    fill(py, &mut Items { iterator, raw: raw.of(VECTOR), count: 0 }, out)
}

/// Items of a Python iterator.
pub(super) struct Items {
    iterator: Py<PyIterator>,
    /// How untyped bytes are read.
    raw: RawDtype,
    count: u64,
}

/// An item: something that has bytes.
pub(super) enum Item<'py> {
    Bytes(Bound<'py, PyBytes>, RawDtype),
    Buffer(PyUntypedBuffer, RawDtype),
}

impl Items {
    pub(super) fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Item<'py>>> {
        // An iterator in C never comes back to where Python looks for Ctrl-C.
        if self.count.is_multiple_of(1024) {
            py.check_signals()?;
        }
        let Some(item) = self.iterator.bind(py).clone().next() else { return Ok(None) };
        let number = self.count;
        self.count += 1;
        Item::new(item?, self.raw, number).map(Some)
    }
}

impl<'py> Item<'py> {
    fn new(object: Bound<'py, PyAny>, untyped: RawDtype, number: u64) -> PyResult<Self> {
        let object = match object.cast_into::<PyBytes>() {
            Ok(bytes) => return Ok(Self::Bytes(bytes, untyped)),
            Err(error) => error.into_inner(),
        };
        let Ok(buffer) = PyUntypedBuffer::get(&object) else {
            let name = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "item {number} is of type {name}: expected bytes or a one-dimensional array"
            )));
        };
        let raw = element_type(&object, &buffer, untyped).ok_or_else(|| {
            let format = buffer.format().to_string_lossy();
            PyTypeError::new_err(format!(
                "item {number} is an array of `{format}`, which is no number that vectors are made of"
            ))
        })?;
        if buffer.dimensions() != 1 {
            let dimensions = buffer.dimensions();
            return Err(PyTypeError::new_err(format!(
                "item {number} has {dimensions} dimensions: expected one"
            )));
        }
        if buffer.is_c_contiguous() {
            return Ok(Self::Buffer(buffer, raw));
        }
        let copy = PyMemoryView::from(&object)?.call_method0("tobytes")?;
        Ok(Self::Bytes(copy.cast_into()?, raw))
    }

    /// True where some of its bytes are at these addresses.
    pub(super) fn is_within(&self, place: &Range<usize>) -> bool {
        match self {
            // They never change, and so are never part of what is written to.
            Self::Bytes(..) => false,
            Self::Buffer(buffer, _) => {
                let bytes = addresses(buffer);
                bytes.start < place.end && place.start < bytes.end
            }
        }
    }

    /// Gives `read` the item's bytes and how to read them.
    pub(super) fn with<T>(&self, py: Python<'_>, read: impl FnOnce(RawDtype, &[u8]) -> T) -> PyResult<T> {
        match self {
            Self::Bytes(bytes, raw) => Ok(read(*raw, bytes.as_bytes())),
            Self::Buffer(buffer, raw) => with_bytes(py, buffer, |bytes| read(*raw, bytes)),
        }
    }
}

/// The element type that a buffer declares, in the notation of the module `struct`. Memory that is only called bytes is untyped.
fn element_type(object: &Bound<'_, PyAny>, buffer: &PyUntypedBuffer, untyped: RawDtype) -> Option<RawDtype> {
    let format = buffer.format().to_str().ok()?;
    let (big_endian, code) = match format.split_at_checked(1)? {
        (">" | "!", code) => (true, code),
        ("<", code) => (false, code),
        ("@" | "=", code) => (cfg!(target_endian = "big"), code),
        _ => (cfg!(target_endian = "big"), format),
    };
    if matches!(code, "B" | "c")
        && (object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>())
    {
        return Some(untyped);
    }
    let kind = match code {
        "e" | "f" | "d" => "f",
        "b" | "h" | "i" | "l" | "q" | "n" => "i",
        "B" | "H" | "I" | "L" | "Q" | "N" => "u",
        _ => return None,
    };
    let order = if big_endian { ">" } else { "<" };
    format!("{order}{kind}{}", buffer.item_size()).parse().ok()
}

/// Puts items into batches. As an iterator it attaches to the interpreter for every batch.
pub(super) struct Batcher {
    items: Items,
    builder: BatchBuilder,
    ended: bool,
}

impl Batcher {
    fn new(items: Items, dim: u32, options: &ReadOptions) -> PyResult<Box<Self>> {
        Ok(Box::new(Self { items, builder: BatchBuilder::new(dim, options)?, ended: false }))
    }

    fn push(&mut self, py: Python<'_>, item: &Item<'_>) -> PyResult<()> {
        Ok(item.with(py, |raw, bytes| self.builder.push(raw, bytes))??)
    }

    /// The next batch; the iterable's own exception comes through as it is.
    fn next_batch(&mut self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        while !self.ended && !self.builder.is_full() {
            let item = self.items.next(py).inspect_err(|_| self.ended = true)?;
            match item {
                Some(item) => self.push(py, &item).inspect_err(|_| self.ended = true)?,
                None => self.ended = true,
            }
        }
        Ok(self.builder.flush()?)
    }
}

impl Iterator for Batcher {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = Python::try_attach(|py| self.next_batch(py)).unwrap_or(Ok(None));
        next.map_err(|error| std::io::Error::other(error).into()).transpose()
    }
}

impl RecordBatchReader for Batcher {
    fn schema(&self) -> SchemaRef {
        self.builder.schema()
    }
}

/// Record batches made of a Python iterable. Can be read once.
#[pyclass(frozen, module = "vecpack", name = "Stream")]
pub(super) struct Stream {
    state: Mutex<State>,
    /// Once it is known.
    schema: OnceLock<SchemaRef>,
}

enum State {
    /// The dimension is that of the first item, which has not been asked for.
    Unread(Items, Box<ReadOptions>),
    Open(Box<Batcher>),
    /// Somebody reads it, or has read it.
    Taken,
}

impl Stream {
    /// Takes the batches out, and reads the first item if nothing else tells the dimension.
    pub(super) fn take(&self, py: Python<'_>) -> PyResult<Box<Batcher>> {
        let state = std::mem::replace(&mut *lock(&self.state), State::Taken);
        let batcher = match state {
            State::Open(batcher) => batcher,
            State::Unread(mut items, options) => {
                let first = items.next(py)?.ok_or_else(|| {
                    Error::schema("the iterable is empty, so the dimension is not known: pass option `dim`")
                })?;
                let dim = first.with(py, |raw, bytes| bytes.len() / raw.size())?;
                let dim = u32::try_from(dim).ok().filter(|&dim| dim > 0).ok_or_else(|| {
                    Error::schema(
                        "item 0 holds no whole element: pass option `dim`, or check option `raw_dtype`",
                    )
                })?;
                let mut batcher = Batcher::new(items, dim, &options)?;
                batcher.push(py, &first)?;
                batcher
            }
            State::Taken => {
                let message = "this stream is being read, or has been; it can be read only once";
                return Err(PyValueError::new_err(message));
            }
        };
        self.schema.get_or_init(|| batcher.schema());
        Ok(batcher)
    }

    /// The schema, for which the first item may have to be read.
    fn peek(&self, py: Python<'_>) -> PyResult<SchemaRef> {
        if let Some(schema) = self.schema.get() {
            return Ok(schema.clone());
        }
        let batcher = self.take(py)?;
        let schema = batcher.schema();
        *lock(&self.state) = State::Open(batcher);
        Ok(schema)
    }

    /// Everything, in memory.
    pub(super) fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTable>> {
        let mut batcher = self.take(py)?;
        let mut batches = Vec::new();
        while let Some(batch) = batcher.next_batch(py)? {
            batches.push(batch);
        }
        Bound::new(py, PyTable { schema: batcher.schema(), batches })
    }
}

#[pymethods]
impl Stream {
    /// The columns' names and types. Reads the first item if ``dim`` was not given.
    #[getter]
    fn schema(&self, py: Python<'_>) -> PyResult<PySchema> {
        self.peek(py).map(PySchema)
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<StreamBatches> {
        Ok(StreamBatches { batcher: Mutex::new(self.take(py)?), busy: Mutex::new(None) })
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, &*self.peek(py)?)?)
    }

    /// The stream, for any library that takes Arrow streams. The first batch is made now, so that what goes wrong in it is
    /// raised as it is; the interface carries later exceptions as text only.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let mut batcher = self.take(py)?;
        let first = batcher.next_batch(py)?.map(Ok);
        stream_capsule(py, &batcher.schema(), first.into_iter().chain(batcher), requested_schema)
    }

    /// Reads everything into a ``pyarrow.Table``, without a copy.
    fn to_pyarrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        PyTable::to_pyarrow(&self.read(py)?)
    }

    /// Reads everything into a ``polars.DataFrame``.
    fn to_polars<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        PyTable::to_polars(&self.read(py)?)
    }

    /// Reads everything into a ``pandas.DataFrame``; every vector is a NumPy array.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        PyTable::to_pandas(&self.read(py)?)
    }

    /// Reads everything into a NumPy array of shape (rows, dim).
    #[doc = column_parameter!()]
    #[pyo3(signature = (column=None))]
    fn to_numpy<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        self.read(py)?.get().to_numpy(py, column)
    }

    /// Reads everything into a ``torch.Tensor`` of shape (rows, dim).
    #[doc = column_parameter!()]
    #[pyo3(signature = (column=None))]
    fn to_torch<'py>(&self, py: Python<'py>, column: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        self.read(py)?.get().to_torch(py, column)
    }
}

/// A stream that is being read: an iterator of record batches.
#[pyclass(frozen, module = "vecpack._vecpack", name = "_StreamBatches")]
struct StreamBatches {
    batcher: Mutex<Box<Batcher>>,
    /// The process and the thread that make a batch now.
    busy: Mutex<Option<(OwnerProcess, ThreadId)>>,
}

#[pymethods]
impl StreamBatches {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PyBatch>> {
        let this_thread = std::thread::current().id();
        if let Some((owner, thread)) = &*lock(&self.busy) {
            // Nobody in a child that was forked would ever let go of it.
            owner.check()?;
            if *thread == this_thread {
                let text = "the iterable asks the stream that it is read by for a batch";
                return Err(PyValueError::new_err(text));
            }
        }
        // Detached while it waits: whoever holds the lock may be waiting for the interpreter.
        let mut batcher = self.batcher.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        *lock(&self.busy) = Some((OwnerProcess::current(), this_thread));
        let batch = batcher.next_batch(py);
        *lock(&self.busy) = None;
        Ok(batch?.map(PyBatch))
    }
}
