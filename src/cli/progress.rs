//! How far the work is, on standard error.

use std::fmt::Write;
use std::io::{self, IsTerminal, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::style::ProgressTracker;
use indicatif::{ProgressDrawTarget, ProgressState, ProgressStyle};

use super::args::TalkArgs;
use super::outcome::Signals;
use super::output;
use crate::error::Result;
use crate::pool::lock;
use crate::reader::{Progress, Watch};
use crate::source::Source;
use crate::text::{count, grouped, size};

/// Work that is done within this time shows no bar, which would only flash up.
const DELAY: Duration = Duration::from_millis(300);
/// How often a bar is drawn anew while nothing comes in.
const TICK: Duration = Duration::from_millis(250);
/// How often a line is written where there is no terminal.
const LINE: Duration = Duration::from_secs(1);

/// A progress bar on a terminal, lines elsewhere if asked for, nothing otherwise.
pub(crate) struct ProgressBar {
    look: Look,
    begin: Instant,
    /// How many inputs there are.
    files: u64,
    latest: Mutex<Option<Progress>>,
}

enum Look {
    Bar(indicatif::ProgressBar),
    Lines { total: Option<u64>, lines: Mutex<Lines> },
    Nothing,
}

struct Lines {
    /// When the latest line was written.
    written: Instant,
    /// What has not been written yet.
    news: Option<Progress>,
}

impl ProgressBar {
    /// A bar for `total` bytes of so many `files`. `force` shows progress where standard error is no terminal, too.
    pub(crate) fn new(total: Option<u64>, files: usize, force: bool) -> Self {
        let begin = Instant::now();
        let look = if io::stderr().is_terminal() {
            let bar = indicatif::ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
            bar.set_style(style(total.is_some()));
            Look::Bar(bar)
        } else if force {
            Look::Lines { total, lines: Mutex::new(Lines { written: begin, news: None }) }
        } else {
            Look::Nothing
        };
        Self { look, begin, files: files as u64, latest: Mutex::default() }
    }

    /// A bar for a scan of `source`, if the command is to talk.
    pub(super) fn of(source: &Source, talk: &TalkArgs) -> Result<Self> {
        if talk.quiet {
            return Ok(Self::none());
        }
        output::warnings(source.warnings());
        Ok(Self::new(source.size()?, source.inputs().len(), talk.progress))
    }

    /// No bar at all.
    pub(crate) fn none() -> Self {
        Self { look: Look::Nothing, begin: Instant::now(), files: 0, latest: Mutex::default() }
    }

    /// Shows how far `work` is, until it is done or a signal ends it.
    pub(super) fn show<T>(&self, signals: &Signals, work: impl FnOnce(Watch<'_>) -> Result<T>) -> Result<T> {
        let mut tell = |progress| {
            self.update(progress);
            Ok(())
        };
        let result = work(Watch { progress: Some(&mut tell), cancel: signals.cancel() });
        // Gone before anything is said.
        self.finish();
        result
    }

    /// How far the work was when it said so last.
    pub(super) fn latest(&self) -> Option<Progress> {
        *lock(&self.latest)
    }

    /// Tells how far the work is.
    pub(crate) fn update(&self, progress: Progress) {
        *lock(&self.latest) = Some(progress);
        match &self.look {
            Look::Bar(bar) => {
                if bar.is_hidden() && self.begin.elapsed() >= DELAY {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(TICK);
                }
                bar.set_message(self.count(progress));
                bar.set_position(progress.bytes);
            }
            Look::Lines { total, lines } => {
                let mut lines = lock(lines);
                lines.news = Some(progress);
                if lines.written.elapsed() >= LINE {
                    self.write_news(*total, &mut lines);
                }
            }
            Look::Nothing => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        match &self.look {
            Look::Bar(bar) => bar.finish_and_clear(),
            Look::Lines { total, lines } => self.write_news(*total, &mut lock(lines)),
            Look::Nothing => {}
        }
    }

    fn write_news(&self, total: Option<u64>, lines: &mut Lines) {
        let Some(progress) = lines.news.take() else { return };
        let bytes = progress.bytes;
        lines.written = Instant::now();
        let mut line = size(bytes);
        if let Some(total) = total {
            let percent = (100.0 * bytes as f64 / total.max(1) as f64) as u64;
            let _ = write!(line, " of {} ({percent} %)", size(total));
        }
        let elapsed = self.begin.elapsed();
        let _ = write!(line, ", {}, {}/s", self.count(progress), size(rate(bytes, elapsed) as u64));
        if let Some(left) = left(total, bytes, elapsed) {
            let _ = write!(line, ", {left}");
        }
        // Whether anybody listens must not decide about the work.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Files where there are several, and rows where there is one.
    fn count(&self, progress: Progress) -> String {
        match self.files {
            0 | 1 => count(progress.rows, "row"),
            files => format!("{} of {} files", grouped(progress.files), grouped(files)),
        }
    }
}

/// The text that the template shows for a key.
fn key(text: fn(&ProgressState) -> String) -> impl ProgressTracker + 'static {
    move |state: &ProgressState, out: &mut dyn Write| {
        let _ = out.write_str(&text(state));
    }
}

/// Widths are fixed where numbers grow, so that the line stands still, and it fits into 80 columns.
fn style(total_is_known: bool) -> ProgressStyle {
    let template = if total_is_known {
        "{bar:10} {percent:>3} %  {done:>9} of {all}  {rate:>11}  {left}  {msg}"
    } else {
        "{spinner} {done:>9}  {rate:>11}  {msg}"
    };
    ProgressStyle::with_template(template)
        // The templates stand above; the default is a bar as well.
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .with_key("done", key(|state| size(state.pos())))
        .with_key("all", key(|state| size(state.len().unwrap_or(0))))
        .with_key("rate", key(|state| format!("{}/s", size(rate(state.pos(), state.elapsed()) as u64))))
        .with_key("left", key(|state| left(state.len(), state.pos(), state.elapsed()).unwrap_or_default()))
}

/// Bytes a second, since the beginning: what a conversion does it does evenly, and this stands still.
fn rate(bytes: u64, elapsed: Duration) -> f64 {
    bytes as f64 / elapsed.as_secs_f64().max(1e-9)
}

/// The time that is left, once there is a rate and the total is known.
fn left(total: Option<u64>, done: u64, elapsed: Duration) -> Option<String> {
    let bytes = total?.saturating_sub(done);
    let seconds = bytes as f64 / rate(done, elapsed);
    if bytes == 0 {
        // All batches are written. The run waits for the disk.
        return Some("finishing".to_owned());
    }
    seconds.is_finite().then(|| duration(seconds as u64))
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s left"),
        60..3600 => format!("{} min {} s left", seconds / 60, seconds % 60),
        _ => format!("{} h {} min left", seconds / 3600, seconds / 60 % 60),
    }
}
