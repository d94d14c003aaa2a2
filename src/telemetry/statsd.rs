//! The statsd exporter: aggregated in the process, sent over UDP once a second by one thread.
//!
//! It stands behind the `metrics` facade ([`metrics::Recorder`]), so that another exporter can join it.
//! It is our own because metrics-exporter-statsd 0.9 (on cadence 1.8), read for this purpose, does not fit:
//!
//! * Timings are cut to whole milliseconds; most of our calls take less than one, and would all read 0.
//! * Each event formats a line and sends it through a queue of 256 lines that drops beyond; nothing is added up.
//! * Its buffer is sent when full and by no clock, so that an idle service falls silent, and a gauge is sent
//!   only when it is set.
//! * Labels are always Datadog tags, which a plain statsd does not parse.
//! * The host is resolved once, at start, where a failure would stop the service.
//!
//! What leaves this one: a counter as the sum since the last send, if not 0; a gauge each time; of a timing at
//! most 64 durations in ms, with the sample rate (`|@0.1`) when there were more.

mod aggregate;
mod naming;

use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

pub(super) use aggregate::Aggregator;
pub(super) use naming::Naming;

/// Where and how metrics are sent (`[statsd]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdSettings {
    /// Name or address of the statsd server.
    pub host: String,
    /// Its UDP port.
    pub port: u16,
    /// Put before every name, with a dot; may be empty.
    pub prefix: String,
    /// True: labels as `DogStatsD` tags. False: labels as further parts of the name, for plain statsd.
    pub tags: bool,
}

/// Time between two sends.
const INTERVAL: Duration = Duration::from_secs(1);

/// Sends between two attempts to resolve a host that could not be resolved, and after which a host that could
/// be is resolved again, since its address may have changed.
const RESOLVE_AGAIN: (u32, u32) = (10, 60);

/// The most bytes of a datagram: what fits an Ethernet frame with IPv6 and some tunnel in between.
const DATAGRAM: usize = 1_400;

/// How long the end of the service waits for the last send.
const LAST_SEND: Duration = Duration::from_secs(1);

/// The running exporter; dropping it sends what is left and ends its thread.
pub(super) struct Exporter {
    stop: Option<SyncSender<()>>,
    ended: Receiver<()>,
}

impl Exporter {
    /// Starts the thread. An address that cannot be resolved or reached is logged by it and tried again.
    pub(super) fn start(settings: StatsdSettings, aggregator: Arc<Aggregator>) -> io::Result<Self> {
        Self::start_every(INTERVAL, settings, aggregator)
    }

    fn start_every(
        interval: Duration,
        settings: StatsdSettings,
        aggregator: Arc<Aggregator>,
    ) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        std::thread::Builder::new().name("statsd".to_owned()).spawn(move || {
            let mut sender = Sender::new(settings, aggregator);
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                sender.send();
            }
            sender.send();
            drop(end);
        })?;
        Ok(Self { stop: Some(stop), ended })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.take();
        // A thread that hangs in the resolver is left behind.
        let _ = self.ended.recv_timeout(LAST_SEND);
    }
}

/// What the thread works with.
struct Sender {
    settings: StatsdSettings,
    aggregator: Arc<Aggregator>,
    socket: Option<UdpSocket>,
    /// Sends until the host is resolved again.
    resolve_in: u32,
    /// True while the last send failed, so that a failure is logged once.
    failing: bool,
}

impl Sender {
    fn new(settings: StatsdSettings, aggregator: Arc<Aggregator>) -> Self {
        Self { settings, aggregator, socket: None, resolve_in: 0, failing: false }
    }

    /// Sends everything once. Without a socket nothing is taken, so that counters keep adding up.
    fn send(&mut self) {
        let result = self.refresh().and_then(|()| self.drain());
        match &result {
            Err(error) if !self.failing => tracing::warn!(
                error = error as &dyn std::error::Error,
                "metrics cannot be sent to statsd at {}:{}; trying on",
                self.settings.host,
                self.settings.port
            ),
            Ok(()) if self.failing => tracing::info!("metrics are sent to statsd again"),
            _ => {}
        }
        self.failing = result.is_err();
    }

    /// Resolves the host and opens a socket where it is time to.
    fn refresh(&mut self) -> io::Result<()> {
        if self.resolve_in > 0 {
            self.resolve_in -= 1;
        } else {
            self.socket = None;
            self.resolve_in = RESOLVE_AGAIN.0;
            self.socket = Some(connect(&self.settings.host, self.settings.port)?);
            self.resolve_in = RESOLVE_AGAIN.1;
        }
        if self.socket.is_some() { Ok(()) } else { Err(io::Error::other("host not resolved")) }
    }

    /// Sends all lines in as few datagrams as they fit in: the first error, after trying all of them.
    fn drain(&self) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let mut first = Ok(());
        let mut datagram = Vec::with_capacity(DATAGRAM);
        self.aggregator.drain(|line| {
            if !datagram.is_empty() && datagram.len() + 1 + line.len() > DATAGRAM {
                first = std::mem::replace(&mut first, Ok(())).and(send_once(socket, &datagram));
                datagram.clear();
            }
            if !datagram.is_empty() {
                datagram.push(b'\n');
            }
            datagram.extend_from_slice(line.as_bytes());
        });
        if datagram.is_empty() { first } else { first.and(send_once(socket, &datagram)) }
    }
}

/// Sends one datagram. A refusal that is reported here belongs to an earlier one, so this one is sent again.
fn send_once(socket: &UdpSocket, datagram: &[u8]) -> io::Result<()> {
    let sent = socket.send(datagram);
    if let Err(error) = &sent
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        let _ = socket.send(datagram);
    }
    sent.map(|_| ())
}

/// A socket that sends to the first address of the host, IPv4 or IPv6, and never blocks for long.
fn connect(host: &str, port: u16) -> io::Result<UdpSocket> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let Some(peer) = (host, port).to_socket_addrs()?.next() else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    };
    let socket = UdpSocket::bind(if peer.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" })?;
    socket.connect(peer)?;
    socket.set_write_timeout(Some(LAST_SEND))?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
