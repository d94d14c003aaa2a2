//! A client of memcached for the cache of tokens: `get` and `set` on several servers, where the Python clients look.
//!
//! Ours, because what is wanted is small and the limits on a slow or lying server are the point: every call ends
//! within its time-out, and a server that failed is left alone for a while. A call never fails: an entry that cannot
//! be had is absent.

mod address;
mod binary;
mod connection;
mod ring;
mod server;
mod text;
mod tls;

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::ZlibDecoder;
use rustls::ClientConfig;
use secrecy::SecretString;

pub use self::address::Address;
use self::connection::Request;
use self::server::Server;
pub use self::tls::{TlsError, client_config};

/// The largest value that is sent or accepted, in bytes: memcached's own limit, and that of the Python client.
const MAX_VALUE: usize = 1 << 20;

/// The longest time for which an entry can be stored, in seconds; memcached takes a larger number for a date.
const MAX_SECONDS: u64 = 30 * 24 * 3_600;

/// What the flags of a value mean to the Python clients: it is compressed, or it is some other thing than bytes or
/// text (an object, a number).
const COMPRESSED: u32 = 1 << 3;
const NO_BYTES: u32 = 0b111;

/// How the servers are used: `memcache_pool_*`, `memcache_tls_*` and `memcache_sasl_*`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a call may take, connecting included.
    pub timeout: Duration,
    /// How long to wait for a connection that others use; never longer than `timeout`.
    pub wait: Duration,
    /// How long a server that failed is left alone.
    pub dead_retry: Duration,
    /// How long a connection stays open without use.
    pub unused: Duration,
    /// The most connections to each server.
    pub max_connections: usize,
    /// Connections are encrypted.
    pub tls: Option<Arc<ClientConfig>>,
    /// Connections log in.
    pub credentials: Option<Credentials>,
}

/// A user of memcached.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// The servers of a cache.
pub struct Memcached {
    servers: Vec<Server>,
    settings: Settings,
}

/// A value as it lies on a server.
#[derive(Debug)]
struct Stored {
    flags: u32,
    value: Vec<u8>,
}

impl Memcached {
    /// A client of these servers; connects when there is something to ask.
    pub fn new(addresses: Vec<Address>, settings: Settings) -> Self {
        let servers = addresses.into_iter().map(|address| Server::new(address, &settings)).collect();
        Self { servers, settings }
    }

    /// The entry of that name; `None` where it cannot be had. The name has no spaces and at most 250 bytes.
    pub async fn get(&self, name: &str) -> Option<Vec<u8>> {
        for server in self.order(name) {
            match server.call(&self.settings, Request { name, value: None }).await {
                Ok(Some(found)) => return found.bytes(),
                Ok(None) if self.replicates() => {}
                // Another server is asked only if this one did not take the time for it.
                Err(error) if is_quick(&error) => {}
                Ok(None) | Err(_) => return None,
            }
        }
        None
    }

    /// Stores an entry for so many seconds, if it can be.
    pub async fn set(&self, name: &str, value: &[u8], seconds: u64) {
        if value.len() > MAX_VALUE || seconds == 0 {
            return;
        }
        let seconds = seconds.min(MAX_SECONDS);
        for server in self.order(name) {
            let request = Request { name, value: Some((value, seconds)) };
            let done = server.call(&self.settings, request).await;
            if done.is_ok() && !self.replicates() {
                return;
            }
        }
    }

    /// The servers that are worth asking for that entry, each once, the right one first.
    fn order(&self, name: &str) -> impl Iterator<Item = &Server> {
        let count = self.servers.len();
        let places: Vec<usize> =
            if self.replicates() { (0..count).collect() } else { ring::places(name, count).collect() };
        let first = |at: usize, places: &[usize]| !places[..at].contains(&places[at]);
        let once: Vec<usize> =
            (0..places.len()).filter(|at| first(*at, &places)).map(|at| places[at]).collect();
        once.into_iter().map(|place| &self.servers[place]).filter(|server| server.is_alive())
    }

    /// With TLS or a login the Python service takes another client (python-binary-memcached), which stores every
    /// entry on all servers, and asks them in turn.
    fn replicates(&self) -> bool {
        self.settings.tls.is_some() || self.settings.credentials.is_some()
    }
}

impl Stored {
    /// Its bytes, of whatever size of theirs is bearable; `None` for anything that is not bytes or text.
    fn bytes(self) -> Option<Vec<u8>> {
        if self.flags & NO_BYTES != 0 {
            return None;
        }
        if self.flags & COMPRESSED == 0 {
            return Some(self.value);
        }
        let mut bytes = Vec::new();
        let limit = MAX_VALUE as u64 + 1;
        ZlibDecoder::new(self.value.as_slice()).take(limit).read_to_end(&mut bytes).ok()?;
        (bytes.len() <= MAX_VALUE).then_some(bytes)
    }
}

/// Whether a failed call left its time-out for others.
fn is_quick(error: &std::io::Error) -> bool {
    !matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn stored(flags: u32, value: &[u8]) -> Option<Vec<u8>> {
        Stored { flags, value: value.to_vec() }.bytes()
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bytes_and_texts_are_read_compressed_or_not() {
        assert_eq!(stored(0, b"bytes").unwrap(), b"bytes");
        assert_eq!(stored(16, b"text").unwrap(), b"text");
        assert_eq!(stored(16 | COMPRESSED, &compressed(b"bytes")).unwrap(), b"bytes");
    }

    #[test]
    fn objects_are_not_read_nor_what_expands_without_end() {
        for flags in [1, 2, 4, 1 | COMPRESSED] {
            assert_eq!(stored(flags, b"cos\nsystem\n"), None);
        }
        assert_eq!(stored(COMPRESSED, b"not compressed"), None);
        assert_eq!(stored(COMPRESSED, &compressed(&vec![0; MAX_VALUE])).unwrap().len(), MAX_VALUE);
        assert_eq!(stored(COMPRESSED, &compressed(&vec![0; MAX_VALUE + 1])), None);
    }
}
