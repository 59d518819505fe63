//! Arrow IPC files, vectors one by one, and what inspection tells.

#![allow(clippy::unwrap_used)]

use std::fs::File;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use vecpack::{
    BatchBuilder, Dtype, Input, OnError, Progress, RawDtype, ReadOptions, RejectKind, RowConverter, Source,
    Watch, inspect, write_arrow, write_arrow_stream,
};

use crate::support::{Row, drain, floats, input, records, rejected, row, rows_of};

fn rows(batches: impl Iterator<Item = RecordBatch>) -> Vec<Row> {
    batches.flat_map(|batch| rows_of(&batch)).collect()
}

#[test]
fn an_ipc_file_and_a_stream_hold_what_the_scan_gave() {
    let directory = crate::support::directory();
    let bytes = [records(50, 2), vec![0xc0], records(50, 2)].concat();
    let options = ReadOptions::new().with_on_error(OnError::Null).with_batch_rows(7);
    let source = Source::new(vec![input(bytes)], options).unwrap();
    let expected = drain(source.reader().unwrap()).rows;
    let file = directory.path().join("file.arrow");
    let (progress, size) = write_arrow(&source, &file, false, false, Watch::default()).unwrap();
    assert_eq!(size, std::fs::metadata(&file).unwrap().len());
    assert_eq!(progress, Progress { bytes: 1001, rows: 101, files: 1 });
    let read = FileReader::try_new(File::open(&file).unwrap(), None).unwrap();
    assert_eq!(read.schema(), source.schema());
    assert_eq!(rows(read.map(Result::unwrap)), expected);
    let stream = directory.path().join("stream.arrows");
    write_arrow(&source, &stream, false, true, Watch::default()).unwrap();
    let read = StreamReader::try_new(File::open(&stream).unwrap(), None).unwrap();
    assert_eq!(rows(read.map(Result::unwrap)), expected);
    let mut out = Vec::new();
    write_arrow_stream(&source, &mut out, Watch::default()).unwrap();
    assert_eq!(out, std::fs::read(&stream).unwrap());
}

#[test]
fn an_ipc_target_that_exists_is_refused() {
    let directory = crate::support::directory();
    let path = directory.path().join("file.arrow");
    let source = Source::new(vec![input(records(5, 2))], ReadOptions::new()).unwrap();
    write_arrow(&source, &path, false, false, Watch::default()).unwrap();
    assert!(write_arrow(&source, &path, false, false, Watch::default()).is_err());
    write_arrow(&source, &path, true, false, Watch::default()).unwrap();
}

#[test]
fn vectors_one_by_one_become_batches() {
    let mut builder = BatchBuilder::new(2, &ReadOptions::new().with_batch_rows(3)).unwrap();
    assert!(builder.flush().unwrap().is_none());
    let mut found = Vec::new();
    for at in 0..10 {
        let vector = [at as f32, -0.0];
        match at % 2 {
            0 => builder.push(RawDtype::default(), &floats(&vector)).unwrap(),
            _ => {
                let doubles = vector.map(f64::from).map(f64::to_be_bytes).concat();
                builder.push(">f8".parse().unwrap(), &doubles).unwrap();
            }
        }
        assert_eq!(builder.is_full(), at % 3 == 2);
        if builder.is_full() {
            found.extend(rows_of(&builder.flush().unwrap().unwrap()));
        }
    }
    found.extend(rows_of(&builder.flush().unwrap().unwrap()));
    assert_eq!(found, (0..10).map(|at| row(&[at as f32, -0.0])).collect::<Vec<_>>());
}

#[test]
fn options_about_records_do_not_change_vectors_that_come_one_by_one() {
    let options = ReadOptions::new().with_vector("embedding").with_include_record(true);
    let mut builder = BatchBuilder::new(2, &options).unwrap();
    builder.push(RawDtype::default(), &floats(&[1.0, 2.0])).unwrap();
    assert_eq!(rows_of(&builder.flush().unwrap().unwrap()), [row(&[1.0, 2.0])]);
}

#[test]
fn a_vector_that_cannot_be_a_row_is_numbered_and_costs_no_other() {
    let mut builder = BatchBuilder::new(2, &ReadOptions::new()).unwrap();
    builder.push(RawDtype::default(), &floats(&[1.0, 2.0])).unwrap();
    let error = builder.push(RawDtype::default(), &[0; 7]).unwrap_err();
    assert_eq!((rejected(&error).record, rejected(&error).kind), (1, RejectKind::Dimension));
    let doubles = [1.0, f64::MAX].map(f64::to_le_bytes).concat();
    let error = builder.push("<f8".parse().unwrap(), &doubles).unwrap_err();
    assert_eq!((rejected(&error).record, rejected(&error).kind), (2, RejectKind::Value));
    assert!(error.to_string().contains("element 1"), "{error}");
    builder.push(RawDtype::default(), &floats(&[3.0, 4.0])).unwrap();
    assert_eq!(rows_of(&builder.flush().unwrap().unwrap()), [row(&[1.0, 2.0]), row(&[3.0, 4.0])]);
}

#[test]
fn a_vector_for_a_full_batch_is_refused_without_a_panic() {
    for raw in ["<f4", "<f8"] {
        let mut builder = BatchBuilder::new(1, &ReadOptions::new().with_batch_rows(1)).unwrap();
        let raw: RawDtype = raw.parse().unwrap();
        let vector = vec![0; raw.size()];
        builder.push(raw, &vector).unwrap();
        assert!(builder.push(raw, &vector).is_err(), "{raw}");
        assert!(builder.is_full());
        assert_eq!(builder.flush().unwrap().unwrap().num_rows(), 1);
    }
}

#[test]
fn vectors_are_converted_into_memory_of_the_caller() {
    let mut converter = RowConverter::new(2, Dtype::Float32);
    let mut out = [0; 8];
    converter.convert(0, RawDtype::default(), &floats(&[1.0, 2.0]), &mut out).unwrap();
    assert_eq!(Some(out.to_vec()), row(&[1.0, 2.0]));
    converter.convert(1, "|i1".parse().unwrap(), &[3, 0xfc], &mut out).unwrap();
    assert_eq!(Some(out.to_vec()), row(&[3.0, -4.0]));
    let error = converter.convert(2, RawDtype::default(), &[0; 4], &mut out).unwrap_err();
    assert_eq!((rejected(&error).record, rejected(&error).kind), (2, RejectKind::Dimension));
    assert!(converter.convert(3, RawDtype::default(), &[0; 8], &mut out[..4]).is_err());
}

#[test]
fn inspection_counts_what_is_there() {
    let bytes = [vec![0xc0; 7], records(50, 3), vec![0xc4]].concat();
    let found = inspect(vec![Input::bytes("x", bytes)], ReadOptions::new(), false, Watch::default()).unwrap();
    assert_eq!((found.files, found.rows, found.rejects), (1, 50, 8));
    assert_eq!((found.columns[0].vectors.as_ref().unwrap().dim, found.first_rejects.len()), (3, 5));
    let text = found.to_string();
    assert!(text.contains("vector: FixedSizeList<float32, 3>, stored as <f4"), "{text}");
    assert!(text.contains("rejected 8 records") && text.contains("and 3 more"), "{text}");
}

#[cfg(unix)]
#[test]
fn the_text_of_an_inspection_holds_no_control_character_of_a_name() {
    let input = Input::bytes("a\u{1b}[31m", vec![0xc0]);
    let found = inspect(vec![input], ReadOptions::new().with_dim(1), false, Watch::default()).unwrap();
    assert!(!found.to_string().contains('\u{1b}'), "{found}");
}
