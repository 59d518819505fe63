//! Framing, layout and schema: what records are, and the plan "this field goes into that column".

mod beside;
mod columns;
mod describe;
mod evidence;
mod findings;
mod framing;
mod given;
mod infer;
mod lists;
mod looks;
mod observe;
mod start;
mod way;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

pub(crate) use self::beside::Beside;
pub(crate) use self::findings::{Column, Findings, Layout, Role, Step};
pub(crate) use self::infer::{Inference, Inferred};
pub(crate) use self::lists::List;
pub(crate) use self::looks::{MAGIC, foreign};
pub(crate) use self::start::{Framed, Prefix, RecordStart};
pub(crate) use self::way::{Arrival, Way};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Framing, OnError, ReadOptions};
use crate::reject::Rejects;
use crate::values::Keys;
use crate::vector::encoding::Types;
use crate::vector::{Dtype, Extensions, VectorBuilder};

/// The name of a bare vector's column.
pub(crate) const VECTOR: &str = "vector";
/// The name of the column of keys, under `map` framing.
pub(crate) const KEY: &str = "key";
/// The names of the columns that `include_path`, `include_record` and `include_id` add.
pub(crate) const PATH: &str = "path";
pub(crate) const RECORD: &str = "record";
pub(crate) const ID: &str = "id";
/// Bits of an id, which is a positive number of 64 bits: the number of the input, and below it that of the record.
pub(crate) const INPUT_BITS: u32 = 23;
pub(crate) const RECORD_BITS: u32 = 40;

/// Which columns a scan produces, and how records fill them.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) framing: Framing,
    /// How the length of a record is written in front of it, under `length-prefixed` framing.
    pub(crate) prefix: Option<Prefix>,
    /// The way to the records of a document; empty where documents are records, or arrays or maps of them.
    pub(crate) way: Box<[Step]>,
    pub(crate) content: Content,
    pub(crate) columns: Vec<Column>,
    /// The column of keys, under `map` framing.
    pub(crate) key: Option<usize>,
    pub(crate) extensions: Arc<Extensions>,
    /// The options as given. The columns and the schema of the plan are the fields here.
    pub(crate) options: ReadOptions,
    /// How the first record that inference made the plan from begins.
    pub(crate) start: Option<RecordStart>,
    /// The most rows of a batch.
    pub(crate) batch_rows: usize,
    pub(crate) schema: SchemaRef,
}

/// The content of a record.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A vector and nothing else, for this column; none where it is not wanted.
    Vector(Option<usize>),
    /// Items, some of which go into columns.
    Items(Slots),
}

/// Where the items of an array or the values of a map go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots {
    pub(crate) is_map: bool,
    /// Of a map: what belongs to which key.
    pub(crate) keys: Keys,
    pub(crate) slots: Vec<Slot>,
}

/// Where one value goes: into a column, or what is in it into columns, or both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    pub(crate) column: Option<usize>,
    pub(crate) inside: Option<Slots>,
    /// The value names the type of the bytes beside it: this one, in the first record.
    pub(crate) dtype: Option<Box<str>>,
}

/// A batch of this many rows, or a multiple, fills whole pages and whole vectors of the engines that read it.
const ROUND_ROWS: usize = 2048;

/// No record has more items that go into columns.
const MOST_ITEMS: u32 = 1 << 16;

impl Plan {
    pub(crate) fn new(findings: &Findings, options: &ReadOptions) -> Result<Self> {
        options.check()?;
        let mut columns = findings.columns.clone();
        for column in columns.iter_mut().filter(|column| column.role.is_read()) {
            column.field.set_nullable(column.field.is_nullable() || options.on_error == OnError::Null);
        }
        let row_bytes: usize = columns.iter().map(Column::width).sum();
        let rows = (options.batch_bytes / row_bytes.max(1)).max(1);
        // Of the first rows none need be decoded behind the last one.
        let limit = options.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let rows = rows.min(options.batch_rows.unwrap_or(usize::MAX)).min(limit.max(1));
        let content = match findings.layout {
            Layout::Vector => Content::Vector(columns.iter().position(|column| column.role == Role::Vector)),
            layout => {
                let mut slots = Slots::new(&columns, layout)?;
                if let Some((field, dtype)) = findings.dtype.as_ref().filter(|_| slots.is_map) {
                    let place = slots.keys.place(field.as_bytes());
                    slots.at(place).dtype = Some(dtype.as_str().into());
                }
                Content::Items(slots)
            }
        };
        Ok(Self {
            framing: findings.framing,
            prefix: (findings.framing == Framing::LengthPrefixed)
                .then(|| findings.prefix.unwrap_or(Prefix::Le32)),
            way: options.records.as_deref().map(Step::parse).unwrap_or_default().into(),
            content,
            key: columns.iter().position(|column| column.role == Role::Key),
            extensions: Arc::new(options.extensions.clone()),
            options: options.clone(),
            // Elsewhere records are not found by how they begin.
            start: findings
                .start
                .clone()
                .filter(|_| matches!(findings.framing, Framing::Sequence | Framing::Array)),
            batch_rows: if rows > ROUND_ROWS { rows - rows % ROUND_ROWS } else { rows },
            schema: Arc::new(Schema::new(
                columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>(),
            )),
            columns,
        })
    }

    /// Bare vectors of `dim` elements, one after another: of the options, those about vectors and batches count.
    pub(crate) fn of_vectors(dim: u32, options: &ReadOptions) -> Result<Self> {
        let (dtype, raw_dtype) = (options.dtype, options.raw_dtype.clone());
        let vectors = ReadOptions { dim: Some(dim), dtype, raw_dtype, ..ReadOptions::default() };
        let mut findings = Inference::new(&vectors).findings()?;
        if options.framing != Framing::Auto {
            findings.framing = options.framing;
        }
        Self::new(&findings, options)
    }

    /// Fails where more was rejected than `fail_after` allows, or will have been at the `end`.
    pub(crate) fn check_rejects(&self, rejects: &Rejects, end: bool) -> Result<()> {
        match (self.options.fail_after, rejects.first()) {
            (Some(limit), Some(first)) if limit.is_exceeded(rejects.count(), rejects.records(), end) => {
                let (records, first) = (rejects.records(), first.clone());
                Err(ErrorKind::TooManyRejects { rejects: rejects.count(), records, limit, first }.into())
            }
            _ => Ok(()),
        }
    }

    /// MessagePack objects that a record takes: under `map` framing a key as well.
    pub(crate) fn objects(&self) -> u64 {
        if self.framing == Framing::Map { 2 } else { 1 }
    }

    /// The types of what names none, in the vectors of a column.
    pub(crate) fn types(&self, column: Option<usize>) -> Types<'_> {
        let raw = column.map(|column| self.columns[column].raw).unwrap_or_default();
        Types { raw, extensions: &self.extensions }
    }
}

impl Slots {
    /// The tree of the columns' paths, in records of this layout.
    fn new(columns: &[Column], layout: Layout) -> Result<Self> {
        let mut slots = Self { is_map: layout == Layout::Map, ..Self::default() };
        for (index, column) in columns.iter().enumerate() {
            slots.insert(&column.path, index)?;
        }
        Ok(slots)
    }

    fn at(&mut self, place: usize) -> &mut Slot {
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, Slot::default);
        }
        &mut self.slots[place]
    }

    /// Adds the column at the end of a path.
    fn insert(&mut self, path: &[Step], column: usize) -> Result<()> {
        let Some((first, rest)) = path.split_first() else { return Ok(()) };
        let place = match first {
            Step::Position(position) if !self.is_map && *position < MOST_ITEMS => *position as usize,
            Step::Position(position) if !self.is_map => {
                return Err(Error::schema(format!(
                    "there can be no column for the item {position} of records"
                )));
            }
            Step::Name(name) if self.is_map => self.keys.place(name.as_bytes()),
            _ => {
                return Err(Error::schema(
                    "columns are named by key and by position in the same object: use one of the two",
                ));
            }
        };
        let slot = self.at(place);
        if let Some(next) = rest.first() {
            let is_map = matches!(next, Step::Name(_));
            return slot.inside.get_or_insert(Self { is_map, ..Self::default() }).insert(rest, column);
        }
        match slot.column.replace(column) {
            None => Ok(()),
            Some(_) => Err(Error::schema(format!(
                "two columns are the field `{first}`: write its name the same way each time"
            ))),
        }
    }
}

/// The type of a vector column, if it is one: a fixed-size list of a type that vectors have.
pub(crate) fn vector_type(data_type: &DataType) -> Option<(usize, Dtype)> {
    let DataType::FixedSizeList(element, dim) = data_type else { return None };
    let dtype = Dtype::of(element.data_type())?;
    Some((usize::try_from(*dim).ok().filter(|&dim| dim > 0)?, dtype))
}

/// The field of a vector column.
pub(crate) fn vector_field(name: &str, dim: usize, dtype: Dtype) -> Result<Field> {
    if dim == 0 {
        return Err(Error::option("option `dim` must be at least 1"));
    }
    let length = i32::try_from(dim)
        .map_err(|_| Error::option(format!("option `dim`: {dim} is larger than 2^31 - 1")))?;
    Ok(Field::new(name, VectorBuilder::data_type(length, dtype), false))
}
