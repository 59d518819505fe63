//! Whatever is read and written as Parquet comes back bit for bit, however it is written.

use std::fs;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use vecpack::{Compression, Encoding, ListType, OnError, Watch, WriteOptions, to_parquet};

use super::choices::Choices;
use super::reading::{Kind, options, scan, scratch, source, text};
use super::records::File;

pub fn run(data: &[u8]) {
    let (mut choices, values) = Choices::split(data);
    let write = write_options(&mut choices);
    let of_parts = choices.byte() & 7 == 7;
    let is_any_file = choices.byte() & 1 == 1;
    let (bytes, read) = if is_any_file {
        (values.to_vec(), options(&mut choices).with_include_path(false))
    } else {
        let mut file = File::new(&mut choices, values);
        file.damage(&mut choices);
        let policy = choices.one(&[OnError::Null, OnError::Skip, OnError::Raise]);
        (file.bytes, file.options.with_on_error(policy))
    };
    let Ok(source) = source(Kind::Bytes, &bytes, &read) else { return };
    let expected = scan(&source);
    let out = if of_parts { scratch("parts") } else { scratch("out.parquet") };
    let write = if of_parts { write.with_max_file_bytes(1 + 64 * u64::from(choices.byte())) } else { write };
    if of_parts {
        fs::create_dir_all(&out).expect("a directory");
    }
    let what = format!("{write:?} of {read:?}");
    match to_parquet(&source, &out, &write, Watch::default()) {
        Ok(report) => {
            assert_eq!(expected.error, None, "{what}");
            assert_eq!(report.rows, expected.rows.num_rows() as u64, "{what}");
            assert_eq!(report.rejects, expected.rejected, "{what}");
            let batches: Vec<_> = files(&out).iter().flat_map(|path| read_back(path)).collect();
            check(&expected.rows, &batches, &what);
        }
        // Parquet has no files without columns.
        Err(error) => {
            let error = text(&error);
            assert!(expected.error.as_ref() == Some(&error) || is_any_file, "{error}: {what}");
            assert!(of_parts || !out.exists(), "{error}: {what}");
        }
    }
    if out.is_dir() {
        fs::remove_dir_all(&out).expect("the directory is removed");
    } else if out.exists() {
        fs::remove_file(&out).expect("the file is removed");
    }
}

fn write_options(choices: &mut Choices<'_>) -> WriteOptions {
    let options = WriteOptions::new()
        .with_sync(false)
        .with_compression(choices.one(Compression::ALL))
        .with_encoding(choices.one(Encoding::ALL))
        .with_row_group_bytes(choices.one(&[8 << 20, 1, 100, 1000, 10_000]))
        .with_threads(choices.one(&[1, 2, 4]));
    match choices.one(&[None, Some(ListType::Fixed), Some(ListType::List)]) {
        Some(list_type) => options.with_list_type(list_type),
        None => options,
    }
}

/// The file, or the files of a directory in their order.
fn files(out: &Path) -> Vec<std::path::PathBuf> {
    if out.is_dir() {
        let entries = fs::read_dir(out).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        // Beside the files lies the directory with the manifest.
        let mut files: Vec<_> = paths.filter(|path| path.is_file()).collect();
        files.sort();
        files
    } else if out.exists() {
        vec![out.to_owned()]
    } else {
        Vec::new()
    }
}

fn read_back(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).expect("the file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    let reader = reader.expect("Parquet");
    reader.map(|batch| batch.expect("a batch")).collect()
}

/// That the batches are `expected`, one after another. Whether vectors are lists of fixed size differs from file to file.
fn check(expected: &RecordBatch, batches: &[RecordBatch], what: &str) {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, expected.num_rows(), "{what}");
    let mut row = 0;
    for batch in batches {
        let part = expected.slice(row, batch.num_rows());
        row += batch.num_rows();
        assert_eq!(batch.num_columns(), part.num_columns(), "{what}");
        for (field, (found, expected)) in
            part.schema().fields().iter().zip(batch.columns().iter().zip(part.columns()))
        {
            found.to_data().validate_full().expect("valid arrays");
            assert!(is_same(found, expected), "{field:?}, {what}: {found:?}, not {expected:?}");
        }
    }
}

/// True for equal values, and for nulls in the place of structs without fields.
fn is_same(found: &ArrayRef, expected: &ArrayRef) -> bool {
    match (found.data_type(), expected.data_type()) {
        (found, expected) if found == expected => {}
        (DataType::Null, DataType::Struct(fields)) => {
            return fields.is_empty() && found.len() == expected.len();
        }
        (DataType::Struct(_), DataType::Struct(_)) => {
            let (found, expected) = (found.as_struct(), expected.as_struct());
            let columns = found.columns().iter().zip(expected.columns());
            return found.column_names() == expected.column_names()
                && (0..found.len()).all(|row| found.is_null(row) == expected.is_null(row))
                && columns.into_iter().all(|(found, expected)| is_same(found, expected));
        }
        (DataType::List(_), DataType::List(_)) => {
            let (found, expected) = (found.as_list::<i32>(), expected.as_list::<i32>());
            return found.len() == expected.len()
                && found.iter().zip(expected.iter()).all(|rows| match rows {
                    (Some(found), Some(expected)) => is_same(&found, &expected),
                    (found, expected) => found.is_none() && expected.is_none(),
                });
        }
        _ => {}
    }
    let expected = cast(expected, found.data_type()).expect("a list of another type");
    found.as_ref() == expected.as_ref()
}
