//! A map of parallel lists: the items of one place are a record. `columns` framing.

use super::columns::Columns;
use super::fault::Fault;
use super::record::{Pushed, Stop, check_dtype};
use super::{Decoder, State};
use crate::msgpack::{Cursor, Head};
use crate::options::OnError;
use crate::record::{Beside, Content, List, Plan, Slots};
use crate::reject::RejectKind;
use crate::vector::encoding::{self, Elements, Encoded, Encoding, Seen};

/// A map of lists of which some rows were taken.
#[derive(Debug)]
pub(super) struct Table {
    rows: usize,
    /// Bytes of the map.
    length: usize,
    /// Where the values of the slots are, counted from the start of the record.
    places: Vec<Place>,
}

/// Where the next values of a slot come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// The map has no value for the slot.
    Nowhere,
    /// A list, of which the next item is here.
    Item(usize),
    /// A value for all rows: a typed array, the bytes of all vectors, or a value that is repeated.
    Value(usize),
}

impl Table {
    /// Finds the lists in the map at `cursor`. Items of the first `skipped` rows are skipped.
    fn of(plan: &Plan, slots: &Slots, cursor: &mut Cursor<'_>, skipped: usize) -> Result<Self, Stop> {
        let start = *cursor;
        let pairs = match cursor.head()? {
            Head::Map(pairs) => pairs,
            head => return Err(no_table(head)),
        };
        let mut places = vec![Place::Nowhere; slots.slots.len()];
        let (mut next, mut told, mut of_bytes) = (0, Vec::new(), None);
        for _ in 0..pairs {
            let place = slots.keys.read(cursor, &mut next)?;
            let value = *cursor;
            cursor.skip()?;
            let Some((place, slot)) = place.and_then(|place| Some((place, slots.slots.get(place)?))) else {
                continue;
            };
            if let Some(dtype) = &slot.dtype {
                check_dtype(dtype, value)?;
            }
            let column = slot.column;
            if column.is_none() && slot.inside.is_none() {
                continue;
            }
            if places[place] != Place::Nowhere {
                return Err(Stop::Fault(Fault::twice(column)));
            }
            places[place] = Place::Value(value.at());
            match list(plan, column, value, None)? {
                List::Items(items, mut inside) => {
                    (0..skipped.min(items)).try_for_each(|_| inside.skip())?;
                    places[place] = Place::Item(inside.at());
                    told.push((column, items));
                }
                // Bytes tell it only if nothing else does: those of other columns are repeated.
                List::Array(found) if !found.encoding.is_typed() => of_bytes = Some((column, found.rows)),
                List::Array(found) => told.push((column, rows_of(plan, column, &found))),
                List::Refused(what) => {
                    return Err(Stop::Fault(Fault::new(RejectKind::Unsupported, column, what)));
                }
                List::Value(_) => {}
            }
        }
        let length = cursor.at();
        if length as u64 > plan.options.max_record_bytes {
            return Err(Stop::Fault(Fault::too_large(length as u64)));
        }
        let Some(&(column, rows)) = told.first().or(of_bytes.as_ref()) else {
            let fault = Fault::of_type(None, "a map without a list");
            return Err(Stop::Fault(fault.expecting("a map of parallel lists")));
        };
        let dimension = |column, found: String, expected: String| {
            Err(Stop::Fault(Fault::new(RejectKind::Dimension, column, found).expecting(expected)))
        };
        if let Some((column, of_bytes)) = of_bytes
            && let Some((items, dim)) = Beside::read(start)?.rows().filter(|shape| shape.0 != of_bytes)
        {
            let expected = format!(
                "{items} vectors of {dim} elements by the shape beside them (see option `raw_dtype`)"
            );
            return dimension(column, format!("bytes of {of_bytes}"), expected);
        }
        if let Some((other, items)) = told.into_iter().find(|(_, items)| *items != rows) {
            let name = column.map_or("the first list", |column| plan.columns[column].name());
            let expected = format!("{rows} items, as `{name}` has (option `columns` leaves a list out)");
            return dimension(other, format!("{items} items"), expected);
        }
        Ok(Self { rows, length, places })
    }

    /// The values of the slots in the map at `cursor`.
    fn lists<'a>(
        &self,
        plan: &Plan,
        slots: &Slots,
        cursor: Cursor<'a>,
    ) -> Result<Vec<Option<List<'a>>>, Stop> {
        let at = |place| Cursor::starting_at(cursor.rest(), place);
        let lists = slots.slots.iter().zip(&self.places).map(|(slot, place)| match *place {
            Place::Nowhere => Ok(None),
            Place::Item(next) => Ok(Some(List::Items(self.rows, at(next)))),
            Place::Value(value) => list(plan, slot.column, at(value), Some(self.rows)).map(Some),
        });
        lists.collect()
    }
}

/// The fault of an object that is no map of lists.
fn no_table(head: Head) -> Stop {
    let expected = "a map of parallel lists (option `framing=columns`)";
    Stop::Fault(Fault::of_type(None, head).expecting(expected))
}

/// The value of a column at `cursor`. Bytes are an array if they are vectors of this many rows, or of any number.
fn list<'a>(
    plan: &Plan,
    column: Option<usize>,
    cursor: Cursor<'a>,
    rows: Option<usize>,
) -> Result<List<'a>, Stop> {
    let list = List::read(cursor, plan.types(column))?;
    if let List::Value(mut value) = list
        && let Some(dim) = column.and_then(|column| plan.columns[column].dim())
        && let Seen::Vector(bytes) = encoding::read(&mut value, plan.types(column))?
        && matches!(bytes.encoding, Encoding::Bytes | Encoding::Raw)
        && bytes.is_whole()
        && bytes.dim.is_multiple_of(dim)
        && rows.is_none_or(|rows| bytes.dim == dim * rows)
    {
        return Ok(List::Array(Encoded { rows: bytes.dim / dim, dim, ..bytes }));
    }
    Ok(list)
}

/// The rows of a typed array: those of a matrix, or else its numbers. A single row is a vector.
fn rows_of(plan: &Plan, column: Option<usize>, encoded: &Encoded<'_>) -> usize {
    if let [rows, _, ..] = encoded.outer[..] {
        return rows;
    }
    let is_row = column.is_some_and(|column| plan.columns[column].dim() == Some(encoded.dim));
    if encoded.rows > 1 || is_row { encoded.rows } else { encoded.dim }
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
        let mut lists = table.lists(&plan, slots, *cursor)?;
        self.end_run()?;
        while self.position.rows < table.rows {
            if self.columns.is_full() {
                for (place, list) in table.places.iter_mut().zip(&lists) {
                    if let Some(List::Items(_, cursor)) = list {
                        *place = Place::Item(cursor.at());
                    }
                }
                let _whole = cursor.take(table.length);
                self.table = Some(table);
                return Ok(Pushed::Partly);
            }
            self.push_row(&plan, slots, &mut lists, table.rows)?;
            self.position.rows += 1;
            self.position.record += 1;
            self.records += 1;
        }
        cursor.take(table.length)?;
        self.usual = table.length + table.length / 8;
        self.position.rows = 0;
        self.position.left = self.position.left.minus(1);
        self.state = State::START;
        Ok(Pushed::Rows)
    }

    /// Adds the next row of a map of lists, or rejects it.
    fn push_row(
        &mut self,
        plan: &Plan,
        slots: &Slots,
        lists: &mut [Option<List<'_>>],
        rows: usize,
    ) -> Result<(), Stop> {
        let (start, row) = (self.position.offset, self.position.rows);
        let (mut fault, mut place) = (None, (start, 0));
        let columns = &mut self.columns;
        for (slot, list) in slots.slots.iter().zip(lists) {
            let pushed = match list {
                Some(List::Items(_, cursor)) => {
                    let (item, faults) = (*cursor, columns.faults.len());
                    let pushed = columns.push_slot(plan, slot, cursor);
                    if pushed.is_err() {
                        *cursor = item;
                        cursor.skip()?;
                    }
                    let is_first = fault.is_none() && faults == 0;
                    if is_first && (pushed.is_err() || !columns.faults.is_empty()) {
                        place = (start + item.at() as u64, (cursor.at() - item.at()) as u64);
                    }
                    pushed
                }
                Some(List::Array(encoded)) => push_row_of(columns, plan, slot.column, encoded, (rows, row)),
                Some(List::Value(cursor)) => columns.push_slot(plan, slot, &mut cursor.clone()),
                None | Some(List::Refused(_)) => Ok(()),
            };
            fault = fault.or(fault_of(pushed)?);
        }
        if fault.is_none() {
            fault = fault_of(columns.push_missing(plan))?;
        }
        columns.push_record(self.position.record);
        let faults = std::mem::take(&mut columns.faults);
        if fault.is_some() {
            columns.roll_back();
            if plan.options.on_error == OnError::Null {
                columns.push_nulls(self.position.record)?;
            }
        }
        columns.commit();
        // Without a fault of the row, those of values that became nulls.
        for fault in fault.map_or(faults, |fault| vec![fault]) {
            self.reject(&fault, place.0, place.1)?;
        }
        Ok(())
    }
}

/// The fault for which a record was not added, if it is one that has a reject.
fn fault_of(pushed: Result<(), Stop>) -> Result<Option<Fault>, Stop> {
    match pushed {
        Ok(()) => Ok(None),
        Err(Stop::Fault(fault)) => Ok(Some(fault)),
        Err(stop) => Err(stop),
    }
}

/// Adds one row of a typed array to a column.
fn push_row_of(
    columns: &mut Columns,
    plan: &Plan,
    column: Option<usize>,
    encoded: &Encoded<'_>,
    (rows, row): (usize, usize),
) -> Result<(), Stop> {
    let format = encoded.elements.format;
    let (Some(column), Some(size)) = (column, format.size()) else { return Ok(()) };
    let width = encoded.bytes().len() / rows.max(1);
    let Some(bytes) = encoded.bytes().get(row * width..(row + 1) * width) else { return Ok(()) };
    let vector = Encoded::vector(encoded.encoding, Elements::new(format, bytes), width / size);
    let value = match &encoded.outer[..] {
        [_, inner @ ..] if !inner.is_empty() => {
            Encoded { rows: encoded.rows / rows.max(1), outer: inner.to_vec(), dim: encoded.dim, ..vector }
        }
        _ => Encoded { is_scalar: encoded.rows == 1 && plan.columns[column].dim().is_none(), ..vector },
    };
    columns.push_encoded(plan, column, &value)
}
