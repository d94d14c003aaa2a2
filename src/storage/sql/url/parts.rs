//! A server's URL taken apart, as `SQLAlchemy` does it: the user and the password are percent-encoded, the name of
//! the database is not; IPv6 addresses stand in brackets.

use percent_encoding::percent_decode_str;

use super::{malformed, printable};
use crate::storage::sql::OpenError;

/// The parts behind the scheme.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) database: String,
    /// Names and values behind the question mark, in their order.
    pub(super) parameters: Vec<(String, String)>,
}

impl Parts {
    /// Takes `user:password@host:port/database?name=value&…` apart; all but the database may be missing.
    pub(super) fn parse(text: &str) -> Result<Self, OpenError> {
        // The password of SQLAlchemy's own pattern holds anything but an @.
        let (login, text) = match text.split_once('@') {
            Some((login, _)) if login.split(':').next().is_some_and(|user| user.contains(['/', '?'])) => {
                (None, text)
            }
            Some((login, rest)) => (Some(login), rest),
            None => (None, text),
        };
        let (text, query) = text.split_once('?').unwrap_or((text, ""));
        let (server, database) = text.split_once('/').unwrap_or((text, ""));
        let (host, port) = host_and_port(server)?;
        let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
            Some(Ok((user, password))) => (Some(decoded(user)?), Some(decoded(password)?)),
            Some(Err(user)) => (Some(decoded(user)?), None),
            None => (None, None),
        };
        Ok(Self { user, password, host, port, database: database.to_owned(), parameters: parameters(query)? })
    }
}

fn host_and_port(server: &str) -> Result<(Option<String>, Option<u16>), OpenError> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| malformed("an IPv6 address has no end"))?;
            (host, port.strip_prefix(':').unwrap_or(port))
        }
        None => server.split_once(':').unwrap_or((server, "")),
    };
    let port = match port {
        "" => None,
        port => Some(port.parse().map_err(|_| malformed("the port is no number"))?),
    };
    let host = (!host.is_empty()).then(|| decoded(host)).transpose()?;
    Ok((host, port))
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, OpenError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
    });
    pairs.collect()
}

fn decoded(text: &str) -> Result<String, OpenError> {
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_| malformed("what is percent-encoded is no UTF-8"))?.into_owned())
}

/// What a parameter of two values says.
pub(super) fn truth(value: &str) -> Result<bool, OpenError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(malformed("a parameter that must be true or false is neither")),
    }
}

/// Says once at start that parameters have no effect here, by their names alone.
pub(super) fn ignored(names: &[&str]) {
    if !names.is_empty() {
        let names: Vec<_> = names.iter().map(|name| printable(name)).collect();
        tracing::warn!(parameters = names.join(", "), "parameters of the database URL have no effect here");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Parts {
        Parts::parse(text).unwrap()
    }

    #[test]
    fn every_part_is_found() {
        let all = parsed("us%40er:p%40ss%2F%3A%25:x@db.example:3307/za%20qar?a=b%26+c&d=");
        assert_eq!(all.user.as_deref(), Some("us@er"));
        assert_eq!(all.password.as_deref(), Some("p@ss/:%:x"));
        assert_eq!((all.host.as_deref(), all.port), (Some("db.example"), Some(3307)));
        assert_eq!(all.database, "za%20qar");
        assert_eq!(all.parameters, [("a".into(), "b& c".into()), ("d".into(), String::new())]);
    }

    #[test]
    fn most_parts_may_be_missing() {
        let bare = parsed("/zaqar");
        assert_eq!(bare, Parts { database: "zaqar".into(), ..Parts::default() });
        let six = parsed("u@[fe80::1]:5432/d");
        assert_eq!((six.user.as_deref(), six.password), (Some("u"), None));
        assert_eq!((six.host.as_deref(), six.port), (Some("fe80::1"), Some(5432)));
        assert_eq!(parsed("[::1]/d").host.as_deref(), Some("::1"));
        let mail = parsed("h/d?application_name=a@b");
        assert_eq!((mail.user, mail.host.as_deref()), (None, Some("h")));
    }
}
