//! One record: its fields into their columns, or what is wrong with it.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;

use super::Decoder;
use super::columns::Columns;
use crate::error::Error;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, OnError};
use crate::record::{Content, Held, Passed, Plan, Role, Slots, swallows_another};
use crate::reject::RejectKind;
use crate::values::{Failure, is_nil, type_name};
use crate::vector::encoding::{self, Elements, Encoded, Encoding, Seen, is_npy_next, leaves_messagepack};
use crate::vector::{Format, RawDtype, Template};

/// A key of more bytes is text.
const LONGEST_KEY: u32 = 255;

/// What adding a record came to.
pub(super) enum Pushed {
    /// All of it is there; records to come may be like it.
    Whole(Option<Template>),
    /// The batch is full, and rows of it are left.
    Partly,
}

/// Why a record was not added.
pub(super) enum Stop {
    Broken(Broken),
    /// From here on the bytes mean something else than in MessagePack.
    NotMessagePack(&'static str),
    Fault(Fault),
    /// What is no fault of the record.
    Error(Error),
}

impl Stop {
    /// The element of a vector at which it was no good.
    pub(super) fn element(&self) -> usize {
        match self {
            Self::Fault(Fault { found: Found::Element(index, _), .. }) => *index,
            _ => 0,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What is wrong with a record or one of its values. Words are found only where somebody will read them.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: RejectKind,
    column: Option<usize>,
    /// Further into the column.
    path: String,
    pub(super) expected: Option<String>,
    pub(super) found: Found,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    Head(Head),
    /// So many bytes, for a vector.
    Bytes(usize),
    /// An array of so many numbers, for a vector.
    Numbers(usize),
    /// Something else than a number, as an element.
    Element(usize, Head),
    /// A record of so many bytes at the least.
    Record(u64),
    Missing,
    Words(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => write!(f, "{head}"),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Numbers(count) => write!(f, "an array of {count}"),
            Self::Element(index, head) => write!(f, "{head} in element {index}"),
            Self::Record(bytes) => write!(f, "a record of {bytes} bytes"),
            Self::Missing => f.write_str("no such field"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl Fault {
    fn new(kind: RejectKind, column: Option<usize>, found: Found) -> Self {
        Self { kind, column, path: String::new(), expected: None, found }
    }

    /// Something of another type than expected.
    pub(super) fn of_type(column: Option<usize>, found: Found) -> Self {
        Self::new(RejectKind::Type, column, found)
    }

    /// The record is larger than may be.
    pub(super) fn too_large(bytes: u64) -> Self {
        Self::new(RejectKind::TooLarge, None, Found::Record(bytes))
    }

    /// Something else than the array or map of records.
    pub(super) fn of_framing(framing: Framing, head: Head) -> Self {
        let expected = format!("{} of records (framing `{0}`)", framing.as_str());
        Self { expected: Some(expected), ..Self::of_type(None, Found::Head(head)) }
    }

    /// A fault of the input rather than of a field.
    pub(super) fn input(kind: RejectKind, expected: String, found: String) -> Self {
        Self { expected: Some(expected), ..Self::new(kind, None, Found::Words(found)) }
    }

    /// The field at fault.
    pub(super) fn field(&self, plan: &Plan) -> Option<Arc<str>> {
        let only = match plan.content {
            Content::Vector(column) if !self.is_of_input() => column,
            _ => None,
        };
        let column = self.column.or(only)?;
        Some(format!("{}{}", plan.columns.get(column)?.name(), self.path).into())
    }

    fn is_of_input(&self) -> bool {
        matches!(self.kind, RejectKind::Truncated | RejectKind::Invalid)
    }

    /// What would have been right.
    pub(super) fn expected(&self, plan: &Plan) -> String {
        if let Some(expected) = &self.expected {
            return expected.clone();
        }
        if self.kind == RejectKind::TooLarge {
            return format!("at most {} bytes (max_record_bytes)", plan.max_record_bytes);
        }
        let only = if let Content::Vector(column) = plan.content { column } else { None };
        let Some(column) = self.column.or(only).and_then(|column| plan.columns.get(column)) else {
            return match &plan.content {
                Content::Items(Slots { is_map: false, .. }) => "an array of fields".to_owned(),
                Content::Items(_) => "a map of fields".to_owned(),
                Content::Vector(_) => "a vector".to_owned(),
            };
        };
        match column.dim() {
            // Bytes are what a bare vector most likely should have been.
            Some(dim)
                if only.is_some() && matches!(self.kind, RejectKind::Type | RejectKind::Unsupported) =>
            {
                format!("a vector of {}", plan.expected(dim))
            }
            Some(dim) => match self.found {
                Found::Bytes(_) => plan.expected(dim),
                _ => format!("a vector of {dim} elements"),
            },
            None => type_name(column.field.data_type()),
        }
    }
}

/// The template of the record at `cursor`, if it is a good vector and others can be like it.
pub(super) fn template(plan: &Plan, cursor: &mut Cursor<'_>) -> Result<Option<Template>, Broken> {
    let (Content::Vector(Some(column)), start) = (&plan.content, cursor.at()) else { return Ok(None) };
    let Some(dim) = plan.columns[*column].dim() else { return Ok(None) };
    match encoding::read(cursor, plan.raw)? {
        Seen::Vector(encoded) if encoded.dim == dim && encoded.is_whole() => {
            let record = cursor.since(start);
            let fits = record.len() as u64 <= plan.max_record_bytes;
            Ok(if fits { Template::of(record, &encoded) } else { None })
        }
        _ => Ok(None),
    }
}

impl Decoder {
    /// Adds the record at `cursor` to the columns, and steps over it.
    pub(super) fn push_record(&mut self, cursor: &mut Cursor<'_>) -> Result<Pushed, Stop> {
        let plan = self.plan.clone();
        let key = *cursor;
        if plan.framing == Framing::Map {
            match plan.key {
                Some(column) => self.columns.push_field(&plan, column, cursor)?,
                None => cursor.skip()?,
            }
        }
        match &plan.content {
            Content::Vector(column) => self.push_bare(&plan, *column, key, cursor),
            Content::Items(slots) => {
                self.columns.push_fields(&plan, slots, cursor)?;
                self.columns.push_missing(&plan)?;
                self.columns.push_record(self.position.record);
                Ok(Pushed::Whole(None))
            }
        }
    }

    fn push_bare<'a>(
        &mut self,
        plan: &Plan,
        column: Option<usize>,
        key: Cursor<'a>,
        cursor: &mut Cursor<'a>,
    ) -> Result<Pushed, Stop> {
        let start = cursor.at();
        let encoded = match column {
            Some(column) => Some(read_vector(plan, column, cursor)?),
            None => skip_vector(plan, cursor)?,
        };
        if let Some(encoded) = encoded.as_ref().filter(|encoded| encoded.rows != 1) {
            return self.push_rows(plan, column, encoded, key, cursor);
        }
        let mut template = None;
        if let (Some(column), Some(encoded)) = (column, &encoded) {
            self.columns
                .push_vector(column, &encoded.elements)?
                .map_err(|index| Stop::Fault(unfit(plan, column, &encoded.elements, index)))?;
            if plan.framing != Framing::Map {
                template = Template::of(cursor.since(start), encoded);
            }
        }
        self.columns.push_record(self.position.record);
        Ok(Pushed::Whole(template))
    }

    /// Adds the rows of a matrix, each with the `key` there is. Each is judged on its own; those that do not fit into the batch come
    /// with the next one.
    fn push_rows(
        &mut self,
        plan: &Plan,
        column: Option<usize>,
        encoded: &Encoded<'_>,
        key: Cursor<'_>,
        cursor: &Cursor<'_>,
    ) -> Result<Pushed, Stop> {
        debug_assert!(encoded.dim > 0);
        let length = cursor.at() as u64;
        if length > plan.max_record_bytes {
            return Ok(Pushed::Whole(None));
        }
        // Each row brings its own.
        plan.key.into_iter().for_each(|column| self.columns.take_back(column));
        for elements in encoded.rows_from(self.position.rows) {
            if self.columns.is_full() {
                // What is wrong with the key is noted again when the next rows come.
                drop(self.columns.take_faults());
                return Ok(Pushed::Partly);
            }
            if let Some(column) = column
                && let Err(index) = self.columns.push_vector(column, &elements)?
            {
                let row = self.position.rows;
                let fault = unfit(plan, column, &elements, index);
                let fault = Fault { path: format!("[{row}]"), ..fault };
                match plan.on_error {
                    OnError::Raise => return Err(Stop::Fault(fault)),
                    OnError::Skip => {}
                    OnError::Null => self.columns.push_null(column)?,
                }
                let _counted = self.reject(fault, self.position.offset, length);
                if plan.on_error == OnError::Skip {
                    self.position.rows += 1;
                    continue;
                }
            }
            if let Some(column) = plan.key {
                self.columns.push_key_again(column, key)?;
            }
            self.columns.push_record(self.position.record);
            self.columns.commit();
            self.position.rows += 1;
        }
        Ok(Pushed::Whole(None))
    }
}

impl Columns {
    /// Adds the fields of the record at `cursor` to the columns they belong to.
    pub(super) fn push_fields(
        &mut self,
        plan: &Plan,
        slots: &Slots,
        cursor: &mut Cursor<'_>,
    ) -> Result<(), Stop> {
        let record = *cursor;
        let head = record.peek()?;
        let items = if let Head::Map(items) | Head::Array(items) = head { items } else { 0 };
        self.push_items(plan, slots, cursor, Some(Passed::new(record, slots.is_map, items)))?;
        match head {
            Head::Array(items) if items > slots.items && swallows_another(record, slots.items)? => {
                let fault = Fault::of_type(None, Found::Words(format!("{head} with another record in it")));
                let expected = format!("an array of {}", slots.items);
                Err(Stop::Fault(Fault { expected: Some(expected), ..fault }))
            }
            _ => Ok(()),
        }
    }

    /// Adds the items of the map or array at `cursor` to the columns they belong to. The values of a record hold no others, by the fields
    /// that were passed.
    fn push_items(
        &mut self,
        plan: &Plan,
        slots: &Slots,
        cursor: &mut Cursor<'_>,
        mut passed: Option<Passed<'_>>,
    ) -> Result<(), Stop> {
        let before = *cursor;
        let items = match cursor.head()? {
            Head::Map(pairs) if slots.is_map => pairs,
            Head::Array(items) if !slots.is_map => items,
            head => {
                *cursor = before;
                if let Some(what) = leaves_messagepack(head) {
                    return Err(Stop::NotMessagePack(what));
                }
                return Err(Stop::Fault(not_fields(cursor, head)?));
            }
        };
        cursor.require(u64::from(items) * if slots.is_map { 2 } else { 1 })?;
        let mut next = 0;
        for position in 0..items as usize {
            let key = *cursor;
            let place = if slots.is_map { slots.keys.read(cursor, &mut next)? } else { Some(position) };
            if place.is_none()
                && let Some(found) = no_key(key)?
            {
                let fault = Fault::of_type(None, Found::Words(format!("{found} for a key")));
                return Err(Stop::Fault(Fault { expected: Some("keys of a map".to_owned()), ..fault }));
            }
            let slot = place.and_then(|place| slots.slots.get(place));
            if let Some(inside) = slot.and_then(|slot| slot.inside.as_ref()) {
                let mut within = *cursor;
                // What is no map has no such fields: they are missing.
                let is_map = matches!(within.peek()?, Head::Map(_));
                if is_map == inside.is_map && matches!(within.peek()?, Head::Map(_) | Head::Array(_)) {
                    self.push_items(plan, inside, &mut within, None)?;
                }
            }
            let start = cursor.at();
            let column = slot.and_then(|slot| slot.column);
            match column {
                Some(column) => self.push_field(plan, column, cursor)?,
                None => cursor.skip()?,
            }
            if let Some(passed) = &mut passed {
                if !column.is_some_and(|column| plan.columns[column].role == Role::Vector) {
                    self.check_value(plan, passed, (column, key.at()), cursor.since(start))?;
                }
                passed.pass(key.at(), start);
            }
        }
        Ok(())
    }

    /// Fails where the `value` behind the fields that were passed holds the records behind its own.
    fn check_value(
        &mut self,
        plan: &Plan,
        passed: &mut Passed<'_>,
        (column, key): (Option<usize>, usize),
        value: &[u8],
    ) -> Result<(), Stop> {
        // What went into a column of text is text, and no record is in it.
        let is_text = |column: usize| {
            matches!(plan.columns[column].field.data_type(), DataType::Utf8 | DataType::LargeUtf8)
        };
        if column.is_some_and(is_text) {
            return Ok(());
        }
        match passed.held_by(key, value, plan.raw) {
            Held::Packed => self.doubt(),
            Held::Swallowed if !plan.is_nested => {
                let head = Cursor::new(value).peek()?;
                let fault = Fault::of_type(column, Found::Words(format!("{head} with another record in it")));
                let expected = Some("no records within another".to_owned());
                return Err(Stop::Fault(Fault { expected, ..fault }));
            }
            Held::Nothing | Held::Swallowed => {}
        }
        Ok(())
    }

    /// Adds the value at `cursor` to a column. Under `null`, what does not fit becomes a null, and is noted.
    fn push_field(&mut self, plan: &Plan, column: usize, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let mut ahead = *cursor;
        let pushed = if self.has(column) {
            let twice = Found::Words("a key that comes twice".to_owned());
            Err(Stop::Fault(Fault {
                expected: Some("every key once".to_owned()),
                ..Fault::of_type(Some(column), twice)
            }))
        } else if plan.columns[column].role == Role::Vector {
            self.push_vector_field(plan, column, &mut ahead)
        } else if !plan.columns[column].field.is_nullable() && is_nil(ahead)? {
            Err(Stop::Fault(Fault::of_type(Some(column), Found::Head(Head::Nil))))
        } else {
            self.push_value(column, &mut ahead).map_err(|failure| match failure {
                Failure::Broken(broken) => Stop::Broken(broken),
                Failure::Unfit(unfit) => Stop::Fault(Fault {
                    kind: unfit.kind,
                    column: Some(column),
                    path: unfit.path,
                    expected: Some(unfit.expected),
                    found: Found::Words(unfit.found),
                }),
            })
        };
        match pushed {
            Ok(()) => *cursor = ahead,
            Err(Stop::Fault(fault)) if plan.on_error == OnError::Null => {
                cursor.skip()?;
                self.take_back(column);
                self.push_null(column)?;
                self.note(fault);
            }
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    /// Adds the key of a record to a row of it. What is wrong with it is noted already, or an error.
    fn push_key_again(&mut self, column: usize, mut key: Cursor<'_>) -> crate::error::Result<()> {
        if self.push_value(column, &mut key).is_err() {
            self.take_back(column);
            self.push_null(column)?;
        }
        Ok(())
    }

    fn push_vector_field(&mut self, plan: &Plan, column: usize, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let encoded = read_vector(plan, column, cursor)?;
        if encoded.rows != 1 {
            let found = Found::Words(encoded.describe());
            return Err(Stop::Fault(Fault::new(RejectKind::Dimension, Some(column), found)));
        }
        self.push_vector(column, &encoded.elements)?
            .map_err(|index| Stop::Fault(unfit(plan, column, &encoded.elements, index)))
    }

    /// Deals with the columns for which the record at hand had nothing: a null, or for vectors a fault.
    pub(super) fn push_missing(&mut self, plan: &Plan) -> Result<(), Stop> {
        for (index, column) in plan.columns.iter().enumerate() {
            if !matches!(column.role, Role::Vector | Role::Value) || self.has(index) {
                continue;
            }
            if column.role == Role::Vector || !column.field.is_nullable() {
                let fault = Fault::of_type(Some(index), Found::Missing);
                if plan.on_error != OnError::Null {
                    return Err(Stop::Fault(fault));
                }
                self.note(fault);
            }
            self.push_null(index)?;
        }
        Ok(())
    }
}

/// Reads the object at `cursor` as a vector for a column.
pub(super) fn read_vector<'a>(
    plan: &Plan,
    column: usize,
    cursor: &mut Cursor<'a>,
) -> Result<Encoded<'a>, Stop> {
    let dim = plan.columns[column].dim().unwrap_or(0);
    let fault = |kind, found| Err(Stop::Fault(Fault::new(kind, Some(column), found)));
    let head = cursor.peek()?;
    // The length alone tells that such a vector does not fit: it need not be there.
    if let Head::Bin(bytes) | Head::Str(bytes) = head
        && bytes as usize != dim * plan.raw.size()
        && !is_npy_next(*cursor)?
    {
        if u64::from(bytes) > plan.max_record_bytes {
            cursor.clone().skip()?;
        }
        return fault(RejectKind::Dimension, Found::Bytes(bytes as usize));
    }
    match encoding::read(cursor, plan.raw)? {
        Seen::Vector(encoded) if encoded.dim == dim && encoded.is_whole() => Ok(encoded),
        Seen::Vector(encoded) => {
            // Rust's `Vec<u8>` without serde_bytes: an array of the bytes.
            if encoded.encoding == Encoding::Numbers
                && encoded.dim == dim * plan.raw.size()
                && let Some(bytes) = encoded.as_byte_values()
            {
                let elements = Elements::Alike(Format::Packed(plan.raw), bytes.into());
                return Ok(Encoded { elements, dim, ..encoded });
            }
            let found = match encoded.encoding {
                Encoding::Bytes | Encoding::Raw | Encoding::Aligned => Found::Bytes(encoded.bytes().len()),
                Encoding::Numbers => Found::Numbers(encoded.dim),
                _ => Found::Words(encoded.describe()),
            };
            fault(RejectKind::Dimension, found)
        }
        Seen::NotNumbers { index, head } => fault(RejectKind::Type, Found::Element(index, head)),
        Seen::Refused(what) => match leaves_messagepack(head) {
            Some(what) => Err(Stop::NotMessagePack(what)),
            None => fault(RejectKind::Unsupported, Found::Words(what)),
        },
        Seen::Other(head) => fault(RejectKind::Type, Found::Head(head)),
    }
}

/// Steps over a vector that is not wanted; gives it if it is a matrix, which is several rows.
fn skip_vector<'a>(plan: &Plan, cursor: &mut Cursor<'a>) -> Result<Option<Encoded<'a>>, Broken> {
    let mut ahead = *cursor;
    cursor.skip()?;
    Ok(match encoding::read(&mut ahead, plan.raw)? {
        Seen::Vector(encoded) if encoded.rows > 1 && encoded.dim > 0 && encoded.is_whole() => Some(encoded),
        _ => None,
    })
}

/// What a record is that should have had fields.
fn not_fields(cursor: &Cursor<'_>, head: Head) -> Result<Fault, Broken> {
    Ok(match encoding::read(&mut cursor.clone(), RawDtype::default())? {
        Seen::Refused(what) => Fault::new(RejectKind::Unsupported, None, Found::Words(what)),
        _ => Fault::of_type(None, Found::Head(head)),
    })
}

/// The fault of a vector of which element `index` does not fit.
fn unfit(plan: &Plan, column: usize, elements: &Elements<'_>, index: usize) -> Fault {
    let shown = match elements {
        Elements::Alike(format, bytes) => {
            bytes.chunks_exact(format.size()).nth(index).and_then(|bytes| format.scalar(bytes))
        }
        Elements::Mixed(bytes) => {
            let mut cursor = Cursor::new(bytes);
            let heads = (0..=index).map_while(|_| cursor.head().ok());
            heads.last().and_then(crate::vector::Scalar::of)
        }
    };
    let found = format!("{} in element {index}", shown.map(|scalar| scalar.to_string()).unwrap_or_default());
    let dtype = crate::record::vector_type(plan.columns[column].field.data_type()).map(|(_, dtype)| dtype);
    let expected = format!("numbers that fit {}", dtype.unwrap_or_default());
    let fault = Fault::new(RejectKind::Value, Some(column), Found::Words(found));
    Fault { expected: Some(expected), ..fault }
}

/// What no producer has for a key, if that is at `cursor`: the records behind one whose head says too much, as maps or arrays, or within
/// what it takes for a long text.
fn no_key(mut cursor: Cursor<'_>) -> Result<Option<Head>, Broken> {
    let head = cursor.head()?;
    Ok(match head {
        Head::Map(_) | Head::Array(_) => Some(head),
        Head::Str(bytes) | Head::Bin(bytes) if bytes > LONGEST_KEY => {
            let key = cursor.take(bytes as usize)?;
            std::str::from_utf8(key).is_err().then_some(head)
        }
        _ => None,
    })
}
