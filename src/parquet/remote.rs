//! Runs into a directory of an object store. It holds objects and no manifest, so nothing can be resumed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Conversion;
use super::directory::names;
use super::files::{Files, Output, parts, remove_parts};
use super::options::WriteOptions;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::output::directory;
use crate::reader::Progress;

/// Refuses what cannot be done before anything is read. Gives an object for each input; none where objects hold the rows of several.
pub(super) fn check(
    inputs: &[Input],
    out: &Path,
    options: &WriteOptions,
    cancel: &Cancel,
) -> Result<Option<Vec<PathBuf>>> {
    if options.resume {
        return Err(Error::option(format!(
            "option `resume`: {} is in an object store, where no run keeps a manifest; name the inputs that are left, or pass option `overwrite`",
            out.display()
        )));
    }
    if options.max_file_bytes.is_some() {
        check_parts(out, options, cancel)?;
        return Ok(None);
    }
    let join = |name: PathBuf| directory::join(out, &name);
    let paths: Vec<PathBuf> = names(inputs, out)?.into_iter().map(join).collect();
    directory::check_targets(out, &paths, options.overwrite, cancel)?;
    Ok(Some(paths))
}

/// Refuses parts of an earlier run.
pub(super) fn check_parts(out: &Path, options: &WriteOptions, cancel: &Cancel) -> Result<()> {
    let first: Option<PathBuf> = parts(out, cancel)?.into_iter().next().map(|(_, path)| path);
    directory::check_targets(out, first.as_slice(), options.overwrite, cancel)
}

/// Converts each input, and gives what was read.
pub(super) fn convert(conversion: Conversion<'_, '_>) -> Result<Progress> {
    let Conversion { source, out, options, threads, rejects, watch, report } = conversion;
    let inputs = source.shared_inputs();
    let outputs: Vec<(Arc<[Input]>, Output)> = match check(&inputs, out, options, &watch.cancel)? {
        Some(paths) => {
            let pairs = inputs.iter().cloned().zip(paths);
            pairs.map(|(input, path)| (Arc::from([input]), Output::File(path))).collect()
        }
        None => vec![(inputs, Output::Parts(out.to_owned(), 0))],
    };
    let mut progress = Progress::default();
    let last = outputs.len().saturating_sub(1);
    for (number, (inputs, output)) in outputs.into_iter().enumerate() {
        if number > 0 && source.options().limit.is_some_and(|limit| progress.rows >= limit) {
            break;
        }
        let mut files = Files::new(output, source.schema(), options, threads, watch.cancel.clone());
        // An input without rows has a file as well.
        files.begin()?;
        let left = source.options().limit.map(|limit| limit.saturating_sub(progress.rows));
        let reader = source.reader_of(inputs, rejects.clone())?.limited(left);
        let reader = if number < last { reader.going_on() } else { reader };
        progress = watch.follow(reader, progress, |batch| files.write(&batch, report).map(drop))?;
        files.finish(report)?;
        watch.tell(progress)?;
    }
    if options.overwrite && options.max_file_bytes.is_some() {
        let made = report.outputs.len();
        remove_parts(out, &watch.cancel, |number| number < made)?;
    }
    Ok(progress)
}
