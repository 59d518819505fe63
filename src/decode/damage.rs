//! The rule for damage: whether the head of a bad record is right, or the bytes up to other records
//! are a gap. `docs/design/damage.md` says what it promises.
//!
//! Objects are followed by their heads from a bad record on. Good records that they lead to, or that
//! lie in them, tell whether the heads are right. All of this follows from the bytes behind the bad
//! record, so neither threads nor blocks change it.

use super::fault::{Fault, expected_record};
use super::start::{Look, View, is_number, is_single, may_begin};
use super::{Decoder, Left};
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, OnError};
use crate::record::{Column, Content, Plan, RecordStart};
use crate::reject::RejectKind;
use crate::text;

/// How far behind a bad record good ones are looked for. Records with long vectors get more.
const WINDOW: usize = 128 << 10;
/// Bytes that may be looked at for each byte that is passed, and how many more before that counts.
const COST: u64 = 16;
const FREE: u64 = 32 << 20;

/// Facts about the bytes ahead of a decoder.
#[derive(Debug, Clone)]
pub(super) struct Damage {
    window: usize,
    /// The longest object that is read to its end.
    longest: u64,
    /// The bytes end where another decoder goes on, not with the input.
    pub(super) is_part: bool,
    /// The heads of objects that begin before this offset are right.
    pub(super) right: u64,
    /// Where the search goes on: no run of good records begins before this offset, from the last bad record
    /// on, but for those from `found` on.
    pub(super) searched: u64,
    /// The first run of good records behind the bad record at hand. It lies in an object that neither ends
    /// with one of them nor inside of one.
    found: Option<u64>,
    /// Bytes that were looked at and not paid for by bytes passed, as of the offset `paid`.
    debt: u64,
    paid: u64,
}

/// How an object holds a good record.
#[derive(PartialEq)]
enum Holder {
    /// As a key, or among the numbers of a vector.
    Misplaces,
    /// Bytes, text or an extension begin with it.
    Payload,
}

impl Damage {
    /// `None` where good records look like any other bytes, or errors end the scan.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        if plan.options.on_error == OnError::Raise
            || !matches!(plan.framing, Framing::Sequence | Framing::Array)
            || !plan.way.is_empty()
            || plan.columns.iter().all(|column| column.dim().is_none())
        {
            return None;
        }
        // An element takes nine bytes at the most, and there may be an id beside the vector.
        let elements: usize = plan.columns.iter().filter_map(Column::dim).sum();
        let most = usize::try_from(plan.options.max_record_bytes).unwrap_or(usize::MAX);
        let record = elements.saturating_mul(9).saturating_add(1 << 10).min(most);
        let window = WINDOW.max(record.saturating_mul(4));
        let longest = plan.options.max_record_bytes.max(window as u64);
        Some(Self { window, longest, is_part: false, right: 0, searched: 0, found: None, debt: 0, paid: 0 })
    }

    /// True if nothing that is remembered matters to a decoder that begins at `offset`.
    pub(super) fn is_over(&self, offset: u64) -> bool {
        self.right <= offset && self.searched <= offset && self.debt_at(offset) == 0
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
    /// The damage that begins with the bad record at the start of `view`; `None` if the record is an object, as its
    /// head says. The error is the number of bytes that are needed to tell.
    pub(super) fn find_damage(&mut self, view: View<'_>) -> Result<Option<Fault>, u64> {
        let start = self.position.offset;
        let Some(mut damage) = self.damage.take_if(|damage| damage.right <= start) else { return Ok(None) };
        damage.searched = damage.searched.max(start + 1);
        damage.pay(start);
        let mut found = Ok(None);
        if damage.debt > FREE {
            damage.right = start + 1;
        } else {
            self.looker.cost = 0;
            found = self.follow_heads(&mut damage, view);
            // Bytes that are looked at again because more are needed are not counted twice.
            if let Ok(fault) = &found {
                damage.debt += self.looker.cost;
                damage.found = damage.found.filter(|_| fault.is_some());
            }
        }
        self.damage = Some(damage);
        found
    }

    fn follow_heads(&mut self, damage: &mut Damage, view: View<'_>) -> Result<Option<Fault>, u64> {
        let (start, bytes) = (self.position.offset, view.bytes);
        let (mut at, mut left) = (0, self.position.left);
        loop {
            let object = self.end_of_object(damage, view, at)?;
            let end = object.unwrap_or(usize::MAX);
            let is_last = view.ended && end == bytes.len();
            // The first object is mostly a bad record between good ones.
            let is_right = at == 0
                && object.is_ok()
                && !is_container(bytes, at)
                && (is_last || self.goes_on(view, end, left.minus(1))?.is_some());
            let agrees = if is_right { Some(true) } else { self.agrees(damage, view, at, object)? };
            damage.right = match object {
                _ if agrees == Some(false) => return Ok(Some(self.wrong_head(damage, bytes, at))),
                // The heads in front of this object are right. It is the next bad record.
                Err(_) if damage.found.is_none() && at > 0 => start + at as u64,
                Err(Broken::Short(needed)) if damage.found.is_none() && needed > damage.longest => start + 1,
                Err(_) => return Ok(Some(self.wrong_head(damage, bytes, at))),
                Ok(_) if agrees.is_some() || is_last || end >= damage.window => start + end as u64,
                Ok(_) => {
                    // Objects of one byte never are good records.
                    let singles = count_singles(&bytes[end..bytes.len().min(damage.window)], left.minus(1));
                    (at, left) = (end + singles, left.minus(1 + singles as u64));
                    self.looker.cost += singles as u64;
                    let mut is_right = self.goes_on(view, at, left)?.is_some();
                    // Behind the last record of an array its successor's head stands between two objects.
                    if !is_right
                        && self.plan.framing == Framing::Array
                        && left == Left::Known(0)
                        && let Ok((Head::Array(items), size)) = Head::read(&bytes[at..])
                    {
                        (at, left) = (at + size, Left::Known(items.into()));
                        is_right = view.ended && at == bytes.len();
                    }
                    if !is_right {
                        continue;
                    }
                    start + at as u64
                }
            };
            return Ok(None);
        }
    }

    /// Where the object at `at` ends, or why it cannot be read.
    fn end_of_object(
        &mut self,
        damage: &Damage,
        view: View<'_>,
        at: usize,
    ) -> Result<Result<usize, Broken>, u64> {
        let (bytes, mut cursor) = (view.bytes, Cursor::starting_at(view.bytes, at));
        let skipped = cursor.skip();
        let end = match skipped {
            Ok(()) => cursor.at(),
            Err(Broken::Reserved(place)) => place,
            Err(Broken::Short(_)) => bytes.len(),
        };
        // The payload of one object is passed in one step.
        self.looker.cost += if is_container(bytes, at) { (end - at) as u64 } else { 1 };
        let is_too_long = |end: u64| end - at as u64 > damage.longest;
        match skipped {
            Ok(()) if is_too_long(end as u64) => Ok(Err(Broken::Short(end as u64))),
            Err(Broken::Short(needed)) if !view.ended && !is_too_long(needed) => {
                Err(needed.max((2 * bytes.len() as u64).min(self.plan.options.max_record_bytes)))
            }
            skipped => Ok(skipped.map(|()| end)),
        }
    }

    /// The fault of bytes in which the head at `at` is wrong, or one in front of it is none.
    fn wrong_head(&self, damage: &mut Damage, bytes: &[u8], at: usize) -> Fault {
        let start = self.position.offset;
        let found = damage.found.inspect(|found| damage.searched = *found);
        let object = describe_head(&bytes[at..]);
        let mut cursor = Cursor::new(found.map_or(bytes, |found| &bytes[..(found - start) as usize]));
        loop {
            match cursor.skip() {
                Ok(()) => {}
                Err(Broken::Reserved(place)) => return Fault::reserved_byte(start + place as u64),
                Err(Broken::Short(_)) if found.is_some() => {
                    let offset = start + at as u64;
                    let found = format!("{object} at byte {offset} that the records behind contradict");
                    return Fault::of_input(RejectKind::Invalid, expected_record(&self.plan), found);
                }
                Err(Broken::Short(least)) => {
                    let expected = format!("at least {}", text::bytes(least));
                    return Fault::of_input(RejectKind::Truncated, expected, object);
                }
            }
        }
    }

    /// Whether the object at `at` is what its head says, by the good records inside of it: they show that it
    /// is if it ends where one of them ends, and that it is not if it cannot be read, ends inside of one, or
    /// takes them for keys or numbers. `None` where they show neither.
    fn agrees(
        &mut self,
        damage: &mut Damage,
        view: View<'_>,
        at: usize,
        object: Result<usize, Broken>,
    ) -> Result<Option<bool>, u64> {
        let (start, bytes) = (self.position.offset, view.bytes);
        let end = object.unwrap_or(usize::MAX);
        while let Some(place) = self.search(damage, view, end.min(damage.window))? {
            damage.found.get_or_insert(start + place as u64);
            let holder = object.map_or(Some(Holder::Misplaces), |end| self.holder(bytes, (at, end), place));
            if holder == Some(Holder::Misplaces) {
                return Ok(Some(false));
            }
            let (plan, looker) = (&*self.plan, &mut self.looker);
            let is_start = |at: usize| plan.start.as_ref().is_none_or(|start| start.matches(&bytes[at..]));
            let (mut last, mut next) = (place, place);
            while next < end
                && (next == place || is_start(next))
                && let Some(after) = looker.look(plan, view, next)?
            {
                (last, next) = (next, after);
            }
            if next == end {
                return Ok(Some(true));
            }
            // Bytes that begin with a whole record may end inside of one: they hold packed records, the last of
            // them cut off. Otherwise another good record behind it shows that it is one. A part of an input was
            // cut in front of one.
            if next > end
                && (last == place || holder != Some(Holder::Payload))
                && (view.ended && next == bytes.len()
                    || looker.look(plan, view, next)?.is_some() && is_start(next))
            {
                return Ok(Some(false));
            }
            damage.searched = damage.searched.max(start + end.min(next + 1) as u64);
        }
        Ok(None)
    }

    /// How the object at `at..end` holds the good record at `place`, if it does in one of these ways. Not too much
    /// is looked at.
    fn holder(&mut self, bytes: &[u8], (at, end): (usize, usize), place: usize) -> Option<Holder> {
        let (plan, looker) = (&*self.plan, &mut self.looker);
        let most = FREE + COST * (end - at) as u64;
        let mut cursor = Cursor::starting_at(bytes, at);
        loop {
            let is_record = cursor.at() == at;
            let (items, is_map) = match cursor.head().ok()? {
                Head::Array(items) => (items, false),
                Head::Map(pairs) => (pairs, true),
                _ => return (cursor.at() == place).then_some(Holder::Payload),
            };
            // A list of as many items as a vector has elements that begins with a number is a vector.
            let may_be_vector = match plan.content {
                Content::Vector(_) => plan.start.as_ref().is_none_or(RecordStart::is_array),
                Content::Items(_) => !is_record,
            };
            let is_dim = |column: &Column| column.dim().is_some_and(|dim| dim == items as usize);
            if !is_map
                && may_be_vector
                && cursor.at() < place
                && plan.columns.iter().any(is_dim)
                && cursor.peek().is_ok_and(|item| is_number(item) && !matches!(item, Head::Bool(_)))
            {
                return Some(Holder::Misplaces);
            }
            let mut around = None;
            for _ in 0..items {
                if is_map {
                    let key = cursor.at();
                    let is_container = matches!(cursor.peek(), Ok(Head::Array(_) | Head::Map(_)));
                    let is_start = plan.start.as_ref().is_none_or(|start| start.matches(&bytes[key..]));
                    let view = View { bytes, ended: true };
                    if is_record && is_container || is_start && looker.look(plan, view, key) != Ok(None) {
                        return Some(Holder::Misplaces);
                    }
                    cursor.skip().ok()?;
                }
                let value = cursor.at();
                cursor.skip().ok()?;
                looker.cost += (cursor.at() - value) as u64;
                if looker.cost > most {
                    return None;
                }
                if value < place && place < cursor.at() {
                    around = Some(value);
                    // Behind a value of a map, keys may be misplaced as well.
                    if !is_map {
                        break;
                    }
                }
            }
            cursor = Cursor::starting_at(bytes, around?);
        }
    }

    /// The first run of good records that begins in front of `until`. Goes on where the search before
    /// ended.
    fn search(&mut self, damage: &mut Damage, view: View<'_>, until: usize) -> Look {
        let (plan, base, bytes) = (&*self.plan, self.position.offset, view.bytes);
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
                return Ok(None);
            }
            let Some(place) = candidate(plan, bytes, from, until) else {
                if !view.ended && bytes.len() < until + width - 1 {
                    let seen = (bytes.len() + 1).saturating_sub(width).max(from);
                    damage.searched = base + seen as u64;
                    return Err((until + width) as u64);
                }
                damage.searched = base + until.max(from) as u64;
                return Ok(None);
            };
            damage.searched = base + place as u64;
            let end = bytes.len().min(place + damage.window);
            let ends = view.ended && !damage.is_part && end == bytes.len();
            let cost = self.looker.cost;
            let run = self.looker.look_for_run(plan, View { bytes: &bytes[..end], ended: ends }, place);
            let cost = std::mem::replace(&mut self.looker.cost, cost).abs_diff(cost);
            match run {
                Ok(Some(_)) => return Ok(Some(place)),
                Err(_) if !view.ended && bytes.len() < place + damage.window => {
                    return Err((place + damage.window) as u64);
                }
                _ => {
                    damage.debt += cost;
                    damage.searched += 1;
                }
            }
        }
    }

    /// Goes on with the search for good records behind bytes that cannot be read, which are left out
    /// once it has found some.
    pub(super) fn find_next(&mut self, view: View<'_>) -> crate::error::Result<usize> {
        let Some(mut damage) = self.damage.take() else { return Ok(0) };
        let base = self.position.offset;
        damage.searched = damage.searched.max(base);
        let found = match damage.found.take() {
            Some(found) => Ok(Some((found - base) as usize)),
            None => self.search(&mut damage, view, view.bytes.len()),
        };
        let seen = ((damage.searched - base) as usize).min(view.bytes.len());
        let window = damage.window;
        self.damage = Some(damage);
        match found {
            Ok(Some(place)) => self.close_gap(place),
            Err(_) if seen == 0 => Ok(self.ask(2 * window as u64)),
            _ => Ok(seen),
        }
    }
}

/// True where objects follow that belong to the one at `at`.
fn is_container(bytes: &[u8], at: usize) -> bool {
    matches!(Head::read(&bytes[at..]), Ok((head, _)) if head.children() > 0)
}

fn describe_head(bytes: &[u8]) -> String {
    Head::read(bytes).map_or_else(|_| "a part of a head".to_owned(), |(head, _)| head.to_string())
}

/// How many objects of one byte stand at the start of `bytes`, the last one of the bytes or of the array left out.
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
