//! What people write to make a Python loop faster: an extension that takes the vectors out of an iterator.

use numpy::{PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pymodule]
mod take_iter {
    use super::*;

    /// An array of at most `rows` vectors of `dim` float32, from an iterator of their bytes.
    #[pyfunction]
    fn take_iter<'py>(
        py: Python<'py>,
        items: &Bound<'py, PyAny>,
        rows: usize,
        dim: usize,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let mut vectors: Vec<f32> = Vec::with_capacity(rows * dim);
        for item in items.try_iter()?.take(rows) {
            let item = item?;
            let bytes = item.cast::<PyBytes>()?.as_bytes();
            if bytes.len() != 4 * dim {
                return Err(PyValueError::new_err(format!("{} bytes instead of {}", bytes.len(), 4 * dim)));
            }
            vectors.extend(bytes.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)));
        }
        let taken = vectors.len() / dim;
        numpy::PyArray1::from_vec(py, vectors).reshape([taken, dim])
    }
}
