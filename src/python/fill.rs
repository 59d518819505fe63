//! An array that the caller owns, filled from an iterator.
//!
//! To write 100 MB to memory takes as long as to make 50,000 objects. So the iterator's vectors are gathered in parts that stay in
//! a cache, and another thread copies a part to the array while the iterator goes on with the next one.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SendError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;

use super::items::Items;
use super::others::Rows;
use crate::error::Error;
use crate::item::{RowConverter, too_many};
use crate::pool::{OwnerProcess, beside, lock};
use crate::vector::{Dtype, Slab};

/// Bytes of a part, or one row if that is longer.
const PART: usize = 1 << 20;
/// One is gathered, one is copied, one waits.
const PARTS: usize = 3;

/// Rows on their way.
struct Part {
    slab: Slab,
    first: usize,
    rows: usize,
}

/// Fills `out` with the items; gives how many rows that are. Behind an error the rows before it are filled as well.
pub(super) fn fill(py: Python<'_>, items: &mut Items, out: Rows) -> PyResult<usize> {
    let (place, rows, row_bytes) = (out.place(), out.rows(), out.dim() * size_of::<f32>());
    let converter = RowConverter::new(out.dim(), Dtype::Float32);
    let out = Arc::new(Mutex::new(out));
    let (full, to_copy) = sync_channel(PARTS);
    let (copied, free) = channel();
    let (back, theirs) = (copied.clone(), out.clone());
    let part_bytes = PART.min(place.len()).max(row_bytes);
    let is_small = place.len() <= PART;
    for _ in 0..PARTS {
        let _ = copied.send(Part { slab: Slab::with_capacity(part_bytes)?, first: 0, rows: 0 });
    }
    let mut filling = Filling {
        owner: if is_small { OwnerProcess::default() } else { OwnerProcess::current() },
        out: out.clone(),
        full,
        copied,
        free: Mutex::new(free),
        row_bytes,
        part_bytes,
        place,
        rows,
        row: 0,
        converter,
    };
    if is_small {
        drop(to_copy);
        return filling.fill(py, items);
    }
    // The thread ends when `filling`, which sends to it, is gone. It is never the last to have `out`: to let go of that, it would
    // wait for the interpreter.
    let filled = beside(
        move || copy_all(&theirs, to_copy, &back),
        move || {
            let filled = filling.fill(py, items);
            if !filling.owner.is_current() {
                std::mem::forget(filling);
            }
            filled
        },
    );
    drop(out);
    filled
}

/// Copies parts until no more come.
fn copy_all(out: &Mutex<Rows>, parts: Receiver<Part>, back: &Sender<Part>) {
    for mut part in parts {
        part.copy(out);
        let _ = back.send(part);
    }
}

impl Part {
    fn copy(&mut self, out: &Mutex<Rows>) {
        lock(out).write_rows(self.first, self.rows, self.slab.as_mut_slice());
    }
}

struct Filling {
    /// Where the thread is that copies, if there is to be one.
    owner: OwnerProcess,
    out: Arc<Mutex<Rows>>,
    /// To the thread that copies. Where there is none, it gives back what it is sent.
    full: SyncSender<Part>,
    /// Where a part goes that was copied here.
    copied: Sender<Part>,
    free: Mutex<Receiver<Part>>,
    row_bytes: usize,
    part_bytes: usize,
    /// Addresses of the array.
    place: Range<usize>,
    rows: usize,
    row: usize,
    converter: RowConverter,
}

impl Filling {
    fn fill(&mut self, py: Python<'_>, items: &mut Items) -> PyResult<usize> {
        let mut part = self.next_part(py)?;
        let filled = self.fill_parts(py, items, &mut part);
        let copied = self.give(part).and_then(|()| self.wait_for(py, PARTS));
        filled.and(copied).map(|()| self.row)
    }

    fn fill_parts(&mut self, py: Python<'_>, items: &mut Items, part: &mut Part) -> PyResult<()> {
        while let Some(item) = items.next(py)? {
            if self.row == self.rows {
                return Err(too_many(self.row as u64).into());
            }
            let is_inside = item.is_within(&self.place);
            if is_inside || (part.rows + 1) * self.row_bytes > self.part_bytes {
                let next = self.next_part(py)?;
                self.give(std::mem::replace(part, next))?;
            }
            if is_inside {
                // Rows of the array itself: what was to be written to them must be there.
                self.wait_for(py, PARTS - 1)?;
            }
            let (converter, row) = (&mut self.converter, self.row as u64);
            let place = &mut part.slab.as_mut_slice()[part.rows * self.row_bytes..][..self.row_bytes];
            item.with(py, |raw, bytes| converter.convert(row, raw, bytes, place))??;
            part.rows += 1;
            self.row += 1;
        }
        Ok(())
    }

    /// A part for the rows from here on.
    fn next_part(&mut self, py: Python<'_>) -> PyResult<Part> {
        self.owner.check()?;
        let free = &self.free;
        let ready = lock(free).try_recv().ok();
        let part = ready.or_else(|| py.detach(|| lock(free).recv().ok()));
        let part = part.ok_or_else(|| Error::internal("the thread that copies is gone"))?;
        Ok(Part { first: self.row, rows: 0, ..part })
    }

    fn give(&mut self, part: Part) -> PyResult<()> {
        self.owner.check()?;
        if let Err(SendError(mut part)) = self.full.send(part) {
            part.copy(&self.out);
            let _ = self.copied.send(part);
        }
        Ok(())
    }

    /// Waits until so many parts, which are all that are not in hand, are copied.
    fn wait_for(&mut self, py: Python<'_>, count: usize) -> PyResult<()> {
        self.owner.check()?;
        let (free, copied) = (&self.free, &self.copied);
        py.detach(|| {
            // All are taken, and put back.
            let parts: Vec<Part> = lock(free).iter().take(count).collect();
            parts.into_iter().for_each(|part| drop(copied.send(part)));
        });
        Ok(())
    }
}
