//! What the extension tells Python's `logging`, under the name `vecpack`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::reject::Rejects;

/// The levels of Python's `logging`.
const INFO: u32 = 20;
const WARNING: u32 = 30;

/// Says that work is done.
pub(super) fn info(py: Python<'_>, text: &str) -> PyResult<()> {
    log(py, INFO, text)
}

/// Says how many records were rejected, if some were.
pub(super) fn rejected(py: Python<'_>, rejects: &Rejects) -> PyResult<()> {
    let Some(first) = rejects.first() else { return Ok(()) };
    log(py, WARNING, &format!("{}; the first one: {first}", rejects.summary()))
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
