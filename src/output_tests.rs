#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::ErrorKind;

#[test]
fn what_can_no_longer_be_written_is_a_fault_and_no_reader_who_has_had_enough() {
    let is_fault = |error: Error| matches!(error.kind(), ErrorKind::Internal(_));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let mut complete = Sink::Remote(Arc::default());
    assert!(is_fault(error(&path, complete.write(b"a").unwrap_err())));
    let mut target = Target::create(&path, false, Cancel::never()).unwrap();
    *target.aside = None;
    assert!(is_fault(target.commit(false).unwrap_err()));
    let (sink, aside) = (Sink::Remote(Arc::default()), PerProcess::default());
    let target = Target { path, sink, aside, overwrite: false, cancel: Cancel::never() };
    assert!(is_fault(target.commit(false).unwrap_err()));
}
