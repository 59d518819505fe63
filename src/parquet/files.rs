//! The files of one output, one after another.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::options::WriteOptions;
use super::report::Report;
use super::writer::FileWriter;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::output::directory;

/// Where rows go.
#[derive(Debug, Clone)]
pub(super) enum Output {
    File(PathBuf),
    /// Into files of this directory, one after another; the number of the next one.
    Parts(PathBuf, usize),
}

/// A file that is complete.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) rows: u64,
}

/// The files of one output, one after another. A file is begun when there is something to write to it.
pub(super) struct Files<'a> {
    output: Output,
    schema: SchemaRef,
    options: &'a WriteOptions,
    threads: usize,
    cancel: Cancel,
    writer: Option<(PathBuf, FileWriter)>,
}

impl<'a> Files<'a> {
    pub(super) fn new(
        output: Output,
        schema: SchemaRef,
        options: &'a WriteOptions,
        threads: usize,
        cancel: Cancel,
    ) -> Self {
        Self { output, schema, options, threads, cancel, writer: None }
    }

    /// What comes next goes there.
    pub(super) fn set_output(&mut self, output: Output) {
        self.output = output;
    }

    /// Begins a file, if none is under way.
    pub(super) fn begin(&mut self) -> Result<&mut FileWriter> {
        match &mut self.writer {
            Some((_, writer)) => Ok(writer),
            empty => {
                let path = self.output.next();
                let cancel = self.cancel.clone();
                let writer = FileWriter::create(&path, &self.schema, self.options, self.threads, cancel)?;
                Ok(&mut empty.insert((path, writer)).1)
            }
        }
    }

    /// Writes a batch; gives the files that it completed.
    pub(super) fn write(&mut self, batch: &RecordBatch, report: &mut Report) -> Result<Vec<Complete>> {
        let mut complete = Vec::new();
        let mut rows = self.begin()?.write(batch)?;
        while rows < batch.num_rows() {
            complete.extend(self.finish(report)?);
            rows += self.begin()?.write(&batch.slice(rows, batch.num_rows() - rows))?;
        }
        Ok(complete)
    }

    /// Completes the file under way, if there is one.
    pub(super) fn finish(&mut self, report: &mut Report) -> Result<Option<Complete>> {
        let Some((path, writer)) = self.writer.take() else { return Ok(None) };
        let written = writer.finish()?;
        report.add(path.clone(), &written);
        Ok(Some(Complete { path, bytes: written.bytes, rows: written.rows }))
    }

    /// How many more rows go into the file under way; `None` as long as nothing limits that.
    pub(super) fn room(&self) -> Option<usize> {
        self.writer.as_ref().and_then(|(_, writer)| writer.room())
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.writer.is_some()
    }
}

impl Output {
    fn next(&mut self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Parts(directory, number) => {
                *number += 1;
                directory::join(directory, Path::new(&part_name(*number - 1)))
            }
        }
    }
}

pub(super) fn part_name(number: usize) -> String {
    format!("part-{number:05}.parquet")
}

/// The number in a name of [`part_name`]'s.
pub(super) fn part_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("part-")?.strip_suffix(".parquet")?;
    Some(digits).filter(|digits| digits.len() >= 5).and_then(|digits| digits.parse().ok())
}

/// The files in `directory` that are named like parts, in order.
pub(super) fn parts(directory: &Path, cancel: &Cancel) -> Result<Vec<(usize, PathBuf)>> {
    let mut parts = Vec::new();
    for name in directory::names(directory, cancel)? {
        if let Some(number) = part_number(&name) {
            parts.push((number, directory::join(directory, Path::new(&name))));
        }
    }
    parts.sort_unstable();
    Ok(parts)
}

/// Removes the parts of earlier runs that `stays` is not true of: they would be read as if they belonged to this one.
pub(super) fn remove_parts(directory: &Path, cancel: &Cancel, stays: impl Fn(usize) -> bool) -> Result<()> {
    for (number, path) in parts(directory, cancel)? {
        if !stays(number) {
            directory::remove_file(&path, cancel)?;
        }
    }
    Ok(())
}
