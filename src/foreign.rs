//! Arrow data as others hand it over.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, RecordBatch, RecordBatchOptions, StructArray,
    make_array,
};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, FieldRef, SchemaRef};
use arrow_select::nullif::nullif;

type Result<T> = std::result::Result<T, ArrowError>;

/// The batch that `data`, a struct of its columns, holds. Of a row that is null as a whole, all columns are.
pub(crate) fn batch_of(schema: SchemaRef, data: &ArrayData) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(data.len()));
    let mut columns = fields_of(data)?;
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

/// The array that `data` holds.
///
/// A struct of others may have an offset, which counts for its fields as well; one of this library has none. `make_array` passes it
/// on, but to a struct in the struct, or in a list of fixed size, twice. So what structs are in is put together here.
fn array_of(data: &ArrayData) -> Result<ArrayRef> {
    if !data.child_data().iter().any(has_struct) {
        return Ok(make_array(data.clone()));
    }
    let nulls = data.nulls().cloned();
    Ok(match data.data_type() {
        DataType::Struct(fields) => {
            Arc::new(StructArray::try_new_with_length(fields.clone(), fields_of(data)?, nulls, data.len())?)
        }
        DataType::FixedSizeList(item, size) => {
            let rows = usize::try_from(*size).unwrap_or(0);
            let values = part(&data.child_data()[0], data.offset() * rows, data.len() * rows)?;
            let (item, len) = (item.clone(), data.len());
            Arc::new(FixedSizeListArray::try_new_with_length(item, *size, values, nulls, len)?)
        }
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Map(..) => {
            let values = array_of(&data.child_data()[0])?.to_data();
            make_array(data.clone().into_builder().child_data(vec![values]).build()?)
        }
        // Dictionaries of structs and the like, which no output takes.
        _ => make_array(data.clone()),
    })
}

fn has_struct(data: &ArrayData) -> bool {
    matches!(data.data_type(), DataType::Struct(_)) || data.child_data().iter().any(has_struct)
}

/// The fields of a struct, each of its rows alone.
fn fields_of(data: &ArrayData) -> Result<Vec<ArrayRef>> {
    data.child_data().iter().map(|field| part(field, data.offset(), data.len())).collect()
}

/// `len` rows of the array that `data` holds, from `start` on.
fn part(data: &ArrayData, start: usize, len: usize) -> Result<ArrayRef> {
    let array = array_of(data)?;
    if start.checked_add(len).is_none_or(|end| end > array.len()) {
        let (rows, data_type) = (array.len(), array.data_type());
        return Err(ArrowError::CDataInterface(format!(
            "{rows} values of {data_type}, where {len} from {start} on are told"
        )));
    }
    Ok(array.slice(start, len))
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
