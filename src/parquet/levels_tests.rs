//! Levels: what a reader that knows the format and nothing else finds in them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::{FixedSizeListArray, Float32Array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};
use proptest::prelude::*;

use super::*;

/// Decodes one kind of levels, after their length.
fn decode(bytes: &mut &[u8], count: usize) -> Vec<i16> {
    let length = u32::from_le_bytes(*bytes.split_first_chunk().unwrap().0) as usize;
    let (mut levels, rest) = (&bytes[4..4 + length], &bytes[4 + length..]);
    *bytes = rest;
    let mut found = Vec::new();
    while found.len() < count {
        let (mut head, mut shift) = (0_u64, 0);
        loop {
            let (&byte, rest) = levels.split_first().unwrap();
            levels = rest;
            head |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        if head & 1 == 0 {
            found.extend(std::iter::repeat_n(i16::from(levels[0]), (head >> 1) as usize));
            levels = &levels[1..];
        } else {
            let packed = (head >> 1) as usize;
            found.extend((0..8 * packed).map(|bit| i16::from(levels[bit / 8] >> (bit % 8) & 1)));
            levels = &levels[packed..];
        }
    }
    // Packed bits may fill the last byte; nothing else may be left.
    assert!(levels.is_empty() && found.len() < count + 8);
    found.truncate(count);
    found
}

#[test]
fn whole_rows_begin_where_they_do_and_have_every_element() {
    for dim in (1..=40).chain([384, 512, 1536, 4096, 100_000]) {
        for rows in [1, 2, 3, 7, 8, 9, 64] {
            let shape = Shape { dim, max_def: 2, nullable_elements: false };
            let levels = of_whole_rows(shape, rows);
            let mut left = &*levels;
            let repetition = decode(&mut left, rows * dim);
            assert!(
                repetition.iter().enumerate().all(|(at, &level)| level == i16::from(at % dim != 0)),
                "{dim}"
            );
            assert!(decode(&mut left, rows * dim).iter().all(|&level| level == 2), "{dim}");
            assert!(left.is_empty());
        }
    }
}

#[test]
fn a_row_takes_the_bytes_that_readers_know_it_by() {
    let levels = of_whole_rows(Shape { dim: 768, max_def: 1, nullable_elements: false }, 2);
    assert_eq!(levels[4..14], [0x03, 0xfe, 0xf0, 0x0b, 0x01, 0x03, 0xfe, 0xf0, 0x0b, 0x01]);
    assert_eq!(levels[14..], [3, 0, 0, 0, 0x80, 0x18, 0x01]);
}

proptest! {
    #[test]
    fn nulls_have_levels_of_their_own(
        rows in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<bool>(), 5)), 0..40),
        start in 0..5usize,
    ) {
        let valid = NullBuffer::from_iter(rows.iter().map(Option::is_some));
        let elements = rows.iter().flat_map(|row| row.clone().unwrap_or(vec![true; 5]));
        let elements: Float32Array = elements.map(|is_valid| is_valid.then_some(1.0)).collect();
        let field = Arc::new(Field::new("element", DataType::Float32, true));
        let vectors = FixedSizeListArray::new(field, 5, Arc::new(elements), Some(valid));
        let start = start.min(rows.len());
        let parts = [vectors.slice(0, start), vectors.slice(start, rows.len() - start)];
        let shape = Shape { dim: 5, max_def: 3, nullable_elements: true };
        let (levels, count) = of_rows(shape, &parts, |_, _| {}).unwrap();

        let mut expected = Vec::new();
        for row in &rows {
            match row {
                None => expected.push((0, 0)),
                Some(row) => expected.extend(row.iter().enumerate().map(|(at, &is_valid)| {
                    (i16::from(at > 0), if is_valid { 3 } else { 2 })
                })),
            }
        }
        prop_assert_eq!(count, expected.len());
        let mut left = &*levels;
        let repetition = decode(&mut left, count);
        let definition = decode(&mut left, count);
        prop_assert!(left.is_empty());
        prop_assert_eq!(repetition.into_iter().zip(definition).collect::<Vec<_>>(), expected);
    }
}
