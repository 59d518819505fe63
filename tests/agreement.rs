//! Everything that decodes must give what a naive decoder gives, on generated files: the same rows bit for bit and the same
//! rejects, in order, whatever the kind of input, the number of threads and the size of batches.
//!
//! `PROPTEST_CASES` sets the number of cases.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestCaseError;
use vecpack::{Decoder, Dtype, ErrorKind, Framing, Input, OnError, ReadOptions, RejectKind, Source};

use crate::naive::{Naive, Reading};
use crate::support::{Head, Note, Pieces, Row, Scan, drain, rejected, rows_of};

/// What a file is made of.
#[derive(Debug, Clone)]
enum Part {
    /// Records with the same head: lanes can run.
    Uniform { count: usize, head: Head, seed: u64 },
    /// A vector of which the last element may not fit the column.
    Extreme(Head),
    /// A vector of another length.
    Length(Head, usize),
    /// Anything else.
    Other(Vec<u8>),
    /// 0xc1, alone or in an object, and whatever comes behind.
    Invalid(Vec<u8>),
    /// All but the last bytes of a part. Only the last part of a file can be cut.
    Cut(Box<Part>, usize),
}

const DIM: u32 = 3;

impl Part {
    fn bytes(&self, reading: &Reading) -> Vec<u8> {
        let payload = |seed: u64| reading.ordinary(DIM as usize, &mut fastrand::Rng::with_seed(seed));
        match self {
            Self::Uniform { count, head, seed } => {
                (0..*count as u64).flat_map(|at| head.record(&payload(seed.wrapping_add(at)))).collect()
            }
            Self::Extreme(head) => {
                let mut payload = payload(0);
                let last = payload.len() - reading.extreme().len();
                payload[last..].copy_from_slice(&reading.extreme());
                head.record(&payload)
            }
            Self::Length(head, length) => head.record(&vec![7; *length]),
            Self::Other(bytes) | Self::Invalid(bytes) => bytes.clone(),
            Self::Cut(part, missing) => {
                let bytes = part.bytes(reading);
                bytes[..bytes.len() - 1 - missing % bytes.len().max(1)].to_vec()
            }
        }
    }
}

fn head() -> impl Strategy<Value = Head> {
    select(&Head::ALL[..])
}

/// Heads and lengths that go together with a vector of `DIM` elements of any size.
fn part() -> impl Strategy<Value = Part> {
    // A record of 3 float64 fits the shortest head of a string: 24 bytes.
    prop_oneof![
        4 => (1..150usize, head(), any::<u64>()).prop_map(|(count, head, seed)| Part::Uniform { count, head, seed }),
        1 => head().prop_map(Part::Extreme),
        1 => (head(), 0..31usize).prop_map(|(head, length)| Part::Length(head, length)),
        1 => (select(&[Head::Bin16, Head::Str32][..]), 31..500usize).prop_map(|(head, length)| Part::Length(head, length)),
        3 => other().prop_map(Part::Other),
    ]
}

/// An object that is no vector.
fn other() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |length: usize| proptest::collection::vec(any::<u8>(), length);
    let scalar = prop_oneof![
        select(&[0x00u8, 0x7f, 0x80, 0x90, 0xc0, 0xc2, 0xc3, 0xe0, 0xff][..]).prop_map(|marker| vec![marker]),
        (select(&[0xca, 0xce, 0xd2][..]), bytes(4)).prop_map(|(marker, rest)| [vec![marker], rest].concat()),
        (select(&[0xcb, 0xcf, 0xd3, 0xd6 + 1][..]), bytes(8 + 1)).prop_map(|(marker, rest)| [
            vec![marker],
            rest[..if marker == 0xd7 { 9 } else { 8 }].into()
        ]
        .concat()),
        bytes(20).prop_map(|rest| [vec![0xc7, 20, 5], rest].concat()),
    ];
    scalar.prop_recursive(4, 40, 15, |inner| {
        let vectors = (head(), 0..31usize).prop_map(|(head, length)| head.record(&vec![9; length]));
        let item = prop_oneof![inner, vectors];
        prop_oneof![
            proptest::collection::vec(item.clone(), 0..15).prop_map(|items| [
                vec![0x90 + items.len() as u8],
                items.concat()
            ]
            .concat()),
            proptest::collection::vec((item.clone(), item), 0..8).prop_map(|pairs| {
                let pairs: Vec<_> = pairs.into_iter().flat_map(|(key, value)| [key, value]).collect();
                [vec![0xde, 0, (pairs.len() / 2) as u8], pairs.concat()].concat()
            }),
        ]
    })
}

fn file() -> impl Strategy<Value = Vec<Part>> {
    let junk = proptest::collection::vec(any::<u8>(), 0..20);
    let invalid = prop_oneof![
        Just(vec![0xc1]),
        Just(vec![0x93, 0xc0, 0xc4, 1, 1, 0xc1]),
        Just(vec![0xdd, 0, 1, 0, 0, 0xc1]),
        Just(vec![0x81, 0xa1, b'k', 0x91, 0xc1]),
    ];
    let invalid = (invalid, junk).prop_map(|(bytes, junk)| Part::Invalid([bytes, junk].concat()));
    let claims = select(&[[0xdd, 0xff, 0xff, 0xff, 0xff], [0xc6, 0xff, 0xff, 0xff, 0xff]][..]);
    let last = prop_oneof![
        4 => Just(None),
        2 => (part(), any::<usize>()).prop_map(|(part, missing)| Some(Part::Cut(Box::new(part), missing))),
        1 => claims.prop_map(|claim| Some(Part::Other(claim.to_vec()))),
        1 => invalid.prop_map(Some),
    ];
    let parts = proptest::collection::vec(part(), 0..8);
    (parts, last).prop_map(|(parts, last)| parts.into_iter().chain(last).collect())
}

/// Files, and how to read them.
#[derive(Debug, Clone)]
struct Case {
    files: Vec<Vec<Part>>,
    reading: Reading,
    on_error: OnError,
    /// Whether `dim` is to be found.
    infer: bool,
    max_record_bytes: u64,
    /// Sizes of what streams and decoders are given at once.
    pieces: Vec<usize>,
    /// What happens to the files after they were written, each at a share of their length.
    damages: Vec<(u16, Damage)>,
}

/// What can happen to the bytes of a file.
#[derive(Debug, Clone)]
enum Damage {
    /// A bit of the head of a record is another one; of which, and which bit.
    Head(u8),
    Bit(u8),
    Byte(u8),
    Zeroes(usize),
    Lost(usize),
    Added(Vec<u8>),
}

impl Damage {
    fn happen(&self, bytes: &mut Vec<u8>, place: usize) {
        match self {
            Self::Head(bit) => {
                // The next bytes that look like the head of a vector of this dimension.
                let rest = bytes[place..]
                    .windows(2)
                    .position(|pair| matches!(pair, [0xc4 | 0xd9, 4..=24] | [0xc5, 0]));
                let at = place + rest.unwrap_or(0) + usize::from(bit / 8 % 2);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Bit(bit) => bytes[place] ^= 1 << (bit % 8),
            Self::Byte(byte) => bytes[place] = *byte,
            Self::Zeroes(count) => bytes.iter_mut().skip(place).take(*count).for_each(|byte| *byte = 0),
            Self::Lost(count) => drop(bytes.drain(place..bytes.len().min(place + count))),
            Self::Added(more) => drop(bytes.splice(place..place, more.iter().copied())),
        }
    }
}

fn damages() -> impl Strategy<Value = Vec<(u16, Damage)>> {
    let damage = prop_oneof![
        4 => any::<u8>().prop_map(Damage::Head),
        2 => any::<u8>().prop_map(Damage::Bit),
        2 => Just(Damage::Byte(0xc1)),
        1 => any::<u8>().prop_map(Damage::Byte),
        1 => (1..200usize).prop_map(Damage::Zeroes),
        1 => (1..40usize).prop_map(Damage::Lost),
        1 => proptest::collection::vec(any::<u8>(), 1..40).prop_map(Damage::Added),
    ];
    let some = proptest::collection::vec((any::<u16>(), damage), 1..5);
    prop_oneof![1 => Just(Vec::new()), 2 => some]
}

fn case() -> impl Strategy<Value = Case> {
    let pieces = prop_oneof![
        Just(vec![1]),
        proptest::collection::vec(1..40usize, 1..6),
        proptest::collection::vec(1..3000usize, 1..6),
        Just(vec![usize::MAX]),
    ];
    (
        proptest::collection::vec(file(), 1..4),
        select(&Reading::ALL[..]),
        select(&[OnError::Raise, OnError::Skip, OnError::Null][..]),
        any::<bool>(),
        prop_oneof![3 => Just(256 << 20), 1 => 30..60u64],
        pieces,
        damages(),
    )
        .prop_map(|(files, reading, on_error, infer, max_record_bytes, pieces, damages)| Case {
            files,
            reading,
            on_error,
            infer,
            max_record_bytes,
            pieces,
            damages,
        })
}

impl Case {
    fn options(&self) -> ReadOptions {
        // Bare vectors, whatever else there is more of.
        let options = ReadOptions::new()
            .with_vector("vector")
            .with_framing(Framing::Sequence)
            .with_raw_dtype(self.reading.raw.parse::<vecpack::RawDtype>().unwrap())
            .with_dtype(self.reading.dtype)
            .with_on_error(self.on_error)
            .with_max_rejects(usize::MAX)
            .with_max_record_bytes(self.max_record_bytes);
        if self.infer { options } else { options.with_dim(DIM) }
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        // What records are shows in the first of them that tells: here a bare vector.
        let first = Part::Uniform { head: Head::Bin8, count: 1, seed: 0 };
        let bytes = |at: usize, parts: &Vec<Part>| {
            let first = if at == 0 { first.bytes(&self.reading) } else { Vec::new() };
            let mut bytes = first.clone();
            bytes.extend(parts.iter().flat_map(|part| part.bytes(&self.reading)));
            for (share, damage) in &self.damages {
                // The first record stays, as it tells what they are.
                let place = first.len() + (bytes.len() - first.len()) * usize::from(*share) / (1 << 16);
                if place < bytes.len() {
                    damage.happen(&mut bytes, place);
                }
            }
            // What begins with these is known to be no MessagePack behind them, which the naive decoder does not know.
            for at in 0..bytes.len().saturating_sub(2) {
                match bytes[at..at + 3] {
                    [0xd4 | 0xd5, 0x72, _] | [0xd6, 0x62, _] => bytes[at + 1] = 5,
                    [0xc7, _, 0x62 | 0x72] => bytes[at + 2] = 5,
                    _ => {}
                }
            }
            bytes
        };
        self.files.iter().enumerate().map(|(at, parts)| (format!("file {at}"), bytes(at, parts))).collect()
    }

    /// What must come of these files: of legal ones what the naive decoder gives, of damaged ones what
    /// one thread gives that has all bytes at hand.
    fn expected(&self, files: &[(String, Vec<u8>)]) -> Option<Naive> {
        if self.on_error == OnError::Raise || self.damages.is_empty() && self.is_legal(files) {
            return self.naive(files);
        }
        let inputs = files.iter().map(|(name, bytes)| Input::bytes(name, bytes.clone())).collect();
        let source = Source::new(inputs, self.options().with_threads(1)).ok()?;
        let Scan { rows, notes, error, .. } = drain(source.reader().unwrap());
        assert!(error.is_none(), "{error:?}");
        Some(Naive { dim: source.dim()?, rows, notes })
    }

    /// True for files of whole objects that are no longer than a record may be.
    fn is_legal(&self, files: &[(String, Vec<u8>)]) -> bool {
        let is_odd =
            |kind| matches!(kind, RejectKind::Invalid | RejectKind::Truncated | RejectKind::TooLarge);
        let decoded =
            crate::naive::decode(files, DIM as usize, &self.reading, OnError::Null, self.max_record_bytes);
        !decoded.notes.iter().any(|note| is_odd(note.kind))
    }

    fn naive(&self, files: &[(String, Vec<u8>)]) -> Option<Naive> {
        let dim = if self.infer {
            crate::naive::infer(files, &self.reading, self.max_record_bytes)?
        } else {
            DIM as usize
        };
        Some(crate::naive::decode(files, dim, &self.reading, self.on_error, self.max_record_bytes))
    }

    /// That `scan` gave what the naive decoder gave.
    fn check(&self, mut scan: Scan, expected: &Naive, what: &str) -> Result<(), TestCaseError> {
        let notes: Vec<Note> = expected.notes.iter().cloned().map(|note| self.known(note)).collect();
        scan.notes = scan.notes.into_iter().map(|note| self.known(note)).collect();
        if self.on_error != OnError::Raise || notes.is_empty() {
            prop_assert!(scan.error.is_none(), "{what}: {:?}", scan.error);
            prop_assert_eq!(&scan.notes, &notes, "{}", what);
            prop_assert!(scan.rows == expected.rows, "{what}: {:?}, not {:?}", scan.rows, expected.rows);
            return Ok(());
        }
        prop_assert!(scan.error.is_some(), "{what}: no error, but {:?}", notes[0]);
        let error = scan.error.unwrap();
        let found = Note { length: notes[0].length, ..rejected(&error).into() };
        prop_assert_eq!(&self.known(found), &notes[0], "{}", what);
        prop_assert!(expected.rows.starts_with(&scan.rows), "{what}: other rows before the error");
        prop_assert!(scan.notes.is_empty(), "{what}");
        Ok(())
    }

    /// As far as the naive decoder can know: damage can look like a vector of a library that it has never heard of.
    fn known(&self, note: Note) -> Note {
        let is_odd = |part: &Part| matches!(part, Part::Invalid(_) | Part::Other(_));
        let is_known = self.damages.is_empty() && !self.files.iter().flatten().any(is_odd);
        match note.kind {
            RejectKind::Dimension | RejectKind::Value if !is_known => Note { kind: RejectKind::Type, ..note },
            RejectKind::Unsupported => Note { kind: RejectKind::Type, ..note },
            _ => note,
        }
    }
}

const THREADS: [usize; 3] = [1, 2, 5];
const BATCH_ROWS: [Option<usize>; 4] = [Some(1), Some(7), Some(64), None];

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn with_batch_rows(options: ReadOptions, rows: Option<usize>) -> ReadOptions {
    rows.map_or(options.clone(), |rows| options.with_batch_rows(rows))
}

/// These files as every kind of input.
fn inputs(case: &Case, files: &[(String, Vec<u8>)], directory: &std::path::Path) -> [Vec<Input>; 3] {
    let bytes = |(name, bytes): &(String, Vec<u8>)| Input::bytes(name, bytes.clone());
    let stream = |(name, bytes): &(String, Vec<u8>)| {
        Input::stream(name, Pieces { bytes: bytes.clone().into(), sizes: case.pieces.clone() })
    };
    let on_disk = |(name, bytes): &(String, Vec<u8>)| {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap();
        Input::path(path)
    };
    [
        files.iter().map(bytes).collect(),
        files.iter().map(on_disk).collect(),
        files.iter().map(stream).collect(),
    ]
}

/// Takes the directory out of the names of files.
fn rename(mut scan: Scan, directory: &std::path::Path) -> Scan {
    let prefix = format!("{}/", directory.display());
    let rename = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
    for note in &mut scan.notes {
        note.file = rename(&note.file);
    }
    scan.error = scan.error.map(|error| match error.into_kind() {
        ErrorKind::Decode(mut reject) => {
            reject.file = rename(&reject.file).into();
            ErrorKind::Decode(reject).into()
        }
        kind => kind.into(),
    });
    scan
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_source_gives_what_the_naive_decoder_gives(case in case()) {
        let files = case.files();
        let expected = case.expected(&files);
        let directory = crate::support::directory();
        for inputs in inputs(&case, &files, directory.path()) {
            for (threads, rows) in THREADS.into_iter().flat_map(|threads| BATCH_ROWS.map(|rows| (threads, rows))) {
                let what = format!("{:?}, threads {threads}, batch_rows {rows:?}", inputs[0]);
                let options = with_batch_rows(case.options(), rows).with_threads(threads);
                let source = match (Source::new(inputs.clone(), options), &expected) {
                    (Ok(source), Some(_)) => source,
                    (Err(error), None) => {
                        assert!(matches!(error.kind(), ErrorKind::Schema(_)), "{error}");
                        continue;
                    }
                    (found, expected) => {
                        let dim = expected.as_ref().map(|expected| expected.dim);
                        return Err(TestCaseError::fail(format!("{what}: {found:?}, but dim is {dim:?}")));
                    }
                };
                let expected = expected.as_ref().unwrap();
                prop_assert_eq!(source.dim(), Some(expected.dim));
                let scan = rename(drain(source.reader().unwrap()), directory.path());
                prop_assert!(scan.batches.iter().all(|&found| found > 0 && rows.is_none_or(|rows| found <= rows)));
                case.check(scan, expected, &what)?;
            }
        }
    }

    #[test]
    fn a_decoder_gives_what_the_naive_decoder_gives_whatever_it_is_fed(case in case()) {
        let files = case.files();
        let Some(expected) = case.naive(&files) else { return Ok(()) };
        for rows in BATCH_ROWS {
            let decoder = Decoder::new(expected.dim as u32, &with_batch_rows(case.options(), rows)).unwrap();
            case.check(feed(decoder, &files, &case.pieces), &expected, &format!("batch_rows {rows:?}"))?;
        }
    }

    #[test]
    fn the_parts_of_a_source_are_together_the_source(case in case()) {
        let files = case.files();
        let Some(expected) = case.expected(&files) else { return Ok(()) };
        let directory = crate::support::directory();
        for inputs in inputs(&case, &files, directory.path()) {
            let options = case.options().with_batch_rows(7).with_threads(2);
            let source = Source::new(inputs, options);
            prop_assert!(source.is_ok(), "{:?}", source);
            let source = source.unwrap();
            for parts in 1..=5 {
                let mut together = Scan { rows: vec![], batches: vec![], notes: vec![], error: None };
                let split = source.split(parts).unwrap();
                prop_assert_eq!(split.len(), parts);
                for part in split {
                    let scan = drain(part.reader().unwrap());
                    together.rows.extend(scan.rows);
                    together.notes.extend(scan.notes);
                    together.error = scan.error;
                    if together.error.is_some() {
                        break;
                    }
                }
                let together = rename(together, directory.path());
                case.check(together, &expected, &format!("{parts} parts"))?;
            }
        }
    }
}

/// Decodes `files` with one decoder that is given `pieces` of them; what it leaves comes again with the next piece.
fn feed(mut decoder: Decoder, files: &[(String, Vec<u8>)], pieces: &[usize]) -> Scan {
    let mut scan = Scan { rows: vec![], batches: vec![], notes: vec![], error: None };
    for (name, bytes) in files {
        let (mut done, mut given) = (0, 0usize);
        let mut sizes = pieces.iter().cycle();
        let result = loop {
            given = given.saturating_add(*sizes.next().unwrap()).min(bytes.len());
            let taken = match decoder.decode(&bytes[done..given]) {
                Ok(taken) => taken,
                Err(error) => break Err(error),
            };
            done += taken;
            if decoder.is_full() {
                collect(&mut decoder, &mut scan, name);
            } else if decoder.is_invalid() || given == bytes.len() && taken == 0 {
                break decoder.finish((bytes.len() - done) as u64);
            }
        };
        collect(&mut decoder, &mut scan, name);
        if let Err(error) = result {
            let mut reject = rejected(&error).clone();
            reject.file = name.as_str().into();
            scan.error = Some(ErrorKind::Decode(reject).into());
            break;
        }
    }
    scan
}

fn collect(decoder: &mut Decoder, scan: &mut Scan, name: &str) {
    if let Some(decoded) = decoder.flush().unwrap() {
        scan.rows.extend(rows_of(&decoded.batch));
        let file = |note: Note| Note { file: name.to_owned(), ..note };
        scan.notes.extend(decoded.rejects.details().iter().map(Note::from).map(file));
    }
}

#[test]
fn the_cases_are_of_every_kind() {
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let mut seen = std::collections::HashSet::new();
    let mut longest = 0;
    for _ in 0..500 {
        let case = case().new_tree(&mut runner).unwrap().current();
        if let Some(Naive { rows, notes, .. }) = case.naive(&case.files()) {
            longest = longest.max(rows.len());
            seen.extend(notes.into_iter().map(|note| note.kind.as_str()));
        }
    }
    assert!(longest > 500, "{longest}");
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn the_naive_decoder_itself_is_right_about_a_small_file() {
    let reading = Reading { raw: "<f4", dtype: Dtype::Float32 };
    let bytes = [&[0xc4, 4, 1, 2, 3, 4][..], &[0xc0], &[0xa4, 5, 6, 7, 8], &[0xc4, 4, 0]].concat();
    let files = [("f".to_owned(), bytes)];
    assert_eq!(crate::naive::infer(&files, &reading, 100), Some(1));
    let Naive { rows, notes, .. } = crate::naive::decode(&files, 1, &reading, OnError::Null, 100);
    let expected: [Row; 3] = [Some(vec![1, 2, 3, 4]), None, Some(vec![5, 6, 7, 8])];
    assert_eq!(rows, expected);
    let note = |record, offset, length, kind| Note { file: "f".into(), record, offset, length, kind };
    assert_eq!(notes, [note(1, 6, 1, RejectKind::Type), note(3, 12, 3, RejectKind::Truncated)]);
}
