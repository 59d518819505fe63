//! Names of options, what they turn into, and sample data.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::str::FromStr;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use vecpack::{
    Compression, Dtype, Encoding, ErrorKind, Input, ListType, OnError, RawDtype, ReadOptions, Rejects,
    Source, Span, Watch, WriteOptions, to_parquet,
};

#[test]
fn raw_dtypes_are_named_as_numpy_does() {
    for (text, size, shown) in [
        ("<f4", 4, "<f4"),
        (">f4", 4, ">f4"),
        ("f4", 4, "<f4"),
        ("float32", 4, "<f4"),
        ("=f8", 8, if cfg!(target_endian = "big") { ">f8" } else { "<f8" }),
        ("<f2", 2, "<f2"),
        ("float16", 2, "<f2"),
        ("bf16", 2, "bf16"),
        ("bfloat16", 2, "bf16"),
        (">bf16", 2, ">bf16"),
        ("|i1", 1, "|i1"),
        (">u1", 1, "|u1"),
        ("int8", 1, "|i1"),
        ("<i2", 2, "<i2"),
        (">u2", 2, ">u2"),
        ("int32", 4, "<i4"),
        ("uint32", 4, "<u4"),
        (">i8", 8, ">i8"),
        ("uint64", 8, "<u8"),
    ] {
        let raw: RawDtype = text.parse().unwrap();
        assert_eq!((raw.size(), raw.to_string().as_str()), (size, shown), "{text}");
        assert_eq!(shown.parse::<RawDtype>().unwrap(), raw, "{text}");
    }
    for text in ["", "<", "f", "f5", "<<f4", "F4", "ä4", "<c8", "f4 "] {
        let error = text.parse::<RawDtype>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Option(_)) && error.to_string().contains("<f4"), "{error}");
    }
}

fn names_itself<T: FromStr<Err = vecpack::Error> + PartialEq + Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
) {
    for &value in all {
        assert!(T::from_str(name(value)).unwrap() == value);
    }
    let error = T::from_str("no such name").map(|_| ()).unwrap_err().to_string();
    assert!(all.iter().all(|&value| error.contains(name(value))), "{error} does not say what there is");
}

#[test]
fn every_value_of_an_option_has_a_name_and_an_unknown_name_is_told_them_all() {
    names_itself(&OnError::ALL, OnError::as_str);
    names_itself(&Dtype::ALL, Dtype::as_str);
    names_itself(Compression::ALL, Compression::as_str);
    names_itself(Encoding::ALL, Encoding::as_str);
    names_itself(ListType::ALL, ListType::as_str);
}

#[test]
fn options_survive_being_written_and_read() {
    let options = ReadOptions::new()
        .with_dim(512)
        .with_dtype(Dtype::UInt8)
        .with_raw_dtype(">u2".parse::<vecpack::RawDtype>().unwrap())
        .with_on_error(OnError::Null)
        .with_batch_rows(7)
        .with_threads(3);
    for options in [options, ReadOptions::new()] {
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<ReadOptions>(&text).unwrap(), options, "{text}");
    }
    assert_eq!(serde_json::from_str::<ReadOptions>("{}").unwrap(), ReadOptions::new());
    for wrong in [r#"{"dimm": 4}"#, r#"{"raw_dtype": "x"}"#, r#"{"dtype": "float31"}"#, r#"{"dim": -1}"#] {
        assert!(serde_json::from_str::<ReadOptions>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn more_threads_than_make_sense_are_refused_by_all_that_takes_threads() {
    let input = || vec![Input::bytes("x", [0xc4, 4, 0, 0, 0, 0].repeat(3))];
    let refused = |result: Result<(), vecpack::Error>, threads: usize| {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Option(_)), "{threads}: {error}");
        assert_eq!(error.to_string(), "option `threads` must be at most 1024", "{threads}");
    };
    let source = Source::new(input(), ReadOptions::new().with_threads(1024)).unwrap();
    let directory = crate::support::directory();
    let out = directory.path().join("x.parquet");
    for threads in [1025, 1 << 31, usize::MAX] {
        let options = ReadOptions::new().with_threads(threads);
        refused(Source::new(input(), options.clone()).map(drop), threads);
        refused(vecpack::inspect(input(), options, false, Watch::default()).map(drop), threads);
        refused(source.with_threads(threads).map(drop), threads);
        let options = WriteOptions::new().with_threads(threads);
        refused(to_parquet(&source, &out, &options, Watch::default()).map(drop), threads);
    }
    assert!(!out.exists());
}

#[test]
fn an_error_does_not_repeat_all_of_a_long_value() {
    let long = "ä".repeat(50_000);
    let input = || vec![Input::bytes("x", vec![0x81, 0xa1, b'e', 0x92, 0xca, 0, 0, 0, 0, 0xca, 0, 0, 0, 0])];
    let with = |options: ReadOptions| Source::new(input(), options).unwrap_err();
    for error in [
        OnError::from_str(&long).unwrap_err(),
        Dtype::from_str(&long).unwrap_err(),
        RawDtype::from_str(&long).unwrap_err(),
        Compression::from_str(&long).unwrap_err(),
        vecpack::FailAfter::from_str(&long).unwrap_err(),
        vecpack::Framing::from_str(&long).unwrap_err(),
        vecpack::parse_type(&long).unwrap_err(),
        with(ReadOptions::new().with_vector(&long)),
        with(ReadOptions::new().with_vector("e").with_columns([&long])),
    ] {
        let text = error.to_string();
        assert!(text.chars().count() <= 1000 && text.contains("ä ... "), "{}", text.len());
        assert!(text.ends_with(|last: char| last != 'ä'), "what may be done stands at the end: {text}");
    }
}

#[test]
fn a_limit_of_rejects_is_a_number_or_a_share() {
    use vecpack::FailAfter;
    for (text, limit) in [("0", FailAfter::Rejects(0)), ("1000", FailAfter::Rejects(1000))] {
        assert_eq!((text.parse::<FailAfter>().unwrap(), limit.to_string()), (limit, text.to_owned()));
    }
    for (text, share) in [("1%", 0.01), ("0.1 %", 0.001), ("7%", 0.07), ("100%", 1.0)] {
        assert_eq!(text.parse::<FailAfter>().unwrap(), FailAfter::Share(share));
        assert_eq!(FailAfter::Share(share).to_string(), text.replace(' ', ""));
    }
    for wrong in ["", "%", "1.5", "-1", "101%", "NaN%", "inf%", "x"] {
        assert!(wrong.parse::<FailAfter>().is_err(), "{wrong}");
    }
    let options = ReadOptions::new().with_fail_after(FailAfter::Share(0.25));
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<ReadOptions>(&text).unwrap(), options);
    let wrong = ReadOptions::new().with_fail_after(FailAfter::Share(f64::NAN));
    assert!(Source::new(vec![], wrong).is_err());
}

#[test]
fn a_share_says_something_once_there_are_enough_records() {
    use vecpack::{ErrorKind, FailAfter};
    let good = |count: usize| [0xc4, 4, 0, 0, 0, 0].repeat(count);
    let fails = |bytes: Vec<u8>, share: f64| {
        let options =
            ReadOptions::new().with_on_error(OnError::Skip).with_fail_after(FailAfter::Share(share));
        let options = options.with_threads(1).with_batch_rows(100);
        let source = Source::new(vec![Input::bytes("x", bytes)], options).unwrap();
        let mut reader = source.reader().unwrap();
        let failed = std::iter::from_fn(|| reader.next_batch().transpose()).find_map(Result::err);
        assert!(reader.next_batch().unwrap().is_none(), "what follows an error is the end");
        failed.map(|error| match error.into_kind() {
            ErrorKind::TooManyRejects { rejects, records, first, .. } => (rejects, records, first.record),
            kind => panic!("{kind:?}"),
        })
    };
    // Most are bad at first, and few among a thousand: too few had come to tell.
    assert_eq!(fails([good(1), vec![0xc0; 9], good(9_990)].concat(), 0.01), None);
    assert_eq!(fails([good(1), vec![0xc0; 500], good(9_500)].concat(), 0.01), Some((500, 1001, 1)));
    // At the end the share is exact, however few there were.
    assert_eq!(fails([good(9), vec![0xc0]].concat(), 0.1), None);
    assert_eq!(fails([good(9), vec![0xc0]].concat(), 0.099), Some((1, 10, 9)));
}

#[test]
fn rejects_are_a_table() {
    let inputs =
        vec![Input::bytes("a", vec![0xc0]), Input::bytes("b\0", vec![0xc4, 4, 1, 2, 3, 4, 0xc1, 0, 0])];
    let source = Source::new(inputs, ReadOptions::new().with_on_error(OnError::Skip)).unwrap();
    source.count_rows().unwrap();
    let table = source.rejects().to_record_batch();
    assert_eq!(table.schema(), Rejects::schema());
    let names: Vec<_> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(
        names,
        ["file", "record", "offset", "length", "field", "kind", "expected", "found", "message"]
    );
    let text = |name: &str| -> Vec<Option<String>> {
        let column = table.column_by_name(name).unwrap();
        column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    };
    let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned()));
    assert_eq!(text("file"), some(["a", "b\0"]));
    assert_eq!(text("kind"), some(["type", "invalid"]));
    assert_eq!(text("field"), [Some("vector".to_owned()), None]);
    assert_eq!(text("found"), some(["nil", "the byte 0xc1 at byte 6"]));
    assert!(text("message")[0].as_ref().unwrap().contains("found nil"));
    let numbers = ["record", "offset", "length"].map(|name| {
        let column = table.column_by_name(name).unwrap();
        column.as_primitive::<arrow_array::types::UInt64Type>().values().to_vec()
    });
    assert_eq!(numbers, [[0, 1], [0, 6], [1, 3]]);
    assert_eq!(table.column(4).null_count(), 1);
}

#[test]
fn an_id_that_cannot_hold_the_record_is_an_error() {
    let two = [0xc4, 4, 0, 0, 128, 63, 0xc4, 4, 0, 0, 0, 64];
    let last = (1 << 40) - 1;
    for (record, ids) in [(0, Some([0, 1])), (last - 1, Some([last - 1, last])), (last, None)] {
        let span = Span { start: 0, end: two.len() as u64, record, inside: true };
        let input = Input::bytes("two", two.to_vec()).with_span(span);
        let options = ReadOptions::new().with_dim(1).with_include_id(true);
        let source = Source::new(vec![input], options).unwrap();
        let batches: Result<Vec<_>, _> = source.reader().unwrap().collect();
        match (batches, ids) {
            (Ok(batches), Some(ids)) => {
                let found = batches[0].column(1).as_primitive::<Int64Type>();
                assert_eq!(found.values()[..], ids.map(|id: u64| id as i64));
            }
            (Err(error), None) => assert!(error.to_string().contains("include_id"), "{error}"),
            (found, _) => panic!("record {record}: {found:?}"),
        }
    }
}
