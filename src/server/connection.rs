//! One connection, from its first byte to its last.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::exchange::answer;
use super::facts::Facts;
use super::slots::Slot;
use super::stream::{Io, Stream};
use super::watch::{End, watched};
use super::{ListenerSettings, Peer, Server};

/// What an HTTP/2 client sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves one connection until it is closed.
pub(super) async fn run(server: Arc<Server>, socket: TcpStream, peer: Peer, slot: Slot) {
    let start = Instant::now();
    if let Err(error) = prepare(&socket, server.settings.unacknowledged) {
        tracing::debug!(client.address = %peer.address, error = %error, "connection lost at its start");
        return;
    }
    let Some((mut stream, negotiated_http2)) = secure(&server, socket, peer).await else { return };
    let greeting = if negotiated_http2 {
        Some(Greeting { http2: true, ahead: Vec::new(), began: None })
    } else {
        greet(&server, &mut stream).await
    };
    let Some(greeting) = greeting else { return };
    let facts = Arc::new(Facts::new(greeting.http2, start, greeting.began));
    let io = TokioIo::new(Io::new(stream, greeting.ahead, Arc::clone(&facts), slot));
    match talk(&server, io, peer, facts).await {
        End::Done => {}
        End::Cut => {
            server.cut.fetch_add(1, Ordering::Relaxed);
        }
        End::TimedOut(wait) => {
            server.settings.counts.count_timed_out();
            tracing::debug!(client.address = %peer.address, wait = ?wait, "slow client disconnected");
        }
    }
}

/// Small answers leave at once, and a client that vanished without a word is noticed. Without the latter TCP sends again
/// for a quarter of an hour. Nothing is asked of a client to which nothing is sent: streams have their heartbeats,
/// `WebSocket` and HTTP/2 have pings, and all else ends by itself sooner.
fn prepare(socket: &TcpStream, unacknowledged: Duration) -> io::Result<()> {
    socket.set_nodelay(true)?;
    SockRef::from(socket).set_tcp_user_timeout(Some(unacknowledged))
}

/// The HTTP/1.1 side of the settings.
pub(super) fn http1(settings: &ListenerSettings) -> http1::Builder {
    const SMALLEST: usize = 8 * 1024;
    let header_block = settings.header_block.max(SMALLEST);
    let mut builder = http1::Builder::new();
    // The watch does it: hyper's covers idle connections too, and makes a timer for every request.
    builder.header_read_timeout(None);
    builder.max_header_size(header_block).max_buf_size(header_block.max(64 * 1024));
    builder
}

/// The HTTP/2 side of the settings.
pub(super) fn http2(settings: &ListenerSettings, tasks: TaskTracker) -> http2::Builder<Spawner> {
    let limits = settings.http2;
    let mut builder = http2::Builder::new(Spawner(tasks));
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.header_block).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.max_streams)
        .max_pending_accept_reset_streams(limits.max_pending_resets)
        .max_local_error_reset_streams(limits.max_error_resets)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout);
    builder
}

/// Runs the requests of HTTP/2 connections as tasks that the shutdown waits for.
#[derive(Clone, Debug)]
pub(super) struct Spawner(TaskTracker);

impl<F> Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// The protocol of a connection that does not say it in its handshake.
struct Greeting {
    http2: bool,
    /// What was read to find out.
    ahead: Vec<u8>,
    /// When the first byte came.
    began: Option<Instant>,
}

/// Makes the TLS handshake where there is a certificate; says whether it settled on HTTP/2.
async fn secure(server: &Server, socket: TcpStream, peer: Peer) -> Option<(Stream, bool)> {
    let Some(tls) = &server.settings.tls else { return Some((Stream::Plain(socket), false)) };
    let handshake = Box::pin(tls.acceptor().accept(socket));
    match within(server, server.settings.tls_handshake, handshake).await? {
        Some(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Some((Stream::Tls(Box::new(stream)), http2))
        }
        Some(Err(error)) => {
            tracing::debug!(client.address = %peer.address, error = %error, "tls handshake failed");
            None
        }
        None => {
            server.settings.counts.count_timed_out();
            None
        }
    }
}

/// Reads until the protocol is clear: the first bytes, for nearly everyone.
async fn greet(server: &Server, stream: &mut (impl AsyncRead + Unpin)) -> Option<Greeting> {
    let mut bytes = [0; PREFACE.len()];
    let mut length = match within(server, server.settings.keep_alive_idle, stream.read(&mut bytes)).await? {
        Some(Ok(length)) if length > 0 => length,
        _ => return None,
    };
    let began = Instant::now();
    while length < bytes.len() && PREFACE.starts_with(&bytes[..length]) {
        let left = server.settings.header_read.saturating_sub(began.elapsed());
        match within(server, left, stream.read(&mut bytes[length..])).await? {
            Some(Ok(more)) if more > 0 => length += more,
            Some(_) => return None,
            None => {
                server.settings.counts.count_timed_out();
                return None;
            }
        }
    }
    let http2 = bytes[..length] == PREFACE[..];
    Some(Greeting { http2, ahead: bytes[..length].to_vec(), began: Some(began) })
}

/// What came of `future`: nothing (the outer None) once the shutdown began, and nothing (the inner) in time.
async fn within<F: Future>(server: &Server, limit: Duration, future: F) -> Option<Option<F::Output>> {
    tokio::select! {
        biased;
        output = timeout(limit, future) => Some(output.ok()),
        () = server.stage.draining() => None,
    }
}

/// Speaks HTTP to the end. The protocols' state lies on the heap, so that the tasks of clients who have not
/// sent anything yet stay small.
async fn talk(server: &Arc<Server>, io: TokioIo<Io>, peer: Peer, facts: Arc<Facts>) -> End {
    let service = {
        let (server, facts) = (Arc::clone(server), Arc::clone(&facts));
        service_fn(move |request: Request<Incoming>| {
            let open = facts.begin();
            let body_idle = server.settings.body_idle;
            answer(server.router.clone(), Arc::clone(&facts), open, peer, body_idle, request)
        })
    };
    if facts.is_http2() {
        let conn = Box::pin(server.http2.serve_connection(io, service));
        watched(conn, http2::Connection::graceful_shutdown, &facts, server).await
    } else {
        let conn = Box::pin(server.http1.serve_connection(io, service).with_upgrades());
        watched(conn, http1::UpgradeableConnection::graceful_shutdown, &facts, server).await
    }
}
