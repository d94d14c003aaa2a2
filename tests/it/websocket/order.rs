//! The order of answers, and what goes wrong with single requests.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::websocket::{WebSocketClient, status};
use crate::support::{Store, TestApp};

#[tokio::test]
async fn requests_without_an_id_are_answered_in_order() {
    let app = TestApp::start(Store::Sqlite, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    for number in 0..200 {
        let body = json!({ "queue_name": "q", "messages": [{ "body": number, "ttl": 300 }] });
        client.send_json(&client.request("message_post", &body)).await;
        // What cannot be read is answered in its turn.
        client.send(Message::text("{")).await;
    }
    for number in 0..200 {
        let reply = client.json().await;
        assert_eq!((status(&reply), &reply["request"]["body"]["messages"][0]["body"]), (201, &json!(number)));
        assert_eq!(status(&client.json().await), 400);
    }
    let (_, page) =
        client.call("message_list", &json!({ "queue_name": "q", "echo": true, "limit": 20 })).await;
    let bodies: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|message| &message["body"]).collect();
    assert_eq!(bodies, (0..20).map(|number| json!(number)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_id_is_echoed_and_its_request_overtakes_none_but_waiting_ones() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    for id in [json!("a"), json!(7), json!({ "x": [1] }), json!(null)] {
        let mut request = client.request("queue_list", &json!({}));
        request["id"] = id.clone();
        client.send_json(&request).await;
        let reply = client.json().await;
        assert_eq!((status(&reply), &reply["id"]), (200, &id));
    }
    let (_, reply) = client.call("queue_list", &json!({})).await;
    assert_eq!(reply.get("id"), None);
    // One that waits for a message does not hold up those that name themselves.
    let mut waits = client.request("claim_create", &json!({ "queue_name": "q", "wait": 60 }));
    waits["id"] = json!("waits");
    client.send_json(&waits).await;
    let mut post = client.request("message_post", &json!({ "queue_name": "q", "messages": [{ "body": 1 }] }));
    post["id"] = json!("post");
    client.send_json(&post).await;
    let mut ids = vec![];
    for _ in 0..2 {
        let reply = client.json().await;
        assert_eq!(status(&reply), 201, "{reply}");
        ids.push(reply["id"].as_str().unwrap().to_owned());
    }
    ids.sort();
    assert_eq!(ids, ["post", "waits"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_with_an_id_is_told_at_once() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    client.send_json(&client.request("claim_create", &json!({ "queue_name": "q", "wait": 60 }))).await;
    for (action, wanted) in [("nope", 400), ("queue_get", 400)] {
        let mut wrong = client.request(action, &json!({}));
        wrong["id"] = json!(action);
        client.send_json(&wrong).await;
        let reply = client.json().await;
        assert_eq!((status(&reply), &reply["id"]), (wanted, &json!(action)), "{reply}");
    }
    app.client("p").post_bodies("q", &[json!(1)]).await;
    assert_eq!(status(&client.json().await), 201);
}

#[tokio::test]
async fn both_encodings_on_one_connection() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    let request = client.request("queue_list", &json!({}));
    client.send(Message::binary(rmp_serde::to_vec_named(&request).unwrap())).await;
    client.send_json(&request).await;
    let Message::Binary(reply) = client.next().await else { panic!("a binary reply to a binary request") };
    let reply: serde_json::Value = rmp_serde::from_slice(&reply).unwrap();
    assert_eq!((status(&reply), &reply["request"]["action"]), (200, &json!("queue_list")));
    assert_eq!(status(&client.json().await), 200);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_costs_nobody_else() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut other = WebSocketClient::connect(app.websocket, "p").await;
    for cut in [1, 2, 5, 20] {
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        let waits = client.request("claim_create", &json!({ "queue_name": "q", "wait": 60 }));
        client.send_json(&waits).await;
        // The beginning of a masked frame of 100 bytes.
        let frame = [&[0x81, 0x80 | 0x64, 1, 2, 3, 4][..], &[b'x'; 100]].concat();
        client.send_raw(&frame[..cut]).await;
        drop(client);
        assert_eq!(other.call("queue_list", &json!({})).await.0, 200);
    }
    assert!(app.stop().await, "no connection is left");
}
