//! What is refused before anybody looks who asks: websocket.md 3.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use zaqar::websocket::{Action, Encoding, Offer, decode};

use super::desk::{CLIENT, read};

const EVERYTHING: Offer = Offer { admin_mode: true, pooling: true };

/// Status and error of the reply that a frame gets at once; `None` where it is a request.
fn refusal(encoding: Encoding, frame: impl Into<Bytes>) -> Option<(Value, Value)> {
    let reply = decode(encoding, frame.into(), EVERYTHING).err()?;
    let mut reply = read(encoding, &reply.encode());
    let request = reply["request"].take();
    assert_eq!(reply["headers"], json!({ "status": 400 }));
    assert_eq!(reply["body"].as_object().unwrap().len(), 1);
    Some((request, reply["body"]["error"].take()))
}

/// What is wrong with a JSON text, without the words that all share.
fn json_error(text: impl Into<Bytes>) -> String {
    let (request, error) = refusal(Encoding::Json, text).unwrap();
    assert_eq!(request, json!({ "action": null, "body": {}, "headers": {}, "api": "v2" }));
    error.as_str().unwrap().strip_prefix("Can't decode text (JSON) request. ").unwrap().to_owned()
}

fn binary_error(frame: impl Into<Bytes>) -> String {
    let (_, error) = refusal(Encoding::MessagePack, frame).unwrap();
    error.as_str().unwrap().strip_prefix("Can't decode binary (MessagePack) request. ").unwrap().to_owned()
}

#[test]
fn what_is_no_json_is_told_in_the_words_of_python() {
    for (text, words, at) in [
        ("hello", "Expecting value", (1, 1, 0)),
        ("", "Expecting value", (1, 1, 0)),
        ("{", "Expecting property name enclosed in double quotes", (1, 2, 1)),
        ("{\"a\"", "Expecting ':' delimiter", (1, 5, 4)),
        ("{\"a\":", "Expecting value", (1, 6, 5)),
        ("{\"a\":1", "Expecting ',' delimiter", (1, 7, 6)),
        ("{\"a\":1,", "Expecting property name enclosed in double quotes", (1, 8, 7)),
        ("{\"a\":1,}", "Expecting property name enclosed in double quotes", (1, 8, 7)),
        ("{1:2}", "Expecting property name enclosed in double quotes", (1, 2, 1)),
        ("{,}", "Expecting property name enclosed in double quotes", (1, 2, 1)),
        ("{\"body\":}", "Expecting value", (1, 9, 8)),
        ("{\"body\":{", "Expecting property name enclosed in double quotes", (1, 10, 9)),
        ("{\"headers\":", "Expecting value", (1, 12, 11)),
        ("[", "Expecting value", (1, 2, 1)),
        ("[1", "Expecting ',' delimiter", (1, 3, 2)),
        ("[1,", "Expecting value", (1, 4, 3)),
        ("[1,]", "Expecting value", (1, 4, 3)),
        ("[1 2]", "Expecting ',' delimiter", (1, 4, 3)),
        ("{\"a\":1 \"b\"}", "Expecting ',' delimiter", (1, 8, 7)),
        ("\"abc", "Unterminated string starting at", (1, 1, 0)),
        ("\"\\", "Unterminated string starting at", (1, 1, 0)),
        ("\"a\tb\"", "Invalid control character at", (1, 3, 2)),
        ("\"\\x\"", "Invalid \\escape", (1, 2, 1)),
        ("\"\\u12\"", "Invalid \\uXXXX escape", (1, 3, 2)),
        ("[-]", "Expecting value", (1, 2, 1)),
        ("nul", "Expecting value", (1, 1, 0)),
        ("{} x", "Extra data", (1, 4, 3)),
        ("{}]", "Extra data", (1, 3, 2)),
        ("{\n \"é\": nul}", "Expecting value", (2, 7, 8)),
        ("\u{feff}{}", "Unexpected UTF-8 BOM (decode using utf-8-sig)", (1, 1, 0)),
        // Python takes these.
        ("{\"a\":NaN}", "Expecting value", (1, 6, 5)),
        ("[9223372036854775808]", "Integer outside of signed 64 bits", (1, 2, 1)),
        ("[\"\\ud800\"]", "Invalid \\uXXXX escape", (1, 4, 3)),
    ] {
        let (line, column, character) = at;
        let expected = format!("JSONDecodeError: {words}: line {line} column {column} (char {character})");
        assert_eq!(json_error(text), expected, "{text:?}");
    }
    assert!(json_error("[".repeat(129)).starts_with("JSONDecodeError: Nested too deep: line 1 column 129"));
    for (bytes, words) in [
        (&b"{\"\xff\"}"[..], "byte 0xff in position 2: invalid start byte"),
        (b"\"\xc3(", "byte 0xc3 in position 1: invalid continuation byte"),
        (b"\"\xc3", "byte 0xc3 in position 1: unexpected end of data"),
    ] {
        assert_eq!(json_error(bytes), format!("UnicodeDecodeError: 'utf-8' codec can't decode {words}"));
    }
}

#[test]
fn what_is_no_messagepack_is_told_in_the_words_of_its_library() {
    for (frame, words) in [
        (&b"123"[..], "ExtraData: unpack(b) received extra data."),
        (b"", "ValueError: Unpack failed: incomplete input"),
        (b"\x81\xa6act", "ValueError: Unpack failed: incomplete input"),
        (b"\xdd\xff\xff\xff\xff", "ValueError: Unpack failed: incomplete input"),
        (b"\xdf\xff\xff\xff\xff\xa1a", "ValueError: Unpack failed: incomplete input"),
        (b"\xdb\xff\xff\xff\xffabc", "ValueError: Unpack failed: incomplete input"),
        (b"\x81\x01\x01", "ValueError: int is not allowed for map key when strict_map_key=True"),
        (b"\x81\xc0\x01", "ValueError: NoneType is not allowed for map key when strict_map_key=True"),
        (b"\x81\x90\x01", "ValueError: list is not allowed for map key when strict_map_key=True"),
        (b"\xc1", "FormatError: no value begins with 0xc1"),
        (b"\x91\xc4\x01a", "ValueError: bytes have no JSON form"),
        (b"\x91\xd4\x01a", "ValueError: extension types have no JSON form"),
        (b"\xcf\x80\0\0\0\0\0\0\0", "ValueError: Integer outside of signed 64 bits"),
        (b"\xcb\x7f\xf8\0\0\0\0\0\0", "ValueError: NaN and infinity have no JSON form"),
        (
            b"\xa1\xff",
            "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ] {
        assert_eq!(binary_error(frame), words, "{frame:x?}");
    }
    assert_eq!(binary_error(vec![0x91; 129]), "StackError: Nested too deep");
}

#[test]
fn a_key_in_bytes_is_a_key() {
    let frame = b"\x82\xc4\x06action\xa9ping_node\xc4\x07headers\x80";
    let request = decode(Encoding::MessagePack, Bytes::from_static(frame), EVERYTHING).unwrap();
    assert_eq!(request.action(), Action::PingNode);
}

#[test]
fn what_is_no_action_is_named_as_python_prints_it() {
    for (action, name) in [
        (json!(null), "None"),
        (json!(true), "True"),
        (json!(5), "5"),
        (json!("nöpe"), "nöpe"),
        (json!(""), ""),
        (json!("Queue_List"), "Queue_List"),
    ] {
        let frame = json!({ "action": action, "headers": {}, "id": 7 }).to_string();
        let expected = json!({ "action": action, "body": {}, "headers": {}, "api": "v2" });
        let error = json!(format!("{name} is not a valid action"));
        assert_eq!(refusal(Encoding::Json, frame), Some((expected, error)));
    }
    let missing = refusal(Encoding::Json, "{\"body\":[1, 2]}").unwrap();
    let request = json!({ "action": null, "body": [1, 2], "headers": {}, "api": "v2" });
    assert_eq!(missing, (request, json!("None is not a valid action")));
}

#[test]
fn actions_that_are_not_on_offer_are_none() {
    for (offer, on_offer) in [
        (Offer { admin_mode: false, pooling: true }, [true, false, false]),
        (Offer { admin_mode: true, pooling: false }, [true, true, false]),
        (EVERYTHING, [true, true, true]),
    ] {
        let actions = [Action::PingNode, Action::CheckNodeHealth, Action::PoolList];
        assert_eq!(actions.map(|action| offer.has(action)), on_offer);
    }
    let headers = json!({ "Client-ID": CLIENT, "X-Project-ID": "p" });
    let frame = json!({ "action": "pool_list", "headers": headers, "body": { "pool_name": "x" } });
    let frame = Bytes::from(frame.to_string());
    assert!(decode(Encoding::Json, frame.clone(), EVERYTHING).is_ok());
    let refused = decode(Encoding::Json, frame, Offer::default()).unwrap_err();
    assert_eq!(read(Encoding::Json, &refused.encode())["body"]["error"], "pool_list is not a valid action");
}

/// A request for that action with all that the schema demands.
fn complete(action: Action) -> Value {
    let mut body = json!({
        "queue_name": "q", "message_id": "m", "message_ids": [], "messages": [], "claim_id": "c",
        "subscription_id": "s", "pool_name": "p", "flavor_name": "f",
    });
    if matches!(action, Action::PoolCreate | Action::PoolUpdate) {
        body["uri"] = "u".into();
    }
    let headers = json!({ "Client-ID": CLIENT, "X-Project-ID": "p", "X-Auth-Token": "t" });
    json!({ "action": action.name(), "headers": headers, "body": body })
}

/// Whether the schema admits the frame.
fn fits(frame: &Value) -> bool {
    let as_json = refusal(Encoding::Json, frame.to_string());
    let as_messagepack = refusal(Encoding::MessagePack, rmp_serde::to_vec(frame).unwrap());
    assert_eq!(as_json, as_messagepack, "{frame}");
    if let Some((_, error)) = &as_json {
        assert_eq!(error, "Schema validation failed.", "{frame}");
    }
    as_json.is_none()
}

/// The frame with another member of its headers or body, or without it.
fn with(mut frame: Value, place: &str, name: &str, value: Option<Value>) -> Value {
    let members = frame[place].as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(name.into(), value)),
        None => drop(members.remove(name)),
    }
    frame
}

#[test]
fn the_schema_demands_headers_and_their_types() {
    for action in Action::ALL {
        let frame = complete(*action);
        assert!(fits(&frame), "{frame}");
        for name in ["User-Agent", "Date", "Accept", "Client-ID", "X-Project-ID", "X-Auth-Token"] {
            for wrong in [json!(null), json!(1), json!(["x"])] {
                assert!(!fits(&with(frame.clone(), "headers", name, Some(wrong))), "{frame}: {name}");
            }
            let needed = match *action {
                Action::Authenticate => matches!(name, "X-Project-ID" | "X-Auth-Token"),
                Action::GetHomeDoc | Action::CheckNodeHealth | Action::PingNode => false,
                _ => matches!(name, "Client-ID" | "X-Project-ID"),
            };
            assert_eq!(fits(&with(frame.clone(), "headers", name, None)), !needed, "{frame}: {name}");
        }
        // Names of headers are compared as they stand, and unknown ones are nobody's.
        assert!(fits(&with(frame.clone(), "headers", "client-id", Some(json!(1)))));
        for wrong in [json!(null), json!("str"), json!([])] {
            let mut frame = frame.clone();
            frame["headers"] = wrong;
            assert!(!fits(&frame), "{frame}");
        }
    }
}

#[test]
fn the_schema_demands_bodies_where_there_are_any() {
    for action in Action::ALL {
        let reads =
            !matches!(action.name(), "authenticate" | "get_home_doc" | "check_node_health" | "ping_node");
        let mut frame = complete(*action);
        for wrong in [json!(null), json!("str"), json!([]), json!(1)] {
            frame["body"] = wrong;
            assert_eq!(fits(&frame), !reads, "{frame}");
        }
        frame.as_object_mut().unwrap().remove("body");
        assert_eq!(fits(&frame), !reads || *action == Action::QueueList, "{frame}");
    }
}

#[test]
fn the_schema_demands_types_that_are_not_stretched() {
    let (text, integer, boolean) = (json!("x"), json!(-5), json!(true));
    let (list, object, float, null) = (json!([]), json!({}), json!(1.0), json!(null));
    let all = [&text, &integer, &boolean, &list, &object, &float, &null];
    for (action, name, of, required) in [
        (Action::QueueCreate, "queue_name", &text, true),
        (Action::QueueList, "marker", &text, false),
        (Action::QueueList, "limit", &integer, false),
        (Action::QueueList, "detailed", &boolean, false),
        (Action::QueuePurge, "resource_types", &list, false),
        (Action::MessagePost, "messages", &list, true),
        (Action::MessageList, "marker", &text, false),
        (Action::MessageList, "limit", &integer, false),
        (Action::MessageList, "echo", &boolean, false),
        (Action::MessageList, "include_claimed", &boolean, false),
        (Action::MessageGet, "message_id", &text, true),
        (Action::MessageGetMany, "message_ids", &list, true),
        (Action::MessageDelete, "message_id", &text, true),
        (Action::MessageDelete, "claim_id", &text, false),
        (Action::MessageDeleteMany, "message_ids", &list, false),
        (Action::MessageDeleteMany, "claim_ids", &list, false),
        (Action::MessageDeleteMany, "pop", &integer, false),
        (Action::ClaimCreate, "limit", &integer, false),
        (Action::ClaimCreate, "ttl", &integer, false),
        (Action::ClaimCreate, "grace", &integer, false),
        (Action::ClaimGet, "claim_id", &text, true),
        (Action::ClaimUpdate, "claim_id", &text, true),
        (Action::ClaimUpdate, "ttl", &integer, false),
        (Action::ClaimDelete, "claim_id", &text, true),
        (Action::SubscriptionCreate, "subscriber", &text, false),
        (Action::SubscriptionCreate, "ttl", &integer, false),
        (Action::SubscriptionCreate, "options", &object, false),
        (Action::SubscriptionGet, "subscription_id", &text, true),
        (Action::SubscriptionDelete, "subscription_id", &text, true),
        (Action::PoolList, "pool_name", &text, true),
        (Action::PoolList, "limit", &integer, false),
        (Action::PoolCreate, "weight", &integer, false),
        (Action::PoolCreate, "uri", &text, false),
        (Action::PoolUpdate, "options", &object, false),
        (Action::PoolGet, "detailed", &boolean, false),
        (Action::FlavorCreate, "pool_name", &text, true),
        (Action::FlavorUpdate, "pool_name", &text, false),
        (Action::FlavorUpdate, "capabilities", &object, false),
        (Action::FlavorGet, "flavor_name", &text, true),
    ] {
        let frame = complete(action);
        for value in all {
            let fitting = fits(&with(frame.clone(), "body", name, Some(value.clone())));
            assert_eq!(fitting, value == of, "{} {name} {value}", action.name());
        }
        assert_eq!(fits(&with(frame, "body", name, None)), !required, "{} {name}", action.name());
    }
}

#[test]
fn what_authenticates_is_never_repeated() {
    for (headers, fits) in [
        (json!({ "X-Auth-Token": "secret", "X-Project-ID": "p" }), true),
        (json!({ "X-Auth-Token": "secret" }), false),
        (json!({ "X-Auth-Token": ["secret"], "X-Project-ID": "p" }), false),
    ] {
        let frame = json!({ "action": "authenticate", "headers": headers, "body": "secret" }).to_string();
        match decode(Encoding::Json, frame.into(), EVERYTHING) {
            Ok(request) => assert!(fits && request.header("X-Auth-Token").is_some()),
            Err(reply) => {
                let echo = json!({ "action": "authenticate", "body": {}, "headers": {}, "api": "v2" });
                assert_eq!((fits, &read(Encoding::Json, &reply.encode())["request"]), (false, &echo));
            }
        }
    }
}

#[test]
fn what_the_schema_does_not_know_it_does_not_mind() {
    let frame = complete(Action::ClaimUpdate);
    assert!(fits(&with(frame.clone(), "body", "grace", Some(json!("x")))));
    assert!(fits(&with(complete(Action::QueueCreate), "body", "metadata", Some(json!("x")))));
    assert!(fits(&with(complete(Action::MessageList), "body", "include_delayed", Some(json!("yes")))));
    assert!(fits(&with(frame, "body", "x", Some(json!(null)))));
}

#[test]
fn of_a_repeated_key_the_last_value_counts_and_is_repeated() {
    let frame = format!(
        r#"{{"action": "x", "\u0061ction": "queue_get", "headers": 1,
            "headers": {{"Client-ID": 1, "Client-ID": "{CLIENT}", "X-Project-ID": "p"}},
            "body": {{"queue_name": 5, "queue_name": "q"}}}}"#
    );
    let request = decode(Encoding::Json, frame.into(), EVERYTHING).unwrap();
    assert_eq!((request.action(), request.header("Client-ID").unwrap().as_ref()), (Action::QueueGet, CLIENT));
    let frame = br#"{"action": "nope", "body": {"a": 1, "a": [2]}}"#;
    let (request, _) = refusal(Encoding::Json, &frame[..]).unwrap();
    assert_eq!(request["body"].to_string(), r#"{"a":[2]}"#);
    let frame = b"\x82\xa6action\xa1x\xa6action\xa1y";
    assert_eq!(refusal(Encoding::MessagePack, &frame[..]).unwrap().1, "y is not a valid action");
}

#[test]
fn headers_are_found_as_they_were_sent() {
    let headers = json!({
        "X-Project-ID": "p\u{e9}\"", "URL-Signature": 5, "URL-Methods": ["GET", "PO\tST"], "URL-Paths": ["a", 1],
        "URL-Expires": [], "X-Roles": "admin, ,reader ", "X-User-ID": "u",
    });
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let frame = json!({ "action": "ping_node", "headers": headers });
        let frame = match encoding {
            Encoding::Json => frame.to_string().into_bytes(),
            Encoding::MessagePack => rmp_serde::to_vec(&frame).unwrap(),
        };
        let request = decode(encoding, frame.into(), EVERYTHING).unwrap();
        assert_eq!(request.header("X-Project-ID").as_deref(), Some("pé\""));
        assert_eq!((request.header("URL-Signature"), request.has_header("URL-Signature")), (None, true));
        assert_eq!((request.header("Client-ID"), request.has_header("Client-ID")), (None, false));
        assert_eq!(request.header_list("URL-Methods"), Some(vec!["GET".to_owned(), "PO\tST".to_owned()]));
        assert_eq!(request.header_list("URL-Expires"), Some(Vec::new()));
        assert_eq!((request.header_list("URL-Paths"), request.header_list("X-Roles")), (None, None));
        let caller = request.believed();
        assert_eq!(caller.roles, ["admin", "reader"]);
        assert_eq!((caller.project.unwrap().as_str(), caller.user.unwrap().id.as_str()), ("pé\"", "u"));
        assert!(!request.has_id());
    }
}

/// Parts of frames, whole and broken.
fn parts() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        &b"{\"action\":\"message_post\","[..],
        b"\"headers\":{\"Client-ID\":\"x\",\"X-Project-ID\":\"p\"}",
        b",\"body\":{\"queue_name\":\"q\",\"messages\":[{\"body\":",
        b"}]}}",
        b"\x83\xa6action\xa9ping_node\xa7headers\x80\xa4body",
        b"\x82\xa8metadata\x80\xa8messages\x91\x81\xa4body",
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x80",
        b"{}",
        b"[",
        b"]",
    ]);
    prop_oneof![known.prop_map(<[u8]>::to_vec), vec(any::<u8>(), 0..8)]
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(parts in vec(parts(), 0..8)) {
        let frame = Bytes::from(parts.concat());
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            if let Err(reply) = decode(encoding, frame.clone(), EVERYTHING) {
                prop_assert_eq!(&read(encoding, &reply.encode())["headers"], &json!({ "status": 400 }));
            }
        }
    }
}
