//! Types that Parquet does not have, and what is written for them: nulls for structs without fields, which is what maps without keys
//! become and which say no more than nulls do; milliseconds for seconds, days for dates in milliseconds, as pyarrow writes them;
//! dictionaries of text for those of views of text, which the `parquet` crate does not take.
//!
//! Only values that are in a row count, and cost anything: batches may be small pieces of what all of them lie in.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBufferBuilder, FixedSizeListArray, GenericListArray,
    MapArray, NullArray, OffsetSizeTrait, PrimitiveArray, RecordBatch, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
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
    let columns = columns.map(|(column, field)| written_array(column, field.data_type(), field.name(), None));
    let columns = columns.collect::<Result<_>>()?;
    Ok(Cow::Owned(RecordBatch::try_new(written.clone(), columns)?))
}

/// Refuses a stream with structs without fields: what others made is written as it is, or not at all.
pub(super) fn refuse_empty_structs(schema: &Schema) -> Result<()> {
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
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::RunEndEncoded(_, item)
        | DataType::Map(item, _) => way_to_empty(item),
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
        DataType::Dictionary(keys, values) if **values == DataType::Utf8View => {
            DataType::Dictionary(keys.clone(), Box::new(DataType::Utf8))
        }
        DataType::Dictionary(keys, values) if **values == DataType::BinaryView => {
            DataType::Dictionary(keys.clone(), Box::new(DataType::Binary))
        }
        // Not all readers know views, and some fail at a file that says it holds some.
        DataType::ListView(item) => DataType::List(written_field(item)),
        DataType::LargeListView(item) => DataType::LargeList(written_field(item)),
        other => return written_type(&plain_type(other)?),
    })
}

/// The type that holds the same values one behind another, where they may be written as another one.
fn plain_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Dictionary(_, values) => match &**values {
            time @ (DataType::Timestamp(TimeUnit::Second, _)
            | DataType::Time32(TimeUnit::Second)
            | DataType::Date64) => time.clone(),
            _ => return None,
        },
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        DataType::ListView(item) => DataType::List(item.clone()),
        DataType::LargeListView(item) => DataType::LargeList(item.clone()),
        _ => return None,
    })
}

/// The values of an array of the column `name` as they are written. Where `above` is null, so is what a value lies in, and it may
/// be anything.
fn written_array(
    array: &ArrayRef,
    written: &DataType,
    name: &str,
    above: Option<&NullBuffer>,
) -> Result<ArrayRef> {
    if array.data_type() == written {
        return Ok(array.clone());
    }
    if let Some(plain) = plain_type(array.data_type()) {
        return written_array(&cast(array, &plain)?, written, name, above);
    }
    Ok(match written {
        DataType::Null => Arc::new(NullArray::new(array.len())),
        DataType::Struct(fields) => Arc::new(written_struct(array, fields, name, above)?),
        DataType::List(item) => written_list::<i32>(array, item, name, above)?,
        DataType::LargeList(item) => written_list::<i64>(array, item, name, above)?,
        DataType::FixedSizeList(item, size) => {
            let list = array.as_fixed_size_list();
            let of_values = usize::try_from(*size).unwrap_or(0);
            let above = NullBuffer::union(list.nulls(), above).map(|nulls| nulls.expand(of_values));
            let values = written_array(list.values(), item.data_type(), name, above.as_ref())?;
            let (nulls, len) = (list.nulls().cloned(), list.len());
            Arc::new(FixedSizeListArray::try_new_with_length(item.clone(), *size, values, nulls, len)?)
        }
        DataType::Map(field, ordered) => {
            let (_, offsets, entries, nulls, _) = array.as_map().clone().into_parts();
            let rows = NullBuffer::union(nulls.as_ref(), above);
            let (entries, offsets, above) = in_rows(&entries, offsets, rows.as_ref());
            let entries = written_array(&entries, field.data_type(), name, above.as_ref())?;
            let entries = entries.as_struct().clone();
            Arc::new(MapArray::try_new(field.clone(), offsets, entries, nulls, *ordered)?)
        }
        DataType::Timestamp(_, zone) => {
            let times = array.as_primitive::<TimestampSecondType>();
            let times: PrimitiveArray<TimestampMillisecondType> =
                exactly(times, name, above, |seconds| seconds.checked_mul(1000))?;
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::Time32(_) => {
            let times = array.as_primitive::<Time32SecondType>();
            Arc::new(exactly::<_, Time32MillisecondType>(times, name, above, |seconds| {
                seconds.checked_mul(1000)
            })?)
        }
        DataType::Date32 => {
            let dates = array.as_primitive::<Date64Type>();
            let days = |time: i64| (time % DAY == 0).then_some(time / DAY);
            Arc::new(exactly::<_, Date32Type>(dates, name, above, |time| i32::try_from(days(time)?).ok())?)
        }
        DataType::Dictionary(..) => written_dictionary(array, written)?,
        other => return Err(Error::internal(format!("{} is not written as {other}", array.data_type()))),
    })
}

/// The milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Values in another unit; one that it cannot hold is an error.
fn exactly<From: ArrowPrimitiveType, To: ArrowPrimitiveType>(
    array: &PrimitiveArray<From>,
    name: &str,
    above: Option<&NullBuffer>,
    convert: impl Fn(From::Native) -> Option<To::Native>,
) -> Result<PrimitiveArray<To>> {
    let there = NullBuffer::union(array.nulls(), above);
    let converted: PrimitiveArray<To> =
        PrimitiveArray::<From>::try_new(array.values().clone(), there)?.try_unary(|value| {
            convert(value).ok_or_else(|| {
                let (from, to) = (array.data_type(), To::DATA_TYPE);
                Error::schema(format!(
                    "column `{name}` is {from}, which Parquet does not have, and {value:?} of it is no {to}, which it has"
                ))
            })
        })?;
    // A field that is never null stays so, whatever is above it.
    let (_, values, _) = converted.into_parts();
    Ok(PrimitiveArray::try_new(values, array.nulls().cloned())?)
}

fn written_struct(
    array: &ArrayRef,
    fields: &Fields,
    name: &str,
    above: Option<&NullBuffer>,
) -> Result<StructArray> {
    let array = array.as_struct();
    let above = NullBuffer::union(array.nulls(), above);
    let columns = array.columns().iter().zip(fields);
    let columns =
        columns.map(|(column, field)| written_array(column, field.data_type(), name, above.as_ref()));
    let (columns, nulls) = (columns.collect::<Result<_>>()?, array.nulls().cloned());
    Ok(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?)
}

fn written_list<O: OffsetSizeTrait>(
    array: &ArrayRef,
    item: &FieldRef,
    name: &str,
    above: Option<&NullBuffer>,
) -> Result<ArrayRef> {
    let list = array.as_list::<O>();
    let rows = NullBuffer::union(list.nulls(), above);
    let (values, offsets, above) = in_rows(list.values(), list.offsets().clone(), rows.as_ref());
    let values = written_array(&values, item.data_type(), name, above.as_ref())?;
    Ok(Arc::new(GenericListArray::<O>::try_new(item.clone(), offsets, values, list.nulls().cloned())?))
}

/// Those of the `values` of lists that are in a row, where the rows begin in them, and which of them are in a row that is null.
fn in_rows<O: OffsetSizeTrait>(
    values: &dyn Array,
    offsets: OffsetBuffer<O>,
    rows: Option<&NullBuffer>,
) -> (ArrayRef, OffsetBuffer<O>, Option<NullBuffer>) {
    let first = offsets.first().copied().unwrap_or_default();
    let len = offsets.lengths().sum();
    let nulls = rows.filter(|rows| offsets.has_non_empty_nulls(Some(rows))).map(|rows| {
        let mut nulls = BooleanBufferBuilder::new(len);
        rows.iter().zip(offsets.lengths()).for_each(|(row, len)| nulls.append_n(len, row));
        nulls.finish().into()
    });
    (values.slice(first.as_usize(), len), offsets.subtract(first), nulls)
}

/// A dictionary with other values. Of a large one, only those that are in a row.
fn written_dictionary(array: &ArrayRef, written: &DataType) -> Result<ArrayRef> {
    let small = match array.as_any_dictionary_opt() {
        Some(words) if words.values().len() > words.len() => cast(array, words.values().data_type())?,
        _ => array.clone(),
    };
    Ok(cast(&small, written)?)
}
