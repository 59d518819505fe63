//! Bytes in pieces that stay in a processor's cache, from an input of any kind.
//!
//! Files are read with `pread` into a small buffer that is used again and again: that is faster than a mapping, and a file
//! that is cut while it is read is an error, where a mapping would kill the process.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::compressed::Watched;
use super::{Ahead, BoxedRead, Damaged, OpenFile, Opened};
use crate::pool::lock;

/// How much is read at once: small enough for the second-level cache, large enough to make system calls cheap.
const STEP: usize = 256 << 10;
/// How much a look at a stream reads at once: its writer may be slow.
const GLANCE: usize = 64 << 10;

/// A cursor over an input.
pub(crate) struct Blocks {
    origin: Origin,
    /// Offset in the input of the first byte that is not consumed.
    position: u64,
}

enum Origin {
    Bytes(Bytes),
    File { file: Arc<OpenFile>, end: u64, buffer: Buffer },
    Stream(Stream),
}

/// What can only be read from its start to its end.
struct Stream {
    read: BoxedRead,
    /// The bytes that are read of a compressed input.
    compressed: Option<Arc<Watched>>,
    ended: bool,
    /// Why it ended too early, if its bytes are damaged.
    damage: Option<io::Error>,
    buffer: Buffer,
}

/// Bytes read and not consumed: `start..filled` of `memory`, of which there is none before the first of them.
struct Buffer {
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    /// Bytes stay when they are consumed.
    keeps: bool,
    home: Arc<StepBuffers>,
}

/// Buffers of lanes that have ended, to spare the page faults of new ones. Those that held long records are as long.
#[derive(Default)]
pub(crate) struct StepBuffers(Mutex<Vec<Vec<u8>>>);

impl Blocks {
    /// All of `opened`.
    pub(crate) fn new(opened: Opened, buffers: &Arc<StepBuffers>) -> Self {
        let mut buffer = Buffer::new(buffers);
        let (read, compressed): (BoxedRead, _) = match opened {
            Opened::Random(file, span) => return Self::of_file(&file, span.start, span.end, buffers),
            Opened::Stream((mut ahead, read)) => {
                if !ahead.is_empty() {
                    buffer.filled = ahead.len();
                    ahead.resize(ahead.capacity().max(STEP), 0);
                    buffer.memory = ahead;
                }
                (read, None)
            }
            Opened::Compressed(read, _) => {
                let watched = read.source.clone();
                (Box::new(read), Some(watched))
            }
        };
        Self {
            origin: Origin::Stream(Stream { read, compressed, ended: false, damage: None, buffer }),
            position: 0,
        }
    }

    /// The start of a stream, to look at: [`into_ahead`](Self::into_ahead) gives the stream back.
    pub(crate) fn of_start(ahead: Ahead) -> Self {
        let mut blocks = Self::new(Opened::Stream(ahead), &Arc::default());
        if let Origin::Stream(stream) = &mut blocks.origin {
            stream.buffer.keeps = true;
        }
        blocks
    }

    /// The stream, with the bytes that were read of it.
    pub(crate) fn into_ahead(self) -> Option<Ahead> {
        let Origin::Stream(Stream { read, mut buffer, .. }) = self.origin else { return None };
        let mut memory = std::mem::take(&mut buffer.memory);
        memory.truncate(buffer.filled);
        Some((memory, read))
    }

    /// The bytes from `start` to `end` of a file.
    pub(crate) fn of_file(file: &Arc<OpenFile>, start: u64, end: u64, buffers: &Arc<StepBuffers>) -> Self {
        match &**file {
            OpenFile::Memory(bytes) => Self::of_bytes(bytes.clone(), start, end),
            _ => {
                let (file, buffer) = (file.clone(), Buffer::new(buffers));
                Self { origin: Origin::File { file, end, buffer }, position: start }
            }
        }
    }

    /// The bytes from `start` to `end` of a buffer.
    pub(crate) fn of_bytes(bytes: Bytes, start: u64, end: u64) -> Self {
        let end = usize::try_from(end).map_or(bytes.len(), |end| end.min(bytes.len()));
        Self { origin: Origin::Bytes(bytes.slice(..end)), position: start.min(end as u64) }
    }

    /// Offset in the input of the first byte at hand.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes of the input are done with: of a compressed one, bytes as they are stored.
    pub(crate) fn progress(&self) -> u64 {
        match &self.origin {
            Origin::Stream(Stream { compressed: Some(compressed), .. }) => compressed.bytes(),
            _ => self.position,
        }
    }

    /// The bytes at hand, `needed` at least unless the input ends before.
    pub(crate) fn fill(&mut self, needed: usize) -> io::Result<&[u8]> {
        match &mut self.origin {
            Origin::Bytes(bytes) => {
                // Not more than a step, so that whoever decodes it can be stopped soon.
                let left = &bytes[self.position as usize..];
                Ok(&left[..left.len().min(needed.max(4 * STEP))])
            }
            Origin::File { file, end, buffer } => {
                while buffer.len() < needed {
                    let read_to = self.position + buffer.len() as u64;
                    let left = usize::try_from(*end - read_to).unwrap_or(usize::MAX);
                    if left == 0 {
                        break;
                    }
                    let free = buffer.make_room(needed)?;
                    let read = free.len().min(left);
                    file.read_exact_at(&mut free[..read], read_to)?;
                    buffer.filled += read;
                }
                Ok(buffer.at_hand())
            }
            Origin::Stream(stream) => {
                while stream.buffer.len() < needed && !stream.ended {
                    stream.read_on(needed)?;
                }
                Ok(stream.buffer.at_hand())
            }
        }
    }

    /// Like [`fill`](Self::fill), and tells whether these are all the bytes that are left.
    pub(crate) fn fill_to_end(&mut self, needed: usize) -> io::Result<(&[u8], bool)> {
        let length = self.fill(needed)?.len();
        let ended = match &self.origin {
            Origin::Stream(stream) => stream.ended,
            _ => self.left() == length as u64,
        };
        let bytes = self.fill(needed)?;
        Ok((bytes, ended))
    }

    /// Marks `bytes` of those at hand as done with.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.position += bytes as u64;
        match &mut self.origin {
            Origin::Bytes(_) => {}
            Origin::File { buffer, .. } | Origin::Stream(Stream { buffer, .. }) => buffer.start += bytes,
        }
    }

    /// Consumes what is left, unread where it can be, and tells how many bytes it was.
    pub(crate) fn discard(&mut self) -> io::Result<u64> {
        let mut bytes = self.left();
        match &mut self.origin {
            Origin::Stream(stream) => {
                stream.buffer.start = stream.buffer.filled;
                while !stream.ended {
                    stream.read_on(STEP)?;
                    bytes += stream.buffer.len() as u64;
                    stream.buffer.start = stream.buffer.filled;
                }
            }
            Origin::File { buffer, .. } => buffer.start = buffer.filled,
            Origin::Bytes(_) => {}
        }
        self.position += bytes;
        Ok(bytes)
    }

    /// Why the bytes ended too early, if they are those of a damaged input.
    pub(crate) fn take_damage(&mut self) -> Option<io::Error> {
        match &mut self.origin {
            Origin::Stream(stream) => stream.damage.take(),
            _ => None,
        }
    }

    /// Bytes that are left, where that is known; for a stream those at hand.
    pub(crate) fn left(&self) -> u64 {
        match &self.origin {
            Origin::Bytes(bytes) => bytes.len() as u64 - self.position,
            Origin::File { end, .. } => *end - self.position,
            Origin::Stream(stream) => stream.buffer.len() as u64,
        }
    }

    /// Like [`left`](Self::left), but unknown for a stream.
    pub(crate) fn known_left(&self) -> Option<u64> {
        (!matches!(self.origin, Origin::Stream(_))).then(|| self.left())
    }
}

impl Stream {
    /// Reads more bytes, on the way to `needed` of them.
    fn read_on(&mut self, needed: usize) -> io::Result<()> {
        match self.read.read(self.buffer.make_room(needed)?) {
            Ok(0) => self.ended = true,
            Ok(bytes) => self.buffer.filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The bytes in front of the damage are good. Their reader asks for the damage when it comes to their end.
            Err(error) if Damaged::of(&error).is_some() => (self.ended, self.damage) = (true, Some(error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Buffer {
    fn new(home: &Arc<StepBuffers>) -> Self {
        let idle = lock(&home.0).pop();
        Self { memory: idle.unwrap_or_default(), start: 0, filled: 0, keeps: false, home: home.clone() }
    }

    fn len(&self) -> usize {
        self.filled - self.start
    }

    fn at_hand(&self) -> &[u8] {
        &self.memory[self.start..self.filled]
    }

    /// Room behind the bytes at hand: a step, or what is missing of the bytes `needed`. They move to the front first; if they fill
    /// the memory it doubles, so that it never grows beyond twice of what was really read.
    fn make_room(&mut self, needed: usize) -> io::Result<&mut [u8]> {
        let missing = needed.saturating_sub(self.len()).max(STEP);
        if self.start > 0 && !self.keeps {
            self.memory.copy_within(self.start..self.filled, 0);
            (self.start, self.filled) = (0, self.len());
        }
        if self.filled == self.memory.len() {
            let size = (2 * self.memory.len()).max(STEP);
            self.memory.try_reserve_exact(size - self.memory.len()).map_err(|_| {
                let text = format!("no memory to hold {size} bytes of an input");
                io::Error::new(io::ErrorKind::OutOfMemory, text)
            })?;
            self.memory.resize(size, 0);
        }
        let room = &mut self.memory[self.filled..];
        let length = room.len().min(if self.keeps { GLANCE } else { missing });
        Ok(&mut room[..length])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if !memory.is_empty() {
            lock(&self.home.0).push(memory);
        }
    }
}
