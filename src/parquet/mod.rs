//! Record batches become Parquet files. The only room that says `parquet`.
//!
//! Data goes one way: [`writer`] cuts batches into row groups, a [`layout`] makes [`chunk`]s of their columns, on any thread, and
//! the writer puts them into the file in order. Pages of vectors are made here, from [`levels`] and values that are written from
//! where the record batch has them, or go through a [`codec`]; the other columns, and the footer, are the `parquet` crate's.

mod arena;
mod chunk;
mod codec;
mod layout;
mod levels;
mod options;
mod report;
mod writer;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;

pub use options::{Compression, Encoding, ListType, WriteOptions};
pub use report::{Report, VectorEncoding};

use self::writer::FileWriter;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::options::cores;
use crate::output::check_target;
use crate::reader::{Progress, Watch};
use crate::source::Source;

/// Converts `source` to Parquet.
///
/// `out` is one file, or a directory that gets a file for each input: the latter if it is a directory, ends in `/`, or has no
/// extension. A file appears under its name when it is complete, and not before.
///
/// ```
/// use vecpack::{Input, ReadOptions, Source, Watch, WriteOptions, to_parquet};
///
/// let directory = tempfile::tempdir()?;
/// let source = Source::new(vec![Input::bytes("one", vec![0xc4, 4, 0, 0, 128, 63])], ReadOptions::new())?;
/// let report = to_parquet(&source, &directory.path().join("one.parquet"), &WriteOptions::new(), Watch::default())?;
/// assert_eq!((report.rows, report.rejects), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn to_parquet(
    source: &Source,
    out: &Path,
    options: &WriteOptions,
    mut watch: Watch<'_>,
) -> Result<Report> {
    let begin = Instant::now();
    let mut report = Report::new();
    let mut before = Progress::default();
    let outputs = outputs(&source.shared_inputs(), out, options)?;
    let threads = options.threads.unwrap_or_else(|| source.options().thread_count());
    let rejects = source.begin_scan();
    for (inputs, path) in outputs {
        let reader = source.reader_of(inputs, rejects.clone())?;
        let mut files = Files::begin(path, &reader.schema(), options, threads)?;
        before = watch.follow(reader, before, |batch| files.write(&batch, &mut report))?;
        files.finish(&mut report)?;
    }
    watch.tell(before)?;
    report.rejects = source.rejects().count();
    report.files = before.files;
    report.bytes_in = before.bytes;
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Writes any stream of record batches to one Parquet file. Vector columns are told by their type, lists of fixed size.
pub fn write_parquet(
    reader: &mut dyn RecordBatchReader,
    path: &Path,
    options: &WriteOptions,
    mut watch: Watch<'_>,
) -> Result<Report> {
    let begin = Instant::now();
    let mut report = Report::new();
    let mut progress = Progress::default();
    let threads = options.threads.unwrap_or_else(cores);
    let output = match options.max_file_bytes {
        Some(_) => parts(path, options)?,
        None => Output::File(path.to_owned()),
    };
    let mut files = Files::begin(output, &reader.schema(), options, threads)?;
    for batch in reader {
        let batch: RecordBatch = batch?;
        files.write(&batch, &mut report)?;
        progress.rows += batch.num_rows() as u64;
        progress.bytes += batch.get_array_memory_size() as u64;
        watch.tell(progress)?;
        watch.check_interrupt()?;
    }
    files.finish(&mut report)?;
    report.bytes_in = progress.bytes;
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Refuses targets that must not be replaced, before anything of the inputs is read.
#[cfg(feature = "cli")]
pub(crate) fn check_outputs(inputs: &[Input], out: &Path, options: &WriteOptions) -> Result<()> {
    outputs(&inputs.into(), out, options).map(drop)
}

/// Where rows go.
enum Output {
    File(PathBuf),
    /// Into files of this directory, one after another.
    Parts(PathBuf),
}

/// Which inputs go where. Targets that must not be replaced are refused before any work is done.
fn outputs(inputs: &Arc<[Input]>, out: &Path, options: &WriteOptions) -> Result<Vec<(Arc<[Input]>, Output)>> {
    if options.max_file_bytes.is_some() {
        return Ok(vec![(inputs.clone(), parts(out, options)?)]);
    }
    let mut outputs = Vec::new();
    if is_directory(out) {
        std::fs::create_dir_all(out).map_err(|error| Error::io(out, error))?;
        let mut taken = HashSet::new();
        for (number, input) in inputs.iter().enumerate() {
            let path = out.join(file_name(input, number));
            if !taken.insert(path.clone()) {
                let message = format!(
                    "{}: two inputs would be written to this file, one of them {}",
                    path.display(),
                    input.name()
                );
                return Err(Error::option(message));
            }
            check_target(&path, options.overwrite)?;
            outputs.push((Arc::from([input.clone()]), Output::File(path)));
        }
    } else {
        check_target(out, options.overwrite)?;
        outputs.push((inputs.clone(), Output::File(out.to_owned())));
    }
    Ok(outputs)
}

/// Files of a certain size in the directory `out`.
fn parts(out: &Path, options: &WriteOptions) -> Result<Output> {
    if !is_directory(out) {
        return Err(Error::option(format!(
            "max_file_bytes: {} is one file, and cannot be several: give a directory",
            out.display()
        )));
    }
    std::fs::create_dir_all(out).map_err(|error| Error::io(out, error))?;
    if let Some(part) = parts_from(out, 0)?.first() {
        check_target(part, options.overwrite)?;
    }
    Ok(Output::Parts(out.to_owned()))
}

fn part_name(number: usize) -> String {
    format!("part-{number:05}.parquet")
}

/// The files in `directory` that are named like parts with this number or later ones, in order.
fn parts_from(directory: &Path, number: usize) -> Result<Vec<PathBuf>> {
    let failure = |error| Error::io(directory, error);
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let digits = name.and_then(|name| name.strip_prefix("part-")?.strip_suffix(".parquet"));
        let part = digits.filter(|digits| digits.len() >= 5).and_then(|digits| digits.parse::<usize>().ok());
        if let Some(part) = part.filter(|part| *part >= number) {
            parts.push((part, path));
        }
    }
    parts.sort_unstable();
    Ok(parts.into_iter().map(|(_, path)| path).collect())
}

/// The files of one output, one after another.
struct Files<'a> {
    output: Output,
    schema: SchemaRef,
    options: &'a WriteOptions,
    threads: usize,
    writer: FileWriter,
    /// Files that are complete.
    complete: usize,
}

impl<'a> Files<'a> {
    fn begin(output: Output, schema: &SchemaRef, options: &'a WriteOptions, threads: usize) -> Result<Self> {
        let writer = FileWriter::create(&output.path(0), schema, options, threads)?;
        Ok(Self { output, schema: schema.clone(), options, threads, writer, complete: 0 })
    }

    fn write(&mut self, batch: &RecordBatch, report: &mut Report) -> Result<()> {
        let mut rows = self.writer.write(batch)?;
        while rows < batch.num_rows() {
            let path = self.output.path(self.complete + 1);
            let next = FileWriter::create(&path, &self.schema, self.options, self.threads)?;
            let full = std::mem::replace(&mut self.writer, next);
            report.add(self.output.path(self.complete), full.finish()?);
            self.complete += 1;
            rows += self.writer.write(&batch.slice(rows, batch.num_rows() - rows))?;
        }
        Ok(())
    }

    fn finish(self, report: &mut Report) -> Result<()> {
        report.add(self.output.path(self.complete), self.writer.finish()?);
        // Parts of an earlier run that this one did not replace would be read as if they belonged to it.
        if let (Output::Parts(directory), true) = (&self.output, self.options.overwrite) {
            for path in parts_from(directory, self.complete + 1)? {
                std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            }
        }
        Ok(())
    }
}

impl Output {
    fn path(&self, number: usize) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Parts(directory) => directory.join(part_name(number)),
        }
    }
}

fn is_directory(out: &Path) -> bool {
    let ends_in_separator =
        out.as_os_str().as_encoded_bytes().last().is_some_and(|&byte| std::path::is_separator(byte.into()));
    ends_in_separator || out.is_dir() || (out.extension().is_none() && !out.exists())
}

fn file_name(input: &Input, number: usize) -> PathBuf {
    match input.as_path().and_then(Path::file_stem) {
        Some(stem) => {
            let mut name = stem.to_owned();
            name.push(".parquet");
            name.into()
        }
        None => part_name(number).into(),
    }
}
