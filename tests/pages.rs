//! What the footer and the page index say of records with columns of every kind is true, and every
//! column is read back by it.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int8Array,
    Int32Array, Int64Array, ListArray, RecordBatch, RecordBatchIterator, StringArray, StructArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat_batches;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;
use vecpack::{Compression, Encoding, ListType, Watch, WriteOptions, write_parquet};

const ROWS: usize = 30_000;

/// Columns of every kind that vecpack writes: words that repeat and words that do not, nulls, and
/// rows of several values.
fn records() -> RecordBatch {
    let mut random = fastrand::Rng::with_seed(18);
    let nulls = |every: usize| Some(NullBuffer::from_iter((0..ROWS).map(|row| row % every != 0)));
    let element = |data_type| Arc::new(Field::new("element", data_type, false));
    let floats = Arc::new(Float32Array::from_iter_values((0..ROWS * 8).map(|at| at as f32)));
    let vector = FixedSizeListArray::new(element(DataType::Float32), 8, floats, nulls(7));
    let bytes = Arc::new(Int8Array::from_iter_values((0..ROWS * 4).map(|_| random.i8(..))));
    let small = FixedSizeListArray::new(element(DataType::Int8), 4, bytes, None);
    let numbers = Int64Array::from_iter((0..ROWS * 2).map(|at| (at % 5 != 0).then_some(at as i64 % 900)));
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let lists = ListArray::new(
        item,
        OffsetBuffer::from_lengths((0..ROWS).map(|row| row % 5)),
        Arc::new(numbers),
        nulls(11),
    );
    let names: ArrayRef = Arc::new(StringArray::from_iter(
        (0..ROWS).map(|row| (row % 3 > 0).then(|| format!("n{}", row % 50))),
    ));
    let nested =
        StructArray::new(vec![Field::new("name", DataType::Utf8, true)].into(), vec![names], nulls(13));
    let texts =
        StringArray::from_iter_values((0..ROWS).map(|row| format!("text {row} {}", "x".repeat(row % 120))));
    let blobs = BinaryArray::from_iter((0..ROWS).map(|row| (row % 4 > 0).then(|| vec![row as u8; row % 90])));
    // Half of the rows are null, page after page: some pages hold nothing else.
    let sparse = Int32Array::from_iter((0..ROWS).map(|row| (row > ROWS / 2).then_some(row as i32)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| row as i64 - 1000)))),
        ("vector", Arc::new(vector)),
        (
            "user",
            Arc::new(UInt64Array::from_iter_values((0..ROWS).map(|row| u64::MAX - (row as u64 % 1000)))),
        ),
        ("text", Arc::new(texts)),
        ("blob", Arc::new(blobs)),
        (
            "when",
            Arc::new(
                TimestampNanosecondArray::from_iter_values((0..ROWS).map(|row| row as i64 * 1_000_000_007))
                    .with_timezone("UTC"),
            ),
        ),
        (
            "price",
            Arc::new(Float64Array::from_iter(
                (0..ROWS).map(|row| (row % 9 > 0).then_some(row as f64 / 3.0 - 4000.0)),
            )),
        ),
        ("flag", Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(row % 2 == 0))))),
        ("lists", Arc::new(lists)),
        ("nested", Arc::new(nested)),
        ("small", Arc::new(small)),
        ("sparse", Arc::new(sparse)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn every_page_of_every_column_is_where_the_footer_says() {
    let directory = crate::support::directory();
    let path = directory.path().join("records.parquet");
    let batch = records();
    for &compression in Compression::ALL {
        for encoding in [Encoding::Plain, Encoding::ByteStreamSplit] {
            for bytes in [1 << 20, 64 << 20] {
                let options = WriteOptions::new().with_compression(compression).with_encoding(encoding);
                let options = options.with_row_group_bytes(bytes).with_list_type(ListType::Fixed);
                let options = options.with_overwrite(true).with_sync(false);
                let mut reader = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
                write_parquet(&mut reader, &path, &options, Watch::default()).unwrap();
                let chunks = crate::support::walk(&std::fs::read(&path).unwrap());
                for name in ["id", "text", "when", "nested.name", "small.list.element", "lists.list.item"] {
                    let chunk = chunks.iter().find(|chunk| chunk.column == name).unwrap();
                    assert!(chunk.has_dictionary, "{name}: {chunk:?}");
                }
                let most = chunks.iter().map(|chunk| chunk.pages.len()).max();
                assert!(bytes < 2 << 20 || most > Some(1), "row groups of one page show little");
                read_column_by_column(&path, &batch);
            }
        }
    }
}

/// Reads each column alone, all of it and rows here and there, by the page index, which must be
/// there.
fn read_column_by_column(path: &std::path::Path, expected: &RecordBatch) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = || {
        ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path).unwrap(), options.clone())
            .unwrap()
    };
    let selected: Vec<RowSelector> =
        std::iter::repeat_n([RowSelector::skip(997), RowSelector::select(3)], ROWS / 1000)
            .flatten()
            .collect();
    for (number, field) in expected.schema().fields().iter().enumerate() {
        let column = parquet::arrow::ProjectionMask::roots(builder().parquet_schema(), [number]);
        let read = |selection: Option<RowSelection>| {
            let builder = builder().with_projection(column.clone());
            let reader = match selection {
                Some(selection) => builder.with_row_selection(selection),
                None => builder,
            };
            let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
            concat_batches(&batches[0].schema(), &batches).unwrap().column(0).clone()
        };
        let all = expected.column(number);
        assert_eq!(&read(None), all, "{field}");
        let some: Vec<ArrayRef> = (0..ROWS / 1000).map(|at| all.slice(at * 1000 + 997, 3)).collect();
        let some: Vec<&dyn arrow_array::Array> = some.iter().map(AsRef::as_ref).collect();
        let some = arrow_select::concat::concat(&some).unwrap();
        assert_eq!(&read(Some(selected.clone().into())), &some, "{field}, some rows");
    }
}
