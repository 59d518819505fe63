//! What the store's errors become: errors of the system's kinds, with a text for a person.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use object_store::Error;

use super::connector::{HTTP, TRUST};
use super::url::{Kind, Url};

/// What the error of a request begins with, and what stands before the status of its answer.
const REQUEST: &str = "Error performing ";
const STATUS: &str = "status code: ";

/// What `error` of a request for `url` becomes. The URL itself is for the caller to name.
pub(super) fn explain(url: &Url, error: &Error) -> io::Error {
    let kind = match error {
        Error::NotFound { .. } => ErrorKind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
        Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        Error::InvalidPath { .. } => ErrorKind::InvalidInput,
        Error::NotSupported { .. } | Error::NotImplemented { .. } => ErrorKind::Unsupported,
        // Of a list only the text tells.
        _ => match deepest(error).split_once(STATUS).and_then(|(_, status)| status.get(..3)) {
            Some("404") => ErrorKind::NotFound,
            Some("401" | "403") => ErrorKind::PermissionDenied,
            _ => ErrorKind::Other,
        },
    };
    let text = deepest(error);
    let text = text.strip_prefix(REQUEST).map_or_else(|| text.clone(), request_text);
    io::Error::new(kind, without_query(url, text))
}

/// A client that cannot be made.
pub(super) fn not_usable(error: &Error) -> io::Error {
    let text = match deepest(error) {
        text if text.contains("No CA certificates") => format!("there are no CAs to trust: {TRUST}"),
        text => text,
    };
    io::Error::new(ErrorKind::InvalidInput, text)
}

/// True where a server knows no such part of the object: it has no bytes there, as one that is empty.
pub(super) fn is_unsatisfiable(error: &Error) -> bool {
    deepest(error).contains("status code: 416")
}

/// True where the object is no longer the one that was asked for.
pub(super) fn is_changed(error: &Error) -> bool {
    matches!(error, Error::Precondition { .. }) || deepest(error).contains("status code: 412")
}

/// The text of the error that tells about the request, or of the last cause where there is none.
fn deepest(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        if text
            .strip_prefix(REQUEST)
            .is_some_and(|rest| rest.starts_with(|method: char| method.is_uppercase()))
        {
            break;
        }
        cause = error.source();
    }
    text
}

/// From `GET http://... in 42ms, after 10 retries, max_retries: 10, retry_timeout: 180s  - what happened` the parts that help.
fn request_text(text: &str) -> String {
    let (request, happened) = text.split_once(" - ").unwrap_or((text, ""));
    let method = request.split(' ').next().unwrap_or_default();
    let retries = request
        .split_once(", after ")
        .and_then(|(_, rest)| rest.split_once(" retries"))
        .map_or_else(String::new, |(count, _)| format!(", tried {count} times more"));
    let answer = match happened.split_once(STATUS) {
        Some((_, answer)) => answer_text(answer),
        None => happened.strip_prefix(HTTP).unwrap_or(happened).to_owned(),
    };
    format!("{answer} ({method}{retries})")
}

/// From `404 Not Found: <Error><Code>NoSuchKey</Code>...` the status, and what the server says about it.
fn answer_text(answer: &str) -> String {
    let (status, body) = answer.split_once(": ").unwrap_or((answer.trim_end_matches(':'), ""));
    let said: Vec<&str> = ["Code", "Message"].iter().filter_map(|name| element(body, name)).collect();
    if said.is_empty() { status.to_owned() } else { format!("{status}, {}", said.join(": ")) }
}

/// The text of an element of an XML document that is an error.
pub(super) fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text).filter(|text| !text.is_empty() && text.len() < 500)
}

/// A query may hold a signature, which messages must not.
fn without_query(url: &Url, text: String) -> String {
    match url.text.split_once('?') {
        Some((_, query)) if url.kind == Kind::Http && !query.is_empty() => text.replace(query, "..."),
        _ => text,
    }
}
