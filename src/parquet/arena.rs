//! Memory for pages that are put together.

use arrow_buffer::Buffer;

use crate::error::Result;
use crate::vector::Slab;

/// Bytes behind each other, in memory that is used again and again: new memory costs more to touch than what is done in it.
pub(super) struct Arena {
    slab: Slab,
    length: usize,
}

impl Arena {
    /// With room for so many bytes from the start.
    pub(super) fn with_capacity(bytes: usize) -> Result<Self> {
        Ok(Self { slab: Slab::with_capacity(bytes)?, length: 0 })
    }

    /// Room for `count` bytes behind those that are there; what is in it is arbitrary. [`add`](Self::add) makes it count.
    pub(super) fn room(&mut self, count: usize) -> Result<&mut [u8]> {
        let needed = self.length + count;
        let capacity = self.slab.as_mut_slice().len();
        if capacity < needed {
            let mut larger = Slab::with_capacity(needed.max(2 * capacity))?;
            larger.as_mut_slice()[..self.length].copy_from_slice(&self.slab.as_mut_slice()[..self.length]);
            self.slab = larger;
        }
        Ok(&mut self.slab.as_mut_slice()[self.length..needed])
    }

    /// Adds the first `count` bytes of the room.
    pub(super) fn add(&mut self, count: usize) {
        self.length += count;
    }

    /// The bytes that were added.
    pub(super) fn finish(self) -> Buffer {
        self.slab.into_buffer(self.length)
    }
}

#[cfg(test)]
#[path = "arena_tests.rs"]
mod tests;
