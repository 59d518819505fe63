//! The fuzz targets, for libFuzzer: `make fuzz`. `main.rs` runs the same ones under `cargo test`.

#[allow(dead_code)]
#[path = "../naive/mod.rs"]
mod naive;
#[path = "../support/mod.rs"]
mod support;
pub mod targets;

use targets::memory::Counting;

#[global_allocator]
static COUNTING: Counting = Counting;
