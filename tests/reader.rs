//! Scans: what they give where files are odd, and how they end.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vecpack::{Cancel, Decoder, ErrorKind, Input, OnError, Progress, ReadOptions, RejectKind, Source};

use crate::support::{Head, Note, Row, Scan, drain, floats, input, record, records, rejected, row, vector};

const THREADS: [usize; 3] = [1, 2, 5];
const POLICIES: [OnError; 3] = [OnError::Raise, OnError::Skip, OnError::Null];

fn scan(bytes: &[u8], options: ReadOptions) -> Scan {
    drain(Source::new(vec![input(bytes.to_vec())], options).unwrap().reader().unwrap())
}

fn expected_rows(count: usize, dim: usize) -> Vec<Row> {
    (0..count).map(|at| row(&vector(at, dim))).collect()
}

fn note(record: u64, offset: u64, length: u64, kind: RejectKind) -> Note {
    Note { file: "records".into(), record, offset, length, kind }
}

#[test]
fn heads_may_change_in_the_middle_of_a_file() {
    let payload = |row: usize| floats(&vector(row, 100));
    for threads in THREADS {
        for change in [1, 7, 49, 50, 99] {
            let head = |row: usize| if row < change { Head::Bin16 } else { Head::Str16 };
            let bytes: Vec<u8> = (0..100).flat_map(|row| head(row).record(&payload(row))).collect();
            let scan = scan(&bytes, ReadOptions::new().with_threads(threads).with_batch_rows(7));
            assert!(scan.error.is_none());
            assert_eq!(scan.rows, expected_rows(100, 100), "at {change}, threads {threads}");
        }
    }
}

#[test]
fn one_bad_record_anywhere_costs_no_other_row() {
    let stride = record(&[0.0, 0.0]).len();
    for threads in THREADS {
        for bad in 0..60 {
            let mut bytes = records(60, 2);
            bytes.splice(bad * stride..(bad + 1) * stride, [0x92, 0xc0, 0xc2]);
            let mut rows = expected_rows(60, 2);
            let notes = [note(bad as u64, (bad * stride) as u64, 3, RejectKind::Type)];
            let options = ReadOptions::new().with_dim(2).with_threads(threads).with_batch_rows(7);
            rows[bad] = None;
            let nulls = scan(&bytes, options.clone().with_on_error(OnError::Null));
            assert_eq!((&nulls.rows, &nulls.notes[..]), (&rows, &notes[..]), "{bad}, threads {threads}");
            rows.remove(bad);
            let skipped = scan(&bytes, options.clone().with_on_error(OnError::Skip));
            assert_eq!((&skipped.rows, &skipped.notes[..]), (&rows, &notes[..]), "{bad}, threads {threads}");
            let raised = scan(&bytes, options);
            assert_eq!(Note::from(rejected(&raised.error.unwrap())), notes[0], "{bad}, threads {threads}");
            assert!(rows.starts_with(&raised.rows), "{bad}, threads {threads}");
        }
    }
}

#[test]
fn an_element_that_does_not_fit_is_named() {
    let doubles = |a: f64, b: f64| Head::Bin8.record(&[a.to_le_bytes(), b.to_le_bytes()].concat());
    let mut bytes: Vec<u8> = (0..40).flat_map(|at| doubles(at.into(), 0.5)).collect();
    bytes.splice(25 * 18..26 * 18, doubles(1.0, -1e39));
    for threads in THREADS {
        let options = ReadOptions::new()
            .with_raw_dtype("<f8".parse::<vecpack::RawDtype>().unwrap())
            .with_threads(threads);
        let options = options.with_batch_rows(4);
        let expected = note(25, 450, 18, RejectKind::Value);
        let error = scan(&bytes, options.clone()).error.unwrap();
        assert_eq!(Note::from(rejected(&error)), expected);
        assert_eq!(
            error.to_string(),
            "records: record 25 (byte 450, field `vector`): expected numbers that fit float32, found -1e39 in element 1 \
             (option `on_error=skip` leaves such records out and lists them)"
        );
        for on_error in [OnError::Skip, OnError::Null] {
            let scan = scan(&bytes, options.clone().with_on_error(on_error));
            assert_eq!(scan.notes, std::slice::from_ref(&expected));
            let rows = (0..40).map(|at| (at != 25).then_some(row(&[at as f32, 0.5])).flatten());
            let rows: Vec<Row> = rows.filter(|row| row.is_some() || on_error == OnError::Null).collect();
            assert_eq!(scan.rows, rows);
        }
    }
}

#[test]
fn every_prefix_of_a_file_gives_its_whole_records_and_one_reject_for_the_rest() {
    let good = |head: Head| head.record(&floats(&[1.0, 2.0]));
    let pieces = [
        good(Head::Bin8),
        vec![0x82, 0xa1, b'k', 0x91, 0xc0, 0x01, 0xc4, 2, 3, 4],
        good(Head::Str32),
        good(Head::Bin16),
    ];
    let whole = pieces.concat();
    for length in 0..=whole.len() {
        // Whole records, and where the next one begins.
        let (mut at, mut count) = (0, 0);
        while count < pieces.len() && at + pieces[count].len() <= length {
            at += pieces[count].len();
            count += 1;
        }
        let mut notes = Vec::new();
        if count > 1 {
            notes.push(note(1, pieces[0].len() as u64, pieces[1].len() as u64, RejectKind::Type));
        }
        if at < length {
            notes.push(note(count as u64, at as u64, (length - at) as u64, RejectKind::Truncated));
        }
        for threads in THREADS {
            for on_error in POLICIES {
                let options = ReadOptions::new().with_dim(2).with_on_error(on_error).with_threads(threads);
                let scan = scan(&whole[..length], options);
                let bad = usize::from(count > 1);
                let rows = if on_error == OnError::Null { count } else { count - bad };
                match (on_error, scan.error) {
                    (OnError::Raise, Some(error)) => assert_eq!(Note::from(rejected(&error)), notes[0]),
                    (OnError::Raise, None) => assert!(notes.is_empty(), "{length}"),
                    (_, error) => {
                        assert!(error.is_none(), "{length}");
                        assert_eq!((scan.rows.len(), &scan.notes), (rows, &notes), "{length}");
                    }
                }
            }
        }
    }
}

#[test]
fn empty_inputs_have_no_rows_and_no_rejects() {
    for threads in THREADS {
        let inputs = vec![input(vec![]), input(records(3, 2)), input(vec![])];
        let source = Source::new(inputs, ReadOptions::new().with_threads(threads)).unwrap();
        let mut reader = source.reader().unwrap();
        assert_eq!(reader.next_batch().unwrap().unwrap().num_rows(), 3);
        assert!(reader.next_batch().unwrap().is_none());
        assert_eq!(reader.progress(), Progress { bytes: 30, rows: 3, files: 3 });
        assert_eq!(source.rejects().count(), 0);
    }
}

#[test]
fn nothing_to_infer_from_is_a_schema_error_and_a_given_dim_is_enough() {
    for inputs in [vec![], vec![input(vec![])], vec![input(vec![]), input(vec![])]] {
        let error = Source::new(inputs.clone(), ReadOptions::new()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Schema(_)));
        assert!(error.to_string().contains("hold no record: option `dim`"), "{error}");
        assert_eq!(Source::new(inputs, ReadOptions::new().with_dim(4)).unwrap().count_rows().unwrap(), 0);
    }
}

#[test]
fn inference_says_what_it_found_instead_of_a_vector() {
    let failure = |bytes: &[u8], options: ReadOptions| {
        let error = Source::new(vec![input(bytes.to_vec())], options).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Schema(_)), "{error}");
        error.to_string()
    };
    assert!(
        failure(&[0x93, 1, 2, 0xc0], ReadOptions::new())
            .contains("the first one holds `column_0`: the integer 1")
    );
    assert!(failure(&[0xc4, 3, 1, 2, 3], ReadOptions::new()).contains("3 bytes"));
    assert!(failure(&[0xc1], ReadOptions::new()).contains("0xc1"));
    // Only so many records are looked at, then 0 looks at all.
    let late = [vec![0xc0; 10], records(1, 2)].concat();
    assert!(failure(&late, ReadOptions::new().with_infer_records(10)).contains("first 10 records"));
    for enough in [11, 0] {
        let options = ReadOptions::new().with_infer_records(enough);
        assert_eq!(Source::new(vec![input(late.clone())], options).unwrap().dim(), Some(2));
    }
}

#[test]
fn the_dimension_of_the_first_good_record_is_enforced_in_all_files() {
    let inputs = vec![
        Input::bytes("a", [&[0xc0][..], &records(2, 3)].concat()),
        Input::bytes("b", records(2, 4)),
        Input::bytes("c", records(1, 3)),
    ];
    for threads in THREADS {
        let options = ReadOptions::new().with_threads(threads).with_on_error(OnError::Skip);
        let source = Source::new(inputs.clone(), options).unwrap();
        assert_eq!(source.dim(), Some(3));
        let scan = drain(source.reader().unwrap());
        assert_eq!(scan.rows.len(), 3);
        let found: Vec<_> =
            scan.notes.iter().map(|note| (note.file.as_str(), note.record, note.kind)).collect();
        let dimension = RejectKind::Dimension;
        assert_eq!(found, [("a", 0, RejectKind::Type), ("b", 0, dimension), ("b", 1, dimension)]);
    }
}

#[test]
fn a_record_that_is_too_large_is_stepped_over() {
    let large = Head::Bin32.record(&[0; 100]);
    let bytes = [records(1, 2), large, records(1, 2)].concat();
    for threads in THREADS {
        let options = ReadOptions::new().with_threads(threads).with_max_record_bytes(50);
        let scan = scan(&bytes, options.with_on_error(OnError::Skip));
        assert_eq!(scan.rows.len(), 2);
        assert_eq!(scan.notes, [note(1, 10, 105, RejectKind::TooLarge)]);
    }
    // The limit counts the head, and what is just as large is good.
    for (limit, rows) in [(10, 2), (9, 0)] {
        let options =
            ReadOptions::new().with_dim(2).with_max_record_bytes(limit).with_on_error(OnError::Skip);
        assert_eq!(scan(&bytes, options).rows.len(), rows, "{limit}");
    }
}

#[test]
fn rejects_are_counted_exactly_and_kept_as_far_as_told() {
    let bytes = [&[0xc0; 50][..], &records(20, 2), &[0xc0; 50]].concat();
    for threads in THREADS {
        for keep in [0, 1, 10, 50, 99, 100, 1000] {
            let options = ReadOptions::new().with_dim(2).with_batch_rows(3).with_threads(threads);
            let options = options.with_on_error(OnError::Skip).with_max_rejects(keep);
            let source = Source::new(vec![input(bytes.clone())], options).unwrap();
            assert_eq!(source.count_rows().unwrap(), 20);
            let rejects = source.rejects();
            let records: Vec<u64> = rejects.details().iter().map(|reject| reject.record).collect();
            let expected: Vec<u64> = (0..50).chain(70..120).take(keep).collect();
            assert_eq!((rejects.count(), records), (100, expected), "keep {keep}, threads {threads}");
            assert_eq!(rejects.to_record_batch().num_rows(), keep.min(100));
        }
    }
}

#[test]
fn rejects_describe_the_latest_scan() {
    let source = Source::new(
        vec![input([&[0xc0][..], &records(1, 2)].concat())],
        ReadOptions::new().with_on_error(OnError::Skip),
    );
    let source = source.unwrap();
    assert_eq!(source.rejects().count(), 0);
    for _ in 0..3 {
        source.count_rows().unwrap();
        assert_eq!(source.rejects().count(), 1);
    }
    let _begun = source.reader().unwrap();
    assert_eq!(source.rejects().count(), 0);
}

#[test]
fn a_batch_is_bounded_by_rows_and_by_bytes_and_is_round_where_it_is_large() {
    let bytes = records(10_000, 2); // rows of 8 bytes
    let sizes = |options: ReadOptions| -> Vec<usize> {
        let scans = THREADS.map(|threads| scan(&bytes, options.clone().with_threads(threads)).batches);
        assert!(scans.iter().all(|sizes| *sizes == scans[0]), "{scans:?}");
        scans[0].clone()
    };
    assert_eq!(sizes(ReadOptions::new()), [10_000]);
    assert_eq!(sizes(ReadOptions::new().with_batch_rows(3000)), [2048, 2048, 2048, 2048, 1808]);
    assert_eq!(sizes(ReadOptions::new().with_batch_rows(5000)), [4096, 4096, 1808]);
    assert_eq!(sizes(ReadOptions::new().with_batch_rows(2048))[..4], [2048; 4]);
    assert_eq!(sizes(ReadOptions::new().with_batch_rows(1900))[..5], [1900; 5]);
    assert_eq!(sizes(ReadOptions::new().with_batch_bytes(8 * 5000)), [4096, 4096, 1808]);
    assert_eq!(sizes(ReadOptions::new().with_batch_bytes(8 * 1000)), [1000; 10]);
    assert_eq!(sizes(ReadOptions::new().with_batch_bytes(8 * 1000).with_batch_rows(10)), [10; 1000]);
    assert_eq!(sizes(ReadOptions::new().with_batch_bytes(7)), [1; 10_000]);
}

#[test]
fn nulls_fill_batches_as_rows_do() {
    // A null takes one byte of input here, and a row's memory in the batch.
    let bytes = [records(1, 512), vec![0xc0; 1000]].concat();
    let scan = scan(&bytes, ReadOptions::new().with_on_error(OnError::Null).with_threads(1));
    assert_eq!(scan.rows.len(), 1001);
    assert!(scan.batches.len() <= 10, "{} batches for 2 MiB of rows", scan.batches.len());
}

#[test]
fn options_that_no_scan_can_honour_are_refused() {
    let refused = |options: ReadOptions, name: &str| {
        let error = Source::new(vec![input(records(1, 2))], options).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Option(_)), "{error}");
        assert!(error.to_string().starts_with(&format!("option `{name}`")), "{error}");
    };
    refused(ReadOptions::new().with_dim(0), "dim");
    refused(ReadOptions::new().with_dim(1 << 31), "dim");
    refused(ReadOptions::new().with_batch_rows(0), "batch_rows");
    refused(ReadOptions::new().with_batch_bytes(0), "batch_bytes");
    refused(ReadOptions::new().with_threads(0), "threads");
    refused(ReadOptions::new().with_max_record_bytes(0), "max_record_bytes");
    assert!(Decoder::new(0, &ReadOptions::new()).is_err(), "a decoder of vectors without elements");
    assert!(vecpack::BatchBuilder::new(0, &ReadOptions::new()).is_err());
}

#[test]
fn a_batch_that_no_memory_holds_is_an_error() {
    let options = ReadOptions::new().with_batch_bytes(usize::MAX);
    let mut decoder = Decoder::new(2, &options).unwrap();
    assert!(decoder.decode(&records(1, 2)).is_err());
}

#[test]
fn an_interrupt_ends_the_scan() {
    let bytes = records(10_000, 2);
    for threads in THREADS {
        for after in [0, 1, 10] {
            let asked = Arc::new(AtomicUsize::new(0));
            let count = asked.clone();
            let options = ReadOptions::new().with_threads(threads).with_batch_rows(10);
            let source = Source::new(vec![input(bytes.clone())], options).unwrap();
            let interrupt = move || count.fetch_add(1, Ordering::Relaxed) >= after;
            let scan = drain(source.reader().unwrap().with_cancel(Cancel::when(interrupt)));
            assert!(matches!(scan.error.unwrap().kind(), ErrorKind::Interrupted));
            assert_eq!(asked.load(Ordering::Relaxed), after + 1, "asked again after it said stop");
            assert!(scan.rows.len() <= 10 * after);
        }
    }
}

#[test]
fn an_interrupt_is_noticed_while_nothing_becomes_a_row() {
    const LENGTH: usize = 12 << 20;
    for threads in [1, 2] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let options = ReadOptions::new().with_dim(1).with_on_error(OnError::Skip).with_threads(threads);
        let source = Source::new(vec![input(vec![0xc0; LENGTH])], options).unwrap();
        let interrupt = move || count.fetch_add(1, Ordering::Relaxed) >= 1;
        let mut reader = source.reader().unwrap().with_cancel(Cancel::when(interrupt));
        let result = reader.next_batch();
        let (asked, bytes) = (asked.load(Ordering::Relaxed), reader.progress().bytes);
        assert!(
            result.is_err() && bytes < LENGTH as u64,
            "threads {threads}: asked {asked} times in {bytes} bytes"
        );
    }
}

#[test]
fn behind_an_error_is_the_end() {
    let bad = Source::new(vec![input([records(5, 2), vec![0xc0]].concat())], ReadOptions::new()).unwrap();
    let good = Source::new(vec![input(records(5, 2))], ReadOptions::new()).unwrap();
    let stopped = good.reader().unwrap().with_cancel(Cancel::when(|| true));
    for mut reader in [bad.reader().unwrap(), stopped] {
        let error = reader.find_map(Result::err).unwrap();
        assert!((0..10).all(|_| reader.next().is_none()), "more behind: {error}");
    }
}

#[test]
fn a_reader_can_be_dropped_in_the_middle() {
    let directory = crate::support::directory();
    let path = directory.path().join("dropped.msgpack");
    std::fs::write(&path, records(200_000, 2)).unwrap();
    for threads in THREADS {
        let options = ReadOptions::new().with_threads(threads).with_batch_rows(100);
        let source = Source::scan([&path], options).unwrap();
        for taken in [0, 1, 5] {
            let mut reader = source.reader().unwrap();
            for _ in 0..taken {
                reader.next_batch().unwrap().unwrap();
            }
            drop(reader);
        }
        assert!(eventually(|| open_files(&path) == 0), "somebody still reads the file");
        assert_eq!(source.count_rows().unwrap(), 200_000);
    }
}

fn eventually(condition: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        condition()
    })
}

/// How often this process has `path` open; 0 where that cannot be known.
fn open_files(path: &std::path::Path) -> usize {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    open.flatten().filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == path)).count()
}

#[test]
fn the_test_for_open_files_sees_one() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(open_files(file.path()), usize::from(cfg!(target_os = "linux")));
}

#[test]
fn a_reader_can_be_moved_to_another_thread() {
    for threads in THREADS {
        let options = ReadOptions::new().with_threads(threads).with_batch_rows(7);
        let source = Source::new(vec![input(records(500, 2))], options).unwrap();
        let mut reader = source.reader().unwrap();
        let here = crate::support::rows_of(&reader.next_batch().unwrap().unwrap());
        let there = std::thread::spawn(move || {
            let mut rows = Vec::new();
            while let Some(batch) = reader.next_batch().unwrap() {
                rows.extend(crate::support::rows_of(&batch));
            }
            rows
        });
        assert_eq!([here, there.join().unwrap()].concat(), expected_rows(500, 2));
    }
}

#[test]
fn many_scans_at_once_share_the_threads() {
    let shared = Source::new(
        vec![input(records(2000, 3)), input(records(500, 3))],
        ReadOptions::new().with_threads(2).with_batch_rows(16),
    );
    let shared = shared.unwrap();
    let expected = [expected_rows(2000, 3), expected_rows(500, 3)].concat();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (shared, expected) = (&shared, &expected);
            scope.spawn(move || {
                for _ in 0..5 {
                    let own = Source::new(shared.inputs().to_vec(), shared.options().clone()).unwrap();
                    let source = if number % 2 == 0 { &own } else { shared };
                    assert!(drain(source.reader().unwrap()).rows == *expected);
                }
            });
        }
    });
}

#[test]
fn a_source_splits_into_as_many_as_asked() {
    let inputs = vec![Input::bytes("a", records(50, 2)), Input::bytes("b", records(30, 2))];
    let source = Source::new(inputs, ReadOptions::new()).unwrap();
    assert!(matches!(source.split(0).unwrap_err().kind(), ErrorKind::Option(_)));
    for parts in [1, 2, 3, 7, 200] {
        let split = source.split(parts).unwrap();
        let counts: Vec<u64> = split.iter().map(|part| part.count_rows().unwrap()).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (parts, 80));
        assert!(
            parts == 200 || parts < 3 || counts.iter().all(|&count| count.abs_diff(80 / parts as u64) <= 12),
            "{counts:?}"
        );
    }
    // Parts of parts are together the part.
    let again: u64 =
        source.split(3).unwrap()[1].split(4).unwrap().iter().map(|part| part.count_rows().unwrap()).sum();
    assert_eq!(again, source.split(3).unwrap()[1].count_rows().unwrap());
}

#[test]
fn the_bytes_of_a_whole_scan_are_those_of_its_inputs() {
    let cut = [records(10, 2), vec![0xc4, 8, 1]].concat();
    let broken = [records(10, 2), vec![0xc1; 50]].concat();
    let inputs: Vec<_> = [records(10, 2), cut, broken].into_iter().map(input).collect();
    let source = Source::new(inputs, ReadOptions::new().with_on_error(OnError::Skip)).unwrap();
    let mut reader = source.reader().unwrap();
    while reader.next_batch().unwrap().is_some() {}
    assert_eq!(Some(reader.progress().bytes), source.size().unwrap(), "a progress bar never gets to its end");
}
