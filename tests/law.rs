//! The law of reading, on generated files whose maker knows what each object is.
//!
//! - Whole objects read the same under every policy: `skip` leaves out the records at which `raise`
//!   stops, `null` puts a null row in their place, and no row comes from the inside of another object.
//! - What a record holds besides its columns does not matter.
//! - Every byte of an input is a row's, a reject's or the framing's, in damaged inputs as well.
//! - Threads, batches, streams and splits change nothing.
//!
//! `PROPTEST_CASES` sets the number of cases.

#![allow(clippy::unwrap_used)]

mod support;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float32Type, Int64Type, Schema, UInt64Type};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use vecpack::{Framing, Input, OnError, ReadOptions, RejectKind, Source};

use self::support::{Head, Note, Pieces, floats, rejected, vector};

const DIM: usize = 16;

// --- MessagePack, written by hand -----------------------------------------------------------------

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [vec![0xdc], (items.len() as u16).to_be_bytes().to_vec(), items.concat()].concat()
}

fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = pairs.iter().flat_map(|(key, value)| [&key[..], value].concat()).collect();
    [vec![0xde], (pairs.len() as u16).to_be_bytes().to_vec(), items].concat()
}

fn text(text: &str) -> Vec<u8> {
    Head::Str8.record(text.as_bytes())
}

fn number(n: usize) -> Vec<u8> {
    [vec![0xce], (n as u32).to_be_bytes().to_vec()].concat()
}

fn bytes(payload: &[u8]) -> Vec<u8> {
    Head::Bin16.record(payload)
}

fn float_list(numbers: &[f32]) -> Vec<u8> {
    let item = |x: &f32| [vec![0xca], x.to_be_bytes().to_vec()].concat();
    list(&numbers.iter().map(item).collect::<Vec<_>>())
}

/// Where the object at `at` ends; nothing where it is none.
fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
    let number = |from: usize, size: usize| {
        let digits = bytes.get(from..from + size)?;
        Some(digits.iter().fold(0usize, |number, &digit| number << 8 | usize::from(digit)))
    };
    let (mut at, mut left) = (at, 1usize);
    while left > 0 {
        let marker = *bytes.get(at)?;
        let (size, objects) = match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (1, 0),
            0x80..=0x8f => (1, 2 * usize::from(marker & 15)),
            0x90..=0x9f => (1, usize::from(marker & 15)),
            0xa0..=0xbf => (1 + usize::from(marker & 31), 0),
            0xc1 => return None,
            0xc4 | 0xd9 => (2 + number(at + 1, 1)?, 0),
            0xc5 | 0xda => (3 + number(at + 1, 2)?, 0),
            0xc6 | 0xdb => (5 + number(at + 1, 4)?, 0),
            0xc7 => (3 + number(at + 1, 1)?, 0),
            0xc8 => (4 + number(at + 1, 2)?, 0),
            0xc9 => (6 + number(at + 1, 4)?, 0),
            0xca | 0xce | 0xd2 => (5, 0),
            0xcb | 0xcf | 0xd3 => (9, 0),
            0xcc | 0xd0 => (2, 0),
            0xcd | 0xd1 => (3, 0),
            0xd4..=0xd8 => (2 + (1 << (marker - 0xd4)), 0),
            0xdc => (3, number(at + 1, 2)?),
            0xdd => (5, number(at + 1, 4)?),
            0xde => (3, 2 * number(at + 1, 2)?),
            0xdf => (5, 2 * number(at + 1, 4)?),
        };
        at = at.checked_add(size).filter(|&end| end <= bytes.len())?;
        left = left - 1 + objects;
    }
    Some(at)
}

// --- Objects ---------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    Bytes,
    Floats,
    Maps,
    Positional,
}

const LAYOUTS: [Layout; 4] = [Layout::Bytes, Layout::Floats, Layout::Maps, Layout::Positional];

/// What a record holds besides its columns.
#[derive(Debug, Clone)]
enum Extra {
    /// Records like itself, as parts, parents or former versions.
    Records(usize),
    /// Records packed in bytes.
    Packed(usize),
    /// A map with keys that are arrays and maps.
    OddKeys,
    Text(usize),
    /// A tree of so many levels.
    Tree(usize),
}

/// What stands where a record should.
#[derive(Debug, Clone)]
enum Thing {
    Good(Vec<Extra>),
    Bad(Bad),
    /// A run of objects that no record begins with.
    Numbers(Vec<u8>),
}

#[derive(Debug, Clone)]
enum Bad {
    Nil,
    /// A vector of another length.
    Length(usize),
    /// The identifier is text; of bare vectors, the vector.
    Text,
    /// No vector, and these besides.
    NoVector(Vec<Extra>),
    /// A list of records, or a map of them.
    List(usize),
    Map(usize),
    Packed(usize),
    Empty(u8),
    Extension(usize),
}

fn extra() -> impl Strategy<Value = Extra> {
    prop_oneof![
        2 => (0..5usize).prop_map(Extra::Records),
        1 => (0..5usize).prop_map(Extra::Packed),
        1 => Just(Extra::OddKeys),
        1 => (0..200usize).prop_map(Extra::Text),
        1 => (1..4usize).prop_map(Extra::Tree),
    ]
}

fn bad() -> impl Strategy<Value = Bad> {
    prop_oneof![
        2 => Just(Bad::Nil),
        1 => (1..3usize).prop_map(Bad::Length),
        1 => Just(Bad::Text),
        3 => vec(extra(), 0..3).prop_map(Bad::NoVector),
        1 => (1..6usize).prop_map(Bad::List),
        1 => (1..6usize).prop_map(Bad::Map),
        1 => (1..6usize).prop_map(Bad::Packed),
        1 => select(&[0x80, 0x90, 0xa0][..]).prop_map(Bad::Empty),
        1 => (1..3usize).prop_map(Bad::Extension),
    ]
}

fn thing(of_bad: u32) -> impl Strategy<Value = Thing> {
    let numbers = vec(select(&[0x00u8, 0x2d, 0x30, 0x7f, 0xc2, 0xc3, 0xff][..]), 1..30);
    prop_oneof![
        100 - of_bad => vec(extra(), 0..3).prop_map(Thing::Good),
        of_bad => prop_oneof![5 => bad().prop_map(Thing::Bad), 1 => numbers.prop_map(Thing::Numbers)],
    ]
}

impl Layout {
    fn vector(self, n: usize, dim: usize) -> Vec<u8> {
        match self {
            Self::Floats | Self::Positional => float_list(&vector(n, dim)),
            Self::Bytes | Self::Maps => bytes(&floats(&vector(n, dim))),
        }
    }

    fn with(self, n: usize, id: Vec<u8>, vector: Vec<u8>, extras: &[Extra]) -> Vec<u8> {
        let more = extras.iter().map(|extra| self.extra(n, extra));
        match self {
            Self::Bytes | Self::Floats => vector,
            Self::Positional => list(&[id, vector].into_iter().chain(more).collect::<Vec<_>>()),
            Self::Maps => {
                let more = more.enumerate().map(|(at, value)| (text(&format!("more {at}")), value));
                map(&[(text("id"), id), (text("vector"), vector)].into_iter().chain(more).collect::<Vec<_>>())
            }
        }
    }

    fn good(self, n: usize, extras: &[Extra]) -> Vec<u8> {
        self.with(n, number(n), self.vector(n, DIM), extras)
    }

    /// Records that are no rows, as they are inside of something.
    fn inner(self, n: usize, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|at| self.good(1_000_000 + 100 * n + at, &[])).collect()
    }

    fn extra(self, n: usize, extra: &Extra) -> Vec<u8> {
        match extra {
            Extra::Records(count) => list(&self.inner(n, *count)),
            Extra::Packed(count) => bytes(&self.inner(n, *count).concat()),
            Extra::OddKeys => map(&[
                (list(&[number(0), number(1)]), number(3)),
                (map(&[]), self.inner(n, 1).remove(0)),
                (number(7), vec![0xc0]),
            ]),
            Extra::Text(length) => text(&"t".repeat(*length)),
            Extra::Tree(levels) => {
                let (mut tree, inner) = (list(&[]), self.inner(n, 1).remove(0));
                for _ in 0..*levels {
                    tree = list(&[inner.clone(), tree]);
                }
                tree
            }
        }
    }

    fn bad(self, n: usize, bad: &Bad) -> Vec<u8> {
        match bad {
            Bad::Nil => vec![0xc0],
            Bad::Length(more) => self.with(n, number(n), self.vector(n, DIM + more), &[]),
            Bad::Text if matches!(self, Self::Bytes | Self::Floats) => text("a text"),
            Bad::Text => self.with(n, text("x1"), self.vector(n, DIM), &[Extra::Records(2)]),
            Bad::NoVector(extras) if matches!(self, Self::Bytes | Self::Floats) => {
                let more = extras.iter().map(|extra| (text("more"), self.extra(n, extra)));
                map(&[(text("id"), number(n))].into_iter().chain(more).collect::<Vec<_>>())
            }
            Bad::NoVector(extras) => self.with(n, number(n), vec![0xc0], extras),
            Bad::List(count) => list(&self.inner(n, *count)),
            Bad::Map(count) => {
                let pairs = self.inner(n, *count).into_iter().map(|record| (text("word"), record));
                map(&pairs.collect::<Vec<_>>())
            }
            Bad::Packed(count) => bytes(&self.inner(n, *count).concat()),
            Bad::Empty(marker) => vec![*marker],
            Bad::Extension(count) => {
                let inner = self.inner(n, *count).concat();
                [vec![0xc8], (inner.len() as u16).to_be_bytes().to_vec(), vec![5], inner].concat()
            }
        }
    }
}

// --- Files -----------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
struct Case {
    layout: Layout,
    framing: Framing,
    things: Vec<Thing>,
    /// Into so many arrays the records are divided.
    arrays: usize,
    pieces: Vec<usize>,
}

/// What must come of a file of whole objects.
#[derive(Debug, Default)]
struct Expected {
    bytes: Vec<u8>,
    /// A number for each row, or none where the record is bad.
    rows: Vec<Option<usize>>,
    /// Offset and length.
    rejects: Vec<(u64, u64)>,
    /// The number of the object at which `raise` stops, and its offset.
    stop: Option<(u64, u64)>,
}

fn case() -> impl Strategy<Value = Case> {
    let things = prop_oneof![3 => 0..30u32, 1 => Just(0u32), 1 => 30..41u32].prop_flat_map(
        |of_bad| prop_oneof![2 => vec(thing(of_bad), 0..12), 1 => vec(thing(of_bad), 12..250)],
    );
    let framing = select(&[Framing::Sequence, Framing::Array][..]);
    let pieces = vec(prop_oneof![1..50usize, Just(1000), Just(100_000)], 1..4);
    (select(&LAYOUTS[..]), framing, things, 1..4usize, pieces).prop_map(
        |(layout, framing, things, arrays, pieces)| Case { layout, framing, things, arrays, pieces },
    )
}

impl Case {
    fn expected(&self) -> Expected {
        // The first three tell what the columns are.
        let first = (0..3).map(|_| Thing::Good(Vec::new()));
        let mut things: Vec<Thing> = first.chain(self.things.iter().cloned()).collect();
        let size = things.len().div_ceil(self.arrays);
        // A run of numbers that goes on in the next array is of no interest.
        for n in (size..things.len()).step_by(size) {
            if let [Thing::Numbers(_), Thing::Numbers(_)] = things[n - 1..=n] {
                things[n] = Thing::Good(Vec::new());
            }
        }
        let (mut expected, mut objects, mut in_run) = (Expected::default(), 0, false);
        for (n, thing) in things.iter().enumerate() {
            if self.framing == Framing::Array && n % size == 0 {
                let count: usize = things[n..things.len().min(n + size)].iter().map(Thing::objects).sum();
                expected.bytes.push(0xdd);
                expected.bytes.extend((count as u32).to_be_bytes());
            }
            let start = expected.bytes.len() as u64;
            match thing {
                Thing::Good(extras) => expected.bytes.extend(self.layout.good(n, extras)),
                Thing::Bad(bad) => expected.bytes.extend(self.layout.bad(n, bad)),
                Thing::Numbers(numbers) => expected.bytes.extend(numbers),
            }
            let length = expected.bytes.len() as u64 - start;
            let is_number = matches!(thing, Thing::Numbers(_));
            match thing {
                Thing::Good(_) => expected.rows.push(Some(n)),
                Thing::Bad(_) => expected.rows.push(None),
                Thing::Numbers(_) => {}
            }
            if !matches!(thing, Thing::Good(_)) {
                expected.stop.get_or_insert((objects, start));
                match expected.rejects.last_mut() {
                    Some(last) if is_number && in_run => last.1 += length,
                    _ => expected.rejects.push((start, length)),
                }
            }
            in_run = is_number;
            objects += thing.objects() as u64;
        }
        expected
    }

    /// The bytes of the first three records, and of the array's head in front of them.
    fn beginning(&self) -> usize {
        let head = if self.framing == Framing::Array { 5 } else { 0 };
        head + (0..3).map(|n| self.layout.good(n, &[]).len()).sum::<usize>()
    }

    fn options(&self) -> ReadOptions {
        let options = ReadOptions::new().with_framing(self.framing).with_max_rejects(usize::MAX);
        let options = options.with_include_record(true);
        match self.layout {
            Layout::Bytes | Layout::Floats => options.with_columns(["vector"]),
            Layout::Maps => options.with_vector("vector").with_columns(["vector", "id"]),
            Layout::Positional => options.with_vector("1").with_columns(["column_1", "column_0"]),
        }
    }

    /// The same, where nothing need be found in bytes that may be damaged.
    fn explicit(&self) -> ReadOptions {
        let id = |name: &str| Schema::new(vec![Field::new(name, DataType::Int64, true)]);
        let options = self.options().with_dim(DIM as u32);
        match self.layout {
            Layout::Bytes | Layout::Floats => options.with_vector("vector"),
            Layout::Maps => options.with_schema(id("id")),
            Layout::Positional => options.with_schema(id("column_0")),
        }
    }
}

impl Thing {
    fn objects(&self) -> usize {
        if let Self::Numbers(numbers) = self { numbers.len() } else { 1 }
    }
}

// --- Reading ---------------------------------------------------------------------------------------

/// What a scan gave.
#[derive(Debug, PartialEq)]
struct Read {
    batch: RecordBatch,
    notes: Vec<Note>,
    /// The record and the offset of the one that ended it.
    stop: Option<(u64, u64)>,
}

impl Read {
    /// The vector of each row, `None` where it is null.
    fn vectors(&self) -> Vec<Option<Vec<f32>>> {
        let column = self.batch.column(0).as_fixed_size_list();
        let value = |row| column.value(row).as_primitive::<Float32Type>().values().to_vec();
        (0..column.len()).map(|row| column.is_valid(row).then(|| value(row))).collect()
    }

    /// The numbers of the records that became rows.
    fn records(&self) -> &[u64] {
        self.batch.column(self.batch.num_columns() - 1).as_primitive::<UInt64Type>().values()
    }
}

fn read(sources: &[Source]) -> Read {
    let (mut batches, mut notes, mut stop) = (Vec::new(), Vec::new(), None);
    for source in sources {
        let mut reader = source.reader().unwrap();
        while stop.is_none() {
            match reader.next_batch() {
                Ok(Some(batch)) => batches.push(batch),
                Ok(None) => break,
                Err(error) => stop = Some((rejected(&error).record, rejected(&error).offset)),
            }
        }
        notes.extend(reader.rejects().details().iter().map(Note::from));
        if source.options().on_error == OnError::Null {
            // A record has a reject for each of its columns at fault.
            notes.dedup_by(|note, before| (note.record, note.offset) == (before.record, before.offset));
        }
    }
    Read { batch: concat_batches(&sources[0].schema(), &batches).unwrap(), notes, stop }
}

/// Some ways to cut these bytes, with what they are called.
fn ways(data: &[u8], options: &ReadOptions, pieces: &[usize]) -> Vec<(String, Vec<Source>)> {
    let mut ways = Vec::new();
    let whole = Input::bytes("records", data.to_vec());
    let stream = Input::stream("records", Pieces { bytes: data.to_vec().into(), sizes: pieces.to_vec() });
    let source = |input: &Input, options: ReadOptions| Source::new(vec![input.clone()], options).unwrap();
    ways.push(("one thread".to_owned(), vec![source(&whole, options.clone().with_threads(1))]));
    for threads in [1, 2, 5] {
        for batch_bytes in [1, 3_000, 40_000] {
            let options = options.clone().with_threads(threads).with_batch_bytes(batch_bytes);
            ways.push((format!("{threads} threads, {batch_bytes} bytes"), vec![source(&whole, options)]));
        }
        let options = options.clone().with_threads(threads).with_batch_rows(7);
        ways.push((format!("a stream, {threads} threads"), vec![source(&stream, options)]));
    }
    for parts in [2, 3, 8] {
        let split = source(&whole, options.clone().with_threads(2)).split(parts).unwrap();
        ways.push((format!("{parts} parts"), split));
    }
    ways
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

// --- Whole objects ---------------------------------------------------------------------------------

fn check_whole(case: &Case, on_error: OnError) -> Result<(), TestCaseError> {
    let expected = case.expected();
    let options = case.options().with_on_error(on_error);
    let mut first: Option<Read> = None;
    for (way, sources) in ways(&expected.bytes, &options, &case.pieces) {
        let what = format!("{on_error:?}, {way}, {} bytes", expected.bytes.len());
        let found = read(&sources);
        let rows: Vec<Option<usize>> = match on_error {
            OnError::Null => expected.rows.clone(),
            _ => expected.rows.iter().filter(|row| row.is_some()).copied().collect(),
        };
        let right: Vec<_> = rows.iter().map(|row| row.map(|n| vector(n, DIM))).collect();
        let vectors = found.vectors();
        if on_error == OnError::Raise {
            prop_assert_eq!(found.stop, expected.stop, "{}", what);
            prop_assert!(found.notes.is_empty(), "{what}: rejects under raise");
            prop_assert!(right.starts_with(&vectors), "{what}: other rows in front of the error");
            prop_assert!(found.stop.is_some() || vectors.len() == right.len(), "{what}: rows are missing");
            continue;
        }
        prop_assert!(found.stop.is_none(), "{}", what);
        let rejects: Vec<_> = found.notes.iter().map(|note| (note.offset, note.length)).collect();
        prop_assert_eq!(&rejects, &expected.rejects, "{}", what);
        let is_damage = |note: &&Note| matches!(note.kind, RejectKind::Invalid | RejectKind::Truncated);
        prop_assert!(!found.notes.iter().any(|note| is_damage(&note)), "{what}: nothing is damaged");
        prop_assert_eq!(vectors.len(), right.len(), "{}: rows", what);
        for (row, (found, right)) in vectors.iter().zip(&right).enumerate() {
            // The vector of a record that is bad elsewhere may stand in its null row.
            prop_assert!(found == right || right.is_none() && on_error == OnError::Null, "{what}: row {row}");
        }
        check_ids(&found, &rows, &what)?;
        match &first {
            None => first = Some(found),
            Some(first) => prop_assert!(found == *first, "{what}: not what one thread gives"),
        }
    }
    Ok(())
}

/// The identifiers are those of the rows, and null at most where the record is bad.
fn check_ids(found: &Read, rows: &[Option<usize>], what: &str) -> Result<(), TestCaseError> {
    if found.batch.num_columns() < 3 {
        return Ok(());
    }
    let ids = found.batch.column(1).as_primitive::<Int64Type>();
    for (row, right) in rows.iter().enumerate() {
        let id = ids.is_valid(row).then(|| ids.value(row));
        match right {
            Some(n) => prop_assert_eq!(id, Some(*n as i64), "{}: row {}", what, row),
            // Nothing from the inside of an object.
            None => prop_assert!(id.is_none_or(|id| id < 1_000_000), "{what}: row {row} is {id:?}"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whole_objects_read_the_same_under_every_policy(case in case()) {
        for on_error in [OnError::Raise, OnError::Skip, OnError::Null] {
            check_whole(&case, on_error)?;
        }
    }
}

// --- Damage ----------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
enum Damage {
    Bit(u8),
    Byte(u8),
    Zeroes(usize),
    Lost(usize),
    Added(Vec<u8>),
    /// What stands elsewhere in the file.
    Again(u16, usize),
}

impl Damage {
    /// Behind the first `whole` bytes, at a share of the rest.
    fn happen(&self, bytes: &mut Vec<u8>, whole: usize, share: u16) {
        let rest = bytes.len() - whole;
        if rest == 0 {
            return;
        }
        let place = |share: u16| whole + rest * usize::from(share) / (1 + usize::from(u16::MAX));
        let at = place(share);
        match self {
            Self::Bit(bit) => bytes[at] ^= 1 << (bit % 8),
            Self::Byte(byte) => bytes[at] = *byte,
            Self::Zeroes(count) => bytes.iter_mut().skip(at).take(*count).for_each(|byte| *byte = 0),
            Self::Lost(count) => drop(bytes.drain(at..bytes.len().min(at + count))),
            Self::Added(more) => drop(bytes.splice(at..at, more.iter().copied())),
            Self::Again(other, count) => {
                let from = place(*other);
                let again = bytes[from..bytes.len().min(from + count)].to_vec();
                drop(bytes.splice(at..at, again));
            }
        }
    }
}

fn damages() -> impl Strategy<Value = Vec<(u16, Damage)>> {
    let head = (select(&[0xc4u8, 0xc5, 0xc6, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf][..]), vec(0..3u8, 4))
        .prop_map(|(marker, number)| Damage::Added([vec![marker], number].concat()));
    let damage = prop_oneof![
        4 => any::<u8>().prop_map(Damage::Bit),
        2 => any::<u8>().prop_map(Damage::Byte),
        2 => (0x80..0xe0u8).prop_map(Damage::Byte),
        1 => (1..3000usize).prop_map(Damage::Zeroes),
        2 => (1..3000usize).prop_map(Damage::Lost),
        1 => vec(any::<u8>(), 1..300).prop_map(Damage::Added),
        1 => (1..60usize).prop_map(|count| Damage::Added(vec![0x90; count])),
        1 => head,
        1 => (any::<u16>(), 1..3000usize).prop_map(|(from, count)| Damage::Again(from, count)),
    ];
    vec((any::<u16>(), damage), 1..5)
}

/// Bytes with no file in them but for its beginning.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let markers = vec(prop_oneof![0x80..0xa0u8, 0xc0..0xe0u8, Just(0u8), any::<u8>()], 1..600);
    let runs = vec((prop_oneof![0x80..0xe0u8, any::<u8>()], 1..400usize), 1..12)
        .prop_map(|runs| runs.into_iter().flat_map(|(byte, count)| vec![byte; count]).collect());
    prop_oneof![markers, runs]
}

fn check_damaged(case: &Case, data: &[u8]) -> Result<(), TestCaseError> {
    let mut skipped: Option<Read> = None;
    for on_error in [OnError::Skip, OnError::Null] {
        let mut first: Option<Read> = None;
        for (way, sources) in ways(data, &case.explicit().with_on_error(on_error), &case.pieces) {
            let found = read(&sources);
            let Some(first) = &first else {
                first = Some(found);
                continue;
            };
            let what = format!("{on_error:?}, {way}, {} bytes", data.len());
            prop_assert!(found.stop.is_none(), "{}", what);
            prop_assert_eq!(&found.notes, &first.notes, "{}", what);
            prop_assert_eq!(found.batch.num_rows(), first.batch.num_rows(), "{}", what);
            prop_assert!(found.batch == first.batch, "{what}: other rows");
        }
        let found = first.unwrap();
        match &skipped {
            None => skipped = Some(found),
            Some(skipped) => {
                // There are rows for some rejects, and no others.
                prop_assert_eq!(&found.notes, &skipped.notes, "rejects under null");
                let bad: std::collections::HashSet<u64> =
                    found.notes.iter().map(|note| note.record).collect();
                let (mut kept, vectors) = (Vec::new(), found.vectors());
                for (record, vector) in found.records().iter().zip(&vectors) {
                    if !bad.contains(record) {
                        kept.push((*record, vector.clone()));
                    }
                }
                let right: Vec<_> = skipped.records().iter().copied().zip(skipped.vectors()).collect();
                prop_assert!(kept == right, "null gives other rows than skip");
            }
        }
    }
    check_that_nothing_is_lost(case, data, &skipped.unwrap())
}

/// What no reject tells of is a file of good records, and these are the rows.
fn check_that_nothing_is_lost(case: &Case, data: &[u8], found: &Read) -> Result<(), TestCaseError> {
    let (mut left, mut at) = (Vec::new(), 0);
    for note in &found.notes {
        let (offset, end) = (note.offset as usize, (note.offset + note.length) as usize);
        prop_assert!(offset >= at && end <= data.len(), "rejects overlap at {offset}: {:?}", found.notes);
        left.extend(&data[at..offset]);
        at = end;
    }
    left.extend(&data[at..]);
    // Object by object; an array's head in the place of a record is framing.
    let (mut at, mut records) = (0, Vec::new());
    while at < left.len() {
        let head = match left[at] {
            0x90..=0x9f => 1,
            0xdc => 3,
            0xdd => 5,
            _ => 0,
        };
        if case.framing == Framing::Array && head > 0 {
            at += head;
            continue;
        }
        let end = end_of(&left, at);
        prop_assert!(
            end.is_some(),
            "no whole record at {at} of what is left of {data:02x?}: {:?}",
            found.notes
        );
        records.push(&left[at..end.unwrap()]);
        at = end.unwrap();
    }
    prop_assert!(
        records.len() == found.batch.num_rows(),
        "{} rows, but {} records outside of rejects in {data:02x?}: {:?}",
        found.batch.num_rows(),
        records.len(),
        found.notes
    );
    // Read one by one, each is the row in its place.
    let alone = case.explicit().with_threads(1).with_framing(Framing::Sequence);
    for (row, record) in records.iter().enumerate() {
        let input = Input::bytes("records", record.to_vec());
        let read = read(&[Source::new(vec![input], alone.clone()).unwrap()]);
        prop_assert!(read.stop.is_none(), "row {row} is no record: {record:02x?}");
        let columns = read.batch.num_columns() - 1;
        let same = (0..columns).all(|at| *read.batch.column(at) == found.batch.column(at).slice(row, 1));
        prop_assert!(same, "row {row} is not {record:02x?}");
    }
    Ok(())
}

/// Damage is told from framing only where a record is no array.
fn case_for_damage() -> impl Strategy<Value = Case> {
    case().prop_map(|mut case| {
        if matches!(case.layout, Layout::Floats | Layout::Positional) {
            case.framing = Framing::Sequence;
        }
        case.things.truncate(80);
        case.arrays = case.arrays.min(1 + case.things.len() / 6);
        case
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_byte_of_a_damaged_file_is_lost_in_silence(case in case_for_damage(), damages in damages()) {
        let mut data = case.expected().bytes;
        let whole = case.beginning();
        for (share, damage) in &damages {
            damage.happen(&mut data, whole, *share);
        }
        check_damaged(&case, &data)?;
    }

    #[test]
    fn no_byte_of_anything_is_lost_in_silence(case in case_for_damage(), hostile in hostile(), behind in 0..4usize) {
        let records: Vec<u8> = (0..behind).flat_map(|n| case.layout.good(n, &[])).collect();
        let data = [case.expected().bytes, hostile, records].concat();
        check_damaged(&case, &data)?;
    }
}
