//! URLs: how they are told from paths, and taken apart.

#![cfg_attr(not(feature = "object-store"), allow(dead_code))]

use std::sync::Arc;

use crate::error::{Error, Result};

/// What speaks behind a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    S3,
    Google,
    Azure,
    /// A plain HTTP server: objects can be read, and not listed or written.
    Http,
}

/// The schemes that are read and written. `file://` is a path, and other schemes are refused.
const SCHEMES: [(&str, Kind); 10] = [
    ("s3", Kind::S3),
    ("s3a", Kind::S3),
    ("gs", Kind::Google),
    ("az", Kind::Azure),
    ("azure", Kind::Azure),
    ("abfs", Kind::Azure),
    ("abfss", Kind::Azure),
    ("adl", Kind::Azure),
    ("http", Kind::Http),
    ("https", Kind::Http),
];

/// An object, or what the keys of several begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// All of it.
    pub(crate) text: Arc<str>,
    /// What messages call it: without a query, which may hold a signature, and without a password.
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    /// What stands before the key, without a slash at its end.
    base: Arc<str>,
    /// The object's name in its bucket.
    key: Arc<str>,
}

impl Url {
    /// `None` where `text` is a path.
    pub(crate) fn parse(text: &str) -> Option<Result<Self>> {
        let (scheme, rest) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
        if !is_scheme {
            return None;
        }
        if scheme.eq_ignore_ascii_case("file") {
            let is_here = rest.starts_with('/') || rest.starts_with("localhost/");
            let message = format!("{text}: a path of another host: file:/// begins one of this host");
            return (!is_here).then(|| Err(Error::option(message)));
        }
        match SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme)) {
            Some((_, kind)) => Some(Self::take_apart(text, *kind, rest)),
            None => Some(Err(Error::option(format!(
                "{text}: {scheme}:// is not supported; use s3://, gs://, az://, https:// or file://"
            )))),
        }
    }

    fn take_apart(text: &str, kind: Kind, rest: &str) -> Result<Self> {
        let scheme = &text[..text.len() - rest.len()];
        // In the key of an object store these are characters like any other.
        let path = if kind == Kind::Http { rest.split(['?', '#']).next().unwrap_or(rest) } else { rest };
        let (host, key) = path.split_once('/').unwrap_or((path, ""));
        let name = match host.rfind('@') {
            Some(at) if kind == Kind::Http => format!("{scheme}{}", &path[at + 1..]),
            _ => format!("{scheme}{path}"),
        };
        if host.is_empty() {
            let what = if kind == Kind::Http { "host" } else { "bucket" };
            return Err(Error::option(format!("{name}: the URL names no {what}")));
        }
        let base = format!("{scheme}{host}").into();
        Ok(Self { text: text.into(), name: name.into(), kind, base, key: key.into() })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Another object of the same bucket.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        let text: Arc<str> = format!("{}/{key}", self.base).into();
        Self { name: text.clone(), text, key: key.into(), ..self.clone() }
    }

    /// True where it stands for the objects whose keys begin so, as a directory does for its files.
    pub(crate) fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
