//! An input at a URL.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use super::{Input, Place, Span};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::pool::lock;
use crate::store::{self, Begun, FIRST, Object, Stat, Url, stats};

/// An object of a store.
pub(super) struct Remote {
    pub(super) url: Url,
    known: Arc<Mutex<Known>>,
    /// The request that was begun for the next [`open`](Self::open).
    begun: Mutex<Option<io::Result<Begun>>>,
}

/// What is known of an object.
#[derive(Clone)]
enum Known {
    Nothing,
    /// The server gives no size.
    NoSize,
    /// The size, as the object was opened.
    Size(u64),
    /// The version, as a list or an answer to `HEAD` had it.
    Version(Stat),
}

impl Remote {
    pub(super) fn new(url: Url, stat: Option<Stat>) -> Self {
        let known = Arc::new(Mutex::new(stat.map_or(Known::Nothing, Known::Version)));
        Self { url, known, begun: Mutex::default() }
    }

    fn known(&self) -> Known {
        lock(&self.known).clone()
    }

    fn learn(&self, stat: Option<Stat>) {
        *lock(&self.known) = stat.map_or(Known::NoSize, Known::Version);
    }

    /// The version of the object, if the server gives it.
    pub(super) fn stat(&self, cancel: &Cancel) -> io::Result<Option<Stat>> {
        match self.known() {
            Known::Version(stat) => Ok(Some(stat)),
            Known::NoSize => Ok(None),
            Known::Nothing | Known::Size(_) => {
                let stat = stats(vec![self.url.clone()], cancel)?.pop().transpose()?.flatten();
                self.learn(stat.clone());
                Ok(stat)
            }
        }
    }

    /// The size in bytes, if the server gives it.
    pub(super) fn size(&self, cancel: &Cancel) -> io::Result<Option<u64>> {
        match self.known() {
            Known::Size(size) => Ok(Some(size)),
            _ => Ok(self.stat(cancel)?.map(|stat| stat.size)),
        }
    }

    /// Begins to open the object; the next [`open`](Self::open) of the returned value goes on from
    /// there. Also returns the most bytes that are fetched.
    pub(super) fn begin(&self, span: Option<Span>) -> (Self, u64) {
        let begun = Mutex::new(Some(self.try_begin(span)));
        let length = match (span, self.known()) {
            (Some(span), _) => span.end - span.start,
            (None, Known::Size(size) | Known::Version(Stat { size, .. })) => size,
            (None, _) => FIRST,
        };
        (Self { url: self.url.clone(), known: self.known.clone(), begun }, length.min(FIRST))
    }

    fn try_begin(&self, span: Option<Span>) -> io::Result<Begun> {
        store::begin(&self.url, span.map_or(0, |span| span.start), span.map(|span| span.end))
    }

    /// The object, or all its bytes in order if the server has no ranges.
    pub(super) fn open(
        &self,
        span: Option<Span>,
        cancel: Cancel,
    ) -> io::Result<std::result::Result<Object, Box<dyn Read + Send>>> {
        let begun = lock(&self.begun).take();
        let opened = begun.unwrap_or_else(|| self.try_begin(span))?(cancel)?;
        if let Ok(object) = &opened {
            let mut known = lock(&self.known);
            if !matches!(*known, Known::Version(_)) {
                *known = Known::Size(object.size());
            }
        }
        Ok(opened)
    }
}

/// Requests the sizes that are not known, many at once.
pub(crate) fn learn_sizes(inputs: &[Input]) -> Result<()> {
    let is_unknown = |remote: &Remote| matches!(*lock(&remote.known), Known::Nothing);
    let unknown = inputs.iter().filter_map(|input| match &input.place {
        Place::Remote(remote) if input.span.is_none() && is_unknown(remote) => Some((input, &**remote)),
        _ => None,
    });
    let unknown: Vec<(&Input, &Remote)> = unknown.collect();
    let Some((first, _)) = unknown.first() else { return Ok(()) };
    let urls = unknown.iter().map(|(_, remote)| remote.url.clone()).collect();
    let found = stats(urls, &first.cancel).map_err(|error| first.error(error))?;
    for ((input, remote), stat) in unknown.iter().zip(found) {
        remote.learn(stat.map_err(|error| input.error(error))?);
    }
    Ok(())
}
