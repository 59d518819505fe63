//! Memory for vectors.
//!
//! Fresh memory in 4 KiB pages costs more to touch than the copy into it. So large slabs are anonymous mappings, aligned to
//! 2 MiB and advised to be huge pages, and a slab that its last user drops, on whatever thread and in whatever library, goes
//! back to a pool. Small slabs are ordinary allocations.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use arrow_buffer::{Buffer, MutableBuffer};
use bytes::Bytes;
use memmap2::{MmapMut, MmapOptions};

use crate::error::Result;
use crate::pool::{in_background, lock_soon};

/// Below this, the page faults that a huge page would save are fewer than what a mapping costs.
const SMALL: usize = 1 << 20;
/// A huge page, on the systems that matter.
const HUGE: usize = 2 << 20;
/// The most bytes of idle mappings, and when none was used for a short time.
const MOST_IDLE: usize = 1 << 30;
const MOST_UNUSED: usize = 128 << 20;
const SHORT: Duration = Duration::from_millis(400);
/// A mapping that is idle for this long goes back to the system.
const LONG: Duration = Duration::from_secs(10);

static POOL: Mutex<Pool> = Mutex::new(Pool { idle: VecDeque::new(), uses: 0, tended_in: None });

/// Mappings that wait for their next use.
struct Pool {
    /// In the order in which they became idle, and since when.
    idle: VecDeque<(Instant, Mapping)>,
    /// How often a mapping was taken or given back.
    uses: u64,
    /// The process in which a thread [tends](tend) the pool. Not that of a forked child.
    tended_in: Option<u32>,
}

/// A writable piece of memory, aligned to 64 bytes at least, that becomes an Arrow [`Buffer`] without a copy.
pub(crate) enum Slab {
    Heap(MutableBuffer),
    Mapped(Pooled),
}

impl Slab {
    /// Memory for `capacity` bytes, or a little more. Its content is whatever was there before.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self> {
        if capacity < SMALL {
            return Ok(Self::Heap(MutableBuffer::from_len_zeroed(capacity.next_multiple_of(64))));
        }
        let mapping = match lock_soon(&POOL).and_then(|mut pool| pool.take(capacity)) {
            Some(mapping) => mapping,
            None => Mapping::new(capacity)?,
        };
        let length = mapping.capacity;
        Ok(Self::Mapped(Pooled { mapping: Some(mapping), length }))
    }

    /// How many bytes it has.
    #[cfg(feature = "python")]
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Heap(buffer) => buffer.len(),
            Self::Mapped(pooled) => pooled.length,
        }
    }

    /// The memory, all of it.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(buffer) => buffer.as_slice_mut(),
            Self::Mapped(pooled) => pooled.as_mut_slice(),
        }
    }

    /// The first `length` bytes as an Arrow buffer.
    pub(crate) fn into_buffer(mut self, length: usize) -> Buffer {
        // Arrow pads buffers to 64 bytes: what was there before must not travel along.
        let slice = self.as_mut_slice();
        slice[length..length.next_multiple_of(64)].fill(0);
        match self {
            Self::Heap(mut buffer) => {
                buffer.truncate(length);
                buffer.into()
            }
            Self::Mapped(mut pooled) => {
                pooled.length = length;
                Buffer::from(Bytes::from_owner(pooled))
            }
        }
    }
}

/// An anonymous mapping with room to align its start to a huge page.
struct Mapping {
    map: MmapMut,
    start: usize,
    capacity: usize,
}

impl Mapping {
    fn new(bytes: usize) -> Result<Self> {
        let capacity = bytes.checked_next_multiple_of(HUGE).unwrap_or(usize::MAX);
        let map = MmapOptions::new().len(capacity.saturating_add(HUGE)).map_anon().map_err(|error| {
            let text = format!("no memory for a batch of {bytes} bytes: {error}");
            io::Error::new(io::ErrorKind::OutOfMemory, text)
        })?;
        // Advice only: without huge pages, or leave to use them, all is slower and nothing is wrong.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let start = map.as_ptr().align_offset(HUGE).min(HUGE);
        Ok(Self { map, start, capacity })
    }
}

/// A mapping that goes back to the pool.
pub(crate) struct Pooled {
    /// `None` only while it is being dropped.
    mapping: Option<Mapping>,
    length: usize,
}

impl Pooled {
    fn as_mut_slice(&mut self) -> &mut [u8] {
        let length = self.length;
        self.mapping.as_mut().map_or(&mut [], |mapping| &mut mapping.map[mapping.start..][..length])
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        self.mapping.as_ref().map_or(&[], |mapping| &mapping.map[mapping.start..][..self.length])
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(mapping) = self.mapping.take() else { return };
        let Some(mut pool) = lock_soon(&POOL) else { return };
        let is_untended = pool.give_back(mapping);
        drop(pool);
        if is_untended && !in_background("vecpack-memory", tend) {
            // Without a thread there is no pool.
            drop(lock_soon(&POOL).map(|mut pool| (std::mem::take(&mut pool.idle), pool.tended_in.take())));
        }
    }
}

impl Pool {
    /// The idle mapping that was used last and is neither too small nor wasteful.
    fn take(&mut self, capacity: usize) -> Option<Mapping> {
        let fits = |(_, mapping): &(Instant, Mapping)| {
            mapping.capacity >= capacity && mapping.capacity / 2 <= capacity.next_multiple_of(HUGE)
        };
        self.uses += 1;
        let at = self.idle.iter().rposition(fits)?;
        self.idle.remove(at).map(|(_, mapping)| mapping)
    }

    /// Takes a mapping back, if there is room for it. True if a thread must be started that
    /// [tends](tend) the pool.
    fn give_back(&mut self, mapping: Mapping) -> bool {
        self.uses += 1;
        let idle: usize = self.idle.iter().map(|(_, mapping)| mapping.capacity).sum();
        if idle + mapping.capacity > MOST_IDLE {
            return false;
        }
        self.idle.push_back((Instant::now(), mapping));
        let here = Some(std::process::id());
        std::mem::replace(&mut self.tended_in, here) != here
    }

    /// Takes the mappings out that became idle before `then`, and the oldest ones until no more than
    /// `most` bytes are idle.
    fn take_old(&mut self, then: Option<Instant>, most: usize) -> Vec<Mapping> {
        let mut idle: usize = self.idle.iter().map(|(_, mapping)| mapping.capacity).sum();
        let mut old = Vec::new();
        while let Some((since, _)) = self.idle.front()
            && (idle > most || then.is_some_and(|then| *since < then))
            && let Some((_, mapping)) = self.idle.pop_front()
        {
            idle -= mapping.capacity;
            old.push(mapping);
        }
        old
    }
}

/// Gives idle mappings back to the system, until there are none.
fn tend() {
    let mut uses = None;
    loop {
        std::thread::sleep(SHORT);
        let Some(mut pool) = lock_soon(&POOL) else { continue };
        let is_unused = uses.replace(pool.uses) == Some(pool.uses);
        let most = if is_unused { MOST_UNUSED } else { MOST_IDLE };
        let old = pool.take_old(Instant::now().checked_sub(LONG), most);
        let is_last = pool.idle.is_empty();
        if is_last {
            pool.tended_in = None;
        }
        drop(pool);
        // The lock is free while the system unmaps them.
        drop(old);
        if is_last {
            return;
        }
    }
}

#[cfg(test)]
#[path = "slab_tests.rs"]
mod tests;
