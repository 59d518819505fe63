//! One Parquet file, through the `parquet` crate's own writer.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::options::{Compression, Encoding, ListType, WriteOptions};
use crate::error::{Error, Result};
use crate::output::Target;

/// Row groups of a multiple of this many rows fill the vectors of the engines that read them.
const ROUND_ROWS: usize = 2048;
/// After so many row groups the next ones hold twice as many rows.
const GROUPS_OF_A_SIZE: usize = 2048;
/// The encoder looks at this many rows at a time.
const ENCODE_ROWS: usize = 64;

/// A Parquet file on its way.
pub(super) struct FileWriter {
    /// Above the target: a writer that is dropped halfway must be gone before its file is.
    writer: ArrowWriter<File>,
    target: Target,
    schema: SchemaRef,
    /// Rows a row group.
    group_rows: usize,
    rows: u64,
}

/// What was written.
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) row_groups: u64,
    pub(super) bytes: u64,
}

impl FileWriter {
    pub(super) fn create(path: &Path, schema: &Schema, options: &WriteOptions) -> Result<Self> {
        options.check()?;
        let group_rows = group_rows(schema, options);
        let properties = properties(schema, options);
        let fields = schema.fields().iter().map(|field| match options.list_type {
            ListType::Fixed => field.clone(),
            ListType::List => as_list_field(field),
        });
        let schema =
            Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()));
        let target = Target::create(path, options.overwrite)?;
        let file = target.file().try_clone().map_err(|error| Error::io(path, error))?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .map_err(|error| failure(path, error))?;
        Ok(Self { writer, target, schema, group_rows, rows: 0 })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns =
            batch.columns().iter().zip(self.schema.fields()).map(|(column, field)| as_field(column, field));
        let batch = RecordBatch::try_new(self.schema.clone(), columns.collect())?;
        let mut start = 0;
        while start < batch.num_rows() {
            let room = self.group_rows().saturating_sub(self.writer.in_progress_rows()).max(1);
            let part = batch.slice(start, room.min(batch.num_rows() - start));
            start += part.num_rows();
            let written = self.writer.write(&part).and_then(|()| match part.num_rows() < room {
                true => Ok(()),
                false => self.writer.flush(),
            });
            written.map_err(|error| failure(self.target.path(), error))?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Rows of the current row group. A file can have 32,767 of them, so in large files they get larger.
    fn group_rows(&self) -> usize {
        let doublings = self.writer.flushed_row_groups().len() / GROUPS_OF_A_SIZE;
        self.group_rows.saturating_mul(1 << doublings.min(31))
    }

    /// Completes the file and puts it in its place.
    pub(super) fn finish(self, sync: bool) -> Result<Written> {
        // `close` flushes what is buffered; an error there is one of the file.
        let metadata = self.writer.close().map_err(|error| failure(self.target.path(), error))?;
        let bytes = self.target.commit(sync)?;
        Ok(Written { rows: self.rows, row_groups: metadata.num_row_groups() as u64, bytes })
    }
}

fn failure(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(error) => Error::io(path, *error),
            Err(source) => Error::internal(format!("{}: {source}", path.display())),
        },
        other => Error::internal(format!("{}: {other}", path.display())),
    }
}

/// How many rows of `schema` make a row group.
fn group_rows(schema: &Schema, options: &WriteOptions) -> usize {
    let row_bytes: usize = schema.fields().iter().map(|field| row_bytes(field.data_type())).sum();
    let rows = (options.row_group_bytes / row_bytes.max(1)).max(1);
    if rows > ROUND_ROWS { rows - rows % ROUND_ROWS } else { rows }
}

/// Settings that suit vectors: their floats are all different, so a dictionary, statistics and a search for either cost time
/// and space and help nobody. The other columns are written as usual.
fn properties(schema: &Schema, options: &WriteOptions) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("vecpack version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(None)
        .set_compression(match options.compression {
            Compression::None => basic::Compression::UNCOMPRESSED,
            Compression::Zstd => basic::Compression::ZSTD(basic::ZstdLevel::default()),
            Compression::Lz4 => basic::Compression::LZ4_RAW,
            Compression::Snappy => basic::Compression::SNAPPY,
        });
    for field in schema.fields() {
        if let Some((element, dim)) = vector(field) {
            builder = vector_properties(builder, field, element, dim, options);
        }
    }
    builder.build()
}

fn vector_properties(
    builder: WriterPropertiesBuilder,
    field: &Field,
    element: &Field,
    dim: usize,
    options: &WriteOptions,
) -> WriterPropertiesBuilder {
    let leaf = ColumnPath::new(vec![field.name().clone(), "list".to_owned(), element.name().clone()]);
    let builder = builder
        .set_write_batch_size(ENCODE_ROWS.saturating_mul(dim))
        .set_column_statistics_enabled(leaf.clone(), EnabledStatistics::None);
    if !element.data_type().is_floating() {
        // Parquet has no small integers: only a dictionary keeps them from taking four bytes each.
        return builder;
    }
    let encoding = match options.encoding {
        Encoding::Plain => basic::Encoding::PLAIN,
        Encoding::ByteStreamSplit => basic::Encoding::BYTE_STREAM_SPLIT,
    };
    builder.set_column_dictionary_enabled(leaf.clone(), false).set_column_encoding(leaf, encoding)
}

/// The element field and the dimension of a vector column.
fn vector(field: &Field) -> Option<(&Field, usize)> {
    let DataType::FixedSizeList(element, dim) = field.data_type() else { return None };
    element.data_type().is_numeric().then_some((element, usize::try_from(*dim).ok()?))
}

/// About how many bytes a row of this type takes.
fn row_bytes(data_type: &DataType) -> usize {
    match data_type {
        DataType::FixedSizeList(element, dim) => {
            usize::try_from(*dim).unwrap_or(0).saturating_mul(row_bytes(element.data_type()))
        }
        // Unknown; a guess for the sake of small columns beside vectors.
        other => other.primitive_width().unwrap_or(32),
    }
}

fn as_list_field(field: &FieldRef) -> FieldRef {
    match field.data_type() {
        DataType::FixedSizeList(element, _) => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::List(element.clone())))
        }
        _ => field.clone(),
    }
}

/// The column as the file's schema has it: a list of fixed size as a plain one, where that is asked for.
fn as_field(column: &ArrayRef, field: &Field) -> ArrayRef {
    let (DataType::List(element), Some(vectors)) = (field.data_type(), column.as_fixed_size_list_opt())
    else {
        return column.clone();
    };
    let dim = usize::try_from(vectors.value_length()).unwrap_or(0);
    let offsets = OffsetBuffer::from_repeated_length(dim, vectors.len());
    Arc::new(ListArray::new(element.clone(), offsets, vectors.values().clone(), vectors.nulls().cloned()))
}
