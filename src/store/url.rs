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
    /// Where the key begins in `text`, and where it ends.
    key: (usize, usize),
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
            if is_here {
                return None;
            }
            let message = format!("{text}: a path of another host: file:/// begins one of this host");
            return Some(Err(Error::option(message)));
        }
        match SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme)) {
            Some((_, kind)) => Some(Self::take_apart(text, *kind, text.len() - rest.len())),
            None => Some(Err(Error::option(format!(
                "{text}: {scheme}:// is not supported; use s3://, gs://, az://, https:// or file://"
            )))),
        }
    }

    fn take_apart(text: &str, kind: Kind, host: usize) -> Result<Self> {
        let rest = &text[host..];
        // In the key of an object store these are characters like any other.
        let end = match kind {
            Kind::Http => host + rest.find(['?', '#']).unwrap_or(rest.len()),
            _ => text.len(),
        };
        let host_end = host + text[host..end].find('/').unwrap_or(end - host);
        let key = ((host_end + 1).min(end), end);
        let name = match (kind, text[host..host_end].rfind('@')) {
            (Kind::Http, Some(at)) => format!("{}{}", &text[..host], &text[host + at + 1..end]),
            _ => text[..end].to_owned(),
        };
        if host == host_end {
            let what = if kind == Kind::Http { "host" } else { "bucket" };
            return Err(Error::option(format!("{name}: the URL names no {what}")));
        }
        Ok(Self { text: text.into(), name: name.into(), kind, key })
    }

    /// The object's name in its bucket.
    pub(crate) fn key(&self) -> &str {
        &self.text[self.key.0..self.key.1]
    }

    /// What stands before the key, without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        self.text[..self.key.0].trim_end_matches('/')
    }

    /// Another object of the same bucket.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        let text = format!("{}/{key}", self.base());
        let start = text.len() - key.len();
        Self { name: text.as_str().into(), key: (start, text.len()), text: text.into(), kind: self.kind }
    }

    /// True where it stands for the objects whose keys begin so, as a directory does for its files.
    pub(crate) fn is_prefix(&self) -> bool {
        self.key().is_empty() || self.key().ends_with('/')
    }
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
