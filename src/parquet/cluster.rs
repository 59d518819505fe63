//! A run into a directory whose files are made by other processes, or by the library of a database: this one keeps the manifest
//! and the rejects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::directory::{Begun, begin, begin_load};
use super::manifest::{Done, DoneInput, DoneOutput, to_text};
use super::options::WriteOptions;
use super::rejects::RejectsFile;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::options::OnError;
use crate::output::directory::{self, join};
use crate::reject::{Reject, RejectKind, Rejects};
use crate::source::Source;

/// A run of several processes, of which each makes files of single inputs, or of a database.
pub(crate) struct ClusterRun {
    source: Arc<Source>,
    out: PathBuf,
    begun: Begun,
    rejects: Rejects,
    listing: Option<RejectsFile>,
    cancel: Cancel,
    /// Of a database: what is in it, or will be committed.
    loaded: Vec<Done>,
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
        let listing = RejectsFile::new(options.rejects.as_deref(), out, options.overwrite, options.sync)?;
        check_names(&source)?;
        let options = options.clone().decided(&source.schema());
        let lenient = source.options().on_error != OnError::Raise;
        let begun = begin(&source, out, &options, &cancel, lenient)?;
        Ok(Self::of(source, out, (begun, Vec::new()), listing, cancel))
    }

    /// Begins a run into a database of this kind, or goes on with an earlier one. A file of each commit is named, if the database
    /// is there. Several processes read the inputs of a cluster.
    pub(crate) fn load(
        source: Arc<Source>,
        out: &Path,
        database: (&str, Option<&[String]>),
        options: &WriteOptions,
        is_cluster: bool,
        cancel: Cancel,
    ) -> Result<Self> {
        options.check()?;
        let listing = RejectsFile::new(options.rejects.as_deref(), out, options.overwrite, options.sync)?;
        if is_cluster {
            check_names(&source)?;
        }
        let lenient = is_cluster && source.options().on_error != OnError::Raise;
        let begun = begin_load(&source, out, database, options, &cancel, lenient)?;
        Ok(Self::of(source, out, begun, listing, cancel))
    }

    fn of(
        source: Arc<Source>,
        out: &Path,
        (begun, loaded): (Begun, Vec<Done>),
        listing: Option<RejectsFile>,
        cancel: Cancel,
    ) -> Self {
        let rejects = Rejects::new(source.options().max_rejects);
        Self { source, out: out.to_owned(), begun, rejects, listing, cancel, loaded }
    }

    /// Inputs that are left, in groups of about so many bytes: their numbers, and a source of them.
    pub(crate) fn tasks(&self, bytes: u64) -> Result<Vec<(Vec<usize>, Source)>> {
        let todo = self.todo();
        let inputs = todo.iter().map(|&number| self.source.inputs()[number].clone()).collect();
        let left = unlimited(&self.source.part(inputs)?, self.source.options().threads)?;
        let parts = match self.source.options().limit {
            _ if todo.is_empty() => Vec::new(),
            // Where the first rows end is known when they are read.
            Some(_) => vec![left],
            None => left.tasks(bytes)?.into_iter().map(|(part, _)| part).collect(),
        };
        let mut numbers = todo.iter().copied();
        let group = |part: Source| (numbers.by_ref().take(part.inputs().len()).collect(), part);
        Ok(parts.into_iter().map(group).collect())
    }

    /// Notes that the rows of these inputs are in files of a database, given as names, sizes and rows, which is not committed yet.
    pub(crate) fn loaded(
        &mut self,
        numbers: &[usize],
        rows: u64,
        outputs: Vec<(String, u64, u64)>,
        fragments: Value,
        rejects: Rejects,
    ) -> Result<()> {
        // The counts of all inputs stand with the first.
        let mut counts = Some((rows, rejects.count()));
        let mut inputs = Vec::with_capacity(numbers.len());
        for version in numbers.iter().filter_map(|&number| self.begun.versions.get(number)) {
            let (rows, rejects) = counts.take().unwrap_or_default();
            inputs.push(DoneInput { input: version.clone(), rows, rejects });
        }
        let outputs = outputs.into_iter().map(|(name, size, rows)| DoneOutput { name, size, rows }).collect();
        let done = Done { inputs, outputs, fragments: Some(fragments) };
        self.begun.manifest.done(&done)?;
        self.loaded.push(done);
        self.rejects.merge(rejects);
        self.source.check_rejects(&self.rejects, false)
    }

    /// The fragments that the database has to commit, and whether it has committed others of the run before.
    pub(crate) fn pending(&self) -> (Vec<&Value>, bool) {
        let pending = self.loaded.iter().filter(|done| !done.is_committed());
        let has_more = self.loaded.iter().any(Done::is_committed);
        (pending.filter_map(|done| done.fragments.as_ref()).collect(), has_more)
    }

    /// Notes that the database has committed all of that.
    pub(crate) fn committed(&mut self) -> Result<()> {
        self.begun.manifest.commit(&mut self.loaded)
    }

    /// The rows of earlier runs that this one goes on with.
    pub(crate) fn rows_before(&self) -> u64 {
        self.begun.left.rows
    }

    /// The rejects of the run.
    pub(crate) fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// Fails where more was rejected than the run may have.
    pub(crate) fn judge(&self) -> Result<()> {
        self.source.check_rejects(&self.rejects, true)
    }

    /// The numbers of the inputs that are left.
    pub(crate) fn todo(&self) -> &[usize] {
        &self.begun.left.todo
    }

    /// The input with this number, as a source without limits of its own, and the file that it becomes.
    pub(crate) fn task(&self, number: usize) -> Result<(Source, PathBuf)> {
        let (Some(input), Some(name)) = (self.source.inputs().get(number), self.name(number)) else {
            return Err(Error::option(format!("there is no input {number}")));
        };
        // One task runs on each processor.
        let threads = self.source.options().threads.or(Some(1));
        let part = unlimited(&self.source.part(vec![input.clone()])?, threads)?;
        Ok((part, join(&self.out, name)))
    }

    fn name(&self, number: usize) -> Option<&PathBuf> {
        self.begun.names.as_ref()?.get(number)
    }

    /// Notes that the file of an input is complete. Fails where more was rejected than the run may have.
    pub(crate) fn done(&mut self, number: usize, rows: u64, bytes: u64, rejects: Rejects) -> Result<()> {
        let (Some(version), Some(name)) = (self.begun.versions.get(number), self.name(number)) else {
            return Err(Error::option(format!("there is no input {number}")));
        };
        let input = DoneInput { input: version.clone(), rows, rejects: rejects.count() };
        let output = DoneOutput { name: to_text(name.as_os_str()), size: bytes, rows };
        let done = Done { inputs: vec![input], outputs: vec![output], fragments: None };
        self.begun.manifest.done(&done)?;
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
        let checked = if complete { self.judge() } else { Ok(()) };
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

/// Refuses inputs that other processes cannot open.
fn check_names(source: &Source) -> Result<()> {
    match source.inputs().iter().find(|input| !input.has_name()) {
        Some(input) => Err(Error::option(format!("{}: a cluster converts files and objects", input.name()))),
        None => Ok(()),
    }
}

/// A part of a run, without a limit of its own for rejects, that so many threads read.
fn unlimited(part: &Source, threads: Option<usize>) -> Result<Source> {
    part.rebuilt(crate::ReadOptions { fail_after: None, threads, ..part.options().clone() })
}
