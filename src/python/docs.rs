//! The parameters that several functions have, as their docstrings describe them. `tests/python/test_stub.py` checks that no
//! parameter is missing, and that the stub has the same docstrings.

/// The read options.
macro_rules! read_parameters {
    () => {
        "\
vector : str, int or list of them, optional
    The fields that hold vectors: a key, a dotted path such as ``meta.embedding``, or a position. Found out by default.
dim : int, optional
    Elements a vector. By default those of the first good record. Enforced on every record.
dtype : str or NumPy type, default 'float32'
    Element type of the vector columns: ``float32``, ``float64``, ``float16``, ``int8`` or ``uint8``.
raw_dtype : str, NumPy type or dict, default '<f4'
    How to read vectors stored as untyped bytes, in NumPy's notation: ``<f4``, ``>f4``, ``<f2``, ``<f8``, ``bf16``, ``|i1``, ...
    A dictionary gives a type for each column.
extensions : dict, optional
    What the payload of an extension type is, by its code: ``{42: '<f4'}``. Those of known producers need not be given.
records : str, optional
    A key or a dotted path under which the records lie in each top-level object: a list, a map, or a matrix whose rows they are.
framing : str, default 'auto'
    How records lie in a file: ``sequence`` (one after another), ``array`` (in one list), ``map`` (the values of one map),
    ``columns`` (maps of parallel lists), or ``length-prefixed`` (a length in front of each).
columns : list of str or dict, optional
    The columns to produce: names of fields, or a dictionary of new names and fields. All by default. Other fields are skipped.
schema : Arrow schema or dict, optional
    Types that override those that are inferred: an Arrow schema of any library, or a dictionary of names and types.
infer_records : int, default 1000
    How many records are read to find out what they hold; 0 reads all.
on_error : str, default 'raise'
    What to do with a record that cannot become a row: ``raise`` an error, ``skip`` the record, or put a ``null`` in its place.
    The last two note a reject.
max_rejects : int, default 10000
    How many rejects keep their details. All are counted.
fail_after : int or str, optional
    Raise an error when more records are rejected: a number, or a share such as ``'1%'``. No limit by default.
batch_rows : int, optional
    The most rows in a batch. By default as many as ``batch_bytes`` allows.
batch_bytes : int, default 2097152
    The most bytes of vectors in a batch.
threads : int, optional
    How many threads decode. By default one for each core.
include_path : bool, default False
    Add a column ``path`` with the name of the input.
include_record : bool, default False
    Add a column ``record`` with the number of the record in its input.
include_id : bool, default False
    Add a column ``id`` with a number that no other record of the source has: ``input << 40 | record``, as a signed integer.
limit : int, optional
    The most rows to read, which are the first ones. All by default.
max_record_bytes : int, default 268435456
    The largest record that is read. A larger one is rejected.
max_expansion : int, default 1000
    How many times its size a compressed input may expand to, beyond 64 MiB; 0 is no limit.
max_depth : int, default 128
    How deep the types of columns may be nested.
"
    };
}

/// What is read.
macro_rules! inputs_parameter {
    () => {
        "inputs : path, bytes, file object or list of them
    A path, a directory, a pattern such as ``'vectors/*.msgpack'``, a URL (``s3://``, ``gs://``, ``az://``, ``https://``,
    ``file://``), ``'-'`` for standard input, a bytes-like object, a binary file object, or a list of these. ``~`` is the home
    directory. Files that end in ``.gz``, ``.zst`` or ``.lz4`` are read as they are."
    };
}

/// The write options of `to_parquet`.
macro_rules! write_parameters {
    () => {
        "\
compression : str, default 'auto'
    How pages are compressed: ``auto``, ``none``, ``zstd``, ``lz4`` or ``snappy``. ``auto`` compresses vectors where that saves a
    quarter.
encoding : str, default 'auto'
    How the elements of vectors are encoded: ``auto``, ``plain`` or ``byte-stream-split``. ``auto`` is whatever gets smaller.
row_group_bytes : int, default 4194304
    The most bytes in a row group, of all columns before they are encoded.
max_file_bytes : int, optional
    About the most bytes in a file. ``path`` is then a directory, whose files hold the rows of all inputs.
list_type : str, optional
    The type of vector columns: ``fixed``, or ``list`` for readers that do not know lists of a fixed size. By default ``fixed``,
    but ``list`` with ``on_error='null'``.
coerce_timestamps : str, optional
    Write timestamps in this unit, ``us`` or ``ms``. By default in the unit that they have.
allow_truncated_timestamps : bool, default False
    Cut off digits of timestamps that the unit of ``coerce_timestamps`` does not have. Otherwise they are an error.
metadata : dict, optional
    Added to the metadata of each file.
rejects : path, optional
    A file for what was rejected, ``.jsonl`` or ``.parquet``. With ``resume`` it has what this run rejected.
overwrite : bool, default False
    Replace files that exist.
resume : bool, default False
    Finish an earlier run into the directory ``path``: inputs are read that are not done, or that have changed.
sync : bool, default True
    Wait until the files are on the disk. Without it a power failure may leave them incomplete."
    };
}

/// Which vectors leave.
macro_rules! column_parameter {
    () => {
        "
Parameters
----------
column : str, optional
    The vector column. By default the first one.
"
    };
}

/// The parameters of `__array__`, by which `numpy.asarray` takes the vectors.
macro_rules! array_parameters {
    () => {
        "
Parameters
----------
dtype : NumPy type, optional
    The type of the elements. By default that of the column.
copy : bool, optional
    True for a copy in any case; False for an error where one is needed.
"
    };
}
