//! What an operator sees: metrics and logs.
//!
//! * [`Metric`] is the table of all metrics; [`count`], [`gauge`], [`gauge_change`], [`observe`] and
//!   [`http_request`] record them from anywhere.
//! * [`audit`](audit()) records administrators' changes, under a logger name of their own.
//! * [`init`] starts the outputs of logs and, where it is configured, the statsd exporter.
//! * [`request_span`] puts the request on every record that is logged inside it; [`mask_uri`] takes
//!   credentials out of what is logged.

mod audit;
mod logging;
mod mask;
mod metric;
mod panics;
mod recording;
mod span;
mod statsd;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use audit::{AUDIT, Audited, audit};
pub use logging::LogSettings;
pub use mask::{is_secret, mask_uri};
pub use metric::{Kind, Metric};
pub use recording::{UNMATCHED, count, gauge, gauge_change, http_request, observe};
pub use span::{GLOBAL_ID, HTTP_ROUTE, PROJECT_ID, REQUEST_ID, USER_ID, request_id, request_span};
pub use statsd::StatsdSettings;

use crate::clock::Clock;

/// Why telemetry cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log file cannot be opened.
    #[error("cannot open the log file {path}", path = path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `syslog_log_facility` is none.
    #[error(
        "unknown syslog facility {0:?}: expected LOG_USER, LOG_DAEMON, LOG_LOCAL0 to LOG_LOCAL7 or another of syslog's"
    )]
    Facility(String),
    /// An entry of `default_log_levels` cannot be read.
    #[error("cannot read the log level {0:?}: expected <target>=DEBUG, INFO, WARNING, ERROR or CRITICAL")]
    Level(String),
    /// A thread for an output or exporter cannot be started.
    #[error("cannot start a thread for logs or metrics")]
    Thread(#[source] io::Error),
    /// This process has logs or metrics of its own already.
    #[error("logs or metrics are set up already in this process")]
    AlreadySet,
}

/// Logs and metrics of the process. Dropping it sends and writes what is left, within 3 s; so it is dropped
/// last, and `std::process::exit` is not called while it lives.
#[must_use = "logs end when it is dropped"]
pub struct Telemetry {
    // Ends first, for it may log.
    _statsd: Option<statsd::Exporter>,
    logs: Arc<logging::Logs>,
}

impl Telemetry {
    /// Opens the log file again by its name; what SIGHUP means to tools that rotate logs.
    pub fn reopen(&self) {
        self.logs.reopen();
    }

    /// Waits until everything logged so far is written: false where that took longer than `limit`.
    pub fn flush(&self, limit: Duration) -> bool {
        self.logs.flush(limit)
    }
}

/// Starts logs, the logging of panics and, with `statsd`, the exporter of metrics; once in a process.
pub fn init(settings: &LogSettings, statsd: Option<StatsdSettings>) -> Result<Telemetry, Error> {
    let (subscriber, logs, warnings) = logging::start(settings, &Clock::system())?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::AlreadySet)?;
    let logs = Arc::new(logs);
    panics::log_panics(&logs);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let exporter = statsd.map(start_statsd).transpose()?;
    Ok(Telemetry { _statsd: exporter, logs })
}

fn start_statsd(settings: StatsdSettings) -> Result<statsd::Exporter, Error> {
    let naming = statsd::Naming::new(&settings.prefix, settings.tags);
    let aggregator = Arc::new(statsd::Aggregator::new(naming));
    metrics::set_global_recorder(Arc::clone(&aggregator)).map_err(|_| Error::AlreadySet)?;
    recording::enable();
    statsd::Exporter::start(settings, aggregator).map_err(Error::Thread)
}
