//! Memory that grows and keeps what is in it.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn what_was_added_stays_when_the_memory_grows() {
    let mut arena = Arena::with_capacity(10).unwrap();
    for number in 0..100u8 {
        let room = arena.room(1000 * usize::from(number) + 7).unwrap();
        assert_eq!(room.len(), 1000 * usize::from(number) + 7);
        room.fill(number);
        arena.add(300.min(1000 * usize::from(number) + 7));
    }
    let bytes = arena.finish();
    assert_eq!(bytes.len(), 7 + 99 * 300);
    let expected = std::iter::repeat_n(0, 7).chain((1..100u8).flat_map(|number| [number; 300]));
    assert!(bytes.iter().copied().eq(expected));
}
