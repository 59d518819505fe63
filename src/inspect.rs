//! What the inputs hold, and what a conversion makes of it: a scan that keeps no rows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type, UInt8Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, FixedSizeListArray};
use arrow_schema::{DataType, Field};
use serde::Serialize;

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::infer::infer;
use crate::input::Input;
use crate::options::{OnError, ReadOptions};
use crate::reader::{Progress, Watch};
use crate::record::{self, Findings, vector_type};
use crate::reject::{FailAfter, Rejects};
use crate::source::{Source, size};
use crate::text::{count, grouped, printable, size as bytes_text};
use crate::vector::Dtype;

/// What [`inspect`] found. Its text is a few lines for a person.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The number of inputs.
    pub files: u64,
    /// Bytes of the inputs, where that is known without reading.
    pub size: Option<u64>,
    /// Bytes read.
    pub bytes: u64,
    /// True if the inputs were read to their end, and not only the first records of each.
    pub complete: bool,
    /// Records read that are rows.
    pub rows: u64,
    /// How many rows there are in all, as far as the first records tell. `rows` if all was read.
    pub rows_estimate: Option<u64>,
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
    /// The length that inference finds for the vectors of each input, and how many inputs have it.
    pub dims: Vec<Dim>,
    /// Fields of the records that fill no column.
    pub left_out: Vec<LeftOut>,
    /// Records read that are no rows, or have nulls for values that do not fit.
    pub rejects: u64,
    /// How many of each kind.
    pub reject_kinds: BTreeMap<&'static str, u64>,
    /// The first of them.
    pub first_rejects: Vec<String>,
    /// The error that a conversion with these options ends with; `None` if it does not fail.
    pub error: Option<String>,
    /// Each input, in order.
    pub inputs: Vec<InputFound>,
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

/// How many inputs have vectors of one length, as inference finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Dim {
    /// The field that holds the vectors.
    pub field: String,
    /// Elements a vector.
    pub dim: usize,
    /// The number of inputs.
    pub files: u64,
}

/// The rows of inputs of this size, of which the first bytes were read.
fn estimate(read: Progress, size: Option<u64>) -> Option<u64> {
    let size = size.filter(|_| read.bytes > 0)?;
    Some((read.rows as f64 * size as f64 / read.bytes as f64).round() as u64)
}

/// A field that fills no column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The field.
    pub field: String,
    /// In how many inputs it is.
    pub files: u64,
    /// Why it fills no column.
    pub why: String,
}

/// One of the inputs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InputFound {
    /// Its name.
    pub file: String,
    /// Its size in bytes, where that is known without reading.
    pub size: Option<u64>,
    /// Records read that are rows.
    pub rows: u64,
    /// Records read that are no rows.
    pub rejects: u64,
    /// What the input holds by itself, where it is not what all inputs are read as; or why that is not known.
    pub holds: Option<String>,
}

/// How many rejects and inputs the text shows.
const SHOWN: usize = 5;

/// Finds out what is in `inputs`, and what a conversion with these options makes of them: the same code decodes them.
///
/// Reads the first [`infer_records`](ReadOptions::infer_records) records of each input, or all where `full` is true. Records that
/// cannot become rows are counted under every policy.
pub fn inspect(
    inputs: Vec<Input>,
    options: ReadOptions,
    full: bool,
    mut watch: Watch<'_>,
) -> Result<Inspection> {
    options.check()?;
    let mut found = Inspection { files: inputs.len() as u64, size: size(&inputs)?, ..Inspection::default() };
    let sample = Some(options.infer_records).filter(|&records| records > 0 && !full);
    // The plan is that of a conversion. A policy that ends it at the first reject would leave nothing to count.
    let mut scanned = ReadOptions { fail_after: None, max_rejects: SHOWN, ..options.clone() };
    if options.on_error == OnError::Raise {
        scanned.on_error = OnError::Skip;
    }
    if let Some(records) = sample {
        let rows = usize::try_from(records).unwrap_or(usize::MAX);
        scanned.batch_rows = Some(scanned.batch_rows.map_or(rows, |least| least.min(rows)));
        scanned.threads = Some(1);
    }
    let findings = infer(&inputs, &options);
    let own: Vec<Option<Result<Findings>>> = match (inputs.as_slice(), &findings) {
        ([_], Err(_)) => vec![None],
        ([input], Ok(_)) if options.columns.is_none() && (!full || input.is_stream()) => vec![None],
        _ => {
            let own = |input: &Input| {
                watch.cancel.check()?;
                // A stream is read once: fields that only its later records have stay unknown.
                let infer_records = if full && !input.is_stream() { 0 } else { options.infer_records };
                let alone = ReadOptions { columns: None, dim: None, infer_records, ..options.clone() };
                match infer(std::slice::from_ref(input), &alone) {
                    Err(error) if !matches!(error.kind(), ErrorKind::Schema(_)) => Err(error),
                    found => Ok(Some(found)),
                }
            };
            inputs.iter().map(own).collect::<Result<_>>()?
        }
    };
    found.inputs =
        inputs.iter().zip(&own).map(|(input, own)| InputFound::new(input, own)).collect::<Result<_>>()?;
    let source = findings.and_then(|findings| Source::with_findings(inputs.clone(), scanned, findings));
    let source = match source {
        Ok(source) => source,
        Err(error) if matches!(error.kind(), ErrorKind::Schema(_)) => {
            found.error = Some(error.to_string());
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    let findings = &source.findings;
    for (input, own) in found.inputs.iter_mut().zip(&own) {
        input.compare(findings, own);
    }
    found.add_dims(findings, &own);
    found.add_left_out(findings, &own, options.columns.is_some());
    found.scan(&source, sample, &mut watch)?;
    let rejects = source.rejects();
    found.rejects = rejects.count();
    found.reject_kinds = rejects.kinds().map(|(kind, count)| (kind.as_str(), count)).collect();
    let first_rejects = rejects.details().iter().take(SHOWN);
    found.first_rejects = first_rejects.map(|reject| printable(&reject.to_string())).collect();
    if rejects.count() > 0 {
        // The first records do not show what share of all records are rejects.
        let is_share = |limit: &FailAfter| matches!(limit, FailAfter::Share(_));
        let fail_after = options.fail_after.filter(|limit| found.complete || !is_share(limit));
        let options = ReadOptions { fail_after, ..options.clone() };
        found.error = ended_with(&source, &options, sample, &rejects, watch.cancel)?;
    }
    if found.error.is_none() {
        found.notes.extend(rejects.warning(found.rows));
    }
    Ok(found)
}

/// The error of a conversion where there are rejects: that of a scan under the policy itself.
fn ended_with(
    source: &Source,
    options: &ReadOptions,
    sample: Option<u64>,
    rejects: &Rejects,
    cancel: Cancel,
) -> Result<Option<String>> {
    let (on_error, fail_after) = (options.on_error, options.fail_after);
    if on_error != OnError::Raise && fail_after.is_none() {
        return Ok(None);
    }
    let repeated = source.rebuilt(ReadOptions { on_error, fail_after, ..source.options().clone() })?;
    let scan = Inspection::default().scan(&repeated, sample, &mut Watch { progress: None, cancel });
    let error = match scan.and_then(|()| repeated.check_rejects(&repeated.rejects(), true)) {
        Ok(()) => return Ok(None),
        // A stream is not read twice.
        Err(error) if matches!(error.kind(), ErrorKind::Io { .. }) => match rejects.first() {
            Some(first) if on_error == OnError::Raise => ErrorKind::Decode(first.clone()).into(),
            _ => return Ok(repeated.check_rejects(rejects, true).err().map(|error| error.to_string())),
        },
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Decode(_) | ErrorKind::TooManyRejects { .. } => Ok(Some(error.to_string())),
        _ => Err(error),
    }
}

impl Inspection {
    /// Reads the inputs, each to the end or `sample` records of it.
    fn scan(&mut self, source: &Source, sample: Option<u64>, watch: &mut Watch<'_>) -> Result<()> {
        let mut tallies = vec![Tally::default(); source.schema().fields().len()];
        let rejects = source.begin_scan();
        let groups: Vec<Arc<[Input]>> = match sample {
            None => vec![source.inputs.clone()],
            Some(_) => source.inputs().iter().map(|input| Arc::from([input.clone()])).collect(),
        };
        let (mut progress, mut ended) = (Progress::default(), Vec::new());
        let limit = source.options().limit;
        // Rows of the inputs so far, as far as the first records of each tell.
        let mut expected = 0u64;
        for group in groups {
            let left = limit.map(|limit| limit.saturating_sub(expected));
            if left == Some(0) {
                break;
            }
            let (inputs, size) = (group.len(), group.first().map_or(Ok(None), Input::size)?);
            let reader = source.reader_of(group, rejects.clone())?.going_on();
            let mut reader = reader.limited(left).sampling(sample).with_cancel(watch.cancel.clone());
            while let Some(batch) = reader.next_batch()? {
                tallies.iter_mut().zip(batch.columns()).for_each(|(tally, column)| tally.add(column));
                watch.tell(progress + reader.progress())?;
            }
            // The sample or the first rows may end within an input.
            ended.extend(reader.take_ended().into_iter().chain([reader.current()]).take(inputs));
            let rows = reader.progress().rows;
            expected = expected.saturating_add(estimate(reader.progress(), size).unwrap_or(rows));
            progress = progress + reader.progress();
        }
        for (input, ended) in self.inputs.iter_mut().zip(ended) {
            (input.rows, input.rejects) = (ended.rows, ended.rejects);
        }
        (self.bytes, self.rows) = (progress.bytes, progress.rows);
        let is_limited = limit.is_some_and(|limit| self.rows >= limit);
        self.complete = is_limited || progress.files == self.files || self.size == Some(progress.bytes);
        self.rows_estimate = match self.complete {
            true => Some(self.rows),
            false => estimate(progress, self.size).map(|rows| rows.min(limit.unwrap_or(u64::MAX))),
        };
        self.describe(source, &tallies);
        Ok(())
    }

    fn describe(&mut self, source: &Source, tallies: &[Tally]) {
        let findings = &source.findings;
        self.notes = [&*findings.warnings, &findings.left_out].concat();
        self.framing = findings.framing.as_str();
        self.framing_from.clone_from(&findings.framing_from);
        self.layout = findings.layout.as_str();
        self.layout_from.clone_from(&findings.layout_from);
        let rows = self.rows.max(1) as f64;
        let found =
            source.columns().iter().filter_map(|output| Some((output, findings.column(&output.field)?)));
        let columns = found.zip(tallies).map(|((output, column), tally)| Column {
            name: output.name.clone(),
            data_type: type_name(column.field.data_type()),
            nulls: tally.nulls,
            null_share: tally.nulls as f64 / rows,
            vectors: vector_type(column.field.data_type()).map(|(dim, dtype)| Vectors {
                dim,
                dtype: dtype.as_str(),
                stored: column.stored.clone(),
                norms: tally.norms(),
                nan: tally.nan,
                infinite: tally.infinite,
            }),
        });
        self.columns = columns.collect();
    }

    /// Counts the inputs by the lengths of their vectors.
    fn add_dims(&mut self, findings: &Findings, own: &[Option<Result<Findings>>]) {
        let mut dims: BTreeMap<(&str, usize), u64> = BTreeMap::new();
        for own in own {
            let found = own.as_ref().map_or(Some(findings), |own| own.as_ref().ok());
            for column in found.into_iter().flat_map(|found| &found.columns) {
                if let Some(dim) = column.dim() {
                    *dims.entry((column.name(), dim)).or_default() += 1;
                }
            }
        }
        let dims = dims.into_iter();
        self.dims = dims.map(|((field, dim), files)| Dim { field: field.to_owned(), dim, files }).collect();
    }

    /// Lists the fields of inputs that fill no column.
    fn add_left_out(&mut self, findings: &Findings, own: &[Option<Result<Findings>>], chosen: bool) {
        let why = match chosen {
            true => "it is not among the columns that were chosen",
            false => "the records that decide about the columns do not have it: name it with option `schema`",
        };
        let mut fields: BTreeMap<String, u64> = BTreeMap::new();
        let own = own.iter().filter_map(|own| own.as_ref()?.as_ref().ok());
        let own = own.filter(|own| own.layout == findings.layout);
        for column in own.flat_map(|own| &own.columns) {
            // A path inside of a field is a column of its own, or part of a struct.
            let is_read = |known: &record::Column| {
                !known.path.is_empty()
                    && (known.path.starts_with(&column.path) || column.path.starts_with(&known.path))
            };
            if !column.role.is_read() || column.path.is_empty() {
                continue;
            }
            let mut missing = Vec::new();
            if let Some(known) = findings.columns.iter().find(|known| known.path == column.path) {
                let (own, known) = (column.field.data_type(), known.field.data_type());
                missing_fields(own, known, column.name(), &mut missing);
            } else if !findings.columns.iter().any(is_read) {
                missing.push(column.name().to_owned());
            }
            for field in missing {
                *fields.entry(field).or_default() += 1;
            }
        }
        let left_out = |(field, files)| LeftOut { field, files, why: why.to_owned() };
        self.left_out = fields.into_iter().map(left_out).collect();
    }
}

/// Adds the fields inside of `own` that are not in `known`, with the path to each.
fn missing_fields(own: &DataType, known: &DataType, path: &str, missing: &mut Vec<String>) {
    match (own, known) {
        (DataType::Struct(own), DataType::Struct(known)) => {
            for field in own {
                let path = format!("{path}.{}", field.name());
                match known.find(field.name()) {
                    Some((_, known)) => missing_fields(field.data_type(), known.data_type(), &path, missing),
                    None => missing.push(path),
                }
            }
        }
        (DataType::List(own), DataType::List(known)) => {
            missing_fields(own.data_type(), known.data_type(), path, missing);
        }
        _ => {}
    }
}

impl InputFound {
    fn new(input: &Input, own: &Option<Result<Findings>>) -> Result<Self> {
        let error = own.as_ref().and_then(|own| own.as_ref().err()).map(Error::to_string);
        let start = format!("{}: ", printable(input.name()));
        let holds = error.map(|text| text.strip_prefix(&start).unwrap_or(&text).to_owned());
        Ok(Self { file: input.name().to_string(), size: input.size()?, holds, ..Self::default() })
    }

    /// Says what the input holds, where that is something else than all inputs are read as.
    fn compare(&mut self, findings: &Findings, own: &Option<Result<Findings>>) {
        let Some(Ok(own)) = own else { return };
        let is_there = |column: &record::Column| own.columns.iter().any(|known| known.path == column.path);
        let is_read = |column: &record::Column| {
            let mut all = findings.columns.iter();
            all.any(|known| known.path == column.path && known.field.data_type() == column.field.data_type())
        };
        let is_same = own.framing == findings.framing
            && own.layout == findings.layout
            && findings.columns.iter().filter(|column| column.role.is_read()).all(is_there)
            && own.columns.iter().all(|column| is_read(column) || column.dim().is_none());
        if !is_same {
            let (framing, layout) = (own.framing.as_str(), own.layout.as_str());
            let columns = columns_text(own.columns.iter().map(|column| &column.field));
            self.holds = Some(printable(&format!("it holds {framing} of {layout}, {columns}")));
        }
    }
}

/// What is counted of a column.
#[derive(Debug, Clone, Default)]
struct Tally {
    nulls: u64,
    nan: u64,
    infinite: u64,
    /// Of the vectors that have a length: their number, the sum of the lengths, and the shortest and the longest.
    vectors: u64,
    sum: f64,
    range: Option<(f64, f64)>,
}

impl Tally {
    fn norms(&self) -> Option<Norms> {
        self.range.map(|(min, max)| Norms { min, mean: self.sum / self.vectors as f64, max })
    }

    /// Counts the values of a batch.
    fn add(&mut self, column: &ArrayRef) {
        self.nulls += column.logical_null_count() as u64;
        let Some((_, dtype)) = vector_type(column.data_type()) else { return };
        let list = column.as_fixed_size_list();
        match dtype {
            Dtype::Float32 => self.add_vectors::<Float32Type>(list),
            Dtype::Float64 => self.add_vectors::<Float64Type>(list),
            Dtype::Float16 => self.add_vectors::<Float16Type>(list),
            Dtype::Int8 => self.add_vectors::<Int8Type>(list),
            Dtype::UInt8 => self.add_vectors::<UInt8Type>(list),
        }
    }

    /// Elements of any type are taken as float64, in which their squares do not overflow.
    fn add_vectors<T: ArrowPrimitiveType<Native: Into<f64>>>(&mut self, list: &FixedSizeListArray) {
        let dim = list.value_length().unsigned_abs() as usize;
        let elements = list.values().as_primitive::<T>().values();
        for (row, vector) in elements.chunks_exact(dim).enumerate() {
            if list.is_null(row) {
                continue;
            }
            let elements = vector.iter().map(|&element| -> f64 { element.into() });
            let square: f64 = elements.clone().map(|x| x * x).sum();
            if square.is_finite() {
                let norm = square.sqrt();
                self.vectors += 1;
                self.sum += norm;
                let (min, max) = self.range.unwrap_or((norm, norm));
                self.range = Some((min.min(norm), max.max(norm)));
            } else {
                self.nan += elements.clone().filter(|x| x.is_nan()).count() as u64;
                self.infinite += elements.filter(|x| x.is_infinite()).count() as u64;
            }
        }
    }
}

/// A type as people write it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match (vector_type(data_type), data_type) {
        (Some((dim, dtype)), _) => format!("FixedSizeList<{dtype}, {dim}>"),
        (None, DataType::List(item) | DataType::LargeList(item)) => {
            format!("List<{}>", type_name(item.data_type()))
        }
        (None, DataType::Struct(fields)) => format!("Struct<{}>", columns_text(fields)),
        (None, other) => other.to_string(),
    }
}

/// `id: Int64, vector: FixedSizeList<float32, 512>`
fn columns_text<F: AsRef<Field>>(fields: impl IntoIterator<Item = F>) -> String {
    let name_and_type =
        |field: F| format!("{}: {}", field.as_ref().name(), type_name(field.as_ref().data_type()));
    fields.into_iter().map(name_and_type).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files    {}", grouped(self.files))?;
        if let Some(size) = self.size {
            write!(f, ", {}", bytes_text(size))?;
        }
        if !self.complete && self.bytes > 0 {
            let (rows, bytes) = (count(self.rows, "row"), bytes_text(self.bytes));
            write!(
                f,
                "\nread     the first records of each: {rows}, {bytes}; option `full` reads everything"
            )?;
        }
        match self.rows_estimate {
            Some(rows) if self.complete => write!(f, "\nrows     {}", grouped(rows))?,
            Some(rows) => write!(f, "\nrows     about {}", grouped(rows))?,
            None => {}
        }
        if !self.framing.is_empty() {
            write!(f, "\nframing  {} ({})", self.framing, self.framing_from)?;
            write!(f, "\nlayout   {} ({})", self.layout, self.layout_from)?;
        }
        for column in &self.columns {
            self.fmt_column(f, column)?;
        }
        for LeftOut { field, files, why } in &self.left_out {
            write!(f, "\nleft out {}, a field in {}: {why}", printable(field), count(*files, "file"))?;
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
        let is_odd = |input: &&InputFound| self.files > 1 && (input.rejects > 0 || input.holds.is_some());
        let odd: Vec<&InputFound> = self.inputs.iter().filter(is_odd).collect();
        for input in odd.iter().take(SHOWN) {
            let (file, rows) = (printable(&input.file), count(input.rows, "row"));
            write!(f, "\nfile     {file}: {rows}, {} rejected", grouped(input.rejects))?;
            if let Some(holds) = &input.holds {
                write!(f, "; {holds}")?;
            }
        }
        if odd.len() > SHOWN {
            write!(f, "\n         and {} like these", count((odd.len() - SHOWN) as u64, "more file"))?;
        }
        if let Some(error) = &self.error {
            write!(f, "\nerror    a conversion ends with: {error}")?;
        }
        Ok(())
    }
}

impl Inspection {
    fn fmt_column(&self, f: &mut fmt::Formatter<'_>, column: &Column) -> fmt::Result {
        write!(f, "\ncolumn   {}: {}", printable(&column.name), printable(&column.data_type))?;
        if let Some(stored) = column.vectors.as_ref().and_then(|vectors| vectors.stored.as_ref()) {
            write!(f, ", stored as {stored}")?;
        }
        if column.nulls > 0 {
            write!(f, "\n         {} of the rows are null", percent(column.null_share))?;
        }
        if column.data_type.contains("Timestamp(ns") {
            write!(f, "\n         Spark and Iceberg read no nanoseconds: option `coerce_timestamps=us`")?;
        }
        let Some(vectors) = &column.vectors else { return Ok(()) };
        let dims = self.dims.iter().filter(|dim| dim.field == column.name);
        let dims: Vec<String> =
            dims.map(|dim| format!("{} elements in {}", dim.dim, count(dim.files, "file"))).collect();
        if dims.len() > 1 {
            write!(f, "\n         {}", dims.join(", "))?;
        }
        if let Some(Norms { min, mean, max }) = vectors.norms {
            write!(f, "\n         norms {} to {}, mean {}", number(min), number(max), number(mean))?;
        }
        if vectors.nan + vectors.infinite > 0 {
            let (nan, infinite) = (grouped(vectors.nan), grouped(vectors.infinite));
            write!(f, "\n         {nan} elements are NaN, {infinite} are infinite")?;
        }
        Ok(())
    }
}

/// A number in scientific notation where it would have many digits otherwise.
fn number(value: f64) -> String {
    match value.abs() {
        0.001..1e6 | 0.0 => format!("{value:.4}"),
        _ => format!("{value:.4e}"),
    }
}

/// A share that is not 0, as a percentage that is not either.
fn percent(share: f64) -> String {
    if share < 0.0001 { "less than 0.01 %".to_owned() } else { format!("{:.2} %", 100.0 * share) }
}
