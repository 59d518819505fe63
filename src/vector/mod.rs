//! How a vector is written, and the kernels that copy or convert its elements into Arrow memory.

mod builder;
mod convert;
mod dtype;
mod slab;

pub(crate) use builder::VectorBuilder;
pub(crate) use convert::Converter;
pub use dtype::{Dtype, RawDtype};
pub(crate) use slab::Slab;
