//! Turns: how many callers work at a time, in which order, and how waiting ends.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::ErrorKind;

/// Long after a test has failed.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

#[test]
fn no_more_callers_work_at_a_time_than_may() {
    let turns = Arc::new(Turns::default());
    let (working, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let _turn = turns.clone().wait(2, later(), &Cancel::never()).unwrap();
                most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                working.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(most.into_inner(), 2);
    let callers = lock(&turns.callers);
    assert_eq!((callers.came, callers.here.len()), (8, 0));
}

#[test]
fn no_caller_begins_far_behind_one_that_has_not_ended() {
    let mut callers = Callers { came: 9, here: (0..9).collect() };
    let may_begin = |callers: &Callers| -> Vec<u64> {
        callers.here.iter().copied().filter(|&number| callers.may_begin(number, 2)).collect()
    };
    assert_eq!(may_begin(&callers), [0, 1]);
    callers.here.remove(&1);
    assert_eq!(may_begin(&callers), [0, 2]);
    callers.here.retain(|number| ![2, 3].contains(number));
    assert_eq!(may_begin(&callers), [0], "4 is far behind");
    callers.here.remove(&0);
    assert_eq!(may_begin(&callers), [4, 5]);
}

#[test]
fn a_caller_that_is_cancelled_leaves_its_place() {
    let turns = Arc::new(Turns::default());
    let first = turns.clone().wait(1, later(), &Cancel::never()).unwrap();
    let cancelled = turns.clone().wait(1, later(), &Cancel::when(|| true));
    assert!(matches!(cancelled.err().unwrap().kind(), ErrorKind::Interrupted));
    drop(first);
    let _third = turns.wait(1, later(), &Cancel::never()).unwrap();
}

#[test]
fn a_caller_within_the_turn_of_another_goes_on() {
    let turns = Arc::new(Turns::default());
    let _outer = turns.clone().wait(1, later(), &Cancel::never()).unwrap();
    let soon = Instant::now() + Duration::from_millis(10);
    let _inner = turns.wait(1, soon, &Cancel::never()).unwrap();
}

#[test]
fn a_caller_takes_its_turn_behind_one_that_waits() {
    let _working: Vec<_> = (0..cores()).map(|_| Turn::wait(&Cancel::never()).unwrap()).collect();
    let (waiting, is_waiting) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        // The check comes while the caller waits. It lets the caller go when the next one is done.
        let done = Arc::new(AtomicUsize::new(0));
        let is_done = done.clone();
        let first = Cancel::when(move || {
            let _ = waiting.send(());
            is_done.load(Ordering::SeqCst) == 1
        });
        let first = scope.spawn(move || Turn::wait(&first).is_err());
        is_waiting.recv().unwrap();
        let next = Turn::wait(&Cancel::when(|| true));
        done.store(1, Ordering::SeqCst);
        assert!(next.is_err(), "the next caller began at once");
        assert!(first.join().unwrap());
    });
}
