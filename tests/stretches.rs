//! Files of records with fields are decoded in stretches, which begin where a record seems to. Whatever is in the file, and
//! wherever the stretches are cut, the table and the rejects must be those of a walk from the first byte: of a stream.
//!
//! `PROPTEST_CASES` sets the number of cases.

#![allow(clippy::unwrap_used)]

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use proptest::prelude::*;
use proptest::sample::select;
use vecpack::{Framing, Input, OnError, ReadOptions, Source};

use crate::support::{Head, Note, Pieces, floats, vector};

const DIM: usize = 16;

/// Part of a file, in records.
#[derive(Debug, Clone)]
enum Part {
    /// So many good records, with a text of up to so many bytes.
    Good(usize, usize),
    /// A record that has the same beginning and is bad: a vector of another length, or no map.
    Bad(usize),
    /// A record that holds a list of what looks like records, but for where it stands.
    Nested(usize),
}

fn text(bytes: usize, of: &str) -> Vec<u8> {
    Head::Str16.record(of.repeat(bytes.div_ceil(of.len())).as_bytes())
}

fn pair(key: &str, value: Vec<u8>) -> Vec<u8> {
    [Head::FixStr.record(key.as_bytes()), value].concat()
}

fn number(n: usize) -> Vec<u8> {
    [vec![0xce], (n as u32).to_be_bytes().to_vec()].concat()
}

fn record(n: usize, note: &[u8], dim: usize) -> Vec<u8> {
    let vector = Head::Bin16.record(&floats(&vector(n, dim)));
    [vec![0x83], pair("id", number(n)), pair("note", note.to_vec()), pair("v", vector)].concat()
}

impl Part {
    /// The records of this part; `n` is the number of the first.
    fn records(&self, n: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Good(count, most) => {
                let note = |at: usize| text(at * 37 % most.max(&1), "note ");
                (0..*count).map(|at| record(n + at, &note(at), DIM)).collect()
            }
            Self::Bad(0) => vec![vec![0x07]],
            Self::Bad(dim) => vec![record(n, &[0xc0], DIM + dim)],
            Self::Nested(count) => {
                let inner: Vec<u8> = (0..*count).flat_map(|at| record(at, &[0xc0], DIM)).collect();
                let list = [vec![0xdd], (*count as u32).to_be_bytes().to_vec(), inner].concat();
                vec![[vec![0x84], pair("extra", list), record(n, &[0xc0], DIM)[1..].to_vec()].concat()]
            }
        }
    }
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        6 => (1..400usize, 1..300usize).prop_map(|(count, most)| Part::Good(count, most)),
        1 => (0..3usize).prop_map(Part::Bad),
        1 => (1..200usize).prop_map(Part::Nested),
    ]
}

#[derive(Debug, Clone)]
struct Case {
    parts: Vec<Part>,
    framing: Framing,
    /// Arrays into which the records are divided, and what follows them.
    arrays: usize,
    tail: Vec<u8>,
    on_error: OnError,
    batch_rows: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let tail = prop_oneof![
        6 => Just(Vec::new()),
        1 => Just(vec![0x83, 0xa2, b'i', b'd']),
        1 => Just(vec![0xc1, 1, 2, 3]),
        1 => Just(vec![0x07, 0x90]),
    ];
    (
        proptest::collection::vec(part(), 1..8),
        select(&[Framing::Sequence, Framing::Array][..]),
        1..3usize,
        tail,
        select(&[OnError::Raise, OnError::Skip, OnError::Null][..]),
        select(&[1, 7, 100, 100_000][..]),
    )
        .prop_map(|(parts, framing, arrays, tail, on_error, batch_rows)| Case {
            parts,
            framing,
            arrays,
            tail,
            on_error,
            batch_rows,
        })
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for part in &self.parts {
            let more = part.records(records.len());
            records.extend(more);
        }
        // The first record tells what the columns are.
        records.insert(0, record(0, &text(3, "note"), DIM));
        let mut bytes = Vec::new();
        for some in records.chunks(records.len().div_ceil(self.arrays)) {
            if self.framing == Framing::Array {
                bytes.push(0xdd);
                bytes.extend((some.len() as u32).to_be_bytes());
            }
            bytes.extend(some.concat());
        }
        bytes.extend(&self.tail);
        bytes
    }

    fn options(&self) -> ReadOptions {
        ReadOptions::new()
            .with_framing(self.framing)
            .with_on_error(self.on_error)
            .with_batch_rows(self.batch_rows)
            .with_max_rejects(usize::MAX)
            .with_include_record(true)
            .with_infer_records(1)
    }
}

/// All rows as one batch, what was rejected, and the error.
fn read(input: Input, options: ReadOptions) -> (RecordBatch, Vec<Note>, Option<String>) {
    let source = Source::new(vec![input], options).unwrap();
    let (mut reader, mut batches, mut failure) = (source.reader().unwrap(), Vec::new(), None);
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => break,
            Err(error) => {
                failure = Some(error.to_string());
                break;
            }
        }
    }
    let notes = reader.rejects().details().iter().map(Note::from).collect();
    (concat_batches(&source.schema(), &batches).unwrap(), notes, failure)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn stretches_give_what_a_walk_gives(case in case()) {
        let bytes = case.bytes();
        let stream = Input::stream("records", Pieces { bytes: bytes.clone().into(), sizes: vec![1000] });
        let walked = read(stream, case.options());
        for threads in [1, 2, 5] {
            for batch_bytes in [1, 9_000, 40_000] {
                let options = case.options().with_threads(threads).with_batch_bytes(batch_bytes);
                let found = read(Input::bytes("records", bytes.clone()), options);
                let what = format!("{threads} threads, {batch_bytes} bytes");
                prop_assert_eq!(&found.2, &walked.2, "{}", what);
                if walked.2.is_none() {
                    prop_assert_eq!(&found.1, &walked.1, "{}", what);
                    prop_assert!(found.0 == walked.0, "{what}: other rows: {:?}, not {:?}", found.0, walked.0);
                } else {
                    // How many rows come before the error depends on where batches end.
                    let rows = found.0.num_rows().min(walked.0.num_rows());
                    prop_assert!(found.0.slice(0, rows) == walked.0.slice(0, rows), "{what}: other rows");
                }
            }
        }
    }
}
