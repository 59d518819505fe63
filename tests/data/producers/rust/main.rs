//! Writes the fixtures that Rust libraries make, each with the library itself. README.md tells how to run this.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use ndarray::{Array1, Array2};
use serde::Serialize;
use serde_json::{Value, json};

const VERSION: &str = "1.3.1 (serde 1.0.229, serde_bytes 0.11.19, ndarray 0.17.2, half 2.7.1)";
const DIM: usize = 16;

#[derive(Serialize)]
struct Record<'a> {
    id: u64,
    url: &'a str,
    score: Option<f32>,
    vector: Vec<f32>,
}

#[derive(Serialize)]
struct Blob {
    id: i32,
    #[serde(with = "serde_bytes")]
    vector: Vec<u8>,
}

/// Vectors of which the first has the values that tell mistakes from luck, and the others are random.
fn rows() -> Vec<Vec<f32>> {
    let mut state = 7u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / 2f32.powi(31) - 1.0
    };
    let mut rows: Vec<Vec<f32>> = (0..3).map(|_| (0..DIM).map(|_| random()).collect()).collect();
    let special =
        [f32::NAN, -0.0, f32::from_bits(1), -1e-40, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 0.1];
    rows[0][..8].copy_from_slice(&special);
    rows
}

fn bytes(row: &[f32]) -> Vec<u8> {
    row.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn stream<T: Serialize>(records: impl IntoIterator<Item = T>) -> Vec<u8> {
    records.into_iter().flat_map(|record| rmp_serde::to_vec(&record).unwrap()).collect()
}

fn stream_named<T: Serialize>(records: impl IntoIterator<Item = T>) -> Vec<u8> {
    records.into_iter().flat_map(|record| rmp_serde::to_vec_named(&record).unwrap()).collect()
}

fn main() {
    let here = std::env::args().nth(1).expect("the folder to write to");
    let here = Path::new(&here);
    let path = here.join("manifest.json");
    let known: Vec<Value> =
        std::fs::read(&path).map_or_else(|_| Vec::new(), |text| serde_json::from_slice(&text).unwrap());
    let name = |entry: &Value| entry["file"].as_str().unwrap().to_owned();
    let mut manifest: BTreeMap<String, Value> =
        known.into_iter().map(|entry| (name(&entry), entry)).collect();

    let rows = rows();
    let records: Vec<Record> = rows
        .iter()
        .zip([Some(0.1), None, Some(-2.5)])
        .enumerate()
        .map(|(n, (row, score))| Record {
            id: u64::MAX - n as u64,
            url: "https://example.org/ü",
            score,
            vector: row.clone(),
        })
        .collect();
    let blobs: Vec<Blob> =
        rows.iter().enumerate().map(|(n, row)| Blob { id: -(n as i32), vector: bytes(row) }).collect();

    // Writes the file that an expression gives. The manifest has the expression word for word.
    macro_rules! write {
        ($file:literal, $how:expr) => {
            write!($file, $how, json!({}))
        };
        ($file:literal, $how:expr, $read:expr) => {
            std::fs::write(here.join($file), $how).unwrap();
            let how: Vec<&str> = stringify!($how).split_whitespace().collect();
            let entry = json!({
                "file": $file,
                "producer": "rmp-serde",
                "version": VERSION,
                "how": how.join(" "),
                "read": $read,
                "refused": null,
            });
            manifest.insert($file.to_owned(), entry);
        };
    }
    write!("rmp-serde-vec-f32.msgpack", stream(&rows));
    write!(
        "rmp-serde-vec-f64.msgpack",
        stream(rows.iter().map(|row| row.iter().map(|&x| f64::from(x) / 3.0).collect::<Vec<_>>()))
    );
    write!("rmp-serde-struct.msgpack", stream(&records));
    write!("rmp-serde-struct-named.msgpack", stream_named(&records));
    write!("rmp-serde-struct-named.array.msgpack", rmp_serde::to_vec_named(&records).unwrap());
    write!("rmp-serde-struct.array.msgpack", rmp_serde::to_vec(&records).unwrap());
    write!("rmp-serde-bytes.msgpack", stream(rows.iter().map(|row| serde_bytes::ByteBuf::from(bytes(row)))));
    write!("rmp-serde-struct-bytes.msgpack", stream(&blobs));
    write!("rmp-serde-struct-bytes-named.msgpack", stream_named(&blobs));
    write!("rmp-serde-vec-u8.msgpack", stream(rows.iter().map(|row| bytes(row))), json!({ "dim": DIM }));
    write!("rmp-serde-ndarray.msgpack", stream(rows.iter().map(|row| Array1::from(row.clone()))));
    write!(
        "rmp-serde-ndarray-matrix.msgpack",
        stream([Array2::from_shape_vec((3, DIM), rows.concat()).unwrap()])
    );
    write!(
        "rmp-serde-half-f16.msgpack",
        stream(rows.iter().map(|row| row.iter().map(|&x| f16::from_f32(x)).collect::<Vec<_>>())),
        json!({ "raw_dtype": "<f2" })
    );
    write!(
        "rmp-serde-half-bf16.msgpack",
        stream(rows.iter().map(|row| row.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>())),
        json!({ "raw_dtype": "bf16" })
    );
    write!("rmp-serde-ndarray-named.msgpack", stream_named(rows.iter().map(|row| Array1::from(row.clone()))));

    let ordered: Vec<&Value> = manifest.values().collect();
    std::fs::write(&path, serde_json::to_string_pretty(&ordered).unwrap() + "\n").unwrap();
}
