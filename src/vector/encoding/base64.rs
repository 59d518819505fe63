//! Text that is base64 of elements, as embedding servers send it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Elements, Encoded, Encoding};
use crate::vector::convert::Format;
use crate::vector::dtype::RawDtype;

/// Padding is optional, and bits behind the last byte are ignored.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// Words of fewer letters are often base64 as well.
const SHORTEST: usize = 16;

/// True for text of hexadecimal digits, all of which base64 has as well.
pub(crate) fn is_hex(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit) && text.iter().any(u8::is_ascii_digit)
}

/// The elements of the type `raw` in `text`; `None` where it is no base64.
pub(crate) fn read(text: &[u8], raw: RawDtype) -> Option<Encoded<'static>> {
    if text.len() < SHORTEST {
        return None;
    }
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
    let dim = bytes.len() / raw.size();
    Some(Encoded::vector(Encoding::Base64, Elements::Alike(Format::Packed(raw), bytes.into()), dim))
}
