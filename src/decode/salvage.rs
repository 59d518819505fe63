//! Behind damaged bytes: where the next record begins, and whether what lies before it is damage at all.
//!
//! A bad record is what it says, a record that is no row, unless the records behind it contradict it: good ones, several in a
//! row, that begin where reading on from the bad one never comes. Then the bytes up to them are a gap. All of this follows
//! from the bytes behind the bad record alone, so that neither threads nor the sizes of blocks change it.

use super::record::{Stop, read_vector};
use super::swallow::{FOLLOWED, Swallowed, View, tidy};
use super::{Decoder, UNKNOWN};
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, OnError};
use crate::record::{Column, Content, Plan, Role, Step};
use crate::vector::Format;
use crate::vector::encoding::Elements;

/// How far behind a bad record others are looked for before it is believed, and the most bytes that a few records in a row
/// may take. Records with long vectors get more.
pub(super) const LOOK: usize = 128 << 10;
/// Vectors that are longer are not looked for.
const LONGEST: usize = 1 << 20;
/// Records that must follow one another.
const CHAIN: usize = 3;
/// Places between them, as long as they are, that may hold bad ones.
const MISSES: usize = 5;
/// How much more these then must tell.
const DOUBT: usize = 2;
/// How many bytes of them must be what they are in every record; fewer do where the last one ends with the input.
pub(super) const EVIDENCE: usize = 6;
const EVIDENCE_AT_END: usize = 3;
/// A record as long as this, at the very end of an input, needs less.
const LONG: usize = 64;
/// What looking at places may cost, a byte that is passed. Beyond it no more is looked for: an input must not be searched for
/// longer than reading it takes.
const COST: u64 = 64;
/// What it costs to try to read a record, besides its bytes.
const TRIED: usize = 16;
const FREE: u64 = 8 << 20;

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
    fn fills(&self, bytes: u64) -> bool {
        self.stride
            .is_some_and(|stride| bytes == stride || stride >= LONG as u64 && bytes.is_multiple_of(stride))
    }
}

/// The search for good records, since the last one.
#[derive(Debug)]
pub(super) struct Search {
    start: u64,
    /// None begins before this, behind where the search was asked for, but the one that was found.
    until: u64,
    found: Option<Chain>,
    /// What begins before this is what it says.
    sure: u64,
    /// True behind a bad record that nothing speaks for: who knows whether another begins there.
    is_astray: bool,
    cost: u64,
    /// True where not all was looked at, as that would have cost too much.
    is_cut: bool,
}

/// What a search found out about the bytes themselves, whatever comes of the records in them: nothing needs to be looked at again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Searched {
    until: u64,
    found: Option<Chain>,
}

/// What is known of a bad record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bad {
    /// It is there in full, or claims to be.
    Whole,
    /// It claims more than any record may.
    Endless,
    /// It cannot be read behind so many bytes.
    Broken(usize),
}

/// What is to be thought of a bad record.
#[derive(Debug)]
pub(super) enum Verdict {
    /// More bytes, so many, will tell.
    More(usize),
    /// It is a record, which is no row.
    Sound,
    /// There are no good records nearby that could tell. True where they are to be looked for while it is stepped over.
    Nothing(bool),
    /// It is damage, up to these records.
    Gap(Chain),
}

/// What comes of looking for records at one place.
enum Look {
    Yes(Chain),
    No,
    /// So many bytes would have to be there.
    Short,
}

/// How many bytes are looked at; `None` where records cannot be told from other bytes.
pub(super) fn look(plan: &Plan) -> Option<usize> {
    if plan.on_error == OnError::Raise || plan.framing == Framing::Map {
        return None;
    }
    if matches!(plan.content, Content::Vector(None)) {
        return None;
    }
    let elements: usize = plan.columns.iter().filter_map(Column::dim).sum();
    let longest = elements.checked_mul(9)?.checked_add(1 << 10)?;
    (longest <= LONGEST).then_some(LOOK.max(4 * longest))
}

/// True for the first bytes of arrays and maps.
fn is_container(byte: u8) -> bool {
    matches!(byte, 0x80..=0x9f | 0xdc..=0xdf)
}

/// False for the first bytes of what is never a record: numbers, booleans, nil.
pub(super) fn may_begin(byte: u8) -> bool {
    matches!(byte, 0x80..=0xbf | 0xc4..=0xc9 | 0xd4..=0xdf)
}

impl Decoder {
    /// True where bad records have not been left behind yet.
    pub(crate) fn is_searching(&self) -> bool {
        let at_found = |search: &Search| search.found.is_some_and(|chain| chain.at == self.position.offset);
        self.search.as_ref().is_some_and(|search| !at_found(search))
    }

    /// True where the record at hand has been judged to be what it says.
    pub(super) fn is_sure(&self) -> bool {
        self.search.as_ref().is_some_and(|search| self.position.offset < search.sure)
    }

    /// Takes the record at hand for what it says.
    pub(super) fn believe(&mut self) {
        let mut search = self.take_search();
        search.sure = search.sure.max(self.position.offset + 1);
        self.search = Some(search);
    }

    /// Looks for records from `offset` on, and not before.
    pub(super) fn search_from(&mut self, offset: u64) {
        let mut search = self.take_search();
        search.found = search.found.filter(|chain| chain.at >= offset);
        if search.found.is_none() {
            search.until = search.until.max(offset);
        }
        self.search = Some(search);
    }

    fn take_search(&mut self) -> Search {
        self.search.take().unwrap_or_else(|| {
            let start = self.position.offset;
            let Searched { until, found } = self.searched.unwrap_or(Searched { until: start, found: None });
            let found = found.filter(|chain| chain.at >= start);
            Search {
                start,
                until: until.max(start),
                found,
                sure: start,
                is_astray: false,
                cost: 0,
                is_cut: false,
            }
        })
    }

    /// Ends a search at a good record.
    pub(super) fn leave_search(&mut self) {
        if let Some(search) = self.search.take() {
            let Search { until, found, is_cut, .. } = search;
            self.searched = if is_cut { None } else { Some(Searched { until, found }) };
        }
    }

    /// Whether good records follow one another from the start of `bytes` on; `None` asks for more bytes.
    pub(super) fn begins_chain(&mut self, bytes: &[u8], ended: bool) -> Option<bool> {
        match self.look_at(bytes, ended, &mut 0) {
            Look::Yes(_) => Some(true),
            Look::No => Some(false),
            Look::Short => None,
        }
    }

    /// How far the search went for positions from `position` on.
    pub(super) fn searched_until(&self) -> u64 {
        self.search.as_ref().map_or(0, |search| search.until)
    }

    /// What is known of a bad record by its head, or else what `other` says.
    pub(super) fn bad_by_head(&self, bytes: &[u8], other: Bad) -> Bad {
        let claim = Head::read(bytes).map_or(0, |(head, _)| head.payload().max(head.children()));
        if claim > self.plan.max_record_bytes { Bad::Endless } else { other }
    }

    /// Judges the bad record at the start of `bytes`, behind which the input `ended` or goes on.
    pub(super) fn judge(&mut self, bytes: &[u8], ended: bool, bad: Bad) -> Verdict {
        let (Some(look), start) = (self.look, self.position.offset) else { return Verdict::Nothing(false) };
        let mut search = self.take_search();
        let verdict = if start < search.sure && bad == Bad::Whole {
            Verdict::Sound
        } else {
            // A multiple, so that a bad record behind this one mostly needs no more bytes.
            let step = look as u64 / 2;
            let limit = ((start + look as u64) / step + 1) * step;
            self.weigh(&mut search, bytes, ended, bad, limit)
        };
        search.is_astray |= matches!(verdict, Verdict::Nothing(_));
        self.search = Some(search);
        verdict
    }

    fn weigh(&mut self, search: &mut Search, bytes: &[u8], ended: bool, bad: Bad, limit: u64) -> Verdict {
        let start = self.position.offset;
        let within = (limit - start) as usize;
        let more = Verdict::More(within + self.look.unwrap_or(LOOK));
        let mut from = 1;
        loop {
            let chain = match self.next_chain(search, bytes, (start, start + 1), limit, ended) {
                Ok(Some(chain)) => chain,
                Ok(None) => return Verdict::Nothing(self.may_hold_others(&bytes[..bytes.len().min(within)])),
                Err(()) => return more,
            };
            let place = (chain.at - start) as usize;
            self.looked += place as u64;
            // From object to object: does that lead there, or to another good record?
            let (mut at, mut objects, mut numbers, mut is_tidy) = (0, 0, false, true);
            let mut end = (place, chain);
            while at < end.0 {
                let mut cursor = Cursor::new(&bytes[at..place]);
                let mut ahead = cursor;
                if at > 0
                    && let Ok((head, _)) = self.good(&mut ahead, None)
                {
                    let (length, items) = (ahead.at() as u64, head.children() as u32);
                    let stride = Some(length).filter(|_| self.is_vectors());
                    end = (at, Chain { at: start + at as u64, stride, length, items });
                    break;
                }
                numbers |= is_number(&bytes[at..]);
                match cursor.skip() {
                    Ok(()) => {
                        // Fields may have text that is none, in records that are as they were written.
                        let is_fields = !self.is_vectors()
                            && cursor.since(0).first().is_some_and(|&byte| is_container(byte));
                        is_tidy &= is_fields || !has_odd_text(&self.plan, cursor.since(0));
                        (at, objects) = (at + cursor.at(), objects + 1);
                    }
                    Err(Broken::Reserved(_)) => return self.gap(bytes, from, place, chain),
                    Err(Broken::Short(_)) => break,
                }
            }
            if at == end.0 {
                let (place, chain) = end;
                // The inside of vectors looks like many numbers, and text that is none. Where a whole number of records fits, it was these.
                let is_text = matches!(Head::read(&bytes[place..]), Ok((Head::Str(_), _)));
                let is_noise = numbers && chain.fills(place as u64) || !is_tidy && !is_text;
                if objects > 1 && is_noise {
                    return self.gap(bytes, from, place, chain);
                }
                if objects > 1 && numbers && self.plan.framing == Framing::Array {
                    self.position.left = Some(UNKNOWN);
                }
                (search.sure, search.is_astray) = (chain.at, true);
                return Verdict::Sound;
            }
            let ahead = bytes.len().min(within);
            if ahead < within && !ended {
                return more;
            }
            if at == 0 && bad == Bad::Endless {
                return self.gap(bytes, from, place, chain);
            }
            let view = View {
                ahead: ahead.saturating_sub(at),
                is_window: ahead == within && (ahead < bytes.len() || !ended),
                ended,
                is_astray: at > 0 || search.is_astray,
                is_whole: at > 0 || bad == Bad::Whole,
            };
            match self.swallows(&bytes[at..], place - at, view, chain) {
                Swallowed::Damage => return self.gap(bytes, from, place, chain),
                Swallowed::Sound(end) => {
                    search.sure = start + (at + end.unwrap_or(0)) as u64;
                    search.is_astray |= at > 0;
                }
                Swallowed::Unknown(needed) => return Verdict::More(at + needed),
            }
            match bad {
                // It is not sound, and what is in it is not to be found: what is behind, then.
                Bad::Broken(broken) if at == 0 => {
                    search.until = search.until.max(start + broken as u64 + 1);
                    search.found = None;
                    from = broken + 1;
                }
                _ => return Verdict::Sound,
            }
        }
    }

    fn gap(&mut self, bytes: &[u8], from: usize, place: usize, chain: Chain) -> Verdict {
        Verdict::Gap(self.first_in_gap(bytes, from, place, chain))
    }

    /// True where a good record begins, or the input ends.
    pub(super) fn is_good(&mut self, bytes: &[u8], ended: bool) -> bool {
        let view = &bytes[..bytes.len().min(self.look.unwrap_or(LOOK))];
        if view.is_empty() {
            return ended;
        }
        self.step_over(&mut Cursor::new(view)).is_ok()
    }

    /// True for a bad record of which nobody can tell whether it is what it says: bytes without end, or a container that holds
    /// what nobody writes. `bytes` begin with it, as far as records were looked for.
    fn may_hold_others(&mut self, bytes: &[u8]) -> bool {
        let Ok((head, _)) = Head::read(bytes) else { return false };
        if head.children() == 0 {
            return head.payload() > FOLLOWED as u64;
        }
        let walked = tidy(bytes, bytes.len());
        self.looked += walked.unwrap_or(LONG).min(bytes.len()) as u64;
        walked.is_none()
    }

    /// Goes on with the search over `bytes`, which begin at the decoder's place. [`searched_until`](Self::searched_until) tells how far it
    /// came where it found nothing.
    pub(super) fn search_on(&mut self, bytes: &[u8], ended: bool) -> Option<Chain> {
        let (mut search, start) = (self.take_search(), self.position.offset);
        let found = self.next_chain(&mut search, bytes, (start, start), u64::MAX, ended);
        self.search = Some(search);
        found.unwrap_or(None)
    }

    /// The first good records in a row that begin at `from` or behind it, and before `limit`, in `bytes` from `base` on. The
    /// error asks for more bytes.
    fn next_chain(
        &mut self,
        search: &mut Search,
        bytes: &[u8],
        (base, from): (u64, u64),
        limit: u64,
        ended: bool,
    ) -> Result<Option<Chain>, ()> {
        if let Some(passed) = search.found.take_if(|chain| chain.at < from) {
            search.until = search.until.max(passed.at + 1);
        }
        if let Some(found) = search.found {
            return Ok(Some(found).filter(|chain| chain.at < limit));
        }
        let end = (base + bytes.len() as u64).min(limit);
        search.until = search.until.max(from);
        while search.until < end {
            let rest = &bytes[(search.until - base) as usize..];
            let candidate = rest.iter().take((end - search.until) as usize).position(|&byte| may_begin(byte));
            let passed = candidate.map_or(end - search.until, |place| place as u64);
            search.until += passed;
            if search.cost > FREE + COST * (search.until - search.start) {
                (search.until, search.is_cut) = (end, true);
            }
            if search.until == end {
                break;
            }
            match self.look_at(&rest[passed as usize..], ended, &mut search.cost) {
                Look::Yes(chain) => {
                    search.found = Some(Chain { at: search.until, ..chain });
                    search.until += 1;
                    return Ok(search.found);
                }
                Look::No => search.until += 1,
                Look::Short => return Err(()),
            }
        }
        if search.until < limit && !ended { Err(()) } else { Ok(None) }
    }

    /// Whether good records follow one another from the start of `bytes` on.
    fn look_at(&mut self, bytes: &[u8], ended: bool, cost: &mut u64) -> Look {
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
        let (mut count, mut misses, mut evidence) = (0, 0, 0);
        let (mut first, mut stride, mut length) = (None, None, 0);
        loop {
            let start = cursor.at();
            if count > 0 {
                let found = Chain { stride: stride.filter(|_| first.is_some()), ..chain };
                if count >= CHAIN && evidence >= EVIDENCE + if misses > 0 { DOUBT } else { 0 } {
                    return (Look::Yes(found), start as u64);
                }
                let is_enough = evidence >= EVIDENCE_AT_END || evidence >= 2 && length >= LONG as u64;
                if cursor.rest().is_empty() {
                    let looked = match (at_end, is_short) {
                        (true, _) if is_enough => Look::Yes(found),
                        (false, true) => Look::Short,
                        _ => Look::No,
                    };
                    return (looked, start as u64);
                }
                // The last ones of an array end where the next array begins.
                match if is_array { self.begins_array(cursor) } else { Ok(false) } {
                    Ok(true) if is_enough => return (Look::Yes(found), start as u64),
                    Err(Miss { is_cut: true, .. }) if is_short => return (Look::Short, 0),
                    _ => {}
                }
            }
            let (head, told) = match self.good(&mut cursor, first) {
                Ok(good) => good,
                Err(Miss { is_cut: true, .. }) if is_short => return (Look::Short, 0),
                Err(Miss { read, .. }) => {
                    // A bad one in the place of a good one?
                    let next = stride
                        .filter(|_| misses < MISSES)
                        .map_or(usize::MAX, |stride| start + stride as usize);
                    if next > view.len() {
                        let is_near = is_short && next < usize::MAX;
                        return (if is_near { Look::Short } else { Look::No }, (start + read) as u64);
                    }
                    misses += 1;
                    cursor = Cursor::starting_at(view, next);
                    continue;
                }
            };
            length = (cursor.at() - start) as u64;
            if count == 0 {
                stride = Some(length);
                chain = Chain { length, items: head.children() as u32, ..chain };
            } else if stride != Some(length) {
                stride = None;
                // Of one dimension, but of numbers that take as many bytes as they need: many of them tell enough.
                let varies = match plan.content {
                    Content::Vector(_) => matches!(head, Head::Array(8..)),
                    // In the one that swallows others there are many.
                    Content::Items(_) => chain.length <= 16 * length,
                };
                if !varies {
                    return (Look::No, cursor.at() as u64);
                }
            }
            first = if matches!(plan.content, Content::Vector(_)) { Some(head) } else { None };
            (count, evidence) = (count + 1, evidence + told);
        }
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
                let pushed = self.columns.push_items(&plan, slots, cursor);
                let pushed = pushed.map_err(|stop| Miss { read: cursor.at() - start, ..Miss::of(&stop) });
                let told = self.told_by_fields(&plan, slots.is_map);
                let good = pushed.is_ok()
                    && self.columns.holds_some()
                    && self.columns.push_missing(&plan).is_ok()
                    && self.columns.take_faults().is_empty()
                    && !has_odd_text(&plan, cursor.since(start));
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
            let is_key = |head| matches!(head, Head::Str(_) | Head::Bin(_) | Head::UInt(_) | Head::Int(_));
            return match head {
                Head::Map(pairs) if slots.is_map && pairs > 0 => {
                    cursor.head().and_then(|_| cursor.head()).map_or(true, is_key)
                }
                Head::Array(items) => !slots.is_map && items > 0,
                _ => false,
            };
        }
    };
    // The first item, without which nothing is known.
    let mut inside = || cursor.head().and_then(|_| cursor.head()).ok();
    match head {
        Head::Bin(bytes) | Head::Str(bytes) => bytes as usize == dim * plan.raw.size(),
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
fn has_odd_text(plan: &Plan, record: &[u8]) -> bool {
    let is_vector = |text: &[u8]| {
        plan.columns.iter().filter_map(Column::dim).any(|dim| text.len() == dim * plan.raw.size())
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

/// True for a number or a boolean.
fn is_number(bytes: &[u8]) -> bool {
    let head = Cursor::new(bytes).head();
    matches!(head, Ok(Head::UInt(_) | Head::Int(_) | Head::Float32(_) | Head::Float64(_) | Head::Bool(_)))
}

/// Bytes of the head at the start of `bytes`.
fn head_size(bytes: &[u8]) -> usize {
    Head::read(bytes).map_or(0, |(_, size)| size)
}

#[cfg(test)]
#[path = "salvage_tests.rs"]
mod tests;
