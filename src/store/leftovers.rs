//! Uploads of runs that died: their parts are in no list of objects, and are paid for until the upload is ended.
//!
//! S3 and Google's stores list the uploads that are open. Azure forgets parts by itself, after a week.

use std::io;
use std::time::Duration;

use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};

use super::client::{Client, client, google, s3};
use super::connector::Connector;
use super::failure::{element, explain};
use super::url::{Kind, Url};
use crate::cancel::Cancel;

/// How long the request for a list is valid, and how long the whole work may take.
const VALID: Duration = Duration::from_secs(60);
/// The server of `gs://` URLs.
const GOOGLE: &str = "https://storage.googleapis.com";

/// Ends the uploads to objects directly below the directory at `url`. No run may write there now. A store that refuses is left
/// as it is: what stays costs money, and changes no result.
pub(crate) fn end_uploads(url: &Url, cancel: &Cancel) -> io::Result<()> {
    let (client, url) = (client()?, url.clone());
    client.wait(cancel, async move {
        // An error leaves the uploads open.
        let _ = tokio::time::timeout(VALID, end_all(client, &url)).await;
        Ok(())
    })
}

async fn end_all(client: &Client, url: &Url) -> io::Result<()> {
    loop {
        let Some((store, request)) = open_uploads(url).await? else { return Ok(()) };
        let list = answer(client, request).await?;
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

/// The request for the list of the open uploads below `url`, and the store that has them. `None` where there is no such list, or
/// requests are not signed.
async fn open_uploads(url: &Url) -> io::Result<Option<(Box<dyn MultipartStore>, HttpRequest)>> {
    let query = [("uploads", ""), ("prefix", url.key())];
    let failure = |error| explain(url, &error);
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    let (store, list): (Box<dyn MultipartStore>, _) = match url.kind {
        Kind::S3 => {
            let (store, true) = s3(url, Connector::default())? else { return Ok(None) };
            let query = SignedUrlOptions::default().with_query(query);
            let list = store.signed_url_opts(reqwest::Method::GET, &Path::ROOT, VALID, &query).await;
            (Box::new(store), list.map_err(failure)?)
        }
        Kind::Google => {
            let (store, true) = google(url, Connector::default())? else { return Ok(None) };
            let token = store.credentials().get_credential().await.map_err(failure)?;
            let bearer = format!("Bearer {}", token.bearer).parse().map_err(io::Error::other)?;
            request.headers_mut().insert("authorization", bearer);
            let server = std::env::var("GOOGLE_BASE_URL").unwrap_or_else(|_| GOOGLE.to_owned());
            let bucket = url.base().rsplit('/').next().unwrap_or_default();
            let list = reqwest::Url::parse_with_params(&format!("{server}/{bucket}"), query);
            (Box::new(store), list.map_err(io::Error::other)?)
        }
        Kind::Azure | Kind::Http => return Ok(None),
    };
    *request.uri_mut() = list.as_str().parse().map_err(io::Error::other)?;
    Ok(Some((store, request)))
}

async fn answer(client: &Client, request: HttpRequest) -> io::Result<String> {
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
