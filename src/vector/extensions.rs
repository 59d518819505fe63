//! What the payloads of extension types are, as options say: a code belongs to whoever uses it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::dtype::RawDtype;
use crate::error::{Error, Result};

/// The payload of an extension type.
///
/// ```
/// # use vecpack::Payload;
/// let payload: Payload = "<f4".parse()?;
/// assert_eq!(payload.to_string(), "<f4");
/// assert_eq!("timestamp-fluentd".parse::<Payload>()?.to_string(), "timestamp-fluentd");
/// # Ok::<(), vecpack::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The elements of a vector.
    Elements(RawDtype),
    /// A MessagePack object that is a vector in one of the known encodings.
    MessagePack,
    /// A `.npy` file.
    Npy,
    /// A point in time.
    Time(TimeFormat),
}

/// How a payload stands for a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// MessagePack's own timestamps, in each of their three sizes.
    Timestamp,
    /// Fluentd's EventTime: seconds and nanoseconds of four bytes each.
    Fluentd,
    /// tinylib's time: seconds of eight bytes and nanoseconds of four.
    Tinylib,
    /// msgpack-lite's date: a number of milliseconds in MessagePack.
    MsgpackLite,
}

impl Payload {
    /// The names of all but elements.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::MessagePack, "msgpack"),
        (Self::Npy, "npy"),
        (Self::Time(TimeFormat::Timestamp), "timestamp"),
        (Self::Time(TimeFormat::Fluentd), "timestamp-fluentd"),
        (Self::Time(TimeFormat::Tinylib), "timestamp-tinylib"),
        (Self::Time(TimeFormat::MsgpackLite), "timestamp-msgpack-lite"),
    ];
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elements(raw) => raw.fmt(f),
            _ => {
                let named = Self::NAMES.into_iter().find(|(payload, _)| payload == self);
                f.write_str(named.map_or("", |(_, name)| name))
            }
        }
    }
}

impl FromStr for Payload {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((payload, _)) = Self::NAMES.into_iter().find(|(_, name)| *name == text) {
            return Ok(payload);
        }
        text.parse().map(Self::Elements).map_err(|_| {
            let names = Self::NAMES.map(|(_, name)| name).join(", ");
            Error::option(format!(
                "option `extensions`: the payload `{text}` is not known: use a type in NumPy's notation such as <f4, or {names}"
            ))
        })
    }
}

/// The payloads of extension types, by their codes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<i8, String>", into = "BTreeMap<i8, String>")]
pub struct Extensions(BTreeMap<i8, Payload>);

/// No extensions.
pub(crate) static NO_EXTENSIONS: Extensions = Extensions(BTreeMap::new());

impl Extensions {
    /// Sets the payload of an extension type.
    pub fn insert(&mut self, code: i8, payload: Payload) {
        self.0.insert(code, payload);
    }

    /// Refuses codes that belong to MessagePack itself.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.keys().find(|code| **code < 0) {
            Some(code) => Err(Error::option(format!(
                "option `extensions`: the code {code} is MessagePack's own: codes from 0 to 127 can be given"
            ))),
            None => Ok(()),
        }
    }

    /// The payload of the extension type `code`.
    pub fn get(&self, code: i8) -> Option<Payload> {
        self.0.get(&code).copied()
    }

    /// All of them, in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = (i8, Payload)> + '_ {
        self.0.iter().map(|(&code, &payload)| (code, payload))
    }
}

impl FromIterator<(i8, Payload)> for Extensions {
    fn from_iter<I: IntoIterator<Item = (i8, Payload)>>(extensions: I) -> Self {
        Self(extensions.into_iter().collect())
    }
}

impl TryFrom<BTreeMap<i8, String>> for Extensions {
    type Error = Error;

    fn try_from(texts: BTreeMap<i8, String>) -> Result<Self> {
        texts.into_iter().map(|(code, text)| Ok((code, text.parse()?))).collect()
    }
}

impl From<Extensions> for BTreeMap<i8, String> {
    fn from(extensions: Extensions) -> Self {
        extensions.iter().map(|(code, payload)| (code, payload.to_string())).collect()
    }
}
