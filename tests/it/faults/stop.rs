//! The end of a server, by signal.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Client, Process};

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A body whose second half comes late.
const HALVES: [&str; 2] = [r#"{"messages": [{"ttl": 300, "#, r#""body": "late"}]}"#];

#[tokio::test]
async fn an_upload_in_flight_is_finished_and_kept() {
    let state = tempfile::tempdir().unwrap();
    // Time for the health check to tell load balancers.
    let server = Process::start(state.path(), "[listener]\ndrain_delay = 1\n").await;
    let mut upload = begin_upload(server.address).await;
    server.signal(Signal::TERM);
    unready(&server.client("p")).await;
    closed(server.address).await;
    upload.write_all(HALVES[1].as_bytes()).await.unwrap();
    assert!(answer(&mut upload).await.starts_with("HTTP/1.1 201 "));
    assert_eq!(server.ended().await.code(), Some(0));
    let server = Process::start(state.path(), "").await;
    let listed = server.client("p").get("/v2/queues/q/messages?echo=true").await.expect(200).json();
    assert_eq!(listed["messages"][0]["body"], "late");
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    let state = tempfile::tempdir().unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let server = Process::start(state.path(), "").await;
        let client = server.client("p");
        // A kept connection that does nothing is no reason to wait.
        client.put("/v2/queues/q").await;
        let start = Instant::now();
        server.signal(signal);
        assert_eq!(server.ended().await.code(), Some(0));
        assert!(start.elapsed() < PATIENCE / 4);
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let state = tempfile::tempdir().unwrap();
    let server = Process::start(state.path(), "[listener]\ndrain_delay = 600\n").await;
    let _upload = begin_upload(server.address).await;
    server.signal(Signal::TERM);
    unready(&server.client("p")).await;
    server.signal(Signal::TERM);
    assert_eq!(server.ended().await.code(), Some(1));
}

/// A post whose handler waits for the second half of its body.
async fn begin_upload(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v2/queues/q/messages HTTP/1.1\r\nhost: x\r\nx-project-id: p\r\n\
         client-id: 3381af92-2b9e-11e3-b191-71861300734c\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        HALVES.concat().len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Sent when the handler begins to read.
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 100 "));
    stream.write_all(HALVES[0].as_bytes()).await.unwrap();
    stream
}

/// The head of the next answer.
async fn answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an answer in time");
    String::from_utf8(head).unwrap()
}

/// Waits until load balancers are told to stay away.
async fn unready(client: &Client) {
    let start = Instant::now();
    loop {
        let answer = client.bare(Method::GET, "/healthcheck").send().await.expect("still listening");
        if answer.status() == 503 {
            assert_eq!(answer.text().await.unwrap(), "STOPPING");
            return;
        }
        assert!(start.elapsed() < PATIENCE);
    }
}

/// Waits until nobody listens any more.
async fn closed(address: SocketAddr) {
    let start = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
