//! Inherited work in a forked child. No test forks: the owner is changed by hand instead.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;

impl OwnerProcess {
    /// Changes the owner to another process.
    pub(crate) fn pretend_other(&self) {
        self.0.store(std::process::id() + 1, Ordering::Relaxed);
    }
}

impl<T: Default> PerProcess<T> {
    pub(crate) fn pretend_other(&self) {
        self.owner.pretend_other();
    }
}

#[test]
fn work_belongs_to_the_process_that_begins_it() {
    let owner = OwnerProcess::default();
    assert!(owner.is_current());
    assert!(owner.claim() && owner.claim());
    owner.pretend_other();
    assert!(!owner.is_current() && !owner.claim());
    assert!(matches!(owner.check().unwrap_err().kind(), ErrorKind::OtherProcess));
}

#[test]
fn what_a_child_inherits_is_not_dropped() {
    let value = Arc::new(());
    drop(PerProcess::new(Some(value.clone())));
    assert_eq!(Arc::strong_count(&value), 1);
    let inherited = PerProcess::new(Some(value.clone()));
    inherited.pretend_other();
    drop(inherited);
    assert_eq!(Arc::strong_count(&value), 2);
}
