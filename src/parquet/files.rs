//! The files of one output, one after another.

use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::options::WriteOptions;
use super::report::Report;
use super::writer::{FileWriter, Written};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::output::directory::Directory;

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
        let written = self.writer.take().map(FileWriter::finish).transpose()?;
        written.iter().for_each(|written| self.report.add(written));
        Ok(written)
    }

    /// How many more rows go into the file under way, if there is one.
    pub(super) fn room(&self) -> Option<usize> {
        self.writer.as_ref().map(FileWriter::room)
    }
}

pub(super) fn part_name(number: usize) -> String {
    format!("part-{number:05}.parquet")
}

/// The parts in `out` from a number on.
pub(super) fn part_paths(out: &Directory, first: usize) -> impl Iterator<Item = PathBuf> + '_ {
    (first..).map(move |number| out.file(part_name(number)))
}

/// The number in a name of [`part_name`]'s.
pub(super) fn part_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("part-")?.strip_suffix(".parquet")?;
    Some(digits).filter(|digits| digits.len() >= 5).and_then(|digits| digits.parse().ok())
}

/// The names in `out` that are those of parts, with their numbers, in order.
pub(super) fn parts(out: &Directory) -> Result<Vec<(usize, String)>> {
    let parts = out.names()?.into_iter().filter_map(|name| Some((part_number(&name)?, name)));
    let mut parts: Vec<_> = parts.collect();
    parts.sort_unstable();
    Ok(parts)
}

/// Removes the parts of earlier runs that `stays` is not true of: they would be read as if they belonged to this one.
pub(super) fn remove_parts(out: &Directory, stays: impl Fn(usize) -> bool) -> Result<()> {
    let mut old = parts(out)?.into_iter().filter(|(number, _)| !stays(*number));
    old.try_for_each(|(_, name)| out.remove(name))
}
