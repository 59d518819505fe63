//! The inputs that the arguments name.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::args::InputArgs;
use super::signals::Signals;
use crate::error::{Error, Result};
use crate::input::{Input, discover_until, mirrored};

/// The inputs that the arguments name. A signal ends the wait for one that does not deliver.
pub(super) fn inputs(args: &InputArgs, signals: &Signals) -> Result<Vec<Input>> {
    let mut names = args.inputs.clone();
    if let Some(list) = &args.files_from {
        names.extend(listed(list)?);
    }
    let is_stdin = |name: &&PathBuf| *name == Path::new("-");
    if names.iter().chain(&args.files_from).filter(is_stdin).count() > 1 {
        return Err(Error::option("standard input can be read only once, and `-` is named twice"));
    }
    let cancel = signals.cancel();
    let mut inputs = Vec::new();
    for name in &names {
        inputs.extend(discover_until(name, &cancel)?);
    }
    if inputs.is_empty() {
        return Err(Error::option("option `files_from`: the list names no input"));
    }
    Ok(mirrored(inputs))
}

/// The names in a list, one a line.
fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    let read = match list == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(list).map(|read| bytes = read),
    };
    read.map_err(|error| Error::io(list, error))?;
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    Ok(lines.filter(|line| !line.is_empty()).map(name).collect())
}

#[cfg(unix)]
fn name(line: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(line))
}

#[cfg(not(unix))]
fn name(line: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(line).into_owned())
}
