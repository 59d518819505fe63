//! Types that Parquet does not have, and what is written for them: nulls for structs without fields, which is what maps without keys
//! become and which say no more than nulls do; milliseconds for seconds, days for dates in milliseconds, as pyarrow writes them;
//! timestamps in the unit that was asked for;
//! dictionaries of text for those of views of text, which the `parquet` crate does not take.
//!
//! Only values that are in a row count, and cost anything: batches may be small pieces of what all of them lie in.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Date64Type, Int64Type, Time32MillisecondType, Time32SecondType};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, FixedSizeListArray, GenericListArray, MapArray, NullArray,
    OffsetSizeTrait, PrimitiveArray, RecordBatch, StructArray,
};
use arrow_buffer::BooleanBufferBuilder;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use super::options::{TimestampUnit, WriteOptions};
use crate::error::{Error, Result};

/// How timestamps are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The unit of all of them; if not given, their own one.
    unit: Option<TimeUnit>,
    /// Whether digits that the unit does not have are cut off.
    truncates: bool,
}

impl Times {
    pub(super) fn new(options: &WriteOptions) -> Self {
        let unit = options.coerce_timestamps.map(|unit| match unit {
            TimestampUnit::Microsecond => TimeUnit::Microsecond,
            TimestampUnit::Millisecond => TimeUnit::Millisecond,
        });
        Self { unit, truncates: options.allow_truncated_timestamps }
    }

    /// The unit in which timestamps of `unit` are written.
    fn written(self, unit: TimeUnit) -> TimeUnit {
        match (self.unit, unit) {
            (Some(asked), _) => asked,
            (None, TimeUnit::Second) => TimeUnit::Millisecond,
            (None, unit) => unit,
        }
    }
}

/// The types of what is written for batches of `schema`.
pub(super) fn writable(schema: &Schema, times: Times) -> Schema {
    Schema::new_with_metadata(
        schema.fields().iter().map(|field| written_field(field, times)).collect::<Fields>(),
        schema.metadata().clone(),
    )
}

/// The same for a batch, as one of the `written` schema.
pub(super) fn writable_batch<'a>(
    batch: &'a RecordBatch,
    written: &SchemaRef,
    times: Times,
) -> Result<Cow<'a, RecordBatch>> {
    if batch.schema_ref().fields().iter().all(|field| written_type(field.data_type(), times).is_none()) {
        return Ok(Cow::Borrowed(batch));
    }
    let columns = batch.columns().iter().zip(written.fields());
    let columns = columns
        .map(|(column, field)| Writing { name: field.name(), times }.array(column, field.data_type(), None));
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

fn written_field(field: &FieldRef, times: Times) -> FieldRef {
    match written_type(field.data_type(), times) {
        None => field.clone(),
        Some(data_type) => {
            let nullable = field.is_nullable() || data_type == DataType::Null;
            Arc::new(field.as_ref().clone().with_data_type(data_type).with_nullable(nullable))
        }
    }
}

/// What is written for a type that Parquet does not have, and for one with such a type in it.
fn written_type(data_type: &DataType, times: Times) -> Option<DataType> {
    let field = |item: &FieldRef| written_field(item, times);
    let below = |item: &FieldRef| written_type(item.data_type(), times).map(|_| field(item));
    Some(match data_type {
        DataType::Struct(fields) if fields.is_empty() => DataType::Null,
        DataType::Struct(fields) if fields.iter().any(|field| below(field).is_some()) => {
            DataType::Struct(fields.iter().map(field).collect())
        }
        DataType::List(item) => DataType::List(below(item)?),
        DataType::LargeList(item) => DataType::LargeList(below(item)?),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(below(item)?, *size),
        DataType::Map(entries, ordered) => DataType::Map(below(entries)?, *ordered),
        DataType::Timestamp(unit, zone) if times.written(*unit) != *unit => {
            DataType::Timestamp(times.written(*unit), zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        DataType::Dictionary(keys, values) if **values == DataType::Utf8View => {
            DataType::Dictionary(keys.clone(), Box::new(DataType::Utf8))
        }
        DataType::Dictionary(keys, values) if **values == DataType::BinaryView => {
            DataType::Dictionary(keys.clone(), Box::new(DataType::Binary))
        }
        other => {
            let plain = plain_type(other, times)?;
            written_type(&plain, times).unwrap_or(plain)
        }
    })
}

/// The type that holds the same values one behind another, where they may be written as another one.
fn plain_type(data_type: &DataType, times: Times) -> Option<DataType> {
    Some(match data_type {
        DataType::Dictionary(_, values)
            if matches!(**values, DataType::Timestamp(..) | DataType::Time32(_) | DataType::Date64) =>
        {
            written_type(values, times).map(|_| *values.clone())?
        }
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        // Not all readers know views, and some fail at a file that says it holds some.
        DataType::ListView(item) => DataType::List(item.clone()),
        DataType::LargeListView(item) => DataType::LargeList(item.clone()),
        _ => return None,
    })
}

/// A column that is written as another type.
#[derive(Clone, Copy)]
struct Writing<'a> {
    name: &'a str,
    times: Times,
}

impl Writing<'_> {
    /// The values of an array as they are written. Where `above` is null, so is what a value lies
    /// in, and it may be anything.
    fn array(self, array: &ArrayRef, written: &DataType, above: Option<&NullBuffer>) -> Result<ArrayRef> {
        if array.data_type() == written {
            return Ok(array.clone());
        }
        if let Some(plain) = plain_type(array.data_type(), self.times) {
            return self.array(&cast(array, &plain)?, written, above);
        }
        Ok(match written {
            DataType::Null => Arc::new(NullArray::new(array.len())),
            DataType::Struct(fields) => {
                let array = array.as_struct();
                let above = NullBuffer::union(array.nulls(), above);
                let columns = array.columns().iter().zip(fields);
                let columns =
                    columns.map(|(column, field)| self.array(column, field.data_type(), above.as_ref()));
                let (columns, nulls) = (columns.collect::<Result<_>>()?, array.nulls().cloned());
                Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?)
            }
            DataType::List(item) => self.list::<i32>(array, item, above)?,
            DataType::LargeList(item) => self.list::<i64>(array, item, above)?,
            DataType::FixedSizeList(item, size) => {
                let list = array.as_fixed_size_list();
                let of_values = usize::try_from(*size).unwrap_or(0);
                let above = NullBuffer::union(list.nulls(), above).map(|nulls| nulls.expand(of_values));
                let values = self.array(list.values(), item.data_type(), above.as_ref())?;
                let (nulls, len) = (list.nulls().cloned(), list.len());
                Arc::new(FixedSizeListArray::try_new_with_length(item.clone(), *size, values, nulls, len)?)
            }
            DataType::Map(field, ordered) => {
                let (_, offsets, entries, nulls, _) = array.as_map().clone().into_parts();
                let rows = NullBuffer::union(nulls.as_ref(), above);
                let (entries, offsets, above) = in_rows(&entries, offsets, rows.as_ref());
                let entries = self.array(&entries, field.data_type(), above.as_ref())?;
                let entries = entries.as_struct().clone();
                Arc::new(MapArray::try_new(field.clone(), offsets, entries, nulls, *ordered)?)
            }
            DataType::Timestamp(unit, _) => self.timestamps(array, *unit, written, above)?,
            DataType::Time32(_) => {
                let times = array.as_primitive::<Time32SecondType>();
                let times = converted::<_, Time32MillisecondType>(times, above, |seconds| {
                    seconds.checked_mul(1000).ok_or_else(|| self.misfit(array, written, seconds.into()))
                });
                Arc::new(times?)
            }
            DataType::Date32 => {
                let dates = array.as_primitive::<Date64Type>();
                let dates = converted::<_, Date32Type>(dates, above, |time| {
                    let days = i32::try_from(time / DAY).ok().filter(|_| time % DAY == 0);
                    days.ok_or_else(|| self.misfit(array, written, time))
                });
                Arc::new(dates?)
            }
            DataType::Dictionary(..) => written_dictionary(array, written)?,
            other => return Err(Error::internal(format!("{} is not written as {other}", array.data_type()))),
        })
    }

    /// Timestamps in another unit.
    fn timestamps(
        self,
        array: &ArrayRef,
        unit: TimeUnit,
        written: &DataType,
        above: Option<&NullBuffer>,
    ) -> Result<ArrayRef> {
        let DataType::Timestamp(own, _) = array.data_type() else {
            return Err(Error::internal(format!("{} is not written as {written}", array.data_type())));
        };
        let (own_parts, parts) = (parts_of_second(*own), parts_of_second(unit));
        let counts = cast(array, &DataType::Int64)?;
        let counts = converted::<_, Int64Type>(counts.as_primitive::<Int64Type>(), above, |count| {
            let whole = if parts >= own_parts {
                count.checked_mul(parts / own_parts)
            } else {
                let size = own_parts / parts;
                (self.times.truncates || count % size == 0).then_some(count / size)
            };
            whole.ok_or_else(|| self.unfit(count, *own, unit))
        })?;
        Ok(cast(&counts, written)?)
    }

    /// The error of a timestamp that another unit cannot hold.
    fn unfit(self, count: i64, own: TimeUnit, unit: TimeUnit) -> Error {
        let why = match parts_of_second(own) > parts_of_second(unit) {
            true => {
                "has digits below that: option `allow_truncated_timestamps` cuts them off, and without option `coerce_timestamps` \
                 all of them are written"
            }
            false => "is too far away for that",
        };
        let (name, own, unit) = (self.name, unit_name(own), unit_name(unit));
        Error::schema(format!("column `{name}` is written in {unit}, and {count} {own} since 1970 {why}"))
    }

    /// The error of a value that the type which Parquet has cannot hold.
    fn misfit(self, array: &ArrayRef, written: &DataType, value: i64) -> Error {
        let (name, from) = (self.name, array.data_type());
        Error::schema(format!(
            "column `{name}` is {from}, which Parquet does not have, and {value} of it is no {written}, which it has"
        ))
    }

    fn list<O: OffsetSizeTrait>(
        self,
        array: &ArrayRef,
        item: &FieldRef,
        above: Option<&NullBuffer>,
    ) -> Result<ArrayRef> {
        let list = array.as_list::<O>();
        let rows = NullBuffer::union(list.nulls(), above);
        let (values, offsets, above) = in_rows(list.values(), list.offsets().clone(), rows.as_ref());
        let values = self.array(&values, item.data_type(), above.as_ref())?;
        Ok(Arc::new(GenericListArray::<O>::try_new(item.clone(), offsets, values, list.nulls().cloned())?))
    }
}

/// The values in another unit. Those that are null, or lie in what is null, may be anything.
fn converted<From: ArrowPrimitiveType, To: ArrowPrimitiveType>(
    array: &PrimitiveArray<From>,
    above: Option<&NullBuffer>,
    convert: impl Fn(From::Native) -> Result<To::Native>,
) -> Result<PrimitiveArray<To>> {
    let there = NullBuffer::union(array.nulls(), above);
    let there = PrimitiveArray::<From>::try_new(array.values().clone(), there)?;
    let (_, values, _) = there.try_unary::<_, To, _>(convert)?.into_parts();
    // A field that is never null stays so, whatever is above it.
    Ok(PrimitiveArray::try_new(values, array.nulls().cloned())?)
}

/// The milliseconds of a day.
const DAY: i64 = 86_400_000;

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// How many of a unit are a second.
fn parts_of_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
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
