//! Values as text, for a look at a few rows.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};

use crate::error::Result;
use crate::record::vector_type;

/// How many elements of a vector are shown, and how many characters of another value.
const ELEMENTS: usize = 4;
const CHARACTERS: usize = 60;

/// The values of each row, in the order of the columns. Of a vector the first elements are shown.
pub(crate) fn rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let row = |row| batch.columns().iter().map(|column| value(column, row)).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn value(column: &dyn Array, row: usize) -> Result<String> {
    let options = FormatOptions::new().with_null("null");
    if let Some((dim, _)) = vector_type(column.data_type())
        && dim > ELEMENTS
        && column.is_valid(row)
    {
        let elements = column.as_fixed_size_list().value(row);
        let formatter = ArrayFormatter::try_new(&elements, &options)?;
        let shown: Vec<String> = (0..ELEMENTS).map(|at| formatter.value(at).to_string()).collect();
        return Ok(format!("[{}, ... {dim} elements]", shown.join(", ")));
    }
    let text = ArrayFormatter::try_new(column, &options)?.value(row).try_to_string()?;
    let mut shown: String = text.chars().take(CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    Ok(shown)
}
