//! The columns that come of the evidence.

use std::collections::HashSet;

use arrow_schema::{DataType, Field};

use super::beside::Packed;
use super::describe::Inside;
use super::evidence::Evidence;
use super::findings::column_name;
use super::framing::FEW;
use super::observe::Observed;
use super::{Column, Findings, ID, KEY, Layout, PATH, RECORD, Role, Step, VECTOR, vector_field};
use crate::error::{Error, Result};
use crate::options::Framing;
use crate::text::{count, listed, none_of, printable};
use crate::vector::{RawDtype, RawDtypes};

impl Evidence<'_> {
    /// The findings.
    pub(super) fn findings(mut self) -> Result<Findings> {
        let framing = if self.framing == Framing::Auto { Framing::Sequence } else { self.framing };
        if framing == Framing::Columns {
            self.check_packed()?;
        }
        let mut columns = match (self.layout, self.options.dim) {
            (Some(Layout::Vector), _) | (None, Some(_)) => vec![self.bare_column()?],
            (Some(_), _) => self.field_columns()?,
            (None, None) => return Err(self.failure()),
        };
        if framing == Framing::Map {
            let data_type = self.key.data_type(true).filter(|t| !t.is_nested());
            let field = Field::new(KEY, data_type.unwrap_or(DataType::Utf8), true);
            columns.insert(0, Column::of(field, Role::Key));
        }
        self.apply_schema(&mut columns)?;
        self.project(&mut columns)?;
        let options = self.options;
        for (is_included, name, data_type, role) in [
            (options.include_path, PATH, DataType::Utf8, Role::Path),
            (options.include_record, RECORD, DataType::UInt64, Role::Record),
            (options.include_id, ID, DataType::Int64, Role::Id),
        ] {
            columns.extend(is_included.then(|| Column::of(Field::new(name, data_type, false), role)));
        }
        let mut names = HashSet::new();
        if let Some(twice) = columns.iter().map(Column::name).find(|name| !names.insert(*name)) {
            return Err(Error::schema(format!(
                "two columns have the name `{twice}`: leave one of them out with option `columns`, or \
                 leave out option `include_path`, option `include_record` or option `include_id`"
            )));
        }
        let mut warnings = self.warnings(&columns);
        warnings.extend(self.of_fields(&columns, Observed::lost));
        let left_out = self.of_fields(&columns, Observed::kept);
        Ok(Findings {
            framing,
            prefix: self.prefix,
            layout: self.layout.unwrap_or(Layout::Vector),
            warnings,
            left_out,
            dtype: self.dtype_of(&columns),
            columns,
            start: self.start,
            framing_from: self.framing_from,
            layout_from: self.layout_from,
        })
    }

    /// Sentences about bytes that look wrong.
    fn warnings(&self, columns: &[Column]) -> Vec<String> {
        let mut warnings = Vec::new();
        for column in columns {
            let is_bytes = column.role == Role::Value && self.is_in_schema(column.name());
            let is_field = matches!(column.role, Role::Vector | Role::Value) && !is_bytes;
            let Some(field) = self.fields.at(&column.path).filter(|_| is_field) else { continue };
            for warning in field.all().into_iter().filter_map(Observed::warning) {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        let raw = self.options.raw_dtype.of(VECTOR);
        let is_open = self.layout == Some(Layout::Vector) && self.is_bare_type_open();
        if warnings.is_empty() && is_open && self.fields.vectors.looks.are_not(raw) {
            warnings.push(format!("`{VECTOR}`: these bytes look like no numbers of the type {raw}"));
        }
        let is_of_integers = |column: &&Column| {
            let field = self.fields.at(&column.path).filter(|_| column.role == Role::Vector);
            field.is_some_and(|field| field.vectors.are_integers()) && self.framing != Framing::Array
        };
        warnings.extend(columns.iter().find(is_of_integers).and_then(|column| {
            let name = printable(column.name());
            let is_parallel = self.parallel.is_some_and(|items| column.dim() == Some(items));
            match self.inside.as_ref().filter(|_| self.records == 1) {
                _ if is_parallel => Some(format!(
                    "`{name}`: a list beside others of as many items: option `framing=columns` reads each item as a row"
                )),
                Some(Inside { path, .. }) => Some(format!(
                    "`{name}`: the only record has these integers for its vector; the records seem to lie in `{path}`: option \
                     `records={path}` reads each as a row"
                )),
                None => None,
            }
        }));
        let many =
            |column: &&Column| column.role == Role::Vector && column.path.len() > 1 && self.records == 1;
        let mut parents = columns.iter().filter(many).map(|column| &column.path[..column.path.len() - 1]);
        if let Some(parent) = parents.next()
            && parents.filter(|other| *other == parent).count() >= FEW as usize
        {
            let parent = printable(&column_name(parent));
            warnings.push(format!(
                "`{parent}`: the records seem to lie in it: option `records={parent}` reads each as a row"
            ));
        }
        // The shape may be that of other bytes, by the type that is named beside it.
        let typed = self.beside.raw().map(|_| self.beside.typed()).unwrap_or_default();
        let are_rows =
            |packed: &Packed<'_>| packed.rows > 1 && (typed.is_empty() || typed.contains(&packed.name));
        // Records that follow have vectors of that dimension as well: those of the first one are then larger elements.
        let by_dim =
            self.beside.packed_by_dim(self.options.raw_dtype.of_any().size()).filter(|_| self.records == 1);
        let is_open = self.framing != Framing::Columns && self.options.framing == Framing::Auto;
        let by_shape = self.beside.packed().next();
        let packed = by_shape.into_iter().chain(by_dim).find(|packed| is_open && are_rows(packed));
        warnings.extend(packed.map(|Packed { name, rows, dim, .. }| {
            format!(
                "`{}`: these bytes are {rows} vectors of {dim} elements by the shape or the dimension beside them: option `framing=columns` \
                 reads each as a row",
                printable(name)
            )
        }));
        warnings
    }

    /// A sentence about each field of which `what` tells something, without those of vector columns.
    fn of_fields(&self, columns: &[Column], what: impl Fn(&Observed) -> Option<String>) -> Vec<String> {
        let is_told = self.options.columns.is_none() && self.layout != Some(Layout::Vector);
        let is_other = |field: &&Observed| {
            !columns.iter().any(|column| column.role == Role::Vector && column.path == field.path)
        };
        let sentence = |field: &Observed| {
            let what = what(field)?;
            Some(match field.path.is_empty() {
                true => format!("records: {what}"),
                false => format!("`{}`: {what}", printable(&field.name())),
            })
        };
        let fields = if is_told { self.fields.all() } else { Vec::new() };
        fields.into_iter().filter(is_other).filter_map(sentence).collect()
    }

    /// True where no option says what the bytes of bare vectors are.
    fn is_bare_type_open(&self) -> bool {
        let is_given = self.options.dim.is_some() || self.is_in_schema(VECTOR);
        !is_given && self.options.raw_dtype.given(VECTOR).is_none()
    }

    fn is_in_schema(&self, name: &str) -> bool {
        self.options.schema.index_of(name).is_ok()
    }

    /// The column of records that are vectors.
    fn bare_column(&mut self) -> Result<Column> {
        let vectors = self.options.vector.iter().map(|name| ("vector", name));
        let types = self.options.raw_dtype.columns.keys().map(|name| ("raw_dtype", name));
        if let Some((option, name)) = vectors.chain(types).find(|(_, name)| *name != VECTOR) {
            return Err(Error::schema(format!(
                "option `{option}`: the records are bare vectors and have no field `{name}`: leave the name out"
            )));
        }
        let looks = &self.fields.vectors.looks;
        let letters = looks.letters().filter(|_| !self.fields.vectors.is_base64);
        if let Some(format) = looks.files().or(letters).filter(|_| self.is_bare_type_open()) {
            let input = self.input_prefix();
            return Err(Error::schema(format!("{input}the records hold {format} and no vectors")));
        }
        if self.layout.is_none() {
            self.fields = Observed::new(Vec::new(), self.rules.given(VECTOR));
        }
        let dim = self.options.dim.map(|dim| dim as usize).or(self.fields.vectors.dim());
        self.vector_column(&self.fields, dim.unwrap_or(0))
    }

    /// The column of the vectors of a field, or of records that are vectors.
    fn vector_column(&self, found: &Observed, dim: usize) -> Result<Column> {
        let field = vector_field(&found.name(), dim, self.options.dtype)?;
        let (vectors, raw, path) = (&found.vectors, found.raw(), found.path.clone());
        let (is_bits, is_base64) = (vectors.is_bits == Some(true), vectors.is_base64);
        let stored = match is_bits {
            true => Some(format!("{raw} (array of integers that are the bits)")),
            false => vectors.stored.clone(),
        };
        let is_list = vectors.are_lists();
        Ok(Column { path, stored, raw, is_bits, is_base64, is_list, ..Column::of(field, Role::Vector) })
    }

    /// The columns of records that have fields, in the order in which the fields were first seen.
    fn field_columns(&mut self) -> Result<Vec<Column>> {
        if self.fields.too_many_keys && self.options.columns.is_none() {
            return Err(self.failure());
        }
        // A value that few records have may make rejects of them, and of no others.
        let records = self.records;
        for field in self.fields.fields.iter_mut().filter(|field| 2 * field.vectors.values < records) {
            field.mixed = 0;
        }
        let vectors = self.vectors()?;
        for column in &vectors {
            self.fields.at_mut(&column.path).into_iter().for_each(|field| field.is_column = true);
        }
        let mut columns = Vec::new();
        for field in &self.fields.fields {
            let own = vectors.iter().filter(|column| column.path.first() == field.path.first());
            columns.extend(own.cloned());
            if !field.is_column
                && let Some(value) = field.column(&field.key(), false)
            {
                let (path, raw) = (field.path.clone(), field.raw());
                columns.push(Column { path, raw, ..Column::of(value, Role::Value) });
            }
        }
        self.check_named_dtype(&columns)?;
        Ok(columns)
    }

    /// The vector columns: those that options name, or else those that are clear, or else the likeliest one.
    fn vectors(&self) -> Result<Vec<Column>> {
        let no_field = |option: &str, name: &String| {
            let (none, names, similar) = (none_of(self.records), self.names(), self.similar(name));
            Error::schema(format!(
                "option `{option}`: {none} has a field `{name}`; they have {names}{similar}"
            ))
        };
        let mut named = self.options.raw_dtype.columns.keys();
        if let Some(name) = named.find(|name| self.fields.resolve(name).is_none()) {
            return Err(no_field("raw_dtype", name));
        }
        let dim = self.options.dim.map(|dim| dim as usize);
        let mut found: Vec<(&Observed, usize)> = Vec::new();
        for name in &self.options.vector {
            let field = self.fields.resolve(name).ok_or_else(|| no_field("vector", name))?;
            let (vectors, is_free) = (&field.vectors, dim.is_none() && !field.given.is_own());
            let text = vectors.looks.text().filter(|_| is_free && !vectors.is_base64);
            if let Some(format) = vectors.looks.format.or(text) {
                let text = format!("option `vector`: `{name}` holds {format} and no vector: leave it out");
                return Err(Error::schema(text));
            }
            let dim = dim.or(vectors.dim()).ok_or_else(|| {
                let (records, contents) = (count(self.records, "record"), self.content_in_words());
                Error::schema(match &field.refused {
                    Some(what) => format!("option `vector`: `{name}` holds no vector that can be read: {what}"),
                    None => format!(
                        "option `vector`: `{name}` holds no vector in the first {records}; {contents}; where later ones have vectors, \
                         pass option `dim`"
                    ),
                })
            })?;
            found.push((field, dim));
        }
        let all = self.fields.all();
        if self.options.vector.is_empty() {
            found.extend(all.iter().filter_map(|field| Some((*field, field.vectors.clear_dim(dim)?))));
            // A few odd records must not make rejects of all others, which have no such field.
            let most = found.iter().map(|(field, _)| field.vectors.values).max().unwrap_or(0);
            found.retain(|(field, _)| 2 * field.vectors.values >= most);
        }
        if found.is_empty() {
            let mut best = None;
            for &field in &all {
                // A shape stands beside the bytes that it is of.
                let is_shape =
                    field.vectors.are_integers() && matches!(field.key().as_str(), "shape" | "dims");
                let possible = field.vectors.possible(dim).filter(|_| !is_shape);
                if let Some((_, dim)) = possible.filter(|_| possible > best) {
                    (best, found) = (possible, vec![(field, dim)]);
                }
            }
        }
        let is_free = self.options.columns.is_none() && self.options.schema.fields().is_empty();
        if found.is_empty() && is_free && !self.fields.holds_tensors() {
            let warnings = all.iter().filter_map(|field| field.warning());
            let looks: String = warnings.map(|warning| format!("; {warning}")).collect();
            // Where no type is given, such bytes are a binary column, with a warning.
            if looks.is_empty() || self.options.raw_dtype != RawDtypes::default() {
                return Err(Error::schema(format!(
                    "{}no field of the first {} is a vector{}; {}{looks}; name the field that is one with option `vector`, or \
                     choose some with option `columns`",
                    self.input_prefix(),
                    count(self.records, "record"),
                    dim.map(|dim| format!(" of {dim} elements")).unwrap_or_default(),
                    self.content_in_words()
                )));
            }
        }
        found.into_iter().map(|(field, dim)| self.vector_column(field, dim)).collect()
    }

    fn names(&self) -> String {
        const SHOWN: usize = 20;
        let fields = &self.fields.fields;
        let names = listed(fields.iter().take(SHOWN).map(Observed::key));
        let more = if fields.len() > SHOWN { ", ..." } else { "" };
        if names.is_empty() { "no fields".to_owned() } else { names + more }
    }

    /// A question about the first field of this name inside of others.
    fn similar(&self, name: &str) -> String {
        let is_meant = |field: &&Observed| field.path.len() > 1 && field.key() == name;
        let field = self.fields.all().into_iter().find(is_meant);
        field.map(|field| format!("; is `{}` meant?", printable(&field.name()))).unwrap_or_default()
    }

    /// Lets the given schema override the inferred one.
    fn apply_schema(&self, columns: &mut Vec<Column>) -> Result<()> {
        for field in self.options.schema.fields() {
            match columns.iter_mut().find(|column| column.name() == field.name()) {
                Some(column) => *column = column.clone().retyped(field)?,
                None if self.layout == Some(Layout::Vector) || self.layout.is_none() => {
                    return Err(Error::schema(format!(
                        "option `schema`: the records are bare vectors and have no field `{}`",
                        field.name()
                    )));
                }
                None => {
                    let plain = Field::new(field.name(), DataType::Null, true);
                    let found = self.fields.resolve(field.name());
                    let raw = found.map_or(self.options.raw_dtype.of_any(), Observed::raw);
                    let path = match found {
                        Some(found) => found.path.clone(),
                        // A field that no record had so far.
                        None if self.layout == Some(Layout::Positional) => Step::parse(field.name()),
                        None => vec![Step::Name(field.name().clone())],
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
            let found = self.fields.resolve(name);
            let found_column = found.and_then(|found| Some((found.path.clone(), found.column(name, true)?)));
            let Some((path, field)) = found_column else {
                if let Some(what) = found.and_then(Observed::lost) {
                    return Err(Error::schema(format!("option `columns`: `{name}`: {what}")));
                }
                let later = "; a field that only later records have needs option `infer_records=0`, or option `schema`";
                return Err(Error::schema(format!(
                    "option `columns`: there is no column `{name}`; there are {}{}{}",
                    listed(columns.iter().map(Column::name)),
                    self.similar(name),
                    if self.options.infer_records > 0 { later } else { "" }
                )));
            };
            Ok(Column { path, ..Column::of(field, Role::Value) })
        };
        *columns = names.into_iter().map(chosen).collect::<Result<_>>()?;
        Ok(())
    }

    /// Refuses bytes of several vectors that are not of the size that the shape beside them gives to their elements.
    fn check_packed(&self) -> Result<()> {
        let is_read =
            |name: &str| self.options.fields().is_none_or(|fields| fields.iter().any(|field| *field == name));
        let packed = self.beside.packed().next().filter(|packed| is_read(packed.name));
        if let Some(Packed { name, rows, dim, size }) = packed
            && let Some(field) = self.fields.at(&[Step::Name(name.to_owned())])
            && field.raw().size() != size
        {
            return Err(Error::schema(format!(
                "{}the bytes of `{}` are {rows} vectors of {dim} elements by the shape beside them, of {size} bytes each, and would be \
                 read as {}: say with option `raw_dtype` what they are",
                self.input_prefix(),
                printable(name),
                field.raw()
            )));
        }
        Ok(())
    }

    /// The field that names the type of the bytes beside it, which are a vector, and that name.
    fn dtype_of(&self, columns: &[Column]) -> Option<(String, String)> {
        let named = self.beside.dtype.as_ref().filter(|_| self.options.raw_dtype == RawDtypes::default())?;
        let (raw, typed) = (named.raw?.to_string(), self.beside.typed());
        let is_its = |column: &Column| {
            let [Step::Name(name)] = &column.path[..] else { return false };
            column.stored.as_ref() == Some(&raw) && (typed.is_empty() || typed.contains(&name.as_str()))
        };
        columns.iter().any(is_its).then(|| (named.field.clone(), named.text.clone()))
    }

    /// Refuses bytes that would be read as `<f4`, as no option says what they are, where a field beside them names another type.
    fn check_named_dtype(&self, columns: &[Column]) -> Result<()> {
        let raw = RawDtype::default();
        let is_open = self.options.raw_dtype.default.is_none();
        let Some(named) = self.beside.dtype.as_ref().filter(|_| is_open) else { return Ok(()) };
        let (input, field, is_alone) =
            (self.input_prefix(), printable(&named.field), self.beside.typed().is_empty());
        let is_raw = |column: &&Column| {
            let is_open =
                self.options.raw_dtype.given(column.name()).is_none() && !self.is_in_schema(column.name());
            let is_default = column.stored.as_ref() == Some(&raw.to_string());
            is_open && (is_default || column.is_base64 && column.raw == raw)
        };
        match (named.raw, columns.iter().find(is_raw)) {
            (None, _) if !is_alone && self.options.columns.is_none() => Err(Error::schema(format!(
                "{input}the field `{field}` of the first record names the type `{}`, which no vector column can hold: choose other \
                 fields with option `columns`",
                printable(&named.text)
            ))),
            (Some(other), Some(column)) if other != raw && is_alone => Err(Error::schema(format!(
                "{input}the field `{field}` of the first record says {other}, and the bytes of `{}` would be read as {raw}: pass \
                 option `raw_dtype={other}`",
                column.name()
            ))),
            _ => Ok(()),
        }
    }
}
