//! Fuzz targets: functions of any bytes that end well, or by a panic that names a fault.
//!
//! The first bytes of an input choose the options, the rest is the file; see [`choices`].

pub mod agree;
pub mod choices;
pub mod compressed;
pub mod decode;
#[path = "../../support/counting.rs"]
pub mod memory;
pub mod parquet;
pub mod reading;
pub mod records;
pub mod writing;
