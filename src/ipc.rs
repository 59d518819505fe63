//! Arrow IPC files and streams.

use std::io::{BufWriter, Write};
use std::path::Path;

use arrow_array::RecordBatchWriter;
use arrow_ipc::writer::{FileWriter, StreamWriter};

use crate::error::{Error, ErrorKind, Result};
use crate::output::{Target, sweep_beside};
use crate::reader::{Progress, Watch};
use crate::source::Source;

/// Writes the batches of `source` to `path`: as a stream if the name ends in `.arrows`, as an IPC file
/// otherwise. Returns the progress, and the number of bytes written.
pub fn write_arrow(
    source: &Source,
    path: &Path,
    overwrite: bool,
    sync: bool,
    watch: Watch<'_>,
) -> Result<(Progress, u64)> {
    sweep_beside(path);
    let target = Target::create(path, overwrite, watch.cancel.clone())?;
    let out = BufWriter::new(target.sink());
    let written = if path.extension().is_some_and(|extension| extension == "arrows") {
        write_arrow_stream(source, out, watch)
    } else {
        FileWriter::try_new(out, &source.schema())
            .map_err(Error::from)
            .and_then(|writer| write(source, writer, watch))
    };
    let progress = written.map_err(|error| match error.into_kind() {
        ErrorKind::Io { path: None, source } => target.error(source),
        kind => kind.into(),
    })?;
    Ok((progress, target.commit(sync)?))
}

/// Writes the batches of `source` to `out` as an Arrow IPC stream. Returns the progress.
pub fn write_arrow_stream(source: &Source, out: impl Write, watch: Watch<'_>) -> Result<Progress> {
    write(source, StreamWriter::try_new(out, &source.schema())?, watch)
}

fn write(source: &Source, mut writer: impl RecordBatchWriter, mut watch: Watch<'_>) -> Result<Progress> {
    let progress = watch.follow(source.reader()?, Progress::default(), |batch| Ok(writer.write(&batch)?))?;
    // It flushes.
    writer.close()?;
    Ok(progress)
}
