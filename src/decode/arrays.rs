//! Arrays of records, one behind another: where the next one begins, if damage may have changed how many records are left.

use super::salvage::LOOK;
use super::swallow::is_own;
use super::{Decoder, UNKNOWN};
use crate::error::Result;
use crate::msgpack::{Cursor, Head};
use crate::record::Content;

/// So many bad records may be the first ones of an array.
const BAD_FIRST: u32 = 16;

impl Decoder {
    /// True where evidence is to tell where the next array begins, and not the count alone.
    pub(super) fn doubts_count(&self) -> bool {
        self.position.left == Some(UNKNOWN) || self.position.is_doubtful && self.position.left.is_some()
    }

    /// The head of the next array, if there is one at the start of `bytes` with good records behind it, where nobody knows how many
    /// records an array has left. 0 asks for more bytes. What it says is doubtful as well: a piece of a record may look like one.
    pub(super) fn next_array(&mut self, bytes: &[u8], ended: bool) -> Option<usize> {
        let look = self.look.unwrap_or(LOOK);
        let most = usize::try_from(self.trust()).map_or(2 * look, |trusted| trusted.clamp(64, 2 * look));
        let mut cursor = Cursor::new(&bytes[..bytes.len().min(most)]);
        let Ok(Head::Array(items @ 1..)) = cursor.head() else { return None };
        let taken = cursor.at();
        // The first ones may be bad.
        for _ in 0..items.min(BAD_FIRST) {
            match self.begins_chain(&bytes[cursor.at()..], ended) {
                Some(true) => {
                    (self.position.left, self.position.is_doubtful) = (Some(items.into()), true);
                    self.saw_head = true;
                    self.leave_search();
                    return Some(taken);
                }
                Some(false) => {}
                None => return Some(0),
            }
            match cursor.peek() {
                Ok(head) if self.is_like_records(head) => {}
                _ => return None,
            }
            let begin = cursor.at();
            let skipped = cursor.skip();
            self.looked += (cursor.at() - begin) as u64;
            if skipped.is_err() {
                return if bytes.len() < most && !ended { Some(0) } else { None };
            }
        }
        None
    }

    /// Deals with what stands where an array has no records left by a doubtful count: the head of the next one, or more records of
    /// this one. `None` leaves it to the count.
    pub(super) fn behind_doubtful(&mut self, bytes: &[u8], ended: bool) -> Option<Result<usize>> {
        match Head::read(bytes) {
            Ok((Head::Array(0), _)) | Err(_) => return None,
            Ok((Head::Array(_), _)) => match self.next_array(bytes, ended) {
                Some(0) => return Some(Ok(self.ask(3 * self.look.unwrap_or(0)))),
                Some(taken) => {
                    // It is where the count says: that was right.
                    self.position.is_doubtful = false;
                    return Some(Ok(taken));
                }
                None if self.begins_like_array(bytes) => return None,
                None => {}
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
