//! The integration tests: one program, which is linked once. Tests that count allocations have
//! programs of their own, `memory` and `fuzz`.

#![allow(clippy::unwrap_used)]

mod naive;
mod support;

mod agreement;
mod arrow;
mod bad;
mod cli;
mod damage;
mod faults;
mod footer;
mod inputs;
mod law;
mod options;
mod pages;
mod parquet;
mod reader;
mod resume;
mod select;
mod stretches;
mod target;
mod tasks;
