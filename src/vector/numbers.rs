//! Arrays of MessagePack numbers of several types: quantised vectors, and floats of which some are
//! whole. One pass reads the numbers and converts them.

use super::convert::{Scalar, Target};
use super::dtype::Dtype;
use crate::msgpack::{Head, MAX_HEAD};

/// How a number lies behind its marker.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// The value is what stands behind the marker, read as a big-endian integer of 64 bits, shifted
    /// to the right, with these bits left, and `base` more. So all integers of at most 32 bits take
    /// the same steps: for those that are their own marker no bits are left.
    mask: i64,
    shift: u8,
    base: i8,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// An integer of at most 32 bits.
    Small,
    Float32,
    Float64,
    /// An integer of 64 bits, or no number.
    Other,
}

static FORMS: [Form; 256] = {
    let mut forms = [Form { mask: 0, shift: 0, base: 0, kind: Kind::Other }; 256];
    let mut marker = 0;
    while marker < 256 {
        let form = &mut forms[marker];
        match marker {
            0x00..=0x7f | 0xe0..=0xff => {
                form.kind = Kind::Small;
                form.base = marker as u8 as i8;
            }
            0xcc..=0xce | 0xd0..=0xd2 => {
                let bits = 8 * (size(marker as u8) - 1);
                form.kind = Kind::Small;
                form.shift = 64 - bits;
                form.mask = if marker < 0xd0 { (1 << bits) - 1 } else { -1 };
            }
            0xca => form.kind = Kind::Float32,
            0xcb => form.kind = Kind::Float64,
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

/// Bytes in which integers are read together.
const BLOCK: usize = 64;

/// Converts the numbers at the start of `bytes` to as many elements as `out` holds. The result is
/// how many bytes they took; `None` where something else stands among them, a number does not fit,
/// or the bytes end.
pub(super) fn convert(bytes: &[u8], dtype: Dtype, out: &mut [u8]) -> Option<usize> {
    match dtype {
        Dtype::Float32 => convert_to(bytes, out, Scalar::to_f32),
        Dtype::Float64 => convert_to(bytes, out, Scalar::to_f64),
        Dtype::Float16 => convert_to(bytes, out, Scalar::to_f16),
        Dtype::Int8 => convert_to(bytes, out, Scalar::narrow::<i8, 1>),
        Dtype::UInt8 => convert_to(bytes, out, Scalar::narrow::<u8, 1>),
    }
}

#[inline(always)]
fn convert_to<T: Target<M>, const M: usize>(
    bytes: &[u8],
    out: &mut [u8],
    narrow: impl Fn(Scalar) -> Option<T>,
) -> Option<usize> {
    let (mut at, mut fit) = (0, true);
    let mut out = out.as_chunks_mut::<M>().0;
    let mut values = [0.0; BLOCK];
    // Two integers in a row are the sign of more.
    let mut was_small = false;
    while !out.is_empty() {
        let rest = bytes.get(at..)?;
        let Some(&[marker, a, b, c, d, e, f, g, h]) = rest.first_chunk::<MAX_HEAD>() else {
            // The last bytes at hand.
            let (head, size) = Head::read(rest).ok()?;
            at += size;
            *out.split_off_first_mut()? = narrow(Scalar::of(head)?)?.to_ne();
            continue;
        };
        let behind = [a, b, c, d, e, f, g, h];
        let form = &FORMS[usize::from(marker)];
        let is_small = form.kind == Kind::Small;
        if is_small
            && was_small
            && let Some(block) = rest.first_chunk()
        {
            let (taken, count) = read_block(block, out.len(), &mut values);
            at += taken;
            for (&wide, out) in values[..count].iter().zip(out.split_off_mut(..count)?) {
                let number = T::narrow(wide);
                fit &= number.wide() == wide;
                *out = number.to_ne();
            }
            continue;
        }
        was_small = is_small;
        let (number, size) = match form.kind {
            Kind::Float64 => (narrow(Scalar::Float64(f64::from_be_bytes(behind))), 9),
            Kind::Float32 => (narrow(Scalar::Float32(f32::from_bits(u32::from_be_bytes([a, b, c, d])))), 5),
            Kind::Small => {
                let wide = form.value(behind) as f64;
                let number = T::narrow(wide);
                ((number.wide() == wide).then_some(number), size(marker).into())
            }
            Kind::Other => {
                let (head, size) = Head::read(rest).ok()?;
                (narrow(Scalar::of(head)?), size)
            }
        };
        at += size;
        *out.split_off_first_mut()? = number?.to_ne();
    }
    fit.then_some(at)
}

impl Scalar {
    /// The number at the start of `bytes`, and its size; `None` where it is none, or fewer bytes than the
    /// largest number takes are at hand.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let &[marker, a, b, c, d, e, f, g, h] = bytes.first_chunk::<MAX_HEAD>()?;
        let behind = [a, b, c, d, e, f, g, h];
        let form = &FORMS[usize::from(marker)];
        Some(match (form.kind, marker) {
            (Kind::Small, _) => (Self::Int(form.value(behind)), size(marker).into()),
            (Kind::Float32, _) => (Self::Float32(f32::from_be_bytes([a, b, c, d])), 5),
            (Kind::Float64, _) => (Self::Float64(f64::from_be_bytes(behind)), 9),
            (Kind::Other, 0xcf) => (Self::UInt(u64::from_be_bytes(behind)), 9),
            (Kind::Other, 0xd3) => (Self::Int(i64::from_be_bytes(behind)), 9),
            (Kind::Other, _) => return None,
        })
    }
}

/// Reads at most `most` integers that begin in the first [`BLOCK`] bytes, up to the first number that
/// is none. Gives how many bytes they take, and how many they are.
#[inline(always)]
fn read_block(bytes: &[u8; BLOCK + 8], most: usize, values: &mut [f64; BLOCK]) -> (usize, usize) {
    // One number says where the next one is. With all sizes known beforehand that takes one step.
    let sizes: [u8; BLOCK] = std::array::from_fn(|at| size(bytes[at]));
    let (mut at, mut count) = (0, 0);
    while at < BLOCK && count < most.min(BLOCK) {
        let form = &FORMS[usize::from(bytes[at])];
        if form.kind != Kind::Small {
            break;
        }
        let mut behind = [0; 8];
        behind.copy_from_slice(&bytes[at + 1..at + 9]);
        // Exact: a float64 holds all integers of 32 bits.
        values[count] = form.value(behind) as f64;
        count += 1;
        at += usize::from(sizes[at]);
    }
    (at, count)
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
