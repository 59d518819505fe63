#![allow(clippy::unwrap_used)]

use super::*;
use crate::options::ReadOptions;

fn source() -> Source {
    Source::new(vec![], ReadOptions::new().with_dim(3)).unwrap()
}

#[test]
fn a_child_leaves_the_file_to_its_parent_however_its_work_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (path, out) = (directory.path().join("r.jsonl"), directory.path().join("out.parquet"));
    let ends: [Result<()>; 3] =
        [Ok(()), Err(ErrorKind::OtherProcess.into()), Err(Error::schema("of the child"))];
    for (end, told) in ends.into_iter().zip(["another process", "another process", "of the child"]) {
        let file = RejectsFile::new(Some(&path), &out, false, false).unwrap().unwrap();
        file.owner.pretend_other();
        let error = RejectsFile::conclude(Some(file), end, &source()).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn what_was_rejected_is_written_however_the_work_ends() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.parquet");
    for (name, end) in [("a.jsonl", Ok(())), ("b.jsonl", Err(Error::schema("no")))] {
        let path = directory.path().join(name);
        let file = RejectsFile::new(Some(&path), &out, false, false).unwrap();
        let failed = end.is_err();
        assert_eq!(RejectsFile::conclude(file, end, &source()).is_err(), failed);
        assert!(path.exists());
    }
}
