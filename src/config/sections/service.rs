//! `[DEFAULT]`: the service as a whole, and its logs.

use crate::config::section::{choice, section};

choice! {
    /// How callers prove who they are.
    pub enum AuthStrategy {
        /// They do not: whoever reaches the service may name any project.
        None = "",
        /// The same, spelled out.
        Noauth = "noauth",
        /// With a token of the identity service.
        Keystone = "keystone",
    }
}

section! {
    /// The service as a whole, and its logs.
    pub struct Service {
        /// Log messages of level DEBUG too; INFO is the lowest otherwise.
        debug: bool = "false" [effective],
        /// Mount the resources for administrators: health, and with pooling also pools and flavors.
        admin_mode: bool = "false" [effective],
        /// How callers prove who they are: nothing and noauth mean that anybody may use any project, keystone
        /// asks for a token.
        auth_strategy: AuthStrategy = "" [effective],
        /// Bind addresses other than the loopback ones although authentication is off. Whoever reaches them
        /// reads and deletes the messages of every project; without this option the service refuses to start so.
        allow_unauthenticated_remote_access: bool = "false" [effective],
        /// Store an MD5 checksum with each message and return it.
        enable_checksum: bool = "false" [effective],
        /// Directory of the embedded stores. Unset: `$STATE_DIRECTORY`, else /var/lib/zaqar if it can be written,
        /// else zaqar in `$XDG_DATA_HOME` or ~/.local/share.
        state_path: Option<String> = "" [effective],
        /// Threads that serve requests. Unset: one for each processor.
        worker_threads: Option<u32> = "" [effective, min(1), max(1024)],
        /// Spread queues over the registered pools.
        pooling: bool = "false" [effective, formerly(&["sharding"])],
        /// Accept a `MongoDB` that may lose acknowledged messages.
        unreliable: bool = "false",
        /// Old versions of the API to serve besides v2: 1, 1.1 or both. Their answers say that they are deprecated.
        enable_deprecated_api_versions: Vec<String> = "" [effective, one_of(&["1", "1.1"])],
        /// The day, such as 2027-06-30, from which on the old versions may be gone. Their answers name it in the
        /// header Sunset. Unset: no such header.
        deprecated_api_sunset: Option<String> = "" [effective],

        /// File to log to. A relative name lies in `log_dir`.
        log_file: Option<String> = "" [effective, formerly(&["logfile"])],
        /// Directory of the log file. If it is set and `log_file` is not, the file is named after the program.
        log_dir: Option<String> = "" [effective, formerly(&["logdir"])],
        /// Log to standard error too. Where neither a file nor syslog nor the journal is logged to, the logs go
        /// there in any case.
        use_stderr: bool = "false" [effective],
        /// Write each log message as a JSON object.
        use_json: bool = "false" [effective],
        /// Log to the syslog of this machine.
        use_syslog: bool = "false" [effective],
        /// Facility of messages in syslog.
        syslog_log_facility: String = "LOG_USER" [effective, one_of(FACILITIES)],
        /// Log to the systemd journal, with the fields of a message apart.
        use_journal: bool = "false" [effective],
        /// The lowest level that is logged for a module and what lies in it, as module=LEVEL pairs.
        default_log_levels: Vec<String> =
            "h2=WARN,hyper=WARN,hyper_util=WARN,rustls=WARN,sqlx=WARN,tower_http=WARN" [effective],
        /// File of Python's logging module that sets up the logs.
        log_config_append: Option<String> = "" [formerly(&["log_config"])],
        /// How the time of a message is written.
        log_date_format: String = "%Y-%m-%d %H:%M:%S",
        /// Colour messages by their level on a terminal.
        log_color: bool = "false",
        /// When log files are rotated.
        log_rotation_type: String = "none" [one_of(&["interval", "size", "none"])],
        /// Time between two rotations, in `log_rotate_interval_type`.
        log_rotate_interval: u32 = "1",
        /// Unit of `log_rotate_interval`.
        log_rotate_interval_type: String =
            "days" [one_of(&["Seconds", "Minutes", "Hours", "Days", "Weekday", "Midnight"])],
        /// Rotated log files that are kept.
        max_logfile_count: u32 = "30",
        /// Size at which a log file is rotated, in MiB.
        max_logfile_size_mb: u32 = "200",
        /// How a message of a request is written.
        logging_context_format_string: String =
            "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(request_id)s %(user_identity)s] \
            [project_id:%(project_id)s] %(message)s",
        /// How a message outside of requests is written.
        logging_default_format_string: String =
            "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [-] %(instance)s%(message)s",
        /// What is added to messages of level DEBUG.
        logging_debug_format_suffix: String = "%(funcName)s %(pathname)s:%(lineno)d",
        /// What stands before each line of an exception.
        logging_exception_prefix: String =
            "%(asctime)s.%(msecs)03d %(process)d ERROR %(name)s %(instance)s",
        /// How the caller is written.
        logging_user_identity_format: String =
            "%(user)s %(project)s %(domain)s %(system_scope)s %(user_domain)s %(project_domain)s",
        /// How an instance is written in a message.
        instance_format: String = "[instance: %(uuid)s] ",
        /// How the id of an instance is written in a message.
        instance_uuid_format: String = "[instance: %(uuid)s] ",
        /// Send errors to the notification bus.
        publish_errors: bool = "false",
        /// Seconds over which messages are counted for `rate_limit_burst`; 0 for no limit.
        rate_limit_interval: u32 = "0",
        /// The most messages in `rate_limit_interval`.
        rate_limit_burst: u32 = "0",
        /// Messages of this level and above are never held back.
        rate_limit_except_level: String =
            "CRITICAL" [one_of(&["CRITICAL", "ERROR", "INFO", "WARNING", "DEBUG", ""])],
        /// Treat the use of anything deprecated as an error.
        fatal_deprecations: bool = "false",
    }
}

/// The facilities of syslog, with and without their prefix.
const FACILITIES: &[&str] = &[
    "LOG_USER",
    "LOG_DAEMON",
    "LOG_KERN",
    "LOG_MAIL",
    "LOG_AUTH",
    "LOG_AUTHPRIV",
    "LOG_SYSLOG",
    "LOG_LPR",
    "LOG_NEWS",
    "LOG_UUCP",
    "LOG_CRON",
    "LOG_FTP",
    "LOG_LOCAL0",
    "LOG_LOCAL1",
    "LOG_LOCAL2",
    "LOG_LOCAL3",
    "LOG_LOCAL4",
    "LOG_LOCAL5",
    "LOG_LOCAL6",
    "LOG_LOCAL7",
    "USER",
    "DAEMON",
    "KERN",
    "MAIL",
    "AUTH",
    "AUTHPRIV",
    "SYSLOG",
    "LPR",
    "NEWS",
    "UUCP",
    "CRON",
    "FTP",
    "LOCAL0",
    "LOCAL1",
    "LOCAL2",
    "LOCAL3",
    "LOCAL4",
    "LOCAL5",
    "LOCAL6",
    "LOCAL7",
];
