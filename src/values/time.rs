//! Columns of timestamps: MessagePack's extension -1, in each of its three sizes.

use std::sync::Arc;

use arrow_array::types::ArrowTimestampType;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};

use super::{Failure, Kind};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::reject::RejectKind;
use crate::vector::{Extensions, Payload, TimeFormat};

/// The code of the timestamp extension.
pub(crate) const TIMESTAMP: i8 = -1;
const NANOS: i128 = 1_000_000_000;

pub(super) struct Timestamps {
    extensions: Arc<Extensions>,
    unit: TimeUnit,
    zone: Option<Arc<str>>,
    values: Vec<i64>,
}

impl Timestamps {
    pub(super) fn new(unit: TimeUnit, zone: Option<Arc<str>>, extensions: &Arc<Extensions>) -> Self {
        Self { extensions: extensions.clone(), unit, zone, values: Vec::new() }
    }

    fn array<T: ArrowTimestampType>(&mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        let values = std::mem::take(&mut self.values);
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_timezone_opt(self.zone.clone()))
    }
}

/// The nanoseconds since 1970 that the payload of the extension type `code` stands for; `None` if it is no time.
pub(crate) fn nanoseconds(code: i8, payload: &[u8], extensions: &Extensions) -> Option<i128> {
    match extensions.get(code) {
        Some(Payload::Time(format)) => in_format(format, payload),
        None if code == TIMESTAMP => in_format(TimeFormat::Timestamp, payload),
        _ => None,
    }
}

fn in_format(format: TimeFormat, payload: &[u8]) -> Option<i128> {
    let nanoseconds = match (format, payload) {
        (TimeFormat::Timestamp, _) => return timestamp(payload),
        (TimeFormat::Fluentd, &[a, b, c, d, ref rest @ ..]) => {
            let seconds = u32::from_be_bytes([a, b, c, d]);
            i128::from(seconds) * NANOS + i128::from(u32::from_be_bytes(rest.try_into().ok()?))
        }
        (TimeFormat::Tinylib, _) => {
            let (seconds, rest) = payload.split_first_chunk()?;
            i128::from(i64::from_be_bytes(*seconds)) * NANOS
                + i128::from(u32::from_be_bytes(rest.try_into().ok()?))
        }
        (TimeFormat::MsgpackLite, _) => {
            let mut cursor = Cursor::new(payload);
            let milliseconds = match cursor.head().ok()? {
                Head::UInt(value) => value.into(),
                Head::Int(value) => value.into(),
                Head::Float64(value) if value.trunc() == value && value.abs() < 1e17 => value as i128,
                _ => return None,
            };
            if !cursor.rest().is_empty() {
                return None;
            }
            milliseconds * 1_000_000
        }
        _ => return None,
    };
    Some(nanoseconds)
}

/// MessagePack's own timestamps; `None` for a payload that the specification does not have.
fn timestamp(payload: &[u8]) -> Option<i128> {
    let (seconds, nanoseconds) = match *payload {
        [a, b, c, d] => (i128::from(u32::from_be_bytes([a, b, c, d])), 0),
        [a, b, c, d, e, f, g, h] => {
            let both = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            (i128::from(both & ((1 << 34) - 1)), i128::from(both >> 34))
        }
        [a, b, c, d, ref seconds @ ..] => {
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            (seconds.into(), u32::from_be_bytes([a, b, c, d]).into())
        }
        _ => return None,
    };
    (nanoseconds < NANOS).then_some(seconds * NANOS + nanoseconds)
}

impl Kind for Timestamps {
    fn push(&mut self, head: Head, cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        let data_type = DataType::Timestamp(self.unit, self.zone.clone());
        let Head::Ext(code, length) = head else { return Err(Failure::of_type(&data_type, head)) };
        let payload = cursor.take(length as usize)?;
        let Some(nanoseconds) = nanoseconds(code, payload, &self.extensions) else {
            if code != TIMESTAMP && self.extensions.get(code).is_none() {
                return Err(Failure::of_type(&data_type, head));
            }
            let found = format!("a timestamp extension of {length} bytes that its format does not have");
            return Err(Failure::of_type(&data_type, found));
        };
        let (unit, name) = match self.unit {
            TimeUnit::Second => (NANOS, "s"),
            TimeUnit::Millisecond => (1_000_000, "ms"),
            TimeUnit::Microsecond => (1000, "us"),
            TimeUnit::Nanosecond => (1, "ns"),
        };
        let whole = (nanoseconds % unit == 0).then_some(nanoseconds / unit);
        let Some(value) = whole.and_then(|value| i64::try_from(value).ok()) else {
            let expected = match self.unit {
                TimeUnit::Nanosecond => "a timestamp that fits timestamp[ns]".to_owned(),
                // Digits are never cut off where data is read.
                _ => format!(
                    "a timestamp that fits timestamp[{name}] (timestamp[ns] holds all digits; option `coerce_timestamps` with \
                     option `allow_truncated_timestamps` cuts them off in Parquet)"
                ),
            };
            let (seconds, rest) = (nanoseconds.div_euclid(NANOS), nanoseconds.rem_euclid(NANOS));
            let found = format!("{seconds} s and {rest} ns since 1970");
            return Err(Failure::unfit(RejectKind::Value, expected, found));
        };
        self.values.push(value);
        Ok(())
    }

    fn push_empty(&mut self) {
        self.values.push(0);
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }

    fn size(&self) -> usize {
        size_of_val(&*self.values)
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        Ok(match self.unit {
            TimeUnit::Second => self.array::<TimestampSecondType>(nulls),
            TimeUnit::Millisecond => self.array::<TimestampMillisecondType>(nulls),
            TimeUnit::Microsecond => self.array::<TimestampMicrosecondType>(nulls),
            TimeUnit::Nanosecond => self.array::<TimestampNanosecondType>(nulls),
        })
    }
}
