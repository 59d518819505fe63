//! A frame of zstd for a page of planes, where those that do not compress are stored without a try.
//!
//! Of the four bytes of a float only the last one compresses: the others are the noise of its mantissa. The library finds that
//! out by counting all of their bytes, and copies them three times. Here a sample tells, and a plane goes from the values to its
//! place in the frame, unless rows repeat. What begins with the first plane that compresses is left to the library, and what it makes of it follows.
//! The format is that of RFC 8878, section 3.1.1.

use zstd::zstd_safe::CCtx;

use super::codec::{LONGEST_BLOCK, failure, split_into};
use crate::error::Result;

/// A page of fewer elements is not worth the sample.
const FEWEST: usize = 4096;
/// Every decoder should have room for a window of this size, which is that of a whole frame here (RFC 8878, section 3.1.1.1.2).
const LARGEST: usize = 8 << 20;
/// What begins a frame, and its descriptor: one segment, whose size is told in four bytes.
const HEAD: [u8; 5] = [0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
/// Bytes of what begins a block.
const BLOCK_HEAD: usize = 3;
/// The widest element.
const WIDEST: usize = 8;

/// Writes a page of `levels` and the planes of `values`, rows of `row` bytes of elements of `size` bytes, to `out`, which has room for
/// it; gives how many bytes it takes. `None` where nothing is known to be better than what the library does. `scratch` has room for the values.
pub(super) fn of_planes(
    literal: &mut CCtx<'_>,
    (row, size): (usize, usize),
    levels: &[u8],
    values: &[u8],
    scratch: &mut [u8],
    out: &mut [u8],
) -> Result<Option<usize>> {
    let elements = values.len() / size;
    let content = levels.len() + values.len();
    if elements < FEWEST || content > LARGEST || !(1..LONGEST_BLOCK).contains(&levels.len()) {
        return Ok(None);
    }
    let stored = noisy(size, values);
    if stored == 0 || repeats(row, values) {
        return Ok(None);
    }
    let begin =
        [&HEAD[..], &(content as u32).to_le_bytes(), &block_head(levels.len(), false), levels].concat();
    let (head, rest) = out.split_at_mut(begin.len());
    head.copy_from_slice(&begin);

    let block = elements.div_ceil(elements.div_ceil(LONGEST_BLOCK));
    let plane = elements + elements.div_ceil(block) * BLOCK_HEAD;
    let (places, rest) = rest.split_at_mut(stored * plane);
    let planes = &mut scratch[..(size - stored) * elements];
    split_blocks(size, values, block, places, planes);

    let mut written = head.len() + places.len();
    if stored < size {
        let frame = literal.compress2(rest, planes).map_err(failure)?;
        let blocks = head_bytes(rest)..frame;
        written += blocks.len();
        rest.copy_within(blocks, 0);
    }
    Ok(Some(written))
}

/// Puts the first planes into blocks of `block` bytes, which fill `places`, and the others into `planes`. Without others, the last
/// of the blocks ends the frame.
fn split_blocks(size: usize, values: &[u8], block: usize, places: &mut [u8], planes: &mut [u8]) {
    let is_all = planes.is_empty();
    let elements = values.len() / size;
    let stored = size - planes.len() / elements;
    let mut left: [&mut [u8]; WIDEST] = Default::default();
    let first = places.chunks_exact_mut(places.len() / stored);
    for (plane, left) in first.chain(planes.chunks_exact_mut(elements)).zip(&mut left) {
        *left = plane;
    }
    let mut done = 0;
    for part in values.chunks(block * size) {
        let count = part.len() / size;
        done += count;
        let mut here: [&mut [u8]; WIDEST] = Default::default();
        for (plane, (left, here)) in left.iter_mut().zip(&mut here).enumerate().take(size) {
            let mut rest = std::mem::take(left);
            if plane < stored {
                let is_last = is_all && plane + 1 == stored && done == elements;
                let (head, behind) = rest.split_at_mut(BLOCK_HEAD);
                head.copy_from_slice(&block_head(count, is_last));
                rest = behind;
            }
            (*here, *left) = rest.split_at_mut(count);
        }
        split_into(size, part, &mut here[..size]);
    }
}

/// What begins a block of so many bytes as they are.
fn block_head(bytes: usize, is_last: bool) -> [u8; BLOCK_HEAD] {
    let [first, second, third, _] = ((bytes as u32) << 3 | u32::from(is_last)).to_le_bytes();
    [first, second, third]
}

/// How many bytes of a frame come before its blocks (RFC 8878, section 3.1.1.1.1).
fn head_bytes(frame: &[u8]) -> usize {
    let descriptor = frame[4];
    let is_one_segment = descriptor & 0x20 != 0;
    let size = [usize::from(is_one_segment), 2, 4, 8][usize::from(descriptor >> 6)];
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    5 + usize::from(!is_one_segment) + dictionary + size
}

/// How many elements are looked at, in stretches of so many.
const SAMPLE: usize = 2048;
const STRETCH: usize = 64;

/// How many planes, from the first one on, are noise as far as a sample tells.
fn noisy(size: usize, values: &[u8]) -> usize {
    let mut counts = [[0_u16; 256]; WIDEST];
    let elements = values.len() / size;
    for stretch in (0..elements - STRETCH).step_by(elements / (SAMPLE / STRETCH)) {
        for element in values[stretch * size..][..STRETCH * size].chunks_exact(size) {
            for (counts, &byte) in counts.iter_mut().zip(element) {
                counts[usize::from(byte)] += 1;
            }
        }
    }
    counts[..size].iter().take_while(|counts| is_noise(counts)).count()
}

/// How many rows are compared.
const ROWS: usize = 512;

/// Whether many of the first rows, one in sixteen, begin like another: then there are matches to be found.
fn repeats(row: usize, values: &[u8]) -> bool {
    let begin = |row: &[u8]| row.first_chunk::<8>().map(|begin| u64::from_le_bytes(*begin));
    let mut rows: Vec<u64> = values.chunks_exact(row).take(ROWS).filter_map(begin).collect();
    rows.sort_unstable();
    let again = rows.windows(2).filter(|pair| pair[0] == pair[1]).count();
    again * 16 > rows.len()
}

/// Whether bytes that occur so often take about eight bits each. How often two of them are equal tells: among evenly distributed
/// ones every 256th pair is. A tenth more is more than chance brings, and not yet two percent less to store.
fn is_noise(counts: &[u16; 256]) -> bool {
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    let pairs: u64 = counts.iter().map(|&count| u64::from(count) * u64::from(count.saturating_sub(1))).sum();
    pairs * 256 * 10 < total * total.saturating_sub(1) * 11
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
