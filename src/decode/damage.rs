//! The rule for damage: whether the head of a bad record is right, or the bytes up to other records
//! are a gap. `docs/design/damage.md` says what it promises.
//!
//! Objects are followed by their heads from a bad record on. The heads are right if they lead to a
//! good record, to the end of the input, or around good records in an object that ends where one of
//! them ends. The heads are wrong if an object ends inside of a good record, takes records for keys
//! or for numbers, or cannot be read to its end. Then the bytes up to the first of the good records
//! are a gap. An object around good records that ends behind them, and not in one, tells neither.
//!
//! All of this follows from the bytes behind the bad record, so neither threads nor blocks change it.

use super::start::{Place, is_single, may_begin};
use super::{Decoder, Left};
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, OnError};
use crate::record::{Column, Content, Plan};

/// How far behind a bad record good ones are looked for. Records with long vectors get more.
const WINDOW: usize = 128 << 10;
/// Bytes that may be looked at for each byte that is passed, and how many more before that counts.
const COST: u64 = 16;
const FREE: u64 = 32 << 20;

/// Facts about the bytes ahead of a decoder.
#[derive(Debug)]
pub(super) struct Damage {
    window: usize,
    /// The bytes end where another decoder goes on, not with the input.
    is_part: bool,
    /// The heads of objects that begin before this offset are right.
    right: u64,
    /// Where the search goes on: no run of good records begins before this offset, from the last bad record
    /// on, but for those from `found` on.
    searched: u64,
    /// The first run of good records behind the bad record at hand. It lies in an object that neither ends
    /// with one of them nor inside of one.
    found: Option<u64>,
    /// Bytes that were looked at and not paid for by bytes passed, as of the offset `paid`.
    debt: u64,
    paid: u64,
}

/// The meaning of a bad record.
#[derive(Debug)]
pub(super) enum Verdict {
    /// At least this many bytes are needed to tell.
    More(usize),
    /// An object, as its head says. Good records or the end of the input are where the heads lead.
    Right,
    /// An object, as far as is known: no good records are near.
    Alone,
    /// Damage, up to the good record at `end`. The head of the object at `at` is wrong.
    Gap { end: usize, at: usize },
    /// Damage, and no good record is near.
    Lost,
}

/// The result of a search.
enum Search {
    Found(usize),
    Nothing,
    More(usize),
}

/// Whether an object is what its head says, given good records inside of it.
enum Agrees {
    /// It ends where one of them ends.
    Yes,
    /// It ends inside of one of them, or takes them for keys or numbers.
    No,
    /// The records end before the object does: others may begin at this place.
    Open(usize),
    /// At least this many bytes are needed to tell.
    More(usize),
}

/// How an object holds a good record.
enum Holder {
    /// As a key, or among the numbers of a vector.
    Misplaces,
    /// Bytes, text or an extension begin with it.
    Payload,
    Other,
}

impl Damage {
    /// `None` where good records look like any other bytes, or errors end the scan.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        if plan.on_error == OnError::Raise
            || !matches!(plan.framing, Framing::Sequence | Framing::Array)
            || !plan.way.is_empty()
            || plan.columns.iter().all(|column| column.dim().is_none())
        {
            return None;
        }
        // An element takes nine bytes at the most, and there may be an id beside the vector.
        let elements: usize = plan.columns.iter().filter_map(Column::dim).sum();
        let most = usize::try_from(plan.max_record_bytes).unwrap_or(usize::MAX);
        let record = elements.saturating_mul(9).saturating_add(1 << 10).min(most);
        let window = WINDOW.max(record.saturating_mul(4));
        Some(Self { window, is_part: false, right: 0, searched: 0, found: None, debt: 0, paid: 0 })
    }

    pub(super) fn in_part(self) -> Self {
        Self { is_part: true, ..self }
    }

    /// True if nothing that is remembered matters to a decoder that begins at `offset`.
    pub(super) fn is_over(&self, offset: u64) -> bool {
        self.right <= offset && self.searched <= offset && self.debt_at(offset) == 0
    }

    /// True if the object at `offset` is known to be what its head says.
    pub(super) fn is_right(&self, offset: u64) -> bool {
        offset < self.right
    }

    /// Notes that the heads are right up to `offset`.
    pub(super) fn set_right(&mut self, offset: u64) {
        self.right = offset;
    }

    /// Notes that no run of good records begins before `offset`.
    pub(super) fn set_searched(&mut self, offset: u64) {
        self.searched = self.searched.max(offset);
    }

    /// The bytes from `start` up to the records that were found, which the object at `at` contradicts.
    fn gap(&mut self, start: u64, at: usize) -> Verdict {
        self.searched = self.found.unwrap_or(self.searched);
        Verdict::Gap { end: (self.searched - start) as usize, at }
    }

    pub(super) fn right(&self) -> u64 {
        self.right
    }

    /// Bytes that a search may need at once.
    pub(super) fn needed(&self) -> usize {
        2 * self.window
    }

    fn debt_at(&self, offset: u64) -> u64 {
        self.debt.saturating_sub(COST.saturating_mul(offset.saturating_sub(self.paid)))
    }

    fn pay(&mut self, offset: u64) {
        self.debt = self.debt_at(offset);
        self.paid = self.paid.max(offset);
    }
}

impl Decoder {
    /// Classifies the bad record at the start of `bytes`.
    pub(super) fn classify(&mut self, bytes: &[u8], ended: bool) -> Verdict {
        let Some(mut damage) = self.damage.take() else { return Verdict::Alone };
        let start = self.position.offset;
        damage.set_searched(start + 1);
        damage.pay(start);
        let verdict = if damage.is_right(start) {
            Verdict::Right
        } else if damage.debt > FREE {
            damage.set_right(start + 1);
            Verdict::Alone
        } else {
            let mut cost = 0;
            let verdict = self.follow_heads(&mut damage, bytes, ended, &mut cost);
            // Bytes that are looked at again because more are needed are not counted twice.
            if !matches!(verdict, Verdict::More(_)) {
                damage.debt += cost;
                damage.found = None;
            }
            verdict
        };
        self.damage = Some(damage);
        verdict
    }

    fn follow_heads(&mut self, damage: &mut Damage, bytes: &[u8], ended: bool, cost: &mut u64) -> Verdict {
        let start = self.position.offset;
        let (mut at, mut left) = (0, self.position.left);
        loop {
            let object = self.end_of_object(bytes, at, (ended, damage.window), cost);
            let end = match object {
                Ok(end) => end,
                Err(Broken::Short(needed)) if !self.is_too_long(needed, at, damage.window) && !ended => {
                    return Verdict::More(needed as usize);
                }
                Err(_) => usize::MAX,
            };
            let is_container = matches!(Head::read(&bytes[at..]), Ok((head, _)) if head.children() > 0);
            let next_left = left.minus(1);
            let is_last = ended && end == bytes.len();
            // The first object is mostly a bad record between good ones.
            if at == 0 && end < usize::MAX && !is_container {
                match if is_last { Place::Good(end) } else { self.goes_on(bytes, end, next_left, cost) } {
                    Place::Good(_) => {
                        damage.set_right(start + end as u64);
                        return Verdict::Right;
                    }
                    Place::Short(needed) if !ended => return Verdict::More(needed as usize),
                    _ => {}
                }
            }
            // The runs of good records inside of the object.
            loop {
                let place = match self.search(damage, bytes, ended, end.min(damage.window)) {
                    Search::Found(place) => place,
                    Search::More(needed) => return Verdict::More(needed),
                    Search::Nothing => break,
                };
                damage.found.get_or_insert(start + place as u64);
                let agrees = match object {
                    Ok(end) => self.agrees(bytes, (at, end), place, ended, cost),
                    Err(_) => Agrees::No,
                };
                match agrees {
                    Agrees::Yes => {
                        damage.set_right(start + end as u64);
                        return Verdict::Right;
                    }
                    Agrees::No => return damage.gap(start, at),
                    Agrees::More(needed) => return Verdict::More(needed),
                    Agrees::Open(next) => damage.set_searched(start + next as u64),
                }
            }
            match object {
                Err(_) if damage.found.is_some() => return damage.gap(start, at),
                // The heads in front of this object are right. It is the next bad record.
                Err(_) if at > 0 => {
                    damage.set_right(start + at as u64);
                    return Verdict::Alone;
                }
                Err(Broken::Short(needed)) if self.is_too_long(needed, at, damage.window) => {
                    damage.set_right(start + 1);
                    return Verdict::Alone;
                }
                Err(_) => return Verdict::Lost,
                Ok(_) => {}
            }
            let is_far = end >= damage.window;
            if is_last || is_far {
                damage.set_right(start + end as u64);
                return if is_last { Verdict::Right } else { Verdict::Alone };
            }
            (at, left) = (end, next_left);
            let singles = count_singles(&bytes[at..bytes.len().min(damage.window)], left);
            (at, left) = (at + singles, left.minus(singles as u64));
            *cost += singles as u64;
            match self.goes_on(bytes, at, left, cost) {
                Place::Good(_) => {
                    damage.set_right(start + at as u64);
                    return Verdict::Right;
                }
                Place::Short(needed) if !ended => return Verdict::More(needed as usize),
                _ => {}
            }
            // Behind the last record of an array its successor's head stands between two objects.
            if self.plan.framing == Framing::Array
                && left == Left::Known(0)
                && let Ok((Head::Array(items), size)) = Head::read(&bytes[at..])
            {
                (at, left) = (at + size, Left::Known(items.into()));
                if at == bytes.len() && ended {
                    damage.set_right(start + at as u64);
                    return Verdict::Right;
                }
            }
        }
    }

    /// True for an object that is not read to its end: it is longer than a record may be, and than the
    /// window.
    fn is_too_long(&self, needed: u64, at: usize, window: usize) -> bool {
        needed.saturating_sub(at as u64) > self.plan.max_record_bytes.max(window as u64)
    }

    /// Where the object at `at` ends.
    fn end_of_object(
        &self,
        bytes: &[u8],
        at: usize,
        (ended, window): (bool, usize),
        cost: &mut u64,
    ) -> Result<usize, Broken> {
        let mut cursor = Cursor::starting_at(bytes, at);
        let children = match Head::read(&bytes[at..]) {
            Ok((head, size)) => {
                let least = (at + size) as u64 + head.payload() + head.children();
                if self.is_too_long(least, at, window) {
                    *cost += 1;
                    return Err(Broken::Short(least));
                }
                head.children()
            }
            Err(_) => 0,
        };
        let skipped = cursor.skip();
        let passed = match skipped {
            // The payload of one object is passed in one step.
            _ if children == 0 => 1,
            Ok(()) => cursor.at() - at,
            Err(Broken::Reserved(place)) => place - at,
            Err(Broken::Short(_)) => bytes.len() - at,
        };
        *cost += passed as u64;
        match skipped {
            Ok(()) if self.is_too_long(cursor.at() as u64, at, window) => {
                Err(Broken::Short(cursor.at() as u64))
            }
            Ok(()) => Ok(cursor.at()),
            Err(Broken::Short(needed)) if !ended && needed < 2 * bytes.len() as u64 => {
                Err(Broken::Short(needed.max((2 * bytes.len() as u64).min(self.plan.max_record_bytes))))
            }
            Err(broken) => Err(broken),
        }
    }

    /// Whether the object at `at..end` is what its head says, given the good records from `place` on,
    /// which is inside of it.
    fn agrees(
        &mut self,
        bytes: &[u8],
        (at, end): (usize, usize),
        place: usize,
        ended: bool,
        cost: &mut u64,
    ) -> Agrees {
        let most = FREE + COST * (end - at) as u64;
        let holder = self.holder(bytes, at, place, cost, most);
        if matches!(holder, Holder::Misplaces) {
            return Agrees::No;
        }
        let (plan, columns) = (&*self.plan, &mut self.looker);
        let is_start = |at: usize| plan.start.as_ref().is_none_or(|start| start.matches(&bytes[at..]));
        let (mut last, mut next) = (place, place);
        while next < end && (next == place || is_start(next)) {
            match columns.look(plan, bytes, next, cost) {
                Place::Good(end) => (last, next) = (next, end),
                Place::Short(needed) if !ended => return Agrees::More(needed as usize),
                _ => break,
            }
        }
        if next < end {
            return Agrees::Open(next + 1);
        }
        if next == end {
            return Agrees::Yes;
        }
        // The object ends inside of a record. Bytes that begin with a whole one may end so: they hold packed
        // records, the last of them cut off.
        if last > place && matches!(holder, Holder::Payload) {
            return Agrees::Open(end);
        }
        // Another good record behind it shows that it is one. A part of an input was cut in front of one.
        if next == bytes.len() && ended {
            return Agrees::No;
        }
        match columns.look(plan, bytes, next, cost) {
            Place::Good(_) if is_start(next) => Agrees::No,
            Place::Short(needed) if !ended => Agrees::More(needed as usize),
            _ => Agrees::Open(end),
        }
    }

    /// How the object at `at` holds the good record at `place`, as far as `cost` does not exceed `most`.
    fn holder(&mut self, bytes: &[u8], at: usize, place: usize, cost: &mut u64, most: u64) -> Holder {
        let (plan, columns) = (&*self.plan, &mut self.looker);
        let mut cursor = Cursor::starting_at(bytes, at);
        let mut is_record = true;
        loop {
            let (items, is_map) = match cursor.head() {
                Ok(Head::Array(items)) => (items, false),
                Ok(Head::Map(pairs)) => (pairs, true),
                Ok(_) if cursor.at() == place => return Holder::Payload,
                _ => return Holder::Other,
            };
            // A list of as many items as a vector has elements that begins with a number is a vector.
            let may_be_vector = !is_record || matches!(plan.content, Content::Vector(_));
            let is_dim = |column: &Column| column.dim().is_some_and(|dim| dim == items as usize);
            if !is_map
                && may_be_vector
                && cursor.at() < place
                && plan.columns.iter().any(is_dim)
                && cursor.peek().is_ok_and(super::start::is_number)
            {
                return Holder::Misplaces;
            }
            let mut around = None;
            for _ in 0..items {
                if is_map {
                    let is_container = matches!(cursor.peek(), Ok(Head::Array(_) | Head::Map(_)));
                    let key = cursor.at();
                    let is_start = plan.start.as_ref().is_none_or(|start| start.matches(&bytes[key..]));
                    let is_key_record =
                        is_start && matches!(columns.look(plan, bytes, key, cost), Place::Good(_));
                    if is_record && is_container || is_key_record {
                        return Holder::Misplaces;
                    }
                    if cursor.skip().is_err() {
                        return Holder::Other;
                    }
                }
                let value = cursor.at();
                if cursor.skip().is_err() || *cost > most {
                    return Holder::Other;
                }
                *cost += (cursor.at() - value) as u64;
                if value < place && place < cursor.at() {
                    around = Some(value);
                    if !is_map {
                        break;
                    }
                }
            }
            let Some(around) = around else { return Holder::Other };
            cursor = Cursor::starting_at(bytes, around);
            is_record = false;
        }
    }

    /// The first run of good records that begins in front of `until`. Goes on where the search
    /// before ended.
    fn search(&mut self, damage: &mut Damage, bytes: &[u8], ended: bool, until: usize) -> Search {
        let (plan, columns, base) = (&*self.plan, &mut self.looker, self.position.offset);
        let width = plan.start.as_ref().map_or(1, |start| start.len());
        loop {
            damage.pay(damage.searched);
            if damage.debt > FREE {
                // These bytes pass unseen.
                damage.searched += (damage.debt - FREE).div_ceil(COST);
                continue;
            }
            let from = (damage.searched - base) as usize;
            if from >= until {
                return Search::Nothing;
            }
            let Some(place) = candidate(plan, bytes, from, until) else {
                if !ended && bytes.len() < until + width - 1 {
                    let seen = (bytes.len() + 1).saturating_sub(width).max(from);
                    damage.searched = base + seen as u64;
                    return Search::More(until + width);
                }
                damage.searched = base + until.max(from) as u64;
                return Search::Nothing;
            };
            damage.searched = base + place as u64;
            let end = bytes.len().min(place + damage.window);
            let mut cost = 0;
            let ends = ended && !damage.is_part && end == bytes.len();
            match columns.look_for_run(plan, &bytes[..end], place, ends, &mut cost) {
                Place::Good(_) => return Search::Found(place),
                Place::Short(_) if !ended && end == bytes.len() && bytes.len() < place + damage.window => {
                    return Search::More(place + damage.window);
                }
                _ => {
                    damage.debt += cost;
                    damage.searched += 1;
                }
            }
        }
    }

    /// Goes on with the search for good records behind bytes that cannot be read, at the start of
    /// `bytes`. The place of the first one, or how many bytes hold none.
    pub(super) fn search_on(&mut self, bytes: &[u8], ended: bool) -> Result<usize, usize> {
        let Some(mut damage) = self.damage.take() else { return Err(bytes.len()) };
        let base = self.position.offset;
        damage.set_searched(base);
        let found = self.search(&mut damage, bytes, ended, bytes.len());
        let seen = ((damage.searched - base) as usize).min(bytes.len());
        let needed = damage.needed();
        self.damage = Some(damage);
        match found {
            Search::Found(place) => Ok(place),
            Search::Nothing => Err(seen),
            Search::More(_) => {
                if seen == 0 {
                    self.needed = needed;
                }
                Err(seen)
            }
        }
    }
}

/// How many objects of one byte stand at the start of `bytes`, the last one of the bytes or of the
/// array left out.
fn count_singles(bytes: &[u8], left: Left) -> usize {
    let most = if let Left::Known(left) = left { left.saturating_sub(1) } else { u64::MAX };
    let most = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len().saturating_sub(1));
    bytes[..most].iter().position(|&byte| !is_single(byte)).unwrap_or(most)
}

/// The first place in `from..until` at which a record may begin.
fn candidate(plan: &Plan, bytes: &[u8], from: usize, until: usize) -> Option<usize> {
    let width = plan.start.as_ref().map_or(1, |start| start.len());
    let view = bytes.get(from..bytes.len().min(until + width - 1))?;
    let place = match &plan.start {
        Some(start) => start.places(view).next(),
        None => view.iter().position(|&byte| may_begin(byte)),
    }?;
    Some(from + place).filter(|place| *place < until)
}
