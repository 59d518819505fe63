//! One record: its fields into their columns, or what is wrong with it.

use super::Decoder;
use super::columns::Columns;
use super::fault::Fault;
use crate::error::Error;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, OnError};
use crate::record::{Column, Content, Plan, Role, Slot, Slots};
use crate::reject::RejectKind;
use crate::text::bytes;
use crate::values::{Failure, Words};
use crate::vector::encoding::{
    self, Elements, Encoded, Encoding, Seen, is_npy_next, leaves_messagepack, read_base64,
};
use crate::vector::{Format, RawDtype, Template};

/// How much of a record was added to the columns.
pub(super) enum Pushed {
    /// All of it. The template is for records that differ from it in their elements only.
    Whole(Option<Template>),
    /// The batch is full, and the record has more rows.
    Partly,
    /// All of it: its rows are counted and committed.
    Rows,
}

/// Why a record was not added.
pub(super) enum Stop {
    Broken(Broken),
    /// The bytes from here on have another meaning than in MessagePack.
    NotMessagePack(&'static str),
    Fault(Fault),
    /// An error that no record causes.
    Error(Error),
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

impl Decoder {
    /// Adds the record at `cursor` to the columns, and steps over it.
    pub(super) fn push_record(&mut self, cursor: &mut Cursor<'_>) -> Result<Pushed, Stop> {
        let (plan, columns) = (&*self.plan, &mut self.columns);
        let key = *cursor;
        if plan.framing == Framing::Columns {
            return self.push_table(cursor);
        }
        if plan.framing == Framing::Map {
            match plan.key {
                Some(column) => columns.push_field(plan, column, cursor)?,
                None => cursor.skip()?,
            }
        }
        match &plan.content {
            Content::Vector(column) => self.push_bare(*column, key, cursor),
            Content::Items(slots) => {
                columns.push_fields(plan, slots, cursor, true)?;
                columns.push_missing(plan)?;
                columns.push_record(self.position.record);
                Ok(Pushed::Whole(None))
            }
        }
    }

    fn push_bare<'a>(
        &mut self,
        column: Option<usize>,
        key: Cursor<'a>,
        cursor: &mut Cursor<'a>,
    ) -> Result<Pushed, Stop> {
        let (plan, columns) = (&*self.plan, &mut self.columns);
        let start = if plan.prefix.is_some() { 0 } else { cursor.at() };
        if let Some(column) = column
            && columns.push_numbers(plan, column, cursor)?
        {
            columns.push_record(self.position.record);
            return Ok(Pushed::Whole(None));
        }
        let encoded = match column {
            Some(column) => Some(read_vector(plan, column, cursor)?),
            None => skip_vector(plan, cursor)?,
        };
        if let Some(encoded) = encoded.as_ref().filter(|encoded| encoded.rows != 1) {
            return self.push_rows(&self.plan.clone(), column, encoded, key, cursor);
        }
        let mut template = None;
        if let (Some(column), Some(encoded)) = (column, &encoded) {
            columns.push_vector(plan, column, &encoded.elements)?;
            if plan.framing != Framing::Map {
                template = Template::of(cursor.since(start), encoded);
            }
        }
        columns.push_record(self.position.record);
        Ok(Pushed::Whole(template))
    }

    /// Adds the rows of a matrix, each with the record's `key`. A row that does not fit its column is
    /// a reject of its own. Rows for which the batch has no room come with the next batch.
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
        if length > plan.options.max_record_bytes {
            return Ok(Pushed::Whole(None));
        }
        if plan.columns.iter().any(|column| column.role == Role::Id) {
            let text = "option `include_id`: a record is a matrix, and its rows would share an id";
            return Err(Stop::Error(Error::option(text)));
        }
        // The key is added again with each row.
        plan.key.into_iter().for_each(|column| self.columns.take_back(column));
        for elements in encoded.rows_from(self.position.rows, 1) {
            if self.columns.is_full() {
                // A fault of the key is noted again with the next rows.
                self.columns.faults.clear();
                return Ok(Pushed::Partly);
            }
            match column.map_or(Ok(()), |column| self.columns.push_vector(plan, column, &elements)) {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => {
                    let fault = Fault { path: format!("[{}]", self.position.rows), ..fault };
                    self.reject(&fault, self.position.offset, length)?;
                    if plan.options.on_error == OnError::Skip {
                        self.position.rows += 1;
                        continue;
                    }
                    column.map_or(Ok(()), |column| self.columns.push_null(column))?;
                }
                Err(stop) => return Err(stop),
            }
            // A fault of the key was noted with the first row.
            if let Some(column) = plan.key
                && self.columns.push_value(column, &mut key.clone()).is_err()
            {
                self.columns.take_back(column);
                self.columns.push_null(column)?;
            }
            self.columns.push_record(self.position.record);
            self.columns.commit();
            self.position.rows += 1;
        }
        Ok(Pushed::Whole(None))
    }
}

impl Columns {
    /// Adds the items of the map or array at `cursor` to their columns. Any key is allowed in a map
    /// inside of a record. A record itself has no map or array as a key: no producer writes one,
    /// and a damaged count takes the next records for keys.
    pub(super) fn push_fields(
        &mut self,
        plan: &Plan,
        slots: &Slots,
        cursor: &mut Cursor<'_>,
        is_record: bool,
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
                return Err(Stop::Fault(
                    match encoding::read(&mut cursor.clone(), RawDtype::default().into())? {
                        Seen::Refused(what) => Fault::new(RejectKind::Unsupported, None, what),
                        _ => Fault::of_type(None, head),
                    },
                ));
            }
        };
        cursor.require(u64::from(items) * if slots.is_map { 2 } else { 1 })?;
        let mut next = 0;
        for position in 0..items as usize {
            let key = *cursor;
            let place = if slots.is_map { slots.keys.read(cursor, &mut next)? } else { Some(position) };
            let Some(place) = place else {
                if is_record && let head @ (Head::Map(_) | Head::Array(_)) = key.peek()? {
                    let found = format!("{head} as a key");
                    return Err(Stop::Fault(Fault::of_type(None, found).expecting("keys of a map")));
                }
                cursor.skip()?;
                continue;
            };
            match slots.slots.get(place) {
                Some(slot) => self.push_slot(plan, slot, cursor)?,
                None => cursor.skip()?,
            }
        }
        Ok(())
    }

    /// Adds the value at `cursor`, and what is in it, to the columns of its slot.
    #[inline]
    pub(super) fn push_slot(
        &mut self,
        plan: &Plan,
        slot: &Slot,
        cursor: &mut Cursor<'_>,
    ) -> Result<(), Stop> {
        if let Some(inside) = &slot.inside {
            let mut within = *cursor;
            // A value of another type has no such fields: they are missing.
            let is_map = matches!(within.peek()?, Head::Map(_));
            if is_map == inside.is_map && matches!(within.peek()?, Head::Map(_) | Head::Array(_)) {
                self.push_fields(plan, inside, &mut within, false)?;
            }
        }
        if let Some(dtype) = &slot.dtype {
            check_dtype(dtype, *cursor)?;
        }
        match slot.column {
            Some(column) => self.push_field(plan, column, cursor),
            None => Ok(cursor.skip()?),
        }
    }

    /// Adds the value at `cursor` to a column. Under `null`, a value that does not fit becomes a null
    /// and its fault is noted.
    pub(super) fn push_field(
        &mut self,
        plan: &Plan,
        column: usize,
        cursor: &mut Cursor<'_>,
    ) -> Result<(), Stop> {
        if self.push_common(column, cursor) {
            return Ok(());
        }
        let mut ahead = *cursor;
        let pushed = if self.has(column) {
            Err(Stop::Fault(Fault::twice(Some(column))))
        } else if plan.columns[column].role == Role::Vector {
            self.push_vector_field(plan, column, &mut ahead)
        } else {
            self.push_value(column, &mut ahead)
        };
        match pushed {
            Ok(()) => *cursor = ahead,
            Err(Stop::Fault(fault)) if plan.options.on_error == OnError::Null => {
                cursor.skip()?;
                self.take_back(column);
                self.push_null(column)?;
                self.faults.push(fault);
            }
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    fn push_vector_field(&mut self, plan: &Plan, column: usize, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        if self.push_numbers(plan, column, cursor)? {
            return Ok(());
        }
        let start = cursor.at();
        let wrapped = match cursor.peek()? {
            Head::Array(1) | Head::Map(_) => encoding::read_wrapped(cursor, plan.types(Some(column)))?,
            _ => None,
        };
        let encoded = match wrapped {
            Some(encoded) => encoded,
            None => read_vector(plan, column, cursor)?,
        };
        self.push_encoded(plan, column, &encoded)?;
        self.set_template(column, Template::of(cursor.since(start), &encoded));
        Ok(())
    }

    /// Adds an array to a column, which may be one of vectors.
    pub(super) fn push_encoded(
        &mut self,
        plan: &Plan,
        column: usize,
        encoded: &Encoded<'_>,
    ) -> Result<(), Stop> {
        if plan.columns[column].role != Role::Vector {
            return self.push_typed(column, encoded);
        }
        if encoded.rows != 1 || Some(encoded.dim) != plan.columns[column].dim() || !encoded.is_whole() {
            return Err(Stop::Fault(Fault::new(RejectKind::Dimension, Some(column), encoded.describe())));
        }
        self.push_vector(plan, column, &encoded.elements)
    }

    /// Fills the columns for which the record has no value: with a null, or for a vector with a fault.
    pub(super) fn push_missing(&mut self, plan: &Plan) -> Result<(), Stop> {
        for (index, column) in plan.columns.iter().enumerate() {
            if self.has(index) || !matches!(column.role, Role::Vector | Role::Value) {
                continue;
            }
            if column.role == Role::Vector || !column.field.is_nullable() {
                let fault = Fault::of_type(Some(index), "no such field");
                if plan.options.on_error != OnError::Null {
                    return Err(Stop::Fault(fault));
                }
                self.faults.push(fault);
            }
            self.push_null(index)?;
        }
        Ok(())
    }
}

/// Makes a fault of a record that does not end where the length in front of it says.
pub(super) fn within_length(pushed: Result<Pushed, Stop>, cursor: &Cursor<'_>) -> Result<Pushed, Stop> {
    let found = match pushed {
        Ok(_) if !cursor.rest().is_empty() => format!("{} behind it", bytes(cursor.rest().len())),
        Err(Stop::Broken(Broken::Short(_))) => "an object that is longer".to_owned(),
        Err(Stop::Broken(Broken::Reserved(_))) => "the byte 0xc1".to_owned(),
        Err(Stop::NotMessagePack(what)) => what.to_owned(),
        pushed => return pushed,
    };
    Err(Stop::Fault(Fault::of_input(RejectKind::Invalid, "an object of the length in front of it", found)))
}

/// A value that does not fit a column, as the reason why its record is not added.
pub(super) fn stopped(failure: Failure, column: usize) -> Stop {
    match failure {
        Failure::Broken(broken) => Stop::Broken(broken),
        Failure::Unfit(fault) => Stop::Fault(Fault { column: Some(column), ..*fault }),
    }
}

/// Reads the object at `cursor` as a vector for a column.
pub(super) fn read_vector<'a>(
    plan: &Plan,
    column: usize,
    cursor: &mut Cursor<'a>,
) -> Result<Encoded<'a>, Stop> {
    let &Column { raw, is_base64, is_bits, .. } = &plan.columns[column];
    let dim = plan.columns[column].dim().unwrap_or(0);
    let size = dim * raw.size();
    let fault = |kind, found: Words| Err(Stop::Fault(Fault::new(kind, Some(column), found)));
    let head = cursor.peek()?;
    if let Head::Str(length) | Head::Bin(length) = head {
        // Text of another length than the elements may be base64 of them.
        let is_text = matches!(head, Head::Str(_));
        if is_base64 || is_text && (length as usize / 4 * 3).abs_diff(size) <= 3 {
            let mut ahead = *cursor;
            ahead.head()?;
            let text = ahead.take(length as usize)?;
            let decoded = read_base64(text, raw);
            if let Some(encoded) = decoded.filter(|encoded| encoded.dim == dim && encoded.is_whole()) {
                *cursor = ahead;
                return Ok(encoded);
            }
            if is_base64 && text.is_ascii() {
                let found = format!("a text of {}", bytes(length));
                let fault = Fault::new(RejectKind::Dimension, Some(column), found);
                return Err(Stop::Fault(fault.expecting(format!("base64 of {size} bytes ({dim} x {raw})"))));
            }
        }
        // Bytes of another length are no vector of this column, whatever they hold.
        if length as usize != size && !is_npy_next(*cursor)? {
            if u64::from(length) > plan.options.max_record_bytes {
                cursor.clone().skip()?;
            }
            return fault(RejectKind::Dimension, Head::Bin(length).into());
        }
    }
    match encoding::read(cursor, plan.types(Some(column)))? {
        Seen::Vector(encoded) if encoded.outer.len() > 1 => {
            fault(RejectKind::Unsupported, encoded.describe().into())
        }
        Seen::Vector(encoded) if encoded.dim == dim && encoded.is_whole() => {
            if !is_bits || encoded.elements.format != Format::Numbers {
                return Ok(encoded);
            }
            let fault = Fault::new(RejectKind::Value, Some(column), "other numbers");
            let expected = format!("integers from 0 to 65535, which are the bits of {raw}");
            encoded.halves(raw).ok_or_else(|| Stop::Fault(fault.expecting(expected)))
        }
        Seen::Vector(encoded) => {
            // Rust's `Vec<u8>` without serde_bytes is an array of the bytes.
            if encoded.encoding == Encoding::Numbers
                && encoded.dim == size
                && let Some(bytes) = encoded.as_byte_values()
            {
                let elements = Elements::new(Format::Packed(raw), bytes);
                return Ok(Encoded { elements, dim, ..encoded });
            }
            let found = match encoded.encoding {
                Encoding::Bytes | Encoding::Raw | Encoding::Aligned => {
                    Head::Bin(encoded.bytes().len() as u32).into()
                }
                Encoding::Numbers => Head::Array(encoded.dim as u32).into(),
                _ => encoded.describe().into(),
            };
            fault(RejectKind::Dimension, found)
        }
        Seen::NotNumbers { index, head } => {
            fault(RejectKind::Type, format!("{head} in element {index}").into())
        }
        Seen::Refused(what) => match leaves_messagepack(head) {
            Some(what) => Err(Stop::NotMessagePack(what)),
            None => fault(RejectKind::Unsupported, what.into()),
        },
        Seen::Other(head) => fault(RejectKind::Type, head.into()),
    }
}

/// Skips the vector of a column that is not read. A matrix is returned, as it is several rows.
fn skip_vector<'a>(plan: &Plan, cursor: &mut Cursor<'a>) -> Result<Option<Encoded<'a>>, Broken> {
    let mut ahead = *cursor;
    cursor.skip()?;
    Ok(match encoding::read(&mut ahead, plan.types(None))? {
        Seen::Vector(encoded) if encoded.outer.len() == 1 && encoded.dim > 0 && encoded.is_whole() => {
            Some(encoded)
        }
        _ => None,
    })
}

/// Refuses a record in which the value at `cursor` names another type of the bytes beside it than `dtype`.
pub(super) fn check_dtype(dtype: &str, mut cursor: Cursor<'_>) -> Result<(), Stop> {
    let (Head::Str(length) | Head::Bin(length)) = cursor.head()? else { return Ok(()) };
    let text = cursor.take(length as usize)?;
    let named = if text == dtype.as_bytes() { None } else { std::str::from_utf8(text).ok() };
    match named.and_then(RawDtype::named) {
        Some(other) if Some(other) != RawDtype::named(dtype) => {
            let fault = Fault::of_type(None, format!("`{other}`"));
            let expected =
                format!("bytes of the type `{dtype}`, which the first record names (option `raw_dtype`)");
            Err(Stop::Fault(fault.expecting(expected)))
        }
        _ => Ok(()),
    }
}

/// The fault of a vector of which element `index` does not fit.
pub(super) fn unfit(plan: &Plan, column: usize, elements: &Elements<'_>, index: usize) -> Fault {
    let dtype = crate::record::vector_type(plan.columns[column].field.data_type()).map(|(_, dtype)| dtype);
    let expected = format!("numbers that fit {}", dtype.unwrap_or_default());
    let fault = Fault::new(RejectKind::Value, Some(column), elements.show(index));
    fault.expecting(expected)
}
