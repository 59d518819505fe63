#![allow(clippy::unwrap_used)]

use bytes::Bytes;

use super::{AHEAD, BEHIND, PIECE, Pieces, lock};

/// Pieces that are held before the window grows.
const MOST: usize = AHEAD + BEHIND;

/// A byte of piece `number`, and which pieces are to be asked for.
fn read(pieces: &Pieces, number: u64, count: u64) -> (Option<u8>, Vec<u64>) {
    let mut out = [0];
    let (read, new) = pieces.read(number, 0, &mut out, count);
    (read.map(|read| out[read.unwrap() - 1]), new)
}

fn arrive(pieces: &Pieces, number: u64) {
    pieces.put(number, Ok(Bytes::from(vec![number as u8])));
}

fn awaited(pieces: &Pieces) -> Vec<u64> {
    let state = lock(&pieces.state);
    let awaited = state.pieces.iter().filter(|(_, piece)| piece.content.is_none());
    awaited.map(|(number, _)| *number).collect()
}

#[test]
fn pieces_ahead_are_asked_for_once_and_no_further_than_the_end() {
    let pieces = Pieces::default();
    assert_eq!(read(&pieces, 0, 3), (None, vec![0, 1, 2]));
    assert_eq!(read(&pieces, 0, 3), (None, vec![]));
    arrive(&pieces, 0);
    assert_eq!(read(&pieces, 0, 3), (Some(0), vec![]));
}

#[test]
fn so_many_are_on_their_way_and_another_when_one_arrived() {
    let pieces = Pieces::default();
    let (_, new) = read(&pieces, 0, 100);
    assert_eq!(new, (0..AHEAD as u64).collect::<Vec<_>>());
    arrive(&pieces, 0);
    assert_eq!(read(&pieces, 0, 100), (Some(0), vec![AHEAD as u64]));
}

#[test]
fn no_more_are_held_than_may_be_and_what_was_read_goes_first() {
    let (pieces, mut asked) = (Pieces::default(), Vec::new());
    for number in 0..200 {
        asked.extend(read(&pieces, number, 1000).1);
        for awaited in awaited(&pieces) {
            arrive(&pieces, awaited);
        }
        let (byte, new) = read(&pieces, number, 1000);
        asked.extend(new);
        assert_eq!(byte, Some(number as u8));
        assert!(lock(&pieces.state).pieces.len() <= MOST);
        assert!(awaited(&pieces).len() <= AHEAD);
    }
    let in_order: Vec<u64> = (0..asked.len() as u64).collect();
    assert_eq!(asked, in_order, "none twice");
}

#[test]
fn what_was_dropped_is_asked_for_again() {
    let pieces = Pieces::default();
    for number in 0..(2 * MOST as u64) {
        read(&pieces, number, number + 1);
        arrive(&pieces, number);
        read(&pieces, number, number + 1);
    }
    assert_eq!(read(&pieces, 0, 1), (None, vec![0]));
    arrive(&pieces, 0);
    assert_eq!(read(&pieces, 0, 1), (Some(0), vec![]));
}

#[test]
fn a_piece_that_failed_fails_whoever_reads_it() {
    let pieces = Pieces::default();
    read(&pieces, 0, 2);
    pieces.put(1, Err(std::io::Error::new(std::io::ErrorKind::NotFound, "gone")));
    for _ in 0..2 {
        let (read, _) = pieces.read(1, 0, &mut [0], 2);
        let error = read.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (std::io::ErrorKind::NotFound, "gone".to_owned()));
    }
}

/// Reads 1,000 pieces, of which each arrives when `late` more have been asked for, and gives the largest window.
fn largest_window(pieces: &Pieces, late: usize) -> usize {
    let mut largest = 0;
    for number in 0..1000 {
        while read(pieces, number, 1000).0.is_none() {
            largest = largest.max(awaited(pieces).len());
            arrive(pieces, awaited(pieces)[0]);
        }
        while awaited(pieces).len() > late {
            arrive(pieces, awaited(pieces)[0]);
        }
    }
    largest
}

#[test]
fn the_window_grows_while_readers_wait_up_to_its_bound() {
    let pieces = Pieces::default();
    pieces.set_window(100 * PIECE);
    assert_eq!(largest_window(&pieces, usize::MAX), 100);
    assert!(lock(&pieces.state).pieces.len() <= 100 + BEHIND);
}

#[test]
fn the_window_stays_where_pieces_arrive_in_time_and_without_a_bound_that_allows_more() {
    let pieces = Pieces::default();
    pieces.set_window(100 * PIECE);
    assert_eq!(largest_window(&pieces, 3), AHEAD);
    assert_eq!(largest_window(&Pieces::default(), usize::MAX), AHEAD);
    let small = Pieces::default();
    small.set_window(PIECE);
    assert!(largest_window(&small, usize::MAX) <= 2);
}
