//! HTTP/2 without TLS, by prior knowledge.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use zaqar::server::ListenerSettings;

use super::{TestServer, patient, soon};

const SHORT: Duration = Duration::from_millis(300);

/// An HTTP/2 client on `stream`; the receiver hears of the connection's orderly end.
pub(super) async fn handshake<S, B>(stream: S) -> (http2::SendRequest<B>, oneshot::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (client, connection) =
        soon(http2::handshake(TokioExecutor::new(), TokioIo::new(stream))).await.unwrap();
    let (tell, end) = oneshot::channel();
    TaskTracker::new().spawn(async move {
        if connection.await.is_ok() {
            // Nobody listens where a test does not care.
            let _ = tell.send(());
        }
    });
    (client, end)
}

#[tokio::test]
async fn prior_knowledge_is_understood() {
    let server = TestServer::start(patient());
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let base = format!("http://{}", server.address);
    let answer = client.get(format!("{base}/ok")).send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "ok");
    let answer = client.post(format!("{base}/length")).body("x".repeat(1_500_000)).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "1500000");
    assert_eq!(server.counts.accepted(), 1);
}

/// Sends three bytes of a longer body and then nothing.
struct Stalling(Option<Bytes>);

impl Body for Stalling {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

#[tokio::test]
async fn a_silent_body_is_408_for_its_stream_alone() {
    let server = TestServer::start(ListenerSettings { body_idle: SHORT, ..patient() });
    let (mut client, _end) = handshake(server.connect().await).await;
    let start = Instant::now();
    for body in [Stalling(Some(Bytes::from_static(b"abc"))), Stalling(None)] {
        let request = Request::post("http://x/length").body(body).unwrap();
        let answer = soon(client.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    }
    assert_eq!(server.counts.open(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go() {
    let server = TestServer::start(ListenerSettings { keep_alive_idle: SHORT, ..patient() });
    let (mut client, end) = handshake(server.connect().await).await;
    let start = Instant::now();
    let request = Request::get("http://x/ok").body(Empty::<Bytes>::new()).unwrap();
    soon(client.send_request(request)).await.unwrap().into_body().collect().await.unwrap();
    soon(end).await.unwrap();
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    assert_eq!(server.counts.timed_out(), 0);
}

#[tokio::test]
async fn an_idle_client_that_does_not_say_goodbye_is_cut() {
    let settings = ListenerSettings { keep_alive_idle: SHORT, linger: SHORT, ..patient() };
    let server = TestServer::start(settings);
    let start = Instant::now();
    let mut client = raw(&server).await;
    soon(client.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(start.elapsed() >= SHORT * 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_opens_no_window_is_cut() {
    let server = TestServer::start(ListenerSettings { write_idle: SHORT, ..patient() });
    let (mut client, _end) = handshake(server.connect().await).await;
    let request = Request::get("http://x/endless").body(Empty::<Bytes>::new()).unwrap();
    // The answer is held and its body never read.
    let answer = soon(client.send_request(request)).await.unwrap();
    soon(server.gate.left.notified()).await;
    assert_eq!(server.counts.timed_out(), 1);
    drop(answer);
}

#[tokio::test]
async fn a_header_block_is_limited() {
    let server = TestServer::start(patient());
    let (mut client, _end) = handshake(server.connect().await).await;
    let get = |length| {
        let request = Request::get("http://x/ok").header("x", "a".repeat(length));
        request.body(Full::<Bytes>::default()).unwrap()
    };
    assert_eq!(soon(client.send_request(get(60 * 1024))).await.unwrap().status(), 200);
    assert_eq!(soon(client.send_request(get(66 * 1024))).await.unwrap().status(), 431);
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    const ENHANCE_YOUR_CALM: u8 = 0xb;
    let server = TestServer::start(patient());
    let mut client = raw(&server).await;
    let mut flood = Vec::new();
    for stream in (1_u32..4_000).step_by(2) {
        // :method GET, :scheme http, :path /, from the static table; then CANCEL.
        flood.extend(frame(1, 0x5, stream, &[0x82, 0x86, 0x84]));
        flood.extend(frame(3, 0, stream, &[0, 0, 0, 8]));
    }
    // Fails where the server closed half-way, which is what it should do.
    let _ = client.write_all(&flood).await;
    let mut received = Vec::new();
    let _ = soon(client.read_to_end(&mut received)).await;
    let goaway = frames(&received).into_iter().find(|(kind, _)| *kind == 7);
    assert!(goaway.is_none_or(|(_, payload)| payload[7] == ENHANCE_YOUR_CALM));
    assert_eq!(server.ask().await, 200);
    server.open(0).await;
}

/// A connection after the client's preface and empty settings.
async fn raw(server: &TestServer) -> tokio::net::TcpStream {
    let mut client = server.connect().await;
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    client.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    client
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The kind and payload of each whole frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while bytes.len() >= 9 {
        let length = usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        if bytes.len() < 9 + length {
            break;
        }
        frames.push((bytes[3], bytes[9..9 + length].to_vec()));
        bytes = &bytes[9 + length..];
    }
    frames
}
