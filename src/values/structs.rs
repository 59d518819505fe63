//! Columns of structs: MessagePack's maps, with the same keys in any order, some missing.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::Array;
use arrow_data::ArrayDataBuilder;
use arrow_schema::{FieldRef, Fields};

use super::{Failure, Kind, ValueBuilder};
use crate::error::Result;
use crate::msgpack::{Broken, Cursor, Head, MAX_HEAD};
use crate::reject::RejectKind;
use crate::vector::Extensions;

pub(super) struct Structs {
    fields: Fields,
    keys: Keys,
    columns: Vec<ValueBuilder>,
    rows: usize,
}

impl Structs {
    pub(super) fn new(fields: &Fields, extensions: &Arc<Extensions>) -> Result<Self> {
        let column = |field: &FieldRef| ValueBuilder::of_field(field, extensions);
        let columns = fields.iter().map(column).collect::<Result<_>>()?;
        let keys = Keys::new(fields.iter().map(|field| field.name().as_bytes()));
        Ok(Self { fields: fields.clone(), keys, columns, rows: 0 })
    }
}

impl Kind for Structs {
    fn push(&mut self, head: Head, cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
        let Head::Map(pairs) = head else { return Ok(false) };
        cursor.require(2 * u64::from(pairs))?;
        let mut next = 0;
        for _ in 0..pairs {
            let Some(index) = self.keys.read(cursor, &mut next)? else {
                cursor.skip()?;
                continue;
            };
            let (field, column) = (&self.fields[index], &mut self.columns[index]);
            let within = |failure: Failure| failure.within(format_args!(".{}", field.name()));
            if column.rows() > self.rows {
                let twice = Failure::unfit(RejectKind::Type, "every key once", "a key that comes twice");
                return Err(within(twice));
            }
            column.push(cursor).map_err(within)?;
        }
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            if column.rows() == self.rows {
                if !field.is_nullable() {
                    let missing = Failure::unfit(RejectKind::Type, field.data_type(), "no such key");
                    return Err(missing.within(format_args!(".{}", field.name())));
                }
                column.push_null();
            }
        }
        self.rows += 1;
        Ok(true)
    }

    fn push_empty(&mut self) {
        self.columns.iter_mut().for_each(ValueBuilder::push_null);
        self.rows += 1;
    }

    fn truncate(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
        self.rows = self.rows.min(rows);
    }

    fn size(&self) -> usize {
        self.columns.iter().map(ValueBuilder::size).sum()
    }

    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder> {
        self.rows = 0;
        let columns = self.columns.iter_mut().map(|column| Ok(column.finish()?.to_data()));
        Ok(array.child_data(columns.collect::<Result<_>>()?))
    }
}

/// Finds what belongs to a key. Maps written by one producer have their keys in one order most of the time, so the key that
/// followed the last time is tried first. Others are looked up in a table whose hashes no input can foresee.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    /// The keys as most producers write them: the head of a string, and the string.
    strings: Vec<Box<[u8]>>,
    places: HashMap<Box<[u8]>, usize>,
}

/// A decimal integer of 64 bits.
const MOST_DIGITS: usize = 20;

impl Keys {
    pub(crate) fn new<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Self {
        let keys: Vec<&[u8]> = keys.collect();
        let places = keys.iter().map(|&key| Box::from(key)).zip(0..).collect();
        Self { strings: keys.into_iter().map(string).collect(), places }
    }

    /// The place of `key`: a new one if it has none.
    pub(crate) fn place(&mut self, key: &[u8]) -> usize {
        *self.places.entry(key.into()).or_insert_with(|| {
            self.strings.push(string(key));
            self.strings.len() - 1
        })
    }

    /// Reads the next key and gives its place; `None` if it has none. Strings, bytes and integers are keys; whatever else
    /// stands there is stepped over. `next` is where the last key was found, and one more.
    #[inline(always)]
    pub(crate) fn read(&self, cursor: &mut Cursor<'_>, next: &mut usize) -> Result<Option<usize>, Broken> {
        if let Some(expected) = self.strings.get(*next)
            && cursor.take_if_next(expected)
        {
            *next += 1;
            return Ok(Some(*next - 1));
        }
        self.find(cursor, next)
    }

    fn find(&self, cursor: &mut Cursor<'_>, next: &mut usize) -> Result<Option<usize>, Broken> {
        let mut digits = [0; MOST_DIGITS];
        let Some(key) = key(cursor, &mut digits)? else { return Ok(None) };
        Ok(self.places.get(key).copied().inspect(|place| *next = place + 1))
    }
}

/// A string in MessagePack, with the shortest head.
fn string(text: &[u8]) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(text.len() + MAX_HEAD);
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    // A vector takes all that is written to it.
    let _written = rmp::encode::write_str_len(&mut bytes, length);
    bytes.extend_from_slice(text);
    bytes.into()
}

/// Reads a key: bytes, or an integer in decimal; `None` for anything else, which is stepped over.
pub(crate) fn key<'a, 'b: 'a>(
    cursor: &mut Cursor<'b>,
    digits: &'a mut [u8; MOST_DIGITS],
) -> Result<Option<&'a [u8]>, Broken> {
    let before = *cursor;
    let mut rest = &mut digits[..];
    // An integer of 64 bits has no more digits than there is room for, its sign included.
    let _written = match cursor.head()? {
        Head::Str(length) | Head::Bin(length) => return cursor.take(length as usize).map(Some),
        Head::UInt(value) => write!(rest, "{value}"),
        Head::Int(value) => write!(rest, "{value}"),
        _ => {
            *cursor = before;
            cursor.skip()?;
            return Ok(None);
        }
    };
    let written = MOST_DIGITS - rest.len();
    Ok(Some(&digits[..written]))
}
