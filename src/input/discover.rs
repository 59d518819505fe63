//! The inputs that a name stands for.

use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::{Input, walk};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::store::{Kind, Stat, Url, list};

/// The file name extensions that a directory is searched for.
pub const EXTENSIONS: [&str; 5] = ["msgpack", "messagepack", "mpack", "msg", "mp"];

/// The extensions of compressed files, which may follow them.
const COMPRESSED: [&str; 3] = ["gz", "zst", "lz4"];

/// The inputs that `name` stands for.
///
/// - `-` is standard input.
/// - A directory stands for the MessagePack files in it and below: those with one of the
///   [`EXTENSIONS`], also with `.gz`, `.zst` or `.lz4` behind it. Hidden ones are left out.
/// - A pattern with `*`, `?` or `[...]` stands for the files that match.
/// - Any other name is that of a file.
///
/// Directories and patterns give their files sorted by path. URLs of object stores follow the same
/// rules; a URL that ends in `/` is a directory. Only lists are requested from the server.
pub fn discover(name: &Path) -> Result<Vec<Input>> {
    discover_until(name, &Cancel::never())
}

/// The same inputs. `cancel` ends the wait for a server, now and when they are read.
pub(crate) fn discover_until(name: &Path, cancel: &Cancel) -> Result<Vec<Input>> {
    let inputs = match name.to_str().and_then(Url::parse) {
        Some(url) => objects(&url?, cancel)?,
        None => files(name)?,
    };
    Ok(inputs.into_iter().map(|input| input.with_cancel(cancel.clone())).collect())
}

/// The objects that a URL stands for.
fn objects(url: &Url, cancel: &Cancel) -> Result<Vec<Input>> {
    let name = Path::new(&**url.name());
    let list = |directory: &Url| list(directory, cancel).map_err(|error| Error::io(name, error));
    let none = |message: String| Err(Error::io(name, io::Error::new(io::ErrorKind::NotFound, message)));
    let all = |objects: Vec<(Url, Stat)>| {
        objects.into_iter().map(|(url, stat)| Input::remote(url, Some(stat))).collect()
    };
    let key = url.key();
    if url.kind() == Kind::Http && !key.ends_with('/') {
        return Ok(vec![Input::remote(url.clone(), None)]);
    }
    if let Some(special) = key.find(['*', '?', '[']) {
        let pattern = Pattern::new(key)
            .map_err(|error| Error::option(format!("{url}: not a pattern: {error}", url = url.name())))?;
        let directory = key[..special].rfind('/').map_or("", |slash| &key[..=slash]);
        let mut objects = list(&url.with_key(directory))?;
        // A key may look like a pattern.
        if objects.iter().any(|(object, _)| object.key() == key) {
            objects.retain(|(object, _)| object.key() == key);
        } else {
            let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
            objects.retain(|(object, _)| pattern.matches_with(object.key(), options));
        }
        return if objects.is_empty() {
            none("no object matches this pattern".to_owned())
        } else {
            Ok(all(objects))
        };
    }
    if url.is_prefix() {
        let mut objects = list(url)?;
        let start = key.len();
        objects.retain(|(object, _)| {
            let below = object.key().get(start..).unwrap_or_default();
            is_known(Path::new(below)) && !below.split('/').any(|part| part.starts_with('.'))
        });
        if objects.is_empty() {
            let extensions = EXTENSIONS.join(", *.");
            return none(format!(
                "no MessagePack object (*.{extensions}) is below it; a pattern such as `{name}/*` takes other names",
                name = url.name().trim_end_matches('/')
            ));
        }
        return Ok(all(objects));
    }
    Ok(vec![Input::remote(url.clone(), None)])
}

fn files(name: &Path) -> Result<Vec<Input>> {
    if name == Path::new("-") {
        return Ok(vec![Input::stdin()]);
    }
    let error = match std::fs::metadata(name) {
        Ok(metadata) if metadata.is_dir() => {
            return Ok(directory(name)?.into_iter().map(Input::file).collect());
        }
        Ok(_) => return Ok(vec![Input::path(name)]),
        Err(error) => Error::io(name, error),
    };
    match name.to_str().filter(|text| text.contains(['*', '?', '['])) {
        Some(pattern) => Ok(matches(pattern)?.into_iter().map(Input::path).collect()),
        None => Err(error),
    }
}

fn directory(root: &Path) -> Result<Vec<PathBuf>> {
    let paths = walk::directory(root)?;
    if paths.is_empty() {
        let message = format!(
            "the directory holds no MessagePack file (*.{}); a pattern such as `{}` takes other names",
            EXTENSIONS.join(", *."),
            root.join("*").display()
        );
        return Err(Error::io(root, io::Error::new(io::ErrorKind::NotFound, message)));
    }
    Ok(paths)
}

/// True for a name with one of the [`EXTENSIONS`], also with that of a compressed file behind it.
pub(super) fn is_known(path: &Path) -> bool {
    let is_one_of = |path: &Path, known: &[&str]| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|found| known.iter().any(|known| found.eq_ignore_ascii_case(known)))
    };
    is_one_of(path, &EXTENSIONS)
        || is_one_of(path, &COMPRESSED)
            && path.file_stem().is_some_and(|stem| is_one_of(Path::new(stem), &EXTENSIONS))
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    let paths = walk::matches(pattern)?;
    if paths.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "no file matches this pattern");
        return Err(Error::io(Path::new(pattern), error));
    }
    Ok(paths)
}
