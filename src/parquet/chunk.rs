//! Column chunks: what a column of one row group becomes. Those of vectors are made here, page by page; the others by the
//! `parquet` crate.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, FixedSizeListArray, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{self, PageType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats, RowGroupMetaData};
use parquet::file::page_index::{
    column_index::ColumnIndexMetaData,
    offset_index::{OffsetIndexMetaData, PageLocation},
};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnDescPtr;

use super::codec::{Compressor, split_streams};
use super::frame;
use super::levels::{self, Shape, varint};
use super::options::Compression;
use crate::error::{Error, Result};
use crate::vector::Slab;

/// The pages of a column in a row group, as they are written.
pub(super) struct Chunk {
    /// One behind another: what a page is made of, values where the record batch has them.
    pieces: Vec<Buffer>,
    pub(super) metadata: ColumnChunkMetaData,
    pub(super) column_index: Option<ColumnIndexMetaData>,
    pub(super) offset_index: Option<OffsetIndexMetaData>,
}

/// How a vector column is written.
#[derive(Debug, Clone)]
pub(super) struct VectorColumn {
    /// Its place in a batch.
    pub(super) column: usize,
    descriptor: ColumnDescPtr,
    shape: Shape,
    /// Bytes an element.
    pub(super) size: usize,
    /// Rows a page.
    page_rows: usize,
    /// As it was chosen, and so never `Auto`.
    pub(super) compression: Compression,
    pub(super) is_split: bool,
    /// The levels of a page of so many rows without nulls.
    levels: Buffer,
}

/// A page of about this size is small enough for the second-level cache, and large enough that its head is nothing.
const PAGE_BYTES: usize = 512 << 10;

impl VectorColumn {
    /// The column of vectors of `dim` elements of `size` bytes each that `descriptor` describes; pages uncompressed.
    pub(super) fn new(column: usize, descriptor: ColumnDescPtr, dim: usize, size: usize) -> Self {
        let nullable_elements = descriptor.self_type().is_optional();
        let shape = Shape { dim, max_def: descriptor.max_def_level(), nullable_elements };
        // A power of two: row groups of a multiple of 2,048 rows have no small page at their end.
        let page_rows = (PAGE_BYTES / (dim * size)).max(1);
        let page_rows = 1 << page_rows.ilog2();
        let levels = Buffer::from_vec(levels::of_whole_rows(shape, page_rows));
        let (compression, is_split) = (Compression::None, false);
        Self { column, descriptor, shape, size, page_rows, compression, is_split, levels }
    }

    /// True where pages hold the values as they lie in memory.
    pub(super) fn is_as_it_lies(&self) -> bool {
        self.compression == Compression::None && !self.is_split
    }

    /// The chunk of the vectors in `batches`.
    pub(super) fn chunk(&self, batches: &[RecordBatch]) -> Result<Chunk> {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut pages = Pages::new(self, rows)?;
        for first in (0..rows).step_by(self.page_rows) {
            pages.add(&self.page(batches, first))?;
        }
        pages.finish()
    }

    /// Bytes of the first page of the vectors in `batches`.
    pub(super) fn first_page(&self, batches: &[RecordBatch]) -> Result<i64> {
        let mut pages = Pages::new(self, self.page_rows)?;
        pages.add(&self.page(batches, 0))?;
        Ok(pages.bytes)
    }

    /// The rows of the page that begins with the row `first`, as they lie in `batches`.
    fn page(&self, batches: &[RecordBatch], first: usize) -> Vec<FixedSizeListArray> {
        let vectors = batches.iter().filter_map(|batch| batch.column(self.column).as_fixed_size_list_opt());
        let mut at = 0;
        let in_page = |part: &FixedSizeListArray| {
            let (begin, end) = (first.max(at), (first + self.page_rows).min(at + part.len()));
            let rows = (begin < end).then(|| part.slice(begin - at, end - begin));
            at += part.len();
            rows
        };
        vectors.filter_map(in_page).collect()
    }

    /// The elements that `rows` lie in.
    fn elements(&self, rows: &FixedSizeListArray) -> Buffer {
        let data = rows.values().to_data();
        data.buffers()[0].slice_with_length(data.offset() * self.size, data.len() * self.size)
    }

    /// The values of rows without nulls, where they lie.
    fn values(&self, rows: &FixedSizeListArray) -> Buffer {
        let row_bytes = self.shape.dim * self.size;
        let start = rows.value_offset(0) as usize * self.size;
        self.elements(rows).slice_with_length(start, rows.len() * row_bytes)
    }
}

/// The pages of a chunk so far.
struct Pages<'a> {
    column: &'a VectorColumn,
    compressor: Compressor,
    /// Of pages that are encoded, the heads alone.
    pieces: Vec<Buffer>,
    encoded: Arena,
    /// A page that is being arranged.
    scratch: Arena,
    offset_index: OffsetIndexBuilder,
    levels: i64,
    bytes: i64,
    uncompressed: i64,
}

impl<'a> Pages<'a> {
    /// For about so many rows.
    fn new(column: &'a VectorColumn, rows: usize) -> Result<Self> {
        let plane = column.is_split.then_some(column.page_rows * column.shape.dim);
        let compressor = Compressor::new(column.compression, plane)?;
        let (pages, page) = match column.is_as_it_lies() {
            true => (0, 0),
            false => {
                let page = column.page_rows * column.shape.dim * column.size + column.levels.len();
                (rows.div_ceil(column.page_rows), page)
            }
        };
        Ok(Self {
            column,
            encoded: Arena::with_capacity(pages * compressor.most(page))?,
            scratch: Arena::with_capacity(page)?,
            compressor,
            pieces: Vec::new(),
            offset_index: OffsetIndexBuilder::new(),
            levels: 0,
            bytes: 0,
            uncompressed: 0,
        })
    }

    /// Adds a page of these rows.
    fn add(&mut self, rows: &[FixedSizeListArray]) -> Result<()> {
        let column = self.column;
        let count: usize = rows.iter().map(Array::len).sum();
        let has_nulls = rows.iter().any(|part| part.null_count() > 0 || part.values().null_count() > 0);
        let (levels, levels_count, values) = if has_nulls {
            let data: Vec<Buffer> = rows.iter().map(|part| column.elements(part)).collect();
            let mut values = Vec::new();
            let levels = levels::of_rows(column.shape, rows, |part, element| {
                values.extend_from_slice(&data[part][element * column.size..][..column.size]);
            });
            let (levels, levels_count) = levels.ok_or_else(|| {
                let name = column.descriptor.path().string();
                Error::schema(format!("{name}: a null where the schema allows none"))
            })?;
            (Buffer::from_vec(levels), levels_count, vec![Buffer::from_vec(values)])
        } else {
            let levels = match count == column.page_rows {
                true => column.levels.clone(),
                false => Buffer::from_vec(levels::of_whole_rows(column.shape, count)),
            };
            let values = rows.iter().map(|part| column.values(part)).collect();
            (levels, count * column.shape.dim, values)
        };
        let size = levels.len() + values.iter().map(Buffer::len).sum::<usize>();
        let (body, written) = match column.is_as_it_lies() {
            true => ([vec![levels], values].concat(), size),
            false => (Vec::new(), self.encode(&levels, &values, size)?),
        };
        let head = header(size, written, levels_count, column.is_split)?;
        let bytes = (head.len() + written) as i64;
        self.offset_index.append_row_count(count as i64);
        self.offset_index.append_offset_and_size(self.bytes, i32::try_from(bytes).map_err(page_too_large)?);
        self.levels += levels_count as i64;
        self.bytes += bytes;
        self.uncompressed += (head.len() + size) as i64;
        self.pieces.push(Buffer::from_vec(head));
        self.pieces.extend(body);
        Ok(())
    }

    /// Arranges and compresses a page of `size` bytes; gives how many it takes.
    fn encode(&mut self, levels: &[u8], values: &[Buffer], size: usize) -> Result<usize> {
        let page = self.scratch.room(size)?;
        let out = self.encoded.room(self.compressor.most(size))?;
        if let ([values], Some(literal)) = (values, &mut self.compressor.literal) {
            let sizes = (self.column.shape.dim * self.column.size, self.column.size);
            if let Some(written) = frame::of_planes(literal, sizes, levels, values, page, out)? {
                self.encoded.add(written);
                return Ok(written);
            }
        }
        let (page_levels, page_values) = page.split_at_mut(levels.len());
        page_levels.copy_from_slice(levels);
        match (self.column.is_split, values) {
            (true, [values]) => split_streams(self.column.size, values, page_values),
            (true, parts) => {
                let parts: Vec<&[u8]> = parts.iter().map(Buffer::as_slice).collect();
                split_streams(self.column.size, &parts.concat(), page_values);
            }
            (false, parts) => {
                let mut room = page_values;
                for part in parts {
                    let (to, behind) = room.split_at_mut(part.len());
                    to.copy_from_slice(part);
                    room = behind;
                }
            }
        }
        let written = self.compressor.compress(page, out)?;
        self.encoded.add(written);
        Ok(written)
    }

    fn finish(self) -> Result<Chunk> {
        let encoding = encoding(self.column.is_split);
        let offset_index = self.offset_index.build();
        let pages = &offset_index.page_locations;
        let stats = PageEncodingStats { page_type: PageType::DATA_PAGE, encoding, count: pages.len() as i32 };
        let metadata = ColumnChunkMetaData::builder(self.column.descriptor.clone())
            .set_encodings(vec![encoding, basic::Encoding::RLE])
            .set_compression(self.column.compression.in_file())
            .set_num_values(self.levels)
            .set_total_compressed_size(self.bytes)
            .set_total_uncompressed_size(self.uncompressed)
            .set_data_page_offset(0)
            .set_page_encoding_stats(vec![stats])
            .build()
            .map_err(internal)?;
        let mut pieces = self.pieces;
        if !self.column.is_as_it_lies() {
            let (encoded, mut at) = (self.encoded.finish(), 0);
            let with_body = |(head, page): (Buffer, &PageLocation)| {
                let length = page.compressed_page_size as usize - head.len();
                at += length;
                [head, encoded.slice_with_length(at - length, length)]
            };
            pieces = pieces.into_iter().zip(pages).flat_map(with_body).collect();
        }
        Ok(Chunk { pieces, metadata, column_index: None, offset_index: Some(offset_index) })
    }
}

fn encoding(is_split: bool) -> basic::Encoding {
    if is_split { basic::Encoding::BYTE_STREAM_SPLIT } else { basic::Encoding::PLAIN }
}

/// Bytes behind each other, in memory that is used again and again: new memory costs more to touch than what is done in it.
struct Arena {
    slab: Slab,
    length: usize,
}

impl Arena {
    /// With room for so many bytes from the start.
    fn with_capacity(bytes: usize) -> Result<Self> {
        Ok(Self { slab: Slab::with_capacity(bytes)?, length: 0 })
    }

    /// Room for `count` bytes behind those that are there; what is in it is arbitrary. [`add`](Self::add) makes it count.
    fn room(&mut self, count: usize) -> Result<&mut [u8]> {
        let needed = self.length + count;
        let capacity = self.slab.as_mut_slice().len();
        if capacity < needed {
            let mut larger = Slab::with_capacity(needed.max(2 * capacity))?;
            larger.as_mut_slice()[..self.length].copy_from_slice(&self.slab.as_mut_slice()[..self.length]);
            self.slab = larger;
        }
        Ok(&mut self.slab.as_mut_slice()[self.length..needed])
    }

    /// Adds the first `count` bytes of the room.
    fn add(&mut self, count: usize) {
        self.length += count;
    }

    /// The bytes that were added.
    fn finish(self) -> Buffer {
        self.slab.into_buffer(self.length)
    }
}

fn page_too_large(_: std::num::TryFromIntError) -> Error {
    Error::option("a page of more than 2 GiB: vectors are too long for Parquet")
}

/// The head of a page, in Thrift's compact protocol: a data page of version 1 with levels in runs.
fn header(size: usize, written: usize, levels: usize, is_split: bool) -> Result<Vec<u8>> {
    /// A field of type i32, the next one after the field before.
    const I32: u8 = 0x15;
    const STRUCT_3_FURTHER: u8 = 0x2c;
    const STOP: u8 = 0;
    let number = |out: &mut Vec<u8>, value: usize| {
        out.push(I32);
        let value = i32::try_from(value).map_err(page_too_large)?;
        varint(out, (value as u64) << 1);
        Ok::<_, Error>(())
    };
    let mut out = Vec::with_capacity(32);
    number(&mut out, PageType::DATA_PAGE as usize)?;
    number(&mut out, size)?;
    number(&mut out, written)?;
    out.push(STRUCT_3_FURTHER);
    number(&mut out, levels)?;
    for encoding in [encoding(is_split), basic::Encoding::RLE, basic::Encoding::RLE] {
        number(&mut out, encoding as usize)?;
    }
    out.extend([STOP, STOP]);
    Ok(out)
}

/// The columns that are no vectors of floats, which the `parquet` crate encodes.
pub(super) struct Others {
    /// Which columns of a batch they are.
    columns: Vec<usize>,
    schema: SchemaRef,
    properties: WriterProperties,
}

impl Others {
    pub(super) fn new(columns: Vec<usize>, schema: &Schema, properties: WriterProperties) -> Result<Self> {
        Ok(Self { schema: Arc::new(schema.project(&columns)?), columns, properties })
    }

    /// The chunks of the rows in `batches`, one a leaf: those of a file in memory.
    pub(super) fn chunks(&self, batches: &[RecordBatch]) -> Result<Vec<Chunk>> {
        if self.columns.is_empty() {
            return Ok(Vec::new());
        }
        let options = ArrowWriterOptions::new().with_properties(self.properties.clone());
        let options = options.with_skip_arrow_metadata(true);
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new_with_options(&mut bytes, self.schema.clone(), options).map_err(internal)?;
        for batch in batches {
            writer.write(&batch.project(&self.columns)?).map_err(internal)?;
        }
        let metadata = writer.close().map_err(internal)?;
        let bytes = Buffer::from_vec(bytes);
        let columns = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns).enumerate();
        let chunks = columns.map(|(at, column)| {
            let (start, length) = column.byte_range();
            Chunk {
                pieces: vec![bytes.slice_with_length(start as usize, length as usize)],
                metadata: column.clone(),
                column_index: metadata.column_index().map(|index| index[0][at].clone()),
                offset_index: metadata.offset_index().map(|index| index[0][at].clone()),
            }
        });
        Ok(chunks.collect())
    }
}

impl Chunk {
    /// Writes all of it.
    pub(super) fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.pieces.drain(..).try_for_each(|piece| out.write_all(&piece))
    }

    /// The chunk as it begins at `offset` in the file: every place in it moves by the same distance.
    pub(super) fn placed(mut self, offset: i64) -> Result<Self> {
        let by = offset - self.metadata.byte_range().0 as i64;
        for page in self.offset_index.iter_mut().flat_map(|index| &mut index.page_locations) {
            page.offset += by;
        }
        let data = self.metadata.data_page_offset() + by;
        let dictionary = self.metadata.dictionary_page_offset().map(|offset| offset + by);
        let metadata =
            self.metadata.into_builder().set_data_page_offset(data).set_dictionary_page_offset(dictionary);
        self.metadata = metadata.build().map_err(internal)?;
        Ok(self)
    }
}

pub(super) fn internal(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(error) => Error::from(*error),
            Err(source) => Error::internal(source.to_string()),
        },
        other => Error::internal(other.to_string()),
    }
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
