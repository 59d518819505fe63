//! The files of `tests/data/bad`: what comes of each under every policy is what the manifest beside them says.
//!
//! A file without an entry fails, and an entry without a file. `VECPACK_UPDATE=1` writes the manifest anew, to be read before it is
//! committed.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::Array;
use serde::{Deserialize, Serialize};
use vecpack::{Framing, OnError, ReadOptions, Source};

/// What a file is read with, and what must come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    framing: Framing,
    dim: Option<u32>,
    raise: Raised,
    skip: Kept,
    null: Kept,
}

/// All rows, or the end of an error: what stands behind the file's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Raised {
    Rows(usize),
    Error(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    rows: usize,
    /// Vectors that are null.
    nulls: usize,
    /// Record, offset, length, field, kind and reason of each.
    rejects: Vec<(u64, u64, u64, Option<String>, String, String)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad")
}

fn options(name: &str) -> ReadOptions {
    if name.starts_with("fields") {
        return ReadOptions::new();
    }
    let framing = if name.starts_with("array") { Framing::Array } else { Framing::Sequence };
    ReadOptions::new().with_dim(4).with_framing(framing)
}

fn read(path: &Path, options: ReadOptions) -> Result<Kept, String> {
    let prefix = format!("{}: ", path.display());
    let named = |error: vecpack::Error| error.to_string().replace(&prefix, "");
    let mut seen = None;
    for (threads, rows) in [(1, None), (3, Some(2))] {
        let options = rows.map_or(options.clone(), |rows| options.clone().with_batch_rows(rows));
        let source = Source::scan([path], options.with_threads(threads)).map_err(named)?;
        let (mut rows, mut nulls) = (0, 0);
        for batch in source.reader().map_err(named)? {
            let batch = batch.map_err(|error| named(error.into()))?;
            rows += batch.num_rows();
            nulls += batch.column_by_name("vector").unwrap().null_count();
        }
        let rejects = source.rejects();
        let list = rejects.details().iter().map(|reject| {
            let field = reject.field.as_deref().map(str::to_owned);
            (
                reject.record,
                reject.offset,
                reject.length,
                field,
                reject.kind.as_str().to_owned(),
                reject.reason(),
            )
        });
        let kept = Kept { rows, nulls, rejects: list.collect() };
        assert_eq!(seen.get_or_insert_with(|| kept.clone()), &kept, "{}: threads change it", path.display());
    }
    Ok(seen.unwrap())
}

fn entry(name: &str) -> Entry {
    let (path, options) = (folder().join(name), options(name));
    let keep = |on_error| read(&path, options.clone().with_on_error(on_error)).unwrap();
    Entry {
        framing: options.framing,
        dim: options.dim,
        raise: match read(&path, options.clone()) {
            Ok(kept) => Raised::Rows(kept.rows),
            Err(error) => Raised::Error(error),
        },
        skip: keep(OnError::Skip),
        null: keep(OnError::Null),
    }
}

#[test]
fn bad_files_give_what_the_manifest_says() {
    let names = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let found: BTreeMap<String, Entry> = names
        .filter(|name| name.contains(".msgpack"))
        .map(|name| {
            let entry = entry(&name);
            (name, entry)
        })
        .collect();
    let path = folder().join("manifest.json");
    if std::env::var_os("VECPACK_UPDATE").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let manifest: BTreeMap<String, Entry> =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), manifest.keys().collect::<Vec<_>>());
    for (name, entry) in &found {
        assert_eq!(entry, &manifest[name], "{name}");
    }
}
