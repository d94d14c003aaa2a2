//! The limits of a listener.

use std::sync::Arc;
use std::time::Duration;

use super::{ConnectionCounts, Tls};

/// The limits of one listener; [`Default`] holds the documented numbers.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// From the first byte of a request until its header block is complete. HTTP/1.1 only: on HTTP/2 an
    /// unfinished header block counts as idleness.
    pub header_read: Duration,
    /// The longest silence within a declared request body; then 408, and HTTP/1.1 closes.
    pub body_idle: Duration,
    /// The longest time a client may take no byte of an answer; then the connection is closed.
    pub write_idle: Duration,
    /// The longest time that the client's system may leave what was sent without a word (`TCP_USER_TIMEOUT`); then the
    /// client counts as gone: its cable is cut, its machine off. Longer than `write_idle`, since a client that is there
    /// and takes nothing is silent in this sense too, and is to be told why it is disconnected.
    pub unacknowledged: Duration,
    /// How long a connection without a request is kept, from its start or its last answer.
    pub keep_alive_idle: Duration,
    /// How long a TLS handshake may take.
    pub tls_handshake: Duration,
    /// How long bytes are read and thrown away after an answer to a request that was not read to its end,
    /// so that the client gets that answer and not a reset. Also how long a closing HTTP/2 client may take
    /// to say goodbye.
    pub linger: Duration,
    /// How long running requests may go on after the shutdown began.
    pub drain_timeout: Duration,
    /// The largest header block in bytes, request line included; then 431. Values below 8 KiB count as that.
    pub header_block: usize,
    /// Connections open at the same time; the newest beyond it is closed at once.
    pub max_connections: usize,
    /// The same for one client address (IPv6: one /64 network). None by default, because behind a load
    /// balancer all clients have one address.
    pub max_connections_per_address: Option<usize>,
    /// Limits of HTTP/2 connections.
    pub http2: Http2Settings,
    /// The certificate; None serves plain text.
    pub tls: Option<Arc<Tls>>,
    /// Where connections are counted. Listeners that share it share `max_connections`.
    pub counts: Arc<ConnectionCounts>,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            body_idle: Duration::from_mins(1),
            write_idle: Duration::from_mins(1),
            unacknowledged: Duration::from_secs(90),
            keep_alive_idle: Duration::from_secs(75),
            tls_handshake: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
            header_block: 64 * 1024,
            max_connections: 16_384,
            max_connections_per_address: None,
            http2: Http2Settings::default(),
            tls: None,
            counts: Arc::default(),
        }
    }
}

impl ListenerSettings {
    /// Lowers `max_connections` so that a process with `open_files` file descriptors keeps an eighth of
    /// them, at most 512, for its stores, logs and clients.
    pub fn fit_open_files(&mut self, open_files: u64) {
        let kept = (open_files / 8).min(512);
        let free = usize::try_from(open_files - kept).unwrap_or(usize::MAX);
        self.max_connections = self.max_connections.min(free);
    }
}

/// Limits of one HTTP/2 connection.
#[derive(Clone, Copy, Debug)]
pub struct Http2Settings {
    /// Requests at the same time; more are refused by the protocol.
    pub max_streams: u32,
    /// Requests that the client opened and reset before they were taken up; more end the connection
    /// (CVE-2023-44487).
    pub max_pending_resets: usize,
    /// Streams that we had to reset for the client's protocol errors; more end the connection.
    pub max_error_resets: usize,
    /// How often a silent client is pinged.
    pub ping_interval: Duration,
    /// How long it may take to answer a ping; then the connection is closed.
    pub ping_timeout: Duration,
}

impl Default for Http2Settings {
    fn default() -> Self {
        Self {
            max_streams: 100,
            max_pending_resets: 20,
            max_error_resets: 100,
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_stores() {
        let mut settings = ListenerSettings::default();
        settings.fit_open_files(1_000_000);
        assert_eq!(settings.max_connections, 16_384);
        settings.fit_open_files(10_000);
        assert_eq!(settings.max_connections, 9_488);
        settings.fit_open_files(1_024);
        assert_eq!(settings.max_connections, 896);
    }
}
