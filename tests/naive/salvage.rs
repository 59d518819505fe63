//! The same for damaged files: what is behind a bad record tells whether it is one, and where the next one begins.

use vecpack::RejectKind;

use super::{Judged, Naive, Reading, Stop, end, head, is_vector, judge, numbers};
use crate::support::Note;

/// Good records in a row, from here on.
struct Chain {
    at: usize,
    stride: Option<usize>,
    items: u64,
}

/// What is known of what follows a bad record.
#[derive(Default)]
struct Trust {
    /// What begins before this is what it says.
    sure: usize,
    /// Nothing speaks for what begins here.
    is_astray: bool,
}

struct File<'a> {
    bytes: &'a [u8],
    dim: usize,
    reading: &'a Reading,
    max_record_bytes: u64,
}

impl File<'_> {
    /// Where the good record at `at` ends, and how many of its bytes are the same in all.
    fn good(&self, at: usize, view: usize) -> Option<(usize, usize)> {
        let bytes = &self.bytes[..view];
        let next = end(bytes, at).ok()?;
        let length = next - at;
        if !is_vector(bytes, at, self.dim, self.reading) || length as u64 > self.max_record_bytes {
            return None;
        }
        let (start, payload, ..) = head(bytes, at).ok()?;
        let Some(numbers) = numbers(bytes, at) else { return Some((next, (length - payload).min(8))) };
        if numbers.len() != self.dim {
            let elements = self.dim * self.reading.size();
            return Some((next, (length - elements).min(8)));
        }
        let floats = |marker| numbers.iter().all(|(found, _)| *found == marker);
        let markers = if floats(0xca) || floats(0xcb) { self.dim.min(8) } else { 0 };
        Some((next, start - at + markers))
    }

    fn look(&self) -> usize {
        (128 << 10).max(4 * (9 * self.dim + 1024))
    }

    fn chain(&self, start: usize) -> Option<Chain> {
        let view = self.bytes.len().min(start + self.look());
        let kind = |at| {
            head(self.bytes, at).ok().map(|(_, payload, objects, is_text)| {
                let is_str = matches!(self.bytes[at], 0xa0..=0xbf | 0xd9..=0xdb);
                (payload, objects, is_text, is_str)
            })
        };
        let items = head(self.bytes, start).ok()?.2;
        let (mut at, mut evidence, mut stride, mut count, mut misses, mut junk) = (start, 0, None, 0, 0, 0);
        let (mut length, mut first, mut is_miss) = (0, 0, false);
        loop {
            if count >= 3 && evidence >= 6 + if misses + junk > 0 { 2 } else { 0 } {
                return Some(Chain { at: start, stride, items });
            }
            let is_enough = match misses {
                0 => evidence >= 3 || evidence >= 2 && length >= 64,
                _ => evidence >= 6 && !is_miss,
            };
            if count > 0 && at == view {
                return (at == self.bytes.len() && is_enough).then_some(Chain { at: start, stride, items });
            }
            let good = |at: usize| self.good(at, view).filter(|_| kind(at) == kind(start));
            let Some((next, told)) = good(at) else {
                // Something short in between, or behind the last one?
                if count > 0 && misses + junk < 5 {
                    if let Some(next) = (at + 1..=at + 8).find(|&next| next < view && good(next).is_some()) {
                        (junk, stride, at) = (junk + 1, None, next);
                        continue;
                    }
                    if is_enough && view == self.bytes.len() && view - at <= 8 {
                        return Some(Chain { at: start, stride, items });
                    }
                }
                // A bad one, as long as the others?
                let next = at + stride?;
                (misses, is_miss) = (misses + 1, true);
                if misses > 5 || next > view {
                    return None;
                }
                at = next;
                continue;
            };
            length = next - at;
            if count == 0 {
                (stride, first) = (Some(length), length);
            } else if length != first {
                stride = None;
                if items < 8 {
                    return None;
                }
            }
            (count, evidence, is_miss, at) = (count + 1, evidence + told, false, next);
        }
    }

    fn first_chain(&self, from: usize, to: usize) -> Option<Chain> {
        (from..to.min(self.bytes.len())).find_map(|at| self.chain(at))
    }

    /// Where the object at `from` ends, or what is in it up to `to`; `None` where text in it is none, or it cannot be read.
    fn tidy(&self, from: usize, to: usize) -> Option<usize> {
        let (mut at, mut left) = (from, 1);
        while at < to && left > 0 {
            let (start, payload, objects, _) = match head(&self.bytes[..to], at) {
                Ok(head) => head,
                Err(Stop::Cut) => break,
                Err(Stop::Reserved(_)) => return None,
            };
            let is_str = matches!(self.bytes[at], 0xa0..=0xbf | 0xd9..=0xdb);
            at = start + payload;
            left = left - 1 + objects;
            if is_str && at <= to && std::str::from_utf8(&self.bytes[start..at]).is_err() {
                return None;
            }
        }
        Some(at)
    }

    /// Whether text in the object from `at` to `to` is neither text nor a vector.
    fn has_odd_text(&self, mut at: usize, to: usize) -> bool {
        while at < to {
            let (start, payload, ..) = head(self.bytes, at).unwrap();
            let is_str = matches!(self.bytes[at], 0xa0..=0xbf | 0xd9..=0xdb);
            at = start + payload;
            let is_vector = payload == self.dim * self.reading.size();
            if is_str && !is_vector && std::str::from_utf8(&self.bytes[start..at]).is_err() {
                return true;
            }
        }
        false
    }

    /// Whether another object of the same kind follows one.
    fn is_alike(&self, at: usize, end: usize) -> bool {
        head(self.bytes, end).is_ok() && kind_of(self.bytes[at]) == kind_of(self.bytes[end])
    }

    /// Whether the object at `place` is a key in the one at `at`, or behind a key that holds others.
    fn is_for_key(&self, mut at: usize, place: usize) -> bool {
        // Whether they are maps, how many objects are left of them and were passed, and whether a key held others.
        let mut open: Vec<(bool, u64, u64, bool)> = Vec::new();
        loop {
            let Ok((start, payload, objects, _)) = head(self.bytes, at) else { return false };
            let is_map = matches!(self.bytes[at], 0x80..=0x8f | 0xde | 0xdf);
            let mut is_odd = false;
            if let Some((is_map, left, passed, has_odd)) = open.last_mut() {
                let is_key = *is_map && *passed % 2 == 0;
                if at == place {
                    return *has_odd || is_key;
                }
                *has_odd |= is_key && objects > 0;
                is_odd = *has_odd;
                (*left, *passed) = (*left - 1, *passed + 1);
            }
            if objects > 0 {
                if open.len() == 128 {
                    return false;
                }
                open.push((is_map, objects, 0, is_odd));
            }
            while open.pop_if(|(_, left, ..)| *left == 0).is_some() {}
            at = start + payload;
            if at > place || open.is_empty() {
                return false;
            }
        }
    }

    /// Whether the object at `at` is what it says though the chain lies inside of it.
    fn holds(&self, at: usize, chain: &Chain, is_astray: bool) -> bool {
        let (start, payload, objects, _) = head(self.bytes, at).unwrap();
        let is_followed = |end: usize| {
            let look = self.bytes.len().min(end.saturating_add(self.look()));
            end == self.bytes.len() || end < self.bytes.len() && self.good(end, look).is_some()
        };
        if objects == 0 {
            let (end, begins) = (start + payload, chain.at == start);
            let is_another = || {
                let content = head(self.bytes, end).map_or(end, |(start, ..)| start);
                self.is_alike(at, end) && content < self.bytes.len() && is_followed(content)
            };
            let follows = is_followed(end) || begins && is_another();
            let is_near = end - at <= 4 << 20;
            return is_near && follows && (begins || !is_astray && !self.has_odd_text(at, end));
        }
        // Nobody's keys are vectors, but short bytes may be a name.
        let next = self.good(chain.at, self.bytes.len()).map_or(chain.at, |(end, _)| end);
        let is_key = |place: usize| self.is_for_key(at, place);
        if next - chain.at >= 64
            && (is_key(chain.at) || next < self.bytes.len() && is_followed(next) && is_key(next))
        {
            return false;
        }
        if chain.stride == Some(chain.at - at) {
            return false;
        }
        let is_array = |at: usize| matches!(self.bytes[at], 0x90..=0x9f | 0xdc | 0xdd);
        if is_array(at) && is_array(chain.at) {
            let items = (0..chain.items).try_fold(start, |at, _| end(&self.bytes[..chain.at], at));
            if items.is_ok_and(|end| end == chain.at) {
                return false;
            }
        }
        if chain.at == start {
            let view = self.bytes.len().min(at + (4 << 20));
            let claim = objects.saturating_mul(end(self.bytes, start).unwrap() as u64 - start as u64);
            let last = end(&self.bytes[..view], at);
            return claim <= 4 << 20 && last.is_ok_and(|last| !is_astray || !is_followed(last));
        }
        let mixed = if is_astray { 4 } else { 16 };
        let mut kinds = Kinds { bytes: self.bytes, to: chain.at, mixed, reached: false };
        if kinds.walk(at).is_none() || !kinds.reached {
            return false;
        }
        let view = self.bytes.len().min(at + (4 << 20));
        objects <= 4 << 20
            && end(&self.bytes[..view], at).is_ok_and(|end| is_followed(end) || self.is_alike(at, end))
    }

    /// The first good record between `from` and the chain, where the bad one at `start` is damage up to there; or the chain.
    fn first_in_gap(&self, start: usize, from: usize, chain: &Chain) -> usize {
        let kind = |at| {
            head(self.bytes, at).ok().map(|(_, payload, objects, is_text)| {
                (payload, objects, is_text, matches!(self.bytes[at], 0xa0..=0xbf | 0xd9..=0xdb))
            })
        };
        let length = end(self.bytes, chain.at).unwrap() - chain.at;
        let is_one = |place: usize| {
            let (mut at, mut told) = (place, 0);
            while told < 6 {
                let Some((next, more)) = self.good(at, chain.at).filter(|_| kind(at) == kind(chain.at))
                else {
                    return false;
                };
                let aligned =
                    (place - start).is_multiple_of(length) || (chain.at - place).is_multiple_of(length);
                if next - place == length && aligned {
                    return true;
                }
                (at, told) = (next, told + more);
            }
            true
        };
        (from..chain.at).find(|&place| is_one(place)).unwrap_or(chain.at)
    }

    /// Where the records behind the damage begin that the bad record at `start` is; `None` if it is none, or nothing is. What
    /// begins before `sure` is none.
    fn gap(&self, start: usize, trust: &mut Trust) -> Option<usize> {
        if start < trust.sure {
            return None;
        }
        let step = self.look() / 2;
        let limit = (((start + self.look()) / step + 1) * step).min(self.bytes.len());
        let broken = match end(self.bytes, start) {
            Ok(_) => None,
            Err(Stop::Cut) => Some(self.bytes.len()),
            Err(Stop::Reserved(at)) => Some(at),
        };
        let whole = end(self.bytes, start).unwrap_or(self.bytes.len());
        let Some(chain) = self.first_chain(start + 1, limit) else {
            let may_hold_others = |(_, payload, objects, _)| match objects {
                0 => payload > 4 << 20,
                _ => self.tidy(start, limit).is_none(),
            };
            trust.is_astray |= is_number(self.bytes[start]) && head(self.bytes, start).is_ok();
            if broken.is_none() && !head(self.bytes, start).is_ok_and(may_hold_others) {
                return None;
            }
            return self.first_chain(limit, whole).map(|chain| chain.at);
        };
        let gap = |from, chain: &Chain| Some(self.first_in_gap(start, from, chain));
        let (mut at, mut objects, mut numbers, mut is_tidy) = (start, 0, false, true);
        let mut reached = (chain.at, chain.stride);
        while at < chain.at {
            if at > start
                && let Some((next, _)) = self.good(at, chain.at)
            {
                reached = (at, Some(next - at));
                break;
            }
            numbers |= is_number(self.bytes[at]) && head(self.bytes, at).is_ok();
            match end(&self.bytes[..chain.at], at) {
                Ok(next) => {
                    is_tidy &= !self.has_odd_text(at, next);
                    (at, objects) = (next, objects + 1);
                }
                Err(Stop::Reserved(_)) => return gap(start + 1, &chain),
                Err(Stop::Cut) => break,
            }
        }
        if at == reached.0 {
            let length = at - start;
            let records = reached
                .1
                .is_some_and(|stride| length == stride || stride >= 64 && length.is_multiple_of(stride));
            let is_text = matches!(self.bytes[at], 0xa0..=0xbf | 0xd9..=0xdb);
            if objects > 1 && (numbers && records || !is_tidy && !is_text) {
                let length = end(self.bytes, at).unwrap() - at;
                return Some(self.first_in_gap(
                    start,
                    start + 1,
                    &Chain { at, stride: Some(length), items: 0 },
                ));
            }
            trust.sure = at;
            trust.is_astray |= numbers || !is_tidy;
            return None;
        }
        // It claims more than any record may.
        let endless = head(self.bytes, start)
            .is_ok_and(|(_, payload, objects, _)| objects.max(payload as u64) > self.max_record_bytes);
        if at == start && endless {
            return gap(start + 1, &chain);
        }
        if !self.holds(at, &chain, trust.is_astray || numbers || !is_tidy) {
            return gap(start + 1, &chain);
        }
        trust.sure = end(self.bytes, at).unwrap_or(at);
        trust.is_astray |= numbers || !is_tidy;
        match broken {
            Some(broken) if at == start => {
                let chain = self.first_chain(broken + 1, self.bytes.len())?;
                if chain.at < limit { gap(broken + 1, &chain) } else { Some(chain.at) }
            }
            _ => None,
        }
    }
}

fn is_number(marker: u8) -> bool {
    matches!(marker, 0..=0x7f | 0xc2 | 0xc3 | 0xca..=0xd3 | 0xe0..)
}

fn kind_of(marker: u8) -> char {
    match marker {
        0x80..=0x8f | 0xde | 0xdf => 'm',
        0x90..=0x9f | 0xdc | 0xdd => 'a',
        0xa0..=0xbf | 0xd9..=0xdb => 's',
        0xc4..=0xc6 => 'b',
        0xc7..=0xc9 | 0xd4..=0xd8 => 'e',
        _ => 'n',
    }
}

/// Walks what somebody wrote.
struct Kinds<'a> {
    bytes: &'a [u8],
    to: usize,
    mixed: u64,
    /// An object begins at `to`.
    reached: bool,
}

impl Kinds<'_> {
    /// Where the object at `at` ends, or the first one in it that begins at `to` or behind it; `None` where nobody writes what comes
    /// before that.
    fn walk(&mut self, at: usize) -> Option<usize> {
        let (start, payload, objects, _) = head(self.bytes, at).ok()?;
        let marker = self.bytes[at];
        let is_map = matches!(marker, 0x80..=0x8f | 0xde | 0xdf);
        let mut next = start + payload;
        if matches!(marker, 0xa0..=0xbf | 0xd9..=0xdb) && next <= self.to {
            std::str::from_utf8(&self.bytes[start..next]).ok()?;
        }
        let mut kinds = [None; 2];
        for item in 0..objects {
            if next > self.to {
                return Some(next);
            }
            let kind = kind_of(self.bytes[next]);
            let known = &mut kinds[usize::from(is_map && item % 2 == 1)];
            if objects > self.mixed && *known.get_or_insert(kind) != kind {
                return None;
            }
            if next == self.to {
                self.reached = true;
                let length = end(self.bytes, next).unwrap() - next;
                return ((objects - item).saturating_mul(length as u64) <= 4 << 20).then_some(next);
            }
            next = self.walk(next)?;
            if self.reached {
                return Some(next);
            }
        }
        Some(next)
    }
}

pub(crate) fn salvage(
    files: &[(String, Vec<u8>)],
    dim: usize,
    reading: &Reading,
    nulls: bool,
    max_record_bytes: u64,
) -> Naive {
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let file = File { bytes, dim, reading, max_record_bytes };
        let (mut at, mut record, mut trust) = (0, 0, Trust::default());
        while at < bytes.len() {
            let (mut next, mut kind) = match judge(bytes, at, dim, reading, max_record_bytes) {
                Judged::Row(row, next) => {
                    rows.push(Some(row));
                    (at, record, trust) = (next, record + 1, Trust::default());
                    continue;
                }
                Judged::Bad(next, kind) => (next, kind),
            };
            match file.gap(at, &mut trust) {
                Some(found) => (next, kind) = (found, RejectKind::Invalid),
                None if nulls && !matches!(kind, RejectKind::Invalid | RejectKind::Truncated) => {
                    rows.push(None)
                }
                None => {}
            }
            let (offset, length) = (at as u64, (next - at) as u64);
            notes.push(Note { file: name.clone(), record, offset, length, kind });
            (at, record) = (next, record + 1);
        }
    }
    Naive { dim, rows, notes }
}
