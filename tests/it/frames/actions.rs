//! Queues and claims in frames, beyond what was recorded.

use serde_json::{Value, json};
use zaqar::websocket::Encoding;

use super::desk::{CLIENT, Desk};

fn failure(exception: &str, error: Option<&str>) -> Value {
    json!({ "exception": exception, "error": error })
}

#[tokio::test]
async fn an_id_comes_back_as_it_was_sent() {
    let desk = Desk::new(Encoding::Json);
    let headers = json!({ "Client-ID": CLIENT, "X-Project-ID": "p" });
    for id in [json!(7), json!("é"), json!({ "a": [1, null] })] {
        let reply = desk.send(&json!({ "id": id, "action": "queue_list", "headers": headers })).await;
        assert_eq!(reply["id"], id);
        assert_eq!(
            reply.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["request", "id", "body", "headers"]
        );
        let bad = desk.send(&json!({ "id": id, "action": "queue_list", "headers": {} })).await;
        assert_eq!((&bad["id"], &bad["headers"]["status"]), (&id, &json!(400)));
    }
    let reply = desk.send(&json!({ "action": "queue_list", "headers": headers })).await;
    assert_eq!(reply.get("id"), None);
}

#[tokio::test]
async fn metadata_is_an_object_of_a_limited_size() {
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let desk = Desk::new(encoding);
        let create = async |metadata: Value| {
            desk.ask("queue_create", json!({ "queue_name": "q", "metadata": metadata })).await
        };
        for wrong in [json!("{"), json!([]), json!(1), json!(true)] {
            let expected = (400, failure("Queue metadata must be an object.", None));
            assert_eq!(create(wrong).await, expected);
        }
        let wrong = failure("_default_message_ttl must be integer.", None);
        assert_eq!(create(json!({ "_default_message_ttl": "x" })).await, (400, wrong));
        // The size is that of the value as it stands in its frame.
        let most = 64 * 1024;
        let overhead = if encoding == Encoding::Json { r#"{"x":""}"#.len() } else { 1 + 2 + 3 };
        let large = failure("Queue metadata is too large. Max size: 65536", None);
        assert_eq!(create(json!({ "x": "y".repeat(most - overhead + 1) })).await, (400, large));
        assert_eq!(create(Value::Null).await, (201, json!("Queue q created.")));
        assert_eq!(
            create(json!({ "x": "y".repeat(most - overhead) })).await,
            (204, json!("Queue q created."))
        );
        assert_eq!(desk.ask("queue_get", json!({ "queue_name": "q" })).await, (200, json!({})));
    }
}

#[tokio::test]
async fn a_project_is_not_too_long_for_a_new_queue() {
    let desk = Desk::new(Encoding::Json);
    let create = async |project: String| {
        let headers = json!({ "Client-ID": CLIENT, "X-Project-ID": project });
        desk.ask_as(headers, "queue_create", json!({ "queue_name": "q" })).await
    };
    let words = failure("Project ids may not be more than 256 characters long.", None);
    assert_eq!(create("p".repeat(257)).await, (400, words));
    assert_eq!(create("ü".repeat(256)).await.0, 201);
}

#[tokio::test]
async fn a_queue_with_an_illegal_name_is_one_that_does_not_exist() {
    let desk = Desk::new(Encoding::Json);
    for name in ["a b", "", "ü", &"x".repeat(65)] {
        let zeros = json!({ "messages": { "claimed": 0, "free": 0, "total": 0 } });
        let missing = format!("Claim c does not exist in queue {name} for project p");
        let no_claim = failure(&missing, Some("Claim c does not exist."));
        let no_message = failure(&format!("Queue {name} does not exist for project p"), None);
        for (action, status, expected) in [
            ("queue_get", 200, json!({})),
            ("queue_get_stats", 404, zeros),
            ("queue_purge", 204, json!({})),
            ("queue_delete", 204, json!(format!("Queue {name} removed."))),
            ("message_list", 200, json!({ "messages": [] })),
            ("message_get", 404, no_message),
            ("message_get_many", 200, json!({ "messages": [] })),
            ("message_delete", 204, json!({})),
            ("claim_create", 204, json!({ "claim_id": null })),
            ("claim_get", 404, no_claim.clone()),
            ("claim_update", 404, no_claim),
            ("claim_delete", 204, json!("Claim c deleted.")),
        ] {
            let body =
                json!({ "queue_name": name, "message_id": "m", "message_ids": ["m"], "claim_id": "c" });
            assert_eq!(desk.ask(action, body).await, (status, expected), "{action} {name:?}");
        }
        let popped = desk.ask("message_delete_many", json!({ "queue_name": name, "pop": 1 })).await;
        assert_eq!(popped, (200, json!({ "messages": [] })));
        for action in ["queue_create", "message_post"] {
            let (status, body) = desk.ask(action, json!({ "queue_name": name, "messages": [] })).await;
            assert_eq!(status, 400, "{body}");
            assert!(body["exception"].as_str().unwrap().starts_with("Queue names may "), "{body}");
        }
    }
    assert_eq!(desk.ask("queue_list", json!({})).await, (200, json!({ "queues": [] })));
}

#[tokio::test]
async fn stats_show_the_whole_messages_at_both_ends() {
    let desk = Desk::new(Encoding::Json);
    let ids = desk.post("q", json!([{ "body": 1, "ttl": 60 }, { "body": 2 }, { "body": { "n": 3 } }])).await;
    let claim = json!({ "queue_name": "q", "limit": 1 });
    let (_, claim) = desk.ask("claim_create", claim).await;
    let (status, numbers) = desk.ask("queue_get_stats", json!({ "queue_name": "q" })).await;
    let oldest = json!({
        "id": ids[0], "age": 0, "ttl": claim["messages"][0]["ttl"], "body": 1, "claim_id": claim["claim_id"],
        "claim_count": 0, "created": "2027-01-15T08:00:00Z",
    });
    let newest = json!({
        "id": ids[2], "age": 0, "ttl": 3600, "body": { "n": 3 }, "claim_id": null, "claim_count": 0,
        "created": "2027-01-15T08:00:00Z",
    });
    let expected = json!({ "claimed": 1, "free": 2, "total": 3, "newest": newest, "oldest": oldest });
    assert_eq!((status, numbers), (200, json!({ "messages": expected })));
}

#[tokio::test]
async fn a_purge_leaves_what_is_claimed_and_ignores_what_it_does_not_know() {
    let desk = Desk::new(Encoding::Json);
    desk.post("q", json!([{ "body": 1 }, { "body": 2 }, { "body": 3 }])).await;
    desk.ask("claim_create", json!({ "queue_name": "q", "limit": 1 })).await;
    let total = async || {
        let (_, stats) = desk.ask("queue_get_stats", json!({ "queue_name": "q" })).await;
        stats["messages"]["total"].as_u64().unwrap()
    };
    for types in [json!([]), json!(["x", 1, null]), json!(["subscriptions"])] {
        let purged = desk.ask("queue_purge", json!({ "queue_name": "q", "resource_types": types })).await;
        assert_eq!((purged, total().await), ((204, json!({})), 3));
    }
    assert_eq!(desk.ask("queue_purge", json!({ "queue_name": "q" })).await, (204, json!({})));
    assert_eq!(total().await, 1);
}

#[tokio::test]
async fn the_grace_of_an_updated_claim_is_an_integer() {
    let desk = Desk::new(Encoding::Json);
    desk.post("q", json!([{ "body": 1 }])).await;
    let (_, claim) = desk.ask("claim_create", json!({ "queue_name": "q", "ttl": 60 })).await;
    let update = async |grace: Value| {
        let body = json!({ "queue_name": "q", "claim_id": claim["claim_id"], "ttl": 90, "grace": grace });
        desk.ask("claim_update", body).await
    };
    for wrong in [json!("60"), json!(60.0), json!(null)] {
        let words = "Bad request. The value of the \"grace\" field must be a int.";
        assert_eq!(update(wrong).await, (400, failure(words, None)));
    }
    let updated = format!("Claim {} updated.", claim["claim_id"].as_str().unwrap());
    assert_eq!(update(json!(60)).await, (204, json!(updated)));
    let get = json!({ "queue_name": "q", "claim_id": claim["claim_id"] });
    assert_eq!(desk.ask("claim_get", get).await.1["ttl"], 90);
}

#[tokio::test]
async fn replies_have_the_order_of_the_reference() {
    let keys =
        |value: &Value| value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ");
    let desk = Desk::new(Encoding::Json);
    desk.post("q", json!([{ "body": 1 }])).await;
    let stats = desk.ask("queue_get_stats", json!({ "queue_name": "q" })).await.1;
    assert_eq!(keys(&stats["messages"]), "claimed free total newest oldest");
    assert_eq!(keys(&stats["messages"]["oldest"]), "id age ttl body claim_id claim_count created");
    let (_, claim) = desk.ask("claim_create", json!({ "queue_name": "q" })).await;
    assert_eq!(keys(&claim), "claim_id messages");
    assert_eq!(keys(&claim["messages"][0]), "id claim_id ttl age body");
    let get = json!({ "queue_name": "q", "claim_id": claim["claim_id"] });
    assert_eq!(keys(&desk.ask("claim_get", get.clone()).await.1), "age ttl messages");
    let missing = json!({ "queue_name": "q", "claim_id": "nope" });
    assert_eq!(keys(&desk.ask("claim_get", missing).await.1), "exception error");
    desk.ask("claim_delete", get).await;
    let popped = desk.ask("message_delete_many", json!({ "queue_name": "q", "pop": 1 })).await.1;
    assert_eq!(keys(&popped["messages"][0]), "id age ttl body claim_id claim_count");
}

#[tokio::test]
async fn a_page_of_subscriptions_is_what_python_makes_an_integer_of() {
    let desk = Desk::new(Encoding::Json);
    let list = async |limit: Value| {
        desk.ask("subscription_list", json!({ "queue_name": "q", "limit": limit })).await
    };
    for fine in [json!(1), json!(20), json!("5"), json!(" 5 "), json!(true), json!(null)] {
        assert_eq!(list(fine.clone()).await, (200, json!({ "subscriptions": [] })), "{fine}");
    }
    let literal = failure("invalid literal for int() with base 10: 'x'", None);
    assert_eq!(list(json!("x")).await, (400, literal));
    for wrong in [json!(0), json!(21), json!(false), json!("0"), json!(1.5), json!([1])] {
        assert_eq!(list(wrong.clone()).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn waiting_has_its_limits() {
    let desk = Desk::new(Encoding::Json);
    for (action, more) in [
        ("claim_create", json!({})),
        ("message_list", json!({})),
        ("message_delete_many", json!({ "pop": 1 })),
    ] {
        for wait in [json!(-1), json!(61), json!("1"), json!(1.0), json!(null)] {
            let mut body = more.clone();
            (body["queue_name"], body["wait"]) = (json!("q"), wait);
            assert_eq!(desk.ask(action, body.clone()).await.0, 400, "{action} {body}");
        }
    }
}

#[tokio::test]
async fn a_claim_that_was_waited_for_goes_with_its_reply() {
    let desk = Desk::new(Encoding::Json);
    desk.post("q", json!([{ "body": 1 }])).await;
    let headers = json!({ "Client-ID": CLIENT, "X-Project-ID": "p" });
    let body = json!({ "queue_name": "q", "wait": 60 });
    let frame = json!({ "action": "claim_create", "headers": headers, "body": body }).to_string();
    let mut claims = vec![];
    for _ in 0..2 {
        // Nobody writes the reply: the claim is released, and the next one need not wait for its end.
        let reply = desk.answer(Encoding::Json, frame.clone().into()).await;
        let sent = super::desk::read(Encoding::Json, &reply.encode());
        assert_eq!((reply.status().as_u16(), &sent["body"]["messages"][0]["body"]), (201, &json!(1)));
        claims.push(sent["body"]["claim_id"].clone());
    }
    assert_ne!(claims[0], claims[1]);
}
