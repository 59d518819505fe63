//! The builder of vector columns. Batches stay small here: see the tests of slabs.

#![allow(clippy::unwrap_used)]

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;

use super::*;
use crate::msgpack::Cursor;
use crate::vector::encoding::{self, Seen};

fn builder() -> VectorBuilder {
    VectorBuilder::new(2, Dtype::Float32)
}

/// Elements as NumPy's notation says.
fn packed<'a>(raw: &str, bytes: &'a [u8]) -> Elements<'a> {
    Elements::new(Format::Packed(raw.parse().unwrap()), bytes)
}

/// The template of records with this head of two bytes.
fn template(head: [u8; 2], raw: &str) -> Template {
    let record = [&head[..], &[0; 8]].concat();
    let mut cursor = Cursor::new(&record);
    let Seen::Vector(encoded) =
        encoding::read(&mut cursor, raw.parse::<crate::RawDtype>().unwrap().into()).unwrap()
    else {
        unreachable!("a record with such a head is a vector")
    };
    Template::of(&record, &encoded).unwrap()
}

fn bytes(vector: [f32; 2]) -> Vec<u8> {
    vector.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn rows(column: &ArrayRef) -> Vec<Option<Vec<f32>>> {
    let vectors = column.as_fixed_size_list();
    vectors.iter().map(|row| row.map(|row| row.as_primitive::<Float32Type>().values().to_vec())).collect()
}

fn records(head: &[u8], vectors: &[[f32; 2]]) -> Vec<u8> {
    vectors.iter().flat_map(|&vector| [head.to_vec(), bytes(vector)].concat()).collect()
}

#[test]
fn vectors_become_rows() {
    let mut builder = builder();
    builder.reserve(3).unwrap();
    builder.push(&packed("<f4", &bytes([1.0, 2.0]))).unwrap();
    builder.push(&packed("<f4", &bytes([3.0, 4.0]))).unwrap();
    assert_eq!((builder.rows(), builder.room()), (2, 1));
    let column = builder.finish().unwrap();
    assert_eq!(rows(&column), [Some(vec![1.0, 2.0]), Some(vec![3.0, 4.0])]);
    assert_eq!(column.data_type(), &VectorBuilder::data_type(2, Dtype::Float32));
    assert!(column.nulls().is_none());
}

#[test]
fn the_builder_is_empty_after_a_batch() {
    let mut builder = builder();
    for batch in 0..3 {
        assert_eq!((builder.rows(), builder.room()), (0, 0));
        builder.reserve(2).unwrap();
        builder.push(&packed("<f4", &bytes([batch as f32, 0.0]))).unwrap();
        builder.push_null();
        assert_eq!(rows(&builder.finish().unwrap()), [Some(vec![batch as f32, 0.0]), None]);
    }
}

#[test]
fn a_batch_without_rows_is_an_empty_column() {
    let column = builder().finish().unwrap();
    assert_eq!((column.len(), column.data_type()), (0, &VectorBuilder::data_type(2, Dtype::Float32)));
}

#[test]
fn the_elements_of_a_null_are_zero() {
    let mut builder = VectorBuilder::new(2, Dtype::Float32);
    builder.reserve(2).unwrap();
    let halfway: Vec<u8> = [7.0, f64::MAX].into_iter().flat_map(f64::to_le_bytes).collect();
    assert_eq!(builder.push(&packed("<f8", &halfway)), Err(1)); // leaves a 7 behind
    builder.push_null();
    let column = builder.finish().unwrap();
    assert!(column.is_null(0));
    assert_eq!(column.as_fixed_size_list().values().as_primitive::<Float32Type>().values(), &[0.0, 0.0]);
}

#[test]
fn a_vector_that_does_not_fit_is_no_row() {
    let mut builder = VectorBuilder::new(2, Dtype::Float32);
    builder.reserve(2).unwrap();
    let vector = |a: f64, b: f64| [a.to_le_bytes(), b.to_le_bytes()].concat();
    assert_eq!(builder.push(&packed("<f8", &vector(1.0, f64::MAX))), Err(1));
    assert_eq!(builder.rows(), 0);
    builder.push(&packed("<f8", &vector(5.0, 6.0))).unwrap();
    assert_eq!(rows(&builder.finish().unwrap()), [Some(vec![5.0, 6.0])]);
}

#[test]
fn uniform_records_are_added_until_one_begins_otherwise() {
    let mut builder = builder();
    builder.reserve(4).unwrap();
    let mut bytes = records(&[0xc4, 8], &[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    bytes[20] = 0xa8; // the third head
    assert_eq!(builder.push_uniform(bytes.chunks_exact(10), &template([0xc4, 8], "<f4")), 2);
    assert_eq!(rows(&builder.finish().unwrap()), [Some(vec![1.0, 2.0]), Some(vec![3.0, 4.0])]);
}

#[test]
fn uniform_records_are_added_until_one_does_not_fit() {
    let mut builder = VectorBuilder::new(1, Dtype::Float32);
    builder.reserve(3).unwrap();
    let bytes: Vec<u8> = [1.0, f64::MAX, 2.0]
        .into_iter()
        .flat_map(|x: f64| [vec![0xc4, 8], x.to_le_bytes().into()].concat())
        .collect();
    assert_eq!(builder.push_uniform(bytes.chunks_exact(10), &template([0xc4, 8], "<f8")), 1);
    assert_eq!((builder.rows(), builder.room()), (1, 2));
}

#[test]
fn a_row_takes_the_byte_order_it_is_told() {
    let mut builder = builder();
    builder.reserve(2).unwrap();
    builder.push(&packed("<f4", &bytes([1.0, 2.0]))).unwrap();
    builder.push(&packed(">f4", &[3f32.to_be_bytes(), 4f32.to_be_bytes()].concat())).unwrap();
    assert_eq!(rows(&builder.finish().unwrap()), [Some(vec![1.0, 2.0]), Some(vec![3.0, 4.0])]);
}

#[test]
fn memory_is_made_once_a_batch() {
    let mut builder = builder();
    builder.reserve(2).unwrap();
    builder.push(&packed("<f4", &bytes([1.0, 2.0]))).unwrap();
    builder.reserve(100).unwrap();
    assert_eq!(builder.room(), 1);
}

#[test]
fn a_batch_that_no_memory_holds_is_an_error() {
    assert!(builder().reserve(usize::MAX).is_err());
}

#[test]
fn every_type_of_column_is_an_array_of_its_type() {
    for dtype in Dtype::ALL {
        let mut builder = VectorBuilder::new(3, dtype);
        builder.reserve(1).unwrap();
        builder.push(&packed("|u1", &[1, 2, 3])).unwrap();
        let column = builder.finish().unwrap();
        assert_eq!(column.as_fixed_size_list().values().data_type(), &dtype.data_type());
        assert_eq!((column.len(), column.as_fixed_size_list().value_length()), (1, 3));
    }
}
