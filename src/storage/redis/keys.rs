//! The names of keys: `zaqar1:{PROJECT/QUEUE}:SUFFIX`.
//!
//! What stands in the braces decides the hash slot, so that all keys of a queue lie together. Project and queue are
//! escaped as in URLs: all bytes but letters, digits, `_`, `-` and `.` become `%XX`. So no two queues share keys,
//! and no `{`, `}`, `/` or wildcard comes from outside.

use std::fmt::Write as _;

use crate::model::{ProjectId, QueueName, QueueRef};

/// What all keys begin with.
pub(super) const PREFIX: &str = "zaqar1:";

/// The identity of the store.
pub(super) const IDENTITY: &str = "zaqar1:identity";

/// Written by a ping, to see that the server takes writes.
pub(super) const PING: &str = "zaqar1:ping";

/// Every queue has this key: its own fields.
pub(super) const QUEUE: &str = ":q";

/// Messages by id.
pub(super) const MESSAGES: &str = ":m";

/// Claimed messages.
pub(super) const CLAIMED: &str = ":c";

/// Outgoing dead letters, while there are any.
pub(super) const OUTGOING: &str = ":o";

/// What is on its way to another store, while there is anything.
pub(super) const TRANSIT: &str = ":t";

/// The channel on which a queue's rings are published; no key.
pub(super) const CHANNEL: &str = ":w";

/// What the keys of a queue begin with; the function library adds the suffixes.
pub(super) fn base(queue: &QueueRef) -> String {
    base_of_names(&queue.project, &queue.name)
}

/// The same for the queue of that project and name.
pub(super) fn base_of_names(project: &ProjectId, name: &QueueName) -> String {
    let mut base = String::with_capacity(PREFIX.len() + 64);
    base.push_str(PREFIX);
    base.push('{');
    escape(project.as_str(), &mut base);
    base.push('/');
    escape(name.as_str(), &mut base);
    base.push('}');
    base
}

/// The base of a queue's key with that suffix; `None` for any other key.
pub(super) fn base_of<'a>(key: &'a str, suffix: &str) -> Option<&'a str> {
    key.strip_suffix(suffix).filter(|base| names(base).is_some())
}

/// The project and the queue of that base.
pub(super) fn names(base: &str) -> Option<(ProjectId, QueueName)> {
    let tag = base.strip_prefix(PREFIX)?.strip_prefix('{')?.strip_suffix('}')?;
    let (project, name) = tag.split_once('/')?;
    Some((ProjectId::new(&unescape(project)?), QueueName::parse(&unescape(name)?)?))
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The text that [`escape`] made this of; `None` where it made it of none.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => bytes.push(hex(rest.next()?)? * 16 + hex(rest.next()?)?),
            byte if plain(byte) => bytes.push(byte),
            _ => return None,
        }
    }
    let found = String::from_utf8(bytes).ok()?;
    let mut again = String::with_capacity(text.len());
    escape(&found, &mut again);
    (again == text).then_some(found)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Epoch;

    fn queue(project: &str, name: &str) -> QueueRef {
        let name = QueueName::parse(name).unwrap();
        QueueRef { project: ProjectId::new(project), name, epoch: Epoch(1) }
    }

    #[test]
    fn keys_tell_project_and_queue() {
        assert_eq!(base(&queue("", "q")), "zaqar1:{/q}");
        assert_eq!(base(&queue("a/b{c}*%ü", "x.y")), "zaqar1:{a%2Fb%7Bc%7D%2A%25%C3%BC/x.y}");
        for project in ["", "p", "a/b", "a%2Fb", "{", "}", "a b\0", "é", "e\u{301}", "*?[x]\\"] {
            let queue = queue(project, "Q_-.9");
            let base = base(&queue);
            assert_eq!(base.matches(['{', '}', '/', '*', '?', '[']).count(), 3, "{base}");
            assert_eq!(names(&base), Some((queue.project, queue.name)), "{project:?}");
        }
    }

    #[test]
    fn foreign_keys_are_nobody_s() {
        for key in [
            "",
            "zaqar1:identity",
            "zaqar1:{p/q}",
            "zaqar1:{p/q}:m",
            "zaqar1:{p}:q",
            "zaqar1:{p/}:q",
            "zaqar1:{p/q/r}:q",
            "zaqar1:{%zz/q}:q",
            "zaqar1:{%2f/q}:q",
            "zaqar1:{%41/q}:q",
            "zaqar1:{%FF/q}:q",
            "zaqar1:{%2/q}:q",
            "zaqar2:{p/q}:q",
        ] {
            assert_eq!(base_of(key, QUEUE), None, "{key}");
        }
        assert_eq!(base_of("zaqar1:{p/q}:q", QUEUE), Some("zaqar1:{p/q}"));
    }
}
