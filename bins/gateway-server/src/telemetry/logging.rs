use std::io::{self, IsTerminal};
use std::panic;

use anyhow::Context as _;
use gateway_config::{LogFormat, LogSettings};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::log_writer::LogWriter;

/// The process's log. There is one per process, so only the command line makes it; an [`crate::App`] in a test logs
/// to whatever the test has.
#[derive(Debug)]
pub struct Logging {
    control: LogControl,
}

/// Changes what is logged while the gateway runs.
#[derive(Clone, Debug)]
pub struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
    writer: LogWriter,
}

// === impl Logging ===

impl Logging {
    /// Sends log lines to standard output: pretty on a terminal, JSON elsewhere, unless `settings` say otherwise.
    /// `color` allows colours on a terminal.
    pub fn install(settings: &LogSettings, color: bool) -> anyhow::Result<Self> {
        let terminal = io::stdout().is_terminal();
        let writer = LogWriter::start(io::stdout())?;
        let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
        let pretty = match settings.format {
            LogFormat::Auto => terminal,
            LogFormat::Json => false,
            LogFormat::Pretty => true,
        };
        let make = {
            let writer = writer.clone();
            move || writer.clone()
        };
        let lines = fmt::layer().with_writer(make);
        let registry = tracing_subscriber::registry().with(filter);
        if pretty {
            registry.with(lines.with_ansi(color && terminal).with_target(false)).try_init()
        } else {
            registry
                .with(lines.json().flatten_event(true).with_current_span(false).with_span_list(false))
                .try_init()
        }
        .context("this process already has a log")?;
        log_panics();
        Ok(Self { control: LogControl { filter: handle, writer } })
    }

    /// What changes the log later.
    pub fn control(&self) -> LogControl {
        self.control.clone()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.control.writer.flush();
    }
}

// === impl LogControl ===

impl LogControl {
    /// Whether this can be a `log.level`.
    pub(crate) fn check_level(level: &str) -> anyhow::Result<()> {
        filter(level).map(drop)
    }

    /// Applies another `log.level`.
    pub fn set_level(&self, level: &str) -> anyhow::Result<()> {
        self.filter.reload(filter(level)?).context("the log is gone")
    }

    /// Lines that were lost because nobody read them.
    pub fn dropped(&self) -> u64 {
        self.writer.dropped()
    }
}

fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::builder().parse(level).with_context(|| format!("log.level: `{level}` is no filter"))
}

/// A panic is confined to the request it happened in; where it happened is known only here.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = info.payload_as_str().unwrap_or("no text");
        tracing::error!(place, text, "panic");
    }));
}
