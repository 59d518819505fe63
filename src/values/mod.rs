//! Columns of everything that is no vector: numbers, booleans, text, bytes, timestamps, lists and structs of them.
//!
//! A value that does not fit its column is an error with the path to it, never a null and never another number. After an error
//! a column may hold part of a row: [`ValueBuilder::truncate`] takes it back.

mod bytes;
mod list;
mod number;
mod structs;
mod time;

use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, make_array};
use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder};
use arrow_data::{ArrayData, ArrayDataBuilder};
use arrow_schema::{DataType, Field};
use half::f16;

use crate::error::{Error, Result};
use crate::msgpack::{Broken, Cursor, Head};
use crate::reject::RejectKind;
use crate::vector::encoding::{self, Elements, Encoded, Seen, Types};
use crate::vector::{Extensions, NO_EXTENSIONS, Payload, RawDtype, Scalar};

pub(crate) use bytes::MOST;
pub(crate) use list::{tensor_field, tensor_shape};
pub(crate) use structs::{Keys, key};
pub(crate) use time::{TIMESTAMP, nanoseconds};

/// Why a value could not be added to a column.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The bytes end too early, or are not MessagePack.
    Broken(Broken),
    /// The value is not of the column's type.
    Unfit(Box<Fault>),
}

/// Why a record, or one of its values, fits no column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: RejectKind,
    pub(crate) column: Option<usize>,
    /// The way to the value inside of the column: `.name` for a field, `[3]` for an item.
    pub(crate) path: String,
    /// `None` where the column tells it.
    pub(crate) expected: Option<Words>,
    pub(crate) found: Words,
}

/// A value in words: the expected one, or the one that was found. Most faults are only counted, so
/// the text is formatted when a reject is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Words {
    Text(String),
    Type(DataType),
    Head(Head),
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Type(data_type) => f.write_str(&type_name(data_type)),
            Self::Head(head) => write!(f, "{head}"),
        }
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&DataType> for Words {
    fn from(data_type: &DataType) -> Self {
        Self::Type(data_type.clone())
    }
}

impl From<Head> for Words {
    fn from(head: Head) -> Self {
        Self::Head(head)
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Fault {
    pub(crate) fn new(kind: RejectKind, column: Option<usize>, found: impl Into<Words>) -> Self {
        Self { kind, column, path: String::new(), expected: None, found: found.into() }
    }

    /// The same fault with other words for what was expected.
    pub(crate) fn expecting(self, expected: impl Into<Words>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }
}

impl Failure {
    fn unfit(kind: RejectKind, expected: impl Into<Words>, found: impl Into<Words>) -> Self {
        Self::Unfit(Box::new(Fault::new(kind, None, found).expecting(expected)))
    }

    /// Says where the value was found, from the inside out.
    fn within(mut self, outer: fmt::Arguments<'_>) -> Self {
        if let Self::Unfit(unfit) = &mut self {
            unfit.path.insert_str(0, &outer.to_string());
        }
        self
    }
}

/// What columns of one kind have in common with no others.
trait Kind: Send {
    /// Adds the value at `cursor`, which is not nil and of which `head` has been read; false where it is none that the
    /// column takes.
    fn push(&mut self, head: Head, _cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
        Ok(Scalar::of(head).is_some_and(|scalar| self.push_scalar(scalar, false)))
    }

    /// Adds the value at the start of `bytes`, if it is one that the column takes, written in a way that is
    /// common. The result is how many bytes it takes; `None` where nothing was added.
    fn push_common(&mut self, _bytes: &[u8]) -> Option<usize> {
        None
    }

    /// Adds a number; false where it does not fit or numbers have no place here.
    fn push_scalar(&mut self, _scalar: Scalar, _is_bool: bool) -> bool {
        false
    }

    /// Adds the elements of a typed array; false where arrays have no place here.
    fn push_elements(&mut self, _elements: &Encoded<'_>) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Adds whatever stands in the place of a null.
    fn push_empty(&mut self);

    fn truncate(&mut self, rows: usize);

    /// Bytes held, as far as they depend on the values.
    fn size(&self) -> usize {
        0
    }

    /// Adds the values to the `array`; the builder is then empty.
    fn finish(&mut self, array: ArrayDataBuilder) -> Result<ArrayDataBuilder>;
}

/// Builds a column that is no vector column.
pub(crate) struct ValueBuilder {
    data_type: DataType,
    is_nullable: bool,
    kind: Box<dyn Kind>,
    rows: usize,
    /// The validity of the rows up to the last null. Values without nulls do not touch it.
    nulls: NullBufferBuilder,
    extensions: Arc<Extensions>,
}

impl ValueBuilder {
    /// A column of `data_type`, an error if values cannot be read into such a one.
    pub(crate) fn new(data_type: &DataType) -> Result<Self> {
        Self::of_field(&Field::new("", data_type.clone(), true), &Arc::new(NO_EXTENSIONS.clone()))
    }

    /// A column for `field`, which may be one of tensors, where options give the payloads of extension types.
    pub(crate) fn of_field(field: &Field, extensions: &Arc<Extensions>) -> Result<Self> {
        let kind: Box<dyn Kind> = match (tensor_shape(field), field.data_type()) {
            (Some(shape), DataType::FixedSizeList(item, size)) => {
                Box::new(list::Tensors::new(item, *size, shape)?)
            }
            (_, data_type) => Self::kind(data_type, extensions)?,
        };
        Ok(Self {
            data_type: field.data_type().clone(),
            is_nullable: field.is_nullable(),
            kind,
            rows: 0,
            nulls: NullBufferBuilder::new(0),
            extensions: extensions.clone(),
        })
    }

    fn kind(data_type: &DataType, extensions: &Arc<Extensions>) -> Result<Box<dyn Kind>> {
        use DataType as D;
        Ok(match data_type {
            D::Null => Box::new(number::Nothing),
            D::Boolean => Box::new(number::Booleans(BooleanBufferBuilder::new(0))),
            D::Timestamp(unit, _) => Box::new(time::Timestamps::new(*unit, extensions)),
            D::Utf8 => Box::new(bytes::Strings::new(true, false)),
            D::LargeUtf8 => Box::new(bytes::Strings::new(true, true)),
            D::Binary => Box::new(bytes::Strings::new(false, false)),
            D::LargeBinary => Box::new(bytes::Strings::new(false, true)),
            D::List(item) => Box::new(list::Lists::new(item, false, extensions)?),
            D::LargeList(item) => Box::new(list::Lists::new(item, true, extensions)?),
            D::Struct(fields) => Box::new(structs::Structs::new(fields, extensions)?),
            D::Int8 => number::numbers::<i8>(Scalar::to_integer),
            D::Int16 => number::numbers::<i16>(Scalar::to_integer),
            D::Int32 => number::numbers::<i32>(Scalar::to_integer),
            D::Int64 => number::numbers::<i64>(Scalar::to_integer),
            D::UInt8 => number::numbers::<u8>(Scalar::to_integer),
            D::UInt16 => number::numbers::<u16>(Scalar::to_integer),
            D::UInt32 => number::numbers::<u32>(Scalar::to_integer),
            D::UInt64 => number::numbers::<u64>(Scalar::to_integer),
            D::Float16 => number::numbers::<f16>(Scalar::to),
            D::Float32 => number::numbers::<f32>(Scalar::to),
            D::Float64 => number::numbers::<f64>(Scalar::to),
            other => {
                return Err(Error::schema(format!(
                    "{other} is no type that records are read into: use null, bool, integers, floats, timestamps, \
                     string, binary, list or struct"
                )));
            }
        })
    }

    #[inline]
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held, as far as they depend on the values.
    pub(crate) fn size(&self) -> usize {
        self.kind.size()
    }

    /// Adds the value at `cursor`, and steps over it, if it is written in a common way. False for anything
    /// else; then nothing was added.
    #[inline]
    pub(crate) fn push_common(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let added = self.kind.push_common(cursor.rest()).is_some_and(|taken| cursor.take(taken).is_ok());
        self.rows += usize::from(added);
        added
    }

    /// Adds the next value.
    pub(crate) fn push(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Failure> {
        if self.push_common(cursor) {
            return Ok(());
        }
        let mut ahead = *cursor;
        let head = ahead.head()?;
        if matches!(head, Head::Nil | Head::Ext(0, 1)) && is_nil(*cursor)? {
            if !self.is_nullable {
                return Err(Failure::unfit(RejectKind::Type, &self.data_type, Head::Nil));
            }
            cursor.skip()?;
            self.push_null();
            return Ok(());
        }
        let payload = if let Head::Ext(code, _) = head { self.extensions.get(code) } else { None };
        // A column of bytes keeps the payload of an extension, whatever is in it.
        let is_kept = self.data_type.is_binary() && matches!(head, Head::Ext(..)) && payload.is_none();
        // What libraries write for NumPy's scalars and arrays.
        if matches!(head, Head::Map(_) | Head::Ext(..) | Head::Array(3 | 4))
            && !matches!(self.data_type, DataType::Struct(_))
            && !is_kept
            && self.push_array(cursor)?
        {
            return Ok(());
        }
        *cursor = ahead;
        let added = match payload {
            // The object inside takes the place of the extension.
            Some(Payload::MessagePack) if !self.data_type.is_binary() => {
                let mut inside = Cursor::new(cursor.take(head.payload() as usize)?);
                match inside.head().map(|head| self.kind.push(head, &mut inside)) {
                    Ok(Err(Failure::Broken(_))) | Err(_) => false,
                    Ok(pushed) => pushed?,
                }
            }
            _ => self.kind.push(head, cursor)?,
        };
        if !added {
            let is_number = Scalar::of(head).is_some() && self.data_type.is_numeric();
            let kind = if is_number { RejectKind::Value } else { RejectKind::Type };
            return Err(Failure::unfit(kind, &self.data_type, head));
        }
        self.rows += 1;
        Ok(())
    }

    /// Adds what a library writes for an array or a number of one, and skips it; false where it is none that the column
    /// takes.
    fn push_array(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Failure> {
        let types = Types { raw: RawDtype::default(), extensions: &self.extensions };
        match encoding::read(cursor, types)? {
            Seen::Vector(encoded) if encoded.encoding.is_typed() => self.push_encoded(&encoded),
            Seen::Refused(what) => Err(Failure::unfit(RejectKind::Unsupported, &self.data_type, what)),
            _ => Ok(false),
        }
    }

    /// Adds an array of a library, or a number of one.
    pub(crate) fn push_typed(&mut self, encoded: &Encoded<'_>) -> Result<(), Failure> {
        match self.push_encoded(encoded)? {
            true => Ok(()),
            false => Err(Failure::unfit(RejectKind::Type, &self.data_type, encoded.describe())),
        }
    }

    /// The same; false where arrays have no place in the column.
    fn push_encoded(&mut self, encoded: &Encoded<'_>) -> Result<bool, Failure> {
        if encoded.is_scalar {
            let pushed = self.push_scalars(&encoded.elements);
            return pushed.map(|()| true).map_err(|(_, failure)| failure);
        }
        let added = self.kind.push_elements(encoded)?;
        self.rows += usize::from(added);
        Ok(added)
    }

    fn push_scalar(&mut self, scalar: Scalar, is_bool: bool) -> bool {
        let added = self.kind.push_scalar(scalar, is_bool);
        self.rows += usize::from(added);
        added
    }

    /// Adds each element as a value. The error has the index of the one that does not fit.
    fn push_scalars(&mut self, elements: &Elements<'_>) -> Result<(), (usize, Failure)> {
        let is_bool = elements.format.is_bool();
        for (index, scalar) in elements.scalars().enumerate() {
            if !self.push_scalar(scalar, is_bool) {
                let unfit = Failure::unfit(RejectKind::Value, &self.data_type, scalar.to_string());
                return Err((index, unfit));
            }
        }
        Ok(())
    }

    pub(crate) fn push_null(&mut self) {
        self.kind.push_empty();
        self.nulls.append_n_non_nulls(self.rows - self.nulls.len());
        self.nulls.append_null();
        self.rows += 1;
    }

    /// Drops what stands behind the first `rows` rows, a row that is there in part included.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.kind.truncate(rows);
        self.nulls.truncate(rows);
        self.rows = self.rows.min(rows);
    }

    /// The column; the builder is then empty.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let rows = std::mem::take(&mut self.rows);
        self.nulls.append_n_non_nulls(rows - self.nulls.len());
        let nulls = self.nulls.finish().filter(|_| self.data_type != DataType::Null);
        let array = ArrayData::builder(self.data_type.clone()).len(rows).nulls(nulls);
        Ok(make_array(self.kind.finish(array)?.build()?))
    }
}

/// True for nil, and for the extension that JavaScript's msgpackr writes for `undefined`.
pub(crate) fn is_nil(mut cursor: Cursor<'_>) -> Result<bool, Broken> {
    Ok(match cursor.head()? {
        Head::Nil => true,
        Head::Ext(0, 1) => cursor.take(1)? == [0],
        _ => false,
    })
}

/// A type as a message names it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => {
            "nil (no record that inference looked at had a value that a column can hold)".to_owned()
        }
        DataType::Boolean => "a boolean".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary => "bytes".to_owned(),
        DataType::Timestamp(..) => "a timestamp".to_owned(),
        DataType::List(item) | DataType::LargeList(item) => {
            format!("a list with items that are {}", type_name(item.data_type()))
        }
        DataType::Struct(_) => "a map".to_owned(),
        number => format!("a number that fits {}", number.to_string().to_lowercase()),
    }
}

#[cfg(test)]
#[path = "../values_tests.rs"]
mod tests;
