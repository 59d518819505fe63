//! Records that differ in their elements only.

use std::sync::Arc;

use super::convert::Format;
use super::encoding::{Elements, Encoded, Encoding, is_npy};
use crate::msgpack::starts_with;

/// What stands before and behind the elements of a vector record, and what the elements are.
///
/// Records of one template have one length. So where one of them is followed by others like it, their places are known
/// without walking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    before: Arc<[u8]>,
    elements: usize,
    behind: Arc<[u8]>,
    format: Format,
    /// The elements are any bytes: in another record they may be a file.
    is_untyped: bool,
}

impl Template {
    /// The template of `record`, which is the vector `encoded` and nothing else; `None` where other records cannot be like it.
    pub(crate) fn of(record: &[u8], encoded: &Encoded<'_>) -> Option<Self> {
        let Elements { format, bytes: elements } = &encoded.elements;
        if encoded.rows != 1 || *format == Format::Numbers {
            return None;
        }
        // Elements that were put together from pieces lie nowhere in the record.
        let start = (elements.as_ptr() as usize).checked_sub(record.as_ptr() as usize)?;
        let behind = record.get(start.checked_add(elements.len())?..)?;
        let before = record.get(..start)?;
        let template = Self {
            before: before.into(),
            elements: elements.len(),
            behind: behind.into(),
            format: *format,
            is_untyped: matches!(encoded.encoding, Encoding::Bytes | Encoding::Raw),
        };
        std::ptr::eq(template.elements_of(record)?, &**elements).then_some(template)
    }

    /// Bytes from the start of one record to the start of the next.
    pub(crate) fn stride(&self) -> usize {
        self.before.len() + self.elements + self.behind.len()
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// The elements of `record`, which has the length of the template, if it is like it.
    #[inline(always)]
    pub(crate) fn elements_of<'a>(&self, record: &'a [u8]) -> Option<&'a [u8]> {
        let (before, rest) = record.split_at_checked(self.before.len())?;
        let (elements, behind) = rest.split_at_checked(rest.len().checked_sub(self.behind.len())?)?;
        if !starts_with(before, &self.before) || !starts_with(behind, &self.behind) {
            return None;
        }
        (!self.is_untyped || !is_npy(elements)).then_some(elements)
    }
}
