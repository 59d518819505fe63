//! Parquet files as the `parquet` crate's own reader sees them, bit for bit.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float32Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, Date32Array, Date64Array, DictionaryArray, FixedSizeListArray, Int32Array, Int64Array,
    LargeListArray, LargeListViewArray, ListArray, ListViewArray, MapArray, RecordBatch, RecordBatchIterator,
    RunArray, StringArray, StringViewArray, StructArray, Time32SecondArray, TimestampSecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::cast;
use arrow_schema::ArrowError;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use vecpack::{
    Cancel, Compression, Dtype, Encoding, ErrorKind, Input, ListType, OnError, Progress, RawDtype,
    ReadOptions, Report, Source, Watch, WriteOptions, to_parquet, write_parquet,
};

use crate::support::{Head, Row, drain, input, records, rows_of, vector};

fn write(source: &Source, path: &Path, options: &WriteOptions) -> Report {
    to_parquet(source, path, &options.clone().with_sync(false), Watch::default()).unwrap()
}

/// Reads a file by its page index, once every number in it has been compared with the pages.
fn read(path: &Path) -> (Arc<ParquetMetaData>, Vec<RecordBatch>) {
    crate::support::walk(&std::fs::read(path).unwrap());
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let file = File::open(path).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let metadata = builder.metadata().clone();
    (metadata, builder.build().unwrap().map(Result::unwrap).collect())
}

/// The rows of a column of lists of any kind.
fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let fixed = |batch: &RecordBatch| batch.column(0).as_fixed_size_list_opt().map(|_| rows_of(batch));
    let of = |batch: &RecordBatch| fixed(batch).unwrap_or_else(|| list_rows(batch.column(0)));
    batches.iter().flat_map(of).collect()
}

fn list_rows(column: &ArrayRef) -> Vec<Row> {
    let bytes = |row: ArrayRef| {
        let data = row.to_data();
        let size = data.data_type().primitive_width().unwrap();
        data.buffers()[0].as_slice()[data.offset() * size..][..data.len() * size].to_vec()
    };
    column.as_list::<i32>().iter().map(|row| row.map(bytes)).collect()
}

fn row_groups(metadata: &ParquetMetaData) -> Vec<i64> {
    metadata.row_groups().iter().map(|group| group.num_rows()).collect()
}

fn source(bytes: Vec<u8>) -> Source {
    Source::new(vec![input(bytes)], ReadOptions::new().with_threads(1)).unwrap()
}

#[test]
fn every_bit_of_every_type_comes_back_whatever_the_way_it_is_written() {
    let directory = crate::support::directory();
    let mut random = fastrand::Rng::with_seed(7);
    let raws = ["<f4", "<f8", "<f2", "|i1", "|u1"];
    for (dtype, raw) in Dtype::ALL.into_iter().zip(raws) {
        let raw: RawDtype = raw.parse().unwrap();
        let record = |_| match random.u8(0..8) {
            0 => vec![0xc0],
            _ => Head::Bin8.record(&(0..5 * raw.size()).map(|_| random.u8(..)).collect::<Vec<_>>()),
        };
        let bytes = (0..300).flat_map(record).collect::<Vec<u8>>();
        for on_error in [OnError::Skip, OnError::Null] {
            let options = ReadOptions::new().with_dtype(dtype).with_raw_dtype(raw).with_on_error(on_error);
            let source = Source::new(vec![input(bytes.clone())], options.with_batch_rows(70)).unwrap();
            let expected = drain(source.reader().unwrap()).rows;
            assert_eq!(expected.contains(&None), on_error == OnError::Null);
            for &list_type in ListType::ALL {
                for (&compression, &encoding) in Compression::ALL
                    .iter()
                    .flat_map(|one| Encoding::ALL.iter().map(move |other| (one, other)))
                {
                    let what = format!("{dtype}, {on_error:?}, {list_type:?}, {compression:?}, {encoding:?}");
                    let options = WriteOptions::new().with_list_type(list_type).with_compression(compression);
                    let options =
                        options.with_encoding(encoding).with_overwrite(true).with_row_group_bytes(500);
                    let path = directory.path().join("bits.parquet");
                    write(&source, &path, &options);
                    let (_, batches) = read(&path);
                    assert!(rows(&batches) == expected, "{what}");
                    let element = Arc::new(Field::new("element", dtype.data_type(), false));
                    let data_type = match list_type {
                        ListType::Fixed => DataType::FixedSizeList(element, 5),
                        _ => DataType::List(element),
                    };
                    let field = Field::new("vector", data_type, on_error == OnError::Null);
                    assert_eq!(batches[0].schema().field(0), &field, "{what}");
                }
            }
        }
    }
}

#[test]
fn every_dimension_comes_back_over_pages_and_row_groups() {
    let directory = crate::support::directory();
    let path = directory.path().join("dimensions.parquet");
    let mut random = fastrand::Rng::with_seed(8);
    for dim in [1, 3, 8, 9, 15, 16, 384, 512, 768, 1536, 4096] {
        // More than a page, which has at most 512 KiB, and more than a row group of twice as much.
        let count = (5 << 20) / 4 / (4 * dim as usize) + 3;
        let values: Vec<f32> = (0..count * dim as usize).map(|_| f32::from_bits(random.u32(..))).collect();
        for has_nulls in [false, true] {
            let nulls = has_nulls.then(|| (0..count).map(|_| random.u8(0..8) != 0).collect::<NullBuffer>());
            let element = Arc::new(Field::new("element", DataType::Float32, false));
            let elements = Arc::new(arrow_array::Float32Array::from(values.clone()));
            let vectors = FixedSizeListArray::new(element, dim, elements, nulls);
            let field = Field::new("vector", vectors.data_type().clone(), has_nulls);
            let schema = Arc::new(arrow_schema::Schema::new(vec![field]));
            let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(vectors)]).unwrap();
            let expected = rows_of(&batch);
            for encoding in [Encoding::Plain, Encoding::ByteStreamSplit] {
                for compression in [Compression::None, Compression::Zstd] {
                    let options = WriteOptions::new().with_encoding(encoding).with_compression(compression);
                    let options = options.with_row_group_bytes(1 << 20).with_overwrite(true).with_sync(false);
                    let mut reader = RecordBatchIterator::new([Ok(batch.clone())], schema.clone());
                    write_parquet(&mut reader, &path, &options, Watch::default()).unwrap();
                    let (metadata, batches) = read(&path);
                    assert!(metadata.num_row_groups() > 1);
                    assert!(rows(&batches) == expected, "{dim}, {has_nulls}, {encoding:?}, {compression:?}");
                }
            }
        }
    }
}

#[test]
fn a_row_group_has_no_more_bytes_than_told_and_a_round_number_of_rows() {
    let directory = crate::support::directory();
    let source = source(records(10_000, 4)); // rows of 16 bytes
    let path = directory.path().join("groups.parquet");
    for &list_type in ListType::ALL {
        let groups = |bytes: usize| {
            let options = WriteOptions::new().with_row_group_bytes(bytes).with_overwrite(true);
            let report = write(&source, &path, &options.with_list_type(list_type));
            let groups = row_groups(&read(&path).0);
            assert_eq!(report.row_groups, groups.len() as u64);
            assert_eq!(groups.iter().sum::<i64>(), 10_000);
            groups
        };
        assert_eq!(groups(16 * 3000), [2048, 2048, 2048, 2048, 1808], "{list_type:?}");
        assert_eq!(groups(16 * 4096), [4096, 4096, 1808], "{list_type:?}");
        assert_eq!(groups(16 * 1000), [1000; 10], "{list_type:?}");
        assert_eq!(groups(8 << 20), [10_000], "{list_type:?}");
    }
}

#[test]
fn a_row_group_has_one_row_at_least() {
    let directory = crate::support::directory();
    let path = directory.path().join("rows.parquet");
    write(&source(records(20, 4)), &path, &WriteOptions::new().with_row_group_bytes(1));
    assert_eq!(row_groups(&read(&path).0), [1; 20]);
}

#[test]
fn a_batch_may_hold_any_number_of_row_groups() {
    let directory = crate::support::directory();
    let path = directory.path().join("many.parquet");
    let out = path.clone();
    let convert =
        move || write(&source(records(5000, 1)), &out, &WriteOptions::new().with_row_group_bytes(1));
    std::thread::Builder::new().stack_size(512 << 10).spawn(convert).unwrap().join().unwrap();
    let groups = row_groups(&read(&path).0);
    assert_eq!(groups, [1; 5000]);
}

#[test]
fn more_row_groups_than_a_file_can_have_are_made_larger() {
    let directory = crate::support::directory();
    let path = directory.path().join("many.parquet");
    let options = ReadOptions::new().with_batch_rows(10);
    let source = Source::new(vec![input(records(33_000, 1))], options).unwrap();
    write(&source, &path, &WriteOptions::new().with_row_group_bytes(1));
    let groups = row_groups(&read(&path).0);
    assert_eq!(groups.iter().sum::<i64>(), 33_000);
    assert_eq!(groups[..16_384], [1; 16_384]);
    assert!(groups[16_384..24_576].iter().all(|rows| *rows <= 3), "three times the limit");
}

#[test]
fn floats_have_neither_dictionary_nor_statistics() {
    let directory = crate::support::directory();
    let path = directory.path().join("floats.parquet");
    let same = [vec![0xc4, 16], vec![0; 16]].concat().repeat(5000); // what a dictionary would make small
    for dtype in [Dtype::Float32, Dtype::Float64, Dtype::Float16] {
        for &list_type in ListType::ALL {
            for &encoding in Encoding::ALL {
                let options = ReadOptions::new().with_dtype(dtype);
                let source = Source::new(vec![input(same.clone())], options).unwrap();
                let options = WriteOptions::new().with_encoding(encoding).with_list_type(list_type);
                write(&source, &path, &options.with_overwrite(true));
                for group in read(&path).0.row_groups() {
                    let leaf = group.column(0);
                    assert_eq!(leaf.column_path().string(), "vector.list.element");
                    assert!(leaf.dictionary_page_offset().is_none());
                    assert!(leaf.statistics().is_none());
                    let used: Vec<_> = leaf.encodings().collect();
                    let expected = match encoding {
                        Encoding::ByteStreamSplit => basic::Encoding::BYTE_STREAM_SPLIT,
                        _ => basic::Encoding::PLAIN, // `auto`: planes of zeros are no smaller
                    };
                    assert!(used.contains(&expected), "{dtype} {encoding:?}: {used:?}");
                    assert!(
                        !used.contains(&basic::Encoding::RLE_DICTIONARY),
                        "{dtype} {encoding:?}: {used:?}"
                    );
                    // Zeros are worth compressing, whatever the arrangement.
                    assert!(
                        matches!(leaf.compression(), basic::Compression::ZSTD(_)),
                        "{dtype} {encoding:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn pages_are_compressed_as_told() {
    let directory = crate::support::directory();
    let path = directory.path().join("compressed.parquet");
    let source = source([vec![0xc4, 16], vec![7; 16]].concat().repeat(5000));
    let (mut plain, mut sizes) = (0, Vec::new());
    for &compression in Compression::ALL {
        let options = WriteOptions::new().with_compression(compression).with_overwrite(true);
        write(&source, &path, &options);
        let size = std::fs::metadata(&path).unwrap().len();
        if compression == Compression::None {
            plain = size
        } else {
            sizes.push(size)
        };
        let found = read(&path).0.row_group(0).column(0).compression();
        let expected = match compression {
            Compression::None => found == basic::Compression::UNCOMPRESSED,
            Compression::Auto | Compression::Zstd => matches!(found, basic::Compression::ZSTD(_)),
            Compression::Lz4 => found == basic::Compression::LZ4_RAW,
            _ => found == basic::Compression::SNAPPY,
        };
        assert!(expected, "{compression:?}: {found}");
    }
    assert!(sizes.iter().all(|&size| size < plain / 4), "{sizes:?}, not {plain}");
}

#[test]
fn a_source_without_rows_is_a_file_with_a_schema() {
    let directory = crate::support::directory();
    let path = directory.path().join("empty.parquet");
    let source = Source::new(vec![], ReadOptions::new().with_dim(3)).unwrap();
    let report = write(&source, &path, &WriteOptions::new());
    assert_eq!((report.rows, report.row_groups), (0, 0));
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    assert_eq!(builder.schema().fields(), source.schema().fields());
}

#[test]
fn the_report_says_what_was_done() {
    let directory = crate::support::directory();
    let path = directory.path().join("report.parquet");
    let inputs = vec![input([&[0xc0][..], &records(30, 2)].concat()), input(records(20, 2))];
    let options = ReadOptions::new().with_on_error(OnError::Skip).with_batch_rows(7);
    let source = Source::new(inputs, options).unwrap();
    let mut told = Vec::new();
    let mut tell = |progress: Progress| {
        told.push(progress);
        Ok(())
    };
    let watch = Watch { progress: Some(&mut tell), cancel: Cancel::never() };
    let report =
        to_parquet(&source, &path, &WriteOptions::new().with_compression(Compression::None), watch).unwrap();
    assert_eq!((report.rows, report.rejects, report.files, report.bytes_in), (50, 1, 2, 501));
    assert_eq!(report.bytes_out, std::fs::metadata(&path).unwrap().len());
    assert_eq!(report.outputs, [path]);
    let encoding = &report.encodings[0];
    assert_eq!(encoding.column, "vector");
    assert_eq!((encoding.encoding, encoding.compression, report.encodings.len()), ("plain", "none", 1));
    assert!(told.is_sorted_by_key(|progress| (progress.bytes, progress.rows, progress.files)), "{told:?}");
    assert_eq!(told.last(), Some(&Progress { bytes: 501, rows: 50, files: 2 }));
    assert!(told.len() >= 50 / 7);
}

#[test]
fn several_inputs_become_one_file_in_their_order() {
    let directory = crate::support::directory();
    let path = directory.path().join("several.parquet");
    let inputs = vec![input(records(100, 2)), input(vec![]), input(records(50, 2))];
    write(&Source::new(inputs, ReadOptions::new().with_threads(3)).unwrap(), &path, &WriteOptions::new());
    let expected: Vec<Row> = (0..100).chain(0..50).map(|at| crate::support::row(&vector(at, 2))).collect();
    assert_eq!(rows(&read(&path).1), expected);
}

/// A batch as others make them: more columns, elements that can be null, and rows before those that count.
fn foreign() -> RecordBatch {
    let lists = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        (0..20).map(|row| (row % 5 != 3).then(|| [Some(row as f32), (row % 3 != 0).then_some(-0.0)])),
        2,
    );
    let whole =
        FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>((0..20).map(|row| Some([Some(row)])), 1);
    let numbers = Int64Array::from_iter((0..20).map(|row| (row % 2 == 0).then_some(row)));
    let names = StringArray::from_iter_values((0..20).map(|row| format!("row {row}")));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("vector", Arc::new(lists)),
        ("whole", Arc::new(whole)),
        ("number", Arc::new(numbers)),
        ("name", Arc::new(names)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn any_stream_of_batches_can_be_written() {
    let directory = crate::support::directory();
    let path = directory.path().join("foreign.parquet");
    let batch = foreign();
    let slices = [batch.slice(3, 9), batch.slice(0, 0), batch.slice(12, 8)];
    for &list_type in ListType::ALL {
        let mut reader = RecordBatchIterator::new(slices.clone().map(Ok), batch.schema());
        let options = WriteOptions::new().with_list_type(list_type).with_overwrite(true).with_sync(false);
        let report = write_parquet(&mut reader, &path, &options, Watch::default()).unwrap();
        assert_eq!(report.rows, 17);
        let found = arrow_select::concat::concat_batches(&read(&path).1[0].schema(), &read(&path).1).unwrap();
        let expected = batch.slice(3, 17);
        assert_eq!(found.columns()[2..], expected.columns()[2..]);
        if list_type == ListType::Fixed {
            assert_eq!(found.columns(), expected.columns());
        } else {
            let (found, expected) =
                (found.column(0).as_list::<i32>(), expected.column(0).as_fixed_size_list());
            assert!(found.iter().eq(expected.iter()));
        }
    }
}

#[test]
fn maps_without_keys_are_nulls_in_a_file_as_it_cannot_hold_them() {
    let record = |number: u8| {
        let vector = [number; 64];
        // Of every third record `meta` is nil, and `tags` of the others.
        let (meta, tags): (u8, &[u8]) =
            if number.is_multiple_of(3) { (0xc0, &[0x92, 0x80, 0x80]) } else { (0x80, &[0xc0]) };
        let parts = [&b"\x84\xa1e\xc4\x40"[..], &vector, b"\xa4meta", &[meta], b"\xa4tags", tags];
        [&parts.concat()[..], b"\xa4deep\x82\xa1a", &[number], b"\xa1b\x80"].concat()
    };
    let bytes: Vec<u8> = (0..100).flat_map(record).collect();
    let source =
        Source::new(vec![input(bytes)], ReadOptions::new().with_vector("e").with_batch_rows(7)).unwrap();
    let empty = DataType::Struct(Fields::empty());
    assert_eq!(source.schema().field_with_name("meta").unwrap().data_type(), &empty, "as Arrow it is one");

    let directory = crate::support::directory();
    for name in ["one.parquet", "several/"] {
        let path = directory.path().join(name);
        let report = write(&source, &path, &WriteOptions::new());
        assert_eq!((report.rows, report.rejects), (100, 0));
        let (_, batches) = read(&report.outputs[0]);
        let schema = batches[0].schema();
        let file = arrow_select::concat::concat_batches(&schema, &batches).unwrap();
        assert_eq!(schema.field_with_name("meta").unwrap().data_type(), &DataType::Null);
        assert_eq!(file.column_by_name("meta").unwrap().logical_null_count(), 100);
        let tags = file.column_by_name("tags").unwrap().as_list::<i32>();
        assert_eq!(tags.value_type(), DataType::Null);
        let lengths = (0..100).map(|row| tags.is_valid(row).then(|| tags.value_length(row)));
        assert!(lengths.enumerate().all(|(row, length)| length == (row % 3 == 0).then_some(2)));
        let deep = file.column_by_name("deep").unwrap().as_struct();
        assert_eq!(deep.column_by_name("b").unwrap().logical_null_count(), 100);
        let numbers = deep.column_by_name("a").unwrap().as_primitive::<Int64Type>();
        assert!(numbers.values().iter().copied().eq(0..100));
    }
}

/// A column of one batch, as it comes back.
fn column_through_a_file(column: &ArrayRef) -> vecpack::Result<ArrayRef> {
    let directory = crate::support::directory();
    let path = directory.path().join("column.parquet");
    let batch = RecordBatch::try_from_iter_with_nullable([("when", column.clone(), true)]).unwrap();
    let mut stream = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
    let options = WriteOptions::new().with_list_type(ListType::Fixed).with_sync(false);
    write_parquet(&mut stream, &path, &options, Watch::default())?;
    let (metadata, batches) = read(&path);
    // The last one: that of a map is its value.
    let leaf = metadata.file_metadata().schema_descr().columns().last().unwrap();
    assert!(leaf.logical_type_ref().is_some(), "all readers must know what the numbers are");
    Ok(batches[0].column(0).clone())
}

/// Times in units that Parquet does not have, and as they are written.
fn times() -> [(ArrayRef, ArrayRef); 3] {
    let numbers = Int64Array::from_iter([Some(0), None, Some(-5), Some(1_000_000_000)]);
    let data_type = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    let seconds = cast(&numbers, &data_type(TimeUnit::Second)).unwrap();
    let milliseconds = cast(&seconds, &data_type(TimeUnit::Millisecond)).unwrap();
    let times: ArrayRef = Arc::new(Time32SecondArray::from(vec![Some(1), None, Some(86_399), Some(0)]));
    let dates: ArrayRef =
        Arc::new(Date64Array::from(vec![Some(0), None, Some(-86_400_000), Some(864_000_000)]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), None, Some(-1), Some(10)]));
    let times_written = cast(&times, &DataType::Time32(TimeUnit::Millisecond)).unwrap();
    [(seconds, milliseconds), (times, times_written), (dates, days)]
}

#[test]
fn seconds_are_written_as_milliseconds_and_dates_as_days() {
    for (given, written) in times() {
        let nulls = || Some(NullBuffer::from(vec![true, true, false, true]));
        let within = |array: &ArrayRef| -> Vec<ArrayRef> {
            let item = Arc::new(Field::new("item", array.data_type().clone(), true));
            let fixed = FixedSizeListArray::new(item.clone(), 2, array.clone(), None);
            let offsets = OffsetBuffer::from_repeated_length(1, 4);
            let list = ListArray::new(item.clone(), offsets, array.clone(), nulls());
            let deep = StructArray::new(vec![item.clone()].into(), vec![array.clone()], nulls());
            let list_field = Arc::new(Field::new("l", list.data_type().clone(), true));
            let both = StructArray::new(vec![list_field].into(), vec![Arc::new(list.clone())], None);
            vec![array.clone(), Arc::new(fixed), Arc::new(list), Arc::new(deep), Arc::new(both)]
        };
        for (given, written) in within(&given).iter().zip(within(&written)) {
            let found = column_through_a_file(given).unwrap();
            assert_eq!(found.data_type(), written.data_type(), "as {}", given.data_type());
            assert_eq!(&found, &written);
        }
    }
}

#[test]
fn times_in_dictionaries_runs_and_views_are_times_as_well() {
    let field = |array: &ArrayRef| Arc::new(Field::new("item", array.data_type().clone(), true));
    let within = |array: ArrayRef| -> ArrayRef {
        let nulls = Some(NullBuffer::from_iter((0..array.len()).map(|at| at != 2)));
        Arc::new(StructArray::new(vec![field(&array)].into(), vec![array], nulls))
    };
    for (given, written) in times() {
        let at = Int32Array::from(vec![Some(3), None, Some(0), Some(1), Some(2), Some(3)]);
        let words: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(at.clone(), given.clone()));
        let words_written = arrow_select::take::take(&written, &at, None).unwrap();
        let runs = RunArray::<Int32Type>::try_new(&Int32Array::from(vec![2, 3, 4, 6]), &given).unwrap();
        let at = Int32Array::from(vec![0, 0, 1, 2, 3, 3]);
        let (runs, runs_written): (ArrayRef, _) =
            (Arc::new(runs), arrow_select::take::take(&written, &at, None).unwrap());
        // Out of order, and one upon another.
        let nulls = || Some(NullBuffer::from(vec![true, false, true, true]));
        let (offsets, sizes) = (vec![2, 0, 1, 0], vec![2, 4, 2, 0]);
        let views = ListViewArray::new(
            field(&given),
            offsets.clone().into(),
            sizes.clone().into(),
            given.clone(),
            nulls(),
        );
        let wide = |numbers: &[i32]| numbers.iter().map(|&number| i64::from(number)).collect::<Vec<_>>();
        let (offsets, sizes) = (wide(&offsets), wide(&sizes));
        let large_views =
            LargeListViewArray::new(field(&given), offsets.into(), sizes.into(), given.clone(), nulls());
        let values = arrow_select::take::take(&written, &Int32Array::from(vec![2, 3, 1, 2]), None).unwrap();
        let ends = OffsetBuffer::from_lengths([2, 0, 2, 0]);
        let lists = ListArray::new(field(&values), ends, values.clone(), nulls());
        let ends = OffsetBuffer::from_lengths([2, 0, 2, 0]);
        let large_lists = LargeListArray::new(field(&values), ends, values, nulls());
        let (views, large_views): (ArrayRef, ArrayRef) = (Arc::new(views), Arc::new(large_views));
        let (lists, large_lists): (ArrayRef, ArrayRef) = (Arc::new(lists), Arc::new(large_lists));
        let pairs =
            [(words, words_written), (runs, runs_written), (views, lists), (large_views, large_lists)];
        for (given, written) in pairs {
            for (start, len) in [(0, given.len()), (1, 3), (2, 1)] {
                let (given, written) = (given.slice(start, len), written.slice(start, len));
                let found = column_through_a_file(&given).unwrap();
                assert_eq!(&found, &written, "{} from {start} on", given.data_type());
                let found = column_through_a_file(&within(given)).unwrap();
                assert_eq!(&found, &within(written));
            }
        }
    }
}

#[test]
fn views_of_lists_are_written_as_lists() {
    let column: ArrayRef = Arc::new(ListViewArray::from_iter_primitive::<Date32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(2)]),
    ]));
    let list = DataType::List(Arc::new(Field::new("item", DataType::Date32, true)));
    assert_eq!(&column_through_a_file(&column).unwrap(), &cast(&column, &list).unwrap());
}

#[test]
fn what_is_in_no_row_or_in_one_that_is_null_may_be_a_time_that_cannot_be_written() {
    const BAD: i64 = 1;
    const DAY: i64 = 86_400_000;
    let dates: ArrayRef = Arc::new(Date64Array::from(vec![BAD, DAY, BAD, 2 * DAY, BAD]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, 0, 2, 0]));
    let nulls = || Some(NullBuffer::from(vec![false, true, false, true, false]));
    // The dates are never null: only what they are in is.
    let field = |name: &str, array: &ArrayRef| {
        Arc::new(Field::new(name, array.data_type().clone(), array.is_nullable()))
    };
    let in_list = |values: &ArrayRef, nulls| -> ArrayRef {
        let offsets = OffsetBuffer::from_repeated_length(1, 5);
        Arc::new(ListArray::new(field("item", values), offsets, values.clone(), nulls))
    };
    let in_fixed = |values: &ArrayRef, nulls| -> ArrayRef {
        Arc::new(FixedSizeListArray::new(field("item", values), 1, values.clone(), nulls))
    };
    let in_struct = |values: &ArrayRef, nulls| -> ArrayRef {
        Arc::new(StructArray::new(vec![field("d", values)].into(), vec![values.clone()], nulls))
    };
    let in_map = |values: &ArrayRef, nulls| -> ArrayRef {
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["k"; 5]));
        let fields = vec![field("key", &keys), field("value", values)];
        let entries = StructArray::new(fields.into(), vec![keys, values.clone()], None);
        let entries_field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        let offsets = OffsetBuffer::from_repeated_length(1, 5);
        Arc::new(MapArray::new(entries_field, offsets, entries, nulls, false))
    };
    type Within<'a> = &'a dyn Fn(&ArrayRef, Option<NullBuffer>) -> ArrayRef;
    let all: [Within<'_>; 4] = [&in_list, &in_fixed, &in_struct, &in_map];
    for outer in all {
        let check = |given: ArrayRef, written: ArrayRef| {
            assert_eq!(&column_through_a_file(&given).unwrap(), &written, "{}", given.data_type());
        };
        check(outer(&dates, nulls()), outer(&days, nulls()));
        for inner in all {
            check(outer(&inner(&dates, None), nulls()), outer(&inner(&days, None), nulls()));
            check(outer(&inner(&dates, nulls()), nulls()), outer(&inner(&days, nulls()), nulls()));
        }
        for row in [1, 3] {
            check(outer(&dates, None).slice(row, 1), outer(&days, None).slice(row, 1));
        }
        let error = column_through_a_file(&outer(&dates, None).slice(1, 2)).unwrap_err();
        assert!(error.to_string().contains("column `when`"), "{error}");
    }
}

#[test]
fn a_time_that_no_other_unit_can_hold_is_an_error_that_names_the_column() {
    let second: ArrayRef = Arc::new(TimestampSecondArray::from(vec![Some(1), Some(i64::MAX / 999)]));
    let date: ArrayRef = Arc::new(Date64Array::from(vec![86_400_000, 86_400_001]));
    let time: ArrayRef = Arc::new(Time32SecondArray::from(vec![i32::MAX]));
    for column in [second, date, time] {
        let error = column_through_a_file(&column).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Schema(_)), "{error:?}");
        assert!(error.to_string().contains("column `when`"), "{error}");
    }
}

#[test]
fn a_dictionary_of_views_is_written_as_one_of_text() {
    let keys = Int32Array::from(vec![Some(1), None, Some(0)]);
    let views = StringViewArray::from(vec!["a", "a text of more than twelve bytes"]);
    let column: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(views)));
    // Of a piece of it, only the values of its rows.
    for column in [column.clone(), column.slice(1, 1), column.slice(2, 1)] {
        let found = cast(&column_through_a_file(&column).unwrap(), &DataType::Utf8).unwrap();
        assert_eq!(&found, &cast(&column, &DataType::Utf8).unwrap());
    }
}

#[test]
fn a_stream_with_a_struct_without_fields_is_refused_by_the_name_of_the_column() {
    let directory = crate::support::directory();
    let path = directory.path().join("x.parquet");
    let empty = || DataType::Struct(Fields::empty());
    let list = DataType::List(Field::new("item", empty(), true).into());
    let deep = DataType::Struct(
        vec![Field::new("a", DataType::Int64, true), Field::new("b", list.clone(), true)].into(),
    );
    let views = DataType::ListView(Field::new("item", empty(), true).into());
    let types = [(empty(), "`x`"), (list, "`x.item`"), (views, "`x.item`"), (deep, "`x.b.item`")];
    for (data_type, name) in types {
        let schema =
            Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("x", data_type, true)]);
        let batches: [Result<RecordBatch, ArrowError>; 0] = [];
        let mut stream = RecordBatchIterator::new(batches, Arc::new(schema));
        let error = write_parquet(&mut stream, &path, &WriteOptions::new(), Watch::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Schema(_)), "{error:?}");
        assert!(error.to_string().contains(name) && error.to_string().contains("leave it out"), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn an_error_of_the_stream_is_the_error_of_the_conversion_and_leaves_nothing() {
    let directory = crate::support::directory();
    let bad =
        Source::new(vec![Input::bytes("bad", [records(5, 2), vec![0xc0]].concat())], ReadOptions::new())
            .unwrap();
    let path = directory.path().join("bad.parquet");
    let error =
        write_parquet(&mut bad.reader().unwrap(), &path, &WriteOptions::new(), Watch::default()).unwrap_err();
    assert_eq!(crate::support::rejected(&error).record, 5);
    assert_eq!(&*crate::support::rejected(&error).file, "bad");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_batch_of_other_columns_than_the_stream_says_is_an_error() {
    let directory = crate::support::directory();
    let schema = Arc::new(arrow_schema::Schema::new(vec![Field::new("n", DataType::Utf8, true)]));
    let options = WriteOptions::new().with_sync(false);
    let mut reader = RecordBatchIterator::new([Ok(foreign())], schema);
    let error = write_parquet(&mut reader, &directory.path().join("n.parquet"), &options, Watch::default())
        .unwrap_err();
    assert!(error.to_string().contains("in a stream of"), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_row_group_of_no_bytes_is_refused() {
    let directory = crate::support::directory();
    let path = directory.path().join("none.parquet");
    let options = WriteOptions::new().with_row_group_bytes(0);
    let error = to_parquet(&source(records(1, 2)), &path, &options, Watch::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Option(_)));
    assert!(!path.exists());
}

#[test]
fn nulls_of_every_row_come_back() {
    let directory = crate::support::directory();
    let path = directory.path().join("nulls.parquet");
    let options = ReadOptions::new().with_dim(3).with_on_error(OnError::Null);
    write(&Source::new(vec![input(vec![0xc0; 100])], options).unwrap(), &path, &WriteOptions::new());
    let (_, batches) = read(&path);
    assert!(rows(&batches) == vec![None; 100]);
    assert_eq!(batches[0].column(0).nulls().map(NullBuffer::null_count), Some(100));
}
