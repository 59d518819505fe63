//! Which objects there are, and how large they are.

use std::io::{self, ErrorKind};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta};

use super::client::client;
use super::failure::explain;
use super::url::{Kind, Url};
use crate::cancel::Cancel;

/// How many sizes are asked for at once.
const AT_ONCE: usize = 16;

/// The objects whose keys begin with the directory that `url` names, with their sizes, sorted by key.
pub(crate) fn list(url: &Url, cancel: &Cancel) -> io::Result<Vec<(Url, u64)>> {
    if url.kind() == Kind::Http {
        let text = "an HTTP server does not tell which files it has: name each of them";
        return Err(io::Error::new(ErrorKind::Unsupported, text));
    }
    let client = client()?;
    let prefix = url.clone();
    let mut objects = client.wait(cancel, async move {
        let (store, path) = client.find(&prefix).await?;
        let path = Some(path).filter(|path| *path != Path::ROOT);
        let listed: object_store::Result<Vec<ObjectMeta>> = store.list(path.as_ref()).try_collect().await;
        listed.map_err(|error| explain(&prefix, &error))
    })?;
    // What stands for an empty directory has no content.
    objects.retain(|object| object.size > 0 || object.location.extension().is_some());
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(objects.into_iter().map(|object| (url.with_key(object.location.as_ref()), object.size)).collect())
}

/// The sizes of objects; `None` where a server does not tell.
pub(crate) fn sizes(urls: Vec<Url>, cancel: &Cancel) -> io::Result<Vec<Result<Option<u64>, io::Error>>> {
    let client = client()?;
    client.wait(cancel, async move {
        let heads = stream::iter(urls).map(|url| async move {
            let (store, path) = client.find(&url).await?;
            let options = GetOptions { head: true, ..GetOptions::default() };
            match store.get_opts(&path, options).await {
                Ok(head) => Ok(Some(head.meta.size)),
                // A signed URL is one for reading, and some servers tell no length.
                Err(_) if url.kind() == Kind::Http => Ok(None),
                Err(error) => Err(explain(&url, &error)),
            }
        });
        Ok(heads.buffered(AT_ONCE).collect().await)
    })
}
