//! Arrays of records, one behind another: where the next one begins, if damage may have changed how many records are left.

use super::chain::{Chain, Look};
use super::record::Fault;
use super::salvage::{LOOK, is_container};
use super::swallow::is_own;
use super::{Decoder, UNKNOWN};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::options::Framing;
use crate::record::Content;
use crate::reject::RejectKind;

/// So many bad records may be the first ones of an array.
const BAD_FIRST: u32 = 16;
/// A list of so many may be a bad record.
const FEW: u32 = 16;
/// How many records' lengths it may take.
const LIST: u64 = 64;
/// Bytes of the longest head of an array.
const LONGEST_HEAD: usize = 5;

/// What stands where the next array may begin.
enum Next {
    /// Its head, of so many bytes and for so many records; the first good one is so long.
    Head(usize, u64, u64),
    None,
    /// More bytes will tell.
    Short,
}

impl Decoder {
    /// True where evidence is to tell where the next array begins, and not the count alone.
    pub(super) fn doubts_count(&self) -> bool {
        self.position.left == Some(UNKNOWN) || self.position.is_doubtful && self.position.left.is_some()
    }

    /// The head of the next array, if there is one at the start of `bytes` with good records behind it.
    fn next_array(&mut self, bytes: &[u8], ended: bool) -> Next {
        let look = self.look.unwrap_or(LOOK);
        let most = usize::try_from(self.trust()).map_or(2 * look, |trusted| trusted.clamp(64, 2 * look));
        let mut cursor = Cursor::new(&bytes[..bytes.len().min(most)]);
        let Ok(Head::Array(items @ 1..)) = cursor.head() else { return Next::None };
        let taken = cursor.at();
        // The first ones may be bad.
        for _ in 0..items.min(BAD_FIRST) {
            match self.look_at(&bytes[cursor.at()..], ended, &mut 0) {
                Look::Yes(chain) => return Next::Head(taken, items.into(), chain.length),
                Look::No => {}
                Look::Short => return Next::Short,
            }
            match cursor.peek() {
                Ok(head) if self.is_like_records(head) => {}
                _ => return Next::None,
            }
            let begin = cursor.at();
            let skipped = cursor.skip();
            self.looked += (cursor.at() - begin) as u64;
            if skipped.is_err() {
                return if bytes.len() < most && !ended { Next::Short } else { Next::None };
            }
        }
        Next::None
    }

    /// Begins the array whose head was found by what is behind it.
    fn enter(&mut self, records: u64, is_doubtful: bool) {
        (self.position.left, self.position.is_doubtful) = (Some(records), is_doubtful);
        self.saw_head = true;
        self.leave_search();
    }

    /// Deals with an array of records in the place of a record: it is the next array, whatever the count says. `None` if there is none.
    pub(super) fn ends_early(&mut self, bytes: &[u8], ended: bool) -> Option<Result<usize>> {
        if self.plan.framing != Framing::Array {
            return None;
        }
        let (taken, records, length) = match self.next_array(bytes, ended) {
            Next::Head(taken, records, length) => (taken, records, length),
            Next::Short => return Some(Ok(self.ask_for_arrays())),
            Next::None => return None,
        };
        match self.position.left {
            // Whoever knows the count is to judge.
            None => {
                self.position.is_doubtful = true;
                return None;
            }
            // What the head says is doubtful as well: a piece of a record may look like one.
            Some(_) if self.doubts_count() => self.enter(records, true),
            Some(left) => {
                match self.is_list_among_records(bytes, length, ended) {
                    Some(is_list) if is_list && left > 1 => return None,
                    Some(_) => {}
                    None => return Some(Ok(self.ask_for_arrays())),
                }
                let expected = format!("{left} more of the records that the array announces");
                let found = "the head of another array".to_owned();
                if let Err(error) = self.reject_missing(Fault::input(RejectKind::Truncated, expected, found))
                {
                    return Some(Err(error));
                }
                self.enter(records, false);
            }
        }
        Some(Ok(taken))
    }

    /// True for a short list of what looks like records of this `length` in the place of one, if a good one follows it. `None` asks for
    /// more bytes.
    fn is_list_among_records(&mut self, bytes: &[u8], length: u64, ended: bool) -> Option<bool> {
        let look = self.look.unwrap_or(LOOK);
        let most = usize::try_from(LIST * length).map_or(look, |most| most.min(look));
        let mut cursor = Cursor::new(&bytes[..bytes.len().min(most)]);
        if !matches!(cursor.peek(), Ok(Head::Array(..=FEW))) {
            return Some(false);
        }
        let skipped = cursor.skip();
        self.looked += cursor.at() as u64;
        if skipped.is_err() {
            return if bytes.len() < most && !ended { None } else { Some(false) };
        }
        if bytes.len() < cursor.at() + look && !ended {
            return None;
        }
        let behind = &bytes[cursor.at()..];
        Some(!behind.is_empty() && self.is_good(behind, ended))
    }

    /// Rejects what is not there: the rest of an array, or the head of one.
    fn reject_missing(&mut self, fault: Fault) -> Result<()> {
        self.reject(fault, self.position.offset, 0)?;
        self.position.record += 1;
        self.records += 1;
        Ok(())
    }

    fn ask_for_arrays(&mut self) -> usize {
        self.ask(3 * self.look.unwrap_or(0))
    }

    /// Deals with what stands where the head of an array should, if that is damaged or missing, as the records behind tell. `None` leaves
    /// it to the count.
    pub(super) fn behind_count(&mut self, bytes: &[u8], ended: bool) -> Option<Result<usize>> {
        if self.plan.framing != Framing::Array || self.look.is_none() {
            return None;
        }
        if self.position.is_doubtful {
            return self.behind_doubtful(bytes, ended);
        }
        let (head, size) = Head::read(bytes).ok()?;
        let is_array = match head {
            Head::Array(0) => return None,
            Head::Array(_) if self.begins_with_good(&bytes[size..]) => return None,
            Head::Array(_) => match self.next_array(bytes, ended) {
                Next::Head(..) => return None,
                Next::Short => return Some(Ok(self.ask_for_arrays())),
                Next::None => true,
            },
            _ => false,
        };
        match self.begins_chain(bytes, ended) {
            Some(true) => return Some(self.go_on_without_head(head, bytes, ended)),
            Some(false) => {}
            None => return Some(Ok(self.ask_for_arrays())),
        }
        match self.behind_damaged_head(bytes, ended) {
            Look::Yes(chain) => {
                if is_container(bytes[0]) {
                    self.lied = Some(self.position.offset);
                }
                let fault = Fault::of_framing(self.plan.framing, head);
                return Some(self.close_gap(chain, &fault, self.position.offset));
            }
            Look::No => {}
            Look::Short => return Some(Ok(self.ask_for_arrays())),
        }
        if is_array {
            return None;
        }
        self.saw_head = true;
        Some(self.no_head(head, bytes, ended))
    }

    /// Goes on with records that stand where the head of an array should.
    fn go_on_without_head(&mut self, head: Head, bytes: &[u8], ended: bool) -> Result<usize> {
        self.reject_missing(Fault::of_framing(self.plan.framing, head))?;
        (self.position.left, self.saw_head) = (Some(UNKNOWN), true);
        self.decode_record(bytes, ended)
    }

    /// The records behind a head that is damaged: they begin where it ends, if it is as long as heads are.
    fn behind_damaged_head(&mut self, bytes: &[u8], ended: bool) -> Look {
        for place in 1..bytes.len().min(LONGEST_HEAD + 1) {
            let rest = &bytes[place..];
            match self.begins_next(rest, ended) {
                Look::No => {}
                // What is in front of it is something else.
                Look::Yes(_) => return Look::No,
                Look::Short => return Look::Short,
            }
            match self.look_at(rest, ended, &mut 0) {
                Look::No => {}
                Look::Yes(chain) => {
                    return match self.is_between_arrays(bytes, place, ended) {
                        Some(false) => Look::Yes(Chain { at: self.position.offset + place as u64, ..chain }),
                        Some(true) => Look::No,
                        None => Look::Short,
                    };
                }
                Look::Short => return Look::Short,
            }
        }
        if bytes.len() <= LONGEST_HEAD && !ended { Look::Short } else { Look::No }
    }

    /// The good records of an array whose head is at the start of `bytes`, if it begins with them.
    fn begins_next(&mut self, bytes: &[u8], ended: bool) -> Look {
        match Head::read(bytes) {
            Ok((Head::Array(1..), size)) => self.look_at(&bytes[size..], ended, &mut 0),
            _ => Look::No,
        }
    }

    /// Whether the object at the start of `bytes`, in which good records begin at `place`, is one that somebody wrote between two arrays, or
    /// behind the last one. `None` asks for more bytes.
    fn is_between_arrays(&mut self, bytes: &[u8], place: usize, ended: bool) -> Option<bool> {
        let look = self.look.unwrap_or(LOOK);
        let most = usize::try_from(self.trust()).map_or(look, |trusted| trusted.clamp(64, look));
        let mut cursor = Cursor::new(&bytes[..bytes.len().min(most)]);
        // Nobody has records for keys.
        if matches!(Head::read(bytes), Ok((Head::Map(_), size)) if size == place) {
            return Some(false);
        }
        let skipped = cursor.skip();
        self.looked += cursor.at() as u64;
        if skipped.is_err() {
            return if bytes.len() < most && !ended { None } else { Some(false) };
        }
        let behind = &bytes[cursor.at()..];
        if cursor.at() <= place {
            return Some(false);
        }
        if behind.is_empty() {
            return if ended { Some(true) } else { None };
        }
        match self.begins_next(behind, ended) {
            Look::Yes(_) => Some(true),
            Look::No => Some(false),
            Look::Short => None,
        }
    }

    /// Whether a good record begins `bytes`.
    fn begins_with_good(&mut self, bytes: &[u8]) -> bool {
        !bytes.is_empty() && self.is_good(bytes, false)
    }

    /// Deals with what stands where an array has no records left by a doubtful count: the head of the next one, or more records of
    /// this one. `None` leaves it to the count.
    fn behind_doubtful(&mut self, bytes: &[u8], ended: bool) -> Option<Result<usize>> {
        match Head::read(bytes) {
            Ok((Head::Array(0), _)) | Err(_) => return None,
            Ok((Head::Array(_), _)) => match self.next_array(bytes, ended) {
                Next::Short => return Some(Ok(self.ask_for_arrays())),
                Next::Head(taken, records, _) => {
                    // It is where the count says: that was right.
                    self.enter(records, false);
                    return Some(Ok(taken));
                }
                Next::None if self.begins_like_array(bytes) => return None,
                Next::None => {}
            },
            Ok(_) => {}
        }
        self.position.left = Some(UNKNOWN);
        Some(self.decode_record(bytes, ended))
    }

    /// True for a bad record that has a good one inside of it which is not its own: that was one of the array. The error asks for so
    /// many bytes.
    pub(super) fn holds_another(&mut self, bytes: &[u8], ended: bool) -> Result<bool, usize> {
        let look = self.look.unwrap_or(LOOK);
        let view = &bytes[..bytes.len().min(look)];
        let (mut at, mut left, mut cost, mut place) = (0, 1, 0, None);
        while left > 0 {
            let Ok((head, size)) = Head::read(view.get(at..).unwrap_or_default()) else {
                return if bytes.len() < look && !ended { Err(look) } else { Ok(place.is_some()) };
            };
            if at > 0 && place.is_none() && head != Head::Nil && self.is_like_records(head) && cost <= 4 * at
            {
                match self.good(&mut Cursor::starting_at(view, at), None) {
                    Ok(_) => place = Some(at),
                    Err(miss) => cost += miss.read,
                }
            }
            at = usize::try_from(head.payload())
                .map_or(usize::MAX, |payload| at.saturating_add(size + payload));
            left = left - 1 + head.children();
        }
        self.looked += (cost + at.min(view.len())) as u64;
        let Some(place) = place else { return Ok(false) };
        if self.is_vectors() || at > view.len() {
            return Ok(true);
        }
        let needed = at + look;
        if bytes.len() < needed && !ended {
            return Err(needed);
        }
        Ok(!is_own(&bytes[..at], place, &bytes[at..]))
    }

    /// True for an array whose first item is what a record may be.
    pub(super) fn begins_like_array(&self, bytes: &[u8]) -> bool {
        let mut cursor = Cursor::new(bytes);
        let is_array = matches!(cursor.head(), Ok(Head::Array(1..)));
        is_array && cursor.peek().is_ok_and(|head| self.is_like_records(head))
    }

    /// True for what may be the head of the next array among objects: where it is known that it is its place, and where it is not,
    /// this must be told alike. Records that are arrays themselves are told by their items.
    pub(super) fn may_be_head(&self, bytes: &[u8]) -> bool {
        let Ok((Head::Array(items), _)) = Head::read(bytes) else { return false };
        items != self.items_of_records() || self.begins_like_array(bytes)
    }

    /// How many items records have that are arrays; `u32::MAX` if they are none.
    fn items_of_records(&self) -> u32 {
        match &self.plan.content {
            Content::Items(slots) if !slots.is_map => slots.items,
            Content::Vector(Some(column)) => {
                self.plan.columns[*column].dim().and_then(|dim| u32::try_from(dim).ok()).unwrap_or(u32::MAX)
            }
            _ => u32::MAX,
        }
    }

    /// True for the head of a record, or of what somebody wrote instead of one, as far as that is known from the head.
    pub(super) fn is_like_records(&self, head: Head) -> bool {
        match (&self.plan.content, head) {
            (_, Head::Nil) => true,
            (Content::Items(slots), Head::Map(_)) => slots.is_map,
            (Content::Items(slots), Head::Array(items)) => {
                !slots.is_map && (slots.items == 0 || slots.items == items)
            }
            (Content::Vector(_), head) => {
                matches!(head, Head::Str(_) | Head::Bin(_) | Head::Array(_) | Head::Map(_) | Head::Ext(..))
            }
            _ => false,
        }
    }

    /// True for the head of a bad record of which several in a row are no pieces of one: it is like the one of a `good` record.
    pub(super) fn is_alike(&self, head: Head, good: Head) -> bool {
        match (&self.plan.content, head) {
            (Content::Vector(_), Head::Nil) => true,
            (Content::Vector(_), head) => std::mem::discriminant(&head) == std::mem::discriminant(&good),
            (Content::Items(_), Head::Nil) => false,
            (Content::Items(_), head) => self.is_like_records(head),
        }
    }
}
