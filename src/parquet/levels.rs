//! Repetition and definition levels of vectors: which elements begin a row, and which are there.
//!
//! Both are written in Parquet's hybrid of runs and packed bits. A page without nulls takes one run of definition levels, and for
//! each row the same few bytes of repetition levels; both depend on the shape alone.

use arrow_array::{Array, FixedSizeListArray};

/// What the levels of a vector column mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) dim: usize,
    /// The definition level of an element that is there.
    pub(super) max_def: i16,
    /// Whether elements may be null.
    pub(super) nullable_elements: bool,
}

/// The levels of `rows` rows without a null, as a version 1 page has them: each kind behind its length.
pub(super) fn of_whole_rows(shape: Shape, rows: usize) -> Vec<u8> {
    let Shape { dim, max_def, .. } = shape;
    let mut repetition = Vec::new();
    match dim {
        1 => run(&mut repetition, rows, 0),
        2..=15 => {
            let values = rows * dim;
            let groups = values.div_ceil(8);
            varint(&mut repetition, (groups as u64) << 1 | 1);
            let start = repetition.len();
            repetition.resize(start + groups, 0xff);
            for row in 0..rows {
                let bit = row * dim;
                repetition[start + bit / 8] &= !(1 << (bit % 8));
            }
        }
        _ => {
            // Eight packed bits, of which the first begins the row, and a run of ones. Some readers know rows of one length by this.
            let mut row = vec![0x03, 0xfe];
            run(&mut row, dim - 8, 1);
            repetition = row.repeat(rows);
        }
    }
    let mut definition = Vec::new();
    run(&mut definition, rows * dim, max_def);
    behind_lengths(&repetition, &definition)
}

/// The levels of rows some of which, or of the elements of which, are null; and how many levels of each kind those are. Streams
/// from elsewhere may hold nulls that their schema rules out, for which there is no level: `None`. `found` gets the part and the
/// place in it of each element that is there.
pub(super) fn of_rows(
    shape: Shape,
    parts: &[FixedSizeListArray],
    mut found: impl FnMut(usize, usize),
) -> Option<(Vec<u8>, usize)> {
    let (mut repetition, mut definition) = (Runs::default(), Runs::default());
    for (number, part) in parts.iter().enumerate() {
        let elements = part.values();
        for row in 0..part.len() {
            repetition.push(0, 1);
            if part.is_null(row) {
                definition.push(0, 1);
                continue;
            }
            repetition.push(1, shape.dim - 1);
            let first = part.value_offset(row) as usize;
            for element in first..first + shape.dim {
                match elements.is_null(element) {
                    false => found(number, element),
                    true if shape.nullable_elements => {}
                    true => return None,
                }
                definition.push(shape.max_def - i16::from(elements.is_null(element)), 1);
            }
        }
    }
    let count = definition.count;
    Some((behind_lengths(&repetition.finish(), &definition.finish()), count))
}

/// Equal levels, one after another.
#[derive(Default)]
struct Runs {
    bytes: Vec<u8>,
    level: i16,
    length: usize,
    count: usize,
}

impl Runs {
    fn push(&mut self, level: i16, times: usize) {
        if level != self.level && times > 0 {
            self.end();
            self.level = level;
        }
        self.length += times;
        self.count += times;
    }

    fn end(&mut self) {
        if self.length > 0 {
            run(&mut self.bytes, self.length, self.level);
            self.length = 0;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.end();
        self.bytes
    }
}

/// A run of equal levels; none is larger than fits a byte.
fn run(out: &mut Vec<u8>, length: usize, level: i16) {
    varint(out, (length as u64) << 1);
    out.push(level as u8);
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn behind_lengths(repetition: &[u8], definition: &[u8]) -> Vec<u8> {
    let length = |levels: &[u8]| (levels.len() as u32).to_le_bytes();
    [&length(repetition), repetition, &length(definition), definition].concat()
}

#[cfg(test)]
#[path = "levels_tests.rs"]
mod tests;
