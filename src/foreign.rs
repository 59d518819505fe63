//! Arrow data as others hand it over.

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, make_array};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, FieldRef, SchemaRef};
use arrow_select::nullif::nullif;

type Result<T> = std::result::Result<T, ArrowError>;

/// The batch that `data`, a struct of its columns, holds. Of a row that is null as a whole, all columns are.
pub(crate) fn batch_of(schema: SchemaRef, data: &ArrayData) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(data.len()));
    let fields = data.child_data().iter();
    let columns = fields.map(|field| part(field, data.offset(), data.len()).map(make_array));
    let mut columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    if let Some(nulls) = data.nulls().filter(|nulls| nulls.null_count() > 0) {
        let is_null = BooleanArray::new(!nulls.inner(), None);
        let masked =
            columns.iter().zip(schema.fields()).map(|(column, field)| masked(column, field, &is_null));
        columns = masked.collect::<Result<_>>()?;
    }
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// A column that is null where its row is as well.
fn masked(column: &ArrayRef, field: &FieldRef, is_null: &BooleanArray) -> Result<ArrayRef> {
    let why = match field.data_type() {
        // They have no nulls of their own.
        data_type @ (DataType::Union(..) | DataType::RunEndEncoded(..)) => {
            format!("cannot be: it is {data_type}")
        }
        _ if !field.is_nullable() => "is said never to be".to_owned(),
        _ => return nullif(column, is_null),
    };
    let text = format!("a row of the stream is null, and column `{}` {why}", field.name());
    Err(ArrowError::SchemaError(text))
}

/// `len` rows of `data` from `start` on, in which every struct begins with its first row.
///
/// A struct of others may have an offset, which counts for its fields as well; one of this library has none. `make_array` passes it
/// on, but to a struct in the struct, or in a list of fixed size, twice. So what structs are in is put together here.
fn part(data: &ArrayData, start: usize, len: usize) -> Result<ArrayData> {
    if start.checked_add(len).is_none_or(|end| end > data.len()) {
        let (rows, data_type) = (data.len(), data.data_type());
        return Err(ArrowError::CDataInterface(format!(
            "{rows} values of {data_type}, where {len} from {start} on are told"
        )));
    }
    if !has_struct(data) {
        return Ok(data.slice(start, len));
    }
    let first = data.offset() + start;
    let children = data.child_data().iter();
    let (offset, children) = match data.data_type() {
        DataType::Struct(_) => (0, children.map(|field| part(field, first, len)).collect::<Result<_>>()?),
        DataType::FixedSizeList(_, size) => {
            let size = usize::try_from(*size).unwrap_or(0);
            (0, children.map(|items| part(items, first * size, len * size)).collect::<Result<_>>()?)
        }
        _ => (first, children.map(|items| part(items, 0, items.len())).collect::<Result<_>>()?),
    };
    let nulls = data.nulls().map(|nulls| nulls.slice(start, len));
    data.clone().into_builder().offset(offset).len(len).nulls(nulls).child_data(children).build()
}

fn has_struct(data: &ArrayData) -> bool {
    matches!(data.data_type(), DataType::Struct(_)) || data.child_data().iter().any(has_struct)
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
