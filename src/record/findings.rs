//! The findings of inference, and those that options give: enough to make a plan, small enough to travel to another process.

use std::fmt;

use arrow_schema::{DataType, Field};
use serde::{Deserialize, Serialize};

use super::{Prefix, RecordStart, VECTOR, vector_field, vector_type};
use crate::error::{Error, Result};
use crate::options::{Framing, OnError, OutputColumn};
use crate::text::bytes;
use crate::values::{ValueBuilder, tensor_shape};
use crate::vector::{Dtype, RawDtype};

/// How records lie in the inputs, what they are, and the columns that come of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Findings {
    pub(crate) framing: Framing,
    /// How lengths are written, under `length-prefixed` framing.
    pub(crate) prefix: Option<Prefix>,
    pub(crate) layout: Layout,
    pub(crate) columns: Vec<Column>,
    /// A field of records that names the type of the bytes beside it, and its value in the first record.
    pub(crate) dtype: Option<(String, String)>,
    /// How the record begins from which the layout was found.
    pub(crate) start: Option<RecordStart>,
    /// How framing and layout were found out.
    pub(crate) framing_from: String,
    pub(crate) layout_from: String,
    /// Sentences about bytes that look wrong and values that are lost, which a scan warns of.
    pub(crate) warnings: Vec<String>,
    /// Sentences about values that are kept as bytes, which `inspect` shows.
    pub(crate) left_out: Vec<String>,
}

/// The form of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Layout {
    Vector,
    Positional,
    Map,
}

impl Layout {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Positional => "positional",
            Self::Map => "map",
        }
    }
}

/// A column, and where in a record its values are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) path: Vec<Step>,
    pub(crate) field: Field,
    pub(crate) role: Role,
    /// How its first vector was written, for people.
    pub(crate) stored: Option<String>,
    /// The type of untyped bytes, in a vector column.
    pub(crate) raw: RawDtype,
    /// Arrays of integers hold the bits of halves of the type `raw`, in a vector column.
    pub(crate) is_bits: bool,
    /// Vectors are arrays of numbers, as far as is known, in a vector column.
    pub(crate) is_list: bool,
    /// Texts and bytes are base64 of the elements, in a vector column.
    pub(crate) is_base64: bool,
}

/// The source of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Vector,
    Value,
    /// The key, under `map` framing.
    Key,
    /// The name of the input.
    Path,
    /// The number of the record in its input.
    Record,
    /// The number of the input and the number of the record in it.
    Id,
}

impl Role {
    /// True for columns that are read from the records.
    pub(crate) fn is_read(self) -> bool {
        !matches!(self, Self::Path | Self::Record | Self::Id)
    }
}

/// One step of the way to a value: the value of a key in a map, or an item of an array.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Step {
    Position(u32),
    Name(String),
}

impl Step {
    /// The way that a user wrote as `name`: keys, separated by dots, and positions.
    pub(crate) fn parse(name: &str) -> Vec<Self> {
        let step = |part: &str| match part.parse() {
            Ok(position) => Self::Position(position),
            Err(_) => part
                .strip_prefix("column_")
                .and_then(|digits| digits.parse().ok())
                .map_or_else(|| Self::Name(part.to_owned()), Self::Position),
        };
        name.split('.').map(step).collect()
    }

    /// The step as a key of a map: a position stands for an integer.
    pub(crate) fn key(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Name(name) => name.into(),
            Self::Position(position) => position.to_string().into(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Position(position) => write!(f, "column_{position}"),
        }
    }
}

/// The name of the column at the end of `path`; records that are vectors have none.
pub(crate) fn column_name(path: &[Step]) -> String {
    if path.is_empty() {
        return VECTOR.to_owned();
    }
    path.iter().map(Step::to_string).collect::<Vec<_>>().join(".")
}

impl Column {
    /// A column that has no place in the records.
    pub(crate) fn of(field: Field, role: Role) -> Self {
        Self {
            path: Vec::new(),
            field,
            role,
            stored: None,
            raw: RawDtype::default(),
            is_bits: false,
            is_list: true,
            is_base64: false,
        }
    }

    /// The vectors that the column takes, in words.
    pub(crate) fn expected(&self) -> String {
        let dim = self.dim().unwrap_or(0);
        format!("{} ({dim} x {})", bytes(dim * self.raw.size()), self.raw)
    }

    pub(crate) fn name(&self) -> &str {
        self.field.name()
    }

    /// The dimension, of a vector column.
    pub(crate) fn dim(&self) -> Option<usize> {
        vector_type(self.field.data_type()).filter(|_| self.role == Role::Vector).map(|(dim, _)| dim)
    }

    /// Bytes a row takes at the least.
    pub(crate) fn width(&self) -> usize {
        match vector_type(self.field.data_type()) {
            Some((dim, dtype)) if self.role == Role::Vector => dim.saturating_mul(dtype.size()),
            _ => 8,
        }
    }

    /// Gives the column another type.
    pub(crate) fn retyped(self, field: &Field) -> Result<Self> {
        let field = field.clone().with_name(self.field.name());
        let is_bare = self.path.is_empty() && self.role == Role::Vector;
        match field.data_type() {
            DataType::FixedSizeList(..)
                if self.role != Role::Key && (is_bare || tensor_shape(&field).is_none()) =>
            {
                let Some((dim, dtype)) = vector_type(field.data_type()) else {
                    return Err(Error::schema(format!(
                        "option `schema`: column `{}` is a fixed-size list, which is read as a vector of float32, float64, float16, \
                         int8 or uint8, at least one of them; it is {}",
                        field.name(),
                        field.data_type()
                    )));
                };
                Ok(Self { role: Role::Vector, field: vector_field(field.name(), dim, dtype)?, ..self })
            }
            other if is_bare => {
                let element = Dtype::of(other).unwrap_or(Dtype::Float32);
                Err(Error::schema(format!(
                    "option `schema`: the records are bare vectors, so the column `{}` cannot be {other}: pass option \
                     `dtype={element}` for other elements, or a type of vectors such as {element}[{}]",
                    field.name(),
                    self.dim().unwrap_or(0)
                )))
            }
            _ => {
                ValueBuilder::of_field(&field, &Default::default()).map_err(|error| {
                    Error::schema(format!("option `schema`: column `{}`: {error}", field.name()))
                })?;
                let role = if self.role == Role::Key { Role::Key } else { Role::Value };
                Ok(Self { role, field, stored: None, ..self })
            }
        }
    }
}

impl Findings {
    /// The column of this name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name() == name)
    }

    /// What has to be read for the columns of these `fields`, so that the rows are those of all columns: everything, where what
    /// does not fit may cost a row, or where a vector may be a matrix of several rows; and one field at the least.
    pub(crate) fn needed(&self, fields: &[OutputColumn], on_error: OnError) -> Self {
        if self.layout == Layout::Vector || on_error != OnError::Raise {
            return self.clone();
        }
        let is_field = |column: &&Column| matches!(column.role, Role::Vector | Role::Value);
        let is_needed = |column: &&Column| fields.iter().any(|output| output.field == column.name());
        let mut columns: Vec<Column> = self.columns.iter().filter(is_needed).cloned().collect();
        if !columns.iter().any(|column| is_field(&column)) {
            let smallest = self.columns.iter().filter(is_field).min_by_key(|column| column.width());
            columns.extend(smallest.cloned());
        }
        Self { columns, ..self.clone() }
    }
}
