//! Landmarks: where records are found, and where nothing is.

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

fn decoder(bytes: &[u8], options: &ReadOptions) -> Decoder {
    let mut inference = Inference::new(options);
    assert!(matches!(inference.infer(bytes, true), Inferred::Done | Inferred::Consumed(..)));
    Decoder::with_plan(Arc::new(Plan::new(&inference.findings().unwrap(), options).unwrap())).unwrap()
}

fn records() -> Vec<u8> {
    (0..10).flat_map(record).collect()
}

#[test]
fn the_next_record_is_found_from_any_place() {
    let bytes = records();
    let (mut decoder, length) = (decoder(&bytes, &ReadOptions::new()), record(0).len());
    let landmark = Landmark::of(&decoder.plan, &bytes).unwrap().unwrap();
    assert_eq!(landmark, Landmark { lead: 1, bytes: [0xa2, b'i', b'd'].into() });
    for from in 0..=bytes.len() - CHAIN * length {
        let next = from.next_multiple_of(length);
        assert_eq!(decoder.find(&landmark, &bytes[from..]), Some(next - from), "from {from}");
    }
    assert_eq!(decoder.columns.rows(), 0);
}

#[test]
fn what_only_looks_like_a_record_is_passed_over() {
    let good = records();
    let (mut decoder, mut bytes) = (decoder(&good, &ReadOptions::new()), record(0)[..5].to_vec());
    bytes.extend([0xa2, b'i', b'd', 7]); // the key alone
    bytes.extend([0x82, 0xa2, b'i', b'd', 7, 0xa1, b'v', 0xc4, 7]); // another dimension
    let landmark = Landmark::of(&decoder.plan, &good).unwrap().unwrap();
    assert_eq!(decoder.find(&landmark, &bytes), None);
    let before = bytes.len();
    bytes.extend(&good);
    assert_eq!(decoder.find(&landmark, &bytes), Some(before));
}

#[test]
fn two_records_are_not_enough() {
    let bytes = records();
    let mut decoder = decoder(&bytes, &ReadOptions::new());
    let landmark = Landmark::of(&decoder.plan, &bytes).unwrap().unwrap();
    assert_eq!(decoder.find(&landmark, &bytes[..CHAIN * record(0).len() - 1]), None);
}

#[test]
fn there_is_no_landmark_for_keys_of_a_map_or_for_bytes() {
    let options = ReadOptions::new();
    let bytes = records();
    let by_field = decoder(&bytes, &options);
    assert_eq!(Landmark::of(&by_field.plan, &[0x80]), Ok(None));
    assert_eq!(Landmark::of(&by_field.plan, &[0x07]), Ok(None));
    assert!(matches!(Landmark::of(&by_field.plan, &[0x81, 0xa5, b'i']), Err(Broken::Short(_))));
    let bare = Decoder::new(2, &options).unwrap();
    assert_eq!(Landmark::of(&bare.plan, &[0xc4, 8]), Ok(None));
}
