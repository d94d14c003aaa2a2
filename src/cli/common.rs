//! What every verb shares: where the configuration comes from, where the log goes, the runtime.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::config::{Config, Sources};
use crate::telemetry::{self, LogSettings, StatsdSettings, Telemetry};

/// Options that every verb takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// A configuration file instead of the searched ones; may be repeated, later files win
    #[arg(long, value_name = "PATH")]
    config_file: Vec<PathBuf>,
    /// A directory whose *.conf files are read in the order of their names, after the files
    #[arg(long, value_name = "DIR")]
    config_dir: Vec<PathBuf>,
    /// Log at level debug
    #[arg(long, short)]
    debug: bool,
}

impl Common {
    /// The configuration for the tool of that name.
    pub(super) fn config(&self, tool: &str) -> anyhow::Result<Config> {
        let sources = Sources::from_process(tool, self.config_file.clone(), self.config_dir.clone());
        let mut config = Config::load(&sources)?;
        config.default.debug |= self.debug;
        Ok(config)
    }
}

/// Starts logging and metrics; both end when the value is dropped.
pub(super) fn telemetry(config: &Config, tool: &str) -> anyhow::Result<Telemetry> {
    let (default, statsd) = (&config.default, &config.statsd);
    let logs = LogSettings {
        debug: default.debug,
        log_file: default.log_file.as_ref().map(PathBuf::from),
        log_dir: default.log_dir.as_ref().map(PathBuf::from),
        prog: tool.to_owned(),
        use_json: default.use_json,
        use_stderr: default.use_stderr,
        use_syslog: default.use_syslog,
        syslog_facility: default.syslog_log_facility.clone(),
        use_journal: default.use_journal,
        default_log_levels: default.default_log_levels.clone(),
    };
    let statsd = statsd.host.as_ref().map(|host| StatsdSettings {
        host: host.clone(),
        port: statsd.port,
        prefix: statsd.prefix.clone(),
        tags: statsd.tags,
    });
    telemetry::init(&logs, statsd).context("logging")
}

/// The runtime of a verb; `threads` 0 means one for each core.
pub(super) fn runtime(threads: usize) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().context("runtime")
}
