//! Objects as notebooks show them.

use std::fmt::Write;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use pyo3::prelude::*;

use crate::inspect::type_name;
use crate::preview;

/// How many rows of a table are shown.
const ROWS: usize = 10;

/// Lines of text as they are, also where the page has another font for them.
pub(super) fn text(text: &str) -> String {
    format!("<pre style=\"font-family: monospace\">{}</pre>", escaped(text))
}

/// A table under a line of text.
fn table(caption: &str, head: &[String], rows: &[Vec<String>]) -> String {
    let mut html = format!("<div>{}</div>\n<table>\n", escaped(caption));
    let mut line = |tag: &str, cells: &[String]| {
        html.push_str("<tr>");
        for cell in cells {
            let _ = write!(html, "<{tag}>{}</{tag}>", escaped(cell));
        }
        html.push_str("</tr>\n");
    };
    line("th", head);
    rows.iter().for_each(|row| line("td", row));
    html + "</table>"
}

/// The columns of `schema` with their types, and a third cell each.
pub(super) fn columns(
    caption: &str,
    schema: &Schema,
    third: &str,
    cells: impl Iterator<Item = String>,
) -> String {
    let rows = schema.fields().iter().zip(cells);
    let rows = rows.map(|(field, cell)| vec![field.name().clone(), type_name(field.data_type()), cell]);
    table(caption, &["column", "type", third].map(str::to_owned), &rows.collect::<Vec<_>>())
}

/// The first rows of `batches`.
pub(super) fn first_rows(caption: &str, schema: &Schema, batches: &[RecordBatch]) -> PyResult<String> {
    let head: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.slice(0, batch.num_rows().min(ROWS - rows.len()));
        rows.extend(preview::rows(&batch)?);
    }
    Ok(table(caption, &head, &rows))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
