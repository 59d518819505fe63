//! Records of every encoding and layout, written and read, then damaged in a few bytes and read in every way.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use vecpack::{Dtype, Framing, OnError, ReadOptions};

use super::agree::every_way_agrees;
use super::choices::Choices;
use super::reading::{Kind, scan, source};
use super::writing::{Way, array, integer, map, row, text};

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    Bare,
    Positional,
    Map,
}

/// A file of records, and what they are.
#[derive(Debug)]
pub struct File {
    pub bytes: Vec<u8>,
    /// Where each record begins, and where the last one ends.
    pub bounds: Vec<usize>,
    pub vectors: Vec<Vec<f32>>,
    pub options: ReadOptions,
    way: Way,
}

impl File {
    /// A file as the choices say; `values` are what is in it.
    pub fn new(choices: &mut Choices<'_>, values: &[u8]) -> Self {
        let way = choices.one(&Way::ALL);
        let layout = choices.one(&[Layout::Bare, Layout::Positional, Layout::Map]);
        let framing = choices.one(&[Framing::Sequence, Framing::Array, Framing::Map]);
        let dim = 1 + usize::from(choices.byte() % 20);
        let count = match choices.byte() {
            // Enough for several steps of reading and, in batches, many lanes.
            250.. => 3000,
            few => 1 + usize::from(few % 40),
        };
        let options = ReadOptions::new()
            .with_framing(framing)
            .with_dim(dim as u32)
            .with_dtype(choices.one(&[Dtype::Float32, Dtype::Float64]))
            .with_infer_records(1)
            .with_max_rejects(usize::MAX)
            .with_include_record(choices.byte() & 1 == 1);
        let options = match layout {
            Layout::Bare => options,
            Layout::Positional => options.with_vector("1"),
            Layout::Map => options.with_vector("v"),
        };
        let mut numbers = values.iter().copied().cycle();
        let mut number = || numbers.next().unwrap_or(0);
        let mut vector = || -> Vec<f32> {
            let element = |_| {
                if !way.is_exact() {
                    return f32::from(number() as i8);
                }
                let x = f32::from_le_bytes([number(), number(), number(), number()]);
                if x.is_nan() { 0.0 } else { x }
            };
            (0..dim).map(element).collect()
        };
        let vectors: Vec<_> = (0..count).map(|_| vector()).collect();
        let record = |(at, vector): (usize, &Vec<f32>)| {
            let (id, vector) = (integer(at as i64), way.write(vector));
            let note = text(&"note ".repeat(at * 7 % 11));
            match layout {
                Layout::Bare => vector,
                Layout::Positional => array(&[id, vector, note]),
                Layout::Map => {
                    let tags = (text("tags"), array(&vec![note.clone(); 1 + at % 2]));
                    let inner = (text("inner"), map(&[(text("note"), note), (text("none"), vec![0xc0])]));
                    let pairs = [(text("id"), id), (text("v"), vector), tags, inner];
                    map(&pairs)
                }
            }
        };
        let mut bytes = match framing {
            Framing::Array => [&[0xdd], &(count as u32).to_be_bytes()[..]].concat(),
            Framing::Map => [&[0xdf], &(count as u32).to_be_bytes()[..]].concat(),
            _ => Vec::new(),
        };
        let mut bounds = vec![bytes.len()];
        for record in vectors.iter().enumerate().map(record) {
            if framing == Framing::Map {
                bytes.extend(text(&format!("key {}", bounds.len())));
            }
            bytes.extend(record);
            bounds.push(bytes.len());
        }
        Self { bytes, bounds, vectors, options, way }
    }

    /// Damages some bytes behind the first record, and gives where the first of them was.
    pub fn damage(&mut self, choices: &mut Choices<'_>) -> Option<usize> {
        let mut first = None;
        for _ in 0..choices.byte() % 4 {
            let behind = self.bounds[1].min(self.bytes.len());
            let at = behind + choices.below(self.bytes.len() - behind);
            if at >= self.bytes.len() {
                break;
            }
            match choices.byte() % 4 {
                0 => self.bytes[at] = choices.byte(),
                1 => self.bytes[at] ^= 1 << (choices.byte() % 8),
                2 => drop(
                    self.bytes.drain(at..(at + 1 + usize::from(choices.byte() % 9)).min(self.bytes.len())),
                ),
                _ => self.bytes.insert(at, choices.byte()),
            }
            first = Some(first.unwrap_or(at).min(at));
        }
        first
    }
}

pub fn run(data: &[u8]) {
    let (mut choices, values) = Choices::split(data);
    let mut file = File::new(&mut choices, values);
    let first_damage = file.damage(&mut choices);
    let on_error = choices.one(&[OnError::Skip, OnError::Null, OnError::Raise]);
    let options = file.options.clone().with_on_error(on_error);
    let good = match first_damage {
        None => file.vectors.len(),
        Some(at) => file.bounds.partition_point(|&bound| bound <= at).saturating_sub(1),
    };
    let source =
        match source(Kind::Bytes, &file.bytes, &options.clone().with_threads(2).with_batch_bytes(2000)) {
            Ok(source) => source,
            Err(error) => panic!("{error} in {:?} with {options:?}", file.way),
        };
    let found = scan(&source);
    let what = format!("{:?} with {options:?}", file.way);
    if first_damage.is_none() {
        assert_eq!(found.error, None, "{what}");
        assert_eq!(found.rejects, [], "{what}");
        assert_eq!(found.rows.num_rows(), file.vectors.len(), "{what}");
    }
    let vectors = found.rows.columns().iter().find_map(|column| column.as_fixed_size_list_opt());
    let vectors = vectors.expect("a column of vectors");
    for (at, vector) in file.vectors[..good.min(vectors.len())].iter().enumerate() {
        let values = vectors.value(at).to_data();
        let size = options.dtype.size();
        let bytes = &values.buffers()[0].as_slice()[values.offset() * size..][..values.len() * size];
        assert_eq!(bytes, row(vector, options.dtype), "row {at} of {what}");
    }
    // An error takes the rows of its batch along.
    assert!(vectors.len() >= good || found.error.is_some(), "{} of {good} rows of {what}", vectors.len());
    every_way_agrees(&file.bytes, &options, &mut choices);
}
