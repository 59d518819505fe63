//! Frames that are put together here: the library reads them, and they hold what a page does.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::parquet::Compression;
use crate::parquet::codec::{Compressor, split_streams};

/// Elements a row.
const ROW: usize = 16;

/// What the bytes at one place of the elements are.
#[derive(Debug, Clone, Copy)]
enum Plane {
    Noise,
    /// A few values.
    Few,
    Zero,
    /// Slightly uneven, as the first bits of a mantissa are.
    Uneven,
}

use Plane::{Few, Noise, Uneven, Zero};

fn values(elements: usize, planes: &[Plane], seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let places = (0..elements).flat_map(|_| planes);
    let byte = |plane: &Plane| match plane {
        Noise => random.u8(..),
        Few => random.u8(60..64),
        Zero => 0,
        Uneven => random.u8(..) & if random.u8(..) < 20 { 0x7f } else { 0xff },
    };
    places.map(byte).collect()
}

/// The page, and what it becomes.
fn framed(size: usize, levels: &[u8], values: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let plane = values.len() / size;
    let mut page = [levels, values].concat();
    split_streams(size, values, &mut page[levels.len()..]);
    let mut compressor = Compressor::new(Compression::Zstd, Some(plane)).unwrap();
    let mut out = vec![0xaa; compressor.most(page.len())];
    let mut scratch = vec![0xaa; page.len()];
    let row = ROW * size;
    let literal = compressor.literal.as_mut().unwrap();
    let written = of_planes(literal, (row, size), levels, values, &mut scratch, &mut out).unwrap();
    (page, written.map(|written| out[..written].to_vec()))
}

fn by_library(page: &[u8], plane: usize) -> usize {
    let mut compressor = Compressor::new(Compression::Zstd, Some(plane)).unwrap();
    let mut out = vec![0; compressor.most(page.len())];
    compressor.compress(page, &mut out).unwrap()
}

#[test]
fn a_frame_gives_its_page_back_whatever_the_planes_are() {
    let kinds: [&[Plane]; 9] = [
        &[Noise, Noise, Noise, Few],
        &[Noise, Noise, Uneven, Few],
        &[Noise, Noise, Noise, Noise],
        &[Noise, Few, Noise, Noise],
        &[Noise, Zero, Zero, Few],
        &[Noise, Few],
        &[Noise, Noise],
        &[Noise, Noise, Noise, Noise, Noise, Noise, Uneven, Few],
        &[Noise, Noise, Noise, Noise, Zero, Noise, Noise, Noise],
    ];
    for planes in kinds {
        for elements in [4096, 4097, 131_071, 131_072, 131_073, 262_145] {
            for levels in [&[1][..], &[9; 5000]] {
                let values = values(elements, planes, elements as u64);
                let (page, frame) = framed(planes.len(), levels, &values);
                let what = format!("{planes:?}, {elements} elements, {} bytes of levels", levels.len());
                assert!(frame.is_some(), "{what}");
                let frame = frame.unwrap();
                assert_eq!(
                    zstd::zstd_safe::get_frame_content_size(&frame).unwrap(),
                    Some(page.len() as u64),
                    "{what}"
                );
                assert!(zstd::bulk::decompress(&frame, page.len()).unwrap() == page, "{what}");
                assert!(zstd::decode_all(&frame[..]).unwrap() == page, "{what}, as a stream");
                let most = by_library(&page, elements) + page.len() / 50 + levels.len() + 100;
                assert!(frame.len() <= most, "{what}: {} bytes, {most} at most", frame.len());
            }
        }
    }
}

#[test]
fn what_compresses_from_its_first_plane_on_is_left_to_the_library() {
    for planes in [&[Few, Noise, Noise, Few], &[Zero, Zero, Noise, Few], &[Zero; 4]] {
        let (_, frame) = framed(4, &[7; 18], &values(200_000, planes, 1));
        assert!(frame.is_none(), "{planes:?}");
    }
}

#[test]
fn so_are_pages_that_are_small_or_large_or_have_many_levels() {
    let noise = |elements| values(elements, &[Noise; 4], 2);
    let is_made = |levels: &[u8], elements| framed(4, levels, &noise(elements)).1.is_some();
    assert!(is_made(&[7; 18], FEWEST));
    assert!(!is_made(&[7; 18], FEWEST - 1));
    assert!(!is_made(&[], FEWEST));
    assert!(!is_made(&vec![7; LONGEST_BLOCK], FEWEST));
    assert!(is_made(&[7; 18], LARGEST / 4 - 5));
    assert!(!is_made(&[7; 18], LARGEST / 4));
}

#[test]
fn so_are_rows_that_repeat_which_then_compress() {
    let rows = values(20_000 * ROW, &[Noise; 4], 4);
    let twice: Vec<u8> = rows.chunks(ROW * 4).flat_map(|row| row.repeat(2)).collect();
    assert!(framed(4, &[7; 18], &rows).1.is_some());
    assert!(framed(4, &[7; 18], &twice[..4 * 100_000]).1.is_none());
    let some: Vec<u8> = rows
        .chunks(ROW * 4)
        .enumerate()
        .flat_map(|(at, row)| row.repeat(1 + usize::from(at % 30 == 0)))
        .collect();
    assert!(framed(4, &[7; 18], &some).1.is_some());
}

#[test]
fn a_plane_that_would_take_a_twentieth_less_is_no_noise() {
    let mut random = fastrand::Rng::with_seed(3);
    // Of 190 values each byte takes 7.57 bits.
    let uneven = (0..4 * 50_000).map(|_| random.u8(..190)).collect::<Vec<u8>>();
    assert_eq!(noisy(4, &uneven), 0);
    for seed in 0..200 {
        let size = [2, 4, 8][seed as usize % 3];
        assert_eq!(noisy(size, &values(5000, &[Noise; 8][..size], seed)), size, "{seed}");
    }
}
