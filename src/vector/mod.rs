//! How a vector is written, and the kernels that copy or convert its elements into Arrow memory.

mod builder;
mod convert;
mod dtype;
pub(crate) mod encoding;
mod extensions;
mod numbers;
mod slab;

pub(crate) use builder::{Template, VectorBuilder};
pub(crate) use convert::{Converter, Format, Scalar};
pub use dtype::{Dtype, RawDtype, RawDtypes};
pub(crate) use extensions::NO_EXTENSIONS;
pub use extensions::{Extensions, Payload, TimeFormat};
pub(crate) use slab::Slab;
