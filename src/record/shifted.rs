//! Maps whose last value is the next record, as their keys show: a length that says too much has taken what is behind it for a part of
//! the key, or some bytes were lost, and values have become keys.

use crate::msgpack::{Broken, Cursor, Head};

/// Maps inside of one another, of which the last one has the next record.
const DEPTH: usize = 3;
/// More keys than these are not compared with one another.
const KEYS: usize = 16;

/// True where `value`, the last one in the map at `record`, is the next record or ends with it, and a key says that it is not there on
/// purpose.
pub(super) fn has_taken_next(record: Cursor<'_>, value: &[u8]) -> Result<bool, Broken> {
    let mut at = Cursor::new(value);
    for _ in 0..DEPTH {
        let mut next = at;
        // An array that records are in may be what is behind.
        if let Head::Array(_) = next.peek()? {
            next.head()?;
        }
        if contradict(record, next)? {
            return Ok(true);
        }
        let Head::Map(pairs) = at.head()? else { break };
        for _ in 1..pairs {
            at.skip()?;
            at.skip()?;
        }
        at.skip()?;
    }
    Ok(false)
}

/// True where the keys of two maps are the same up to one which is damaged in the first.
fn contradict(one: Cursor<'_>, other: Cursor<'_>) -> Result<bool, Broken> {
    let (Some(mut one), Some(mut other)) = (Pairs::of(one)?, Pairs::of(other)?) else { return Ok(false) };
    let mut same = 0;
    loop {
        let (rest, other_rest) = (one, other);
        let (Some((key, value)), Some((other_key, other_value))) = (one.next()?, other.next()?) else {
            return Ok(false);
        };
        if key != other_key {
            let is_damaged = match (kind(key), kind(other_key)) {
                (Some(kind), Some(other)) if kind != other => true,
                _ if one.left == 0 => is_longer(key, other_key),
                _ => is_shifted(rest, other_rest)?,
            };
            return Ok(same > 0 && is_damaged);
        }
        if one.left == 0 {
            return is_damaged_within(value, other_value);
        }
        same += 1;
    }
}

/// The same where it is a map in them of which the last key is.
fn is_damaged_within(mut one: Cursor<'_>, mut other: Cursor<'_>) -> Result<bool, Broken> {
    for _ in 0..DEPTH {
        let (Some(mut pairs), Some(mut others)) = (Pairs::of(one)?, Pairs::of(other)?) else { break };
        loop {
            let (Some((key, value)), Some((other_key, other_value))) = (pairs.next()?, others.next()?) else {
                return Ok(false);
            };
            if key != other_key {
                return Ok(pairs.left == 0 && is_longer(key, other_key));
            }
            if pairs.left == 0 {
                (one, other) = (value, other_value);
                break;
            }
        }
    }
    Ok(false)
}

/// True for a key that begins with another one, without their heads.
fn is_longer(key: &[u8], other: &[u8]) -> bool {
    let text = |key| {
        let mut cursor = Cursor::new(key);
        matches!(cursor.head(), Ok(Head::Str(1..))).then(|| cursor.rest())
    };
    text(key).zip(text(other)).is_some_and(|(key, other)| key.len() > other.len() && key.starts_with(other))
}

/// What a key is; `None` for one that no field has.
fn kind(key: &[u8]) -> Option<std::mem::Discriminant<Head>> {
    match Head::read(key) {
        // Positive or negative, and text of any length.
        Ok((Head::UInt(_) | Head::Int(_), _)) => Some(std::mem::discriminant(&Head::Int(0))),
        Ok((head @ (Head::Str(_) | Head::Bin(_)), _)) => Some(std::mem::discriminant(&head)),
        _ => None,
    }
}

/// True where none of these keys are those, but a value is one: key and value have changed places.
fn is_shifted(one: Pairs<'_>, other: Pairs<'_>) -> Result<bool, Broken> {
    if one.left.max(other.left) as usize > KEYS {
        return Ok(false);
    }
    let (one, other) = (one.all()?, other.all()?);
    Ok(one.iter().all(|pair| !other.iter().any(|known| known.key == pair.key))
        && one.iter().any(|pair| other.iter().any(|known| pair.value.starts_with(known.key))))
}

/// A key, with its head, and its value with what is behind it.
struct Pair<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

/// The keys of a map, with their heads, and where their values begin.
#[derive(Clone, Copy)]
struct Pairs<'a> {
    at: Cursor<'a>,
    left: u32,
}

impl<'a> Pairs<'a> {
    /// Those of the map at the cursor; `None` if there is none.
    fn of(mut at: Cursor<'a>) -> Result<Option<Self>, Broken> {
        Ok(match at.head()? {
            Head::Map(left) => Some(Self { at, left }),
            _ => None,
        })
    }

    fn next(&mut self) -> Result<Option<(&'a [u8], Cursor<'a>)>, Broken> {
        if self.left == 0 {
            return Ok(None);
        }
        let start = self.at.at();
        self.at.skip()?;
        let (key, value) = (self.at.since(start), self.at);
        // The last value of all is where the cursors' bytes may end.
        if self.left > 1 {
            self.at.skip()?;
        }
        self.left -= 1;
        Ok(Some((key, value)))
    }

    /// The keys that are left, each with what is behind it.
    fn all(mut self) -> Result<Vec<Pair<'a>>, Broken> {
        let mut pairs = Vec::new();
        while let Some((key, value)) = self.next()? {
            pairs.push(Pair { key, value: value.rest() });
        }
        Ok(pairs)
    }
}

#[cfg(test)]
#[path = "shifted_tests.rs"]
mod tests;
