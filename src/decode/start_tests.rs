//! Where records are found, and where none are.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::options::ReadOptions;
use crate::record::{Inference, Inferred};

/// A map of an `id` and a vector of two float32.
fn record(id: u8) -> Vec<u8> {
    let mut bytes = vec![0x82, 0xa2, b'i', b'd', id, 0xa1, b'v', 0xc4, 8];
    bytes.extend([1.5_f32, f32::from(id)].iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

fn records() -> Vec<u8> {
    (0..10).flat_map(record).collect()
}

fn decoder() -> (Decoder, RecordStart) {
    let (options, bytes) = (ReadOptions::new(), records());
    let mut inference = Inference::new(&options);
    assert!(matches!(inference.infer(&bytes, true), Inferred::Done(_) | Inferred::Consumed(..)));
    let plan = Plan::new(&inference.findings().unwrap(), &options).unwrap();
    let start = plan.start.clone().unwrap();
    (Decoder::with_plan(Arc::new(plan)).unwrap(), start)
}

/// Bytes of a run of records.
fn run() -> usize {
    RUN as usize * record(0).len()
}

#[test]
fn the_next_records_are_found_from_any_place() {
    let (bytes, length) = (records(), record(0).len());
    let (mut decoder, start) = decoder();
    for from in 0..=bytes.len() - run() {
        let end = from.next_multiple_of(length) + run();
        assert_eq!(decoder.find(&start, &bytes[from..]), Some(end - from), "from {from}");
    }
    assert_eq!(decoder.columns.rows, 0);
}

#[test]
fn a_key_alone_and_a_bad_record_are_passed_over() {
    let (mut decoder, start) = decoder();
    let mut bytes = record(0)[..5].to_vec();
    bytes.extend([0xa2, b'i', b'd', 7]);
    bytes.extend([0x82, 0xa2, b'i', b'd', 7, 0xa1, b'v', 0xc4, 7]);
    assert_eq!(decoder.find(&start, &bytes), None);
    let before = bytes.len();
    bytes.extend(records());
    assert_eq!(decoder.find(&start, &bytes), Some(before + run()));
}

#[test]
fn two_records_are_not_enough() {
    let (mut decoder, start) = decoder();
    assert_eq!(decoder.find(&start, &records()[..run() - 1]), None);
}

#[test]
fn an_object_without_content_has_no_start() {
    assert_eq!(RecordStart::of(&[0x80]), Ok(None));
    assert_eq!(RecordStart::of(&[0x07]), Ok(None));
    assert!(matches!(RecordStart::of(&[0x81, 0xa5, b'i']), Err(Broken::Short(_))));
    assert!(RecordStart::of(&[0xc4, 8]).unwrap().unwrap().matches(&[0xc4, 8, 1]));
}
