//! One Parquet file: row groups, one behind another, and what tells where they are.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema;
use parquet::file::metadata::{
    FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::writer::TrackedWrite;

use super::chunk::internal;
use super::layout::{Group, Layout};
use super::options::{ListType, WriteOptions};
use super::report::VectorEncoding;
use super::rows::{Pending, RowBytes};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::options::cores;
use crate::output::{Sink, Target};
use crate::pool::{Ordered, OwnerProcess, lock};

/// Parquet numbers the row groups of a file with 15 bits.
const MAX_GROUPS: usize = 32_767;

/// A Parquet file on its way.
pub(super) struct FileWriter {
    /// Above the target: a writer that is dropped halfway must be gone before its file is.
    out: TrackedWrite<Out>,
    failed: Failure,
    path: PathBuf,
    target: Target,
    options: WriteOptions,
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
    pub(super) row_groups: u64,
    pub(super) bytes: u64,
    pub(super) vectors: Vec<VectorEncoding>,
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
    pub(super) fn create(
        path: PathBuf,
        schema: &Schema,
        options: &WriteOptions,
        cancel: Cancel,
    ) -> Result<Self> {
        options.check()?;
        let layout = Arc::new(Layout::new(schema, options)?);
        let target = Target::create(&path, options.overwrite, cancel)?;
        let failed = Failure::default();
        let mut out = TrackedWrite::new(Out {
            file: target.sink(),
            failed: failed.clone(),
            owner: OwnerProcess::current(),
        });
        out.write_all(MAGIC).map_err(|error| target.error(error))?;
        Ok(Self {
            out,
            failed,
            path,
            target,
            options: options.clone(),
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
            let (taken, is_full) = self.pending.take(&batch, &bytes, start, most);
            start += taken;
            if is_full {
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
        self.options.row_group_bytes.saturating_mul(MAX_GROUPS / MAX_GROUPS.saturating_sub(self.begun).max(1))
    }

    /// Begins a row group of the rows so far.
    fn begin_group(&mut self) -> Result<()> {
        self.group_rows = self.pending.rows;
        let batches = self.pending.finish();
        if self.begun == 0
            && let Some(layout) = Arc::get_mut(&mut self.layout)
        {
            layout.choose(&batches, &self.options)?;
        }
        self.begun += 1;
        let must_know_size = self.begun == 1 && self.options.max_file_bytes.is_some();
        if must_know_size || !self.layout.is_work() {
            self.append(self.layout.encode(&batches)?)?;
            if let Some(most) = self.options.max_file_bytes {
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

    /// Completes the file and puts it in its place. Its name is on the disk when [`crate::output::sync_directory`] says so.
    pub(super) fn finish(mut self) -> Result<Written> {
        if self.pending.rows > 0 {
            self.begin_group()?;
        }
        while let Some(group) = self.work.take() {
            self.append(group?)?;
        }
        let rows: i64 = self.groups.iter().map(RowGroupMetaData::num_rows).sum();
        let row_groups = self.groups.len() as u64;
        // Decided here for streams of others in one file alone: their schemas allow nulls nearly
        // always, and there seldom are any.
        let list_type = if self.has_nulls { ListType::List } else { ListType::Fixed };
        let list_type = self.options.list_type.unwrap_or(list_type);
        let metadata = file_metadata(&self.layout, rows, list_type);
        let offset_indexes =
            self.offset_indexes.into_iter().map(|indexes| indexes.into_iter().collect()).collect();
        let metadata = ParquetMetaDataBuilder::new(metadata)
            .set_row_groups(self.groups)
            .set_column_index(Some(self.column_indexes))
            .set_offset_index(offset_indexes)
            .build();
        ParquetMetaDataWriter::new_with_tracked(self.out, &metadata).finish().map_err(
            |error| match internal(error).into_kind() {
                ErrorKind::Io { source, .. } => self.target.error(source),
                kind => kind.into(),
            },
        )?;
        // The last bytes were written when the writer was dropped, which tells nobody that it failed.
        if let Some(error) = lock(&self.failed).take() {
            return Err(self.target.error(error));
        }
        let bytes = self.target.commit_file(self.options.sync)?;
        let vectors = self.layout.encodings();
        Ok(Written { path: self.path, rows: rows as u64, row_groups, bytes, vectors })
    }
}

/// What a Parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";

/// The first error of a file.
type Failure = Arc<Mutex<Option<io::Error>>>;

/// The file, which remembers that writing failed.
struct Out {
    file: Sink,
    failed: Failure,
    /// A child that was forked shares the place in the file with its parent.
    owner: OwnerProcess,
}

impl Out {
    fn remember<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            let copy = match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => error.kind().into(),
            };
            lock(&self.failed).get_or_insert(copy);
        })
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.owner.check_io().and_then(|()| self.file.write(bytes));
        match &written {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => written,
            _ => self.remember(written),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
