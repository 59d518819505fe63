//! The inputs that the arguments name.

use std::path::{Path, PathBuf};

use super::signals::Signals;
use crate::error::{Error, Result};
use crate::input::{Input, discover_until};

/// The inputs that the arguments name. A signal ends the wait for one that does not deliver.
pub(super) fn inputs(names: &[PathBuf], signals: &Signals) -> Result<Vec<Input>> {
    if names.iter().filter(|name| *name == Path::new("-")).count() > 1 {
        return Err(Error::option("standard input can be read only once, and `-` is named twice"));
    }
    let cancel = signals.cancel();
    let mut inputs = Vec::new();
    for name in names {
        inputs.extend(discover_until(name, &cancel)?);
    }
    Ok(inputs)
}
