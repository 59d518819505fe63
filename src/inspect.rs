//! What is in there: a scan that looks at everything and keeps nothing.

use std::fmt;

use serde::Serialize;

use crate::error::Result;
use crate::input::Input;
use crate::options::{OnError, ReadOptions};
use crate::reader::{Progress, Watch};
use crate::record::VECTOR;
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
    /// What a record is.
    pub layout: &'static str,
    /// The columns.
    pub columns: Vec<Column>,
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
    /// Elements a vector.
    pub dim: usize,
    /// Element type of the column.
    pub dtype: &'static str,
    /// How the input's bytes were read, in NumPy's notation.
    pub raw_dtype: String,
}

/// How many rejects [`Inspection`] shows.
const SHOWN: usize = 5;

/// Reads `inputs` through and tells what is in them. Records that cannot become rows are counted, whatever the policy.
pub fn inspect(inputs: Vec<Input>, options: ReadOptions, mut watch: Watch<'_>) -> Result<Inspection> {
    let source = Source::new(inputs, options.with_on_error(OnError::Skip))?;
    let progress = watch.follow(source.reader()?, Progress::default(), |_| Ok(()))?;
    let (rejects, options) = (source.rejects(), source.options());
    let column = Column {
        name: VECTOR.to_owned(),
        data_type: format!("FixedSizeList<{}, {}>", options.dtype, source.dim()),
        dim: source.dim(),
        dtype: options.dtype.as_str(),
        raw_dtype: options.raw_dtype.to_string(),
    };
    let inspection = Inspection {
        files: progress.files,
        bytes: progress.bytes,
        rows: progress.rows,
        framing: "sequence",
        layout: "vector",
        columns: vec![column],
        rejects: rejects.count(),
        first_rejects: rejects
            .details()
            .iter()
            .take(SHOWN)
            .map(|reject| printable(&reject.to_string()))
            .collect(),
    };
    Ok(inspection)
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "files    {}, {}", grouped(self.files), size(self.bytes))?;
        writeln!(f, "rows     {}", grouped(self.rows))?;
        writeln!(f, "framing  {}", self.framing)?;
        write!(f, "layout   {}", self.layout)?;
        for Column { name, data_type, raw_dtype, .. } in &self.columns {
            write!(f, "\ncolumn   {name}: {data_type}, stored as {raw_dtype}")?;
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
