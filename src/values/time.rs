//! Columns of timestamps: MessagePack's extension -1, in each of its three sizes.

use std::sync::Arc;

use arrow_buffer::Buffer;
use arrow_data::ArrayDataBuilder;
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
    values: Vec<i64>,
}

impl Timestamps {
    pub(super) fn new(unit: TimeUnit, extensions: &Arc<Extensions>) -> Self {
        Self { extensions: extensions.clone(), unit, values: Vec::new() }
    }
}

/// The nanoseconds since 1970 that the payload of the extension type `code` stands for; `None` if it is no time.
pub(crate) fn nanoseconds(code: i8, payload: &[u8], extensions: &Extensions) -> Option<i128> {
    let format = match extensions.get(code) {
        Some(Payload::Time(format)) => format,
        None if code == TIMESTAMP => TimeFormat::Timestamp,
        _ => return None,
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    let (seconds, nanoseconds) = match (format, payload.len()) {
        (TimeFormat::Timestamp, 4) => (number(payload), 0),
        (TimeFormat::Timestamp, 8) => (number(payload) & ((1 << 34) - 1), number(payload) >> 34),
        (TimeFormat::Timestamp, 12) => (number(&payload[4..]), number(&payload[..4])),
        (TimeFormat::Fluentd, 8) => (number(&payload[..4]), number(&payload[4..])),
        (TimeFormat::Tinylib, 12) => (number(&payload[..8]), number(&payload[8..])),
        (TimeFormat::MsgpackLite, _) => {
            let milliseconds: i128 = match Head::read(payload).ok()? {
                (_, size) if size < payload.len() => return None,
                (Head::UInt(value), _) => value.into(),
                (Head::Int(value), _) => value.into(),
                (Head::Float64(value), _) if value.trunc() == value && value.abs() < 1e17 => value as i128,
                _ => return None,
            };
            return Some(milliseconds * 1_000_000);
        }
        _ => return None,
    };
    let is_valid = format != TimeFormat::Timestamp || i128::from(nanoseconds) < NANOS;
    is_valid.then_some(i128::from(seconds.cast_signed()) * NANOS + i128::from(nanoseconds))
}

impl Kind for Timestamps {
    fn push(&mut self, head: Head, cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
        let Head::Ext(code, length) = head else { return Ok(false) };
        let payload = cursor.take(length as usize)?;
        let Some(nanoseconds) = nanoseconds(code, payload, &self.extensions) else {
            if code != TIMESTAMP && self.extensions.get(code).is_none() {
                return Ok(false);
            }
            let found = format!("a timestamp extension of {length} bytes that its format does not have");
            return Err(Failure::unfit(RejectKind::Type, &DataType::Timestamp(self.unit, None), found));
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
        Ok(true)
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

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        Ok(array.add_buffer(Buffer::from_vec(std::mem::take(&mut self.values))))
    }
}
