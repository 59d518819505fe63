//! A source: inputs, the options to read them with, and the schema of what they give.

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::input::{Blocks, Input, Opened, Span, discover};
use crate::msgpack::{MAX_HEAD, Skipped, Skipper};
use crate::options::ReadOptions;
use crate::reader::{Reader, lock};
use crate::record::{Inference, Inferred, Plan};
use crate::reject::Rejects;

/// Paths or buffers plus read options: lazy, can be scanned again, counted and split.
///
/// ```
/// use vecpack::{Input, ReadOptions, Source};
///
/// let two = [0xc4, 4, 0, 0, 128, 63, 0xc4, 4, 0, 0, 0, 64]; // the vectors [1.0] and [2.0]
/// let source = Source::new(vec![Input::bytes("two", two.to_vec())], ReadOptions::new())?;
/// assert_eq!(source.dim(), 1);
/// for batch in source.reader()? {
///     assert_eq!(batch?.num_rows(), 2);
/// }
/// assert_eq!(source.count_rows()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Source {
    inputs: Arc<[Input]>,
    options: ReadOptions,
    plan: Arc<Plan>,
    /// Of the latest scan, which may be under way.
    rejects: Mutex<Arc<Mutex<Rejects>>>,
}

impl Source {
    /// A source of `inputs`. Reads as much of them as it takes to find the dimension, unless the options give it.
    pub fn new(inputs: Vec<Input>, options: ReadOptions) -> Result<Self> {
        options.check()?;
        let dim = match options.dim {
            Some(dim) => dim,
            None => infer(&inputs, &options)?,
        };
        let options = options.with_dim(dim);
        let plan = Arc::new(Plan::new(dim, &options)?);
        let rejects = Mutex::new(Arc::new(Mutex::new(Rejects::new(options.max_rejects))));
        Ok(Self { inputs: inputs.into(), options, plan, rejects })
    }

    /// A source of files, directories and patterns; see [`discover`](crate::discover).
    pub fn scan<P: AsRef<Path>>(names: impl IntoIterator<Item = P>, options: ReadOptions) -> Result<Self> {
        let mut inputs = Vec::new();
        for name in names {
            inputs.extend(discover(name.as_ref())?);
        }
        Self::new(inputs, options)
    }

    /// The inputs, in the order of their rows.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The options, with the dimension that was found.
    pub fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        self.plan.schema.clone()
    }

    /// Elements a vector.
    pub fn dim(&self) -> usize {
        self.plan.dim
    }

    /// How many bytes a scan reads, if that can be known without reading.
    pub fn size(&self) -> Result<Option<u64>> {
        size(&self.inputs)
    }

    /// A new scan, from the first row.
    pub fn reader(&self) -> Result<Reader> {
        self.reader_of(self.inputs.clone(), self.begin_scan())
    }

    /// The list of rejects of a scan that begins now.
    pub(crate) fn begin_scan(&self) -> Arc<Mutex<Rejects>> {
        let rejects = Arc::new(Mutex::new(Rejects::new(self.options.max_rejects)));
        *lock(&self.rejects) = rejects.clone();
        rejects
    }

    /// A scan of some of the inputs, which notes its rejects in `rejects`.
    pub(crate) fn reader_of(&self, inputs: Arc<[Input]>, rejects: Arc<Mutex<Rejects>>) -> Result<Reader> {
        Reader::new(self.plan.clone(), inputs, self.options.thread_count(), rejects)
    }

    pub(crate) fn shared_inputs(&self) -> Arc<[Input]> {
        self.inputs.clone()
    }

    /// What the latest scan rejected so far.
    pub fn rejects(&self) -> Rejects {
        let latest = lock(&self.rejects).clone();
        lock(&latest).clone()
    }

    /// How many rows a scan gives. Costs a scan.
    pub fn count_rows(&self) -> Result<u64> {
        let mut reader = self.reader()?;
        while reader.next_batch()?.is_some() {}
        Ok(reader.progress().rows)
    }

    /// `parts` sources that together are this one, in its order: whole inputs where there are enough of them, else parts of
    /// inputs, which are walked once to find where records begin. Some may be empty.
    pub fn split(&self, parts: usize) -> Result<Vec<Self>> {
        if parts == 0 {
            return Err(Error::option("a source cannot be split into 0"));
        }
        let mut inputs = Vec::new();
        for input in self.inputs.iter() {
            match input.size()? {
                Some(size) if self.inputs.len() < parts => inputs.extend(cut(input, size, parts)?),
                size => inputs.push((input.clone(), size.unwrap_or(0))),
            }
        }
        let total: u64 = inputs.iter().map(|(_, size)| size.max(&1)).sum();
        let mut split: Vec<Vec<Input>> = vec![Vec::new(); parts];
        let mut before = 0;
        for (input, size) in inputs {
            // The part in which the middle of the input falls.
            let middle = u128::from(2 * before + size.max(1));
            let part = (middle * parts as u128 / (2 * u128::from(total))) as usize;
            split[part.min(parts - 1)].push(input);
            before += size.max(1);
        }
        split.into_iter().map(|inputs| Self::new(inputs, self.options.clone())).collect()
    }
}

/// How many bytes the inputs hold, if that can be known without reading.
pub(crate) fn size(inputs: &[Input]) -> Result<Option<u64>> {
    inputs.iter().try_fold(Some(0), |sum: Option<u64>, input| {
        Ok(sum.zip(input.size()?).map(|(sum, size)| sum.saturating_add(size)))
    })
}

/// How much of an input inference reads at once.
const GLANCE: usize = 64 << 10;

/// The dimension of the first good record. Both functions below give what is left of an input that tells nothing.
fn infer(inputs: &[Input], options: &ReadOptions) -> Result<u32> {
    let mut inference = Inference::new(options);
    let buffers = Arc::default();
    for input in inputs {
        let found = match input.open()? {
            Opened::Stream(mut stream) => {
                // A stream may not open twice: what is read here goes back.
                let mut read = Vec::new();
                let found = infer_stream(&mut inference, &mut stream, &mut read);
                input.put_back(read, stream);
                found
            }
            opened => infer_blocks(&mut inference, Blocks::new(opened, &buffers)),
        };
        match found.map_err(|error| input.error(error))? {
            Inferred::Dim(dim) => return Ok(dim),
            Inferred::Exhausted => break,
            Inferred::Consumed(rest) => inference.next_input(rest as u64),
            Inferred::Unreadable => inference.next_input(0),
        }
    }
    Err(inference.failure())
}

fn infer_blocks(inference: &mut Inference, mut blocks: Blocks) -> std::io::Result<Inferred> {
    let mut needed = MAX_HEAD;
    loop {
        let bytes = blocks.fill(needed)?;
        let (length, found) = (bytes.len(), inference.infer(bytes));
        let Inferred::Consumed(taken) = found else { return Ok(found) };
        if length < needed && taken == 0 {
            return Ok(Inferred::Consumed(length));
        }
        blocks.consume(taken);
        // A record that is not there in full: more of it.
        needed = if taken == 0 { (2 * length).max(GLANCE) } else { MAX_HEAD };
    }
}

fn infer_stream(
    inference: &mut Inference,
    stream: &mut dyn std::io::Read,
    read: &mut Vec<u8>,
) -> std::io::Result<Inferred> {
    let mut done = 0;
    loop {
        let found = inference.infer(&read[done..]);
        let Inferred::Consumed(taken) = found else { return Ok(found) };
        done += taken;
        let length = read.len();
        if !inference.may_hold(length) {
            return Ok(Inferred::Exhausted);
        }
        read.resize(length + GLANCE, 0);
        let more = stream.read(&mut read[length..]);
        read.truncate(length + more.as_ref().unwrap_or(&0));
        match more {
            Ok(0) => return Ok(Inferred::Consumed(read.len() - done)),
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

/// Cuts an input into `parts` of about equal size, between records.
fn cut(input: &Input, size: u64, parts: usize) -> Result<Vec<(Input, u64)>> {
    let mut blocks = Blocks::new(input.open()?, &Arc::default());
    let begin = input.span().unwrap_or(Span { start: 0, end: size, record: 0 });
    let mut spans = vec![begin];
    let mut record = begin.record;
    let mut skipper = Skipper::new();
    loop {
        let bytes = blocks.fill(MAX_HEAD).map_err(|error| input.error(error))?;
        let (length, skipped) = (bytes.len(), skipper.skip(bytes));
        match skipped {
            Skipped::Done(taken) => {
                blocks.consume(taken);
                skipper = Skipper::new();
                record += 1;
                let position = blocks.position();
                let share = u128::from(size) * spans.len() as u128 / parts as u128;
                if u128::from(position - begin.start) >= share && position < begin.end {
                    if let Some(last) = spans.last_mut() {
                        last.end = position;
                    }
                    spans.push(Span { start: position, end: begin.end, record });
                }
            }
            Skipped::More(taken) if taken > 0 => blocks.consume(taken),
            // What is cut off or cannot be read stays in one piece.
            Skipped::More(_) if length >= MAX_HEAD => {
                return Err(Error::internal("a head of more than nine bytes"));
            }
            Skipped::More(_) | Skipped::Reserved(_) => break,
        }
    }
    let part = |span: Span| (input.clone().with_span(span), span.end - span.start);
    Ok(spans.into_iter().map(part).collect())
}
