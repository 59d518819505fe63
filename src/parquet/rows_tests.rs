#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, FixedSizeListArray, Int32Array, Int64Array,
    ListArray, NullArray, RecordBatch, RecordBatchOptions, StringArray, StringViewArray, StructArray,
};
use arrow_schema::{DataType, Field, Fields, Schema};

use super::{Pending, RowBytes};

#[test]
fn every_row_has_the_bytes_that_it_holds() {
    let text = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let item = |array: &ArrayRef| Arc::new(Field::new("item", array.data_type().clone(), true));
    let texts = text(vec![Some("ab"), None, Some("abcde")]);
    let in_lists = |lengths: [usize; 2]| -> ArrayRef {
        let offsets = arrow_buffer::OffsetBuffer::from_lengths(lengths);
        Arc::new(ListArray::new(item(&texts), offsets, texts.clone(), None))
    };
    let words = DictionaryArray::<Int32Type>::new(
        Int32Array::from(vec![Some(2), None, Some(0), Some(2)]),
        texts.clone(),
    );
    let vectors =
        FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>([Some([Some(0.0); 8]), None], 8);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let pair = StructArray::new(
        Fields::from(vec![Field::new("n", DataType::Int64, true), Field::new("t", DataType::Utf8, true)]),
        vec![numbers.clone(), texts.clone()],
        None,
    );
    let each = RowBytes::Each;
    let cases: Vec<(ArrayRef, RowBytes)> = vec![
        (texts.clone(), each(vec![6, 4, 9])),
        (texts.slice(2, 1), each(vec![9])),
        (Arc::new(BinaryArray::from(vec![&b"abc"[..], b""])), each(vec![7, 4])),
        (Arc::new(StringViewArray::from(vec!["a", "a text of more than twelve bytes"])), each(vec![5, 36])),
        (in_lists([2, 1]), each(vec![4 + 6 + 4, 4 + 9])),
        (in_lists([1, 2]).slice(1, 1), each(vec![4 + 4 + 9])),
        (Arc::new(words), each(vec![9, 6, 6, 9])),
        (Arc::new(vectors), RowBytes::Same(32)),
        (numbers, RowBytes::Same(8)),
        (Arc::new(BooleanArray::from(vec![true])), RowBytes::Same(1)),
        (Arc::new(NullArray::new(5)), RowBytes::Same(0)),
        (Arc::new(pair), each(vec![14, 12, 17])),
        (
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)]), None])),
            each(vec![12, 4]),
        ),
    ];
    for (array, expected) in cases {
        assert_eq!(RowBytes::of_array(&array), expected, "{}", array.data_type());
    }
}

/// Rows of the row groups that texts of these lengths come to, in batches of so many rows.
fn groups(lengths: &[usize], most: usize, batch_rows: usize) -> Vec<usize> {
    let (mut pending, mut groups) = (Pending::default(), Vec::new());
    for lengths in lengths.chunks(batch_rows) {
        let texts: ArrayRef =
            Arc::new(StringArray::from_iter_values(lengths.iter().map(|&length| "x".repeat(length - 4))));
        let batch = RecordBatch::try_from_iter([("text", texts)]).unwrap();
        let (bytes, mut start) = (RowBytes::of_batch(&batch), 0);
        while start < batch.num_rows() {
            let taken = pending.take(&batch, &bytes, start, most);
            let is_full = pending.is_full;
            start += taken;
            if is_full {
                groups.push(pending.finish().iter().map(RecordBatch::num_rows).sum());
            }
        }
    }
    groups.push(pending.rows);
    groups
}

#[test]
fn row_groups_end_where_the_next_row_has_no_room_however_rows_come() {
    for batch_rows in [1, 2, 5, 100] {
        assert_eq!(groups(&[40, 40, 40, 40, 40], 100, batch_rows), [2, 2, 1]);
        assert_eq!(groups(&[40, 900, 40, 60, 5], 100, batch_rows), [1, 1, 2, 1], "a large row is alone");
        assert_eq!(groups(&[50, 50, 50], 100, batch_rows), [2, 1]);
    }
    // Round numbers, where there are many rows.
    for batch_rows in [777, 2048, 10_000] {
        assert_eq!(groups(&[10; 10_000], 10 * 5000, batch_rows), [4096, 4096, 1808]);
    }
}

#[test]
fn rows_without_columns_count() {
    let options = RecordBatchOptions::new().with_row_count(Some(5));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    assert_eq!(RowBytes::of_batch(&batch), RowBytes::Same(1));
}
