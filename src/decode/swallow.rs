//! Whether an object that has good records inside of it is what it says, or swallows them.

use super::Decoder;
use super::chain::{Chain, LONG, has_odd_text};
use super::salvage::LOOK;
use crate::msgpack::{Broken, Cursor, Head, HeadError};
use crate::record::{Content, can_be_behind, is_for_key, same_fields};

/// The longest object of which the end is looked at.
pub(super) const FOLLOWED: usize = 4 << 20;
/// In containers of more items they are all of one kind.
const MIXED: u64 = 16;
/// The same behind what looks like noise.
const FEW: u64 = 4;

/// Of fewer numbers, anything may be a list.
const SHORTEST: u32 = 4;

/// So many objects in a record may be what is left of another one, in front of those that it took.
const LEFT_OVER: usize = 8;

/// What an object is that has good records inside of it.
pub(super) enum Swallowed {
    Damage,
    /// It is what it says, and where it ends, if that is known.
    Sound(Option<usize>),
    /// So many bytes will tell.
    Unknown(usize),
}

/// What can be seen of an object that holds good records.
pub(super) struct View {
    /// Whether the input ends behind the bytes at hand.
    pub(super) ended: bool,
    /// Whether what is in front of it looks like noise.
    pub(super) is_astray: bool,
    /// False where it has no end.
    pub(super) is_whole: bool,
}

impl Decoder {
    /// What it means that the object at the start of `bytes` has the `chain`, at `place`, inside of it.
    pub(super) fn swallows(&mut self, bytes: &[u8], place: usize, view: View, chain: Chain) -> Swallowed {
        let View { ended, is_astray, is_whole } = view;
        let Ok((head, size)) = Head::read(bytes) else { return Swallowed::Damage };
        if head.children() == 0 {
            // Its head tells where it ends, which by chance is not where a good record begins.
            let end = usize::try_from(head.payload()).unwrap_or(usize::MAX).saturating_add(size);
            let needed = end.saturating_add(self.look.unwrap_or(LOOK));
            // Behind noise only what begins with them: that is no chance.
            if end > FOLLOWED || is_astray && place != size {
                return Swallowed::Damage;
            }
            if bytes.len() < needed && !ended {
                return Swallowed::Unknown(needed);
            }
            let is_odd =
                matches!(head, Head::Str(_)) && has_odd_text(&self.plan, bytes.get(..end).unwrap_or(bytes));
            let follows = bytes.get(end..).filter(|_| place == size || !is_odd).is_some_and(|behind| {
                self.is_good(behind, ended) || place == size && self.is_another(bytes, behind, ended)
            });
            return if follows { Swallowed::Sound(Some(end)) } else { Swallowed::Damage };
        }
        if self.is_in_vector(bytes, place) || self.is_in_key(bytes, place, chain, ended) {
            return Swallowed::Damage;
        }
        // As long as one of them: its head says too much.
        if chain.stride == Some(place as u64) || is_like_next(&bytes[..place], &bytes[place..], chain.items) {
            return Swallowed::Damage;
        }
        if place == size {
            return self.begins_with(chain, bytes, ended, is_astray);
        }
        // A record with the fields of others is told by these.
        let has_keys = !self.is_vectors() && matches!(head, Head::Map(_));
        if !has_keys && !is_written(bytes, place, if is_astray { FEW } else { MIXED }, chain.length) {
            return Swallowed::Damage;
        }
        // An object takes a byte at the least.
        let most = usize::try_from(self.trust()).map_or(FOLLOWED, |trusted| trusted.min(FOLLOWED));
        if !is_whole || head.children() > most as u64 {
            return Swallowed::Damage;
        }
        let view = &bytes[..bytes.len().min(most)];
        let mut cursor = Cursor::new(view);
        let skipped = cursor.skip();
        self.looked += cursor.at() as u64;
        match skipped {
            Ok(()) => {
                let (end, needed) = (cursor.at(), cursor.at() + self.look.unwrap_or(LOOK));
                let behind = &bytes[end..];
                if bytes.len() < needed && !ended {
                    Swallowed::Unknown(needed)
                } else if !self.is_vectors() && !is_own(&bytes[..end], place, behind) {
                    Swallowed::Damage
                } else if self.is_good(behind, ended) || is_alike(bytes, behind) {
                    Swallowed::Sound(Some(end))
                } else {
                    self.lie()
                }
            }
            Err(Broken::Short(_)) if view.len() < most && !ended => {
                Swallowed::Unknown((2 * view.len()).min(most))
            }
            Err(_) => self.lie(),
        }
    }

    /// What it means that the list at the start of `bytes` begins with the `chain`. It is one if it ends soon; anybody's head in front of
    /// records makes one of them, but hardly one that ends.
    fn begins_with(&mut self, chain: Chain, bytes: &[u8], ended: bool, is_astray: bool) -> Swallowed {
        let Ok((head, _)) = Head::read(bytes) else { return Swallowed::Damage };
        let claim = head.children().saturating_mul(chain.length);
        if claim > self.trust().min(FOLLOWED as u64) {
            return Swallowed::Damage;
        }
        let view = &bytes[..bytes.len().min(FOLLOWED)];
        let mut cursor = Cursor::new(view);
        let skipped = cursor.skip();
        self.looked += cursor.at() as u64;
        match skipped {
            Ok(()) if !is_astray => Swallowed::Sound(Some(cursor.at())),
            Ok(()) => {
                let needed = cursor.at() + self.look.unwrap_or(LOOK);
                match &bytes[cursor.at()..] {
                    behind if behind.len() < needed - cursor.at() && !ended => Swallowed::Unknown(needed),
                    // Behind noise, only a list that no good record follows: lists come in rows.
                    behind if !self.is_good(behind, ended) => Swallowed::Sound(Some(cursor.at())),
                    _ => self.lie(),
                }
            }
            Err(Broken::Short(_)) if view.len() < FOLLOWED && !ended => {
                Swallowed::Unknown((2 * view.len()).max(claim as usize).min(FOLLOWED))
            }
            Err(_) => self.lie(),
        }
    }

    /// True where one of the first two good records at `place` is a key of the map that it is in, or of one around that: nobody's keys are
    /// vectors or records.
    fn is_in_key(&mut self, bytes: &[u8], place: usize, chain: Chain, ended: bool) -> bool {
        // Short bytes may be a name.
        if chain.length < LONG as u64 {
            return false;
        }
        let next = place + chain.length as usize;
        is_for_key(bytes, place)
            || is_for_key(bytes, next) && bytes.get(next..).is_some_and(|next| self.is_good(next, ended))
    }

    /// True where the records at `place` are inside of a list of numbers that has as many items as a vector: one of them is damaged, and
    /// takes for its own what is behind.
    fn is_in_vector(&self, bytes: &[u8], place: usize) -> bool {
        let is_dim = |&items: &u32| {
            items >= SHORTEST && self.plan.columns.iter().any(|column| column.dim() == Some(items as usize))
        };
        // What is left of each container, how many items it has if a vector has as many, and whether numbers were among them.
        let mut open: Vec<(u64, u32, bool)> = Vec::new();
        let mut at = 0;
        while let Some(Ok((head, size))) = bytes.get(at..).map(Head::read) {
            while open.pop_if(|(left, ..)| *left == 0).is_some() {}
            let payload = usize::try_from(head.payload()).unwrap_or(usize::MAX);
            let end = at.saturating_add(size).saturating_add(payload);
            if end > place {
                // The records of a list are its items, and no numbers are among them.
                let within = if at == place { open.len().saturating_sub(1) } else { open.len() };
                return open.iter().enumerate().any(|(index, &(_, items, has_numbers))| {
                    items > 0 && (has_numbers || index < within && u64::from(items) > MIXED)
                });
            }
            if let Some((left, _, has_numbers)) = open.last_mut() {
                *left -= 1;
                *has_numbers |=
                    matches!(head, Head::Float32(_) | Head::Float64(_) | Head::UInt(_) | Head::Int(_));
            }
            if head.children() > 0 {
                let items = if let Head::Array(items) = head { Some(items).filter(is_dim) } else { None };
                open.push((head.children(), items.unwrap_or(0), false));
            }
            at = end;
        }
        false
    }

    /// What is behind a container's head contradicts it, and to find that out took a while.
    fn lie(&mut self) -> Swallowed {
        self.lied = Some(self.position.offset);
        Swallowed::Damage
    }

    /// Whether `behind` bytes or text that begin with good records others follow that do.
    fn is_another(&mut self, bytes: &[u8], behind: &[u8], ended: bool) -> bool {
        let begin = Head::read(behind).map_or(0, |(_, size)| size);
        is_alike(bytes, behind) && behind.len() > begin && self.is_good(&behind[begin..], ended)
    }

    /// Whether the records are vectors and nothing else.
    pub(super) fn is_vectors(&self) -> bool {
        matches!(self.plan.content, Content::Vector(_))
    }
}

/// Whether a bad record has the good one at `place` for its own: it is like the one behind it, or begins like the good one if it is the
/// last of all, and that in it is not.
pub(super) fn is_own(record: &[u8], place: usize, behind: &[u8]) -> bool {
    let (like, fields) = if behind.is_empty() { (&record[place..], 0) } else { (behind, place) };
    if !same_fields(record, like, fields).is_ok_and(|same| same > 0) {
        return false;
    }
    // What is left of a record that was cut off may be a good one by chance, in front of whole ones.
    let mut cursor = Cursor::starting_at(record, place);
    for _ in 0..LEFT_OVER {
        if can_be_behind(record, cursor.at()) {
            return false;
        }
        if cursor.skip().is_err() || cursor.rest().is_empty() {
            break;
        }
    }
    true
}

/// Where the object at the start of `bytes` ends, or what is in it up to `to`; `None` where that is what nobody writes: text that
/// is no text, or 0xc1. Noise soon is.
pub(super) fn tidy(bytes: &[u8], to: usize) -> Option<usize> {
    let (mut at, mut left) = (0, 1);
    while at < to && left > 0 {
        let (head, size) = match Head::read(&bytes[at..]) {
            Ok(read) => read,
            Err(HeadError::Reserved) => return None,
            Err(HeadError::Incomplete) => break,
        };
        let start = at + size;
        at = usize::try_from(head.payload()).map_or(usize::MAX, |payload| start.saturating_add(payload));
        left = left - 1 + head.children();
        if matches!(head, Head::Str(_)) && at <= to && std::str::from_utf8(&bytes[start..at]).is_err() {
            return None;
        }
    }
    Some(at)
}

/// True where somebody wrote what the container at the start of `bytes` holds, as far as `to`, where one of its objects begins,
/// of `length` bytes: text is text, containers of more than `mixed` items are of one kind, and what these objects are in is not
/// without end. The inside of vectors hardly ever looks like that.
fn is_written(bytes: &[u8], to: usize, mixed: u64, length: u64) -> bool {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < to {
        let Ok((head, size)) = Head::read(&bytes[at..]) else { return false };
        let start = at + size;
        at = usize::try_from(head.payload()).map_or(usize::MAX, |payload| start.saturating_add(payload));
        if matches!(head, Head::Str(_)) && at <= to && std::str::from_utf8(&bytes[start..at]).is_err() {
            return false;
        }
        if !open.last_mut().is_none_or(|open| open.takes(head)) {
            return false;
        }
        if head.children() > 0 {
            let is_map = matches!(head, Head::Map(_));
            let (items, is_mixed) = (head.children(), head.children() <= mixed);
            open.push(Open { is_map, is_mixed, left: items, kinds: [None; 2] });
        }
        while open.pop_if(|open| open.left == 0).is_some() {}
        if open.is_empty() {
            return false;
        }
    }
    let Ok((head, _)) = Head::read(&bytes[to..]) else { return false };
    let ends_soon = |open: &Open| open.left.saturating_mul(length) <= FOLLOWED as u64;
    at == to && open.last_mut().is_some_and(|open| ends_soon(open) && open.takes(head))
}

/// A container some of whose items have been seen.
struct Open {
    is_map: bool,
    /// Its items may be of any kind.
    is_mixed: bool,
    left: u64,
    /// The kind of its items, or of its keys and its values.
    kinds: [Option<Kind>; 2],
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Str,
    Bin,
    Array,
    Map,
    Ext,
}

impl Kind {
    fn of(head: Head) -> Self {
        match head {
            Head::Str(_) => Self::Str,
            Head::Bin(_) => Self::Bin,
            Head::Array(_) => Self::Array,
            Head::Map(_) => Self::Map,
            Head::Ext(..) => Self::Ext,
            _ => Self::Number,
        }
    }
}

/// Whether another object of the kind of the one at the start of `bytes` begins `behind` it: such come in rows.
fn is_alike(bytes: &[u8], behind: &[u8]) -> bool {
    let kind = |bytes| Head::read(bytes).ok().map(|(head, _)| Kind::of(head));
    kind(behind).is_some_and(|kind_behind| kind(bytes) == Some(kind_behind))
}

impl Open {
    /// Whether it has an item that begins so.
    fn takes(&mut self, head: Head) -> bool {
        let kind = Kind::of(head);
        let known = &mut self.kinds[usize::from(self.is_map && self.left % 2 == 1)];
        self.left -= 1;
        self.is_mixed || *known.get_or_insert(kind) == kind
    }
}

/// True where the bytes of `record` would be one if it had as many items as the next one, which is of the same kind.
fn is_like_next(record: &[u8], next: &[u8], items: u32) -> bool {
    let mut cursor = Cursor::new(record);
    let same = matches!(
        (cursor.head(), Cursor::new(next).head()),
        (Ok(Head::Map(_)), Ok(Head::Map(_))) | (Ok(Head::Array(_)), Ok(Head::Array(_)))
    );
    same && (0..items).all(|_| cursor.skip().is_ok()) && cursor.rest().is_empty()
}
