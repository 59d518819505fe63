#![allow(clippy::unwrap_used)]

use super::{Kind, Url};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap().unwrap()
}

#[test]
fn paths_are_no_urls() {
    for path in
        ["vectors.msgpack", "/data/a.msgpack", "C:\\data", "s3:/bucket", "file:///a", "a b://c", "://", ""]
    {
        assert!(Url::parse(path).is_none(), "{path}");
    }
}

#[test]
fn urls_are_taken_apart() {
    for (text, kind, base, key) in [
        ("s3://bucket/dir/a.msgpack", Kind::S3, "s3://bucket", "dir/a.msgpack"),
        ("S3A://bucket/a b?#[c]", Kind::S3, "S3A://bucket", "a b?#[c]"),
        ("gs://bucket", Kind::Google, "gs://bucket", ""),
        ("az://container/dir/", Kind::Azure, "az://container", "dir/"),
        (
            "abfss://c@account.dfs.core.windows.net/a",
            Kind::Azure,
            "abfss://c@account.dfs.core.windows.net",
            "a",
        ),
        ("http://[::1]:8000/a/b.msgpack", Kind::Http, "http://[::1]:8000", "a/b.msgpack"),
        ("https://host/a?b=/c#d", Kind::Http, "https://host", "a"),
        ("https://host?a/b", Kind::Http, "https://host", ""),
    ] {
        let url = url(text);
        assert_eq!((url.kind, url.base(), url.key(), &*url.text), (kind, base, key, text));
    }
}

#[test]
fn names_hold_no_secret() {
    assert_eq!(&*url("https://user:word@host/a?X-Amz-Signature=secret#part").name, "https://host/a");
    assert_eq!(&*url("s3://bucket/what?").name, "s3://bucket/what?");
}

#[test]
fn a_prefix_ends_in_a_slash() {
    for (text, is_prefix) in
        [("s3://bucket", true), ("s3://bucket/", true), ("s3://bucket/a/", true), ("s3://bucket/a", false)]
    {
        assert_eq!(url(text).is_prefix(), is_prefix, "{text}");
    }
    assert_eq!(url("s3://bucket").with_key("a/b"), url("s3://bucket/a/b"));
    assert_eq!(url("s3://bucket/c/").with_key("a"), url("s3://bucket/a"));
}

#[test]
fn a_url_without_a_bucket_is_refused() {
    for (text, message) in [
        ("s3://", "names no bucket"),
        ("http:///a", "names no host"),
        ("odd://b/c", "odd:// is not supported"),
    ] {
        let error = Url::parse(text).unwrap().unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}
