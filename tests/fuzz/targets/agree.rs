//! All ways to read a file give the same rows, the same rejects and the same first error: in lanes, by several threads, from
//! files and streams, in parts, by a decoder that is fed byte by byte, and by the naive decoder of the tests.

use vecpack::{Decoder, ErrorKind, Framing, OnError, ReadOptions, RejectKind, Source};

use super::choices::Choices;
use super::reading::{Kind, NAME, Scan, options, scan, source, text};
use crate::naive::{self, Naive, Reading};
use crate::support::{Head, Note, Row, rows_of};

pub fn run(data: &[u8]) {
    let (mut choices, file) = Choices::split(data);
    if choices.byte() & 1 == 0 {
        let options = options(&mut choices).with_include_path(false);
        every_way_agrees(file, &options, &mut choices);
    } else {
        vectors_agree_with_the_naive_decoder(file, &mut choices);
    }
}

/// Reads `file` in every way.
pub fn every_way_agrees(file: &[u8], options: &ReadOptions, choices: &mut Choices<'_>) {
    let piece = choices.one(&[1, 3, 64, 1000]);
    let walking = options.clone().with_threads(1);
    let walk = source(Kind::Stream(piece), file, &walking);
    let expected = walk.as_ref().map(|source| scan(source));
    let threads = choices.one(&[1, 2, 3, 5]);
    let batch_bytes = choices.one(&[8 << 20, 1, 40, 500, 9000]);
    let other = options.clone().with_threads(threads).with_batch_bytes(batch_bytes);
    for (kind, options) in
        [(Kind::Bytes, options), (Kind::Bytes, &other), (Kind::File, &other), (Kind::Stream(1 << 20), &other)]
    {
        let what = format!("{kind:?} with {options:?}, not in pieces of {piece}");
        let (found, expected) = match (source(kind, file, options), &expected) {
            (Ok(found), Ok(expected)) => (found, expected),
            (found, expected) => {
                // Which of two things is wrong with the first record may depend on which of them is seen first.
                let cause = |text: Option<&String>| {
                    text.and_then(|text| Some(text.split("; the first one is").next()?.to_owned()))
                };
                let found = cause(found.as_ref().err());
                assert_eq!(found, cause(expected.as_ref().err().copied()), "{what}");
                continue;
            }
        };
        assert_eq!(found.schema(), walk.as_ref().expect("a source").schema(), "{what}");
        expected.check(&scan(&found), &what);
        if kind == Kind::Bytes {
            let parts = 1 + usize::from(choices.byte() % 4);
            expected.check(&parts_together(&found, parts), &format!("{parts} parts, {what}"));
        }
    }
}

/// The parts of a source, one after another, up to the first error.
fn parts_together(source: &Source, parts: usize) -> Scan {
    let parts = source.split(parts).expect("parts");
    let mut together: Option<Scan> = None;
    for part in &parts {
        let next = scan(part);
        together = Some(match together {
            None => next,
            Some(before) => Scan {
                rows: arrow_select::concat::concat_batches(&source.schema(), [&before.rows, &next.rows])
                    .expect("one table"),
                rejects: before
                    .rejects
                    .into_iter()
                    .chain(next.rejects)
                    .take(source.options().max_rejects)
                    .collect(),
                rejected: before.rejected + next.rejected,
                error: next.error,
            },
        });
        if together.as_ref().is_some_and(|scan| scan.error.is_some()) {
            break;
        }
    }
    together.expect("a part")
}

/// What a decoder or a scan made of bare vectors.
#[derive(Debug, Default)]
struct Vectors {
    rows: Vec<Row>,
    notes: Vec<Note>,
    error: Option<Note>,
}

/// Bare vectors behind a good one, as all that the naive decoder knows.
fn vectors_agree_with_the_naive_decoder(file: &[u8], choices: &mut Choices<'_>) {
    let reading = choices.one(&Reading::ALL);
    let dim = 1 + usize::from(choices.byte() % 5);
    let on_error = choices.one(&[OnError::Skip, OnError::Null, OnError::Raise]);
    let most = choices.one(&[256 << 20, 30, 60]);
    let first = Head::Bin8.record(&reading.ordinary(dim, &mut fastrand::Rng::with_seed(0)));
    if first.len() as u64 > most {
        return;
    }
    let bytes = [&first, file].concat();
    if !naive::knows(&bytes) {
        return;
    }
    let files = [(NAME.to_owned(), bytes)];
    let naive = naive::decode(&files, dim, &reading, on_error, most);
    let is_odd =
        |note: &Note| matches!(note.kind, RejectKind::Invalid | RejectKind::Truncated | RejectKind::TooLarge);
    let is_legal = !naive.notes.iter().any(is_odd);
    let plain = Vectors::expected(naive, on_error);
    let [(_, bytes)] = &files;
    // Bare vectors, whatever else there is more of.
    let mut options = ReadOptions::new()
        .with_vector("vector")
        .with_framing(Framing::Sequence)
        .with_dim(dim as u32)
        .with_raw_dtype(reading.raw.parse::<vecpack::RawDtype>().expect("a type"))
        .with_dtype(reading.dtype)
        .with_on_error(on_error)
        .with_max_record_bytes(most);
    if let rows @ 1.. = choices.one(&[0, 1, 2, 7, 64]) {
        options = options.with_batch_rows(rows);
    }
    for piece in [1, 1 + choices.below(300), usize::MAX] {
        let found = feed(Decoder::new(dim as u32, &options).expect("a decoder"), bytes, piece);
        plain.check(&found, &format!("a decoder in pieces of {piece}, {options:?}"));
    }
    // A reader finds records behind damage, and a decoder does not.
    if on_error != OnError::Raise && !is_legal {
        return;
    }
    for (kind, threads) in [(Kind::Bytes, 1), (Kind::File, 3), (Kind::Stream(1 + choices.below(300)), 2)] {
        let options = options.clone().with_threads(threads);
        let source = Source::new(vec![kind.input(bytes)], options.clone()).expect("a source");
        plain.check(&drain(&source), &format!("{kind:?} with {options:?}"));
    }
}

impl Vectors {
    fn expected(naive: Naive, on_error: OnError) -> Self {
        match naive.notes.first() {
            Some(note) if on_error == OnError::Raise => {
                let error = Some(Note { length: 0, ..note.clone() });
                Self { rows: naive.rows, notes: Vec::new(), error }
            }
            _ => Self { rows: naive.rows, notes: naive.notes, error: None },
        }
    }

    fn check(&self, found: &Self, what: &str) {
        assert_eq!(found.error, self.error, "{what}");
        if self.error.is_some() {
            assert!(self.rows.starts_with(&found.rows), "{what}: other rows before the error");
        } else {
            assert_eq!(found.notes, self.notes, "{what}");
            assert!(found.rows == self.rows, "{what}: {:?}, not {:?}", found.rows, self.rows);
        }
    }

    fn add(&mut self, batch: &arrow_array::RecordBatch) {
        self.rows.extend(rows_of(batch));
    }

    /// Notes the error that ended it. Its length is that of what was read, so it depends on how the bytes came.
    fn fail(&mut self, error: &vecpack::Error) {
        text(error);
        let ErrorKind::Decode(reject) = error.kind() else { panic!("{error:?}") };
        self.error = Some(Note { length: 0, file: NAME.to_owned(), ..reject.into() });
    }
}

fn drain(source: &Source) -> Vectors {
    let (mut reader, mut found) = (source.reader().expect("a reader"), Vectors::default());
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => found.add(&batch),
            Ok(None) => break,
            Err(error) => {
                found.fail(&error);
                break;
            }
        }
    }
    let named = |note: Note| Note { file: NAME.to_owned(), ..note };
    found.notes = reader.rejects().details().iter().map(Note::from).map(named).collect();
    found
}

/// Decodes `bytes` with a decoder that is given `piece` more of them at a time; what it leaves comes again.
fn feed(mut decoder: Decoder, bytes: &[u8], piece: usize) -> Vectors {
    let (mut found, mut done, mut given) = (Vectors::default(), 0, 0usize);
    let collect = |decoder: &mut Decoder, found: &mut Vectors| {
        if let Some(decoded) = decoder.flush().expect("a batch") {
            found.add(&decoded.batch);
            let named = |note: Note| Note { file: NAME.to_owned(), ..note };
            found.notes.extend(decoded.rejects.details().iter().map(Note::from).map(named));
        }
    };
    let result = loop {
        given = given.saturating_add(piece).min(bytes.len());
        let taken = match decoder.decode(&bytes[done..given]) {
            Ok(taken) => taken,
            Err(error) => break Err(error),
        };
        done += taken;
        if decoder.is_full() {
            collect(&mut decoder, &mut found);
        } else if decoder.is_invalid() || given == bytes.len() && taken == 0 {
            break decoder.finish((bytes.len() - done) as u64);
        }
    };
    collect(&mut decoder, &mut found);
    if let Err(error) = result {
        found.fail(&error);
    }
    found
}
