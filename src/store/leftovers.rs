//! Uploads of runs that died: their parts are in no list of objects, and are paid for until the upload is ended.
//!
//! S3 lists the uploads that are open. Google's stores keep no such list for the JSON API, and Azure forgets parts by itself.

use std::io;
use std::time::Duration;

use object_store::aws::AmazonS3;
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};

use super::client::{Client, client, connect_s3};
use super::failure::{element, explain};
use super::url::{Kind, Url};
use crate::cancel::Cancel;

/// How long the request for a list is valid, and how long the whole work may take.
const VALID: Duration = Duration::from_secs(60);

/// Ends the uploads to objects directly below the directory at `url`. No run may write there now. A store that refuses is left
/// as it is: what stays costs money, and changes no result.
pub(crate) fn end_uploads(url: &Url, cancel: &Cancel) -> io::Result<()> {
    if url.kind() != Kind::S3 {
        return Ok(());
    }
    let (client, url) = (client()?, url.clone());
    client.wait(cancel, async move {
        // An error leaves the uploads open.
        let _ = tokio::time::timeout(VALID, end_all(client, &url)).await;
        Ok(())
    })
}

async fn end_all(client: &Client, url: &Url) -> io::Result<()> {
    let Some(store) = connect_s3(url).await? else { return Ok(()) };
    loop {
        let list = open_uploads(client, url, &store).await?;
        let mut ended = 0;
        for upload in list.split("<Upload>").skip(1) {
            let (Some(key), Some(id)) = (element(upload, "Key"), element(upload, "UploadId")) else {
                continue;
            };
            let key = unescaped(key);
            let name = key.strip_prefix(url.key()).unwrap_or_default();
            if name.is_empty() || name.contains('/') {
                continue;
            }
            let path = Path::parse(&key).map_err(|error| io::Error::other(error.to_string()))?;
            let aborted = store.abort_multipart(&path, &unescaped(id)).await;
            aborted.map_err(|error| explain(url, &error))?;
            ended += 1;
        }
        // The next list begins with those that were not in this one.
        if ended == 0 || !list.contains("<IsTruncated>true") {
            return Ok(());
        }
    }
}

/// The list of the open uploads below `url`, as S3 gives it.
async fn open_uploads(client: &Client, url: &Url, store: &AmazonS3) -> io::Result<String> {
    let query = SignedUrlOptions::default().with_query([("uploads", ""), ("prefix", url.key())]);
    let signed = store.signed_url_opts(reqwest::Method::GET, &Path::ROOT, VALID, &query).await;
    let signed = signed.map_err(|error| explain(url, &error))?;
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = signed.as_str().parse().map_err(io::Error::other)?;
    let answer = client.http()?.execute(request).await.map_err(io::Error::other)?;
    if !answer.status().is_success() {
        return Err(io::Error::other(answer.status().to_string()));
    }
    let body = answer.into_body().bytes().await.map_err(io::Error::other)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The text of an XML element.
fn unescaped(text: &str) -> String {
    let escapes =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&amp;", "&")];
    escapes.iter().fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}
