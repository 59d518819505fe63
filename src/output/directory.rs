//! Directories that outputs go to: of the file system, or what the keys of objects in a store begin with.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{as_url, check_target, refused};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::store::{Url, end_uploads, list, remove};

/// True for what is a directory of outputs: it is one, ends in `/`, or has no extension.
pub(crate) fn is_directory(out: &Path) -> bool {
    match as_url(out) {
        Some(Ok(url)) => url.is_prefix() || out.extension().is_none(),
        _ => ends_in_separator(out) || out.is_dir() || (out.extension().is_none() && !out.exists()),
    }
}

pub(super) fn ends_in_separator(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|&byte| std::path::is_separator(byte.into()))
}

/// True for one of a store.
pub(crate) fn is_remote(directory: &Path) -> bool {
    as_url(directory).is_some()
}

/// The file `name` in it.
pub(crate) fn join(directory: &Path, name: &Path) -> PathBuf {
    match (as_url(directory), directory.to_str()) {
        (Some(_), Some(text)) => format!("{}/{}", text.trim_end_matches('/'), name.display()).into(),
        _ => directory.join(name),
    }
}

/// The URL that the keys of its objects begin with, if it is one of a store.
pub(crate) fn as_store(directory: &Path) -> Result<Option<Url>> {
    Ok(as_url(directory).transpose()?.map(|url| below(&url)))
}

/// Makes it, where a directory has to be made.
pub(crate) fn create(directory: &Path) -> Result<()> {
    if is_remote(directory) {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(|error| Error::io(directory, error))
}

/// Removes what earlier runs left that died. No other run may write to it now.
pub(crate) fn sweep(directory: &Path, cancel: &Cancel) -> Result<()> {
    match as_store(directory)? {
        Some(url) => end_uploads(&url, cancel).map_err(|error| super::error(directory, error)),
        None => {
            super::sweep(directory);
            Ok(())
        }
    }
}

/// The sizes of the files in it. A store lists them once, a file is looked at when it is asked for.
pub(crate) enum Sizes<'a> {
    Files(&'a Path),
    Objects(HashMap<String, u64>),
}

impl<'a> Sizes<'a> {
    pub(crate) fn of(directory: &'a Path, cancel: &Cancel) -> Result<Self> {
        match as_store(directory)? {
            Some(url) => Ok(Self::Objects(objects(directory, &url, cancel)?.collect())),
            None => Ok(Self::Files(directory)),
        }
    }

    pub(crate) fn get(&self, name: &Path) -> Option<u64> {
        match self {
            Self::Files(directory) => {
                let metadata = fs::metadata(directory.join(name)).ok();
                metadata.filter(fs::Metadata::is_file).map(|metadata| metadata.len())
            }
            Self::Objects(sizes) => sizes.get(name.to_str()?).copied(),
        }
    }
}

/// The objects below `url`, with their sizes.
fn objects(
    directory: &Path,
    url: &Url,
    cancel: &Cancel,
) -> Result<impl Iterator<Item = (String, u64)> + use<>> {
    let listed = list(url, cancel).map_err(|error| super::error(directory, error))?;
    let start = url.key().to_owned();
    Ok(listed
        .into_iter()
        .filter_map(move |(object, stat)| Some((object.key().strip_prefix(&start)?.to_owned(), stat.size))))
}

/// The names of the files in it; of a store, also those of the objects below.
pub(crate) fn names(directory: &Path, cancel: &Cancel) -> Result<Vec<String>> {
    let failure = |error| super::error(directory, error);
    if let Some(url) = as_store(directory)? {
        return Ok(objects(directory, &url, cancel)?.map(|(name, _)| name).collect());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failure)? {
        names.extend(entry.map_err(failure)?.file_name().into_string());
    }
    Ok(names)
}

/// Refuses files in it that cannot or must not be replaced, before any work is done.
pub(crate) fn check_targets(
    directory: &Path,
    files: &[PathBuf],
    overwrite: bool,
    cancel: &Cancel,
) -> Result<()> {
    if as_url(directory).is_none() {
        return files.iter().try_for_each(|path| check_target(path, overwrite, cancel));
    }
    if overwrite {
        return Ok(());
    }
    let names: HashSet<String> = names(directory, cancel)?.into_iter().collect();
    let start = join(directory, Path::new(""));
    let name = |path: &PathBuf| path.to_str()?.strip_prefix(start.to_str()?).map(str::to_owned);
    let taken = files.iter().find(|path| name(path).is_some_and(|name| names.contains(&name)));
    taken.map_or(Ok(()), |path| Err(Error::io(path, refused())))
}

/// Removes a file of it, if it is there.
pub(crate) fn remove_file(path: &Path, cancel: &Cancel) -> Result<()> {
    let removed = match as_url(path) {
        Some(url) => remove(&url?, cancel),
        None => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(super::error(path, error)),
        _ => Ok(()),
    }
}

/// What the keys of the objects in it begin with.
fn below(url: &Url) -> Url {
    match url.key() {
        key if key.is_empty() || key.ends_with('/') => url.clone(),
        key => url.with_key(&format!("{key}/")),
    }
}
