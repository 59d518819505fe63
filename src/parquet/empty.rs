//! Structs without fields, which Parquet cannot hold: what maps without keys become. They say no more than nulls do.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, NullArray, OffsetSizeTrait, RecordBatch, StructArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::error::{Error, Result};

/// The types of what is written for batches of `schema`: nulls in the place of structs without fields.
pub(super) fn writable(schema: &Schema) -> Schema {
    Schema::new_with_metadata(
        schema.fields().iter().map(filled).collect::<Fields>(),
        schema.metadata().clone(),
    )
}

/// The same for a batch, as one of the `written` schema.
pub(super) fn writable_batch<'a>(
    batch: &'a RecordBatch,
    written: &SchemaRef,
) -> Result<Cow<'a, RecordBatch>> {
    if batch.schema_ref().fields().iter().all(|field| way_to_empty(field).is_none()) {
        return Ok(Cow::Borrowed(batch));
    }
    let columns = batch.columns().iter().zip(written.fields());
    let columns =
        columns.map(|(column, field)| filled_array(column, field.data_type())).collect::<Result<_>>()?;
    Ok(Cow::Owned(RecordBatch::try_new(written.clone(), columns)?))
}

/// Refuses a stream with such structs: what others made is written as it is, or not at all.
pub(super) fn refuse(schema: &Schema) -> Result<()> {
    match schema.fields().iter().find_map(|field| way_to_empty(field)) {
        None => Ok(()),
        Some(way) => Err(Error::schema(format!(
            "column `{way}` is a struct without fields, which Parquet cannot hold: leave it out, or give it a field"
        ))),
    }
}

/// The dotted name of the first struct without fields in a field.
fn way_to_empty(field: &Field) -> Option<String> {
    let below = match field.data_type() {
        DataType::Struct(fields) if fields.is_empty() => return Some(field.name().clone()),
        DataType::Struct(fields) => fields.iter().find_map(|field| way_to_empty(field)),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            way_to_empty(item)
        }
        DataType::Map(entries, _) => way_to_empty(entries),
        _ => None,
    };
    below.map(|below| format!("{}.{below}", field.name()))
}

fn filled(field: &FieldRef) -> FieldRef {
    if way_to_empty(field).is_none() {
        return field.clone();
    }
    let (data_type, nullable) = match field.data_type() {
        DataType::Struct(fields) if fields.is_empty() => (DataType::Null, true),
        DataType::Struct(fields) => {
            (DataType::Struct(fields.iter().map(filled).collect()), field.is_nullable())
        }
        DataType::List(item) => (DataType::List(filled(item)), field.is_nullable()),
        DataType::LargeList(item) => (DataType::LargeList(filled(item)), field.is_nullable()),
        // Records are read into no other type that has such structs.
        _ => return field.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type).with_nullable(nullable))
}

fn filled_array(array: &ArrayRef, written: &DataType) -> Result<ArrayRef> {
    if array.data_type() == written {
        return Ok(array.clone());
    }
    Ok(match written {
        DataType::Null => Arc::new(NullArray::new(array.len())),
        DataType::Struct(fields) => {
            let array = array.as_struct();
            let columns = array.columns().iter().zip(fields);
            let columns = columns.map(|(column, field)| filled_array(column, field.data_type()));
            let nulls = array.nulls().cloned();
            Arc::new(StructArray::try_new(fields.clone(), columns.collect::<Result<_>>()?, nulls)?)
        }
        DataType::List(item) => filled_list::<i32>(array, item)?,
        DataType::LargeList(item) => filled_list::<i64>(array, item)?,
        other => return Err(Error::internal(format!("{} is not written as {other}", array.data_type()))),
    })
}

fn filled_list<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Result<ArrayRef> {
    let array = array.as_list::<O>();
    let values = filled_array(array.values(), item.data_type())?;
    let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
    Ok(Arc::new(GenericListArray::<O>::try_new(item.clone(), offsets, values, nulls)?))
}
