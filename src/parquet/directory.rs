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

use super::manifest::{Done, DoneInput, DoneOutput, InputVersion, Manifest, to_text};
use super::options::{ListType, TimestampUnit, WriteOptions};
use super::report::Report;
use super::writer::{Files, Written, end_of_nothing};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::input::{Input, Version, learn_sizes};
use crate::output::directory::Directory;
use crate::reader::{Ended, Progress, Reader, Watch};
use crate::source::Source;

/// The name of each input's file; `None` where files hold the rows of several.
type Names = Option<Vec<PathBuf>>;

/// Refuses what cannot be done before anything is read, and makes the directory.
pub(super) fn check(inputs: &[Input], out: &Directory, options: &WriteOptions) -> Result<Names> {
    let names = if options.max_file_bytes.is_some() { None } else { Some(names(inputs, out)?) };
    out.create()?;
    let has_earlier = Manifest::find(out, options)?;
    if options.resume {
        if let Some(input) = inputs.iter().find(|input| !input.has_name()) {
            return Err(no_version(input));
        }
        if has_earlier {
            return Ok(names);
        }
    }
    match &names {
        Some(names) => out.check_targets(names, options.overwrite)?,
        None => {
            let first = parts(out)?.into_iter().next().map(|(_, name)| PathBuf::from(name));
            out.check_targets(first.as_slice(), options.overwrite)?;
        }
    }
    Ok(names)
}

fn no_version(input: &Input) -> Error {
    let name = input.name();
    Error::option(format!(
        "option `resume`: {name} is no file or object with a version, and cannot be told from what an earlier run \
         read"
    ))
}

fn names(inputs: &[Input], out: &Directory) -> Result<Vec<PathBuf>> {
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
                out.path.join(name).display(),
                input.name()
            )));
        }
        names.push(name);
    }
    Ok(names)
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

/// The directories below `out` that files of these names are in. A store has none.
fn directories(out: &Directory, names: &Names) -> Result<Vec<Directory>> {
    let names = names.iter().flatten().filter(|_| out.store.is_none());
    let parents = names.flat_map(|name| name.ancestors().skip(1));
    let below: BTreeSet<&Path> = parents.filter(|parent| !parent.as_os_str().is_empty()).collect();
    below.into_iter().map(|parent| Directory::new(&out.file(parent), &out.cancel)).collect()
}

/// An input would be replaced before it is read, or be taken for an output by the next run.
fn refuse_inputs_among_outputs(inputs: &[Input], out: &Path) -> Result<()> {
    let canonical = |path: &Path| std::fs::canonicalize(path).ok();
    let place = canonical(out);
    let lies_there = |input: &&Input| {
        let path = input.as_path().filter(|path| path.extension().is_some_and(|name| name == "parquet"));
        path.and_then(canonical).zip(place.as_ref()).is_some_and(|(path, place)| path.starts_with(place))
    };
    let Some(input) = inputs.iter().find(lies_there) else { return Ok(()) };
    let (name, out) = (input.name(), out.display());
    Err(Error::option(format!("{name}: an input must not lie where outputs go ({out})")))
}

/// A run before anything is read: what is there, and what is left to do.
pub(super) struct Begun {
    pub(super) names: Names,
    pub(super) versions: Vec<InputVersion>,
    pub(super) manifest: Manifest,
    pub(super) left: Left,
    /// An earlier run was taken up.
    resumes: bool,
}

/// Begins a run: checks targets, begins or takes up the manifest, and removes what it does not name. With `lenient`, an input
/// without a version is left to its reader.
pub(super) fn begin(
    source: &Source,
    out: &Directory,
    options: &WriteOptions,
    lenient: bool,
) -> Result<Begun> {
    let names = check(source.inputs(), out, options)?;
    refuse_inputs_among_outputs(source.inputs(), &out.path)?;
    let mut begun = Begun { names, ..take_up(source, out, None, options, lenient)? };
    let Begun { names, manifest, left, .. } = &mut begun;
    if let Some(names) = names {
        left.check_names(out, names)?;
        // Before their lines go: a run that dies in between is resumed by these.
        remove_stale(out, names, left)?;
    }
    manifest.keep(&left.kept, &left.stale)?;
    // There may be a million of them.
    (left.kept, left.stale) = Default::default();
    if options.resume && names.is_none() {
        remove_parts(out, |number| left.outputs.contains(&part_name(number)))?;
    }
    for directory in directories(out, names)? {
        directory.create()?;
        directory.sweep()?;
    }
    out.sweep()?;
    Ok(begun)
}

/// Removes files of an earlier run whose rows are read again, but for those that this run replaces: with other inputs, names may
/// change.
fn remove_stale(out: &Directory, names: &[PathBuf], left: &Left) -> Result<()> {
    let names: HashSet<&PathBuf> = names.iter().collect();
    let outputs = left.stale.iter().flat_map(|done| &done.outputs);
    for output in outputs.filter(|output| !left.outputs.contains(&output.name)) {
        let name = from_text(&output.name);
        // A manifest may come from anybody, and must not name files elsewhere.
        let is_inside = name.components().all(|part| matches!(part, Component::Normal(_)));
        if is_inside && !names.contains(&name) {
            out.remove(name)?;
        }
    }
    Ok(())
}

/// The inputs as they are now, the manifest of a new run or of an earlier one, and what that one has left to do. Of a database,
/// the kind and a file of each commit are given.
fn take_up(
    source: &Source,
    out: &Directory,
    database: Option<(&str, &[String])>,
    options: &WriteOptions,
    lenient: bool,
) -> Result<Begun> {
    let versions = versions(source, options.resume, lenient, &out.cancel)?;
    let mut described = describe(source, options);
    described.extend(database.map(|(kind, _)| ("database".to_owned(), json!(kind))));
    let end = end_of_nothing(&source.schema(), options)?;
    let resumes = options.resume && Manifest::find(out, options)?;
    let (mut manifest, mut earlier) = match resumes {
        true => Manifest::resume(out, described, end, options)?,
        false => (Manifest::create(out, described, end, options)?, Vec::new()),
    };
    let commits = database.unwrap_or_default().1;
    if earlier.iter().flat_map(|done| &done.outputs).any(|output| commits.contains(&output.name)) {
        // The earlier run died when it had committed, and before it noted that.
        manifest.commit(&mut earlier)?;
    }
    let left = Left::new(out, &versions, earlier)?;
    Ok(Begun { names: None, versions, manifest, left, resumes })
}

/// Begins a run whose rows go into a `database` in the directory, or takes one up. `commits` names a file of each commit, if the
/// database is there.
#[cfg(feature = "python")]
pub(super) fn begin_load(
    source: &Source,
    out: &Directory,
    (database, commits): (&str, Option<&[String]>),
    options: &WriteOptions,
    lenient: bool,
) -> Result<Begun> {
    out.create()?;
    let exists = Manifest::find(out, options)?;
    if commits.is_some() && !exists && !options.overwrite {
        let text = "there is a database that vecpack did not write; option `overwrite` replaces it";
        return Err(Error::io(&out.path, std::io::Error::new(std::io::ErrorKind::AlreadyExists, text)));
    }
    let database = (database, commits.unwrap_or_default());
    let mut begun = take_up(source, out, Some(database), options, lenient)?;
    let Begun { versions, manifest, left, .. } = &mut begun;
    if let Some(done) = left.stale.iter().find(|done| done.is_committed()) {
        let changed = done.inputs.iter().find(|input| !versions.contains(&input.input));
        let name = changed.map_or("an input", |input| input.input.path.trim_start_matches('\0'));
        return Err(Error::option(format!(
            "{} holds rows of {name}, which has changed since the earlier run: option `overwrite` makes all anew",
            out.path.display()
        )));
    }
    manifest.keep(&left.kept, &left.stale)?;
    Ok(begun)
}

/// Converts each input, and gives what was read and written.
pub(super) fn convert(
    source: &Source,
    out: &Directory,
    options: &WriteOptions,
    watch: &mut Watch<'_>,
) -> Result<(Progress, Report)> {
    let rejects = source.begin_scan();
    let begun = begin(source, out, options, false)?;
    let (inputs, left, names) = (source.inputs(), &begun.left, &begun.names);
    let done = (inputs.len() - left.todo.len()) as u64;
    let before = Progress { bytes: left.bytes, rows: left.rows, files: done };
    watch.tell(before)?;

    // What is missing may be there in an older version.
    let write_options =
        WriteOptions { overwrite: options.overwrite || begun.resumes, resume: false, ..options.clone() };
    let todo: Vec<Input> = left.todo.iter().map(|&at| inputs[at].clone()).collect();
    let limit = source.options().limit.map(|limit| limit.saturating_sub(left.rows));
    let reader = source.reader_of(todo.into(), rejects)?.limited(limit);
    let mut reader = reader.with_cancel(watch.cancel.clone());
    let paths: Box<dyn Iterator<Item = PathBuf>> = match names {
        Some(names) => {
            let paths: Vec<PathBuf> = left.todo.iter().map(|&input| out.file(&names[input])).collect();
            Box::new(paths.into_iter())
        }
        None => Box::new(part_paths(out, left.next_part())),
    };
    let mut files = Files::new(paths, source.schema(), &write_options, watch.cancel.clone());
    files.report.files_before = done;
    (files.report.rows_before, files.report.rejects_before) = (left.rows, left.rejects);
    let mut run = Run { out, begun, at: 0, files, group: Done::default(), done };
    while let Some(batch) = run.next_batch(&mut reader, before, watch)? {
        let complete = run.files.write(&batch)?;
        run.add(complete);
        watch.tell(Progress { files: run.done, ..before + reader.progress() })?;
    }
    let report = run.finish(options)?;
    Ok((reader.progress(), report))
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
fn versions(source: &Source, resume: bool, lenient: bool, cancel: &Cancel) -> Result<Vec<InputVersion>> {
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
        if resume && !lenient && version.modified_ns.is_none() && version.tag.is_none() {
            return Err(no_version(input));
        }
        let number = source.options().include_id.then_some(input.number);
        versions.push(InputVersion { path, span, version, number });
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
    /// What the earlier run did that still holds, and what does not.
    pub(super) kept: Vec<Done>,
    stale: Vec<Done>,
}

impl Left {
    fn new(out: &Directory, versions: &[InputVersion], earlier: Vec<Done>) -> Result<Self> {
        // An input that is named several times has been done as often.
        let mut known: HashMap<_, Vec<(usize, &DoneInput)>> = HashMap::new();
        for (at, done) in earlier.iter().enumerate() {
            for input in &done.inputs {
                let version = &input.input;
                known.entry((&version.path, version.span)).or_default().push((at, input));
            }
        }
        let mut good = Vec::new();
        if !earlier.is_empty() {
            let size = out.sizes()?;
            // Whether the files are what they were when they were written.
            let is_there = |output: &DoneOutput| size(&from_text(&output.name)) == Some(output.size);
            good.extend(earlier.iter().map(|done| done.outputs.iter().all(is_there)));
        }
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
                out.path.display(),
                input.input.path.trim_start_matches('\0')
            )));
        }
        let is_left = |&input: &usize| !done_in[input].is_some_and(|at: usize| good[at]);
        let mut left = Self { todo: (0..versions.len()).filter(is_left).collect(), ..Self::default() };
        for (done, is_good) in earlier.into_iter().zip(good) {
            if !is_good {
                left.stale.push(done);
                continue;
            }
            left.rows += done.rows();
            left.rejects += done.inputs.iter().map(|input| input.rejects).sum::<u64>();
            left.bytes += done.inputs.iter().filter_map(|input| input.input.version.size).sum::<u64>();
            left.outputs.extend(done.outputs.iter().map(|output| output.name.clone()));
            left.kept.push(done);
        }
        Ok(left)
    }

    /// The number of the first part that comes behind those that stay.
    pub(super) fn next_part(&self) -> usize {
        let last = self.outputs.iter().filter_map(|name| part_number(name)).max();
        last.map_or(0, |last| last + 1)
    }

    /// Refuses inputs whose files would replace those that stay: with other inputs, names may change.
    fn check_names(&self, out: &Directory, names: &[PathBuf]) -> Result<()> {
        let mut todo = self.todo.iter().filter_map(|&at| names.get(at));
        match todo.find(|name| self.outputs.contains(&to_text(name.as_os_str()))) {
            Some(name) => Err(Error::option(format!(
                "{}: an earlier run made this file of another input",
                out.file(name).display()
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
    out: &'a Directory,
    begun: Begun,
    /// Which of the inputs that are left is being read.
    at: usize,
    files: Files<'a>,
    /// What the next line of the manifest will say.
    group: Done,
    /// How many inputs the manifest has.
    done: u64,
}

impl Run<'_> {
    fn add(&mut self, complete: impl IntoIterator<Item = Written>) {
        for Written { path, bytes, rows, .. } in complete {
            let name = to_text(path.strip_prefix(&self.out.path).unwrap_or(&path).as_os_str());
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

    fn end_input(&mut self, Ended { rows, rejects }: Ended, progress: Progress) -> Result<()> {
        let input = self.begun.versions[self.begun.left.todo[self.at]].clone();
        self.group.inputs.push(DoneInput { input, rows, rejects });
        self.at += 1;
        if self.begun.names.is_some() {
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
        let next = self.begun.left.todo.get(self.at);
        let Some(size) = next.and_then(|&next| self.begun.versions[next].version.size) else { return true };
        let rows = u128::from(size) * u128::from(progress.rows) / u128::from(progress.bytes.max(1));
        rows <= room as u128
    }

    /// Puts the files of the inputs so far in their places, and says so.
    fn end_group(&mut self) -> Result<()> {
        let complete = self.files.finish()?;
        self.add(complete);
        if self.group.inputs.is_empty() {
            return Ok(());
        }
        self.done += self.group.inputs.len() as u64;
        self.begun.manifest.done(&std::mem::take(&mut self.group))
    }

    /// Ends the last group and the run. Where there is no part yet, there will be one, without rows.
    fn finish(mut self, options: &WriteOptions) -> Result<Report> {
        let Begun { names, left, .. } = &self.begun;
        if names.is_none() && left.outputs.is_empty() && self.files.report.outputs.is_empty() {
            self.files.begin()?;
        }
        self.end_group()?;
        let Self { out, mut begun, files: Files { report, .. }, .. } = self;
        if options.overwrite && begun.names.is_none() {
            remove_parts(out, |number| number < report.outputs.len())?;
        }
        if options.sync {
            directories(out, &begun.names)?.iter().try_for_each(Directory::sync)?;
        }
        begun.manifest.finish()?;
        Ok(report)
    }
}
