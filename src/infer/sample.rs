//! The first bytes of the inputs.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::input::{Blocks, Damaged, Input, Opened, StepBuffers};
use crate::options::ReadOptions;

/// How many bytes of an input are decoded to try what was found.
const SIZE: usize = 128 << 10;
/// How many inputs that are not empty are looked at, and how many are opened to find them.
const MOST: usize = 16;
const OPENED: usize = 256;

/// The first bytes of an input.
pub(super) struct Sample {
    pub(super) input: usize,
    pub(super) name: Arc<str>,
    pub(super) bytes: Bytes,
    /// True where the input has no more bytes.
    pub(super) is_whole: bool,
}

/// Takes samples of the inputs in their order.
pub(super) struct Samples<'a> {
    inputs: &'a [Input],
    /// The first input, which inference opened.
    first: Option<Opened>,
    max_expansion: u64,
    buffers: Arc<StepBuffers>,
    opened: usize,
    taken: usize,
    is_over: bool,
}

impl<'a> Samples<'a> {
    pub(super) fn new(inputs: &'a [Input], first: Option<Opened>, options: &ReadOptions) -> Self {
        let max_expansion = options.max_expansion;
        Self { inputs, first, max_expansion, buffers: Arc::default(), opened: 0, taken: 0, is_over: false }
    }

    /// The sample of the next input that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Sample>> {
        while !self.is_over && self.taken < MOST && self.opened < OPENED {
            // A part of an input may begin anywhere.
            let Some(input) = self.inputs.get(self.opened).filter(|input| input.span().is_none()) else {
                break;
            };
            let sample = self.take(input)?;
            self.opened += 1;
            if !sample.bytes.is_empty() {
                self.taken += 1;
                return Ok(Some(sample));
            }
        }
        Ok(None)
    }

    fn take(&mut self, input: &Input) -> Result<Sample> {
        let sample = |bytes: Bytes| {
            let is_whole = bytes.len() < SIZE;
            Sample { input: self.opened, name: input.name().clone(), bytes, is_whole }
        };
        let opened = match (input.take_back(), self.first.take()) {
            (Some((read, stream)), _) => Err((read, stream)),
            (None, Some(opened)) => Ok(opened),
            (None, None) => match input.open(self.max_expansion)? {
                Opened::Stream(stream) => Err((Vec::new(), stream)),
                opened => Ok(opened),
            },
        };
        Ok(match opened {
            // A stream may not open twice: the bytes that were read go back.
            Err((mut read, mut stream)) => {
                let result = read_up_to(&mut *stream, &mut read, SIZE);
                let sample = sample(Bytes::copy_from_slice(&read[..read.len().min(SIZE)]));
                input.put_back(read, stream);
                result.map_err(|error| input.error(error))?;
                // The program that writes to a stream may have to end before it writes to another.
                self.is_over = !sample.is_whole;
                sample
            }
            Ok(opened) => {
                let mut blocks = Blocks::new(opened, &self.buffers);
                let bytes = blocks.fill(SIZE).map_err(|error| input.error(error))?;
                sample(Bytes::copy_from_slice(&bytes[..bytes.len().min(SIZE)]))
            }
        })
    }
}

/// Reads on until `read` has `size` bytes or the stream ends, in time that the bytes decide and not
/// the pieces in which they come.
fn read_up_to(stream: &mut dyn Read, read: &mut Vec<u8>, size: usize) -> io::Result<()> {
    let left = size.saturating_sub(read.len()) as u64;
    match stream.take(left).read_to_end(read) {
        // The scan comes to the damage as well.
        Err(error) if Damaged::of(&error).is_some() => Ok(()),
        result => result.map(drop),
    }
}
