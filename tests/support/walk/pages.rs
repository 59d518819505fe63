//! What a page holds: levels, values, and the smallest and the largest of them.

use super::thrift::Thrift;
use super::{BOOLEAN, BYTE_ARRAY, DOUBLE, FIXED, FLOAT, INT32, INT64, Leaf, Order};

/// A codec by Parquet's number.
pub(super) struct Codec(pub(super) i64);

impl Codec {
    pub(super) fn uncompress(&self, page: &[u8], size: usize) -> Vec<u8> {
        let bytes = match self.0 {
            0 => page.to_vec(),
            1 => snap::raw::Decoder::new().decompress_vec(page).unwrap(),
            6 => zstd::bulk::decompress(page, size).unwrap(),
            7 => lz4_flex::block::decompress(page, size).unwrap(),
            other => panic!("codec {other}"),
        };
        assert_eq!(bytes.len(), size, "uncompressed_page_size");
        bytes
    }
}

/// A data page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) rows: usize,
    pub(super) values: usize,
    pub(super) nulls: usize,
    pub(super) text_bytes: usize,
    /// How many levels of each kind there are.
    pub(super) rep: Vec<i64>,
    pub(super) def: Vec<i64>,
    pub(super) bounds: Bounds,
}

const PLAIN: i64 = 0;
const RLE: i64 = 3;
const DICTIONARY: i64 = 8;
const BYTE_STREAM_SPLIT: i64 = 9;

impl Page {
    /// Reads a page of version 1.
    pub(super) fn read(
        leaf: &Leaf,
        header: &Thrift,
        mut bytes: &[u8],
        dictionary: Option<&[Vec<u8>]>,
    ) -> Self {
        let count = header.field(1).size();
        let mut levels = |max: i64, encoding: i64| {
            if max == 0 {
                return vec![0; count];
            }
            assert_eq!(encoding, RLE, "the encoding of levels");
            let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
            let (levels, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
            bytes = rest;
            hybrid(levels, (64 - max.leading_zeros()) as usize, count)
        };
        let rep = levels(leaf.max_rep, header.field(4).int());
        let def = levels(leaf.max_def, header.field(3).int());
        let histogram = |levels: &[u32], max: i64| {
            let mut counts = vec![0; max as usize + 1];
            levels.iter().for_each(|&level| counts[level as usize] += 1);
            counts
        };
        let (rep_counts, def_counts) = (histogram(&rep, leaf.max_rep), histogram(&def, leaf.max_def));
        assert!(rep.first().is_none_or(|&level| level == 0), "a page begins in the middle of a row");
        let there = def_counts[leaf.max_def as usize] as usize;
        let values = match header.field(2).int() {
            PLAIN => plain(leaf, bytes, there),
            BYTE_STREAM_SPLIT => {
                assert_eq!(bytes.len(), there * leaf.width(), "bytes of values");
                let byte = |value, plane| bytes[plane * there + value];
                (0..there).map(|value| (0..leaf.width()).map(|plane| byte(value, plane)).collect()).collect()
            }
            DICTIONARY => {
                let dictionary = dictionary.expect("a page with words and no dictionary");
                let words = hybrid(&bytes[1..], bytes[0].into(), there);
                words.iter().map(|&word| dictionary[word as usize].clone()).collect()
            }
            other => panic!("encoding {other}"),
        };
        let mut bounds = Bounds::default();
        values.iter().for_each(|value| bounds.add(leaf, value));
        Self {
            rows: rep_counts[0] as usize,
            values: count,
            nulls: count - there,
            text_bytes: if leaf.physical == BYTE_ARRAY { values.iter().map(Vec::len).sum() } else { 0 },
            rep: rep_counts,
            def: def_counts,
            bounds,
        }
    }
}

impl Leaf {
    /// Bytes a value.
    fn width(&self) -> usize {
        match self.physical {
            INT32 | FLOAT => 4,
            INT64 | DOUBLE => 8,
            FIXED => self.length,
            other => panic!("physical type {other}"),
        }
    }
}

/// Values as they lie, which must take all of `bytes`.
pub(super) fn plain(leaf: &Leaf, bytes: &[u8], count: usize) -> Vec<Vec<u8>> {
    match leaf.physical {
        BOOLEAN => {
            assert_eq!(bytes.len(), count.div_ceil(8), "bytes of values");
            (0..count).map(|at| vec![bytes[at / 8] >> (at % 8) & 1]).collect()
        }
        BYTE_ARRAY => {
            let mut rest = bytes;
            let mut value = |_| {
                let (length, behind) = rest.split_first_chunk::<4>().unwrap();
                let (value, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
                rest = behind;
                value.to_vec()
            };
            let values = (0..count).map(&mut value).collect();
            assert!(rest.is_empty(), "bytes behind the last value");
            values
        }
        _ => {
            assert_eq!(bytes.len(), count * leaf.width(), "bytes of values");
            bytes.chunks_exact(leaf.width().max(1)).map(<[u8]>::to_vec).collect()
        }
    }
}

/// Parquet's hybrid of runs and packed bits, of which the first `count` numbers count.
fn hybrid(mut bytes: &[u8], width: usize, count: usize) -> Vec<u32> {
    let mut numbers = Vec::with_capacity(count);
    while numbers.len() < count {
        let (mut head, mut shift) = (0_usize, 0);
        loop {
            let byte = bytes[0];
            bytes = &bytes[1..];
            head |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        if head & 1 == 0 {
            let (value, rest) = bytes.split_at(width.div_ceil(8));
            let value = value.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte));
            numbers.extend(std::iter::repeat_n(value, head >> 1));
            bytes = rest;
        } else {
            // The last group may be cut off behind the last number.
            let (packed, rest) = bytes.split_at(((head >> 1) * width).min(bytes.len()));
            let bit = |at: usize| packed.get(at / 8).map_or(0, |byte| u32::from(byte >> (at % 8) & 1));
            let number =
                |at: usize| (0..width).fold(0, |number, place| number | bit(at * width + place) << place);
            numbers.extend((0..(head >> 1) * 8).map(number));
            bytes = rest;
        }
    }
    numbers.truncate(count);
    numbers
}

/// The smallest and the largest value, as they are written, and as numbers or bytes that can be
/// compared.
#[derive(Default, Clone)]
pub(super) struct Bounds(Option<(Key, Key)>);

#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Key {
    Int(i128),
    Float(f64),
    Bytes(Vec<u8>),
}

pub(super) fn key(leaf: &Leaf, value: &[u8]) -> Option<Key> {
    let signed = leaf.order == Order::Signed;
    Some(match (leaf.physical, value) {
        (BOOLEAN, [byte]) => Key::Int((*byte).into()),
        (INT32, &[a, b, c, d]) if signed => Key::Int(i32::from_le_bytes([a, b, c, d]).into()),
        (INT32, &[a, b, c, d]) => Key::Int(u32::from_le_bytes([a, b, c, d]).into()),
        (INT64, _) if signed => Key::Int(i64::from_le_bytes(value.try_into().unwrap()).into()),
        (INT64, _) => Key::Int(u64::from_le_bytes(value.try_into().unwrap()).into()),
        (FLOAT, &[a, b, c, d]) => Key::Float(f32::from_le_bytes([a, b, c, d]).into()),
        (DOUBLE, _) => Key::Float(f64::from_le_bytes(value.try_into().unwrap())),
        (BYTE_ARRAY | FIXED, _) if leaf.order == Order::Unsigned => Key::Bytes(value.to_vec()),
        (BYTE_ARRAY | FIXED, _) => return None,
        other => panic!("a value of {other:?}"),
    })
}

impl Bounds {
    fn add(&mut self, leaf: &Leaf, value: &[u8]) {
        match key(leaf, value) {
            Some(key) if key.partial_cmp(&key).is_some() => self.merge(&Self(Some((key.clone(), key)))),
            _ => {} // no bound is NaN
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Some((min, max)) = &other.0 else { return };
        let (all_min, all_max) = self.0.get_or_insert_with(|| (min.clone(), max.clone()));
        if min < all_min {
            all_min.clone_from(min);
        }
        if max > all_max {
            all_max.clone_from(max);
        }
    }

    /// Bounds that are written must be those of the values; where they are not exact, values lie
    /// between them.
    pub(super) fn check(&self, leaf: &Leaf, min: &[u8], max: &[u8], exact: [bool; 2], what: &str) {
        let Some((least, most)) = &self.0 else { return };
        let (Some(min), Some(max)) = (key(leaf, min), key(leaf, max)) else { return };
        assert!(&min <= least && most <= &max, "{what}: {least:?} and {most:?}, not in {min:?} to {max:?}");
        assert!(!exact[0] || &min == least, "{what}: the minimum is {least:?}, not {min:?}");
        assert!(!exact[1] || &max == most, "{what}: the maximum is {most:?}, not {max:?}");
    }
}
