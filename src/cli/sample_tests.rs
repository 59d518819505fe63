//! Sample vectors have length one, and the same seed gives the same bytes.

#![allow(clippy::unwrap_used)]

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;

use super::*;
use crate::{Input, ReadOptions, Source};

fn written(sample: &Sample) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_sample(&mut bytes, sample, &Cancel::never()).unwrap();
    bytes
}

#[test]
fn sample_vectors_have_length_one_and_are_the_same_for_the_same_seed() {
    for &like in Like::value_variants() {
        for dim in [1, 2, 7, 64, 512, 20_000] {
            let sample = Sample { rows: 5, dim, like, seed: 3 };
            let bytes = written(&sample);
            assert_eq!(bytes, written(&sample));
            assert_ne!(bytes, written(&Sample { seed: 4, ..sample }));
            let options = ReadOptions::new().with_columns(["vector"]);
            let source = Source::new(vec![Input::bytes("sample", bytes)], options).unwrap();
            let mut rows = 0;
            for batch in source.reader().unwrap() {
                let batch = batch.unwrap();
                let vectors = batch.column(0).as_fixed_size_list();
                rows += batch.num_rows();
                for vector in vectors.iter() {
                    let vector = vector.unwrap();
                    let values = vector.as_primitive::<Float32Type>().values();
                    let length = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                    assert_eq!(values.len(), dim as usize);
                    assert!((length - 1.0).abs() < 1e-5, "{like:?} {dim}: {length}");
                }
            }
            assert_eq!(rows, 5, "{like:?} {dim}");
        }
    }
}
