//! The columns of a batch while it is being filled.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};

use super::fault::Fault;
use super::record::{Stop, stopped, unfit};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::options::OnError;
use crate::record::{Column, Plan, Role, Slots, vector_type};
use crate::values::{MOST, ValueBuilder};
use crate::vector::encoding::{self, Elements, Encoded};
use crate::vector::{Template, VectorBuilder};

/// Builders, one for each column. A record that is being added has its values in some of them; [`commit`](Self::commit) makes
/// it a row, [`roll_back`](Self::roll_back) takes it back.
pub(super) struct Columns {
    builders: Vec<Builder>,
    /// The columns of which the size depends on the values: text, bytes, lists, structs.
    sized: Vec<usize>,
    /// The number of the record that each row is of.
    records: Vec<u64>,
    /// Rows that are there in every column.
    pub(super) rows: usize,
    /// Rows the memory of this batch is to be made for; 0 before that is known.
    pub(super) capacity: usize,
    /// Most bytes of values other than vectors.
    batch_bytes: usize,
    /// Most rows, because of the name that is in each.
    most_rows: usize,
    /// Of the values of the record at hand that became nulls.
    pub(super) faults: Vec<Fault>,
    /// The input's name, for the column that holds it.
    pub(super) name: Arc<str>,
}

enum Builder {
    Vector(VectorBuilder),
    Value(ValueBuilder),
    /// The place of the record: the name of the input, or the number of the record.
    Place,
}

impl Columns {
    pub(super) fn new(plan: &Plan) -> Result<Self> {
        let builder = |column: &Column| {
            Ok(match (column.role, vector_type(column.field.data_type())) {
                (Role::Vector, Some((dim, dtype))) => Builder::Vector(VectorBuilder::new(dim, dtype)),
                (Role::Path | Role::Record | Role::Id, _) => Builder::Place,
                _ => Builder::Value(ValueBuilder::of_field(&column.field, &plan.extensions)?),
            })
        };
        let builders: Vec<Builder> = plan.columns.iter().map(builder).collect::<Result<_>>()?;
        let is_sized = |&column: &usize| plan.columns[column].field.data_type().primitive_width().is_none();
        let sized = (0..builders.len()).filter(is_sized).collect();
        // One more record must not be too much for offsets of 32 bits.
        let record = usize::try_from(plan.options.max_record_bytes).unwrap_or(usize::MAX);
        let batch_bytes = plan.options.batch_bytes.min(MOST.saturating_sub(record).max(1));
        Ok(Self {
            builders,
            sized,
            records: Vec::new(),
            rows: 0,
            capacity: 0,
            batch_bytes,
            most_rows: usize::MAX,
            faults: Vec::new(),
            name: "".into(),
        })
    }

    /// Sets the name of the input, and bounds the rows of a batch so that a column has room for as
    /// many names.
    pub(super) fn set_name(&mut self, plan: &Plan, name: &Arc<str>) {
        self.name = name.clone();
        let has_names = plan.columns.iter().any(|column| column.role == Role::Path);
        self.most_rows = if has_names { (MOST / name.len().max(1)).max(1) } else { usize::MAX };
    }

    /// Rows that still fit. None do before [`reserve`](Self::reserve).
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.rows)
    }

    pub(super) fn is_full(&self) -> bool {
        let size = |&column: &usize| match self.builders.get(column) {
            Some(Builder::Value(builder)) => builder.size(),
            _ => 0,
        };
        self.rows > 0 && (self.room() == 0 || self.sized.iter().map(size).sum::<usize>() >= self.batch_bytes)
    }

    /// Sets how many rows the batch is to hold, no more than so many bytes of input can, if that is not set yet. Memory is made
    /// with the first row.
    pub(super) fn reserve(&mut self, plan: &Plan, bytes: Option<u64>) {
        if self.capacity > 0 {
            return;
        }
        // An element takes a byte at the least; where anything can become a row, a row does.
        let elements: usize = plan.columns.iter().filter_map(Column::dim).sum();
        let smallest = if plan.options.on_error == OnError::Null { 1 } else { elements as u64 + 1 };
        let hold = bytes.map_or(u64::MAX, |bytes| bytes / smallest + 1);
        self.capacity = usize::try_from(hold).unwrap_or(usize::MAX).min(plan.batch_rows).min(self.most_rows);
    }

    /// Adds bare vectors that are like `template`; gives how many.
    pub(super) fn push_uniform(
        &mut self,
        records: std::slice::ChunksExact<'_, u8>,
        template: &Template,
        first: u64,
    ) -> Result<usize> {
        let is_vector = |builder: &Builder| matches!(builder, Builder::Vector(_));
        let column = self.builders.iter().position(is_vector).unwrap_or(usize::MAX);
        let Some(builder) = self.vectors(column)? else { return Ok(0) };
        let added = builder.push_uniform(records, template);
        self.records.extend(first..first + added as u64);
        self.rows += added;
        Ok(added)
    }

    /// The builder of a vector column, which then has its memory.
    fn vectors(&mut self, column: usize) -> Result<Option<&mut VectorBuilder>> {
        let Some(Builder::Vector(builder)) = self.builders.get_mut(column) else { return Ok(None) };
        builder.reserve(self.capacity)?;
        Ok(Some(builder))
    }

    /// Adds a vector to a column.
    pub(super) fn push_vector(
        &mut self,
        plan: &Plan,
        column: usize,
        elements: &Elements<'_>,
    ) -> Result<(), Stop> {
        match self.vectors(column)?.map(|builder| builder.push(elements)) {
            Some(Err(index)) => Err(Stop::Fault(unfit(plan, column, elements, index))),
            _ => Ok(()),
        }
    }

    /// Adds the value at `cursor` to a column, and steps over it, if it is the first one of the record and
    /// written in a common way, or as the vector that [`set_template`](Self::set_template) noted. False for
    /// anything else; then nothing was added.
    #[inline]
    pub(super) fn push_common(&mut self, column: usize, cursor: &mut Cursor<'_>) -> bool {
        match self.builders.get_mut(column) {
            Some(Builder::Value(builder)) if builder.rows() == self.rows => builder.push_common(cursor),
            Some(Builder::Vector(builder)) if builder.rows() == self.rows => {
                let taken = builder.push_like_last(cursor.rest());
                taken.is_some_and(|taken| cursor.take(taken).is_ok())
            }
            _ => false,
        }
    }

    /// Notes how the vector is written that was added last to a vector column.
    pub(super) fn set_template(&mut self, column: usize, template: Option<Template>) {
        if let Some(Builder::Vector(builder)) = self.builders.get_mut(column) {
            builder.set_template(template);
        }
    }

    /// Adds the array of numbers at `cursor` to a vector column, and steps over it: one pass for arrays
    /// that hold what the column takes. False for anything else, and for floats of one type, which have a
    /// template; then nothing was added.
    pub(super) fn push_numbers(
        &mut self,
        plan: &Plan,
        column: usize,
        cursor: &mut Cursor<'_>,
    ) -> Result<bool> {
        let Some(dim) = plan.columns[column].dim().filter(|_| !plan.columns[column].is_bits) else {
            return Ok(false);
        };
        let mut ahead = *cursor;
        match ahead.head() {
            Ok(Head::Array(items)) if items as usize == dim && !encoding::are_floats(ahead, dim) => {}
            _ => return Ok(false),
        }
        let Some(builder) = self.vectors(column)? else { return Ok(false) };
        let added = builder.push_numbers(ahead.rest()).is_some_and(|taken| ahead.take(taken).is_ok());
        if added {
            *cursor = ahead;
        }
        Ok(added)
    }

    /// Adds the value at `cursor` to a column.
    pub(super) fn push_value(&mut self, column: usize, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        match self.builders.get_mut(column) {
            Some(Builder::Value(builder)) => builder.push(cursor).map_err(|failure| stopped(failure, column)),
            _ => Ok(cursor.skip()?),
        }
    }

    /// Adds an array of a library, or a number of one, to a column.
    pub(super) fn push_typed(&mut self, column: usize, encoded: &Encoded<'_>) -> Result<(), Stop> {
        match self.builders.get_mut(column) {
            Some(Builder::Value(builder)) => {
                builder.push_typed(encoded).map_err(|failure| stopped(failure, column))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn push_null(&mut self, column: usize) -> Result<()> {
        match self.builders.get_mut(column) {
            Some(Builder::Vector(builder)) => {
                builder.reserve(self.capacity)?;
                builder.push_null();
            }
            Some(Builder::Value(builder)) => builder.push_null(),
            _ => {}
        }
        Ok(())
    }

    /// True where the record at hand has its value in the column.
    pub(super) fn has(&self, column: usize) -> bool {
        let rows = match self.builders.get(column) {
            Some(Builder::Vector(builder)) => builder.rows(),
            Some(Builder::Value(builder)) => builder.rows(),
            Some(Builder::Place) | None => 0,
        };
        rows > self.rows
    }

    /// Takes back what a column got of the record at hand.
    pub(super) fn take_back(&mut self, column: usize) {
        let rows = self.rows;
        match self.builders.get_mut(column) {
            Some(Builder::Vector(builder)) => builder.truncate(rows),
            Some(Builder::Value(builder)) => builder.truncate(rows),
            Some(Builder::Place) | None => {}
        }
    }

    /// Adds the number of the record at hand, which then is a row.
    #[inline]
    pub(super) fn push_record(&mut self, record: u64) {
        self.records.push(record);
    }

    /// A row of nulls.
    pub(super) fn push_nulls(&mut self, record: u64) -> Result<()> {
        self.push_record(record);
        (0..self.builders.len()).try_for_each(|column| self.push_null(column))
    }

    /// Whether the fields of the record at `cursor` become a row, which is taken back.
    pub(super) fn look_at_fields(
        &mut self,
        plan: &Plan,
        slots: &Slots,
        cursor: &mut Cursor<'_>,
    ) -> Result<bool, Stop> {
        let pushed = self.push_fields(plan, slots, cursor, true);
        let holds_some = (0..self.builders.len()).any(|column| self.has(column));
        let pushed = pushed.and_then(|()| self.push_missing(plan));
        let is_good = self.faults.is_empty() && holds_some;
        self.roll_back();
        pushed.map(|()| is_good)
    }

    /// Makes the record at hand a row, if it added one.
    pub(super) fn commit(&mut self) {
        self.rows = self.records.len();
    }

    /// Takes back the record at hand.
    pub(super) fn roll_back(&mut self) {
        self.faults.clear();
        self.records.truncate(self.rows);
        (0..self.builders.len()).for_each(|column| self.take_back(column));
    }

    /// The batch; the columns are then empty.
    pub(super) fn finish(&mut self, plan: &Plan) -> Result<RecordBatch> {
        let rows = std::mem::take(&mut self.rows);
        let records = std::mem::take(&mut self.records);
        self.capacity = 0;
        let finish = |(builder, column): (&mut Builder, &Column)| {
            Ok(match (builder, column.role) {
                (Builder::Vector(builder), _) => builder.finish()?,
                (Builder::Value(builder), _) => builder.finish()?,
                (Builder::Place, Role::Path) => {
                    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&self.name, rows))) as ArrayRef
                }
                // The reader makes ids of them.
                (Builder::Place, Role::Id) => {
                    Arc::new(records.iter().map(|record| record.cast_signed()).collect::<Int64Array>())
                }
                (Builder::Place, _) => Arc::new(UInt64Array::from(records.clone())),
            })
        };
        let arrays = self.builders.iter_mut().zip(&plan.columns).map(finish).collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(plan.schema.clone(), arrays)?)
    }
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
