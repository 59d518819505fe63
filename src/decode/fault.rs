//! Why a record is no row, and how a reject says so.

use std::sync::Arc;

use crate::msgpack::Head;
use crate::record::{Content, Plan, Role, Slots};
use crate::reject::{Reject, RejectKind};
use crate::text::{bytes, printable};
use crate::values::{Words, type_name};

/// Why a record, or one of its values, fits no column. The text is formatted when a reject is kept:
/// most are only counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) kind: RejectKind,
    pub(super) column: Option<usize>,
    /// The way to the value inside of the column.
    pub(super) path: String,
    pub(super) expected: Option<Words>,
    pub(super) found: Words,
}

impl Fault {
    pub(super) fn new(kind: RejectKind, column: Option<usize>, found: impl Into<Words>) -> Self {
        Self { kind, column, path: String::new(), expected: None, found: found.into() }
    }

    /// A value of another type than its column.
    pub(super) fn of_type(column: Option<usize>, found: impl Into<Words>) -> Self {
        Self::new(RejectKind::Type, column, found)
    }

    /// A record of more than `max_record_bytes`.
    pub(super) fn too_large(length: u64) -> Self {
        Self::new(RejectKind::TooLarge, None, format!("a record of {}", bytes(length)))
    }

    /// A second value for a column.
    pub(super) fn twice(column: Option<usize>) -> Self {
        Self::of_type(column, "a key that comes twice").expecting("every key once")
    }

    /// A fault of the input, not of a field.
    pub(super) fn of_input(kind: RejectKind, expected: impl Into<Words>, found: impl Into<Words>) -> Self {
        Self::new(kind, None, found).expecting(expected)
    }

    /// 0xc1 at this byte of the input.
    pub(super) fn reserved_byte(offset: u64) -> Self {
        let found = format!("the byte 0xc1 at byte {offset}");
        Self::of_input(RejectKind::Invalid, "a MessagePack object", found)
    }

    /// The same fault with other words for what was expected.
    pub(super) fn expecting(self, expected: impl Into<Words>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// The reject of a record, whose place is not in it.
    pub(super) fn reject(&self, plan: &Plan) -> Reject {
        Reject {
            file: "".into(),
            record: 0,
            offset: 0,
            length: 0,
            field: self.field(plan),
            kind: self.kind,
            expected: self.expected(plan).into(),
            found: self.found.to_string().into(),
        }
    }

    /// The field at fault.
    fn field(&self, plan: &Plan) -> Option<Arc<str>> {
        let is_of_input = matches!(self.kind, RejectKind::Truncated | RejectKind::Invalid);
        let only = match plan.content {
            Content::Vector(column) if !is_of_input => column,
            _ => None,
        };
        let column = self.column.or(only)?;
        Some(format!("{}{}", plan.columns.get(column)?.name(), self.path).into())
    }

    /// The values that the column takes.
    pub(super) fn expected(&self, plan: &Plan) -> String {
        if let Some(expected) = &self.expected {
            return expected.to_string();
        }
        if self.kind == RejectKind::TooLarge {
            return format!("at most {} bytes (option `max_record_bytes`)", plan.options.max_record_bytes);
        }
        let only = if let Content::Vector(column) = plan.content { column } else { None };
        let Some(column) = self.column.or(only).and_then(|column| plan.columns.get(column)) else {
            return expected_record(plan).to_owned();
        };
        match column.dim() {
            // A bare vector of another type was most likely meant to be bytes.
            Some(_) if only.is_some() && matches!(self.kind, RejectKind::Type | RejectKind::Unsupported) => {
                format!("a vector of {}", column.expected())
            }
            Some(dim) => match self.found {
                Words::Head(Head::Bin(_)) => column.expected(),
                _ => format!("a vector of {dim} elements"),
            },
            None => type_name(column.field.data_type()),
        }
    }

    /// How to read a value that does not fit the type that inference found for its column.
    pub(super) fn hint(&self, plan: &Plan) -> Option<String> {
        let column = plan.columns.get(self.column?)?;
        let is_inferred = plan.options.schema.index_of(column.name()).is_err();
        let is_value = column.role == Role::Value && is_inferred;
        let is_of_type = match self.kind {
            // Of another type than the column, and not a key that comes twice.
            RejectKind::Type => !matches!(self.expected, Some(Words::Text(_))),
            kind => kind == RejectKind::Value,
        };
        (is_value && is_of_type && plan.options.infer_records > 0).then(|| {
            format!(
                "the type of `{}` is that of its values in the first {} records: give another with option `schema`, pass option \
                 `infer_records=0` to look at all of them, or leave the field out with option `columns`",
                printable(column.name()),
                plan.options.infer_records
            )
        })
    }
}

/// The form of a record by the plan.
pub(super) fn expected_record(plan: &Plan) -> &'static str {
    match &plan.content {
        Content::Items(Slots { is_map: false, .. }) => "an array of fields",
        Content::Items(_) => "a map of fields",
        Content::Vector(_) => "a vector",
    }
}
