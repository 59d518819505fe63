//! Maps of parallel lists, of which the items of one place are a record: `columns` framing.

use super::beside::Beside;
use super::describe::name;
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::encoding::{self, Encoded, Seen, Types};

/// A value of such a map.
#[derive(Debug)]
pub(crate) enum List<'a> {
    /// An array of so many items, of which the first one is at the cursor.
    Items(usize, Cursor<'a>),
    /// A typed array.
    Array(Encoded<'a>),
    /// A typed array that cannot be read, in words.
    Refused(String),
    /// Any other value: that of all rows, or bytes that hold the vectors of all rows.
    Value(Cursor<'a>),
}

impl<'a> List<'a> {
    /// The value at `cursor`.
    pub(crate) fn read(cursor: Cursor<'a>, types: Types<'_>) -> Result<Self, Broken> {
        let mut inside = cursor;
        let head = inside.head()?;
        Ok(match encoding::read(&mut cursor.clone(), types)? {
            Seen::Vector(array) if array.encoding.is_typed() && !array.is_scalar => Self::Array(array),
            Seen::Refused(what) if head.payload() == 0 => Self::Refused(what),
            _ => match head {
                Head::Array(items) => Self::Items(items as usize, inside),
                _ => Self::Value(cursor),
            },
        })
    }
}

/// The values of such a map, and the number of rows that they have.
#[derive(Debug, Default)]
pub(super) struct Lists<'a> {
    pub(super) lists: Vec<(Option<String>, List<'a>)>,
    pub(super) rows: usize,
    pub(super) beside: Beside,
}

impl<'a> Lists<'a> {
    /// The lists of the map at `cursor`, without the shape of bytes among them; none of another object.
    pub(super) fn read(cursor: Cursor<'a>, types: Types<'_>) -> Result<Self, Broken> {
        let mut inside = cursor;
        let Head::Map(pairs) = inside.head()? else { return Ok(Self::default()) };
        let mut lists = Vec::new();
        for _ in 0..pairs {
            let name = name(&mut inside)?;
            lists.push((name, List::read(inside, types)?));
            inside.skip()?;
        }
        let beside = Beside::read(cursor)?;
        let of_shape = beside.packed().next().map(|packed| packed.rows);
        if of_shape.is_some() {
            lists.retain(|(name, _)| !beside.is_shape(name.as_deref()));
        }
        let told = lists.iter().find_map(|(_, list)| match list {
            List::Items(items, _) => Some(*items),
            List::Array(array) if array.rows > 1 => array.outer.first().copied(),
            _ => None,
        });
        // Flat typed arrays tell it only if nothing else does: they may be vectors of one row.
        let mut flat = lists.iter().filter_map(|(_, list)| match list {
            List::Array(array) if array.rows == 1 => Some(array.dim),
            _ => None,
        });
        let first = flat.next().unwrap_or(0);
        let of_flat = if flat.all(|dim| dim == first) { first } else { 1 };
        let of_dim = beside.packed_by_dim(types.raw.size()).map(|packed| packed.rows);
        Ok(Self { lists, rows: of_shape.or(told).or(of_dim).unwrap_or(of_flat), beside })
    }

    /// True where several lists have as many items as there are rows.
    pub(super) fn are_parallel(&self) -> bool {
        let is_column =
            |(_, list): &&(_, List<'_>)| matches!(list, List::Items(items, _) if *items == self.rows);
        self.rows > 1 && self.lists.iter().filter(is_column).count() > 1
    }
}
