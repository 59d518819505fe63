//! A run into a directory whose files are made by other processes: this one keeps the manifest and the rejects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::{Begun, begin};
use super::manifest::{Done, DoneInput, DoneOutput, to_text};
use super::options::WriteOptions;
use super::rejects::RejectsFile;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::options::OnError;
use crate::output::directory::{self, join};
use crate::reject::{Reject, RejectKind, Rejects};
use crate::source::Source;

/// A run of several processes, of which each makes files of single inputs.
pub(crate) struct ClusterRun {
    source: Arc<Source>,
    out: PathBuf,
    begun: Begun,
    names: Vec<PathBuf>,
    rejects: Rejects,
    listing: Option<RejectsFile>,
    cancel: Cancel,
}

impl ClusterRun {
    /// Begins a run, or goes on with an earlier one.
    pub(crate) fn begin(
        source: Arc<Source>,
        out: &Path,
        options: &WriteOptions,
        cancel: Cancel,
    ) -> Result<Self> {
        if options.max_file_bytes.is_some() {
            return Err(Error::option("option `max_file_bytes`: on a cluster each input becomes one file"));
        }
        options.check()?;
        let listing = options.rejects.as_ref();
        let listing = listing.map(|path| RejectsFile::new(path, out, options.overwrite, options.sync));
        let listing = listing.transpose()?;
        let has_name = |input: &&crate::Input| input.as_path().is_some() || input.as_url().is_some();
        if let Some(input) = source.inputs().iter().find(|input| !has_name(input)) {
            let text = format!("{}: a cluster converts files and objects", input.name());
            return Err(Error::option(text));
        }
        let options = options.clone().decided(&source.schema());
        let lenient = source.options().on_error != OnError::Raise;
        let mut begun = begin(&source, out, &options, &cancel, lenient)?;
        let names = begun.names.take().unwrap_or_default();
        let rejects = Rejects::new(source.options().max_rejects);
        Ok(Self { source, out: out.to_owned(), begun, names, rejects, listing, cancel })
    }

    /// The numbers of the inputs that are left.
    pub(crate) fn todo(&self) -> &[usize] {
        &self.begun.left.todo
    }

    /// The input with this number, as a source without limits of its own, and the file that it becomes.
    pub(crate) fn task(&self, number: usize) -> Result<(Source, PathBuf)> {
        let (Some(input), Some(name)) = (self.source.inputs().get(number), self.names.get(number)) else {
            return Err(Error::option(format!("there is no input {number}")));
        };
        let part = self.source.part(vec![input.clone()])?;
        // One task runs on each processor. The limit is one of the whole run.
        let threads = part.options().threads.or(Some(1));
        let part =
            part.rebuilt(crate::ReadOptions { threads, fail_after: None, ..part.options().clone() })?;
        Ok((part, join(&self.out, name)))
    }

    /// Notes that the file of an input is complete. Fails where more was rejected than the run may have.
    pub(crate) fn done(&mut self, number: usize, rows: u64, bytes: u64, rejects: Rejects) -> Result<()> {
        let (Some(version), Some(name)) = (self.begun.versions.get(number), self.names.get(number)) else {
            return Err(Error::option(format!("there is no input {number}")));
        };
        let input = DoneInput { input: version.clone(), rows, rejects: rejects.count() };
        let output = DoneOutput { name: to_text(name.as_os_str()), size: bytes, rows };
        self.begun.manifest.done(&Done { inputs: vec![input], outputs: vec![output] })?;
        self.rejects.merge(rejects);
        self.source.check_rejects(&self.rejects, false)
    }

    /// Notes that an input cannot be read. It has no line in the manifest: a run that resumes tries it again.
    pub(crate) fn unreadable(&mut self, number: usize, error: &str) -> Result<()> {
        let name = self.source.inputs().get(number).map(|input| input.name().clone()).unwrap_or_default();
        let reject = Reject {
            file: name,
            record: 0,
            offset: 0,
            length: 0,
            field: None,
            kind: RejectKind::Unreadable,
            expected: "an input that can be read".into(),
            found: error.into(),
        };
        self.rejects.saw(1);
        self.rejects.push(RejectKind::Unreadable, || reject);
        self.source.check_rejects(&self.rejects, false)
    }

    /// Ends the run, complete or not: writes the table of rejects and, of a complete run, the end of its manifest.
    pub(crate) fn finish(&mut self, complete: bool) -> Result<()> {
        let checked = if complete { self.source.check_rejects(&self.rejects, true) } else { Ok(()) };
        if let Some(listing) = self.listing.take() {
            listing.write(&self.rejects)?;
        }
        checked?;
        if complete {
            // Of workers that were killed.
            directory::sweep(&self.out, &self.cancel)?;
            self.begun.manifest.finish(&self.out)?;
        }
        Ok(())
    }
}
