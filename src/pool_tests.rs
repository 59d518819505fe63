//! Pools: shared by number of threads, and never waited for.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn scans_with_the_same_number_of_threads_share_a_pool() {
    // Another test may hold the lock for a moment, and then gets a pool of its own; nobody else asks for this many threads.
    let shared = (0..100).any(|_| Arc::ptr_eq(&with_threads(3).unwrap(), &with_threads(3).unwrap()));
    assert!(shared);
    assert_eq!(with_threads(3).unwrap().current_num_threads(), 3);
    assert_eq!(with_threads(1).unwrap().current_num_threads(), 1);
}

#[test]
fn a_list_of_pools_that_is_locked_for_ever_is_not_waited_for() {
    let _held = POOLS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (one, other) = (with_threads(2).unwrap(), with_threads(2).unwrap());
    assert!(!Arc::ptr_eq(&one, &other));
}

#[test]
fn a_forked_child_makes_a_pool_of_its_own() {
    let parents = with_threads(4).unwrap();
    let mut pools = POOLS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(pools) = pools.as_mut() {
        pools.pretend_other();
    }
    drop(pools);
    let own = with_threads(4).unwrap();
    assert!(!Arc::ptr_eq(&parents, &own));
    assert_eq!(own.install(|| 7), 7);
}
