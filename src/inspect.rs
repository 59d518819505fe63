//! What is in there: a scan that looks at everything and keeps nothing.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use serde::Serialize;

use crate::error::Result;
use crate::infer::infer;
use crate::input::Input;
use crate::options::{OnError, ReadOptions};
use crate::reader::{Progress, Watch};
use crate::record::vector_type;
use crate::source::Source;
use crate::text::{count, grouped, printable, size};

/// What [`inspect`] found. Its text is a few lines for a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Inputs read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records that are rows.
    pub rows: u64,
    /// How records lie in the inputs.
    pub framing: &'static str,
    /// How that was found out.
    pub framing_from: String,
    /// What a record is.
    pub layout: &'static str,
    /// How that was found out.
    pub layout_from: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// What looks wrong, what is left out and why.
    pub notes: Vec<String>,
    /// Records that are no rows.
    pub rejects: u64,
    /// The first of them.
    pub first_rejects: Vec<String>,
}

/// A column that [`inspect`] found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Rows without a value.
    pub nulls: u64,
    /// What they are of all rows, from 0 to 1.
    pub null_share: f64,
    /// Of a vector column: what its vectors are.
    #[serde(flatten)]
    pub vectors: Option<Vectors>,
}

/// The vectors of a column.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Vectors {
    /// Elements a vector.
    pub dim: usize,
    /// Element type of the column.
    pub dtype: &'static str,
    /// How the first vector was written: the type of its elements, and the encoding.
    pub stored: Option<String>,
    /// Lengths of the vectors: of those that have one, so without NaN and infinity. `None` where there are none.
    pub norms: Option<Norms>,
    /// Elements that are NaN.
    pub nan: u64,
    /// Elements that are infinite.
    pub infinite: u64,
}

/// Euclidean lengths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Norms {
    /// The shortest.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The longest.
    pub max: f64,
}

/// How many rejects [`Inspection`] shows.
const SHOWN: usize = 5;

/// Reads `inputs` through and tells what is in them. Records that cannot become rows are counted, whatever the policy.
pub fn inspect(inputs: Vec<Input>, options: ReadOptions, mut watch: Watch<'_>) -> Result<Inspection> {
    // The plan is that of a conversion with these options.
    let findings = infer(&inputs, &options)?;
    let source = Source::with_findings(inputs, options.with_on_error(OnError::Skip), findings)?;
    let mut tallies = vec![Tally::default(); source.schema().fields().len()];
    let progress =
        watch.follow(source.reader()?, Progress::default(), |batch| tally(&mut tallies, &batch))?;
    let (rejects, findings) = (source.rejects(), source.findings());
    let found = source.columns().iter().filter_map(|output| Some((output, findings.column(&output.field)?)));
    let columns = found.zip(tallies).map(|((output, column), tally)| Column {
        name: output.name.clone(),
        data_type: type_name(column.field.data_type()),
        nulls: tally.nulls,
        null_share: tally.nulls as f64 / progress.rows.max(1) as f64,
        vectors: vector_type(column.field.data_type()).map(|(dim, dtype)| Vectors {
            dim,
            dtype: dtype.as_str(),
            stored: column.stored(),
            norms: tally.norms(),
            nan: tally.nan,
            infinite: tally.infinite,
        }),
    });
    Ok(Inspection {
        files: progress.files,
        bytes: progress.bytes,
        rows: progress.rows,
        framing: findings.framing.as_str(),
        framing_from: findings.framing_from.clone(),
        layout: findings.layout.as_str(),
        layout_from: findings.layout_from.clone(),
        columns: columns.collect(),
        notes: [&*findings.notes.warnings, &findings.notes.left_out].concat(),
        rejects: rejects.count(),
        first_rejects: rejects
            .details()
            .iter()
            .take(SHOWN)
            .map(|reject| printable(&reject.to_string()))
            .collect(),
    })
}

/// What is counted of a column.
#[derive(Debug, Clone)]
struct Tally {
    nulls: u64,
    nan: u64,
    infinite: u64,
    vectors: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Default for Tally {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { nulls: 0, nan: 0, infinite: 0, vectors: 0, sum: 0.0, min, max }
    }
}

impl Tally {
    fn norms(&self) -> Option<Norms> {
        let mean = self.sum / self.vectors as f64;
        (self.vectors > 0).then_some(Norms { min: self.min, mean, max: self.max })
    }

    /// Counts the vectors of a batch. Elements of any type are taken as float64: their squares do not overflow for less.
    fn add(&mut self, column: &ArrayRef, dim: usize) -> Result<()> {
        let list = column.as_fixed_size_list();
        /// Rows at a time, to stay in a processor's cache.
        const ROWS: usize = 64;
        for start in (0..list.len()).step_by(ROWS) {
            let rows = ROWS.min(list.len() - start);
            let elements = cast(&list.values().slice(start * dim, rows * dim), &DataType::Float64)?;
            let elements = elements.as_primitive::<Float64Type>().values();
            for (row, vector) in elements.chunks_exact(dim).enumerate() {
                if list.is_null(start + row) {
                    continue;
                }
                let square: f64 = vector.iter().map(|x| x * x).sum();
                if square.is_finite() {
                    let norm = square.sqrt();
                    self.vectors += 1;
                    self.sum += norm;
                    self.min = self.min.min(norm);
                    self.max = self.max.max(norm);
                } else {
                    self.nan += vector.iter().filter(|x| x.is_nan()).count() as u64;
                    self.infinite += vector.iter().filter(|x| x.is_infinite()).count() as u64;
                }
            }
        }
        Ok(())
    }
}

fn tally(tallies: &mut [Tally], batch: &RecordBatch) -> Result<()> {
    for (tally, column) in tallies.iter_mut().zip(batch.columns()) {
        tally.nulls += column.logical_null_count() as u64;
        if let Some((dim, _)) = vector_type(column.data_type()) {
            tally.add(column, dim)?;
        }
    }
    Ok(())
}

/// A type as people write it.
fn type_name(data_type: &DataType) -> String {
    match (vector_type(data_type), data_type) {
        (Some((dim, dtype)), _) => format!("FixedSizeList<{dtype}, {dim}>"),
        (None, DataType::List(item) | DataType::LargeList(item)) => {
            format!("List<{}>", type_name(item.data_type()))
        }
        (None, DataType::Struct(fields)) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", field.name(), type_name(field.data_type())))
                .collect();
            format!("Struct<{}>", fields.join(", "))
        }
        (None, other) => other.to_string(),
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "files    {}, {}", grouped(self.files), size(self.bytes))?;
        writeln!(f, "rows     {}", grouped(self.rows))?;
        writeln!(f, "framing  {} ({})", self.framing, self.framing_from)?;
        write!(f, "layout   {} ({})", self.layout, self.layout_from)?;
        for column in &self.columns {
            write!(f, "\ncolumn   {}: {}", printable(&column.name), printable(&column.data_type))?;
            if let Some(stored) = column.vectors.as_ref().and_then(|vectors| vectors.stored.as_ref()) {
                write!(f, ", stored as {stored}")?;
            }
            if column.nulls > 0 {
                write!(f, "\n         {} of the rows are null", percent(column.null_share))?;
            }
            if column.data_type.contains("Timestamp(ns") {
                write!(f, "\n         Spark and Iceberg read no nanoseconds: --coerce-timestamps us")?;
            }
            let Some(vectors) = &column.vectors else { continue };
            if let Some(Norms { min, mean, max }) = vectors.norms {
                write!(f, "\n         norms {min:.4} to {max:.4}, mean {mean:.4}")?;
            }
            if vectors.nan + vectors.infinite > 0 {
                let (nan, infinite) = (grouped(vectors.nan), grouped(vectors.infinite));
                write!(f, "\n         {nan} elements are NaN, {infinite} are infinite")?;
            }
        }
        for note in &self.notes {
            write!(f, "\nnote     {}", printable(note))?;
        }
        if self.rejects > 0 {
            write!(f, "\nrejected {}", count(self.rejects, "record"))?;
            for reject in &self.first_rejects {
                write!(f, "\n         {reject}")?;
            }
            let more = self.rejects - self.first_rejects.len() as u64;
            if more > 0 {
                write!(f, "\n         and {} more", grouped(more))?;
            }
        }
        Ok(())
    }
}

/// A share that is not 0, as a percentage that is not either.
fn percent(share: f64) -> String {
    if share < 0.0001 { "less than 0.01 %".to_owned() } else { format!("{:.2} %", 100.0 * share) }
}
