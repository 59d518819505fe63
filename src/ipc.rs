//! Record batches become Arrow IPC: a file, or a stream.

use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::ipc::writer::{FileWriter, StreamWriter};

use crate::error::Result;
use crate::output::Target;
use crate::reader::Reader;

/// Writes what `reader` gives to `path`: as a stream if the name ends in `.arrows`, as an IPC file otherwise.
/// Returns the number of bytes written.
pub fn write_arrow(mut reader: Reader, path: &Path, overwrite: bool, sync: bool) -> Result<u64> {
    let target = Target::create(path, overwrite)?;
    let out = BufWriter::new(target.file());
    let written = if path.extension().is_some_and(|extension| extension == "arrows") {
        write_arrow_stream(&mut reader, out)
    } else {
        write_file(&mut reader, out)
    };
    written.map_err(|error| error.at(path))?;
    target.commit(sync)
}

/// Writes what `reader` gives to `out` as an Arrow IPC stream.
pub fn write_arrow_stream(reader: &mut Reader, out: impl Write) -> Result<()> {
    let mut writer = StreamWriter::try_new(out, &reader.schema())?;
    while let Some(batch) = reader.next_batch()? {
        writer.write(&batch)?;
    }
    // `finish` flushes.
    Ok(writer.finish()?)
}

fn write_file(reader: &mut Reader, out: impl Write) -> Result<()> {
    let mut writer = FileWriter::try_new(out, &reader.schema())?;
    while let Some(batch) = reader.next_batch()? {
        writer.write(&batch)?;
    }
    // `finish` flushes.
    Ok(writer.finish()?)
}
