//! Numbers of bytes as people write them: `8MiB`, `64MB`, `1048576`.

use std::fmt;
use std::str::FromStr;

/// What a unit is worth, the units that are shown first. Case is of no matter.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

impl ByteSize {
    /// As a length in memory. What does not fit is as good as no bound.
    pub(super) fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let known = |&(name, _): &(&str, u64)| name.eq_ignore_ascii_case(unit.trim_start());
        let worth = match unit {
            "" => Some(1),
            _ => UNITS.iter().find(|unit| known(unit)).map(|&(_, worth)| worth),
        };
        match (digits.parse::<u64>(), worth) {
            (Ok(number), Some(worth)) => {
                number.checked_mul(worth).map(Self).ok_or_else(|| "too large".to_owned())
            }
            _ => Err("not a number of bytes: use 8MiB, 64MB or 1048576".to_owned()),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |&&(_, worth): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(worth);
        match UNITS.iter().find(whole) {
            Some((unit, worth)) if *worth > 1 => write!(f, "{}{unit}", self.0 / worth),
            _ => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
#[path = "size_tests.rs"]
mod tests;
