//! The `vecpack` command, as people run it: the real binary in a directory of its own.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::Directory;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_ipc::reader::{FileReader, StreamReader};
use serde_json::Value;

/// Vectors of four float32, as `msgpack.pack(vector.tobytes(), file)` writes them: 18 bytes each.
fn records(vectors: std::ops::Range<u32>) -> Vec<u8> {
    vectors.flat_map(|number| record(&[number as f32, 0.5, -1.0, 2.0])).collect()
}

fn record(vector: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0xc4, 4 * vector.len() as u8];
    bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Three good records, one of three elements, one that is no vector, a good one.
fn broken() -> Vec<u8> {
    [records(0..3), record(&[9.0, 9.0, 9.0]), vec![0xa2, b'h', b'i'], vec![0x2a], records(3..4)].concat()
}

/// A directory with `good.msgpack` (1000 vectors) and `broken.msgpack`.
fn directory() -> Directory {
    let directory = crate::support::directory();
    fs::write(directory.path().join("good.msgpack"), records(0..1000)).unwrap();
    fs::write(directory.path().join("broken.msgpack"), broken()).unwrap();
    directory
}

fn vecpack(directory: &Directory, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vecpack"));
    // Help is as wide as this says where there is no terminal.
    command.current_dir(directory.path()).args(arguments).env_remove("COLUMNS");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

impl Ended {
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

fn run(directory: &Directory, arguments: &[&str]) -> Ended {
    vecpack(directory, arguments).output().unwrap().into()
}

fn run_with_stdin(directory: &Directory, arguments: &[&str], stdin: &[u8]) -> Ended {
    let mut child = vecpack(directory, arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap().into()
}

/// A file that the command writes.
fn out_of(command: &str) -> &'static str {
    if command == "to-arrow" { "out.arrow" } else { "out.parquet" }
}

/// First element of every vector; `None` for a null.
fn first_elements(
    batches: impl Iterator<Item = Result<arrow_array::RecordBatch, arrow_schema::ArrowError>>,
) -> Vec<Option<f32>> {
    let mut elements = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        let vectors = batch.column_by_name("vector").unwrap().as_fixed_size_list();
        elements.extend(
            vectors.iter().map(|vector| vector.map(|values| values.as_primitive::<Float32Type>().value(0))),
        );
    }
    elements
}

fn arrow_stream(bytes: &[u8]) -> Vec<Option<f32>> {
    first_elements(StreamReader::try_new(bytes, None).unwrap())
}

fn numbers(range: std::ops::Range<u32>) -> Vec<Option<f32>> {
    range.map(|number| Some(number as f32)).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn to_parquet_writes_and_reports() {
    let directory = directory();
    let ended = run(&directory, &["to-parquet", "good.msgpack", "-o", "good.parquet"]).expect(0);
    assert_eq!(ended.text(), "");
    assert!(
        ended.stderr.starts_with("read     1,000 rows, 18.00 kB from 1 input\nwrote    "),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains(" to good.parquet ("), "{}", ended.stderr);
    let file = fs::read(directory.path().join("good.parquet")).unwrap();
    assert_eq!((&file[..4], &file[file.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    assert_eq!(names(directory.path()), ["broken.msgpack", "good.msgpack", "good.parquet"]);
}

#[test]
fn to_parquet_takes_its_options() {
    let directory = directory();
    let base = ["to-parquet", "good.msgpack", "--json", "-o"];
    let convert =
        |out: &str, more: &[&str]| run(&directory, &[&base[..], &[out], more].concat()).expect(0).json();
    let plain = convert("plain.parquet", &["--compression", "none"]);
    assert_eq!(
        (&plain["encodings"], &plain["row_groups"]),
        (&serde_json::json!([{"column": "vector", "encoding": "plain", "compression": "none"}]), &1.into())
    );
    let zstd =
        convert("zstd.parquet", &["--compression", "zstd", "--encoding", "byte-stream-split", "--no-sync"]);
    let expected =
        serde_json::json!([{"column": "vector", "encoding": "byte-stream-split", "compression": "zstd"}]);
    assert_eq!(zstd["encodings"], expected);
    assert!(zstd["bytes_out"].as_u64() < plain["bytes_out"].as_u64());
    assert_eq!(convert("groups.parquet", &["--row-group-bytes", "1600B"])["row_groups"], 10);
    for (list_type, expected) in [("fixed", true), ("list", false)] {
        let name = format!("{list_type}.parquet");
        convert(&name, &["--list-type", list_type]);
        let file = fs::File::open(directory.path().join(name)).unwrap();
        let file = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let data_type = file.schema().field(0).data_type().clone();
        assert_eq!(matches!(data_type, arrow_schema::DataType::FixedSizeList(_, 4)), expected, "{data_type}");
    }
}

#[test]
fn to_parquet_prints_json() {
    let directory = directory();
    let arguments =
        ["to-parquet", "broken.msgpack", "good.msgpack", "-o", "out.parquet", "--on-error", "skip", "--json"];
    let ended = run(&directory, &arguments).expect(0);
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.text().lines().count(), 1);
    let json = ended.json();
    assert_eq!((&json["rows"], &json["rejects"], &json["files"]), (&1004.into(), &3.into(), &2.into()));
    assert_eq!(json["bytes_in"], (broken().len() + records(0..1000).len()) as u64);
    assert_eq!(json["bytes_out"], fs::metadata(directory.path().join("out.parquet")).unwrap().len());
    assert_eq!(json["outputs"], serde_json::json!(["out.parquet"]));
    let rejects = json["first_rejects"].as_array().unwrap();
    assert_eq!(rejects.len(), 3);
    assert!(rejects[0].as_str().unwrap().starts_with("broken.msgpack: record 3 (byte 54"), "{}", rejects[0]);
}

#[test]
fn a_directory_gets_a_file_for_each_input() {
    let directory = directory();
    fs::write(directory.path().join("more.msgpack"), records(0..5)).unwrap();
    run(&directory, &["to-parquet", "good.msgpack", "more.msgpack", "-o", "out/"]).expect(0);
    assert_eq!(names(&directory.path().join("out")), ["_vecpack", "good.parquet", "more.parquet"]);
    // Neither of two that would get the same name is lost.
    let ended = run(&directory, &["to-parquet", "good.msgpack", "./good.msgpack", "-o", "twice/"]).expect(2);
    let text = "two inputs would be written to this file: good.msgpack and ./good.msgpack";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    assert!(!directory.path().join("twice").exists());
}

#[test]
fn a_target_that_exists_is_refused_and_left_alone() {
    let directory = directory();
    let path = directory.path().join("out");
    for command in [
        &["to-parquet", "good.msgpack", "-o", "out", "--json"][..],
        &["to-arrow", "good.msgpack", "-o", "out"],
        &["sample", "out", "--rows", "2"],
    ] {
        fs::write(&path, "precious").unwrap();
        let ended = run(&directory, command).expect(1);
        assert!(ended.stderr.starts_with("vecpack: out: exists already"), "{}", ended.stderr);
        assert!(ended.stderr.contains("overwrite"), "{}", ended.stderr);
        assert_eq!(ended.text(), "");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        run(&directory, &[command, &["--overwrite"]].concat()).expect(0);
        assert_ne!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(names(directory.path()), ["broken.msgpack", "good.msgpack", "out"]);
    }
}

#[test]
fn a_broken_record_ends_the_run_and_is_named() {
    let directory = directory();
    for command in ["to-parquet", "to-arrow"] {
        let ended = run(&directory, &[command, "broken.msgpack", "-o", out_of(command)]).expect(1);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        for part in [
            "vecpack: broken.msgpack: ",
            "record 3",
            "byte 54",
            "expected 16 bytes (4 x <f4)",
            "found 12 bytes",
        ] {
            assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
        }
        assert_eq!(names(directory.path()), ["broken.msgpack", "good.msgpack"]);
    }
}

#[test]
fn broken_records_are_skipped_or_become_nulls() {
    let directory = directory();
    let mut nulls = numbers(0..3);
    // The number is no record, and gives no row.
    nulls.extend([None, None, Some(3.0)]);
    for (policy, expected) in [("skip", numbers(0..4)), ("null", nulls)] {
        let ended =
            run(&directory, &["to-arrow", "broken.msgpack", "-o", "-", "--on-error", policy]).expect(0);
        assert_eq!(arrow_stream(&ended.stdout), expected);
        let lines: Vec<&str> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[3], "3 records rejected: 2 dimension, 1 type");
        let reject = "rejected broken.msgpack: record 3 (byte 54, field `vector`): expected 16 bytes (4 x <f4), found 12 bytes";
        assert_eq!(lines[0], reject);
        assert!(lines[1].contains("record 4 (byte 68"), "{}", lines[1]);
        let out = format!("{policy}.parquet");
        let ended =
            run(&directory, &["to-parquet", "broken.msgpack", "-o", &out, "--on-error", policy]).expect(0);
        assert!(ended.stderr.contains(&format!("read     {} rows", expected.len())), "{}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("{reject}\n")), "{}", ended.stderr);
        assert!(ended.stderr.ends_with("\n3 records rejected: 2 dimension, 1 type\n"), "{}", ended.stderr);
    }
}

/// The name of a directory.
fn base(directory: &Directory) -> String {
    directory.path().file_name().unwrap().to_str().unwrap().to_owned()
}

/// The lines of a file of rejects.
fn lines_of(directory: &Directory, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(directory.path().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn rejects_are_written_to_a_file_whether_the_work_is_done_or_fails() {
    let directory = directory();
    let to_parquet =
        ["to-parquet", "broken.msgpack", "-o", "out.parquet", "--on-error", "skip", "--overwrite"];
    let to_arrow = ["to-arrow", "broken.msgpack", "-o", "out.arrow", "--on-error", "skip", "--overwrite"];
    for arguments in [to_parquet, to_arrow] {
        let ended = run(&directory, &[&arguments[..], &["--rejects", "bad.jsonl"]].concat()).expect(0);
        let last = "3 records rejected: 2 dimension, 1 type; they are in bad.jsonl";
        assert_eq!(ended.stderr.lines().last(), Some(last), "{}", ended.stderr);
        let lines = lines_of(&directory, "bad.jsonl");
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["record"], &lines[0]["offset"]), (&3.into(), &54.into()));
        assert_eq!((&lines[0]["file"], &lines[0]["kind"]), (&"broken.msgpack".into(), &"dimension".into()));
        assert_eq!(lines[2]["message"], "expected a vector of 16 bytes (4 x <f4), found the integer 42");

        // What was rejected until the limit was reached, in a file of this run.
        fs::remove_file(directory.path().join(arguments[3])).unwrap();
        fs::remove_file(directory.path().join("bad.jsonl")).unwrap();
        let limit = ["--rejects", "bad.jsonl", "--fail-after", "2"];
        let ended = run(&directory, &[&arguments[..], &limit].concat()).expect(1);
        let reason = "3 of 7 records rejected, --fail-after allows 2; the first one: broken.msgpack: record 3 (byte 54";
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
        assert_eq!(lines_of(&directory, "bad.jsonl").len(), 3);
        assert_eq!(names(directory.path()), ["bad.jsonl", "broken.msgpack", "good.msgpack"]);

        // None, but a file that can be read; it is not replaced unless that is asked for.
        let mut good = arguments;
        good[1] = "good.msgpack";
        run(&directory, &[&good[..], &["--rejects", "bad.jsonl"]].concat()).expect(0);
        assert_eq!(fs::read(directory.path().join("bad.jsonl")).unwrap(), b"");
        run(&directory, &[&good[..6], &["--rejects", "bad.jsonl"]].concat()).expect(1);
        fs::remove_file(directory.path().join("bad.jsonl")).unwrap();
        for name in ["bad.csv", "bad", arguments[3]] {
            let ended = run(&directory, &[&good[..], &["--rejects", name]].concat()).expect(2);
            assert!(ended.stderr.contains("--rejects: "), "{}", ended.stderr);
        }
        fs::remove_file(directory.path().join(arguments[3])).unwrap();

        // Where it cannot be, nothing is begun. That some records are bad would come first.
        let raised =
            [arguments[0], "broken.msgpack", "-o", arguments[3], "--rejects", "good.msgpack/bad.jsonl"];
        let ended = run(&directory, &raised).expect(1);
        assert!(ended.stderr.contains("good.msgpack/bad.jsonl: Not a directory"), "{}", ended.stderr);
        assert_eq!(names(directory.path()), ["broken.msgpack", "good.msgpack"]);
    }
}

/// Else what reads the directory would take it for data.
#[test]
fn a_file_of_rejects_lies_outside_of_what_is_written() {
    let directory = directory();
    let around = format!("../{}/out/bad.parquet", base(&directory));
    for _ in 0..2 {
        for name in ["out/bad.parquet", "./out/bad.jsonl", &around, "out/more/bad.jsonl"] {
            let arguments = ["to-parquet", "good.msgpack", "-o", "out/", "--overwrite", "--rejects", name];
            let ended = run(&directory, &arguments).expect(2);
            assert!(ended.stderr.contains("is what is written to, or in it"), "{}", ended.stderr);
        }
        run(&directory, &["to-parquet", "good.msgpack", "-o", "out/", "--overwrite"]).expect(0);
    }
}

#[test]
fn a_file_of_rejects_says_when_it_has_the_first_ones_only() {
    let directory = directory();
    let arguments =
        ["to-parquet", "broken.msgpack", "-o", "out.parquet", "--on-error", "skip", "--max-rejects", "1"];
    let more = ["--rejects", "bad.jsonl", "--overwrite"];
    let ended = run(&directory, &[&arguments[..], &more].concat()).expect(0);
    assert!(ended.stderr.ends_with("; the first 1 are in bad.jsonl (--max-rejects)\n"), "{}", ended.stderr);
    let report = run(&directory, &[&arguments[..], &more, &["--json"]].concat()).expect(0).json();
    assert_eq!((&report["rejects"], &report["rejects_listed"]), (&3.into(), &1.into()));
    assert_eq!(report["reject_kinds"], serde_json::json!({"dimension": 2, "type": 1}));
    assert_eq!(report["rejects_file"], "bad.jsonl");
    assert_eq!(lines_of(&directory, "bad.jsonl").len(), 1);
}

#[test]
fn a_share_of_bad_records_is_judged_at_the_end_and_once_there_are_enough() {
    let directory = directory();
    let share = |limit: &str| {
        let arguments =
            ["to-arrow", "broken.msgpack", "-o", "-", "--on-error", "skip", "--fail-after", limit];
        run(&directory, &arguments)
    };
    share("43%").expect(0);
    let ended = share("42%").expect(1);
    assert!(ended.stderr.contains("3 of 7 records rejected, --fail-after allows 42%"), "{}", ended.stderr);
    share("3").expect(0);
    for wrong in ["x", "101%", "-1", "%"] {
        share(wrong).expect(2);
    }
    // Of all 10,000 records a fifth is bad, but they come first: the end is not waited for.
    let late = [records(0..1), vec![0xc0; 2000], records(1..8000)].concat();
    fs::write(directory.path().join("late.msgpack"), late).unwrap();
    for limit in ["50%", "1999"] {
        let arguments =
            "to-arrow late.msgpack -o - --on-error skip --batch-rows 100 --threads 1 --fail-after";
        let arguments: Vec<&str> = arguments.split(' ').chain([limit]).collect();
        let ended = run(&directory, &arguments).expect(1);
        assert!(ended.stderr.contains("2,000 of 2,1"), "{}", ended.stderr);
    }
    // A directory of files is one run.
    fs::write(directory.path().join("more.msgpack"), records(0..10)).unwrap();
    let arguments = ["to-parquet", "broken.msgpack", "more.msgpack", "-o", "out/", "--on-error", "skip"];
    run(&directory, &[&arguments[..], &["--fail-after", "18%"]].concat()).expect(0);
    let ended =
        run(&directory, &[&arguments[..], &["--overwrite", "--fail-after", "17%"]].concat()).expect(1);
    assert!(ended.stderr.contains("3 of 17 records"), "{}", ended.stderr);
}

#[test]
fn many_rejects_are_counted_and_few_are_shown() {
    let directory = directory();
    fs::write(directory.path().join("many.msgpack"), [records(0..1), vec![0xc0; 2000]].concat()).unwrap();
    let arguments =
        ["to-parquet", "many.msgpack", "-o", "out.parquet", "--on-error", "skip", "--max-rejects"];
    let ended = run(&directory, &[&arguments[..], &["7"]].concat()).expect(0);
    assert!(ended.stderr.contains("\n         and 1,995 more\n"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("\n2,000 records rejected: 2,000 type\n"), "{}", ended.stderr);
    let ended = run(&directory, &[&arguments[..], &["0", "--overwrite"]].concat()).expect(0);
    assert!(ended.stderr.ends_with("\n2,000 records rejected: 2,000 type\n"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("rejected many"), "{}", ended.stderr);
}

#[test]
fn quiet_says_nothing_and_progress_speaks_without_a_terminal() {
    let directory = directory();
    let to_parquet = |more: &str| {
        run(&directory, &["to-parquet", "good.msgpack", "--overwrite", "-o", "out.parquet", more])
    };
    assert_eq!(to_parquet("--quiet").expect(0).stderr, "");
    let progress = to_parquet("--progress").expect(0).stderr;
    assert!(progress.starts_with("18.00 kB of 18.00 kB (100 %), 1,000 rows, "), "{progress}");
    assert!(!to_parquet("--no-sync").expect(0).stderr.contains('%'));
    run(&directory, &["to-parquet", "good.msgpack", "-o", "x.parquet", "--quiet", "--progress"]).expect(2);
    for (out, error, status) in [
        ("no/", "no/: is a directory", 1),
        ("file://no/x.arrow", "file://no/x.arrow: a path of another host", 2),
    ] {
        let ended = run(&directory, &["to-arrow", "good.msgpack", "-o", out]).expect(status);
        assert!(ended.stderr.contains(error), "{}", ended.stderr);
    }
    assert_eq!(run(&directory, &["to-arrow", "good.msgpack", "-o", "x.arrow", "-q"]).expect(0).stderr, "");
    assert_eq!(run(&directory, &["sample", "x.msgpack", "--rows", "3", "-q"]).expect(0).stderr, "");
    // Errors are always told.
    let ended = run(&directory, &["to-parquet", "missing.msgpack", "-o", "y.parquet", "--quiet"]).expect(1);
    assert!(ended.stderr.starts_with("vecpack: missing.msgpack: "), "{}", ended.stderr);
}

#[test]
fn to_arrow_writes_files_and_streams() {
    let directory = directory();
    let ended = run(&directory, &["to-arrow", "good.msgpack", "-o", "good.arrow"]).expect(0);
    assert!(ended.stderr.starts_with("read     1,000 rows"), "{}", ended.stderr);
    let file = fs::File::open(directory.path().join("good.arrow")).unwrap();
    assert_eq!(first_elements(FileReader::try_new(file, None).unwrap()), numbers(0..1000));
    run(&directory, &["to-arrow", "good.msgpack", "-o", "good.arrows"]).expect(0);
    assert_eq!(arrow_stream(&fs::read(directory.path().join("good.arrows")).unwrap()), numbers(0..1000));
    let ended = run(&directory, &["to-arrow", "good.msgpack", "--batch-rows", "300", "-o", "-"]).expect(0);
    assert_eq!(arrow_stream(&ended.stdout), numbers(0..1000));
    assert_eq!(StreamReader::try_new(&*ended.stdout, None).unwrap().count(), 4);
    assert_eq!(ended.stderr, "");
}

#[test]
fn read_options_reach_the_reader() {
    let directory = directory();
    let to_arrow = |more: &[&str]| {
        run(&directory, &[&["to-arrow", "good.msgpack", "-o", "-", "--threads", "1"], more].concat())
    };
    let field = |more: &[&str]| {
        let stdout = to_arrow(more).expect(0).stdout;
        StreamReader::try_new(&*stdout, None).unwrap().schema().field(0).data_type().to_string()
    };
    assert!(field(&[]).contains("4 x non-null Float32"), "{}", field(&[]));
    assert!(field(&["--dtype", "float64"]).contains("4 x non-null Float64"));
    assert!(field(&["--raw-dtype", "<f2"]).contains("8 x non-null Float32"));
    assert!(to_arrow(&["--dim", "5"]).expect(1).stderr.contains("expected 20 bytes"));
    assert!(to_arrow(&["--dim", "4", "--max-record-bytes", "8B"]).expect(1).stderr.contains("8 bytes"));
    fs::write(directory.path().join("late.msgpack"), [vec![0xc0; 10], records(0..1)].concat()).unwrap();
    let late = |limit: &str| run(&directory, &["inspect", "late.msgpack", "--infer-records", limit]);
    late("10").expect(1);
    late("11").expect(0);
    late("0").expect(0);
}

#[test]
fn columns_get_other_names() {
    let directory = directory();
    // {"id": 7, "meta": {"a=b": [1.0]}}
    let record = b"\x82\xa2id\x07\xa4meta\x81\xa3a=b\x91\xcb\x3f\xf0\0\0\0\0\0\0";
    fs::write(directory.path().join("nested.msgpack"), record.repeat(3)).unwrap();
    let to_arrow = |columns: &str| {
        let arguments = ["to-arrow", "nested.msgpack", "-o", "-", "--quiet", "--columns", columns];
        run(
            &directory,
            &[&arguments[..], &["--vector", "meta.a=b", "--schema", "meta.a=b=float32[1]"]].concat(),
        )
    };
    let stdout = to_arrow("v=meta.a=b,id").expect(0).stdout;
    let schema = StreamReader::try_new(&*stdout, None).unwrap().schema();
    assert_eq!(schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["v", "id"]);
    assert!(to_arrow("v=nope").expect(1).stderr.contains("columns: there is no column `nope`"));
    assert!(to_arrow("v=id,v=meta.a=b").expect(2).stderr.contains("columns: two columns have the name `v`"));
}

#[test]
fn inspect_prints_text_or_json() {
    let directory = directory();
    let ended = run(&directory, &["inspect", "good.msgpack", "broken.msgpack"]).expect(0);
    assert_eq!(ended.stderr, "");
    for line in
        ["rows     1,004", "column   vector: FixedSizeList<float32, 4>, stored as <f4", "rejected 3 records"]
    {
        assert!(ended.text().lines().any(|found| found == line), "{line} in {}", ended.text());
    }
    let json = run(&directory, &["inspect", "--json", "good.msgpack", "broken.msgpack"]).expect(0).json();
    assert_eq!((&json["files"], &json["rows"], &json["rejects"]), (&2.into(), &1004.into(), &3.into()));
    assert_eq!(json["bytes"], (records(0..1000).len() + broken().len()) as u64);
    assert_eq!((&json["columns"][0]["name"], &json["columns"][0]["dim"]), (&"vector".into(), &4.into()));
}

#[test]
fn control_characters_of_names_do_not_reach_the_terminal() {
    let directory = directory();
    let name = "evil\u{1b}[2J.msgpack";
    fs::write(directory.path().join(name), broken()).unwrap();
    let ended = run(&directory, &["to-parquet", name, "-o", "out.parquet"]).expect(1);
    let skipped =
        run(&directory, &["to-parquet", name, "-o", "out\u{7}.parquet", "--on-error", "skip"]).expect(0);
    let inspected = run(&directory, &["inspect", name]).expect(0);
    for text in [&*ended.stderr, &*skipped.stderr, inspected.text()] {
        assert!(text.contains("evil") && !text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn sample_is_the_same_for_the_same_seed() {
    let directory = directory();
    let sample = |arguments: &[&str]| {
        let arguments = [&["sample", "-", "--rows", "10", "--dim", "100"], arguments].concat();
        run(&directory, &arguments).expect(0).stdout
    };
    let bytes = sample(&[]);
    assert_eq!(bytes.len(), 10 * (3 + 400));
    assert_eq!(bytes[..3], [0xc5, 1, 144]);
    assert_eq!(bytes, sample(&["--seed", "0", "--like", "bytes"]));
    assert_ne!(bytes, sample(&["--seed", "1"]));
    assert_eq!(sample(&["--like", "raw"])[..3], [0xda, 1, 144]);
    let ended = run(&directory, &["sample", "s.msgpack", "--rows", "10", "--dim", "100"]).expect(0);
    assert_eq!(ended.stderr, "wrote    10 records of 100 float32, 4.03 kB to s.msgpack\n");
    assert_eq!(fs::read(directory.path().join("s.msgpack")).unwrap(), bytes);
    assert_eq!(
        run(&directory, &["inspect", "s.msgpack", "--json"]).expect(0).json()["columns"][0]["dim"],
        100
    );
}

#[test]
fn standard_input_is_an_input() {
    let directory = directory();
    let ended = run_with_stdin(&directory, &["to-arrow", "-", "-o", "-"], &records(0..50_000)).expect(0);
    assert_eq!(arrow_stream(&ended.stdout), numbers(0..50_000));
    let json = run_with_stdin(&directory, &["to-parquet", "-", "-o", "o.parquet", "--json"], &records(0..70))
        .expect(0)
        .json();
    assert_eq!(json["rows"], 70);
    assert_eq!(
        run_with_stdin(&directory, &["inspect", "-", "--json"], &records(0..7)).expect(0).json()["rows"],
        7
    );
    // Broken records of it are named, too.
    let ended = run_with_stdin(&directory, &["to-arrow", "-", "-o", "-"], &broken()).expect(1);
    assert!(ended.stderr.starts_with("vecpack: <stdin>: record 3 (byte 54"), "{}", ended.stderr);
    // There is one standard input.
    let ended = run_with_stdin(&directory, &["inspect", "-", "-", "--json"], b"").expect(2);
    assert!(ended.stderr.contains("can be read only once"), "{}", ended.stderr);
}

#[test]
fn wrong_usage_ends_with_2() {
    let directory = directory();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["to-parquet", "good.msgpack"],
        &["to-parquet", "-o", "out.parquet"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--dtype", "float31"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--raw-dtype", "<x4"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--batch-bytes", "8M"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--batch-bytes", "0"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--dim", "0"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--threads", "0"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--threads", "2147483648"],
        &["inspect", "good.msgpack", "--threads", "1025"],
        &["to-parquet", "good.msgpack", "-o", "o.parquet", "--row-group-bytes", "0"],
        &["to-arrow", "good.msgpack", "-o", "o.arrow", "--on-error", "ignore"],
        &["inspect", "good.msgpack", "--on-error", "ignore"],
        &["sample", "s.msgpack", "--dim", "0"],
        &["sample", "s.msgpack", "--like", "poems"],
        &["completions", "fsh"],
    ] {
        let ended = run(&directory, arguments).expect(2);
        assert_eq!(ended.text(), "");
        assert!(!ended.stderr.is_empty());
    }
    assert_eq!(names(directory.path()), ["broken.msgpack", "good.msgpack"]);
}

#[test]
fn version_and_completions() {
    let directory = directory();
    assert_eq!(
        run(&directory, &["--version"]).expect(0).text(),
        concat!("vecpack ", env!("CARGO_PKG_VERSION"), "\n")
    );
    for (arguments, part) in [(&["man"][..], ".TH vecpack 1"), (&["man", "to-parquet"], "coerce")] {
        let page = run(&directory, arguments).expect(0);
        assert!(page.text().contains(part) && page.text().contains(".SH NAME"), "{}", page.text());
    }
    let page = run(&directory, &["man", "to-parquet"]).expect(0);
    assert!(page.text().contains(".SH EXAMPLES\n  vecpack to\\-parquet vectors.msgpack"), "{}", page.text());
    run(&directory, &["man", "nonsense"]).expect(2);
    for (shell, part) in
        [("bash", "_vecpack()"), ("zsh", "#compdef vecpack"), ("fish", "complete -c vecpack")]
    {
        let script = run(&directory, &["completions", shell]).expect(0);
        assert!(script.text().contains(part) && script.text().contains("row-group-bytes"), "{shell}");
    }
}

#[test]
fn databases_need_the_python_package() {
    let directory = directory();
    for (command, package) in [("to-lance", "pylance"), ("to-duckdb --table t", "duckdb")] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.extend(["good.msgpack", "-o", "out"]);
        let ended = run(&directory, &arguments).expect(1);
        assert!(ended.stderr.contains(&format!("pip install vecpack {package}")), "{}", ended.stderr);
        assert!(!directory.path().join("out").exists());
    }
}

/// Run with `VECPACK_UPDATE=1` to write the file anew.
#[test]
fn help_is_what_the_documentation_shows() {
    let directory = directory();
    let mut help = String::new();
    for command in [
        &[][..],
        &["to-parquet"],
        &["to-arrow"],
        &["to-lance"],
        &["to-duckdb"],
        &["inspect"],
        &["head"],
        &["sample"],
        &["completions"],
        &["man"],
    ] {
        let ended = run(&directory, &[command, &["--help"]].concat()).expect(0);
        let title = ["vecpack", &command.join(" ")].join(" ");
        help += &format!("$ {} --help\n{}\n", title.trim_end(), ended.text());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli/help.txt");
    if std::env::var_os("VECPACK_UPDATE").is_some() {
        fs::write(&path, &help).unwrap();
    }
    let documented = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert!(
        documented == help,
        "docs/cli/help.txt is out of date: VECPACK_UPDATE=1 cargo test --test cli\n{help}"
    );
}

#[test]
fn short_help_is_short_and_long_help_has_the_rest() {
    let directory = directory();
    for command in ["to-parquet", "to-arrow", "inspect", "head"] {
        let short = run(&directory, &[command, "-h"]).expect(0).text().to_owned();
        let long = run(&directory, &[command, "--help"]).expect(0).text().to_owned();
        assert!(3 * short.len() < 2 * long.len(), "{command}: {} and {} bytes", short.len(), long.len());
        for option in ["--max-depth", "--batch-bytes", "Examples:"] {
            assert!(!short.contains(option) && long.contains(option), "{command}: {option}");
        }
        assert!(short.contains("--vector") && short.contains("--limit"), "{short}");
    }
}

#[test]
fn messages_name_flags_and_have_one_prefix() {
    let directory = directory();
    fs::write(directory.path().join("out.parquet"), "precious").unwrap();
    run(&directory, &["to-parquet", "good.msgpack", "-o", "run/"]).expect(0);
    for (arguments, message) in [
        (&["to-parquet", "good.msgpack", "-o", "out.parquet"][..], "exists already; --overwrite replaces it"),
        (&["to-parquet", "good.msgpack", "-o", "run/"], "--resume finishes it, --overwrite begins anew"),
        (
            &["to-parquet", "good.msgpack", "-o", "run/", "--resume", "--dtype", "float64"],
            "--dtype was `float32` in the earlier run",
        ),
        (&["to-parquet", "broken.msgpack", "-o", "o.parquet"], "(--on-error skip leaves such records out"),
        (&["to-parquet", "good.msgpack", "-o", "o.parquet", "--dim", "0"], "--dim must be at least 1"),
        (
            &["to-parquet", "good.msgpack", "-o", "o.parquet", "--list-type", "fixed", "--nonsense"],
            "unexpected argument",
        ),
        (&["to-parquet", "good.msgpack", "-o", "o.parquet", "--max-file-bytes", "1GB"], "--max-file-bytes: "),
        (&["to-arrow", "missing.msgpack", "-o", "o.arrow"], "missing.msgpack: No such file or directory\n"),
    ] {
        let ended = run(&directory, arguments);
        assert!(ended.stderr.starts_with("vecpack: ") && ended.stderr.contains(message), "{}", ended.stderr);
        assert!(!ended.stderr.contains("option `"), "{}", ended.stderr);
    }
}

#[test]
fn the_home_directory_is_known_where_the_shell_left_it_alone() {
    let directory = directory();
    fs::write(directory.path().join("list"), "~/good.msgpack\n").unwrap();
    for arguments in [
        &["to-parquet", "~/g*.msgpack", "--out=~/out.parquet"][..],
        &["to-arrow", "--files-from=~/list", "--out=~/out.arrow", "--rejects=~/rejects.jsonl"],
        &["sample", "~/out.msgpack"],
    ] {
        Ended::from(vecpack(&directory, arguments).env("HOME", directory.path()).output().unwrap()).expect(0);
    }
    let expected = [
        "broken.msgpack",
        "good.msgpack",
        "list",
        "out.arrow",
        "out.msgpack",
        "out.parquet",
        "rejects.jsonl",
    ];
    assert_eq!(names(directory.path()), expected);
}

#[test]
fn outputs_that_cannot_be_are_refused_with_what_can_be() {
    let directory = directory();
    let refused = |arguments: &[&str], part: &str| {
        let ended = run(&directory, arguments).expect(2);
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    };
    refused(&["to-parquet", "good.msgpack", "-o", "-"], "`vecpack to-arrow` writes a stream");
    refused(&["to-parquet", "good.msgpack", "-o", "out.csv"], "name a file that ends in .parquet");
    refused(&["to-arrow", "good.msgpack", "-o", "out.parquet"], "name a file that ends in .arrow");
    refused(&["to-parquet", "good.msgpack", "-o", "hf://a/b.parquet"], "hf:// is not supported; use s3://");
    assert_eq!(names(directory.path()), ["broken.msgpack", "good.msgpack"]);
    fs::create_dir(directory.path().join("dir.ectory")).unwrap();
    run(&directory, &["to-parquet", "good.msgpack", "-o", "dir.ectory"]).expect(0);
}

#[test]
fn outputs_mirror_the_tree_of_the_inputs() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    for name in ["in/a/x.msgpack", "in/b/x.msgpack", "in/b/c/y.msgpack", "in/z.msgpack"] {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), records(0..5)).unwrap();
    }
    let files = |out: &str| -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![path(out)];
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let entry = entry.unwrap().path();
                if entry.is_dir() { left.push(entry) } else { found.push(entry) }
            }
        }
        let name = |path: &std::path::PathBuf| {
            path.strip_prefix(directory.path().join(out)).unwrap().display().to_string()
        };
        let mut names: Vec<String> =
            found.iter().map(name).filter(|name| !name.starts_with("_vecpack")).collect();
        names.sort();
        names
    };
    let to = |out: &str, inputs: &[&str]| {
        run(&directory, &[&["to-parquet", "-o", out], inputs].concat()).expect(0);
        files(out)
    };
    let tree = ["a/x.parquet", "b/c/y.parquet", "b/x.parquet", "z.parquet"];
    assert_eq!(to("1/", &["in"]), tree);
    assert_eq!(to("2/", &["./in/", "--no-sync"]), tree);
    assert_eq!(to("3/", &["in/**/*.msgpack"]), tree);
    assert_eq!(to("4/", &["in/a/x.msgpack", "in/b/x.msgpack"]), ["a/x.parquet", "b/x.parquet"]);
    assert_eq!(
        to("5/", &["in/b/c/y.msgpack", "in/b/../b/c/y.msgpack", "--max-file-bytes", "1GB"]),
        ["part-00000.parquet"]
    );
    assert_eq!(to("6/", &["in/b/c/y.msgpack"]), ["y.parquet"]);
    // Another run finds what is done, and makes what is missing.
    fs::remove_file(path("1/b/x.parquet")).unwrap();
    let json = run(&directory, &["to-parquet", "in", "-o", "1/", "--resume", "--json"]).expect(0).json();
    assert_eq!((&json["files"], &json["files_before"]), (&1.into(), &3.into()));
    assert_eq!(files("1/"), tree);
    // With more inputs names change, and no file is replaced that has the rows of another input.
    let again = ["to-parquet", "in/b/x.msgpack", "-o", "7/"];
    run(&directory, &again).expect(0);
    fs::write(path("in/x.msgpack"), records(0..3)).unwrap();
    let ended = run(&directory, &[&again[..], &["in/x.msgpack", "--resume"]].concat()).expect(2);
    assert!(ended.stderr.contains("an earlier run made this file of another input"), "{}", ended.stderr);
    // An input in the directory of outputs might be replaced.
    fs::write(path("1/b/bad.parquet"), records(0..5)).unwrap();
    let ended =
        run(&directory, &["to-parquet", "in", "1/b/bad.parquet", "-o", "1/", "--overwrite"]).expect(2);
    assert!(ended.stderr.contains("an input must not lie where outputs go"), "{}", ended.stderr);
}

#[test]
fn compressed_files_have_names_without_both_extensions() {
    let directory = directory();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&records(0..5)).unwrap();
    fs::write(directory.path().join("x.msgpack.gz"), gzip.finish().unwrap()).unwrap();
    run(&directory, &["to-parquet", "x.msgpack.gz", "good.msgpack", "-o", "out/"]).expect(0);
    assert_eq!(names(&directory.path().join("out")), ["_vecpack", "good.parquet", "x.parquet"]);
}

#[test]
fn directories_that_are_missing_are_made_for_files_as_well() {
    let directory = directory();
    run(&directory, &["to-parquet", "good.msgpack", "-o", "no/dir/x.parquet"]).expect(0);
    run(&directory, &["to-parquet", "good.msgpack", "-o", "no/y/"]).expect(0);
    run(&directory, &["to-arrow", "good.msgpack", "-o", "no/z/x.arrow"]).expect(0);
    assert_eq!(names(&directory.path().join("no")), ["dir", "y", "z"]);
}

#[test]
fn a_limit_gives_the_first_rows() {
    let directory = directory();
    let stdout = run(&directory, &["to-arrow", "good.msgpack", "-o", "-", "-n", "7"]).expect(0).stdout;
    assert_eq!(arrow_stream(&stdout), numbers(0..7));
    // Bad records behind them are not read.
    let inputs = ["to-arrow", "broken.msgpack", "-o", "-", "--limit"];
    let stdout = run(&directory, &[&inputs[..], &["3"]].concat()).expect(0).stdout;
    assert_eq!(arrow_stream(&stdout), numbers(0..3));
    run(&directory, &[&inputs[..], &["4"]].concat()).expect(1);
    // The rows of all inputs are counted.
    fs::write(directory.path().join("more.msgpack"), records(0..5)).unwrap();
    let to_parquet =
        ["to-parquet", "good.msgpack", "more.msgpack", "-o", "out/", "--json", "--limit", "1002"];
    let report = run(&directory, &to_parquet).expect(0).json();
    assert_eq!((&report["rows"], &report["files"]), (&1002.into(), &2.into()));
    let to_parquet = ["to-parquet", "good.msgpack", "more.msgpack", "-o", "few/", "--json", "--limit", "2"];
    let report = run(&directory, &to_parquet).expect(0).json();
    assert_eq!((&report["rows"], &report["files"]), (&2.into(), &1.into()));
    assert_eq!(names(&directory.path().join("few")), ["_vecpack", "good.parquet"]);
}

#[test]
fn head_shows_the_first_rows() {
    let directory = directory();
    let ended = run(&directory, &["head", "good.msgpack"]).expect(0);
    assert_eq!(ended.text().matches("row      ").count(), 5);
    let last = "row      4\n         vector: [4.0, 0.5, -1.0, 2.0]\n";
    assert!(ended.text().ends_with(last), "{}", ended.text());
    let ended = run(&directory, &["head", "-n", "1", "broken.msgpack"]).expect(0);
    assert_eq!(ended.text(), "row      0\n         vector: [0.0, 0.5, -1.0, 2.0]\n");
    run(&directory, &["sample", "wide.msgpack", "--rows", "2", "--like", "records"]).expect(0);
    let ended = run(&directory, &["head", "wide.msgpack"]).expect(0);
    assert!(ended.text().contains(", ... 512 elements]\n"), "{}", ended.text());
}

#[test]
fn inputs_may_be_listed_in_a_file() {
    let directory = directory();
    fs::write(directory.path().join("list"), "good.msgpack\r\n\nmore.msgpack\n").unwrap();
    fs::write(directory.path().join("more.msgpack"), records(0..5)).unwrap();
    let count = ["to-parquet", "-o", "out.parquet", "--json", "--overwrite", "--files-from"];
    assert_eq!(run(&directory, &[&count[..], &["list"]].concat()).expect(0).json()["rows"], 1005);
    let both = [&count[..], &["list", "more.msgpack"]].concat();
    assert_eq!(run(&directory, &both).expect(0).json()["rows"], 1010);
    let stdin = [&count[..], &["-"]].concat();
    assert_eq!(run_with_stdin(&directory, &stdin, b"more.msgpack").expect(0).json()["rows"], 5);
    fs::write(directory.path().join("empty"), "\n").unwrap();
    let ended = run(&directory, &[&count[..], &["empty"]].concat()).expect(2);
    assert!(ended.stderr.contains("--files-from: the list names no input"), "{}", ended.stderr);
    run(&directory, &[&count[..], &["-", "-"]].concat()).expect(2);
}

#[test]
fn inspect_reads_a_sample_and_all_with_full() {
    let directory = directory();
    let some = [records(0..1500), vec![0x2a], records(0..1500)].concat();
    fs::write(directory.path().join("some.msgpack"), &some).unwrap();
    let sample = run(&directory, &["inspect", "some.msgpack", "--json"]).expect(0).json();
    assert_eq!(
        (&sample["complete"], &sample["rows"], &sample["rejects"]),
        (&false.into(), &1000.into(), &0.into())
    );
    assert_eq!((&sample["size"], &sample["rows_estimate"]), (&some.len().into(), &3000.into()));
    assert!(sample["error"].is_null());
    let full = run(&directory, &["inspect", "some.msgpack", "--json", "--full"]).expect(0).json();
    assert_eq!((&full["complete"], &full["rows"], &full["rejects"]), (&true.into(), &3000.into(), &1.into()));
    // The error is that of the conversion.
    let error = full["error"].as_str().unwrap().replace("option `on_error=skip`", "--on-error skip");
    let ended = run(&directory, &["to-parquet", "some.msgpack", "-o", "o.parquet"]).expect(1);
    assert_eq!(ended.stderr, format!("vecpack: {error}\n"));
    // The policy counts.
    let with = |policy: &str, limit: &str| {
        let more = ["--on-error", policy, "--fail-after", limit, "--json", "--full"];
        run(&directory, &[&["inspect", "some.msgpack"][..], &more].concat()).expect(0).json()
    };
    assert!(with("skip", "1")["error"].is_null());
    assert!(with("skip", "0")["error"].as_str().unwrap().contains("rejected"));
}

#[test]
fn inspect_counts_each_file_and_each_dimension() {
    let directory = directory();
    let path = |name: &str| directory.path().join("in").join(name);
    fs::create_dir(directory.path().join("in")).unwrap();
    fs::write(path("1.msgpack"), records(0..3)).unwrap();
    fs::write(path("2.msgpack"), records(0..2)).unwrap();
    fs::write(path("3.msgpack"), record(&[1.0; 5]).repeat(4)).unwrap();
    fs::write(path("4.msgpack"), b"\x81\xa2id\x07").unwrap();
    for more in [&[][..], &["--full"]] {
        let found = run(&directory, &[&["inspect", "in", "--json"], more].concat()).expect(0).json();
        let counts: Vec<_> = found["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|input| (&input["rows"], &input["rejects"]))
            .collect();
        let counts: Vec<(u64, u64)> = counts
            .iter()
            .map(|(rows, rejects)| (rows.as_u64().unwrap(), rejects.as_u64().unwrap()))
            .collect();
        assert_eq!(counts, [(3, 0), (2, 0), (0, 4), (0, 1)]);
        assert_eq!(
            found["dims"],
            serde_json::json!([
                {"field": "vector", "dim": 4, "files": 2},
                {"field": "vector", "dim": 5, "files": 1},
            ])
        );
        let holds = |at: usize| found["inputs"][at]["holds"].as_str().map(str::to_owned);
        assert_eq!((holds(0), holds(1)), (None, None));
        assert!(holds(2).unwrap().contains("FixedSizeList<float32, 5>"));
        assert!(holds(3).unwrap().contains("`id`: the integer 7"));
    }
}

#[test]
fn inspect_lists_fields_that_fill_no_column() {
    let directory = directory();
    // {"id": 7, "v": [1.0, 2.0]} with another field in the second file.
    let record = |extra: &[u8]| {
        let fields = 2 + u8::from(!extra.is_empty());
        [&[0x80 | fields][..], b"\xa2id\x07\xa1v\x92\xcb\x3f\xf0\0\0\0\0\0\0\xcb\x40\0\0\0\0\0\0\0", extra]
            .concat()
    };
    fs::write(directory.path().join("1.msgpack"), record(b"").repeat(1000)).unwrap();
    fs::write(directory.path().join("2.msgpack"), record(b"\xa3new\x01").repeat(3)).unwrap();
    let found = |more: &[&str]| {
        let base = ["inspect", "1.msgpack", "2.msgpack", "--vector", "v", "--json"];
        run(&directory, &[&base[..], more].concat()).expect(0).json()["left_out"].clone()
    };
    let left_out = found(&[]);
    assert_eq!((&left_out[0]["field"], &left_out[0]["files"]), (&"new".into(), &1.into()));
    assert_eq!(left_out.as_array().unwrap().len(), 1);
    let left_out = found(&["--columns", "v,new", "--schema", "new=int64"]);
    assert_eq!((&left_out[0]["field"], &left_out[0]["files"]), (&"id".into(), &2.into()));
    // A field of later records of one file.
    let late = [record(b"").repeat(1000), record(b"\xa3new\x01")].concat();
    fs::write(directory.path().join("late.msgpack"), late).unwrap();
    let found = |more: &[&str]| {
        let base = ["inspect", "late.msgpack", "--vector", "v", "--json"];
        run(&directory, &[&base[..], more].concat()).expect(0).json()["left_out"].clone()
    };
    assert_eq!(found(&[]), serde_json::json!([]));
    assert_eq!(found(&["--full"])[0]["field"], "new");
    assert_eq!(found(&["--full", "--infer-records", "0"]), serde_json::json!([]));
}

#[test]
fn an_error_in_a_directory_says_how_to_go_on() {
    let directory = directory();
    let run_all = |more: &[&str]| {
        let base = ["to-parquet", "good.msgpack", "more.msgpack", "-o", "out/"];
        run(&directory, &[&base[..], more].concat())
    };
    fs::write(directory.path().join("more.msgpack"), broken()).unwrap();
    let ended = run(&directory, &["to-parquet", "broken.msgpack", "-o", "one/"]).expect(1);
    assert!(
        ended.stderr.ends_with("\nvecpack: 0 of 1 files are done; --resume goes on\n"),
        "{}",
        ended.stderr
    );
    let ended = run_all(&[]).expect(1);
    assert!(
        ended.stderr.ends_with("\nvecpack: 1 of 2 files is done; --resume goes on\n"),
        "{}",
        ended.stderr
    );
    fs::write(directory.path().join("more.msgpack"), records(0..5)).unwrap();
    run_all(&["--resume"]).expect(0);
}

/// Waits for the end, but not for ever.
#[track_caller]
fn wait(mut child: Child) -> Ended {
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("still running after ten seconds: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let directory = directory();
    fs::write(directory.path().join("large.msgpack"), records(0..500_000)).unwrap();
    for arguments in [&["to-arrow", "large.msgpack", "-o", "-"][..], &["sample", "-"]] {
        let mut child = vecpack(&directory, arguments).spawn().unwrap();
        let mut begin = [0; 1000];
        child.stdout.take().unwrap().read_exact(&mut begin).unwrap();
        assert_eq!(wait(child).expect(0).stderr, "");
    }
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn send(signal: &str, child: &Child) {
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn make_fifo(directory: &Directory, name: &str) {
        let status = Command::new("mkfifo").arg(directory.path().join(name)).status().unwrap();
        assert!(status.success());
    }

    #[track_caller]
    fn wait_for_temporary_file(directory: &Directory) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !names(directory.path()).iter().any(|name| name.ends_with(".vecpack-tmp")) {
            assert!(Instant::now() < deadline, "no temporary file");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal once a temporary file is there, and looks at what is left behind.
    #[track_caller]
    fn interrupt(directory: &Directory, child: Child, signal: &str) {
        let (code, said) = match signal {
            "-TERM" => (143, "terminated"),
            "-HUP" => (129, "hung up"),
            _ => (130, "interrupted"),
        };
        let before = names(directory.path()).len();
        wait_for_temporary_file(directory);
        // It waits for what does not come by now, or is at work.
        std::thread::sleep(Duration::from_millis(200));
        let sent = Instant::now();
        send(signal, &child);
        if signal == "-HUP" {
            // So does the shell of a terminal that is closed.
            send(signal, &child);
        }
        let ended = wait(child).expect(code);
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
        assert_eq!(ended.stderr, format!("vecpack: {said}\n"));
        let left = names(directory.path());
        assert!(
            left.iter().all(|name| !name.ends_with("-tmp") && name != "out"),
            "{left:?}, {before} before"
        );
    }

    #[test]
    fn a_signal_ends_the_wait_for_standard_input() {
        for command in ["to-parquet", "to-arrow"] {
            for signal in ["-INT", "-TERM", "-HUP"] {
                let directory = directory();
                let arguments = [command, "-", "-o", out_of(command)];
                let mut child = vecpack(&directory, &arguments).stdin(Stdio::piped()).spawn().unwrap();
                let mut stdin = child.stdin.take().unwrap();
                stdin.write_all(&records(0..10)).unwrap();
                interrupt(&directory, child, signal);
                drop(stdin);
            }
        }
    }

    #[test]
    fn a_signal_before_there_is_a_file_ends_it_as_well() {
        for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
            let directory = directory();
            make_fifo(&directory, "fifo");
            let child = vecpack(&directory, &["inspect", "fifo"]).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(300));
            send(signal, &child);
            wait(child).expect(code);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_closed_terminal_does_not_end_what_nohup_began() {
        let directory = directory();
        let program = env!("CARGO_BIN_EXE_vecpack");
        // Without a terminal nohup leaves the files alone.
        let mut child = Command::new("nohup")
            .args([program, "to-parquet", "-", "-o", "out.parquet"])
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&records(0..10)).unwrap();
        wait_for_temporary_file(&directory);
        send("-HUP", &child);
        std::thread::sleep(Duration::from_millis(200));
        stdin.write_all(&records(10..20)).unwrap();
        drop(stdin);
        wait(child).expect(0);
        assert!(directory.path().join("out.parquet").exists());
    }

    #[test]
    fn a_signal_ends_the_wait_for_a_fifo() {
        let directory = directory();
        make_fifo(&directory, "fifo");
        // Nobody ever opens the other end.
        for arguments in [&["to-parquet", "fifo", "-o", "out.parquet"][..], &["inspect", "fifo"]] {
            let child = vecpack(&directory, arguments).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(300));
            send("-INT", &child);
            wait(child).expect(130);
            assert!(
                !names(directory.path()).iter().any(|name| name.contains("out") || name.ends_with("-tmp"))
            );
        }
    }

    #[test]
    fn a_signal_ends_a_stream_of_nothing_but_rejects() {
        let directory = directory();
        let arguments = ["to-parquet", "-", "--dim", "4", "--on-error", "skip", "-o", "out.parquet"];
        let mut child = vecpack(&directory, &arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || while stdin.write_all(&[0xc0; 4096]).is_ok() {});
        interrupt(&directory, child, "-INT");
        writer.join().unwrap();
    }

    #[test]
    fn an_interrupted_run_says_how_to_go_on() {
        let directory = directory();
        // The second input is large, so that the signal comes while it is read.
        let large = [records(0..1000).repeat(2000), vec![0xc1]].concat();
        fs::write(directory.path().join("large.msgpack"), large).unwrap();
        let arguments = ["to-parquet", "good.msgpack", "large.msgpack", "-o", "out/", "--threads", "1"];
        let child = vecpack(&directory, &arguments).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !directory.path().join("out/good.parquet").exists() {
            assert!(Instant::now() < deadline, "no file");
            std::thread::sleep(Duration::from_millis(1));
        }
        send("-INT", &child);
        let ended = wait(child);
        if ended.code == Some(130) {
            assert_eq!(ended.stderr, "vecpack: interrupted: 1 of 2 files is done; --resume goes on\n");
        } else {
            // The end came first.
            assert!(
                ended.stderr.ends_with("vecpack: 1 of 2 files is done; --resume goes on\n"),
                "{}",
                ended.stderr
            );
        }
    }

    #[test]
    fn a_signal_ends_sample() {
        let directory = directory();
        let child = vecpack(&directory, &["sample", "out.file", "--rows", "100000000"]).spawn().unwrap();
        interrupt(&directory, child, "-INT");
    }

    #[test]
    fn a_signal_ends_the_wait_for_a_reader() {
        let directory = directory();
        fs::write(directory.path().join("large.msgpack"), records(0..500_000)).unwrap();
        let child = vecpack(&directory, &["to-arrow", "large.msgpack", "-o", "-"]).spawn().unwrap();
        // The pipe is full by now.
        std::thread::sleep(Duration::from_millis(500));
        send("-INT", &child);
        wait(child).expect(130);
    }

    #[test]
    fn a_fifo_is_an_input() {
        let directory = directory();
        make_fifo(&directory, "fifo");
        let path = directory.path().join("fifo");
        let writer = std::thread::spawn(move || fs::write(path, records(0..20_000)).unwrap());
        let ended = run(&directory, &["to-arrow", "fifo", "-o", "-"]).expect(0);
        assert_eq!(arrow_stream(&ended.stdout), numbers(0..20_000));
        writer.join().unwrap();
    }

    #[test]
    fn names_need_not_be_unicode() {
        let directory = directory();
        let input = OsStr::from_bytes(b"in-\xff.msgpack");
        let out = OsStr::from_bytes(b"out-\xfe.parquet");
        fs::write(directory.path().join(input), records(0..5)).unwrap();
        let to_parquet = |more: &[&str]| -> Ended {
            vecpack(&directory, &["to-parquet"])
                .arg(input)
                .arg("-o")
                .arg(out)
                .args(more)
                .output()
                .unwrap()
                .into()
        };
        to_parquet(&[]).expect(0);
        assert!(directory.path().join(out).exists());
        let json = to_parquet(&["--overwrite", "--json"]).expect(0).json();
        assert_eq!(json["rows"], 5);
    }
}
