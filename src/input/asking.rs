//! Whether the work on an input is to go on.

use std::io;
use std::time::Instant;

use super::{Check, Input};
use crate::pool::PATIENCE;

/// Asks a few times a second whether the work on an input is to go on.
pub(crate) struct Asking<'a> {
    check: Option<&'a Check>,
    last: Instant,
}

impl<'a> Asking<'a> {
    pub(crate) fn of(input: &'a Input) -> Self {
        Self { check: input.check(), last: Instant::now() }
    }

    pub(crate) fn ask(&mut self) -> io::Result<()> {
        match self.check {
            Some(check) if self.last.elapsed() >= PATIENCE => {
                self.last = Instant::now();
                check()
            }
            _ => Ok(()),
        }
    }
}
