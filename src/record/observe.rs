//! The values of a field, over the records that inference looks at: enough to choose a type for its column, and to
//! tell whether it is a vector column.

use std::cell::Cell;
use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::Step;
use crate::msgpack::{Broken, Cursor, Head};
use crate::values::{TIMESTAMP, is_nil, key, nanoseconds, scalar};
use crate::vector::encoding::{self, Elements, Encoded, Encoding, Seen, read_base64};
use crate::vector::{RawDtype, Scalar};

/// How observing is to be done.
pub(super) struct Rules {
    pub(super) raw: RawDtype,
    pub(super) max_depth: u32,
    /// How many fields of maps inside of records may still be kept apart, in all places together.
    room: Cell<usize>,
}

impl Rules {
    pub(super) fn new(raw: RawDtype, max_depth: u32) -> Self {
        Self { raw, max_depth, room: Cell::new(MOST_FIELDS) }
    }
}

/// The most keys that maps of one place are kept apart by.
const MOST_KEYS: usize = 4096;
/// The most keys of maps in all places: what is remembered of one takes a hundred times the bytes of the key.
const MOST_FIELDS: usize = 1 << 16;

/// The values of one field.
#[derive(Default)]
pub(super) struct Observed {
    /// How often what was seen, in the order of the first ones.
    kinds: Vec<(Kind, u64)>,
    /// Integers below 0, and above 2^63 - 1.
    negative: bool,
    huge: bool,
    pub(super) vectors: Vectors,
    pub(super) fields: Vec<(Step, Observed)>,
    places: HashMap<Step, usize>,
    item: Option<Box<Observed>>,
    /// Maps here have more keys than columns can be made of.
    pub(super) too_many_keys: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Bool,
    Integer,
    Float,
    Text,
    Bytes,
    Time,
    List,
    Map,
}

impl Kind {
    /// True where one column holds both.
    fn takes(self, other: Self) -> bool {
        let (is_number, is_bytes) = (
            |kind| matches!(kind, Self::Integer | Self::Float),
            |kind| matches!(kind, Self::Text | Self::Bytes),
        );
        self == other || is_number(self) && is_number(other) || is_bytes(self) && is_bytes(other)
    }
}

/// Values of one field that could be vectors.
#[derive(Default)]
pub(super) struct Vectors {
    /// The first one's manner and dimension.
    first: Option<(Manner, usize)>,
    pub(super) stored: Option<String>,
    /// Dimensions and how often they came; of the first few.
    dims: Vec<(usize, u64)>,
    /// Values that are not nil.
    pub(super) values: u64,
    /// Raw bytes that are no text were among them.
    is_binary: bool,
}

/// How a possible vector was written, the likelier one last.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
enum Manner {
    Integers,
    Bytes,
    Floats,
    Typed,
}

/// Dimensions that are kept apart.
const DIMS: usize = 16;
/// Fewer floats, or bytes for fewer elements, are no vector where there is a longer one.
const SHORT: usize = 16;

impl Vectors {
    fn add(&mut self, manner: Manner, encoded: &Encoded<'_>) {
        let dim = encoded.dim;
        if dim == 0 || encoded.rows != 1 || !encoded.is_whole() {
            return;
        }
        match &mut self.first {
            None => {
                self.first = Some((manner, dim));
                self.stored = Some(super::infer::stored(encoded));
            }
            // An array of integers may be one of floats that happen to be whole.
            Some((first, _)) if *first == Manner::Integers && manner == Manner::Floats => *first = manner,
            _ => {}
        }
        if let Some((_, times)) = self.dims.iter_mut().find(|(known, _)| *known == dim) {
            *times += 1;
        } else if self.dims.len() < DIMS {
            self.dims.push((dim, 1));
        }
    }

    /// The dimension if options name this as a vector column.
    pub(super) fn dim(&self) -> Option<usize> {
        self.first.map(|(_, dim)| dim)
    }

    /// The dimension if at least half of the values are vectors of one, long enough to be nothing else. The others are then
    /// rejects: a bad record must not make a column of bytes or lists of it.
    pub(super) fn clear_dim(&self, dim: Option<usize>) -> Option<usize> {
        let (manner, first) = self.likely()?;
        let times =
            |dim: usize| self.dims.iter().find(|(known, _)| *known == dim).map_or(0, |(_, times)| *times);
        let most = self.dims.iter().map(|(dim, _)| *dim).max_by_key(|&dim| times(dim))?;
        let common = if times(most) > times(first) { most } else { first };
        let is_long = match manner {
            Manner::Typed => true,
            Manner::Floats | Manner::Bytes => common >= SHORT,
            Manner::Integers => false,
        };
        (is_long && 2 * times(common) >= self.values && dim.is_none_or(|dim| dim == common)).then_some(common)
    }

    /// How likely a vector column this is where none is clear, and the dimension.
    pub(super) fn possible(&self, dim: Option<usize>) -> Option<(f64, usize)> {
        let (manner, first) = self.likely()?;
        let found = match dim {
            Some(dim) => self.dims.iter().map(|(known, _)| *known).find(|&known| known == dim)?,
            None => first,
        };
        Some((f64::from(manner as u8) * 1e12 + found as f64, found))
    }

    fn likely(&self) -> Option<(Manner, usize)> {
        self.first.filter(|(manner, _)| *manner != Manner::Bytes || self.is_binary)
    }
}

impl Observed {
    /// Looks at the value at `cursor`, and steps over it.
    pub(super) fn value(&mut self, cursor: &mut Cursor<'_>, rules: &Rules, depth: u32) -> Result<(), Broken> {
        let start = *cursor;
        let seen = encoding::read(cursor, rules.raw)?;
        let mut end = start;
        end.skip()?;
        *cursor = end;
        if is_nil(start)? {
            return Ok(());
        }
        self.vectors.values += 1;
        match seen {
            Seen::Vector(encoded) => self.vector(&encoded, rules),
            Seen::NotNumbers { .. } => self.list(start, rules, depth),
            Seen::Other(head) => self.other(head, start, rules, depth),
            Seen::Refused(_) => {
                // A file that is no vector is some bytes.
                if matches!(start.peek()?, Head::Bin(_) | Head::Str(_)) {
                    self.kind(Kind::Bytes);
                }
                Ok(())
            }
        }
    }

    fn kind(&mut self, kind: Kind) {
        let Some((known, times)) = self.kinds.iter_mut().find(|(known, _)| known.takes(kind)) else {
            self.kinds.push((kind, 1));
            return;
        };
        *times += 1;
        if matches!(kind, Kind::Float | Kind::Bytes) {
            *known = kind;
        }
    }

    /// The most frequent kind, the first one of several: what does not fit is for the decoder to reject. A damaged value is rare.
    fn common_kind(&self) -> Option<Kind> {
        let most = self.kinds.iter().map(|(_, times)| *times).max()?;
        self.kinds.iter().find(|(_, times)| *times == most).map(|(kind, _)| *kind)
    }

    fn number(&mut self, number: Scalar) {
        match number {
            Scalar::Int(value) => self.negative |= value < 0,
            Scalar::UInt(value) => self.huge |= i64::try_from(value).is_err(),
            _ => {}
        }
        self.kind(if number.is_float() { Kind::Float } else { Kind::Integer });
    }

    /// A list of numbers.
    fn numbers(&mut self, encoded: &Encoded<'_>) {
        self.kind(Kind::List);
        let item = self.item.get_or_insert_default();
        match &encoded.elements {
            // One tells what all of them are, but for the range of integers.
            Elements::Alike(format, bytes) if format.is_float() || format.is_bool() => {
                if !bytes.is_empty() {
                    item.kind(if format.is_bool() { Kind::Bool } else { Kind::Float });
                }
            }
            Elements::Alike(format, bytes) => {
                bytes
                    .chunks_exact(format.size())
                    .filter_map(|bytes| format.scalar(bytes))
                    .for_each(|n| item.number(n));
            }
            Elements::Mixed(bytes) => {
                let mut cursor = Cursor::new(bytes);
                let heads = std::iter::from_fn(|| cursor.head().ok());
                heads.filter_map(Scalar::of).for_each(|number| item.number(number));
            }
        }
    }

    fn vector(&mut self, encoded: &Encoded<'_>, rules: &Rules) -> Result<(), Broken> {
        if encoded.encoding == Encoding::Npy {
            self.kind(Kind::Bytes);
            self.vectors.add(Manner::Typed, encoded);
            return Ok(());
        }
        if let Some((number, is_bool)) = scalar(encoded) {
            if is_bool {
                self.kind(Kind::Bool)
            } else {
                self.number(number)
            }
            return Ok(());
        }
        match encoded.encoding {
            Encoding::Bytes | Encoding::Raw => {
                let is_text =
                    encoded.encoding == Encoding::Raw && std::str::from_utf8(encoded.bytes()).is_ok();
                self.kind(if is_text { Kind::Text } else { Kind::Bytes });
                self.vectors.is_binary |= !is_text;
                let base64 = if is_text { read_base64(encoded.bytes(), rules.raw) } else { None };
                self.vectors.add(Manner::Bytes, base64.as_ref().unwrap_or(encoded));
                Ok(())
            }
            Encoding::Aligned => {
                self.vectors.is_binary = true;
                self.vectors.add(Manner::Bytes, encoded);
                Ok(())
            }
            Encoding::Numbers => {
                self.numbers(encoded);
                let is_float = self.item.as_ref().is_some_and(|item| item.common_kind() == Some(Kind::Float));
                self.vectors.add(if is_float { Manner::Floats } else { Manner::Integers }, encoded);
                Ok(())
            }
            _ => {
                if encoded.rows == 1 {
                    self.numbers(encoded);
                }
                self.vectors.add(Manner::Typed, encoded);
                Ok(())
            }
        }
    }

    fn other(&mut self, head: Head, start: Cursor<'_>, rules: &Rules, depth: u32) -> Result<(), Broken> {
        match head {
            Head::Bool(_) => self.kind(Kind::Bool),
            Head::Map(_) => return self.map(start, rules, depth),
            Head::Ext(TIMESTAMP, length) => {
                let mut cursor = start;
                cursor.head()?;
                if nanoseconds(cursor.take(length as usize)?).is_some() {
                    self.kind(Kind::Time);
                }
            }
            head => {
                if let Some(number) = Scalar::of(head) {
                    self.number(number);
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, mut cursor: Cursor<'_>, rules: &Rules, depth: u32) -> Result<(), Broken> {
        let Head::Array(items) = cursor.head()? else { return Ok(()) };
        if depth >= rules.max_depth {
            return Ok(());
        }
        self.kind(Kind::List);
        let item = self.item.get_or_insert_default();
        for _ in 0..items {
            item.value(&mut cursor, rules, depth + 1)?;
        }
        Ok(())
    }

    fn map(&mut self, mut cursor: Cursor<'_>, rules: &Rules, depth: u32) -> Result<(), Broken> {
        if depth >= rules.max_depth {
            return Ok(());
        }
        self.kind(Kind::Map);
        self.pairs(&mut cursor, rules, depth)
    }

    /// Looks at the values of the map at `cursor`.
    pub(super) fn pairs(&mut self, cursor: &mut Cursor<'_>, rules: &Rules, depth: u32) -> Result<(), Broken> {
        let Head::Map(pairs) = cursor.head()? else { return Ok(()) };
        for _ in 0..pairs {
            let mut digits = Default::default();
            // Arrow's names are text, and end at a NUL where they cross to another language.
            let name = key(cursor, &mut digits)?.and_then(|key| std::str::from_utf8(key).ok());
            let step = name.filter(|name| !name.contains('\0')).map(|name| Step::Name(name.to_owned()));
            match step.and_then(|step| self.field(step, rules, depth)) {
                Some(field) => field.value(cursor, rules, depth + 1)?,
                None => cursor.skip()?,
            }
        }
        Ok(())
    }

    /// Looks at the items of the array at `cursor`.
    pub(super) fn items(&mut self, cursor: &mut Cursor<'_>, rules: &Rules) -> Result<(), Broken> {
        let Head::Array(items) = cursor.head()? else { return Ok(()) };
        for position in 0..items {
            match self.field(Step::Position(position), rules, 0) {
                Some(field) => field.value(cursor, rules, 1)?,
                None => cursor.skip()?,
            }
        }
        Ok(())
    }

    fn field(&mut self, step: Step, rules: &Rules, depth: u32) -> Option<&mut Observed> {
        if let Some(&place) = self.places.get(&step) {
            return self.fields.get_mut(place).map(|(_, field)| field);
        }
        let room = rules.room.get();
        if self.fields.len() == MOST_KEYS || (room == 0 && depth > 0) {
            self.too_many_keys = true;
            return None;
        }
        rules.room.set(room.saturating_sub(1));
        self.places.insert(step.clone(), self.fields.len());
        self.fields.push((step, Observed::default()));
        self.fields.last_mut().map(|(_, field)| field)
    }

    /// The values at the end of `path`.
    pub(super) fn at(&self, path: &[Step]) -> Option<&Observed> {
        path.iter().try_fold(self, |at, step| Some(&at.fields[*at.places.get(step)?].1))
    }

    /// The way that a user meant by `name`: a key as it stands, or keys and positions between dots.
    pub(super) fn resolve(&self, name: &str) -> Option<Vec<Step>> {
        let whole = Step::Name(name.to_owned());
        if self.places.contains_key(&whole) {
            return Some(vec![whole]);
        }
        let mut at = self;
        let mut path = Vec::new();
        for (part, step) in name.split('.').zip(Step::parse(name)) {
            let as_key = Step::Name(part.to_owned());
            let step = if at.places.contains_key(&as_key) { as_key } else { step };
            at = &at.fields[*at.places.get(&step)?].1;
            path.push(step);
        }
        Some(path)
    }

    /// The Arrow type of a column of these values. Fields that `leave_out` says are columns of their own; `None` if nothing is
    /// left.
    pub(super) fn data_type(
        &self,
        path: &mut Vec<Step>,
        leave_out: &dyn Fn(&[Step]) -> bool,
    ) -> Option<DataType> {
        Some(match self.common_kind() {
            None => DataType::Null,
            Some(Kind::Bool) => DataType::Boolean,
            Some(Kind::Integer) if self.huge && !self.negative => DataType::UInt64,
            Some(Kind::Integer) => DataType::Int64,
            Some(Kind::Float) => DataType::Float64,
            Some(Kind::Text) => DataType::Utf8,
            Some(Kind::Bytes) => DataType::Binary,
            Some(Kind::Time) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Some(Kind::List) => {
                let item = self.item.as_ref().and_then(|item| item.data_type(path, &|_| false));
                DataType::List(Field::new("element", item.unwrap_or(DataType::Null), true).into())
            }
            Some(Kind::Map) => {
                let mut fields = Vec::new();
                for (step, field) in &self.fields {
                    path.push(step.clone());
                    if !leave_out(path)
                        && let Some(data_type) = field.data_type(path, leave_out)
                    {
                        fields.push(Field::new(step.to_string(), data_type, true));
                    }
                    path.pop();
                }
                if fields.is_empty() && !self.fields.is_empty() {
                    return None;
                }
                DataType::Struct(Fields::from(fields))
            }
        })
    }

    /// Calls `visit` for every field that could be a vector column, on the way `path` and further in.
    pub(super) fn visit<'a>(&'a self, path: &mut Vec<Step>, visit: &mut impl FnMut(&[Step], &'a Vectors)) {
        for (step, field) in &self.fields {
            path.push(step.clone());
            visit(path, &field.vectors);
            field.visit(path, visit);
            path.pop();
        }
    }

    /// True if a map or array holds something that could be a vector.
    pub(super) fn holds_vector(&self) -> bool {
        let mut found = false;
        self.visit(&mut Vec::new(), &mut |_, vectors| found |= vectors.likely().is_some());
        found
    }
}
