//! The options behind the question mark of a Redis URI.
//!
//! From the Python service: `socket_timeout` (seconds), `dbid`, `master`, `sentinel_username`,
//! `sentinel_password`. Ours: `cluster=true`, `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_server_name`
//! (files and name of a TLS connection), `wait_replicas` (0: off) and `wait_timeout` (milliseconds).

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{Confirmation, Credentials, TlsFiles, UriError};

/// A call's deadline where none is set.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The Python service's own default, in seconds: it and less count as unset, because here it bounds a whole call
/// and not one wait for bytes.
const UNSET_TIMEOUT: f64 = 0.1;

/// The longest deadline, in seconds.
const MAX_TIMEOUT: f64 = 60.0;

/// How long a server waits for its replicas where nothing is set; half of a deadline that is shorter.
const WAIT_TIMEOUT: Duration = Duration::from_secs(1);

/// The options as they were given.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) timeout: Duration,
    pub(super) database: u32,
    pub(super) master: Option<String>,
    pub(super) cluster: bool,
    pub(super) tls: TlsFiles,
    sentinel_user: String,
    sentinel_password: String,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    replicas: u32,
    wait: Option<u64>,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            timeout: TIMEOUT,
            database: 0,
            master: None,
            cluster: false,
            tls: TlsFiles::default(),
            sentinel_user: String::new(),
            sentinel_password: String::new(),
            certificate: None,
            key: None,
            replicas: 0,
            wait: None,
        }
    }
}

impl Query {
    /// Reads `name=value&…` as the Python service does: of equal names the last wins, an empty value counts as
    /// none, a plus is a space.
    pub(super) fn parse(text: &str) -> Result<Self, UriError> {
        let (mut query, mut unknown) = (Self::default(), Vec::new());
        for pair in text.split('&') {
            let Some((name, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) else {
                continue;
            };
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy();
            if !query.set(name, &value)? {
                unknown
                    .push(name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(32).collect());
            }
        }
        warn_of(&unknown);
        query.tls.identity = match (query.certificate.take(), query.key.take()) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(UriError::Conflict("ssl_certfile without ssl_keyfile, or the reverse")),
        };
        Ok(query)
    }

    /// Takes one option: whether it is known.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, UriError> {
        match name {
            "socket_timeout" => self.timeout = timeout(value)?,
            "dbid" => self.database = number("dbid", value)?,
            "master" => self.master = Some(value.to_owned()),
            "cluster" => self.cluster = boolean(value)?,
            "sentinel_username" => value.clone_into(&mut self.sentinel_user),
            "sentinel_password" => value.clone_into(&mut self.sentinel_password),
            "ssl_ca_certs" => self.tls.authorities = Some(value.into()),
            "ssl_certfile" => self.certificate = Some(value.into()),
            "ssl_keyfile" => self.key = Some(value.into()),
            "ssl_server_name" => self.tls.server_name = Some(value.to_owned()),
            "wait_replicas" => self.replicas = number("wait_replicas", value)?,
            "wait_timeout" => self.wait = Some(number("wait_timeout", value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn sentinel_credentials(&self) -> Result<Credentials, UriError> {
        let (user, password) = (&self.sentinel_user, &self.sentinel_password);
        if !user.is_empty() && password.is_empty() {
            return Err(UriError::Password);
        }
        Ok(Credentials {
            user: (!user.is_empty()).then(|| user.clone()),
            password: (!password.is_empty()).then(|| password.clone().into()),
        })
    }

    /// The server must give up waiting before the caller does, or a time-out would hide what it knows. It never
    /// waits for ever, which is what a zero would mean to it.
    pub(super) fn confirmation(&self) -> Result<Option<Confirmation>, UriError> {
        let usual = WAIT_TIMEOUT.min(self.timeout / 2);
        let timeout = self.wait.map_or(usual, Duration::from_millis);
        match self.replicas {
            0 => Ok(None),
            _ if timeout.is_zero() || timeout >= self.timeout => Err(UriError::Value("wait_timeout")),
            replicas => Ok(Some(Confirmation { replicas, timeout })),
        }
    }
}

fn warn_of(unknown: &[String]) {
    if !unknown.is_empty() {
        tracing::warn!(redis.options = unknown.join(", "), "options of a Redis URI have no effect here");
    }
}

fn number<T: std::str::FromStr>(name: &'static str, value: &str) -> Result<T, UriError> {
    value.trim().parse().map_err(|_| UriError::Value(name))
}

fn boolean(value: &str) -> Result<bool, UriError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(UriError::Value("cluster")),
    }
}

fn timeout(value: &str) -> Result<Duration, UriError> {
    let seconds: f64 = number("socket_timeout", value)?;
    match seconds {
        _ if !seconds.is_finite() || seconds < 0.0 => Err(UriError::Value("socket_timeout")),
        _ if seconds <= UNSET_TIMEOUT => Ok(TIMEOUT),
        _ => Ok(Duration::from_secs_f64(seconds.min(MAX_TIMEOUT))),
    }
}
