//! Record batches become Parquet files. The only room that says `parquet`.
//!
//! Data goes one way: [`writer`] cuts batches into row groups by the bytes of their [`rows`], a
//! [`layout`] makes [`chunk`]s of their columns, on any thread, and the writer puts them into the
//! file in order. Pages of vectors are made here, from [`levels`] and values that are written from
//! where the record batch has them, or go through a [`codec`]; the other columns, and the footer,
//! are the `parquet` crate's.

mod chunk;
#[cfg(feature = "python")]
mod cluster;
mod codec;
mod directory;
mod frame;
mod layout;
mod levels;
mod manifest;
mod options;
mod rejects;
mod report;
mod rows;
mod types;
mod writer;

use std::iter;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow_array::{RecordBatch, RecordBatchReader};

pub use options::{Compression, Encoding, ListType, TimestampUnit, WriteOptions};
pub(crate) use rejects::RejectsFile;
pub use report::{Report, VectorEncoding};

#[cfg(feature = "python")]
pub(crate) use cluster::ClusterRun;

use self::directory::{part_paths, remove_parts};
use self::manifest::Manifest;
use self::writer::Files;
use crate::error::{Error, Result};
use crate::output::directory::{Directory, is_directory};
use crate::output::{check_target, sweep_beside, sync_name};
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
pub fn to_parquet(source: &Source, out: &Path, options: &WriteOptions, watch: Watch<'_>) -> Result<Report> {
    let listing = RejectsFile::new(options.rejects.as_deref(), out, options.overwrite, options.sync)?;
    let report = convert(source, out, options, watch);
    let (mut report, rejects) = RejectsFile::conclude(listing, report, source)?;
    report.rejects = rejects.count();
    report.reject_kinds = rejects.kinds().map(|(kind, count)| (kind.as_str(), count)).collect();
    report.rejects_listed = rejects.details().len() as u64;
    report.rejects_file.clone_from(&options.rejects);
    Ok(report)
}

fn convert(source: &Source, out: &Path, options: &WriteOptions, mut watch: Watch<'_>) -> Result<Report> {
    let begin = Instant::now();
    options.check()?;
    let mut options = options.clone().decided(&source.schema());
    options.threads.get_or_insert_with(|| source.options().thread_count());
    let (progress, mut report) = if is_directory_of(out, &options)? {
        directory::convert(source, &Directory::new(out, &watch.cancel)?, &options, &mut watch)?
    } else {
        check_target(out, options.overwrite, &watch.cancel)?;
        sweep_beside(out);
        let path = Box::new(iter::once(out.to_owned()));
        let mut files = Files::new(path, source.schema(), &options, watch.cancel.clone());
        // Before anything is read: it may be refused.
        files.begin()?;
        let write = |batch| files.write(&batch).map(drop);
        let progress = watch.follow(source.reader()?, Progress::default(), write)?;
        files.finish()?;
        if options.sync {
            sync_name(out, &watch.cancel)?;
        }
        watch.tell(progress)?;
        (progress, files.report)
    };
    report.files = progress.files;
    report.bytes_in = progress.bytes;
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
    if options.rejects.is_some() {
        return Err(Error::option("option `rejects`: there are none where record batches are written"));
    }
    let begin = Instant::now();
    options.check()?;
    if options.resume {
        return Err(Error::option(
            "option `resume`: a stream of record batches has no inputs that could be done already",
        ));
    }
    let schema = reader.schema();
    types::refuse_empty_structs(&schema)?;
    let in_parts = is_directory_of(path, options)? && options.max_file_bytes.is_some();
    let out = in_parts.then(|| Directory::new(path, &watch.cancel)).transpose()?;
    let options = if in_parts { &options.clone().decided(&schema) } else { options };
    let paths: Box<dyn Iterator<Item = PathBuf>> = match &out {
        Some(out) => {
            directory::check(&[], out, options)?;
            if Manifest::find(out, options)? {
                Manifest::remove(out)?;
            }
            out.sweep()?;
            Box::new(part_paths(out, 0))
        }
        None => {
            check_target(path, options.overwrite, &watch.cancel)?;
            sweep_beside(path);
            Box::new(iter::once(path.to_owned()))
        }
    };
    let mut files = Files::new(paths, schema, options, watch.cancel.clone());
    files.begin()?;
    let mut progress = Progress::default();
    for batch in reader {
        let batch: RecordBatch = batch?;
        files.write(&batch)?;
        progress.rows += batch.num_rows() as u64;
        progress.bytes += batch.get_array_memory_size() as u64;
        watch.tell(progress)?;
        watch.cancel.check()?;
    }
    files.finish()?;
    let mut report = files.report;
    if let Some(out) = out.as_ref().filter(|_| options.overwrite) {
        remove_parts(out, |number| number < report.outputs.len())?;
    }
    if options.sync {
        out.as_ref().map_or_else(|| sync_name(path, &watch.cancel), Directory::sync)?;
    }
    report.bytes_in = progress.bytes;
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Refuses targets that must not be replaced, before anything of the inputs is read.
#[cfg(feature = "cli")]
pub(crate) fn check_outputs(inputs: &[crate::Input], out: &Path, options: &WriteOptions) -> Result<()> {
    RejectsFile::new(options.rejects.as_deref(), out, options.overwrite, options.sync)?;
    options.check()?;
    let cancel = crate::Cancel::never();
    match is_directory_of(out, options)? {
        true => directory::check(inputs, &Directory::new(out, &cancel)?, options).map(drop),
        false => check_target(out, options.overwrite, &cancel),
    }
}

/// Whether `out` is a directory of files. Refuses options that go with a directory where it is none.
fn is_directory_of(out: &Path, options: &WriteOptions) -> Result<bool> {
    let is_directory = is_directory(out);
    let name = out.display();
    match options {
        _ if out == Path::new("-") => Err(Error::option(
            "a Parquet file is not written to standard output: name a file or a directory; the command `vecpack to-arrow` writes a \
             stream of Arrow data",
        )),
        _ if is_directory => Ok(true),
        WriteOptions { max_file_bytes: Some(_), .. } => Err(Error::option(format!(
            "option `max_file_bytes`: {name} is one file, and cannot be several: give a directory"
        ))),
        WriteOptions { resume: true, .. } => Err(Error::option(format!(
            "option `resume`: {name} is one file, which is there or not: give a directory"
        ))),
        _ => Ok(false),
    }
}
