//! What a conversion did.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::reject::{listed, summary};
use crate::text::{count, size};

/// What a conversion did. Its text is a few lines for a person.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Rows written.
    pub rows: u64,
    /// Records that became no row, or a null.
    pub rejects: u64,
    /// How many of each kind; kinds that did not come are left out.
    pub reject_kinds: BTreeMap<&'static str, u64>,
    /// How many rejects kept their details.
    pub rejects_listed: u64,
    /// The file that has the details, if one was asked for.
    #[serde(serialize_with = "as_text_or_null")]
    pub rejects_file: Option<PathBuf>,
    /// Inputs read.
    pub files: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Wall time.
    pub seconds: f64,
    /// Row groups written.
    pub row_groups: u64,
    /// Inputs that an earlier run had done, which this one, told to `resume`, left as they were.
    pub files_before: u64,
    /// Rows of those inputs. `rows` and these are the rows of the whole.
    pub rows_before: u64,
    /// Rejects of those inputs.
    pub rejects_before: u64,
    /// The files written.
    #[serde(serialize_with = "as_text")]
    pub outputs: Vec<PathBuf>,
    /// How vector columns are encoded: each way once.
    pub encodings: Vec<VectorEncoding>,
}

/// How a vector column is encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VectorEncoding {
    /// The column.
    pub column: String,
    /// How elements are arranged: `plain` or `byte-stream-split`.
    pub encoding: &'static str,
    /// How pages are compressed: `none`, `zstd`, `lz4` or `snappy`.
    pub compression: &'static str,
}

/// A path that is not UTF-8 must not make a report of work that was done impossible.
fn as_text<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

fn as_text_or_null<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.bytes_in as f64 / self.seconds.max(1e-9);
        let outputs = match self.outputs.as_slice() {
            [path] => path.display().to_string(),
            paths => count(paths.len() as u64, "file"),
        };
        let read = if self.files == 0 {
            size(self.bytes_in)
        } else {
            format!("{} from {}", size(self.bytes_in), count(self.files, "input"))
        };
        writeln!(f, "read     {}, {read}", count(self.rows, "row"))?;
        writeln!(
            f,
            "wrote    {} to {outputs} ({})",
            size(self.bytes_out),
            count(self.row_groups, "row group"),
        )?;
        if self.files_before > 0 {
            let (inputs, rows) = (count(self.files_before, "input"), count(self.rows_before, "row"));
            let rejects = match self.rejects_before {
                0 => String::new(),
                rejects => format!(", {} rejected", count(rejects, "record")),
            };
            writeln!(f, "before   {rows} from {inputs}, done by an earlier run{rejects}")?;
        }
        for VectorEncoding { column, encoding, compression } in &self.encodings {
            let compression = if *compression == "none" { "uncompressed" } else { compression };
            writeln!(f, "encoded  {column}: {encoding}, {compression}")?;
        }
        write!(f, "took     {:.2} s, {}/s", self.seconds, size(rate as u64))?;
        if self.rejects > 0 {
            let rejects =
                summary(self.rejects, self.reject_kinds.iter().map(|(kind, count)| (*kind, *count)));
            write!(
                f,
                "\n{rejects}{}",
                listed(self.rejects, self.rejects_listed, self.rejects_file.as_deref())
            )?;
        }
        Ok(())
    }
}
