//! Jobs: how far one runs ahead, who works on it, and what an error in it ends.

#![allow(clippy::unwrap_used)]

use super::*;

/// A job with so many results, which are numbers from 0 on.
fn job(results: usize) -> Arc<Job<usize>> {
    job_of(results, false)
}

fn job_of(results: usize, inline: bool) -> Arc<Job<usize>> {
    let mut numbers = 0..results;
    Job::new(move || Ok((numbers.next().unwrap(), !numbers.is_empty())), inline)
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
fn a_job_runs_no_more_than_so_many_results_ahead() {
    let (job, pool) = (job(10), pool());
    for _ in 0..3 {
        job.start(&pool);
        settle(&pool);
        assert_eq!(lock(&job.state).ready.len(), DEPTH);
    }
    assert_eq!(job.next(Some(&pool)).unwrap().unwrap(), 0);
    settle(&pool);
    assert_eq!(lock(&job.state).ready.len(), DEPTH, "it did not go on");
}

#[test]
fn the_caller_does_what_nobody_has_begun() {
    let job = job(3);
    for number in 0..3 {
        assert_eq!(job.next(None).unwrap().unwrap(), number);
    }
    assert!(job.next(None).is_none());
}

#[test]
fn a_job_for_the_caller_alone_is_not_given_to_threads() {
    let job = job_of(3, true);
    let pool = pool();
    job.start(&pool);
    settle(&pool);
    assert!(lock(&job.state).ready.is_empty());
}

#[test]
fn a_job_that_another_thread_is_at_is_waited_for_only_a_little() {
    let job = job(1);
    let work = lock(&job.state).work.take(); // as a thread does that begins a step
    assert!(job.next(None).is_none());
    let begin = std::time::Instant::now();
    job.wait();
    assert!(begin.elapsed() < 20 * PATIENCE);
    lock(&job.state).work = work;
    assert!(job.next(None).is_some());
}

#[test]
fn who_waits_is_woken_by_the_result_and_does_not_wait_for_one_that_is_there() {
    let job = job(1);
    let waiting = job.clone();
    let waits = std::thread::spawn(move || {
        while lock(&waiting.state).ready.is_empty() {
            waiting.wait();
        }
    });
    job.run_once();
    waits.join().unwrap();
    let begin = std::time::Instant::now();
    (0..20).for_each(|_| job.wait());
    assert!(begin.elapsed() < 10 * PATIENCE, "it waited");
}

#[test]
fn a_caller_helps_with_what_is_neither_begun_nor_far_enough_ahead() {
    let job = job(10);
    for done in 1..=DEPTH {
        assert!(job.help());
        assert_eq!(lock(&job.state).ready.len(), done);
    }
    assert!(!job.help(), "too far ahead");
    job.next(None).unwrap().unwrap();
    let work = lock(&job.state).work.take();
    assert!(!job.help(), "another thread is at it");
    lock(&job.state).work = work;
    assert!(!job_of(10, true).help(), "a stream that is not due would be waited for");
}

#[test]
fn an_error_ends_a_job() {
    let job = Job::<()>::new(|| Err(crate::ErrorKind::Interrupted.into()), false);
    assert!(job.next(None).unwrap().is_err());
    assert!(job.next(None).is_none());
}
