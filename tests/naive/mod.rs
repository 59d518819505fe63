//! A decoder that is as simple as can be: its own little MessagePack reader, one record at a time, nothing of vecpack's.

use fastrand::Rng;
use vecpack::{Dtype, OnError, RejectKind};

use crate::support::{Note, Row};

pub(crate) struct Naive {
    pub(crate) dim: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug)]
enum Stop {
    Cut,
    /// 0xc1.
    Reserved,
}

/// The head at `at`: where the payload begins, its length, how many objects follow, and whether it is `bin` or `str`.
fn head(bytes: &[u8], at: usize) -> Result<(usize, usize, u64, bool), Stop> {
    let number = |from: usize, size: usize| {
        let digits = bytes.get(at + from..at + from + size).ok_or(Stop::Cut)?;
        Ok(digits.iter().fold(0u64, |number, &digit| number << 8 | u64::from(digit)))
    };
    let marker = *bytes.get(at).ok_or(Stop::Cut)?;
    let (size, payload, objects) = match marker {
        0x80..=0x8f => (1, 0, 2 * u64::from(marker - 0x80)),
        0x90..=0x9f => (1, 0, u64::from(marker - 0x90)),
        0xa0..=0xbf => (1, u64::from(marker - 0xa0), 0),
        0xc1 => return Err(Stop::Reserved),
        0xc4 | 0xd9 => (2, number(1, 1)?, 0),
        0xc5 | 0xda => (3, number(1, 2)?, 0),
        0xc6 | 0xdb => (5, number(1, 4)?, 0),
        0xc7..=0xc9 => (2 + (1 << (marker - 0xc7)), number(1, 1 << (marker - 0xc7))?, 0),
        0xd4..=0xd8 => (2, 1 << (marker - 0xd4), 0),
        0xca..=0xcb => (1 + (4 << (marker - 0xca)), 0, 0),
        0xcc..=0xcf => (1 + (1 << (marker - 0xcc)), 0, 0),
        0xd0..=0xd3 => (1 + (1 << (marker - 0xd0)), 0, 0),
        0xdc => (3, 0, number(1, 2)?),
        0xdd => (5, 0, number(1, 4)?),
        0xde => (3, 0, 2 * number(1, 2)?),
        0xdf => (5, 0, 2 * number(1, 4)?),
        _ => (1, 0, 0),
    };
    number(0, size)?;
    let is_vector = matches!(marker, 0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb);
    Ok((at + size, payload as usize, objects, is_vector))
}

fn end(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let (start, payload, objects, _) = head(bytes, at)?;
    if bytes.len() - start < payload {
        return Err(Stop::Cut);
    }
    (0..objects).try_fold(start + payload, |at, _| end(bytes, at))
}

/// The numbers of the array at `at`, each with its marker; `None` for anything else.
fn numbers(bytes: &[u8], at: usize) -> Option<Vec<(u8, &[u8])>> {
    let marker = *bytes.get(at)?;
    let (mut start, _, objects, _) = head(bytes, at).ok()?;
    if !matches!(marker, 0x90..=0x9f | 0xdc | 0xdd) {
        return None;
    }
    let number = |_| {
        let (end, payload, ..) = head(bytes, start).ok()?;
        let (marker, digits) = (bytes[start], &bytes[start + 1..end]);
        start = end;
        let is_number = matches!(marker, 0..=0x7f | 0xca..=0xd3 | 0xe0..);
        (is_number && payload == 0).then_some((marker, digits))
    };
    (0..objects).map(number).collect()
}

/// A number as `reading` says; `None` where it does not fit.
fn number(reading: &Reading, (marker, digits): (u8, &[u8])) -> Option<Vec<u8>> {
    let bits = digits.iter().fold(0u64, |number, &digit| number << 8 | u64::from(digit));
    let width = 8 * digits.len() as u32;
    let integer = match marker {
        0..=0x7f | 0xe0.. => i128::from(marker as i8),
        0xd0..=0xd3 => i128::from((bits << (64 - width)) as i64 >> (64 - width)),
        _ => bits.into(),
    };
    match (reading.dtype, marker) {
        (Dtype::Float32, 0xca) => Some((bits as u32).to_ne_bytes().to_vec()),
        (Dtype::Float32, 0xcb) => {
            let (wide, narrow) = (f64::from_bits(bits), f64::from_bits(bits) as f32);
            (wide.is_infinite() || !narrow.is_infinite()).then(|| narrow.to_ne_bytes().to_vec())
        }
        (Dtype::Float32, _) => {
            let near = integer as f32;
            (near as i128 == integer).then(|| near.to_ne_bytes().to_vec())
        }
        (_, 0xca | 0xcb) => {
            let float =
                if marker == 0xca { f32::from_bits(bits as u32).into() } else { f64::from_bits(bits) };
            (float.trunc() == float && (-128.0..128.0).contains(&float)).then(|| vec![float as i8 as u8])
        }
        _ => i8::try_from(integer).ok().map(|byte| vec![byte as u8]),
    }
}

/// The bytes that an array of them stands for.
fn byte_values(numbers: &[(u8, &[u8])]) -> Option<Vec<u8>> {
    let byte = |&(marker, digits): &(u8, &[u8])| match marker {
        0..=0x7f => Some(marker),
        0xcc..=0xcf => {
            let (last, rest) = digits.split_last()?;
            rest.iter().all(|&digit| digit == 0).then_some(*last)
        }
        0xd0..=0xd3 => {
            let (last, rest) = digits.split_last()?;
            let sign = if rest.is_empty() { *last } else { rest[0] };
            (rest.iter().all(|&digit| digit == 0) && (sign < 128 || !rest.is_empty())).then_some(*last)
        }
        _ => None,
    };
    numbers.iter().map(byte).collect()
}

/// The dimension of the first vector of a possible length that is there in full.
pub(crate) fn infer(files: &[(String, Vec<u8>)], reading: &Reading, max_record_bytes: u64) -> Option<usize> {
    files.iter().find_map(|(_, bytes)| {
        let mut at = 0;
        while let Ok(next) = end(bytes, at) {
            if let Some(numbers) = numbers(bytes, at).filter(|numbers| !numbers.is_empty())
                && (next - at) as u64 <= max_record_bytes
            {
                return Some(numbers.len());
            }
            if let Ok((_, payload, _, true)) = head(bytes, at)
                && payload > 0
                && payload % reading.size() == 0
                && (next - at) as u64 <= max_record_bytes
            {
                return Some(payload / reading.size());
            }
            at = next;
        }
        None
    })
}

/// What the record at `at` is, as a vector of `dim` elements that may not fit: its elements, or `None` where they do not. An
/// error for anything else.
fn elements(bytes: &[u8], at: usize, dim: usize, reading: &Reading) -> Result<Row, RejectKind> {
    let Ok((start, payload, _, is_text)) = head(bytes, at) else { return Err(RejectKind::Type) };
    let Some(numbers) = numbers(bytes, at) else {
        return match is_text {
            true if payload == dim * reading.size() => Ok(reading.convert(&bytes[start..start + payload])),
            true => Err(RejectKind::Dimension),
            false => Err(RejectKind::Type),
        };
    };
    if numbers.len() == dim {
        let row: Option<Vec<_>> = numbers.iter().map(|&item| number(reading, item)).collect();
        return Ok(row.map(|row| row.concat()));
    }
    let as_bytes = if numbers.len() == dim * reading.size() { byte_values(&numbers) } else { None };
    as_bytes.map_or(Err(RejectKind::Dimension), |payload| Ok(reading.convert(&payload)))
}

/// What a record is, and where it ends.
enum Judged {
    Row(Vec<u8>, usize),
    Bad(usize, RejectKind),
}

fn judge(bytes: &[u8], at: usize, dim: usize, reading: &Reading, max_record_bytes: u64) -> Judged {
    let next = match end(bytes, at) {
        Ok(next) => next,
        Err(Stop::Reserved) => return Judged::Bad(bytes.len(), RejectKind::Invalid),
        Err(Stop::Cut) => return Judged::Bad(bytes.len(), RejectKind::Truncated),
    };
    if (next - at) as u64 > max_record_bytes {
        return Judged::Bad(next, RejectKind::TooLarge);
    }
    match elements(bytes, at, dim, reading) {
        Ok(Some(row)) => Judged::Row(row, next),
        Ok(None) => Judged::Bad(next, RejectKind::Value),
        Err(kind) => Judged::Bad(next, kind),
    }
}

/// True for a number or a boolean, which is no record.
fn is_number(marker: u8) -> bool {
    matches!(marker, 0..=0x7f | 0xc2 | 0xc3 | 0xca..=0xd3 | 0xe0..)
}

/// Every object is what its head says, and bytes that cannot be read end the file. Under `skip` and
/// `null` a run of numbers is one reject and no row.
pub(crate) fn decode(
    files: &[(String, Vec<u8>)],
    dim: usize,
    reading: &Reading,
    on_error: OnError,
    max_record_bytes: u64,
) -> Naive {
    let (mut rows, mut notes) = (Vec::new(), Vec::<Note>::new());
    for (file, bytes) in files {
        let (mut at, mut record, mut in_run) = (0, 0, false);
        while at < bytes.len() {
            match judge(bytes, at, dim, reading, max_record_bytes) {
                Judged::Row(row, next) => {
                    rows.push(Some(row));
                    (at, record, in_run) = (next, record + 1, false);
                }
                Judged::Bad(next, kind) => {
                    let is_whole = !matches!(kind, RejectKind::Invalid | RejectKind::Truncated);
                    let is_no_record = is_whole && is_number(bytes[at]) && on_error != OnError::Raise;
                    let length = (next - at) as u64;
                    match notes.last_mut() {
                        Some(run) if in_run && is_no_record => run.length += length,
                        _ => {
                            notes.push(Note { file: file.clone(), record, offset: at as u64, length, kind });
                            record += 1;
                        }
                    }
                    if on_error == OnError::Null && is_whole && !is_no_record {
                        rows.push(None);
                    }
                    (at, in_run) = (next, is_no_record);
                }
            }
        }
    }
    Naive { dim, rows, notes }
}

/// How the elements of vectors are stored, and what they become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) raw: &'static str,
    pub(crate) dtype: Dtype,
}

impl Reading {
    pub(crate) const ALL: [Self; 4] = [
        Self { raw: "<f4", dtype: Dtype::Float32 },
        Self { raw: ">f4", dtype: Dtype::Float32 },
        Self { raw: "<f8", dtype: Dtype::Float32 },
        Self { raw: "|u1", dtype: Dtype::Int8 },
    ];

    pub(crate) fn size(&self) -> usize {
        match self.raw {
            "<f8" => 8,
            "|u1" => 1,
            _ => 4,
        }
    }

    /// The row of the column; `None` where an element does not fit.
    pub(crate) fn convert(&self, payload: &[u8]) -> Row {
        let element = |bytes: &[u8]| match (self.raw, bytes) {
            ("<f4", &[a, b, c, d]) => Some(f32::from_le_bytes([a, b, c, d]).to_bits().to_ne_bytes().to_vec()),
            (">f4", &[a, b, c, d]) => Some(u32::from_be_bytes([a, b, c, d]).to_ne_bytes().to_vec()),
            ("<f8", &[a, b, c, d, e, f, g, h]) => {
                let number = f64::from_le_bytes([a, b, c, d, e, f, g, h]);
                let fits = number.is_infinite() || !(number as f32).is_infinite();
                fits.then(|| (number as f32).to_ne_bytes().to_vec())
            }
            (_, &[byte]) => (byte < 128).then(|| vec![byte]),
            _ => None,
        };
        let elements: Option<Vec<_>> = payload.chunks(self.size()).map(element).collect();
        elements.map(|elements| elements.concat())
    }

    /// The bytes of a vector that fits.
    pub(crate) fn ordinary(&self, dim: usize, random: &mut Rng) -> Vec<u8> {
        let element = |random: &mut Rng| match self.raw {
            "<f8" => (f64::from(random.i32(..)) / 1024.0).to_le_bytes().to_vec(),
            "|u1" => vec![random.u8(0..128)],
            _ => random.u32(..).to_le_bytes().to_vec(),
        };
        (0..dim).flat_map(|_| element(random)).collect()
    }

    /// The bytes of an element that does not fit, if there is one.
    pub(crate) fn extreme(&self) -> Vec<u8> {
        match self.raw {
            "<f8" => (-f64::MAX).to_le_bytes().to_vec(),
            "|u1" => vec![128],
            _ => 0x7f80_0001u32.to_le_bytes().to_vec(),
        }
    }
}

/// True where all records of a file are of the kinds that this decoder knows: no maps and extensions, which may be vectors of
/// some library, and no arrays of anything but scalars.
#[allow(dead_code)] // only where inputs may hold anything
pub(crate) fn knows(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let (Ok((start, _, objects, _)), Some(marker)) = (head(bytes, at), bytes.get(at)) {
        let is_known = |marker: u8| !matches!(marker, 0x80..=0x8f | 0xc7..=0xc9 | 0xd4..=0xd8 | 0xde | 0xdf);
        let is_array = |marker: u8| matches!(marker, 0x90..=0x9f | 0xdc | 0xdd);
        if !is_known(*marker) {
            return false;
        }
        if is_array(*marker) {
            let mut item = start;
            for _ in 0..objects {
                match (bytes.get(item), head(bytes, item)) {
                    (Some(&marker), Ok((end, 0, 0, false))) if is_known(marker) && !is_array(marker) => {
                        item = end
                    }
                    (Some(_), Ok(_)) => return false,
                    _ => return true,
                }
            }
        }
        match end(bytes, at) {
            Ok(next) => at = next,
            Err(_) => return true,
        }
    }
    true
}
