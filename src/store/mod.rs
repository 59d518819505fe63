//! Object stores: what is behind `s3://`, `gs://`, `az://` and `http(s)://`. The only room that knows `object_store` and `tokio`.
//!
//! [`client`] has the runtime and the stores, [`connector`] their connections, [`object`] reads an object in ranges, [`upload`] writes
//! one, [`listing`] finds them, [`leftovers`] ends uploads of runs that died, [`notes`] keeps a log, [`failure`] says what went wrong. Without the feature `object-store` all of them are [`absent`], and a
//! URL is an error that says so.

mod notes;
mod url;

#[cfg(feature = "object-store")]
mod client;
#[cfg(feature = "object-store")]
mod connector;
#[cfg(feature = "object-store")]
mod failure;
#[cfg(feature = "object-store")]
mod leftovers;
#[cfg(feature = "object-store")]
mod listing;
#[cfg(feature = "object-store")]
mod object;
#[cfg(feature = "object-store")]
mod pieces;
#[cfg(feature = "object-store")]
mod upload;

#[cfg(not(feature = "object-store"))]
mod absent;

use std::io::{self, Read};

pub(crate) use self::notes::Notes;
pub(crate) use self::url::{Kind, Url};
use crate::cancel::Cancel;

/// The size of an object or a file, and what identifies its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) size: u64,
    /// The tag that a store gave it.
    pub(crate) tag: Option<String>,
    /// When it was modified, in nanoseconds since 1970. Not of an object with a tag: a copy keeps the tag, and some servers that know no
    /// time give the present.
    pub(crate) modified_ns: Option<i64>,
}

/// Waits for an object that is being opened. Dropped, it ends the request. Of a server without ranges it gives all bytes in order.
pub(crate) type Begun = Box<dyn FnOnce(Cancel) -> io::Result<Result<Object, Box<dyn Read + Send>>> + Send>;

/// How many bytes of an object are asked for to open it.
pub(crate) const FIRST: u64 = 4 << 20;

#[cfg(feature = "object-store")]
pub(crate) use self::{
    leftovers::end_uploads,
    listing::{get_all, list, remove_all, stats},
    object::{Object, begin},
    upload::{Upload, is_there, remove},
};

#[cfg(not(feature = "object-store"))]
pub(crate) use self::absent::{
    Absent as Object, Absent as Upload, begin, end_uploads, get_all, is_there, list, remove, remove_all,
    stats,
};
