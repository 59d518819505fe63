//! `vecpack sample`: random vectors of length one, the same for the same seed.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use rmp::encode;

use super::args::local_path;
use super::outcome::{Failure, Signals};
use super::output;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::output::Target;
use crate::text::{count, size};
use crate::vector::Dtype;

/// The layout of sample records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Like {
    /// float32 as MessagePack `bin`
    Bytes,
    /// the same as the older `raw`, which is today's `str`
    Raw,
    /// an array of float32
    Floats,
    /// an array of float64
    Doubles,
    /// a map with id, url, score and vector
    Records,
}

/// The form of the records.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(next_help_heading = "Sample")]
struct Sample {
    /// Number of records.
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    rows: u64,

    /// Elements a vector.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    dim: u32,

    /// How records are written.
    #[arg(long, value_name = "LAYOUT", value_enum, default_value = "bytes")]
    like: Like,

    /// Number from which the vectors are drawn: the same seed gives the same file.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

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
        return Ok(write_sample(&mut out, &args.sample, &cancel).map_err(Error::from)?);
    }
    signals.defer();
    let target = Target::create(&args.out, args.overwrite, cancel.clone())?;
    let mut out = BufWriter::with_capacity(1 << 20, target.sink());
    let written = write_sample(&mut out, &args.sample, &cancel);
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

/// Writes sample records to `out`, which should be buffered.
fn write_sample(out: &mut dyn Write, sample: &Sample, cancel: &Cancel) -> io::Result<()> {
    let mut random = fastrand::Rng::with_seed(sample.seed);
    let size = Dtype::Float32.size() as u32;
    let length =
        sample.dim.checked_mul(size).ok_or_else(|| io::Error::other("such a vector is larger than 4 GiB"))?;
    let mut vector = vec![0f32; sample.dim as usize];
    let mut record = Vec::new();
    for row in 0..sample.rows {
        cancel.check_io()?;
        fill_normal(&mut vector, &mut random);
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm.max(f32::MIN_POSITIVE));
        record.clear();
        write_record(&mut record, sample.like, row, length, &vector).map_err(io::Error::other)?;
        out.write_all(&record)?;
    }
    out.flush()
}

/// Writes one record. `length` is the size of the vector in bytes.
fn write_record(
    record: &mut Vec<u8>,
    like: Like,
    row: u64,
    length: u32,
    vector: &[f32],
) -> Result<(), encode::ValueWriteError> {
    let bytes = vector.iter().flat_map(|x| x.to_le_bytes());
    match like {
        Like::Bytes => encode::write_bin_len(record, length).map(|_| record.extend(bytes))?,
        Like::Raw => encode::write_str_len(record, length).map(|_| record.extend(bytes))?,
        Like::Floats => {
            encode::write_array_len(record, vector.len() as u32)?;
            vector.iter().try_for_each(|&x| encode::write_f32(record, x))?;
        }
        Like::Doubles => {
            encode::write_array_len(record, vector.len() as u32)?;
            vector.iter().try_for_each(|&x| encode::write_f64(record, x.into()))?;
        }
        Like::Records => {
            encode::write_map_len(record, 4)?;
            encode::write_str(record, "id")?;
            encode::write_uint(record, row)?;
            encode::write_str(record, "url")?;
            encode::write_str(record, &format!("https://example.org/{row}"))?;
            encode::write_str(record, "score")?;
            encode::write_f64(record, vector.first().copied().unwrap_or(0.0).into())?;
            encode::write_str(record, "vector")?;
            encode::write_bin_len(record, length)?;
            record.extend(bytes);
        }
    }
    Ok(())
}

/// Normally distributed numbers, by Marsaglia's polar method.
fn fill_normal(vector: &mut [f32], random: &mut fastrand::Rng) {
    for pair in vector.chunks_mut(2) {
        let (x, y, square) = loop {
            let (x, y) = (2.0 * random.f32() - 1.0, 2.0 * random.f32() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                break (x, y, square);
            }
        };
        let scale = (-2.0 * square.ln() / square).sqrt();
        for (out, value) in pair.iter_mut().zip([x, y]) {
            *out = value * scale;
        }
    }
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
