//! Damaged files: the records that damage did not touch are rows, the lost bytes are rejects, and
//! neither threads nor blocks nor parts change that.

#![allow(clippy::panic, clippy::ptr_arg)]

use std::io::Write;

use fastrand::Rng;
use vecpack::{ErrorKind, Framing, Input, OnError, ReadOptions, RejectKind, Source};

use crate::support::{Note, Pieces, Row, Scan, drain, record, records, row, vector};

const DIM: usize = 16;

fn options(on_error: OnError) -> ReadOptions {
    ReadOptions::new().with_on_error(on_error).with_max_rejects(usize::MAX)
}

/// What `bytes` give, which is the same in every way they can be read.
fn scan(bytes: &[u8], options: &ReadOptions) -> Scan {
    let read = |input: Input, threads: usize, rows: Option<usize>| {
        let options = options.clone().with_threads(threads).with_batch_bytes(1 << 14);
        let options = rows.map_or(options.clone(), |rows| options.with_batch_rows(rows));
        drain(Source::new(vec![input], options).unwrap().reader().unwrap())
    };
    let first = read(Input::bytes("records", bytes.to_vec()), 1, None);
    assert!(first.error.is_none(), "{:?}", first.error);
    for threads in [1, 2, 4] {
        for rows in [None, Some(7)] {
            let pieces = Pieces { bytes: bytes.to_vec().into(), sizes: vec![700, 13, 60_000] };
            for input in [Input::bytes("records", bytes.to_vec()), Input::stream("records", pieces)] {
                let other = read(input, threads, rows);
                assert!(other.rows == first.rows, "threads {threads}, batch_rows {rows:?}");
                assert_eq!(other.notes, first.notes, "threads {threads}, batch_rows {rows:?}");
            }
        }
    }
    let input = Input::bytes("records", bytes.to_vec());
    for parts in [2, 5] {
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        for part in Source::new(vec![input.clone()], options.clone()).unwrap().split(parts).unwrap() {
            let part = drain(part.reader().unwrap());
            rows.extend(part.rows);
            notes.extend(part.notes);
        }
        assert!(rows == first.rows, "{parts} parts: {} rows, not {}", rows.len(), first.rows.len());
        assert_eq!(notes, first.notes, "{parts} parts");
    }
    first
}

/// Records with an id, a text and a vector.
fn fields(number: usize) -> Vec<u8> {
    let text = format!("https://example.org/{}", "x".repeat(number % 40));
    let id = (number as u32).to_be_bytes();
    let mut bytes = [&[0x83, 0xa2, b'i', b'd', 0xce][..], &id, &[0xa3, b'u', b'r', b'l', 0xd9]].concat();
    bytes.push(text.len() as u8);
    bytes.extend(text.as_bytes());
    bytes.extend([0xa6, b'v', b'e', b'c', b't', b'o', b'r']);
    bytes.extend(record(&vector(number, DIM)));
    bytes
}

/// The same as an array of fields.
fn positional(number: usize) -> Vec<u8> {
    let id = (number as u32).to_be_bytes();
    [&[0x92, 0xce][..], &id, &record(&vector(number, DIM))].concat()
}

/// A record of single floats.
fn floats(number: usize) -> Vec<u8> {
    let numbers = vector(number, DIM).into_iter().flat_map(|x| [&[0xca][..], &x.to_be_bytes()].concat());
    [0xdc, 0, DIM as u8].into_iter().chain(numbers).collect()
}

fn bare(number: usize) -> Vec<u8> {
    record(&vector(number, DIM))
}

/// Makes the record with this number.
type Shape = fn(usize) -> Vec<u8>;

const SHAPES: [(&str, Shape); 4] =
    [("bare", bare), ("floats", floats), ("map", fields), ("positional", positional)];

/// `count` records and where each begins.
fn file(shape: Shape, count: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for number in 0..count {
        starts.push(bytes.len());
        bytes.extend(shape(number));
    }
    (bytes, starts)
}

fn expected(without: &[usize], count: usize) -> Vec<Row> {
    (0..count).filter(|number| !without.contains(number)).map(|number| row(&vector(number, DIM))).collect()
}

/// Only the vectors.
fn only_vectors(shape: &str, on_error: OnError) -> ReadOptions {
    match shape {
        "map" => options(on_error).with_columns(["vector"]),
        "positional" => options(on_error).with_columns(["column_1"]),
        _ => options(on_error),
    }
}

/// The reject that a gap is.
fn gap(record: u64, offset: u64, length: u64) -> Note {
    Note { file: "records".into(), record, offset, length, kind: RejectKind::Invalid }
}

/// What happens to a file, given where its records begin.
type Damage = fn(&mut Vec<u8>, &[usize], &mut Rng);

/// The damages, and how many intact records of 200 a file may lose on average.
const DAMAGES: [(&str, Damage, f64); 9] = [
    ("cut off and begun again", cut, 8.0),
    ("a zeroed block", zeros, 8.0),
    ("lost bytes", lose, 8.0),
    ("noise", noise, 8.0),
    ("a log line", log_line, 8.0),
    ("a flipped bit", flip, 8.0),
    ("a flipped bit in a head", flip_head, 8.0),
    ("a flipped bit in every tenth head", flip_heads, 40.0),
    ("0xc1", reserved, 8.0),
];

fn cut(bytes: &mut Vec<u8>, starts: &[usize], random: &mut Rng) {
    let at = random.usize(20..starts.len() - 20);
    let length = starts[at + 1] - starts[at];
    bytes.drain(starts[at] + random.usize(1..length)..starts[at + 1]);
}

fn zeros(bytes: &mut Vec<u8>, _: &[usize], random: &mut Rng) {
    let length = random.usize(1..1000);
    let at = random.usize(1000..bytes.len() - 2000);
    bytes[at..at + length].fill(0);
}

fn lose(bytes: &mut Vec<u8>, _: &[usize], random: &mut Rng) {
    let at = random.usize(1000..bytes.len() - 2000);
    bytes.drain(at..at + random.usize(1..300));
}

fn noise(bytes: &mut Vec<u8>, _: &[usize], random: &mut Rng) {
    let at = random.usize(1000..bytes.len() - 2000);
    let length = random.usize(1..300);
    bytes[at..at + length].fill_with(|| random.u8(..));
}

fn log_line(bytes: &mut Vec<u8>, starts: &[usize], random: &mut Rng) {
    let at = starts[random.usize(10..starts.len() - 10)];
    bytes.splice(at..at, *b"2024-05-01 12:00:12,123 WARNING writer: retrying batch 17 of 77\n");
}

fn flip(bytes: &mut Vec<u8>, _: &[usize], random: &mut Rng) {
    let at = random.usize(1000..bytes.len() - 1000);
    bytes[at] ^= 1 << random.u8(0..8);
}

fn flip_head(bytes: &mut Vec<u8>, starts: &[usize], random: &mut Rng) {
    let at = starts[random.usize(10..starts.len() - 10)];
    bytes[at + random.usize(0..2)] ^= 1 << random.u8(0..8);
}

fn flip_heads(bytes: &mut Vec<u8>, starts: &[usize], random: &mut Rng) {
    for &at in starts.iter().skip(5).step_by(10) {
        bytes[at + random.usize(0..2)] ^= 1 << random.u8(0..8);
    }
}

fn reserved(bytes: &mut Vec<u8>, starts: &[usize], random: &mut Rng) {
    let at = starts[random.usize(10..starts.len() - 10)];
    bytes.insert(at, 0xc1);
}

/// The records of `file` that stand whole in `damaged`, in their order.
fn intact(file: &[u8], starts: &[usize], damaged: &[u8]) -> Vec<usize> {
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    let is_whole = |start: usize, end: usize| memchr::memmem::find(damaged, &file[start..end]).is_some();
    starts
        .iter()
        .zip(ends)
        .enumerate()
        .filter(|(_, (start, end))| is_whole(**start, *end))
        .map(|(n, _)| n)
        .collect()
}

#[test]
fn damage_costs_few_intact_records_and_none_in_silence() {
    const FILES: usize = 20;
    for (shape, make) in SHAPES {
        let (file, starts) = file(make, 200);
        for (what, damage, limit) in DAMAGES {
            let mut lost = 0;
            for seed in 0..FILES {
                let mut damaged = file.clone();
                damage(&mut damaged, &starts, &mut Rng::with_seed(seed as u64));
                let options = only_vectors(shape, OnError::Skip);
                let source = Source::new(vec![Input::bytes("records", damaged.clone())], options).unwrap();
                let found = drain(source.reader().unwrap());
                let missing = intact(&file, &starts, &damaged)
                    .into_iter()
                    .filter(|&number| !found.rows.contains(&row(&vector(number, DIM))))
                    .count();
                lost += missing;
                // An array of fields that has too many items is a row that holds its neighbours.
                let is_silent = missing > 0 && found.notes.is_empty() && shape != "positional";
                assert!(!is_silent, "{shape}, {what}, seed {seed}: no reject");
            }
            let average = lost as f64 / FILES as f64;
            assert!(average <= limit, "{shape}, {what}: {average} records lost on average, not {limit}");
        }
    }
}

#[test]
fn damaged_files_read_the_same_however_they_are_cut() {
    for (shape, make) in SHAPES {
        let (file, starts) = file(make, 200);
        for (number, (_, damage, ..)) in DAMAGES.iter().enumerate() {
            let mut damaged = file.clone();
            damage(&mut damaged, &starts, &mut Rng::with_seed(100 + number as u64));
            for on_error in [OnError::Skip, OnError::Null] {
                scan(&damaged, &only_vectors(shape, on_error));
            }
        }
    }
}

#[test]
fn inference_finds_the_records_behind_noise() {
    for (name, shape) in SHAPES {
        let records: Vec<u8> = (0..40).flat_map(shape).collect();
        for seed in 0..400 {
            let mut random = Rng::with_seed(seed);
            // Bytes of vectors have texts, numbers and arrays in them.
            let count = random.usize(1..500);
            let noise: Vec<u8> = (0..count).flat_map(|_| (random.f32() - 0.5).to_le_bytes()).collect();
            let bytes = [&[0xc1], &noise[random.usize(..4)..], &records].concat();
            let options = only_vectors(name, OnError::Skip).with_threads(1);
            let source = Source::new(vec![Input::bytes("records", bytes)], options);
            let source = source.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
            let rows = drain(source.reader().unwrap()).rows.len();
            // An array in the noise may take some of the records behind it.
            assert!(rows >= 20, "{name}, seed {seed}: {rows} rows of 40");
        }
    }
}

#[test]
fn numbers_where_records_should_stand_are_one_reject_and_no_row() {
    let line = b"2024-05-01 12:00:12,123 WARNING writer: retrying batch 17 of 77\n";
    for numbers in [&vec![0; 150_000][..], line, &[0xcb, 1, 2, 3, 4, 5, 6, 7, 8, 0xc3, 7]] {
        for behind in [0, 20] {
            let bytes = [&records(20, DIM)[..], numbers, &records(behind, DIM)].concat();
            for on_error in [OnError::Skip, OnError::Null] {
                let found = scan(&bytes, &options(on_error));
                assert!(found.rows == [expected(&[], 20), expected(&[], behind)].concat());
                let [Note { record: 20, offset, length, kind: RejectKind::Type, .. }] = found.notes[..]
                else {
                    panic!("{:?}", found.notes)
                };
                assert_eq!((offset, length), (20 * 66, numbers.len() as u64));
            }
        }
    }
}

#[test]
fn what_cannot_be_found_again_ends_its_file_alone() {
    let good = records(20, DIM);
    let junk = [&[0xc1][..], &[0x55; 5000]].concat();
    let files = [[good.clone(), junk].concat(), good.clone()];
    let inputs = files.iter().map(|bytes| Input::bytes("records", bytes.clone())).collect();
    let scan = drain(Source::new(inputs, options(OnError::Null)).unwrap().reader().unwrap());
    assert_eq!(scan.rows, [expected(&[], 20), expected(&[], 20)].concat());
    let (offset, length) = (good.len() as u64, 5001);
    assert_eq!(scan.notes, [gap(20, offset, length)]);
}

#[test]
fn a_map_of_records_is_given_up_behind_damage() {
    let pair = |number: usize| [&[0xa3][..], format!("{number:03}").as_bytes(), &bare(number)].concat();
    let mut pairs: Vec<Vec<u8>> = (0..100).map(pair).collect();
    pairs[50][0] = 0xc1;
    let bytes = [&[0xde, 0, 100][..], &pairs.concat()].concat();
    let options = options(OnError::Skip).with_framing(Framing::Map).with_columns(["vector"]);
    let scan = drain(Source::new(vec![Input::bytes("records", bytes)], options).unwrap().reader().unwrap());
    assert_eq!((scan.rows, scan.notes.len()), (expected(&(50..100).collect::<Vec<_>>(), 100), 1));
}

#[test]
fn records_that_hold_others_are_no_damage() {
    let good = |count: usize, first: usize| (first..first + count).map(bare).collect::<Vec<_>>().concat();
    let list = [&[0x95][..], &good(5, 100)].concat();
    let blob = [vec![0xc5, 1, 0x4a], good(5, 100)].concat();
    for bad in [list, blob] {
        let bytes = [good(20, 0), bad.clone(), good(20, 20)].concat();
        let scan = scan(&bytes, &options(OnError::Null));
        let mut rows = expected(&[], 40);
        rows.insert(20, None);
        assert!(scan.rows == rows);
        assert_eq!((scan.notes.len(), scan.notes[0].length), (1, bad.len() as u64));
    }
}

/// However long they are, and wherever in them the others lie.
#[test]
fn containers_that_hold_records_are_not_taken_apart() {
    let good = |count: usize, first: usize| (first..first + count).map(bare).collect::<Vec<_>>().concat();
    let list = |count: usize| [&[0xdd][..], &(count as u32).to_be_bytes(), &good(count, 100)].concat();
    let pairs = |count: usize| {
        let pair =
            |number: usize| [&[0xa3][..], format!("{:03}", number % 1000).as_bytes(), &bare(number)].concat();
        let pairs: Vec<u8> = (0..count).flat_map(pair).collect();
        [&[0xdf][..], &(count as u32).to_be_bytes(), &pairs].concat()
    };
    for count in [4, 100, 5000, 30_000] {
        let ids = [&[0xdd][..], &(count as u32 * 50).to_be_bytes(), &vec![7; count * 50]].concat();
        let bads = [
            list(count),
            [&[0x81, 0xa1, b'v'][..], &list(count)].concat(),
            [&[0x92][..], &list(count), &list(count)].concat(),
            [&[0x92, 0xa1, b'v'][..], &list(count)].concat(),
            [&[0x82, 0xa1, b'i'][..], &ids, &[0xa1, b'v'], &list(count)].concat(),
            pairs(count),
        ];
        for (number, bad) in bads.iter().enumerate() {
            let bytes = [good(20, 0), bad.clone(), good(20, 20)].concat();
            for threads in [1, 3] {
                let options = options(OnError::Skip).with_threads(threads);
                let source = Source::new(vec![Input::bytes("records", bytes.clone())], options).unwrap();
                let scan = drain(source.reader().unwrap());
                let what = format!("{count}, number {number}: {} rows, {:?}", scan.rows.len(), scan.notes);
                assert!(scan.rows == expected(&[], 40), "{what}");
                assert_eq!((scan.notes.len(), scan.notes[0].length), (1, bad.len() as u64), "{what}");
            }
        }
    }
}

/// The same bytes as gzip, zstd and lz4 hold them.
fn compressed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    // Of a block that is not whole nothing can be read.
    let blocks = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .content_checksum(true);
    let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(blocks, Vec::new());
    lz4.write_all(bytes).unwrap();
    [gzip.finish().unwrap(), zstd::encode_all(bytes, 1).unwrap(), lz4.finish().unwrap()]
}

#[test]
fn damage_in_a_compressed_input_is_a_reject_for_the_rest_of_it() {
    // Random enough that it takes many blocks.
    let mut random = fastrand::Rng::with_seed(7);
    let vectors: Vec<Vec<f32>> = (0..20_000).map(|_| (0..DIM).map(|_| random.f32()).collect()).collect();
    let plain: Vec<u8> = vectors.iter().flat_map(|vector| record(vector)).collect();
    let all: Vec<Row> = vectors.iter().map(|vector| row(vector)).collect();
    for bytes in compressed(&plain) {
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 0x40;
        flipped[bytes.len() / 2 + 1] ^= 0xff;
        for damaged in [bytes[..bytes.len() / 2].to_vec(), bytes[..bytes.len() - 3].to_vec(), flipped] {
            let pieces = || Pieces { bytes: damaged.clone().into(), sizes: vec![1000] };
            for input in [Input::bytes("damaged", damaged.clone()), Input::stream("damaged", pieces())] {
                for threads in [1, 3] {
                    let good = Input::bytes("good", records(50, DIM));
                    let options = options(OnError::Skip).with_threads(threads);
                    let source = Source::new(vec![input.clone(), good.clone()], options).unwrap();
                    let scan = drain(source.reader().unwrap());
                    assert!(scan.error.is_none(), "{:?}", scan.error);
                    let before = scan.rows.len() - 50;
                    assert_eq!(scan.rows[before..], expected(&[], 50));
                    // A flipped bit may only show at the checksum at the end.
                    let same =
                        scan.rows[..before].iter().zip(&all).filter(|(found, all)| found == all).count();
                    assert!(before > 5000 && same >= before / 2 - 1, "{before} rows, {same} as they were");
                    let last = scan.notes.last().unwrap();
                    assert_eq!(
                        (&*last.file, last.kind),
                        ("damaged", RejectKind::Invalid),
                        "{:?}",
                        scan.notes
                    );
                    let is_cut = damaged.len() < bytes.len();
                    let found = source.rejects().details().last().unwrap().found.clone();
                    assert!(!is_cut || found.contains("data is cut off or damaged"), "{found}");
                }
                let raised = Source::new(vec![input], options(OnError::Raise));
                let error = raised.and_then(|source| source.count_rows()).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Io { .. } | ErrorKind::Decode(_)), "{error}");
            }
        }
    }
}

/// A `.npy` file in bytes: 128 bytes of header, and the elements.
fn npy(number: usize, dim: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({dim},), }}");
    let data: Vec<u8> = vector(number, dim).iter().flat_map(|x| x.to_le_bytes()).collect();
    let payload = [b"\x93NUMPY\x01\0v\0", format!("{header:117}\n").as_bytes(), &data].concat();
    [&[0xc5], &(payload.len() as u16).to_be_bytes()[..], &payload].concat()
}

#[test]
fn numpy_files_in_bytes_are_read_as_what_is_in_them_wherever_they_are() {
    let skip = options(OnError::Skip);
    // 64 elements take the bytes of a file of 32.
    for dim in [64, 32] {
        for at in [0, 1, 7, 400, 799] {
            for is_file in [false, true] {
                // One of the other kind among many.
                let one = |n: usize| if is_file != (n == at) { npy(n, dim) } else { record(&vector(n, dim)) };
                let all: Vec<_> = (0..800).map(one).collect();
                let found = scan(&all.concat(), &skip);
                let expected: Vec<Row> = (0..800).map(|n| row(&vector(n, dim))).collect();
                assert!(found.rows == expected && found.notes.is_empty(), "{dim}, {at}, {is_file}");
            }
        }
    }
    // One of the same length and of another dimension.
    for at in [1, 7, 400, 799] {
        for is_file in [false, true] {
            let one = |n: usize| match (is_file, n == at) {
                (false, false) | (true, true) => record(&vector(n, 64)),
                _ => npy(n, 32),
            };
            let all: Vec<_> = (0..800).map(one).collect();
            let found = scan(&all.concat(), &skip);
            let dim = if is_file { 32 } else { 64 };
            let expected: Vec<Row> = (0..800).filter(|&n| n != at).map(|n| row(&vector(n, dim))).collect();
            assert!(found.rows == expected, "{at}, {is_file}: {}", found.rows.len());
            let [Note { record, offset, length: 259, kind: RejectKind::Dimension, .. }] = found.notes[..]
            else {
                panic!("{:?}", found.notes)
            };
            assert_eq!((record, offset), (at as u64, at as u64 * 259));
        }
    }
}

#[test]
fn damage_among_numpy_files_costs_the_records_that_it_hits() {
    let whole: Vec<_> = (0..300).map(|n| npy(n, 32)).collect();
    let stride = whole[0].len();
    // A length that is too large takes a part of the next record. What is left of that may be whole objects, and is then no record.
    for (at, byte, lost) in [(1, 0xff, 1), (2, 0x80, 2), (3, 0x00, 1), (0, 0xc1, 1)] {
        let mut bytes = whole.concat();
        bytes[100 * stride + at] = byte;
        let found = scan(&bytes, &options(OnError::Skip));
        let expected: Vec<Row> =
            (0..300).filter(|&n| n < 100 || n >= 100 + lost).map(|n| row(&vector(n, 32))).collect();
        assert!(found.rows == expected, "{at}: {:?}", found.notes);
        assert_eq!(found.notes.len() == 1, lost == 1, "{at}: {:?}", found.notes);
        assert_eq!(found.notes[0].offset, 100 * stride as u64, "{at}");
    }
}
