//! Parquet files: row groups, one behind another, and what tells where they are.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::page_index::{column_index::ColumnIndexMetaData, offset_index::OffsetIndexMetaData};
use parquet::file::writer::TrackedWrite;

use super::chunk::internal;
use super::layout::{Group, Layout};
use super::options::{ListType, WriteOptions};
use super::report::Report;
use super::rows::{Pending, RowBytes};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::options::cores;
use crate::output::{Sink, Target};
use crate::pool::{Ordered, OwnerProcess, lock};

/// Parquet numbers the row groups of a file with 15 bits.
const MAX_GROUPS: usize = 32_767;

/// A Parquet file on its way.
pub(super) struct FileWriter {
    /// Above the target: a writer that is dropped halfway must be gone before its file is.
    out: TrackedWrite<Out>,
    path: PathBuf,
    target: Target,
    layout: Arc<Layout>,
    /// Rows that do not make a row group yet.
    pending: Pending,
    /// Whether a vector was null.
    has_nulls: bool,
    /// Rows of the latest row group.
    group_rows: usize,
    /// Row groups that have been begun, and how many there may be.
    begun: usize,
    most: usize,
    work: Ordered<Group>,
    groups: Vec<RowGroupMetaData>,
    column_indexes: Vec<Vec<ColumnIndexMetaData>>,
    offset_indexes: Vec<Vec<Option<OffsetIndexMetaData>>>,
}

/// A file that is complete.
pub(super) struct Written {
    pub(super) path: PathBuf,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// The end of a Parquet file that holds no rows of these columns.
pub(super) fn end_of_nothing(schema: &Schema, options: &WriteOptions) -> Result<Vec<u8>> {
    let layout = Layout::new(schema, options)?;
    let list_type = options.list_type.unwrap_or(ListType::Fixed);
    let metadata = ParquetMetaDataBuilder::new(file_metadata(&layout, 0, list_type)).build();
    let mut end = Vec::new();
    ParquetMetaDataWriter::new(&mut end, &metadata).finish().map_err(internal)?;
    Ok(end)
}

fn file_metadata(layout: &Layout, rows: i64, list_type: ListType) -> FileMetaData {
    let created_by = concat!("vecpack version ", env!("CARGO_PKG_VERSION")).to_owned();
    let key_values = layout.key_values(list_type);
    FileMetaData::new(1, rows, Some(created_by), Some(key_values), layout.descriptor.clone(), None)
}

impl FileWriter {
    fn create(path: PathBuf, schema: &Schema, options: &WriteOptions, cancel: Cancel) -> Result<Self> {
        let layout = Arc::new(Layout::new(schema, options)?);
        let target = Target::create(&path, options.overwrite, cancel)?;
        let out = Out { file: target.sink(), owner: OwnerProcess::current(), footer: None };
        let mut out = TrackedWrite::new(out);
        out.write_all(MAGIC).map_err(|error| target.error(error))?;
        Ok(Self {
            out,
            path,
            target,
            layout,
            pending: Pending::default(),
            has_nulls: false,
            group_rows: 0,
            begun: 0,
            most: usize::MAX,
            work: Ordered::new(options.threads.unwrap_or_else(cores))?,
            groups: Vec::new(),
            column_indexes: Vec::new(),
            offset_indexes: Vec::new(),
        })
    }

    /// Writes rows of `batch` until the file is full; gives how many.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<usize> {
        let batch = self.layout.writable(batch)?;
        let is_null =
            |column: &ArrayRef| column.as_fixed_size_list_opt().is_some_and(|list| list.null_count() > 0);
        self.has_nulls |= batch.columns().iter().any(is_null);
        let bytes = RowBytes::of_batch(&batch);
        let mut start = 0;
        while start < batch.num_rows() && self.begun < self.most {
            let most = self.group_bytes();
            start += self.pending.take(&batch, &bytes, start, most);
            if self.pending.is_full {
                self.begin_group()?;
            }
        }
        Ok(start)
    }

    /// How many more rows there is room for, by the rows of the latest row group.
    pub(super) fn room(&self) -> usize {
        let groups = self.most.saturating_sub(self.begun);
        match self.most {
            usize::MAX => usize::MAX,
            _ => groups.saturating_mul(self.group_rows).saturating_sub(self.pending.rows),
        }
    }

    /// The most bytes of the next row group. It grows as the numbers for row groups run out: twice
    /// the limit when half of them are left, three times when a third is.
    fn group_bytes(&self) -> usize {
        self.layout
            .options
            .row_group_bytes
            .saturating_mul(MAX_GROUPS / MAX_GROUPS.saturating_sub(self.begun).max(1))
    }

    /// Begins a row group of the rows so far.
    fn begin_group(&mut self) -> Result<()> {
        self.group_rows = self.pending.rows;
        let batches = self.pending.finish();
        if self.begun == 0
            && let Some(layout) = Arc::get_mut(&mut self.layout)
        {
            layout.choose(&batches)?;
        }
        self.begun += 1;
        let must_know_size = self.begun == 1 && self.layout.options.max_file_bytes.is_some();
        if must_know_size || !self.layout.is_work() {
            self.append(self.layout.encode(&batches)?)?;
            if let Some(most) = self.layout.options.max_file_bytes {
                // Known now, and so the same for any number of threads.
                let groups = most / (self.out.bytes_written() as u64 / self.begun as u64).max(1);
                self.most = usize::try_from(groups).unwrap_or(usize::MAX).max(self.begun);
            }
            return Ok(());
        }
        while let Some(group) = self.work.take_due() {
            self.append(group?)?;
        }
        let layout = self.layout.clone();
        self.work.give(move || layout.encode(&batches))
    }

    fn append(&mut self, group: Group) -> Result<()> {
        let start = self.out.bytes_written() as i64;
        let (mut columns, mut column_indexes, mut offset_indexes) = (Vec::new(), Vec::new(), Vec::new());
        for mut chunk in group.chunks {
            let offset = self.out.bytes_written() as i64;
            let written = chunk.write(&mut self.out);
            written.map_err(|error| self.target.error(error))?;
            let placed = chunk.placed(offset)?;
            columns.push(placed.metadata);
            column_indexes.push(placed.column_index.unwrap_or(ColumnIndexMetaData::NONE));
            offset_indexes.push(placed.offset_index);
        }
        let ordinal = i16::try_from(self.groups.len()).map_err(|_| {
            Error::option("more than 32,767 row groups: pass a larger option `row_group_bytes`")
        })?;
        let bytes = columns.iter().map(|column| column.uncompressed_size()).sum();
        let metadata = RowGroupMetaData::builder(self.layout.descriptor.clone())
            .set_num_rows(group.rows as i64)
            .set_column_metadata(columns)
            .set_total_byte_size(bytes)
            .set_ordinal(ordinal)
            .set_file_offset(start)
            .build()
            .map_err(internal)?;
        self.groups.push(metadata);
        self.column_indexes.push(column_indexes);
        self.offset_indexes.push(offset_indexes);
        Ok(())
    }

    /// Completes the file, puts it in its place and adds it to the report. Its name is on the disk when
    /// [`crate::output::sync_directory`] says so.
    fn finish(mut self, report: &mut Report) -> Result<Written> {
        if self.pending.rows > 0 {
            self.begin_group()?;
        }
        while let Some(group) = self.work.take() {
            self.append(group?)?;
        }
        let rows: i64 = self.groups.iter().map(RowGroupMetaData::num_rows).sum();
        report.row_groups += self.groups.len() as u64;
        // Decided here for streams of others in one file alone: their schemas allow nulls nearly
        // always, and there seldom are any.
        let list_type = if self.has_nulls { ListType::List } else { ListType::Fixed };
        let list_type = self.layout.options.list_type.unwrap_or(list_type);
        let metadata = file_metadata(&self.layout, rows, list_type);
        let offset_indexes =
            self.offset_indexes.into_iter().map(|indexes| indexes.into_iter().collect()).collect();
        let metadata = ParquetMetaDataBuilder::new(metadata)
            .set_row_groups(self.groups)
            .set_column_index(Some(self.column_indexes))
            .set_offset_index(offset_indexes)
            .build();
        let (target, footer) = (self.target, Arc::<Mutex<Vec<u8>>>::default());
        let failure = |error| target.error(error);
        self.out.flush().map_err(failure)?;
        self.out.inner_mut().footer = Some(footer.clone());
        ParquetMetaDataWriter::new_with_tracked(self.out, &metadata).finish().map_err(internal)?;
        target.sink().write_all(&lock(&footer)).map_err(failure)?;
        let (rows, bytes) = (rows as u64, target.commit_file(self.layout.options.sync)?);
        report.rows += rows;
        report.bytes_out += bytes;
        report.outputs.push(self.path.clone());
        for encoding in self.layout.encodings() {
            if !report.encodings.contains(&encoding) {
                report.encodings.push(encoding);
            }
        }
        Ok(Written { path: self.path, rows, bytes })
    }
}

/// What a Parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";

/// The file, until the footer comes. That goes into memory first: its last bytes are written when its writer is dropped, which
/// tells nobody whether that failed.
struct Out {
    file: Sink,
    /// A child that was forked shares the place in the file with its parent.
    owner: OwnerProcess,
    footer: Option<Arc<Mutex<Vec<u8>>>>,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.footer {
            Some(footer) => lock(footer).write(bytes),
            None => self.owner.check_io().and_then(|()| self.file.write(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The files of one output, one after another. A file is begun when there is something to write to it.
pub(super) struct Files<'a> {
    /// Where the next ones go.
    paths: Box<dyn Iterator<Item = PathBuf> + 'a>,
    schema: SchemaRef,
    options: &'a WriteOptions,
    cancel: Cancel,
    writer: Option<FileWriter>,
    /// What the complete files hold.
    pub(super) report: Report,
}

impl<'a> Files<'a> {
    pub(super) fn new(
        paths: Box<dyn Iterator<Item = PathBuf> + 'a>,
        schema: SchemaRef,
        options: &'a WriteOptions,
        cancel: Cancel,
    ) -> Self {
        Self { paths, schema, options, cancel, writer: None, report: Report::default() }
    }

    /// Begins a file, if none is under way.
    pub(super) fn begin(&mut self) -> Result<&mut FileWriter> {
        match &mut self.writer {
            Some(writer) => Ok(writer),
            empty => {
                let path = self.paths.next().ok_or_else(|| Error::internal("more files than names"))?;
                let cancel = self.cancel.clone();
                Ok(empty.insert(FileWriter::create(path, &self.schema, self.options, cancel)?))
            }
        }
    }

    /// Writes a batch; gives the files that it completed.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<Written>> {
        let mut complete = Vec::new();
        let mut rows = self.begin()?.write(batch)?;
        while rows < batch.num_rows() {
            complete.extend(self.finish()?);
            rows += self.begin()?.write(&batch.slice(rows, batch.num_rows() - rows))?;
        }
        Ok(complete)
    }

    /// Completes the file under way, if there is one.
    pub(super) fn finish(&mut self) -> Result<Option<Written>> {
        self.writer.take().map(|writer| writer.finish(&mut self.report)).transpose()
    }

    /// How many more rows go into the file under way, if there is one.
    pub(super) fn room(&self) -> Option<usize> {
        self.writer.as_ref().map(FileWriter::room)
    }
}
