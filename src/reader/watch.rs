//! Who follows a piece of work, and may end it.

use arrow::array::RecordBatch;

use super::{Interrupt, Progress, Reader};
use crate::error::{ErrorKind, Result};

/// Who follows a piece of work, and may end it.
#[derive(Default)]
pub struct Watch<'a> {
    /// Told how far the work is, after every batch; an error ends it.
    pub progress: Option<&'a mut dyn FnMut(Progress) -> Result<()>>,
    /// Asked a few times a second; true ends the work with [`ErrorKind::Interrupted`].
    pub interrupt: Option<Interrupt>,
}

impl Watch<'_> {
    /// Reads all of `reader` while somebody watches. `before` is the progress of what went before, and the sum is returned.
    pub(crate) fn follow(
        &mut self,
        mut reader: Reader,
        before: Progress,
        mut take: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<Progress> {
        if let Some(interrupt) = self.interrupt.clone() {
            reader = reader.with_interrupt(interrupt);
        }
        while let Some(batch) = reader.next_batch()? {
            take(batch)?;
            self.tell(before + reader.progress())?;
        }
        Ok(before + reader.progress())
    }

    pub(crate) fn tell(&mut self, progress: Progress) -> Result<()> {
        self.progress.as_mut().map_or(Ok(()), |tell| tell(progress))
    }

    pub(crate) fn check_interrupt(&self) -> Result<()> {
        match &self.interrupt {
            Some(interrupt) if interrupt() => Err(ErrorKind::Interrupted.into()),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
