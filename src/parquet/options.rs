//! How Parquet is written.

use std::str::FromStr;

use crate::error::{Error, Result};

/// An option with a few named values.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident ($option:literal) { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
                    Error::option(format!("{} `{name}` is not known: use {}", $option, names.join(", ")))
                })
            }
        }
    };
}

named! {
    /// How pages are compressed.
    Compression ("compression") {
        /// Not at all: written and read fastest; float vectors hardly compress.
        #[default]
        None = "none",
        /// Zstandard, level 1.
        Zstd = "zstd",
        /// LZ4, as `LZ4_RAW`.
        Lz4 = "lz4",
        /// Snappy.
        Snappy = "snappy",
    }
}

named! {
    /// How the elements of vectors are encoded.
    Encoding ("encoding") {
        /// As they are.
        #[default]
        Plain = "plain",
        /// All first bytes, then all second bytes, and so on: compresses better.
        ByteStreamSplit = "byte-stream-split",
    }
}

named! {
    /// The type of vector columns for readers that know Arrow's types.
    ListType ("list_type") {
        /// A list of fixed size. Parquet itself knows only lists; readers learn the size from the Arrow schema beside them.
        #[default]
        Fixed = "fixed",
        /// A list of any size, for readers that stumble over the other.
        List = "list",
    }
}

/// How to write Parquet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// How pages are compressed.
    pub compression: Compression,
    /// How the elements of vectors are encoded.
    pub encoding: Encoding,
    /// The most bytes of data in a row group, before encoding (one row at least).
    pub row_group_bytes: usize,
    /// The type of vector columns.
    pub list_type: ListType,
    /// Replace a target that exists.
    pub overwrite: bool,
    /// Wait until the file is on the disk before it gets its name.
    pub sync: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            encoding: Encoding::default(),
            row_group_bytes: 8 << 20,
            list_type: ListType::default(),
            overwrite: false,
            sync: true,
        }
    }
}

impl WriteOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`compression`](Self::compression).
    pub fn with_compression(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }

    /// Sets [`encoding`](Self::encoding).
    pub fn with_encoding(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// Sets [`row_group_bytes`](Self::row_group_bytes).
    pub fn with_row_group_bytes(self, row_group_bytes: usize) -> Self {
        Self { row_group_bytes, ..self }
    }

    /// Sets [`list_type`](Self::list_type).
    pub fn with_list_type(self, list_type: ListType) -> Self {
        Self { list_type, ..self }
    }

    /// Sets [`overwrite`](Self::overwrite).
    pub fn with_overwrite(self, overwrite: bool) -> Self {
        Self { overwrite, ..self }
    }

    /// Sets [`sync`](Self::sync).
    pub fn with_sync(self, sync: bool) -> Self {
        Self { sync, ..self }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.row_group_bytes == 0 {
            return Err(Error::option("row_group_bytes must be at least 1"));
        }
        Ok(())
    }
}
