//! What is promised about outputs when the disk is full, the process is killed or interrupted, or the system refuses something.
//! They drive the command, as it is shipped.
//!
//! `make faults` does more rounds than `make test`.

#![cfg(all(unix, feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::record;

const VECPACK: &str = env!("CARGO_BIN_EXE_vecpack");
const OLD: &[u8] = b"what was there";
/// Nothing takes that long.
const WATCHDOG: Duration = Duration::from_secs(60);

/// How many times as many rounds as in `make test`.
fn factor() -> usize {
    std::env::var("VECPACK_FAULTS").ok().and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

struct Place {
    directory: crate::support::Directory,
    rows: Vec<usize>,
}

impl Place {
    /// Inputs of so many rows: the vectors `[input, row, 0.5, 0]`.
    fn new(rows: &[usize]) -> Self {
        let place = Self { directory: crate::support::directory(), rows: rows.to_vec() };
        fs::create_dir(place.join("in")).unwrap();
        for (input, rows) in rows.iter().enumerate() {
            let bytes: Vec<u8> =
                (0..*rows).flat_map(|row| record(&[input as f32, row as f32, 0.5, 0.0])).collect();
            fs::write(place.join(&format!("in/{input:03}.msgpack")), bytes).unwrap();
        }
        place
    }

    fn join(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command, to convert all inputs.
    fn command(&self, out: &str, more: &[&str]) -> Command {
        self.prefixed(&[], out, more)
    }

    /// The same behind another command.
    fn prefixed(&self, prefix: &[&str], out: &str, more: &[&str]) -> Command {
        let words =
            [prefix, &[VECPACK, "to-parquet", "in", "-o", out, "--compression", "none"], more].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn expected(&self) -> BTreeMap<(usize, usize), usize> {
        let inputs = self.rows.iter().enumerate();
        inputs.flat_map(|(input, rows)| (0..*rows).map(move |row| ((input, row), 1))).collect()
    }

    /// The file is complete.
    fn assert_file(&self, name: &str, what: &str) {
        let mut rows = BTreeMap::new();
        count_rows(&self.join(name), &mut rows);
        assert!(rows == self.expected(), "{what}: {} rows", rows.len());
    }

    /// The file is what it was, or complete.
    fn assert_old_or_complete(&self, name: &str, what: &str) -> bool {
        let is_new = fs::read(self.join(name)).unwrap() != OLD;
        if is_new {
            self.assert_file(name, what);
        }
        is_new
    }

    /// Every row is in the directory once, and nothing is left over.
    fn assert_directory(&self, name: &str, what: &str) {
        let mut rows = BTreeMap::new();
        for name in outputs(&self.join(name)) {
            count_rows(&name, &mut rows);
        }
        let twice = rows.values().filter(|count| **count > 1).count();
        assert!(rows == self.expected(), "{what}: {} rows, {twice} of them more than once", rows.len());
        self.assert_nothing_left(name, what);
    }

    fn assert_nothing_left(&self, name: &str, what: &str) {
        let left = leftovers(&self.join(name));
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

/// Counts the rows of a Parquet file, which must be complete.
fn count_rows(path: &Path, rows: &mut BTreeMap<(usize, usize), usize>) {
    let file = fs::File::open(path).unwrap();
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let values = batch.column(0).as_fixed_size_list().values().as_primitive::<Float32Type>().clone();
        for row in values.values().chunks_exact(4) {
            *rows.entry((row[0] as usize, row[1] as usize)).or_default() += 1;
        }
    }
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

fn outputs(directory: &Path) -> Vec<PathBuf> {
    names(directory).into_iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect()
}

/// Temporary files, also beside the manifest.
fn leftovers(directory: &Path) -> Vec<PathBuf> {
    if !directory.exists() {
        return Vec::new();
    }
    let manifest = directory.join("_vecpack");
    let mut names = names(directory);
    if manifest.exists() {
        names.extend(self::names(&manifest));
    }
    names.retain(|path| path.extension().is_some_and(|end| end == "vecpack-tmp"));
    names
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(child: &Child, name: &str) {
    Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
}

/// Waits for the end, and fails if there is none.
fn wait(mut child: Child) -> Output {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > WATCHDOG {
            child.kill().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

/// A moment of a run, most of them early.
fn moment(longest: Duration) -> Duration {
    longest.mul_f64(fastrand::f64().powi(2))
}

/// How long an undisturbed run takes.
fn duration(mut command: Command) -> Duration {
    let begin = Instant::now();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    begin.elapsed()
}

const SMALL: [usize; 5] = [300, 0, 1000, 40, 500];
const PARTS: &[&str] = &["--max-file-bytes", "6000", "--row-group-bytes", "1600"];

#[test]
fn killed_at_any_moment_a_file_is_the_old_or_the_new_one() {
    let place = Place::new(&[20_000, 20_000]);
    let takes = duration(place.command("probe.parquet", &[]));
    fs::create_dir(place.join("out")).unwrap();
    let (mut new, mut killed) = (0, 0);
    for round in 0..40 * factor() {
        fs::write(place.join("out/file.parquet"), OLD).unwrap();
        let mut child = place.command("out/file.parquet", &["--overwrite"]).spawn().unwrap();
        std::thread::sleep(moment(takes.mul_f64(1.2)));
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().signal() == Some(9));
        new += usize::from(place.assert_old_or_complete("out/file.parquet", &format!("round {round}")));
        // One leftover at the most: each run takes away that of the one before.
        assert!(leftovers(&place.join("out")).len() <= 1);
    }
    let output = place.command("out/other.parquet", &[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    place.assert_nothing_left("out", "after all");
    eprintln!("file: {killed} kills, the new file was there {new} times");
    assert!(killed > 0);
}

#[test]
fn killed_again_and_again_a_directory_run_comes_to_its_end() {
    for mode in [&[][..], &["--max-file-bytes", "40000", "--row-group-bytes", "8000"]] {
        let rows: Vec<usize> = (0..60).map(|input| 37 * input % 1000).collect();
        let place = Place::new(&rows);
        let takes = duration(place.command("probe/", mode));
        for round in 0..3 * factor() {
            let out = format!("out{round}/");
            let (mut kills, mut ended) = (0, false);
            while !ended {
                let mut child = place.command(&out, &[mode, &["--resume"]].concat()).spawn().unwrap();
                // Later and later: a run that is always killed before it begins comes to no end.
                std::thread::sleep(moment(takes.mul_f64(0.1 + kills as f64 / 100.0)));
                child.kill().unwrap();
                let output = child.wait_with_output().unwrap();
                ended = output.status.success();
                kills += usize::from(output.status.signal() == Some(9));
                assert!(ended || output.status.signal() == Some(9), "{}", text(&output));
                assert!(leftovers(&place.join(&out)).len() <= 2);
            }
            let what = format!("{mode:?}, {kills} kills");
            place.assert_directory(&out, &what);
            let output = place.command(&out, &[mode, &["--resume", "--json"]].concat()).output().unwrap();
            let report = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(report.contains("\"files_before\":60"), "{report}{}", text(&output));
            eprintln!("directory: {what}");
        }
    }
}

/// Whether strace is there and may trace.
fn strace_works() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        eprintln!("skipped: no strace that may trace");
    }
    works
}

/// Runs with the n-th call of `call` failing with `error`; `None` if there is no n-th call.
fn inject(place: &Place, call: &str, error: &str, n: usize, out: &str, more: &[&str]) -> Option<Output> {
    let trace = place.join("trace");
    let inject = format!("inject={call}:error={error}:when={n}");
    let prefix = ["strace", "-f", "-o", "trace", "-e", &format!("trace={call}"), "-e", &inject];
    let output = place.prefixed(&prefix, out, &[more, &["--threads", "1"]].concat()).output().unwrap();
    fs::read_to_string(trace).unwrap().contains("(INJECTED)").then_some(output)
}

const CALLS: [(&str, &str); 10] = [
    ("write", "ENOSPC"),
    ("write", "EDQUOT"),
    ("write", "EIO"),
    ("pwrite64,writev,ftruncate,fallocate", "ENOSPC"),
    ("fsync,fdatasync", "EIO"),
    ("rename,renameat,renameat2,link,linkat", "EACCES"),
    ("close", "EDQUOT"),
    ("flock", "ENOLCK"),
    ("mkdir,mkdirat", "ENOSPC"),
    ("fstat,statx", "EIO"),
];

#[test]
fn every_call_that_fails_leaves_a_file_old_or_complete() {
    if !strace_works() {
        return;
    }
    let place = Place::new(&SMALL);
    let mut tried = 0;
    for (call, error) in CALLS {
        let mut failed = 0;
        for n in 1..200 {
            fs::create_dir(place.join("out")).unwrap();
            fs::write(place.join("out/file.parquet"), OLD).unwrap();
            let more = ["--overwrite", "--row-group-bytes", "8000"];
            let Some(output) = inject(&place, call, error, n, "out/file.parquet", &more) else { break };
            let what = format!("{call} {n} {error}: {:?} {}", output.status, text(&output));
            tried += 1;
            let is_new = place.assert_old_or_complete("out/file.parquet", &what);
            assert!(is_new || !output.status.success(), "{what}");
            // The first sync is that of the file, which has no name yet.
            assert!(!is_new || !call.starts_with("fsync") || n > 1, "{what}");
            failed += usize::from(!is_new && text(&output).contains("file.parquet: "));
            place.assert_nothing_left("out", &what);
            fs::remove_dir_all(place.join("out")).unwrap();
        }
        let _ = fs::remove_dir_all(place.join("out"));
        // What is not called cannot fail; the rest must not be overlooked. Without locks it goes on.
        let must_fail = ["write", "fsync,fdatasync", "rename,renameat,renameat2,link,linkat", "close"];
        assert!(!must_fail.contains(&call) || failed > 0, "{call}: no failure");
    }
    eprintln!("file: {tried} calls failed, one at a time");
}

/// Syncs are done on threads of their own, and strace counts the calls of each thread: these are told apart by their paths.
#[test]
fn every_sync_that_fails_is_an_error() {
    if !strace_works() {
        return;
    }
    let place = Place::new(&SMALL);
    for (out, synced) in [
        ("out/file.parquet", "out"),
        ("out/", "out"),
        ("out/", "out/_vecpack"),
        ("out/", "out/_vecpack/manifest.parquet"),
    ] {
        fs::create_dir(place.join("out")).unwrap();
        let synced = place.join(synced).display().to_string();
        let inject = "inject=fsync,fdatasync:error=EIO";
        let prefix =
            ["strace", "-f", "-o", "trace", "-P", &synced, "-e", "trace=fsync,fdatasync", "-e", inject];
        let output = place.prefixed(&prefix, out, &[]).output().unwrap();
        let what = format!("{out}, sync of {synced}: {:?} {}", output.status, text(&output));
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(text(&output).contains("Input/output error"), "{what}");
        place.assert_nothing_left("out", &what);
        // What has a name is on the disk, all of it: only the names may not be.
        if out.ends_with('/') {
            place.assert_directory("out", &what);
        } else {
            place.assert_file(out, &what);
        }
        fs::remove_dir_all(place.join("out")).unwrap();
    }
    // Where no sync succeeds nothing gets a name.
    for out in ["out/file.parquet", "out/"] {
        fs::create_dir(place.join("out")).unwrap();
        let output = inject(&place, "fsync,fdatasync", "EIO", 1, out, &[]).unwrap();
        assert_eq!(output.status.code(), Some(1), "{out}: {}", text(&output));
        assert!(outputs(&place.join("out")).is_empty(), "{out}");
        assert!(!place.join("out/_vecpack/manifest.parquet").exists(), "{out}");
        fs::remove_dir_all(place.join("out")).unwrap();
    }
}

/// A file of more than a few MiB asks for space ahead of its writes, and gives back what it does not need.
#[test]
fn a_file_that_gets_no_space_ahead_is_complete_all_the_same() {
    if !strace_works() {
        return;
    }
    let place = Place::new(&[200_000]);
    fs::create_dir(place.join("out")).unwrap();
    for (call, error, is_harmless) in
        [("fallocate", "ENOSPC", true), ("fallocate", "EOPNOTSUPP", true), ("ftruncate", "EIO", false)]
    {
        fs::write(place.join("out/file.parquet"), OLD).unwrap();
        let output = inject(&place, call, error, 1, "out/file.parquet", &["--overwrite"]).unwrap();
        let what = format!("{call} {error}: {:?} {}", output.status, text(&output));
        assert_eq!(output.status.success(), is_harmless, "{what}");
        assert_eq!(place.assert_old_or_complete("out/file.parquet", &what), is_harmless, "{what}");
        place.assert_nothing_left("out", &what);
    }
}

#[test]
fn every_call_that_fails_leaves_a_directory_that_can_be_resumed() {
    if !strace_works() {
        return;
    }
    let place = Place::new(&SMALL);
    let mut tried = 0;
    for mode in [&[][..], PARTS] {
        for (call, error) in CALLS {
            // All of them in `make faults`; the first ones are those of starting.
            let step = if factor() > 1 { 1 } else { 7 };
            for n in (1..400).step_by(step) {
                let Some(output) = inject(&place, call, error, n, "out/", mode) else { break };
                let what = format!("{mode:?} {call} {n} {error}: {:?} {}", output.status, text(&output));
                tried += 1;
                if output.status.success() {
                    place.assert_directory("out", &what);
                }
                if place.join("out").exists() {
                    place.assert_nothing_left("out", &what);
                }
                let again = place.command("out/", &[mode, &["--resume"]].concat()).output().unwrap();
                assert!(again.status.success(), "{what}; then {}", text(&again));
                place.assert_directory("out", &what);
                fs::remove_dir_all(place.join("out")).unwrap();
            }
            let _ = fs::remove_dir_all(place.join("out"));
        }
    }
    eprintln!("directory: {tried} calls failed, one at a time");
}

fn shell(place: &Place, script: &str) -> Output {
    Command::new("sh")
        .args(["-c", script, "sh", VECPACK])
        .current_dir(place.directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_file_larger_than_the_process_may_write_is_an_error() {
    let place = Place::new(&[5000]);
    fs::create_dir(place.join("out")).unwrap();
    for (command, plain) in [("to-parquet", " --compression none"), ("to-arrow", "")] {
        fs::write(place.join("out/file"), OLD).unwrap();
        let output =
            shell(&place, &format!("ulimit -f 40; exec \"$1\" {command} in -o out/file --overwrite{plain}"));
        assert_eq!(output.status.code(), Some(1), "{:?} {}", output.status, text(&output));
        assert!(text(&output).contains("File too large"), "{}", text(&output));
        assert_eq!(fs::read(place.join("out/file")).unwrap(), OLD);
        place.assert_nothing_left("out", command);
    }
}

#[test]
fn a_disk_that_is_full_is_an_error_that_leaves_nothing() {
    let place = Place::new(&[30_000, 30_000]);
    fs::create_dir(place.join("disk")).unwrap();
    // Mounts of its own, which end with the process.
    let mount = "mount -t tmpfs -o size=600k none disk";
    let probe =
        Command::new("unshare").args(["-m", "sh", "-c", mount]).current_dir(place.directory.path()).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: nothing can be mounted");
        return;
    }
    for out in ["disk/file.parquet", "disk/out/"] {
        // Of several files those in front of the failure are there, and complete.
        let kept = if out.ends_with('/') { vec![place.join("kept/000.parquet")] } else { Vec::new() };
        fs::create_dir(place.join("kept")).unwrap();
        let script = format!(
            "{mount} && echo old > disk/old.parquet && \"$1\" to-parquet in -o {out} --compression none; echo $?; \
             cat disk/old.parquet; find disk -name '*vecpack-tmp'; \
             find disk -type f ! -name old.parquet ! -path '*/_vecpack/*' -exec cp {{}} kept \\;"
        );
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", &script, "sh", VECPACK])
            .current_dir(place.directory.path())
            .output()
            .unwrap();
        assert!(text(&output).contains("No space left on device"), "{}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\nold\n", "{out}");
        assert_eq!(names(&place.join("kept")), kept, "{out}");
        kept.iter().for_each(|path| count_rows(path, &mut BTreeMap::new()));
        fs::remove_dir_all(place.join("kept")).unwrap();
    }
}

#[test]
fn modes_are_what_the_umask_leaves() {
    let place = Place::new(&[10]);
    for (umask, mode) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        let output = shell(&place, &format!("umask {umask}; \"$1\" to-parquet in -o {umask}.parquet"));
        assert!(output.status.success(), "{}", text(&output));
        let output = shell(&place, &format!("umask {umask}; \"$1\" to-parquet in -o {umask}/"));
        assert!(output.status.success(), "{}", text(&output));
        for name in [
            format!("{umask}.parquet"),
            format!("{umask}/000.parquet"),
            format!("{umask}/_vecpack/manifest.parquet"),
        ] {
            assert_eq!(fs::metadata(place.join(&name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
        }
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let place = Place::new(&[10]);
    fs::create_dir(place.join("locked")).unwrap();
    fs::write(place.join("locked/file.parquet"), OLD).unwrap();
    fs::set_permissions(place.join("locked/file.parquet"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(place.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    // Nothing is locked to root. A copy of the command, since the original may lie where only root may go.
    fs::copy(VECPACK, place.join("vecpack")).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(place.join("vecpack"));
        command.args(arguments).current_dir(place.directory.path()).stdin(Stdio::null());
        let is_root =
            fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
        if is_root {
            command.uid(65534).gid(65534);
        }
        command.output()
    };
    match as_nobody(&["inspect", "in"]) {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!("skipped: the command does not run as another user: {other:?}");
            return;
        }
    }
    // Also of the file that is written last, before anything is done.
    let listing = ["to-parquet", "in", "-o", "out.parquet", "--rejects", "locked/bad.jsonl"];
    let output = as_nobody(&listing).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("vecpack: locked: Permission denied"), "{}", text(&output));
    for out in ["locked/file.parquet", "locked/new.parquet", "locked/out/", "locked"] {
        let output = as_nobody(&["to-parquet", "in", "-o", out, "--overwrite"]).unwrap();
        assert_eq!(output.status.code(), Some(1), "{out}: {}", text(&output));
        let expected =
            if out.ends_with("parquet") { "vecpack: locked: Permission denied" } else { "Permission denied" };
        assert!(text(&output).contains(expected), "{out}: {}", text(&output));
    }
    assert_eq!(fs::read(place.join("locked/file.parquet")).unwrap(), OLD);
    assert_eq!(names(&place.join("locked")), [place.join("locked/file.parquet")]);
}

#[test]
fn standard_output_that_takes_no_more_ends_the_work() {
    let place = Place::new(&[50_000]);
    // Whoever reads has had enough, of a stream and of a file.
    for command in [
        "to-arrow in -o -",
        "to-arrow in -o /dev/stdout",
        "to-parquet in -o /dev/stdout --compression none",
        "to-parquet in -o /dev/stdout --compression none --rejects list.jsonl",
    ] {
        let output =
            shell(&place, &format!("{{ \"$1\" {command}; echo $? > code; }} | head -c 100 > /dev/null"));
        assert_eq!(
            fs::read_to_string(place.join("code")).unwrap().trim(),
            "0",
            "{command}: {}",
            text(&output)
        );
        assert_eq!(text(&output), "", "{command}");
    }
    assert!(place.join("list.jsonl").exists());
    assert!(Command::new("mkfifo").arg(place.join("fifo")).status().unwrap().success());
    for command in ["to-arrow in -o fifo", "to-parquet in -o fifo --compression none", "sample fifo"] {
        let output = shell(&place, &format!("head -c 100 fifo > /dev/null & \"$1\" {command}"));
        assert_eq!((output.status.code(), &*text(&output)), (Some(0), ""), "{command}");
    }
    for command in ["to-arrow in -o -", "to-arrow in -o /dev/full", "to-parquet in -o /dev/full"] {
        let output = shell(&place, &format!("\"$1\" {command} > /dev/full"));
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(text(&output).contains("No space left on device"), "{command}: {}", text(&output));
    }
    assert!(place.join("in/000.msgpack").exists());
}

#[test]
fn what_cannot_be_said_on_standard_output_is_an_error() {
    let place = Place::new(&[100]);
    for command in
        ["to-arrow in -o -", "to-parquet in -o /dev/stdout", "inspect in", "sample -", "completions bash"]
    {
        // It can be read from only, so that every write fails as on one that is closed.
        let output = shell(&place, &format!("\"$1\" {command} 1< /dev/null"));
        assert_eq!(output.status.code(), Some(1), "{command}: {}", text(&output));
        assert!(text(&output).contains("Bad file descriptor"), "{command}: {}", text(&output));
    }
    for command in ["--help", "--version", "to-parquet --help", "inspect in", "completions bash"] {
        let output = shell(&place, &format!("\"$1\" {command} > /dev/full"));
        assert_eq!(output.status.code(), Some(1), "{command}: {}", text(&output));
        assert!(text(&output).contains("No space left on device"), "{command}: {}", text(&output));
    }
    // Nobody is left to be told that wrong usage is one.
    assert_eq!(shell(&place, "\"$1\" nonsense 2> /dev/full").status.code(), Some(2));
}

#[test]
fn what_is_no_file_is_written_to_as_it_is() {
    let place = Place::new(&[20_000]);
    let output = place.command("file.parquet", &[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let expected = fs::read(place.join("file.parquet")).unwrap();
    // A redirection is not replaced behind the back of the shell, and is not read from its start again.
    let output = shell(
        &place,
        "{ printf before; \"$1\" to-parquet in -o /dev/stdout --compression none; } > redirected",
    );
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fs::read(place.join("redirected")).unwrap(), [b"before", &expected[..]].concat());
    let output = shell(&place, "\"$1\" to-parquet in -o /dev/stdout --compression none | cat > piped");
    assert!(output.status.success() && text(&output).contains("wrote"), "{}", text(&output));
    assert_eq!(fs::read(place.join("piped")).unwrap(), expected);
    // A FIFO, whose reader comes late and reads slowly.
    assert!(Command::new("mkfifo").arg(place.join("fifo")).status().unwrap().success());
    let child = place.command("fifo", &[]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let mut read = Vec::new();
    fs::File::open(place.join("fifo")).unwrap().read_to_end(&mut read).unwrap();
    assert!(wait(child).status.success());
    assert_eq!(read, expected);
    assert_eq!(names(place.directory.path()).len(), 5);
}

#[test]
fn interrupted_at_any_moment_nothing_is_left_half_written() {
    let rows: Vec<usize> = (0..40).map(|input| 37 * input % 1000).collect();
    let place = Place::new(&rows);
    fs::create_dir(place.join("out")).unwrap();
    let takes = duration(place.command("probe/", &[]));
    let (mut interrupted, mut longest) = (0, Duration::ZERO);
    for round in 0..20 * factor() {
        for out in ["out/file.parquet", "out/directory/", "out/parts/"] {
            let more: &[&str] = match out {
                "out/file.parquet" => &["--overwrite"],
                "out/parts/" => &["--resume", "--max-file-bytes", "40000", "--row-group-bytes", "8000"],
                _ => &["--resume"],
            };
            fs::write(place.join("out/file.parquet"), OLD).unwrap();
            let child = place.command(out, more).spawn().unwrap();
            std::thread::sleep(moment(takes));
            let begin = Instant::now();
            let (name, number) = [("INT", 2), ("TERM", 15), ("HUP", 1)][round % 3];
            signal(&child, name);
            let output = wait(child);
            longest = longest.max(begin.elapsed());
            let what = format!("round {round}, {out}: {:?} {}", output.status, text(&output));
            // Before it looks for signals it is ended by them.
            let killed = output.status.signal() == Some(number);
            let ended = output.status.code() == Some(128 + number);
            assert!(killed || ended || output.status.success(), "{what}");
            interrupted += usize::from(ended);
            place.assert_old_or_complete("out/file.parquet", &what);
            place.assert_nothing_left("out", &what);
            for directory in ["out/directory", "out/parts"].map(|name| place.join(name)) {
                if directory.exists() {
                    assert!(leftovers(&directory).is_empty(), "{what}");
                    outputs(&directory).iter().for_each(|path| count_rows(path, &mut BTreeMap::new()));
                }
            }
        }
    }
    for (out, more) in [
        ("out/directory", &[][..]),
        ("out/parts", &["--max-file-bytes", "40000", "--row-group-bytes", "8000"]),
    ] {
        let output = place.command(out, &[&["--resume"], more].concat()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        place.assert_directory(out, "after interrupts");
    }
    eprintln!("{interrupted} interrupts; the longest answer took {longest:?}");
}

#[test]
fn an_interrupt_does_not_wait_for_readers_of_a_fifo() {
    let place = Place::new(&[20_000]);
    assert!(Command::new("mkfifo").arg(place.join("fifo")).status().unwrap().success());
    let interrupt = |child: Child| {
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, "INT");
        let output = wait(child);
        assert_eq!(output.status.code(), Some(130), "{:?} {}", output.status, text(&output));
    };
    // Nobody reads.
    interrupt(place.command("fifo", &[]).spawn().unwrap());
    // Somebody has it open, and does not read.
    let child = place.command("fifo", &[]).spawn().unwrap();
    let reader = fs::File::open(place.join("fifo")).unwrap();
    interrupt(child);
    drop(reader);
}

#[test]
fn an_interrupt_does_not_wait_for_the_disk() {
    if !strace_works() {
        return;
    }
    let place = Place::new(&[1000, 1000]);
    // Each sync takes longer than the watchdog waits.
    let delay = "inject=fsync,fdatasync:delay_enter=120s";
    for (out, more) in [("file.parquet", &[][..]), ("out/", &["--resume"])] {
        let prefix = ["strace", "-f", "-o", "trace", "-e", "trace=fsync,fdatasync", "-e", delay];
        let mut child = place.prefixed(&prefix, out, more).spawn().unwrap();
        let begin = Instant::now();
        while !fs::read_to_string(place.join("trace")).is_ok_and(|trace| trace.contains("sync(")) {
            assert!(begin.elapsed() < WATCHDOG);
            std::thread::sleep(Duration::from_millis(20));
        }
        let tracee = fs::read_to_string(place.join("trace")).unwrap();
        let thread = tracee.split_whitespace().next().unwrap().to_owned();
        // Any thread of the process stands for it.
        assert!(Command::new("kill").args(["-INT", &thread]).status().unwrap().success());
        let begin = Instant::now();
        // The answer. The process itself ends when the delayed call does: that is how strace delays.
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let answer = { lines }.find(|line| !line.starts_with("strace:"));
        assert_eq!(answer.as_deref(), Some("vecpack: interrupted"));
        let trace = fs::read_to_string(place.join("trace")).unwrap();
        assert!(!trace.contains("(DELAYED)"), "it waited: {trace}");
        eprintln!("{out}: answered after {:?}", begin.elapsed());
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(place.join("trace")).unwrap();
    }
    assert!(!place.join("file.parquet").exists());
    place.assert_nothing_left("", "file");
    place.assert_nothing_left("out", "directory");
}

/// What the names of this machine's temporary files hold.
fn tag(place: &Place) -> String {
    let mut child = Command::new(VECPACK)
        .args(["to-parquet", "-", "-o", "tag.parquet", "--dim", "1"])
        .current_dir(place.directory.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(&record(&[1.0])).unwrap();
    let begin = Instant::now();
    while leftovers(place.directory.path()).is_empty() {
        assert!(begin.elapsed() < WATCHDOG);
        std::thread::sleep(Duration::from_millis(5));
    }
    let path = leftovers(place.directory.path()).remove(0);
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(&path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    name.strip_prefix(".tag.parquet.").unwrap().split('-').next().unwrap().to_owned()
}

#[test]
fn a_later_run_takes_away_what_a_dead_one_left_and_nothing_else() {
    let place = Place::new(&[10]);
    fs::create_dir(place.join("out")).unwrap();
    // A live run, which waits for the rest of its input.
    let mut live = Command::new(VECPACK)
        .args(["to-parquet", "-", "-o", "out/live.parquet", "--dim", "1"])
        .current_dir(place.directory.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    live.stdin.as_mut().unwrap().write_all(&record(&[1.0])).unwrap();
    let begin = Instant::now();
    while leftovers(&place.join("out")).is_empty() {
        assert!(begin.elapsed() < WATCHDOG);
        std::thread::sleep(Duration::from_millis(5));
    }
    let of_live = leftovers(&place.join("out")).remove(0);
    let name = of_live.file_name().unwrap().to_str().unwrap().to_owned();
    let tag = name.strip_prefix(".live.parquet.").unwrap().split('-').next().unwrap().to_owned();
    let write = |name: &str, days: u64| {
        let path = place.join("out").join(name);
        fs::write(&path, "dead").unwrap();
        let time = std::time::SystemTime::now() - Duration::from_secs(days * 25 * 60 * 60);
        fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        path
    };
    let dead = [
        write(&format!(".file.parquet.{tag}-abcdef.vecpack-tmp"), 0),
        write(&format!(".other.arrow.{tag}-ABCDEF.vecpack-tmp"), 0),
        // Of another machine.
        write(".file.parquet.00000000-abcdef.vecpack-tmp", 1),
        // As an earlier version named them.
        write(".file.parquet.abcdef.vecpack-tmp", 1),
    ];
    let kept = [
        write(".file.parquet.00000000-fedcba.vecpack-tmp", 0),
        write(&format!("file.parquet.{tag}-abcdef.vecpack-tmp"), 1),
        write(".hidden", 1),
    ];
    let output = place.command("out/file.parquet", &[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for path in dead {
        assert!(!path.exists(), "{path:?}");
    }
    for path in kept {
        assert!(path.exists(), "{path:?}");
    }
    assert!(of_live.exists());
    drop(live.stdin.take());
    let output = wait(live);
    assert!(output.status.success(), "{}", text(&output));
    assert!(place.join("out/live.parquet").exists() && !of_live.exists());
}

#[test]
fn a_later_run_into_a_directory_takes_away_what_a_dead_one_left_in_it() {
    let place = Place::new(&[10, 20]);
    let tag = tag(&place);
    // Dead while it made the manifest, and while it made a file.
    for manifest_is_there in [false, true] {
        let dead = ["out/_vecpack/.manifest.parquet", "out/.000.parquet"]
            .map(|name| place.join(&format!("{name}.{tag}-abcdef.vecpack-tmp")));
        fs::create_dir_all(place.join("out/_vecpack")).unwrap();
        dead.iter().for_each(|path| fs::write(path, "dead").unwrap());
        let output = place.command("out/", &["--resume"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        place.assert_directory("out", &format!("manifest: {manifest_is_there}"));
    }
}

#[test]
fn names_are_as_long_and_as_odd_as_the_system_allows() {
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new(&[10]);
    let (longest, odd) = ("x".repeat(247) + ".parquet", "\u{1f600}".repeat(60) + ".parquet");
    for name in [longest.as_bytes(), b"\xff\xfe.parquet", b"-o.parquet", b"a\nb.parquet", odd.as_bytes()] {
        let path = place.directory.path().join(std::ffi::OsStr::from_bytes(name));
        let output = Command::new(VECPACK)
            .args(["to-parquet", "in", "-o"])
            .arg(&path)
            .current_dir(place.directory.path())
            .output()
            .unwrap();
        // Of Linux's file systems some refuse names that are no UTF-8.
        if fs::write(place.directory.path().join("probe"), "").is_ok() && output.status.success() {
            count_rows(&path, &mut BTreeMap::new());
        } else {
            panic!("{name:?}: {}", text(&output));
        }
    }
    place.assert_nothing_left("", "odd names");
}

#[test]
fn a_symbolic_link_to_nothing_is_named_as_what_it_is() {
    let place = Place::new(&[10]);
    std::os::unix::fs::symlink("nowhere", place.join("link.parquet")).unwrap();
    let output = place.command("link.parquet", &["--overwrite"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("a symbolic link to a file that does not exist"), "{}", text(&output));
}
