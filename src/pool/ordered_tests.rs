//! Ordered work: its order, who does it, and what a panic becomes.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use super::*;

#[test]
fn results_come_in_the_order_of_the_work() {
    for threads in [1, 2, 5] {
        let mut work = Ordered::new(threads).unwrap();
        let mut results = Vec::new();
        for number in 0..100 {
            results.extend(std::iter::from_fn(|| work.take_due()).map(Result::unwrap));
            assert!(!work.is_full());
            work.give(move || {
                std::thread::sleep(std::time::Duration::from_micros(number * 7919 % 300));
                Ok(number)
            })
            .unwrap();
        }
        results.extend(std::iter::from_fn(|| work.take()).map(Result::unwrap));
        assert_eq!(results, (0..100).collect::<Vec<_>>(), "{threads} threads");
        assert!(work.take().is_none());
    }
}

#[test]
fn whoever_waits_does_what_nobody_has_begun() {
    let mut work = Ordered::new(2).unwrap();
    let (begun, has_begun) = channel();
    let (go_on, may_go_on) = channel();
    work.give(move || {
        begun.send(()).unwrap();
        may_go_on.recv().unwrap();
        Ok(std::thread::current().id())
    })
    .unwrap();
    has_begun.recv().unwrap();
    // The only thread of the pool waits for this one.
    work.give(move || {
        go_on.send(()).unwrap();
        Ok(std::thread::current().id())
    })
    .unwrap();
    let (first, second) = (work.take().unwrap().unwrap(), work.take().unwrap().unwrap());
    assert_ne!(first, std::thread::current().id());
    assert_eq!(second, std::thread::current().id());
}

#[test]
fn a_result_that_is_there_is_given_at_once_and_nobody_waits_for_another() {
    let mut work = Ordered::new(2).unwrap();
    assert!(work.take_due().is_none());
    let (go_on, may_go_on) = channel();
    let (done, is_done) = channel();
    work.give(|| Ok(1)).unwrap();
    work.give(move || {
        done.send(()).unwrap();
        may_go_on.recv().unwrap();
        Ok(2)
    })
    .unwrap();
    // The pool has one thread: it has done the first when it begins the second.
    is_done.recv().unwrap();
    assert_eq!(work.take_due().unwrap().unwrap(), 1);
    assert!(work.take_due().is_none());
    go_on.send(()).unwrap();
    assert_eq!(work.take().unwrap().unwrap(), 2);
}

#[test]
fn a_panic_is_an_error_of_its_piece_alone() {
    let mut work = Ordered::new(1).unwrap();
    work.give(|| panic!("oh no")).unwrap();
    work.give(|| Ok(7)).unwrap();
    assert!(work.take().unwrap().unwrap_err().to_string().contains("oh no"));
    assert_eq!(work.take().unwrap().unwrap(), 7);
}

#[test]
fn work_that_nobody_has_begun_is_not_done_for_one_who_left() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    let mut work = Ordered::new(1).unwrap();
    work.give(|| Ok(DONE.fetch_add(1, Ordering::Relaxed))).unwrap();
    drop(work);
    assert_eq!(DONE.load(Ordering::Relaxed), 0);
}

#[test]
fn a_forked_child_neither_waits_for_work_nor_does_it() {
    let mut work = Ordered::new(3).unwrap();
    let (go_on, may_go_on) = channel::<()>();
    work.give(move || {
        let _ = may_go_on.recv();
        Ok(1)
    })
    .unwrap();
    work.queue.pretend_other();
    let is_refused = |error: Error| matches!(error.kind(), crate::ErrorKind::OtherProcess);
    assert!(is_refused(work.take().unwrap().unwrap_err()));
    assert!(is_refused(work.take_due().unwrap().unwrap_err()));
    assert!(is_refused(work.give(|| Ok(2)).unwrap_err()));
    drop(go_on);
}
