//! The first bytes of the inputs: as many of an input, and of as many inputs, as it takes to find out what they are.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::input::{Blocks, Damaged, Input, Opened, StepBuffers};
use crate::options::ReadOptions;

/// How much of an input is looked at. What is found must not depend on how bytes come, so it is always as much.
pub(super) const SIZE: usize = 256 << 10;
/// And how much in the steps before, as often less is enough.
pub(super) const SIZES: [usize; 5] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, SIZE];
/// Inputs that are looked at, and those that are opened to find some that are not empty.
const MOST: usize = 16;
const OPENED: usize = 256;

/// The first bytes of an input.
pub(super) struct Sample {
    /// Which input it is.
    pub(super) input: usize,
    pub(super) name: Arc<str>,
    pub(super) bytes: Bytes,
    /// True where there are no more.
    pub(super) is_whole: bool,
    /// How many bytes the input has, if that is known.
    pub(super) size: Option<u64>,
}

pub(super) struct Samples<'a> {
    inputs: &'a [Input],
    /// What the first input was opened as.
    first: Option<Opened>,
    max_expansion: u64,
    buffers: Arc<StepBuffers>,
    opened: usize,
    taken: Vec<Sample>,
    /// Set where the next input must not be opened.
    is_over: bool,
}

impl<'a> Samples<'a> {
    pub(super) fn new(inputs: &'a [Input], first: Option<Opened>, options: &ReadOptions) -> Self {
        let max_expansion = options.max_expansion;
        Self {
            inputs,
            first,
            max_expansion,
            buffers: Arc::default(),
            opened: 0,
            taken: Vec::new(),
            is_over: false,
        }
    }

    /// The next input that is not empty. What was read of it is kept by [`take`](Self::take).
    pub(super) fn begin(&mut self) -> Result<Option<(&'a Input, Beginning<'a>)>> {
        while !self.is_over && self.taken.len() < MOST && self.opened < OPENED {
            // A part of an input may begin anywhere.
            let Some(input) = self.inputs.get(self.opened).filter(|input| input.span().is_none()) else {
                break;
            };
            self.opened += 1;
            let mut beginning = match self.first.take() {
                Some(opened) => Beginning::Blocks(Blocks::new(opened, &self.buffers)),
                None => Beginning::open(input, self.max_expansion, &self.buffers)?,
            };
            if !beginning.fill(1).map_err(|error| input.error(error))?.0.is_empty() {
                return Ok(Some((input, beginning)));
            }
        }
        Ok(None)
    }

    /// True where the input that was begun last is the first one that is not empty.
    pub(super) fn is_first(&self) -> bool {
        self.taken.is_empty()
    }

    /// How many samples were taken.
    pub(super) fn count(&self) -> usize {
        self.taken.len()
    }

    /// Takes a sample of the input that was begun last.
    pub(super) fn take(&mut self, mut beginning: Beginning<'_>) -> Result<&Sample> {
        let input = self.opened - 1;
        let (bytes, is_whole) = beginning.fill(SIZE).map_err(|error| self.inputs[input].error(error))?;
        let bytes = Bytes::copy_from_slice(bytes);
        let size = match &beginning {
            Beginning::Blocks(blocks) => blocks.known_left(),
            Beginning::Stream(..) => None,
        };
        let size = if is_whole { Some(bytes.len() as u64) } else { size };
        let name = self.inputs[input].name().clone();
        // Whoever writes to a stream may have to come to its end before the next one.
        self.is_over = matches!(beginning, Beginning::Stream(..)) && !is_whole;
        self.taken.push(Sample { input, name, bytes, is_whole, size });
        Ok(&self.taken[self.taken.len() - 1])
    }

    pub(super) fn take_all(&mut self) -> Result<()> {
        while let Some((_, beginning)) = self.begin()? {
            self.take(beginning)?;
        }
        Ok(())
    }

    pub(super) fn into_taken(self) -> Vec<Sample> {
        self.taken
    }
}

/// The start of an input, of which more is read as it is asked for.
pub(super) enum Beginning<'a> {
    Blocks(Blocks),
    /// A stream may not open twice: what was read goes back.
    Stream(&'a Input, Vec<u8>, Option<Box<dyn Read + Send>>),
}

impl<'a> Beginning<'a> {
    fn open(input: &'a Input, max_expansion: u64, buffers: &Arc<StepBuffers>) -> Result<Self> {
        if let Some((read, stream)) = input.take_back() {
            return Ok(Self::Stream(input, read, Some(stream)));
        }
        Ok(match input.open(max_expansion)? {
            Opened::Stream(stream) => Self::Stream(input, Vec::new(), Some(stream)),
            opened => Self::Blocks(Blocks::new(opened, buffers)),
        })
    }

    /// The first bytes, so many unless the input ends before; and whether it does.
    pub(super) fn fill(&mut self, size: usize) -> io::Result<(&[u8], bool)> {
        let bytes = match self {
            Self::Blocks(blocks) => blocks.fill(size)?,
            Self::Stream(_, read, stream) => {
                if let Some(stream) = stream {
                    read_up_to(stream, read, size)?;
                }
                read
            }
        };
        Ok((&bytes[..bytes.len().min(size)], bytes.len() < size))
    }
}

fn read_up_to(stream: &mut dyn Read, read: &mut Vec<u8>, size: usize) -> io::Result<()> {
    while read.len() < size {
        let length = read.len();
        read.resize(size, 0);
        let more = stream.read(&mut read[length..]);
        read.truncate(length + more.as_ref().unwrap_or(&0));
        match more {
            Ok(0) => break,
            // The scan will come to it as well.
            Err(error) if Damaged::of(&error).is_some() => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        if let Self::Stream(input, read, stream) = self
            && let Some(stream) = stream.take()
        {
            input.put_back(std::mem::take(read), stream);
        }
    }
}
