//! Every kernel against a naive twin, which takes one element at a time through exact numbers: finite floats as float64,
//! integers as i128, and rounding in integer arithmetic from the definition of IEEE 754.

#![allow(clippy::unwrap_used)]

use super::*;

const NUMBERS: [Number; 12] = [
    Number::F16,
    Number::BF16,
    Number::F32,
    Number::F64,
    Number::I8,
    Number::U8,
    Number::I16,
    Number::U16,
    Number::I32,
    Number::U32,
    Number::I64,
    Number::U64,
];

/// Bits of fraction, least and largest exponent.
type Format = (i32, i32, i32);
const FLOAT16: Format = (10, -14, 15);
const BFLOAT16: Format = (7, -126, 127);
const FLOAT32: Format = (23, -126, 127);
const FLOAT64: Format = (52, -1022, 1023);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Exact {
    Float(f64),
    Int(i128),
}

/// The number with these bits, exactly.
fn decode_float(bits: u64, (fraction_bits, least, largest): Format) -> f64 {
    let width = 1 + fraction_bits + 64 - ((largest - least + 2) as u64).leading_zeros() as i32;
    let negative = bits >> (width - 1) & 1 == 1;
    let fraction = bits & ((1 << fraction_bits) - 1);
    let biased = (bits >> fraction_bits & ((1 << (width - 1 - fraction_bits)) - 1)) as i32;
    let magnitude = match biased {
        special if special == largest - least + 2 && fraction == 0 => f64::INFINITY,
        special if special == largest - least + 2 => f64::NAN,
        0 => fraction as f64 * power(least - fraction_bits),
        biased => ((1 << fraction_bits) + fraction) as f64 * power(biased - 1 + least - fraction_bits),
    };
    if negative { -magnitude } else { magnitude }
}

/// 2 to the power of `exponent`, exactly.
fn power(exponent: i32) -> f64 {
    f64::from_bits(if exponent >= -1022 { ((exponent + 1023) as u64) << 52 } else { 1 << (exponent + 1074) })
}

/// The bits of the number of this format that is nearest to `number`, the even one of two; `None` where it is infinite.
fn encode_float(number: f64, (fraction_bits, least, largest): Format) -> Option<u64> {
    let bits = number.abs().to_bits();
    let (biased, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    // |number| = mantissa * 2^exponent
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
    let leading = 63 - (mantissa | 1).leading_zeros() as i32 + exponent;
    // The result is rounded * 2^unit
    let unit = leading.max(least) - fraction_bits;
    let rounded = match unit - exponent {
        shift if shift <= 0 => u128::from(mantissa) << -shift,
        shift if shift > 100 => 0,
        shift => {
            let (whole, rest) = (u128::from(mantissa) >> shift, u128::from(mantissa) & ((1 << shift) - 1));
            let half = 1 << (shift - 1);
            whole + u128::from(rest > half || (rest == half && whole & 1 == 1))
        }
    };
    // A subnormal has an exponent field of 0 and no leading one; rounding up may carry into the exponent, and is right then.
    let field = (unit + fraction_bits - least) as u128;
    let magnitude = (field << fraction_bits) + rounded;
    let infinite = ((largest - least + 2) as u128) << fraction_bits;
    let sign_at = 128 - infinite.leading_zeros();
    (magnitude < infinite).then_some(magnitude as u64 | u64::from(number.is_sign_negative()) << sign_at)
}

fn decode(bytes: &[u8], raw: RawDtype) -> Exact {
    let bits = bytes.iter().enumerate().fold(0u64, |bits, (at, &byte)| {
        let place = if raw.big_endian { bytes.len() - 1 - at } else { at };
        bits | u64::from(byte) << (8 * place)
    });
    let signed = i128::from((bits << (64 - 8 * bytes.len())) as i64 >> (64 - 8 * bytes.len()));
    match raw.number {
        Number::F16 => Exact::Float(decode_float(bits, FLOAT16)),
        Number::BF16 => Exact::Float(decode_float(bits, BFLOAT16)),
        Number::F32 => Exact::Float(decode_float(bits, FLOAT32)),
        Number::F64 => Exact::Float(decode_float(bits, FLOAT64)),
        Number::I8 | Number::I16 | Number::I32 | Number::I64 => Exact::Int(signed),
        Number::U8 | Number::Bool | Number::U16 | Number::U32 | Number::U64 => Exact::Int(bits.into()),
    }
}

/// What one element becomes: its bytes, or `None` where it does not fit. A NaN that changes its type may become any NaN.
fn twin(bytes: &[u8], raw: RawDtype, dtype: Dtype) -> Option<Expected> {
    if same_type(raw.number, dtype) {
        let mut bytes = bytes.to_vec();
        if raw.big_endian != cfg!(target_endian = "big") {
            bytes.reverse();
        }
        return Some(Expected::Bytes(bytes));
    }
    let format = match dtype {
        Dtype::Float16 => FLOAT16,
        Dtype::Float32 => FLOAT32,
        Dtype::Float64 => FLOAT64,
        Dtype::Int8 | Dtype::UInt8 => {
            let whole = match decode(bytes, raw) {
                Exact::Int(whole) => whole,
                Exact::Float(number) if number.fract() == 0.0 => number as i128,
                Exact::Float(_) => return None,
            };
            let range = if dtype == Dtype::Int8 { -128..=127 } else { 0..=255 };
            return range.contains(&whole).then(|| Expected::Bytes(vec![whole as u8]));
        }
    };
    let bits = match decode(bytes, raw) {
        Exact::Float(number) if number.is_nan() => return Some(Expected::Nan),
        Exact::Float(number) if number.is_infinite() => {
            return Some(Expected::Infinite(number.is_sign_negative()));
        }
        Exact::Float(number) => encode_float(number, format)?,
        Exact::Int(whole) => {
            let bits = encode_float(whole as f64, format)?;
            if decode_float(bits, format) as i128 != whole {
                return None;
            }
            bits
        }
    };
    let bytes = match dtype.size() {
        2 => (bits as u16).to_ne_bytes().to_vec(),
        4 => (bits as u32).to_ne_bytes().to_vec(),
        _ => bits.to_ne_bytes().to_vec(),
    };
    Some(Expected::Bytes(bytes))
}

#[derive(Debug, PartialEq)]
enum Expected {
    Bytes(Vec<u8>),
    Nan,
    /// True: minus infinity.
    Infinite(bool),
}

impl Expected {
    fn is_met_by(&self, out: &[u8], dtype: Dtype) -> bool {
        let float = || match dtype {
            Dtype::Float16 => f16::from_ne_bytes(out.try_into().unwrap()).to_f64(),
            Dtype::Float32 => f32::from_ne_bytes(out.try_into().unwrap()).into(),
            _ => f64::from_ne_bytes(out.try_into().unwrap()),
        };
        match self {
            Self::Bytes(bytes) => out == bytes,
            Self::Nan => float().is_nan(),
            Self::Infinite(negative) => float().is_infinite() && float().is_sign_negative() == *negative,
        }
    }
}

fn pairs() -> impl Iterator<Item = (RawDtype, Dtype)> {
    let raws = NUMBERS.into_iter().flat_map(|number| {
        let orders: &[bool] = if number.size() == 1 { &[false] } else { &[false, true] };
        orders.iter().map(move |&big_endian| RawDtype { number, big_endian })
    });
    raws.flat_map(|raw| Dtype::ALL.into_iter().map(move |dtype| (raw, dtype)))
}

/// Bytes of `count` elements: half of them random, half of them the hard cases.
fn elements(raw: RawDtype, dtype: Dtype, count: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    (0..count).flat_map(|_| element(raw, dtype, random)).collect()
}

fn element(raw: RawDtype, dtype: Dtype, random: &mut fastrand::Rng) -> Vec<u8> {
    let size = raw.size();
    let mut bytes = match random.u8(0..8) {
        0 | 1 => random.u64(..).to_le_bytes()[..size].to_vec(),
        // Small whole numbers, which fit everywhere, and those around the ends of the integer types.
        2 => number_bytes(raw, random.i64(-300..300) as f64),
        3 => {
            let end = *random.choice(&[7, 8, 11, 15, 16, 24, 31, 32, 53, 63, 64]).unwrap();
            number_bytes(raw, power(end) * *random.choice(&[1.0, -1.0]).unwrap() + random.i64(-2..3) as f64)
        }
        // Around the middle between two neighbours of the column's type, and around its largest and least numbers.
        4 | 5 => number_bytes(raw, near_a_tie(dtype, random)),
        6 => number_bytes(
            raw,
            *random.choice(&[0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]).unwrap(),
        ),
        // NaNs with a payload, signalling ones too, and subnormals: an exponent of ones or zeros.
        _ => {
            let mut bytes = random.u64(..).to_le_bytes()[..size].to_vec();
            let exponent = if random.bool() { 0x7f } else { 0x00 };
            bytes[size - 1] = exponent | (random.u8(..) & 0x80);
            if size > 1 && raw.number != Number::F16 {
                bytes[size - 2] = (bytes[size - 2] & 0x0f) | (exponent << 1 & 0xf0);
            }
            bytes
        }
    };
    if raw.big_endian {
        bytes.reverse();
    }
    bytes
}

/// The little-endian bytes of `number`, or what is near it, as this type.
fn number_bytes(raw: RawDtype, number: f64) -> Vec<u8> {
    match raw.number {
        Number::F16 => f16::from_f64(number).to_le_bytes().to_vec(),
        Number::BF16 => bf16::from_f64(number).to_le_bytes().to_vec(),
        Number::F32 => (number as f32).to_le_bytes().to_vec(),
        Number::F64 => number.to_le_bytes().to_vec(),
        Number::I8 => (number as i8).to_le_bytes().to_vec(),
        Number::U8 | Number::Bool => (number as u8).to_le_bytes().to_vec(),
        Number::I16 => (number as i16).to_le_bytes().to_vec(),
        Number::U16 => (number as u16).to_le_bytes().to_vec(),
        Number::I32 => (number as i32).to_le_bytes().to_vec(),
        Number::U32 => (number as u32).to_le_bytes().to_vec(),
        Number::I64 => (number as i64).to_le_bytes().to_vec(),
        Number::U64 => (number as u64).to_le_bytes().to_vec(),
    }
}

fn near_a_tie(dtype: Dtype, random: &mut fastrand::Rng) -> f64 {
    let format = match dtype {
        Dtype::Float16 => FLOAT16,
        Dtype::Float32 => FLOAT32,
        _ => return random.i64(-1000..1000) as f64 / 4.0,
    };
    let infinite = ((format.2 - format.1 + 2) as u64) << format.0;
    let below = match random.u8(0..4) {
        0 => infinite - 1 - random.u64(0..2),
        1 => random.u64(0..3),
        _ => random.u64(0..infinite - 1),
    };
    let above = if below + 1 == infinite { power(format.2 + 1) } else { decode_float(below + 1, format) };
    let middle = (decode_float(below, format) + above) / 2.0;
    let steps = *random.choice(&[0i64, 0, 1, -1, 2, 1 << 20, 1 << 31, -(1 << 31)]).unwrap();
    f64::from_bits((middle.to_bits() as i64 + steps).max(0) as u64) * *random.choice(&[1.0, -1.0]).unwrap()
}

fn check_one(converter: &Converter, bytes: &[u8], raw: RawDtype, dtype: Dtype) {
    let mut out = [0; 8];
    let out = &mut out[..dtype.size()];
    let result = converter.convert(bytes, out);
    match twin(bytes, raw, dtype) {
        Some(expected) => assert!(
            result.is_ok() && expected.is_met_by(out, dtype),
            "{raw} {bytes:02x?} to {dtype}: {result:?} {out:02x?}, but {expected:02x?} is right"
        ),
        None => assert!(
            result == Err(0),
            "{raw} {bytes:02x?} to {dtype}: {result:?} {out:02x?}, but it does not fit"
        ),
    }
}

#[test]
fn every_small_number_becomes_what_the_twin_says() {
    for (raw, dtype) in pairs().filter(|(raw, _)| raw.size() <= 2) {
        let converter = Converter::new(super::Format::Packed(raw), dtype);
        for bits in 0..=u16::MAX {
            check_one(&converter, &bits.to_le_bytes()[..raw.size()], raw, dtype);
        }
    }
}

#[test]
fn every_kind_of_large_number_becomes_what_the_twin_says() {
    let mut random = fastrand::Rng::with_seed(1);
    for (raw, dtype) in pairs().filter(|(raw, _)| raw.size() > 2) {
        let converter = Converter::new(super::Format::Packed(raw), dtype);
        for _ in 0..5000 {
            check_one(&converter, &element(raw, dtype, &mut random), raw, dtype);
        }
    }
}

#[test]
fn vectors_become_what_their_elements_become_and_the_error_is_the_first_that_does_not_fit() {
    let mut random = fastrand::Rng::with_seed(2);
    for (raw, dtype) in pairs() {
        let converter = Converter::new(super::Format::Packed(raw), dtype);
        for length in (0..70).chain([1024]) {
            // Mostly numbers that fit everywhere, so that long vectors do too.
            let mut bytes = number_bytes(raw, 1.0);
            if raw.big_endian {
                bytes.reverse();
            }
            let mut bytes = bytes.repeat(length);
            for _ in 0..length.min(3) {
                let at = raw.size() * random.usize(0..length);
                bytes[at..at + raw.size()].copy_from_slice(&element(raw, dtype, &mut random));
            }
            let mut out = vec![0; length * dtype.size()];
            let result = converter.convert(&bytes, &mut out);
            let expected: Vec<_> = bytes.chunks(raw.size()).map(|bytes| twin(bytes, raw, dtype)).collect();
            match expected.iter().position(Option::is_none) {
                Some(first) => assert_eq!(result, Err(first), "{raw} to {dtype}, {length} elements"),
                None => {
                    assert_eq!(result, Ok(()), "{raw} to {dtype}, {length} elements");
                    for (out, expected) in out.chunks(dtype.size()).zip(expected) {
                        assert!(expected.unwrap().is_met_by(out, dtype), "{raw} to {dtype}: {out:02x?}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_same_type_is_moved_bit_for_bit() {
    let mut random = fastrand::Rng::with_seed(3);
    let moves: Vec<_> = pairs().filter(|&(raw, dtype)| same_type(raw.number, dtype)).collect();
    assert_eq!(moves.len(), 8); // three floats in two byte orders, two integers of one byte
    for (raw, dtype) in moves {
        let bytes: Vec<u8> = match raw.size() {
            1 => (0..=u8::MAX).collect(),
            2 => (0..=u16::MAX).flat_map(u16::to_le_bytes).collect(),
            _ => elements(raw, dtype, 100_000, &mut random),
        };
        let mut out = vec![0; bytes.len()];
        Converter::new(super::Format::Packed(raw), dtype).convert(&bytes, &mut out).unwrap();
        let mut expected = bytes;
        if raw.big_endian != cfg!(target_endian = "big") {
            expected.chunks_mut(raw.size()).for_each(<[u8]>::reverse);
        }
        assert!(out == expected, "{raw} to {dtype}");
    }
}

#[test]
fn a_signalling_nan_keeps_its_bits() {
    for bits in [0x7f80_0001u32, 0xff80_0001, 0x7fbf_ffff, 0x7fc0_0000, 0xffff_ffff] {
        let mut out = [0; 4];
        for (raw, bytes) in [("<f4", bits.to_le_bytes()), (">f4", bits.to_be_bytes())] {
            Converter::new(super::Format::Packed(raw.parse().unwrap()), Dtype::Float32)
                .convert(&bytes, &mut out)
                .unwrap();
            assert_eq!(u32::from_ne_bytes(out), bits, "{raw}");
        }
    }
}

#[test]
fn the_largest_numbers_that_fit_and_the_least_that_do_not() {
    let fits = |raw: &str, dtype, bytes: &[u8]| {
        Converter::new(super::Format::Packed(raw.parse().unwrap()), dtype)
            .convert(bytes, &mut vec![0; dtype.size()])
            .is_ok()
    };
    let largest = f64::from(f32::MAX);
    let half_a_step = power(127 - 24);
    assert!(fits("<f8", Dtype::Float32, &(largest + half_a_step * 0.999).to_le_bytes()));
    assert!(!fits("<f8", Dtype::Float32, &(largest + half_a_step).to_le_bytes()));
    assert!(fits("<f8", Dtype::Float32, &f64::NEG_INFINITY.to_le_bytes()));
    assert!(fits("<f4", Dtype::Float16, &65519.996f32.to_le_bytes()));
    assert!(!fits("<f4", Dtype::Float16, &65520f32.to_le_bytes()));
    assert!(fits("<i4", Dtype::Float32, &(1i32 << 24).to_le_bytes()));
    assert!(!fits("<i4", Dtype::Float32, &((1i32 << 24) + 1).to_le_bytes()));
    assert!(fits("<u8", Dtype::Float64, &(u64::MAX << 11).to_le_bytes()));
    assert!(!fits("<u8", Dtype::Float64, &u64::MAX.to_le_bytes()));
    assert!(fits("<i8", Dtype::Float64, &i64::MIN.to_le_bytes()));
    assert!(!fits("<i8", Dtype::Float64, &i64::MAX.to_le_bytes()));
    assert!(!fits("<f4", Dtype::Int8, &0.5f32.to_le_bytes()));
    assert!(!fits("<f4", Dtype::UInt8, &f32::NAN.to_le_bytes()));
}

#[test]
fn a_double_becomes_a_half_by_one_rounding() {
    let half = |number: f64| {
        let mut out = [0; 2];
        let result = Converter::new(super::Format::Packed("<f8".parse().unwrap()), Dtype::Float16)
            .convert(&number.to_le_bytes(), &mut out);
        result.map(|()| f16::from_ne_bytes(out).to_f64())
    };
    // 2^-11 is half a step: a little more goes up, though float32, in between, would round it down to the tie.
    assert_eq!(half(1.0 + power(-11) + power(-40)), Ok(1.0 + power(-10)));
    assert_eq!(half(1.0 + power(-11)), Ok(1.0));
    // A little less than what would become infinite does fit.
    assert_eq!(half(65_519.999_999_999), Ok(65504.0));
}

#[test]
fn a_converter_reads_the_next_vectors_as_it_is_told() {
    let mut converter = Converter::new(super::Format::Packed("<f4".parse().unwrap()), Dtype::Float32);
    let mut out = [0; 4];
    converter.set_format(super::Format::Packed(">f4".parse().unwrap()));
    converter.convert(&1.5f32.to_be_bytes(), &mut out).unwrap();
    assert_eq!(f32::from_ne_bytes(out), 1.5);
    converter.set_format(super::Format::Packed("<f8".parse().unwrap()));
    converter.convert(&2.5f64.to_le_bytes(), &mut out).unwrap();
    assert_eq!(f32::from_ne_bytes(out), 2.5);
}

#[test]
fn the_twin_itself_knows_the_formats() {
    assert_eq!(encode_float(1.0, FLOAT16), Some(0x3c00));
    assert_eq!(encode_float(-65504.0, FLOAT16), Some(0xfbff));
    assert_eq!(encode_float(65520.0, FLOAT16), None);
    assert_eq!(encode_float(power(-25), FLOAT16), Some(0));
    assert_eq!(encode_float(power(-25) * 1.5, FLOAT16), Some(1));
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..10_000 {
        let number = f64::from_bits(random.u64(..));
        if number.is_finite() {
            assert_eq!(encode_float(number, FLOAT64), Some(number.to_bits()));
            assert_eq!(decode_float(number.to_bits(), FLOAT64).to_bits(), number.to_bits());
            let narrow = number as f32;
            assert_eq!(encode_float(number, FLOAT32), narrow.is_finite().then_some(narrow.to_bits().into()));
        }
    }
}

/// Elements behind their markers, as MessagePack has them, from those that are packed big-endian.
fn mark(packed: &[u8], raw: RawDtype) -> Vec<u8> {
    let marker = if raw.size() == 4 { 0xca } else { 0xcb };
    packed.chunks(raw.size()).flat_map(|bytes| [&[marker], bytes].concat()).collect()
}

/// Each format with markers, the same without them, and every type of column.
fn marked() -> impl Iterator<Item = (super::Format, RawDtype, Dtype)> {
    let formats = [(super::Format::Float32, ">f4"), (super::Format::Float64, ">f8")];
    formats.into_iter().flat_map(|(format, raw)| {
        Dtype::ALL.into_iter().map(move |dtype| (format, raw.parse().unwrap(), dtype))
    })
}

#[test]
fn elements_behind_markers_become_what_the_twin_says() {
    let mut random = fastrand::Rng::with_seed(5);
    for (format, raw, dtype) in marked() {
        let converter = Converter::new(format, dtype);
        for _ in 0..2000 {
            // All fit, but for some in every other vector.
            let length = random.usize(0..70);
            let mut elements: Vec<_> = (0..length).map(|_| element(raw, dtype, &mut random)).collect();
            let fits = |bytes: &Vec<u8>| twin(bytes, raw, dtype).is_some();
            if random.bool() {
                elements.retain(fits);
            }
            let mut out = vec![0; elements.len() * dtype.size()];
            let result = converter.convert(&mark(&elements.concat(), raw), &mut out);
            assert_eq!(
                result,
                elements.iter().position(|bytes| !fits(bytes)).map_or(Ok(()), Err),
                "{format:?} to {dtype}"
            );
            if result.is_ok() {
                for (out, bytes) in out.chunks(dtype.size()).zip(elements) {
                    assert!(
                        twin(&bytes, raw, dtype).unwrap().is_met_by(out, dtype),
                        "{format:?} to {dtype}: {out:02x?}"
                    );
                }
            }
        }
    }
}

#[test]
fn any_marker_that_is_not_the_one_ends_a_vector_there() {
    let mut random = fastrand::Rng::with_seed(6);
    for (format, raw, dtype) in marked() {
        let converter = Converter::new(format, dtype);
        for length in 1..40 {
            let bytes = mark(&vec![0; length * raw.size()], raw);
            let mut out = vec![0; length * dtype.size()];
            for wrong in 0..length {
                let mut bytes = bytes.clone();
                bytes[wrong * format.size().unwrap()] ^= 1 << random.u8(0..8);
                let converted = converter.convert(&bytes, &mut out);
                assert!(converted.is_err(), "{format:?} to {dtype}, {length} elements");
            }
        }
        let one = mark(&vec![0; raw.size()], raw);
        for marker in (0..=u8::MAX).filter(|&marker| marker != one[0]) {
            let bytes = [&[marker], &one[1..]].concat();
            assert_eq!(converter.convert(&bytes, &mut vec![0; dtype.size()]), Err(0), "{marker:02x}");
        }
    }
}

#[test]
fn an_element_is_as_a_number_what_it_is_in_a_column() {
    let mut random = fastrand::Rng::with_seed(7);
    for (raw, dtype) in pairs() {
        for _ in 0..500 {
            let bytes = element(raw, dtype, &mut random);
            let scalar = raw.scalar(&bytes).unwrap();
            // Halves are wider as numbers, where a NaN may become any NaN.
            let is_any_nan = raw.number == Number::F16 && scalar.to().is_some_and(f64::is_nan);
            let nan = |expected| if is_any_nan { Expected::Nan } else { expected };
            let found = match dtype {
                Dtype::Float32 => scalar.to().map(|number| f32::to_ne(number).to_vec()),
                Dtype::Float64 => scalar.to().map(|number| f64::to_ne(number).to_vec()),
                Dtype::Float16 => scalar.to().map(|number| f16::to_ne(number).to_vec()),
                Dtype::Int8 => scalar.to().map(|number| i8::to_ne(number).to_vec()),
                Dtype::UInt8 => scalar.to().map(|number| u8::to_ne(number).to_vec()),
            };
            match (twin(&bytes, raw, dtype).map(nan), found) {
                (Some(expected), Some(out)) => {
                    assert!(expected.is_met_by(&out, dtype), "{scalar:?} to {dtype}");
                }
                (expected, found) => assert!(expected.is_none() && found.is_none(), "{scalar:?} to {dtype}"),
            }
        }
        assert_eq!(raw.scalar(&[0; 8][..raw.size() - 1]), None, "{raw}");
    }
}
