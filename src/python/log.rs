//! What the extension tells Python's `logging`, under the name `vecpack`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The levels of Python's `logging`.
const INFO: u32 = 20;
const WARNING: u32 = 30;

/// Says that work is done.
pub(super) fn info(py: Python<'_>, text: &str) -> PyResult<()> {
    log(py, INFO, text)
}

/// Says what [`Rejects::line`](crate::reject::Rejects::line) does.
pub(super) fn rejected(py: Python<'_>, line: Option<String>) -> PyResult<()> {
    line.map_or(Ok(()), |line| log(py, WARNING, &line))
}

fn log(py: Python<'_>, level: u32, text: &str) -> PyResult<()> {
    static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let logger = LOGGER.get_or_try_init(py, || {
        let logging = py.import("logging")?;
        let logger = logging.call_method1("getLogger", ("vecpack",))?;
        // Without a handler of the program's own, Python would print warnings.
        logger.call_method1("addHandler", (logging.call_method0("NullHandler")?,))?;
        PyResult::Ok(logger.unbind())
    })?;
    logger.call_method1(py, "log", (level, "%s", text)).map(drop)
}
