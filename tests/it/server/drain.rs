//! The orderly end.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use tokio::net::TcpStream;
use zaqar::server::{Drained, ListenerSettings};

use super::http2::handshake;
use super::{TestServer, closed, patient, receive, send, soon};

#[tokio::test]
async fn running_requests_finish_and_the_rest_is_closed_at_once() {
    let mut server = TestServer::start(patient());
    let mut silent = server.connect().await;
    let mut kept = server.connect().await;
    send(&mut kept, "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(receive(&mut kept).await.status, 200);
    let mut busy = server.connect().await;
    send(&mut busy, "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(server.gate.entered.notified()).await;

    server.shutdown.cancel();
    closed(&mut silent).await;
    closed(&mut kept).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "the port is still open");

    server.gate.open.notify_one();
    let answer = receive(&mut busy).await;
    assert_eq!(answer.body, "waited");
    assert!(answer.has("connection: close"), "{answer:?}");
    closed(&mut busy).await;
    assert_eq!(server.drained().await, Drained { cut: 0 });
    assert_eq!(server.counts.open(), 0);
}

#[tokio::test]
async fn running_http2_requests_finish_after_goaway() {
    let mut server = TestServer::start(patient());
    let (mut idle, idle_end) = handshake::<_, Empty<Bytes>>(server.connect().await).await;
    idle.ready().await.unwrap();
    let (mut busy, busy_end) = handshake(server.connect().await).await;
    let request = Request::get("http://x/wait").body(Empty::<Bytes>::new()).unwrap();
    let answer = busy.send_request(request);
    soon(server.gate.entered.notified()).await;

    server.shutdown.cancel();
    soon(idle_end).await.unwrap();
    server.gate.open.notify_one();
    let body = soon(async { answer.await.unwrap().into_body().collect().await }).await.unwrap();
    assert_eq!(body.to_bytes(), "waited");
    soon(busy_end).await.unwrap();
    assert!(server.drained().await.is_clean());
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let settings = ListenerSettings { drain_timeout: Duration::from_millis(100), ..patient() };
    let mut server = TestServer::start(settings);
    let mut http1 = server.connect().await;
    send(&mut http1, "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(server.gate.entered.notified()).await;
    let (mut http2, _end) = handshake(server.connect().await).await;
    let request = Request::get("http://x/wait").body(Empty::<Bytes>::new()).unwrap();
    let answer = http2.send_request(request);
    soon(server.gate.entered.notified()).await;

    server.shutdown.cancel();
    assert_eq!(server.drained().await, Drained { cut: 2 });
    // Both handlers are gone: nobody else holds their gate.
    assert_eq!(std::sync::Arc::strong_count(&server.gate), 1);
    assert!(soon(answer).await.is_err());
    closed(&mut http1).await;
}

#[tokio::test]
async fn half_a_request_does_not_hold_up_the_end() {
    let settings = ListenerSettings { header_read: Duration::from_millis(200), ..patient() };
    let server = TestServer::start(settings);
    let mut client = server.connect().await;
    send(&mut client, "GET /ok HTTP/1.1\r\nhost: x\r\n\r\nGET /ok HTT").await;
    assert_eq!(receive(&mut client).await.status, 200);
    server.stop().await;
    closed(&mut client).await;
}
