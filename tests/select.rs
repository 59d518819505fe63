//! Sources made of sources: other columns and batches, and never other rows.

#![allow(clippy::unwrap_used)]

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use vecpack::{ErrorKind, Input, OnError, ReadOptions, Source};

use crate::support::floats;

const ROWS: usize = 500;

/// `{"id": n, "vector": [n, n]}`, the last of them with a vector of one element if `broken`.
fn records(broken: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in 0..ROWS {
        let dim = if broken && row + 1 == ROWS { 1 } else { 2 };
        let elements = floats(&vec![row as f32; dim]);
        bytes.extend(b"\x82\xa2id\xd1");
        bytes.extend((row as i16).to_be_bytes());
        bytes.extend(b"\xa6vector\xc4");
        bytes.push(elements.len() as u8);
        bytes.extend(elements);
    }
    bytes
}

fn source(broken: bool, options: ReadOptions) -> Source {
    let options = options.with_vector("vector").with_infer_records(100).with_batch_rows(64);
    Source::new(vec![Input::bytes("records", records(broken))], options).unwrap()
}

fn batches(source: &Source) -> Vec<RecordBatch> {
    source.reader().unwrap().map(Result::unwrap).collect()
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[test]
fn columns_come_in_the_order_in_which_they_are_selected() {
    for threads in [1, 3] {
        let whole = source(false, ReadOptions::new().with_threads(threads));
        let selected = whole.select(["vector", "id"]).unwrap();
        assert_eq!(selected.schema().fields().len(), 2);
        assert_eq!((selected.dim(), selected.select(["id"]).unwrap().dim()), (Some(2), None));
        let expected: Vec<_> = batches(&whole).iter().map(|batch| batch.project(&[1, 0]).unwrap()).collect();
        assert_eq!(batches(&selected), expected);
        let ids = batches(&selected.select(["id"]).unwrap());
        let ids: Vec<i64> = ids
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
            .collect();
        assert_eq!(ids, (0..ROWS as i64).collect::<Vec<_>>());
    }
}

#[test]
fn no_columns_are_as_many_rows() {
    let nothing = source(false, ReadOptions::new()).select::<&str>([]).unwrap();
    assert_eq!(nothing.schema().fields().len(), 0);
    assert_eq!((rows(&batches(&nothing)), nothing.count_rows().unwrap()), (ROWS, ROWS as u64));
    let parts = nothing.split(3).unwrap();
    assert_eq!(parts.iter().map(|part| part.count_rows().unwrap()).sum::<u64>(), ROWS as u64);
}

#[test]
fn what_is_not_selected_is_stepped_over_unless_it_may_cost_a_row() {
    let raising = source(true, ReadOptions::new());
    assert_eq!(raising.select(["id"]).unwrap().count_rows().unwrap(), ROWS as u64);
    assert!(raising.count_rows().is_err());
    for (policy, expected) in [(OnError::Skip, ROWS - 1), (OnError::Null, ROWS)] {
        let whole = source(true, ReadOptions::new().with_on_error(policy));
        let ids = whole.select(["id"]).unwrap();
        assert_eq!(rows(&batches(&ids)), expected);
        assert_eq!((whole.rejects().count(), ids.rejects().count()), (1, 1));
    }
}

#[test]
fn batches_and_threads_can_be_others() {
    let whole = source(false, ReadOptions::new());
    assert_eq!(batches(&whole.with_batch_rows(10).unwrap()).len(), ROWS / 10);
    assert_eq!(batches(&whole.with_batch_bytes(1).unwrap()).len(), ROWS);
    let selected = whole.select(["id"]).unwrap().with_threads(1).unwrap();
    assert_eq!((selected.schema().fields().len(), selected.options().threads), (1, Some(1)));
    assert!(matches!(whole.with_batch_rows(0).unwrap_err().kind(), ErrorKind::Option(_)));
}

#[test]
fn names_that_are_not_there_are_refused() {
    let source = source(false, ReadOptions::new());
    for (names, text) in [
        (&["id", "score"][..], "select: there is no column `score`; there are `id`, `vector`"),
        (&["id", "id"], "select: the column `id` is named twice"),
    ] {
        let error = source.select(names.iter().copied()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Schema(_)));
        assert_eq!(error.to_string(), text);
    }
}
