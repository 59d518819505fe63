//! The law of reading, on generated files whose maker knows what each object is.
//!
//! - Whole objects read the same under every policy: `skip` leaves out the records at which `raise`
//!   stops, `null` puts a null row in their place, and no row comes from the inside of another object.
//! - What a record holds besides its columns does not matter.
//! - Every byte of an input is a row's, a reject's or the framing's, in damaged inputs as well.
//! - Threads, batches, streams and splits change nothing.
//!
//! `PROPTEST_CASES` sets the number of cases.

mod files;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_select::concat::concat_batches;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use vecpack::{Framing, Input, OnError, ReadOptions, RejectKind, Source};

use self::files::{Case, DIM, Layout, case, end_of};
use crate::support::{Note, Pieces, rejected, vector};

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
                // NaN is not equal to itself.
                prop_assert_eq!(format!("{kept:?}"), format!("{right:?}"), "null gives other rows than skip");
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
