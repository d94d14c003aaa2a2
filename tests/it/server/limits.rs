//! Slow, silent, greedy and numerous clients.

use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use zaqar::server::{ListenerSettings, bind, raise_open_file_limit};

use super::{TestServer, closed, patient, receive, send, soon};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_slow_header_is_cut_while_others_are_answered() {
    let server = TestServer::start(ListenerSettings { header_read: SHORT, ..patient() });
    let (mut reader, mut writer) = server.connect().await.into_split();
    let start = Instant::now();
    send(&mut writer, "GET /ok HTTP/1.1\r\nx: ").await;
    let mut answered = 0;
    let dribble = async {
        // A byte with each answer that another client gets.
        while writer.write_all(b"a").await.is_ok() {
            assert_eq!(server.ask().await, 200);
            answered += 1;
        }
    };
    let end = async {
        closed(&mut reader).await;
        start.elapsed()
    };
    let (lasted, ()) = soon(async { tokio::join!(end, dribble) }).await;
    assert!(lasted >= SHORT, "{lasted:?}");
    assert!(answered > 1, "{answered}");
    assert_eq!(server.counts.timed_out(), 1);
}

#[tokio::test]
async fn a_header_that_stops_within_the_first_bytes_is_cut() {
    let server = TestServer::start(ListenerSettings { header_read: SHORT, ..patient() });
    for beginning in ["P", "PRI * HTTP/2.0\r\n\r\nSM", "G", "\r\n"] {
        let start = Instant::now();
        let mut client = server.connect().await;
        send(&mut client, beginning).await;
        closed(&mut client).await;
        assert!(start.elapsed() >= SHORT, "{beginning:?}: {:?}", start.elapsed());
    }
    assert_eq!(server.counts.timed_out(), 4);
}

#[tokio::test]
async fn a_silent_client_is_closed_after_the_idle_time() {
    let server = TestServer::start(ListenerSettings { keep_alive_idle: SHORT, ..patient() });
    let start = Instant::now();
    closed(&mut server.connect().await).await;
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    assert_eq!(server.counts.timed_out(), 0);
}

#[tokio::test]
async fn a_kept_connection_outlives_the_header_limit_and_ends_at_the_idle_time() {
    let settings =
        ListenerSettings { header_read: Duration::from_millis(20), keep_alive_idle: SHORT, ..patient() };
    let server = TestServer::start(settings);
    let mut client = server.connect().await;
    let mut start = Instant::now();
    for _ in 0..3 {
        start = Instant::now();
        send(&mut client, "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(receive(&mut client).await.body, "ok");
    }
    closed(&mut client).await;
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_running_request_is_not_idle() {
    let settings = ListenerSettings { keep_alive_idle: Duration::from_millis(20), ..patient() };
    let server = TestServer::start(settings);
    let mut client = server.connect().await;
    send(&mut client, "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(server.gate.entered.notified()).await;
    // An idle connection, opened later, is gone before the running request is.
    closed(&mut server.connect().await).await;
    closed(&mut server.connect().await).await;
    server.gate.open.notify_one();
    assert_eq!(receive(&mut client).await.body, "waited");
}

#[tokio::test]
async fn a_silent_body_is_408_and_closes() {
    let server = TestServer::start(ListenerSettings { body_idle: SHORT, ..patient() });
    for framing in ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut client = server.connect().await;
        let start = Instant::now();
        send(&mut client, &format!("POST /length HTTP/1.1\r\nhost: x\r\n{framing}")).await;
        let answer = receive(&mut client).await;
        assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
        assert_eq!(answer.status, 408);
        assert!(answer.has("connection: close"), "{answer:?}");
        assert!(answer.body.starts_with(r#"{"title": "Request timeout""#), "{answer:?}");
        closed(&mut client).await;
    }
}

#[tokio::test]
async fn a_slow_but_steady_body_is_taken() {
    let server = TestServer::start(ListenerSettings { body_idle: SHORT, ..patient() });
    let mut client = server.connect().await;
    let start = Instant::now();
    send(&mut client, "POST /length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let mut sent = 0;
    while start.elapsed() < SHORT * 2 {
        send(&mut client, "1\r\na\r\n").await;
        sent += 1;
        assert_eq!(server.ask().await, 200);
    }
    send(&mut client, "0\r\n\r\n").await;
    assert_eq!(receive(&mut client).await.body, sent.to_string());
}

#[tokio::test]
async fn a_header_block_is_limited() {
    let server = TestServer::start(patient());
    let request = |bytes| format!("GET /ok HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(bytes));
    let mut client = server.connect().await;
    send(&mut client, &request(63 * 1024)).await;
    assert_eq!(receive(&mut client).await.status, 200);
    send(&mut client, &request(200 * 1024)).await;
    assert_eq!(receive(&mut client).await.status, 431);
    closed(&mut client).await;
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = TestServer::start(patient());
    let mut client = server.connect().await;
    let body = "a".repeat(8 * 1024 * 1024);
    let head = format!("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    send(&mut client, &head).await;
    send(&mut client, &body).await;
    assert_eq!(receive(&mut client).await.status, 400);
    closed(&mut client).await;
}

#[tokio::test]
async fn a_refusal_before_the_body_came_says_that_the_connection_ends() {
    let server = TestServer::start(patient());
    let mut client = server.connect().await;
    send(&mut client, "POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n").await;
    let answer = receive(&mut client).await;
    assert_eq!(answer.status, 400);
    assert!(answer.has("connection: close"), "{}", answer.head);
    send(&mut client, "{}").await;
    closed(&mut client).await;
}

#[tokio::test]
async fn a_refused_client_that_never_stops_is_cut() {
    let server = TestServer::start(ListenerSettings { linger: SHORT, ..patient() });
    let (mut reader, mut writer) = server.connect().await.into_split();
    send(&mut writer, "POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999999\r\n\r\n").await;
    let start = Instant::now();
    let flood = async { while writer.write_all(&[b'a'; 4096]).await.is_ok() {} };
    let (answer, ()) = soon(async { tokio::join!(receive(&mut reader), flood) }).await;
    assert_eq!(answer.status, 400);
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let server = TestServer::start(ListenerSettings { write_idle: SHORT, ..patient() });
    let mut client = server.connect().await;
    send(&mut client, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(server.gate.left.notified()).await;
    assert_eq!(server.counts.timed_out(), 1);
}

/// The client's system answers, but its window stays shut: for the kernel that is the silence of a client that is cut
/// off, which cannot be made on one machine without rights over its network.
#[tokio::test]
async fn a_client_whose_system_takes_nothing_is_given_up_by_the_kernel() {
    let server = TestServer::start(ListenerSettings { unacknowledged: SHORT, ..patient() });
    let mut client = server.connect().await;
    send(&mut client, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(server.gate.left.notified()).await;
    server.open(0).await;
    assert_eq!(server.counts.timed_out(), 0, "no limit of ours has passed");
}

#[tokio::test]
async fn the_newest_connection_beyond_the_limit_is_closed() {
    let server = TestServer::start(ListenerSettings { max_connections: 2, ..patient() });
    let mut first = server.connect().await;
    send(&mut first, "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(receive(&mut first).await.status, 200);
    let _second = server.connect().await;
    closed(&mut server.connect().await).await;
    assert_eq!((server.counts.accepted(), server.counts.refused()), (2, 1));
    drop(first);
    server.open(1).await;
    assert_eq!(server.ask().await, 200);
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let settings =
        ListenerSettings { max_connections: 10, max_connections_per_address: Some(1), ..patient() };
    let server = TestServer::start(settings);
    let mut first = server.connect().await;
    closed(&mut server.connect().await).await;
    let neighbour = TcpSocket::new_v4().unwrap();
    neighbour.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    for client in [&mut first, &mut neighbour.connect(server.address).await.unwrap()] {
        send(client, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let expected = format!("Peer {{ address: {}, tls: false }}", client.local_addr().unwrap());
        assert_eq!(receive(client).await.body, expected);
    }
    assert_eq!(server.counts.refused(), 1);
}

#[tokio::test]
async fn a_thousand_idle_clients_do_not_slow_the_others() {
    raise_open_file_limit().unwrap();
    let server = TestServer::start(patient());
    let mut idle = Vec::new();
    for number in 0..1000 {
        let mut client = server.connect().await;
        if number % 2 == 0 {
            send(&mut client, "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").await;
            assert_eq!(receive(&mut client).await.status, 200);
        }
        idle.push(client);
    }
    let start = Instant::now();
    assert_eq!(server.ask().await, 200);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(server.counts.open() >= 1000);
    let counts = std::sync::Arc::clone(&server.counts);
    assert!(server.stop().await.is_clean());
    assert_eq!(counts.open(), 0);
    for mut client in idle {
        closed(&mut client).await;
    }
}

#[tokio::test]
async fn a_burst_of_clients_finds_room_before_it_is_accepted() {
    let allowed: u32 =
        std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut clients = Vec::new();
    raise_open_file_limit().unwrap();
    for _ in 0..allowed.min(400) {
        clients.push(soon(TcpStream::connect(listener.local_addr().unwrap())).await.unwrap());
    }
    let (_, first) = soon(listener.accept()).await.unwrap();
    assert_eq!(first, clients[0].local_addr().unwrap());
}

#[tokio::test]
async fn a_client_that_leaves_drops_its_handler() {
    let server = TestServer::start(patient());
    let mut client = server.connect().await;
    send(&mut client, "GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon(server.gate.entered.notified()).await;
    drop(client);
    soon(server.gate.left.notified()).await;
}

#[tokio::test]
async fn an_upgraded_connection_is_counted_and_has_no_limits() {
    let limits = ListenerSettings {
        header_read: Duration::from_millis(20),
        write_idle: Duration::from_millis(20),
        keep_alive_idle: Duration::from_millis(20),
        ..patient()
    };
    let mut server = TestServer::start(limits);
    let mut client = server.connect().await;
    let upgrade = "connection: upgrade\r\nupgrade: echo\r\n\r\nhel";
    send(&mut client, &format!("GET /echo HTTP/1.1\r\nhost: x\r\n{upgrade}")).await;
    assert_eq!(receive(&mut client).await.status, 101);
    // Idle connections come and go meanwhile.
    for _ in 0..3 {
        closed(&mut server.connect().await).await;
    }
    server.shutdown.cancel();
    assert!(server.drained().await.is_clean(), "it belongs to whoever took it over");
    assert_eq!(server.counts.open(), 1);
    send(&mut client, "lo").await;
    let mut echoed = [0; 5];
    soon(client.read_exact(&mut echoed)).await.unwrap();
    assert_eq!(&echoed, b"hello");
    drop(client);
    server.open(0).await;
}

#[tokio::test]
async fn an_answer_without_content_has_no_length() {
    let server = TestServer::start(patient());
    let mut client = server.connect().await;
    send(&mut client, "GET /empty HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = receive(&mut client).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(!answer.head.contains("content-length"), "{answer:?}");
    assert!(!answer.head.contains("transfer-encoding"), "{answer:?}");
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_in_order() {
    let server = TestServer::start(patient());
    let mut client: TcpStream = server.connect().await;
    let post = "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    send(&mut client, &format!("{post}{post}GET /ok HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(receive(&mut client).await.body);
    }
    assert_eq!(bodies, ["3", "3", "ok"]);
    assert_eq!(soon(client.read(&mut [0; 1])).await.unwrap(), 0);
}
