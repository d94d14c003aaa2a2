//! Answers that say that a command was not carried out, and is worth another attempt.

use super::error::ServerError;
use crate::storage::redis::uri::{self, Address};

/// Why a server did not carry a command out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another server has the key's slot. No host: the same as the server that says so.
    Moved { host: Option<String>, port: u16 },
    /// Another server may have the key already, if it is asked with `ASKING`.
    Ask { host: Option<String>, port: u16 },
    /// It is a replica, is starting, or the Cluster is not whole: somebody else serves, or it will itself.
    Later,
}

/// What the error means, where it proves that nothing was carried out.
///
/// A function is refused as a whole: a server does not turn into a replica, nor do slots move, while one runs.
pub(super) fn refusal(error: &ServerError) -> Option<Refusal> {
    match error.code.as_str() {
        "MOVED" => place(&error.text).map(|(host, port)| Refusal::Moved { host, port }),
        "ASK" => place(&error.text).map(|(host, port)| Refusal::Ask { host, port }),
        "READONLY" | "MASTERDOWN" | "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" => Some(Refusal::Later),
        // Servers before version 7 wrap the error of a command in that of the script.
        "ERR" if error.text.contains("-READONLY ") => Some(Refusal::Later),
        _ => None,
    }
}

/// `slot host:port`, where the host may be empty.
fn place(text: &str) -> Option<(Option<String>, u16)> {
    let address = text.split(' ').nth(1)?;
    // An IPv6 address comes without brackets.
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    if host.is_empty() {
        return Some((None, port));
    }
    match host.strip_prefix('[') {
        Some(_) => uri::address(address, port).ok().map(|Address { host, port }| (Some(host), port)),
        None => Some((Some(host.to_owned()), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Refusal> {
        refusal(&ServerError::parse(line))
    }

    #[test]
    fn redirections_name_a_server() {
        let moved = |host: Option<&str>, port| Some(Refusal::Moved { host: host.map(str::to_owned), port });
        assert_eq!(read("MOVED 3999 127.0.0.1:6381"), moved(Some("127.0.0.1"), 6381));
        assert_eq!(read("MOVED 3999 ::1:6381"), moved(Some("::1"), 6381));
        assert_eq!(read("MOVED 3999 [::1]:6381"), moved(Some("::1"), 6381));
        assert_eq!(read("MOVED 3999 :6381"), moved(None, 6381));
        assert_eq!(read("ASK 1 h:1"), Some(Refusal::Ask { host: Some("h".into()), port: 1 }));
        assert_eq!(read("MOVED 3999"), None);
    }

    #[test]
    fn only_what_proves_that_nothing_ran_is_tried_again() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write",
        ] {
            assert_eq!(read(line), Some(Refusal::Later), "{line}");
        }
        for line in ["ERR unknown command", "GONE", "NOSCRIPT No matching script", "OOM command not allowed"]
        {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
