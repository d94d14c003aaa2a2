//! What the Python service was asked and answered, frame by frame: ours answers the same, but for what is listed here
//! with its reason. The actions of the connection itself are replayed elsewhere, over a socket.

use std::collections::HashMap;

use serde_json::{Value, json};
use zaqar::websocket::Encoding;

use super::desk::{Desk, read};

const RECORDING: &str = include_str!("../../conformance/recorded/websocket.jsonl");

/// Where ours answers otherwise: status and body.
fn exceptions() -> HashMap<&'static str, (u64, Value)> {
    HashMap::from([
        // A listing shows claimed messages, where the reference trips over them in Redis.
        ("message_list echo include_claimed", (200, Value::Null)),
        // As the reference's own tests demand.
        ("message_list missing queue", (200, json!({ "messages": [] }))),
        // What a client did wrong is no failure of the service.
        (
            "queue_create metadata not a dict",
            (400, json!({ "exception": "Queue metadata must be an object.", "error": null })),
        ),
    ])
}

/// Ids of the recording, each with that of this run.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    /// Compares an answer with the recorded one and learns its ids.
    fn check(&mut self, name: &str, recorded: &Value, ours: &Value) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                let missing = recorded.keys().find(|key| !ours.contains_key(*key));
                assert_eq!(missing, None, "{name}: {ours:?}");
                for (key, ours) in ours {
                    match recorded.get(key) {
                        Some(_) if key == "created" => assert!(ours.as_str().unwrap().ends_with('Z')),
                        // The reference makes up a claim where there is none.
                        Some(Value::String(_)) if key == "claim_id" && ours.is_null() => {}
                        Some(recorded) => self.check(name, recorded, ours),
                        // Where the next page begins, the reference does not tell.
                        None => assert_eq!(key, "marker", "{name}"),
                    }
                }
            }
            (Value::Array(recorded), Value::Array(ours)) => {
                assert_eq!(recorded.len(), ours.len(), "{name}: {ours:?}");
                recorded.iter().zip(ours).for_each(|(recorded, ours)| self.check(name, recorded, ours));
            }
            (Value::String(recorded), Value::String(ours)) => {
                if uuid::Uuid::try_parse(recorded).is_ok() && !self.0.contains_key(recorded) {
                    self.0.insert(recorded.clone(), ours.clone());
                }
                assert_eq!(&self.translated(recorded), ours, "{name}");
            }
            _ => assert_eq!(recorded, ours, "{name}"),
        }
    }

    fn translated(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (recorded, ours)| text.replace(recorded, ours))
    }
}

/// A frame as it was recorded: bytes of a binary one stand as characters.
fn sent(names: &Names, exchange: &Value) -> (Encoding, Vec<u8>) {
    let text = exchange["sent"].as_str().unwrap();
    if exchange["binary"] == true {
        let bytes = text.chars().map(|byte| u8::try_from(u32::from(byte)).unwrap());
        return (Encoding::MessagePack, bytes.collect());
    }
    (Encoding::Json, names.translated(text).into_bytes())
}

/// Replays everything, text frames in that encoding: how many frames were compared.
async fn replay(encoding: Encoding) -> usize {
    let (desk, mut names, exceptions) = (Desk::new(Encoding::Json), Names::default(), exceptions());
    let mut compared = 0;
    for line in RECORDING.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let name = exchange["name"].as_str().unwrap();
        let action = exchange["answer"]["request"]["action"].as_str().unwrap_or_default();
        // What is refused at the door is compared all the same.
        let at_the_door =
            exchange["answer"]["body"].as_object().is_some_and(|body| body.keys().eq(["error"]));
        let of_connection = action.starts_with("subscription_") && !at_the_door;
        if exchange["sent"].is_null() || of_connection {
            continue;
        }
        let (mut recorded_in, mut frame) = sent(&names, &exchange);
        if encoding == Encoding::MessagePack
            && recorded_in == Encoding::Json
            && let Ok(value) = serde_json::from_slice::<Value>(&frame)
        {
            (recorded_in, frame) = (encoding, rmp_serde::to_vec(&value).unwrap());
        }
        let reply = desk.answer(recorded_in, frame.into()).await;
        let ours = read(recorded_in, &reply.encode());
        let mut recorded = exchange["answer"].clone();
        if let Some((status, body)) = exceptions.get(name) {
            recorded["headers"]["status"] = (*status).into();
            recorded["body"] = if body.is_null() { ours["body"].clone() } else { body.clone() };
        }
        names.check(name, &recorded, &ours);
        compared += 1;
    }
    compared
}

#[tokio::test]
async fn the_recorded_frames_are_answered_alike() {
    assert_eq!(replay(Encoding::Json).await, 82);
}

#[tokio::test]
async fn the_same_frames_as_messagepack_are_answered_alike() {
    assert_eq!(replay(Encoding::MessagePack).await, 82);
}
