//! What a search may cost: so many bytes that are looked at for each of the input, however the input is made.

#![allow(clippy::unwrap_used)]

use super::super::Position;
use super::*;
use crate::options::ReadOptions;

const DIM: usize = 16;

fn good(number: usize) -> Vec<u8> {
    let elements = (0..DIM).flat_map(|at| ((number * DIM + at) as f32).to_le_bytes());
    [0xc4, 4 * DIM as u8].into_iter().chain(elements).collect()
}

fn lie(head: &[u8]) -> Vec<u8> {
    [head, &(0..4).flat_map(good).collect::<Vec<u8>>()].concat()
}

/// Good records and then `bytes` of a `piece` again and again: how many bytes were looked at, and how many rejects that were.
fn looked(piece: &[u8], bytes: usize) -> (u64, u64) {
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_max_rejects(1);
    let mut input: Vec<u8> = (0..100).flat_map(good).collect();
    input.extend(piece.repeat(bytes / piece.len()));
    let plan = Plan::of_vectors(DIM as u32, &options).unwrap();
    let place = Position::start(plan.framing);
    let mut decoder = Decoder::with_plan(plan.into()).unwrap().salvaging().at(&"".into(), place, None);
    let (mut done, mut rejects) = (0, 0);
    loop {
        let taken = decoder.decode_within(&input[done..], true).unwrap();
        done += taken;
        if let Some(decoded) = decoder.flush().unwrap() {
            rejects += decoded.rejects.count();
        }
        if taken == 0 {
            decoder.finish((input.len() - done) as u64).unwrap();
            return (decoder.looked, rejects + decoder.take_rejects().count());
        }
    }
}

#[test]
fn a_byte_is_looked_at_a_few_times_whatever_is_in_the_input() {
    let dim = DIM as u8;
    let mut random = fastrand::Rng::with_seed(1);
    let noise: Vec<u8> = (0..50_000).map(|_| random.u8(..)).collect();
    let pieces: [(&str, Vec<u8>); 14] = [
        ("0xc1", vec![0xc1]),
        ("nested arrays", vec![0x91]),
        ("nested maps", vec![0x81]),
        ("empty arrays", vec![0x90]),
        ("integers", vec![7]),
        ("heads", vec![0xc4, 4 * dim]),
        ("heads of arrays", vec![0xdc, 0, dim, 0xca]),
        ("heads in floats", vec![0xca, 0xdc, 0, dim, 0xca]),
        ("every other one is nil", [good(1), vec![0xc0]].concat()),
        ("records that say too much", lie(&[0xc6, 0, 0x40, 0, 0])),
        ("maps that say too much", lie(&[0xdf, 0, 0x40, 0, 0])),
        ("arrays that say too much", lie(&[0xdc, 0xff, 0xff, 1])),
        ("0xc1 between records", lie(&[0xc1])),
        ("noise", noise),
    ];
    for (name, piece) in pieces {
        let [(some, rejects), (more, more_rejects)] = [1 << 18, 1 << 20].map(|bytes| looked(&piece, bytes));
        assert!(rejects > 0 && more_rejects >= rejects, "{name}");
        assert!(more < 6 * some + (8 << 20), "{name}: {some} bytes looked at, {more} of four times as many");
        assert!(more < 800 << 20, "{name}: {} bytes looked at for each", more >> 20);
    }
}
