//! Inputs: what a name stands for, streams, and files that somebody writes to.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use vecpack::{Cancel, Error, ErrorKind, Input, OnError, OpenStream, ReadOptions, Source, discover};

use crate::support::{Pieces, drain, record, records};

fn names(found: Vec<Input>, root: &Path) -> Vec<String> {
    let relative = |input: &Input| input.as_path().unwrap().strip_prefix(root).unwrap().display().to_string();
    found.iter().map(relative).collect()
}

fn io_error(error: &Error) -> &io::Error {
    match error.kind() {
        ErrorKind::Io { source, .. } => source,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_directory_stands_for_its_messagepack_files_sorted() {
    let directory = crate::support::directory();
    let root = directory.path();
    fs::create_dir_all(root.join("sub/.hidden")).unwrap();
    for name in [
        "b.msgpack",
        "a.mp",
        "sub/c.MSG",
        "sub/d.mpack",
        "e.messagepack",
        "no.txt",
        ".f.mp",
        "sub/.hidden/g.mp",
        "mp",
    ] {
        fs::write(root.join(name), records(1, 2)).unwrap();
    }
    let expected = ["a.mp", "b.msgpack", "e.messagepack", "sub/c.MSG", "sub/d.mpack"];
    assert_eq!(names(discover(root).unwrap(), root), expected);
    let source = Source::scan([root], ReadOptions::new()).unwrap();
    assert_eq!(source.count_rows().unwrap(), 5);
}

#[cfg(unix)]
#[test]
fn links_in_a_directory_that_lead_nowhere_or_back_cost_nothing_but_a_missing_input_is_named() {
    use std::os::unix::fs::symlink;

    let directory = crate::support::directory();
    let root = &directory.path().join("root");
    fs::create_dir_all(root.join("sub/.hidden")).unwrap();
    for name in ["a.msgpack", "sub/b.msgpack", "sub/.hidden/c.msgpack"] {
        fs::write(root.join(name), records(1, 2)).unwrap();
    }
    for link in ["readme.txt", ".hidden.msgpack", "sub/foo.conf", "sub/.hidden/d.msgpack", "nothing"] {
        symlink("/nonexistent/file", root.join(link)).unwrap();
    }
    symlink("itself", root.join("itself")).unwrap();
    for back in ["loop", "sub/loop", "sub/loop.msgpack", ".loop"] {
        symlink(root, root.join(back)).unwrap();
    }
    symlink("../../elsewhere.msgpack", root.join("sub/z.msgpack")).unwrap();
    fs::write(directory.path().join("elsewhere.msgpack"), records(1, 2)).unwrap();
    assert_eq!(names(discover(root).unwrap(), root), ["a.msgpack", "sub/b.msgpack", "sub/z.msgpack"]);
    assert_eq!(Source::scan([root], ReadOptions::new()).unwrap().count_rows().unwrap(), 3);

    for (target, kind) in [("/nonexistent/file", "No such file"), ("gone.msgpack.gz", "symbolic links")] {
        let missing = root.join("sub/gone.msgpack.gz");
        symlink(target, &missing).unwrap();
        let error = discover(root).unwrap_err();
        let ErrorKind::Io { path: Some(path), .. } = error.kind() else { panic!("{error:?}") };
        assert_eq!(path, &missing);
        assert!(error.to_string().contains(kind), "{error}");
        fs::remove_file(missing).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn links_give_no_file_twice() {
    use std::os::unix::fs::symlink;

    let directory = crate::support::directory();
    let root = directory.path();
    let data = &root.join("data");
    fs::create_dir_all(data.join("x/y")).unwrap();
    fs::create_dir(root.join("other")).unwrap();
    for name in ["data/a.msgpack", "data/x/b.msgpack", "other/c.msgpack"] {
        fs::write(root.join(name), records(1, 2)).unwrap();
    }
    let found = |name: &str| names(discover(&root.join(name)).unwrap(), root);
    let own = ["data/a.msgpack", "data/x/b.msgpack"];

    // Loops: two of them in one directory lead to 2^40 names before the system refuses one.
    symlink("..", data.join("up")).unwrap();
    symlink("../../x", data.join("x/y/z")).unwrap();
    symlink("../../x", data.join("x/y/zz")).unwrap();
    symlink("../..", data.join("x/back")).unwrap();
    let all = ["data/a.msgpack", "data/x/b.msgpack", "other/c.msgpack"];
    for (name, expected) in [
        ("data", &own[..]),
        ("data/**/*.msgpack", &own),
        ("data/../data/**/*.msgpack", &["data/../data/a.msgpack", "data/../data/x/b.msgpack"]),
        ("da*/**/*.msgpack", &own),
        ("", &all),
        ("**/*.msgpack", &all),
        ("**/x/**/b.*", &own[1..]),
        ("data/x/y/**/*.msgpack", &[][..]),
        ("data/x/y/*/*.msgpack", &["data/x/y/z/b.msgpack"]),
        ("data/up/data/*.msgpack", &["data/up/data/a.msgpack"]),
    ] {
        if expected.is_empty() {
            assert_eq!(io_error(&discover(&root.join(name)).unwrap_err()).kind(), io::ErrorKind::NotFound);
        } else {
            assert_eq!(found(name), expected, "{name}");
        }
    }

    // Out of the directory, and from there back to what is above it.
    symlink("../other", data.join("w")).unwrap();
    symlink("../data", root.join("other/d")).unwrap();
    symlink("..", root.join("other/e")).unwrap();
    let with_other = ["data/a.msgpack", "data/w/c.msgpack", "data/x/b.msgpack"];
    assert_eq!(found("data"), with_other);
    assert_eq!(found("data/**/*.msgpack"), with_other);

    // Second names of what is there, before and behind it in the order of names.
    for latest in ["data-0", "a-latest", "latest"] {
        symlink("data", root.join(latest)).unwrap();
    }
    for link in ["data/0.msgpack", "data/z.msgpack"] {
        symlink("a.msgpack", root.join(link)).unwrap();
    }
    assert_eq!(found(""), all);
    assert_eq!(found("*/*.msgpack"), ["data/a.msgpack", "other/c.msgpack"]);
    // Asked for by these names, they are there.
    assert_eq!(found("**/latest/*.msgpack"), ["latest/a.msgpack"]);
    assert_eq!(found("latest/x"), ["latest/x/b.msgpack"]);
    assert_eq!(found("data/z*"), ["data/z.msgpack"]);
    let twice = [data.join("a.msgpack"), data.join("a.msgpack"), data.join("z.msgpack")];
    assert_eq!(Source::scan(&twice, ReadOptions::new()).unwrap().count_rows().unwrap(), 3);
}

#[test]
fn a_pattern_stands_for_the_files_that_match_sorted() {
    let directory = crate::support::directory();
    let root = directory.path();
    fs::create_dir(root.join("x.d")).unwrap();
    for name in ["2.x", "1.x", "3.y", "x[1].z"] {
        fs::write(root.join(name), "").unwrap();
    }
    assert_eq!(names(discover(&root.join("*.[x-y]")).unwrap(), root), ["1.x", "2.x", "3.y"]);
    assert_eq!(names(discover(&root.join("x*")).unwrap(), root), ["x[1].z"], "directories do not count");
    assert_eq!(
        names(discover(&root.join("x[1].z")).unwrap(), root),
        ["x[1].z"],
        "a file of that name exists"
    );
}

#[test]
fn a_name_that_stands_for_nothing_is_an_error_that_says_so() {
    let directory = crate::support::directory();
    for name in ["missing.mp", "*.mp", ""] {
        let error = discover(&directory.path().join(name)).unwrap_err();
        assert_eq!(io_error(&error).kind(), io::ErrorKind::NotFound, "{error}");
        assert!(error.to_string().starts_with(&directory.path().display().to_string()), "{error}");
    }
    let error = discover(&directory.path().join("[")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Option(_)), "{error}");
}

#[test]
fn a_file_that_is_gone_is_an_error_that_names_it() {
    let directory = crate::support::directory();
    let path = directory.path().join("gone.mp");
    fs::write(&path, records(1, 2)).unwrap();
    let source = Source::scan([&path], ReadOptions::new()).unwrap();
    fs::remove_file(&path).unwrap();
    let error = source.count_rows().unwrap_err();
    assert_eq!(io_error(&error).kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("gone.mp"), "{error}");
}

/// Reads a file of 1000 records, does `write` to it after the first batch, and gives the rows and the error.
fn read_while(threads: usize, write: impl Fn(&Path)) -> (usize, Error) {
    let directory = crate::support::directory();
    let path = directory.path().join("busy.mp");
    fs::write(&path, records(1000, 2)).unwrap();
    let options = ReadOptions::new().with_threads(threads).with_batch_rows(10).with_on_error(OnError::Skip);
    let mut reader = Source::scan([&path], options).unwrap().reader().unwrap();
    let mut rows = reader.next_batch().unwrap().unwrap().num_rows();
    write(&path);
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => rows += batch.num_rows(),
            Ok(None) => unreachable!("a short success of {rows} rows"),
            Err(error) => {
                assert_eq!(reader.rejects().count(), 0);
                return (rows, error);
            }
        }
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error_that_says_so() {
    for threads in [1, 2, 5] {
        for length in [0, 10, 5000, 5003, 9990, 9999] {
            let cut =
                |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
            let (rows, error) = read_while(threads, cut);
            assert!(error.to_string().ends_with("busy.mp: the file changed while it was read"), "{error}");
            assert!(rows <= 1000);
        }
    }
}

#[test]
fn a_file_that_is_appended_to_while_it_is_read_is_an_error_that_says_so() {
    for threads in [1, 2, 5] {
        let append = |path: &Path| {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap();
            file.write_all(&record(&[1.0, 2.0])).unwrap();
            // In the same tick of a coarse clock: the length alone tells.
            file.set_modified(modified).unwrap();
        };
        let (rows, error) = read_while(threads, append);
        assert!(error.to_string().ends_with("busy.mp: the file changed while it was read"), "{error}");
        assert_eq!(rows, 1000);
    }
}

#[test]
fn a_file_that_is_written_in_place_while_it_is_read_is_an_error_that_says_so() {
    let write = |path: &Path| {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all(&record(&[1.0, 2.0])).unwrap();
        // Clocks of file systems are coarse: two writes may fall into one tick.
        file.set_modified(SystemTime::now() + Duration::from_secs(10)).unwrap();
    };
    let (rows, error) = read_while(1, write);
    assert!(error.to_string().ends_with("busy.mp: the file changed while it was read"), "{error}");
    assert_eq!(rows, 1000);
}

/// Like standard input: can be opened once.
struct Once(Pieces, AtomicBool);

impl OpenStream for Once {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        if self.1.swap(true, Ordering::Relaxed) {
            return Err(io::Error::other("can be read only once"));
        }
        self.0.open()
    }
}

fn once(bytes: Vec<u8>, sizes: &[usize]) -> Input {
    let pieces = Pieces { bytes: bytes.into(), sizes: sizes.to_vec() };
    Input::stream("<once>", Once(pieces, AtomicBool::new(false)))
}

#[test]
fn a_stream_that_opens_once_is_inferred_from_and_read_in_full() {
    for threads in [1, 4] {
        for sizes in [&[1][..], &[7, 100], &[1 << 20]] {
            let bytes = [vec![0xc0; 20], records(1000, 2)].concat();
            let options = ReadOptions::new().with_threads(threads).with_on_error(OnError::Skip);
            let source = Source::new(vec![once(bytes, sizes)], options).unwrap();
            let scan = drain(source.reader().unwrap());
            assert_eq!((scan.rows.len(), scan.notes.len(), scan.error.is_none()), (1000, 20, true));
        }
    }
}

#[test]
fn a_stream_that_opens_once_cannot_be_read_twice_and_says_so() {
    let source = Source::new(vec![once(records(3, 2), &[5])], ReadOptions::new()).unwrap();
    assert_eq!(source.count_rows().unwrap(), 3);
    let error = source.count_rows().unwrap_err();
    assert_eq!(error.to_string(), "<once>: can be read only once");
}

#[test]
fn a_stream_that_opens_again_can_be_read_again() {
    let pieces = Pieces { bytes: records(100, 2).into(), sizes: vec![3, 50] };
    let source = Source::new(vec![Input::stream("again", pieces)], ReadOptions::new()).unwrap();
    for _ in 0..3 {
        assert_eq!(source.count_rows().unwrap(), 100);
    }
    assert_eq!(source.size().unwrap(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_under_a_path_is_inferred_from_and_read_in_full() {
    use std::os::fd::AsRawFd;
    for options in [ReadOptions::new().with_dim(2), ReadOptions::new()] {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&records(100, 2)).unwrap();
        drop(writer);
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let source = Source::scan([&path], options.clone()).unwrap();
        assert_eq!(source.count_rows().unwrap(), 100, "dim {:?}", options.dim);
    }
}

/// Gives some bytes, then does something else.
struct Breaks(fn() -> io::Result<usize>);

impl OpenStream for Breaks {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        struct Broken(fn() -> io::Result<usize>);
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                (self.0)()
            }
        }
        Ok(Box::new(io::Cursor::new(records(10, 2)).chain(Broken(self.0))))
    }
}

#[test]
fn an_error_of_a_stream_is_the_error_of_the_scan() {
    let input =
        Input::stream("s", Breaks(|| Err(io::Error::new(io::ErrorKind::ConnectionReset, "gone\0\n"))));
    for threads in [1, 3] {
        let options = ReadOptions::new().with_dim(2).with_threads(threads);
        let error = Source::new(vec![input.clone()], options).unwrap().count_rows().unwrap_err();
        assert_eq!(io_error(&error).kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(error.to_string(), "s: gone\\u{0}\\n");
    }
}

#[test]
fn a_panic_of_a_stream_is_an_error() {
    let input = Input::stream("s", Breaks(|| panic!("what\0")));
    for threads in [1, 3] {
        let options = ReadOptions::new().with_dim(2).with_threads(threads);
        let error = Source::new(vec![input.clone()], options).unwrap().count_rows().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Internal(_)));
        assert!(error.to_string().ends_with("what\\u{0}"), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn waiting_for_a_fifo_that_nobody_writes_to_ends_when_the_check_says_so() {
    let directory = crate::support::directory();
    let path = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let check = move || match count.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Ok(()),
        _ => Err(io::Error::other("enough").into()),
    };
    let input = Input::path(&path).with_cancel(Cancel::new(check));
    let error = Source::new(vec![input], ReadOptions::new()).unwrap_err();
    assert!(error.to_string().ends_with("fifo: enough"), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[test]
fn a_stream_with_a_check_is_read_as_one_without() {
    for sizes in [&[1][..], &[700, 3], &[1 << 30]] {
        let input = once(records(2000, 2), sizes).with_cancel(Cancel::new(|| Ok(())));
        let scan = drain(Source::new(vec![input], ReadOptions::new()).unwrap().reader().unwrap());
        assert!(scan.error.is_none());
        assert!(
            scan.rows
                == drain(
                    Source::new(vec![crate::support::input(records(2000, 2))], ReadOptions::new())
                        .unwrap()
                        .reader()
                        .unwrap()
                )
                .rows
        );
    }
    for (breaks, text) in
        [(Breaks(|| Err(io::Error::other("gone"))), "gone"), (Breaks(|| panic!("what")), "died")]
    {
        let input = Input::stream("s", breaks).with_cancel(Cancel::new(|| Ok(())));
        let error =
            Source::new(vec![input], ReadOptions::new().with_dim(2)).unwrap().count_rows().unwrap_err();
        assert!(error.to_string().ends_with(text), "{error}");
    }
}

#[test]
fn an_interrupted_read_is_done_again() {
    struct Nervous(bool, io::Cursor<Vec<u8>>);
    impl Read for Nervous {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 { Err(io::ErrorKind::Interrupted.into()) } else { self.1.read(&mut out[..7]) }
        }
    }
    struct Opener;
    impl OpenStream for Opener {
        fn open(&self) -> io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(Nervous(false, io::Cursor::new(records(10, 2)))))
        }
    }
    let source = Source::new(vec![Input::stream("s", Opener)], ReadOptions::new()).unwrap();
    assert_eq!(source.count_rows().unwrap(), 10);
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(unix)]
#[test]
fn no_error_text_holds_a_control_character() {
    let directory = crate::support::directory();
    let name = "new\nline \x1b[31mred\u{85}\u{7f}.mp";
    let path = directory.path().join(name);
    fs::write(&path, [records(1, 2), vec![0xc0]].concat()).unwrap();
    let source = Source::scan([&path], ReadOptions::new()).unwrap();
    let error = source.count_rows().unwrap_err();
    assert!(is_clean(&error.to_string()) && error.to_string().contains("new\\nline"), "{error}");
    let arrow = source.reader().unwrap().find_map(Result::err).unwrap();
    assert!(is_clean(&arrow.to_string()), "{arrow}");
    fs::remove_file(&path).unwrap();
    let error = source.count_rows().unwrap_err();
    assert!(is_clean(&error.to_string()), "{error}");
    let arrow = source.reader().unwrap().find_map(Result::err).unwrap();
    assert!(is_clean(&arrow.to_string()), "{arrow}");
    let error = Source::scan([&path], ReadOptions::new()).unwrap_err();
    assert!(is_clean(&error.to_string()), "{error}");
    let error = discover(&directory.path().join("\0*")).unwrap_err();
    assert!(is_clean(&error.to_string()), "{error}");
}

#[test]
fn an_error_that_passes_through_arrow_keeps_its_place() {
    let directory = crate::support::directory();
    let path = directory.path().join("gone.mp");
    fs::write(&path, records(1, 2)).unwrap();
    let source = Source::scan([&path], ReadOptions::new()).unwrap();
    fs::remove_file(&path).unwrap();
    let arrow = source.reader().unwrap().find_map(Result::err).unwrap();
    let error = Error::from(arrow);
    assert_eq!(io_error(&error).kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("gone.mp"), "{error}");
    let bad = Source::new(vec![Input::bytes("bad", vec![0xc0])], ReadOptions::new().with_dim(2)).unwrap();
    let error = Error::from(bad.reader().unwrap().find_map(Result::err).unwrap());
    assert_eq!(
        (crate::support::rejected(&error).record, &*crate::support::rejected(&error).file),
        (0, "bad")
    );
}

/// The same bytes as gzip, zstd and lz4 hold them.
fn compressed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(bytes).unwrap();
    [gzip.finish().unwrap(), zstd::encode_all(bytes, 1).unwrap(), lz4.finish().unwrap()]
}

#[test]
fn damage_at_the_start_of_the_only_compressed_input_is_named() {
    for bytes in compressed(&records(5000, 16)) {
        let mut damaged = bytes.clone();
        damaged[12..].fill(0);
        for bytes in [damaged, bytes[..16].to_vec()] {
            let pieces = Pieces { bytes: bytes.clone().into(), sizes: vec![7] };
            for input in [Input::bytes("ha\tlf", bytes), Input::stream("ha\tlf", pieces)] {
                let told = |on_error| {
                    let options = ReadOptions::new().with_on_error(on_error);
                    let source = Source::new(vec![input.clone()], options);
                    source.and_then(|source| source.count_rows()).unwrap_err().to_string()
                };
                let raised = told(OnError::Raise);
                assert!(
                    raised.contains("; ha\\tlf: the ") && raised.contains(" data is cut off or damaged: "),
                    "{raised}"
                );
                assert_eq!([told(OnError::Skip), told(OnError::Null)], [&*raised; 2]);
            }
        }
    }
}

#[test]
fn compressed_inputs_of_every_kind_are_read_as_what_is_in_them() {
    let directory = crate::support::directory();
    let plain = records(5000, 16);
    let expected = drain(source_of(Input::bytes("plain", plain.clone()), 1).reader().unwrap()).rows;
    for (number, bytes) in compressed(&plain).into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.msgpack")); // no name that tells
        fs::write(&path, &bytes).unwrap();
        let stream = Pieces { bytes: bytes.clone().into(), sizes: vec![1, 1000] };
        for input in [Input::path(&path), Input::bytes("b", bytes.clone()), Input::stream("s", stream)] {
            for threads in [1, 4] {
                let source = source_of(input.clone(), threads);
                for _ in 0..2 {
                    let scan = drain(source.reader().unwrap());
                    assert!(scan.error.is_none() && scan.rows == expected, "{input:?}, {threads} threads");
                }
                if let Some(size) = input.size().unwrap() {
                    let mut reader = source.reader().unwrap();
                    while reader.next_batch().unwrap().is_some() {}
                    assert_eq!(reader.progress().bytes, size, "progress is that of the file as it is stored");
                }
                if input.as_path().is_some() {
                    let parts = source.split(3).unwrap();
                    let rows = parts.iter().flat_map(|part| drain(part.reader().unwrap()).rows);
                    assert!(rows.eq(expected.clone()));
                }
            }
        }
    }
}

fn source_of(input: Input, threads: usize) -> Source {
    let options = ReadOptions::new().with_threads(threads).with_batch_rows(64);
    Source::new(vec![input], options).unwrap()
}

#[test]
fn a_compressed_input_that_is_cut_off_is_an_error_that_names_it() {
    for bytes in compressed(&records(5000, 16)) {
        let input = Input::bytes("half", bytes[..bytes.len() / 2].to_vec());
        let source = Source::new(vec![input], ReadOptions::new().with_dim(16)).unwrap();
        let error = source.count_rows().unwrap_err();
        let reject = crate::support::rejected(&error);
        assert_eq!(reject.offset, 66 * reject.record, "{error}");
        assert!(error.to_string().contains("expected the rest of the input, found the "), "{error}");
    }
}

#[test]
fn a_directory_stands_for_compressed_files_too() {
    let directory = crate::support::directory();
    let [gzip, zstd, lz4] = compressed(&records(3, 2));
    for (name, bytes) in
        [("a.msgpack.gz", &gzip), ("b.MP.ZST", &zstd), ("c.msg.lz4", &lz4), ("d.txt.gz", &gzip)]
    {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    let source = Source::scan([directory.path()], ReadOptions::new()).unwrap();
    assert_eq!((source.inputs().len(), source.count_rows().unwrap()), (3, 9));
}

#[cfg(not(feature = "object-store"))]
#[test]
fn a_url_is_refused_where_object_stores_were_left_out() {
    for name in ["s3://bucket/a.msgpack", "s3://bucket/dir/", "https://host/a.msgpack"] {
        let error = Source::scan([name], ReadOptions::new()).unwrap_err().to_string();
        assert!(error.starts_with(name) && error.contains("feature `object-store`"), "{error}");
    }
}
