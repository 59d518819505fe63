//! The inputs that a name stands for.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::{Input, Place, walk};
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
/// - Any other name is that of a file. It may be a URL that begins with `file://`. `~/` is the home directory.
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
        None => files(&local(name))?,
    };
    Ok(inputs.into_iter().map(|input| input.with_cancel(cancel.clone())).collect())
}

/// The objects that a URL stands for.
fn objects(url: &Url, cancel: &Cancel) -> Result<Vec<Input>> {
    let name = Path::new(&*url.name);
    let list = |directory: &Url| list(directory, cancel).map_err(|error| Error::io(name, error));
    let key = url.key();
    // What a search in `directory` found.
    let all = |objects: Vec<(Url, Stat)>, directory: &str| {
        let found = |key: &str| key.get(directory.len()..).unwrap_or_default().split('/').count();
        let input = |(url, stat): (Url, Stat)| {
            let found = found(url.key());
            Input { found, ..Input::remote(url, Some(stat)) }
        };
        objects.into_iter().map(input).collect()
    };
    if url.kind == Kind::Http && !key.ends_with('/') {
        return Ok(vec![Input::remote(url.clone(), None)]);
    }
    if let Some(special) = key.find(['*', '?', '[']) {
        let pattern = Pattern::new(key)
            .map_err(|error| Error::option(format!("{url}: not a pattern: {error}", url = url.name)))?;
        let directory = key[..special].rfind('/').map_or("", |slash| &key[..=slash]);
        let mut objects = list(&url.with_key(directory))?;
        // A key may look like a pattern.
        if objects.iter().any(|(object, _)| object.key() == key) {
            objects.retain(|(object, _)| object.key() == key);
        } else {
            let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
            objects.retain(|(object, _)| pattern.matches_with(object.key(), options));
        }
        if objects.is_empty() {
            return Err(not_found(name, "no object matches this pattern"));
        }
        return Ok(all(objects, directory));
    }
    if url.is_prefix() {
        let mut objects = list(url)?;
        let start = key.len();
        objects.retain(|(object, _)| {
            let below = object.key().get(start..).unwrap_or_default();
            is_known(Path::new(below)) && !below.split('/').any(|part| part.starts_with('.'))
        });
        if objects.is_empty() {
            let (extensions, directory) = (EXTENSIONS.join(", *."), url.name.trim_end_matches('/'));
            let message = format!(
                "no MessagePack object (*.{extensions}) is below it; a pattern such as `{directory}/*` takes other names"
            );
            return Err(not_found(name, &message));
        }
        return Ok(all(objects, key));
    }
    Ok(vec![Input::remote(url.clone(), None)])
}

fn files(name: &Path) -> Result<Vec<Input>> {
    if name == Path::new("-") {
        return Ok(vec![Input::stdin()]);
    }
    let error = match std::fs::metadata(name) {
        Ok(metadata) if metadata.is_dir() => {
            let paths = walk::directory(name)?;
            if paths.is_empty() {
                let (extensions, all) = (EXTENSIONS.join(", *."), name.join("*"));
                let message = format!(
                    "the directory holds no MessagePack file (*.{extensions}); a pattern such as `{}` takes other names",
                    all.display()
                );
                return Err(not_found(name, &message));
            }
            return Ok(paths.into_iter().map(|path| Input::file(path).found_in(name)).collect());
        }
        Ok(_) => return Ok(vec![Input::path(name)]),
        Err(error) => Error::io(name, error),
    };
    let Some(pattern) = name.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return Err(error);
    };
    let (base, paths) = (walk::base(pattern), walk::matches(pattern)?);
    if paths.is_empty() {
        return Err(not_found(name, "no file matches this pattern"));
    }
    Ok(paths.into_iter().map(|path| Input::path(path).found_in(&base)).collect())
}

fn not_found(name: &Path, message: &str) -> Error {
    Error::io(name, io::Error::new(io::ErrorKind::NotFound, message))
}

/// The path that a `file://` URL stands for, or a name in the home directory that begins with `~/`. Other names are left as they
/// are.
pub(crate) fn local(name: &Path) -> PathBuf {
    let below = name.to_str().and_then(|text| text.strip_prefix('~'));
    if let (Some(below), Some(home)) = (below, std::env::home_dir())
        && (below.is_empty() || below.starts_with(std::path::is_separator))
    {
        let mut path = home.into_os_string();
        path.push(below);
        return path.into();
    }
    let is_prefix = |text: &str| text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("file://"));
    let Some(rest) = name.to_str().filter(|text| is_prefix(text)).map(|text| &text[7..]) else {
        return name.to_owned();
    };
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') {
        // A path of another host.
        return name.to_owned();
    }
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.as_bytes();
    while let Some((&first, behind)) = left.split_first() {
        let escaped = (first == b'%').then(|| std::str::from_utf8(behind.get(..2)?).ok()).flatten();
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        left = if escaped.is_some() { &behind[2..] } else { behind };
    }
    // On Windows a drive follows the slash.
    let start = usize::from(cfg!(windows) && bytes.get(2) == Some(&b':'));
    match String::from_utf8(bytes) {
        Ok(path) => PathBuf::from(&path[start..]),
        Err(_) => name.to_owned(),
    }
}

/// The name of a file without its extension, and without the extension of a compressed file behind it.
pub(super) fn stem(name: &OsStr) -> Option<PathBuf> {
    let name = Path::new(name);
    let stem = match is_one_of(name, &COMPRESSED) {
        true => Path::new(name.file_stem()?).file_stem(),
        false => name.file_stem(),
    };
    stem.map(PathBuf::from)
}

/// Gives each input its place in a directory of outputs: its path below the directory that all inputs share. An input that was
/// found in a directory, or by a pattern, keeps its path from there on. Files and objects have a directory each.
pub(crate) fn mirrored(inputs: Vec<Input>) -> Vec<Input> {
    let paths: Vec<Vec<OsString>> = inputs.iter().map(components).collect();
    let root = |(input, path): (&Input, &Vec<OsString>)| path.len().saturating_sub(input.found);
    let mut shared: [Option<&[OsString]>; 2] = [None, None];
    for (input, path) in inputs.iter().zip(&paths).filter(|(_, path)| !path.is_empty()) {
        let place = &mut shared[usize::from(input.as_url().is_some())];
        let root = &path[..root((input, path))];
        let before = place.unwrap_or(root);
        let alike = before.iter().zip(root).take_while(|(one, other)| one == other).count();
        *place = Some(&before[..alike]);
    }
    let lengths = shared.map(|shared| shared.map_or(0, <[OsString]>::len));
    let place = |(input, path): (Input, &Vec<OsString>)| {
        let below = path.get(lengths[usize::from(input.as_url().is_some())]..).unwrap_or_default();
        let stem = below
            .split_last()
            .and_then(|(name, directories)| Some(PathBuf::from_iter(directories).join(stem(name)?)));
        match stem {
            Some(stem) => input.with_stem(&stem),
            None => input,
        }
    };
    inputs.into_iter().zip(&paths).map(place).collect()
}

/// The components of the path from the root on, without `.` and `..`; of an object, of its URL. None for other inputs.
fn components(input: &Input) -> Vec<OsString> {
    let path = match &input.place {
        Place::Path(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        Place::Remote(remote) => {
            let (base, key) = (remote.url.base(), remote.url.key());
            return std::iter::once(base).chain(key.split('/')).map(OsString::from).collect();
        }
        Place::Bytes(_) | Place::Stream(_) => return Vec::new(),
    };
    let mut components = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => components.push(name.to_owned()),
            Component::ParentDir => drop(components.pop()),
            Component::Prefix(prefix) => components.push(prefix.as_os_str().to_owned()),
            Component::CurDir | Component::RootDir => {}
        }
    }
    components
}

/// True for a name with one of the [`EXTENSIONS`], also with that of a compressed file behind it.
pub(super) fn is_known(path: &Path) -> bool {
    is_one_of(path, &EXTENSIONS)
        || is_one_of(path, &COMPRESSED)
            && path.file_stem().is_some_and(|stem| is_one_of(Path::new(stem), &EXTENSIONS))
}

fn is_one_of(path: &Path, known: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| known.iter().any(|known| found.eq_ignore_ascii_case(known)))
}
