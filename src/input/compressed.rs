//! Compressed inputs: recognised by their first bytes, whatever their name is, and read as what is in them.
//!
//! The first byte of each format is a small integer in MessagePack, which is no record of any layout: a plain file is never taken
//! for a compressed one.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many bytes tell the format.
pub(super) const MAGIC: usize = 4;
/// Bytes that may come of any input, however small.
const FREE: u64 = 64 << 20;
/// How much compressed data is read at once.
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
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
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

/// What is in a compressed input.
pub(crate) struct Decompressed {
    codec: Codec,
    content: Box<dyn Read + Send>,
    source: Arc<Watched>,
    given: u64,
    max_expansion: u64,
}

/// What is known about the compressed bytes while they are being read.
#[derive(Default)]
struct Watched {
    bytes: AtomicU64,
    /// They could not be read: what the decoder says about them is not the cause.
    failed: AtomicBool,
}

/// Compressed bytes on their way to the decoder.
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
    /// Reads what is in `read`. It may be `max_expansion` times as many bytes as there are compressed ones, 0 being no limit.
    pub(super) fn new(
        codec: Codec,
        read: impl Read + Send + 'static,
        max_expansion: u64,
    ) -> io::Result<Self> {
        let source = Arc::<Watched>::default();
        let tap = BufReader::with_capacity(PIECE, Tap { read, watched: source.clone() });
        let content: Box<dyn Read + Send> = match codec {
            Codec::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(tap)),
            Codec::Zstd => Box::new(zstd::Decoder::with_buffer(tap)?),
            Codec::Lz4 => Box::new(Lz4Frames { frames: lz4_flex::frame::FrameDecoder::new(tap) }),
        };
        Ok(Self { codec, content, source, given: 0, max_expansion })
    }

    /// Compressed bytes read so far.
    pub(super) fn consumed(&self) -> u64 {
        self.source.bytes.load(Ordering::Relaxed)
    }

    fn check_expansion(&self) -> io::Result<()> {
        let allowed = self.consumed().saturating_mul(self.max_expansion).saturating_add(FREE);
        if self.max_expansion == 0 || self.given <= allowed {
            return Ok(());
        }
        let (limit, codec) = (self.max_expansion, self.codec.name());
        let text = format!("the {codec} data expands to more than {limit} times its size (max_expansion)");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl Read for Decompressed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.content.read(out) {
            Ok(bytes) => {
                self.given += bytes as u64;
                self.check_expansion()?;
                Ok(bytes)
            }
            Err(error)
                if error.kind() == io::ErrorKind::Interrupted
                    || self.source.failed.load(Ordering::Relaxed) =>
            {
                Err(error)
            }
            Err(error) => {
                let text = format!("the {} data is cut off or damaged: {error}", self.codec.name());
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
        }
    }
}

/// LZ4 frames, one after another: their decoder stops at the end of each.
struct Lz4Frames<R: io::BufRead> {
    frames: lz4_flex::frame::FrameDecoder<R>,
}

impl<R: io::BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.frames.read(out)? {
                0 if !out.is_empty() && !self.frames.get_mut().fill_buf()?.is_empty() => {}
                bytes => return Ok(bytes),
            }
        }
    }
}

#[cfg(test)]
#[path = "compressed_tests.rs"]
mod tests;
