//! Logs: from the settings to a subscriber, and the guard that flushes them.
//!
//! # Who writes
//!
//! A thread that logs formats its record and appends the bytes to a queue in memory; it does no I/O and waits
//! for nobody but another thread's copy of a few hundred bytes. Each output (file, stderr, syslog, journal) has
//! its own thread, which writes all that has gathered at once. So a full disk, a stuck pipe or a journal that
//! hangs can neither slow a request nor stop another output. What does not fit the queue of 1 MiB is dropped
//! and counted, and the output says how much as soon as it works again. The price: what was logged in the last
//! moments before a `kill -9` is lost.
//!
//! The journal is served by our own writer and not by tracing-journald, which sends from the thread that logs,
//! over a socket that blocks while the journal is busy.

mod format;
mod journal;
mod json;
mod layer;
mod line;
mod queue;
mod record;
mod sink;
mod syslog;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

use self::format::{Formatter, Shape};
use self::layer::OutputLayer;
use self::sink::{Datagrams, LogFile, Sink, Stream};
use self::syslog::Facility;
use self::writer::Output;
use super::Error;
use crate::clock::Clock;

/// What to log and where to (`[DEFAULT]`, as oslo.log names it). Several outputs may be on at once; where none
/// is, logs go to stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct LogSettings {
    /// Our own records from the level DEBUG on, otherwise INFO.
    pub debug: bool,
    /// The file to append to; relative to `log_dir` where that is given.
    pub log_file: Option<PathBuf>,
    /// The directory of the file, which is `<prog>.log` where `log_file` is not given.
    pub log_dir: Option<PathBuf>,
    /// The name of the program, such as `zaqar-server`.
    pub prog: String,
    /// One JSON object a record instead of text; not in the journal, whose records have fields anyway.
    pub use_json: bool,
    /// To stderr.
    pub use_stderr: bool,
    /// To syslog, by `/dev/log`.
    pub use_syslog: bool,
    /// Syslog's facility: `LOG_USER`, `user`, `local0` …; empty: user.
    pub syslog_facility: String,
    /// To the systemd journal.
    pub use_journal: bool,
    /// `target=LEVEL` each, the more exact ones winning; in targets a dot means the same as `::`.
    pub default_log_levels: Vec<String>,
}

/// The outputs of the logs. Dropping it writes what is queued, as far as that is possible within 2 s.
pub(super) struct Logs {
    outputs: Vec<Output>,
}

impl Logs {
    /// Waits until everything logged before is written: false where that took longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let started = Instant::now();
        self.outputs.iter().all(|output| output.flush(limit.saturating_sub(started.elapsed())))
    }

    /// Opens the log file again by its name; for tools that rotate logs.
    pub(super) fn reopen(&self) {
        for output in &self.outputs {
            output.reopen();
        }
    }

    /// True where stderr is one of the outputs.
    pub(super) fn on_stderr(&self) -> bool {
        self.outputs.iter().any(|output| output.name() == STDERR)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        for output in &self.outputs {
            output.stop();
        }
        let started = Instant::now();
        for output in &self.outputs {
            output.flush(LAST_WRITE.saturating_sub(started.elapsed()));
        }
    }
}

const STDERR: &str = "stderr";

/// How long the end of the process waits for the outputs.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Libraries that see requests as they came, with tokens and signatures; never logged below INFO.
const SEE_REQUESTS: [&str; 6] = ["h2", "hyper", "axum", "tower", "reqwest", "tungstenite"];

/// Where the system's loggers listen; elsewhere in tests.
struct Sockets<'a> {
    syslog: &'a str,
    journal: &'a str,
}

const SYSTEM: Sockets<'static> = Sockets { syslog: "/dev/log", journal: "/run/systemd/journal/socket" };

/// Starts the outputs: a subscriber that feeds them, their guard, and what could not be done as asked.
pub(super) fn start(
    settings: &LogSettings,
    clock: &Clock,
) -> Result<(impl Subscriber + Send + Sync + use<>, Logs, Vec<String>), Error> {
    let filter = levels(settings)?;
    let (logs, warnings) = open(settings, clock, &SYSTEM)?;
    let layer = OutputLayer::new(clock.clone(), &logs.outputs);
    Ok((tracing_subscriber::registry().with(filter).with(layer), logs, warnings))
}

/// Which records are wanted.
fn levels(settings: &LogSettings) -> Result<Targets, Error> {
    let own = if settings.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let mut targets = Targets::new().with_default(LevelFilter::WARN).with_target("zaqar", own);
    for entry in
        settings.default_log_levels.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty())
    {
        let parts = entry.split_once('=').and_then(|(target, level)| Some((target, level_of(level.trim())?)));
        let (target, level) = parts.ok_or_else(|| Error::Level(entry.to_owned()))?;
        let target = target.trim().replace('.', "::");
        let sees_requests = SEE_REQUESTS.iter().any(|library| target.starts_with(library));
        targets =
            targets.with_target(target, if sees_requests { level.min(LevelFilter::INFO) } else { level });
    }
    Ok(targets)
}

/// The level of that name, in any case, as Python's logging names them.
fn level_of(name: &str) -> Option<LevelFilter> {
    Some(match name.to_ascii_uppercase().as_str() {
        "TRACE" | "NOTSET" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" | "WARNING" => LevelFilter::WARN,
        "ERROR" | "CRITICAL" | "FATAL" => LevelFilter::ERROR,
        _ => return None,
    })
}

/// Opens every output that is asked for, and stderr where there is none. A file that cannot be opened is an
/// error; a system logger that is not there only a warning.
fn open(settings: &LogSettings, clock: &Clock, sockets: &Sockets<'_>) -> Result<(Logs, Vec<String>), Error> {
    let mut sinks: Vec<Opened> = Vec::new();
    let mut warnings = Vec::new();
    let text = if settings.use_json { Shape::Json } else { Shape::Line };
    if let Some(path) = file_path(settings) {
        let file = LogFile::open(&path).map_err(|source| Error::File { path, source })?;
        sinks.push(("file", text, Box::new(file)));
    }
    if settings.use_syslog {
        let facility = Facility::parse(&settings.syslog_facility)?;
        let shape = Shape::Syslog { facility, json: settings.use_json };
        open_socket("syslog", shape, sockets.syslog, &mut sinks, &mut warnings);
    }
    if settings.use_journal {
        open_socket("journal", Shape::Journal, sockets.journal, &mut sinks, &mut warnings);
    }
    if settings.use_stderr || sinks.is_empty() {
        sinks.push((STDERR, text, Box::new(Stream::new(io::stderr()))));
    }
    let start = |(name, shape, sink)| {
        let (zone, pid) = (TimeZone::system(), std::process::id());
        let formatter = Formatter { prog: settings.prog.clone(), pid, zone, shape };
        Output::start(name, formatter, sink, clock.clone()).map_err(Error::Thread)
    };
    let outputs = sinks.into_iter().map(start).collect::<Result<_, _>>()?;
    Ok((Logs { outputs }, warnings))
}

/// The name of an output, its format, and where its bytes go.
type Opened = (&'static str, Shape, Box<dyn Sink>);

/// Connects to a logger of the system, or notes that it is not there.
fn open_socket(
    name: &'static str,
    shape: Shape,
    path: &str,
    sinks: &mut Vec<Opened>,
    warnings: &mut Vec<String>,
) {
    match Datagrams::connect(Path::new(path)) {
        Ok(sink) => sinks.push((name, shape, Box::new(sink))),
        Err(error) => {
            warnings.push(format!("cannot log to {name} ({path}), going on without it: {error}"));
        }
    }
}

/// The log file, by oslo.log's rule.
fn file_path(settings: &LogSettings) -> Option<PathBuf> {
    match (&settings.log_dir, &settings.log_file) {
        (None, file) => file.clone(),
        (Some(dir), Some(file)) => Some(dir.join(file)),
        (Some(dir), None) => Some(dir.join(format!("{}.log", settings.prog))),
    }
}

#[cfg(test)]
pub(super) mod tests;
