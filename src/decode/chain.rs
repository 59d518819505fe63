//! Good records, one behind another: how they are told from other bytes.

use super::Decoder;
use super::record::{Stop, read_vector};
use super::salvage::LOOK;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::Framing;
use crate::record::{Column, Content, Plan, Role, Step};
use crate::vector::Format;
use crate::vector::encoding::{Elements, is_npy, is_npy_next};

/// Records that must follow one another.
const CHAIN: usize = 3;
/// Places between them, as long as they are, that may hold bad ones.
const MISSES: usize = 5;
/// Bytes between two of them that may be none.
const JUNK: usize = 8;
/// How much more these then must tell.
const DOUBT: usize = 2;
/// How many bytes of them must be what they are in every record; fewer do where the last one ends with the input.
pub(super) const EVIDENCE: usize = 6;
const EVIDENCE_AT_END: usize = 3;
/// A record as long as this, at the very end of an input, needs less.
pub(super) const LONG: usize = 64;
/// What it costs to try to read a record, besides its bytes.
const TRIED: usize = 16;

/// Good records one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    /// Where the first one begins.
    pub(super) at: u64,
    /// The length of each, where they have one.
    pub(super) stride: Option<u64>,
    /// The length and the items of the first one.
    pub(super) length: u64,
    pub(super) items: u32,
}

impl Chain {
    /// True where so many bytes are those of other such records; of several only where they are long, as by chance short ones
    /// soon fit.
    pub(super) fn fills(&self, bytes: u64) -> bool {
        self.stride
            .is_some_and(|stride| bytes == stride || stride >= LONG as u64 && bytes.is_multiple_of(stride))
    }
}

/// What comes of looking for records at one place.
pub(super) enum Look {
    Yes(Chain),
    No,
    /// So many bytes would have to be there.
    Short,
}

impl Decoder {
    /// Whether good records follow one another from the start of `bytes` on; `None` asks for more bytes.
    pub(super) fn begins_chain(&mut self, bytes: &[u8], ended: bool) -> Option<bool> {
        match self.look_at(bytes, ended, &mut 0) {
            Look::Yes(_) => Some(true),
            Look::No => Some(false),
            Look::Short => None,
        }
    }

    /// True where a good record begins, or the input ends.
    pub(super) fn is_good(&mut self, bytes: &[u8], ended: bool) -> bool {
        let view = &bytes[..bytes.len().min(self.look.unwrap_or(LOOK))];
        if view.is_empty() {
            return ended;
        }
        self.step_over(&mut Cursor::new(view)).is_ok()
    }

    /// Whether good records follow one another from the start of `bytes` on.
    pub(super) fn look_at(&mut self, bytes: &[u8], ended: bool, cost: &mut u64) -> Look {
        let look = self.look.unwrap_or(LOOK);
        let view = &bytes[..bytes.len().min(look)];
        let at_end = ended && view.len() == bytes.len();
        let is_short = view.len() < look && !ended;
        let (looked, spent) = self.look_within(view, at_end, is_short);
        self.looked += spent;
        if !matches!(looked, Look::Short) {
            *cost += spent;
        }
        looked
    }

    fn look_within(&mut self, view: &[u8], at_end: bool, is_short: bool) -> (Look, u64) {
        let plan = self.plan.clone();
        let is_array = plan.framing == Framing::Array;
        let mut cursor = Cursor::new(view);
        let mut chain = Chain { at: 0, stride: None, length: 0, items: 0 };
        let (mut count, mut misses, mut junk, mut evidence, mut is_miss) = (0, 0, 0, 0, false);
        let (mut first, mut stride, mut length) = (None, None, 0);
        // What was read of bytes that are no records.
        let mut astray = 0;
        loop {
            let start = cursor.at();
            let passed = (start + astray) as u64;
            let found = Chain { stride: stride.filter(|_| first.is_some()), ..chain };
            let is_enough = match misses {
                0 => evidence >= EVIDENCE_AT_END || evidence >= 2 && length >= LONG as u64,
                _ => evidence >= EVIDENCE && !is_miss,
            };
            if count > 0 {
                if count >= CHAIN && evidence >= EVIDENCE + if misses + junk > 0 { DOUBT } else { 0 } {
                    return (Look::Yes(found), passed);
                }
                if cursor.rest().is_empty() {
                    let looked = match (at_end, is_short) {
                        (true, _) if is_enough => Look::Yes(found),
                        (false, true) => Look::Short,
                        _ => Look::No,
                    };
                    return (looked, passed);
                }
                // The last ones of an array end where the next array begins.
                match if is_array { self.begins_array(cursor) } else { Ok(false) } {
                    Ok(true) if is_enough => return (Look::Yes(found), passed),
                    Err(Miss { is_cut: true, .. }) if is_short => return (Look::Short, 0),
                    _ => {}
                }
            }
            let (head, told) = match self.good(&mut cursor, first) {
                Ok(good) => good,
                Err(Miss { is_cut: true, .. }) if is_short => return (Look::Short, 0),
                Err(Miss { read, .. }) => {
                    astray += read;
                    // Something short between two of them?
                    if count > 0 && misses + junk < MISSES {
                        match self.behind_junk(Cursor::starting_at(view, start), first, is_short, &mut astray)
                        {
                            Ok(Some(next)) => {
                                (junk, stride, cursor) = (junk + 1, None, next);
                                continue;
                            }
                            Err(_) => return (Look::Short, 0),
                            Ok(None) if at_end && is_enough && view.len() - start <= JUNK => {
                                return (Look::Yes(found), passed);
                            }
                            Ok(None) => {}
                        }
                    }
                    // A bad one in the place of a good one?
                    let next = stride
                        .filter(|_| misses < MISSES)
                        .map_or(usize::MAX, |stride| start + stride as usize);
                    if next > view.len() {
                        let is_near = is_short && next < usize::MAX;
                        return (if is_near { Look::Short } else { Look::No }, (start + astray) as u64);
                    }
                    (misses, is_miss) = (misses + 1, true);
                    cursor = Cursor::starting_at(view, next);
                    continue;
                }
            };
            length = (cursor.at() - start) as u64;
            if count == 0 {
                stride = Some(length);
                chain = Chain { length, items: head.children() as u32, ..chain };
            } else if length != chain.length {
                stride = None;
                // Of one dimension, but of numbers that take as many bytes as they need: many of them tell enough.
                let varies = match plan.content {
                    Content::Vector(_) => matches!(head, Head::Array(8..)),
                    // In the one that swallows others there are many.
                    Content::Items(_) => chain.length <= 16 * length,
                };
                if !varies {
                    return (Look::No, (cursor.at() + astray) as u64);
                }
            }
            first = if matches!(plan.content, Content::Vector(_)) { Some(head) } else { None };
            (count, evidence, is_miss) = (count + 1, evidence + told, false);
        }
    }

    /// Where a good record begins a few bytes behind `cursor`; adds what was read on the way. The error tells that more bytes are to
    /// come, which may tell otherwise.
    fn behind_junk<'a>(
        &mut self,
        mut cursor: Cursor<'a>,
        first: Option<Head>,
        is_short: bool,
        astray: &mut usize,
    ) -> Result<Option<Cursor<'a>>, Miss> {
        for _ in 0..JUNK {
            let good = match cursor.take(1) {
                Ok(_) => self.good(&mut cursor.clone(), first).map(|_| ()),
                Err(_) => Err(Miss { is_cut: true, read: 0 }),
            };
            match good {
                Ok(()) => return Ok(Some(cursor)),
                Err(miss) if miss.is_cut && is_short => return Err(miss),
                Err(miss) => *astray += miss.read,
            }
        }
        Ok(None)
    }

    /// Steps over the good record at `cursor`, which begins with this head if one is given; tells its head and how many of its bytes
    /// are the same in all.
    pub(super) fn good(
        &mut self,
        cursor: &mut Cursor<'_>,
        first: Option<Head>,
    ) -> Result<(Head, usize), Miss> {
        let record = cursor.rest();
        let head = match cursor.peek() {
            Ok(head) if fits(&self.plan, head, *cursor) && first.is_none_or(|first| first == head) => head,
            Ok(_) | Err(Broken::Reserved(_)) => return Err(Miss { is_cut: false, read: 1 }),
            Err(Broken::Short(_)) => return Err(Miss { is_cut: true, read: 1 }),
        };
        match self.step_over(cursor) {
            Ok(told) => Ok((head, told)),
            // What was read before it turned out to be none.
            Err(Miss { is_cut: true, .. }) => Err(Miss { is_cut: true, read: TRIED + walked(record) }),
            Err(Miss { read, .. }) => Err(Miss { is_cut: false, read: TRIED + read }),
        }
    }

    /// Whether an array with a good record stands at `cursor`, which is none itself.
    fn begins_array(&mut self, mut cursor: Cursor<'_>) -> Result<bool, Miss> {
        let Ok(Head::Array(_)) = cursor.peek() else { return Ok(false) };
        match self.step_over(&mut cursor.clone()) {
            Ok(_) => return Ok(false),
            Err(miss) if miss.is_cut => return Err(miss),
            Err(_) => {}
        }
        let _stands = cursor.head();
        self.step_over(&mut cursor).map(|_| true)
    }

    /// Steps over the record at `cursor` if it is good, and tells how many of its bytes are the same in all.
    fn step_over(&mut self, cursor: &mut Cursor<'_>) -> Result<usize, Miss> {
        let plan = self.plan.clone();
        let start = cursor.at();
        let told = match &plan.content {
            Content::Vector(None) => return Err(Miss::default()),
            Content::Vector(Some(column)) => {
                let size = head_size(cursor.rest());
                let vector = read_vector(&plan, *column, cursor).map_err(|stop| Miss::of(&stop))?;
                match &vector.elements {
                    _ if vector.rows != 1 => return Err(Miss::default()),
                    Elements::Alike(Format::Float32 | Format::Float64, _) => size + vector.dim.min(8),
                    Elements::Alike(Format::Packed(_), elements) => {
                        (cursor.at() - start).saturating_sub(elements.len()).min(8)
                    }
                    Elements::Mixed(_) => size,
                }
            }
            Content::Items(slots) => {
                let pushed = self.columns.push_fields(&plan, slots, cursor);
                let pushed = pushed.map_err(|stop| Miss { read: cursor.at() - start, ..Miss::of(&stop) });
                let told = self.told_by_fields(&plan, slots.is_map);
                let good = pushed.is_ok()
                    && self.columns.holds_some()
                    && self.columns.push_missing(&plan).is_ok()
                    && self.columns.take_faults().is_empty()
                    && !has_odd_text(&plan, cursor.since(start))
                    && !has_odd_keys(cursor.since(start));
                self.columns.roll_back();
                pushed?;
                if !good {
                    return Err(Miss { is_cut: false, read: cursor.at() - start });
                }
                told
            }
        };
        let length = (cursor.at() - start) as u64;
        if length <= plan.max_record_bytes { Ok(told) } else { Err(Miss::default()) }
    }

    /// How many bytes of the record that was just read are the same in all: its keys, and the heads of its vectors.
    fn told_by_fields(&self, plan: &Plan, is_map: bool) -> usize {
        let mut told = if is_map { 3 } else { 2 };
        for (column, Column { path, role, .. }) in plan.columns.iter().enumerate() {
            match role {
                Role::Vector | Role::Value if !self.columns.has(column) => return if is_map { 3 } else { 2 },
                Role::Vector => told += 2,
                _ => {}
            }
            if let Some(Step::Name(name)) = path.last() {
                told += name.len();
            }
        }
        told
    }
}

/// No good record.
#[derive(Default)]
pub(super) struct Miss {
    /// The bytes end before it does.
    is_cut: bool,
    /// How much of it was read to find out, about.
    pub(super) read: usize,
}

impl Miss {
    fn of(stop: &Stop) -> Self {
        Self { is_cut: matches!(stop, Stop::Broken(Broken::Short(_))), read: stop.element() }
    }
}

/// True where a record can begin so.
fn fits(plan: &Plan, head: Head, mut cursor: Cursor<'_>) -> bool {
    let dim = match plan.content {
        Content::Vector(Some(column)) => plan.columns[column].dim().unwrap_or(0),
        Content::Vector(None) => return false,
        Content::Items(ref slots) => {
            return match head {
                Head::Map(pairs) if slots.is_map && pairs > 0 => {
                    cursor.head().and_then(|_| cursor.head()).map_or(true, is_key)
                }
                Head::Array(items) => !slots.is_map && items > 0,
                _ => false,
            };
        }
    };
    let is_file = matches!(head, Head::Bin(_) | Head::Str(_)) && is_npy_next(cursor).unwrap_or(true);
    // The first item, without which nothing is known.
    let mut inside = || cursor.head().and_then(|_| cursor.head()).ok();
    match head {
        Head::Bin(bytes) | Head::Str(bytes) => is_file || bytes as usize == dim * plan.raw.size(),
        // In front of the elements, or around them with what they are.
        Head::Array(items) => {
            let items = items as usize;
            let is_number =
                |head| matches!(head, Head::UInt(_) | Head::Int(_) | Head::Float32(_) | Head::Float64(_));
            let is_list = items == dim || items == dim * plan.raw.size() || items == dim + 2;
            let is_small = items > 0 && items <= 8;
            inside().is_none_or(|head| {
                is_list && is_number(head)
                    || is_small && matches!(head, Head::Str(_) | Head::Bin(_) | Head::UInt(_))
            })
        }
        Head::Map(pairs) => {
            pairs > 0
                && pairs <= 8
                && inside().is_none_or(|head| matches!(head, Head::Str(_) | Head::Bin(_) | Head::UInt(_)))
        }
        Head::Ext(..) => true,
        _ => false,
    }
}

/// About how many bytes of the object at the start of `bytes`, which ends behind them, are looked at to find that out.
fn walked(bytes: &[u8]) -> usize {
    let (mut at, mut left, mut looked) = (0, 1, 0);
    while let (1.., Some(rest)) = (left, bytes.get(at..)) {
        let Ok((head, size)) = Head::read(rest) else { break };
        at = usize::try_from(head.payload()).map_or(usize::MAX, |payload| at.saturating_add(size + payload));
        (left, looked) = (left - 1 + head.children(), looked + size);
    }
    looked
}

/// True where some text in a record is no text, and no vector either, which were text once. What noise takes for fields of its own
/// is such.
pub(super) fn has_odd_text(plan: &Plan, record: &[u8]) -> bool {
    let is_vector = |text: &[u8]| {
        is_npy(text)
            || plan.columns.iter().filter_map(Column::dim).any(|dim| text.len() == dim * plan.raw.size())
    };
    let mut at = 0;
    while at < record.len() {
        let Ok((head, size)) = Head::read(&record[at..]) else { return true };
        let start = at + size;
        at = start + head.payload() as usize;
        if matches!(head, Head::Str(_)) {
            let text = record.get(start..at).unwrap_or_default();
            if std::str::from_utf8(text).is_err() && !is_vector(text) {
                return true;
            }
        }
    }
    false
}

/// True where a record has keys that nobody gives to fields, as noise has.
fn has_odd_keys(record: &[u8]) -> bool {
    let mut cursor = Cursor::new(record);
    let Ok(Head::Map(pairs)) = cursor.head() else { return false };
    (0..pairs)
        .any(|_| !cursor.peek().is_ok_and(is_key) || cursor.skip().and_then(|()| cursor.skip()).is_err())
}

/// True for what may be the key of a field.
fn is_key(head: Head) -> bool {
    matches!(head, Head::Str(_) | Head::Bin(_) | Head::UInt(_) | Head::Int(_))
}

/// Bytes of the head at the start of `bytes`.
fn head_size(bytes: &[u8]) -> usize {
    Head::read(bytes).map_or(0, |(_, size)| size)
}
