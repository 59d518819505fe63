//! stub
mod decode;
mod error;
mod input;
mod msgpack;
mod options;
mod reader;
mod record;
mod reject;
mod sample;
mod source;
mod vector;

pub use decode::{Decoded, Decoder};
pub use error::{Error, ErrorKind, Result};
pub use input::{EXTENSIONS, Input, OpenStream, Span, discover};
pub use options::{OnError, ReadOptions};
pub use reader::{Interrupt, Progress, Reader};
pub use reject::{Reject, RejectKind, Rejects};
pub use sample::{Like, Sample, write_sample};
pub use source::Source;
pub use vector::{Dtype, RawDtype};
