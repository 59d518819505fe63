//! Heads against a table from the MessagePack specification, and skipping against a reader that recurses.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// What follows a marker.
#[derive(Clone, Copy)]
enum Follows {
    Nothing(Head),
    /// A number of so many bytes.
    Number(usize, fn(u64) -> Head),
    /// A type, then a payload of so many bytes.
    Type(u32),
    /// A length of so many bytes, then a type.
    LengthAndType(usize),
    Never,
}

/// The table of formats in the specification, row by row.
fn specification(marker: u8) -> Follows {
    use Follows::{LengthAndType, Never, Nothing, Number, Type};
    match marker {
        0x00..=0x7f => Nothing(Head::UInt(marker.into())),
        0x80..=0x8f => Nothing(Head::Map((marker - 0x80).into())),
        0x90..=0x9f => Nothing(Head::Array((marker - 0x90).into())),
        0xa0..=0xbf => Nothing(Head::Str((marker - 0xa0).into())),
        0xc0 => Nothing(Head::Nil),
        0xc1 => Never,
        0xc2 => Nothing(Head::Bool(false)),
        0xc3 => Nothing(Head::Bool(true)),
        0xc4 => Number(1, |n| Head::Bin(n as u32)),
        0xc5 => Number(2, |n| Head::Bin(n as u32)),
        0xc6 => Number(4, |n| Head::Bin(n as u32)),
        0xc7 => LengthAndType(1),
        0xc8 => LengthAndType(2),
        0xc9 => LengthAndType(4),
        0xca => Number(4, |n| Head::Float32(f32::from_bits(n as u32))),
        0xcb => Number(8, |n| Head::Float64(f64::from_bits(n))),
        0xcc => Number(1, Head::UInt),
        0xcd => Number(2, Head::UInt),
        0xce => Number(4, Head::UInt),
        0xcf => Number(8, Head::UInt),
        0xd0 => Number(1, |n| Head::Int((n as i8).into())),
        0xd1 => Number(2, |n| Head::Int((n as i16).into())),
        0xd2 => Number(4, |n| Head::Int((n as i32).into())),
        0xd3 => Number(8, |n| Head::Int(n as i64)),
        0xd4 => Type(1),
        0xd5 => Type(2),
        0xd6 => Type(4),
        0xd7 => Type(8),
        0xd8 => Type(16),
        0xd9 => Number(1, |n| Head::Str(n as u32)),
        0xda => Number(2, |n| Head::Str(n as u32)),
        0xdb => Number(4, |n| Head::Str(n as u32)),
        0xdc => Number(2, |n| Head::Array(n as u32)),
        0xdd => Number(4, |n| Head::Array(n as u32)),
        0xde => Number(2, |n| Head::Map(n as u32)),
        0xdf => Number(4, |n| Head::Map(n as u32)),
        0xe0..=0xff => Nothing(Head::Int(i64::from(marker) - 256)),
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number * 256 + u64::from(byte))
}

fn twin(bytes: &[u8]) -> Result<(Head, usize), HeadError> {
    let marker = *bytes.first().ok_or(HeadError::Incomplete)?;
    let part = |from: usize, to: usize| bytes.get(from..to).map(big_endian).ok_or(HeadError::Incomplete);
    Ok(match specification(marker) {
        Follows::Nothing(head) => (head, 1),
        Follows::Number(size, head) => (head(part(1, 1 + size)?), 1 + size),
        Follows::Type(length) => (Head::Ext(part(1, 2)? as i8, length), 2),
        Follows::LengthAndType(size) => {
            (Head::Ext(part(1 + size, 2 + size)? as i8, part(1, 1 + size)? as u32), 2 + size)
        }
        Follows::Never => return Err(HeadError::Reserved),
    })
}

#[test]
fn every_marker_is_read_as_specified_at_every_truncation() {
    let behind: [[u8; 10]; 5] = [
        [0; 10],
        [0xff; 10],
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [0x80, 0, 0, 0, 0, 0, 0, 0, 0x80, 0],
    ];
    for marker in 0..=255 {
        for behind in behind {
            let bytes = [&[marker], &behind[..]].concat();
            for length in 0..=bytes.len() {
                let (found, expected) = (Head::read(&bytes[..length]), twin(&bytes[..length]));
                // As text, so that a NaN equals itself.
                assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{:02x?}", &bytes[..length]);
            }
        }
    }
}

#[test]
fn no_head_is_longer_than_the_longest() {
    let longest = (0..=255).filter_map(|marker| Head::read(&[&[marker], &[0; 20][..]].concat()).ok());
    assert_eq!(longest.map(|(_, size)| size).max(), Some(MAX_HEAD));
}

#[test]
fn payload_and_children_are_what_follows_the_head() {
    let follows = |head: Head| (head.payload(), head.children());
    assert_eq!(follows(Head::Str(u32::MAX)), (u32::MAX.into(), 0));
    assert_eq!(follows(Head::Bin(3)), (3, 0));
    assert_eq!(follows(Head::Ext(-1, 12)), (12, 0));
    assert_eq!(follows(Head::Array(u32::MAX)), (0, u32::MAX.into()));
    assert_eq!(follows(Head::Map(u32::MAX)), (0, 2 * u64::from(u32::MAX)));
    assert_eq!(follows(Head::Float64(1.0)), (0, 0));
}

/// One MessagePack object, or what is none.
#[derive(Debug, Clone)]
enum Object {
    Plain(Vec<u8>),
    Array(Vec<Object>),
    Map(Vec<(Object, Object)>),
    Reserved,
}

impl Object {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(bytes) => out.extend(bytes),
            Self::Reserved => out.push(0xc1),
            Self::Array(items) => {
                rmp::encode::write_array_len(out, items.len() as u32).unwrap();
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(pairs) => {
                rmp::encode::write_map_len(out, pairs.len() as u32).unwrap();
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

fn plain() -> impl Strategy<Value = Object> {
    let scalars = prop_oneof![
        any::<u8>()
            .prop_filter("of one byte", |byte| matches!(byte, 0..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..))
            .prop_map(|b| vec![b]),
        any::<u64>().prop_map(|n| [vec![0xcf], n.to_be_bytes().into()].concat()),
        any::<i16>().prop_map(|n| [vec![0xd1], n.to_be_bytes().into()].concat()),
        any::<f32>().prop_map(|x| [vec![0xca], x.to_be_bytes().into()].concat()),
    ];
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let blobs = prop_oneof![
        bytes().prop_map(|b| [vec![0xc4, b.len() as u8], b].concat()),
        bytes().prop_map(|b| [vec![0xc5, 0, b.len() as u8], b].concat()),
        bytes().prop_map(|b| [vec![0xdb, 0, 0, 0, b.len() as u8], b].concat()),
        bytes().prop_map(|b| [vec![0xc8, 0, b.len() as u8, 0xff], b].concat()),
        proptest::collection::vec(any::<u8>(), 17).prop_map(|b| [vec![0xd8], b].concat()),
        proptest::collection::vec(any::<u8>(), 0..32).prop_map(|b| [vec![0xa0 + b.len() as u8], b].concat()),
    ];
    prop_oneof![scalars, blobs].prop_map(Object::Plain)
}

fn object() -> impl Strategy<Value = Object> {
    let leaf = prop_oneof![30 => plain(), 1 => Just(Object::Reserved)];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Object::Array),
            proptest::collection::vec((inner.clone(), inner), 0..10).prop_map(Object::Map),
        ]
    })
}

/// The end of the object at the start of `bytes`, by recursion; the error is where it cannot be read on.
fn skip_naively(bytes: &[u8], at: usize) -> Result<usize, Skipped> {
    match twin(&bytes[at..]) {
        Err(HeadError::Reserved) => Err(Skipped::Reserved(at)),
        Err(HeadError::Incomplete) => Err(Skipped::More(at)),
        Ok((head, size)) => {
            let payload = head.payload() as usize;
            if bytes.len() - at - size < payload {
                return Err(Skipped::More(bytes.len()));
            }
            (0..head.children()).try_fold(at + size + payload, |at, _| skip_naively(bytes, at))
        }
    }
}

fn expected(bytes: &[u8]) -> Skipped {
    skip_naively(bytes, 0).map_or_else(|end| end, Skipped::Done)
}

/// Skips in the pieces that end at `ends`; what is left of a piece comes again with the next one.
fn skip_in_pieces(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Skipped {
    let mut skipper = Skipper::new();
    let mut done = 0;
    for end in ends {
        match skipper.skip(&bytes[done..end]) {
            Skipped::Done(taken) => return Skipped::Done(done + taken),
            Skipped::Reserved(taken) => return Skipped::Reserved(done + taken),
            Skipped::More(taken) => done += taken,
        }
    }
    Skipped::More(done)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn skipping_is_what_recursion_says_in_whatever_pieces(object in object(), behind in any::<[u8; 3]>(), cut in any::<prop::sample::Index>()) {
        let whole = [object.bytes(), behind.to_vec()].concat();
        for bytes in [&whole[..], &whole[..cut.index(whole.len())]] {
            let expected = expected(bytes);
            prop_assert_eq!(Skipper::new().skip(bytes), expected);
            for split in 0..=bytes.len() {
                prop_assert_eq!(skip_in_pieces(bytes, [split, bytes.len()]), expected, "split at {}", split);
            }
            prop_assert_eq!(skip_in_pieces(bytes, 0..=bytes.len()), expected, "byte by byte");
        }
    }

    #[test]
    fn skipping_any_bytes_at_all_is_what_recursion_says(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Skipper::new().skip(&bytes), expected(&bytes));
        prop_assert_eq!(skip_in_pieces(&bytes, 0..=bytes.len()), expected(&bytes));
    }
}

#[test]
fn an_object_of_claims_alone_is_neither_counted_down_nor_believed() {
    for head in
        [[0xdd, 0xff, 0xff, 0xff, 0xff], [0xdf, 0xff, 0xff, 0xff, 0xff], [0xc6, 0xff, 0xff, 0xff, 0xff]]
    {
        assert_eq!(Skipper::new().skip(&head), Skipped::More(5), "{head:02x?}");
    }
    let bomb = [0xdf, 0xff, 0xff, 0xff, 0xff].repeat(1 << 20);
    assert_eq!(Skipper::new().skip(&bomb), Skipped::More(bomb.len()));
    // Gigabytes of such maps open more objects than 64 bits count.
    let mut skipper = Skipper { objects: u64::MAX - 1, payload: 0 };
    assert_eq!(skipper.skip(&bomb), Skipped::More(bomb.len()));
    assert_eq!(skipper.objects, u64::MAX);
}

#[test]
fn depth_takes_no_stack() {
    let skip = |marker: u8, length: usize, last: usize| {
        let mut skipper = Skipper::new();
        assert_eq!(skipper.skip(&vec![marker; length]), Skipped::More(length), "{marker:02x}");
        assert_eq!(skipper.skip(&vec![0xc0; last]), Skipped::Done(last), "{marker:02x}");
    };
    let skip = move || {
        skip(0x91, 64 << 20, 1);
        skip(0x81, 4 << 20, (4 << 20) + 1);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(skip).unwrap().join().unwrap();
}
