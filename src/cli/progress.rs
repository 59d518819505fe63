//! How far the work is, on standard error.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::reader::{Progress, lock};
use crate::text::{count, size};

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
}

enum Look {
    Bar { bar: indicatif::ProgressBar, shown: Mutex<bool> },
    Lines { total: Option<u64>, latest: Mutex<(Instant, Progress)> },
    Nothing,
}

impl ProgressBar {
    /// A bar for `total` bytes of input. `force` shows progress where standard error is no terminal, too.
    pub(crate) fn new(total: Option<u64>, force: bool) -> Self {
        let begin = Instant::now();
        let look = if io::stderr().is_terminal() {
            let bar = indicatif::ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
            bar.set_style(style(total.is_some()));
            Look::Bar { bar, shown: Mutex::new(false) }
        } else if force {
            Look::Lines { total, latest: Mutex::new((begin, Progress::default())) }
        } else {
            Look::Nothing
        };
        Self { look, begin }
    }

    /// Tells how far the work is.
    pub(crate) fn update(&self, progress: Progress) {
        match &self.look {
            Look::Bar { bar, shown } => {
                let mut shown = lock(shown);
                if !*shown && self.begin.elapsed() >= DELAY {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(TICK);
                    *shown = true;
                }
                drop(shown);
                bar.set_message(count(progress.rows, "row"));
                bar.set_position(progress.bytes);
            }
            Look::Lines { total, latest } => {
                let mut latest = lock(latest);
                latest.1 = progress;
                if latest.0.elapsed() >= LINE {
                    latest.0 = Instant::now();
                    self.write_line(*total, progress);
                }
            }
            Look::Nothing => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        match &self.look {
            Look::Bar { bar, .. } => bar.finish_and_clear(),
            Look::Lines { total, latest } => self.write_line(*total, lock(latest).1),
            Look::Nothing => {}
        }
    }

    fn write_line(&self, total: Option<u64>, Progress { bytes, rows, .. }: Progress) {
        let mut line = size(bytes);
        if let Some(total) = total {
            let percent = (100.0 * bytes as f64 / total.max(1) as f64) as u64;
            let _ = write!(line, " of {} ({percent} %)", size(total));
        }
        let rate = bytes as f64 / self.begin.elapsed().as_secs_f64().max(1e-9);
        let _ = writeln!(io::stderr().lock(), "{line}, {}, {}/s", count(rows, "row"), size(rate as u64));
    }
}

/// Widths are fixed where numbers grow, so that the line stands still.
fn style(total_is_known: bool) -> ProgressStyle {
    let template = if total_is_known {
        "{bar:28} {percent:>3} %  {done:>9} of {all}  {rate:>11}  {msg}  {left}"
    } else {
        "{spinner} {done:>9}  {rate:>11}  {msg}"
    };
    let bytes_a_second = |state: &ProgressState| {
        let rate = state.per_sec();
        if rate.is_finite() { rate as u64 } else { 0 }
    };
    ProgressStyle::with_template(template)
        // The templates stand above; the default is a bar as well.
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .with_key("done", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&size(state.pos()));
        })
        .with_key("all", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&size(state.len().unwrap_or(0)));
        })
        .with_key("rate", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{}/s", size(bytes_a_second(state)));
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let seconds = state.eta().as_secs();
            let _ = match seconds {
                0..60 => write!(out, "{seconds} s left"),
                60..3600 => write!(out, "{} min {} s left", seconds / 60, seconds % 60),
                _ => write!(out, "{} h {} min left", seconds / 3600, seconds / 60 % 60),
            };
        })
}
