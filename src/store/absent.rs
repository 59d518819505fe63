//! What stands in for object stores where they were left out.

use std::io::{self, Write};

use bytes::Bytes;

use super::url::Url;
use super::{Begun, Stat};
use crate::cancel::Cancel;

fn absent() -> io::Error {
    let text = "this build of vecpack knows no URLs: build it with the feature `object-store`";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// There is none.
#[derive(Debug)]
pub(crate) enum Absent {}

impl Absent {
    pub(crate) fn begin(_: &Url, _: bool, _: Cancel) -> io::Result<Self> {
        Err(absent())
    }

    pub(crate) fn finish(self) -> io::Result<u64> {
        match self {}
    }

    pub(crate) fn size(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn want_all(&self, _: u64) {
        match *self {}
    }

    pub(crate) fn close(&self) {
        match *self {}
    }

    pub(crate) fn end(&self) -> u64 {
        match *self {}
    }

    pub(crate) fn read_exact_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        match *self {}
    }
}

impl Write for Absent {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

/// Functions that fail.
macro_rules! absent {
    ($($name:ident($($given:ty),*) -> $result:ty;)*) => {
        $(pub(crate) fn $name($(_: $given),*) -> io::Result<$result> {
            Err(absent())
        })*
    };
}

absent! {
    begin(&Url, u64, Option<u64>) -> Begun;
    list(&Url, &Cancel) -> Vec<(Url, Stat)>;
    stats(Vec<Url>, &Cancel) -> Vec<io::Result<Option<Stat>>>;
    is_there(&Url, &Cancel) -> bool;
    remove(&Url, &Cancel) -> ();
    get_all(Vec<Url>, &Cancel) -> Vec<Bytes>;
    remove_all(Vec<Url>, &Cancel) -> ();
    end_uploads(&Url, &Cancel) -> ();
}
