//! Behind damaged bytes: where the next record begins, and whether what lies before it is damage at all.
//!
//! A bad record is what it says, a record that is no row, unless the records behind it contradict it: good ones, several in a
//! row, that begin where reading on from the bad one never comes. Then the bytes up to them are a gap. All of this follows
//! from the bytes behind the bad record alone, so that neither threads nor the sizes of blocks change it.

use super::record::{Stop, read_vector};
use super::{Decoder, UNKNOWN};
use crate::msgpack::{Broken, Cursor, Head, HeadError};
use crate::options::{Framing, OnError};
use crate::record::{Content, Plan};
use crate::vector::Format;
use crate::vector::encoding::Elements;

/// How far behind a bad record others are looked for before it is believed, and the most bytes that a few records in a row
/// may take. Records with long vectors get more.
const LOOK: usize = 128 << 10;
/// Vectors that are longer are not looked for.
const LONGEST: usize = 1 << 20;
/// Records that must follow one another.
const CHAIN: usize = 3;
/// How many bytes of them must be what they are in every record; fewer do where the last one ends with the input.
const EVIDENCE: usize = 6;
const EVIDENCE_AT_END: usize = 3;
/// A record as long as this, at the very end of an input, needs less.
const LONG: usize = 64;
/// What looking at places may cost, a byte that is passed. Beyond it no more is looked for: an input must not be searched for
/// longer than reading it takes.
const COST: u64 = 16;
const FREE: u64 = 8 << 20;

/// The longest object of which the end is looked at.
const FOLLOWED: usize = 4 << 20;
/// Of containers that begin with good records this many bytes are looked at for each byte since the last one that was a lie.
const TRUST: u64 = 64;

/// Good records one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    /// Where the first one begins.
    pub(super) at: u64,
    /// The length of each, where they have one.
    pub(super) stride: Option<u64>,
    /// The length and the items of the first one.
    pub(super) length: u64,
    items: u32,
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

/// What an object is that has good records inside of it.
enum Swallowed {
    Damage,
    /// It is what it says, and where it ends, if that is known.
    Sound(Option<usize>),
    /// So many bytes will tell.
    Unknown(usize),
}

/// What can be seen of an object that holds good records.
struct View {
    /// How many bytes of containers are looked at, and whether there are more.
    ahead: usize,
    is_window: bool,
    /// Whether the input ends behind the bytes at hand.
    ended: bool,
    /// Whether it is what the bad record begins with.
    is_first: bool,
    /// False where it has no end.
    is_whole: bool,
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
    let elements: usize = plan.columns.iter().filter_map(crate::record::Column::dim).sum();
    let longest = elements.checked_mul(9)?.checked_add(1 << 10)?;
    (longest <= LONGEST).then_some(LOOK.max(4 * longest))
}

/// False for the first bytes of what is never a record: numbers, booleans, nil.
fn may_begin(byte: u8) -> bool {
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
            Search { start, until: until.max(start), found, sure: start, cost: 0, is_cut: false }
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
        self.search = Some(search);
        verdict
    }

    fn weigh(&mut self, search: &mut Search, bytes: &[u8], ended: bool, bad: Bad, limit: u64) -> Verdict {
        let start = self.position.offset;
        let within = (limit - start) as usize;
        let more = Verdict::More(within + self.look.unwrap_or(LOOK));
        loop {
            let chain = match self.next_chain(search, bytes, (start, start + 1), limit, ended) {
                Ok(Some(chain)) => chain,
                Ok(None) => return Verdict::Nothing(self.may_hold_others(&bytes[..bytes.len().min(within)])),
                Err(()) => return more,
            };
            let place = (chain.at - start) as usize;
            self.looked += place as u64;
            // From object to object: does that lead there?
            let (mut at, mut objects, mut numbers) = (0, 0, false);
            while at < place {
                let mut cursor = Cursor::new(&bytes[at..place]);
                numbers |= is_number(&bytes[at..]);
                match cursor.skip() {
                    Ok(()) => (at, objects) = (at + cursor.at(), objects + 1),
                    Err(Broken::Reserved(_)) => return Verdict::Gap(chain),
                    Err(Broken::Short(_)) => break,
                }
            }
            if at == place {
                // Damaged vectors look like many small numbers. Where a whole number of records fits, it was these.
                if objects > 1 && numbers && chain.fills(place as u64) {
                    return Verdict::Gap(chain);
                }
                if objects > 1 && numbers && self.plan.framing == Framing::Array {
                    self.position.left = Some(UNKNOWN);
                }
                search.sure = chain.at;
                return Verdict::Sound;
            }
            let ahead = bytes.len().min(within);
            if ahead < within && !ended {
                return more;
            }
            if at == 0 && bad == Bad::Endless {
                return Verdict::Gap(chain);
            }
            let view = View {
                ahead: ahead.saturating_sub(at),
                is_window: ahead == within && (ahead < bytes.len() || !ended),
                ended,
                is_first: at == 0,
                is_whole: at > 0 || bad == Bad::Whole,
            };
            match self.swallows(&bytes[at..], place - at, view, chain) {
                Swallowed::Damage => return Verdict::Gap(chain),
                Swallowed::Sound(end) => search.sure = start + (at + end.unwrap_or(0)) as u64,
                Swallowed::Unknown(needed) => return Verdict::More(at + needed),
            }
            match bad {
                // It is not sound, and what is in it is not to be found: what is behind, then.
                Bad::Broken(broken) if at == 0 => {
                    search.until = search.until.max(start + broken as u64 + 1);
                    search.found = None;
                }
                _ => return Verdict::Sound,
            }
        }
    }

    /// What it means that the object at the start of `bytes` has the `chain`, at `place`, inside of it.
    fn swallows(&mut self, bytes: &[u8], place: usize, view: View, chain: Chain) -> Swallowed {
        let View { ahead, is_window, ended, is_first, is_whole } = view;
        let Ok((head, size)) = Head::read(bytes) else { return Swallowed::Damage };
        if head.children() == 0 {
            // Its head tells where it ends, which by chance is not where a good record begins.
            let end = usize::try_from(head.payload()).unwrap_or(usize::MAX).saturating_add(size);
            let needed = end.saturating_add(self.look.unwrap_or(LOOK));
            if end > FOLLOWED {
                return Swallowed::Damage;
            }
            if bytes.len() < needed && !ended {
                return Swallowed::Unknown(needed);
            }
            let follows = bytes.get(end..).is_some_and(|behind| self.is_good(behind, ended));
            return if follows { Swallowed::Sound(Some(end)) } else { Swallowed::Damage };
        }
        // As long as one of them: its head says too much.
        if chain.stride == Some(place as u64) || is_like_next(&bytes[..place], &bytes[place..], chain.items) {
            return Swallowed::Damage;
        }
        if place == size {
            return self.begins_with(chain, bytes, ended);
        }
        let mut cursor = Cursor::new(&bytes[..ahead]);
        // An object takes a byte at the least.
        let may_end = is_whole && head.children() <= ahead as u64;
        self.looked += if may_end { ahead as u64 } else { 0 };
        let skipped = if may_end { cursor.skip().ok() } else { None };
        let end = skipped.map(|()| cursor.at());
        // Too long to tell: what looks as if somebody wrote it is not taken apart.
        if is_first && may_end && end.is_none() && is_window && tidy(bytes, place) == Some(place) {
            return Swallowed::Sound(None);
        }
        let is_item = matches!(self.plan.content, Content::Items(_)) && visits(bytes, place);
        let follows = !is_item && end.is_some_and(|end| self.is_good(&bytes[end..], ended));
        if follows { Swallowed::Sound(end) } else { Swallowed::Damage }
    }

    /// What it means that the container at the start of `bytes` begins with the `chain`. A list is one if it ends soon; anybody's
    /// head in front of records makes one of them, but hardly one that ends. Nobody's keys are vectors.
    fn begins_with(&mut self, chain: Chain, bytes: &[u8], ended: bool) -> Swallowed {
        let offset = self.position.offset;
        let Ok((head, _)) = Head::read(bytes) else { return Swallowed::Damage };
        let claim = head.children().saturating_mul(chain.length);
        let trust = self.lied.map_or(u64::MAX, |lied| TRUST.saturating_mul(offset - lied));
        let lie = |decoder: &mut Self| {
            decoder.lied = Some(offset);
            Swallowed::Damage
        };
        let is_list = matches!(head, Head::Array(_));
        let is_pair = !is_list && matches!(self.plan.content, Content::Items(_));
        if claim > trust.min(FOLLOWED as u64) || is_pair {
            return lie(self);
        }
        let view = &bytes[..bytes.len().min(FOLLOWED)];
        let mut cursor = Cursor::new(view);
        let skipped = cursor.skip();
        self.looked += cursor.at() as u64;
        match skipped {
            Ok(()) if is_list => Swallowed::Sound(Some(cursor.at())),
            Ok(()) => {
                let needed = cursor.at() + self.look.unwrap_or(LOOK);
                match &bytes[cursor.at()..] {
                    behind if behind.len() < needed - cursor.at() && !ended => Swallowed::Unknown(needed),
                    behind if self.is_good(behind, ended) => Swallowed::Sound(Some(cursor.at())),
                    _ => lie(self),
                }
            }
            Err(Broken::Short(_)) if view.len() < FOLLOWED && !ended => {
                Swallowed::Unknown((2 * view.len()).max(claim as usize).min(FOLLOWED))
            }
            Err(_) => lie(self),
        }
    }

    /// True where a good record begins, or the input ends.
    fn is_good(&mut self, bytes: &[u8], ended: bool) -> bool {
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
        let mut cursor = Cursor::new(view);
        let (mut evidence, mut first, mut stride) = (0, None, None);
        let mut found = Chain { at: 0, stride: None, length: 0, items: 0 };
        for count in 1.. {
            let start = cursor.at();
            // The last ones of an array end where the next array begins.
            if count > 1 && plan.framing == Framing::Array {
                match self.begins_array(cursor) {
                    Ok(true) if is_enough(evidence, start / (count - 1)) => {
                        return (
                            Look::Yes(Chain { stride: stride.filter(|_| first.is_some()), ..found }),
                            start as u64,
                        );
                    }
                    Err(Miss { is_cut: true, .. }) if is_short => return (Look::Short, 0),
                    _ => {}
                }
            }
            let head = match cursor.peek() {
                Ok(head) if fits(&plan, head, cursor) && first.is_none_or(|first| first == head) => head,
                Err(Broken::Short(_)) if is_short => return (Look::Short, 0),
                _ => return (Look::No, start as u64 + 1),
            };
            let told = match self.step_over(&mut cursor) {
                Ok(told) => told,
                Err(Miss { is_cut: true, .. }) if is_short => return (Look::Short, 0),
                // What was read before it turned out to be none.
                Err(Miss { is_cut: true, .. }) => return (Look::No, view.len() as u64),
                Err(Miss { read, .. }) => return (Look::No, (start + LONG + read) as u64),
            };
            let length = (cursor.at() - start) as u64;
            if count == 1 {
                stride = Some(length);
                found = Chain { length, items: head.children() as u32, ..found };
            } else if stride != Some(length) {
                stride = None;
                // Of one dimension, but of numbers that take as many bytes as they need: many of them tell enough.
                let varies = match plan.content {
                    Content::Vector(_) => matches!(head, Head::Array(8..)),
                    Content::Items(_) => true,
                };
                if !varies {
                    return (Look::No, cursor.at() as u64);
                }
            }
            first = if matches!(plan.content, Content::Vector(_)) { Some(head) } else { None };
            evidence += told;
            let chain = Chain { stride: stride.filter(|_| first.is_some()), ..found };
            if count >= CHAIN && evidence >= EVIDENCE {
                return (Look::Yes(chain), cursor.at() as u64);
            }
            if cursor.rest().is_empty() {
                return match (at_end, is_short) {
                    (true, _) if is_enough(evidence, length as usize) => {
                        (Look::Yes(chain), cursor.at() as u64)
                    }
                    (false, true) => (Look::Short, 0),
                    _ => (Look::No, cursor.at() as u64),
                };
            }
        }
        (Look::No, 0)
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
                let good = pushed.is_ok()
                    && self.columns.holds_some()
                    && self.columns.push_missing(&plan).is_ok()
                    && self.columns.take_faults().is_empty();
                self.columns.roll_back();
                pushed?;
                if !good {
                    return Err(Miss { is_cut: false, read: cursor.at() - start });
                }
                if slots.is_map { 3 } else { 2 }
            }
        };
        let length = (cursor.at() - start) as u64;
        if length <= plan.max_record_bytes { Ok(told) } else { Err(Miss::default()) }
    }
}

/// No good record.
#[derive(Default)]
struct Miss {
    /// The bytes end before it does.
    is_cut: bool,
    /// How much of it was read to find out, about.
    read: usize,
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

/// Where the object at the start of `bytes` ends, or what is in it up to `to`; `None` where that is what nobody writes: text that
/// is no text, or 0xc1. Noise soon is.
fn tidy(bytes: &[u8], to: usize) -> Option<usize> {
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

/// True where an object begins at `place`, whatever it is inside of.
fn visits(bytes: &[u8], place: usize) -> bool {
    let mut at = 0;
    while at < place {
        let Ok((head, size)) = Head::read(&bytes[at..]) else { return false };
        at = usize::try_from(head.payload()).map_or(usize::MAX, |payload| at.saturating_add(size + payload));
    }
    at == place
}

/// Whether so many bytes are what they must be, in the last records of an array or input.
fn is_enough(evidence: usize, length: usize) -> bool {
    evidence >= EVIDENCE_AT_END || evidence >= 2 && length >= LONG
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

/// True where the bytes of `record` would be one if it had as many items as the next one, which is of the same kind.
fn is_like_next(record: &[u8], next: &[u8], items: u32) -> bool {
    let mut cursor = Cursor::new(record);
    let same = matches!(
        (cursor.head(), Cursor::new(next).head()),
        (Ok(Head::Map(_)), Ok(Head::Map(_))) | (Ok(Head::Array(_)), Ok(Head::Array(_)))
    );
    same && (0..items).all(|_| cursor.skip().is_ok()) && cursor.rest().is_empty()
}

#[cfg(test)]
#[path = "salvage_tests.rs"]
mod tests;
