//! Progress and cancellation of a piece of work.

use arrow_array::RecordBatch;

use super::{Progress, Reader};
use crate::cancel::Cancel;
use crate::error::Result;

/// How a piece of work reports its progress, and how it is cancelled.
#[derive(Default)]
pub struct Watch<'a> {
    /// Called after every batch with the progress so far. An error ends the work.
    pub progress: Option<&'a mut dyn FnMut(Progress) -> Result<()>>,
    /// Ends the work early.
    pub cancel: Cancel,
}

impl Watch<'_> {
    /// Reads all of `reader` and reports the progress on top of `before`. Returns the sum.
    pub(crate) fn follow(
        &mut self,
        reader: Reader,
        before: Progress,
        mut take: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<Progress> {
        let mut reader = reader.with_cancel(self.cancel.clone());
        while let Some(batch) = reader.next_batch()? {
            take(batch)?;
            self.tell(before + reader.progress())?;
        }
        Ok(before + reader.progress())
    }

    pub(crate) fn tell(&mut self, progress: Progress) -> Result<()> {
        self.progress.as_mut().map_or(Ok(()), |tell| tell(progress))
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
