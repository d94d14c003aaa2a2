//! What a URL says about a `PostgreSQL` server: the parameters of libpq.

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::parts::{Parts, ignored};
use super::{Address, malformed};
use crate::storage::sql::OpenError;

/// How connections to that server are made, and how messages name it. A host that begins with a slash is the
/// directory of a socket. Without a password the client's password file is asked, as libpq does.
pub(super) fn options(parts: &Parts) -> Result<(PgConnectOptions, Address), OpenError> {
    let parameter = |wanted: &str| {
        let mut found = parts.parameters.iter().rev().filter(|(name, _)| name == wanted);
        found.next().map(|(_, value)| value.as_str())
    };
    let database = parameter("dbname").unwrap_or(&parts.database);
    if database.is_empty() {
        return Err(malformed("it names no database"));
    }
    let host = parameter("host").or(parts.host.as_deref()).unwrap_or("localhost");
    let port = match parameter("port") {
        Some(port) => port.parse().map_err(|_| malformed("the port is no number"))?,
        None => parts.port.unwrap_or(5432),
    };
    let mut options = PgConnectOptions::new()
        .port(port)
        .database(database)
        .application_name("zaqar")
        .disable_statement_logging();
    options = if host.starts_with('/') { options.socket(host) } else { options.host(host) };
    if let Some(user) = parameter("user").or(parts.user.as_deref()) {
        options = options.username(user);
    }
    if let Some(password) = parameter("password").or(parts.password.as_deref()) {
        options = options.password(password);
    }
    let mut unknown = Vec::new();
    for (name, value) in &parts.parameters {
        match name.as_str() {
            "dbname" | "host" | "port" | "user" | "password" => {}
            "sslmode" => options = options.ssl_mode(mode(value)?),
            "sslrootcert" => options = options.ssl_root_cert(value),
            "sslcert" => options = options.ssl_client_cert(value),
            "sslkey" => options = options.ssl_client_key(value),
            "application_name" => options = options.application_name(value),
            other => unknown.push(other),
        }
    }
    ignored(&unknown);
    Ok((options, format!("{host}:{port}/{database}")))
}

fn mode(value: &str) -> Result<PgSslMode, OpenError> {
    match value {
        "disable" => Ok(PgSslMode::Disable),
        "allow" => Ok(PgSslMode::Allow),
        "prefer" => Ok(PgSslMode::Prefer),
        "require" => Ok(PgSslMode::Require),
        "verify-ca" => Ok(PgSslMode::VerifyCa),
        "verify-full" => Ok(PgSslMode::VerifyFull),
        _ => Err(malformed("sslmode is none of disable, allow, prefer, require, verify-ca, verify-full")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rest: &str) -> (PgConnectOptions, Address) {
        options(&Parts::parse(rest).unwrap()).unwrap()
    }

    #[test]
    fn the_server_and_the_login_are_understood() {
        let (options, address) = parsed("zaqar:p%40ss@[::1]:5433/zaqar?sslmode=verify-full&sslrootcert=/ca");
        assert_eq!((options.get_host(), options.get_port()), ("::1", 5433));
        assert_eq!((options.get_username(), options.get_database()), ("zaqar", Some("zaqar")));
        assert!(matches!(options.get_ssl_mode(), PgSslMode::VerifyFull));
        let shown = format!("{options:?}");
        assert!(shown.contains("\"p@ss\"") && shown.contains("/ca"), "{shown}");
        assert_eq!(address, "::1:5433/zaqar");
    }

    #[test]
    fn a_socket_is_named_by_its_directory() {
        let (options, address) = parsed("zaqar@/zaqar?host=/run/postgresql&port=5434");
        assert_eq!(options.get_socket().map(|path| path.to_str().unwrap()), Some("/run/postgresql"));
        assert_eq!((options.get_port(), address.as_str()), (5434, "/run/postgresql:5434/zaqar"));
    }
}
