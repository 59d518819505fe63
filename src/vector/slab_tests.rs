//! Slabs: alignment, contents, what lies behind them, and where their memory goes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::pool::lock;

/// The pool is one for the process: these tests take turns, and no other unit test takes slabs of a mapping's size.
static TURN: Mutex<()> = Mutex::new(());

fn is_mapped(slab: &Slab) -> bool {
    matches!(slab, Slab::Mapped(_))
}

fn idle_bytes() -> usize {
    lock(&POOL).idle.iter().map(|(_, mapping)| mapping.capacity).sum()
}

/// No thread tends the pool behind the back of a test.
fn empty_the_pool() {
    let mut pool = lock(&POOL);
    pool.tended_in = Some(std::process::id());
    pool.idle.clear();
}

fn take_idle(capacity: usize) -> Option<Mapping> {
    lock(&POOL).take(capacity)
}

#[test]
fn every_slab_is_aligned() {
    let _turn = lock(&TURN);
    for capacity in [0, 1, 63, 64, 65, 4095, SMALL - 1, SMALL, SMALL + 1, HUGE, HUGE + 1, 5 << 20] {
        let mut slab = Slab::with_capacity(capacity).unwrap();
        let huge = is_mapped(&slab);
        let address = slab.as_mut_slice().as_ptr() as usize;
        assert_eq!(address % 64, 0, "{capacity}");
        assert!(!huge || address.is_multiple_of(HUGE), "{capacity}");
        let buffer = slab.into_buffer(capacity);
        assert_eq!(buffer.as_ptr() as usize, address, "{capacity}: it moved");
    }
}

#[test]
fn small_slabs_are_on_the_heap_and_large_ones_are_mappings() {
    let _turn = lock(&TURN);
    assert!(!is_mapped(&Slab::with_capacity(SMALL / 2).unwrap()));
    assert!(is_mapped(&Slab::with_capacity(SMALL).unwrap()));
}

#[test]
fn a_slab_has_room_for_what_was_asked() {
    let _turn = lock(&TURN);
    for capacity in [0, 1, 100, SMALL - 1, SMALL, SMALL + 1, HUGE - 1, HUGE, HUGE + 1] {
        assert!(Slab::with_capacity(capacity).unwrap().as_mut_slice().len() >= capacity, "{capacity}");
    }
}

#[test]
fn contents_survive_into_the_buffer() {
    let _turn = lock(&TURN);
    for capacity in [1, 100, SMALL - 1, SMALL, 3 << 20] {
        for length in [0, 1, capacity / 3, capacity - 1, capacity] {
            let mut slab = Slab::with_capacity(capacity).unwrap();
            let byte = |at: usize| (at * 31 % 251) as u8;
            slab.as_mut_slice().iter_mut().enumerate().for_each(|(at, out)| *out = byte(at));
            let buffer = slab.into_buffer(length);
            assert_eq!(buffer.len(), length);
            assert!(
                buffer.iter().enumerate().all(|(at, &found)| found == byte(at)),
                "{length} of {capacity}"
            );
        }
    }
}

/// The bytes behind the first `length`, up to the next multiple of 64, before the buffer hides them.
fn padding(slab: &Slab, length: usize) -> Vec<u8> {
    let padded = length.next_multiple_of(64);
    match slab {
        Slab::Heap(buffer) => buffer.as_slice()[length..padded].to_vec(),
        Slab::Mapped(pooled) => {
            let mapping = pooled.mapping.as_ref().unwrap();
            mapping.map[mapping.start..][length..padded].to_vec()
        }
    }
}

#[test]
fn the_padding_is_zero_even_where_other_bytes_were_before() {
    let _turn = lock(&TURN);
    empty_the_pool();
    for (capacity, length) in [(HUGE, 100), (HUGE, HUGE - 1), (HUGE - 1, HUGE - 1), (HUGE - 60, HUGE - 60)] {
        let mut dirty = Slab::with_capacity(HUGE).unwrap();
        dirty.as_mut_slice().fill(0xee);
        let address = dirty.as_mut_slice().as_ptr();
        drop(dirty.into_buffer(HUGE));
        let mut slab = Slab::with_capacity(capacity).unwrap();
        assert_eq!(slab.as_mut_slice().as_ptr(), address, "this test needs recycled memory");
        // What a consumer of the buffer may read: up to the next multiple of 64 bytes.
        let buffer = slab.into_buffer(length);
        drop(buffer);
        let idle = take_idle(HUGE).unwrap();
        let behind = &idle.map[idle.start..][length..length.next_multiple_of(64)];
        assert!(behind.iter().all(|&byte| byte == 0), "{length} of {capacity}: {behind:02x?}");
    }
}

#[test]
fn a_small_slab_has_zeroed_padding_of_its_own() {
    for capacity in [1, 63, 64, 100, 4097] {
        let slab = Slab::with_capacity(capacity).unwrap();
        let Slab::Heap(buffer) = &slab else { unreachable!("small") };
        assert!(buffer.capacity() >= capacity.next_multiple_of(64), "{capacity}: no padding");
        assert!(padding(&slab, capacity).iter().all(|&byte| byte == 0), "{capacity}");
    }
}

#[test]
fn memory_that_another_thread_drops_comes_back() {
    let _turn = lock(&TURN);
    empty_the_pool();
    let buffer = Slab::with_capacity(5 << 20).unwrap().into_buffer(1000);
    let address = buffer.as_ptr() as usize;
    std::thread::spawn(move || drop(buffer)).join().unwrap();
    let mut again = Slab::with_capacity(5 << 20).unwrap();
    assert_eq!(again.as_mut_slice().as_ptr() as usize, address);
    let mut other = Slab::with_capacity(5 << 20).unwrap();
    assert_ne!(other.as_mut_slice().as_ptr() as usize, address, "in use twice");
}

#[test]
fn memory_is_in_use_until_the_last_clone_is_gone() {
    let _turn = lock(&TURN);
    empty_the_pool();
    let buffer = Slab::with_capacity(HUGE).unwrap().into_buffer(HUGE);
    let slice = buffer.slice(100);
    drop(buffer);
    assert_eq!(idle_bytes(), 0);
    drop(slice);
    assert_eq!(idle_bytes(), HUGE);
}

#[test]
fn recycled_memory_is_neither_too_small_nor_wasteful() {
    let _turn = lock(&TURN);
    empty_the_pool();
    drop(Slab::with_capacity(16 << 20).unwrap());
    assert!(take_idle((16 << 20) + 1).is_none(), "too small");
    assert!(take_idle(4 << 20).is_none(), "wasteful");
    assert!(take_idle(8 << 20).is_some());
}

#[test]
fn the_pool_is_bounded() {
    let _turn = lock(&TURN);
    empty_the_pool();
    let slabs: Vec<_> = (0..20).map(|_| Slab::with_capacity(8 << 20).unwrap()).collect();
    drop(slabs);
    assert_eq!(idle_bytes(), 20 * (8 << 20));
    let rest = MOST_IDLE - idle_bytes();
    drop([rest, HUGE].map(|capacity| Slab::with_capacity(capacity).unwrap()));
    assert_eq!(idle_bytes(), MOST_IDLE);
    empty_the_pool();
}

#[test]
fn memory_that_is_idle_goes_back_to_the_system() {
    let _turn = lock(&TURN);
    empty_the_pool();
    drop(Slab::with_capacity(HUGE).unwrap());
    let between = Instant::now();
    drop([8 * HUGE, 4 * HUGE].map(|capacity| Slab::with_capacity(capacity).unwrap()));
    assert_eq!(lock(&POOL).take_old(Some(between), MOST_IDLE).len(), 1);
    assert_eq!(idle_bytes(), 12 * HUGE);
    assert_eq!(lock(&POOL).take_old(None, 5 * HUGE).len(), 1, "the older one");
    assert_eq!(idle_bytes(), 4 * HUGE);
    empty_the_pool();
}

#[test]
fn a_pool_in_use_elsewhere_is_not_waited_for() {
    let _turn = lock(&TURN);
    let held = lock(&POOL);
    let slab = Slab::with_capacity(HUGE).unwrap();
    drop(slab); // is unmapped instead
    drop(held);
}

#[test]
fn memory_that_nobody_has_is_an_error() {
    for capacity in [isize::MAX as usize, usize::MAX / 2, usize::MAX - HUGE, usize::MAX] {
        let error = Slab::with_capacity(capacity).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("memory for a batch"), "{capacity}: {error}");
    }
}
