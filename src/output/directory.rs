//! Directories that outputs go to: of the file system, or what the keys of objects in a store begin with.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{as_url, check_target, refused};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::store::{Url, list, remove};

/// True for what is a directory of outputs: it is one, ends in `/`, or has no extension.
pub(crate) fn is_directory(out: &Path) -> bool {
    let ends_in_separator =
        out.as_os_str().as_encoded_bytes().last().is_some_and(|&byte| std::path::is_separator(byte.into()));
    match as_url(out) {
        Some(Ok(url)) => url.is_prefix() || out.extension().is_none(),
        _ => ends_in_separator || out.is_dir() || (out.extension().is_none() && !out.exists()),
    }
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

/// The names of the files in it; of a store, also those of the objects below.
pub(crate) fn names(directory: &Path, cancel: &Cancel) -> Result<Vec<String>> {
    let failure = |error| super::error(directory, error);
    if let Some(url) = as_url(directory) {
        let url = below(&url?);
        let objects = list(&url, cancel).map_err(failure)?;
        let names = objects.iter().filter_map(|(object, _)| object.key().strip_prefix(url.key()));
        return Ok(names.map(str::to_owned).collect());
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

/// Removes a file of it.
pub(crate) fn remove_file(path: &Path, cancel: &Cancel) -> Result<()> {
    let removed = match as_url(path) {
        Some(url) => remove(&url?, cancel),
        None => fs::remove_file(path),
    };
    removed.map_err(|error: io::Error| super::error(path, error))
}

/// What the keys of the objects in it begin with.
fn below(url: &Url) -> Url {
    match url.key() {
        key if key.is_empty() || key.ends_with('/') => url.clone(),
        key => url.with_key(&format!("{key}/")),
    }
}
