#![doc = include_str!("../README.md")]

mod cancel;
mod decode;
mod error;
// What comes from others comes from Python.
#[cfg(any(feature = "python", test))]
mod foreign;
mod infer;
mod input;
mod inspect;
mod ipc;
mod item;
mod msgpack;
mod options;
mod output;
mod parquet;
mod pool;
#[cfg(feature = "cli")]
mod preview;
mod reader;
mod record;
mod reject;
mod source;
mod store;
mod text;
mod values;
mod vector;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "python")]
mod python;

pub use cancel::Cancel;
pub use decode::{Decoded, Decoder};
pub use error::{Error, ErrorKind, Result};
pub use input::{EXTENSIONS, Input, OpenStream, Span, discover};
pub use inspect::{Column, Dim, InputFound, Inspection, LeftOut, Norms, Vectors, inspect};
pub use ipc::{write_arrow, write_arrow_stream};
pub use item::{BatchBuilder, RowConverter};
pub use options::{Framing, OnError, OutputColumn, ReadOptions, parse_type};
pub use parquet::{
    Compression, Encoding, ListType, Report, TimestampUnit, VectorEncoding, WriteOptions, to_parquet,
    write_parquet,
};
pub use reader::{Progress, Reader, Watch};
pub use reject::{FailAfter, Reject, RejectKind, Rejects};
pub use source::Source;
pub use vector::{Dtype, Extensions, Payload, RawDtype, RawDtypes, TimeFormat};
