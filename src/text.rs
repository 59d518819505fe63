//! Numbers and texts as people read them.

use std::fmt;

/// `1 row`, `50,000 rows`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `1 byte`, `2051 bytes`: digits without commas, as offsets have them.
pub(crate) fn bytes(number: impl TryInto<u64>) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} byte{}", if number == 1 { "" } else { "s" })
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// `no record`, `none of the first 1,000 records`: the subject of a sentence about all of them.
pub(crate) fn none_of(records: u64) -> String {
    match records {
        1 => "no record".to_owned(),
        _ => format!("none of the first {} records", grouped(records)),
    }
}

/// Names one after another: `` `id`, `vector` ``.
pub(crate) fn listed(names: impl Iterator<Item = impl fmt::Display>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Bytes in decimal units: `102.55 MB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "bytes" { format!("{bytes} {unit}") } else { format!("{value:.2} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.2} TB")
}

/// An error of the system without its number, which says nothing to a person.
pub(crate) fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().map(|number| format!(" (os error {number})"));
    number.and_then(|number| text.strip_suffix(&number)).unwrap_or(&text).to_owned()
}

/// The text without its middle, where it is so long that nobody would read it: a value of an option may be of any length.
pub(crate) fn without_middle(text: String) -> String {
    const MOST: usize = 1000;
    const BEGIN: usize = 600;
    const END: usize = 300;
    let length = text.chars().count();
    if length <= MOST {
        return text;
    }
    let (begin, end) = (text.chars().take(BEGIN), text.chars().skip(length - END));
    begin.chain(" ... ".chars()).chain(end).collect()
}

/// The text with its control characters escaped: file names and keys come from outside.
pub(crate) fn printable(text: &str) -> String {
    let escape = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(escape).collect()
}
