//! Messages over REST.

use serde_json::{Value, json};

use crate::support::client::{OTHER_ID, send};
use crate::support::{Store, TestApp};

const Q: &str = "/v2/queues/q/messages";

#[tokio::test]
async fn bodies_come_back_as_they_were() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let raw = r#"{"messages":[{"ttl":300,"body":{"n":1.50,"big":9223372036854775807,"e":1E40,"s":"\u00e9é","a":[1, 2]}},{"ttl":400,"body":null}]}"#;
        let posted = send(client.request(reqwest::Method::POST, Q).body(raw)).await.expect(201);
        let ids = posted.ids();
        assert_eq!(posted.header("location").unwrap(), format!("{Q}?ids={},{}", ids[0], ids[1]));
        let resources = json!({ "resources": [format!("{Q}/{}", ids[0]), format!("{Q}/{}", ids[1])] });
        assert_eq!(posted.json(), resources);
        let text = String::from_utf8(client.get(&format!("{Q}/{}", ids[0])).await.expect(200).bytes.to_vec())
            .unwrap();
        let body = r#""body":{"n":1.50,"big":9223372036854775807,"e":1E40,"s":"\u00e9é","a":[1,2]}"#;
        assert!(text.contains(body), "{text}");
        assert!(text.contains(&format!(r#""href":"{Q}/{}","ttl":300,"age":0"#, ids[0])), "{text}");
        let both = client.get(&format!("{Q}?ids={},{},nope", ids[1], ids[0])).await.expect(200);
        assert_eq!(both.json()["messages"].as_array().unwrap().len(), 2);
        assert!(both.json().get("links").is_none());
    }
}

#[tokio::test]
async fn a_refused_post_creates_no_queue() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let bad = [
        "{",
        "[]",
        "{}",
        "",
        "null",
        "\"x\"",
        "123",
        r#"{"messages":"x"}"#,
        r#"{"messages":[]}"#,
        r#"{"messages":["x"]}"#,
        r#"{"messages":[{"ttl":300}]}"#,
        r#"{"messages":[{"ttl":59,"body":1}]}"#,
        r#"{"messages":[{"ttl":1209601,"body":1}]}"#,
        r#"{"messages":[{"ttl":"300","body":1}]}"#,
        r#"{"messages":[{"ttl":null,"body":1}]}"#,
        r#"{"messages":[{"ttl":300,"body":NaN}]}"#,
        r#"{"messages":[{"ttl":300,"body":9223372036854775808}]}"#,
        r#"{"messages":[{"body":"\ud800"}]}"#,
    ];
    for body in bad {
        send(client.request(reqwest::Method::POST, Q).body(body)).await.expect(400);
    }
    send(client.request(reqwest::Method::POST, Q).body(&b"{\"messages\":[{\"body\":\"\xff\"}]}"[..]))
        .await
        .expect(400);
    let large = json!({ "messages": [{ "body": "x".repeat(262_144) }] });
    client.post(Q, &large).await.expect(400);
    assert_eq!(client.get("/v2/queues").await.json()["queues"], json!([]));
}

#[tokio::test]
async fn sizes_count_decoded_bytes() {
    let app = TestApp::start(Store::Memory, "[transport]\nmax_messages_post_size = 64\n").await;
    let client = app.client("p");
    let post = r#"{"messages":[{"ttl":300,"body":1}]}"#;
    let body = |length: usize| format!("{post}{}", " ".repeat(length - post.len()));
    send(client.request(reqwest::Method::POST, Q).body(body(64))).await.expect(201);
    send(client.request(reqwest::Method::POST, Q).body(body(65))).await.expect(400);
    let packed = |length| {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body(length).as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let gzip = |length| {
        client.request(reqwest::Method::POST, Q).header("content-encoding", "gzip").body(packed(length))
    };
    send(gzip(64)).await.expect(201);
    send(gzip(65)).await.expect(400);
    send(gzip(1_000_000)).await.expect(400);
    client.put_json("/v2/queues/small", &json!({ "_max_messages_post_size": 40 })).await.expect(201);
    let small = "/v2/queues/small/messages";
    send(client.request(reqwest::Method::POST, small).body(body(40))).await.expect(201);
    send(client.request(reqwest::Method::POST, small).body(body(41))).await.expect(400);
}

#[tokio::test]
async fn pages_follow_one_another() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let bodies: Vec<_> = (0..10).map(Value::from).collect();
        let ids = client.post_bodies("q", &bodies).await;
        assert_eq!(client.get(Q).await.expect(200).json(), json!({ "messages": [], "links": [] }));
        let (mut href, mut seen, mut sizes) = (format!("{Q}?limit=3&echo=true"), Vec::new(), Vec::new());
        loop {
            let page = client.get(&href).await.expect(200);
            sizes.push(page.ids().len());
            seen.extend(page.ids());
            match page.json()["links"][0]["href"].as_str() {
                Some(next) => href = next.to_owned(),
                None => break,
            }
        }
        assert_eq!((seen, sizes), (ids.clone(), vec![3, 3, 3, 1, 0]));
        assert!(href.contains("limit=3&echo=true&include_delayed=true"), "{href}");
        let behind = client.get(&format!("{Q}?echo=true&marker={}", ids[7])).await;
        assert_eq!(behind.ids(), ids[8..]);
        client.delete(&format!("{Q}/{}", ids[7])).await.expect(204);
        let behind = client.get(&format!("{Q}?echo=true&marker={}", ids[7])).await;
        assert_eq!(behind.ids(), ids[8..], "a marker may be the id of a message that is gone");
        assert!(
            client.get(&format!("{Q}?echo=true&marker=sfhlsfdjh2048")).await.expect(200).ids().is_empty()
        );
        assert_eq!(client.with_id(OTHER_ID).get(&format!("{Q}?limit=20")).await.ids().len(), 9);
        for bad in ["limit=0", "limit=21", "limit=x", "echo=x", "include_claimed=maybe"] {
            client.get(&format!("{Q}?{bad}")).await.expect(400);
        }
    }
}

#[tokio::test]
async fn delayed_messages_wait_and_are_listed_on_request() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        client.put_json("/v2/queues/q", &json!({ "_default_message_delay": 30 })).await.expect(201);
        let posts = json!({ "messages": [{ "body": "default" }, { "body": "now", "delay": 0 }, { "body": "later", "delay": 60 }] });
        let ids = client.post(Q, &posts).await.expect(201).ids();
        client.post(Q, &json!({ "messages": [{ "body": 1, "delay": 901 }] })).await.expect(400);
        client.post(Q, &json!({ "messages": [{ "body": 1, "delay": "x" }] })).await.expect(400);
        let list = async |query: &str| client.get(&format!("{Q}?echo=true{query}")).await.expect(200).ids();
        assert_eq!(list("").await, [ids[1].as_str()]);
        assert_eq!(list("&include_delayed=true").await, [&ids[1], &ids[0], &ids[2]].map(String::as_str));
        client.get(&format!("{Q}/{}", ids[2])).await.expect(200);
        app.pass(30);
        assert_eq!(list("").await, [&ids[1], &ids[0]].map(String::as_str));
        let claim = client.post("/v2/queues/q/claims", &json!({})).await.expect(201);
        assert_eq!(claim.ids(), [&ids[1], &ids[0]].map(String::as_str));
        app.pass(30);
        assert_eq!(client.delete(&format!("{Q}?pop=10")).await.expect(200).ids(), [ids[2].as_str()]);
    }
}

#[tokio::test]
async fn a_queue_without_a_delay_delays_nothing() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    for delay in [json!(100), json!(901), json!("x")] {
        client.post(Q, &json!({ "messages": [{ "body": 1, "delay": delay }] })).await.expect(201);
    }
    assert_eq!(client.get(&format!("{Q}?echo=true")).await.ids().len(), 3);
}

#[tokio::test]
async fn deletion_respects_claims() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let ids = client.post_bodies("q", &[json!(1), json!(2), json!(3)]).await;
        let claim = client.post("/v2/queues/q/claims?limit=1", &json!({})).await.expect(201);
        let claim_id = claim.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
        let claimed = format!("{Q}/{}", ids[0]);
        let unknown = "00000000-0000-0000-0000-000000000000";
        assert_eq!(client.delete(&claimed).await.expect(403).json()["title"], "Unable to delete");
        client.delete(&format!("{claimed}?claim_id=invalid")).await.expect(400);
        client.delete(&format!("{claimed}?claim_id={unknown}")).await.expect(400);
        client.delete(&format!("{Q}/{}?claim_id={claim_id}", ids[1])).await.expect(400);
        client.delete(&format!("{Q}/{}?claim_id=invalid", ids[1])).await.expect(400);
        client.get(&format!("{Q}/{}", ids[1])).await.expect(200);
        client.delete(&format!("{claimed}?claim_id={claim_id}")).await.expect(204);
        client.delete(&format!("{claimed}?claim_id={claim_id}")).await.expect(204);
        client.delete(&format!("{Q}/nope")).await.expect(204);
        client.delete(&format!("{Q}?ids={},nope,", ids[1])).await.expect(204);
        client.get(&format!("{Q}/{}", ids[1])).await.expect(404);
        client.get(&format!("{Q}?ids={}", ids[1])).await.expect(404);
        client.delete(&format!("{Q}/{}", ids[2])).await.expect(204);
        let many = vec![unknown; 21].join(",");
        for bad in [
            String::new(),
            "pop=0".into(),
            "pop=21".into(),
            "pop=x".into(),
            "pop=1&ids=a".into(),
            format!("ids={many}"),
        ] {
            client.delete(&format!("{Q}?{bad}")).await.expect(400);
        }
        client.get(&format!("{Q}?ids={many}")).await.expect(400);
    }
}

#[tokio::test]
async fn bulk_deletion_may_demand_claims() {
    for store in Store::ALL {
        let app = TestApp::start(store, "[transport]\nmessage_delete_with_claim_id = true\n").await;
        let client = app.client("p");
        let ids = client.post_bodies("q", &[json!(1), json!(2)]).await;
        let claim = client.post("/v2/queues/q/claims?limit=1", &json!({})).await.expect(201);
        let claim_id = claim.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
        client.delete(&format!("{Q}?ids={}", ids[0])).await.expect(400);
        client.delete(&format!("{Q}?pop=1&claim_ids={claim_id}")).await.expect(400);
        client.delete(&format!("{Q}?ids={},{}&claim_ids={claim_id}", ids[0], ids[1])).await.expect(400);
        client.get(&format!("{Q}/{}", ids[0])).await.expect(200);
        client.delete(&format!("{Q}?ids={}&claim_ids={claim_id},{claim_id},", ids[0])).await.expect(204);
        client.get(&format!("{Q}/{}", ids[0])).await.expect(404);
    }
}

#[tokio::test]
async fn pop_takes_the_oldest_that_nobody_holds() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let ids = client.post_bodies("q", &[json!(1), json!(2), json!(3)]).await;
        client.post("/v2/queues/q/claims?limit=1", &json!({})).await.expect(201);
        app.pass(7);
        let popped = client.delete(&format!("{Q}?pop=1")).await.expect(200).json();
        let message =
            json!({ "id": ids[1], "age": 7, "ttl": 300, "body": 2, "claim_id": null, "claim_count": 0 });
        assert_eq!(popped, json!({ "messages": [message] }));
        assert_eq!(client.delete(&format!("{Q}?pop=20")).await.ids(), [ids[2].as_str()]);
        assert_eq!(client.delete(&format!("{Q}?pop=20")).await.expect(200).json(), json!({ "messages": [] }));
        assert_eq!(
            client.delete("/v2/queues/none/messages?pop=1").await.expect(200).json(),
            json!({ "messages": [] })
        );
    }
}

#[tokio::test]
async fn expired_messages_are_gone_at_once() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let posts = json!({ "messages": [{ "ttl": 60, "body": 1 }, { "ttl": 120, "body": 2 }] });
        let ids = client.post(Q, &posts).await.expect(201).ids();
        app.pass(60);
        client.get(&format!("{Q}/{}", ids[0])).await.expect(404);
        assert_eq!(client.get(&format!("{Q}?echo=true")).await.ids(), [ids[1].as_str()]);
        assert_eq!(client.get("/v2/queues/q/stats").await.json()["messages"]["total"], 1);
        assert_eq!(client.post("/v2/queues/q/claims", &json!({})).await.expect(201).ids(), [ids[1].as_str()]);
    }
}

#[tokio::test]
async fn the_longest_ttl_does_not_overflow() {
    for store in Store::ALL {
        let app = TestApp::start(store, "[transport]\nmax_message_ttl = 220367260800\nmax_claim_ttl = 220367260800\nmax_claim_grace = 220367260800\n").await;
        let client = app.client("p");
        let post = json!({ "messages": [{ "ttl": 220_367_260_800_u64, "body": 1 }] });
        let id = &client.post(Q, &post).await.expect(201).ids()[0];
        let claim = json!({ "ttl": 220_367_260_800_u64, "grace": 220_367_260_800_u64 });
        let claimed = client.post("/v2/queues/q/claims", &claim).await.expect(201);
        let path = claimed.header("location").unwrap();
        client.patch(path, &json!({ "ttl": 220_367_260_800_u64, "grace": i64::MAX })).await.expect(204);
        app.pass(1_000_000);
        assert_eq!(client.get(path).await.expect(200).json()["age"], 1_000_000);
        client.get(&format!("{Q}/{id}")).await.expect(200);
    }
}

#[tokio::test]
async fn checksums_are_those_of_the_reference() {
    let app = TestApp::start(Store::Memory, "[DEFAULT]\nenable_checksum = true\n").await;
    let client = app.client("p");
    let ids = client.post_bodies("q", &[json!({ "a": "é" }), json!(null)]).await;
    let messages = client.get(&format!("{Q}?ids={},{}", ids[0], ids[1])).await.json()["messages"].clone();
    // md5 of {"a": "\u00e9"}, as Python's json.dumps writes it.
    assert_eq!(messages[0]["checksum"], "MD5:b61e59fffb433d9dc2a6f1fa17ca206d");
    assert!(messages[1].get("checksum").is_none());
}
