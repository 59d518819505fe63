//! Keyword arguments become options, and options a dictionary.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBool, PyBytes, PyDict, PyInt, PyMapping, PyString};

use super::inputs::local_path;
use super::table::{PySchema, to_objects};
use crate::error::Error;
use crate::options::{OutputColumn, ReadOptions, parse_type};
use crate::parquet::WriteOptions;
use crate::reject::FailAfter;
use crate::vector::{Extensions, RawDtype, RawDtypes};

/// Sets an option for each of the `keywords`; an error where `set` says that there is no such option.
fn set_each(
    function: &str,
    keywords: Option<&Bound<'_, PyDict>>,
    mut set: impl FnMut(&str, &Bound<'_, PyAny>) -> PyResult<bool>,
) -> PyResult<()> {
    for (name, value) in keywords.into_iter().flatten() {
        let name: String = name.extract()?;
        if !set(&name, &value)? {
            let text = format!("{function}() got an unexpected keyword argument '{name}'");
            return Err(PyTypeError::new_err(text));
        }
    }
    Ok(())
}

/// The read options among `keywords`; any other keyword is an error.
pub(super) fn read_options(function: &str, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<ReadOptions> {
    some_read_options(function, keywords, |_| true)
}

/// The same for a function that has only the options that are `known` to it.
pub(super) fn some_read_options(
    function: &str,
    keywords: Option<&Bound<'_, PyDict>>,
    known: impl Fn(&str) -> bool,
) -> PyResult<ReadOptions> {
    let mut options = ReadOptions::new();
    set_each(function, keywords, |name, value| {
        Ok(known(name) && set_read_option(&mut options, name, value)?)
    })?;
    options.check()?;
    Ok(options)
}

/// The read options and the write options among `keywords`; any other keyword is an error. The flag tells whether there was a
/// read option at all.
pub(super) fn read_and_write_options(
    function: &str,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<(ReadOptions, bool, WriteOptions)> {
    let (mut read, mut any_read, mut write) = (ReadOptions::new(), false, WriteOptions::new());
    set_each(function, keywords, |name, value| {
        if set_write_option(&mut write, name, value)? {
            return Ok(true);
        }
        // `threads` says how the work is done, and not what is read.
        any_read |= name != "threads";
        set_read_option(&mut read, name, value)
    })?;
    write.threads = read.threads;
    read.check().and_then(|()| write.check())?;
    Ok((read, any_read, write))
}

/// The read options of Python, in the order of signatures: the name, the default as a signature
/// shows it, and how a value sets the option.
macro_rules! read_options {
    ($($name:ident = $default:literal, $set:expr;)*) => {
        /// The keywords of the functions that read, for their signatures.
        macro_rules! read_signature {
            () => {
                concat!($(", ", stringify!($name), "=", $default),*)
            };
        }

        fn set_read_option(options: &mut ReadOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
            match name {
                // None stands for the default where that is shown as None.
                $(stringify!($name) if $default == "None" && value.is_none() => {
                    options.$name = ReadOptions::new().$name;
                })*
                $(stringify!($name) => options.$name = $set(name, value)?,)*
                _ => return Ok(false),
            }
            Ok(true)
        }
    };
}

read_options! {
    vector = "None", vectors;
    dim = "None", number;
    dtype = "'float32'", |name, value| parse_dtype(name, value, &["name", "__name__"]);
    raw_dtype = "None", raw_dtypes;
    extensions = "None", extensions;
    records = "None", number;
    framing = "'auto'", parse;
    columns = "None", columns;
    schema = "None", schema;
    infer_records = "1000", number;
    on_error = "'raise'", parse;
    max_rejects = "10000", number;
    fail_after = "None", fail_after;
    batch_rows = "None", number;
    batch_bytes = "2097152", number;
    threads = "None", number;
    include_path = "False", number;
    include_record = "False", number;
    include_id = "False", number;
    limit = "None", number;
    max_record_bytes = "268435456", number;
    max_expansion = "1000", number;
    max_depth = "60", number;
    store_window = "134217728", number;
}

/// The options as keywords, in the order of signatures.
pub(super) fn to_dict<'py>(py: Python<'py>, options: &ReadOptions) -> PyResult<Bound<'py, PyDict>> {
    let dict = to_objects(py, options)?.cast_into::<PyDict>()?;
    let RawDtypes { default, columns } = &options.raw_dtype;
    match (default, columns.is_empty()) {
        (Some(default), _) => dict.set_item("raw_dtype", default.to_string())?,
        (None, false) => dict.set_item("raw_dtype", texts(columns).into_py_dict(py)?)?,
        (None, true) => dict.set_item("raw_dtype", py.None())?,
    }
    let extensions = texts(options.extensions.iter()).into_py_dict(py)?;
    dict.set_item("extensions", Some(extensions).filter(|extensions| !extensions.is_empty()))?;
    let columns = options.columns.as_deref().unwrap_or_default();
    if columns.iter().any(OutputColumn::is_renamed) {
        dict.set_item("columns", fields(py, columns)?)?;
    }
    let schema = Some(&options.schema).filter(|schema| !schema.fields().is_empty());
    dict.set_item("schema", schema.map(|schema| PySchema(Arc::new(schema.clone()))))?;
    Ok(dict)
}

/// The values of a mapping as text.
fn texts<K, V: ToString>(pairs: impl IntoIterator<Item = (K, V)>) -> impl Iterator<Item = (K, String)> {
    pairs.into_iter().map(|(key, value)| (key, value.to_string()))
}

/// A type for all columns, or a mapping of columns to types.
pub(super) fn raw_dtypes(name: &str, value: &Bound<'_, PyAny>) -> PyResult<RawDtypes> {
    let one = |value: &Bound<'_, PyAny>| parse_dtype::<RawDtype>(name, value, &["str", "name", "__name__"]);
    if value.is_none() {
        return Ok(RawDtypes::default());
    }
    let Ok(columns) = value.cast::<PyDict>() else { return Ok(one(value)?.into()) };
    columns.iter().try_fold(RawDtypes::default(), |types, (column, value)| {
        let column: String = column
            .extract()
            .map_err(|_| PyTypeError::new_err("raw_dtype: the names of columns must be strings"))?;
        Ok(types.with_column(column, one(&value)?))
    })
}

/// A mapping of the codes of extension types to payloads.
fn extensions(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Extensions> {
    let wrong =
        || PyTypeError::new_err("extensions must be a dictionary of codes and payloads, as {42: '<f4'}");
    let pairs = value.cast::<PyDict>().map_err(|_| wrong())?;
    pairs.iter().map(|(code, payload)| Ok((number(name, &code)?, parse(name, &payload)?))).collect()
}

/// A number of records, or a share of them: `1000`, `"1000"`, `"1%"`.
fn fail_after(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<FailAfter>> {
    if value.is_instance_of::<PyString>() {
        return parse(name, value).map(Some);
    }
    let wrong = || PyTypeError::new_err("fail_after must be a number of records, or a share as '1%'");
    // To Python it is a number, but nobody means one reject by it.
    if value.is_instance_of::<PyBool>() {
        return Err(wrong());
    }
    let number = number(name, value);
    number
        .map(|rejects| Some(FailAfter::Rejects(rejects)))
        .map_err(|error| if error.is_instance_of::<PyTypeError>(value.py()) { wrong() } else { error })
}

/// A field's name or position, or a list of them.
fn vectors(_: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let wrong = || PyTypeError::new_err("vector must be names or positions of fields");
    let one = |value: &Bound<'_, PyAny>| match value.extract::<u32>() {
        _ if value.is_instance_of::<PyBool>() => Err(wrong()),
        Ok(position) => Ok(position.to_string()),
        Err(_) if value.is_instance_of::<PyInt>() => {
            Err(Error::option(format!("vector: there is no position {value}")).into())
        }
        Err(_) => value.extract::<String>().map_err(|_| wrong()),
    };
    let is_one = value.is_instance_of::<PyString>() || value.is_instance_of::<PyInt>();
    if is_one || value.extract::<u32>().is_ok() {
        return Ok(vec![one(value)?]);
    }
    value.try_iter().map_err(|_| wrong())?.map(|item| one(&item?)).collect()
}

/// Names, which must be several: one string would be taken for a list of letters.
pub(super) fn column_names(value: &Bound<'_, PyAny>, or: &str) -> PyResult<Vec<String>> {
    let wrong = || PyTypeError::new_err(format!("columns must be a list of names{or}"));
    if value.is_instance_of::<PyString>() {
        return Err(wrong());
    }
    let names = value.try_iter().map_err(|_| wrong())?;
    names.map(|name| name?.extract().map_err(|_| wrong())).collect()
}

/// Names of fields, or a mapping of new names to fields.
fn columns(_: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<OutputColumn>>> {
    if value.is_instance_of::<PyMapping>() {
        return Ok(Some(renames("columns", value)?.into_iter().map(OutputColumn::from).collect()));
    }
    let names = column_names(value, ", or a mapping of new names to fields")?;
    Ok(Some(names.into_iter().map(OutputColumn::from).collect()))
}

/// A mapping of names to names.
pub(super) fn renames(what: &str, mapping: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let wrong = || PyTypeError::new_err(format!("{what} must be a mapping of names to names"));
    let items = mapping.cast::<PyMapping>().map_err(|_| wrong())?.items()?;
    items.iter().map(|pair| pair.extract().map_err(|_| wrong())).collect()
}

/// An Arrow schema of any library, or a dictionary of types, each in text or of any library.
fn schema(_: &str, value: &Bound<'_, PyAny>) -> PyResult<Schema> {
    let Ok(types) = value.cast::<PyDict>() else {
        let schema: pyo3_arrow::PySchema = value.extract().map_err(|_| {
            PyTypeError::new_err("schema must be an Arrow schema or a dictionary of names and types")
        })?;
        return Ok(schema.into_inner().as_ref().clone());
    };
    let field = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let name: String = name.extract().map_err(|_| {
            PyTypeError::new_err(format!("schema: the names of columns must be strings, not {name}"))
        })?;
        let data_type = match value.cast::<PyString>() {
            Ok(text) => parse_type(&text.to_string())?,
            Err(_) if !value.hasattr("__arrow_c_schema__")? => {
                let message =
                    format!("schema: the type of `{name}` must be a string or an Arrow type, not {value}");
                return Err(PyTypeError::new_err(message));
            }
            Err(_) => value.extract::<pyo3_arrow::PyDataType>()?.into_inner(),
        };
        Ok(Field::new(name, data_type, true))
    };
    Ok(Schema::new(types.iter().map(field).collect::<PyResult<Vec<_>>>()?))
}

/// Keys and values, each a string, or bytes of UTF-8 as pyarrow has them.
fn metadata(value: &Bound<'_, PyAny>) -> PyResult<BTreeMap<String, String>> {
    let wrong = || PyTypeError::new_err("metadata must be a dictionary of strings, or of bytes of UTF-8");
    let text = |value: &Bound<'_, PyAny>| match value.cast::<PyBytes>() {
        Ok(bytes) => String::from_utf8(bytes.as_bytes().to_vec()).map_err(|_| wrong()),
        Err(_) => value.extract().map_err(|_| wrong()),
    };
    let pairs = value.cast::<PyDict>().map_err(|_| wrong())?;
    pairs.iter().map(|(key, value)| Ok((text(&key)?, text(&value)?))).collect()
}

fn set_write_option(options: &mut WriteOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match name {
        "compression" => options.compression = parse(name, value)?,
        "encoding" => options.encoding = parse(name, value)?,
        "row_group_bytes" => options.row_group_bytes = number(name, value)?,
        "list_type" => options.list_type = given(value).map(|value| parse(name, value)).transpose()?,
        "coerce_timestamps" => {
            options.coerce_timestamps = given(value).map(|value| parse(name, value)).transpose()?;
        }
        "allow_truncated_timestamps" => options.allow_truncated_timestamps = value.extract()?,
        "metadata" => options.metadata = given(value).map_or_else(|| Ok(BTreeMap::new()), metadata)?,
        "max_file_bytes" => options.max_file_bytes = number(name, value)?,
        "rejects" => options.rejects = given(value).map(local_path).transpose()?,
        "overwrite" => options.overwrite = value.extract()?,
        "resume" => options.resume = value.extract()?,
        "sync" => options.sync = value.extract()?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// The value, unless it is `None`.
fn given<'a, 'py>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyAny>> {
    Some(value).filter(|value| !value.is_none())
}

/// Numbers that are out of range are a matter of the option, not of Python's integers.
pub(super) trait FromPyObjectOwned: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr> {}
impl<T: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr>> FromPyObjectOwned for T {}

pub(super) fn number<T: FromPyObjectOwned>(name: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    value.extract::<T>().map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(value.py()) {
            return Error::option(format!("{name}: {value} is out of range")).into();
        }
        PyTypeError::new_err(format!("{name}: {}", error.value(value.py())))
    })
}

/// The argument `rows` of a function.
pub(super) fn row_count<T: FromPyObjectOwned>(value: &Bound<'_, PyAny>) -> PyResult<T> {
    number("rows", value)
}

fn parse<T: FromStr<Err = Error>>(name: &str, value: &Bound<'_, PyAny>) -> PyResult<T> {
    let text =
        value.cast::<PyString>().map_err(|_| PyTypeError::new_err(format!("{name} must be a string")))?;
    Ok(text.to_string().parse()?)
}

/// A string, or one of NumPy's types or dtypes, by the first of the `attributes` that names a type that is known.
fn parse_dtype<T: FromStr<Err = Error>>(
    option: &str,
    value: &Bound<'_, PyAny>,
    attributes: &[&str],
) -> PyResult<T> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_string().parse()?);
    }
    let parse = |name: &&str| value.getattr(*name).ok()?.extract::<String>().ok()?.parse().ok();
    let parsed = attributes.iter().find_map(parse);
    Ok(parsed.ok_or_else(|| Error::option(format!("{option}: {value} is no element type that is known")))?)
}

/// The names of columns with their fields.
pub(super) fn fields<'py>(py: Python<'py>, columns: &[OutputColumn]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    columns.iter().try_for_each(|column| dict.set_item(&column.name, &column.field))?;
    Ok(dict)
}
