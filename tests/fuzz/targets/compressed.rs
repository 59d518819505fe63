//! Compressed inputs are read as what is in them, and damaged ones end in an error; what `auto` finds out is what a reader who
//! is told the same gets.

use std::io::Write;

use vecpack::{Framing, OnError};

use super::choices::Choices;
use super::reading::{Kind, options, scan, source};

pub fn run(data: &[u8]) {
    let (mut choices, file) = Choices::split(data);
    let codec = choices.one(&[None, Some(Codec::Zstd), Some(Codec::Gzip), Some(Codec::Lz4)]);
    let frames = 1 + choices.below(3);
    let damages = choices.byte() % 3;
    let (position, change) = (choices.below(1 << 16), choices.byte());
    let kind = choices.one(&Kind::ALL);
    let mut options = options(&mut choices).with_include_path(false);
    let Some(codec) = codec else {
        // As it is: whatever its beginning says it is.
        if let Ok(source) = source(kind, file, &options) {
            scan(&source);
        }
        framing_is_as_told(file, &options);
        return;
    };
    let (mut compressed, mut ends) = (Vec::new(), Vec::new());
    for frame in file.chunks(file.len().div_ceil(frames).max(1)) {
        codec.compress(frame, &mut compressed);
        ends.push(compressed.len());
    }
    if compressed.is_empty() {
        codec.compress(&[], &mut compressed);
    }
    if damages > 0 {
        let at = position % compressed.len();
        if damages == 1 {
            compressed[at] ^= change
        } else {
            compressed.truncate(at)
        }
        // Checksums find most of it and not all; that nothing else goes wrong is the point. A frame that is cut off is always seen.
        let is_cut = damages == 2 && compressed.len() >= 4 && !ends.contains(&compressed.len());
        if let Ok(source) = source(kind, &compressed, &options) {
            let found = scan(&source);
            let is_seen = found.error.is_some() || found.rejected > 0;
            assert!(is_seen || !is_cut, "{codec:?}, cut at {}", compressed.len());
        }
        return;
    }
    options = options.with_max_expansion(0);
    // A file that looks compressed once it is expanded is not expanded again.
    let starts_like_one =
        [&[0x1f, 0x8b][..], &[0x28, 0xb5], &[0x04, 0x22]].iter().any(|magic| file.starts_with(magic))
            || file.get(1..4) == Some(&[0x2a, 0x4d, 0x18]);
    if starts_like_one {
        return;
    }
    let what = format!("{codec:?} in {frames} frames as {kind:?} with {options:?}");
    match (source(Kind::Bytes, file, &options), source(kind, &compressed, &options)) {
        (Ok(expected), Ok(found)) => scan(&expected).check(&scan(&found), &what),
        (expected, found) => assert_eq!(found.err(), expected.err(), "{what}"),
    }
}

/// Reads again what `auto` found out.
fn framing_is_as_told(file: &[u8], options: &vecpack::ReadOptions) {
    let options = options.clone().with_framing(Framing::Auto).with_on_error(OnError::Skip);
    let Ok(auto) = source(Kind::Bytes, file, &options) else { return };
    assert_ne!(auto.framing(), Framing::Auto);
    let told = source(Kind::Bytes, file, &options.with_framing(auto.framing())).expect("the same source");
    assert_eq!(told.schema(), auto.schema());
    scan(&auto).check(&scan(&told), &format!("{:?} told", auto.framing()));
}

#[derive(Debug, Clone, Copy)]
pub enum Codec {
    Zstd,
    Gzip,
    Lz4,
}

impl Codec {
    /// Adds `bytes` as a frame.
    pub fn compress(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Zstd => out.extend(zstd::encode_all(bytes, 1).expect("compressed")),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
                encoder.write_all(bytes).and_then(|()| encoder.finish().map(drop)).expect("compressed");
            }
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(out);
                encoder.write_all(bytes).expect("compressed");
                encoder.finish().expect("compressed");
            }
        }
    }
}
