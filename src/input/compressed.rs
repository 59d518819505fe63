//! Compressed inputs. Their first bytes tell the format, whatever the name is.
//!
//! The first byte of each format is a small integer in MessagePack, which no record begins with. A
//! plain file is never taken for a compressed one.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use zstd::stream::raw::Operation;

/// The number of bytes that tell the format.
pub(super) const MAGIC: usize = 4;
/// Any input may expand to this many bytes.
const FREE: u64 = 64 << 20;
/// How much of a Zstandard frame tells how long its head is.
const SHORTEST_FRAME: usize = 5;
/// Bytes of one read of compressed data.
const PIECE: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
    Lz4,
}

impl Codec {
    /// The format of an input that begins with these bytes.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }
}

/// The content of a compressed input, or of an input that is read from start to end like one.
pub(crate) struct Decompressed {
    codec: Option<Codec>,
    content: Box<dyn Read + Send>,
    pub(super) source: Arc<Watched>,
    given: u64,
    max_expansion: u64,
    /// The error after which no more can be read.
    damaged: Option<Damaged>,
}

/// The error of compressed bytes that are cut off or damaged.
#[derive(Debug, Clone)]
pub(crate) struct Damaged(String);

impl Damaged {
    /// The text of the error, if it is of this kind.
    pub(crate) fn of(error: &io::Error) -> Option<&str> {
        error.get_ref()?.downcast_ref::<Self>().map(|damaged| damaged.0.as_str())
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damaged {}

/// Counters of the compressed bytes, shared with the decoder's input.
#[derive(Default)]
pub(super) struct Watched {
    bytes: AtomicU64,
    /// The input failed. An error of the decoder is then a consequence.
    failed: AtomicBool,
}

impl Watched {
    /// Compressed bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The decoder's input.
struct Tap<R> {
    read: R,
    watched: Arc<Watched>,
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.read.read(out);
        match &read {
            Ok(bytes) => drop(self.watched.bytes.fetch_add(*bytes as u64, Ordering::Relaxed)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.watched.failed.store(true, Ordering::Relaxed),
        }
        read
    }
}

impl Decompressed {
    /// The content of `read`, which may expand to `max_expansion` times its size. 0 is no limit.
    pub(super) fn new(
        codec: Option<Codec>,
        read: impl Read + Send + 'static,
        max_expansion: u64,
    ) -> io::Result<Self> {
        let source = Arc::<Watched>::default();
        let tap = Tap { read, watched: source.clone() };
        let buffered = |tap| BufReader::with_capacity(PIECE, tap);
        let content: Box<dyn Read + Send> = match codec {
            None => Box::new(tap),
            Some(Codec::Gzip) => Box::new(GzipMembers { member: Some(GzDecoder::new(buffered(tap))) }),
            Some(Codec::Zstd) => {
                let decoder = zstd::stream::raw::Decoder::new()?;
                Box::new(ZstdFrames { read: buffered(tap), decoder, block: 0, is_full: false })
            }
            Some(Codec::Lz4) => {
                let frames = lz4_flex::frame::FrameDecoder::new(Unended(buffered(tap)));
                Box::new(Lz4Frames { frames, is_between: true })
            }
        };
        Ok(Self { codec, content, source, given: 0, max_expansion, damaged: None })
    }

    fn check_expansion(&self) -> io::Result<()> {
        let allowed = self.source.bytes().saturating_mul(self.max_expansion).saturating_add(FREE);
        let Some(codec) = self.codec.filter(|_| self.max_expansion > 0 && self.given > allowed) else {
            return Ok(());
        };
        let (limit, codec) = (self.max_expansion, codec.name());
        let text =
            format!("the {codec} data expands to more than {limit} times its size (option `max_expansion`)");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl Read for Decompressed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(damaged) = &self.damaged {
            return Err(io::Error::new(io::ErrorKind::InvalidData, damaged.clone()));
        }
        let error = match self.content.read(out) {
            Ok(bytes) => {
                self.given += bytes as u64;
                self.check_expansion()?;
                return Ok(bytes);
            }
            Err(error) => error,
        };
        let is_of_input =
            error.kind() == io::ErrorKind::Interrupted || self.source.failed.load(Ordering::Relaxed);
        let Some(codec) = self.codec.filter(|_| !is_of_input) else { return Err(error) };
        let damaged = Damaged(format!("the {} data is cut off or damaged: {error}", codec.name()));
        self.damaged = Some(damaged.clone());
        Err(io::Error::new(io::ErrorKind::InvalidData, damaged))
    }
}

/// The members of a gzip file, one after another. Zeros behind a member are padding, as they are for
/// Python's `gzip`.
struct GzipMembers<R> {
    /// `None` behind the last one.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let bytes = member.read(out)?;
            if bytes > 0 || out.is_empty() {
                return Ok(bytes);
            }
            if pass_zeros(member.get_mut())? {
                self.member = None;
            } else {
                self.member = self.member.take().map(|member| GzDecoder::new(member.into_inner()));
            }
        }
        Ok(0)
    }
}

/// Reads zeros up to another byte. True at the end of the input.
fn pass_zeros(read: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = read.fill_buf()?;
        let (length, zeros) = (bytes.len(), bytes.iter().take_while(|byte| **byte == 0).count());
        read.consume(zeros);
        if zeros < length || length == 0 {
            return Ok(length == 0);
        }
    }
}

/// Zstandard frames, one after another. They are decoded block by block, whatever there is room for: an error takes all that
/// the decoder has written in the same call.
struct ZstdFrames<R> {
    read: R,
    decoder: zstd::stream::raw::Decoder<'static>,
    /// The bytes up to the end of the block, as the decoder tells; 0 between frames.
    block: usize,
    /// There may be more of the last block than there was room for.
    is_full: bool,
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() {
            let bytes = self.read.fill_buf()?;
            if bytes.is_empty() && !self.is_full {
                let whole = (self.block == 0).then_some(0);
                return whole.ok_or_else(|| io::Error::other("the data ends inside a frame"));
            }
            let block = if self.block == 0 { SHORTEST_FRAME } else { self.block };
            let length = if self.is_full { 0 } else { bytes.len().min(block) };
            let status = self.decoder.run_on_buffers(&bytes[..length], out)?;
            self.read.consume(status.bytes_read);
            self.block = status.remaining;
            self.is_full = self.block > 0 && status.bytes_written == out.len();
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
        }
        Ok(0)
    }
}

/// LZ4 frames, one after another. The decoder stops at the end of each frame.
struct Lz4Frames<R: Read> {
    frames: lz4_flex::frame::FrameDecoder<Unended<R>>,
    is_between: bool,
}

impl<R: Read> Read for Lz4Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.is_between && self.frames.get_mut().0.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let bytes = self.frames.read(out)?;
            self.is_between = bytes == 0 && !out.is_empty();
            if !self.is_between {
                return Ok(bytes);
            }
        }
    }
}

/// The bytes of a frame, whose end is an error. The decoder takes the end of its input for the end
/// of the frame, also between two blocks.
struct Unended<R>(BufReader<R>);

impl<R: Read> Read for Unended<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.read(out)? {
            0 if !out.is_empty() => Err(io::Error::other("the data ends inside a frame")),
            bytes => Ok(bytes),
        }
    }
}

#[cfg(test)]
#[path = "compressed_tests.rs"]
mod tests;
