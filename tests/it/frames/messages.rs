//! Messages in frames, beyond what was recorded.

use serde_json::{Value, json};
use zaqar::websocket::Encoding;

use super::desk::{CLIENT, Desk};

fn bodies(listing: &Value) -> Vec<Value> {
    listing["messages"].as_array().unwrap().iter().map(|message| message["body"].clone()).collect()
}

async fn list(desk: &Desk, more: Value) -> Value {
    let mut body = json!({ "queue_name": "q", "echo": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, listing) = desk.ask("message_list", body).await;
    assert_eq!(status, 200, "{listing}");
    listing
}

#[tokio::test]
async fn what_is_wrong_with_a_post_is_told_and_creates_nothing() {
    let desk = Desk::new(Encoding::Json);
    for (messages, exception) in [
        (json!([]), "No messages to enqueu."),
        (json!([1]), "Document type not supported."),
        (json!([{ "body": 1 }, []]), "Document type not supported."),
        (json!([{ "ttl": 60 }]), "Bad request. Missing \"body\" field."),
        (json!([{ "ttl": 60.0, "body": 1 }]), "Bad request. The value of the \"ttl\" field must be a int."),
        (
            json!([{ "ttl": 1_209_601, "body": 1 }]),
            "The TTL for a message may not exceed 1209600 seconds, and must be at least 60 seconds long.",
        ),
    ] {
        let refused = desk.ask("message_post", json!({ "queue_name": "q", "messages": messages })).await;
        assert_eq!(refused, (400, json!({ "exception": exception, "error": null })), "{messages}");
    }
    assert_eq!(desk.ask("queue_list", json!({})).await.1, json!({ "queues": [] }));
}

#[tokio::test]
async fn a_client_is_looked_at_where_messages_are_posted_and_listed() {
    let desk = Desk::new(Encoding::Json);
    for client in ["", "0xdeadbeef", "550893e0-2b6e-11e3-835a-5cf9dd72369"] {
        let headers = json!({ "Client-ID": client, "X-Project-ID": "p" });
        for (action, body) in [
            ("message_post", json!({ "queue_name": "q", "messages": [{ "body": 1 }] })),
            ("message_list", json!({ "queue_name": "q" })),
            ("message_list", json!({ "queue_name": "a b" })),
        ] {
            let words = json!({ "exception": "badly formed hexadecimal UUID string", "error": null });
            assert_eq!(desk.ask_as(headers.clone(), action, body).await, (400, words), "{action} {client:?}");
        }
        assert_eq!(desk.ask_as(headers, "claim_create", json!({ "queue_name": "q" })).await.0, 204);
    }
    let settings = zaqar::service::Settings { free_client_ids: true, ..Default::default() };
    let desk = Desk::with(Encoding::Json, settings, zaqar::websocket::Offer::default());
    let body = json!({ "queue_name": "q" });
    let as_client = |client: &str| json!({ "Client-ID": client, "X-Project-ID": "p" });
    let words = "Length of client id must be at least 10 and no greater than 36.";
    let refused = desk.ask_as(as_client("too short"), "message_list", body.clone()).await;
    assert_eq!(refused, (400, json!({ "exception": words, "error": null })));
    assert_eq!(desk.ask_as(as_client("long enough"), "message_list", body).await.0, 200);
}

#[tokio::test]
async fn the_size_of_a_post_is_that_of_its_messages_in_the_frame() {
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let desk = Desk::new(encoding);
        let create = json!({ "queue_name": "q", "metadata": { "_max_messages_post_size": 100 } });
        assert_eq!(desk.ask("queue_create", create).await.0, 201);
        // [{"body":"…"}]
        let overhead = if encoding == Encoding::Json { 13 } else { 1 + 1 + 5 + 2 };
        for (length, status) in [(100 - overhead, 201), (101 - overhead, 400)] {
            let padding = json!({ "messages": "x".repeat(200) });
            let messages = json!([{ "body": "x".repeat(length) }]);
            let body = json!({ "queue_name": "q", "messages": messages, "metadata": padding });
            let (answered, reply) = desk.ask("message_post", body).await;
            assert_eq!(answered, status, "{reply}");
            if status == 400 {
                let words = "Message collection size is too large. The max size for current queue is 100. It is \
                             calculated by max size = min(max_messages_post_size_config: 262144, \
                             max_messages_post_size_queue: 100).";
                assert_eq!(reply["exception"], words);
            }
        }
    }
}

#[tokio::test]
async fn delays_count_as_over_rest() {
    let desk = Desk::new(Encoding::MessagePack);
    let create = json!({ "queue_name": "q", "metadata": { "_default_message_delay": 30 } });
    assert_eq!(desk.ask("queue_create", create).await.0, 201);
    desk.post("q", json!([{ "body": "now", "delay": 0 }, { "body": "later" }])).await;
    let wrong = json!({ "queue_name": "q", "messages": [{ "body": 1, "delay": "x" }] });
    let words = "Bad request. The value of the \"delay\" field must be a int.";
    assert_eq!(desk.ask("message_post", wrong).await, (400, json!({ "exception": words, "error": null })));
    assert_eq!(bodies(&list(&desk, json!({})).await), ["now"]);
    for wanted in [json!(true), json!("Yes "), json!(1)] {
        let listing = list(&desk, json!({ "include_delayed": wanted })).await;
        assert_eq!(bodies(&listing), ["now", "later"], "{wanted}");
    }
    for unwanted in [json!(false), json!("no"), json!(2), json!([]), json!(null)] {
        let listing = list(&desk, json!({ "include_delayed": unwanted })).await;
        assert_eq!(bodies(&listing), ["now"], "{unwanted}");
    }
    desk.clock.advance(std::time::Duration::from_secs(31));
    assert_eq!(bodies(&list(&desk, json!({})).await), ["now", "later"]);
}

#[tokio::test]
async fn encrypted_bodies_are_clear_to_every_reader() {
    let desk = Desk::new(Encoding::Json);
    let create = json!({ "queue_name": "q", "metadata": { "_enable_encrypt_messages": true } });
    assert_eq!(desk.ask("queue_create", create).await.0, 201);
    let ids = desk.post("q", json!([{ "body": { "secret": 1 } }])).await;
    let secret = json!({ "secret": 1 });
    assert_eq!(bodies(&list(&desk, json!({})).await), std::slice::from_ref(&secret));
    let get = desk.ask("message_get", json!({ "queue_name": "q", "message_id": ids[0] })).await.1;
    assert_eq!(get["messages"]["body"], secret);
    let stats = desk.ask("queue_get_stats", json!({ "queue_name": "q" })).await.1;
    assert_eq!(stats["messages"]["oldest"]["body"], secret);
    let popped = desk.ask("message_delete_many", json!({ "queue_name": "q", "pop": 1 })).await.1;
    assert_eq!(bodies(&popped), [secret]);
}

#[tokio::test]
async fn markers_and_ids_lead_through_a_queue() {
    let desk = Desk::new(Encoding::Json);
    let ids = desk.post("q", (0..25).map(|n| json!({ "body": n })).collect()).await;
    let (mut seen, mut marker) = (Vec::new(), None);
    loop {
        let page = list(&desk, marker.map_or(json!({}), |marker| json!({ "marker": marker }))).await;
        if page["messages"] == json!([]) {
            assert_eq!(page, json!({ "messages": [] }));
            break;
        }
        seen.extend(bodies(&page));
        marker = Some(page["marker"].clone());
    }
    assert_eq!(seen, (0..25).map(|n| json!(n)).collect::<Vec<_>>());
    let behind = list(&desk, json!({ "marker": ids[22], "limit": 20 })).await;
    assert_eq!(bodies(&behind), [json!(23), json!(24)]);
}

#[tokio::test]
async fn ids_that_are_none_name_no_message() {
    let desk = Desk::new(Encoding::Json);
    let ids = desk.post("q", json!([{ "body": 1 }, { "body": 2 }])).await;
    let mixed = json!([ids[1], 5, null, [], "x"]);
    let found = desk.ask("message_get_many", json!({ "queue_name": "q", "message_ids": mixed })).await;
    assert_eq!((found.0, bodies(&found.1)), (200, vec![json!(2)]));
    for wrong in [json!([]), json!(vec!["x"; 21])] {
        let words = "Limit must be at least 1 and may not be greater than 20.";
        let refused = desk.ask("message_get_many", json!({ "queue_name": "q", "message_ids": wrong })).await;
        assert_eq!(refused, (400, json!({ "exception": words, "error": null })));
        let words = "ids parameter should have at least 1 and not greater than 20 values.";
        let refused =
            desk.ask("message_delete_many", json!({ "queue_name": "q", "message_ids": wrong })).await;
        assert_eq!(refused, (400, json!({ "exception": words, "error": null })));
    }
    let removed = desk.ask("message_delete_many", json!({ "queue_name": "q", "message_ids": mixed })).await;
    assert_eq!(removed, (204, json!({})));
    assert_eq!(bodies(&list(&desk, json!({})).await), [json!(1)]);
}

#[tokio::test]
async fn a_claimed_message_goes_only_with_its_claim() {
    let desk = Desk::new(Encoding::Json);
    let ids = desk.post("q", json!([{ "body": 1 }, { "body": 2 }, { "body": 3 }])).await;
    let claim = async || desk.ask("claim_create", json!({ "queue_name": "q", "limit": 1 })).await.1;
    let (first, second) = (claim().await, claim().await);
    let (mine, other) = (first["claim_id"].as_str().unwrap(), second["claim_id"].as_str().unwrap());
    let delete = async |id: &Value, claim: &str| {
        let body = json!({ "queue_name": "q", "message_id": id, "claim_id": claim });
        desk.ask("message_delete", body).await
    };
    let id = ids[0].as_str().unwrap();
    let claimed = "This message is claimed; it cannot be deleted without a valid claim ID.";
    let gone = "00000000-0000-7000-8000-000000000000";
    let missing = |claim: &str| format!("Claim {claim} does not exist in queue q for project p");
    let ended = "The specified claim does not exist or has expired.";
    for (claim, status, exception, error) in [
        (other, 403, format!("Message {id} is not claimed by {other}"), claimed),
        (gone, 400, missing(gone), ended),
        ("nope", 400, missing("nope"), ended),
    ] {
        let expected = json!({ "exception": exception, "error": error });
        assert_eq!(delete(&ids[0], claim).await, (status, expected));
    }
    let exception = format!("Message {} is no longer claimed", ids[2].as_str().unwrap());
    let error = "A claim was specified, but the message is not currently claimed.";
    assert_eq!(delete(&ids[2], mine).await, (400, json!({ "exception": exception, "error": error })));
    assert_eq!(delete(&ids[0], mine).await, (204, json!({})));
    assert_eq!(delete(&ids[0], mine).await, (204, json!({})));
}

#[tokio::test]
async fn bulk_deletion_asks_for_claims_where_that_is_on() {
    let settings = zaqar::service::Settings { delete_needs_claims: true, ..Default::default() };
    let desk = Desk::with(Encoding::Json, settings, zaqar::websocket::Offer::default());
    let ids = desk.post("q", json!([{ "body": 1 }])).await;
    let claim = desk.ask("claim_create", json!({ "queue_name": "q" })).await.1;
    let delete = async |claims: Option<Value>| {
        let mut body = json!({ "queue_name": "q", "message_ids": ids });
        if let Some(claims) = claims {
            body["claim_ids"] = claims;
        }
        desk.ask("message_delete_many", body).await
    };
    assert_eq!(delete(None).await.0, 400);
    assert_eq!(delete(Some(json!(["x"]))).await.0, 400);
    assert_eq!(delete(Some(json!([claim["claim_id"]]))).await, (204, json!({})));
}

#[tokio::test]
async fn a_popped_message_shows_all_that_is_known_of_it() {
    let desk = Desk::new(Encoding::MessagePack);
    let ids = desk.post("q", json!([{ "body": [1, -1, 1.5, "ü", null, true, {}] }])).await;
    let popped = desk.ask("message_delete_many", json!({ "queue_name": "q", "pop": 5 })).await;
    let message = json!({
        "id": ids[0], "age": 0, "ttl": 3600, "claim_id": null, "claim_count": 0,
        "body": [1, -1, 1.5, "ü", null, true, {}],
    });
    assert_eq!(popped, (200, json!({ "messages": [message] })));
}

#[tokio::test]
async fn a_body_passes_from_one_encoding_to_the_other() {
    let desk = Desk::new(Encoding::Json);
    let body =
        json!({ "a": [0, 127, 128, -32, -33, 65_536, i64::MAX, i64::MIN, 0.1, -1e300], "": "\u{1}\"" });
    let headers = json!({ "Client-ID": CLIENT, "X-Project-ID": "p" });
    let post = json!({
        "action": "message_post", "headers": headers,
        "body": { "queue_name": "q", "messages": [{ "body": body }] },
    });
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let frame = match encoding {
            Encoding::Json => post.to_string().into_bytes(),
            Encoding::MessagePack => rmp_serde::to_vec(&post).unwrap(),
        };
        assert_eq!(desk.answer(encoding, frame.into()).await.status(), 201);
    }
    let list = json!({
        "action": "message_list", "headers": headers, "body": { "queue_name": "q", "echo": true },
    });
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let frame = match encoding {
            Encoding::Json => list.to_string().into_bytes(),
            Encoding::MessagePack => rmp_serde::to_vec(&list).unwrap(),
        };
        let reply = desk.answer(encoding, frame.into()).await;
        let listing = super::desk::read(encoding, &reply.encode());
        assert_eq!(bodies(&listing["body"]), [body.clone(), body.clone()]);
    }
}

#[tokio::test]
async fn the_deepest_body_is_read_in_both_encodings() {
    let desk = Desk::new(Encoding::Json);
    // The frame, its body, the list and the message are four.
    let deep = format!("{}{}", "[".repeat(124), "]".repeat(124));
    let head = format!(r#""headers":{{"Client-ID":"{CLIENT}","X-Project-ID":"p"}}"#);
    let post = |body: &str| {
        format!(
            r#"{{"action":"message_post",{head},"body":{{"queue_name":"q","messages":[{{"body":{body}}}]}}}}"#
        )
    };
    let posted = desk.answer(Encoding::Json, post(&deep).into()).await;
    assert_eq!(posted.status(), 201);
    assert_eq!(desk.answer(Encoding::Json, post(&format!("[{deep}]")).into()).await.status(), 400);
    let list = json!({
        "action": "message_list", "headers": { "Client-ID": CLIENT, "X-Project-ID": "p" },
        "body": { "queue_name": "q", "echo": true },
    });
    let reply = desk.answer(Encoding::MessagePack, rmp_serde::to_vec(&list).unwrap().into()).await;
    let frame = reply.encode();
    assert!(frame.windows(124).any(|part| part == [vec![0x91; 123], vec![0x90]].concat()));
}
