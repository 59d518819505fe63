//! A source: inputs, the options to read them with, and the schema of what they give.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;

use crate::decode::{Decoder, Left, Position};
use crate::error::{Error, Result};
use crate::infer::infer;
use crate::input::{Blocks, Input, Opened, Span, discover, learn_sizes, mirrored};
use crate::msgpack::{MAX_HEAD, Skipped, Skipper};
use crate::options::{Framing, OnError, OutputColumn, ReadOptions, check_names};
use crate::pool::lock;
use crate::reader::{Projection, Reader};
use crate::record::{Arrival, Column, Findings, INPUT_BITS, MAGIC, Plan, Way, foreign};
use crate::reject::Rejects;
use crate::text::listed;

/// Paths or buffers plus read options: lazy, can be scanned again, counted and split.
///
/// ```
/// use vecpack::{Input, ReadOptions, Source};
///
/// let two = [0xc4, 4, 0, 0, 128, 63, 0xc4, 4, 0, 0, 0, 64]; // the vectors [1.0] and [2.0]
/// let source = Source::new(vec![Input::bytes("two", two.to_vec())], ReadOptions::new())?;
/// assert_eq!(source.dim(), Some(1));
/// for batch in source.reader()? {
///     assert_eq!(batch?.num_rows(), 2);
/// }
/// assert_eq!(source.count_rows()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Source {
    pub(crate) inputs: Arc<[Input]>,
    options: ReadOptions,
    pub(crate) findings: Findings,
    /// The columns of the batches, of those that were found.
    outputs: Vec<OutputColumn>,
    plan: Arc<Plan>,
    /// Which of the plan's columns the batches have.
    projection: Projection,
    /// Of the latest scan, which may be under way: of this source, or of one that was made of it for other columns or batches.
    rejects: Arc<Mutex<SharedRejects>>,
}

/// The rejects of one scan.
type SharedRejects = Arc<Mutex<Rejects>>;

impl Source {
    /// A source of `inputs`. Reads as much of them as it takes to find out what they hold.
    pub fn new(inputs: Vec<Input>, options: ReadOptions) -> Result<Self> {
        options.check()?;
        if options.include_id && inputs.len() as u64 > 1 << INPUT_BITS {
            let text = format!("option `include_id`: an id has {INPUT_BITS} bits for the number of an input");
            return Err(Error::option(text));
        }
        let inputs: Vec<Input> = (0..).zip(inputs).map(|(number, input)| input.with_number(number)).collect();
        let findings = infer(&inputs, &options)?;
        Self::with_findings(inputs, options, findings)
    }

    /// A source of `inputs` that hold what was found out before.
    pub(crate) fn with_findings(
        inputs: Vec<Input>,
        options: ReadOptions,
        findings: Findings,
    ) -> Result<Self> {
        let dim = options.dim.or_else(|| findings.columns.iter().find_map(Column::dim)?.try_into().ok());
        let mut outputs = options.columns.clone().unwrap_or_default();
        let is_new = |column: &&Column| !outputs.iter().any(|output| output.field == column.name());
        // All columns where none are chosen, and in any case those that no field fills.
        let others: Vec<OutputColumn> =
            findings.columns.iter().filter(is_new).map(|column| column.name().into()).collect();
        outputs.extend(others);
        check_names("option `columns`", &outputs)?;
        Self::build(inputs.into(), ReadOptions { dim, ..options }, findings, outputs)
    }

    fn build(
        inputs: Arc<[Input]>,
        options: ReadOptions,
        findings: Findings,
        outputs: Vec<OutputColumn>,
    ) -> Result<Self> {
        let plan = Plan::new(&findings.needed(&outputs, options.on_error), &options)?;
        let projection = Projection::of(&plan, &outputs)?;
        let (plan, rejects) = (Arc::new(plan), Arc::default());
        Ok(Self { inputs, options, findings, outputs, plan, projection, rejects })
    }

    /// This source with other options, of those that say how the work is done and not what is read.
    pub(crate) fn rebuilt(&self, options: ReadOptions) -> Result<Self> {
        self.with_outputs(options, self.outputs.clone())
    }

    /// The same rows with these columns.
    pub(crate) fn with_outputs(&self, options: ReadOptions, outputs: Vec<OutputColumn>) -> Result<Self> {
        let built = Self::build(self.inputs.clone(), options, self.findings.clone(), outputs)?;
        Ok(Self { rejects: self.rejects.clone(), ..built })
    }

    /// What looks wrong in the inputs, a sentence each: bytes that seem to be of another type than they are read as.
    pub fn warnings(&self) -> &[String] {
        &self.findings.warnings
    }

    /// The same rows with some of the columns, in this order; none at all is fine. Nothing is found out anew, and fields that no
    /// column needs are stepped over, unless [`OnError::Skip`](crate::OnError::Skip) or `Null` want every value judged: the
    /// rows, and the [rejects](Self::rejects), are those of the whole source.
    ///
    /// ```
    /// # use vecpack::{Input, ReadOptions, Source};
    /// let record = b"\x82\xa2id\x07\xa6vector\x91\xcb\x3f\xf0\0\0\0\0\0\0"; // {"id": 7, "vector": [1.0]}
    /// let options = ReadOptions::new().with_vector("vector");
    /// let source = Source::new(vec![Input::bytes("one", record.to_vec())], options)?;
    /// assert_eq!(source.schema().fields().len(), 2);
    /// assert_eq!(source.select(["id"])?.schema().field(0).name(), "id");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn select<T: Into<String>>(&self, columns: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut outputs: Vec<OutputColumn> = Vec::new();
        for name in columns {
            let output = &self.outputs[self.column_index("select", &name.into())?];
            if outputs.contains(output) {
                return Err(Error::schema(format!("select: the column `{}` is named twice", output.name)));
            }
            outputs.push(output.clone());
        }
        self.with_outputs(self.options.clone(), outputs)
    }

    /// The same rows with other names for some of the columns, as pairs of an old and a new name. Nothing is found out anew, and
    /// [rejects](Self::rejects) keep the paths that fields have in the input.
    ///
    /// ```
    /// # use vecpack::{Input, ReadOptions, Source};
    /// let record = b"\x81\xa4meta\x81\xa6vector\x91\xcb\x3f\xf0\0\0\0\0\0\0"; // {"meta": {"vector": [1.0]}}
    /// let options = ReadOptions::new().with_vector("meta.vector");
    /// let source = Source::new(vec![Input::bytes("one", record.to_vec())], options)?;
    /// let renamed = source.rename([("meta.vector", "embedding")])?;
    /// assert_eq!(renamed.schema().field(0).name(), "embedding");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rename<O: Into<String>, N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = (O, N)>,
    ) -> Result<Self> {
        let mut outputs = self.outputs.clone();
        for (old, new) in names {
            // Two columns may change names with each other.
            let index = self.column_index("rename", &old.into())?;
            outputs[index].name = new.into();
        }
        check_names("rename", &outputs)?;
        self.with_outputs(self.options.clone(), outputs)
    }

    /// Where the column of this name is.
    fn column_index(&self, what: &str, name: &str) -> Result<usize> {
        self.outputs.iter().position(|output| output.name == name).ok_or_else(|| {
            let known = listed(self.outputs.iter().map(|output| &output.name));
            let known = if known.is_empty() { "none" } else { &known };
            Error::schema(format!("{what}: there is no column `{name}`; there are {known}"))
        })
    }

    /// The same rows in batches of at most so many rows.
    pub fn with_batch_rows(&self, batch_rows: usize) -> Result<Self> {
        self.rebuilt(self.options.clone().with_batch_rows(batch_rows))
    }

    /// The same rows in batches of at most so many bytes of vectors.
    pub fn with_batch_bytes(&self, batch_bytes: usize) -> Result<Self> {
        self.rebuilt(self.options.clone().with_batch_bytes(batch_bytes))
    }

    /// The same rows, decoded by so many threads, the caller's included.
    pub fn with_threads(&self, threads: usize) -> Result<Self> {
        self.rebuilt(self.options.clone().with_threads(threads))
    }

    /// The first rows, at most so many.
    pub fn with_limit(&self, limit: u64) -> Result<Self> {
        self.rebuilt(self.options.clone().with_limit(limit))
    }

    /// A source of files, directories and patterns; see [`discover`](crate::discover).
    pub fn scan<P: AsRef<Path>>(names: impl IntoIterator<Item = P>, options: ReadOptions) -> Result<Self> {
        let mut inputs = Vec::new();
        for name in names {
            inputs.extend(discover(name.as_ref())?);
        }
        Self::new(mirrored(inputs), options)
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
        self.projection.schema.clone()
    }

    /// Elements a vector, in the first vector column.
    pub fn dim(&self) -> Option<usize> {
        let columns = self.outputs.iter().filter_map(|output| self.findings.column(&output.field));
        columns.filter_map(Column::dim).next()
    }

    /// The columns of the batches: their names, and the fields that fill them.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.outputs
    }

    /// How records lie in the inputs: as options say or as inference found out.
    pub fn framing(&self) -> Framing {
        self.findings.framing
    }

    /// How many bytes a scan reads, if that can be known without reading.
    pub fn size(&self) -> Result<Option<u64>> {
        size(&self.inputs)
    }

    /// A new scan, from the first row.
    pub fn reader(&self) -> Result<Reader> {
        Ok(self.reader_of(self.inputs.clone(), self.begin_scan())?.limited(self.options.limit))
    }

    /// The list of rejects of a scan that begins now.
    pub(crate) fn begin_scan(&self) -> SharedRejects {
        let rejects = Arc::new(Mutex::new(Rejects::new(self.options.max_rejects)));
        *lock(&self.rejects) = rejects.clone();
        rejects
    }

    /// A scan of some of the inputs, which notes its rejects in `rejects`. The caller applies the limit.
    pub(crate) fn reader_of(&self, inputs: Arc<[Input]>, rejects: SharedRejects) -> Result<Reader> {
        let (plan, projection) = (self.plan.clone(), self.projection.clone());
        Ok(Reader::new(plan, projection, inputs, self.options.thread_count(), rejects))
    }

    /// What the latest scan rejected so far.
    pub fn rejects(&self) -> Rejects {
        self.of_rejects(Rejects::clone)
    }

    /// Makes something of what the latest scan rejected so far, without a copy of it.
    pub(crate) fn of_rejects<T>(&self, make: impl FnOnce(&Rejects) -> T) -> T {
        let latest = lock(&self.rejects).clone();
        make(&lock(&latest))
    }

    /// How many records the latest scan rejected so far.
    pub fn reject_count(&self) -> u64 {
        self.of_rejects(Rejects::count)
    }

    /// How many rows a scan gives. Costs a scan.
    pub fn count_rows(&self) -> Result<u64> {
        let mut reader = self.reader()?;
        while reader.next_batch()?.is_some() {}
        Ok(reader.progress().rows)
    }

    /// A source for each input, in their order.
    pub fn split_inputs(&self) -> Result<Vec<Self>> {
        self.check_split()?;
        Ok(self.inputs.iter().map(|input| self.part(vec![input.clone()])).collect())
    }

    /// Refuses to split the first rows: where they end is known when they are read.
    pub(crate) fn check_split(&self) -> Result<()> {
        match self.options.limit {
            Some(_) => Err(Error::option("option `limit`: a source of the first rows cannot be split")),
            None => Ok(()),
        }
    }

    /// Fails where more was rejected than `fail_after` allows.
    pub(crate) fn check_rejects(&self, rejects: &Rejects, end: bool) -> Result<()> {
        self.plan.check_rejects(rejects, end)
    }

    /// A source of other inputs that hold the same.
    pub(crate) fn part(&self, inputs: Vec<Input>) -> Self {
        let (inputs, options, outputs) = (inputs.into(), self.options.clone(), self.outputs.clone());
        let (findings, plan, projection) =
            (self.findings.clone(), self.plan.clone(), self.projection.clone());
        Self { inputs, options, findings, outputs, plan, projection, rejects: Arc::default() }
    }

    /// `parts` sources that together are this one, in its order: whole inputs where there are enough of them, else parts of
    /// inputs, which are walked once to find where records begin. Some may be empty.
    pub fn split(&self, parts: usize) -> Result<Vec<Self>> {
        if parts == 0 {
            return Err(Error::option("a source cannot be split into 0"));
        }
        self.check_split()?;
        learn_sizes(&self.inputs)?;
        let sizes: Vec<Option<u64>> = self.inputs.iter().map(Input::size).collect::<Result<_>>()?;
        let all: u128 = sizes.iter().flatten().map(|&size| u128::from(size)).sum();
        // The pieces of each input, with its number.
        let mut pieces = Vec::new();
        for (number, (input, size)) in self.inputs.iter().zip(sizes).enumerate() {
            let cut = match size {
                Some(size) if self.inputs.len() < parts => {
                    // A quarter of a part is the unit: parts are of about equal size, and a small input is not opened.
                    let quarters = (4 * u128::from(size) * parts as u128).div_ceil(all.max(1));
                    let spans = cut(input, &self.plan, size, (quarters.max(1) as usize).min(parts))?;
                    let part = |span: Span| (input.clone().with_span(span), span.end - span.start);
                    spans.map_or_else(
                        || vec![(input.clone(), size)],
                        |spans| spans.into_iter().map(part).collect(),
                    )
                }
                size => vec![(input.clone(), size.unwrap_or(0))],
            };
            pieces.extend(cut.into_iter().map(|(input, size)| (number, input, size.max(1))));
        }
        let total: u64 = pieces.iter().map(|(.., size)| size).sum();
        let mut split: Vec<Vec<Input>> = vec![Vec::new(); parts];
        let (mut before, mut last) = (0, None);
        for (number, input, size) in pieces {
            // The part in which the middle of the piece falls.
            let middle = u128::from(2 * before + size);
            let part = (middle * parts as u128 / (2 * u128::from(total))) as usize;
            let part = part.min(parts - 1);
            let is_next = last.replace((number, part)) == Some((number, part));
            match (split[part].last().and_then(Input::span), input.span()) {
                // The next piece of the same input.
                (Some(begun), Some(span)) if is_next => {
                    split[part].pop();
                    split[part].push(input.with_span(Span { end: span.end, ..begun }));
                }
                _ => split[part].push(input),
            }
            before += size;
        }
        Ok(split.into_iter().map(|inputs| self.part(inputs)).collect())
    }

    /// Sources of about `bytes` at the most that together are this one, in its order. Nothing is read for that: small inputs are
    /// joined, and a larger one stands alone, with the number of parts into which [`split`](Self::split) should cut it.
    pub fn tasks(&self, bytes: u64) -> Result<Vec<(Self, usize)>> {
        self.check_split()?;
        let bytes = bytes.max(1);
        let tasks = groups(&self.inputs, bytes).into_iter().map(|(inputs, sum)| {
            // An input that is a little larger is not worth the walk that a cut costs.
            let parts = sum.saturating_add(bytes / 2) / bytes;
            (self.part(self.inputs[inputs].to_vec()), parts.max(1) as usize)
        });
        Ok(tasks.collect())
    }
}

/// Groups of inputs of about `bytes` at the most, with their bytes. A larger input stands alone. Nothing is read for that.
pub(crate) fn groups(inputs: &[Input], bytes: u64) -> Vec<(Range<usize>, u64)> {
    // Of an input whose size cannot be known its reader will say why.
    let _ = learn_sizes(inputs);
    let mut groups: Vec<(Range<usize>, u64)> = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        // An input of unknown size stands alone.
        let size = input.size().ok().flatten().unwrap_or(bytes);
        match groups.last_mut() {
            Some((group, sum)) if sum.saturating_add(size) <= bytes => {
                group.end += 1;
                *sum += size;
            }
            _ => groups.push((number..number + 1, size)),
        }
    }
    groups
}

/// How many bytes the inputs hold, if that can be known without reading.
pub(crate) fn size(inputs: &[Input]) -> Result<Option<u64>> {
    learn_sizes(inputs)?;
    inputs.iter().try_fold(Some(0), |sum: Option<u64>, input| {
        Ok(sum.zip(input.size()?).map(|(sum, size)| sum.saturating_add(size)))
    })
}

/// Cuts an input into at most `parts` of about equal size, between records. `None` for what stays in one piece: a stream, what is
/// compressed, and an input of more than one array or map of records, or of one that is cut off.
fn cut(input: &Input, plan: &Arc<Plan>, size: u64, parts: usize) -> Result<Option<Vec<Span>>> {
    let failed = |error| input.error(error);
    if parts == 1 {
        return Ok(None);
    }
    let opened = input.open(plan.options.max_expansion)?;
    if !matches!(opened, Opened::Random(..)) {
        return Ok(None);
    }
    let mut blocks = Blocks::new(opened, &Arc::default());
    if blocks.position() == 0 {
        let bytes = blocks.fill(MAGIC).map_err(failed)?;
        if foreign(bytes, true) != Ok(None) {
            return Ok(None);
        }
    }
    let is_held = Position::start(plan).left != Left::Unbounded;
    let mut begin = input.span().unwrap_or(Span { start: 0, end: size, record: 0, inside: !is_held });
    // How many records the array or map holds that all of them lie in, and the objects behind it.
    let mut held = None;
    if !begin.inside {
        let (mut way, mut needed) = (Way::default(), MAX_HEAD);
        held = loop {
            let bytes = blocks.fill(needed).map_err(failed)?;
            match way.walk(&plan.way, |_| Ok(plan.framing), bytes) {
                Arrival::More(0, more) if bytes.len() >= needed => needed = more as usize,
                Arrival::More(taken @ 1.., _) => {
                    blocks.consume(taken);
                    needed = MAX_HEAD;
                }
                Arrival::Records { taken, framing: Framing::Array | Framing::Map, records, tail } => {
                    blocks.consume(taken);
                    break Some((records, tail));
                }
                _ => return Ok(None),
            }
        };
        begin = Span { start: blocks.position(), inside: true, ..begin };
    }
    // Where damage or numbers are left out, and in maps of lists, only a decoder knows how records are numbered.
    let is_decoded = match plan.framing {
        Framing::Map => false,
        Framing::Columns => true,
        _ => plan.options.on_error != OnError::Raise,
    };
    let mut spans = vec![begin];
    if !is_decoded || held.is_some() {
        let mut record = begin.record;
        let objects = |blocks: &mut Blocks, mut skipper: Skipper| loop {
            let bytes = blocks.fill(MAX_HEAD)?;
            match skipper.skip(bytes) {
                Skipped::Done(taken) => {
                    blocks.consume(taken);
                    break Ok(true);
                }
                Skipped::More(taken @ 1..) => blocks.consume(taken),
                Skipped::More(_) | Skipped::Reserved(_) => break Ok(false),
            }
        };
        let is_left = |record: u64| held.is_none_or(|(records, _)| record - begin.record < records);
        while is_left(record) {
            if record.is_multiple_of(1024) {
                input.cancel().check_io().map_err(failed)?;
            }
            let skipper = match plan.prefix {
                None => Skipper::of(plan.objects()),
                Some(prefix) => match prefix.read(blocks.fill(MAX_HEAD).map_err(failed)?) {
                    Ok(Some((size, length))) => Skipper::of_bytes((size + length) as u64),
                    _ => break,
                },
            };
            // What is cut off or cannot be read stays in one piece.
            if !objects(&mut blocks, skipper).map_err(failed)? {
                break;
            }
            record += 1;
            let position = blocks.position();
            let share = u128::from(size) * spans.len() as u128 / parts as u128;
            if u128::from(position - begin.start) >= share && position < begin.end && is_left(record) {
                if let Some(last) = spans.last_mut() {
                    last.end = position;
                }
                spans.push(Span { start: position, end: begin.end, record, inside: true });
            }
        }
        if let Some((_, tail)) = held {
            // An array that ends too early, or with something behind it, is for one reader to judge.
            let end = blocks.position();
            let is_whole = !is_left(record) && objects(&mut blocks, Skipper::of(tail)).map_err(failed)?;
            if !is_whole || blocks.position() != begin.end {
                return Ok(None);
            }
            begin.end = end;
            spans.iter_mut().last().into_iter().for_each(|last| last.end = end);
        }
    }
    if is_decoded {
        let blocks =
            Blocks::new(input.clone().with_span(begin).open(plan.options.max_expansion)?, &Arc::default());
        let records = held.map(|(records, _)| records);
        return cut_by_decoding(input, plan, blocks, (begin, records), parts);
    }
    Ok(Some(spans))
}

/// The same where records begin where the decoder says. `None` for an array of which it is not known where it ends.
fn cut_by_decoding(
    input: &Input,
    plan: &Arc<Plan>,
    mut blocks: Blocks,
    (begin, left): (Span, Option<u64>),
    parts: usize,
) -> Result<Option<Vec<Span>>> {
    let is_array = left.is_some();
    let left = left.map_or(Left::Unbounded, Left::Known);
    let position = Position { offset: begin.start, record: begin.record, left, tail: 0, rows: 0 };
    let size = begin.end - begin.start;
    // A bad record is for the reader of its part to judge.
    let skipping = match plan.options.on_error {
        OnError::Raise => {
            let options = ReadOptions { on_error: OnError::Skip, max_rejects: 0, ..plan.options.clone() };
            Arc::new(Plan { options, ..(**plan).clone() })
        }
        _ => plan.clone(),
    };
    let mut decoder = Decoder::with_plan(skipping)?.at(input.name(), position, blocks.known_left());
    let mut spans = vec![begin];
    let share = |spans: &[Span]| match u128::from(size) * spans.len() as u128 / parts as u128 {
        share if spans.len() < parts => begin.start + share as u64,
        _ => u64::MAX,
    };
    let mut stop = share(&spans);
    let mut cut_place: Option<Position> = None;
    loop {
        input.cancel().check_io().map_err(|error| input.error(error))?;
        decoder.set_stop(stop);
        let (bytes, last) = blocks.fill_to_end(decoder.needed()).map_err(|error| input.error(error))?;
        let taken = decoder.decode_within(bytes, last)?;
        blocks.consume(taken);
        let place = decoder.position;
        if place.left == Left::Unknown {
            return Ok(None);
        }
        if place.left == Left::Known(0) {
            return Ok((place.offset == begin.end).then_some(spans));
        }
        if decoder.is_full() {
            decoder.flush()?;
        } else if decoder.is_stopped() && place.offset < begin.end {
            stop = place.offset;
            // The decoder stops behind a run of good records. A cut has one behind it as well.
            if let Some(cut) = cut_place.replace(place)
                && place.record == cut.record + decoder.run()
                && cut.rows == 0
            {
                if let Some(before) = spans.last_mut() {
                    before.end = cut.offset;
                }
                spans.push(Span { start: cut.offset, end: begin.end, record: cut.record, inside: true });
                stop = stop.max(share(&spans));
                cut_place = None;
            }
        } else if decoder.is_invalid() || (last && taken == 0) {
            return Ok((!is_array).then_some(spans));
        }
    }
}
