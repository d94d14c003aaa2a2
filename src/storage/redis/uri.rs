//! Where a Redis deployment is: the URIs of the Python service, and ours.
//!
//! * `redis://[user:password@]host[:port][/ignored][?options]`: one server, port 6379.
//! * `redis://[user:password@]h1[:p1],h2[:p2]?master=NAME`: Sentinels, port 26379. User and password are for the
//!   data nodes.
//! * `redis://[:password@]/path/to/socket[?options]`: a Unix socket; also `redis:/path/to/socket`.
//! * `redis://h1[:p1],h2[:p2]?cluster=true`: nodes of a Cluster, port 6379 (extension).
//! * `rediss://…`: any of these but the socket, over TLS (extension).
//!
//! Users and passwords may be percent-encoded, IPv6 addresses stand in brackets. The options are those of
//! [`options`].

mod options;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use options::Query;

/// Port of a Redis server.
const SERVER_PORT: u16 = 6379;

/// Port of a Sentinel.
const SENTINEL_PORT: u16 = 26379;

/// Why a URI cannot be used. No text repeats anything of it but the name of an option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It starts with no scheme of Redis.
    #[error("the scheme of a Redis URI is redis or rediss")]
    Scheme,
    /// A user stands there without a password.
    #[error("a Redis URI with a user needs a password, as in redis://user:password@host")]
    Password,
    /// A user or password is no UTF-8 once it is percent-decoded.
    #[error("the user and the password in a Redis URI must be UTF-8")]
    Text,
    /// A host is missing or malformed, or a port is.
    #[error("a Redis URI has a malformed host or port")]
    Host,
    /// There is neither a host nor a path.
    #[error("a Redis URI needs a host or the path of a socket")]
    Nowhere,
    /// Several hosts, and nothing says what they are.
    #[error("a Redis URI with several hosts needs master=NAME for Sentinels or cluster=true")]
    Several,
    /// Options or forms that exclude each other.
    #[error("a Redis URI cannot combine {0}")]
    Conflict(&'static str),
    /// An option has a value that it cannot have.
    #[error("the option {0} of a Redis URI has a malformed value")]
    Value(&'static str),
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address {
    /// A name or an address, IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(out, "[{}]:{}", self.host, self.port);
        }
        write!(out, "{}:{}", self.host, self.port)
    }
}

/// What stands at the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deployment {
    /// One server.
    Server(Address),
    /// One server behind a Unix socket.
    Socket(PathBuf),
    /// Sentinels that know the server of that name.
    Sentinel { sentinels: Vec<Address>, master: String },
    /// Some nodes of a Cluster.
    Cluster(Vec<Address>),
}

/// Who we are to a server. Never printed.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
}

/// The files of a TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// Authorities to trust; unset: those of the system.
    pub(super) authorities: Option<PathBuf>,
    /// Our certificate and its key, where the server wants one.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    /// The name that every node's certificate must have; unset: the host.
    pub(super) server_name: Option<String>,
}

/// How many replicas must have a write before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmation {
    pub(super) replicas: u32,
    /// How long the server waits for them.
    pub(super) timeout: Duration,
}

/// A parsed URI. Its `Display` names the servers and no user or password, for logs.
#[derive(Clone, Debug)]
pub(super) struct Uri {
    pub(super) deployment: Deployment,
    pub(super) credentials: Credentials,
    /// For the Sentinels themselves.
    pub(super) sentinel_credentials: Credentials,
    /// Number of the database.
    pub(super) database: u32,
    /// A whole call's deadline: connecting, queueing, answering.
    pub(super) timeout: Duration,
    /// Set where connections are encrypted.
    pub(super) tls: Option<TlsFiles>,
    /// Set where writes wait for replicas.
    pub(super) confirmation: Option<Confirmation>,
}

impl Uri {
    /// Reads a URI. Options without a meaning here are named in one warning and ignored.
    pub(super) fn parse(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(UriError::Scheme),
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = Query::parse(query)?;
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let uri = Self {
            deployment: deployment(hosts, path, &query)?,
            credentials: credentials(who)?,
            sentinel_credentials: query.sentinel_credentials()?,
            database: query.database,
            timeout: query.timeout,
            tls: secure.then(|| query.tls.clone()),
            confirmation: query.confirmation()?,
        };
        uri.check()
    }

    fn check(self) -> Result<Self, UriError> {
        match (&self.deployment, &self.tls) {
            (Deployment::Socket(_), Some(_)) => Err(UriError::Conflict("TLS with a Unix socket")),
            (Deployment::Cluster(_), _) if self.database != 0 => {
                Err(UriError::Conflict("cluster=true with a dbid"))
            }
            _ => Ok(self),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        let list = |hosts: &[Address]| hosts.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        match &self.deployment {
            Deployment::Server(address) => write!(out, "{scheme}://{address}"),
            Deployment::Socket(path) => write!(out, "{scheme}://{}", path.display()),
            Deployment::Sentinel { sentinels, master } => {
                write!(out, "{scheme}://{}?master={master}", list(sentinels))
            }
            Deployment::Cluster(nodes) => write!(out, "{scheme}://{}?cluster=true", list(nodes)),
        }
    }
}

fn deployment(hosts: &str, path: &str, query: &Query) -> Result<Deployment, UriError> {
    match (&query.master, query.cluster) {
        (Some(_), true) => Err(UriError::Conflict("master with cluster=true")),
        (Some(master), false) => {
            Ok(Deployment::Sentinel { sentinels: addresses(hosts, SENTINEL_PORT)?, master: master.clone() })
        }
        (None, true) => Ok(Deployment::Cluster(addresses(hosts, SERVER_PORT)?)),
        (None, false) if hosts.is_empty() => match path {
            "" => Err(UriError::Nowhere),
            path => Ok(Deployment::Socket(path.into())),
        },
        (None, false) if hosts.contains(',') => Err(UriError::Several),
        (None, false) => address(hosts, SERVER_PORT).map(Deployment::Server),
    }
}

/// `user:password`, `:password`, or nothing.
fn credentials(text: &str) -> Result<Credentials, UriError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decoded = |text| percent_decode_str(text).decode_utf8().map_err(|_| UriError::Text);
    let (user, password) = (decoded(user)?, decoded(password)?);
    if !user.is_empty() && password.is_empty() {
        return Err(UriError::Password);
    }
    Ok(Credentials {
        user: (!user.is_empty()).then(|| user.into_owned()),
        password: (!password.is_empty()).then(|| SecretString::from(password.into_owned())),
    })
}

fn addresses(hosts: &str, port: u16) -> Result<Vec<Address>, UriError> {
    hosts.split(',').map(|host| address(host.trim(), port)).collect()
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
pub(super) fn address(text: &str, default: u16) -> Result<Address, UriError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(UriError::Host)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default,
        Some("") => default,
        Some(port) => port.parse().map_err(|_| UriError::Host)?,
        None => return Err(UriError::Host),
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(UriError::Host);
    }
    Ok(Address { host: host.to_owned(), port })
}
