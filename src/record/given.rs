//! What options say of the fields of records, for inference.

use std::cell::Cell;
use std::collections::HashMap;

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

/// What options say of the field at a place, and of those further in.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) default: RawDtype,
    /// The type of untyped bytes in the field.
    raw: Option<RawDtype>,
    /// The dimension of the vectors that `schema` gives to the field, and the type of bytes that are as many elements.
    vector: Option<(usize, RawDtype)>,
    /// Option `vector` names the field.
    pub(super) is_vector: bool,
    inside: HashMap<Step, Self>,
}

impl Given {
    /// What `options` say of records.
    pub(super) fn new(options: &ReadOptions) -> Self {
        let mut given = Self { default: options.raw_dtype.default, ..Self::default() };
        for (name, &raw) in &options.raw_dtype.columns {
            given.for_each(name, |field| field.raw = Some(raw));
        }
        for name in &options.vector {
            given.for_each(name, |field| field.is_vector = true);
        }
        for field in options.schema.fields() {
            let vector = vector_type(field.data_type());
            let vector = vector.and_then(|(dim, dtype)| Some((dim, RawDtype::named(dtype.as_str())?)));
            given.for_each(field.name(), |field| field.vector = vector);
        }
        given
    }

    /// Sets the type of untyped bytes in the field `name`, where options give none.
    pub(super) fn set_raw(&mut self, name: &str, raw: RawDtype) {
        if self.default == RawDtype::default() {
            self.for_each(name, |field| field.raw = field.raw.or(Some(raw)));
        }
    }

    /// Calls `change` for the fields that `name` may mean: a key with dots in it, or a path.
    fn for_each(&mut self, name: &str, change: impl Fn(&mut Self)) {
        for path in [Step::parse(name), vec![Step::Name(name.to_owned())]] {
            let mut field = &mut *self;
            for step in path {
                let inside = field.of_items();
                field = field.inside.entry(step).or_insert(inside);
            }
            change(field);
        }
    }

    /// What is said of the fields one step further in.
    pub(super) fn at(&self, step: &Step) -> Self {
        self.inside.get(step).cloned().unwrap_or_else(|| self.of_items())
    }

    /// What is said of the items of a list.
    pub(super) fn of_items(&self) -> Self {
        Self { default: self.default, ..Self::default() }
    }

    /// True where options give the type of untyped bytes in the field itself.
    pub(super) fn is_own(&self) -> bool {
        self.raw.is_some() || self.vector.is_some()
    }

    /// The type of untyped bytes in the field itself, of which the first value has this many bytes.
    /// Bytes that are a vector of the type that `schema` gives are of that type.
    pub(super) fn raw(&self, length: usize) -> RawDtype {
        let of_schema =
            self.vector.filter(|(dim, raw)| length == dim * raw.size() && raw.size() != self.default.size());
        self.raw.or(of_schema.map(|(_, raw)| raw)).unwrap_or(self.default)
    }
}
