#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::cancel::Cancel;

/// Where the child writes, which is the same test in another process.
const PLACE: &str = "VECPACK_MANIFEST_TEST";
/// What stands behind the lines. A real one is about as long.
const END: [u8; 1000] = [b'e'; 1000];

fn done(number: usize) -> Done {
    let input = InputVersion {
        path: format!("/data/vectors/2026-11/part-{number:09}.msgpack"),
        span: None,
        version: Version {
            size: Some(102_550_000),
            modified_ns: Some(1_700_000_000_000_000_000 + number as i64),
            tag: None,
        },
        number: None,
    };
    let output = DoneOutput { name: format!("part-{number:09}.parquet"), size: 102_400_000, rows: 50_000 };
    Done {
        inputs: vec![DoneInput { input, rows: 50_000, rejects: 0 }],
        outputs: vec![output],
        fragments: None,
    }
}

fn outputs(directory: &Path) -> Directory {
    Directory::new(directory, &Cancel::never()).unwrap()
}

fn resumed(directory: &Path) -> (Manifest, Vec<Done>) {
    let write = WriteOptions::new().with_sync(false);
    Manifest::resume(&outputs(directory), Map::new(), END.to_vec(), &write).unwrap()
}

fn assert_first(all: &[Done], length: usize) {
    assert_eq!(all.len(), length);
    for (number, found) in all.iter().enumerate() {
        assert_eq!(found.inputs[0].input, done(number).inputs[0].input);
    }
}

/// The most memory that this process has had, in MB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1000
}

/// Lets another process write `lines` lines and more, and kills it while it writes.
fn written_and_killed(test: &str, directory: &Path, lines: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--include-ignored", &format!("parquet::manifest::tests::{test}")]);
    let mut child = child.env(PLACE, directory).stdout(Stdio::null()).spawn().unwrap();
    let line = line(&Line::Done(Cow::Owned(done(lines)))).unwrap().len();
    while fs::metadata(path(&outputs(directory))).map_or(0, |metadata| metadata.len())
        < (lines * line) as u64 + 5000
    {
        std::thread::sleep(Duration::from_millis(1));
        assert!(child.try_wait().unwrap().is_none());
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Writes until it is killed, if this is the child.
fn write_as_child() -> bool {
    let Some(directory) = std::env::var_os(PLACE) else { return false };
    let directory = Path::new(&directory);
    let write = WriteOptions::new().with_sync(false);
    let mut manifest = Manifest::create(&outputs(directory), Map::new(), END.to_vec(), &write).unwrap();
    // A child that nobody kills ends before it fills the disk.
    (0..2_000_000).for_each(|number| manifest.done(&done(number)).unwrap());
    true
}

fn a_run_is_killed_and_resumed(test: &str, lines: usize) {
    if write_as_child() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    written_and_killed(test, directory.path(), lines);
    let wrote = begin.elapsed();
    let begin = Instant::now();
    let (mut manifest, all) = resumed(directory.path());
    let (read, memory) = (begin.elapsed(), peak());
    let length = all.len();
    assert!(length >= lines, "{length}");
    assert_first(&all, length);
    // What is written next stands behind the last whole line.
    manifest.done(&done(length)).unwrap();
    drop(manifest);
    assert_first(&resumed(directory.path()).1, length + 1);

    // Killed in the middle of a line.
    let file = OpenOptions::new().write(true).open(path(&outputs(directory.path()))).unwrap();
    file.set_len(file.metadata().unwrap().len() - END.len() as u64 - 7).unwrap();
    let (mut manifest, all) = resumed(directory.path());
    assert_first(&all, length);

    // Every second line holds no more. The log is compacted, and no longer than it must be.
    let (kept, stale): (Vec<_>, Vec<_>) =
        all.into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    let lines = |all: Vec<(usize, Done)>| all.into_iter().map(|(_, done)| done).collect::<Vec<_>>();
    let begin = Instant::now();
    manifest.keep(&lines(kept), &lines(stale)).unwrap();
    let compacted = begin.elapsed();
    let size = |manifest: &Manifest| fs::metadata(&manifest.path).unwrap().len();
    let half = size(&manifest);
    manifest.done(&done(0)).unwrap();
    assert!(size(&manifest) > half);
    drop(manifest);
    let (_, kept) = resumed(directory.path());
    let kept: Vec<String> = kept.into_iter().map(|done| done.outputs[0].name.clone()).collect();
    let mut expected: Vec<String> = (0..length).step_by(2).map(|n| done(n).outputs[0].name.clone()).collect();
    expected.push(done(0).outputs[0].name.clone());
    assert_eq!(kept, expected);
    eprintln!(
        "{length} lines: {:.1} s to write, {:.1} s to resume with a peak of {memory} MB, {:.1} s to compact, {} MB",
        wrote.as_secs_f64(),
        read.as_secs_f64(),
        compacted.as_secs_f64(),
        half * 2 / 1_000_000
    );
}

#[test]
fn a_run_of_a_thousand_lines_is_killed_and_resumed() {
    a_run_is_killed_and_resumed("a_run_of_a_thousand_lines_is_killed_and_resumed", 1000);
}

#[test]
#[ignore = "slow: a million lines"]
fn a_run_of_a_million_lines_is_killed_and_resumed() {
    a_run_is_killed_and_resumed("a_run_of_a_million_lines_is_killed_and_resumed", 1_000_000);
}
