//! Inference: looks at the first records and finds framing, layout, dimension and schema. Push, as the decoder is.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use super::findings::column_name;
use super::framing::{End, detect};
use super::given::{Given, Rules};
use super::looks::Looks;
use super::notes::Notes;
use super::observe::Observed;
use super::{
    Arrival, Column, Findings, ID, KEY, Layout, PATH, Prefix, RECORD, RecordStart, Role, Step, VECTOR, Way,
    vector_field, vector_type,
};
use super::{describe, foreign};
use crate::error::{Error, Result};
use crate::msgpack::{Broken, Cursor, Head, Skipped, Skipper};
use crate::options::{Framing, ReadOptions};
use crate::text::printable;
use crate::vector::encoding::{self, Encoded, Encoding, Seen, read_base64};
use crate::vector::{Dtype, Format, RawDtype};

/// Looks at records until it knows enough.
pub(crate) struct Inference<'a> {
    options: &'a ReadOptions,
    rules: Rules<'a>,
    framing: Framing,
    framing_from: String,
    prefix: Option<Prefix>,
    /// Records of the current document that are still to come; `None` where there is none.
    left: Option<u64>,
    skipper: Option<Skipper>,
    /// The way to the records of a document, and the walk along it.
    steps: Vec<Step>,
    way: Option<Way>,
    /// Objects of the current document behind its records.
    tail: u64,
    /// Records looked at.
    records: u64,
    key: Observed,
    layout: Option<Layout>,
    layout_from: String,
    /// The column of bare vectors.
    vector: Option<Column>,
    /// All records so far are `[1, shape, elements]`: Rust's ndarray, or records with the number 1.
    may_be_fields: bool,
    looks: Looks,
    fields: Observed,
    /// How the record begins from which the layout was found.
    start: Option<RecordStart>,
    /// Where the first object ends, if that is a record and whole.
    first_end: Option<usize>,
    /// The object in the place of the first vector, for the error message.
    first: Option<(String, Instead)>,
    /// The content of the first record with fields, and its input.
    contents: Option<(Arc<str>, String)>,
    /// The name of the input that is looked at, and the first damage that ended one, for the same.
    input: Arc<str>,
    damage: Option<String>,
    /// Inference began in the middle of an input.
    is_inside: bool,
    /// No byte of the current input has been looked at.
    is_at_start: bool,
    /// The format that an input resembles.
    looks_like: Option<&'static str>,
    /// A field of the first record that names a type of elements, and that type.
    named_dtype: Option<(String, RawDtype)>,
}

/// A record that gives no layout, in words.
enum Instead {
    /// A vector that cannot be read.
    Refused,
    /// A map or an array.
    Fields,
    /// A file of another format.
    Foreign,
    Other,
}

/// How far [`Inference::infer`] came.
pub(crate) enum Inferred {
    /// All is known.
    Done,
    /// This many bytes are done with; more are needed, this many at the least.
    Consumed(usize, u64),
    /// Nothing further can be learned from this input.
    Unreadable,
}

/// How an encoded vector is stored, for people.
pub(super) fn stored(encoded: &Encoded<'_>) -> String {
    let elements = match encoded.format() {
        Some(Format::Packed(raw)) => raw.to_string(),
        Some(Format::Float32) => "float32".to_owned(),
        Some(Format::Float64) => "float64".to_owned(),
        None => "floats and integers".to_owned(),
    };
    match encoded.encoding {
        Encoding::Bytes => elements,
        encoding => format!("{elements} ({})", encoding.as_str()),
    }
}

impl<'a> Inference<'a> {
    pub(crate) fn new(options: &'a ReadOptions) -> Self {
        Self {
            options,
            rules: Rules::new(options),
            framing: options.framing,
            framing_from: "as given".to_owned(),
            prefix: None,
            left: None,
            skipper: None,
            steps: options.records.as_deref().map(Step::parse).unwrap_or_default(),
            way: None,
            tail: 0,
            start: None,
            first_end: None,
            records: 0,
            key: Observed::default(),
            layout: None,
            layout_from: String::new(),
            vector: None,
            may_be_fields: false,
            looks: Looks::default(),
            fields: Observed::default(),
            first: None,
            contents: None,
            input: Arc::default(),
            damage: None,
            is_inside: false,
            is_at_start: false,
            looks_like: None,
            named_dtype: None,
        }
    }

    /// Begins among the records, behind the head of the array or map that holds them, if one does.
    pub(crate) fn inside(framing: Framing, options: &'a ReadOptions) -> Self {
        let left = if framing == Framing::Sequence { None } else { Some(u64::MAX) };
        Self { framing, left, is_inside: true, ..Self::new(options) }
    }

    fn is_done(&self) -> bool {
        let limit = self.options.infer_records;
        self.layout == Some(Layout::Vector) && self.framing != Framing::Map && !self.may_be_fields
            || limit != 0 && self.records >= limit
    }

    /// Looks at the next bytes of an input, which `ended` with them or did not.
    pub(crate) fn infer(&mut self, bytes: &[u8], ended: bool) -> Inferred {
        if self.is_at_start {
            match foreign::format(bytes, ended) {
                foreign::Format::Short(needed) => return Inferred::Consumed(0, needed as u64),
                foreign::Format::Foreign(name) => {
                    self.is_at_start = false;
                    self.records += 1;
                    self.note(name, Instead::Foreign);
                    return Inferred::Unreadable;
                }
                foreign::Format::MessagePack => {
                    self.is_at_start = false;
                    self.looks_like = self.looks_like.or_else(|| foreign::looks_like(bytes));
                }
            }
        }
        let mut at = 0;
        loop {
            if let Some(skipper) = &mut self.skipper {
                match skipper.skip(&bytes[at..]) {
                    Skipped::Done(bytes) => {
                        at += bytes;
                        self.skipper = None;
                    }
                    Skipped::More(bytes) => return Inferred::Consumed(at + bytes, 0),
                    Skipped::Reserved(_) => return Inferred::Unreadable,
                }
            }
            if self.is_done() {
                return Inferred::Done;
            }
            match self.next(&bytes[at..], ended) {
                Ok(taken) => at += taken,
                Err(Broken::Short(needed)) => {
                    if needed > self.most() {
                        self.skipper = Some(Skipper::of(if self.in_map() { 2 } else { 1 }));
                        self.pass_too_large();
                        continue;
                    }
                    return Inferred::Consumed(at, needed);
                }
                Err(Broken::Reserved(_)) => {
                    self.pass("the byte 0xc1, which no MessagePack encoder writes");
                    return Inferred::Unreadable;
                }
            }
        }
    }

    /// How many bytes may be asked for at the most.
    fn most(&self) -> u64 {
        self.options.max_record_bytes.saturating_add(1 << 10)
    }

    /// True where the next record is the value of a key.
    fn in_map(&self) -> bool {
        self.framing == Framing::Map && self.left.is_some_and(|left| left > 0)
    }

    /// Looks at the head of a document or at one record, and gives its length.
    fn next(&mut self, bytes: &[u8], ended: bool) -> Result<usize, Broken> {
        if !self.steps.is_empty() && self.left.is_none_or(|left| left == 0) {
            return self.walk(bytes);
        }
        if self.framing == Framing::Auto
            && let Some(prefix) = Prefix::detect(bytes, ended, self.options.max_record_bytes)?
        {
            let from = format!("in front of each object stands its length ({})", prefix.as_str());
            (self.framing, self.framing_from, self.prefix) = (Framing::LengthPrefixed, from, Some(prefix));
        }
        if self.framing == Framing::Auto {
            // Of so many bytes, however many there are: what is found must not depend on how they come.
            let most = usize::try_from(self.most()).unwrap_or(usize::MAX);
            let types = self.rules.types(self.options.raw_dtype.of(VECTOR));
            let found = match bytes.get(..most) {
                Some(bytes) => detect(bytes, End::OfLooking, types),
                None => detect(bytes, if ended { End::OfInput } else { End::Open }, types),
            };
            let (framing, why) = found.map_err(|broken| match broken {
                Broken::Short(needed) if bytes.len() < most => Broken::Short(needed.min(self.most())),
                other => other,
            })?;
            (self.framing, self.framing_from) = (framing, why.to_owned());
        }
        if self.framing == Framing::LengthPrefixed {
            return self.next_prefixed(bytes, ended);
        }
        let mut cursor = Cursor::new(bytes);
        if matches!(self.framing, Framing::Array | Framing::Map) && self.left.is_none_or(|left| left == 0) {
            match (self.framing, cursor.head()?) {
                (Framing::Array, Head::Array(records)) | (Framing::Map, Head::Map(records)) => {
                    self.left = Some(records.into());
                    return Ok(cursor.at());
                }
                (_, head) => {
                    // All of it first: it comes again where it is not there in full, and counts once.
                    cursor = Cursor::new(bytes);
                    cursor.skip()?;
                    self.pass(&head.to_string());
                    return Ok(cursor.at());
                }
            }
        }
        // All of the record first: what is observed of it cannot be taken back.
        let mut end = cursor;
        if self.framing == Framing::Map {
            end.skip()?;
        }
        end.skip()?;
        if end.at() as u64 > self.options.max_record_bytes {
            self.pass_too_large();
            return Ok(end.at());
        }
        if self.framing == Framing::Map {
            self.key.value(&mut cursor, &self.rules, 1)?;
        }
        if self.records == 0 && self.framing == Framing::Sequence {
            self.first_end = Some(end.at());
        }
        self.record(cursor)?;
        self.left = self.left.map(|left| left - 1);
        Ok(end.at())
    }

    /// Looks at the record at the start of `bytes`, in front of which its length stands.
    fn next_prefixed(&mut self, bytes: &[u8], ended: bool) -> Result<usize, Broken> {
        let prefix = match self.prefix {
            Some(prefix) => prefix,
            None => match Prefix::detect(bytes, ended, self.options.max_record_bytes)? {
                Some(prefix) => prefix,
                None => {
                    self.pass("bytes without a length in front of an object");
                    return Err(Broken::Reserved(0));
                }
            },
        };
        self.prefix = Some(prefix);
        let Some((size, length)) = prefix.read(bytes)? else { return Err(Broken::Reserved(0)) };
        let end = size + length;
        if length as u64 > self.options.max_record_bytes {
            self.pass_too_large();
            self.skipper = Some(Skipper::of_bytes(length as u64));
            return Ok(size);
        }
        let record = bytes.get(size..end).ok_or(Broken::Short(end as u64))?;
        let mut cursor = Cursor::new(record);
        match cursor.skip() {
            Ok(()) if cursor.rest().is_empty() => self.record(Cursor::new(record))?,
            _ => self.pass(&format!("{length} bytes that are no whole object")),
        }
        Ok(end)
    }

    /// Walks on to the records of the next document.
    fn walk(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        if self.tail > 0 {
            self.skipper = Some(Skipper::of(std::mem::take(&mut self.tail)));
            return Ok(0);
        }
        let way = self.way.get_or_insert_with(Way::new);
        match way.walk(&self.steps, bytes) {
            Arrival::More(0, needed) => Err(Broken::Short(needed.max(bytes.len() as u64 + 1))),
            Arrival::More(taken, _) => Ok(taken),
            Arrival::Reserved(place) => Err(Broken::Reserved(place)),
            Arrival::Nowhere { taken, left, expected, found } => {
                self.way = None;
                self.skipper = Some(Skipper::of(left));
                self.pass(&format!("{found}, where {expected} was expected"));
                Ok(taken)
            }
            Arrival::Here(taken, tail) => {
                let mut cursor = Cursor::starting_at(bytes, taken);
                if self.framing == Framing::Auto {
                    let types = self.rules.types(self.options.raw_dtype.of(VECTOR));
                    self.framing = match cursor.peek()? {
                        Head::Array(_) => Framing::Array,
                        Head::Map(_)
                            if matches!(encoding::read(&mut cursor.clone(), types)?, Seen::Other(_)) =>
                        {
                            Framing::Map
                        }
                        _ => Framing::Sequence,
                    };
                    self.framing_from = "from what lies where option `records` says".to_owned();
                }
                let records = match (self.framing, cursor.peek()?) {
                    (Framing::Array, Head::Array(records)) | (Framing::Map, Head::Map(records)) => {
                        cursor.head()?;
                        records.into()
                    }
                    (Framing::Array | Framing::Map, head) => {
                        self.way = None;
                        self.skipper = Some(Skipper::of(tail + 1));
                        self.pass(&head.to_string());
                        return Ok(taken);
                    }
                    _ => 1,
                };
                (self.way, self.left, self.tail) = (None, Some(records), tail);
                Ok(cursor.at())
            }
        }
    }

    fn record(&mut self, cursor: Cursor<'_>) -> Result<(), Broken> {
        let length = cursor.peek()?.payload() as usize;
        let raw = Given::new(self.options).at(&Step::Name(VECTOR.to_owned())).raw(Some(length));
        let seen = encoding::read(&mut cursor.clone(), self.rules.types(raw))?;
        let named = self.options.vector.iter().chain(self.options.fields().into_iter().flatten());
        let by_position =
            named.map(|name| Step::parse(name)).any(|path| matches!(path[..], [Step::Position(_), ..]));
        // The number differs where it is one of records.
        let mut inside = cursor;
        if self.may_be_fields
            && let (Seen::NotNumbers { .. }, Head::Array(3)) = (&seen, inside.head()?)
            && let Head::UInt(_) | Head::Int(_) = inside.head()?
        {
            self.may_be_fields = false;
            self.layout = Some(Layout::Positional);
            self.layout_from = "records are arrays of fields: their first items differ".to_owned();
        }
        let is_ndarray = matches!(&seen, Seen::Vector(vector) if vector.encoding == Encoding::RustNdarray);
        let found = match (&seen, cursor.peek()?) {
            (..) if is_ndarray && self.layout == Some(Layout::Positional) => {
                return self.items(cursor, Layout::Positional);
            }
            // In the middle of an input this is most likely an item of a list.
            (Seen::Vector(encoded), _) if encoded.outer.len() > 1 => {
                let what = encoded.describe();
                self.note(&what, Instead::Refused);
                what
            }
            (Seen::Vector(encoded), _) if encoded.is_scalar && self.is_inside => {
                "a number of NumPy".to_owned()
            }
            (Seen::Vector(encoded), head) if !(by_position && matches!(head, Head::Array(_))) => {
                let base64 =
                    if encoded.encoding == Encoding::Raw { read_base64(encoded.bytes(), raw) } else { None };
                let is_first = self.layout.is_none();
                if is_first && !encoded.encoding.is_typed() {
                    self.look(cursor);
                }
                self.bare(base64.as_ref().unwrap_or(encoded), raw, cursor.rest())?;
                if is_ndarray && is_first && self.layout.is_some() {
                    self.may_be_fields = true;
                    self.contents.get_or_insert((self.input.clone(), describe::fields(cursor)?));
                    self.fields = Observed::new(Given::new(self.options));
                }
                if self.may_be_fields && is_ndarray {
                    self.fields.items(&mut cursor.clone(), &self.rules)?;
                }
                return Ok(());
            }
            (Seen::Refused(what), _) => {
                self.note(what, Instead::Refused);
                what.clone()
            }
            (_, Head::Array(_)) => return self.items(cursor, Layout::Positional),
            (_, Head::Map(_)) => return self.items(cursor, Layout::Map),
            (_, head) => head.to_string(),
        };
        self.pass(&found);
        Ok(())
    }

    /// Looks at the bytes of the bare vector at `cursor`, and at those behind it that are at hand.
    fn look(&mut self, mut cursor: Cursor<'_>) {
        while let Ok(Head::Bin(length) | Head::Str(length)) = cursor.head()
            && let Ok(bytes) = cursor.take(length as usize)
            && self.looks.add_alike(bytes)
        {}
    }

    fn bare(&mut self, encoded: &Encoded<'_>, raw: RawDtype, record: &[u8]) -> Result<(), Broken> {
        self.records += 1;
        let dim = u32::try_from(encoded.dim).ok().filter(|&dim| dim > 0 && i32::try_from(dim).is_ok());
        match (dim, self.layout) {
            (Some(dim), None) if encoded.is_whole() || self.options.dim.is_some() => {
                self.layout = Some(Layout::Vector);
                self.layout_from = format!("record {} is a vector", self.records - 1);
                let field = vector_field(VECTOR, self.options.dim.unwrap_or(dim), self.options.dtype);
                let is_bits = raw.is_half() && encoded.halves(raw).is_some();
                let stored = Some(stored(encoded));
                self.vector = field.ok().map(|field| Column {
                    stored,
                    raw,
                    is_bits,
                    ..Column::vector(Vec::new(), field)
                });
                self.start = RecordStart::of(record)?;
            }
            _ => self.note(&encoded.describe(), Instead::Other),
        }
        Ok(())
    }

    fn items(&mut self, mut cursor: Cursor<'_>, layout: Layout) -> Result<(), Broken> {
        if self.contents.is_none() {
            let mut fields = describe::fields(cursor)?;
            if self.options.records.is_none()
                && let Some(path) = describe::records_in(cursor, 1)?
            {
                let path = printable(&path);
                fields.push_str(&format!(
                    "; the records seem to lie in `{path}`: pass option `records={path}`"
                ));
            }
            self.contents = Some((self.input.clone(), fields));
        }
        match self.layout {
            None => {
                let mut fields = Observed::new(Given::new(self.options));
                let mut ahead = cursor;
                let rows = match layout {
                    Layout::Map if self.framing == Framing::Columns => fields.table(ahead, &self.rules)?,
                    Layout::Map => fields.pairs(&mut ahead, &self.rules, 0).map(|()| 1)?,
                    _ => fields.items(&mut ahead, &self.rules).map(|()| 1)?,
                };
                let is_given = self.options.columns.is_some() || !self.options.vector.is_empty();
                let what = if layout == Layout::Map { "a map" } else { "an array" };
                if !is_given && !fields.holds_vector() {
                    self.note(&format!("{what} without a vector in it"), Instead::Fields);
                } else {
                    self.layout = Some(layout);
                    self.layout_from = format!("record {} is {what} of fields", self.records);
                    self.fields = fields;
                    self.records += rows.saturating_sub(1);
                    self.start = RecordStart::of(cursor.rest())?;
                    self.named_dtype = describe::named_dtype(cursor)?;
                }
            }
            Some(chosen) if chosen == layout => match layout {
                _ if self.framing == Framing::Columns => {
                    self.records += self.fields.table(cursor, &self.rules)?.saturating_sub(1);
                }
                Layout::Map => self.fields.pairs(&mut cursor, &self.rules, 0)?,
                _ => self.fields.items(&mut cursor, &self.rules)?,
            },
            _ => {}
        }
        self.records += 1;
        Ok(())
    }

    /// Begins with the input of this name, at its start or at another place.
    pub(crate) fn begin(&mut self, input: &Arc<str>, is_at_start: bool) {
        self.input = input.clone();
        self.is_at_start = is_at_start;
    }

    /// The input ends here, as what comes behind cannot be read.
    pub(crate) fn saw_damage(&mut self, damage: &io::Error) {
        self.damage.get_or_insert_with(|| format!("; {}: {damage}", printable(&self.input)));
    }

    /// Ends with an input. `rest` bytes at the end of the one before were not consumed: a record that is cut off.
    pub(crate) fn next_input(&mut self, rest: u64) {
        // A record that is being stepped over has been noted.
        if self.skipper.take().is_none() && rest > 0 {
            self.pass("cut off");
        }
        (self.left, self.way, self.tail) = (None, None, 0);
    }

    /// A record that the decoder will not read either.
    fn pass_too_large(&mut self) {
        self.pass("a record that is larger than option `max_record_bytes`");
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    /// A record that tells nothing.
    fn pass(&mut self, found: &str) {
        self.records += 1;
        self.note(found, Instead::Other);
    }

    fn note(&mut self, found: &str, instead: Instead) {
        self.first.get_or_insert_with(|| (found.to_owned(), instead));
    }

    /// Where the first object ends, if that is a record and whole.
    pub(crate) fn first_end(&self) -> usize {
        self.first_end.unwrap_or(0)
    }

    /// The findings.
    pub(crate) fn findings(self) -> Result<Findings> {
        let framing = if self.framing == Framing::Auto { Framing::Sequence } else { self.framing };
        let mut columns = match (self.layout, self.options.dim) {
            (Some(Layout::Vector), _) | (None, Some(_)) => self.bare_columns()?,
            (Some(_), _) => {
                let columns = self.field_columns()?;
                self.check_named_dtype(&columns)?;
                columns
            }
            (None, None) => return Err(self.failure()),
        };
        if framing == Framing::Map {
            let data_type = self.key.data_type(&mut Vec::new(), &|_| false).filter(|t| !t.is_nested());
            let field = Field::new(KEY, data_type.unwrap_or(DataType::Utf8), true);
            columns.insert(0, Column::of(field, Role::Key));
        }
        self.apply_schema(&mut columns)?;
        self.project(&mut columns)?;
        if self.options.include_path {
            let field = Field::new(PATH, DataType::Utf8, false);
            columns.push(Column::of(field, Role::Path));
        }
        if self.options.include_record {
            let field = Field::new(RECORD, DataType::UInt64, false);
            columns.push(Column::of(field, Role::Record));
        }
        if self.options.include_id {
            columns.push(Column::of(Field::new(ID, DataType::Int64, false), Role::Id));
        }
        for (index, column) in columns.iter().enumerate() {
            // Names are C strings where Arrow data leaves.
            if column.name().contains('\0') {
                return Err(Error::schema("the name of a column must not hold a NUL byte"));
            }
            if columns[..index].iter().any(|other| other.name() == column.name()) {
                return Err(Error::schema(format!(
                    "two columns have the name `{}`: leave one of them out with option `columns`, or \
                     leave out option `include_path`, option `include_record` or option `include_id`",
                    column.name()
                )));
            }
        }
        let notes = match self.vector.as_ref().filter(|_| self.layout == Some(Layout::Vector)) {
            Some(vector) => Notes::of_vectors(&self.looks, vector.raw, self.options),
            None => Notes::of_fields(&self.fields, &columns, self.options),
        };
        Ok(Findings {
            notes,
            framing,
            prefix: self.prefix,
            layout: self.layout.unwrap_or(Layout::Vector),
            columns,
            start: self.start,
            framing_from: self.framing_from,
            layout_from: if self.layout_from.is_empty() {
                "no record tells".to_owned()
            } else {
                self.layout_from
            },
        })
    }

    fn bare_columns(&self) -> Result<Vec<Column>> {
        if let Some(name) = self.options.vector.iter().find(|name| *name != VECTOR) {
            return Err(Error::schema(format!(
                "option `vector`: the records are bare vectors and have no field `{name}`: leave the option out"
            )));
        }
        let field = vector_field(VECTOR, self.options.dim.unwrap_or(0), self.options.dtype);
        Ok(vec![match &self.vector {
            Some(column) => column.clone(),
            None => Column { raw: self.options.raw_dtype.of(VECTOR), ..Column::vector(Vec::new(), field?) },
        }])
    }

    /// The columns of records that have fields, in the order in which the fields were first seen.
    fn field_columns(&self) -> Result<Vec<Column>> {
        if self.fields.too_many_keys {
            return Err(Error::schema(
                "the maps that are records have more keys than a table has columns: if each is the key of a vector, pass \
                 option `framing=map`; else choose some with option `columns`",
            ));
        }
        let vectors = self.vectors()?;
        let mut columns = Vec::new();
        let mut of_steps: HashMap<&Step, Vec<&Column>> = HashMap::new();
        for column in &vectors {
            if let Some(step) = column.path.first() {
                of_steps.entry(step).or_default().push(column);
            }
        }
        for (step, field) in &self.fields.fields {
            let mut path = vec![step.clone()];
            let own = of_steps.get(step).map_or(&[][..], |own| own);
            let is_vector = |path: &[Step]| own.iter().any(|column| column.path == path);
            columns.extend(own.iter().copied().cloned());
            let field_raw = field.raw();
            if !is_vector(&path)
                && let Some(field) = field.column(&step.to_string(), &mut path, &is_vector)
            {
                columns.push(Column { path, raw: field_raw, ..Column::of(field, Role::Value) });
            }
        }
        Ok(columns)
    }

    /// The vector columns: those that options name, or else those that are clear, or else the likeliest one.
    fn vectors(&self) -> Result<Vec<Column>> {
        let dim = self.options.dim.map(|dim| dim as usize);
        let mut found: Vec<(Vec<Step>, usize)> = Vec::new();
        for name in &self.options.vector {
            let path = self.fields.resolve(name);
            let at = path.and_then(|path| Some((self.fields.at(&path)?, path)));
            let Some((field, path)) = at else {
                return Err(Error::schema(format!(
                    "option `vector`: none of the first {} records has a field `{name}`; they have {}",
                    self.records,
                    self.names()
                )));
            };
            if let Some(format) = field.vectors.looks.format {
                let text = format!("vector: `{name}` holds {format} and no vector: leave it out of `vector`");
                return Err(Error::schema(text));
            }
            let Some(dim) = dim.or(field.vectors.dim()) else {
                return Err(Error::schema(format!(
                    "option `vector`: `{name}` holds no vector in the first {} records, so its dimension is not known: pass option `dim`",
                    self.records
                )));
            };
            found.push((path, dim));
        }
        if self.options.vector.is_empty() {
            let mut clear = Vec::new();
            self.fields.visit(&mut Vec::new(), &mut |path, field| {
                let vectors = &field.vectors;
                clear.extend(vectors.clear_dim(dim).map(|dim| (path.to_vec(), dim, vectors.values)));
            });
            // A few odd records must not make rejects of all others, which have no such field.
            let most = clear.iter().map(|(_, _, values)| *values).max();
            clear.retain(|(_, _, values)| most.is_some_and(|most| 2 * values >= most));
            found.extend(clear.into_iter().map(|(path, dim, _)| (path, dim)));
        }
        if found.is_empty() {
            let mut best = 0.0;
            self.fields.visit(&mut Vec::new(), &mut |path, field| {
                if let Some((likely, dim)) = field.vectors.possible(dim).filter(|(likely, _)| *likely > best)
                {
                    (best, found) = (likely, vec![(path.to_vec(), dim)]);
                }
            });
        }
        let is_free = self.options.columns.is_none() && self.options.schema.fields().is_empty();
        if found.is_empty() && is_free && !self.fields.holds_numbers() {
            return Err(Error::schema(format!(
                "{}no field of the first {} records is a vector{}; {}: name the field that is one with option `vector`, or choose \
                 some with option `columns`",
                self.input_prefix(),
                self.records,
                dim.map(|dim| format!(" of {dim} elements")).unwrap_or_default(),
                self.contents()
            )));
        }
        let column = |(path, dim): (Vec<Step>, usize)| {
            let found = self.fields.at(&path);
            let stored = found.and_then(|field| field.vectors.stored.clone());
            let raw = found.map_or(self.options.raw_dtype.default, Observed::raw);
            let length =
                u32::try_from(dim).map_err(|_| Error::schema("a vector of more than 2^32 elements"))?;
            let field = vector_field(&column_name(&path), length, self.options.dtype)?;
            let is_bits = found.is_some_and(|field| field.vectors.is_bits == Some(true));
            Ok(Column { stored, raw, is_bits, ..Column::vector(path, field) })
        };
        found.into_iter().map(column).collect()
    }

    fn names(&self) -> String {
        const SHOWN: usize = 20;
        let fields = &self.fields.fields;
        let names: Vec<String> = fields.iter().take(SHOWN).map(|(step, _)| format!("`{step}`")).collect();
        let more = if fields.len() > SHOWN { ", ..." } else { "" };
        if names.is_empty() { "no fields".to_owned() } else { format!("{}{more}", names.join(", ")) }
    }

    /// Lets the given schema override the inferred one.
    fn apply_schema(&self, columns: &mut Vec<Column>) -> Result<()> {
        for field in self.options.schema.fields() {
            match columns.iter_mut().find(|column| column.name() == field.name()) {
                Some(column) if column.path.is_empty() && column.role == Role::Vector => {
                    *column = retyped_bare(column, field)?;
                }
                Some(column) => *column = column.clone().retyped(field)?,
                None if self.layout == Some(Layout::Vector) || self.layout.is_none() => {
                    return Err(Error::schema(format!(
                        "option `schema`: the records are bare vectors and have no field `{}`",
                        field.name()
                    )));
                }
                None => {
                    let path = self.fields.resolve(field.name()).unwrap_or_else(|| self.way_to(field.name()));
                    let plain = Field::new(field.name(), DataType::Null, true);
                    let raw = self.fields.at(&path).map_or(self.options.raw_dtype.default, Observed::raw);
                    let column = Column { path, raw, ..Column::of(plain, Role::Value) };
                    columns.push(column.retyped(field)?);
                }
            }
        }
        Ok(())
    }

    /// The way to a field that no record had so far.
    fn way_to(&self, name: &str) -> Vec<Step> {
        match self.layout {
            Some(Layout::Positional) => Step::parse(name),
            _ => vec![Step::Name(name.to_owned())],
        }
    }

    /// Leaves only the columns that were asked for, in the order in which they were.
    fn project(&self, columns: &mut Vec<Column>) -> Result<()> {
        let Some(names) = self.options.fields() else { return Ok(()) };
        let chosen = |name: &String| {
            if let Some(column) = columns.iter().find(|column| column.name() == name) {
                return Ok(column.clone());
            }
            let path = self.fields.resolve(name);
            let field = path.and_then(|path| Some((self.fields.at(&path)?, path)));
            let inside =
                field.and_then(|(field, mut path)| Some((field.column(name, &mut path, &|_| false)?, path)));
            let Some((field, path)) = inside else {
                let known: Vec<String> =
                    columns.iter().map(|column| format!("`{}`", column.name())).collect();
                return Err(Error::schema(format!(
                    "option `columns`: there is no column `{name}`; there are {}",
                    known.join(", ")
                )));
            };
            Ok(Column { path, ..Column::of(field, Role::Value) })
        };
        *columns = names.into_iter().map(chosen).collect::<Result<_>>()?;
        Ok(())
    }

    /// The content of the first record with fields.
    fn contents(&self) -> String {
        self.contents.as_ref().map_or_else(String::new, |(_, fields)| format!("the first one holds {fields}"))
    }

    /// The name of the input that the message of an error is about.
    fn input_prefix(&self) -> String {
        let input = self.contents.as_ref().map_or(&self.input, |(input, _)| input);
        if input.is_empty() { String::new() } else { format!("{}: ", printable(input)) }
    }

    /// Refuses bytes that would be read as the default `raw_dtype` where a field beside them names another.
    fn check_named_dtype(&self, columns: &[Column]) -> Result<()> {
        let raw = self.options.raw_dtype.default;
        let Some((name, named)) = self.named_dtype.as_ref().filter(|(_, named)| *named != raw) else {
            return Ok(());
        };
        let is_raw = |column: &&Column| column.stored.as_deref() == Some(raw.to_string().as_str());
        match columns.iter().find(is_raw).filter(|_| raw == RawDtype::default()) {
            Some(column) => Err(Error::schema(format!(
                "{}the field `{name}` of the first record says {named}, and the bytes of `{}` would be read as {raw}: pass \
                 option `raw_dtype={named}`",
                self.input_prefix(),
                column.name()
            ))),
            None => Ok(()),
        }
    }

    /// Why no plan can be made.
    fn failure(&self) -> Error {
        let (raw, records, input) = (self.options.raw_dtype.of(VECTOR), self.records, self.input_prefix());
        let damage = self.damage.as_deref().unwrap_or_default();
        let looks_like = self.looks_like.map(|format| format!("; the input looks like {format}"));
        let damage = format!("{damage}{}", looks_like.unwrap_or_default());
        Error::schema(match &self.first {
            None if damage.is_empty() => {
                "the inputs hold no record, so the dimension is not known: pass option `dim`".to_owned()
            }
            None => format!(
                "the inputs hold no record that can be read, so the dimension is not known: pass option `dim`{damage}"
            ),
            Some((first, Instead::Foreign)) => {
                format!("{input}the input is {first} and no MessagePack{damage}")
            }
            Some((first, Instead::Refused)) => format!(
                "{input}none of the first {records} records is a vector that can be read; the first one is {first}{damage}"
            ),
            Some((_, Instead::Fields)) => format!(
                "{input}none of the first {records} records is a vector or has a field that is one; {}: name the fields \
                 that are vectors with option `vector`, or choose some with option `columns`{damage}",
                self.contents()
            ),
            Some((first, Instead::Other)) => format!(
                "{input}none of the first {records} records is a vector, or bytes that are a multiple of {} ({raw}); the \
                 first one is {first}: pass option `dim`, or check option `raw_dtype`{damage}",
                raw.size(),
            ),
        })
    }
}

/// The column of bare vectors with the type of `field`, which must be one of vectors.
fn retyped_bare(column: &Column, field: &Field) -> Result<Column> {
    let dim = column.dim().unwrap_or(0);
    match (vector_type(field.data_type()), field.data_type()) {
        (Some(_), _) | (None, DataType::FixedSizeList(..)) => column.clone().retyped(field),
        (None, other) => {
            let element = Dtype::ALL.into_iter().find(|dtype| dtype.data_type() == *other);
            let element = element.unwrap_or(Dtype::Float32);
            Err(Error::schema(format!(
                "option `schema`: the records are bare vectors, so the column `{}` cannot be {other}: pass option \
                 `dtype={element}` for other elements, or a type of vectors such as {element}[{dim}]",
                field.name()
            )))
        }
    }
}
