//! Files whose maker knows what each object is: a good record, a bad one, or none.

use arrow_schema::{DataType, Field, Schema};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use vecpack::{Framing, ReadOptions};

use crate::support::{Head, floats, vector};

pub(crate) const DIM: usize = 16;

// --- MessagePack, written by hand -----------------------------------------------------------------

pub(crate) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [vec![0xdc], (items.len() as u16).to_be_bytes().to_vec(), items.concat()].concat()
}

pub(crate) fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = pairs.iter().flat_map(|(key, value)| [&key[..], value].concat()).collect();
    [vec![0xde], (pairs.len() as u16).to_be_bytes().to_vec(), items].concat()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    Head::Str8.record(text.as_bytes())
}

pub(crate) fn number(n: usize) -> Vec<u8> {
    [vec![0xce], (n as u32).to_be_bytes().to_vec()].concat()
}

pub(crate) fn bytes(payload: &[u8]) -> Vec<u8> {
    Head::Bin16.record(payload)
}

pub(crate) fn float_list(numbers: &[f32]) -> Vec<u8> {
    let item = |x: &f32| [vec![0xca], x.to_be_bytes().to_vec()].concat();
    list(&numbers.iter().map(item).collect::<Vec<_>>())
}

/// Where the object at `at` ends; nothing where it is none.
pub(crate) fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
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
pub(crate) enum Layout {
    Bytes,
    Floats,
    Maps,
    Positional,
}

pub(crate) const LAYOUTS: [Layout; 4] = [Layout::Bytes, Layout::Floats, Layout::Maps, Layout::Positional];

/// What a record holds besides its columns.
#[derive(Debug, Clone)]
pub(crate) enum Extra {
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
pub(crate) enum Thing {
    Good(Vec<Extra>),
    Bad(Bad),
    /// A run of objects that no record begins with.
    Numbers(Vec<u8>),
}

#[derive(Debug, Clone)]
pub(crate) enum Bad {
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
    /// Packed records, without so many bytes at their end.
    CutOff(usize, usize),
    Empty(u8),
    Extension(usize),
}

pub(crate) fn extra() -> impl Strategy<Value = Extra> {
    prop_oneof![
        2 => (0..5usize).prop_map(Extra::Records),
        1 => (0..5usize).prop_map(Extra::Packed),
        1 => Just(Extra::OddKeys),
        1 => (0..200usize).prop_map(Extra::Text),
        1 => (1..4usize).prop_map(Extra::Tree),
    ]
}

pub(crate) fn bad() -> impl Strategy<Value = Bad> {
    prop_oneof![
        2 => Just(Bad::Nil),
        1 => (1..3usize).prop_map(Bad::Length),
        1 => Just(Bad::Text),
        3 => vec(extra(), 0..3).prop_map(Bad::NoVector),
        1 => (1..6usize).prop_map(Bad::List),
        1 => (1..6usize).prop_map(Bad::Map),
        1 => (1..6usize).prop_map(Bad::Packed),
        1 => (1..6usize, 1..90usize).prop_map(|(count, cut)| Bad::CutOff(count, cut)),
        1 => select(&[0x80, 0x90, 0xa0][..]).prop_map(Bad::Empty),
        1 => (1..3usize).prop_map(Bad::Extension),
    ]
}

pub(crate) fn thing(of_bad: u32) -> impl Strategy<Value = Thing> {
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

    pub(crate) fn good(self, n: usize, extras: &[Extra]) -> Vec<u8> {
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

    pub(crate) fn bad(self, n: usize, bad: &Bad) -> Vec<u8> {
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
            Bad::CutOff(count, cut) => {
                let packed = self.inner(n, *count).concat();
                bytes(&packed[..packed.len().saturating_sub(*cut)])
            }
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
pub(crate) struct Case {
    pub(crate) layout: Layout,
    pub(crate) framing: Framing,
    pub(crate) things: Vec<Thing>,
    /// Into so many arrays the records are divided.
    pub(crate) arrays: usize,
    pub(crate) pieces: Vec<usize>,
}

/// What must come of a file of whole objects.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) bytes: Vec<u8>,
    /// A number for each row, or none where the record is bad.
    pub(crate) rows: Vec<Option<usize>>,
    /// Offset and length.
    pub(crate) rejects: Vec<(u64, u64)>,
    /// The number of the object at which `raise` stops, and its offset.
    pub(crate) stop: Option<(u64, u64)>,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
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
    pub(crate) fn expected(&self) -> Expected {
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
    pub(crate) fn beginning(&self) -> usize {
        let head = if self.framing == Framing::Array { 5 } else { 0 };
        head + (0..3).map(|n| self.layout.good(n, &[]).len()).sum::<usize>()
    }

    pub(crate) fn options(&self) -> ReadOptions {
        let options = ReadOptions::new().with_framing(self.framing).with_max_rejects(usize::MAX);
        let options = options.with_include_record(true);
        match self.layout {
            Layout::Bytes | Layout::Floats => options.with_columns(["vector"]),
            Layout::Maps => options.with_vector("vector").with_columns(["vector", "id"]),
            Layout::Positional => options.with_vector("1").with_columns(["column_1", "column_0"]),
        }
    }

    /// The same, where nothing need be found in bytes that may be damaged.
    pub(crate) fn explicit(&self) -> ReadOptions {
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
    pub(crate) fn objects(&self) -> usize {
        if let Self::Numbers(numbers) = self { numbers.len() } else { 1 }
    }
}
