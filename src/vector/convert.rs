//! Kernels: elements as the input holds them, to elements as the column holds them.
//!
//! The rule, for every pair of types:
//! - the same type is moved bit for bit (NaN payloads, -0.0 and subnormals included), with its bytes swapped if need be;
//! - a float becomes a float by rounding to nearest, ties to even; a finite number that would become infinite does not fit;
//! - a conversion from or to integers must be exact, or the number does not fit.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::dtype::{Dtype, Number, RawDtype};
use super::numbers;
use crate::msgpack::{FLOAT32, FLOAT64, Head};

/// How the elements of a vector lie in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One after another, as a program holds them in memory.
    Packed(RawDtype),
    /// As MessagePack's float32, each behind its marker.
    Float32,
    /// As MessagePack's float64, each behind its marker.
    Float64,
    /// As MessagePack's numbers of any types, each behind its marker.
    Numbers,
}

impl Format {
    /// Bytes that every element takes; `None` where they differ.
    pub(crate) fn size(self) -> Option<usize> {
        match self {
            Self::Packed(raw) => Some(raw.size()),
            Self::Float32 => Some(5),
            Self::Float64 => Some(9),
            Self::Numbers => None,
        }
    }

    pub(crate) fn is_bool(self) -> bool {
        matches!(self, Self::Packed(RawDtype { number: Number::Bool, .. }))
    }

    /// The elements in `bytes`, one by one.
    pub(crate) fn scalars(self, mut bytes: &[u8]) -> impl Iterator<Item = Scalar> {
        std::iter::from_fn(move || {
            let (scalar, size) = match self {
                Self::Packed(raw) => (raw.scalar(bytes)?, raw.size()),
                _ => {
                    let (head, size) = Head::read(bytes).ok()?;
                    (Scalar::of(head)?, size)
                }
            };
            bytes = &bytes[size..];
            Some(scalar)
        })
    }
}

/// Converts whole elements of the input to elements of the column in native byte order. Both slices hold the same number
/// of elements. The error is the index of the first element that does not fit, and 0 where a marker is another one.
type Kernel = fn(&[u8], &mut [u8]) -> Result<(), usize>;

/// The kernel from `format` to elements of the type `T`.
fn kernel_to<T: Target<M>, const M: usize>(format: Format, dtype: Dtype) -> Kernel {
    let raw = match format {
        Format::Packed(raw) => raw,
        Format::Float32 if dtype == Dtype::Float32 => return move_marked::<4, 5, FLOAT32>,
        Format::Float32 => return convert_marked::<f32, T, 4, M, 5, FLOAT32>,
        Format::Float64 if dtype == Dtype::Float64 => return move_marked::<8, 9, FLOAT64>,
        Format::Float64 => return convert_marked::<f64, T, 8, M, 9, FLOAT64>,
        Format::Numbers => return convert_numbers::<T, M>,
    };
    let is_native = M == 1 || raw.big_endian == cfg!(target_endian = "big");
    match raw.number {
        number if same_type(number, dtype) && is_native => copy,
        number if same_type(number, dtype) => swap::<M>,
        Number::F16 if dtype == Dtype::Float32 && raw.big_endian => widen_f16::<true>,
        Number::F16 if dtype == Dtype::Float32 => widen_f16::<false>,
        Number::F16 => by_order::<f16, T, 2, M>(raw),
        Number::BF16 => by_order::<bf16, T, 2, M>(raw),
        Number::F32 => by_order::<f32, T, 4, M>(raw),
        Number::F64 => by_order::<f64, T, 8, M>(raw),
        Number::I8 => by_order::<i8, T, 1, M>(raw),
        Number::U8 | Number::Bool => by_order::<u8, T, 1, M>(raw),
        Number::I16 => by_order::<i16, T, 2, M>(raw),
        Number::U16 => by_order::<u16, T, 2, M>(raw),
        Number::I32 => by_order::<i32, T, 4, M>(raw),
        Number::U32 => by_order::<u32, T, 4, M>(raw),
        Number::I64 => by_order::<i64, T, 8, M>(raw),
        Number::U64 => by_order::<u64, T, 8, M>(raw),
    }
}

/// True where the type of the column holds the input's numbers as they are.
fn same_type(number: Number, dtype: Dtype) -> bool {
    number == dtype.number() || (number, dtype) == (Number::Bool, Dtype::UInt8)
}

/// Converts vectors from one format, which may change from vector to vector, to the element type of a column.
#[derive(Clone, Copy)]
pub(crate) struct Converter {
    format: Format,
    dtype: Dtype,
    kernel: Kernel,
    numbers: fn(&[u8], &mut [u8]) -> Option<usize>,
}

impl Converter {
    pub(crate) fn new(format: Format, dtype: Dtype) -> Self {
        fn to<T: Target<M>, const M: usize>(format: Format, dtype: Dtype) -> Converter {
            Converter {
                format,
                dtype,
                kernel: kernel_to::<T, M>(format, dtype),
                numbers: numbers::convert_to::<T, M>,
            }
        }
        match dtype {
            Dtype::Float32 => to::<f32, 4>(format, dtype),
            Dtype::Float64 => to::<f64, 8>(format, dtype),
            Dtype::Float16 => to::<f16, 2>(format, dtype),
            Dtype::Int8 => to::<i8, 1>(format, dtype),
            Dtype::UInt8 => to::<u8, 1>(format, dtype),
        }
    }

    /// How the next vectors are read.
    pub(crate) fn set_format(&mut self, format: Format) {
        if format != self.format {
            *self = Self::new(format, self.dtype);
        }
    }

    /// Converts as many elements as `out` holds. The error is the index of the first one that does not fit.
    pub(crate) fn convert(&self, elements: &[u8], out: &mut [u8]) -> Result<(), usize> {
        (self.kernel)(elements, out)
    }

    /// Converts the numbers of any types at the start of `bytes`, as many as `out` holds, whatever the format is. The
    /// result is how many bytes they take; `None` where they are something else, or one does not fit.
    pub(crate) fn convert_numbers(&self, bytes: &[u8], out: &mut [u8]) -> Option<usize> {
        (self.numbers)(bytes, out)
    }
}

fn by_order<S: Source<N>, T: Target<M>, const N: usize, const M: usize>(raw: RawDtype) -> Kernel {
    match raw.big_endian {
        true => |from, out| convert::<S, T, N, M, N>(from, out, |bytes| S::read(*bytes, true)),
        false => |from, out| convert::<S, T, N, M, N>(from, out, |bytes| S::read(*bytes, false)),
    }
}

fn copy(raw: &[u8], out: &mut [u8]) -> Result<(), usize> {
    out.copy_from_slice(raw);
    Ok(())
}

fn swap<const N: usize>(raw: &[u8], out: &mut [u8]) -> Result<(), usize> {
    for (from, to) in raw.as_chunks::<N>().0.iter().zip(out.as_chunks_mut::<N>().0) {
        *to = *from;
        to.reverse();
    }
    Ok(())
}

/// Float16 to float32, which always fits. `half` has the processor's instruction for it, where the
/// processor has one.
fn widen_f16<const BIG: bool>(raw: &[u8], out: &mut [u8]) -> Result<(), usize> {
    let (groups, rest) = raw.as_chunks::<2>().0.as_chunks::<WIDENED>();
    let (out_groups, out_rest) = out.as_chunks_mut::<4>().0.as_chunks_mut::<WIDENED>();
    let mut singles = [0.0; WIDENED];
    for (group, out) in groups.iter().zip(out_groups) {
        group.map(|bytes| f16::read(bytes, BIG)).convert_to_f32_slice(&mut singles);
        *out = singles.map(f32::to_ne_bytes);
    }
    for (element, out) in rest.iter().zip(out_rest) {
        *out = f16::read(*element, BIG).to_f32().to_ne_bytes();
    }
    Ok(())
}

/// Float16 elements that are widened by one call.
const WIDENED: usize = 64;

/// Elements that are converted together, step by step: so many numbers stay in registers, and each step is the same instruction
/// for several of them.
const TOGETHER: usize = 16;

/// Converts elements of `K` bytes, in which `read` finds the number.
#[inline(always)]
fn convert<S: Source<N>, T: Target<M>, const N: usize, const M: usize, const K: usize>(
    from: &[u8],
    out: &mut [u8],
    mut read: impl FnMut(&[u8; K]) -> S,
) -> Result<(), usize> {
    let elements = from.as_chunks::<K>().0;
    let (groups, rest) = elements.as_chunks::<TOGETHER>();
    let (out_groups, out_rest) = out.as_chunks_mut::<M>().0.as_chunks_mut::<TOGETHER>();
    let mut fit = true;
    for (group, out) in groups.iter().zip(out_groups) {
        let mut numbers = [S::default(); TOGETHER];
        for (number, element) in numbers.iter_mut().zip(group) {
            *number = read(element);
        }
        let converted = numbers.map(|number| T::narrow(number.wide()));
        for (number, converted) in numbers.into_iter().zip(converted) {
            fit &= seems_to_fit(number, converted);
        }
        *out = converted.map(T::to_ne);
    }
    for (element, out) in rest.iter().zip(out_rest) {
        let number = read(element);
        let converted = T::narrow(number.wide());
        fit &= seems_to_fit(number, converted);
        *out = converted.to_ne();
    }
    if fit {
        return Ok(());
    }
    elements.iter().position(|element| fitting::<S, T, N, M>(read(element)).is_none()).map_or(Ok(()), Err)
}

/// Markers in front of `N` bytes that are moved. Without the marker it is another type, and the caller has to look.
fn move_marked<const N: usize, const K: usize, const MARKER: u8>(
    from: &[u8],
    out: &mut [u8],
) -> Result<(), usize> {
    let mut wrong = 0;
    let mut move_one = |from: &[u8; K], to: &mut [u8; N]| {
        wrong |= from[0] ^ MARKER;
        to.copy_from_slice(&from[1..]);
        if cfg!(target_endian = "little") {
            to.reverse();
        }
    };
    let (groups, rest) = from.as_chunks::<K>().0.as_chunks::<TOGETHER>();
    let (out_groups, out_rest) = out.as_chunks_mut::<N>().0.as_chunks_mut::<TOGETHER>();
    for (group, out) in groups.iter().zip(out_groups) {
        group.iter().zip(out).for_each(|(from, to)| move_one(from, to));
    }
    rest.iter().zip(out_rest).for_each(|(from, to)| move_one(from, to));
    if wrong == 0 { Ok(()) } else { Err(0) }
}

fn convert_marked<
    S: Source<N>,
    T: Target<M>,
    const N: usize,
    const M: usize,
    const K: usize,
    const MARKER: u8,
>(
    from: &[u8],
    out: &mut [u8],
) -> Result<(), usize> {
    let mut wrong = 0;
    let converted = convert::<S, T, N, M, K>(from, out, |bytes| {
        wrong |= bytes[0] ^ MARKER;
        let mut number = [0; N];
        number.copy_from_slice(&bytes[1..]);
        S::read(number, true)
    });
    if wrong == 0 { converted } else { Err(0) }
}

fn convert_numbers<T: Target<M>, const M: usize>(from: &[u8], out: &mut [u8]) -> Result<(), usize> {
    if numbers::convert_to::<T, M>(from, out).is_some() {
        return Ok(());
    }
    Format::Numbers.scalars(from).position(|number| number.to::<T, M>().is_none()).map_or(Ok(()), Err)
}

/// Any number, on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar {
    Float32(f32),
    Float64(f64),
    Int(i64),
    UInt(u64),
}

impl Scalar {
    /// The number that a head is, if it is one.
    pub(crate) fn of(head: Head) -> Option<Self> {
        match head {
            Head::UInt(value) => Some(Self::UInt(value)),
            Head::Int(value) => Some(Self::Int(value)),
            Head::Float32(value) => Some(Self::Float32(value)),
            Head::Float64(value) => Some(Self::Float64(value)),
            _ => None,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::Float32(_) | Self::Float64(_))
    }

    /// The number as an integer of a type, if it is one.
    #[inline]
    pub(crate) fn to_integer<T: TryFrom<i128> + TryFrom<i64> + TryFrom<u64>>(self) -> Option<T> {
        let whole = |value: f64| (value.trunc() == value && value.abs() < 1e30).then_some(value as i128);
        match self {
            Self::UInt(value) => value.try_into().ok(),
            Self::Int(value) => value.try_into().ok(),
            Self::Float32(value) => whole(value.into())?.try_into().ok(),
            Self::Float64(value) => whole(value)?.try_into().ok(),
        }
    }

    /// The number as an element of a column, by the rule of this module.
    pub(crate) fn to<T: Target<N>, const N: usize>(self) -> Option<T> {
        match self {
            // The same type, bit for bit.
            Self::Float32(value) if T::FLOAT && N == 4 => {
                value.to_le_bytes().first_chunk().map(|bytes| T::read(*bytes, false))
            }
            Self::Float32(value) => fitting::<f32, T, 4, N>(value),
            Self::Float64(value) => fitting::<f64, T, 8, N>(value),
            Self::Int(value) => fitting::<i64, T, 8, N>(value),
            Self::UInt(value) => fitting::<u64, T, 8, N>(value),
        }
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Float32(value) => write!(f, "{value:?}"),
            Self::Float64(value) => write!(f, "{value:?}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::UInt(value) => write!(f, "{value}"),
        }
    }
}

/// The number as one of another type, if it fits.
fn fitting<S: Source<N>, T: Target<M>, const N: usize, const M: usize>(number: S) -> Option<T> {
    let converted = T::narrow(number.wide());
    fits(number, converted).then_some(converted)
}

/// Like [`fits`], for less, but false as well for what was infinite before.
#[inline(always)]
fn seems_to_fit<S: Source<N>, T: Target<M>, const N: usize, const M: usize>(number: S, converted: T) -> bool {
    if S::FLOAT && T::FLOAT { !converted.is_infinite() } else { fits(number, converted) }
}

#[inline(always)]
fn fits<S: Source<N>, T: Target<M>, const N: usize, const M: usize>(number: S, converted: T) -> bool {
    let back = converted.wide();
    if S::FLOAT && T::FLOAT {
        !back.is_infinite() || number.wide().is_infinite()
    } else {
        number.equals(back)
    }
}

impl RawDtype {
    /// The element at the start of `bytes`, if it is there.
    pub(crate) fn scalar(self, bytes: &[u8]) -> Option<Scalar> {
        fn one<S: Source<N>, const N: usize>(bytes: &[u8], big_endian: bool) -> Option<S> {
            bytes.first_chunk().map(|bytes| S::read(*bytes, big_endian))
        }
        let big = self.big_endian;
        Some(match self.number {
            Number::F16 => Scalar::Float64(one::<f16, 2>(bytes, big)?.to_f64()),
            Number::BF16 => Scalar::Float64(one::<bf16, 2>(bytes, big)?.wide()),
            Number::F32 => Scalar::Float32(one::<f32, 4>(bytes, big)?),
            Number::F64 => Scalar::Float64(one::<f64, 8>(bytes, big)?),
            Number::I8 => Scalar::Int(one::<i8, 1>(bytes, big)?.into()),
            Number::U8 | Number::Bool => Scalar::UInt(one::<u8, 1>(bytes, big)?.into()),
            Number::I16 => Scalar::Int(one::<i16, 2>(bytes, big)?.into()),
            Number::U16 => Scalar::UInt(one::<u16, 2>(bytes, big)?.into()),
            Number::I32 => Scalar::Int(one::<i32, 4>(bytes, big)?.into()),
            Number::U32 => Scalar::UInt(one::<u32, 4>(bytes, big)?.into()),
            Number::I64 => Scalar::Int(one::<i64, 8>(bytes, big)?),
            Number::U64 => Scalar::UInt(one::<u64, 8>(bytes, big)?),
        })
    }
}

/// An element as the input holds it, of `N` bytes.
pub(crate) trait Source<const N: usize>: Copy + Default {
    const FLOAT: bool;
    fn read(bytes: [u8; N], big_endian: bool) -> Self;
    /// As float64; exact but for 64-bit integers beyond 2^53, which [`equals`](Self::equals) finds out.
    fn wide(self) -> f64;
    #[inline(always)]
    fn equals(self, back: f64) -> bool {
        self.wide() == back
    }
}

/// An element as the column holds it, of `M` bytes.
pub(crate) trait Target<const M: usize>: Source<M> {
    fn narrow(wide: f64) -> Self;
    fn is_infinite(self) -> bool;
    fn to_ne(self) -> [u8; M];
}

macro_rules! source {
    ($($type:ty, $size:literal, $float:literal, |$number:ident| $wide:expr $(, |$back:ident| $equals:expr)?;)*) => {$(
        impl Source<$size> for $type {
            const FLOAT: bool = $float;
            #[inline(always)]
            fn read(bytes: [u8; $size], big_endian: bool) -> Self {
                if big_endian { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) }
            }
            #[inline(always)]
            fn wide(self) -> f64 { let $number = self; $wide }
            $(#[inline(always)]
            fn equals(self, $back: f64) -> bool { let $number = self; $equals })?
        }
    )*};
}

source! {
    f16, 2, true, |n| n.to_f64();
    bf16, 2, true, |n| f64::from(f32::from_bits(u32::from(n.to_bits()) << 16));
    f32, 4, true, |n| f64::from(n);
    f64, 8, true, |n| n;
    i8, 1, false, |n| f64::from(n);
    u8, 1, false, |n| f64::from(n);
    i16, 2, false, |n| f64::from(n);
    u16, 2, false, |n| f64::from(n);
    i32, 4, false, |n| f64::from(n);
    u32, 4, false, |n| f64::from(n);
    i64, 8, false, |n| n as f64, |back| back as i128 == i128::from(n);
    u64, 8, false, |n| n as f64, |back| back as i128 == i128::from(n);
}

/// Rounds once. `f16::from_f64` goes through float32 on some processors and rounds twice; rounding to odd on the way there
/// leaves the second rounding the information it needs.
#[inline(always)]
fn narrow_to_f16(wide: f64) -> f16 {
    let single = wide as f32;
    let back = f64::from(single);
    if back == wide || wide.is_nan() {
        return f16::from_f32(single);
    }
    let bits = single.to_bits() - u32::from(back.abs() > wide.abs());
    f16::from_f32(f32::from_bits(bits | 1))
}

macro_rules! target {
    ($($type:ty, $size:literal, |$wide:ident| $narrow:expr, |$number:ident| $infinite:expr;)*) => {$(
        impl Target<$size> for $type {
            #[inline(always)]
            fn narrow($wide: f64) -> Self { $narrow }
            #[inline(always)]
            fn is_infinite(self) -> bool { let $number = self; $infinite }
            #[inline(always)]
            fn to_ne(self) -> [u8; $size] { self.to_ne_bytes() }
        }
    )*};
}

target! {
    f32, 4, |w| w as f32, |n| f32::is_infinite(n);
    f64, 8, |w| w, |n| f64::is_infinite(n);
    f16, 2, |w| narrow_to_f16(w), |n| f16::is_infinite(n);
    i8, 1, |w| w as i8, |_n| false;
    u8, 1, |w| w as u8, |_n| false;
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
