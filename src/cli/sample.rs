//! `vecpack sample`

mod records;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use self::records::{Like, Sample, write_sample};
use super::args::names;
use super::outcome::Failure;
use super::output;
use super::signals::Signals;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::output::Target;
use crate::text::{count, size};

/// Write random vectors of length one, to try things on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  vecpack sample vectors.msgpack
  vecpack sample --rows 1000000 --dim 768 --seed 7 large.msgpack
  vecpack sample - --rows 10 | vecpack inspect -")]
pub(super) struct SampleArgs {
    /// The MessagePack file to write, or `-` for standard output.
    #[arg(value_name = "OUT", value_hint = ValueHint::FilePath)]
    out: PathBuf,

    /// Number of records.
    #[arg(long, value_name = "N", default_value_t = 50_000, help_heading = "Sample")]
    rows: u64,

    /// Elements a vector.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Sample")]
    dim: u32,

    /// How records are written.
    ///
    /// `bytes`: float32 as MessagePack `bin`. `raw`: the same as the older `raw`, which is today's `str`. `floats` and `doubles`:
    /// arrays of float32 or of float64. `records`: maps with id, url, score and vector.
    #[arg(
        long,
        value_name = "LAYOUT",
        default_value = name(Like::default()),
        value_parser = names(Like::NAMES.map(|(_, name)| name), like),
        help_heading = "Sample"
    )]
    like: Like,

    /// Number from which the vectors are drawn: the same seed gives the same file.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Sample")]
    seed: u64,

    /// Replace a file that exists.
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Say nothing but errors.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

fn name(like: Like) -> &'static str {
    Like::NAMES.into_iter().find(|(known, _)| *known == like).map_or("", |(_, name)| name)
}

fn like(name: &str) -> Result<Like, Error> {
    let found = Like::NAMES.into_iter().find(|(_, known)| *known == name);
    found.map(|(like, _)| like).ok_or_else(|| Error::option(format!("like `{name}` is not known")))
}

pub(super) fn run(args: &SampleArgs, signals: &Signals) -> Result<(), Failure> {
    let sample = Sample::new(args.rows, args.dim).with_like(args.like).with_seed(args.seed);
    if args.out == Path::new("-") {
        let mut out = output::binary_stdout()?;
        return Ok(write_sample(&mut out, &sample).and_then(|()| out.flush()).map_err(Error::from)?);
    }
    signals.defer();
    let target = Target::create(&args.out, args.overwrite, signals.cancel())?;
    let mut out =
        Interruptible { out: BufWriter::with_capacity(1 << 20, target.sink()), cancel: signals.cancel() };
    let written = write_sample(&mut out, &sample).and_then(|()| out.flush());
    drop(out);
    written.map_err(|error| Failure::of_output(target.error(error), &args.out))?;
    let bytes = target.commit(false)?;
    if !args.quiet {
        let records = count(args.rows, "record");
        output::report(&format!(
            "wrote    {records} of {} float32, {} to {}",
            args.dim,
            size(bytes),
            args.out.display()
        ));
    }
    Ok(())
}

/// A writer that a signal ends.
struct Interruptible<W> {
    out: W,
    cancel: Cancel,
}

impl<W: Write> Write for Interruptible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cancel.check_io()?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
