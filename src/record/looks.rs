//! What bytes look like: a file of another format, by its first bytes, or numbers without a type.
//!
//! The numbers of a vector are of about one size, so their exponents lie close together. Those of
//! random, compressed or encrypted bytes lie anywhere, and so do those of some of the numbers where
//! bytes are read as another type: of every second one where a float64 is read as two float32. So the
//! numbers are looked at by their place in words of 8 bytes, all values of a field together.

use crate::vector::RawDtype;
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

/// The most words that are kept of one value, and of all.
const WORDS: (usize, usize) = (64, 1 << 9);
/// Fewer different numbers say nothing about another type.
const FEW: usize = 16;
/// So many letters are no numbers.
const LETTERS: usize = 64;
/// Half of the numbers in a vector are nearer to 1 than this power of 2 and its inverse.
const FAR: i32 = 100;
/// The powers of 2 that the middle eight tenths of normally distributed numbers take.
const NORMAL: i32 = 4;

/// The types that producers write without naming them, a likelier one first.
const TYPES: [&str; 7] = ["<f4", "<f8", "<f2", "bf16", ">f4", ">f8", ">f2"];

/// The bytes of a field's values.
#[derive(Default)]
pub(super) struct Looks {
    words: Vec<[u8; 8]>,
    /// Bytes of the first value.
    length: usize,
    /// Values that were added, and those of them that are text.
    values: u64,
    texts: u64,
    /// The format of files that all values are.
    pub(super) format: Option<&'static str>,
}

/// The numbers at one place in the words: the exponents of the tenth part from below, of the middle and
/// of the tenth part from above, and how many sizes there are.
struct Lane {
    low: i32,
    middle: i32,
    high: i32,
    numbers: usize,
    distinct: usize,
}

impl Looks {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let format = inside(bytes);
        if self.values == 0 {
            (self.format, self.length) = (format, bytes.len());
        }
        self.format = self.format.filter(|_| self.format == format);
        self.values += 1;
        self.texts += u64::from(!bytes.contains(&0) && std::str::from_utf8(bytes).is_ok());
        let room = WORDS.1.saturating_sub(self.words.len()).min(WORDS.0);
        self.words.extend(bytes.as_chunks::<8>().0.iter().take(room));
    }

    /// Adds a value that is as long as the first one, or a file of the same format; false where it is neither, or no more are
    /// needed.
    pub(super) fn add_alike(&mut self, bytes: &[u8]) -> bool {
        let is_file = || self.format.is_some() && inside(bytes) == self.format;
        let is_alike = self.values == 0 || bytes.len() == self.length || is_file();
        let is_needed = is_alike && self.words.len() < WORDS.1;
        if is_needed {
            self.add(bytes);
        }
        is_needed
    }

    /// The format of files that several values are: the first bytes of a single one may be those of numbers.
    pub(super) fn files(&self) -> Option<&'static str> {
        self.format.filter(|_| self.values > 1)
    }

    /// The word for several values that are all text. A single one proves nothing: its bytes may be those of numbers.
    pub(super) fn text(&self) -> Option<&'static str> {
        (self.values > 1 && self.are_texts()).then_some("text")
    }

    /// The same for values of nothing but letters of ASCII, which are no numbers.
    pub(super) fn letters(&self) -> Option<&'static str> {
        let bytes = self.words.as_flattened();
        let is_letter = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        (self.values > 1 && bytes.len() >= LETTERS && bytes.iter().all(is_letter)).then_some("text")
    }

    fn are_texts(&self) -> bool {
        self.texts == self.values && self.words.iter().any(|word| *word != self.words[0])
    }

    /// True unless the values are texts, files, or bytes that are no numbers of the type `raw`.
    pub(super) fn are(&self, raw: RawDtype) -> bool {
        let lanes = self.lanes(raw);
        !self.are_other() && !is_half_zero(&lanes) && lanes.iter().flatten().all(|lane| lane.is_even(raw))
    }

    /// True where enough bytes were seen to say that they are not.
    pub(super) fn are_not(&self, raw: RawDtype) -> bool {
        self.words.len() >= FEW && !self.are(raw)
    }

    fn are_other(&self) -> bool {
        self.format.is_some() || self.are_texts()
    }

    /// Says of the field `name` that `raw` looks wrong and another type right.
    pub(super) fn warning(&self, name: &str, raw: RawDtype) -> Option<String> {
        let other = self.other(raw)?;
        let order = if other.to_string().starts_with('>') { "big-endian " } else { "" };
        Some(format!("`{name}`: these bytes look like {order}{}: option `raw_dtype={other}`", other.name()))
    }

    /// The type that looks right, where `raw` looks wrong.
    fn other(&self, raw: RawDtype) -> Option<RawDtype> {
        if raw.exponent_bits() == 0 || self.are_other() {
            return None;
        }
        let are = self.are(raw);
        // Where a smaller type looks right as well, it is the one: halves of larger numbers look random.
        let may_be = |other: &RawDtype| {
            *other != raw && (!are || other.size() < raw.size()) && self.length.is_multiple_of(other.size())
        };
        let types = TYPES.iter().filter_map(|name| RawDtype::named(name)).filter(may_be);
        let like = types.filter_map(|other| Some(((self.spread(other)? - NORMAL).abs(), other)));
        like.min_by_key(|(distance, _)| *distance).map(|(_, other)| other)
    }

    /// The powers of 2 that the numbers take, where they surely are of the type `raw`: at all places
    /// there are some, of about the same size, and not among the smallest of the type.
    fn spread(&self, raw: RawDtype) -> Option<i32> {
        let lanes: Vec<Lane> = self.lanes(raw).into_iter().collect::<Option<_>>()?;
        let least = 3 - (1 << (raw.exponent_bits() - 1));
        // Numbers of which every second half is zero need not differ.
        let few = if is_half_zero(&self.lanes(RawDtype::default())) { 1 } else { FEW };
        let is_like = |lane: &Lane| lane.is_even(raw) && lane.middle > least && lane.distinct >= few;
        let near = |one: &Lane, other: &Lane| (one.low - 1..=one.high + 1).contains(&other.middle);
        let are_near = lanes.iter().all(|one| lanes.iter().all(|other| near(one, other)));
        let spread = lanes.iter().map(|lane| lane.high - lane.low).max();
        spread.filter(|_| are_near && lanes.iter().all(is_like))
    }

    /// The exponents at each place in the words; `None` where all numbers are zero, infinite or NaN.
    fn lanes(&self, raw: RawDtype) -> Vec<Option<Lane>> {
        let places = if raw.exponent_bits() > 0 { 8 / raw.size() } else { 0 };
        let lane = |place: usize| {
            let numbers = self.words.iter().filter_map(|word| raw.scalar(&word[place * raw.size()..]));
            let numbers = numbers.filter_map(|number| Some(number.to::<f64, 8>()?.abs()));
            let numbers = numbers.filter(|number| number.is_finite() && *number > 0.0);
            let mut bits: Vec<u64> = numbers.map(f64::to_bits).collect();
            bits.sort_unstable();
            let (last, tenth) = (bits.len().checked_sub(1)?, bits.len() / 10);
            // Subnormal numbers have the smallest exponent.
            let least = 1 - (1 << (raw.exponent_bits() - 1));
            let exponent = |index: usize| ((bits[index] >> 52) as i32 - 1023).max(least);
            let (low, middle, high) = (exponent(tenth), exponent(last / 2), exponent(last - tenth));
            let numbers = bits.len();
            bits.dedup();
            Some(Lane { low, middle, high, numbers, distinct: bits.len() })
        };
        (0..places).map(lane).collect()
    }
}

/// True where all numbers at some places are zero, and those at the others are not: half of a float64 is zero where it is a
/// whole number.
fn is_half_zero(lanes: &[Option<Lane>]) -> bool {
    let has_numbers = |lane: &Lane| lane.numbers >= FEW;
    lanes.iter().any(Option::is_none) && lanes.iter().flatten().any(has_numbers)
}

impl Lane {
    /// True where exponents take less than half of all there are; those of random bits take eight tenths.
    fn is_even(&self, raw: RawDtype) -> bool {
        2 * (self.high - self.low) < 1 << raw.exponent_bits() && self.middle.abs() <= FAR
    }
}
