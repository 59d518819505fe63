//! Directory runs go on where an earlier one ended: what is missing is made, and nothing else; every row is there once.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use arrow_array::RecordBatchReader;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use vecpack::{
    Cancel, Error, ErrorKind, Input, OnError, Progress, ReadOptions, Report, Source, Watch, WriteOptions,
    to_parquet,
};

use crate::support::record;

const MANIFEST: &str = "_vecpack/manifest.parquet";

struct Place {
    directory: crate::support::Directory,
}

impl Place {
    /// Inputs `0.msgpack` and so on, of so many rows: the vectors `[input, row]`.
    fn new(rows: &[usize]) -> Self {
        let place = Self { directory: crate::support::directory() };
        rows.iter().enumerate().for_each(|(input, rows)| place.write(input, *rows));
        place
    }

    fn join(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn input(&self, input: usize) -> PathBuf {
        self.join(&format!("{input:03}.msgpack"))
    }

    fn write(&self, input: usize, rows: usize) {
        let bytes: Vec<u8> = (0..rows).flat_map(|row| record(&[input as f32, row as f32])).collect();
        fs::write(self.input(input), bytes).unwrap();
    }

    /// Makes `input` another version of itself, to be told by its time alone.
    fn touch(&self, input: usize) {
        let file = fs::File::options().append(true).open(self.input(input)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(1000)).unwrap();
    }

    fn out(&self) -> PathBuf {
        self.join("out")
    }

    fn source(&self) -> Source {
        self.source_with(ReadOptions::new().with_batch_rows(50))
    }

    fn source_with(&self, options: ReadOptions) -> Source {
        Source::scan([self.join("*.msgpack")], options).unwrap()
    }

    fn run(&self, options: &WriteOptions) -> Result<Report, Error> {
        to_parquet(&self.source(), &self.out(), options, Watch::default())
    }

    /// A run that is cut off when it has read so many rows.
    fn run_until(&self, options: &WriteOptions, rows: u64) {
        let mut stop = |progress: Progress| match progress.rows >= rows {
            true => Err(io::Error::other("enough").into()),
            false => Ok(()),
        };
        let watch = Watch { progress: Some(&mut stop), cancel: Cancel::never() };
        let error = to_parquet(&self.source(), &self.out(), options, watch).unwrap_err();
        assert!(error.to_string().contains("enough"), "{error}");
    }

    /// The rows that are in the directory, each with how often it is.
    fn rows(&self) -> BTreeMap<(usize, usize), usize> {
        let mut rows = BTreeMap::new();
        for name in listing(&self.out()) {
            let file = fs::File::open(self.out().join(name)).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            for batch in reader {
                let batch = batch.unwrap();
                let values =
                    batch.column(0).as_fixed_size_list().values().as_primitive::<Float32Type>().clone();
                for row in values.values().chunks_exact(2) {
                    *rows.entry((row[0] as usize, row[1] as usize)).or_default() += 1;
                }
            }
        }
        rows
    }

    /// Every row of inputs of so many rows is there once, and nothing else.
    fn assert_complete(&self, inputs: &[usize]) {
        let all =
            inputs.iter().enumerate().flat_map(|(input, rows)| (0..*rows).map(move |row| ((input, row), 1)));
        assert_eq!(self.rows(), all.collect());
    }

    fn times(&self) -> BTreeMap<String, SystemTime> {
        let time = |name: String| {
            let modified = fs::metadata(self.out().join(&name)).unwrap().modified().unwrap();
            (name, modified)
        };
        listing(&self.out()).into_iter().map(time).collect()
    }
}

/// The names of outputs, sorted; nothing else is there but the manifest.
fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().display().to_string()).collect();
    names.sort();
    let all = names.len();
    names.retain(|name| name != "_vecpack");
    assert_eq!(names.len() + 1, all);
    assert_eq!(fs::read_dir(directory.join("_vecpack")).unwrap().count(), 1);
    names
}

fn options() -> WriteOptions {
    WriteOptions::new().with_sync(false).with_compression(vecpack::Compression::None)
}

fn resume() -> WriteOptions {
    options().with_resume(true)
}

/// Parts of a few hundred rows.
fn in_parts(options: WriteOptions) -> WriteOptions {
    options.with_max_file_bytes(4000).with_row_group_bytes(800)
}

fn assert_option(result: Result<Report, Error>, text: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Option(_)), "{error:?}");
    assert!(error.to_string().contains(text), "{error}");
}

const ROWS: [usize; 6] = [100, 300, 0, 50, 700, 200];

fn both(test: impl Fn(fn(WriteOptions) -> WriteOptions)) {
    test(|options| options);
    test(in_parts);
}

#[test]
fn a_run_that_was_cut_off_is_finished() {
    both(|mode| {
        for cut in [1, 50, 100, 250, 400, 401, 500, 1150, 1350] {
            let place = Place::new(&ROWS);
            place.run_until(&mode(options()), cut);
            let before = place.times();
            let report = place.run(&mode(resume())).unwrap();
            place.assert_complete(&ROWS);
            assert_eq!(report.rows + report.rows_before, 1350, "{cut}");
            assert_eq!(report.files + report.files_before, 6, "{cut}");
            // What was done was not done again.
            assert!(cut < 450 || report.rows_before >= 400, "{cut}: {report:?}");
            let after = place.times();
            let kept = before.iter().filter(|(name, time)| after.get(*name) == Some(time)).count();
            assert!(kept + report.outputs.len() >= after.len(), "{cut}");
        }
    });
}

#[test]
fn a_run_that_is_cut_off_again_and_again_comes_to_its_end() {
    both(|mode| {
        let place = Place::new(&[40; 30]);
        place.run_until(&mode(options()), 1);
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 100);
            let mut calls = 0;
            let mut stop = |_: Progress| {
                calls += 1;
                // One call tells what was done before.
                if calls > 1 + 11 { Err(io::Error::other("enough").into()) } else { Ok(()) }
            };
            let watch = Watch { progress: Some(&mut stop), cancel: Cancel::never() };
            match to_parquet(&place.source(), &place.out(), &mode(resume()), watch) {
                Ok(_) => break,
                Err(error) => assert!(error.to_string().contains("enough"), "{error}"),
            }
        }
        assert!(rounds > 2);
        place.assert_complete(&[40; 30]);
    });
}

#[test]
fn a_complete_run_has_nothing_left_to_do() {
    both(|mode| {
        let place = Place::new(&ROWS);
        let whole = place.run(&mode(options())).unwrap();
        assert_eq!((whole.rows, whole.files, whole.files_before, whole.rows_before), (1350, 6, 0, 0));
        let (before, manifest) = (place.times(), fs::read(place.out().join(MANIFEST)).unwrap());
        let mut told = Vec::new();
        let mut tell = |progress: Progress| {
            told.push(progress);
            Ok(())
        };
        let watch = Watch { progress: Some(&mut tell), cancel: Cancel::never() };
        let report = to_parquet(&place.source(), &place.out(), &mode(resume()), watch).unwrap();
        assert_eq!((report.rows, report.files, report.files_before, report.rows_before), (0, 0, 6, 1350));
        assert!(report.outputs.is_empty() && report.bytes_in == 0);
        assert!(report.to_string().contains("before   1,350 rows from 6 inputs"), "{report}");
        assert_eq!(place.times(), before);
        assert_eq!(fs::read(place.out().join(MANIFEST)).unwrap(), manifest);
        // How far the whole is.
        let size = place.source().size().unwrap().unwrap();
        assert_eq!(told, [Progress { bytes: size, rows: 1350, files: 6 }]);
    });
}

#[test]
fn inputs_that_changed_are_done_again() {
    both(|mode| {
        let place = Place::new(&ROWS);
        place.run(&mode(options())).unwrap();
        place.write(1, 250);
        place.touch(5);
        let report = place.run(&mode(resume())).unwrap();
        assert!(report.rows >= 450 && report.rows < 1300, "{report:?}");
        place.assert_complete(&[100, 250, 0, 50, 700, 200]);
        // Also when it has no rows any more, and when it had none.
        place.write(4, 0);
        place.write(2, 7);
        place.run(&mode(resume())).unwrap();
        place.assert_complete(&[100, 250, 7, 50, 0, 200]);
        assert_eq!(place.run(&mode(resume())).unwrap().files, 0);
    });
}

#[test]
fn outputs_that_are_gone_or_of_another_size_are_made_again() {
    both(|mode| {
        let place = Place::new(&ROWS);
        place.run(&mode(options())).unwrap();
        let names = listing(&place.out());
        fs::remove_file(place.out().join(&names[0])).unwrap();
        let last = place.out().join(names.last().unwrap());
        fs::File::options().append(true).open(last).unwrap().write_all(b"more").unwrap();
        let report = place.run(&mode(resume())).unwrap();
        assert!(report.rows > 0 && report.rows_before > 0, "{report:?}");
        place.assert_complete(&ROWS);
        assert_eq!(place.run(&mode(resume())).unwrap().rows, 0);
    });
}

#[test]
fn new_inputs_are_added() {
    both(|mode| {
        let place = Place::new(&ROWS[..3]);
        place.run(&mode(options())).unwrap();
        (3..6).for_each(|input| place.write(input, ROWS[input]));
        let report = place.run(&mode(resume())).unwrap();
        assert_eq!((report.files, report.rows), (3, 950));
        place.assert_complete(&ROWS);
    });
}

#[test]
fn inputs_are_known_from_wherever_they_are_named() {
    both(|mode| {
        let place = Place::new(&ROWS);
        place.run(&mode(options())).unwrap();
        fs::create_dir(place.join("deep")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(place.directory.path(), place.join("deep/link")).unwrap();
        let source = Source::scan([place.join("deep/link/../*.msgpack")], ReadOptions::new());
        let source = if cfg!(unix) {
            Source::scan([place.join("deep/link/*.msgpack")], ReadOptions::new())
        } else {
            source
        };
        let report = to_parquet(&source.unwrap(), &place.out(), &mode(resume()), Watch::default()).unwrap();
        assert_eq!((report.files, report.files_before), (0, 6));
    });
}

#[test]
fn an_input_of_the_earlier_run_must_be_named() {
    both(|mode| {
        let place = Place::new(&ROWS);
        place.run(&mode(options())).unwrap();
        fs::remove_file(place.input(3)).unwrap();
        assert_option(place.run(&mode(resume())), "003.msgpack, which is not among the inputs");
    });
}

#[test]
fn an_input_that_is_named_twice_is_done_twice() {
    let place = Place::new(&[60, 60]);
    let source = |names: &[usize]| {
        Source::scan(names.iter().map(|&name| place.input(name)), ReadOptions::new().with_batch_rows(50))
            .unwrap()
    };
    let mut stop = |progress: Progress| match progress.rows > 120 {
        true => Err(io::Error::other("enough").into()),
        false => Ok(()),
    };
    let watch = Watch { progress: Some(&mut stop), cancel: Cancel::never() };
    let small = |options: WriteOptions| options.with_max_file_bytes(1).with_row_group_bytes(100);
    to_parquet(&source(&[0, 1, 0]), &place.out(), &small(options()), watch).unwrap_err();
    let report = to_parquet(&source(&[0, 1, 0]), &place.out(), &small(resume()), Watch::default()).unwrap();
    assert_eq!((report.files, report.files_before), (1, 2));
    let rows = place.rows();
    assert!((0..60).all(|row| rows[&(0, row)] == 2 && rows[&(1, row)] == 1));
}

#[test]
fn other_options_are_refused_and_options_of_the_work_are_not() {
    let place = Place::new(&ROWS);
    place.run(&options()).unwrap();
    assert_option(
        place.run(&resume().with_compression(vecpack::Compression::Zstd)),
        "option `compression` was `none`",
    );
    assert_option(place.run(&resume().with_row_group_bytes(800)), "option `row_group_bytes` was `4194304`");
    assert_option(place.run(&resume().with_max_file_bytes(1000)), "option `max_file_bytes` was not given");
    let read = ReadOptions::new();
    let refused = [
        (read.clone().with_dtype(vecpack::Dtype::Float64), "option `dtype` was `float32`"),
        (
            read.clone().with_on_error(OnError::Skip),
            "option `on_error` was `raise` in the earlier run and is `skip` now",
        ),
        (read.clone().with_include_path(true), "include_path"),
    ];
    for (read, text) in refused {
        let result = to_parquet(&place.source_with(read), &place.out(), &resume(), Watch::default());
        assert_option(result, text);
    }
    let same = read
        .with_threads(1)
        .with_batch_rows(7)
        .with_max_rejects(3)
        .with_infer_records(2)
        .with_store_window(1 << 20)
        .with_dim(2);
    let report = to_parquet(&place.source_with(same), &place.out(), &resume(), Watch::default()).unwrap();
    assert_eq!(report.files_before, 6);
    // The same columns, of other fields or under other names.
    let columns = |name: &str| ReadOptions::new().with_columns([(name, "vector")]);
    for (earlier, later) in [
        (place.source_with(columns("a")), place.source_with(columns("b"))),
        (place.source(), place.source().rename([("vector", "b")]).unwrap()),
    ] {
        let overwrite = options().with_overwrite(true);
        to_parquet(&earlier, &place.out(), &overwrite, Watch::default()).unwrap();
        assert_option(to_parquet(&later, &place.out(), &resume(), Watch::default()), "columns");
        assert_eq!(to_parquet(&earlier, &place.out(), &resume(), Watch::default()).unwrap().files, 0);
    }
    // Other columns, without any other option.
    place.write(0, 0);
    fs::write(place.input(0), record(&[1.0, 2.0, 3.0])).unwrap();
    (1..6).for_each(|input| fs::write(place.input(input), "").unwrap());
    assert_option(place.run(&resume()), "was ");
    assert_option(place.run(&options().with_overwrite(true).with_resume(true)), "pass one of them");
}

#[test]
fn a_directory_with_an_earlier_run_is_refused_or_made_anew() {
    both(|mode| {
        let place = Place::new(&ROWS);
        place.run_until(&mode(options()), 500);
        // Whatever it holds, and of whatever inputs.
        listing(&place.out()).iter().for_each(|name| fs::remove_file(place.out().join(name)).unwrap());
        let error = place.run(&mode(options())).unwrap_err();
        assert!(error.to_string().contains("holds an earlier run"), "{error}");
        assert!(
            error.to_string().contains("option `resume`") && error.to_string().contains("option `overwrite`"),
            "{error}"
        );
        place.write(0, 30);
        let overwrite = mode(options()).with_overwrite(true).with_compression(vecpack::Compression::Zstd);
        place.run(&overwrite).unwrap();
        place.assert_complete(&[30, 300, 0, 50, 700, 200]);
        assert_eq!(place.run(&mode(resume()).with_compression(vecpack::Compression::Zstd)).unwrap().files, 0);
    });
}

#[test]
fn an_overwriting_run_that_was_cut_off_is_finished() {
    both(|mode| {
        let place = Place::new(&[300, 300, 300, 300]);
        place.run(&mode(options())).unwrap();
        [100, 20, 0, 400].into_iter().enumerate().for_each(|(input, rows)| place.write(input, rows));
        place.run_until(&mode(options()).with_overwrite(true), 110);
        place.run(&mode(resume())).unwrap();
        place.assert_complete(&[100, 20, 0, 400]);
    });
}

#[test]
fn resume_in_an_empty_directory_is_a_run() {
    both(|mode| {
        let place = Place::new(&ROWS);
        assert_eq!(place.run(&mode(resume())).unwrap().rows, 1350);
        place.assert_complete(&ROWS);
    });
    // Files that no run has noted are somebody's.
    let place = Place::new(&ROWS);
    fs::create_dir(place.out()).unwrap();
    fs::write(place.out().join("000.parquet"), "mine").unwrap();
    let error = place.run(&resume()).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
}

#[test]
fn a_bad_input_ends_the_run_and_what_is_complete_stays() {
    both(|mode| {
        let place = Place::new(&ROWS);
        let good = fs::read(place.input(4)).unwrap();
        fs::write(place.input(4), [&good[..], &[0xc0]].concat()).unwrap();
        let error = place.run(&mode(options())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Decode(_)));
        let error = place.run(&mode(resume())).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Decode(_)));
        fs::write(place.input(4), good).unwrap();
        let report = place.run(&mode(resume())).unwrap();
        assert!(report.rows_before >= 100, "{report:?}");
        place.assert_complete(&ROWS);
    });
}

#[test]
fn rejects_of_inputs_that_are_done_are_counted() {
    let place = Place::new(&[20, 30]);
    for input in [0, 1] {
        let bytes = fs::read(place.input(input)).unwrap();
        fs::write(place.input(input), [bytes, vec![0xc0; input + 3]].concat()).unwrap();
    }
    let read = ReadOptions::new().with_on_error(OnError::Skip).with_max_rejects(1);
    let source = place.source_with(read);
    let report = to_parquet(&source, &place.out(), &options(), Watch::default()).unwrap();
    assert_eq!((report.rejects, report.rejects_before), (7, 0));
    fs::remove_file(place.out().join("000.parquet")).unwrap();
    let report = to_parquet(&source, &place.out(), &resume(), Watch::default()).unwrap();
    assert_eq!((report.rows, report.rejects), (20, 3));
    assert_eq!((report.rows_before, report.rejects_before, report.files_before), (30, 4, 1));
    let text = report.to_string();
    assert!(text.contains("30 rows from 1 input, done by an earlier run, 4 records rejected\n"), "{text}");
    assert!(text.ends_with("\n3 records rejected: 3 type"), "{text}");
}

#[test]
fn a_manifest_that_was_cut_anywhere_resumes() {
    both(|mode| {
        let place = Place::new(&[50, 60, 70]);
        place.run(&mode(options())).unwrap();
        let path = place.out().join(MANIFEST);
        let whole = fs::read(&path).unwrap();
        let head = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
        let mut done = Vec::new();
        for cut in (head..whole.len()).step_by(7).chain([whole.len()]) {
            // Whatever the disk kept of the rest.
            for rest in [&b""[..], &[0; 100], b"{\"done\":\n{}\n"] {
                fs::write(&path, [&whole[..cut], rest].concat()).unwrap();
                done.push(place.run(&mode(resume())).unwrap().files_before);
                place.assert_complete(&[50, 60, 70]);
                // Nothing of that rest is left behind its end.
                let file = fs::File::open(&path).unwrap();
                let manifest = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                assert_eq!(manifest.metadata().file_metadata().num_rows(), 0);
            }
        }
        assert!(done.is_sorted() && done[0] == 0 && done.last() == Some(&3), "{done:?}");
        // Without its first line nothing is known, and nothing is guessed.
        place.directory.is_damaged();
        for cut in [0, 3, 5, head - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = place.run(&mode(resume())).unwrap_err();
            assert!(error.to_string().contains("nothing can be resumed, option `overwrite`"), "{error}");
        }
    });
}

#[test]
fn a_byte_that_changed_in_the_manifest_is_no_line() {
    let place = Place::new(&[50, 60, 70]);
    place.run(&options()).unwrap();
    let path = place.out().join(MANIFEST);
    let text = fs::read(&path).unwrap();
    let at = text.windows(11).position(|bytes| bytes == b"\"rows\":60,\"").unwrap();
    let mut changed = text.clone();
    changed[at + 8] = b'1';
    fs::write(&path, changed).unwrap();
    assert_eq!(place.run(&resume()).unwrap().files_before, 1);
    place.assert_complete(&[50, 60, 70]);
}

#[test]
fn the_manifest_is_a_parquet_file_without_rows_at_any_time() {
    both(|mode| {
        let place = Place::new(&ROWS);
        let path = place.out().join(MANIFEST);
        let columns = place.source().schema();
        let mut looks = 0;
        let mut look = |_: Progress| {
            let file = fs::File::open(&path).unwrap();
            let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            assert_eq!(reader.schema().fields(), columns.fields());
            assert!(reader.next().is_none());
            looks += 1;
            Ok(())
        };
        let watch = Watch { progress: Some(&mut look), cancel: Cancel::never() };
        to_parquet(&place.source(), &place.out(), &mode(options()), watch).unwrap();
        assert!(looks > 10);
    });
}

#[test]
fn a_run_holds_its_directory() {
    let place = Place::new(&ROWS);
    let mut refused = 0;
    let mut again = |_: Progress| {
        for options in [resume(), options().with_overwrite(true)] {
            let error = place.run(&options).unwrap_err();
            assert!(error.to_string().contains("another run writes to this directory"), "{error}");
            refused += 1;
        }
        Ok(())
    };
    let watch = Watch { progress: Some(&mut again), cancel: Cancel::never() };
    to_parquet(&place.source(), &place.out(), &options(), watch).unwrap();
    assert!(refused > 10);
    place.assert_complete(&ROWS);
}

#[test]
fn what_cannot_be_resumed_is_refused() {
    let place = Place::new(&ROWS);
    let file = to_parquet(&place.source(), &place.join("one.parquet"), &resume(), Watch::default());
    assert_option(file, "one.parquet is one file");
    let bytes = Source::new(vec![Input::bytes("bytes", record(&[1.0]))], ReadOptions::new()).unwrap();
    assert_option(to_parquet(&bytes, &place.out(), &resume(), Watch::default()), "bytes is no file");
    let mut reader = place.source().reader().unwrap();
    assert_option(vecpack::write_parquet(&mut reader, &place.out(), &resume(), Watch::default()), "a stream");
}

#[cfg(unix)]
#[test]
fn a_manifest_that_is_no_file_is_an_error_that_says_so_and_is_not_waited_for() {
    let place = Place::new(&ROWS);
    place.run(&options()).unwrap();
    let manifest = place.out().join("_vecpack/manifest.parquet");
    fs::remove_file(&manifest).unwrap();
    let make_fifo = |path: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    for make in [&make_fifo as &dyn Fn(&Path), &|path| fs::create_dir(path).unwrap()] {
        make(&manifest);
        for options in [resume(), options(), options().with_overwrite(true), in_parts(resume())] {
            let (sender, ended) = std::sync::mpsc::channel();
            let (source, out) = (place.source(), place.out());
            std::thread::spawn(move || {
                let _ = sender.send(to_parquet(&source, &out, &options, Watch::default()));
            });
            let error = ended.recv_timeout(Duration::from_secs(20)).unwrap().unwrap_err();
            let ErrorKind::Io { path: Some(path), .. } = error.kind() else { panic!("{error:?}") };
            assert_eq!(path, &manifest);
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
        let _ = fs::remove_file(&manifest);
    }
}

#[test]
fn a_stream_does_not_go_among_the_files_of_a_run() {
    let place = Place::new(&ROWS);
    place.run(&options()).unwrap();
    let source = place.source();
    let write = |options: &WriteOptions| {
        vecpack::write_parquet(&mut source.reader().unwrap(), &place.out(), options, Watch::default())
    };
    let error = write(&in_parts(options())).unwrap_err();
    assert!(error.to_string().contains("holds an earlier run"), "{error}");
    write(&in_parts(options()).with_overwrite(true)).unwrap();
    assert!(!place.out().join("_vecpack").exists());
}

#[test]
fn inputs_do_not_lie_where_outputs_go() {
    let place = Place::new(&[3]);
    fs::create_dir(place.out()).unwrap();
    fs::rename(place.input(0), place.out().join("part-00000.parquet")).unwrap();
    let source = Source::scan([place.out().join("part-00000.parquet")], ReadOptions::new()).unwrap();
    let overwrite = options().with_overwrite(true);
    assert_option(to_parquet(&source, &place.out(), &in_parts(overwrite), Watch::default()), "must not lie");
}

#[test]
fn files_end_with_inputs_where_the_next_does_not_fit() {
    let place = Place::new(&[190; 20]);
    let report = place.run(&options().with_max_file_bytes(4500).with_row_group_bytes(800)).unwrap();
    // Each holds as many whole inputs as fit; none holds a piece of one.
    let rows: Vec<usize> = report
        .outputs
        .iter()
        .map(|path| {
            let file = fs::File::open(path).unwrap();
            ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().file_metadata().num_rows()
                as usize
        })
        .collect();
    assert!(rows.len() > 5 && rows.iter().all(|rows| rows % 190 == 0), "{rows:?}");
    assert!(report.outputs.iter().all(|path| fs::metadata(path).unwrap().len() < 7000));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf_8_are_resumed() {
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new(&[3]);
    for name in [&b"a\xff.msgpack"[..], b"a\xfe.msgpack", b"a\xc3\xbf.msgpack"] {
        fs::write(place.directory.path().join(std::ffi::OsStr::from_bytes(name)), record(&[9.0, 9.0]))
            .unwrap();
    }
    let run = |options: &WriteOptions| {
        let source = Source::scan([place.directory.path()], ReadOptions::new()).unwrap();
        to_parquet(&source, &place.out(), options, Watch::default()).unwrap()
    };
    assert_eq!(run(&options()).files, 4);
    let report = run(&resume());
    assert_eq!((report.files, report.files_before), (0, 4));
    fs::remove_file(place.out().join(std::ffi::OsStr::from_bytes(b"a\xff.parquet"))).unwrap();
    assert_eq!(run(&resume()).files, 1);
}
