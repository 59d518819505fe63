#![allow(clippy::unwrap_used)]

use super::*;

/// A map of these pairs.
fn map(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x80 | pairs.len() as u8];
    for (key, value) in pairs {
        bytes.push(0xa0 | key.len() as u8);
        bytes.extend(key.as_bytes());
        bytes.extend(*value);
    }
    bytes
}

const VECTOR: &[u8] = b"\xc4\x041234";

/// A record with this behind its vector.
fn record(behind: &[(&str, &[u8])]) -> Vec<u8> {
    map(&[&[("id", &[7][..]), ("vector", VECTOR)], behind].concat())
}

/// Whether a record that ends with this key and value has taken the next one.
fn has_taken(behind: &[(&str, &[u8])], value: &[u8]) -> bool {
    let bytes = record(behind);
    assert!(bytes.ends_with(value));
    has_taken_next(Cursor::new(&bytes), value).unwrap()
}

#[test]
fn a_key_that_begins_with_the_next_records_has_taken_its_own_value() {
    let next = record(&[("note", &[0xc0])]);
    assert!(has_taken(&[("note\u{1}", &next)], &next));
    assert!(has_taken(&[("note and more", &next)], &next));
    for key in ["parent", "note", "no", "not"] {
        assert!(!has_taken(&[(key, &next)], &next), "{key}");
    }
    // An array of records is what is behind the last record of another.
    let array = [&[0x92][..], &next, &next].concat();
    assert!(has_taken(&[("note\u{1}", &array)], &array));
    assert!(!has_taken(&[("children", &array)], &array));
}

#[test]
fn a_key_within_the_last_field_may_have_taken_its_value() {
    let meta = |key, value: &[u8]| map(&[("source", b"\xa1x"), (key, value)]);
    let next = record(&[("meta", &meta("page", &[7]))]);
    let with_next = |key| meta(key, &next);
    assert!(has_taken(&[("meta", &with_next("page\u{1}"))], &with_next("page\u{1}")));
    assert!(!has_taken(&[("meta", &with_next("before"))], &with_next("before")));
    // Two maps further in.
    let deep = |value: &[u8]| map(&[("a", value)]);
    let next = record(&[("meta", &deep(&meta("page", &[7])))]);
    let with_next = deep(&meta("page\u{1}", &next));
    assert!(has_taken(&[("meta", &with_next)], &with_next));
}

#[test]
fn keys_that_were_values_are_no_records_own() {
    let next = record(&[("text", b"\xa3abc"), ("page", &[7])]);
    assert!(has_taken(&[("doc-9", b"\xa4text"), ("abc", &next)], &next));
    let array = [&[0x91][..], &next].concat();
    assert!(has_taken(&[("doc-9", b"\xa4text"), ("abc", &array)], &array));
    // One of the next record's keys is its own as well, or nothing that it has is a key of the next one.
    assert!(!has_taken(&[("kind", b"\xa4text"), ("page", &[1]), ("chunk", &next)], &next));
    assert!(!has_taken(&[("kind", b"\xa1x"), ("chunk", &next)], &next));
    assert!(!has_taken(&[("title", &next)], &next));
    assert!(!has_taken(&[("kind", b"\xa4text"), ("chunk", VECTOR)], VECTOR));
}

#[test]
fn numbers_are_no_keys_where_the_next_record_has_text() {
    let next = record(&[("text", b"\xa3abc")]);
    let mut bytes = record(&[("text", &next)]);
    let at = bytes.windows(5).position(|bytes| bytes == b"\xa4text").unwrap();
    bytes.splice(at..at + 5, [9]);
    assert!(has_taken_next(Cursor::new(&bytes), &next).unwrap());
}
