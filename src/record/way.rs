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
        framing: impl FnOnce(Cursor<'_>) -> Result<Framing, Broken>,
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
            let nowhere = |left, expected, found| Arrival::Nowhere { taken: at, left, expected, found };
            let Some(step) = steps.get(self.taken) else {
                let tail = self.tail;
                let found = framing(cursor).and_then(|framing| Ok((framing, cursor.head()?)));
                return match found {
                    Ok((framing @ Framing::Array, Head::Array(records)))
                    | Ok((framing @ Framing::Map, Head::Map(records))) => {
                        Arrival::Records { taken: cursor.at(), framing, records: records.into(), tail }
                    }
                    Ok((framing @ (Framing::Array | Framing::Map), head)) => {
                        let what = if framing == Framing::Array { "an array" } else { "a map" };
                        let expected = format!("{what} of records (option `framing={}`)", framing.as_str());
                        nowhere(tail + 1, expected, head.to_string())
                    }
                    Ok((framing, _)) => Arrival::Records { taken: at, framing, records: 1, tail },
                    Err(Broken::Short(needed)) => Arrival::More(at, needed - at as u64),
                    Err(Broken::Reserved(place)) => Arrival::Reserved(place),
                };
            };
            let stepped = match self.pairs {
                None => self.enter(step, &mut cursor),
                Some(0) => {
                    return nowhere(
                        self.tail,
                        format!("the key `{step}`"),
                        format!("a map without the key `{step}`"),
                    );
                }
                Some(pairs) => self.pass_key(step, pairs, &mut cursor).map(|()| None),
            };
            match stepped {
                Ok(None) => at = cursor.at(),
                Ok(Some(found)) => {
                    let expected = match step {
                        Step::Name(name) => format!("a map with the key `{name}`"),
                        Step::Position(position) => format!("an array with the item {position}"),
                    };
                    return nowhere(self.tail + 1, expected, found);
                }
                Err(Broken::Short(needed)) => return Arrival::More(at, needed - at as u64),
                Err(Broken::Reserved(place)) => return Arrival::Reserved(place),
            }
        }
    }

    /// Enters the map or array that the next step leads into. The text is what stands there instead.
    fn enter(&mut self, step: &Step, cursor: &mut Cursor<'_>) -> Result<Option<String>, Broken> {
        match (cursor.head()?, step) {
            (Head::Map(pairs), _) => self.pairs = Some(pairs.into()),
            (Head::Array(items), &Step::Position(position)) if position < items => {
                self.skipper = Some(Skipper::of(position.into()));
                self.tail += u64::from(items - position - 1);
                self.taken += 1;
            }
            (head, _) => return Ok(Some(head.to_string())),
        }
        Ok(None)
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
