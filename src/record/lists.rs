//! Maps of parallel lists, of which the items of one place are a record: `columns` framing.

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

    /// The two numbers that `shape` or `dims` says of bytes beside it: rows, and elements of each.
    pub(super) fn shape(&self, name: Option<&str>) -> Option<(usize, usize)> {
        let (&Self::Items(2, mut cursor), Some("shape" | "dims")) = (self, name) else { return None };
        let mut length = || match cursor.head() {
            Ok(Head::UInt(length @ 1..)) => usize::try_from(length).ok(),
            _ => None,
        };
        Some((length()?, length()?))
    }

    /// The size of the elements of bytes that can hold vectors of this shape.
    pub(super) fn size_in(&self, (rows, dim): (usize, usize)) -> Option<usize> {
        let elements = rows.saturating_mul(dim);
        let length = if let Self::Value(cursor) = self { cursor.peek().map_or(0, Head::payload) } else { 0 };
        [1, 2, 4, 8].into_iter().find(|size| elements.checked_mul(*size) == Some(length as usize))
    }
}

/// The rows and elements that a field `shape` of the map at `cursor` gives to bytes beside it.
pub(crate) fn shape_in(mut cursor: Cursor<'_>, types: Types<'_>) -> Result<Option<(usize, usize)>, Broken> {
    let Head::Map(pairs) = cursor.head()? else { return Ok(None) };
    for _ in 0..pairs {
        let name = name(&mut cursor)?;
        if let Some(shape) = List::read(cursor, types)?.shape(name.as_deref()) {
            return Ok(Some(shape));
        }
        cursor.skip()?;
    }
    Ok(None)
}

/// Bytes that hold several vectors: their name, their rows and elements by the shape beside them, and the size of an element.
pub(super) type Shaped = (String, (usize, usize), usize);

/// The values of such a map, and the number of rows that they have.
#[derive(Debug)]
pub(super) struct Lists<'a> {
    pub(super) lists: Vec<(Option<String>, List<'a>)>,
    pub(super) rows: usize,
    pub(super) shaped: Option<Shaped>,
}

impl<'a> Lists<'a> {
    /// Bytes that are several vectors of as many elements of this size as a field beside them says.
    pub(super) fn shaped_by_dim(&self, size: usize) -> Option<Shaped> {
        let head = |list: &List<'_>| if let List::Value(value) = list { value.peek().ok() } else { None };
        let dim = self.lists.iter().find_map(|(name, list)| match (name.as_deref()?, head(list)?) {
            ("dim" | "dims" | "dimension", Head::UInt(dim @ 1..)) => usize::try_from(dim).ok(),
            _ => None,
        })?;
        self.lists.iter().find_map(|(name, list)| {
            let Head::Bin(length) = head(list)? else { return None };
            let rows = length as usize / size / dim;
            (rows > 1 && rows * dim * size == length as usize).then_some((name.clone()?, (rows, dim), size))
        })
    }

    /// True where several lists have as many items as there are rows.
    pub(super) fn are_parallel(&self) -> bool {
        let is_column =
            |(_, list): &&(_, List<'_>)| matches!(list, List::Items(items, _) if *items == self.rows);
        self.rows > 1 && self.lists.iter().filter(is_column).count() > 1
    }

    /// The lists of the map at `cursor`, without the shape of bytes among them; `None` for another object, and at the first
    /// value that may not be there.
    pub(super) fn read(
        mut cursor: Cursor<'a>,
        types: Types<'_>,
        may_be: impl Fn(&List<'a>) -> bool,
    ) -> Result<Option<Self>, Broken> {
        let Head::Map(pairs) = cursor.head()? else { return Ok(None) };
        let mut lists = Vec::new();
        for _ in 0..pairs {
            let name = name(&mut cursor)?;
            let list = List::read(cursor, types)?;
            if !may_be(&list) {
                return Ok(None);
            }
            lists.push((name, list));
            cursor.skip()?;
        }
        let shape = lists.iter().find_map(|(name, list)| list.shape(name.as_deref()));
        let shaped = shape.and_then(|shape| {
            let sized =
                |(name, list): &(Option<String>, List<'_>)| Some((name.clone(), list.size_in(shape)?));
            let (name, size) = lists.iter().find_map(sized)?;
            Some((name?, shape, size))
        });
        if shaped.is_some() {
            lists.retain(|(name, list)| list.shape(name.as_deref()).is_none());
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
        let of_shape = shaped.as_ref().map(|(_, (rows, _), _)| *rows);
        Ok(Some(Self { lists, rows: of_shape.or(told).unwrap_or(of_flat), shaped }))
    }
}
