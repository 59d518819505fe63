//! What users should know of their data: what looks wrong, and what no column holds.

use serde::{Deserialize, Serialize};

use super::findings::column_name;
use super::looks::Looks;
use super::observe::Observed;
use super::{Column, Role, Step, VECTOR};
use crate::options::ReadOptions;
use crate::text::printable;
use crate::vector::RawDtype;

/// Sentences, one thought each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notes {
    /// What looks wrong: users hear of it at once.
    pub(crate) warnings: Vec<String>,
    /// What is left out, or kept as bytes: `inspect` shows it.
    pub(crate) left_out: Vec<String>,
}

impl Notes {
    /// Of bare vectors, as they look.
    pub(super) fn of_vectors(looks: &Looks, raw: RawDtype, options: &ReadOptions) -> Self {
        let is_free = options.dim.is_none() && options.schema.index_of(VECTOR).is_err();
        let is_free = is_free && options.raw_dtype.of(VECTOR) == RawDtype::default();
        let odd = (is_free && looks.are_not(raw))
            .then(|| format!("`{VECTOR}`: these bytes look like no numbers of the type {raw}"));
        Self { warnings: looks.warning(VECTOR, raw).or(odd).into_iter().collect(), ..Self::default() }
    }

    /// Of records with `fields`, of which these are the columns.
    pub(super) fn of_fields(fields: &Observed, columns: &[Column], options: &ReadOptions) -> Self {
        let mut notes = Self::default();
        for column in columns {
            let is_bytes = column.role == Role::Value && options.schema.index_of(column.name()).is_ok();
            let Some(field) = fields.at(&column.path).filter(|_| !column.path.is_empty() && !is_bytes) else {
                continue;
            };
            field.visit(&mut column.path.clone(), &mut |path, field| {
                let warning = field.warning(&printable(&column_name(path)));
                notes.warnings.extend(warning.filter(|warning| !notes.warnings.contains(warning)));
            });
        }
        if options.columns.is_none() {
            let is_vector = |path: &[Step]| {
                columns.iter().any(|column| column.role == Role::Vector && column.path == path)
            };
            fields.visit(&mut Vec::new(), &mut |path, field| {
                if is_vector(path) && !path.is_empty() {
                    return;
                }
                let name = printable(&column_name(path));
                let name = if path.is_empty() { "records".to_owned() } else { format!("`{name}`") };
                notes.left_out.extend(field.left_out().map(|what| format!("{name}: {what}")));
            });
        }
        notes
    }
}
