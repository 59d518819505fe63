//! Space that was asked for is given back, and nothing depends on whether there was any.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::*;

/// Writes `pieces` pieces of 64 KiB.
fn written(ahead: &Ahead, file: &mut File, pieces: usize) {
    for _ in 0..pieces {
        ahead.prepare(file, 65_536);
        ahead.wrote(file.write(&[7; 65_536]).unwrap());
    }
}

#[test]
fn a_small_file_asks_for_nothing() {
    let (ahead, mut file) = (Ahead::default(), tempfile::tempfile().unwrap());
    written(&ahead, &mut file, 32);
    assert_eq!(ahead.reserved.load(Ordering::Relaxed), 0);
    written(&ahead, &mut file, 1);
    assert_ne!(ahead.reserved.load(Ordering::Relaxed), 0);
}

#[test]
fn a_file_that_is_complete_has_its_size_and_no_more_space_than_that() {
    let (ahead, mut file) = (Ahead::default(), tempfile::tempfile().unwrap());
    let bytes = 64 * 65_536;
    written(&ahead, &mut file, 64);
    assert_eq!(file.metadata().unwrap().len(), bytes);
    file.set_len(bytes).unwrap();
    assert_eq!(file.metadata().unwrap().len(), bytes);
    file.sync_all().unwrap();
    #[cfg(target_os = "linux")]
    {
        let taken = std::os::linux::fs::MetadataExt::st_blocks(&file.metadata().unwrap()) * 512;
        assert!(taken < bytes + (1 << 20), "{taken} bytes on the disk");
    }
}

#[test]
fn a_file_that_cannot_have_space_is_written_all_the_same() {
    let ahead = Ahead::default();
    // Not open for writing: the system refuses.
    let refused = File::open(std::env::current_exe().unwrap()).unwrap();
    ahead.prepare(&refused, 100 << 20);
    assert_eq!(ahead.reserved.load(Ordering::Relaxed), u64::MAX);
    let mut file = tempfile::tempfile().unwrap();
    written(&ahead, &mut file, 64);
    assert_eq!(file.metadata().unwrap().len(), 64 * 65_536);
}
