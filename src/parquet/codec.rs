//! How the values of a page are arranged and compressed.

use zstd::zstd_safe::{self, CCtx, CParameter, ParamSwitch};

use super::options::Compression;
use crate::error::{Error, Result};

/// Compresses pages, one after another.
pub(super) struct Compressor {
    compression: Compression,
    /// Of zstd.
    context: Option<CCtx<'static>>,
    /// Of zstd for planes that do not repeat, which searches for nothing at all.
    pub(super) literal: Option<CCtx<'static>>,
}

/// For vectors as they lie; those that compress that way repeat, and want a search for matches.
const ZSTD_LEVEL: i32 = 3;
/// A level at which the search for matches soon gives up where there are none.
const FEW_MATCHES: i32 = -100;
/// The one at which it is not begun.
const NO_MATCHES: i32 = -131_072;
/// No block of zstd is longer.
pub(super) const LONGEST_BLOCK: usize = 128 << 10;
/// No block of zstd may be bounded to less.
const SHORTEST_BLOCK: usize = 1 << 10;

impl Compressor {
    /// For pages of values as they lie, or of planes of so many bytes. Planes become ordinary frames of zstd without a search for
    /// matches: floats have none, and their first bytes still take fewer bits.
    pub(super) fn new(compression: Compression, plane: Option<usize>) -> Result<Self> {
        let (mut context, mut literal) = (None, None);
        match (compression, plane) {
            (Compression::Zstd, None) => context = Some(self::context(ZSTD_LEVEL, &[])?),
            (Compression::Zstd, Some(plane)) => {
                // What is in a block is coded by one table, so a block should end where a plane does.
                let block = plane / plane.div_ceil(LONGEST_BLOCK).max(1);
                let block = block.clamp(SHORTEST_BLOCK, LONGEST_BLOCK) as u32;
                let literals = CParameter::LiteralCompressionMode(ParamSwitch::Enable);
                let parameters = [literals, CParameter::MaxBlockSize(block)];
                context = Some(self::context(FEW_MATCHES, &parameters)?);
                literal = Some(self::context(NO_MATCHES, &parameters)?);
            }
            _ => {}
        }
        Ok(Self { compression, context, literal })
    }

    /// The most bytes that a page of `size` bytes becomes.
    pub(super) fn most(&self, size: usize) -> usize {
        match self.compression {
            Compression::Auto | Compression::None => size,
            // There may be more blocks than the library counts with, each with a head of three bytes.
            Compression::Zstd => zstd_safe::compress_bound(size) + 3 * (size / SHORTEST_BLOCK + 1),
            Compression::Lz4 => lz4_flex::block::get_maximum_output_size(size),
            Compression::Snappy => snap::raw::max_compress_len(size),
        }
    }

    /// Compresses `page` into `out`, which has room for it; gives how many bytes it takes.
    pub(super) fn compress(&mut self, page: &[u8], out: &mut [u8]) -> Result<usize> {
        let failed = |error: &dyn std::fmt::Display| Error::internal(format!("compression failed: {error}"));
        match (self.compression, &mut self.context) {
            (_, Some(context)) => context.compress2(out, page).map_err(failure),
            (Compression::Lz4, _) => {
                lz4_flex::block::compress_into(page, out).map_err(|error| failed(&error))
            }
            (Compression::Snappy, _) => {
                snap::raw::Encoder::new().compress(page, out).map_err(|error| failed(&error))
            }
            _ => {
                out[..page.len()].copy_from_slice(page);
                Ok(page.len())
            }
        }
    }
}

pub(super) fn failure(code: usize) -> Error {
    Error::internal(format!("zstd: {}", zstd_safe::get_error_name(code)))
}

fn context(level: i32, parameters: &[CParameter]) -> Result<CCtx<'static>> {
    let mut context = CCtx::try_create().ok_or_else(|| Error::internal("zstd: no memory"))?;
    context.set_parameter(CParameter::CompressionLevel(level)).map_err(failure)?;
    for parameter in parameters {
        context.set_parameter(*parameter).map_err(failure)?;
    }
    Ok(context)
}

/// Puts the elements of `size` bytes each into `out` as planes: all first bytes, then all second bytes, and so on.
pub(super) fn split_streams(size: usize, values: &[u8], out: &mut [u8]) {
    let mut planes: Vec<&mut [u8]> = out.chunks_exact_mut((values.len() / size).max(1)).collect();
    split_into(size, values, &mut planes);
}

/// The same with every plane in a place of its own. There are as many as bytes in an element, or there are no elements.
pub(super) fn split_into(size: usize, values: &[u8], planes: &mut [&mut [u8]]) {
    match size {
        2 => split::<2>(values, planes, |element, shift| (u16::from_le_bytes(element) >> shift) as u8),
        4 => split::<4>(values, planes, |element, shift| (u32::from_le_bytes(element) >> shift) as u8),
        8 => split::<8>(values, planes, |element, shift| (u64::from_le_bytes(element) >> shift) as u8),
        _ => planes.iter_mut().take(1).for_each(|plane| plane.copy_from_slice(values)),
    }
}

/// Elements that are arranged together: they stay in registers while every plane takes its bytes from them.
const TOGETHER: usize = 16;

fn split<const SIZE: usize>(values: &[u8], planes: &mut [&mut [u8]], byte: impl Fn([u8; SIZE], u32) -> u8) {
    let (elements, _) = values.as_chunks::<SIZE>();
    let mut planes: [&mut [u8]; SIZE] =
        std::array::from_fn(|plane| planes.get_mut(plane).map(std::mem::take).unwrap_or_default());
    let (groups, rest) = elements.as_chunks::<TOGETHER>();
    for (group, at) in groups.iter().zip((0..).step_by(TOGETHER)) {
        for (plane, shift) in planes.iter_mut().zip((0..).step_by(8)) {
            plane[at..at + TOGETHER].copy_from_slice(&group.map(|element| byte(element, shift)));
        }
    }
    let at = elements.len() - rest.len();
    for (plane, shift) in planes.iter_mut().zip((0..).step_by(8)) {
        for (place, &element) in plane[at..].iter_mut().zip(rest) {
            *place = byte(element, shift);
        }
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
