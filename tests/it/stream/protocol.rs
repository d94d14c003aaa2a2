//! What a stream looks like on the wire, and what is refused.

use reqwest::Method;
use serde_json::json;

use crate::support::client::{OTHER_ID, send};
use crate::support::events::{EventStream, path};
use crate::support::{Store, TestApp};

#[tokio::test]
async fn messages_come_as_listings_show_them() {
    for store in Store::ALL {
        let app = TestApp::start(store, "[DEFAULT]\nenable_checksum = true\n").await;
        let client = app.client("p");
        client.post_bodies("q", &[json!("before")]).await;
        let mut stream = EventStream::open(&client, "q").await;
        let bodies = [json!({ "a": [1, 2.50, null] }), json!("line\nbreak"), json!(7)];
        client.post_bodies("q", &bodies).await;
        let listing = client.get("/v2/queues/q/messages?echo=true").await.expect(200).json();
        for listed in &listing["messages"].as_array().unwrap()[1..] {
            assert_eq!(stream.next().await.as_ref(), Some(listed));
        }
        // However a body was written, it takes one line.
        let spaced = "{\"messages\": [{\"ttl\": 60, \"body\": {\r\n  \"k\":\n\"v\"}}]}";
        send(client.request(Method::POST, "/v2/queues/q/messages").body(spaced)).await.expect(201);
        assert_eq!(stream.bodies(1).await, [json!({ "k": "v" })]);
    }
}

#[tokio::test]
async fn its_headers_keep_everything_from_holding_it_up() {
    let app = TestApp::start(Store::Memory, "[cors]\nallowed_origin = https://ui.example\n").await;
    let client = app.client("p");
    let request = client.request(Method::GET, &path("q"));
    let request = request.header("accept-encoding", "gzip").header("origin", "https://ui.example");
    let mut stream = EventStream::from(request).await;
    for (name, value) in [
        ("content-type", Some("text/event-stream")),
        ("cache-control", Some("no-store")),
        ("x-accel-buffering", Some("no")),
        ("access-control-allow-origin", Some("https://ui.example")),
        ("content-encoding", None),
        ("content-length", None),
    ] {
        assert_eq!(stream.header(name), value, "{name}");
    }
    assert_eq!(stream.retry, Some(2_000));
    let long = json!("x".repeat(5_000));
    client.post_bodies("q", std::slice::from_ref(&long)).await;
    assert_eq!(stream.bodies(1).await, [long]);
}

#[tokio::test]
async fn a_reader_goes_on_behind_what_it_saw_last() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let mut stream = EventStream::open(&client, "q").await;
    let begin = stream.last_id.clone();
    let ids = client.post_bodies("q", &(0..50).map(|n| json!(n)).collect::<Vec<_>>()).await;
    assert_eq!(stream.bodies(20).await.last(), Some(&json!(19)));
    let seen = stream.last_id.clone();
    drop(stream);
    let rest = |from: i32| (from..50).map(|n| json!(n)).collect::<Vec<_>>();
    let mut again = EventStream::resume(&client, "q", &seen).await;
    assert_eq!(again.last_id, seen, "though nothing has come yet");
    assert_eq!(again.bodies(30).await, rest(20));
    let mut again = EventStream::resume(&client, "q", &begin).await;
    assert_eq!(again.bodies(50).await, rest(0), "before the first message too");
    // A browser repeats the parameters of its first request; what it saw last counts more.
    let with_both = format!("{}?marker={begin}", path("q"));
    let request = client.request(Method::GET, &with_both).header("last-event-id", &seen);
    assert_eq!(EventStream::from(request).await.bodies(30).await, rest(20));
    let by_marker = client.request(Method::GET, &with_both);
    assert_eq!(EventStream::from(by_marker).await.bodies(50).await, rest(0));
    let listed = client.get("/v2/queues/q/messages?echo=true&limit=7").await.expect(200).json();
    let marker = listed["links"][0]["href"].as_str().unwrap().split("marker=").nth(1).unwrap().to_owned();
    let marker = marker.split('&').next().unwrap();
    assert_eq!(
        EventStream::resume(&client, "q", marker).await.bodies(43).await,
        rest(7),
        "a listing's marker"
    );
    assert_eq!(EventStream::resume(&client, "q", &ids[9]).await.bodies(40).await, rest(10), "a message's id");
}

#[tokio::test]
async fn own_messages_come_unless_they_are_not_wanted() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let mut all = EventStream::open(&client, "q").await;
    let others = client.request(Method::GET, &format!("{}?echo=false", path("q")));
    let mut others = EventStream::from(others).await;
    client.post_bodies("q", &[json!(1), json!(2)]).await;
    client.with_id(OTHER_ID).post_bodies("q", &[json!(3)]).await;
    client.post_bodies("q", &[json!(4)]).await;
    client.with_id(OTHER_ID).post_bodies("q", &[json!(5)]).await;
    assert_eq!(others.bodies(2).await, [json!(3), json!(5)]);
    assert_eq!(all.bodies(5).await, [1, 2, 3, 4, 5].map(|n| json!(n)));
}

#[tokio::test]
async fn what_is_no_stream_is_refused_as_everywhere() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let (queue, elsewhere) = (path("q"), EventStream::open(&client, "elsewhere").await.last_id);
    let get = |target: &str| client.request(Method::GET, target);
    send(get(&queue).header("last-event-id", elsewhere)).await.expect(400);
    send(get(&format!("{queue}?marker=junk"))).await.expect(400);
    send(get(&format!("{queue}?echo=maybe"))).await.expect(400);
    send(get(&queue).header("accept", "text/html")).await.expect(406);
    send(get("/v2/queues/q/messages").header("accept", "text/event-stream")).await.expect(406);
    send(client.bare(Method::GET, &queue)).await.expect(400);
    send(client.request(Method::HEAD, &queue)).await.expect(405);
    let answer = send(client.request(Method::POST, &queue)).await.expect(405);
    assert_eq!(answer.header("allow"), Some("DELETE, GET, OPTIONS"));
    send(client.request(Method::DELETE, &queue)).await.expect(204);
    let v1 = TestApp::start(Store::Memory, "[DEFAULT]\nenable_deprecated_api_versions = 1,1.1\n").await;
    let v1 = v1.client("p");
    for version in ["v1", "v1.1"] {
        let target = format!("/{version}/queues/q/messages/stream");
        send(v1.request(Method::GET, &target)).await.expect(404);
    }
}

#[tokio::test]
async fn the_home_document_tells_of_it_and_of_waiting() {
    let app = TestApp::start(Store::Memory, "").await;
    let home = app.client("p").get("/v2/").await.expect(200).json();
    let stream = &home["resources"]["rel/messages_stream"];
    assert_eq!(stream["href-template"], "/v2/queues/{queue_name}/messages/stream{?marker,echo}");
    assert_eq!(stream["hints"]["formats"], json!({ "text/event-stream": {} }));
    assert_eq!(home["resources"]["rel/websocket"]["href"], "/v2/ws");
    for relation in ["rel/messages_wait", "rel/messages_pop_wait", "rel/post_claim_wait"] {
        assert_eq!(home["resources"][relation]["href-vars"]["wait"], "param/wait", "{relation}");
    }
}

#[tokio::test]
async fn it_works_over_http_2() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p").speaking_http2();
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(EventStream::open(&client, "q").await);
    }
    client.post_bodies("q", &[json!(1), json!(2)]).await;
    for stream in &mut streams {
        assert_eq!(stream.bodies(2).await, [json!(1), json!(2)]);
    }
}
