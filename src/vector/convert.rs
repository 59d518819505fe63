//! Kernels: elements as the input holds them, to elements as the column holds them.
//!
//! The rule, for every pair of types:
//! - the same type is moved bit for bit (NaN payloads, -0.0 and subnormals included), with its bytes swapped if need be;
//! - a float becomes a float by rounding to nearest, ties to even; a finite number that would become infinite does not fit;
//! - a conversion from or to integers must be exact, or the number does not fit.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::dtype::{Dtype, Number, RawDtype};
use crate::msgpack::Head;

/// How the elements of a vector lie in the input, all of them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One after another, as a program holds them in memory.
    Packed(RawDtype),
    /// As MessagePack's float32, each behind its marker.
    Float32,
    /// As MessagePack's float64, each behind its marker.
    Float64,
}

impl Format {
    /// Bytes an element takes.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Packed(raw) => raw.size(),
            Self::Float32 => 5,
            Self::Float64 => 9,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        match self {
            Self::Packed(raw) => raw.exponent_bits() > 0,
            Self::Float32 | Self::Float64 => true,
        }
    }

    pub(crate) fn is_bool(self) -> bool {
        matches!(self, Self::Packed(RawDtype { number: Number::Bool, .. }))
    }

    /// The element at the start of `bytes`; `None` where it is not there, or has another marker.
    pub(crate) fn scalar(self, bytes: &[u8]) -> Option<Scalar> {
        match self {
            Self::Packed(raw) => raw.scalar(bytes),
            Self::Float32 | Self::Float64 => Scalar::of(Head::read(bytes).ok()?.0),
        }
    }
}

/// MessagePack's markers of floats.
const F32_MARKER: u8 = 0xca;
const F64_MARKER: u8 = 0xcb;

/// Converts whole elements of the input to elements of the column in native byte order. Both slices hold the same number
/// of elements. The error is the index of an element that does not fit, the first such but for markers.
type Kernel = fn(&[u8], &mut [u8]) -> Result<(), usize>;

/// The kernel from `format` to `dtype`.
fn kernel(format: Format, dtype: Dtype) -> Kernel {
    match format {
        Format::Packed(raw) => packed_kernel(raw, dtype),
        Format::Float32 => match dtype {
            Dtype::Float32 => move_marked::<4, 5, F32_MARKER>,
            Dtype::Float64 => convert_marked::<f32, f64, 4, 8, 5, F32_MARKER>,
            Dtype::Float16 => convert_marked::<f32, f16, 4, 2, 5, F32_MARKER>,
            Dtype::Int8 => convert_marked::<f32, i8, 4, 1, 5, F32_MARKER>,
            Dtype::UInt8 => convert_marked::<f32, u8, 4, 1, 5, F32_MARKER>,
        },
        Format::Float64 => match dtype {
            Dtype::Float32 => convert_marked::<f64, f32, 8, 4, 9, F64_MARKER>,
            Dtype::Float64 => move_marked::<8, 9, F64_MARKER>,
            Dtype::Float16 => convert_marked::<f64, f16, 8, 2, 9, F64_MARKER>,
            Dtype::Int8 => convert_marked::<f64, i8, 8, 1, 9, F64_MARKER>,
            Dtype::UInt8 => convert_marked::<f64, u8, 8, 1, 9, F64_MARKER>,
        },
    }
}

fn packed_kernel(raw: RawDtype, dtype: Dtype) -> Kernel {
    if is_move(raw, dtype) {
        return copy;
    }
    match raw.number {
        Number::F16 => to::<f16, 2>(raw, dtype),
        Number::BF16 => to::<bf16, 2>(raw, dtype),
        Number::F32 => to::<f32, 4>(raw, dtype),
        Number::F64 => to::<f64, 8>(raw, dtype),
        Number::I8 => to::<i8, 1>(raw, dtype),
        Number::U8 | Number::Bool => to::<u8, 1>(raw, dtype),
        Number::I16 => to::<i16, 2>(raw, dtype),
        Number::U16 => to::<u16, 2>(raw, dtype),
        Number::I32 => to::<i32, 4>(raw, dtype),
        Number::U32 => to::<u32, 4>(raw, dtype),
        Number::I64 => to::<i64, 8>(raw, dtype),
        Number::U64 => to::<u64, 8>(raw, dtype),
    }
}

/// Converts vectors from one format, which may change from vector to vector, to the element type of a column.
pub(crate) struct Converter {
    format: Format,
    dtype: Dtype,
    kernel: Kernel,
}

impl Converter {
    pub(crate) fn new(format: Format, dtype: Dtype) -> Self {
        Self { format, dtype, kernel: kernel(format, dtype) }
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
}

/// True where the bytes of the input are the bytes of the column.
fn is_move(raw: RawDtype, dtype: Dtype) -> bool {
    same_type(raw.number, dtype) && (raw.size() == 1 || raw.big_endian == cfg!(target_endian = "big"))
}

fn same_type(number: Number, dtype: Dtype) -> bool {
    matches!(
        (number, dtype),
        (Number::F32, Dtype::Float32)
            | (Number::F64, Dtype::Float64)
            | (Number::F16, Dtype::Float16)
            | (Number::I8, Dtype::Int8)
            | (Number::U8 | Number::Bool, Dtype::UInt8)
    )
}

fn to<S: Source<N>, const N: usize>(raw: RawDtype, dtype: Dtype) -> Kernel {
    if same_type(raw.number, dtype) {
        return swap::<N>;
    }
    match dtype {
        Dtype::Float32 if raw.number == Number::F16 => {
            if raw.big_endian {
                widen_f16::<true>
            } else {
                widen_f16::<false>
            }
        }
        Dtype::Float32 => by_order::<S, f32, N, 4>(raw),
        Dtype::Float64 => by_order::<S, f64, N, 8>(raw),
        Dtype::Float16 => by_order::<S, f16, N, 2>(raw),
        Dtype::Int8 => by_order::<S, i8, N, 1>(raw),
        Dtype::UInt8 => by_order::<S, u8, N, 1>(raw),
    }
}

fn by_order<S: Source<N>, T: Target<M>, const N: usize, const M: usize>(raw: RawDtype) -> Kernel {
    if raw.big_endian { convert::<S, T, N, M, true> } else { convert::<S, T, N, M, false> }
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

fn convert<S: Source<N>, T: Target<M>, const N: usize, const M: usize, const BIG: bool>(
    raw: &[u8],
    out: &mut [u8],
) -> Result<(), usize> {
    let read = |bytes: &[u8; N]| if BIG { S::from_be(*bytes) } else { S::from_le(*bytes) };
    convert_elements::<S, T, N, M, N>(raw, out, read)
}

/// Float16 to float32, which always fits. `half` has the processor's instruction for it, where the
/// processor has one.
fn widen_f16<const BIG: bool>(raw: &[u8], out: &mut [u8]) -> Result<(), usize> {
    let (groups, rest) = raw.as_chunks::<2>().0.as_chunks::<WIDENED>();
    let (out_groups, out_rest) = out.as_chunks_mut::<4>().0.as_chunks_mut::<WIDENED>();
    let read = |bytes: [u8; 2]| if BIG { f16::from_be_bytes(bytes) } else { f16::from_le_bytes(bytes) };
    let mut singles = [0.0; WIDENED];
    for (group, out) in groups.iter().zip(out_groups) {
        group.map(read).convert_to_f32_slice(&mut singles);
        *out = singles.map(f32::to_ne_bytes);
    }
    for (element, out) in rest.iter().zip(out_rest) {
        *out = read(*element).to_f32().to_ne_bytes();
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
fn convert_elements<S: Source<N>, T: Target<M>, const N: usize, const M: usize, const K: usize>(
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
    let mut bad = |element: &[u8; K]| {
        let number = read(element);
        !fits(number, T::narrow(number.wide()))
    };
    elements.iter().position(&mut bad).map_or(Ok(()), Err)
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
    if wrong == 0 { Ok(()) } else { Err(unmarked::<K, MARKER>(from).unwrap_or(0)) }
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
    let converted = convert_elements::<S, T, N, M, K>(from, out, |bytes| {
        wrong |= bytes[0] ^ MARKER;
        let mut number = [0; N];
        number.copy_from_slice(&bytes[1..]);
        S::from_be(number)
    });
    if wrong == 0 { converted } else { Err(unmarked::<K, MARKER>(from).unwrap_or(0)) }
}

fn unmarked<const K: usize, const MARKER: u8>(from: &[u8]) -> Option<usize> {
    from.as_chunks::<K>().0.iter().position(|bytes| bytes[0] != MARKER)
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

    /// The number as an integer, if it is one.
    pub(crate) fn to_integer(self) -> Option<i128> {
        let whole = |value: f64| (value.trunc() == value && value.abs() < 1e30).then_some(value as i128);
        match self {
            Self::UInt(value) => Some(value.into()),
            Self::Int(value) => Some(value.into()),
            Self::Float32(value) => whole(value.into()),
            Self::Float64(value) => whole(value),
        }
    }

    /// The number as a float32, by the rule of this module.
    pub(crate) fn to_f32(self) -> Option<f32> {
        if let Self::Float32(value) = self { Some(value) } else { self.narrow::<f32, 4>() }
    }

    /// The number as a float64, by the rule of this module.
    pub(crate) fn to_f64(self) -> Option<f64> {
        if let Self::Float64(value) = self { Some(value) } else { self.narrow::<f64, 8>() }
    }

    /// The number as a float16, by the rule of this module.
    pub(crate) fn to_f16(self) -> Option<f16> {
        self.narrow::<f16, 2>()
    }

    pub(super) fn narrow<T: Target<N>, const N: usize>(self) -> Option<T> {
        fn one<S: Source<N>, T: Target<M>, const N: usize, const M: usize>(number: S) -> Option<T> {
            let converted = T::narrow(number.wide());
            fits(number, converted).then_some(converted)
        }
        match self {
            Self::Float32(value) => one::<f32, T, 4, N>(value),
            Self::Float64(value) => one::<f64, T, 8, N>(value),
            Self::Int(value) => one::<i64, T, 8, N>(value),
            Self::UInt(value) => one::<u64, T, 8, N>(value),
        }
    }

    /// Writes the number as an element of a column; false where it does not fit.
    pub(crate) fn write(self, dtype: Dtype, out: &mut [u8]) -> bool {
        fn put<const N: usize>(bytes: Option<[u8; N]>, out: &mut [u8]) -> bool {
            bytes.is_some_and(|bytes| {
                out.copy_from_slice(&bytes);
                true
            })
        }
        match dtype {
            Dtype::Float32 => put(self.to_f32().map(f32::to_ne_bytes), out),
            Dtype::Float64 => put(self.to_f64().map(f64::to_ne_bytes), out),
            Dtype::Float16 => put(self.to_f16().map(f16::to_ne_bytes), out),
            Dtype::Int8 => put(self.narrow::<i8, 1>().map(i8::to_ne_bytes), out),
            Dtype::UInt8 => put(self.narrow::<u8, 1>().map(u8::to_ne_bytes), out),
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
            let bytes = bytes.first_chunk::<N>()?;
            Some(if big_endian { S::from_be(*bytes) } else { S::from_le(*bytes) })
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

    /// One element as a person writes it.
    pub(crate) fn show(self, bytes: &[u8]) -> String {
        self.scalar(bytes).map(|scalar| scalar.to_string()).unwrap_or_default()
    }
}

/// An element as the input holds it, of `N` bytes.
trait Source<const N: usize>: Copy + Default {
    const FLOAT: bool;
    fn from_le(bytes: [u8; N]) -> Self;
    fn from_be(bytes: [u8; N]) -> Self;
    /// As float64; exact but for 64-bit integers beyond 2^53, which [`equals`](Self::equals) finds out.
    fn wide(self) -> f64;
    fn equals(self, back: f64) -> bool;
}

/// An element as the column holds it, of `M` bytes.
pub(super) trait Target<const M: usize>: Copy {
    const FLOAT: bool;
    fn narrow(wide: f64) -> Self;
    fn wide(self) -> f64;
    fn is_infinite(self) -> bool;
    fn to_ne(self) -> [u8; M];
}

macro_rules! source {
    ($($type:ty, $size:literal, $float:literal, |$number:ident| $wide:expr, |$back:ident| $equals:expr;)*) => {$(
        impl Source<$size> for $type {
            const FLOAT: bool = $float;
            #[inline(always)]
            fn from_le(bytes: [u8; $size]) -> Self { <$type>::from_le_bytes(bytes) }
            #[inline(always)]
            fn from_be(bytes: [u8; $size]) -> Self { <$type>::from_be_bytes(bytes) }
            #[inline(always)]
            fn wide(self) -> f64 { let $number = self; $wide }
            #[inline(always)]
            fn equals(self, $back: f64) -> bool { let $number = self; $equals }
        }
    )*};
}

source! {
    f16, 2, true, |n| n.to_f64(), |back| n.to_f64() == back;
    bf16, 2, true, |n| f64::from(f32::from_bits(u32::from(n.to_bits()) << 16)), |back| n.to_f64() == back;
    f32, 4, true, |n| f64::from(n), |back| f64::from(n) == back;
    f64, 8, true, |n| n, |back| n == back;
    i8, 1, false, |n| f64::from(n), |back| f64::from(n) == back;
    u8, 1, false, |n| f64::from(n), |back| f64::from(n) == back;
    i16, 2, false, |n| f64::from(n), |back| f64::from(n) == back;
    u16, 2, false, |n| f64::from(n), |back| f64::from(n) == back;
    i32, 4, false, |n| f64::from(n), |back| f64::from(n) == back;
    u32, 4, false, |n| f64::from(n), |back| f64::from(n) == back;
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
    ($($type:ty, $size:literal, $float:literal, |$wide:ident| $narrow:expr, |$number:ident| $widen:expr, $infinite:expr;)*) => {$(
        impl Target<$size> for $type {
            const FLOAT: bool = $float;
            #[inline(always)]
            fn narrow($wide: f64) -> Self { $narrow }
            #[inline(always)]
            fn wide(self) -> f64 { let $number = self; $widen }
            #[inline(always)]
            fn is_infinite(self) -> bool { let infinite: fn(Self) -> bool = $infinite; infinite(self) }
            #[inline(always)]
            fn to_ne(self) -> [u8; $size] { self.to_ne_bytes() }
        }
    )*};
}

target! {
    f32, 4, true, |w| w as f32, |n| f64::from(n), f32::is_infinite;
    f64, 8, true, |w| w, |n| n, f64::is_infinite;
    f16, 2, true, |w| narrow_to_f16(w), |n| n.to_f64(), f16::is_infinite;
    i8, 1, false, |w| w as i8, |n| f64::from(n), |_| false;
    u8, 1, false, |w| w as u8, |n| f64::from(n), |_| false;
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
