//! Which objects there are, in which version, and their bytes where they are small.

use std::io::{self, ErrorKind};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::Stat;
use super::client::{Target, client};
use super::failure::explain;
use super::url::{Kind, Url};
use crate::cancel::Cancel;

/// How many objects are asked for at once: a run that resumes may have 100,000 of them to look at.
const AT_ONCE: usize = 64;
/// How many objects are removed by one stream of requests, and how many such streams there are. Where a store has no request for
/// many of them, a stream has ten requests under way.
const REMOVED_TOGETHER: usize = 1000;
const REMOVALS: usize = 8;

/// The objects whose keys begin with the directory that `url` names, sorted by key.
pub(crate) fn list(url: &Url, cancel: &Cancel) -> io::Result<Vec<(Url, Stat)>> {
    if url.kind == Kind::Http {
        let text = "an HTTP server does not tell which files it has: name each of them";
        return Err(io::Error::new(ErrorKind::Unsupported, text));
    }
    let client = client()?;
    let prefix = url.clone();
    let mut objects = client.wait(cancel, async move {
        let Target { store, path, .. } = client.find(&prefix).await?;
        let path = Some(path).filter(|path| *path != Path::ROOT);
        let listed: object_store::Result<Vec<ObjectMeta>> = store.list(path.as_ref()).try_collect().await;
        listed.map_err(|error| explain(&prefix, &error))
    })?;
    // What stands for an empty directory has no content.
    objects.retain(|object| object.size > 0 || object.location.extension().is_some());
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(objects.iter().map(|object| (url.with_key(object.location.as_ref()), Stat::of(object))).collect())
}

impl Stat {
    pub(super) fn of(object: &ObjectMeta) -> Self {
        let tag = object.e_tag.clone();
        let modified_ns = if tag.is_none() { object.last_modified.timestamp_nanos_opt() } else { None };
        Self { size: object.size, tag, modified_ns }
    }
}

/// The sizes and versions of objects; `None` where a server does not give them.
pub(crate) fn stats(urls: Vec<Url>, cancel: &Cancel) -> io::Result<Vec<io::Result<Option<Stat>>>> {
    let client = client()?;
    client.wait(cancel, async move {
        let heads = stream::iter(urls).map(|url| async move {
            let Target { store, path, .. } = client.find(&url).await?;
            match store.head(&path).await {
                Ok(head) => Ok(Some(Stat::of(&head))),
                // A signed URL is one for reading, and some servers tell no length.
                Err(_) if url.kind == Kind::Http => Ok(None),
                Err(error) => Err(explain(&url, &error)),
            }
        });
        Ok(heads.buffered(AT_ONCE).collect().await)
    })
}

/// The bytes of small objects, in the order of `urls`.
pub(crate) fn get_all(urls: Vec<Url>, cancel: &Cancel) -> io::Result<Vec<Bytes>> {
    let client = client()?;
    client.wait(cancel, async move {
        let bodies = stream::iter(urls).map(|url| async move {
            let Target { store, path, .. } = client.find(&url).await?;
            let body = async { store.get(&path).await?.bytes().await };
            body.await.map_err(|error| explain(&url, &error))
        });
        bodies.buffered(AT_ONCE).try_collect().await
    })
}

/// Removes objects of one bucket, many with a request where the store has one for that.
pub(crate) fn remove_all(urls: Vec<Url>, cancel: &Cancel) -> io::Result<()> {
    let Some(first) = urls.first().cloned() else { return Ok(()) };
    let client = client()?;
    client.wait(cancel, async move {
        let Target { store, .. } = client.find(&first).await?;
        let parse = |url: &Url| Path::parse(url.key()).map_err(object_store::Error::from);
        let paths: Vec<object_store::Result<Path>> = urls.iter().map(parse).collect();
        let streams = stream::iter(paths).chunks(REMOVED_TOGETHER);
        let mut removed =
            streams.map(|paths| store.delete_stream(stream::iter(paths).boxed())).flatten_unordered(REMOVALS);
        while let Some(removed) = removed.next().await {
            match removed {
                // It is gone, which is what was asked for.
                Err(object_store::Error::NotFound { .. }) | Ok(_) => {}
                Err(error) => return Err(explain(&first, &error)),
            }
        }
        Ok(())
    })
}
