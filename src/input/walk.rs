//! The files in a directory, or those that match a pattern. `walkdir` finds them, and this file
//! drops the second names that symbolic links give to a file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf, is_separator};

use glob::{MatchOptions, Pattern};
use walkdir::{DirEntry, WalkDir};

use super::discover::is_known;
use crate::error::{Error, Result};

/// A name of a file.
struct Name {
    path: PathBuf,
    is_link: bool,
    /// False for a FIFO or a device, and for a link that leads nowhere.
    is_file: bool,
}

/// The files below `root` that have names of inputs, sorted by path. Hidden ones are left out.
pub(super) fn directory(root: &Path) -> Result<Vec<PathBuf>> {
    let mut linked = HashSet::new();
    let is_hidden =
        |entry: &Path| entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut names = below(root, |path| !is_hidden(path), |place| linked.insert(place))?;
    names.retain(|name| is_known(&name.path));
    for dangling in names.iter().filter(|name| name.is_link && !name.is_file) {
        fs::metadata(&dangling.path).map_err(|error| Error::io(&dangling.path, error))?;
    }
    names.retain(|name| name.is_file);
    once(root, names)
}

/// The files that match `pattern`, sorted by path.
///
/// Each component in front of `**` is looked up by itself: a link that the pattern names is
/// followed wherever it leads.
pub(super) fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let parse = |text: &str| {
        Pattern::new(text).map_err(|error| Error::option(format!("{pattern}: not a pattern: {error}")))
    };
    parse(pattern)?;
    let (_, rest) = pattern.split_at(base_length(pattern));
    let base = base(pattern);
    // No file stands behind a separator.
    if pattern.ends_with(is_separator) || !here(&base).is_dir() {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = rest.split(is_separator).filter(|part| !matches!(*part, "" | ".")).collect();
    let explicit = parts.iter().position(|part| *part == "**").unwrap_or(parts.len());
    let mut paths = vec![base.clone()];
    for (index, part) in parts[..explicit].iter().enumerate() {
        let mut next = Vec::new();
        for directory in &paths {
            next.extend(children(directory, part, &parse(part)?)?);
        }
        next.retain(|path| path.is_dir() == (index + 1 < parts.len()));
        paths = next;
    }
    if explicit == parts.len() {
        let name = |path: PathBuf| Name { is_link: path.is_symlink(), is_file: true, path };
        return once(&base, paths.into_iter().map(name).collect());
    }
    let tail = parse(&parts[explicit..].join("/"))?;
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let mut names = Vec::new();
    for start in &paths {
        let fits = |name: &Name| {
            let relative = name.path.strip_prefix(start).unwrap_or(&name.path);
            tail.matches_with(&relative.to_string_lossy(), options)
        };
        names.extend(below(start, |_| true, |_| true)?.into_iter().filter(fits));
    }
    once(&base, names)
}

/// The directory in which a pattern is looked for. Collected from its components, it has no `.` and no doubled separators.
pub(super) fn base(pattern: &str) -> PathBuf {
    Path::new(&pattern[..base_length(pattern)]).components().collect()
}

fn base_length(pattern: &str) -> usize {
    let special = pattern.find(is_special).unwrap_or(pattern.len());
    pattern[..special].rfind(is_separator).map_or(0, |at| at + 1)
}

fn is_special(letter: char) -> bool {
    matches!(letter, '*' | '?' | '[')
}

/// The entries of `directory` that match one component of a pattern.
fn children(directory: &Path, part: &str, pattern: &Pattern) -> Result<Vec<PathBuf>> {
    if !part.contains(is_special) {
        let path = directory.join(part);
        return Ok(if fs::symlink_metadata(&path).is_ok() { vec![path] } else { Vec::new() });
    }
    let mut children = Vec::new();
    for entry in WalkDir::new(here(directory)).min_depth(1).max_depth(1) {
        let entry = entry.map_err(|error| Error::from(io::Error::from(error)))?;
        if pattern.matches(&entry.file_name().to_string_lossy()) {
            children.push(directory.join(entry.file_name()));
        }
    }
    Ok(children)
}

/// The files below `start`, also those in linked directories.
///
/// A link to a directory that contains the link or `start` is not followed. `enter` decides about
/// every other link to a directory, given where it leads.
fn below(
    start: &Path,
    is_wanted: impl Fn(&Path) -> bool,
    mut enter: impl FnMut(PathBuf) -> bool,
) -> Result<Vec<Name>> {
    let place = canonical(here(start))?;
    let leads_on = |entry: &DirEntry| {
        if entry.depth() == 0 || !entry.path_is_symlink() || !entry.file_type().is_dir() {
            return entry.depth() == 0 || is_wanted(entry.path());
        }
        let directory = entry.path().parent().and_then(|parent| fs::canonicalize(parent).ok());
        let (Some(directory), Ok(target)) = (directory, fs::canonicalize(entry.path())) else { return true };
        let leads_back = place.starts_with(&target) || directory.starts_with(&target);
        is_wanted(entry.path()) && !leads_back && enter(target)
    };
    let mut names = Vec::new();
    let walk = WalkDir::new(here(start)).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(leads_on) {
        let (path, is_link, is_file) = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => (entry.path().to_owned(), entry.path_is_symlink(), entry.file_type().is_file()),
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => {
                let path = error.path().unwrap_or(start).to_owned();
                let cause = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
                match leads_nowhere(&cause) && path.is_symlink() {
                    true if is_wanted(&path) => (path, true, false),
                    true => continue,
                    false => return Err(Error::io(&path, cause)),
                }
            }
        };
        let relative = path.strip_prefix(here(start)).unwrap_or(&path);
        names.push(Name { path: start.join(relative), is_link, is_file });
    }
    Ok(names)
}

/// The paths of `names`, sorted, with one name for each file that lies below `base`.
///
/// Of several names that lead to one entry of a directory, the name without links counts, or else
/// the first one. A link to a file that is there under its own name is dropped.
fn once(base: &Path, names: Vec<Name>) -> Result<Vec<PathBuf>> {
    let base_place = canonical(here(base))?;
    let mut places: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut files: BTreeMap<PathBuf, (bool, PathBuf, bool)> = BTreeMap::new();
    for Name { path, is_link, .. } in names {
        let (Some(directory), Some(file)) = (path.parent(), path.file_name()) else { continue };
        if !places.contains_key(directory) {
            places.insert(directory.to_owned(), canonical(here(directory))?);
        }
        let place = &places[directory];
        let is_linked = base_place.join(directory.strip_prefix(base).unwrap_or(directory)) != *place;
        let name = (is_linked, path.clone(), is_link);
        let best = files.entry(place.join(file)).or_insert_with(|| name.clone());
        *best = name.min(best.clone());
    }
    let is_second = |path: &Path| {
        let file = fs::canonicalize(path).ok().and_then(|target| files.get(&target));
        file.is_some_and(|(_, _, is_link)| !is_link)
    };
    let own = files.values().filter(|(_, path, is_link)| !is_link || !is_second(path));
    let mut paths: Vec<PathBuf> = own.map(|(_, path, _)| path.clone()).collect();
    paths.sort();
    Ok(paths)
}

/// An empty path stands for the current directory.
fn here(path: &Path) -> &Path {
    if path == Path::new("") { Path::new(".") } else { path }
}

fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|error| Error::io(path, error))
}

/// True for the error of a link whose target is missing, or is the link itself.
fn leads_nowhere(error: &io::Error) -> bool {
    #[cfg(unix)]
    let leads_to_itself = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    #[cfg(not(unix))]
    let leads_to_itself = false;
    leads_to_itself || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
