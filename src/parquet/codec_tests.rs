//! Codecs and planes: what the libraries that others use make of them.

#![allow(clippy::unwrap_used)]

use super::*;

fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(|at| if at % 4 == 3 { random.u8(60..64) } else { random.u8(..) }).collect()
}

fn decompressed(compression: Compression, page: &[u8], size: usize) -> Vec<u8> {
    match compression {
        Compression::Auto | Compression::None => page.to_vec(),
        Compression::Zstd => zstd::bulk::decompress(page, size).unwrap(),
        Compression::Lz4 => lz4_flex::block::decompress(page, size).unwrap(),
        Compression::Snappy => snap::raw::Decoder::new().decompress_vec(page).unwrap(),
    }
}

fn compressed(compression: Compression, page: &[u8], plane: Option<usize>) -> Vec<u8> {
    let mut compressor = Compressor::new(compression, plane).unwrap();
    let mut out = vec![0; compressor.most(page.len())];
    let first = compressor.compress(&bytes(100, 9), &mut vec![0; 1000]).unwrap();
    let size = compressor.compress(page, &mut out).unwrap();
    assert!(first > 0);
    out.truncate(size);
    out
}

#[test]
fn every_codec_gives_the_bytes_of_one_page_after_another_back() {
    for &codec in Compression::ALL {
        for size in [0, 1, 5, 1000, 131_072, 131_073, 1_000_003] {
            let planes = [0, 1, 100, 5000, 131_072, 196_608, 250_000].map(Some);
            for plane in planes.into_iter().chain([None]) {
                let page = bytes(size, 7);
                let out = compressed(codec, &page, plane);
                assert!(decompressed(codec, &out, size) == page, "{codec:?}, {size}, planes of {plane:?}");
            }
        }
    }
}

#[test]
fn a_frame_tells_its_size() {
    let out = compressed(Compression::Zstd, &bytes(1009, 1), Some(250));
    assert_eq!(zstd_safe::get_frame_content_size(&out).unwrap(), Some(1009));
}

#[test]
fn planes_get_smaller_without_a_search_for_matches_than_with_one() {
    let (values, plane) = (bytes(4 * 196_608, 3), 196_608);
    let mut page = vec![0; values.len()];
    split_streams(4, &values, &mut page);
    let apart = compressed(Compression::Zstd, &page, Some(plane)).len();
    let straddling = compressed(Compression::Zstd, &page, Some(0)).len();
    let searched = compressed(Compression::Zstd, &page, None).len();
    assert!(apart < 7 * page.len() / 8, "{apart} of {}", page.len());
    assert!(apart < straddling && apart < searched, "{apart}, {straddling}, {searched}");
}

#[test]
fn planes_hold_one_byte_of_every_element() {
    for size in [2, 4, 8] {
        for count in [0, 1, 3, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER + 17] {
            let values = bytes(count * size, 5);
            let mut planes = vec![9; values.len()];
            split_streams(size, &values, &mut planes);
            let expected: Vec<u8> =
                (0..size).flat_map(|byte| values.iter().skip(byte).step_by(size).copied()).collect();
            assert!(planes == expected, "{count} elements of {size} bytes");
        }
    }
}
