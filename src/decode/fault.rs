//! Why a record is no row, and how a reject says so.

use std::sync::Arc;

use crate::msgpack::Head;
use crate::record::{Column, Content, Plan, Role, Slots};
use crate::reject::{Reject, RejectKind};
use crate::text::{bytes, printable};
pub(super) use crate::values::Fault;
use crate::values::{Words, type_name};

impl Fault {
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

    /// The column at fault: that of the vector, where a record is nothing else.
    fn column<'a>(&self, plan: &'a Plan) -> Option<&'a Column> {
        let only = if let Content::Vector(column) = plan.content { column } else { None };
        plan.columns.get(self.column.or(only)?)
    }

    /// The field at fault.
    fn field(&self, plan: &Plan) -> Option<Arc<str>> {
        let is_of_input = matches!(self.kind, RejectKind::Truncated | RejectKind::Invalid);
        let column = self.column(plan).filter(|_| self.column.is_some() || !is_of_input)?;
        Some(format!("{}{}", column.name(), self.path).into())
    }

    /// The values that the column takes.
    pub(super) fn expected(&self, plan: &Plan) -> String {
        if let Some(expected) = &self.expected {
            return expected.to_string();
        }
        if self.kind == RejectKind::TooLarge {
            return format!("at most {} bytes (option `max_record_bytes`)", plan.options.max_record_bytes);
        }
        let Some(column) = self.column(plan) else { return expected_record(plan).to_owned() };
        let is_bare = matches!(plan.content, Content::Vector(Some(_)));
        match (column.dim(), self.kind, &self.found) {
            (None, ..) => type_name(column.field.data_type()),
            // A bare vector of another type was most likely meant to be bytes.
            (_, RejectKind::Type | RejectKind::Unsupported, _) if is_bare => {
                format!("a vector of {}", column.expected())
            }
            (_, _, Words::Head(Head::Bin(_))) => column.expected(),
            (Some(dim), ..) => format!("a vector of {dim} elements"),
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
