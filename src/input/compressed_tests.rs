//! Compressed data in all formats, in pieces and in parts.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;

use super::*;

const CODECS: [Codec; 3] = [Codec::Gzip, Codec::Zstd, Codec::Lz4];

fn compress(codec: Codec, content: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(content).unwrap();
            out.finish().unwrap()
        }
        Codec::Zstd => zstd::encode_all(content, 1).unwrap(),
        Codec::Lz4 => {
            // Small blocks, so that there are several, with all the checksums there are.
            let info = lz4_flex::frame::FrameInfo::new()
                .block_size(lz4_flex::frame::BlockSize::Max64KB)
                .block_checksums(content.len().is_multiple_of(2))
                .content_checksum(content.len().is_multiple_of(3));
            let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            out.write_all(content).unwrap();
            out.finish().unwrap()
        }
    }
}

/// Gives a byte at a time.
struct Slow(io::Cursor<Vec<u8>>);

impl Read for Slow {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = out.len().min(1);
        self.0.read(&mut out[..length])
    }
}

fn read(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    Decompressed::new(Some(codec), io::Cursor::new(bytes.to_vec()), 1000)?.read_to_end(&mut content)?;
    Ok(content)
}

fn some_content() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..200_000).map(|_| random.u8(0..8)).collect()
}

#[test]
fn every_format_is_recognised_and_read_in_pieces_of_any_size() {
    for codec in CODECS {
        let bytes = compress(codec, &some_content());
        assert_eq!(Codec::of(&bytes[..MAGIC]), Some(codec));
        assert_eq!(read(codec, &bytes).unwrap(), some_content());
        let mut content = Vec::new();
        let slow = Slow(io::Cursor::new(bytes.clone()));
        let mut decompressed = Decompressed::new(Some(codec), slow, 1000).unwrap();
        decompressed.read_to_end(&mut content).unwrap();
        assert_eq!((content, decompressed.source.bytes()), (some_content(), bytes.len() as u64));
    }
    for plain in [&b""[..], b"\x1f", b"\xc4\x08\0\0", b"\x93\x01\x02\x03", b"\x28\xb5\x2f"] {
        assert_eq!(Codec::of(plain), None);
    }
}

#[test]
fn parts_that_were_put_together_are_read_to_the_last() {
    for codec in CODECS {
        let parts = [&b"first"[..], b"", b"second", &some_content()].map(|part| compress(codec, part));
        let expected = [&b"firstsecond"[..], &some_content()].concat();
        assert_eq!(read(codec, &parts.concat()).unwrap(), expected, "{codec:?}");
    }
}

/// The content that `read` gives in pieces of `size` bytes, up to its end or its error.
fn content_in_pieces(codec: Codec, read: impl Read + Send + 'static, size: usize) -> Vec<u8> {
    let mut decompressed = Decompressed::new(Some(codec), read, 1000).unwrap();
    let (mut content, mut piece) = (Vec::new(), vec![0; size]);
    while let Ok(length @ 1..) = decompressed.read(&mut piece) {
        content.extend_from_slice(&piece[..length]);
    }
    content
}

#[test]
fn damaged_data_gives_the_same_content_in_pieces_of_any_size() {
    let content = some_content();
    for codec in CODECS {
        let mut bytes = compress(codec, &content);
        if codec == Codec::Zstd {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.include_contentsize(true).unwrap();
            encoder.set_pledged_src_size(Some(content.len() as u64)).unwrap();
            encoder.write_all(&content).unwrap();
            bytes = encoder.finish().unwrap();
        }
        for place in [bytes.len() / 3, bytes.len() - 20, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            let expected = content_in_pieces(codec, Slow(io::Cursor::new(damaged.clone())), 1 << 20);
            assert!(place < bytes.len() / 2 || !expected.is_empty(), "{codec:?}");
            for size in [1, 1000, 1 << 16, 1 << 20] {
                let found = content_in_pieces(codec, io::Cursor::new(damaged.clone()), size);
                assert!(found == expected, "{codec:?}, byte {place}, {size}: {} bytes", found.len());
            }
        }
    }
}

#[test]
fn what_is_cut_off_anywhere_is_an_error_and_never_less_content() {
    for codec in CODECS {
        let bytes = compress(codec, &some_content());
        for length in (MAGIC..bytes.len())
            .filter(|length| length % 997 == 0 || *length < 20 || bytes.len() - length < 20)
        {
            let Err(error) = read(codec, &bytes[..length]) else { panic!("{codec:?}, {length} bytes") };
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{codec:?} {length}");
            assert!(error.to_string().contains("cut off or damaged"), "{error}");
        }
    }
}

#[test]
fn what_expands_beyond_the_limit_is_refused() {
    let bomb = vec![0; 3 * FREE as usize];
    for codec in [Codec::Gzip, Codec::Zstd] {
        let bytes = compress(codec, &bomb);
        let read = |limit| {
            let mut decompressed =
                Decompressed::new(Some(codec), io::Cursor::new(bytes.clone()), limit).unwrap();
            io::copy(&mut decompressed, &mut io::sink())
        };
        assert!(read(10).unwrap_err().to_string().contains("max_expansion"));
        assert_eq!(read(0).unwrap(), 3 * FREE);
    }
}

#[test]
fn an_error_of_the_source_is_told_as_it_is() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _out: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no such luck"))
        }
    }
    for codec in CODECS {
        let start = io::Cursor::new(compress(codec, &some_content())[..20].to_vec());
        let error = Decompressed::new(Some(codec), start.chain(Broken), 0)
            .and_then(|mut d| d.read_to_end(&mut Vec::new()));
        assert_eq!(error.unwrap_err().to_string(), "no such luck", "{codec:?}");
    }
}
