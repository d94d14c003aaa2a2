//! Messages pushed to connections.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::websocket::{WebSocketClient, status};
use crate::support::{Store, TestApp};

fn queue(name: &str) -> Value {
    json!({ "queue_name": name })
}

/// Waits until the queue has so many subscriptions.
async fn subscribed(client: &mut WebSocketClient, name: &str, number: usize) {
    let start = std::time::Instant::now();
    loop {
        let (_, listed) = client.call("subscription_list", &queue(name)).await;
        if listed["subscriptions"].as_array().unwrap().len() == number {
            return;
        }
        assert!(start.elapsed().as_secs() < 60, "{listed}");
    }
}

#[tokio::test]
async fn new_messages_are_pushed_in_the_reference_shape() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        app.client("p").post_bodies("q", &[json!("queued before")]).await;
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        let (code, body) = client.call("subscription_create", &queue("q")).await;
        assert_eq!((code, &body["message"]), (201, &json!("Subscription q created.")));
        for number in 0..30 {
            app.client("p").post_bodies("q", &[json!({ "n": number })]).await;
        }
        for number in 0..30 {
            let pushed = client.json().await;
            let wanted = json!({ "ttl": 300, "body": { "n": number }, "Message_Type": "Notification", "queue_name": "q" });
            assert_eq!(pushed, wanted);
        }
    }
}

#[tokio::test]
async fn several_queues_and_the_posters_own_messages() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    for name in ["a", "b"] {
        assert_eq!(client.call("subscription_create", &queue(name)).await.0, 201);
    }
    for name in ["a", "b", "a"] {
        let body = json!({ "queue_name": name, "messages": [{ "body": name }] });
        client.send_json(&client.request("message_post", &body)).await;
        let mut frames = [client.json().await, client.json().await];
        frames.sort_by_key(|frame| frame.get("request").is_none());
        assert_eq!(status(&frames[0]), 201);
        assert_eq!((&frames[1]["queue_name"], &frames[1]["body"]), (&json!(name), &json!(name)));
    }
}

#[tokio::test]
async fn a_second_subscription_to_a_queue_is_refused() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    assert_eq!(client.call("subscription_create", &queue("q")).await.0, 201);
    let again = client.call("subscription_create", &queue("q")).await;
    assert_eq!(again, (409, json!("Subscription q not created.")));
    let address = json!({ "queue_name": "q", "subscriber": "http://127.0.0.1:1/" });
    assert_eq!(client.call("subscription_create", &address).await.0, 400);
}

#[tokio::test]
async fn no_subscriber_and_an_empty_one_are_the_connection() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    let body = json!({ "queue_name": "q", "subscriber": "" });
    assert_eq!(client.call("subscription_create", &body).await.0, 201);
    app.client("p").post_bodies("q", &[json!(1)]).await;
    assert_eq!(client.json().await["body"], 1);
}

#[tokio::test]
async fn a_refused_subscription_leaves_nothing() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        for wrong in [json!({ "from": "no marker" }), json!({ "ttl": 1 }), json!({ "subscriber": "ftp://x" })]
        {
            let mut body = wrong;
            body["queue_name"] = json!("q");
            assert_eq!(client.call("subscription_create", &body).await.0, 400, "{body}");
            let queues = client.call("queue_list", &json!({})).await.1;
            assert_eq!(queues, json!({ "queues": [] }), "{store:?} {body}");
        }
        app.client("p").put("/v2/queues/q").await.expect(201);
        let wrong = client.request("subscription_create", &json!({ "queue_name": "q", "from": "no marker" }));
        let right = client.request("subscription_create", &queue("q"));
        client.send_json(&wrong).await;
        client.send_json(&right).await;
        let statuses = [status(&client.json().await), status(&client.json().await)];
        assert_eq!(statuses, [400, 201], "{store:?}");
    }
}

/// However late the end of a subscription comes round.
#[tokio::test]
async fn who_subscribes_again_hears_everything_once() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        for number in 0..10 {
            let (_, made) = client.call("subscription_create", &queue("q")).await;
            let one = json!({ "queue_name": "q", "subscription_id": made["subscription_id"] });
            let post = json!({ "queue_name": "q", "messages": [{ "body": number }] });
            for (action, body) in
                [("subscription_delete", &one), ("subscription_create", &queue("q")), ("message_post", &post)]
            {
                client.send_json(&client.request(action, body)).await;
            }
            let (mut answered, mut pushed) = (vec![], 0);
            while answered.len() < 3 || pushed < 1 {
                let frame = client.json().await;
                match frame.get("request") {
                    Some(_) => answered.push(frame["body"]["subscription_id"].clone()),
                    None => pushed += 1,
                }
            }
            let last = json!({ "queue_name": "q", "subscription_id": answered[1] });
            assert_eq!(client.call("subscription_delete", &last).await.0, 204, "{store:?}");
            assert_eq!(pushed, 1);
            subscribed(&mut client, "q", 0).await;
        }
    }
}

#[tokio::test]
async fn the_last_subscription_says_how_frames_are_written() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    assert_eq!(client.call("subscription_create", &queue("a")).await.0, 201);
    let request = client.request("subscription_create", &queue("b"));
    client.send(Message::binary(rmp_serde::to_vec_named(&request).unwrap())).await;
    assert!(matches!(client.next().await, Message::Binary(_)));
    // Neither other requests nor one that is refused change it.
    assert_eq!(client.call("subscription_create", &queue("a")).await.0, 409);
    for name in ["a", "b"] {
        app.client("p").post_bodies(name, &[json!([1, "x"])]).await;
        let Message::Binary(pushed) = client.next().await else { panic!("a text was pushed") };
        let pushed: Value = rmp_serde::from_slice(&pushed).unwrap();
        assert_eq!((&pushed["queue_name"], &pushed["body"]), (&json!(name), &json!([1, "x"])));
    }
}

#[tokio::test]
async fn from_a_marker_nothing_is_missed() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let rest = app.client("p");
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        let now = json!({ "queue_name": "q", "from": "now" });
        assert_eq!(client.call("subscription_create", &now).await.0, 201);
        let ids = rest.post_bodies("q", &[json!(0), json!(1)]).await;
        let first = client.json().await;
        assert_eq!((&first["id"], &first["body"]), (&json!(ids[0]), &json!(0)));
        drop(client);
        let missed: Vec<_> = (2..60).map(|number| json!(number)).collect();
        for some in missed.chunks(20) {
            rest.post_bodies("q", some).await;
        }
        let mut again = WebSocketClient::connect(app.websocket, "p").await;
        let behind = json!({ "queue_name": "q", "from": first["marker"] });
        assert_eq!(again.call("subscription_create", &behind).await.0, 201);
        rest.post_bodies("q", &[json!(60)]).await;
        for number in 1..=60 {
            assert_eq!(again.json().await["body"], json!(number), "{store:?}");
        }
        for from in [json!(1), json!("no marker")] {
            let mut other = WebSocketClient::connect(app.websocket, "p").await;
            let body = json!({ "queue_name": "q", "from": from });
            assert_eq!(other.call("subscription_create", &body).await.0, 400, "{from}");
        }
    }
}

#[tokio::test]
async fn a_connection_takes_its_subscriptions_with_it() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let mut other = WebSocketClient::connect(app.websocket, "p").await;
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        let (_, made) = client.call("subscription_create", &json!({ "queue_name": "q", "ttl": 600 })).await;
        let (_, listed) = other.call("subscription_list", &queue("q")).await;
        let one = &listed["subscriptions"][0];
        assert_eq!(
            (&one["id"], &one["ttl"], &one["source"]),
            (&made["subscription_id"], &json!(600), &json!("q"))
        );
        assert!(one["subscriber"].as_str().unwrap().starts_with("websocket:"), "{one}");
        drop(client);
        subscribed(&mut other, "q", 0).await;
    }
}

#[tokio::test]
async fn a_subscription_that_somebody_ends_pushes_no_more() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let mut other = WebSocketClient::connect(app.websocket, "p").await;
        for (name, ends) in [("a", "subscription_delete"), ("b", "queue_purge"), ("c", "queue_delete")] {
            let mut client = WebSocketClient::connect(app.websocket, "p").await;
            let (_, made) = client.call("subscription_create", &queue(name)).await;
            let body = json!({ "queue_name": name, "subscription_id": made["subscription_id"] });
            assert_eq!(other.call(ends, &body).await.0, 204);
            // No clock stands still between the end of a queue and the next one of its name.
            app.clock.advance(std::time::Duration::from_secs(1));
            // It may subscribe again as soon as the end has reached it; until then it would hear of both.
            let (code, _) =
                client.call("subscription_create", &json!({ "queue_name": name, "from": "now" })).await;
            assert_eq!(code, 201, "{store:?} {ends}");
            app.client("p").post_bodies(name, &[json!(1), json!(2)]).await;
            let mut marked = 0;
            while marked < 2 {
                let frame = client.json().await;
                marked += usize::from(frame.get("marker").is_some());
            }
            app.client("p").post_bodies(name, &[json!(3)]).await;
            assert!(client.json().await.get("marker").is_some(), "{store:?} {ends}: the old one goes on");
        }
    }
}

/// A store that is out of reach for longer than leases live must not end pushes.
#[tokio::test]
async fn a_subscription_whose_lease_ran_out_is_restored() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        let (_, made) = client.call("subscription_create", &queue("q")).await;
        // The keeper's first look may come before or behind it.
        app.clock.advance(std::time::Duration::from_secs(40));
        let mut other = WebSocketClient::connect(app.websocket, "p").await;
        // What changes about the queue has its leases looked at.
        let patch = json!([{ "op": "add", "path": "/metadata/k", "value": 1 }]);
        app.client("p").patch_queue("q", &patch).await.expect(200);
        subscribed(&mut other, "q", 1).await;
        let (_, listed) = other.call("subscription_list", &queue("q")).await;
        assert_eq!(listed["subscriptions"][0]["id"], made["subscription_id"]);
        app.client("p").post_bodies("q", &[json!("still pushed")]).await;
        assert_eq!(client.json().await["body"], json!("still pushed"));
    }
}
