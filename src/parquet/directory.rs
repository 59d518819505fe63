//! Runs that fill a directory, and go on where an earlier one ended.
//!
//! Rows go into *groups*: some inputs, and the files that hold all of their rows and nothing else. Without `max_file_bytes` a
//! group is an input and its file. With it, a file ends with an input where the next one would not fit, and a group goes from one
//! such end to the next. When the files of a group are under their names, the [`Manifest`] gets a line; a run that resumes does
//! the groups again that have none. A directory may be one of a store. See docs/design/resume.md.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use arrow_array::RecordBatch;
use serde_json::{Map, Value, json};

use super::files::{Files, part_name, part_number, part_paths, parts, remove_parts};
use super::manifest::{Done, DoneInput, DoneOutput, InputVersion, Manifest, to_text};
use super::options::{ListType, TimestampUnit, WriteOptions};
use super::report::Report;
use super::writer::{Written, end_of_nothing};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::input::{Input, Version, learn_sizes};
use crate::output::directory::{self as into, Sizes};
use crate::output::sync_directory;
use crate::reader::{Ended, Progress, Reader, Watch};
use crate::source::Source;

/// The name of each input's file; `None` where files hold the rows of several.
type Names = Option<Vec<PathBuf>>;

/// Refuses what cannot be done before anything is read, and makes the directory.
pub(super) fn check(inputs: &[Input], out: &Path, options: &WriteOptions, cancel: &Cancel) -> Result<Names> {
    let names = if options.max_file_bytes.is_some() { None } else { Some(names(inputs, out)?) };
    into::create(out)?;
    let earlier = Manifest::find(out, options, cancel)?;
    if options.resume {
        if let Some(input) = inputs.iter().find(|input| !input.has_name()) {
            return Err(no_version(input));
        }
        if earlier {
            return Ok(names);
        }
    }
    let targets: Vec<PathBuf> = match &names {
        Some(names) => names.iter().map(|name| into::join(out, name)).collect(),
        None => parts(out, cancel)?.into_iter().take(1).map(|(_, part)| part).collect(),
    };
    into::check_targets(out, &targets, options.overwrite, cancel)?;
    Ok(names)
}

fn no_version(input: &Input) -> Error {
    let name = input.name();
    Error::option(format!(
        "option `resume`: {name} is no file or object with a version, and cannot be told from what an earlier run \
         read"
    ))
}

fn names(inputs: &[Input], out: &Path) -> Result<Vec<PathBuf>> {
    let mut taken = HashMap::new();
    let mut names = Vec::with_capacity(inputs.len());
    for (number, input) in inputs.iter().enumerate() {
        let name = match input.stem() {
            Some(stem) => {
                let mut name = stem.into_os_string();
                name.push(".parquet");
                name.into()
            }
            None => PathBuf::from(part_name(number)),
        };
        if let Some(first) = taken.insert(name.clone(), input.name()) {
            return Err(Error::option(format!(
                "{}: two inputs would be written to this file: {first} and {}; rename one, or pass option `max_file_bytes`",
                out.join(name).display(),
                input.name()
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// The directories below `out` that files of these names are in.
fn directories(out: &Path, names: &Names) -> Vec<PathBuf> {
    let parents = names.iter().flatten().flat_map(|name| name.ancestors().skip(1));
    let below: BTreeSet<&Path> = parents.filter(|parent| !parent.as_os_str().is_empty()).collect();
    below.into_iter().map(|parent| into::join(out, parent)).collect()
}

/// An input would be replaced before it is read, or be taken for an output by the next run.
fn refuse_inputs_among_outputs(inputs: &[Input], out: &Path) -> Result<()> {
    let looks_like_output = |input: &&Input| {
        let path = input.as_path();
        path.and_then(Path::extension).is_some_and(|extension| extension == "parquet")
    };
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    let out_is = canonical(out);
    for input in inputs.iter().filter(looks_like_output) {
        let place = input.as_path().and_then(canonical);
        if place.zip(out_is.as_ref()).is_some_and(|(place, out)| place.starts_with(out)) {
            let (name, out) = (input.name(), out.display());
            return Err(Error::option(format!("{name}: an input must not lie where outputs go ({out})")));
        }
    }
    Ok(())
}

/// A run before anything is read: what is there, and what is left to do.
pub(super) struct Begun {
    pub(super) names: Names,
    pub(super) versions: Vec<InputVersion>,
    pub(super) manifest: Manifest,
    pub(super) left: Left,
    /// True for a run that goes on where an earlier one ended.
    resumes: bool,
}

/// Begins a run: checks targets, begins or takes up the manifest, and removes what it does not name. With `lenient`, an input
/// without a version is left to its reader.
pub(super) fn begin(
    source: &Source,
    out: &Path,
    options: &WriteOptions,
    cancel: &Cancel,
    lenient: bool,
) -> Result<Begun> {
    let inputs = source.inputs();
    let names = check(inputs, out, options, cancel)?;
    refuse_inputs_among_outputs(inputs, out)?;
    let (versions, mut manifest, earlier) = take_up(source, out, None, options, cancel, lenient)?;
    let resumes = earlier.is_some();
    let earlier = earlier.unwrap_or_default();
    let left = Left::new(out, &versions, &earlier, cancel)?;
    left.check_names(out, names.as_deref().unwrap_or_default())?;
    if let Some(names) = &names {
        // Before their lines go: a run that dies in between is resumed by these.
        remove_stale(out, names, &earlier, &left, cancel)?;
    }
    manifest.keep(earlier, &left.good)?;
    if resumes && names.is_none() {
        remove_parts(out, cancel, |number| left.outputs.contains(&part_name(number)))?;
    }
    if !into::is_remote(out) {
        for directory in directories(out, &names) {
            into::create(&directory)?;
            into::sweep(&directory, cancel)?;
        }
    }
    into::sweep(out, cancel)?;
    Ok(Begun { names, versions, manifest, left, resumes })
}

/// Removes files of an earlier run whose rows are read again, but for those that this run replaces: with other inputs, names may
/// change.
fn remove_stale(out: &Path, names: &[PathBuf], earlier: &[Done], left: &Left, cancel: &Cancel) -> Result<()> {
    let names: HashSet<&PathBuf> = names.iter().collect();
    let changed = earlier.iter().zip(&left.good).filter(|(_, good)| !**good);
    let outputs = changed.flat_map(|(done, _)| &done.outputs);
    for output in outputs.filter(|output| !left.outputs.contains(&output.name)) {
        let name = from_text(&output.name);
        // A manifest may come from anybody, and must not name files elsewhere.
        let is_inside = name.components().all(|part| matches!(part, Component::Normal(_)));
        if is_inside && !names.contains(&name) {
            into::remove_file(&into::join(out, &name), cancel)?;
        }
    }
    Ok(())
}

/// The inputs as they are now, and the manifest: that of an earlier run, with what that one did, or a new one.
fn take_up(
    source: &Source,
    out: &Path,
    database: Option<&str>,
    options: &WriteOptions,
    cancel: &Cancel,
    lenient: bool,
) -> Result<(Vec<InputVersion>, Manifest, Option<Vec<Done>>)> {
    let versions = versions(source, options, cancel, lenient)?;
    let mut described = describe(source, options);
    described.extend(database.map(|name| ("database".to_owned(), json!(name))));
    let end = end_of_nothing(&source.schema(), options)?;
    if options.resume && Manifest::find(out, options, cancel)? {
        let (manifest, earlier) = Manifest::resume(out, described, end, options, cancel)?;
        return Ok((versions, manifest, Some(earlier)));
    }
    Ok((versions, Manifest::create(out, described, end, options, cancel)?, None))
}

/// Begins a run whose rows go into a `database` in the directory, or takes one up. `commits` names a file of each commit, if the
/// database is there. Gives also what an earlier run did.
#[cfg(feature = "python")]
pub(super) fn begin_load(
    source: &Source,
    out: &Path,
    (database, commits): (&str, Option<&[String]>),
    options: &WriteOptions,
    cancel: &Cancel,
    lenient: bool,
) -> Result<(Begun, Vec<Done>)> {
    into::create(out)?;
    let exists = Manifest::find(out, options, cancel)?;
    if commits.is_some() && !exists && !options.overwrite {
        let text = "there is a database that vecpack did not write; option `overwrite` replaces it";
        return Err(Error::io(out, std::io::Error::new(std::io::ErrorKind::AlreadyExists, text)));
    }
    let (versions, mut manifest, earlier) = take_up(source, out, Some(database), options, cancel, lenient)?;
    let resumes = earlier.is_some();
    let mut earlier = earlier.unwrap_or_default();
    let commits = commits.unwrap_or_default();
    if earlier.iter().flat_map(|done| &done.outputs).any(|output| commits.contains(&output.name)) {
        // The earlier run died when it had committed, and before it noted that.
        manifest.commit(&mut earlier)?;
    }
    let left = Left::new(out, &versions, &earlier, cancel)?;
    let mut stale = earlier.iter().zip(&left.good).filter(|(done, good)| !**good && done.is_committed());
    if let Some((done, _)) = stale.next() {
        let changed = done.inputs.iter().find(|input| !versions.contains(&input.input));
        let name = changed.map_or("an input", |input| input.input.path.trim_start_matches('\0'));
        return Err(Error::option(format!(
            "{} holds rows of {name}, which has changed since the earlier run: option `overwrite` makes all anew",
            out.display()
        )));
    }
    let earlier = manifest.keep(earlier, &left.good)?;
    Ok((Begun { names: None, versions, manifest, left, resumes }, earlier))
}

/// Converts each input, and gives what was read.
pub(super) fn convert(
    source: &Source,
    out: &Path,
    options: &WriteOptions,
    watch: &mut Watch<'_>,
    report: &mut Report,
) -> Result<Progress> {
    let rejects = source.begin_scan();
    let begun = begin(source, out, options, &watch.cancel, false)?;
    let Begun { names, versions, manifest, left, resumes } = begun;
    let inputs = source.inputs();
    report.files_before = (inputs.len() - left.todo.len()) as u64;
    (report.rows_before, report.rejects_before) = (left.rows, left.rejects);
    let before = Progress { bytes: left.bytes, rows: left.rows, files: report.files_before };
    watch.tell(before)?;

    // What is missing may be there in an older version.
    let write_options =
        WriteOptions { overwrite: options.overwrite || resumes, resume: false, ..options.clone() };
    let todo: Vec<Input> = left.todo.iter().map(|&at| inputs[at].clone()).collect();
    let limit = source.options().limit.map(|limit| limit.saturating_sub(left.rows));
    let reader = source.reader_of(todo.into(), rejects)?.limited(limit);
    let mut reader = reader.with_cancel(watch.cancel.clone());
    let paths: Box<dyn Iterator<Item = PathBuf>> = match &names {
        Some(names) => Box::new(left.todo.iter().map(|&input| into::join(out, &names[input]))),
        None => Box::new(part_paths(out, left.next_part())),
    };
    let files = Files::new(paths, source.schema(), &write_options, watch.cancel.clone());
    let group = Done::default();
    let todo = &left.todo;
    let mut run = Run {
        out,
        in_parts: names.is_none(),
        versions,
        todo,
        at: 0,
        files,
        group,
        done: before.files,
        manifest,
        report,
    };
    while let Some(batch) = run.next_batch(&mut reader, before, watch)? {
        let complete = run.files.write(&batch, run.report)?;
        run.add(complete);
        watch.tell(Progress { files: run.done, ..before + reader.progress() })?;
    }
    run.finish(left.outputs.is_empty())?;
    if options.overwrite && run.in_parts {
        let made = run.report.outputs.len();
        remove_parts(out, &watch.cancel, |number| number < made)?;
    }
    if options.sync {
        let mut directories = directories(out, &names).into_iter();
        directories.try_for_each(|directory| sync_directory(&directory, &watch.cancel))?;
    }
    run.manifest.finish(out)?;
    Ok(reader.progress())
}

/// What decides about the rows, by name. Other options say how the work is done.
fn describe(source: &Source, options: &WriteOptions) -> Map<String, Value> {
    let mut described = match serde_json::to_value(source.options()) {
        Ok(Value::Object(options)) => options,
        _ => Map::new(),
    };
    let of_work = [
        "threads",
        "batch_rows",
        "batch_bytes",
        "max_rejects",
        "fail_after",
        "infer_records",
        "store_window",
    ];
    for name in of_work {
        described.remove(name);
    }
    let schema = source.schema();
    let columns = schema.fields().iter().zip(source.columns()).map(|(field, column)| match column {
        column if column.is_renamed() => format!("{field} from {}", column.field),
        _ => field.to_string(),
    });
    let columns: Vec<String> = columns.collect();
    let found = [
        ("framing", json!(source.framing().as_str())),
        ("output_columns", json!(columns)),
        ("compression", json!(options.compression.as_str())),
        ("encoding", json!(options.encoding.as_str())),
        ("row_group_bytes", json!(options.row_group_bytes)),
        ("max_file_bytes", json!(options.max_file_bytes)),
        ("list_type", json!(options.list_type.map(ListType::as_str))),
        ("coerce_timestamps", json!(options.coerce_timestamps.map(TimestampUnit::as_str))),
        ("allow_truncated_timestamps", json!(options.allow_truncated_timestamps)),
        ("metadata", json!(options.metadata)),
    ];
    described.extend(found.map(|(name, value)| (name.to_owned(), value)));
    described
}

/// The inputs as they are now. A run that resumes must be able to tell versions apart.
fn versions(
    source: &Source,
    options: &WriteOptions,
    cancel: &Cancel,
    lenient: bool,
) -> Result<Vec<InputVersion>> {
    let inputs = source.inputs();
    // Many requests at once. One that fails is made again for its input.
    let learned = learn_sizes(inputs);
    if !lenient {
        learned?;
    }
    let mut parents = HashMap::new();
    let mut versions = Vec::with_capacity(inputs.len());
    for (number, input) in inputs.iter().enumerate() {
        if number % 1024 == 0 {
            cancel.check()?;
        }
        let span = input.span().map(|span| (span.start, span.end));
        let path = match input.as_path() {
            Some(path) => to_text(absolute(path, &mut parents).as_os_str()),
            None => input.name().to_string(),
        };
        let version = match input.version() {
            Err(_) if lenient => Version::default(),
            version => version?,
        };
        let Version { size, modified_ns, tag } = version;
        if options.resume && !lenient && modified_ns.is_none() && tag.is_none() {
            return Err(no_version(input));
        }
        let number = source.options().include_id.then_some(input.number);
        versions.push(InputVersion { path, span, size, modified_ns, tag, number });
    }
    Ok(versions)
}

/// The path from the root on, with the links on the way to it followed: the same from wherever it is named.
fn absolute(path: &Path, parents: &mut HashMap<PathBuf, PathBuf>) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else { return absolute };
    if let Some(parent) = parents.get(parent) {
        return parent.join(name);
    }
    let canonical = std::fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned());
    let path = canonical.join(name);
    parents.insert(parent.to_owned(), canonical);
    path
}

/// What an earlier run has left to do.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Inputs by number.
    pub(super) todo: Vec<usize>,
    /// Of the inputs that are done.
    pub(super) rows: u64,
    rejects: u64,
    bytes: u64,
    /// Names of the files that stay.
    outputs: HashSet<String>,
    /// Which lines of the manifest still hold.
    good: Vec<bool>,
}

impl Left {
    fn new(out: &Path, versions: &[InputVersion], earlier: &[Done], cancel: &Cancel) -> Result<Self> {
        // An input that is named several times has been done as often.
        let mut known: HashMap<_, Vec<(usize, &DoneInput)>> = HashMap::new();
        for (at, done) in earlier.iter().enumerate() {
            for input in &done.inputs {
                let version = &input.input;
                known.entry((&version.path, version.span)).or_default().push((at, input));
            }
        }
        let sizes = if earlier.is_empty() { Sizes::Files(out) } else { Sizes::of(out, cancel)? };
        // Whether the files are what they were when they were written.
        let is_there = |output: &DoneOutput| sizes.get(&from_text(&output.name)) == Some(output.size);
        let mut good: Vec<bool> = earlier.iter().map(|done| done.outputs.iter().all(is_there)).collect();
        let done_in: Vec<Option<usize>> = versions
            .iter()
            .map(|version| {
                let (at, input) = known.get_mut(&(&version.path, version.span))?.pop()?;
                good[at] &= input.input == *version;
                Some(at)
            })
            .collect();
        if let Some((_, input)) = known.values().flatten().next() {
            return Err(Error::option(format!(
                "{} holds rows of {}, which is not among the inputs: option `resume` takes all inputs of the earlier run",
                out.display(),
                input.input.path.trim_start_matches('\0')
            )));
        }
        let is_left = |&input: &usize| !done_in[input].is_some_and(|at: usize| good[at]);
        let mut left = Self { todo: (0..versions.len()).filter(is_left).collect(), ..Self::default() };
        for (done, _) in earlier.iter().zip(&good).filter(|(_, good)| **good) {
            left.rows += done.rows();
            left.rejects += done.inputs.iter().map(|input| input.rejects).sum::<u64>();
            left.bytes += done.inputs.iter().filter_map(|input| input.input.size).sum::<u64>();
            left.outputs.extend(done.outputs.iter().map(|output| output.name.clone()));
        }
        left.good = good;
        Ok(left)
    }

    /// The number of the first part that comes behind those that stay.
    pub(super) fn next_part(&self) -> usize {
        let last = self.outputs.iter().filter_map(|name| part_number(name)).max();
        last.map_or(0, |last| last + 1)
    }

    /// Refuses inputs whose files would replace those that stay: with other inputs, names may change.
    fn check_names(&self, out: &Path, names: &[PathBuf]) -> Result<()> {
        let mut todo = self.todo.iter().filter_map(|&at| names.get(at));
        match todo.find(|name| self.outputs.contains(&to_text(name.as_os_str()))) {
            Some(name) => Err(Error::option(format!(
                "{}: an earlier run made this file of another input",
                into::join(out, name).display()
            ))),
            None => Ok(()),
        }
    }
}

/// The path that [`to_text`] was given.
fn from_text(text: &str) -> PathBuf {
    match text.strip_prefix('\0') {
        #[cfg(unix)]
        Some(bytes) => {
            let bytes: Vec<u8> = bytes.chars().filter_map(|byte| u8::try_from(byte).ok()).collect();
            PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&bytes))
        }
        _ => PathBuf::from(OsStr::new(text)),
    }
}

/// A run under way.
struct Run<'a> {
    out: &'a Path,
    in_parts: bool,
    versions: Vec<InputVersion>,
    todo: &'a [usize],
    /// Which of `todo` is being read.
    at: usize,
    files: Files<'a>,
    /// What the next line of the manifest will say.
    group: Done,
    /// How many inputs the manifest has.
    done: u64,
    manifest: Manifest,
    report: &'a mut Report,
}

impl Run<'_> {
    fn add(&mut self, complete: impl IntoIterator<Item = Written>) {
        for Written { path, bytes, rows, .. } in complete {
            let name = to_text(path.strip_prefix(self.out).unwrap_or(&path).as_os_str());
            self.group.outputs.push(DoneOutput { name, size: bytes, rows });
        }
    }

    /// The next batch. Inputs that end in front of it, or of an error, are done.
    fn next_batch(
        &mut self,
        reader: &mut Reader,
        before: Progress,
        watch: &mut Watch<'_>,
    ) -> Result<Option<RecordBatch>> {
        let next = reader.next_batch();
        let mut inputs = reader.take_ended().into_iter();
        let ended = inputs.try_for_each(|ended| self.end_input(ended, reader.progress()));
        if next.is_err() && ended.is_ok() {
            let _ = watch.tell(Progress { files: self.done, ..before + reader.progress() });
        }
        let next = next?;
        ended.map(|()| next)
    }

    fn end_input(&mut self, ended: Ended, progress: Progress) -> Result<()> {
        let number = self.todo[self.at];
        let Ended { rows, rejects } = ended;
        self.group.inputs.push(DoneInput { input: self.versions[number].clone(), rows, rejects });
        self.at += 1;
        if !self.in_parts {
            // Without rows, it has a file as well.
            self.files.begin()?;
        } else if self.has_room(progress) {
            return Ok(());
        }
        self.end_group()
    }

    /// Whether the next input will fit into the file under way, as far as can be told from what the inputs so far had for their
    /// size.
    fn has_room(&self, progress: Progress) -> bool {
        let Some(room) = self.files.room() else { return false };
        let size = self.todo.get(self.at).and_then(|&next| self.versions[next].size);
        let Some(size) = size else { return true };
        let rows = u128::from(size) * u128::from(progress.rows) / u128::from(progress.bytes.max(1));
        rows <= room as u128
    }

    /// Puts the files of the inputs so far in their places, and says so.
    fn end_group(&mut self) -> Result<()> {
        let complete = self.files.finish(self.report)?;
        self.add(complete);
        if self.group.inputs.is_empty() {
            return Ok(());
        }
        self.done += self.group.inputs.len() as u64;
        self.manifest.done(&std::mem::take(&mut self.group))
    }

    /// Ends the last group. Where there is no file yet, there will be one, without rows.
    fn finish(&mut self, nothing_before: bool) -> Result<()> {
        if self.in_parts && nothing_before && self.report.outputs.is_empty() {
            self.files.begin()?;
        }
        self.end_group()
    }
}
