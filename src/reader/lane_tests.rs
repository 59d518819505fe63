//! Lanes: what ends them, and where.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use super::*;
use crate::decode::{Left, Stride};
use crate::options::{OnError, ReadOptions};
use crate::record::Plan;

const GOOD: [u8; 6] = [0xc4, 4, 1, 2, 3, 4];

fn lane(bytes: &[u8], mode: Mode) -> Lane {
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_batch_rows(4);
    let blocks = Blocks::of_bytes(bytes.to_vec().into(), 0, bytes.len() as u64);
    Lane::new(blocks, Decoder::new(1, &options).unwrap(), mode, Arc::default())
}

fn place(offset: u64, record: u64) -> Position {
    Position { offset, record, left: Left::Unbounded, tail: 0, rows: 0 }
}

fn uniform() -> Mode {
    let plan = Plan::of_vectors(1, &ReadOptions::new()).unwrap();
    match Stride::of(&plan, place(0, 0), &GOOD) {
        Ok(Stride { uniform: Some((_, template)), .. }) => Mode::Uniform(template),
        _ => panic!("no template"),
    }
}

/// Rows, rejects, bytes and the end of one step.
fn step(lane: &mut Lane) -> (usize, u64, u64, Option<End>) {
    let Step { decoded, bytes, end, .. } = lane.step().unwrap();
    let (rows, rejects) =
        decoded.map_or((0, 0), |decoded| (decoded.batch.num_rows(), decoded.rejects.count()));
    (rows, rejects, bytes, end)
}

#[test]
fn a_uniform_lane_verifies_all_of_its_records() {
    assert_eq!(step(&mut lane(&GOOD.repeat(4), uniform())), (4, 0, 24, Some(End::Verified)));
}

#[test]
fn a_uniform_lane_ends_where_a_record_differs() {
    for bad in 0..4 {
        let mut bytes = GOOD.repeat(4);
        bytes[bad * GOOD.len()] = 0xa4;
        let mut lane = lane(&bytes, uniform());
        assert_eq!(step(&mut lane), (bad, 0, 6 * bad as u64, Some(End::Diverged)), "{bad}");
        assert_eq!(lane.decoder.position, place(6 * bad as u64, bad as u64), "{bad}");
    }
}

#[test]
fn a_walk_of_so_many_batches_ends_behind_them() {
    let mut lane = lane(&[&[0xc0], &GOOD.repeat(20)[..]].concat(), Mode::Walk(2));
    assert_eq!(step(&mut lane), (4, 1, 25, None));
    let (rows, rejects, bytes, end) = step(&mut lane);
    assert_eq!((rows, rejects, bytes), (4, 0, 24));
    assert!(matches!(end, Some(End::Limit(Some(_)))), "{end:?}");
    assert_eq!(lane.decoder.position, place(49, 9));
}

#[test]
fn a_walk_ends_with_the_input_and_notes_what_is_cut_off() {
    assert_eq!(step(&mut lane(&GOOD.repeat(2), Mode::Walk(9))), (2, 0, 12, Some(End::Input)));
    let mut bytes = GOOD.repeat(3);
    bytes.pop();
    let (rows, rejects, _, end) = step(&mut lane(&bytes, Mode::Walk(9)));
    assert_eq!((rows, rejects, end), (2, 1, Some(End::Input)));
}

#[test]
fn a_walk_over_nothing_but_rejects_ends() {
    assert_eq!(step(&mut lane(&[0xc0; 1000], Mode::Walk(1))), (0, 1000, 1000, Some(End::Input)));
}
