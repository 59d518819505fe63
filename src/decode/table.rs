//! A map of parallel lists: the items of one place are a record. `columns` framing.

use super::columns::Columns;
use super::fault::{Fault, Found};
use super::record::{Pushed, Stop, unfit};
use super::{Decoder, State};
use crate::msgpack::{Cursor, Head};
use crate::options::OnError;
use crate::record::{Content, Plan, Role, Slots};
use crate::reject::RejectKind;
use crate::vector::Format;
use crate::vector::encoding::{self, Elements, Encoded, Encoding, Seen};

/// Where the values of the columns lie in a map of lists.
#[derive(Debug)]
pub(super) struct Table {
    rows: usize,
    /// Bytes of the map.
    length: usize,
    /// One for each column of the plan.
    sources: Vec<Source>,
}

/// Where the values of a column lie, counted from the start of the record.
#[derive(Debug, Clone, Copy)]
enum Source {
    Missing,
    /// One value for all rows.
    Repeated(usize),
    /// A list of which the next item is here.
    Items(usize),
    /// A typed array, or bytes of elements, with a row or a number for each row.
    Array(usize),
}

/// The same while the bytes are at hand.
enum Values<'a> {
    Missing,
    Repeated(Cursor<'a>),
    Items(Cursor<'a>),
    Array(Encoded<'a>),
}

impl Table {
    /// Finds the lists in the map at `cursor`. Items of the first `skipped` rows are skipped.
    fn of(plan: &Plan, slots: &Slots, cursor: &mut Cursor<'_>, skipped: usize) -> Result<Self, Stop> {
        let pairs = match cursor.head()? {
            Head::Map(pairs) => pairs,
            head => return Err(no_table(head)),
        };
        let mut table = Self { rows: 0, length: 0, sources: vec![Source::Missing; plan.columns.len()] };
        let (mut next, mut arrays) = (0, Vec::new());
        for _ in 0..pairs {
            let place = slots.keys.read(cursor, &mut next)?;
            let value = *cursor;
            cursor.skip()?;
            let Some(column) = place.and_then(|place| slots.slots.get(place)?.column) else { continue };
            if !matches!(table.sources[column], Source::Missing) {
                let twice = Found::Text("a key that comes twice".to_owned());
                return Err(Stop::Fault(Fault::of_type(Some(column), twice).expecting("every key once")));
            }
            let (source, rows) = match (array(plan, column, value, None)?, value.peek()?) {
                (Some(found), _) => (Source::Array(value.at()), Some(rows_of(plan, column, &found))),
                (None, Head::Array(items)) => {
                    let mut inside = value;
                    inside.head()?;
                    (0..skipped.min(items as usize)).try_for_each(|_| inside.skip())?;
                    (Source::Items(inside.at()), Some(items as usize))
                }
                // Bytes may be the vectors of all rows, of which the number is not known yet.
                (None, Head::Bin(_) | Head::Str(_)) if plan.columns[column].dim().is_some() => {
                    (Source::Array(value.at()), None)
                }
                _ => (Source::Repeated(value.at()), None),
            };
            table.sources[column] = source;
            arrays.extend(rows.map(|rows| (column, rows)));
        }
        table.length = cursor.at();
        if table.length as u64 > plan.max_record_bytes {
            return Err(Stop::Fault(Fault::too_large(table.length as u64)));
        }
        let Some(&(column, rows)) = arrays.first() else {
            let found = Found::Text("a map without a list".to_owned());
            return Err(Stop::Fault(Fault::of_type(None, found).expecting("a map of parallel lists")));
        };
        table.rows = rows;
        if let Some((other, items)) = arrays.into_iter().find(|(_, items)| *items != rows) {
            let name = plan.columns[column].name();
            let fault = Fault::new(RejectKind::Dimension, Some(other), Found::Text(format!("{items} items")));
            return Err(Stop::Fault(fault.expecting(&format!("{rows} items, as `{name}` has"))));
        }
        Ok(table)
    }
}

/// The fault of an object that is no map of lists.
fn no_table(head: Head) -> Stop {
    let expected = "a map of parallel lists (framing `columns`)";
    Stop::Fault(Fault::of_type(None, Found::Head(head)).expecting(expected))
}

/// The array at `value`, if it is one that has no items in MessagePack: a typed one, or the bytes of
/// this many rows of vectors.
fn array<'a>(
    plan: &Plan,
    column: usize,
    mut value: Cursor<'a>,
    rows: Option<usize>,
) -> Result<Option<Encoded<'a>>, Stop> {
    let dim = plan.columns[column].dim();
    match encoding::read(&mut value, plan.types(column))? {
        Seen::Vector(encoded) if encoded.encoding.is_typed() && !encoded.is_scalar => Ok(Some(encoded)),
        Seen::Vector(encoded) => match (dim, rows) {
            (Some(dim), Some(rows))
                if matches!(encoded.encoding, Encoding::Bytes | Encoding::Raw)
                    && encoded.is_whole()
                    && encoded.dim == dim * rows =>
            {
                Ok(Some(Encoded { rows, dim, ..encoded }))
            }
            _ => Ok(None),
        },
        Seen::Refused(what) => {
            let fault = Fault::new(RejectKind::Unsupported, Some(column), Found::Text(what));
            Err(Stop::Fault(fault))
        }
        _ => Ok(None),
    }
}

/// The rows of a typed array: those of a matrix, or else its numbers. A single row is a vector.
fn rows_of(plan: &Plan, column: usize, encoded: &Encoded<'_>) -> usize {
    if let [rows, _, ..] = encoded.outer[..] {
        return rows;
    }
    let is_row = plan.columns[column].dim() == Some(encoded.dim);
    if encoded.rows > 1 || is_row { encoded.rows } else { encoded.dim }
}

/// The elements of one row of a typed array.
fn row_of<'a>(encoded: &'a Encoded<'_>, rows: usize, row: usize) -> Option<(Elements<'a>, usize)> {
    let format: Format = encoded.format()?;
    let width = encoded.bytes().len() / rows.max(1);
    let bytes = encoded.bytes().get(row * width..(row + 1) * width)?;
    Some((Elements::Alike(format, bytes.into()), width / format.size()))
}

impl Decoder {
    /// Adds rows of the map of lists at `cursor`, which then is behind it.
    pub(super) fn push_table(&mut self, cursor: &mut Cursor<'_>) -> Result<Pushed, Stop> {
        let plan = self.plan.clone();
        let Content::Items(slots) = &plan.content else { return Err(no_table(cursor.peek()?)) };
        let mut table = match self.table.take() {
            Some(table) => table,
            None => Table::of(&plan, slots, &mut cursor.clone(), self.position.rows)?,
        };
        let bytes = cursor.rest();
        let values = |(column, source): (usize, &Source)| {
            let at = |place| Cursor::starting_at(bytes, place);
            Ok(match *source {
                Source::Missing => Values::Missing,
                Source::Repeated(place) => Values::Repeated(at(place)),
                Source::Items(place) => Values::Items(at(place)),
                Source::Array(place) => match array(&plan, column, at(place), Some(table.rows))? {
                    Some(encoded) => Values::Array(encoded),
                    None => Values::Repeated(at(place)),
                },
            })
        };
        let mut values: Vec<Values<'_>> = table
            .sources
            .iter()
            .enumerate()
            .map(|(column, source)| values((column, source)))
            .collect::<Result<_, Stop>>()?;
        self.end_run()?;
        while self.position.rows < table.rows {
            if self.columns.is_full() {
                for (source, values) in table.sources.iter_mut().zip(&values) {
                    if let Values::Items(cursor) = values {
                        *source = Source::Items(cursor.at());
                    }
                }
                let _whole = cursor.take(table.length);
                self.table = Some(table);
                return Ok(Pushed::Partly);
            }
            self.push_row(&plan, &mut values, table.rows)?;
            self.position.rows += 1;
            self.position.record += 1;
            self.records += 1;
        }
        cursor.take(table.length)?;
        self.position.rows = 0;
        self.position.left = self.position.left.minus(1);
        self.state = State::START;
        Ok(Pushed::Rows)
    }

    /// Adds the next row of a map of lists, or rejects it.
    fn push_row(&mut self, plan: &Plan, values: &mut [Values<'_>], rows: usize) -> Result<(), Stop> {
        let start = self.position.offset;
        let (mut fault, mut place) = (None, (start, 0));
        let columns = &mut self.columns;
        for (column, values) in values.iter_mut().enumerate() {
            let pushed = match values {
                Values::Missing => Ok(()),
                Values::Repeated(_) | Values::Array(_) if fault.is_some() => Ok(()),
                Values::Repeated(cursor) => columns.push_field(plan, column, &mut cursor.clone()),
                Values::Array(encoded) => {
                    push_row_of(columns, plan, column, encoded, (rows, self.position.rows))
                }
                Values::Items(cursor) if fault.is_some() => Ok(cursor.skip()?),
                Values::Items(cursor) => {
                    let item = *cursor;
                    let pushed = columns.push_field(plan, column, cursor);
                    if pushed.is_err() {
                        *cursor = item;
                        cursor.skip()?;
                        place = (start + item.at() as u64, (cursor.at() - item.at()) as u64);
                    }
                    pushed
                }
            };
            match pushed {
                Ok(()) => {}
                Err(Stop::Fault(found)) => fault = Some(found),
                Err(stop) => return Err(stop),
            }
        }
        if fault.is_none()
            && let Err(stop) = columns.push_missing(plan)
        {
            match stop {
                Stop::Fault(found) => fault = Some(found),
                stop => return Err(stop),
            }
        }
        columns.push_record(self.position.record);
        match fault {
            None => {
                for fault in self.columns.take_faults() {
                    self.reject(&fault, place.0, place.1)?;
                }
                self.good = self.good.saturating_add(1);
            }
            Some(fault) => {
                self.columns.roll_back();
                self.reject(&fault, place.0, place.1)?;
                if plan.on_error == OnError::Null {
                    self.columns.push_nulls(self.position.record)?;
                }
            }
        }
        self.columns.commit();
        Ok(())
    }
}

/// Adds one row of a typed array to a column.
fn push_row_of(
    columns: &mut Columns,
    plan: &Plan,
    column: usize,
    encoded: &Encoded<'_>,
    (rows, row): (usize, usize),
) -> Result<(), Stop> {
    let Some((elements, dim)) = row_of(encoded, rows, row) else { return Ok(()) };
    if plan.columns[column].role != Role::Vector {
        let is_scalar = encoded.rows == 1;
        let mut value = Encoded { is_scalar, ..Encoded::vector(encoded.encoding, elements, dim) };
        if let [_, inner @ ..] = &encoded.outer[..]
            && !inner.is_empty()
        {
            let (rows, outer) = (encoded.rows / rows.max(1), inner.to_vec());
            value = Encoded { rows, outer, dim: encoded.dim, ..value };
        }
        return columns.push_encoded(column, &value);
    }
    if plan.columns[column].dim() != Some(dim) {
        let fault = Fault::new(RejectKind::Dimension, Some(column), Found::Numbers(dim));
        return Err(Stop::Fault(fault));
    }
    columns
        .push_vector(column, &elements)?
        .map_err(|index| Stop::Fault(unfit(plan, column, &elements, index)))
}
