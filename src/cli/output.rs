//! What is printed, and where.

use std::fmt::Write as _;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::path::Path;

use serde::Serialize;
use terminal_size::{Height, Width, terminal_size_of};

use super::outcome::Failure;
use crate::error::Error;
use crate::output::directory::is_directory;
use crate::reject::Rejects;
use crate::text::{grouped, printable};

/// A line for a person, on standard error.
pub(super) fn message(text: &str) {
    report(&format!("vecpack: {text}"));
}

/// Lines about what looks wrong, on standard error.
pub(super) fn warnings<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) {
    texts.into_iter().for_each(|text| message(&format!("warning: {}", text.as_ref())));
}

/// Lines for a person, on standard error.
pub(super) fn report(text: &str) {
    let text = shown(text, terminal_size_of(io::stderr()));
    // Whether anybody listens must not decide about the work.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Lines for a person who asked for them, on standard output.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    raw(format!("{}\n", shown(text, terminal_size_of(io::stdout()))).as_bytes())
}

/// The lines as a terminal of this size shows them. Control characters would do things to it; names of files and keys come from
/// outside.
fn shown(text: &str, size: Option<(Width, Height)>) -> String {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    wrapped(&with_flags(&lines.join("\n")), size.map(|(width, _)| width.0.into()))
}

/// An object for a machine, in one line on standard output.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(|error| Error::from(io::Error::from(error)))?;
    raw(format!("{}\n", with_flags(&line)).as_bytes())
}

/// Bytes, on standard output.
pub(super) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let written = stdout().and_then(|mut stdout| stdout.write_all(bytes).and_then(|()| stdout.flush()));
    written.map_err(|error| Error::from(error).into())
}

/// Standard output. Rust's own takes a write to what is closed, or cannot be written to, for one that was done.
#[cfg(unix)]
fn stdout() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(not(unix))]
fn stdout() -> io::Result<io::Stdout> {
    Ok(io::stdout())
}

/// Puts something that takes nothing in the place of standard streams that are closed: else files that are opened would get their
/// numbers, and what is printed.
pub(super) fn fill_standard_streams() {
    #[cfg(unix)]
    while let Ok(file) = File::open("/dev/null")
        && file.as_raw_fd() <= 2
    {
        let _stays_open = file.into_raw_fd();
    }
}

/// Standard output for binary data, which a terminal must not get.
pub(super) fn binary_stdout() -> Result<BufWriter<impl Write>, Failure> {
    let stdout = stdout().map_err(Error::from)?;
    if stdout.is_terminal() {
        let text = "binary data is not written to a terminal: redirect the output, or name a file";
        return Err(Error::option(text).into());
    }
    Ok(BufWriter::with_capacity(64 << 10, stdout))
}

/// The first rejects, a line each, to stand above what tells their number.
pub(super) fn reject_lines(rejects: &Rejects) -> String {
    let shown = rejects.in_words();
    let mut lines = String::new();
    for reject in &shown {
        let _ = writeln!(lines, "rejected {reject}");
    }
    let more = rejects.count() - shown.len() as u64;
    if more > 0 && !shown.is_empty() {
        let _ = writeln!(lines, "         and {} more", grouped(more));
    }
    lines
}

/// The options that the library names, as flags: ``option `on_error=skip` `` is `--on-error skip`. The library writes all
/// options so.
fn with_flags(text: &str) -> String {
    const MARK: &str = "option `";
    let mut parts = text.split(MARK);
    let mut flags = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (option, rest) = part.split_once('`').unwrap_or_default();
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if name.is_empty() || !name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_') {
            flags.extend([MARK, part]);
            continue;
        }
        flags.push_str(&format!("--{}", name.replace('_', "-")));
        // In the notation of a shell.
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.%".contains(&letter);
        match value {
            "" => {}
            _ if value.bytes().all(is_plain) => flags.push_str(&format!(" {value}")),
            _ => flags.push_str(&format!(" '{value}'")),
        }
        flags.push_str(rest);
    }
    flags
}

/// Breaks lines that are longer than `width`, at spaces. What follows stands under the text behind the label of the line.
fn wrapped(text: &str, width: Option<usize>) -> String {
    const LABEL: &str = "         ";
    let Some(width) = width.filter(|width| *width > 3 * LABEL.len()) else { return text.to_owned() };
    let mut lines = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            lines.push('\n');
        }
        let mut column = 0;
        for (at, word) in line.split(' ').enumerate() {
            let length = word.chars().count();
            if at > 0 && column + 1 + length > width && column > LABEL.len() {
                lines.push('\n');
                lines.push_str(LABEL);
                column = LABEL.len();
            } else if at > 0 {
                lines.push(' ');
                column += 1;
            }
            lines.push_str(word);
            column += length;
        }
    }
    lines
}

/// Refuses a name for a file of another kind than the command writes.
pub(super) fn check_extension(out: &Path, kind: &str, known: &[&str]) -> Result<(), Error> {
    let extension = out.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let is_device = std::fs::metadata(out).is_ok_and(|metadata| !metadata.is_file());
    match extension {
        Some(found) if !known.contains(&&*found) && !is_device && !is_directory(out) => {
            let (out, known) = (out.display(), known.join(", ."));
            Err(Error::option(format!("{out}: the command writes {kind}: name a file that ends in .{known}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
