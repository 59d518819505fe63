//! Turns: how many callers work at a time, in which order, and how waiting ends.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::ErrorKind;

#[test]
fn no_more_callers_work_at_a_time_than_may() {
    let turns = Arc::new(Turns::default());
    let (working, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let _turn = turns.clone().wait(2, &Cancel::never()).unwrap();
                most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                working.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(most.into_inner(), 2);
    let callers = lock(&turns.callers);
    assert_eq!((callers.came, callers.ended), (8, 8));
}

#[test]
fn a_caller_that_is_cancelled_leaves_its_place() {
    let turns = Arc::new(Turns::default());
    let first = turns.clone().wait(1, &Cancel::never()).unwrap();
    let cancelled = turns.clone().wait(1, &Cancel::when(|| true));
    assert!(matches!(cancelled.err().unwrap().kind(), ErrorKind::Interrupted));
    drop(first);
    let begin = Instant::now();
    let _third = turns.wait(1, &Cancel::never()).unwrap();
    assert!(begin.elapsed() < LONGEST_WAIT);
}

#[test]
fn a_caller_within_the_turn_of_another_goes_on() {
    let turns = Arc::new(Turns::default());
    let _outer = turns.clone().wait(1, &Cancel::never()).unwrap();
    let _inner = turns.wait(1, &Cancel::never()).unwrap();
}
