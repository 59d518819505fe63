//! `vecpack sample`

mod records;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use self::records::{Sample, write_sample};
use super::args::local_path;
use super::outcome::Failure;
use super::output;
use super::signals::Signals;
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
    #[arg(value_name = "OUT", value_parser = local_path(), value_hint = ValueHint::FilePath)]
    out: PathBuf,

    #[command(flatten)]
    sample: Sample,

    /// Replace a file that exists.
    #[arg(long, help_heading = "Output")]
    overwrite: bool,

    /// Say nothing but errors.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

pub(super) fn run(args: &SampleArgs, signals: &Signals) -> Result<(), Failure> {
    let cancel = signals.cancel();
    if args.out == Path::new("-") {
        let mut out = output::binary_stdout()?;
        let written = write_sample(&mut out, &args.sample, &cancel).and_then(|()| out.flush());
        return Ok(written.map_err(Error::from)?);
    }
    signals.defer();
    let target = Target::create(&args.out, args.overwrite, cancel.clone())?;
    let mut out = BufWriter::with_capacity(1 << 20, target.sink());
    let written = write_sample(&mut out, &args.sample, &cancel).and_then(|()| out.flush());
    drop(out);
    written.map_err(|error| Failure::of_output(target.error(error), &args.out))?;
    let bytes = target.commit(false)?;
    if !args.quiet {
        let records = count(args.sample.rows, "record");
        output::report(&format!(
            "wrote    {records} of {} float32, {} to {}",
            args.sample.dim,
            size(bytes),
            args.out.display()
        ));
    }
    Ok(())
}
