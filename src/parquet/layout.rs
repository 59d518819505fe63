//! How the row groups of a file are made: which columns are vectors with pages of our own, and how those are encoded.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use parquet::arrow::{ArrowSchemaConverter, encode_arrow_schema};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};

use super::chunk::{Chunk, Others, VectorColumn, internal};
use super::options::{ARROW_SCHEMA, Compression, Encoding, ListType, WriteOptions};
use super::report::VectorEncoding;
use super::types::{Writing, written_field};
use crate::error::{Error, Result};
use crate::values::tensor_shape;

/// The encoder of the `parquet` crate looks at this many rows of vectors at a time.
const ENCODE_ROWS: usize = 64;

/// How the row groups of a file are made.
pub(super) struct Layout {
    pub(super) descriptor: SchemaDescPtr,
    /// The types of the batches, and of what is written.
    schema: Schema,
    written: SchemaRef,
    pub(super) options: WriteOptions,
    /// For each leaf of the file, in order: the column of vectors that it is, or `None` for one of `others`.
    leaves: Vec<Option<VectorColumn>>,
    others: Others,
}

/// A row group that is ready to be written.
pub(super) struct Group {
    pub(super) rows: usize,
    pub(super) chunks: Vec<Chunk>,
}

impl Layout {
    pub(super) fn new(schema: &Schema, options: &WriteOptions) -> Result<Self> {
        let given = schema;
        let fields: Fields = given.fields().iter().map(|field| written_field(field, options)).collect();
        let mut metadata = given.metadata().clone();
        metadata.extend(options.metadata.clone());
        let written = Arc::new(Schema::new_with_metadata(fields, metadata));
        let schema = &*written;
        let descriptor = Arc::new(ArrowSchemaConverter::new().convert(schema).map_err(internal)?);
        let (mut leaves, mut others) = (Vec::new(), Vec::new());
        for leaf in 0..descriptor.num_columns() {
            let column = descriptor.get_column_root_idx(leaf);
            let vector = vector_of_floats(schema.field(column))
                .map(|(dim, size)| VectorColumn::new(column, descriptor.column(leaf), dim, size));
            if vector.is_none() && others.last() != Some(&column) {
                others.push(column);
            }
            leaves.push(vector);
        }
        let properties = properties(schema, &descriptor, options);
        Ok(Self {
            schema: given.clone(),
            descriptor,
            options: options.clone(),
            leaves,
            others: Others::new(others, schema, properties)?,
            written,
        })
    }

    /// A batch as it is written. Streams from elsewhere may hold other batches than they say, which is an error.
    pub(super) fn writable<'a>(&self, batch: &'a RecordBatch) -> Result<Cow<'a, RecordBatch>> {
        let same =
            |(column, field): (&ArrayRef, &FieldRef)| column.data_type().equals_datatype(field.data_type());
        let fields = self.schema.fields();
        if batch.num_columns() != fields.len() || !batch.columns().iter().zip(fields).all(same) {
            let (found, expected) = (batch.schema(), &self.schema);
            return Err(Error::schema(format!("a batch of {found}, in a stream of {expected}")));
        }
        if fields == self.written.fields() {
            return Ok(Cow::Borrowed(batch));
        }
        let array = |(column, field): (&ArrayRef, &FieldRef)| {
            Writing { name: field.name(), options: &self.options }.array(column, field.data_type(), None)
        };
        let columns = batch.columns().iter().zip(self.written.fields()).map(array);
        Ok(Cow::Owned(RecordBatch::try_new(self.written.clone(), columns.collect::<Result<_>>()?)?))
    }

    /// What the footer holds beside the columns: the metadata of the schema by its keys, in order,
    /// and the schema itself for readers that know Arrow.
    pub(super) fn key_values(&self, list_type: ListType) -> Vec<KeyValue> {
        let as_read = |field: &FieldRef| match field.data_type() {
            DataType::FixedSizeList(element, _)
                if list_type == ListType::List && tensor_shape(field).is_none() =>
            {
                Arc::new(field.as_ref().clone().with_data_type(DataType::List(element.clone())))
            }
            _ => field.clone(),
        };
        let mut metadata = self.written.metadata().clone();
        metadata.remove(ARROW_SCHEMA);
        let key_value = |(key, value): (&String, &String)| KeyValue::new(key.clone(), value.clone());
        let mut key_values: Vec<KeyValue> =
            BTreeMap::from_iter(&metadata).into_iter().map(key_value).collect();
        let fields: Vec<FieldRef> = self.written.fields().iter().map(as_read).collect();
        let schema = Schema::new_with_metadata(fields, metadata);
        key_values.push(KeyValue::new(ARROW_SCHEMA.to_owned(), encode_arrow_schema(&schema)));
        key_values
    }

    /// Chooses how each vector column is encoded, from the first rows.
    pub(super) fn choose(&mut self, batches: &[RecordBatch]) -> Result<()> {
        self.leaves.iter_mut().flatten().try_for_each(|vector| vector.choose(batches, &self.options))
    }

    /// How the vector columns are encoded.
    pub(super) fn encodings(&self) -> Vec<VectorEncoding> {
        let encoding = |vector: &VectorColumn| VectorEncoding {
            column: self.written.field(vector.column).name().clone(),
            encoding: if vector.is_split { Encoding::ByteStreamSplit } else { Encoding::Plain }.as_str(),
            compression: vector.compression.as_str(),
        };
        self.leaves.iter().flatten().map(encoding).collect()
    }

    /// True where making a row group is work, and not only looking where values lie.
    pub(super) fn is_work(&self) -> bool {
        self.leaves.iter().any(|leaf| leaf.as_ref().is_none_or(|vector| !vector.is_as_it_lies()))
    }

    /// Makes a row group of the rows in `batches`.
    pub(super) fn encode(&self, batches: &[RecordBatch]) -> Result<Group> {
        let mut others = self.others.chunks(batches)?.into_iter();
        let mut chunks = Vec::new();
        for leaf in &self.leaves {
            match leaf {
                Some(vector) => chunks.push(vector.chunk(batches)?),
                None => chunks.extend(others.next()),
            }
        }
        Ok(Group { rows: batches.iter().map(RecordBatch::num_rows).sum(), chunks })
    }
}

impl VectorColumn {
    /// Chooses codec and arrangement; what `options` leave open by trying them on the first page of `rows`.
    ///
    /// Compression is worth it where it saves a quarter: below that, readers lose more time than the disk saves. Planes may be
    /// a twentieth larger: they are written and read faster than plain values, whose matches are searched for and copied.
    /// DuckDB cannot read planes of float16.
    fn choose(&mut self, rows: &[RecordBatch], options: &WriteOptions) -> Result<()> {
        let can_split = self.size > 2;
        let splits: &[bool] = match options.encoding {
            Encoding::Plain => &[false],
            Encoding::ByteStreamSplit => &[true],
            Encoding::Auto if can_split => &[false, true],
            Encoding::Auto => &[false],
        };
        let compression = match options.compression {
            Compression::Auto => Compression::Zstd,
            given => given,
        };
        if let ([is_split], false) = (splits, options.compression == Compression::Auto) {
            (self.compression, self.is_split) = (compression, *is_split);
            return Ok(());
        }
        if options.compression == Compression::None {
            return Ok(()); // planes are for what compresses
        }
        let plain = self.first_page(rows)? as f64;
        let mut best = (f64::INFINITY, false);
        for &is_split in splits {
            let mut tried = self.clone();
            (tried.compression, tried.is_split) = (compression, is_split);
            let weight = if is_split { 0.95 } else { 1.0 };
            let size = tried.first_page(rows)? as f64 * weight;
            if size < best.0 {
                best = (size, is_split);
            }
        }
        (self.compression, self.is_split) = match options.compression {
            Compression::Auto if best.0 > 0.75 * plain => (Compression::None, splits == [true]),
            _ => (compression, best.1),
        };
        Ok(())
    }
}

/// The dimension of a vector column and the bytes of an element, if its pages are made here: the values of floats lie in memory
/// as they do in a page. Integers have a dictionary in Parquet, which the `parquet` crate makes.
fn vector_of_floats(field: &Field) -> Option<(usize, usize)> {
    let (element, dim) = vector(field)?;
    let is_float = matches!(element.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64);
    let size = element.data_type().primitive_width()?;
    (is_float && dim > 0 && cfg!(target_endian = "little")).then_some((dim, size))
}

/// The element field and the dimension of a vector column.
fn vector(field: &Field) -> Option<(&Field, usize)> {
    let DataType::FixedSizeList(element, dim) = field.data_type() else { return None };
    element.data_type().is_numeric().then_some((element, usize::try_from(*dim).ok()?))
}

/// Settings for the columns that the `parquet` crate encodes.
fn properties(schema: &Schema, descriptor: &SchemaDescriptor, options: &WriteOptions) -> WriterProperties {
    let builder = WriterProperties::builder().set_max_row_group_row_count(None);
    let mut builder = builder.set_compression(options.compression.in_file());
    for (at, leaf) in descriptor.columns().iter().enumerate() {
        let path = leaf.path().clone();
        if let Some((_, dim)) = vector(schema.field(descriptor.get_column_root_idx(at))) {
            // Parquet has no small integers: only a dictionary keeps elements from taking four bytes each. Statistics of
            // elements serve no query.
            builder = builder
                .set_write_batch_size(ENCODE_ROWS.saturating_mul(dim).max(1))
                .set_column_statistics_enabled(path, EnabledStatistics::None);
        } else if leaf.max_rep_level() > 0 {
            // The crate says of a page of lists that it holds nothing but nulls where it has as many
            // nulls as rows, which is not the same: such columns have no column index.
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Chunk);
        }
    }
    builder.build()
}
