//! How a vector is written, and the kernels that copy or convert its elements into Arrow memory.

mod builder;
mod convert;
mod dtype;
pub(crate) mod encoding;
mod extensions;
mod numbers;
mod slab;
mod template;

pub(crate) use builder::VectorBuilder;
pub(crate) use convert::{Converter, Format, Scalar};
pub use dtype::{Dtype, RawDtype, RawDtypes};
pub(crate) use extensions::NO_EXTENSIONS;
pub use extensions::{Extensions, Payload, TimeFormat};
pub(crate) use slab::Slab;
pub(crate) use template::Template;
