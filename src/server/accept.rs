//! The port: its opening and its accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Peer, Server, connection};

/// Opens `address` with room for a burst of new connections, as far as `net.core.somaxconn` allows.
///
/// The usual queue of 128 overflows when many clients come at once, and each that finds it full waits a
/// second before it tries again. Needs a runtime.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    const QUEUE: u32 = 4096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the old connections' last minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Accepts connections until `shutdown` is cancelled. Errors never end it.
pub(super) async fn accept_until(listener: &TcpListener, server: &Arc<Server>, shutdown: &CancellationToken) {
    let mut backoff = Backoff::default();
    let mut refusals = Occasionally::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, mut address)) => {
                backoff = Backoff::default();
                address.set_ip(address.ip().to_canonical());
                let peer = Peer { address, tls: server.settings.tls.is_some() };
                admit(socket, peer, server, &mut refusals);
            }
            Err(error) => {
                let Some(pause) = backoff.after(&error) else { continue };
                tracing::warn!(error = %error, pause.ms = pause.as_millis(), "cannot accept connections");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}

/// Starts serving a connection, or closes it at once where a limit is reached.
fn admit(socket: TcpStream, peer: Peer, server: &Arc<Server>, refusals: &mut Occasionally) {
    if let Some(slot) = server.slots.take(peer.address.ip()) {
        server.tasks.spawn(connection::run(Arc::clone(server), socket, peer, slot));
    } else if let Some(connections) = refusals.note(Instant::now()) {
        tracing::warn!(
            client.address = %peer.address,
            connections.refused = connections,
            "too many connections, the newest are closed"
        );
    }
}

/// Pauses between failing accepts, so that a lack of file descriptors does not spin a core.
#[derive(Debug, Default)]
struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);

    /// How long to pause after `error`: doubling, up to a second; None for the fault of a single client.
    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return None;
        }
        let pause = self.last.map_or(Self::FIRST, |last| (last * 2).min(Self::LONGEST));
        self.last = Some(pause);
        Some(pause)
    }
}

/// Counts events and lets one log line a second through.
#[derive(Debug, Default)]
struct Occasionally {
    last: Option<Instant>,
    unsaid: u64,
}

impl Occasionally {
    /// The number of events since the last line, where a line is due.
    fn note(&mut self, now: Instant) -> Option<u64> {
        self.unsaid += 1;
        if self.last.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMFILE: i32 = 24;

    #[test]
    fn a_lack_of_files_backs_off_to_a_second() {
        let mut backoff = Backoff::default();
        let too_many = io::Error::from_raw_os_error(EMFILE);
        let pauses: Vec<_> = (0..10).map(|_| backoff.after(&too_many).unwrap().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[test]
    fn a_client_that_left_does_not_hold_up_the_others() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after(&io::ErrorKind::ConnectionAborted.into()), None);
        assert_eq!(backoff.after(&io::Error::from_raw_os_error(EMFILE)), Some(Backoff::FIRST));
    }

    #[test]
    fn refusals_are_summed_up_once_a_second() {
        let mut refusals = Occasionally::default();
        let start = Instant::now();
        assert_eq!(refusals.note(start), Some(1));
        assert_eq!(refusals.note(start + Duration::from_millis(1)), None);
        assert_eq!(refusals.note(start + Duration::from_millis(999)), None);
        assert_eq!(refusals.note(start + Duration::from_secs(1)), Some(3));
    }
}
