//! The columns that come of the evidence.

use arrow::datatypes::{DataType, Field};

use super::evidence::Evidence;
use super::findings::column_name;
use super::notes::Notes;
use super::observe::Observed;
use super::{Column, Findings, ID, KEY, Layout, PATH, RECORD, Role, Step, VECTOR, vector_field, vector_type};
use crate::error::{Error, Result};
use crate::options::Framing;
use crate::text::printable;
use crate::vector::{Dtype, RawDtype};

impl Evidence<'_> {
    /// The findings for records in this framing.
    pub(super) fn findings(self, framing: Framing) -> Result<Findings> {
        let mut columns = match (self.layout, self.options.dim) {
            (Some(Layout::Vector), _) | (None, Some(_)) => self.bare_columns()?,
            (Some(_), _) => {
                let columns = self.field_columns()?;
                self.check_named_dtype(&columns)?;
                columns
            }
            (None, None) => return Err(self.failure()),
        };
        if framing == Framing::Map {
            let data_type = self.key.data_type(&mut Vec::new(), &|_| false).filter(|t| !t.is_nested());
            let field = Field::new(KEY, data_type.unwrap_or(DataType::Utf8), true);
            columns.insert(0, Column::of(field, Role::Key));
        }
        self.apply_schema(&mut columns)?;
        self.project(&mut columns)?;
        if self.options.include_path {
            let field = Field::new(PATH, DataType::Utf8, false);
            columns.push(Column::of(field, Role::Path));
        }
        if self.options.include_record {
            let field = Field::new(RECORD, DataType::UInt64, false);
            columns.push(Column::of(field, Role::Record));
        }
        if self.options.include_id {
            columns.push(Column::of(Field::new(ID, DataType::Int64, false), Role::Id));
        }
        for (index, column) in columns.iter().enumerate() {
            // Names are C strings where Arrow data leaves.
            if column.name().contains('\0') {
                return Err(Error::schema("the name of a column must not hold a NUL byte"));
            }
            if columns[..index].iter().any(|other| other.name() == column.name()) {
                return Err(Error::schema(format!(
                    "two columns have the name `{}`: leave one of them out with option `columns`, or \
                     leave out option `include_path`, option `include_record` or option `include_id`",
                    column.name()
                )));
            }
        }
        let mut notes = match self.vector.as_ref().filter(|_| self.layout == Some(Layout::Vector)) {
            Some(vector) => Notes::of_vectors(&self.looks, vector.raw, self.options),
            None => Notes::of_fields(&self.fields, &columns, self.options),
        };
        notes.warnings.extend(self.shaped.filter(|(_, (rows, _))| *rows > 1).map(|(name, (rows, dim))| {
            format!(
                "`{}`: these bytes are {rows} vectors of {dim} elements by the shape beside them: framing columns reads each as a row",
                printable(&name)
            )
        }));
        Ok(Findings {
            framing,
            prefix: None,
            layout: self.layout.unwrap_or(Layout::Vector),
            columns,
            start: self.start,
            framing_from: String::new(),
            layout_from: self.layout_from,
            notes,
        })
    }

    fn bare_columns(&self) -> Result<Vec<Column>> {
        if let Some(name) = self.options.vector.iter().find(|name| *name != VECTOR) {
            return Err(Error::schema(format!(
                "option `vector`: the records are bare vectors and have no field `{name}`: leave the option out"
            )));
        }
        let field = vector_field(VECTOR, self.options.dim.unwrap_or(0), self.options.dtype);
        Ok(vec![match &self.vector {
            Some(column) => column.clone(),
            None => Column { raw: self.options.raw_dtype.of(VECTOR), ..Column::vector(Vec::new(), field?) },
        }])
    }

    /// The columns of records that have fields, in the order in which the fields were first seen.
    fn field_columns(&self) -> Result<Vec<Column>> {
        if self.fields.too_many_keys {
            return Err(Error::schema(
                "the maps that are records have more keys than a table has columns: if each is the key of a vector, pass \
                 option `framing=map`; else choose some with option `columns`",
            ));
        }
        let vectors = self.vectors()?;
        let mut columns = Vec::new();
        for (step, field) in &self.fields.fields {
            let own = vectors.iter().filter(|column| column.path.first() == Some(step));
            columns.extend(own.cloned());
            let (mut path, raw) = (vec![step.clone()], field.raw());
            let is_vector = |path: &[Step]| vectors.iter().any(|column| column.path == path);
            if !is_vector(&path)
                && let Some(field) = field.column(&step.to_string(), &mut path, &is_vector)
            {
                columns.push(Column { path, raw, ..Column::of(field, Role::Value) });
            }
        }
        Ok(columns)
    }

    /// The vector columns: those that options name, or else those that are clear, or else the likeliest one.
    fn vectors(&self) -> Result<Vec<Column>> {
        let dim = self.options.dim.map(|dim| dim as usize);
        let mut found: Vec<(Vec<Step>, usize)> = Vec::new();
        for name in &self.options.vector {
            let Some((path, field)) = self.fields.resolve(name) else {
                return Err(Error::schema(format!(
                    "option `vector`: none of the first {} records has a field `{name}`; they have {}",
                    self.records,
                    self.names()
                )));
            };
            if let Some(format) = field.vectors.looks.format {
                let text = format!("vector: `{name}` holds {format} and no vector: leave it out of `vector`");
                return Err(Error::schema(text));
            }
            let Some(dim) = dim.or(field.vectors.dim()) else {
                return Err(Error::schema(format!(
                    "option `vector`: `{name}` holds no vector in the first {} records, so its dimension is not known: pass option `dim`",
                    self.records
                )));
            };
            found.push((path, dim));
        }
        if self.options.vector.is_empty() {
            let mut clear = Vec::new();
            self.fields.visit(&mut Vec::new(), &mut |path, field| {
                let vectors = &field.vectors;
                clear.extend(vectors.clear_dim(dim).map(|dim| (path.to_vec(), dim, vectors.values)));
            });
            // A few odd records must not make rejects of all others, which have no such field.
            let most = clear.iter().map(|(_, _, values)| *values).max();
            clear.retain(|(_, _, values)| most.is_some_and(|most| 2 * values >= most));
            found.extend(clear.into_iter().map(|(path, dim, _)| (path, dim)));
        }
        if found.is_empty() {
            let mut best = 0.0;
            self.fields.visit(&mut Vec::new(), &mut |path, field| {
                if let Some((likely, dim)) = field.vectors.possible(dim).filter(|(likely, _)| *likely > best)
                {
                    (best, found) = (likely, vec![(path.to_vec(), dim)]);
                }
            });
        }
        let is_free = self.options.columns.is_none() && self.options.schema.fields().is_empty();
        if found.is_empty() && is_free && !self.fields.holds_numbers() {
            return Err(Error::schema(format!(
                "{}no field of the first {} records is a vector{}; {}: name the field that is one with option `vector`, or choose \
                 some with option `columns`",
                self.input_prefix(),
                self.records,
                dim.map(|dim| format!(" of {dim} elements")).unwrap_or_default(),
                self.contents()
            )));
        }
        let column = |(path, dim): (Vec<Step>, usize)| {
            let found = self.fields.at(&path);
            let stored = found.and_then(|field| field.vectors.stored.clone());
            let raw = found.map_or(self.options.raw_dtype.default, Observed::raw);
            let length =
                u32::try_from(dim).map_err(|_| Error::schema("a vector of more than 2^32 elements"))?;
            let field = vector_field(&column_name(&path), length, self.options.dtype)?;
            let is_bits = found.is_some_and(|field| field.vectors.is_bits == Some(true));
            Ok(Column { stored, raw, is_bits, ..Column::vector(path, field) })
        };
        found.into_iter().map(column).collect()
    }

    fn names(&self) -> String {
        const SHOWN: usize = 20;
        let fields = &self.fields.fields;
        let names: Vec<String> = fields.iter().take(SHOWN).map(|(step, _)| format!("`{step}`")).collect();
        let more = if fields.len() > SHOWN { ", ..." } else { "" };
        if names.is_empty() { "no fields".to_owned() } else { format!("{}{more}", names.join(", ")) }
    }

    /// Lets the given schema override the inferred one.
    fn apply_schema(&self, columns: &mut Vec<Column>) -> Result<()> {
        for field in self.options.schema.fields() {
            match columns.iter_mut().find(|column| column.name() == field.name()) {
                Some(column) if column.path.is_empty() && column.role == Role::Vector => {
                    *column = retyped_bare(column, field)?;
                }
                Some(column) => *column = column.clone().retyped(field)?,
                None if self.layout == Some(Layout::Vector) || self.layout.is_none() => {
                    return Err(Error::schema(format!(
                        "option `schema`: the records are bare vectors and have no field `{}`",
                        field.name()
                    )));
                }
                None => {
                    let plain = Field::new(field.name(), DataType::Null, true);
                    let (path, raw) = match self.fields.resolve(field.name()) {
                        Some((path, found)) => (path, found.raw()),
                        // A field that no record had so far.
                        None if self.layout == Some(Layout::Positional) => {
                            (Step::parse(field.name()), self.options.raw_dtype.default)
                        }
                        None => (vec![Step::Name(field.name().clone())], self.options.raw_dtype.default),
                    };
                    let column = Column { path, raw, ..Column::of(plain, Role::Value) };
                    columns.push(column.retyped(field)?);
                }
            }
        }
        Ok(())
    }

    /// Leaves only the columns that were asked for, in the order in which they were.
    fn project(&self, columns: &mut Vec<Column>) -> Result<()> {
        let Some(names) = self.options.fields() else { return Ok(()) };
        let chosen = |name: &String| {
            if let Some(column) = columns.iter().find(|column| column.name() == name) {
                return Ok(column.clone());
            }
            let field = self.fields.resolve(name);
            let inside =
                field.and_then(|(mut path, field)| Some((field.column(name, &mut path, &|_| false)?, path)));
            let Some((field, path)) = inside else {
                let known: Vec<String> =
                    columns.iter().map(|column| format!("`{}`", column.name())).collect();
                return Err(Error::schema(format!(
                    "option `columns`: there is no column `{name}`; there are {}",
                    known.join(", ")
                )));
            };
            Ok(Column { path, ..Column::of(field, Role::Value) })
        };
        *columns = names.into_iter().map(chosen).collect::<Result<_>>()?;
        Ok(())
    }

    /// Refuses bytes that would be read as the default `raw_dtype` where a field beside them names another.
    fn check_named_dtype(&self, columns: &[Column]) -> Result<()> {
        let raw = self.options.raw_dtype.default;
        let Some((name, named)) = self.named_dtype.as_ref().filter(|(_, named)| *named != raw) else {
            return Ok(());
        };
        let is_raw = |column: &&Column| column.stored.as_deref() == Some(raw.to_string().as_str());
        match columns.iter().find(is_raw).filter(|_| raw == RawDtype::default()) {
            Some(column) => Err(Error::schema(format!(
                "{}the field `{name}` of the first record says {named}, and the bytes of `{}` would be read as {raw}: pass \
                 option `raw_dtype={named}`",
                self.input_prefix(),
                column.name()
            ))),
            None => Ok(()),
        }
    }
}

/// The column of bare vectors with the type of `field`, which must be one of vectors.
fn retyped_bare(column: &Column, field: &Field) -> Result<Column> {
    let dim = column.dim().unwrap_or(0);
    match (vector_type(field.data_type()), field.data_type()) {
        (Some(_), _) | (None, DataType::FixedSizeList(..)) => column.clone().retyped(field),
        (None, other) => {
            let element = Dtype::ALL.into_iter().find(|dtype| dtype.data_type() == *other);
            let element = element.unwrap_or(Dtype::Float32);
            Err(Error::schema(format!(
                "option `schema`: the records are bare vectors, so the column `{}` cannot be {other}: pass option \
                 `dtype={element}` for other elements, or a type of vectors such as {element}[{dim}]",
                field.name()
            )))
        }
    }
}
