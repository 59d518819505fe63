//! Types that Parquet does not have, and what is written for them: nulls for structs without fields, which is what maps without keys
//! become and which say no more than nulls do; milliseconds for seconds, days for dates in milliseconds, as pyarrow writes them;
//! dictionaries of text for those of views of text, which the `parquet` crate does not take.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeListArray, GenericListArray, MapArray, NullArray,
    OffsetSizeTrait, PrimitiveArray, RecordBatch, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Field, FieldRef, Fields, Schema, SchemaRef, Time32MillisecondType,
    Time32SecondType, TimeUnit, TimestampMillisecondType, TimestampSecondType,
};

use crate::error::{Error, Result};

/// The types of what is written for batches of `schema`.
pub(super) fn writable(schema: &Schema) -> Schema {
    Schema::new_with_metadata(
        schema.fields().iter().map(written_field).collect::<Fields>(),
        schema.metadata().clone(),
    )
}

/// The same for a batch, as one of the `written` schema.
pub(super) fn writable_batch<'a>(
    batch: &'a RecordBatch,
    written: &SchemaRef,
) -> Result<Cow<'a, RecordBatch>> {
    if batch.schema_ref().fields().iter().all(|field| written_type(field.data_type()).is_none()) {
        return Ok(Cow::Borrowed(batch));
    }
    let columns = batch.columns().iter().zip(written.fields());
    let columns = columns.map(|(column, field)| written_array(column, field.data_type(), field.name()));
    let columns = columns.collect::<Result<_>>()?;
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

fn written_field(field: &FieldRef) -> FieldRef {
    match written_type(field.data_type()) {
        None => field.clone(),
        Some(data_type) => {
            let nullable = field.is_nullable() || data_type == DataType::Null;
            Arc::new(field.as_ref().clone().with_data_type(data_type).with_nullable(nullable))
        }
    }
}

/// What is written for a type that Parquet does not have, and for one with such a type in it.
fn written_type(data_type: &DataType) -> Option<DataType> {
    let below = |item: &FieldRef| written_type(item.data_type()).map(|_| written_field(item));
    Some(match data_type {
        DataType::Struct(fields) if fields.is_empty() => DataType::Null,
        DataType::Struct(fields) if fields.iter().any(|field| below(field).is_some()) => {
            DataType::Struct(fields.iter().map(written_field).collect())
        }
        DataType::List(item) => DataType::List(below(item)?),
        DataType::LargeList(item) => DataType::LargeList(below(item)?),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(below(item)?, *size),
        DataType::Map(entries, ordered) => DataType::Map(below(entries)?, *ordered),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        DataType::Dictionary(keys, values) => {
            let values = match **values {
                DataType::Utf8View => DataType::Utf8,
                DataType::BinaryView => DataType::Binary,
                _ => return None,
            };
            DataType::Dictionary(keys.clone(), Box::new(values))
        }
        _ => return None,
    })
}

/// The values of an array of the column `name` as they are written.
fn written_array(array: &ArrayRef, written: &DataType, name: &str) -> Result<ArrayRef> {
    if array.data_type() == written {
        return Ok(array.clone());
    }
    Ok(match written {
        DataType::Null => Arc::new(NullArray::new(array.len())),
        DataType::Struct(fields) => Arc::new(written_struct(array, fields, name)?),
        DataType::List(item) => written_list::<i32>(array, item, name)?,
        DataType::LargeList(item) => written_list::<i64>(array, item, name)?,
        DataType::FixedSizeList(item, size) => {
            let list = array.as_fixed_size_list();
            let values = written_array(list.values(), item.data_type(), name)?;
            let (nulls, len) = (list.nulls().cloned(), list.len());
            Arc::new(FixedSizeListArray::try_new_with_length(item.clone(), *size, values, nulls, len)?)
        }
        DataType::Map(field, ordered) => {
            let (_, offsets, entries, nulls, _) = array.as_map().clone().into_parts();
            let entries: ArrayRef = Arc::new(entries);
            let entries = written_array(&entries, field.data_type(), name)?.as_struct().clone();
            Arc::new(MapArray::try_new(field.clone(), offsets, entries, nulls, *ordered)?)
        }
        DataType::Timestamp(_, zone) => {
            let times = array.as_primitive::<TimestampSecondType>();
            let times: PrimitiveArray<TimestampMillisecondType> =
                exactly(times, name, |seconds| seconds.checked_mul(1000))?;
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::Time32(_) => {
            let times = array.as_primitive::<Time32SecondType>();
            Arc::new(exactly::<_, Time32MillisecondType>(times, name, |seconds| seconds.checked_mul(1000))?)
        }
        DataType::Date32 => {
            let dates = array.as_primitive::<Date64Type>();
            let days = |time: i64| (time % DAY == 0).then_some(time / DAY);
            Arc::new(exactly::<_, Date32Type>(dates, name, |time| i32::try_from(days(time)?).ok())?)
        }
        DataType::Dictionary(..) => cast(array, written)?,
        other => return Err(Error::internal(format!("{} is not written as {other}", array.data_type()))),
    })
}

/// The milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Values in another unit; one that it cannot hold is an error.
fn exactly<From: ArrowPrimitiveType, To: ArrowPrimitiveType>(
    array: &PrimitiveArray<From>,
    name: &str,
    convert: impl Fn(From::Native) -> Option<To::Native>,
) -> Result<PrimitiveArray<To>> {
    array.try_unary(|value| {
        convert(value).ok_or_else(|| {
            let (from, to) = (array.data_type(), To::DATA_TYPE);
            Error::schema(format!(
                "column `{name}` is {from}, which Parquet does not have, and {value:?} of it is no {to}, which it has"
            ))
        })
    })
}

fn written_struct(array: &ArrayRef, fields: &Fields, name: &str) -> Result<StructArray> {
    let array = array.as_struct();
    let columns = array.columns().iter().zip(fields);
    let columns = columns.map(|(column, field)| written_array(column, field.data_type(), name));
    let (columns, nulls) = (columns.collect::<Result<_>>()?, array.nulls().cloned());
    Ok(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?)
}

fn written_list<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef, name: &str) -> Result<ArrayRef> {
    let array = array.as_list::<O>();
    let values = written_array(array.values(), item.data_type(), name)?;
    let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
    Ok(Arc::new(GenericListArray::<O>::try_new(item.clone(), offsets, values, nulls)?))
}
