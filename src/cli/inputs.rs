//! The inputs that the arguments name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::signals::Signals;
use crate::error::{Error, Result};
use crate::input::{Check, Input, discover_checked};

/// The inputs that the arguments name. A signal ends the wait for one that does not deliver.
pub(super) fn inputs(names: &[PathBuf], signals: &Signals) -> Result<Vec<Input>> {
    if names.iter().filter(|name| *name == Path::new("-")).count() > 1 {
        return Err(Error::option("standard input can be read only once, and `-` is named twice"));
    }
    let interrupt = signals.interrupt();
    let check: Check = Arc::new(move || match interrupt() {
        // Not of the kind `Interrupted`, which asks to try again.
        true => Err(io::Error::other("interrupted")),
        false => Ok(()),
    });
    let mut inputs = Vec::new();
    for name in names {
        inputs.extend(discover_checked(name, Some(check.clone()))?);
    }
    Ok(inputs)
}
