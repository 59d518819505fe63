//! The files below a directory, or those that match a pattern, each of them once.
//!
//! A directory that links lead to has several names, in a loop any number of them. So what is remembered is where a directory is, and
//! which steps of the pattern were taken from there: what comes of that is the same under any name. Links come last, and so a
//! file has the name without links if there is one.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use glob::Pattern;

use super::discover::is_known;
use crate::error::{Error, Result};

/// What a path goes on with.
enum Step {
    /// This name, which need not be looked for.
    Literal(OsString),
    /// Names that match.
    Wild(Pattern),
    /// Any number of directories; hidden ones only if so.
    Below { hidden: bool },
    /// Files with the name of an input.
    Known,
}

/// The files below `root` that have names of inputs, sorted by path; hidden ones are left out.
pub(super) fn directory(root: &Path) -> Result<Vec<PathBuf>> {
    Walk::new(vec![Step::Below { hidden: false }, Step::Known]).files(root)
}

/// The files that match, sorted by path.
pub(super) fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let not_one = |error| Error::option(format!("{pattern}: not a pattern: {error}"));
    Pattern::new(pattern).map_err(not_one)?;
    let mut start = PathBuf::new();
    let mut steps = Vec::new();
    let is_root = |part: &std::path::Component<'_>| {
        matches!(part, std::path::Component::Prefix(_) | std::path::Component::RootDir)
    };
    start.extend(Path::new(pattern).components().take_while(is_root));
    for part in pattern.get(start.as_os_str().len()..).unwrap_or_default().split(std::path::is_separator) {
        match part {
            "" | "." => {}
            "**" => steps.push(Step::Below { hidden: true }),
            _ if part.contains(['*', '?', '[']) => {
                steps.push(Step::Wild(Pattern::new(part).map_err(not_one)?));
            }
            _ if steps.is_empty() => start.push(part),
            _ => steps.push(Step::Literal(part.into())),
        }
    }
    // Behind a separator there is no file.
    if pattern.ends_with(std::path::is_separator) || !here(&start).is_dir() {
        return Ok(Vec::new());
    }
    Walk::new(steps).files(&start)
}

/// What the empty path of names in the current directory stands for.
fn here(path: &Path) -> &Path {
    if path == Path::new("") { Path::new(".") } else { path }
}

/// A directory, and the step that is taken from there.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Stop {
    path: PathBuf,
    step: usize,
    /// Where it is, without links.
    place: Rc<Path>,
}

struct Found {
    path: PathBuf,
    /// The place of its directory.
    directory: Rc<Path>,
    is_link: bool,
}

struct Walk {
    steps: Vec<Step>,
    seen: HashSet<(Rc<Path>, usize)>,
    /// The directories from which all below is walked, and those around them.
    around: HashSet<PathBuf>,
    stops: Vec<Stop>,
    links: BTreeSet<Stop>,
    found: Vec<Found>,
}

impl Walk {
    fn new(steps: Vec<Step>) -> Self {
        Self {
            steps,
            seen: HashSet::new(),
            around: HashSet::new(),
            stops: Vec::new(),
            links: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    fn files(mut self, start: &Path) -> Result<Vec<PathBuf>> {
        let place = canonical(here(start))?;
        self.arrive(Stop { path: start.to_owned(), step: 0, place: place.into() }, false);
        while let Some(stop) = self.stops.pop().or_else(|| self.links.pop_first()) {
            self.go_on(&stop)?;
        }
        let mut paths = named_once(self.found);
        paths.sort();
        Ok(paths)
    }

    /// Plans to go on from a directory that was come to by a name of its own.
    fn arrive(&mut self, stop: Stop, is_link: bool) {
        if let Some(Step::Below { .. }) = self.steps.get(stop.step) {
            for above in stop.place.ancestors() {
                if !self.around.insert(above.to_owned()) {
                    break;
                }
            }
        }
        self.plan(stop, is_link);
    }

    fn plan(&mut self, stop: Stop, is_link: bool) {
        if is_link {
            self.links.insert(stop);
        } else {
            self.stops.push(stop);
        }
    }

    /// Takes the steps that can be taken from here.
    fn go_on(&mut self, stop: &Stop) -> Result<()> {
        let mut steps = Vec::new();
        for step in stop.step..self.steps.len() {
            if self.seen.insert((stop.place.clone(), step)) {
                match &self.steps[step] {
                    Step::Literal(name) => {
                        let path = stop.path.join(name);
                        if let Ok(metadata) = fs::symlink_metadata(&path) {
                            self.take(stop, step, path, metadata.file_type())?;
                        }
                    }
                    _ => steps.push(step),
                }
            }
            // Any number of directories may be none.
            if !matches!(self.steps[step], Step::Below { .. }) {
                break;
            }
        }
        if steps.is_empty() {
            return Ok(());
        }
        let directory = here(&stop.path);
        for entry in fs::read_dir(directory).map_err(|error| Error::io(directory, error))? {
            let entry = entry.map_err(|error| Error::io(directory, error))?;
            let name = entry.file_name();
            let path = stop.path.join(&name);
            let file_type = entry.file_type().map_err(|error| Error::io(&path, error))?;
            for &step in &steps {
                let fits = match &self.steps[step] {
                    Step::Literal(_) => false,
                    Step::Wild(pattern) => pattern.matches(&name.to_string_lossy()),
                    Step::Below { hidden } => *hidden || !is_hidden(&name),
                    Step::Known => !is_hidden(&name) && is_known(&path),
                };
                if fits {
                    self.take(stop, step, path.clone(), file_type)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a step to `path`, which fits it.
    fn take(&mut self, from: &Stop, step: usize, path: PathBuf, file_type: FileType) -> Result<()> {
        let is_link = file_type.is_symlink();
        let (is_directory, is_file) = if is_link {
            match (fs::metadata(&path), &self.steps[step]) {
                (Ok(metadata), _) => (metadata.is_dir(), metadata.is_file()),
                // It leads nowhere, or it has the name of an input that is missing.
                (Err(error), Step::Known) => return Err(Error::io(&path, error)),
                (Err(error), Step::Below { hidden: false }) if !leads_nowhere(&error) => {
                    return Err(Error::io(&path, error));
                }
                // Who opens it will say so.
                (Err(_), _) => (false, false),
            }
        } else {
            (file_type.is_dir(), file_type.is_file())
        };
        let is_below = matches!(self.steps[step], Step::Below { .. });
        let next = if is_below { step } else { step + 1 };
        if next == self.steps.len() {
            if !is_directory && (is_file || !matches!(self.steps[step], Step::Known)) {
                self.found.push(Found { path, directory: from.place.clone(), is_link });
            }
            return Ok(());
        }
        if !is_directory {
            return Ok(());
        }
        let place: Rc<Path> = match path.file_name() {
            Some(name) if !is_link => from.place.join(name).into(),
            _ => canonical(&path)?.into(),
        };
        if !is_below {
            self.arrive(Stop { path, step: next, place }, is_link);
        } else if !is_link || !from.place.starts_with(&place) && !self.around.contains(&*place) {
            self.plan(Stop { path, step: next, place }, is_link);
        }
        Ok(())
    }
}

/// Leaves out links to files that are there under their own names as well.
fn named_once(found: Vec<Found>) -> Vec<PathBuf> {
    let mut own = HashSet::new();
    if found.iter().any(|file| file.is_link) {
        let files = found.iter().filter(|file| !file.is_link);
        own.extend(files.filter_map(|file| Some(file.directory.join(file.path.file_name()?))));
    }
    let is_wanted = |file: &Found| {
        !file.is_link || fs::canonicalize(&file.path).map_or(true, |place| !own.contains(&place))
    };
    found.into_iter().filter(is_wanted).map(|file| file.path).collect()
}

fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|error| Error::io(path, error))
}

/// True for the error of a link that has no end, or none that is there.
fn leads_nowhere(error: &io::Error) -> bool {
    #[cfg(unix)]
    let leads_to_itself = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    #[cfg(not(unix))]
    let leads_to_itself = false;
    leads_to_itself || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
