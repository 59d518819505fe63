//! Where output goes: a target is the old file or the complete new one, never half of one, and nothing else is left.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use vecpack::{
    Cancel, Error, ErrorKind, Input, OnError, Progress, ReadOptions, Report, Source, Watch, WriteOptions,
    to_parquet, write_arrow,
};

use crate::support::{input, records};

const OLD: &str = "what was there";

fn convert(source: &Source, out: &Path, overwrite: bool) -> Result<Report, Error> {
    let options = WriteOptions::new().with_overwrite(overwrite).with_sync(false);
    to_parquet(source, out, &options, Watch::default())
}

fn good() -> Source {
    Source::new(vec![input(records(100, 2))], ReadOptions::new().with_batch_rows(10)).unwrap()
}

/// Fails at its last record.
fn bad() -> Source {
    let bytes = [records(100, 2), vec![0xc0]].concat();
    Source::new(vec![input(bytes)], ReadOptions::new().with_batch_rows(10)).unwrap()
}

fn io_kind(error: &Error) -> io::ErrorKind {
    match error.kind() {
        ErrorKind::Io { source, .. } => source.kind(),
        other => unreachable!("{other:?}"),
    }
}

/// The names in a directory, sorted.
fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().display().to_string()).collect();
    // What a run into a directory notes; `resume.rs` looks at it.
    names.retain(|name| name != "_vecpack");
    names.sort();
    names
}

/// The number of rows, if the file is complete.
fn rows(path: &Path) -> i64 {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    reader.metadata().file_metadata().num_rows()
}

struct Place {
    directory: crate::support::Directory,
}

impl Place {
    fn new() -> Self {
        Self { directory: crate::support::directory() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn with_old(name: &str) -> (Self, PathBuf) {
        let place = Self::new();
        let path = place.join(name);
        fs::write(&path, OLD).unwrap();
        (place, path)
    }
}

#[test]
fn a_target_that_exists_is_refused_before_anything_is_read() {
    let (place, path) = Place::with_old("old.parquet");
    struct Once(bool);
    impl io::Read for Once {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            assert!(!std::mem::replace(&mut self.0, true), "it was read");
            out[..6].copy_from_slice(&[0xc4, 4, 0, 0, 0, 0]);
            Ok(6)
        }
    }
    struct Untouched;
    impl vecpack::OpenStream for Untouched {
        fn open(&self) -> io::Result<Box<dyn io::Read + Send>> {
            Ok(Box::new(Once(false)))
        }
    }
    // Inference needs the first record and no more.
    let source = Source::new(vec![Input::stream("s", Untouched)], ReadOptions::new()).unwrap();
    let error = convert(&source, &path, false).unwrap_err();
    assert_eq!(io_kind(&error), io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("overwrite"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
    assert_eq!(listing(place.path()), ["old.parquet"]);
}

#[test]
fn a_target_is_overwritten_if_told() {
    let (place, path) = Place::with_old("old.parquet");
    convert(&good(), &path, true).unwrap();
    assert_eq!(rows(&path), 100);
    assert_eq!(listing(place.path()), ["old.parquet"]);
}

#[test]
fn until_it_is_complete_a_file_has_another_name() {
    let place = Place::new();
    let path = place.join("new.parquet");
    let mut seen = 0;
    let mut look = |_: Progress| {
        if !path.exists() {
            seen += 1;
            let names = listing(place.path());
            assert!(
                matches!(&names[..], [name] if name.starts_with(".new.parquet.") && name.ends_with(".vecpack-tmp"))
            );
        }
        Ok(())
    };
    let watch = Watch { progress: Some(&mut look), cancel: Cancel::never() };
    to_parquet(&good(), &path, &WriteOptions::new(), watch).unwrap();
    assert_eq!((seen, rows(&path)), (10, 100));
    assert_eq!(listing(place.path()), ["new.parquet"]);
}

#[test]
fn a_run_that_fails_leaves_the_old_file_and_no_other() {
    let (place, path) = Place::with_old("old.parquet");
    let unchanged = |what: &str| {
        assert_eq!(fs::read_to_string(&path).unwrap(), OLD, "{what}");
        assert_eq!(listing(place.path()), ["old.parquet"], "{what}");
    };
    let options = WriteOptions::new().with_overwrite(true);
    let error = to_parquet(&bad(), &path, &options, Watch::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Decode(_)));
    unchanged("a bad record");
    let mut refuse =
        |progress: Progress| if progress.rows > 50 { Err(io::Error::other("no").into()) } else { Ok(()) };
    let watch = Watch { progress: Some(&mut refuse), cancel: Cancel::never() };
    assert!(to_parquet(&good(), &path, &options, watch).is_err());
    unchanged("the one who follows has had enough");
    let watch = Watch { progress: None, cancel: Cancel::when(|| true) };
    let error = to_parquet(&good(), &path, &options, watch).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Interrupted));
    unchanged("interrupted");
    let error = write_arrow(&bad(), &path, true, true, Watch::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Decode(_)));
    unchanged("an Arrow file");
}

#[test]
fn a_run_that_panics_leaves_the_old_file_and_no_other() {
    let (place, path) = Place::with_old("old.parquet");
    let mut panics = |_: Progress| panic!("of the caller");
    let watch = Watch { progress: Some(&mut panics), cancel: Cancel::never() };
    let options = WriteOptions::new().with_overwrite(true);
    let convert = std::panic::AssertUnwindSafe(|| to_parquet(&good(), &path, &options, watch));
    assert!(std::panic::catch_unwind(convert).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
    assert_eq!(listing(place.path()), ["old.parquet"]);
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let place = Place::new();
    let path = place.join("new.parquet");
    let mut intrude = |_: Progress| Ok(fs::write(&path, OLD)?);
    let watch = Watch { progress: Some(&mut intrude), cancel: Cancel::never() };
    let error = to_parquet(&good(), &path, &WriteOptions::new(), watch).unwrap_err();
    assert_eq!(io_kind(&error), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
    assert_eq!(listing(place.path()), ["new.parquet"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn overwriting_keeps_the_mode() {
        for wanted in [0o640, 0o600, 0o666, 0o755, 0o444] {
            let (_place, path) = Place::with_old("old.parquet");
            fs::set_permissions(&path, fs::Permissions::from_mode(wanted)).unwrap();
            convert(&good(), &path, true).unwrap();
            assert_eq!((mode(&path), rows(&path)), (wanted, 100));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_new_file_has_the_mode_that_the_umask_leaves() {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
        let umask = u32::from_str_radix(umask.trim(), 8).unwrap();
        let place = Place::new();
        convert(&good(), &place.join("new.parquet"), false).unwrap();
        assert_eq!(mode(&place.join("new.parquet")), 0o666 & !umask);
        // As the system itself makes them.
        fs::write(place.join("other"), "").unwrap();
        assert_eq!(mode(&place.join("new.parquet")), mode(&place.join("other")));
    }

    #[test]
    fn a_symbolic_link_is_followed() {
        let place = Place::new();
        fs::create_dir(place.join("real")).unwrap();
        fs::create_dir(place.join("links")).unwrap();
        fs::write(place.join("real/file.parquet"), OLD).unwrap();
        symlink("../real/file.parquet", place.join("links/one.parquet")).unwrap();
        symlink("one.parquet", place.join("links/two.parquet")).unwrap();
        let error = convert(&good(), &place.join("links/two.parquet"), false).unwrap_err();
        assert_eq!(io_kind(&error), io::ErrorKind::AlreadyExists);
        convert(&good(), &place.join("links/two.parquet"), true).unwrap();
        assert_eq!(rows(&place.join("real/file.parquet")), 100);
        assert!(place.join("links/one.parquet").is_symlink() && place.join("links/two.parquet").is_symlink());
        assert_eq!(listing(&place.join("real")), ["file.parquet"]);
        assert_eq!(listing(&place.join("links")), ["one.parquet", "two.parquet"]);
    }

    #[test]
    fn other_names_of_the_old_file_keep_the_old_file() {
        let (place, path) = Place::with_old("old.parquet");
        fs::hard_link(&path, place.join("other")).unwrap();
        convert(&good(), &path, true).unwrap();
        assert_eq!(fs::read_to_string(place.join("other")).unwrap(), OLD);
        assert_eq!(rows(&path), 100);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let place = Place::new();
        let socket = std::os::unix::net::UnixListener::bind(place.join("socket.parquet")).unwrap();
        for overwrite in [false, true] {
            let error = convert(&good(), &place.join("socket.parquet"), overwrite).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
        assert_eq!(listing(place.path()), ["socket.parquet"]);
        drop(socket);
    }
}

#[test]
fn a_directory_gets_a_file_for_each_input() {
    for (name, exists) in [("out", false), ("out.d/", false), ("deep/out", false), ("exists.d", true)] {
        let place = Place::new();
        let out = place.join(name);
        if exists {
            fs::create_dir(&out).unwrap();
        }
        fs::write(place.join("a.msgpack"), records(10, 2)).unwrap();
        fs::write(place.join("b.x.mp"), records(20, 2)).unwrap();
        let inputs = vec![
            Input::path(place.join("a.msgpack")),
            input(records(30, 2)),
            Input::path(place.join("b.x.mp")),
        ];
        let report = convert(&Source::new(inputs, ReadOptions::new()).unwrap(), &out, false).unwrap();
        assert_eq!(listing(&out), ["a.parquet", "b.x.parquet", "part-00001.parquet"]);
        assert_eq!((rows(&out.join("a.parquet")), rows(&out.join("b.x.parquet"))), (10, 20));
        assert_eq!(rows(&out.join("part-00001.parquet")), 30);
        assert_eq!(
            report.outputs,
            ["a.parquet", "part-00001.parquet", "b.x.parquet"].map(|name| out.join(name))
        );
        assert_eq!((report.rows, report.files), (60, 3));
    }
}

#[test]
fn a_target_with_an_extension_is_a_file() {
    let place = Place::new();
    convert(&good(), &place.join("file.pq"), false).unwrap();
    assert_eq!(rows(&place.join("file.pq")), 100);
    // As is one without, if it is a file already.
    fs::write(place.join("file"), OLD).unwrap();
    convert(&good(), &place.join("file"), true).unwrap();
    assert_eq!(rows(&place.join("file")), 100);
}

#[test]
fn two_inputs_for_one_file_of_a_directory_are_refused() {
    let place = Place::new();
    for name in ["x/a.msgpack", "x/a.mp"] {
        fs::create_dir_all(place.join(name).parent().unwrap()).unwrap();
        fs::write(place.join(name), records(10, 2)).unwrap();
    }
    let source = Source::scan([place.join("x")], ReadOptions::new()).unwrap();
    let error = convert(&source, &place.join("out"), true).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Option(_)));
    assert!(error.to_string().contains("a.parquet") && error.to_string().contains("a.msgpack"), "{error}");
    assert!(!place.join("out/a.parquet").exists());
}

#[test]
fn a_directory_with_one_file_too_many_is_refused_before_anything_is_written() {
    let place = Place::new();
    fs::create_dir(place.join("out")).unwrap();
    fs::write(place.join("out/part-00001.parquet"), OLD).unwrap();
    let source = Source::new(vec![input(records(5, 2)), input(records(5, 2))], ReadOptions::new()).unwrap();
    let error = convert(&source, &place.join("out"), false).unwrap_err();
    assert_eq!(io_kind(&error), io::ErrorKind::AlreadyExists);
    assert_eq!(listing(&place.join("out")), ["part-00001.parquet"]);
}

#[test]
fn the_inputs_of_a_directory_are_rejected_from_in_their_order() {
    let place = Place::new();
    let bytes = |number: u8| [records(5, 2), vec![0xc0; number.into()]].concat();
    let inputs = (1..4).map(|number| Input::bytes(&format!("file {number}"), bytes(number))).collect();
    let source = Source::new(inputs, ReadOptions::new().with_on_error(OnError::Skip)).unwrap();
    let report = convert(&source, &place.join("out"), false).unwrap();
    assert_eq!((report.rejects, report.rows), (6, 15));
    let files: Vec<_> = source.rejects().details().iter().map(|reject| reject.file.to_string()).collect();
    assert_eq!(files, ["file 1", "file 2", "file 2", "file 3", "file 3", "file 3"]);
}

#[test]
fn a_file_can_be_replaced_by_its_own_conversion() {
    let place = Place::new();
    let path = place.join("same.msgpack");
    for threads in [1, 3] {
        fs::write(&path, records(5000, 2)).unwrap();
        let options = ReadOptions::new().with_threads(threads).with_batch_rows(100);
        let source = Source::scan([&path], options).unwrap();
        assert_eq!(io_kind(&convert(&source, &path, false).unwrap_err()), io::ErrorKind::AlreadyExists);
        assert_eq!(source.count_rows().unwrap(), 5000);
        convert(&source, &path, true).unwrap();
        assert_eq!(rows(&path), 5000);
    }
}

#[test]
fn a_directory_that_does_not_exist_is_made() {
    let place = Place::new();
    convert(&good(), &place.join("missing/out.parquet"), false).unwrap();
    assert!(place.join("missing/out.parquet").is_file());
}

#[test]
fn a_file_that_the_system_refuses_is_an_error_that_names_it() {
    let place = Place::new();
    let error = convert(&good(), &place.join(&format!("{}.parquet", "x".repeat(300))), false).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { path: Some(_), .. }), "{error}");
    assert!(listing(place.path()).is_empty());
}
