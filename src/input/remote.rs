//! An input at a URL.

use std::io;
use std::sync::{Arc, Mutex};

use super::{Input, OpenFile, Place, Span};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::pool::lock;
use crate::store::{Begun, FIRST, Object, Stat, Url, Whole, stats};

/// An object of a store.
pub(super) struct Remote {
    url: Url,
    size: Arc<Mutex<Size>>,
    /// Its version, as a list or an answer to `HEAD` had it.
    stat: Arc<Mutex<Option<Stat>>>,
    /// The request that was begun for the next [`open`](Self::open).
    begun: Mutex<Option<io::Result<Begun>>>,
}

/// The size of an object.
#[derive(Clone, Copy)]
enum Size {
    Unknown,
    /// The server does not give a size.
    Untold,
    Known(u64),
}

impl Remote {
    pub(super) fn new(url: Url, stat: Option<Stat>) -> Self {
        let size = stat.as_ref().map_or(Size::Unknown, |stat| Size::Known(stat.size));
        let (size, stat) = (Arc::new(Mutex::new(size)), Arc::new(Mutex::new(stat)));
        Self { url, size, stat, begun: Mutex::default() }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    fn known_size(&self) -> Size {
        *lock(&self.size)
    }

    fn learn(&self, size: Option<u64>) {
        *lock(&self.size) = size.map_or(Size::Untold, Size::Known);
    }

    fn learn_stat(&self, stat: Option<Stat>) {
        self.learn(stat.as_ref().map(|stat| stat.size));
        *lock(&self.stat) = stat;
    }

    /// The version of the object, if the server gives it.
    pub(super) fn stat(&self, cancel: &Cancel) -> io::Result<Option<Stat>> {
        let known = lock(&self.stat).clone();
        if known.is_some() || matches!(self.known_size(), Size::Untold) {
            return Ok(known);
        }
        let stat = stats(vec![self.url.clone()], cancel)?.pop().transpose()?.flatten();
        self.learn_stat(stat.clone());
        Ok(stat)
    }

    /// The size in bytes, if the server gives it.
    pub(super) fn size(&self, cancel: &Cancel) -> io::Result<Option<u64>> {
        if let Size::Unknown = self.known_size() {
            self.stat(cancel)?;
        }
        Ok(match self.known_size() {
            Size::Known(size) => Some(size),
            Size::Unknown | Size::Untold => None,
        })
    }

    /// Begins to open the object; the next [`open`](Self::open) of the returned value goes on from
    /// there. Also returns the most bytes that are fetched.
    pub(super) fn begin(&self, span: Option<Span>) -> (Self, u64) {
        let begun = self.try_begin(span);
        let length = match (span, self.known_size()) {
            (Some(span), _) => span.end - span.start,
            (None, Size::Known(size)) => size,
            (None, _) => FIRST,
        };
        let begun = Mutex::new(Some(begun));
        (
            Self { url: self.url.clone(), size: self.size.clone(), stat: self.stat.clone(), begun },
            length.min(FIRST),
        )
    }

    fn try_begin(&self, span: Option<Span>) -> io::Result<Begun> {
        Object::begin(&self.url, span.map_or(0, |span| span.start), span.map(|span| span.end))
    }

    /// The object, or all its bytes in order if the server has no ranges.
    pub(super) fn open(
        &self,
        span: Option<Span>,
        cancel: Cancel,
    ) -> io::Result<std::result::Result<OpenFile, Whole>> {
        let begun = lock(&self.begun).take();
        match begun.unwrap_or_else(|| self.try_begin(span))?.finish(cancel)? {
            Ok(object) => {
                self.learn(Some(object.size()));
                Ok(Ok(OpenFile::Remote(object)))
            }
            Err(whole) => Ok(Err(whole)),
        }
    }
}

/// Requests the sizes that are not known, many at once.
pub(crate) fn learn_sizes(inputs: &[Input]) -> Result<()> {
    let unknown: Vec<(&Input, &Remote)> = inputs
        .iter()
        .filter_map(|input| match &input.place {
            Place::Remote(remote) if input.span.is_none() => Some((input, &**remote)),
            _ => None,
        })
        .filter(|(_, remote)| matches!(remote.known_size(), Size::Unknown))
        .collect();
    let Some((first, _)) = unknown.first() else { return Ok(()) };
    let urls = unknown.iter().map(|(_, remote)| remote.url.clone()).collect();
    let found = stats(urls, &first.cancel).map_err(|error| first.error(error))?;
    for ((input, remote), stat) in unknown.iter().zip(found) {
        remote.learn_stat(stat.map_err(|error| input.error(error))?);
    }
    Ok(())
}
