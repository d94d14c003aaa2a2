//! Where a server is, in the notations of the Python clients.

use std::fmt;
use std::path::PathBuf;

/// The port of memcached.
const PORT: u16 = 11_211;

/// The place of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host, by name or address, and its port.
    Tcp(String, u16),
    /// A socket of this machine.
    Unix(PathBuf),
}

impl Address {
    /// Reads `host`, `host:port`, `[address]:port`, the same behind `inet:` and `inet6:`, or `unix:path`; `None` for
    /// anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Self::Unix(path.into()));
        }
        let text = text.strip_prefix("inet6:").or_else(|| text.strip_prefix("inet:")).unwrap_or(text);
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']')? {
                (host, "") => (host, None),
                (host, port) => (host, Some(port.strip_prefix(':')?)),
            },
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
        let legal = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
        legal.then(|| Self::Tcp(host.to_owned(), port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notations_of_the_python_clients() {
        for (text, expected) in [
            ("cache", "cache:11211"),
            ("10.0.0.1:9", "10.0.0.1:9"),
            ("inet:cache:9", "cache:9"),
            ("inet6:[::1]:9", "[::1]:9"),
            ("[::1]", "[::1]:11211"),
            ("unix:/run/memcached", "unix:/run/memcached"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in
            ["", ":9", "unix:", "cache:port", "cache:70000", "::1", "[::1]9x", "http://cache:9", "a b"]
        {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
