#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_stream_without_its_thread_is_an_error_and_not_the_end() {
    let open = || -> io::Result<Box<dyn Read + Send>> { Ok(Box::new(&b"ab"[..])) };
    let mut feed = Feed::start(open, Cancel::new(|| Ok(()))).unwrap();
    let mut bytes = Vec::new();
    feed.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"ab");
    let mut feed = Feed::start(open, Cancel::new(|| Ok(()))).unwrap();
    *feed.pieces = None;
    assert!(feed.read(&mut [0; 2]).unwrap_err().to_string().contains("nobody delivers"));
}
