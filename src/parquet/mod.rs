//! Record batches become Parquet files. The only room that says `parquet`.
//!
//! This is the `parquet` crate's own writer with settings that suit vectors; the pages are made in [`writer`], and whoever
//! makes them in another way changes that file alone.

mod options;
mod report;
mod writer;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{RecordBatch, RecordBatchReader};

pub use options::{Compression, Encoding, ListType, WriteOptions};
pub use report::Report;

use self::writer::FileWriter;
use crate::error::{Error, Result};
use crate::input::Input;
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
    let mut report = Report::new(options);
    let mut before = Progress::default();
    let outputs = outputs(&source.shared_inputs(), out, options)?;
    let rejects = source.begin_scan();
    for (inputs, path) in outputs {
        let reader = source.reader_of(inputs, rejects.clone())?;
        let mut writer = FileWriter::create(&path, &reader.schema(), options)?;
        before = watch.follow(reader, before, |batch| writer.write(&batch))?;
        report.add(path, writer.finish(options.sync)?);
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
    let mut report = Report::new(options);
    let mut progress = Progress::default();
    let mut writer = FileWriter::create(path, &reader.schema(), options)?;
    for batch in reader {
        let batch: RecordBatch = batch?;
        writer.write(&batch)?;
        progress.rows += batch.num_rows() as u64;
        progress.bytes += batch.get_array_memory_size() as u64;
        watch.tell(progress)?;
        watch.check_interrupt()?;
    }
    report.add(path.to_owned(), writer.finish(options.sync)?);
    report.bytes_in = progress.bytes;
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Refuses targets that must not be replaced, before anything of the inputs is read.
#[cfg(feature = "cli")]
pub(crate) fn check_outputs(inputs: &[Input], out: &Path, options: &WriteOptions) -> Result<()> {
    outputs(&inputs.into(), out, options).map(drop)
}

/// Which inputs go into which file. Targets that must not be replaced are refused before any work is done.
fn outputs(
    inputs: &Arc<[Input]>,
    out: &Path,
    options: &WriteOptions,
) -> Result<Vec<(Arc<[Input]>, PathBuf)>> {
    let outputs = if is_directory(out) {
        std::fs::create_dir_all(out).map_err(|error| Error::io(out, error))?;
        let mut taken = HashSet::new();
        let mut outputs = Vec::new();
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
            outputs.push((Arc::from([input.clone()]), path));
        }
        outputs
    } else {
        vec![(inputs.clone(), out.to_owned())]
    };
    for (_, path) in &outputs {
        check_target(path, options.overwrite)?;
    }
    Ok(outputs)
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
        None => format!("part-{number:05}.parquet").into(),
    }
}
