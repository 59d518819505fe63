//! The first bytes of the inputs.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::GLANCE;
use crate::error::Result;
use crate::input::{Ahead, Blocks, Input, Opened, StepBuffers};
use crate::options::ReadOptions;

/// How many bytes of an input are decoded to try what was found.
const SIZE: usize = 128 << 10;
/// Bytes at the start of the inputs, which are read again by the scan.
pub(super) struct Peek<'a> {
    pub(super) inputs: &'a [Input],
    /// The first input, which need not be opened again.
    first: Option<Opened>,
    max_expansion: u64,
    buffers: Arc<StepBuffers>,
}

/// A stream that keeps what is read of it.
struct Kept(Arc<Mutex<Ahead>>);

impl Read for Kept {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (read, stream) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = out.len().min(GLANCE);
        let length = stream.read(&mut out[..most])?;
        read.extend_from_slice(&out[..length]);
        Ok(length)
    }
}

impl<'a> Peek<'a> {
    pub(super) fn new(inputs: &'a [Input], options: &ReadOptions) -> Self {
        Self { inputs, first: None, max_expansion: options.max_expansion, buffers: Arc::default() }
    }

    /// Looks at an input from its start. Whether it is a stream is told as well: it may not open twice, so the
    /// bytes that are read of it go back.
    pub(super) fn look<T>(
        &mut self,
        index: usize,
        look: impl FnOnce(Blocks, bool) -> io::Result<T>,
    ) -> Result<T> {
        let input = &self.inputs[index];
        let opened = match self.first.take_if(|_| index == 0) {
            Some(opened) => opened,
            None => input.open(self.max_expansion)?,
        };
        let result = match opened {
            Opened::Stream(stream) => {
                let ahead = Arc::new(Mutex::new((Vec::new(), stream)));
                let kept = Opened::Stream(Box::new(Kept(ahead.clone())));
                let result = look(Blocks::new(kept, &self.buffers), true);
                if let Some(ahead) = Arc::into_inner(ahead) {
                    let (read, stream) = ahead.into_inner().unwrap_or_else(PoisonError::into_inner);
                    input.put_back(read, stream);
                }
                result
            }
            opened => {
                self.first = self.first.take().or_else(|| opened.again().filter(|_| index == 0));
                look(Blocks::new(opened, &self.buffers), false)
            }
        };
        result.map_err(|error| input.error(error))
    }
}

/// The first bytes of an input.
pub(super) struct Sample {
    pub(super) input: usize,
    pub(super) name: Arc<str>,
    pub(super) bytes: Bytes,
    /// True where the input has no more bytes.
    pub(super) is_whole: bool,
    pub(super) is_stream: bool,
}

impl Sample {
    pub(super) fn take(peek: &mut Peek<'_>, input: usize) -> Result<Self> {
        let name = peek.inputs[input].name().clone();
        peek.look(input, |mut blocks, is_stream| {
            let bytes = blocks.fill(SIZE)?;
            let bytes = Bytes::copy_from_slice(&bytes[..bytes.len().min(SIZE)]);
            Ok(Self { input, name, is_whole: bytes.len() < SIZE, bytes, is_stream })
        })
    }
}
