//! The rule for damage: whether the head of a bad record is right, or the bytes up to other records
//! are a gap. `docs/design/damage.md` says what it promises.
//!
//! Objects are followed by their heads from a bad record on. Good records that they lead to, or that
//! lie in them, tell whether the heads are right. All of this follows from the bytes behind the bad
//! record, so neither threads nor blocks change it.

use super::fault::{Fault, expected_record};
use super::start::{Look, RUN, View, is_single, may_begin};
use super::{Decoder, Left};
use crate::msgpack::{Broken, Cursor, Head, HeadError};
use crate::options::{Framing, OnError};
use crate::record::{Column, Content, Plan, RecordStart};
use crate::reject::RejectKind;
use crate::text;
use crate::vector::Scalar;

/// How far behind a bad record good ones are looked for. Records with long vectors get more.
const WINDOW: usize = 128 << 10;
/// Bytes that may be looked at for each byte that is passed, and how many more before that counts.
const COST: u64 = 16;
const FREE: u64 = 32 << 20;

/// A bound for the time that damage takes: the debt is bytes that were looked at and not paid for by bytes passed, as of
/// the offset `paid`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    debt: u64,
    paid: u64,
}

impl Budget {
    pub(super) fn spend(&mut self, bytes: usize) {
        self.debt += bytes as u64;
    }

    pub(super) fn debt_at(&self, offset: u64) -> u64 {
        self.debt.saturating_sub(COST.saturating_mul(offset.saturating_sub(self.paid)))
    }

    /// How many bytes from `offset` on must pass unseen.
    pub(super) fn unseen_at(&mut self, offset: u64) -> u64 {
        *self = Self { debt: self.debt_at(offset), paid: self.paid.max(offset) };
        self.debt.saturating_sub(FREE).div_ceil(COST)
    }
}

/// How records are looked for behind damage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damage {
    pub(super) window: usize,
    /// The longest object that is read to its end.
    longest: u64,
    /// The heads of objects that begin before this offset are right.
    pub(super) right: u64,
}

/// Bytes that the heads of objects do not explain.
pub(super) struct Gap {
    pub(super) fault: Fault,
    /// Where the first run of good records in them begins. Without one, that many bytes hold none.
    pub(super) run: Result<usize, usize>,
}

/// The search for runs of good records inside of objects.
struct Search {
    /// Where it goes on.
    at: usize,
    /// The first run.
    found: Option<usize>,
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
        let start = plan.start.as_ref().map_or(0, RecordStart::len);
        let window = WINDOW.max(record.saturating_mul(4)).max(start);
        Some(Self { window, longest: plan.options.max_record_bytes.max(window as u64), right: 0 })
    }
}

impl Decoder {
    /// For how many bytes from the bad record at the start of `view` on the heads are right, or the gap that begins
    /// there. The outer error is the number of bytes that are needed to tell.
    pub(super) fn follow_heads(
        &mut self,
        damage: &Damage,
        view: View<'_>,
    ) -> Result<Result<usize, Gap>, u64> {
        let bytes = view.bytes;
        let (mut at, mut left) = (0, self.position.left);
        let mut search = Search { at: 1, found: None };
        loop {
            left = left.minus(1);
            // Objects of one byte hold nothing, and mostly no record follows them.
            if is_single(bytes[at])
                && at + 1 < damage.window
                && left != Left::Known(0)
                && bytes.get(at + 1).is_some_and(|&next| !may_begin(next))
            {
                self.looker.budget.spend(1);
                at += 1;
                continue;
            }
            let object = self.end_of_object(damage, view, at)?;
            let is_container = matches!(Head::read(&bytes[at..]), Ok((head, _)) if head.children() > 0);
            // Any other object is mostly a bad record between good ones.
            if !is_container
                && let Ok(end) = object
                && let Some(next) = self.next_record(view, end, left)?
            {
                return Ok(Ok(next));
            }
            let agrees = self.agrees(damage, view, (at, object), &mut search)?;
            // Only now, so that a long object does not keep the records in it from being found.
            if is_container {
                let seen = match object {
                    Ok(end) | Err(Broken::Reserved(end)) => end,
                    Err(Broken::Short(_)) => bytes.len(),
                };
                self.looker.budget.spend(seen - at);
            }
            let end = match object {
                Ok(end) if agrees == Some(true) || agrees.is_none() && end >= damage.window => {
                    return Ok(Ok(end));
                }
                Ok(end) if agrees.is_none() => end,
                // The heads in front of this object are right. It is the next bad record.
                Err(_) if search.found.is_none() && at > 0 => return Ok(Ok(at)),
                Err(Broken::Short(needed)) if search.found.is_none() && needed > damage.longest => {
                    return Ok(Ok(1));
                }
                _ => return Ok(Err(self.gap(bytes, (at, object), &search))),
            };
            if is_container && let Some(next) = self.next_record(view, end, left)? {
                return Ok(Ok(next));
            }
            (at, left) = enter_array(bytes, end, left);
        }
    }

    /// Where the object at `at` ends, or why it cannot be read.
    fn end_of_object(
        &self,
        damage: &Damage,
        view: View<'_>,
        at: usize,
    ) -> Result<Result<usize, Broken>, u64> {
        let (length, mut cursor) = (view.bytes.len(), Cursor::starting_at(view.bytes, at));
        let is_too_long = |end: u64| end - at as u64 > damage.longest;
        match cursor.skip() {
            Ok(()) if is_too_long(cursor.at() as u64) => Ok(Err(Broken::Short(cursor.at() as u64))),
            Err(Broken::Short(needed)) if !view.ended && !is_too_long(needed) => {
                Err(needed.max((2 * length as u64).min(self.plan.options.max_record_bytes)))
            }
            skipped => Ok(skipped.map(|()| cursor.at())),
        }
    }

    /// The gap in which the head of the object at `at` is wrong, or one in front of it is none.
    fn gap(&self, bytes: &[u8], (at, object): (usize, Result<usize, Broken>), search: &Search) -> Gap {
        let start = self.position.offset;
        let head = Head::read(&bytes[at..]);
        let head = head.map_or_else(|_| "a part of a head".to_owned(), |(head, _)| head.to_string());
        let fault = match (object, search.found) {
            (Err(Broken::Reserved(place)), found) if found.is_none_or(|found| place < found) => {
                Fault::reserved_byte(start + place as u64)
            }
            (Err(Broken::Short(least)), None) => {
                let expected = format!("at least {}", text::bytes(least));
                Fault::of_input(RejectKind::Truncated, expected, head)
            }
            _ => {
                let offset = start + at as u64;
                let found = format!("{head} at byte {offset} that the records behind contradict");
                Fault::of_input(RejectKind::Invalid, expected_record(&self.plan), found)
            }
        };
        Gap { fault, run: search.found.ok_or(search.at.min(bytes.len())) }
    }

    /// Whether the object at `at` is what its head says, by the good records inside of it: they show that it
    /// is if it ends where one of them ends, and that it is not if it cannot be read, ends inside of one, or
    /// takes them for keys or numbers. `None` where they show neither.
    fn agrees(
        &mut self,
        damage: &Damage,
        view: View<'_>,
        (at, object): (usize, Result<usize, Broken>),
        search: &mut Search,
    ) -> Result<Option<bool>, u64> {
        let (bytes, end) = (view.bytes, object.unwrap_or(usize::MAX));
        let until = end.min(damage.window);
        if !view.ended && bytes.len() < until + damage.window {
            return Err((until + damage.window) as u64);
        }
        while let Some(place) = self.find_run(damage, view, search.at, until) {
            search.found.get_or_insert(place);
            let holder = object.map_or(Some(Holder::Misplaces), |_| self.holder(bytes, at, place));
            if holder == Some(Holder::Misplaces) {
                return Ok(Some(false));
            }
            let (plan, looker) = (&*self.plan, &mut self.looker);
            let mut look = |at: usize| looker.look_alike(plan, plan.start.as_ref(), view, at);
            let (mut last, mut next) = (place, place);
            while next < end
                && let Some(after) = look(next)?
            {
                (last, next) = (next, after);
            }
            if next == end {
                return Ok(Some(true));
            }
            // Bytes that begin with a whole record may end inside of one: they hold packed records, the last of
            // them cut off. Otherwise another good record behind it shows that it is one, unless the heads lead there
            // as well. A part of an input was cut in front of one.
            if next > end
                && (last == place || holder != Some(Holder::Payload))
                && (view.ended && next == bytes.len() || look(next)?.is_some())
            {
                return Ok(Some(lead_to(bytes, end, next)));
            }
            search.at = end.min(next + 1);
        }
        search.at = search.at.max(until);
        Ok(None)
    }

    /// How the object at `at` holds the good record at `place`, if it does in one of these ways.
    fn holder(&mut self, bytes: &[u8], at: usize, place: usize) -> Option<Holder> {
        let (plan, looker) = (&*self.plan, &mut self.looker);
        let is_dim = |items: u32| {
            plan.columns.iter().any(|column| column.is_list && column.dim() == Some(items as usize))
        };
        let mut cursor = Cursor::starting_at(bytes, at);
        loop {
            let is_record = cursor.at() == at;
            let head = cursor.head().ok()?;
            // A list of as many items as a vector has elements that begins with a number is a vector.
            let may_be_vector = !is_record || matches!(plan.content, Content::Vector(_));
            let is_map = match head {
                Head::Map(_) => true,
                Head::Array(items) => {
                    let is_number = Scalar::of(cursor.peek().ok()?).is_some();
                    if may_be_vector && cursor.at() < place && is_dim(items) && is_number {
                        return Some(Holder::Misplaces);
                    }
                    false
                }
                _ => return (cursor.at() == place).then_some(Holder::Payload),
            };
            let mut around = None;
            for item in 0..head.children() {
                let begin = cursor.at();
                if is_map && item % 2 == 0 {
                    let is_container = matches!(cursor.peek(), Ok(Head::Array(_) | Head::Map(_)));
                    let view = View { bytes, ended: true };
                    if is_record && is_container
                        || looker.look_alike(plan, plan.start.as_ref(), view, begin) != Ok(None)
                    {
                        return Some(Holder::Misplaces);
                    }
                }
                cursor.skip().ok()?;
                looker.budget.spend(cursor.at() - begin);
                if looker.budget.unseen_at(0) > 0 {
                    return None;
                }
                if begin < place && place < cursor.at() {
                    around = Some(begin);
                    // Behind a value of a map, keys may be misplaced as well.
                    if !is_map {
                        break;
                    }
                }
            }
            cursor = Cursor::starting_at(bytes, around?);
        }
    }

    /// The first run of good records that begins in `from..until`. A window behind that is at hand, or the end of the input.
    fn find_run(&mut self, damage: &Damage, view: View<'_>, from: usize, until: usize) -> Option<usize> {
        let (plan, looker, bytes) = (&*self.plan, &mut self.looker, view.bytes);
        let width = plan.start.as_ref().map_or(1, RecordStart::len);
        let mut at = from;
        loop {
            at += looker.budget.unseen_at(self.position.offset + at as u64) as usize;
            let ahead = bytes.get(at..bytes.len().min(until + width - 1))?;
            at += match &plan.start {
                Some(start) => start.places(ahead).next(),
                None => ahead.iter().position(|&byte| may_begin(byte)),
            }?;
            let end = bytes.len().min(at + damage.window);
            let ended = view.ended && end == bytes.len();
            let first =
                if plan.start.is_none() { RecordStart::of(&bytes[at..]).ok().flatten() } else { None };
            let start = plan.start.as_ref().or(first.as_ref());
            if let Ok(Some(_)) =
                looker.look_for_run(plan, start, View { bytes: &bytes[..end], ended }, at, RUN)
            {
                return Some(at);
            }
            at += 1;
        }
    }

    /// Goes on with the search for good records behind bytes that cannot be read, which are left out
    /// once it has found some.
    pub(super) fn find_next(&mut self, view: View<'_>) -> crate::error::Result<usize> {
        let Some(damage) = self.damage else { return Ok(0) };
        let length = view.bytes.len();
        let until = if view.ended { length } else { length.saturating_sub(damage.window) };
        match self.find_run(&damage, view, 0, until) {
            Some(place) => self.close_gap(place),
            None if until == 0 => Ok(self.ask(2 * damage.window as u64)),
            None => Ok(until),
        }
    }

    /// Where good records go on at `at`: there, or behind the heads of arrays. So does the end of the input.
    pub(super) fn next_record(&mut self, view: View<'_>, at: usize, left: Left) -> Look {
        let (at, left) = enter_array(view.bytes, at, left);
        let (plan, looker, rest) = (&*self.plan, &mut self.looker, &view.bytes[at..]);
        if view.ended && rest.is_empty() {
            return Ok(Some(at));
        }
        // Most records are like the last good one.
        if left != Left::Known(0)
            && let Some(template) = &self.template
            && let Some(record) = rest.get(..template.stride())
            && template.elements_of(record).is_some()
        {
            looker.budget.spend(record.len() + plan.columns.len());
            return Ok(Some(at));
        }
        if left != Left::Known(0) && looker.look(plan, view, at)?.is_some() {
            return Ok(Some(at));
        }
        match (Head::read(rest), left) {
            (Ok((Head::Array(1..), size)), Left::Unknown) => {
                Ok(looker.look(plan, view, at + size)?.map(|_| at + size))
            }
            (Err(HeadError::Incomplete), Left::Known(0)) => view.short(view.bytes.len() as u64 + 1),
            _ => Ok(None),
        }
    }
}

/// The place behind the heads of the arrays that begin at `at`, where the array in front has ended, and the
/// records left there.
fn enter_array(bytes: &[u8], mut at: usize, mut left: Left) -> (usize, Left) {
    while left == Left::Known(0)
        && let Ok((Head::Array(items), size)) = Head::read(&bytes[at..])
    {
        (at, left) = (at + size, Left::Known(items.into()));
    }
    (at, left)
}

/// True if objects follow one another from `at` to `end`.
fn lead_to(bytes: &[u8], at: usize, end: usize) -> bool {
    let mut cursor = Cursor::starting_at(&bytes[..end], at);
    while cursor.at() < end && cursor.skip().is_ok() {}
    cursor.at() == end
}
