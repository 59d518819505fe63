//! What options say of the fields of records, for inference.

use std::cell::Cell;
use std::collections::HashMap;

use super::findings::column_name;
use super::{Step, vector_type};
use crate::options::ReadOptions;
use crate::vector::RawDtype;
use crate::vector::encoding::Types;

/// The most keys of maps in all places: what is remembered of one takes a hundred times the bytes of the key.
const MOST_FIELDS: usize = 1 << 16;

/// How observing is to be done.
pub(super) struct Rules<'a> {
    pub(super) options: &'a ReadOptions,
    /// What is said of fields, by the names that they may have.
    named: HashMap<String, Given>,
    /// How many fields of maps inside of records may still be kept apart, in all places together.
    pub(super) room: Cell<usize>,
}

/// What options say of one field.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Given {
    /// The type of untyped bytes in any field, and in this one.
    default: RawDtype,
    raw: Option<RawDtype>,
    /// The dimension of the vectors that `schema` gives to the field, and the type of bytes that are as many elements.
    vector: Option<(usize, RawDtype)>,
    /// Option `vector` names the field.
    pub(super) is_vector: bool,
}

impl<'a> Rules<'a> {
    pub(super) fn new(options: &'a ReadOptions) -> Self {
        let mut rules = Self { options, named: HashMap::new(), room: Cell::new(MOST_FIELDS) };
        for (name, &raw) in &options.raw_dtype.columns {
            rules.change(name, |given| given.raw = Some(raw));
        }
        for name in &options.vector {
            rules.change(name, |given| given.is_vector = true);
        }
        for field in options.schema.fields() {
            let vector = vector_type(field.data_type());
            let vector = vector.and_then(|(dim, dtype)| Some((dim, RawDtype::named(dtype.as_str())?)));
            rules.change(field.name(), |given| given.vector = vector);
        }
        rules
    }

    /// The types of what names none, where untyped bytes are of the type `raw`.
    pub(super) fn types(&self, raw: RawDtype) -> Types<'a> {
        Types { raw, extensions: &self.options.extensions }
    }

    /// What is said of the field with this name.
    pub(super) fn given(&self, name: &str) -> Given {
        self.named.get(name).copied().unwrap_or(self.of_any())
    }

    /// What is said of every field.
    fn of_any(&self) -> Given {
        Given { default: self.options.raw_dtype.of_any(), ..Given::default() }
    }

    /// Sets the type of untyped bytes in the field `name`, where options give none.
    pub(super) fn set_raw(&mut self, name: &str, raw: RawDtype) {
        if self.options.raw_dtype.default.is_none() {
            self.change(name, |given| given.raw = given.raw.or(Some(raw)));
        }
    }

    /// Changes what is said of the fields that `name` may mean: a key with dots in it, or a path.
    fn change(&mut self, name: &str, change: impl Fn(&mut Given)) {
        let any = self.of_any();
        for name in [name.to_owned(), column_name(&Step::parse(name))] {
            change(self.named.entry(name).or_insert(any));
        }
    }
}

impl Given {
    /// True where options give the type of untyped bytes in the field itself.
    pub(super) fn is_own(&self) -> bool {
        self.raw.is_some() || self.vector.is_some()
    }

    /// The type of untyped bytes in the field, of which the first value has this many bytes. Bytes that are a vector of the type
    /// that `schema` gives are of that type.
    pub(super) fn raw(&self, length: usize) -> RawDtype {
        let of_schema =
            self.vector.filter(|(dim, raw)| length == dim * raw.size() && raw.size() != self.default.size());
        self.raw.or(of_schema.map(|(_, raw)| raw)).unwrap_or(self.default)
    }
}
