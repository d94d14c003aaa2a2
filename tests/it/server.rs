//! The listener and its connections, on real sockets with shortened limits.
#![expect(clippy::unwrap_used, reason = "a panic in a helper fails the test at its line")]

mod drain;
mod http2;
mod limits;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body::Frame;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zaqar::server::{ConnectionCounts, Drained, ListenerSettings, Peer, bind, serve};

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A limit that no test waits for.
const FAR: Duration = Duration::from_mins(10);

/// A running listener.
struct TestServer {
    address: SocketAddr,
    counts: Arc<ConnectionCounts>,
    gate: Arc<Gate>,
    shutdown: CancellationToken,
    task: JoinSet<Drained>,
}

impl TestServer {
    fn start(settings: ListenerSettings) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::clone(&settings.counts);
        let (gate, shutdown) = (Arc::new(Gate::default()), CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(serve(listener, router(Arc::clone(&gate)), settings, shutdown.clone()));
        Self { address, counts, gate, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The status of a fresh `GET /ok`, which is how a well-behaved client fares meanwhile.
    async fn ask(&self) -> u16 {
        let mut client = self.connect().await;
        send(&mut client, "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").await;
        receive(&mut client).await.status
    }

    /// Waits until only `number` connections are open.
    async fn open(&self, number: u64) {
        let counted = async {
            while self.counts.open() != number {
                tokio::task::yield_now().await;
            }
        };
        soon(counted).await;
    }

    /// The end of [`serve`], once it was told to end.
    async fn drained(&mut self) -> Drained {
        soon(self.task.join_next()).await.unwrap().unwrap()
    }

    async fn stop(mut self) -> Drained {
        self.shutdown.cancel();
        self.drained().await
    }
}

/// Settings whose limits are all out of reach; a test shortens the one it is about.
fn patient() -> ListenerSettings {
    ListenerSettings {
        header_read: FAR,
        body_idle: FAR,
        write_idle: FAR,
        keep_alive_idle: FAR,
        tls_handshake: FAR,
        linger: FAR,
        drain_timeout: FAR,
        ..ListenerSettings::default()
    }
}

/// What the test and a handler tell each other.
#[derive(Default)]
struct Gate {
    entered: Notify,
    open: Notify,
    left: Notify,
}

/// Tells that a handler or an answer's body was dropped.
struct Leaving(Arc<Gate>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.left.notify_one();
    }
}

fn router(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/ok", get(async || "ok"))
        .route("/empty", get(async || StatusCode::NO_CONTENT))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route("/refuse", post(async || StatusCode::BAD_REQUEST))
        .route("/peer", get(async |Extension(peer): Extension<Peer>| format!("{peer:?}")))
        .route("/wait", get(wait))
        .route("/endless", get(async |Extension(gate)| Body::new(Endless { _leaving: Leaving(gate) })))
        .route("/echo", get(echo))
        .layer(Extension(gate))
}

/// Answers when the test opens the gate.
async fn wait(Extension(gate): Extension<Arc<Gate>>) -> &'static str {
    let _leaving = Leaving(Arc::clone(&gate));
    gate.entered.notify_one();
    gate.open.notified().await;
    "waited"
}

/// More than any client takes.
struct Endless {
    _leaving: Leaving,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE)))))
    }
}

/// Takes the connection over and sends back what comes, until the client closes.
async fn echo(request: Request) -> Response {
    let upgrade = hyper::upgrade::on(request);
    TaskTracker::new().spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("the awaited event did not happen")
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    soon(stream.write_all(text.as_bytes())).await.unwrap();
}

/// An HTTP/1.1 answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.to_ascii_lowercase() == header)
    }
}

/// Reads one answer with a content-length or without a body.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.expect("the connection ended before the answer"));
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    soon(stream.read_exact(&mut body)).await.unwrap();
    Answer { status: head[9..12].parse().unwrap(), head, body: String::from_utf8(body).unwrap() }
}

/// Waits until the server closes; panics when it sends something first.
async fn closed(stream: &mut (impl AsyncRead + Unpin)) {
    if let Ok(read) = soon(stream.read(&mut [0; 1])).await {
        assert_eq!(read, 0, "the server sent something instead of closing");
    }
}
