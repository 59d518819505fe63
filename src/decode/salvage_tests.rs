//! What a search may cost: so many bytes that are looked at for each of the input, however the input is made.

#![allow(clippy::unwrap_used)]

use super::super::Position;
use super::*;
use crate::options::ReadOptions;
use crate::record::Inference;

const DIM: usize = 16;

fn good(number: usize) -> Vec<u8> {
    let elements = (0..DIM).flat_map(|at| ((number * DIM + at) as f32).to_le_bytes());
    [0xc4, 4 * DIM as u8].into_iter().chain(elements).collect()
}

fn lie(head: &[u8]) -> Vec<u8> {
    [head, &(0..4).flat_map(good).collect::<Vec<u8>>()].concat()
}

/// A record with fields.
fn fields(number: usize) -> Vec<u8> {
    [&[0x82, 0xa1, b'i', number as u8 % 128, 0xa1, b'v'][..], &good(number)].concat()
}

fn decoder(input: &[u8]) -> Decoder {
    decoder_of(input, Framing::Sequence)
}

fn decoder_of(input: &[u8], framing: Framing) -> Decoder {
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_max_rejects(1).with_infer_records(10);
    let options = options.with_framing(framing);
    let mut inference = Inference::new(&options);
    inference.infer(input, true);
    let plan = Plan::new(&inference.findings().unwrap(), &options).unwrap();
    let place = Position::start(plan.framing);
    Decoder::with_plan(plan.into()).unwrap().salvaging().at(&"".into(), place, None)
}

/// Good records and then `bytes` of a `piece` again and again: how many bytes were looked at, and how many rejects that were.
fn looked(good: fn(usize) -> Vec<u8>, piece: &[u8], bytes: usize) -> (u64, u64) {
    looked_in(Framing::Sequence, &[], good, piece, bytes)
}

/// The same in this framing, behind the `head` of an array.
fn looked_in(
    framing: Framing,
    head: &[u8],
    good: fn(usize) -> Vec<u8>,
    piece: &[u8],
    bytes: usize,
) -> (u64, u64) {
    let mut input: Vec<u8> = [head.to_vec(), (0..100).flat_map(good).collect()].concat();
    input.extend(piece.repeat(bytes / piece.len()));
    let mut decoder = decoder_of(&input, framing);
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
        let [(some, rejects), (more, more_rejects)] =
            [1 << 18, 1 << 20].map(|bytes| looked(good, &piece, bytes));
        assert!(rejects > 0 && more_rejects >= rejects, "{name}");
        assert!(more < 6 * some + (8 << 20), "{name}: {some} bytes looked at, {more} of four times as many");
        assert!(more < 800 << 20, "{name}: {} bytes looked at for each", more >> 20);
    }
}

/// Behind damage, the heads of other arrays are looked for among the records of one.
#[test]
fn a_byte_is_looked_at_a_few_times_where_arrays_may_begin() {
    let good_ones: Vec<u8> = (0..2).flat_map(good).collect();
    let fields_ones: Vec<u8> = (0..2).flat_map(fields).collect();
    let short = [0xc4, 2, 0, 0];
    let pieces: [(&str, Vec<u8>); 9] = [
        ("nested arrays", vec![0x91]),
        ("arrays of nil", vec![0x91, 0xc0]),
        ("arrays without an end", lie(&[0x91, 0xdd, 0, 0x40, 0, 0])),
        ("arrays without an end behind bad ones", lie(&[&short[..], &[0xdd, 0, 0x40, 0, 0]].concat())),
        ("bad ones first", [&[0x9f][..], &short.repeat(15)].concat()),
        ("many claims", [0xdc, 0xff, 0xff, 0xc0].to_vec()),
        ("two good ones first", [&[0xdc, 0xff, 0xff][..], &good_ones, &[7, 0xc1]].concat()),
        ("two good ones with fields", [&[0xdc, 0xff, 0xff][..], &fields_ones, &[7, 8]].concat()),
        ("long ones", [&[0xdc, 0xff, 0xff, 0xc5, 0x40, 0][..], &[0; 0x4000]].concat()),
    ];
    // The count is unknown behind what is between two good records.
    let head = [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[7, 0xa1, b'x', 7]].concat();
    for (name, piece) in pieces {
        for shape in [good, fields] {
            let [(some, _), (more, _)] =
                [1 << 18, 1 << 20].map(|bytes| looked_in(Framing::Array, &head, shape, &piece, bytes));
            let what = format!("{name}: {} KiB, then {} KiB looked at", some >> 10, more >> 10);
            assert!(more < 6 * some + (8 << 20), "{what}");
        }
    }
}

/// What was searched for long is not searched for as long again as soon as a good record comes.
#[test]
fn looks_are_paid_for_by_the_bytes_of_all_searches_together() {
    let page = [0x82, 0xa1, b'x', 0xdc, 0xff, 0xff].repeat(680);
    let piece = [page, (0..4).flat_map(fields).collect()].concat();
    let bytes = 1 << 20;
    let (looked, rejects) = looked(fields, &piece, bytes);
    assert!(rejects > 5, "{rejects}");
    assert!(looked < FREE + (4 * COST) * bytes as u64, "{} MiB looked at", looked >> 20);
}

/// Lists in front of every few records, each of which claims hundreds of thousands: the first one is waited for.
#[test]
fn what_says_too_much_again_and_again_is_not_waited_for() {
    const CLAIM: usize = 400_000;
    let head = [0xdd, 0, 6, 0x1a, 0x80];
    let mut input: Vec<u8> = (0..100).flat_map(good).collect();
    input.extend(lie(&head).repeat(3000));
    let mut decoder = decoder(&input);
    let (mut done, mut gaps, mut most) = (0, 0, 0);
    while done < input.len() {
        let end = input.len().min(done + decoder.needed());
        done += decoder.decode_within(&input[done..end], end == input.len()).unwrap();
        if decoder.is_full() {
            decoder.flush().unwrap();
        }
        gaps += decoder.take_rejects().count();
        if gaps > 0 {
            most = most.max(decoder.needed());
        }
    }
    assert_eq!(gaps, 3000);
    assert!(most < CLAIM, "{most} bytes were asked for");
}

/// Another decoder, which would begin there, would know nothing of it.
#[test]
fn an_input_is_not_cut_where_a_lie_or_what_looks_cost_is_remembered() {
    let after = |decoder: &mut Decoder, input: &[u8]| {
        let mut done = 0;
        while done < input.len() {
            done += decoder.decode_within(&input[done..], true).unwrap();
            decoder.flush().unwrap();
        }
    };
    let [some, calm]: [Vec<u8>; 2] = [4, 100_000].map(|count| (0..count).flat_map(fields).collect());
    let in_front: Vec<u8> = (0..100).flat_map(fields).collect();
    let mut decoder = decoder(&in_front);
    after(&mut decoder, &in_front);
    assert!(!decoder.is_searching());

    after(&mut decoder, &[&[0xdd, 0, 6, 0x1a, 0x80], &some[..]].concat());
    assert!(decoder.is_searching() && decoder.owed() == 0);
    after(&mut decoder, &calm);
    assert!(!decoder.is_searching());

    after(&mut decoder, &[[0x82, 0xa1, b'x', 0xdc, 0xff, 0xff].repeat(4000), some].concat());
    decoder.lied = None;
    assert!(decoder.is_searching() && decoder.owed() > 0);
    after(&mut decoder, &calm);
    assert!(!decoder.is_searching());
}
