//! Connections whose requests tell why they failed, and do not try again what no later try can mend.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use object_store::ClientOptions;
use object_store::azure::{AzureAuthorizer, AzureCredential};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use rustls::{CertificateError, InvalidMessage};

/// What `HttpError` says before its cause.
pub(super) const HTTP: &str = "HTTP error: ";
/// What to do where a certificate is not trusted.
pub(super) const TRUST: &str = if cfg!(all(unix, not(target_vendor = "apple"))) {
    "SSL_CERT_FILE may name a file (PEM) of the CAs to trust, in place of the system's"
} else {
    "add its CA to those that the system trusts"
};

/// Makes the clients of all stores.
#[derive(Debug, Clone, Default)]
pub(super) struct Connector {
    /// The request that completes an upload in parts asks for a name that no object has.
    pub(super) creates: bool,
    /// The key that signs requests to Azure, where there is one.
    pub(super) key: Option<Arc<AzureCredential>>,
    /// The connections that all plain HTTP URLs share.
    pub(super) shared: Option<HttpClient>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        if let Some(shared) = &self.shared {
            return Ok(shared.clone());
        }
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Telling { client, connector: self.clone() }))
    }
}

/// A client whose errors tell their cause.
#[derive(Debug)]
pub(super) struct Telling {
    client: HttpClient,
    connector: Connector,
}

/// What S3 answers to a condition that it does not know.
const NOT_IMPLEMENTED: u16 = 501;

// What the trait's `async fn` is when it is written out.
impl HttpService for Telling {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async { self.send(request).await.map_err(|error| told(&error)) })
    }
}

impl Telling {
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let completes = match request.method().as_str() {
            "POST" => query.contains("uploadId="),
            "PUT" => query.contains("comp=blocklist"),
            _ => false,
        };
        if !(self.connector.creates && completes) {
            return self.client.execute(request).await;
        }
        let plain = request.clone();
        // A signature covers no headers but those that it names, except that of a key of Azure.
        if let Ok(any) = "*".parse() {
            request.headers_mut().insert("if-none-match", any);
        }
        let signature = plain.headers().get("authorization").and_then(|value| value.to_str().ok());
        if let Some((account, _)) =
            signature.and_then(|text| text.strip_prefix("SharedKey ")?.split_once(':'))
        {
            request.headers_mut().remove("authorization");
            let signed = self
                .connector
                .key
                .as_ref()
                .map(|key| AzureAuthorizer::new(key, account).try_authorize(&mut request).is_ok());
            if signed != Some(true) {
                return self.client.execute(plain).await;
            }
        }
        let answer = self.client.execute(request).await?;
        match answer.status().as_u16() {
            NOT_IMPLEMENTED => self.client.execute(plain).await,
            _ => Ok(answer),
        }
    }
}

/// The same error, in the words of its last cause. What TLS refuses is of no kind that is tried again.
fn told(error: &HttpError) -> HttpError {
    let mut last: &(dyn Error + 'static) = error;
    loop {
        if let Some(text) = last.downcast_ref().and_then(refused) {
            return HttpError::new(HttpErrorKind::Unknown, io::Error::other(text));
        }
        // The source of such an error is its inner error's, and not the inner error.
        let inner = last.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner.map(|inner| inner as _).or_else(|| last.source()) {
            Some(source) => last = source,
            None => return HttpError::new(error.kind(), io::Error::other(last.to_string())),
        }
    }
}

/// What is wrong with a server that is not to be trusted, now or later.
fn refused(error: &rustls::Error) -> Option<String> {
    Some(match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("the server's certificate is of a CA that is not trusted: {TRUST}")
        }
        rustls::Error::InvalidCertificate(reason) => {
            let reason = match reason {
                CertificateError::Other(other) => other.0.to_string(),
                reason => reason.to_string(),
            };
            let text = match reason.as_str() {
                "CaUsedAsEndEntity" => "it is that of a CA, and a server needs one that is not",
                text => text,
            };
            format!("the server's certificate is refused: {text}")
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not answer in TLS: is it one for http://?".to_owned()
        }
        _ => return None,
    })
}
