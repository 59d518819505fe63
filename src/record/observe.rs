//! The values of a field, over the records that inference looks at: enough to choose a type for its column, and to
//! tell whether it is a vector column.

use std::collections::HashMap;
use std::slice::from_ref;

use arrow_schema::{DataType, Field, TimeUnit};

use super::Step;
use super::describe::name;
use super::findings::column_name;
use super::given::{Given, Rules};
use super::lists::{List, Lists};
use super::looks::Looks;
use crate::msgpack::{Broken, Cursor, Head};
use crate::text::printable;
use crate::values::{TIMESTAMP, is_nil, nanoseconds, tensor_field};
use crate::vector::encoding::{self, Encoded, Encoding, Seen, is_hex, read_base64};
use crate::vector::{Format, RawDtype, Scalar};

/// The most keys that maps of one place are kept apart by.
pub(super) const MOST_KEYS: usize = 4096;

/// The values of one field.
#[derive(Default)]
pub(super) struct Observed {
    /// The way from the record to the field.
    pub(super) path: Vec<Step>,
    pub(super) given: Given,
    /// How often what was seen, in the order of the first ones.
    kinds: Vec<(Kind, u64)>,
    /// Integers below 0, and above 2^63 - 1.
    negative: bool,
    huge: bool,
    /// Times that are too far away for 64 bits of nanoseconds, and such as are no whole microseconds.
    far: bool,
    fine: bool,
    pub(super) vectors: Vectors,
    pub(super) fields: Vec<Observed>,
    places: HashMap<Step, usize>,
    item: Option<Box<Observed>>,
    /// Lists that hold values which fit no column together with most of the others.
    pub(super) mixed: u64,
    /// A key that no column can have.
    odd_key: bool,
    /// The shape and the elements of the first typed array that is no vector, and how many are like it.
    tensor: Option<(Vec<usize>, DataType)>,
    tensors: u64,
    /// The extension type of payloads that are kept as bytes.
    payload: Option<i8>,
    /// Maps here have more keys than columns can be made of.
    pub(super) too_many_keys: bool,
    /// The type of untyped bytes, from the first value that has some.
    pub(super) raw: Option<RawDtype>,
    /// The first value that no column can hold, in words.
    pub(super) refused: Option<String>,
    /// This is a vector column.
    pub(super) is_column: bool,
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
        match self {
            Self::Integer | Self::Float => matches!(other, Self::Integer | Self::Float),
            Self::Text | Self::Bytes => matches!(other, Self::Text | Self::Bytes),
            _ => self == other,
        }
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
    /// Values that are not nil, and those among them that are matrices.
    pub(super) values: u64,
    matrices: u64,
    /// Raw bytes that are no text were among them.
    is_binary: bool,
    /// The looks of bytes, and the type by which they are judged; none where options give theirs.
    pub(super) looks: Looks,
    judged_by: Option<RawDtype>,
    /// Arrays are the bits of halves, of which the type is given; not where some hold floats.
    pub(super) is_bits: Option<bool>,
    /// The first value is base64.
    pub(super) is_base64: bool,
}

/// How a possible vector was written, the likelier one last.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub(super) enum Manner {
    /// In a list of one, or as a map of indices: a vector only where options say so.
    Wrapped,
    Integers,
    Bytes,
    Floats,
    Typed,
}

/// How an encoded vector is stored, for people.
fn stored(encoded: &Encoded<'_>) -> String {
    let elements = match encoded.elements.format {
        Format::Packed(raw) => raw.to_string(),
        Format::Float32 => "float32".to_owned(),
        Format::Float64 => "float64".to_owned(),
        Format::Numbers => "floats and integers".to_owned(),
    };
    match encoded.encoding {
        Encoding::Bytes => elements,
        encoding => format!("{elements} ({})", encoding.as_str()),
    }
}

/// What came most often, and how often; the first one of several.
fn most<T: Copy>(counts: &[(T, u64)]) -> Option<(T, u64)> {
    counts.iter().rev().max_by_key(|(_, times)| *times).copied()
}

/// Dimensions that are kept apart.
const DIMS: usize = 16;
/// Fewer floats, or bytes for fewer elements, are no vector where there is a longer one.
const SHORT: usize = 16;

impl Vectors {
    /// True unless the first one is no array of numbers.
    pub(super) fn are_lists(&self) -> bool {
        self.first
            .is_none_or(|(manner, _)| matches!(manner, Manner::Wrapped | Manner::Integers | Manner::Floats))
    }

    fn add(&mut self, manner: Manner, encoded: &Encoded<'_>) {
        let dim = encoded.dim;
        self.matrices += u64::from(encoded.rows > 1);
        if dim == 0 || encoded.rows != 1 || !encoded.is_whole() {
            return;
        }
        match &mut self.first {
            None => {
                self.first = Some((manner, dim));
                self.stored = Some(stored(encoded));
            }
            // An array of integers may be one of floats that happen to be whole.
            Some((first, _)) if *first == Manner::Integers && manner == Manner::Floats => *first = manner,
            Some(first) if first.0 == Manner::Wrapped && manner != Manner::Wrapped => *first = (manner, dim),
            _ => {}
        }
        if let Some((_, times)) = self.dims.iter_mut().find(|(known, _)| *known == dim) {
            *times += 1;
        } else if self.dims.len() < DIMS {
            self.dims.push((dim, 1));
        }
    }

    /// True where the first value is a list of integers.
    pub(super) fn are_integers(&self) -> bool {
        self.first.is_some_and(|(manner, _)| manner == Manner::Integers)
    }

    /// The dimension if options name this as a vector column.
    pub(super) fn dim(&self) -> Option<usize> {
        self.first.map(|(_, dim)| dim)
    }

    /// The dimension if at least half of the values are vectors of one, long enough to be nothing else. The others are then
    /// rejects: a bad record must not make a column of bytes or lists of it.
    pub(super) fn clear_dim(&self, dim: Option<usize>) -> Option<usize> {
        let (manner, _) = self.likely(dim.is_some())?;
        let (common, times) = most(&self.dims)?;
        let is_long = manner == Manner::Typed || manner >= Manner::Bytes && common >= SHORT;
        (is_long && 2 * times >= self.values && dim.is_none_or(|dim| dim == common)).then_some(common)
    }

    /// How likely a vector column this is where none is clear, and the dimension.
    pub(super) fn possible(&self, dim: Option<usize>) -> Option<(Manner, usize)> {
        let (manner, first) = self.likely(dim.is_some())?;
        let dim = dim.unwrap_or(first);
        self.dims.iter().any(|(known, _)| *known == dim).then_some((manner, dim))
    }

    /// Most of the values may be no matrices. Bytes are judged by their looks, unless options say that they are a vector.
    fn likely(&self, is_given: bool) -> Option<(Manner, usize)> {
        let is_one = |(manner, _): &_| *manner != Manner::Wrapped && 2 * self.matrices <= self.values;
        let (manner, dim) = self.first.filter(is_one)?;
        let is_alike = || is_given || self.judged_by.is_none_or(|raw| self.looks.are(raw));
        (manner != Manner::Bytes || self.is_binary && is_alike()).then_some((manner, dim))
    }
}

/// The elements of base64 in a text. Python's encoder gives bytes, which are base64 only where options say
/// that they are a vector: elements may be such bytes as well.
pub(super) fn base64_in(encoded: &Encoded<'_>, is_vector: bool, raw: RawDtype) -> Option<Encoded<'static>> {
    let may_be = encoded.encoding == Encoding::Raw || encoded.encoding == Encoding::Bytes && is_vector;
    let text = if may_be { encoded.bytes() } else { return None };
    if text.is_ascii() && !is_hex(text) { read_base64(text, raw) } else { None }
}

impl Observed {
    /// Looks at the value at `cursor`, and steps over it.
    pub(super) fn value(
        &mut self,
        cursor: &mut Cursor<'_>,
        rules: &Rules<'_>,
        depth: u32,
    ) -> Result<(), Broken> {
        let start = *cursor;
        cursor.skip()?;
        let head = start.peek()?;
        let is_bytes = matches!(head, Head::Bin(_) | Head::Str(_));
        let raw = if is_bytes { self.raw_of(head.payload() as usize) } else { self.raw() };
        let seen = encoding::read(&mut start.clone(), rules.types(raw))?;
        if is_nil(start)? {
            return Ok(());
        }
        if let Seen::Vector(encoded) = &seen {
            self.vector(encoded, raw);
            return Ok(());
        }
        self.vectors.values += 1;
        if let Seen::NotNumbers { .. } | Seen::Other(Head::Map(_)) = seen
            && let Some(encoded) = encoding::read_wrapped(&mut start.clone(), rules.types(raw))?
        {
            self.vectors.add(Manner::Wrapped, &encoded);
        }
        match seen {
            // A file that is no vector is some bytes.
            Seen::Refused(_) if is_bytes => self.kind(Kind::Bytes),
            Seen::Refused(what) => drop(self.refused.get_or_insert(what)),
            _ => self.other(start, rules, depth)?,
        }
        Ok(())
    }

    pub(super) fn new(path: Vec<Step>, given: Given) -> Self {
        Self { path, given, ..Self::default() }
    }

    /// The items of lists.
    fn item(&mut self) -> &mut Self {
        self.item.get_or_insert_with(|| Self::new(self.path.clone(), self.given).into())
    }

    /// The key of the field, or its position.
    pub(super) fn key(&self) -> String {
        self.path.last().map(Step::to_string).unwrap_or_default()
    }

    /// The name that a column of the field has.
    pub(super) fn name(&self) -> String {
        column_name(&self.path)
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

    /// The most frequent kind: what does not fit is for the decoder to reject. A damaged value is rare.
    fn common_kind(&self) -> Option<Kind> {
        most(&self.kinds).map(|(kind, _)| kind)
    }

    /// Values that are not of the most frequent kind at their place, here and further in.
    fn misfits(&self) -> u64 {
        let all: u64 = self.kinds.iter().map(|(_, times)| times).sum();
        let inside = self.fields.iter().chain(self.item.as_deref());
        all - most(&self.kinds).map_or(0, |(_, times)| times) + inside.map(Self::misfits).sum::<u64>()
    }

    fn range(&mut self, number: Scalar) {
        match number {
            Scalar::Int(value) => self.negative |= value < 0,
            Scalar::UInt(value) => self.huge |= i64::try_from(value).is_err(),
            _ => {}
        }
    }

    fn number(&mut self, number: Scalar) {
        self.range(number);
        self.kind(if number.is_float() { Kind::Float } else { Kind::Integer });
    }

    /// The numbers of a list or an array, each a value.
    fn numbers(&mut self, encoded: &Encoded<'_>) {
        let format = encoded.elements.format;
        let mut numbers = encoded.elements.scalars();
        if format == Format::Numbers {
            return numbers.for_each(|number| self.number(number));
        }
        // One tells what all of them are, but for the range of integers.
        match numbers.next() {
            Some(_) if format.is_bool() => self.kind(Kind::Bool),
            Some(first) => {
                self.number(first);
                if !first.is_float() {
                    numbers.for_each(|number| self.range(number));
                }
            }
            None => {}
        }
    }

    /// Takes the record itself for a vector.
    pub(super) fn be_vector(&mut self, encoded: &Encoded<'_>, raw: RawDtype) {
        self.raw = Some(raw);
        self.vectors.is_binary = true;
        self.vectors.is_bits = Some(raw.is_half() && encoded.halves(raw).is_some());
        self.vectors.is_base64 = encoded.encoding == Encoding::Base64;
        let manner = if encoded.encoding == Encoding::Numbers { Manner::Floats } else { Manner::Typed };
        self.vectors.first = Some((manner, encoded.dim));
        self.vectors.stored = Some(stored(encoded));
    }

    /// Looks at a value that may be a vector.
    fn vector(&mut self, encoded: &Encoded<'_>, raw: RawDtype) {
        self.vectors.values += 1;
        if encoded.is_scalar {
            return self.numbers(encoded);
        }
        match encoded.encoding {
            Encoding::Npy => {
                self.kind(Kind::Bytes);
                self.vectors.add(Manner::Typed, encoded);
            }
            Encoding::Bytes | Encoding::Raw => {
                let is_text =
                    encoded.encoding == Encoding::Raw && std::str::from_utf8(encoded.bytes()).is_ok();
                self.kind(if is_text { Kind::Text } else { Kind::Bytes });
                self.vectors.is_binary |= !is_text;
                // Unless options give the type for the field.
                self.vectors.judged_by = (!self.given.is_own()).then_some(raw);
                let base64 = base64_in(encoded, self.given.is_vector, raw);
                self.vectors.is_base64 |= self.vectors.first.is_none() && base64.is_some();
                let vector = base64.as_ref().unwrap_or(encoded);
                self.vectors.looks.add(if self.given.is_vector { vector.bytes() } else { encoded.bytes() });
                self.vectors.add(Manner::Bytes, vector);
            }
            Encoding::Aligned => {
                self.kind(Kind::Bytes);
                self.vectors.is_binary = true;
                self.vectors.judged_by = (!self.given.is_own()).then_some(raw);
                self.vectors.looks.add(encoded.bytes());
                self.vectors.add(Manner::Bytes, encoded);
            }
            Encoding::Numbers => {
                self.array(encoded);
                let is_float = self.item.as_ref().is_some_and(|item| item.common_kind() == Some(Kind::Float));
                let is_bits = raw.is_half() && encoded.halves(raw).is_some();
                if is_bits {
                    self.vectors.is_bits.get_or_insert(true);
                } else if raw.is_half() && encoded.elements.scalars().any(Scalar::is_float) {
                    self.vectors.is_bits = Some(false);
                }
                let is_float = is_float || (is_bits && self.given.is_own());
                self.vectors.add(if is_float { Manner::Floats } else { Manner::Integers }, encoded);
            }
            _ => {
                self.array(encoded);
                if let Format::Packed(raw) = encoded.elements.format
                    && encoded.rows > 1
                    && let Some(element) = raw.data_type()
                {
                    let shape = encoded.outer.iter().copied().chain([encoded.dim]).collect();
                    let tensor = (shape, element);
                    self.tensors += u64::from(*self.tensor.get_or_insert_with(|| tensor.clone()) == tensor);
                }
                // Wide integers are numbers of something else where there is another vector.
                let is_wide = matches!(encoded.elements.format, Format::Packed(raw) if raw.exponent_bits() == 0 && raw.size() > 1);
                self.vectors.add(if is_wide { Manner::Integers } else { Manner::Typed }, encoded);
            }
        }
    }

    /// A list of numbers, or a typed array: lists of the arrays along its first dimension.
    fn array(&mut self, encoded: &Encoded<'_>) {
        self.kind(Kind::List);
        let item = self.item();
        if encoded.outer.is_empty() {
            return item.numbers(encoded);
        }
        encoded.parts().for_each(|part| item.array(&part));
    }

    /// Looks at the value at `cursor`, which is neither a vector nor bytes.
    fn other(&mut self, mut cursor: Cursor<'_>, rules: &Rules<'_>, depth: u32) -> Result<(), Broken> {
        match cursor.peek()? {
            Head::Array(_) | Head::Map(_) if depth >= rules.options.max_depth => {
                self.refused.get_or_insert_with(|| "values deeper than option `max_depth` allows".to_owned());
            }
            Head::Map(_) => {
                self.kind(Kind::Map);
                self.fields_of(&mut cursor, rules, depth)?;
            }
            Head::Array(items) => {
                self.kind(Kind::List);
                cursor.head()?;
                let item = self.item();
                let before = item.misfits();
                (0..items).try_for_each(|_| item.value(&mut cursor, rules, depth + 1))?;
                let is_mixed = item.misfits() > before;
                self.mixed += u64::from(is_mixed);
            }
            Head::Ext(code, length) => {
                cursor.head()?;
                let payload = cursor.take(length as usize)?;
                match nanoseconds(code, payload, &rules.options.extensions) {
                    Some(time) => {
                        self.far |= i64::try_from(time).is_err();
                        self.fine |= time % 1000 != 0;
                        self.kind(Kind::Time);
                    }
                    None if code == TIMESTAMP => {}
                    None => {
                        self.payload =
                            self.payload.or(rules.options.extensions.get(code).is_none().then_some(code));
                        self.kind(Kind::Bytes);
                    }
                }
            }
            Head::Bool(_) => self.kind(Kind::Bool),
            head => Scalar::of(head).into_iter().for_each(|number| self.number(number)),
        }
        Ok(())
    }

    /// Looks at the values of the map, or at the items of the array, at `cursor`: each is a field.
    pub(super) fn fields_of(
        &mut self,
        cursor: &mut Cursor<'_>,
        rules: &Rules<'_>,
        depth: u32,
    ) -> Result<(), Broken> {
        let head = cursor.head()?;
        let (Head::Map(fields) | Head::Array(fields)) = head else { return Ok(()) };
        for position in 0..fields {
            let step = match head {
                Head::Map(_) => name(cursor)?.map(Step::Name),
                _ => Some(Step::Position(position)),
            };
            self.odd_key |= step.is_none();
            match step.and_then(|step| self.field(step, rules, depth)) {
                Some(field) => field.value(cursor, rules, depth + 1)?,
                None => cursor.skip()?,
            }
        }
        Ok(())
    }

    /// Looks at the rows of the map of lists at `cursor`, and gives how many there are.
    pub(super) fn table(&mut self, cursor: Cursor<'_>, rules: &Rules<'_>) -> Result<u64, Broken> {
        let types = rules.types(rules.options.raw_dtype.of_any());
        let lists = Lists::read(cursor, types)?;
        let is_first = self.fields.is_empty();
        for (name, list) in lists.lists {
            // The shape of bytes is no column, whether those of a later map have it or not.
            let is_shape = !is_first && lists.beside.is_shape(name.as_deref());
            let known = |name: &String| self.places.contains_key(&Step::Name(name.clone()));
            if is_shape && !name.as_ref().is_some_and(known) {
                continue;
            }
            if let Some(field) = name.and_then(|name| self.field(Step::Name(name), rules, 0)) {
                field.list_of_rows(list, lists.rows, rules)?;
            }
        }
        Ok(lists.rows as u64)
    }

    /// Looks at the values that a map of lists has in one of them, or at the one that it has for all rows.
    fn list_of_rows(&mut self, list: List<'_>, rows: usize, rules: &Rules<'_>) -> Result<(), Broken> {
        match list {
            List::Array(array) if array.rows == 1 && array.dim == rows => self.numbers(&array),
            List::Array(array) => array.parts().for_each(|part| self.vector(&part, self.raw())),
            List::Refused(what) => drop(self.refused.get_or_insert(what)),
            List::Items(items, mut cursor) => {
                (0..items).try_for_each(|_| self.value(&mut cursor, rules, 1))?;
            }
            List::Value(mut cursor) => {
                let Head::Bin(length @ 1..) = cursor.peek()? else {
                    return self.value(&mut cursor, rules, 1);
                };
                let raw = self.raw_of(length as usize / rows.max(1));
                match encoding::read(&mut cursor.clone(), rules.types(raw))? {
                    // Bytes of all rows.
                    Seen::Vector(array) if rows > 1 && array.is_whole() && array.dim.is_multiple_of(rows) => {
                        let matrix = Encoded { rows, outer: vec![rows], dim: array.dim / rows, ..array };
                        matrix.parts().for_each(|row| self.vector(&row, raw));
                    }
                    _ => self.value(&mut cursor, rules, 1)?,
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, step: Step, rules: &Rules<'_>, depth: u32) -> Option<&mut Observed> {
        if let Some(&place) = self.places.get(&step) {
            return self.fields.get_mut(place);
        }
        let room = rules.room.get();
        if self.fields.len() == MOST_KEYS || (room == 0 && depth > 0) {
            self.too_many_keys = true;
            return None;
        }
        rules.room.set(room.saturating_sub(1));
        let path = [&self.path[..], from_ref(&step)].concat();
        self.places.insert(step, self.fields.len());
        let given = rules.given(&column_name(&path));
        self.fields.push(Self::new(path, given));
        self.fields.last_mut()
    }

    /// The type of untyped bytes.
    pub(super) fn raw(&self) -> RawDtype {
        self.raw.unwrap_or_else(|| self.given.raw(0))
    }

    /// The same, as of a value of this many bytes.
    fn raw_of(&mut self, length: usize) -> RawDtype {
        *self.raw.get_or_insert_with(|| self.given.raw(length))
    }

    /// The values at the end of `path`.
    pub(super) fn at(&self, path: &[Step]) -> Option<&Observed> {
        path.iter().try_fold(self, |at, step| at.fields.get(*at.places.get(step)?))
    }

    pub(super) fn at_mut(&mut self, path: &[Step]) -> Option<&mut Self> {
        path.iter().try_fold(self, |at, step| at.fields.get_mut(*at.places.get(step)?))
    }

    /// The field that a user meant by `name`: a key as it stands, or keys and positions between dots.
    pub(super) fn resolve(&self, name: &str) -> Option<&Self> {
        let key = |name: &str| [Step::Name(name.to_owned())];
        let mut parts = name.split('.').zip(Step::parse(name));
        let of_parts = || parts.try_fold(self, |at, (part, step)| at.at(&key(part)).or(at.at(&[step])));
        self.at(&key(name)).or_else(of_parts)
    }

    /// The field of a column of these values: of tensors, where all have one shape. Vectors inside of it that are
    /// columns of their own belong to it only if it `is_whole`; `None` if nothing is left.
    pub(super) fn column(&self, name: &str, is_whole: bool) -> Option<Field> {
        let tensor = self.tensor.as_ref().filter(|_| self.tensors == self.vectors.values);
        let tensor = tensor.and_then(|(shape, element)| tensor_field(name, shape, element.clone()));
        tensor.or_else(|| Some(Field::new(name, self.data_type(is_whole)?, true)))
    }

    /// The Arrow type of such a column.
    pub(super) fn data_type(&self, is_whole: bool) -> Option<DataType> {
        Some(match self.common_kind() {
            None if self.refused.is_some() => return None,
            None => DataType::Null,
            Some(Kind::Bool) => DataType::Boolean,
            Some(Kind::Integer) if self.huge && !self.negative => DataType::UInt64,
            Some(Kind::Integer) => DataType::Int64,
            Some(Kind::Float) => DataType::Float64,
            Some(Kind::Text) => DataType::Utf8,
            Some(Kind::Bytes) => DataType::Binary,
            Some(Kind::Time) => {
                let unit = if self.far && !self.fine { TimeUnit::Microsecond } else { TimeUnit::Nanosecond };
                DataType::Timestamp(unit, Some("UTC".into()))
            }
            Some(Kind::List) if self.is_mixed() => return None,
            Some(Kind::List) => {
                let item = match &self.item {
                    Some(item) => item.data_type(true)?,
                    None => DataType::Null,
                };
                DataType::List(Field::new("element", item, true).into())
            }
            Some(Kind::Map) => {
                let inside = self.fields.iter().filter(|field| is_whole || !field.is_column);
                let fields: Vec<Field> =
                    inside.filter_map(|field| field.column(&field.key(), is_whole)).collect();
                if fields.is_empty() && !self.fields.is_empty() {
                    return None;
                }
                DataType::Struct(fields.into())
            }
        })
    }

    /// The field and every one inside of it.
    pub(super) fn all(&self) -> Vec<&Self> {
        [self].into_iter().chain(self.fields.iter().flat_map(Self::all)).collect()
    }

    /// True if a map or array holds something that could be a vector.
    pub(super) fn holds_vector(&self) -> bool {
        self.vectors.likely(true).is_some() || self.tensors > 0 || self.fields.iter().any(Self::holds_vector)
    }

    pub(super) fn holds_tensors(&self) -> bool {
        self.tensors > 0 || self.fields.iter().any(Self::holds_tensors)
    }

    /// Says that bytes look like numbers of another type than they are read as.
    pub(super) fn warning(&self) -> Option<String> {
        let are_bytes = self.vectors.is_binary || self.vectors.is_base64 && self.given.is_vector;
        if are_bytes { self.vectors.looks.warning(&printable(&self.name()), self.raw()) } else { None }
    }

    /// True if most of the lists hold values of types that no column holds together.
    fn is_mixed(&self) -> bool {
        let lists = self.kinds.iter().find(|(kind, _)| *kind == Kind::List).map_or(0, |(_, times)| *times);
        2 * self.mixed > lists || self.item.as_ref().is_some_and(|item| item.is_mixed())
    }

    /// The values that no column holds.
    pub(super) fn lost(&self) -> Option<String> {
        match &self.refused {
            _ if self.is_mixed() && self.common_kind() == Some(Kind::List) => {
                Some("left out: lists of values of several types".to_owned())
            }
            Some(what) if self.common_kind().is_none() => Some(format!("left out: {what}")),
            _ if self.too_many_keys => {
                Some(format!("keys of maps beyond the first {MOST_KEYS} are left out"))
            }
            _ => self.item.as_ref()?.lost(),
        }
    }

    /// The values that are kept as bytes, and keys that no column can have.
    pub(super) fn kept(&self) -> Option<String> {
        match self.payload {
            Some(code) => Some(format!(
                "extension {code} is of no known type and kept as bytes: option `extensions` says what it is"
            )),
            None if self.odd_key => Some("keys that are no text, or hold a NUL, are left out".to_owned()),
            None => None,
        }
    }
}
