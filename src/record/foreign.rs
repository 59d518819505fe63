//! Files of other formats, by their first bytes.

use crate::vector::encoding::is_hex;

/// The first bytes of files that are not MessagePack. As MessagePack they would be a few numbers and
/// no vector, or not even that.
const FORMATS: [(&[u8], &str); 15] = [
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x93NUMPY", "a .npy file (load it with `numpy.load`)"),
    (b"BZh91AY&SY", "bzip2 data (read: gzip, zstd, lz4)"),
    (b"\xfd7zXZ\x00", "xz data (read: gzip, zstd, lz4)"),
    (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff", "lzma data (read: gzip, zstd, lz4)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\xde\xc0\xef\xbe", "an LMDB database"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
    (b"Obj\x01", "an Avro file"),
    (b"PK\x03\x04", "a zip archive (such as .npz)"),
    // Of the protocols 0 and 1.
    (b"(lp0\n", PICKLE),
    (b"(dp0\n", PICKLE),
    (b"cnumpy", PICKLE),
];

const PICKLE: &str = "a pickle";

/// Where a tar archive says what it is. It begins with the name of a file.
const TAR: std::ops::Range<usize> = 257..262;
/// This many bytes show each of them.
pub(crate) const MAGIC: usize = TAR.end;
/// This many bytes show that they are text.
const START: usize = 20;

/// The format of an input that begins with `bytes`; `None` for MessagePack, as far as these bytes show.
/// The error is how many bytes are needed to see.
pub(crate) fn foreign(bytes: &[u8], ended: bool) -> Result<Option<&'static str>, usize> {
    let needed = FORMATS.iter().find(|(magic, _)| magic.starts_with(bytes)).map(|(magic, _)| magic.len());
    let is_name = bytes.len() < MAGIC && is_text(bytes);
    match (certain(bytes), needed.or(is_name.then_some(MAGIC))) {
        (None, Some(needed)) if !ended => Err(needed),
        (format, _) => Ok(format),
    }
}

/// The format of a file that begins with `bytes`, which as MessagePack would be numbers, or an empty map, and no
/// record behind them.
fn certain(bytes: &[u8]) -> Option<&'static str> {
    let known = FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    // A pickle's frame has eight bytes for its length.
    known.or(match bytes {
        [0x80, 2..=5, b'c' | b'}' | b']' | b'X' | b'(' | 0x8c, ..] => Some(PICKLE),
        [0x80, 4..=5, 0x95, _, _, _, _, _, 0, 0, 0, ..] => Some(PICKLE),
        [b']' | b'}', b'q', 0, b'(' | b'G' | b'K' | b'X' | b'c' | b']' | b'}', ..] => Some(PICKLE),
        [0xff, 0xff, 0xff, 0xff, _, _, _, 0, 4..=64, 0, 0, 0, ..] => Some("an Arrow stream"),
        [b'G', b'G', b'U', b'F', 1..=3, 0, 0, 0, ..] => Some("a GGUF file"),
        [_, _, _, _, _, 0, 0, 0, header @ ..] if header.starts_with(b"{\"") && is_text(header) => {
            Some("a safetensors file")
        }
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] if is_zlib(bytes) => Some("zlib data (read: gzip, zstd, lz4)"),
        _ if bytes.get(TAR) == Some(b"ustar") => Some("a tar archive (extract it)"),
        _ => None,
    })
}

/// True for bytes that zlib expands: its two bytes in front are too few to be sure.
fn is_zlib(bytes: &[u8]) -> bool {
    let (mut inflate, mut out) = (flate2::Decompress::new(true), [0; 1 << 10]);
    let inflated = inflate.decompress(bytes, &mut out, flate2::FlushDecompress::None);
    inflated.is_ok() && inflate.total_out() > 0
}

/// The format of a file in a field, which is no vector.
pub(crate) fn inside(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, 8, ..] => Some("gzip data"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd data"),
        _ if bytes.len() > START && is_hex(bytes) => Some("hexadecimal text"),
        _ => certain(bytes).or_else(|| looks_like(bytes)),
    }
}

/// True for bytes that begin with characters of ASCII. As MessagePack they are small numbers.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(START)];
    !start.is_empty() && start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

/// The format that an input without a vector looks like: too few bytes to be sure, enough for a hint.
pub(crate) fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    if let [b'{' | b'[', b'"' | b'{' | b'[' | b' ' | b'\n' | b'\r', ..] = bytes.trim_ascii_start() {
        return Some("JSON");
    }
    match bytes {
        [b'[', b'-' | b'0'..=b'9', ..] if is_text(bytes) => Some("JSON"),
        [b']' | b'}', b'q', 0, ..] => Some(PICKLE),
        [0x80, 2..=5, b'c' | b'}' | b']' | b'X' | b'(' | 0x8c | 0x95, ..] => Some(PICKLE),
        _ => None,
    }
}
