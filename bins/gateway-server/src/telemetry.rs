//! What the gateway tells its operators: log lines and metrics.

mod log_writer;
mod logging;
mod meters;

pub use logging::{LogControl, Logging};
pub(crate) use meters::Meters;
