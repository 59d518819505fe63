//! What others have in memory: the buffers of Python objects, and streams of Arrow data. The only module with `unsafe`.
#![allow(unsafe_code)]

mod buffer;
mod stream;

pub(super) use buffer::{Rows, addresses, with_bytes};
pub(super) use stream::Imported;
