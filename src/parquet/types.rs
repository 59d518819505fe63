//! Types that Parquet does not have, and what is written for them: nulls for structs without fields, which is what maps without keys
//! become; milliseconds for seconds, days for dates in milliseconds, as pyarrow writes them; timestamps in the unit that was asked
//! for; dictionaries of text for those of views of text, which the `parquet` crate does not take.
//!
//! Only values that are in a row count, and cost anything: batches may be small pieces of what all of them lie in.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, Int64Array, MapArray, NullArray, OffsetSizeTrait,
    StructArray,
};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};

use super::options::{TimestampUnit, WriteOptions};
use crate::error::{Error, Result};

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

/// A field as it is written.
pub(super) fn written_field(field: &FieldRef, options: &WriteOptions) -> FieldRef {
    match written_type(field.data_type(), options) {
        None => field.clone(),
        Some(data_type) => {
            let nullable = field.is_nullable() || data_type == DataType::Null;
            Arc::new(field.as_ref().clone().with_data_type(data_type).with_nullable(nullable))
        }
    }
}

/// What is written for a type that Parquet does not have, and for one with such a type in it.
fn written_type(data_type: &DataType, options: &WriteOptions) -> Option<DataType> {
    let field = |item: &FieldRef| written_field(item, options);
    let below = |item: &FieldRef| written_type(item.data_type(), options).map(|_| field(item));
    Some(match data_type {
        DataType::Struct(fields) if fields.is_empty() => DataType::Null,
        DataType::Struct(fields) if fields.iter().any(|field| below(field).is_some()) => {
            DataType::Struct(fields.iter().map(field).collect())
        }
        DataType::List(item) => DataType::List(below(item)?),
        DataType::LargeList(item) => DataType::LargeList(below(item)?),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(below(item)?, *size),
        DataType::Map(entries, ordered) => DataType::Map(below(entries)?, *ordered),
        DataType::Timestamp(own, zone) => {
            let unit = match (options.coerce_timestamps, own) {
                (Some(TimestampUnit::Microsecond), _) => TimeUnit::Microsecond,
                (Some(TimestampUnit::Millisecond), _) | (None, TimeUnit::Second) => TimeUnit::Millisecond,
                (None, own) => *own,
            };
            (unit != *own).then(|| DataType::Timestamp(unit, zone.clone()))?
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        DataType::Dictionary(keys, values)
            if matches!(**values, DataType::Utf8View | DataType::BinaryView) =>
        {
            let plain = if **values == DataType::Utf8View { DataType::Utf8 } else { DataType::Binary };
            DataType::Dictionary(keys.clone(), plain.into())
        }
        other => {
            let plain = plain_type(other, options)?;
            written_type(&plain, options).unwrap_or(plain)
        }
    })
}

/// The type that holds the same values one behind another, where they may be written as another one.
fn plain_type(data_type: &DataType, options: &WriteOptions) -> Option<DataType> {
    Some(match data_type {
        DataType::Dictionary(_, values)
            if matches!(**values, DataType::Timestamp(..) | DataType::Time32(_) | DataType::Date64) =>
        {
            written_type(values, options).map(|_| *values.clone())?
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
pub(super) struct Writing<'a> {
    pub(super) name: &'a str,
    pub(super) options: &'a WriteOptions,
}

impl Writing<'_> {
    /// The values of an array as they are written. Where `above` is null, so is what a value lies
    /// in, and it may be anything.
    pub(super) fn array(
        self,
        array: &ArrayRef,
        written: &DataType,
        above: Option<&NullBuffer>,
    ) -> Result<ArrayRef> {
        if array.data_type() == written {
            return Ok(array.clone());
        }
        if let Some(plain) = plain_type(array.data_type(), self.options) {
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
            DataType::Dictionary(..) => written_dictionary(array, written)?,
            _ => self.times(array, written, above)?,
        })
    }

    /// Timestamps, times of the day or dates in another unit. Those that are null, or lie in what is null, may be anything.
    fn times(self, array: &ArrayRef, written: &DataType, above: Option<&NullBuffer>) -> Result<ArrayRef> {
        let (given_parts, parts) = (parts_of_day(array.data_type()), parts_of_day(written));
        let is_timestamp = matches!(written, DataType::Timestamp(..));
        let counts = cast(array, &DataType::Int64)?;
        let there = NullBuffer::union(array.nulls(), above);
        let counts = Int64Array::try_new(counts.as_primitive::<Int64Type>().values().clone(), there)?;
        let counts = counts.try_unary::<_, Int64Type, _>(|count| {
            let whole = if parts >= given_parts {
                count.checked_mul(parts / given_parts)
            } else {
                let size = given_parts / parts;
                (count % size == 0 || is_timestamp && self.options.allow_truncated_timestamps)
                    .then_some(count / size)
            };
            let fits = |count: &i64| is_timestamp || i32::try_from(*count).is_ok();
            whole.filter(fits).ok_or_else(|| self.misfit(count, array.data_type(), written))
        })?;
        // A field that is never null stays so, whatever is above it.
        let counts = Int64Array::try_new(counts.values().clone(), array.nulls().cloned())?;
        let number = if is_timestamp { DataType::Int64 } else { DataType::Int32 };
        Ok(cast(&cast(&counts, &number)?, written)?)
    }

    /// The error of a time that the type in which it is written cannot hold.
    fn misfit(self, count: i64, given: &DataType, written: &DataType) -> Error {
        let name = self.name;
        let (DataType::Timestamp(own, _), DataType::Timestamp(unit, _)) = (given, written) else {
            return Error::schema(format!(
                "column `{name}` is {given}, which Parquet does not have, and {count} of it is no {written}, which it has"
            ));
        };
        let why = match parts_of_day(given) > parts_of_day(written) {
            true => {
                "has digits below that: option `allow_truncated_timestamps` cuts them off, and without option `coerce_timestamps` \
                 all of them are written"
            }
            false => "is too far away for that",
        };
        let (own, unit) = (unit_name(*own), unit_name(*unit));
        Error::schema(format!("column `{name}` is written in {unit}, and {count} {own} since 1970 {why}"))
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

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// How many of the unit of a type are a day.
fn parts_of_day(data_type: &DataType) -> i64 {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, _) | DataType::Time32(TimeUnit::Second) => 86_400,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 86_400_000_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 86_400_000_000_000,
        DataType::Date32 => 1,
        _ => 86_400_000,
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
