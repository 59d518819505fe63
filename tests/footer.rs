//! What a run promises of all its files: one schema, row groups bounded by their bytes, timestamps
//! in one unit, and metadata.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int32Array, ListArray, RecordBatch, RecordBatchIterator, RunArray,
    StringArray, StructArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use vecpack::{
    Error, ListType, OnError, ReadOptions, Report, Source, TimestampUnit, Watch, WriteOptions, to_parquet,
    write_parquet,
};

use crate::support::{input, record};

fn open(path: &Path) -> ParquetRecordBatchReaderBuilder<File> {
    crate::support::walk(&std::fs::read(path).unwrap());
    ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap()
}

fn write(batch: &RecordBatch, path: &Path, options: WriteOptions) -> Result<Report, Error> {
    let mut reader = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
    write_parquet(&mut reader, path, &options.with_overwrite(true).with_sync(false), Watch::default())
}

fn batch(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

/// Vectors, of which one of the second input is nil.
fn source(on_error: OnError) -> Source {
    let good: Vec<u8> = (0..300).flat_map(|row| record(&[row as f32, 1.0])).collect();
    let bad = [&good[..], &[0xc0]].concat();
    let inputs = [good.clone(), bad, good].map(input).to_vec();
    Source::new(inputs, ReadOptions::new().with_on_error(on_error).with_batch_rows(50)).unwrap()
}

#[test]
fn all_files_of_a_run_have_one_schema() {
    let directory = crate::support::directory();
    for (on_error, expected) in [(OnError::Null, "List"), (OnError::Skip, "FixedSizeList")] {
        let source = source(on_error);
        for (name, options) in [
            ("one.parquet", WriteOptions::new()),
            ("each/", WriteOptions::new()),
            ("parts/", WriteOptions::new().with_max_file_bytes(1000).with_row_group_bytes(500)),
        ] {
            let options = options.with_overwrite(true).with_sync(false);
            let report =
                to_parquet(&source, &directory.path().join(name), &options, Watch::default()).unwrap();
            for path in &report.outputs {
                let schema = open(path).schema().clone();
                let found = schema.field(0).data_type().to_string();
                assert!(found.starts_with(expected), "{on_error:?}, {}: {found}", path.display());
                assert_eq!(schema.field(0).is_nullable(), on_error == OnError::Null);
            }
        }
        let manifest = open(&directory.path().join("each/_vecpack/manifest.parquet"));
        assert!(manifest.schema().field(0).data_type().to_string().starts_with(expected), "the manifest");
        // What the plan says is only a default.
        let options = WriteOptions::new().with_list_type(ListType::Fixed).with_overwrite(true);
        let path = directory.path().join("one.parquet");
        to_parquet(&source, &path, &options, Watch::default()).unwrap();
        assert!(open(&path).schema().field(0).data_type().to_string().starts_with("FixedSizeList"));
    }
}

fn largest_group(metadata: &ParquetMetaData) -> i64 {
    metadata.row_groups().iter().map(|group| group.total_byte_size()).max().unwrap_or(0)
}

#[test]
fn row_groups_are_bounded_by_the_bytes_of_all_columns() {
    let directory = crate::support::directory();
    let path = directory.path().join("groups.parquet");
    const MOST: usize = 100_000;
    let mut random = fastrand::Rng::with_seed(3);
    let mut text = |length: usize| -> String { (0..length).map(|_| random.alphanumeric()).collect() };
    // No text comes twice, so that a dictionary does not make them smaller.
    let texts: Vec<String> = (0..400).map(|row| text(1000 + row % 7 * 300)).collect();
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([8; 50]), texts.clone(), None);
    let nested =
        StructArray::new(vec![Field::new("text", DataType::Utf8, true)].into(), vec![texts.clone()], None);
    let keys = Int32Array::from_iter_values(0..400);
    let words = DictionaryArray::<Int32Type>::new(keys, texts.clone());
    let runs = RunArray::<Int32Type>::try_new(&Int32Array::from_iter_values(1..=400), &texts).unwrap();
    let view = cast(&texts, &DataType::Utf8View).unwrap();
    let binary = cast(&texts, &DataType::Binary).unwrap();
    let columns: Vec<ArrayRef> =
        vec![texts, binary, view, Arc::new(lists), Arc::new(nested), Arc::new(words), Arc::new(runs)];
    for column in columns {
        let batch = batch("column", column);
        for threads in [1, 3] {
            let options = WriteOptions::new().with_row_group_bytes(MOST).with_threads(threads);
            write(&batch, &path, options).unwrap();
            let file = open(&path);
            let (largest, what) =
                (largest_group(file.metadata()), batch.schema().field(0).data_type().clone());
            assert!(largest < 2 * MOST as i64, "{what}: {largest}");
            assert!(largest > MOST as i64 / 2, "{what}: {largest}");
            let found: Vec<RecordBatch> = file.build().unwrap().map(Result::unwrap).collect();
            let found = arrow_select::concat::concat_batches(&found[0].schema(), &found).unwrap();
            let written = found.column(0).data_type();
            assert_eq!(found.column(0), &cast(batch.column(0), written).unwrap(), "{what}");
        }
    }
}

/// Nanoseconds with digits down to `size`, before and after 1970.
fn times(size: i64) -> ArrayRef {
    let times = [Some(1_700_000_000_123_456_789), None, Some(-1), Some(0), Some(-999_999_999_999)];
    let times = times.map(|time| time.map(|time| time / size * size));
    Arc::new(TimestampNanosecondArray::from(times.to_vec()).with_timezone("UTC"))
}

#[test]
fn timestamps_are_written_in_the_unit_that_was_asked_for_wherever_they_are() {
    let directory = crate::support::directory();
    let path = directory.path().join("times.parquet");
    let field = |array: &ArrayRef| Arc::new(Field::new("item", array.data_type().clone(), true));
    let within = |array: ArrayRef| -> Vec<ArrayRef> {
        let list = ListArray::new(field(&array), OffsetBuffer::from_lengths([2, 3]), array.clone(), None);
        let deep = StructArray::new(vec![field(&array)].into(), vec![array.clone()], None);
        let keys = Int32Array::from(vec![0, 1, 4, 2]);
        let words = DictionaryArray::<Int32Type>::new(keys, array.clone());
        vec![array, Arc::new(list), Arc::new(deep), Arc::new(words)]
    };
    for (asked, unit, size) in [
        (TimestampUnit::Microsecond, TimeUnit::Microsecond, 1000),
        (TimestampUnit::Millisecond, TimeUnit::Millisecond, 1_000_000),
    ] {
        let expected = cast(&times(size), &DataType::Timestamp(unit, Some("UTC".into()))).unwrap();
        let options = WriteOptions::new().with_coerce_timestamps(asked);
        for (whole, (odd, expected)) in
            within(times(size)).into_iter().zip(within(times(1)).into_iter().zip(within(expected)))
        {
            let plain = match expected.as_any_dictionary_opt() {
                Some(_) => cast(&expected, &DataType::Timestamp(unit, Some("UTC".into()))).unwrap(),
                None => expected,
            };
            for (given, options) in [
                (whole, options.clone()),
                (odd.clone(), options.clone().with_allow_truncated_timestamps(true)),
            ] {
                write(&batch("when", given), &path, options).unwrap();
                let found = open(&path).build().unwrap().next().unwrap().unwrap();
                assert_eq!(found.column(0), &plain, "{asked:?}");
            }
            let error = write(&batch("when", odd), &path, options.clone()).unwrap_err().to_string();
            for part in ["column `when`", "1700000000123456789", "allow_truncated_timestamps"] {
                assert!(error.contains(part), "{error}");
            }
        }
    }
    // Larger units are written in smaller ones, as far as they fit.
    let options = WriteOptions::new().with_coerce_timestamps(TimestampUnit::Microsecond);
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![5, -7]));
    write(&batch("when", seconds), &path, options.clone()).unwrap();
    let found = open(&path).build().unwrap().next().unwrap().unwrap();
    assert_eq!(
        found.column(0).as_primitive::<TimestampMicrosecondType>().values()[..],
        [5_000_000, -7_000_000]
    );
    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX / 2]));
    let error = write(&batch("when", far), &path, options.with_allow_truncated_timestamps(true)).unwrap_err();
    assert!(error.to_string().contains("too far"), "{error}");
    // Without it, all digits are written.
    write(&batch("when", times(1)), &path, WriteOptions::new()).unwrap();
    let found = open(&path).build().unwrap().next().unwrap().unwrap();
    assert_eq!(found.column(0), &times(1));
}

#[test]
fn metadata_stands_in_the_footer_key_by_key() {
    let directory = crate::support::directory();
    let path = directory.path().join("metadata.parquet");
    let plain = batch("n", Arc::new(Int32Array::from(vec![1])));
    let metadata = [("pandas", "{}"), ("model", "e5"), ("ARROW:schema", "not this one")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let schema = Schema::new_with_metadata(plain.schema().fields().clone(), metadata.into());
    let given = RecordBatch::try_new(Arc::new(schema), plain.columns().to_vec()).unwrap();
    write(&given, &path, WriteOptions::new().with_metadata("model", "e6").with_metadata("run", "7")).unwrap();
    let file = open(&path);
    let pairs = file.metadata().file_metadata().key_value_metadata().unwrap();
    let keys: Vec<&str> = pairs.iter().map(|pair| &*pair.key).collect();
    assert_eq!(keys, ["model", "pandas", "run", "ARROW:schema"]);
    let values: Vec<_> = pairs.iter().take(3).map(|pair| pair.value.as_deref().unwrap()).collect();
    assert_eq!(values, ["e6", "{}", "7"]);
    let expected = [("model", "e6"), ("pandas", "{}"), ("run", "7")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(*file.schema().metadata(), expected.into());
    // Every file of a run has it, and the manifest.
    let options = WriteOptions::new().with_metadata("run", "8").with_sync(false);
    let out = directory.path().join("out/");
    let report = to_parquet(&source(OnError::Skip), &out, &options, Watch::default()).unwrap();
    for path in report.outputs.iter().chain([&out.join("_vecpack/manifest.parquet")]) {
        assert_eq!(open(path).schema().metadata()["run"], "8");
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let directory = crate::support::directory();
    let path = directory.path().join("no.parquet");
    let one = batch("n", Arc::new(Int32Array::from(vec![1])));
    let alone = WriteOptions::new().with_allow_truncated_timestamps(true);
    let reserved = WriteOptions::new().with_metadata("ARROW:schema", "");
    for (options, part) in [(alone, "coerce_timestamps"), (reserved, "ARROW:schema")] {
        let error = write(&one, &path, options).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(!path.exists());
    }
}
