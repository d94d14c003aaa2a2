//! The opening handshake at both front doors, and what is no handshake.

use serde_json::json;

use crate::support::client::send;
use crate::support::websocket::{HANDSHAKE, WebSocketClient, handshake};
use crate::support::{Store, TestApp};

/// The usual headers with one replaced, or left out where the value is empty.
fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let others = HANDSHAKE.into_iter().filter(|(key, _)| !key.eq_ignore_ascii_case(name));
    others.chain([(name, value)]).filter(|(_, value)| !value.is_empty()).collect()
}

#[tokio::test]
async fn both_doors_open_to_the_same_service() {
    let app = TestApp::start(Store::Memory, "").await;
    for (address, path) in [(app.websocket, "/"), (app.websocket, "/x?y=z"), (app.address, "/v2/ws")] {
        let head = handshake(address, &format!("GET {path}"), &HANDSHAKE).await;
        // The answer to the key of RFC 6455 1.3.
        assert_eq!(head.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(head.header("Sec-WebSocket-Protocol"), None);
        assert_eq!(head.header("Sec-WebSocket-Extensions"), None);
        let mut client = head.opened("p");
        let (status, _) = client.call("queue_create", &json!({ "queue_name": "q" })).await;
        assert!([201, 204].contains(&status), "{path}: {status}");
    }
    app.client("p").get("/v2/queues/q").await.expect(200);
}

#[tokio::test]
async fn what_is_no_handshake_is_told_so() {
    let app = TestApp::start(Store::Memory, "").await;
    for (line, headers, status) in [
        ("GET /", with("Sec-WebSocket-Version", "8"), 426),
        ("GET /", with("Sec-WebSocket-Version", ""), 426),
        ("GET /", with("Sec-WebSocket-Key", ""), 400),
        ("GET /", with("Sec-WebSocket-Key", "c2hvcnQ="), 400),
        ("GET /", with("Connection", "keep-alive"), 400),
        ("POST /", with("Host", "zaqar.example"), 400),
        ("GET /", with("Upgrade", "h2c"), 200),
        ("GET /v2/queues", with("Upgrade", ""), 200),
    ] {
        let head = handshake(app.websocket, line, &headers).await;
        assert_eq!(head.status, status, "{line} {headers:?}");
        assert_eq!(head.header("Upgrade"), (status == 426).then_some("websocket"));
    }
    let head = handshake(app.address, "GET /v2/ws", &with("Upgrade", "")).await;
    assert_eq!((head.status, head.header("Upgrade")), (426, Some("websocket")));
    let page = handshake(app.websocket, "GET /", &with("Upgrade", "")).await;
    assert!(page.header("Content-Type").is_some_and(|kind| kind.starts_with("text/html")), "{}", page.text);
}

#[tokio::test]
async fn the_own_listener_answers_health_checks() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = crate::support::Client::new(app.websocket, "p");
    send(client.bare(reqwest::Method::GET, "/healthcheck")).await.expect(200);
    send(client.bare(reqwest::Method::GET, "/healthcheck/live")).await.expect(200);
}

#[tokio::test]
async fn only_listed_origins_may_connect() {
    let ini = "[drivers:transport:websocket]\nallowed_origins = https://a.example, http://b.example:8080\n";
    let app = TestApp::start(Store::Memory, ini).await;
    for (origin, status) in [
        ("https://a.example", 101),
        ("http://b.example:8080", 101),
        ("https://evil.example", 403),
        ("null", 403),
    ] {
        for (address, line) in [(app.websocket, "GET /"), (app.address, "GET /v2/ws")] {
            assert_eq!(handshake(address, line, &with("Origin", origin)).await.status, status, "{origin}");
        }
    }
    assert_eq!(handshake(app.websocket, "GET /", &HANDSHAKE).await.status, 101, "no browser");
    let open = TestApp::start(Store::Memory, "").await;
    assert_eq!(handshake(open.websocket, "GET /", &with("Origin", "null")).await.status, 101);
}

#[tokio::test]
async fn a_port_in_the_host_header_must_be_the_external_one() {
    for spelling in ["external_port", "external-port"] {
        let ini = format!("[drivers:transport:websocket]\n{spelling} = 443\n");
        let app = TestApp::start(Store::Memory, &ini).await;
        for (host, status) in [("a.example", 101), ("a.example:443", 101), ("a.example:9000", 400)] {
            assert_eq!(handshake(app.websocket, "GET /", &with("Host", host)).await.status, status, "{host}");
        }
        let rest = handshake(app.address, "GET /v2/ws", &with("Host", "a.example:9000")).await;
        assert_eq!(rest.status, 101, "the port is that of the own listener");
    }
}

#[tokio::test]
async fn a_connection_beyond_the_most_is_refused_and_its_place_given_on() {
    let app = TestApp::start(Store::Memory, "[drivers:transport:websocket]\nmax_connections = 1\n").await;
    let mut first = WebSocketClient::connect(app.websocket, "p").await;
    assert_eq!(handshake(app.websocket, "GET /", &HANDSHAKE).await.status, 503);
    assert_eq!(handshake(app.address, "GET /v2/ws", &HANDSHAKE).await.status, 503);
    assert_eq!(first.call("queue_list", &json!({})).await.0, 200);
    drop(first);
    let start = std::time::Instant::now();
    while handshake(app.websocket, "GET /", &HANDSHAKE).await.status != 101 {
        assert!(start.elapsed().as_secs() < 60, "the place was not given back");
    }
}
