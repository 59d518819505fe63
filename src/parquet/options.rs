//! How Parquet is written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use arrow_schema::{DataType, Schema};
use parquet::basic;

use crate::error::{Error, Result};
use crate::options::{check_threads, setters};
use crate::values::tensor_shape;

/// An option with a few named values.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident ($option:literal) { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name that options use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name).ok_or_else(|| {
                    let names: Vec<&str> = Self::ALL.iter().map(|value| value.as_str()).collect();
                    Error::option(format!("option `{}`: `{name}` is not known: use {}", $option, names.join(", ")))
                })
            }
        }
    };
}

named! {
    /// How pages are compressed.
    Compression ("compression") {
        /// Vectors with zstd where that saves a quarter, which the first page of each column tells; other columns with zstd.
        Auto = "auto",
        /// Not at all: written and read fastest; float vectors hardly compress.
        None = "none",
        /// Zstandard.
        Zstd = "zstd",
        /// LZ4, as `LZ4_RAW`.
        Lz4 = "lz4",
        /// Snappy.
        Snappy = "snappy",
    }
}

impl Compression {
    /// The codec that a file names for its pages.
    pub(super) fn in_file(self) -> basic::Compression {
        match self {
            Self::None => basic::Compression::UNCOMPRESSED,
            Self::Auto | Self::Zstd => basic::Compression::ZSTD(basic::ZstdLevel::default()),
            Self::Lz4 => basic::Compression::LZ4_RAW,
            Self::Snappy => basic::Compression::SNAPPY,
        }
    }
}

named! {
    /// How the elements of vectors are encoded.
    Encoding ("encoding") {
        /// Whatever gets smaller under the compression, which the first page of each column tells.
        Auto = "auto",
        /// As they are.
        Plain = "plain",
        /// All first bytes, then all second bytes, and so on: compresses better.
        ByteStreamSplit = "byte-stream-split",
    }
}

named! {
    /// The type of vector columns for readers that know Arrow's types.
    ListType ("list_type") {
        /// A list of fixed size. Parquet itself knows only lists; readers learn the size from the Arrow schema beside them.
        Fixed = "fixed",
        /// A list of any size, for readers that stumble over the other.
        List = "list",
    }
}

named! {
    /// The unit that timestamps are written in.
    TimestampUnit ("coerce_timestamps") {
        /// Microseconds.
        Microsecond = "us",
        /// Milliseconds.
        Millisecond = "ms",
    }
}

/// The key of a file's metadata under which the Arrow schema is.
pub(super) const ARROW_SCHEMA: &str = "ARROW:schema";

/// How to write Parquet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// How pages are compressed.
    pub compression: Compression,
    /// How the elements of vectors are encoded.
    pub encoding: Encoding,
    /// The most bytes of data in a row group, of all columns and before encoding (one row at
    /// least).
    pub row_group_bytes: usize,
    /// The most bytes of a file, about, where the output is a directory: its files then hold the rows of all inputs.
    pub max_file_bytes: Option<u64>,
    /// The type of vector columns, the same in all files of a run. If not given, `list` where the
    /// schema allows null vectors, as that of a source does with [`OnError::Null`](crate::OnError),
    /// and `fixed` otherwise; a stream of record batches that is written to one file is `list`
    /// where a vector is null.
    pub list_type: Option<ListType>,
    /// The unit that timestamps are written in, for readers that do not know all; if not given, the
    /// one that they have.
    pub coerce_timestamps: Option<TimestampUnit>,
    /// With [`coerce_timestamps`](Self::coerce_timestamps), cut off digits that its unit does not
    /// have. If not set, such a timestamp is an error.
    pub allow_truncated_timestamps: bool,
    /// Metadata of the file, by key. It goes beside that of the schema, in place of values with the
    /// same keys.
    pub metadata: BTreeMap<String, String>,
    /// A file for what was rejected, `.jsonl` or `.parquet`. It is written also where the work fails. With `resume` it holds what
    /// this run rejected, and not what earlier ones did.
    pub rejects: Option<PathBuf>,
    /// How many threads encode, the caller's included, 1024 at the most; for a source, as many as it decodes with if not given.
    pub threads: Option<usize>,
    /// Replace a target that exists. In a directory, files of other names stay, but for parts of the earlier run.
    pub overwrite: bool,
    /// Finish what an earlier run into this directory has left to do, and nothing else.
    pub resume: bool,
    /// Wait until the file is on the disk before it gets its name.
    pub sync: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            compression: Compression::Auto,
            encoding: Encoding::Auto,
            row_group_bytes: 4 << 20,
            max_file_bytes: None,
            list_type: None,
            coerce_timestamps: None,
            allow_truncated_timestamps: false,
            metadata: BTreeMap::new(),
            rejects: None,
            threads: None,
            overwrite: false,
            resume: false,
            sync: true,
        }
    }
}

impl WriteOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key and its value to [`metadata`](Self::metadata).
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    setters! {
        with_compression(compression: Compression) = compression;
        with_encoding(encoding: Encoding) = encoding;
        with_row_group_bytes(row_group_bytes: usize) = row_group_bytes;
        with_max_file_bytes(max_file_bytes: u64) = Some(max_file_bytes);
        with_list_type(list_type: ListType) = Some(list_type);
        with_coerce_timestamps(coerce_timestamps: TimestampUnit) = Some(coerce_timestamps);
        with_allow_truncated_timestamps(allow_truncated_timestamps: bool) = allow_truncated_timestamps;
        with_rejects(rejects: impl Into<PathBuf>) = Some(rejects.into());
        with_threads(threads: usize) = Some(threads);
        with_overwrite(overwrite: bool) = overwrite;
        with_resume(resume: bool) = resume;
        with_sync(sync: bool) = sync;
    }

    /// The options for files of `schema`: where null vectors may come, they are lists of any size,
    /// since readers fail at null lists of a fixed size (pyarrow before 26, polars 2.1). Tensors stay
    /// what they are.
    pub(crate) fn decided(mut self, schema: &Schema) -> Self {
        let mut vectors =
            schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::FixedSizeList(..)));
        let may_be_null = vectors.any(|field| field.is_nullable() && tensor_shape(field).is_none());
        self.list_type.get_or_insert(if may_be_null { ListType::List } else { ListType::Fixed });
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let zero = |name: &str| Err(Error::option(format!("option `{name}` must be at least 1")));
        match self {
            Self { row_group_bytes: 0, .. } => zero("row_group_bytes"),
            Self { max_file_bytes: Some(0), .. } => zero("max_file_bytes"),
            Self { overwrite: true, resume: true, .. } => Err(Error::option(
                "option `overwrite` makes all anew, option `resume` makes what is missing: pass one of them",
            )),
            Self { coerce_timestamps: None, allow_truncated_timestamps: true, .. } => Err(Error::option(
                "option `allow_truncated_timestamps` goes with option `coerce_timestamps`, which is not given",
            )),
            Self { metadata, .. } if metadata.contains_key(ARROW_SCHEMA) => Err(Error::option(format!(
                "option `metadata`: the key `{ARROW_SCHEMA}` holds the Arrow schema, which is written as it is"
            ))),
            _ => check_threads(self.threads),
        }
    }
}
