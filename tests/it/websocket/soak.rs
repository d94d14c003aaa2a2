//! Connections that read, stall, and die half-way, in crowds: the readers get everything once and in order, and when all
//! are gone the memory is where it was.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::support::Process;
use crate::support::websocket::WebSocketClient;

/// Crowds, one after the other, unless `ZAQAR_TEST_SOAK` says how many.
const ROUNDS: usize = 4;

/// Connections of each kind in a crowd.
const EACH: usize = 12;

/// Messages to a crowd, and the bytes of one: more than the kernel and the server together hold for one who stalls.
const MESSAGES: usize = 100;
const SIZE: usize = 64 * 1024;

/// What the last crowd may leave beyond the first two, in bytes; a reader's queue alone is 1 MiB.
const SLACK: u64 = 24 << 20;

const PATIENCE: Duration = Duration::from_mins(1);

fn queue() -> Value {
    json!({ "queue_name": "q" })
}

/// A connection with a subscription. Its kernel takes little for a client that does not read.
async fn subscribed(server: &Process) -> WebSocketClient {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
    let stream: TcpStream = socket.connect(server.websocket).await.expect("a connection");
    let mut client = WebSocketClient::over(stream, "p").await.expect("a handshake");
    assert_eq!(client.call("subscription_create", &queue()).await.0, 201);
    client
}

/// Reads to the end, each message once and in order.
async fn read(mut client: WebSocketClient) {
    for number in 0..MESSAGES {
        assert_eq!(client.json().await["body"]["number"], json!(number));
    }
    client.send(Message::Close(None)).await;
    client.closed().await;
}

/// Dies after some messages, in the middle of a frame of its own.
async fn die(mut client: WebSocketClient, after: usize) {
    for _ in 0..after {
        client.json().await;
    }
    // The head of a masked frame of 100 bytes, and ten of them.
    client.send_raw(&[0x81, 0x80 | 0x64, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
}

/// One crowd, from its first connection to its last.
async fn crowd(server: &Process) {
    let mut tasks = JoinSet::new();
    let mut stalled = Vec::new();
    for number in 0..EACH {
        tasks.spawn(read(subscribed(server).await));
        tasks.spawn(die(subscribed(server).await, number));
        stalled.push(subscribed(server).await);
    }
    let client = server.client("p");
    let padding = "x".repeat(SIZE);
    for number in 0..MESSAGES {
        client.post_bodies("q", &[json!({ "number": number, "padding": padding })]).await;
    }
    tasks.join_all().await;
    drop(stalled);
    let mut observer = WebSocketClient::connect(server.websocket, "p").await;
    let start = Instant::now();
    loop {
        let (_, listed) = observer.call("subscription_list", &queue()).await;
        if listed["subscriptions"] == json!([]) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "subscriptions of connections that are gone: {listed}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(observer.call("queue_delete", &queue()).await.0, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_leave_nothing_behind() {
    let state = tempfile::tempdir().unwrap();
    let server = Process::start(state.path(), "[drivers]\nmessage_store = memory\n").await;
    let mut memory = Vec::new();
    let rounds = std::env::var("ZAQAR_TEST_SOAK").map_or(ROUNDS, |text| text.parse().expect("a number"));
    for _ in 0..rounds.max(3) {
        crowd(&server).await;
        memory.push(server.memory());
    }
    println!("bytes after each crowd: {memory:?}");
    let (before, after) = (memory[0].max(memory[1]), memory[memory.len() - 1]);
    assert!(after < before + SLACK, "{memory:?}");
}
