//! A damaged first record, or a first input that is something else, does not decide what the inputs are.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::{DataType, Field, SchemaRef};
use fastrand::Rng;
use vecpack::{Framing, Input, OnError, ReadOptions, Source, Watch, inspect};

use crate::support::{Note, Pieces, Row, drain, record, row};

const DIM: usize = 64;
const COUNT: usize = 150;

/// Numbers as vectors have them.
fn vector(number: usize, dim: usize) -> Vec<f32> {
    let mut rng = Rng::with_seed(number as u64);
    (0..dim).map(|_| rng.f32() - 0.5).collect()
}

fn singles(number: usize) -> Vec<u8> {
    let numbers = vector(number, DIM).into_iter().flat_map(|x| [&[0xca][..], &x.to_be_bytes()].concat());
    [0xdc, 0, DIM as u8].into_iter().chain(numbers).collect()
}

fn doubles(number: usize) -> Vec<u8> {
    let double = |x: f32| [&[0xcb][..], &f64::from(x).to_be_bytes()].concat();
    [0xdc, 0, DIM as u8].into_iter().chain(vector(number, DIM).into_iter().flat_map(double)).collect()
}

fn bytes(number: usize) -> Vec<u8> {
    record(&vector(number, DIM))
}

fn positional(number: usize) -> Vec<u8> {
    [&[0x92, 0xce][..], &(number as u32).to_be_bytes(), &bytes(number)].concat()
}

fn map(number: usize) -> Vec<u8> {
    let id = (number as u32).to_be_bytes();
    [&[0x82, 0xa2, b'i', b'd', 0xce][..], &id, b"\xa6vector", &bytes(number)].concat()
}

type Shape = fn(usize) -> Vec<u8>;

/// Damages bytes at a place.
type Damage = fn(&mut Vec<u8>, usize);

const SHAPES: [(&str, Shape); 5] =
    [("bytes", bytes), ("singles", singles), ("doubles", doubles), ("positional", positional), ("map", map)];

fn records(shape: Shape, numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(shape).collect()
}

/// The head of an array of so many records; none for a sequence.
fn head(framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Array => [&[0xdd][..], &(COUNT as u32).to_be_bytes()].concat(),
        _ => Vec::new(),
    }
}

fn options() -> ReadOptions {
    ReadOptions::new().with_on_error(OnError::Skip).with_max_rejects(usize::MAX).with_threads(1)
}

fn all(numbers: std::ops::Range<usize>) -> Vec<Row> {
    numbers.map(|number| row(&vector(number, DIM))).collect()
}

struct Found {
    schema: SchemaRef,
    framing: Framing,
    rows: Vec<Row>,
    notes: Vec<Note>,
}

fn found(inputs: Vec<Input>, options: ReadOptions) -> Found {
    let source = Source::new(inputs, options).unwrap();
    // Only the vectors, as they are what is compared.
    let column = source.schema().fields().iter().position(|field| field.data_type().is_nested()).unwrap();
    let name = source.schema().field(column).name().clone();
    let scan = drain(source.select([name]).unwrap().reader().unwrap());
    assert!(scan.error.is_none(), "{:?}", scan.error);
    Found { schema: source.schema(), framing: source.framing(), rows: scan.rows, notes: scan.notes }
}

fn input(bytes: impl Into<Vec<u8>>) -> Input {
    Input::bytes("records", bytes.into())
}

fn clean(shape: Shape, framing: Framing, options: &ReadOptions) -> Found {
    found(vec![input([head(framing), records(shape, 0..COUNT)].concat())], options.clone())
}

/// Reads damaged records as they were found to be without damage, and gives how many rows are not there. No others are.
fn lost(bytes: Vec<u8>, clean: &Found, options: &ReadOptions, what: &str) -> usize {
    let damaged = Source::new(vec![input(bytes.clone())], options.clone());
    assert!(damaged.is_ok(), "{what}: {}", damaged.unwrap_err());
    let damaged = found(vec![input(bytes)], options.clone());
    // A damaged key is a key more, and an integer may have become a float.
    for field in clean.schema.fields() {
        let known = damaged.schema.field_with_name(field.name());
        let is_alike = |known: &Field| known == &**field || field.data_type() == &DataType::Int64;
        assert!(known.is_ok_and(is_alike), "{what}: {} in {}", field, damaged.schema);
    }
    assert_eq!(damaged.framing, clean.framing, "{what}");
    let there = damaged.rows.iter().filter(|row| clean.rows.contains(row)).count();
    assert!(damaged.rows.len() <= there + 1, "{what}: {} rows that are none", damaged.rows.len() - there);
    clean.rows.len() - there
}

fn both_dims() -> [ReadOptions; 2] {
    [options(), options().with_dim(DIM as u32)]
}

#[test]
fn a_flipped_bit_in_the_first_record_costs_few_rows() {
    for (name, shape) in SHAPES {
        for framing in [Framing::Sequence, Framing::Array] {
            let (head, rest) = (head(framing), records(shape, 0..COUNT));
            for options in both_dims() {
                let clean = clean(shape, framing, &options);
                for bit in 0..32 {
                    let mut bytes = [&head[..], &rest].concat();
                    bytes[head.len() + bit / 8] ^= 1 << (bit % 8);
                    let what = format!("{name}, {framing:?}, bit {bit}, dim {:?}", options.dim);
                    let lost = lost(bytes, &clean, &options, &what);
                    // An array counts: a record that falls to pieces costs some at its end.
                    let most = if framing == Framing::Array { 4 } else { 2 };
                    assert!(lost <= most, "{what}: {lost} rows lost");
                }
            }
        }
    }
}

#[test]
fn damage_at_the_start_costs_the_records_that_it_hits() {
    let mut rng = Rng::with_seed(7);
    let noise: Vec<u8> = (0..4096).map(|_| rng.u8(..)).collect();
    let text: Vec<u8> = b"Traceback: most recent call last: ".iter().copied().cycle().take(4096).collect();
    for (name, shape) in SHAPES {
        let rest = records(shape, 0..COUNT);
        let length = shape(0).len();
        for (kind, damage) in [
            ("zeros", vec![0; 4096]),
            ("0xff", vec![0xff; 4096]),
            ("noise", noise.clone()),
            ("text", text.clone()),
        ] {
            let most = 4096 / length + 3;
            for options in both_dims() {
                let what = format!("{name}, {kind}, dim {:?}", options.dim);
                let clean = clean(shape, Framing::Sequence, &options);
                let over = [&damage[..], &rest[4096..]].concat();
                let lost_over = lost(over, &clean, &options, &what);
                assert!(lost_over <= most, "{what}: {lost_over} rows lost");
                let before = [&damage[..], &rest].concat();
                let lost_before = lost(before, &clean, &options, &what);
                assert!(lost_before <= 2, "{what} in front: {lost_before} rows lost");
            }
        }
        for cut in [1, 2, length / 2, length - 1, length + length / 3] {
            for options in both_dims() {
                let what = format!("{name}, cut {cut}, dim {:?}", options.dim);
                let clean = clean(shape, Framing::Sequence, &options);
                let lost = lost(rest[cut..].to_vec(), &clean, &options, &what);
                assert!(lost <= cut / length + 2, "{what}: {lost} rows lost");
            }
        }
    }
}

#[test]
fn damage_in_an_array_does_not_make_a_sequence_of_what_is_left_behind_its_count() {
    // Each leaves more objects than were there: the array ends before its last records do.
    let ways: [(&str, Damage); 4] = [
        ("numbers instead", |bytes, at| bytes[at..at + 300].fill(0xff)),
        ("numbers as well", |bytes, at| drop(bytes.splice(at..at, [7; 40]))),
        ("a head of an array", |bytes, at| bytes[at..at + 3].copy_from_slice(&[0x90, 0x90, 0x90])),
        ("a part again", |bytes, at| {
            let part = bytes[at..at + 200].to_vec();
            drop(bytes.splice(at..at, part));
        }),
    ];
    for (name, shape) in SHAPES {
        let clean = clean(shape, Framing::Array, &options());
        let good = [head(Framing::Array), records(shape, 0..COUNT)].concat();
        for (way, damage) in ways {
            for record in [20, 75, 140] {
                let mut bytes = good.clone();
                damage(&mut bytes, head(Framing::Array).len() + record * shape(0).len() + 3);
                let what = format!("{name}, {way}, record {record}");
                let lost = lost(bytes, &clean, &options(), &what);
                assert!(lost <= 4, "{what}: {lost} rows lost");
            }
        }
    }
}

#[test]
fn damage_among_the_first_few_of_an_array_does_not_make_one_record_of_it() {
    let short =
        |shape: Shape, count: u8| [&[0xdc, 0, count][..], &records(shape, 0..usize::from(count))].concat();
    for (name, shape) in SHAPES {
        let clean = found(vec![input(short(shape, 40))], options());
        assert_eq!(clean.framing, Framing::Array);
        for record in 1..17 {
            // One object instead of another.
            let mut bytes = short(shape, 40);
            let start = 3 + record * shape(0).len();
            drop(bytes.splice(start..start + shape(0).len(), [0xc0]));
            let what = format!("{name}, record {record}");
            let lost = lost(bytes.clone(), &clean, &options(), &what);
            assert_eq!(lost, 1, "{what}");
            let files = (0..4).map(|_| input(bytes.clone())).collect();
            assert_eq!(found(files, options()).rows.len(), 4 * 39, "{what}");
        }
    }
    // An id and a vector from each of some layers are one record.
    let layers = [&[0xdc, 0, 31, 7][..], &records(bytes, 0..30)].concat();
    let one = Source::new(vec![input(layers)], options()).unwrap();
    assert_eq!((one.framing(), one.count_rows().unwrap()), (Framing::Sequence, 1));
}

#[test]
fn a_first_input_that_is_no_records_costs_itself_alone() {
    let mut rng = Rng::with_seed(8);
    let noise: Vec<u8> = (0..300_000).map(|_| rng.u8(..)).collect();
    for (name, shape) in SHAPES {
        let mut wrong = shape(0);
        let at = wrong.len() - 4 * DIM - 1;
        match name {
            "singles" | "doubles" => wrong[2] ^= 4,
            _ => wrong[at] ^= 4,
        }
        let short = record(&vector(0, DIM - 1));
        let text = b"Vectors of the first of May\n".repeat(40);
        for (kind, first) in [
            ("noise", noise.clone()),
            ("little noise", noise[..500].to_vec()),
            ("nothing", Vec::new()),
            ("a record that is too short", short),
            ("a record with a wrong length", wrong),
            ("text", text),
            ("zeros", vec![0; 4096]),
        ] {
            for one_a_file in [false, true] {
                for options in both_dims() {
                    let what = format!("{name}, {kind}, dim {:?}, one a file: {one_a_file}", options.dim);
                    let mut inputs = vec![input(first.clone())];
                    match one_a_file {
                        false => inputs.extend((0..4).map(|n| input(records(shape, 20 * n..20 * n + 20)))),
                        true => inputs.extend((0..80).map(|number| input(shape(number)))),
                    }
                    let clean = found(inputs[1..].to_vec(), options.clone());
                    let source = Source::new(inputs.clone(), options.clone());
                    assert!(source.is_ok(), "{what}: {}", source.unwrap_err());
                    let found = found(inputs, options);
                    assert_eq!(found.schema, clean.schema, "{what}");
                    let rows: Vec<_> =
                        found.rows.into_iter().filter(|row| clean.rows.contains(row)).collect();
                    assert!(rows == clean.rows, "{what}: {} rows", rows.len());
                }
            }
        }
    }
}

/// What is found does not depend on how the bytes come, nor do rows and rejects.
#[test]
fn streams_parts_and_threads_agree_about_what_is_behind_a_damaged_first_record() {
    for (name, shape) in SHAPES {
        let mut bytes = records(shape, 0..COUNT);
        bytes[..200].fill(0);
        let expected = found(vec![input(bytes.clone())], options());
        assert!(expected.rows.ends_with(&all(3..COUNT)), "{name}");
        for sizes in [vec![700, 13, 60_000], vec![1], vec![1 << 20]] {
            for threads in [1, 2] {
                let pieces = Pieces { bytes: bytes.clone().into(), sizes: sizes.clone() };
                let stream = Input::stream("records", pieces);
                let found = found(vec![stream], options().with_threads(threads));
                assert_eq!(found.schema, expected.schema, "{name}");
                assert!(found.rows == expected.rows, "{name}");
                assert_eq!(found.notes, expected.notes, "{name}");
            }
        }
        let source = Source::new(vec![input(bytes)], options().with_threads(2)).unwrap();
        let column = source.schema().fields().iter().position(|field| field.data_type().is_nested()).unwrap();
        let source = source.select([source.schema().field(column).name()]).unwrap();
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        for part in source.split(3).unwrap() {
            let scan = drain(part.reader().unwrap());
            rows.extend(scan.rows);
            notes.extend(scan.notes);
        }
        assert!(rows == expected.rows, "{name}");
        assert_eq!(notes, expected.notes, "{name}");
    }
}

/// One record among the first ones with another key makes no column, without which all others would be bad.
#[test]
fn a_damaged_key_costs_one_record() {
    for bad in [0, 1, 40, 140] {
        let mut bytes = records(map, 0..COUNT);
        bytes[bad * map(0).len() + 11] ^= 4;
        let found = found(vec![input(bytes)], options());
        let expected: Vec<Row> = [all(0..bad), all(bad + 1..COUNT)].concat();
        assert!(found.rows == expected, "{bad}: {} rows", found.rows.len());
    }
}

/// Of bare vectors of several dimensions the first one decides under `raise`, else the many.
#[test]
fn a_first_vector_that_is_unlike_all_others_decides_under_raise_alone() {
    let bytes = [record(&vector(0, 8)), records(bytes, 1..100)].concat();
    let raise = Source::new(vec![input(bytes.clone())], ReadOptions::new()).unwrap();
    assert_eq!(raise.dim(), Some(8));
    for on_error in [OnError::Skip, OnError::Null] {
        let source = Source::new(vec![input(bytes.clone())], options().with_on_error(on_error)).unwrap();
        assert_eq!(source.dim(), Some(DIM));
    }
}

#[test]
fn what_was_found_from_the_first_record_on_stays_where_others_are_no_better() {
    let few = [record(&vector(0, 8)), records(bytes, 1..3)].concat();
    let half: Vec<u8> = (0..400).flat_map(|number| record(&vector(number, 8 + number % 2))).collect();
    let rows = [record(&vector(0, 8)), record(&vector(1, 8)), record(&vector(2, 8)), bytes(3)].concat();
    for bytes in [few, half, rows] {
        assert_eq!(Source::new(vec![input(bytes)], options()).unwrap().dim(), Some(8));
    }
    for inputs in [Vec::new(), vec![input([])], vec![input([]); 300]] {
        let error = Source::new(inputs.clone(), options()).unwrap_err();
        assert!(error.to_string().contains("hold no record"), "{error}");
        assert_eq!(Source::new(inputs, options().with_dim(8)).unwrap().dim(), Some(8));
    }
    // What all of an input can be read by is not given up for an array in another.
    let small = record(&[0.0; 2]);
    let array = [&b"\x93"[..], &[0; 9], &small, b"\xc0", &small.repeat(3)].concat();
    let source = Source::new(vec![input(small), input(array)], options().with_dim(2)).unwrap();
    assert_eq!((source.framing(), source.count_rows().unwrap()), (Framing::Sequence, 5));
    // Text and maps without vectors are no vectors.
    let words: Vec<u8> = (0..500).flat_map(|_| *b"\x93\xa4abcd\xa4efgh\xa4ijkl").collect();
    assert!(Source::new(vec![input(words)], options()).is_err());
}

#[test]
fn what_is_told_stays() {
    let mut bytes = records(map, 0..COUNT);
    bytes[0] = 0x04;
    let told = options().with_vector("vector").with_columns(["vector"]).with_framing(Framing::Sequence);
    let source = Source::new(vec![input(bytes.clone())], told).unwrap();
    assert_eq!(source.schema().fields().len(), 1);
    assert_eq!(source.count_rows().unwrap(), COUNT as u64 - 1);
    let error = Source::new(vec![input(bytes)], options().with_vector("nothing")).unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[test]
fn records_of_another_framing_than_was_told_are_rejects_or_rows() {
    // Behind a byte that is no head, records are tried before any was read.
    for (name, shape) in SHAPES {
        let bytes = [&[0xc1][..], &records(shape, 0..3)].concat();
        for framing in [Framing::Array, Framing::Map] {
            for on_error in [OnError::Skip, OnError::Null] {
                let options = options().with_framing(framing).with_on_error(on_error).with_dim(DIM as u32);
                let source = Source::new(vec![input(bytes.clone())], options).unwrap();
                let scan = drain(source.reader().unwrap());
                assert!(scan.error.is_none(), "{name}, {framing:?}: {:?}", scan.error);
                assert!(!scan.notes.is_empty(), "{name}, {framing:?}");
            }
        }
    }
}

#[test]
fn inspect_tells_from_where_on_records_were_looked_at() {
    let mut damaged = records(bytes, 0..COUNT);
    damaged[0] = 0x04;
    let found = inspect(vec![input(damaged)], ReadOptions::new(), Watch::default()).unwrap();
    assert_eq!(found.rows, COUNT as u64 - 1);
    let place = format!("byte {} of records on", bytes(0).len());
    assert!(found.framing_from.contains(&place), "{}", found.framing_from);
    assert!(found.layout_from.contains(&place), "{}", found.layout_from);
}

/// An array's head in front of a sequence: what is behind as many records tells.
#[test]
fn a_head_in_front_of_the_first_record_costs_as_many_records_as_it_says_at_the_most() {
    let heads: [(&[u8], usize); 8] = [
        (&[0x91], 1),
        (&[0x9f], 15),
        (&[0x8f], 30),
        (&[0xdc, 0, 16], 16),
        (&[0xdd, 0, 0, 0, 100], 100),
        (&[0xdc, 0xff, 0xff], 0),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff], 0),
        (&[0xc6, 0xff, 0xff, 0xff, 0xff], 0),
    ];
    for (head, most) in heads {
        for options in both_dims() {
            let bytes = [head, &records(bytes, 0..COUNT)].concat();
            let what = format!("{head:02x?}, dim {:?}", options.dim);
            let found = found(vec![input(bytes)], options);
            assert!(found.rows.ends_with(&all(most..COUNT)), "{what}: {} rows", found.rows.len());
        }
    }
}

/// A record with text and vectors in two or three fields, which may not be there: one in so many.
fn with_vectors(number: usize, vectors: usize, missing: u32, absent: bool) -> (Vec<u8>, bool) {
    let mut rng = Rng::with_seed(number as u64);
    let there: Vec<bool> = (0..vectors).map(|_| rng.u32(..100) >= missing).collect();
    let mut fields = vec![[b"\xa2id\xce", &(number as u32).to_be_bytes()[..]].concat()];
    fields.push([&b"\xa4text"[..], &[0xa0 | (number % 30) as u8], &b"t".repeat(number % 30)].concat());
    for (at, there) in there.iter().enumerate() {
        let name = [b"\xa4vec", &[b'0' + at as u8][..]].concat();
        match there {
            true => fields.push([name, record(&vector(number, 32))].concat()),
            false if !absent => fields.push([name, vec![0xc0]].concat()),
            false => {}
        }
    }
    // Go has no order of keys.
    if absent {
        rng.shuffle(&mut fields);
    }
    ([vec![0x80 | fields.len() as u8], fields.concat()].concat(), there.iter().all(|there| *there))
}

fn array_of(records: &[Vec<u8>]) -> Vec<u8> {
    [&[0xdc][..], &(records.len() as u16).to_be_bytes(), &records.concat()].concat()
}

fn names(source: &Source) -> Vec<String> {
    let mut names: Vec<_> = source.schema().fields().iter().map(|field| field.name().clone()).collect();
    names.sort();
    names
}

/// Rows and rejects of a scan.
fn counts(source: &Source) -> (usize, u64) {
    let mut reader = source.reader().unwrap();
    let mut rows = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        rows += batch.num_rows();
    }
    (rows, reader.rejects().count())
}

/// Records that lack a vector are rejects, but no damage: what they are stays.
#[test]
fn records_without_one_of_their_vectors_are_what_they_are() {
    for (vectors, missing, from) in [(2, 30, 0), (2, 35, 1000), (2, 45, 2000), (2, 50, 3000), (3, 50, 4000)] {
        for absent in [false, true] {
            let numbers = from..from + 300;
            let all: Vec<_> = numbers.map(|number| with_vectors(number, vectors, missing, absent)).collect();
            let good = all.iter().filter(|(_, is_good)| *is_good).count();
            assert!(2 * good < all.len());
            let records: Vec<_> = all.into_iter().map(|(record, _)| record).collect();
            for (framing, bytes) in
                [(Framing::Array, array_of(&records)), (Framing::Sequence, records.concat())]
            {
                let raise = Source::new(vec![input(bytes.clone())], ReadOptions::new()).unwrap();
                for options in [options(), options().with_framing(framing)] {
                    let what = format!("{vectors} vectors, {framing:?}, absent {absent}");
                    let source = Source::new(vec![input(bytes.clone())], options).unwrap();
                    assert_eq!(source.framing(), framing, "{what}");
                    assert_eq!(names(&source), names(&raise), "{what}");
                    assert_eq!(counts(&source), (good, 300 - good as u64), "{what}");
                }
            }
        }
    }
}

/// Neither are parts of records rows where records lack all of their own vectors, or are in a map that is none of records.
#[test]
fn what_is_inside_of_records_that_can_be_read_through_is_no_row() {
    let part = |number: usize| [&b"\x82\xa4text\xa3abc\xa6vector"[..], &bytes(number)].concat();
    let parts = |number: usize| [&b"\x93"[..], &part(number), &part(number + 1), &part(number + 2)].concat();
    let record = |number: usize| [&b"\x93"[..], &[7], &bytes(number), &parts(number)].concat();
    let pair = |number: usize| [&[0xcc, number as u8][..], &record(number)].concat();
    let map = [&b"\xde\x00\x28"[..], &(0..40).flat_map(pair).collect::<Vec<u8>>()].concat();
    let error = Source::new(vec![input(map.clone())], ReadOptions::new()).unwrap_err();
    assert!(error.to_string().contains("a map without a vector"), "{error}");
    let error = Source::new(vec![input(map)], options()).unwrap_err();
    assert!(error.to_string().contains("a map without a vector"), "{error}");
    // One of two vectors, and parts with others.
    let one_of_two = |number: usize| {
        let name = if number.is_multiple_of(2) { b"\xa4left" } else { b"\xa4righ" };
        let id = [number as u8];
        [&b"\x83\xa2id\xcc"[..], &id, name, &bytes(number), b"\xa5parts", &parts(number)].concat()
    };
    for bytes in
        [(0..300).flat_map(one_of_two).collect(), array_of(&(0..300).map(one_of_two).collect::<Vec<_>>())]
    {
        let source = Source::new(vec![input(bytes)], options()).unwrap();
        assert_eq!(names(&source), ["id", "left", "parts", "righ"]);
    }
}

/// Many items of one kind are the records of an array, also where it is not the first object.
#[test]
fn arrays_behind_something_else_hold_records() {
    for (name, shape) in
        [("bytes", bytes as Shape), ("doubles", doubles), ("positional", positional), ("map", map)]
    {
        for many in [20, 100] {
            let numbers = |array: usize| (array * many..(array + 1) * many).map(shape).collect::<Vec<_>>();
            let good: Vec<u8> = (0..300 / many).flat_map(|array| array_of(&numbers(array))).collect();
            let flipped = |at: usize, bit: u8| {
                let mut bytes = good.clone();
                bytes[at] ^= bit;
                bytes
            };
            let in_front = |front: &[u8]| [front, &good].concat();
            for (kind, bytes, most) in [
                ("a line feed", in_front(b"\n"), 0),
                ("a line of text", in_front(b"# vectors v1\n"), 0),
                ("zeros", in_front(&[0; 512]), 0),
                ("a damaged head", flipped(0, 0x40), 1),
                ("numbers of a vector", in_front(&singles(0)[30..]), 4),
            ] {
                let what = format!("{name}, arrays of {many}, {kind}");
                let found = found(vec![input(bytes)], options());
                assert_eq!(found.framing, Framing::Array, "{what}");
                let there = found.rows.iter().filter(|row| all(0..300).contains(row)).count();
                assert!(there + most >= 300, "{what}: {there} rows");
            }
            let count = found(vec![input(flipped(2, if many == 100 { 0x20 } else { 2 }))], options());
            assert_eq!(count.framing, Framing::Array, "{name}, {many}");
            assert!(count.rows.len() >= 240, "{name}, {many}: {} rows", count.rows.len());
        }
    }
}

/// A line in front of an array of records: it is not tried again and again as one record of thousands of columns.
#[test]
fn an_array_behind_a_line_of_text_is_no_record_of_thousands_of_columns() {
    let fields = |number: usize| {
        let field =
            |at: usize| [&[0xa2, b'f', b'a' + at as u8, 0xcb][..], &[63, 0, 0, 0, 0, 0, 0, 0]].concat();
        [&[0xde, 0, 21][..], &(0..20).flat_map(field).collect::<Vec<_>>(), b"\xa1v", &bytes(number)].concat()
    };
    let array = array_of(&(0..2000).map(fields).collect::<Vec<_>>());
    // Places in it are not tried as records of 42,000 columns, which takes a while each.
    let source = Source::new(vec![input([&b"# vectors v1\n"[..], &array].concat())], options()).unwrap();
    assert_eq!((source.schema().fields().len(), counts(&source).0), (21, 2000));
    // What the first record says is not limited.
    let options = options().with_framing(Framing::Sequence);
    let wide = Source::new(vec![input(array_of(&(0..500).map(map).collect::<Vec<_>>()))], options).unwrap();
    assert_eq!((wide.schema().fields().len(), counts(&wide)), (1000, (1, 0)));
}

/// A record with a field that every third one has, and another that every fifth has.
fn with_optional(number: usize) -> Vec<u8> {
    let (has_text, has_tags) = (number % 3 == 2, number % 5 == 4);
    let fields = 2 + u8::from(has_text) + u8::from(has_tags);
    let id = (number as u32).to_be_bytes();
    let mut record =
        [&[0x80 | fields, 0xa2, b'i', b'd', 0xce][..], &id, b"\xa6vector", &bytes(number)].concat();
    if has_text {
        record.extend(b"\xa4text\xa5lorem");
    }
    if has_tags {
        // A list without items tells nothing of them.
        record.extend(if number == 4 { &b"\xa4tags\x90"[..] } else { b"\xa4tags\x92\xa1a\xa1b" });
    }
    record
}

#[test]
fn damage_in_the_first_records_hides_no_field_of_those_behind() {
    let mut rng = Rng::with_seed(11);
    let mut bad = Vec::new();
    for (framing, count) in [(Framing::Sequence, 20), (Framing::Sequence, COUNT), (Framing::Array, COUNT)] {
        let head = head(framing);
        let records: Vec<_> = (0..count).map(with_optional).collect();
        let end = head.len() + records[..6].concat().len();
        for trial in 0..150 {
            let mut damaged = [head.clone(), records.concat()].concat();
            let place = rng.usize(head.len() + 4..end);
            let junk: Vec<u8> = (0..rng.usize(1..200)).map(|_| rng.u8(..)).collect();
            match trial % 5 {
                0 => damaged[place] ^= 1 << rng.u32(0..8),
                1 => drop(damaged.splice(place..place, vec![0; junk.len()])),
                2 => drop(damaged.splice(place..place, junk)),
                3 => drop(damaged.drain(place..place + junk.len().min(8))),
                // A writer that was killed, and began again.
                _ => drop(damaged.splice(place..place, [&head[..], &records.concat()].concat())),
            }

            let source = Source::new(vec![input(damaged)], options()).unwrap();
            let names = names(&source);
            let (rows, rejects) = counts(&source);
            let has_all =
                ["id", "vector", "text", "tags"].iter().all(|name| names.iter().any(|known| known == name));
            if !has_all || rows + 3 < count {
                bad.push(format!("{framing:?} of {count}, trial {trial}, byte {place}: {rows} rows, {rejects} rejects, {names:?}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}: {bad:#?}", bad.len());
}

/// How many rows are not there, of so many records that all are different.
fn missing(inputs: Vec<Input>, count: usize, what: &str) -> usize {
    let source = Source::new(inputs.clone(), options()).map(|_| ());
    assert!(source.is_ok(), "{what}: {source:?}");
    let rows: std::collections::HashSet<Row> = found(inputs, options()).rows.into_iter().collect();
    all(0..count).iter().filter(|row| !rows.contains(*row)).count()
}

/// What damage may do to the start of an input: each bit of its first byte, and what somebody may write in front of it.
fn damaged_starts(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let flip = |bit: usize| (format!("bit {bit}"), [&[good[0] ^ (1 << bit)], &good[1..]].concat());
    let in_front = |front: &[u8]| [front, good].concat();
    let rest = good.get(512..).unwrap_or_default();
    (0..8)
        .map(flip)
        .chain([
            ("a byte order mark".to_owned(), in_front(b"\xef\xbb\xbf")),
            ("a comment".to_owned(), in_front(b"# vectors v1\n")),
            ("zeros".to_owned(), [&[0; 512], rest].concat()),
        ])
        .collect()
}

#[test]
fn damage_at_the_start_of_the_first_of_many_files_of_one_array_each_costs_that_one() {
    let mut bad = Vec::new();
    for (name, shape) in SHAPES {
        for (files, many) in [(3, 20), (12, 30), (40, 3)] {
            // Three vectors may as well be one record.
            if many == 3 && name == "bytes" {
                continue;
            }
            let array =
                |file: usize| array_of(&(file * many..(file + 1) * many).map(shape).collect::<Vec<_>>());
            let rest: Vec<Input> = (1..files).map(|file| input(array(file))).collect();
            for (kind, first) in damaged_starts(&array(0)) {
                let what = format!("{name}, {files} arrays of {many}, {kind}");
                let inputs = [vec![input(first)], rest.clone()].concat();
                let missing = missing(inputs, files * many, &what);
                if missing > many {
                    bad.push(format!("{what}: {missing} rows lost"));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}: {bad:#?}", bad.len());
}

/// The second one begins among the bytes that are looked at, and does not end there.
#[test]
fn damage_at_the_start_of_the_first_of_several_long_arrays_costs_that_one() {
    let mut bad = Vec::new();
    for (name, shape) in [("bytes", bytes as Shape), ("positional", positional), ("map", map)] {
        let many = (160 << 10) / shape(0).len();
        let array =
            |first: usize| array_of(&(first * many..(first + 1) * many).map(shape).collect::<Vec<_>>());
        let good = [array(0), array(1), array(2)].concat();
        for (kind, bytes) in damaged_starts(&good) {
            let what = format!("{name}, {kind}");
            // A map, or an extension, reaches into the first records, or over all that are looked at.
            let is_lost = matches!(&*kind, "bit 1" | "bit 2" | "a byte order mark" | "zeros");
            let missing = missing(vec![input(bytes)], 3 * many, &what);
            if missing > many && !is_lost {
                bad.push(format!("{what}: {missing} rows of {} lost", 3 * many));
            }
        }
    }
    assert!(bad.is_empty(), "{}: {bad:#?}", bad.len());
}

#[test]
fn a_damaged_value_does_not_decide_the_type_of_a_column() {
    let with_note = |number: usize, note: &[u8]| {
        let id = (number as u32).to_be_bytes();
        [&[0x83, 0xa2, b'i', b'd', 0xce][..], &id, b"\xa6vector", &bytes(number), b"\xa4note", note].concat()
    };
    // Nil that became false, and text that became a list, a map, a number.
    for note in [&[0xc2][..], b"\x93\x61\x62\x63", b"\x80", &[7]] {
        let record = |number| match number {
            1 => with_note(1, note),
            _ if number % 3 == 0 && number > 0 => with_note(number, b"\xa3abc"),
            _ => with_note(number, &[0xc0]),
        };
        for on_error in [OnError::Skip, OnError::Raise] {
            let records: Vec<u8> = (0..COUNT).flat_map(record).collect();
            let source = Source::new(vec![input(records)], options().with_on_error(on_error)).unwrap();
            assert_eq!(
                source.schema().field_with_name("note").unwrap().data_type(),
                &DataType::Utf8,
                "{note:x?}"
            );
            if on_error == OnError::Skip {
                assert_eq!(counts(&source), (COUNT - 1, 1), "{note:x?}");
            }
        }
    }
}
