//! Columns of text come to the end of their offsets: tests have a small one.

#![allow(clippy::unwrap_used)]

use arrow_array::cast::AsArray;

use crate::values::MOST;
use crate::{Input, OnError, ReadOptions, Source};

/// Batches as large as can be.
fn options() -> ReadOptions {
    ReadOptions::new().with_batch_bytes(1 << 30).with_on_error(OnError::Skip)
}

#[test]
fn batches_are_cut_before_text_is_too_long_for_its_offsets() {
    let text = [&[0xda, 0x20, 0][..], &[b'x'; 0x2000]].concat();
    let record = [&[0x82, 0xa1, b't'][..], &text, &[0xa1, b'v', 0xc4, 4, 0, 0, 0, 0]].concat();
    let rows = 3 * MOST / text.len();
    for largest in [record.len(), MOST / 2, 2 * MOST] {
        let options = options().with_max_record_bytes(largest as u64);
        let source = Source::new(vec![Input::bytes("text", record.repeat(rows))], options).unwrap();
        let mut found = 0;
        for batch in source.reader().unwrap() {
            let batch = batch.unwrap();
            let bytes = batch.column(0).as_string::<i32>().value_data().len();
            assert!(bytes <= MOST, "{bytes} bytes");
            found += batch.num_rows();
        }
        assert_eq!((found, source.rejects().count()), (rows, 0), "max_record_bytes {largest}");
    }
}

#[test]
fn batches_are_cut_before_the_names_of_inputs_are_too_long_for_their_offsets() {
    let name = "n".repeat(1000);
    let rows = 3 * MOST / name.len();
    let input = Input::bytes(&name, [0xc4, 4, 0, 0, 0, 0].repeat(rows));
    for threads in [1, 3] {
        let options = options().with_include_path(true).with_threads(threads);
        let source = Source::new(vec![input.clone()], options).unwrap();
        let batches: Vec<_> = source.reader().unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), rows);
        for batch in batches {
            let names = batch.column_by_name("path").unwrap().as_string::<i32>();
            assert!(
                names.value_data().len() <= MOST && names.iter().all(|found| found == Some(name.as_str()))
            );
        }
    }
}
