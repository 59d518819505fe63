//! The evidence of the first records: what they are, and what stands in the way where they are nothing that can be read.

use std::io;
use std::sync::Arc;

use super::beside::Beside;
use super::describe::Inside;
use super::given::Rules;
use super::lists::Lists;
use super::looks::{is_text, looks_like};
use super::observe::{MOST_KEYS, Observed, Vectors, base64_in};
use super::{Layout, Prefix, RecordStart, Step, VECTOR, describe};
use crate::error::Error;
use crate::msgpack::{Broken, Cursor, Head};
use crate::options::{Framing, ReadOptions};
use crate::text::{none_of, printable};
use crate::vector::encoding::{self, Encoded, Encoding, Seen};
use crate::vector::{RawDtype, RawDtypes};

/// What the records so far show.
pub(super) struct Evidence<'a> {
    pub(super) options: &'a ReadOptions,
    pub(super) rules: Rules<'a>,
    /// How records lie in the inputs, and how that was found out.
    pub(super) framing: Framing,
    pub(super) framing_from: String,
    /// How lengths are written, under `length-prefixed` framing.
    pub(super) prefix: Option<Prefix>,
    /// Inference began in the middle of an input.
    pub(super) is_inside: bool,
    /// Records looked at.
    pub(super) records: u64,
    pub(super) layout: Option<Layout>,
    pub(super) layout_from: String,
    /// How the record begins from which the layout was found.
    pub(super) start: Option<RecordStart>,
    /// The keys, under `map` framing.
    pub(super) key: Observed,
    /// The fields of records, or the vector that each of them is.
    pub(super) fields: Observed,
    /// What fields of the first record say of the bytes beside them.
    pub(super) beside: Beside,
    /// How many items several lists of the first record have.
    pub(super) parallel: Option<usize>,
    /// Where records seem to lie in the first record.
    pub(super) inside: Option<Inside>,
    /// The name of the input that is looked at.
    pub(super) input: Arc<str>,
    /// The first record that gives no layout, and its input.
    first: Option<(String, Instead, Arc<str>)>,
    /// The first record with fields: its input, and a text about what it holds.
    contents_of: Arc<str>,
    pub(super) contents: String,
    /// What else is known where nothing can be read: the damage that ended an input, the format that one resembles.
    hints: [Option<String>; 2],
}

/// A record that gives no layout, in words.
#[derive(Clone, Copy)]
pub(super) enum Instead {
    /// A vector that cannot be read.
    Refused,
    /// A map or an array.
    Fields,
    /// A file of another format.
    Foreign,
    /// A record of which the words name the option that it is unlike, or the format that it has.
    Named,
    Other,
}

impl Instead {
    /// For the record at `cursor`, which is no vector.
    fn of(cursor: Cursor<'_>) -> Self {
        if describe::format(cursor).is_some() { Self::Named } else { Self::Other }
    }
}

impl<'a> Evidence<'a> {
    pub(super) fn new(options: &'a ReadOptions) -> Self {
        Self {
            options,
            rules: Rules::new(options),
            framing: options.framing,
            framing_from: "as given".to_owned(),
            prefix: None,
            is_inside: false,
            records: 0,
            layout: None,
            layout_from: "no record tells".to_owned(),
            start: None,
            key: Observed::default(),
            fields: Observed::default(),
            beside: Beside::default(),
            parallel: None,
            inside: None,
            input: Arc::default(),
            first: None,
            contents_of: Arc::default(),
            contents: String::new(),
            hints: [None, None],
        }
    }

    /// True where more records would show nothing further.
    pub(super) fn is_enough(&self) -> bool {
        let limit = self.options.infer_records;
        self.layout == Some(Layout::Vector) && self.framing != Framing::Map && !self.may_be_fields()
            || limit != 0 && self.records >= limit
    }

    /// True if all records so far are `[1, shape, elements]`: Rust's ndarray, or records with the number 1.
    fn may_be_fields(&self) -> bool {
        self.layout == Some(Layout::Vector) && !self.fields.fields.is_empty()
    }

    /// Looks at the record at `cursor`, all of which is at hand.
    pub(super) fn record(&mut self, mut cursor: Cursor<'_>) -> Result<(), Broken> {
        if self.framing == Framing::Map {
            self.key.value(&mut cursor, &self.rules, 1)?;
        }
        let head = cursor.peek()?;
        let raw = self.rules.given(VECTOR).raw(head.payload() as usize);
        let seen = encoding::read(&mut cursor.clone(), self.rules.types(raw))?;
        // The number differs where it is one of records.
        let mut inside = cursor;
        if self.may_be_fields()
            && let (Seen::NotNumbers { .. }, Head::Array(3)) = (&seen, inside.head()?)
            && let Head::UInt(_) | Head::Int(_) = inside.head()?
        {
            self.layout = Some(Layout::Positional);
            self.layout_from = "records are arrays of fields: their first items differ".to_owned();
            self.fields.vectors = Vectors::default();
        }
        let mut named = self.options.vector.iter().chain(self.options.fields().into_iter().flatten());
        let by_position = named.any(|name| matches!(Step::parse(name)[..], [Step::Position(_), ..]));
        let (found, instead) = match (seen, head) {
            (Seen::Vector(vector), Head::Array(_))
                if by_position || is_ndarray(&vector) && self.layout == Some(Layout::Positional) =>
            {
                return self.items(cursor, Layout::Positional);
            }
            (Seen::Vector(vector), _) if vector.outer.len() > 1 => (vector.describe(), Instead::Refused),
            // In the middle of an input this is most likely an item of a list.
            (Seen::Vector(vector), _) if vector.is_scalar && self.is_inside => {
                ("a number of NumPy".to_owned(), Instead::Other)
            }
            (Seen::Vector(vector), _) => return self.bare(cursor, &vector, raw),
            (Seen::Refused(what), _) => (what, Instead::Refused),
            (_, Head::Array(_)) => return self.items(cursor, Layout::Positional),
            (_, Head::Map(_)) => return self.items(cursor, Layout::Map),
            _ => (describe::value(cursor)?, Instead::of(cursor)),
        };
        self.pass(&found, instead);
        Ok(())
    }

    /// Looks at the record at `cursor`, which is a vector.
    fn bare(&mut self, cursor: Cursor<'_>, encoded: &Encoded<'_>, raw: RawDtype) -> Result<(), Broken> {
        let given = self.rules.given(VECTOR);
        // Bytes of the length that `dim` gives are the elements themselves.
        let is_of_dim = encoded.is_whole() && self.options.dim == u32::try_from(encoded.dim).ok();
        let base64 = base64_in(encoded, given.is_vector, raw).filter(|_| !is_of_dim);
        let vector = base64.as_ref().unwrap_or(encoded);
        let is_dim = vector.dim > 0 && i32::try_from(vector.dim).is_ok();
        let is_first = self.layout.is_none() && is_dim && (vector.is_whole() || self.options.dim.is_some());
        if is_first {
            self.settle(Layout::Vector, format!("record {} is a vector", self.records), cursor)?;
            self.fields = Observed::new(Vec::new(), given);
            self.fields.be_vector(vector, raw);
            if matches!(vector.encoding, Encoding::Base64 | Encoding::Aligned) {
                self.fields.vectors.looks.add(vector.bytes());
            }
            // Vectors behind it that are at hand show whether its bytes are numbers.
            let mut ahead = cursor;
            while matches!(vector.encoding, Encoding::Bytes | Encoding::Raw)
                && let Ok(Head::Bin(length) | Head::Str(length)) = ahead.head()
                && let Ok(bytes) = ahead.take(length as usize)
                && self.fields.vectors.looks.add_alike(bytes)
            {}
        } else {
            let is_bytes = matches!(encoded.encoding, Encoding::Bytes | Encoding::Raw);
            let found = if is_bytes { describe::value(cursor)? } else { vector.describe() };
            self.note(&found, Instead::of(cursor));
        }
        if is_ndarray(vector) && (is_first || self.may_be_fields()) {
            self.describe(cursor)?;
            self.fields.fields_of(&mut cursor.clone(), &self.rules, 0)?;
        }
        self.records += 1;
        Ok(())
    }

    /// Takes the layout of the record at `cursor` for that of all.
    fn settle(&mut self, layout: Layout, from: String, cursor: Cursor<'_>) -> Result<(), Broken> {
        (self.layout, self.layout_from) = (Some(layout), from);
        self.start = RecordStart::of(cursor.rest())?;
        Ok(())
    }

    /// Keeps what the record at `cursor` holds, if no other one is known.
    fn describe(&mut self, cursor: Cursor<'_>) -> Result<(), Broken> {
        if !self.contents.is_empty() {
            return Ok(());
        }
        self.contents = format!("the first one holds {}", describe::fields(cursor)?);
        self.contents_of = self.input.clone();
        // Neither goes together with lengths in front of objects.
        let is_open = self.options.records.is_none() && self.framing != Framing::LengthPrefixed;
        if is_open && self.options.framing == Framing::Auto {
            let lists = Lists::read(cursor, self.rules.types(self.options.raw_dtype.of_any()))?;
            self.parallel = lists.are_parallel().then_some(lists.rows);
        }
        if is_open {
            self.inside = describe::records_in(cursor, 1)?;
        }
        Ok(())
    }

    /// Looks at the fields of the record at `cursor`.
    fn items(&mut self, cursor: Cursor<'_>, layout: Layout) -> Result<(), Broken> {
        self.describe(cursor)?;
        let number = self.records;
        self.records += 1;
        if self.layout.is_none() {
            self.beside = Beside::read(cursor)?;
            if let Some(raw) = self.beside.raw() {
                self.beside.typed().into_iter().for_each(|field| self.rules.set_raw(field, raw));
            }
            self.fields = Observed::default();
        } else if self.layout != Some(layout) || self.names_another_type(cursor)? {
            return Ok(());
        }
        if layout == Layout::Map && self.framing == Framing::Columns {
            let rows = self.fields.table(cursor, &self.rules)?;
            self.records = number + rows.max(1);
        } else {
            self.fields.fields_of(&mut cursor.clone(), &self.rules, 0)?;
        }
        if self.layout.is_none() {
            let is_given = self.options.columns.is_some() || !self.options.vector.is_empty();
            let what = if layout == Layout::Map { "a map" } else { "an array" };
            if is_given || self.fields.holds_vector() {
                return self.settle(layout, format!("record {number} is {what} of fields"), cursor);
            }
            self.note(&format!("{what} without a vector in it"), Instead::Fields);
        }
        Ok(())
    }

    /// True where the record at `cursor` names another type for its bytes than the first one: the decoder rejects it.
    fn names_another_type(&self, cursor: Cursor<'_>) -> Result<bool, Broken> {
        let is_open = self.options.raw_dtype == RawDtypes::default() && !self.beside.typed().is_empty();
        let Some(raw) = self.beside.raw().filter(|_| is_open) else { return Ok(false) };
        Ok(Beside::read(cursor)?.raw().is_some_and(|other| other != raw))
    }

    /// Counts a record that tells nothing.
    pub(super) fn pass(&mut self, found: &str, instead: Instead) {
        self.records += 1;
        self.note(found, instead);
    }

    pub(super) fn note(&mut self, found: &str, instead: Instead) {
        self.first.get_or_insert_with(|| (found.to_owned(), instead, self.input.clone()));
    }

    /// Notes what ended an input before its end.
    pub(super) fn saw_damage(&mut self, damage: &io::Error) {
        self.hints[0].get_or_insert_with(|| format!("; {}: {damage}", printable(&self.input)));
    }

    /// Notes the format that an input resembles, which begins with `bytes`.
    pub(super) fn looks_like(&mut self, bytes: &[u8]) {
        let format = looks_like(bytes).or(is_text(bytes).then_some("text, which is no MessagePack"));
        let found = format.map(|format| format!("; the input looks like {format}"));
        self.hints[1] = self.hints[1].take().or(found);
    }

    /// The name of the input that the message of an error is about.
    pub(super) fn input_prefix(&self) -> String {
        let input = if self.contents.is_empty() { &self.input } else { &self.contents_of };
        in_front(input)
    }

    /// What the first record with fields holds, and what of it cannot be read.
    pub(super) fn content_in_words(&self) -> String {
        let mut text = self.contents.clone();
        // The objects of an array are its records, and a matrix in each of many records is a field of theirs.
        let is_open = self.framing != Framing::Array;
        if is_open && self.parallel.is_some() {
            text += "; its lists seem to be columns: pass option `framing=columns`";
        } else if let Some(Inside { path, .. }) =
            self.inside.as_ref().filter(|inside| is_open && (self.records == 1 || !inside.is_matrix))
        {
            text += &format!(
                "; the records seem to lie in `{path}`: pass option `records={path}`, which leaves out what is beside them"
            );
        }
        for field in self.fields.all() {
            if let Some(what) = &field.refused {
                text += &format!("; `{}`: {what}", printable(&field.name()));
            }
        }
        text
    }

    /// Why no plan can be made.
    pub(super) fn failure(&self) -> Error {
        if self.fields.too_many_keys {
            return Error::schema(format!(
                "{}the maps that are records have more keys than a table has columns: if each is the key of a vector, pass option \
                 `framing=map`; else choose some of the first {MOST_KEYS} with option `columns`",
                self.input_prefix()
            ));
        }
        let (raw, none) = (self.options.raw_dtype.of(VECTOR), none_of(self.records));
        let input = match &self.first {
            None | Some((_, Instead::Fields, _)) => self.input_prefix(),
            Some((.., input)) => in_front(input),
        };
        let hints: String = self.hints.iter().flatten().map(String::as_str).collect();
        Error::schema(match &self.first {
            None if hints.is_empty() => {
                "the inputs hold no record: option `dim` makes a table without rows of them".to_owned()
            }
            None => format!("the inputs hold no record that can be read{hints}"),
            Some((first, Instead::Foreign, _)) => {
                format!("{input}the input is {first} and no MessagePack{hints}")
            }
            Some((first, Instead::Refused, _)) => {
                format!("{input}{none} is a vector that can be read; the first one is {first}{hints}")
            }
            Some((_, Instead::Fields, _)) => format!(
                "{input}{none} is a vector or has a field that is one; {}; name the fields \
                 that are vectors with option `vector`, or choose some with option `columns`{hints}",
                self.content_in_words()
            ),
            Some((first, instead @ (Instead::Named | Instead::Other), _)) => {
                let advice = match (&self.hints[1], instead, self.options.records.is_some()) {
                    // The format that the input looks like is advice enough, and so is an option that is named.
                    (Some(_), ..) | (None, Instead::Named, false) => "",
                    (None, _, true) => ": check option `records` or `raw_dtype`, or pass option `dim`",
                    (None, _, false) => ": check option `raw_dtype`, or pass option `dim`",
                };
                let size = raw.size();
                format!(
                    "{input}{none} is a vector, or bytes that are a multiple of {size} ({raw}); the first one is \
                     {first}{advice}{hints}"
                )
            }
        })
    }
}

/// The name of an input, in front of what is said of it.
fn in_front(input: &str) -> String {
    if input.is_empty() { String::new() } else { format!("{}: ", printable(input)) }
}

fn is_ndarray(vector: &Encoded<'_>) -> bool {
    vector.encoding == Encoding::RustNdarray
}
