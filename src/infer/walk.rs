//! Inputs that can be walked through, object by object, though not all of their records are rows: these are no damage.

use super::sample::Sample;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::record::FEW;

/// So many records of one kind are no chance.
const LEAST: usize = 3;

/// Where the records of a sample begin that can be walked through up to its end.
pub(super) struct Walk {
    /// How they lie there.
    pub(super) framing: Framing,
    /// In ascending order. None in a map, as a key may be anything.
    pub(super) places: Vec<usize>,
}

impl Walk {
    /// How records may lie at these places.
    pub(super) fn framings(&self) -> &[Framing] {
        std::slice::from_ref(&self.framing)
    }

    /// The records of a sample, which lie as `framing` says; `None` where they are not all maps, or all arrays of one length.
    pub(super) fn through(sample: &Sample, framing: Framing) -> Option<Self> {
        match framing {
            Framing::Array | Framing::Map => in_containers(&sample.bytes, framing),
            // One map may hold all that there is, whatever it was taken for.
            _ => one_after_another(&sample.bytes).or_else(|| in_containers(&sample.bytes, Framing::Map)),
        }
    }
}

/// Records that have fields, all of one kind.
struct Alike<'a> {
    bytes: &'a [u8],
    first: Option<Head>,
    places: Vec<usize>,
}

impl<'a> Alike<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, first: None, places: Vec::new() }
    }

    /// Steps over a record; `None` if it is not like the others, `Some(false)` if the bytes end in it.
    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Option<bool> {
        let at = cursor.at();
        let kind = match cursor.peek() {
            Ok(head @ Head::Array(1..)) => head,
            Ok(Head::Map(1..)) => Head::Map(0),
            Err(Broken::Short(_)) => return Some(false),
            _ => return None,
        };
        if *self.first.get_or_insert(kind) != kind {
            return None;
        }
        self.places.push(at);
        match cursor.skip() {
            Ok(()) => Some(true),
            // A record that takes most of what there is may be a lie.
            Err(Broken::Short(_)) if 2 * (self.bytes.len() - at) <= self.bytes.len() => Some(false),
            Err(_) => None,
        }
    }

    fn walked(self, framing: Framing) -> Option<Walk> {
        let places = if framing == Framing::Map { Vec::new() } else { self.places.clone() };
        (self.places.len() >= LEAST).then_some(Walk { framing, places })
    }
}

fn one_after_another(bytes: &[u8]) -> Option<Walk> {
    let (mut cursor, mut alike) = (Cursor::new(bytes), Alike::new(bytes));
    while !cursor.rest().is_empty() && alike.pass(&mut cursor)? {}
    // Arrays of many may hold records.
    let is_fields = !matches!(alike.first, Some(Head::Array(items)) if items > FEW);
    alike.walked(Framing::Sequence).filter(|_| is_fields)
}

/// The records in arrays, or in maps, of which one follows another.
fn in_containers(bytes: &[u8], framing: Framing) -> Option<Walk> {
    let (mut cursor, mut alike) = (Cursor::new(bytes), Alike::new(bytes));
    'walk: while !cursor.rest().is_empty() {
        let items = match (framing, cursor.head()) {
            (Framing::Array, Ok(Head::Array(items))) | (Framing::Map, Ok(Head::Map(items))) => items,
            (_, Err(Broken::Short(_))) => break,
            _ => return None,
        };
        for _ in 0..items {
            if framing == Framing::Map {
                match (cursor.peek(), cursor.skip()) {
                    (Ok(Head::Array(_) | Head::Map(_)), _) | (_, Err(Broken::Reserved(_))) => return None,
                    (_, Err(Broken::Short(_))) => break 'walk,
                    _ => {}
                }
            }
            if !alike.pass(&mut cursor)? {
                break 'walk;
            }
        }
    }
    alike.walked(framing)
}
