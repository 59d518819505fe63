//! Vectors as arrays of NumPy and tensors of PyTorch.

use arrow_array::cast::AsArray;
use arrow_array::{Array, FixedSizeListArray, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::export::import;
use crate::error::Result;
use crate::reader::Progress;
use crate::vector::Slab;

/// A column of vectors in one piece of memory, which NumPy looks at through `__array_interface__` and keeps alive.
#[pyclass(frozen, module = "vecpack._vecpack", name = "_Vectors")]
pub(super) struct Vectors {
    values: Buffer,
    rows: usize,
    dim: usize,
    type_text: &'static str,
    /// True where other libraries may look at the same memory.
    shared: bool,
}

#[pymethods]
impl Vectors {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("shape", (self.rows, self.dim))?;
        interface.set_item("typestr", self.type_text)?;
        interface.set_item("data", (self.values.as_ptr() as usize, self.shared))?;
        Ok(interface)
    }
}

impl Vectors {
    /// The vectors of a column of `batches`: of one batch where they lie, of several a copy.
    pub(super) fn of_batches(
        py: Python<'_>,
        schema: &Schema,
        batches: &[RecordBatch],
        column: Option<&str>,
    ) -> PyResult<Self> {
        let column = VectorColumn::find(schema, column)?;
        let mut gathered = Gathered::default();
        batches.iter().for_each(|batch| gathered.keep(batch.column(column.index)));
        py.detach(|| gathered.finish(&column)).map(|vectors| Self { shared: batches.len() == 1, ..vectors })
    }
}

/// As an array of shape (rows, dim); read-only where others may look at the same memory.
pub(super) fn to_numpy(py: Python<'_>, vectors: Vectors) -> PyResult<Bound<'_, PyAny>> {
    import(py, "numpy", "to_numpy()")?.call_method1("asarray", (vectors,))
}

/// The answer to `numpy.asarray` of what has `to_numpy()`.
pub(super) fn as_array(
    vectors: &Bound<'_, PyAny>,
    dtype: Option<Py<PyAny>>,
    copy: Option<bool>,
) -> PyResult<Py<PyAny>> {
    let py = vectors.py();
    let array = vectors.call_method0("to_numpy")?;
    let numpy = import(py, "numpy", "__array__()")?;
    let keywords = PyDict::new(py);
    keywords.set_item("dtype", dtype)?;
    let function = if copy.is_some() { "array" } else { "asarray" };
    copy.map_or(Ok(()), |copy| keywords.set_item("copy", copy))?;
    Ok(numpy.call_method(function, (array,), Some(&keywords))?.unbind())
}

/// As a tensor of shape (rows, dim). PyTorch knows nothing that is read-only.
pub(super) fn to_torch(py: Python<'_>, vectors: Vectors) -> PyResult<Bound<'_, PyAny>> {
    let (torch, numpy) = (import(py, "torch", "to_torch()")?, import(py, "numpy", "to_torch()")?);
    let array = numpy.call_method1("asarray", (Vectors { shared: false, ..vectors },))?;
    torch.call_method1("from_numpy", (array,))
}

/// A column of vectors that NumPy has a type for.
pub(super) struct VectorColumn {
    index: usize,
    pub(super) name: String,
    dim: usize,
    type_text: &'static str,
}

impl VectorColumn {
    /// The column of this `name`, or the first that holds vectors.
    pub(super) fn find(schema: &Schema, name: Option<&str>) -> PyResult<Self> {
        let of_vectors = |index: usize| match schema.field(index).data_type() {
            DataType::FixedSizeList(element, dim) => Some((index, element.data_type(), *dim)),
            _ => None,
        };
        let found = match name {
            Some(name) => schema.index_of(name).ok().and_then(of_vectors),
            None => (0..schema.fields().len()).find_map(of_vectors),
        };
        let Some((index, element, dim)) = found else {
            let named = name.map(|name| format!(" `{name}`")).unwrap_or_default();
            return Err(PyValueError::new_err(format!(
                "there is no vector column{named}: pyarrow.table(), or pyarrow.record_batch() of a batch, gives the other columns"
            )));
        };
        let type_text = match element {
            DataType::Float32 => "<f4",
            DataType::Float64 => "<f8",
            DataType::Float16 => "<f2",
            DataType::Int8 => "|i1",
            DataType::UInt8 => "|u1",
            other => return Err(PyValueError::new_err(format!("vectors of {other} have no NumPy form"))),
        };
        let (name, dim) = (schema.field(index).name().clone(), usize::try_from(dim).unwrap_or(0));
        Ok(Self { index, name, dim, type_text })
    }
}

/// Vectors of batches that come one after another, on their way into one piece of memory.
#[derive(Default)]
pub(super) struct Gathered {
    /// What is not copied yet. Where there is only one of them, it never is.
    kept: Vec<Buffer>,
    /// What is copied, and how many bytes of it are.
    copied: Option<(Slab, usize)>,
    rows: usize,
    nulls: usize,
}

impl Gathered {
    /// Adds a column of a batch. Where it is known how many bytes are read in `total`, memory for all of it is made with the
    /// second batch, and batches are let go at once.
    pub(super) fn add(&mut self, column: &dyn Array, progress: Progress, total: Option<u64>) -> Result<()> {
        self.keep(column);
        match total {
            Some(total) if self.copied.is_some() || self.kept.len() > 1 => {
                let share = total as f64 / progress.bytes.max(1) as f64;
                self.copy_kept(share.max(1.0))
            }
            _ => Ok(()),
        }
    }

    fn keep(&mut self, column: &dyn Array) {
        let Some(list) = column.as_fixed_size_list_opt() else { return };
        self.rows += list.len();
        self.nulls += list.null_count();
        self.kept.push(bytes_of(list));
    }

    /// Copies what is not copied yet, into memory for `share` times of all that there is so far.
    fn copy_kept(&mut self, share: f64) -> Result<()> {
        let copied = self.copied.as_ref().map_or(0, |(_, length)| *length);
        let needed = copied + self.kept.iter().map(Buffer::len).sum::<usize>();
        let (mut slab, mut at) = match self.copied.take() {
            Some((slab, length)) if slab.capacity() >= needed => (slab, length),
            smaller => {
                // A little more than it seems to take: to be wrong is a second copy.
                let mut slab = Slab::with_capacity((needed as f64 * share * 1.02) as usize)?;
                let length = smaller.map_or(0, |(mut old, length)| {
                    slab.as_mut_slice()[..length].copy_from_slice(&old.as_mut_slice()[..length]);
                    length
                });
                (slab, length)
            }
        };
        for part in self.kept.drain(..) {
            slab.as_mut_slice()[at..at + part.len()].copy_from_slice(&part);
            at += part.len();
        }
        self.copied = Some((slab, at));
        Ok(())
    }

    /// All of them, which were of `column`.
    pub(super) fn finish(mut self, column: &VectorColumn) -> PyResult<Vectors> {
        if self.nulls > 0 {
            let message = format!("{} vectors are null, which an array of numbers cannot hold", self.nulls);
            return Err(PyValueError::new_err(message));
        }
        if self.copied.is_some() || self.kept.len() > 1 {
            self.copy_kept(1.0)?;
        }
        let values = match self.copied {
            Some((slab, length)) => slab.into_buffer(length),
            None => self.kept.pop().unwrap_or_default(),
        };
        let &VectorColumn { dim, type_text, .. } = column;
        Ok(Vectors { values, rows: self.rows, dim, type_text, shared: false })
    }
}

/// The bytes of a column that is all of its values.
fn bytes_of(list: &FixedSizeListArray) -> Buffer {
    let data = list.values().to_data();
    let width = data.data_type().primitive_width().unwrap_or(1);
    data.buffers()
        .first()
        .map(|buffer| buffer.slice_with_length(data.offset() * width, data.len() * width))
        .unwrap_or_default()
}
