//! An object on its way into a store: it is there when it is complete, and not before.
//!
//! What is written goes up in parts, several at once, and a last request makes them one object. What fits into one part goes up
//! by itself.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt, PutMode};

use super::client::{Client, Request, Target, client};
use super::connector::Connector;
use super::failure::{explain, is_changed};
use super::url::{Kind, Url};
use crate::cancel::Cancel;

/// Bytes of a part. Stores ask for 5 MiB at the least and for 10,000 parts at the most.
const PART: usize = 8 << 20;
/// After so many parts the next ones are twice as large: some stores want them to be of one size, and no object that large.
const PARTS_OF_A_SIZE: usize = 2500;
/// How many parts are on their way at once.
const AT_ONCE: usize = 4;
/// How long to wait until a store has forgotten what is not to be.
const FORGETTING: Duration = Duration::from_secs(5);

/// An object on its way. Dropped without [`finish`](Self::finish), it leaves nothing behind.
pub(crate) struct Upload {
    client: &'static Client,
    target: Target,
    overwrite: bool,
    cancel: Cancel,
    /// What does not make a part yet.
    part: Vec<u8>,
    parts: usize,
    /// Begun with the first part.
    upload: Option<Box<dyn MultipartUpload>>,
    /// Parts on their way.
    under_way: VecDeque<Request<()>>,
    written: u64,
}

impl Upload {
    /// Begins to write what will be the object at `url`. Fails where there is one that must not be replaced.
    pub(crate) fn begin(url: &Url, overwrite: bool, cancel: Cancel) -> io::Result<Self> {
        check_kind(url)?;
        let client = client()?;
        if !overwrite && is_there(url, &cancel)? {
            return Err(exists());
        }
        let url = url.clone();
        let creates = !overwrite && matches!(url.kind, Kind::S3 | Kind::Azure);
        let connector = Connector { creates, ..Connector::default() };
        let target = client.wait(&cancel, async move { client.find_with(&url, connector).await })?;
        let (part, parts, upload, under_way, written) = Default::default();
        Ok(Self { client, target, overwrite, cancel, part, parts, upload, under_way, written })
    }

    /// Sends the part, when there is room for one on its way.
    fn send(&mut self) -> io::Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let target = self.target.clone();
                let begun = self.client.wait(&self.cancel, async move {
                    let begun = target.store.put_multipart(&target.path).await;
                    begun.map_err(|error| explain(&target.url, &error))
                })?;
                self.upload.insert(begun)
            }
        };
        let part = upload.put_part(Bytes::from(std::mem::take(&mut self.part)).into());
        let url = self.target.url.clone();
        let request = self.client.begin(async move { part.await.map_err(|error| explain(&url, &error)) })?;
        self.parts += 1;
        self.under_way.push_back(request);
        self.wait_for(AT_ONCE - 1)
    }

    /// Waits until no more than `most` parts are under way.
    fn wait_for(&mut self, most: usize) -> io::Result<()> {
        while self.under_way.len() > most
            && let Some(part) = self.under_way.front()
        {
            part.wait(&self.cancel)?;
            self.under_way.pop_front();
        }
        Ok(())
    }

    /// Makes the object appear, and gives its size in bytes.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        if self.upload.is_none() {
            self.put_at_once()?;
            return Ok(self.written);
        }
        if !self.part.is_empty() {
            self.send()?;
        }
        self.wait_for(0)?;
        // S3 and Azure check it again when they make the parts one object. Google's stores do not.
        if !self.overwrite && is_there(&self.target.url, &self.cancel)? {
            return Err(exists());
        }
        if let Some(mut upload) = self.upload.take() {
            let url = self.target.url.clone();
            self.client.wait(&self.cancel, async move {
                match upload.complete().await {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        drop(tokio::time::timeout(FORGETTING, upload.abort()).await);
                        let is_there = matches!(error, object_store::Error::AlreadyExists { .. });
                        if is_there || is_changed(&error) {
                            Err(exists())
                        } else {
                            Err(explain(&url, &error))
                        }
                    }
                }
            })?;
        }
        Ok(self.written)
    }

    /// Writes what is one part in one request.
    fn put_at_once(&mut self) -> io::Result<()> {
        let bytes = Bytes::from(std::mem::take(&mut self.part));
        let (target, overwrite) = (self.target.clone(), self.overwrite);
        self.client.wait(&self.cancel, async move {
            let put = async |mode: PutMode| {
                target.store.put_opts(&target.path, bytes.clone().into(), mode.into()).await
            };
            let mut result = put(if overwrite { PutMode::Overwrite } else { PutMode::Create }).await;
            if let Err(object_store::Error::NotImplemented { .. }) = result {
                // It was not there when the work began.
                result = put(PutMode::Overwrite).await;
            }
            match result {
                Ok(_) => Ok(()),
                Err(object_store::Error::AlreadyExists { .. }) => Err(exists()),
                Err(error) => Err(explain(&target.url, &error)),
            }
        })
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = PART << (self.parts / PARTS_OF_A_SIZE).min(8);
        if self.part.capacity() == 0 {
            self.part.reserve_exact(size);
        }
        let taken = bytes.len().min(size - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        self.written += taken as u64;
        if self.part.len() == size {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        if !self.client.owner.is_current() {
            // It is its parent's.
            std::mem::forget(upload);
            return;
        }
        // A part that came behind the end of it all would stay.
        self.under_way.clear();
        // That it fails is the smaller of two errors.
        drop(self.client.wait(&Cancel::never(), async move {
            let forgotten = tokio::time::timeout(FORGETTING, upload.abort()).await;
            forgotten.map(drop).map_err(io::Error::from)
        }));
    }
}

/// True if there is an object at `url`. Fails where none can be written.
pub(crate) fn is_there(url: &Url, cancel: &Cancel) -> io::Result<bool> {
    check_kind(url)?;
    let (client, url) = (client()?, url.clone());
    client.wait(cancel, async move {
        let Target { store, path, .. } = client.find(&url).await?;
        match store.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(explain(&url, &error)),
        }
    })
}

/// Removes the object at `url`.
pub(crate) fn remove(url: &Url, cancel: &Cancel) -> io::Result<()> {
    check_kind(url)?;
    let (client, url) = (client()?, url.clone());
    client.wait(cancel, async move {
        let Target { store, path, .. } = client.find(&url).await?;
        store.delete(&path).await.map_err(|error| explain(&url, &error))
    })
}

/// Refuses what cannot be written.
fn check_kind(url: &Url) -> io::Result<()> {
    if url.kind == Kind::Http {
        let text = "HTTP URLs can be read, and not written";
        return Err(io::Error::new(ErrorKind::Unsupported, text));
    }
    if url.is_prefix() { Err(ErrorKind::IsADirectory.into()) } else { Ok(()) }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("url", &self.target.url).finish_non_exhaustive()
    }
}

fn exists() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "exists already; option `overwrite` replaces it")
}
