//! What options say of the fields of records, for inference.

use std::cell::Cell;

use super::{Step, vector_type};
use crate::options::ReadOptions;
use crate::vector::encoding::Types;
use crate::vector::{Extensions, RawDtype};

/// The most keys of maps in all places: what is remembered of one takes a hundred times the bytes of the key.
const MOST_FIELDS: usize = 1 << 16;

/// How observing is to be done.
pub(super) struct Rules<'a> {
    pub(super) extensions: &'a Extensions,
    pub(super) max_depth: u32,
    /// How many fields of maps inside of records may still be kept apart, in all places together.
    pub(super) room: Cell<usize>,
}

impl<'a> Rules<'a> {
    pub(super) fn new(options: &'a ReadOptions) -> Self {
        let (extensions, max_depth) = (&options.extensions, options.max_depth);
        Self { extensions, max_depth, room: Cell::new(MOST_FIELDS) }
    }

    /// The types of what names none, where untyped bytes are of the type `raw`.
    pub(super) fn types(&self, raw: RawDtype) -> Types<'a> {
        Types { raw, extensions: self.extensions }
    }
}

/// What options say of the fields at a place and further in: the rest of the way to each, and the type
/// of its untyped bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) default: RawDtype,
    columns: Vec<(Vec<Step>, RawDtype)>,
    /// The vectors that `schema` gives to fields, and the type of bytes that are as many elements.
    vectors: Vec<(Vec<Step>, usize, RawDtype)>,
}

impl Given {
    /// What `options` say of records.
    pub(super) fn new(options: &ReadOptions) -> Self {
        // A name may be a key with dots in it, or a path.
        let paths = |name: &str| {
            let path = Step::parse(name);
            let key = vec![Step::Name(name.to_owned())];
            if path == key { vec![path] } else { vec![path, key] }
        };
        let columns = options.raw_dtype.columns.iter();
        let columns =
            columns.flat_map(|(name, &raw)| paths(name).into_iter().map(move |path| (path, raw))).collect();
        let vectors = options.schema.fields().iter().filter_map(|field| {
            let (dim, dtype) = vector_type(field.data_type())?;
            let raw = RawDtype::named(dtype.as_str())?;
            Some(paths(field.name()).into_iter().map(move |path| (path, dim, raw)))
        });
        Self { default: options.raw_dtype.default, columns, vectors: vectors.flatten().collect() }
    }

    /// What is said of the fields one step further in.
    pub(super) fn at(&self, step: &Step) -> Self {
        let inside = |path: &[Step]| {
            path.split_first().filter(|(first, _)| *first == step).map(|(_, rest)| rest.to_vec())
        };
        let columns = self.columns.iter().filter_map(|(path, raw)| Some((inside(path)?, *raw))).collect();
        let vectors = self.vectors.iter();
        let vectors = vectors.filter_map(|(path, dim, raw)| Some((inside(path)?, *dim, *raw))).collect();
        Self { default: self.default, columns, vectors }
    }

    /// What is said of the items of a list.
    pub(super) fn of_items(&self) -> Self {
        Self { default: self.default, ..Self::default() }
    }

    /// True where options give the type of untyped bytes in the field itself.
    pub(super) fn is_own(&self) -> bool {
        self.columns.iter().any(|(path, _)| path.is_empty())
            || self.vectors.iter().any(|(path, ..)| path.is_empty())
    }

    /// The type of untyped bytes in the field itself, of which the first value has this many bytes.
    /// Bytes that are a vector of the type that `schema` gives are of that type.
    pub(super) fn raw(&self, length: Option<usize>) -> RawDtype {
        if let Some((_, raw)) = self.columns.iter().find(|(path, _)| path.is_empty()) {
            return *raw;
        }
        let vector = self.vectors.iter().find(|(path, ..)| path.is_empty());
        match vector.zip(length) {
            Some((&(_, dim, raw), length))
                if length != dim * self.default.size() && length == dim * raw.size() =>
            {
                raw
            }
            _ => self.default,
        }
    }
}
