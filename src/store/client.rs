//! The runtime and the connections that all URLs of a process share.
//!
//! Both are made when the first URL is used. A child that was forked makes new ones: it inherited the runtime without its threads,
//! and connections that are its parent's. They are never dropped, since to drop a runtime means to wait for its threads.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureAccessKey, AzureConfigKey, AzureCredential, MicrosoftAzureBuilder};
use object_store::client::{ClientConfigKey, HttpClient, HttpConnector};
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use super::connector::Connector;
use super::failure::{explain, not_usable};
use super::url::{Kind, Url};
use crate::cancel::Cancel;
use crate::pool::{OwnerProcess, PATIENCE, lock, lock_soon, receive};

/// How long the search for credentials may take: where there are none, the crate asks for the instance's own again and again.
const SEARCH: Duration = Duration::from_secs(10);
/// How long a server may be silent before a request is tried again.
const SILENCE: &str = "30s";
/// How long a request may take in all: what stalls ends before, and what is slow may go on.
const LONGEST: &str = "1h";
/// Connections for so many combinations of bucket and environment are kept.
const STORES: usize = 64;
/// Threads for encryption and for moving bytes.
const THREADS: usize = 2;

type Store = Arc<dyn ObjectStore>;

pub(super) struct Client {
    pub(super) owner: OwnerProcess,
    pub(super) runtime: Runtime,
    /// By bucket, environment, and whether uploads only create.
    stores: Mutex<HashMap<(String, u64, bool), Store>>,
    /// For plain HTTP, with the environment that it was made in.
    http: Mutex<Option<(u64, HttpClient)>>,
}

static CLIENT: Mutex<Option<&'static Client>> = Mutex::new(None);

/// The client of this process.
pub(super) fn client() -> io::Result<&'static Client> {
    // Held by another thread while it makes one, or, in a child that was forked in that moment, for ever.
    let locked = (0..40).find_map(|_| {
        lock_soon(&CLIENT).or_else(|| {
            thread::sleep(PATIENCE);
            None
        })
    });
    let Some(mut client) = locked else { return Client::leaked() };
    match client.filter(|client| client.owner.is_current()) {
        Some(client) => Ok(client),
        None => Ok(client.insert(Client::leaked()?)),
    }
}

impl Client {
    fn leaked() -> io::Result<&'static Self> {
        // Who embeds this library may have chosen already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(2 * THREADS)
            .thread_name("vecpack-store")
            .enable_all()
            .build()?;
        let (stores, http) = Default::default();
        Ok(Box::leak(Box::new(Self { owner: OwnerProcess::current(), runtime, stores, http })))
    }

    /// The connections of all plain HTTP URLs.
    pub(super) fn http(&self) -> io::Result<HttpClient> {
        let now = environment();
        let mut http = lock(&self.http);
        if let Some((environment, client)) = &*http
            && *environment == now
        {
            return Ok(client.clone());
        }
        let options = ClientOptions::new()
            .with_allow_http(true)
            .with_config(ClientConfigKey::Timeout, LONGEST)
            .with_config(ClientConfigKey::ReadTimeout, SILENCE);
        let client = Connector::default().connect(&options).map_err(|error| not_usable(&error))?;
        *http = Some((now, client.clone()));
        Ok(client)
    }

    /// Begins `work`.
    pub(super) fn begin<T: Send + 'static>(
        &'static self,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<Request<T>> {
        self.owner.check_io()?;
        let (sender, result) = sync_channel(1);
        let task = self.runtime.spawn(async move { drop(sender.send(work.await)) });
        Ok(Request { client: self, result, task: task.abort_handle() })
    }

    /// Waits for `work`, unless `cancel` ends it.
    pub(super) fn wait<T: Send + 'static>(
        &'static self,
        cancel: &Cancel,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.begin(work)?.wait(cancel)
    }

    /// The store that has `url`, and what it is called there.
    pub(super) async fn find(&self, url: &Url) -> io::Result<Target> {
        self.find_with(url, Connector::default()).await
    }

    /// The same, reached through this connector.
    pub(super) async fn find_with(&self, url: &Url, connector: Connector) -> io::Result<Target> {
        let target = |store, path| Target { url: url.clone(), store, path };
        if url.kind == Kind::Http {
            let connector = Connector { shared: Some(self.http()?), ..connector };
            let builder = HttpBuilder::new().with_url(without_fragment(url)).with_http_connector(connector);
            let store = builder.build().map_err(|error| not_usable(&error))?;
            return Ok(target(Arc::new(store), Path::ROOT));
        }
        let path = Path::parse(url.key())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        let key = (url.base().to_owned(), environment(), connector.creates);
        if let Some(store) = lock(&self.stores).get(&key) {
            return Ok(target(store.clone(), path));
        }
        let store = make(url, connector).await?;
        let mut stores = lock(&self.stores);
        if stores.len() >= STORES {
            stores.clear();
        }
        stores.insert(key, store.clone());
        Ok(target(store, path))
    }
}

/// What requests are about.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) store: Store,
    pub(super) path: Path,
}

/// Work whose result is waited for. It ends when this is dropped.
pub(super) struct Request<T> {
    client: &'static Client,
    result: Receiver<io::Result<T>>,
    task: AbortHandle,
}

impl<T> Request<T> {
    pub(super) fn wait(&self, cancel: &Cancel) -> io::Result<T> {
        receive(&self.result, &self.client.owner, cancel, "a request died")?
    }
}

impl<T> Drop for Request<T> {
    fn drop(&mut self) {
        if self.client.owner.is_current() {
            self.task.abort();
        }
    }
}

fn without_fragment(url: &Url) -> &str {
    url.text.split('#').next().unwrap_or_default()
}

/// What tells one environment from another: credentials and endpoints are part of it, and may change.
fn environment() -> u64 {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    // Whatever their order is.
    std::env::vars_os().fold(0u64, |sum, variable| sum.wrapping_add(hasher.hash_one(variable)))
}

/// Connects to the bucket of `url` the way its environment tells, and makes sure that there are credentials.
async fn make(url: &Url, connector: Connector) -> io::Result<Store> {
    Ok(match url.kind {
        Kind::S3 => {
            let (store, is_signed) = s3(url, connector)?;
            find_credentials(url, is_signed, store.credentials().get_credential()).await?;
            Arc::new(store)
        }
        Kind::Google => {
            let (store, is_signed) = google(url, connector)?;
            find_credentials(url, is_signed, store.credentials().get_credential()).await?;
            Arc::new(store)
        }
        Kind::Azure => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_url(url.base());
            let key = builder.get_config_value(&AzureConfigKey::AccessKey);
            let key = key.and_then(|key| AzureAccessKey::try_new(&key).ok());
            let key = key.map(|key| Arc::new(AzureCredential::AccessKey(key)));
            builder = builder.with_http_connector(Connector { key, ..connector });
            for (key, value) in timeouts("AZURE") {
                builder = builder.with_config(AzureConfigKey::Client(key), value);
            }
            let is_signed = !is_true(builder.get_config_value(&AzureConfigKey::SkipSignature));
            let store = builder.build().map_err(|error| unusable(url, &error))?;
            find_credentials(url, is_signed, store.credentials().get_credential()).await?;
            Arc::new(store)
        }
        Kind::Http => return Err(io::ErrorKind::Unsupported.into()),
    })
}

/// The store of an S3 URL, and whether its requests are signed.
pub(super) fn s3(url: &Url, connector: Connector) -> io::Result<(AmazonS3, bool)> {
    let mut builder = AmazonS3Builder::from_env().with_url(url.base()).with_http_connector(connector);
    for (key, value) in timeouts("AWS") {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    let is_signed = !is_true(builder.get_config_value(&AmazonS3ConfigKey::SkipSignature));
    Ok((builder.build().map_err(|error| unusable(url, &error))?, is_signed))
}

/// The store of a Google URL, and whether its requests are signed.
pub(super) fn google(url: &Url, connector: Connector) -> io::Result<(GoogleCloudStorage, bool)> {
    let builder = GoogleCloudStorageBuilder::from_env().with_url(url.base());
    let mut builder = builder.with_http_connector(connector);
    for (key, value) in timeouts("GOOGLE") {
        builder = builder.with_config(GoogleConfigKey::Client(key), value);
    }
    let is_signed = !is_true(builder.get_config_value(&GoogleConfigKey::SkipSignature));
    Ok((builder.build().map_err(|error| unusable(url, &error))?, is_signed))
}

/// Bounds of the time of requests, where the environment sets none.
fn timeouts(prefix: &str) -> impl Iterator<Item = (ClientConfigKey, &'static str)> {
    [("TIMEOUT", ClientConfigKey::Timeout, LONGEST), ("READ_TIMEOUT", ClientConfigKey::ReadTimeout, SILENCE)]
        .into_iter()
        .filter(move |(name, ..)| std::env::var_os(format!("{prefix}_{name}")).is_none())
        .map(|(_, key, value)| (key, value))
}

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| value == "true")
}

async fn find_credentials<T>(
    url: &Url,
    is_signed: bool,
    search: impl Future<Output = object_store::Result<T>>,
) -> io::Result<()> {
    if !is_signed {
        return Ok(());
    }
    let found = match tokio::time::timeout(SEARCH, search).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => explain(url, &error).to_string(),
        Err(_) => "nobody answered".to_owned(),
    };
    let text = format!("no credentials: {}. Instance metadata: {found}", variables(url.kind));
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// A store that cannot be set up.
fn unusable(url: &Url, error: &object_store::Error) -> io::Error {
    let text = format!("{} ({})", not_usable(error), variables(url.kind));
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Which variables of the environment hold credentials.
fn variables(kind: Kind) -> &'static str {
    match kind {
        Kind::S3 => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a public bucket"
        }
        Kind::Google => {
            "set GOOGLE_SERVICE_ACCOUNT to the file of a service account, or GOOGLE_SKIP_SIGNATURE=true for a public bucket"
        }
        Kind::Azure => {
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or \
             AZURE_SKIP_SIGNATURE=true for a public container"
        }
        Kind::Http => "",
    }
}
