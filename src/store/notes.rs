//! Lines of a log in a store, where nothing can be appended to an object: each line is an object of its own.
//!
//! The name of the object is the line, in base64, as far as keys may be that long, so that a list of names has all lines. A
//! line that is too long for a key is known by its hash, and the object has to be fetched.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;

use super::{Upload, Url, get_all, list, remove_all};
use crate::cancel::Cancel;

/// Stores allow 1,024 bytes for a key, and some of them 255 for what stands between two slashes.
const LONGEST_KEY: usize = 1000;
const LONGEST_PART: usize = 200;
const LONG: &str = "long-";

/// The lines below a URL.
#[derive(Debug)]
pub(crate) struct Notes {
    /// What the keys of the lines begin with.
    place: Url,
    extension: &'static str,
    cancel: Cancel,
}

impl Notes {
    /// The lines in the directory `place`, in objects with this extension.
    pub(crate) fn new(place: Url, extension: &'static str, cancel: &Cancel) -> Self {
        Self { place, extension, cancel: cancel.clone() }
    }

    /// Adds a line, in an object with this content.
    pub(crate) fn add(&self, line: &[u8], content: &[u8]) -> io::Result<()> {
        let mut name = String::new();
        for (at, letter) in BASE64_URL_SAFE_NO_PAD.encode(line).chars().enumerate() {
            if at > 0 && at % LONGEST_PART == 0 {
                name.push('/');
            }
            name.push(letter);
        }
        if self.place.key().len() + name.len() + self.extension.len() > LONGEST_KEY {
            let mut hasher = DefaultHasher::new();
            line.hash(&mut hasher);
            name = format!("{LONG}{:016x}", hasher.finish());
        }
        let url = self.place.with_key(&format!("{}{name}{}", self.place.key(), self.extension));
        let mut upload = Upload::begin(&url, true, self.cancel.clone())?;
        upload.write_all(content)?;
        upload.finish().map(drop)
    }

    /// The objects that hold lines.
    pub(crate) fn find(&self) -> io::Result<Vec<Url>> {
        Ok(list(&self.place, &self.cancel)?.into_iter().map(|(url, _)| url).collect())
    }

    /// The lines of these objects, and the content of those that are too long for a name.
    pub(crate) fn lines(&self, urls: &[Url]) -> io::Result<(Vec<Vec<u8>>, Vec<Bytes>)> {
        let (mut lines, mut long) = (Vec::with_capacity(urls.len()), Vec::new());
        for url in urls {
            match self.line_in(url) {
                Some(line) => lines.push(line),
                None => long.push(url.clone()),
            }
        }
        Ok((lines, get_all(long, &self.cancel)?))
    }

    /// The line that the name of an object is.
    fn line_in(&self, url: &Url) -> Option<Vec<u8>> {
        let name = url.key().strip_prefix(self.place.key())?.strip_suffix(self.extension)?;
        if name.starts_with(LONG) {
            return None;
        }
        BASE64_URL_SAFE_NO_PAD.decode(name.replace('/', "")).ok()
    }

    pub(crate) fn remove(&self, urls: Vec<Url>) -> io::Result<()> {
        remove_all(urls, &self.cancel)
    }

    /// The content of an object.
    pub(crate) fn get(&self, url: &Url) -> io::Result<Bytes> {
        Ok(get_all(vec![url.clone()], &self.cancel)?.pop().unwrap_or_default())
    }
}
