//! Slots: how far a lane runs ahead, and what a panic in it becomes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::decode::Decoder;
use crate::input::Blocks;
use crate::options::ReadOptions;
use crate::reader::lane::{End, Mode};

/// A lane of so many batches of one row.
fn slot(batches: usize) -> Arc<Slot> {
    let bytes = [0xc4, 4, 1, 2, 3, 4].repeat(batches);
    let length = bytes.len() as u64;
    let decoder = Decoder::new(1, &ReadOptions::new().with_batch_rows(1)).unwrap();
    let cancelled = Arc::new(AtomicBool::new(false));
    let blocks = Blocks::of_bytes(bytes.into(), 0, length);
    Slot::new(Lane::new(blocks, decoder, Mode::Walk(u32::MAX), cancelled.clone()), cancelled, false)
}

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap()
}

/// Returns when the only thread of `pool` has done what it was given.
fn settle(pool: &rayon::ThreadPool) {
    let (tell, told) = std::sync::mpsc::channel();
    pool.spawn_fifo(move || tell.send(()).unwrap());
    told.recv().unwrap();
    pool.install(|| ());
}

#[test]
fn a_lane_runs_no_more_than_so_many_batches_ahead() {
    let (slot, pool) = (slot(10), pool());
    for _ in 0..3 {
        slot.start(&pool);
        settle(&pool);
        assert_eq!(lock(&slot.state).ready.len(), DEPTH);
    }
    assert!(slot.next(Some(&pool)).unwrap().unwrap().end.is_none());
    settle(&pool);
    assert_eq!(lock(&slot.state).ready.len(), DEPTH, "it did not go on");
}

#[test]
fn the_caller_decodes_what_nobody_has_begun() {
    let slot = slot(3);
    for _ in 0..3 {
        let step = slot.next(None).unwrap().unwrap();
        assert_eq!((step.decoded.unwrap().batch.num_rows(), step.end), (1, None));
    }
    assert_eq!(slot.next(None).unwrap().unwrap().end, Some(End::Input));
}

#[test]
fn a_lane_for_the_caller_alone_is_not_given_to_threads() {
    let mut slot = slot(3);
    Arc::get_mut(&mut slot).unwrap().inline = true;
    let pool = pool();
    slot.start(&pool);
    settle(&pool);
    assert!(lock(&slot.state).ready.is_empty());
}

#[test]
fn a_lane_that_another_thread_is_at_is_waited_for_only_a_little() {
    let slot = slot(1);
    let lane = lock(&slot.state).lane.take(); // as a thread does that begins a step
    assert!(slot.next(None).is_none());
    let begin = std::time::Instant::now();
    slot.wait();
    assert!(begin.elapsed() < 20 * PATIENCE);
    lock(&slot.state).lane = lane;
    assert!(slot.next(None).is_some());
}

#[test]
fn who_waits_is_woken_by_the_step_and_does_not_wait_for_one_that_is_there() {
    let slot = slot(1);
    let waiting = slot.clone();
    let waits = std::thread::spawn(move || {
        while lock(&waiting.state).ready.is_empty() {
            waiting.wait();
        }
    });
    slot.run_once();
    waits.join().unwrap();
    let begin = std::time::Instant::now();
    (0..20).for_each(|_| slot.wait());
    assert!(begin.elapsed() < 10 * PATIENCE, "it waited");
}

#[test]
fn a_caller_helps_with_what_is_neither_begun_nor_far_enough_ahead() {
    let slot = slot(10);
    for done in 1..=DEPTH {
        assert!(slot.help());
        assert_eq!(lock(&slot.state).ready.len(), done);
    }
    assert!(!slot.help(), "too far ahead");
    slot.next(None).unwrap().unwrap();
    let lane = lock(&slot.state).lane.take();
    assert!(!slot.help(), "another thread is at it");
    lock(&slot.state).lane = lane;
    let mut inline = self::slot(10);
    Arc::get_mut(&mut inline).unwrap().inline = true;
    assert!(!inline.help(), "a stream that is not due would be waited for");
}

#[test]
fn a_cancelled_lane_stops() {
    let slot = slot(10);
    slot.cancel();
    let error = slot.next(None).unwrap().map(|_| ()).unwrap_err();
    assert!(matches!(error.kind(), crate::ErrorKind::Interrupted));
    assert!(lock(&slot.state).lane.is_none());
}
