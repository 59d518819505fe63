#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, FixedSizeListArray, Int32Array, ListArray, ListViewArray, MapArray,
    RunArray, StringArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};

use super::batch_of;

const ROWS: usize = 12;

/// Nulls at every `step`-th place from `first` on.
fn nulls(len: usize, step: usize, first: usize) -> Option<NullBuffer> {
    Some((0..len).map(|at| at % step != first).collect())
}

fn item(array: &dyn Array) -> FieldRef {
    Arc::new(Field::new("item", array.data_type().clone(), true))
}

fn of(name: &str, array: ArrayRef, nulls: Option<NullBuffer>) -> ArrayRef {
    let field = Field::new(name, array.data_type().clone(), true);
    Arc::new(StructArray::new(vec![field].into(), vec![array], nulls))
}

fn numbers(len: usize) -> ArrayRef {
    Arc::new(Int32Array::from_iter((0..len as i32).map(|at| (at % 5 != 4).then_some(at))))
}

fn words() -> ArrayRef {
    let keys = Int32Array::from_iter((0..ROWS as i32).map(|at| (at % 4 != 1).then_some(at % 3)));
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(vec!["a", "b", "c"]))))
}

fn fixed(values: ArrayRef) -> ArrayRef {
    let nulls = nulls(values.len() / 2, 5, 2);
    Arc::new(FixedSizeListArray::new(item(&values), 2, values, nulls))
}

fn list(values: ArrayRef) -> ArrayRef {
    let offsets = OffsetBuffer::from_repeated_length(values.len() / ROWS, ROWS);
    Arc::new(ListArray::new(item(&values), offsets, values, nulls(ROWS, 5, 3)))
}

fn views(values: ArrayRef) -> ArrayRef {
    let (offsets, sizes) = ((0..ROWS as i32).rev().collect(), vec![1; ROWS].into());
    Arc::new(ListViewArray::new(item(&values), offsets, sizes, values, nulls(ROWS, 5, 3)))
}

fn map(values: ArrayRef) -> ArrayRef {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values((0..values.len()).map(|at| at.to_string())));
    let fields = vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", values.data_type().clone(), true),
    ];
    let entries = StructArray::new(fields.into(), vec![keys, values], None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::from_repeated_length(2, ROWS);
    Arc::new(MapArray::new(field, offsets, entries, nulls(ROWS, 5, 1), false))
}

/// Arrays of structs in all that they can be in, nulls everywhere.
fn arrays() -> Vec<(&'static str, ArrayRef)> {
    let inner = |len| of("y", numbers(len), nulls(len, 3, 1));
    let deep = |len| of("x", inner(len), nulls(len, 4, 2));
    vec![
        ("struct", inner(ROWS)),
        ("struct in struct", deep(ROWS)),
        ("struct in struct in struct", of("w", deep(ROWS), None)),
        ("struct in fixed list", fixed(inner(2 * ROWS))),
        ("struct in struct in fixed list", fixed(deep(2 * ROWS))),
        ("struct in fixed list in struct", of("v", fixed(deep(2 * ROWS)), nulls(ROWS, 7, 5))),
        ("struct in list", list(deep(3 * ROWS))),
        ("list in struct", of("l", list(deep(2 * ROWS)), nulls(ROWS, 3, 0))),
        ("struct in views", of("l", views(deep(ROWS)), None)),
        ("struct in map", of("m", map(deep(2 * ROWS)), nulls(ROWS, 3, 0))),
        ("dictionary in struct", of("s", of("d", words(), nulls(ROWS, 3, 1)), nulls(ROWS, 5, 1))),
    ]
}

/// Rows as others cut them out: an offset, and everything below left as it is.
fn cut(array: &ArrayRef, start: usize, len: usize) -> ArrayData {
    let data = array.to_data();
    let bits = data.nulls().map(|nulls| nulls.buffer().clone());
    data.into_builder().nulls(None).null_bit_buffer(bits).offset(start).len(len).build().unwrap()
}

#[test]
fn rows_that_others_cut_out_of_nested_structs_are_those_rows() {
    for (name, array) in arrays() {
        for (start, len) in [(0, ROWS), (0, 4), (1, 1), (1, ROWS - 1), (3, 5), (5, 0), (ROWS, 0)] {
            let column = cut(&array, start, len);
            let field = Field::new("c", array.data_type().clone(), true);
            let columns = DataType::Struct(vec![field.clone()].into());
            let data = ArrayData::builder(columns).len(len).add_child_data(column).build().unwrap();
            let batch = batch_of(Arc::new(Schema::new(vec![field])), &data).unwrap();
            assert_eq!(batch.num_rows(), len);
            assert_eq!(batch.column(0), &array.slice(start, len), "{name}, {len} from {start} on");
            batch.column(0).to_data().validate_full().unwrap();
        }
    }
}

#[test]
fn a_batch_that_is_cut_out_of_another_is_those_rows() {
    for (name, array) in arrays() {
        let (batch, schema) =
            (of("c", array, None), |array: &ArrayRef| Schema::new(array.as_struct().fields().clone()));
        for (start, len) in [(1, 3), (4, 8)] {
            let found = batch_of(Arc::new(schema(&batch)), &cut(&batch, start, len)).unwrap();
            assert_eq!(found.column(0), batch.slice(start, len).as_struct().column(0), "{name}");
        }
    }
}

#[test]
fn rows_cut_out_of_what_was_cut_out_are_those_rows() {
    for (name, array) in arrays() {
        let field = Field::new("c", array.data_type().clone(), true);
        let columns = Fields::from(vec![field]);
        let rows = ArrayData::builder(DataType::Struct(columns.clone())).offset(1).len(5);
        let data = rows.add_child_data(cut(&array, 2, 8)).build().unwrap();
        let batch = batch_of(Arc::new(Schema::new(columns)), &data).unwrap();
        assert_eq!(batch.column(0), &array.slice(3, 5), "{name}");
    }
}

#[test]
fn a_batch_without_columns_has_rows() {
    let data = ArrayData::builder(DataType::Struct(Fields::empty())).len(7).build().unwrap();
    assert_eq!(batch_of(Arc::new(Schema::empty()), &data).unwrap().num_rows(), 7);
}

#[test]
fn of_a_row_that_is_null_as_a_whole_all_columns_are() {
    for (name, array) in arrays() {
        let rows = nulls(ROWS, 4, 1);
        let batch = of("c", array.clone(), rows.clone());
        let schema = Arc::new(Schema::new(batch.as_struct().fields().clone()));
        for (start, len) in [(0, ROWS), (1, 3), (4, 8), (2, 1)] {
            let found = batch_of(schema.clone(), &cut(&batch, start, len)).unwrap();
            let (found, expected) = (found.column(0), array.slice(start, len));
            for row in 0..len {
                let is_null = rows.as_ref().unwrap().is_null(start + row);
                assert_eq!(found.is_null(row), is_null || expected.is_null(row), "{name}");
                if !is_null {
                    assert_eq!(&found.slice(row, 1), &expected.slice(row, 1), "{name}");
                }
            }
            found.to_data().validate_full().unwrap();
        }
    }
}

#[test]
fn a_row_that_is_null_as_a_whole_is_an_error_where_a_column_cannot_be() {
    let rows = nulls(ROWS, 4, 1);
    let ends = Int32Array::from_iter_values(1..=ROWS as i32);
    let runs: ArrayRef = Arc::new(RunArray::<Int32Type>::try_new(&ends, &numbers(ROWS)).unwrap());
    let never: ArrayRef = Arc::new(Int32Array::from_iter_values(0..ROWS as i32));
    for (column, is_nullable) in [(runs, true), (never, false)] {
        let fields = Fields::from(vec![Field::new("c", column.data_type().clone(), is_nullable)]);
        let batch: ArrayRef = Arc::new(StructArray::new(fields.clone(), vec![column], rows.clone()));
        let schema = Arc::new(Schema::new(fields));
        let error = batch_of(schema.clone(), &batch.to_data()).unwrap_err().to_string();
        assert!(error.contains("a row of the stream is null, and column `c`"), "{error}");
        // There is none in these rows.
        assert_eq!(batch_of(schema, &cut(&batch, 2, 3)).unwrap().num_rows(), 3);
    }
}
