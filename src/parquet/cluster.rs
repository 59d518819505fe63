//! A run into a directory whose files are made by other processes, or by the library of a database: this one keeps the manifest
//! and the rejects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::directory::{Begun, begin, begin_load, part_name, remove_parts};
use super::manifest::{Done, DoneInput, DoneOutput, to_text};
use super::options::WriteOptions;
use super::rejects::RejectsFile;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::options::OnError;
use crate::output::directory::Directory;
use crate::reject::{Reject, RejectKind, Rejects};
use crate::source::{Source, groups};

/// A run of several processes, of which each makes files of whole inputs, or of a database.
pub(crate) struct ClusterRun {
    source: Arc<Source>,
    out: Directory,
    begun: Begun,
    pub(crate) rejects: Rejects,
    listing: Option<RejectsFile>,
    /// Of a database: what is in it, or will be committed.
    loaded: Vec<Done>,
    /// Of files that hold the rows of several inputs: the number of the first new one, and about how many bytes each has.
    first_part: usize,
    file_bytes: Option<u64>,
}

impl ClusterRun {
    /// Begins a run, or goes on with an earlier one, that makes files, or writes into a database of this kind. A file of each
    /// commit is named, if the database is there. Several processes read the inputs of a cluster.
    pub(crate) fn begin(
        source: Arc<Source>,
        out: &Path,
        database: Option<(&str, Option<&[String]>)>,
        options: &WriteOptions,
        is_cluster: bool,
        cancel: &Cancel,
    ) -> Result<Self> {
        options.check()?;
        let listing = RejectsFile::new(options.rejects.as_deref(), out, options.overwrite, options.sync)?;
        if is_cluster {
            check_names(&source)?;
        }
        let lenient = is_cluster && source.options().on_error != OnError::Raise;
        let out = Directory::new(out, cancel)?;
        let mut begun = match database {
            Some(database) => begin_load(&source, &out, database, options, lenient)?,
            None => {
                if source.inputs().len() > 1 {
                    source.check_split()?;
                }
                begin(&source, &out, &options.clone().decided(&source.schema()), lenient)?
            }
        };
        if options.overwrite && database.is_none() && begun.names.is_none() {
            remove_parts(&out, |_| false)?;
        }
        let rejects = Rejects::new(source.options().max_rejects);
        let (first_part, file_bytes) = (begun.left.next_part(), options.max_file_bytes);
        let loaded = std::mem::take(&mut begun.left.kept);
        Ok(Self { source, out, begun, rejects, listing, loaded, first_part, file_bytes })
    }

    /// The numbers of the inputs that are left, in groups that become a file or a fragment each: of one input, or of about so many
    /// bytes.
    pub(crate) fn groups(&self, bytes: Option<u64>) -> Vec<Vec<usize>> {
        let todo = &self.begun.left.todo;
        if self.begun.names.is_some() {
            return todo.iter().map(|&number| vec![number]).collect();
        }
        if self.source.options().limit.is_some() {
            // Where the first rows end is known when they are read.
            return if todo.is_empty() { Vec::new() } else { vec![todo.clone()] };
        }
        let inputs: Vec<Input> = todo.iter().map(|&number| self.source.inputs()[number].clone()).collect();
        let groups = groups(&inputs, bytes.or(self.file_bytes).unwrap_or(1));
        groups.into_iter().map(|(group, _)| todo[group].to_vec()).collect()
    }

    /// A group as a source without limits of its own, and the file that it becomes.
    pub(crate) fn group(&self, group: usize, numbers: &[usize]) -> Result<(Source, PathBuf)> {
        let inputs = numbers.iter().filter_map(|&number| self.source.inputs().get(number).cloned());
        let part = self.source.part(inputs.collect());
        let options = crate::ReadOptions { fail_after: None, ..part.options().clone() };
        Ok((part.rebuilt(options)?, self.out.file(self.name(group, numbers)?)))
    }

    /// The name of the file that a group becomes.
    fn name(&self, group: usize, numbers: &[usize]) -> Result<PathBuf> {
        let Some(names) = &self.begun.names else {
            return Ok(part_name(self.first_part + group).into());
        };
        let name = numbers.first().and_then(|&number| names.get(number).cloned());
        name.ok_or_else(|| Error::option("there is no such input"))
    }

    /// Notes that the rows of these inputs are in files, given as names, sizes and rows; those of a database are committed later.
    pub(crate) fn loaded(
        &mut self,
        numbers: &[usize],
        rows: u64,
        outputs: Vec<(String, u64, u64)>,
        fragments: Option<Value>,
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
        let done = Done { inputs, outputs, fragments };
        self.begun.manifest.done(&done)?;
        if done.fragments.is_some() {
            self.loaded.push(done);
        }
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

    /// Fails where more was rejected than the run may have.
    pub(crate) fn judge(&self) -> Result<()> {
        self.source.check_rejects(&self.rejects, true)
    }

    /// Notes that the file of a group is complete. Fails where more was rejected than the run may have.
    pub(crate) fn done(
        &mut self,
        group: usize,
        numbers: &[usize],
        rows: u64,
        bytes: u64,
        rejects: Rejects,
    ) -> Result<()> {
        let name = to_text(self.name(group, numbers)?.as_os_str());
        self.loaded(numbers, rows, vec![(name, bytes, rows)], None, rejects)
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
            self.out.sweep()?;
            self.begun.manifest.finish()?;
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
