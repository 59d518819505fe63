//! What hostile files may cost: memory in proportion to what was read, never to what a head claims.
//!
//! This test program counts all that it allocates. Mappings are not allocations: those are watched as address space.

#![allow(clippy::unwrap_used, unsafe_code, unreachable_pub)]

#[path = "support/counting.rs"]
mod counting;
mod support;

use std::sync::Mutex;

use vecpack::{Decoder, Input, OnError, ReadOptions, Source, Watch, WriteOptions, to_parquet};

use self::counting::Counting;
use self::support::{Pieces, record};

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1 << 20;

/// One test at a time: they share the counters.
static TURN: Mutex<()> = Mutex::new(());

/// How many bytes `work` had allocated at the most, beyond what there was before.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let address_space = address_space();
    let (peak, result) = counting::peak(work);
    assert!(address_space_grew(address_space) < 512 * MIB, "mapped without reason");
    (peak, result)
}

/// The largest address space so far.
fn address_space() -> usize {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmPeak:")?.trim().strip_suffix(" kB"));
    kilobytes.unwrap().trim().parse::<usize>().unwrap() * 1024
}

fn address_space_grew(before: usize) -> usize {
    address_space() - before
}

fn take_turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Heads that claim as much as they can.
fn bombs() -> Vec<Vec<u8>> {
    let most = |marker: u8, size: usize| [vec![marker], vec![0xff; size]].concat();
    let mut bombs = vec![most(0xdd, 4), most(0xdf, 4), most(0xc6, 4), most(0xdb, 4), most(0xc9, 5)];
    bombs.extend([most(0xdc, 2), most(0xde, 2), most(0xc5, 2), most(0xda, 2), most(0xc8, 3), most(0xc4, 1)]);
    // A multiple of four bytes, so that it could be a vector of float32.
    bombs.extend([
        vec![0xc6, 0xff, 0xff, 0xff, 0xfc],
        vec![0xc6, 0x0f, 0xff, 0xff, 0xf0],
        vec![0xdb, 0x7f, 0xff, 0xff, 0xfc],
    ]);
    bombs.extend([
        vec![0xdd, 0xff, 0xff, 0xff, 0xff, 0xdd, 0xff, 0xff, 0xff],
        vec![0x91, 0xc6, 0xff, 0xff, 0xff, 0xff],
    ]);
    // More than a head, so that the rest is asked for.
    bombs.push([&[0xc6, 0x0f, 0xff, 0xff, 0xf0][..], &[0; 20]].concat());
    bombs
}

fn inputs(bytes: &[u8], directory: &std::path::Path) -> [Input; 3] {
    let path = directory.join("bomb.msgpack");
    std::fs::write(&path, bytes).unwrap();
    let stream = Pieces { bytes: bytes.to_vec().into(), sizes: vec![3, 1 << 20] };
    [Input::bytes("bomb", bytes.to_vec()), Input::path(path), Input::stream("bomb", stream)]
}

fn rows_and_rejects(input: Input, options: ReadOptions) -> Option<(u64, u64)> {
    let source = Source::new(vec![input], options).ok()?;
    let rows = source.count_rows().unwrap();
    Some((rows, source.rejects().count()))
}

#[test]
fn the_counters_count() {
    let _turn = take_turn();
    let (peak, length) = peak(|| vec![1u8; 10 * MIB].len());
    assert_eq!(length, 10 * MIB);
    // The test harness has threads of its own.
    assert!(peak.abs_diff(10 * MIB) < MIB / 8, "{peak}");
}

#[test]
fn a_few_hostile_bytes_cost_next_to_nothing() {
    let _turn = take_turn();
    let directory = support::directory();
    for bomb in bombs() {
        // The dimensions that would make the claims good vectors, where there is one.
        for dim in [None, Some(1), Some(0x3fff_ffff), Some(0x03ff_fffc), Some(0x1fff_ffff)] {
            for on_error in [OnError::Skip, OnError::Null, OnError::Raise] {
                for threads in [1, 3] {
                    for input in inputs(&bomb, directory.path()) {
                        let options = ReadOptions::new().with_on_error(on_error).with_threads(threads);
                        let options = dim.map_or(options.clone(), |dim| options.with_dim(dim));
                        let (peak, _) = peak(|| {
                            Source::new(vec![input.clone()], options).and_then(|source| source.count_rows())
                        });
                        assert!(peak < 4 * MIB, "{bomb:02x?} as {input:?}, dim {dim:?}: {peak} bytes");
                    }
                }
            }
        }
    }
}

#[test]
fn a_decoder_that_is_fed_hostile_bytes_one_by_one_holds_none_of_them() {
    let _turn = take_turn();
    for bomb in bombs() {
        // The second one makes the claim of some a good vector, which is waited for; rows of the third are too large to be mapped.
        for dim in [1 << 26, 0x03ff_fffc, 0x1fff_ffff] {
            let (peak, _) = peak(|| {
                let options = ReadOptions::new().with_on_error(OnError::Skip);
                let mut decoder = Decoder::new(dim, &options).unwrap();
                let mut done = 0;
                for given in 0..=bomb.len() {
                    done += decoder.decode(&bomb[done..given]).unwrap();
                }
                decoder.finish((bomb.len() - done) as u64).unwrap();
                assert_eq!(decoder.flush().unwrap().unwrap().rejects.count(), 1);
            });
            assert!(peak < MIB / 4, "{bomb:02x?}, dim {dim}: {peak} bytes");
        }
    }
}

#[test]
fn many_heads_that_claim_too_much_cost_no_more_than_what_was_read() {
    let _turn = take_turn();
    let directory = support::directory();
    // Each head opens a million objects in the one before: one record, cut off.
    let nested = [0xdd, 0, 0x0f, 0xff, 0xff].repeat(200_000);
    // Each record is whole, and claims a little.
    let flat = [&[0xdc, 0, 2, 0xc0, 0xc0], &[0xc5, 0, 2, 1, 2][..]].concat().repeat(100_000);
    for (bytes, rejects) in [(nested, 1), (flat, 200_000)] {
        for input in inputs(&bytes, directory.path()) {
            let options = ReadOptions::new().with_dim(2).with_on_error(OnError::Skip).with_threads(2);
            let (peak, found) = peak(|| rows_and_rejects(input.clone(), options.with_max_rejects(10)));
            assert_eq!(found, Some((0, rejects)));
            // A stream's buffer doubles where heads are at its end.
            assert!(peak < 4 * MIB, "{input:?}: {peak} bytes");
        }
    }
}

#[test]
fn a_flood_of_rejects_is_flat_and_counted_exactly() {
    let _turn = take_turn();
    const LENGTH: usize = 16 * MIB;
    let input = Input::bytes("flood", vec![0x90; LENGTH]);
    let options = ReadOptions::new().with_dim(512).with_on_error(OnError::Skip).with_max_rejects(10);
    let source = Source::new(vec![input], options.with_threads(2)).unwrap();
    let (peak, rows) = peak(|| source.count_rows().unwrap());
    assert_eq!((rows, source.rejects().count()), (0, LENGTH as u64));
    assert_eq!(source.rejects().details().len(), 10);
    assert!(peak < 4 * MIB, "{peak} bytes");
}

#[test]
fn a_flood_of_nulls_takes_the_memory_of_a_few_batches() {
    let _turn = take_turn();
    let input = Input::bytes("flood", vec![0x90; MIB]);
    let options = ReadOptions::new().with_dim(512).with_on_error(OnError::Null).with_max_rejects(10);
    let options = options.with_batch_bytes(MIB / 2).with_threads(2); // on the heap, where it is counted
    let source = Source::new(vec![input], options).unwrap();
    let (peak, rows) = peak(|| {
        let batches = source.reader().unwrap().map(Result::unwrap);
        // A larger batch would be mapped, and not counted.
        batches.map(|batch| batch.num_rows()).inspect(|rows| assert!(rows * 2048 <= MIB / 2)).sum::<usize>()
    });
    assert_eq!((rows, source.rejects().count()), (MIB, MIB as u64));
    assert!(peak < 8 * MIB, "{peak} bytes");
}

#[test]
fn a_record_too_large_is_not_held_in_memory() {
    let _turn = take_turn();
    let directory = support::directory();
    let large = [vec![0xc6, 0x01, 0, 0, 0], vec![1; 16 * MIB]].concat();
    let bytes = [large, record(&[1.0, 2.0])].concat();
    for input in inputs(&bytes, directory.path()) {
        let is_stream = input.size().unwrap().is_none();
        for dim in [None, Some(2), Some((4 * MIB) as u32)] {
            if is_stream && dim.is_none() {
                continue; // the next test
            }
            let options = ReadOptions::new().with_on_error(OnError::Skip).with_max_record_bytes(MIB as u64);
            let options = dim.map_or(options.clone(), |dim| options.with_dim(dim));
            let (peak, found) = peak(|| rows_and_rejects(input.clone(), options));
            let rows = u64::from(dim.is_none_or(|dim| dim == 2));
            assert_eq!(found, Some((rows, 2 - rows)), "{input:?}, dim {dim:?}");
            // Inference holds what it reads of a stream, up to max_record_bytes and a bit. The window in
            // which good records are looked for has room for several long ones.
            let is_long = dim.is_some_and(|dim| dim > 2);
            let most = if is_long {
                24
            } else if is_stream {
                8
            } else {
                4
            };
            assert!(peak < most * MIB, "{input:?}, dim {dim:?}: {peak} bytes");
        }
    }
}

#[test]
fn a_large_object_in_a_stream_is_not_held_in_memory_to_find_the_dimension() {
    let _turn = take_turn();
    let array = [vec![0xdd, 0x06, 0, 0, 0], vec![0xc0; 96 * MIB]].concat();
    let bytes = [array, record(&[1.0, 2.0])].concat();
    let stream = Input::stream("large", Pieces { bytes: bytes.into(), sizes: vec![1 << 20] });
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_max_record_bytes(MIB as u64);
    let (peak, _) = peak(|| Source::new(vec![stream], options).and_then(|source| source.count_rows()));
    assert!(peak < 64 * MIB, "{peak} bytes");
}

#[test]
fn records_of_any_size_are_converted_in_the_memory_of_a_few_row_groups() {
    let _turn = take_turn();
    let directory = support::directory();
    let mut random = fastrand::Rng::with_seed(5);
    let noise: String = (0..MIB).map(|_| random.alphanumeric()).collect();
    for size in [MIB, 300_000, 2000] {
        let path = directory.path().join("records.msgpack");
        let record = |row: usize| {
            let text = &noise[row % 97..size - 100 + row % 97];
            let mut record = [&b"\x82\xa6vector\xc4\x10"[..], &[0; 16], b"\xa4text\xdb"].concat();
            record.extend((text.len() as u32).to_be_bytes());
            record.extend(text.as_bytes());
            record
        };
        let rows = 64 * MIB / size;
        std::fs::write(&path, (0..rows).flat_map(record).collect::<Vec<u8>>()).unwrap();
        for threads in [1, 3] {
            let options = ReadOptions::new().with_threads(threads).with_batch_bytes(MIB);
            let source = Source::new(vec![Input::path(&path)], options).unwrap();
            let options = WriteOptions::new().with_overwrite(true).with_sync(false);
            let out = directory.path().join("records.parquet");
            let (peak, report) = peak(|| to_parquet(&source, &out, &options, Watch::default()).unwrap());
            assert_eq!(report.rows, rows as u64);
            // A row group on its way is there in batches, in pages, and as the chunk that is
            // written.
            assert!(peak < (48 + 16 * threads) * MIB, "{size} bytes, {threads} threads: {peak} bytes");
        }
    }
}
