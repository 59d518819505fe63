//! Tasks of a size, and parts of inputs: together they are the source, whatever the payloads look like, and planning reads nothing.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use vecpack::{Input, OnError, ReadOptions, Source};

/// A record with an id, a vector, and a payload that holds whole records of the same kind.
fn record(id: u16, payload: &[u8]) -> Vec<u8> {
    let head =
        [&b"\x83\xa2id\xcd"[..], &id.to_be_bytes(), b"\xa1v\xc4\x08", &[0; 8], b"\xa4blob\xc5"].concat();
    [&head, &(payload.len() as u16).to_be_bytes()[..], payload].concat()
}

fn records(first: u16, count: u16) -> Vec<u8> {
    // Whoever looks for three records in a row finds them here.
    let inner: Vec<u8> = (0..6).flat_map(|n| record(60_000 + n, b"")).collect();
    (first..first + count).flat_map(|id| record(id, &inner.repeat(1 + usize::from(id % 7)))).collect()
}

fn ids(source: &Source) -> Vec<i64> {
    let ids = |batch: RecordBatch| {
        let column = batch.column_by_name("id").unwrap().clone();
        column.as_primitive::<Int64Type>().values().to_vec()
    };
    source.reader().unwrap().flat_map(|batch| ids(batch.unwrap())).collect()
}

fn source(options: ReadOptions) -> Source {
    let sizes = [3, 200, 1, 0, 40, 2, 2, 2, 90];
    let mut first = 0;
    let inputs = sizes.iter().map(|&count| {
        first += count;
        // All have one name.
        Input::bytes("bytes", records(first - count, count))
    });
    Source::new(inputs.collect(), options.with_vector("v")).unwrap()
}

#[test]
fn tasks_and_parts_are_together_the_source_whatever_payloads_hold() {
    for on_error in [OnError::Raise, OnError::Skip, OnError::Null] {
        let source = source(ReadOptions::new().with_on_error(on_error).with_threads(1));
        let whole: Vec<i64> = (0..340).collect();
        assert_eq!(ids(&source), whole);
        for bytes in [1, 700, 3000, 20_000, u64::MAX] {
            let tasks = source.tasks(bytes).unwrap();
            let mut found = Vec::new();
            for (task, pieces) in &tasks {
                let size = task.size().unwrap().unwrap();
                assert!(size <= bytes || task.inputs().len() == 1);
                assert!(*pieces == 1 || size > bytes, "{size} {pieces}");
                let parts = task.split((*pieces).min(1000)).unwrap();
                found.extend(parts.iter().flat_map(ids));
            }
            assert_eq!(found, whole, "{bytes}");
        }
        for parts in [1, 2, 5, 9, 10, 25, 100] {
            let split = source.split(parts).unwrap();
            assert_eq!(split.iter().flat_map(ids).collect::<Vec<_>>(), whole, "{parts}");
            // Neighbouring pieces of an input are one span.
            let spans: usize = split.iter().map(|part| part.inputs().len()).sum();
            assert!(spans <= 9 + parts, "{parts}: {spans}");
        }
    }
}

/// Of a sparse file.
const LARGE: u64 = 1_000_000_000_000;

#[test]
fn small_inputs_are_joined_and_planning_reads_nothing() {
    let directory = crate::support::directory();
    let paths: Vec<_> = (0..50).map(|n| directory.path().join(format!("{n:02}.msgpack"))).collect();
    paths.iter().for_each(|path| std::fs::write(path, records(0, 1)).unwrap());
    let source = Source::scan(&paths, ReadOptions::new().with_vector("v")).unwrap();
    // Only their sizes are looked at.
    for path in &paths {
        std::fs::File::create(path).unwrap().set_len(100).unwrap();
    }
    std::fs::File::create(&paths[20]).unwrap().set_len(LARGE).unwrap();
    let tasks = source.tasks(1000).unwrap();
    let shape: Vec<usize> = tasks.iter().map(|(task, _)| task.inputs().len()).collect();
    assert_eq!(shape, [10, 10, 1, 10, 10, 9]);
    let pieces: Vec<usize> = tasks.iter().map(|(_, pieces)| *pieces).collect();
    assert_eq!(pieces, [1, 1, LARGE as usize / 1000, 1, 1, 1]);
}
