//! The read options: one struct, the same in Rust, Python and on the command line.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::reject::FailAfter;
use crate::vector::{Dtype, Extensions, RawDtypes, VectorBuilder};

/// What to do with a record that cannot become a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// End the scan with an error that names the record.
    #[default]
    Raise,
    /// Leave the record out and note a reject.
    Skip,
    /// Put a null in its place and note a reject. Bytes that are no whole record (a cut-off last record, bytes that are not
    /// MessagePack) are noted and give no row.
    Null,
}

impl OnError {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Raise, Self::Skip, Self::Null];

    /// The name that options use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raise => "raise",
            Self::Skip => "skip",
            Self::Null => "null",
        }
    }
}

impl FromStr for OnError {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name).ok_or_else(|| {
            Error::option(format!("option `on_error`: `{name}` is not known: use raise, skip or null"))
        })
    }
}

impl FromStr for FailAfter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let unknown = || {
            Error::option(format!(
                "option `fail_after`: `{text}` is not known: use a number of records, or a share as 1%"
            ))
        };
        match text.strip_suffix('%') {
            None => text.parse().map(Self::Rejects).map_err(|_| unknown()),
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Share(percent / 100.0)),
                _ => Err(unknown()),
            },
        }
    }
}

impl TryFrom<String> for FailAfter {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// How records lie in an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// Found out from the first object of the first input: neither array nor map, or a record by what it holds, is a
    /// `sequence`; an array of maps, of arrays or of vectors is an `array`; a map of many vectors or many maps is a `map`; a map of parallel lists, one of them of vectors, is
    /// `columns`; objects behind their lengths are `length-prefixed`.
    #[default]
    Auto,
    /// One record after another.
    Sequence,
    /// A top-level array of records. Another one may follow it.
    Array,
    /// A top-level map, of which each value is a record. Another one may follow it.
    Map,
    /// Top-level maps of lists that are parallel: the items of one place are a record. Other values are repeated in each.
    Columns,
    /// One record after another, each behind its length: four bytes in either order, or a varint.
    LengthPrefixed,
}

impl Framing {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Auto, Self::Sequence, Self::Array, Self::Map, Self::Columns, Self::LengthPrefixed];

    /// The name that options use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Sequence => "sequence",
            Self::Array => "array",
            Self::Map => "map",
            Self::Columns => "columns",
            Self::LengthPrefixed => "length-prefixed",
        }
    }
}

impl FromStr for Framing {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|framing| framing.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::option(format!("option `framing`: `{name}` is not known: use one of {known}"))
        })
    }
}

/// A column to produce: the field that fills it, and its name.
///
/// ```
/// # use vecpack::OutputColumn;
/// assert_eq!(OutputColumn::from("id").field, "id");
/// assert_eq!(OutputColumn::from(("embedding", "meta.embedding")).name, "embedding");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "OneOrTwo", into = "OneOrTwo")]
pub struct OutputColumn {
    /// The name of the column.
    pub name: String,
    /// The field: its key, its path in the input such as `meta.embedding`, or its position.
    pub field: String,
}

impl OutputColumn {
    /// True for a column that has another name than its field.
    pub fn is_renamed(&self) -> bool {
        self.name != self.field
    }
}

impl From<String> for OutputColumn {
    fn from(field: String) -> Self {
        Self { name: field.clone(), field }
    }
}

impl From<&String> for OutputColumn {
    fn from(field: &String) -> Self {
        field.clone().into()
    }
}

impl From<&str> for OutputColumn {
    fn from(field: &str) -> Self {
        field.to_owned().into()
    }
}

impl<N: Into<String>, F: Into<String>> From<(N, F)> for OutputColumn {
    fn from((name, field): (N, F)) -> Self {
        Self { name: name.into(), field: field.into() }
    }
}

/// `embedding=meta.embedding`, or `id` alone.
impl fmt::Display for OutputColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_renamed() { write!(f, "{}={}", self.name, self.field) } else { f.write_str(&self.name) }
    }
}

/// A column in JSON: its field, or its name and its field.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrTwo {
    Field(String),
    Renamed(String, String),
}

impl From<OneOrTwo> for OutputColumn {
    fn from(column: OneOrTwo) -> Self {
        match column {
            OneOrTwo::Field(field) => field.into(),
            OneOrTwo::Renamed(name, field) => (name, field).into(),
        }
    }
}

impl From<OutputColumn> for OneOrTwo {
    fn from(column: OutputColumn) -> Self {
        if column.is_renamed() { Self::Renamed(column.name, column.field) } else { Self::Field(column.field) }
    }
}

/// Refuses columns of which two have one name, and names that Arrow's C interface cannot carry.
pub(crate) fn check_names(option: &str, columns: &[OutputColumn]) -> Result<()> {
    let mut names = HashSet::new();
    for OutputColumn { name, .. } in columns {
        if name.contains('\0') {
            return Err(Error::option(format!("{option}: the name of a column must not hold a NUL byte")));
        }
        if !names.insert(name) {
            return Err(Error::option(format!("{option}: two columns have the name `{name}`")));
        }
    }
    Ok(())
}

/// How to read a source.
///
/// ```
/// use vecpack::{Dtype, OnError, ReadOptions};
///
/// let options = ReadOptions::new().with_dim(512).with_dtype(Dtype::Float16).with_on_error(OnError::Skip);
/// assert_eq!(options.dim, Some(512));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The fields that hold vectors: a key, a dotted path such as `meta.embedding`, or a position. Found out if empty.
    pub vector: Vec<String>,
    /// Elements a vector; by default the most frequent number, of bare vectors that of the first. Other lengths are rejects.
    pub dim: Option<u32>,
    /// Element type of the vector column.
    pub dtype: Dtype,
    /// How vectors stored as untyped bytes are to be read.
    pub raw_dtype: RawDtypes,
    /// What the payloads of extension types are, where it is not known by itself.
    pub extensions: Extensions,
    /// Where the records lie in each top-level object: a key or a dotted path to a list, a map or a matrix whose rows they are. The
    /// top-level objects are the records, or hold them, if not given.
    pub records: Option<String>,
    /// How records lie in the inputs.
    pub framing: Framing,
    /// Which columns to produce, in this order, each with the name of its field or with another one; the bytes of other fields
    /// are stepped over. All if not given.
    pub columns: Option<Vec<OutputColumn>>,
    /// Types that override the inferred ones, by the path of the field; fields that no record showed may be named as well.
    pub schema: Schema,
    /// How many records inference may read; 0 reads all.
    pub infer_records: u64,
    /// What to do with a record that cannot become a row.
    pub on_error: OnError,
    /// How many rejects keep their details; the count is always exact.
    pub max_rejects: usize,
    /// How much may be rejected before the scan fails; no limit if not given.
    pub fail_after: Option<FailAfter>,
    /// The most rows in a batch; no bound if not given.
    pub batch_rows: Option<usize>,
    /// About the most bytes in a batch, which has one row at least.
    pub batch_bytes: usize,
    /// How many threads decode, the caller's included; one a core if not given, 1024 at the most.
    pub threads: Option<usize>,
    /// Whether to add a column `path` with the name of the input.
    pub include_path: bool,
    /// Whether to add a column `record` with the number of the record in its input.
    pub include_record: bool,
    /// Whether to add a column `id` with a number of the record that no other record of the source has: a signed integer of 64
    /// bits, of which 23 are the number of the input and the lower 40 the number of the record in it.
    pub include_id: bool,
    /// The most rows to read, which are the first ones; all if not given.
    pub limit: Option<u64>,
    /// The largest record that is read; a larger one is a reject, and is not held in memory.
    pub max_record_bytes: u64,
    /// How many times its size a compressed input may expand to, beyond 64 MiB; 0 is no limit.
    pub max_expansion: u64,
    /// How deep the types of columns may be nested; 256 at the most. What lies deeper gets no type.
    pub max_depth: u32,
    /// The most bytes of an object at a URL that are asked for before they are needed. Few are at first, and more where the
    /// server makes the reader wait.
    pub store_window: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            vector: Vec::new(),
            dim: None,
            dtype: Dtype::default(),
            raw_dtype: RawDtypes::default(),
            extensions: Extensions::default(),
            framing: Framing::default(),
            records: None,
            columns: None,
            schema: Schema::empty(),
            infer_records: 1000,
            on_error: OnError::default(),
            max_rejects: 10_000,
            fail_after: None,
            batch_rows: None,
            // One huge page: larger batches leave the second-level cache before anybody has read them.
            batch_bytes: 2 << 20,
            threads: None,
            include_path: false,
            include_record: false,
            include_id: false,
            limit: None,
            max_record_bytes: 256 << 20,
            max_expansion: 1000,
            max_depth: 60,
            store_window: 128 << 20,
        }
    }
}

/// The Arrow type that `name` stands for, as schemas given in text have it: `int64`, `uint64`,
/// `float32`, `bool`, `string`, `large_string`, `binary`, `timestamp[ms]` (UTC; `timestamp[ms,
/// UTC]` and `timestamp[ms, tz=UTC]` as well), `list<int64>`, a vector such as `float32[512]`, or
/// Arrow's own notation.
///
/// ```
/// # use vecpack::parse_type;
/// assert!(parse_type("list<string>")?.to_string().starts_with("List(Utf8"));
/// assert!(parse_type("float32[512]")?.to_string().starts_with("FixedSizeList"));
/// let microseconds = parse_type("timestamp[us, tz=UTC]")?;
/// for name in ["timestamp[us]", "timestamp[us, UTC]", "Timestamp(Microsecond, Some(\"UTC\"))"] {
///     assert_eq!(parse_type(name)?, microseconds);
/// }
/// assert_eq!(parse_type(&microseconds.to_string())?, microseconds);
/// # Ok::<(), vecpack::Error>(())
/// ```
pub fn parse_type(name: &str) -> Result<DataType> {
    let unknown = || {
        Error::option(format!(
            "option `schema`: type `{name}` is not known: use for example int64, string, float32[512]"
        ))
    };
    let plain = name.trim();
    if let Some(item) = plain.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        // Types are nested no deeper than options allow, and so is this.
        if plain.matches('<').count() > 256 {
            return Err(unknown());
        }
        return Ok(DataType::List(Arc::new(Field::new("element", parse_type(item)?, true))));
    }
    if let Some((element, dim)) = plain.strip_suffix(']').and_then(|plain| plain.split_once('['))
        && let (Ok(dtype), Ok(dim)) = (element.parse::<Dtype>(), dim.parse::<i32>())
    {
        return Ok(VectorBuilder::data_type(dim, dtype));
    }
    if let Some(inside) = plain.strip_prefix("timestamp[").and_then(|rest| rest.strip_suffix(']')) {
        return timestamp(inside).ok_or_else(unknown);
    }
    Ok(match plain {
        "null" => DataType::Null,
        "bool" | "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" => DataType::Float16,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "string" | "text" | "utf8" => DataType::Utf8,
        "large_string" | "large_utf8" => DataType::LargeUtf8,
        "binary" | "bytes" => DataType::Binary,
        "large_binary" => DataType::LargeBinary,
        "timestamp" => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        other => other.parse().map_err(|_| unknown())?,
    })
}

/// The timestamps of a unit and a time zone, as `us`, `us, UTC` and `us, tz=UTC`.
fn timestamp(inside: &str) -> Option<DataType> {
    let (unit, zone) = inside.split_once(',').unwrap_or((inside, "UTC"));
    let unit = match unit.trim() {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        _ => return None,
    };
    let zone = zone.trim();
    let zone = zone.strip_prefix("tz=").unwrap_or(zone).trim();
    (!zone.is_empty()).then(|| DataType::Timestamp(unit, Some(zone.into())))
}

/// Functions that set one option each: their name, the option with what the caller gives, and the value of the option.
macro_rules! setters {
    ($($name:ident($option:ident: $given:ty) = $value:expr;)*) => {
        $(
            #[doc = concat!("Sets [`", stringify!($option), "`](Self::", stringify!($option), ").")]
            pub fn $name(self, $option: $given) -> Self {
                Self { $option: $value, ..self }
            }
        )*
    };
}

pub(crate) use setters;

impl ReadOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field to [`vector`](Self::vector).
    pub fn with_vector(mut self, name: impl Into<String>) -> Self {
        self.vector.push(name.into());
        self
    }

    /// Sets [`columns`](Self::columns): fields, or pairs of a new name and a field.
    ///
    /// ```
    /// # use vecpack::ReadOptions;
    /// let options = ReadOptions::new().with_columns(["id", "meta.embedding"]);
    /// let renamed = ReadOptions::new().with_columns([("id", "id"), ("embedding", "meta.embedding")]);
    /// # assert_ne!(options, renamed);
    /// ```
    pub fn with_columns<T: Into<OutputColumn>>(self, columns: impl IntoIterator<Item = T>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    setters! {
        with_framing(framing: Framing) = framing;
        with_records(records: impl Into<String>) = Some(records.into());
        with_schema(schema: Schema) = schema;
        with_include_path(include_path: bool) = include_path;
        with_include_record(include_record: bool) = include_record;
        with_include_id(include_id: bool) = include_id;
        with_limit(limit: u64) = Some(limit);
        with_max_expansion(max_expansion: u64) = max_expansion;
        with_max_depth(max_depth: u32) = max_depth;
        with_store_window(store_window: u64) = store_window;
        with_dim(dim: u32) = Some(dim);
        with_dtype(dtype: Dtype) = dtype;
        with_raw_dtype(raw_dtype: impl Into<RawDtypes>) = raw_dtype.into();
        with_extensions(extensions: Extensions) = extensions;
        with_infer_records(infer_records: u64) = infer_records;
        with_on_error(on_error: OnError) = on_error;
        with_max_rejects(max_rejects: usize) = max_rejects;
        with_fail_after(fail_after: FailAfter) = Some(fail_after);
        with_batch_rows(batch_rows: usize) = Some(batch_rows);
        with_batch_bytes(batch_bytes: usize) = batch_bytes;
        with_threads(threads: usize) = Some(threads);
        with_max_record_bytes(max_record_bytes: u64) = max_record_bytes;
    }

    /// Refuses values that no scan could honour.
    pub(crate) fn check(&self) -> Result<()> {
        let zero = |name: &str| Err(Error::option(format!("option `{name}` must be at least 1")));
        match self {
            Self { dim: Some(0), .. } => zero("dim"),
            Self { dim: Some(dim), .. } if i32::try_from(*dim).is_err() => {
                Err(Error::option(format!("option `dim`: {dim} is larger than 2^31 - 1")))
            }
            Self { batch_rows: Some(0), .. } => zero("batch_rows"),
            Self { batch_bytes: 0, .. } => zero("batch_bytes"),
            Self { max_record_bytes: 0, .. } => zero("max_record_bytes"),
            Self { store_window: 0, .. } => zero("store_window"),
            Self { max_depth: 0, .. } => zero("max_depth"),
            Self { max_depth: 257.., .. } => Err(Error::option("option `max_depth` must be at most 256")),
            Self { fail_after: Some(FailAfter::Share(share)), .. } if !(0.0..=1.0).contains(share) => {
                Err(Error::option("option `fail_after` must be a share from 0% to 100%"))
            }
            Self { framing: Framing::LengthPrefixed, records: Some(_), .. } => Err(Error::option(
                "option `records` does not go together with option `framing=length-prefixed`",
            )),
            Self { columns: Some(columns), .. } if columns.is_empty() => {
                Err(Error::option("option `columns` must name at least one column"))
            }
            _ => {
                self.extensions.check()?;
                check_names("option `columns`", self.columns.as_deref().unwrap_or_default())?;
                check_threads(self.threads)
            }
        }
    }

    /// The fields that [`columns`](Self::columns) asks for, each once.
    pub(crate) fn fields(&self) -> Option<Vec<&String>> {
        let mut known = HashSet::new();
        let columns = self.columns.as_ref()?.iter().map(|column| &column.field);
        Some(columns.filter(|field| known.insert(*field)).collect())
    }

    /// Threads that may decode at once, the caller's included.
    pub(crate) fn thread_count(&self) -> usize {
        self.threads.unwrap_or_else(cores)
    }
}

/// More threads than this take longer to start than they save, and soon the system has no more to give.
const MOST_THREADS: usize = 1024;

/// Refuses numbers of threads that make no sense.
pub(crate) fn check_threads(threads: Option<usize>) -> Result<()> {
    match threads {
        Some(0) => Err(Error::option("option `threads` must be at least 1")),
        Some(threads) if threads > MOST_THREADS => {
            Err(Error::option(format!("option `threads` must be at most {MOST_THREADS}")))
        }
        _ => Ok(()),
    }
}

/// How many threads can run at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)
}
