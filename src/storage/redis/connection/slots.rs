//! Which server of a Cluster has which keys.

use std::sync::Arc;

use redis::Value;

use super::link::text;
use super::server::Server;
use crate::storage::redis::uri::Address;

/// Slots of a Cluster.
const SLOTS: usize = 16_384;

/// No server has the slot.
const NOBODY: u16 = u16::MAX;

/// The table of CRC-16/XMODEM, by the leading byte.
const CRC: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let (mut table, mut byte) = ([0; 256], 0_usize);
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "a byte")]
        let (mut crc, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            crc = (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// The slot of a key: of what stands in its first pair of braces, unless that is nothing.
pub(super) fn slot(key: &[u8]) -> usize {
    let tag = || {
        let start = key.iter().position(|byte| *byte == b'{')? + 1;
        let length = key[start..].iter().position(|byte| *byte == b'}')?;
        (length > 0).then(|| &key[start..start + length])
    };
    let step = |crc: u16, byte: &u8| (crc << 8) ^ CRC[usize::from((crc >> 8) ^ u16::from(*byte))];
    usize::from(tag().unwrap_or(key).iter().fold(0, step)) % SLOTS
}

/// The masters of a Cluster and their slots.
pub(super) struct Map {
    pub(super) servers: Vec<Arc<Server>>,
    owners: Vec<u16>,
}

impl Map {
    /// Before anything is known.
    pub(super) fn unknown() -> Self {
        Self { servers: Vec::new(), owners: vec![NOBODY; SLOTS] }
    }

    /// From these ranges of slots; `server` makes or finds the server at an address.
    pub(super) fn new(ranges: &[Range], mut server: impl FnMut(&Address) -> Arc<Server>) -> Self {
        let mut map = Self::unknown();
        let mut known: Vec<&Address> = Vec::new();
        for range in ranges {
            let index = known.iter().position(|address| **address == range.master).unwrap_or_else(|| {
                known.push(&range.master);
                map.servers.push(server(&range.master));
                known.len() - 1
            });
            let owner = u16::try_from(index).unwrap_or(NOBODY);
            map.owners[range.first..=range.last].fill(owner);
        }
        map
    }

    /// The server that has the key.
    pub(super) fn owner(&self, key: &[u8]) -> Option<&Arc<Server>> {
        self.servers.get(usize::from(self.owners[slot(key)]))
    }
}

/// Slots that one master has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: usize,
    last: usize,
    master: Address,
}

/// Reads the answer of `CLUSTER SLOTS`. A server that does not know its own host leaves it empty: it is the one
/// that it was asked under.
pub(super) fn ranges(answer: &Value, asked: &str) -> Option<Vec<Range>> {
    let Value::Array(rows) = answer else { return None };
    let ranges: Option<Vec<_>> = rows.iter().map(|row| range(row, asked)).collect();
    ranges.filter(|ranges| !ranges.is_empty())
}

fn range(row: &Value, asked: &str) -> Option<Range> {
    let Value::Array(row) = row else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = row.as_slice() else { return None };
    let [host, Value::Int(port), ..] = master.as_slice() else { return None };
    let host = text(host).filter(|host| !host.is_empty() && *host != "?").unwrap_or(asked);
    let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
    let master = Address { host: host.to_owned(), port: u16::try_from(*port).ok()? };
    (first <= last && last < SLOTS).then_some(Range { first, last, master })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // From the Cluster specification and CLUSTER KEYSLOT of a server.
        for (key, expected) in [
            (&b"123456789"[..], 0x31C3),
            (b"foo", 12182),
            (b"bar", 5061),
            (b"", 0),
            (b"{foo}.bar", 12182),
            (b"x{foo}{bar}", 12182),
            (b"foo{}{bar}", 8363),
        ] {
            assert_eq!(slot(key), expected, "{}", String::from_utf8_lossy(key));
        }
    }

    fn row(first: i64, last: i64, host: Value, port: i64) -> Value {
        Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(vec![host, Value::Int(port)])])
    }

    #[test]
    fn the_answer_of_a_server_is_read() {
        let host = |text: &str| Value::BulkString(text.into());
        let at = |host: &str, port| Address { host: host.into(), port };
        let answer = Value::Array(vec![row(0, 99, host("a"), 1), row(100, 16383, Value::Nil, 2)]);
        let expected = vec![
            Range { first: 0, last: 99, master: at("a", 1) },
            Range { first: 100, last: 16383, master: at("me", 2) },
        ];
        assert_eq!(ranges(&answer, "me"), Some(expected));
        for wrong in [row(5, 4, host("a"), 1), row(0, 16384, host("a"), 1), row(0, 1, host("a"), 70_000)] {
            assert_eq!(ranges(&Value::Array(vec![wrong]), "me"), None);
        }
        assert_eq!(ranges(&Value::Array(vec![]), "me"), None);
    }
}
