//! Object stores: what is behind `s3://`, `gs://`, `az://` and `http(s)://`. The only room that knows `object_store` and `tokio`.
//!
//! [`client`] has the runtime and the stores, [`connector`] their connections, [`object`] reads an object in ranges, [`upload`] writes
//! one, [`listing`] finds them, [`failure`] says what went wrong. Without the feature `object-store` all of them are [`absent`], and a
//! URL is an error that says so.

mod url;

#[cfg(feature = "object-store")]
mod client;
#[cfg(feature = "object-store")]
mod connector;
#[cfg(feature = "object-store")]
mod failure;
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

pub(crate) use self::url::{Kind, Url};

/// How many bytes of an object are asked for to open it.
pub(crate) const FIRST: u64 = 4 << 20;

#[cfg(feature = "object-store")]
pub(crate) use self::{
    listing::{list, sizes},
    object::{Begun, Object, Whole},
    upload::{Upload, is_there, remove},
};

#[cfg(not(feature = "object-store"))]
pub(crate) use self::absent::{Begun, Object, Upload, Whole, is_there, list, remove, sizes};
