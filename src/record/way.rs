//! The way from the start of a document to its records: along keys of an object, into the array or map that holds them.

use super::Step;
use crate::msgpack::{Broken, Cursor, Head, Skipped, Skipper};
use crate::options::Framing;
use crate::values::key;

/// A walk through one document, in as many pieces as its bytes come in. Values beside the way are
/// skipped without being held.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    /// Steps that are behind.
    taken: usize,
    /// Pairs that are left of the map on the way; `None` in front of a value on it.
    pairs: Option<u64>,
    /// Objects of the document behind the records.
    tail: u64,
    skipper: Option<Skipper>,
}

/// How far a [`Way`] led.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// This many bytes are behind; more are needed, at least this many.
    More(usize, u64),
    /// The records begin behind `taken` bytes, and `tail` objects of the document follow them.
    Records { taken: usize, framing: Framing, records: u64, tail: u64 },
    /// Behind this many bytes the way ends without the records. Of the document this many objects are left.
    /// The texts say what was expected and what was found.
    Nowhere { taken: usize, left: u64, expected: String, found: String },
    /// Behind this many bytes stands 0xc1.
    Reserved(usize),
}

impl Way {
    /// Walks on through `bytes`, along these steps. `framing` tells how the records lie at their end, given what
    /// stands there.
    pub(crate) fn walk(
        &mut self,
        steps: &[Step],
        framing: impl Fn(Cursor<'_>) -> Result<Framing, Broken>,
        bytes: &[u8],
    ) -> Arrival {
        let mut at = 0;
        loop {
            if let Some(skipper) = &mut self.skipper {
                match skipper.skip(&bytes[at..]) {
                    Skipped::Done(skipped) => at += skipped,
                    Skipped::More(skipped) => return Arrival::More(at + skipped, 0),
                    Skipped::Reserved(skipped) => return Arrival::Reserved(at + skipped),
                }
                self.skipper = None;
            }
            let mut cursor = Cursor::starting_at(bytes, at);
            let arrival = match steps.get(self.taken) {
                Some(step) => self.step(step, &mut cursor),
                None => framing(cursor).and_then(|framing| self.arrive(framing, cursor)),
            };
            match arrival {
                Ok(None) => at = cursor.at(),
                Ok(Some(arrival)) => return arrival,
                Err(Broken::Short(needed)) => return Arrival::More(at, needed - at as u64),
                Err(Broken::Reserved(place)) => return Arrival::Reserved(place),
            }
        }
    }

    /// Finds the records at the end of the way.
    fn arrive(&self, framing: Framing, mut cursor: Cursor<'_>) -> Result<Option<Arrival>, Broken> {
        let (at, tail) = (cursor.at(), self.tail);
        let records = |taken, records| Ok(Some(Arrival::Records { taken, framing, records, tail }));
        let what = match (framing, cursor.head()?) {
            (Framing::Array, Head::Array(items)) => return records(cursor.at(), items.into()),
            (Framing::Map, Head::Map(pairs)) => return records(cursor.at(), pairs.into()),
            (Framing::Array, head) => ("an array", head),
            (Framing::Map, head) => ("a map", head),
            _ => return records(at, 1),
        };
        let expected = format!("{} of records (option `framing={}`)", what.0, framing.as_str());
        Ok(Some(Arrival::Nowhere { taken: at, left: tail + 1, expected, found: what.1.to_string() }))
    }

    /// Enters the map or array that the step leads into, or passes a key of the map.
    fn step(&mut self, step: &Step, cursor: &mut Cursor<'_>) -> Result<Option<Arrival>, Broken> {
        let (taken, left) = (cursor.at(), self.tail + 1);
        let (expected, head) = match self.pairs {
            Some(0) => {
                let (expected, found) =
                    (format!("the key `{step}`"), format!("a map without the key `{step}`"));
                return Ok(Some(Arrival::Nowhere { taken, left: self.tail, expected, found }));
            }
            Some(pairs) => return self.pass_key(step, pairs, cursor).map(|()| None),
            None => match (cursor.head()?, step) {
                (Head::Map(pairs), _) => {
                    self.pairs = Some(pairs.into());
                    return Ok(None);
                }
                (Head::Array(items), &Step::Position(position)) if position < items => {
                    self.skipper = Some(Skipper::of(position.into()));
                    self.tail += u64::from(items - position - 1);
                    self.taken += 1;
                    return Ok(None);
                }
                (head, Step::Name(name)) => (format!("a map with the key `{name}`"), head),
                (head, Step::Position(position)) => (format!("an array with the item {position}"), head),
            },
        };
        Ok(Some(Arrival::Nowhere { taken, left, expected, found: head.to_string() }))
    }

    /// Passes the next key: takes the step if it is the key of it, or else skips its value.
    fn pass_key(&mut self, step: &Step, pairs: u64, cursor: &mut Cursor<'_>) -> Result<(), Broken> {
        let (name, mut digits) = (step.key(), Default::default());
        let is_other = match cursor.peek()? {
            Head::Str(length) | Head::Bin(length) => length as usize != name.len(),
            head => !matches!(head, Head::UInt(_) | Head::Int(_)),
        };
        if !is_other && key(&mut cursor.clone(), &mut digits)? == Some(name.as_bytes()) {
            cursor.skip()?;
            self.tail += 2 * (pairs - 1);
            self.taken += 1;
            self.pairs = None;
        } else {
            self.skipper = Some(Skipper::of(2));
            self.pairs = Some(pairs - 1);
        }
        Ok(())
    }
}
