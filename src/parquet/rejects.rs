//! What a scan rejected, as a file for whoever looks into it.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatchIterator;
use serde::Serialize;

use super::{WriteOptions, write_parquet};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{Target, check_late_target, sweep_beside};
use crate::pool::OwnerProcess;
use crate::reader::Watch;
use crate::reject::{Reject, Rejects};
use crate::source::Source;
use crate::store::Url;

/// A file of rejects that is to be written: JSON lines or Parquet, by its extension.
#[derive(Debug)]
pub(crate) struct RejectsFile {
    path: PathBuf,
    overwrite: bool,
    sync: bool,
    is_parquet: bool,
    /// Whose work is listed.
    owner: OwnerProcess,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    reject: &'a Reject,
    message: String,
}

impl RejectsFile {
    /// Refuses a name that does not tell how to write it, one that is written to as well, a file that must not be replaced, and a directory
    /// that takes no file.
    pub(crate) fn new(path: Option<&Path>, out: &Path, overwrite: bool, sync: bool) -> Result<Option<Self>> {
        let Some(path) = path else { return Ok(None) };
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_parquet = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("parquet") => true,
            Some("jsonl") => false,
            _ => {
                let path = path.display();
                return Err(Error::option(format!(
                    "option `rejects`: {path} must end in .jsonl or .parquet"
                )));
            }
        };
        if place(path).starts_with(place(out)) {
            let path = path.display();
            return Err(Error::option(format!("option `rejects`: {path} is what is written to, or in it")));
        }
        check_late_target(path, overwrite)?;
        let (path, owner) = (path.to_owned(), OwnerProcess::current());
        Ok(Some(Self { path, overwrite, sync, is_parquet, owner }))
    }

    /// Writes the details that there are, none included.
    pub(crate) fn write(&self, rejects: &Rejects) -> Result<()> {
        if self.is_parquet {
            let mut batches = RecordBatchIterator::new([Ok(rejects.to_record_batch())], Rejects::schema());
            let options = WriteOptions::new().with_overwrite(self.overwrite).with_sync(self.sync);
            return write_parquet(&mut batches, &self.path, &options, Watch::default()).map(drop);
        }
        sweep_beside(&self.path);
        // Also after an interrupt: what was rejected until then is what somebody wants to know.
        let target = Target::create(&self.path, self.overwrite, Cancel::never())?;
        write_lines(rejects.details(), target.sink()).map_err(|error| target.error(error))?;
        target.commit(self.sync).map(drop)
    }

    /// Writes what was rejected until the work ended, however it did, and gives it.
    pub(crate) fn conclude<T>(file: Option<Self>, work: Result<T>, source: &Source) -> Result<(T, Rejects)> {
        let Some(file) = file else { return work.map(|done| (done, source.rejects())) };
        if !file.owner.is_current() {
            // A child was forked while the work went on. It goes on in the parent, whose file this is.
            return work.and(Err(ErrorKind::OtherProcess.into()));
        }
        let rejects = source.rejects();
        let written = file.write(&rejects);
        // Why the work failed is more than that this did.
        let done = work?;
        written.map(|()| (done, rejects))
    }
}

/// A path that does not depend on how it was written; neither the file nor its directory need be there.
fn place(path: &Path) -> PathBuf {
    if path.to_str().and_then(Url::parse).is_some() {
        return path.to_owned();
    }
    std::fs::canonicalize(path).unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            place(if parent.as_os_str().is_empty() { Path::new(".") } else { parent }).join(name)
        }
        _ => path.to_owned(),
    })
}

fn write_lines(rejects: &[Reject], file: impl Write) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    for reject in rejects {
        serde_json::to_writer(&mut out, &Line { reject, message: reject.reason() })?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
#[path = "rejects_tests.rs"]
mod tests;
