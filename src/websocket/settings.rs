//! The limits of WebSocket connections.

use std::time::Duration;

use super::origin::Origins;

/// The greatest message where the values in it are small.
const LARGE: u64 = 1024 * 1024;

/// The limits of WebSocket connections; [`Default`] holds the documented numbers.
#[derive(Clone, Debug)]
pub struct WebSocketSettings {
    /// The only port that a Host header may name on the own listener; None for any.
    pub external_port: Option<u16>,
    /// The web pages that may connect.
    pub origins: Origins,
    /// Connections at the same time, over both front doors; more are refused with 503.
    pub max_connections: usize,
    /// The greatest message of a client in bytes; then the connection is closed with 1009.
    pub max_message: usize,
    /// Requests of a connection that run or wait at the same time; one more is read, to see whether the client is there.
    pub in_flight: usize,
    /// Requests of a connection within a second; those beyond are answered 429.
    pub rate: Option<u32>,
    /// Bytes queued for a client from which on it gets no more pushes, and, where it takes none of them for
    /// `slow_reader`, is disconnected with 4008.
    pub queued: usize,
    /// See `queued`.
    pub slow_reader: Duration,
    /// The longest time a client may take no byte of however little that is queued; then it is disconnected too.
    pub write_idle: Duration,
    /// How often a client is pinged. One that leaves a ping without any sign of life until the next is gone.
    pub ping: Duration,
    /// How long the connection may take to become a WebSocket after the handshake was accepted.
    pub open: Duration,
    /// How long the closing handshake may take.
    pub close: Duration,
}

impl WebSocketSettings {
    /// Fits the greatest message to the greatest value that a request may hold, in bytes: there is room for twice as
    /// much, so that a value which is only somewhat too large is answered and does not end the connection.
    pub fn fit_values(&mut self, greatest: u64) {
        self.max_message = usize::try_from(greatest.saturating_mul(2).max(LARGE)).unwrap_or(usize::MAX);
    }
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self {
            external_port: None,
            origins: Origins::default(),
            max_connections: usize::MAX,
            max_message: 1024 * 1024,
            in_flight: 16,
            rate: None,
            queued: 1024 * 1024,
            slow_reader: Duration::from_secs(5),
            write_idle: Duration::from_mins(1),
            ping: Duration::from_mins(2),
            open: Duration::from_secs(5),
            close: Duration::from_secs(1),
        }
    }
}
