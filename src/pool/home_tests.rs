//! What a child does with work that it inherited. No test forks: work of another process is made by hand.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;

impl Home {
    /// Makes it work of another process.
    pub(crate) fn move_away(&self) {
        self.0.store(std::process::id() + 1, Ordering::Relaxed);
    }
}

impl<T: Default> Kept<T> {
    pub(crate) fn move_away(&self) {
        self.home.move_away();
    }
}

#[test]
fn work_belongs_to_the_process_that_begins_it() {
    let home = Home::default();
    assert!(home.is_here());
    assert!(home.enter() && home.enter());
    home.move_away();
    assert!(!home.is_here() && !home.enter());
    assert!(matches!(home.check().unwrap_err().kind(), ErrorKind::OtherProcess));
}

#[test]
fn what_a_child_inherits_is_not_dropped() {
    let value = Arc::new(());
    drop(Kept::new(Some(value.clone())));
    assert_eq!(Arc::strong_count(&value), 1);
    let inherited = Kept::new(Some(value.clone()));
    inherited.move_away();
    drop(inherited);
    assert_eq!(Arc::strong_count(&value), 2);
}
