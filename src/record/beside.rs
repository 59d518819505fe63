//! The fields of a map that tell the type and the shape of the bytes beside them.

use super::describe::name;
use crate::msgpack::{Broken, Cursor, Head};
use crate::vector::RawDtype;

/// Arrays have no more dimensions.
const MOST_DIMENSIONS: u32 = 64;

/// The fields of a map that tell what bytes are, and its fields with bytes.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(super) dtype: Option<NamedDtype>,
    /// The name and the lengths of a list of dimensions.
    shape: Option<(String, Vec<usize>)>,
    /// A number of elements.
    dim: Option<usize>,
    bytes: Vec<(String, Head)>,
}

/// A field that names a type of elements: `dtype` as a rule.
#[derive(Debug)]
pub(super) struct NamedDtype {
    pub(super) field: String,
    pub(super) text: String,
    /// `None` where no vector can have such elements.
    pub(super) raw: Option<RawDtype>,
}

/// Bytes that hold several vectors: the name of their field, the vectors and their elements, and the size of an element.
pub(super) struct Packed<'a> {
    pub(super) name: &'a str,
    pub(super) rows: usize,
    pub(super) dim: usize,
    pub(super) size: usize,
}

impl Beside {
    /// The fields of the map at `cursor`; nothing of another object.
    pub(crate) fn read(mut cursor: Cursor<'_>) -> Result<Self, Broken> {
        let mut beside = Self::default();
        let Head::Map(pairs) = cursor.head()? else { return Ok(beside) };
        for _ in 0..pairs {
            let name = name(&mut cursor)?.unwrap_or_default();
            let mut value = cursor;
            cursor.skip()?;
            match (name.as_str(), value.head()?) {
                ("dtype" | "type", head @ (Head::Str(length) | Head::Bin(length)))
                    if beside.dtype.is_none() =>
                {
                    let text = String::from_utf8_lossy(value.take(length as usize)?).into_owned();
                    let raw = RawDtype::named(&text);
                    if raw.is_some() || name == "dtype" && matches!(head, Head::Str(_)) {
                        beside.dtype = Some(NamedDtype { field: name, text, raw });
                    }
                }
                ("shape" | "dims", Head::Array(dims @ 1..=MOST_DIMENSIONS)) if beside.shape.is_none() => {
                    let length = |_| match value.head() {
                        Ok(Head::UInt(length)) => usize::try_from(length).ok(),
                        _ => None,
                    };
                    let lengths: Option<_> = (0..dims).map(length).collect();
                    beside.shape = lengths.map(|lengths| (name, lengths));
                }
                ("shape" | "dims" | "dim" | "dimension", Head::UInt(dim @ 1..)) => {
                    beside.dim = beside.dim.or(usize::try_from(dim).ok());
                }
                (_, head @ (Head::Bin(_) | Head::Str(_))) => beside.bytes.push((name, head)),
                _ => {}
            }
        }
        Ok(beside)
    }

    /// The type that a field names.
    pub(super) fn raw(&self) -> Option<RawDtype> {
        self.dtype.as_ref()?.raw
    }

    /// The fields whose bytes have the length of as many elements of the named type as the shape says.
    pub(super) fn typed(&self) -> Vec<&str> {
        let dims =
            self.shape.as_ref().map(|(_, dims)| &dims[..]).or(self.dim.as_ref().map(std::slice::from_ref));
        let elements =
            dims.and_then(|dims| dims.iter().try_fold(1_u64, |all, &dim| all.checked_mul(dim as u64)));
        let (Some(dtype), Some(elements)) = (&self.dtype, elements) else { return Vec::new() };
        let holds = |length: u64| match dtype.raw {
            Some(raw) => elements.checked_mul(raw.size() as u64) == Some(length),
            None => elements > 0 && length > 0 && length.is_multiple_of(elements),
        };
        let typed = self.bytes.iter().filter(|(_, head)| holds(head.payload()));
        typed.map(|(name, _)| name.as_str()).collect()
    }

    /// The vectors that a shape of two dimensions says of bytes, and the elements of each.
    pub(crate) fn rows(&self) -> Option<(usize, usize)> {
        let (_, lengths) = self.shape.as_ref()?;
        <[usize; 2]>::try_from(&lengths[..]).ok().filter(|lengths| !lengths.contains(&0)).map(Into::into)
    }

    /// True for the name of the field that holds this shape.
    pub(super) fn is_shape(&self, name: Option<&str>) -> bool {
        self.rows().is_some() && self.shape.as_ref().map(|(shape, _)| shape.as_str()) == name
    }

    /// The bytes that can hold vectors of this shape.
    pub(super) fn packed(&self) -> impl Iterator<Item = Packed<'_>> {
        self.bytes.iter().filter_map(|(name, head)| {
            let (rows, dim) = self.rows()?;
            let elements = rows.checked_mul(dim)?;
            let is_size = |size: &usize| elements.checked_mul(*size) == Some(head.payload() as usize);
            Some(Packed { name, rows, dim, size: [1, 2, 4, 8].into_iter().find(is_size)? })
        })
    }

    /// The bytes that are several vectors of `dim` elements of this size.
    pub(super) fn packed_by_dim(&self, size: usize) -> Option<Packed<'_>> {
        let dim = self.dim?;
        self.bytes.iter().find_map(|(name, head)| {
            let Head::Bin(length) = *head else { return None };
            let rows = length as usize / size / dim;
            let is_whole = rows > 1 && rows * dim * size == length as usize;
            is_whole.then_some(Packed { name, rows, dim, size })
        })
    }
}
