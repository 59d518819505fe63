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

pub(crate) fn begin(_: &Url, _: u64, _: Option<u64>) -> io::Result<Begun> {
    Err(absent())
}

pub(crate) fn list(_: &Url, _: &Cancel) -> io::Result<Vec<(Url, Stat)>> {
    Err(absent())
}

pub(crate) fn stats(_: Vec<Url>, _: &Cancel) -> io::Result<Vec<io::Result<Option<Stat>>>> {
    Err(absent())
}

pub(crate) fn is_there(_: &Url, _: &Cancel) -> io::Result<bool> {
    Err(absent())
}

pub(crate) fn remove(_: &Url, _: &Cancel) -> io::Result<()> {
    Err(absent())
}

pub(crate) fn get_all(_: Vec<Url>, _: &Cancel) -> io::Result<Vec<Bytes>> {
    Err(absent())
}

pub(crate) fn remove_all(_: Vec<Url>, _: &Cancel) -> io::Result<()> {
    Err(absent())
}

pub(crate) fn end_uploads(_: &Url, _: &Cancel) -> io::Result<()> {
    Err(absent())
}
