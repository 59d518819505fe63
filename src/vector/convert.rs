//! Kernels: elements as the input holds them, to elements as the column holds them.
//!
//! The rule, for every pair of types:
//! - the same type is moved bit for bit (NaN payloads, -0.0 and subnormals included), with its bytes swapped if need be;
//! - a float becomes a float by rounding to nearest, ties to even; a finite number that would become infinite does not fit;
//! - a conversion from or to integers must be exact, or the number does not fit.

use half::{bf16, f16};

use super::dtype::{Dtype, Number, RawDtype};

/// Converts whole elements of `raw` bytes to elements of the column in native byte order. Both slices hold the same number
/// of elements. The error is the index of the first element that does not fit.
type Kernel = fn(&[u8], &mut [u8]) -> Result<(), usize>;

/// The kernel from `raw` to `dtype`.
fn kernel(raw: RawDtype, dtype: Dtype) -> Kernel {
    if is_move(raw, dtype) {
        return copy;
    }
    match raw.number {
        Number::F16 => to::<f16, 2>(raw, dtype),
        Number::BF16 => to::<bf16, 2>(raw, dtype),
        Number::F32 => to::<f32, 4>(raw, dtype),
        Number::F64 => to::<f64, 8>(raw, dtype),
        Number::I8 => to::<i8, 1>(raw, dtype),
        Number::U8 => to::<u8, 1>(raw, dtype),
        Number::I16 => to::<i16, 2>(raw, dtype),
        Number::U16 => to::<u16, 2>(raw, dtype),
        Number::I32 => to::<i32, 4>(raw, dtype),
        Number::U32 => to::<u32, 4>(raw, dtype),
        Number::I64 => to::<i64, 8>(raw, dtype),
        Number::U64 => to::<u64, 8>(raw, dtype),
    }
}

/// Converts vectors from one element type, which may change from vector to vector, to that of a column.
pub(crate) struct Converter {
    raw: RawDtype,
    dtype: Dtype,
    kernel: Kernel,
}

impl Converter {
    pub(crate) fn new(raw: RawDtype, dtype: Dtype) -> Self {
        Self { raw, dtype, kernel: kernel(raw, dtype) }
    }

    /// How the next vectors are read.
    pub(crate) fn set_raw(&mut self, raw: RawDtype) {
        if raw != self.raw {
            *self = Self::new(raw, self.dtype);
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
            | (Number::U8, Dtype::UInt8)
    )
}

fn to<S: Source<N>, const N: usize>(raw: RawDtype, dtype: Dtype) -> Kernel {
    if same_type(raw.number, dtype) {
        return swap::<N>;
    }
    match dtype {
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
    let mut fit = true;
    for (from, to) in raw.as_chunks::<N>().0.iter().zip(out.as_chunks_mut::<M>().0) {
        let number = read(from);
        let converted = T::narrow(number.wide());
        fit &= fits(number, converted);
        *to = converted.to_ne();
    }
    if fit {
        return Ok(());
    }
    let bad = |bytes: &[u8; N]| !fits(read(bytes), T::narrow(read(bytes).wide()));
    Err(raw.as_chunks::<N>().0.iter().position(bad).unwrap_or(0))
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
    /// One element as a person writes it.
    pub(crate) fn show(self, bytes: &[u8]) -> String {
        fn one<S: Source<N> + std::fmt::Debug, const N: usize>(bytes: &[u8], big_endian: bool) -> String {
            let Some(bytes) = bytes.first_chunk::<N>() else { return String::new() };
            format!("{:?}", if big_endian { S::from_be(*bytes) } else { S::from_le(*bytes) })
        }
        let show = match self.number {
            Number::F16 => one::<f16, 2>,
            Number::BF16 => one::<bf16, 2>,
            Number::F32 => one::<f32, 4>,
            Number::F64 => one::<f64, 8>,
            Number::I8 => one::<i8, 1>,
            Number::U8 => one::<u8, 1>,
            Number::I16 => one::<i16, 2>,
            Number::U16 => one::<u16, 2>,
            Number::I32 => one::<i32, 4>,
            Number::U32 => one::<u32, 4>,
            Number::I64 => one::<i64, 8>,
            Number::U64 => one::<u64, 8>,
        };
        show(bytes, self.big_endian)
    }
}

/// An element as the input holds it, of `N` bytes.
trait Source<const N: usize>: Copy {
    const FLOAT: bool;
    fn from_le(bytes: [u8; N]) -> Self;
    fn from_be(bytes: [u8; N]) -> Self;
    /// As float64; exact but for 64-bit integers beyond 2^53, which [`equals`](Self::equals) finds out.
    fn wide(self) -> f64;
    fn equals(self, back: f64) -> bool;
}

/// An element as the column holds it, of `M` bytes.
trait Target<const M: usize>: Copy {
    const FLOAT: bool;
    fn narrow(wide: f64) -> Self;
    fn wide(self) -> f64;
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
    ($($type:ty, $size:literal, $float:literal, |$wide:ident| $narrow:expr, |$number:ident| $widen:expr;)*) => {$(
        impl Target<$size> for $type {
            const FLOAT: bool = $float;
            #[inline(always)]
            fn narrow($wide: f64) -> Self { $narrow }
            #[inline(always)]
            fn wide(self) -> f64 { let $number = self; $widen }
            #[inline(always)]
            fn to_ne(self) -> [u8; $size] { self.to_ne_bytes() }
        }
    )*};
}

target! {
    f32, 4, true, |w| w as f32, |n| f64::from(n);
    f64, 8, true, |w| w, |n| n;
    f16, 2, true, |w| narrow_to_f16(w), |n| n.to_f64();
    i8, 1, false, |w| w as i8, |n| f64::from(n);
    u8, 1, false, |w| w as u8, |n| f64::from(n);
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
