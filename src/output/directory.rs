//! Directories that outputs go to: of the file system, or what the keys of objects in a store begin with.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{as_url, check_target, refused, sync_directory};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::store::{Stat, Url, end_uploads, list, remove};

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
#[cfg(feature = "cli")]
pub(crate) fn is_remote(directory: &Path) -> bool {
    as_url(directory).is_some()
}

/// A directory that outputs go to. Its files have names that begin at it.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    /// What the keys of its objects begin with, if it is one of a store.
    pub(crate) store: Option<Url>,
    /// Ends every wait for a store.
    pub(crate) cancel: Cancel,
}

impl Directory {
    pub(crate) fn new(path: &Path, cancel: &Cancel) -> Result<Self> {
        let store = as_url(path).transpose()?.map(|url| match url.key() {
            key if key.is_empty() || key.ends_with('/') => url.clone(),
            key => url.with_key(&format!("{key}/")),
        });
        Ok(Self { path: path.to_owned(), store, cancel: cancel.clone() })
    }

    /// The path of the file `name`.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        let name = name.as_ref();
        match (&self.store, self.path.to_str()) {
            (Some(_), Some(text)) => format!("{}/{}", text.trim_end_matches('/'), name.display()).into(),
            _ => self.path.join(name),
        }
    }

    fn error(&self, error: io::Error) -> Error {
        super::error(&self.path, error)
    }

    /// Makes it, where a directory has to be made.
    pub(crate) fn create(&self) -> Result<()> {
        match self.store {
            Some(_) => Ok(()),
            None => fs::create_dir_all(&self.path).map_err(|error| self.error(error)),
        }
    }

    /// Removes what earlier runs left that died. No other run may write to it now.
    pub(crate) fn sweep(&self) -> Result<()> {
        match &self.store {
            Some(url) => end_uploads(url, &self.cancel).map_err(|error| self.error(error)),
            None => {
                super::sweep(&self.path);
                Ok(())
            }
        }
    }

    /// A function that gives the size of a file, if it is there. A store lists all of them now, a file is looked at then.
    pub(crate) fn sizes(&self) -> Result<impl Fn(&Path) -> Option<u64> + '_> {
        let listed = self.store.as_ref().map(|url| self.objects(url)).transpose()?;
        let objects: Option<HashMap<String, u64>> = listed.map(Iterator::collect);
        Ok(move |name: &Path| match &objects {
            Some(sizes) => sizes.get(name.to_str()?).copied(),
            None => {
                let metadata = fs::metadata(self.path.join(name)).ok();
                metadata.filter(fs::Metadata::is_file).map(|metadata| metadata.len())
            }
        })
    }

    /// The objects below `url`, with their sizes.
    fn objects(&self, url: &Url) -> Result<impl Iterator<Item = (String, u64)> + use<>> {
        let listed = list(url, &self.cancel).map_err(|error| self.error(error))?;
        let start = url.key().to_owned();
        let named = move |(object, stat): (Url, Stat)| {
            Some((object.key().strip_prefix(&start)?.to_owned(), stat.size))
        };
        Ok(listed.into_iter().filter_map(named))
    }

    /// The names of the files in it; of a store, also those of the objects below.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        if let Some(url) = &self.store {
            return Ok(self.objects(url)?.map(|(name, _)| name).collect());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|error| self.error(error))? {
            names.extend(entry.map_err(|error| self.error(error))?.file_name().into_string());
        }
        Ok(names)
    }

    /// Refuses files that cannot or must not be replaced, before any work is done.
    pub(crate) fn check_targets(&self, names: &[PathBuf], overwrite: bool) -> Result<()> {
        if self.store.is_none() {
            let mut paths = names.iter().map(|name| self.file(name));
            return paths.try_for_each(|path| check_target(&path, overwrite, &self.cancel));
        }
        if overwrite {
            return Ok(());
        }
        let there: HashSet<String> = self.names()?.into_iter().collect();
        let taken = names.iter().find(|name| there.contains(&*name.to_string_lossy()));
        taken.map_or(Ok(()), |name| Err(Error::io(&self.file(name), refused())))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: impl AsRef<Path>) -> Result<()> {
        let path = self.file(name);
        let removed = match as_url(&path) {
            Some(url) => remove(&url?, &self.cancel),
            None => fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(super::error(&path, error)),
            _ => Ok(()),
        }
    }

    /// Waits until the names in it are on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        sync_directory(&self.path, &self.cancel)
    }
}
