//! Sources made of sources: other columns and batches, and never other rows.

#![allow(clippy::unwrap_used)]

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use vecpack::{ErrorKind, Input, OnError, OutputColumn, ReadOptions, Source};

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

fn names(source: &Source) -> Vec<String> {
    source.schema().fields().iter().map(|field| field.name().clone()).collect()
}

#[test]
fn columns_have_the_names_that_they_are_given() {
    for threads in [1, 3] {
        let whole = batches(&source(false, ReadOptions::new().with_threads(threads)));
        let columns = [("embedding", "vector"), ("n", "id"), ("id", "id")];
        let renamed = source(
            false,
            ReadOptions::new().with_threads(threads).with_columns(columns).with_include_record(true),
        );
        assert_eq!(names(&renamed), ["embedding", "n", "id", "record"]);
        assert_eq!(renamed.dim(), Some(2));
        let found = batches(&renamed);
        assert_eq!(found.len(), whole.len());
        for (found, whole) in found.iter().zip(&whole) {
            assert_eq!(found.schema(), renamed.schema());
            assert_eq!(found.columns()[..3], [1, 0, 0].map(|column: usize| whole.column(column).clone()));
        }
        // A rename reads nothing, and the names stay with parts, selections and other batches.
        let again = renamed.rename([("embedding", "n"), ("n", "embedding")]).unwrap();
        assert_eq!(names(&again), ["n", "embedding", "id", "record"]);
        assert_eq!(again.columns()[0], OutputColumn::from(("n", "vector")));
        for other in [again.with_batch_rows(7).unwrap(), again.with_threads(1).unwrap()] {
            assert_eq!(names(&other), names(&again));
        }
        assert!(again.split(3).unwrap().iter().all(|part| names(part) == names(&again)));
        let selected = again.select(["id", "n"]).unwrap();
        assert_eq!(names(&selected), ["id", "n"]);
        for (found, whole) in batches(&selected).iter().zip(&whole) {
            assert_eq!(found.columns(), whole.columns());
        }
    }
}

#[test]
fn rejects_name_the_field_and_not_its_column() {
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_columns([("embedding", "vector")]);
    let renamed = source(true, options);
    assert_eq!(renamed.count_rows().unwrap(), ROWS as u64 - 1);
    assert_eq!(renamed.rejects().details()[0].field.as_deref(), Some("vector"));
}

#[test]
fn two_columns_cannot_have_one_name() {
    let bytes = || vec![Input::bytes("records", records(false))];
    let told = |options: ReadOptions| Source::new(bytes(), options.with_vector("vector")).unwrap_err();
    let source = source(false, ReadOptions::new());
    let [id, vector, record] = [("a", "id"), ("a", "vector"), ("record", "id")];
    for (error, text) in [
        (
            told(ReadOptions::new().with_columns([id, vector])),
            "option `columns`: two columns have the name `a`",
        ),
        (
            told(ReadOptions::new().with_columns(["id", "id"])),
            "option `columns`: two columns have the name `id`",
        ),
        (
            told(ReadOptions::new().with_columns([record]).with_include_record(true)),
            "option `columns`: two columns have the name `record`",
        ),
        (source.rename([("id", "vector")]).unwrap_err(), "rename: two columns have the name `vector`"),
        (
            source.rename([("id", "a\0")]).unwrap_err(),
            "rename: the name of a column must not hold a NUL byte",
        ),
    ] {
        assert!(matches!(error.kind(), ErrorKind::Option(_)), "{error}");
        assert_eq!(error.to_string(), text);
    }
    for (error, text) in [
        (
            told(ReadOptions::new().with_columns([("a", "score")])),
            "option `columns`: there is no column `score`; there are `id`, `vector`; a field that only later \
             records have needs option `infer_records=0`, or option `schema`",
        ),
        (
            source.rename([("score", "a")]).unwrap_err(),
            "rename: there is no column `score`; there are `id`, `vector`",
        ),
    ] {
        assert!(matches!(error.kind(), ErrorKind::Schema(_)), "{error}");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn columns_in_json_are_what_they_were_before_they_had_names() {
    let plain = ReadOptions::new().with_columns(["id", "vector"]);
    assert_eq!(serde_json::to_value(&plain).unwrap()["columns"], serde_json::json!(["id", "vector"]));
    let renamed = ReadOptions::new().with_columns([("a", "id"), ("vector", "vector")]);
    let text = serde_json::to_string(&renamed).unwrap();
    assert_eq!(serde_json::from_str::<ReadOptions>(&text).unwrap(), renamed);
}
