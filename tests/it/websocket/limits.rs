//! What is too much, and how connections end.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::websocket::{WebSocketClient, status};
use crate::support::{Store, TestApp};

fn said(frame: Option<CloseFrame>) -> (u16, String) {
    let frame = frame.expect("a code");
    (frame.code.into(), frame.reason.to_string())
}

#[tokio::test]
async fn a_message_beyond_the_most_ends_the_connection_and_one_below_is_answered() {
    let app = TestApp::start(Store::Memory, "[transport]\nmax_messages_post_size = 1000\n").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    let large = |size| json!({ "queue_name": "q", "messages": [{ "body": "x".repeat(size) }] });
    assert_eq!(client.call("message_post", &large(900)).await.0, 201);
    assert_eq!(client.call("message_post", &large(100_000)).await.0, 400);
    client.send_json(&client.request("message_post", &large(2_000_000))).await;
    assert_eq!(said(client.closed().await), (1009, "message too big".into()));
}

#[tokio::test]
async fn a_broken_protocol_is_named_by_its_code() {
    let app = TestApp::start(Store::Memory, "").await;
    for (bytes, code) in [
        // A text that is no UTF-8, masked with zeros.
        (&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28][..], 1007),
        // A frame without a mask.
        (&[0x81, 2, b'{', b'}'], 1002),
        // A reserved bit.
        (&[0xc1, 0x80, 0, 0, 0, 0], 1002),
        // A continuation of nothing.
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
        // A ping in pieces.
        (&[0x09, 0x80, 0, 0, 0, 0], 1002),
        // A reserved opcode.
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        // Closing with a code that nobody may send.
        (&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed], 1002),
    ] {
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        client.send_raw(bytes).await;
        assert_eq!(said(client.closed().await).0, code, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_closing_handshake_is_answered_with_its_code() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    let frame = CloseFrame { code: 1000.into(), reason: "bye".into() };
    client.send(Message::Close(Some(frame.clone()))).await;
    assert_eq!(client.closed().await, Some(frame));
}

#[tokio::test]
async fn pings_are_answered_and_sent() {
    let app = TestApp::start(Store::Memory, "[drivers:transport:websocket]\nping_interval = 1\n").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    client.send(Message::Ping("hello".into())).await;
    assert_eq!(client.any().await.unwrap(), Message::Pong("hello".into()));
    for _ in 0..3 {
        assert_eq!(client.any().await.unwrap(), Message::Ping(bytes::Bytes::new()));
    }
    assert_eq!(client.call("queue_list", &json!({})).await.0, 200);
}

#[tokio::test]
async fn requests_beyond_the_rate_are_refused_one_by_one() {
    let ini = "[drivers:transport:websocket]\nmax_requests_per_second = 3\n";
    let app = TestApp::start(Store::Memory, ini).await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    for _ in 0..10 {
        client.send_json(&client.request("queue_list", &json!({}))).await;
    }
    let mut statuses = vec![];
    for _ in 0..10 {
        statuses.push(status(&client.json().await));
    }
    assert_eq!(statuses[..3], [200; 3]);
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn a_token_is_not_repeated_where_it_comes_too_often() {
    let ini = "[drivers:transport:websocket]\nmax_requests_per_second = 1\n";
    let app = TestApp::start(Store::Memory, ini).await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    let headers = json!({ "X-Auth-Token": "secret", "X-Project-ID": "p" });
    for number in 0..4 {
        client.send_json(&json!({ "action": "authenticate", "headers": headers, "id": number })).await;
    }
    let mut statuses = vec![];
    for number in 0..4 {
        let reply = client.json().await;
        let echo = json!({ "action": "authenticate", "body": {}, "headers": {}, "api": "v2" });
        assert_eq!((&reply["request"], &reply["id"]), (&echo, &json!(number)));
        statuses.push(status(&reply));
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

/// Whoever sends too much is told so, and not cut off in the middle of it.
#[tokio::test]
async fn a_client_that_sends_on_hears_why_it_is_disconnected() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    // A text of 32 MiB, masked with zeros.
    let length = 32 * 1024 * 1024_usize;
    let head = [&[0x81, 0xff][..], &(length as u64).to_be_bytes(), &[0; 4]].concat();
    client.send_raw(&head).await;
    client.send_raw(&vec![b'x'; length]).await;
    assert_eq!(said(client.closed().await), (1009, "message too big".into()));
}

#[tokio::test]
async fn at_the_end_what_was_sent_is_carried_out_and_the_client_told() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut idle = WebSocketClient::connect(app.websocket, "p").await;
    let mut beside = crate::support::websocket::handshake(
        app.address,
        "GET /v2/ws",
        &crate::support::websocket::HANDSHAKE,
    )
    .await
    .opened("p");
    assert_eq!(idle.call("queue_list", &json!({})).await.0, 200);
    let stopped = app.stop();
    let (clean, first, second) = tokio::join!(stopped, idle.closed(), beside.closed());
    assert!(clean);
    assert_eq!((said(first).0, said(second).0), (1001, 1001));
}

#[tokio::test]
async fn at_the_end_what_waits_is_answered_too() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    client.send_json(&client.request("claim_create", &json!({ "queue_name": "empty", "wait": 60 }))).await;
    for number in 0..10 {
        let body = json!({ "queue_name": "q", "messages": [{ "body": number }] });
        client.send_json(&client.request("message_post", &body)).await;
    }
    let mut last = client.request("queue_list", &json!({}));
    last["id"] = json!("all of them were read");
    client.send_json(&last).await;
    assert_eq!(client.json().await["id"], last["id"]);
    let answers = async {
        let mut statuses = vec![];
        for _ in 0..11 {
            statuses.push(status(&client.json().await));
        }
        (statuses, said(client.closed().await).0)
    };
    let (clean, (statuses, code)) = tokio::join!(app.stop(), answers);
    assert!(clean);
    assert_eq!((statuses[0], &statuses[1..], code), (204, &[201; 10][..], 1001));
}

/// Waits until nobody is subscribed to the queue.
async fn unsubscribed(other: &mut WebSocketClient, queue: &str) {
    let start = std::time::Instant::now();
    loop {
        let (_, listed) = other.call("subscription_list", &json!({ "queue_name": queue })).await;
        if listed["subscriptions"].as_array().unwrap().is_empty() {
            return;
        }
        assert!(start.elapsed().as_secs() < 60, "the connection is still there");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_shows_no_sign_of_life_is_gone() {
    let app = TestApp::start(Store::Memory, "[drivers:transport:websocket]\nping_interval = 1\n").await;
    let mut silent = WebSocketClient::connect(app.websocket, "p").await;
    assert_eq!(silent.call("subscription_create", &json!({ "queue_name": "q" })).await.0, 201);
    // The other one answers pings while it asks.
    let mut other = WebSocketClient::connect(app.websocket, "p").await;
    unsubscribed(&mut other, "q").await;
    assert_eq!(other.call("queue_list", &json!({})).await.0, 200);
}

#[tokio::test]
async fn who_leaves_with_all_its_requests_waiting_is_missed_at_once() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut other = WebSocketClient::connect(app.websocket, "p").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    assert_eq!(client.call("subscription_create", &json!({ "queue_name": "s" })).await.0, 201);
    // As many as may run.
    for number in 0..16 {
        let mut waits = client.request("claim_create", &json!({ "queue_name": "q", "wait": 60 }));
        waits["id"] = json!(number);
        client.send_json(&waits).await;
    }
    drop(client);
    // Long before they have waited to their ends.
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, unsubscribed(&mut other, "s")).await.expect("it is missed in time");
    app.client("p").post_bodies("q", &[json!(1)]).await;
    assert_eq!(other.call("claim_create", &json!({ "queue_name": "q" })).await.0, 201, "nobody else has it");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_disconnected_and_the_others_hear_on() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut stalled = WebSocketClient::connect(app.websocket, "p").await;
    let mut other = WebSocketClient::connect(app.websocket, "p").await;
    assert_eq!(stalled.call("subscription_create", &json!({ "queue_name": "q" })).await.0, 201);
    // More than all buffers between the two hold.
    let large = json!("x".repeat(250_000));
    for _ in 0..100 {
        app.client("p").post_bodies("q", std::slice::from_ref(&large)).await;
    }
    // Long before the minute that a client has who is slow with little.
    let patience = std::time::Duration::from_secs(45);
    tokio::time::timeout(patience, unsubscribed(&mut other, "q")).await.expect("it is disconnected in time");
    assert_eq!(other.call("subscription_create", &json!({ "queue_name": "q" })).await.0, 201);
    app.client("p").post_bodies("q", &[json!("on")]).await;
    assert_eq!(other.json().await["body"], "on");
}
