//! Damaged files: good rows are kept, what was lost is told, and neither threads nor blocks nor parts change it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;

use vecpack::{ErrorKind, Framing, Input, OnError, ReadOptions, RejectKind, Source};

use crate::support::{Note, Pieces, Row, Scan, drain, record, records, row, vector};

const DIM: usize = 16;

fn options(on_error: OnError) -> ReadOptions {
    ReadOptions::new().with_on_error(on_error).with_max_rejects(usize::MAX)
}

/// What `bytes` give, which is the same in every way they can be read.
fn scan(bytes: &[u8], options: &ReadOptions) -> Scan {
    let read = |input: Input, threads: usize, rows: Option<usize>| {
        let options = options.clone().with_threads(threads).with_batch_bytes(1 << 14);
        let options = rows.map_or(options.clone(), |rows| options.with_batch_rows(rows));
        drain(Source::new(vec![input], options).unwrap().reader().unwrap())
    };
    let first = read(Input::bytes("records", bytes.to_vec()), 1, None);
    assert!(first.error.is_none(), "{:?}", first.error);
    for threads in [1, 2, 4] {
        for rows in [None, Some(7)] {
            let pieces = Pieces { bytes: bytes.to_vec().into(), sizes: vec![700, 13, 60_000] };
            for input in [Input::bytes("records", bytes.to_vec()), Input::stream("records", pieces)] {
                let other = read(input, threads, rows);
                assert!(other.rows == first.rows, "threads {threads}, batch_rows {rows:?}");
                assert_eq!(other.notes, first.notes, "threads {threads}, batch_rows {rows:?}");
            }
        }
    }
    let input = Input::bytes("records", bytes.to_vec());
    for parts in [2, 5] {
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        for part in Source::new(vec![input.clone()], options.clone()).unwrap().split(parts).unwrap() {
            let part = drain(part.reader().unwrap());
            rows.extend(part.rows);
            notes.extend(part.notes);
        }
        assert!(rows == first.rows, "{parts} parts: {} rows, not {}", rows.len(), first.rows.len());
        assert_eq!(notes, first.notes, "{parts} parts");
    }
    first
}

/// Records with an id, a text and a vector.
fn fields(number: usize) -> Vec<u8> {
    let text = format!("https://example.org/{}", "x".repeat(number % 40));
    let id = (number as u32).to_be_bytes();
    let mut bytes = [&[0x83, 0xa2, b'i', b'd', 0xce][..], &id, &[0xa3, b'u', b'r', b'l', 0xd9]].concat();
    bytes.push(text.len() as u8);
    bytes.extend(text.as_bytes());
    bytes.extend([0xa6, b'v', b'e', b'c', b't', b'o', b'r']);
    bytes.extend(record(&vector(number, DIM)));
    bytes
}

/// The same as an array of fields.
fn positional(number: usize) -> Vec<u8> {
    let id = (number as u32).to_be_bytes();
    [&[0x92, 0xce][..], &id, &record(&vector(number, DIM))].concat()
}

/// A record of single floats.
fn floats(number: usize) -> Vec<u8> {
    let numbers = vector(number, DIM).into_iter().flat_map(|x| [&[0xca][..], &x.to_be_bytes()].concat());
    [0xdc, 0, DIM as u8].into_iter().chain(numbers).collect()
}

/// An id and a list.
fn positional_floats(number: usize) -> Vec<u8> {
    let id = (number as u32).to_be_bytes();
    [&[0x92, 0xce][..], &id, &floats(number)].concat()
}

fn bare(number: usize) -> Vec<u8> {
    record(&vector(number, DIM))
}

/// Makes the record with this number.
type Shape = fn(usize) -> Vec<u8>;

const SHAPES: [(&str, Shape); 4] =
    [("bare", bare), ("floats", floats), ("map", fields), ("positional", positional)];

/// `count` records and where each begins.
fn file(shape: Shape, count: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for number in 0..count {
        starts.push(bytes.len());
        bytes.extend(shape(number));
    }
    (bytes, starts)
}

fn expected(without: &[usize], count: usize) -> Vec<Row> {
    (0..count).filter(|number| !without.contains(number)).map(|number| row(&vector(number, DIM))).collect()
}

/// Only the vectors.
fn only_vectors(shape: &str, on_error: OnError) -> ReadOptions {
    match shape {
        "map" => options(on_error).with_columns(["vector"]),
        "positional" => options(on_error).with_columns(["column_1"]),
        _ => options(on_error),
    }
}

/// The reject that a gap is.
fn gap(record: u64, offset: u64, length: u64) -> Note {
    Note { file: "records".into(), record, offset, length, kind: RejectKind::Invalid }
}

#[test]
fn a_byte_that_is_no_messagepack_costs_one_record() {
    for (name, shape) in SHAPES {
        let (bytes, starts) = file(shape, 300);
        for bad in [1, 150, 298] {
            let mut bytes = bytes.clone();
            bytes[starts[bad]] = 0xc1;
            for on_error in [OnError::Skip, OnError::Null] {
                let scan = scan(&bytes, &only_vectors(name, on_error));
                assert!(scan.rows == expected(&[bad], 300), "{name}, record {bad}");
                let (offset, length) = (starts[bad] as u64, (starts[bad + 1] - starts[bad]) as u64);
                let note = gap(bad as u64, offset, length);
                assert_eq!(scan.notes, [note], "{name}, {on_error:?}");
            }
        }
    }
}

/// Any bit of a record that is flipped costs that record at the most.
#[test]
fn a_flipped_bit_costs_no_other_row() {
    for (name, shape) in SHAPES {
        let (bytes, starts) = file(shape, 60);
        let length = starts[31] - starts[30];
        let heads: Vec<usize> = match name {
            "bare" | "floats" => (0..8).collect(),
            "map" => (0..14).chain(length - 75..length - 64).collect(),
            _ => (0..8).collect(),
        };
        for bit in heads.iter().flat_map(|at| (0..8).map(move |bit| 8 * at + bit)) {
            let mut bytes = bytes.clone();
            bytes[starts[30] + bit / 8] ^= 1 << (bit % 8);
            let options = only_vectors(name, OnError::Skip).with_threads(2).with_batch_rows(10);
            let source = Source::new(vec![Input::bytes("records", bytes.clone())], options).unwrap();
            let scan = drain(source.reader().unwrap());
            // Some bits of a head give another record that is whole and good, or swallows what follows in silence.
            let lost = expected(&[], 60).into_iter().filter(|row| !scan.rows.contains(row)).count();
            assert!(lost <= 1, "{name}, bit {bit}: {lost} rows lost, {:?}", scan.notes);
        }
    }
}

/// Of a list, or map, of records that are not there no record is lost.
#[test]
fn a_head_in_front_of_records_that_says_too_much_costs_itself_alone() {
    let heads: [&[u8]; 8] = [
        &[0x9f],
        &[0x8f],
        &[0xdc, 0xff, 0xff],
        &[0xdd, 0, 0, 0x20, 0],
        &[0xdd, 0x7f, 0xff, 0xff, 0xff],
        &[0xde, 0xff, 0xff],
        &[0xdf, 0, 0, 0x10, 0],
        &[0x92, 0xdc, 0xff, 0xff],
    ];
    for (name, shape) in SHAPES {
        for (count, bad) in [(60, 50), (60, 57), (4000, 30)] {
            let (bytes, starts) = file(shape, count);
            for head in heads {
                // There are as many.
                if head.len() == 1 && count > 60 {
                    continue;
                }
                let mut bytes = bytes.clone();
                bytes.splice(starts[bad]..starts[bad], head.iter().copied());
                let found = scan(&bytes, &only_vectors(name, OnError::Skip));
                let what = format!("{name}, {count}, {head:02x?}: {} rows", found.rows.len());
                assert!(found.rows == expected(&[], count), "{what}, {:?}", found.notes);
                let (offset, length) = (starts[bad] as u64, head.len() as u64);
                let note = gap(bad as u64, offset, length);
                assert_eq!(found.notes, [note], "{what}");
            }
        }
    }
}

/// Were each of them read as far as it goes, this would not end.
#[test]
fn heads_that_say_too_much_in_front_of_every_few_records_cost_themselves_alone() {
    const COUNT: usize = 2000;
    let heads: [&[u8]; 4] =
        [&[0xdc, 0x0b, 0xb8], &[0xdd, 0, 6, 0x1a, 0x80], &[0xde, 0x0b, 0xb8], &[0xc6, 0, 0x10, 0, 0]];
    for (name, shape) in SHAPES {
        for head in heads {
            let (mut bytes, mut notes) = (Vec::new(), Vec::new());
            for number in 0..COUNT {
                if number % 4 == 0 && number >= 20 {
                    notes.push(gap((number + notes.len()) as u64, bytes.len() as u64, head.len() as u64));
                    bytes.extend(head);
                }
                bytes.extend(shape(number));
            }
            let found = scan(&bytes, &only_vectors(name, OnError::Skip));
            let what = format!("{name}, {head:02x?}: {} rows", found.rows.len());
            assert!(found.rows == expected(&[], COUNT), "{what}, {:?}", &found.notes[..4]);
            assert_eq!(found.notes, notes, "{what}");
        }
    }
}

/// The record in between is longer than what is believed of a container so near to a lie.
#[test]
fn a_good_record_between_two_heads_that_say_too_much_is_a_row() {
    const COUNT: usize = 2000;
    let (mut bytes, mut notes) = (Vec::new(), Vec::new());
    for number in 0..COUNT {
        if number >= 20 && matches!(number % 7, 1 | 2) {
            notes.push(gap((number + notes.len()) as u64, bytes.len() as u64, 1));
            bytes.push(0x9f);
        }
        bytes.extend(floats(number));
    }
    let found = scan(&bytes, &options(OnError::Skip));
    assert!(found.rows == expected(&[], COUNT), "{} rows, {:?}", found.rows.len(), &found.notes[..4]);
    assert_eq!(found.notes, notes);
}

/// To follow each of them takes longer than is worth it: some bytes are passed without a look then, and no more.
#[test]
fn a_page_of_heads_that_say_too_much_costs_the_records_it_is_in_and_a_few() {
    const COUNT: usize = 3000;
    let (mut bytes, starts) = file(fields, COUNT);
    let page = [0x82, 0xa1, b'x', 0xdc, 0xff, 0xff].repeat(4 * 680);
    bytes[40_000..40_000 + page.len()].copy_from_slice(&page);
    let source =
        Source::new(vec![Input::bytes("records", bytes)], only_vectors("map", OnError::Skip)).unwrap();
    let rows = source.count_rows().unwrap() as usize;
    let damaged = page.len() * COUNT / starts[COUNT - 1];
    assert!((COUNT - damaged - 40..COUNT).contains(&rows), "{rows} rows, {damaged} damaged");
}

/// What is there may look like the head of another text.
#[test]
fn text_that_says_too_much_costs_itself_alone_wherever_it_ends() {
    let (bytes, starts) = file(fields, 4000);
    let (bad, far) = (30, 200_000);
    let end = far + bytes[far..].iter().position(|&byte| byte == 0xa6).unwrap();
    let mut head = vec![0xdb];
    head.extend(((end - starts[bad]) as u32).to_be_bytes());
    let mut bytes = bytes.clone();
    bytes.splice(starts[bad]..starts[bad], head);
    let found = scan(&bytes, &only_vectors("map", OnError::Skip));
    assert_eq!(found.notes, [gap(bad as u64, starts[bad] as u64, 5)]);
    assert!(found.rows == expected(&[], 4000), "{} rows", found.rows.len());
}

/// Whatever an array of fields says it has, and whether inference sees it or not.
#[test]
fn an_array_of_fields_that_says_too_much_costs_itself_alone() {
    let packed_or_not = |number| if number % 2 == 0 { positional(number) } else { positional_floats(number) };
    let heads = [(1, 0x93), (30, 0x93), (30, 0x9f), (2000, 0x94), (2000, 0x9b), (2990, 0x99)];
    let files = [file(positional, 3000), file(packed_or_not, 3000)];
    for ((bytes, starts), (bad, head)) in files.iter().flat_map(|file| heads.map(|head| (file, head))) {
        let mut bytes = bytes.clone();
        bytes[starts[bad]] = head;
        let found = scan(&bytes, &options(OnError::Skip).with_columns(["column_1"]));
        assert!(found.rows == expected(&[bad], 3000), "{bad}, {head:#x}: {} rows", found.rows.len());
        assert_eq!(found.notes.len(), 1, "{bad}, {head:#x}");
        let note = &found.notes[0];
        let length = (starts[bad + 1] - starts[bad]) as u64;
        assert_eq!((note.record, note.offset, note.length), (bad as u64, starts[bad] as u64, length));
        // No row is taken for the fields of another in silence.
        let source = Source::new(vec![Input::bytes("records", bytes)], ReadOptions::new()).unwrap();
        assert_eq!(source.schema().fields().len(), 2);
        let error = source.count_rows().unwrap_err().to_string();
        let text = format!("record {bad} (byte {}): expected an array of 2, found an array of", starts[bad]);
        assert!(error.contains(&text) && error.contains("with another record in it"), "{error}");
    }
}

#[test]
fn a_flipped_bit_in_an_array_costs_few_rows() {
    // What is left of a record ends with what could be the head of another array.
    let ends: [Shape; 3] = [
        |n| [with_keys(n), under(b't', &[0x90])].concat(),
        |n| [with_keys(n), under(b't', &[0x91, 0x81, 0xa1, b'k', 0x90])].concat(),
        |n| [with_fields(n, 0x93), vec![0x92, 0xc0, 0x91, 0xc0]].concat(),
    ];
    for (index, shape) in ends.into_iter().enumerate() {
        let (records, starts) = file(shape, 300);
        let good = [&[0xdc, 1, 44][..], &records].concat();
        let vectors = if records[0] == 0x93 { "column_1" } else { "e" };
        for bit in 0..8 * (starts[101] - starts[100]) {
            let mut bytes = good.clone();
            bytes[3 + starts[100] + bit / 8] ^= 1 << (bit % 8);
            let options = options(OnError::Skip).with_columns([vectors]);
            let found = match bit % 41 {
                0 => scan(&bytes, &options),
                _ => {
                    let source = Source::new(vec![Input::bytes("records", bytes)], options.with_threads(1));
                    drain(source.unwrap().reader().unwrap())
                }
            };
            assert!(found.rows.len() >= 297, "{index}, bit {bit}: {} rows", found.rows.len());
        }
    }
}

#[test]
fn bytes_that_are_no_records_between_all_of_them_cost_none() {
    for (name, shape) in SHAPES {
        for junk in [&[0xc1][..], &[0xc1; 4], &[0xda], &[0xdb], b"\n", b"\0\0\0\x42"] {
            for every in [1, 2, 3] {
                let mut bytes = Vec::new();
                for number in 0..400 {
                    bytes.extend(shape(number));
                    if number > 20 && number.is_multiple_of(every) {
                        bytes.extend(junk);
                    }
                }
                let found = scan(&bytes, &only_vectors(name, OnError::Skip));
                let what = format!("{name}, {junk:02x?} behind every {every}");
                assert!(
                    found.rows == expected(&[], 400),
                    "{what}: {} rows {:?}",
                    found.rows.len(),
                    found.notes.iter().filter(|n| n.length > 1).collect::<Vec<_>>()
                );
                assert!(found.notes.iter().all(|note| note.length <= 4), "{what}");
            }
        }
    }
}

/// A record, of which the last `behind` bytes are a head and what it holds.
struct Holder {
    make: Shape,
    behind: usize,
    heads: &'static [u8],
}

const HOLDERS: [Holder; 6] = [
    // A map, and one in it, in an array of fields.
    Holder {
        make: |n| [with_fields(n, 0x93), vec![0x81, 0xa1, b'a', 1]].concat(),
        behind: 4,
        heads: &[0x82, 0x83, 0x8f],
    },
    Holder {
        make: |n| [with_fields(n, 0x93), vec![0x81, 1, 0x91, 0x81, 1, 2]].concat(),
        behind: 3,
        heads: &[0x82, 0x84],
    },
    // Lists of maps, and of texts.
    Holder {
        make: |n| [with_keys(n), vec![0xa1, b't', 0x91, 0x81, 0xa1, b'k', 1]].concat(),
        behind: 5,
        heads: &[0x92, 0x93, 0x9f],
    },
    Holder {
        make: |n| [with_keys(n), vec![0xa1, b't', 0x92, 0xa1, b'k', 0xa1, b'l']].concat(),
        behind: 5,
        heads: &[0x93, 0x95],
    },
    // A map among the keys of another, and an empty one.
    Holder {
        make: |n| [with_keys(n), vec![0xa1, b't', 0x82, 0xa1, b'k', 1, 1, 2]].concat(),
        behind: 6,
        heads: &[0x83, 0x87],
    },
    Holder { make: |n| [with_keys(n), vec![0xa1, b't', 0x80]].concat(), behind: 1, heads: &[0x81, 0x82] },
];

/// The first two fields of an array of them, with this head.
fn with_fields(number: usize, head: u8) -> Vec<u8> {
    [&[head][..], &positional(number)[1..]].concat()
}

/// The first two fields of a map of three.
fn with_keys(number: usize) -> Vec<u8> {
    let id = (number as u32).to_be_bytes();
    [&[0x83, 0xa2, b'i', b'd', 0xce][..], &id, &[0xa1, b'e'], &bare(number)].concat()
}

#[test]
fn a_head_inside_of_a_field_that_says_too_much_costs_its_record_alone() {
    for (holder, &head) in
        HOLDERS.iter().flat_map(|holder| holder.heads.iter().map(move |head| (holder, head)))
    {
        let (good, starts) = file(holder.make, 500);
        let (vectors, others) = if good[0] == 0x93 { ("column_1", "column_2") } else { ("e", "t") };
        for bad in [0, 250, 490] {
            let what = format!("{} bytes from the end, {head:#x}, record {bad}", holder.behind);
            let mut bytes = good.clone();
            bytes[starts[bad + 1] - holder.behind] = head;
            // Whether the field is wanted or not.
            for columns in [&[vectors, others][..], &[vectors]] {
                let found = scan(&bytes, &options(OnError::Skip).with_columns(columns.iter().copied()));
                assert!(found.rows == expected(&[bad], 500), "{what}: {} rows", found.rows.len());
                assert_eq!(found.notes.len(), 1, "{what}");
                let note = &found.notes[0];
                let length = (starts[bad + 1] - starts[bad]) as u64;
                assert_eq!(
                    (note.record, note.offset, note.length),
                    (bad as u64, starts[bad] as u64, length),
                    "{what}"
                );
            }
            let input = Input::bytes("records", bytes);
            let source = Source::new(vec![input], ReadOptions::new().with_columns([vectors])).unwrap();
            let error = source.count_rows().unwrap_err().to_string();
            assert!(error.contains(&format!("record {bad} (byte {}", starts[bad])), "{what}: {error}");
        }
    }
}

/// What is left of a cut record may take parts of the next one, whose head is then a key, and whose number the head of a map.
#[test]
fn whole_records_for_keys_are_never_parts_of_another() {
    let whole = |n: usize| [with_keys(n), under(b't', &[1])].concat();
    let parts = |n: usize| [&[0x85, 0xa1, b'x', 1, 0xa1, b'y', 2][..], &under(b'z', &bare(n))].concat();
    for (bad, kept) in [(3, 2), (300, 2), (300, 3)] {
        let mut bytes: Vec<u8> = (0..bad).flat_map(whole).collect();
        bytes.extend(&with_keys(bad)[..]);
        // One more pair, whose value has as many pairs as the rest of the next record and the two or four behind.
        bytes.extend([2]);
        let mut value = parts(bad + 1);
        value[0] = 0x83 + (kept - 1) as u8;
        bytes.extend(value);
        bytes.extend((bad + 2..500).flat_map(whole));
        let found = scan(&bytes, &options(OnError::Skip).with_columns(["e"]));
        let rows = expected(&[bad, bad + 1], 500);
        assert!(found.rows == rows, "{bad}, {kept}: {} rows, {:?}", found.rows.len(), found.notes);
    }
}

/// The inside of a vector that lost some bytes has become the fields of its record, of which the last one holds those behind.
#[test]
fn records_for_keys_are_none_of_a_records_whatever_its_fields_are() {
    let whole = |n: usize| [with_keys(n), under(b't', &[1])].concat();
    let odd = |fields: &[&[u8]]| {
        [&[0x82 + fields.len() as u8][..], &with_keys(200)[1..], &fields.concat()].concat()
    };
    for fields in [
        &[&b"\xa2\xff?\x33"[..], &b"\xa1\xe9\x84\x3f\x07"[..]][..],
        &[&b"\x3f\x33"[..], &b"\xa1\xe9\x81\x07\x83\x3f\x07"[..]],
        &[&b"\x3f\x33"[..], &b"\xe0\xa1a"[..], &b"\x07\x07"[..], &b"\xa2tt\x84\x3f\x07"[..]],
    ] {
        let bytes: Vec<u8> =
            (0..200).flat_map(whole).chain(odd(fields)).chain((201..500).flat_map(whole)).collect();
        let found = scan(&bytes, &options(OnError::Skip).with_columns(["e"]));
        assert!(
            found.rows == expected(&[200], 500),
            "{fields:x?}: {} rows, {:?}",
            found.rows.len(),
            found.notes
        );
    }
}

/// Behind damage, what has numbers with a fraction for keys is the inside of a vector with the end of a record.
#[test]
fn what_has_keys_that_nobody_gives_is_no_record_behind_damage() {
    let whole = |n: usize| [with_keys(n), under(b't', &[1])].concat();
    let odd = [&[0xc1, 0x83, 1, 2, 0xcb][..], &[7; 8], &[3], &under(b'e', &bare(200))].concat();
    let bytes: Vec<u8> = (0..200).flat_map(whole).chain(odd).chain((201..400).flat_map(whole)).collect();
    let found = scan(&bytes, &options(OnError::Skip).with_columns(["e"]));
    assert!(found.rows == expected(&[200], 400), "{} rows", found.rows.len());
}

/// Values without number in which the first key of the record stands.
#[test]
fn looking_for_records_in_others_takes_linear_time() {
    let list = |n: u32| [&[0xdd][..], &n.to_be_bytes(), &vec![1; n as usize]].concat();
    let map = |pairs: u32| [&[0xdf][..], &pairs.to_be_bytes()].concat();
    // Long vectors in front of many small values.
    let small = 60_000;
    let many =
        [map(small + 1), under(b'v', &list(300_000)), under(b'k', b"\xc4\x02\xa1v").repeat(small as usize)];
    // A key that begins like itself every few bytes.
    let key = [&[0xda, 0x80, 0x41][..], &[0xda, 0x80, 0x41].repeat(10_947)[..0x8041]].concat();
    let text = [&[0xc6, 0, 3, 0, 0][..], &[0xda, 0x80, 0x41].repeat(0x1_0000)].concat();
    let long = [vec![0x83], key, vec![1], under(b'v', &bare(1)), under(b't', &text)];
    for bytes in [many.concat(), long.concat()] {
        let source =
            Source::new(vec![Input::bytes("records", bytes)], options(OnError::Skip).with_columns(["v"]));
        assert!(source.is_ok_and(|source| source.count_rows().is_ok()));
    }
}

#[test]
fn bytes_in_a_field_that_say_too_much_cost_their_record_alone() {
    let bytes = |number| [with_keys(number), vec![0xa1, b't', 0xc4, 3, 1, 2, 3]].concat();
    let (good, starts) = file(bytes, 500);
    for (bad, length) in [(0, 200), (0, 254), (250, 90), (250, 130), (250, 253), (480, 254)] {
        // Text as well, which the column takes.
        for (columns, head) in [(&["e", "t"][..], 0xc4), (&["e"], 0xc4), (&["e", "t"], 0xd9), (&["e"], 0xd9)]
        {
            let mut bytes = good.clone();
            let end = starts[bad + 1];
            bytes[end - 5..end - 3].copy_from_slice(&[head, length]);
            let found = scan(&bytes, &options(OnError::Skip).with_columns(columns.iter().copied()));
            let what = format!("{bad}, {head:#x}, {length}, {columns:?}");
            assert!(found.rows == expected(&[bad], 500), "{what}: {} rows", found.rows.len());
            assert_eq!(found.notes.len(), 1, "{what}");
        }
    }
}

/// A key and what is under it.
fn under(key: u8, value: &[u8]) -> Vec<u8> {
    [&[0xa1, key][..], value].concat()
}

/// A record with only the first two of its fields.
fn short(number: usize) -> Vec<u8> {
    [&[0x82][..], &with_keys(number)[1..]].concat()
}

#[test]
fn records_within_others_are_theirs_where_they_were_put_there() {
    fn whole(number: usize) -> Vec<u8> {
        [with_keys(number), under(b't', &[0x90])].concat()
    }
    fn holder(number: usize, value: &[u8]) -> Vec<u8> {
        [with_keys(number), under(b't', value)].concat()
    }
    let shapes: [Shape; 14] = [
        // Trees, of which most have no children, and parents that come late.
        |n| match n % 3 {
            0 => holder(n, &[&[0x92][..], &whole(n + 1), &whole(n + 2)].concat()),
            _ => whole(n),
        },
        |n| if n == 200 { holder(n, &[&[0x91][..], &whole(n + 1)].concat()) } else { whole(n) },
        |n| match n % 40 {
            0 => holder(n, &[&[0x92][..], &whole(n + 1), &whole(n + 2)].concat()),
            _ => whole(n),
        },
        |n| match n % 40 {
            0 => holder(n, &[&[0x91, 0x92, 7][..], &whole(n + 1)].concat()),
            _ => whole(n),
        },
        // A document with what it was before, which has all but that: more fields than are compared.
        |n| {
            let fields: Vec<u8> = (0..8).flat_map(|field| under(b'f' + field, &[field])).collect();
            let before = |n: usize| [&[0x8a][..], &with_keys(n)[1..], &fields].concat();
            match n % 1000 {
                999 => {
                    let list = under(b't', &[&[0x92][..], &before(n + 1), &before(n + 2)].concat());
                    [&[0x8b][..], &before(n)[1..], &list].concat()
                }
                _ => [&[0x8b][..], &before(n)[1..], &under(b't', &[0x90])].concat(),
            }
        },
        |n| if n < 1200 { holder(n, &[0xc0]) } else { holder(n, &whole(n / 2)) },
        // What a search found, with how near it was.
        |n| holder(n, &[&[0x92, 0x92, 7][..], &short(n + 1), &[0x92, 6], &short(n + 2)].concat()),
        |n| holder(n, &[&[0x92, 7][..], &short(n + 1)].concat()),
        |n| holder(n, &[&[0x92, 7][..], &whole(n + 1)].concat()),
        // Parts of several kinds, what was there before, keys that are tuples.
        |n| holder(n, &[&[0x92, 0x81, 0xa1, b'x', 1][..], &short(n + 1)].concat()),
        |n| if n == 250 { holder(n, &[&[0x92, 0xa1, b'v'][..], &short(n)].concat()) } else { whole(n) },
        |n| holder(n, &[&[0x81, 0x92, 1, 2][..], &short(n + 1)].concat()),
        // Packed, and once more as bytes.
        |n| {
            let others: Vec<u8> = (0..5).flat_map(whole).collect();
            holder(n, &[&[0xc5, (others.len() >> 8) as u8, others.len() as u8][..], &others].concat())
        },
        // Packed, and with others as well.
        |n| {
            let raw = under(b'r', &[&[0xc4, whole(n).len() as u8][..], &whole(n)].concat());
            let others = under(b't', &[&[0x92][..], &whole(n + 1), &whole(n + 2)].concat());
            [&[0x84][..], &with_keys(n)[1..], &raw, &others].concat()
        },
    ];
    for (index, shape) in shapes.into_iter().enumerate() {
        let (bytes, _) = file(shape, 1500);
        for on_error in [OnError::Raise, OnError::Skip] {
            let found = scan(&bytes, &options(on_error).with_columns(["e"]));
            assert!(found.notes.is_empty(), "{index}: {:?}", found.notes.first());
            assert!(found.rows == expected(&[], 1500), "{index}: {} rows", found.rows.len());
        }
    }
}

/// Inference that looks at all records sees those that are rare.
#[test]
fn rare_records_within_others_are_seen_where_all_are_looked_at() {
    let whole = |n: usize, children: &[u8]| [with_keys(n), under(b't', children)].concat();
    let tree = |n: usize| match n % 300 {
        299 => whole(n, &[&[0x92][..], &whole(1, &[0x90]), &whole(2, &[0x90])].concat()),
        _ => whole(n, &[0x90]),
    };
    let bytes: Vec<u8> = (0..6000).flat_map(tree).collect();
    let options = options(OnError::Raise).with_columns(["e"]);
    let found = scan(&bytes, &options.clone().with_infer_records(0));
    assert!(found.rows == expected(&[], 6000), "{} rows", found.rows.len());
    let source = Source::new(vec![Input::bytes("records", bytes)], options).unwrap();
    assert!(source.count_rows().unwrap_err().to_string().contains("record 299 "));
}

#[test]
fn records_packed_in_front_of_a_bad_one_stay_where_they_are() {
    let packed = |n: usize| {
        let others: Vec<u8> = (0..5).flat_map(short).collect();
        let head = [0xa1, b't', 0xc5, (others.len() >> 8) as u8, others.len() as u8];
        [with_keys(n), head.to_vec(), others].concat()
    };
    let mut records: Vec<Vec<u8>> = (0..300).map(packed).collect();
    let at = with_keys(0).len() - bare(0).len();
    records[101].splice(at..at + bare(0).len(), [0xc0]);
    let found = scan(&records.concat(), &options(OnError::Skip).with_columns(["e", "t"]));
    assert!(found.rows == expected(&[101], 300), "{} rows", found.rows.len());
    assert_eq!(found.notes.len(), 1);
}

#[test]
fn what_is_in_a_bad_record_makes_no_rows() {
    // Parts of a document that have the same keys, and one more.
    fn parts(number: usize) -> Vec<u8> {
        let part = |n: usize| [with_keys(n), under(b'p', &[1])].concat();
        let list =
            [&[0xa1, b't', 0x94][..], &(0..4).flat_map(|n| part(number + n)).collect::<Vec<_>>()].concat();
        [&[0x84][..], &with_keys(number)[1..], &list, &under(b'u', &[7])].concat()
    }
    let records = |bad: fn(usize) -> bool, vector: &[u8]| {
        let start = with_keys(0).len() - bare(0).len();
        let end = start + bare(0).len();
        let record = |n: usize| match bad(n) {
            true => [&parts(n)[..start], vector, &parts(n)[end..]].concat(),
            false => parts(n),
        };
        (0..300).map(record).collect::<Vec<_>>().concat()
    };
    let is_bad: [fn(usize) -> bool; 2] = [|n| n == 75, |n| n % 3 == 2];
    for bad in is_bad {
        for vector in [&[0xc0][..], &[0xc4, 8, 0, 0, 0, 0, 0, 0, 0, 0]] {
            let bytes = records(bad, vector);
            let without: Vec<usize> = (0..300).filter(|&n| bad(n)).collect();
            let found = scan(&bytes, &options(OnError::Skip).with_columns(["e", "t"]));
            assert!(found.rows == expected(&without, 300), "{} rows", found.rows.len());
            assert_eq!(found.notes.len(), without.len());
            let found = scan(&bytes, &options(OnError::Null).with_columns(["e", "t"]));
            assert_eq!((found.rows.len(), found.notes.len()), (300, without.len()));
        }
    }
}

#[test]
fn an_array_of_more_fields_is_a_row_whatever_they_are() {
    let more: [Vec<u8>; 5] = [
        vec![0xc0],
        bare(7),
        [&[0x91][..], &bare(7)].concat(),
        [&[0x92, 7][..], &record(&vector(7, DIM + 1))].concat(),
        [&[0x92][..], &bare(7), &bare(8)].concat(),
    ];
    for more in more {
        let mut records: Vec<Vec<u8>> = (0..1500).map(positional).collect();
        records[1200][0] = 0x93;
        records[1200].extend(&more);
        let found = scan(&records.concat(), &options(OnError::Skip).with_columns(["column_1"]));
        assert!(found.rows == expected(&[], 1500), "{more:02x?}: {} rows", found.rows.len());
        assert!(found.notes.is_empty(), "{more:02x?}: {:?}", found.notes);
    }
}

#[test]
fn bytes_that_are_missing_or_too_many_cost_the_records_they_are_in() {
    for (name, shape) in SHAPES {
        let (bytes, starts) = file(shape, 400);
        let options = only_vectors(name, OnError::Skip);
        for (at, missing, more) in
            [(200, 0, 1), (200, 1, 0), (200, 33, 0), (200, 0, 33), (200, 3000, 0), (200, 90_000, 0)]
        {
            let mut bytes = bytes.clone();
            let place = starts[at] + 1;
            let until = bytes.len().min(place + missing);
            bytes.splice(place..until, vec![0xc1; more]);
            let whole = starts.iter().filter(|&&start| start >= until).count();
            let scan = scan(&bytes, &options);
            let rest: Vec<usize> = (at..400 - whole).collect();
            assert!(
                scan.rows.len() >= 400 - rest.len() - 1,
                "{name} {missing} {more}: {} rows, {:?}",
                scan.rows.len(),
                scan.notes
            );
            // Half of a map and half of another one can be a whole one.
            assert!(
                !scan.notes.is_empty() || name == "map",
                "{name} {missing} {more}: {} rows",
                scan.rows.len()
            );
        }
    }
}

#[test]
fn an_array_knows_how_many_records_it_has_left() {
    for (name, shape) in SHAPES {
        let (bytes, starts) = file(shape, 100);
        let (second, _) = file(shape, 50);
        for (bad, byte) in [(1, 0xc1), (50, 0xc1), (50, 0x07), (98, 0xc1)] {
            let mut bytes = bytes.clone();
            bytes[starts[bad]] = byte;
            let file = [&[0xdc, 0, 100][..], &bytes, &[0xdc, 0, 50], &second].concat();
            let options = only_vectors(name, OnError::Skip).with_framing(Framing::Array);
            let scan = scan(&file, &options);
            let rows = [expected(&[bad], 100), expected(&[], 50)].concat();
            assert!(scan.rows == rows, "{name}, {bad}: {} rows, {:?}", scan.rows.len(), scan.notes);
        }
    }
}

/// `count` arrays of so many records each, and where each array begins.
fn arrays(shape: Shape, each: usize, count: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for array in 0..count {
        starts.push(bytes.len());
        match each {
            0..16 => bytes.push(0x90 + each as u8),
            _ => bytes.extend([0xdc, 0, each as u8]),
        }
        bytes.extend((array * each..(array + 1) * each).flat_map(shape));
    }
    (bytes, starts)
}

/// How many of the first `count` rows are lost, where something was rejected. All ways to read agree, if they are to be tried.
fn lost_in_arrays(bytes: Vec<u8>, name: &str, count: usize, all_ways: bool, what: &str) -> usize {
    let told = only_vectors(name, OnError::Skip).with_framing(Framing::Array);
    let found = if all_ways {
        scan(&bytes, &told)
    } else {
        let source = Source::new(vec![Input::bytes("records", bytes)], told.with_threads(1));
        drain(source.unwrap().reader().unwrap())
    };
    assert!(!found.notes.is_empty(), "{what}: no reject");
    expected(&[], count).iter().filter(|row| !found.rows.contains(row)).count()
}

#[test]
fn a_damaged_head_of_a_later_array_costs_few_rows() {
    for (name, shape) in SHAPES {
        for (each, count) in [(7, 9), (20, 8)] {
            let (good, starts) = arrays(shape, each, count);
            let size = if each < 16 { 1 } else { 3 };
            for (array, start) in [(2, starts[2]), (count - 1, starts[count - 1])] {
                for bit in 0..8 * size {
                    let mut bytes = good.clone();
                    bytes[start + bit / 8] ^= 1 << (bit % 8);
                    let what = format!("{name}, {each}, bit {bit} of array {array}");
                    let lost = lost_in_arrays(bytes, name, each * count, bit % 9 == 1, &what);
                    assert!(lost <= 1, "{what}: {lost} rows lost");
                }
                let what = format!("{name}, {each}, array {array} without a head");
                let bytes = [&good[..start], &good[start + size..]].concat();
                let lost = lost_in_arrays(bytes, name, each * count, true, &what);
                assert_eq!(lost, 0, "{what}");
                let what = format!("{name}, {each}, zeros around the head of array {array}");
                let mut bytes = good.clone();
                bytes[start - 20..start + 20].fill(0);
                let lost = lost_in_arrays(bytes, name, each * count, true, &what);
                assert!(lost <= 2, "{what}: {lost} rows lost");
            }
            let what = format!("{name}, {each}, records behind the last array");
            let more = (each * count..each * count + 30).flat_map(shape);
            let bytes = good.iter().copied().chain(more).collect();
            assert_eq!(lost_in_arrays(bytes, name, each * count + 30, true, &what), 0, "{what}");
        }
    }
}

/// A writer that died, and one that wrote all of it again behind what was there.
#[test]
fn an_array_that_was_begun_again_costs_few_rows() {
    const COUNT: usize = 40;
    for (name, shape) in SHAPES {
        let (array, _) = arrays(shape, COUNT, 1);
        let (records, starts) = file(shape, COUNT);
        let head = array.len() - records.len();
        for (number, &start) in starts.iter().enumerate().filter(|(number, _)| [1, 20, 39].contains(number)) {
            for cut in start..start + shape(number).len() {
                let what = format!("{name}, cut at {} in record {number}", cut - start);
                let bytes = [&array[..head + cut], &array].concat();
                let lost = lost_in_arrays(bytes, name, COUNT, (cut - start) % 23 == 0, &what);
                assert!(lost <= 2, "{what}: {lost} rows lost");
            }
        }
    }
}

#[test]
fn an_element_that_became_a_container_costs_few_rows() {
    const LIST: usize = 32;
    let random = |number: usize| -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(number as u64);
        (0..LIST).map(|_| random.f32() - 0.5).collect()
    };
    // A list between other fields.
    let listed = |number: usize| {
        let numbers = random(number).into_iter().flat_map(|x| [&[0xca][..], &x.to_be_bytes()].concat());
        let list: Vec<u8> = [0xdc, 0, LIST as u8].into_iter().chain(numbers).collect();
        let id = [&[0xcd][..], &(number as u16).to_be_bytes()].concat();
        let meta = [&[0x82, 0xa1, b'c', 7][..], &under(b's', &[0x81, 0xa1, b'p', 1])].concat();
        [&[0x83][..], &under(b'i', &id), &under(b'e', &list), &under(b'm', &meta)].concat()
    };
    let each = 20;
    let bytes: Vec<u8> = (0..12 * each)
        .flat_map(|number| match number % each {
            0 => [&[0xdc, 0, each as u8][..], &listed(number)].concat(),
            _ => listed(number),
        })
        .collect();
    let rows: Vec<Row> = (0..12 * each).map(|number| row(&random(number))).collect();
    let first = each * listed(0).len() + 3 + 3 + 6 + 2 + 3;
    for element in (0..LIST).step_by(3) {
        for byte in 0x81..0xa0 {
            let mut bytes = bytes.clone();
            let place = first + 5 * element;
            assert_eq!(bytes[place], 0xca);
            bytes[place] = byte;
            let told = options(OnError::Skip).with_columns(["e"]).with_framing(Framing::Array);
            let source = Source::new(vec![Input::bytes("records", bytes)], told.with_threads(1));
            let found = drain(source.unwrap().reader().unwrap());
            let lost = rows.iter().filter(|row| !found.rows.contains(row)).count();
            assert!(lost <= 3, "{element}, {byte:#x}: {lost} rows lost, {:?}", found.notes);
            assert!(!found.notes.is_empty(), "{element}, {byte:#x}: no reject");
        }
    }
}

/// It looks like an array, and is a record.
#[test]
fn a_short_list_of_records_among_records_is_no_array() {
    for (name, shape) in SHAPES {
        let list = [&[0x93][..], &shape(100), &shape(101), &shape(102)].concat();
        let records: Vec<u8> = (0..20).flat_map(shape).chain(list).chain((20..40).flat_map(shape)).collect();
        let bytes = [&[0xdc, 0, 41][..], &records].concat();
        let told = only_vectors(name, OnError::Skip).with_framing(Framing::Array);
        let found = scan(&bytes, &told);
        assert!(found.rows == expected(&[], 40), "{name}: {} rows, {:?}", found.rows.len(), found.notes);
        assert_eq!(found.notes.len(), 1, "{name}");
    }
}

/// The same record without a vector that is one: with nil instead, or with less.
fn without_vector(name: &str, number: usize, is_nil: bool) -> Vec<u8> {
    let other = record(&vector(number, DIM - 1));
    match (name, is_nil) {
        ("map", true) => [&fields(number)[..fields(number).len() - bare(0).len()], &[0xc0]].concat(),
        ("map", false) => {
            let mut record = fields(number);
            record.truncate(record.len() - bare(0).len() - 7);
            record[0] = 0x82;
            record
        }
        ("positional", true) => [&positional(number)[..6], &[0xc0]].concat(),
        ("positional", false) => [&positional(number)[..6], &other].concat(),
        (_, true) => vec![0xc0],
        ("floats", false) => [&[0x9f][..], &floats(number)[8..]].concat(),
        _ => other,
    }
}

#[test]
fn records_without_a_vector_in_arrays_cost_no_other_row() {
    for (name, shape) in SHAPES {
        for (each, percent, is_nil) in [7, 20, 100]
            .into_iter()
            .flat_map(|each| [2, 10, 30].map(|percent| (each, percent)))
            .flat_map(|(each, percent)| [true, false].map(|is_nil| (each, percent, is_nil)))
        {
            let count = 8 * each.max(40);
            let mut random = fastrand::Rng::with_seed(each as u64 * percent as u64);
            let bad: Vec<usize> = (2..count).filter(|_| random.u32(..100) < percent).collect();
            let mut bytes = Vec::new();
            for number in 0..count {
                if number % each == 0 {
                    bytes.extend([0xdc, 0, each.min(count - number) as u8]);
                }
                let is_bad = bad.binary_search(&number).is_ok();
                bytes.extend(if is_bad { without_vector(name, number, is_nil) } else { shape(number) });
            }
            let what = format!("{name}, {each}, {percent} %, nil: {is_nil}");
            for on_error in [OnError::Skip, OnError::Null] {
                let rows: Vec<Row> = match on_error {
                    OnError::Null => (0..count)
                        .map(|number| match bad.binary_search(&number) {
                            Ok(_) => None,
                            Err(_) => row(&vector(number, DIM)),
                        })
                        .collect(),
                    _ => expected(&bad, count),
                };
                let told = only_vectors(name, on_error).with_framing(Framing::Array);
                let found = scan(&bytes, &told);
                let wrong = || found.rows.iter().zip(&rows).position(|(a, b)| a != b);
                assert!(
                    found.rows == rows,
                    "{what}: {} rows, not {}, first {:?}, {:?}",
                    found.rows.len(),
                    rows.len(),
                    wrong(),
                    found.notes.iter().filter(|note| note.length > 200).collect::<Vec<_>>()
                );
                let records: Vec<usize> = found.notes.iter().map(|note| note.record as usize).collect();
                assert_eq!(records, bad, "{what}");
                // An array of vectors may be one record of many rows.
                if matches!(name, "map" | "positional") {
                    let input = vec![Input::bytes("records", bytes.clone())];
                    let source = Source::new(input, only_vectors(name, on_error)).unwrap();
                    assert_eq!(source.framing(), Framing::Array, "{what}");
                    assert_eq!(source.count_rows().unwrap(), rows.len() as u64, "{what}, {on_error:?}");
                }
            }
        }
    }
}

/// What an array has left is not known behind pieces of a record, nor behind one that took others, but it is again in the next one.
#[test]
fn damage_in_arrays_with_records_without_a_vector_costs_few_rows() {
    const COUNT: usize = 600;
    const DAMAGED: [usize; 2] = [150, 420];
    let mut random = fastrand::Rng::with_seed(11);
    for (name, shape) in SHAPES {
        for (each, is_nil) in [7, 20, 100].into_iter().flat_map(|each| [(each, true), (each, false)]) {
            for round in 0..40 {
                let (mut bytes, mut without) = (Vec::new(), DAMAGED.to_vec());
                let mut what = format!("{name}, {each}, nil: {is_nil}, {round}");
                for number in 0..COUNT {
                    if number % each == 0 {
                        bytes.extend([0xdc, 0, each.min(COUNT - number) as u8]);
                    }
                    let is_near = DAMAGED.iter().any(|&damaged| number.abs_diff(damaged) < 2);
                    if number > 2 && !is_near && random.u32(..10) == 0 {
                        bytes.extend(without_vector(name, number, is_nil));
                        without.push(number);
                        continue;
                    }
                    let mut record = shape(number);
                    if DAMAGED.contains(&number) {
                        // An id that is a map may hold others for its own.
                        let bit = random.usize(..8 * if name == "map" { 4 } else { 16 });
                        record[bit / 8] ^= 1 << (bit % 8);
                        what = format!("{what}, bit {bit} of {number}");
                    }
                    bytes.extend(record);
                }
                let told = only_vectors(name, OnError::Skip).with_framing(Framing::Array);
                let found = match round % 10 {
                    0 => scan(&bytes, &told),
                    _ => {
                        let source = Source::new(vec![Input::bytes("records", bytes)], told.with_threads(1));
                        drain(source.unwrap().reader().unwrap())
                    }
                };
                let expected = expected(&without, COUNT);
                let lost = expected.iter().filter(|row| !found.rows.contains(row)).count();
                assert!(lost <= 6, "{what}: {lost} rows lost");
            }
        }
    }
}

/// The list of numbers takes whole records for the numbers that are missing.
#[test]
fn a_record_that_was_cut_off_in_its_list_costs_no_other() {
    fn listed(number: usize, dim: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(number as u64);
        let numbers =
            (0..dim).flat_map(|_| [&[0xcb][..], &(random.f64() - 0.5).to_be_bytes()].concat()).collect();
        let id = [&[0x84, 0xa2, b'i', b'd', 0xcd][..], &(number as u16).to_be_bytes()].concat();
        let meta = format!("\u{4}meta\u{1}\u{3}url\u{f}http://x/{number:06}").into_bytes();
        let meta = meta.into_iter().map(|byte| match byte {
            4 => 0xa4,
            1 => 0x81,
            3 => 0xa3,
            15 => 0xaf,
            other => other,
        });
        let head = [&b"\xa6vector\xdc"[..], &(dim as u16).to_be_bytes()].concat();
        [id, meta.collect(), head, numbers, b"\xa5score\x07".to_vec()].concat()
    }
    for (dim, step) in [(384, 115), (32, 3)] {
        let records: Vec<Vec<u8>> = (0..400).map(|number| listed(number, dim)).collect();
        for cut in (40..records[100].len() - 1).step_by(step) {
            let bytes =
                [records[..100].concat(), records[100][..cut].to_vec(), records[100..].concat()].concat();
            let told = options(OnError::Skip).with_columns(["vector"]).with_threads(1);
            let source = Source::new(vec![Input::bytes("records", bytes)], told).unwrap();
            let found = drain(source.reader().unwrap());
            assert!(found.rows.len() >= 398, "{dim}, cut {cut}: {} rows", found.rows.len());
        }
    }
}

#[test]
fn what_cannot_be_found_again_ends_its_file_alone() {
    let good = records(20, DIM);
    let junk = [&[0xc1][..], &[0x55; 5000]].concat();
    let files = [[good.clone(), junk].concat(), good.clone()];
    let inputs = files.iter().map(|bytes| Input::bytes("records", bytes.clone())).collect();
    let scan = drain(Source::new(inputs, options(OnError::Null)).unwrap().reader().unwrap());
    assert_eq!(scan.rows, [expected(&[], 20), expected(&[], 20)].concat());
    let (offset, length) = (good.len() as u64, 5001);
    assert_eq!(scan.notes, [gap(20, offset, length)]);
}

/// Noise that reads as a map with a long key would take all that is in the key with it, and tell nobody.
#[test]
fn a_map_with_bytes_for_a_key_that_are_no_text_is_no_row() {
    let (bytes, starts) = file(fields, 300);
    // In the place of a record: a map of two, whose key reaches to the vector of another.
    let to = starts[201] - 64 - 2 - 7;
    let length = to - (starts[100] + 4);
    let mut swallowing = bytes.clone();
    swallowing.splice(starts[100]..starts[100] + 4, [0x82, 0xda, (length >> 8) as u8, length as u8]);
    // A value for the key, in the place of the last byte of it.
    let key = length - 1;
    swallowing[starts[100] + 2..starts[100] + 4].copy_from_slice(&(key as u16).to_be_bytes());
    swallowing[to - 1] = 7;
    let found = scan(&swallowing, &only_vectors("map", OnError::Skip));
    assert!(found.rows == expected(&[100], 300), "{} rows, {:?}", found.rows.len(), found.notes);
    assert!(!found.notes.is_empty());
}

#[test]
fn a_map_of_records_is_given_up_behind_damage() {
    let pair = |number: usize| [&[0xa3][..], format!("{number:03}").as_bytes(), &bare(number)].concat();
    let mut pairs: Vec<Vec<u8>> = (0..100).map(pair).collect();
    pairs[50][0] = 0xc1;
    let bytes = [&[0xde, 0, 100][..], &pairs.concat()].concat();
    let options = options(OnError::Skip).with_framing(Framing::Map).with_columns(["vector"]);
    let scan = drain(Source::new(vec![Input::bytes("records", bytes)], options).unwrap().reader().unwrap());
    assert_eq!((scan.rows, scan.notes.len()), (expected(&(50..100).collect::<Vec<_>>(), 100), 1));
}

#[test]
fn records_that_hold_others_are_no_damage() {
    let good = |count: usize, first: usize| (first..first + count).map(bare).collect::<Vec<_>>().concat();
    let list = [&[0x95][..], &good(5, 100)].concat();
    let blob = [vec![0xc5, 1, 0x4a], good(5, 100)].concat();
    for bad in [list, blob] {
        let bytes = [good(20, 0), bad.clone(), good(20, 20)].concat();
        let scan = scan(&bytes, &options(OnError::Null));
        let mut rows = expected(&[], 40);
        rows.insert(20, None);
        assert!(scan.rows == rows);
        assert_eq!((scan.notes.len(), scan.notes[0].length), (1, bad.len() as u64));
    }
}

/// However long they are, and wherever in them the others lie.
#[test]
fn containers_that_hold_records_are_not_taken_apart() {
    let good = |count: usize, first: usize| (first..first + count).map(bare).collect::<Vec<_>>().concat();
    let list = |count: usize| [&[0xdd][..], &(count as u32).to_be_bytes(), &good(count, 100)].concat();
    let pairs = |count: usize| {
        let pair =
            |number: usize| [&[0xa3][..], format!("{:03}", number % 1000).as_bytes(), &bare(number)].concat();
        let pairs: Vec<u8> = (0..count).flat_map(pair).collect();
        [&[0xdf][..], &(count as u32).to_be_bytes(), &pairs].concat()
    };
    for count in [4, 100, 5000, 30_000] {
        let ids = [&[0xdd][..], &(count as u32 * 50).to_be_bytes(), &vec![7; count * 50]].concat();
        let bads = [
            list(count),
            [&[0x81, 0xa1, b'v'][..], &list(count)].concat(),
            [&[0x92][..], &list(count), &list(count)].concat(),
            [&[0x92, 0xa1, b'v'][..], &list(count)].concat(),
            [&[0x82, 0xa1, b'i'][..], &ids, &[0xa1, b'v'], &list(count)].concat(),
            pairs(count),
        ];
        for (number, bad) in bads.iter().enumerate() {
            let bytes = [good(20, 0), bad.clone(), good(20, 20)].concat();
            for threads in [1, 3] {
                let options = options(OnError::Skip).with_threads(threads);
                let source = Source::new(vec![Input::bytes("records", bytes.clone())], options).unwrap();
                let scan = drain(source.reader().unwrap());
                let what = format!("{count}, number {number}: {} rows, {:?}", scan.rows.len(), scan.notes);
                assert!(scan.rows == expected(&[], 40), "{what}");
                assert_eq!((scan.notes.len(), scan.notes[0].length), (1, bad.len() as u64), "{what}");
            }
        }
    }
}

/// The same bytes as gzip, zstd and lz4 hold them.
fn compressed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    // Of a block that is not whole nothing can be read.
    let blocks = lz4_flex::frame::FrameInfo::new()
        .block_size(lz4_flex::frame::BlockSize::Max64KB)
        .content_checksum(true);
    let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(blocks, Vec::new());
    lz4.write_all(bytes).unwrap();
    [gzip.finish().unwrap(), zstd::encode_all(bytes, 1).unwrap(), lz4.finish().unwrap()]
}

#[test]
fn damage_in_a_compressed_input_is_a_reject_for_the_rest_of_it() {
    // Random enough that it takes many blocks.
    let mut random = fastrand::Rng::with_seed(7);
    let vectors: Vec<Vec<f32>> = (0..20_000).map(|_| (0..DIM).map(|_| random.f32()).collect()).collect();
    let plain: Vec<u8> = vectors.iter().flat_map(|vector| record(vector)).collect();
    let all: Vec<Row> = vectors.iter().map(|vector| row(vector)).collect();
    for bytes in compressed(&plain) {
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 0x40;
        flipped[bytes.len() / 2 + 1] ^= 0xff;
        for damaged in [bytes[..bytes.len() / 2].to_vec(), bytes[..bytes.len() - 3].to_vec(), flipped] {
            let pieces = || Pieces { bytes: damaged.clone().into(), sizes: vec![1000] };
            for input in [Input::bytes("damaged", damaged.clone()), Input::stream("damaged", pieces())] {
                for threads in [1, 3] {
                    let good = Input::bytes("good", records(50, DIM));
                    let options = options(OnError::Skip).with_threads(threads);
                    let source = Source::new(vec![input.clone(), good.clone()], options).unwrap();
                    let scan = drain(source.reader().unwrap());
                    assert!(scan.error.is_none(), "{:?}", scan.error);
                    let before = scan.rows.len() - 50;
                    assert_eq!(scan.rows[before..], expected(&[], 50));
                    // A flipped bit may only show at the checksum at the end.
                    let same =
                        scan.rows[..before].iter().zip(&all).filter(|(found, all)| found == all).count();
                    assert!(before > 5000 && same >= before / 2 - 1, "{before} rows, {same} as they were");
                    let last = scan.notes.last().unwrap();
                    assert_eq!(
                        (&*last.file, last.kind),
                        ("damaged", RejectKind::Invalid),
                        "{:?}",
                        scan.notes
                    );
                    let is_cut = damaged.len() < bytes.len();
                    let found = source.rejects().details().last().unwrap().found.clone();
                    assert!(!is_cut || found.contains("data is cut off or damaged"), "{found}");
                }
                let raised = Source::new(vec![input], options(OnError::Raise));
                let error = raised.and_then(|source| source.count_rows()).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Io { .. } | ErrorKind::Decode(_)), "{error}");
            }
        }
    }
}

/// Bytes that are all damage, and bytes with very many damages: were it not for a bound on what is looked at, this would not end.
#[test]
fn a_salvage_ends_soon_whatever_its_input_is() {
    let good = records(2000, DIM);
    let lie = |head: &[u8]| [head, &records(4, DIM)].concat();
    let floods: [(&str, Vec<u8>, Option<u64>); 11] = [
        ("0xc1", vec![0xc1], Some(1)),
        ("nested arrays", vec![0x91], Some(1)),
        ("nested maps", vec![0x81], Some(1)),
        ("heads", vec![0xc4, 4 * DIM as u8], None),
        ("heads of arrays", vec![0xdc, 0, DIM as u8, 0xca], None),
        ("lists without an end", lie(&[0xdd, 0, 0x40, 0, 0]), None),
        ("lists that end too late", lie(&[0xdc, 0x3f, 0xff]), None),
        ("maps of records", lie(&[0xde, 0x3f, 0xff]), None),
        ("records that say too much", lie(&[0xc6, 0, 0x40, 0, 0]), None),
        ("text that says too much", lie(&[0xdb, 0, 0x10, 0, 0]), None),
        ("0xc1 between records", lie(&[0xc1]), None),
    ];
    for (name, piece, rejects) in floods {
        let bytes = [good.clone(), piece.repeat((2 << 20) / piece.len())].concat();
        let options = options(OnError::Skip).with_max_rejects(5);
        let source = Source::new(vec![Input::bytes("records", bytes)], options).unwrap();
        let rows = source.count_rows().unwrap();
        let count = source.rejects().count();
        assert!(
            rows >= 2000 && count > 0 && rejects.is_none_or(|rejects| rejects == count),
            "{name}: {count}"
        );
        if rejects.is_none() && piece.len() > 100 {
            // All but the first four behind a lie are there, or those as well.
            assert_eq!(rows, 2000 + 4 * ((2 << 20) / piece.len() as u64), "{name}");
        }
    }
}

/// What may happen to a record.
type Damage = fn(&mut Vec<u8>, &mut fastrand::Rng);

/// Damages that leave it as long as it was.
const DAMAGES: [(&str, Damage); 5] = [
    ("0xc1 at its start", |record, _| record[0] = 0xc1),
    ("another head", |record, random| record[0] = random.u8(..)),
    ("another length", |record, random| record[1] = random.u8(..)),
    ("zeros", |record, _| record.fill(0)),
    ("noise", |record, random| record.fill_with(|| random.u8(..))),
];

/// Damages after which what follows is elsewhere. It may be taken for the rest of the damaged record, and is lost then.
const SHIFTS: [(&str, Damage); 3] = [
    ("a byte less", |record, random| {
        record.remove(random.usize(..record.len()));
    }),
    ("a byte more", |record, random| record.insert(random.usize(..record.len()), random.u8(..))),
    ("half of it gone", |record, _| record.truncate(record.len() / 2)),
];

/// How many good rows are lost of `count` records where each one in `every` is damaged, and how many are damaged.
fn lost(shape: (&str, Shape), apply: Damage, every: usize, count: usize) -> (usize, usize) {
    let mut random = fastrand::Rng::with_seed(every as u64);
    let mut records: Vec<Vec<u8>> = (0..count).map(shape.1).collect();
    let mut damaged = Vec::new();
    for (number, record) in records.iter_mut().enumerate().skip(10) {
        // Every other one is just that.
        if if every == 2 { number % 2 == 0 } else { random.usize(..every) == 0 } {
            apply(record, &mut random);
            damaged.push(number);
        }
    }
    let scan = scan(&records.concat(), &only_vectors(shape.0, OnError::Skip));
    let mut found = scan.rows.iter();
    let mut lost = 0;
    for row in expected(&damaged, count) {
        let mut ahead = found.clone();
        match ahead.by_ref().take(100).any(|other| *other == row) {
            true => found = ahead,
            false => lost += 1,
        }
    }
    (lost, damaged.len())
}

/// However many they are, and with only one good record between two of them.
#[test]
fn good_records_between_damaged_ones_are_rows() {
    for shape in SHAPES {
        for (damage, apply) in DAMAGES {
            for every in [2, 3, 10] {
                // Where records are of different lengths, three in a row show where they are.
                if every == 2 && shape.0 == "map" {
                    continue;
                }
                let (lost, damaged) = lost(shape, apply, every, 700);
                // A length may end, by chance, where another record does.
                let by_chance =
                    if matches!(damage, "0xc1 at its start" | "zeros") { 0 } else { damaged / 10 };
                assert!(
                    lost <= by_chance,
                    "{}, {damage}, one in {every}: {lost} lost, {damaged} bad",
                    shape.0
                );
            }
        }
        for (damage, apply) in SHIFTS {
            for every in [10, 50] {
                let (lost, damaged) = lost(shape, apply, every, 700);
                assert!(
                    lost <= 2 * damaged,
                    "{}, {damage}, one in {every}: {lost} lost, {damaged} bad",
                    shape.0
                );
            }
        }
    }
}

/// Records as many write them, of which the last field is short, or holds others.
const WITH_LAST: [(&str, Shape); 6] = [
    ("nil", |n| [with_keys(n), b"\xa4note\xc0".to_vec()].concat()),
    ("number", |n| [with_keys(n), b"\xa4page".to_vec(), vec![(n % 100) as u8]].concat()),
    ("map", |n| {
        [with_keys(n), b"\xa4meta\x82\xa1p".to_vec(), vec![(n % 100) as u8], b"\xa3src\xa2ab".to_vec()]
            .concat()
    }),
    ("page", |n| {
        [with_keys(n), b"\xa4meta\x82\xa3src\xa2ab\xa4page".to_vec(), vec![(n % 100) as u8]].concat()
    }),
    ("vector first", |n| {
        [&[0x83, 0xa1, b'e'][..], &bare(n), b"\xa2id", &[(n % 100) as u8], b"\xa4text\xa7lorem i"].concat()
    }),
    ("label", |n| [&[0x82, 0xa1, b'e'][..], &bare(n), b"\xa5label", &[(n % 100) as u8]].concat()),
];

/// A bit in a head or key of a field makes lengths say too much in many ways; what they claim is a record, or an array of records.
#[test]
fn a_flipped_bit_in_fields_loses_no_other_record_in_silence() {
    let count = 80;
    let mut bad = Vec::new();
    for (name, make) in WITH_LAST {
        for is_array in [false, true] {
            let (mut bytes, mut starts) = (Vec::new(), Vec::new());
            for number in 0..count {
                if is_array && number % 20 == 0 {
                    bytes.extend([0xdc, 0, 20]);
                }
                starts.push(bytes.len());
                bytes.extend(make(number));
            }
            // The last of an array is in front of another one.
            let (start, length) = (starts[39], make(39).len());
            let vector = bytes[start..]
                .windows(DIM * 4)
                .position(|bytes| *bytes == bare(39)[bare(39).len() - DIM * 4..])
                .unwrap();
            for at in (0..vector).chain(vector + DIM * 4..length) {
                for bit in 0..8 {
                    let mut bytes = bytes.clone();
                    bytes[start + at] ^= 1 << bit;
                    let options = options(OnError::Skip).with_threads(1).with_columns(["e"]);
                    let Ok(source) = Source::new(vec![Input::bytes("records", bytes)], options) else {
                        continue;
                    };
                    let found = drain(source.reader().unwrap());
                    if found.rows.len() < count && found.notes.is_empty() {
                        bad.push(format!(
                            "{name}, array {is_array}, byte {at}, bit {bit}: {} rows",
                            found.rows.len()
                        ));
                    }
                }
            }
        }
    }
    assert!(bad.is_empty(), "{}: {bad:#?}", bad.len());
}

/// A `.npy` file in bytes: 128 bytes of header, and the elements.
fn npy(number: usize, dim: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({dim},), }}");
    let data: Vec<u8> = vector(number, dim).iter().flat_map(|x| x.to_le_bytes()).collect();
    let payload = [b"\x93NUMPY\x01\0v\0", format!("{header:117}\n").as_bytes(), &data].concat();
    [&[0xc5], &(payload.len() as u16).to_be_bytes()[..], &payload].concat()
}

#[test]
fn numpy_files_in_bytes_are_read_as_what_is_in_them_wherever_they_are() {
    let skip = options(OnError::Skip);
    // 64 elements take the bytes of a file of 32.
    for dim in [64, 32] {
        for at in [0, 1, 7, 400, 799] {
            for is_file in [false, true] {
                // One of the other kind among many.
                let one = |n: usize| if is_file != (n == at) { npy(n, dim) } else { record(&vector(n, dim)) };
                let all: Vec<_> = (0..800).map(one).collect();
                let found = scan(&all.concat(), &skip);
                let expected: Vec<Row> = (0..800).map(|n| row(&vector(n, dim))).collect();
                assert!(found.rows == expected && found.notes.is_empty(), "{dim}, {at}, {is_file}");
            }
        }
    }
    // One of the same length and of another dimension.
    for at in [1, 7, 400, 799] {
        for is_file in [false, true] {
            let one = |n: usize| match (is_file, n == at) {
                (false, false) | (true, true) => record(&vector(n, 64)),
                _ => npy(n, 32),
            };
            let all: Vec<_> = (0..800).map(one).collect();
            let found = scan(&all.concat(), &skip);
            let dim = if is_file { 32 } else { 64 };
            let expected: Vec<Row> = (0..800).filter(|&n| n != at).map(|n| row(&vector(n, dim))).collect();
            assert!(found.rows == expected, "{at}, {is_file}: {}", found.rows.len());
            let [Note { record, offset, length: 259, kind: RejectKind::Dimension, .. }] = found.notes[..]
            else {
                panic!("{:?}", found.notes)
            };
            assert_eq!((record, offset), (at as u64, at as u64 * 259));
        }
    }
}

#[test]
fn damage_among_numpy_files_costs_the_records_that_it_hits() {
    let whole: Vec<_> = (0..300).map(|n| npy(n, 32)).collect();
    let stride = whole[0].len();
    for (at, byte) in [(1, 0xff), (2, 0x80), (3, 0x00), (0, 0xc1)] {
        let mut bytes = whole.concat();
        bytes[100 * stride + at] = byte;
        let found = scan(&bytes, &options(OnError::Skip));
        let rows = found.rows.iter().filter(|found| **found != row(&vector(100, 32))).count();
        assert_eq!((rows, found.rows.len()), (299, 299), "{at}: {:?}", found.notes);
        assert_eq!(found.notes.len(), 1);
        assert_eq!(found.notes[0].offset, 100 * stride as u64, "{at}");
    }
}

/// Behind damage that ends with the head of a map, records are its keys and values, and all that is left of it can be read.
#[test]
fn records_for_keys_are_rows() {
    let (first, others) = (20, 80);
    for (shape, make) in SHAPES {
        // One more object makes keys of every other one of them.
        for front in
            [&[0x8d][..], &[0x8d, 63], &[0x92, 0x86, 7], &[7, 0xde, 0, 20, 1], &[0x81, 0xa1, b'a', 0x8a, 1]]
        {
            let good: Vec<Vec<u8>> = (0..first + others).map(make).collect();
            let bytes = [good[..first].concat(), front.to_vec(), good[first..].concat()].concat();
            let found = scan(&bytes, &only_vectors(shape, OnError::Skip));
            assert!(
                found.rows == expected(&[], first + others),
                "{shape}, {front:x?}: {} rows, {:?}",
                found.rows.len(),
                found.notes
            );
            assert!(!found.notes.is_empty());
        }
    }
}
