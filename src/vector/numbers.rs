//! Arrays of MessagePack numbers of several types: quantised vectors, and floats of which some are
//! whole. One pass reads the numbers and converts them.

use super::convert::{Scalar, Target};
use crate::msgpack::{FLOAT32, FLOAT64, Head, MAX_HEAD};

/// How a number lies behind its marker.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// The value is what stands behind the marker, read as a big-endian integer of 64 bits, shifted
    /// to the right, with these bits left, and `base` more. So all integers of at most 32 bits take
    /// the same steps: for those that are their own marker no bits are left.
    mask: i64,
    shift: u8,
    base: i8,
    /// Bytes, marker included; 0 of what is not read together with others: float32, integers of 64 bits, and no numbers.
    size: u8,
    /// True for an integer of at most 32 bits.
    is_small: bool,
    /// All bits of a float64, and none of the others: a mask, where a comparison would become a branch that
    /// cannot be foreseen.
    float: i8,
}

static FORMS: [Form; 256] = {
    let mut forms = [Form { mask: 0, shift: 0, base: 0, size: 0, is_small: false, float: 0 }; 256];
    let mut marker = 0;
    while marker < 256 {
        let form = &mut forms[marker];
        match marker {
            0x00..=0x7f | 0xe0..=0xff => {
                form.is_small = true;
                form.base = marker as u8 as i8;
                form.size = 1;
            }
            0xcc..=0xce | 0xd0..=0xd2 => {
                form.is_small = true;
                form.size = size(marker as u8);
                let bits = 8 * (form.size - 1);
                form.shift = 64 - bits;
                form.mask = if marker < 0xd0 { (1 << bits) - 1 } else { -1 };
            }
            0xcb => (form.size, form.float) = (9, -1),
            _ => {}
        }
        marker += 1;
    }
    forms
};

/// Bytes of the integer with this marker, marker included. Written so that it is computed for many
/// bytes at once.
#[inline(always)]
const fn size(marker: u8) -> u8 {
    let is_long = marker.wrapping_sub(0xcc) < 8;
    let (low, high) = (marker & 1, marker & 2);
    // 1, 2, 4 or 8 bytes behind it.
    let width = (1 + low) * (if high > 0 { 4 } else { 1 });
    if is_long { 1 + width } else { 1 }
}

/// The most numbers that are read together, and bytes in which integers begin that are.
const BLOCK: usize = 64;
/// The most numbers that are read together where some are floats.
const MIXED: usize = 16;
/// Bytes that must be at hand to read numbers together.
const AHEAD: usize = MIXED * MAX_HEAD;

/// How the next numbers are read, by what the last ones were.
enum Manner {
    /// Integers of at most 32 bits and float64.
    Mixed,
    /// Integers of at most 32 bits.
    Integers,
    /// Integers of one byte or two.
    Short,
}

/// Numbers that were read together.
struct Block {
    values: [f64; BLOCK],
    count: usize,
    /// Bytes that they take.
    taken: usize,
    /// A bit for each of the first values: it is a float. The others are integers, and exact: a float64
    /// holds all integers of 32 bits.
    floats: u64,
}

/// Converts the numbers at the start of `bytes` to as many elements as `out` holds. The result is
/// how many bytes they took; `None` where something else stands among them, a number does not fit,
/// or the bytes end.
pub(super) fn convert_to<T: Target<M>, const M: usize>(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut at, mut fit) = (0, true);
    let mut out = out.as_chunks_mut::<M>().0;
    let mut block = Block { values: [0.0; BLOCK], count: 0, taken: 0, floats: 0 };
    let mut manner = Manner::Mixed;
    while !out.is_empty() {
        let rest = bytes.get(at..)?;
        (block.count, block.taken, block.floats) = (0, 0, 0);
        if let Some(ahead) = rest.first_chunk() {
            match manner {
                Manner::Mixed => block.read_mixed(ahead, out.len().min(MIXED)),
                Manner::Integers => block.read_integers(ahead, out.len().min(BLOCK)),
                Manner::Short => block.read_short(ahead, out.len().min(BLOCK)),
            }
        }
        if block.count == 0 {
            if let Manner::Mixed = manner {
                // Of another kind, or the last bytes at hand.
                let (head, size) = Head::read(rest).ok()?;
                at += size;
                *out.split_off_first_mut()? = Scalar::of(head)?.to::<T, M>()?.to_ne();
            }
            manner = Manner::Mixed;
            continue;
        }
        at += block.taken;
        fit &= block.convert::<T, M>(out.split_off_mut(..block.count)?);
        manner = match block.floats {
            0 if block.taken <= 2 * block.count => Manner::Short,
            0 => Manner::Integers,
            _ => Manner::Mixed,
        };
    }
    fit.then_some(at)
}

impl Block {
    /// Reads at most `most` integers of at most 32 bits and float64, up to the first number of another
    /// kind. No step depends on the kind of a number, as that cannot be foreseen.
    #[inline(always)]
    fn read_mixed(&mut self, bytes: &[u8; AHEAD], most: usize) {
        let (mut at, mut count, mut floats) = (0, 0, 0);
        while count < most
            && let Some(&[marker, a, b, c, d, e, f, g, h]) = bytes[at..].first_chunk()
        {
            let (form, behind) = (&FORMS[usize::from(marker)], [a, b, c, d, e, f, g, h]);
            if form.size == 0 {
                break;
            }
            let (float, integer) = (u64::from_be_bytes(behind), (form.value(behind) as f64).to_bits());
            let is_float = i64::from(form.float).cast_unsigned();
            self.values[count] = f64::from_bits(integer ^ ((integer ^ float) & is_float));
            floats |= (is_float & 1) << count;
            count += 1;
            at += usize::from(form.size);
        }
        (self.taken, self.count, self.floats) = (at, count, floats);
    }

    /// Reads at most `most` integers that begin in the first [`BLOCK`] bytes, up to the first number that
    /// is none.
    #[inline(always)]
    fn read_integers(&mut self, bytes: &[u8; AHEAD], most: usize) {
        // One number says where the next one is. With all sizes known beforehand that takes one step.
        let sizes: [u8; BLOCK] = std::array::from_fn(|at| size(bytes[at]));
        let (mut at, mut count) = (0, 0);
        while count < most
            && let Some(&size) = sizes.get(at)
            && let Some(&[marker, a, b, c, d, e, f, g, h]) = bytes[at..].first_chunk()
        {
            let form = &FORMS[usize::from(marker)];
            if !form.is_small {
                break;
            }
            self.values[count] = form.value([a, b, c, d, e, f, g, h]) as f64;
            count += 1;
            at += usize::from(size);
        }
        (self.taken, self.count) = (at, count);
    }

    /// Reads at most `most` integers of one byte or two that begin in the first [`BLOCK`] bytes, up to the
    /// first number that is none. A bit stands for a byte, and each step takes all of them.
    #[inline(always)]
    fn read_short(&mut self, bytes: &[u8; AHEAD], most: usize) {
        let (mut long, mut other) = (0, 0);
        for (place, word) in bytes.as_chunks::<8>().0.iter().take(BLOCK / 8).enumerate() {
            let word = u64::from_le_bytes(*word);
            let is_long = equal(word, UINT8) | equal(word, INT8);
            // 0x80 to 0xdf.
            let is_marker = word & !((word << 1) & (word << 2));
            long |= gather(is_long) << (8 * place);
            other |= gather(is_marker & !is_long) << (8 * place);
        }
        let values: [i16; BLOCK] = std::array::from_fn(|at| match (bytes[at], bytes[at + 1]) {
            (UINT8, behind) => behind.into(),
            (INT8, behind) => (behind as i8).into(),
            (marker, _) => (marker as i8).into(),
        });
        let mut starts = !seconds(long);
        let end = (starts & other).trailing_zeros();
        starts &= 1u64.checked_shl(end).map_or(u64::MAX, |bit| bit - 1);
        let (mut numbers, mut end) = ([0; BLOCK], 0);
        while starts != 0 && self.count < most {
            end = starts.trailing_zeros() as usize % BLOCK;
            numbers[self.count] = values[end];
            self.count += 1;
            starts &= starts - 1;
        }
        self.taken = if self.count > 0 { end + 1 + (long >> end & 1) as usize } else { 0 };
        // All of them, as a known count is converted several at a time.
        self.values = numbers.map(f64::from);
    }

    /// Converts the values to elements; false where one does not fit.
    #[inline(always)]
    fn convert<T: Target<M>, const M: usize>(&self, out: &mut [[u8; M]]) -> bool {
        let mut fit = true;
        let values = self.values.iter().zip(out);
        if self.floats == 0 {
            for (&wide, out) in values {
                let number = T::narrow(wide);
                fit &= number.wide() == wide;
                *out = number.to_ne();
            }
            return fit;
        }
        for (index, (&wide, out)) in values.enumerate() {
            let number = T::narrow(wide);
            let is_finite = !number.is_infinite() | wide.is_infinite();
            let is_rounded = T::FLOAT & (self.floats >> index & 1 == 1);
            fit &= is_rounded & is_finite | (number.wide() == wide);
            *out = number.to_ne();
        }
        fit
    }
}

/// The markers of integers of one byte behind it.
const UINT8: u8 = 0xcc;
const INT8: u8 = 0xd0;

/// The high bit of each byte that is `byte`, and others that do not matter.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let other = word ^ (u64::from(byte) * 0x0101_0101_0101_0101);
    !(((other & LOW) + LOW) | other)
}

/// The high bits of eight bytes, as the lowest eight.
#[inline(always)]
fn gather(word: u64) -> u64 {
    ((word & 0x8080_8080_8080_8080) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The second bytes of integers of two, where the bits of `long` are bytes that begin such an integer,
/// unless they are second bytes themselves. In a run of them every other one is: the sum carries the
/// runs that begin at odd places to their ends.
#[inline(always)]
fn seconds(long: u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let behind = long << 1;
    let odd_starts = long & !EVEN & !behind;
    let inverted = odd_starts.wrapping_add(long) << 1;
    (EVEN ^ inverted) & behind
}

impl Scalar {
    /// The number at the start of `bytes`, and its size; `None` where it is none, or fewer bytes than the
    /// largest number takes are at hand.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let &[marker, a, b, c, d, e, f, g, h] = bytes.first_chunk::<MAX_HEAD>()?;
        let behind = [a, b, c, d, e, f, g, h];
        let form = &FORMS[usize::from(marker)];
        Some(match marker {
            _ if form.is_small => (Self::Int(form.value(behind)), form.size.into()),
            FLOAT32 => (Self::Float32(f32::from_be_bytes([a, b, c, d])), 5),
            FLOAT64 => (Self::Float64(f64::from_be_bytes(behind)), 9),
            0xcf => (Self::UInt(u64::from_be_bytes(behind)), 9),
            0xd3 => (Self::Int(i64::from_be_bytes(behind)), 9),
            _ => return None,
        })
    }
}

impl Form {
    #[inline(always)]
    fn value(&self, behind: [u8; 8]) -> i64 {
        ((i64::from_be_bytes(behind) >> self.shift) & self.mask) + i64::from(self.base)
    }
}

#[cfg(test)]
#[path = "numbers_tests.rs"]
mod tests;
