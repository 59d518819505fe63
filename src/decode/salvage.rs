//! Behind damaged bytes: where the next record begins, and whether what lies before it is damage at all.
//!
//! A bad record is what it says, a record that is no row, unless the records behind it contradict it: good ones, several in a
//! row, that begin where reading on from the bad one never comes. Then the bytes up to them are a gap. All of this follows
//! from the bytes behind the bad record and the bad ones right in front of it, so that neither threads nor the sizes of blocks
//! change it.

use super::chain::{Chain, LONG, Look, has_odd_text};
use super::position::less;
use super::swallow::{FOLLOWED, Swallowed, View, tidy};
use super::{Decoder, UNKNOWN};
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, OnError};
use crate::record::{Column, Content, Plan};

/// Behind a container that was a lie, this many bytes of another are looked at for each byte in between.
const TRUST: u64 = 64;
/// How far behind a bad record others are looked for before it is believed, and the most bytes that a few records in a row
/// may take. Records with long vectors get more.
pub(super) const LOOK: usize = 128 << 10;
/// Vectors that are longer are not looked for.
const LONGEST: usize = 1 << 20;
/// What looking at places may cost, a byte that is passed, besides what is free at first. Beyond it bytes are passed without a
/// look: an input must not be searched for much longer than reading it takes.
const COST: u64 = 64;
const FREE: u64 = 32 << 20;

/// The search for good records, since the last one.
#[derive(Debug)]
pub(super) struct Search {
    start: u64,
    /// None begins before this, behind where the search was asked for, but the one that was found.
    until: u64,
    found: Option<Chain>,
    /// What begins before this is what it says.
    sure: u64,
    /// True behind what looks like noise: who knows whether a record begins there.
    is_astray: bool,
    /// What it cost so far, and what was still owed for others when it began.
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

/// What was seen of an array on the way from a bad record to a good one.
struct Array {
    /// How many records it has left, as far as its count is to be believed.
    left: Option<u64>,
    /// Where it begins, if that is behind the bad record.
    begin: Option<usize>,
    objects: u64,
    /// Whether all of these may be records.
    are_alike: bool,
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
pub(super) fn is_container(byte: u8) -> bool {
    matches!(byte, 0x80..=0x9f | 0xdc..=0xdf)
}

/// False for the first bytes of what is never a record: numbers, booleans, nil.
pub(crate) fn may_begin(byte: u8) -> bool {
    matches!(byte, 0x80..=0xbf | 0xc4..=0xc9 | 0xd4..=0xdf)
}

impl Decoder {
    /// True where bad records have not been left behind yet.
    pub(crate) fn is_searching(&self) -> bool {
        let longest = self.plan.max_record_bytes.max(FOLLOWED as u64);
        self.search.is_some() && !self.is_at_found() || self.trust() < longest || self.owed() > 0
    }

    /// What searches cost that is not paid for yet by the bytes behind them.
    fn owed(&self) -> u64 {
        let (offset, cost) = self.owed;
        cost.saturating_sub(COST.saturating_mul(self.position.offset - offset))
    }

    /// True at the first of the good records that were found behind bad ones.
    fn is_at_found(&self) -> bool {
        let found = self.search.as_ref().and_then(|search| search.found);
        found.is_some_and(|chain| chain.at == self.position.offset)
    }

    /// How many bytes of a container at hand are looked at before the records behind are asked: after one that was a lie, the more
    /// the further that one is away.
    pub(super) fn trust(&self) -> u64 {
        self.lied.map_or(u64::MAX, |lied| TRUST.saturating_mul(self.position.offset.saturating_sub(lied)))
    }

    /// How many bytes the record at the start of `bytes` may take without a doubt.
    pub(super) fn most_believed(&self, bytes: &[u8]) -> usize {
        let is_good = self.is_at_found() || self.gap_end == Some(self.position.offset);
        let is_known = is_good || self.is_sure() || !is_container(bytes[0]);
        if is_known { usize::MAX } else { usize::try_from(self.trust()).unwrap_or(usize::MAX) }
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
                cost: self.owed(),
                is_cut: false,
            }
        })
    }

    /// Ends a search at a good record.
    pub(super) fn leave_search(&mut self) {
        if let Some(search) = self.search.take() {
            let offset = self.position.offset;
            let Search { start, until, found, cost, is_cut, .. } = search;
            self.owed = (offset, cost.saturating_sub(COST * (offset - start)));
            self.searched = if is_cut { None } else { Some(Searched { until, found }) };
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
        search.is_astray |= matches!(verdict, Verdict::Nothing(_)) && is_number(bytes);
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
            let mut array = Array { left: self.position.left, begin: None, objects: 0, are_alike: true };
            let good = Head::read(&bytes[place..]).map_or(Head::Nil, |(head, _)| head);
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
                if at > 0 && self.plan.framing == Framing::Array && self.may_be_head(&bytes[at..place]) {
                    let is_known =
                        array.left.is_some_and(|left| left != UNKNOWN) && !self.position.is_doubtful;
                    let is_head = match array.left {
                        // The records in front of it were counted elsewhere.
                        None => {
                            self.position.is_doubtful = true;
                            false
                        }
                        Some(left) if is_known => left == 0,
                        Some(_) => self.begins_like_array(&bytes[at..place]),
                    };
                    if is_head && let Ok(Head::Array(items)) = cursor.head() {
                        array = Array {
                            left: array.left.map(|_| items.into()),
                            begin: Some(at),
                            objects: 0,
                            are_alike: true,
                        };
                        at += cursor.at();
                        continue;
                    }
                }
                numbers |= is_number(&bytes[at..]);
                match cursor.skip() {
                    Ok(()) => {
                        array.objects += 1;
                        array.left = array.left.map(|left| less(left, 1));
                        array.are_alike &=
                            Head::read(&bytes[at..]).is_ok_and(|(head, _)| self.is_alike(head, good));
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
                // Several bad records, or the pieces of one?
                search.sure = chain.at;
                if array.objects > 1 && !array.are_alike && self.plan.framing == Framing::Array {
                    match array.begin {
                        None => self.position.is_doubtful = true,
                        // That is seen once more where its records are counted.
                        Some(begin) => search.sure = start + begin as u64,
                    }
                }
                search.is_astray |= numbers || !is_tidy;
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
                ended,
                is_astray: search.is_astray || numbers || !is_tidy,
                is_whole: at > 0 || bad == Bad::Whole,
            };
            match self.swallows(&bytes[at..], place - at, view, chain) {
                Swallowed::Damage => return self.gap(bytes, from, place, chain),
                Swallowed::Sound(end) => {
                    search.sure = start + (at + end.unwrap_or(0)) as u64;
                    search.is_astray |= numbers || !is_tidy;
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
            if let Some(debt @ 1..) = search.cost.checked_sub(FREE + COST * (search.until - search.start)) {
                (search.until, search.is_cut) = (search.until + debt.div_ceil(COST), true);
                continue;
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
}

/// True for a number or a boolean.
fn is_number(bytes: &[u8]) -> bool {
    let head = Cursor::new(bytes).head();
    matches!(head, Ok(Head::UInt(_) | Head::Int(_) | Head::Float32(_) | Head::Float64(_) | Head::Bool(_)))
}

#[cfg(test)]
#[path = "salvage_tests.rs"]
mod tests;
