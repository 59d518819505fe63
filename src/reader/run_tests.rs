//! How an input is cut into lanes, left and entered again. That the rows are right is for `tests/agreement.rs`.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::options::{OnError, ReadOptions};

const GOOD: [u8; 6] = [0xc4, 4, 1, 2, 3, 4];
const BAD: [u8; 1] = [0xc0];

fn run(records: &[&[u8]], batch_rows: usize) -> Run {
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_batch_rows(batch_rows);
    let plan = Arc::new(Plan::of_vectors(1, &options).unwrap());
    Run::open(Input::bytes("records", records.concat()), &plan, &Arc::default()).unwrap()
}

fn place(offset: u64, record: u64) -> Position {
    Position { offset, record, left: Left::Unbounded, tail: 0, rows: 0 }
}

/// Plans one lane, decodes it to its end, and gives how many rows it had and how it ended.
fn decode_lane(run: &mut Run) -> (usize, End) {
    if run.lanes.is_empty() {
        run.plan_lane().unwrap().unwrap();
    }
    let slot = run.lanes.front().unwrap().clone();
    let mut rows = 0;
    loop {
        let Some(step) = run.taken(slot.next(None).unwrap()).unwrap() else { return (rows, End::Lost) };
        rows += step.decoded.map_or(0, |decoded| decoded.batch.num_rows());
        if let Some(end) = step.end {
            run.lane_ended(end.clone());
            return (rows, end);
        }
    }
}

fn plan_all(run: &mut Run) -> usize {
    while run.plan_lane().unwrap().is_some() {}
    run.lanes.len()
}

#[test]
fn uniform_records_are_cut_into_lanes_of_a_batch_at_once() {
    let mut run = run(&[&GOOD[..]; 95], 10);
    assert_eq!(plan_all(&mut run), 10);
    for _ in 0..9 {
        assert_eq!(decode_lane(&mut run), (10, End::Verified));
    }
    assert_eq!(decode_lane(&mut run), (5, End::Input));
    assert_eq!(run.lanes.len(), 0);
    assert!(run.plan_lane().unwrap().is_none());
}

#[test]
fn a_record_that_differs_ends_the_lanes_behind_it() {
    let mut records = [&GOOD[..]; 100];
    records[23] = &BAD;
    let mut run = run(&records, 10);
    assert_eq!(plan_all(&mut run), 10);
    decode_lane(&mut run);
    decode_lane(&mut run);
    assert_eq!(run.lanes.len(), 8);
    let at = 23 * GOOD.len() as u64;
    assert_eq!(decode_lane(&mut run), (3, End::Diverged));
    assert_eq!(run.lanes.len(), 0);
    assert!(matches!(run.next, Next::Stretch) && run.at == place(at, 23));
}

#[test]
fn nothing_is_planned_behind_a_walk_until_it_has_ended() {
    let mut run = run(&[&[&BAD[..]], &[&GOOD[..]; 50][..]].concat(), 10);
    assert_eq!(plan_all(&mut run), 1);
    assert!(matches!(run.next, Next::Nothing));
}

#[test]
fn after_a_walk_the_lanes_are_tried_again() {
    let mut records = [&GOOD[..]; 100];
    records[0] = &BAD;
    let mut run = run(&records, 10);
    let (rows, end) = decode_lane(&mut run);
    assert_eq!(rows, 10);
    assert!(matches!(end, End::Limit(Some(_))), "{end:?}");
    assert_eq!(run.at, place(61, 11));
    assert_eq!(plan_all(&mut run), 9);
    assert_eq!(decode_lane(&mut run), (10, End::Verified));
}

#[test]
fn walks_grow_while_the_guess_fails_and_begin_anew_when_it_was_right() {
    // Every eleventh record is bad, so that no lane of ten batches is uniform; then all are good.
    let bad_ones = (0..20_000).map(|number| if number % 11 == 0 { &BAD[..] } else { &GOOD[..] });
    let records: Vec<&[u8]> = bad_ones.chain([&GOOD[..]; 5000]).collect();
    let mut run = run(&records, 20);
    let mut walks = Vec::new();
    let mut rows = 0;
    loop {
        let (decoded, end) = decode_lane(&mut run);
        rows += decoded;
        match end {
            End::Diverged => walks.push(run.walk),
            End::Verified => break,
            _ => {}
        }
    }
    assert_eq!(&walks[..7], [2, 4, 8, 16, 32, 64, 64]);
    assert_eq!(run.walk, 1);
    assert!(rows > 20_000 - 20_000 / 11 - 20);
}

#[test]
fn a_walk_ends_behind_a_good_record() {
    let options = ReadOptions::new().with_on_error(OnError::Null).with_batch_rows(10);
    let plan = Arc::new(Plan::of_vectors(1, &options).unwrap());
    let bytes = [BAD.repeat(100), GOOD.repeat(30)].concat();
    let mut run = Run::open(Input::bytes("records", bytes), &plan, &Arc::default()).unwrap();
    let (rows, end) = decode_lane(&mut run);
    // The bytes behind the bad records pay for the search in them.
    let good = rows as u64 - 100;
    assert!((10..30).contains(&good), "{good}");
    assert!(matches!(end, End::Limit(_)), "{end:?}");
    assert_eq!(run.at, place(100 + 6 * good, 100 + good));
}

/// Records of a number and a vector of one element, of different lengths.
fn fields(count: u32) -> Vec<u8> {
    let number =
        |n: u32| if n.is_multiple_of(3) { vec![7] } else { [vec![0xce], n.to_be_bytes().to_vec()].concat() };
    (0..count).flat_map(|n| [vec![0x92], number(n), GOOD.to_vec()].concat()).collect()
}

fn run_of_fields(bytes: &[u8]) -> Run {
    let options = ReadOptions::new().with_vector("1").with_columns(["column_1"]).with_batch_bytes(1);
    let mut inference = crate::record::Inference::new(&options);
    inference.infer(bytes, true);
    let plan =
        Plan::new(&inference.findings().unwrap(), &options.with_batch_bytes(SHORTEST as usize)).unwrap();
    Run::open(Input::bytes("records", bytes.to_vec()), &Arc::new(plan), &Arc::default()).unwrap()
}

#[test]
fn records_with_fields_are_cut_into_stretches_at_once() {
    let bytes = fields(2000);
    let mut run = run_of_fields(&bytes);
    assert_eq!(plan_all(&mut run), bytes.len().div_ceil(SHORTEST as usize));
    let mut rows = 0;
    while !run.lanes.is_empty() {
        let (decoded, end) = decode_lane(&mut run);
        rows += decoded;
        assert_eq!(end, if !run.lanes.is_empty() { End::Reached } else { End::Input });
    }
    assert_eq!(rows, 2000);
}

#[test]
fn a_stretch_that_began_at_the_wrong_place_is_walked() {
    // A text in which records seem to stand, over the end of the first stretch.
    let text = fields(900);
    let head = [&[0x93, 7][..], &GOOD, &[0xc5], &(text.len() as u16).to_be_bytes()].concat();
    let mut run = run_of_fields(&[fields(330), head, text, fields(9000)].concat());
    plan_all(&mut run);
    let (mut rows, mut ends) = (0, Vec::new());
    while run.plan_lane().unwrap().is_some() || !run.lanes.is_empty() {
        let (decoded, end) = decode_lane(&mut run);
        rows += decoded;
        ends.push(end);
    }
    assert_eq!(rows, 330 + 1 + 9000);
    assert_eq!(ends[..2], [End::Reached, End::Lost]);
    assert!(ends[2..].contains(&End::Reached), "{ends:?}");
}

#[test]
fn a_part_of_an_input_keeps_to_its_span_and_its_record_numbers() {
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_batch_rows(2);
    let plan = Arc::new(Plan::of_vectors(1, &options).unwrap());
    let records = [&GOOD[..], &GOOD, &GOOD, &BAD, &GOOD].concat();
    let input =
        Input::bytes("records", records).with_span(Span { start: 6, end: 19, record: 1, inside: true });
    let mut run = Run::open(input, &plan, &Arc::default()).unwrap();
    assert_eq!(decode_lane(&mut run), (2, End::Verified));
    let step = {
        run.plan_lane().unwrap().unwrap();
        run.lanes.front().unwrap().next(None).unwrap().unwrap()
    };
    let rejects = step.decoded.unwrap().rejects;
    assert_eq!(rejects.details()[0].record, 3);
    assert_eq!(rejects.details()[0].offset, 18);
    assert_eq!((step.end, step.bytes), (Some(End::Input), 1));
}

#[test]
fn an_error_says_in_which_input_it_occurred() {
    let plan = Arc::new(Plan::of_vectors(1, &ReadOptions::new()).unwrap());
    let input = Input::bytes("records", [&GOOD[..], &BAD].concat());
    let mut run = Run::open(input, &plan, &Arc::default()).unwrap();
    let step = run.plan_lane().unwrap().unwrap().next(None).unwrap();
    assert!(run.taken(step).err().unwrap().to_string().starts_with("records: record 1"));
    let broken = run.taken(Err(std::io::Error::other("broken").into())).err().unwrap();
    assert!(broken.to_string().starts_with("records: broken"));
}
