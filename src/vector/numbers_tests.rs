//! Numbers by the kernel, and one by one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::vector::convert::{Converter, Format};
use crate::vector::dtype::{Dtype, Number, RawDtype};

const DTYPES: [Dtype; 5] = [Dtype::Float32, Dtype::Float64, Dtype::Float16, Dtype::Int8, Dtype::UInt8];

/// The elements that the numbers become one by one, and the bytes that they take.
fn one_by_one(mut bytes: &[u8], dtype: Dtype, count: usize) -> Option<(Vec<u8>, usize)> {
    let (mut out, length) = (Vec::new(), bytes.len());
    for _ in 0..count {
        let (head, size) = Head::read(bytes).ok()?;
        let (raw, number) = match Scalar::of(head)? {
            Scalar::Float32(number) => (Number::F32, number.to_le_bytes().to_vec()),
            Scalar::Float64(number) => (Number::F64, number.to_le_bytes().to_vec()),
            Scalar::Int(number) => (Number::I64, number.to_le_bytes().to_vec()),
            Scalar::UInt(number) => (Number::U64, number.to_le_bytes().to_vec()),
        };
        let mut element = vec![0; dtype.size()];
        Converter::new(Format::Packed(RawDtype::of(raw)), dtype).convert(&number, &mut element).ok()?;
        out.extend(element);
        bytes = &bytes[size..];
    }
    Some((out, length - bytes.len()))
}

fn check(bytes: &[u8], dtype: Dtype, count: usize) {
    let mut out = vec![0; count * dtype.size()];
    let taken = Converter::new(Format::Numbers, dtype).convert_numbers(bytes, &mut out);
    let found = taken.map(|taken| (out, taken));
    assert_eq!(found, one_by_one(bytes, dtype, count), "{dtype}: {count} of {bytes:02x?}");
}

/// The number written by a library, in the shortest form or in a wider one.
fn write(value: i64, random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    use rmp::encode as mp;
    match random.u8(0..4) {
        0 => mp::write_i64(bytes, value).unwrap(),
        1 => mp::write_i32(bytes, value as i32).unwrap(),
        2 => mp::write_u64(bytes, value.unsigned_abs()).unwrap(),
        _ => {
            mp::write_sint(bytes, value).unwrap();
        }
    }
}

#[test]
fn every_marker_with_every_byte_behind_it() {
    for (marker, byte) in (0..=255).flat_map(|marker| (0..=255).map(move |byte| (marker, byte))) {
        for filler in [0x00, 0xff] {
            let bytes = [marker, byte, filler, filler, filler, filler, filler, filler, filler];
            for dtype in DTYPES {
                check(&bytes, dtype, 1);
                check(&bytes[..2], dtype, 1);
            }
        }
    }
}

#[test]
fn arrays_of_any_numbers_with_any_end() {
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..2000 {
        // Many of them: numbers are read together where enough bytes are at hand.
        let count = random.usize(0..400);
        let bits = random.u32(1..64);
        let mut bytes = Vec::new();
        for _ in 0..count {
            let value = random.i64(..) >> (63 - bits);
            match random.u8(0..if round % 2 == 0 { 8 } else { 200 }) {
                0 => rmp::encode::write_f32(&mut bytes, value as f32).unwrap(),
                1 => rmp::encode::write_f64(&mut bytes, value as f64 / 8.0).unwrap(),
                2 if round % 5 == 0 => bytes.push(random.u8(..)),
                _ => write(value, &mut random, &mut bytes),
            }
        }
        bytes.extend([0xa1, b'x', 0, 1, 2, 3, 4, 5, 6, 7].iter().take(random.usize(0..11)));
        for dtype in DTYPES {
            check(&bytes, dtype, count);
        }
    }
}

#[test]
fn a_number_by_its_form_is_that_of_its_head() {
    let mut random = fastrand::Rng::with_seed(5);
    for marker in 0..=255 {
        for _ in 0..200 {
            let mut bytes = [0; MAX_HEAD];
            random.fill(&mut bytes);
            bytes[0] = marker;
            let expected = Head::read(&bytes).ok().and_then(|(head, size)| Some((Scalar::of(head)?, size)));
            let exact = |(scalar, size): (Scalar, usize)| match scalar {
                Scalar::Float32(number) => (i128::from(number.to_bits()), true, size),
                Scalar::Float64(number) => (i128::from(number.to_bits()), true, size),
                integer => (integer.to_integer::<i128>().unwrap(), false, size),
            };
            assert_eq!(Scalar::read(&bytes).map(exact), expected.map(exact), "{bytes:02x?}");
            assert_eq!(Scalar::read(&bytes[..MAX_HEAD - 1]), None);
        }
    }
}

#[test]
fn short_integers_whose_second_bytes_are_markers_as_well() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..1000 {
        let (count, mut bytes) = (random.usize(0..400), Vec::new());
        for _ in 0..count {
            let value = match random.u8(0..4) {
                0 => *random.choice(&[0xcc, 0xd0, -0x34, -0x30]).unwrap(),
                _ => random.i64(-128..256),
            };
            // A number of another kind ends what is read together.
            let value = if round % 2 == 0 && random.u8(..) == 0 { value * 1000 } else { value };
            rmp::encode::write_sint(&mut bytes, value).unwrap();
        }
        for dtype in [Dtype::Float32, Dtype::Float64, Dtype::Float16] {
            check(&bytes, dtype, count);
        }
        let unsigned: Vec<u8> =
            (0..count).map(|_| random.u8(0x80..=0xff)).flat_map(|byte| [0xcc, byte]).collect();
        check(&unsigned, Dtype::UInt8, count);
    }
}
